"""The benchmark of counties lays out cities that are alike and other, and measures what they take."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import bench_partitions as bench
from huanjie_lib.sample import make_city


def test_cities_are_alike_under_other_codes_and_are_scored_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = make_city(units=60, people=200, snapshots=1)
    facts = city.tables["facts"]
    tables = {**city.tables, "facts": facts[facts["as_of"] >= "2026-09-01"]}
    monkeypatch.setattr(bench, "make_city", lambda **_: replace(city, tables=tables))
    assert bench.lay_out(2, tmp_path, units=60) == 120
    counties = sorted(path.name.removeprefix("county=") for path in (tmp_path / "data").iterdir())
    assert {code[:4] for code in counties} == {"1000", "1001"}
    found = {name: bench.step(name, tmp_path) for name in bench.STEPS}
    assert f"counties={len(counties)}, units=120" in found["scores"]["run"]
    assert all(one["cpu"] > 0 and one["peak"] > 50 for one in found.values())
    own, other = (
        pd.concat(
            pd.read_parquet(path) for path in sorted((tmp_path / "lists").glob(f"county={city}*/shortlists*"))
        )
        for city in ("1000", "1001")
    )
    pd.testing.assert_frame_equal(own.drop(columns="unit_code"), other.drop(columns="unit_code"))


def test_memory_is_held_against_that_of_one_city_and_what_was_laid_out_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid: list[int] = []
    taken: list[str] = []

    def lay_out(cities: int, folder: Path) -> int:
        folder.mkdir()
        laid.append(cities)
        return cities * bench.CITY

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        step, folder = command[-2:]
        taken.append(step)
        told = {"cpu": 1.0, "wall": 2.0, "peak": 300.0 + 30 * int(folder.rpartition("-")[2])}
        return subprocess.CompletedProcess(command, 0, f"a line\n{json.dumps(told)}\n")

    monkeypatch.setattr(bench, "lay_out", lay_out)
    monkeypatch.setattr(bench.subprocess, "run", run)
    monkeypatch.setenv(bench.KEPT, str(tmp_path))
    found = bench.counties("scores", 20_000)
    assert found.figure == pytest.approx(480 / 330)
    assert found.figure > bench.FLAT
    assert (found.seconds, found.wall_seconds, found.space) == (1.0, 2.0, 480.0)
    bench.counties("lists", 20_000)
    assert laid == [1, 6]
    assert taken == ["scores", "scores", "lists", "lists"]
    monkeypatch.delenv(bench.KEPT)
    assert bench.counties("lists", bench.CITY).figure == 1.0
    assert laid == [1, 6, 1, 1]
    assert taken[4:] == ["scores", "lists"] * 2


def test_cities_that_are_counted_otherwise_than_the_first_are_told() -> None:
    counts = pd.DataFrame({"area": ["1000", "100001", "1001", "100101"], "units": [9, 9, 9, 9], "red": 1})
    bench.assert_alike(counts)
    with pytest.raises(AssertionError, match="cities differ in red"):
        bench.assert_alike(counts.assign(red=[1, 1, 1, 2]))
