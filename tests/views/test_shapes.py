"""One shape a unit in the order asked for, points as fallback, groups without holes or lost parts."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from huanjie_lib.errors import DataError
from huanjie_lib.views.shapes import group_shapes, unit_shapes

REAL = Path(__file__).parents[1] / "data" / "villages_real.topo.json"


def squares(*codes: str) -> gpd.GeoDataFrame:
    boxes = [shapely.box(n, 0, n + 1, 1) for n in range(len(codes))]
    return gpd.GeoDataFrame({"unit_code": list(codes)}, geometry=boxes, crs=4490)


def test_shapes_follow_the_units_and_leave_others_out() -> None:
    shapes = unit_shapes(pd.DataFrame({"unit_code": ["c", "a"]}), squares("a", "b", "c"))
    assert shapes.bounds["minx"].tolist() == [2, 0]
    assert shapes.index.tolist() == [0, 1]
    assert shapes.crs == "EPSG:4490"


def test_a_unit_without_a_polygon_lies_at_its_point_or_nowhere() -> None:
    units = pd.DataFrame(
        {"unit_code": ["a", "b", "c"], "longitude": [9, 8, None], "latitude": [9.0, 7.0, None]},
        index=[5, 6, 7],
    )
    shapes = unit_shapes(units, squares("a"))
    assert shapes.iloc[0].equals(shapely.box(0, 0, 1, 1))  # the polygon wins over the point
    assert shapes.iloc[1].equals(shapely.Point(8, 7))
    assert shapes.isna().tolist() == [False, False, True]


def test_points_take_the_crs_of_the_boundaries() -> None:
    units = pd.DataFrame({"unit_code": ["b"], "longitude": [120.0], "latitude": [30.0]})
    shapes = unit_shapes(units, squares("a").to_crs(4549))  # CGCS2000, zone of 120°E
    assert shapes.iloc[0].x == pytest.approx(500_000, abs=0.01)


def test_undeclared_crs_is_refused() -> None:
    with pytest.raises(DataError, match="没有声明坐标系"):
        unit_shapes(pd.DataFrame({"unit_code": ["a"]}), squares("a").set_crs(None, allow_override=True))


def test_two_boundaries_of_one_unit_are_refused() -> None:
    with pytest.raises(DataError, match="重复") as caught:
        unit_shapes(pd.DataFrame({"unit_code": ["a"]}), squares("a", "b", "b"))
    assert [fault.found for fault in caught.value.faults] == ["b"]


def test_groups_join_neighbours_and_repair_crossed_rings() -> None:
    crossed = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    shapes = gpd.GeoSeries([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), crossed, None], crs=4490)
    groups = group_shapes(shapes, pd.Series(["b", "b", "a", "c"]))
    assert groups.index.tolist() == ["a", "b"]
    assert groups.is_valid.all()
    assert groups["b"].equals(shapely.box(0, 0, 2, 1))
    assert groups["a"].area == pytest.approx(0.5)
    assert groups.crs == "EPSG:4490"


def test_groups_of_real_villages_keep_their_ground() -> None:
    real = gpd.read_file(REAL).set_crs(4326)
    groups = group_shapes(real.geometry, real["TOWNNAME"].fillna(""))
    valid = real.geometry.make_valid(method="structure")
    whole = shapely.union_all(valid.array)
    assert set(groups.geom_type) <= {"Polygon", "MultiPolygon"}
    assert shapely.area(groups.to_numpy()).sum() == pytest.approx(whole.area, rel=1e-3)
