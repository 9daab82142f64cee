"""Every page of Gatehouse's own: in a phone's width and a desk's, in the light and in the dark.

Each leaves its picture in .cache/pages. One is shown in the docs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Literal

import pytest
from harness.axe import violations
from harness.browser import Visitor
from harness.dashboards import ROOT
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import free_ports
from harness.pictures import show_in_docs
from harness.provider import Provider, running_provider
from playwright.sync_api import Browser, Page, expect

PICTURES = ROOT / ".cache" / "pages"
IN_DOCS = {("denied", 1280, "light"): "denied.png"}
TITLES = {  # of apps that all of Acme's people may open
    "Invoice reader": "Reads totals and dates from scanned invoices.",
    "Speech to text": "Writes down what is said in a recording, in twelve languages.",
    "Image captions": "",
}
MORE_TITLES = {  # of apps for administrators
    "Churn forecast": "Which customers may leave within the next quarter, and why.",
    "Demand forecast": "Orders of the next eight weeks, by warehouse.",
    "Document search": "Questions about the handbook, answered with the page.",
    "Label studio": "Where people correct what the models have guessed.",
    "Model comparison": "Two models, the same prompt, side by side.",
    "Prompt library of the customer support team in Copenhagen": "",
    "Translation": "Between Danish, German and English.",
}
LOOKS = list(itertools.product((360, 1280), ("light", "dark")))
MENU = "#gatehouse-account"


class App(BaseHTTPRequestHandler):
    """A page of somebody else's, which is not what is looked at here."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        page = b"""<!doctype html><html lang="en"><head><title>App</title>
            <link rel="icon" href="data:,"><meta name="color-scheme" content="light dark">
            <meta name="viewport" content="width=device-width"></head>
            <body><main><h1>An app</h1></main></body></html>"""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def changing_provider(provider_binary: Path) -> Iterator[Provider]:
    """Where Ada belongs to a second organization."""
    with running_provider(provider_binary) as started:
        started.order("roles", person="ada", tenant="T2globex", roles=["Member"])
        yield started


def route(title: str, description: str, upstream: str, roles: str) -> str:
    return f"""\
  - path: /{title.lower().replace(" ", "-")}
    title: {title}
    description: "{description}"
    upstream: {upstream}
    account_menu: true
    allow:
      - tenant: T2acme
        roles: [{roles}]
      - tenant: T2globex
        roles: [Owner]
"""


@pytest.fixture(scope="module")
def house(
    gatehouse_binary: Path,
    changing_provider: Provider,
    app: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gatehouse]:
    folder = tmp_path_factory.mktemp("pages")
    (closed,) = free_ports(1)
    everybody = "Tenant Admin, Member"
    routes = [route(*told, app, everybody) for told in TITLES.items()]
    routes += [route(*told, app, "Tenant Admin") for told in MORE_TITLES.items()]
    routes.append(route("Under repair", "", f"http://127.0.0.1:{closed}", everybody))
    more = "pages:\n  support: help@acme.example\n"
    with running_gatehouse(
        gatehouse_binary, folder, changing_provider, "".join(routes) + more
    ) as started:
        yield started


@pytest.fixture(scope="module")
def sessions(browser: Browser, house: Gatehouse, changing_provider: Provider) -> dict[str, list]:
    """Cookies by person, since signing in anew for each picture would take long.

    Those of "ended" are Bob's of a session that he has signed out of.
    """
    cookies: dict[str, list] = {"nobody": []}
    for name, person in (("ada", "ada"), ("bob", "bob"), ("carol", "carol"), ("ended", "bob")):
        visitor = Visitor(browser, house.url, [changing_provider.issuer])
        visitor.expect(403, "/")  # Carol's, who may open nothing
        visitor.sign_in(person)
        cookies[name] = visitor.context.cookies(house.url)
        if name == "ended":
            visitor.open("/auth/logout")
            visitor.page.wait_for_url(f"{house.url}/auth/?signed_out=1")
        visitor.leave()
        visitor.assert_all_loaded()
    return cookies


@dataclass(frozen=True)
class View:
    """A page, and the way to it."""

    name: str
    path: str
    heading: str
    person: str = "nobody"
    status: int = 200
    after: Callable[[Visitor], None] | None = None  # what is done on the page first
    of_ours: str | None = None  # the element that is Gatehouse's, if not all of it


def search(words: str, count: str) -> Callable[[Visitor], None]:
    def do(visitor: Visitor) -> None:
        visitor.page.get_by_role("searchbox", name="Find an app").fill(words)
        expect(visitor.page.get_by_role("search").get_by_role("status")).to_have_text(count)

    return do


def open_menu(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Account", exact=True).click()
    expect(visitor.page.get_by_role("dialog", name="Account")).to_be_visible()


def lose_session(visitor: Visitor) -> None:
    visitor.expect(401, "/auth/me")
    expect(visitor.page.get_by_role("button", name="Account", exact=True)).to_be_visible()
    visitor.context.clear_cookies()
    visitor.page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(visitor.page.locator(MENU).get_by_text("Your session has ended")).to_be_visible()


def go_across(path: str) -> Callable[[Visitor], None]:
    """From the page of another site."""

    def do(visitor: Visitor) -> None:
        visitor.page.evaluate("url => { location.href = url }", visitor.url + path)
        visitor.page.wait_for_url(visitor.url + path)

    return do


VIEWS = [
    View("sign-in", "/", "Sign in"),
    View("session-ended", "/", "Your session has ended", "ended"),
    View("signed-out", "/auth/?signed_out=1", "You are signed out"),
    View("callback-failed", "/auth/callback?code=x&state=y", "Sign-in has expired", status=400),
    View(
        "sign-in-impossible",
        "/auth/error?reason=session_too_large&id=01890a5d-ac96-774b-bcce-b302099a8057",
        "Your account is too large to sign in",
        status=503,
    ),
    View("already-signed-in", "{app}", "Already signed in", "bob", after=go_across("/auth/login")),
    View("confirm-sign-out", "{app}", "Sign out?", "bob", after=go_across("/auth/logout")),
    View("portal", "/auth/", "Your apps", "bob"),
    View("portal-many", "/auth/", "Your apps", "ada"),
    View("portal-search", "/auth/", "Your apps", "ada", after=search("FÓRECAST", "2 of 11 apps")),
    View("portal-nothing", "/auth/", "Your apps", "ada", after=search("poetry", "0 of 11 apps")),
    View("portal-empty", "/auth/", "No apps yet", "carol"),
    View("denied-all", "/", "You do not have access", "carol", 403),
    View("denied", "/churn-forecast/", "You do not have access to Churn forecast", "bob", 403),
    View("not-found", "/nowhere", "Nothing is here", "bob", 404),
    View("bad-gateway", "/under-repair/", "This app is not answering", "bob", 502),
    View("menu", "/translation/", "An app", "ada", after=open_menu, of_ours=MENU),
    View("menu-ended", "/translation/", "An app", "ada", after=lose_session, of_ours=MENU),
]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_nobody_is_kept_out_and_nothing_sticks_out(
    view: View,
    new_visitor: Callable[..., Visitor],
    house: Gatehouse,
    changing_provider: Provider,
    sessions: dict[str, list],
    app: str,
) -> None:
    visitor = new_visitor(house.url, changing_provider.issuer, app)
    visitor.context.add_cookies(sessions[view.person])
    visitor.page.emulate_media(reduced_motion="reduce")  # no picture of a thing half moved
    visitor.expect(view.status, view.path.partition("?")[0])

    answer = visitor.open(view.path.format(app=app))
    if view.after:
        view.after(visitor)

    assert answer and answer.status == view.status
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text(view.heading)
    found = [problem for look in LOOKS for problem in problems(visitor.page, view, *look)]
    assert not found, "\n".join(found)


def problems(page: Page, view: View, width: int, scheme: Literal["light", "dark"]) -> list[str]:
    """What is wrong with a page that looks so; it stays open, since its styles alone change."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    picture = page.screenshot(path=PICTURES / f"{view.name}-{width}-{scheme}.png", full_page=True)
    if shown := IN_DOCS.get((view.name, width, scheme)):
        show_in_docs(shown, picture)
    found = violations(page, view.of_ours)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("it scrolls sideways")
    return [f"{width} px, {scheme}: {problem}" for problem in found]
