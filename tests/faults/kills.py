"""Writers that are killed at any moment, and what the ledger must hold afterwards.

``python -m tests.faults.kills --kills 10000`` lets eight processes append to cases of their own and to shared
ones, kills one of them with SIGKILL at a random moment, starts it again, and so on. A started writer first
sends the action that it had not seen acknowledged, with the same id, as a client does that lost its
connection. In the end every acknowledged event must be there exactly once and the ledger must verify.

``--postgres`` starts a PostgreSQL server and takes that; ``--server-faults N`` then also ends, kills and
restarts the server's side that many times, in turn. ``--plant`` breaks a writer on purpose: the check must
find it. However slow the machine is, most kills strike a writer that has come as far as asking for something,
some writers die by themselves between a commit and its acknowledgement, and a fault of the server comes just
after an acknowledgement.
Prints one line of JSON; the exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before the libraries read it: a process with threads cannot be forked safely
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))

import argparse
import dataclasses
import gc
import itertools
import json
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Engine, event

from huanjie_lib.casework.cases import Case, cases_frame, replay
from huanjie_lib.casework.events import Action
from huanjie_lib.errors import EventClashError, LedgerError, StaleVersionError, TransitionError
from huanjie_lib.store.ledger import Ledger, open_ledger, utc_now
from tests.faults.histories import next_action
from tests.postgres import PostgresServer

PLANTS = ("acknowledge-first", "new-id", "lazy-commit")
SERVER_FAULTS = ("terminate", "kill", "crash")
SHARED_CASES = 3
PATIENCE = 60.0  # seconds that a writer waits for a server to come back


@dataclass(frozen=True)
class Setting:
    """Where writers write, and how."""

    url: str
    folder: Path
    seed: int
    plant: str = ""
    mortal: bool = False
    """Whether writers die by themselves now and then, to be started again."""
    supervisor: int = field(default_factory=os.getpid)

    def open(self, *, create: bool = False) -> Ledger:
        """Open the ledger, its evidence files beside the journals."""
        return open_ledger(self.url, create=create, evidence=self.folder / "evidence")

    def journal(self, writer: int) -> Path:
        """The file in which a writer notes what it asks for and what was acknowledged."""
        return self.folder / f"writer-{writer}.jsonl"

    def noted(self, writer: int) -> int:
        """Return how many bytes a writer has noted."""
        path = self.journal(writer)
        return path.stat().st_size if path.exists() else 0

    def acknowledgements(self, writers: int) -> int:
        """Return how many acknowledgements writers have noted."""
        paths = [self.journal(number) for number in range(writers)]
        return sum(path.read_bytes().count(b'"sequence"') for path in paths if path.exists())


TAIL = 1 << 16
"""Bytes at the end of a journal that hold its last line in any case."""


class Journal:
    """What one writer intended and saw acknowledged, a line each.

    A kill may tear a line that crosses a page of the file: a last line without its end was never written, so
    the action was not sent, or its acknowledgement not seen. Opened only while its writer is not running.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last: dict[str, Any] = {}
        self._descriptor: int | None = None
        if path.exists():
            with path.open("r+b") as file:
                start = max(0, path.stat().st_size - TAIL)
                file.seek(start)
                whole, end, _torn = file.read().rpartition(b"\n")
                file.truncate(start + len(whole) + len(end))
            self.last = json.loads(whole.splitlines()[-1]) if whole else {}

    def _note(self, **note: object) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._descriptor, (json.dumps(note) + "\n").encode())
        self.last = note

    def intend(self, action: Action) -> None:
        """Note an action before it is sent."""
        self._note(event_id=action.event_id, action=action.to_json())

    def acknowledge(self, event_id: str, sequence: int | None) -> None:
        """Note that the ledger returned."""
        self._note(event_id=event_id, sequence=sequence)

    @property
    def pending(self) -> Action | None:
        """The action asked for last, if it was not acknowledged."""
        return Action.from_json(self.last["action"]) if "action" in self.last else None

    def read(self) -> tuple[set[str], dict[str, int | None]]:
        """Return the events asked for, and the sequence of those acknowledged, over all lives."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        notes = [json.loads(line) for line in lines]
        intended = {note["event_id"] for note in notes if "action" in note}
        return intended, {note["event_id"]: note["sequence"] for note in notes if "sequence" in note}


# ---------------------------------------------------------------- one writer


def write(setting: Setting, number: int, *, only_pending: bool = False) -> None:
    """Append events until killed, or until the supervisor is gone.

    ``only_pending`` ends after the one that was not acknowledged.
    """
    journal = Journal(setting.journal(number))
    pending = journal.pending
    if pending is None and only_pending:
        return
    if setting.plant == "lazy-commit":
        commit_lazily()
    ledger = connect(setting)
    step = int(journal.last["event_id"].partition("_")[0].rpartition("-")[2]) if journal.last else 0
    while os.getppid() == setting.supervisor:
        if pending is not None:
            if setting.plant == "new-id":
                pending = dataclasses.replace(pending, event_id=f"{pending.event_id}_again")
            append(ledger, journal, pending.event_id, pending.case_id, pending, setting.plant)
        if only_pending:
            return
        pending = None
        step += 1
        rng = Random(f"{setting.seed} {number} {step}")
        own = rng.random() < 0.5
        case_id = f"own-{number}-{step // 40}" if own else f"shared-{rng.randrange(SHARED_CASES)}"
        append(ledger, journal, f"w{number}-{step:06}", case_id, plant=setting.plant, mortal=setting.mortal)


def commit_lazily() -> None:
    """Let PostgreSQL acknowledge commits whose log is not on the disk yet."""

    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def lazily(
        _connection: object, _cursor: object, statement: str, parameters: object, *_: object
    ) -> tuple[str, object]:
        return statement.replace("synchronous_commit = on", "synchronous_commit = off"), parameters


def connect(setting: Setting) -> Ledger:
    """Return the opened ledger, once the server answers."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return setting.open()
        except LedgerError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def append(
    ledger: Ledger,
    journal: Journal,
    event_id: str,
    case_id: str,
    pending: Action | None = None,
    plant: str = "",
    *,
    mortal: bool = False,
) -> None:
    """Append one event, however often it takes, and note the acknowledgement only then."""

    def make(case: Case | None) -> Action:
        action = next_action(case, event_id=event_id, case_id=case_id, evidence=ledger.evidence)
        journal.intend(action)
        if plant == "acknowledge-first":
            journal.acknowledge(event_id, None)
            if mortal:
                die_now_and_then(event_id, 0.2)
        return action

    until = time.monotonic() + PATIENCE
    while True:
        try:
            if pending is not None:
                recorded = ledger.append(pending)
            else:
                recorded = ledger.append_retrying(make, case_id)
            break
        except (StaleVersionError, TransitionError):
            pending = None  # somebody else was quicker: look at the case anew
        except EventClashError:
            raise
        except LedgerError:
            if time.monotonic() > until:
                raise
            pending = journal.pending  # it may be recorded or not: send the same again
            time.sleep(0.02)
    if mortal and plant in {"", "new-id"}:
        die_now_and_then(event_id, 0.2 if plant else 0.02)
    rng = Random(event_id)
    if plant or rng.random() < 0.5:  # so that some kills strike between the commit and its acknowledgement
        time.sleep(0.02 * rng.random())
    journal.acknowledge(event_id, recorded.sequence)


def die_now_and_then(event_id: str, share: float) -> None:
    """Die at a moment that a kill from outside must be lucky to hit."""
    if Random(f"die {event_id}").random() < share:
        os.kill(os.getpid(), signal.SIGKILL)


# ---------------------------------------------------------------- the supervisor


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait until something is so, or for as long as a writer waits for a server."""
    until = time.monotonic() + PATIENCE
    while not happened() and time.monotonic() < until:
        time.sleep(0.005)


class Child:
    """A forked process that runs one function; forking spares each writer the time to import."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                work()
                code = 0
            except BaseException:  # noqa: BLE001 - told, and handed to the parent as an exit code
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)

    def wait(self) -> int:
        """Return the exit code; minus the signal's number if one ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> int:
        """Kill the process and return how it ended."""
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()


def server_fault(server: PostgresServer, database: str, fault: str, rng: Random) -> None:
    """End a connection, kill a backend or crash the whole server and start it again."""
    if fault == "crash":
        server.halt(immediate=True)
        server.start()
        return
    with server.connect(patience=PATIENCE) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s", [database]
        ).fetchall()
        if rows:
            (pid,) = rng.choice(rows)
            if fault == "terminate":
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
            else:
                os.kill(pid, signal.SIGKILL)


def run(
    setting: Setting,
    *,
    kills: int,
    writers: int,
    pause: float,
    fault: Callable[[str, Random], None] | None = None,
    faults: int = 0,
) -> dict[str, object]:
    """Let writers be killed and return figures and problems."""
    started = time.monotonic()
    problems: list[str] = []
    struck: dict[str, str] = {}  # when an event that was not acknowledged was last cut off
    figures: Counter[str] = Counter()
    rng = Random(setting.seed)
    if Child(lambda: setting.open(create=True)).wait() != 0:
        raise SystemExit("the ledger could not be made")
    gc.freeze()
    children = {n: Child(lambda n=n: write(setting, n)) for n in range(writers)}
    begun = dict.fromkeys(children, 0)  # bytes that each had noted when it was started
    kinds = dict(zip(sorted(rng.sample(range(kills), faults)), itertools.cycle(SERVER_FAULTS), strict=False))
    for kill in range(kills):
        if fault is not None and (kind := kinds.get(kill)) is not None:
            told = setting.acknowledgements(writers)
            wait_until(lambda told=told: setting.acknowledgements(writers) > told)
            fault(kind, rng)
            figures[kind] += 1
        number = rng.randrange(writers)
        if kill % 4:  # some kills strike while a writer is still opening the ledger
            wait_until(lambda n=number: setting.noted(n) > begun[n])
        time.sleep(rng.uniform(0, 2 * pause))
        end = children[number].kill()
        if end != -signal.SIGKILL:
            problems.append(f"writer {number} ended by itself with {end}")
            break
        pending = Journal(setting.journal(number)).pending
        if pending is not None:
            struck[pending.event_id] = utc_now().isoformat(timespec="milliseconds")
            figures["struck while appending"] += 1
        begun[number] = setting.noted(number)
        children[number] = Child(lambda n=number: write(setting, n))
    for number, child in children.items():
        if (end := child.kill()) != -signal.SIGKILL:
            problems.append(f"writer {number} ended by itself with {end}")
    for number in range(writers):
        if Child(lambda n=number: write(setting, n, only_pending=True)).wait() != 0:
            problems.append(f"writer {number} could not end its work")
    problems += check(setting, writers, struck, figures)
    seconds = round(time.monotonic() - started, 1)
    return {"kills": kills, "writers": writers, **figures, "seconds": seconds, "problems": problems}


# ---------------------------------------------------------------- the check


def check(setting: Setting, writers: int, struck: dict[str, str], figures: Counter[str]) -> list[str]:
    """Return everything that is not as acknowledged."""
    problems: list[str] = []
    ledger = setting.open()
    events = ledger.events()
    there = dict(zip(events["event_id"], events["sequence"], strict=True))
    journals = [Journal(setting.journal(n)) for n in range(writers)]
    intended: set[str] = set()
    acknowledged: dict[str, int | None] = {}
    for journal in journals:
        asked_for, told = journal.read()
        intended |= asked_for
        acknowledged |= told

    lost = [event_id for event_id in acknowledged if event_id not in there]
    moved = [key for key, at in acknowledged.items() if at is not None and there.get(key, at) != at]
    strangers = [event_id for event_id in there if event_id.partition("_")[0] not in intended]
    asked = Counter(event_id.partition("_")[0] for event_id in events["event_id"])
    doubled = [event_id for event_id, times in asked.items() if times > 1]
    for what, ids in {"lost": lost, "moved": moved, "strange": strangers, "doubled": doubled}.items():
        if ids:
            problems.append(f"{len(ids)} events {what}: {ids[:5]}")
    if events["sequence"].tolist() != list(range(1, len(events) + 1)):
        problems.append("the sequence has gaps")

    problems += [str(fault) for fault in ledger.verify()]
    replayed = cases_frame(replay(events)).sort_values("case_id", ignore_index=True)
    if not ledger.cases().sort_values("case_id", ignore_index=True).equals(replayed):
        problems.append("the derived state is not what a replay gives")
    recorded_at = dict(zip(events["event_id"], events["recorded_at"], strict=True))
    figures["struck after the commit"] = sum(recorded_at.get(e, at) < at for e, at in struck.items())
    figures.update({"events": len(events), "cases": len(replayed), "acknowledged": len(acknowledged)})
    return problems


def main(arguments: list[str] | None = None) -> int:
    """Run once with the asked number of kills, print a line of JSON and return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between kills, on average")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--server-faults", type=int, default=0)
    parser.add_argument("--plant", choices=PLANTS, default="")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="huanjie-kills-") as name:
        folder = Path(name)
        times = {"kills": asked.kills, "writers": asked.writers, "pause": asked.pause}
        if not asked.postgres:
            url = f"sqlite:///{folder / 'ledger.db'}"
            setting = Setting(url, folder, asked.seed, asked.plant, mortal=True)
            found = run(setting, **times)
        else:
            server = PostgresServer()
            try:
                server.start()
                url = server.new_database()
                setting = Setting(url, folder, asked.seed, asked.plant, mortal=True)
                database = url.partition("@/")[2].partition("?")[0]
                found = run(
                    setting,
                    fault=lambda kind, rng: server_fault(server, database, kind, rng),
                    faults=asked.server_faults,
                    **times,
                )
            finally:
                server.stop()
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
