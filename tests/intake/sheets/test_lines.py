"""What is wrong with a sheet is told with what stands there and what to do, and no personal word."""

from __future__ import annotations

from huanjie_lib.intake.report import IssueLevel
from tests.intake.sheets.made import READER, SCREENING, A, facts, grid, load, row, texts, wide


def test_ten_thousands_are_multiplied_and_said_so() -> None:
    reading = READER.read(
        wide([1, "上云村", A, 1, 1, "12.3456"], heads=("户籍人口", "总户数", "集体经济年收入（万元）")),
        name="基本情况",
    )
    assert facts(reading)[2][3] == 123456.0
    assert "单位为万元，数值乘以 10000 换算为元" in texts(reading.issues, IssueLevel.NOTE)


def test_a_unit_that_cannot_be_converted_sets_the_column_aside() -> None:
    reading = READER.read(
        wide([1, "上云村", A, 1000, 300, 5], heads=("户籍人口(户)", "总户数", "集体经济年收入")),
        name="基本情况",
    )
    checked = load(reading)["facts"]
    assert checked.rows["metric"].to_list() == ["households", "collective_income"]
    assert checked.quarantine["value"].to_list() == ["1000"]
    assert texts(reading.issues, IssueLevel.ERROR) == ["户籍人口(户)（单位：户）"]


def test_personal_columns_are_left_out_without_a_word_of_them() -> None:
    heads = [*SCREENING, "联系电话", "户主姓名"]
    reading = READER.read(grid([heads, [*row(1), "13900000000", "张某某"]]), name="矛盾摸排")
    assert texts(reading.issues, IssueLevel.ERROR) == ["含个人信息的列（电话类）", "含个人信息的列（姓名类）"]
    checked = load(reading)["screenings"]
    assert checked.rows.height == 1
    everything = str(reading) + str(checked.rows.rows()) + str(checked.quarantine.rows())
    assert "张某某" not in everything
    assert "13900000000" not in everything


def test_unknown_columns_are_named() -> None:
    reading = READER.read(grid([[*SCREENING, "天气"], [*row(1), "晴"]]), name="矛盾摸排")
    assert texts(reading.issues, IssueLevel.WARNING) == ["不认得的列，未载入：天气"]


def test_a_missing_column_is_named_with_what_is_there() -> None:
    heads = [h if h != "摸排方式" else "怎么摸排的" for h in SCREENING]
    reading = READER.read(grid([["标题"], heads, row(1), row(2)]), name="矛盾摸排")
    (why,) = reading.batches[0].refused
    assert why.found.startswith("缺少列“摸排方式”；现有标题：序号、村(社区)名称、")
    assert why.allowed == "列标题“摸排方式”"
    assert why.row == 2
    checked = load(reading)["screenings"]
    assert checked.rows.height == 0
    assert checked.quarantine["screening_id"].to_list() == ["S1", "S2"]


def test_a_column_twice() -> None:
    reading = READER.read(grid([[*SCREENING, "摸排日期"], [*row(1), "2026-10-02"]]), name="矛盾摸排")
    assert [i.found for i in reading.batches[0].refused] == ["列标题重复：摸排日期（E 列）、摸排日期（I 列）"]


def test_hidden_rows_and_sheets_are_read_and_said_so() -> None:
    sheet = grid([SCREENING, row(1)], hidden=True, hidden_rows=2)
    reading = READER.read(sheet, name="矛盾摸排")
    assert texts(reading.issues, IssueLevel.WARNING) == ["工作表被隐藏，仍已读取", "有 2 行被隐藏，仍已读取"]
    assert load(reading)["screenings"].rows.height == 1
