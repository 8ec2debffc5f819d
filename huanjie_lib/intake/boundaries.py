"""Boundaries of units: declared coordinates in, valid polygons in EPSG:4490 out.

Coordinates without a declared reference system are refused: web maps of the region serve shifted coordinates
(GCJ-02, 50 to 500 m off) that look like any other, so nothing is assumed, not even what a format prescribes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyogrio
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.intake.headings import known_units, table_names
from huanjie_lib.intake.report import BOUNDARIES, Issue, IssueLevel

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CRS", "SUFFIXES", "read_boundaries"]

CRS: Final = "EPSG:4490"
"""Reference system in which boundaries are held: CGCS2000, longitude and latitude."""

SUFFIXES: Final = (".parquet", ".gpkg", ".geojson", ".json", ".topojson", ".shp")
"""Files that may hold boundaries."""

_CHINA: Final = (73.0, 3.0, 136.0, 54.0)
_EQUAL_AREA: Final = "EPSG:6933"
_SHIFTED = ("gcj", "bd-09", "bd09", "火星", "百度坐标", "高德")
_REASONS = {
    "Ring Self-intersection": "环自相触",
    "Self-intersection": "边界自相交",
    "Too few points in geometry component": "点数过少",
    "Hole lies outside shell": "内环在外环之外",
    "Holes are nested": "内环嵌套",
    "Nested shells": "外环嵌套",
    "Nested holes": "内环嵌套",
    "Duplicate Rings": "环重复",
    "Interior is disconnected": "内部不连通",
    "Invalid Coordinate": "坐标无效",
}


def read_boundaries(
    path: Path,
    *,
    crs: str | None,
    layer: str | None = None,
    code_column: str | None = None,
    name_column: str | None = None,
    file: str | None = None,
) -> tuple[gpd.GeoDataFrame, list[Issue]]:
    """Read boundaries from GeoParquet, GeoPackage, GeoJSON, TopoJSON or Shapefile.

    Parameters
    ----------
    path
        The file.
    crs
        Reference system of a file that declares none, such as ``EPSG:4490``; must not contradict a file that
        does.
    layer
        Layer of a file with several; the first when omitted.
    code_column, name_column
        Columns of unit codes and names; by heading, as in any table of units, when omitted.
    file
        Name of the file in the report; its own name when omitted.

    Returns
    -------
    tuple
        A frame with one row per feature, in the order of the file: ``unit_code`` and ``unit_name`` (text,
        missing where the file has none) and ``geometry`` (Polygon or MultiPolygon in EPSG:4490, ``None``
        where there is no area); and a line of the report for each feature that was repaired or is without
        area.

    Raises
    ------
    DataError
        If the file cannot be read, its reference system is unknown, contradicted or is not that of its
        coordinates.

    Notes
    -----
    Invalid rings are repaired with ``shapely.make_valid``; only areas are kept of what that gives. Areas in
    the report are measured in EPSG:6933 (equal-area).
    """
    name = file if file is not None else path.name
    frame = _read(path, name, layer)
    frame = _referenced(frame, crs, _declares_crs(path, name), name)
    plain = gpd.GeoSeries(shapely.force_2d(frame.geometry.to_numpy()), crs=frame.crs)
    _check_coordinates(plain, name)
    projected = plain.to_crs(CRS)
    issues = _outside_china(projected, name)
    result = gpd.GeoDataFrame(
        {
            "unit_code": _texts(frame, code_column, "unit_code", name),
            "unit_name": _texts(frame, name_column, "unit_name", name),
        },
        geometry=projected.to_numpy(),
        crs=CRS,
    )
    repaired, lines = _repaired(result, name)
    return repaired, [*issues, *_left_out(path, name, len(frame)), *lines]


# ---------------------------------------------------------------- reading


def _fault(name: str, found: str, allowed: str, remedy: str) -> DataError:
    return DataError("边界文件不能使用", [Fault(name, found, allowed, remedy)])


def _read(path: Path, name: str, layer: str | None) -> gpd.GeoDataFrame:
    if path.suffix.lower() not in SUFFIXES:
        raise _fault(name, path.suffix or "没有扩展名", "、".join(SUFFIXES), "用 QGIS 另存为 GeoPackage")
    try:
        if path.suffix.lower() == ".parquet":
            return gpd.read_parquet(path)
        layers = pyogrio.list_layers(path)[:, 0].tolist()
        if layer is not None and layer not in layers:
            raise _fault(name, f"图层 {layer}", "、".join(layers), "改正图层名")
        frame = gpd.read_file(path, layer=layer if layer is not None else layers[0])
    except (DataSourceError, DataLayerError, OSError, ValueError, IndexError) as error:
        raise _fault(
            name, "不能读取的边界文件", "、".join(SUFFIXES), "检查文件是否完整，重新导出后再试"
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise _fault(name, "没有图形的图层", "多边形图层", "选用含边界的图层")
    return frame


def _declares_crs(path: Path, name: str) -> bool:
    """Return whether the file itself states its reference system, apart from what its format prescribes."""
    if path.suffix.lower() == ".parquet":
        meta = json.loads(pl.read_parquet_metadata(path)["geo"])
        return meta["columns"][meta["primary_column"]].get("crs") is not None
    if path.suffix.lower() in {".geojson", ".json", ".topojson"}:
        try:
            return bool(json.loads(path.read_bytes()).get("crs"))
        except (ValueError, AttributeError) as error:
            raise _fault(name, "不能读取的 JSON", "GeoJSON 或 TopoJSON", "重新导出后再试") from error
    return True


def _referenced(frame: gpd.GeoDataFrame, crs: str | None, declared: bool, name: str) -> gpd.GeoDataFrame:
    own = frame.crs if declared else None
    if own is not None and own.name.startswith("Undefined"):
        own = None
    stated = _parsed(crs, name) if crs is not None else None
    if own is None and stated is None:
        raise _fault(
            name,
            "没有声明坐标系",
            "在文件中或在 sources.yaml 中声明的坐标系，如 EPSG:4490",
            "向提供单位问清坐标系，在 sources.yaml 写明 boundaries: {crs: EPSG:4490}；"
            "高德、腾讯等网络地图的数据是 GCJ-02，偏移 50 至 500 米，须先转换，不能当作 EPSG:4490",
        )
    if own is not None and stated is not None and not own.equals(stated, ignore_axis_order=True):
        raise _fault(
            name,
            f"文件声明 {_crs_name(own)}，sources.yaml 声明 {_crs_name(stated)}",
            "一致的坐标系声明",
            "向提供单位问清坐标系，改正其中一处",
        )
    return frame.set_crs(own if own is not None else stated, allow_override=True)


def _parsed(crs: str, name: str) -> pyproj.CRS:
    if any(word in crs.lower() for word in _SHIFTED):
        raise _fault(
            name, crs, "EPSG 代码，如 EPSG:4490", "加偏坐标没有公开的精确换算，请向提供单位索取 CGCS2000 数据"
        )
    try:
        return pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise _fault(name, crs, "EPSG 代码，如 EPSG:4490", "改正 sources.yaml 中的坐标系") from error


def _crs_name(crs: pyproj.CRS) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority is not None else str(crs.name)


def _left_out(path: Path, name: str, read: int) -> list[Issue]:
    """Report entries of a TopoJSON file that have no geometry; GDAL leaves them out without a word."""
    if path.suffix.lower() == ".parquet" or not _is_topology(path):
        return []
    objects = json.loads(path.read_bytes())["objects"].values()
    absent = sum(g.get("type") is None for o in objects for g in o.get("geometries", ()))
    if not absent:
        return []
    return [
        Issue(
            IssueLevel.WARNING,
            found=f"{absent} 个要素没有图形，未读取；读取了 {read} 个要素",
            allowed="每个要素有一个多边形",
            remedy="核对缺少图形的村（社区），补充边界",
            table=BOUNDARIES,
            file=name,
            label="边界",
        )
    ]


def _is_topology(path: Path) -> bool:
    return path.suffix.lower() in {".json", ".topojson"} and b'"Topology"' in path.read_bytes()


def _texts(frame: gpd.GeoDataFrame, column: str | None, wanted: str, name: str) -> pd.Series[Any]:
    headings = [str(c) for c in frame.columns if c != frame.geometry.name]
    if column is not None and column not in headings:
        raise _fault(name, f"没有列 {column}", "、".join(headings), "改为文件中的列名")
    if column is None:
        names = table_names(TABLES["units"], known_units({}))
        hits = [h for h in headings if (m := names.match(h)) is not None and m.name == wanted]
        column = hits[0] if hits else None
    if column is None:
        return pd.Series(None, index=range(len(frame)), dtype="str")
    values = frame[column]
    if pd.api.types.is_float_dtype(values.dtype):
        values = values.astype("Int64")
    texts: pd.Series[Any] = values.astype("str").str.strip().replace("", None)
    return texts.reset_index(drop=True)


# ---------------------------------------------------------------- checking


def _check_coordinates(shapes: gpd.GeoSeries, name: str) -> None:
    """Refuse coordinates that cannot be in the declared reference system."""
    coordinates = shapely.get_coordinates(shapes.to_numpy())
    if not len(coordinates):
        return
    crs = shapes.crs
    west, south = coordinates.min(axis=0)
    east, north = coordinates.max(axis=0)
    found = f"声明 {_crs_name(crs)}，坐标范围 {west:.6g}–{east:.6g}，{south:.6g}–{north:.6g}"
    remedy = "向提供单位问清坐标系（CGCS2000 高斯投影还要问清带号和中央经线），改正声明"
    if not np.isfinite(coordinates).all():
        raise _fault(name, "坐标不是有限的数", "有限的坐标", "重新导出边界")
    within = max(abs(west), abs(east)) <= 180 and max(abs(south), abs(north)) <= 90
    if crs.is_geographic and not within:
        raise _fault(name, found, "经度在 ±180、纬度在 ±90 之间，先经度后纬度", remedy)
    if crs.is_projected:
        if within:
            raise _fault(name, found, "以米为单位的平面坐标", remedy)
        area = crs.area_of_use
        corners = shapes.to_crs(CRS).total_bounds
        if not np.isfinite(corners).all() or (area is not None and not _near(corners, area.bounds)):
            raise _fault(name, found, "落在该坐标系适用范围内的坐标", remedy)


def _near(bounds: Sequence[float], area: tuple[float, float, float, float], margin: float = 3.0) -> bool:
    west, south, east, north = area
    if west > east:  # the area crosses the antimeridian
        return True
    return bool(
        bounds[0] >= west - margin
        and bounds[1] >= south - margin
        and bounds[2] <= east + margin
        and bounds[3] <= north + margin
    )


def _outside_china(shapes: gpd.GeoSeries, name: str) -> list[Issue]:
    bounds = shapes.total_bounds
    if not np.isfinite(bounds).all() or _near(bounds, _CHINA, margin=0.0):
        return []
    return [
        Issue(
            IssueLevel.WARNING,
            found=f"经度 {bounds[0]:.2f}–{bounds[2]:.2f}，纬度 {bounds[1]:.2f}–{bounds[3]:.2f}",
            allowed="经度 73–136、纬度 3–54 之间",
            remedy="核对坐标系和经纬度顺序",
            table=BOUNDARIES,
            file=name,
            label="边界",
        )
    ]


def _repaired(frame: gpd.GeoDataFrame, name: str) -> tuple[gpd.GeoDataFrame, list[Issue]]:
    """Repair invalid rings, keep areas only, and report each unit that is touched."""
    shapes = frame.geometry.to_numpy().copy()
    absent = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    invalid = ~absent & ~shapely.is_valid(shapes)
    reasons = shapely.is_valid_reason(shapes)
    fixed = shapes.copy()
    fixed[invalid] = shapely.make_valid(shapes[invalid])
    kinds = shapely.get_type_id(fixed)
    other = ~absent & ~np.isin(
        kinds, (int(shapely.GeometryType.POLYGON), int(shapely.GeometryType.MULTIPOLYGON))
    )
    for number in np.flatnonzero(other):
        fixed[number] = _areas(fixed[number])
    fixed[absent] = None
    gone = shapely.is_missing(fixed)
    before = gpd.GeoSeries(shapes[invalid], crs=CRS).to_crs(_EQUAL_AREA).area.to_numpy() / 1e6
    after = gpd.GeoSeries(fixed[invalid], crs=CRS).to_crs(_EQUAL_AREA).area.to_numpy() / 1e6
    change = dict(zip(np.flatnonzero(invalid).tolist(), zip(before, after, strict=True), strict=True))
    issues = []
    for number in np.flatnonzero(invalid | gone):
        unit = _unit(frame, int(number))
        if gone[number]:
            found, allowed = f"{unit}没有面状边界", "多边形"
            remedy = "补充边界；在补充之前，地图上按经纬度画点"
            level = IssueLevel.WARNING
        else:
            old, new = change[int(number)]
            why = str(reasons[number]).partition("[")[0]
            found = f"{unit}{_REASONS.get(why, '图形无效')}，已修复；面积由 {old:.4f} 变为 {new:.4f} 平方公里"
            allowed, remedy = "有效的多边形", "核对修复后的边界，必要时向提供单位索取正确的边界"
            level = IssueLevel.WARNING
        issues.append(
            Issue(
                level,
                found=found,
                allowed=allowed,
                remedy=remedy,
                table=BOUNDARIES,
                file=name,
                row=int(number) + 1,
                column="geometry",
                label="边界",
            )
        )
    return frame.set_geometry(gpd.GeoSeries(fixed, index=frame.index, crs=CRS)), issues


def _areas(shape: shapely.Geometry) -> shapely.Geometry | None:
    """Return the polygons in a geometry, or ``None`` when it has no area."""
    parts = shapely.get_parts(shapely.get_parts(shape))  # a collection may hold multi-polygons
    polygons = [p for p in parts if p.geom_type == "Polygon" and not p.is_empty]
    if not polygons:
        return None
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _unit(frame: gpd.GeoDataFrame, number: int) -> str:
    texts = [frame[c].iloc[number] for c in ("unit_name", "unit_code")]
    known = [str(t) for t in texts if not pd.isna(t)]
    return f"{known[0]}（{known[1]}）" if len(known) == 2 else "".join(known)
