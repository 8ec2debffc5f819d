"""Back-ups of a ledger to which processes write all the while, and what must be in them.

``python -m tests.faults.backups --backups 100`` lets four processes append events and evidence and a fifth
keep heads, backs up at random moments, and restores every back-up. Each must verify with all its heads, hold
every event acknowledged before it was begun, at its place, and be the beginning of what the ledger holds in
the end.

``--postgres`` starts a PostgreSQL server and takes that. ``--plant late`` asks of each back-up what was
acknowledged after it too: the check must find that missing. Prints one line of JSON; the exit code is 1 if
anything is wrong.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before the libraries read it: a process with threads cannot be forked safely
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))

import argparse
import datetime as dt
import gc
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from huanjie_lib.errors import HuanjieError
from huanjie_lib.store.backup import restore, write_backup
from huanjie_lib.store.heads import write_head
from huanjie_lib.store.ledger import open_ledger
from tests.faults.kills import Child, Setting, wait_until, write
from tests.postgres import PostgresServer

PLANTS = ("late",)
WRITERS = 4


def keep_heads(setting: Setting) -> None:
    """Keep the ledger's end as that of today, again and again, as the writer service does."""
    with setting.open() as ledger:
        while os.getppid() == setting.supervisor:
            write_head(ledger, setting.folder / "heads", dt.date(2026, 11, 2))
            time.sleep(0.01)


def acknowledged(setting: Setting) -> dict[str, int]:
    """Return the events that writers saw acknowledged so far; a line that is being written does not count."""
    found: dict[str, int] = {}
    for number in range(WRITERS):
        path = setting.journal(number)
        whole, _, _ = (path.read_bytes() if path.exists() else b"").rpartition(b"\n")
        notes = map(json.loads, whole.splitlines())
        found |= {note["event_id"]: note["sequence"] for note in notes if "sequence" in note}
    return found


def go_on(setting: Setting) -> None:
    """Let writers go on until something more has been acknowledged."""
    before = len(acknowledged(setting))
    wait_until(lambda: len(acknowledged(setting)) > before)


def run(setting: Setting, *, backups: int, pause: float) -> dict[str, object]:
    """Back up while others write, restore, and return figures and problems."""
    rng = Random(setting.seed)
    if Child(lambda: setting.open(create=True)).wait() != 0:
        raise SystemExit("the ledger could not be made")
    gc.freeze()
    children = [Child(lambda n=n: write(setting, n)) for n in range(WRITERS)]
    children.append(Child(lambda: keep_heads(setting)))
    wanted: list[dict[str, int]] = []
    longest = 0.0
    try:
        wait_until(lambda: len(acknowledged(setting)) >= WRITERS)
        for number in range(backups):
            time.sleep(rng.uniform(0, 2 * pause))
            wanted.append(acknowledged(setting))
            begun = time.monotonic()
            evidence = setting.folder / "evidence"
            write_backup(setting.url, setting.folder / f"{number}.zip", evidence=evidence, code_version="0")
            longest = max(longest, time.monotonic() - begun)
            if setting.plant == "late":
                go_on(setting)
                wanted[-1] = acknowledged(setting)
        go_on(setting)
    finally:
        ends = [child.kill() for child in children]
    killed = -signal.SIGKILL
    problems = [f"process {n} ended by itself with {end}" for n, end in enumerate(ends) if end != killed]
    with setting.open() as ledger:
        final = ledger.events().set_index("sequence")
    held = []
    for number, before in enumerate(wanted):
        place = setting.folder / f"restored-{number}"
        try:
            made = restore(setting.folder / f"{number}.zip", place)
            with open_ledger(place) as ledger:
                events = ledger.events().set_index("sequence")
                problems += [f"backup {number}: {fault}" for fault in ledger.verify(made.head)]
        except HuanjieError as error:
            problems.append(f"backup {number}: {error}")
            continue
        held.append(len(events))
        there = dict(zip(events["event_id"], events.index, strict=True))
        lost = [event_id for event_id, at in before.items() if there.get(event_id) != at]
        if lost:
            problems.append(f"backup {number}: {len(lost)} events lost: {lost[:5]}")
        if not events.equals(final.loc[: len(events)]):
            problems.append(f"backup {number}: not the beginning of the ledger")
    return {
        "backups": backups,
        "events": len(final),
        "held": held,
        "acknowledged before": [len(before) for before in wanted],
        "longest": round(longest, 2),
        "problems": problems,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run once, print a line of JSON and return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backups", type=int, default=6)
    parser.add_argument("--pause", type=float, default=0.15, help="seconds between back-ups, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--plant", choices=PLANTS, default="")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="huanjie-backups-") as name:
        folder, server = Path(name), PostgresServer() if asked.postgres else None
        url = f"sqlite:///{folder / 'ledger.db'}"
        try:
            if server is not None:
                server.start()
                url = server.new_database()
            setting = Setting(url, folder, asked.seed, asked.plant)
            found = run(setting, backups=asked.backups, pause=asked.pause)
        finally:
            if server is not None:
                server.stop()
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
