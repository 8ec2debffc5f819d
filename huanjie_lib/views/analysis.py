"""Tables and figures of the analyst's notebooks: how complete the data are, what weights change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from huanjie_lib.risk.weighting import WeightEffect, WeightProposal, dimension_weights, weight_table
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.fonts import register_matplotlib
from huanjie_lib.vocabulary import Level, ValueStatus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from huanjie_lib.parameters import Framework

__all__ = [
    "adopted_weights",
    "completeness_figure",
    "indicator_completeness",
    "indicator_matrix",
    "intake_counts",
    "intake_issues",
    "method_comparison",
    "method_effects",
    "method_figure",
    "movers",
    "moves_table",
    "new_axes",
    "set_notebook_style",
    "township_completeness",
    "unverified_units",
    "weight_changes",
    "weight_comparison",
    "weight_effect_figure",
    "weight_figure",
    "whole_figure",
]

_SEVERITIES = {"error": "错误", "warning": "提醒", "note": "说明"}
_INCOMPLETE = (ValueStatus.MISSING.value, ValueStatus.STALE.value)


def intake_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return rows read, loaded, quarantined and dropped by table, with Chinese headings.

    Parameters
    ----------
    counts
        ``Intake.counts``: one row per file, sheet and table.
    """
    totals = counts.groupby("table")[["read", "loaded", "quarantined", "dropped"]].sum()
    return totals.rename(
        columns={"read": "读入", "loaded": "载入", "quarantined": "隔离", "dropped": "按规则略去"}
    ).rename_axis("表")


def intake_issues(issues: pd.DataFrame, *severities: str) -> pd.DataFrame:
    """Return the intake report with Chinese headings, errors first.

    Parameters
    ----------
    issues
        ``Intake.issues``.
    severities
        ``error``, ``warning`` or ``note``; errors and warnings when none is named.
    """
    wanted = severities or ("error", "warning")
    rows = issues[issues["severity"].isin(wanted)].sort_values("severity", kind="stable")
    columns = {
        "severity": "级别", "file": "文件", "sheet": "工作表", "row": "行", "label": "列",
        "found": "发现", "allowed": "应为", "remedy": "处理办法",
    }  # fmt: skip
    return rows.assign(severity=rows["severity"].map(_SEVERITIES))[list(columns)].rename(columns=columns)


def indicator_completeness(run: Run) -> pd.DataFrame:
    """Return by indicator the share of units with each status, least complete first.

    Returns
    -------
    pandas.DataFrame
        dimension, indicator (labels), and one share 0-1 per status label among units it applies to.
    """
    applicable = run.indicators[run.indicators["status"] != ValueStatus.NOT_APPLICABLE.value]
    shares = pd.crosstab(applicable["indicator"], applicable["status"], normalize="index")
    statuses = [s for s in ValueStatus if s is not ValueStatus.NOT_APPLICABLE]
    shares = shares.reindex(columns=[s.value for s in statuses], fill_value=0.0)
    shares.columns = pd.Index([s.label for s in statuses])
    framework = run.parameters.framework
    labels = pd.DataFrame(
        [(i.id, d.label, i.label) for d in framework.dimensions for i in d.indicators],
        columns=["indicator", "维度", "指标"],
    ).set_index("indicator")
    table = labels.join(shares, how="inner")
    return table.sort_values(ValueStatus.OBSERVED.label, kind="stable").reset_index(drop=True)


def township_completeness(run: Run) -> pd.DataFrame:
    """Return by township the share of applicable values that are missing or stale, worst first."""
    rows = run.indicators[run.indicators["status"] != ValueStatus.NOT_APPLICABLE.value]
    frame = pd.DataFrame(
        {
            "unit_code": rows["unit_code"],
            "incomplete": rows["status"].isin(_INCOMPLETE),
        }
    ).merge(run.units[["unit_code", "county_name", "township_name", "township_code"]], on="unit_code")
    table = frame.groupby("township_code").agg(
        county=("county_name", "first"),
        township=("township_name", "first"),
        units=("unit_code", "nunique"),
        share=("incomplete", "mean"),
    )
    table = table.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)
    return table.rename(
        columns={"county": "县区", "township": "镇街", "units": "村（社区）数", "share": "缺失或过期占比"}
    )


def unverified_units(run: Run) -> pd.DataFrame:
    """Return the units whose colour missing data leave open (待核实), widest interval first."""
    framework = run.parameters.framework
    labels = {i.id: i.label for i in framework.indicators}
    lacking = run.indicators[run.indicators["status"].isin(_INCOMPLETE)]
    reasons = (
        lacking.assign(label=lacking["indicator"].map(labels)).groupby("unit_code")["label"].agg("、".join)
    )
    table = (
        run.index[run.index["to_verify"]]
        .merge(run.units, on="unit_code")
        .merge(reasons.rename("lacking"), left_on="unit_code", right_index=True, how="left")
    )
    table = table.assign(width=table["index_high"] - table["index_low"])
    table = table.sort_values(["width", "unit_code"], ascending=[False, True])
    columns = {
        "township_name": "镇街", "unit_name": "村（社区）", "index": "选情指数",
        "index_low": "最低", "index_high": "最高", "lacking": "缺失或过期的指标",
    }  # fmt: skip
    return table[list(columns)].rename(columns=columns).reset_index(drop=True)


def indicator_matrix(run: Run) -> tuple[pd.DataFrame, pd.Series[str]]:
    """Return indicator values (units × indicators) and kinds, as the weighting functions take them."""
    ids = [i.id for i in run.parameters.framework.indicators]
    values = run.indicators.pivot(index="unit_code", columns="indicator", values="value")[ids]
    kinds = run.units.set_index("unit_code")["unit_kind"].reindex(values.index)
    return values, kinds


def adopted_weights(framework: Framework) -> pd.DataFrame:
    """Return the weight of every indicator within its dimension and in the index, with Chinese headings."""
    table = weight_table(framework)
    columns = {
        "dimension_label": "维度", "indicator_label": "指标", "within": "维度内权重", "total": "占指数",
    }  # fmt: skip
    return table[list(columns)].rename(columns=columns).set_index(["维度", "指标"])


def weight_comparison(adopted: Framework, proposal: Framework) -> pd.DataFrame:
    """Return the weights of dimensions under two frameworks, with Chinese headings."""
    first, second = weight_table(adopted), weight_table(proposal)
    return pd.DataFrame(
        {
            "采用权重": first.groupby("dimension_label", sort=False)["total"].sum(),
            "方案权重": second.groupby("dimension_label", sort=False)["total"].sum(),
        }
    ).rename_axis("维度")


def moves_table(effect: WeightEffect) -> pd.DataFrame:
    """Return adopted colour × proposed colour → units, without colours that do not occur."""
    labels = Level.labels()
    moves = effect.moves.rename(index=labels, columns=labels)
    moves = moves.loc[(moves.sum(axis=1) > 0), (moves.sum(axis=0) > 0)]
    return moves.rename_axis(index="采用权重下", columns="方案权重下")


def weight_changes(effect: WeightEffect, run: Run) -> pd.DataFrame:
    """Return what a weight proposal changes for every unit, those that change colour first.

    Returns
    -------
    pandas.DataFrame
        One row per unit, with Chinese headings; 说明 is filled in for units that change colour. Among these,
        and among the others, the largest change of the index comes first.
    """
    labels = Level.labels()
    units = run.units.set_index("unit_code")
    table = effect.units.assign(changed=effect.changes_colour, size=effect.units["change"].abs())
    table = table.sort_values(["changed", "size"], ascending=[False, False], kind="stable")
    names = units[["county_name", "township_name", "unit_name"]].reindex(table.index)
    changed = names.loc[table["changed"], "unit_name"]
    reasons = [effect.explain(str(code), name=name) for code, name in changed.items()]
    return pd.DataFrame(
        {
            "统计用区划代码": table.index.astype("str"),
            "县区": names["county_name"].to_numpy(),
            "镇街": names["township_name"].to_numpy(),
            "村（社区）": names["unit_name"].to_numpy(),
            "变色": np.where(table["changed"], "是", "否"),
            "采用权重下": table["level"].map(labels).to_numpy(),
            "方案权重下": table["proposed_level"].map(labels).to_numpy(),
            "采用指数": table["index"].round(1).to_numpy(),
            "方案指数": table["proposed_index"].round(1).to_numpy(),
            "指数变化": table["change"].round(1).to_numpy(),
            "名次变化": table["rank_change"].to_numpy(),
            "说明": pd.array([*reasons, *[""] * (len(table) - len(reasons))], dtype="str"),
        }
    )


def movers(effect: WeightEffect, run: Run, *, most: int = 15) -> pd.DataFrame:
    """Return the units that change colour and why, largest change of the index first."""
    table = weight_changes(effect, run)
    columns = ["镇街", "村（社区）", "采用权重下", "方案权重下", "指数变化", "名次变化", "说明"]
    return table.loc[table["变色"] == "是", columns].head(most).reset_index(drop=True)


def method_comparison(proposals: Sequence[WeightProposal]) -> pd.DataFrame:
    """Return the dimension weights of the adopted framework and of every proposal, side by side."""
    columns = {"采用": dimension_weights(proposals[0].adopted)} | {
        p.label: dimension_weights(p.framework) for p in proposals
    }
    labels = [d.label for d in proposals[0].adopted.dimensions]
    return pd.DataFrame(columns).set_axis(pd.Index(labels, name="维度"))


def method_effects(effects: Mapping[str, WeightEffect]) -> pd.DataFrame:
    """Return by method how many units change colour, which way, and how far ranks move.

    Parameters
    ----------
    effects
        Effect by name of the proposal.

    Returns
    -------
    pandas.DataFrame
        变色, 变好, 变差 (numbers of units), 名次变化中位数 (median of the absolute change of rank) and
        名次相关 (Spearman's correlation of the two indices).
    """
    order = {Level.RED.value: 0, Level.YELLOW.value: 1, Level.GREEN.value: 2}
    rows = {}
    for name, effect in effects.items():
        units = effect.units[effect.units["level"] != Level.UNKNOWN.value]
        step = units["proposed_level"].map(order) - units["level"].map(order)
        rows[name] = {
            "变色": int((step != 0).sum()),
            "变好": int((step > 0).sum()),
            "变差": int((step < 0).sum()),
            "名次变化中位数": float(units["rank_change"].abs().median()),
            "名次相关": float(units["index"].rank().corr(units["proposed_index"].rank())),
        }
    return pd.DataFrame(rows).T.astype({"变色": int, "变好": int, "变差": int}).rename_axis("方案")


def completeness_figure(run: Run, *, most: int = 15) -> Figure:
    """Return bars of the least complete indicators: reported, stale, missing."""
    table = indicator_completeness(run).head(most).iloc[::-1].set_index("指标")
    axes = new_axes(height=0.34 * len(table) + 1.2)
    left = np.zeros(len(table))
    styles = ((ValueStatus.OBSERVED, "#2f5d8a", ""), (ValueStatus.STALE, "#9db8d2", "//"),
              (ValueStatus.MISSING, "#f2f2f2", "xx"))  # fmt: skip
    for status, colour, hatch in styles:
        width = 100 * table[status.label].to_numpy()
        axes.barh(
            table.index, width, left=left, label=status.label, color=colour, hatch=hatch, edgecolor="#666"
        )
        left += width
    axes.set(
        xlim=(0, 100),
        xlabel="村（社区）占比（%）",
        title=f"最不完整的 {len(table)} 项指标（截至 {run.as_of}）",
    )
    axes.legend(loc="lower left", bbox_to_anchor=(0, -0.28), ncols=3, frameon=False)
    return whole_figure(axes)


def method_figure(comparison: pd.DataFrame) -> Figure:
    """Return the weight of each dimension under every method: one mark a method, one line a dimension.

    Parameters
    ----------
    comparison
        Result of :func:`method_comparison`.
    """
    axes = new_axes(height=0.6 * len(comparison) + 1.6)
    marks = ("o", "s", "^", "v", "D", "P", "X")
    colours = ("#222222", "#2f5d8a", "#d8a13b", "#7a4a8c", "#2ca58d", "#b2182b", "#8c8c8c")
    place = np.arange(len(comparison))[::-1]
    values = 100 * comparison.to_numpy()
    axes.hlines(place, values.min(axis=1), values.max(axis=1), color="#bbb", linewidth=1.2, zorder=1)
    for number, column in enumerate(comparison.columns):
        adopted = number == 0
        axes.scatter(
            100 * comparison[column], place, label=column, marker=marks[number % len(marks)],
            color=colours[number % len(colours)], s=90 if adopted else 56, zorder=3 if adopted else 2,
            edgecolor="white", linewidth=0.6,
        )  # fmt: skip
    axes.set_yticks(place, comparison.index)
    axes.set_xlim(left=0)
    axes.set(xlabel="占指数的权重（%）", title="各种方法给七个维度的权重")
    axes.grid(axis="x", color="#eee")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return whole_figure(axes)


def weight_figure(comparison: pd.DataFrame) -> Figure:
    """Return paired bars of adopted and proposed dimension weights."""
    axes = new_axes(height=4)
    place = np.arange(len(comparison))[::-1]
    for shift, column, colour in ((0.2, "采用权重", "#2f5d8a"), (-0.2, "方案权重", "#d8a13b")):
        bars = axes.barh(place + shift, 100 * comparison[column], height=0.38, label=column, color=colour)
        axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_yticks(place, comparison.index)
    axes.set(xlabel="占指数的权重（%）", title="七个维度的权重")
    axes.legend(frameon=False, loc="lower right")
    return whole_figure(axes)


def weight_effect_figure(effect: WeightEffect, run: Run) -> Figure:
    """Return each unit's index under both weights, with the cut-offs; marks differ by adopted colour."""
    axes = new_axes(height=6)
    markers = {Level.RED: "v", Level.YELLOW: "s", Level.GREEN: "o"}
    for level, marker in markers.items():
        mine = effect.units[effect.units["level"] == level.value]
        axes.scatter(
            mine["index"], mine["proposed_index"], s=14, marker=marker, color=level.colour, edgecolor="#444",
            linewidth=0.3, label=f"{level.label}（{len(mine)}）",
        )  # fmt: skip
    cuts = run.parameters.classification
    for cut in (cuts.yellow_from, cuts.green_from):
        axes.axhline(cut, color="#888", linewidth=0.8, linestyle="--")
        axes.axvline(cut, color="#888", linewidth=0.8, linestyle="--")
    low = float(min(effect.units["index"].min(), effect.units["proposed_index"].min()))
    axes.plot([low, 100], [low, 100], color="#333", linewidth=0.8)
    axes.set(xlabel="采用权重下的选情指数", ylabel="方案权重下的选情指数", title="换一套权重，谁会变色")
    axes.legend(title="采用权重下的等级", frameon=False)
    return whole_figure(axes)


def set_notebook_style() -> None:
    """Set the shipped Chinese font for this session's figures; in a notebook, show them as pictures."""
    import matplotlib as mpl

    mpl.rcParams["font.family"] = register_matplotlib()
    mpl.rcParams["axes.unicode_minus"] = False
    backend = mpl.get_backend(auto_select=False)
    if backend is not None and "inline" in backend:
        # A figure made without pyplot is shown as text until pyplot has loaded the notebook's backend.
        import matplotlib.pyplot as plt

        plt.switch_backend(backend)


def new_axes(*, height: float) -> Axes:
    """Return axes of a new figure, nine inches wide, as the notebooks show them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    axes: Axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def whole_figure(axes: Axes) -> Figure:
    """Return the figure of axes made by :func:`new_axes`."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes come from new_axes
    return figure
