"""Columns that many tables share are the same in all of them, and their patterns refuse what is no code."""

from __future__ import annotations

import re

import pytest

from huanjie_lib.contracts import (
    COUNTY_CODE_PATTERN,
    REF_PATTERN,
    TABLES,
    TOWNSHIP_CODE_PATTERN,
    UNIT_CODE_PATTERN,
)
from huanjie_lib.contracts.columns import AS_OF, PERSON, PROJECT, unit_code


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (UNIT_CODE_PATTERN, "990101101201", "99010110120"),
        (TOWNSHIP_CODE_PATTERN, "990101101", "9901011012"),
        (COUNTY_CODE_PATTERN, "990101", "99010a"),
        (REF_PATTERN, "P-1_a", "张三"),
    ],
)
def test_a_code_has_its_length_and_its_signs(pattern: str, good: str, bad: str) -> None:
    assert re.search(pattern, good)
    assert not re.search(pattern, bad)


def test_what_tables_share_is_the_same_in_all_of_them() -> None:
    shared = {c.name: c for c in (AS_OF, PERSON, PROJECT, unit_code())}
    optional = unit_code(required=False)
    found = [c for table in TABLES.values() for c in table.columns if c.name in shared]
    assert {c.name for c in found} == set(shared)
    assert all(c in (shared[c.name], optional) for c in found)
