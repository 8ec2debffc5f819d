"""``run_talent``: from the register to portraits, shortlists, lists of the whole city and teams, with proofs.

What it finds is advice; a named person decides (:mod:`huanjie_lib.store.decisions`). Tables go in, a frozen
result comes out: no file is read or written and no clock is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.listing import judge_people, list_people, posts_of, table_of, talent_pack, units_of
from huanjie_lib.parameters import ParameterSet, TalentPack
from huanjie_lib.talent.assessment import Trials, assess_trials
from huanjie_lib.talent.assignment import Assignment, assign, candidates
from huanjie_lib.talent.composition import Compositions, compose, holds_for, wanted_of_posts
from huanjie_lib.talent.cultivation import Cultivation, best_aims, cultivation
from huanjie_lib.talent.eligibility import Eligibility
from huanjie_lib.talent.fairness import Certificate, fairness_certificate
from huanjie_lib.talent.fit import PostProfiles, post_profiles
from huanjie_lib.talent.parity import Impact, impact_ratios
from huanjie_lib.talent.portrait import Portraits, portraits
from huanjie_lib.talent.proxies import ProxyAudit, proxy_audit
from huanjie_lib.talent.register import Register, register
from huanjie_lib.talent.shortlist import Shortlists
from huanjie_lib.talent.standing import Standing, standing_changes
from huanjie_lib.vocabulary import ADVICE

__all__ = ["TalentResult", "run_talent"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]
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

PROVED_PEOPLE, PROVED_UNITS = 2_000, 100
"""People, and at most so many units, that the certificate scores again and again."""


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
    evidence: pd.DataFrame
    portraits: Portraits
    profiles: PostProfiles
    shortlists: Shortlists
    assignment: Assignment
    compositions: Compositions
    cultivation: Cultivation
    standing: Standing
    certificate: Certificate
    proxies: ProxyAudit
    impact: Impact

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
        return f"{asked}{self.shortlists.explain(unit_code, name=name)}{ADVICE}。"

    def proven(self) -> dict[str, Any]:
        """Return how good lists and committees are for certain.

        Returns
        -------
        dict
            ``lists_optimal``: whether prices prove that no other lists fit better. ``teams_fit`` and
            ``teams_bound``: fit of all committees, and what none that lack as much can exceed, points;
            ``teams_gap``: their difference as a share of the fit. ``teams_least``: by target and ``seats``
            how many members are lacking whoever is chosen.
        """
        teams = self.compositions
        return {
            "lists_optimal": self.assignment.optimal,
            "teams_fit": round(teams.objective, 3),
            "teams_bound": round(teams.bound, 3),
            "teams_gap": round(teams.gap, 6),
            "teams_least": dict(teams.least),
        }

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables of ``store.talent_folder`` by name."""
        posts = self.shortlists.posts
        pairs = self.assignment.pairs
        found = np.bincount(pairs["post"].to_numpy(dtype=np.int64), minlength=len(posts))
        lists = posts[["unit_code", "post"]].iloc[pairs["post"]].reset_index(drop=True)
        shown = ["birth_year", "education", "affiliation"]
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
            "evidence": self.evidence,
            "tasks": self.portraits.tasks,
            "trials": self.trials.people,
            "raters": self.trials.raters,
            "races": self.trials.races,
            "cultivation": self.cultivation.steps,
            "standing": self.standing.changes,
            "posts": posts.assign(
                listed=found, lacking=np.maximum(posts["wanted"].to_numpy(dtype=np.int64) - found, 0)
            ),
            "weights": self.profiles.by_aspect(),
            "shortlists": self.shortlists.frame,
            "lists": lists.assign(
                person_ref=pd.array(self.portraits.person_ref[pairs["person"]], dtype="str"),
                fit=pairs["score"].to_numpy(),
            ),
            "teams": self.compositions.teams,
            "team_checks": self.compositions.checks,
            "team_costs": self.compositions.costs,
            "certificate": self.certificate.checks,
            "proxies": self.proxies.attributes.astype({"value": "str"}),
            "impact": self.impact.groups.astype({"value": "str"}),
        }


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
        unit_code, dimension, share, from :func:`huanjie_lib.listing.losses_of`; without it posts ask for what
        their profile says.
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
    pack = talent_pack(parameters)
    tell = _Teller(progress)
    tell(0)
    units = units_of(tables, as_of)
    posts = posts_of(tables, units)
    held = register(table_of(tables, "people"), units["unit_code"], parameters, as_of=as_of)
    if held.people.empty or posts.empty:
        what = "people" if held.people.empty else "posts"
        fault = Fault(what, "没有数据", "人才库和岗位表各至少一行", "补充报送，或检查截至日期")
        raise DataError("没有可以匹配的人员或岗位", [fault])
    asked = _Asked(parameters, pack, as_of, units, posts, losses, seed)
    found = _score(tables, asked, tell)
    tell(5)
    lists = _lists(found, pack)
    tell(6)
    teams = _teams(tables, asked, found, lists)
    tell(7)
    grown, moves = _growth(tables, asked, found)
    tell(8)
    certificate, proxies, impact = _proofs(tables, asked, found, lists)
    return TalentResult(
        as_of=as_of,
        parameters=parameters,
        units=units,
        people=found.people,
        register=held,
        eligibility=found.eligibility,
        kin=found.kin,
        trials=found.trials,
        evidence=_evidence(tables, found.people, as_of),
        portraits=found.portraits,
        profiles=found.profiles,
        shortlists=found.shortlists,
        assignment=lists,
        compositions=teams,
        cultivation=grown,
        standing=moves,
        certificate=certificate,
        proxies=proxies,
        impact=impact,
    )


class _Teller:
    """Tells how far a run has come."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress

    def __call__(self, step: int) -> None:
        if self.progress is not None:
            self.progress(STEPS[step], step, len(STEPS))


@dataclass(frozen=True)
class _Asked:
    """What a run is about, beside the tables."""

    parameters: ParameterSet
    pack: TalentPack
    as_of: dt.date
    units: pd.DataFrame
    posts: pd.DataFrame
    losses: pd.DataFrame | None
    seed: int


@dataclass(frozen=True)
class _Scored:
    """Everything that scores, ranks and reasons rest on; no protected attribute takes part."""

    people: pd.DataFrame
    eligibility: Eligibility
    kin: pd.DataFrame
    trials: Trials
    portraits: Portraits
    profiles: PostProfiles
    shortlists: Shortlists

    def output(self) -> dict[str, pd.DataFrame]:
        """Return what must not change with a protected attribute."""
        return {
            "条件": self.eligibility.rules,
            "结论": self.eligibility.status,
            "回避": self.kin[["unit_code", "post", "person_ref", "rule", "status"]],
            "准岗": self.trials.people,
            "画像": self.portraits.to_frame(),
            "名单": self.shortlists.frame,
            "依据": self.shortlists.thresholds,
        }


def _score(tables: Mapping[str, pd.DataFrame], asked: _Asked, tell: _Teller) -> _Scored:
    """Judge, portray and list people; :func:`_proofs` runs this very function on altered tables."""
    as_of, pack = asked.as_of, asked.pack
    tell(1)
    judged = judge_people(tables, asked.posts, asked.parameters, as_of=as_of)
    tell(2)
    trials = assess_trials(table_of(tables, "assessments"), pack, as_of=as_of)
    tell(3)
    shown = portraits(judged.people, table_of(tables, "evidence"), trials.people, pack, as_of=as_of)
    profiles = post_profiles(asked.posts, asked.units, asked.losses, pack)
    tell(4)
    return _Scored(
        people=judged.people,
        eligibility=judged.eligibility,
        kin=judged.kin,
        trials=trials,
        portraits=shown,
        profiles=profiles,
        shortlists=list_people(judged, shown, profiles, pack, seed=asked.seed),
    )


def _in_order(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in the order of its key, so that draws do not depend on the order of its rows."""
    return frame.sort_values(list(TABLES[name].key), kind="stable", ignore_index=True)


def _evidence(tables: Mapping[str, pd.DataFrame], people: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Return what is held of these people on the date, the latest first."""
    held = table_of(tables, "evidence")
    held = held[held["person_ref"].isin(people["person_ref"]) & ~(held["dated_on"] > pd.Timestamp(as_of))]
    names = ["person_ref", "aspect", "kind", "year", "rating", "dated_on", "document"]
    order = ["person_ref", "dated_on", *names[1:5], "evidence_id"]
    ascending = [name not in {"dated_on", "year"} for name in order]
    return held.sort_values(order, ascending=ascending, ignore_index=True)[names]


def _lists(found: _Scored, pack: TalentPack) -> Assignment:
    """Return the lists of the whole city, each person on a few of them at most."""
    people, opened = len(found.portraits.person_ref), found.shortlists.openings
    return assign(
        found.portraits.mean,
        found.profiles.weights,
        found.shortlists.posts["wanted"].to_numpy(dtype=np.int64),
        np.full(people, pack.lists_per_person, dtype=np.int64),
        eligible=opened.masks,
        group=opened.group,
        excluded=opened.barred,
    )


def _teams(
    tables: Mapping[str, pd.DataFrame], asked: _Asked, found: _Scored, lists: Assignment
) -> Compositions:
    """Return a committee for each unit, from its lists and whom else it takes to fill seats and keep rules.

    Of all that is proposed, sex, ethnicity, age and education are read here alone, and which candidates are
    close kin. Whoever fits a post best need not be whom a rule asks for: so people for whom a hard target
    holds are candidates of each unit too, enough for every unit to have its own.
    """
    posts, pack, opened = found.profiles.posts, asked.pack, found.shortlists.openings
    protected, kinds = table_of(tables, "people_protected"), asked.units.set_index("unit_code")["unit_kind"]
    refs = pd.Index(found.portraits.person_ref)

    def named(seats: Ints, length: int, masks: Sequence[Bools]) -> pd.DataFrame:
        return candidates(
            found.portraits.mean,
            found.profiles.weights,
            seats,
            length,
            eligible=masks,
            group=opened.group,
            excluded=opened.barred,
        )

    parts = [named(posts["seats"].to_numpy(dtype=np.int64), pack.shortlist_length, opened.masks), lists.pairs]
    for target in pack.targets:
        if target.hard:
            own = holds_for(target, refs, found.people, protected, asked.as_of)
            masks = [mask & own for mask in opened.masks]
            parts.append(named(wanted_of_posts(target, posts, kinds), 1, masks))
    pairs = pd.concat(parts, ignore_index=True).drop_duplicates(["post", "person"])
    edges = posts[["unit_code", "post"]].iloc[pairs["post"]].reset_index(drop=True)
    return compose(
        edges.assign(
            person_ref=pd.array(found.portraits.person_ref[pairs["person"]], dtype="str"),
            fit=pairs["score"].to_numpy(),
        ),
        posts[["unit_code", "post", "seats"]],
        found.people[["person_ref", "birth_year", "education"]],
        protected,
        table_of(tables, "kinships"),
        pack.targets,
        as_of=asked.as_of,
        unit_kinds=kinds,
        version=asked.parameters.version,
    )


def _growth(
    tables: Mapping[str, pd.DataFrame], asked: _Asked, found: _Scored
) -> tuple[Cultivation, Standing]:
    """Return the steps of cultivation, and which of them would change who stands where."""
    shown, profiles, pack = found.portraits, found.profiles, asked.pack
    homes = found.people.set_index("person_ref")["unit_code"]
    kinds = homes.map(asked.units.set_index("unit_code")["unit_kind"])
    aims = best_aims(shown, kinds, found.eligibility, pack)
    grown = cultivation(shown, table_of(tables, "plans"), aims, pack, as_of=asked.as_of)
    pool = found.shortlists.competing
    length = pack.shortlist_length
    return grown, standing_changes(shown, profiles.posts, profiles.weights, pool, pack, length=length)


def _proofs(
    tables: Mapping[str, pd.DataFrame], asked: _Asked, found: _Scored, lists: Assignment
) -> tuple[Certificate, ProxyAudit, Impact]:
    """Return the proof that protected attributes change nothing, and what they go along with."""
    tables = {name: _in_order(name, frame) for name, frame in tables.items() if name in TABLES}
    units = sorted(set(asked.posts["unit_code"]))
    few = set(units[:: max(1, -(-len(units) // PROVED_UNITS))])
    posts = asked.posts[asked.posts["unit_code"].isin(few)].reset_index(drop=True)
    some = replace(asked, posts=posts)

    def score(altered: Mapping[str, pd.DataFrame]) -> Mapping[str, pd.DataFrame]:
        scored = _score(altered, some, _Teller(None))
        grown, moves = _growth(altered, some, scored)
        return {
            **scored.output(),
            "全市名单": _lists(scored, asked.pack).pairs,
            "培养": grown.steps,
            "名次变化": moves.changes,
        }

    certificate = fairness_certificate(
        score, tables, seed=asked.seed, sample=PROVED_PEOPLE, vital="名单", version=asked.parameters.version
    )
    refs = pd.Index(found.portraits.person_ref, name="person_ref")
    own = table_of(tables, "people_protected").set_index("person_ref").reindex(refs)
    age = asked.as_of.year - found.people.set_index("person_ref")["birth_year"].reindex(refs)
    bands = pd.cut(
        age.astype("float64"),
        [0, 35, 45, 55, 200],
        labels=["35岁及以下", "36至45岁", "46至55岁", "56岁及以上"],
    )
    protected = own[["sex", "is_minority"]].assign(age=bands.astype("str"))
    inputs = pd.DataFrame(
        np.where(found.portraits.known > 0, found.portraits.mean, np.nan),
        index=refs,
        columns=[aspect.value for aspect in found.portraits.aspects],
    )
    listed = pd.Series(np.isin(np.arange(len(refs)), lists.pairs["person"]), index=refs)
    pool = np.logical_or.reduce(found.shortlists.openings.masks)
    return (
        certificate,
        proxy_audit(inputs, protected, seed=asked.seed, permutations=199),
        impact_ratios(listed[pool], protected[pool]),
    )
