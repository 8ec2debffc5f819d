"""Empty ledgers on both kinds of database, copied from one that the revisions made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from huanjie_lib.store.ledger import Ledger, open_ledger
from tests.postgres import PostgresServer


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty ledger, its log folded in; not to be changed."""
    folder = tmp_path_factory.mktemp("template")
    open_ledger(folder, create=True).close()
    return folder / "ledger.sqlite3"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The address of an empty ledger on the server; not to be changed."""
    url = postgres_server.new_database()
    open_ledger(url, create=True).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a ledger with the newest tables, on both kinds of database."""
    if request.param == "sqlite":
        file = tmp_path / "store" / "ledger.sqlite3"
        file.parent.mkdir(mode=0o700)
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("postgres_template")
    return copied(server, template)


_NUMBERS = count(1)


def copied(server: PostgresServer, template: str) -> str:
    """Return the address of a copy of a database."""
    old = template.partition("@/")[2].partition("?")[0]
    new = f"copy_{next(_NUMBERS)}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {new} TEMPLATE {old}")  # type: ignore[call-overload]
    return template.replace(f"@/{old}?", f"@/{new}?")


@pytest.fixture
def opened(new_address: str, tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Return a function that opens the ledger again, as another process would; all are closed at the end."""
    ledgers: list[Ledger] = []

    def again(**options: object) -> Ledger:
        ledgers.append(open_ledger(new_address, evidence=tmp_path / "evidence", **options))  # type: ignore[arg-type]
        return ledgers[-1]

    yield again
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def ledger(opened: Callable[..., Ledger]) -> Ledger:
    """An empty ledger with a folder for evidence, on both kinds of database."""
    return opened()
