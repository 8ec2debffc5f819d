"""All parameters of a run as one value with a digest."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BeforeValidator

from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.parameters.casework import CaseworkPack
from huanjie_lib.parameters.checks import GatePack, SignalPack
from huanjie_lib.parameters.fields import Header, Model, RuleRef, as_tuple
from huanjie_lib.parameters.framework import (
    DEFAULT_ASSUMPTIONS,
    Classification,
    Framework,
    UncertaintyAssumptions,
    UncertaintyPack,
)
from huanjie_lib.parameters.remedies import MeasureLibrary
from huanjie_lib.parameters.rules import Rule
from huanjie_lib.parameters.talent import TalentPack

__all__ = ["ParameterSet"]


class ParameterSet(Model):
    """Everything a run needs to know besides the tables.

    ``rules`` holds the region's rules after those it extends; the last rule in force wins.
    """

    framework: Framework
    classification: Classification
    gates: GatePack | None
    rules: Annotated[tuple[Rule, ...], BeforeValidator(as_tuple)]
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
        >>> from huanjie_lib.parameters import load_parameters
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
        >>> from huanjie_lib.parameters import load_parameters
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
        >>> from huanjie_lib.parameters import load_parameters
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
        >>> from huanjie_lib.parameters import load_parameters
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
        >>> from huanjie_lib.parameters import load_parameters
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
            if isinstance(part, Header)
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
        >>> from huanjie_lib.parameters import load_parameters
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
        >>> from huanjie_lib.parameters import load_parameters
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
