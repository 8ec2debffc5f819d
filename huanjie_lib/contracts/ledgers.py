"""The ledgers of a run folder, by who may read them."""

from __future__ import annotations

__all__ = ["LEDGER_TABLES", "RESTRICTED_LEDGERS"]

LEDGER_TABLES: tuple[str, ...] = (
    "alerts",
    "alerts_left_out",
    "rectifiable",
    "amendments",
    "unplaced",
    "regained",
    "regained_units",
    "audit_units",
    "audit_coverage",
    "audit_items",
    "audit_notices",
    "audit_problems",
    "handover",
    "conflict_units",
    "conflict_coverage",
    "disputes",
)
"""Ledgers that every role of casework may read."""

RESTRICTED_LEDGERS: tuple[str, ...] = ("audit_members", "talks", "leavers", "restricted_alerts")
"""Ledgers by person, of talks, and alerts from leads, for roles that may see them."""
