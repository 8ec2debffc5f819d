"""Scores, signals and shortlists of all counties of a folder, one after the other or on a Spark cluster.

What a city has to say to its counties is found first, city by city; then a task takes a county, or several
small ones of a city. Each county's tables lie in the folder of its code, with a manifest; a task answers with
counts.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow.parquet as pq

from huanjie_lib import __version__
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.listing import talent_pack
from huanjie_lib.outputs import require_new_folder
from huanjie_lib.parameters import ParameterSet
from huanjie_lib.partitions.layout import partitions, read_partition, read_together, table_files
from huanjie_lib.partitions.scoring import (
    SCORE_TABLES,
    SIGNAL_TABLES,
    Survey,
    score_county,
    signals_of_city,
    survey,
)
from huanjie_lib.partitions.shortlists import (
    PEOPLE_TABLES,
    POST_TABLES,
    RATINGS,
    list_county,
    looks_everywhere,
    read_posts,
    trials_of_city,
)
from huanjie_lib.partitions.spread import Counts, put, spread
from huanjie_lib.store.manifest import MANIFEST, about_run, write_parameters
from huanjie_lib.vocabulary import ADVICE, Level, SignalStatus, date_text

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["PartitionRun", "ShortlistRun", "run_partitions", "run_shortlists"]

CITY: Final = 4
"""Leading digits of a county code that tell the city."""
AT_ONCE: Final = 2_000
"""Units that are scored at once."""
_TABLES: Final = ("index", "points_lost", "gates", "history", "losses")
_SCORED: Final = ("units", *(level.value for level in Level), "to_verify", "flagged")
_LISTED: Final = ("people", "posts", "listed", "lacking", "rated")

Cities = Mapping[str, Sequence[str]]


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
        counties = _counties(self.counts)
        return (
            f"PartitionRun(counties={len(counties)}, units={int(counties['units'].sum())}, "
            f"as_of={self.as_of}, parameters={self.version!r})"
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

    def summary(self) -> str:
        """Return in Chinese what was found altogether."""
        counties, flagged = _counties(self.counts), int(self.counts["flagged"].sum())
        total = counties.drop(columns="area").sum()
        colours = "、".join(f"{level.label}{total[level.value]}个" for level in Level)
        return (
            f"截至{date_text(self.as_of)}，{len(counties)}个县区、{total['units']}个村（社区）：{colours}；"
            f"待核实{total['to_verify']}个；异常线索{flagged}条，须核查后再作判断。"
        )


@dataclass(frozen=True)
class ShortlistRun:
    """What listing people over partitions found, in numbers; the tables lie in its folder by county and city.

    Parameters
    ----------
    counts
        One row per county or city: ``area``, people who may be looked at there (somebody at home in no unit
        in every county), posts, places listed, posts that lack people, and people rated in quasi-post
        assessment (of cities).
    as_of
        The date.
    version
        Version of the parameters.
    """

    counts: pd.DataFrame
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return counties, posts, how many of them lack people, the date and the parameter version."""
        counties = _counties(self.counts)
        posts, lacking = int(counties["posts"].sum()), int(counties["lacking"].sum())
        return (
            f"ShortlistRun(counties={len(counties)}, posts={posts}, lacking={lacking}, "
            f"as_of={self.as_of}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the counts."""
        return self.counts.copy()

    def explain(self, area: str) -> str:
        """Return in Chinese how many posts of a county lack people, or how many people of a city were rated.

        Raises
        ------
        KeyError
            If there is no such county or city.
        """
        row = self.counts.set_index("area").loc[area]
        text = f"截至{date_text(self.as_of)}，{area}"
        if len(area) <= CITY:
            return f"{text}准岗考察评过{row['rated']}人。"
        return (
            f"{text}有{row['posts']}个岗位，可以考虑的有{row['people']}人（含不属于任何村（社区）的）；"
            f"{row['lacking']}个岗位缺人选。{ADVICE}。"
        )

    def summary(self) -> str:
        """Return in Chinese what was found altogether."""
        counties = _counties(self.counts)
        posts, lacking = int(counties["posts"].sum()), int(counties["lacking"].sum())
        return (
            f"截至{date_text(self.as_of)}，{len(counties)}个县区、{posts}个岗位，其中{lacking}个缺人选。"
            f"{ADVICE}。"
        )


def run_partitions(
    root: Path, out: Path, parameters: ParameterSet, *, as_of: dt.date, spark: SparkSession | None = None
) -> PartitionRun:
    """Score every county of a partitioned folder and run the anomaly checks city by city.

    Parameters
    ----------
    root
        Folder of counties (:mod:`huanjie_lib.partitions.layout`); workers of a cluster must see it.
    out
        New or empty folder, which gets ``county=…/index.parquet`` (and points_lost, gates, history, losses),
        ``restricted/city=…/signals.parquet`` and ``parameters.json``.
    parameters, as_of
        As for a run.
    spark
        Session of a cluster (:func:`huanjie_lib.partitions.spread.open_cluster`); without, this process takes
        one county after the other.

    Raises
    ------
    UsageError
        If ``out`` is not empty.
    DataError
        If the folder is not laid out by county, or a table in it cannot be used.
    """
    cities = _cities(root)
    asked = _begin(out, parameters, as_of)
    counts = spread(partial(_signals, cities=cities, asked=asked), list(cities), spark)
    surveys = {city: survey(map(Path, folders)) for city, folders in cities.items()}
    shares = _shares(cities)
    task = partial(_scores, shares=shares, surveys=surveys, asked=asked)
    counts |= spread(task, list(shares), spark)
    return PartitionRun(_frame(counts, _SCORED), as_of, parameters.version)


def run_shortlists(
    root: Path,
    out: Path,
    parameters: ParameterSet,
    *,
    as_of: dt.date,
    scores: Path | None = None,
    seed: int,
    spark: SparkSession | None = None,
) -> ShortlistRun:
    """List people for the posts of every county of a partitioned folder.

    Parameters
    ----------
    root
        Folder of counties; workers of a cluster must see it.
    out
        New or empty folder for the organisation office alone, which gets ``county=…/shortlists.parquet`` (and
        the other tables of :meth:`huanjie_lib.partitions.shortlists.CountyLists.frames`),
        ``city=…/trials.parquet``, raters and races, and ``parameters.json``.
    parameters
        With a talent pack, and rules in force on the date.
    as_of
        Date the lists describe.
    scores
        Folder that :func:`run_partitions` wrote for the same date, whose losses tilt what posts ask for;
        without it they ask for what their profile says.
    seed
        Seed of the draws behind P(in top k); lists equal those of a city's run with the same seed.
    spark
        Session of a cluster; without, this process takes one county after the other.

    Raises
    ------
    UsageError
        If ``out`` is not empty, or the scores are of another date.
    DataError
        If the parameters have no talent pack, the folder is not laid out by county, the scores lack a county,
        or a table cannot be used.
    """
    talent_pack(parameters)
    cities = _cities(root)
    if scores is not None:
        scores = scores.absolute()
        _check_scores(scores, _every(cities), as_of)
    asked = _begin(out, parameters, as_of)
    counts = spread(partial(_ratings, cities=cities, asked=asked), list(cities), spark)
    surveys = {city: survey(map(Path, folders)) for city, folders in cities.items()}
    task = partial(_lists, cities=cities, surveys=surveys, asked=asked, scores=scores, seed=seed)
    counts |= spread(task, _every(cities), spark)
    return ShortlistRun(_frame(counts, _LISTED), as_of, parameters.version)


# ---------------------------------------------------------------- what is asked of whom


@dataclass(frozen=True)
class _Asked:
    """What a run is about, as a task takes it along."""

    out: Path
    parameters: ParameterSet
    as_of: dt.date

    def about(self, **more: Any) -> dict[str, Any]:
        """Return what every manifest of the run says."""
        return about_run(self.parameters, as_of=self.as_of, code_version=__version__) | more


def _begin(out: Path, parameters: ParameterSet, as_of: dt.date) -> _Asked:
    require_new_folder(out, refused="没有计算")
    out.mkdir(parents=True, exist_ok=True)
    write_parameters(out, parameters)
    return _Asked(out.absolute(), parameters, as_of)


def _cities(root: Path) -> dict[str, list[str]]:
    """Return the counties' folders by city, as workers elsewhere find them."""
    found: dict[str, list[str]] = {}
    for folder in partitions(root.absolute()):
        found.setdefault(_code(str(folder))[:CITY], []).append(str(folder))
    return found


def _every(cities: Cities) -> list[str]:
    return [folder for folders in cities.values() for folder in folders]


def _code(name: str) -> str:
    """Return the code of a county's folder, or of a city."""
    return re.sub(r"^county=", "", Path(name).name)


def _check_scores(scores: Path, counties: Sequence[str], as_of: dt.date) -> None:
    """Refuse scores of another date, or that lack a county."""
    manifests = [scores / Path(folder).name / MANIFEST for folder in counties]
    lacking = [path for path in manifests if not path.exists()]
    if lacking:
        wanted, remedy = "huanjie partition run 写出的县区", "先完成这些县区的评估"
        raise DataError(
            "评估结果不完整", [Fault(str(path.parent), "没有评估结果", wanted, remedy) for path in lacking]
        )
    others = {str(json.loads(path.read_bytes())["as_of"]) for path in manifests} - {as_of.isoformat()}
    if others:
        found, remedy = f"截至{'、'.join(sorted(others))}", "换同一截至日期的评估文件夹"
        fault = Fault(str(scores), found, f"截至{as_of}的评估", remedy)
        raise UsageError("选情评估与匹配的日期不同", [fault])


def _shares(cities: Cities) -> dict[str, list[str]]:
    """Return counties that are scored together: of one city, and no more units than :data:`AT_ONCE`, or one.

    Most of what scoring costs is the same for a hamlet and a city, date by date; units that are scored
    together share it.
    """
    shares: dict[str, list[str]] = {}
    for city, folders in cities.items():
        held, part = AT_ONCE, 0
        for folder in folders:
            units = sum(pq.read_metadata(path).num_rows for path in table_files(Path(folder), "units"))
            if held + units > AT_ONCE:
                held, part = 0, part + 1
            held += units
            shares.setdefault(f"{city}-{part}", []).append(folder)
    return shares


def _frame(counts: Counts, names: Sequence[str]) -> pd.DataFrame:
    rows = [{"area": area, **found} for area, found in sorted(counts.items())]
    return pd.DataFrame(rows, columns=["area", *names]).fillna(0).astype(dict.fromkeys(names, "int64"))


def _counties(counts: pd.DataFrame) -> pd.DataFrame:
    return counts[counts["area"].str.len() > CITY]


# ---------------------------------------------------------------- tasks: read, compute, write, count


def _signals(city: str, *, cities: Cities, asked: _Asked) -> Counts:
    folders = [Path(folder) for folder in cities[city]]
    signals = signals_of_city(folders, asked.parameters, as_of=asked.as_of).table
    target = asked.out / "restricted" / f"city={city}"
    put({"signals": signals}, target, _files(folders, SIGNAL_TABLES), asked.about())
    flagged = signals["status"] == SignalStatus.FLAGGED.value
    return {city: {"units": signals["unit_code"].nunique(), "flagged": int(flagged.sum())}}


def _scores(share: str, *, shares: Cities, surveys: Mapping[str, Survey], asked: _Asked) -> Counts:
    folders = [Path(folder) for folder in shares[share]]
    tables = read_together(folders, SCORE_TABLES)
    scores = score_county(tables, surveys[share[:CITY]], asked.parameters, as_of=asked.as_of)
    found = {}
    for folder in folders:
        own = read_partition(folder, ["units"])["units"]["unit_code"]
        frames = {name: _of(getattr(scores, name), own) for name in _TABLES}
        put(frames, asked.out / folder.name, _files([folder], SCORE_TABLES), asked.about())
        levels = frames["index"]["level"].value_counts()
        found[_code(str(folder))] = {
            "units": len(frames["index"]),
            **{level.value: int(levels.get(level.value, 0)) for level in Level},
            "to_verify": int(frames["index"]["to_verify"].sum()),
        }
    return found


def _of(frame: pd.DataFrame, codes: pd.Series[Any]) -> pd.DataFrame:
    return frame[frame["unit_code"].isin(codes)].reset_index(drop=True)


def _ratings(city: str, *, cities: Cities, asked: _Asked) -> Counts:
    folders = [Path(folder) for folder in cities[city]]
    trials = trials_of_city(folders, asked.parameters, as_of=asked.as_of)
    frames = {"trials": trials.people, "raters": trials.raters, "races": trials.races}
    put(frames, asked.out / f"city={city}", _files(folders, RATINGS), asked.about())
    return {city: {"rated": len(trials.people)}}


def _lists(
    folder: str,
    *,
    cities: Cities,
    surveys: Mapping[str, Survey],
    asked: _Asked,
    scores: Path | None,
    seed: int,
) -> Counts:
    county, code = Path(folder), _code(folder)
    city = code[:CITY]
    everywhere = looks_everywhere(talent_pack(asked.parameters))
    near = [Path(other) for other in cities[city]] if everywhere else [county]
    results = asked.out / f"city={city}" / "trials.parquet"
    read, losses = [*_files([county], POST_TABLES), *_files(near, PEOPLE_TABLES), results], None
    if scores is not None:
        read.append(scores / county.name / "losses.parquet")
        losses = pd.read_parquet(read[-1])
    found = list_county(
        read_posts(county, near),
        surveys[city],
        asked.parameters,
        as_of=asked.as_of,
        losses=losses,
        trials=pd.read_parquet(results, columns=["person_ref", "fused", "low", "high"]),
        seed=seed,
    )
    put(found.frames(), asked.out / county.name, read, asked.about(seed=seed))
    posts = found.shortlists.posts
    return {
        code: {
            "people": len(found.judged.people),
            "posts": len(posts),
            "listed": int(posts["listed"].sum()),
            "lacking": int((posts["lacking"] > 0).sum()),
        }
    }


def _files(counties: Sequence[Path], names: Sequence[str]) -> list[Path]:
    return [path for county in counties for name in names for path in table_files(county, name)]
