"""How Python's own servers read a path: WSGI's PATH_INFO, and http.server's files.

    python stdlib.py wsgi=8001 http-server=8002:/some/tree

Every answer says which part served it: `part: admin` or `part: members`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from posixpath import normpath
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Files(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class ThreadingWSGIServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def app(name: str) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Reads PATH_INFO as it comes, and as an app that normalises it would."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        part = "members"
        for reading in (path, normpath(path), path.rstrip("/")):
            if any(reading == to or reading.startswith(to + "/") for to in ("/admin", f"/{name}/admin")):
                part = "admin"
        body = f"part: {part}".encode()
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def serve(order: str) -> None:
    name, _, where = order.partition("=")
    port, _, tree = where.partition(":")
    address = ("127.0.0.1", int(port))
    if name == "wsgi":
        server: WSGIServer | ThreadingHTTPServer = ThreadingWSGIServer(address, Quiet)
        server.set_app(app(name))
    else:
        server = ThreadingHTTPServer(address, partial(Files, directory=tree))
    server.serve_forever()


if __name__ == "__main__":
    threads = [Thread(target=serve, args=(order,)) for order in sys.argv[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
