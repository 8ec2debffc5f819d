"""What may be entered in a column is what its contract allows."""

from __future__ import annotations

import pytest

from huanjie_lib.contracts import TABLES, Column, table
from huanjie_lib.exports.forms import YES_NO, entry_rule, heading
from huanjie_lib.intake.headings import known_units, table_names


@pytest.mark.parametrize("name", sorted(TABLES))
def test_headings_are_understood_by_intake(name: str) -> None:
    names = table_names(TABLES[name], known_units({}))
    for column in TABLES[name].columns:
        found = names.match(heading(column))
        if column.kind != "geometry":
            assert found is not None
            assert (found.name, found.scale, found.clash) == (column.name, 1.0, False)


@pytest.mark.parametrize(
    ("low", "high", "rule"),
    [
        (0, None, {"criteria": ">=", "value": 0}),
        (None, 9.5, {"criteria": "<=", "value": 9.5}),
        (1.0, 20.0, {"criteria": "between", "minimum": 1, "maximum": 20}),
    ],
)
def test_numbers_keep_to_their_bounds(low: float | None, high: float | None, rule: dict[str, float]) -> None:
    found = entry_rule(Column("n", "number", "数", minimum=low, maximum=high))
    assert {k: found[k] for k in rule} == rule
    assert found["validate"] == "decimal"


def test_words_lengths_and_texts() -> None:
    assert entry_rule(table("talks").column("target"))["source"][:2] == ["离任人员", "有意参选人员"]
    assert entry_rule(table("screenings").column("led_by_secretary"))["source"] == list(YES_NO)
    code = table("units").column("unit_code")
    assert entry_rule(code, length=12) | {"validate": "length", "criteria": "==", "value": 12} == entry_rule(
        code, length=12
    )
    assert entry_rule(code, listed="=A!$A$1:$A$3")["source"] == "=A!$A$1:$A$3"
    assert entry_rule(table("units").column("unit_name"))["validate"] == "any"
    assert all(len(entry_rule(c)["input_message"]) <= 255 for t in TABLES.values() for c in t.columns)
