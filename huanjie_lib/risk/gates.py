"""Gates: hard conditions for starting an election, computed from the ledgers and never typed in.

Each gate answers pass, fail or unknown with a reason and the source of its rule. Gates stand apart from the
index and nothing compensates for them: a unit is admitted (准入) only when every gate passes, and unknown is
not a pass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.audits import (
    NoticeStanding,
    current_projects,
    item_state,
    member_state,
    notice_state,
    problem_state,
)
from huanjie_lib.risk.indicators import latest_screening, review_counts
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Prepared
from huanjie_lib.vocabulary import AuditItem, GateStatus

__all__ = ["AUDIT_CHECKS", "CHECKS", "Verdicts", "admitted", "evaluate_gates"]

PASS, FAIL, UNKNOWN = GateStatus.PASS.value, GateStatus.FAIL.value, GateStatus.UNKNOWN.value
NO_LEDGER = "没有审计台账，无法判断"
NO_PROJECT = "尚未开展审计"
NO_PROJECT_SINCE = "合并后尚未开展审计，合并前的审计不能代替"


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


def _without_project(at: Moment) -> dict[int, str] | None:
    """Return the units without an audit that counts, each with why; ``None`` without any audit ledger."""
    projects = current_projects(at)
    if projects is None:
        return None
    merged = at.prepared.merged_on(at.day)
    return {
        int(unit): NO_PROJECT_SINCE if merged[unit] > -NEVER else NO_PROJECT
        for unit in np.flatnonzero(projects[0] < 0)
    }


def _audit_items_complete(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    state, without = item_state(at), _without_project(at)
    if state is None or without is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)

    def one(unit: int) -> tuple[str, str]:
        if unit in without:
            return FAIL, without[unit]
        if state.concluded[unit] >= state.required[unit]:
            return PASS, f"{state.required[unit]:.0f}项审计事项均有结论"
        open_items = state.due[:, unit] & ~state.done[:, unit]
        named = "、".join(item.label for item, is_open in zip(AuditItem, open_items, strict=True) if is_open)
        return FAIL, f"{named}尚无审计结论"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_members_complete(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    state, without = member_state(at), _without_project(at)
    if without is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)
    if state is None:
        return _everywhere(at, UNKNOWN, "没有审计对象名单，无法判断")

    def one(unit: int) -> tuple[str, str]:
        if unit in without:
            return FAIL, without[unit]
        due, concluded, gone = state.due[unit], state.concluded[unit], state.gone[unit]
        if not due > 0:
            return UNKNOWN, "没有审计对象名单，无法判断"
        if concluded >= due:
            return PASS, f"{due:.0f}名班子成员全部审计完毕"
        left = f"，其中{gone:.0f}名任期内离任，没有列入名单" if gone else ""
        return FAIL, f"{due:.0f}名班子成员中还有{due - concluded:.0f}名没有审计结论{left}"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_conclusions_clear(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    items, members, without = item_state(at), member_state(at), _without_project(at)
    if items is None or without is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)

    def one(unit: int) -> tuple[str, str]:
        if unit in without:
            return FAIL, without[unit]
        counts = {"项事项": items.unclear[unit], "名成员": 0.0 if members is None else members.unclear[unit]}
        if any(counts.values()):
            named = "、".join(f"{count:.0f}{words}" for words, count in counts.items() if count)
            return FAIL, f"{named}审计结论为“不清楚”"
        audited = members is not None and 0 < members.due[unit] <= members.concluded[unit]
        if items.concluded[unit] < items.required[unit] or not audited:
            return UNKNOWN, "审计尚未完成，结论待定"
        return PASS, "审计结论均清楚"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_notices(at: Moment, options: Mapping[str, Any]) -> Verdicts:
    wanted, days, gap = (int(options[name]) for name in ("min_count", "min_days", "min_gap_days"))
    without = _without_project(at)
    if without is None:
        return _everywhere(at, UNKNOWN, NO_LEDGER)
    state = notice_state(at, days, gap)
    if state is None:
        return _everywhere(at, UNKNOWN, "没有公示台账，无法判断")
    wasted = {
        standing: at.count(state.rows, state.told & (state.standing == standing.value)).astype(np.int64)
        for standing in NoticeStanding
        if standing is not NoticeStanding.COUNTS
    }

    def one(unit: int) -> tuple[str, str]:
        if unit in without:
            return FAIL, without[unit]
        if state.counted[unit] >= wanted:
            return PASS, f"有效公示{state.counted[unit]:.0f}次"
        why = "、".join(
            f"{count[unit]}次{standing.label}" for standing, count in wasted.items() if count[unit]
        )
        rest = f"另有{why}" if why else f"每次不少于{days}天"
        return FAIL, f"有效公示{state.counted[unit]:.0f}次，规定不少于{wanted}次，{rest}"

    return _verdicts([one(unit) for unit in range(at.size)])


def _audit_problems_in_time(at: Moment, _: Mapping[str, Any]) -> Verdicts:
    state = problem_state(at)
    if state is None:
        return _everywhere(at, UNKNOWN, "没有审计问题台账，无法判断")
    total, overdue = at.count(state.rows, state.is_open), at.count(state.rows, state.is_overdue)
    undated, unproven = at.count(state.rows, state.is_undated), at.count(state.rows, state.is_unproven)

    def one(unit: int) -> tuple[str, str]:
        proof = f"（{unproven[unit]:.0f}项已报完成但没有整改证据，仍算未整改）" if unproven[unit] else ""
        if overdue[unit]:
            return FAIL, f"{overdue[unit]:.0f}项审计问题逾期未整改{proof}"
        if not state.known[unit]:
            return UNKNOWN, "审计尚无结论，问题情况待定"
        if undated[unit]:
            return UNKNOWN, f"{undated[unit]:.0f}项未整改问题没有整改期限，无法判断是否逾期{proof}"
        if total[unit]:
            return PASS, f"{total[unit]:.0f}项问题正在整改，均未逾期{proof}"
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

AUDIT_CHECKS = frozenset(
    {
        "audit_items_complete",
        "audit_members_complete",
        "audit_conclusions_clear",
        "audit_notices",
        "audit_problems_in_time",
    }
)
"""The checks that together say 不审计不换届."""


def evaluate_gates(
    prepared: Prepared,
    parameters: ParameterSet,
    as_of: dt.date,
    *,
    checks: Collection[str] | None = None,
) -> pd.DataFrame:
    """Evaluate the gates of the pack for every unit in force on a date.

    Parameters
    ----------
    prepared
        Prepared tables.
    parameters
        Gates and rules.
    as_of
        The date; nothing dated later is used.
    checks
        Only gates of these checks, such as :data:`AUDIT_CHECKS`; every gate when omitted.

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
    if checks is not None:
        gates = tuple(gate for gate in gates if gate.check in checks)
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
