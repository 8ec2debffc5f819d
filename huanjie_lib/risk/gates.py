"""Gates: hard conditions for starting an election, computed from the ledgers and never typed in.

Each gate answers pass, fail or unknown with a reason and the source of its rule. Gates stand apart from the
index and nothing compensates for them: a unit is admitted (准入) only when every gate passes, and unknown is
not a pass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.indicators import (
    Moment,
    audit_item_state,
    audit_subject_state,
    current_projects,
    latest_screening,
    open_problems,
    problems_without_deadline,
    review_counts,
    valid_notices,
)
from huanjie_lib.risk.prepared import NEVER, Prepared
from huanjie_lib.vocabulary import AuditItem, GateStatus

__all__ = ["CHECKS", "Verdicts", "admitted", "evaluate_gates"]

PASS, FAIL, UNKNOWN = GateStatus.PASS.value, GateStatus.FAIL.value, GateStatus.UNKNOWN.value
NO_LEDGER = "没有审计台账，无法判断"
NO_PROJECT = "尚未开展审计"


@dataclass(frozen=True)
class Verdicts:
    """Verdicts of one gate for all units: status and reason by position."""

    status: list[str]
    reason: list[str]


Check = Callable[[Moment, Mapping[str, Any]], Verdicts]


def _everywhere(at: Moment, status: str, reason: str) -> Verdicts:
    return Verdicts([status] * at.size, [reason] * at.size)


def _verdicts(pairs: list[tuple[str, str]]) -> Verdicts:
    return Verdicts([p[0] for p in pairs], [p[1] for p in pairs])


def _audit_items_complete(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    state, projects = audit_item_state(at), current_projects(at)
    if state is None or projects is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)
    required, concluded, _unclear, per_item = state
    done = np.column_stack(per_item)
    labels = [item.label for item in AuditItem]

    def one(unit: int) -> tuple[str, str]:
        if projects[0][unit] < 0:
            return FAIL, NO_PROJECT
        if concluded[unit] >= required[unit]:
            return PASS, f"{required[unit]:.0f}项审计事项均有结论"
        open_items = "、".join(label for label, ok in zip(labels, done[unit], strict=True) if not ok)
        return FAIL, f"{open_items}尚无审计结论"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_members_complete(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    state, projects = audit_subject_state(at), current_projects(at)
    if projects is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)
    if state is None:
        return _everywhere(at, UNKNOWN, "没有审计对象名单，无法判断")
    listed, concluded, _unclear = state

    def one(unit: int) -> tuple[str, str]:
        if projects[0][unit] < 0:
            return FAIL, NO_PROJECT
        if not listed[unit] > 0:
            return UNKNOWN, "没有审计对象名单，无法判断"
        if concluded[unit] >= listed[unit]:
            return PASS, f"{listed[unit]:.0f}名班子成员全部审计完毕"
        return FAIL, f"{listed[unit]:.0f}名班子成员中还有{listed[unit] - concluded[unit]:.0f}名没有审计结论"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_conclusions_clear(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    items, subjects, projects = audit_item_state(at), audit_subject_state(at), current_projects(at)
    if items is None or projects is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)
    required, concluded, unclear_items, _per_item = items
    unclear_members = subjects[2] if subjects is not None else np.zeros(at.size)
    members_done = subjects is not None
    listed, finished = (subjects[0], subjects[1]) if subjects is not None else (np.zeros(at.size),) * 2

    def one(unit: int) -> tuple[str, str]:
        if projects[0][unit] < 0:
            return FAIL, NO_PROJECT
        if unclear_items[unit] or unclear_members[unit]:
            whose = (f"{unclear_items[unit]:.0f}项事项", f"{unclear_members[unit]:.0f}名成员")
            counts = (unclear_items[unit], unclear_members[unit])
            named = "、".join(words for words, count in zip(whose, counts, strict=True) if count)
            return FAIL, f"{named}审计结论为“不清楚”"
        complete = members_done and listed[unit] > 0 and finished[unit] >= listed[unit]
        if concluded[unit] < required[unit] or not complete:
            return UNKNOWN, "审计尚未完成，结论待定"
        return PASS, "审计结论均清楚"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_notices(at: Moment, options: Mapping[str, Any]) -> Verdicts:
    wanted, days = int(options["min_count"]), int(options["min_days"])
    projects = current_projects(at)
    if projects is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)
    state = valid_notices(at, days)
    if state is None:
        return _everywhere(at, UNKNOWN, "没有公示台账，无法判断")
    counted, posted, _rows, _mine = state

    def one(unit: int) -> tuple[str, str]:
        if projects[0][unit] < 0:
            return FAIL, NO_PROJECT
        if counted[unit] >= wanted:
            return PASS, f"有效公示{counted[unit]:.0f}次"
        wasted = posted[unit] - counted[unit]
        why = f"另有{wasted:.0f}次不足{days}天、相互重叠或尚未期满" if wasted else f"每次不少于{days}天"
        return FAIL, f"有效公示{counted[unit]:.0f}次，规定不少于{wanted}次，{why}"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_problems_in_time(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    state = open_problems(at)
    if state is None:
        return _everywhere(at, UNKNOWN, "没有审计问题台账，无法判断")
    problems, is_open, is_overdue, known = state
    total, overdue = at.count(problems, is_open), at.count(problems, is_overdue)
    unlimited = problems_without_deadline(at, problems, is_open)

    def one(unit: int) -> tuple[str, str]:
        if overdue[unit]:
            return FAIL, f"{overdue[unit]:.0f}项审计问题逾期未整改"
        if not known[unit]:
            return UNKNOWN, "审计尚无结论，问题情况待定"
        if unlimited[unit]:
            return UNKNOWN, f"{unlimited[unit]:.0f}项未整改问题没有整改期限，无法判断是否逾期"
        if total[unit]:
            return PASS, f"{total[unit]:.0f}项问题正在整改，均未逾期"
        return PASS, "没有未整改的审计问题"

    return _verdicts([one(unit) for unit in range(at.size)])


def _screening_done(at: Moment, options: Mapping[str, Any]) -> Verdicts:
    limit = int(options["max_age_days"])
    last = latest_screening(at)
    if last is None:
        return _everywhere(at, UNKNOWN, "没有摸排台账，无法判断")

    def one(unit: int) -> tuple[str, str]:
        if last[unit] == -NEVER:
            return FAIL, "没有矛盾摸排记录"
        age = at.day - int(last[unit])
        if age > limit:
            return FAIL, f"最近一次摸排在{age}天前，超过{limit}天"
        return PASS, f"最近一次摸排在{age}天前" if age else "最近一次摸排在当天"

    return _verdicts([one(unit) for unit in range(at.size)])


def _reviews_complete(at: Moment, options: Mapping[str, Any]) -> Verdicts:
    departments = tuple(options["departments"])
    counts = review_counts(at, departments)
    if counts is None:
        return _everywhere(at, UNKNOWN, "没有联审台账，无法判断")
    candidates, given = counts["candidates"], counts["given"]
    expired, undated, adverse = counts["expired"], counts["undated"], counts["adverse"]

    def one(unit: int) -> tuple[str, str]:
        if not candidates[unit]:
            return UNKNOWN, "尚未报送联审人选"
        lacking = candidates[unit] * len(departments) - given[unit]
        faults = []
        if lacking > 0:
            faults.append(f"缺{lacking:.0f}份部门意见")
        if expired[unit]:
            faults.append(f"{expired[unit]:.0f}份意见过期")
        if adverse[unit]:
            faults.append(f"{adverse[unit]:.0f}名人选被提出不同意意见")
        if faults:
            return FAIL, f"{candidates[unit]:.0f}名人选联审：{'，'.join(faults)}"
        if undated[unit]:
            return UNKNOWN, f"{undated[unit]:.0f}份意见未注明有效期，无法判断是否过期"
        return PASS, f"{candidates[unit]:.0f}名人选联审意见齐全有效"

    return _verdicts([one(unit) for unit in range(at.size)])


CHECKS: Mapping[str, Check] = {
    "audit_items_complete": _audit_items_complete,
    "audit_members_complete": _audit_members_complete,
    "audit_conclusions_clear": _audit_conclusions_clear,
    "audit_notices": _audit_notices,
    "audit_problems_in_time": _audit_problems_in_time,
    "screening_done": _screening_done,
    "reviews_complete": _reviews_complete,
}
"""Gate checks by the name a pack uses."""


def evaluate_gates(prepared: Prepared, parameters: ParameterSet, as_of: dt.date) -> pd.DataFrame:
    """Evaluate every gate of the pack for every unit in force on a date.

    Returns
    -------
    pandas.DataFrame
        unit_code, gate, status, reason, rule; by unit code, then in the pack's order. Empty where the pack
        declares no gates.

    Raises
    ------
    ParameterError
        If a rule that a gate refers to is not in force on the date.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> gates = evaluate_gates(prepare({"units": units}), load_parameters(), dt.date(2026, 10, 31))
    >>> gates["status"].unique().tolist()
    ['unknown']
    """
    at = Moment(prepared, parameters, as_of)
    positions = np.flatnonzero(prepared.in_force(at.day))
    codes = prepared.units["unit_code"].astype("str").to_numpy()[positions]
    gates = parameters.gates.gates if parameters.gates is not None else ()
    frames = []
    for order, gate in enumerate(gates):
        verdicts = CHECKS[gate.check](at, parameters.options(gate.options, as_of))
        frames.append(
            pd.DataFrame(
                {
                    "unit_code": codes,
                    "gate": gate.id,
                    "status": [verdicts.status[p] for p in positions],
                    "reason": [verdicts.reason[p] for p in positions],
                    "rule": gate.rule,
                    "_order": order,
                }
            )
        )
    if not frames:
        return pd.DataFrame(
            {c: pd.Series(dtype="str") for c in ("unit_code", "gate", "status", "reason", "rule")}
        )
    return (
        pd.concat(frames, ignore_index=True)
        .sort_values(["unit_code", "_order"], ignore_index=True)
        .drop(columns="_order")
    )


def admitted(gates: pd.DataFrame) -> pd.Series[bool]:
    """Return by unit whether every gate passes (准入).

    Parameters
    ----------
    gates
        Result of :func:`evaluate_gates`.

    Examples
    --------
    >>> frame = pd.DataFrame({"unit_code": ["a", "a", "b"], "status": ["pass", "unknown", "pass"]})
    >>> admitted(frame).to_dict()
    {'a': False, 'b': True}
    """
    passed = gates["status"] == PASS
    return passed.groupby(gates["unit_code"]).all().rename("admitted")
