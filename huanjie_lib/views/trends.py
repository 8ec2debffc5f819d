"""Tables and figures of movement and neighbourhood: slopes, changes of colour, change accounts, clusters.

Call :func:`huanjie_lib.views.analysis.set_notebook_style` once before drawing. Figures tell words and marks
apart by position and hatching, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.risk.change_account import PARTS, Cause, ChangeAccount
from huanjie_lib.risk.clusters import ClusterKind, Clusters
from huanjie_lib.risk.trends import Direction, Flips, Trends
from huanjie_lib.views.analysis import new_axes, whole_figure
from huanjie_lib.views.print_map import local_projection
from huanjie_lib.views.shapes import unit_shapes
from huanjie_lib.views.words import NAMELESS, date_text, number_text, present
from huanjie_lib.vocabulary import Level

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

__all__ = [
    "account_figure",
    "account_table",
    "area_table",
    "cluster_figure",
    "cluster_table",
    "flips_table",
    "slope_figure",
    "slope_table",
]

_BETTER: Final = "#2ca58d"
_WORSE: Final = "#b2182b"
_TOTAL: Final = "#2f5d8a"
_CLUSTER_STYLE: Final[Mapping[ClusterKind, Mapping[str, Any]]] = MappingProxyType(
    {
        ClusterKind.HIGH: {"facecolor": "#b2182b"},
        ClusterKind.HIGH_OUTLIER: {"facecolor": "#f4a582", "hatch": "////"},
        ClusterKind.LOW_OUTLIER: {"facecolor": "#fde5c8", "hatch": "...."},
        ClusterKind.LOW: {"facecolor": "#92c5de"},
        ClusterKind.NONE: {"facecolor": "#f5f5f5"},
        ClusterKind.UNKNOWN: {"facecolor": "#ffffff", "hatch": "xxxx"},
    }
)
"""Fills of a printed map, apart in greyscale by lightness or hatching, most urgent first."""


def _named(codes: pd.Series[str] | pd.Index[Any], units: pd.DataFrame) -> pd.DataFrame:
    """Return township and name of units by their codes, in the order of the codes."""
    names = units.set_index("unit_code")[["township_name", "unit_name"]].reindex(codes)
    shown = names.where(names.map(present), NAMELESS).set_axis(["镇街", "村（社区）"], axis=1)
    return shown.reset_index(drop=True)


def _ordered(trends: Trends, *, improving: bool, most: int) -> pd.DataFrame:
    wanted = Direction.IMPROVING if improving else Direction.WORSENING
    found = trends.units[trends.units["direction"] == wanted.value]
    return found.sort_values("slope", ascending=not improving, kind="stable").head(most)


def slope_table(
    trends: Trends, units: pd.DataFrame, *, improving: bool = False, most: int = 20
) -> pd.DataFrame:
    """Return the units whose index falls (or rises) fastest, with the dimension that drives it.

    Parameters
    ----------
    trends
        Result of :func:`huanjie_lib.risk.trends.find_trends`.
    units
        unit_code, unit_name, township_name.
    improving
        Rising instead of falling units.
    most
        Number of rows at most.
    """
    found = _ordered(trends, improving=improving, most=most)
    own = trends.dimensions[trends.dimensions["unit_code"].isin(found.index)]
    wide = own.pivot(index="unit_code", columns="dimension", values="slope").reindex(found.index)
    drivers = wide.idxmin(axis=1) if improving else wide.idxmax(axis=1)
    columns: dict[str, Any] = {
        "走势": found["direction"].map(Direction.labels()).to_numpy(),
        "每月变化": [number_text(v, signed=True) for v in found["slope"]],
        "变化范围": [
            f"{number_text(low, signed=True)} 至 {number_text(high, signed=True)}"
            for low, high in zip(found["slope_low"], found["slope_high"], strict=True)
        ],
        "最新指数": found["index"].round(1).to_numpy(),
        "变化最快的维度": drivers.map(dict(trends.labels)).to_numpy(),
    }
    return _named(found.index, units).assign(**columns)


def slope_figure(trends: Trends, units: pd.DataFrame, *, improving: bool = False, most: int = 15) -> Figure:
    """Return the fastest falling (or rising) units: a dot for the slope, a line for its interval."""
    found = _ordered(trends, improving=improving, most=most).iloc[::-1]
    axes = new_axes(height=0.34 * max(len(found), 3) + 1.4)
    place = np.arange(len(found))
    colour, marker = (_BETTER, "o") if improving else (_WORSE, "v")
    axes.hlines(place, found["slope_low"], found["slope_high"], color="#888", linewidth=2)
    axes.plot(found["slope"], place, marker, color=colour, markersize=8, markeredgecolor="#333")
    named = _named(found.index, units)
    axes.set_yticks(place, named["镇街"].astype("str") + " " + named["村（社区）"].astype("str"))
    axes.axvline(0, color="#333", linewidth=0.8)
    what = "上升" if improving else "下降"
    title = f"选情指数{what}最快的 {len(found)} 个村（社区）" if len(found) else f"没有持续{what}的村（社区）"
    axes.set(
        xlabel=f"每月变化（分），横线为 {trends.confidence:.0%} 把握的范围",
        title=f"{title}（截至{date_text(trends.as_of)}）",
    )
    return whole_figure(axes)


def flips_table(flips: Flips, units: pd.DataFrame, *, most: int = 30) -> pd.DataFrame:
    """Return the latest changes of colour with their main cause, for the worse first.

    Parameters
    ----------
    flips
        Result of :func:`huanjie_lib.risk.trends.find_flips`.
    units
        unit_code, unit_name, township_name.
    most
        Number of rows at most.
    """
    found = flips.flips.assign(size=flips.flips["change"].abs())
    found = found.sort_values(
        ["as_of", "worse", "size", "unit_code"], ascending=[False, False, False, True], na_position="first"
    ).head(most)
    first = flips.causes.drop_duplicates(["unit_code", "as_of"]).set_index(["unit_code", "as_of"])
    keys = pd.MultiIndex.from_frame(found[["unit_code", "as_of"]])
    cause = first.reindex(keys)
    labels = Level.labels()
    columns: dict[str, Any] = {
        "截至": found["as_of"].dt.date.to_numpy(),
        "原等级": found["from_level"].map(labels).to_numpy(),
        "现等级": found["to_level"].map(labels).to_numpy(),
        "指数变化": [number_text(v, signed=True) for v in found["change"]],
        "主要原因": [
            f"{label}{'多扣' if points > 0 else '少扣'}{number_text(abs(points))}分"
            if present(label)
            else "—"
            for label, points in zip(cause["label"], cause["points"], strict=True)
        ],
    }
    return _named(found["unit_code"], units).assign(**columns)


def account_table(account: ChangeAccount, units: pd.DataFrame, *, most: int = 30) -> pd.DataFrame:
    """Return the largest movements of the index with every cause in a column.

    Parameters
    ----------
    account
        Result of :func:`huanjie_lib.risk.change_account.change_account`.
    units
        unit_code, unit_name, township_name.
    most
        Number of rows at most.
    """
    order = account.units["change"].abs().sort_values(ascending=False, kind="stable").index[:most]
    found = account.units.loc[order]
    labels = Level.labels()
    columns: dict[str, Any] = {
        "上期指数": found["index_before"].round(1).to_numpy(),
        **{c.label: [number_text(v, signed=True) for v in found[c.value]] for c in PARTS},
        "本期指数": found["index_after"].round(1).to_numpy(),
        "原等级": found["level_before"].map(labels).to_numpy(),
        "现等级": found["level_after"].map(labels).to_numpy(),
        "变色原因": [Cause.lookup()[c].label if c else "" for c in found["cause"]],
    }
    return _named(found.index, units).assign(**columns)


def account_figure(account: ChangeAccount, unit_code: str | None = None, *, name: str = "") -> Figure:
    """Return the waterfall from the earlier index to the later, cause by cause.

    Parameters
    ----------
    account
        Result of :func:`huanjie_lib.risk.change_account.change_account`.
    unit_code
        The unit; the mean of the city when omitted.
    name
        Name for the title.

    Raises
    ------
    KeyError
        If the unit has no account.
    """
    row: dict[str, Any] = dict(account.city() if unit_code is None else account.units.loc[unit_code])
    before, after = float(row["index_before"]), float(row["index_after"])
    steps = [(cause, float(row[cause.value])) for cause in PARTS]
    axes = new_axes(height=4.2)
    labels = [date_text(account.before), *(cause.label for cause, _ in steps), date_text(account.after)]
    place = np.arange(len(labels))
    level = before
    ends = [before]
    for position, (_, step) in enumerate(steps, start=1):
        colour, hatch = (_BETTER, "") if step > 0 else (_WORSE, "////")
        axes.bar(position, step, bottom=level, width=0.6, color=colour, hatch=hatch, edgecolor="#333")
        axes.hlines(level, position - 0.7, position + 0.3, color="#888", linewidth=0.8)
        level += step
        ends.append(level)
    ends.append(after)
    axes.hlines(after, place[-1] - 0.7, place[-1] + 0.3, color="#888", linewidth=0.8)
    low, high = min(ends), max(ends)
    margin = max(0.25 * (high - low), 0.5)
    for position, value in ((place[0], before), (place[-1], after)):
        axes.bar(
            position, value - (low - margin), bottom=low - margin, width=0.6, color=_TOTAL, edgecolor="#333"
        )
        axes.annotate(f"{value:.1f}", (position, value), (0, 4), textcoords="offset points", ha="center")
    for position, (_, step) in enumerate(steps, start=1):
        top = max(ends[position - 1], ends[position])
        said = number_text(step, signed=True)
        axes.annotate(said, (position, top), (0, 4), textcoords="offset points", ha="center")
    axes.set_xticks(place, labels)
    axes.set_ylim(low - margin, high + margin)
    title = name or (unit_code if unit_code is not None else f"全市 {len(account.units)} 个村（社区）平均")
    axes.set(ylabel="选情指数（分，纵轴不从0起）", title=f"{title}：选情指数为什么变了")
    return whole_figure(axes)


def cluster_table(clusters: Clusters, units: pd.DataFrame, *, most: int = 40) -> pd.DataFrame:
    """Return the units in clusters or at odds with their surroundings, most urgent kind first.

    Parameters
    ----------
    clusters
        Result of :func:`huanjie_lib.risk.clusters.find_clusters`.
    units
        unit_code, unit_name, township_name.
    most
        Number of rows at most.
    """
    wanted = (ClusterKind.HIGH, ClusterKind.HIGH_OUTLIER, ClusterKind.LOW_OUTLIER, ClusterKind.LOW)
    place = {kind.value: number for number, kind in enumerate(wanted)}
    found = clusters.units[clusters.units["kind"].isin(place)]
    found = found.assign(place=found["kind"].map(place)).sort_values(
        ["place", "local_i"], ascending=[True, False], kind="stable"
    )
    found = found.head(most)
    columns: dict[str, Any] = {
        "类型": found["kind"].map(ClusterKind.labels()).to_numpy(),
        clusters.what: found["value"].round(1).to_numpy(),
        "相邻平均": found["neighbour_mean"].round(1).to_numpy(),
        "相邻数": found["neighbours"].to_numpy(),
    }
    return _named(found.index, units).assign(**columns)


def area_table(clusters: Clusters, units: pd.DataFrame, *, least: int = 3) -> pd.DataFrame:
    """Return the connected areas of high risk, the largest first: townships, units and mean.

    Parameters
    ----------
    clusters
        Result of :func:`huanjie_lib.risk.clusters.find_clusters`.
    units
        unit_code, unit_name, township_name.
    least
        Least number of units of an area.
    """
    areas = clusters.areas()
    named = _named(areas.index, units).assign(area=areas.to_numpy())
    named["value"] = clusters.units.loc[areas.index, "value"].to_numpy()
    by_area = named.groupby("area", sort=True)
    table = pd.DataFrame(
        {
            "村（社区）数": by_area.size(),
            "涉及镇街": by_area["镇街"].agg(lambda names: "、".join(dict.fromkeys(names))),
            "村（社区）": by_area["村（社区）"].agg("、".join),
            f"平均{clusters.what}": by_area["value"].mean().round(1),
        }
    )
    return table[table["村（社区）数"] >= least].rename_axis("片区").reset_index()


def cluster_figure(clusters: Clusters, units: pd.DataFrame, boundaries: gpd.GeoDataFrame) -> Figure:
    """Return the map of clusters, with the number of each kind in its legend.

    Parameters
    ----------
    clusters
        Result of :func:`huanjie_lib.risk.clusters.find_clusters`.
    units
        unit_code; optionally longitude and latitude of units without a polygon.
    boundaries
        unit_code, geometry, in a declared CRS.

    Raises
    ------
    DataError
        If the boundaries declare no CRS.
    ValueError
        If no unit has a shape.
    """
    from matplotlib.patches import Patch

    shapes = unit_shapes(units, boundaries)
    if shapes.isna().all():
        raise ValueError("no unit has a shape")
    shapes = shapes.to_crs(local_projection(shapes)[0])
    kinds = clusters.units["kind"].reindex(units["unit_code"]).fillna(ClusterKind.UNKNOWN.value).to_numpy()
    axes = new_axes(height=7.5)
    point = (shapes.geom_type == "Point").to_numpy()
    legend = []
    for kind, style in _CLUSTER_STYLE.items():
        mine = kinds == kind.value
        look = {"edgecolor": "#777", "linewidth": 0.3, **style}
        for part, extra in ((mine & ~point, {}), (mine & point, {"markersize": 30, "zorder": 3})):
            if shapes[part].notna().any():
                shapes[part].plot(ax=axes, **look, **extra)
        legend.append(Patch(label=f"{kind.label}（{int(mine.sum())}）", **look))
    axes.legend(handles=legend, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.set_axis_off()
    axes.set_aspect("equal")
    date = f"（截至{date_text(clusters.as_of)}）" if clusters.as_of else ""
    title = f"{clusters.what}的连片情况{date}\n{clusters.moran.explain()}"
    axes.set_title(title, loc="left", fontsize=11)
    return whole_figure(axes)
