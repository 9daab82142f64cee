"""The demo, as somebody new types it: nothing to configure."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, DEMO, USER, DashboardPage
from harness.net import free_ports, wait_until_good
from harness.pictures import show_in_docs
from harness.process import Process
from playwright.sync_api import expect


@pytest.fixture
def demo(
    gatehouse_binary: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Process, str]]:
    """The demo and its address, started by the parameter: alone, or before the Gradio apps."""
    (port,) = free_ports(1)
    listen = f"localhost:{port}"
    alone = [gatehouse_binary, "demo", "--listen", listen]
    with_apps = [sys.executable, DEMO / "run.py", "--gatehouse", gatehouse_binary, "--listen", listen]
    process = Process(request.param, {"alone": alone, "with_apps": with_apps}[request.param])
    try:
        process.wait_for_line(rf"http://localhost:{port}", within=90)
        wait_until_good(f"http://localhost:{port}/auth/health", process)
        yield process, f"http://localhost:{port}"
    finally:
        process.stop()


def issuer_of(process: Process) -> str:
    return process.wait_for_line(r"issuer: [\"']?(https?://[^\s\"']+)").group(1)


@pytest.mark.parametrize("demo", ["alone"], indirect=True)
def test_the_demo_signs_people_in_without_any_app(
    demo: tuple[Process, str], new_visitor: Callable[..., Visitor]
) -> None:
    process, url = demo
    for name in ("Ada", "Bob", "Carol", "Oscar"):
        assert name in process.output
    for person, name in (("ada", "Ada Admin"), ("bob", "Bob Member")):
        visitor = new_visitor(url, issuer_of(process))

        visitor.sign_in(person)

        expect(visitor.page.get_by_text(name).first).to_be_visible()


@pytest.mark.parametrize("demo", ["with_apps"], indirect=True)
def test_the_demo_stands_before_real_apps(
    demo: tuple[Process, str], new_visitor: Callable[..., Visitor]
) -> None:
    process, url = demo
    ada, bob = (new_visitor(url, issuer_of(process)) for _ in range(2))

    ada.sign_in("ada")
    bob.sign_in("bob")

    for visitor, dashboard in ((ada, ADMIN), (bob, USER)):
        DashboardPage(visitor.page, dashboard).wait_until_loaded()
        assert visitor.page.url == url + dashboard.prefix + "/"
    ada.page.set_viewport_size({"width": 1280, "height": 820})
    ada.page.get_by_role("button", name="Account", exact=True).wait_for()
    show_in_docs("admin-dashboard.png", ada.page.screenshot())
    bob.expect(403, ADMIN.prefix + "/")
    answer = bob.open(ADMIN.prefix + "/")
    assert answer and answer.status == 403


@pytest.mark.parametrize("demo", ["with_apps"], indirect=True)
def test_ctrl_c_ends_the_demo_and_its_apps(demo: tuple[Process, str]) -> None:
    process, url = demo
    ports = [int(line.rsplit(":", 1)[1]) for line in process.output.splitlines() if "Starting" in line]
    assert len(ports) == 2

    process.interrupt()

    assert process.wait() == 0
    for port in (*ports, int(url.rsplit(":", 1)[1])):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} still answers"
