"""The flow of one run: tables and parameters in, frozen results out; no files, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.findings import Findings, Published, find
from huanjie_lib.ledgers import Casework, Ledgers, Standing, draw_up, lay_over
from huanjie_lib.parameters import Indicator, ParameterSet
from huanjie_lib.risk.classification import classify, to_verify
from huanjie_lib.risk.gates import evaluate_gates
from huanjie_lib.risk.indicators import IndicatorValues, indicator_values
from huanjie_lib.risk.prepared import NEVER, Bools, Ints, Prepared, day_number, prepare
from huanjie_lib.risk.provenance import Provenance, provenance
from huanjie_lib.risk.scoring import Scores, score
from huanjie_lib.vocabulary import GateStatus, Level, ValueStatus, date_text

__all__ = ["Assessed", "NoUnitsError", "RiskResult", "assess", "freshness", "run_risk", "snapshot_dates"]

Progress = Callable[[str, int, int], None]

UNIT_COLUMNS = (
    "unit_code",
    "unit_name",
    "unit_kind",
    "township_code",
    "township_name",
    "county_code",
    "county_name",
    "urban_rural",
    "voter_mode",
    "longitude",
    "latitude",
)

EVENT_DATES: Mapping[str, str] = {
    "audit_projects": "started_on",
    "audit_items": "concluded_on",
    "audit_subjects": "concluded_on",
    "audit_notices": "start_on",
    "audit_problems": "found_on",
    "disputes": "opened_on",
    "screenings": "screened_on",
    "talks": "as_of",
    "reviews": "given_on",
    "roll_checks": "as_of",
    "leads": "received_on",
    "election_history": "election_on",
}
"""Column by which the freshness of each event table is judged."""


class NoUnitsError(DataError):
    """There is no unit to assess on the date."""


@dataclass(frozen=True)
class RiskResult:
    """Everything a risk run found; tables as described in ``store.run_folder``, and what they tell."""

    as_of: dt.date
    parameters: ParameterSet
    index: pd.DataFrame
    points_lost: pd.DataFrame
    gates: pd.DataFrame
    indicators: pd.DataFrame
    history: pd.DataFrame
    freshness: pd.DataFrame
    units: pd.DataFrame
    findings: Findings
    ledgers: Ledgers
    sources: Provenance

    def __repr__(self) -> str:
        """Return number of units, as-of date and parameter version."""
        return (
            f"RiskResult(units={len(self.index)}, as_of={self.as_of}, parameters={self.parameters.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the index table by unit code."""
        return self.index.set_index("unit_code")

    def explain(self, unit_code: str) -> str:
        """Return in Chinese a unit's index, colour, largest points lost and verdict of the gates.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row: dict[str, Any] = dict(self.to_frame().loc[unit_code])
        names = self.units.set_index("unit_code")["unit_name"]
        name = names[unit_code] if isinstance(names[unit_code], str) and names[unit_code] else unit_code
        level = Level.lookup()[row["level"]]
        if level is Level.UNKNOWN:
            return f"截至{date_text(self.as_of)}，{name}没有填报任何数据，不能评定颜色，请先报数。"
        text = f"截至{date_text(self.as_of)}，{name}选情指数{row['index']:.1f}分（满分100，越高越稳），"
        text += f"为{level.label}"
        if row["to_verify"]:
            text += (
                f"，但有数据缺失，补齐后在{row['index_low']:.1f}至{row['index_high']:.1f}分之间，颜色待核实"
            )
        lost = self.indicators[self.indicators["unit_code"] == unit_code]
        lost = lost[lost["points"] >= SAID_POINTS].sort_values(["points"], ascending=False, kind="stable")
        said = [
            f"{reason}（扣{points:.1f}分）"
            for reason, points in zip(lost["reason"].head(3), lost["points"].head(3), strict=True)
        ]
        text += f"。主要扣分：{'；'.join(said)}。" if said else "。各项指标基本没有扣分。"
        gates = self.gates[self.gates["unit_code"] == unit_code]
        blocked = gates[gates["status"] != GateStatus.PASS.value]
        if len(blocked):
            text += f"还不能启动换届：{'；'.join(blocked['reason'])}。"
        elif len(gates):
            text += "各项准入条件都已通过，可以启动换届。"
        return text


def snapshot_dates(tables: Mapping[str, pd.DataFrame], as_of: dt.date) -> list[dt.date]:
    """Return the month ends at which history is recomputed, the as-of date last.

    They run over the last 24 months at most, beginning with the month of the first facts; a month without
    facts of its own has its snapshot too.

    Examples
    --------
    >>> facts = pd.DataFrame({"as_of": pd.to_datetime(["2026-08-31", "2026-09-30"])})
    >>> [str(d) for d in snapshot_dates({"facts": facts}, dt.date(2026, 10, 15))]
    ['2026-08-31', '2026-09-30', '2026-10-15']
    """
    facts = tables.get("facts")
    first = pd.NaT if facts is None else pd.to_datetime(facts["as_of"]).min()
    if pd.isna(first):
        return [as_of]
    month_ends = [d.date() for d in pd.date_range(first, pd.Timestamp(as_of), freq="ME", inclusive="left")]
    return [*month_ends[-(HISTORY_SNAPSHOTS - 1) :], as_of]


HISTORY_SNAPSHOTS = 24

SAID_POINTS = 0.05
"""Points lost below this are not named as a reason."""


def run_risk(
    tables: Mapping[str, pd.DataFrame],
    parameters: ParameterSet,
    *,
    as_of: dt.date,
    neighbours: pd.DataFrame | None = None,
    published: Published | None = None,
    casework: Casework | None = None,
    progress: Progress | None = None,
) -> RiskResult:
    """Compute index, points lost, colours and gates on a date, and the history that leads to it.

    Parameters
    ----------
    tables
        Contract tables by name; ``units`` is required.
    parameters
        Framework, cut-offs, gates and rules.
    as_of
        Date the run describes; nothing dated later is used.
    neighbours
        Pairs of neighbours (``unit_code``, ``neighbour_code``, ``link``); without them no cluster is found.
    published
        The last published run, to account for what has changed since.
    casework
        The ledger of cases: the facts that cases closed by the date have changed are laid over the tables
        before anything is computed.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Returns
    -------
    RiskResult

    Raises
    ------
    KeyError
        If there is no ``units`` table.
    NoUnitsError
        If no unit's code is in force on the date.
    ParameterError
        If a rule is not in force on one of the dates.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_name": ["示例村"],
    ...                       "unit_kind": ["village"], "township_code": ["990101001"]})
    >>> result = run_risk({"units": units}, load_parameters(), as_of=dt.date(2026, 10, 31))
    >>> result.index[["level", "to_verify"]].values.tolist()
    [['unknown', True]]
    """
    reported = prepare(tables)
    if not reported.in_force(day_number(as_of)).any():
        raise _no_units(reported, as_of)
    amended = lay_over(tables, reported, casework, as_of)
    prepared = reported
    if amended is not None:
        tables = amended.tables
        prepared = prepare(tables)
    done = assess(prepared, parameters, snapshot_dates(tables, as_of), progress=progress)
    values, scores, past, previous = done.values, done.scores, done.history, done.previous
    gates = evaluate_gates(prepared, parameters, as_of)
    findings = find(
        tables,
        prepared,
        values,
        past,
        gates,
        parameters,
        previous=previous,
        points=done.points,
        neighbours=neighbours,
        published=published,
    )
    index = done.index
    units = _unit_frame(tables, values)
    before = None
    if amended is not None and len(amended.applied):
        unamended = _snapshot(reported, parameters, as_of, previous)
        before = unamended.standing(evaluate_gates(reported, parameters, as_of))
    ledgers = draw_up(
        tables,
        prepared,
        parameters,
        as_of,
        index=index,
        history=past,
        gates=gates,
        units=units,
        signals=findings.signals,
        since=None if published is None else published.as_of,
        amended=amended,
        before=before,
        after=done.standing(gates),
    )
    return RiskResult(
        as_of=as_of,
        parameters=parameters,
        index=index,
        points_lost=done.points_lost,
        gates=gates,
        indicators=_indicator_frame(prepared, values, scores, parameters),
        history=past,
        freshness=freshness(prepared, parameters, as_of),
        units=units,
        findings=findings,
        ledgers=ledgers,
        sources=provenance(prepared, parameters, as_of),
    )


def _no_units(prepared: Prepared, as_of: dt.date) -> NoUnitsError:
    if prepared.size:
        found = f"{prepared.size} 个村（社区）的代码在{date_text(as_of)}都不在有效期内"
        remedy = "核对评估日期，或在 units 表中改正 valid_from、valid_to"
    else:
        found, remedy = "没有一行", "补上村（社区）名录"
    fault = Fault("units 表（村（社区）名录）", found, "至少一个在评估日期有效的村（社区）", remedy)
    return NoUnitsError("没有村（社区），不能评估", [fault])


@dataclass(frozen=True)
class _Snapshot:
    values: IndicatorValues
    scores: Scores
    row: pd.DataFrame

    @property
    def level(self) -> pd.Series[str]:
        return self.row.set_index("unit_code")["level"]

    def standing(self, gates: pd.DataFrame) -> Standing:
        return Standing(self.scores.index, self.level, self.scores, gates)


def _snapshot(
    prepared: Prepared, parameters: ParameterSet, date: dt.date, previous: pd.Series[str] | None
) -> _Snapshot:
    values = indicator_values(prepared, parameters, date)
    scores = score(values.value, values.units["unit_kind"].astype("str"), parameters.framework)
    frame = _index_frame(date, values, scores, parameters, previous)
    lost = scores.dimensions(parameters.framework).reset_index(drop=True)
    return _Snapshot(values, scores, pd.concat([frame, lost], axis=1))


@dataclass(frozen=True)
class Assessed:
    """Scores on the last of some dates, and the history that leads to it.

    Parameters
    ----------
    values, scores
        Indicators and scores on the last date.
    history
        Rows of every date: the columns of :attr:`index` and the points lost by dimension.
    points
        Points lost by indicator on the last date and the one before.
    previous
        Level by unit on the date before; ``None`` where there is none.
    parameters
        What they were computed with.
    """

    values: IndicatorValues
    scores: Scores
    history: pd.DataFrame
    points: Mapping[dt.date, pd.DataFrame]
    previous: pd.Series[str] | None
    parameters: ParameterSet

    def __repr__(self) -> str:
        """Return number of units, last date and parameter version."""
        version = self.parameters.version
        return f"Assessed(units={len(self.index)}, as_of={self.values.as_of}, parameters={version!r})"

    @property
    def index(self) -> pd.DataFrame:
        """Index, its interval and level of every unit on the last date."""
        wanted = ["unit_code", "as_of", "index", "index_low", "index_high", "level", "to_verify"]
        last = self.history["as_of"] == pd.Timestamp(self.values.as_of)
        return self.history.loc[last, wanted].reset_index(drop=True)

    @property
    def points_lost(self) -> pd.DataFrame:
        """Points lost on the last date in long form, by unit code and in the framework's order."""
        return _points_frame(self.scores, self.parameters)

    def standing(self, gates: pd.DataFrame) -> Standing:
        """Return how the units stand, gates included."""
        level = self.index.set_index("unit_code")["level"]
        return Standing(self.scores.index, level, self.scores, gates)


def assess(
    prepared: Prepared,
    parameters: ParameterSet,
    dates: Sequence[dt.date],
    *,
    progress: Progress | None = None,
) -> Assessed:
    """Score all units in force on each of some dates, in their order; colours know the ones before.

    What a unit gets depends on its own rows alone, so that units may be scored together or apart.

    Raises
    ------
    ValueError
        If there is no date.
    ParameterError
        If a rule is not in force on one of the dates.
    """
    if not dates:
        raise ValueError("no date to assess")
    previous: pd.Series[str] | None = None
    snapshots: list[_Snapshot] = []
    history = []
    for step, date in enumerate(dates):
        if progress is not None:
            progress("计算历史快照", step, len(dates))
        previous = snapshots[-1].level if snapshots else None
        snapshots = [*snapshots[-1:], _snapshot(prepared, parameters, date, previous)]
        history.append(snapshots[-1].row)
    if progress is not None:
        progress("计算历史快照", len(dates), len(dates))
    return Assessed(
        values=snapshots[-1].values,
        scores=snapshots[-1].scores,
        history=pd.concat(history, ignore_index=True),
        points={snapshot.values.as_of: snapshot.scores.points for snapshot in snapshots},
        previous=previous,
        parameters=parameters,
    )


def _index_frame(
    date: dt.date,
    values: IndicatorValues,
    scores: Scores,
    parameters: ParameterSet,
    previous: pd.Series[str] | None,
) -> pd.DataFrame:
    cuts = parameters.classification
    nothing = scores.severity.isna().all(axis=1)
    return pd.DataFrame(
        {
            "unit_code": values.value.index.astype("str"),
            "as_of": pd.Timestamp(date).as_unit("us"),
            "index": scores.index.to_numpy(),
            "index_low": scores.index_low.to_numpy(),
            "index_high": scores.index_high.to_numpy(),
            "level": classify(scores.index.mask(nothing), cuts, previous=previous).to_numpy(),
            "to_verify": to_verify(scores.index_low, scores.index_high, cuts, previous=previous).to_numpy(),
        }
    )


def _points_frame(scores: Scores, parameters: ParameterSet) -> pd.DataFrame:
    """Return points lost in long form, by unit code and in the framework's order."""
    ids = [i.id for i in parameters.framework.indicators]
    dimensions = [parameters.framework.dimension_of(i).id for i in ids]
    points = scores.points[ids].to_numpy()
    n, k = points.shape
    frame = pd.DataFrame(
        {
            "unit_code": np.repeat(scores.points.index.to_numpy(), k),
            "dimension": np.tile(np.array(dimensions), n),
            "indicator": np.tile(np.array(ids), n),
            "points": points.ravel(),
        }
    )
    return frame[frame["points"].notna()].reset_index(drop=True)


def _indicator_frame(
    prepared: Prepared, values: IndicatorValues, scores: Scores, parameters: ParameterSet
) -> pd.DataFrame:
    """Return every indicator of every unit with its reason sentence and the cell it came from."""
    frames = []
    statuses = values.status
    for indicator in parameters.framework.indicators:
        answer = values.observed[indicator.id]
        source = prepared.facts if answer.table == "facts" else _event_frame(prepared, answer.table)
        value = values.value[indicator.id].to_numpy()
        status = statuses[indicator.id].to_numpy()
        severity = scores.severity[indicator.id].to_numpy()
        applies = status != ValueStatus.NOT_APPLICABLE
        row = np.where(applies, answer.row[values.positions], -1)
        day = np.where(row >= 0, answer.day[values.positions], NEVER)
        date = pd.Series(np.where(day == NEVER, 0, day)).astype("int64")
        dates = pd.Series(date.to_numpy().astype("datetime64[D]").astype("datetime64[us]")).mask(day == NEVER)
        frame = pd.DataFrame(
            {
                "unit_code": values.value.index.to_numpy(),
                "indicator": indicator.id,
                "value": value,
                "status": status,
                "severity": severity,
                "severity_low": np.where(applies & np.isnan(severity), 0.0, severity),
                "severity_high": np.where(applies & np.isnan(severity), 1.0, severity),
                "points": scores.points[indicator.id].to_numpy(),
                "reason": [
                    _reason(indicator, v, word, harm)
                    for v, word, harm in zip(value, status, severity, strict=True)
                ],
                "data_date": dates.to_numpy(),
                "source_table": answer.table,
                **_sources(source, row),
            }
        )
        frames.append(frame)
    by_unit = np.arange(len(frames) * len(values.value)).reshape(len(frames), -1).T.ravel()
    return pd.concat(frames, ignore_index=True).take(by_unit).reset_index(drop=True)


def _reason(indicator: Indicator, value: float, status: str, severity: float) -> str:
    """Return in one sentence what the value says, or why there is none."""
    if status == ValueStatus.NOT_APPLICABLE:
        return f"{indicator.label}不适用于此类单位"
    if status == ValueStatus.STALE:
        return f"{indicator.label}的数据已过期"
    return indicator.describe(value, severity=severity)


def _event_frame(prepared: Prepared, table: str) -> pd.DataFrame:
    rows = prepared.events.get(table)
    return pd.DataFrame() if rows is None else rows.frame


def _sources(source: pd.DataFrame, row: Ints) -> dict[str, object]:
    """Return the source columns of the given rows; −1 gives missing."""
    columns = ("source_file", "source_sheet", "source_row")
    source = source[[column for column in columns if column in source]]
    taken = source.take(np.maximum(row, 0)) if len(source) else source.reindex(range(len(row)))
    nowhere = row < 0
    out: dict[str, object] = {}
    for column in columns:
        found = (
            taken[column].reset_index(drop=True) if column in taken.columns else pd.Series([None] * len(row))
        )
        typed = found.astype("Int64") if column == "source_row" else found.astype("str")
        out[column] = typed.mask(nowhere).array
    return out


def _unit_frame(tables: Mapping[str, pd.DataFrame], values: IndicatorValues) -> pd.DataFrame:
    units = values.units.reset_index(drop=True)
    townships = tables.get("townships")
    if townships is not None and not townships.empty:
        names = ["township_name", "county_code", "county_name"]
        units = units.drop(columns=names, errors="ignore")
        units = units.merge(townships[["township_code", *names]], on="township_code", how="left")
    for name in UNIT_COLUMNS:
        if name not in units:
            numeric = name in {"longitude", "latitude"}
            units[name] = pd.Series(np.nan, index=units.index, dtype="float64" if numeric else "str")
    return units[list(UNIT_COLUMNS)]


def freshness(prepared: Prepared, parameters: ParameterSet, as_of: dt.date) -> pd.DataFrame:
    """Return how fresh and how complete each source is on a date.

    Returns
    -------
    pandas.DataFrame
        source, label, latest_on, age_days, units_covered (units with a usable entry), units_total; families
        of metrics first, in the order of the framework, then event tables.
    """
    day = day_number(as_of)
    in_force = prepared.in_force(day)
    rows: list[dict[str, object]] = []
    families: dict[str, list[str]] = {}
    for metric_id, metric in parameters.framework.metrics.items():
        families.setdefault(metric.family, []).append(metric_id)
    for family, metrics in families.items():
        latest, covered = -int(NEVER), np.ones(prepared.size, dtype=bool)
        seen = False
        for metric_id in metrics:
            history = prepared.metrics.get(metric_id)
            if history is None:
                covered[:] = False
                continue
            seen = True
            _value, when, row = history.latest(prepared.size, day)
            usable = (row >= 0) & (day - when <= parameters.framework.metrics[metric_id].max_age_days)
            covered &= usable
            latest = max(latest, int(when[row >= 0].max(initial=-int(NEVER))))
        rows.append(
            _freshness_row(
                f"facts:{family}", family, latest if seen else -int(NEVER), covered & in_force, day
            )
        )
    for name, column in EVENT_DATES.items():
        events = prepared.events.get(name)
        covered = np.zeros(prepared.size, dtype=bool)
        latest = -int(NEVER)
        if events is not None:
            when = events.day(column)
            used = when <= day
            covered[events.unit[used]] = True
            latest = int(when[used].max(initial=-int(NEVER)))
        rows.append(_freshness_row(name, TABLES[name].label, latest, covered & in_force, day))
    frame = pd.DataFrame(rows)
    frame["units_total"] = int(in_force.sum())
    return frame.astype({"latest_on": "datetime64[us]", "age_days": "Int64"})


def _freshness_row(source: str, label: str, latest: int, covered: Bools, day: int) -> dict[str, object]:
    known = latest > -int(NEVER)
    date = dt.date(1970, 1, 1) + dt.timedelta(days=latest) if known else None
    return {
        "source": source,
        "label": label,
        "latest_on": pd.NaT if date is None else pd.Timestamp(date).as_unit("us"),
        "age_days": day - latest if known else pd.NA,
        "units_covered": int(covered.sum()),
    }
