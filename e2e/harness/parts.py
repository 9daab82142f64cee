"""Servers of different habits, each of which has a part for administrators.

Under a server's own name, and again at its root, lie the members' part and in it the
admin's. Every answer says whose part it is from, as that server reads the path.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.dashboards import ROOT
from harness.net import free_ports, wait_until_good
from harness.process import Process
from harness.sampler import installed

PARTS = ROOT / "e2e" / "parts"
PROGRAMS = {
    "gradio": "asgi",
    "starlette": "asgi",
    "starlette-files": "asgi",
    "tornado": "tornado",
    "tornado-files": "tornado",
    "node": "node",
    "mux": "mux",
    "mux-files": "mux",
    "old-mux": "old-mux",
    "wsgi": "stdlib",
    "http-server": "stdlib",
}
SERVERS_OF_FILES = ("starlette-files", "tornado-files", "mux-files", "http-server")


def plant(tree: Path) -> None:
    """Files for the servers of files: a members' tree with the admin's folder in it."""
    for name in ("", *PROGRAMS):
        for folder, part in ((tree / name, "members"), (tree / name / "admin", "admin")):
            folder.mkdir(exist_ok=True)
            for file in ("index.html", "secret"):
                (folder / file).write_text(f"part: {part}")


@contextmanager
def running_parts(tree: Path, mux: Path) -> Iterator[dict[str, int]]:
    """All servers, as their names and ports."""
    plant(tree)
    ports = dict(zip(PROGRAMS, free_ports(len(PROGRAMS))))
    orders: dict[str, list[str]] = {}
    for name, program in PROGRAMS.items():
        files = f":{tree}" if name in SERVERS_OF_FILES else ""
        orders.setdefault(program, []).append(f"{name}={ports[name]}{files}")
    argv: dict[str, list[str | Path]] = {
        "asgi": [sys.executable, PARTS / "asgi.py"],
        "tornado": [installed("jupyter"), PARTS / "tornado_app.py"],
        "node": ["node", PARTS / "node.mjs"],
        "mux": [mux],
        "old-mux": [mux],
        "stdlib": [sys.executable, PARTS / "stdlib.py"],
    }
    processes = {
        program: Process(
            program,
            [*argv[program], *given],
            env={"GODEBUG": "httpmuxgo121=1"} if program == "old-mux" else None,
        )
        for program, given in orders.items()
    }
    try:
        for name, port in ports.items():
            url = f"http://127.0.0.1:{port}/{name}/admin/"
            wait_until_good(url, processes[PROGRAMS[name]], within=180)
        yield ports
    finally:
        for process in processes.values():
            process.stop()
