"""The city's reserve: units that lack people, steps of cultivation and tasks of everybody."""

from __future__ import annotations

from typing import Final

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.cultivation import StepState
from huanjie_lib.views.talent.rows import homes_of

__all__ = ["all_tasks", "plans", "quota"]

_STATE_ORDER: Final = {
    state.value: place
    for place, state in enumerate(
        (
            StepState.OVERDUE,
            StepState.UNDATED,
            StepState.RUNNING,
            StepState.PLANNED,
            StepState.WAITING,
            StepState.PROPOSED,
            StepState.DONE,
        )
    )
}


def quota(run: TalentRun) -> pd.DataFrame:
    """Return units by how many people their reserve lacks, with their names, most first."""
    frame = run.table("quota").merge(run.table("units"), on="unit_code", how="left")
    return frame.sort_values(
        ["gap", "gap_if_stale_left", "unit_code"], ascending=[False, False, True], ignore_index=True
    )


def plans(run: TalentRun) -> pd.DataFrame:
    """Return cultivation steps with the home of each person, what is late first and what is done last.

    Returns
    -------
    pandas.DataFrame
        ``cultivation`` of the run with unit_code, unit_name, township_code and township_name of the person's
        home, missing for whoever lives elsewhere.
    """
    frame = run.table("cultivation").merge(homes_of(run), on="person_ref", how="left")
    frame = frame.assign(order=frame["state"].map(_STATE_ORDER))
    frame = frame.sort_values(
        ["order", "days_late", "gain", "due_on", "person_ref"],
        ascending=[True, False, False, True, True],
        kind="stable",
    )
    return frame.drop(columns="order").reset_index(drop=True)


def all_tasks(run: TalentRun) -> pd.DataFrame:
    """Return what to verify about everybody, with the home of each person, what narrows most first.

    Returns
    -------
    pandas.DataFrame
        ``tasks`` of the run with unit_code, unit_name, township_code and township_name.
    """
    frame = run.table("tasks").merge(homes_of(run), on="person_ref", how="left")
    return frame.sort_values(
        ["gain", "person_ref", "aspect"], ascending=[False, True, True], kind="stable", ignore_index=True
    )
