"""Counties scored and listed one after the other: time by number of units, and memory that does not grow.

``python -m benchmarks.bench_partitions --units 3215 100000`` lays out as many synthetic cities of 3,215 units
as it takes, scores their counties with 24 months of history, runs the anomaly checks and lists people for
their posts, each in a process of its own, and prints lines of JSON and a table in Markdown. Cities are one
city under other codes, so that work and memory of each are alike and only their number grows.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring import Case, Found, Limit, forget_peak, peak_mb, timed
from huanjie_lib.parameters import load_parameters
from huanjie_lib.partitions import (
    PartitionRun,
    ShortlistRun,
    run_partitions,
    run_shortlists,
    write_partitions,
)
from huanjie_lib.sample import make_city

CITY, SEED = 3_215, 20261031
AS_OF = dt.date(2026, 10, 31)
CODES = ("unit_code", "township_code", "county_code", "old_code", "new_code")
FLAT = 1.1
"""What the peak at any size may be, in peaks of one city."""
STEPS = ("scores", "lists")


def lay_out(cities: int, folder: Path, *, units: int = CITY, snapshots: int = 24) -> int:
    """Write as many cities below ``data`` and return the number of their units."""
    city = make_city(units=units, snapshots=snapshots)
    parts = write_partitions(city.tables, folder / "one")
    for number in range(cities):
        for part in parts:
            county = part.name.removeprefix("county=")
            target = folder / "data" / f"county={1000 + number}{county[4:]}" / "tables"
            target.mkdir(parents=True)
            for path in sorted((part / "tables").glob("*.parquet")):
                rows = _moved(pq.read_table(path), str(1000 + number))
                pq.write_table(rows, target / path.name, compression="zstd")
    return cities * len(city.tables["units"])


def _moved(table: pa.Table, city: str) -> pa.Table:
    """Return a table whose codes are those of another city."""
    for place, name in enumerate(table.column_names):
        if name in CODES:
            rest = pc.utf8_slice_codeunits(table[name], len(city))
            codes = pc.binary_join_element_wise(pa.scalar(city), rest.cast(pa.string()), "")
            table = table.set_column(place, name, codes)
    return table


def step(name: str, folder: Path) -> dict[str, Any]:
    """Score the counties of a folder, or list people for their posts; in this process."""
    data, scores, lists = (folder / part for part in ("data", "scores", "lists"))
    parameters = load_parameters()

    def work() -> PartitionRun | ShortlistRun:
        if name == "scores":
            return run_partitions(data, scores, parameters, as_of=AS_OF)
        return run_shortlists(data, lists, parameters, as_of=AS_OF, scores=scores, seed=SEED)

    forget_peak()
    run, cpu, wall = timed(work)
    return {"cpu": cpu, "wall": wall, "peak": peak_mb(), "run": repr(run)}


def measured(name: str, folder: Path) -> dict[str, Any]:
    """Return what a step takes in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_partitions", "--one", name, str(folder)]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def counties(units: int) -> Found:
    """Score and list as many units, and hold the peak against that of one city."""
    peaks: list[float] = []
    cpu = wall = 0.0
    for cities in sorted({1, round(units / CITY)}):
        with tempfile.TemporaryDirectory(prefix="huanjie-partitions-") as name:
            lay_out(cities, Path(name))
            found = [measured(step, Path(name)) for step in STEPS]
        peaks.append(max(one["peak"] for one in found))
        cpu, wall = (sum(one[time] for one in found) for time in ("cpu", "wall"))
    return Found(peaks[-1] / peaks[0], cpu, wall, space=peaks[-1], peak_mb=peaks[-1])


CASES = (
    Case("partitions.counties", "scores, signals and shortlists by county", "one county after the other",
         "units", (CITY, 20_000), None, counties, {20_000: Limit(FLAT)}, unit="peaks of one city",
         space_unit="MB"),
)  # fmt: skip


def main() -> None:
    """Measure the sizes asked for and print what they take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, nargs="+", default=[CITY, 20_000])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--folder", type=Path, help="where there is room for what is laid out")
    parser.add_argument("--one", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(step(asked.one[0], Path(asked.one[1]))))
        return
    rows = []
    for units in asked.units:
        with tempfile.TemporaryDirectory(prefix="huanjie-partitions-", dir=asked.folder) as name:
            total = lay_out(max(round(units / CITY), 1), Path(name))
            for each in asked.steps:
                rows.append({"units": total, "step": each, **measured(each, Path(name))})
                print(json.dumps(rows[-1]), flush=True)
    print("| units | step | processor s | wall s | peak MiB |\n|---:|---|---:|---:|---:|")
    for row in rows:
        figures = " | ".join(f"{row[name]:,.0f}" for name in ("cpu", "wall", "peak"))
        print(f"| {row['units']:,} | {row['step']} | {figures} |")


if __name__ == "__main__":
    main()
