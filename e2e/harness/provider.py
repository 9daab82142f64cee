"""The stand-in for Descope, in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.net import ask
from harness.process import Process


@dataclass(frozen=True)
class Provider:
    process: Process
    issuer: str
    control: str
    project_id: str
    client_id: str
    client_secret: str

    def order(self, action: str, **fields: Any) -> dict[str, Any]:
        """Has the provider do something; e2e/provider/control.go lists actions and fields."""
        answer = ask(
            "POST",
            f"{self.control}/{action}",
            headers={"Content-Type": "application/json"},
            body=json.dumps(fields).encode(),
        )
        assert answer.status == 200, (action, fields, answer.body)
        return answer.json()


@contextmanager
def running_provider(binary: Path, *flags: str) -> Iterator[Provider]:
    """A provider that is told how it shall be, see `provider -h`."""
    process = Process("provider", [binary, *flags])
    try:
        told = json.loads(process.wait_for_line(r"^\{.*\}$").group(0))
        yield Provider(process, **told)
    finally:
        process.stop()
