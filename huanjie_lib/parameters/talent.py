"""Parameters of talent: what evidence counts for, post profiles, units' needs and targets of committees."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from huanjie_lib.errors import Fault
from huanjie_lib.parameters.fields import Header, Identifier, Kind, Model, Post, as_tuple, sum_fault
from huanjie_lib.parameters.framework import Framework
from huanjie_lib.vocabulary import CultivationStep, EvidenceKind, PortraitAspect, PostKind, UnitKind

__all__ = [
    "Aspect",
    "EvidenceRule",
    "PostProfile",
    "Reach",
    "Share",
    "StepRule",
    "TalentPack",
    "TeamTarget",
    "TrialRule",
    "UnitNeed",
    "talent_faults",
]


Aspect = Annotated[PortraitAspect, Field(strict=False)]

Reach = Literal["unit", "township", "county", "city"]

Share = Annotated[float, Field(ge=0, le=1, strict=False)]


class EvidenceRule(Model):
    """What evidence a portrait expects: one item a year of a kind for an aspect.

    ``share`` is the part of the aspect that the kind speaks for; the shares of an aspect add up to 1. What an
    item says halves in ``half_life_years``; items of years before the last ``horizon_years`` no longer count.
    The last of these years is the current one where an item is ``due`` within the year that it speaks of, and
    the one before where it is due after its year is over (an annual appraisal).
    """

    aspect: Aspect
    kind: Annotated[EvidenceKind, Field(strict=False)]
    share: Annotated[float, Field(gt=0, le=1, strict=False)]
    half_life_years: Annotated[float, Field(gt=0, le=50, strict=False)]
    horizon_years: Annotated[int, Field(ge=1, le=20)]
    due: Literal["within", "after"] = "within"


class TrialRule(Model):
    """How quasi-post ratings are put together.

    Parameters
    ----------
    prior_mean, prior_sd
        What is supposed of a person whom nobody has rated, points.
    rating_sd, severity_sd
        Spread of single ratings of one person, and of the severity of raters, points.
    online_share
        Part of the result that online ratings make up where both channels were heard.
    household_cap
        Ratings of one household weigh together at most as much as this number of ratings.
    divergence_z
        From this many standard deviations on, online and offline results are said to diverge.
    interval_z
        Standard deviations to either side of a result that its interval covers.
    """

    prior_mean: Annotated[float, Field(ge=0, le=100, strict=False)]
    prior_sd: Annotated[float, Field(gt=0, le=100, strict=False)]
    rating_sd: Annotated[float, Field(gt=0, le=100, strict=False)]
    severity_sd: Annotated[float, Field(gt=0, le=100, strict=False)]
    online_share: Share
    household_cap: Annotated[float, Field(gt=0, strict=False)]
    divergence_z: Annotated[float, Field(gt=0, le=10, strict=False)]
    interval_z: Annotated[float, Field(gt=0, le=10, strict=False)]


class PostProfile(Model):
    """What a post asks for: weights of aspects that add up to 1.

    ``reach`` is how far from the unit people are looked for: in the unit itself, its township or street, its
    county or the whole city. Somebody at home in no unit may be proposed anywhere but where only the unit's
    own people may.
    """

    id: Identifier
    label: str
    post: Post
    unit_kind: Kind | None = None
    weights: dict[Aspect, Annotated[float, Field(ge=0, le=1, strict=False)]]
    reach: Reach = "township"


class UnitNeed(Model):
    """How much more an aspect counts where a unit loses points: the weight times 1 + gain · share lost."""

    dimension: Identifier
    aspect: Aspect
    gain: Annotated[float, Field(ge=0, le=10, strict=False)]


class StepRule(Model):
    """What a cultivation step is expected to raise, points of the aspect, and how long it takes."""

    step: Annotated[CultivationStep, Field(strict=False)]
    days: Annotated[int, Field(ge=1, le=1000)]
    rise: dict[Aspect, Annotated[float, Field(gt=0, le=100, strict=False)]]
    per_mentor: Annotated[int, Field(ge=1, le=100)]


class TeamTarget(Model):
    """One target of the structure of committees; never a condition on a person.

    ``at_least`` counts members of a committee whom ``measure`` holds for (``women``, ``minority``, ``young``:
    at most ``age`` years old, ``educated``: at least junior college), and who sit in one of ``posts`` where
    these are named. A hard target is kept if it can be; one that is not may be missed at ``penalty`` points
    of fit a member.
    """

    id: Identifier
    label: str
    measure: Literal["women", "minority", "young", "educated"]
    at_least: Annotated[int, Field(ge=1, le=20)]
    unit_kind: Kind | None = None
    posts: Annotated[tuple[Post, ...], BeforeValidator(as_tuple)] = ()
    age: Annotated[int, Field(ge=18, le=100)] | None = None
    hard: bool = False
    penalty: Annotated[float, Field(ge=0, le=1000, strict=False)] = 0.0
    source: str


class TalentPack(Header):
    """How reserve talent is portrayed, matched and cultivated.

    Parameters
    ----------
    evidence, trial
        What portraits rest on.
    missing
        Mean of what is not known, points; its interval is always 0 to 100.
    stale_days
        Days after which a record that nobody updated is stale.
    profiles, needs
        What posts ask for, and how units change it.
    list_length, lists_per_person
        Candidates wanted a post at least (a post always wants one more than it has seats, so that there is a
        choice), and on how many of the city-wide lists a person may stand.
    shortlist_length, pool, draws
        Length of a post's own shortlist; how many people compete in its draws, and how many draws there are.
    steps
        Cultivation steps.
    targets
        Structure of committees.
    """

    kind: Literal["talent"]
    evidence: Annotated[tuple[EvidenceRule, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    trial: TrialRule
    missing: Annotated[float, Field(ge=0, le=100, strict=False)]
    stale_days: Annotated[int, Field(ge=1, le=3650)]
    profiles: Annotated[tuple[PostProfile, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    needs: Annotated[tuple[UnitNeed, ...], BeforeValidator(as_tuple)] = ()
    list_length: Annotated[int, Field(ge=2, le=10)]
    lists_per_person: Annotated[int, Field(ge=1, le=20)]
    shortlist_length: Annotated[int, Field(ge=1, le=100)]
    pool: Annotated[int, Field(ge=1, le=500)]
    draws: Annotated[int, Field(ge=1, le=100_000)]
    steps: Annotated[tuple[StepRule, ...], BeforeValidator(as_tuple)] = ()
    targets: Annotated[tuple[TeamTarget, ...], BeforeValidator(as_tuple)] = ()

    def wanted(self, seats: int) -> int:
        """Return how many candidates a post wants.

        Examples
        --------
        >>> from huanjie_lib.parameters import load_parameters
        >>> pack = load_parameters().talent
        >>> [pack.wanted(seats) for seats in (1, 2, 5)]
        [2, 3, 6]
        """
        return max(self.list_length, seats + 1)

    def profile(self, post: PostKind, unit_kind: UnitKind) -> PostProfile:
        """Return what a post asks for in a unit of a kind; a profile for the kind goes before one for both.

        Raises
        ------
        KeyError
            If the pack has no profile of the post.
        """
        for wanted in (unit_kind, None):
            for candidate in self.profiles:
                if candidate.post is post and candidate.unit_kind is wanted:
                    return candidate
        raise KeyError(post.value)


def talent_faults(pack: TalentPack, framework: Framework | None) -> list[Fault]:
    """Return each aspect, profile, need and target of a talent pack that cannot be as it is written."""
    where, faults = "talent.yaml", list[Fault]()
    cells = [(rule.aspect, rule.kind) for rule in pack.evidence]
    faults += [
        Fault(f"{where}：evidence[{aspect}]", f"{kind} 写了两次", "每个要素每类证据一条", "删去多余的一条")
        for aspect, kind in sorted({cell for cell in cells if cells.count(cell) > 1})
    ]
    for aspect in PortraitAspect:
        at, shares = f"{where}：evidence[{aspect}]", [r.share for r in pack.evidence if r.aspect is aspect]
        if aspect is PortraitAspect.TRIAL and shares:
            faults.append(Fault(at, "trial", "其他画像要素", "删去此项：准岗表现由考察评分算出"))
        elif aspect is not PortraitAspect.TRIAL:
            faults += (
                sum_fault(f"{at}.share", shares)
                if shares
                else [Fault(at, "没有写明", "至少一类证据", "补充该要素看哪些证据")]
            )
    faults += _profile_faults(pack, where)
    if framework is not None:
        known = [dimension.id for dimension in framework.dimensions]
        faults += [
            Fault(f"{where}：needs[{need.dimension}]", need.dimension, "、".join(known), "改为维度的 id")
            for need in pack.needs
            if need.dimension not in known
        ]
    faults += [
        Fault(
            f"{where}：targets[{t.id}].age", "没有写明" if t.age is None else f"{t.age}", allowed, "改正此项"
        )
        for t in pack.targets
        for allowed in (["年龄上限"] if t.measure == "young" else ["不填"])
        if (t.age is None) is (t.measure == "young")
    ]
    return faults


def _profile_faults(pack: TalentPack, where: str) -> list[Fault]:
    """Return each profile whose weights do not sum to one, each written twice, and each post without one."""
    faults, kinds = list[Fault](), [(p.post, p.unit_kind) for p in pack.profiles]
    for profile in pack.profiles:
        faults += sum_fault(f"{where}：profiles[{profile.id}].weights", list(profile.weights.values()))
    names = [profile.id for profile in pack.profiles]
    twice = [n for n in names if names.count(n) > 1]
    twice += [p.id for p in pack.profiles if kinds.count((p.post, p.unit_kind)) > 1]
    faults += [
        Fault(f"{where}：profiles[{name}]", "写了两次", "每个岗位每类单位一个画像", "删去多余的一个")
        for name in sorted(set(twice))
    ]
    return faults + [
        Fault(f"{where}：profiles", f"没有{kind.label}{post.label}的画像", "每个岗位一个画像", "补充该岗位")
        for post in PostKind
        for kind in UnitKind
        if not {(post, kind), (post, None)} & set(kinds)
    ]
