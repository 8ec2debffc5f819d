"""Event streams at growing sizes: time, memory and right answers of DuckDB, Polars, pandas and Spark.

``python -m benchmarks.bench_events --rows 1e6 1e8`` writes petitions as Parquet partitions by county and
month, county by county, so that making them needs no memory, and lets each contender aggregate them in a
process of its own. It prints a table in Markdown and a line of JSON, and exits with 1 if an answer is not the
one that was counted while the events were made, or if ours needs more than 4 GiB. ``--quick`` takes 200,000
rows and checks answers, not times. ``--folder`` keeps what was made there for the next time.

What the contenders compute is the common core: petitions, group petitions and seconds to closing by unit and
month of Beijing. ``huanjie`` is the whole of ``huanjie events`` beside them: every row checked, editions of
an event settled (one event in 200 comes again later), a dense row for every unit and month, facts and an
account. Spark runs with as many local cores; its start is part of its time. Memory is the largest resident
set of a contender's process and of those that it starts; one that reaches 8 GiB is ended.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring import peak_mb

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MONTHS, UNITS_A_COUNTY, EVENTS_A_CELL = 24, 200, 7.3
COUNTIES = 2850  # about as many as the nation has; beyond 1e8 events each unit has more of them
FIRST_MONTH = 2024 * 12
SENT_AGAIN = 200
CORES, MEMORY = 2, "2000MB"
LIMIT, END = 4 * 1024.0, 8 * 1024.0
GROUP = ("individual", "letter", "online", "group")
FIRST_EDITIONS = "petition_events/county=*/month=*/part-0.parquet"
ANSWER = "answer.json"
ENGINE = f"duckdb://?threads={CORES}&memory_limit={MEMORY}"
PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["unit_code", "kind"],
}


def county_codes(county: int) -> list[str]:
    """Return the codes of the units of a county."""
    return [f"{990000 + county:06d}{1 + n // 20:03d}{201 + n % 20:03d}" for n in range(UNITS_A_COUNTY)]


def make(rows: int, folder: Path, *, seed: int = 20261031) -> int:
    """Write about so many petitions, county by county, a data folder with their units, and the right answer.

    One in :data:`SENT_AGAIN` comes again, recorded an hour later; those lie in ``late``. Returns how many
    petitions there are.
    """
    counties = min(max(round(rows / (EVENTS_A_CELL * UNITS_A_COUNTY * MONTHS)), 1), COUNTIES)
    each = max(rows // (counties * MONTHS), 1)
    rng = np.random.default_rng(seed)
    late = folder / "petition_events" / "late" / "part-0.parquet"
    late.parent.mkdir(parents=True)
    counted = np.zeros(5, dtype=np.int64)
    with pq.ParquetWriter(late, _schema(dictionary=False), **PARQUET) as again:
        for county in range(counties):
            events, answer = _county(county, each, rng)
            counted += answer
            for month in range(MONTHS):
                path = late.parents[1] / f"county={990000 + county:06d}" / f"month={month:02d}"
                path.mkdir(parents=True)
                pq.write_table(events.slice(month * each, each), path / "part-0.parquet", **PARQUET)
            editions = events.take(pa.array(np.arange(0, len(events), SENT_AGAIN)))
            hour = pa.scalar(pd.Timedelta(hours=1), pa.duration("us"))
            recorded = pc.add(editions["recorded_at"], hour)
            again.write_table(editions.set_column(6, "recorded_at", recorded).cast(again.schema))
    (folder / "events.yaml").write_text(
        "coverage: {petition_events: [{first: '2024-01', last: '2025-12'}]}\n", encoding="utf-8"
    )
    units = pd.DataFrame({"unit_code": [code for n in range(counties) for code in county_codes(n)]})
    units = units.assign(
        unit_name=units["unit_code"], unit_kind="village", township_code=units["unit_code"].str[:9]
    )
    (folder / "data" / "tables").mkdir(parents=True)
    units.to_parquet(folder / "data" / "tables" / "units.parquet", index=False)
    (folder / ANSWER).write_text(json.dumps(counted.tolist()), encoding="utf-8")
    return int(counted[1])


def _schema(*, dictionary: bool) -> pa.Schema:
    moment = pa.timestamp("us", "UTC")
    word = pa.dictionary(pa.uint8(), pa.string()) if dictionary else pa.string()
    return pa.schema(
        [
            *(("event_id", pa.string()), ("unit_code", word), ("happened_at", moment), ("kind", word)),
            *(("backlog_at", moment), ("closed_at", moment), ("recorded_at", moment)),
        ]
    )


def _county(county: int, each: int, rng: np.random.Generator) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Return the petitions of a county, and its part of the answer, counted from what they are made of."""
    months = np.datetime64("2024-01", "M") + np.arange(MONTHS)
    starts = months.astype("datetime64[s]").astype(np.int64) - 8 * 3600
    size = each * MONTHS
    month = np.repeat(np.arange(MONTHS), each)
    unit = rng.integers(0, UNITS_A_COUNTY, size, dtype=np.uint8)
    kind = rng.integers(0, len(GROUP), size, dtype=np.uint8)
    happened = starts[month] + rng.integers(0, 28 * 86_400, size, dtype=np.int32)
    closed = happened + rng.integers(3600, 60 * 86_400, size, dtype=np.int32)
    pending = rng.integers(0, 10, size, dtype=np.uint8) == 0
    codes = county_codes(county)
    numbers = pa.array(np.arange(county * size, (county + 1) * size)).cast(pa.string())
    events = pa.Table.from_arrays(
        [
            pc.binary_join_element_wise("P", numbers, ""),
            pa.DictionaryArray.from_arrays(unit, codes),
            _moments(happened),
            pa.DictionaryArray.from_arrays(kind, GROUP),
            pa.nulls(size, pa.timestamp("us", "UTC")),
            _moments(closed, pending),
            _moments(closed + 3600),
        ],
        schema=_schema(dictionary=True),
    )
    n = np.bincount(unit * np.int64(MONTHS) + month, minlength=UNITS_A_COUNTY * MONTHS).reshape(-1, MONTHS)
    weight = np.outer([int(code[6:]) % 997 for code in codes], (FIRST_MONTH + np.arange(MONTHS)) % 97)
    seconds = (closed - happened)[~pending].sum()
    answer = [
        np.count_nonzero(n),
        size,
        np.count_nonzero(kind == GROUP.index("group")),
        seconds,
        (weight * n).sum(),
    ]
    return events, np.asarray(answer, dtype=np.int64)


def _moments(seconds: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(seconds * 1_000_000, mask=missing).cast(pa.timestamp("us", "UTC"))


@contextmanager
def made(rows: int, keep: Path | None = None) -> Iterator[Path]:
    """Give a folder with so many events: one that is kept there, or one that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="huanjie-events-") as scratch:
        folder = (Path(scratch) if keep is None else keep) / f"events-{rows}"
        if not (folder / ANSWER).exists():
            make(rows, folder)
        yield folder


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

    with open_engine(ENGINE) as opened:
        engine: Any = opened
        t = engine.connection.read_parquet(str(folder / FIRST_EDITIONS), hive_partitioning=False)
        happened = engine.utc(t.happened_at)
        local = happened + ibis.interval(hours=8)
        took = _seconds(engine.utc(t.closed_at)) - _seconds(happened)
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
        pl.scan_parquet(folder / FIRST_EDITIONS, hive_partitioning=False)
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
        [pd.read_parquet(path, columns=columns) for path in sorted(folder.glob(FIRST_EDITIONS))],
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

    session = (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "3g")
        .config("spark.sql.session.timeZone", "Asia/Shanghai")
        .getOrCreate()
    )
    found = spark_answer(session, folder)
    session.stop()
    return found


def spark_answer(session: SparkSession, folder: Path) -> list[int]:
    """Return the answer of Spark's own expressions, in a session whose clock is that of Beijing."""
    from pyspark.sql import functions as f

    t = session.read.option("recursiveFileLookup", "true").parquet(
        *(str(path) for path in sorted(folder.glob("petition_events/county=*")))
    )
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
    return [int(v) for v in row]


def run_huanjie(folder: Path, engine: str = ENGINE) -> list[int]:
    """Run the command and check what it wrote, a county at a time; it has no seconds and no mixed number."""
    from huanjie_lib.cli import cli

    data = folder / "data"
    cli.main(
        ["events", "--events", str(folder), "--data", str(data), "--engine", engine], standalone_mode=False
    )
    account = pd.read_csv(data / "events" / "account.csv").iloc[0]
    assert account["repeated"] == account["read"] - account["counted"] > 0
    found = np.zeros(3, dtype=np.int64)
    months = pq.ParquetFile(data / "events" / "months.parquet")
    for number in range(months.num_row_groups):
        part = months.read_row_group(number, ["petitions_total", "petitions_group"])
        total, group = part["petitions_total"], part["petitions_group"]
        found += pc.sum(pc.greater(total, 0)).as_py(), pc.sum(total).as_py(), pc.sum(group).as_py()
    assert found[1] == account["counted"]
    return [int(number) for number in found]


CONTENDERS = {
    "huanjie": run_huanjie,
    "duckdb": run_duckdb,
    "polars": run_polars,
    "pandas": run_pandas,
    "spark": run_spark,
}


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Run a contender in a process of its own; return its seconds and memory in MiB, or what went wrong."""
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
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as wrong:
        with subprocess.Popen(command, stdout=told, stderr=wrong, env=environment) as running:
            while running.poll() is None:
                if sum(now for _, _, now in processes(running.pid)) > END:
                    running.kill()
                    return {"name": name, "error": f"ended at {END / 1024:.0f} GiB"}
                time.sleep(0.5)
        told.seek(0), wrong.seek(0)
        if running.returncode:
            return {"name": name, "error": (wrong.read().strip().splitlines() or ["?"])[-1][:120]}
        found = json.loads(told.read().splitlines()[-1])
    wanted = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    if found["answer"] != wanted[: len(found["answer"])]:
        return {"name": name, "error": f"{found['answer']} is not {wanted}"}
    return {**found, "wall": time.monotonic() - started}


def one(name: str, folder: Path) -> None:
    """Run a contender here and print what it cost."""
    found = CONTENDERS[name](folder)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    peak = peak_mb() + children.ru_maxrss / 1024 * (children.ru_utime > 0)
    for process_cpu, process_peak, _ in processes(os.getpid())[1:]:  # Spark's virtual machine is still there
        cpu, peak = cpu + process_cpu, peak + process_peak
    print(json.dumps({"name": name, "answer": found, "cpu": cpu, "peak": peak}))


def processes(pid: int) -> list[tuple[float, float, float]]:
    """Return processor seconds, largest and present memory (MiB) of a process and those below it (Linux)."""
    parents: dict[int, list[int]] = {}
    found: dict[int, tuple[float, float, float]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            status = (folder / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        most, now = (
            int(status.partition(k)[2].split()[0]) if k in status else 0 for k in ("VmHWM:", "VmRSS:")
        )
        ticks = int(fields[11]) + int(fields[12])
        found[int(folder.name)] = ticks / os.sysconf("SC_CLK_TCK"), most / 1024, now / 1024
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
    below = [pid]
    for number in below:
        below += parents.get(number, [])
    return [found[number] for number in below if number in found]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| events | contender | CPU s | wall s | peak MiB | |", "|---:|---|---:|---:|---:|---|"]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['rows']:,} | {row['name']} | | | | {row['error']} |")
        else:
            cost = f"{row['cpu']:.1f} | {row['wall']:.1f} | {row['peak']:.0f}"
            lines.append(f"| {row['rows']:,} | {row['name']} | {cost} | right |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=lambda text: int(float(text)), nargs="*", default=[10_000_000])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--contenders", nargs="*", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument(
        "--folder", type=Path, help="where to put the events and keep them; a temporary folder"
    )
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        one(asked.one, asked.folder)
        return 0
    results: list[dict[str, Any]] = []
    for rows in [200_000] if asked.quick else asked.rows:
        with made(rows, asked.folder) as folder:
            for name in [n for n in asked.contenders if n != "spark"] if asked.quick else asked.contenders:
                results.append({"rows": rows, **measure(name, folder)})
                print(results[-1], file=sys.stderr, flush=True)
    print(table(results))
    about = {"machine": platform.processor() or platform.machine(), "cores": CORES}
    print(json.dumps({**about, "results": results}))
    faults = [f"{r['name']}: {r['error']}" for r in results if "error" in r]
    faults += [
        f"{r['name']} took {r['peak']:.0f} MiB, limit {LIMIT:.0f}"
        for r in results
        if r["name"] in ("duckdb", "huanjie") and r.get("peak", 0) > LIMIT
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
