"""The anomaly checks: what is counted in each unit, and how unusual it is against its null model.

Each check looks at one day's :class:`~huanjie_lib.risk.indicators.Moment` and answers for every unit in
force. Checks of counts (:data:`TESTS`) come with a p-value; checks of the review ledger (:data:`FACTS`) state
what is on file and have none. A unit whose figures are missing is unknown and says why; it never passes for
one without a finding.

A count below the declared minimum, or an effect below the declared minimum effect, has p = 1. That only makes
p-values larger, so that they stay valid, and it keeps every unit with data in the family that is tested.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from huanjie_lib.risk.indicators import Moment, review_counts
from huanjie_lib.risk.prepared import NEVER, Bools, Floats, Ints, Rows
from huanjie_lib.risk.signal_nulls import (
    MAX_SHARE,
    BetaBinomial,
    GammaPoisson,
    beta_binomial_tail,
    combined_shape,
    fit_beta_binomial,
    fit_gamma_poisson,
    gamma_poisson_tail,
    kept_rate,
)
from huanjie_lib.vocabulary import LeadKind, RollCohort, date_text

__all__ = ["FACTS", "TESTS", "Finding"]

NOT_A_VERDICT = "这是线索，不是结论"
NO_CHECK = "没有选民登记核对数据，无法判断"
GAP_CHECKED = "选民登记核对数据不全，无法判断"

Null = BetaBinomial | GammaPoisson


@dataclass(frozen=True)
class Finding:
    """Answer of one check for the units asked about, all of shape (n,).

    Parameters
    ----------
    observed
        What was counted; NaN where unknown.
    expected
        The same under the null model; 0 for facts.
    base
        What it was counted among or against (people, ballots, electors); NaN where there is none.
    effect
        ``observed / base``, or ``observed / expected`` where the check says so.
    p_value
        Chance of such a count or a larger one under the null model; NaN where unknown, and for facts.
    lacking
        Why a unit is unknown; empty where it is known.
    sentence
        What is to be said of a flagged unit, by position.
    nulls
        The null models fitted, by what they describe; empty for facts.
    """

    observed: Floats
    expected: Floats
    base: Floats
    effect: Floats
    p_value: Floats
    lacking: list[str]
    sentence: Callable[[int], str]
    nulls: Mapping[str, Null]


Test = Callable[[Moment, Ints, Mapping[str, Any], int], Finding]
Fact = Callable[[Moment, Ints, Mapping[str, Any]], Finding]


def _unknown(lacking: list[str]) -> Finding:
    nothing = np.full(len(lacking), np.nan)
    return Finding(nothing, nothing, nothing, nothing, nothing, lacking, str, {})


def _spread(known: Bools, values: Floats) -> Floats:
    """Return values of the known units at their places, NaN elsewhere."""
    out = np.full(len(known), np.nan)
    out[known] = values
    return out


def _finding(
    lacking: list[str],
    observed: Floats,
    expected: Floats,
    base: Floats,
    effect: Floats,
    p_value: Floats,
    sentence: Callable[[int], str],
    nulls: Mapping[str, Null],
) -> Finding:
    """Assemble a finding from the figures of the known units; ``sentence`` counts among these."""
    known = np.array([not why for why in lacking])
    place = np.cumsum(known) - 1
    return Finding(
        observed=_spread(known, observed),
        expected=_spread(known, expected),
        base=_spread(known, base),
        effect=_spread(known, effect),
        p_value=_spread(known, p_value),
        lacking=lacking,
        sentence=lambda unit: sentence(int(place[unit])),
        nulls=nulls,
    )


def _few(lacking: list[str], least: int) -> list[str] | None:
    """Return the reasons with every unit unknown where too few are known to tell what is ordinary."""
    known = sum(not why for why in lacking)
    if known >= least:
        return None
    few = f"只有{known}个村（社区）有数据，不足{least}个，看不出一般情况，无法判断"
    return [why or few for why in lacking]


def _too_weak(observed: Floats, effect: Floats, options: Mapping[str, Any]) -> Bools:
    return np.asarray((observed < float(options["min_count"])) | (effect < float(options["min_effect"])))


def _day_text(day: int) -> str:
    return date_text(dt.date(1970, 1, 1) + dt.timedelta(days=int(day)))


def _tenths(share: float) -> str:
    """Return a share in tenths and half tenths, as people say it.

    Examples
    --------
    >>> _tenths(0.42), _tenths(0.45), _tenths(0.2), _tenths(0.04)
    ('四成', '四成半', '两成', '不到一成')
    """
    halves = math.floor(20 * share + 0.5)
    if halves < 2:
        return "不到一成"
    return "一两三四五六七八九十"[halves // 2 - 1] + "成" + "半" * (halves % 2)


def _usual(expected: float, unit: str) -> str:
    """Return an expected count as people say it.

    Examples
    --------
    >>> _usual(3.26, "人"), _usual(0.02, "件")
    ('约3人', '不到1件')
    """
    return f"不到1{unit}" if expected < 0.95 else f"约{expected:.0f}{unit}"


# --- voter roll ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Roll:
    """One check of the roll by unit: day, and units × cohorts; NaN where missing."""

    day: Ints
    expected: Floats
    registered: Floats
    duplicates: Floats

    @property
    def distinct(self) -> Floats:
        """Electors on the roll, people who also stand on another roll left out."""
        return self.registered - self.duplicates


def _last_day(at: Moment, rows: Rows, before: Ints | None = None) -> Ints:
    """Return by unit the day of its last report, on the date or before the days given; −NEVER for none."""
    day = rows.day("as_of")
    usable = day <= at.day if before is None else day < before[rows.unit]
    last = np.full(at.size, -NEVER)
    np.maximum.at(last, rows.unit[usable], day[usable])
    return last


def _roll(at: Moment, rows: Rows, day: Ints) -> _Roll:
    mine = rows.day("as_of") == day[rows.unit]
    filled = {}
    for name in (
        "hukou_adults", "away_declined", "nonlocal_approved", "disqualified", "registered", "duplicates"
    ):  # fmt: skip
        table = np.full((at.size, len(RollCohort)), np.nan)
        for column, cohort in enumerate(RollCohort):
            chosen = mine & rows.equals("cohort", cohort.value)
            table[rows.unit[chosen], column] = rows.number(name)[chosen]
        filled[name] = table
    expected = (
        filled["hukou_adults"]
        - filled["away_declined"]
        + filled["nonlocal_approved"]
        - filled["disqualified"]
    )
    return _Roll(day, expected, filled["registered"], filled["duplicates"])


def _current_roll(at: Moment, units: Ints, options: Mapping[str, Any]) -> tuple[_Roll | None, list[str]]:
    """Return the last check of every unit, and of the units asked about why it cannot be used."""
    rows = at.rows("roll_checks")
    if rows is None:
        return None, [NO_CHECK] * len(units)
    roll = _roll(at, rows, _last_day(at, rows))
    limit = int(options["max_age_days"])
    whole = np.isfinite(roll.expected + roll.distinct).all(axis=1) & (roll.expected.sum(axis=1) > 0)

    def why(unit: int) -> str:
        if roll.day[unit] == -NEVER:
            return NO_CHECK
        if at.day - roll.day[unit] > limit:
            return f"最近一次选民登记核对在{_day_text(roll.day[unit])}，超过{limit}天，无法判断"
        return "" if whole[unit] else GAP_CHECKED

    return roll, [why(unit) for unit in units.tolist()]


def _known(units: Ints, lacking: list[str]) -> Ints:
    return np.asarray(units[np.array([not why for why in lacking], dtype=bool)], dtype=np.int64)


def _roll_gap(at: Moment, units: Ints, options: Mapping[str, Any], least: int) -> Finding:
    """Return the cohort, or the whole roll, that lacks most electors for what the others would have it.

    The usual shortfall of a cohort is the city's share for it times how much the unit's other cohorts fall
    short; the latter is shrunk to the city's by the gamma spread of whole rolls. The least p-value of the
    cohorts and the whole roll counts, times their number (Bonferroni: valid however they hang together).
    """
    roll, lacking = _current_roll(at, units, options)
    few = _few(lacking, least)
    if roll is None or few is not None:
        return _unknown(few or lacking)
    known = _known(units, lacking)
    expected = np.maximum(roll.expected[known], 0.0)
    short = np.clip(expected - roll.distinct[known], 0.0, expected)
    city = np.array([kept_rate(s[e > 0], e[e > 0]) for s, e in zip(short.T, expected.T, strict=True)])
    usual = expected * city
    spread = fit_gamma_poisson(short.sum(axis=1), usual.sum(axis=1))
    others = np.sum(short, axis=1, keepdims=True) - short
    usual_others = spread.rate * (np.sum(usual, axis=1, keepdims=True) - usual)
    share = np.minimum(city * (spread.shape + others) / (spread.shape + usual_others), MAX_SHARE)
    some = expected > 0
    cohorts = fit_beta_binomial(
        short[some].astype(np.int64), expected[some].astype(np.int64), share=share[some]
    )
    total = expected.sum(axis=1)
    short_total = np.clip(total - roll.distinct[known].sum(axis=1), 0.0, total)
    whole = fit_beta_binomial(short_total.astype(np.int64), total.astype(np.int64))

    base = np.column_stack((expected, total))
    observed = np.column_stack((short, short_total))
    mean = np.column_stack((cohorts.mean_share(share), np.full(len(known), whole.mean_share(np.ones(1))[0])))
    precision = np.broadcast_to([cohorts.precision] * len(RollCohort) + [whole.precision], base.shape)
    effect = observed / np.where(base > 0, base, 1.0)
    p_value = np.ones(base.shape)
    strong = (base > 0) & ~_too_weak(observed, effect, options)
    p_value[strong] = beta_binomial_tail(
        observed[strong].astype(np.int64), base[strong].astype(np.int64), mean[strong], precision[strong]
    )
    # least p first; among equals (mostly p = 1) the largest effect, then the first cohort
    worst = np.lexsort((np.broadcast_to(np.arange(base.shape[1]), base.shape), -effect, p_value), axis=1)[
        :, 0
    ]
    row = np.arange(len(known))
    chosen = base[row, worst], observed[row, worst]
    least_p = np.minimum(p_value[row, worst] * base.shape[1], 1.0)
    labels = [*(c.label for c in RollCohort), "全村（社区）"]

    def sentence(unit: int) -> str:
        due, lacks = chosen[0][unit], chosen[1][unit]
        return (
            f"{labels[worst[unit]]}登记选民{due - lacks:.0f}人，只有按户籍和居住情况推算的{due:.0f}人的"
            f"{_tenths(1 - lacks / due)}，少{lacks:.0f}人；按本村（社区）和全市情况一般少"
            f"{_usual(due * mean[unit, worst[unit]], '人')}。{NOT_A_VERDICT}"
        )

    return _finding(
        lacking,
        chosen[1],
        chosen[0] * mean[row, worst],
        chosen[0],
        effect[row, worst],
        least_p,
        sentence,
        {"年龄段": cohorts, "全村（社区）": whole, "缺登程度": spread},
    )


def _proportional(
    lacking: list[str],
    observed: Floats,
    base: Floats,
    options: Mapping[str, Any],
    sentence: Callable[[int, float], str],
) -> Finding:
    """Return a finding on counts that the null has in proportion to a base, with gamma spread."""
    null = fit_gamma_poisson(observed, base)
    expected, effect = null.rate * base, observed / base
    p_value = np.ones(len(observed))
    strong = ~_too_weak(observed, effect, options)
    p_value[strong] = gamma_poisson_tail(observed[strong], expected[strong], null.shape)
    return _finding(
        lacking,
        observed,
        expected,
        base,
        effect,
        p_value,
        lambda unit: sentence(unit, float(expected[unit])),
        {"一般水平": null},
    )


def _roll_duplicates(at: Moment, units: Ints, options: Mapping[str, Any], least: int) -> Finding:
    roll, lacking = _current_roll(at, units, options)
    if roll is not None:
        empty = roll.registered.sum(axis=1) <= 0
        lacking = [
            w or ("选民册没有登记人数，无法判断" if empty[u] else "")
            for u, w in zip(units, lacking, strict=True)
        ]
    few = _few(lacking, least)
    if roll is None or few is not None:
        return _unknown(few or lacking)
    known = _known(units, lacking)
    twice, listed = roll.duplicates[known].sum(axis=1), roll.registered[known].sum(axis=1)

    def sentence(unit: int, expected: float) -> str:
        return (
            f"选民册上有{twice[unit]:.0f}人同时登记在别处，占{twice[unit] / listed[unit]:.1%}；"
            f"同样大小的选民册一般{_usual(expected, '人')}。{NOT_A_VERDICT}"
        )

    return _proportional(lacking, twice, listed, options, sentence)


def _registration_surge(at: Moment, units: Ints, options: Mapping[str, Any], least: int) -> Finding:
    """Return the electors beyond the number expected, cohort by cohort, that came since the check before.

    ``min(Σ_c max(N_c − E_c, 0), max(N − N₀ E / E₀, 0))``, rounded down: catching up with a gap is no surge,
    nor is an old surplus.
    """
    roll, lacking = _current_roll(at, units, options)
    rows = at.rows("roll_checks")
    if roll is None or rows is None:
        return _unknown(_few(lacking, least) or lacking)
    before = _roll(at, rows, _last_day(at, rows, before=roll.day))
    then = before.expected.sum(axis=1)
    limit = int(options["previous_days"])
    usable = (
        (roll.day - before.day <= limit)
        & np.isfinite(before.expected + before.distinct).all(axis=1)
        & (then > 0)
    )
    no_earlier = f"之前{limit}天内没有完整的选民登记核对可比，无法判断"
    lacking = [why or ("" if usable[u] else no_earlier) for u, why in zip(units, lacking, strict=True)]
    few = _few(lacking, least)
    if few is not None:
        return _unknown(few)
    known = _known(units, lacking)
    due = roll.expected[known].sum(axis=1)
    surplus = np.maximum(roll.distinct - roll.expected, 0.0)[known].sum(axis=1)
    carried = before.distinct[known].sum(axis=1) * due / then[known]
    risen = np.maximum(np.floor(roll.distinct[known].sum(axis=1) - carried), 0.0)
    extra = np.minimum(surplus, risen)

    def sentence(unit: int, expected: float) -> str:
        return (
            f"{_day_text(before.day[known[unit]])}核对以来，登记选民比按户籍和居住情况推算的人数多出"
            f"{extra[unit]:.0f}人，占{extra[unit] / due[unit]:.1%}；一般{_usual(expected, '人')}。"
            f"{NOT_A_VERDICT}"
        )

    return _proportional(lacking, extra, due, options, sentence)


# --- proxies and leads -----------------------------------------------------------------------------------


def _proxy_share(at: Moment, units: Ints, options: Mapping[str, Any], least: int) -> Finding:
    elections = at.rows("election_history")
    if elections is None:
        return _unknown(["没有往届选举数据，无法判断"] * len(units))
    day = elections.day("election_on")
    order = np.argsort(day, kind="stable")
    order = order[day[order] <= at.day]
    last = np.full(at.size, -1, dtype=np.int64)
    last[elections.unit[order]] = order
    ballots, proxies = elections.number("ballots"), elections.number("proxy_ballots")

    def why(unit: int) -> str:
        row = last[unit]
        if row < 0:
            return "没有上届选举数据，无法判断"
        if np.isnan(ballots[row] + proxies[row]) or ballots[row] <= 0:
            return "上届选举没有填报选票数或委托投票数，无法判断"
        return "上届委托投票数大于收回选票数，数据有误，无法判断" if proxies[row] > ballots[row] else ""

    lacking = [why(unit) for unit in units.tolist()]
    few = _few(lacking, least)
    if few is not None:
        return _unknown(few)
    row = last[_known(units, lacking)]
    cast, by_proxy = ballots[row].astype(np.int64), proxies[row].astype(np.int64)
    null = fit_beta_binomial(by_proxy, cast)
    mean = null.mean_share(np.ones(len(row)))
    observed, effect = by_proxy.astype(np.float64), by_proxy / cast
    p_value = np.ones(len(row))
    strong = ~_too_weak(observed, effect, options)
    p_value[strong] = beta_binomial_tail(by_proxy[strong], cast[strong], mean[strong], null.precision)
    year = elections.number("term")[row]

    def sentence(unit: int) -> str:
        return (
            f"上届（{year[unit]:.0f}年）委托投票{by_proxy[unit]}张，占收回选票的{effect[unit]:.0%}；"
            f"全市一般占{mean[unit]:.0%}。{NOT_A_VERDICT}"
        )

    return _finding(
        lacking, observed, mean * cast, cast.astype(np.float64), effect, p_value, sentence, {"一般水平": null}
    )


def _leads_burst(at: Moment, units: Ints, options: Mapping[str, Any], least: int) -> Finding:
    """Return the leads of the window against the unit's own earlier leads and the city's rate.

    Earlier leads ``y`` over electors ``e`` fit ``Gamma(k, r)``; a unit's own rate given ``y`` is again gamma,
    with shape ``k + y`` and mean ``(k + y)/(k + r e)`` times the city's. The window's count is gamma-Poisson
    around that mean times the city-wide change, its spread widened by a fitted one. The effect is count over
    expected.
    """
    leads = at.rows("leads")
    if leads is None:
        return _unknown(["没有线索台账，无法判断"] * len(units))
    electors = at.stock(str(options["electors_metric"])).value
    window, baseline = int(options["window_days"]), int(options["baseline_days"])
    day, number = leads.day("received_on"), leads.number("count")
    mine = leads.equals("kind", *options["lead_kinds"])
    recent = mine & (day > at.day - window) & (day <= at.day)
    early = mine & (day > at.day - window - baseline) & (day <= at.day - window)
    uncounted = at.count(leads, (recent | early) & np.isnan(number)) > 0

    def why(unit: int) -> str:
        if not electors[unit] > 0:
            return "没有登记选民数，无法判断线索是否偏多"
        return "有线索没有填写件数，无法判断" if uncounted[unit] else ""

    lacking = [why(unit) for unit in units.tolist()]
    few = _few(lacking, least)
    if few is None and not at.count(leads, early & ~np.isnan(number), number)[_known(units, lacking)].any():
        few = [w or f"此前{baseline}天没有线索记录可比，无法判断" for w in lacking]
    if few is not None:
        return _unknown(few)
    known = _known(units, lacking)
    now = at.count(leads, recent & ~np.isnan(number), number)[known]
    before = at.count(leads, early & ~np.isnan(number), number)[known]
    city = fit_gamma_poisson(before, electors[known])
    usual = city.rate * electors[known]
    own = (city.shape + before) / (city.shape + usual) * usual * window / baseline
    change = fit_gamma_poisson(now, own, known_shape=city.shape + before)
    expected = change.rate * own
    effect = now / expected
    p_value = np.ones(len(known))
    strong = ~_too_weak(now, effect, options)
    shape = combined_shape(city.shape + before, change.shape, now)
    p_value[strong] = gamma_poisson_tail(now[strong], expected[strong], shape[strong])
    named = "、".join(LeadKind.labels()[kind] for kind in options["lead_kinds"])

    def sentence(unit: int) -> str:
        return (
            f"近{window}天收到{named}线索{now[unit]:.0f}件，此前{baseline}天共{before[unit]:.0f}件；"
            f"按本村（社区）以往和全市同期情况一般{_usual(float(expected[unit]), '件')}。{NOT_A_VERDICT}"
        )

    return _finding(
        lacking,
        now,
        expected,
        electors[known],
        effect,
        p_value,
        sentence,
        {"以往水平": city, "近期变化": change},
    )


# --- qualification review: facts -------------------------------------------------------------------------


def _review(
    at: Moment,
    units: Ints,
    options: Mapping[str, Any],
    counted: Callable[[Mapping[str, Floats]], Floats],
    among: Callable[[Mapping[str, Floats]], Floats],
    doubtful: Callable[[Mapping[str, Floats], Floats], Bools],
    words: Callable[[float, float], str],
) -> Finding:
    departments = tuple(options["departments"])
    counts = review_counts(at, departments)
    if counts is None:
        return _unknown(["没有联审台账，无法判断"] * len(units))
    people, found, base = counts["candidates"], counted(counts), among(counts)
    unsure = doubtful(counts, found)

    def why(unit: int) -> str:
        if not people[unit]:
            return "尚未报送联审人选，无法判断"
        return "有意见未注明有效期，无法判断是否过期" if unsure[unit] else ""

    lacking = [why(unit) for unit in units.tolist()]
    known = _known(units, lacking)
    of = base[known]
    return _finding(
        lacking,
        found[known],
        np.zeros(len(known)),
        of,
        found[known] / np.where(of > 0, of, 1.0),
        np.full(len(known), np.nan),
        lambda unit: words(float(people[known[unit]]), float(found[known[unit]])),
        {},
    )


def _never(_: Mapping[str, Floats], found: Floats) -> Bools:
    return np.zeros(len(found), dtype=bool)


def _review_missing(at: Moment, units: Ints, options: Mapping[str, Any]) -> Finding:
    wanted = len(tuple(options["departments"]))
    return _review(
        at,
        units,
        options,
        lambda c: np.maximum(c["candidates"] * wanted - c["given"], 0.0),
        lambda c: c["candidates"] * wanted,
        _never,
        lambda people, found: f"{people:.0f}名人选的联审还缺{found:.0f}份部门意见",
    )


def _review_expired(at: Moment, units: Ints, options: Mapping[str, Any]) -> Finding:
    return _review(
        at,
        units,
        options,
        lambda c: c["expired"],
        lambda c: c["given"],
        lambda c, found: (found == 0) & (c["undated"] > 0),
        lambda people, found: f"{people:.0f}名人选的联审意见中有{found:.0f}份已过有效期",
    )


def _review_adverse(at: Moment, units: Ints, options: Mapping[str, Any]) -> Finding:
    return _review(
        at,
        units,
        options,
        lambda c: c["adverse"],
        lambda c: c["candidates"],
        _never,
        lambda people, found: f"{people:.0f}名人选中有{found:.0f}名被联审部门提出不同意意见",
    )


TESTS: Mapping[str, Test] = {
    "roll_gap": _roll_gap,
    "roll_duplicates": _roll_duplicates,
    "registration_surge": _registration_surge,
    "proxy_share": _proxy_share,
    "leads_burst": _leads_burst,
}
"""Checks of counts against a null model, by the name a pack uses."""

FACTS: Mapping[str, Fact] = {
    "review_missing": _review_missing,
    "review_expired": _review_expired,
    "review_adverse": _review_adverse,
}
"""Checks of what is on file, by the name a pack uses."""
