"""A column says in Chinese what it accepts, and a table finds its columns by name."""

from __future__ import annotations

import pytest

from huanjie_lib.contracts import DTYPES, SOURCE_COLUMNS, Column, Table
from huanjie_lib.vocabulary import UnitKind


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (Column("a", "word", "甲", words=UnitKind), "村、社区"),
        (Column("a", "string", "甲", pattern=r"^\d$", pattern_label="1 位数字"), "1 位数字"),
        (Column("a", "string", "甲"), "文字"),
        (Column("a", "number", "甲"), "数"),
        (Column("a", "integer", "甲", minimum=0), "不小于 0 的整数"),
        (Column("a", "number", "甲", minimum=-180, maximum=180), "-180 到 180 之间的数"),
        (Column("a", "boolean", "甲"), "是、否"),
    ],
)
def test_a_column_says_what_it_accepts(column: Column, told: str) -> None:
    assert column.allowed() == told


def test_a_table_finds_its_own_columns_and_those_of_the_source() -> None:
    own = Column("a", "date", "甲")
    table = Table("t", "表", "One row.", "risk", (own,), ("a",))
    assert table.column("a") is own
    assert table.column("source_row") is SOURCE_COLUMNS[-1]
    assert table.names == ("a", "source_file", "source_sheet", "source_row")
    with pytest.raises(KeyError):
        table.column("b")


def test_every_kind_of_column_but_geometry_has_a_type_in_memory() -> None:
    kinds = {column.kind for column in SOURCE_COLUMNS} | {"date", "moment", "boolean", "number", "word"}
    assert kinds == set(DTYPES)
