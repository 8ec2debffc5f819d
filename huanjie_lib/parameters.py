"""Dated, sourced and validated parameters: indicator framework, cut-offs, gates and rule packs.

A parameter set is read from YAML packs. A pack folder holds ``framework.yaml`` (metrics, dimensions,
indicators), ``classification.yaml`` (cut-offs) and, where they are wanted, ``gates.yaml`` and
``uncertainty.yaml`` (how far the judgements may be off) and ``measures.yaml`` (what can be done, at what
cost); rule packs lie beside it by region and may extend one another. Reading checks everything before it
refuses, so that one
:class:`~huanjie_lib.errors.ParameterError` lists every fault of every file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import math
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.vocabulary import (
    CaseKind,
    CultivationStep,
    EvidenceKind,
    LeadKind,
    PersonStatus,
    PortraitAspect,
    PostKind,
    Relation,
    UnitKind,
    VettingGround,
    Word,
)

__all__ = [
    "DEFAULT_ASSUMPTIONS",
    "DERIVED_MEASURES",
    "GATE_CHECKS",
    "PERMANENT",
    "SIGNAL_CHECKS",
    "ChangeMeasure",
    "Classification",
    "DerivedMeasure",
    "Dimension",
    "Effect",
    "EvidenceRule",
    "Framework",
    "Gate",
    "GatePack",
    "Indicator",
    "MeasureLibrary",
    "Metric",
    "MetricMeasure",
    "MissingPolicy",
    "ParameterSet",
    "PostProfile",
    "PrivacyPack",
    "Remedy",
    "RemedyCost",
    "RetentionTerm",
    "Rule",
    "RulePack",
    "RuleRef",
    "SetEffect",
    "ShareEffect",
    "Signal",
    "SignalPack",
    "StepEffect",
    "StepRule",
    "TalentPack",
    "TeamTarget",
    "TrialRule",
    "UncertaintyAssumptions",
    "UncertaintyPack",
    "UniqueKeyLoader",
    "UnitNeed",
    "Unremediable",
    "available_regions",
    "load_parameters",
    "load_privacy",
    "pydantic_fault",
]

WEIGHT_TOLERANCE = 1e-9

DERIVED_MEASURES: Mapping[str, frozenset[str]] = {
    "audit_items_incomplete": frozenset(),
    "audit_members_unaudited": frozenset(),
    "audit_problems_open": frozenset({"major_weight"}),
    "audit_problems_overdue": frozenset(),
    "audit_notice_deficit": frozenset({"min_count", "min_days", "min_gap_days"}),
    "audit_objections_open": frozenset(),
    "review_incomplete": frozenset({"departments"}),
    "review_adverse": frozenset(),
    "review_expired": frozenset(),
    "election_turnout": frozenset(),
    "election_invalid_share": frozenset(),
    "election_margin": frozenset(),
    "election_proxy_share": frozenset(),
    "election_reruns": frozenset({"terms"}),
    "leads_rate": frozenset({"months", "electors_metric"}),
    "disputes_open": frozenset(),
    "disputes_oldest_days": frozenset(),
    "disputes_group": frozenset({"months"}),
    "disputes_without_plan": frozenset(),
    "screening_age_days": frozenset(),
    "talks_incomplete": frozenset(),
    "roll_gap": frozenset(),
}
"""Measures computed from event tables, with the options each takes."""

GATE_CHECKS: Mapping[str, frozenset[str]] = {
    "audit_items_complete": frozenset(),
    "audit_members_complete": frozenset(),
    "audit_conclusions_clear": frozenset(),
    "audit_notices": frozenset({"min_count", "min_days", "min_gap_days"}),
    "audit_problems_in_time": frozenset(),
    "screening_done": frozenset({"max_age_days"}),
    "reviews_complete": frozenset({"departments"}),
}
"""Gate checks, with the options each takes."""

SIGNAL_CHECKS: Mapping[str, frozenset[str]] = {
    "roll_gap": frozenset({"min_effect", "min_count", "max_age_days"}),
    "roll_duplicates": frozenset({"min_effect", "min_count", "max_age_days"}),
    "registration_surge": frozenset({"min_effect", "min_count", "max_age_days", "previous_days"}),
    "proxy_share": frozenset({"min_effect", "min_count"}),
    "leads_burst": frozenset(
        {"min_effect", "min_count", "window_days", "baseline_days", "lead_kinds", "electors_metric"}
    ),
    "review_missing": frozenset({"departments"}),
    "review_expired": frozenset({"departments"}),
    "review_adverse": frozenset({"departments"}),
}
"""Anomaly checks, with the options each takes."""

PERMANENT = "长期"
"""Value of a ``bar_…`` rule that no number of years ends."""

PERSON_RULES: Mapping[str, type[Word]] = {
    "reserve_excluded": PersonStatus,
    "post_full_member": PostKind,
    "post_avoids_kin": PostKind,
    "supervised_posts": PostKind,
    "kin_relations": Relation,
}
"""Rules on people whose value lists words of a vocabulary."""


OPTION_WORDS: Mapping[str, str] = {
    "major_weight": "大于 0 的数",
    "min_count": "大于 0 的整数",
    "min_days": "大于 0 的整数",
    "min_gap_days": "不小于 0 的整数",
    "max_age_days": "大于 0 的整数",
    "months": "大于 0 的整数",
    "terms": "大于 0 的整数",
    "departments": "一个以上的部门",
    "electors_metric": "metrics 中登记的存量指标项",
    "min_effect": "大于 0 的数",
    "previous_days": "大于 0 的整数",
    "window_days": "大于 0 的整数",
    "baseline_days": "大于 0 的整数",
    "lead_kinds": "一个以上的线索类别：" + "、".join(LeadKind.labels()),
}
"""What each option takes, in Chinese."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=False)


_M = TypeVar("_M", bound=_Model)


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _as_kind(value: object) -> object:
    if isinstance(value, str):
        return UnitKind.from_text(value) or value
    return value


Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Date = Annotated[dt.date, Field(strict=False)]
Kind = Annotated[UnitKind, BeforeValidator(_as_kind)]
Post = Annotated[PostKind, Field(strict=False)]
Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]


class RuleRef(_Model):
    """Reference to a rule of the rule pack, written ``{rule: ID}``."""

    rule: Identifier


Option = Annotated[
    RuleRef | int | float | str | tuple[str, ...],
    Field(union_mode="left_to_right"),
    BeforeValidator(_as_tuple),
]


class Metric(_Model):
    """A figure reported in the ``facts`` table.

    ``stock`` metrics describe a day and are carried forward until ``max_age_days``; ``flow`` metrics count
    a month and are summed over a window of which every month must have been reported.
    """

    label: str
    unit: str
    family: str
    kind: Literal["stock", "flow"] = "stock"
    integer: bool = False
    minimum: Number | None = None
    maximum: Number | None = None
    max_age_days: Annotated[int, Field(gt=0)] = 400
    aliases: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()


class MetricMeasure(_Model):
    """``scale · metric / per``; flows are summed over ``months``."""

    kind: Literal["metric"]
    metric: Identifier
    months: Annotated[int, Field(gt=0)] | None = None
    per: Identifier | None = None
    scale: Number = 1.0


class ChangeMeasure(_Model):
    """Relative change of a stock metric against its value ``months`` earlier: ``(now − then) / then``."""

    kind: Literal["change"]
    metric: Identifier
    months: Annotated[int, Field(gt=0)]


class DerivedMeasure(_Model):
    """A measure computed from event tables by a named function of ``risk.indicators``."""

    kind: Literal["derived"]
    function: str
    options: dict[str, Option] = {}


Measure = Annotated[MetricMeasure | ChangeMeasure | DerivedMeasure, Field(discriminator="kind")]


class MissingPolicy(_Model):
    """What the published index assumes where the value is missing.

    ``worst`` takes severity 1; ``severity`` takes a declared severity of at least 0.5, so that a gap in the
    data never makes a unit look safe.
    """

    policy: Literal["worst", "severity"]
    severity: Annotated[float, Field(ge=0.5, le=1.0, strict=False)] = 1.0

    @property
    def assumed(self) -> float:
        """Severity assumed by the published index."""
        return 1.0 if self.policy == "worst" else self.severity


Point = Annotated[tuple[Number, Number], BeforeValidator(_as_tuple)]


class Indicator(_Model):
    """One indicator: what it measures and how a value becomes a severity.

    ``reference_points`` are (value, severity) pairs of a monotone piecewise-linear value function; values
    outside take the severity of the nearest end point.
    """

    id: Identifier
    label: str
    unit: str
    definition: str
    reason: str
    weight: Annotated[float, Field(ge=0, le=1, strict=False)]
    measure: Measure
    reference_points: Annotated[tuple[Point, ...], BeforeValidator(_as_tuple), Field(min_length=2)]
    applies_to: Annotated[tuple[Kind, ...], BeforeValidator(_as_tuple)] = tuple(UnitKind)
    missing: MissingPolicy
    source: str
    decimals: Annotated[int, Field(ge=0, le=6)] = 1
    percent: bool = False

    @property
    def high_is_safe(self) -> bool:
        """Whether a larger value is safer."""
        return self.reference_points[0][1] > self.reference_points[-1][1]

    def describe(self, value: float | None, *, severity: float | None = None) -> str:
        """Return in one sentence what the value says.

        Parameters
        ----------
        value
            The indicator's value; missing where it is not known.
        severity
            Its severity; at 0 the sentence says that no points are lost instead of giving a reason.

        Examples
        --------
        >>> rate = load_parameters().framework.indicator("petition_rate")
        >>> rate.describe(12.34)
        '近12个月每千人信访12.3件次'
        >>> rate.describe(0.4, severity=0.0)
        '千人信访率0.4件次/千人，不扣分'
        >>> rate.describe(None)
        '千人信访率缺少数据'
        """
        if value is None or math.isnan(value):
            return f"{self.label}缺少数据"
        if severity == 0:
            unit = "" if self.percent else self.unit
            return f"{self.label}{self.format(value)}{unit}，不扣分"
        return self.reason.replace("{value}", self.format(value))

    def format(self, value: float) -> str:
        """Return a value as it is shown on screens and in files, with ``%`` where it is a share."""
        if self.percent:
            return f"{100 * value:.{self.decimals}f}%"
        return f"{value:,.{self.decimals}f}"


class Dimension(_Model):
    """One evaluation dimension; ``power`` > 1 makes bad indicators count more (non-compensatory)."""

    id: Identifier
    label: str
    short: str
    weight: Annotated[float, Field(ge=0, le=1, strict=False)]
    power: Annotated[float, Field(ge=1, le=20, strict=False)] = 1.0
    indicators: Annotated[tuple[Indicator, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


class _Header(_Model):
    id: str
    version: str
    title: str
    effective_from: Date
    effective_to: Date | None = None
    author: str
    source: str
    reason: str = ""


class Framework(_Header):
    """Indicator framework: metrics, dimensions and indicators with their weights."""

    kind: Literal["framework"]
    metrics: dict[Identifier, Metric]
    dimensions: Annotated[tuple[Dimension, ...], BeforeValidator(_as_tuple), Field(min_length=1)]

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        """All indicators in the order of their dimensions."""
        return tuple(i for d in self.dimensions for i in d.indicators)

    def indicator(self, indicator_id: str) -> Indicator:
        """Return one indicator.

        Raises
        ------
        KeyError
            If the framework has no such indicator.
        """
        for candidate in self.indicators:
            if candidate.id == indicator_id:
                return candidate
        raise KeyError(indicator_id)

    def dimension_of(self, indicator_id: str) -> Dimension:
        """Return the dimension an indicator belongs to.

        Raises
        ------
        KeyError
            If the framework has no such indicator.
        """
        for dimension in self.dimensions:
            if any(i.id == indicator_id for i in dimension.indicators):
                return dimension
        raise KeyError(indicator_id)


class Classification(_Header):
    """Cut-offs of the colours, without gaps: green ≥ ``green_from`` > yellow ≥ ``yellow_from`` > red.

    With hysteresis a unit improves its colour only once it clears the cut-off by ``improve_margin``, and
    worsens once it falls below it by more than ``worsen_margin``.
    """

    kind: Literal["classification"]
    green_from: Annotated[float, Field(gt=0, le=100, strict=False)]
    yellow_from: Annotated[float, Field(ge=0, lt=100, strict=False)]
    improve_margin: Annotated[float, Field(ge=0, le=20, strict=False)] = 0.0
    worsen_margin: Annotated[float, Field(ge=0, le=20, strict=False)] = 0.0


class UncertaintyAssumptions(_Model):
    """How far the judgements behind a colour may be off, and how the colour's chances are computed.

    ``weight_concentration`` is the concentration of the Dirichlet distributions around the adopted weights
    (larger = surer; ``None`` = certain), ``reference_shift`` the σ of the reference points as a share of
    their span, ``data_error`` the relative standard deviation of observed values. ``draws`` is the number of
    draws, and a colour is contested when no colour has at least the chance ``contested_below``.

    Examples
    --------
    >>> UncertaintyAssumptions(draws=200, reference_shift=0.05)
    UncertaintyAssumptions(draws=200, weight_concentration=100.0, reference_shift=0.05, data_error=0.0, \
contested_below=0.8)
    """

    draws: Annotated[int, Field(ge=1, le=100_000)] = 1000
    weight_concentration: Annotated[float, Field(ge=1, allow_inf_nan=False, strict=False)] | None = 100.0
    reference_shift: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.0
    data_error: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.0
    contested_below: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.8


DEFAULT_ASSUMPTIONS = UncertaintyAssumptions()


class UncertaintyPack(_Header, UncertaintyAssumptions):
    """The declared uncertainty of a place, with author and source."""

    kind: Literal["uncertainty"]


class Gate(_Model):
    """A hard condition for starting an election; no score compensates for it."""

    id: Identifier
    label: str
    check: str
    options: dict[str, Option] = {}
    rule: str
    remedy: str


class GatePack(_Header):
    """The gates of the admission list (准入清单)."""

    kind: Literal["gates"]
    gates: Annotated[tuple[Gate, ...], BeforeValidator(_as_tuple)]


class Signal(_Model):
    """An anomaly check: what it looks at, against what it is judged, and what to do about a flag.

    A ``restricted`` signal is shown only to roles that may see leads.
    """

    id: Identifier
    label: str
    check: str
    options: dict[str, Option] = {}
    definition: str
    null_model: str
    follow_up: str
    restricted: bool
    source: str


class SignalPack(_Header):
    """The anomaly checks, and the share of false flags to be expected among those of each kind.

    ``min_units`` is the least number of units with data among which a unit can be called unusual.
    """

    kind: Literal["signals"]
    fdr: Annotated[float, Field(gt=0, le=0.5, strict=False)]
    min_units: Annotated[int, Field(ge=20)]
    signals: Annotated[tuple[Signal, ...], BeforeValidator(_as_tuple), Field(min_length=1)]

    def signal(self, signal_id: str) -> Signal:
        """Return one signal.

        Raises
        ------
        KeyError
            If the pack has no such signal.
        """
        for candidate in self.signals:
            if candidate.id == signal_id:
                return candidate
        raise KeyError(signal_id)


UNIT_OFFICE = "镇街"
"""Owner that stands for the unit's own township or street office."""

NEW_YEAR_WINDOW = 25
"""From this day of December on, the arrangement of the next year may have days off and make-up days."""


class CaseRule(_Model):
    """How a kind of case is dealt with: working days allowed, and who answers for it unless told otherwise.

    ``owner`` may be :data:`UNIT_OFFICE`, which stands for the unit's own township or street office.
    ``ledger_owner`` says whether an office named by a ledger goes before it: such an office, often the
    committee itself, must then have an account of its own to put its cases right.
    """

    kind: Annotated[CaseKind, Field(strict=False)]
    due_workdays: Annotated[int, Field(ge=1, le=250)]
    owner: Annotated[str, Field(pattern=r"\S")]
    ledger_owner: bool = False
    note: str = ""


class WorkCalendar(_Model):
    """Holiday arrangements of whole years, from their notices; they go before those of the calendar library.

    ``days_off`` are Mondays to Fridays off, ``workdays`` Saturdays and Sundays worked; of ``years`` and of
    the last week of December before.
    """

    days_off: Annotated[tuple[Date, ...], BeforeValidator(_as_tuple)] = ()
    workdays: Annotated[tuple[Date, ...], BeforeValidator(_as_tuple)] = ()
    years: Annotated[tuple[Annotated[int, Field(ge=2004, le=2100)], ...], BeforeValidator(_as_tuple)] = ()
    source: str = ""


class CaseworkPack(_Header):
    """How alerts become cases and how ledgers are judged.

    ``due_soon_workdays`` is how many working days before its deadline a case is about to be overdue. What
    cannot be judged for want of data opens a case only where it can be judged in at least ``known_share`` of
    the units: below that the ledger as a whole is not there yet, which is no unit's own fault.
    ``audit_departments`` are the offices that must take part in an audit, ``audit_department_aliases`` the
    other names under which each may be filed; a talk, notice or plan is never judged here but by the gates
    and rules.
    """

    kind: Literal["casework"]
    rules: Annotated[tuple[CaseRule, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    due_soon_workdays: Annotated[int, Field(ge=0, le=60)]
    known_share: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.5
    audit_departments: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
    audit_department_aliases: dict[str, Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]] = {}
    min_representatives: Annotated[int, Field(ge=0)]
    calendar: WorkCalendar = WorkCalendar()

    def rule(self, kind: CaseKind) -> CaseRule:
        """Return how a kind of case is dealt with.

        Raises
        ------
        KeyError
            If the pack opens no case of that kind.
        """
        for candidate in self.rules:
            if candidate.kind is kind:
                return candidate
        raise KeyError(kind.value)


Aspect = Annotated[PortraitAspect, Field(strict=False)]
Reach = Literal["unit", "township", "county", "city"]
Share = Annotated[float, Field(ge=0, le=1, strict=False)]


class EvidenceRule(_Model):
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


class TrialRule(_Model):
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


class PostProfile(_Model):
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


class UnitNeed(_Model):
    """How much more an aspect counts where a unit loses points: the weight times 1 + gain · share lost."""

    dimension: Identifier
    aspect: Aspect
    gain: Annotated[float, Field(ge=0, le=10, strict=False)]


class StepRule(_Model):
    """What a cultivation step is expected to raise, points of the aspect, and how long it takes."""

    step: Annotated[CultivationStep, Field(strict=False)]
    days: Annotated[int, Field(ge=1, le=1000)]
    rise: dict[Aspect, Annotated[float, Field(gt=0, le=100, strict=False)]]
    per_mentor: Annotated[int, Field(ge=1, le=100)]


class TeamTarget(_Model):
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
    posts: Annotated[tuple[Post, ...], BeforeValidator(_as_tuple)] = ()
    age: Annotated[int, Field(ge=18, le=100)] | None = None
    hard: bool = False
    penalty: Annotated[float, Field(ge=0, le=1000, strict=False)] = 0.0
    source: str


class TalentPack(_Header):
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
    evidence: Annotated[tuple[EvidenceRule, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    trial: TrialRule
    missing: Annotated[float, Field(ge=0, le=100, strict=False)]
    stale_days: Annotated[int, Field(ge=1, le=3650)]
    profiles: Annotated[tuple[PostProfile, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    needs: Annotated[tuple[UnitNeed, ...], BeforeValidator(_as_tuple)] = ()
    list_length: Annotated[int, Field(ge=2, le=10)]
    lists_per_person: Annotated[int, Field(ge=1, le=20)]
    shortlist_length: Annotated[int, Field(ge=1, le=100)]
    pool: Annotated[int, Field(ge=1, le=500)]
    draws: Annotated[int, Field(ge=1, le=100_000)]
    steps: Annotated[tuple[StepRule, ...], BeforeValidator(_as_tuple)] = ()
    targets: Annotated[tuple[TeamTarget, ...], BeforeValidator(_as_tuple)] = ()

    def wanted(self, seats: int) -> int:
        """Return how many candidates a post wants.

        Examples
        --------
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


RuleValue = Annotated[
    int | float | str | tuple[str, ...], Field(union_mode="left_to_right"), BeforeValidator(_as_tuple)
]


class Rule(_Model):
    """One dated rule with its legal source. Confidence: H text read, M secondary source, L thin."""

    id: Identifier
    label: str
    value: RuleValue
    unit: str = ""
    effective_from: Date
    effective_to: Date | None = None
    source: str
    article: str = ""
    confidence: Literal["H", "M", "L"]
    note: str = ""


class RulePack(_Header):
    """Rules of one region, laid over those of the region it extends."""

    kind: Literal["rules"]
    region: Identifier
    extends: Identifier | None = None
    rules: Annotated[tuple[Rule, ...], BeforeValidator(_as_tuple)]


class RetentionTerm(_Model):
    """How long rows of one table are kept.

    ``since`` is the column whose date a term runs from, ``otherwise`` the one that counts where it is empty;
    rows without either date never fall due. Only rows in the ``status`` count where one is named.
    ``whole_person`` says that a person falls due and not a row.
    """

    id: Identifier
    label: str
    table: str
    since: str
    otherwise: str = ""
    months: Annotated[int, Field(ge=1, le=1200)]
    status: str = ""
    whole_person: bool = False
    basis: str


class PrivacyPack(_Header):
    """How long data of people are kept, and by when what they ask for is answered.

    It enters no figure and so is no part of a :class:`ParameterSet`. Logs are kept ``log_months`` and impact
    assessments ``assessment_months`` at least; whole talent folders go after ``talent_folder_months``.
    """

    kind: Literal["privacy"]
    request_workdays: Annotated[int, Field(ge=1, le=60)]
    request_basis: str
    terms: Annotated[tuple[RetentionTerm, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    talent_folder_months: Annotated[int, Field(ge=1, le=1200)]
    talent_folder_basis: str
    log_months: Annotated[int, Field(ge=6, le=1200)]
    log_basis: str
    assessment_months: Annotated[int, Field(ge=36, le=1200)]
    assessment_basis: str


class SetEffect(_Model):
    """The indicator takes a value, unless it is better already.

    With ``establishes`` the act itself makes the value known, so that it may stand for a missing one (a
    screening made today is no days old, whatever the ledger lacked).
    """

    kind: Literal["set"]
    indicator: Identifier
    value: Number
    establishes: bool = False


class ShareEffect(_Model):
    """A share of the distance to ``toward`` goes, unless the value is better already."""

    kind: Literal["share"]
    indicator: Identifier
    share: Annotated[float, Field(gt=0, le=1, strict=False)]
    toward: Number


class StepEffect(_Model):
    """The value moves by ``step`` each time the measure is taken, and never past ``until``."""

    kind: Literal["add"]
    indicator: Identifier
    step: Number
    until: Number


Effect = Annotated[SetEffect | ShareEffect | StepEffect, Field(discriminator="kind")]


class RemedyCost(_Model):
    """Team-days (工作组日) of a measure: ``fixed + each · quantity``.

    The quantity is the number of times the measure is taken, or, where ``per`` names an indicator, the
    improvement of its value by this measure alone in pieces of ``size``.
    """

    fixed: Annotated[float, Field(ge=0, le=10_000, strict=False)] = 0.0
    each: Annotated[float, Field(ge=0, le=10_000, strict=False)] = 0.0
    per: Identifier | None = None
    size: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] = 1.0


class Remedy(_Model):
    """One measure of the library (措施): what it does to which indicators, its cost, time and conditions.

    ``answers`` names unremediable indicators that the measure meets without regaining a point. ``reports``
    marks the measure that supplies missing data. A measure that ``replaces`` others counts as having taken
    them, and is never taken beside them. ``requires`` names measures to be taken first where they have
    anything to do in the unit. A measure is taken no more often than each indicator of ``bounded_by`` leaves
    it to do. A ``sequential`` measure takes its duration once for each time.
    """

    id: Identifier
    label: str
    effects: Annotated[tuple[Effect, ...], BeforeValidator(_as_tuple)] = ()
    answers: Annotated[tuple[Identifier, ...], BeforeValidator(_as_tuple)] = ()
    reports: bool = False
    times: Annotated[int, Field(ge=1, le=50)] = 1
    counter: str = ""
    cost: RemedyCost
    duration_days: Annotated[int, Field(ge=1, le=1000)]
    sequential: bool = False
    bounded_by: Annotated[tuple[Identifier, ...], BeforeValidator(_as_tuple)] = ()
    requires: Annotated[tuple[Identifier, ...], BeforeValidator(_as_tuple)] = ()
    excludes: Annotated[tuple[Identifier, ...], BeforeValidator(_as_tuple)] = ()
    replaces: Annotated[tuple[Identifier, ...], BeforeValidator(_as_tuple)] = ()
    gates: Annotated[tuple[Identifier, ...], BeforeValidator(_as_tuple)] = ()
    who: str
    applies_to: Annotated[tuple[Kind, ...], BeforeValidator(_as_tuple)] = tuple(UnitKind)
    limits: str
    confidence: Literal["H", "M", "L"]
    source: str


class Unremediable(_Model):
    """An indicator that records what has happened and that no measure changes."""

    indicator: Identifier
    reason: str


class MeasureLibrary(_Header):
    """The measures library (措施库); the order of its measures is the last tie rule between equal sets."""

    kind: Literal["measures"]
    cost_unit: str
    measures: Annotated[tuple[Remedy, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    unremediable: Annotated[tuple[Unremediable, ...], BeforeValidator(_as_tuple)] = ()

    def measure(self, measure_id: str) -> Remedy:
        """Return one measure.

        Raises
        ------
        KeyError
            If the library has no such measure.
        """
        for candidate in self.measures:
            if candidate.id == measure_id:
                return candidate
        raise KeyError(measure_id)


class ParameterSet(_Model):
    """Everything a run needs to know besides the tables.

    ``rules`` holds the region's rules after those it extends; the last rule in force wins.
    """

    framework: Framework
    classification: Classification
    gates: GatePack | None
    rules: Annotated[tuple[Rule, ...], BeforeValidator(_as_tuple)]
    region: str
    uncertainty: UncertaintyPack | None = None
    measures: MeasureLibrary | None = None
    signals: SignalPack | None = None
    casework: CaseworkPack | None = None
    talent: TalentPack | None = None

    @property
    def assumptions(self) -> UncertaintyAssumptions:
        """The declared uncertainty; the defaults where the pack declares none.

        Examples
        --------
        >>> load_parameters().assumptions.draws
        1000
        """
        return self.uncertainty or DEFAULT_ASSUMPTIONS

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the whole set."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, which has its own digest.

        Examples
        --------
        >>> parameters = load_parameters()
        >>> parameters.digest == parameters.model_copy(update={"region": "other"}).digest
        False
        """
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("digest", None)  # a copy takes over what has been kept
        return copied

    @property
    def version(self) -> str:
        """Version shown with every output: framework id and version, region, and eight digits of the digest.

        Examples
        --------
        >>> load_parameters().version.startswith("default@2026.1/national/")
        True
        """
        return f"{self.framework.id}@{self.framework.version}/{self.region}/{self.digest[:8]}"

    def canonical_json(self) -> str:
        """Return the set as JSON with sorted keys; equal sets give equal text."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Rebuild a set from :meth:`canonical_json`.

        Examples
        --------
        >>> parameters = load_parameters()
        >>> ParameterSet.from_json(parameters.canonical_json()) == parameters
        True
        """
        return cls.model_validate(json.loads(text))

    def not_in_force(self, as_of: dt.date) -> list[Fault]:
        """Return the packs of the set that a date lies outside of; single rules are dated by themselves.

        An earlier month recomputed with today's packs is meant to be, so this is told and not refused.

        Examples
        --------
        >>> load_parameters().not_in_force(dt.date(2026, 10, 31))
        []
        >>> load_parameters().not_in_force(dt.date(2025, 12, 31))[0].found
        '2026-01-01 起有效'
        """
        parts = {name: getattr(self, name) for name in type(self).model_fields}
        return [
            Fault(
                f"{name}.yaml",
                f"{part.effective_from} 起{f'至 {part.effective_to} ' if part.effective_to else ''}有效",
                f"{as_of} 有效的参数",
                "改用该日期有效的参数包",
            )
            for name, part in parts.items()
            if isinstance(part, _Header)
            and not part.effective_from <= as_of <= (part.effective_to or dt.date.max)
        ]

    def rule(self, rule_id: str, as_of: dt.date) -> Rule:
        """Return the rule in force on a date.

        Raises
        ------
        ParameterError
            If no rule of that id is in force on the date.

        Examples
        --------
        >>> load_parameters().rule("audit_notice_min_count", dt.date(2026, 10, 31)).value
        2
        """
        found = self.rule_in_force(rule_id, as_of)
        if found is None:
            dates = "、".join(str(r.effective_from) for r in self.rules if r.id == rule_id) or "无此规则"
            raise ParameterError(
                f"规则 {rule_id} 在 {as_of} 没有有效值",
                [
                    Fault(
                        f"规则包（{self.region}）：{rule_id}",
                        dates,
                        f"在 {as_of} 有效的一条规则",
                        "在规则包中补充该日期有效的规则，或更换地区规则包",
                    )
                ],
            )
        return found

    def rule_in_force(self, rule_id: str, as_of: dt.date) -> Rule | None:
        """Return the rule in force on a date, or ``None`` where the region has none that day.

        Examples
        --------
        >>> load_parameters().rule_in_force("bar_cult", dt.date(2019, 5, 31)) is None
        True
        """
        in_force = [
            r
            for r in self.rules
            if r.id == rule_id
            and r.effective_from <= as_of
            and (r.effective_to is None or as_of <= r.effective_to)
        ]
        return in_force[-1] if in_force else None

    def options(self, options: Mapping[str, Any], as_of: dt.date) -> dict[str, Any]:
        """Return options with every rule reference replaced by the value in force on ``as_of``.

        Raises
        ------
        ParameterError
            If a referenced rule is not in force on the date.
        """
        return {
            k: self.rule(v.rule, as_of).value if isinstance(v, RuleRef) else v for k, v in options.items()
        }


class UniqueKeyLoader(yaml.CSafeLoader):
    """YAML loader that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping whose keys all differ."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"键 {key} 重复", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _packs() -> Path:
    return Path(str(resources.files("huanjie_lib") / "packs"))


def available_regions() -> tuple[str, ...]:
    """Return the regions for which a rule pack ships with the package.

    Examples
    --------
    >>> available_regions()
    ('national', 'zhejiang')
    """
    return tuple(sorted(p.stem for p in (_packs() / "rules").glob("*.yaml")))


def load_parameters(pack: Path | None = None, *, region: str = "national") -> ParameterSet:
    """Read and check a pack folder and a region's rules.

    Parameters
    ----------
    pack
        Folder with ``framework.yaml``, ``classification.yaml`` and, optionally, ``gates.yaml``,
        ``uncertainty.yaml``, ``measures.yaml``, ``signals.yaml``, ``casework.yaml``, ``talent.yaml`` and
        ``rules/*.yaml``; the package's own when omitted.
    region
        Region whose rules apply; looked up in ``pack/rules`` first, then among the shipped rule packs.

    Returns
    -------
    ParameterSet

    Raises
    ------
    ParameterError
        If a file is missing, is not YAML, or has any fault; every fault of every file is listed.

    Examples
    --------
    >>> parameters = load_parameters(region="zhejiang")
    >>> [d.label for d in parameters.framework.dimensions]
    ['财务审计', '资格联审', '选情评估', '班子运行', '矛盾信访', '人选储备', '程序合规']
    >>> load_parameters(region="atlantis")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.ParameterError: 参数包被拒绝（共 1 处问题）
      1. 规则包：发现“atlantis”；应为：national、zhejiang；...
    """
    folder = pack if pack is not None else _packs() / "default"
    faults: list[Fault] = []
    if not folder.is_dir():
        raise ParameterError(
            "参数包被拒绝", [Fault("参数包", str(folder), "一个文件夹", "检查 --pack 后面的路径")]
        )
    framework = _read(folder / "framework.yaml", Framework, faults)
    classification = _read(folder / "classification.yaml", Classification, faults)
    gates = _read_optional(folder / "gates.yaml", GatePack, faults)
    uncertainty = _read_optional(folder / "uncertainty.yaml", UncertaintyPack, faults)
    measures = _read_optional(folder / "measures.yaml", MeasureLibrary, faults)
    signals = _read_optional(folder / "signals.yaml", SignalPack, faults)
    casework = _read_optional(folder / "casework.yaml", CaseworkPack, faults)
    talent = _read_optional(folder / "talent.yaml", TalentPack, faults)
    rules = _read_rules(folder, region, faults)
    if framework is not None:
        faults += _framework_faults(framework)
    if classification is not None and classification.yellow_from >= classification.green_from:
        faults.append(
            Fault(
                "classification.yaml：yellow_from",
                f"{classification.yellow_from:g}",
                f"小于 green_from（{classification.green_from:g}）的数",
                "调整两个分界线",
            )
        )
    if gates is not None:
        faults += _check_faults("gates", gates.gates, GATE_CHECKS)
    if signals is not None:
        faults += _check_faults("signals", signals.signals, SIGNAL_CHECKS)
    if rules is not None:
        faults += _rule_faults(framework, gates, signals, rules)
    if casework is not None:
        faults += _casework_faults(casework)
    if talent is not None:
        faults += _talent_faults(talent, framework)
    if rules is not None:
        faults += _person_rule_faults(rules, needed=talent is not None)
    if measures is not None and framework is not None:
        faults += _library_faults(measures, framework, gates)
    if faults or framework is None or classification is None or rules is None:
        raise ParameterError("参数包被拒绝", faults)
    return ParameterSet(
        framework=framework,
        classification=classification,
        gates=gates,
        rules=tuple(rules),
        region=region,
        uncertainty=uncertainty,
        measures=measures,
        signals=signals,
        casework=casework,
        talent=talent,
    )


def load_privacy(pack: Path | None = None) -> PrivacyPack:
    """Read and check how long data of people are kept.

    Parameters
    ----------
    pack
        Folder with ``privacy.yaml``; the package's own where it has none.

    Raises
    ------
    ParameterError
        If the file has any fault: every one is listed.

    Examples
    --------
    >>> load_privacy().request_workdays
    15
    """
    own = _packs() / "default" / "privacy.yaml"
    path = own if pack is None or not (pack / own.name).exists() else pack / own.name
    faults: list[Fault] = []
    read = _read(path, PrivacyPack, faults)
    if read is not None:
        faults += _term_faults(read)
    if faults or read is None:
        raise ParameterError("参数包被拒绝", faults)
    return read


def _term_faults(pack: PrivacyPack) -> list[Fault]:
    faults = []
    for term in pack.terms:
        where = f"privacy.yaml：terms，{term.id}"
        held = TABLES.get(term.table)
        if held is None or not held.personal:
            tables = "、".join(table.name for table in TABLES.values() if table.personal)
            faults.append(Fault(f"{where}：table", term.table, tables, "改为有个人信息的表"))
            continue
        dates = [column.name for column in held.columns if column.kind == "date"]
        for key, column in (("since", term.since), ("otherwise", term.otherwise or term.since)):
            if column not in dates:
                faults.append(Fault(f"{where}：{key}", column, "、".join(dates), "改为这张表的日期列"))
        states = [] if "status" not in held.names else list(PersonStatus.labels())
        if term.status and term.status not in states:
            allowed = "、".join(states) or "不填"
            faults.append(Fault(f"{where}：status", term.status, allowed, "改为这张表的状态，或去掉"))
        if term.whole_person and "person_ref" not in held.names:
            faults.append(Fault(f"{where}：whole_person", "true", "false", "这张表没有人员代号"))
    ids = [term.id for term in pack.terms]
    faults += [
        Fault("privacy.yaml：terms", f"{one} 写了两次", "不重复的编号", "改正编号")
        for one in sorted({one for one in ids if ids.count(one) > 1})
    ]
    return faults


def _talent_faults(pack: TalentPack, framework: Framework | None) -> list[Fault]:
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
                _sum_fault(f"{at}.share", shares)
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


def _person_rule_faults(rules: Sequence[Rule], *, needed: bool) -> list[Fault]:
    """Return each rule on people whose ground or value is none, and, where needed, each that is not there."""
    faults = []
    for rule in rules:
        where = f"规则：{rule.id}（{rule.effective_from} 起）"
        words = PERSON_RULES.get(rule.id)
        if rule.id.startswith("bar_"):
            if rule.id.removeprefix("bar_") not in VettingGround.labels():
                grounds = "、".join(f"bar_{ground}" for ground in VettingGround.labels())
                faults.append(Fault(where, rule.id, grounds, "改正规则编号"))
            if rule.value != PERMANENT and not (isinstance(rule.value, int) and 0 <= rule.value <= 100):
                allowed = f"0 到 100 之间的整数（年）或“{PERMANENT}”"
                faults.append(Fault(f"{where}.value", str(rule.value), allowed, "改为影响期的年数"))
        elif words is not None:
            listed = rule.value if isinstance(rule.value, tuple) else (rule.value,)
            faults += [
                Fault(f"{where}.value", str(one), "、".join(words.labels().values()), "改为列表中的词")
                for one in listed
                if not isinstance(one, str) or words.from_text(one) is None
            ]
    known = {rule.id for rule in rules}
    return faults + [
        Fault("规则包", f"没有 {rule_id}", "talent.yaml 需要的规则", "在规则包中补充该规则")
        for rule_id in (*PERSON_RULES, "review_departments")
        if needed and rule_id not in known
    ]


def _profile_faults(pack: TalentPack, where: str) -> list[Fault]:
    """Return each profile whose weights do not sum to one, each written twice, and each post without one."""
    faults, kinds = list[Fault](), [(p.post, p.unit_kind) for p in pack.profiles]
    for profile in pack.profiles:
        faults += _sum_fault(f"{where}：profiles[{profile.id}].weights", list(profile.weights.values()))
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


def _casework_faults(pack: CaseworkPack) -> list[Fault]:
    """Return each kind of case that has two rules, and each day that is both off and worked."""
    kinds = [rule.kind for rule in pack.rules]
    twice = sorted({kind.value for kind in kinds if kinds.count(kind) > 1})
    faults = [
        Fault(f"casework.yaml：rules[{kind}]", "写了两次", "每类案件一条规定", "删去多余的一条")
        for kind in twice
    ]
    return faults + _alias_faults(pack) + _calendar_faults(pack.calendar)


def _calendar_faults(calendar: WorkCalendar) -> list[Fault]:
    """Return each day of the pack's calendar that cannot be as it is said to be."""
    where, remedy = "casework.yaml：calendar", "按放假通知改正"
    faults = []
    if calendar.years and not calendar.source.strip():
        faults.append(Fault(f"{where}.source", "没有填写", "放假通知的文号", "写明出处"))
    worked = dict.fromkeys(calendar.days_off, False) | dict.fromkeys(calendar.workdays, True)
    for day, is_worked in sorted(worked.items()):
        late = day.month == 12 and day.day >= NEW_YEAR_WINDOW
        if day.year not in calendar.years and not (late and day.year + 1 in calendar.years):
            faults.append(Fault(f"{where}[{day}]", f"{day.year} 年", "years 所列年份的日期", remedy))
        elif day in calendar.days_off and is_worked:
            faults.append(Fault(f"{where}[{day}]", "既是休息日又是上班日", "二者之一", remedy))
        elif (day.weekday() >= 5) is not is_worked:
            allowed = "星期六或星期日" if is_worked else "星期一至星期五"
            faults.append(Fault(f"{where}[{day}]", f"星期{'一二三四五六日'[day.weekday()]}", allowed, remedy))
    return faults


def _alias_faults(pack: CaseworkPack) -> list[Fault]:
    """Return each alias of an office that is not asked for, and each name that stands for two offices."""
    where = "casework.yaml：audit_department_aliases"
    faults = [
        Fault(f"{where}[{name}]", name, "、".join(pack.audit_departments), "改为 audit_departments 中的单位")
        for name in pack.audit_department_aliases
        if name not in pack.audit_departments
    ]
    names = [
        name
        for office in pack.audit_departments
        for name in {office, *pack.audit_department_aliases.get(office, ())}
    ]
    return faults + [
        Fault(where, name, "一个名称只指一个单位", "删去其中一处")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]


def _read_optional(path: Path, model: type[_M], faults: list[Fault]) -> _M | None:
    return _read(path, model, faults) if path.exists() else None


def _read(path: Path, model: type[_M], faults: list[Fault]) -> _M | None:
    name = path.name
    if not path.exists():
        faults.append(Fault(name, "没有这个文件", "参数文件", f"在参数包中放入 {name}"))
        return None
    try:
        data = yaml.load(path.read_bytes(), Loader=UniqueKeyLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = name if mark is None else f"{name}：第 {mark.line + 1} 行第 {mark.column + 1} 列"
        faults.append(Fault(where, " ".join(str(error).split()), "UTF-8 编码的 YAML", "改正该处的书写"))
        return None
    if not isinstance(data, dict):
        faults.append(Fault(name, type(data).__name__, "键和值组成的 YAML 文件", "参照默认参数包书写"))
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults += [pydantic_fault(name, detail) for detail in error.errors()]
        return None


_KINDS = {
    "missing": ("缺少此项", "必填项", "补充此项"),
    "extra_forbidden": (None, "参数包定义的键", "删除此项或改正键名"),
}

_ALLOWED = {
    "bool_type": "true 或 false",
    "date_from_datetime_parsing": "日期，如 2026-01-01",
    "date_type": "日期，如 2026-01-01",
    "dict_type": "键和值",
    "finite_number": "有限的数",
    "float_parsing": "数",
    "float_type": "数",
    "greater_than": "大于 {gt:g} 的数",
    "greater_than_equal": "不小于 {ge:g} 的数",
    "int_type": "整数",
    "is_instance_of": "村、社区",
    "less_than": "小于 {lt:g} 的数",
    "less_than_equal": "不大于 {le:g} 的数",
    "literal_error": "{expected}",
    "model_type": "键和值",
    "string_pattern_mismatch": "小写字母开头，只含小写字母、数字和下划线",
    "string_type": "文字（数字和日期要加引号）",
    "too_long": "至多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "tuple_type": "列表",
    "union_tag_invalid": "kind 为 {expected_tags}",
    "union_tag_not_found": "写明 kind",
}
"""What may stand in the place of a fault that pydantic finds, by its type."""


def pydantic_fault(name: str, detail: Any) -> Fault:
    """Return what pydantic found in a YAML file, in Chinese, with the path of the key."""
    path = ""
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    expected = _ALLOWED.get(detail["type"], "参数包规定的写法").format(**detail.get("ctx", {}))
    expected = expected.replace(" or ", "、")
    found, allowed, remedy = _KINDS.get(detail["type"], (None, expected, "改为允许的值"))
    shown = found if found is not None else str(detail["input"])[:80]
    return Fault(f"{name}：{path}", shown, allowed, remedy)


def _read_rules(folder: Path, region: str, faults: list[Fault]) -> list[Rule] | None:
    chain: list[RulePack] = []
    wanted: str | None = region
    while wanted is not None:
        if wanted in {p.region for p in chain}:
            faults.append(Fault("规则包", f"extends: {wanted}", "不循环的 extends", "改正 extends"))
            return None
        candidates = (folder / "rules" / f"{wanted}.yaml", _packs() / "rules" / f"{wanted}.yaml")
        path = next((c for c in candidates if c.exists()), None)
        if path is None:
            faults.append(
                Fault(
                    "规则包",
                    wanted,
                    "、".join(available_regions()),
                    "选用已有的地区，或在参数包的 rules 文件夹中添加该地区的规则文件",
                )
            )
            return None
        pack = _read(path, RulePack, faults)
        if pack is None:
            return None
        if pack.region != wanted:
            faults.append(Fault(f"{path.name}：region", pack.region, wanted, "改为与文件名相同的地区"))
            return None
        chain.append(pack)
        wanted = pack.extends
    return [rule for pack in reversed(chain) for rule in pack.rules]


def _sum_fault(where: str, weights: Sequence[float]) -> list[Fault]:
    total = math.fsum(weights)
    if abs(total - 1.0) <= WEIGHT_TOLERANCE:
        return []
    return [Fault(where, f"{total:.6g}", "合计为 1", "调整各项权重，使其合计为 1")]


def _framework_faults(framework: Framework) -> list[Fault]:
    name = "framework.yaml"
    faults = _sum_fault(f"{name}：各维度权重合计", [d.weight for d in framework.dimensions])
    seen: set[str] = set()
    for d, dimension in enumerate(framework.dimensions):
        at = f"{name}：dimensions[{d}]（{dimension.label}）"
        if dimension.id in seen:
            faults.append(Fault(f"{at}.id", dimension.id, "不重复的编号", "更换编号"))
        seen.add(dimension.id)
        faults += _sum_fault(f"{at} 指标权重合计", [i.weight for i in dimension.indicators])
        faults += [
            Fault(
                f"{at} 适用于{kind.label}的指标权重合计", "0", "大于 0", f"至少让一个指标适用于{kind.label}"
            )
            for kind in UnitKind
            if not any(kind in i.applies_to and i.weight > 0 for i in dimension.indicators)
        ]
        for n, indicator in enumerate(dimension.indicators):
            where = f"{at}.indicators[{n}]（{indicator.label}）"
            if indicator.id in seen:
                faults.append(Fault(f"{where}.id", indicator.id, "不重复的编号", "更换编号"))
            seen.add(indicator.id)
            faults += _points_faults(where, indicator)
            faults += _measure_faults(where, indicator.measure, framework.metrics)
    for metric_id, metric in framework.metrics.items():
        if metric.minimum is not None and metric.maximum is not None and metric.minimum > metric.maximum:
            faults.append(
                Fault(
                    f"{name}：metrics.{metric_id}",
                    f"{metric.minimum:g} > {metric.maximum:g}",
                    "minimum 不大于 maximum",
                    "调整取值范围",
                )
            )
    return faults


def _points_faults(where: str, indicator: Indicator) -> list[Fault]:
    faults = []
    values = [p[0] for p in indicator.reference_points]
    severities = [p[1] for p in indicator.reference_points]
    if any(b <= a for a, b in itertools.pairwise(values)):
        faults.append(
            Fault(f"{where}.reference_points", str(values), "数值严格递增", "按数值从小到大排列且不重复")
        )
    if any(not 0 <= s <= 1 for s in severities):
        faults.append(
            Fault(f"{where}.reference_points", str(severities), "0 到 1 之间的严重度", "改正严重度")
        )
    steps = [b - a for a, b in itertools.pairwise(severities)]
    if any(s > 0 for s in steps) and any(s < 0 for s in steps):
        faults.append(Fault(f"{where}.reference_points", str(severities), "单调的严重度", "改为只升或只降"))
    if all(s == 0 for s in steps):
        faults.append(
            Fault(f"{where}.reference_points", str(severities), "会变化的严重度", "给出至少两个不同的严重度")
        )
    return faults


def _measure_faults(
    where: str, measure: MetricMeasure | ChangeMeasure | DerivedMeasure, metrics: Mapping[str, Metric]
) -> list[Fault]:
    known = "、".join(metrics) or "（未登记任何指标项）"
    faults = []
    if isinstance(measure, DerivedMeasure):
        if measure.function not in DERIVED_MEASURES:
            return [
                Fault(
                    f"{where}.measure.function",
                    measure.function,
                    "、".join(DERIVED_MEASURES),
                    "改为已有的算法名",
                )
            ]
        return _option_faults(f"{where}.measure", measure.options, DERIVED_MEASURES[measure.function])
    names = [measure.metric]
    if isinstance(measure, MetricMeasure) and measure.per is not None:
        names.append(measure.per)
    faults += [
        Fault(f"{where}.measure", n, known, "在 metrics 中登记该指标项或改正名称")
        for n in names
        if n not in metrics
    ]
    if measure.metric in metrics:
        flow = metrics[measure.metric].kind == "flow"
        if isinstance(measure, MetricMeasure) and flow != (measure.months is not None):
            faults.append(
                Fault(
                    f"{where}.measure.months",
                    str(measure.months),
                    "流量指标必填、存量指标不填",
                    "补充或删除 months",
                )
            )
        if isinstance(measure, ChangeMeasure) and flow:
            faults.append(Fault(f"{where}.measure.metric", measure.metric, "存量指标", "改用存量指标"))
    return faults


def _option_faults(where: str, options: Mapping[str, Any], allowed: frozenset[str]) -> list[Fault]:
    shown = "、".join(sorted(allowed)) or "（没有选项）"
    faults = [
        Fault(f"{where}.options", k, shown, "删除该选项或改正名称") for k in options if k not in allowed
    ]
    faults += [
        Fault(f"{where}.options", "缺少此项", k, "补充该选项") for k in sorted(allowed) if k not in options
    ]
    return faults


def _option_value_faults(where: str, key: str, value: object, metrics: Mapping[str, Metric]) -> list[Fault]:
    if key == "departments":
        good = isinstance(value, tuple) and len(value) > 0
    elif key == "electors_metric":
        good = isinstance(value, str) and value in metrics and metrics[value].kind == "stock"
    elif key == "lead_kinds":
        good = isinstance(value, tuple) and len(value) > 0 and set(value) <= set(LeadKind.labels())
    elif key in {"major_weight", "min_effect"}:
        good = isinstance(value, int | float) and value > 0
    elif key == "min_gap_days":
        good = isinstance(value, int) and value >= 0
    elif key in OPTION_WORDS:
        good = isinstance(value, int) and value > 0
    else:
        return []  # no such option, which _option_faults has told
    return [] if good else [Fault(where, str(value), OPTION_WORDS[key], "改为允许的值")]


def _check_faults(
    kind: str, checks: Sequence[Gate | Signal], known: Mapping[str, frozenset[str]]
) -> list[Fault]:
    """Return the faults of the gates or signals of a pack."""
    faults = []
    seen: set[str] = set()
    for n, one in enumerate(checks):
        where = f"{kind}.yaml：{kind}[{n}]（{one.label}）"
        if one.id in seen:
            faults.append(Fault(f"{where}.id", one.id, "不重复的编号", "更换编号"))
        seen.add(one.id)
        if one.check not in known:
            faults.append(Fault(f"{where}.check", one.check, "、".join(known), "改为已有的检查名"))
        else:
            faults += _option_faults(where, one.options, known[one.check])
    return faults


def _rule_faults(
    framework: Framework | None, gates: GatePack | None, signals: SignalPack | None, rules: Sequence[Rule]
) -> list[Fault]:
    by_id: dict[str, list[Rule]] = {}
    for rule in rules:
        by_id.setdefault(rule.id, []).append(rule)
    metrics = framework.metrics if framework is not None else {}
    used: list[tuple[str, Mapping[str, Any]]] = []
    if framework is not None:
        used += [
            (f"framework.yaml：{i.id}", i.measure.options)
            for i in framework.indicators
            if isinstance(i.measure, DerivedMeasure)
        ]
    if gates is not None:
        used += [(f"gates.yaml：{g.id}", g.options) for g in gates.gates]
    if signals is not None:
        used += [(f"signals.yaml：{s.id}", s.options) for s in signals.signals]
    faults = [
        Fault(f"{where}.options.{key}", value.rule, "规则包中的规则编号", "在规则包中补充该规则或改正编号")
        for where, options in used
        for key, value in options.items()
        if isinstance(value, RuleRef) and value.rule not in by_id
    ]
    for where, options in used:
        for key, value in options.items():
            if not isinstance(value, RuleRef):
                faults += _option_value_faults(f"{where}.options.{key}", key, value, metrics)
    referred = {(v.rule, k) for _, options in used for k, v in options.items() if isinstance(v, RuleRef)}
    for rule_id, key in sorted(referred):
        for rule in by_id.get(rule_id, ()):
            where = f"规则：{rule_id}（{rule.effective_from} 起）.value"
            faults += _option_value_faults(where, key, rule.value, metrics)
    faults += [
        Fault(
            f"规则：{r.id}", f"{r.effective_from} 至 {r.effective_to}", "起始日期不晚于截止日期", "改正日期"
        )
        for r in rules
        if r.effective_to is not None and r.effective_to < r.effective_from
    ]
    return faults


SET_BITS = 62
"""Bits in which a set of measures is told apart, so that ties are resolved exactly in whole numbers."""


def _library_faults(library: MeasureLibrary, framework: Framework, gates: GatePack | None) -> list[Fault]:
    name = "measures.yaml"
    indicators = {i.id: i for i in framework.indicators}
    reasons = [u.indicator for u in library.unremediable]
    faults = [
        Fault(f"{name}：unremediable[{n}].indicator", i, "框架中的指标，每项写一次", "改正指标编号")
        for n, i in enumerate(reasons)
        if i not in indicators or i in reasons[:n]
    ]
    known = {m.id for m in library.measures}
    seen: set[str] = set()
    for n, measure in enumerate(library.measures):
        at = f"{name}：measures[{n}]（{measure.label}）"
        if measure.id in seen:
            faults.append(Fault(f"{at}.id", measure.id, "不重复的编号", "更换编号"))
        seen.add(measure.id)
        faults += _effect_faults(at, measure, indicators, set(reasons))
        faults += _cost_faults(at, measure)
        for key, links in (
            ("requires", measure.requires), ("excludes", measure.excludes), ("replaces", measure.replaces)
        ):  # fmt: skip
            faults += [
                Fault(f"{at}.{key}", link, "措施库中的其他措施", "改正编号")
                for link in links
                if link not in known or link == measure.id
            ]
        faults += [
            Fault(f"{at}.requires", link, "不被本措施排斥或替代的措施", "删除其中一处")
            for link in measure.requires
            if link in (*measure.excludes, *measure.replaces)
        ]
        open_gates = {g.id for g in gates.gates} if gates is not None else set()
        faults += [
            Fault(f"{at}.gates", g, "gates.yaml 中的准入条件", "改正编号")
            for g in measure.gates
            if g not in open_gates
        ]
    acted = {e.indicator for m in library.measures for e in m.effects}
    faults += [
        Fault(f"{name}：指标 {i}（{indicators[i].label}）", "没有措施", "有措施，或列入 unremediable",
              "补充措施，或写明为什么不能改变")
        for i in indicators
        if i not in acted and i not in reasons
    ]  # fmt: skip
    if sum(m.reports for m in library.measures) > 1:
        faults.append(Fault(f"{name}：reports", "多项措施", "至多一项补报措施", "合并补报措施"))
    if math.log2(math.prod(m.times + 1 for m in library.measures if m.effects)) > SET_BITS:
        found = f"{len(library.measures)} 项措施"
        allowed = f"次数组合不超过 2 的 {SET_BITS} 次方"
        faults.append(Fault(f"{name}：measures", found, allowed, "减少措施或次数"))
    return faults + _cycle_faults(library)


def _effect_faults(
    at: str, measure: Remedy, indicators: Mapping[str, Indicator], unremediable: set[str]
) -> list[Fault]:
    faults = []
    if not (measure.effects or measure.answers or measure.reports):
        faults.append(Fault(f"{at}", "没有效果", "effects、answers 或 reports", "写明措施作用于哪些指标"))
    if measure.reports and (measure.effects or measure.cost.per is not None):
        faults.append(Fault(f"{at}.reports", "补报措施带有效果", "只补报数据", "删除 effects 和 cost.per"))
    targets = [e.indicator for e in measure.effects]
    for n, effect in enumerate(measure.effects):
        where = f"{at}.effects[{n}]"
        if effect.indicator not in indicators:
            faults.append(Fault(f"{where}.indicator", effect.indicator, "框架中的指标", "改正指标编号"))
            continue
        indicator = indicators[effect.indicator]
        if effect.indicator in unremediable:
            faults.append(
                Fault(f"{where}.indicator", indicator.label, "不在 unremediable 中的指标",
                      "既成事实不能靠措施改变：删除该效果，或改用 answers")
            )  # fmt: skip
        if effect.indicator in targets[:n]:
            faults.append(Fault(f"{where}.indicator", indicator.label, "每项指标一个效果", "合并效果"))
        faults += _direction_faults(where, effect, indicator)
        if measure.times > 1 and not isinstance(effect, StepEffect):
            faults.append(Fault(f"{where}.kind", effect.kind, "可重复的措施用 add", "改用 add 或删除 times"))
    faults += [
        Fault(f"{at}.bounded_by", b, "本措施改变的指标", "改正编号")
        for b in measure.bounded_by
        if b not in targets
    ]
    faults += [
        Fault(f"{at}.answers", a, "unremediable 中的指标", "改正编号，或改写为 effects")
        for a in measure.answers
        if a not in unremediable
    ]
    return faults


def _direction_faults(
    where: str, effect: SetEffect | ShareEffect | StepEffect, indicator: Indicator
) -> list[Fault]:
    better = "变大" if indicator.high_is_safe else "变小"
    if isinstance(effect, StepEffect):
        key, target = "until", effect.until
        if effect.step == 0 or (effect.step > 0) != indicator.high_is_safe:
            allowed = f"使{indicator.label}{better}的数"
            return [Fault(f"{where}.step", f"{effect.step:g}", allowed, "改正正负号")]
    elif isinstance(effect, SetEffect):
        key, target = "value", effect.value
    else:
        key, target = "toward", effect.toward
    first, last = indicator.reference_points[0][0], indicator.reference_points[-1][0]
    if target > first if indicator.high_is_safe else target < last:
        return []
    return [
        Fault(f"{where}.{key}", f"{target:g}", f"好于最差参考点的值（{better}为好）", "改为措施能达到的值")
    ]


def _cost_faults(at: str, measure: Remedy) -> list[Fault]:
    cost = measure.cost
    faults = []
    if cost.fixed + cost.each <= 0:
        faults.append(Fault(f"{at}.cost", "0", "大于 0 的工作组日", "填写 fixed 或 each"))
    if cost.per is None:
        return faults
    direct = {e.indicator for e in measure.effects if not isinstance(e, StepEffect)}
    if cost.per not in direct:
        faults.append(
            Fault(f"{at}.cost.per", cost.per, "本措施以 set 或 share 改变的指标", "改正编号或删除 per")
        )
    return faults


def _cycle_faults(library: MeasureLibrary) -> list[Fault]:
    """Return a fault for each measure that, by way of others, has to wait for itself."""
    stand_in = {m.id: {s.id for s in library.measures if m.id in s.replaces} for m in library.measures}
    needs = {m.id: {n for r in m.requires for n in ({r} | stand_in.get(r, set()))} for m in library.measures}
    faults = []
    for n, measure in enumerate(library.measures):
        reached: set[str] = set()
        pending = set(needs[measure.id])
        while pending:
            one = pending.pop()
            reached.add(one)
            pending |= needs.get(one, set()) - reached
        if measure.id in reached:
            at = f"{library.kind}.yaml：measures[{n}]（{measure.label}）.requires"
            faults.append(Fault(at, "、".join(measure.requires), "不循环的先后次序", "删除其中一处 requires"))
    return faults
