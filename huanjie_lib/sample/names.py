"""Names and codes of the synthetic city: plainly fictional, made of neutral syllables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from huanjie_lib.sample.geography import Geography
from huanjie_lib.sample.streams import Integers, Mask
from huanjie_lib.vocabulary import UnitKind

__all__ = ["CITY_NAME", "RETURNS_COUNTY", "Places", "name_places"]

CITY_NAME = "云溪市"
RETURNS_COUNTY = "990121"
"""County that files its last month as township workbooks."""

_CORE_COUNTY = ("990102", "云岭区")
_RETURNS_NAME = "柏塘县"
_OTHER_COUNTIES = (
    ("990103", "澄湾区"),
    ("990122", "雾岭县"),
    ("990123", "棠坪县"),
    ("990124", "梧涧县"),
    ("990125", "荻洲县"),
    ("990126", "霁川县"),
    ("990127", "槐浦县"),
    ("990128", "松陂县"),
    ("990129", "枫渡县"),
    ("990130", "芦汀县"),
    ("990131", "栎山县"),
)
_TOWN_FIRST = "石清白青双长平大新古云松竹柏枫棠梧荷莲沙泉溪湖金银玉明永太安"
_TOWN_SECOND = "桥塘河岭坪湾坡溪冲畈泉渡洲浦陂涧埠潭坝岗"
_AGAIN = ("", "东", "西")
"""Before the name of a township where a large city has used all names once."""
_SIDES = ("", "", "", "", "东", "西", "南", "北", "上", "下", "前", "后", "大", "小", "新", "中")
_PLANTS = "柳桃杏松竹桐枫荷莲梅桂榆槐樟枣茶棉麦谷豆石沙泉云月星霞溪"
_LANDS = "河塘岭坪桥湾坡溪冲畈垄洼滩渡埠岗坳井园庄"


@dataclass(frozen=True)
class Places:
    """Codes and names; one entry a unit, a township or a county, in order of their codes.

    ``order`` holds the positions of the units in the geography; ``township_of`` and ``county_of`` count
    townships and counties in code order.
    """

    order: Integers
    unit_code: list[str]
    unit_name: list[str]
    community: Mask
    township_of: Integers
    township_code: list[str]
    township_name: list[str]
    county_of: Integers
    county_code: list[str]
    county_name: list[str]


def name_places(land: Geography, community: Mask, rng: np.random.Generator) -> Places:
    """Give every county, township and unit a code and a name.

    Parameters
    ----------
    land
        The land.
    community
        Which units are communities, in the order of the geography.
    rng
        Random stream for the names.
    """
    counties = _counties(land)
    size = np.bincount(land.township)
    urban_share = np.bincount(land.township, weights=community) / size
    county_of_town = np.zeros(len(size), dtype=np.int64)
    county_of_town[land.township] = land.county
    town_rank = sorted(
        range(len(size)),
        key=lambda t: (counties[county_of_town[t]][0], _town_class(float(urban_share[t]), t)),
    )
    stems = [a + b for a in _TOWN_FIRST for b in _TOWN_SECOND]
    chosen = rng.permutation(len(stems))
    township_code, township_name, county_of = [], [], []
    codes_in_use = sorted(c[0] for c in counties)
    serial: dict[tuple[str, int], int] = {}
    place_of_town = np.zeros(len(size), dtype=np.int64)
    for place, town in enumerate(town_rank):
        county_code, _ = counties[county_of_town[town]]
        kind = _town_class(float(urban_share[town]), town)
        number = serial.get((county_code, kind), 0)
        serial[county_code, kind] = number + 1
        first = (1, 100, 200)[kind]
        township_code.append(f"{county_code}{first + number:03d}")
        again, stem = divmod(place, len(stems))
        township_name.append(_AGAIN[again] + stems[chosen[stem]] + ("街道", "镇", "乡")[kind])
        county_of.append(codes_in_use.index(county_code))
        place_of_town[town] = place
    township_of = place_of_town[land.township]
    order = np.lexsort((land.points[:, 0], -land.points[:, 1], ~community, township_of)).astype(np.int64)
    unit_code, unit_name = _units(township_of[order], community[order], township_code, rng)
    names = dict(counties)
    return Places(
        order=order,
        unit_code=unit_code,
        unit_name=unit_name,
        community=community[order],
        township_of=township_of[order],
        township_code=township_code,
        township_name=township_name,
        county_of=np.array(county_of, dtype=np.int64),
        county_code=codes_in_use,
        county_name=[names[code] for code in codes_in_use],
    )


def _counties(land: Geography) -> list[tuple[str, str]]:
    """Return code and name by position of the county in the geography."""
    rest = iter(_OTHER_COUNTIES)
    return [
        _CORE_COUNTY
        if position == land.core_county
        else (RETURNS_COUNTY, _RETURNS_NAME)
        if position == land.returns_county
        else next(rest)
        for position in range(int(land.county.max()) + 1)
    ]


def _town_class(urban_share: float, town: int) -> int:
    """Return 0 for a sub-district, 1 for a town, 2 for a rural township."""
    if urban_share >= 0.6:
        return 0
    return 1 if urban_share >= 0.12 or town % 3 else 2


def _units(
    township_of: Integers, community: Mask, township_code: list[str], rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    stems = [s + p + g for s in _SIDES for p in _PLANTS for g in _LANDS]
    codes, names = [], []
    serial: dict[tuple[int, bool], int] = {}
    taken: dict[int, list[str]] = {}
    for town, urban in zip(township_of.tolist(), community.tolist(), strict=True):
        number = serial.get((town, urban), 0)
        serial[town, urban] = number + 1
        codes.append(f"{township_code[town]}{(1 if urban else 200) + number:03d}")
        used = taken.setdefault(town, [])
        stem = stems[rng.integers(len(stems))]
        while stem in used:
            stem = stems[rng.integers(len(stems))]
        used.append(stem)
        names.append(stem + (UnitKind.COMMUNITY if urban else UnitKind.VILLAGE).label)
    return codes, names
