"""The standalone map: one HTML file that needs no network, to be mailed and opened anywhere.

It is a :class:`folium.Map` without folium's own assets: Leaflet, styles, data and the characters of the
Chinese font are inside the page, and its content security policy forbids any request. Names, reasons and
titles are set as text, never as HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import folium
import numpy as np
import pandas as pd
import shapely
from branca.element import MacroElement
from jinja2 import Template

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.fonts import font_face_css
from huanjie_lib.views.geometry import decode_geometry, encode_geometry
from huanjie_lib.views.shapes import group_shapes, unit_shapes
from huanjie_lib.views.stamp import Stamp, stamp_text
from huanjie_lib.views.tables import contested_flags, map_units
from huanjie_lib.views.words import LEVELS, count_text, date_text, level_notes
from huanjie_lib.vocabulary import Level

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["folium_map", "levels_map", "standalone_html"]

STEP: Final = 1e-5
"""Size of a step of the coordinates in degrees: 1.1 m."""

_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:"
)


class _OfflineMap(folium.Map):
    """A folium map that asks for nothing and has the same name each time, so that equal maps are equal."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - declared so by folium
    default_css: list[tuple[str, str]] = []  # noqa: RUF012

    @classmethod
    def _generate_id(cls) -> str:
        return "levels"


class _Levels(MacroElement):
    """Units, borders, legend and search of a standalone map."""

    def __init__(self, page: Mapping[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Levels"
        self._template = Template(_asset("standalone_map.html.j2"))
        self.page = page

    @classmethod
    def _generate_id(cls) -> str:
        return "layer"


def folium_map(run: Run, boundaries: gpd.GeoDataFrame, *, stamp: Stamp | None = None) -> folium.Map:
    """Return the standalone map of a run.

    Parameters
    ----------
    run
        The run.
    boundaries
        unit_code, geometry in longitude and latitude; see :meth:`Run.boundaries`.
    stamp
        Who hands it out.

    Raises
    ------
    DataError
        If the boundaries declare no CRS, or one that is not in degrees.
    """
    return levels_map(
        map_units(run),
        boundaries,
        title="村（社区）换届选情三色图",
        subtitle=f"数据截至{date_text(run.as_of)}　参数版本 {run.parameters.version}　{stamp_text(stamp)}",
        notes=(*level_notes(run.parameters), "点击村（社区）看扣分原因和准入结论。"),
    )


def levels_map(
    units: pd.DataFrame,
    boundaries: gpd.GeoDataFrame,
    *,
    title: str,
    subtitle: str,
    notes: Sequence[str] = (),
) -> folium.Map:
    """Return a standalone map of any units with a level.

    Parameters
    ----------
    units
        unit_code, level, to_verify, lines and more (tuples of plain text: the first line is what the search
        finds; ``more`` shows on click); optionally contested, group and group_name (drawn as borders with
        names) and longitude and latitude (of units without a polygon).
    boundaries
        unit_code, geometry in longitude and latitude.
    title, subtitle
        Shown at the head.
    notes
        Sentences below the legend.

    Returns
    -------
    folium.Map
        Equal input gives an equal page. A unit without any shape is counted in the legend and not drawn.

    Raises
    ------
    DataError
        If the boundaries declare no CRS, or one that is not in degrees.
    """
    shapes = unit_shapes(units, boundaries)
    groups = _groups(units, shapes)
    encoded = encode_geometry([*shapes, *groups["geometry"]], step=STEP)
    west, south, east, north = encoded.bbox or (0.0, 0.0, 0.0, 0.0)
    drawn = [_polygons(s, west, south) for s in decode_geometry(encoded.buffer)]
    place = {level.value: number for number, level in enumerate(LEVELS)}
    counts = units["level"].value_counts()
    contested = contested_flags(units)
    data = {
        "origin": [west, south, STEP],
        "bounds": [[south, west], [north, east]],
        "levels": [
            {"colour": level.colour, "hatch": "#fff" if level is Level.RED else "#1b2430"} for level in LEVELS
        ],
        "units": [
            {
                "level": place[level],
                "verify": int(verify),
                "contested": int(doubtful),
                "lines": lines,
                "more": more,
                "polygons": polygons,
            }
            for level, verify, doubtful, lines, more, polygons in zip(
                units["level"],
                units["to_verify"],
                contested,
                units["lines"],
                units["more"],
                drawn[: len(units)],
                strict=True,
            )
        ],
        "groups": [
            {"name": name, "polygons": polygons, "label": _ring(np.array([[x, y]]), west, south)}
            for name, polygons, x, y in zip(
                groups["name"], drawn[len(units) :], groups["x"], groups["y"], strict=True
            )
        ],
    }
    page = {
        "policy": _POLICY,
        "title": title,
        "subtitle": subtitle,
        "notes": tuple(notes),
        "levels": LEVELS,
        "counts": {level.value: count_text(int(counts.get(level.value, 0))) for level in LEVELS},
        "to_verify": count_text(int(units["to_verify"].sum())),
        "contested": count_text(int(contested.sum())) if contested.any() else "",
        "has_groups": len(groups) > 0,
        "undrawn": sum(not polygons for polygons in drawn[: len(units)]),
        "leaflet": _leaflet(),
        "script": _asset("standalone_map.js"),
        "data": _script_json(data),
    }
    page["style"] = _styles() + _fonts(page)
    result = _OfflineMap(
        tiles=None, zoom_snap=0.1, attribution_control=False, fade_animation=False, control_scale=False
    )
    result.add_child(_Levels(page))
    return result


def standalone_html(page: folium.Map) -> str:
    """Return the whole page of a map as text; equal maps give equal text.

    The page asks for nothing: it can be opened from a folder on a machine without a network.
    """
    return "\n".join(line.rstrip() for line in page.get_root().render().splitlines()) + "\n"


def _groups(units: pd.DataFrame, shapes: gpd.GeoSeries) -> pd.DataFrame:
    """Return name, geometry and label place of each group."""
    if "group" not in units.columns:
        return pd.DataFrame({"name": [], "geometry": [], "x": [], "y": []})
    unions = group_shapes(shapes, units["group"])
    names = units.drop_duplicates("group").set_index("group")["group_name"]
    labels = shapely.point_on_surface(unions.to_numpy())
    return pd.DataFrame(
        {
            "name": names.reindex(unions.index).to_numpy(),
            "geometry": unions.to_numpy(),
            "x": shapely.get_x(labels),
            "y": shapely.get_y(labels),
        }
    )


def _polygons(shape: Any, west: float, south: float) -> list[list[list[int]]]:
    """Return polygons of rings of whole steps; a point is one polygon of one ring of one vertex."""
    if shape is None:
        return []
    if shape.geom_type == "Point":
        return [[_ring(shapely.get_coordinates(shape), west, south)]]
    return [
        [
            _ring(shapely.get_coordinates(ring)[:-1], west, south)
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        for polygon in getattr(shape, "geoms", [shape])
    ]


def _ring(spots: Any, west: float, south: float) -> list[int]:
    steps = np.rint((spots - [west, south]) / STEP).astype(np.int64)
    flat: list[int] = np.diff(steps, axis=0, prepend=np.zeros((1, 2), np.int64)).ravel().tolist()
    return flat


def _script_json(data: object) -> str:
    """Return data as JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@cache
def _asset(name: str) -> str:
    return (files("huanjie_lib") / "views" / "static" / name).read_text(encoding="utf-8")


@cache
def _leaflet() -> str:
    """Return Leaflet with its licence, without its own address and source map: nothing may be asked for."""
    code = _asset("leaflet/leaflet.js").replace("https://leafletjs.com", "leafletjs.com")
    code = re.sub(r"//# sourceMappingURL=\S+", "", code)
    return f"/*\n{_asset('leaflet/LICENSE')}*/\n{code}"


@cache
def _styles() -> str:
    """Return Leaflet's stylesheet without the rules that load images, and the map's own."""
    plain = re.sub(r"/\*.*?\*/", "", _asset("leaflet/leaflet.css"), flags=re.DOTALL)
    leaflet = re.sub(r"[^{}]*\{[^{}]*url\([^{}]*\}", "", plain)
    return leaflet + _asset("standalone_map.css")


def _fonts(page: Mapping[str, Any]) -> str:
    """Return the font rules for all characters a page can show, and for those it shows in bold."""
    own = "".join(level.mark + level.label for level in LEVELS) + "".join(
        chr(code) for code in range(32, 127)
    )
    own += page["title"] + page["subtitle"] + "".join(page["notes"])
    own += _asset("standalone_map.html.j2") + _asset("standalone_map.js")
    return font_face_css(own + page["data"], bold_text=own + page["data"])
