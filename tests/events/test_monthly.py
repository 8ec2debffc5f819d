"""A roll by day, carried on month by month."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from huanjie_lib.events.engines import open_engine
from huanjie_lib.events.monthly import months, tally
from huanjie_lib.events.settings import month_number

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")

UNIT = "990101001201"
FIRST, LAST = month_number("2026-01"), month_number("2026-04")


def rolls(*changes: tuple[str, str, int]) -> list[float | None]:
    """Return the roll at the ends of January to April after changes (day, kind, electors)."""
    events = pa.table(
        {
            "unit": [UNIT] * len(changes),
            "happened_at": [dt.datetime.fromisoformat(day) for day, _, _ in changes],
            "kind": [kind for _, kind, _ in changes],
            "electors": [number for _, _, number in changes],
        }
    )
    units = pa.table(
        {
            "unit": [UNIT],
            "county": ["990101"],
            "begins": [0],
            "ends": [1 << 20],
            "roll_events_first": [FIRST],
            "roll_events_last": [LAST],
        }
    )
    calendar = pa.table({"month": list(range(FIRST - 1, LAST + 1))})
    wide = months(
        {"roll_events": tally("roll_events", ibis.memtable(events), first=FIRST)},
        ibis.memtable(units),
        ibis.memtable(calendar),
        first=FIRST,
    )
    with open_engine("duckdb://?threads=1") as engine:
        found = engine.fetch(wide).sort_values("month")["voters_registered"]
    return [None if pd.isna(value) else float(value) for value in found]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([("2026-02-03", "opening", 100)], [None, 100, 100, 100]),
        ([("2025-06-03", "opening", 100), ("2025-07-01", "added", 7)], [107, 107, 107, 107]),
        ([("2026-01-01", "added", 5), ("2026-02-01", "opening", 90)], [None, 90, 90, 90]),
        # openings of a day, by parts, add up; what else happened that day comes on top
        (
            [
                ("2026-02-03T09:00", "opening", 60),
                ("2026-02-03T08:00", "removed", 2),
                ("2026-02-03T10:00", "opening", 40),
            ],
            [None, 98, 98, 98],
        ),
        # a new roll forgets the old one
        (
            [("2026-01-03", "opening", 100), ("2026-03-01", "opening", 80), ("2026-03-02", "added", 1)],
            [100, 100, 81, 81],
        ),
        # more struck off than there were is no figure, until there is one again
        (
            [("2026-01-03", "opening", 3), ("2026-02-01", "removed", 5), ("2026-03-01", "added", 9)],
            [3, None, 7, 7],
        ),
    ],
)
def test_rolls(changes: list[tuple[str, str, int]], told: list[float | None]) -> None:
    assert rolls(*changes) == told
