from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite

from huanjie_lib.errors import (
    LedgerBusyError,
    LedgerError,
    LedgerFullError,
    LedgerVersionError,
    UsageError,
)
from huanjie_lib.store.engine import (
    LEAST_SQLITE,
    POSTGRES_LOCK,
    PostgresStore,
    SqliteStore,
    check_sqlite,
    connect,
)
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.vocabulary import CaseEvent
from tests.offices import CITY, act, life
from tests.postgres import Accounts, PostgresServer

POSIX = pytest.mark.skipif(os.name == "nt", reason="permissions and fork are POSIX")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    made = SqliteStore(tmp_path / "store" / "ledger.sqlite3", timeout=0.3)
    made.create()
    with made.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
    return made


def numbers(store: SqliteStore | PostgresStore) -> list[int]:
    with store.reading() as connection:
        return list(connection.exec_driver_sql("SELECT x FROM t ORDER BY x").scalars())


def test_the_library_is_new_enough_and_an_older_one_is_refused() -> None:
    assert sqlite.sqlite_version_info >= LEAST_SQLITE
    check_sqlite(LEAST_SQLITE)
    with pytest.raises(LedgerVersionError, match=r"3\.51\.2"):
        check_sqlite((3, 51, 2))


def test_the_version_is_checked_when_a_ledger_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_sqlite, "__defaults__", ((3, 45, 0),))
    with pytest.raises(LedgerVersionError, match="SQLite 版本过低"):
        SqliteStore(tmp_path / "a.db")


def test_the_settings_hold_on_every_connection(store: SqliteStore) -> None:
    def told(connection: sa.Connection, *names: str) -> list[object]:
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    with store.writing() as connection:
        found = told(connection, "journal_mode", "synchronous", "foreign_keys", "query_only")
        assert found == ["wal", 2, 1, 0]  # 2: FULL
    with store.reading() as connection:
        assert told(connection, "journal_mode", "query_only") == ["wal", 1]


def test_a_reader_cannot_write(store: SqliteStore) -> None:
    with pytest.raises(LedgerError, match="不能写入"), store.reading() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    with store.reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only=OFF")
    with pytest.raises(LedgerError, match="不能写入"), store.reading() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    only = SqliteStore(store.file, read_only=True)
    with pytest.raises(LedgerError, match="只读打开"), only.writing():
        pass
    assert numbers(store) == []


def test_a_reader_sees_one_moment(store: SqliteStore) -> None:
    with store.reading() as connection:
        with store.writing() as writer:
            writer.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
    assert numbers(store) == [1]


def test_a_failure_within_a_write_leaves_nothing(store: SqliteStore) -> None:
    def add_and_fail() -> None:
        with store.writing() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    with store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
    assert numbers(store) == [2]


@POSIX
def test_folder_files_and_lock_are_for_their_owner_alone(store: SqliteStore) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        modes = {path.name: path.stat().st_mode & 0o777 for path in store.file.parent.iterdir()}
    assert modes == dict.fromkeys([store.file.name + end for end in ("", "-wal", "-shm", ".lock")], 0o600)
    assert store.file.parent.stat().st_mode & 0o777 == 0o700


@POSIX
def test_the_names_of_a_new_ledger_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    real = os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda handle: (flushed.append(Path(f"/proc/self/fd/{handle}").readlink()), real(handle)),
    )
    SqliteStore(tmp_path / "store" / "ledger.sqlite3").create()
    assert flushed == [tmp_path, tmp_path / "store"]


# ---------------------------------------------------------------- a busy ledger


def held_file(path: Path) -> subprocess.Popen[str]:
    """Start a process that holds the file lock until its input closes."""
    hold = "    print('held', flush=True)\n    sys.stdin.read()"
    code = f"import sys, filelock\nwith filelock.FileLock(sys.argv[1]):\n{hold}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_held_too_long_is_told_with_its_remedy_and_then_all_is_well(store: SqliteStore) -> None:
    with held_file(store.lock) as process:
        began = time.monotonic()
        with pytest.raises(LedgerBusyError, match=r"ledger\.sqlite3\.lock 的程序") as caught, store.writing():
            pass
        assert 0.25 < time.monotonic() - began < 5
        assert "等另一个操作" in caught.value.faults[0].remedy
        assert numbers(store) == []  # reading goes on
        assert process.stdin is not None
        process.stdin.close()
    with store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert numbers(store) == [1]


def test_a_foreign_writer_without_the_lock_is_told_too(store: SqliteStore) -> None:
    foreign = sqlite.connect(str(store.file), isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusyError), store.writing():
        pass
    foreign.execute("ROLLBACK")
    foreign.close()
    with store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")


def test_threads_of_one_process_write_one_after_the_other(store: SqliteStore) -> None:
    store.timeout = 20

    def add(start: int) -> None:
        for x in range(start, start + 10):
            with store.writing() as connection:
                connection.exec_driver_sql(f"INSERT INTO t VALUES ({x})")

    threads = [threading.Thread(target=add, args=(10 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(store) == list(range(40))


@POSIX
def test_a_forked_child_writes_over_connections_of_its_own(store: SqliteStore) -> None:
    store.timeout = 20
    with store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (0)")
    assert numbers(store) == [0]
    code = f"""
import os, sys
from pathlib import Path
from huanjie_lib.store.engine import SqliteStore
store = SqliteStore(Path({str(store.file)!r}), timeout=20)
def add(x):
    with store.writing() as connection:
        connection.exec_driver_sql(f"INSERT INTO t VALUES ({{x}})")
add(1)
with store.reading() as connection:
    connection.exec_driver_sql("SELECT * FROM t").fetchall()
for x in (2, 3, 4):
    child = os.fork()
    if child == 0:
        add(x)
        store.close()
        sys.exit()  # the whole way out, finalisers included
    for y in range(10 * x, 10 * x + 5):
        add(y)
    assert os.waitpid(child, 0)[1] == 0
add(5)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert numbers(store) == [0, 1, 2, 3, 4, 5, *range(20, 25), *range(30, 35), *range(40, 45)]
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


# ---------------------------------------------------------------- what goes wrong below


def test_a_full_database_is_told_and_nothing_is_half_done(store: SqliteStore) -> None:
    with store.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def add_too_much() -> None:
        with store.writing() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            connection.exec_driver_sql("CREATE TABLE big AS SELECT randomblob(100000)")

    with pytest.raises(LedgerFullError, match="磁盘已满"):
        add_too_much()
    with store.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
    assert numbers(store) == [2]


def test_no_file_no_database_and_a_folder_that_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="huanjie store init"), SqliteStore(tmp_path / "a.db").reading():
        pass
    rubbish = tmp_path / "b.db"
    rubbish.write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError, match="已损坏或不是台账"), SqliteStore(rubbish).reading():
        pass
    with pytest.raises(LedgerError, match="不能建立案件台账"):
        SqliteStore(rubbish / "store" / "ledger.sqlite3").create()


def test_a_full_disk_at_creation_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(LedgerFullError):
        SqliteStore(tmp_path / "ledger.sqlite3").create()


def test_a_defect_of_the_program_is_not_hidden(store: SqliteStore) -> None:
    with pytest.raises(sa.exc.OperationalError), store.writing() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")


# ---------------------------------------------------------------- PostgreSQL


def test_postgresql_reads_one_moment_and_readers_cannot_write(postgres_url: str) -> None:
    store = PostgresStore(sa.make_url(postgres_url), timeout=0.3)
    store.create()
    with store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x integer)")
    with store.reading() as connection:
        with store.writing() as writer:
            assert writer.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            writer.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
    with pytest.raises(LedgerError, match="有权限的账号"), store.reading() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
    assert numbers(store) == [1]
    store.close()


def test_postgresql_tells_a_lock_that_is_held_too_long(postgres_url: str) -> None:
    store = PostgresStore(sa.make_url(postgres_url), timeout=0.3)
    engine = sa.create_engine(postgres_url)
    with engine.begin() as holder:
        holder.exec_driver_sql(f"SELECT pg_advisory_xact_lock({POSTGRES_LOCK})")
        with pytest.raises(LedgerBusyError), store.writing() as connection:
            store.hold(connection)
    with store.writing() as connection:
        store.hold(connection)
    engine.dispose()
    store.close()


@pytest.mark.parametrize("gone", ["database", "server"])
def test_postgresql_that_cannot_be_reached_is_told(postgres_url: str, gone: str, tmp_path: Path) -> None:
    url = sa.make_url(postgres_url)
    url = (
        url.set(database="nowhere")
        if gone == "database"
        else url.set(query={"host": str(tmp_path)}, password="secret")
    )
    store = PostgresStore(url)
    with pytest.raises(LedgerError, match="连不上案件台账") as caught, store.reading():
        pass
    assert "secret" not in str(caught.value)


BEYOND_THE_WRITER = {
    "an event": "UPDATE case_events SET payload = '{}'",
    "a file": "DELETE FROM evidence",
    "a run": "TRUNCATE runs CASCADE",
    "a look": "DELETE FROM access_log",
    "a cause": "UPDATE cases SET cause = 'other'",
    "the guards": "ALTER TABLE case_events DISABLE TRIGGER ALL",
    "all guards": "SET session_replication_role = replica",
    "a rule": "ALTER FUNCTION huanjie_append_only() RENAME TO other",
    "the rules": "DROP FUNCTION huanjie_append CASCADE",
    "the tables": "DROP TABLE cases",
    "what is known of it": "INSERT INTO meta VALUES ('a', 'b')",
    "the revision": "UPDATE alembic_version SET version_num = '9'",
}
BEYOND_THE_READER = {
    "an event": "INSERT INTO case_events SELECT * FROM case_events",
    "a state": "UPDATE cases SET state = 'closed'",
    "the lock": "SELECT * FROM cases FOR UPDATE",
    "who saw whom": "SELECT subject FROM access_log",
    "who asks what": "SELECT * FROM request_events",
}


@pytest.fixture(scope="module")
def accounts(postgres_server: PostgresServer) -> Accounts:
    """A ledger made as the page says, on which a case has gone its whole way."""
    accounts = postgres_server.new_ledger()
    with open_ledger(accounts.writer) as ledger:
        for action in life():
            ledger.append(action)
    return accounts


def refused(address: str, statement: str) -> bool:
    """Tell whether an account lacks the right to a statement; nothing stands afterwards."""
    engine = sa.create_engine(address)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as error:
        return isinstance(error.orig, psycopg.errors.InsufficientPrivilege)
    finally:
        engine.dispose()
    return False


@pytest.mark.parametrize("statement", BEYOND_THE_WRITER.values(), ids=BEYOND_THE_WRITER)
def test_postgresql_writer_adds_and_changes_nothing_else(accounts: Accounts, statement: str) -> None:
    assert refused(accounts.writer, statement)
    assert refused(accounts.reader, statement)
    superuser = re.sub("//.*@", "//postgres@", accounts.owner)
    assert not refused(superuser, statement), "else the statement itself is at fault"


@pytest.mark.parametrize("statement", BEYOND_THE_READER.values(), ids=BEYOND_THE_READER)
def test_postgresql_reader_reads_and_no_more(accounts: Accounts, statement: str) -> None:
    assert refused(accounts.reader, statement)
    assert not refused(accounts.writer, statement)


def test_postgresql_reader_reads_cases_and_heads_and_the_writer_checks_all(accounts: Accounts) -> None:
    with open_ledger(accounts.writer) as ledger:
        assert [fault.kind for fault in ledger.verify()] == ["evidence"], "no folder was named"
        head = ledger.head()
    with open_ledger(accounts.reader) as ledger:
        assert ledger.head() == head
        assert len(ledger.events()) == len(list(life()))
        with pytest.raises(LedgerError, match="有权限的账号"):
            ledger.access_log()
        with pytest.raises(LedgerError, match="有权限的账号"):
            ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C2"))


def test_postgresql_wrong_password_is_told_and_not_shown(
    accounts: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = re.sub(":[^:@]+@", ":secret@", accounts.reader)
    with pytest.raises(LedgerError, match="连不上案件台账") as caught:
        open_ledger(wrong)
    assert not re.search("secret|connection|host=", str(caught.value)), "plain words to whoever looks"
    assert "password authentication failed" in caplog.text, "and the reason to the administrator"
    assert "secret" not in caplog.text


# ---------------------------------------------------------------- addresses


def test_addresses(tmp_path: Path) -> None:
    folder = tmp_path / "a.db"
    folder.mkdir()
    wanted = {
        tmp_path: tmp_path / "ledger.sqlite3",
        tmp_path / "new": tmp_path / "new" / "ledger.sqlite3",
        tmp_path / "x.sqlite3": tmp_path / "x.sqlite3",
        folder: folder / "ledger.sqlite3",  # a folder is a folder whatever its name
        f"sqlite:///{tmp_path}/y": tmp_path / "y" / "ledger.sqlite3",
    }
    for url, file in wanted.items():
        found = connect(url)
        assert isinstance(found, SqliteStore)
        assert found.file == file


@pytest.mark.parametrize(
    "url", ["mysql://a:geheim@b/c", "sqlite://", "postgresql+asyncpg://a/b", "http:///x"]
)
def test_other_databases_are_refused_without_telling_a_password(url: str) -> None:
    with pytest.raises(UsageError, match="--store") as caught:
        connect(url)
    assert "geheim" not in str(caught.value)
