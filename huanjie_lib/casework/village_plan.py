"""What stands in a unit's plan (一村一策): facts, colour and why, open matters, measures, duties, timetable.

Plain frozen structures from the tables of a run and of the ledgers; :mod:`huanjie_lib.exports.village_plan`
sets them as a document, which the unit's own secretary signs too. Nothing restricted goes in: no signals, no
leads and no figure drawn from them (a report is never disclosed to those it concerns, 信访工作条例 art. 30),
nothing of those talked with or leaving but their number.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

import pandas as pd

from huanjie_lib.casework.conflict_ledger import Held, disputes_text, leavers_text, talks_text
from huanjie_lib.casework.workdays import Deadline, Workdays
from huanjie_lib.parameters import ParameterSet, WorkCalendar
from huanjie_lib.vocabulary import (
    CaseKind,
    CaseState,
    GateStatus,
    Level,
    UnitKind,
    VoterMode,
    date_text,
)

__all__ = [
    "Condition",
    "Duty",
    "Matter",
    "Milestone",
    "Reason",
    "RunTables",
    "Step",
    "VillagePlan",
    "VillagePlans",
    "village_plans",
]

MOST_REASONS: Final = 3
_ENDED: Final = (CaseState.CLOSED.value, CaseState.CANCELLED.value)
_UNTOLD: Final = ("leads",)
_NOT_DISPATCHED: Final = "尚未派单"
_IN_LEDGERS: Final = (CaseKind.PROBLEM.value, CaseKind.DISPUTE.value)
_Row: TypeAlias = dict[Hashable, Any]
_Rows: TypeAlias = list[_Row]


class RunTables(Protocol):
    """The parts of a run that a plan is made from, see :mod:`huanjie_lib.store.run_folder`."""

    @property
    def as_of(self) -> dt.date:
        """Date the run describes."""

    @property
    def parameters(self) -> ParameterSet:
        """Resolved parameters."""

    @property
    def index(self) -> pd.DataFrame:
        """Index and level of each unit."""

    @property
    def indicators(self) -> pd.DataFrame:
        """Points lost by indicator, with the reason in words."""

    @property
    def gates(self) -> pd.DataFrame:
        """Verdicts of the gates."""

    @property
    def units(self) -> pd.DataFrame:
        """Names, kinds and places of the units."""

    @property
    def remedies(self) -> pd.DataFrame:
        """Cheapest way to the next colour."""

    @property
    def remedy_steps(self) -> pd.DataFrame:
        """Its measures in order."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the indicators that cost a unit most."""

    label: str
    points: float
    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A gate that does not pass."""

    label: str
    status: GateStatus
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Matter:
    """Something open: what it is, since when, what it lacks, who answers for it and until when.

    ``owner`` is empty and ``due_on`` missing where nobody has said; ``note`` tells how it stands.
    """

    what: str
    since: dt.date | None
    note: str
    owner: str
    due_on: dt.date | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One measure of the way to the next colour; ``limits`` says what it cannot do."""

    label: str
    points: float
    due: Deadline
    who: str
    limits: str


@dataclass(frozen=True, slots=True)
class Duty:
    """The official, or one of the two plans: whether it is there, and since when."""

    label: str
    state: Held
    who: str
    on: dt.date | None


@dataclass(frozen=True, slots=True)
class Milestone:
    """What is to be done by a day."""

    due: Deadline
    what: str


@dataclass(frozen=True, slots=True)
class VillagePlan:
    """The content of one unit's plan.

    Parameters
    ----------
    unit_code, unit_name, unit_kind, township_name, county_name, voter_mode
        Which unit; the voter mode in words, empty where it is not known.
    as_of, version
        Date of the run and version of its parameters.
    index, level, to_verify
        Index (missing where nothing was reported), colour, and whether missing data leave it open.
    reasons
        The indicators that cost most, largest first, at most three; none that is drawn from leads.
    conditions
        Gates that do not pass, in the order of the pack; ``None`` where the pack has none.
    problems, disputes, cases
        Open audit problems, open incidents and other open cases, overdue first, then by deadline and date;
        ``None`` where there is no such ledger.
    standing
        Sentences on incidents, talks and leavers from the conflict ledger.
    steps
        Measures of the way to the next colour, in order.
    outlook
        What they come to, in a sentence.
    duties
        The official and the two plans.
    timetable
        Milestones by date.
    """

    unit_code: str
    unit_name: str
    unit_kind: UnitKind
    township_name: str
    county_name: str
    voter_mode: str
    as_of: dt.date
    version: str
    index: float | None
    level: Level
    to_verify: bool
    reasons: tuple[Reason, ...]
    conditions: tuple[Condition, ...] | None
    problems: tuple[Matter, ...] | None
    disputes: tuple[Matter, ...] | None
    cases: tuple[Matter, ...] | None
    standing: tuple[str, ...]
    steps: tuple[Step, ...]
    outlook: str
    duties: tuple[Duty, ...]
    timetable: tuple[Milestone, ...]

    @property
    def title(self) -> str:
        """Title of the document."""
        return f"{self.township_name}{self.unit_name}换届“一村一策”工作方案"

    @property
    def lacking(self) -> tuple[str, ...]:
        """Labels of the duties that are not there."""
        return tuple(duty.label for duty in self.duties if duty.state is not Held.THERE)


@dataclass(frozen=True)
class VillagePlans:
    """The plans of the units of a run that need one.

    Parameters
    ----------
    plans
        By unit code, in order.
    as_of
        Date of the run.
    version
        Version of its parameters.
    """

    plans: Mapping[str, VillagePlan]
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return the number of plans, of those lacking a duty, the date and the parameter version."""
        lacking = sum(bool(plan.lacking) for plan in self.plans.values())
        return (
            f"VillagePlans(plans={len(self.plans)}, lacking={lacking}, as_of={self.as_of}, "
            f"parameters={self.version!r})"
        )

    def __iter__(self) -> Iterator[VillagePlan]:
        """Yield the plans in the order of the unit codes."""
        return iter(self.plans.values())

    def __len__(self) -> int:
        """Return the number of plans."""
        return len(self.plans)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a plan: unit_code, index, level, counts of what is open, what is lacking."""
        return pd.DataFrame(
            [
                {
                    "unit_code": plan.unit_code,
                    "index": math.nan if plan.index is None else plan.index,
                    "level": plan.level.value,
                    "conditions": _number(plan.conditions),
                    "problems": _number(plan.problems),
                    "disputes": _number(plan.disputes),
                    "cases": _number(plan.cases),
                    "steps": len(plan.steps),
                    "lacking": "、".join(plan.lacking),
                }
                for plan in self
            ],
            columns=[
                *("unit_code", "index", "level", "conditions", "problems", "disputes", "cases"),
                *("steps", "lacking"),
            ],
        ).astype(dict.fromkeys(("conditions", "problems", "disputes", "cases", "steps"), "Int64"))

    def explain(self, unit_code: str) -> str:
        """Return in Chinese what a unit's plan is about.

        Raises
        ------
        KeyError
            If there is no plan for the unit.
        """
        plan = self.plans[unit_code]
        counts = (
            ("准入条件未通过", "项", plan.conditions),
            ("审计问题未整改", "项", plan.problems),
            ("矛盾未化解", "件", plan.disputes),
        )
        told = [
            f"{label}情况不明" if matters is None else f"{label}{len(matters)}{unit}"
            for label, unit, matters in counts
        ]
        if any(duty.state is Held.UNKNOWN for duty in plan.duties):
            missing = "；没有一村一策台账，责任情况不明"
        else:
            missing = f"；还缺{'、'.join(plan.lacking)}" if plan.lacking else "；责任和预案齐全"
        return (
            f"截至{date_text(plan.as_of)}，{unit_code}{plan.level.label}，{'，'.join(told)}；"
            f"列出措施{len(plan.steps)}项{missing}。"
        )


def village_plans(
    run: RunTables, ledgers: Mapping[str, pd.DataFrame], unit_codes: Collection[str] | None = None
) -> VillagePlans:
    """Return the plans of units.

    Parameters
    ----------
    run
        Tables of a run.
    ledgers
        Some of ``conflict_units`` and ``disputes`` (the conflict ledger), ``audit_problems`` (the audit
        ledger), ``alerts`` (those of the run) and ``cases``
        (:func:`~huanjie_lib.casework.cases.cases_frame`). What is not handed in is told to be unknown. Owner
        and deadline of a problem or an incident are those of its open case, else of the ledger, else those
        that the alert proposes. Restricted cases and alerts stay out.
    unit_codes
        Units; the red ones when omitted.

    Raises
    ------
    KeyError
        If a unit is not in the run.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from huanjie_lib.parameters import load_parameters
    >>> def row(**cells):
    ...     return pd.DataFrame([{"unit_code": "990101101201", **cells}])
    >>> none = pd.DataFrame(columns=["unit_code"])
    >>> run = SimpleNamespace(
    ...     as_of=dt.date(2026, 10, 31), parameters=load_parameters(), remedies=none, remedy_steps=none,
    ...     index=row(index=46.2, level="red", to_verify=False),
    ...     units=row(unit_name="上云村", unit_kind="village", voter_mode="villagers", township_name="云溪镇",
    ...               county_name="东岭县"),
    ...     indicators=row(indicator="screening_age_days", points=1.5, reason="已有300天未做矛盾摸排",
    ...                    source_table="screenings"),
    ...     gates=row(gate="screening", status="fail", reason="没有矛盾摸排记录"))
    >>> plans = village_plans(run, {})
    >>> plans.explain("990101101201")
    '截至2026年10月31日，990101101201红色，准入条件未通过1项，审计问题未整改情况不明，矛盾未化解情况不明；列出措施0项；没有一村一策台账，责任情况不明。'
    """
    index = run.index.set_index("unit_code")
    if unit_codes is None:
        wanted = sorted(index.index[index["level"] == Level.RED.value])
    else:
        wanted = sorted(unit_codes)
    maker = _Maker(run, ledgers, wanted)
    plans = {code: maker.plan(code) for code in wanted}
    return VillagePlans(MappingProxyType(plans), run.as_of, maker.version)


class _Maker:
    """Makes plans from tables cut by unit once."""

    def __init__(self, run: RunTables, ledgers: Mapping[str, pd.DataFrame], wanted: Collection[str]) -> None:
        self.as_of, self.parameters, self.version = run.as_of, run.parameters, run.parameters.version
        pack = self.parameters.casework
        self.workdays = Workdays(pack.calendar if pack is not None else WorkCalendar())
        self.deadlines: dict[int, Deadline] = {}
        self.rows = {name: _by_unit(getattr(run, name), wanted) for name in _RUN_TABLES}
        open_to_all = {name: _told(ledgers[name]) for name in _LEDGERS if name in ledgers}
        self.ledgers = {name: _by_unit(frame, wanted) for name, frame in open_to_all.items()}
        self.cases, self.alerts = (
            {
                row["subject"]: row
                for rows in self.ledgers.get(name, {}).values()
                for row in rows
                if row["subject"]
            }
            for name in ("cases", "alerts")
        )

    def plan(self, code: str) -> VillagePlan:
        unit, standing = self.rows["units"][code][0], self.rows["index"][code][0]
        state = _first(self._ledger("conflict_units", code))
        duties, conditions, steps = _duties(state), self._conditions(code), self._steps(code)
        return VillagePlan(
            unit_code=code,
            unit_name=_text(unit["unit_name"]) or code,
            unit_kind=UnitKind.lookup()[unit["unit_kind"]],
            township_name=_text(unit["township_name"]),
            county_name=_text(unit["county_name"]),
            voter_mode=VoterMode.labels().get(_text(unit["voter_mode"]), ""),
            as_of=self.as_of,
            version=self.version,
            index=None if pd.isna(standing["index"]) else float(standing["index"]),
            level=Level.lookup()[standing["level"]],
            to_verify=bool(standing["to_verify"]),
            reasons=self._reasons(code),
            conditions=conditions,
            problems=self._problems(code),
            disputes=self._disputes(code, state),
            cases=self._others(code),
            standing=() if state is None else (disputes_text(state), talks_text(state), leavers_text(state)),
            steps=steps,
            outlook=self._outlook(code),
            duties=duties,
            timetable=self._timetable(duties, conditions, steps),
        )

    def _ledger(self, name: str, code: str) -> _Rows | None:
        """Return a unit's rows of a ledger, or ``None`` where the ledger was not handed in."""
        return self.ledgers[name].get(code, []) if name in self.ledgers else None

    def _reasons(self, code: str) -> tuple[Reason, ...]:
        lost = [
            row
            for row in self.rows["indicators"].get(code, [])
            if row["points"] > 0 and row["source_table"] not in _UNTOLD
        ]
        lost.sort(key=lambda row: -round(float(row["points"]), 9))
        framework = self.parameters.framework
        return tuple(
            Reason(framework.indicator(row["indicator"]).label, float(row["points"]), _text(row["reason"]))
            for row in lost[:MOST_REASONS]
        )

    def _conditions(self, code: str) -> tuple[Condition, ...] | None:
        if self.parameters.gates is None:
            return None
        gates = {gate.id: gate for gate in self.parameters.gates.gates}
        return tuple(
            Condition(
                gates[row["gate"]].label,
                GateStatus.lookup()[row["status"]],
                _text(row["reason"]),
                gates[row["gate"]].remedy,
            )
            for row in self.rows["gates"].get(code, [])
            if row["status"] != GateStatus.PASS.value
        )

    # --- matters ---

    def _matter(self, row: _Row, subject: str, *, what: str, since: Any, note: str) -> Matter:
        """Return an open matter.

        Who answers for it and until when is what its case says, else the row, else the run's alert; where the
        alert alone says it, nobody has been charged yet.
        """
        case, alert = self.cases.get(subject), self.alerts.get(subject)
        told = [source for source in (case, row, alert) if source is not None]
        owner = next((text for text in (_text(one.get("owner")) for one in told) if text), "")
        due = next((day for day in (_date(one.get("due_on")) for one in told) if day), None)
        state = "" if case is None else _state_of(case)
        if case is None and alert is not None and not _text(row.get("owner")):
            state = _NOT_DISPATCHED
        return Matter(
            what=what,
            since=_date(since),
            note="，".join(part for part in (note, state) if part),
            owner=owner,
            due_on=due,
            overdue=due is not None and due < self.as_of and self.workdays.due(due).date < self.as_of,
        )

    def _problems(self, code: str) -> tuple[Matter, ...] | None:
        rows = self._ledger("audit_problems", code)
        if rows is None:
            return None
        return _in_order(
            self._matter(
                row,
                f"audit_problems/{row['problem_id']}",
                what=f"{_text(row['item']) or '事项未注明'}（{_text(row['severity']) or '等级未注明'}）",
                since=row["found_on"],
                note=f"已{(self.as_of - pd.Timestamp(row['found_on']).date()).days}天"
                + ("，报完成但没有证据" if row["standing"] == "unproven" else ""),
            )
            for row in rows
            if row["is_open"]
        )

    def _disputes(self, code: str, state: _Row | None) -> tuple[Matter, ...] | None:
        rows = self._ledger("disputes", code)
        if rows is None or (state is not None and pd.isna(state["disputes_open"])):
            return None
        return _in_order(
            self._matter(
                row,
                row["subject"],
                what=row["category"] + ("（群体性）" if _text(row["is_group"]) == "True" else ""),
                since=row["opened_on"],
                note=f"已{row['days']}天" + (f"，缺{row['lacking']}" if row["lacking"] else ""),
            )
            for row in rows
            if row["open"]
        )

    def _others(self, code: str) -> tuple[Matter, ...] | None:
        rows = self._ledger("cases", code)
        if rows is None:
            return None
        return _in_order(
            self._matter(row, "", what=_text(row["title"]), since=row["opened_on"], note=_state_of(row))
            for row in rows
            if row["kind"] not in _IN_LEDGERS
        )

    # --- what to do ---

    def _steps(self, code: str) -> tuple[Step, ...]:
        """Return the measures of the path, each with the day by which one group can have done it.

        A measure takes its days after those that it requires, or what replaces them; and one group is on one
        task at a time, so it is not done before the team-days up to it are spent.
        """
        library = self.parameters.measures
        rows = sorted(self.rows["remedy_steps"].get(code, []), key=lambda row: row["order"])
        if library is None or not rows:
            return ()
        done: dict[str, int] = {}
        spent, steps = 0.0, []
        for row in rows:
            measure = library.measure(row["measure"])
            spent += float(row["cost"])
            waits = [
                day
                for name, day in done.items()
                if {name, *library.measure(name).replaces} & set(measure.requires)
            ]
            done[measure.id] = max(waits, default=0) + int(row["days"])
            last = max(done[measure.id], math.ceil(round(spent, 6)))
            steps.append(
                Step(
                    label=row["label"],
                    points=float(row["points"]),
                    due=self._within(last),
                    who=row["who"],
                    limits=measure.limits,
                )
            )
        return tuple(steps)

    def _outlook(self, code: str) -> str:
        row = _first(self.rows["remedies"].get(code))
        if row is None or not _text(row["target"]):
            return ""
        target = Level.lookup()[row["target"]].label
        effort = f"约需{int(row['days'])}个工作日、投入{row['cost']:.1f}个工作组日"
        if row["reachable"]:
            return f"全部做完，选情指数预计升到{row['index_after']:.1f}分，可转为{target}；{effort}。"
        return (
            f"全部做完，选情指数预计升到{row['index_after']:.1f}分，仍不能转为{target}（须达到"
            f"{row['needed']:g}分）；{effort}。其余扣分属既成事实或缺少数据，应重点做好防范应对。"
        )

    def _timetable(
        self, duties: Sequence[Duty], conditions: Sequence[Condition] | None, steps: Sequence[Step]
    ) -> tuple[Milestone, ...]:
        found = [Milestone(step.due, step.label) for step in steps]
        lacking = [duty.label for duty in duties if duty.state is not Held.THERE]
        for kind, what in (
            (CaseKind.PLAN, f"落实{'、'.join(lacking)}" if lacking else ""),
            (CaseKind.GATE, "补齐未通过的准入条件" if conditions else ""),
        ):
            days = self._allowed(kind)
            if what and days is not None:
                found.append(Milestone(self._within(days), what))
        return tuple(sorted(found, key=lambda milestone: milestone.due.date))

    def _within(self, days: int) -> Deadline:
        """Return the day a number of working days after the date of the run."""
        if days not in self.deadlines:
            self.deadlines[days] = self.workdays.add(self.as_of, days)
        return self.deadlines[days]

    def _allowed(self, kind: CaseKind) -> int | None:
        """Return the working days that the pack allows for a kind of case, if it says so."""
        pack = self.parameters.casework
        rules = () if pack is None else pack.rules
        return next((rule.due_workdays for rule in rules if rule.kind is kind), None)


_RUN_TABLES: Final = ("index", "units", "indicators", "gates", "remedies", "remedy_steps")
_LEDGERS: Final = ("conflict_units", "disputes", "audit_problems", "cases", "alerts")


def _told(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may be told: open where they have a state, and not restricted."""
    kept = pd.Series(True, index=frame.index)
    if "state" in frame:
        kept &= ~frame["state"].isin(_ENDED)
    if "restricted" in frame:
        kept &= ~frame["restricted"].astype("bool")
    return frame[kept]


def _state_of(case: _Row) -> str:
    """Return where a case stands; one that is an alert only waits to be dispatched."""
    state = CaseState.lookup()[case["state"]]
    return _NOT_DISPATCHED if state is CaseState.ALERT else state.label


def _by_unit(frame: pd.DataFrame, wanted: Collection[str]) -> dict[str, _Rows]:
    """Return the rows of each wanted unit, in order."""
    rows: dict[str, _Rows] = {}
    for row in frame[frame["unit_code"].isin(list(wanted))].to_dict("records"):
        rows.setdefault(str(row["unit_code"]), []).append(row)
    return rows


def _first(rows: _Rows | None) -> _Row | None:
    return rows[0] if rows else None


def _duties(state: _Row | None) -> tuple[Duty, ...]:
    """Return the official and the two plans, all unknown where there is no ledger."""
    names = (("包干领导", "leader"), ("稳控预案", "stabilisation"), ("化解方案", "resolution"))
    if state is None:
        return tuple(Duty(label, Held.UNKNOWN, "", None) for label, _ in names)
    return tuple(
        Duty(
            label,
            Held.lookup()[state[f"{name}_state"]],
            _text(state["leader"]) if name == "leader" else "",
            _date(state["leader_on" if name == "leader" else f"{name}_plan_on"]),
        )
        for label, name in names
    )


def _in_order(matters: Iterable[Matter]) -> tuple[Matter, ...]:
    """Return matters, the overdue first, then by deadline, those without one last, then the oldest first."""
    return tuple(
        sorted(
            matters,
            key=lambda m: (not m.overdue, m.due_on or dt.date.max, m.since or dt.date.max, m.what),
        )
    )


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value).strip()


def _date(value: Any) -> dt.date | None:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()


def _number(matters: Sequence[object] | None) -> int | None:
    return None if matters is None else len(matters)
