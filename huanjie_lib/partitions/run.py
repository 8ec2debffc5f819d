"""All counties of a partitioned folder, one after the other or on a Spark cluster, and signals by city."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.parameters import ParameterSet
from huanjie_lib.partitions.layout import partitions, read_partition
from huanjie_lib.partitions.scoring import score_county, signals_of_city, survey
from huanjie_lib.vocabulary import Level, SignalStatus, date_text

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["PartitionRun", "run_partitions"]

CITY: Final = 4
"""Leading digits of a county code that tell the city."""
_COUNTED: Final = ("units", *(level.value for level in Level), "to_verify", "flagged")

Task = Callable[[str], dict[str, int]]
Spread = Callable[[Task, Sequence[str]], Iterable[dict[str, int]]]


@dataclass(frozen=True)
class PartitionRun:
    """What a run over partitions found, in numbers; the tables lie in its folder by county and city.

    Parameters
    ----------
    counts
        One row per county or city: ``area``, units, units of each level, to be verified, and flagged signals
        (of cities).
    as_of
        The date.
    version
        Version of the parameters.
    """

    counts: pd.DataFrame
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return counties, units, the date and the parameter version."""
        counties = self.counts["area"].str.len() > CITY
        units = int(self.counts.loc[counties, "units"].sum())
        return (
            f"PartitionRun(counties={int(counties.sum())}, units={units}, as_of={self.as_of}, "
            f"parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the counts."""
        return self.counts.copy()

    def explain(self, area: str) -> str:
        """Return in Chinese how many units of a county have which colour, or what a city's checks flag.

        Raises
        ------
        KeyError
            If there is no such county or city.
        """
        row = self.counts.set_index("area").loc[area]
        text = f"截至{date_text(self.as_of)}，{area}有{row['units']}个村（社区）"
        if len(area) <= CITY:
            return f"{text}，异常线索{row['flagged']}条，须核查后再作判断。"
        colours = "、".join(f"{level.label}{row[level.value]}个" for level in Level if row[level.value])
        return f"{text}：{colours}；待核实{row['to_verify']}个。"


def run_partitions(
    root: Path, out: Path, parameters: ParameterSet, *, as_of: dt.date, spark: SparkSession | None = None
) -> PartitionRun:
    """Score every county of a partitioned folder and run the anomaly checks city by city.

    Parameters
    ----------
    root
        Folder of counties (:mod:`huanjie_lib.partitions.layout`); workers of a cluster must see it.
    out
        New or empty folder, which gets ``county=…/index.parquet`` (and points_lost, gates, history) and
        ``restricted/city=…/signals.parquet``.
    parameters, as_of
        As for a run.
    spark
        Session of a cluster; without, this process takes one county after the other.

    Raises
    ------
    UsageError
        If ``out`` is not empty.
    DataError
        If the folder is not laid out by county, or a table in it cannot be used.
    """
    if out.exists() and any(out.iterdir()):
        fault = Fault("输出文件夹", str(out), "空文件夹或新文件夹", "换一个文件夹")
        raise UsageError("文件夹不是空的", [fault])
    counties: dict[str, list[str]] = {}
    for folder in partitions(root):
        counties.setdefault(_code(folder)[:CITY], []).append(str(folder))
    spread = _in_turn if spark is None else partial(_on_cluster, spark)
    asked: dict[str, Any] = {"out": str(out), "parameters": parameters, "as_of": as_of}
    cities = list(counties)
    rows = [
        {"area": city, **found}
        for city, found in zip(cities, spread(partial(_city, groups=counties, **asked), cities), strict=True)
    ]
    surveys = {city: survey(map(Path, folders)) for city, folders in counties.items()}
    every = [folder for folders in counties.values() for folder in folders]
    task = partial(_county, surveys=surveys, **asked)
    rows += [
        {"area": _code(Path(folder)), **found}
        for folder, found in zip(every, spread(task, every), strict=True)
    ]
    counts = pd.DataFrame(rows, columns=["area", *_COUNTED]).fillna(0)
    counts = counts.astype(dict.fromkeys(_COUNTED, "int64")).sort_values("area", ignore_index=True)
    return PartitionRun(counts, as_of, parameters.version)


def _code(folder: Path) -> str:
    return re.sub(r"^county=", "", folder.name)


def _county(
    folder: str, *, surveys: Any, out: str, parameters: ParameterSet, as_of: dt.date
) -> dict[str, int]:
    county = _code(Path(folder))
    scores = score_county(read_partition(Path(folder)), surveys[county[:CITY]], parameters, as_of=as_of)
    target = Path(out) / f"county={county}"
    for name in ("index", "points_lost", "gates", "history"):
        _put(getattr(scores, name), target / f"{name}.parquet")
    levels = scores.index["level"].value_counts()
    return {
        "units": len(scores.index),
        **{level.value: int(levels.get(level.value, 0)) for level in Level},
        "to_verify": int(scores.index["to_verify"].sum()),
    }


def _city(city: str, *, groups: Any, out: str, parameters: ParameterSet, as_of: dt.date) -> dict[str, int]:
    signals = signals_of_city(map(Path, groups[city]), parameters, as_of=as_of)
    _put(signals.table, Path(out) / "restricted" / f"city={city}" / "signals.parquet")
    flagged = signals.table["status"] == SignalStatus.FLAGGED.value
    return {"units": signals.table["unit_code"].nunique(), "flagged": int(flagged.sum())}


def _put(frame: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all: a task that a cluster runs twice writes the same bytes twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path.with_suffix(".part"), index=False, compression="zstd")
    path.with_suffix(".part").replace(path)


def _in_turn(task: Task, names: Sequence[str]) -> Iterator[dict[str, int]]:
    return map(task, names)


def _on_cluster(spark: SparkSession, task: Task, names: Sequence[str]) -> list[dict[str, int]]:
    """Run a task for each name on the workers; only the counts come back here."""
    keys = list(_COUNTED)

    def work(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for place, name in zip(batch["place"], batch["name"], strict=True):
                yield pd.DataFrame([{"place": place, **dict.fromkeys(keys, 0), **task(name)}])

    schema = ", ".join(f"{name} long" for name in ("place", *keys))
    asked = spark.createDataFrame(list(enumerate(names)), "place long, name string")
    found = asked.repartition(len(names), "place").mapInPandas(work, schema).collect()
    return [{key: row[key] for key in keys} for row in sorted(found, key=lambda row: row["place"])]
