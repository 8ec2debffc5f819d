from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from huanjie_lib.sample import City
from huanjie_lib.sample.names import RETURNS_COUNTY, name_places
from huanjie_lib.sample.streams import Streams
from huanjie_lib.vocabulary import UnitKind


def test_codes_say_what_the_place_is(city: City) -> None:
    units = city.tables["units"]
    towns = city.tables["townships"]
    assert units["unit_code"].str.startswith("99").all()
    serial = units["unit_code"].str[9:].astype(int)
    community = units["unit_kind"] == UnitKind.COMMUNITY.value
    assert serial[community].between(1, 199).all()
    assert serial[~community].between(200, 399).all()
    kind = towns["township_code"].str[6:].astype(int)
    assert kind[towns["township_name"].str.endswith("街道")].between(1, 99).all()
    assert kind[towns["township_name"].str.endswith("镇")].between(100, 199).all()
    assert kind[towns["township_name"].str.endswith("乡")].between(200, 399).all()
    assert (towns["township_code"].str[:6] == towns["county_code"]).all()


def test_names_are_unique_where_they_must_be(city: City) -> None:
    units, towns = city.tables["units"], city.tables["townships"]
    assert not units.duplicated(["township_code", "unit_name"]).any()
    assert towns["township_name"].is_unique
    assert units["unit_name"].str.fullmatch(r"[\u4e00-\u9fff]{2,4}(村|社区)").all()
    assert RETURNS_COUNTY in set(towns["county_code"])


def test_names_come_from_the_seed_alone(land: object, city: City) -> None:
    community = pd.Series(range(400)).to_numpy() % 5 == 0
    first = name_places(land, community, Streams(3)["names"])  # type: ignore[arg-type]
    second = name_places(land, community, Streams(3)["names"])  # type: ignore[arg-type]
    assert first.unit_name == second.unit_name
    assert first.unit_code == sorted(first.unit_code)
    assert first.unit_name != city.tables["units"]["unit_name"].tolist()


def test_the_largest_city_has_a_name_for_each_of_its_townships() -> None:
    units, townships = 20_000, 910
    township = np.arange(units) * townships // units
    land = SimpleNamespace(
        points=np.random.default_rng(1).random((units, 2)),
        township=township,
        county=township * 12 // townships,
        core_county=0,
        returns_county=1,
    )
    places = name_places(land, np.arange(units) % 5 == 0, Streams(3)["names"])  # type: ignore[arg-type]
    assert len(set(places.township_name)) == len(set(places.township_code)) == townships
    assert len(set(places.unit_code)) == units
