"""Parameters of the index: metrics, indicators, dimensions, cut-offs and how far judgements may be off."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from huanjie_lib.errors import Fault
from huanjie_lib.parameters.fields import (
    Header,
    Identifier,
    Kind,
    Model,
    Number,
    Option,
    as_tuple,
    option_faults,
    sum_fault,
)
from huanjie_lib.vocabulary import UnitKind

__all__ = [
    "DEFAULT_ASSUMPTIONS",
    "DERIVED_MEASURES",
    "ChangeMeasure",
    "Classification",
    "DerivedMeasure",
    "Dimension",
    "Framework",
    "Indicator",
    "Measure",
    "Metric",
    "MetricMeasure",
    "MissingPolicy",
    "Point",
    "UncertaintyAssumptions",
    "UncertaintyPack",
    "framework_faults",
]


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


class Metric(Model):
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
    aliases: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()


class MetricMeasure(Model):
    """``scale · metric / per``; flows are summed over ``months``."""

    kind: Literal["metric"]
    metric: Identifier
    months: Annotated[int, Field(gt=0)] | None = None
    per: Identifier | None = None
    scale: Number = 1.0


class ChangeMeasure(Model):
    """Relative change of a stock metric against its value ``months`` earlier: ``(now − then) / then``."""

    kind: Literal["change"]
    metric: Identifier
    months: Annotated[int, Field(gt=0)]


class DerivedMeasure(Model):
    """A measure computed from event tables by a named function of ``risk.indicators``."""

    kind: Literal["derived"]
    function: str
    options: dict[str, Option] = Field(default_factory=dict)


Measure = Annotated[MetricMeasure | ChangeMeasure | DerivedMeasure, Field(discriminator="kind")]


class MissingPolicy(Model):
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


Point = Annotated[tuple[Number, Number], BeforeValidator(as_tuple)]


class Indicator(Model):
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
    reference_points: Annotated[tuple[Point, ...], BeforeValidator(as_tuple), Field(min_length=2)]
    applies_to: Annotated[tuple[Kind, ...], BeforeValidator(as_tuple)] = tuple(UnitKind)
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
        >>> from huanjie_lib.parameters import load_parameters
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


class Dimension(Model):
    """One evaluation dimension; ``power`` > 1 makes bad indicators count more (non-compensatory)."""

    id: Identifier
    label: str
    short: str
    weight: Annotated[float, Field(ge=0, le=1, strict=False)]
    power: Annotated[float, Field(ge=1, le=20, strict=False)] = 1.0
    indicators: Annotated[tuple[Indicator, ...], BeforeValidator(as_tuple), Field(min_length=1)]


class Framework(Header):
    """Indicator framework: metrics, dimensions and indicators with their weights."""

    kind: Literal["framework"]
    metrics: dict[Identifier, Metric]
    dimensions: Annotated[tuple[Dimension, ...], BeforeValidator(as_tuple), Field(min_length=1)]

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


class Classification(Header):
    """Cut-offs of the colours, without gaps: green ≥ ``green_from`` > yellow ≥ ``yellow_from`` > red.

    With hysteresis a unit improves its colour only once it clears the cut-off by ``improve_margin``, and
    worsens once it falls below it by more than ``worsen_margin``.
    """

    kind: Literal["classification"]
    green_from: Annotated[float, Field(gt=0, le=100, strict=False)]
    yellow_from: Annotated[float, Field(ge=0, lt=100, strict=False)]
    improve_margin: Annotated[float, Field(ge=0, le=20, strict=False)] = 0.0
    worsen_margin: Annotated[float, Field(ge=0, le=20, strict=False)] = 0.0


class UncertaintyAssumptions(Model):
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


class UncertaintyPack(Header, UncertaintyAssumptions):
    """The declared uncertainty of a place, with author and source."""

    kind: Literal["uncertainty"]


def framework_faults(framework: Framework) -> list[Fault]:
    """Return each weight, metric, measure and severity of a framework that cannot be as it is written."""
    name = "framework.yaml"
    faults = sum_fault(f"{name}：各维度权重合计", [d.weight for d in framework.dimensions])
    seen: set[str] = set()
    for d, dimension in enumerate(framework.dimensions):
        at = f"{name}：dimensions[{d}]（{dimension.label}）"
        if dimension.id in seen:
            faults.append(Fault(f"{at}.id", dimension.id, "不重复的编号", "更换编号"))
        seen.add(dimension.id)
        faults += sum_fault(f"{at} 指标权重合计", [i.weight for i in dimension.indicators])
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
        return option_faults(f"{where}.measure", measure.options, DERIVED_MEASURES[measure.function])
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
