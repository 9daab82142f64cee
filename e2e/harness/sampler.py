"""The sampler app on each generation of Gradio, and what a person does on its page."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, expect

from harness.browser import Visitor
from harness.dashboards import ROOT
from harness.net import wait_until_good
from harness.process import Process

SCRIPT = ROOT / "e2e" / "apps" / "sampler.py"
STUDIO = SCRIPT.with_name("studio.py")  # the sampler and more
STEPS = "1 2 3 4 5 6 7 8"

# What pages of Gradio 4 ask for below any prefix and do not need: the script resolves the
# address of a stylesheet that the page has already loaded against the origin alone.
WRONG_STYLESHEET = r"//[^/]+/assets/index-[\w-]+\.css"

# What pages of Gradio 3 to 5 load from elsewhere.
ELSEWHERE = (
    "https://cdnjs.cloudflare.com",
    "https://fonts.googleapis.com",
    "https://fonts.gstatic.com",
)


@dataclass(frozen=True)
class Generation:
    """A generation of Gradio, installed apart from the others by prepare.sh."""

    name: str
    python: Path
    api: str  # below which its API stands

    def start(
        self, port: int, *arguments: str, script: Path = SCRIPT, **environment: str
    ) -> Process:
        """Starts the app without waiting: several start faster side by side."""
        return Process(
            f"{script.stem} on Gradio {self.name}",
            [self.python, "-u", script, "--port", str(port), *arguments],
            env={"GRADIO_ANALYTICS_ENABLED": "False", **environment},
        )


def installed(name: str) -> Path:
    return ROOT / ".cache" / f"venv-{name}" / "bin" / "python"


OLDEST = Generation("3.50", installed("gradio3"), "")
NEWEST = Generation("6", Path(sys.executable), "/gradio_api")
GENERATIONS = (
    OLDEST,
    Generation("4.44", installed("gradio4"), ""),
    Generation("5.49", installed("gradio5"), "/gradio_api"),
    NEWEST,
)


def wait_for_sampler(process: Process, port: int, mounted_at: str = "") -> None:
    wait_until_good(f"http://127.0.0.1:{port}{mounted_at}/config", process, within=200)


class SamplerPage:
    """The app in a tab."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.page

    def wait_until_loaded(self) -> None:
        """Who it is comes once an event ran through the queue; then the last scripts arrive."""
        self.page.get_by_role("heading", name="Sampler").wait_for()
        expect(self.output("who")).not_to_have_value("")
        self.visitor.settle()

    def output(self, element: str) -> Locator:
        return self.page.locator(f"#{element} textarea")

    def click(self, button: str) -> None:
        self.page.locator(f"#{button}").click()

    def person(self) -> str:
        return self.output("who").input_value().split(" at ")[0]

    def process_id(self) -> int:
        """The process that runs this page's events."""
        return int(self.output("who").input_value().split(" at ")[1])

    def watch(self, element: str) -> None:
        """Keeps every value that a box shows from now on, with its time in milliseconds."""
        self.page.evaluate(
            """selector => {
                const seen = window.seen = [];
                let last = document.querySelector(selector).value;
                const look = () => {
                    const value = document.querySelector(selector).value;
                    if (value && value !== last) {
                        seen.push([value, performance.now()]);
                        last = value;
                    }
                    requestAnimationFrame(look);
                };
                look();
            }""",
            f"#{element} textarea",
        )

    def seen(self) -> list[tuple[str, float]]:
        return [(value, when) for value, when in self.page.evaluate("window.seen")]

    # What works without a proxy has to work through one

    def greet(self, person: str) -> None:
        self.page.locator("#name textarea, #name input").fill("Grace")
        self.click("greet")
        expect(self.output("answer")).to_have_value(f"Hello Grace, you are {person}")

    def count_to(self, clicks: int) -> None:
        """Each click takes up the state that the one before left."""
        for click in range(1, clicks + 1):
            self.click("count")
            expect(self.output("counted")).to_have_value(f"clicked {click}")

    def walk(self) -> None:
        """A generator shows each step when it comes. Buffered, they would come in one burst."""
        self.watch("steps")
        self.click("walk")
        self.page.wait_for_function("last => window.seen.at(-1)?.[0] === last", arg=STEPS)
        seen = self.seen()
        assert len(seen) >= 5, seen
        for (shorter, _), (longer, _) in zip(seen, seen[1:]):
            assert longer.startswith(shorter), seen
        assert seen[-1][1] - seen[0][1] > 700, seen

    def download(self) -> None:
        self.click("export")
        link = self.page.locator("#file a[download]").first
        link.wait_for()
        with self.page.expect_download() as download:
            link.click()
        assert Path(download.value.path()).read_text() == "a report\n" * 20_000

    def see_picture(self) -> None:
        self.click("paint")
        picture = self.page.locator("#picture img").first
        picture.wait_for()
        self.page.wait_for_function(
            "() => document.querySelector('#picture img').naturalWidth === 40"
        )

    def upload(self, folder: Path) -> None:
        file = folder / "people.csv"
        file.write_text("Grace Hopper\n" * 50_000)  # larger than any buffer
        self.page.locator("#upload input[type=file]").set_input_files(file)
        expect(self.output("size")).to_have_value("people.csv: 650000 bytes")
