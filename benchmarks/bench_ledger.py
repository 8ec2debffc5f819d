"""The ledger with ten thousand cases and a hundred thousand events: board, appends, verification.

``python -m benchmarks.bench_ledger`` fills a ledger through its own ``publish`` on SQLite and on a PostgreSQL
server of its own, measures, and prints a table in Markdown and a line of JSON; it exits with 1 if a limit of
the plan is missed. It takes about ten minutes and wants an idle machine and a real disk (``--folder``).
``--quick`` takes 200 cases and checks results, not times. ``benchmarks/results.md`` keeps a reference run.

Limits are of wall time, since a ledger waits for the disk. Beside it stand the processor time of the calling
process, which tells what a busy machine adds, and what the disk itself takes for one small write and sync.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before the libraries read it
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import datetime as dt
import hashlib
import io
import json
import multiprocessing
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import Case, Found, Limit
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.store.ledger import Ledger, PublishedRun, open_ledger
from huanjie_lib.vocabulary import CaseEvent, CaseState, Role
from tests.postgres import PostgresServer

FULL_CASES, QUICK_CASES, UNITS, WRITERS = 10_000, 200, 3215, 8
ROOT = Path(__file__).resolve().parents[1]
BOARD_LIMIT, APPEND_LIMIT = 1.0, 0.020
PAUSE = 0.15  # seconds between two appends of one writer, on average
FIRST_DAY = dt.date(2026, 8, 3)
OFFICE = Actor("bureau", "市换届办", Role.CITY)
OWNER = Actor("township", "云溪镇", Role.TOWNSHIP)

_OPENED = ("open", "dispatch")
#: Ten events each; how many cases of ten take this course, and how they end.
COURSES: tuple[tuple[int, CaseState, tuple[str, ...]], ...] = (
    (
        6,
        CaseState.CLOSED,
        (*_OPENED, "dispatch", "rectify", "rectify", "submit", "return", "rectify", "submit", "close"),
    ),
    (
        2,
        CaseState.DISPATCHED,
        (*_OPENED, "rectify", "submit", "close", "reopen", "dispatch", "dispatch", "dispatch", "dispatch"),
    ),
    (
        1,
        CaseState.RECTIFYING,
        (*_OPENED, "rectify", "submit", "return", "rectify", "submit", "return", "rectify", "rectify"),
    ),
    (
        1,
        CaseState.REVIEWING,
        (*_OPENED, "dispatch", "rectify", "rectify", "submit", "return", "rectify", "rectify", "submit"),
    ),
)
STEPS = len(COURSES[0][2])
_EVENTS = CaseEvent.lookup()
_COURSE_OF = [course for course in COURSES for _ in range(course[0])]


@dataclass(frozen=True)
class Measurement:
    """Seconds of one call: median and 99th percentile of several, and the median of processor time."""

    backend: str
    what: str
    median: float
    p99: float
    processor: float
    times: int
    limit: float | None

    @property
    def kept(self) -> bool:
        """Whether the median keeps the limit."""
        return self.limit is None or self.median < self.limit

    def row(self, *, judged: bool) -> str:
        """Return a row of a Markdown table."""
        limit = "" if self.limit is None else f"< {_shown(self.limit)}"
        verdict = "" if not judged or not limit else "kept" if self.kept else "**missed**"
        figures = (_shown(seconds) for seconds in (self.median, self.p99, self.processor))
        cells = [self.backend, self.what, *figures, str(self.times), limit, verdict]
        return f"| {' | '.join(cells)} |"


HEADER = (
    "| backend | what | median | 99 % | CPU | times | limit | |",
    "|---|---|--:|--:|--:|--:|--:|---|",
)


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


Seconds = tuple[float, float]
"""Wall and processor time of one call."""


def measured(backend: str, what: str, calls: Sequence[Seconds], limit: float | None = None) -> Measurement:
    wall, processor = np.transpose(calls)
    p99 = float(np.quantile(wall, 0.99, method="higher"))
    return Measurement(
        backend, what, float(np.median(wall)), p99, float(np.median(processor)), len(calls), limit
    )


def timed(call: Callable[[], object]) -> Seconds:
    began, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - began, time.process_time() - processor


# ---------------------------------------------------------------- filling


def unit_code(unit: int) -> str:
    return f"9901{unit // 400:02d}{unit // 20 % 20 + 1:03d}{unit % 20 + 201:03d}"


def action(case: int, step: int, evidence: dict[str, str | int]) -> Action:
    """Return an event of a case; a step beyond the course postpones its deadline."""
    event = _EVENTS[_COURSE_OF[case % 10][2][step]] if step < STEPS else CaseEvent.DISPATCH
    due_on = (FIRST_DAY + dt.timedelta(days=30 + case % 60 + step)).isoformat()
    unit = unit_code(case % UNITS)
    note = {"note": f"第{step + 1}次办理情况：已与村两委核对，材料齐全"}
    payload: dict[str, Any] = note
    if event is CaseEvent.OPEN:
        payload = {
            "unit_code": unit,
            "unit_name": f"第{case % UNITS}村",
            "township_code": unit[:9],
            "township_name": f"第{unit[4:9]}镇",
            "kind": "level",
            "cause": f"level/{case}",
            "title": "选情等级由黄转红",
            "reason": "指数 52.1，低于 60；扣分最多的是财务审计",
            "subject": "",
            "restricted": False,
            "run": "",
        }
    elif event is CaseEvent.DISPATCH:
        payload = {**note, "owner": OWNER.office, "due_on": due_on}
    elif event is CaseEvent.REOPEN:
        payload = {**note, "due_on": due_on}
    elif event is CaseEvent.RECTIFY:
        payload = {**note, "evidence": [evidence], "amendments": []}
    actor = OWNER if event in (CaseEvent.RECTIFY, CaseEvent.SUBMIT) else OFFICE
    day = FIRST_DAY + dt.timedelta(days=3 * step)
    return Action(f"e{case}-{step}", f"C{case:012x}-1", event, actor, day, step, payload)


def fill(ledger: Ledger, cases: int) -> None:
    """Publish one run a step, with that step of every case: the ledger's own way for many events."""
    kept = ledger.evidence.put(io.BytesIO(b"photo"), name="照片.jpg", media_type="image/jpeg").to_json()
    rng = np.random.default_rng(1)
    for step in range(STEPS):
        index = pd.DataFrame(
            {
                "unit_code": [unit_code(unit) for unit in range(UNITS)],
                "index": rng.uniform(30, 100, UNITS).round(1),
                "level": rng.choice(["red", "yellow", "green"], UNITS),
            }
        )
        ledger.publish(
            PublishedRun(
                run_id=hashlib.sha256(f"run {step}".encode()).hexdigest(),
                as_of=FIRST_DAY + dt.timedelta(days=3 * step),
                parameter_version="2026.1",
                published_by=OFFICE.account,
                index=index,
                causes=[f"level/{case}" for case in range(cases)],
            ),
            [action(case, step, kept) for case in range(cases)],
        )


def check(ledger: Ledger, cases: int, more: int) -> None:
    """Refuse a ledger that is quick and wrong."""
    assert ledger.verify() == []
    assert ledger.head().sequence == STEPS * cases + more
    assert len(ledger.runs()) == STEPS
    states = ledger.cases()["state"].value_counts().to_dict()
    assert states == {state.value: share * cases // 10 for share, state, _ in COURSES}


# ---------------------------------------------------------------- measuring


def board(url: str, evidence: Path) -> None:
    """Open the ledger as a screen does and read what the board shows."""
    ledger = open_ledger(url, evidence=evidence, read_only=True)
    with ledger.snapshot() as moment:
        moment.head()
        moment.alerted(str(moment.runs()["run_id"].iloc[-1]))
        assert len(moment.cases())
    ledger.close()


def postponements(frame: pd.DataFrame, count: int, offset: int) -> list[Action]:
    """Return new deadlines for cases that stand dispatched, each for another case."""
    chosen = frame.iloc[offset : offset + count]
    assert len(chosen) == count
    return [
        action(int(case_id[1:13], 16), version, {})
        for case_id, version in zip(chosen["case_id"], chosen["version"], strict=True)
    ]


def append_all(ledger: Ledger, actions: Sequence[Action], pause: float = 0.0) -> list[Seconds]:
    """Append one by one, with a pause of random length before each; return what each took."""
    calls = []
    for one in actions:
        time.sleep(random.uniform(0, 2 * pause))
        calls.append(timed(partial(ledger.append, one)))
    return calls


def _writer(
    url: str, evidence: Path, paced: Sequence[Action], crowded: Sequence[Action], ready: Barrier
) -> tuple[list[Seconds], list[Seconds]]:
    ledger = open_ledger(url, evidence=evidence)
    ledger.case(paced[0].case_id)
    ready.wait(120)
    slow = append_all(ledger, paced, PAUSE)
    ready.wait(120)
    quick = append_all(ledger, crowded)
    ledger.close()
    return slow, quick


def append_at_once(
    url: str, evidence: Path, shares: Sequence[tuple[Sequence[Action], Sequence[Action]]]
) -> tuple[list[Seconds], list[Seconds]]:
    """Let one process a share append at the same time: its first part with pauses, its second without."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, spawn.Pool(len(shares)) as pool:
        ready = manager.Barrier(len(shares))
        found = pool.starmap(_writer, [(url, evidence, *share, ready) for share in shares], chunksize=1)
    return [call for slow, _ in found for call in slow], [call for _, quick in found for call in quick]


def sync_once(file: Path) -> None:
    """Write four kilobytes at a file's end and sync it."""
    with file.open("ab") as target:
        target.write(bytes(4096))
        target.flush()
        os.fsync(target.fileno())


def measure(
    backend: str, url: str, folder: Path, *, cases: int, appends: int, writers: int, rounds: int
) -> list[Measurement]:
    """Fill a ledger and return every row of a backend."""
    evidence = folder / "evidence"
    ledger = open_ledger(url, create=True, evidence=evidence)
    filling = timed(partial(fill, ledger, cases))
    board(url, evidence)  # the first reads what no memory holds yet
    boards = [timed(partial(board, url, evidence)) for _ in range(rounds)]
    page = partial(ledger.cases, township=unit_code(0)[:9], open_only=True, limit=50)
    pages = [timed(page) for _ in range(rounds)]

    waiting = ledger.cases(states=[CaseState.DISPATCHED]).sort_values("case_id")
    each = appends // writers
    alone = append_all(ledger, postponements(waiting, appends, 0))
    syncs = [timed(partial(sync_once, folder / "bare")) for _ in range(appends)]
    parts = [postponements(waiting, each, appends + n * each) for n in range(2 * writers)]
    paced, crowded = append_at_once(url, evidence, list(zip(parts[::2], parts[1::2], strict=True)))
    more = appends + 2 * writers * each
    verifying = timed(partial(check, ledger, cases, more))
    ledger.close()
    events = STEPS * cases
    return [
        measured(backend, f"open the board: {cases:,} cases", boards, BOARD_LIMIT),
        measured(backend, "one page of a township's open cases", pages),
        measured(backend, "append, one writer", alone, APPEND_LIMIT),
        measured(backend, f"append, {writers} writers, each about 7 a second", paced, APPEND_LIMIT),
        measured(backend, f"append, {writers} writers without a pause", crowded),
        measured("the disk", "4 KB written and synced, bare", syncs),
        measured(backend, f"verify {events:,} events and all that follows from them", [verifying]),
        measured(backend, f"publish {STEPS} runs with {events:,} events in all", [filling]),
    ]


def kills(times: int) -> Found:
    """Let eight writers append while one after the other is killed; count events lost, doubled or altered."""
    command = [sys.executable, "-m", "tests.faults.kills", "--kills", str(times)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["kills"], found["writers"]) == (times, WRITERS)
    assert found["acknowledged"] > times
    return Found(len(found["problems"]), None, time.perf_counter() - began)


CASES = (
    Case("ledger.kills", "ledger: kill -9 of one of 8 writers, again and again",
         "acknowledged events lost, doubled or altered", "kills", (50, 200, 1000), None, kills,
         {1000: Limit(0)}, unit="events"),
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print a table and JSON; return 1 if a limit is missed at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 cases; limits are not judged")
    parser.add_argument("--folder", type=Path, default=None, help="where the ledgers lie, on a real disk")
    parser.add_argument("--backend", choices=("sqlite", "postgresql"), default=None, help="one of the two")
    asked = parser.parse_args(arguments)
    size = {"cases": QUICK_CASES, "appends": 4, "writers": 2, "rounds": 2}
    if not asked.quick:
        size = {"cases": FULL_CASES, "appends": 400, "writers": WRITERS, "rounds": 9}
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="huanjie-bench-", dir=asked.folder) as name:
        folder = Path(name)
        if asked.backend != "postgresql":
            found += measure("SQLite", f"sqlite:///{folder / 'ledger.db'}", folder, **size)
        if asked.backend != "sqlite":
            server = PostgresServer()
            try:
                server.start()
                found += measure("PostgreSQL", server.new_database(), folder, **size)
            finally:
                server.stop()
    print(f"{size['cases']:,} cases, {STEPS * size['cases']:,} events, Python {platform.python_version()}\n")
    print(*HEADER, *(m.row(judged=not asked.quick) for m in found), sep="\n")
    rows = [{**asdict(m), "kept": m.kept} for m in found]
    print("\n" + json.dumps({**size, "rows": rows}, ensure_ascii=False))
    return 0 if asked.quick or all(m.kept for m in found) else 1


if __name__ == "__main__":
    sys.exit(main())
