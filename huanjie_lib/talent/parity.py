"""Whether advice reaches groups alike: impact ratios, and the composition of ranked lists.

Nothing here changes an advice; it is measured after the fact, by attributes that no score reads.

* Impact ratio: the rate at which a group is chosen over that of the group chosen most often. The four-fifths
  rule (US Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D) flags a ratio below 4/5; it
  is compared in whole numbers, so that exactly 4/5 is not flagged. Interval of the ratio: Katz et al. 1978,
  Biometrics 34:469-474, by SciPy.
* Ranked lists: FA*IR's test (Zehlike et al. 2017, CIKM 1569-1578): among the first i places a group with
  share p should hold at least the α-quantile of Binomial(i, p), for every i, with α adjusted so that a list
  drawn at random fails with probability α as a whole. Skew, NDKL and infeasible index: Geyik, Ambler &
  Kenthapadi 2019, KDD 2221-2231.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # its parts load when they are used: a screen shows what others have computed

from huanjie_lib import contracts

__all__ = [
    "Impact",
    "RankedLists",
    "adjusted_minimums",
    "audit_lists",
    "fail_probability",
    "fair_minimums",
    "impact_ratios",
    "infeasible_index",
    "label_of",
    "ndkl",
    "parity_gaps",
    "skew",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

LEAST: Final = 5
"""Groups of fewer people are counted and not compared."""


def label_of(attribute: str, value: object = None) -> str:
    """Return what a protected attribute, or one of its values, is called in Chinese.

    Examples
    --------
    >>> label_of("sex"), label_of("sex", "2"), label_of("is_minority", "False"), label_of("age", "35岁以下")
    ('性别', '女', '非少数民族', '35岁以下')
    """
    column = next(
        (
            c
            for t in ("people_protected", "people")
            for c in contracts.table(t).columns
            if c.name == attribute
        ),
        None,
    )
    if value is None:
        return attribute if column is None else column.label
    if column is not None and column.words is not None:
        return column.words.lookup()[str(value)].label
    if column is not None and column.kind == "boolean":
        return f"{'' if str(value) == 'True' else '非'}{column.label}"
    return str(value)


@dataclass(frozen=True)
class Impact:
    """How often each group is chosen.

    Parameters
    ----------
    groups
        A row an attribute and value: ``total``, ``chosen``, ``rate``, ``ratio`` to the group of the highest
        rate with ``low`` and ``high`` (missing where they cannot be computed), ``flagged`` (below four
        fifths). Groups of fewer than ``least`` people have no ratio.
    unknown
        People without a value, by attribute; they are in no group.
    confidence
        Of the intervals.
    least
        Size from which groups are compared.
    """

    groups: pd.DataFrame
    unknown: Mapping[str, int]
    confidence: float
    least: int

    def __repr__(self) -> str:
        """Return numbers of attributes, groups and flags."""
        attributes, flagged = self.groups["attribute"].nunique(), int(self.groups["flagged"].sum())
        return f"Impact(attributes={attributes}, groups={len(self.groups)}, flagged={flagged})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the groups."""
        return self.groups.copy()

    def explain(self, attribute: str) -> str:
        """Return in Chinese how the groups of an attribute fare.

        Raises
        ------
        KeyError
            If the attribute was not looked at.
        """
        rows = self.groups[self.groups["attribute"] == attribute]
        if rows.empty:
            raise KeyError(attribute)
        parts = [
            f"{label_of(attribute, row['value'])}{row['total']}人中入选{row['chosen']}人"
            for row in rows.to_dict("records")
        ]
        text = f"{label_of(attribute)}：{'，'.join(parts)}"
        compared = rows[rows["ratio"].notna()]
        if len(compared) < 2:
            text += "；人数太少，不能比较"
        for row in compared[compared["flagged"]].to_dict("records"):
            ratio = math.floor(1000 * row["ratio"]) / 1000  # never rounded up to 80 %
            text += f"；{label_of(attribute, row['value'])}的入选率只有最高一组的{ratio:.1%}，不足五分之四"
            if not math.isnan(row["low"] + row["high"]):
                text += f"（可信范围{row['low']:.0%}至{row['high']:.0%}）"
            text += "，请查明原因"
        if len(compared) >= 2 and not compared["flagged"].any():
            text += "；各组入选率都不低于最高一组的五分之四"
        if self.unknown[attribute]:
            text += f"；{self.unknown[attribute]}人没有填报"
        return text + "。"


def impact_ratios(
    chosen: pd.Series[bool], protected: pd.DataFrame, *, confidence: float = 0.95, least: int = LEAST
) -> Impact:
    """Return how often each group is chosen, against the group chosen most often.

    Parameters
    ----------
    chosen
        Whether each person was chosen, by ``person_ref``: the whole pool from which was chosen.
    protected
        Protected attributes by ``person_ref``; people of the pool without a row or value are unknown.
    confidence, least
        Of the intervals; size from which groups are compared.

    Raises
    ------
    ValueError
        If a person stands twice in either, or ``chosen`` has a gap.

    Examples
    --------
    >>> chosen = pd.Series([True] * 48 + [False] * 72 + [True] * 20 + [False] * 60)
    >>> impact = impact_ratios(chosen, pd.DataFrame({"group": ["a"] * 120 + ["b"] * 80}))
    >>> impact.groups[["value", "rate", "ratio", "flagged"]].values.tolist()
    [['a', 0.4, 1.0, False], ['b', 0.25, 0.625, True]]
    >>> impact.explain("group")
    'group：a120人中入选48人，b80人中入选20人；b的入选率只有最高一组的62.5%，不足五分之四（可信范围40%至97%），请查明原因。'
    """
    if chosen.index.has_duplicates or protected.index.has_duplicates:
        raise ValueError("each person must stand once in chosen and in protected")
    if chosen.isna().any():
        raise ValueError("chosen must be known of everyone")
    known = protected.reindex(chosen.index)
    taken = chosen.astype(bool)
    rows: list[dict[str, Any]] = []
    for attribute in map(str, known.columns):
        values = known[attribute]
        total = taken.groupby(values, sort=True).size()
        hits = taken.groupby(values, sort=True).sum()
        rows += _ratios(attribute, [*total.index], [*map(int, total)], [*map(int, hits)], confidence, least)
    columns = ["attribute", "value", "total", "chosen", "rate", "ratio", "low", "high", "flagged"]
    unknown = {str(name): int(gaps) for name, gaps in known.isna().sum().items()}
    return Impact(pd.DataFrame(rows, columns=columns), unknown, confidence, least)


def _ratios(
    attribute: str,
    values: Sequence[object],
    total: Sequence[int],
    hits: Sequence[int],
    confidence: float,
    least: int,
) -> list[dict[str, Any]]:
    compared = [k for k, n in enumerate(total) if n >= least]
    best = max(compared, key=lambda k: (hits[k] / total[k], total[k]), default=None)
    rows = []
    for k, (value, n, h) in enumerate(zip(values, total, hits, strict=True)):
        row = {"attribute": attribute, "value": value, "total": n, "chosen": h, "rate": h / n}
        row |= {"ratio": math.nan, "low": math.nan, "high": math.nan, "flagged": False}
        if best is not None and k in compared and hits[best]:
            row["ratio"] = 1.0 if k == best else h * total[best] / (n * hits[best])
            row["flagged"] = 5 * h * total[best] < 4 * hits[best] * n
            if k != best:
                found = scipy.stats.contingency.relative_risk(h, n, hits[best], total[best])
                row["low"], row["high"] = map(float, found.confidence_interval(confidence))
        rows.append(row)
    return rows


def parity_gaps(
    chosen: npt.ArrayLike, groups: npt.ArrayLike, outcome: npt.ArrayLike | None = None
) -> dict[str, float]:
    """Return the widest gaps between groups, by the names and definitions of fairlearn.

    Parameters
    ----------
    chosen
        Whether each was chosen.
    groups
        Group of each.
    outcome
        What was decided or turned out in the end, 0 or 1 (the named person's decision on each advice);
        without it only rates of choice are compared.

    Returns
    -------
    dict
        ``demographic_parity_difference`` and ``demographic_parity_ratio``; with an outcome also
        ``equal_opportunity_difference`` (of the rates among those of outcome 1) and
        ``equalized_odds_difference`` (the wider of that and of the rates among those of outcome 0). NaN where
        a group has none of an outcome, or nobody is chosen.

    Examples
    --------
    >>> parity_gaps([1, 0, 1, 1], ["a", "a", "b", "b"])
    {'demographic_parity_difference': 0.5, 'demographic_parity_ratio': 0.5}
    """
    taken = pd.Series(np.asarray(chosen, dtype=np.float64))
    member = np.asarray(groups, dtype=object)
    rates = taken.groupby(member).mean()
    gaps = {
        "demographic_parity_difference": float(rates.max() - rates.min()),
        "demographic_parity_ratio": float(rates.min() / rates.max()) if rates.max() > 0 else math.nan,
    }
    if outcome is not None:
        by_outcome = taken.groupby([np.asarray(outcome, dtype=np.int64), member]).mean().unstack()
        wide = by_outcome.max(axis=1, skipna=False) - by_outcome.min(axis=1, skipna=False)
        wide = wide.reindex([0, 1])
        gaps["equal_opportunity_difference"] = float(wide[1])
        gaps["equalized_odds_difference"] = float(np.max(wide.to_numpy()))
    return gaps


def fair_minimums(k: int, share: float, alpha: float) -> Ints:
    """Return how many of a group must stand among the first 1, …, k places.

    The alpha-quantile of Binomial(i, share) for the first i.

    Raises
    ------
    ValueError
        If ``k`` is below 1, or ``share`` or ``alpha`` is not between 0 and 1.

    Examples
    --------
    >>> fair_minimums(10, 0.2, 0.15).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    """
    if k < 1 or not 0.0 < share < 1.0 or not 0.0 < alpha < 1.0:
        raise ValueError(f"k must be at least 1, share and alpha between 0 and 1: {k}, {share}, {alpha}")
    return np.asarray(scipy.stats.binom.ppf(alpha, np.arange(1, k + 1), share), dtype=np.int64)


def fail_probability(minimums: npt.ArrayLike, share: float) -> float:
    """Return the chance that a random list misses a minimum.

    Each place falls to the group with probability ``share``. Exact, by the distribution of the number in the
    first i places of lists that have missed none so far.

    Examples
    --------
    >>> round(fail_probability([0, 1], 0.5), 3), round(fail_probability([0, 1, 2], 0.5), 3)
    (0.25, 0.5)
    """
    least = np.asarray(minimums, dtype=np.int64)
    alive = np.zeros(len(least) + 1)
    alive[0] = 1.0
    for minimum in least:
        alive[1:] = alive[1:] * (1.0 - share) + alive[:-1] * share
        alive[0] *= 1.0 - share
        alive[:minimum] = 0.0
    return float(1.0 - alive.sum())


def adjusted_minimums(k: int, share: float, alpha: float) -> Ints:
    """Return the minimums of that α' ≤ α at which a random list fails with a chance nearest to α.

    Testing every prefix at α fails more lists than α. Tables change at finitely many α' only, and the chance
    grows with them: the nearest is found by bisection; of two as near, the one that fails fewer.

    Examples
    --------
    >>> table = adjusted_minimums(20, 0.25, 0.1)
    >>> table.tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    >>> round(fail_probability(table, 0.25), 4)
    0.1052
    >>> round(fail_probability(fair_minimums(20, 0.25, 0.1), 0.25), 4)
    0.1469
    """
    whole = fair_minimums(k, share, alpha)
    places = np.arange(1, k + 1)
    counts = np.arange(int(whole.max()) + 1)
    steps = np.unique(scipy.stats.binom.cdf(counts[:, None], places, share))
    steps = np.concatenate([[0.0], steps[steps < alpha], [alpha]])
    levels = (steps[:-1] + steps[1:]) / 2.0

    def chance(at: int) -> float:
        return fail_probability(fair_minimums(k, share, float(levels[at])), share)

    low, high = 0, len(levels) - 1  # the last whose chance is at most alpha, or the first
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if chance(middle) <= alpha else (low, middle - 1)
    above = min(low + 1, len(levels) - 1)
    nearest = low if alpha - chance(low) <= abs(chance(above) - alpha) else above
    return fair_minimums(k, share, float(levels[nearest]))


def _counts(ranking: Sequence[str], target: Mapping[str, float]) -> Ints:
    """Return how many of each group stand among the first i places, shape (places, groups)."""
    if unknown := set(ranking) - set(target):
        raise ValueError(f"the target names no share of {sorted(unknown)}")
    return np.cumsum([[place == group for group in target] for place in ranking], axis=0)


def skew(ranking: Sequence[str], target: Mapping[str, float], *, k: int) -> dict[str, float]:
    """Return ln(share among the first k / target share) of each group; −∞ where none is there.

    Examples
    --------
    >>> skew(["m", "m", "f", "m"], {"m": 0.5, "f": 0.5}, k=2)
    {'m': 0.6931471805599453, 'f': -inf}
    """
    held = _counts(ranking, target)[k - 1] / k
    return {
        group: math.log(part / share) if part else -math.inf
        for (group, share), part in zip(target.items(), held, strict=True)
    }


def ndkl(ranking: Sequence[str], target: Mapping[str, float]) -> float:
    """Return the mean divergence of all prefixes from the target, place i weighing 1/log₂(i + 1); 0 is alike.

    Examples
    --------
    >>> round(ndkl(["m", "f"], {"m": 0.5, "f": 0.5}), 4)
    0.425
    """
    places = np.arange(1, len(ranking) + 1)
    shares = _counts(ranking, target) / places[:, None]
    wanted = np.array(list(target.values()))
    divergence = scipy.stats.entropy(shares.T, np.broadcast_to(wanted[:, None], shares.T.shape))
    discount = 1.0 / np.log2(places + 1.0)
    return float(divergence @ discount / discount.sum())


def infeasible_index(ranking: Sequence[str], target: Mapping[str, float]) -> int:
    """Return at how many prefixes some group holds fewer than ⌊share · i⌋ places.

    Examples
    --------
    >>> infeasible_index(["m", "m", "f", "m"], {"m": 0.5, "f": 0.5})
    2
    """
    counts = _counts(ranking, target)
    wanted = np.array(list(target.values())) * np.arange(1, len(ranking) + 1)[:, None]
    least = np.floor(np.round(wanted, 9))  # 0.29 · 100 is 28.999… in binary, and 29 in the definition
    return int((counts < least).any(axis=1).sum())


@dataclass(frozen=True)
class RankedLists:
    """How ranked lists are made up, against the pool they were drawn from.

    Parameters
    ----------
    groups
        A row an attribute and value: ``share`` in the pool, ``listed`` share of all places, ``lists`` looked
        at, ``failing`` lists that miss a minimum and the share ``expected`` to by chance, ``flagged`` where
        more fail than chance explains.
    alpha
        Declared chance that a random list fails.
    """

    groups: pd.DataFrame
    alpha: float

    def __repr__(self) -> str:
        """Return numbers of groups and flags."""
        return f"RankedLists(groups={len(self.groups)}, flagged={int(self.groups['flagged'].sum())})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the groups."""
        return self.groups.copy()

    def explain(self, attribute: str) -> str:
        """Return in Chinese how the groups of an attribute stand on the lists.

        Raises
        ------
        KeyError
            If the attribute was not looked at.
        """
        rows = self.groups[self.groups["attribute"] == attribute]
        if rows.empty:
            raise KeyError(attribute)
        parts = []
        for row in rows.to_dict("records"):
            part = (
                f"{label_of(attribute, row['value'])}占人才库{row['share']:.0%}、占名单{row['listed']:.0%}，"
                f"{row['lists']}份名单中{row['failing']}份明显偏少"
            )
            part += f"（随机约{row['expected']:.0%}）" + ("，请查明原因" if row["flagged"] else "")
            parts.append(part)
        return f"{label_of(attribute)}：{'；'.join(parts)}。"


def audit_lists(
    lists: pd.DataFrame, protected: pd.DataFrame, pool: Sequence[str], *, alpha: float = 0.1
) -> RankedLists:
    """Test ranked lists for the share of each group by FA*IR.

    Parameters
    ----------
    lists
        ``unit_code``, ``post``, ``rank`` (from 1) and ``person_ref``; lists of any length.
    protected
        Protected attributes by ``person_ref``; whoever has no value counts to no group.
    pool
        Whoever could have been listed: gives each group's share.
    alpha
        Chance that a list drawn at random fails.

    Returns
    -------
    RankedLists
        Flagged where so many failing lists have, drawn at random, a chance below 1 %. Lists that hold the
        same people are not independent: a flag asks for a look, it proves nothing.

    Examples
    --------
    >>> people = [f"P{k}" for k in range(60)]
    >>> lists = pd.DataFrame({"unit_code": "v", "post": np.repeat(["a", "b", "c"], 10),
    ...                       "rank": np.tile(np.arange(1, 11), 3), "person_ref": people[:30]})
    >>> sex = pd.DataFrame({"sex": ["1"] * 30 + ["2"] * 30}, index=people)
    >>> for part in audit_lists(lists, sex, people).explain("sex").split("；"):
    ...     print(part)
    性别：男占人才库50%、占名单100%，3份名单中0份明显偏少（随机约11%）
    女占人才库50%、占名单0%，3份名单中3份明显偏少（随机约11%），请查明原因。
    """
    ordered = lists.sort_values(["unit_code", "post", "rank"])
    keys = ordered.groupby(["unit_code", "post"], sort=True)
    number, place = keys.ngroup().to_numpy(), keys.cumcount().to_numpy()
    length = np.bincount(number)
    rows: list[dict[str, Any]] = []
    for attribute in map(str, protected.columns):
        known = protected[attribute].reindex(pd.Index(pool)).dropna()
        listed = protected[attribute].reindex(ordered["person_ref"])
        for value, share in known.value_counts(normalize=True, sort=False).sort_index().items():
            if not 0.0 < share < 1.0:
                continue
            member = (listed == value).fillna(value=False).to_numpy(dtype=bool)
            held = np.zeros((len(length), int(length.max())), dtype=np.int64)
            held[number, place] = member
            held = held.cumsum(axis=1)
            failing, chances = 0, np.zeros(len(length))
            for size in np.unique(length):
                minimums = adjusted_minimums(int(size), float(share), alpha)
                same = length == size
                failing += int((held[same, :size] < minimums).any(axis=1).sum())
                chances[same] = fail_probability(minimums, float(share))
            expected = float(chances.mean())
            surprise = scipy.stats.binom.sf(failing - 1, len(length), expected)
            rows.append(
                {
                    "attribute": attribute,
                    "value": value,
                    "share": float(share),
                    "listed": float(member.mean()),
                    "lists": len(length),
                    "failing": failing,
                    "expected": expected,
                    "flagged": bool(surprise < 0.01),
                }
            )
    columns = ["attribute", "value", "share", "listed", "lists", "failing", "expected", "flagged"]
    return RankedLists(pd.DataFrame(rows, columns=columns), alpha)
