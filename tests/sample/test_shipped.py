"""The city that ships in data/sample is what the code makes, small enough, and without its truth."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from huanjie_lib.sample import make_city, write_city
from huanjie_lib.store.run_folder import read_run

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "data" / "sample"
TRUTH = ROOT / "tests" / "data"


def content(path: Path) -> object:
    """Return what a file says, apart from how a library's version packed it."""
    if path.suffix == ".parquet":
        if path.stem == "units":
            units = gpd.read_parquet(path)
            return units.drop(columns="geometry").to_csv(), units.geometry.to_wkb().tolist()
        return pd.read_parquet(path).to_csv()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as book:
            return {name: book.read(name) for name in book.namelist()}
    return path.read_bytes()


def same(one: Path, other: Path) -> bool:
    """Whether two files say the same; those of equal bytes need not be parsed."""
    return one.read_bytes() == other.read_bytes() or content(one) == content(other)


def test_files_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    first, packed, other = (tmp_path / f"{name}.parquet" for name in ("first", "packed", "other"))
    frame = pd.DataFrame({"unit_code": ["990101001201", "990101001202"], "value": [1.0, 2.0]})
    frame.to_parquet(first)
    frame.to_parquet(packed, compression="gzip")
    frame.assign(value=[1.0, 2.5]).to_parquet(other)
    assert first.read_bytes() != packed.read_bytes()
    assert same(first, packed)
    assert not same(first, other)


def test_it_is_small_enough_and_keeps_its_secrets() -> None:
    files = [p for p in SHIPPED.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 25_000_000
    assert len(files) > 25
    assert not any("truth" in p.name or "fault" in p.name for p in files)
    facts = pd.read_parquet(SHIPPED / "tables" / "facts.parquet")
    assert facts["unit_code"].nunique() == 3215
    assert facts["as_of"].max() == pd.Timestamp("2026-10-31")


@pytest.mark.slow
def test_it_is_what_the_code_makes(tmp_path: Path) -> None:
    write_city(make_city(), tmp_path / "sample", truth=tmp_path / "sample_truth.parquet")
    made = sorted(p.relative_to(tmp_path / "sample") for p in (tmp_path / "sample").rglob("*") if p.is_file())
    kept = sorted(p.relative_to(SHIPPED) for p in SHIPPED.rglob("*") if p.is_file())
    assert made == kept
    changed = [p for p in made if not same(tmp_path / "sample" / p, SHIPPED / p)]
    assert changed == []
    for name in ("sample_truth.parquet", "returns_faults.csv"):
        assert same(tmp_path / name, TRUTH / name), name


@pytest.mark.slow
def test_its_colours_are_those_of_a_city_before_an_election(sample_run: Path) -> None:
    run = read_run(sample_run)
    shares = run.index["level"].value_counts(normalize=True)
    assert 0.15 <= shares["red"] <= 0.25
    assert 0.30 <= shares["yellow"] <= 0.40
    assert 0.03 <= run.index["to_verify"].mean() <= 0.07
    red = run.history.groupby("as_of")["level"].agg(lambda levels: (levels == "red").mean())
    assert red.iloc[0] > red.iloc[-1] + 0.05
    gates = run.gates[run.gates["gate"].str.startswith("audit_")]
    passed = gates.assign(ok=gates["status"] == "pass").groupby("unit_code")["ok"].all()
    assert 0.70 <= passed.mean() <= 0.85
    units = run.units
    assert (len(units), units["township_code"].nunique(), units["county_code"].nunique()) == (3215, 147, 12)
