"""Which units are neighbours: by a shared border, or by distance where a unit has no polygon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import KDTree

from huanjie_lib.risk.clusters import Link

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NEAREST", "neighbour_pairs"]

NEAREST: Final = 5
"""Neighbours by distance of a unit without a polygon; villages have five to six neighbours by border."""

_COLUMNS: Final = ["unit_code", "neighbour_code", "link"]


def neighbour_pairs(
    units: pd.DataFrame,
    boundaries: gpd.GeoDataFrame,
    *,
    gap_m: float = 1.0,
    nearest: int = NEAREST,
) -> pd.DataFrame:
    """Return every pair of neighbours once.

    Parameters
    ----------
    units
        ``unit_code``; optionally ``longitude`` and ``latitude`` in degrees (EPSG:4490), the place of a unit
        without a polygon.
    boundaries
        ``unit_code`` and ``geometry`` in a declared CRS; rows of other units are left out.
    gap_m
        Polygons at most this far apart in metres share a border; touching at a corner is enough. Surveys
        leave slivers between villages.
    nearest
        A unit without a polygon is linked to so many nearest units, by the place or a point inside of each.

    Returns
    -------
    pandas.DataFrame
        ``unit_code`` < ``neighbour_code`` and ``link`` (value of :class:`~huanjie_lib.risk.clusters.Link`),
        sorted. A unit with a polygon that touches no other (an island), and one with neither polygon nor
        place, is in no pair.

    Raises
    ------
    ValueError
        If the boundaries declare no CRS, two rows are of one unit, ``gap_m`` is negative or ``nearest``
        below 1.

    Examples
    --------
    >>> squares = gpd.GeoDataFrame(
    ...     {"unit_code": ["a", "b"]},
    ...     geometry=[shapely.box(120, 30, 120.01, 30.01), shapely.box(120.01, 30, 120.02, 30.01)], crs=4490)
    >>> units = pd.DataFrame({"unit_code": ["a", "b", "c"], "longitude": 120.03, "latitude": 30.005})
    >>> neighbour_pairs(units, squares, nearest=1).values.tolist()
    [['a', 'b', 'border'], ['b', 'c', 'nearest']]
    """
    if not gap_m >= 0 or nearest < 1:
        raise ValueError("gap_m must be zero or more, nearest at least 1")
    if boundaries.crs is None or boundaries["unit_code"].duplicated().any():
        raise ValueError(
            "boundaries must declare a CRS and hold each unit once, as read_boundaries gives them"
        )
    codes = units["unit_code"].astype("str")
    shapes = boundaries.set_index(boundaries["unit_code"].astype("str")).geometry.reindex(codes)
    bare = (shapes.isna() | shapes.is_empty).to_numpy()
    places = gpd.GeoSeries([None] * len(units), crs=4490)
    if "longitude" in units and "latitude" in units:
        placed = bare & units[["longitude", "latitude"]].notna().all(axis=1).to_numpy()
        own = units.loc[placed]
        places.loc[placed] = gpd.points_from_xy(own["longitude"], own["latitude"])
    if bare.all() and places.isna().all():
        return pd.DataFrame(columns=_COLUMNS, dtype="str")
    whole = gpd.GeoSeries(np.where(bare, None, shapes.to_numpy()), crs=boundaries.crs)
    metric = (whole if not bare.all() else places).estimate_utm_crs()
    areas = whole.to_crs(metric).to_numpy()
    points = np.where(bare, places.to_crs(metric).to_numpy(), shapely.point_on_surface(areas))
    one, other = shapely.STRtree(areas).query(areas, predicate="dwithin", distance=gap_m)
    border = np.column_stack([one, other])[one < other]
    close = _nearest(points, bare, nearest)
    frame = pd.DataFrame(np.concatenate([border, close]), columns=["one", "other"]).assign(
        link=np.repeat([Link.BORDER.value, Link.NEAREST.value], [len(border), len(close)])
    )
    names = codes.to_numpy(dtype=object)
    ends = np.sort(np.column_stack([names[frame["one"]], names[frame["other"]]]), axis=1)
    pairs = pd.DataFrame(
        {"unit_code": ends[:, 0], "neighbour_code": ends[:, 1], "link": frame["link"]}, dtype="str"
    )
    return pairs.drop_duplicates().sort_values(_COLUMNS, ignore_index=True)


def _nearest(points: NDArray[Any], bare: NDArray[np.bool_], nearest: int) -> NDArray[np.intp]:
    """Return pairs of each located unit without a polygon and its nearest located units."""
    located = np.flatnonzero(~shapely.is_missing(points))
    seekers = np.flatnonzero(bare & ~shapely.is_missing(points))
    spots = shapely.get_coordinates(points[located])
    count = min(nearest + 1, len(located))
    if not seekers.size or count < 2:
        return np.empty((0, 2), dtype=np.intp)
    found = KDTree(spots).query(shapely.get_coordinates(points[seekers]), k=count)[1]
    pairs = np.column_stack([np.repeat(seekers, count), located[found.ravel()]])
    strangers = pairs[pairs[:, 0] != pairs[:, 1]]
    place = pd.Series(1, index=range(len(strangers))).groupby(strangers[:, 0]).cumsum().to_numpy()
    return np.asarray(strangers[place <= nearest], dtype=np.intp)
