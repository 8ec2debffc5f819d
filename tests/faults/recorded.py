"""A process that keeps a ledger and evidence files in one folder, to be recorded by the watched disk.

``python -m tests.faults.recorded FOLDER EVENTS [WEAKNESS]`` notes each action in ``journal`` before it is
sent and again once it is acknowledged. Twice it closes the ledger and opens it again, which takes SQLite
through a checkpoint and a new log; once it publishes a run that opens twenty cases. WEAKNESS takes something
away, to prove that power cuts find it: ``NORMAL`` and ``OFF`` are weaker settings of SQLite's
``synchronous``, ``evidence`` never syncs an evidence file.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pandas as pd
from sqlalchemy import event
from sqlalchemy.pool import Pool

from huanjie_lib.store.ledger import PublishedRun, open_ledger
from tests.faults.histories import OPENED_ON, opening
from tests.faults.kills import Journal, append

CASES = 4
REOPEN_AFTER = (10, 25)
PUBLISH_AFTER = 15


def weaken(weakness: str) -> None:
    """Take something away that keeps acknowledged events safe."""
    if weakness == "evidence":
        os.fsync = lambda _: None  # SQLite syncs by itself
        return

    @event.listens_for(Pool, "checkout")  # after the ledger's own settings, before any transaction
    def lower(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA synchronous={weakness}")


def published() -> PublishedRun:
    """Return a run of some units, which is recorded together with the cases it opens or not at all."""
    codes = [f"990101101{unit:03}" for unit in range(201, 301)]
    index = pd.DataFrame({"unit_code": codes, "index": 52.1, "level": "red"})
    return PublishedRun("ab" * 32, OPENED_ON, "2026.1", "bureau", index, [f"level/{code}" for code in codes])


def main(folder: Path, events: int, weakness: str = "") -> None:
    """Make the ledger and append events."""
    if weakness:
        weaken(weakness)
    journal = Journal(folder / "journal")
    ledger = open_ledger(folder / "ledger.db", create=True)
    for number in range(1, events + 1):
        append(ledger, journal, f"e{number:04}", f"case-{number % CASES}")
        if number == PUBLISH_AFTER:
            openings = [opening(f"p{n}", f"published-{n}") for n in range(20)]
            for action in openings:
                journal.intend(action)
            for recorded in ledger.publish(published(), openings):
                journal.acknowledge(recorded.action.event_id, recorded.sequence)
        if number in REOPEN_AFTER:
            ledger.close()
            ledger = open_ledger(folder / "ledger.db")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
