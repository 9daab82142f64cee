"""Streamlit and JupyterLab, started as their pages in docs/ say."""

from __future__ import annotations

import json
from pathlib import Path

from harness.dashboards import ROOT
from harness.docs import command
from harness.net import Answer, ask, wait_until_good
from harness.process import Process

STREAMLIT = "/lab/streamlit"
JUPYTER = "/lab/jupyter"

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "answer",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": "print('the answer is', 6 * 7)",
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


def start_streamlit(port: int) -> Process:
    """As docs/streamlit.md says, under another prefix, and with nothing that would call home."""
    return Process(
        "streamlit",
        [
            *command(
                "streamlit.md",
                {
                    "streamlit": str(ROOT / ".cache" / "venv-streamlit" / "bin" / "streamlit"),
                    "app.py": str(ROOT / "e2e" / "apps" / "streamlit_app.py"),
                    "--server.baseUrlPath=streamlit": f"--server.baseUrlPath={STREAMLIT}",
                },
            ),
            *("--server.port", str(port)),
            *("--browser.gatherUsageStats", "false"),
        ],
    )


def wait_for_streamlit(process: Process, port: int) -> None:
    wait_until_good(f"http://127.0.0.1:{port}{STREAMLIT}/_stcore/health", process)


def start_jupyter(port: int, folder: Path) -> Process:
    """As docs/jupyter.md says, under another prefix, in a folder with one notebook.

    As root, and with nothing that would call home.
    """
    (folder / "answer.ipynb").write_text(json.dumps(NOTEBOOK))
    home = folder / "home"
    home.mkdir()
    settings = {
        "ServerApp": {
            "port": port,
            "port_retries": 0,
            "allow_root": True,
            "root_dir": str(folder),
        },
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        },
    }
    (folder / "jupyter_config.json").write_text(json.dumps(settings))
    return Process(
        "jupyter",
        [
            *command(
                "jupyter.md",
                {
                    "jupyter": str(ROOT / ".cache" / "venv-jupyter" / "bin" / "jupyter"),
                    "--ServerApp.base_url=/jupyter/": f"--ServerApp.base_url={JUPYTER}/",
                },
            ),
            *("--config", folder / "jupyter_config.json"),
        ],
        env={"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)},
        cwd=folder,
    )


def wait_for_jupyter(process: Process, port: int) -> None:
    wait_until_good(f"http://127.0.0.1:{port}{JUPYTER}/api/status", process)


def shake_hands(url: str, origin: str, cookie: str, protocol: str = "") -> Answer:
    """Asks for a WebSocket as a browser on a page of origin does. 101: it is open."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": origin,
        "Cookie": cookie,
    }
    if protocol:
        headers["Sec-WebSocket-Protocol"] = protocol
    return ask("GET", url, headers=headers)
