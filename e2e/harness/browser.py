"""A person at a browser, and everything that went wrong on their pages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    WebSocket,
)

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Gradio's page itself hangs up on these: the queue's stream after each event, the
# heartbeat when the page goes. A page that is left hangs up on all that it still loads,
# and the account menu looks at the session just when somebody presses a link.
STREAMS = re.compile(r"/(queue/data|heartbeat/|upload_progress|auth/me$)")


def find_chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    assert executable, "no Chromium on PATH: e2e/prepare.sh installs it"
    return executable


class Visitor:
    """One person in a browser of their own: cookies shared by tabs, and by nobody else.

    Whatever fails to load on any of their pages fails the test, unless it was
    expected: an answer of 400 and above, a request without an answer, an error
    on the console, an exception in a script, a request to another site.
    """

    def __init__(self, browser: Browser, url: str, sites: Iterable[str]) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(
            accept_downloads=True,
            ignore_https_errors=url.startswith("https:"),  # no authority knows a test's certificate
        )
        self.context.set_default_timeout(30_000)
        self._sites = {urlsplit(site).netloc for site in (url, *sites)}
        self._expected: list[tuple[int, re.Pattern[str]]] = []
        self._expected_on_console: set[str] = set()
        self.problems: list[str] = []
        self._failing = False
        self._overlooked: list[re.Pattern[str]] = []
        self.web_sockets: list[WebSocket] = []
        self.context.on("page", self._watch_page)
        self._loading: set[Request] = set()
        self.context.on("request", self._watch_request)
        self.context.on("requestfinished", lambda request: self._loading.discard(request))
        self.context.on("response", self._watch_response)
        self.context.on("requestfailed", self._watch_failure)
        self.context.on("console", self._watch_console)
        self.page = self.context.new_page()

    def without(self, sites: Iterable[str]) -> None:
        """Answers for sites that an app's page loads from and that are not here: empty."""
        for site in sites:
            self._sites.add(urlsplit(site).netloc)
            self.context.route(site + "/**", lambda route: route.fulfill(status=200, body=""))

    # What a person does

    def open(self, path: str, page: Page | None = None) -> Response | None:
        """Types an address. path may be a whole URL."""
        return (page or self.page).goto(path if "://" in path else self.url + path)

    def new_tab(self) -> Page:
        return self.context.new_page()

    def start_sign_in(self, page: Page | None = None, *, link: str = "Login") -> None:
        """Presses Login, which leads to the provider's page of people.

        After a session that ended the link is called "Sign in again".
        """
        page = page or self.page
        page.wait_for_url(f"{self.url}/auth/?*")
        page.get_by_role("link", name=link).click()
        page.locator("[data-person]").first.wait_for()

    def choose(self, person: str, page: Page | None = None) -> None:
        """Signs in as person at the provider."""
        (page or self.page).locator(f'[data-person="{person}"]').click()

    def sign_in(self, person: str, path: str = "/") -> None:
        """Opens path, signs in as person, and waits until the way back is behind them."""
        self.open(path)
        self.start_sign_in()
        self.choose(person)
        self.page.wait_for_url(lambda url: self._is_past_sign_in(url))

    def _is_past_sign_in(self, url: str) -> bool:
        return url.startswith(self.url + "/") and not url.startswith(self.url + "/auth/callback")

    def settle(self, quiet: int = 300) -> None:
        """Returns once nothing but streams has been loading for quiet milliseconds.

        Playwright's networkidle counts an EventSource as loading, which never ends.
        """
        idle, step = 0, 50
        for _ in range(15_000 // step):
            idle = 0 if self._loading else idle + step
            if idle >= quiet:
                return
            self.page.wait_for_timeout(step)
        raise AssertionError(f"still loading: {[request.url for request in self._loading]}")

    def cookie_header(self) -> str:
        """What this browser would send: a copied cookie, as a thief has it."""
        return "; ".join(f"{c['name']}={c['value']}" for c in self.context.cookies(self.url))

    # What a test expects

    def overlook(self, url: str) -> None:
        """Lets what is asked at a URL fail that matches this regexp: what an app does wrong."""
        self._overlooked.append(re.compile(url))

    def expect(self, status: int, path: str) -> None:
        """Allows answers of this status for paths that match the whole of path, a regexp."""
        self._expected.append((status, re.compile(path)))

    def fails_from_now_on(self) -> None:
        """Whatever goes wrong on these pages is the very thing that the test brings about."""
        self._failing = True

    def recovers(self) -> None:
        """From now on nothing may go wrong again."""
        self._failing = False

    def expect_on_console(self, text: str) -> None:
        """Allows an error on the console that says this and nothing else."""
        self._expected_on_console.add(text)

    def assert_all_loaded(self) -> None:
        assert not self.problems, "on this visitor's pages:\n" + "\n".join(self.problems)

    def leave(self, screenshot: Path | None = None) -> None:
        """Closes the browser. With screenshot, keeps a picture of every tab."""
        if screenshot:
            for number, page in enumerate(self.context.pages):
                try:
                    page.screenshot(path=f"{screenshot}.{number}.png", timeout=5_000)
                except Error:
                    pass  # a tab that crashed has no picture, and its test failed already
        self.context.close()

    # What is watched

    def _note(self, problem: str) -> None:
        if not self._failing and not any(url.search(problem) for url in self._overlooked):
            self.problems.append(problem)

    def _watch_page(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._note(f"script error: {error}"))
        page.on("websocket", lambda socket: self.web_sockets.append(socket))

    def _watch_request(self, request: Request) -> None:
        if not STREAMS.search(request.url):
            self._loading.add(request)
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in self._sites:
            self._note(f"asked another site: {request.method} {request.url}")

    def _watch_response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if response.status < 400:
            return
        if any(status == response.status and at.fullmatch(path) for status, at in self._expected):
            return
        self._note(f"{response.status}: {response.request.method} {response.url}")

    def _watch_failure(self, request: Request) -> None:
        self._loading.discard(request)
        aborted = request.failure == "net::ERR_ABORTED"
        hung_up = aborted and (
            STREAMS.search(request.url)
            or request.is_navigation_request()
            or request.url.startswith("blob:")  # a player that is taken off its page
        )
        if not hung_up:
            self._note(f"{request.failure}: {request.method} {request.url}")

    def _watch_console(self, message: ConsoleMessage) -> None:
        # The browser's own line about an answer repeats what the watch on answers saw.
        if message.type != "error" or message.text in self._expected_on_console:
            return
        if not message.text.startswith("Failed to load resource"):
            self._note(f"console: {message.text}")
