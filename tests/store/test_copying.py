"""A copy of a ledger is the ledger, row by row and byte by byte, or it does not stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from huanjie_lib.casework.events import Head
from huanjie_lib.errors import LedgerBusyError, LedgerError
from huanjie_lib.store import copying, schema
from huanjie_lib.store.copying import CHAINS, copy_ledger, table_digests
from huanjie_lib.store.engine import connect
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.vocabulary import CaseEvent
from tests.full_ledger import fill, filled, rows_of
from tests.offices import CITY, act


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a SQLite ledger with rows in all tables; not to be changed."""
    return filled(tmp_path_factory.mktemp("office"))


def test_every_chain_is_on_the_one_list_and_in_the_head() -> None:
    chained = {name for name, table in schema.METADATA.tables.items() if "previous_hash" in table.c}
    assert {table.name for table in CHAINS.values()} == chained
    fields = [field.name for field in dataclasses.fields(Head)]
    assert fields == [
        name for chain in CHAINS for name in (chain, "hash" if chain == "sequence" else f"{chain}_hash")
    ]


def test_a_ledger_moves_to_postgresql_and_back_byte_for_byte(
    office: Path, postgres_url: str, tmp_path: Path
) -> None:
    head = copy_ledger(office, postgres_url)
    assert rows_of(postgres_url) == rows_of(office)
    with open_ledger(postgres_url, evidence=office / "evidence") as moved:
        assert moved.head() == head
        assert moved.verify(head) == []
        moved.append(act(CaseEvent.OPEN, CITY, 0, case_id="C9"))  # it goes on there
        assert moved.head().sequence == head.sequence + 1
    with closing(connect(postgres_url)) as store, store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE of_others (a int)")
    copy_ledger(postgres_url, tmp_path / "back", evidence=office / "evidence")
    assert rows_of(tmp_path / "back") == rows_of(postgres_url)
    assert rows_of(office)["case_events"] != rows_of(postgres_url)["case_events"]


def test_the_tables_may_be_there_already_but_no_row(office: Path, tmp_path: Path) -> None:
    open_ledger(tmp_path / "new", create=True).close()
    copy_ledger(office, tmp_path / "new")
    with pytest.raises(LedgerError, match="已有内容"):
        copy_ledger(office, tmp_path / "new")
    with pytest.raises(LedgerError, match="已有内容"):
        copy_ledger(office, office)


def test_a_database_with_other_tables_is_not_empty(office: Path, postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE other (a int)")
    engine.dispose()
    with pytest.raises(LedgerError, match="已有内容"):
        copy_ledger(office, postgres_url)


def test_a_ledger_that_does_not_check_is_not_copied(office: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="佐证材料"):
        copy_ledger(office, tmp_path / "new", evidence=tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "own", create=True) as ledger:
        fill(ledger, tmp_path / "own" / "heads")
        yield ledger


def interrupted(monkeypatch: pytest.MonkeyPatch, then: Callable[[sa.Connection], None]) -> None:
    """Let something happen right after the rows were copied."""
    real = copying.copy_tables

    def copy(source: sa.Connection, target: sa.Connection) -> None:
        real(source, target)
        then(target)

    monkeypatch.setattr(copying, "copy_tables", copy)


def test_a_source_that_goes_on_meanwhile_is_told_and_nothing_is_copied(
    own: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(monkeypatch, lambda _: own.append(act(CaseEvent.OPEN, CITY, 0, case_id="C9")) and None)
    with pytest.raises(LedgerBusyError, match="复制期间又有登记"):
        copy_ledger(tmp_path / "own", tmp_path / "new")
    with closing(connect(tmp_path / "new")) as store, store.reading() as connection:
        assert copying.is_empty(connection, schema.REVISION)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE cases SET title = 'x' WHERE case_id = 'C1'", "案件 C1"),
        ("INSERT INTO meta VALUES ('a', 'b')", "表 meta"),
    ],
)
def test_a_copy_that_differs_does_not_stand(
    own: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, told: str
) -> None:
    del own
    interrupted(monkeypatch, lambda target: target.exec_driver_sql(statement) and None)
    with pytest.raises(LedgerError, match=told):
        copy_ledger(tmp_path / "own", tmp_path / "new")
    with closing(connect(tmp_path / "new")) as store, store.reading() as connection:
        assert copying.is_empty(connection, schema.REVISION)


def test_digests_are_the_same_in_both_kinds_of_database_and_tell_any_change(
    office: Path, postgres_url: str
) -> None:
    copy_ledger(office, postgres_url)
    with closing(connect(office)) as a, closing(connect(postgres_url)) as b:
        with a.reading() as one, b.reading() as other:
            assert table_digests(one) == table_digests(other)
        with b.writing() as written:
            written.exec_driver_sql("UPDATE cases SET title = title || ' '")
        with a.reading() as one, b.reading() as other:
            changed = table_digests(one).items() ^ table_digests(other).items()
    assert {name for name, _ in changed} == {"cases"}
