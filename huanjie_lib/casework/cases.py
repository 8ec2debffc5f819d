"""The states of a case as a pure function of its events: alert, dispatch, rectification, review, closure.

========== ========================= ====================== ==============================================
event      from                      to                     needs
========== ========================= ====================== ==============================================
open       –                         alert                  city office, or the system by rule
dispatch   alert                     dispatched             owner and deadline
dispatch   dispatched, rectifying    dispatched; as it was  owner, deadline and note
                                     for the same owner
rectify    dispatched, rectifying    rectifying             the owner's office
submit     rectifying                reviewing              the owner's office; evidence of this round
return     reviewing                 rectifying             another office and account than rectified; note
close      reviewing                 closed                 another office and account than rectified
reopen     closed, cancelled         dispatched; alert      note and deadline
                                     without an owner
cancel     all but closed, cancelled cancelled              note; a false alarm, or a unit that is no more
========== ========================= ====================== ==============================================

A round begins when a case is opened or reopened. Dispatch, return, close, reopen and cancel are for city and
county offices, and for the audit office where an audit problem is concerned; the system may open and reopen.
A case counts as rectified when it is closed, never when cancelled.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final

import pandas as pd

from huanjie_lib.casework.amendments import check_amendments
from huanjie_lib.casework.events import EVENT_COLUMNS, Action, Actor
from huanjie_lib.errors import DataError, Fault, TransitionError
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Role, date_text

__all__ = [
    "CASE_COLUMNS",
    "OPEN_STATES",
    "Case",
    "action_of",
    "advance",
    "allowed_events",
    "cases_frame",
    "cause_key",
    "dispatchers",
    "replay",
]

OPEN_STATES: Final = frozenset(CaseState) - {CaseState.CLOSED, CaseState.CANCELLED}
"""States of a case that still asks for something."""

_FROM: Final[Mapping[CaseEvent, frozenset[CaseState]]] = MappingProxyType(
    {
        CaseEvent.OPEN: frozenset(),
        CaseEvent.DISPATCH: frozenset({CaseState.ALERT, CaseState.DISPATCHED, CaseState.RECTIFYING}),
        CaseEvent.RECTIFY: frozenset({CaseState.DISPATCHED, CaseState.RECTIFYING}),
        CaseEvent.SUBMIT: frozenset({CaseState.RECTIFYING}),
        CaseEvent.RETURN: frozenset({CaseState.REVIEWING}),
        CaseEvent.CLOSE: frozenset({CaseState.REVIEWING}),
        CaseEvent.REOPEN: frozenset({CaseState.CLOSED, CaseState.CANCELLED}),
        CaseEvent.CANCEL: OPEN_STATES,
    }
)
_BY_OFFICE: Final = frozenset({CaseEvent.RECTIFY, CaseEvent.SUBMIT})
_BY_REVIEWER: Final = frozenset({CaseEvent.RETURN, CaseEvent.CLOSE})
_NOTED: Final = frozenset({CaseEvent.RETURN, CaseEvent.REOPEN, CaseEvent.CANCEL})
_IDLE: Final = frozenset({Role.READER, Role.TALENT, Role.REVIEW, Role.SYSTEM})
"""Roles that answer for no case."""
_ASK: Final = "由有权限的单位操作"

_KINDS: Final = {kind.value: kind for kind in CaseKind}
_EVENTS: Final = {event.value: event for event in CaseEvent}
_ROLES: Final = {role.value: role for role in Role}


@dataclass(frozen=True, slots=True)
class Case:
    """One case as its events leave it.

    Parameters
    ----------
    case_id, unit_code, unit_name, township_code, township_name
        The case and its unit, as named when it was opened.
    kind, title, cause, reason
        What it is about; no two open cases share a cause.
    subject
        Row of a ledger that the case is about, as ``table/key``; may be empty.
    restricted
        Whether the case is for those who may see signals.
    state, owner
        State and office answerable (empty before the first dispatch).
    version
        Number of its events.
    opened_on, due_on, closed_on
        Dates as stated; ``closed_on`` while the case is closed.
    evidence
        Digests of the files recorded since the case was opened or last reopened.
    rectifiers
        Accounts that rectified or submitted since then.
    reopened, returned, postponed
        How often each happened; a deadline counts as postponed when the same owner gets a later one.
    """

    case_id: str
    unit_code: str
    unit_name: str
    township_code: str
    township_name: str
    kind: CaseKind
    title: str
    cause: str
    reason: str
    subject: str
    restricted: bool
    state: CaseState
    owner: str
    version: int
    opened_on: dt.date
    due_on: dt.date | None
    closed_on: dt.date | None
    evidence: tuple[str, ...]
    rectifiers: tuple[str, ...]
    reopened: int
    returned: int
    postponed: int

    @property
    def is_open(self) -> bool:
        """Whether the case still asks for something."""
        return self.state in OPEN_STATES


CASE_COLUMNS: Final = tuple(Case.__dataclass_fields__)
"""Columns of a frame of cases, in the order of :class:`Case`."""


def cause_key(cause: str) -> str:
    """Return what a cause is about, whatever its unit, as the rows that can be put right name it.

    Examples
    --------
    >>> cause_key("gate:screening@990101001201"), cause_key("problem:P-17")
    ('gate:screening', 'problem:P-17')
    """
    return cause.partition("@")[0]


def advance(case: Case | None, action: Action) -> Case:
    """Return a case after an event.

    Parameters
    ----------
    case
        The case, or ``None`` where there is none of that id yet.
    action
        The event. Whether it was made for this version is for the ledger to check.

    Raises
    ------
    TransitionError
        If the event may not happen to this case, now, by this actor; with every fault found.

    Examples
    --------
    >>> city = Actor("chen", "市换届办", Role.CITY)
    >>> opening = {"unit_code": "990101101201", "unit_name": "上云村", "township_code": "990101101",
    ...            "township_name": "云溪镇", "kind": "plan", "cause": "plan/990101101201",
    ...            "title": "缺化解方案", "reason": "红色村没有化解方案", "subject": "",
    ...            "restricted": False, "run": ""}
    >>> case = advance(None, Action("e1", "C1", CaseEvent.OPEN, city, dt.date(2026, 11, 2), 0, opening))
    >>> order = {"owner": "云溪镇", "due_on": "2026-11-09", "note": ""}
    >>> case = advance(case, Action("e2", "C1", CaseEvent.DISPATCH, city, dt.date(2026, 11, 2), 1, order))
    >>> case.state.label, case.owner, case.version
    ('已派单', '云溪镇', 2)
    >>> advance(case, Action("e3", "C1", CaseEvent.CLOSE, city, dt.date(2026, 11, 3), 2, {"note": ""}))
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.TransitionError: 案件 C1 不能销号（共 1 处问题）
      1. 案件 C1 状态：发现“已派单”；应为：复核中；处理办法：刷新后按案件的当前状态操作。
    """
    faults = action.faults()
    if not faults:
        faults = _opening_faults(case, action) if action.event is CaseEvent.OPEN else _faults(case, action)
    if faults:
        raise TransitionError(f"案件 {action.case_id} 不能{action.event.label}", faults)
    if case is None:
        return _opened(action)
    return _step(case, action)


def _opened(action: Action) -> Case:
    told = action.payload
    return Case(
        case_id=action.case_id,
        unit_code=told["unit_code"],
        unit_name=told["unit_name"],
        township_code=told["township_code"],
        township_name=told["township_name"],
        kind=_KINDS[told["kind"]],
        title=told["title"],
        cause=told["cause"],
        reason=told["reason"],
        subject=told["subject"],
        restricted=told["restricted"],
        state=CaseState.ALERT,
        owner="",
        version=1,
        opened_on=action.happened_on,
        due_on=None,
        closed_on=None,
        evidence=(),
        rectifiers=(),
        reopened=0,
        returned=0,
        postponed=0,
    )


def _step(case: Case, action: Action) -> Case:
    told = action.payload
    after = partial(replace, case, version=case.version + 1)
    by = tuple(dict.fromkeys((*case.rectifiers, action.actor.account)))
    match action.event:
        case CaseEvent.DISPATCH:
            due_on = dt.date.fromisoformat(told["due_on"])
            same = told["owner"] == case.owner
            later = same and case.due_on is not None and due_on > case.due_on
            return after(
                state=case.state if same and case.state is not CaseState.ALERT else CaseState.DISPATCHED,
                owner=told["owner"],
                due_on=due_on,
                postponed=case.postponed + later,
            )
        case CaseEvent.RECTIFY:
            digests = (item["digest"] for item in told["evidence"])
            evidence = tuple(dict.fromkeys((*case.evidence, *digests)))
            return after(state=CaseState.RECTIFYING, evidence=evidence, rectifiers=by)
        case CaseEvent.SUBMIT:
            return after(state=CaseState.REVIEWING, rectifiers=by)
        case CaseEvent.RETURN:
            return after(state=CaseState.RECTIFYING, returned=case.returned + 1)
        case CaseEvent.CLOSE:
            return after(state=CaseState.CLOSED, closed_on=action.happened_on)
        case CaseEvent.REOPEN:
            return after(
                state=CaseState.DISPATCHED if case.owner else CaseState.ALERT,
                due_on=dt.date.fromisoformat(told["due_on"]),
                closed_on=None,
                evidence=(),
                rectifiers=(),
                reopened=case.reopened + 1,
            )
        case CaseEvent.CANCEL:
            return after(state=CaseState.CANCELLED)
        case CaseEvent.OPEN:
            raise AssertionError("a case that exists is not opened")


def _opening_faults(case: Case | None, action: Action) -> list[Fault]:
    where = f"案件 {action.case_id}"
    faults = []
    if case is not None:
        faults.append(Fault(where, "已存在", "还没有的案件编号", "刷新后核对，同一预警不重复立案"))
    faults += _role_faults(where, action.actor, {Role.SYSTEM, Role.CITY})
    return faults + _scope_faults(where, action.actor, action.payload["unit_code"])


def _faults(case: Case | None, action: Action) -> list[Fault]:
    where = f"案件 {action.case_id}"
    if case is None:
        return [Fault(where, "没有这个案件", "已立案的案件", "刷新后重试")]
    event, actor, told = action.event, action.actor, action.payload
    faults = _standing_faults(case, event)
    faults += _who_faults(case, event, actor)
    if action.happened_on < case.opened_on:
        found, allowed = date_text(action.happened_on), f"不早于预警日期{date_text(case.opened_on)}"
        faults.append(Fault(f"{where} 发生日期", found, allowed, "改正日期"))
    again = event is CaseEvent.DISPATCH and case.state is not CaseState.ALERT
    if (event in _NOTED or again) and not told["note"].strip():
        faults.append(
            Fault(f"{where} 说明", "没有填写", "改派、延期、退回、重新打开、撤销的理由", "写明理由")
        )
    if event is CaseEvent.RECTIFY:
        try:
            check_amendments(told["amendments"], unit_code=case.unit_code)
        except DataError as error:
            faults += error.faults
    return faults


def _standing_faults(case: Case, event: CaseEvent) -> list[Fault]:
    """Return why the case, as it stands, does not allow an event, whoever asks."""
    where = f"案件 {case.case_id}"
    if case.state not in _FROM[event]:
        allowed = "、".join(state.label for state in CaseState if state in _FROM[event])
        remedy = "刷新后按案件的当前状态操作"
        return [Fault(f"{where} 状态", case.state.label, allowed or "尚未立案", remedy)]
    if event is CaseEvent.SUBMIT and not case.evidence:
        return [Fault(f"{where} 佐证材料", "没有", "至少一份", "先登记整改并上传佐证材料")]
    return []


def _who_faults(case: Case, event: CaseEvent, actor: Actor) -> list[Fault]:
    """Return why an actor may not bring about an event of a case."""
    where = f"案件 {case.case_id}"
    faults = _scope_faults(where, actor, case.unit_code)
    if event in _BY_OFFICE:
        if actor.role in _IDLE or actor.office != case.owner:
            allowed = f"责任单位{case.owner}"
            faults.append(Fault(f"{where} 操作单位", actor.office, allowed, _ASK))
        return faults
    roles = dispatchers(case.kind) | ({Role.SYSTEM} if event is CaseEvent.REOPEN else set())
    faults += _role_faults(where, actor, roles)
    if event in _BY_REVIEWER:
        if actor.office == case.owner:
            faults.append(Fault(f"{where} 复核单位", actor.office, "责任单位以外的单位", "由其他单位复核"))
        if actor.account in case.rectifiers:
            faults.append(Fault(f"{where} 复核账号", "整改或提交的账号", "其他账号", "由其他人复核"))
    return faults


def _scope_faults(where: str, actor: Actor, unit_code: str) -> list[Fault]:
    if actor.covers(unit_code):
        return []
    return [Fault(f"{where} 单位", unit_code, "、".join(actor.scope), "由负责该地区的单位操作")]


def _role_faults(where: str, actor: Actor, roles: Set[Role]) -> list[Fault]:
    if actor.role in roles:
        return []
    allowed = "、".join(role.label for role in Role if role in roles)
    return [Fault(f"{where} 操作角色", actor.role.label, allowed, _ASK)]


def allowed_events(case: Case, actor: Actor) -> tuple[CaseEvent, ...]:
    """Return what an actor may do to a case as it stands, in the order of the vocabulary.

    Examples
    --------
    >>> city = Actor("chen", "市换届办", Role.CITY)
    >>> case = Case("C1", "990101101201", "上云村", "990101101", "云溪镇", CaseKind.PLAN, "缺化解方案", "p",
    ...             "", "", False, CaseState.ALERT, "", 1, dt.date(2026, 11, 2), None, None, (), (), 0, 0, 0)
    >>> [event.label for event in allowed_events(case, city)]
    ['派单', '撤销']
    """
    return tuple(
        event
        for event in CaseEvent
        if not _standing_faults(case, event) and not _who_faults(case, event, actor)
    )


def dispatchers(kind: CaseKind) -> frozenset[Role]:
    """Return the roles that dispatch cases of a kind, within their scope.

    Examples
    --------
    >>> sorted(role.value for role in dispatchers(CaseKind.PROBLEM))
    ['audit', 'city', 'county']
    """
    return frozenset({Role.CITY, Role.COUNTY} | ({Role.AUDIT} if kind is CaseKind.PROBLEM else set()))


def action_of(row: Mapping[str, object]) -> Action:
    """Return the action of one row of a frame of events; the actor's scope is not kept and so empty."""
    day = row["happened_on"]
    return Action(
        str(row["event_id"]),
        str(row["case_id"]),
        _EVENTS[str(row["event"])],
        Actor(str(row["actor"]), str(row["office"]), _ROLES[str(row["role"])]),
        dt.date.fromisoformat(day) if isinstance(day, str) else _date(day),
        int(str(row["version"])) - 1,
        json.loads(str(row["payload"])),
    )


def _date(day: object) -> dt.date:
    if isinstance(day, dt.datetime):  # a pandas.Timestamp too
        return day.date()
    if isinstance(day, dt.date):
        return day
    raise TypeError(f"{day!r} is no date")


def replay(events: pd.DataFrame) -> dict[str, Case]:
    """Return every case as its events leave it, from nothing.

    Parameters
    ----------
    events
        Columns :data:`huanjie_lib.casework.events.EVENT_COLUMNS`; happened_on as dates or ISO text. Taken in
        order of sequence, whatever the order of rows.

    Raises
    ------
    TransitionError
        If an event could not have happened.

    Examples
    --------
    >>> replay(pd.DataFrame(columns=list(EVENT_COLUMNS)))
    {}
    """
    cases: dict[str, Case] = {}
    frame = events.sort_values("sequence", kind="stable")
    columns = [frame[name].tolist() for name in EVENT_COLUMNS]
    for values in zip(*columns, strict=True):
        action = action_of(dict(zip(EVENT_COLUMNS, values, strict=True)))
        cases[action.case_id] = advance(cases.get(action.case_id), action)
    return cases


def cases_frame(cases: Iterable[Case] | Mapping[str, Case]) -> pd.DataFrame:
    """Return cases as a frame, one row each, in the order given.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`CASE_COLUMNS`: words as their stored values, dates as ``datetime64[us]`` (missing as
        NaT), ``evidence`` as the number of files, ``rectifiers`` as accounts joined by 、.
    """
    listed = list(cases.values() if isinstance(cases, Mapping) else cases)
    frame = pd.DataFrame(
        {name: pd.Series([getattr(c, name) for c in listed], dtype=object) for name in CASE_COLUMNS}
    )
    for name in ("kind", "state"):
        frame[name] = [getattr(c, name).value for c in listed]
    frame["evidence"] = [len(c.evidence) for c in listed]
    frame["rectifiers"] = ["、".join(c.rectifiers) for c in listed]
    return type_cases(frame)


def type_cases(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of cases with the types of :func:`cases_frame`, from plain values."""
    counts = ("version", "evidence", "reopened", "returned", "postponed")
    days = ("opened_on", "due_on", "closed_on")
    kinds: dict[str, str] = dict.fromkeys(CASE_COLUMNS, "str")
    kinds |= dict.fromkeys(counts, "int64") | {"restricted": "bool"}
    typed = {name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in days}
    rest = {name: frame[name].astype(kinds[name]) for name in CASE_COLUMNS if name not in days}  # type: ignore[call-overload]
    return pd.DataFrame({name: (typed | rest)[name] for name in CASE_COLUMNS})
