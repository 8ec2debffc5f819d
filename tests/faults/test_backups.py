"""Back-ups taken while four processes write restore to ledgers that check and lack nothing acknowledged.

A hundred: ``python -m tests.faults.backups --backups 100``.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.faults.conftest import report_of
from tests.postgres import PostgresServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="writers are forked")


def backed_up(*options: object) -> dict[str, Any]:
    return report_of("tests.faults.backups", *options)


def assert_whole(found: dict[str, Any]) -> None:
    assert found["problems"] == []
    assert len(found["held"]) == found["backups"]
    assert found["held"][-1] >= found["acknowledged before"][-1] > 0
    assert found["events"] > found["held"][0]  # others wrote on


def test_sqlite_is_backed_up_while_others_write() -> None:
    assert_whole(backed_up("--backups", 2))


def test_postgresql_is_backed_up_while_others_write(postgres_server: PostgresServer) -> None:
    del postgres_server  # asked for so that a machine without PostgreSQL skips; the run starts its own
    assert_whole(backed_up("--backups", 1, "--postgres"))


def test_events_that_a_backup_lacks_are_found() -> None:
    found = backed_up("--backups", 1, "--plant", "late")
    assert any("lost" in problem for problem in found["problems"])
