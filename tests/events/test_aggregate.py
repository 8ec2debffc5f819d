"""Random streams on DuckDB against a plain count, and the account of every row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.contracts import EVENT_STREAMS
from huanjie_lib.errors import DataError
from huanjie_lib.events.aggregate import (
    LEADS,
    MONTHS,
    QUARANTINE,
    EventAccount,
    aggregate_events,
    counties,
    facts_of,
    month_ends,
    read_part,
)
from huanjie_lib.events.checks import REASONS
from huanjie_lib.events.engines import Engine, open_engine
from huanjie_lib.events.monthly import METRICS
from tests.events.worlds import World, expect, make_world

#: Ibis 12 still calls what DuckDB 2 calls by another name.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")

FIGURES = (*METRICS, "hotline_orders", "petition_days")


def whole(folder: Path, key: list[str]) -> pd.DataFrame:
    """Return all counties of what was written, in the order of a key."""
    parts = [read_part(path).to_pandas().assign(county=county) for county, path in counties(folder)]
    return pd.concat(parts).sort_values(key, ignore_index=True)


def assert_as_counted(world: World, account: EventAccount, out: Path) -> None:
    """Hold everything that was written against the plain count."""
    expected = expect(world)
    found = account.to_frame().set_index("stream").to_dict("index")
    assert found == expected.account
    told = {
        name: dict(zip(rows["reason"], rows["rows"], strict=True))
        for name, rows in account.reasons.groupby("stream")
    }
    wanted = {name: {REASONS[c]: n for c, n in counts.items()} for name, counts in expected.reasons.items()}
    assert told == {name: counts for name, counts in wanted.items() if counts}
    months = whole(out / MONTHS, ["unit_code", "month"]).set_index(["unit_code", "month"])
    assert list(months.index) == sorted(expected.months)
    for key, figures in expected.months.items():
        row = months.loc[key]
        for name in FIGURES:
            value, wanted_value = row[name], figures[name]
            if wanted_value is None:
                assert pd.isna(value), (key, name, value)
            else:
                exact = (
                    wanted_value if isinstance(wanted_value, int) else pytest.approx(wanted_value, rel=1e-9)
                )
                assert value == exact, (key, name, value, wanted_value)
    leads = whole(out / LEADS, ["unit_code", "received_on", "kind"]) if any(counties(out / LEADS)) else None
    rows = [] if leads is None else leads.to_dict("records")
    assert {
        (r["unit_code"], pd.Timestamp(r["received_on"]).date(), r["kind"]): r["count"] for r in rows
    } == dict(expected.leads)
    for name in EVENT_STREAMS:
        files = sorted((out / QUARANTINE / name).rglob("*.parquet"))
        refused = sum(len(pd.read_parquet(path)) for path in files)
        assert refused == expected.account[name]["refused"]


def aggregated(engine: Engine, world: World, folder: Path) -> EventAccount:
    """Write a world's streams, aggregate them and hold the outcome against the plain count."""
    events = world.write(folder / "events")
    account = aggregate_events(engine, events, world.settings, world.register, folder / "out")
    assert_as_counted(world, account, folder / "out")
    return account


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1), rows=st.sampled_from([1, 12, 150]))
def test_random_streams_are_counted_as_by_hand(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int
) -> None:
    with open_engine("duckdb://?threads=1&pass_rows=60") as engine:
        aggregated(engine, make_world(seed, rows), tmp_path_factory.mktemp("world"))


def test_the_account_explains_itself(tmp_path: Path) -> None:
    with open_engine("duckdb://?threads=1") as engine:
        account = aggregated(engine, make_world(7, 400), tmp_path)
    rows = account.to_frame().set_index("stream")
    assert (rows["read"] == rows.drop(columns="read").sum(axis=1)).all()
    assert (rows > 0).all(axis=None)  # every kind of row is there
    assert repr(account).startswith(
        f"EventAccount(read={rows['read'].sum()}, counted={rows['counted'].sum()}"
    )
    text = account.explain("roll_events")
    assert text.startswith(f"选民登记变动：读取{rows.loc['roll_events', 'read']}行，计入")
    assert "；选民人数为空、为负或过大（" in text
    with pytest.raises(KeyError):
        account.explain("nothing")


@pytest.mark.parametrize("narrow", [False, True])
def test_files_of_a_stream_may_differ_in_optional_columns_and_width(tmp_path: Path, narrow: bool) -> None:
    world = make_world(5, 60)
    rolls, petitions = world.streams["roll_events"], world.streams["petition_events"]
    petitions.loc[petitions.index[::2], ["backlog_at"]] = pd.NaT  # of the first file
    events = world.write(tmp_path / "events")
    first = events / "petition_events" / "month=0" / "part.parquet"
    petitions.iloc[::2].drop(columns="backlog_at").to_parquet(first, index=False)
    if narrow:
        fewer = events / "roll_events" / "month=0" / "part.parquet"
        rolls.iloc[::2].astype({"electors": "Int16"}).to_parquet(fewer, index=False)
    with open_engine("duckdb://?threads=1") as engine:
        account = aggregate_events(engine, events, world.settings, world.register, tmp_path / "out")
    assert_as_counted(world, account, tmp_path / "out")


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda f: f.drop(columns="recorded_at"), "recorded_at：发现“没有这一列”"),
        (lambda f: f.assign(happened_at=f["happened_at"].astype(str)), "happened_at：发现“string”"),
        (lambda f: f.assign(electors=f["electors"].astype("float64") + 0.5), "electors：发现“float64”"),
    ],
)
def test_other_columns_are_refused(tmp_path: Path, break_it, told: str) -> None:  # type: ignore[no-untyped-def]
    world = make_world(1, 20)
    world.streams["roll_events"] = break_it(world.streams["roll_events"])
    events = world.write(tmp_path / "events")
    with open_engine("duckdb://?threads=1") as engine, pytest.raises(DataError) as error:
        aggregate_events(engine, events, world.settings, world.register, tmp_path / "out")
    assert told in str(error.value)


def test_streams_and_declaration_must_agree(tmp_path: Path) -> None:
    world = make_world(1, 5)
    events = world.write(tmp_path / "events")
    less = world.settings.model_copy(
        update={"coverage": {"petition_events": world.settings.coverage["lead_events"]}}
    )
    with open_engine("duckdb://?threads=1") as engine:
        with pytest.raises(DataError, match="没有声明完整期限"):
            aggregate_events(engine, events, less, world.register, tmp_path / "a")
        with pytest.raises(DataError, match="没有数据"):
            aggregate_events(engine, tmp_path / "empty", world.settings, world.register, tmp_path / "b")


def test_moments_without_zone_are_the_wall_clock_and_no_backlog_is_no_zero(tmp_path: Path) -> None:
    happened = pd.to_datetime(["2026-01-31 23:59:59.999999", "2026-02-01 00:00:00.0"])
    row = {"event_id": ["a", "b"], "unit_code": "990101001201", "kind": "letter", "closed_at": pd.NaT}
    frame = pd.DataFrame({**row, "happened_at": happened, "recorded_at": happened}).astype(
        {"closed_at": "datetime64[us]", "happened_at": "datetime64[us]", "recorded_at": "datetime64[us]"}
    )
    world = make_world(1, 1)
    world.streams.clear()
    world.streams["petition_events"] = frame
    areas = world.settings.coverage["petition_events"]
    alone = world.settings.model_copy(update={"coverage": {"petition_events": areas}})
    events = world.write(tmp_path / "events", files=1)
    with open_engine("duckdb://?threads=1") as engine:
        aggregate_events(engine, events, alone, world.register, tmp_path / "out")
    months = whole(tmp_path / "out" / MONTHS, ["unit_code", "month"])
    facts = facts_of(months[months["unit_code"] == "990101001201"])
    total = facts[facts["metric"] == "petitions_total"].set_index("as_of")["value"]
    assert total.loc["2026-01-31":"2026-02-28"].tolist() == [1.0, 1.0]
    assert set(facts["metric"]) == {"petitions_total", "petitions_group"}


def test_month_ends() -> None:
    days = month_ends(np.array([12 * 2024 + 1, 12 * 1999 + 11]))
    assert [pd.Timestamp(d).date() for d in days] == [dt.date(2024, 2, 29), dt.date(1999, 12, 31)]
