"""The audit ledger (离任审计台账) of a day: how far each unit's audit has come, and whether it is clear.

不审计不换届 is the verdict of the audit gates of the pack, taken from
:func:`huanjie_lib.risk.gates.evaluate_gates` and never computed a second time. Beside it stands what the work
plan asks for and no gate judges: offices that take part, the plan before fieldwork, the supervision committee
and representatives. These are flags: the plan words them as alerts and working papers, so they are told and
do not block.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.casework.audit_rows import (
    ProblemStanding,
    as_dates,
    as_numbers,
    handover_rows,
    item_rows,
    member_rows,
    notice_rows,
    offices_present,
    problem_rows,
    project_texts,
)
from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.audits import (
    ItemState,
    MemberState,
    NoticeStanding,
    NoticeState,
    audit_concluded_on,
    current_projects,
    item_state,
    items_due,
    member_state,
    notice_state,
)
from huanjie_lib.risk.gates import AUDIT_CHECKS, evaluate_gates
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Bools, Floats, Ints, Prepared
from huanjie_lib.vocabulary import AuditItem, AuditType, GateStatus, UnitKind, Word, date_text

__all__ = ["LABELS", "AuditLedger", "AuditStage", "NoticeRule", "audit_ledger", "notice_rule"]


class AuditStage(Word):
    """How far a unit's audit has come."""

    NOT_STARTED = "not_started", "尚未审计"
    PLANNED = "planned", "已定方案"
    FIELDWORK = "fieldwork", "审计中"
    CONCLUDED = "concluded", "已作结论"
    NOTICED = "noticed", "已公示"
    CLEARED = "cleared", "审计清楚"


LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "adjoins": "与上一次首尾相接",
        "adrift": "停用单位名下未整改问题",
        "amount": "金额（元）",
        "answered": "答复异议",
        "audit_type": "审计类型",
        "audited": "已审",
        "cleared": "审计清楚",
        "closed_on": "整改完成",
        "code": "代码",
        "concluded": "已有结论",
        "concluded_on": "结论日期",
        "counts": "有效",
        "days": "公示天数",
        "detail": "事项",
        "due_on": "整改期限",
        "end_on": "公示结束",
        "ended_on": "结束日期",
        "evidence": "有整改证据",
        "failed": "不通过",
        "to_check": "需要核对",
        "found_on": "发现日期",
        "in_force": "单位代码在用",
        "is_open": "未整改",
        "is_overdue": "逾期",
        "item": "审计事项",
        "items_concluded": "已审事项",
        "items_missing": "未审事项",
        "items_required": "应审事项",
        "items_unclear": "不清楚事项",
        "key": "编号",
        "kind": "类别",
        "left": "已离任",
        "level": "范围",
        "listed": "列入名单",
        "members_concluded": "已审人员",
        "members_due": "应审人员",
        "members_left": "其中已离任",
        "members_unclear": "不清楚人员",
        "members_unlisted": "未列入名单",
        "notice_id": "公示编号",
        "notices_posted": "公示次数",
        "notices_rejected": "不算数的公示",
        "notices_required": "规定公示次数",
        "notices_valid": "有效公示次数",
        "objections": "收到异议",
        "objections_open": "未答复异议",
        "offices_missing": "缺少组成单位",
        "offices_present": "到位组成单位",
        "outcome": "审计结论",
        "owner": "责任单位",
        "person_ref": "人员代号",
        "persons": "应审人数",
        "persons_audited": "已审人数",
        "persons_share": "人员审计覆盖率",
        "place": "公示地点",
        "plan_first": "方案早于进点",
        "plan_on": "方案日期",
        "post": "职务",
        "problem_id": "问题编号",
        "problems_open": "未整改问题",
        "problems_overdue": "逾期问题",
        "problems_undated": "无期限问题",
        "problems_unproven": "缺证据问题",
        "project_id": "审计项目编号",
        "reason": "理由",
        "representatives": "群众代表人数",
        "representatives_enough": "群众代表够数",
        "rule": "依据",
        "severity": "问题等级",
        "since": "起始日期",
        "stage": "审计进度",
        "standing": "状态",
        "start_on": "公示开始",
        "started_on": "进点日期",
        "supervision_present": "监委会参与",
        "term_from": "任职起",
        "term_to": "任职止",
        "township_code": "镇街代码",
        "unit_code": "统计用区划代码",
        "unit_kind": "单位类别",
        "units": "应审单位",
        "units_audited": "已审单位",
        "units_share": "单位审计覆盖率",
        "unknown": "待核实",
        "verdict": "不审计不换届",
        "without_list": "没有审计对象名单",
    }
)
"""Chinese heading of every column of the ledger's tables."""

PASS, FAIL, UNKNOWN = GateStatus.PASS.value, GateStatus.FAIL.value, GateStatus.UNKNOWN.value
_AREAS: Final[Mapping[str, str]] = {"city": "city", "county": "county_code", "township": "township_code"}
_COMMITTEE: Final = "committee_members"
_FEWEST: Final[Mapping[UnitKind, str]] = {
    UnitKind.VILLAGE: "committee_seats_village_min",
    UnitKind.COMMUNITY: "committee_seats_community_min",
}


@dataclass(frozen=True)
class NoticeRule:
    """How many notices, how long each, and how far apart."""

    min_count: int
    min_days: int
    min_gap_days: int


def notice_rule(parameters: ParameterSet, as_of: dt.date) -> NoticeRule:
    """Return the rule on notices: the options of the pack's gate, else the rules of the region.

    Raises
    ------
    ParameterError
        If neither is in force on the day.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> notice_rule(load_parameters(), dt.date(2026, 10, 31))
    NoticeRule(min_count=2, min_days=5, min_gap_days=0)
    """
    names = ("min_count", "min_days", "min_gap_days")
    for gate in parameters.gates.gates if parameters.gates is not None else ():
        if gate.check == "audit_notices":
            options = parameters.options(gate.options, as_of)
            return NoticeRule(*(int(options[name]) for name in names))
    return NoticeRule(*(_rule(parameters, f"audit_notice_{name}", as_of) for name in names))


def _rule(parameters: ParameterSet, rule: str, as_of: dt.date) -> int:
    value = parameters.rule(rule, as_of).value
    if not isinstance(value, int | float):
        raise ValueError(f"rule {rule} must be a number, found {value!r}")
    return int(value)


@dataclass(frozen=True)
class AuditLedger:
    """The audit ledger of a city on one day; headings in :data:`LABELS`.

    Parameters
    ----------
    units
        One row per unit in force, by unit code: stage (:class:`AuditStage`), verdict (pass, fail, unknown)
        with reason and rule, of the pack's audit gates; the audit that counts (project_id, audit_type,
        plan_on, started_on, ended_on) and the day of its last conclusion; items, members, notices, objections
        and problems in numbers; offices_present and offices_missing, plan_first, supervision_present,
        representatives and representatives_enough, missing where nobody has said; to_check (Chinese).
    coverage
        One row for the city, each county and each township (level, code): units and units_audited (every item
        of the checklist has a conclusion), persons and persons_audited, both shares, cleared, failed,
        unknown, without_list. A unit without a list of members is due for as many as its committee is
        reported to have, else for the least the rules allow, and none of them counts as audited. ``adrift``
        counts open problems of units out of force.
    items, members, notices, problems, handover
        Tables of :mod:`huanjie_lib.casework.audit_rows`; ``members`` is restricted.
    as_of
        The day.
    version
        Version of the parameters.
    """

    units: pd.DataFrame
    coverage: pd.DataFrame
    items: pd.DataFrame
    members: pd.DataFrame
    notices: pd.DataFrame
    problems: pd.DataFrame
    handover: pd.DataFrame
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return the number of units by verdict, the date and the version of the parameters."""
        counts = self.units["verdict"].value_counts()
        told = ", ".join(f"{word}={int(counts.get(word, 0))}" for word in (PASS, FAIL, UNKNOWN))
        return (
            f"AuditLedger(units={len(self.units)}, {told}, as_of={self.as_of}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit."""
        return self.units.copy()

    def unit(self, unit_code: str) -> dict[str, Any]:
        """Return the row of a unit.

        Raises
        ------
        KeyError
            If no such unit is in force.
        """
        return dict(self.units.iloc[self._place[unit_code]])

    def explain(self, unit_code: str, *, name: str | None = None) -> str:
        """Return in Chinese how far a unit's audit has come, whether it is clear and what must be checked.

        Parameters
        ----------
        unit_code
            The unit.
        name
            What to call it; its code when omitted.

        Raises
        ------
        KeyError
            If no such unit is in force.
        """
        row = self.unit(unit_code)
        stage, verdict = AuditStage.lookup()[row["stage"]], GateStatus.lookup()[row["verdict"]]
        text = f"截至{date_text(self.as_of)}，{name or unit_code}{stage.label}。"
        if stage is not AuditStage.NOT_STARTED:
            text += (
                f"{row['items_required']}项审计事项已有结论{row['items_concluded']}项，"
                + _count_text(row["members_due"], row["members_concluded"])
                + f"，有效公示{row['notices_valid']}次（规定{row['notices_required']}次）。"
            )
        text += f"不审计不换届：{verdict.label}——{row['reason']}。"
        return text + (f"需要核对：{row['to_check']}。" if row["to_check"] else "")

    @cached_property
    def _place(self) -> dict[str, int]:
        return {code: place for place, code in enumerate(self.units["unit_code"])}


def _count_text(due: Any, concluded: Any) -> str:
    return "没有审计对象名单" if pd.isna(due) else f"{due}名班子成员已审{concluded}名"


def audit_ledger(prepared: Prepared, parameters: ParameterSet, as_of: dt.date) -> AuditLedger:
    """Compute the audit ledger of a day; nothing dated later is used.

    Parameters
    ----------
    prepared
        Tables laid out by :func:`huanjie_lib.risk.prepared.prepare`. A table that was not supplied leaves its
        figures missing.
    parameters
        Gates, rules on notices, and in the casework pack the offices and representatives that must take part.
    as_of
        The day.

    Raises
    ------
    ParameterError
        If a rule that the audit gates refer to is not in force on the day.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> projects = pd.DataFrame({"project_id": ["p"], "unit_code": ["990101001201"],
    ...                          "plan_on": pd.to_datetime(["2026-03-02"]),
    ...                          "started_on": pd.to_datetime(["2026-03-01"])})
    >>> ledger = audit_ledger(prepare({"units": units, "audit_projects": projects}), load_parameters(),
    ...                       dt.date(2026, 10, 31))
    >>> ledger
    AuditLedger(units=1, pass=0, fail=1, unknown=0, as_of=2026-10-31, parameters='...')
    >>> ledger.units[["stage", "verdict", "plan_first"]].values.tolist()
    [['fieldwork', 'fail', False]]
    >>> ledger.explain("990101001201", name="甲村").split("。")[0]
    '截至2026年10月31日，甲村审计中'
    """
    at = Moment(prepared, parameters, as_of)
    positions = np.flatnonzero(prepared.in_force(at.day)).astype(np.int64)
    rule = notice_rule(parameters, as_of)
    items, members = item_state(at), member_state(at)
    notices = notice_state(at, rule.min_days, rule.min_gap_days)
    tables = {
        "items": item_rows(at),
        "members": member_rows(at),
        "notices": notice_rows(at, notices),
        "problems": problem_rows(at),
    }
    units = pd.concat(
        [
            _unit_columns(at),
            _project_columns(at),
            _item_columns(at, items),
            _member_columns(at, members, tables["members"]),
            _notice_columns(at, notices, rule),
            _problem_columns(at, tables["problems"]),
        ],
        axis=1,
    )
    units = units.iloc[positions].reset_index(drop=True)
    units = units.merge(_verdicts(prepared, parameters, as_of), on="unit_code", how="left")
    units = units.fillna({"verdict": UNKNOWN, "reason": "参数包没有审计准入条件，无法判断", "rule": ""})
    units["stage"] = _stages(units)
    units["to_check"] = _to_check(units, tables["notices"])
    return AuditLedger(
        units=units[list(_UNITS)],
        coverage=_coverage(at, units, tables["problems"]),
        **tables,
        handover=handover_rows(
            at,
            items=tables["items"],
            notices=tables["notices"],
            problems=tables["problems"],
            members_open=_members_open(units),
        ),
        as_of=as_of,
        version=parameters.version,
    )


# --- columns by unit ----------------------------------------------------------------------------------------


def _unit_columns(at: Moment) -> pd.DataFrame:
    units = at.prepared.units
    codes = units["unit_code"].astype("str")
    own = codes.str[:9]
    townships = units["township_code"].astype("str").fillna(own) if "township_code" in units else own
    return pd.DataFrame(
        {
            "unit_code": codes,
            "unit_kind": units["unit_kind"].map(UnitKind.labels()).astype("str"),
            "township_code": townships,
            "county_code": codes.str[:6],
            "_kind": units["unit_kind"].astype("str"),
        }
    )


def _project_columns(at: Moment) -> pd.DataFrame:
    projects, current, concluded = at.rows("audit_projects"), current_projects(at), audit_concluded_on(at)
    pack = at.parameters.casework
    row = np.full(at.size, -1, dtype=np.int64) if current is None else current[0]

    def day(name: str) -> Ints:
        days = np.full(at.size, NEVER) if projects is None else np.append(projects.day(name), NEVER)[row]
        return np.where(days <= at.day, days, NEVER)

    def number(name: str) -> Floats:
        return np.full(at.size, np.nan) if projects is None else np.append(projects.number(name), np.nan)[row]

    planned, began = day("plan_on"), day("started_on")
    listed = project_texts(at, "departments", row)
    found = [offices_present(t, pack) if pack is not None and isinstance(t, str) else None for t in listed]
    people = number("representatives")
    fewest = np.nan if pack is None else float(pack.min_representatives)
    return pd.DataFrame(
        {
            "project_id": project_texts(at, "project_id", row),
            "audit_type": project_texts(at, "audit_type", row).map(AuditType.labels()).astype("str"),
            "plan_on": as_dates(planned),
            "started_on": as_dates(began),
            "ended_on": as_dates(day("ended_on")),
            "concluded_on": as_dates(np.full(at.size, NEVER) if concluded is None else concluded),
            "plan_first": _yes_no(planned < began, (planned == NEVER) | (began == NEVER)),
            "offices_present": _joined([None if f is None else f.present for f in found]),
            "offices_missing": _joined([None if f is None else f.missing for f in found]),
            "supervision_present": pd.Series(number("supervision_present")).astype("boolean"),
            "representatives": as_numbers(people),
            "representatives_enough": _yes_no(people >= fewest, np.isnan(people) | np.isnan(fewest)),
            "_has_project": row >= 0,
            "_others": _joined([() if f is None else f.others for f in found]),
        }
    )


def _yes_no(yes: Bools, unknown: Bools) -> pd.Series[Any]:
    return pd.Series(yes).astype("boolean").mask(pd.Series(unknown))


def _joined(lists: list[tuple[str, ...] | None]) -> pd.Series[Any]:
    return pd.Series(pd.array([None if one is None else "、".join(one) for one in lists], dtype="str"))


def _item_columns(at: Moment, state: ItemState | None) -> pd.DataFrame:
    due = items_due(at)
    done = np.zeros_like(due) if state is None else state.done
    lacking = due & ~done
    labels = [item.label for item in AuditItem]
    return pd.DataFrame(
        {
            "items_required": as_numbers(due.sum(axis=0, dtype=np.float64)),
            "items_concluded": as_numbers(done.sum(axis=0, dtype=np.float64)),
            "items_unclear": as_numbers(np.zeros(at.size) if state is None else state.unclear),
            "items_missing": _joined(
                [
                    tuple(label for label, gap in zip(labels, column, strict=True) if gap)
                    for column in lacking.T
                ]
            ),
        }
    )


def _member_columns(at: Moment, state: MemberState | None, members: pd.DataFrame) -> pd.DataFrame:
    size = np.full(at.size, np.nan)
    history = at.prepared.metrics.get(_COMMITTEE)
    if history is not None:
        size = history.latest(at.size, at.day)[0]
    if state is None:
        due = concluded = unclear = unlisted = gone = serving = np.full(at.size, np.nan)
    else:
        nobody = state.due == 0
        due, concluded, unclear = (
            np.where(nobody, np.nan, values) for values in (state.due, state.concluded, state.unclear)
        )
        listed = at.count(state.rows, state.listed)
        unlisted = np.where(nobody, np.nan, state.due - listed)
        in_office = state.listed & (state.rows.day("term_to") > at.day)
        serving = np.where(nobody, np.nan, at.count(state.rows, in_office))
        gone = np.where(nobody, np.nan, 0.0)
        left = members[members["left"]].groupby("unit_code").size()
        codes = at.prepared.units["unit_code"].astype("str")
        gone = gone + codes.map(left).fillna(0).to_numpy(dtype=np.float64)
    return pd.DataFrame(
        {
            "members_due": as_numbers(due),
            "members_concluded": as_numbers(concluded),
            "members_unclear": as_numbers(unclear),
            "members_left": as_numbers(gone),
            "members_unlisted": as_numbers(unlisted),
            "_committee": size,
            "_serving": serving,
        }
    )


def _notice_columns(at: Moment, state: NoticeState | None, rule: NoticeRule) -> pd.DataFrame:
    zero = np.zeros(at.size)
    rejected = np.full(at.size, "", dtype=object)
    objections = answered = pending = np.full(at.size, np.nan)
    if state is not None:
        for standing in NoticeStanding:
            if standing is NoticeStanding.COUNTS:
                continue
            count = at.count(state.rows, state.told & (state.standing == standing.value))
            for unit in np.flatnonzero(count):
                rejected[unit] += ("、" if rejected[unit] else "") + f"{count[unit]:.0f}次{standing.label}"
        received, replied = state.rows.number("objections"), state.rows.number("answered")
        some = at.count(state.rows, state.mine) > 0
        open_ones = np.where(received == 0, 0.0, received - replied)
        replied = np.where(received == 0, 0.0, replied)
        objections, answered, pending = (
            _sum(at, state, values, some) for values in (received, replied, open_ones)
        )
    return pd.DataFrame(
        {
            "notices_posted": as_numbers(zero if state is None else state.posted),
            "notices_valid": as_numbers(zero if state is None else state.counted),
            "notices_required": as_numbers(np.full(at.size, rule.min_count)),
            "notices_rejected": pd.Series(rejected, dtype="str"),
            "objections": as_numbers(objections),
            "answered": as_numbers(answered),
            "objections_open": as_numbers(pending),
        }
    )


def _sum(at: Moment, state: NoticeState, values: Floats, known: Any) -> Floats:
    """Return by unit the sum over the notices of the audit that counts; NaN where one has no figure."""
    total = at.count(state.rows, state.mine & ~np.isnan(values), values)
    unsure = at.count(state.rows, state.mine & np.isnan(values)) > 0
    return np.where(known & ~unsure, total, np.nan)


def _problem_columns(at: Moment, problems: pd.DataFrame) -> pd.DataFrame:
    codes = at.prepared.units["unit_code"].astype("str")
    is_open = problems["is_open"]
    masks = {
        "problems_open": is_open,
        "problems_overdue": problems["is_overdue"],
        "problems_undated": is_open & problems["due_on"].isna(),
        "problems_unproven": problems["standing"] == ProblemStanding.UNPROVEN.value,
    }
    unknown = np.nan if at.rows("audit_problems") is None else 0.0
    return pd.DataFrame(
        {
            name: as_numbers(
                codes.map(problems[mask].groupby("unit_code").size()).fillna(unknown).to_numpy(np.float64)
            )
            for name, mask in masks.items()
        }
    )


# --- verdict, stage, flags ----------------------------------------------------------------------------------


def _verdicts(prepared: Prepared, parameters: ParameterSet, as_of: dt.date) -> pd.DataFrame:
    """Return by unit the verdict of the audit gates together: fail before unknown before pass."""
    gates = evaluate_gates(prepared, parameters, as_of, checks=AUDIT_CHECKS)
    rows = []
    each = max(gates["gate"].nunique(), 1)
    columns = [gates[name].tolist() for name in ("unit_code", "status", "reason", "rule")]
    for start in range(0, len(gates), each):
        codes, statuses, reasons, rules = (column[start : start + each] for column in columns)
        verdict = next(status for status in (FAIL, UNKNOWN, PASS) if status in statuses)
        told = [
            place
            for status in (FAIL, UNKNOWN, PASS)
            for place, own in enumerate(statuses)
            if own == status and (status != PASS or verdict == PASS)
        ]
        rows.append((codes[0], verdict, _once(reasons, told), _once(rules, told)))
    return pd.DataFrame(rows, columns=["unit_code", "verdict", "reason", "rule"], dtype="str")


def _once(texts: Sequence[str], places: Sequence[int]) -> str:
    return "；".join(dict.fromkeys(texts[place] for place in places))


def _stages(units: pd.DataFrame) -> pd.Series[Any]:
    audited = units["members_due"].notna() & (units["members_concluded"] >= units["members_due"]).fillna(
        False
    )
    concluded = (units["items_concluded"] >= units["items_required"]) & audited
    noticed = concluded & (units["notices_valid"] >= units["notices_required"])
    stages = np.select(
        [
            ~units["_has_project"],
            units["verdict"] == PASS,
            noticed,
            concluded,
            units["started_on"].notna(),
        ],
        [
            stage.value
            for stage in (
                AuditStage.NOT_STARTED,
                AuditStage.CLEARED,
                AuditStage.NOTICED,
                AuditStage.CONCLUDED,
                AuditStage.FIELDWORK,
            )
        ],
        default=AuditStage.PLANNED.value,
    )
    return pd.Series(stages, index=units.index, dtype="str")


def _to_check(units: pd.DataFrame, notices: pd.DataFrame) -> pd.Series[Any]:
    """Return what the work plan asks for, no gate judges, and a unit lacks or has not told."""
    adjoining = set(notices.loc[notices["adjoins"], "unit_code"])
    texts = []
    for row in units.to_dict("records"):
        said: list[str] = []
        if row["_has_project"]:
            said += _takers_part({str(name): value for name, value in row.items()})
            if pd.isna(row["members_due"]):
                said.append("没有审计对象名单")
            elif row["_committee"] > row["_serving"]:
                said.append(f"班子实有{row['_committee']:.0f}人，名单上在任只有{row['_serving']:.0f}人")
        if row["unit_code"] in adjoining:
            said.append("两次公示首尾相接，请核对是否同一次")
        for column, words in _OPEN_ENDS.items():
            if pd.notna(row[column]) and row[column] > 0:
                said.append(f"{row[column]}{words}")
        texts.append("；".join(said))
    return pd.Series(texts, index=units.index, dtype="str")


_OPEN_ENDS: Final = {
    "objections_open": "件公示异议未答复",
    "problems_undated": "项未整改问题没有整改期限",
    "problems_unproven": "项问题报完成但没有整改证据",
}


def _takers_part(row: Mapping[str, Any]) -> list[str]:
    said = []
    if pd.isna(row["offices_missing"]):
        said.append("没有填报审计组成单位")
    elif row["offices_missing"]:
        others = f"（所填“{row['_others']}”认不出）" if row["_others"] else ""
        said.append(f"审计缺少{row['offices_missing']}参加{others}")
    if pd.notna(row["started_on"]) and pd.isna(row["plan_on"]):
        said.append("没有填报审计方案日期")
    elif pd.notna(row["plan_first"]) and not row["plan_first"]:
        said.append("审计方案没有在进点之前制定")
    if pd.isna(row["supervision_present"]):
        said.append("没有填报村（居）务监督委员会是否参与")
    elif not row["supervision_present"]:
        said.append("村（居）务监督委员会没有参与")
    if pd.isna(row["representatives"]):
        said.append("没有填报参与的群众代表人数")
    elif pd.notna(row["representatives_enough"]) and not row["representatives_enough"]:
        said.append(f"群众代表只有{row['representatives']}人参与")
    return said


# --- coverage and handover ----------------------------------------------------------------------------------


def _members_open(units: pd.DataFrame) -> dict[str, int]:
    """Return the number of members of each unit without a clear conclusion, where there are any."""
    lacking = (units["members_due"] - units["members_concluded"] + units["members_unclear"]).fillna(0)
    return {code: int(n) for code, n in zip(units["unit_code"], lacking, strict=True) if n > 0}


def _coverage(at: Moment, units: pd.DataFrame, problems: pd.DataFrame) -> pd.DataFrame:
    ids = {rule.id for rule in at.parameters.rules}
    fewest = {
        kind.value: _rule(at.parameters, rule, at.date) if rule in ids else 1
        for kind, rule in _FEWEST.items()
    }
    assumed = units["_committee"].where(units["_committee"] > 0, units["_kind"].map(fewest))
    listed = units["members_due"].notna()
    counted = units.assign(
        city="city",
        units=1,
        units_audited=(units["_has_project"] & (units["items_concluded"] >= units["items_required"])),
        persons=units["members_due"].astype("Float64").fillna(assumed.astype("Float64")),
        persons_audited=units["members_concluded"].fillna(0),
        cleared=units["verdict"] == PASS,
        failed=units["verdict"] == FAIL,
        unknown=units["verdict"] == UNKNOWN,
        without_list=~listed,
    )
    adrift = problems[problems["is_open"] & ~problems["in_force"]]
    adrift = adrift.assign(
        city="city", county_code=adrift["unit_code"].str[:6], township_code=adrift["unit_code"].str[:9]
    )
    tables = []
    for level, column in _AREAS.items():
        table = counted.groupby(column)[list(_SUMMED)].sum().astype("int64")
        table["adrift"] = adrift.groupby(column).size().reindex(table.index, fill_value=0)
        tables.append(table.rename_axis("code").reset_index().assign(level=level))
    whole = pd.concat(tables, ignore_index=True)
    whole["units_share"] = whole["units_audited"] / whole["units"]
    whole["persons_share"] = whole["persons_audited"] / whole["persons"]
    return whole[list(_COVERAGE)]


_SUMMED: Final = (
    *("units", "units_audited", "persons", "persons_audited"),
    *("cleared", "failed", "unknown", "without_list"),
)
_COVERAGE: Final = (
    *("level", "code", "units", "units_audited", "units_share", "persons", "persons_audited"),
    *("persons_share", "cleared", "failed", "unknown", "without_list", "adrift"),
)
_UNITS: Final = (
    *("unit_code", "unit_kind", "township_code", "stage", "verdict", "reason", "rule", "project_id"),
    *("audit_type", "plan_on", "started_on", "ended_on", "concluded_on", "plan_first", "offices_present"),
    *("offices_missing", "supervision_present", "representatives", "representatives_enough"),
    *("items_required", "items_concluded", "items_unclear", "items_missing", "members_due"),
    *("members_concluded", "members_unclear", "members_left", "members_unlisted", "notices_posted"),
    *("notices_valid", "notices_required", "notices_rejected", "objections", "answered"),
    *("objections_open", "problems_open", "problems_overdue", "problems_undated", "problems_unproven"),
    "to_check",
)
