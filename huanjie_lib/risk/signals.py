"""Anomaly signals: which units differ from what is ordinary by more than chance, across the whole city.

Each check of counts gives every unit a p-value under its declared null model
(:mod:`~huanjie_lib.risk.signal_checks`, :mod:`~huanjie_lib.risk.signal_nulls`). Across the units, kind by
kind, those are turned into q-values after Benjamini & Hochberg (1995, JRSS-B 57(1):289-300), and a unit is
flagged where ``q ≤ fdr``: of the flags of a kind no more than that share is expected to be false, and where
nothing is wrong anywhere, the chance of even one flag is at most ``fdr``.

That holds for independent p-values and for positively dependent ones (Benjamini & Yekutieli 2001, Annals of
Statistics 29(4):1165-1188), such as those of neighbours with like troubles, and counts make it conservative,
since their p-values are larger than uniform ones. It holds for the null model: what is flagged is unlike the
rest of the city, which is not the same as wrong. Facts of the review ledger are certain and have no p-value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from huanjie_lib.parameters import ParameterSet, Signal
from huanjie_lib.risk.indicators import Moment
from huanjie_lib.risk.prepared import Bools, Floats, Prepared
from huanjie_lib.risk.signal_checks import FACTS, NOT_A_VERDICT, TESTS, Finding, Null
from huanjie_lib.vocabulary import SignalStatus

__all__ = ["COLUMNS", "Signals", "adjust", "find_signals"]

COLUMNS = (
    "unit_code",
    "signal",
    "status",
    "observed",
    "expected",
    "base",
    "effect",
    "p_value",
    "q_value",
    "reason",
    "restricted",
)
"""Columns of :attr:`Signals.table`."""

NOTHING_UNUSUAL = "没有达到提示标准；没有线索不等于没有问题"
NOTHING_ON_FILE = "台账中没有这种情况"


@dataclass(frozen=True)
class Signals:
    """What every anomaly check says about every unit in force.

    Parameters
    ----------
    table
        One row per unit and signal, by unit code, then in the pack's order: :data:`COLUMNS`. ``status`` is a
        value of :class:`~huanjie_lib.vocabulary.SignalStatus`; figures are NaN where unknown, and p and q for
        facts too. ``reason`` says in Chinese why a unit is flagged or unknown.
    nulls
        Null models fitted, by signal and by what they describe.
    fdr
        Level of false discoveries; NaN where the pack declares no signals.
    labels
        Label of each signal, in the pack's order.
    as_of
        Date the data describe.
    version
        Version of the parameters.
    """

    table: pd.DataFrame
    nulls: Mapping[str, Mapping[str, Null]]
    fdr: float
    labels: Mapping[str, str]
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return units, units flagged, date, FDR level and parameter version."""
        return (
            f"Signals(units={self.table['unit_code'].nunique()}, "
            f"flagged={self.flagged()['unit_code'].nunique()}, as_of={self.as_of}, fdr={self.fdr:g}, "
            f"parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table."""
        return self.table.copy()

    def flagged(self, signal: str | None = None) -> pd.DataFrame:
        """Return the flagged rows of one signal or of all, facts first, then the least likely by chance.

        Raises
        ------
        KeyError
            If there is no such signal.
        """
        rows = self.table[self.table["status"] == SignalStatus.FLAGGED.value]
        if signal is not None:
            if signal not in self.labels:
                raise KeyError(signal)
            rows = rows[rows["signal"] == signal]
        ordered = rows.sort_values(["q_value", "unit_code"], na_position="first", kind="stable")
        return ordered.reset_index(drop=True)

    def explain(self, unit_code: str) -> str:
        """Return in Chinese what was found about a unit, what is unknown, and what that means.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        mine = self.table[self.table["unit_code"] == unit_code]
        if mine.empty:
            raise KeyError(unit_code)
        labels = mine["signal"].map(dict(self.labels))
        found = (mine["status"] == SignalStatus.FLAGGED.value).to_numpy()
        unknown = (mine["status"] == SignalStatus.UNKNOWN.value).to_numpy()
        parts = [f"{unit_code}有{found.sum()}条线索" if found.any() else f"{unit_code}没有发现线索"]
        for label, reason in zip(labels[found], mine["reason"][found], strict=True):
            parts.append(f"{label}：{reason.removesuffix(NOT_A_VERDICT).rstrip('。')}")
        if unknown.all():
            parts = [f"{unit_code}缺少数据，无法判断有没有异常线索"]
        elif unknown.any():
            parts.append(f"{'、'.join(labels[unknown])}因数据不全待核实，不能当作没有问题")
        parts.append("线索不是结论，请核查后再作判断" if found.any() else "没有线索不等于没有问题")
        return "。".join(parts) + "。"


def adjust(p_values: Floats) -> Floats:
    """Return Benjamini–Hochberg q-values of the known p-values; NaN stays NaN.

    Examples
    --------
    >>> adjust(np.array([0.01, np.nan, 0.04, 0.03])).round(6).tolist()
    [0.03, nan, 0.04, 0.04]
    """
    known = ~np.isnan(p_values)
    q_values = np.full(len(p_values), np.nan)
    if known.any():
        q_values[known] = stats.false_discovery_control(p_values[known], method="bh")
    return q_values


def find_signals(prepared: Prepared, parameters: ParameterSet, as_of: dt.date) -> Signals:
    """Run every anomaly check of the pack over the units in force on a date.

    Parameters
    ----------
    prepared
        Tables; one that was not supplied leaves its checks unknown. Nothing dated after ``as_of`` is used.
    parameters
        Their ``signals`` pack says which checks are made, and with what thresholds; without one the result
        is empty.
    as_of
        The date.

    Raises
    ------
    ParameterError
        If a rule that a check refers to is not in force on the date.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> signals = find_signals(prepare({"units": units}), load_parameters(), dt.date(2026, 10, 31))
    >>> signals.table["status"].unique().tolist()
    ['unknown']
    >>> signals.table["reason"].iloc[0]
    '没有选民登记核对数据，无法判断'
    """
    at = Moment(prepared, parameters, as_of)
    units = np.flatnonzero(prepared.in_force(at.day)).astype(np.int64)
    codes = prepared.units["unit_code"].astype("str").to_numpy(dtype=object)[units]
    pack = parameters.signals
    frames, nulls = [], {}
    for order, signal in enumerate(pack.signals if pack is not None else ()):
        options = parameters.options(signal.options, as_of)
        if signal.check in FACTS:
            finding = FACTS[signal.check](at, units, options)
            q_values = np.full(len(units), np.nan)
            flagged = finding.observed > 0
        else:
            assert pack is not None  # there is a signal, so there is a pack
            finding = TESTS[signal.check](at, units, options, pack.min_units)
            q_values = adjust(finding.p_value)
            flagged = q_values <= pack.fdr
        frames.append(_rows(codes, signal, order, finding, q_values, np.asarray(flagged)))
        nulls[signal.id] = finding.nulls
    return Signals(
        table=_table(frames),
        nulls=nulls,
        fdr=pack.fdr if pack is not None else np.nan,
        labels={s.id: s.label for s in pack.signals} if pack is not None else {},
        as_of=as_of,
        version=parameters.version,
    )


def _rows(
    codes: np.ndarray, signal: Signal, order: int, finding: Finding, q_values: Floats, flagged: Bools
) -> pd.DataFrame:
    unknown = np.array([bool(why) for why in finding.lacking])
    status = np.select(
        [unknown, flagged], [SignalStatus.UNKNOWN.value, SignalStatus.FLAGGED.value], SignalStatus.CLEAR.value
    )
    clear = NOTHING_UNUSUAL if finding.nulls else NOTHING_ON_FILE
    reason = [
        why or (finding.sentence(unit) if flagged[unit] else clear)
        for unit, why in enumerate(finding.lacking)
    ]
    return pd.DataFrame(
        {
            "unit_code": codes,
            "signal": signal.id,
            "status": status,
            "observed": finding.observed,
            "expected": finding.expected,
            "base": finding.base,
            "effect": finding.effect,
            "p_value": finding.p_value,
            "q_value": q_values,
            "reason": reason,
            "restricted": signal.restricted,
            "_order": order,
        }
    )


def _table(frames: list[pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        texts = {"unit_code", "signal", "status", "reason"}
        return pd.DataFrame({c: pd.Series(dtype="str" if c in texts else "float64") for c in COLUMNS})
    whole = pd.concat(frames, ignore_index=True).sort_values(["unit_code", "_order"], ignore_index=True)
    return whole[list(COLUMNS)].astype(dict.fromkeys(("unit_code", "signal", "status", "reason"), "str"))
