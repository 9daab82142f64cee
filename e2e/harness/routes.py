"""Every route that a Gradio app registers, asked of the app itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# With the routes for agents, where the generation has them.
ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_MCP_SERVER": "True"}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Registered:
    """A route that an app registers, as its framework writes it: /file={path:path}."""

    path: str
    methods: tuple[str, ...]  # empty: any


def registered_routes(script: Path, python: Path = Path(sys.executable)) -> list[Registered]:
    """Asks the app, launched by python in a process of its own."""
    listing = subprocess.run(
        [python, Path(__file__).with_name("list_routes.py"), script],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=90,
        env={"PATH": "/usr/bin:/bin", **ENVIRONMENT},
    ).stdout
    rows = [json.loads(line) for line in listing.splitlines() if line.startswith("{")]
    return [Registered(row["path"], tuple(row["methods"])) for row in rows]


def requests_to(routes: Sequence[Registered], prefix: str) -> Iterator[tuple[str, str]]:
    """Every method on every path, the ones that the app itself would not take too."""
    for path in sorted({re.sub(r"\{[^}]*\}", "x", route.path) for route in routes}):
        for method in METHODS:
            yield method, prefix + path


def body_of(method: str) -> bytes | None:
    return b"{}" if method in ("POST", "PUT", "PATCH") else None
