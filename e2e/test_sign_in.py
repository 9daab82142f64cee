"""From the Login button to the dashboard that a person may use."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, USER, Dashboard, DashboardPage
from harness.gatehouse import Gatehouse
from harness.provider import Provider
from playwright.sync_api import expect


def test_a_visitor_finds_a_login_button_and_nothing_of_the_apps(visitor: Visitor) -> None:
    visitor.open("/")

    assert urlsplit(visitor.page.url).path == "/auth/"
    expect(visitor.page.get_by_role("link", name="Login")).to_be_visible()
    expect(visitor.page.get_by_text("dashboard")).to_have_count(0)


@pytest.mark.parametrize(
    ("person", "name", "email", "roles", "tenant", "dashboard"),
    [
        ("ada", "Ada Admin", "ada@acme.example", "Tenant Admin", "T2acme", ADMIN),
        ("bob", "Bob Member", "bob@acme.example", "Member", "no tenant", USER),
        ("carol", "Carol Guest", "carol@mail.example", "no roles", "no tenant", USER),
        ("oscar", "Oscar Octavius", "oscar@globex.example", "Tenant Admin", "no tenant", USER),
    ],
)
def test_a_person_lands_on_the_first_dashboard_that_is_allowed(
    visitor: Visitor,
    person: str,
    name: str,
    email: str,
    roles: str,
    tenant: str,
    dashboard: Dashboard,
) -> None:
    visitor.open("/")
    visitor.start_sign_in()
    visitor.choose(person)
    if person == "oscar":
        pass_sso(visitor)

    app = DashboardPage(visitor.page, dashboard)
    app.wait_until_loaded()
    assert visitor.page.url == visitor.url + dashboard.prefix + "/"
    assert app.text("person-name") == name
    assert app.text("person-email") == email
    assert app.text("person-roles") == roles
    # The route for everybody asks for no tenant, so none decided, and none is named.
    assert app.text("person-tenant") == tenant


def pass_sso(visitor: Visitor) -> None:
    """The identity provider of Oscar's employer asks once more."""
    visitor.page.get_by_role("button", name="Continue").click()


def test_the_admin_of_another_tenant_is_denied(visitor: Visitor) -> None:
    visitor.expect(403, ADMIN.prefix + "/")
    visitor.open(ADMIN.prefix + "/")
    visitor.start_sign_in()
    visitor.choose("oscar")
    pass_sso(visitor)

    visitor.page.wait_for_url(visitor.url + ADMIN.prefix + "/")
    expect(visitor.page.get_by_text("Oscar Octavius")).to_be_visible()
    # What he holds in his own tenant is not what is missing, and whose tenant it
    # would take is nobody's business.
    expect(visitor.page.get_by_text("T2acme")).to_have_count(0)


@pytest.mark.parametrize(
    "query",
    ["?view=runs&day=Mon", "?q=a%20b%2Bc&q=2", "?__theme=dark", "?empty=&%C3%A9=%25"],
)
def test_a_deep_link_with_a_query_survives_sign_in(visitor: Visitor, query: str) -> None:
    deep_link = f"{visitor.url}{USER.prefix}/{query}"

    visitor.sign_in("bob", deep_link)

    DashboardPage(visitor.page, USER).wait_until_loaded()
    assert visitor.page.url == deep_link


def test_the_bare_prefix_leads_to_the_page_and_keeps_the_query(visitor: Visitor) -> None:
    visitor.sign_in("bob", USER.prefix + "?view=notes")

    DashboardPage(visitor.page, USER).wait_until_loaded()
    assert visitor.page.url == f"{visitor.url}{USER.prefix}/?view=notes"


def test_several_tabs_sign_in_at_once(visitor: Visitor) -> None:
    tabs = [visitor.page, *(visitor.new_tab() for _ in range(3))]
    addresses = [f"{visitor.url}{USER.prefix}/?tab={number}" for number in range(len(tabs))]

    for tab, address in zip(tabs, addresses):
        visitor.open(address, tab)
    for tab in tabs:
        visitor.start_sign_in(tab)
    for tab, address in zip(tabs, addresses):  # every sign-in has begun before the first one ends
        visitor.choose("bob", tab)
        # The next sign-in replaces this session, and its ID is refused from then on:
        # what the page still loads then would be, too.
        DashboardPage(tab, USER).wait_until_loaded()
        assert tab.url == address


def test_the_session_cookie_is_out_of_reach_of_scripts_and_tells_nothing(visitor: Visitor) -> None:
    visitor.sign_in("ada")
    DashboardPage(visitor.page, ADMIN).wait_until_loaded()

    (cookie,) = [c for c in visitor.context.cookies(visitor.url) if c["name"] == "gatehouse"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax" and cookie["path"] == "/"
    assert visitor.page.evaluate("document.cookie").find("gatehouse") == -1


def test_a_copied_link_of_the_way_back_is_refused(
    new_visitor: Callable[..., Visitor], gatehouse: Gatehouse, provider: Provider
) -> None:
    """Login CSRF: Ada's code and state do nothing in Bob's browser."""
    ada = new_visitor(gatehouse.url, provider.issuer)
    callbacks: list[str] = []
    ada.page.on(
        "request",
        lambda request: callbacks.append(request.url) if "/auth/callback" in request.url else None,
    )
    ada.sign_in("ada")
    assert parse_qs(urlsplit(callbacks[0]).query).keys() >= {"code", "state"}

    bob = new_visitor(gatehouse.url)
    bob.expect(400, "/auth/.*")
    bob.open(callbacks[0])

    expect(bob.page.get_by_role("link", name="Sign in again")).to_be_visible()
    assert not any(c["name"] == "gatehouse" for c in bob.context.cookies(bob.url))
