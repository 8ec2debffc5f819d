"""Tables by county: every row in one county, wrong files refused."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError
from huanjie_lib.partitions.layout import home_counties, partitions, read_partition, write_partitions
from huanjie_lib.sample import City, make_city


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60, people=100, snapshots=2)


def test_every_row_lies_in_one_county(city: City, tmp_path: Path) -> None:
    folders = write_partitions(city.tables, tmp_path, areas=city.geometry)
    assert partitions(tmp_path) == folders
    for name in ("units", "facts", "leads", "audit_items", "townships"):
        parts = pd.concat([read_partition(f, [name])[name] for f in folders], ignore_index=True)
        key = list(TABLES[name].key)
        wanted = city.tables[name].sort_values(key, ignore_index=True)
        pd.testing.assert_frame_equal(parts.sort_values(key, ignore_index=True)[wanted.columns], wanted)
    areas = gpd.read_parquet(folders[0] / "tables" / "units.parquet", bbox=(-180, -90, 180, 90))
    assert areas.crs == city.geometry.crs
    assert areas.geometry.notna().all()


def test_a_unit_taken_over_lies_with_its_heir() -> None:
    units = pd.DataFrame({"unit_code": ["990101001201", "990102001201", "990103001201"]})
    change = {"kind": "merge", "confirmed_by": "a", "confirmed_on": pd.Timestamp("2026-01-02")}
    rows = pd.DataFrame(
        [
            {"old_code": "990101001201", "new_code": "990102001201", "effective_on": "2026-01-01", **change},
            {"old_code": "990102001201", "new_code": "990103001201", "effective_on": "2026-02-01", **change},
        ]
    ).astype({"effective_on": "datetime64[us]"})
    assert home_counties(units, rows).tolist() == ["990103"] * 3
    assert home_counties(units, None).tolist() == ["990101", "990102", "990103"]


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="没有按县区存放"):
        partitions(tmp_path)
    tables = tmp_path / "county=990101" / "tables"
    tables.mkdir(parents=True)
    pd.DataFrame({"unit_code": ["990101001201"]}).to_parquet(tables / "leads.parquet")
    with pytest.raises(DataError, match="received_on：发现“没有这一列”"):
        read_partition(tables.parent)
    rows = pd.DataFrame(
        {
            "unit_code": ["1"],
            "received_on": pd.to_datetime(["2026-01-01"]),
            "kind": ["other"],
            "count": ["许多"],
        }
    )
    rows.to_parquet(tables / "leads.parquet")
    with pytest.raises(DataError, match="数据字典规定的类型"):
        read_partition(tables.parent)
    rows.assign(count=1).to_parquet(tables / "leads.parquet")
    rows.assign(count=2).to_parquet(tables / "leads.events.parquet")
    with pytest.raises(DataError, match="互相矛盾"):
        read_partition(tables.parent)
