"""Event streams among all benchmarks: the whole of ``huanjie events``, and its core beside other libraries.

``benchmarks/bench_events.py`` has what is measured. Each contender has a process of its own and must find the
answer that was counted while the events were made. ``HUANJIE_BENCH_EVENTS`` names a folder in which events
are kept from one case to the next (3 GB at 100 million); without it they are made for each.
"""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import bench_streams
from benchmarks.bench_events import LIMIT, made, measure
from benchmarks.measuring import Case, Found, Limit, Unavailable

FULL = 100_000_000
SIZES = (100_000, 1_000_000, 10_000_000, FULL)
STREAMS = SIZES[:3]
BUDGET = "event streams to facts by unit and month"
KEPT = "HUANJIE_BENCH_EVENTS"


def measured(events: int, *contenders: str) -> list[dict[str, Any]]:
    """Measure contenders on so many events, one after the other."""
    kept = os.environ.get(KEPT)
    with made(events, Path(kept) if kept else None) as folder:
        found = [measure(contender, folder) for contender in contenders]
    for one in found:
        if "error" in one:
            raise RuntimeError(f"{one['name']}: {one['error']}")
    return found


def beside_polars(events: int) -> Found:
    """Measure the core on DuckDB and on Polars."""
    own, peer = measured(events, "duckdb", "polars")
    times = own["cpu"], own["wall"], peer["cpu"]
    return Found(own["cpu"] / peer["cpu"], *times, space=own["peak"], peak_mb=own["peak"])


def alone(contender: str, events: int) -> Found:
    """Measure one contender."""
    if contender == "spark" and not (shutil.which("java") or "JAVA_HOME" in os.environ):
        raise Unavailable("no Java")
    try:
        (own,) = measured(events, contender)
    except RuntimeError as error:
        if "ended at" in str(error):
            raise Unavailable(f"{events:,} events: {error}") from None
        raise
    return Found(own["cpu"], own["cpu"], own["wall"], space=own["peak"], peak_mb=own["peak"])


CASES = (
    Case("events.duckdb", BUDGET, "the core: DuckDB, two cores", "events", SIZES, None, beside_polars,
         {FULL: Limit(None, LIMIT)}, peer="Polars", space_unit="MB"),
    Case("events.streams", BUDGET, "the whole, all four streams, DuckDB", "events", STREAMS, None,
         bench_streams.whole, unit="CPU s", space_unit="MB"),
    *(
        Case(f"events.{contender}", BUDGET, what, "events", SIZES, None, partial(alone, contender),
             {FULL: Limit(None, LIMIT)} if contender == "huanjie" else {}, unit="CPU s", space_unit="MB")
        for contender, what in {
            "huanjie": "the whole of huanjie events, DuckDB",
            "polars": "the core: Polars, streaming",
            "pandas": "the core: pandas",
            "spark": "the core: PySpark, two local cores",
        }.items()
    ),
)  # fmt: skip
