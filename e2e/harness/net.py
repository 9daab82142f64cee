"""Ports, raw requests and readiness on the loopback interface."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from harness.process import Process


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on: below those of outgoing connections, any of which could take
    one before it is used. All are held until all are found, so they differ."""
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            each = socket.socket()
            try:
                each.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
            except OSError:
                each.close()
            else:
                held.append(each)
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


@dataclass(frozen=True)
class Answer:
    """A response as it came: no redirect followed, no cookie kept."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    set_cookies: tuple[str, ...]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 10.0,
) -> Answer:
    """Sends one request on a connection of its own; the target goes out as it stands in url."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    connection = HTTPConnection("127.0.0.1", parts.port, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, {"Host": parts.netloc, **(headers or {})})
        response = connection.getresponse()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            set_cookies=tuple(response.headers.get_all("Set-Cookie") or ()),
            body=response.read(),
        )
    finally:
        connection.close()


def wait_until_good(url: str, process: Process, *, within: float = 60.0) -> None:
    """Returns once url answers 200. Fails at once when the process ended."""
    deadline = time.monotonic() + within
    last: object = "no answer"
    while process.running and time.monotonic() < deadline:
        try:
            answer = ask("GET", url)
            if answer.status == 200:
                return
            last = answer.status
        except (OSError, HTTPException) as error:
            last = error
        time.sleep(0.05)
    state = f"never became ready ({last})" if process.running else "ended"
    raise AssertionError(f"{process.name} {state}:\n{process.output}")
