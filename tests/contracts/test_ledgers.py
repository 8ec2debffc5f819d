"""No ledger is both for every role of casework and for some."""

from __future__ import annotations

from huanjie_lib.contracts import LEDGER_TABLES, RESTRICTED_LEDGERS, TABLES


def test_no_ledger_is_open_and_restricted() -> None:
    assert len(set(LEDGER_TABLES) | set(RESTRICTED_LEDGERS)) == len(LEDGER_TABLES) + len(RESTRICTED_LEDGERS)


def test_no_table_about_people_is_an_open_ledger() -> None:
    assert not [name for name in LEDGER_TABLES if name in TABLES and TABLES[name].personal]
