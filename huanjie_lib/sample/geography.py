"""The land of the synthetic city: outline, villages as a seamless coverage, townships and counties.

Villages are Voronoi cells of points that lie denser around the city and the county seats. All borders are
cut from one noded line network on a grid of five metres and each border line is roughened once, so that
neighbours share it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from huanjie_lib.sample.streams import Array, Integers, Mask, Streams, steady

__all__ = ["FULL_SIZE", "Geography", "make_geography"]

FULL_SIZE = 3215
"""Units of the full city; a smaller city keeps the size of its villages and covers less land."""

_COUNTIES = 12
_TOWNSHIPS = 147
_RETURNS_UNITS = 220
_RADIUS = 57_000.0
_GRID = 5.0
_STRETCH = 1.12
_LONGITUDE, _LATITUDE = 115.1, 30.2
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Geography:
    """Land of the city; every array has one entry a unit unless said otherwise.

    ``pairs`` holds each pair of neighbouring units once (two columns of positions). ``county`` and
    ``township`` are positions counted from 0; ``urbanity`` lies between 0 (remote) and 1 (city core).
    ``returns_county`` is the position of the county that files on paper.
    """

    polygons: list[shapely.Polygon]
    points: Array
    pairs: Integers
    county: Integers
    township: Integers
    urbanity: Array
    core_county: int
    returns_county: int

    @property
    def size(self) -> int:
        """Number of units."""
        return len(self.polygons)


def make_geography(units: int, streams: Streams) -> Geography:
    """Lay out the land.

    Parameters
    ----------
    units
        Number of units, at least 60.
    streams
        Random streams; uses ``outline``, ``seeds`` and ``borders``.
    """
    scale = float(np.sqrt(units / FULL_SIZE))
    counties = int(np.clip(round(_COUNTIES * units / FULL_SIZE), 3, _COUNTIES))
    townships = max(round(_TOWNSHIPS * units / FULL_SIZE), 2 * counties)
    outline = _outline(_RADIUS * scale, streams["outline"])
    seats = _seats(outline, counties, streams["outline"])
    core = int(np.argmin(np.hypot(*(seats - _centre(outline)).T)))
    seeds, urbanity = _seeds(units, outline, seats, core, scale, streams["seeds"])
    cells = _cells(seeds, outline)
    pairs = _pairs(cells)
    county = _repaired(_nearest(_warped(seeds, scale, streams["seeds"]), seats), pairs)
    township = _townships(seeds, county, townships, pairs, streams["seeds"])
    return Geography(
        polygons=_roughened(cells, streams["borders"]),
        points=_degrees(seeds),
        pairs=pairs,
        county=county,
        township=township,
        urbanity=urbanity,
        core_county=core,
        returns_county=_pick_returns_county(county, core, units),
    )


def _pick_returns_county(county: Integers, core: int, units: int) -> int:
    sizes = np.bincount(county).astype(np.float64)
    sizes[core] = np.inf
    return int(np.argmin(np.abs(sizes - _RETURNS_UNITS * units / FULL_SIZE)))


def _centre(outline: shapely.Polygon) -> Array:
    return np.array([outline.centroid.x, outline.centroid.y])


def _outline(radius: float, rng: np.random.Generator) -> shapely.Polygon:
    """Return an irregular outline: a few waves for the shape, midpoint displacement for bays and spurs."""
    angles = np.linspace(0.0, 2.0 * np.pi, 28, endpoint=False)
    shape = np.ones_like(angles)
    for wave in range(2, 8):
        shape += rng.normal(0.0, 0.20 / wave) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    shape = radius * np.clip(shape, 0.6, 1.5)
    ring = np.column_stack([shape * np.cos(angles) * _STRETCH, shape * np.sin(angles) / _STRETCH])
    for _ in range(4):
        along = np.roll(ring, -1, axis=0) - ring
        offset = np.clip(rng.normal(0.0, 0.17, len(ring)), -0.3, 0.3)
        middle = ring + along / 2 + offset[:, None] * np.column_stack([-along[:, 1], along[:, 0]])
        ring = np.stack([ring, middle], axis=1).reshape(-1, 2)
    outline = shapely.make_valid(shapely.Polygon(np.round(ring / _GRID) * _GRID))
    parts: list[shapely.Polygon] = list(shapely.get_parts(outline))
    return max(parts, key=lambda part: float(part.area))


def _inside(outline: shapely.Polygon, count: int, rng: np.random.Generator) -> Array:
    west, south, east, north = outline.bounds
    found: list[Array] = []
    while sum(len(f) for f in found) < count:
        draw = rng.uniform((west, south), (east, north), (4 * count, 2))
        found.append(draw[shapely.contains_xy(outline, draw[:, 0], draw[:, 1])])
    return np.concatenate(found)[:count]


def _nearest(points: Array, centres: Array) -> Integers:
    squared = (points[:, None, 0] - centres[None, :, 0]) ** 2 + (
        points[:, None, 1] - centres[None, :, 1]
    ) ** 2
    return np.asarray(np.argmin(np.round(squared, 3), axis=1), dtype=np.int64)


def _group_means(points: Array, labels: Integers, count: int) -> Array:
    sizes = np.maximum(np.bincount(labels, minlength=count), 1)
    return np.column_stack(
        [np.bincount(labels, weights=points[:, axis], minlength=count) / sizes for axis in (0, 1)]
    )


def _k_means(points: Array, count: int, rng: np.random.Generator, rounds: int) -> Array:
    centres = points[np.sort(rng.choice(len(points), count, replace=False))]
    for _ in range(rounds):
        centres = np.round(_group_means(points, _nearest(points, centres), count), 3)
    return centres


def _seats(outline: shapely.Polygon, counties: int, rng: np.random.Generator) -> Array:
    """Return county seats, evenly spread but moved a little, so that counties differ in size."""
    seats = _k_means(_inside(outline, 400 * counties, rng), counties, rng, rounds=12)
    spread = np.sqrt(outline.area / counties)
    moved = seats + rng.normal(0.0, 0.10 * spread, seats.shape)
    inside = shapely.contains_xy(outline, moved[:, 0], moved[:, 1])
    return np.where(inside[:, None], moved, seats)


def _seeds(
    units: int,
    outline: shapely.Polygon,
    seats: Array,
    core: int,
    scale: float,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return village points, dense around the city and the county seats, and their urbanity."""
    in_core, in_seats = round(0.085 * units), round(0.10 * units)
    core_width, seat_width = 3_600.0 * scale, 1_900.0 * np.sqrt(scale)
    owner = rng.integers(len(seats), size=3 * in_seats)
    candidates = np.concatenate(
        [
            seats[core] + rng.normal(0.0, core_width, (2 * in_core, 2)),
            seats[owner] + rng.normal(0.0, seat_width, (3 * in_seats, 2)),
        ]
    )
    inside = shapely.contains_xy(outline, candidates[:, 0], candidates[:, 1])
    urban = candidates[: 2 * in_core][inside[: 2 * in_core]][:in_core]
    town = candidates[2 * in_core :][inside[2 * in_core :]][:in_seats]
    rural = _thinned(_inside(outline, 3 * units, rng), units - len(urban) - len(town), scale, rng)
    seeds = np.concatenate([urban, town, rural])
    for step in (0.7, 0.4):
        seeds = np.round(seeds + step * (_cell_centres(seeds, outline) - seeds), 1)
    to_core = np.hypot(*(seeds - seats[core]).T) / (2.1 * core_width)
    to_seat = np.min(np.hypot(*(seeds[:, None, :] - seats[None, :, :]).transpose(2, 0, 1)), axis=1)
    urbanity = np.maximum(np.exp(-(to_core**2)), 0.75 * np.exp(-((to_seat / (1.9 * seat_width)) ** 2)))
    return seeds, steady(urbanity)


def _thinned(points: Array, count: int, scale: float, rng: np.random.Generator) -> Array:
    """Return ``count`` of the points, fewer where smooth waves put hills and more where they put plains."""
    height = np.zeros(len(points))
    for wavelength in (55_000.0, 31_000.0, 18_000.0):
        direction = rng.uniform(0, 2 * np.pi)
        along = points[:, 0] * np.cos(direction) + points[:, 1] * np.sin(direction)
        height += np.sin(2 * np.pi * along / (wavelength * scale) + rng.uniform(0, 2 * np.pi))
    kept = steady(-np.log(rng.uniform(size=len(points))) * np.exp(0.55 * height))
    return points[np.sort(np.argsort(kept, kind="stable")[:count])]


def _warped(points: Array, scale: float, rng: np.random.Generator) -> Array:
    """Return points moved by smooth waves, so that the borders of nearest-seat regions curve."""
    moved = points.copy()
    for wavelength, amplitude in ((40_000.0, 4_500.0), (17_000.0, 2_200.0)):
        for axis in (0, 1):
            phase = rng.uniform(0, 2 * np.pi)
            wave = 2 * np.pi * points[:, 1 - axis] / (wavelength * scale) + phase
            moved[:, axis] += amplitude * scale * np.sin(wave)
    return moved


def _points(coordinates: Array) -> npt.NDArray[Any]:
    return np.asarray(shapely.points(coordinates))


def _cell_centres(seeds: Array, outline: shapely.Polygon) -> Array:
    """Return the centroid of each clipped Voronoi cell, or a point inside where that lies outside."""
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=outline))
    clipped = shapely.intersection(cells, outline)
    centres = shapely.centroid(clipped)
    centres = np.where(shapely.within(centres, clipped), centres, shapely.point_on_surface(clipped))
    owner = shapely.STRtree(cells).query(_points(seeds), predicate="within")
    found = seeds.copy()
    found[owner[0]] = shapely.get_coordinates(centres)[owner[1]]
    return found


def _cells(seeds: Array, outline: shapely.Polygon) -> list[shapely.Polygon]:
    """Return the Voronoi cells clipped to the outline, cut from one noded network on the grid.

    Where a concave outline splits a cell, the smaller parts go to the neighbour with the longest common
    border.
    """
    edges = shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=outline, only_edges=True)
    network = shapely.union_all([shapely.intersection(edges, outline), outline.exterior], grid_size=_GRID)
    faces: npt.NDArray[Any] = np.array(shapely.polygonize([network]).geoms)
    faces = faces[shapely.within(shapely.point_on_surface(faces), outline)]
    owner = np.asarray(shapely.STRtree(_points(seeds)).nearest(shapely.point_on_surface(faces)))
    by_area = np.lexsort((np.round(-shapely.area(faces)), owner))
    lesser = np.zeros(len(faces), dtype=np.bool_)
    lesser[by_area[1:]] = owner[by_area][1:] == owner[by_area][:-1]
    if (~lesser).sum() != len(seeds):
        raise ArithmeticError("a village point has no cell; points lie closer than the grid")
    tree = shapely.STRtree(faces)
    for face in np.flatnonzero(lesser).tolist():
        around = np.sort(tree.query(faces[face], predicate="intersects"))
        around = around[~lesser[around]]
        shared = np.round(shapely.length(shapely.intersection(faces[face], faces[around])))
        owner[face] = owner[around[np.argmax(shared)]]
    parts: list[list[shapely.Polygon]] = [[] for _ in seeds]
    for face, seed in enumerate(owner):
        parts[seed].append(faces[face])
    whole = [p[0] if len(p) == 1 else shapely.union_all(p) for p in parts]
    return [cell for cell in whole if isinstance(cell, shapely.Polygon)]


def _segments(cells: list[shapely.Polygon]) -> tuple[Integers, Integers, Mask]:
    """Return border segments of all rings as (x1, y1, x2, y2) with the smaller end first.

    Also the cell of each segment and whether it was turned round.
    """
    rings, owners, turned = [], [], []
    for position, cell in enumerate(cells):
        ring = np.round(shapely.get_coordinates(cell.exterior)).astype(np.int64)
        start, end = ring[:-1], ring[1:]
        swap = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
        rings.append(np.where(swap[:, None], np.hstack([end, start]), np.hstack([start, end])))
        owners.append(np.full(len(start), position, dtype=np.int64))
        turned.append(swap)
    return np.concatenate(rings), np.concatenate(owners), np.concatenate(turned)


def _pairs(cells: list[shapely.Polygon]) -> Integers:
    segments, owner, _ = _segments(cells)
    _, inverse = np.unique(segments, axis=0, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    same = inverse[order][1:] == inverse[order][:-1]
    pairs = np.column_stack([owner[order][:-1][same], owner[order][1:][same]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _repaired(labels: Integers, pairs: Integers) -> Integers:
    """Return labels made contiguous: detached parts take the label most of their neighbours have."""
    labels = labels.copy()
    for _ in range(20):
        inner = pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]
        graph = coo_array((np.ones(len(inner)), (inner[:, 0], inner[:, 1])), shape=(len(labels),) * 2)
        _, component = connected_components(graph, directed=False)
        sizes = np.bincount(component)
        largest = np.zeros(labels.max() + 1, dtype=np.int64) - 1
        for part in np.argsort(sizes, kind="stable"):
            largest[labels[np.argmax(component == part)]] = part
        astray = component != largest[labels]
        if not astray.any():
            return labels
        both = np.concatenate([pairs, pairs[:, ::-1]])
        for unit in np.flatnonzero(astray):
            around = both[both[:, 0] == unit, 1]
            settled = around[~astray[around]]
            if len(settled):
                labels[unit] = int(np.argmax(np.bincount(labels[settled])))
    raise ArithmeticError("regions could not be made contiguous; choose another seed")


def _townships(
    seeds: Array, county: Integers, townships: int, pairs: Integers, rng: np.random.Generator
) -> Integers:
    sizes = np.bincount(county)
    exact = sizes * townships / sizes.sum()
    counts = np.maximum(np.floor(exact).astype(np.int64), 1)
    for position in np.argsort(-(exact - counts), kind="stable")[: townships - counts.sum()]:
        counts[position] += 1
    labels = np.zeros(len(seeds), dtype=np.int64)
    first = 0
    for position, count in enumerate(counts):
        inside = np.flatnonzero(county == position)
        centres = _k_means(seeds[inside], int(count), rng, rounds=4)
        labels[inside] = first + _nearest(seeds[inside], centres)
        first += int(count)
    within = pairs[county[pairs[:, 0]] == county[pairs[:, 1]]]
    return _repaired(labels, within)


def _roughened(cells: list[shapely.Polygon], rng: np.random.Generator) -> list[shapely.Polygon]:
    """Return the cells in degrees with every border line made irregular, the same for both neighbours.

    Each segment is bent by midpoint displacement; where that makes a ring cross itself or a neighbour, its
    segments are bent half as much until all is well.
    """
    segments, owner, turned = _segments(cells)
    lines, inverse = np.unique(segments, axis=0, return_inverse=True)
    amplitude = np.full(len(lines), 0.17)
    draws = rng.normal(0.0, 1.0, (len(lines), 15))
    bent: list[Array] = [np.empty((0, 2))] * len(lines)
    anew = np.arange(len(lines))
    for _ in range(30):
        amplitude[amplitude < 0.01] = 0.0
        curves = [_bent(lines[line], amplitude[line], draws[line]) for line in anew]
        ends = np.cumsum([len(curve) for curve in curves])
        for line, curve in zip(anew, np.split(_degrees(np.concatenate(curves)), ends[:-1]), strict=True):
            bent[line] = curve
        rings: list[list[Array]] = [[] for _ in cells]
        for line, cell, swap in zip(inverse, owner, turned, strict=True):
            points = bent[line][::-1] if swap else bent[line]
            rings[cell].append(points[:-1])
        made = [shapely.Polygon(np.concatenate(ring)) for ring in rings]
        wrong = ~shapely.is_valid(made)
        sound = [shapely.Polygon() if bad else cell for bad, cell in zip(wrong.tolist(), made, strict=True)]
        wrong |= ~shapely.is_empty(shapely.coverage_invalid_edges(sound))
        if not wrong.any():
            return made
        anew = np.unique(inverse[wrong[owner]])
        amplitude[anew] *= 0.5
    raise ArithmeticError("borders cross each other; choose another seed")


def _bent(line: Integers, amplitude: float, noise: Array) -> Array:
    """Return one segment bent by midpoint displacement, on the grid; ends stay."""
    points = line.reshape(2, 2).astype(np.float64)
    length = float(np.hypot(*(points[1] - points[0])))
    used = 0
    while amplitude > 0 and length > 420.0 and used < 15:
        start, end = points[:-1], points[1:]
        along = end - start
        offset = amplitude * np.clip(noise[used : used + len(start)], -1.6, 1.6)
        middle = (start + end) / 2 + offset[:, None] * np.column_stack([-along[:, 1], along[:, 0]])
        used += len(start)
        merged = np.empty((2 * len(start) + 1, 2))
        merged[0::2], merged[1::2] = points, np.round(middle / _GRID) * _GRID
        points, length = merged, length / 2
    return points


def _degrees(metres: Array) -> Array:
    across = _METRES_PER_DEGREE * 0.8643
    degrees = np.column_stack([_LONGITUDE + metres[:, 0] / across, _LATITUDE + metres[:, 1] / 110_850.0])
    return np.asarray(np.round(degrees, 5), dtype=np.float64)
