from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from huanjie_lib.errors import LedgerError, LedgerVersionError
from huanjie_lib.store import schema
from huanjie_lib.store.engine import PostgresStore, SqliteStore, Store, connect
from huanjie_lib.store.ledger import open_ledger, upgrade_ledger


@pytest.fixture
def store(new_address: str) -> Iterator[Store]:
    """A ledger's database with the newest tables, on both kinds."""
    made = connect(new_address)
    yield made
    made.close()


def address(store: Store) -> str | Path:
    if isinstance(store, SqliteStore):
        return store.file
    assert isinstance(store, PostgresStore)
    return store.url.render_as_string(hide_password=False)


def test_the_revisions_make_the_tables_that_the_program_uses(store: Store) -> None:
    def ours(_: object, name: str | None, kind: str, *rest: object) -> bool:
        del rest
        return not (kind == "table" and name == "alembic_version")

    with store.writing() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, schema.METADATA) == []


def test_the_program_reads_the_last_revision() -> None:
    script = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert script.get_current_head() == schema.REVISION


def test_tables_of_sqlite_keep_types_strictly(tmp_path: Path) -> None:
    with open_ledger(tmp_path, create=True)._reading() as connection:
        tables = connection.exec_driver_sql("PRAGMA table_list").mappings().all()
    strict = {row["name"] for row in tables if row["strict"]}
    assert strict == set(schema.METADATA.tables)


def rows(connection: sa.Connection) -> None:
    """Put one row into each table, as the program would."""
    values: dict[str, object] = {"sequence": 1, "number": 1, "position": 1, "previous_hash": "0" * 64}
    for table in schema.METADATA.sorted_tables:
        row = {c.name: values.get(c.name, "a" if isinstance(c.type, sa.Text) else 1) for c in table.columns}
        connection.execute(sa.insert(table), row)


@pytest.mark.parametrize(
    "table",
    [
        "case_events",
        "evidence",
        "runs",
        "run_units",
        "run_causes",
        "decisions",
        "access_log",
        "request_events",
    ],
)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_what_was_recorded_cannot_be_changed_deleted_or_truncated(
    store: Store, table: str, statement: str
) -> None:
    if "TRUNCATE" in statement and store.dialect == "sqlite":
        statement = "DELETE FROM {} WHERE 1"
    column = schema.METADATA.tables[table].columns.keys()[0]
    with store.writing() as connection:
        rows(connection)
    with pytest.raises(LedgerError, match="append only"), store.writing() as connection:
        connection.exec_driver_sql(statement.format(table, column, column))


def test_cases_are_never_deleted(store: Store) -> None:
    with store.writing() as connection:
        rows(connection)
        connection.exec_driver_sql("UPDATE cases SET title = 'b'")
    with pytest.raises(LedgerError), store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM cases")


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("case_events", "sequence"),
        ("runs", "number"),
        ("decisions", "number"),
        ("access_log", "number"),
        ("request_events", "number"),
    ],
)
@pytest.mark.parametrize("change", [{"place": 3}, {"place": 1}, {"previous_hash": "1" * 64}])
def test_rows_of_a_chain_come_in_order_and_replace_none(
    store: Store, table: str, key: str, change: dict[str, object]
) -> None:
    with store.writing() as connection:
        rows(connection)
        last = connection.execute(sa.select(schema.METADATA.tables[table])).mappings().one()
    new = {**last, key: 2, "previous_hash": last["hash"]} | dict.fromkeys(
        ("event_id", "case_id", "run_id", "decision_id", "entry_id"), "b"
    )
    new |= {key if name == "place" else name: value for name, value in change.items()}
    new = {name: value for name, value in new.items() if name in last}
    insert = sa.insert(schema.METADATA.tables[table])
    if store.dialect == "sqlite":
        insert = insert.prefix_with("OR REPLACE")
    with pytest.raises(LedgerError, match="out of order"), store.writing() as connection:
        connection.execute(insert, new)


def test_each_guard_stands_and_is_known_by_its_text(store: Store) -> None:
    with store.reading() as connection:
        standing = schema.standing_guards(connection)
    assert len(standing) == len(schema.guards(store.dialect))


# ---------------------------------------------------------------- versions


def test_a_ledger_of_a_newer_program_is_left_alone(store: Store) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for opening in (
        lambda: open_ledger(address(store)),
        lambda: open_ledger(address(store), create=True),
        lambda: upgrade_ledger(address(store)),
    ):
        with pytest.raises(LedgerVersionError, match="请升级本程序"):
            opening()


def test_an_older_ledger_is_told_how_to_come_up_and_keeps_what_it_holds(
    postgres_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.sqlite3"
    SqliteStore(file).create()
    for url in (file, postgres_url):
        store = connect(url)
        with store.writing() as connection:
            schema.upgrade(connection, "0001")
            connection.exec_driver_sql("INSERT INTO meta VALUES ('kept', 'yes')")
        store.close()
        with pytest.raises(LedgerVersionError, match="huanjie store upgrade"):
            open_ledger(url)
        upgrade_ledger(url)
        with open_ledger(url) as ledger:
            assert ledger.decisions().empty
            assert ledger.access_log().empty
            assert ledger.verify() == []
        store = connect(url)
        with store.reading() as connection:
            assert connection.exec_driver_sql("SELECT value FROM meta").scalar() == "yes"
        store.close()


def test_where_there_is_no_ledger_it_is_said_so(tmp_path: Path, postgres_url: str) -> None:
    empty = SqliteStore(tmp_path / "a.db")
    empty.create()
    for url in (tmp_path / "a.db", postgres_url):
        for opening in (open_ledger, upgrade_ledger):
            with pytest.raises(LedgerVersionError, match="huanjie store init"):
                opening(url)


def test_making_a_ledger_twice_and_upgrading_the_newest_change_nothing(store: Store) -> None:
    open_ledger(address(store), create=True).close()
    upgrade_ledger(address(store))
    with store.reading() as connection:
        schema.check_revision(connection)


def test_a_revision_that_fails_leaves_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ledger.sqlite3"
    real = sa.Connection.exec_driver_sql

    def broken(connection: sa.Connection, statement: str, *more: object, **named: object) -> object:
        if "runs_in_order" in statement:
            raise ZeroDivisionError
        return real(connection, statement, *more, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sa.Connection, "exec_driver_sql", broken)
        with pytest.raises(ZeroDivisionError):
            open_ledger(file, create=True)
    store = SqliteStore(file)
    with store.reading() as connection:
        assert sa.inspect(connection).get_table_names() == []
    assert open_ledger(file, create=True).verify() == []
