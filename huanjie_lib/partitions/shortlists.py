"""Shortlists of one county, and what a whole city has to say first.

A post looks for people no farther than its county (:mod:`huanjie_lib.talent.reach`), so a county with the
people at home there, and those at home nowhere, is all that its lists need; everything else about a person
lies with the person. What only the city knows comes first, from narrow tables: ratings, since people are
compared across counties by common raters (:func:`trials_of_city`), and whether anybody has declared kin
(:class:`~huanjie_lib.partitions.scoring.Survey`). A post that looks in the whole city reads the people of all
its counties.

Lists of the city, on which each person may stand a few times only, and committees, whose members come from
several units' lists, weigh a city's posts against each other. They are no matter of one county:
:func:`huanjie_lib.matching.run_talent` makes them, city by city. So a person may stand on shortlists of
several counties, and whoever is at home nowhere does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from huanjie_lib.listing import Judged, judge_people, list_people, posts_of, table_of, talent_pack, units_of
from huanjie_lib.parameters import ParameterSet, TalentPack
from huanjie_lib.partitions.layout import read_partition, read_together
from huanjie_lib.partitions.scoring import Survey
from huanjie_lib.talent.assessment import Trials, assess_trials
from huanjie_lib.talent.fit import post_profiles
from huanjie_lib.talent.portrait import portraits
from huanjie_lib.talent.shortlist import Shortlists
from huanjie_lib.vocabulary import ADVICE

__all__ = ["CountyLists", "list_county", "looks_everywhere", "read_posts", "trials_of_city"]

POST_TABLES: Final = ("units", "townships", "posts", "audit_subjects")
PEOPLE_TABLES: Final = ("people", "kinships", "vettings", "evidence")
RATINGS: Final = ("assessments",)


@dataclass(frozen=True)
class CountyLists:
    """Shortlists of the posts of one county.

    Parameters
    ----------
    units
        The county's units in force, with their names.
    judged
        Who may be proposed.
    shortlists
        The lists, with portraits of people and profiles of posts.
    """

    units: pd.DataFrame
    judged: Judged
    shortlists: Shortlists

    def __repr__(self) -> str:
        """Return numbers of people, of posts and of posts that lack people, the date and the version."""
        lists = self.shortlists
        return (
            f"CountyLists(people={len(self.judged.people)}, posts={len(lists.posts)}, "
            f"lacking={int((lists.posts['lacking'] > 0).sum())}, as_of={lists.portraits.as_of}, "
            f"parameters={lists.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the shortlists."""
        return self.shortlists.to_frame()

    def explain(self, unit_code: str) -> str:
        """Return in Chinese who is on the lists of a unit, how sure that is and what would change it.

        Raises
        ------
        KeyError
            If there is no such unit, or it has no post.
        """
        name = str(self.units.set_index("unit_code")["unit_name"][unit_code])
        return f"{self.shortlists.explain(unit_code, name=name)}{ADVICE}。"

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name, as a talent folder has them; people stand in them as pseudonyms.

        Words are text, so that a county without rows has the same columns as the rest.
        """
        lists = self.shortlists
        frames = {
            "posts": lists.posts,
            "weights": lists.profiles.by_aspect(),
            "shortlists": lists.frame,
            "thresholds": lists.thresholds,
            "eligibility": self.judged.to_frame(),
            "eligible": self.judged.eligibility.verdicts(),
            "portraits": lists.portraits.to_frame(),
            "tasks": lists.portraits.tasks,
        }
        return {
            name: frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, "str"))
            for name, frame in frames.items()
        }


def trials_of_city(counties: Iterable[Path], parameters: ParameterSet, *, as_of: dt.date) -> Trials:
    """Return the results of quasi-post assessment over a city; of each county only the ratings are read.

    Raises
    ------
    DataError
        If the parameters have no talent pack.
    """
    ratings = read_together(counties, RATINGS)
    return assess_trials(table_of(ratings, "assessments"), talent_pack(parameters), as_of=as_of)


def looks_everywhere(pack: TalentPack) -> bool:
    """Return whether any profile looks for people in the whole city."""
    return any(profile.reach == "city" for profile in pack.profiles)


def read_posts(county: Path, near: Iterable[Path]) -> dict[str, pd.DataFrame]:
    """Read the posts of a county, and the people of the counties within their reach.

    Parameters
    ----------
    county
        The county.
    near
        The county itself, or all of its city where a profile looks there (:func:`looks_everywhere`).
    """
    return {**read_partition(county, POST_TABLES), **read_together(near, PEOPLE_TABLES)}


def list_county(
    tables: Mapping[str, pd.DataFrame],
    city: Survey,
    parameters: ParameterSet,
    *,
    as_of: dt.date,
    losses: pd.DataFrame | None,
    trials: pd.DataFrame,
    seed: int,
) -> CountyLists:
    """List people for the posts of one county as a run of the whole city lists them.

    Parameters
    ----------
    tables
        Contract tables of the county, from :func:`read_posts`.
    city
        What the whole city says.
    parameters
        With a talent pack, and rules in force on the date.
    as_of
        Date the lists describe; nothing dated later is used.
    losses
        unit_code, dimension, share, from :func:`huanjie_lib.partitions.scoring.score_county`; without it
        posts ask for what their profile says.
    trials
        person_ref, fused, low, high of people of the city, from :func:`trials_of_city`.
    seed
        Seed of the draws behind P(in top k).

    Raises
    ------
    DataError
        If the parameters have no talent pack, or a post names a profile that it does not have.
    ParameterError
        If a rule is not in force on the date.
    """
    pack, units = talent_pack(parameters), units_of(tables, as_of)
    posts = posts_of(tables, units)
    declared = "kinships" in city.supplied
    judged = judge_people(tables, posts, parameters, as_of=as_of, kin_declared=declared)
    shown = portraits(judged.people, table_of(tables, "evidence"), trials, pack, as_of=as_of)
    profiles = post_profiles(posts, units, losses, pack)
    return CountyLists(units, judged, list_people(judged, shown, profiles, pack, seed=seed))
