"""Roles change while people work: what was allowed ends, without a new sign-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, USER, DashboardPage
from harness.gatehouse import Gatehouse, running_gatehouse, two_dashboards
from harness.net import ask
from harness.provider import Provider, running_provider
from harness.stream import open_stream, seconds_until_clean_end

TOKEN_LIFE = 10.0  # seconds; Gatehouse refreshes in the last fifth


@pytest.fixture
def changing_provider(provider_binary: Path) -> Iterator[Provider]:
    """A provider whose people a test may change."""
    with running_provider(provider_binary, "-session-ttl", f"{TOKEN_LIFE}s", "-rotate") as started:
        yield started


@pytest.fixture
def short_lived(
    gatehouse_binary: Path, changing_provider: Provider, dashboards: dict[str, int], tmp_path: Path
) -> Iterator[Gatehouse]:
    routes = two_dashboards(dashboards[ADMIN.prefix], dashboards[USER.prefix])
    with running_gatehouse(gatehouse_binary, tmp_path, changing_provider, routes) as started:
        yield started


def test_losing_the_admin_role_ends_the_open_stream_and_denies_the_next_page(
    new_visitor: Callable[..., Visitor], short_lived: Gatehouse, changing_provider: Provider
) -> None:
    ada = new_visitor(short_lived.url, changing_provider.issuer)
    ada.sign_in("ada", ADMIN.prefix + "/")
    DashboardPage(ada.page, ADMIN).wait_until_loaded()
    ada.expect(403, ADMIN.prefix + "/.*")

    with open_stream(ada, ADMIN.prefix + "/gradio_api/heartbeat/adas") as stream:
        changing_provider.order("roles", person="ada", tenant="T2acme", roles=["Member"])
        # Nobody asks meanwhile: an open stream alone keeps the roles fresh.
        assert seconds_until_clean_end(stream) < TOKEN_LIFE + 2.5

    answer = ada.page.reload()
    assert answer and answer.status == 403
    answer = ada.open(USER.prefix + "/")  # the session itself lives on
    assert answer and answer.status == 200
    DashboardPage(ada.page, USER).wait_until_loaded()


def test_a_role_given_meanwhile_opens_the_dashboard_without_a_new_sign_in(
    new_visitor: Callable[..., Visitor], short_lived: Gatehouse, changing_provider: Provider
) -> None:
    bob = new_visitor(short_lived.url, changing_provider.issuer)
    bob.sign_in("bob", USER.prefix + "/")
    DashboardPage(bob.page, USER).wait_until_loaded()
    bob.expect(403, ADMIN.prefix + "/")
    assert bob.open(ADMIN.prefix + "/").status == 403  # type: ignore[union-attr]

    changing_provider.order("roles", person="bob", tenant="T2acme", roles=["Tenant Admin"])
    wait_for_refresh(bob)

    answer = bob.open(ADMIN.prefix + "/")
    assert answer and answer.status == 200
    DashboardPage(bob.page, ADMIN).wait_until_loaded()


def wait_for_refresh(visitor: Visitor) -> None:
    """Looks until the new role is there. /auth/me is the only thing that is asked."""
    deadline = time.monotonic() + TOKEN_LIFE + 3
    while time.monotonic() < deadline:
        cookie = {"Cookie": visitor.cookie_header()}
        me = ask("GET", visitor.url + "/auth/me", headers=cookie).json()
        if "Tenant Admin" in me["tenants"]["T2acme"]["roles"]:
            return
        time.sleep(0.2)
    raise AssertionError("the new role never came")


def test_an_idle_session_goes_on_after_its_first_token_expired(
    new_visitor: Callable[..., Visitor], short_lived: Gatehouse, changing_provider: Provider
) -> None:
    bob = new_visitor(short_lived.url, changing_provider.issuer)
    bob.sign_in("bob", USER.prefix + "/")
    DashboardPage(bob.page, USER).wait_until_loaded()
    bob.open("/auth/me")  # leaves the app, so that no stream keeps the session fresh
    bob.page.wait_for_timeout((TOKEN_LIFE + 1) * 1000)  # the passing of time is the event

    cookie = {"Cookie": bob.cookie_header()}
    assert ask("GET", bob.url + USER.prefix + "/config", headers=cookie).status == 200
