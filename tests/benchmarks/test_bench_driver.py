"""The benchmark of a cluster's driver holds each of its two processes against the smallest size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bench_driver as bench
from benchmarks.measuring import Unavailable


def test_the_process_that_grows_more_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {3: (200.0, 400.0), 9: (210.0, 420.0), 27: (220.0, 500.0)}

    def measured(name: str, size: int) -> dict[str, float]:
        assert name == "counties"
        python, java = peaks[size]
        return {"python": python, "java": java, "cpu": 5.0, "wall": 9.0}

    monkeypatch.setattr(bench, "measured", measured)
    found = bench.level("counties", (3, 9, 27), 27)
    assert found.figure == pytest.approx(1.25)
    assert found.figure > bench.FLAT
    assert (found.space, found.seconds, found.wall_seconds) == (720.0, 5.0, 9.0)
    assert bench.level("counties", (3, 9, 27), 9).figure == pytest.approx(1.05)
    assert bench.level("counties", (3, 9, 27), 3).figure == 1.0


def test_counties_are_laid_out_three_a_city(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    laid: list[tuple[object, ...]] = []

    def lay_out(cities: int, folder: Path, *, units: int, snapshots: int) -> None:
        laid.append((cities, folder, units, snapshots))

    monkeypatch.setattr(bench.bench_partitions, "lay_out", lay_out)
    bench.make_counties(12, tmp_path)
    assert laid == [(4, tmp_path, bench.CITY, bench.SNAPSHOTS)]


def test_without_java_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(Unavailable, match="no Java"):
        bench.measured("events", 1)
