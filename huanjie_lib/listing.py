"""From register and opinions to shortlists: who may be proposed, as of a date, and who is on which list.

The part of matching that a post needs its county for and no more (:func:`huanjie_lib.talent.reach.openings`).
:mod:`huanjie_lib.matching` does it for a whole city and goes on to lists of the city and committees;
:mod:`huanjie_lib.partitions` does it county by county. Nothing here reads a protected attribute.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from huanjie_lib.contracts import DTYPES, TABLES
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import ParameterSet, TalentPack
from huanjie_lib.risk.prepared import day_number, prepare
from huanjie_lib.talent.eligibility import Eligibility, eligibility, kin_conflicts, kin_unchecked
from huanjie_lib.talent.fit import PostProfiles
from huanjie_lib.talent.portrait import Portraits
from huanjie_lib.talent.shortlist import Shortlists, shortlists
from huanjie_lib.vocabulary import PostKind, ValueStatus

__all__ = [
    "Judged",
    "judge_people",
    "list_people",
    "losses_of",
    "posts_of",
    "table_of",
    "talent_pack",
    "units_of",
]


@dataclass(frozen=True)
class Judged:
    """Who may be proposed.

    Parameters
    ----------
    people
        People registered by the date, by pseudonym.
    eligibility
        Verdicts on each for every kind of post.
    kin
        Posts closed to single people, from :func:`~huanjie_lib.talent.eligibility.kin_conflicts`.
    unchecked
        Posts whose avoidance of kin could not be checked.
    """

    people: pd.DataFrame
    eligibility: Eligibility
    kin: pd.DataFrame
    unchecked: pd.DataFrame

    def __repr__(self) -> str:
        """Return numbers of people, and of posts closed to one of them, and the date."""
        return f"Judged(people={len(self.people)}, kin={len(self.kin)}, as_of={self.eligibility.as_of})"

    def to_frame(self) -> pd.DataFrame:
        """Return every rule that refuses or cannot be judged, kin of single posts last."""
        return pd.concat([self.eligibility.rules, self.kin], ignore_index=True)

    def explain(self, person_ref: str) -> str:
        """Return in Chinese what a person may be proposed for.

        Raises
        ------
        KeyError
            If there is no such person.
        """
        return self.eligibility.explain(person_ref)


def judge_people(
    tables: Mapping[str, pd.DataFrame],
    posts: pd.DataFrame,
    parameters: ParameterSet,
    *,
    as_of: dt.date,
    kin_declared: bool | None = None,
) -> Judged:
    """Judge everybody registered by a date, and look for kin whom a post supervises.

    Parameters
    ----------
    tables
        Contract tables by name; ``people`` is required.
    posts
        unit_code, post.
    parameters
        Rules in force on the date.
    as_of
        The date.
    kin_declared
        Whether anybody has declared kin, where ``kinships`` holds some people's only; by default whether it
        has a row.

    Raises
    ------
    ParameterError
        If a rule is not in force on the date.
    """
    people = table_of(tables, "people")
    people = people[(people["registered_on"] <= pd.Timestamp(as_of)).to_numpy()]
    people = people.sort_values("person_ref", ignore_index=True)
    kinships, members = table_of(tables, "kinships"), _members(tables)
    declared = not kinships.empty if kin_declared is None else kin_declared
    return Judged(
        people=people,
        eligibility=eligibility(people, tables.get("vettings"), list(PostKind), parameters, as_of=as_of),
        kin=kin_conflicts(people, kinships, members, posts, parameters, as_of=as_of),
        unchecked=kin_unchecked(members, posts, parameters, as_of=as_of, declared=declared),
    )


def list_people(
    judged: Judged, portraits: Portraits, profiles: PostProfiles, pack: TalentPack, *, seed: int
) -> Shortlists:
    """Return the shortlists of posts: of who may be proposed, lives within reach and has no kin there."""
    return shortlists(
        portraits,
        profiles,
        judged.eligibility,
        pack,
        homes=judged.people.set_index("person_ref")["unit_code"],
        excluded=judged.kin[["unit_code", "post", "person_ref"]],
        doubts=judged.unchecked,
        seed=seed,
    )


def losses_of(indicators: pd.DataFrame, parameters: ParameterSet) -> pd.DataFrame:
    """Return what part of each dimension's points every unit loses by what is known of it.

    An indicator that is missing or stale loses points for that alone; this says nothing of what a unit needs,
    so that only observed indicators count, in points lost and in points there are to lose.

    Parameters
    ----------
    indicators
        unit_code, indicator, status, points; as a risk run holds them.
    parameters
        The framework that they were computed with.

    Returns
    -------
    pandas.DataFrame
        unit_code, dimension, share (0 to 1); missing where less than half of the dimension, by weight, is
        observed.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> pack = load_parameters()
    >>> finance = pack.framework.dimensions[0]
    >>> frame = pd.DataFrame({"unit_code": "u", "indicator": [i.id for i in finance.indicators],
    ...                       "status": "observed", "points": [50 * finance.weight * i.weight
    ...                                                        for i in finance.indicators]})
    >>> losses_of(frame, pack).round(6).values.tolist()
    [['u', 'finance_audit', 0.5]]
    >>> losses_of(frame.assign(status="missing"), pack)["share"].isna().tolist()
    [True]
    """
    each = [(i.id, d.id, d.weight * i.weight) for d in parameters.framework.dimensions for i in d.indicators]
    about = pd.DataFrame(each, columns=["indicator", "dimension", "weight"])
    rows = indicators.merge(about, on="indicator", how="inner")
    seen = rows["status"] == ValueStatus.OBSERVED.value
    rows = rows.assign(
        lost=rows["points"].where(seen, 0.0),
        full=100.0 * rows["weight"].where(seen, 0.0),
        whole=rows["weight"],
    )
    total = rows.groupby(["unit_code", "dimension"], as_index=False, sort=True)[
        ["lost", "full", "whole"]
    ].sum()
    enough = total["full"] >= 50.0 * total["whole"]
    share = (total["lost"] / total["full"].where(enough & (total["full"] > 0))).clip(0.0, 1.0)
    return pd.DataFrame({"unit_code": total["unit_code"], "dimension": total["dimension"], "share": share})


def talent_pack(parameters: ParameterSet) -> TalentPack:
    """Return the talent pack of the parameters.

    Raises
    ------
    DataError
        If they have none.
    """
    if parameters.talent is None:
        fault = Fault("参数包", "没有 talent.yaml", "人才画像与匹配的参数", "在参数包中放入 talent.yaml")
        raise DataError("不能匹配人才", [fault])
    return parameters.talent


def table_of(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Return a table; one that was not handed in has the columns of its contract and no row.

    Examples
    --------
    >>> table_of({}, "posts").columns.tolist()
    ['unit_code', 'post', 'seats', 'profile']
    """
    if name in tables:
        return tables[name]
    columns = {c.name: pd.Series(dtype=DTYPES[c.kind]) for c in TABLES[name].columns}
    return pd.DataFrame(columns)


def units_of(tables: Mapping[str, pd.DataFrame], as_of: dt.date) -> pd.DataFrame:
    """Return the units in force on the date with the names of their townships, by unit code."""
    prepared = prepare({"units": tables["units"]})
    units = prepared.units[prepared.in_force(day_number(as_of))]
    townships = table_of(tables, "townships")[["township_code", "township_name"]]
    units = units[["unit_code", "unit_name", "unit_kind", "township_code"]].merge(
        townships, on="township_code", how="left"
    )
    return units.sort_values("unit_code", ignore_index=True)


def posts_of(tables: Mapping[str, pd.DataFrame], units: pd.DataFrame) -> pd.DataFrame:
    """Return the posts of these units."""
    posts = table_of(tables, "posts")
    return posts[posts["unit_code"].isin(units["unit_code"])].reset_index(drop=True)


def _members(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return committee members with their units, as the audits list them."""
    subjects = table_of(tables, "audit_subjects")
    if "unit_code" in subjects:
        return subjects
    projects = table_of(tables, "audit_projects")[["project_id", "unit_code"]]
    return subjects.merge(projects, on="project_id", how="inner")
