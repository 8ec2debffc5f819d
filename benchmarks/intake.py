"""Intake of 600,000 rows × 40 columns with a row-level report, beside a peer in the same run.

Reach: at most 30 seconds from a CSV file of text to good rows, quarantine and report. The peer is dataframely
on the same rows already typed; it gives good rows and failing rules, but reads no text and words no reasons.

Run: ``python -m benchmarks.intake``. All processors are used, so the limit is of wall time; on a busy machine
processor time stands for it where that is less, since an idle one takes no longer.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl

from benchmarks.measuring import SIZES, Case, Found, Limit, forget_peak, peak_mb, timed
from huanjie_lib.contracts import Column, Table
from huanjie_lib.intake.checks import Batch, Context, check, to_pandas
from huanjie_lib.intake.files import read_table
from huanjie_lib.intake.headings import table_names
from huanjie_lib.intake.report import report_frame
from huanjie_lib.vocabulary import DisputeCategory

LIMIT_SECONDS, QUICK_ROWS = 30.0, 2_000
TEXT, TYPED = "from CSV text", "from typed rows, as in Parquet"


def make(rows: int) -> tuple[Table, pl.DataFrame]:
    """Return a table of 40 columns and rows of which about one in seventy has a fault."""
    rng = np.random.default_rng(1)
    words = pl.Series([*DisputeCategory.labels()])
    codes = pl.Series([f"990101{t:03d}{200 + i:03d}" for t in range(147) for i in range(22)])
    columns = [
        Column("key", "string", "编号", required=True, pattern=r"^[A-Za-z0-9_-]{1,64}$"),
        Column("unit_code", "string", "代码", required=True, pattern=r"^\d{12}$"),
    ]
    data = {
        "key": pl.Series([f"R{n:07d}" for n in range(rows)]),
        "unit_code": codes.gather(rng.integers(0, len(codes), rows)),
    }
    for n in range(16):
        columns.append(Column(f"count_{n}", "integer", f"个数{n}", minimum=0, maximum=60_000))
        data[f"count_{n}"] = pl.Series(rng.integers(-50, 60_000, rows))
    for n in range(8):
        columns.append(Column(f"amount_{n}", "number", f"金额{n}", minimum=0))
        data[f"amount_{n}"] = pl.Series(np.round(rng.normal(2000, 600, rows), 2))
    for n in range(8):
        columns.append(Column(f"date_{n}", "date", f"日期{n}"))
        data[f"date_{n}"] = pl.Series(np.datetime64("2024-01-01") + rng.integers(0, 1000, rows)).cast(pl.Date)
    for n in range(6):
        columns.append(Column(f"word_{n}", "word", f"类别{n}", words=DisputeCategory))
        data[f"word_{n}"] = words.gather(rng.integers(0, len(words), rows))
    return Table("wide", "宽表", "Benchmark.", "risk", tuple(columns), ("key",)), pl.DataFrame(data)


def peer(table: Table) -> type[dy.Schema]:
    """Return the same rules for dataframely."""
    rules: dict[str, Any] = {}
    for column in table.columns:
        nullable = not column.required
        if column.kind == "string":
            rules[column.name] = dy.String(
                nullable=nullable, regex=column.pattern, primary_key=column.name == "key"
            )
        elif column.kind == "integer":
            rules[column.name] = dy.Int64(nullable=nullable, min=0, max=60_000)
        elif column.kind == "number":
            rules[column.name] = dy.Float64(nullable=nullable, min=0)
        elif column.kind == "date":
            rules[column.name] = dy.Date(nullable=nullable)
        else:
            rules[column.name] = dy.Enum([*DisputeCategory.labels()], nullable=nullable)
    return type("Wide", (dy.Schema,), rules)


def measure(rows: int, source: str) -> Found:
    """Measure intake beside dataframely, and refuse good rows or faults that are not the peer's."""
    table, frame = make(rows)
    names = table_names(table, frozenset())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.csv"
        frame.write_csv(path)

        def intake() -> Any:
            if source == TEXT:
                batch, _ = read_table(path, path.name, table, names)
            else:
                batch = Batch(table, "a.parquet", "", frame, pl.arange(1, rows + 1, eager=True))
            checked = check(table, [batch], Context({}))
            return checked, report_frame(checked.issues), to_pandas(checked.rows, table)

        forget_peak()
        (checked, report, _), cpu, wall = timed(intake)
        peak = peak_mb()
    words = pl.Enum([*DisputeCategory.labels()])
    cast = frame.with_columns(pl.col(c.name).cast(words) for c in table.columns if c.words)
    schema = peer(table)
    (good, failures), peer_cpu, _ = timed(lambda: schema.filter(cast))
    assert checked.rows.height == good.height
    assert checked.rows.height + checked.quarantine.height == rows
    assert len(report) == sum(failures.counts().values())
    return Found(min(wall, cpu), cpu, wall, peer_cpu, peak_mb=peak)


INTAKE = "intake of rows × 40 columns, validated with a row-level report"
CASES = tuple(
    Case(f"intake.{name}", INTAKE, what, "rows", SIZES, QUICK_ROWS, partial(measure, source=what), limits,
         unit="s", peer="dataframely's filter on typed rows")
    for name, what, limits in (
        ("text", TEXT, {SIZES[-1]: Limit(LIMIT_SECONDS)}),
        ("typed", TYPED, {}),
    )
)  # fmt: skip


if __name__ == "__main__":
    from benchmarks.run import main

    sys.exit(main(["--only", "intake", "--judged", *sys.argv[1:]]))
