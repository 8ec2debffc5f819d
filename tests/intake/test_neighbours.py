import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from libpysal.graph import Graph

from huanjie_lib.intake.neighbours import NEAREST, neighbour_pairs
from huanjie_lib.sample import make_city

DEGREE = 1 / 111_195  # of latitude, a metre


def squares(gap_m: float = 0.0) -> tuple[pd.DataFrame, gpd.GeoDataFrame]:
    """Two by two squares of 0.01°, the right column ``gap_m`` apart, and one far away."""
    shift = gap_m * DEGREE / np.cos(np.radians(30))
    corners = {
        "a": (120.0, 30.0),
        "b": (120.01 + shift, 30.0),
        "c": (120.0, 30.01),
        "d": (120.01 + shift, 30.01),
    }
    corners["e"] = (120.2, 30.2)
    shapes = [shapely.box(x, y, x + 0.01, y + 0.01) for x, y in corners.values()]
    units = pd.DataFrame({"unit_code": list(corners)})
    return units, gpd.GeoDataFrame({"unit_code": list(corners)}, geometry=shapes, crs=4490)


def test_borders_agree_with_libpysal_on_a_city() -> None:
    city = make_city(units=80)
    pairs = neighbour_pairs(city.tables["units"], city.geometry)
    shapes = city.geometry.dropna(subset="geometry").set_index("unit_code")
    adjacency = Graph.build_contiguity(shapes, rook=False).adjacency.reset_index()
    peer = {(a, b) for a, b in zip(adjacency["focal"], adjacency["neighbor"], strict=True) if a < b}
    border = pairs[pairs["link"] == "border"]
    assert set(zip(border["unit_code"], border["neighbour_code"], strict=True)) == peer
    bare = set(city.tables["units"]["unit_code"]) - set(shapes.index)
    near = pairs[pairs["link"] == "nearest"]
    assert bare
    for code in bare:
        assert ((near["unit_code"] == code) | (near["neighbour_code"] == code)).sum() >= NEAREST


def test_corners_and_slivers_count_and_islands_have_none() -> None:
    units, boundaries = squares()
    pairs = neighbour_pairs(units, boundaries)
    assert [(a, b) for a, b in pairs[["unit_code", "neighbour_code"]].to_numpy()] == [
        ("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d"),
    ]  # fmt: skip
    units, sliver = squares(gap_m=0.8)
    assert len(neighbour_pairs(units, sliver)) == 6
    assert len(neighbour_pairs(units, sliver, gap_m=0.5)) == 2


def test_a_unit_without_polygon_is_linked_to_the_nearest_by_its_place() -> None:
    units, boundaries = squares()
    boundaries = boundaries.iloc[[1, 2, 3, 4]].assign(
        geometry=lambda f: f.geometry.where(f["unit_code"] != "d")
    )
    units = units.assign(
        longitude=[120.004, np.nan, np.nan, 120.016, np.nan],
        latitude=[30.006, np.nan, np.nan, 30.016, np.nan],
    )
    units.loc[5] = ["f", np.nan, np.nan]
    pairs = neighbour_pairs(units, boundaries, nearest=1)
    assert pairs.to_numpy().tolist() == [
        ["a", "c", "nearest"],
        ["b", "c", "border"],
        ["c", "d", "nearest"],
    ]


def test_places_alone_are_enough_and_nothing_gives_no_pair() -> None:
    units, boundaries = squares()
    none = boundaries.iloc[:0]
    assert neighbour_pairs(units, none).empty
    placed = units.assign(longitude=[120.0, 120.01, 120.03, 120.07, 120.15], latitude=30.0)
    pairs = neighbour_pairs(placed, none, nearest=1)
    assert pairs["unit_code"].str.cat(pairs["neighbour_code"]).tolist() == ["ab", "bc", "cd", "de"]


def test_what_cannot_be_told_is_refused() -> None:
    units, boundaries = squares()
    with pytest.raises(ValueError, match="CRS"):
        neighbour_pairs(units, boundaries.set_crs(None, allow_override=True))
    with pytest.raises(ValueError, match="once"):
        neighbour_pairs(units, boundaries.iloc[[0, 0]])
    with pytest.raises(ValueError, match="nearest"):
        neighbour_pairs(units, boundaries, nearest=0)
