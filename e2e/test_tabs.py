"""Ten tabs of one person, each with streams of its own: over HTTP/2 none waits for another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, USER, DashboardPage
from harness.gatehouse import Gatehouse, running_gatehouse, two_dashboards
from harness.provider import Provider
from harness.tls import make_certificate
from playwright.sync_api import expect

# The first test of a module waits for its programs, on a busy machine for long.
pytestmark = pytest.mark.timeout(240)

API = USER.prefix + "/gradio_api"
TABS = 10

# The first byte of a stream, or of anything else, within a time that only a stalled
# connection takes; and the protocol that it came by.
ARRIVES = """async ([path, keep]) => {
    const answer = await fetch(path, {signal: AbortSignal.timeout(60_000)});
    const reader = answer.body.getReader();
    await reader.read();
    if (keep) (window.kept ??= []).push(reader);
    const seen = performance.getEntriesByType('navigation')[0];
    return [answer.status, seen.nextHopProtocol];
}"""


@pytest.fixture
def house(
    gatehouse_binary: Path, provider: Provider, dashboards: dict[str, int], tmp_path: Path
) -> Iterator[Gatehouse]:
    routes = two_dashboards(dashboards[ADMIN.prefix], dashboards[USER.prefix])
    certificate = make_certificate(tmp_path)
    with running_gatehouse(
        gatehouse_binary, tmp_path, provider, routes, certificate=certificate
    ) as started:
        yield started


def test_ten_tabs_do_not_stall(
    house: Gatehouse, new_visitor: Callable[..., Visitor], provider: Provider
) -> None:
    """Over HTTP/1.1 a browser opens six connections to a host, and a stream holds one."""
    bob = new_visitor(house.url, provider.issuer)
    bob.sign_in("bob", USER.prefix + "/")
    app = DashboardPage(bob.page, USER)
    app.wait_until_loaded()

    tabs = [bob.new_tab() for _ in range(TABS)]
    for number, tab in enumerate(tabs):
        bob.open(USER.prefix + "/config", tab)
        for stream in ("first", "second"):
            path = f"{API}/heartbeat/{stream}{number}"
            assert tab.evaluate(ARRIVES, [path, True]) == [200, "h2"], path

    for tab in tabs:
        assert tab.evaluate(ARRIVES, [f"{API}/info", False]) == [200, "h2"]
    app.click("Greet me")
    expect(app.output("answer")).to_have_value(re.compile("Hello Bob Member"))
    app.open_tab(USER.stream_tab)
    app.click("Start")
    expect(app.output("log")).not_to_have_value("")
    bob.leave()  # hangs up on twenty streams before Gatehouse would
