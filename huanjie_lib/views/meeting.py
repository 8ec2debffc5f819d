"""What lies on the table of the leaders' meeting, as plain figures: the one source of all files of the pack.

A :class:`Meeting` is made from one run and from what else there is: its ledgers, the cases, the run of the
last meeting, a backtest. Each figure is computed here or in the view that a screen reads too, and files only
set it. What there is not is told in ``gaps`` and stays missing; it never becomes a zero.

What a township gets tells no reason drawn from reports: a report is never disclosed to those whom it concerns
(信访工作条例 art. 30); its points stay in the index.

Changes are since the last meeting where its run is handed in, else since the snapshot before. ``Meeting.run``
is the run cut to the meeting's area and compared with that date, so that any other view of it agrees.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from huanjie_lib.casework.cases import OPEN_STATES
from huanjie_lib.casework.conflict_ledger import Held
from huanjie_lib.casework.figures import LoopFigures, loop_figures
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import WorkCalendar
from huanjie_lib.store.manifest import MANIFEST, file_digest
from huanjie_lib.store.run_folder import Run
from huanjie_lib.store.snapshot import part_of
from huanjie_lib.views.summary import Overview, overview
from huanjie_lib.views.tables import (
    REASONS,
    gate_progress,
    gate_table,
    previous_snapshot,
    remedy_table,
    snapshots,
    township_league,
    trend,
    working_list,
)
from huanjie_lib.views.words import NAMELESS, date_text, number_text
from huanjie_lib.vocabulary import GateStatus, Level, UnitKind

if TYPE_CHECKING:
    from huanjie_lib.risk.backtest import Scorecard

__all__ = [
    "MANIFEST_DIGEST",
    "PARAMETERS_DIGEST",
    "Backtest",
    "Coverage",
    "Loop",
    "Meeting",
    "OpenGate",
    "RedUnit",
    "Regained",
    "meeting_of",
]

CITY: Final = "全市"
MANIFEST_DIGEST: Final = "评估清单 manifest.json"
"""What the digest of the run's manifest is called, which holds the digests of all tables."""
PARAMETERS_DIGEST: Final = "参数"
"""What the digest of the parameters is called."""
_MISSES: Final = 20
_LEADS: Final = "leads"
_DUTIES: Final = {"leader": "包干领导", "stabilisation": "稳控预案", "resolution": "化解方案"}


@dataclass(frozen=True, slots=True)
class OpenGate:
    """A gate that does not pass, why not, and what to do."""

    label: str
    status: GateStatus
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class RedUnit:
    """One red unit as the meeting sees it.

    Parameters
    ----------
    order
        Place among the red units, the lowest index first.
    unit_code, unit_name, unit_kind, township_name, county_name
        Which unit.
    index, change
        Index, and its change since the date compared with; missing where there is none.
    to_verify, contested
        Whether missing data, or judgments within their doubt, leave the colour open.
    newly_red
        Whether it was there and not red at the date compared with; ``None`` where it cannot be told.
    snapshots_red
        Number of monthly snapshots in a row that it has been red, this one included.
    reasons
        The largest points lost with their reasons, at most three.
    gates
        Gates that do not pass, in the order of the pack; ``None`` where the pack has no gates.
    steps
        Measures of the cheapest way to the next colour, in order.
    target, reachable, index_after
        Next colour, whether the measures reach it, and the index after them; missing without measures.
    cost, days
        Team-days and working days of the measures.
    leader
        Post of the official in charge; empty where there is none, ``None`` where there is no ledger.
    lacking
        What is not there of official, stabilisation plan and resolution plan; ``None`` without a ledger.
    problems_open, problems_overdue, disputes_open, groups_open
        Open audit problems and incidents, those overdue and those of groups; ``None`` where not known.
    cases_open
        Open cases that are not restricted; ``None`` where the cases were not handed in.
    """

    order: int
    unit_code: str
    unit_name: str
    unit_kind: UnitKind
    township_name: str
    county_name: str
    index: float | None
    change: float | None
    to_verify: bool
    contested: bool
    newly_red: bool | None
    snapshots_red: int
    reasons: tuple[str, ...]
    gates: tuple[OpenGate, ...] | None
    steps: tuple[str, ...]
    target: Level | None
    reachable: bool | None
    index_after: float | None
    cost: float | None
    days: int | None
    leader: str | None
    lacking: tuple[str, ...] | None
    problems_open: int | None
    problems_overdue: int | None
    disputes_open: int | None
    groups_open: int | None
    cases_open: int | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far audit and screening have come.

    Parameters
    ----------
    audit, conflict
        Rows of the coverage ledgers with the name of each ``area``, the whole first, then its counties; for a
        part of the city its own rows only. Shares are 0-1 and missing where there is nothing to share.
    problems_open, problems_overdue, problems_unproven
        Audit problems not put right, of those overdue, and reported as done without proof.
    red_lacking
        Red units that lack at least one of official, stabilisation plan and resolution plan.
    """

    audit: pd.DataFrame
    conflict: pd.DataFrame
    problems_open: int
    problems_overdue: int
    problems_unproven: int
    red_lacking: int


@dataclass(frozen=True, slots=True)
class Loop:
    """The closed loop on a date: :attr:`figures` has all, each kind and each township; nothing restricted."""

    figures: LoopFigures
    sequence: int | None
    head: str | None

    @property
    def total(self) -> dict[str, Any]:
        """The figures of all cases, by :data:`~huanjie_lib.casework.figures.FIGURES`."""
        return {str(name): value for name, value in self.figures.table.iloc[0].items()}


@dataclass(frozen=True, slots=True)
class Regained:
    """What closed cases brought back: units whose facts they changed, index points and colours."""

    units: int
    points: float
    better: int
    worse: int


@dataclass(frozen=True)
class Backtest:
    """What a backtest says the model got wrong, as it was written.

    Parameters
    ----------
    facts
        Content of ``scorecard.json`` (:meth:`huanjie_lib.risk.backtest.Scorecard.to_json`).
    misses
        The events that the recommended model ranked safest: unit, region, outcome, probability, rank; at a
        meeting with unit_name and region_name, for a part of the city those of its own units alone.
    """

    facts: Mapping[str, Any]
    misses: pd.DataFrame

    @classmethod
    def of(cls, card: Scorecard) -> Backtest:
        """Return what a backtest says."""
        return cls(card.to_json(), card.misses(most=_MISSES))

    @classmethod
    def read(cls, folder: Path) -> Backtest:
        """Read a folder that ``huanjie backtest`` wrote.

        Raises
        ------
        DataError
            If the folder does not hold a backtest.
        """
        from huanjie_lib.risk.verification import largest_misses  # brings scikit-learn

        try:
            facts = json.loads((folder / "scorecard.json").read_text(encoding="utf-8"))
            predictions = pd.read_parquet(folder / "predictions.parquet")
            mine = predictions[predictions["model"] == facts["recommended"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            fault = Fault(
                str(folder), str(error), "由 huanjie backtest 写出的文件夹", "先运行 huanjie backtest"
            )
            raise DataError("不是回测结果", [fault]) from error
        return cls(facts, largest_misses(mine.reset_index(drop=True), most=_MISSES))

    def __repr__(self) -> str:
        """Return units, term and the recommended model."""
        return (
            f"Backtest(units={self.facts['units']}, test_term={self.facts['test_term']!r}, "
            f"recommended={self.facts['recommended']!r})"
        )


@dataclass(frozen=True)
class Meeting:
    """Everything that the files of a meeting say.

    Parameters
    ----------
    area, scope
        Whose meeting (全市, or a township's name), and the beginning of its unit codes (empty for the city).
    as_of, since
        Date of the run, and the date that changes are reckoned from; missing where there is none.
    since_meeting
        Whether ``since`` is the last meeting; else it is the snapshot before.
    version
        Version of the parameters.
    since_version
        That of the last meeting's run where it differs, else empty: then changes hold changed rules too.
    run
        The run, cut to the area, its history up to and compared with ``since``.
    overview
        Counts by colour with changes, admission and the five sentences.
    counts
        level, label, count, share (0-1), before, change; one row per colour, red first.
    trend
        Counts by colour at every snapshot, see :func:`huanjie_lib.views.tables.trend`.
    league
        Townships, see :func:`huanjie_lib.views.tables.township_league`.
    units
        Working list, see :func:`huanjie_lib.views.tables.working_list`.
    turned
        Units whose colour is not what it was: unit_code, unit_name, township_name, county_name, from_level,
        level, index_before, index, change, reason_1; for the worse first, from or to no data next. Empty
        where nothing can be compared.
    reds
        Red units, the lowest index first.
    gates
        Progress on each gate, see :func:`huanjie_lib.views.tables.gate_progress`.
    coverage, loop, regained, backtest
        Audit and screening, closed loop, what closed cases regained, what the model got wrong; ``None``
        where there is no such ledger, no cases, no amendments, no backtest.
    digests
        What the figures rest on: name and digest of run, parameters and tables.
    gaps
        Sentences on what is not there, and how to get it.
    """

    area: str
    scope: str
    as_of: dt.date
    since: dt.date | None
    since_meeting: bool
    version: str
    since_version: str
    run: Run
    overview: Overview
    counts: pd.DataFrame
    trend: pd.DataFrame
    league: pd.DataFrame
    units: pd.DataFrame
    turned: pd.DataFrame
    reds: tuple[RedUnit, ...]
    gates: pd.DataFrame
    coverage: Coverage | None
    loop: Loop | None
    regained: Regained | None
    backtest: Backtest | None
    digests: tuple[tuple[str, str], ...]
    gaps: tuple[str, ...]

    @property
    def title(self) -> str:
        """Title of the briefing and the deck."""
        return f"{self.area}村（社区）“两委”换届选情汇报"

    @property
    def since_text(self) -> str:
        """What changes are since, in words: 上次会议 or 上期, with the date; a dash where there is none."""
        if self.since is None:
            return "—"
        return f"{'上次会议' if self.since_meeting else '上期'}（{date_text(self.since)}）"

    def __repr__(self) -> str:
        """Return area, number of units and red ones, dates and parameter version."""
        return (
            f"Meeting(area={self.area!r}, units={len(self.units)}, red={len(self.reds)}, as_of={self.as_of}, "
            f"since={self.since}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the working list, by unit code."""
        return self.units.set_index("unit_code")

    def explain(self, unit_code: str) -> str:
        """Return in Chinese how a unit stands at the meeting.

        Raises
        ------
        KeyError
            If the unit is not of the meeting's area.
        """
        row: dict[Any, Any] = dict(self.to_frame().loc[unit_code])
        level = Level.lookup()[row["level"]]
        text = f"截至{date_text(self.as_of)}，{row['township_name']}{row['unit_name']}"
        if level is Level.UNKNOWN:
            return f"{text}没有数据，不能评定等级。"
        text += f"选情指数{number_text(row['index'])}，{level.label}"
        text += "（待核实）" if row["to_verify"] else ""
        if not pd.isna(row["change"]):
            text += f"，较{self.since_text}{number_text(row['change'], signed=True)}"
        reasons = [row[name] for name in _REASONS if row[name]]
        return f"{text}；{'；'.join(reasons)}。" if reasons else f"{text}。"


_REASONS: Final = tuple(f"reason_{n}" for n in range(1, REASONS + 1))


def meeting_of(
    run: Run,
    *,
    ledgers: Mapping[str, pd.DataFrame] | None = None,
    cases: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    head: tuple[int, str] | None = None,
    earlier: Run | None = None,
    backtest: Backtest | None = None,
    township: str = "",
    today: dt.date | None = None,
) -> Meeting:
    """Return what lies on the table of a meeting.

    Parameters
    ----------
    run
        The run.
    ledgers
        Its ledgers (:func:`~huanjie_lib.store.run_folder.read_ledgers`); restricted ones are not read.
    cases, events
        Cases (:data:`~huanjie_lib.casework.cases.CASE_COLUMNS`) and their events, both or neither; restricted
        cases are left out.
    head
        Number and hash of the last event.
    earlier
        The run of the last meeting, older than ``run``.
    backtest
        A backtest of past elections.
    township
        Beginning of the unit codes that the meeting is about; the whole city when empty.
    today
        Date from which deadlines of cases are reckoned; that of the run where omitted or earlier.

    Raises
    ------
    DataError
        If no unit is in the township, or the earlier run is not older than the run.
    """
    if earlier is not None and earlier.as_of >= run.as_of:
        found, allowed = date_text(earlier.as_of), f"早于{date_text(run.as_of)}的评估"
        raise DataError("不能比较", [Fault("上次会议的评估", found, allowed, "改为上次会议所用的评估")])
    whole, mine = run, part_of(run, (township,) if township else ())
    run = _published(mine, earlier, between=False)
    before = previous_snapshot(run)
    shown = _without_leads(run) if township else run
    view = overview(shown, since="上期" if earlier is None else "上次会议")
    units, codes = working_list(shown), set(run.units["unit_code"])
    told = None if cases is None else cases[~cases["restricted"].astype("bool")]
    told = None if told is None else told[told["unit_code"].isin(codes)]
    known = {} if ledgers is None else {name: _about(frame, codes) for name, frame in ledgers.items()}
    reds = _reds(run, units, before, _snapshots_red(mine), known, told)
    meeting = Meeting(
        area=_area(run, township),
        scope=township,
        as_of=run.as_of,
        since=view.previous_as_of,
        since_meeting=earlier is not None,
        version=run.parameters.version,
        since_version=""
        if earlier is None or earlier.parameters.digest == run.parameters.digest
        else earlier.parameters.version,
        run=run,
        overview=view,
        counts=_counts(view),
        trend=trend(_published(mine, earlier, between=True)),
        league=township_league(run),
        units=units,
        turned=_turned(units, before),
        reds=reds,
        gates=gate_progress(run),
        coverage=_coverage(run, known, township, reds),
        loop=_loop(run, told, events, head, today),
        regained=_regained(known.get("regained_units")),
        backtest=None if backtest is None else _named(backtest, whole, township),
        digests=_digests(whole),
        gaps=(),
    )
    return dataclasses.replace(meeting, gaps=_gaps(meeting, earlier, ledgers))


# --- parts ------------------------------------------------------------------------------------------------


def _without_leads(run: Run) -> Run:
    """Return a run whose reasons and causes leave out what is drawn from reports (举报); scores stay."""
    leads = run.indicators["source_table"] == _LEADS
    drawn = set(run.indicators.loc[leads, "indicator"])
    points = run.points_lost[~run.points_lost["indicator"].isin(drawn)]
    return dataclasses.replace(run, indicators=run.indicators[~leads], points_lost=points)


def _about(frame: pd.DataFrame, codes: set[str]) -> pd.DataFrame:
    """Return the rows of a ledger that are about the units; one that is not by unit stays whole."""
    return frame[frame["unit_code"].isin(codes)] if "unit_code" in frame else frame


def _area(run: Run, township: str) -> str:
    if not township:
        return CITY
    names = run.units[["township_code", "township_name"]].drop_duplicates()
    if len(names) == 1:
        name, code = names["township_name"].iloc[0], names["township_code"].iloc[0]
        return str(code if pd.isna(name) else name)
    counties = run.units["county_name"].dropna().unique()
    return str(counties[0]) if len(counties) == 1 else f"{CITY}（{township}）"


def _published(run: Run, earlier: Run | None, *, between: bool) -> Run:
    """Return the run with the colours that the last meeting saw as its snapshot of that day.

    Snapshots between the two stay where ``between``; else that of the meeting is the one before.
    """
    if earlier is None:
        return run
    columns = ["unit_code", "as_of", "index", "index_low", "index_high", "level", "to_verify"]
    day = pd.Timestamp(earlier.as_of)
    then = earlier.index.loc[earlier.index["unit_code"].isin(run.units["unit_code"]), columns]
    on = pd.to_datetime(run.history["as_of"])
    kept = run.history[(on < day) | (on >= pd.Timestamp(run.as_of)) | (between & (on > day))]
    parts = [frame for frame in (kept, then.assign(as_of=day)) if len(frame)]
    return dataclasses.replace(run, history=pd.concat(parts, ignore_index=True))


def _counts(view: Overview) -> pd.DataFrame:
    rows = [
        {
            "level": one.level.value,
            "label": one.level.label,
            "count": one.count,
            "share": one.count / view.units if view.units else float("nan"),
            "before": pd.NA if one.change is None else one.count - one.change,
            "change": pd.NA if one.change is None else one.change,
        }
        for one in view.levels
    ]
    return pd.DataFrame(rows).astype({"before": "Int64", "change": "Int64"})


def _snapshots_red(run: Run) -> pd.Series[int]:
    """Return by unit for how many snapshots in a row, this one included, it has been red."""
    frame = snapshots(run).sort_values("as_of", ascending=False, kind="stable")
    red = (frame["level"] == Level.RED.value).astype("int64")
    return red.groupby(frame["unit_code"]).cumprod().groupby(frame["unit_code"]).sum()


def _turned(units: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    then = before.set_index("unit_code")
    frame = units.assign(
        from_level=units["unit_code"].map(then["level"]), index_before=units["unit_code"].map(then["index"])
    )
    severity = {level.value: level.code for level in Level}
    old, new = frame["from_level"].map(severity), frame["level"].map(severity)
    worse = (new - old).where((old > 0) & (new > 0), 0)
    frame = frame.assign(order=worse)[old.notna() & (old != new)]
    frame = frame.sort_values(["order", "index", "unit_code"], ascending=[False, True, True])
    columns = ["unit_code", "unit_name", "township_name", "county_name"]
    columns += ["from_level", "level", "index_before", "index"]
    return frame[[*columns, "change", "reason_1"]].reset_index(drop=True)


def _reds(
    run: Run,
    units: pd.DataFrame,
    before: pd.DataFrame,
    red_for: pd.Series[int],
    ledgers: Mapping[str, pd.DataFrame],
    cases: pd.DataFrame | None,
) -> tuple[RedUnit, ...]:
    red = units[units["level"] == Level.RED.value]
    codes = set(red["unit_code"])
    then = before.set_index("unit_code")["level"]
    cut = dataclasses.replace(
        run,
        units=run.units[run.units["unit_code"].isin(codes)].reset_index(drop=True),
        gates=run.gates[run.gates["unit_code"].isin(codes)],
    )
    gates = _by_unit(gate_table(cut)) if run.parameters.gates is not None else None
    ways = _by_unit(remedy_table(cut))
    steps = run.remedy_steps.sort_values(["unit_code", "order"]).groupby("unit_code")["label"].agg(tuple)
    audit, conflict = (
        _by_unit(ledgers[name]) if name in ledgers else None for name in ("audit_units", "conflict_units")
    )
    open_cases = None
    if cases is not None:
        states = {state.value for state in OPEN_STATES}
        open_cases = cases.loc[cases["state"].isin(states), "unit_code"].value_counts()
    found = []
    for order, row in enumerate(red.to_dict("records"), start=1):
        code = str(row["unit_code"])
        way = ways.get(code, [{}])[0]
        audited = audit.get(code, [{}])[0] if audit is not None else {}
        state = conflict.get(code, [{}])[0] if conflict is not None else {}
        level = then.get(code)
        found.append(
            RedUnit(
                order=order,
                unit_code=code,
                unit_name=str(row["unit_name"]),
                unit_kind=UnitKind.lookup()[str(row["unit_kind"])],
                township_name=str(row["township_name"]),
                county_name=str(row["county_name"]),
                index=_number(row["index"]),
                change=_number(row["change"]),
                to_verify=bool(row["to_verify"]),
                contested=bool(row["contested"]),
                newly_red=None if level is None else bool(level != Level.RED.value),
                snapshots_red=int(red_for.get(code, 1)),
                reasons=tuple(str(row[name]) for name in _REASONS if row[name]),
                gates=None if gates is None else _open_gates(gates.get(code, [])),
                steps=steps.get(code, ()),
                target=Level.lookup()[way["target"]] if way.get("target") else None,
                reachable=bool(way["reachable"]) if way else None,
                index_after=_number(way.get("index_after")),
                cost=_number(way.get("cost")),
                days=_count(way.get("days")),
                leader=_leader(state),
                lacking=_lacking(state),
                problems_open=_count(audited.get("problems_open")),
                problems_overdue=_count(audited.get("problems_overdue")),
                disputes_open=_count(state.get("disputes_open")),
                groups_open=_count(state.get("groups_open")),
                cases_open=None if open_cases is None else int(open_cases.get(code, 0)),
            )
        )
    return tuple(found)


def _open_gates(rows: list[dict[Any, Any]]) -> tuple[OpenGate, ...]:
    return tuple(
        OpenGate(row["label"], GateStatus.lookup()[row["status"]], row["reason"], row["remedy"])
        for row in rows
        if row["status"] != GateStatus.PASS.value
    )


def _leader(state: Mapping[Any, Any]) -> str | None:
    if not state or state["leader_state"] == Held.UNKNOWN.value:
        return None
    return "" if pd.isna(state["leader"]) else str(state["leader"])


def _lacking(state: Mapping[Any, Any]) -> tuple[str, ...] | None:
    held = [state.get(f"{name}_state", Held.UNKNOWN.value) for name in _DUTIES]
    if all(one == Held.UNKNOWN.value for one in held):
        return None
    return tuple(label for label, one in zip(_DUTIES.values(), held, strict=True) if one != Held.THERE.value)


def _coverage(
    run: Run, ledgers: Mapping[str, pd.DataFrame], scope: str, reds: tuple[RedUnit, ...]
) -> Coverage | None:
    names = ("audit_coverage", "conflict_coverage", "audit_units")
    if any(name not in ledgers for name in names):
        return None
    units = ledgers["audit_units"]
    return Coverage(
        audit=_areas(run, ledgers["audit_coverage"], scope),
        conflict=_areas(run, ledgers["conflict_coverage"], scope),
        **{
            name: int(units[name].sum())
            for name in ("problems_open", "problems_overdue", "problems_unproven")
        },
        red_lacking=sum(bool(unit.lacking) for unit in reds),
    )


def _areas(run: Run, coverage: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Return the rows of the meeting's areas with their names, the whole first."""
    if scope:
        rows = coverage[coverage["code"].str.startswith(scope) & (coverage["level"] != "city")]
    else:
        rows = coverage[coverage["level"].isin(["city", "county"])]
    called = rows["code"].map(_area_names(run.units)).fillna(rows["code"]).mask(rows["level"] == "city", CITY)
    return rows.assign(area=called).reset_index(drop=True)


def _loop(
    run: Run,
    cases: pd.DataFrame | None,
    events: pd.DataFrame | None,
    head: tuple[int, str] | None,
    today: dt.date | None,
) -> Loop | None:
    if cases is None or events is None:
        return None
    pack = run.parameters.casework
    figures = loop_figures(
        cases,
        events,
        max(run.as_of, today or run.as_of),
        Workdays(WorkCalendar() if pack is None else pack.calendar),
        due_soon=0 if pack is None else pack.due_soon_workdays,
        version=run.parameters.version,
    )
    sequence, digest = (None, None) if head is None else head
    return Loop(figures, sequence, digest)


def _regained(moved: pd.DataFrame | None) -> Regained | None:
    if moved is None or moved.empty:
        return None
    codes = {level.value: level.code for level in Level}
    old, new = moved["level_before"].map(codes), moved["level_after"].map(codes)
    return Regained(
        units=len(moved),
        points=float((moved["index_after"] - moved["index_before"]).sum()),
        better=int((new < old).sum()),
        worse=int((new > old).sum()),
    )


def _named(backtest: Backtest, run: Run, scope: str) -> Backtest:
    """Return a backtest whose misses are those of the meeting's units, with names where codes have one."""
    misses = backtest.misses.astype({"unit": "str", "region": "str"})
    misses = misses[misses["unit"].str.startswith(scope)].reset_index(drop=True)
    areas = _area_names(run.units)
    places = run.units["township_code"].map(areas).fillna("") + run.units["unit_name"].fillna("")
    names = dict(zip(run.units["unit_code"], places, strict=True))
    misses = misses.assign(
        unit_name=misses["unit"].map(names).fillna(misses["unit"]),
        region_name=misses["region"].map(areas).fillna(misses["region"]),
    )
    return dataclasses.replace(backtest, misses=misses)


def _area_names(units: pd.DataFrame) -> dict[str, str]:
    """Return the names of counties and townships by code."""
    names: dict[str, str] = {}
    for area in ("county", "township"):
        pairs = units[[f"{area}_code", f"{area}_name"]].dropna().drop_duplicates()
        names |= dict(pairs.astype("str").itertuples(index=False, name=None))
    return names


def _digests(run: Run) -> tuple[tuple[str, str], ...]:
    found = [(PARAMETERS_DIGEST, run.parameters.digest)]
    if run.path is not None and (run.path / MANIFEST).exists():
        found.insert(0, (MANIFEST_DIGEST, file_digest(run.path / MANIFEST)))
    outputs = run.manifest.get("outputs", {})
    found += [
        (str(name), str(entry["sha256"]))
        for name, entry in sorted(outputs.items())
        if not str(name).startswith("restricted/")
    ]
    return tuple(found)


def _gaps(
    meeting: Meeting, earlier: Run | None, ledgers: Mapping[str, pd.DataFrame] | None
) -> tuple[str, ...]:
    gaps = []
    if earlier is None:
        then = "也没有更早一期的评估" if meeting.since is None else f"变化按{meeting.since_text}计算"
        gaps.append(f"没有指定上次会议的评估，{then}。")
    if meeting.since_version:
        gaps.append(
            f"上次会议所用的参数版本是{meeting.since_version}，与本次不同，变化中含有口径调整的部分。"
        )
    if ledgers is None or meeting.coverage is None:
        gaps.append("没有审计、矛盾台账，审计覆盖、摸排覆盖和包干落实情况不明；重新运行评估可得。")
    if meeting.loop is None:
        gaps.append("没有案件台账，整改闭环情况不明；导出时指定案件台账可得。")
    if meeting.backtest is None:
        gaps.append("没有用往届数据回测，模型在哪里判断错误不明；运行回测可得。")
    if meeting.run.parameters.gates is None:
        gaps.append("所用参数包没有设置准入条件，不产生准入清单。")
    if meeting.scope:
        gaps.append("镇街汇报不列由举报线索得出的扣分原因；指数和等级仍计入。")
    nameless = int((meeting.units["unit_name"] == NAMELESS).sum())
    if nameless:
        gaps.append(f"有{nameless}个村（社区）没有填报名称。")
    return tuple(gaps)


def _by_unit(frame: pd.DataFrame) -> dict[str, list[dict[Any, Any]]]:
    rows: dict[str, list[dict[Any, Any]]] = {}
    for row in frame.to_dict("records"):
        rows.setdefault(str(row["unit_code"]), []).append(row)
    return rows


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _count(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)
