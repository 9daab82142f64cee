"""A program under test: started, read line by line, stopped with all its children."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class Process:
    """One running program and everything that it has printed.

    It leads a process group of its own, so that stop() reaches its children too.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._popen = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def output(self) -> str:
        with self._news:
            return "\n".join(self._lines)

    def wait_for_line(self, pattern: str, *, within: float = 30.0) -> re.Match[str]:
        """Returns the first match in the output, be it printed already or yet to come."""
        deadline = time.monotonic() + within
        seen = 0
        with self._news:
            while True:
                for line in self._lines[seen:]:
                    if match := re.search(pattern, line):
                        return match
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"ran {within:g} s"
                    said = "\n".join(self._lines)
                    raise AssertionError(f"{self.name} {why} without printing {pattern!r}:\n{said}")
                self._news.wait(left)

    def wait_until(self, said: Callable[[str], bool], *, within: float = 30.0) -> None:
        """Returns once what has been printed is what said wants."""
        deadline = time.monotonic() + within
        with self._news:
            while not said("\n".join(self._lines)):
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    lines = "\n".join(self._lines)
                    raise AssertionError(f"{self.name} never said what was awaited:\n{lines}")
                self._news.wait(left)

    def interrupt(self) -> None:
        """Presses Ctrl-C: the whole foreground group of a terminal gets it."""
        os.killpg(self._popen.pid, signal.SIGINT)

    def wait(self, *, within: float = 15.0) -> int:
        """Returns the exit code once the program ended by itself."""
        return self._popen.wait(timeout=within)

    def stop(self, *, within: float = 10.0) -> None:
        """Asks the program to end, and ends whatever is left of its group."""
        if self.running:
            self._popen.terminate()
            try:
                self._popen.wait(timeout=within)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait()
        self._reader.join(timeout=5)
