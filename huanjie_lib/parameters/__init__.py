"""Dated, sourced and validated parameters: indicator framework, cut-offs, gates and rule packs.

A parameter set is read from YAML packs. A pack folder holds ``framework.yaml`` (metrics, dimensions,
indicators), ``classification.yaml`` (cut-offs) and, where they are wanted, ``gates.yaml`` and
``uncertainty.yaml`` (how far the judgements may be off) and ``measures.yaml`` (what can be done, at what
cost); rule packs lie beside it by region and may extend one another. Reading checks everything before it
refuses, so that one
:class:`~huanjie_lib.errors.ParameterError` lists every fault of every file.
"""

from __future__ import annotations

from huanjie_lib.parameters.casework import NEW_YEAR_WINDOW, UNIT_OFFICE, CaseRule, CaseworkPack, WorkCalendar
from huanjie_lib.parameters.checks import GATE_CHECKS, SIGNAL_CHECKS, Gate, GatePack, Signal, SignalPack
from huanjie_lib.parameters.fields import WEIGHT_TOLERANCE, RuleRef
from huanjie_lib.parameters.framework import (
    DEFAULT_ASSUMPTIONS,
    DERIVED_MEASURES,
    ChangeMeasure,
    Classification,
    DerivedMeasure,
    Dimension,
    Framework,
    Indicator,
    Metric,
    MetricMeasure,
    MissingPolicy,
    UncertaintyAssumptions,
    UncertaintyPack,
)
from huanjie_lib.parameters.loading import (
    UniqueKeyLoader,
    available_regions,
    load_parameters,
    load_privacy,
    pydantic_fault,
)
from huanjie_lib.parameters.parameter_set import ParameterSet
from huanjie_lib.parameters.privacy import PrivacyPack, RetentionTerm
from huanjie_lib.parameters.remedies import (
    Effect,
    MeasureLibrary,
    Remedy,
    RemedyCost,
    SetEffect,
    ShareEffect,
    StepEffect,
    Unremediable,
)
from huanjie_lib.parameters.rules import PERMANENT, Rule, RulePack
from huanjie_lib.parameters.talent import (
    EvidenceRule,
    PostProfile,
    StepRule,
    TalentPack,
    TeamTarget,
    TrialRule,
    UnitNeed,
)

__all__ = [
    "DEFAULT_ASSUMPTIONS",
    "DERIVED_MEASURES",
    "GATE_CHECKS",
    "NEW_YEAR_WINDOW",
    "PERMANENT",
    "SIGNAL_CHECKS",
    "UNIT_OFFICE",
    "WEIGHT_TOLERANCE",
    "CaseRule",
    "CaseworkPack",
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
    "WorkCalendar",
    "available_regions",
    "load_parameters",
    "load_privacy",
    "pydantic_fault",
]
