"""From a data folder to a run: in memory, or as a folder of its own."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from huanjie_lib import __version__, findings
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.ledgers import Casework, Ledgers
from huanjie_lib.outputs import require_outside
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.pipeline import Progress, RiskResult, run_risk
from huanjie_lib.risk.prepared import day_number, prepare
from huanjie_lib.store.run_folder import Run, read_run, write_run
from huanjie_lib.vocabulary import Topic
from huanjie_lib.workbench.reading import open_data

if TYPE_CHECKING:
    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.intake import Intake

__all__ = ["Assessment", "as_run", "assess", "compute", "open_run", "write_assessment"]


@dataclass(frozen=True)
class Assessment:
    """What :func:`write_assessment` read, computed and wrote."""

    intake: Intake
    result: RiskResult
    manifest: dict[str, Any]


def compute(
    intake: Intake,
    *,
    as_of: str | dt.date,
    parameters: ParameterSet | None = None,
    casework: Casework | None = None,
    progress: Progress | None = None,
) -> RiskResult:
    """Compute index, gates, findings, alerts and ledgers from data already read, without writing anything.

    Parameters
    ----------
    intake
        Result of :func:`open_data`.
    as_of
        Date the run describes, as a date or ``YYYY-MM-DD``.
    parameters
        The default pack when omitted.
    casework
        The ledger of cases, whose closed cases change the facts.
    progress
        Called with a Chinese label, the step reached and the number of steps.
    """
    date = dt.date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    return run_risk(
        intake.tables,
        parameters or load_parameters(),
        as_of=date,
        neighbours=_neighbours(intake, date),
        casework=casework,
        progress=progress,
    )


def assess(
    intake: Intake,
    *,
    as_of: str | dt.date,
    parameters: ParameterSet | None = None,
    casework: Casework | None = None,
    progress: Progress | None = None,
) -> Run:
    """Compute a run from data already read, as :func:`compute` does, in the form that views take.

    Returns
    -------
    Run
        A run without a folder: views and charts take it as they take one that was read back.
    """
    return as_run(compute(intake, as_of=as_of, parameters=parameters, casework=casework, progress=progress))


def as_run(result: RiskResult) -> Run:
    """Return a result in the form that views and run folders take; its ledgers stay apart."""
    found = findings.tables(result.findings)
    return Run(
        as_of=result.as_of,
        parameters=result.parameters,
        index=result.index,
        points_lost=result.points_lost,
        gates=result.gates,
        indicators=result.indicators,
        history=result.history,
        freshness=result.freshness,
        units=result.units,
        uncertainty=found["uncertainty"],
        trends=found["trends"],
        flips=found["flips"],
        changes=found["changes"],
        clusters=found["clusters"],
        remedies=found["remedies"],
        remedy_steps=found["remedy_steps"],
        readings=_with_regained(found["readings"], result.ledgers),
        manifest={},
    )


def open_run(folder: str | Path) -> Run:
    """Open the run folder that ``huanjie run`` has written.

    Raises
    ------
    DataError
        If the folder holds no complete run.
    """
    return read_run(Path(folder))


def _with_regained(readings: pd.DataFrame, ledgers: Ledgers) -> pd.DataFrame:
    """Return the sentences of a run with those on what closed cases have regained."""
    units = ledgers.to_frame().index
    told = pd.DataFrame(
        {
            "unit_code": units.astype("str"),
            "topic": Topic.REGAINED.value,
            "text": [ledgers.explain(unit) for unit in units],
        }
    ).astype(readings.dtypes.to_dict())
    whole = pd.concat([readings, told], ignore_index=True)
    return whole.sort_values("unit_code", kind="stable", ignore_index=True)


def write_assessment(
    data: Path,
    out: Path,
    *,
    as_of: dt.date,
    parameters: ParameterSet,
    previous: Path | None = None,
    casework: Casework | None = None,
    keys: KeyRing | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Read a data folder, compute the run and write its folder, with the intake report beside it.

    Parameters
    ----------
    data, out
        Data folder, and run folder to write.
    as_of, parameters
        Date and parameters of the run.
    previous
        Run folder of an earlier date; the run then accounts for what has changed since, by cause.
    casework
        The ledger of cases, whose closed cases change the facts.
    keys
        Keys of the data folder where they were changed since: facts that a case put right about a person
        under an earlier pseudonym are then found again. Nothing is opened with them.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    DataError
        If the data cannot be used.
    UsageError
        If ``out`` lies in the data folder or is a file, or ``previous`` is ``out`` or not of an earlier date.
    """
    from huanjie_lib.intake import write_report
    from huanjie_lib.intake.cells import in_cells

    require_outside(data, out, what="评估文件夹")
    earlier = None if previous is None else _earlier_run(previous, out, as_of)
    intake = open_data(data, parameters, progress=progress)
    if casework is not None and keys is not None:
        casework = _renewed(casework, keys, intake.tables)
    result = run_risk(
        intake.tables,
        parameters,
        as_of=as_of,
        neighbours=_neighbours(intake, as_of),
        published=None if earlier is None else _published(earlier),
        casework=casework,
        progress=progress,
    )
    if progress is not None:
        progress("写出评估文件夹", 0, 1)
    write_report(intake, out / "intake")
    manifest = write_run(
        as_run(result),
        out,
        boundaries=_boundaries(intake, result),
        signals=result.findings.signals.to_frame(),
        ledgers=result.ledgers.frames,
        casework=casework,
        sources=in_cells(result.sources.rows, intake.columns),
        inputs=intake.digests(),
        code_version=__version__,
        intake=intake.account(),
        previous=earlier,
    )
    if progress is not None:
        progress("写出评估文件夹", 1, 1)
    return Assessment(intake=intake, result=result, manifest=manifest)


def _renewed(casework: Casework, keys: KeyRing, tables: Mapping[str, pd.DataFrame]) -> Casework:
    """Return what a ledger brings with the pseudonyms in it that people of the tables have now."""
    from huanjie_lib.access.keys import PSEUDONYM

    naming = ("person_ref", "candidate_ref")
    named = [frame[name] for frame in tables.values() for name in naming if name in frame]
    known = {ref for refs in named for ref in refs.dropna().astype("str")}
    payloads = casework.events["payload"]
    met = {ref for text in payloads for ref in re.findall(PSEUDONYM, text)}
    now = keys.recognised(met, known)
    told = [re.sub(PSEUDONYM, lambda found: now.get(found[0], found[0]), text) for text in payloads]
    renewed = pd.Series(told, index=payloads.index, dtype="str")
    return replace(casework, events=casework.events.assign(payload=renewed))


def _earlier_run(folder: Path, out: Path, as_of: dt.date) -> Run:
    """Read the run that a change account starts from, or refuse it."""
    if folder.resolve() == out.resolve():
        fault = Fault("上次评估", str(folder), "与本次不同的文件夹", "把本次评估写到另一个文件夹")
        raise UsageError("上次评估会被本次覆盖", [fault])
    run = read_run(folder)
    if run.as_of >= as_of:
        fault = Fault("上次评估", f"截至{run.as_of}", f"早于{as_of}的评估", "换一个更早的评估文件夹")
        raise UsageError("上次评估不早于本次", [fault])
    return run


def _published(run: Run) -> findings.Published:
    """Return what a change account needs of an earlier run."""
    values = run.indicators.pivot(index="unit_code", columns="indicator", values="value")
    return findings.Published(
        as_of=run.as_of,
        parameters=run.parameters,
        values=values[[i.id for i in run.parameters.framework.indicators]],
        level=run.index.set_index("unit_code")["level"],
    )


def _neighbours(intake: Intake, as_of: dt.date) -> pd.DataFrame:
    """Return the pairs of neighbours among the units in force; none where no shape or place is known."""
    import geopandas as gpd  # reading maps costs a second that a screen need not pay

    from huanjie_lib.intake.neighbours import neighbour_pairs

    prepared = prepare({"units": intake.tables["units"]})
    units = prepared.units[prepared.in_force(day_number(as_of))].reset_index(drop=True)
    shapes = intake.boundaries
    if shapes is None:
        shapes = gpd.GeoDataFrame({"unit_code": pd.Series(dtype="str")}, geometry=[], crs=4490)
    return neighbour_pairs(units, shapes)


def _boundaries(intake: Intake, result: RiskResult) -> Any:
    if intake.boundaries is None:
        return None
    frame = intake.boundaries
    return frame[frame["unit_code"].isin(result.units["unit_code"])][["unit_code", "geometry"]]
