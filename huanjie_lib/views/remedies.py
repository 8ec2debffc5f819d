"""Tables and figures of remedies: a unit's way to the next colour, and what working groups reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from huanjie_lib.risk.remedies import Remedies
from huanjie_lib.risk.remedies_plan import STRATEGIES, RemedyPlan
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.analysis import new_axes, whole_figure
from huanjie_lib.vocabulary import Level

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "comparison_table",
    "path_figure",
    "path_table",
    "plan_figure",
    "plan_table",
    "standing_table",
]

_LEVELS = {level.value: level for level in Level}
_CONFIDENCE = {"H": "高", "M": "中", "L": "低"}
_STANDING = {"unremediable": "不能改变", "missing": "缺少数据", "remaining": "还能改善或须更久"}
_OBJECTIVE = {"lifted": "转好一级的村（社区）数", "expected_hits": "命中数（所到之处不处置会出事的个数）"}
_STYLES = {
    # strategy: colour, dashes, width, mark; apart in greyscale, the widest lies below
    "optimum": ("#1f4e79", "-", 4.0, ""),
    "greedy": ("#f0b429", "--", 1.6, ""),
    "worst_first": ("#b2182b", "-", 1.4, "v"),
}


def path_table(remedies: Remedies, unit_code: str) -> pd.DataFrame:
    """Return the measures of a unit's path with Chinese headings, in the order in which to take them.

    Returns
    -------
    pandas.DataFrame
        Points regained, team-days and working days of each measure, who does it and what it cannot do.

    Raises
    ------
    KeyError
        If there is no such unit.
    """
    path = remedies.path(unit_code)
    return pd.DataFrame(
        {
            "次序": path["order"],
            "措施": path["label"],
            "恢复分数": path["points"].round(2),
            "工作组日": path["cost"],
            "工作日": path["days"],
            "谁来办": path["who"],
            "做不到什么": path["limits"],
            "把握": path["confidence"].map(_CONFIDENCE),
        }
    )


def standing_table(remedies: Remedies, unit_code: str) -> pd.DataFrame:
    """Return what still costs a unit points after its path, most first, with Chinese headings.

    Raises
    ------
    KeyError
        If there is no such unit.
    """
    if unit_code not in remedies.units.index:
        raise KeyError(unit_code)
    rows = remedies.standing[remedies.standing["unit_code"] == unit_code]
    rows = rows.sort_values("points", ascending=False, kind="stable").reset_index(drop=True)
    return pd.DataFrame(
        {
            "原因": rows["reason"],
            "仍扣分": rows["points"].round(2),
            "状态": rows["status"].map(_STANDING),
            "应对（不恢复分数）": rows["answer"],
        }
    )


def plan_table(plan: RemedyPlan, run: Run, *, most: int = 20) -> pd.DataFrame:
    """Return the first units of a plan in the order in which to go there, with Chinese headings.

    Parameters
    ----------
    plan
        The plan.
    run
        Run that names the units.
    most
        Number of units shown.
    """
    rows = plan.units.dropna(subset=["order"]).sort_values("order").head(most)
    names = run.units.set_index("unit_code")[["township_name", "unit_name"]].reindex(rows.index)
    marks = {value: level.mark for value, level in _LEVELS.items()}
    table = pd.DataFrame(
        {
            "次序": rows["order"].to_numpy(),
            "镇街": names["township_name"].to_numpy(),
            "村（社区）": names["unit_name"].to_numpy(),
            "转色": (rows["level"].map(marks) + "→" + rows["target"].map(marks)).to_numpy(),
            "选情指数": rows["index"].round(1).to_numpy(),
            "工作组日": rows["cost"].to_numpy(),
            "工作日": rows["days"].to_numpy(),
        }
    )
    if rows["chance"].notna().any():
        table["出事可能"] = [f"{p:.0%}" for p in rows["chance"]]
    if rows["group"].notna().any():
        table["工作组"] = rows["group"].to_numpy()
    return table


def comparison_table(plan: RemedyPlan) -> pd.DataFrame:
    """Return what each way to choose units reaches, with Chinese headings; no hits without chances."""
    rows = plan.comparison
    table = pd.DataFrame(
        {
            "转好一级": rows["lifted"],
            "用去工作组日": rows["team_days"].round(1),
            "每百工作组日转好": (100 * rows["lifted_per_team_day"]).round(1),
            "命中": rows["expected_hits"].round(1),
            "每百工作组日命中": (100 * rows["hits_per_team_day"]).round(1),
        }
    ).dropna(axis=1, how="all")
    return table.set_axis(pd.Index(rows["label"], name="先后办法"))


def path_figure(remedies: Remedies, unit_code: str, *, name: str) -> Figure:
    """Return bars that climb from a unit's index over each measure of its path to the index after it.

    The dashed line is the index that the next colour needs, margin included. A unit that needs no path, or
    has none, shows its index alone.

    Raises
    ------
    KeyError
        If there is no such unit.
    """
    unit: dict[str, Any] = dict(remedies.units.loc[unit_code])
    path = remedies.path(unit_code)
    level = _LEVELS[unit["level"]]
    before, after = unit["index"], unit["index_after"]
    steps = path["points"].to_numpy(dtype=np.float64)
    labels, left, width, colours = ["现在"], [0.0], [before], [level.colour]
    told = [f"{before:.1f}分"]
    for label, points, cost, foot in zip(
        path["label"], steps, path["cost"], before + np.cumsum(steps) - steps, strict=True
    ):
        labels.append(label)
        left.append(foot)
        width.append(points)
        colours.append("#7a9cc6")
        told.append(f"+{points:.1f}（{cost:.1f}工作组日）")
    if len(path):
        labels.append("做完之后")
        left.append(0.0)
        width.append(after)
        colours.append(_LEVELS[unit["target"]].colour if unit["reachable"] else level.colour)
        told.append(f"{after:.1f}分")
    axes = new_axes(height=0.42 * len(labels) + 1.3)
    place = np.arange(len(labels))
    axes.barh(place, width, left=left, color=colours, edgecolor="#444", linewidth=0.6, height=0.68)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    for y, x, text in zip(place, np.add(left, width), told, strict=True):
        axes.annotate(
            text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9, bbox=paper
        )
    most = after
    if not np.isnan(unit["needed"]):
        most = max(after, unit["needed"])
        axes.axvline(unit["needed"], color="#333", linestyle="--", linewidth=1, zorder=0.5)
        axes.annotate(
            f"须达到{unit['needed']:g}分", (unit["needed"], 1), xycoords=("data", "axes fraction"),
            xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=9,
        )  # fmt: skip
    axes.set_yticks(place, labels)
    axes.invert_yaxis()
    low = max(0.0, 10 * np.floor((before - 5) / 10))
    axes.set(xlim=(low, most + 0.4 * (most - low)), xlabel=f"选情指数（横轴从{low:g}分起）")
    axes.set_title(f"{name}：{_verdict(unit)}", pad=22)
    return whole_figure(axes)


def _verdict(unit: Mapping[str, Any]) -> str:
    if pd.isna(unit["target"]):
        return f"{_LEVELS[unit['level']].label}，没有转色措施"
    turn = f"由{_LEVELS[unit['level']].mark}转{_LEVELS[unit['target']].mark}"
    effort = f"约{unit['days']}个工作日、{unit['cost']:.1f}个工作组日"
    return f"{effort}，可{turn}" if unit["reachable"] else f"{effort}，仍不能{turn}"


def plan_figure(plan: RemedyPlan) -> Figure:
    """Return what each way to choose units reaches with more and more team-days."""
    axes = new_axes(height=4.6)
    for strategy, (colour, dashes, width, mark) in _STYLES.items():
        mine = plan.curve[plan.curve["strategy"] == strategy]
        axes.plot(
            mine["team_days"], mine["worth"], color=colour, linestyle=dashes, linewidth=width, marker=mark,
            markevery=6, markersize=6, label=f"{STRATEGIES[strategy]}（{_count(mine['worth'].iloc[-1])}）",
        )  # fmt: skip
    axes.set(
        xlabel=f"工作组日（{plan.groups}个组各{plan.days}个工作日，共{plan.groups * plan.days}）",
        ylabel=_OBJECTIVE[plan.objective],
        title="同样的人手，先去哪里差别有多大",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.legend(frameon=False, loc="upper left", title="先后办法（用满人手时）")
    return whole_figure(axes)


def _count(worth: float) -> str:
    return f"{worth:.0f}" if worth == round(worth) else f"{worth:.1f}"
