"""People stand under pseudonyms, and what must not count for them is in no table that counts."""

from __future__ import annotations

import pytest

from huanjie_lib.contracts import TABLES, Table
from huanjie_lib.contracts.talent import TALENT

# Never an input of a person's score, so never a column of a table about people but those that say so.
APART = ("people_protected", "identities", "kinships")
LEFT_OUT_BY = ("is_kin",)  # a rating by kin is left out
FORBIDDEN = {
    *("religion", "clan", "surname", "ethnic", "ethnicity", "minority", "sex", "gender", "health"),
    *("disability", "marital", "marriage", "married", "petition", "petitions", "kin", "talk", "talks"),
    *("attitude", "property", "name", "phone", "number"),
}


@pytest.mark.parametrize("contract", [t for t in TABLES.values() if t.personal], ids=lambda t: t.name)
def test_tables_about_people_hold_pseudonyms_and_no_forbidden_column(contract: Table) -> None:
    assert any(c.name.endswith("_ref") for c in contract.columns)
    if contract.name not in APART:
        words = {part for c in contract.columns if c.name not in LEFT_OUT_BY for part in c.name.split("_")}
        assert words.isdisjoint(FORBIDDEN)


def test_what_is_said_of_somebody_is_of_somebody_in_the_reserve() -> None:
    people, *rest = TALENT
    assert people.name == "people"
    for contract in rest:
        target = "people" if contract.personal else "units"
        assert [r.table for r in contract.references] == [target]


def test_only_identities_are_opened_with_the_key() -> None:
    assert {t.name for t in TALENT if t.purpose == "identity"} == {"identities"}
    assert {t.purpose for t in TALENT} == {"talent", "identity"}
