"""Assessment in 考察组: its groups, their people, and how a result came about."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.assessment import Trials
from huanjie_lib.views.talent.rows import homes_of

__all__ = ["race", "races", "trial_sentence"]


def races(run: TalentRun) -> pd.DataFrame:
    """Return all 考察组 with what their people have in common.

    Returns
    -------
    pandas.DataFrame
        group_ref, people, diverging (people whose two channels disagree), parts (sets of people linked by
        raters; only within one are people compared) and townships (where most of them are at home), by
        reference.
    """
    frame = run.table("races").merge(
        run.table("trials")[["person_ref", "divergence"]], on="person_ref", how="left"
    )
    homes = homes_of(run).set_index("person_ref")["township_name"]
    frame = frame.assign(township=frame["person_ref"].map(homes).fillna(""))
    groups = frame.groupby("group_ref")
    return pd.DataFrame(
        {
            "people": groups.size(),
            "diverging": groups["divergence"].sum(),
            "parts": groups["group"].nunique(),
            "township": groups["township"].agg(lambda names: names.mode().iloc[0]),
        }
    ).reset_index()


def race(run: TalentRun, group_ref: str) -> pd.DataFrame:
    """Return the people of a 考察组, by part, band and result.

    Returns
    -------
    pandas.DataFrame
        ``races`` and ``trials`` of these people.
    """
    frame = run.table("races", group_ref=group_ref)
    results = run.table("trials").drop(columns=["fused", "group"])
    frame = frame.merge(results, on="person_ref", how="left", validate="one_to_one")
    return frame.sort_values(
        ["group", "band", "fused", "person_ref"], ascending=[True, True, False, True], ignore_index=True
    )


def trial_sentence(run: TalentRun, person_ref: str, *, name: str) -> str:
    """Return how a person's quasi-post result came about; empty for whoever was not assessed."""
    people = run.table("trials", person_ref=person_ref)
    pack = run.parameters.talent
    if people.empty or pack is None:
        return ""
    nothing = pd.DataFrame({"person_ref": []})
    found = Trials(people, nothing, run.table("races", person_ref=person_ref), nothing, pack.trial, run.as_of)
    return found.explain(person_ref, name=name)
