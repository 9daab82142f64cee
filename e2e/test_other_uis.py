"""Real Streamlit and real JupyterLab: signed in, used, cut off, and closed to other sites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import ask, free_ports
from harness.other_uis import (
    JUPYTER,
    STREAMLIT,
    shake_hands,
    start_jupyter,
    start_streamlit,
    wait_for_jupyter,
    wait_for_streamlit,
)
from harness.process import Process
from harness.provider import Provider, running_provider
from playwright.sync_api import WebSocket, expect

# The first test of a module waits for its programs, on a busy machine for long.
pytestmark = pytest.mark.timeout(240)

DOMAIN = "lab.localhost"
TOKEN_LIFE = 10.0  # seconds; Gatehouse refreshes in the last fifth
FOREIGN = "https://evil.example"
STREAMLIT_STREAM = STREAMLIT + "/_stcore/stream"


def admins_route(path: str, preset: str, port: int) -> str:
    return f"""\
  - path: {path}
    preset: {preset}
    upstream: http://127.0.0.1:{port}
    account_menu: true
    allow:
      - tenant: T2acme
        roles: [Tenant Admin]
"""


@pytest.fixture(scope="module")
def changing_provider(provider_binary: Path) -> Iterator[Provider]:
    """A provider whose people these tests may change."""
    with running_provider(provider_binary, "-session-ttl", f"{TOKEN_LIFE}s", "-rotate") as started:
        yield started


@pytest.fixture(scope="module")
def house(
    gatehouse_binary: Path,
    changing_provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gatehouse]:
    """Both UIs under a public name that is not their own address, for administrators."""
    streamlit_port, jupyter_port = free_ports(2)
    processes: list[Process] = []
    try:
        processes.append(start_streamlit(streamlit_port))
        processes.append(start_jupyter(jupyter_port, tmp_path_factory.mktemp("notebooks")))
        wait_for_streamlit(processes[0], streamlit_port)
        wait_for_jupyter(processes[1], jupyter_port)
        with running_gatehouse(
            gatehouse_binary,
            tmp_path_factory.mktemp("uis"),
            changing_provider,
            admins_route(STREAMLIT, "streamlit", streamlit_port)
            + admins_route(JUPYTER, "jupyter", jupyter_port),
            host=f"portal.{DOMAIN}",
            cookie_domain=DOMAIN,
        ) as started:
            yield started
    finally:
        for process in processes:
            process.stop()


@pytest.fixture
def ada(
    new_visitor: Callable[..., Visitor], house: Gatehouse, changing_provider: Provider
) -> Visitor:
    """An administrator, for as long as the test leaves her that."""
    changing_provider.order("roles", person="ada", tenant="T2acme", roles=["Tenant Admin"])
    return new_visitor(house.url, changing_provider.issuer)


def open_streamlit(visitor: Visitor) -> WebSocket:
    visitor.sign_in("ada", STREAMLIT + "/")
    page = visitor.page
    expect(page.get_by_role("heading", name="Lab book")).to_be_visible()
    expect(page.get_by_text("Signed in as ada@acme.example")).to_be_visible()
    visitor.settle()
    return the_socket(visitor, STREAMLIT_STREAM)


def open_jupyter(visitor: Visitor) -> WebSocket:
    """Opens the notebook and runs its cell, which starts a kernel and its WebSocket."""
    visitor.sign_in("ada", JUPYTER + "/lab/tree/answer.ipynb")
    page = visitor.page
    cell = page.locator(".jp-CodeCell .cm-content").first
    cell.click()
    # A cell that is run before its kernel is there may be forgotten.
    expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible()
    cell.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text("the answer is 42")
    visitor.settle()
    return the_socket(visitor, "/channels")


def the_socket(visitor: Visitor, part: str) -> WebSocket:
    return next(socket for socket in reversed(visitor.web_sockets) if part in socket.url)


def test_streamlit_runs_widgets_uploads_and_downloads(ada: Visitor, tmp_path: Path) -> None:
    open_streamlit(ada)
    page = ada.page
    page.get_by_label("Name").fill("Grace")
    page.get_by_role("button", name="Greet").click()
    expect(page.get_by_text("Hello Grace!")).to_be_visible()

    file = tmp_path / "people.csv"
    file.write_text("Grace Hopper\n" * 50_000)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("people.csv: 650000 bytes")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert Path(download.value.path()).read_text() == "a report\n" * 1000

    page.reload()
    expect(page.get_by_text("Signed in as ada@acme.example")).to_be_visible()
    ada.settle()


def test_streamlit_has_the_account_menu_and_says_that_the_session_ended(
    ada: Visitor,
) -> None:
    open_streamlit(ada)
    page = ada.page
    page.get_by_role("button", name="Account", exact=True).click()
    menu = page.get_by_role("dialog", name="Account")
    for words in ("Ada Admin", "ada@acme.example", "Tenant Admin"):
        expect(menu.get_by_text(words, exact=True)).to_be_visible()
    ada.fails_from_now_on()  # the app tries to come back, and says so on the console

    tab = ada.new_tab()
    ada.open("/auth/logout", tab)
    tab.wait_for_url(f"{ada.url}/auth/?signed_out=1")
    page.evaluate("window.dispatchEvent(new Event('focus'))")

    notice = page.locator("#gatehouse-account").get_by_role("alert").filter(has_text="Your session has ended")
    expect(notice).to_be_visible()
    notice.get_by_role("link", name="Sign in again").click()
    ada.start_sign_in()
    ada.recovers()
    ada.choose("ada")
    expect(page.get_by_text("Signed in as ada@acme.example")).to_be_visible()
    assert page.url == ada.url + STREAMLIT + "/"
    ada.settle()
    page.get_by_role("button", name="Account", exact=True).click()
    menu.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{ada.url}/auth/?signed_out=1")


def test_jupyterlab_runs_a_cell_and_saves_the_notebook(ada: Visitor) -> None:
    open_jupyter(ada)

    with ada.page.expect_response(
        lambda answer: answer.request.method == "PUT" and "answer.ipynb" in answer.url
    ) as saved:
        ada.page.keyboard.press("Control+s")

    assert saved.value.status == 200
    ada.settle()


@pytest.mark.parametrize("open_app", [open_streamlit, open_jupyter])
def test_losing_the_role_cuts_the_web_socket_and_denies_the_page(
    ada: Visitor, changing_provider: Provider, open_app: Callable[[Visitor], WebSocket]
) -> None:
    socket = open_app(ada)
    assert not socket.is_closed()
    ada.fails_from_now_on()  # the app tries to come back, and says so on the console

    changing_provider.order("roles", person="ada", tenant="T2acme", roles=["Member"])
    if not socket.is_closed():
        socket.wait_for_event("close", timeout=(TOKEN_LIFE + 2.5) * 1000)

    answer = ada.page.goto(ada.url + (STREAMLIT if open_app is open_streamlit else JUPYTER) + "/")
    assert answer and answer.status == 403
    expect(ada.page.get_by_text("Tenant Admin")).to_be_visible()
    cookie = ada.cookie_header()
    again = socket.url.replace("ws:", "http:")
    assert shake_hands(again, ada.url, cookie, "streamlit").status == 403


def test_a_web_socket_is_refused_to_a_page_of_another_origin(ada: Visitor) -> None:
    streamlit = open_streamlit(ada).url.replace("ws:", "http:")
    ada.open(JUPYTER + "/api/status")
    cookie = ada.cookie_header()
    jupyter = ada.url + JUPYTER + "/api/events/subscribe"

    for url, protocol in ((streamlit, "streamlit"), (jupyter, "")):
        assert shake_hands(url, ada.url, cookie, protocol).status == 101, url
        refused = shake_hands(url, FOREIGN, cookie, protocol)
        assert refused.status == 403 and "request_id" in refused.json(), url


def test_another_site_cannot_start_a_kernel(ada: Visitor) -> None:
    ada.sign_in("ada", JUPYTER + "/api/status")
    attack = {
        "Cookie": ada.cookie_header(),
        "Origin": FOREIGN,
        "Sec-Fetch-Site": "cross-site",
        "Content-Type": "text/plain",
    }

    answer = ask("POST", ada.url + JUPYTER + "/api/kernels", headers=attack, body=b"{}")

    assert answer.status == 403 and "request_id" in answer.json()
    kernels = ask("GET", ada.url + JUPYTER + "/api/kernels", headers={"Cookie": attack["Cookie"]})
    assert kernels.status == 200


def test_who_has_no_role_never_reaches_either_app(ada: Visitor) -> None:
    ada.expect(403, "/.*")
    ada.sign_in("bob", STREAMLIT + "/")
    cookie = ada.cookie_header()

    for path in (
        STREAMLIT_STREAM,
        STREAMLIT + "/_stcore/health",
        JUPYTER + "/api/contents",
        JUPYTER + "/api/kernels",
        JUPYTER + "/terminals/websocket/1",
    ):
        assert ask("GET", ada.url + path, headers={"Cookie": cookie}).status == 403, path
