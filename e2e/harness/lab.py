"""Every generation of Gradio behind one Gatehouse, three times each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.browser import Visitor
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import free_ports
from harness.process import Process
from harness.provider import Provider
from harness.sampler import (
    ELSEWHERE,
    GENERATIONS,
    STUDIO,
    WRONG_STYLESHEET,
    Generation,
    wait_for_sampler,
)


@dataclass(frozen=True)
class Lab:
    house: Gatehouse
    apps: dict[Generation, Process]

    @property
    def process(self) -> Process:
        return self.house.process


def everybodys(generation: Generation) -> str:
    """Where the app stands for whoever has signed in."""
    return f"/lab/gradio-{generation.name}"


def admins(generation: Generation) -> str:
    """Where the same app stands for administrators alone."""
    return f"/admin/gradio-{generation.name}"


def opened(generation: Generation) -> str:
    """Where it stands with the account menu, for scripts too."""
    return f"/open/gradio-{generation.name}"


def routes_to(generation: Generation, port: int) -> str:
    return f"""\
  - path: {everybodys(generation)}
    upstream: http://127.0.0.1:{port}
    allow: authenticated
  - path: {admins(generation)}
    upstream: http://127.0.0.1:{port}
    allow:
      - tenant: T2acme
        roles: [Tenant Admin]
  - path: {opened(generation)}
    title: Gradio {generation.name}
    upstream: http://127.0.0.1:{port}
    allow: authenticated
    account_menu: true
    bearer: true
"""


@contextmanager
def running_lab(binary: Path, folder: Path, provider: Provider) -> Iterator[Lab]:
    ports = dict(zip(GENERATIONS, free_ports(len(GENERATIONS))))
    apps: dict[Generation, Process] = {}
    try:
        for generation, port in ports.items():
            apps[generation] = generation.start(port, script=STUDIO, GRADIO_MCP_SERVER="True")
        for generation, port in ports.items():
            wait_for_sampler(apps[generation], port)
        routes = "".join(routes_to(generation, port) for generation, port in ports.items())
        with running_gatehouse(
            binary, folder, provider, routes, session_tokens=True
        ) as house:
            yield Lab(house, apps)
    finally:
        for process in apps.values():
            process.stop()


def somebody(
    new_visitor: Callable[..., Visitor], lab: Lab, provider: Provider, generation: Generation
) -> Visitor:
    """Somebody who does not mind what this generation does wrong without a proxy, too."""
    visitor = new_visitor(lab.house.url, provider.issuer)
    visitor.without(ELSEWHERE)
    if generation.name == "4.44":
        visitor.overlook(WRONG_STYLESHEET)
    if generation.api:
        # A stream that the page itself hangs up on, it sometimes calls an error.
        visitor.overlook(r"^console: AbortError: signal is aborted without reason")
    if generation.name == "5.49":
        # Its page asks for an upload's progress before the upload has a name, and says on
        # the console when its player waits for the next second of a stream.
        visitor.overlook(r"/upload_progress\?upload_id=undefined$")
        visitor.overlook(r"^console: HLS error: .* bufferStalledError")
        visitor.expect_on_console("Response")
    return visitor
