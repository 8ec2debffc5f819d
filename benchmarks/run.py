"""Run the benchmarks: every row of the plan's budgets, at growing sizes, each measurement in its own process.

``python3 tools/dev.py bench`` (``make bench``) runs all and writes ``record.json``, ``record.md`` and
``growth.svg`` to ``build/bench/``. Exit code 1 tells of a missed limit, of a failure, or, with ``--against``,
of a figure that slipped. ``--quick`` takes small sizes in this process and checks results, not times.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks import bench_events
from benchmarks.measuring import Case, Found, Unavailable
from benchmarks.plot import draw, draw_streams
from benchmarks.record import Record, Row, machine, merged, read, slips, table

#: Of a process that measures: linear algebra on one core, whatever the machine has.
THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "benchmarks" / "reference.json"
PAGE = ROOT / "benchmarks" / "results.md"
PICTURE = ROOT / "docs" / "images" / "benchmarks.svg"
STREAMS_PICTURE = ROOT / "docs" / "images" / "event_streams.svg"
OUT, RECORD = ROOT / "build" / "bench", "record.json"
#: In the order of the plan; the first word of a case's name tells its module. A new one is named here.
MODULES = {
    "risk": "bench_risk",
    "clusters": "bench_clusters",
    "what_if": "bench_what_if",
    "viewers": "bench_viewers",
    "shortlist": "bench_shortlist",
    "matching": "bench_matching",
    "pack": "bench_pack",
    "intake": "intake",
    "ledger": "bench_ledger",
    "events": "event_cases",
    "partitions": "bench_partitions",
    "driver": "bench_driver",
}
BEGIN, END = "<!-- the reference begins: python3 tools/dev.py bench --keep -->", "<!-- the reference ends -->"
HOUR, NOT_HERE = 3600, 3


def cases_of(module: str) -> tuple[Case, ...]:
    """Return the cases of a module."""
    found: tuple[Case, ...] = importlib.import_module(f"benchmarks.{MODULES[module]}").CASES
    return found


def chosen(only: Sequence[str] | None) -> list[Case]:
    """Return all cases, or those named; a module's name stands for all of its own.

    Raises
    ------
    ValueError
        If a name is no case and no module.
    """
    modules = list(dict.fromkeys(name.partition(".")[0] for name in only)) if only else list(MODULES)
    if unknown := set(modules) - set(MODULES):
        raise ValueError(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    cases = [case for module in MODULES if module in modules for case in cases_of(module)]
    names = {case.name for case in cases}
    if only and (unknown := {name for name in only if "." in name} - names):
        raise ValueError(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    return [c for c in cases if not only or c.name in only or c.name.partition(".")[0] in only]


def apart(case: Case, size: int) -> Found:
    """Measure a case in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "--one", case.name, str(size)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **THREADS},
        capture_output=True,
        text=True,
        timeout=HOUR,
        check=False,
    )
    if done.returncode == 3:
        raise Unavailable(done.stdout.strip())
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or done.stdout.strip())
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def one(name: str, size: int) -> int:
    """Measure a case here and print what was found; :data:`NOT_HERE` tells that it cannot be."""
    (case,) = chosen([name])
    try:
        found = case.measure(size)
    except Unavailable as reason:
        print(reason)
        return NOT_HERE
    print(json.dumps(asdict(found)))
    return 0


Places = Sequence[tuple[Case, tuple[int, ...]]]
"""Cases, each with the sizes at which it is to be measured."""


def run(places: Places, out: Path, *, quick: bool) -> tuple[Record, dict[str, str]]:
    """Measure cases at sizes; return the record, and what failed with the reason.

    The record is written after each measurement, so that a run that is broken off is not lost.
    """
    made = dt.datetime.now(dt.UTC)
    name = f"{made:%Y-%m-%dT%H:%M}"
    about = machine(made.date().isoformat(), commit(), quick=quick)
    record, failed = Record((), {name: about}, {}), {}
    for case, sizes_of_case in places:
        for size in sizes_of_case:
            try:
                found = case.measure(size) if quick else apart(case, size)
            except Unavailable as reason:
                record = replace(record, left_out={**record.left_out, case.name: str(reason)})
                break
            except (AssertionError, RuntimeError, subprocess.TimeoutExpired) as error:
                failed[f"{case.name} at {size:,}"] = str(error)
                continue
            record = replace(record, rows=(*record.rows, Row.of_found(case, size, found, name)))
            (out / RECORD).write_text(record.to_json(), encoding="utf-8")
            print(f"{case.name} at {size:,}: {found.figure:.3g} {case.unit}", file=sys.stderr, flush=True)
    return record, failed


def sizes(
    case: Case,
    *,
    quick: bool,
    judged: bool,
    there: Record | None = None,
    wanted: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """Return at which sizes a case is measured: of those wanted, where the record that is there has none."""
    if quick:
        return () if case.quick is None else (case.quick,)
    held = {row.size for row in there.rows if row.case == case.name} if there else set()
    return tuple(
        size
        for size in case.sizes
        if (size in case.limits or not judged) and size not in held and (wanted is None or size in wanted)
    )


def commit() -> str:
    """Return the commit that is measured, with a mark where files differ from it; empty without git."""
    asked = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def written(record: Record, page: str) -> str:
    """Return the page of results with the reference's tables in it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise ValueError(f"the page has no place for the reference: {BEGIN} … {END}")
    runs = [_told(name, about) for name, about in record.runs.items()]
    outs = [f"- Not measured: {name}: {reason}" for name, reason in record.left_out.items()]
    parts = [BEGIN, *runs, *outs, "", table(record.rows), "", END]
    return before + "\n".join(parts) + after


def _told(name: str, about: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{package} {number}" for package, number in about["packages"].items())
    return (
        f"- {name.replace('T', ' ')} UTC, commit {about['commit']}: {about['cores']} cores of "
        f"{about['processor']}, {about['system']}, load {about['load_before']} before; "
        f"Python {about['python']}, {packages}"
    )


def keep(record: Record) -> None:
    """Make the record the reference, with what it does not replace, and write the page and the picture."""
    old = read(REFERENCE) if REFERENCE.exists() else None
    whole = merged(old, record, chosen(None))
    page = written(whole, PAGE.read_text(encoding="utf-8"))
    REFERENCE.write_text(whole.to_json(), encoding="utf-8")
    PAGE.write_text(page, encoding="utf-8")
    draw([row for row in whole.rows if not row.case.startswith("driver.")], PICTURE)  # memory, not time
    streams = [row for row in whole.rows if row.case.startswith("events.")]
    draw_streams(streams, STREAMS_PICTURE, limit_mb=bench_events.LIMIT)


def report(record: Record, failed: dict[str, str], reference: Record | None, *, quick: bool) -> int:
    """Print the table and all that is wrong; return 1 if anything is."""
    print(table(record.rows, judged=not quick))
    worse = [] if reference is None else slips(record, reference)
    missed = [] if quick else record.missed
    for name, reason in record.left_out.items():
        print(f"\nnot measured: {name}: {reason}")
    for name, reason in failed.items():
        print(f"\nFAILED: {name}\n{reason}")
    for row in missed:
        print(f"\nlimit missed: {row.case} at {row.size:,}")
    for slip in worse:
        print(f"\nslipped: {slip}")
    return int(bool(failed or missed or worse))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write, compare."""
    parser = argparse.ArgumentParser(prog="python3 tools/dev.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; checks results, not times")
    parser.add_argument("--judged", action="store_true", help="only the sizes at which the plan sets a limit")
    parser.add_argument("--missing", action="store_true", help="only what the reference lacks")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of {', '.join(MODULES)}, or single cases")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N", help="only these sizes")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for record.json, record.md, growth.svg")
    parser.add_argument("--against", type=Path, help="a record that ratios and memory are held against")
    parser.add_argument("--measured", type=Path, help="take this record instead of measuring")
    parser.add_argument("--keep", action="store_true", help="make what was found the reference")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "SIZE"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        return one(given.one[0], int(given.one[1]))
    if given.quick and given.keep:
        parser.error("a quick run is no reference")
    reference = read(given.against) if given.against else None
    failed: dict[str, str] = {}
    if given.measured:
        record = read(given.measured)
    else:
        try:
            cases = chosen(given.only)
        except ValueError as error:
            parser.error(str(error))
        there = read(REFERENCE) if given.missing and REFERENCE.exists() else None
        which = {"quick": given.quick, "judged": given.judged, "there": there, "wanted": given.sizes}
        places = [(case, sizes(case, **which)) for case in cases]
        given.out.mkdir(parents=True, exist_ok=True)
        record, failed = run(places, given.out, quick=given.quick)
        (given.out / RECORD).write_text(record.to_json(), encoding="utf-8")
        shown = table(record.rows, judged=not given.quick)
        (given.out / "record.md").write_text(shown + "\n", encoding="utf-8")
        draw(record.rows, given.out / "growth.svg")
    if given.keep:
        keep(record)
    return report(record, failed, reference, quick=given.quick)
