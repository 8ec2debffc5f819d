"""Counties scored apart equal the city scored whole, and memory does not grow with their number."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.partitions.layout import read_partition, write_partitions
from huanjie_lib.partitions.run import run_partitions
from huanjie_lib.pipeline import assess, snapshot_dates
from huanjie_lib.risk.gates import evaluate_gates
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.signals import find_signals
from huanjie_lib.sample import City, make_city

AS_OF = dt.date(2026, 10, 31)


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=120, people=100, snapshots=6)


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


def test_counties_apart_equal_the_city_whole(city: City, laid_out: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = run_partitions(laid_out, out, load_parameters(), as_of=AS_OF)
    assert_equal(out, whole(city.tables))
    counties = run.to_frame()[lambda f: f["area"].str.len() == 6]
    assert len(counties) == 3
    assert repr(run).startswith(f"PartitionRun(counties={len(counties)}, units=120, as_of=2026-10-31")
    assert run.explain("9901").startswith("截至2026年10月31日，9901有120个村（社区），异常线索")
    assert "绿色" in "".join(run.explain(area) for area in counties["area"])
    with pytest.raises(KeyError):
        run.explain("110101")
    with pytest.raises(UsageError, match="不是空的"):
        run_partitions(laid_out, out, load_parameters(), as_of=AS_OF)


def test_a_ledger_that_only_another_county_keeps_counts_as_kept(
    city: City, laid_out: Path, tmp_path: Path
) -> None:
    """Without the city's word on it, a county without any audit would be unknown, and look better."""
    county = sorted(laid_out.glob("county=*"))[0].name.removeprefix("county=")
    tables = dict(city.tables)
    for name in ("audit_projects", "audit_items", "audit_subjects", "screenings", "disputes", "leads"):
        tables[name] = tables[name][~tables[name]["unit_code"].str.startswith(county)]
    write_partitions(tables, tmp_path / "data")
    run_partitions(tmp_path / "data", tmp_path / "out", load_parameters(), as_of=AS_OF)
    wanted = whole(tables)
    assert_equal(tmp_path / "out", wanted)
    alone = prepare(read_partition(tmp_path / "data" / f"county={county}"))
    apart = assess(alone, load_parameters(), [AS_OF]).index.set_index("unit_code")["index_low"]
    together = wanted["index"].set_index("unit_code")["index_low"]
    assert not together.loc[apart.index].equals(apart)


PEAK = """
import datetime as dt, json, resource, sys
from pathlib import Path
from huanjie_lib.parameters import load_parameters
from huanjie_lib.partitions.run import run_partitions
run = run_partitions(Path(sys.argv[1]), Path(sys.argv[2]), load_parameters(), as_of=dt.date(2026, 10, 31))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([int(run.counts["units"].sum()), peak]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="asks the kernel for the largest memory used")
def test_memory_does_not_grow_with_the_number_of_counties(laid_out: Path, tmp_path: Path) -> None:
    peaks = []
    for cities in (1, 4):
        data = tmp_path / f"data{cities}"
        for number in range(cities):
            for folder in laid_out.glob("county=*"):
                moved(folder, data, f"{number:02d}")
        command = [sys.executable, "-c", PEAK, str(data), str(tmp_path / f"out{cities}")]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks.append(json.loads(told))
    assert peaks[1][0] == 4 * peaks[0][0]
    assert peaks[1][1] < peaks[0][1] + 20, peaks


def moved(folder: Path, data: Path, city: str) -> None:
    """Copy a county as one of another city: its codes begin with other digits."""
    county = folder.name.removeprefix("county=")
    tables = read_partition(folder)
    target = data / f"county={city}{county[2:]}" / "tables"
    target.mkdir(parents=True)
    for name, frame in tables.items():
        codes = [c for c in frame.columns if c in ("unit_code", "township_code", "county_code")]
        changed = frame.assign(**{c: city + frame[c].str.slice(2) for c in codes})
        changed.to_parquet(target / f"{name}.parquet", index=False)


def test_equal_rows_of_two_files_count_once(laid_out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "county=990101"
    shutil.copytree(sorted(laid_out.glob("county=*"))[0], folder)
    facts = pd.read_parquet(folder / "tables" / "facts.parquet")
    facts.head(10).to_parquet(folder / "tables" / "facts.events.parquet", index=False)
    pd.testing.assert_frame_equal(read_partition(folder, ["facts"])["facts"], facts)
