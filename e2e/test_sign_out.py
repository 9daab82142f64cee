"""Signing out ends the session everywhere, not in one browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from harness.browser import Visitor
from harness.dashboards import USER, DashboardPage
from harness.gatehouse import Gatehouse
from harness.net import ask
from harness.provider import Provider
from harness.stream import open_stream, seconds_until_clean_end
from playwright.sync_api import expect


def signed_in_bob(visitor: Visitor) -> DashboardPage:
    visitor.sign_in("bob", USER.prefix + "/")
    app = DashboardPage(visitor.page, USER)
    app.wait_until_loaded()
    return app


def test_log_out_in_the_app_ends_at_the_sign_in_page(visitor: Visitor) -> None:
    app = signed_in_bob(visitor)

    app.log_out()

    visitor.page.wait_for_url(f"{visitor.url}/auth/?signed_out=1")
    expect(visitor.page.get_by_role("link", name="Sign in again")).to_be_visible()
    assert not any(c["name"] == "gatehouse" for c in visitor.context.cookies(visitor.url))
    visitor.open(USER.prefix + "/")
    assert urlsplit(visitor.page.url).path == "/auth/"


def test_sign_out_kills_a_copied_cookie(visitor: Visitor) -> None:
    app = signed_in_bob(visitor)
    stolen = {"Cookie": visitor.cookie_header()}
    assert ask("GET", visitor.url + "/auth/me", headers=stolen).status == 200

    app.log_out()
    visitor.page.wait_for_url(f"{visitor.url}/auth/?signed_out=1")

    for path in ("/auth/me", USER.prefix + "/config", USER.prefix + "/gradio_api/info"):
        assert ask("GET", visitor.url + path, headers=stolen).status == 401, path


def test_sign_out_closes_an_open_stream(visitor: Visitor) -> None:
    app = signed_in_bob(visitor)
    with open_stream(visitor, USER.prefix + "/gradio_api/heartbeat/bobs") as stream:
        app.log_out()
        visitor.page.wait_for_url(f"{visitor.url}/auth/?signed_out=1")

        assert seconds_until_clean_end(stream) < 2.5


def test_another_tab_of_the_same_person_is_signed_out_too(visitor: Visitor) -> None:
    app = signed_in_bob(visitor)
    other = visitor.new_tab()
    visitor.open(USER.prefix + "/", other)
    DashboardPage(other, USER).wait_until_loaded()
    # The page left open polls and reconnects when its streams end: that is refused.
    visitor.expect(401, USER.prefix + "/gradio_api/.*")

    app.log_out()
    visitor.page.wait_for_url(f"{visitor.url}/auth/?signed_out=1")
    other.reload()

    assert urlsplit(other.url).path == "/auth/"


def test_a_back_channel_logout_ends_the_session_and_its_streams(
    visitor: Visitor, gatehouse: Gatehouse, provider: Provider
) -> None:
    """Somebody signed Bob out at Descope: his browser here never heard of it."""
    # The page left open reconnects when its streams end, and is refused.
    visitor.expect(401, USER.prefix + "/gradio_api/.*")
    signed_in_bob(visitor)
    url = gatehouse.url + "/auth/backchannel-logout"

    with open_stream(visitor, USER.prefix + "/gradio_api/heartbeat/bobs") as stream:
        told = provider.order("backchannel", url=url, sub="U2bob")
        assert told["status"] == 200
        assert seconds_until_clean_end(stream) < 2.5

    cookie = {"Cookie": visitor.cookie_header()}
    assert ask("GET", visitor.url + "/auth/me", headers=cookie).status == 401
