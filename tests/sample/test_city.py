from __future__ import annotations

import datetime as dt
import re

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from huanjie_lib.contracts import TABLES, Table
from huanjie_lib.errors import UsageError
from huanjie_lib.pipeline import RiskResult
from huanjie_lib.sample import City, make_city

OPERATIONS = {"cases", "case_events", "runs", "access_log"}
DTYPES = {
    "string": "str",
    "word": "str",
    "integer": "Int64",
    "number": "float64",
    "date": "datetime64[us]",
    "boolean": "boolean",
}


def test_the_city_has_the_tables_of_this_stage(city: City) -> None:
    assert set(city.tables) == set(TABLES) - OPERATIONS
    assert all(len(frame) for frame in city.tables.values())


@pytest.mark.parametrize("name", sorted(set(TABLES) - OPERATIONS))
def test_tables_keep_to_their_contracts(city: City, name: str) -> None:
    contract, frame = TABLES[name], city.tables[name]
    columns = [c for c in contract.columns if c.kind != "geometry"]
    assert list(frame.columns) == [c.name for c in columns]
    for column in columns:
        values = frame[column.name]
        assert str(values.dtype) == DTYPES[column.kind], column.name
        assert not column.required or values.notna().all(), column.name
        present = values.dropna()
        if column.words is not None:
            assert present.isin(list(column.words.labels())).all(), column.name
        if column.pattern is not None:
            assert present.map(lambda text, p=column.pattern: bool(re.fullmatch(p, text))).all(), column.name
        if column.minimum is not None and len(present):
            assert present.min() >= column.minimum, column.name
        if column.maximum is not None and len(present):
            assert present.max() <= column.maximum, column.name
    assert not frame.duplicated(list(contract.key)).any()
    _orders_hold(contract, frame)
    for reference in contract.references:
        known = city.tables[reference.table][reference.target]
        assert frame[reference.column].dropna().isin(known).all(), reference


def _orders_hold(contract: Table, frame: pd.DataFrame) -> None:
    for order in contract.orders:
        both = frame[[order.earlier, order.later]].dropna()
        assert (both[order.later] >= both[order.earlier]).all(), order


def test_equal_arguments_give_equal_cities() -> None:
    first, second = make_city(units=60, seed=5), make_city(units=60, seed=5)
    for name, frame in first.tables.items():
        pd.testing.assert_frame_equal(frame, second.tables[name])
    assert first.geometry.geometry.to_wkb().tolist() == second.geometry.geometry.to_wkb().tolist()
    pd.testing.assert_frame_equal(first.truth, second.truth)
    other = make_city(units=60, seed=6)
    assert not first.tables["facts"]["value"].equals(other.tables["facts"]["value"])


def test_boundaries_are_seamless_though_a_few_units_have_none(city: City) -> None:
    shapes = city.geometry
    assert isinstance(shapes, gpd.GeoDataFrame)
    assert shapes.crs is not None
    assert shapes.crs.to_epsg() == 4490
    missing = shapes.geometry.isna()
    assert 2 <= missing.sum() <= 12
    cells = shapes.geometry[~missing].to_numpy()
    assert shapely.coverage_is_valid(cells)
    whole = shapely.union_all(cells)
    assert len(whole.interiors) == 0
    assert whole.area == pytest.approx(shapely.area(cells).sum(), rel=1e-12)
    units = city.tables["units"].set_index("unit_code")
    orphans = units.loc[shapes.loc[missing, "unit_code"]]
    inside = shapely.contains_xy(whole, orphans["longitude"], orphans["latitude"])
    assert inside.all()


def test_crosswalk_leads_to_codes_in_force(city: City) -> None:
    crosswalk = city.tables["crosswalk"]
    units = set(city.tables["units"]["unit_code"])
    assert set(crosswalk["new_code"]) <= units
    gone = crosswalk[crosswalk["kind"] == "renumber"]
    assert not set(gone["old_code"]) & units
    assert gone["old_code"].is_unique
    assert crosswalk["confirmed_by"].notna().all()
    assert set(crosswalk["kind"]) == {"renumber", "merge", "split"}
    merged_away = crosswalk[(crosswalk["kind"] == "merge") & ~crosswalk["old_code"].isin(units)]
    assert not set(merged_away["old_code"]) & set(gone["old_code"])


def test_colours_are_plausible_clustered_and_better_than_at_first(city: City, result: RiskResult) -> None:
    shares = result.index["level"].value_counts(normalize=True)
    assert 0.10 < shares["red"] < 0.28
    assert 0.25 < shares["yellow"] < 0.45
    assert 0.02 < result.index["to_verify"].mean() < 0.10
    history = result.history.groupby("as_of")["level"].agg(lambda levels: (levels == "red").mean())
    assert len(history) == 24
    assert history.iloc[0] > history.iloc[-1] + 0.05
    shapes = city.geometry.dropna().reset_index(drop=True)
    index = result.index.set_index("unit_code")["index"].reindex(shapes["unit_code"]).to_numpy()
    first, second = shapely.STRtree(shapes.geometry).query(shapes.geometry, predicate="touches")
    centred = index - index.mean()
    moran = (centred[first] * centred[second]).mean() / centred.var()
    assert 0.25 < moran < 0.95


def test_repr_names_what_it_is(city: City) -> None:
    assert repr(city) == "City('云溪市', units=400, as_of=2026-10-31, seed=20261031)"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"units": 59}, "units"),
        ({"people": 99}, "people"),
        ({"seed": -1}, "seed"),
        ({"as_of": dt.date(2026, 10, 30)}, "as_of"),
        ({"snapshots": 0}, "snapshots"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, object], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_city(**arguments)  # type: ignore[arg-type]
    assert [fault.where for fault in caught.value.faults] == [where]


def test_another_date_and_length_work() -> None:
    city = make_city(units=60, as_of=dt.date(2025, 6, 30), snapshots=6)
    facts = city.tables["facts"]
    assert facts["as_of"].max() == pd.Timestamp("2025-06-30")
    assert set(city.tables["outcomes"]["term"]) == {2017, 2020}
    assert np.isfinite(facts["value"]).all()
