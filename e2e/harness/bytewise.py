"""Requests as bytes, many on a connection: no client library tidies them up."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

BATCH = 40  # requests that are under way at once on the connection


@dataclass(frozen=True)
class Reply:
    """An answer's bytes. What was not answered, for the connection ended, has status 0."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return ""


NOTHING = Reply(0, b"", b"")


def ask_all(port: int, host: str, targets: Sequence[bytes], cookie: str = "") -> Iterator[tuple[bytes, Reply]]:
    """GETs every target, in order, and yields it with its answer."""
    rest = list(targets)
    while rest:
        answered = 0
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"".join(_request(target, host, cookie) for target in rest[:BATCH]))
            with connection.makefile("rb") as answers:
                for target in rest[:BATCH]:
                    reply = _read(answers)
                    yield target, reply
                    answered += 1
                    if not reply.status or reply.header("Connection").lower() == "close" or b"HTTP/1.0" in reply.head[:8]:
                        break  # the ones behind it are sent once more
        rest = rest[answered:]


def _request(target: bytes, host: str, cookie: str) -> bytes:
    more = f"Cookie: {cookie}\r\n" if cookie else ""
    return b"GET " + target + f" HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


def _read(answers: BinaryIO) -> Reply:
    head = b""
    try:
        while not head.endswith(b"\r\n\r\n"):
            line = answers.readline(65536)
            if not line:
                return NOTHING
            head += line
    except ConnectionError:
        return NOTHING
    reply = Reply(int(head.split(b" ", 2)[1]), head, b"")
    if reply.status in (204, 304):
        return reply
    try:
        return Reply(reply.status, head, _body(reply, answers))
    except ConnectionError:  # who refuses what follows resets
        return reply


def _body(reply: Reply, answers: BinaryIO) -> bytes:
    if reply.header("Transfer-Encoding").lower() == "chunked":
        body = b""
        while size := int(answers.readline(100).split(b";")[0], 16):
            body += answers.read(size)
            answers.readline(100)
        answers.readline(100)
        return body
    length = reply.header("Content-Length")
    return answers.read(int(length)) if length else answers.read()
