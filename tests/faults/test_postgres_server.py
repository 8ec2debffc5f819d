"""The PostgreSQL server of the tests is durable, gives each test its own database and outlives nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from tests import conftest, postgres

ROOT = Path(__file__).resolve().parents[2]


def test_a_commit_is_told_only_when_it_is_on_the_disk(postgres_server: postgres.PostgresServer) -> None:
    with postgres_server.connect() as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_each_test_has_a_database_of_its_own(
    postgres_server: postgres.PostgresServer, postgres_url: str
) -> None:
    other = postgres_server.new_database()
    assert other != postgres_url
    engines = [sqlalchemy.create_engine(url) for url in (postgres_url, other)]
    with engines[0].begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (a int)"))
    assert [sqlalchemy.inspect(engine).get_table_names() for engine in engines] == [["t"], []]
    for engine in engines:
        engine.dispose()


def test_what_was_committed_outlives_an_immediate_stop() -> None:
    server = postgres.PostgresServer()
    try:
        server.start()
        with server.connect() as connection:
            connection.execute("CREATE TABLE t AS SELECT 7 AS a")
        server.halt(immediate=True)
        with pytest.raises(psycopg.OperationalError):
            server.connect()
        server.start()
        with server.connect() as connection:
            assert connection.execute("SELECT a FROM t").fetchone() == (7,)
    finally:
        server.stop()
    assert not server.folder.exists()


def test_a_folder_that_nobody_waits_for_is_removed_too() -> None:
    server = postgres.PostgresServer()
    server.start()
    server.stop(wait=False)
    until = time.monotonic() + 120
    while server.folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not server.folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent ended")
def test_the_server_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os, signal\nfrom tests.postgres import PostgresServer\n"
        "server = PostgresServer()\nserver.start()\nprint(server.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder = done.stdout.strip()
    until = time.monotonic() + 120
    while Path(folder, "data", "postmaster.pid").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(folder, "data", "postmaster.pid").exists()
    postgres.shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", postgres.PostgresUnavailableError), ("", pytest.skip.Exception)]
)
def test_a_missing_server_fails_in_ci_and_is_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(postgres, "DEBIAN", Path("/no/such/folder"))
    monkeypatch.setattr(postgres.shutil, "which", lambda _: None)
    with pytest.raises(outcome, match="apt-get install postgresql"):
        next(conftest.running_postgres())
