from __future__ import annotations

from pathlib import Path

import pytest

from huanjie_lib.store import schema
from huanjie_lib.store.engine import SqliteStore
from huanjie_lib.store.migrations import env


def test_importing_the_environment_runs_nothing() -> None:
    assert callable(env.run)


def test_it_runs_on_the_connection_and_in_the_transaction_of_the_caller(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.create()

    def upgrade_and_fail() -> None:
        with store.writing() as connection:
            schema.upgrade(connection)
            assert schema.standing(connection) == schema.REVISION
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        upgrade_and_fail()
    with store.reading() as connection:
        assert schema.standing(connection) == ""
    store.close()
