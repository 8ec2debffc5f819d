"""Which edition of an event counts, and which columns a stream must have."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import pyarrow as pa
import pytest

from huanjie_lib.contracts import EVENT_STREAMS
from huanjie_lib.errors import DataError
from huanjie_lib.events.checks import REASONS, checked, conform, repeated, sort_out
from huanjie_lib.events.engines import open_engine

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")

LEADS = EVENT_STREAMS["lead_events"]
UNIT = "990101001201"
NOON = dt.datetime(2026, 1, 31, 16, 0, tzinfo=dt.UTC)
SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("unit_code", pa.string()),
        ("happened_at", pa.timestamp("us", "UTC")),
        ("kind", pa.string()),
        ("recorded_at", pa.timestamp("us", "UTC")),
    ]
)


def lead(
    event_id: str = "a", *, kind: str | None = "other", day: int = 1, unit: str = UNIT
) -> dict[str, Any]:
    recorded = NOON + dt.timedelta(days=day)
    return {
        "event_id": event_id,
        "unit_code": unit,
        "happened_at": NOON,
        "kind": kind,
        "recorded_at": recorded,
    }


def sorted_out(*rows: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str], tuple[int, int]]:
    """Return settled events, reasons of refused rows, and rows and events with editions."""
    codes = ibis.memtable(pa.table({"code": [UNIT, "old", "split"], "unit": [UNIT, UNIT, None]}))
    raw = ibis.memtable(pa.Table.from_pylist(list(rows), schema=SCHEMA))
    aware = {"happened_at", "recorded_at"}
    with open_engine("duckdb://?threads=1") as engine:
        rows_in = conform(raw, LEADS, where="x", utc_offset=8, instants=aware, utc=engine.utc)
        several = ibis.union(*repeated(rows_in, passes=3))
        found = sort_out(checked(rows_in, LEADS, codes), LEADS, several, engine.keep)
        settled = engine.fetch(found.settled).to_dict("records")
        refused = sorted(engine.fetch(found.refused)["reason"].tolist())
        rows_, events = engine.fetch(found.editions).iloc[0]
    return settled, refused, (int(rows_), int(events))


def test_the_latest_edition_counts_whenever_it_came() -> None:
    settled, refused, editions = sorted_out(
        lead(kind="roll", day=3), lead(day=1), lead(kind="forgery", day=2)
    )
    assert [row["kind"] for row in settled] == ["roll"]
    assert str(settled[0]["happened_at"]) == "2026-02-01 00:00:00"  # the wall clock of Beijing
    assert (refused, editions) == ([], (3, 1))


def test_equal_editions_are_one_and_unequal_ones_are_set_aside() -> None:
    settled, refused, editions = sorted_out(
        lead("a"), lead("a"), lead("b"), lead("b", kind="roll"), lead("c")
    )
    assert [row["event_id"] for row in settled] in (["a", "c"], ["c", "a"])
    assert (refused, editions) == (["conflict", "conflict"], (2, 1))


def test_a_faulty_edition_takes_no_part_and_an_old_code_is_its_heir() -> None:
    settled, refused, _ = sorted_out(lead(unit="old"), lead(day=5, kind=None), lead("b", unit="split"))
    assert [(row["event_id"], row["unit"], row["unit_code"]) for row in settled] == [("a", UNIT, "old")]
    assert refused == ["kind", "unit_doubtful"]
    assert set(refused) <= set(REASONS)


def test_missing_columns_are_all_told() -> None:
    raw = ibis.memtable(pa.table({"event_id": ["a"], "unit_code": [UNIT], "kind": [3]}))
    with pytest.raises(DataError) as error:
        conform(raw, LEADS, where="lead_events", utc_offset=8, instants=(), utc=lambda value: value)
    assert [fault.where for fault in error.value.faults] == [
        "lead_events：happened_at",
        "lead_events：kind",
        "lead_events：recorded_at",
    ]
