from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from huanjie_lib.intake.blocks import parts_of
from huanjie_lib.intake.workbook import Grid

HEADS = {"编号", "代码", "日期", "方式", "户数"}
ONE, OTHER = ["编号", "代码", "日期", "方式"], ["编号", "代码", "户数"]


def parts(*rows: Sequence[Any]) -> list[list[list[Any]]]:
    """Return the filled rows of each part, without blank cells on the right."""
    width = max(map(len, rows))
    grid = Grid("a.xlsx", "表", [[*row, *[None] * (width - len(row))] for row in rows], hidden_rows=1)
    made = parts_of(grid, HEADS.__contains__, {"代码"}.__contains__)
    assert sum(part.hidden_rows for part in made) == 1
    assert all(len(part.rows) <= len(rows) for part in made)
    assert all(part.top == next(n for n, row in enumerate(part.rows) if any(row)) for part in made[1:])
    return [[[c for c in row if c is not None] for row in part.rows if any(row)] for part in made]


def test_one_table_stays_as_it_is() -> None:
    rows = [["石桥镇台账"], ONE, [1, "A", "d", "m"], ["合计"]]
    assert parts(*rows) == [rows]
    assert parts(["什么都不是"], ["x", "y"]) == [[["什么都不是"], ["x", "y"]]]


def test_a_table_under_another_with_its_title() -> None:
    above = [["台账一"], ONE, [1, "A", "d", "m"], ["填表人：某"]]
    below = [["台账二"], ["填报单位：石桥镇", "填报日期：2026-10-31"], OTHER, [1, "A", 3]]
    assert parts(*above, [], *below) == [above, below]


def test_headings_repeated_on_every_page_begin_no_table_unless_a_title_stands_over_them() -> None:
    page = [ONE, [1, "A", "d", "m"]]
    assert len(parts(*page, *page)) == 1
    assert len(parts(*page, [], *page)) == 1
    assert len(parts(["台账"], *page, ["台账（二）"], *page)) == 2


def test_a_row_of_data_is_no_row_of_headings() -> None:
    assert len(parts(ONE, ["编号", 1, 2, "方式"], ["编号", "代码", "某", "某"])) == 1


def test_tables_side_by_side_have_a_code_each() -> None:
    left, right = [ONE, [1, "A", "d", "m"]], [OTHER, [7, "B", 3]]
    both = [[*a, None, *b] for a, b in zip(left, right, strict=True)]
    assert parts(["台账"], *both) == [[["台账"], *left], [["台账"], *right]]
    without = [[*ONE, None, "编号", "户数", "日期"], [1, "A", "d", "m", None, 7, 3, "d"]]
    assert len(parts(*without)) == 1


def test_columns_printed_twice_beside_one_another() -> None:
    assert parts([*OTHER, *OTHER], [1, "A", 3, 2, "B", 4]) == [[OTHER, [1, "A", 3]], [OTHER, [2, "B", 4]]]


def test_lower_headings_tied_by_a_merged_cell_begin_no_table() -> None:
    rows = [["编号", "代码", "日期"], ["x", "甲", "乙"], ["编号", "户数", "方式"], [1, "A", "d"]]
    assert len(parts(*rows)) == 2
    grid = Grid("a.xlsx", "表", rows, anchors={(1, 0): (0, 0), (2, 0): (0, 0)})
    assert parts_of(grid, HEADS.__contains__, {"代码"}.__contains__) == [grid]


def test_thousands_of_tables_are_not_parted_and_cost_little() -> None:
    rows = [row for n in range(3000) for row in (["台账"], ONE, [n, "A", "d", "m"])]
    assert len(parts(*rows[:300])) == 100
    assert len(parts(*rows)) == 1
