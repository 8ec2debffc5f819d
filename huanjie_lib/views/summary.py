"""A run in plain values: what the head of the overview says, and everything about one unit.

Frozen dataclasses without widgets or files, so that screens and files show the same figures. The rules are
those of :mod:`huanjie_lib.views.tables`, whose functions can be had from here too.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.provenance import source_lines
from huanjie_lib.views.tables import (
    INCIDENT_SOURCES,
    admission_list,
    admission_of,
    blocked_list,
    freshness_table,
    gate_progress,
    gate_table,
    gates_of,
    hover_lines,
    level_bytes,
    losses_table,
    map_units,
    previous_snapshot,
    snapshots,
    township_league,
    trend,
    unit_table,
    working_list,
)
from huanjie_lib.views.words import (
    CONTESTED,
    LABELS,
    LEVELS,
    count_text,
    date_text,
    number_text,
    percent_text,
    present,
    source_text,
    with_names,
)
from huanjie_lib.vocabulary import GateStatus, Level, Topic, UnitKind, ValueStatus, Word

__all__ = [
    "LABELS",
    "LEVELS",
    "Admission",
    "Dimension",
    "Freshness",
    "GateVerdict",
    "LevelCount",
    "Loss",
    "Overview",
    "Reading",
    "Snapshot",
    "UnitProfile",
    "admission_list",
    "blocked_list",
    "count_text",
    "date_text",
    "freshness_table",
    "gate_progress",
    "gate_table",
    "hover_lines",
    "level_bytes",
    "losses_table",
    "map_units",
    "number_text",
    "overview",
    "percent_text",
    "township_league",
    "trend",
    "unit_profile",
    "unit_table",
    "working_list",
]

W = TypeVar("W", bound=Word)

_PICTURED = 3


@dataclass(frozen=True, slots=True)
class LevelCount:
    """Number of units of one level, and the change against the previous snapshot where there is one."""

    level: Level
    count: int
    change: int | None


@dataclass(frozen=True, slots=True)
class Admission:
    """Units that pass all gates, that fail at least one, and the rest, which await a verdict."""

    passed: int
    failed: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """How recent and how complete one source is; ``latest_on`` is missing where nothing was reported."""

    source: str
    label: str
    latest_on: dt.date | None
    age_days: int | None
    units_covered: int
    units_total: int

    @property
    def due(self) -> bool:
        """Whether every unit is due to report: a list of incidents rightly names only those that had one."""
        return self.source not in INCIDENT_SOURCES

    @property
    def covered_share(self) -> float:
        """Share of the units that the source covers (0-1); 1 where there is no unit to cover."""
        return self.units_covered / self.units_total if self.units_total else 1.0


@dataclass(frozen=True, slots=True)
class Overview:
    """What the head of the overview says.

    Parameters
    ----------
    title
        Chinese title.
    as_of, previous_as_of
        Date of the run and of the snapshot before it, if any.
    parameter_version
        Version of the parameters.
    units
        Number of units.
    levels
        Count and change by level, red first; units without data only where there are any.
    to_verify, to_verify_change
        Units whose colour missing data leave open, and the change.
    contested
        Units whose colour is contested.
    mean_index
        Mean index of the units with any data; missing where none has.
    admission
        Admission counts, or ``None`` where the pack has no gates.
    picture
        Five Chinese sentences: state, change, admission, causes, townships.
    freshness
        One entry per source.
    """

    title: str
    as_of: dt.date
    previous_as_of: dt.date | None
    parameter_version: str
    units: int
    levels: tuple[LevelCount, ...]
    to_verify: int
    to_verify_change: int | None
    contested: int
    mean_index: float | None
    admission: Admission | None
    picture: tuple[str, ...]
    freshness: tuple[Freshness, ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of a unit: points lost of the points it can lose, and the share kept (0-1)."""

    id: str
    label: str
    short: str
    points_lost: float
    points_most: float

    @property
    def share_kept(self) -> float:
        """Share of the dimension's points that the unit kept; 1 is safe."""
        return 1.0 - self.points_lost / self.points_most if self.points_most else 1.0


@dataclass(frozen=True, slots=True)
class Loss:
    """One indicator of a unit: what it costs, why, and where the figure came from.

    ``source`` is the row that decided it; ``cells`` are all rows and columns that it was computed from, one
    line for each file, sheet and table.
    """

    indicator: str
    label: str
    dimension: str
    points: float
    value: str
    status: ValueStatus
    reason: str
    data_date: dt.date | None
    source: str
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Verdict of one gate on a unit."""

    gate: str
    label: str
    status: GateStatus
    reason: str
    rule: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A unit's index and colour at one date."""

    as_of: dt.date
    index: float | None
    level: Level
    to_verify: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What one finding says of a unit."""

    topic: Topic
    text: str


@dataclass(frozen=True, slots=True)
class UnitProfile:
    """Everything a screen shows of one unit.

    Parameters
    ----------
    unit_code, unit_name, unit_kind, township_name, county_name
        Which unit.
    as_of
        Date of the run.
    index, index_low, index_high
        Index and its bounds under missing data; missing where there is none.
    level, to_verify, contested, change
        Colour, whether missing data leave it open, whether it is contested, and change of the index.
    admission
        Verdict of all gates together, or ``None`` where the pack has none.
    dimensions
        One entry per dimension in the order of the pack, for the radar.
    losses
        Every applicable indicator, largest loss first.
    gates
        Every gate in the order of the pack.
    history
        One entry per snapshot up to the as-of date, oldest first.
    readings
        What the findings say, in sentences; the certainty of the colour first.
    """

    unit_code: str
    unit_name: str
    unit_kind: UnitKind
    township_name: str
    county_name: str
    as_of: dt.date
    index: float | None
    index_low: float | None
    index_high: float | None
    level: Level
    to_verify: bool
    contested: bool
    change: float | None
    admission: GateStatus | None
    dimensions: tuple[Dimension, ...]
    losses: tuple[Loss, ...]
    gates: tuple[GateVerdict, ...]
    history: tuple[Snapshot, ...]
    readings: tuple[Reading, ...]


def overview(run: Run, *, since: str = "上期") -> Overview:
    """Return what the head of the overview says; ``since`` is what it calls the snapshot compared with."""
    counts = trend(run)
    now = counts.iloc[-1]
    then = counts.iloc[-2] if len(counts) > 1 else None
    levels = tuple(
        LevelCount(
            level, int(now[level.value]), None if then is None else int(now[level.value] - then[level.value])
        )
        for level in LEVELS
        if level is not Level.UNKNOWN or now[level.value] or (then is not None and then[level.value])
    )
    admission = None
    if gates_of(run):
        verdicts = admission_of(run).value_counts()
        admission = Admission(
            passed=int(verdicts.get(GateStatus.PASS.value, 0)),
            failed=int(verdicts.get(GateStatus.FAIL.value, 0)),
            unknown=int(verdicts.get(GateStatus.UNKNOWN.value, 0)),
        )
    result = Overview(
        title="村（社区）换届选情总览",
        as_of=run.as_of,
        previous_as_of=None if then is None else then["as_of"].date(),
        parameter_version=run.parameters.version,
        units=int(now["units"]),
        levels=levels,
        to_verify=int(now["to_verify"]),
        to_verify_change=None if then is None else int(now["to_verify"] - then["to_verify"]),
        contested=int(run.uncertainty["contested"].sum()),
        mean_index=_number(now["mean_index"]),
        admission=admission,
        picture=(),
        freshness=tuple(
            Freshness(
                source=str(row["source"]),
                label=str(row["label"]),
                latest_on=_date(row["latest_on"]),
                age_days=int(row["age_days"]) if present(row["age_days"]) else None,
                units_covered=int(row["units_covered"]),
                units_total=int(row["units_total"]),
            )
            for row in run.freshness.to_dict("records")
        ),
    )
    return dataclasses.replace(result, picture=_picture(run, result, counts, since))


def unit_profile(run: Run, unit_code: str) -> UnitProfile:
    """Return everything a screen shows of one unit.

    Raises
    ------
    KeyError
        If the run has no such unit.
    """
    one = _only(run, unit_code)
    row = unit_table(one).iloc[0]
    return UnitProfile(
        unit_code=unit_code,
        unit_name=str(row["unit_name"]),
        unit_kind=_word(UnitKind, row["unit_kind"]),
        township_name=str(row["township_name"]),
        county_name=str(row["county_name"]),
        as_of=run.as_of,
        index=_number(row["index"]),
        index_low=_number(row["index_low"]),
        index_high=_number(row["index_high"]),
        level=_word(Level, row["level"]),
        to_verify=bool(row["to_verify"]),
        contested=bool(row["contested"]),
        change=_number(row["change"]),
        admission=_word(GateStatus, row["admission"]) if present(row["admission"]) else None,
        dimensions=_dimensions(one),
        losses=_losses(one),
        gates=tuple(
            GateVerdict(
                gate=verdict["gate"],
                label=verdict["label"],
                status=_word(GateStatus, verdict["status"]),
                reason=verdict["reason"] if present(verdict["reason"]) else "",
                rule=verdict["rule"],
                remedy=verdict["remedy"],
            )
            for verdict in gate_table(one).to_dict("records")
        ),
        history=tuple(
            Snapshot(
                as_of=snapshot["as_of"].date(),
                index=_number(snapshot["index"]),
                level=_word(Level, snapshot["level"]),
                to_verify=bool(snapshot["to_verify"]),
            )
            for snapshot in snapshots(one).sort_values("as_of").to_dict("records")
        ),
        readings=_readings(run, unit_code),
    )


def _word(words: type[W], value: object) -> W:
    return words.lookup()[str(value)]


def _number(value: Any) -> float | None:
    return float(value) if present(value) else None


def _date(value: Any) -> dt.date | None:
    return pd.Timestamp(value).date() if present(value) else None


def _only(run: Run, unit_code: str) -> Run:
    """Return the run cut down to one unit."""
    tables = ("index", "points_lost", "gates", "indicators", "history", "units", "uncertainty")
    frames = {name: getattr(run, name) for name in tables}
    cut = {name: frame[frame["unit_code"] == unit_code] for name, frame in frames.items()}
    if cut["units"].empty:
        raise KeyError(unit_code)
    return dataclasses.replace(run, **cut)


def _readings(run: Run, unit_code: str) -> tuple[Reading, ...]:
    """Return what the findings say of a unit, with the names of units, in the order of topics."""
    names = dict(zip(run.units["unit_code"], _units_called(run), strict=True))
    mine = run.readings[run.readings["unit_code"] == unit_code]
    return tuple(
        Reading(_word(Topic, topic), with_names(text, names))
        for topic, text in zip(mine["topic"], mine["text"], strict=True)
    )


def _units_called(run: Run) -> pd.Series[str]:
    return run.units["unit_name"].replace("", pd.NA).fillna(run.units["unit_code"])


def _dimensions(run: Run) -> tuple[Dimension, ...]:
    """Return the dimensions of a run of one unit."""
    lost = run.points_lost.groupby("dimension")["points"].sum()
    return tuple(
        Dimension(
            id=d.id,
            label=d.label,
            short=d.short,
            points_lost=float(lost.get(d.id, 0.0)),
            points_most=100.0 * d.weight,
        )
        for d in run.parameters.framework.dimensions
    )


def _losses(run: Run) -> tuple[Loss, ...]:
    """Return the applicable indicators of a run of one unit, largest loss first."""
    framework = run.parameters.framework
    rows = {row["indicator"]: row for row in run.indicators.to_dict("records")}
    sources = run.sources(str(run.units["unit_code"].iloc[0]))
    words = sources.columns.drop("source_row")
    traced = {str(i): mine for i, mine in sources.astype(dict.fromkeys(words, "object")).groupby("indicator")}
    losses = []
    for indicator in framework.indicators:
        row = rows.get(indicator.id)
        if row is None or row["status"] == ValueStatus.NOT_APPLICABLE:
            continue
        value = _number(row["value"])
        losses.append(
            Loss(
                indicator=indicator.id,
                label=indicator.label,
                dimension=framework.dimension_of(indicator.id).label,
                points=_number(row["points"]) or 0.0,
                value="—" if value is None else indicator.format(value),
                status=_word(ValueStatus, row["status"]),
                reason=str(row["reason"]) if row["points"] > 0 else "",
                data_date=_date(row["data_date"]),
                source=source_text(row["source_file"], row["source_sheet"], row["source_row"]),
                cells=source_lines(traced[indicator.id], framework.metrics) if indicator.id in traced else (),
            )
        )
    return tuple(sorted(losses, key=lambda loss: -round(loss.points, 9)))


def _picture(run: Run, view: Overview, counts: pd.DataFrame, since: str) -> tuple[str, ...]:
    """Return the five sentences: state, change, admission, causes, townships."""
    return (
        _state(view),
        _movement(run, view, counts, since),
        _admitted(run, view),
        _causes(run),
        _townships(run),
    )


def _state(view: Overview) -> str:
    parts = [
        f"{c.level.label}{count_text(c.count)}个（{percent_text(c.count, view.units)}）" for c in view.levels
    ]
    text = f"截至{date_text(view.as_of)}，共评估村（社区）{count_text(view.units)}个，其中{'、'.join(parts)}"
    if view.to_verify:
        text += f"；因数据缺失，{count_text(view.to_verify)}个等级待核实"
    if view.contested:
        text += f"；{count_text(view.contested)}个{CONTESTED}，定色前应会商"
    return text + "。"


def _movement(run: Run, view: Overview, counts: pd.DataFrame, since: str) -> str:
    if view.previous_as_of is None:
        return "没有更早一期的评估，暂不能比较变化。"
    moved = "、".join(f"{c.level.label}{_change(c.change)}" for c in view.levels)
    now = run.index.set_index("unit_code")["level"]
    then = previous_snapshot(run).set_index("unit_code")["level"].reindex(now.index)
    into = int(((now == Level.RED.value) & (then.notna()) & (then != Level.RED.value)).sum())
    out = int(((now != Level.RED.value) & (then == Level.RED.value)).sum())
    means = counts["mean_index"].iloc[-2:].tolist()
    return (
        f"与{since}（{date_text(view.previous_as_of)}）相比，{moved}；新转为红色{count_text(into)}个、脱离红色{count_text(out)}个，"
        f"平均选情指数由{number_text(means[0])}变为{number_text(means[1])}。"
    )


def _admitted(run: Run, view: Overview) -> str:
    if view.admission is None:
        return "所用参数包没有设置准入条件，不产生准入清单。"
    a = view.admission
    share = percent_text(a.passed, view.units)
    text = (
        f"准入清单：{count_text(a.passed)}个（{share}）各项条件全部通过，可以启动换届；"
        f"{count_text(a.failed)}个有条件不通过，{count_text(a.unknown)}个只差条件待核实，均不得启动"
    )
    progress = gate_progress(run)
    worst = progress.iloc[int(progress["share"].argmin())]
    if worst["share"] < 1:
        text += f"；卡得最多的是“{worst['gate']}”，{count_text(worst['failed'] + worst['unknown'])}个未通过"
    return text + "。"


def _causes(run: Run) -> str:
    framework = run.parameters.framework
    units = len(run.units)
    lost = run.points_lost
    by_dimension = lost.groupby("dimension")["points"].sum().sort_values(ascending=False, kind="stable")
    by_indicator = lost.groupby("indicator")["points"].sum().sort_values(ascending=False, kind="stable")
    if by_indicator.empty or by_indicator.iloc[0] <= 0:
        return "各项指标均未扣分。"
    dimension = next(d for d in framework.dimensions if d.id == by_dimension.index[0])
    named = [
        f"{framework.indicator(str(i)).label}（{number_text(points / units)}分）"
        for i, points in by_indicator.head(_PICTURED).items()
        if points > 0
    ]
    most = number_text(by_dimension.iloc[0] / units)
    return (
        f"扣分最多的维度是{dimension.label}，平均每个村（社区）扣{most}分；"
        f"扣分最多的指标依次是{'、'.join(named)}。"
    )


def _townships(run: Run) -> str:
    league = township_league(run)
    league = league[league["rank"].notna()]
    if league.empty:
        return "没有镇街取得选情指数。"
    if len(league) == 1:
        return _units_within(run, league["township_name"].iloc[0])
    named = [
        f"{row['township_name']}（平均{number_text(row['mean_index'])}，红色{row['red']}个）"
        for row in league.head(_PICTURED).to_dict("records")
    ]
    clear = int((league["red"] == 0).sum())
    return f"{len(league)}个镇街中，平均指数最低的是{'、'.join(named)}；没有红色村（社区）的镇街有{clear}个。"


def _units_within(run: Run, township: str) -> str:
    """Return the units of the only township that stand lowest."""
    units = working_list(run)
    units = units[units["level"] != Level.UNKNOWN.value].nsmallest(_PICTURED, "index", keep="first")
    named = [
        f"{row['unit_name']}（{number_text(row['index'])}，{Level.labels()[row['level']]}）"
        for row in units.to_dict("records")
    ]
    return f"{township}指数最低的村（社区）是{'、'.join(named)}。"


def _change(change: int | None) -> str:
    if not change:
        return "持平"
    return f"增加{count_text(change)}个" if change > 0 else f"减少{count_text(-change)}个"
