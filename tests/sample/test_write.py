from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import yaml

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.errors import UsageError
from huanjie_lib.sample import City, make_city, write_city
from huanjie_lib.sample.names import RETURNS_COUNTY
from huanjie_lib.sample.returns import PAPER_TABLES


@pytest.fixture(scope="module")
def folder(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("city") / "data"
    write_city(city, out)
    return out


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        truth = tmp_path / f"{name}.parquet"
        paths = write_city(make_city(units=120, seed=9), tmp_path / name, truth=truth)
        extra = [truth, tmp_path / "returns_faults.csv"]
        written.append({p.relative_to(tmp_path / name).as_posix(): p.read_bytes() for p in paths})
        written[-1] |= {"truth": extra[0].read_bytes(), "faults": extra[1].read_bytes()}
    assert written[0].keys() == written[1].keys()
    assert [name for name in written[0] if written[0][name] != written[1][name]] == []


def test_the_paper_county_is_left_out_of_the_tables(city: City, folder: Path) -> None:
    facts = pd.read_parquet(folder / "tables" / "facts.parquet")
    here = facts["unit_code"].str.startswith(RETURNS_COUNTY)
    assert here.any()
    assert facts.loc[here, "as_of"].max() < pd.Timestamp(city.as_of)
    assert facts.loc[~here, "as_of"].max() == pd.Timestamp(city.as_of)
    for name in PAPER_TABLES:
        frame = pd.read_parquet(folder / "tables" / f"{name}.parquet")
        assert not frame["unit_code"].str.startswith(RETURNS_COUNTY).any()
        assert len(frame) < len(city.tables[name])
    towns = city.tables["townships"].query(f"county_code == '{RETURNS_COUNTY}'")["township_name"]
    assert {p.name for p in (folder / "returns").iterdir()} == set(towns)


def test_tables_come_back_as_they_were(city: City, tmp_path: Path) -> None:
    write_city(city, tmp_path / "all", returns_county=None)
    assert not (tmp_path / "all" / "returns").exists()
    for name, frame in city.tables.items():
        path = tmp_path / "all" / "tables" / f"{name}.parquet"
        if name == "units":
            continue
        pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
    units = gpd.read_parquet(tmp_path / "all" / "tables" / "units.parquet")
    assert units.crs is not None
    assert units.crs.to_epsg() == 4490
    pd.testing.assert_frame_equal(pd.DataFrame(units.drop(columns="geometry")), city.tables["units"])
    assert units.geometry.to_wkb().tolist() == city.geometry.geometry.to_wkb().tolist()


def test_the_folder_says_what_it_is(city: City, folder: Path) -> None:
    sources = yaml.safe_load((folder / "sources.yaml").read_text(encoding="utf-8"))
    assert sources["boundaries"] == {"file": "tables/units.parquet", "crs": "EPSG:4490"}
    assert (sources["seed"], sources["units"], sources["as_of"]) == (city.seed, 400, city.as_of)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for word in ("虚构", "CC0-1.0", str(city.seed), "`tables/facts.parquet`", "随机生成"):
        assert word in readme


def test_the_truth_never_lies_in_the_folder(city: City, folder: Path) -> None:
    names = {p.name for p in folder.rglob("*") if p.is_file()}
    assert not any("truth" in name or "fault" in name for name in names)
    columns = {c for p in (folder / "tables").iterdir() for c in pd.read_parquet(p).columns}
    assert not columns & {"fault", "detail", *city.latent.columns} - {"unit_code"}


def test_the_key_lies_apart_from_what_it_opens(city: City, tmp_path: Path) -> None:
    key = tmp_path / "sample.key"
    write_city(city, tmp_path / "data", key=key)
    keys = KeyRing.read(key)
    assert keys.is_sample
    sealed = pd.read_parquet(tmp_path / "data" / "tables" / "identities.parquet").iloc[0]
    assert keys.unseal(sealed["id_sealed"], "id_number", sealed["person_ref"]).startswith("99")
    assert not list((tmp_path / "data").rglob("*.key"))
    with pytest.raises(UsageError, match="不能与数据放在一起"):
        write_city(city, tmp_path / "other", key=tmp_path / "other" / "sample.key")
    assert not (tmp_path / "other").exists()


def test_a_folder_in_use_and_an_unknown_county_are_refused(city: City, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(UsageError, match="不是空的"):
        write_city(city, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.txt"]
    with pytest.raises(UsageError, match="没有这个县区"):
        write_city(city, tmp_path / "new", returns_county="110101")
