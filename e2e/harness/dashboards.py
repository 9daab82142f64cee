"""The demo dashboards, run as any Gradio app is run, and what a person does in them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page

from harness.net import wait_until_good
from harness.process import Process

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy" / "demo"


@dataclass(frozen=True)
class Dashboard:
    """One of the apps, with the words that its own page uses."""

    script: str
    prefix: str
    heading: str
    stream_tab: str
    export_tab: str
    export_button: str
    export_name: str
    upload_tab: str


ADMIN = Dashboard(
    script="admin_dashboard.py",
    prefix="/gradio/admin",
    heading="Admin dashboard",
    stream_tab="Rebuild index",
    export_tab="Export",
    export_button="Export members",
    export_name="members.csv",
    upload_tab="Import",
)
USER = Dashboard(
    script="user_dashboard.py",
    prefix="/gradio/user",
    heading="User dashboard",
    stream_tab="Listen",
    export_tab="Notes",
    export_button="Save as file",
    export_name="notes.txt",
    upload_tab="Upload",
)


# As launch(mcp_server=True) does: an app's functions are tools for agents, too.
ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_MCP_SERVER": "True"}


def start_dashboard(dashboard: Dashboard, port: int) -> Process:
    """Starts the app without waiting: several start faster side by side."""
    return Process(
        dashboard.script,
        [sys.executable, "-u", DEMO / dashboard.script, "--port", str(port)],
        env=ENVIRONMENT,
    )


def wait_for_dashboard(process: Process, port: int) -> None:
    wait_until_good(f"http://127.0.0.1:{port}/config", process)


class DashboardPage:
    """The app in a tab."""

    def __init__(self, page: Page, dashboard: Dashboard) -> None:
        self.page = page
        self.dashboard = dashboard

    def wait_until_loaded(self) -> None:
        """The name comes once an event ran through the queue; then the last scripts arrive."""
        self.page.get_by_role("heading", name=self.dashboard.heading).wait_for()
        self.page.locator("#person-name").wait_for()
        self.page.wait_for_load_state("networkidle")

    def text(self, element: str) -> str:
        return self.page.locator(f"#{element}").inner_text()

    def output(self, element: str) -> Locator:
        return self.page.locator(f"#{element} textarea")

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def click(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def log_out(self) -> None:
        self.page.get_by_role("link", name="Logout").click()
