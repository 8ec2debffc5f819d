"""The command line and the servers that it starts, for tests that drive a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["Servers", "huanjie", "servers"]

_UP_WITHIN_S = 180
_ENDS_WITHIN_S = 120


def huanjie(*arguments: str | Path) -> str:
    """Run a command and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "huanjie_lib", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Servers:
    """Servers that ``huanjie serve`` starts."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, log: Path, *arguments: object) -> str:
        """Start a server that logs to a file, and return the address that it tells."""
        command = [sys.executable, "-m", "huanjie_lib", "serve", *map(str, arguments)]
        with log.open("wb") as sink:
            process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)
        self._started.append(process)
        until = time.monotonic() + _UP_WITHIN_S
        while time.monotonic() < until and process.poll() is None:
            told = re.search(r"https?://\S+", log.read_text(encoding="utf-8"))
            if told:
                return told[0]
            time.sleep(0.1)
        pytest.fail(f"the screen was not served:\n{log.read_text(encoding='utf-8')}")

    @property
    def processes(self) -> tuple[subprocess.Popen[bytes], ...]:
        """The servers, in the order they were started."""
        return tuple(self._started)

    def end(self) -> None:
        """End all of them as Ctrl-C does; one that does not end is killed and reported."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._started:
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(_ENDS_WITHIN_S)
                pytest.fail("a server did not end")


@contextmanager
def servers() -> Iterator[Servers]:
    """Have servers for a while."""
    found = Servers()
    yield found
    found.end()
