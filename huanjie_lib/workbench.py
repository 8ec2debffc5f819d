"""The doors an analyst uses from a notebook, and the command line from a shell.

:func:`open_data` reads a data folder, :func:`assess` turns it into a run in memory, and
:func:`write_assessment` does both and writes the run folder.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huanjie_lib import __version__
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.store.run_folder import Run, write_run

if TYPE_CHECKING:
    from huanjie_lib.intake import Intake

__all__ = ["Assessment", "assess", "open_data", "write_assessment"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Assessment:
    """What :func:`write_assessment` read, computed and wrote."""

    intake: Intake
    result: RiskResult
    manifest: dict[str, Any]


def open_data(
    data: str | Path, parameters: ParameterSet | None = None, *, progress: Progress | None = None
) -> Intake:
    """Read a data folder: tables and township returns, with report and quarantine.

    Parameters
    ----------
    data
        Folder with ``tables/`` and ``returns/``, as described in ``docs/returns_format.md``.
    parameters
        Parameters whose metrics the facts must fit; the default pack when omitted.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    DataError
        If the folder holds no usable data.
    """
    from huanjie_lib.intake import read_folder  # reading maps costs a second that a screen need not pay

    return read_folder(Path(data), parameters or load_parameters(), progress=progress)


def assess(
    intake: Intake,
    *,
    as_of: str | dt.date,
    parameters: ParameterSet | None = None,
    progress: Progress | None = None,
) -> Run:
    """Compute a run from data already read, without writing anything.

    Parameters
    ----------
    intake
        Result of :func:`open_data`.
    as_of
        Date the run describes, as a date or ``YYYY-MM-DD``.
    parameters
        The default pack when omitted.

    Returns
    -------
    Run
        A run without a folder: views and charts take it as they take one that was read back.
    """
    date = dt.date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    result = run_risk(intake.tables, parameters or load_parameters(), as_of=date, progress=progress)
    return _as_run(result)


def _as_run(result: RiskResult) -> Run:
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
        uncertainty=result.uncertainty,
        manifest={},
    )


def write_assessment(
    data: Path, out: Path, *, as_of: dt.date, parameters: ParameterSet, progress: Progress | None = None
) -> Assessment:
    """Read a data folder, compute the run and write its folder, with the intake report beside it.

    Raises
    ------
    DataError
        If the data cannot be used.
    UsageError
        If ``out`` lies in the data folder or is a file.
    """
    from huanjie_lib.intake import IssueLevel, write_report

    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        raise UsageError(
            "结果不能写在数据文件夹里",
            [Fault("评估文件夹", str(out), "数据文件夹以外的文件夹", "换一个文件夹")],
        )
    if out.is_file():
        raise UsageError("结果不能写成文件", [Fault("评估文件夹", str(out), "一个文件夹", "换一个文件夹")])
    intake = open_data(data, parameters, progress=progress)
    result = run_risk(intake.tables, parameters, as_of=as_of, progress=progress)
    if progress is not None:
        progress("写出评估文件夹", 0, 1)
    write_report(intake, out / "intake")
    manifest = write_run(
        _as_run(result),
        out,
        boundaries=_boundaries(intake, result),
        inputs=intake.digests(),
        code_version=__version__,
        intake=intake.totals() | {f"{level.value}s": intake.number(level) for level in IssueLevel},
    )
    if progress is not None:
        progress("写出评估文件夹", 1, 1)
    return Assessment(intake=intake, result=result, manifest=manifest)


def _boundaries(intake: Intake, result: RiskResult) -> Any:
    if intake.boundaries is None:
        return None
    frame = intake.boundaries
    return frame[frame["unit_code"].isin(result.units["unit_code"])][["unit_code", "geometry"]]
