"""Eight writers under random SIGKILL: every acknowledged event is there, none twice, the ledger verifies.

Ten thousand kills: ``python -m tests.faults.kills --kills 10000``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import report_of
from tests.faults.kills import Journal
from tests.postgres import PostgresServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="writers are forked")


def killed(*options: object) -> dict[str, Any]:
    return report_of("tests.faults.kills", *options)


def assert_unharmed(found: dict[str, Any], kills: int) -> None:
    assert found["problems"] == []
    assert (found["kills"], found["writers"]) == (kills, 8)
    assert found["acknowledged"] == found["events"] > kills
    assert found["struck while appending"] > kills / 3


def test_sqlite_survives_two_hundred_kills() -> None:
    found = killed("--kills", 200)
    assert_unharmed(found, 200)
    assert found["struck after the commit"] > 0  # sent again though it was recorded


def test_postgresql_survives_kills_of_writers_backends_and_the_server(
    postgres_server: PostgresServer,
) -> None:
    del postgres_server  # asked for so that a machine without PostgreSQL skips; the run starts its own
    found = killed("--kills", 60, "--postgres", "--server-faults", 12)
    assert_unharmed(found, 60)
    assert all(found[fault] > 0 for fault in ("terminate", "kill", "crash"))


@pytest.mark.parametrize(("plant", "told"), [("acknowledge-first", "lost"), ("new-id", "doubled")])
def test_a_writer_that_breaks_the_rules_is_found(plant: str, told: str) -> None:
    found = killed("--kills", 40, "--plant", plant)
    assert any(told in problem for problem in found["problems"])


def test_a_postgresql_that_acknowledges_too_early_is_found(postgres_server: PostgresServer) -> None:
    del postgres_server
    found = killed("--kills", 12, "--postgres", "--server-faults", 8, "--plant", "lazy-commit")
    assert any("lost" in problem for problem in found["problems"])


def test_a_line_that_a_kill_tore_was_never_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).acknowledge("1-1", 7)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event_id": "1-2", "act')
    journal = Journal(path)
    assert journal.last == {"event_id": "1-1", "sequence": 7}
    journal.acknowledge("1-3", 8)
    assert journal.read()[1] == {"1-1": 7, "1-3": 8}
    path.write_bytes(b'{"event')
    assert Journal(path).last == {}
