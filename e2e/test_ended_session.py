"""A session that ends while its page is open: the page says so, in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from harness.browser import Visitor
from harness.dashboards import USER, DashboardPage
from harness.gatehouse import Gatehouse
from harness.provider import Provider
from playwright.sync_api import expect

LOST = "The connection was closed: your session has ended, or the server restarts."
API = USER.prefix + "/gradio_api/.*"


@pytest.fixture
def bob(
    new_visitor: Callable[..., Visitor], gatehouse: Gatehouse, provider: Provider
) -> Visitor:
    """Bob, whose page has no account menu to tell him."""
    visitor = new_visitor(gatehouse.url, provider.issuer)
    visitor.sign_in("bob", USER.prefix + "/?view=notes")
    DashboardPage(visitor.page, USER).wait_until_loaded()
    return visitor


def end_session(gatehouse: Gatehouse, provider: Provider) -> None:
    url = f"{gatehouse.url}/auth/backchannel-logout"
    assert provider.order("backchannel", url=url, sub="U2bob")["status"] == 200


def test_a_click_afterwards_says_so_and_a_reload_comes_back(
    bob: Visitor, gatehouse: Gatehouse, provider: Provider
) -> None:
    bob.expect(401, API)
    app = DashboardPage(bob.page, USER)
    end_session(gatehouse, provider)

    app.click("Greet me")

    toast = bob.page.get_by_test_id("toast-body")
    expect(toast).to_contain_text("Your session has ended. Sign in again to go on.")
    expect(bob.page.get_by_text("Could not parse")).to_have_count(0)
    bob.page.reload()
    assert urlsplit(bob.page.url).path == "/auth/"
    bob.start_sign_in(link="Sign in again")
    bob.choose("bob")
    app.wait_until_loaded()
    assert bob.page.url == f"{bob.url}{USER.prefix}/?view=notes"
    app.click("Greet me")
    expect(app.output("answer")).to_have_value(re.compile("Hello Bob Member"))


def test_an_upload_afterwards_says_so(
    bob: Visitor, gatehouse: Gatehouse, provider: Provider
) -> None:
    bob.expect(401, API)
    bob.expect_on_console("Response")  # Gradio's uploader writes the answer there
    app = DashboardPage(bob.page, USER)
    app.open_tab(USER.upload_tab)
    end_session(gatehouse, provider)

    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Buy milk\n"}
    bob.page.locator("#upload input[type=file]").set_input_files([file])

    expect(bob.page.get_by_test_id("toast-body")).to_contain_text("Your session has ended")
    expect(bob.page.get_by_text("Could not parse")).to_have_count(0)


def test_a_story_that_is_cut_off_leads_to_the_sign_in_and_back(
    bob: Visitor, gatehouse: Gatehouse, provider: Provider
) -> None:
    """Nobody clicks: the stream's last event says it, and the page loads itself anew."""
    bob.expect(401, API)
    bob.expect_on_console(f"Unexpected error {LOST}")
    app = DashboardPage(bob.page, USER)
    app.open_tab(USER.stream_tab)
    bob.page.locator("#text textarea").fill("word " * 400)
    app.click("Start")
    expect(app.output("log")).not_to_have_value("")

    end_session(gatehouse, provider)

    bob.start_sign_in(link="Sign in again")
    bob.choose("bob")
    app.wait_until_loaded()
    assert bob.page.url == f"{bob.url}{USER.prefix}/?view=notes"
