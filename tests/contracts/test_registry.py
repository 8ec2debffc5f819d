"""Every table of the design has a contract that is whole in itself and with the others."""

from __future__ import annotations

import pytest

from huanjie_lib.contracts import SOURCE_COLUMNS, TABLES, Table, table

DESIGN = {
    *("units", "townships", "crosswalk", "facts"),
    *("audit_projects", "audit_subjects", "audit_items", "audit_notices", "audit_problems"),
    *("disputes", "screenings", "talks", "leavers", "reviews", "roll_checks", "leads"),
    *("election_history", "outcomes", "people", "evidence", "assessments", "plans", "posts"),
    *("cases", "case_events", "runs", "access_log"),
}


def test_every_table_of_the_design_has_a_contract() -> None:
    assert set(TABLES) >= DESIGN


@pytest.mark.parametrize("contract", TABLES.values(), ids=list(TABLES))
def test_contract_is_whole(contract: Table) -> None:
    names = [c.name for c in contract.columns]
    labels = [c.label for c in contract.all_columns]
    assert len(names) == len(set(names))
    assert len(labels) == len(set(labels)), "two columns of one table share a heading"
    assert set(contract.key) <= set(names)
    assert all(contract.column(k).required for k in contract.key)
    for rule in contract.orders:
        kinds = {contract.column(rule.earlier).kind, contract.column(rule.later).kind}
        assert kinds == {"date"} or kinds <= {"integer", "number"}
    for reference in contract.references:
        target = table(reference.table)
        assert reference.target in {c.name for c in target.columns}
        assert reference.column in names
    for column in contract.all_columns:
        assert (column.kind == "word") == (column.words is not None)
        assert column.allowed()
        assert column.note or column.kind in {"number", "integer"} or column.name in {"longitude", "latitude"}
    assert contract.names[-3:] == tuple(c.name for c in SOURCE_COLUMNS)


def test_no_heading_is_shared_by_two_columns_of_one_table_through_aliases() -> None:
    for contract in TABLES.values():
        spellings = [s for c in contract.columns for s in (c.name, c.label, *c.aliases)]
        assert len(spellings) == len(set(spellings)), contract.name


def test_unknown_table_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        table("villagers")
