"""A stream that somebody holds open beside the browser, with the browser's cookie."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

from harness.browser import Visitor


@contextmanager
def open_stream(visitor: Visitor, path: str, *, timeout: float = 20.0) -> Iterator[HTTPResponse]:
    """Gradio's heartbeat and the like: the answer has begun and does not end by itself."""
    parts = urlsplit(visitor.url)
    connection = HTTPConnection("127.0.0.1", parts.port, timeout=timeout)
    try:
        headers = {"Host": parts.netloc, "Cookie": visitor.cookie_header()}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield answer
    finally:
        connection.close()


def seconds_until_clean_end(stream: HTTPResponse) -> float:
    """Reads to the end. A connection cut in the middle raises IncompleteRead."""
    began = time.monotonic()
    stream.read()
    return time.monotonic() - began
