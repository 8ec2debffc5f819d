"""Tables and figures that say how sure each colour is, and which judgement it hangs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.risk.sensitivity import Sensitivity, sobol_total_order
from huanjie_lib.risk.uncertainty import Uncertainty
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.analysis import indicator_matrix, new_axes, whole_figure
from huanjie_lib.views.shapes import unit_shapes
from huanjie_lib.vocabulary import Level

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

__all__ = [
    "assumption_table",
    "chance_figure",
    "contested_by_level",
    "contested_map",
    "contested_units",
    "rank_figure",
    "sensitivity_figure",
    "sensitivity_of",
    "uncertainty_of",
]

_LEVELS = (Level.RED, Level.YELLOW, Level.GREEN)
_CHANCES = [f"p_{level.value}" for level in _LEVELS]
_SURE = {Level.RED: "#e8c4c4", Level.YELLOW: "#fbf2d0", Level.GREEN: "#cfe9e2", Level.UNKNOWN: "#eeeeee"}


def uncertainty_of(run: Run) -> Uncertainty:
    """Return the chances of a run as the result object that explains them.

    Raises
    ------
    DataError
        If the run holds no chances.
    """
    if run.uncertainty.empty:
        remedy = "在参数包中补充 uncertainty.yaml 后重新评估"
        raise DataError("没有颜色把握的测算结果", [Fault("评估结果", "没有测算", "测算过的评估", remedy)])
    return Uncertainty(
        units=run.uncertainty.set_index("unit_code"),
        assumptions=run.parameters.assumptions,
        as_of=run.as_of,
        version=run.parameters.version,
    )


def sensitivity_of(run: Run, *, seed: int, samples: int = 256) -> Sensitivity:
    """Return which judgements a run's colours hang on, under the uncertainty that its pack declares."""
    values, kinds = indicator_matrix(run)
    return sobol_total_order(
        values,
        kinds,
        run.parameters.framework,
        run.parameters.classification,
        seed=seed,
        samples=samples,
        assumptions=run.parameters.assumptions,
        as_of=run.as_of,
        version=run.parameters.version,
    )


def assumption_table(run: Run) -> pd.DataFrame:
    """Return the declared uncertainty in words."""
    a = run.parameters.assumptions
    weight = a.weight_concentration
    rows = [
        ("权重", "视为确定" if weight is None else f"围绕采用的权重摆动，集中度{weight:g}（越大越确定）"),
        ("评分标准", f"参考点移动和伸缩其跨度的{a.reference_shift:.0%}" if a.reference_shift else "视为确定"),
        ("填报数", f"相对误差{a.data_error:.0%}" if a.data_error else "视为准确"),
        ("缺失数据", "从最好到最差同样可能"),
        ("测算次数", f"{a.draws}次"),
        ("有争议", f"没有一种颜色的机会达到{a.contested_below:.0%}"),
    ]
    return pd.DataFrame(rows, columns=["项目", "约定"]).set_index("项目")


def _joined(run: Run) -> pd.DataFrame:
    """Return chances with published index, level and names, the lowest index first."""
    table = run.index.merge(uncertainty_of(run).units.reset_index(), on="unit_code", validate="1:1")
    table = table.merge(run.units, on="unit_code", validate="1:1")
    return table.sort_values(["index", "unit_code"], kind="stable", ignore_index=True)


def contested_by_level(run: Run) -> pd.DataFrame:
    """Return by published colour the number of units, of contested ones, and of these without a gap."""
    table = _joined(run)
    groups = table.groupby("level")
    full = table["contested"] & table["missing"].eq(0)
    out = pd.DataFrame(
        {
            "村（社区）": groups.size(),
            "颜色有争议": groups["contested"].sum(),
            "其中数据齐全": full.groupby(table["level"]).sum(),
        }
    )
    present = [level for level in Level if level.value in out.index]
    return out.loc[[level.value for level in present]].set_axis(
        pd.Index([level.label for level in present], name="公布颜色")
    )


def contested_units(run: Run, *, most: int = 15) -> pd.DataFrame:
    """Return the units of which the colour is least sure, with what to do about each."""
    sure = uncertainty_of(run)
    table = _joined(run)
    table = table[table["contested"]].assign(top=table[_CHANCES].max(axis=1))
    table = table.sort_values(["top", "unit_code"], kind="stable").head(most)
    chances = {f"{level.label}机会": table[f"p_{level.value}"].map("{:.0%}".format) for level in _LEVELS}
    out = pd.DataFrame(
        {
            "镇街": table["township_name"],
            "村（社区）": table["unit_name"],
            "选情指数": table["index"].round(1),
            "公布颜色": table["level"].map(Level.labels()),
            **chances,
            "缺失项数": table["missing"],
            "说明": [
                sure.explain(code, name=name)
                for code, name in zip(table["unit_code"], table["unit_name"], strict=True)
            ],
        }
    )
    return out.reset_index(drop=True)


def chance_figure(run: Run) -> Figure:
    """Return the chances of the three colours of every unit, from the lowest index to the highest."""
    table = _joined(run).dropna(subset=_CHANCES)
    axes = new_axes(height=4.4)
    place = np.arange(1, len(table) + 1)
    axes.stackplot(
        place,
        *(100 * table[column] for column in _CHANCES),
        labels=[level.label for level in _LEVELS],
        colors=[level.colour for level in _LEVELS],
        linewidth=0,
        step="mid",
    )
    contested = place[table["contested"]]
    axes.plot(contested, np.full(len(contested), 102.5), "|", color="#222", markersize=6, markeredgewidth=0.4)
    axes.text(len(table) * 1.005, 102.5, f"有争议 {len(contested)} 个", va="center", fontsize=9)
    axes.set(
        xlim=(1, max(len(table), 2)),
        ylim=(0, 105),
        xlabel="村（社区），按选情指数从低到高",
        ylabel="机会（%）",
        title=f"每个村（社区）各种颜色的机会（截至 {run.as_of}）",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)
    return whole_figure(axes)


def rank_figure(run: Run, *, most: int = 25) -> Figure:
    """Return the range of ranks of the units that need most attention, with their published rank."""
    table = _joined(run)
    published = table["index"].rank(method="average")
    table = table.assign(published=published).dropna(subset=["rank_low", "published"]).head(most).iloc[::-1]
    axes = new_axes(height=0.27 * len(table) + 1.3)
    place = np.arange(len(table))
    colours = [Level.lookup()[value].colour for value in table["level"]]
    axes.hlines(place, table["rank_low"], table["rank_high"], color=colours, linewidth=6, alpha=0.75)
    axes.plot(table["published"], place, "D", color="#222", markersize=4, label="公布名次")
    names = table["township_name"] + " " + table["unit_name"]
    axes.set_yticks(place, names)
    axes.set_xlim(left=0)
    axes.set(
        xlabel="名次（1 为最需要关注）；横条为九成测算的范围",
        title=f"最需要关注的 {len(table)} 个村（社区）：名次有多稳",
    )
    axes.legend(frameon=False, loc="lower right")
    return whole_figure(axes)


def sensitivity_figure(found: Sensitivity, *, most: int = 10) -> Figure:
    """Return bars of the judgements that matter most to the share of red units and to the mean index."""
    table = found.city.head(most).iloc[::-1]
    axes = new_axes(height=0.45 * len(table) + 1.5)
    place = np.arange(len(table))
    styles = (
        ("red_share", "红色单位占比", 0.2, "#b2182b", ""),
        ("mean_index", "平均选情指数", -0.2, "#2f5d8a", "//"),
    )
    for column, label, shift, colour, hatch in styles:
        bars = axes.barh(
            place + shift, 100 * table[column], height=0.38, label=label, color=colour, hatch=hatch,
            edgecolor="white", linewidth=0,
        )  # fmt: skip
        axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=9)
    axes.set_yticks(place, table["label"])
    axes.set(xlabel="与该判断有关的波动占全部波动（%）", title="哪项判断最要紧")
    axes.legend(frameon=False, loc="lower right")
    return whole_figure(axes)


def contested_map(run: Run, boundaries: gpd.GeoDataFrame) -> Figure:
    """Return a map in which contested units stand out: full colour and a dark edge, all others pale.

    Parameters
    ----------
    run
        The run.
    boundaries
        unit_code, geometry, in a declared CRS, such as ``Intake.boundaries``; units without a polygon are
        drawn as points.

    Raises
    ------
    DataError
        If the run holds no chances, or the boundaries declare no CRS.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    table = _joined(run)
    shapes = unit_shapes(table, boundaries)
    axes = new_axes(height=7)
    pale = [_SURE[Level.lookup()[value]] for value in table["level"]]
    full = [Level.lookup()[value].colour for value in table["most_likely"]]
    contested = table["contested"].to_numpy(dtype=bool)
    solid = shapes.notna().to_numpy()
    points = solid & (shapes.geom_type == "Point").to_numpy()
    styles = ((~contested, pale, "#c8c8c8", 0.15), (contested, full, "#1b2430", 0.7))
    for mask, colours, edge, width in styles:
        for chosen in (mask & solid & ~points, mask & points):
            some = np.flatnonzero(chosen)
            if len(some):
                shapes.iloc[some].plot(
                    ax=axes, color=[colours[i] for i in some], edgecolor=edge, linewidth=width, markersize=9
                )
    axes.set_axis_off()
    axes.set_title(f"颜色有争议的村（社区）：{int(contested.sum())} 个（截至 {run.as_of}）")
    keys: list[Patch | Line2D] = []
    for level in _LEVELS:
        likely = f"有争议，最可能为{level.label}"
        keys.append(Patch(facecolor=level.colour, edgecolor="#1b2430", linewidth=0.7, label=likely))
    for level in _LEVELS:
        keys.append(Patch(facecolor=_SURE[level], edgecolor="#c8c8c8", label=f"{level.label}，可以认定"))
    if points.any():
        keys.append(Line2D([], [], marker="o", linestyle="", color="#999", label="没有边界，只画位置"))
    axes.legend(handles=keys, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return whole_figure(axes)
