"""Disputes, plans of units, screenings, talks, reviews, leads and posts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from huanjie_lib.sample.audits import Refs
from huanjie_lib.sample.calendar import FLOW_HISTORY, Calendar
from huanjie_lib.sample.frames import NO_DAY, conform, text_of
from huanjie_lib.sample.latent import Factors
from huanjie_lib.sample.streams import Array, Integers, Mask, Texts, steady
from huanjie_lib.vocabulary import (
    DisputeCategory,
    LeadKind,
    PostKind,
    ReviewOpinion,
    ScreeningMethod,
    TalkTarget,
)

__all__ = [
    "make_disputes",
    "make_leads",
    "make_posts",
    "make_reviews",
    "make_screenings",
    "make_talks",
    "make_unit_plans",
]

_CATEGORY_SHARES = (0.16, 0.26, 0.16, 0.07, 0.02, 0.02, 0.06, 0.14, 0.11)
_LEAD_SHARES = (0.42, 0.12, 0.08, 0.22, 0.16)
_LEADERS = (  # three a sub-district, town and township, in the order of the digit that tells them apart
    *("街道党工委书记", "街道办事处主任", "街道党工委副书记"),
    *("镇党委书记", "镇长", "镇党委副书记"),
    *("乡党委书记", "乡长", "乡党委副书记"),
)
_SHORT_LIVED = ("法院", "公安局")
_MONTH = 30.4375


def _numbered(unit: Integers) -> Integers:
    """Return 1, 2, … within each unit; ``unit`` ascending."""
    first = np.concatenate([[True], unit[1:] != unit[:-1]]) if len(unit) else np.zeros(0, dtype=np.bool_)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(unit)), 0))
    return np.arange(len(unit)) - starts + 1


def _serial(codes: Texts, unit: Integers, letter: str) -> Texts:
    numbers = np.array([f"-{letter}{n:02d}" for n in _numbered(unit).tolist()], dtype=str)
    return np.char.add(codes[unit], numbers)


def make_disputes(
    calendar: Calendar, unit_codes: Sequence[str], factors: Factors, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw incidents month by month; troubled units have more, and they last longer."""
    months = len(calendar.month_ends)
    conflict = factors.over_time("conflict")
    counts = rng.poisson(steady(np.minimum(0.11 * np.exp(0.72 * conflict), 1.0)))
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    unit, month = cell // months, cell % months
    trouble = conflict[unit, month]
    opened = calendar.days[month] - rng.integers(0, 28, len(unit))
    rush = np.where(opened > calendar.today - 240, 0.85, 1.0)
    took = np.exp(4.30 + 0.95 * rng.normal(size=len(unit)) + 0.36 * np.clip(trouble, -2, 3)) * rush
    cap = np.where(opened < calendar.today - 500, 480.0, 10_000.0)
    resolved = calendar.past(opened + np.floor(steady(np.clip(took, 2.0, cap))))
    grouped = rng.random(len(unit)) < steady(np.clip(0.05 * np.exp(0.5 * trouble), 0, 0.3))
    people = np.where(grouped, 12 + rng.poisson(18, len(unit)), 1 + rng.poisson(3.0, len(unit)))
    led = rng.random(len(unit)) < np.clip(0.84 - 0.09 * trouble, 0.4, 0.99)
    stabilising = calendar.past(opened + rng.integers(3, 30, len(unit)))
    resolving = calendar.past(opened + rng.integers(5, 45, len(unit)))
    planned = rng.random((2, len(unit))) < np.clip(0.88 - 0.08 * trouble, 0.4, 0.99)
    categories = [c.value for c in DisputeCategory]
    codes = np.array(unit_codes)
    return conform(
        "disputes",
        {
            "dispute_id": _serial(codes, unit, "D"),
            "unit_code": text_of(unit_codes, unit),
            "category": text_of(categories, rng.choice(len(categories), len(unit), p=_CATEGORY_SHARES)),
            "opened_on": opened,
            "resolved_on": resolved,
            "is_group": grouped,
            "people_involved": people,
            "has_leader": led,
            "stabilisation_plan_on": np.where(planned[0], stabilising, NO_DAY),
            "resolution_plan_on": np.where(planned[1], resolving, NO_DAY),
        },
    )


def make_unit_plans(
    calendar: Calendar, unit_codes: Sequence[str], factors: Factors, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the plans of units: the more trouble, the likelier; careless townships leave some of them out.

    Only units with any of the three have a row. A few officials are named without the date.
    """
    size = len(unit_codes)
    trouble = np.mean([factors.at(topic, -1) for topic in factors.base], axis=0)
    taken_up = rng.random(size) < steady(1.0 / (1.0 + np.exp(-(1.7 * trouble - 1.4))))
    careless = np.clip(factors.township, -2.0, 2.0)
    there = rng.random((3, size)) < steady(np.array([[0.93], [0.86], [0.82]]) - 0.05 * careless)
    there &= taken_up
    begun = calendar.today - rng.integers(25, 260, size)
    stabilising = calendar.past(begun + rng.integers(3, 25, size))
    resolving = calendar.past(begun + rng.integers(5, 60, size))
    undated = rng.random(size) < 0.03
    rows = np.flatnonzero(there.any(axis=0))
    place = np.array([int(code[6]) for code in unit_codes])
    leader = np.where(there[0], 3 * place + rng.integers(0, 3, size), -1)
    return conform(
        "unit_plans",
        {
            "unit_code": text_of(unit_codes, rows),
            "leader": text_of(_LEADERS, leader[rows]),
            "leader_on": np.where(there[0] & ~undated, begun, NO_DAY)[rows],
            "stabilisation_plan_on": np.where(there[1], stabilising, NO_DAY)[rows],
            "resolution_plan_on": np.where(there[2], resolving, NO_DAY)[rows],
        },
    )


def make_screenings(
    calendar: Calendar,
    unit_codes: Sequence[str],
    households: Array,
    factors: Factors,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw screenings every few months; careless townships let them lapse."""
    size = len(unit_codes)
    first = calendar.today - _MONTH * (calendar.snapshots + 4)
    slack = 0.6 * factors.base["procedure"] + 0.4 * factors.township
    interval = np.clip(104.0 * np.exp(0.28 * slack), 45.0, 240.0)
    most = int((calendar.today - first) / 45.0) + 2
    gaps = interval[:, None] * rng.uniform(0.55, 1.5, (size, most))
    gaps[:, 0] = rng.uniform(0, 90, size)
    days = np.floor(steady(first + np.cumsum(gaps, axis=1))).astype(np.int64)
    unit, nth = np.nonzero(days <= calendar.today)
    methods = [m.value for m in ScreeningMethod]
    visited = rng.binomial(households[unit].astype(np.int64), steady(rng.uniform(0.15, 0.6, len(unit))))
    return conform(
        "screenings",
        {
            "screening_id": _serial(np.array(unit_codes), unit, "S"),
            "unit_code": text_of(unit_codes, unit),
            "screened_on": days[unit, nth],
            "method": text_of(methods, rng.choice(3, len(unit), p=[0.6, 0.25, 0.15])),
            "led_by_secretary": rng.random(len(unit)) < np.clip(0.86 - 0.08 * slack[unit], 0.3, 0.98),
            "households_visited": visited,
        },
    )


def make_talks(
    calendar: Calendar, unit_codes: Sequence[str], factors: Factors, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the state of talks at the last four month ends: due stays, done grows."""
    size = len(unit_codes)
    reports = calendar.days[-4:]
    targets = [t.value for t in TalkTarget]
    due = np.stack([rng.poisson(mean, size) + low for mean, low in ((0.7, 0), (4.5, 2), (2.5, 1))], axis=1)
    pace = np.clip(0.17 - 0.04 * factors.base["procedure"], 0.05, 0.5)
    done = np.zeros((len(reports), size, len(targets)), dtype=np.int64)
    for step in range(len(reports)):
        share = steady(np.clip(pace * (1.0 + 0.75 * step), 0.0, 0.97))
        before = done[step - 1] if step else done[step]
        done[step] = before + rng.binomial(due - before, share[:, None])
    return conform(
        "talks",
        {
            "unit_code": text_of(unit_codes, np.tile(np.repeat(np.arange(size), 3), len(reports))),
            "as_of": np.repeat(reports, size * len(targets)),
            "target": text_of(targets, np.tile(np.arange(3), size * len(reports))),
            "due": np.tile(due.ravel(), len(reports)),
            "done": done.ravel(),
        },
    )


def make_reviews(
    calendar: Calendar,
    unit_codes: Sequence[str],
    departments: Sequence[str],
    factors: Factors,
    refs: Refs,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw the opinions of every department on the candidates of each unit.

    Most units are finished; in the others some departments have not answered yet. Opinions of courts and
    police hold four months, all others longer, so that some expire before they are renewed.
    """
    size = len(unit_codes)
    trouble = factors.base["review"]
    people = np.clip(2 + rng.binomial(4, 0.36, size), 2, 6)
    unit = np.repeat(np.arange(size), people)
    candidate = np.array(refs.take(len(unit)))
    begun = calendar.today - 118 + rng.integers(0, 70, size)[unit] + rng.integers(0, 20, len(unit))
    waiting = rng.random(size) < steady(
        1.0 / (1.0 + np.exp(-(-1.05 + 0.90 * trouble + 0.3 * factors.township)))
    )
    slow = np.where(waiting, rng.uniform(0.08, 0.65, size), 0.0)[unit]
    adverse = steady(np.clip(0.032 * np.exp(0.85 * trouble), 0, 0.35))[unit]
    refused = rng.random(len(unit)) < adverse
    refusing = rng.integers(0, len(departments), len(unit))
    row = np.repeat(np.arange(len(unit)), len(departments))
    column = np.tile(np.arange(len(departments)), len(unit))
    given = begun[row] + rng.integers(2, 26, len(row))
    pending = (rng.random(len(row)) < slow[row]) | (given > calendar.today)
    validity = np.where(np.isin(np.array(departments)[column], _SHORT_LIVED), 120, 180)
    early = rng.random(size) < steady(np.clip(0.025 * np.exp(0.5 * trouble), 0, 0.2))
    given = np.where(early[unit][row], given - 45, given)
    against = refused[row] & (column == refusing[row])
    opinion = np.where(
        pending,
        ReviewOpinion.PENDING.value,
        np.where(against, ReviewOpinion.ADVERSE.value, ReviewOpinion.FAVOURABLE.value),
    )
    return conform(
        "reviews",
        {
            "candidate_ref": candidate[row],
            "unit_code": text_of(unit_codes, unit[row]),
            "department": text_of(departments, column),
            "opinion": opinion,
            "given_on": np.where(pending, NO_DAY, given),
            "expires_on": np.where(pending, NO_DAY, given + validity),
        },
    )


def make_leads(
    calendar: Calendar,
    unit_codes: Sequence[str],
    electors: Array,
    factors: Factors,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw leads by day and kind; they grow as the election draws near."""
    months = calendar.snapshots + FLOW_HISTORY
    offset = len(calendar.month_ends) - months
    trouble = factors.over_time("election")[:, offset:]
    near = 1.0 + 1.6 * np.exp(-(np.arange(months)[::-1]) / 5.0)
    rate = electors[:, None] / 1000.0 * 0.027 * near * np.exp(0.95 * trouble)
    counts = rng.poisson(steady(np.minimum(rate, 1.5)))
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    unit, month = cell // months, cell % months + offset
    day = calendar.days[month] - rng.integers(0, 28, len(unit))
    kind = rng.choice(len(_LEAD_SHARES), len(unit), p=_LEAD_SHARES)
    grouped = pd.DataFrame({"unit": unit, "day": day, "kind": kind}).value_counts(sort=False).reset_index()
    kinds = [k.value for k in LeadKind]
    return conform(
        "leads",
        {
            "unit_code": text_of(unit_codes, grouped["unit"].to_numpy()),
            "received_on": grouped["day"].to_numpy(),
            "kind": text_of(kinds, grouped["kind"].to_numpy()),
            "count": grouped["count"].to_numpy(),
        },
    )


def make_posts(unit_codes: Sequence[str], community: Mask, seats: Integers) -> pd.DataFrame:
    """Return seats by post; secretary, director, deputies and members add up to the committee's seats."""
    deputies = np.where(seats >= 7, 2, np.where(seats >= 5, 1, 0))
    members = seats - 2 - deputies
    overseers = np.where(community, 3, np.where(seats >= 5, 3, 1))
    unit_parts, post_parts, seat_parts = [], [], []
    every = np.arange(len(unit_codes))
    for post, number in (
        (PostKind.SECRETARY, np.ones_like(seats)),
        (PostKind.DIRECTOR, np.ones_like(seats)),
        (PostKind.DEPUTY, deputies),
        (PostKind.MEMBER, members),
        (PostKind.SUPERVISION, overseers),
    ):
        here = number > 0
        unit_parts.append(every[here])
        post_parts.append(np.full(int(here.sum()), post.value))
        seat_parts.append(number[here])
    return conform(
        "posts",
        {
            "unit_code": text_of(unit_codes, np.concatenate(unit_parts)),
            "post": np.concatenate(post_parts),
            "seats": np.concatenate(seat_parts),
        },
    )
