"""The programs that a page of the documentation shows, run as a reader runs them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.dashboards import ROOT

NODE_MODULES = ROOT / ".cache" / "js-e2e" / "node_modules"


def shown(page: str, language: str) -> list[str]:
    """Every block of this language on docs/<page>, from top to bottom."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def command(page: str, instead: Mapping[str, str]) -> list[str]:
    """The one command on docs/<page>, with some of its words replaced; each has to be there."""
    (block,) = shown(page, "sh")
    words = shlex.split(block.replace("\\\n", " "))
    missing = instead.keys() - set(words)
    if missing:
        raise ValueError(f"docs/{page} does not say {missing}")
    return [instead.get(word, word) for word in words]


def run_python(
    program: str, folder: Path, env: Mapping[str, str], python: Path = Path(sys.executable)
) -> subprocess.CompletedProcess[str]:
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    return _run([str(python), str(file)], folder, env)


def run_node(
    program: str, folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(NODE_MODULES, target_is_directory=True)
    file = folder / "program.mjs"
    file.write_text(program, encoding="utf-8")
    return _run(["node", str(file)], folder, env)


def run_shell(
    script: str, folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return _run(["sh", "-ec", script], folder, env)


def _run(
    argv: list[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs in folder, with nothing of this environment but what every program needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        argv,
        cwd=folder,
        env={**kept, "GRADIO_TEMP_DIR": str(folder / "gradio"), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
