"""From what a run found to alerts, and from alerts to cases.

An alert is one thing in one unit that somebody has to see to. Its *cause* names it: the same trouble has the
same cause in every run, so that no case is opened for it twice, and a different trouble has another.

======== ============================ ======================================================================
kind     cause                        when
======== ============================ ======================================================================
level    ``level:<level>@<unit>``     the unit is red, or its colour is worse than at the snapshot before, or
                                      all its data have run out
gate     ``gate:<gate>@<unit>``       the gate fails and something can be done about it, or it cannot be
                                      judged for want of the unit's own data
signal   ``signal:<signal>@<unit>``   an anomaly check has flagged the unit: a lead, no verdict
plan     ``plan@<unit>``              the unit is red and lacks 包干领导, 稳控预案 or 化解方案
problem  ``problem:<problem_id>``     the audit problem is not closed, or closed without evidence
dispute  ``dispute:<dispute_id>``     the dispute is open
======== ============================ ======================================================================

One trouble opens one case. The gate on audit problems opens none, because each problem is a case itself. Of
audit gates that fail for one and the same reason (尚未开展审计) only the first does. The gate on notices
waits until items and members are concluded, because no notice counts before; a conclusion that is pending
waits likewise. What cannot be judged anywhere, because a whole ledger has not come in, is no unit's own
fault. Whatever is left out is counted with its reason in :attr:`Alerts.left_out`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from huanjie_lib.casework.cases import OPEN_STATES
from huanjie_lib.casework.conflict_ledger import unit_plan_state
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.casework.workdays import Deadline, Workdays
from huanjie_lib.parameters import UNIT_OFFICE, CaseRule, CaseworkPack, Gate, ParameterSet
from huanjie_lib.risk.audits import problem_state
from huanjie_lib.risk.gates import AUDIT_CHECKS
from huanjie_lib.risk.indicators import disputes_lacking, open_disputes
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Rows, prepare
from huanjie_lib.risk.signal_checks import FACTS, NOT_A_VERDICT
from huanjie_lib.risk.signals import Signals
from huanjie_lib.vocabulary import (
    AuditItem,
    CaseEvent,
    CaseKind,
    CaseState,
    DisputeCategory,
    GateStatus,
    Level,
    Severity,
    SignalStatus,
    date_text,
)

__all__ = ["COLUMNS", "Alerts", "case_id", "find_alerts", "opening_actions"]

COLUMNS: Final = (
    "cause",
    "kind",
    "unit_code",
    "unit_name",
    "township_code",
    "township_name",
    "title",
    "reason",
    "owner",
    "due_on",
    "rule_due_on",
    "provisional",
    "subject",
    "restricted",
)
"""Columns of :attr:`Alerts.frame`."""

_LEFT_OUT: Final = ("kind", "item", "label", "units", "why")
_TABLES: Final = (
    *("units", "crosswalk", "audit_projects", "audit_items", "audit_problems", "disputes", "screenings"),
    "unit_plans",
)
_NO_ALERT: Final = frozenset({"audit_problems_in_time"})
_AFTER: Final = ("audit_items_complete", "audit_members_complete")
_WAITING: Final = frozenset(
    {("audit_notices", GateStatus.FAIL), ("audit_conclusions_clear", GateStatus.UNKNOWN)}
)
"""Checks whose verdict nothing can be done about before :data:`_AFTER` pass."""
_RANK: Final = {Level.GREEN.value: 0, Level.YELLOW.value: 1, Level.RED.value: 2}
_PLANS: Final = "包干领导、稳控预案、化解方案"


@dataclass(frozen=True)
class Alerts:
    """What somebody has to see to, unit by unit.

    Parameters
    ----------
    frame
        One row per alert, by unit code, kind and cause; columns :data:`COLUMNS`. ``owner`` and ``due_on`` are
        suggestions for whoever dispatches the case: a deadline of a ledger before that of the pack
        (``rule_due_on``), an office of a ledger only where the rule of the pack says so (``ledger_owner``).
        ``provisional`` says that the holiday arrangement on the way to ``due_on`` is not known yet. A
        ``restricted`` alert is for those who may see signals.
    left_out
        What opens no case, and why: kind, item, label, units (how many), why.
    names
        Name of each unit that was looked at, by code.
    as_of
        Date of the run.
    version
        Version of the parameters.
    """

    frame: pd.DataFrame
    left_out: pd.DataFrame
    names: Mapping[str, str]
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return units looked at, alerts, units alerted, date and parameter version."""
        return (
            f"Alerts(units={len(self.names)}, alerts={len(self.frame)}, "
            f"alerted={self.frame['unit_code'].nunique()}, as_of={self.as_of}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the alerts."""
        return self.frame.copy()

    def explain(self, unit_code: str, *, restricted: bool = False) -> str:
        """Return in Chinese what has to be seen to in a unit.

        Parameters
        ----------
        unit_code
            The unit.
        restricted
            Whether restricted alerts are told too.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        name = self.names[unit_code]
        mine = self.frame[self.frame["unit_code"] == unit_code]
        mine = mine if restricted else mine[~mine["restricted"]]
        start = f"截至{date_text(self.as_of)}，{name}"
        if mine.empty:
            return f"{start}没有需要办理的预警。"
        told = [f"{title}（{reason}）" for title, reason in zip(mine["title"], mine["reason"], strict=True)]
        return f"{start}有{len(mine)}项预警：{'；'.join(told)}。"


def case_id(cause: str, occurrence: int) -> str:
    """Return the number of the case of a cause that has come up for the given time.

    Examples
    --------
    >>> case_id("plan@990101001201", 2)
    'C2e46d72a5f8a-2'
    """
    return f"C{hashlib.sha256(cause.encode()).hexdigest()[:12]}-{occurrence}"


# --- finding ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """One alert before the unit's names and the pack's rule are put to it."""

    unit_code: str
    key: str
    title: str
    reason: str
    subject: str = ""
    restricted: bool = False
    owner: str = ""
    due_on: dt.date | None = None
    of_unit: bool = True

    @property
    def cause(self) -> str:
        return f"{self.key}@{self.unit_code}" if self.of_unit else self.key


_LeftOut = tuple[str, str, str, int, str]


def find_alerts(
    *,
    index: pd.DataFrame,
    history: pd.DataFrame,
    gates: pd.DataFrame,
    units: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    signals: Signals | None,
    parameters: ParameterSet,
    as_of: dt.date,
    since: dt.date | None = None,
) -> Alerts:
    """Return what has to be seen to on a date.

    Parameters
    ----------
    index
        Index and level of the units in force: unit_code, index, index_low, index_high, level, to_verify.
    history
        The same at earlier snapshots (``as_of``); rows of the date itself and later ones are not used.
    gates
        Verdicts of :func:`~huanjie_lib.risk.gates.evaluate_gates`.
    units
        unit_code, unit_name, township_code, township_name. A missing name is replaced by the code.
    tables
        Contract tables; audit problems, disputes and unit plans are read. A table that is absent opens no
        case, except that plans which nobody has filed are taken to be lacking.
    signals
        What the anomaly checks say, or ``None``.
    parameters
        Gates, signals and the casework pack; without that pack, or without its rule for a kind, no alert.
    as_of
        The date; nothing dated later is used.
    since
        Date of the last published run: colours are compared with the last snapshot by then, so that a colour
        that got worse between two publications is not missed. Without it, with the last one before the date.

    Raises
    ------
    KeyError
        If there is no ``units`` table.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"],
    ...                       "unit_name": ["上云村"], "township_code": ["990101001"],
    ...                       "township_name": ["云溪街道"]})
    >>> index = pd.DataFrame({"unit_code": ["990101001201"], "index": [52.3], "index_low": [52.3],
    ...                       "index_high": [52.3], "level": ["red"], "to_verify": [False]})
    >>> alerts = find_alerts(
    ...     index=index, history=index.assign(as_of=pd.Timestamp("2026-10-31")), units=units,
    ...     gates=pd.DataFrame({"unit_code": [], "gate": [], "status": [], "reason": []}),
    ...     tables={"units": units}, signals=None, parameters=load_parameters(), as_of=dt.date(2026, 10, 31))
    >>> alerts.frame[["cause", "owner", "due_on"]].astype("str").values.tolist()
    [['level:red@990101001201', '云溪街道', '2026-11-27'], ['plan@990101001201', '云溪街道', '2026-11-06']]
    >>> print(alerts.explain("990101001201"))
    截至2026年10月31日，上云村有2项预警：等级为红色（选情指数52.3分，为红色）；红色村（社区）缺包干领导、稳控预案、化解方案（没有一村一策台账，按全部缺少处理）。
    """
    pack = parameters.casework
    names = _names(units)
    at = Moment(
        prepare({n: tables[n] for n in _TABLES if n in tables} | {"units": tables["units"]}),
        parameters,
        as_of,
    )
    left: list[_LeftOut] = []
    makers: Mapping[CaseKind, Callable[[CaseworkPack], Iterator[_Found | _LeftOut]]] = {
        CaseKind.LEVEL: lambda pack: _levels(index, history, since or as_of, as_of, pack),
        CaseKind.GATE: lambda pack: _gates(gates, parameters, pack),
        CaseKind.SIGNAL: lambda _: _signals(signals, gates, parameters),
        CaseKind.PLAN: lambda _: _plans(index, at),
        CaseKind.PROBLEM: lambda _: _problems(at),
        CaseKind.DISPUTE: lambda _: _disputes(at),
    }
    rows = []
    for kind, make in makers.items():
        rule = None if pack is None else next((rule for rule in pack.rules if rule.kind is kind), None)
        if pack is None or rule is None:
            left.append((kind.value, "", kind.label, 0, "参数包没有规定这类案件怎样办理"))
            continue
        deadline = Workdays(pack.calendar).add(as_of, rule.due_workdays)
        adrift = 0
        for one in make(pack):
            if isinstance(one, tuple):
                left.append(one)
            elif one.unit_code in names:
                rows.append(_row(one, kind, rule, deadline, names[one.unit_code]))
            else:
                adrift += 1
        if adrift:
            left.append((kind.value, "", kind.label, adrift, "在已停用的单位名下，须先明确由哪个单位接续"))
    types = {name: "int64" if name == "units" else "str" for name in _LEFT_OUT}
    return Alerts(
        frame=_frame(rows),
        left_out=pd.DataFrame(left, columns=list(_LEFT_OUT)).astype(types),
        names={code: name["unit_name"] for code, name in names.items()},
        as_of=as_of,
        version=parameters.version,
    )


def _names(units: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the names of each unit and its township by unit code; a missing one is replaced by the code."""
    wanted = ("unit_name", "township_code", "township_name")
    columns = [units[n] if n in units else pd.Series([None] * len(units)) for n in ("unit_code", *wanted)]
    names = {}
    for code, name, township, township_name in zip(*columns, strict=True):
        code, township = str(code), _text(township) or str(code)[:9]
        names[code] = {
            "unit_code": code,
            "unit_name": _text(name) or code,
            "township_code": township,
            "township_name": _text(township_name) or township,
        }
    return names


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _row(
    one: _Found, kind: CaseKind, rule: CaseRule, deadline: Deadline, names: Mapping[str, str]
) -> dict[str, Any]:
    office = names["township_name"] if rule.owner == UNIT_OFFICE else rule.owner
    return {
        "cause": one.cause,
        "kind": kind.value,
        **names,
        "title": one.title,
        "reason": one.reason,
        "owner": (one.owner if rule.ledger_owner else "") or office,
        "due_on": one.due_on or deadline.date,
        "rule_due_on": deadline.date,
        "provisional": one.due_on is None and deadline.provisional,
        "subject": one.subject,
        "restricted": one.restricted,
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    order = {kind.value: place for place, kind in enumerate(CaseKind)}
    flags = ("provisional", "restricted")
    days = ("due_on", "rule_due_on")
    types = {name: "bool" if name in flags else "str" for name in COLUMNS if name not in days}
    rows = sorted(rows, key=lambda row: (row["unit_code"], order[row["kind"]], row["cause"]))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    dates = {name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in days}
    return frame.assign(**dates).astype(types)


def _levels(
    index: pd.DataFrame, history: pd.DataFrame, since: dt.date, as_of: dt.date, pack: CaseworkPack
) -> Iterator[_Found | _LeftOut]:
    """Yield units that are red, whose colour got worse, or whose data have run out."""
    past = history[(history["as_of"] <= pd.Timestamp(since)) & (history["as_of"] < pd.Timestamp(as_of))]
    past = past.sort_values("as_of", kind="stable").drop_duplicates("unit_code", keep="last")
    before = {str(row["unit_code"]): row for row in past.to_dict("records")}
    lost = (index["level"] == Level.UNKNOWN.value).mean() > 1 - pack.known_share
    gone = 0
    for row in index.to_dict("records"):
        code, level = str(row["unit_code"]), Level.lookup()[row["level"]]
        then = before.get(code)
        was = None if then is None else Level.lookup()[then["level"]]
        earlier = ""
        if then is not None and was is not None and was is not Level.UNKNOWN:
            when = date_text(pd.Timestamp(then["as_of"]).date())
            earlier = f"；{when}为{then['index']:.1f}分，{was.label}"
        if level is Level.UNKNOWN:
            if not earlier:
                continue
            gone += 1
            if not lost:
                reason = f"没有一项指标有可用数据，不能评定颜色{earlier}"
                yield _Found(code, f"level:{level.value}", "数据全部缺失或过期", reason)
            continue
        worse = was is not None and _RANK[level.value] > _RANK.get(was.value, len(_RANK))
        if level is not Level.RED and not worse:
            continue
        doubt = ""
        if row["to_verify"]:
            doubt = f"，有数据缺失，补齐后在{row['index_low']:.1f}至{row['index_high']:.1f}分之间，颜色待核实"
        title = f"等级由{was.label}降为{level.label}" if worse and was is not None else f"等级为{level.label}"
        reason = f"选情指数{row['index']:.1f}分，为{level.label}{doubt}{earlier}"
        yield _Found(code, f"level:{level.value}", title, reason)
    if lost and gone:
        yield (CaseKind.LEVEL.value, "", "数据全部缺失或过期", gone, "多数村（社区）没有数据，是整体没有报送")


def _gates(gates: pd.DataFrame, parameters: ParameterSet, pack: CaseworkPack) -> Iterator[_Found | _LeftOut]:
    """Yield gates that fail, or that cannot be judged for want of the unit's own data."""
    if parameters.gates is None or gates.empty:
        return
    columns = ("gate", "unit_code", "status", "reason")
    words = GateStatus.lookup()
    verdicts: dict[str, dict[str, tuple[GateStatus, str]]] = {}
    for name, code, status, reason in _texts(gates.astype(dict.fromkeys(columns, "str")), *columns):
        verdicts.setdefault(name, {})[code] = (words[status], reason)
    unready = {
        code
        for gate in parameters.gates.gates
        if gate.check in _AFTER
        for code, (status, _) in verdicts.get(gate.id, {}).items()
        if status is not GateStatus.PASS
    }
    told: set[tuple[str, str]] = set()
    for gate in parameters.gates.gates:
        mine = verdicts.get(gate.id, {})
        unknown = sum(status is GateStatus.UNKNOWN for status, _ in mine.values())
        common = unknown > (1 - pack.known_share) * len(mine)
        counts: dict[str, int] = {}
        for code, (status, reason) in mine.items():
            if status is GateStatus.PASS:
                continue
            why = _why_not(gate, status, waiting=code in unready, common=common)
            if not why and gate.check in AUDIT_CHECKS and (code, reason) in told:
                why = "与同一村（社区）另一项审计条件是同一原因，已在那里立案"
            if why:
                counts[why] = counts.get(why, 0) + 1
                continue
            told.add((code, reason))
            verdict = "不通过" if status is GateStatus.FAIL else "缺数据，无法判断"
            text = f"{reason}；办理要求：{gate.remedy}"
            yield _Found(code, f"gate:{gate.id}", f"准入条件“{gate.label}”{verdict}", text)
        for why, count in counts.items():
            yield (CaseKind.GATE.value, gate.id, gate.label, count, why)


def _why_not(gate: Gate, status: GateStatus, *, waiting: bool, common: bool) -> str:
    """Return why a gate that does not pass opens no case; empty where it does."""
    if gate.check in _NO_ALERT:
        return "每项审计问题各自立案"
    if waiting and (gate.check, status) in _WAITING:
        return "审计事项和班子成员还没有全部作出结论，先办这两项"
    if status is GateStatus.UNKNOWN and common:
        return "多数村（社区）都无法判断，是整个台账没有报送"
    return ""


def _signals(
    signals: Signals | None, gates: pd.DataFrame, parameters: ParameterSet
) -> Iterator[_Found | _LeftOut]:
    """Yield the flags of the anomaly checks; facts of the review ledger are its gate's where it fails."""
    if signals is None or parameters.signals is None:
        return
    reviewed = (
        {g.id for g in parameters.gates.gates if g.check == "reviews_complete"} if parameters.gates else set()
    )
    failing = gates["gate"].isin(reviewed) & (gates["status"] == GateStatus.FAIL.value)
    blocked = set(gates.loc[failing, "unit_code"].astype("str"))
    flagged = signals.table[signals.table["status"] == SignalStatus.FLAGGED.value]
    counts: dict[str, int] = {}
    for row in flagged.to_dict("records"):
        signal = parameters.signals.signal(str(row["signal"]))
        code = str(row["unit_code"])
        if signal.check in FACTS and code in blocked:
            counts[signal.id] = counts.get(signal.id, 0) + 1
            continue
        told = str(row["reason"]).removesuffix(NOT_A_VERDICT).rstrip("。")
        reason = f"{told}；{NOT_A_VERDICT}，请核查：{signal.follow_up}"
        title = f"线索核查：{signal.label}"
        yield _Found(code, f"signal:{signal.id}", title, reason, restricted=bool(row["restricted"]))
    for name, count in counts.items():
        label = parameters.signals.signal(name).label
        yield (CaseKind.SIGNAL.value, name, label, count, "资格联审条件不通过，已在那里立案")


def _plans(index: pd.DataFrame, at: Moment) -> Iterator[_Found]:
    """Yield red units without an official or a plan; where nobody has filed plans, all are lacking."""
    plans = unit_plan_state(at).set_axis(at.prepared.units["unit_code"].astype("str")).to_dict("index")
    for code in index.loc[index["level"] == Level.RED.value, "unit_code"].astype("str"):
        plan = plans[code]
        if pd.isna(plan["plan_complete"]):
            lacking, reason = _PLANS, "没有一村一策台账，按全部缺少处理"
        elif plan["plan_complete"]:
            continue
        else:
            lacking = plan["plan_lacking"]
            reason = f"红色村（社区）应有包干领导、稳控预案和化解方案，一村一策台账上缺{lacking}"
        yield _Found(code, "plan", f"红色村（社区）缺{lacking}", reason)


def _problems(at: Moment) -> Iterator[_Found]:
    state = problem_state(at)
    if state is None:
        return
    rows, codes, items = state.rows, _codes(at, state.rows), AuditItem.labels()
    texts = _texts(rows.frame, "problem_id", "item", "severity", "owner")
    for row, (problem, item, severity, owner) in enumerate(texts):
        if not state.is_open[row]:
            continue
        found, due = int(rows.day("found_on")[row]), rows.day("due_on")[row]
        reason = f"{_day_text(found)}发现"
        if due == NEVER:
            reason += "，没有整改期限"
        else:
            late = f"，已过{at.day - due}天" if due < at.day else ""
            reason += f"，整改期限{_day_text(int(due))}{late}"
        if named := _text(owner):
            reason += f"，台账上的责任单位是{named}"
        if state.is_unproven[row]:
            reason += "；已报整改完成但没有整改证据，仍算未整改"
        label = items.get(str(item), "未注明事项")
        grade = "（重大）" if severity == Severity.MAJOR.value else ""
        yield _Found(
            codes[row],
            f"problem:{problem}",
            f"审计问题未整改：{label}{grade}",
            reason,
            subject=f"audit_problems/{problem}",
            owner=named,
            due_on=None if due == NEVER else _date(int(due)),
            of_unit=False,
        )


def _disputes(at: Moment) -> Iterator[_Found]:
    state = open_disputes(at)
    if state is None:
        return
    rows, is_open, _ = state
    is_group, people = rows.number("is_group"), rows.number("people_involved")
    lacking, codes, labels = _dispute_lacking(at, rows), _codes(at, rows), DisputeCategory.labels()
    for row, (dispute, category) in enumerate(_texts(rows.frame, "dispute_id", "category")):
        if not is_open[row]:
            continue
        opened = int(rows.day("opened_on")[row])
        days = at.day - opened
        parts = [f"{_day_text(opened)}登记，{f'已{days}天未化解' if days else '尚未化解'}"]
        if is_group[row] > 0:
            parts.append("群体性")
        if people[row] > 0:
            parts.append(f"涉及约{people[row]:.0f}人")
        if lacking[row]:
            parts.append(f"缺{lacking[row]}")
        label = labels.get(str(category), "类别不明的")
        yield _Found(
            codes[row],
            f"dispute:{dispute}",
            f"{label}矛盾未化解",
            "，".join(parts),
            subject=f"disputes/{dispute}",
            of_unit=False,
        )


def _dispute_lacking(at: Moment, rows: Rows) -> list[str]:
    """Return by dispute which of official and plans it lacks on the day, in Chinese."""
    labels = _PLANS.split("、")
    return [
        "、".join(word for word, lacks in zip(labels, row, strict=True) if lacks)
        for row in zip(*disputes_lacking(at, rows), strict=True)
    ]


def _codes(at: Moment, rows: Rows) -> list[str]:
    """Return the unit code of each row."""
    codes = [str(code) for code in at.prepared.units["unit_code"]]
    return [codes[unit] for unit in rows.unit]


def _texts(frame: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns row by row; walking Arrow columns themselves is slow."""
    yield from zip(*(frame[name].to_numpy(dtype=object) for name in columns), strict=True)


def _date(day: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=day)


def _day_text(day: int) -> str:
    return date_text(_date(day))


# --- opening ----------------------------------------------------------------------------------------------


def opening_actions(
    alerts: pd.DataFrame,
    cases: pd.DataFrame,
    earlier: Sequence[tuple[str, frozenset[str]]],
    *,
    run_id: str,
    as_of: dt.date,
    actor: Actor,
) -> list[Action]:
    """Return what publishing a run does to the ledger: cases to open, and closed ones to open again.

    By cause, looking at its last case:

    * none yet: the first case is opened;
    * still open: nothing;
    * closed, and alerted by every published run since (their date is not before the closure): the trouble was
      not put right, and the case is reopened;
    * closed, and some published run since did not alert it: it has come up anew, and a new case is opened;
    * closed after the date of this run: nothing, for the run does not know of it;
    * cancelled: nothing as long as the last published run alerted it too, for the office has called it a
      false alarm; a new case once it had gone and has come back.

    Parameters
    ----------
    alerts
        Alerts of the run: :attr:`Alerts.frame`, or as its folder keeps them, restricted ones included.
    cases
        All cases of the ledger, :data:`~huanjie_lib.casework.cases.CASE_COLUMNS`.
    earlier
        Date (ISO) and alerted causes of each run published before this one, in order of publication.
    run_id, as_of
        The run.
    actor
        On whose behalf; ``Role.SYSTEM`` or the city office.

    Returns
    -------
    list of Action
        In the order of the alerts. Ids of the events follow from run and cause, so that publishing a run
        twice changes nothing.
    """
    last = _last_cases(cases)
    actions = []
    for row in alerts.to_dict("records"):
        cause = str(row["cause"])
        case, occurrence = last.get(cause, (None, 0))
        event = _answer(case, cause, earlier, as_of)
        if event is None:
            continue
        payload: dict[str, Any]
        if event is CaseEvent.OPEN or case is None:
            number, version = case_id(cause, occurrence + 1), 0
            payload = {name: row[name] for name in _OPENED} | {"run": run_id}
        else:
            number, version = str(case["case_id"]), int(case["version"])
            payload = {
                "note": f"{date_text(as_of)}的评估仍有此预警：{row['reason']}",
                "due_on": _fresh_due(row, as_of).isoformat(),
            }
        event_id = hashlib.sha256(f"{run_id}\n{cause}\n{event.value}".encode()).hexdigest()[:32]
        actions.append(Action(event_id, number, event, actor, as_of, version, payload))
    return actions


_OPENED: Final = (
    *("unit_code", "unit_name", "township_code", "township_name"),
    *("kind", "cause", "title", "reason", "subject", "restricted"),
)


def _last_cases(cases: pd.DataFrame) -> dict[str, tuple[Mapping[Any, Any], int]]:
    """Return the last case of each cause, and how often the cause has come up."""
    last: dict[str, tuple[Mapping[Any, Any], int]] = {}
    for case in cases.to_dict("records"):
        occurrence = int(str(case["case_id"]).rpartition("-")[2])
        if occurrence > last.get(str(case["cause"]), (None, 0))[1]:
            last[str(case["cause"])] = (case, occurrence)
    return last


def _answer(
    case: Mapping[Any, Any] | None, cause: str, earlier: Sequence[tuple[str, frozenset[str]]], as_of: dt.date
) -> CaseEvent | None:
    if case is None:
        return CaseEvent.OPEN
    if case["state"] in {state.value for state in OPEN_STATES}:
        return None
    if case["state"] == CaseState.CANCELLED.value:
        return CaseEvent.OPEN if earlier and cause not in earlier[-1][1] else None
    closed_on = pd.Timestamp(case["closed_on"]).date()
    if as_of < closed_on:
        return None
    since = [causes for date, causes in earlier if dt.date.fromisoformat(date) >= closed_on]
    return CaseEvent.REOPEN if all(cause in causes for causes in since) else CaseEvent.OPEN


def _fresh_due(row: Mapping[Any, Any], as_of: dt.date) -> dt.date:
    """Return the deadline suggested, or that of the pack where the one of a ledger has passed."""
    suggested = pd.Timestamp(row["due_on"]).date()
    return suggested if suggested >= as_of else pd.Timestamp(row["rule_due_on"]).date()
