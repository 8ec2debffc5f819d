"""Gates that no score makes up for, and checks for anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from huanjie_lib.errors import Fault
from huanjie_lib.parameters.fields import Header, Identifier, Model, Option, as_tuple, option_faults

__all__ = ["GATE_CHECKS", "SIGNAL_CHECKS", "Gate", "GatePack", "Signal", "SignalPack", "check_faults"]


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


class Gate(Model):
    """A hard condition for starting an election; no score compensates for it."""

    id: Identifier
    label: str
    check: str
    options: dict[str, Option] = Field(default_factory=dict)
    rule: str
    remedy: str


class GatePack(Header):
    """The gates of the admission list (准入清单)."""

    kind: Literal["gates"]
    gates: Annotated[tuple[Gate, ...], BeforeValidator(as_tuple)]


class Signal(Model):
    """An anomaly check: what it looks at, against what it is judged, and what to do about a flag.

    A ``restricted`` signal is shown only to roles that may see leads.
    """

    id: Identifier
    label: str
    check: str
    options: dict[str, Option] = Field(default_factory=dict)
    definition: str
    null_model: str
    follow_up: str
    restricted: bool
    source: str


class SignalPack(Header):
    """The anomaly checks, and the share of false flags to be expected among those of each kind.

    ``min_units`` is the least number of units with data among which a unit can be called unusual.
    """

    kind: Literal["signals"]
    fdr: Annotated[float, Field(gt=0, le=0.5, strict=False)]
    min_units: Annotated[int, Field(ge=20)]
    signals: Annotated[tuple[Signal, ...], BeforeValidator(as_tuple), Field(min_length=1)]

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


def check_faults(
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
            faults += option_faults(where, one.options, known[one.check])
    return faults
