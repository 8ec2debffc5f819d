"""``run_talent``: from the register to portraits, shortlists, lists of the whole city and teams, with proofs.

What it finds is advice; a named person decides (:mod:`huanjie_lib.store.decisions`). Tables go in, a frozen
result comes out: no file is read or written and no clock is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from huanjie_lib.contracts import DTYPES, TABLES
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import ParameterSet, TalentPack
from huanjie_lib.risk.prepared import day_number, prepare
from huanjie_lib.talent.assessment import Trials, assess_trials
from huanjie_lib.talent.assignment import Assignment, assign
from huanjie_lib.talent.cultivation import Cultivation, best_aims, cultivation
from huanjie_lib.talent.eligibility import Eligibility, eligibility, kin_conflicts
from huanjie_lib.talent.fit import PostProfiles, post_profiles
from huanjie_lib.talent.portrait import Portraits, portraits
from huanjie_lib.talent.reach import Openings, openings
from huanjie_lib.talent.register import Register, register
from huanjie_lib.talent.shortlist import Shortlists, shortlists
from huanjie_lib.talent.standing import Standing, standing_changes
from huanjie_lib.talent.top_k import top_k
from huanjie_lib.vocabulary import PortraitAspect, PostKind

__all__ = ["TalentResult", "losses_of", "run_talent"]

Progress = Callable[[str, int, int], None]

STEPS = (
    "核对人才库",
    "审核条件",
    "准岗考察",
    "人才画像",
    "岗位名单",
    "全市统筹",
    "班子结构",
    "培养计划",
    "公平检验",
)
"""What is told of the way."""


@dataclass(frozen=True)
class TalentResult:
    """Everything that a talent run found; its tables as described in ``store.talent_folder``."""

    as_of: dt.date
    parameters: ParameterSet
    units: pd.DataFrame
    people: pd.DataFrame
    register: Register
    eligibility: Eligibility
    kin: pd.DataFrame
    trials: Trials
    portraits: Portraits
    profiles: PostProfiles
    shortlists: Shortlists
    assignment: Assignment
    cultivation: Cultivation
    standing: Standing

    def __repr__(self) -> str:
        """Return numbers of people and posts, the as-of date and the parameter version."""
        return (
            f"TalentResult(people={len(self.people)}, posts={len(self.profiles.posts)}, as_of={self.as_of}, "
            f"parameters={self.parameters.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the shortlists."""
        return self.shortlists.to_frame()

    def explain(self, unit_code: str) -> str:
        """Return in Chinese what a unit's posts ask for and who is on their shortlists.

        Raises
        ------
        KeyError
            If there is no such unit, or it has no post.
        """
        name = str(self.units.set_index("unit_code")["unit_name"][unit_code])
        asked = self.profiles.explain(unit_code, name=name)
        return f"{asked}{self.shortlists.explain(unit_code, name=name)}仅供决策参考，由组织决定。"

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables of ``store.talent_folder`` by name."""
        posts = self.shortlists.posts
        pairs = self.assignment.pairs
        found = np.bincount(pairs["post"].to_numpy(dtype=np.int64), minlength=len(posts))
        lists = posts[["unit_code", "post"]].iloc[pairs["post"]].reset_index(drop=True)
        shown = ["birth_year", "education", "affiliation"]
        aspects = [aspect.value for aspect in PortraitAspect]
        at = self.profiles.posts[["unit_code", "post"]]
        weights = at.loc[at.index.repeat(len(aspects))].reset_index(drop=True)
        rules = pd.concat([self.eligibility.rules, self.kin], ignore_index=True)
        return {
            "units": self.units,
            "people": self.register.people.merge(
                self.people[["person_ref", *shown]], on="person_ref", how="left"
            ),
            "quota": self.register.quota,
            "structure": self.register.structure,
            "eligibility": rules,
            "eligible": self.eligibility.verdicts(),
            "portraits": self.portraits.to_frame(),
            "tasks": self.portraits.tasks,
            "trials": self.trials.people,
            "raters": self.trials.raters,
            "races": self.trials.races,
            "cultivation": self.cultivation.steps,
            "standing": self.standing.changes,
            "posts": posts.assign(
                listed=found, lacking=np.maximum(posts["wanted"].to_numpy(dtype=np.int64) - found, 0)
            ),
            "weights": weights.assign(
                aspect=pd.array(np.tile(aspects, len(at)), dtype="str"),
                weight=self.profiles.weights.ravel(),
                tilt=self.profiles.tilt.ravel(),
            ),
            "shortlists": self.shortlists.frame,
            "lists": lists.assign(
                person_ref=pd.array(self.portraits.person_ref[pairs["person"]], dtype="str"),
                fit=pairs["score"].to_numpy(),
            ),
        }


def losses_of(points_lost: pd.DataFrame, parameters: ParameterSet) -> pd.DataFrame:
    """Return what part of each dimension's points every unit loses.

    Parameters
    ----------
    points_lost
        unit_code, dimension, indicator, points; as a risk run holds them.
    parameters
        The framework that they were computed with.

    Returns
    -------
    pandas.DataFrame
        unit_code, dimension, share (0 to 1; missing where a unit has no points).

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> points = pd.DataFrame({"unit_code": ["u", "u"], "dimension": ["finance_audit"] * 2,
    ...                        "indicator": ["a", "b"], "points": [3.0, 4.5]})
    >>> losses_of(points, load_parameters()).values.tolist()
    [['u', 'finance_audit', 0.375]]
    """
    full = {d.id: 100.0 * d.weight for d in parameters.framework.dimensions}
    lost = points_lost.groupby(["unit_code", "dimension"], as_index=False, sort=True)["points"].sum(
        min_count=1
    )
    share = (lost["points"] / lost["dimension"].map(full)).clip(0.0, 1.0)
    return pd.DataFrame({"unit_code": lost["unit_code"], "dimension": lost["dimension"], "share": share})


def run_talent(
    tables: Mapping[str, pd.DataFrame],
    parameters: ParameterSet,
    *,
    as_of: dt.date,
    losses: pd.DataFrame | None = None,
    seed: int,
    progress: Progress | None = None,
) -> TalentResult:
    """Match the reserve to the posts on a date.

    Parameters
    ----------
    tables
        Contract tables by name; ``units``, ``people`` and ``posts`` are required.
    parameters
        With a talent pack, and rules in force on the date.
    as_of
        Date the run describes; nothing dated later is used.
    losses
        unit_code, dimension, share, from :func:`losses_of`; without it posts ask for what their profile says.
    seed
        Seed of the draws behind P(in top k) and of the fairness checks.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Returns
    -------
    TalentResult

    Raises
    ------
    DataError
        If the parameters have no talent pack, or there is nobody or no post to match.
    ParameterError
        If a rule is not in force on the date.
    """
    pack = _pack(parameters)

    def tell(step: int) -> None:
        if progress is not None:
            progress(STEPS[step], step, len(STEPS))

    tell(0)
    units = _units(tables, as_of)
    posts = _rows(tables, "posts", units)
    held = register(_table(tables, "people"), units["unit_code"], parameters, as_of=as_of)
    people = _table(tables, "people").merge(held.people[["person_ref"]], on="person_ref", how="inner")
    people = people.sort_values("person_ref", ignore_index=True)
    if people.empty or posts.empty:
        what = "people" if people.empty else "posts"
        fault = Fault(what, "没有数据", "人才库和岗位表各至少一行", "补充报送，或检查截至日期")
        raise DataError("没有可以匹配的人员或岗位", [fault])
    tell(1)
    judged = eligibility(people, tables.get("vettings"), list(PostKind), parameters, as_of=as_of)
    kin = _kin(tables, people, posts, parameters, as_of)
    tell(2)
    trials = assess_trials(_table(tables, "assessments"), pack, as_of=as_of)
    tell(3)
    results = trials.people[["person_ref", "fused", "low", "high"]]
    shown = portraits(people, _table(tables, "evidence"), results, pack, as_of=as_of)
    profiles = post_profiles(posts, units, losses, pack)
    tell(4)
    excluded = kin[["unit_code", "post", "person_ref"]]
    homes = people.set_index("person_ref")["unit_code"]
    listed = shortlists(shown, profiles, judged, pack, homes=homes, excluded=excluded, seed=seed)
    tell(5)
    opened = openings(profiles.posts, shown.person_ref, judged, homes, pack)
    lists = _lists(shown, profiles, opened, listed, excluded, pack)
    tell(7)
    grown, moves = _growth(tables, shown, profiles, opened, judged, units, people, pack, as_of)
    return TalentResult(
        as_of=as_of,
        parameters=parameters,
        units=units,
        people=people,
        register=held,
        eligibility=judged,
        kin=kin,
        trials=trials,
        portraits=shown,
        profiles=profiles,
        shortlists=listed,
        assignment=lists,
        cultivation=grown,
        standing=moves,
    )


def _pack(parameters: ParameterSet) -> TalentPack:
    if parameters.talent is None:
        fault = Fault("参数包", "没有 talent.yaml", "人才画像与匹配的参数", "在参数包中放入 talent.yaml")
        raise DataError("不能匹配人才", [fault])
    return parameters.talent


def _table(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Return a table; one that was not handed in has the columns of its contract and no row."""
    if name in tables:
        return tables[name]
    columns = {c.name: pd.Series(dtype=DTYPES[c.kind]) for c in TABLES[name].columns}
    return pd.DataFrame(columns)


def _units(tables: Mapping[str, pd.DataFrame], as_of: dt.date) -> pd.DataFrame:
    """Return the units in force on the date with the names of their townships, by unit code."""
    prepared = prepare({"units": tables["units"]})
    units = prepared.units[prepared.in_force(day_number(as_of))]
    townships = _table(tables, "townships")[["township_code", "township_name"]]
    units = units[["unit_code", "unit_name", "unit_kind", "township_code"]].merge(
        townships, on="township_code", how="left"
    )
    return units.sort_values("unit_code", ignore_index=True)


def _rows(tables: Mapping[str, pd.DataFrame], name: str, units: pd.DataFrame) -> pd.DataFrame:
    frame = _table(tables, name)
    return frame[frame["unit_code"].isin(units["unit_code"])].reset_index(drop=True)


def _kin(
    tables: Mapping[str, pd.DataFrame],
    people: pd.DataFrame,
    posts: pd.DataFrame,
    parameters: ParameterSet,
    as_of: dt.date,
) -> pd.DataFrame:
    """Return the posts that people may not be proposed for because of kin whom they would supervise."""
    subjects = _table(tables, "audit_subjects")
    if "unit_code" not in subjects:
        projects = _table(tables, "audit_projects")[["project_id", "unit_code"]]
        subjects = subjects.merge(projects, on="project_id", how="inner")
    return kin_conflicts(people, _table(tables, "kinships"), subjects, posts, parameters, as_of=as_of)


def _lists(
    shown: Portraits,
    profiles: PostProfiles,
    opened: Openings,
    listed: Shortlists,
    excluded: pd.DataFrame,
    pack: TalentPack,
) -> Assignment:
    """Return the lists of the whole city, each person on a few of them at most."""
    index = pd.Index(shown.person_ref)
    places = pd.MultiIndex.from_frame(profiles.posts[["unit_code", "post"]])
    pairs = np.column_stack(
        [
            places.get_indexer(pd.MultiIndex.from_frame(excluded[["unit_code", "post"]])),
            index.get_indexer(pd.Index(excluded["person_ref"])),
        ]
    )
    return assign(
        shown.mean,
        profiles.weights,
        listed.posts["wanted"].to_numpy(dtype=np.int64),
        np.full(len(index), pack.lists_per_person, dtype=np.int64),
        eligible=opened.masks,
        group=opened.group,
        excluded=pairs[(pairs >= 0).all(axis=1)],
    )


def _growth(
    tables: Mapping[str, pd.DataFrame],
    shown: Portraits,
    profiles: PostProfiles,
    opened: Openings,
    judged: Eligibility,
    units: pd.DataFrame,
    people: pd.DataFrame,
    pack: TalentPack,
    as_of: dt.date,
) -> tuple[Cultivation, Standing]:
    """Return the steps of cultivation, and which of them would change who stands where."""
    homes = people.set_index("person_ref")["unit_code"]
    kinds = homes.map(units.set_index("unit_code")["unit_kind"])
    aims = best_aims(shown, kinds, judged, pack)
    grown = cultivation(shown, _table(tables, "plans"), aims, pack, as_of=as_of)
    pool = top_k(shown.mean, profiles.weights, pack.pool, eligible=opened.masks, group=opened.group).rows
    length = pack.shortlist_length
    return grown, standing_changes(shown, profiles.posts, profiles.weights, pool, pack, length=length)
