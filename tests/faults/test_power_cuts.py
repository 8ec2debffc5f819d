"""Power cuts: whatever a disk holds of what was not synced, every acknowledged event is there, once.

A process keeps a real ledger and real evidence files while every write and sync is recorded. Disks as power
cuts may leave them are then rebuilt from the recording and opened as after a restart. That a loss would be
noticed is shown by recordings with weaker settings, which must lose something.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from huanjie_lib.casework.events import Action
from huanjie_lib.errors import HuanjieError
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.vocabulary import CaseEvent
from tests.faults.disk import MODES, Disk, Operation, read_log, watched
from tests.faults.recorded import published

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 160  # enough for SQLite to fill its log, fold it into the file and begin it anew


@dataclass
class Recording:
    """A recorded process: its folder as it left it, and its operations without those of its journal."""

    root: Path
    operations: list[Operation] = field(default_factory=list)
    intended: list[tuple[int, Action]] = field(default_factory=list)  # (operations before it, action)
    acknowledged: list[tuple[int, str]] = field(default_factory=list)

    def known(self, at: int) -> tuple[set[str], list[Action]]:
        """Return the events acknowledged, and those asked for but not acknowledged, before an operation."""
        acknowledged = {event_id for place, event_id in self.acknowledged if place <= at}
        asked = [action for place, action in self.intended if place <= at]
        return acknowledged, [action for action in asked if action.event_id not in acknowledged]


def record(shim: Path, folder: Path, *, events: int = EVENTS, weakness: str = "") -> Recording:
    root = folder / "root"
    root.mkdir()
    command = [sys.executable, "-m", "tests.faults.recorded", str(root), str(events)]
    command += [weakness] if weakness else []
    subprocess.run(command, cwd=ROOT, env=watched(shim, root, folder / "log"), check=True)
    recording = Recording(root)
    journal = None
    for operation in read_log(folder / "log"):
        if operation.kind == "c" and operation.path.endswith("/journal"):
            journal = operation.inode
        elif operation.inode == journal and operation.kind == "w":
            note, at = json.loads(operation.data), len(recording.operations)
            if "action" in note:
                recording.intended.append((at, Action.from_json(note["action"])))
            else:
                recording.acknowledged.append((at, note["event_id"]))
        else:
            recording.operations.append(operation)
    assert len(recording.acknowledged) >= events
    return recording


def lay_out(files: dict[str, bytearray], folder: Path, rng: Random) -> None:
    """Write what the disk holds; the index of a log is shared memory, never synced: it may be anything."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("-shm"):
            content = rng.choice((b"", bytes(len(content)), rng.randbytes(len(content))))
        path.write_bytes(content)


def after_a_restart(recording: Recording, at: int, folder: Path) -> list[str]:
    """Open what a cut left, as after a restart, and return everything that is wrong."""
    acknowledged, pending = recording.known(at)
    ledger = open_ledger(folder / "ledger.db", create=not acknowledged)
    try:
        events = ledger.events()
        there = set(events["event_id"])
        asked = {action.event_id for action in pending}
        wrong = [f"lost: {event_id}" for event_id in sorted(acknowledged - there)]
        wrong += [f"never asked for: {event_id}" for event_id in sorted(there - acknowledged - asked)]
        wrong += [f"twice: {event_id}" for event_id in events["event_id"][events["event_id"].duplicated()]]
        if 0 < len(asked & there) < len(asked):
            wrong.append("a run was published by half")
        wrong += [str(fault) for fault in ledger.verify()]
        for text in events.loc[events["event"] == CaseEvent.RECTIFY.value, "payload"]:
            for item in json.loads(text)["evidence"]:
                if not ledger.evidence.holds(item["digest"], item["bytes"]):
                    wrong.append(f"lost: evidence {item['digest']}")
        if len(pending) == 1:
            ledger.append(pending[0])
        elif pending:
            ledger.publish(published(), pending)
        wrong += [str(fault) for fault in ledger.verify()]
        if ledger.head().sequence != len(acknowledged | asked):
            wrong.append("what was sent again is not there once")
    finally:
        ledger.close()
    return wrong


def cuts(recording: Recording, tries: int, rng: Random) -> Iterator[tuple[int, dict[str, bytearray]]]:
    """Yield the number of operations before each cut and what it left, half of them next to a sync."""
    count = len(recording.operations)
    syncs = [place for place, operation in enumerate(recording.operations) if operation.kind == "s"]
    near = [min(count, rng.choice(syncs) + rng.choice((0, 1))) for _ in range(tries // 2)]
    anywhere = [rng.randrange(count + 1) for _ in range(tries - len(near))]
    disk, done = Disk(recording.root), 0
    for number, at in enumerate(sorted(near + anywhere)):
        for operation in recording.operations[done:at]:
            disk.follow(operation)
        done = at
        yield at, disk.after_a_cut(MODES[number % len(MODES)], rng)


def cut_off(recording: Recording, folder: Path, *, tries: int, seed: int) -> dict[int, list[str]]:
    """Return what is wrong after each cut, by the operation it struck at."""
    rng = Random(seed)
    wrong: dict[int, list[str]] = {}
    for number, (at, files) in enumerate(cuts(recording, tries, rng)):
        place = folder / str(number)
        place.mkdir(parents=True)
        lay_out(files, place, rng)
        try:
            found = after_a_restart(recording, at, place)
        except (HuanjieError, OSError) as error:
            what = "lost: everything" if recording.known(at)[0] else "cannot be made anew"
            found = [f"{what}: {type(error).__name__}: {error}"]
        shutil.rmtree(place)
        if found:
            wrong[at] = found
    return wrong


@pytest.fixture(scope="module")
def durable(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record(shim, tmp_path_factory.mktemp("durable"))


def test_the_recording_is_whole(durable: Recording) -> None:
    disk = Disk(durable.root)
    for operation in durable.operations:
        disk.follow(operation)
    kept = disk.after_a_cut("kept", Random(1))
    there = {
        path.relative_to(durable.root).as_posix(): path.read_bytes()
        for path in durable.root.rglob("*")
        if path.is_file() and path.name != "journal"
    }
    assert kept.keys() == there.keys()
    assert [name for name in kept if not name.endswith("-shm") and kept[name] != there[name]] == []


def test_the_recording_takes_sqlite_through_everything(durable: Recording) -> None:
    logs = [n for n, o in enumerate(durable.operations) if o.kind == "c" and o.path.endswith("-wal")]
    assert len(logs) >= 2  # folded into the file and made anew by a reopening
    last = durable.operations[logs[-1]].inode
    beginnings = [o for o in durable.operations[logs[-1] :] if (o.kind, o.inode, o.offset) == ("w", last, 0)]
    assert len(beginnings) >= 2  # full, folded and begun anew


def test_no_acknowledged_event_is_lost(durable: Recording, tmp_path: Path) -> None:
    assert cut_off(durable, tmp_path, tries=160, seed=1) == {}


@pytest.mark.parametrize("weakness", ["NORMAL", "OFF", "evidence"])
def test_weaker_settings_lose_what_was_acknowledged(shim: Path, tmp_path: Path, weakness: str) -> None:
    weak = record(shim, tmp_path, events=50, weakness=weakness)
    wrong = cut_off(weak, tmp_path / "cuts", tries=16, seed=1)
    assert any(line.startswith("lost") for found in wrong.values() for line in found)
