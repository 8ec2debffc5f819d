"""Indicator values of every unit at a date, with what is known about each value.

Every measure answers with a value and a ``known`` mask; an unknown value is NaN and is never turned into a
number. The rules of evidence are:

* a ledger the office keeps itself (audit projects, notices, screenings) is complete once it has any row: a
  unit without a project has *not* been audited, which is known and bad;
* the absence of incidents is believed only where somebody looked: a unit without disputes has zero
  disputes once it has been screened, and an unknown number before;
* a figure a unit has to report is unknown until it is reported; one of ``facts`` is unknown again once it is
  older than its metric's ``max_age_days``, while the last roll check and the last report on talks hold;
* a cell without which a row cannot be judged (the deadline of an open problem, the expiry of an opinion,
  whether a dispute became a group incident) leaves the unit's value unknown, never good;
* a table that was not supplied at all leaves its measures unknown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.parameters import (
    ChangeMeasure,
    DerivedMeasure,
    Indicator,
    MetricMeasure,
    ParameterSet,
)
from huanjie_lib.risk.audits import (
    CONCLUDED,
    MemberState,
    current_projects,
    item_state,
    member_state,
    notice_state,
    objections_pending,
    of_current_project,
    problem_state,
)
from huanjie_lib.risk.moment import Evidence, Moment, Observed, unknown
from huanjie_lib.risk.prepared import NEVER, Bools, Floats, Ints, Prepared, Rows, taken
from huanjie_lib.vocabulary import ReviewOpinion, Severity, ValueStatus, date_text

__all__ = [
    "CELLS",
    "CONCLUDED",
    "MEASURES",
    "IndicatorValues",
    "Moment",
    "Observed",
    "counted_screenings",
    "current_projects",
    "disputes_lacking",
    "indicator_values",
    "latest_report",
    "latest_screening",
    "open_disputes",
    "review_counts",
]

Measure = Callable[[Moment, Mapping[str, Any]], Observed]


def _observed(
    at: Moment,
    table: str,
    value: Floats,
    known: Bools,
    *,
    rows: Rows | None,
    mask: Bools | None,
    day: Ints | None,
    read: Bools | None = None,
    also: tuple[Evidence, ...] = (),
) -> Observed:
    """Assemble an answer; the last row of ``mask`` by ``day`` is named as the deciding one.

    What the value was computed from are the rows of ``read``, of ``mask`` where omitted, and of ``also``.
    """
    row = np.full(at.size, -1, dtype=np.int64)
    when = np.where(known, np.int64(at.day), NEVER)
    if rows is not None and mask is not None:
        chosen = np.flatnonzero(mask)
        if day is not None:
            chosen = chosen[np.argsort(day[chosen], kind="stable")]
            when[rows.unit[chosen]] = np.minimum(day[chosen], at.day)
        row[rows.unit[chosen]] = chosen
    evidence = also
    used = mask if read is None else read
    if at.trace and rows is not None and used is not None:
        evidence = (_evidence(table, rows, used), *also)
    return Observed(
        value=np.where(known, value, np.nan),
        table=table,
        row=np.where(known, row, -1),
        day=np.where(known, when, NEVER),
        stale=np.zeros(at.size, dtype=bool),
        evidence=evidence,
    )


def _evidence(table: str, rows: Rows, used: Bools) -> Evidence:
    chosen = np.flatnonzero(used)
    return Evidence(table, (), rows.unit[chosen], chosen)


def _audited(at: Moment, *, items: bool = False, members: bool = False) -> tuple[Evidence, ...]:
    """Return the project of the audit that counts and, where asked for, all that decides its conclusion."""
    current, projects = current_projects(at) if at.trace else None, at.inherited("audit_projects")
    if current is None or projects is None:
        return ()
    found = [_evidence("audit_projects", projects, current[1])]
    rows = at.inherited("audit_items")
    if items and rows is not None:
        found.append(_evidence("audit_items", rows, of_current_project(at, rows)))
    state = member_state(at) if members else None
    if state is not None:
        found += [_evidence("audit_subjects", state.rows, state.listed), *_members_due(at, state)]
    return tuple(found)


def _members_due(at: Moment, state: MemberState) -> tuple[Evidence, ...]:
    """Return what the list of members is held against: the committee's size and those who have left."""
    found: list[Evidence] = []
    if not at.trace:
        return ()
    committee, leavers = at.prepared.metrics.get("committee_members"), at.inherited("leavers")
    if committee is not None:
        found.append(Evidence.of_facts("committee_members", committee.latest(at.size, at.day)[2]))
    if leavers is not None and state.leavers is not None:
        found.append(_evidence("leavers", leavers, state.leavers))
    return tuple(found)


def _screened(at: Moment) -> tuple[Evidence, ...]:
    """Return the screenings that say that somebody looked for incidents."""
    state = counted_screenings(at) if at.trace else None
    return () if state is None else (_evidence("screenings", *state),)


# --- audit -----------------------------------------------------------------------------------------------


def _audit_items_incomplete(at: Moment, _: Mapping[str, Any]) -> Observed:
    state = item_state(at)
    if state is None:
        return unknown(at, "audit_items")
    rows = at.inherited("audit_items")
    mask = None if rows is None else of_current_project(at, rows) & (rows.day("concluded_on") <= at.day)
    known = np.ones(at.size, dtype=bool)
    day = None if rows is None else rows.day("concluded_on")
    value = 1.0 - state.concluded / state.required
    read = None if rows is None else of_current_project(at, rows)
    return _observed(
        at, "audit_items", value, known, rows=rows, mask=mask, day=day, read=read, also=_audited(at)
    )


def _audit_members_unaudited(at: Moment, _: Mapping[str, Any]) -> Observed:
    state = member_state(at)
    if state is None:
        return unknown(at, "audit_subjects")
    known = state.due > 0
    value = 1.0 - state.concluded / np.where(known, state.due, 1.0)
    day, also = state.rows.day("concluded_on"), (*_members_due(at, state), *_audited(at))
    return _observed(
        at, "audit_subjects", value, known, rows=state.rows, mask=state.listed, day=day, also=also
    )


def _audit_problems_open(at: Moment, options: Mapping[str, Any]) -> Observed:
    state = problem_state(at)
    if state is None:
        return unknown(at, "audit_problems")
    rows = state.rows
    points = np.where(rows.equals("severity", Severity.MAJOR.value), float(options["major_weight"]), 1.0)
    value, day = at.count(rows, state.is_open, points), rows.day("found_on")
    also = _audited(at, items=True)
    return _observed(
        at, "audit_problems", value, state.known, rows=rows, mask=state.is_open, day=day, also=also
    )


def _audit_problems_overdue(at: Moment, _: Mapping[str, Any]) -> Observed:
    state = problem_state(at)
    if state is None:
        return unknown(at, "audit_problems")
    rows, late = state.rows, state.is_overdue
    known = state.known & (at.count(rows, state.is_undated) == 0)
    value, day = at.count(rows, late), rows.day("found_on")
    also, read = _audited(at, items=True), state.is_open
    return _observed(at, "audit_problems", value, known, rows=rows, mask=late, day=day, read=read, also=also)


def _audit_notice_deficit(at: Moment, options: Mapping[str, Any]) -> Observed:
    state = notice_state(at, int(options["min_days"]), int(options["min_gap_days"]))
    if state is None:
        return unknown(at, "audit_notices")
    value = np.maximum(float(options["min_count"]) - state.counted, 0.0)
    known = np.ones(at.size, dtype=bool)
    day = state.rows.day("start_on")
    also = _audited(at, items=True, members=True)
    return _observed(at, "audit_notices", value, known, rows=state.rows, mask=state.mine, day=day, also=also)


def _audit_objections_open(at: Moment, _: Mapping[str, Any]) -> Observed:
    notices = at.inherited("audit_notices")
    if notices is None:
        return unknown(at, "audit_notices")
    mine = of_current_project(at, notices) & (notices.day("start_on") <= at.day)
    pending = objections_pending(notices)
    unsure = mine & np.isnan(pending)
    known = (at.count(notices, mine) > 0) & (at.count(notices, unsure) == 0)
    value = at.count(notices, mine & (pending > 0), pending)
    day, also = notices.day("start_on"), _audited(at)
    return _observed(at, "audit_notices", value, known, rows=notices, mask=mine, day=day, also=also)


# --- qualification review --------------------------------------------------------------------------------


def review_counts(at: Moment, departments: tuple[str, ...] | None) -> dict[str, Floats] | None:
    """Return by unit: candidates, opinions given, of these expired and without expiry, candidates refused.

    A candidate is known from the first opinion given on the day or before; one on whom no opinion is dated
    is known throughout. Where ``departments`` are named only their opinions count as given; an adverse
    opinion (不同意) counts whoever gave it.
    """
    reviews = at.rows("reviews")
    if reviews is None:
        return None
    given_on = reviews.day("given_on")
    ref = reviews.code("candidate_ref") + 1
    candidate, found = pd.factorize(reviews.unit * (ref.max(initial=0) + 1) + ref)
    candidates = len(found)
    first = np.full(candidates, NEVER)
    np.minimum.at(first, candidate, given_on)
    owner = np.zeros(candidates, dtype=np.int64)
    owner[candidate] = reviews.unit
    present = (first[candidate] <= at.day) | (first[candidate] == NEVER)
    stated = present & (given_on <= at.day)
    given = stated & reviews.equals("opinion", ReviewOpinion.FAVOURABLE.value, ReviewOpinion.ADVERSE.value)
    if departments is not None:
        given &= reviews.equals("department", *departments)

    def people(mask: Bools) -> Floats:
        return np.bincount(owner[np.unique(candidate[mask])], minlength=at.size).astype(np.float64)

    return {
        "candidates": people(present),
        "given": at.count(reviews, given),
        "expired": at.count(reviews, given & (reviews.day("expires_on") < at.day)),
        "undated": at.count(reviews, given & (reviews.day("expires_on") == NEVER)),
        "adverse": people(stated & reviews.equals("opinion", ReviewOpinion.ADVERSE.value)),
    }


def _review(at: Moment, options: Mapping[str, Any], value: Callable[[dict[str, Floats]], Floats]) -> Observed:
    counts = review_counts(at, options.get("departments"))
    reviews = at.rows("reviews")
    if counts is None or reviews is None:
        return unknown(at, "reviews")
    with np.errstate(divide="ignore", invalid="ignore"):
        answer = value(counts)
    mask = reviews.day("given_on") <= at.day
    known = np.isfinite(answer)
    day = reviews.day("given_on")
    read = mask | (day == NEVER)
    return _observed(at, "reviews", answer, known, rows=reviews, mask=mask, day=day, read=read)


def _review_incomplete(at: Moment, options: Mapping[str, Any]) -> Observed:
    wanted = float(len(options["departments"]))
    return _review(at, options, lambda c: 1.0 - c["given"] / (c["candidates"] * wanted))


def _review_adverse(at: Moment, options: Mapping[str, Any]) -> Observed:
    return _review(at, options, lambda c: c["adverse"] / c["candidates"])


def _review_expired(at: Moment, options: Mapping[str, Any]) -> Observed:
    return _review(at, options, lambda c: np.where(c["undated"] == 0, c["expired"] / c["given"], np.nan))


# --- past elections and leads ----------------------------------------------------------------------------


def _last_election(at: Moment, value: Callable[[Rows], Floats]) -> Observed:
    elections = at.rows("election_history")
    if elections is None:
        return unknown(at, "election_history")
    day = elections.day("election_on")
    order = np.argsort(day, kind="stable")
    order = order[day[order] <= at.day]
    row = np.full(at.size, -1, dtype=np.int64)
    row[elections.unit[order]] = order
    with np.errstate(divide="ignore", invalid="ignore"):
        every = value(elections)
    answer = taken(every, row, np.nan)
    known = np.isfinite(answer)
    mask = np.zeros(len(elections), dtype=bool)
    mask[row[row >= 0]] = True
    return _observed(at, "election_history", answer, known, rows=elections, mask=mask, day=day)


def _election_turnout(at: Moment, _: Mapping[str, Any]) -> Observed:
    return _last_election(at, lambda e: e.number("ballots") / e.number("electors"))


def _election_invalid_share(at: Moment, _: Mapping[str, Any]) -> Observed:
    return _last_election(at, lambda e: e.number("invalid_ballots") / e.number("ballots"))


def _election_proxy_share(at: Moment, _: Mapping[str, Any]) -> Observed:
    return _last_election(at, lambda e: e.number("proxy_ballots") / e.number("ballots"))


def _election_margin(at: Moment, _: Mapping[str, Any]) -> Observed:
    def margin(elections: Rows) -> Floats:
        winner, runner_up = elections.number("winner_votes"), elections.number("runner_up_votes")
        unopposed = elections.number("candidates") == 1
        runner_up = np.where(unopposed & np.isnan(runner_up), 0.0, runner_up)
        return np.asarray((winner - runner_up) / (winner + runner_up))

    return _last_election(at, margin)


def _election_reruns(at: Moment, options: Mapping[str, Any]) -> Observed:
    elections = at.rows("election_history")
    if elections is None:
        return unknown(at, "election_history")
    day = elections.day("election_on")
    rows = np.flatnonzero(day <= at.day)
    rows = rows[np.lexsort((-day[rows], elections.unit[rows]))]
    unit = elections.unit[rows]
    place = np.arange(rows.size) - np.searchsorted(unit, unit, side="left")
    recent = np.zeros(len(elections), dtype=bool)
    recent[rows[place < int(options["terms"])]] = True
    rerun = elections.number("rerun")
    known = (at.count(elections, recent) > 0) & (at.count(elections, recent & np.isnan(rerun)) == 0)
    value = at.count(elections, recent & (rerun > 0))
    return _observed(at, "election_history", value, known, rows=elections, mask=recent, day=day)


def _leads_rate(at: Moment, options: Mapping[str, Any]) -> Observed:
    leads = at.rows("leads")
    if leads is None:
        return unknown(at, "leads")
    electors = at.stock(str(options["electors_metric"]))
    day = leads.day("received_on")
    recent = (day > at.months_back(int(options["months"]))) & (day <= at.day)
    known = electors.value > 0
    value = 1000.0 * at.count(leads, recent, leads.number("count")) / np.where(known, electors.value, 1.0)
    answer = _observed(at, "leads", value, known, rows=leads, mask=recent, day=day, also=electors.evidence)
    return replace(answer, stale=electors.stale)


# --- disputes, screenings, talks, roll -------------------------------------------------------------------


def open_disputes(at: Moment) -> tuple[Rows, Bools, Bools] | None:
    """Return the incidents, which are open, and by unit where their number is known.

    It is known where the unit has been screened, or an incident recorded, on the day or before. Incidents of
    a unit merged or renumbered are its successor's. ``None`` where there is no ledger of disputes.
    """
    disputes = at.inherited("disputes")
    state = counted_screenings(at)
    if disputes is None:
        return None
    opened = disputes.day("opened_on") <= at.day
    known = np.zeros(at.size, dtype=bool)
    known[disputes.unit[opened]] = True
    if state is not None:
        screenings, counts = state
        known[screenings.unit[counts]] = True
    return disputes, opened & (disputes.day("resolved_on") > at.day), known


def _disputes_open(at: Moment, _: Mapping[str, Any]) -> Observed:
    state = open_disputes(at)
    if state is None:
        return unknown(at, "disputes")
    disputes, is_open, known = state
    value = at.count(disputes, is_open)
    day = disputes.day("opened_on")
    return _observed(at, "disputes", value, known, rows=disputes, mask=is_open, day=day, also=_screened(at))


def _disputes_oldest_days(at: Moment, _: Mapping[str, Any]) -> Observed:
    state = open_disputes(at)
    if state is None:
        return unknown(at, "disputes")
    disputes, is_open, known = state
    day = disputes.day("opened_on")
    first = np.full(at.size, np.int64(at.day))
    np.minimum.at(first, disputes.unit[is_open], day[is_open])
    value = (at.day - first).astype(np.float64)
    oldest = is_open & (day == first[disputes.unit])
    return _observed(
        at, "disputes", value, known, rows=disputes, mask=oldest, day=day, read=is_open, also=_screened(at)
    )


def _disputes_group(at: Moment, options: Mapping[str, Any]) -> Observed:
    state = open_disputes(at)
    if state is None:
        return unknown(at, "disputes")
    disputes, _is_open, known = state
    day = disputes.day("opened_on")
    recent = (day > at.months_back(int(options["months"]))) & (day <= at.day)
    grouped = recent & (disputes.number("is_group") > 0)
    value = at.count(disputes, grouped)
    known = known & (at.count(disputes, recent & np.isnan(disputes.number("is_group"))) == 0)
    return _observed(
        at, "disputes", value, known, rows=disputes, mask=grouped, day=day, read=recent, also=_screened(at)
    )


def disputes_lacking(at: Moment, disputes: Rows) -> tuple[Bools, Bools, Bools]:
    """Return which incidents have no leader, no stabilisation plan and no resolution plan on the day."""
    return (
        ~(disputes.number("has_leader") > 0),
        ~(disputes.day("stabilisation_plan_on") <= at.day),
        ~(disputes.day("resolution_plan_on") <= at.day),
    )


def _disputes_without_plan(at: Moment, _: Mapping[str, Any]) -> Observed:
    state = open_disputes(at)
    if state is None:
        return unknown(at, "disputes")
    disputes, is_open, known = state
    bare = is_open & np.logical_or.reduce(disputes_lacking(at, disputes))
    total = at.count(disputes, is_open)
    value = at.count(disputes, bare) / np.where(total > 0, total, 1.0)
    day = disputes.day("opened_on")
    return _observed(
        at, "disputes", value, known, rows=disputes, mask=bare, day=day, read=is_open, also=_screened(at)
    )


def counted_screenings(at: Moment) -> tuple[Rows, Bools] | None:
    """Return the screenings, and which count: made on the day or before, of the unit as it is.

    A screening made before the merger from which its unit came was one of a part. ``None`` where there is no
    ledger of screenings.
    """
    screenings = at.inherited("screenings")
    if screenings is None:
        return None
    day, since = screenings.day("screened_on"), at.prepared.merged_on(at.day)[screenings.unit]
    return screenings, (day <= at.day) & (day >= since)


def latest_screening(at: Moment) -> Ints | None:
    """Return by unit the day of the last conflict screening, or ``None`` where there is no such ledger.

    Units never screened get minus :data:`~huanjie_lib.risk.prepared.NEVER`.
    """
    state = counted_screenings(at)
    if state is None:
        return None
    screenings, counts = state
    last = np.full(at.size, -NEVER)
    np.maximum.at(last, screenings.unit[counts], screenings.day("screened_on")[counts])
    return last


def _screening_age_days(at: Moment, _: Mapping[str, Any]) -> Observed:
    last, state = latest_screening(at), counted_screenings(at)
    if last is None or state is None:
        return unknown(at, "screenings")
    screenings, counts = state
    known = last > -NEVER
    value = np.where(known, at.day - last, 0).astype(np.float64)
    day = screenings.day("screened_on")
    return _observed(at, "screenings", value, known, rows=screenings, mask=counts, day=day)


def latest_report(at: Moment, rows: Rows) -> Bools:
    """Return the rows of each unit's last report on the day or before."""
    day = rows.day("as_of")
    usable = day <= at.day
    last = np.full(at.size, -NEVER)
    np.maximum.at(last, rows.unit[usable], day[usable])
    return np.asarray(usable & (day == last[rows.unit]))


def _talks_incomplete(at: Moment, _: Mapping[str, Any]) -> Observed:
    talks = at.rows("talks")
    if talks is None:
        return unknown(at, "talks")
    last = latest_report(at, talks)
    due, done = at.count(talks, last, talks.number("due")), at.count(talks, last, talks.number("done"))
    known = at.count(talks, last) > 0
    value = np.where(due > 0, 1.0 - done / np.where(due > 0, due, 1.0), 0.0)
    return _observed(at, "talks", value, known, rows=talks, mask=last, day=talks.day("as_of"))


def _roll_gap(at: Moment, _: Mapping[str, Any]) -> Observed:
    checks = at.rows("roll_checks")
    if checks is None:
        return unknown(at, "roll_checks")
    last = latest_report(at, checks)
    expected = (
        checks.number("hukou_adults")
        - checks.number("away_declined")
        + checks.number("nonlocal_approved")
        - checks.number("disqualified")
    )
    gap = np.abs(expected - (checks.number("registered") - checks.number("duplicates")))
    total = at.count(checks, last & ~np.isnan(gap), expected)
    known = (total > 0) & (at.count(checks, last & np.isnan(gap)) == 0)
    value = at.count(checks, last & ~np.isnan(gap), gap) / np.where(known, total, 1.0)
    return _observed(at, "roll_checks", value, known, rows=checks, mask=last, day=checks.day("as_of"))


MEASURES: Mapping[str, Measure] = {
    "audit_items_incomplete": _audit_items_incomplete,
    "audit_members_unaudited": _audit_members_unaudited,
    "audit_problems_open": _audit_problems_open,
    "audit_problems_overdue": _audit_problems_overdue,
    "audit_notice_deficit": _audit_notice_deficit,
    "audit_objections_open": _audit_objections_open,
    "review_incomplete": _review_incomplete,
    "review_adverse": _review_adverse,
    "review_expired": _review_expired,
    "election_turnout": _election_turnout,
    "election_invalid_share": _election_invalid_share,
    "election_margin": _election_margin,
    "election_proxy_share": _election_proxy_share,
    "election_reruns": _election_reruns,
    "leads_rate": _leads_rate,
    "disputes_open": _disputes_open,
    "disputes_oldest_days": _disputes_oldest_days,
    "disputes_group": _disputes_group,
    "disputes_without_plan": _disputes_without_plan,
    "screening_age_days": _screening_age_days,
    "talks_incomplete": _talks_incomplete,
    "roll_gap": _roll_gap,
}
"""Derived measures by the name a pack uses."""

_PROJECT = {"audit_projects": ("plan_on", "started_on", "ended_on")}
_ITEMS = {"audit_items": ("project_id", "item", "outcome", "concluded_on")}
_MEMBERS = {"audit_subjects": ("project_id", "person_ref", "term_from", "outcome", "concluded_on")}
_PROBLEMS = ("found_on", "closed_on", "evidence")
_OPINIONS = ("candidate_ref", "department", "opinion", "given_on")
_SCREENED = {"screenings": ("screened_on",)}
_OPEN = ("opened_on", "resolved_on")

CELLS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "audit_items_incomplete": {**_ITEMS, **_PROJECT},
    "audit_members_unaudited": {**_MEMBERS, "leavers": ("person_ref", "left_on"), **_PROJECT},
    "audit_problems_open": {"audit_problems": (*_PROBLEMS, "severity"), **_ITEMS, **_PROJECT},
    "audit_problems_overdue": {"audit_problems": (*_PROBLEMS, "due_on"), **_ITEMS, **_PROJECT},
    "audit_notice_deficit": {
        "audit_notices": ("project_id", "start_on", "end_on"),
        **_ITEMS,
        **_MEMBERS,
        "leavers": ("person_ref", "left_on"),
        **_PROJECT,
    },
    "audit_objections_open": {
        "audit_notices": ("project_id", "start_on", "objections", "answered"),
        **_PROJECT,
    },
    "review_incomplete": {"reviews": _OPINIONS},
    "review_adverse": {"reviews": ("candidate_ref", "opinion", "given_on")},
    "review_expired": {"reviews": (*_OPINIONS, "expires_on")},
    "election_turnout": {"election_history": ("election_on", "electors", "ballots")},
    "election_invalid_share": {"election_history": ("election_on", "ballots", "invalid_ballots")},
    "election_margin": {"election_history": ("election_on", "candidates", "winner_votes", "runner_up_votes")},
    "election_proxy_share": {"election_history": ("election_on", "ballots", "proxy_ballots")},
    "election_reruns": {"election_history": ("election_on", "rerun")},
    "leads_rate": {"leads": ("received_on", "count")},
    "disputes_open": {"disputes": _OPEN, **_SCREENED},
    "disputes_oldest_days": {"disputes": _OPEN, **_SCREENED},
    "disputes_group": {"disputes": ("opened_on", "is_group"), **_SCREENED},
    "disputes_without_plan": {
        "disputes": (*_OPEN, "has_leader", "stabilisation_plan_on", "resolution_plan_on"),
        **_SCREENED,
    },
    "screening_age_days": {**_SCREENED},
    "talks_incomplete": {"talks": ("as_of", "due", "done")},
    "roll_gap": {
        "roll_checks": (
            *("as_of", "hukou_adults", "away_declined", "nonlocal_approved", "disqualified"),
            *("registered", "duplicates"),
        )
    },
}
"""Columns that each derived measure reads, by table; besides the unit and, of ``facts``, the metric."""


# --- reported metrics ------------------------------------------------------------------------------------


def _ratio(top: Floats, below: Floats) -> Floats:
    """Return ``top / below``; unknown where ``below`` is not above zero or the quotient is not finite."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = top / below
    return np.where((below > 0) & np.isfinite(quotient), quotient, np.nan)


def _metric_measure(at: Moment, measure: MetricMeasure) -> Observed:
    top = at.stock(measure.metric) if measure.months is None else _flow(at, measure.metric, measure.months)
    value, stale, evidence = top.value * measure.scale, top.stale, top.evidence
    if measure.per is not None:
        if at.parameters.framework.metrics[measure.per].kind == "flow":
            below = _flow(at, measure.per, measure.months or 1)
        else:
            below = at.stock(measure.per)
        value = _ratio(value, below.value)
        stale = stale | below.stale
        evidence += below.evidence
    return Observed(value, "facts", top.row, top.day, stale, evidence)


def _flow(at: Moment, metric: str, months: int) -> Observed:
    history = at.prepared.metrics.get(metric)
    if history is None:
        return unknown(at, "facts")
    first, last = at.month_window(months)
    value, day, row = history.window(at.size, first, last, months)
    stale = np.isnan(value) & (row >= 0) & (day < first)
    evidence: tuple[Evidence, ...] = ()
    if at.trace:
        evidence = (Evidence("facts", (metric,), *history.rows_between(at.size, first, last)),)
    return Observed(value, "facts", row, day, stale, evidence)


def _change_measure(at: Moment, measure: ChangeMeasure) -> Observed:
    """Return the relative change; unknown unless both days have a value in force, of two reports."""
    now = at.stock(measure.metric)
    then = at.stock(measure.metric, at.months_back(measure.months))
    change = np.where(now.row != then.row, _ratio(now.value - then.value, then.value), np.nan)
    evidence = (*now.evidence, *then.evidence)
    return replace(now, value=change, stale=now.stale | then.stale, evidence=evidence)


def _observe(at: Moment, indicator: Indicator) -> Observed:
    measure = indicator.measure
    if isinstance(measure, DerivedMeasure):
        answer = MEASURES[measure.function](at, at.parameters.options(measure.options, at.date))
        cells = CELLS[measure.function]
        evidence = tuple(replace(e, columns=e.columns or cells[e.table]) for e in answer.evidence)
        return replace(answer, evidence=evidence)
    if isinstance(measure, MetricMeasure):
        return _metric_measure(at, measure)
    return _change_measure(at, measure)


@dataclass(frozen=True)
class IndicatorValues:
    """Values of all indicators of the units in force on a date.

    Parameters
    ----------
    as_of
        The date.
    units
        Rows of the ``units`` table in force, sorted by code, indexed by unit code.
    value
        Units × indicators, NaN where unknown, stale or not applicable.
    applies
        Units × indicators, whether the indicator applies to the unit's kind.
    observed
        The full answers by indicator, over all units of the prepared tables.
    positions
        Positions of ``units`` within the prepared tables.
    parameters
        The parameters they were computed with.
    """

    as_of: dt.date
    units: pd.DataFrame
    value: pd.DataFrame
    applies: pd.DataFrame
    observed: Mapping[str, Observed]
    positions: Ints
    parameters: ParameterSet

    def __repr__(self) -> str:
        """Return the size, the date and the share of values known."""
        return (
            f"IndicatorValues(units={len(self.units)}, indicators={self.value.shape[1]}, as_of={self.as_of}, "
            f"parameters={self.parameters.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return unit_code, indicator, value and status: one row per unit and indicator."""
        long = pd.DataFrame({"value": self.value.stack(), "status": self.status.stack()})
        return long.rename_axis(["unit_code", "indicator"]).reset_index()

    def explain(self, unit_code: str) -> str:
        """Return in Chinese how much of a unit's data is there, and what is lacking.

        Raises
        ------
        KeyError
            If no such unit is in force.
        """
        status = self.status.loc[[unit_code]].iloc[0]
        due = {str(i): str(word) for i, word in status.items() if word != ValueStatus.NOT_APPLICABLE}
        text = f"截至{date_text(self.as_of)}，{unit_code}应有指标{len(due)}项"
        for word in (ValueStatus.OBSERVED, ValueStatus.MISSING, ValueStatus.STALE):
            ids = [i for i, found in due.items() if found == word]
            if word is ValueStatus.OBSERVED:
                text += f"，{word.label}{len(ids)}项"
            elif ids:
                named = "、".join(self.parameters.framework.indicator(i).label for i in ids)
                text += f"，{word.label}{len(ids)}项（{named}）"
        return text + "。"

    @property
    def status(self) -> pd.DataFrame:
        """What is known of each value: units × indicators, values of ``vocabulary.ValueStatus``."""
        unknown = self.value.isna().to_numpy()
        stale = np.column_stack([self.observed[i].stale[self.positions] for i in self.value.columns])
        words = np.select(
            [~self.applies.to_numpy(), unknown & stale, unknown],
            [ValueStatus.NOT_APPLICABLE.value, ValueStatus.STALE.value, ValueStatus.MISSING.value],
            ValueStatus.OBSERVED.value,
        )
        return pd.DataFrame(words, index=self.value.index, columns=self.value.columns)


def indicator_values(
    prepared: Prepared, parameters: ParameterSet, as_of: dt.date, *, trace: bool = False
) -> IndicatorValues:
    """Compute all indicators of the units in force on a date.

    Nothing dated after ``as_of`` is used, so that a past snapshot comes out as it would have at the time.

    Parameters
    ----------
    prepared, parameters
        The tables and the parameters.
    as_of
        The date.
    trace
        Whether the answers name every row that they were computed from (:class:`Evidence`).

    Raises
    ------
    ParameterError
        If a rule that an indicator refers to is not in force on the date.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> facts = pd.DataFrame({"unit_code": ["990101001201"], "as_of": pd.to_datetime(["2026-09-30"]),
    ...                       "metric": ["reserve_people"], "value": [1.0]})
    >>> values = indicator_values(prepare({"units": units, "facts": facts}), load_parameters(),
    ...                           dt.date(2026, 10, 31))
    >>> values.value["reserve_people"].tolist(), values.status["roll_gap"].tolist()
    ([1.0], ['missing'])
    """
    at = Moment(prepared, parameters, as_of, trace)
    positions = np.flatnonzero(prepared.in_force(at.day)).astype(np.int64)
    units = prepared.units.iloc[positions]
    codes = pd.Index(units["unit_code"].astype("str"), name="unit_code")
    kinds = units["unit_kind"].astype("str").to_numpy(dtype=object)
    observed: dict[str, Observed] = {}
    value: dict[str, Floats] = {}
    applies: dict[str, Bools] = {}
    for indicator in parameters.framework.indicators:
        answer = _observe(at, indicator)
        observed[indicator.id] = answer
        applies[indicator.id] = np.isin(kinds, [k.value for k in indicator.applies_to])
        value[indicator.id] = np.where(applies[indicator.id], answer.value[positions], np.nan)
    return IndicatorValues(
        as_of=as_of,
        units=units.set_index(codes),
        value=pd.DataFrame(value, index=codes),
        applies=pd.DataFrame(applies, index=codes),
        observed=observed,
        positions=positions,
        parameters=parameters,
    )
