"""Who may not, may not on any path, by any method, in any spelling."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, DEMO, USER, DashboardPage
from harness.gatehouse import Gatehouse
from harness.net import Answer, ask
from harness.provider import Provider
from harness.routes import Registered, body_of, registered_routes, requests_to
from playwright.sync_api import expect


@pytest.fixture(scope="session")
def admin_routes() -> list[Registered]:
    """What the admin app itself registers, so that a new Gradio can slip nothing in."""
    routes = registered_routes(DEMO / ADMIN.script)
    paths = {route.path for route in routes}
    # Where the walk over the app's routers breaks, these would be the first to miss.
    assert paths >= {
        "/",
        "/config",
        "/openapi.json",
        "/gradio_api/queue/join",
        "/gradio_api/queue/data",
        "/gradio_api/heartbeat/{session_hash}",
        "/gradio_api/file={path_or_url:path}",
        "/gradio_api/upload",
        "/gradio_api/info",
    }, sorted(paths)
    return routes


@pytest.fixture
def bob(visitor: Visitor) -> Visitor:
    visitor.sign_in("bob")
    DashboardPage(visitor.page, USER).wait_until_loaded()
    return visitor


def test_bob_is_shown_who_he_is_what_is_missing_and_where_he_may_go(bob: Visitor) -> None:
    bob.expect(403, ADMIN.prefix + "/")

    answer = bob.open(ADMIN.prefix + "/")

    assert answer and answer.status == 403
    page = bob.page
    expect(page.get_by_text("Bob Member")).to_be_visible()
    expect(page.get_by_text("bob@acme.example")).to_be_visible()
    expect(page.get_by_text("Tenant Admin")).to_be_visible()
    page.get_by_role("link", name="User dashboard").click()
    DashboardPage(page, USER).wait_until_loaded()


def test_bob_is_denied_every_route_of_the_admin_app(
    bob: Visitor, admin_routes: list[Registered]
) -> None:
    cookie = {"Cookie": bob.cookie_header()}

    wrong: list[str] = []
    for method, path in requests_to(admin_routes, ADMIN.prefix):
        answer = ask(method, bob.url + path, headers=cookie, body=body_of(method))
        if answer.status != 403 or not speaks_for_gatehouse(method, answer):
            wrong.append(f"{method} {path}: {answer.status} {answer.body[:200]!r}")

    assert not wrong, "\n".join(wrong)


def speaks_for_gatehouse(method: str, answer: Answer) -> bool:
    """Whether it is Gatehouse's own JSON and not an app's refusal."""
    return method == "HEAD" or answer.json().keys() >= {"detail", "request_id"}


def test_ada_reaches_what_bob_is_denied(visitor: Visitor) -> None:
    """Else the tests beside this one would hold for a proxy that denies all."""
    visitor.sign_in("ada")
    cookie = {"Cookie": visitor.cookie_header()}

    for path in ("/config", "/gradio_api/info", "/openapi.json", "/gradio_api/queue/status"):
        answer = ask("GET", visitor.url + ADMIN.prefix + path, headers=cookie)
        assert answer.status == 200, (path, answer)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio/user/../admin/config",
        "/gradio/user/%2e%2e/admin/config",
        "/gradio/user/..%2fadmin/config",
        "/gradio/user/%2e%2e%2fadmin%2fconfig",
        "/gradio/user/..;/admin/config",
        "/gradio/user/..\\admin\\config",
        "/gradio//admin/config",
        "//gradio/admin/config",
        "/gradio/%61dmin/config",
        "/gradio%2fadmin/config",
        "/gradio/admin;x/config",
        "/gradio/ADMIN/config",
        "/gradio/admin%00/config",
        "/gradio/admin/gradio_api/file=/gradio_api/queue/../../etc/hostname",
        "/gradio/admin/gradio_api/queue%2fstatus",
        "/gradio/admin?/gradio/user",
        "/gradio/user/..%5cadmin/config",
    ],
)
def test_no_other_spelling_of_an_admin_path_helps_bob(bob: Visitor, path: str) -> None:
    answer = ask("GET", bob.url + path, headers={"Cookie": bob.cookie_header()})

    assert answer.status in (400, 403, 404), (answer.status, answer.body[:300])


def test_a_client_without_a_session_gets_json_and_never_a_redirect(
    gatehouse: Gatehouse, admin_routes: list[Registered]
) -> None:
    wrong: list[str] = []
    for method, path in requests_to(admin_routes, ADMIN.prefix):
        answer = ask(method, gatehouse.url + path, body=body_of(method))
        # The browser asks for the manifest without cookies, so it must not fail there.
        manifest = path.endswith("/manifest.json") and method in ("GET", "HEAD")
        if answer.status != (200 if manifest else 401) or answer.set_cookies:
            wrong.append(f"{method} {path}: {answer.status} {answer.set_cookies}")
        elif not manifest and method != "HEAD":
            told = answer.json()
            login_url = f"{gatehouse.url}/auth/?return_to="
            if not (told["detail"] and told["request_id"]) or login_url not in told["login_url"]:
                wrong.append(f"{method} {path}: {told}")

    assert not wrong, "\n".join(wrong)


def test_a_call_of_the_page_without_a_session_gets_json(
    new_visitor: Callable[..., Visitor], gatehouse: Gatehouse, provider: Provider
) -> None:
    """What Gradio's own script sees when the session ended: its toast shows `detail`."""
    visitor = new_visitor(gatehouse.url, provider.issuer)
    visitor.expect(401, USER.prefix + "/gradio_api/.*")
    visitor.sign_in("bob", USER.prefix + "/")
    DashboardPage(visitor.page, USER).wait_until_loaded()
    visitor.context.clear_cookies()

    told = visitor.page.evaluate(
        """async path => {
            const answer = await fetch(path, {method: 'POST', body: '{}'});
            return [answer.status, answer.redirected, await answer.json()];
        }""",
        USER.prefix + "/gradio_api/queue/join",
    )

    status, redirected, body = told
    assert (status, redirected) == (401, False)
    assert body["login_url"].startswith(gatehouse.url + "/auth/?return_to=")


def test_another_site_cannot_make_ada_act(visitor: Visitor) -> None:
    visitor.sign_in("ada")
    attack = {
        "Cookie": visitor.cookie_header(),
        "Origin": "https://evil.example",
        "Sec-Fetch-Site": "cross-site",
        "Content-Type": "text/plain",
    }
    target = visitor.url + ADMIN.prefix + "/gradio_api/queue/join"

    answer = ask("POST", target, headers=attack, body=b"{}")

    assert answer.status == 403
    assert not any(name.startswith("access-control-") for name in answer.headers)
