"""The printable map, legible in greyscale: A3 landscape for the wall of a meeting room, or within a page.

Units are drawn in a Gauss-Krüger projection of the 3° zone they lie in, as Chinese survey maps are, so that
shapes are not squeezed. Colours come with their mark and count in the legend, units whose colour missing
data leave open are hatched, townships have heavier borders and, where it fits, their name.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd
import shapely

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.fonts import missing_glyphs, register_matplotlib
from huanjie_lib.views.shapes import group_shapes, unit_shapes
from huanjie_lib.views.tables import contested_flags, map_units
from huanjie_lib.views.words import (
    CONTESTED,
    INTERNAL,
    LEVELS,
    NAMELESS,
    count_text,
    date_text,
    ems,
    level_notes,
    percent_text,
)
from huanjie_lib.vocabulary import Level

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["A3_MM", "levels_figure", "local_projection", "page_map", "print_map", "render"]

A3_MM: Final = (420.0, 297.0)
"""Width and height of the sheet in millimetres."""

# Places on the sheet, in millimetres from its lower left corner.
_LEFT: Final = 12.0
_RIGHT: Final = 408.0
_PANEL: Final = 330.0
_MAP: Final = (12.0, 12.0, 308.0, 252.0)  # left, bottom, width, height
_PAD: Final = 5.0

_MM: Final = 1 / 25.4
_PT: Final = 25.4 / 72
_HATCH: Final = "/////"
_RINGS: Final = "oooo"
_NAME_SIZES: Final = (9.0, 7.0)
_PAGE_NAME_SIZES: Final = (8.0, 6.5)
_STRIP: Final = 16.0
_NOTE: Final = 9.5
_INK: Final = "#1b2430"
_SOFT: Final = "#4a5666"
_ZONE: Final = 3
_SETTINGS: Final[Mapping[str, Any]] = {
    "pdf.fonttype": 42,  # TrueType inside the PDF, so that its text can be searched and copied
    "svg.fonttype": "path",  # needs no font where it is opened
    "svg.hashsalt": "huanjie",
    "hatch.linewidth": 0.45,
    "axes.unicode_minus": False,
    "path.simplify": False,
}


def local_projection(shapes: gpd.GeoSeries) -> tuple[str, int]:
    """Return the projection for a map of the shapes and the longitude of its central meridian.

    Gauss-Krüger on the CGCS2000 ellipsoid with the central meridian of the 3° zone that the middle of the
    shapes lies in and a scale of one on it. Within a zone lengths are true to 0.04 %.

    Parameters
    ----------
    shapes
        Any shapes with a CRS; at least one must not be missing.

    Examples
    --------
    >>> import geopandas as gpd
    >>> local_projection(gpd.GeoSeries.from_xy([119.2, 120.9], [28.0, 30.0], crs=4490))
    ('+proj=tmerc +lat_0=0 +lon_0=120 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m', 120)
    """
    west, _, east, _ = shapes.to_crs(4490).total_bounds
    meridian = _ZONE * round((west + east) / 2 / _ZONE)
    return f"+proj=tmerc +lat_0=0 +lon_0={meridian} +k=1 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m", meridian


def print_map(run: Run, boundaries: gpd.GeoDataFrame) -> Figure:
    """Return the printable map of a run.

    Parameters
    ----------
    run
        The run.
    boundaries
        unit_code, geometry; see :meth:`Run.boundaries`.

    Raises
    ------
    DataError
        If the boundaries declare no CRS, or no unit has a shape.
    """
    return levels_figure(
        map_units(run),
        boundaries,
        title="村（社区）换届选情三色图",
        subtitle=f"数据截至{date_text(run.as_of)}",
        notes=(
            *level_notes(run.parameters),
            f"参数版本：{run.parameters.version}",
        ),
    )


def levels_figure(
    units: pd.DataFrame,
    boundaries: gpd.GeoDataFrame,
    *,
    title: str,
    subtitle: str,
    notes: Sequence[str] = (),
) -> Figure:
    """Return an A3 landscape map of any units with a level.

    Parameters
    ----------
    units
        unit_code, level, to_verify; optionally contested, group and group_name, and longitude and latitude of
        units without a polygon.
    boundaries
        unit_code, geometry, in a declared CRS.
    title, subtitle
        Printed at the head.
    notes
        Lines printed below the legend as 制图说明.

    Returns
    -------
    matplotlib.figure.Figure
        Hand it to :func:`render`. Units without any shape are counted in the legend and not drawn.

    Raises
    ------
    DataError
        If the boundaries declare no CRS, or no unit has a shape.
    """
    from matplotlib.figure import Figure

    shapes, meridian = _projected(units, boundaries)
    with _settings():
        figure = Figure(figsize=(A3_MM[0] * _MM, A3_MM[1] * _MM))
        _head(figure, title, subtitle)
        axes = _frame(figure, shapes)
        _units(axes, shapes, units)
        if "group" in units.columns:
            _groups(axes, shapes, units)
        undrawn = int(shapes.isna().sum())
        _legend(figure, units, undrawn, has_groups="group" in units.columns)
        _scale_and_north(figure, axes)
        _notes(figure, [*notes, f"投影：高斯-克吕格，中央经线{meridian}°，CGCS2000。", INTERNAL])
    return figure


def page_map(run: Run, boundaries: gpd.GeoDataFrame, *, size_mm: tuple[float, float]) -> Figure:
    """Return the map of a run for a page of a document: the map, and a legend of two lines below it.

    Townships are outlined and named; where there is one alone, its units are.

    Parameters
    ----------
    run
        The run.
    boundaries
        unit_code, geometry; see :meth:`Run.boundaries`.
    size_mm
        Width and height of the picture in millimetres.

    Raises
    ------
    DataError
        If the boundaries declare no CRS, or no unit has a shape.
    """
    from matplotlib.figure import Figure

    units = map_units(run)
    if units["group"].nunique() == 1:
        names = run.units["unit_name"].replace("", pd.NA).fillna(NAMELESS)
        units = units.assign(group=units["unit_code"], group_name=names.to_numpy())
    shapes, _ = _projected(units, boundaries)
    width, height = size_mm
    with _settings():
        figure = Figure(figsize=(width * _MM, height * _MM))
        axes = _frame(figure, shapes, (0.3, _STRIP, width - 0.6, height - _STRIP - 0.3), pad=3.0)
        _units(axes, shapes, units)
        _groups(axes, shapes, units, _PAGE_NAME_SIZES)
        _strip(figure, units, int(shapes.isna().sum()), _metres_per_mm(axes), width)
    return figure


def render(figure: Figure, kind: Literal["pdf", "png", "svg"], *, dpi: int = 200) -> bytes:
    """Return a printable map as a file's bytes; the same map always gives the same bytes.

    Parameters
    ----------
    figure
        Result of :func:`levels_figure` or :func:`print_map`.
    kind
        ``pdf`` with embedded fonts and text that can be searched, ``svg`` with letters as outlines, ``png``.
    dpi
        Dots per inch of a PNG; 200 gives 3307 × 2339 dots.
    """
    out = io.BytesIO()
    metadata: dict[str, str | None]
    if kind == "pdf":
        metadata = {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": "huanjie"}
    elif kind == "svg":
        metadata = {"Date": None, "Creator": "huanjie"}
    else:
        metadata = {"Software": None}
    with _settings():
        figure.savefig(out, format=kind, dpi=dpi, metadata=metadata)
    return out.getvalue()


def _projected(units: pd.DataFrame, boundaries: gpd.GeoDataFrame) -> tuple[gpd.GeoSeries, int]:
    """Return the shapes of units in the local projection, and its central meridian."""
    shapes = unit_shapes(units, boundaries)
    if shapes.isna().all():
        raise DataError(
            "没有可以上图的边界",
            [
                Fault(
                    "边界",
                    f"{len(units)} 个村（社区）都没有边界和坐标",
                    "至少一个村（社区）的边界或经纬度",
                    "导入边界，或在村（社区）表中填写经度、纬度",
                )
            ],
        )
    projection, meridian = local_projection(shapes)
    return shapes.to_crs(projection), meridian


def _settings() -> Any:
    import matplotlib as mpl

    settings: dict[Any, Any] = {"font.family": register_matplotlib(), **_SETTINGS}
    return mpl.rc_context(settings)


def _at(figure: Figure, x: float, y: float) -> tuple[float, float]:
    """Return a place in millimetres from the lower left corner as figure coordinates."""
    width, height = figure.get_size_inches()
    return float(x * _MM / width), float(y * _MM / height)


def _say(figure: Figure, x: float, y: float, text: str, size: float, **style: Any) -> None:
    style = {"color": _INK, "va": "baseline", **style}
    figure.text(*_at(figure, x, y), text, fontsize=size, parse_math=False, **style)


def _box(figure: Figure, x: float, y: float, width: float, height: float, **style: Any) -> None:
    from matplotlib.patches import Rectangle

    style = {"edgecolor": _SOFT, "linewidth": 0.6, **style}
    corner, size = _at(figure, x, y), _at(figure, width, height)
    figure.add_artist(Rectangle(corner, *size, transform=figure.transFigure, **style))


def _head(figure: Figure, title: str, subtitle: str) -> None:
    _say(figure, _LEFT, 274, title, 32, weight="bold")
    _say(figure, _RIGHT, 274, subtitle, 16, ha="right")


def _frame(
    figure: Figure, shapes: gpd.GeoSeries, place: tuple[float, float, float, float] = _MAP, pad: float = _PAD
) -> Axes:
    """Return the map's axes, framed, with the shapes as large as they fit."""
    left, bottom, width, height = place
    axes = figure.add_axes((*_at(figure, left, bottom), *_at(figure, width, height)))
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(color=_SOFT, linewidth=0.8)
    west, south, east, north = shapes.total_bounds
    metres = max((east - west) / (width - 2 * pad), (north - south) / (height - 2 * pad), 1.0)
    x, y = (west + east) / 2, (south + north) / 2
    axes.set_xlim(x - metres * width / 2, x + metres * width / 2)
    axes.set_ylim(y - metres * height / 2, y + metres * height / 2)
    return axes


def _metres_per_mm(axes: Axes) -> float:
    west, east = axes.get_xlim()
    inches = axes.bbox.width / axes.figure.dpi
    return float((east - west) * _MM / inches)


def _units(axes: Axes, shapes: gpd.GeoSeries, units: pd.DataFrame) -> None:
    """Draw the units: one compound path per colour, hatching above."""
    solid = shapes.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy()
    point = (shapes.geom_type == "Point").to_numpy()
    verify = units["to_verify"].to_numpy(dtype=bool)
    contested = contested_flags(units)
    for level in LEVELS:
        mine = (units["level"] == level.value).to_numpy()
        paint = {"facecolor": level.colour, "edgecolor": _SOFT, "linewidth": 0.25}
        _fill(axes, shapes[solid & mine], zorder=1, **paint)
        _dots(axes, shapes[point & mine], zorder=4, facecolor=level.colour, edgecolor=_INK, linewidth=0.5)
        lines = "white" if level is Level.RED else _INK
        hatched = {"facecolor": "none", "edgecolor": lines, "linewidth": 0.0, "hatch": _HATCH}
        _fill(axes, shapes[solid & mine & verify], zorder=2, **hatched)
        _dots(axes, shapes[point & mine & verify], zorder=5, **hatched)
        ringed = {**hatched, "hatch": _RINGS}
        _fill(axes, shapes[solid & mine & contested], zorder=3, **ringed)
        _dots(axes, shapes[point & mine & contested], zorder=6, **ringed)


def _fill(axes: Axes, shapes: gpd.GeoSeries, **style: Any) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    # Outer rings and holes turn opposite ways, so that holes stay open under the non-zero rule.
    polygons = shapely.orient_polygons(shapely.get_parts(shapes.to_numpy()))
    rings = shapely.get_rings(polygons)
    if not len(rings):
        return
    spots = shapely.get_coordinates(rings)
    ends = np.cumsum(shapely.get_num_coordinates(rings))
    codes = np.full(len(spots), Path.LINETO, dtype=Path.code_type)
    codes[np.concatenate([[0], ends[:-1]])] = Path.MOVETO
    codes[ends - 1] = Path.CLOSEPOLY
    axes.add_artist(PathPatch(Path(spots, codes), joinstyle="round", **style))


def _dots(axes: Axes, shapes: gpd.GeoSeries, **style: Any) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    centres = shapely.get_coordinates(shapes.to_numpy())
    if not len(centres):
        return
    circle = Path.unit_circle()
    spots = centres[:, None, :] + 1.6 * _metres_per_mm(axes) * np.asarray(circle.vertices)
    path = Path(spots.reshape(-1, 2), np.tile(np.asarray(circle.codes), len(centres)))
    axes.add_artist(PathPatch(path, **style))


def _groups(
    axes: Axes, shapes: gpd.GeoSeries, units: pd.DataFrame, sizes: tuple[float, ...] = _NAME_SIZES
) -> None:
    """Draw the borders of the groups and their names: the largest first, none over another."""
    from matplotlib.patheffects import Stroke

    outlines = group_shapes(shapes, units["group"])
    _fill(axes, outlines, zorder=3, facecolor="none", edgecolor=_INK, linewidth=0.9)
    names = units.drop_duplicates("group").set_index("group")["group_name"]
    metres = _metres_per_mm(axes)
    taken: list[tuple[float, float, float, float]] = []
    by_size = outlines.area.sort_values(ascending=False, kind="stable").index
    for group, outline in outlines.loc[by_size].items():
        name, weight = _drawable(str(names[group]))
        middle = shapely.get_point(shapely.maximum_inscribed_circle(outline), 0)
        west, _, east, _ = outline.bounds
        for size in sizes:
            width, height = ems(name) * size * _PT * metres, 1.25 * size * _PT * metres
            box = (middle.x - width / 2, middle.y - height / 2, middle.x + width / 2, middle.y + height / 2)
            if width <= 1.1 * (east - west) and not any(_touch(box, other) for other in taken):
                taken.append(box)
                style: dict[str, Any] = {"fontsize": size, "weight": weight, "ha": "center", "va": "center"}
                halo = [Stroke(linewidth=2.0, foreground="white", alpha=0.9)]
                axes.text(middle.x, middle.y, name, zorder=6, path_effects=halo, parse_math=False, **style)
                axes.text(middle.x, middle.y, name, zorder=7, color=_INK, parse_math=False, **style)
                break


def _touch(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend(figure: Figure, units: pd.DataFrame, undrawn: int, *, has_groups: bool) -> None:
    counts = units["level"].value_counts()
    y = 252.0
    _say(figure, _PANEL, y, "图例", 18, weight="bold")
    rows: list[tuple[dict[str, Any], str, str, str, int]] = []
    for level in LEVELS:
        ink = "white" if level is Level.RED else _INK
        count = int(counts.get(level.value, 0))
        rows.append(({"facecolor": level.colour}, level.mark, ink, level.label, count))
    hatch = {"facecolor": "white", "hatch": _HATCH, "edgecolor": _INK}
    rows.append((hatch, "", _INK, "待核实", int(units["to_verify"].sum())))
    contested = int(contested_flags(units).sum())
    if contested:
        rings = {"facecolor": "white", "hatch": _RINGS, "edgecolor": _INK}
        rows.append((rings, "", _INK, CONTESTED, contested))
    for style, mark, ink, label, count in rows:
        y -= 13.5
        _box(figure, _PANEL, y - 1.5, 13, 8, **style)
        _say(figure, _PANEL + 6.5, y + 0.5, mark, 13, ha="center", weight="bold", color=ink)
        _say(figure, _PANEL + 17, y + 0.5, label, 13)
        _say(figure, _RIGHT - 20, y + 0.5, f"{count_text(count)}个", 13, ha="right", weight="bold")
        _say(figure, _RIGHT, y + 0.5, percent_text(count, len(units)), 13, ha="right")
    if has_groups:
        y -= 12
        _box(figure, _PANEL, y + 2, 13, 0, edgecolor=_INK, linewidth=1.4)
        _say(figure, _PANEL + 17, y + 0.5, "镇街界", 13)
    y -= 12
    _say(figure, _PANEL, y + 0.5, f"共{count_text(len(units))}个村（社区）", 13)
    if undrawn:
        y -= 9
        _say(figure, _PANEL, y + 0.5, f"其中{count_text(undrawn)}个没有位置，未上图", 11, color=_SOFT)


def _strip(figure: Figure, units: pd.DataFrame, undrawn: int, metres: float, width: float) -> None:
    """Draw the legend of a map within a page: the colours above, what else is marked and the scale below."""
    counts = units["level"].value_counts()
    shown = [level for level in LEVELS if level is not Level.UNKNOWN or counts.get(level.value, 0)]
    for place, level in enumerate(shown):
        x, y = 1.0 + place * (width - 1.0) / len(shown), _STRIP - 7.0
        count = int(counts.get(level.value, 0))
        _box(figure, x, y, 7, 4.6, facecolor=level.colour)
        ink = "white" if level is Level.RED else _INK
        _say(figure, x + 3.5, y + 1.2, level.mark, 8.5, ha="center", weight="bold", color=ink)
        text = f"{level.label}{count_text(count)}个（{percent_text(count, len(units))}）"
        _say(figure, x + 8.5, y + 1.2, text, 9.5)
    marks: list[tuple[str, str, int]] = [("待核实", _HATCH, int(units["to_verify"].sum()))]
    marks.append((CONTESTED, _RINGS, int(contested_flags(units).sum())))
    x, y = 1.0, 1.2
    for label, hatch, count in marks:
        if count:
            _box(figure, x, y, 7, 4.6, facecolor="white", hatch=hatch, edgecolor=_INK)
            text = f"{label}{count_text(count)}个"
            _say(figure, x + 8.5, y + 1.2, text, 9.5)
            x += 12.5 + ems(text) * 9.5 * _PT
    if undrawn:
        _say(figure, x, y + 1.2, f"未上图{count_text(undrawn)}个", 9.5, color=_SOFT)
    length = _round_length(25 * metres)
    bar = length / metres
    for half, paint in ((0, _INK), (1, "white")):
        _box(figure, width - bar - 13 + half * bar / 2, y + 1, bar / 2, 1.6, facecolor=paint, edgecolor=_INK)
    _say(figure, width - 0.5, y + 1.2, f"{length / 1000:g}公里", 8.5, ha="right")


def _round_length(most: float) -> float:
    """Return the largest length of 1, 2 or 5 times a power of ten that is at most ``most``."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(f * power for f in (1, 2, 5) if f * power <= most)


def _scale_and_north(figure: Figure, axes: Axes) -> None:
    """Draw a scale bar of a round length, and which way is north."""
    from matplotlib.patches import Polygon

    metres = _metres_per_mm(axes)
    length = _round_length(50 * metres)
    x, y, width = _PANEL + 3, 108.0, length / metres
    for part in range(4):
        paint = _INK if part % 2 == 0 else "white"
        _box(figure, x + part * width / 4, y, width / 4, 2.2, facecolor=paint, edgecolor=_INK)
    for share in (0.0, 0.5, 1.0):
        _say(figure, x + share * width, y + 4, f"{share * length / 1000:g}", 11, ha="center")
    _say(figure, x + width + 5, y, "公里", 11)
    tip = _RIGHT - 8
    for side, paint in ((-1, _INK), (1, "white")):
        wing = [_at(figure, tip, y + 18), _at(figure, tip + side * 4.5, y), _at(figure, tip, y + 4)]
        shape = Polygon(wing, facecolor=paint, edgecolor=_INK, linewidth=0.8, transform=figure.transFigure)
        figure.add_artist(shape)
    _say(figure, tip, y + 20, "北", 13, ha="center", weight="bold")


def _notes(figure: Figure, notes: Sequence[str]) -> None:
    lines = [line for note in notes for line in _wrapped(note, (_RIGHT - _PANEL) / (_NOTE * _PT))]
    y = _MAP[1] + 0.5 + 5.4 * len(lines)
    _say(figure, _PANEL, y + 1.5, "制图说明", 13, weight="bold")
    for line in lines:
        y -= 5.4
        _say(figure, _PANEL, y, line, _NOTE, color=_SOFT)


def _drawable(name: str) -> tuple[str, str]:
    """Return a name as the font can draw it, with 〓 for what it lacks, and the weight that has it all."""
    lacking = missing_glyphs(name)
    shown = "".join("〓" if character in lacking else character for character in name)
    return shown, "normal" if missing_glyphs(shown, bold=True) else "bold"


def _wrapped(text: str, width: float) -> list[str]:
    """Break a text into lines of at most ``width`` ems; closing punctuation never begins a line."""
    lines = [""]
    for piece in re.findall(r"[!-~]+[，。；：、）”]?|.[，。；：、）”]?", text):
        if lines[-1] and ems(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return lines
