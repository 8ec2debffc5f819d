"""Every table that is held has readers and a purpose that somebody has thought about, column by column."""

from __future__ import annotations

from pathlib import Path

from huanjie_lib.access.grants import GRANTS, NOBODY, ORGANISATION
from huanjie_lib.contracts import LEDGER_TABLES, RESTRICTED_LEDGERS, TABLES
from huanjie_lib.store import schema
from huanjie_lib.store.run_folder import RUN_TABLES
from huanjie_lib.store.talent_folder import TALENT_TABLES
from huanjie_lib.vocabulary import Role


def listed(place: str) -> set[str]:
    return {name.partition("/")[2] for name in GRANTS if name.startswith(f"{place}/")}


def test_every_contract_table_is_listed_with_its_columns_and_purpose() -> None:
    assert listed("tables") == set(TABLES)
    for table in TABLES.values():
        grant = GRANTS[f"tables/{table.name}"]
        assert list(grant.columns) == list(table.names), table.name
        assert grant.purpose == table.purpose, table.name


def test_every_table_of_the_ledger_is_listed_with_its_columns() -> None:
    assert listed("store") == set(schema.METADATA.tables)
    for table in schema.METADATA.sorted_tables:
        assert list(GRANTS[f"store/{table.name}"].columns) == table.columns.keys()


def test_every_table_of_a_run_and_a_talent_folder_is_listed() -> None:
    """Their columns are held against folders that the program wrote in the tests of workbench and leaks."""
    assert listed("run") == {*RUN_TABLES, "boundaries", "sources"}
    assert listed("ledgers") == set(LEDGER_TABLES)
    assert listed("restricted") == {*RESTRICTED_LEDGERS, "signals"}
    assert listed("talent") == set(TALENT_TABLES)
    assert listed("sealed") == {"identities"}


def test_no_column_is_read_by_more_than_its_table() -> None:
    for grant in GRANTS.values():
        assert Role.SYSTEM not in grant.readers
        assert all(roles <= grant.readers for roles in grant.columns.values()), grant.table
        assert grant.area is None or grant.area in grant.columns


def test_single_people_are_for_the_organisation_and_protected_attributes_for_nobody() -> None:
    for grant in GRANTS.values():
        if grant.purpose == "talent":
            assert grant.readers <= ORGANISATION, grant.table
    for name in ("tables/identities", "sealed/identities", "tables/people_protected", "tables/kinships"):
        assert GRANTS[name].readers == NOBODY
    by_person = [g for g in GRANTS.values() if {"person_ref", "candidate_ref"} & set(g.columns)]
    assert len(by_person) > 10
    for grant in by_person:
        assert not grant.readers & {Role.READER, Role.TOWNSHIP}, grant.table


def test_the_page_on_privacy_names_every_table_about_people() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
    held = page.partition("## What is held")[2].partition("## How a person comes in")[0]
    assert [table.name for table in TABLES.values() if table.personal and f"`{table.name}`" not in held] == []
