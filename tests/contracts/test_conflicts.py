"""A conflict is an incident of a unit; nobody is named in it."""

from __future__ import annotations

from huanjie_lib.contracts.conflicts import CONFLICTS


def test_conflicts_are_of_units_and_of_no_person() -> None:
    for contract in CONFLICTS:
        assert [r.table for r in contract.references] == ["units"]
        assert not contract.personal
        assert not [c.name for c in contract.columns if c.name.endswith("_ref") or "name" in c.name]
