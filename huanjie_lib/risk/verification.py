"""Did the warnings come true: scores of probabilities and rankings against what happened.

Outcomes are 0 or 1 (1 = the event happened), probabilities lie in [0, 1], and a higher score means more risk.
Accuracy is not here: for a rare event, never warning is the most accurate forecast (Finley 1884, see Murphy
1996, Weather and Forecasting 11:3-20). Rules that hold throughout:

* a missing outcome or score is refused (``ValueError``): the caller leaves such rows out and counts them;
* units with equal scores cannot be told apart, so no order among them is ever used;
* a figure without a meaning (recall without an event) is NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from huanjie_lib.vocabulary import Level

__all__ = [
    "BlockDraws",
    "BrierParts",
    "at_capacity",
    "average_precision",
    "brier_parts",
    "calibration_error",
    "colour_churn",
    "draw_blocks",
    "false_alarms_first",
    "group_recall",
    "interval",
    "largest_misses",
    "lead_time",
    "level_rates",
    "net_benefit",
    "reliability_table",
    "resampled_precision",
    "roc_auc",
    "warning_scores",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

BINS = 10
"""Bins of equal width that reliability, calibration error and Brier parts use unless told otherwise."""

_BLOCK_CELLS = 4_000_000


def _pair(outcome: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Floats, Floats]:
    y, s = np.asarray(outcome, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or not len(y):
        raise ValueError(f"outcome and score need one value per unit: {y.shape} and {s.shape}")
    if not np.isin(y, (0.0, 1.0)).all() or not np.isfinite(s).all():
        raise ValueError("outcomes are 0 or 1 and scores are finite; leave out and count what is missing")
    return y, s


def _chances(outcome: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    y, p = _pair(outcome, probability)
    if p.min() < 0 or p.max() > 1:
        raise ValueError("probabilities lie between 0 and 1")
    return y, p


def average_precision(outcome: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the area under the precision-recall curve, as a step function over distinct scores.

    ``Σ (R_k − R_{k−1}) P_k``; a score that tells nothing gets the base rate. NaN without an event.

    Examples
    --------
    >>> average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    0.8333333333333333
    >>> average_precision([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5])
    0.25
    >>> average_precision([1, 0], [0.5, np.nan])
    Traceback (most recent call last):
        ...
    ValueError: outcomes are 0 or 1 and scores are finite; leave out and count what is missing
    """
    y, s = _pair(outcome, score)
    return float(average_precision_score(y, s)) if y.any() else float("nan")


def roc_auc(outcome: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the chance that a unit with the event scores above one without; ties count half.

    NaN where all outcomes are equal.

    Examples
    --------
    >>> roc_auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), roc_auc([1, 0], [0.5, 0.5])
    (0.75, 0.5)
    """
    y, s = _pair(outcome, score)
    return float(roc_auc_score(y, s)) if 0 < y.sum() < len(y) else float("nan")


def reliability_table(
    outcome: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = BINS
) -> pd.DataFrame:
    """Return, by bin of forecast probability, what was forecast and what happened.

    Bins have equal width and hold their lower end, ``[k/bins, (k+1)/bins)``; the last holds 1 as well.

    Returns
    -------
    pandas.DataFrame
        low, high, units, forecast (mean probability), observed (event rate); empty bins are left out.

    Examples
    --------
    >>> reliability_table([0, 0, 1, 1], [0.1, 0.2, 0.6, 1.0], bins=2)
       low  high  units  forecast  observed
    0  0.0   0.5      2      0.15       0.0
    1  0.5   1.0      2      0.80       1.0
    """
    y, p = _chances(outcome, probability)
    number = _bins(p, bins)
    units = np.bincount(number, minlength=bins)
    kept = np.flatnonzero(units)
    return pd.DataFrame(
        {
            "low": kept / bins,
            "high": (kept + 1) / bins,
            "units": units[kept],
            "forecast": np.bincount(number, weights=p, minlength=bins)[kept] / units[kept],
            "observed": np.bincount(number, weights=y, minlength=bins)[kept] / units[kept],
        }
    )


def _bins(probability: Floats, bins: int) -> npt.NDArray[np.intp]:
    if bins < 1:
        raise ValueError("at least one bin is needed")
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, probability, side="right")


def calibration_error(outcome: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return the expected calibration error, ``Σ n_k/n · |observed_k − forecast_k|``, over equal-width bins.

    Source: Naeini, Cooper & Hauskrecht (2015), AAAI 29:2901-2907.

    Examples
    --------
    >>> round(calibration_error([0, 0, 1, 1], [0.1, 0.2, 0.6, 1.0], bins=2), 3)
    0.175
    """
    table = reliability_table(outcome, probability, bins=bins)
    return float(np.average((table["observed"] - table["forecast"]).abs(), weights=table["units"]))


@dataclass(frozen=True)
class BrierParts:
    """The Brier score and what it is made of: ``brier = reliability − resolution + uncertainty + within``.

    ``within`` is the variance of forecasts within bins less twice their covariance with the outcomes, without
    which the sum is not exact where forecasts in a bin differ. ``skill`` compares with always
    forecasting the base rate: 1 is perfect, 0 no better, negative worse; NaN where all outcomes are equal.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float

    @property
    def skill(self) -> float:
        """Brier skill against the base rate."""
        return 1.0 - self.brier / self.uncertainty if self.uncertainty > 0 else float("nan")


def brier_parts(outcome: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = BINS) -> BrierParts:
    """Return the Brier score with its decomposition over equal-width bins.

    Source: Murphy (1973), J. Appl. Meteor. 12:595-600; the part within bins is that of Stephenson, Coelho &
    Jolliffe (2008), Weather and Forecasting 23:752-757.

    Examples
    --------
    >>> b = brier_parts([0, 1, 0, 1], [0.2, 0.2, 0.6, 0.9])
    >>> round(b.brier, 4), round(b.reliability - b.resolution + b.uncertainty + b.within, 4)
    (0.2625, 0.2625)
    """
    y, p = _chances(outcome, probability)
    number = _bins(p, bins)
    units = np.bincount(number, minlength=bins)
    filled = np.maximum(units, 1)
    forecast = np.bincount(number, weights=p, minlength=bins) / filled
    observed = np.bincount(number, weights=y, minlength=bins) / filled
    share = units / len(y)
    spread = p - forecast[number]
    return BrierParts(
        brier=float(brier_score_loss(y, p)),
        reliability=float(share @ (forecast - observed) ** 2),
        resolution=float(share @ (observed - y.mean()) ** 2),
        uncertainty=float(y.mean() * (1.0 - y.mean())),
        within=float(np.mean(spread**2) - 2.0 * np.mean(spread * (y - observed[number]))),
    )


def warning_scores(hits: int, false_alarms: int, misses: int, correct_negatives: int) -> dict[str, float]:
    """Return the scores of yes/no warnings; NaN where one has no meaning.

    Source: WWRP/WGNE Joint Working Group on Forecast Verification Research; formulas as in Wilks (2011),
    *Statistical Methods in the Atmospheric Sciences*, ch. 8. Accuracy is left out on purpose.

    Returns
    -------
    dict
        recall, false_alarm_ratio (1 − precision), critical_success, gilbert, peirce, heidke, odds_ratio.

    Examples
    --------
    >>> {k: round(v, 3) for k, v in warning_scores(28, 72, 23, 2680).items()}["recall"]
    0.549
    """
    a, b, c, d = float(hits), float(false_alarms), float(misses), float(correct_negatives)
    n = a + b + c + d

    def ratio(top: float, below: float) -> float:
        return top / below if below else float("nan")

    by_chance = ratio((a + b) * (a + c), n)
    return {
        "recall": ratio(a, a + c),
        "false_alarm_ratio": ratio(b, a + b),
        "critical_success": ratio(a, a + b + c),
        "gilbert": ratio(a - by_chance, a + b + c - by_chance),
        "peirce": ratio(a, a + c) - ratio(b, b + d),
        "heidke": ratio(2.0 * (a * d - b * c), (a + c) * (c + d) + (a + b) * (b + d)),
        "odds_ratio": ratio(a * d, b * c),
    }


def at_capacity(outcome: npt.ArrayLike, score: npt.ArrayLike, capacities: Sequence[int]) -> pd.DataFrame:
    """Return recall and precision when only the k highest scores can be inspected.

    Where the k-th place falls among equal scores, the places left are shared evenly among them: the figures
    are those expected of a draw by lot, so that no order of rows can flatter them.

    Returns
    -------
    pandas.DataFrame
        By capacity k (at most the number of units is used): recall, precision.

    Examples
    --------
    >>> at_capacity([1, 0, 1, 0], [3.0, 2.0, 2.0, 1.0], [1, 2]).values.tolist()
    [[0.5, 1.0], [0.75, 0.75]]
    """
    y, s = _pair(outcome, score)
    if min(capacities, default=0) < 1:
        raise ValueError("a capacity is at least one unit")
    ends, found = _steps(y, s)
    k = np.minimum(np.asarray(capacities, dtype=np.int64), len(y))
    caught = np.interp(k, np.concatenate([[0.0], ends]), np.concatenate([[0.0], found]))
    recall = caught / y.sum() if y.any() else np.full(len(k), np.nan)
    index = pd.Index([int(c) for c in capacities], name="capacity")
    return pd.DataFrame({"recall": recall, "precision": caught / k}, index=index)


def _steps(y: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Return, after each distinct score from the top, the units so far and the events among them."""
    order = np.argsort(-s, kind="stable")
    last = np.flatnonzero(np.append(np.diff(s[order]) != 0, True))
    ends: Floats = (last + 1).astype(np.float64)
    return ends, np.cumsum(y[order])[last]


def net_benefit(
    outcome: npt.ArrayLike, probability: npt.ArrayLike, thresholds: Sequence[float]
) -> pd.DataFrame:
    """Return the net benefit of acting on every unit whose probability reaches a threshold.

    ``NB(t) = TP/n − FP/n · t/(1 − t)``: a false alarm costs ``t/(1 − t)`` of what a hit gains. Source:
    Vickers & Elkin (2006), Medical Decision Making 26:565-574.

    Returns
    -------
    pandas.DataFrame
        By threshold: model, treat_all; acting on none is 0.

    Examples
    --------
    >>> net_benefit([1, 0, 0, 0], [0.8, 0.3, 0.1, 0.1], [0.2]).round(4).values.tolist()
    [[0.1875, 0.0625]]
    """
    y, p = _chances(outcome, probability)
    t = np.asarray(thresholds, dtype=np.float64)
    if not ((t > 0) & (t < 1)).all():
        raise ValueError("thresholds lie between 0 and 1")
    order = np.sort(p)
    acted = len(p) - np.searchsorted(order, t, side="left")
    events = np.sort(p[y == 1])
    hits = len(events) - np.searchsorted(events, t, side="left")
    odds = t / (1.0 - t)
    rate = y.mean()
    return pd.DataFrame(
        {"model": (hits - (acted - hits) * odds) / len(y), "treat_all": rate - (1.0 - rate) * odds},
        index=pd.Index(t, name="threshold"),
    )


@dataclass(frozen=True)
class BlockDraws:
    """Bootstrap draws of whole blocks.

    Parameters
    ----------
    codes
        Position of each unit's block.
    counts
        Draws × blocks: how often each block was drawn.
    """

    codes: Ints
    counts: Ints

    def weights(self, start: int = 0, stop: int | None = None) -> Ints:
        """Return draws × units: how often each unit counts in the draws from ``start`` to ``stop``."""
        drawn: Ints = self.counts[start:stop][:, self.codes]
        return drawn


def draw_blocks(blocks: npt.ArrayLike, *, draws: int, seed: int) -> BlockDraws:
    """Draw whole blocks with replacement, as many as there are, again and again.

    Units of a block stand or fall together, so an interval allows for how alike neighbours are (Davison &
    Hinkley 1997, *Bootstrap Methods and their Application*, §3.8).

    Examples
    --------
    >>> weights = draw_blocks(["a", "a", "b", "c"], draws=2, seed=1).weights()
    >>> weights.shape, bool((weights[:, 0] == weights[:, 1]).all())
    ((2, 4), True)
    """
    codes, names = pd.factorize(np.asarray(blocks, dtype=object), sort=True)
    if (codes < 0).any():
        raise ValueError("every unit needs a block")
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=draws)
    return BlockDraws(codes.astype(np.int64), drawn.astype(np.int64))


def resampled_precision(outcome: npt.ArrayLike, score: npt.ArrayLike, draws: BlockDraws) -> Floats:
    """Return the average precision of every bootstrap draw; NaN where a draw holds no event.

    The same figure as scikit-learn's ``average_precision_score`` with ``sample_weight``; units are sorted a
    single time, and draws are taken in portions, so that memory does not grow with their number.

    Parameters
    ----------
    outcome, score
        By unit.
    draws
        See :func:`draw_blocks`.

    Examples
    --------
    >>> draws = BlockDraws(np.array([0, 1, 2]), np.array([[1, 1, 1], [0, 2, 1]]))
    >>> resampled_precision([1, 0, 1], [0.9, 0.5, 0.1], draws).round(3).tolist()
    [0.833, 0.333]
    """
    y, s = _pair(outcome, score)
    order = np.argsort(-s, kind="stable")
    last = np.flatnonzero(np.append(np.diff(s[order]) != 0, True))
    event = y[order]
    found = np.empty(len(draws.counts))
    step = max(1, _BLOCK_CELLS // len(y))
    for start in range(0, len(found), step):
        drawn = draws.weights(start, start + step)[:, order].astype(np.float64)
        seen = np.cumsum(drawn, axis=1)[:, last]
        hits = np.cumsum(drawn * event, axis=1)[:, last]
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        gained = np.diff(hits, axis=1, prepend=0.0)
        events = hits[:, -1]
        area = (gained * precision).sum(axis=1)
        found[start : start + step] = np.divide(
            area, events, out=np.full(len(area), np.nan), where=events > 0
        )
    return found


def interval(draws: npt.ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap draws; draws without a figure are left out.

    Examples
    --------
    >>> low, high = interval(np.arange(101.0), level=0.9)
    >>> round(low, 6), round(high, 6)
    (5.0, 95.0)
    """
    values = np.asarray(draws, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def group_recall(
    outcome: npt.ArrayLike, score: npt.ArrayLike, groups: npt.ArrayLike, *, capacity: int
) -> pd.DataFrame:
    """Return how many of each group's events lie among the ``capacity`` highest scores of all units.

    Ties at the last place count by their expected share, as in :func:`at_capacity`.

    Returns
    -------
    pandas.DataFrame
        By group: units, events, inspected, caught, recall (NaN without an event).

    Examples
    --------
    >>> group_recall([1, 0, 1, 0], [4.0, 3.0, 2.0, 1.0], ["a", "a", "b", "b"], capacity=2)["recall"].tolist()
    [1.0, 0.0]
    """
    y, s = _pair(outcome, score)
    ends, _ = _steps(y, s)
    above = len(s) - np.searchsorted(np.sort(s), s, side="right")
    size = ends[np.searchsorted(ends, above, side="right")] - above
    chance = np.clip((capacity - above) / size, 0.0, 1.0)
    frame = pd.DataFrame(
        {"group": np.asarray(groups, dtype=object), "events": y, "inspected": chance, "caught": chance * y}
    )
    table = frame.groupby("group", sort=True).sum()
    table.insert(0, "units", frame.groupby("group", sort=True).size())
    events = table["events"].astype("int64")
    recall = table["caught"].div(events.where(events > 0))
    return table.assign(events=events, recall=recall)


def largest_misses(predictions: pd.DataFrame, *, most: int = 20) -> pd.DataFrame:
    """Return the events that were ranked safest: where the forecast failed worst.

    Parameters
    ----------
    predictions
        unit, outcome, probability, rank (1 = highest risk), and whatever else should be shown.

    Examples
    --------
    >>> rows = pd.DataFrame({"unit": list("abc"), "outcome": [1, 1, 0], "probability": [0.4, 0.1, 0.2],
    ...                      "rank": [1.0, 3.0, 2.0]})
    >>> largest_misses(rows, most=1)["unit"].tolist()
    ['b']
    """
    events = predictions[predictions["outcome"] == 1]
    return events.sort_values(["rank", "unit"], ascending=[False, True]).head(most).reset_index(drop=True)


def false_alarms_first(predictions: pd.DataFrame, *, most: int = 20) -> pd.DataFrame:
    """Return the units without an event that were ranked riskiest; columns as in :func:`largest_misses`.

    Examples
    --------
    >>> rows = pd.DataFrame({"unit": list("abc"), "outcome": [1, 0, 0], "probability": [0.4, 0.1, 0.2],
    ...                      "rank": [1.0, 3.0, 2.0]})
    >>> false_alarms_first(rows, most=1)["unit"].tolist()
    ['c']
    """
    quiet = predictions[predictions["outcome"] == 0]
    return quiet.sort_values(["rank", "unit"]).head(most).reset_index(drop=True)


def level_rates(outcome: npt.ArrayLike, levels: npt.ArrayLike) -> pd.DataFrame:
    """Return the event rate of each colour; a colour scale is of use only where red > yellow > green.

    Returns
    -------
    pandas.DataFrame
        By level (red, yellow, green): units, events, rate (NaN without units). Units without a colour are
        not counted.

    Examples
    --------
    >>> level_rates([1, 1, 0, 1, 0, 0], ["red", "red", "yellow", "yellow", "green", "green"])["rate"].tolist()
    [1.0, 0.5, 0.0]
    """
    frame = pd.DataFrame({"level": np.asarray(levels, dtype=object), "outcome": np.asarray(outcome, float)})
    order = [level.value for level in (Level.RED, Level.YELLOW, Level.GREEN)]
    grouped = frame.groupby("level")["outcome"]
    table = pd.DataFrame({"units": grouped.size(), "events": grouped.sum()}).reindex(order, fill_value=0)
    table["events"] = table["events"].astype("int64")
    return table.assign(rate=table["events"].div(table["units"].where(table["units"] > 0)))


def colour_churn(history: pd.DataFrame) -> pd.DataFrame:
    """Return how restless the colours are: a warning that comes and goes is not acted upon.

    Parameters
    ----------
    history
        unit_code, as_of, level; one row a unit and snapshot. A step counts where both colours are known.

    Returns
    -------
    pandas.DataFrame
        By date of the later snapshot: units, changed, share, returned (changes back to the colour of two
        snapshots before).

    Examples
    --------
    >>> dates = pd.to_datetime(["2026-01-31", "2026-02-28", "2026-03-31"])
    >>> rows = pd.DataFrame({"unit_code": "a", "as_of": dates, "level": ["red", "green", "red"]})
    >>> colour_churn(rows)[["changed", "returned"]].values.tolist()
    [[1, 0], [1, 1]]
    """
    if history.duplicated(["unit_code", "as_of"]).any():
        raise ValueError("a unit has two colours on one date")
    wide = history.pivot(index="unit_code", columns="as_of", values="level").sort_index(axis=1)
    wide = wide.where(wide != Level.UNKNOWN.value)
    known = wide.notna() & wide.shift(axis=1).notna()
    changed = known & (wide != wide.shift(axis=1))
    returned = changed & (wide == wide.shift(2, axis=1))
    table = pd.DataFrame(
        {"units": known.sum(), "changed": changed.sum(), "returned": returned.sum()}, dtype="int64"
    ).iloc[1:]
    table.insert(2, "share", table["changed"].div(table["units"].where(table["units"] > 0)))
    return table


def lead_time(history: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return how long before each event its unit had been red without a break.

    Parameters
    ----------
    history
        unit_code, as_of, level; one row a unit and snapshot.
    events
        unit_code, happened_on; one row an event.

    Returns
    -------
    pandas.DataFrame
        unit_code, happened_on, warned_on (first snapshot of the last unbroken red spell that still held
        before the event), days; missing where the last colour before the event was not red.

    Examples
    --------
    >>> dates = pd.to_datetime(["2026-01-31", "2026-02-28", "2026-03-31"])
    >>> rows = pd.DataFrame({"unit_code": "a", "as_of": dates, "level": ["green", "red", "red"]})
    >>> happened = pd.DataFrame({"unit_code": ["a"], "happened_on": pd.to_datetime(["2026-04-10"])})
    >>> lead_time(rows, happened)["days"].tolist()
    [41]
    """
    rows = history.sort_values(["unit_code", "as_of"])
    red = rows["level"] == Level.RED.value
    first = rows["unit_code"] != rows["unit_code"].shift()
    begins = red & (first | ~red.shift(fill_value=False))
    since = rows["as_of"].where(begins).groupby(rows["unit_code"]).ffill().where(red)
    spells = rows[["unit_code", "as_of"]].assign(warned_on=since).sort_values("as_of")
    asked = events[["unit_code", "happened_on"]].reset_index(names="_row").sort_values("happened_on")
    found = pd.merge_asof(
        asked, spells, by="unit_code", left_on="happened_on", right_on="as_of", allow_exact_matches=False
    ).sort_values("_row", ignore_index=True)
    days = (found["happened_on"] - found["warned_on"]).dt.days.astype("Int64")
    return found[["unit_code", "happened_on", "warned_on"]].assign(days=days)
