"""axe-core, which finds what keeps a page from people who cannot see or point well."""

from __future__ import annotations

from functools import cache

from playwright.sync_api import Page

from harness.docs import NODE_MODULES

# What axe-core looks for unless told otherwise, and the size of targets in WCAG 2.2.
RUN = """async within => {
    const found = await axe.run(
        within ? {include: [within]} : document, {rules: {'target-size': {enabled: true}}});
    return found.violations.flatMap(rule => rule.nodes.map(
        node => `${rule.id}: ${node.target.flat().join(' ')}: ${node.failureSummary}`));
}"""


@cache
def _axe() -> str:
    file = NODE_MODULES / "axe-core" / "axe.min.js"
    return file.read_text(encoding="utf-8") + "\n;undefined"  # else axe itself is the answer


def violations(page: Page, within: str | None = None) -> list[str]:
    """Rule, element and remedy of all that is wrong with a page, or with one element of it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())  # no script tag, so the page keeps its policy
    return page.evaluate(RUN, within)
