"""The row tables of the audit ledger: items, members, notices, problems, and what goes to the new term.

Rows are those that :mod:`huanjie_lib.risk.audits` judged, so that a table never says otherwise than a gate.
Rows of a unit that has been merged or renumbered stand under its successor; problems of a unit out of force
that has none are told all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import CaseworkPack
from huanjie_lib.risk.audits import (
    CONCLUDED,
    NoticeState,
    current_projects,
    item_state,
    items_due,
    member_state,
    objections_pending,
    of_current_project,
    problem_state,
)
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Ints, Rows
from huanjie_lib.vocabulary import AuditItem, AuditOutcome, PostKind, Severity, Word

__all__ = [
    "HandoverKind",
    "Offices",
    "ProblemStanding",
    "as_dates",
    "as_numbers",
    "handover_rows",
    "item_rows",
    "labelled",
    "member_rows",
    "notice_rows",
    "offices_present",
    "problem_rows",
]


class ProblemStanding(Word):
    """How an audit problem stands; only :attr:`CLOSED` is no longer open."""

    OPEN = "open", "整改中"
    OVERDUE = "overdue", "逾期未整改"
    UNDATED = "undated", "没有整改期限"
    UNPROVEN = "unproven", "报完成但没有证据"
    CLOSED = "closed", "已整改"


class HandoverKind(Word):
    """What the outgoing committee hands to the new term."""

    PROBLEM = "problem", "未整改审计问题"
    OBJECTION = "objection", "未答复公示异议"
    ITEM = "item", "未审清事项"
    MEMBER = "member", "未审清人员"
    DEBT = "debt", "未清债务"


DEBT: Final = "collective_debt"
"""Metric of a unit's outstanding debts, where the framework has it."""


# --- offices taking part ------------------------------------------------------------------------------------

_SEPARATORS: Final = re.compile(r"[、,;/\s]+")
_PLACE: Final = r"(?:(?!非|未|无人|没有|不)[\u4e00-\u9fff]{0,12}?(?:镇街|街道|镇|乡|县|区|市|旗|州|盟))?"


@dataclass(frozen=True)
class Offices:
    """Offices of the pack found in a unit's list, those missing, and entries that stand for none of them."""

    present: tuple[str, ...]
    missing: tuple[str, ...]
    others: tuple[str, ...]


def offices_present(text: str, pack: CaseworkPack) -> Offices:
    """Return which of the offices that must take part in an audit stand in a list of departments.

    An entry stands for an office when it is its name or one of its declared aliases, whole, with at most a
    place before it (``云溪镇财政所``). Containing the name is not enough.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> pack = load_parameters().casework
    >>> offices_present("纪委监委、石桥镇财政所，农经站", pack).missing
    ()
    >>> offices_present("纪委、非财政、审计局", pack)
    Offices(present=('纪委',), missing=('财政', '农经'), others=('非财政', '审计局'))
    """
    entries = [entry for entry in _SEPARATORS.split(_plain(text)) if entry]
    found: dict[str, set[str]] = {}
    for office in pack.audit_departments:
        names = map(_plain, (office, *pack.audit_department_aliases.get(office, ())))
        pattern = re.compile(f"{_PLACE}(?:{'|'.join(map(re.escape, names))})")
        found[office] = {entry for entry in entries if pattern.fullmatch(entry)}
    known = set().union(*found.values()) if found else set()
    return Offices(
        present=tuple(office for office, mine in found.items() if mine),
        missing=tuple(office for office, mine in found.items() if not mine),
        others=tuple(entry for entry in entries if entry not in known),
    )


def _plain(text: str) -> str:
    """Return a text with full-width brackets and punctuation made plain."""
    return unicodedata.normalize("NFKC", text).strip()


# --- columns ------------------------------------------------------------------------------------------------


def as_dates(days: Ints) -> pd.Series[Any]:
    """Return day numbers as dates, NaT where :data:`~huanjie_lib.risk.prepared.NEVER` or its negative."""
    missing = np.abs(days) == NEVER
    stamps = np.where(missing, 0, days).astype("datetime64[D]").astype("datetime64[us]")
    return pd.Series(stamps).mask(missing)


def as_numbers(values: npt.NDArray[Any]) -> pd.Series[Any]:
    """Return whole numbers, missing where NaN."""
    return pd.Series(np.asarray(values, dtype=np.float64)).astype("Int64")


def labelled(rows: Rows, column: str, words: type[Word], places: Ints) -> pd.Series[Any]:
    """Return a word column of some rows as Chinese labels; −1 and a missing word are missing."""
    return texts(rows, column, places).map(words.labels()).astype("str")


def texts(rows: Rows, column: str, places: Ints) -> pd.Series[Any]:
    """Return a text column of some rows; a place of −1 is missing."""
    names = [*rows.texts[column][1], None]
    return pd.Series(pd.array([names[code] for code in _at(rows.code(column), places, -1)], dtype="str"))


def _at(values: Ints, places: Ints, missing: int) -> Ints:
    """Return values at places, the missing one where a place is −1."""
    return np.append(values, missing)[places]


def _units(at: Moment, unit: Ints) -> pd.DataFrame:
    """Return the codes of units by position, and whether they are in force."""
    codes = at.prepared.units["unit_code"].astype("str").to_numpy()
    in_force = at.prepared.in_force(at.day)
    return pd.DataFrame({"unit_code": pd.Series(codes[unit], dtype="str"), "in_force": in_force[unit]})


def _table(frame: pd.DataFrame, types: Mapping[str, str], *by: str) -> pd.DataFrame:
    """Return the columns of a table in order and with their types, by unit code."""
    ordered = frame.sort_values(["unit_code", *by], kind="stable", ignore_index=True)
    return ordered[list(types)].astype(dict(types))


def _none(types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})


def _current(at: Moment) -> Ints:
    projects = current_projects(at)
    return np.full(at.size, -1, dtype=np.int64) if projects is None else projects[0]


def project_texts(at: Moment, column: str, places: Ints) -> pd.Series[Any]:
    """Return a text column of audit projects by row; missing where a row is −1 or there is no ledger."""
    projects = at.rows("audit_projects")
    if projects is None:
        return pd.Series(pd.array([None] * len(places), dtype="str"))
    return texts(projects, column, places)


_DATE: Final = "datetime64[us]"
_ITEMS: Final = {
    **dict.fromkeys(("unit_code", "project_id", "item", "outcome"), "str"),
    "concluded_on": _DATE,
    "amount": "float64",
    "concluded": "bool",
}
_MEMBERS: Final = {
    **dict.fromkeys(("unit_code", "project_id", "person_ref", "post"), "str"),
    **dict.fromkeys(("term_from", "term_to"), _DATE),
    **dict.fromkeys(("left", "listed"), "bool"),
    "outcome": "str",
    "concluded_on": _DATE,
    "audited": "bool",
}
_NOTICES: Final = {
    **dict.fromkeys(("unit_code", "notice_id", "project_id"), "str"),
    **dict.fromkeys(("start_on", "end_on"), _DATE),
    "days": "Int64",
    **dict.fromkeys(("place", "standing"), "str"),
    **dict.fromkeys(("counts", "adjoins"), "bool"),
    **dict.fromkeys(("objections", "answered", "objections_open"), "Int64"),
}
_PROBLEMS: Final = {
    "unit_code": "str",
    "in_force": "bool",
    **dict.fromkeys(("problem_id", "project_id", "item", "severity"), "str"),
    **dict.fromkeys(("found_on", "due_on", "closed_on"), _DATE),
    "owner": "str",
    "evidence": "bool",
    "standing": "str",
    **dict.fromkeys(("is_open", "is_overdue"), "bool"),
}
_HANDOVER: Final = {
    **dict.fromkeys(("unit_code", "kind", "key", "detail"), "str"),
    **dict.fromkeys(("since", "due_on"), _DATE),
    "owner": "str",
    "amount": "float64",
}


# --- items and members --------------------------------------------------------------------------------------


def item_rows(at: Moment) -> pd.DataFrame:
    """Return one row per unit in force and item of its checklist (审计底稿), started or not.

    Returns
    -------
    pandas.DataFrame
        unit_code, project_id, item and outcome (labels), concluded_on, amount (元), concluded. An item
        without a row has no outcome; a conclusion dated later has not been given yet.
    """
    state = item_state(at)
    due = items_due(at) & at.prepared.in_force(at.day)
    unit, nth = np.nonzero(due.T)
    row = np.full(due.shape, -1, dtype=np.int64)
    rows = at.inherited("audit_items")
    if rows is not None:
        mine = of_current_project(at, rows)
        for number, item in enumerate(AuditItem):
            places = np.flatnonzero(mine & rows.equals("item", item.value))
            row[number, rows.unit[places]] = places
    places = row[nth, unit]
    done = np.zeros(len(unit), dtype=bool) if state is None else state.done[nth, unit]
    frame = _units(at, unit)
    frame["project_id"] = project_texts(at, "project_id", _current(at)[unit])
    frame["item"] = pd.Series([list(AuditItem)[n].label for n in nth.tolist()], dtype="str")
    if rows is None:
        frame["outcome"] = pd.Series([None] * len(frame), dtype="str")
        frame["concluded_on"], frame["amount"] = as_dates(np.full(len(frame), NEVER)), np.nan
    else:
        later = _at(rows.day("concluded_on"), places, int(NEVER)) > at.day
        stated = labelled(rows, "outcome", AuditOutcome, places)
        pending = rows.equals("outcome", AuditOutcome.PENDING.value)
        told = ~later | np.append(pending, False)[places]
        frame["outcome"] = stated.where(pd.Series(told))
        frame["concluded_on"] = as_dates(
            np.where(done, _at(rows.day("concluded_on"), places, int(NEVER)), NEVER)
        )
        frame["amount"] = np.where(done, np.append(rows.number("amount"), np.nan)[places], np.nan)
    frame["concluded"] = done
    return _table(frame, _ITEMS)


def member_rows(at: Moment) -> pd.DataFrame:
    """Return one row per member to be audited, by pseudonym; restricted.

    Returns
    -------
    pandas.DataFrame
        unit_code, project_id, person_ref, post (label), term_from, term_to, left (by the day), listed,
        outcome (label), concluded_on, audited. Those who left mid-term and stand on no list are there, not
        listed; members whom nobody has named are not.
    """
    state = member_state(at)
    if state is None:
        return _none(_MEMBERS)
    in_force = at.prepared.in_force(at.day)
    rows = state.rows
    places = np.flatnonzero(state.listed & in_force[rows.unit])
    concluded = (rows.day("concluded_on") <= at.day) & rows.equals("outcome", *CONCLUDED)
    stated = concluded | rows.equals("outcome", AuditOutcome.PENDING.value)
    gone = rows.day("term_to")[places] <= at.day
    known = _units(at, rows.unit[places])
    known = known.assign(
        project_id=project_texts(at, "project_id", rows.project[places]),
        person_ref=texts(rows, "person_ref", places),
        post=labelled(rows, "post", PostKind, places),
        term_from=as_dates(rows.day("term_from")[places]),
        term_to=as_dates(np.where(gone, rows.day("term_to")[places], NEVER)),
        left=gone,
        listed=True,
        outcome=labelled(rows, "outcome", AuditOutcome, places).where(pd.Series(stated[places])),
        concluded_on=as_dates(np.where(concluded[places], rows.day("concluded_on")[places], NEVER)),
        audited=concluded[places],
    )
    leavers = at.inherited("leavers")
    if leavers is None or state.leavers is None:
        return _table(known, _MEMBERS, "person_ref")
    places = np.flatnonzero(state.leavers & in_force[leavers.unit] & (state.due[leavers.unit] > 0))
    off = _units(at, leavers.unit[places])
    off = off.assign(
        project_id=project_texts(at, "project_id", _current(at)[leavers.unit[places]]),
        person_ref=texts(leavers, "person_ref", places),
        post=pd.Series([None] * len(places), dtype="str"),
        term_from=as_dates(np.full(len(places), NEVER)),
        term_to=as_dates(leavers.day("left_on")[places]),
        left=True,
        listed=False,
        outcome=pd.Series([None] * len(places), dtype="str"),
        concluded_on=as_dates(np.full(len(places), NEVER)),
        audited=False,
    )
    return _table(pd.concat([known, off], ignore_index=True), _MEMBERS, "person_ref")


# --- notices and problems -----------------------------------------------------------------------------------


def notice_rows(at: Moment, state: NoticeState | None) -> pd.DataFrame:
    """Return one row per spell of notice posted by the day, of units in force.

    Returns
    -------
    pandas.DataFrame
        unit_code, notice_id, project_id, start_on, end_on, days (by the day), place, standing
        (:class:`~huanjie_lib.risk.audits.NoticeStanding`), counts, adjoins (it begins on the day after
        another that counts, as one spell filed in two rows would), objections, answered, objections_open
        (missing where a figure is).
    """
    if state is None:
        return _none(_NOTICES)
    rows = state.rows
    start, end = rows.day("start_on"), rows.day("end_on")
    places = np.flatnonzero((start <= at.day) & at.prepared.in_force(at.day)[rows.unit])
    counts = state.standing == "counts"
    ends = {(int(u), int(e)) for u, e in zip(rows.unit[counts], end[counts], strict=True)}
    adjoins = [bool(counts[p]) and (int(rows.unit[p]), int(start[p]) - 1) in ends for p in places.tolist()]
    frame = _units(at, rows.unit[places]).assign(
        notice_id=texts(rows, "notice_id", places),
        project_id=texts(rows, "project_id", places),
        start_on=as_dates(start[places]),
        end_on=as_dates(np.where(end[places] <= at.day, end[places], NEVER)),
        days=as_numbers(state.days[places]),
        place=texts(rows, "place", places),
        standing=pd.Series(state.standing[places], dtype="str"),
        counts=counts[places],
        adjoins=adjoins,
        objections=as_numbers(rows.number("objections")[places]),
        answered=as_numbers(rows.number("answered")[places]),
        objections_open=as_numbers(objections_pending(rows)[places]),
    )
    return _table(frame, _NOTICES, "start_on", "notice_id")


def problem_rows(at: Moment) -> pd.DataFrame:
    """Return one row per audit problem found by the day, of every audit.

    Returns
    -------
    pandas.DataFrame
        unit_code, in_force, problem_id, project_id, item and severity (labels), found_on, due_on, closed_on,
        owner, evidence (whether there is any), standing (:class:`ProblemStanding`), is_open, is_overdue.
        Closed without evidence is open, whatever else is wrong with it.
    """
    state = problem_state(at)
    if state is None:
        return _none(_PROBLEMS)
    rows = state.rows
    places = np.flatnonzero(state.found)
    standing = np.select(
        [state.is_unproven, state.is_overdue, state.is_undated, state.is_open],
        [s.value for s in (ProblemStanding.UNPROVEN, ProblemStanding.OVERDUE, ProblemStanding.UNDATED)]
        + [ProblemStanding.OPEN.value],
        default=ProblemStanding.CLOSED.value,
    )
    closed = rows.day("closed_on")
    frame = _units(at, rows.unit[places]).assign(
        problem_id=texts(rows, "problem_id", places),
        project_id=texts(rows, "project_id", places),
        item=labelled(rows, "item", AuditItem, places),
        severity=labelled(rows, "severity", Severity, places),
        found_on=as_dates(rows.day("found_on")[places]),
        due_on=as_dates(rows.day("due_on")[places]),
        closed_on=as_dates(np.where(closed <= at.day, closed, NEVER)[places]),
        owner=texts(rows, "owner", places),
        evidence=((rows.code("evidence") >= 0) & ~rows.equals("evidence", ""))[places],
        standing=pd.Series(standing[places], dtype="str"),
        is_open=state.is_open[places],
        is_overdue=state.is_overdue[places],
    )
    return _table(frame, _PROBLEMS, "problem_id")


# --- handover -----------------------------------------------------------------------------------------------


def handover_rows(
    at: Moment,
    *,
    items: pd.DataFrame,
    notices: pd.DataFrame,
    problems: pd.DataFrame,
    members_open: Mapping[str, int],
) -> pd.DataFrame:
    """Return what the outgoing committee hands to the new term (移交清单), unit by unit.

    Returns
    -------
    pandas.DataFrame
        unit_code, kind (:class:`HandoverKind`), key (number of the problem or notice, the item or metric),
        detail (Chinese), since, due_on, owner, amount (元). Objections of every audit are there. A debt is
        the last reported one above zero, however old, with its date under ``since``.
    """
    open_problems = problems[problems["is_open"]]
    objections = notices[notices["objections_open"].fillna(0) > 0]
    unclear = items[~items["concluded"] | (items["outcome"] == AuditOutcome.UNCLEAR.label)]
    frames = [
        pd.DataFrame(
            {
                "unit_code": open_problems["unit_code"],
                "kind": HandoverKind.PROBLEM.value,
                "key": open_problems["problem_id"],
                "detail": open_problems["item"]
                + "（"
                + open_problems["severity"]
                + "问题，"
                + open_problems["standing"].map(ProblemStanding.labels())
                + "）",
                "since": open_problems["found_on"],
                "due_on": open_problems["due_on"],
                "owner": open_problems["owner"],
            }
        ),
        pd.DataFrame(
            {
                "unit_code": objections["unit_code"],
                "kind": HandoverKind.OBJECTION.value,
                "key": objections["notice_id"],
                "detail": "公示收到异议"
                + objections["objections"].astype("str")
                + "件，未答复"
                + objections["objections_open"].astype("str")
                + "件",
                "since": objections["start_on"],
            }
        ),
        pd.DataFrame(
            {
                "unit_code": unclear["unit_code"],
                "kind": HandoverKind.ITEM.value,
                "key": unclear["item"],
                "detail": unclear["item"]
                + np.where(unclear["concluded"], "审计结论为“不清楚”", "尚无审计结论"),
                "since": unclear["concluded_on"],
                "amount": unclear["amount"],
            }
        ),
        pd.DataFrame(
            {
                "unit_code": list(members_open),
                "kind": HandoverKind.MEMBER.value,
                "key": "",
                "detail": [f"{count}名班子成员尚未审清" for count in members_open.values()],
            }
        ),
        _debts(at),
    ]
    order = {kind.value: number for number, kind in enumerate(HandoverKind)}
    typed = [frame.reindex(columns=list(_HANDOVER)).astype(_HANDOVER) for frame in frames]
    whole = pd.concat(typed, ignore_index=True)
    return _table(whole.assign(order=whole["kind"].map(order)), _HANDOVER, "order", "key")


def _debts(at: Moment) -> pd.DataFrame:
    """Return debts last reported above zero by units in force; none without such a metric."""
    history = at.prepared.metrics.get(DEBT)
    metric = at.parameters.framework.metrics.get(DEBT)
    if history is None or metric is None:
        return pd.DataFrame({"unit_code": pd.Series(dtype="str")})
    value, when, _row = history.latest(at.size, at.day)
    unit = np.flatnonzero((value > 0) & at.prepared.in_force(at.day))
    old = at.day - when[unit] > metric.max_age_days
    return _units(at, unit).assign(
        kind=HandoverKind.DEBT.value,
        key=DEBT,
        detail=metric.label + pd.Series(np.where(old, "（报数已过期，请重报）", ""), dtype="str"),
        since=as_dates(when[unit]),
        amount=value[unit],
    )


def joined(parts: Sequence[str]) -> str:
    """Return the parts that say something, each once, in order."""
    return "；".join(dict.fromkeys(part for part in parts if part))
