"""Codes of a unit lie within those of its township and county, and figures are of a unit and a date."""

from __future__ import annotations

from huanjie_lib.contracts.units import UNITS

HELD = {contract.name: contract for contract in UNITS}


def test_units_stand_in_townships_and_figures_in_units() -> None:
    assert [(r.column, r.table) for r in HELD["units"].references] == [("township_code", "townships")]
    assert [(r.column, r.table) for r in HELD["facts"].references] == [("unit_code", "units")]
    assert HELD["facts"].key == ("unit_code", "as_of", "metric")


def test_both_codes_of_a_change_are_codes_of_units() -> None:
    code = HELD["units"].column("unit_code")
    for name in ("old_code", "new_code"):
        column = HELD["crosswalk"].column(name)
        assert (column.pattern, column.allowed()) == (code.pattern, code.allowed())
    assert not HELD["crosswalk"].references  # one of the two is in force no more
