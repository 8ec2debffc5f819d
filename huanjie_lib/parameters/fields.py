"""What the YAML packs share: strict models, kinds of values, the head of a pack, references to rules."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from huanjie_lib.errors import Fault
from huanjie_lib.vocabulary import PostKind, UnitKind

__all__ = [
    "WEIGHT_TOLERANCE",
    "Date",
    "Header",
    "Identifier",
    "Kind",
    "Model",
    "Number",
    "Option",
    "Post",
    "RuleRef",
    "as_tuple",
    "option_faults",
    "sum_fault",
]


WEIGHT_TOLERANCE = 1e-9


class Model(BaseModel):
    """A part of a pack: nothing in it is unknown, converted in silence or changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=False)


def as_tuple(value: object) -> object:
    """Return a YAML list as a tuple, and anything else as it is.

    Examples
    --------
    >>> as_tuple(["a"]), as_tuple("a")
    (('a',), 'a')
    """
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


class RuleRef(Model):
    """Reference to a rule of the rule pack, written ``{rule: ID}``."""

    rule: Identifier


Option = Annotated[
    RuleRef | int | float | str | tuple[str, ...],
    Field(union_mode="left_to_right"),
    BeforeValidator(as_tuple),
]


class Header(Model):
    """Head of a pack: what it is, from when to when it is in force, who wrote it, from what and why."""

    id: str
    version: str
    title: str
    effective_from: Date
    effective_to: Date | None = None
    author: str
    source: str
    reason: str = ""


def sum_fault(where: str, weights: Sequence[float]) -> list[Fault]:
    """Return the fault of weights that do not sum to one, if they don't.

    Examples
    --------
    >>> sum_fault("合计", [0.25, 0.75])
    []
    >>> sum_fault("合计", [0.25, 0.5])[0].found
    '0.75'
    """
    total = math.fsum(weights)
    if abs(total - 1.0) <= WEIGHT_TOLERANCE:
        return []
    return [Fault(where, f"{total:.6g}", "合计为 1", "调整各项权重，使其合计为 1")]


def option_faults(where: str, options: Mapping[str, Any], allowed: frozenset[str]) -> list[Fault]:
    """Return each option that is not taken, and each that is wanted and not there."""
    shown = "、".join(sorted(allowed)) or "（没有选项）"
    faults = [
        Fault(f"{where}.options", k, shown, "删除该选项或改正名称") for k in options if k not in allowed
    ]
    faults += [
        Fault(f"{where}.options", "缺少此项", k, "补充该选项") for k in sorted(allowed) if k not in options
    ]
    return faults
