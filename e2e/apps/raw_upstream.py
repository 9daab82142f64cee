"""An upstream that takes and gives as many bytes as one likes, and keeps none.

    python raw_upstream.py --port 7861

    POST /sink           reads it all; answers how much it was
    POST /refuse         answers 413 before it reads anything
    GET  /source?N       gives N zeros
    GET  /log            one line of each transfer that ended: how, and after how much
"""

from __future__ import annotations

import argparse
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = bytes(1 << 18)

log: list[str] = []
logging = threading.Lock()


def note(line: str) -> None:
    with logging:
        log.append(line)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if self.path.endswith("/refuse"):
            self.close_connection = True
            self.answer(413, b'{"detail":"too large for this app"}')
            return
        left = size = int(self.headers["Content-Length"])
        into = memoryview(bytearray(len(PIECE)))
        while left:
            try:
                read = self.rfile.readinto(into[: min(left, len(into))])
            except OSError:
                read = 0
            if not read:
                note(f"upload cut after {size - left}")
                self.close_connection = True
                return
            left -= read
        note(f"upload whole after {size}")
        self.answer(200, str(size).encode())

    def do_GET(self) -> None:
        if self.path.endswith("/log"):
            with logging:
                self.answer(200, "\n".join(log).encode())
            return
        left = size = int(self.path.partition("?")[2])
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        try:
            while left:
                self.wfile.write(PIECE[:left] if left < len(PIECE) else PIECE)
                left -= min(left, len(PIECE))
        except OSError:
            note(f"download cut after {size - left}")
            self.close_connection = True
            return
        note(f"download whole after {size}")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    socketserver.TCPServer.allow_reuse_address = True
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler).serve_forever()


if __name__ == "__main__":
    main()
