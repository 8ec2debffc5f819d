"""Where units lie: one shape a unit, and the borders of the groups they form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

from huanjie_lib.errors import DataError, Fault

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["group_shapes", "group_unions", "unit_shapes"]


def unit_shapes(units: pd.DataFrame, boundaries: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Return one shape per unit, in the order of ``units``.

    Parameters
    ----------
    units
        unit_code; optionally longitude and latitude in degrees, the place of a unit without a polygon.
    boundaries
        unit_code, geometry, in a geographic CRS; rows of other units are left out.

    Returns
    -------
    geopandas.GeoSeries
        Index 0..n-1, in the CRS of ``boundaries``; a point where there is no polygon, missing where there is
        neither.

    Raises
    ------
    DataError
        If ``boundaries`` declares no CRS, or two rows are of one unit.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> units = pd.DataFrame({"unit_code": ["a", "b"], "longitude": [1.0, 2.0], "latitude": [1.0, 2.0]})
    >>> one = gpd.GeoDataFrame({"unit_code": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4490)
    >>> unit_shapes(units, one).geom_type.tolist()
    ['Polygon', 'Point']
    """
    import geopandas as gpd

    if boundaries.crs is None:
        raise DataError(
            "边界没有声明坐标系，不能上图",
            [Fault("边界", "未声明", "CGCS2000 经纬度（EPSG:4490）等坐标系", "在导入边界时声明坐标系")],
        )
    twice = boundaries.loc[boundaries["unit_code"].duplicated(), "unit_code"]
    if len(twice):
        raise DataError(
            "边界中有重复的村（社区）",
            [Fault("边界", str(code), "每个代码只有一条边界", "合并或删除重复的边界") for code in twice[:20]],
        )
    shapes = boundaries.set_index("unit_code").geometry.reindex(units["unit_code"]).reset_index(drop=True)
    bare = shapes.isna() | shapes.is_empty
    if "longitude" in units.columns and bare.any():
        places = units.reset_index(drop=True).loc[bare, ["longitude", "latitude"]].dropna()
        points = gpd.GeoSeries.from_xy(places["longitude"], places["latitude"], crs=4490)
        shapes.loc[places.index] = points.to_crs(boundaries.crs)
    return shapes


def group_shapes(shapes: gpd.GeoSeries, groups: pd.Series[str]) -> gpd.GeoSeries:
    """Return the union of the polygons of each group.

    Parameters
    ----------
    shapes
        One shape per unit; only polygons count. Invalid polygons are repaired first.
    groups
        Group of each unit, same length and order.

    Returns
    -------
    geopandas.GeoSeries
        One polygon or multipolygon per group, index = group in sorted order; groups without any polygon are
        left out.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> squares = gpd.GeoSeries([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.Point(9, 9)])
    >>> group_shapes(squares, pd.Series(["a", "a", "b"])).area.to_dict()
    {'a': 2.0}
    """
    import geopandas as gpd

    unions = group_unions(shapes.to_numpy(), groups.to_numpy())
    return gpd.GeoSeries(unions, crs=shapes.crs)


def group_unions(shapes: NDArray[np.object_], groups: NDArray[Any]) -> pd.Series[Any]:
    """Return the same as :func:`group_shapes` from plain shapely geometries, without loading geopandas.

    Parameters
    ----------
    shapes
        One geometry or ``None`` per unit, shape ``(n,)``.
    groups
        Group of each unit, shape ``(n,)``.

    Returns
    -------
    pandas.Series
        One geometry per group, index = group in sorted order.

    Examples
    --------
    >>> import shapely
    >>> group_unions(np.array([shapely.box(0, 0, 1, 1), None]), np.array(["a", "b"])).index.tolist()
    ['a']
    """
    solid = np.isin(shapely.get_type_id(shapes), [GeometryType.POLYGON, GeometryType.MULTIPOLYGON])
    polygons = shapely.make_valid(shapes[solid], method="structure", keep_collapsed=False)
    members = pd.Series(polygons, dtype=object).groupby(groups[solid])
    return pd.Series({name: shapely.union_all(part.to_numpy()) for name, part in members}, dtype=object)
