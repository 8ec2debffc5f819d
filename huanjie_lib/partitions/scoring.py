"""What is computed of one county, and what a whole city has to say first.

A unit's scores depend on its own rows, with two exceptions that only the city knows: on which dates there are
snapshots, since history begins with the city's first facts, and which ledgers the city keeps at all, since a
unit without rows in a ledger that is kept has none, and in one that is not kept is unknown. :func:`survey`
reads both from the heads of the files. Signals compare a unit with its whole city and need, of each unit, the
few rows that their checks count; they are computed city by city. The nation is then as much work as its
cities and as much memory as the largest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from huanjie_lib.contracts import TABLES
from huanjie_lib.listing import losses_of
from huanjie_lib.parameters import ParameterSet
from huanjie_lib.partitions.layout import read_partition, table_files
from huanjie_lib.pipeline import Assessed, assess, snapshot_dates
from huanjie_lib.risk.gates import evaluate_gates
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.signals import Signals, find_signals

__all__ = ["CountyScores", "Survey", "score_county", "signals_of_city", "survey"]

SCORE_TABLES: Final = tuple(
    name for name, held in TABLES.items() if held.purpose not in ("talent", "identity")
)
"""What scores are computed from: nobody in the reserve is read."""
SIGNAL_TABLES: Final = ("units", "crosswalk", "roll_checks", "election_history", "leads", "reviews", "facts")


@dataclass(frozen=True)
class Survey:
    """What the counties of a city have to know of each other.

    Parameters
    ----------
    first
        Earliest date of any fact; ``None`` where there is none.
    supplied
        Event tables that have a row somewhere in the city.
    """

    first: dt.date | None
    supplied: frozenset[str]

    def dates(self, as_of: dt.date) -> list[dt.date]:
        """Return the snapshots of every county, the as-of date last."""
        if self.first is None:
            return [as_of]
        return snapshot_dates({"facts": pd.DataFrame({"as_of": pd.to_datetime([self.first])})}, as_of)


def survey(counties: Iterable[Path]) -> Survey:
    """Look through the counties of a city; only the heads of the files are read."""
    first: dt.date | None = None
    supplied = set()
    for folder in counties:
        for name in TABLES:
            for path in table_files(folder, name):
                head = pq.read_metadata(path)
                if head.num_rows and name not in ("units", "facts"):
                    supplied.add(name)
                if name == "facts":
                    first = min(filter(None, (first, _earliest(head))), default=None)
    return Survey(first, frozenset(supplied))


def _earliest(head: pq.FileMetaData) -> dt.date | None:
    place = head.schema.names.index("as_of")
    found = [
        head.row_group(number).column(place).statistics.min
        for number in range(head.num_row_groups)
        if head.row_group(number).num_rows
    ]
    return min(found).date() if found else None


@dataclass(frozen=True)
class CountyScores:
    """Scores of one county: tables as a run folder has them, and what its posts ask for more of.

    Parameters
    ----------
    index, points_lost, gates, history
        As in a run folder.
    losses
        Part of each dimension's points that every unit loses (:func:`huanjie_lib.listing.losses_of`).
    """

    index: pd.DataFrame
    points_lost: pd.DataFrame
    gates: pd.DataFrame
    history: pd.DataFrame
    losses: pd.DataFrame

    def __repr__(self) -> str:
        """Return number of units and of snapshots."""
        return f"CountyScores(units={len(self.index)}, snapshots={self.history['as_of'].nunique()})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the index table."""
        return self.index.copy()


def score_county(
    tables: Mapping[str, pd.DataFrame], city: Survey, parameters: ParameterSet, *, as_of: dt.date
) -> CountyScores:
    """Score the units of one county as :func:`huanjie_lib.pipeline.run_risk` scores them within the city.

    Parameters
    ----------
    tables
        Contract tables of the county.
    city
        What the whole city says.
    parameters, as_of
        As for a run.
    """
    prepared = prepare(tables, supplied=city.supplied)
    done = assess(prepared, parameters, city.dates(as_of))
    return CountyScores(
        index=done.index,
        points_lost=done.points_lost,
        gates=evaluate_gates(prepared, parameters, as_of),
        history=done.history,
        losses=losses_of(_known(done), parameters),
    )


def _known(done: Assessed) -> pd.DataFrame:
    """Return unit_code, indicator, status and points of every indicator of every unit, in their order."""
    points = done.scores.points
    n, k = points.shape
    return pd.DataFrame(
        {
            "unit_code": np.repeat(points.index.to_numpy(), k),
            "indicator": np.tile(points.columns.to_numpy(), n),
            "status": done.values.status[points.columns].to_numpy().ravel(),
            "points": points.to_numpy().ravel(),
        }
    )


def signals_of_city(counties: Iterable[Path], parameters: ParameterSet, *, as_of: dt.date) -> Signals:
    """Run the anomaly checks over a city: of each county only the tables that they count are read."""
    metrics = {
        str(value)
        for signal in (parameters.signals.signals if parameters.signals is not None else ())
        for key, value in signal.options.items()
        if key.endswith("_metric")
    }
    parts: dict[str, list[pd.DataFrame]] = {}
    for folder in counties:
        for name, frame in read_partition(folder, SIGNAL_TABLES).items():
            kept = frame[frame["metric"].isin(metrics)] if name == "facts" else frame
            parts.setdefault(name, []).append(kept)
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    if "crosswalk" in tables:
        tables["crosswalk"] = tables["crosswalk"].drop_duplicates(ignore_index=True)
    return find_signals(prepare(tables), parameters, as_of)
