"""The account menu, in apps that know nothing of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, USER, DashboardPage
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.lab import Lab, opened, somebody
from harness.provider import Provider
from harness.sampler import Generation, SamplerPage
from playwright.sync_api import Locator, Page, expect

DEEP_LINK = f"{ADMIN.prefix}/?view=members&day=Mon"


@pytest.fixture
def ada(
    new_visitor: Callable[..., Visitor], open_gatehouse: Gatehouse, provider: Provider
) -> Visitor:
    """Ada, deep in the admin app."""
    visitor = new_visitor(open_gatehouse.url, provider.issuer)
    visitor.sign_in("ada", DEEP_LINK)
    DashboardPage(visitor.page, ADMIN).wait_until_loaded()
    return visitor


def opener(page: Page) -> Locator:
    return page.get_by_role("button", name="Account", exact=True)


def panel(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Account")


def notice(page: Page) -> Locator:
    return page.locator("#gatehouse-account").get_by_role("alert").filter(has_text="Your session has ended")


def come_to_front(page: Page) -> None:
    """What a browser tells a page whose tab is chosen; a headless one shows all tabs at once."""
    page.bring_to_front()
    page.evaluate("window.dispatchEvent(new Event('focus'))")


def end_session_in_another_tab(visitor: Visitor) -> None:
    tab = visitor.new_tab()
    visitor.open("/auth/logout", tab)
    tab.wait_for_url(f"{visitor.url}/auth/?signed_out=1")


def test_it_says_who_is_there_and_as_what(ada: Visitor) -> None:
    opener(ada.page).click()

    menu = panel(ada.page)
    for words in ("Ada Admin", "ada@acme.example", "T2acme", "Tenant Admin"):
        expect(menu.get_by_text(words, exact=True)).to_be_visible()
    # The app that one is in is none of the other ones.
    expect(menu.get_by_role("navigation").get_by_role("link")).to_have_text(["User dashboard"])


def test_an_app_above_this_one_is_another_one(
    new_visitor: Callable[..., Visitor],
    gatehouse_binary: Path,
    provider: Provider,
    dashboards: dict[str, int],
    tmp_path: Path,
) -> None:
    routes = "".join(
        f"  - name: at {path}\n    path: {path}\n    upstream: http://127.0.0.1:{port}\n"
        "    allow: authenticated\n    account_menu: true\n"
        for path, port in (("/", dashboards[USER.prefix]), (ADMIN.prefix, dashboards[ADMIN.prefix]))
    )
    with running_gatehouse(gatehouse_binary, tmp_path, provider, routes) as house:
        visitor = new_visitor(house.url, provider.issuer)
        visitor.sign_in("ada", DEEP_LINK)
        DashboardPage(visitor.page, ADMIN).wait_until_loaded()
        opener(visitor.page).click()
        others = panel(visitor.page).get_by_role("navigation").get_by_role("link")
        expect(others).to_have_text(["at /"])
        visitor.page.goto("about:blank")  # before the house goes


def test_it_leads_to_another_app(ada: Visitor) -> None:
    opener(ada.page).click()

    panel(ada.page).get_by_role("link", name="User dashboard").click()

    DashboardPage(ada.page, USER).wait_until_loaded()
    assert ada.page.url == f"{ada.url}{USER.prefix}/"


def test_it_signs_out(ada: Visitor) -> None:
    opener(ada.page).click()

    panel(ada.page).get_by_role("button", name="Sign out").click()

    ada.page.wait_for_url(f"{ada.url}/auth/?signed_out=1")
    expect(ada.page.get_by_role("link", name="Sign in again")).to_be_visible()
    assert not any(cookie["name"] == "gatehouse" for cookie in ada.context.cookies(ada.url))


def test_it_works_by_keyboard_alone(ada: Visitor) -> None:
    keyboard = ada.page.keyboard
    opener(ada.page).focus()

    keyboard.press("Enter")
    expect(panel(ada.page)).to_be_focused()
    keyboard.press("Escape")
    expect(panel(ada.page)).to_be_hidden()
    expect(opener(ada.page)).to_be_focused()

    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(panel(ada.page).get_by_role("link", name="User dashboard")).to_be_focused()
    keyboard.press("Tab")
    expect(panel(ada.page).get_by_role("button", name="Sign out")).to_be_focused()
    keyboard.press("Enter")
    ada.page.wait_for_url(f"{ada.url}/auth/?signed_out=1")


def test_the_app_below_it_goes_on_working(ada: Visitor) -> None:
    app = DashboardPage(ada.page, ADMIN)

    opener(ada.page).click()
    app.click("Greet me")  # which closes the menu, too

    expect(app.output("answer")).to_have_value(re.compile("Hello Ada Admin"))
    expect(panel(ada.page)).to_be_hidden()


@pytest.mark.parametrize("how", ["in_another_tab", "at_descope"])
def test_a_session_that_ended_is_said_and_signing_in_comes_back_to_the_very_page(
    how: str, ada: Visitor, open_gatehouse: Gatehouse, provider: Provider
) -> None:
    ada.expect(401, "/auth/me")
    if how == "in_another_tab":
        end_session_in_another_tab(ada)
    else:
        url = f"{open_gatehouse.url}/auth/backchannel-logout"
        assert provider.order("backchannel", url=url, sub="U2ada")["status"] == 200

    come_to_front(ada.page)

    expect(notice(ada.page)).to_be_visible()
    notice(ada.page).get_by_role("link", name="Sign in again").click()
    ada.start_sign_in(link="Sign in again" if how == "at_descope" else "Login")
    ada.choose("ada")
    DashboardPage(ada.page, ADMIN).wait_until_loaded()
    assert ada.page.url == ada.url + DEEP_LINK
    expect(notice(ada.page)).to_be_hidden()


def test_the_notice_can_be_put_off_and_found_again(ada: Visitor) -> None:
    ada.expect(401, "/auth/me")
    end_session_in_another_tab(ada)
    come_to_front(ada.page)

    notice(ada.page).get_by_role("button", name="Not now").click()

    expect(notice(ada.page)).to_be_hidden()
    opener(ada.page).press("Enter")
    expect(notice(ada.page).get_by_role("link", name="Sign in again")).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(notice(ada.page)).to_be_hidden()


def test_it_is_in_what_a_person_opens_and_in_nothing_that_a_script_fetches(ada: Visitor) -> None:
    fetched = """async ([url, mode]) => (await fetch(url, {mode, cache: 'no-store'})).text()"""
    page = ada.page
    tag = 'src="/auth/menu.js"'

    assert page.evaluate("document.querySelectorAll('script[src$=\"/auth/menu.js\"]').length") == 1
    for mode in ("cors", "same-origin", "no-cors"):
        text = page.evaluate(fetched, [DEEP_LINK, mode])
        assert "gradio_config" in text and tag not in text, mode
    opened = page.reload()
    assert opened and tag in opened.text()
    DashboardPage(page, ADMIN).wait_until_loaded()
    config = page.goto(f"{ada.url}{ADMIN.prefix}/config")  # a navigation, and no page
    assert config and tag not in config.text()


def test_an_app_whose_route_did_not_ask_for_it_has_none(
    new_visitor: Callable[..., Visitor], gatehouse: Gatehouse, provider: Provider
) -> None:
    visitor = new_visitor(gatehouse.url, provider.issuer)
    visitor.sign_in("bob", USER.prefix + "/")
    DashboardPage(visitor.page, USER).wait_until_loaded()

    assert "menu.js" not in visitor.page.content()


@pytest.fixture
def bob(
    new_visitor: Callable[..., Visitor], lab: Lab, provider: Provider, generation: Generation
) -> Visitor:
    """Bob, in the app of a generation."""
    visitor = somebody(new_visitor, lab, provider, generation)
    visitor.sign_in("bob", opened(generation) + "/?view=notes")
    SamplerPage(visitor).wait_until_loaded()
    return visitor


def end_bobs_session(lab: Lab, provider: Provider) -> None:
    url = f"{lab.house.url}/auth/backchannel-logout"
    assert provider.order("backchannel", url=url, sub="U2bob")["status"] == 200


@pytest.mark.timeout(240)
def test_every_generation_has_it_and_a_click_after_the_session_ended_is_answered_by_it(
    bob: Visitor, lab: Lab, provider: Provider, generation: Generation
) -> None:
    """Gradio itself shows what it was answered since 5.0, and before says but that it failed."""
    app = SamplerPage(bob)
    opener(bob.page).click()
    for words in ("Bob Member", "bob@acme.example", "Member"):
        expect(panel(bob.page).get_by_text(words, exact=True)).to_be_visible()
    app.greet("bob@acme.example")
    expect(panel(bob.page)).to_be_hidden()

    bob.fails_from_now_on()
    end_bobs_session(lab, provider)
    app.click("greet")

    toast = "Your session has ended. Sign in again" if generation.api else "Connection errored out"
    expect(bob.page.get_by_text(toast).first).to_be_visible()
    expect(bob.page.get_by_text("Could not parse")).to_have_count(0)
    expect(notice(bob.page)).to_be_visible()
    notice(bob.page).get_by_role("link", name="Sign in again").click()
    bob.start_sign_in(link="Sign in again")
    bob.recovers()
    bob.choose("bob")
    app.wait_until_loaded()
    assert bob.page.url == f"{bob.url}{opened(generation)}/?view=notes"
    expect(notice(bob.page)).to_be_hidden()
    app.greet("bob@acme.example")


@pytest.mark.timeout(240)
def test_every_generation_says_that_the_session_ended_while_it_was_at_work(
    bob: Visitor, lab: Lab, provider: Provider, generation: Generation
) -> None:
    app = SamplerPage(bob)
    app.click("crawl")
    expect(app.output("steps")).not_to_have_value("")
    bob.fails_from_now_on()

    end_bobs_session(lab, provider)

    if generation.name == "6":  # loads itself anew
        bob.start_sign_in(link="Sign in again")
        return
    if generation.name != "3.50":  # its WebSocket ends without a word
        expect(bob.page.get_by_text("your session has ended").first).to_be_visible()
    come_to_front(bob.page)
    expect(notice(bob.page)).to_be_visible()
