"""Keycloak in Descope's place, with the configuration of docs/other-providers.md."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from select import select
from urllib.parse import urlencode, urlsplit

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, USER, Dashboard, DashboardPage
from harness.gatehouse import Gatehouse
from harness.keycloak import (
    ENVIRONMENT,
    PASSWORD,
    SECRET,
    TOKEN_LIFE,
    Keycloak,
    KeycloakPage,
    gatehouse_of_the_page,
)
from harness.net import ask
from harness.stream import open_stream, seconds_until_clean_end
from playwright.sync_api import expect

# Seconds. The first test waits for Keycloak, which on a busy machine boots for minutes.
pytestmark = pytest.mark.timeout(400)

PATIENCE = 60.0  # seconds for what comes within a few, on a machine that is not busy

ENDED = r"/gradio/(admin|user)/gradio_api/.*"  # what a page left open asks for then


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keycloak") / "gatehouse.yaml"


@pytest.fixture(scope="module")
def behind_keycloak(
    gatehouse_binary: Path, configuration: Path, keycloak: Keycloak, dashboards: dict[str, int]
) -> Iterator[Gatehouse]:
    with gatehouse_of_the_page(gatehouse_binary, configuration, keycloak, dashboards) as started:
        yield started


@pytest.fixture
def somebody(
    new_visitor: Callable[..., Visitor], behind_keycloak: Gatehouse, keycloak: Keycloak
) -> Callable[[], Visitor]:
    """Makes people who have just opened a browser."""
    return lambda: new_visitor(behind_keycloak.url, keycloak.url)


def start(visitor: Visitor, path: str) -> KeycloakPage:
    """Opens path and presses Login, which leads to Keycloak's own form."""
    visitor.open(path)
    visitor.page.get_by_role("link", name="Login").click()
    expect(visitor.page.locator("#kc-login")).to_be_visible()
    return KeycloakPage(visitor.page)


def sign_in(visitor: Visitor, name: str, dashboard: Dashboard) -> DashboardPage:
    start(visitor, dashboard.prefix + "/").sign_in(name)
    app = DashboardPage(visitor.page, dashboard)
    app.wait_until_loaded()
    return app


def status(visitor: Visitor, path: str) -> int:
    return ask("GET", visitor.url + path, headers={"Cookie": visitor.cookie_header()}).status


def heartbeat(dashboard: Dashboard) -> str:
    return f"{dashboard.prefix}/gradio_api/heartbeat/keycloak"


def goes_on(stream: HTTPResponse, seconds: float) -> bool:
    """Whether nothing ends the stream until it has been silent for a while."""
    while select([stream], [], [], seconds)[0]:
        if not stream.read1():
            return False
    return True


def test_a_person_comes_in_by_keycloaks_own_form(
    somebody: Callable[[], Visitor], keycloak: Keycloak
) -> None:
    ada = somebody()
    deep_link = f"{ada.url}{ADMIN.prefix}/?view=members"
    form = start(ada, deep_link)
    assert ada.page.url.startswith(keycloak.url + "/realms/acme/")
    form.sign_in("ada", "not her password")
    expect(ada.page.get_by_text("Invalid username or password.")).to_be_visible()
    ada.page.locator("#password").fill(PASSWORD)
    ada.page.locator("#kc-login").click()

    app = DashboardPage(ada.page, ADMIN)
    app.wait_until_loaded()
    assert ada.page.url == deep_link
    assert app.text("person-name") == "Ada Admin"
    assert app.text("person-email") == "ada@acme.example"
    assert app.text("person-roles") == "Admin"
    assert app.text("person-tenant") == "acme"


def test_a_person_without_the_role_sees_what_the_group_opens(
    somebody: Callable[[], Visitor],
) -> None:
    bob = somebody()
    sign_in(bob, "bob", USER)

    bob.expect(403, ADMIN.prefix + "/")
    answer = bob.open(ADMIN.prefix + "/")

    assert answer and answer.status == 403
    expect(bob.page.get_by_text("Bob Member")).to_be_visible()


def test_a_session_lives_on_tokens_that_are_good_once_until_the_account_is_disabled(
    somebody: Callable[[], Visitor], keycloak: Keycloak
) -> None:
    """Keycloak would end a session whose old refresh token is used again."""
    emil = somebody()
    sign_in(emil, "emil", USER)
    emil.expect(401, ENDED)
    with open_stream(emil, heartbeat(USER), timeout=PATIENCE) as stream:
        deadline = time.monotonic() + PATIENCE
        while len(keycloak.events("REFRESH_TOKEN", "emil")) < 2:
            assert time.monotonic() < deadline, "no second refresh"
            time.sleep(0.5)
        assert goes_on(stream, 1.0)
        assert keycloak.events("REFRESH_TOKEN_ERROR", "emil") == []
        assert status(emil, USER.prefix + "/config") == 200

        keycloak.order("PUT", keycloak.user("emil"), {"enabled": False})
        assert seconds_until_clean_end(stream) < TOKEN_LIFE + 20

    assert status(emil, "/auth/me") == 401


@pytest.mark.parametrize(
    ("take", "name", "lost", "left"),
    [
        pytest.param(Keycloak.take_role, "cleo", ADMIN, USER, id="a role in the tenant"),
        pytest.param(Keycloak.take_group, "bob", USER, None, id="a group, which is a claim"),
    ],
)
def test_what_is_taken_away_in_the_admin_console_ends_the_stream_and_denies(
    somebody: Callable[[], Visitor],
    keycloak: Keycloak,
    take: Callable[[Keycloak, str], None],
    name: str,
    lost: Dashboard,
    left: Dashboard | None,
) -> None:
    visitor = somebody()
    sign_in(visitor, name, lost)
    visitor.expect(403, lost.prefix + "/.*")

    with open_stream(visitor, heartbeat(lost), timeout=PATIENCE) as stream:
        take(keycloak, name)
        # Nobody asks meanwhile. Without load it is TOKEN_LIFE at most.
        assert seconds_until_clean_end(stream) < TOKEN_LIFE + 20

    answer = visitor.page.reload()
    assert answer and answer.status == 403
    if left:
        visitor.open(left.prefix + "/")
        DashboardPage(visitor.page, left).wait_until_loaded()
    assert status(visitor, "/auth/me") == 200  # the session itself lives on


def test_signing_out_one_session_in_the_admin_console_cuts_its_streams_alone(
    somebody: Callable[[], Visitor], keycloak: Keycloak, behind_keycloak: Gatehouse
) -> None:
    """Keycloak tells Gatehouse by its back-channel; the browser hears of nothing."""
    desk, phone = somebody(), somebody()
    sign_in(desk, "dora", ADMIN)
    (there,) = keycloak.sessions("dora")
    sign_in(phone, "dora", ADMIN)
    desk.expect(401, ENDED)

    with open_stream(desk, heartbeat(ADMIN)) as cut, open_stream(phone, heartbeat(ADMIN)) as kept:
        keycloak.order("DELETE", f"/acme/sessions/{there['id']}")
        behind_keycloak.process.wait_for_line(r'"back-channel logout".*"by_sid":true')
        assert seconds_until_clean_end(cut) < 10  # 2 without load
        assert goes_on(kept, 1.0)

    assert status(desk, "/auth/me") == 401
    assert status(phone, "/auth/me") == 200
    desk.page.reload()
    assert urlsplit(desk.page.url).path == "/auth/"


def test_signing_out_here_ends_the_session_at_keycloak(
    somebody: Callable[[], Visitor], keycloak: Keycloak
) -> None:
    ada = somebody()
    before = len(keycloak.sessions("ada"))
    app = sign_in(ada, "ada", ADMIN)
    stolen = {"Cookie": ada.cookie_header()}
    assert len(keycloak.sessions("ada")) == before + 1

    with open_stream(ada, heartbeat(ADMIN)) as stream:
        app.log_out()
        ada.page.wait_for_url(f"{ada.url}/auth/?signed_out=1")
        assert seconds_until_clean_end(stream) < 10

    assert ask("GET", ada.url + "/auth/me", headers=stolen).status == 401
    assert len(keycloak.sessions("ada")) == before
    start(ada, ADMIN.prefix + "/")  # Keycloak asks who is there


def test_keycloak_asks_before_it_signs_out_of_the_realms_other_apps(
    somebody: Callable[[], Visitor], keycloak: Keycloak
) -> None:
    ada = somebody()
    before = len(keycloak.sessions("ada"))
    app = sign_in(ada, "ada", ADMIN)
    visit_wiki(ada, keycloak)

    app.log_out()
    ada.page.locator("#kc-logout").click()

    ada.page.wait_for_url(f"{ada.url}/auth/?signed_out=1")
    assert len(keycloak.sessions("ada")) == before


def visit_wiki(visitor: Visitor, keycloak: Keycloak) -> None:
    """Signs in to the other app, which Keycloak does by itself: it knows who is there."""
    query = {"client_id": "wiki", "response_type": "code", "scope": "openid"}
    query["redirect_uri"] = keycloak.wiki
    tab = visitor.new_tab()
    tab.goto(f"{keycloak.issuer}/protocol/openid-connect/auth?{urlencode(query)}")
    assert tab.url.startswith(keycloak.wiki + "?") and "code=" in tab.url
    tab.close()


def test_a_service_account_uses_an_app_by_its_token(
    behind_keycloak: Gatehouse, keycloak: Keycloak
) -> None:
    def answer(client: str, dashboard: Dashboard) -> int:
        token = keycloak.token("acme", client, SECRET)
        bearer = {"Authorization": f"Bearer {token}"}
        return ask("GET", f"{behind_keycloak.url}{dashboard.prefix}/config", headers=bearer).status

    assert answer("nightly", ADMIN) == 200
    assert answer("nightly", USER) == 401  # the route takes no tokens
    assert answer("stranger", ADMIN) == 401  # the token is not for Gatehouse


def test_check_online_asks_keycloak_for_all_that_a_sign_in_needs(
    gatehouse_binary: Path, behind_keycloak: Gatehouse, configuration: Path
) -> None:
    checked = subprocess.run(
        [gatehouse_binary, "check", "--online", "-c", configuration],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    said = checked.stdout + checked.stderr
    assert checked.returncode == 0, said
    assert "client ID and secret are accepted" in said
    assert "descope" not in said.replace("descope.issuer", "").replace("descope.client", ""), said
