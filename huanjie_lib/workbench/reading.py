"""Data folders as a notebook opens them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.pipeline import Progress
from huanjie_lib.store.run_folder import Run

if TYPE_CHECKING:
    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.intake import Intake

__all__ = ["open_data", "open_data_of"]


def open_data(
    data: str | Path,
    parameters: ParameterSet | None = None,
    *,
    keys: KeyRing | None = None,
    progress: Progress | None = None,
) -> Intake:
    """Read a data folder: tables and township returns, with report and quarantine.

    Parameters
    ----------
    data
        Folder with ``tables/`` and ``returns/``, as described in ``docs/returns_format.md``.
    parameters
        Parameters whose metrics the facts must fit; the default pack when omitted.
    keys
        Keys of the organisation's office, under which people on register forms are loaded; without them forms
        are checked only.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    DataError
        If the folder holds no usable data.
    """
    from huanjie_lib.intake import read_folder  # reading maps costs a second that a screen need not pay

    return read_folder(Path(data), parameters or load_parameters(), keys=keys, progress=progress)


def open_data_of(run: Run, data: str | Path) -> Intake:
    """Read the data folder that a run was made from, as :func:`open_data` does with the run's parameters.

    Raises
    ------
    DataError
        If a file is another than the run has read, missing or new.
    """
    intake = open_data(data, run.parameters)
    then, now = (
        {file["path"]: file["sha256"] for file in d} for d in (run.manifest["inputs"], intake.digests())
    )
    if then != now:
        other = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
        found = f"{len(other)} 个文件不同，如 {other[0]}"
        fault = Fault(
            str(data), found, f"截至{run.as_of}的评估所用的数据", "换一个数据文件夹，或重新运行 huanjie run"
        )
        raise DataError("数据和评估不是同一批", [fault])
    return intake
