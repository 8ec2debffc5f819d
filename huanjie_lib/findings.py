"""What a run finds beyond index and gates: how sure, where to, why changed, what lies around, what helps.

Each finding is a result object of ``risk`` that explains itself; :func:`readings` gathers its sentences.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.change_account import PARTS, ChangeAccount, change_account
from huanjie_lib.risk.clusters import ClusterKind, Clusters, find_clusters
from huanjie_lib.risk.indicators import IndicatorValues
from huanjie_lib.risk.prepared import Prepared
from huanjie_lib.risk.remedies import Remedies, find_remedies
from huanjie_lib.risk.remedies_options import TooManyCombinationsError
from huanjie_lib.risk.signals import Signals, find_signals
from huanjie_lib.risk.trends import Direction, Flips, Trends, find_flips, find_trends
from huanjie_lib.risk.uncertainty import COLUMNS as UNCERTAINTY_COLUMNS
from huanjie_lib.risk.uncertainty import Uncertainty, simulate
from huanjie_lib.vocabulary import Level, Topic

__all__ = ["COLUMNS", "Findings", "Published", "RemediesLeftOut", "find", "readings", "tables"]

SEED = 20260101
"""Seed of all draws: equal inputs give equal figures."""

_TOLD_CLUSTERS = (ClusterKind.HIGH, ClusterKind.HIGH_OUTLIER, ClusterKind.LOW_OUTLIER)
_TOLD_DIRECTIONS = (Direction.WORSENING, Direction.IMPROVING)


TOLD_CHANGE = 1.0
"""Index points that an index must have moved since the last published run to be told of."""


@dataclass(frozen=True)
class Published:
    """The last published run, from which the change account starts.

    Parameters
    ----------
    as_of
        Its date.
    parameters
        Its parameters.
    values
        Indicator values as published, units × indicators, NaN where missing.
    level
        Level of each unit as published, by unit code.
    """

    as_of: dt.date
    parameters: ParameterSet
    values: pd.DataFrame
    level: pd.Series[str]


@dataclass(frozen=True)
class RemediesLeftOut:
    """That the ways to the next colour could not be searched exactly, and why.

    Parameters
    ----------
    units
        By unit code: ``level`` of each unit that has a next colour.
    why
        The refusal.
    as_of
        Date of the levels.
    version
        Version of the parameters.
    """

    units: pd.DataFrame
    why: TooManyCombinationsError
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return the number of units without a way, the date and the parameter version."""
        return f"RemediesLeftOut(units={len(self.units)}, as_of={self.as_of}, parameters={self.version!r})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the levels by unit code."""
        return self.units.copy()

    def explain(self, unit_code: str) -> str:
        """Return in Chinese why no way to a unit's next colour is told, and who can put it right.

        Raises
        ------
        KeyError
            If the unit has no next colour or there is no such unit.
        """
        if unit_code not in self.units.index:
            raise KeyError(unit_code)
        reasons = "；".join(f"{f.found}，能测算的{f.allowed}" for f in self.why.faults)
        remedies = "；".join(f.remedy for f in self.why.faults)
        return f"{unit_code}没有测算转色路径：{reasons}。请维护参数的人处理：{remedies}。"


@dataclass(frozen=True)
class Findings:
    """Everything found about the units of one run.

    Parameters
    ----------
    uncertainty
        Chance of each colour.
    trends
        Slopes over the snapshots.
    flips
        Changes of colour since the snapshot before, with the indicators behind them.
    changes
        Movements since the last published run by cause; ``None`` where none was handed in.
    clusters
        Neighbouring trouble; ``None`` where no neighbours are known.
    remedies
        Cheapest way to the next colour, or why it was left out; ``None`` where the pack has no measures.
    signals
        Leads of the anomaly checks; for roles that may see them only.
    """

    uncertainty: Uncertainty
    trends: Trends
    flips: Flips
    changes: ChangeAccount | None
    clusters: Clusters | None
    remedies: Remedies | RemediesLeftOut | None
    signals: Signals

    def __repr__(self) -> str:
        """Return the findings, one a line."""
        found = (
            self.uncertainty,
            self.trends,
            self.flips,
            self.changes,
            self.clusters,
            self.remedies,
            self.signals,
        )
        return "\n".join(repr(one) for one in found if one is not None)


def find(
    tables: Mapping[str, pd.DataFrame],
    prepared: Prepared,
    values: IndicatorValues,
    history: pd.DataFrame,
    gates: pd.DataFrame,
    parameters: ParameterSet,
    *,
    previous: pd.Series[str] | None,
    points: Mapping[dt.date, pd.DataFrame],
    neighbours: pd.DataFrame | None,
    published: Published | None,
) -> Findings:
    """Return what can be found about a snapshot and the history that leads to it.

    Parameters
    ----------
    tables, prepared, values
        Tables, as they came and laid out, and indicator values of the last snapshot.
    history
        Index, level and points lost per dimension, one row a unit and snapshot.
    gates
        Verdicts of the gates.
    parameters
        Framework, cut-offs, measures, declared uncertainty and signals.
    previous
        Level of each unit at the snapshot before, for hysteresis.
    points
        Points lost by indicator at the last two snapshots.
    neighbours
        Pairs of neighbours, or ``None`` where they are not known.
    published
        The last published run, or ``None``.
    """
    as_of, version = values.as_of, parameters.version
    kinds = values.units["unit_kind"].astype("str")
    now = history[history["as_of"] == pd.Timestamp(as_of)].set_index("unit_code")
    lost = (100.0 - now["index"]).mask(now["level"] == Level.UNKNOWN.value)
    lately = history[history["as_of"].isin([pd.Timestamp(date) for date in points])]
    return Findings(
        uncertainty=simulate(
            values.value,
            kinds,
            parameters.framework,
            parameters.classification,
            rng=SEED,
            assumptions=parameters.assumptions,
            previous=previous,
            as_of=as_of,
            version=version,
        ),
        trends=find_trends(history, parameters.framework, version=version),
        flips=find_flips(lately, parameters.framework, points=points, version=version),
        changes=None
        if published is None
        else change_account(
            tables,
            parameters,
            before=published.as_of,
            after=as_of,
            published=published.values,
            old=published.parameters,
            level_before=published.level,
        ),
        clusters=None
        if neighbours is None
        else find_clusters(lost, neighbours, seed=SEED, as_of=as_of, version=version),
        remedies=None
        if parameters.measures is None
        else _remedies(values, kinds, now["level"], gates, parameters),
        signals=find_signals(prepared, parameters, as_of),
    )


def _remedies(
    values: IndicatorValues,
    kinds: pd.Series[str],
    level: pd.Series[str],
    gates: pd.DataFrame,
    parameters: ParameterSet,
) -> Remedies | RemediesLeftOut:
    as_of = values.as_of
    try:
        return find_remedies(values.value, kinds, level, parameters, gates=gates, as_of=as_of)
    except TooManyCombinationsError as error:  # the pack is valid, and everything else can be told
        below = level[level.isin([Level.RED.value, Level.YELLOW.value])].to_frame()
        return RemediesLeftOut(below, error, as_of, parameters.version)


def readings(findings: Findings) -> pd.DataFrame:
    """Return the sentences that leaders read, where there is something to say.

    Signals are not among them: they go to the roles that may see them.

    Returns
    -------
    pandas.DataFrame
        unit_code, topic (value of :class:`~huanjie_lib.vocabulary.Topic`), text; by unit code, then topic.
        A text names units by their codes.
    """
    order = {topic.value: place for place, topic in enumerate(Topic)}
    rows = [(code, topic.value, explain(code)) for topic, codes, explain in _told(findings) for code in codes]
    frame = pd.DataFrame(rows, columns=["unit_code", "topic", "text"], dtype="str")
    return frame.sort_values(
        ["unit_code", "topic"],
        key=lambda column: column.map(order) if column.name == "topic" else column,
        ignore_index=True,
    )


def _told(findings: Findings) -> Iterator[tuple[Topic, list[str], Callable[[str], str]]]:
    """Yield each topic with the units it has something to say about."""
    sure, trends, flips = findings.uncertainty, findings.trends, findings.flips
    yield Topic.CERTAINTY, sure.units.index.tolist(), sure.explain
    yield Topic.FLIP, flips.flips["unit_code"].drop_duplicates().tolist(), flips.explain
    if findings.changes is not None:
        moved = findings.changes.units
        turned = moved["level_before"] != moved["level_after"]
        far = turned | (moved["change"].abs() >= TOLD_CHANGE)
        yield Topic.CHANGE, moved.index[far].tolist(), findings.changes.explain
    heading = trends.units["direction"].isin([d.value for d in _TOLD_DIRECTIONS])
    yield Topic.TREND, trends.units.index[heading].tolist(), trends.explain
    if findings.clusters is not None:
        units = findings.clusters.units
        told = units["kind"].isin([kind.value for kind in _TOLD_CLUSTERS])
        yield Topic.CLUSTER, units.index[told].tolist(), findings.clusters.explain
    if isinstance(findings.remedies, RemediesLeftOut):
        yield Topic.REMEDY, findings.remedies.units.index.tolist(), findings.remedies.explain
    elif findings.remedies is not None:
        units = findings.remedies.units
        yield Topic.REMEDY, units.index[units["target"].notna()].tolist(), findings.remedies.explain


COLUMNS: Mapping[str, tuple[str, ...]] = {
    "uncertainty": UNCERTAINTY_COLUMNS,
    "trends": ("direction", "slope", "slope_low", "slope_high", "snapshots"),
    "flips": ("before", "from_level", "to_level", "index_before", "index", "change", "worse"),
    "changes": (
        "index_before",
        "restated",
        "index_after",
        "change",
        *(cause.value for cause in PARTS),
        "level_before",
        "level_after",
    ),
    "clusters": ("kind", "value", "neighbours", "neighbour_mean", "local_i", "p", "q"),
    "remedies": (
        "target",
        "reachable",
        "needed",
        "regained",
        "index_after",
        "cost",
        "days",
        "measures",
        "open_gates",
    ),
    "remedy_steps": ("order", "measure", "label", "times", "cost", "days", "points", "who", "confidence"),
}
"""Columns of each table of :func:`tables` after ``unit_code``."""


def tables(findings: Findings) -> dict[str, pd.DataFrame]:
    """Return the findings as tables, by unit code: those of :data:`COLUMNS` and ``readings``.

    A finding that was not made (no neighbours, no measures, no run before) gives a table without rows; why
    remedies were left out stands in ``readings``.
    """
    frames: dict[str, pd.DataFrame] = {
        "uncertainty": findings.uncertainty.units,
        "trends": findings.trends.units,
        "flips": findings.flips.flips.set_index("unit_code"),
    }
    if findings.changes is not None:
        frames["changes"] = findings.changes.units
    if findings.clusters is not None:
        frames["clusters"] = findings.clusters.units
    if isinstance(findings.remedies, Remedies):
        frames["remedies"] = findings.remedies.units.dropna(subset=["target"])
        frames["remedy_steps"] = findings.remedies.steps.set_index("unit_code")
    out = {}
    for name, columns in COLUMNS.items():
        frame = frames.get(name, pd.DataFrame(columns=list(columns)))[list(columns)]
        codes = pd.Index(frame.index.astype("str"), dtype="str", name="unit_code")
        out[name] = frame.set_axis(codes).sort_index(kind="stable").reset_index()
    return out | {"readings": readings(findings)}
