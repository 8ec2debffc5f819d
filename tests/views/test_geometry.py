"""Boundaries for the live map: what goes in comes out, to within the step, whatever the shape."""

from __future__ import annotations

import struct
from pathlib import Path

import geopandas
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from huanjie_lib.errors import DataError
from huanjie_lib.views.geometry import decode_geometry, encode_geometry

REAL_VILLAGES = Path(__file__).parents[1] / "data" / "villages_real.topo.json"
STEP = 1e-6


@st.composite
def star(draw: st.DrawFn, lon: float, lat: float, radius: float) -> list[tuple[float, float]]:
    """Draw a ring around a centre: no two spokes closer than half the radius, so it is valid."""
    spokes = draw(st.lists(st.floats(0.5, 1.0), min_size=3, max_size=12))
    turns = np.linspace(0, 2 * np.pi, len(spokes), endpoint=False)
    return [
        (lon + radius * length * np.cos(turn), lat + radius * length * np.sin(turn))
        for length, turn in zip(spokes, turns, strict=True)
    ]


@st.composite
def polygon(draw: st.DrawFn, lon: float | None = None) -> shapely.Polygon:
    lon = draw(st.floats(100.0, 120.0)) if lon is None else lon
    lat = draw(st.floats(20.0, 45.0))
    radius = draw(st.floats(1e-4, 0.05))
    holes = [draw(star(lon, lat, radius * 0.1))] if draw(st.booleans()) else []
    return shapely.Polygon(draw(star(lon, lat, radius)), holes)


units = st.lists(
    st.one_of(
        polygon(),
        st.tuples(polygon(lon=105.0), polygon(lon=115.0)).map(shapely.MultiPolygon),
        st.builds(shapely.Point, st.floats(100.0, 120.0), st.floats(20.0, 45.0)),
        st.none(),
        st.just(shapely.Polygon()),
    ),
    max_size=6,
)


def vertices_of(shape: BaseGeometry) -> list[np.ndarray]:
    """Return the rings of a shape without their closing vertices."""
    if shape.geom_type == "Point":
        return [shapely.get_coordinates(shape)]
    return [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(shapely.get_parts(shape))]


@given(units)
def test_round_trip_keeps_kind_rings_and_vertices_within_half_a_step(
    shapes: list[BaseGeometry | None],
) -> None:
    encoded = encode_geometry(shapes, step=STEP)
    decoded = decode_geometry(encoded.buffer)

    assert encoded.unit_count == len(decoded) == len(shapes)
    for before, after in zip(shapes, decoded, strict=True):
        if before is None or before.is_empty:
            assert after is None
            continue
        assert after is not None
        assert after.geom_type == before.geom_type
        assert after.is_valid
        rings, wanted = vertices_of(after), vertices_of(before)
        assert [len(ring) for ring in rings] == [len(ring) for ring in wanted]
        for ring, other in zip(rings, wanted, strict=True):
            np.testing.assert_allclose(ring, other, rtol=0, atol=STEP / 2 * 1.001)
    drawn = [shape for shape in decoded if shape is not None]
    assert encoded.drawn_units == len(drawn)
    if drawn:
        np.testing.assert_allclose(
            encoded.bbox, shapely.total_bounds(np.array(drawn, dtype=object)), atol=1e-9
        )
    else:
        assert encoded.bbox is None
    assert encode_geometry(shapes, step=STEP).buffer == encoded.buffer


def test_bytes_are_laid_out_as_documented() -> None:
    """Every byte of a small case, worked out by hand from the module's documentation."""
    triangle = shapely.Polygon([(120.0, 30.0), (120.03, 30.0), (120.0, 30.02)])
    buffer = encode_geometry([shapely.Point(120.01, 30.01), None, triangle], step=0.01).buffer

    assert buffer[:24] == b"HJG1" + struct.pack("<5I", 3, 2, 2, 4, 0)
    west, south, east, north, step = struct.unpack("<5d", buffer[24:64])
    assert (west, south, step) == (120.0, 30.0, 0.01)
    assert (east, north) == pytest.approx((120.03, 30.02))
    assert list(buffer[64:]) == [
        *(1, 0, 1),  # polygons of the point, of the missing unit, of the triangle
        *(1, 1),  # rings
        *(1, 3),  # vertices
        *(2, 2),  # the point: +1, +1 from the corner
        *(1, 1),  # the triangle: -1, -1
        *(6, 0),  # +3, 0
        *(5, 4),  # -3, +2
    ]


def test_quantisation_error_on_the_ground_stays_below_the_stated_bound() -> None:
    """Distance on the ellipsoid (pyproj) between each vertex before and after."""
    rng = np.random.default_rng(7)
    spots = rng.uniform([100.0, 18.0], [125.0, 50.0], (5000, 2))
    encoded = encode_geometry(shapely.points(spots), step=STEP)
    after = shapely.get_coordinates(decode_geometry(encoded.buffer))
    _, _, metres = pyproj.Geod(ellps="GRS80").inv(*spots.T, *after.T)

    assert 0.0 < max(metres) <= encoded.max_error_m < 0.08


def test_neighbours_still_share_their_border_after_simplification() -> None:
    rng = np.random.default_rng(3)
    border = [
        (120.1 + wobble, lat)
        for wobble, lat in zip(rng.normal(0, 2e-4, 200), np.linspace(30, 30.2, 200), strict=True)
    ]
    left = shapely.Polygon([(120.0, 30.0), *border, (120.0, 30.2)])
    right = shapely.Polygon([(120.2, 30.0), *border, (120.2, 30.2)])

    exact = encode_geometry([left, right])
    simple = encode_geometry([left, right], tolerance_m=100.0)
    west, east = decode_geometry(simple.buffer)

    assert simple.vertex_count < exact.vertex_count / 2
    assert west is not None
    assert east is not None
    assert shapely.area(shapely.intersection(west, east)) == 0.0
    assert shapely.union(west, east).geom_type == "Polygon"
    assert len(shapely.union(west, east).interiors) == 0
    assert shapely.intersection(west, east).length == pytest.approx(0.2, rel=0.2)


def test_no_unit_is_lost_when_its_polygon_collapses() -> None:
    """A sliver thinner than the step, a line left by repair and a mixed collection all stay visible."""
    sliver = shapely.box(120.0, 30.0, 120.0 + 1e-8, 30.0 + 1e-8)
    line = shapely.LineString([(120.0, 30.0), (120.01, 30.0)])
    mixed = shapely.GeometryCollection([line, shapely.box(120.0, 30.0, 120.02, 30.02)])
    holed = shapely.Polygon(
        shapely.box(120, 30, 120.01, 30.01).exterior,
        [shapely.box(120.005, 30.005, 120.005 + 1e-8, 30.006).exterior],
    )
    encoded = encode_geometry([sliver, line, mixed, holed])
    decoded = decode_geometry(encoded.buffer)

    assert [shape.geom_type for shape in decoded if shape is not None] == [
        "Point",
        "Point",
        "Polygon",
        "Polygon",
    ]
    assert (encoded.polygon_units, encoded.point_units) == (2, 2)
    assert shapely.get_num_interior_rings(decoded[3]) == 0


def test_nothing_to_draw_is_not_an_error() -> None:
    encoded = encode_geometry([None, None])
    assert (encoded.bbox, encoded.unit_count, encoded.drawn_units) == (None, 2, 0)
    assert decode_geometry(encoded.buffer) == [None, None]
    assert decode_geometry(encode_geometry([]).buffer) == []


def test_a_geoseries_is_accepted_and_a_projected_one_refused() -> None:
    boxes = geopandas.GeoSeries([shapely.box(120, 30, 120.1, 30.1)], index=["村"], crs="EPSG:4490")
    assert encode_geometry(boxes).polygon_units == 1
    with pytest.raises(DataError, match="转换为 CGCS2000 经纬度"):
        encode_geometry(boxes.to_crs("EPSG:4549"))


@pytest.mark.parametrize(
    "spot", [(500000.0, 3300000.0), (120.0, 86.0), (float("nan"), 30.0), (float("inf"), 30.0)]
)
def test_coordinates_that_are_not_degrees_are_refused_by_unit(spot: tuple[float, float]) -> None:
    with pytest.raises(DataError) as caught:
        encode_geometry([shapely.Point(120, 30), shapely.Point(*spot)])
    assert [fault.where for fault in caught.value.faults] == ["边界第 2 个单元"]
    assert "EPSG:4490" in caught.value.faults[0].remedy


def test_a_whole_wrong_layer_lists_twenty_units_and_the_total() -> None:
    with pytest.raises(DataError, match="有问题的单元 50 个") as caught:
        encode_geometry([shapely.Point(500000.0, 3300000.0)] * 50)
    assert len(caught.value.faults) == 20


def test_a_damaged_buffer_is_refused() -> None:
    buffer = encode_geometry([shapely.box(120, 30, 121, 31)]).buffer
    for damaged in (b"", buffer[:40], b"PK" + buffer[2:], buffer[:-1], buffer + b"\x00", buffer + b"\x80"):
        with pytest.raises(ValueError, match="encoded geometry"):
            decode_geometry(damaged)


@pytest.mark.parametrize(
    ("tolerance_m", "step"), [(-1.0, 1e-6), (float("nan"), 1e-6), (0.0, 1e-9), (0.0, 0.0)]
)
def test_impossible_options_are_refused(tolerance_m: float, step: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        encode_geometry([shapely.Point(120, 30)], tolerance_m=tolerance_m, step=step)


@pytest.mark.parametrize("tolerance_m", [0.0, 20.0])
def test_every_real_village_stays_an_area_of_its_size(tolerance_m: float) -> None:
    """7,599 real polygons, a few of them invalid as found: same units, same areas, 40 bytes each."""
    villages = shapely.make_valid(geopandas.read_file(REAL_VILLAGES).geometry.to_numpy())
    encoded = encode_geometry(villages, tolerance_m=tolerance_m)
    decoded = np.array(decode_geometry(encoded.buffer), dtype=object)

    assert encoded.unit_count == encoded.polygon_units == len(decoded) == 7599
    assert len(encoded.buffer) < 40 * 7599
    off = np.abs(shapely.area(decoded) - shapely.area(villages))
    perimeter = shapely.length(villages)
    assert np.all(off <= perimeter * (STEP + 2 * tolerance_m / 111_000))
