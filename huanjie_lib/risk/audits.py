"""The audit ledgers on one day: which audit counts, what it has concluded, which notices and problems count.

Gates, indicators and the audit ledger all read these answers, so that none of them can say otherwise than the
others. The rules:

* the audit that counts is the one begun last; after a merger only one begun since then, because the rows of
  merged units stand under one code and nothing in them says whose accounts an earlier audit covered;
* an audit has reached its conclusion when every item of the unit's checklist and every member has one;
* a notice counts when it begins no earlier than that day, has been posted for the required number of days
  (both end days counted) by the day asked about, and is separate from those already counted;
* a problem is closed only with evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Bools, Floats, Ints, Rows, taken
from huanjie_lib.vocabulary import AuditItem, AuditOutcome, AuditType, UnitKind, Word

__all__ = [
    "CONCLUDED",
    "ItemState",
    "MemberState",
    "NoticeStanding",
    "NoticeState",
    "ProblemState",
    "audit_concluded_on",
    "current_projects",
    "item_state",
    "items_due",
    "member_state",
    "notice_state",
    "objections_pending",
    "of_current_project",
    "problem_state",
]

CONCLUDED = (AuditOutcome.CLEAR.value, AuditOutcome.UNCLEAR.value)


class NoticeStanding(Word):
    """Whether a spell of notice counts, or the first reason why it does not."""

    COUNTS = "counts", "有效"
    OTHER_AUDIT = "other_audit", "不属于本次审计"
    UNFINISHED = "unfinished", "张贴时审计尚未全部作出结论"
    EARLY = "early", "早于审计结论"
    RUNNING = "running", "尚未期满"
    SHORT = "short", "天数不足"
    OVERLAP = "overlap", "与另一次重叠或间隔不够"


def current_projects(at: Moment) -> tuple[Ints, Bools] | None:
    """Return by unit the row of the audit project that counts on the day, and which project rows count.

    The project that counts is the one whose fieldwork, or plan where fieldwork has not begun by the day, is
    dated last, on the day or before; of several of one date the one with the last number. A project begun
    before the merger from which its unit came does not count. Returns ``None`` where there is no audit
    ledger.

    Examples
    --------
    >>> import datetime as dt
    >>> import pandas as pd
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["a", "b"], "unit_kind": ["village", "village"]})
    >>> projects = pd.DataFrame({"project_id": ["p", "q"], "unit_code": ["a", "a"],
    ...                          "started_on": pd.to_datetime(["2024-03-01", "2026-03-01"])})
    >>> prepared = prepare({"units": units, "audit_projects": projects})
    >>> current_projects(Moment(prepared, load_parameters(), dt.date(2026, 10, 31)))
    (array([ 1, -1]), array([False,  True]))
    """
    return at.once(_current_projects)


def _current_projects(at: Moment) -> tuple[Ints, Bools] | None:
    projects = at.inherited("audit_projects")
    if projects is None:
        return None
    began = _began(at, projects)
    number = projects.frame["project_id"].astype("str").rank(method="first").to_numpy()
    order = np.lexsort((number, began))
    since = at.prepared.merged_on(at.day)[projects.unit]
    order = order[(began[order] <= at.day) & (began[order] >= since[order])]
    row = np.full(at.size, -1, dtype=np.int64)
    row[projects.unit[order]] = order
    counts = np.zeros(len(projects), dtype=bool)
    counts[row[row >= 0]] = True
    return row, counts


def _began(at: Moment, projects: Rows) -> Ints:
    """Return the day on which each project began: fieldwork, or the plan where fieldwork has not."""
    started = projects.day("started_on")
    return np.where(started <= at.day, started, projects.day("plan_on"))


def _begun_on(at: Moment) -> Ints:
    """Return by unit the day on which the audit that counts began; ``NEVER`` where there is none."""
    projects, current = at.inherited("audit_projects"), current_projects(at)
    if projects is None or current is None:
        return np.full(at.size, NEVER)
    return np.append(_began(at, projects), NEVER)[current[0]]


def of_current_project(at: Moment, rows: Rows) -> Bools:
    """Return which rows belong to the audit project of their unit that counts on the day."""
    current = current_projects(at)
    if current is None:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(taken(current[1], rows.project, False))


@dataclass(frozen=True)
class ItemState:
    """Items of the checklist, by unit.

    Parameters
    ----------
    required, concluded, unclear
        Number of items due, with a conclusion, and with an unclear one.
    due, done
        Where each item is due and where it has a conclusion, shape (items, units), in the order of
        :class:`~huanjie_lib.vocabulary.AuditItem`.
    last
        Day of the last conclusion on an item, ``-NEVER`` where none.
    """

    required: Floats
    concluded: Floats
    unclear: Floats
    due: Bools
    done: Bools
    last: Ints


def items_due(at: Moment) -> Bools:
    """Return where each item of the checklist is due, shape (items, units), in the order of ``AuditItem``."""
    kinds = at.prepared.units["unit_kind"].to_numpy()
    lists = {kind.value: AuditItem.required(kind) for kind in UnitKind}
    return np.array(
        [np.isin(kinds, [kind for kind, items in lists.items() if item in items]) for item in AuditItem]
    )


def item_state(at: Moment) -> ItemState | None:
    """Return what the audit that counts has concluded on items; ``None`` where there is no audit ledger."""
    return at.once(_item_state)


def _item_state(at: Moment) -> ItemState | None:
    if current_projects(at) is None:
        return None
    items = at.inherited("audit_items")
    due = items_due(at)
    done, unclear = np.zeros_like(due), np.zeros_like(due)
    last = np.full(at.size, -NEVER)
    stated = None
    if items is not None:
        stated = of_current_project(at, items) & (items.day("concluded_on") <= at.day)
        stated &= items.equals("outcome", *CONCLUDED)
    for nth, item in enumerate(AuditItem):
        if items is not None and stated is not None:
            mine = stated & items.equals("item", item.value) & due[nth][items.unit]
            done[nth, items.unit[mine]] = True
            unclear[nth, items.unit[mine & items.equals("outcome", AuditOutcome.UNCLEAR.value)]] = True
            np.maximum.at(last, items.unit[mine], items.day("concluded_on")[mine])
    return ItemState(
        required=due.sum(axis=0, dtype=np.float64),
        concluded=done.sum(axis=0, dtype=np.float64),
        unclear=unclear.sum(axis=0, dtype=np.float64),
        due=due,
        done=done,
        last=last,
    )


@dataclass(frozen=True)
class MemberState:
    """Members to be audited, by unit.

    Parameters
    ----------
    rows, listed
        The subjects, and which of them the audit that counts lists.
    due
        Members to be audited: those listed, or the committee's reported size where that is larger, and those
        who left during the term, stand on no list and had no audit on leaving. 0 where nobody is listed.
    concluded, unclear
        Listed members with a conclusion, and with an unclear one.
    gone
        Of ``due``, those who left and are not listed.
    leavers
        Which rows of the leavers table they are; ``None`` where there is no such table.
    last
        Day of the last conclusion on a member, ``-NEVER`` where none.
    """

    rows: Rows
    listed: Bools
    due: Floats
    concluded: Floats
    unclear: Floats
    gone: Floats
    leavers: Bools | None
    last: Ints


def member_state(at: Moment) -> MemberState | None:
    """Return what the audit that counts has concluded on members; ``None`` where there is no list of them.

    Leaving a member off the list does not hide the gap: the list is held against the committee's reported
    size and against those known to have left.
    """
    return at.once(_member_state)


def _member_state(at: Moment) -> MemberState | None:
    subjects = at.inherited("audit_subjects")
    if subjects is None or current_projects(at) is None:
        return None
    mine = of_current_project(at, subjects)
    done = mine & (subjects.day("concluded_on") <= at.day) & subjects.equals("outcome", *CONCLUDED)
    listed = at.count(subjects, mine)
    due = listed
    committee = at.prepared.metrics.get("committee_members")
    if committee is not None:
        size = committee.latest(at.size, at.day)[0]  # however old: a smaller list has to be explained
        due = np.where(listed > 0, np.fmax(listed, size), listed)
    leavers = _unlisted_leavers(at, subjects, mine)
    gone = np.zeros(at.size)
    if leavers is not None:
        gone = np.where(listed > 0, at.count(*leavers), 0.0)
    last = np.full(at.size, -NEVER)
    np.maximum.at(last, subjects.unit[done], subjects.day("concluded_on")[done])
    return MemberState(
        rows=subjects,
        listed=mine,
        due=due + gone,
        concluded=at.count(subjects, done),
        unclear=at.count(subjects, done & subjects.equals("outcome", AuditOutcome.UNCLEAR.value)),
        gone=gone,
        leavers=None if leavers is None else leavers[1],
        last=last,
    )


def _unlisted_leavers(at: Moment, subjects: Rows, mine: Bools) -> tuple[Rows, Bools] | None:
    """Return the leavers of the term who are not listed and had no audit on leaving.

    One who left before the first of the listed members took office belongs to an earlier term. An audit on
    leaving is one of that type, or any whose conclusion on the person is dated on leaving or later.
    """
    leavers = at.inherited("leavers")
    if leavers is None:
        return None
    known = subjects.texts["person_ref"][1]
    codes, words = leavers.texts["person_ref"]
    nobody = len(known)
    theirs = np.array([*(known.get(word, nobody) for word in words), nobody], dtype=np.int64)[codes]
    person = leavers.unit * (nobody + 1) + theirs
    subject = subjects.unit * (nobody + 1) + subjects.code("person_ref")
    left, first = leavers.day("left_on"), np.full(at.size, NEVER)
    np.minimum.at(first, subjects.unit[mine], subjects.day("term_from")[mine])
    took_office = first[leavers.unit]
    of_term = (left == NEVER) | ((left <= at.day) & ((took_office == NEVER) | (left >= took_office)))
    done = (subjects.day("concluded_on") <= at.day) & subjects.equals("outcome", *CONCLUDED)
    audited = np.isin(person, subject[done & _of_type(at, subjects, AuditType.LEAVING)])
    audited |= _last_of(subject[done], subjects.day("concluded_on")[done], person) >= left
    return leavers, of_term & ~np.isin(person, subject[mine]) & ~audited


def _of_type(at: Moment, rows: Rows, kind: AuditType) -> Bools:
    projects = at.rows("audit_projects")
    if projects is None:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(taken(projects.equals("audit_type", kind.value), rows.project, False))


def _last_of(keys: Ints, days: Ints, wanted: Ints) -> Ints:
    """Return the last day dated for each wanted key; ``-NEVER`` where the key has none."""
    known, place = np.unique(keys, return_inverse=True)
    last = np.full(known.size + 1, -NEVER)
    np.maximum.at(last, place, days)
    at = np.searchsorted(known, wanted)
    found = np.isin(wanted, known)
    return np.where(found, last[np.where(found, at, known.size)], -NEVER)


def audit_concluded_on(at: Moment) -> Ints | None:
    """Return by unit the day on which the audit that counts reached its conclusion.

    It is the day of the last conclusion on an item or a member, or the last day of fieldwork where that is
    later; :data:`~huanjie_lib.risk.prepared.NEVER` where an item or a member due still has none. Where nobody
    is listed it is that of the items, since the gate on members says what is missing. ``None`` where there
    is no audit ledger.
    """
    items, members, current = item_state(at), member_state(at), current_projects(at)
    if items is None or current is None:
        return None
    last = items.last
    complete = (current[0] >= 0) & (items.concluded >= items.required)
    if members is not None:
        last = np.maximum(last, members.last)
        complete &= members.concluded >= members.due
    projects = at.inherited("audit_projects")
    if projects is not None:
        ended = taken(projects.day("ended_on"), current[0], NEVER)
        last = np.where(ended <= at.day, np.maximum(last, ended), last)
    return np.where(complete, last, NEVER)


@dataclass(frozen=True)
class NoticeState:
    """Spells of notice.

    Parameters
    ----------
    rows
        The notices.
    mine
        Which of them are of the audit that counts, and posted by the day.
    told
        Those, and any posted under another audit's number since the audit that counts began.
    standing
        :class:`NoticeStanding` of each posted row; ``None`` of one not posted by the day.
    days
        Days posted by the day asked about, both end days counted.
    counted, posted
        By unit, spells that count and spells posted under the audit that counts.
    """

    rows: Rows
    mine: Bools
    told: Bools
    standing: npt.NDArray[np.object_]
    days: Ints
    counted: Floats
    posted: Floats


def notice_state(at: Moment, min_days: int, min_gap_days: int) -> NoticeState | None:
    """Return which spells of notice count.

    A spell without an end day, or with one still to come, has run until the day asked about. Of spells that
    are not separate, the largest set that is gets counted, earliest end first (optimal for interval
    scheduling; Kleinberg & Tardos 2005, *Algorithm Design*, §4.1). ``None`` where there is no audit ledger or
    no notice at all.

    Parameters
    ----------
    at
        The day and the tables.
    min_days
        Days that a spell must have been posted.
    min_gap_days
        Whole days between the last day of one spell and the first of the next; 0 lets one follow the other.
    """
    notices, concluded = at.inherited("audit_notices"), audit_concluded_on(at)
    if notices is None or concluded is None:
        return None
    start = notices.day("start_on")
    end = np.minimum(notices.day("end_on"), at.day)
    posted = start <= at.day
    days = np.where(posted, end - start + 1, 0)
    mine = of_current_project(at, notices) & posted
    conclusion = concluded[notices.unit]
    running = notices.day("end_on") > at.day
    standing = np.full(len(notices), None, dtype=object)
    reasons = (
        (posted, NoticeStanding.OVERLAP),
        (posted & (days < min_days), NoticeStanding.SHORT),
        (posted & (days < min_days) & running, NoticeStanding.RUNNING),
        (posted & (start < conclusion), NoticeStanding.EARLY),
        (posted & (conclusion == NEVER), NoticeStanding.UNFINISHED),
        (posted & ~mine, NoticeStanding.OTHER_AUDIT),
    )
    for where, reason in reasons:  # the first reason told is the last one set
        standing[where] = reason.value
    full = standing == NoticeStanding.OVERLAP.value
    chosen = _separate(notices.unit, start, end + min_gap_days, np.flatnonzero(full), at.size)
    standing[chosen] = NoticeStanding.COUNTS.value
    counts = np.zeros(len(notices), dtype=bool)
    counts[chosen] = True
    return NoticeState(
        rows=notices,
        mine=mine,
        told=mine | (posted & (start >= _begun_on(at)[notices.unit])),
        standing=standing,
        days=days,
        counted=at.count(notices, counts),
        posted=at.count(notices, mine),
    )


def _separate(unit: Ints, start: Ints, end: Ints, rows: Ints, units: int) -> Ints:
    """Return the largest set of rows of which none begins before the one before has ended, unit by unit."""
    rows = rows[np.lexsort((start[rows], end[rows], unit[rows]))]
    place = np.arange(rows.size) - np.searchsorted(unit[rows], unit[rows], side="left")
    last_end = np.full(units, -NEVER)
    chosen = np.zeros(rows.size, dtype=bool)
    for nth in range(int(place.max(initial=-1)) + 1):
        turn = np.flatnonzero(place == nth)
        owner = unit[rows[turn]]
        separate = start[rows[turn]] > last_end[owner]
        chosen[turn] = separate
        last_end[owner[separate]] = end[rows[turn[separate]]]
    return rows[chosen]


def objections_pending(notices: Rows) -> Floats:
    """Return objections of each notice without an answer; NaN where unknown, 0 where none was received."""
    received, answered = notices.number("objections"), notices.number("answered")
    return np.where(received == 0, 0.0, received - answered)


@dataclass(frozen=True)
class ProblemState:
    """Problems found by the day.

    Parameters
    ----------
    rows
        The problems.
    found
        Which were found by the day.
    is_open
        Which of those are open: not closed by the day, or closed without evidence.
    is_overdue, is_undated
        Which open ones are past their deadline, and which have none.
    is_unproven
        Which are open only because their closing has no evidence.
    known
        By unit, where problems are known: the audit that counts has reached a conclusion on an item, or a
        problem is open.
    """

    rows: Rows
    found: Bools
    is_open: Bools
    is_overdue: Bools
    is_undated: Bools
    is_unproven: Bools
    known: Bools


def problem_state(at: Moment) -> ProblemState | None:
    """Return which audit problems are open; those of every audit count until closed.

    ``None`` where there is no ledger of problems.
    """
    rows = at.inherited("audit_problems")
    if rows is None:
        return None
    found = rows.day("found_on") <= at.day
    closed = rows.day("closed_on") <= at.day
    proven = (rows.code("evidence") >= 0) & ~rows.equals("evidence", "")
    is_open = found & ~(closed & proven)
    known = at.count(rows, is_open) > 0
    items = item_state(at)
    if items is not None:
        known |= items.concluded > 0
    return ProblemState(
        rows=rows,
        found=found,
        is_open=is_open,
        is_overdue=is_open & (rows.day("due_on") < at.day),
        is_undated=is_open & (rows.day("due_on") == NEVER),
        is_unproven=is_open & closed,
        known=known,
    )
