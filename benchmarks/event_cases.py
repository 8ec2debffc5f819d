"""Event streams among all benchmarks: facts by unit and month on the embedded engine, beside Polars.

``benchmarks/bench_events.py`` has what is measured, more contenders and the whole of ``huanjie events``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.bench_events import LIMIT, make, measure
from benchmarks.measuring import Case, Found, Limit

FULL = 100_000_000


def duckdb_beside_polars(events: int) -> Found:
    """Measure both, each in a process of its own, and refuse answers that differ."""
    with tempfile.TemporaryDirectory(prefix="huanjie-events-") as name:
        folder = Path(name) / "events"
        make(events, folder)
        own, peer = (measure(contender, folder) for contender in ("duckdb", "polars"))
    if error := own.get("error") or peer.get("error"):
        raise RuntimeError(error)
    assert own["answer"] == peer["answer"]
    times = own["cpu"], own["wall"], peer["cpu"]
    return Found(own["cpu"] / peer["cpu"], *times, space=own["peak"], peak_mb=own["peak"])


CASES = (
    Case("events.duckdb", "event streams to facts by unit and month", "DuckDB, two cores", "events",
         (100_000, 1_000_000, 10_000_000, FULL), None, duckdb_beside_polars, {FULL: Limit(None, LIMIT)},
         peer="Polars", space_unit="MB"),
)  # fmt: skip
