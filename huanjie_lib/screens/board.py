"""What one viewer may see of the case ledger at one moment: the board, a case, and what may be done with it.

Nothing here draws and nothing writes. The scope of the account is applied before anything is counted; a case
about an anomaly signal is seen by the city, the counties and the office that answers for it, by nobody else.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from huanjie_lib.access.scope import may_see
from huanjie_lib.casework.amendments import value_text
from huanjie_lib.casework.cases import Case, allowed_events, cause_key, dispatchers
from huanjie_lib.casework.events import Actor
from huanjie_lib.casework.figures import deadlines
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import CaseworkPack
from huanjie_lib.views.words import date_text, local_time, present
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState

__all__ = [
    "KIND_MARKS",
    "OPEN_STATES",
    "OWN",
    "PAGE",
    "CaseBook",
    "CaseFile",
    "Choice",
    "Column",
    "amendment_text",
    "dispatch_form",
    "forms",
    "rows_of",
    "size_text",
    "standing_text",
    "timeline",
    "value_label",
]

PAGE: Final = 50
"""Cases that a column lists at a time."""
OWN: Final = "own"
"""Owner filter: the viewer's own office."""
KIND_MARKS: Final[Mapping[str, str]] = {
    CaseKind.LEVEL.value: "级",
    CaseKind.GATE.value: "准",
    CaseKind.SIGNAL.value: "线",
    CaseKind.PLAN.value: "预",
    CaseKind.PROBLEM.value: "审",
    CaseKind.DISPUTE.value: "矛",
}
"""One character for each kind of case, so that kinds are told apart without colour."""
OPEN_STATES: Final = (CaseState.ALERT, CaseState.DISPATCHED, CaseState.RECTIFYING, CaseState.REVIEWING)
_NOTHING: Final[Mapping[CaseState, str]] = {
    CaseState.ALERT: "没有待派单的案件",
    CaseState.DISPATCHED: "没有等待整改的案件",
    CaseState.RECTIFYING: "没有整改中的案件",
    CaseState.REVIEWING: "没有等待复核的案件",
    CaseState.CLOSED: "还没有销号的案件",
    CaseState.CANCELLED: "没有撤销的案件",
}
_URGENCY: Final = ("allowed", "unit_index")
"""Columns that tell which of the cases without a deadline come first."""
_OPEN: Final = frozenset(state.value for state in OPEN_STATES)
_AFRESH: Final = frozenset({CaseEvent.OPEN.value, CaseEvent.REOPEN.value, CaseEvent.RETURN.value})
"""Events after which changes of fact proposed before count no more, as in ``amendments_in_force``."""
_PSEUDONYMS: Final = frozenset({"person_ref", "candidate_ref"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cases are looked at; an empty text stands for all.

    Parameters
    ----------
    township
        Code of a township.
    kind
        Value of a :class:`~huanjie_lib.vocabulary.CaseKind`.
    owner
        An office, or :data:`OWN`.
    overdue
        Only what is overdue.
    query
        Part of the name of a unit.
    unit
        Code of a unit.
    """

    township: str = ""
    kind: str = ""
    owner: str = ""
    overdue: bool = False
    query: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """Cases of one state: the first, how many there are and are overdue, and whether filters chose them."""

    state: CaseState
    cases: tuple[dict[str, Any], ...]
    total: int
    overdue: int
    folded: bool = False
    narrowed: bool = False

    @property
    def more(self) -> int:
        """How many the next page adds."""
        return min(PAGE, self.total - len(self.cases))

    @property
    def nothing(self) -> str:
        """What an empty column says; under filters only that none fits them."""
        return "没有符合筛选条件的案件" if self.narrowed else _NOTHING[self.state]


class CaseBook:
    """The cases that a viewer may see at one moment.

    Parameters
    ----------
    cases
        Cases of the ledger, as :func:`huanjie_lib.casework.cases.cases_frame` has them.
    actor
        Who looks.
    pack
        How cases are dealt with.
    today
        Date from which deadlines are reckoned.
    alerted
        Causes that the last published run has alerted: a case still open whose cause is not among them says
        so. ``None`` where no run is published.
    index
        Index of each unit in the run on view: of cases that wait alike, those of the worse unit come first,
        and those of a unit without one before all.
    """

    def __init__(
        self,
        cases: pd.DataFrame,
        *,
        actor: Actor,
        pack: CaseworkPack,
        today: dt.date,
        alerted: frozenset[str] | None = None,
        index: Mapping[str, float] | None = None,
    ) -> None:
        self.actor, self.pack, self.today = actor, pack, today
        seen = cases[may_see(cases, actor)].reset_index(drop=True)
        due = deadlines(seen, today, Workdays(pack.calendar), pack.due_soon_workdays)
        self.cases = seen.merge(due, on="case_id", how="left", validate="one_to_one")
        self.cases["allowed"] = self.cases["kind"].map(
            {rule.kind.value: rule.due_workdays for rule in pack.rules}
        )
        self.cases["unit_index"] = self.cases["unit_code"].map(index or {}).astype("float64").fillna(-1.0)
        self._alerted = None if alerted is None else alerted & frozenset(seen["cause"])

    def __repr__(self) -> str:
        """Return number of cases, the office that looks and the date."""
        return f"CaseBook(cases={len(self.cases)}, office={self.actor.office!r}, today={self.today})"

    @cached_property
    def ids(self) -> frozenset[str]:
        """Numbers of the cases."""
        return frozenset(self.cases["case_id"])

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """Offices that answer for a case."""
        return tuple(sorted({str(owner) for owner in self.cases["owner"] if present(owner)}))

    def chosen(self, choice: Choice) -> pd.DataFrame:
        """Return the cases of a choice."""
        cases = self.cases
        keep = pd.Series(data=True, index=cases.index)
        if choice.township:
            keep &= cases["township_code"] == choice.township
        if choice.unit:
            keep &= cases["unit_code"] == choice.unit
        if choice.kind:
            keep &= cases["kind"] == choice.kind
        if choice.owner:
            keep &= cases["owner"] == (self.actor.office if choice.owner == OWN else choice.owner)
        if choice.overdue:
            keep &= cases["standing"] == "overdue"
        if choice.query.strip():
            keep &= cases["unit_name"].str.contains(choice.query.strip(), regex=False)
        return cases[keep]

    def columns(self, choice: Choice, listed: Mapping[str, int], *, unfolded: bool = False) -> list[Column]:
        """Return the columns of the board: overdue and early deadlines first, of the ended the last ended.

        Parameters
        ----------
        choice
            Which cases.
        listed
            How many cases a state lists; :data:`PAGE` where it does not say.
        unfolded
            Whether the cancelled are listed too.
        """
        frame = self.chosen(choice)
        columns = []
        for state in CaseState:
            mine = frame[frame["state"] == state.value]
            ended = state in {CaseState.CLOSED, CaseState.CANCELLED}
            folded = state is CaseState.CANCELLED and not unfolded
            shown = _in_order(mine, ended=ended).head(0 if folded else listed.get(state.value, PAGE))
            overdue = int((mine["standing"] == "overdue").sum())
            cards = tuple(self.cards(shown))
            columns.append(Column(state, cards, len(mine), overdue, folded, choice != Choice()))
        return columns

    def cards(self, cases: pd.DataFrame) -> Iterable[dict[str, Any]]:
        """Yield what a card says of each case."""
        for case in cases.to_dict("records"):
            yield {
                **{str(name): value if present(value) else None for name, value in case.items()},
                "standing_text": standing_text(case),
                "flags": self._flags(case),
            }

    def card(self, case_id: str) -> dict[str, Any]:
        """Return what is said of one case.

        Raises
        ------
        KeyError
            If there is no such case, or the viewer may not see it.
        """
        if case_id not in self.ids:
            raise KeyError(case_id)
        return next(iter(self.cards(self.cases[self.cases["case_id"] == case_id])))

    def urgent(self, choice: Choice) -> pd.DataFrame:
        """Return what is overdue or soon will be, the most overdue first."""
        frame = self.chosen(choice)
        return _in_order(frame[frame["standing"].isin(["overdue", "soon"])], ended=False)

    def to_dispatch(self, choice: Choice) -> pd.DataFrame:
        """Return the cases of a choice that wait for the viewer to dispatch them, as the board has them."""
        frame = self.chosen(choice)
        kinds = {kind.value for kind in CaseKind if self.actor.role in dispatchers(kind)}
        frame = frame[(frame["state"] == CaseState.ALERT.value) & frame["kind"].isin(kinds)]
        return _in_order(frame, ended=False)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Cases in all, by state, overdue and due soon."""
        states = self.cases["state"].value_counts()
        standing = self.cases["standing"].value_counts()
        return {
            "total": len(self.cases),
            **{state.value: int(states.get(state.value, 0)) for state in CaseState},
            "open": int(self.cases["state"].isin(_OPEN).sum()),
            "overdue": int(standing.get("overdue", 0)),
            "soon": int(standing.get("soon", 0)),
        }

    @property
    def longest(self) -> int:
        """Working days that the most overdue case is overdue; 0 for none."""
        overdue = self.cases.loc[self.cases["standing"] == "overdue", "workdays_left"]
        return int(-overdue.min()) if len(overdue) else 0

    def _flags(self, case: Mapping[Any, Any]) -> list[str]:
        found = []
        if case["state"] in _OPEN and self._alerted is not None and case["cause"] not in self._alerted:
            found.append("预警已消除")
        for column, label in (("returned", "退回"), ("postponed", "延期"), ("reopened", "重开")):
            if case[column]:
                found.append(f"{label}{int(case[column])}次")
        return found


@dataclass(frozen=True)
class CaseFile:
    """A case with its history.

    Parameters
    ----------
    case
        The case.
    events
        Its events, as in the contract ``case_events``.
    history
        run_id, as_of, index and level of its unit at each published run.
    """

    case: Case
    events: pd.DataFrame
    history: pd.DataFrame

    @cached_property
    def _rectified(self) -> list[dict[str, Any]]:
        """What was rectified since the case was opened, or last reopened or returned."""
        found: list[dict[str, Any]] = []
        in_order = self.events.sort_values("sequence")
        for event, payload in zip(in_order["event"], in_order["payload"], strict=True):
            if event in _AFRESH:
                found.clear()
            elif event == CaseEvent.RECTIFY.value:
                found.append(json.loads(payload))
        return found

    @cached_property
    def amendments(self) -> list[dict[str, Any]]:
        """Changes of fact proposed since the case was opened, or last reopened or returned: what counts."""
        return [change for told in self._rectified for change in told["amendments"]]


def rows_of(case: Case, rectifiable: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what of the records a case may put right, as the page asks for it.

    Parameters
    ----------
    case
        The case. One about the colour of a unit may put right anything of the unit, any other what its cause
        is about.
    rectifiable
        Result of :func:`huanjie_lib.casework.rectifiable.rectifiable`.
    """
    frame = rectifiable[rectifiable["unit_code"] == case.unit_code]
    key = cause_key(case.cause)
    return [
        {
            "table": row["table"],
            "insert": bool(row["insert"]),
            "key": json.loads(row["key"]),
            "fixed": json.loads(row["fixed"]),
            "label": row["label"],
            "fields": [{**field, "options": field["options"] or []} for field in json.loads(row["fields"])],
        }
        for row in frame.to_dict("records")
        if case.kind is CaseKind.LEVEL or key in str(row["causes"]).split("|")
    ]


def _in_order(cases: pd.DataFrame, *, ended: bool) -> pd.DataFrame:
    """Return open cases by deadline, so that the overdue come first; ended ones by when they ended.

    Where there is no deadline yet, the kinds that the pack gives least time come first, and of one kind the
    cases of the worst units.
    """
    if ended:
        return cases.sort_values(["closed_on", "case_id"], ascending=[False, True], na_position="last")
    return cases.sort_values(["due_on", *_URGENCY, "opened_on", "case_id"], na_position="last")


def standing_text(case: Mapping[Any, Any]) -> str:
    """Return how a case stands to its deadline, in words.

    Examples
    --------
    >>> standing_text({"standing": "overdue", "workdays_left": -5, "state": "rectifying"})
    '逾期5个工作日'
    >>> standing_text({"standing": "soon", "workdays_left": 0, "state": "rectifying"})
    '今天到期'
    >>> standing_text({"standing": "ok", "workdays_left": 9, "state": "dispatched"})
    '剩9个工作日'
    >>> standing_text({"standing": "none", "state": "alert", "opened_on": pd.Timestamp(2026, 11, 2)})
    '11月2日预警'
    >>> standing_text({"standing": "none", "state": "closed", "closed_on": pd.Timestamp(2026, 11, 9)})
    '11月9日销号'
    """
    if case["standing"] == "none":
        day, verb = (case["opened_on"], "预警") if case["state"] in _OPEN else (case["closed_on"], "销号")
        return f"{day.month}月{day.day}日{verb}" if present(day) else ""
    left = int(case["workdays_left"])
    if case["standing"] == "overdue":
        return f"逾期{-left}个工作日" if left else "已逾期"
    return f"剩{left}个工作日" if left else "今天到期"


@dataclass(frozen=True, slots=True)
class _Step:
    """How a form of an event looks: what it says, and which fields must be filled in."""

    lead: str
    note: str
    note_required: bool = False
    fields: tuple[str, ...] = ()
    evidence: bool = False


_STEPS: Final[Mapping[CaseEvent, _Step]] = {
    CaseEvent.DISPATCH: _Step("定下责任单位和整改期限。", "要求", fields=("owner", "due_on")),
    CaseEvent.RECTIFY: _Step(
        "登记整改做了什么，附上佐证材料；可以分几次登记。", "整改情况", note_required=True, evidence=True
    ),
    CaseEvent.SUBMIT: _Step("整改完成、材料齐全后提交，由其他单位复核。", "说明"),
    CaseEvent.RETURN: _Step("整改不到位时退回，写明还要做什么。", "退回理由", note_required=True),
    CaseEvent.CLOSE: _Step("复核无误后销号；更正的事实从下一次评估起计入。", "复核意见"),
    CaseEvent.REOPEN: _Step(
        "情况反复时重新打开；已更正的事实同时收回。", "重开理由", note_required=True, fields=("due_on",)
    ),
    CaseEvent.CANCEL: _Step("误报或单位撤并时撤销，不算整改。", "撤销理由", note_required=True),
}
_IN_STATE: Final[Mapping[CaseState, tuple[CaseEvent, ...]]] = {
    CaseState.ALERT: (CaseEvent.DISPATCH, CaseEvent.CANCEL),
    CaseState.DISPATCHED: (CaseEvent.RECTIFY, CaseEvent.DISPATCH, CaseEvent.CANCEL),
    CaseState.RECTIFYING: (CaseEvent.RECTIFY, CaseEvent.SUBMIT, CaseEvent.DISPATCH, CaseEvent.CANCEL),
    CaseState.REVIEWING: (CaseEvent.CLOSE, CaseEvent.RETURN, CaseEvent.CANCEL),
    CaseState.CLOSED: (CaseEvent.REOPEN,),
    CaseState.CANCELLED: (CaseEvent.REOPEN,),
}
_AGAIN: Final = "改派或延期"
_LOST: Final = "退回以前登记的更正事实不再计入，仍然有效的请重新填写。"
_VERBS: Final[Mapping[CaseEvent, str]] = {CaseEvent.RECTIFY: "登记整改"}
"""Labels of buttons that say more than the event's own."""


def forms(
    case: Case,
    actor: Actor,
    *,
    owner: str,
    due_on: dt.date,
    due_hint: str,
    offices: Iterable[str],
    rows: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return what may be done with a case in its state, as the page draws it.

    Parameters
    ----------
    case, actor
        The case and who looks at it.
    owner, due_on
        Suggested office and deadline; a case that has them keeps them.
    due_hint
        Where the suggested deadline comes from, in Chinese.
    offices
        Offices to choose from.
    rows
        Rows of ``rectifiable`` that the case may put right.

    Returns
    -------
    list of dict
        event, label, lead, fields, evidence and rows of each; ``blockers`` are the sentences that say why an
        account may not do it, none where it may. Rows, which may name people's pseudonyms, are only there
        for an account that may fill them in.
    """
    allowed = set(allowed_events(case, actor))
    found = []
    for event in _IN_STATE[case.state]:
        step = _STEPS[event]
        again = event is CaseEvent.DISPATCH and case.state is not CaseState.ALERT
        fields: list[dict[str, Any]] = []
        if "owner" in step.fields:
            fields.append(_owner_field(case.owner or owner, offices))
        if "due_on" in step.fields:
            until = case.due_on if again and case.due_on else due_on
            fields.append(_due_field(until, case.opened_on, "" if again else due_hint))
        fields.append(
            _note_field("改派或延期的理由" if again else step.note, required=step.note_required or again)
        )
        found.append(
            {
                "event": event.value,
                "label": _AGAIN if again else _VERBS.get(event, event.label),
                "lead": step.lead + (_LOST if event is CaseEvent.RECTIFY and case.returned else ""),
                "fields": fields,
                "evidence": step.evidence,
                "rows": [dict(row) for row in rows] if step.evidence and event in allowed else [],
                "blockers": [] if event in allowed else [_why_not(event, case, actor)],
            }
        )
    return found


def dispatch_form(
    *, owner: str, due_on: dt.date, due_hint: str, offices: Iterable[str], opened_on: dt.date
) -> dict[str, Any]:
    """Return the form that dispatches several cases at once, as the page draws it.

    Parameters
    ----------
    owner, due_on, due_hint
        Suggested office and deadline, and where the deadline comes from.
    offices
        Offices to choose from.
    opened_on
        When the last of the cases was opened.
    """
    step = _STEPS[CaseEvent.DISPATCH]
    return {
        "event": CaseEvent.DISPATCH.value,
        "label": CaseEvent.DISPATCH.label,
        "lead": "勾选的案件派给同一个责任单位，期限和要求相同；每件各自登记，可以单独改派。",
        "fields": [
            _owner_field(owner, offices),
            _due_field(due_on, opened_on, due_hint),
            _note_field(step.note, required=step.note_required),
        ],
        "evidence": step.evidence,
        "rows": [],
        "blockers": [],
    }


def _owner_field(owner: str, offices: Iterable[str]) -> dict[str, Any]:
    return {
        "name": "owner",
        "kind": "string",
        "label": "责任单位",
        "required": True,
        "value": owner,
        "options": list(offices),
        "hint": "从列表中选，或填单位全称",
    }


def _due_field(due_on: dt.date, earliest: dt.date, hint: str) -> dict[str, Any]:
    return {
        "name": "due_on",
        "kind": "date",
        "label": "整改期限",
        "required": True,
        "value": due_on.isoformat(),
        "min": earliest.isoformat(),
        "hint": hint,
    }


def _note_field(label: str, *, required: bool) -> dict[str, Any]:
    return {"name": "note", "kind": "longtext", "label": label, "required": required}


def _why_not(event: CaseEvent, case: Case, actor: Actor) -> str:
    """Return why an account may not do what the state of the case allows, with who may."""
    if actor.scope and not case.unit_code.startswith(actor.scope):
        return "本案不在本账号的辖区内。"
    if event in {CaseEvent.RECTIFY, CaseEvent.SUBMIT}:
        if actor.office != case.owner:
            return f"由责任单位{case.owner}办理，本账号属于{actor.office}。"
        if event is CaseEvent.SUBMIT and not case.evidence:
            return "还没有佐证材料，请先登记整改并上传。"
    elif event in {CaseEvent.CLOSE, CaseEvent.RETURN}:
        if actor.office == case.owner:
            return "不能复核本单位的整改，由其他单位复核。"
        if actor.account in case.rectifiers:
            return "本账号参与了整改，由其他人复核。"
    offices = "市、县换届办或审计单位" if case.kind is CaseKind.PROBLEM else "市、县换届办"
    return f"由{offices}办理，本账号是{actor.role.label}。"


def timeline(events: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the events of a case as they are told, the last first.

    Parameters
    ----------
    events
        Events of one case, as in the contract ``case_events``.
    """
    told = []
    for event in events.sort_values("sequence", ascending=False).to_dict("records"):
        payload = json.loads(event["payload"])
        kind = CaseEvent.lookup()[event["event"]]
        lines = []
        if kind is CaseEvent.OPEN:
            lines.append(str(payload["reason"]))
        if payload.get("owner"):
            lines.append(f"责任单位：{payload['owner']}")
        if payload.get("due_on"):
            lines.append(f"期限：{date_text(dt.date.fromisoformat(payload['due_on']))}")
        if payload.get("note"):
            lines.append(str(payload["note"]))
        told.append(
            {
                "sequence": int(event["sequence"]),
                "label": kind.label,
                "happened_on": event["happened_on"].date(),
                "office": event["office"],
                "account": event["actor"],
                "lines": lines,
                "evidence": [
                    {**file, "size": size_text(int(file["bytes"]))} for file in payload.get("evidence", [])
                ],
                "amendments": [amendment_text(change) for change in payload.get("amendments", [])],
                "recorded": local_time(str(event["recorded_at"])),
            }
        )
    return told


def amendment_text(change: Mapping[str, Any]) -> str:
    """Return a proposed change of fact in words.

    Examples
    --------
    >>> change = {"closed_on": "2026-11-09"}
    >>> amendment_text({"table": "audit_problems", "key": {"problem_id": "P1"}, "set": change})
    '审计问题（P1）：整改完成改为2026年11月9日'
    """
    contract = TABLES[change["table"]]
    values = change["insert"] if "insert" in change else change["set"]
    named = "、".join(value_label(contract.name, *part) for part in change.get("key", {}).items())
    becomes = "为" if "insert" in change else "改为"
    parts = [
        f"{contract.column(name).label}{becomes}{value_label(contract.name, name, value)}"
        for name, value in values.items()
    ]
    added = "新增一行，" if "insert" in change else ""
    return f"{contract.label}{f'（{named}）' if named else ''}：{added}{'；'.join(parts)}"


def value_label(table: str, column: str, value: Any) -> str:
    """Return a value of a table as a person reads it: words by their label, dates in Chinese.

    Of a pseudonym only the end is told, as the forms do: whole ones are for the restricted ledgers.

    Examples
    --------
    >>> value_label("audit_items", "outcome", "clear"), value_label("talks", "done", 3)
    ('清楚', '3')
    >>> value_label("audit_subjects", "person_ref", "p0e9089ee6d")
    '代号ee6d'
    """
    contract = TABLES[table].column(column)
    if column in _PSEUDONYMS and isinstance(value, str):
        return f"代号{value[-4:]}"
    if contract.words is not None and isinstance(value, str):
        return contract.words.labels().get(value, value)
    if contract.kind == "date" and isinstance(value, str) and _ISO.fullmatch(value):
        return date_text(dt.date.fromisoformat(value))
    return value_text(value)


_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def size_text(size: int) -> str:
    """Return a number of bytes as people read it.

    Examples
    --------
    >>> size_text(312), size_text(2_411_724)
    ('312 字节', '2.3 MB')
    """
    if size < 1024:
        return f"{size} 字节"
    kilo, mega = size / 1024, size / 1024**2
    return f"{kilo:.1f} KB" if kilo < 1024 else f"{mega:.1f} MB"
