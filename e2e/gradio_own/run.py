"""Gradio's own tests, directly and through Gatehouse: both counts, and every difference by name.

Its Playwright specs run signed in, gradio_client's suite with a bearer token; both find each app
at /gradio/<its port>. What fails on both sides needs the network, or another version of Gradio.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from harness.browser import CHROMIUM_FLAGS, Visitor, find_chromium
from harness.dashboards import ROOT
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import ask
from harness.provider import Provider, running_provider
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
WORK = ROOT / ".cache" / "gradio-own"
TREE = WORK / "tree"
SPECS = TREE / "js" / "spa"
CLIENT_TESTS = "client/python/test"

# What the tests need of a checkout. Gradio itself is the one that is installed.
NEEDED = (
    *(".config", "package.json", "gradio/package.json", "gradio/media_assets", "gradio/test_data"),
    *(CLIENT_TESTS, "demo", "js/spa/test", "js/tootils", "test"),
)

# Gradio's runner gives a worker the first free port of a hundred of its own, and after each
# failure it starts another worker; gradio_client's tests take the first free port of all.
PORTS = [*range(7860, 7960), *(7860 + 100 * worker + n for worker in range(1, 200) for n in range(3))]

# Nothing leaves the machine: nobody listens at the proxy that is named.
OFFLINE = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1"),
    **{"HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"},
}


# Playwright expects the failure of what a spec marks with test.fail().
STATUS = {"expected": "passed", "flaky": "passed", "unexpected": "failed", "skipped": "skipped"}


class Outcome(NamedTuple):
    status: str  # passed, failed, skipped, or no demo
    reason: str = ""


Outcomes = dict[str, Outcome]
Suite = Callable[[Mapping[str, str], list[str]], Outcomes]


def copy_tree(checkout: Path) -> None:
    """The specs write beside themselves: they run in a copy, in which tootils.ts stands first."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in NEEDED:
        source, target = checkout / name, TREE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    tootils = TREE / "js" / "tootils" / "src"
    (tootils / "index.ts").rename(tootils / "own.ts")
    shutil.copy(HERE / "tootils.ts", tootils / "index.ts")
    shutil.copy(HERE / "playwright.config.ts", TREE)
    package = WORK / "node_modules" / "@self" / "tootils"
    package.parent.mkdir(exist_ok=True)
    package.unlink(missing_ok=True)
    package.symlink_to(TREE / "js" / "tootils")


@contextmanager
def signed_in() -> Iterator[dict[str, str]]:
    """A Gatehouse before every app that may start, and what gets a test through it."""
    routes = "".join(
        f"  - path: /gradio/{port}\n    upstream: http://127.0.0.1:{port}\n"
        "    allow: authenticated\n    bearer: true\n"
        for port in PORTS
    )
    with (
        running_provider(WORK / "provider") as provider,
        running_gatehouse(WORK / "gatehouse", WORK, provider, routes, session_tokens=True) as house,
    ):
        before = requests_through(house)
        yield {
            "GATEHOUSE_URL": house.url,
            "SIGNED_IN": str(browser_state(house.url, provider)),
            "BEARER": provider.order(
                "session-token", person="bob", override={"exp": int(time.time()) + 6 * 3600}
            )["token"],
        }
        print(f"\n{requests_through(house) - before:.0f} requests went through Gatehouse")


def requests_through(house: Gatehouse) -> float:
    """Else a test that passes by the proxy would look like one that passes through it."""
    metrics = ask("GET", house.admin_url + "/metrics").body.decode()
    return sum(float(n) for n in re.findall(r"^gatehouse_requests_total\{.*\} (\S+)$", metrics, re.M))


def browser_state(url: str, provider: Provider) -> Path:
    """Where the cookies of somebody are kept who has just signed in."""
    file = WORK / "signed-in.json"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        visitor = Visitor(browser, url, [provider.issuer])
        visitor.sign_in("bob", f"/gradio/{PORTS[0]}/")
        visitor.context.storage_state(path=file)
        browser.close()
    return file


def run_specs(env: Mapping[str, str], only: list[str]) -> Outcomes:
    """Gradio's Playwright specs, all or those whose files are named."""
    report = WORK / "specs.json"
    report.unlink(missing_ok=True)
    playwright = WORK / "node_modules" / "@playwright" / "test" / "cli.js"
    command = ["node", playwright, "test", "-c", TREE / "playwright.config.ts", *only]
    more = {"CI": "1", "GRADIO_TEST_USE_INSTALLED_GRADIO": "1", "FORCE_COLOR": "0"}
    more |= {"CHROMIUM": find_chromium(), "REPORT": str(report)}
    subprocess.run(command, cwd=SPECS, env={**os.environ, **OFFLINE, **more, **env})
    return dict(outcomes_of_specs(json.loads(report.read_text())))


def outcomes_of_specs(suite: dict[str, Any], above: str = "") -> Iterator[tuple[str, Outcome]]:
    for inner in suite.get("suites", ()):
        yield from outcomes_of_specs(inner, above + Path(inner["title"]).name + " › ")
    for spec in suite.get("specs", ()):
        (test,) = spec["tests"]  # one browser
        said = test["results"][-1].get("error", {}).get("message", "") if test["results"] else ""
        status = STATUS[test["status"]]
        if "exited with code" in said:  # the demo's own last word says why it did not start
            status, said = "no demo", said.rstrip().splitlines()[-1]
        yield above + spec["title"], Outcome(status, said)


def run_client_suite(env: Mapping[str, str], only: list[str]) -> Outcomes:
    """gradio_client's own tests, all or those that are named."""
    report = WORK / "client.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "--tb=short", "--timeout=120", "-p", "no:cacheprovider"]
    options += ["-p", "through_gatehouse", f"--junitxml={report}"]
    command = [sys.executable, "-m", "pytest", *options, *(only or [CLIENT_TESTS])]
    more = {"PYTHONPATH": str(HERE)}
    subprocess.run(command, cwd=TREE, env={**os.environ, **OFFLINE, **more, **env})
    outcomes: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        where = case.attrib["classname"].removeprefix(CLIENT_TESTS.replace("/", ".") + ".")
        module, *classes = where.split(".")
        name = "::".join((f"{CLIENT_TESTS}/{module}.py", *classes, case.attrib["name"]))
        wrong = [found for kind in ("failure", "error") for found in case.iter(kind)]
        if wrong:
            outcomes[name] = Outcome("failed", wrong[0].attrib.get("message", ""))
        else:
            outcomes[name] = Outcome("passed" if case.find("skipped") is None else "skipped")
    return outcomes


def differing(direct: Outcomes, through: Outcomes) -> list[str]:
    absent = Outcome("not run")
    return [
        name
        for name in sorted(direct | through)
        if direct.get(name, absent).status != through.get(name, absent).status
    ]


def compare(
    run: Suite, env: Mapping[str, str], only: list[str], file_of: Callable[[str], str]
) -> tuple[Outcomes, Outcomes]:
    """Runs a suite on both sides, and what differs once more: a busy machine fails tests, too."""
    direct, through = run({}, only), run(env, only)
    if unequal := differing(direct, through):
        again = sorted({file_of(name) for name in unequal})
        for outcomes, more in ((direct, {}), (through, env)):
            for name, outcome in run(more, again).items():
                if name in unequal and outcome.status == "passed":
                    outcomes[name] = outcome
    return direct, through


def tell(suite: str, direct: Outcomes, through: Outcomes) -> bool:
    """Prints both counts, every difference, and what works on neither side; true: no difference."""
    print(f"\n{suite}")
    sides = {"directly": direct, "through Gatehouse": through}
    for side, outcomes in sides.items():
        counts = Counter(outcome.status for outcome in outcomes.values())
        print(f"  {side:18}" + ", ".join(f"{counts[status]} {status}" for status in sorted(counts)))
    unequal = differing(direct, through)
    for name in unequal:
        print(f"  DIFFERS {name}")
        for side, outcomes in sides.items():
            outcome = outcomes.get(name, Outcome("not run"))
            print(f"    {side}: {outcome.status} {first_lines(outcome.reason)}")
    for name, outcome in through.items():
        if name not in unequal and outcome.status in ("failed", "no demo"):
            print(f"  {outcome.status} on both sides: {name}: {first_lines(outcome.reason, 2)}")
    return not unequal


def first_lines(text: str, count: int = 8) -> str:
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][:count])[:600]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, help="of github.com/gradio-app/gradio")
    parser.add_argument("spec", nargs="*", help="only specs with such a word in their file's name")
    parser.add_argument("--client-only", action="store_true", help="only gradio_client's suite")
    args = parser.parse_args()

    copy_tree(args.checkout.resolve())
    same = True
    with signed_in() as env:
        if not args.client_only:
            both = compare(run_specs, env, args.spec, lambda name: name.split(" › ")[0])
            same &= tell("Playwright specs", *both)
        if not args.spec:
            same &= tell("gradio_client", *compare(run_client_suite, env, [], lambda name: name))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
