"""The reserve of a data folder matched to its posts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from huanjie_lib import __version__
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.outputs import require_outside
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.pipeline import Progress
from huanjie_lib.store.manifest import MANIFEST, file_digest
from huanjie_lib.store.run_folder import read_run
from huanjie_lib.workbench.reading import open_data

if TYPE_CHECKING:
    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.store.talent_folder import TalentRun

__all__ = ["MATCH_SEED", "match"]

MATCH_SEED = 20261031
"""Seed of a talent run unless another is named."""


def match(
    data: str | Path,
    out: str | Path,
    *,
    as_of: str | dt.date,
    parameters: ParameterSet | None = None,
    risk_run: str | Path | None = None,
    keys: KeyRing | None = None,
    seed: int = MATCH_SEED,
    progress: Progress | None = None,
) -> TalentRun:
    """Read a data folder, match its reserve to its posts and write the talent folder, with the intake report.

    Parameters
    ----------
    data, out
        Data folder, and talent folder to write.
    as_of
        Date the run describes, as a date or ``YYYY-MM-DD``.
    parameters
        The default pack when omitted.
    risk_run
        Run folder of the same date, whose losses tilt what posts ask for; without it they ask for what their
        profile says.
    keys
        Keys of the organisation's office; without them nobody on a register form takes part.
    seed
        Seed of draws and checks.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    DataError
        If the data cannot be used.
    UsageError
        If ``out`` lies in the data folder or is a file, or the run is of another date.
    """
    from huanjie_lib.intake import write_report
    from huanjie_lib.listing import losses_of
    from huanjie_lib.matching import run_talent  # solvers that only matching needs
    from huanjie_lib.store import talent_folder

    place, folder = Path(out), Path(data)
    date = dt.date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    require_outside(folder, place, what="人才文件夹")
    pack = parameters or load_parameters()
    losses = told = None
    if risk_run is not None:
        run = read_run(Path(risk_run))
        if run.as_of != date:
            fault = Fault("选情评估", f"截至{run.as_of}", f"截至{date}的评估", "换同一截至日期的评估文件夹")
            raise UsageError("选情评估与匹配的日期不同", [fault])
        losses = losses_of(run.indicators, run.parameters)
        digest = file_digest(Path(risk_run) / MANIFEST)
        told = {"as_of": run.as_of.isoformat(), "manifest_sha256": digest}
    intake = open_data(folder, pack, keys=keys, progress=progress)
    result = run_talent(intake.tables, pack, as_of=date, losses=losses, seed=seed, progress=progress)
    write_report(intake, place / "intake")
    talent_folder.write_talent(
        talent_folder.TalentRun(result.as_of, pack, result.frames(), {}),
        place,
        identities=intake.tables.get("identities"),
        inputs=intake.digests(),
        code_version=__version__,
        risk_run=told,
        intake=intake.account(),
        proven=result.proven(),
    )
    return talent_folder.read_talent(place)
