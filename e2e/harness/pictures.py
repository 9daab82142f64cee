"""The pictures that the docs show, which tests take where GATEHOUSE_PICTURES=1 says so."""

from __future__ import annotations

import os

from harness.dashboards import ROOT


def show_in_docs(name: str, picture: bytes) -> None:
    """Keeps a picture as docs/images/<name>, which is there already."""
    file = ROOT / "docs" / "images" / name
    if not file.exists():
        raise ValueError(f"{file} is shown nowhere")
    if os.environ.get("GATEHOUSE_PICTURES") == "1":
        file.write_bytes(picture)
