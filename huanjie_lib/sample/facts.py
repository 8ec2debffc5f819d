"""Monthly, quarterly and yearly figures of every unit, drawn from the hidden factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from huanjie_lib.sample.calendar import FLOW_HISTORY, Calendar
from huanjie_lib.sample.frames import DATE_DTYPE, text_of
from huanjie_lib.sample.latent import Factors
from huanjie_lib.sample.population import BANDS, Population, RollCheck
from huanjie_lib.sample.streams import Array, Integers, Mask, steady

__all__ = ["FactBook", "make_flows", "make_stocks"]


@dataclass
class FactBook:
    """Figures by metric, units × months; NaN where nothing is reported."""

    size: int
    calendar: Calendar
    values: dict[str, Array] = field(default_factory=dict)

    def put(self, metric: str, months: Sequence[int], values: Array | Integers) -> None:
        """Enter a metric, given units × the months on which it is reported."""
        whole = np.full((self.size, len(self.calendar.month_ends)), np.nan)
        whole[:, list(months)] = values
        self.values[metric] = whole

    def frame(self, unit_codes: Sequence[str]) -> pd.DataFrame:
        """Return the ``facts`` table, sorted by metric, unit and date."""
        metrics = sorted(self.values)
        where = [np.nonzero(~np.isnan(self.values[m])) for m in metrics]
        unit = np.concatenate([w[0] for w in where])
        month = np.concatenate([w[1] for w in where])
        metric = np.repeat(np.arange(len(metrics)), [len(w[0]) for w in where])
        value = np.concatenate([self.values[m][w] for m, w in zip(metrics, where, strict=True)])
        days = self.calendar.days.astype("datetime64[D]").astype(DATE_DTYPE)
        return pd.DataFrame(
            {
                "unit_code": text_of(unit_codes, unit),
                "as_of": days[month],
                "metric": text_of(metrics, metric),
                "value": value,
            }
        )


def make_stocks(
    book: FactBook,
    community: Mask,
    urbanity: Array,
    factors: Factors,
    population: Population,
    checks: Mapping[int, RollCheck],
    rng: np.random.Generator,
) -> None:
    """Enter the stock figures: people, electors, members, money, committee, reserve.

    Parameters
    ----------
    book
        Entered into.
    community, urbanity
        Kind and urbanity by unit.
    factors, population
        What the figures are drawn from.
    checks
        Roll checks by month; the electors of those months are their totals.
    rng
        Random stream.
    """
    months, last = len(book.calendar.month_ends), len(book.calendar.month_ends) - 1
    years, quarters = book.calendar.years, book.calendar.quarters
    residents = _put_population(book, population, years, rng)
    _put_electors(book, checks, quarters, rng)
    _put_members(book, residents, factors, years, rng)
    _put_money(book, community, urbanity, residents, factors, years, rng)
    seats = _put_committee(book, community, residents, factors, years, quarters, rng)
    ahead = np.array([(last - q) / months for q in quarters])
    reserve = 2.45 * np.exp(-0.36 * factors.base["reserve"]) * np.exp(rng.normal(0, 0.18, book.size))
    book.put("reserve_people", quarters, np.round(steady(reserve[:, None] * (1.0 - 0.55 * ahead))))
    ratio = 1.31 * np.exp(-0.14 * factors.base["reserve"] + rng.normal(0, 0.09, book.size))
    wanting = steady((seats * ratio)[:, None] * (1.0 - 0.45 * ahead))
    book.put("prospective_candidates", quarters, np.round(wanting))


def _put_population(
    book: FactBook, population: Population, years: Sequence[int], rng: np.random.Generator
) -> Integers:
    """Enter people and households on the yearly days; return residents at ``as_of``."""
    bands, hukou_total = [], []
    for month in years:
        age = (book.calendar.today - int(book.calendar.days[month])) / 365.25
        hukou, away, newcomers = population.before(age)
        bands.append(hukou - away + newcomers)
        hukou_total.append(hukou.sum(axis=1))
    by_year = np.stack(bands, axis=1)
    residents = by_year.sum(axis=2)
    book.put("hukou_population", years, np.stack(hukou_total, axis=1))
    book.put("resident_population", years, residents)
    for position, band in enumerate(BANDS):
        book.put(f"population_{band}", years, by_year[:, :, position])
    persons = steady(np.clip(2.75 + 0.25 * rng.normal(size=book.size), 2.0, 4.0))
    book.put("households", years, np.round(np.stack(hukou_total, axis=1) / persons[:, None]))
    return np.asarray(residents[:, -1], dtype=np.int64)


def _put_electors(
    book: FactBook, checks: Mapping[int, RollCheck], quarters: Sequence[int], rng: np.random.Generator
) -> None:
    first = checks[min(checks)].registered.sum(axis=1)
    columns = []
    for month in quarters:
        if month in checks:
            columns.append(checks[month].registered.sum(axis=1))
            continue
        anchor = checks[max((m for m in checks if m < month), default=min(checks))].registered.sum(axis=1)
        columns.append(np.round(steady(anchor * (1.0 + 0.004 * rng.normal(size=len(first))))))
    book.put("voters_registered", quarters, np.stack(columns, axis=1))


def _put_members(
    book: FactBook, residents: Integers, factors: Factors, years: Sequence[int], rng: np.random.Generator
) -> None:
    share = np.clip(0.043 * np.exp(0.22 * rng.normal(size=book.size)), 0.012, 0.12)
    total = np.maximum(np.round(steady(residents * share)), 8.0)
    young = np.clip(
        0.092 * np.exp(-0.30 * factors.base["reserve"] + 0.2 * rng.normal(size=book.size)), 0, 0.4
    )
    old = np.clip(0.36 + 0.06 * rng.normal(size=book.size), 0.15, 0.55)
    columns: dict[str, list[Array]] = {"members_total": [], "members_under_35": [], "members_over_60": []}
    for step in range(len(years)):
        now = np.round(total * (1.0 + 0.004 * (step - len(years) + 1)))
        columns["members_total"].append(now)
        columns["members_under_35"].append(np.round(steady(now * young)))
        columns["members_over_60"].append(np.round(steady(now * old)))
    for metric, values in columns.items():
        book.put(metric, years, np.stack(values, axis=1))


def _put_money(
    book: FactBook,
    community: Mask,
    urbanity: Array,
    residents: Integers,
    factors: Factors,
    years: Sequence[int],
    rng: np.random.Generator,
) -> None:
    """Enter income and debt, in whole hundreds of yuan."""
    poor = factors.base["economy"]
    per_head = 350.0 * np.exp(-0.70 * poor + 0.35 * rng.normal(size=book.size) + 0.5 * urbanity)
    per_head = np.where(community, 0.75 * per_head, per_head)
    income = residents * per_head
    ratio = 0.42 * np.exp(0.85 * factors.base["audit"] + 0.6 * rng.normal(size=book.size))
    ratio = np.where(rng.random(book.size) < 0.22, 0.0, np.minimum(ratio, 9.0))
    incomes, debts = [], []
    for step in range(len(years)):
        trend = (1.05 ** (step - len(years) + 1)) * np.exp(0.06 * rng.normal(size=book.size))
        incomes.append(np.maximum(np.round(steady(income * trend / 100.0)), 30.0) * 100.0)
        swing = np.exp(0.08 * rng.normal(size=book.size))
        debts.append(np.round(steady(income * ratio * swing / 100.0)) * 100.0)
    book.put("collective_income", years, np.stack(incomes, axis=1))
    book.put("collective_debt", years, np.stack(debts, axis=1))


def _put_committee(
    book: FactBook,
    community: Mask,
    residents: Integers,
    factors: Factors,
    years: Sequence[int],
    quarters: Sequence[int],
    rng: np.random.Generator,
) -> Array:
    size_class = np.searchsorted(np.array([1_500, 4_500]), residents)
    seats = np.where(community, np.array([5, 7, 9])[size_class], np.array([3, 5, 7])[size_class]).astype(
        float
    )
    book.put("committee_seats", years, np.repeat(seats[:, None], len(years), axis=1))
    trouble = factors.over_time("committee")[:, list(quarters)]
    empty = steady(np.clip(0.07 * np.exp(0.75 * trouble), 0.0, 0.5))
    wait = rng.random((book.size, 9, 1)) + 0.02 * rng.normal(size=(book.size, 9, len(quarters)))
    vacant = (wait < empty[:, None, :]) & (np.arange(9)[None, :, None] < seats[:, None, None])
    members = np.maximum(seats[:, None] - vacant.sum(axis=1), 1.0)
    book.put("committee_members", quarters, members)
    return seats


def make_flows(book: FactBook, residents: Array, factors: Factors, rng: np.random.Generator) -> None:
    """Enter the monthly flows and the petition backlog.

    Flows are entered for every month from the first that a 12-month window of the first snapshot needs,
    zeros included; disciplinary cases reach back as far as their 24-month window needs.
    """
    count = len(book.calendar.month_ends)
    everything = range(count)
    recent = range(count - book.calendar.snapshots - FLOW_HISTORY, count)
    conflict = factors.over_time("conflict")
    committee = factors.over_time("committee")
    season = np.array([1.0 + 0.12 * np.cos(2 * np.pi * (d.month - 3) / 12) for d in book.calendar.month_ends])
    rate = residents[:, None] / 1000.0 * 2.5 / 12.0 * season * np.exp(0.85 * conflict)
    petitions = rng.poisson(steady(np.minimum(rate, 40.0)))
    book.put("petitions_total", recent, petitions[:, list(recent)])
    grouped = rng.binomial(petitions, steady(np.clip(0.042 * np.exp(0.45 * conflict), 0.0, 0.35)))
    book.put("petitions_group", recent, grouped[:, list(recent)])
    arriving = rng.poisson(steady(np.minimum(0.080 * np.exp(0.95 * conflict), 1.5)))
    backlog = np.zeros((book.size, count))
    held = rng.poisson(steady(np.minimum(0.40 * np.exp(0.9 * conflict[:, 0]), 6.0)))
    for month in everything:
        push = 0.12 + 0.10 * max(0.0, 1.0 - (count - 1 - month) / 8.0)
        held = held - rng.binomial(held, push) + arriving[:, month]
        backlog[:, month] = held
    book.put("petitions_backlog", recent, backlog[:, list(recent)])
    meetings = rng.poisson(steady(np.clip(1.02 * np.exp(-0.26 * committee), 0.1, 3.0)))
    book.put("meetings_held", recent, meetings[:, list(recent)])
    on_time = rng.random((book.size, count)) < steady(1.0 / (1.0 + np.exp(-(2.65 - 1.05 * committee))))
    book.put("disclosures_on_time", recent, on_time[:, list(recent)].astype(float))
    cases = rng.poisson(steady(np.minimum(0.012 * np.exp(0.85 * factors.over_time("audit")), 0.4)))
    book.put("disciplinary_cases", everything, cases)
