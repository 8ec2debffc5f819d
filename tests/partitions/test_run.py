"""Counties scored apart equal the city scored whole, and nothing is kept of one when the next is read."""

from __future__ import annotations

import datetime as dt
import gc
import shutil
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.partitions import run
from huanjie_lib.partitions.layout import read_partition, write_partitions
from huanjie_lib.partitions.run import run_partitions, run_shortlists
from huanjie_lib.pipeline import assess, snapshot_dates
from huanjie_lib.risk.gates import evaluate_gates
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.signals import find_signals
from huanjie_lib.sample import City, make_city

AS_OF = dt.date(2026, 10, 31)


@pytest.fixture(scope="module")
def city() -> City:
    made = make_city(units=120, people=100, snapshots=6)
    facts = made.tables["facts"]  # a short history: each of its months is scored, county by county
    recent = facts[facts["as_of"] >= "2026-07-01"].reset_index(drop=True)
    return replace(made, tables={**made.tables, "facts": recent})


@pytest.fixture(scope="module")
def laid_out(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("partitions")
    write_partitions(city.tables, root, areas=city.geometry)
    return root


def joined(out: Path, name: str, key: list[str]) -> pd.DataFrame:
    parts = [pd.read_parquet(path) for path in sorted(out.glob(f"county=*/{name}.parquet"))]
    return pd.concat(parts, ignore_index=True).sort_values(key, kind="stable", ignore_index=True)


def whole(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return what one memory makes of all counties together."""
    parameters = load_parameters()
    prepared = prepare(tables)
    done = assess(prepared, parameters, snapshot_dates(tables, AS_OF))
    return {
        "index": done.index,
        "points_lost": done.points_lost,
        "gates": evaluate_gates(prepared, parameters, AS_OF),
        "history": done.history,
        "signals": find_signals(prepared, parameters, AS_OF).table,
    }


def assert_equal(out: Path, wanted: Mapping[str, pd.DataFrame]) -> None:
    """Hold a run's tables against those of one memory, to the last bit."""
    for name in ("index", "points_lost", "gates", "history"):
        key = ["as_of", "unit_code"] if name == "history" else ["unit_code"]
        whole_table = wanted[name].sort_values(key, kind="stable", ignore_index=True)
        pd.testing.assert_frame_equal(joined(out, name, key), whole_table, check_exact=True)
    (file,) = out.glob("restricted/city=*/signals.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(file), wanted["signals"], check_exact=True)


def test_counties_apart_equal_the_city_whole(
    city: City, laid_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(run, "AT_ONCE", 1)
    done = run_partitions(laid_out, out, load_parameters(), as_of=AS_OF)
    assert_equal(out, whole(city.tables))
    counties = done.to_frame()[lambda f: f["area"].str.len() == 6]
    assert len(counties) == 3
    assert repr(done).startswith(f"PartitionRun(counties={len(counties)}, units=120, as_of=2026-10-31")
    assert done.explain("9901").startswith("截至2026年10月31日，9901有120个村（社区），异常线索")
    assert "绿色" in "".join(done.explain(area) for area in counties["area"])
    with pytest.raises(KeyError):
        done.explain("110101")
    assert done.summary().startswith("截至2026年10月31日，3个县区、120个村（社区）：")
    with pytest.raises(UsageError, match="不是空的"):
        run_partitions(laid_out, out, load_parameters(), as_of=AS_OF)


def test_a_ledger_that_only_another_county_keeps_counts_as_kept(
    city: City, laid_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the city's word on it, a county without any audit would be unknown, and look better."""
    county = sorted(laid_out.glob("county=*"))[0].name.removeprefix("county=")
    tables = dict(city.tables)
    for name in ("audit_projects", "audit_items", "audit_subjects", "screenings", "disputes", "leads"):
        tables[name] = tables[name][~tables[name]["unit_code"].str.startswith(county)]
    write_partitions(tables, tmp_path / "data")
    monkeypatch.setattr(run, "AT_ONCE", 100)
    assert [len(share) for share in run._shares(run._cities(tmp_path / "data")).values()] == [2, 1]
    run_partitions(tmp_path / "data", tmp_path / "out", load_parameters(), as_of=AS_OF)
    wanted = whole(tables)
    assert_equal(tmp_path / "out", wanted)
    alone = prepare(read_partition(tmp_path / "data" / f"county={county}"))
    apart = assess(alone, load_parameters(), [AS_OF]).index.set_index("unit_code")["index_low"]
    together = wanted["index"].set_index("unit_code")["index_low"]
    assert not together.loc[apart.index].equals(apart)


def test_nothing_of_a_county_is_kept_when_the_next_one_is_read(
    laid_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So memory does not grow with their number; benchmarks/bench_partitions.py measures it."""
    alive: list[tuple[str, weakref.ref[pd.DataFrame]]] = []

    def noted(function: Any, frames: Callable[[Any], list[pd.DataFrame]]) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            gc.collect()
            assert not [name for name, frame in alive if frame() is not None]
            found = function(*arguments, **named)
            alive.extend((str(arguments[0]), weakref.ref(frame)) for frame in frames(found))
            return found

        return call

    asked: dict[str, Any] = {"parameters": load_parameters(), "as_of": AS_OF}
    monkeypatch.setattr(run, "AT_ONCE", 1)
    monkeypatch.setattr(run, "read_together", noted(run.read_together, lambda found: list(found.values())))
    run_partitions(laid_out, tmp_path / "scores", **asked)
    assert len({name for name, _ in alive}) == 3
    alive.clear()
    monkeypatch.setattr(run, "read_posts", noted(run.read_posts, lambda found: list(found.values())))
    run_shortlists(laid_out, tmp_path / "lists", **asked, seed=1)
    assert len({name for name, _ in alive}) == 3


def test_equal_rows_of_two_files_count_once(laid_out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "county=990101"
    shutil.copytree(sorted(laid_out.glob("county=*"))[0], folder)
    facts = pd.read_parquet(folder / "tables" / "facts.parquet")
    facts.head(10).to_parquet(folder / "tables" / "facts.events.parquet", index=False)
    pd.testing.assert_frame_equal(read_partition(folder, ["facts"])["facts"], facts)
