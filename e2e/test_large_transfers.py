"""Uploads and downloads of any size go through in constant memory, or end on both sides.

TRANSFER_MB says how large: 300 by default, which is enough to see what grows. With
TRANSFER_MB=5000 it is what docs/gradio.md reports.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.dashboards import ROOT
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import ask, free_ports, wait_until_good
from harness.process import Process
from harness.provider import Provider

MB = 1_000_000
SIZE = int(os.environ.get("TRANSFER_MB", "300")) * MB
PIECE = bytes(1 << 18)
MOST_MORE = 10 * MB  # of memory
PATH = "/lab/raw"

# Some minutes for what takes seconds on a machine with nothing else to do.
pytestmark = pytest.mark.timeout(240 + SIZE // (5 * MB))


@dataclass(frozen=True)
class Wire:
    """Gatehouse before the upstream, and a token that it takes."""

    house: Gatehouse
    upstream: str
    token: str

    @contextmanager
    def request(self, method: str, path: str, length: int = 0) -> Iterator[socket.socket]:
        """A connection on which the head of a request was sent."""
        at = urlsplit(self.house.url)
        with socket.create_connection(("127.0.0.1", at.port or 0), timeout=120) as connection:
            connection.sendall(
                f"{method} {PATH}{path} HTTP/1.1\r\nHost: {at.netloc}\r\n"
                f"Authorization: Bearer {self.token}\r\n"
                f"Content-Length: {length}\r\nConnection: close\r\n\r\n".encode()
            )
            yield connection

    def wait_for(self, line: str) -> str:
        """Returns the first line of the upstream's log that begins so."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            log = ask("GET", f"{self.upstream}/log").body.decode().splitlines()
            for one in log:
                if one.startswith(line):
                    return one
            time.sleep(0.1)
        raise AssertionError(f"the upstream never noted {line!r}: {log}")


def answer_on(connection: socket.socket) -> HTTPResponse:
    answer = HTTPResponse(connection)
    answer.begin()
    return answer


@pytest.fixture
def wire(gatehouse_binary: Path, provider: Provider, tmp_path: Path) -> Iterator[Wire]:
    (port,) = free_ports(1)
    script = ROOT / "e2e" / "apps" / "raw_upstream.py"
    upstream = Process("raw upstream", [sys.executable, script, "--port", str(port)])
    routes = f"""\
  - path: {PATH}
    upstream: http://127.0.0.1:{port}
    allow: authenticated
    bearer: true
"""
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_good(f"{url}/log", upstream)
        with running_gatehouse(
            gatehouse_binary, tmp_path, provider, routes, session_tokens=True
        ) as house:
            token = provider.order("session-token", person="bob")["token"]
            yield Wire(house, url, token)
    finally:
        upstream.stop()


def memory(process: Process, what: str) -> int:
    """VmRSS: what is resident. VmHWM: the most that ever was since it was forgotten."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(what + ":")]
    return int(line.split()[1]) * 1024


def growth(process: Process, transfer: Callable[[], None]) -> int:
    """How much more memory a transfer takes at its most than the process had before."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # forgets the most
    before = memory(process, "VmRSS")
    began = time.monotonic()
    transfer()
    seconds = time.monotonic() - began
    more = memory(process, "VmHWM") - before
    print(f"{SIZE / MB:,.0f} MB in {seconds:.1f} s, {before / MB:.1f} + {more / MB:.1f} MB")
    return more


def test_an_upload_takes_no_memory_of_its_own(wire: Wire) -> None:
    def upload(size: int) -> None:
        with wire.request("POST", "/sink", size) as connection:
            left = size
            while left:
                connection.sendall(PIECE[:left] if left < len(PIECE) else PIECE)
                left -= min(left, len(PIECE))
            answer = answer_on(connection)
            assert (answer.status, answer.read()) == (200, str(size).encode())

    upload(MB)  # what the first request of all needs is no matter

    assert growth(wire.house.process, lambda: upload(SIZE)) < MOST_MORE


def test_a_download_takes_no_memory_of_its_own(wire: Wire) -> None:
    def download(size: int) -> None:
        with wire.request("GET", f"/source?{size}") as connection:
            answer = answer_on(connection)
            assert answer.status == 200 and answer.headers["Content-Length"] == str(size)
            into = memoryview(bytearray(len(PIECE)))
            got = 0
            while read := answer.readinto(into):
                got += read
            assert got == size

    download(MB)

    assert growth(wire.house.process, lambda: download(SIZE)) < MOST_MORE


def test_who_hangs_up_in_the_middle_ends_it_at_the_app(wire: Wire) -> None:
    with wire.request("POST", "/sink", SIZE) as connection:
        for _ in range(20):
            connection.sendall(PIECE)
    assert int(wire.wait_for("upload cut after").rsplit(" ", 1)[1]) <= 20 * len(PIECE)

    with wire.request("GET", f"/source?{100 * SIZE}") as connection:
        assert answer_on(connection).read(MB) == bytes(MB)
    wire.wait_for("download cut after")


def test_an_app_that_refuses_a_large_file_is_heard_before_it_was_sent(wire: Wire) -> None:
    with wire.request("POST", "/refuse", SIZE) as connection:
        connection.sendall(PIECE)

        answer = answer_on(connection)

        assert (answer.status, answer.read()) == (413, b'{"detail":"too large for this app"}')
