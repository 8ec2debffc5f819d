"""Dated, sourced rules of a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from huanjie_lib.errors import Fault
from huanjie_lib.parameters.checks import GatePack, SignalPack
from huanjie_lib.parameters.fields import Date, Header, Identifier, Model, RuleRef, as_tuple
from huanjie_lib.parameters.framework import DerivedMeasure, Framework, Metric
from huanjie_lib.vocabulary import LeadKind, PersonStatus, PostKind, Relation, VettingGround, Word

__all__ = [
    "OPTION_WORDS",
    "PERMANENT",
    "PERSON_RULES",
    "Rule",
    "RulePack",
    "RuleValue",
    "person_rule_faults",
    "rule_faults",
]


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

RuleValue = Annotated[
    int | float | str | tuple[str, ...], Field(union_mode="left_to_right"), BeforeValidator(as_tuple)
]


class Rule(Model):
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


class RulePack(Header):
    """Rules of one region, laid over those of the region it extends."""

    kind: Literal["rules"]
    region: Identifier
    extends: Identifier | None = None
    rules: Annotated[tuple[Rule, ...], BeforeValidator(as_tuple)]


def person_rule_faults(rules: Sequence[Rule], *, needed: bool) -> list[Fault]:
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
        return []  # no such option, which option_faults has told
    return [] if good else [Fault(where, str(value), OPTION_WORDS[key], "改为允许的值")]


def rule_faults(
    framework: Framework | None, gates: GatePack | None, signals: SignalPack | None, rules: Sequence[Rule]
) -> list[Fault]:
    """Return each rule that is referred to and not there, and each value or date that cannot be."""
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
