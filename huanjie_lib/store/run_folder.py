"""The folder of one run: what ``huanjie run`` writes and screens and files read.

Layout (all tables Parquet, all text UTF-8, no clock time anywhere, so that equal inputs give equal bytes):

``index``
    unit_code, as_of, index, index_low, index_high, level, to_verify; one row per unit.
``points_lost``
    unit_code, dimension, indicator, points; for each unit they add up to 100 − index.
``gates``
    unit_code, gate, status, reason, rule.
``indicators``
    unit_code, indicator, value, status, severity, severity_low, severity_high, points, reason, data_date,
    source_table, source_file, source_sheet, source_row.
``history``
    the columns of ``index`` and the points lost of each dimension (column = dimension id), one row per unit
    and snapshot up to the as-of date.
``freshness``
    source, label, latest_on, age_days, units_covered, units_total.
``units``
    unit_code, unit_name, unit_kind, township_code, township_name, county_code, county_name, urban_rural,
    voter_mode, longitude, latitude.
``uncertainty``
    unit_code, p_red, p_yellow, p_green, index_mean, index_sd, rank_low, rank_high, most_likely, contested,
    missing (:class:`huanjie_lib.risk.uncertainty.Uncertainty`), under the pack's declared uncertainty or,
    where it declares none, the defaults.
``trends``, ``flips``, ``changes``, ``clusters``, ``remedies``, ``remedy_steps``
    unit_code and the columns of :data:`huanjie_lib.findings.COLUMNS`: slopes over the snapshots, changes of
    colour since the snapshot before, movements since an earlier run by cause, neighbouring trouble, the
    cheapest way to the next colour and its steps. Empty are ``changes`` without an earlier run, ``clusters``
    without neighbours, the remedies without measures.
``readings``
    unit_code, topic, text: what the findings say, in sentences.
``sources`` (read by unit, :meth:`Run.sources`)
    unit_code, indicator, source_table, columns, source_file, source_sheet, source_row, letters, headings:
    every row that an indicator was computed from, and in which of its cells. A folder may be without it.
``ledgers/``
    the tables of :data:`huanjie_lib.ledgers.LEDGER_TABLES`: alerts, what can be put right, amendments of
    closed cases and what they regained, the audit and the conflict ledger.
``restricted/``
    the ledgers by person or of talks (:data:`huanjie_lib.ledgers.RESTRICTED_LEDGERS`), and ``signals``: leads
    of the anomaly checks (:class:`huanjie_lib.risk.signals.Signals`); no screen of leaders reads them.
``boundaries``
    unit_code, geometry (GeoParquet, EPSG:4490).
``parameters.json``, ``manifest.json``
    the resolved parameters and the digests of inputs and outputs; ``intake/`` holds report and quarantine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from huanjie_lib.contracts import LEDGER_TABLES, RESTRICTED_LEDGERS
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.parameters import ParameterSet
from huanjie_lib.store.manifest import (
    MANIFEST,
    PARAMETERS,
    about_run,
    file_digest,
    read_whole,
    write_manifest,
    write_parameters,
    write_tables,
)

if TYPE_CHECKING:
    import geopandas as gpd

    from huanjie_lib.ledgers import Casework

__all__ = [
    "MANIFEST_FORMAT",
    "RUN_TABLES",
    "SOURCES",
    "SOURCE_COLUMNS",
    "Run",
    "read_ledgers",
    "read_manifest",
    "read_run",
    "read_signals",
    "write_run",
]

MANIFEST_FORMAT = "huanjie-run/3"
RUN_TABLES: tuple[str, ...] = (
    "index",
    "points_lost",
    "gates",
    "indicators",
    "history",
    "freshness",
    "units",
    "uncertainty",
    "trends",
    "flips",
    "changes",
    "clusters",
    "remedies",
    "remedy_steps",
    "readings",
)
OPEN_LEDGERS, RESTRICTED = Path("ledgers"), Path("restricted")
SIGNALS = RESTRICTED / "signals.parquet"
SOURCES = "sources.parquet"
SOURCE_COLUMNS: tuple[str, ...] = (
    *("unit_code", "indicator", "source_table", "columns"),
    *("source_file", "source_sheet", "source_row", "letters", "headings"),
)
_SOURCE_GROUP = 20_000  # rows of a group of the file: one unit is found without reading the others


@dataclass(frozen=True)
class Run:
    """One run, read back or about to be written.

    Parameters
    ----------
    as_of
        Date the run describes.
    parameters
        Resolved parameters.
    index, points_lost, gates, indicators, history, freshness, units, uncertainty, trends, flips, changes, \
    clusters, remedies, remedy_steps, readings
        Tables of the module description.
    manifest
        Digests of inputs and outputs, versions and counts; empty before the run is written.
    path
        Folder the run was read from.
    """

    as_of: dt.date
    parameters: ParameterSet
    index: pd.DataFrame
    points_lost: pd.DataFrame
    gates: pd.DataFrame
    indicators: pd.DataFrame
    history: pd.DataFrame
    freshness: pd.DataFrame
    units: pd.DataFrame
    uncertainty: pd.DataFrame
    trends: pd.DataFrame
    flips: pd.DataFrame
    changes: pd.DataFrame
    clusters: pd.DataFrame
    remedies: pd.DataFrame
    remedy_steps: pd.DataFrame
    readings: pd.DataFrame
    manifest: Mapping[str, Any]
    path: Path | None = None

    def __repr__(self) -> str:
        """Return number of units, as-of date and parameter version."""
        return f"Run(units={len(self.index)}, as_of={self.as_of}, parameters={self.parameters.version!r})"

    def boundaries(self) -> gpd.GeoDataFrame:
        """Read the boundaries (unit_code, geometry in EPSG:4490), in the order of ``units``.

        Units without a polygon are there with a missing geometry.

        Raises
        ------
        DataError
            If the run was not read from a folder that holds boundaries.
        """
        import geopandas as gpd  # a screen without a map need not pay for it

        if self.path is None or not (self.path / "boundaries.parquet").exists():
            raise DataError(
                "没有边界数据",
                [
                    Fault(
                        str(self.path),
                        "缺少 boundaries.parquet",
                        "由 huanjie run 写出的评估文件夹",
                        "重新运行 huanjie run",
                    )
                ],
            )
        frame = gpd.read_parquet(self.path / "boundaries.parquet")
        return (
            self.units[["unit_code"]]
            .merge(frame, on="unit_code", how="left")
            .pipe(gpd.GeoDataFrame, geometry="geometry", crs=frame.crs)
        )

    def sources(self, unit_code: str | None = None) -> pd.DataFrame:
        """Read the rows and cells that the indicators of a unit, or of all, were computed from.

        Returns
        -------
        pandas.DataFrame
            The columns of :data:`SOURCE_COLUMNS`; no row where the folder holds none, as one for leaders.
        """
        path = None if self.path is None else self.path / SOURCES
        if path is None or not path.exists():
            return pd.DataFrame(columns=list(SOURCE_COLUMNS))
        filters = None if unit_code is None else [("unit_code", "==", unit_code)]
        return pd.read_parquet(path, filters=filters)

    def shapes(self) -> NDArray[np.object_]:
        """Read what a map draws of each unit, in the order of ``units``, without loading geopandas.

        A kernel per viewer holds only this: geopandas would cost each of them its time and memory.

        Returns
        -------
        numpy.ndarray
            Shapely geometries in EPSG:4490: the boundary; where there is none, the point of longitude and
            latitude; ``None`` where that is missing too.
        """
        import shapely

        spots = self.units[["longitude", "latitude"]].to_numpy(dtype=np.float64)
        known = np.isfinite(spots).all(axis=1)
        shapes = np.full(len(spots), None, dtype=object)
        shapes[known] = shapely.points(spots[known])
        if self.path is not None and (self.path / "boundaries.parquet").exists():
            frame = pd.read_parquet(self.path / "boundaries.parquet", columns=["unit_code", "geometry"])
            drawn = shapely.from_wkb(frame["geometry"].to_numpy(dtype=object))
            solid = ~(shapely.is_missing(drawn) | shapely.is_empty(drawn))
            place = pd.Index(self.units["unit_code"]).get_indexer(pd.Index(frame["unit_code"]))
            shapes[place[solid & (place >= 0)]] = drawn[solid & (place >= 0)]
        return shapes


def write_run(
    run: Run,
    out: Path,
    *,
    boundaries: gpd.GeoDataFrame | None,
    signals: pd.DataFrame | None,
    ledgers: Mapping[str, pd.DataFrame] | None = None,
    casework: Casework | None = None,
    sources: pd.DataFrame | None = None,
    inputs: list[dict[str, Any]],
    code_version: str,
    intake: Mapping[str, Any],
    previous: Run | None = None,
    snapshot: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a run folder and return its manifest.

    Parameters
    ----------
    run
        The run to write; its manifest is ignored.
    out
        Folder to write into; files of an earlier run in it are replaced.
    boundaries
        unit_code and geometry in EPSG:4490, or ``None`` where there are none.
    signals
        Leads of the anomaly checks, or ``None`` where there are none; kept apart from the other tables.
    ledgers
        Every table of alerts and ledgers of the run by name, or ``None`` where there are none.
    casework
        State of the ledger of cases whose amendments the run took, named in the manifest.
    sources
        Rows and cells that indicators were computed from, or ``None`` to leave them out.
    inputs
        One entry per input file: path relative to the data folder, sha256, bytes.
    code_version
        Version of the package.
    intake
        Counts of the intake report.
    previous
        Earlier run that ``changes`` starts from, named in the manifest.
    snapshot
        What :mod:`huanjie_lib.store.snapshot` tells of a part of a run that was cut out for a role.

    Returns
    -------
    dict
        The manifest as written.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    outputs = write_tables(out, {Path(f"{name}.parquet"): getattr(run, name) for name in RUN_TABLES})
    geometry = out / "boundaries.parquet"
    geometry.unlink(missing_ok=True)
    if boundaries is not None:
        boundaries.sort_values("unit_code").to_parquet(geometry, index=False, compression="zstd")
        outputs[geometry.name] = {"rows": len(boundaries), "sha256": file_digest(geometry)}
    (out / SOURCES).unlink(missing_ok=True)
    if sources is not None:
        ordered = sources.sort_values("unit_code", kind="stable")[list(SOURCE_COLUMNS)]
        ordered.to_parquet(out / SOURCES, index=False, compression="zstd", row_group_size=_SOURCE_GROUP)
        outputs[SOURCES] = {"rows": len(sources), "sha256": file_digest(out / SOURCES)}
    outputs |= _write_apart(out, signals, ledgers)
    outputs |= write_parameters(out, run.parameters)
    levels = run.index["level"].value_counts()
    manifest = {
        "format": MANIFEST_FORMAT,
        **about_run(run.parameters, as_of=run.as_of, code_version=code_version),
        "inputs": inputs,
        "previous": None
        if previous is None or previous.path is None
        else {
            "as_of": previous.as_of.isoformat(),
            "manifest_sha256": file_digest(previous.path / MANIFEST),
        },
        "casework": None
        if casework is None
        else {
            "sequence": casework.sequence,
            "head": casework.head,
            "amendments": 0 if ledgers is None else len(ledgers["amendments"]),
            "unplaced": 0 if ledgers is None else len(ledgers["unplaced"]),
        },
        "intake": dict(intake),
        "counts": {
            "units": len(run.index),
            "to_verify": int(run.index["to_verify"].sum()),
            "contested": int(run.uncertainty["contested"].sum()),
            **{str(level): int(count) for level, count in sorted(levels.items())},
        },
        "outputs": outputs,
        **({} if snapshot is None else {"snapshot": dict(snapshot)}),
    }
    write_manifest(out, manifest)
    return manifest


def _write_apart(
    out: Path, signals: pd.DataFrame | None, ledgers: Mapping[str, pd.DataFrame] | None
) -> dict[str, dict[str, Any]]:
    """Write the tables that have folders of their own, in place of those of an earlier run."""
    frames = {} if signals is None else {SIGNALS: signals}
    for name, frame in (ledgers or {}).items():
        frames[(RESTRICTED if name in RESTRICTED_LEDGERS else OPEN_LEDGERS) / f"{name}.parquet"] = frame
    for folder in (OPEN_LEDGERS, RESTRICTED):
        for left in (out / folder).glob("*.parquet"):
            left.unlink()
    return write_tables(out, frames)


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of a run folder, after checking that the folder is complete; no table is read.

    Raises
    ------
    DataError
        If the folder does not hold a complete run of this format.
    """
    return read_whole(
        path,
        RUN_TABLES,
        kind="评估文件夹",
        form=MANIFEST_FORMAT,
        command="huanjie run",
        remedy="先运行 huanjie run，或检查 --run 后面的路径",
    )


def run_of_date(path: Path, as_of: dt.date | None) -> Path:
    """Return the folder of the run of a date: the folder itself, or the one in it that is of this date.

    Parameters
    ----------
    path
        Folder of a run, or one that holds folders of runs.
    as_of
        Date of the run; may be omitted where ``path`` is itself a run.

    Raises
    ------
    DataError
        If the folder is no run and holds none.
    UsageError
        If no run is of this date, or more than one, or no date says which.
    """
    if (path / MANIFEST).exists():
        found = {path: dt.date.fromisoformat(read_manifest(path)["as_of"])}
    else:
        found = dict(_runs_in(path))
        if not found:
            read_manifest(path)  # says what to do
    mine = [folder for folder, day in found.items() if as_of in (None, day)]
    if len(mine) == 1:
        return mine[0]
    told = "、".join(f"{folder.name}（{day.isoformat()}）" for folder, day in sorted(found.items()))
    if as_of is None:
        raise UsageError("没有说明用哪一次评估", [Fault("--as-of", "没有给出", told, "补充 --as-of")])
    wanted = as_of.isoformat()
    if mine:
        names = "、".join(sorted(folder.name for folder in mine))
        fault = Fault("--run", f"截至{wanted}的有{len(mine)}次：{names}", "一次", "把 --run 指到其中一次")
    else:
        fault = Fault("--as-of", wanted, told, "改为其中的日期，或先运行 huanjie run")
    raise UsageError("没有这个日期的评估" if not mine else "同一日期有多次评估", [fault])


def _runs_in(path: Path) -> Iterator[tuple[Path, dt.date]]:
    """Yield the folders of runs in a folder, with their dates."""
    for manifest in sorted(path.glob(f"*/{MANIFEST}")):
        try:
            yield manifest.parent, dt.date.fromisoformat(read_manifest(manifest.parent)["as_of"])
        except DataError:  # something else that has a manifest, such as an export
            continue


def read_signals(path: Path) -> pd.DataFrame:
    """Read the leads of the anomaly checks of a run folder, for roles that may see them.

    Raises
    ------
    DataError
        If the run was written without them.
    """
    if not (path / SIGNALS).exists():
        found = f"缺少 {SIGNALS.as_posix()}"
        fault = Fault(str(path), found, "含线索表的评估文件夹", "重新运行 huanjie run，或向有权限的人员索取")
        raise DataError("没有线索数据", [fault])
    return pd.read_parquet(path / SIGNALS)


def read_ledgers(path: Path, *, restricted: bool = False) -> dict[str, pd.DataFrame]:
    """Read alerts and ledgers of a run folder.

    Parameters
    ----------
    path
        The run folder.
    restricted
        Whether to read the ledgers by person and of talks too, for roles that may see them; ``alerts`` then
        holds those from leads as well.

    Raises
    ------
    DataError
        If the run was written without them.
    """
    names = {name: OPEN_LEDGERS / f"{name}.parquet" for name in LEDGER_TABLES}
    if restricted:
        names |= {name: RESTRICTED / f"{name}.parquet" for name in RESTRICTED_LEDGERS}
    remedy = "重新运行 huanjie run，或向有权限的人员索取"
    faults = [
        Fault(str(path), f"缺少 {place.as_posix()}", "含台账的评估文件夹", remedy)
        for place in names.values()
        if not (path / place).exists()
    ]
    if faults:
        raise DataError("没有台账数据", faults)
    frames = {name: pd.read_parquet(path / place) for name, place in names.items()}
    if restricted:
        everything = pd.concat([frames["alerts"], frames["restricted_alerts"]], ignore_index=True)
        frames["alerts"] = everything.sort_values("unit_code", kind="stable", ignore_index=True)
    return frames


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises
    ------
    DataError
        If the folder does not hold a complete run of this format.
    """
    manifest = read_manifest(path)
    frames = {name: pd.read_parquet(path / f"{name}.parquet") for name in RUN_TABLES}
    return Run(
        as_of=dt.date.fromisoformat(manifest["as_of"]),
        parameters=ParameterSet.from_json((path / PARAMETERS).read_text(encoding="utf-8")),
        manifest=manifest,
        path=path,
        **frames,
    )
