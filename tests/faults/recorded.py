"""A process that keeps a ledger and evidence files in one folder, to be recorded by the watched disk.

``python -m tests.faults.recorded FOLDER EVENTS [WEAKNESS]`` notes each action in ``journal`` before it is
sent and again once it is acknowledged. Twice it closes the ledger and opens it again, which takes SQLite
through a checkpoint and a new log. WEAKNESS takes something away, to prove that power cuts find it:
``NORMAL`` and ``OFF`` are weaker settings of SQLite's ``synchronous``, ``evidence`` never syncs an evidence
file.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.pool import Pool

from huanjie_lib.store.ledger import open_ledger
from tests.faults.kills import Journal, append

CASES = 4
REOPEN_AFTER = (10, 25)


def weaken(weakness: str) -> None:
    """Take something away that keeps acknowledged events safe."""
    if weakness == "evidence":
        os.fsync = lambda _: None  # SQLite syncs by itself
        return

    @event.listens_for(Pool, "checkout")  # after the ledger's own settings, before any transaction
    def lower(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA synchronous={weakness}")


def main(folder: Path, events: int, weakness: str = "") -> None:
    """Make the ledger and append events."""
    if weakness:
        weaken(weakness)
    journal = Journal(folder / "journal")
    ledger = open_ledger(folder / "ledger.db", create=True)
    for number in range(1, events + 1):
        append(ledger, journal, f"e{number:04}", f"case-{number % CASES}")
        if number in REOPEN_AFTER:
            ledger.close()
            ledger = open_ledger(folder / "ledger.db")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
