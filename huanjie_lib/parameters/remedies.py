"""What can be done for a unit, what it moves and what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from huanjie_lib.errors import Fault
from huanjie_lib.parameters.checks import GatePack
from huanjie_lib.parameters.fields import Header, Identifier, Kind, Model, Number, as_tuple
from huanjie_lib.parameters.framework import Framework, Indicator
from huanjie_lib.vocabulary import UnitKind

__all__ = [
    "SET_BITS",
    "Effect",
    "MeasureLibrary",
    "Remedy",
    "RemedyCost",
    "SetEffect",
    "ShareEffect",
    "StepEffect",
    "Unremediable",
    "library_faults",
]


class SetEffect(Model):
    """The indicator takes a value, unless it is better already.

    With ``establishes`` the act itself makes the value known, so that it may stand for a missing one (a
    screening made today is no days old, whatever the ledger lacked).
    """

    kind: Literal["set"]
    indicator: Identifier
    value: Number
    establishes: bool = False


class ShareEffect(Model):
    """A share of the distance to ``toward`` goes, unless the value is better already."""

    kind: Literal["share"]
    indicator: Identifier
    share: Annotated[float, Field(gt=0, le=1, strict=False)]
    toward: Number


class StepEffect(Model):
    """The value moves by ``step`` each time the measure is taken, and never past ``until``."""

    kind: Literal["add"]
    indicator: Identifier
    step: Number
    until: Number


Effect = Annotated[SetEffect | ShareEffect | StepEffect, Field(discriminator="kind")]


class RemedyCost(Model):
    """Team-days (工作组日) of a measure: ``fixed + each · quantity``.

    The quantity is the number of times the measure is taken, or, where ``per`` names an indicator, the
    improvement of its value by this measure alone in pieces of ``size``.
    """

    fixed: Annotated[float, Field(ge=0, le=10_000, strict=False)] = 0.0
    each: Annotated[float, Field(ge=0, le=10_000, strict=False)] = 0.0
    per: Identifier | None = None
    size: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] = 1.0


class Remedy(Model):
    """One measure of the library (措施): what it does to which indicators, its cost, time and conditions.

    ``answers`` names unremediable indicators that the measure meets without regaining a point. ``reports``
    marks the measure that supplies missing data. A measure that ``replaces`` others counts as having taken
    them, and is never taken beside them. ``requires`` names measures to be taken first where they have
    anything to do in the unit. A measure is taken no more often than each indicator of ``bounded_by`` leaves
    it to do. A ``sequential`` measure takes its duration once for each time.
    """

    id: Identifier
    label: str
    effects: Annotated[tuple[Effect, ...], BeforeValidator(as_tuple)] = ()
    answers: Annotated[tuple[Identifier, ...], BeforeValidator(as_tuple)] = ()
    reports: bool = False
    times: Annotated[int, Field(ge=1, le=50)] = 1
    counter: str = ""
    cost: RemedyCost
    duration_days: Annotated[int, Field(ge=1, le=1000)]
    sequential: bool = False
    bounded_by: Annotated[tuple[Identifier, ...], BeforeValidator(as_tuple)] = ()
    requires: Annotated[tuple[Identifier, ...], BeforeValidator(as_tuple)] = ()
    excludes: Annotated[tuple[Identifier, ...], BeforeValidator(as_tuple)] = ()
    replaces: Annotated[tuple[Identifier, ...], BeforeValidator(as_tuple)] = ()
    gates: Annotated[tuple[Identifier, ...], BeforeValidator(as_tuple)] = ()
    who: str
    applies_to: Annotated[tuple[Kind, ...], BeforeValidator(as_tuple)] = tuple(UnitKind)
    limits: str
    confidence: Literal["H", "M", "L"]
    source: str


class Unremediable(Model):
    """An indicator that records what has happened and that no measure changes."""

    indicator: Identifier
    reason: str


class MeasureLibrary(Header):
    """The measures library (措施库); the order of its measures is the last tie rule between equal sets."""

    kind: Literal["measures"]
    cost_unit: str
    measures: Annotated[tuple[Remedy, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    unremediable: Annotated[tuple[Unremediable, ...], BeforeValidator(as_tuple)] = ()

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


SET_BITS = 62
"""Bits in which a set of measures is told apart, so that ties are resolved exactly in whole numbers."""


def library_faults(library: MeasureLibrary, framework: Framework, gates: GatePack | None) -> list[Fault]:
    """Return each measure whose effects, costs or order cannot be as they are written."""
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
