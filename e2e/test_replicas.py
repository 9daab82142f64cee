"""Two processes of one app behind one route: who came to one stays there."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gradio_client import Client
from harness.browser import Visitor
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import free_ports
from harness.process import Process
from harness.provider import Provider
from harness.sampler import NEWEST, SamplerPage, wait_for_sampler
from playwright.sync_api import expect

# The first test of a module waits for its programs, on a busy machine for long.
pytestmark = pytest.mark.timeout(240)

PREFIX = "/lab/replicated"
PUBLIC = "/lab/public"


@dataclass(frozen=True)
class Replicated:
    house: Gatehouse
    replicas: list[Process]


@pytest.fixture(scope="module")
def replicated(
    gatehouse_binary: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicated]:
    ports = free_ports(2)
    replicas: list[Process] = []
    upstream = f"[http://127.0.0.1:{ports[0]}, http://127.0.0.1:{ports[1]}]"
    routes = f"""\
  - path: {PREFIX}
    upstream: {upstream}
    allow: authenticated
    bearer: true
  - path: {PUBLIC}
    upstream: {upstream}
    allow: public
"""
    try:
        replicas += [NEWEST.start(port) for port in ports]
        for replica, port in zip(replicas, ports):
            wait_for_sampler(replica, port)
        folder = tmp_path_factory.mktemp("replicas")
        with running_gatehouse(
            gatehouse_binary, folder, provider, routes, session_tokens=True
        ) as house:
            yield Replicated(house, replicas)
    finally:
        for replica in replicas:
            replica.stop()


@pytest.fixture
def newcomer(
    new_visitor: Callable[..., Visitor], replicated: Replicated, provider: Provider
) -> Callable[[], tuple[Visitor, SamplerPage]]:
    def come() -> tuple[Visitor, SamplerPage]:
        visitor = new_visitor(replicated.house.url, provider.issuer)
        visitor.sign_in("bob", PREFIX + "/")
        app = SamplerPage(visitor)
        app.wait_until_loaded()
        return visitor, app

    return come


def test_a_script_without_cookies_meets_its_queue_again(
    replicated: Replicated, provider: Provider
) -> None:
    """A join at one replica and its events asked of the other would never come."""
    for person, user in ((None, "nobody"), ("ada", "U2ada"), ("bob", "U2bob")):
        headers: dict[str, str] = {}
        if person:
            token = provider.order("session-token", person=person)["token"]
            headers = {"Authorization": f"Bearer {token}"}
        came_to: set[str] = set()
        for _ in range(2):
            url = f"{replicated.house.url}{PREFIX if person else PUBLIC}/"
            app = Client(url, headers=headers, verbose=False)
            for _ in range(2):
                came_to.add(app.predict(api_name="/introduce"))
            assert app.predict(api_name="/walk") == "1 2 3 4 5 6 7 8"
        (said,) = came_to
        assert said.startswith(f"{user} at "), said


def test_a_replica_dies_and_only_its_people_notice(
    replicated: Replicated, newcomer: Callable[[], tuple[Visitor, SamplerPage]]
) -> None:
    # Each session stays with the replica that it fell to: join, data, files and reload.
    visitor, doomed = newcomer()
    other, spared = newcomer()
    came = 2
    while spared.process_id() == doomed.process_id():
        assert came < 12, "twelve sessions in a row fell to one replica of two"
        other.leave()
        other, spared = newcomer()
        came += 1
    for app in (doomed, spared):
        at = app.process_id()
        app.walk()
        app.download()
        app.page.reload()
        app.wait_until_loaded()
        assert app.process_id() == at

    # One is killed while it works for both.
    doomed.click("crawl")
    spared.click("crawl")
    for app in (doomed, spared):
        expect(app.output("steps")).to_have_value(re.compile(r"^step [3-9] of 40$"))
    visitor.fails_from_now_on()
    os.kill(doomed.process_id(), signal.SIGKILL)

    # Nobody else notices: the generator goes on to its end, and then a file comes.
    expect(spared.output("steps")).to_have_value("step 40 of 40", timeout=40_000)
    spared.download()
    assert not other.problems

    # Its people move when they load the page again, and everything works there.
    survivor = spared.process_id()
    visitor.recovers()
    doomed.page.reload()
    doomed.wait_until_loaded()
    assert doomed.process_id() == survivor
    doomed.walk()
    doomed.count_to(2)
    doomed.download()
