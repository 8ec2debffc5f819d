"""Unit boundaries in a compact binary form for the live map.

The browser gets the boundaries once, as one buffer, and afterwards one byte per unit for the colour. The
buffer holds longitudes and latitudes as whole steps from the south-west corner of the data. Equal input
coordinates always become equal steps, so a border that two neighbours share stays shared and never gaps.

Byte layout
-----------
All fixed-width numbers are little-endian. A *varint* is an unsigned LEB128 number: seven bits a byte, least
significant first, the high bit set on every byte but the last.

========  ==========  ==========================================================================
offset    type        content
========  ==========  ==========================================================================
0         4 bytes     ``HJG1``
4         uint32      ``U``, number of units (every unit counts, drawn or not)
8         uint32      ``P``, number of polygons
12        uint32      ``R``, number of rings
16        uint32      ``V``, number of vertices (a ring's closing vertex is not repeated)
20        uint32      zero
24        4 float64   west, south, east, north in degrees, of the quantised vertices
56        float64     step in degrees
64        U varints   polygons of each unit; 0 means nothing to draw
…         P varints   rings of each polygon, outer ring first, then holes
…         R varints   vertices of each ring; 1 means a point, otherwise at least 3
…         2V varints  dx, dy of each vertex from the vertex before it in the whole buffer, in steps,
                      zigzag-coded (0, −1, 1, −2 → 0, 1, 2, 3); the first from (west, south)
========  ==========  ==========================================================================

A unit that has a point instead of a polygon is one polygon of one ring of one vertex. When nothing is to be
drawn at all, the four bounds are NaN.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import GeometryType
from shapely.geometry.base import BaseGeometry

from huanjie_lib.errors import DataError, Fault

__all__ = ["EncodedGeometry", "decode_geometry", "encode_geometry"]

_MAGIC: Final = b"HJG1"
_HEADER: Final = struct.Struct("<4s5I5d")
_MAX_STEPS: Final = 2**30
_MAX_LATITUDE: Final = 85.0
_METRES_PER_DEGREE: Final = 6_371_008.8 * np.pi / 180.0
_FAULTS_LISTED: Final = 20

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EncodedGeometry:
    """Boundaries ready to be sent to the browser.

    Parameters
    ----------
    buffer
        The bytes laid out as the module's documentation says.
    bbox
        West, south, east, north in degrees; ``None`` when nothing is to be drawn.
    unit_count
        Number of units, in the order given, including those with nothing to draw.
    polygon_units, point_units
        Number of units drawn as an area and as a point marker.
    vertex_count
        Number of vertices in the buffer.
    step
        Quantisation step in degrees; a vertex is at most half a step off in each direction.

    Examples
    --------
    >>> square = shapely.box(120.0, 30.0, 120.01, 30.01)
    >>> encoded = encode_geometry([square, None, shapely.Point(120.02, 30.0)])
    >>> encoded.unit_count, encoded.polygon_units, encoded.point_units, encoded.vertex_count
    (3, 1, 1, 5)
    >>> encoded.max_error_m < 0.1
    True
    """

    buffer: bytes
    bbox: tuple[float, float, float, float] | None
    unit_count: int
    polygon_units: int
    point_units: int
    vertex_count: int
    step: float

    @property
    def drawn_units(self) -> int:
        """Number of units that appear on the map."""
        return self.polygon_units + self.point_units

    @property
    def max_error_m(self) -> float:
        """Upper bound of the shift of a vertex by quantisation, in metres on the ground."""
        return float(self.step / 2 * np.sqrt(2) * _METRES_PER_DEGREE)


def encode_geometry(
    geometries: Sequence[BaseGeometry | None] | Shapes,
    *,
    tolerance_m: float = 0.0,
    step: float = 1e-6,
) -> EncodedGeometry:
    """Encode unit boundaries for the live map.

    Parameters
    ----------
    geometries
        One entry per unit, shape ``(n,)``: a list, an object array or a GeoSeries in longitude and latitude
        (EPSG:4490). Polygons and multipolygons become areas, points become markers, ``None`` and empty
        geometries stay as units without anything to draw. Of a collection (as repairing an invalid ring can
        leave behind) the areas are kept; a unit left without any area becomes a marker at a point of what
        remains, so that no unit is lost.
    tolerance_m
        Tolerance of simplification in metres, about the square root of the area of the triangles left out;
        0 keeps every vertex. Shared borders are simplified together, so neighbours still meet.
    step
        Quantisation step in degrees, at least 1e-7 (1e-6 is 0.11 m).

    Returns
    -------
    EncodedGeometry
        The buffer and its description. The same input always gives the same bytes.

    Raises
    ------
    DataError
        Coordinates are not degrees (not finite, beyond ±180 and ±85) or the series declares a projected CRS.
    ValueError
        ``tolerance_m`` is negative or ``step`` is too small for the extent.

    Notes
    -----
    Simplification is Visvalingam–Whyatt on a polygon coverage (``shapely.coverage_simplify``).

    Examples
    --------
    >>> encoded = encode_geometry([shapely.box(120.0, 30.0, 120.01, 30.01)])
    >>> encoded.bbox
    (120.0, 30.0, 120.01, 30.01)
    >>> encode_geometry([shapely.Point(500000, 3300000)])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    huanjie_lib.errors.DataError: 边界坐标不是经纬度，不能上图（共 1 处问题）
      1. 边界第 1 个单元：发现“横坐标 500000.0 至 500000.0，纵坐标 ...
    """
    if not tolerance_m >= 0:
        raise ValueError(f"tolerance_m must be zero or more, got {tolerance_m!r}")
    if not 1e-7 <= step <= 1.0:
        raise ValueError(f"step must be between 1e-7 and 1 degree, got {step!r}")
    _require_geographic(geometries)
    shapes = np.empty(len(geometries), dtype=object)
    shapes[:] = list(geometries)
    _require_degrees(shapes)

    areas, area_unit = _areas(shapes)
    if tolerance_m > 0:
        areas, area_unit = _simplified(areas, area_unit, tolerance_m)
    spots = shapely.get_coordinates(np.concatenate([areas, shapes]))
    origin = spots.min(axis=0) if len(spots) else np.zeros(2)
    if len(spots) and (spots.max(axis=0) - origin).max() / step >= _MAX_STEPS:
        raise ValueError(f"step {step!r} is too small for an extent of {spots.max(axis=0) - origin} degrees")

    steps, ring_size, area_rings = _rings(areas, origin, step)
    area_unit = area_unit[area_rings > 0]
    area_rings = area_rings[area_rings > 0]

    # Units without an area become markers: one polygon of one ring of one vertex.
    present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    marked = np.setdiff1d(np.flatnonzero(present), area_unit)
    markers = shapely.get_coordinates(shapely.point_on_surface(shapes[marked]))
    ones = np.ones(len(marked), dtype=np.int64)
    steps = np.concatenate([steps, _quantised(markers, origin, step)])
    ring_size = np.concatenate([ring_size, ones])
    area_rings = np.concatenate([area_rings, ones])
    area_unit = np.concatenate([area_unit, marked])

    # Everything in the order of the units, markers between the areas.
    ring_unit = np.repeat(area_unit, area_rings)
    vertex_unit = np.repeat(ring_unit, ring_size)
    steps = steps[np.argsort(vertex_unit, kind="stable")]
    ring_size = ring_size[np.argsort(ring_unit, kind="stable")]
    area_rings = area_rings[np.argsort(area_unit, kind="stable")]
    unit_areas = np.bincount(area_unit, minlength=len(shapes))

    bounds = np.full(4, np.nan)
    if len(steps):
        bounds = np.concatenate([origin + steps.min(axis=0) * step, origin + steps.max(axis=0) * step])
        steps = steps - steps.min(axis=0)
    deltas = np.diff(steps, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)).ravel()
    header = _HEADER.pack(
        _MAGIC, len(shapes), len(area_rings), len(ring_size), len(steps), 0, *bounds.tolist(), step
    )
    counts = np.concatenate([unit_areas, area_rings, ring_size])
    west, south, east, north = bounds.tolist()
    return EncodedGeometry(
        buffer=header + _to_varints(counts) + _to_varints((deltas << 1) ^ (deltas >> 63)),
        bbox=(west, south, east, north) if len(steps) else None,
        unit_count=len(shapes),
        polygon_units=int(np.count_nonzero(unit_areas)) - len(marked),
        point_units=len(marked),
        vertex_count=len(steps),
        step=step,
    )


def decode_geometry(buffer: bytes) -> list[BaseGeometry | None]:
    """Read a buffer back into geometries.

    Parameters
    ----------
    buffer
        Bytes written by :func:`encode_geometry`.

    Returns
    -------
    list
        One entry per unit: Polygon, MultiPolygon, Point, or ``None`` where nothing is to be drawn.

    Raises
    ------
    ValueError
        The bytes are not such a buffer, or it is cut short or too long.

    Examples
    --------
    >>> decode_geometry(encode_geometry([None, shapely.Point(120.5, 30.25)]).buffer)
    [None, <POINT (120.5 30.25)>]
    >>> decode_geometry(b"PK")
    Traceback (most recent call last):
    ...
    ValueError: not an encoded geometry: 2 bytes, starting b'PK'
    """
    if len(buffer) < _HEADER.size or buffer[:4] != _MAGIC:
        raise ValueError(f"not an encoded geometry: {len(buffer)} bytes, starting {buffer[:4]!r}")
    _, units, polygons, rings, vertices, _, west, south, _, _, step = _HEADER.unpack_from(buffer)
    numbers = _from_varints(buffer[_HEADER.size :])
    expected = units + polygons + rings + 2 * vertices
    if len(numbers) != expected:
        raise ValueError(f"encoded geometry holds {len(numbers)} numbers, its header says {expected}")
    unit_areas, area_rings, ring_size, codes = np.split(numbers, np.cumsum([units, polygons, rings]))
    steps = np.cumsum(((codes >> 1) ^ -(codes & 1)).reshape(-1, 2), axis=0)
    spots = np.array([west, south]) + steps * step
    ring_spots = iter(np.split(spots, np.cumsum(ring_size)[:-1]))
    ring_counts = iter(area_rings.tolist())

    shapes: list[BaseGeometry | None] = []
    for count in unit_areas.tolist():
        parts = [[next(ring_spots) for _ in range(next(ring_counts))] for _ in range(count)]
        if not parts:
            shapes.append(None)
        elif len(parts[0][0]) == 1:
            shapes.append(shapely.Point(parts[0][0][0]))
        else:
            areas = [shapely.Polygon(outer, holes) for outer, *holes in parts]
            shapes.append(areas[0] if count == 1 else shapely.MultiPolygon(areas))
    return shapes


def _require_geographic(geometries: Any) -> None:
    """Refuse a series whose declared CRS is projected."""
    crs = getattr(geometries, "crs", None)
    if crs is not None and not crs.is_geographic:
        raise DataError(
            "边界的坐标系不是经纬度，不能上图",
            [
                Fault(
                    "边界的坐标系声明",
                    str(crs.name),
                    "经纬度坐标系",
                    "转换为 CGCS2000 经纬度（EPSG:4490）后再上图",
                )
            ],
        )


def _require_degrees(shapes: Shapes) -> None:
    """Refuse coordinates that cannot be degrees."""
    coordinates, unit = shapely.get_coordinates(shapes, return_index=True)
    with np.errstate(invalid="ignore"):
        good = (np.abs(coordinates[:, 0]) <= 180.0) & (np.abs(coordinates[:, 1]) <= _MAX_LATITUDE)
    wrong = np.unique(unit[~good])
    if not len(wrong):
        return
    faults = []
    for position in wrong[:_FAULTS_LISTED].tolist():
        own = coordinates[unit == position]
        (left, bottom), (right, top) = own.min(axis=0).tolist(), own.max(axis=0).tolist()
        faults.append(
            Fault(
                f"边界第 {position + 1} 个单元",
                f"横坐标 {left} 至 {right}，纵坐标 {bottom} 至 {top}",
                f"经度 -180 至 180、纬度 -{_MAX_LATITUDE:g} 至 {_MAX_LATITUDE:g} 的度数",
                "在导入时声明坐标系，转换为 CGCS2000 经纬度（EPSG:4490）",
            )
        )
    rest = (
        f"（有问题的单元 {len(wrong)} 个，列出前 {_FAULTS_LISTED} 个）" if len(wrong) > _FAULTS_LISTED else ""
    )
    raise DataError(f"边界坐标不是经纬度，不能上图{rest}", faults)


def _areas(shapes: Shapes) -> tuple[Shapes, Ints]:
    """Return every polygon with the position of its unit, collections opened."""
    parts, unit = shapes, np.arange(len(shapes))
    while True:
        parts, inner = shapely.get_parts(parts, return_index=True)
        unit = unit[inner]
        kinds = shapely.get_type_id(parts)
        if not np.isin(kinds, [GeometryType.MULTIPOLYGON, GeometryType.GEOMETRYCOLLECTION]).any():
            break
    solid = (kinds == GeometryType.POLYGON) & ~shapely.is_empty(parts)
    return parts[solid], unit[solid]


def _simplified(areas: Shapes, area_unit: Ints, tolerance_m: float) -> tuple[Shapes, Ints]:
    """Simplify all areas as one coverage, in metres on a local plane."""
    middle = shapely.get_coordinates(areas)[:, 1].mean() if len(areas) else 0.0
    scale = np.array([np.cos(np.radians(middle)), 1.0]) * _METRES_PER_DEGREE
    plane = shapely.transform(areas, lambda spots: spots * scale)
    simple = shapely.transform(shapely.coverage_simplify(plane, tolerance_m), lambda spots: spots / scale)
    parts, inner = shapely.get_parts(simple, return_index=True)
    return parts, area_unit[inner]


def _quantised(spots: Floats, origin: Floats, step: float) -> Ints:
    """Return coordinates as whole steps from ``origin``."""
    return np.rint((spots - origin) / step).astype(np.int64)


def _rings(areas: Shapes, origin: Floats, step: float) -> tuple[Ints, Ints, Ints]:
    """Return the quantised vertices, the vertices of each ring and the rings of each polygon.

    Vertices that fall together are merged and closing vertices left out. A ring thinner than the step
    collapses; a polygon whose outer ring has collapsed counts no rings.
    """
    rings, ring_area = shapely.get_rings(areas, return_index=True)
    spots, ring = shapely.get_coordinates(rings, return_index=True)
    steps = _quantised(spots, origin, step)

    first = np.diff(ring, prepend=-1) != 0
    moved = np.any(np.diff(steps, axis=0, prepend=0) != 0, axis=1)
    keep = np.flatnonzero(first | moved)
    # Rings are closed: of what is kept, the last of each ring repeats its first, or is its first.
    keep = keep[np.diff(ring[keep], append=-1) == 0]
    steps, ring = steps[keep], ring[keep]

    size = np.bincount(ring, minlength=len(rings))
    outer = np.diff(ring_area, prepend=-1) != 0
    alive = (size >= 3) & (size >= 3)[outer][ring_area]
    return steps[alive[ring]], size[alive], np.bincount(ring_area[alive], minlength=len(areas))


def _to_varints(values: Ints) -> bytes:
    """Write non-negative numbers below 2**35 as LEB128."""
    limits = np.array([1 << 7, 1 << 14, 1 << 21, 1 << 28])
    width = 1 + np.searchsorted(limits, values, side="right")
    start = np.cumsum(width) - width
    out = np.zeros(int(width.sum()), dtype=np.uint8)
    for place in range(5):
        here = width > place
        byte = (values[here] >> (7 * place)) & 0x7F
        out[start[here] + place] = byte | np.where(width[here] > place + 1, 0x80, 0)
    return out.tobytes()


def _from_varints(data: bytes) -> Ints:
    """Read a run of LEB128 numbers."""
    octets = np.frombuffer(data, dtype=np.uint8).astype(np.int64)
    ends = np.flatnonzero(octets < 0x80)
    if len(octets) and (not len(ends) or ends[-1] != len(octets) - 1):
        raise ValueError("encoded geometry ends inside a number")
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
    place = np.arange(len(octets)) - np.repeat(starts, ends - starts + 1)
    return np.asarray(np.add.reduceat((octets & 0x7F) << (7 * place), starts) if len(ends) else octets[:0])
