"""Sheets of a return are tables of their own, and families of metrics those of the framework."""

from __future__ import annotations

from huanjie_lib.contracts import RETURN_GROUPS, RETURN_SHEETS, TABLES
from huanjie_lib.parameters import load_parameters


def test_every_sheet_becomes_tables_and_no_table_stands_on_two() -> None:
    tables = [name for names in RETURN_SHEETS.values() for name in names]
    assert len(tables) == len(set(tables))
    assert set(tables) <= set(TABLES)


def test_groups_head_families_of_the_framework() -> None:
    assert set(RETURN_GROUPS) <= {m.family for m in load_parameters().framework.metrics.values()}
