from __future__ import annotations

import re
from pathlib import Path

import pytest

from huanjie_lib.store.migrations.versions import r0001_ledger, r0002_decisions

FOLDER = Path(r0002_decisions.__file__).parents[1]


@pytest.mark.parametrize(
    ("dialect", "verbs"), [("sqlite", {"UPDATE", "DELETE"}), ("postgresql", {"DELETE OR UPDATE", "TRUNCATE"})]
)
def test_decisions_are_guarded_against_each_change_and_come_in_order(dialect: str, verbs: set[str]) -> None:
    script = (FOLDER / f"{r0002_decisions.revision}_{dialect}.sql").read_text(encoding="utf-8")
    found = set(re.findall(r"CREATE TRIGGER \w+ BEFORE ([A-Z ]+?) ON (\w+)", script))
    assert found == {(verb, "decisions") for verb in {*verbs, "INSERT"}}


def test_it_follows_the_first() -> None:
    assert r0002_decisions.down_revision == r0001_ledger.revision
