"""Event streams at growing sizes: time, memory and equal answers of DuckDB, Polars, pandas and Spark.

``python -m benchmarks.bench_events --rows 1e6 1e8`` writes petitions as Parquet partitions by county and
month, group by group, so that making them needs no memory, and lets each contender aggregate them in a
process of its own. It prints a table in Markdown and a line of JSON, and exits with 1 if two contenders
differ or DuckDB needs more than 4 GiB. ``--quick`` takes 200,000 rows and checks answers, not times.
``--huanjie`` runs the whole of ``huanjie events`` beside them: every row checked, editions of an event
settled, a dense row for every unit and month, and an account.

What the contenders compute is the common core: petitions, group petitions and seconds to closing by unit and
month of Beijing. Spark runs with as many local cores; its start is part of its time. Memory is the largest
resident set of a contender's process and its children.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MONTHS, UNITS_A_COUNTY, EVENTS_A_CELL = 24, 200, 7.3
CORES = 2
LIMIT = 4 * 1024.0
MOST = {"pandas": 30_000_000, "polars": 200_000_000, "spark": 100_000_000, "duckdb": 2_000_000_000}
GROUP = ("individual", "letter", "online", "group")


def make(rows: int, folder: Path, *, seed: int = 20261031) -> int:
    """Write about so many petitions, county by county and month by month; return how many and the units."""
    counties = max(round(rows / (EVENTS_A_CELL * UNITS_A_COUNTY * MONTHS)), 1)
    each = rows // (counties * MONTHS)
    rng = np.random.default_rng(seed)
    kinds = pa.array(GROUP)
    number = 0
    for county in range(counties):
        prefix = f"{990000 + county % 10_000:06d}" if counties <= 10_000 else f"{county:06d}"
        codes = pa.array([f"{prefix}{1 + n // 20:03d}{201 + n % 20:03d}" for n in range(UNITS_A_COUNTY)])
        for month in range(MONTHS):
            first = (np.datetime64("2024-01", "M") + month).astype("datetime64[s]").astype(
                np.int64
            ) - 8 * 3600
            happened = first + rng.integers(0, 28 * 86_400, each)
            closed = happened + rng.integers(3600, 60 * 86_400, each)
            pending = rng.random(each) < 0.1
            frame = pa.table(
                {
                    "event_id": _numbered(number, each),
                    "unit_code": pa.DictionaryArray.from_arrays(rng.integers(0, UNITS_A_COUNTY, each), codes),
                    "happened_at": _moments(happened),
                    "kind": pa.DictionaryArray.from_arrays(rng.integers(0, len(GROUP), each), kinds),
                    "backlog_at": pa.nulls(each, pa.timestamp("us", "UTC")),
                    "closed_at": _moments(closed, pending),
                    "recorded_at": _moments(closed + 3600),
                }
            )
            path = folder / "petition_events" / f"county={prefix}" / f"month={month:02d}"
            path.mkdir(parents=True)
            pq.write_table(frame, path / "part-0.parquet", compression="zstd", compression_level=1)
            number += each
    (folder / "events.yaml").write_text(
        "coverage: {petition_events: [{first: '2024-01', last: '2025-12'}]}\n", encoding="utf-8"
    )
    return number


def _numbered(first: int, size: int) -> pa.Array:
    numbers = pa.array(np.arange(first, first + size)).cast(pa.string())
    return pc.binary_join_element_wise("P", numbers, "")


def _moments(seconds: np.ndarray[Any, Any], missing: np.ndarray[Any, Any] | None = None) -> pa.Array:
    return pa.array(seconds * 1_000_000, mask=missing).cast(pa.timestamp("us", "UTC"))


# ---------------------------------------------------------------- contenders


def answer(frame: pd.DataFrame) -> list[int]:
    """Return what must be equal: rows of the answer and its sums."""
    return [len(frame), *(int(frame[name].sum()) for name in ("n", "grouped", "seconds", "mixed"))]


def summarised(unit: pd.Series[Any], month: pd.Series[Any], n: pd.Series[Any]) -> pd.Series[Any]:
    """Return a number that changes where counts change places."""
    return (unit.str.slice(6).astype("int64") % 997) * (month.astype("int64") % 97) * n.astype("int64")


def run_duckdb(folder: Path) -> list[int]:
    import ibis

    from huanjie_lib.events.engines import open_engine
    from huanjie_lib.events.monthly import _seconds, month_of

    with open_engine(f"duckdb://?threads={CORES}&memory_limit=2500MB") as engine:
        t = engine.stream(folder, "petition_events")
        assert t is not None
        local = t.happened_at.cast("timestamp(6)") + ibis.interval(hours=8)
        took = _seconds(t.closed_at.cast("timestamp(6)")) - _seconds(t.happened_at.cast("timestamp(6)"))
        rows = t.select(
            "unit_code", month=month_of(local), group=(t.kind == "group").cast("int64"), took=took
        )
        found = rows.group_by("unit_code", "month").aggregate(
            n=rows.count(), grouped=rows.group.sum(), seconds=rows.took.sum()
        )
        mixed = (found.unit_code.substr(6).cast("int64") % 997) * (found.month % 97) * found.n
        out = found.aggregate(
            rows=found.count(),
            n=found.n.sum(),
            grouped=found.grouped.sum(),
            seconds=found.seconds.sum(),
            mixed=mixed.sum(),
        )
        return [int(v) for v in engine.fetch(out).iloc[0]]


def run_polars(folder: Path) -> list[int]:
    import polars as pl

    local = (pl.col("happened_at") + pl.duration(hours=8)).dt
    took = pl.col("closed_at").dt.epoch("s") - pl.col("happened_at").dt.epoch("s")
    found = (
        pl.scan_parquet(folder / "petition_events" / "**" / "*.parquet", hive_partitioning=False)
        .with_columns(pl.col("unit_code").cast(pl.String), pl.col("kind").cast(pl.String))
        .select(
            "unit_code",
            (local.year().cast(pl.Int64) * 12 + local.month() - 1).alias("month"),
            group=pl.col("kind") == "group",
            took=took,
        )
        .group_by("unit_code", "month")
        .agg(n=pl.len(), grouped=pl.col("group").cast(pl.Int64).sum(), seconds=pl.col("took").sum())
        .collect(engine="streaming")
        .to_pandas()
    )
    return answer(found.assign(mixed=summarised(found["unit_code"], found["month"], found["n"])))


def run_pandas(folder: Path) -> list[int]:
    columns = ["unit_code", "happened_at", "kind", "closed_at"]
    frame = pd.concat(
        [
            pd.read_parquet(path, columns=columns)
            for path in sorted(folder.glob("petition_events/*/*/*.parquet"))
        ],
        ignore_index=True,
    )
    local = frame["happened_at"].dt.tz_convert("Asia/Shanghai")
    frame = pd.DataFrame(
        {
            "unit_code": frame["unit_code"].astype("str"),
            "month": local.dt.year * 12 + local.dt.month - 1,
            "grouped": frame["kind"] == "group",
            "seconds": (frame["closed_at"] - frame["happened_at"]).dt.total_seconds(),
        }
    )
    found = frame.groupby(["unit_code", "month"], as_index=False).agg(
        n=("grouped", "size"), grouped=("grouped", "sum"), seconds=("seconds", "sum")
    )
    return answer(found.assign(mixed=summarised(found["unit_code"], found["month"], found["n"])))


def run_spark(folder: Path) -> list[int]:
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    session = (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "3g")
        .config("spark.sql.session.timeZone", "Asia/Shanghai")
        .getOrCreate()
    )
    t = session.read.option("recursiveFileLookup", "true").parquet(str(folder / "petition_events"))
    took = f.unix_timestamp("closed_at") - f.unix_timestamp("happened_at")
    found = (
        t.select(
            "unit_code",
            (f.year("happened_at") * 12 + f.month("happened_at") - 1).alias("month"),
            (f.col("kind") == "group").cast("long").alias("group"),
            took.alias("took"),
        )
        .groupBy("unit_code", "month")
        .agg(f.count("*").alias("n"), f.sum("group").alias("grouped"), f.sum("took").alias("seconds"))
    )
    mixed = f.expr("(cast(substring(unit_code, 7) as bigint) % 997) * (month % 97) * n")
    row = found.agg(f.count("*"), f.sum("n"), f.sum("grouped"), f.sum("seconds"), f.sum(mixed)).collect()[0]
    session.stop()
    return [int(v) for v in row]


def run_huanjie(folder: Path) -> list[int]:
    from huanjie_lib.events.aggregate import MONTHS as OUT
    from huanjie_lib.events.aggregate import Register, aggregate_events, counties, read_part
    from huanjie_lib.events.engines import open_engine
    from huanjie_lib.events.settings import read_settings

    codes: set[str] = set()
    for path in sorted(folder.glob("petition_events/*")):
        part = pq.read_table(path / "month=00" / "part-0.parquet", columns=["unit_code"])["unit_code"]
        codes |= set(part.combine_chunks().dictionary.to_pylist())
    units = pd.DataFrame({"unit_code": sorted(codes), "valid_from": pd.NaT, "valid_to": pd.NaT})
    with (
        tempfile.TemporaryDirectory(dir=folder.parent) as out,
        open_engine(f"duckdb://?threads={CORES}&memory_limit=2500MB") as engine,
    ):
        register = Register(units, {}, frozenset())
        account = aggregate_events(engine, folder, read_settings(folder), register, Path(out) / "out")
        rows, n, grouped = 0, 0, 0
        for _, part in counties(Path(out) / "out" / OUT):
            wide = read_part(part).to_pandas()
            rows, n, grouped = (
                rows + len(wide),
                n + int(wide["petitions_total"].sum()),
                grouped + int(wide["petitions_group"].sum()),
            )
    assert n == account.to_frame()["counted"].sum()
    return [rows, n, grouped, -1, -1]


CONTENDERS = {
    "duckdb": run_duckdb,
    "polars": run_polars,
    "pandas": run_pandas,
    "spark": run_spark,
    "huanjie": run_huanjie,
}


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Run a contender in a process of its own; return its answer, seconds and memory in MiB."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.bench_events",
        "--one",
        name,
        "--folder",
        str(folder),
    ]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(CORES), "SPARK_LOCAL_IP": "127.0.0.1"}
    started = time.monotonic()
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if told.returncode:
        return {"name": name, "error": told.stderr.strip().splitlines()[-1][:120]}
    return {**json.loads(told.stdout.splitlines()[-1]), "wall": time.monotonic() - started}


def one(name: str, folder: Path) -> None:
    """Run a contender here and print what it cost."""
    found = CONTENDERS[name](folder)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    peak = max(own.ru_maxrss, children.ru_maxrss) / 1024
    for process_cpu, process_peak in alive_below(os.getpid()):  # Spark's virtual machine outlives its session
        cpu, peak = cpu + process_cpu, peak + process_peak
    print(json.dumps({"name": name, "answer": found, "cpu": cpu, "peak": peak}))


def alive_below(pid: int) -> list[tuple[float, float]]:
    """Return processor seconds and largest memory (MiB) of every live process below one; Linux only."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            status = (folder / "status").read_text()
        except FileNotFoundError:  # it ended meanwhile
            continue
        if int(fields[1]) == pid:
            ticks = int(fields[11]) + int(fields[12])
            kib = int(status.partition("VmHWM:")[2].split()[0]) if "VmHWM:" in status else 0
            found.append((ticks / os.sysconf("SC_CLK_TCK"), kib / 1024))
            found += alive_below(int(folder.name))
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| events | contender | CPU s | wall s | peak MiB | answer |", "|---:|---|---:|---:|---:|---|"]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['rows']:,} | {row['name']} | | | | {row['error']} |")
        else:
            cost = f"{row['cpu']:.1f} | {row['wall']:.1f} | {row['peak']:.0f}"
            lines.append(f"| {row['rows']:,} | {row['name']} | {cost} | {row['answer'][0]:,} rows |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=lambda text: int(float(text)), nargs="*", default=[10_000_000])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--huanjie", action="store_true")
    parser.add_argument("--contenders", nargs="*", default=["duckdb", "polars", "pandas", "spark"])
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to put the events; a temporary folder"
    )
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        one(asked.one, asked.folder)
        return 0
    contenders = ["duckdb", "polars", "pandas"] if asked.quick else asked.contenders
    results: list[dict[str, Any]] = []
    faults = []
    for rows in [200_000] if asked.quick else asked.rows:
        with tempfile.TemporaryDirectory(prefix="huanjie-events-", dir=asked.folder) as scratch:
            folder = Path(scratch) / "events"
            made = make(rows, folder)
            size = sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 2**20
            print(f"{made:,} events, {size:,.0f} MiB", file=sys.stderr, flush=True)
            names = [n for n in contenders if rows <= MOST.get(n, rows)]
            names += ["huanjie"] if asked.huanjie or asked.quick else []
            for name in names:
                results.append({"rows": made, **measure(name, folder)})
                print(results[-1], file=sys.stderr, flush=True)
            shutil.rmtree(folder)
        mine = [r for r in results if r["rows"] == made]
        whole = {tuple(r["answer"]) for r in mine if "answer" in r and r["name"] != "huanjie"}
        counted = {tuple(r["answer"][1:3]) for r in mine if "answer" in r}
        if len(whole) > 1 or len(counted) > 1:
            faults.append(f"{made:,} events: contenders differ: {mine}")
        faults += [f"{r['name']}: {r['error']}" for r in mine if "error" in r]
        faults += [
            f"{r['name']} took {r['peak']:.0f} MiB, limit {LIMIT:.0f}"
            for r in mine
            if r["name"] in ("duckdb", "huanjie") and r.get("peak", 0) > LIMIT
        ]
    print(table(results))
    print(
        json.dumps(
            {"machine": platform.processor() or platform.machine(), "cores": CORES, "results": results}
        )
    )
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
