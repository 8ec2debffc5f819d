"""Whether rectified units improved more than similar ones between two runs.

Each unit with a case closed between the runs is compared with the units nearest to it in the first run's
index, of the same kind and colour, that had none closed. For unit *i* with change Δᵢ and its K nearest c
within the caliper, with x the first index,

    dᵢ = Δᵢ − (1/K) Σ_c [Δ_c + b (xᵢ − x_c)],        effect = mean of dᵢ over the units matched

where *b*, the slope of the change on the first index among all units without a closed case (with a level for
each kind and colour), takes out what distance is left (Abadie & Imbens 2011, J. Bus. Econ. Stat. 29(1):1-11).
Low indices tend to rise by themselves; as both sides start alike, that falls out. After values take no part
in the choice of pairs, apart from whether there is one.

The interval is a bootstrap of whole townships. Redrawing units and matching anew is not valid for matching
(Abadie & Imbens 2008, Econometrica 76(6):1537-1557); what is redrawn are the terms of the estimate as
matched, a unit's residual times its weight (Otsu & Rai 2017, J. Am. Stat. Assoc. 112(520):1720-1732), summed
by township.

This is a comparison, no proof of a cause: which cases get closed is not drawn by lot.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.vocabulary import Word, date_text

__all__ = [
    "LEAST_TOWNSHIPS",
    "LEAST_UNITS",
    "Match",
    "RectificationEffect",
    "Verdict",
    "rectification_effect",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

LEAST_UNITS: Final = 20
"""With fewer matched units nothing is concluded."""
LEAST_TOWNSHIPS: Final = 10
"""With units from fewer townships the interval cannot be trusted and nothing is concluded."""

CONFIDENCE: Final = 0.95


class Match(Word):
    """Whether a rectified unit could be compared."""

    MATCHED = "matched", "已配对"
    ALONE = "alone", "没有相近的村（社区）"
    NO_DATA = "no_data", "缺少前后指数"


class Verdict(Word):
    """What the comparison allows to be said."""

    MORE = "more", "比同期相近村多升"
    LESS = "less", "比同期相近村少升"
    UNSURE = "unsure", "说不准"
    TOO_FEW = "too_few", "数量太少，说不准"


@dataclass(frozen=True)
class RectificationEffect:
    """How much more rectified units improved than similar ones.

    Parameters
    ----------
    units
        By unit code, the rectified units: unit_kind, level, before, after, change, controls (number of units
        compared with), control_change (theirs, adjusted), difference, status (:class:`Match`). Missing where
        there is no comparison.
    effect, low, high
        Mean difference in index points and its 95 % interval; NaN where no unit is matched.
    plain
        Mean change of the rectified less that of all others, unmatched: what a naive comparison would say.
    gap
        Mean of xᵢ less its controls' x, in index points: how alike the two sides start.
    controls, townships
        Distinct units compared with; townships with a term in the estimate.
    caliper, neighbours, draws
        As asked.
    before_as_of, after_as_of
        Dates of the two runs, where given.
    version
        Version of the parameters, or empty.
    """

    units: pd.DataFrame
    effect: float
    low: float
    high: float
    plain: float
    gap: float
    controls: int
    townships: int
    caliper: float
    neighbours: int
    draws: int
    before_as_of: dt.date | None = None
    after_as_of: dt.date | None = None
    version: str = ""

    @property
    def matched(self) -> int:
        """Number of rectified units that could be compared."""
        return int((self.units["status"] == Match.MATCHED.value).sum())

    @property
    def verdict(self) -> Verdict:
        """What may be said; nothing where units or townships are few, or the interval holds zero."""
        if self.matched < LEAST_UNITS or self.townships < LEAST_TOWNSHIPS:
            return Verdict.TOO_FEW
        if self.low > 0:
            return Verdict.MORE
        return Verdict.LESS if self.high < 0 else Verdict.UNSURE

    def __repr__(self) -> str:
        """Return numbers of rectified and matched units, effect and interval; dates and version."""
        when = f", as_of={self.after_as_of}" if self.after_as_of else ""
        version = f", parameters={self.version!r}" if self.version else ""
        return (
            f"RectificationEffect(units={len(self.units)}, matched={self.matched}, "
            f"effect={self.effect:.2f} [{self.low:.2f}, {self.high:.2f}], verdict={self.verdict.value!r}"
            f"{when}{version})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by rectified unit."""
        return self.units.copy()

    def summary(self) -> str:
        """Return in Chinese what the comparison says and what it cannot say."""
        counts = self.units["status"].value_counts()
        total, matched = len(self.units), self.matched
        span = ""
        if self.before_as_of and self.after_as_of:
            span = f"{date_text(self.before_as_of)}至{date_text(self.after_as_of)}，"
        if not total:
            return f"{span}没有村（社区）的案件销号，无法比较。"
        text = f"{span}有案件销号的村（社区）{total}个，"
        if not matched:
            return text + "没有一个能找到可比的相近村，无法比较。"
        rule = f"同类别、同等级、原选情指数相差不超过{self.caliper:g}分"
        text += f"其中{matched}个找到可比的相近村（{rule}，共{self.controls}个）"
        left = [
            f"{counts[status.value]}个{status.label}"
            for status in (Match.ALONE, Match.NO_DATA)
            if status.value in counts
        ]
        text += f"，另有{'、'.join(left)}，没有计入。" if left else "。"
        interval = f"95%区间{_signed(self.low)}到{_signed(self.high)}分"
        verdict = self.verdict
        if verdict is Verdict.TOO_FEW:
            return text + (
                f"可比的村（社区）不足{LEAST_UNITS}个或不足{LEAST_TOWNSHIPS}个镇街，数量太少，"
                "还不能判断整改的村是否升得更多。"
            )
        if verdict is Verdict.UNSURE:
            text += f"与同期相近村相比平均相差{_signed(self.effect)}分（{interval}），"
            text += "区间包含零，还不能判断哪边升得更多"
        else:
            more = "多升" if verdict is Verdict.MORE else "少升"
            text += f"平均比同期相近村{more}{abs(self.effect):.1f}分（{interval}）"
        text += (
            f"；不能排除其他原因。低分村本来容易回升，所以只同起点相近的村比；"
            f"不配对直接相比是{_signed(self.plain)}分，不足为凭。"
        )
        return text

    def explain(self, unit_code: str) -> str:
        """Return in Chinese how one rectified unit moved beside those it is compared with.

        Raises
        ------
        KeyError
            If the unit is not among the rectified.
        """
        row: dict[str, Any] = dict(self.units.loc[unit_code])
        status = Match.lookup()[row["status"]]
        if status is Match.NO_DATA:
            return f"{unit_code}有案件销号，但{status.label}，无法比较。"
        path = f"选情指数由{row['before']:.1f}分到{row['after']:.1f}分，{_moved(row['change'])}"
        text = f"{unit_code}有案件销号，{path}"
        if status is Match.ALONE:
            return text + f"；{status.label}，无法比较。"
        return text + (
            f"；同期{row['controls']}个相近村平均{_moved(row['control_change'])}，"
            f"相差{_signed(row['difference'])}分。单个村的差别有偶然成分，也不能说明原因。"
        )


def rectification_effect(
    before: pd.DataFrame,
    after: pd.DataFrame,
    treated: Collection[str],
    *,
    seed: int,
    draws: int = 2000,
    caliper: float = 2.0,
    neighbours: int = 3,
    before_as_of: dt.date | None = None,
    after_as_of: dt.date | None = None,
    version: str = "",
) -> RectificationEffect:
    """Compare the change of rectified units with that of similar ones.

    Parameters
    ----------
    before
        First run: unit_code, unit_kind, township_code, index, level; one row a unit. A unit without an index
        is compared with nobody.
    after
        Second run: unit_code, index. Other columns are ignored in both.
    treated
        Codes of units with a case closed after the first run and by the second. Cancelled cases don't count.
    seed, draws
        Seed and number of draws of the bootstrap.
    caliper
        Most that two indices may be apart in the first run.
    neighbours
        Units that each is compared with at most: the nearest in the order of index, then code. One unit may
        stand beside several.
    before_as_of, after_as_of, version
        To be shown with the result.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If a unit stands twice in a run, or an option is out of range.

    Examples
    --------
    >>> codes = [f"u{n:02d}" for n in range(40)]
    >>> before = pd.DataFrame({"unit_code": codes, "unit_kind": "village", "level": "red",
    ...                        "township_code": [f"t{n % 20:02d}" for n in range(40)],
    ...                        "index": [40.0 + 0.1 * (n // 2) for n in range(40)]})
    >>> after = pd.DataFrame({"unit_code": codes, "index": before["index"] + [5.0, 2.0] * 20})
    >>> found = rectification_effect(before, after, codes[::2], seed=1)
    >>> found
    RectificationEffect(units=20, matched=20, effect=3.00 [3.00, 3.00], verdict='more')
    >>> found.explain("u00")
    'u00有案件销号，选情指数由40.0分到45.0分，升5.0分；同期3个相近村平均升2.0分，相差+3.0分。单个村的差别有偶然成分，也不能说明原因。'
    >>> rectification_effect(before, after, codes[:4:2], seed=1).verdict.label
    '数量太少，说不准'
    """
    if draws < 1 or neighbours < 1 or not caliper >= 0:
        raise ValueError(f"out of range: draws={draws}, neighbours={neighbours}, caliper={caliper}")
    frame = _both(before, after)
    frame = _both(before, after)
    codes = pd.Index(sorted(set(treated)), name="unit_code", dtype="str")
    usable = frame.dropna(subset=["before", "after", "unit_kind", "level", "township_code"])
    usable = usable.sort_values("before", kind="stable")  # by index, then code
    mine = usable.index.isin(codes)
    x, change = usable["before"].to_numpy(), (usable["after"] - usable["before"]).to_numpy()
    group = np.asarray(usable.groupby(["unit_kind", "level"]).ngroup(), dtype=np.int64)
    pairs = _pairs(x, group, mine, caliper=caliper, neighbours=neighbours)
    residual = change - _expected(x, change, group, ~mine)
    units = _units(frame, codes, usable.index, pairs, change, residual)
    effect, low, high, townships = _estimate(
        pairs, residual, usable["township_code"].astype("str").to_numpy(), seed=seed, draws=draws
    )
    return RectificationEffect(
        units=units,
        effect=effect,
        low=low,
        high=high,
        plain=_mean(change[mine]) - _mean(change[~mine]),
        gap=_mean(x[pairs.unit] - _by_unit(pairs, x)),
        controls=len(np.unique(pairs.control)),
        townships=townships,
        caliper=caliper,
        neighbours=neighbours,
        draws=draws,
        before_as_of=before_as_of,
        after_as_of=after_as_of,
        version=version,
    )


@dataclass(frozen=True)
class _Pairs:
    """Positions of matched rectified units, ascending; and by pair the place among them and the control."""

    unit: Ints
    place: Ints
    control: Ints

    @property
    def counts(self) -> Ints:
        """Number of controls of each matched unit."""
        return np.bincount(self.place, minlength=len(self.unit))


def _both(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return first and second index with kind, level and township, by unit code in order."""
    for name, frame in (("before", before), ("after", after)):
        if frame["unit_code"].duplicated().any():
            raise ValueError(f"a unit stands twice in {name}")
    first = before[["unit_code", "unit_kind", "township_code", "level", "index"]]
    first = first.set_index(first["unit_code"].astype("str")).drop(columns="unit_code")
    second = after["index"].set_axis(after["unit_code"].astype("str"))
    frame = first.rename(columns={"index": "before"}).assign(after=second)
    return frame.astype({"before": "float64", "after": "float64"}).sort_index(kind="stable")


def _pairs(x: Floats, group: Ints, mine: npt.NDArray[np.bool_], *, caliper: float, neighbours: int) -> _Pairs:
    """Return the nearest controls of each rectified unit in its group; ``x`` ascending."""
    units, controls = [], []
    for one in np.unique(group[mine]):
        wanted, offered = np.flatnonzero(mine & (group == one)), np.flatnonzero(~mine & (group == one))
        if not len(offered):
            continue
        near = np.searchsorted(x[offered], x[wanted])[:, None] + np.arange(-neighbours, neighbours)
        there = (near >= 0) & (near < len(offered))
        near = offered[np.clip(near, 0, len(offered) - 1)]
        distance = np.where(there, np.round(np.abs(x[near] - x[wanted][:, None]), 9), np.inf)
        order = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
        kept = np.take_along_axis(distance, order, axis=1) <= caliper
        units.append(np.repeat(wanted, kept.sum(axis=1)))
        controls.append(np.take_along_axis(near, order, axis=1)[kept])
    unit = np.concatenate(units) if units else np.empty(0, dtype=np.int64)
    control = np.concatenate(controls) if controls else np.empty(0, dtype=np.int64)
    matched, place = np.unique(unit, return_inverse=True)
    return _Pairs(matched, place, control)


def _by_unit(pairs: _Pairs, values: Floats) -> Floats:
    """Return by matched unit the mean of its controls' values."""
    total = np.bincount(pairs.place, weights=values[pairs.control], minlength=len(pairs.unit))
    return np.asarray(total / pairs.counts)


def _expected(x: Floats, change: Floats, group: Ints, control: npt.NDArray[np.bool_]) -> Floats:
    """Return the change expected at an index, by least squares over the controls: a slope, a level a group.

    Where controls don't differ in their index the slope is 0; a group without controls has level 0.
    """
    groups = int(group.max(initial=-1)) + 1
    size = np.maximum(np.bincount(group[control], minlength=groups), 1)

    def centre(values: Floats) -> Floats:
        return np.asarray(np.bincount(group[control], weights=values[control], minlength=groups) / size)

    mean_x, mean_change = centre(x), centre(change)
    apart = x - mean_x[group]
    spread = float((apart[control] ** 2).sum())
    slope = float((apart[control] * change[control]).sum()) / spread if spread > 0 else 0.0
    return np.asarray(mean_change[group] + slope * apart)


def _estimate(
    pairs: _Pairs, residual: Floats, township: npt.NDArray[Any], *, seed: int, draws: int
) -> tuple[float, float, float, int]:
    """Return the effect, its interval, and the number of townships with a term in it."""
    if not len(pairs.unit):
        return np.nan, np.nan, np.nan, 0
    difference = residual[pairs.unit] - _by_unit(pairs, residual)
    effect = float(difference.mean())
    matched = len(pairs.unit)
    shares = 1.0 / (matched * pairs.counts[pairs.place])
    places = np.concatenate((pairs.unit, pairs.control))
    terms = np.concatenate(((residual[pairs.unit] - effect) / matched, -shares * residual[pairs.control]))
    _, cluster = np.unique(township[places], return_inverse=True)
    sums = np.bincount(cluster, weights=terms)
    if len(sums) < 2:
        return effect, np.nan, np.nan, len(sums)
    drawn = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    spread = np.sqrt(len(sums) / (len(sums) - 1))
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(effect + spread * (drawn @ sums), [tail, 1.0 - tail])
    return effect, float(low), float(high), len(sums)


def _units(
    frame: pd.DataFrame,
    codes: pd.Index[str],
    usable: pd.Index[str],
    pairs: _Pairs,
    change: Floats,
    residual: Floats,
) -> pd.DataFrame:
    units = frame.reindex(codes)[["unit_kind", "level", "before", "after"]]
    units["change"] = units["after"] - units["before"]
    matched = usable[pairs.unit]
    difference = residual[pairs.unit] - _by_unit(pairs, residual)
    compared = pd.DataFrame(
        {
            "controls": pairs.counts,
            "control_change": change[pairs.unit] - difference,
            "difference": difference,
        },
        index=matched,
    )
    units = units.join(compared)
    units["controls"] = units["controls"].fillna(0).astype("int64")
    units["status"] = np.select(
        [units.index.isin(matched), units.index.isin(usable)],
        [Match.MATCHED.value, Match.ALONE.value],
        Match.NO_DATA.value,
    )
    return units.astype({"unit_kind": "str", "level": "str", "status": "str"}).rename_axis("unit_code")


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan


def _signed(value: float) -> str:
    """Return points with their sign; what rounds to none has none."""
    text = f"{abs(value):.1f}"
    return text if float(text) == 0 else f"{'+' if value > 0 else '−'}{text}"


def _moved(change: float) -> str:
    if round(abs(change), 1) == 0:
        return "持平"
    return f"{'升' if change > 0 else '降'}{abs(change):.1f}分"
