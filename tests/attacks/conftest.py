"""One server, signed on by a proxy, for all attacks; each test leaves it as it was."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from huanjie_lib.store.run_folder import Run
from tests.attacks.attacker import Attacker, Page
from tests.browser.conftest import free_port
from tests.browser.serving import servers

SECRET = "5f0d6c1e" * 8
MOST, MOST_EACH = 4, 2
TOWN, OTHER_TOWN = "990101102", "990101101"
ACCOUNTS = f"""
format: huanjie-accounts/1
accounts:
  - {{account: zhao, office: 石桥镇, role: township, scope: ["{TOWN}"]}}
  - {{account: li, office: 云溪镇, role: township, scope: ["{OTHER_TOWN}"]}}
  - {{account: wang, office: 镇街联络组, role: township}}
  - {{account: chen, office: 市换届办, role: city}}
"""


@dataclass(frozen=True)
class Served:
    """A server that a proxy stands before."""

    url: str
    log: Path
    pid: int

    def stranger(self) -> Attacker:
        """Return somebody who has found the server's own port."""
        return Attacker(self.url)

    def account(self, name: str) -> Attacker:
        """Return an account that the proxy has signed on."""
        return Attacker(self.url, {"X-Huanjie-Proxy": SECRET, "X-Huanjie-Account": name})

    @contextmanager
    def open(self, name: str) -> Iterator[tuple[Attacker, Page]]:
        """Open a page as an account, and close it."""
        viewer = self.account(name)
        page = viewer.page()
        try:
            yield viewer, page
        finally:
            viewer.leave(page)

    def kernels(self) -> dict[str, int]:
        """Return the processes of this server's kernels by number."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                number = re.search(r"kernel-([0-9a-f-]{36})\.json", (folder / "cmdline").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.pid and number:
                found[number[1]] = int(folder.name)
        return found

    @property
    def logged(self) -> str:
        """What stands in the log."""
        return self.log.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Target(Served):
    """One of the overview."""

    run: Run
    other: Path


@contextmanager
def signed_on(folder: Path, accounts: str, *arguments: object) -> Iterator[Served]:
    """Serve a screen to accounts that a proxy signs on."""
    for name, text in (("accounts.yaml", accounts), ("secret", SECRET)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)
    port, log = free_port(), folder / "serve.log"
    with servers() as started:
        url = started.start(
            log,
            *("--port", port, "--public", f"http://127.0.0.1:{port}"),
            *("--accounts", folder / "accounts.yaml", "--proxy-secret", folder / "secret"),
            *arguments,
        )
        yield Served(url, log, started.processes[0].pid)


@pytest.fixture(scope="session")
def target(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of the overview for accounts of townships."""
    if sys.platform == "win32":
        pytest.skip("modes of files are POSIX")
    folder = tmp_path_factory.mktemp("target")
    assert small_run.path is not None
    with signed_on(
        folder,
        ACCOUNTS,
        *("--run", small_run.path, "--role", "township"),
        *("--most-pages", MOST, "--most-pages-each", MOST_EACH),
    ) as served:
        yield Target(served.url, served.log, served.pid, small_run, folder)
