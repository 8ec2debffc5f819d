from __future__ import annotations

import numpy as np
import pytest
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from huanjie_lib.sample.geography import FULL_SIZE, Geography, make_geography
from huanjie_lib.sample.streams import Streams


def assert_seamless(polygons: list[shapely.Polygon]) -> None:
    cells = np.array(polygons)
    assert shapely.is_valid(cells).all()
    assert shapely.coverage_is_valid(cells)
    whole = shapely.union_all(cells)
    assert whole.geom_type == "Polygon"
    assert len(whole.interiors) == 0
    assert whole.area == pytest.approx(shapely.area(cells).sum(), rel=1e-12)


def parts(land: Geography, labels: np.ndarray) -> int:
    """Return the number of connected parts into which the labels cut the units."""
    same = land.pairs[labels[land.pairs[:, 0]] == labels[land.pairs[:, 1]]]
    graph = coo_array((np.ones(len(same)), (same[:, 0], same[:, 1])), shape=(land.size, land.size))
    return int(connected_components(graph, directed=False)[0])


@pytest.mark.parametrize(("units", "seed"), [(60, 0), (60, 11), (200, 3), (500, 1), (500, 17)])
def test_any_city_is_seamless_and_its_regions_hang_together(units: int, seed: int) -> None:
    land = make_geography(units, Streams(seed))
    assert land.size == units
    assert_seamless(land.polygons)
    assert parts(land, land.county) == land.county.max() + 1
    assert parts(land, land.township) == land.township.max() + 1
    assert all(len(set(land.county[land.township == t])) == 1 for t in range(land.township.max() + 1))


def test_neighbours_share_a_border_and_no_others_do(land: Geography) -> None:
    tree = shapely.STRtree(land.polygons)
    first, second = tree.query(land.polygons, predicate="intersects")
    once = first < second
    first, second = first[once], second[once]
    cells = np.array(land.polygons)
    shared = shapely.length(shapely.intersection(cells[first], cells[second])) > 0
    assert np.array_equal(np.unique(np.column_stack([first, second])[shared], axis=0), land.pairs)


def test_the_core_is_dense_and_borders_are_not_straight(land: Geography) -> None:
    area = shapely.area(np.array(land.polygons))
    urban = land.urbanity > 0.5
    assert np.median(area[~urban]) > 4 * np.median(area[urban])
    hulls = shapely.area(shapely.convex_hull(np.array(land.polygons)))
    assert np.median(area / hulls) < 0.95


def test_the_place_is_where_it_should_be(land: Geography) -> None:
    west, south, east, north = shapely.total_bounds(np.array(land.polygons))
    assert west > 114
    assert east < 116
    assert south > 29
    assert north < 31


def test_the_county_that_files_on_paper_is_a_small_one(land: Geography) -> None:
    sizes = np.bincount(land.county)
    assert land.returns_county != land.core_county
    others = np.delete(sizes, land.core_county)
    wanted = 220 * land.size / FULL_SIZE
    assert abs(sizes[land.returns_county] - wanted) == abs(others - wanted).min()
