"""Real Gradio apps in a real browser: what people click on works, through the proxy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.dashboards import ADMIN, USER, DashboardPage
from harness.gatehouse import Gatehouse
from harness.provider import Provider
from playwright.sync_api import Page, expect





@pytest.fixture(params=[("ada", ADMIN), ("bob", USER)], ids=["ada_as_admin", "bob_as_user"])
def app(
    request: pytest.FixtureRequest,
    new_visitor: Callable[..., Visitor],
    gatehouse: Gatehouse,
    provider: Provider,
) -> DashboardPage:
    """A dashboard with its person signed in."""
    person, dashboard = request.param
    visitor = new_visitor(gatehouse.url, provider.issuer)
    visitor.sign_in(person, dashboard.prefix + "/")
    opened = DashboardPage(visitor.page, dashboard)
    opened.wait_until_loaded()
    return opened


def test_a_click_runs_and_the_app_sees_who_it_is(app: DashboardPage) -> None:
    greeting = {
        ADMIN: "Hello Ada Admin, you act with Tenant Admin in T2acme.",
        USER: "Hello Bob Member (bob@acme.example), today you feel curious.",
    }

    app.click("Greet me")

    expect(app.output("answer")).to_have_value(greeting[app.dashboard])


def test_every_font_style_and_script_of_the_page_arrives(app: DashboardPage) -> None:
    """The visitor fails the test for any answer of 400 and above; this looks at what was used."""
    page = app.page
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    inside = [url for url in loaded if app.dashboard.prefix + "/" in url]
    assert len(inside) > 20, loaded
    assert page.evaluate("[...document.fonts].filter(font => font.status === 'error').length") == 0


def test_a_generator_streams_step_by_step(app: DashboardPage) -> None:
    app.open_tab(app.dashboard.stream_tab)
    watch_value(app.page, "#log textarea")
    app.click("Start")

    last = {ADMIN: r"The index is fresh\.$", USER: r"in time for tea\.$"}
    app.page.wait_for_function(
        "pattern => new RegExp(pattern).test(document.querySelector('#log textarea').value)",
        arg=last[app.dashboard],
    )
    seen = app.page.evaluate("window.seen")
    texts = [text for text, _ in seen]
    assert len(texts) >= 5, texts
    for shorter, longer in zip(texts, texts[1:]):
        assert longer.startswith(shorter)
    # Buffered on the way, all steps would come in one burst at the end.
    assert seen[-1][1] - seen[0][1] > 1000, seen


def watch_value(page: Page, selector: str) -> None:
    """Keeps every value that the box shows from now on, with its time in milliseconds."""
    page.evaluate(
        """selector => {
            window.seen = [];
            const look = () => {
                const value = document.querySelector(selector).value;
                if (value && value !== window.seen.at(-1)?.[0]) {
                    window.seen.push([value, performance.now()]);
                }
                requestAnimationFrame(look);
            };
            look();
        }""",
        selector,
    )


def test_a_running_generator_can_be_stopped(app: DashboardPage) -> None:
    app.open_tab(app.dashboard.stream_tab)
    app.click("Start")
    expect(app.output("log")).not_to_have_value("")

    with app.page.expect_response("**/gradio_api/cancel") as cancelled:
        app.click("Stop")

    assert cancelled.value.status == 200


def test_an_output_file_downloads(app: DashboardPage) -> None:
    app.open_tab(app.dashboard.export_tab)
    app.click(app.dashboard.export_button)
    link = app.page.locator("#export a[download]").first

    with app.page.expect_download() as download:
        link.click()

    assert download.value.suggested_filename == app.dashboard.export_name
    first_line = {ADMIN: "Name,Role,Runs this week", USER: "Notes of Bob Member"}
    content = Path(download.value.path()).read_text()
    assert content.splitlines()[0] == first_line[app.dashboard]


def test_a_file_uploads(app: DashboardPage, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,role\n" + "Grace Hopper,Member\n" * 50_000)  # larger than any buffer

    app.open_tab(app.dashboard.upload_tab)
    app.page.locator("#upload input[type=file]").set_input_files(file)

    size = {ADMIN: "people.csv: 1,000,010 bytes, 50,001 rows", USER: "people.csv: 1,000,010 bytes"}
    expect(app.output("size")).to_have_value(size[app.dashboard])


def test_a_forged_name_in_the_page_does_not_reach_the_app(
    new_visitor: Callable[..., Visitor], gatehouse: Gatehouse, provider: Provider
) -> None:
    """A script of the page, or its person, sends the proxy's own headers: they are dropped."""
    visitor = new_visitor(gatehouse.url, provider.issuer)
    forged = {"X-Forwarded-Email": "root@acme.example", "X_Forwarded_Groups": "Tenant Admin"}
    visitor.sign_in("bob", USER.prefix + "/")
    app = DashboardPage(visitor.page, USER)
    app.wait_until_loaded()

    visitor.context.set_extra_http_headers(forged)
    visitor.open(USER.prefix + "/?again")

    app.wait_until_loaded()
    assert app.text("person-email") == "bob@acme.example"
    assert app.text("person-roles") == "Member"
    app.click("Greet me")
    expect(app.output("answer")).to_have_value(
        "Hello Bob Member (bob@acme.example), today you feel curious."
    )
