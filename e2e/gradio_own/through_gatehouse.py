"""A plugin of pytest for gradio_client's own tests: where GATEHOUSE_URL is set, the apps that
they launch are found through Gatehouse, and their clients carry a bearer token."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import gradio
import gradio_client

HOUSE = os.environ.get("GATEHOUSE_URL")


def pytest_configure() -> None:
    if not HOUSE:
        return
    launch, connect = gradio.Blocks.launch, gradio_client.Client.__init__

    def launch_behind(self: gradio.Blocks, *args: Any, **kwargs: Any) -> tuple[Any, str, Any]:
        app, url, share = launch(self, *args, **kwargs)
        return app, f"{HOUSE}/gradio/{urlsplit(url).port}/", share

    def connect_with_bearer(self: gradio_client.Client, src: str, *args: Any, **kwargs: Any) -> None:
        if src.startswith(HOUSE):
            bearer = {"Authorization": f"Bearer {os.environ['BEARER']}"}
            kwargs["headers"] = {**bearer, **(kwargs.get("headers") or {})}
        connect(self, src, *args, **kwargs)

    gradio.Blocks.launch = launch_behind
    gradio_client.Client.__init__ = connect_with_bearer
