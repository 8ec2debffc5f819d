from __future__ import annotations

import re
from pathlib import Path

import pytest

from huanjie_lib.store.migrations.versions import r0001_ledger

FOLDER = Path(r0001_ledger.__file__).parents[1]
KEPT = {"case_events", "evidence", "runs", "run_units", "run_causes"}


@pytest.mark.parametrize(
    ("dialect", "verbs"), [("sqlite", {"UPDATE", "DELETE"}), ("postgresql", {"DELETE OR UPDATE", "TRUNCATE"})]
)
def test_each_kept_table_is_guarded_against_each_change(dialect: str, verbs: set[str]) -> None:
    script = (FOLDER / f"{r0001_ledger.revision}_{dialect}.sql").read_text(encoding="utf-8")
    found = set(re.findall(r"CREATE TRIGGER \w+ BEFORE ([A-Z ]+?) ON (\w+)", script))
    assert found >= {(verb, table) for verb in verbs for table in KEPT}
    assert {("INSERT", "case_events"), ("INSERT", "runs")} <= found


def test_the_lock_of_the_function_is_the_lock_of_the_program() -> None:
    from huanjie_lib.store.engine import POSTGRES_LOCK

    script = (FOLDER / f"{r0001_ledger.revision}_postgresql.sql").read_text(encoding="utf-8")
    assert f"pg_advisory_xact_lock({POSTGRES_LOCK})" in script


def test_it_is_the_first() -> None:
    assert r0001_ledger.down_revision is None
