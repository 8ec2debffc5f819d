"""A ledger that somebody else holds: told by name in time, nothing recorded, and later the action succeeds.

Whoever holds it is another process or connection, as a stuck writer, a backup or an administrator would be.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

from huanjie_lib.errors import LedgerBusyError
from huanjie_lib.store.engine import POSTGRES_LOCK
from huanjie_lib.store.ledger import Ledger, open_ledger
from tests.faults.histories import next_action
from tests.postgres import PostgresServer

TIMEOUT = 0.3
LATE = 30.0  # seconds; far from waiting forever, even on a busy machine

Hold = Callable[[str], AbstractContextManager[None]]

HOLDERS = {
    "the file lock": "import filelock\nlock = filelock.FileLock(path + '.lock')\nlock.acquire()\n",
    "a transaction": "c = sqlite3.connect(path, isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\n",
    "a changed page": (
        "c = sqlite3.connect(path, isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\n"
        "c.execute(\"INSERT INTO meta VALUES ('a', 'b')\")\n"
    ),
}
STATEMENTS = {
    "the advisory lock": f"SELECT pg_advisory_xact_lock({POSTGRES_LOCK})",
    "a table": "LOCK TABLE case_events IN ACCESS EXCLUSIVE MODE",
    "the case's row": "UPDATE cases SET title = title",
}


@contextmanager
def process(code: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that holds something until it is ended."""
    code += "print('held', flush=True)\nsys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import sys\nfrom pysqlite3 import dbapi2 as sqlite3\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


@contextmanager
def held_file(url: str, what: str) -> Iterator[None]:
    with process(f"path = {url.removeprefix('sqlite:///')!r}\n{HOLDERS[what]}"):
        yield


@contextmanager
def held_server(server: PostgresServer, url: str, what: str) -> Iterator[None]:
    database = url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(host=str(server.folder), user="postgres", dbname=database) as connection:
        connection.execute(STATEMENTS[what])  # type: ignore[call-overload]
        yield
        connection.rollback()


@pytest.fixture
def holding(url: str, request: pytest.FixtureRequest) -> Hold:
    """Return a function that holds one thing of the ledger."""
    if url.startswith("sqlite"):
        return lambda what: held_file(url, what)
    server = request.getfixturevalue("postgres_server")
    return lambda what: held_server(server, url, what)


@pytest.fixture
def held_things(url: str) -> tuple[str, ...]:
    return tuple(HOLDERS if url.startswith("sqlite") else STATEMENTS)


def test_whatever_is_held_is_told_in_time_and_the_action_goes_through_later(
    opened: Callable[..., Ledger], holding: Hold, held_things: tuple[str, ...]
) -> None:
    ledger = opened(timeout=TIMEOUT)
    ledger.append(next_action(None, event_id="e0", case_id="C1", evidence=ledger.evidence))
    for number, what in enumerate(held_things, start=1):
        case = ledger.case("C1")
        action = next_action(case, event_id=f"e{number}", case_id="C1", evidence=ledger.evidence)
        with holding(what):
            began = time.monotonic()
            with pytest.raises(LedgerBusyError, match="正忙") as caught:
                ledger.append(action)
            assert TIMEOUT * 0.5 < time.monotonic() - began < LATE, what
            assert caught.value.faults[0].remedy
        assert ledger.head().sequence == number, what
        assert ledger.append(action).sequence == number + 1
        assert ledger.append(action).sequence == number + 1
    assert ledger.verify() == []


def test_reading_goes_on_while_somebody_writes(
    opened: Callable[..., Ledger], holding: Hold, held_things: tuple[str, ...]
) -> None:
    ledger = opened(timeout=TIMEOUT)
    ledger.append(next_action(None, event_id="e0", case_id="C1", evidence=ledger.evidence))
    for what in held_things:
        if what != "a table":  # an administrator's lock, which no writer takes
            with holding(what):
                assert ledger.case("C1").version == 1
                assert opened().head().sequence == 1


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = open_ledger(file, create=True, timeout=LATE)
    for number, what in enumerate(HOLDERS):
        action = next_action(None, event_id=f"e{number}", case_id=f"C{number}", evidence=ledger.evidence)
        with held_file(f"sqlite:///{file}", what):
            pass  # ended by SIGKILL
        assert ledger.append(action).sequence == number + 1
    assert ledger.verify() == []
    ledger.close()
