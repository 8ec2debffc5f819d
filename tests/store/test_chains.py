from __future__ import annotations

import pandas as pd
import pytest

from huanjie_lib.casework.events import GENESIS
from huanjie_lib.store import schema
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.chains import chain_end, verify_rows
from huanjie_lib.store.ledger import Ledger
from tests.offices import CITY

TABLE = schema.access_log


@pytest.fixture
def rows(ledger: Ledger) -> pd.DataFrame:
    """A chain of three."""
    for number in range(1, 4):
        told = {"action": "open", "purpose": "talent", "subject": "talent"}
        ledger.log_access(AccessEntry(entry_id=f"e{number}", **told), CITY)
    with ledger._reading() as connection:
        assert chain_end(connection, TABLE) == (3, ledger.head().access_hash)
        assert chain_end(connection, schema.request_events) == (0, GENESIS)
    return ledger.access_log().astype("object")


def found(rows: pd.DataFrame, kept: tuple[int, int, str] = (0, 0, GENESIS)) -> list[tuple[str, str]]:
    faults = verify_rows(rows, TABLE, kind="access", noun="记录", kept=kept)
    return [(fault.where, fault.found) for fault in faults]


def test_a_whole_chain_has_no_fault(rows: pd.DataFrame) -> None:
    assert found(rows, (0, 3, rows["hash"].iloc[-1])) == []


def test_each_change_is_found_where_it_is(rows: pd.DataFrame) -> None:
    altered = rows.copy()
    altered.loc[1, "account"] = "somebody"
    assert found(altered) == [("记录第 2 项", "内容与哈希不符")]
    assert found(rows.drop(1)) == [("记录第 3 项", "与前一项记录不相连")]
    unreadable = rows.copy()
    unreadable.loc[0, "subject"] = b"\xff"
    assert found(unreadable) == [("记录第 1 项", "内容与哈希不符")]


def test_what_was_cut_off_is_found_by_a_kept_end_alone(rows: pd.DataFrame) -> None:
    cut = rows.iloc[:2]
    assert found(cut) == []
    assert found(cut, (0, 3, rows["hash"].iloc[-1])) == [("记录第 3 项", "没有，或是另一项")]
    assert found(rows, (0, 3, "ab" * 32)) == [("记录第 3 项", "没有，或是另一项")]
