"""The house that the tests walk through, built once and torn down at the end."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from harness.browser import CHROMIUM_FLAGS, Visitor, find_chromium
from harness.dashboards import ADMIN, ROOT, USER, start_dashboard, wait_for_dashboard
from harness.gatehouse import Gatehouse, open_dashboards, running_gatehouse, two_dashboards
from harness.keycloak import Keycloak, start_keycloak, wait_for_keycloak
from harness.lab import Lab, everybodys, running_lab, somebody
from harness.net import free_ports
from harness.process import Process
from harness.provider import Provider, running_provider
from harness.sampler import GENERATIONS, Generation
from harness.studio import StudioPage

OUT = ROOT / "e2e" / "out"
WHO_SPEAKS = (  # the fixtures whose processes' last words stand beside a failure
    *("gatehouse", "open_gatehouse", "house", "lab", "behind_keycloak"),
    *("provider", "changing_provider", "keycloak"),
)
LINES_OF_LOG = 30  # of each process, beside a failure; all of it goes to OUT

failed = pytest.StashKey[bool]()


def out_file(test: str, kind: str) -> Path:
    """Where something about a failed test is kept."""
    OUT.mkdir(parents=True, exist_ok=True)
    return OUT / f"{test.replace('/', '-')}.{kind}"


def pytest_sessionstart() -> None:
    expect.set_options(timeout=30_000)  # milliseconds, as for all else on a page
    shutil.rmtree(OUT, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Remembers failures for the fixtures, and shows what the processes said meanwhile."""
    report = yield
    if report.failed:
        item.stash[failed] = True
        for name in WHO_SPEAKS:
            running = getattr(item, "funcargs", {}).get(name)
            if running is not None:
                said = running.process.output
                out_file(item.name, f"{name}.log").write_text(said)
                last = "\n".join(said.splitlines()[-LINES_OF_LOG:])
                report.sections.append((f"{name}'s last words", last))
    return report


def build(package: str, folder: Path) -> Path:
    binary = folder / Path(package).name
    subprocess.run(["go", "build", "-trimpath", "-o", binary, package], cwd=ROOT, check=True)
    return binary


@pytest.fixture(scope="session")
def gatehouse_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("./cmd/gatehouse", tmp_path_factory.mktemp("bin"))


@pytest.fixture(scope="session")
def provider_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("./e2e/provider", tmp_path_factory.mktemp("bin"))


@pytest.fixture(scope="session")
def provider(provider_binary: Path) -> Iterator[Provider]:
    """The provider that most tests share: they leave its people as they are."""
    with running_provider(provider_binary) as started:
        yield started


@pytest.fixture(scope="session", autouse=True)
def booting_keycloak(request: pytest.FixtureRequest) -> Iterator[Process | None]:
    """Keycloak takes its time: where a test wants it, it starts before the first test."""
    if not any("keycloak" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    started = start_keycloak()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def keycloak(booting_keycloak: Process | None) -> Keycloak:
    assert booting_keycloak
    return wait_for_keycloak(booting_keycloak)


@pytest.fixture(scope="session")
def dashboards() -> Iterator[dict[str, int]]:
    """Both apps, as their prefixes and ports."""
    ports = dict(zip((ADMIN, USER), free_ports(2)))
    processes: dict[int, Process] = {}
    try:
        for dashboard, port in ports.items():
            processes[port] = start_dashboard(dashboard, port)
        for port, process in processes.items():
            wait_for_dashboard(process, port)
        yield {dashboard.prefix: port for dashboard, port in ports.items()}
    finally:
        for process in processes.values():
            process.stop()


@pytest.fixture(scope="session")
def gatehouse(
    gatehouse_binary: Path,
    provider: Provider,
    dashboards: dict[str, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gatehouse]:
    """The instance that most tests share, under sessions of their own."""
    routes = two_dashboards(dashboards[ADMIN.prefix], dashboards[USER.prefix])
    folder = tmp_path_factory.mktemp("conf")
    with running_gatehouse(gatehouse_binary, folder, provider, routes) as started:
        yield started


@pytest.fixture(scope="session")
def open_gatehouse(
    gatehouse_binary: Path,
    provider: Provider,
    dashboards: dict[str, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gatehouse]:
    """An instance before the same apps that takes bearer tokens and adds the account menu."""
    routes = open_dashboards(dashboards[ADMIN.prefix], dashboards[USER.prefix])
    folder = tmp_path_factory.mktemp("open")
    with running_gatehouse(
        gatehouse_binary, folder, provider, routes, session_tokens=True
    ) as started:
        yield started


@pytest.fixture(scope="session")
def lab(
    gatehouse_binary: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """Every generation of Gradio behind one Gatehouse."""
    with running_lab(gatehouse_binary, tmp_path_factory.mktemp("lab"), provider) as started:
        yield started


@pytest.fixture(params=GENERATIONS, ids=lambda generation: f"gradio_{generation.name}")
def generation(request: pytest.FixtureRequest) -> Generation:
    return request.param


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_chromium(), args=CHROMIUM_FLAGS
        )
        yield chromium
        chromium.close()


@pytest.fixture
def new_visitor(
    request: pytest.FixtureRequest, browser: Browser
) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors. At the end, whatever failed to load on their pages fails the test."""
    visitors: list[Visitor] = []

    def make(url: str, *sites: str) -> Visitor:
        visitor = Visitor(browser, url, sites)
        visitors.append(visitor)
        return visitor

    yield make
    gone_wrong = request.node.stash.get(failed, False) or any(v.problems for v in visitors)
    for number, visitor in enumerate(visitors):
        visitor.leave(out_file(request.node.name, str(number)) if gone_wrong else None)
    for visitor in visitors:
        visitor.assert_all_loaded()


@pytest.fixture
def visitor(
    new_visitor: Callable[..., Visitor], gatehouse: Gatehouse, provider: Provider
) -> Visitor:
    """Somebody who has just opened a browser."""
    return new_visitor(gatehouse.url, provider.issuer)


@pytest.fixture
def bob(
    new_visitor: Callable[..., Visitor], lab: Lab, provider: Provider, generation: Generation
) -> Visitor:
    """Bob, who has just opened a browser before the apps of all generations."""
    return somebody(new_visitor, lab, provider, generation)


@pytest.fixture
def app(bob: Visitor, generation: Generation) -> StudioPage:
    """A generation's app as Bob sees it who has just signed in."""
    bob.sign_in("bob", everybodys(generation) + "/")
    opened = StudioPage(bob)
    opened.wait_until_loaded()
    return opened
