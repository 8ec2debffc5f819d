"""Tables and figures of the anomaly signals: who is flagged, why, and against which control limits.

A flag is a lead, not a verdict; figures of unknown units are left out of charts and counted in tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.risk.signal_nulls import GammaPoisson, beta_binomial_tail, gamma_poisson_tail
from huanjie_lib.risk.signals import Signals
from huanjie_lib.views.analysis import new_axes, whole_figure
from huanjie_lib.views.words import number_text
from huanjie_lib.vocabulary import SignalStatus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "correction_figure",
    "correction_table",
    "counts_by_kind",
    "counts_figure",
    "flagged_table",
    "funnel_figure",
    "reasons_table",
    "township_table",
]

Floats: TypeAlias = npt.NDArray[np.float64]

PLAIN_CUT = 0.05
"""The customary 5 % cut on single p-values, shown for comparison only."""

SMALLEST_SHOWN = 1e-12
"""Smaller p-values are drawn at this height."""

_FLAGGED, _ORDINARY, _LINE, _SOFT = "#b2182b", "#9db8d2", "#2f5d8a", "#666"
_CRITERION = "误报控制后"


def _tested(signals: Signals) -> list[str]:
    """Return the signals that come with p-values, in the pack's order."""
    return [s for s in signals.labels if signals.nulls[s]]


def flagged_table(
    signals: Signals, units: pd.DataFrame, *, facts: bool = True, most: int | None = None
) -> pd.DataFrame:
    """Return the flagged units with names and reasons, facts first, then the least likely by chance.

    Parameters
    ----------
    signals
        Result of :func:`~huanjie_lib.risk.signals.find_signals`.
    units
        ``unit_code``, ``unit_name`` and ``township_name``.
    facts
        Whether to list the facts of the review ledger too.
    most
        Number of rows at most.
    """
    rows = signals.flagged()
    if not facts:
        rows = rows[rows["p_value"].notna()]
    table = rows.head(len(rows) if most is None else most).merge(units, on="unit_code", how="left")
    return pd.DataFrame(
        {
            "镇街": table["township_name"],
            "村（社区）": table["unit_name"],
            "线索": table["signal"].map(dict(signals.labels)),
            "原因": table["reason"],
            "q值": [_chance_text(q) for q in table["q_value"]],
            "限定范围": np.where(table["restricted"], "是", "否"),
        }
    )


def _chance_text(chance: float) -> str:
    if np.isnan(chance):
        return "事实"
    return "小于0.0001" if chance < 1e-4 else number_text(chance, decimals=4)


def counts_by_kind(signals: Signals) -> pd.DataFrame:
    """Return by signal how many units are flagged, clear and unknown."""
    counts = pd.crosstab(signals.table["signal"], signals.table["status"])
    counts = counts.reindex(index=list(signals.labels), columns=list(SignalStatus.labels()), fill_value=0)
    counts = counts.rename(index=dict(signals.labels), columns=SignalStatus.labels())
    return counts.rename_axis(index="线索", columns=None)


def township_table(signals: Signals, units: pd.DataFrame) -> pd.DataFrame:
    """Return by township the units with statistical leads, with facts to settle and with unknowns.

    Parameters
    ----------
    signals, units
        As in :func:`flagged_table`; ``units`` also needs ``township_code``.

    Returns
    -------
    pandas.DataFrame
        Most units with statistical leads first; equal ones by township code.
    """
    rows = signals.table.merge(units, on="unit_code")
    flagged = rows["status"] == SignalStatus.FLAGGED.value
    fact = rows["signal"].isin([s for s in signals.labels if s not in _tested(signals)])
    marked = pd.DataFrame(
        {
            "township_code": rows["township_code"],
            "镇街": rows["township_name"],
            "unit_code": rows["unit_code"],
            "有异常线索的单位": flagged & ~fact,
            "联审待办的单位": flagged & fact,
            "有待核实项的单位": rows["status"] == SignalStatus.UNKNOWN.value,
        }
    )
    by_unit = marked.groupby(["township_code", "镇街", "unit_code"]).any()
    table = by_unit.groupby(level=["township_code", "镇街"]).sum()
    table.insert(0, "单位数", by_unit.groupby(level=["township_code", "镇街"]).size())
    ordered = table.reset_index().sort_values(
        ["有异常线索的单位", "township_code"], ascending=[False, True], kind="stable"
    )
    return ordered.drop(columns="township_code").reset_index(drop=True)


def reasons_table(signals: Signals, unit_code: str) -> pd.DataFrame:
    """Return what each check says about one unit.

    Raises
    ------
    KeyError
        If there is no such unit.
    """
    mine = signals.table[signals.table["unit_code"] == unit_code]
    if mine.empty:
        raise KeyError(unit_code)
    return pd.DataFrame(
        {
            "线索": mine["signal"].map(dict(signals.labels)),
            "状态": mine["status"].map(SignalStatus.labels()),
            "实有": [number_text(v, decimals=0) for v in mine["observed"]],
            "一般应有": [number_text(v) for v in mine["expected"]],
            "说明": mine["reason"],
        }
    ).reset_index(drop=True)


def correction_table(signals: Signals) -> pd.DataFrame:
    """Return by signal how many units a plain 5 % cut would flag, and how many are flagged."""
    tested = signals.table[signals.table["signal"].isin(_tested(signals))]
    by_signal = tested.groupby("signal")
    table = pd.DataFrame(
        {
            "参与比较的单位": by_signal["p_value"].count(),
            "单看5%会提示": by_signal["p_value"].agg(lambda p: int((p <= PLAIN_CUT).sum())),
            f"{_CRITERION}提示": by_signal["q_value"].agg(lambda q: int((q <= signals.fdr).sum())),
        }
    )
    return table.reindex(_tested(signals)).rename(index=dict(signals.labels)).rename_axis("线索")


def counts_figure(signals: Signals) -> Figure:
    """Return bars of flagged units by signal; facts are hatched."""
    counts = counts_by_kind(signals)[SignalStatus.FLAGGED.label].iloc[::-1]
    tested = np.isin(counts.index, [signals.labels[s] for s in _tested(signals)])
    place = np.arange(len(counts))
    axes = new_axes(height=0.42 * len(counts) + 1.2)
    for mine, label, colour, hatch in (
        (tested, "统计线索", _FLAGGED, ""),
        (~tested, "联审事实", _ORDINARY, "//"),
    ):
        bars = axes.barh(place[mine], counts[mine], color=colour, hatch=hatch, edgecolor=_SOFT, label=label)
        axes.bar_label(bars, padding=3)
    axes.set_yticks(place, counts.index)
    axes.set(xlabel="村（社区）数", title=f"各类线索涉及的村（社区）（截至 {signals.as_of}）")
    axes.legend(frameon=False, loc="lower right")
    return whole_figure(axes)


def funnel_figure(signals: Signals, signal: str) -> Figure:
    """Return observed over expected against the expected count, with upper control limits.

    The limits are those of a unit with the middle share or spread: the least count whose p-value is at most
    5 % (dashed), or at most the largest p-value flagged (solid; the level over the number of units where none
    is). Each unit is judged by its own p-value, which the limits only illustrate. After Spiegelhalter (2005),
    Statistics in Medicine 24(8):1185-1202.

    Raises
    ------
    KeyError
        If there is no such signal, or it is one of facts, which have no expectation.
    """
    if signal not in _tested(signals):
        raise KeyError(signal)
    rows = signals.table[(signals.table["signal"] == signal) & signals.table["p_value"].notna()]
    flagged = rows["status"] == SignalStatus.FLAGGED.value
    ratio = rows["observed"] / rows["expected"]
    axes = new_axes(height=5)
    for mine, label, colour, marker, size in (
        (~flagged, "未见异常", _ORDINARY, "o", 8),
        (flagged, "有线索", _FLAGGED, "^", 30),
    ):
        axes.scatter(
            rows["expected"][mine],
            ratio[mine],
            s=size,
            color=colour,
            marker=marker,
            label=f"{label}（{mine.sum()}）",
        )
    cut = float(rows["p_value"][flagged].max()) if flagged.any() else signals.fdr / len(rows)
    _limits(axes, signals, signal, rows, cut)
    axes.axhline(1.0, color=_SOFT, linewidth=0.8)
    axes.set_xscale("log")
    axes.set(
        xlabel="一般应有的数量（对数刻度）",
        ylabel="实有数量是一般的几倍",
        title=f"{signals.labels[signal]}：漏斗图（界线按一般单位画出，各单位以自己的p值为准）",
    )
    axes.legend(frameon=False, loc="upper right")
    return whole_figure(axes)


def _limits(axes: Axes, signals: Signals, signal: str, rows: pd.DataFrame, cut: float) -> None:
    """Draw the upper limits at 5 % and at ``cut`` over the range of expected counts."""
    low, high = rows["expected"].min(), rows["expected"].max()
    expected = np.geomspace(max(float(low), 1e-3), float(high), 60)
    null = next(iter(signals.nulls[signal].values()))
    size = np.ceil(expected / float((rows["expected"] / rows["base"]).median()))

    def tail(count: Floats) -> Floats:
        if isinstance(null, GammaPoisson):
            return gamma_poisson_tail(count, expected, null.shape)
        drawn = np.minimum(count, size).astype(np.int64)
        return beta_binomial_tail(drawn, size.astype(np.int64), expected / size, null.precision)

    for level, style, label in ((PLAIN_CUT, "--", "单看5%的界线"), (cut, "-", f"{_CRITERION}的界线")):
        limit = _least(tail, level, len(expected))
        axes.plot(expected, limit / expected, color=_LINE, linewidth=1, linestyle=style, label=label)


def _least(tail: Callable[[Floats], Floats], level: float, size: int) -> Floats:
    """Return the least whole counts whose tail is at most a level; NaN where none below 2^24 is."""
    low, high = np.zeros(size), np.full(size, float(1 << 24))
    reached = tail(high) <= level
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        enough = tail(middle) <= level
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reached, high, np.nan)


def correction_figure(signals: Signals, signal: str) -> Figure:
    """Return the smallest p-values in order, against the plain 5 % cut and the Benjamini–Hochberg line.

    Raises
    ------
    KeyError
        If there is no such signal, or it is one of facts, which have no p-values.
    """
    if signal not in _tested(signals):
        raise KeyError(signal)
    rows = signals.table[(signals.table["signal"] == signal) & signals.table["p_value"].notna()]
    ordered = rows.sort_values(["p_value", "unit_code"], kind="stable")
    flagged = (ordered["status"] == SignalStatus.FLAGGED.value).to_numpy()
    below = int((ordered["p_value"] <= PLAIN_CUT).sum())
    shown = min(len(ordered), max(20, below + 10, 2 * int(flagged.sum())))
    rank = np.arange(1, shown + 1)
    p_value = np.maximum(ordered["p_value"].to_numpy()[:shown], SMALLEST_SHOWN)
    axes = new_axes(height=5)
    for mine, label, colour, marker in (
        (~flagged[:shown], "不提示", _ORDINARY, "o"),
        (flagged[:shown], "提示", _FLAGGED, "^"),
    ):
        axes.scatter(rank[mine], p_value[mine], s=22, color=colour, marker=marker, label=label)
    axes.axhline(PLAIN_CUT, color=_SOFT, linestyle="--", linewidth=1, label=f"单看5%（{below}个在线下）")
    axes.plot(
        rank, signals.fdr * rank / len(rows), color=_LINE, linewidth=1,
        label=f"误报控制线（{int(flagged.sum())}个提示）",
    )  # fmt: skip
    axes.set_yscale("log")
    axes.set(
        xlabel="按p值从小到大的位次",
        ylabel="p值（对数刻度）",
        title=f"{signals.labels[signal]}：误报控制改变了什么",
    )
    axes.legend(frameon=False, loc="lower right")
    return whole_figure(axes)
