from __future__ import annotations

import re
from pathlib import Path

import pytest

from huanjie_lib.store.migrations.versions import r0002_decisions, r0003_access

FOLDER = Path(r0003_access.__file__).parents[1]


@pytest.mark.parametrize(
    ("dialect", "verbs"), [("sqlite", {"UPDATE", "DELETE"}), ("postgresql", {"DELETE OR UPDATE", "TRUNCATE"})]
)
def test_both_logs_are_guarded_against_each_change_and_come_in_order(dialect: str, verbs: set[str]) -> None:
    script = (FOLDER / f"{r0003_access.revision}_{dialect}.sql").read_text(encoding="utf-8")
    found = set(re.findall(r"CREATE TRIGGER \w+ BEFORE ([A-Z ]+?) ON (\w+)", script))
    assert found == {
        (verb, table) for verb in {*verbs, "INSERT"} for table in ("access_log", "request_events")
    }


def test_it_follows_the_second() -> None:
    assert r0003_access.down_revision == r0002_decisions.revision
