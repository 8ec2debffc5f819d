"""Pictures of the pack at the size that they are printed: the map, small and A3, and colours over time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.fonts import register_matplotlib
from huanjie_lib.views.print_map import page_map, print_map, render
from huanjie_lib.views.words import LEVELS, count_text
from huanjie_lib.vocabulary import Level

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

__all__ = ["a3_map", "colours_figure", "has_places", "map_figure"]

_INK: Final = "#1b2430"
_SOFT: Final = "#5f6b7a"
_INCH: Final = 25.4
_MOST_LABELS: Final = 9
_ROOM: Final = 0.05
"""Share of the whole below which a part has no room for its number."""
_HATCHES: Final[Mapping[Level, str]] = MappingProxyType({Level.UNKNOWN: "...."})


def has_places(run: Run) -> bool:
    """Tell whether any unit of a run has a boundary or a place, so that a map can be drawn."""
    placed = bool(run.units[["longitude", "latitude"]].notna().all(axis=1).any())
    return placed or (_has_boundaries(run) and bool(run.boundaries().geometry.notna().any()))


def map_figure(run: Run, *, size_mm: tuple[float, float]) -> Figure | None:
    """Return the map of a run at a size in millimetres; ``None`` where no unit has a boundary or a place."""
    return page_map(run, _boundaries(run), size_mm=size_mm) if has_places(run) else None


def a3_map(run: Run, kind: Literal["pdf", "svg"], *, mark: str) -> bytes:
    """Return the A3 map of a run as a file's bytes, with who hands it out at its foot.

    Raises
    ------
    DataError
        If no unit has a boundary or a place.
    """
    figure = print_map(run, _boundaries(run))
    look: dict[str, Any] = {"fontsize": 7, "color": _SOFT, "fontfamily": register_matplotlib()}
    figure.text(0.99, 0.004, mark, ha="right", va="bottom", parse_math=False, **look)
    return render(figure, kind)


def _has_boundaries(run: Run) -> bool:
    return run.path is not None and (run.path / "boundaries.parquet").exists()


def _boundaries(run: Run) -> gpd.GeoDataFrame:
    """Return the boundaries; none where there are places only."""
    if _has_boundaries(run):
        return run.boundaries()
    import geopandas as gpd

    return gpd.GeoDataFrame({"unit_code": []}, geometry=[], crs=4490)


def colours_figure(trend: pd.DataFrame, *, size_mm: tuple[float, float]) -> Figure:
    """Return the number of units of each colour at every snapshot, red at the bottom, and those to verify.

    Parameters
    ----------
    trend
        Result of :func:`huanjie_lib.views.tables.trend`, at least one row.
    size_mm
        Width and height in millimetres.

    Examples
    --------
    >>> counts = {"red": 3, "yellow": 5, "green": 9, "unknown": 0, "to_verify": 2, "units": 17}
    >>> figure = colours_figure(pd.DataFrame([{"as_of": pd.Timestamp(2026, 10, 31), **counts}]),
    ...                         size_mm=(156, 70))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['3', '5', '9']
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.family": register_matplotlib(), "axes.unicode_minus": False}):
        figure = Figure(figsize=(size_mm[0] / _INCH, size_mm[1] / _INCH), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        places, below = range(len(trend)), pd.Series(0, index=trend.index)
        crowded = len(trend) > _MOST_LABELS
        for level in LEVELS:
            counts = trend[level.value].astype("int64")
            if not counts.any():
                continue
            paint: dict[str, Any] = {
                "color": level.colour,
                "hatch": _HATCHES.get(level),
                "edgecolor": "white",
            }
            axes.bar(places, counts, 0.82, bottom=below, label=level.label, linewidth=0.5, **paint)
            for place in (len(trend) - 1,) if crowded else places:
                count = int(counts.iloc[place])
                middle = below.iloc[place] + count / 2
                if count <= _ROOM * trend["units"].max():
                    continue
                if crowded:
                    said = f"{level.mark} {count_text(count)}"
                    axes.text(place + 0.55, middle, said, va="center", color=_INK, size=8)
                else:
                    ink = "white" if level is Level.RED else _INK
                    axes.text(place, middle, count_text(count), ha="center", va="center", color=ink, size=8)
            below = below + counts
        axes.plot(places, trend["to_verify"], color=_INK, linestyle="--", marker="o", markersize=2.5,
                  linewidth=1.0, label="待核实（不论颜色）")  # fmt: skip
        every = max(1, -(-len(trend) // _MOST_LABELS))
        shown = [place for place in places if (len(trend) - 1 - place) % every == 0]
        days = [trend["as_of"].iloc[place] for place in shown]
        axes.set_xticks(shown, [f"{day.year}.{day.month}" for day in days], fontsize=8)
        axes.tick_params(axis="y", labelsize=8)
        axes.yaxis.set_major_formatter(lambda value, _: count_text(round(value)))
        axes.set_ylabel("村（社区）数", fontsize=8, color=_SOFT)
        axes.set_xlim(-0.6, len(trend) - 0.4 + (0.1 * len(trend) if crowded else 0.0))
        handles, labels = axes.get_legend_handles_labels()
        last = [*range(1, len(handles)), 0]  # the line comes first of itself
        figure.legend(
            [handles[n] for n in last], [labels[n] for n in last],
            loc="outside upper center", ncols=5, frameon=False, fontsize=8,
        )  # fmt: skip
    return figure
