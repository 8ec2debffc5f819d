"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket, with durable settings."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from huanjie_lib.store.ledger import open_ledger

__all__ = ["Accounts", "PostgresServer", "PostgresUnavailableError", "find_programs"]

DEBIAN = Path("/usr/lib/postgresql")
OWNER = "postgres"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "postgresql.md"
REMEDY = "on Debian or Ubuntu: apt-get install postgresql; elsewhere put initdb and postgres on PATH"

#: Durable as in service: a commit is told only after its log is on the disk.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "timezone": "UTC",
}
if sys.platform == "linux":  # after a crash, one sync instead of one for each file; PostgreSQL 14 or newer
    SETTINGS["recovery_init_sync_method"] = "syncfs"


#: Who needs a password: everyone but the superuser.
ACCESS = f"local all {OWNER} trust\nlocal all all scram-sha-256\n"


class PostgresUnavailableError(Exception):
    """No server can be started here; the text says why and what to do."""


def find_programs() -> Path:
    """Return the folder of ``initdb`` and ``postgres``; Debian keeps it off PATH, one a version."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parents[1].name))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise PostgresUnavailableError(f"PostgreSQL is not installed; {REMEDY}")
    return Path(on_path).resolve().parent


@dataclass(frozen=True)
class Accounts:
    """A ledger's addresses for those who own, write and read it, and a file with their passwords."""

    owner: str
    writer: str
    reader: str
    passwords: Path


class PostgresServer:
    """One server; ``start`` it, ask for as many fresh databases as needed, ``stop`` it.

    It ends with the process that started it, even when that is killed. Run by root, it takes the account
    ``postgres``, since the server refuses root.
    """

    def __init__(self) -> None:
        programs = find_programs()
        # Not pytest's folder: that is closed to other accounts, and its path may be too long for a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="huanjie-postgres-"))
        self.log = self.folder / "server.log"
        self._numbers = count(1)
        self._server: subprocess.Popen[bytes] | None = None
        self._postgres = programs / "postgres"
        self._account: dict[str, object] = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            shutil.chown(self.folder, OWNER, OWNER)
            self._account = {"user": OWNER, "group": OWNER, "extra_groups": []}
        made = self._run(
            programs / "initdb",
            *("--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust", f"--username={OWNER}"),
            self.folder / "data",
        )
        if made.returncode != 0:
            shutil.rmtree(self.folder)
            raise PostgresUnavailableError(f"initdb failed: {made.stderr.decode(errors='replace')}")
        (self.folder / "data" / "pg_hba.conf").write_text(ACCESS, encoding="utf-8")

    def _run(self, *command: object) -> subprocess.CompletedProcess[bytes]:
        words = [str(word) for word in command]
        return subprocess.run(words, cwd=self.folder, capture_output=True, check=False, **self._account)  # type: ignore[call-overload]

    @property
    def pid(self) -> int:
        """Process number of the server that the backends belong to."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Start the server and return once it answers, after recovery if it needs any."""
        settings = {**SETTINGS, "unix_socket_directories": str(self.folder)}
        command = [str(self._postgres), "-D", str(self.folder / "data")]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:  # the kernel then stops the server when this process ends in any way
            command = [setpriv, "--pdeathsig", "QUIT", *command]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(  # type: ignore[call-overload]
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._account
            )
        try:
            self.connect(patience=60).close()
        except psycopg.OperationalError as error:
            told = self.log.read_text(encoding="utf-8", errors="replace")
            self.stop()
            raise PostgresUnavailableError(f"the PostgreSQL server did not start:\n{told}") from error

    def halt(self, *, immediate: bool = False) -> None:
        """Stop the server and keep its folder; ``immediate`` drops all work as at a crash."""
        if self._server is not None and self._server.poll() is None:
            # QUIT: nothing more is written, the log is replayed at the next start; INT: an orderly end.
            self._server.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
            try:
                self._server.wait(30)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait(30)

    def stop(self, *, wait: bool = True) -> None:
        """Stop the server and remove its folder, with ``wait=False`` by a process that nobody waits for."""
        self.halt(immediate=True)
        if wait or shutil.which("sh") is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:  # a hundred databases are 30,000 files; orphaned by its shell, the process outlives this one
            words = ["sh", "-c", 'rm -rf -- "$0" &', str(self.folder)]
            quiet = subprocess.DEVNULL
            subprocess.run(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, check=True)

    def connect(self, database: str = "postgres", *, patience: float = 0.0) -> psycopg.Connection:
        """Return a connection as superuser that commits each statement, once the server answers."""
        until = time.monotonic() + patience
        while True:
            try:
                return psycopg.connect(host=str(self.folder), user=OWNER, dbname=database, autocommit=True)
            except psycopg.OperationalError:
                gone = self._server is None or self._server.poll() is not None
                if gone or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def new_database(self, *, on: Path | None = None) -> str:
        """Return the SQLAlchemy address of a fresh, empty database, its tables in the folder ``on``."""
        name = f"test_{next(self._numbers)}"
        with self.connect() as connection:
            where = ""
            if on is not None:
                if self._account:
                    shutil.chown(on, OWNER, OWNER)
                connection.execute(f"CREATE TABLESPACE {name} LOCATION '{on}'")  # type: ignore[call-overload]
                where = f"TABLESPACE {name}"
            connection.execute(f"CREATE DATABASE {name} {where}")  # type: ignore[call-overload]
        return f"postgresql+psycopg://{OWNER}@/{name}?host={self.folder}"

    def new_ledger(self) -> Accounts:
        """Make an empty ledger with three accounts, by the SQL of the page that tells administrators how."""
        page = PAGE.read_text(encoding="utf-8")
        name = f"office_{next(self._numbers)}"
        words = {word: secrets.token_urlsafe(12) for word in ("口令一", "口令二", "口令三")}
        addresses, lines = [], []
        for role, password in zip(("owner", "writer", "reader"), words.values(), strict=True):
            addresses.append(f"postgresql+psycopg://{name}_{role}:{password}@/{name}?host={self.folder}")
            lines.append(f"*:*:{name}:{name}_{role}:{password}\n")
        passwords = self.folder / f"{name}.pgpass"
        passwords.touch(mode=0o600)
        passwords.write_text("".join(lines), encoding="utf-8")
        accounts = Accounts(*addresses, passwords)
        first, last = (
            [
                re.sub("口令.", lambda word: words[word[0]], sql.replace("huanjie", name))
                for sql in block.split(";")
            ]
            for block in re.findall("```sql\n(.*?)```", page, re.DOTALL)
        )
        with self.connect() as connection:
            for statement in first:
                connection.execute(statement)  # type: ignore[call-overload]
        open_ledger(accounts.owner, create=True).close()
        with psycopg.connect(accounts.owner.replace("+psycopg", "")) as connection:
            for statement in last:
                connection.execute(statement)  # type: ignore[call-overload]
        return accounts
