from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from huanjie_lib.contracts import TABLES
from huanjie_lib.intake.checks import Checked, Context, check
from huanjie_lib.intake.report import Issue, IssueLevel
from huanjie_lib.intake.sheets import Reading, SheetReader
from huanjie_lib.intake.workbook import Grid
from huanjie_lib.parameters import ParameterSet, load_parameters

A, B = "990101101201", "990101101202"
READER = SheetReader(load_parameters().framework)
TITLE = ["石桥镇换届基础数据报送表", "", "", ""]
FILING = ["填报单位：石桥镇人民政府", "", "填报日期：2026年10月31日", ""]
SCREENING = ["序号", "村(社区)名称", "统计用区划代码", "摸排编号", "摸排日期", "摸排方式", "走访户数", "备注"]


def grid(
    rows: Sequence[Sequence[Any]], merges: Sequence[tuple[int, int, int, int]] = (), **options: Any
) -> Grid:
    width = max(map(len, rows))
    anchors = {
        (r, c): (top, left)
        for top, left, bottom, right in merges
        for r in range(top, bottom + 1)
        for c in range(left, right + 1)
    }
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    return Grid("returns/a.xlsx", options.pop("sheet", "表"), filled, anchors, **options)


def wide(*data: Sequence[Any], heads: Sequence[str] = ("户籍人口(人)", "总户数", "集体经济年收入")) -> Grid:
    rows = [TITLE, FILING, ["序号", "村(社区)名称", "统计用区划代码", *heads], *data]
    return grid(rows)


def screenings(*data: Sequence[Any]) -> Grid:
    return grid([["石桥镇矛盾摸排台账"], FILING, SCREENING, *data])


def row(
    number: int, code: str = A, *, date: str = "2026-10-01", method: str = "走访", houses: Any = 3
) -> list[Any]:
    return [number, "上云村", code, f"S{number}", date, method, houses, ""]


def texts(found: Sequence[Issue], level: IssueLevel) -> list[str]:
    return [i.found for i in found if i.severity == level]


def load(reading: Reading) -> dict[str, Checked]:
    metrics = load_parameters().framework.metrics
    known = {("units", "unit_code"): pl.Series([A, B])}
    loaded = {}
    for batch in reading.batches:
        mine = [b for b in reading.batches if b.table.name == batch.table.name]
        checked = check(batch.table, mine, Context(metrics, known=known))
        for count in checked.counts:
            assert count["read"] == count["loaded"] + count["quarantined"] + count["dropped"]
        loaded[batch.table.name] = checked
        if batch.table.name == "audit_projects":
            known[("audit_projects", "project_id")] = checked.rows["project_id"]
    return loaded


def facts(reading: Reading) -> list[tuple[Any, ...]]:
    rows = load(reading)["facts"].rows
    return rows.select("unit_code", pl.col("as_of").dt.date(), "metric", "value", "source_row").rows()


# ---------------------------------------------------------------- the wide sheet


def test_each_filled_cell_of_the_wide_sheet_is_a_fact() -> None:
    reading = READER.read(
        wide([1, "上云村", A, 1000, "300", "１２,３４５"], [2, "柳湾村", B, 900, "—", ""]), name="基本情况"
    )
    day = dt.date(2026, 10, 31)
    assert facts(reading) == [
        (A, day, "hukou_population", 1000.0, 4),
        (A, day, "households", 300.0, 4),
        (A, day, "collective_income", 12345.0, 4),
        (B, day, "hukou_population", 900.0, 5),
    ]
    (batch,) = reading.batches
    assert batch.unit == "单元格"
    assert batch.dropped == {"空白单元格": 2}
    assert texts(reading.issues, IssueLevel.ERROR) == texts(reading.issues, IssueLevel.WARNING) == []
    assert "截至日期取自表头上方的填报日期：2026-10-31" in texts(reading.issues, IssueLevel.NOTE)


def test_two_heading_rows_with_merged_groups() -> None:
    rows = [
        TITLE,
        FILING,
        ["序号", "村(社区)\n名称", "统计用区划代码", "人口情况", "", "经济情况（万元）", ""],
        ["", "", "", "户籍 人口（人）", "总户数", "集体经济年收入", "集体债务余额（元）"],
        [1, "上云村", A, 1000, 300, 1.25, 7],
    ]
    merges = [(2, 0, 3, 0), (2, 1, 3, 1), (2, 2, 3, 2), (2, 3, 2, 4), (2, 5, 2, 6)]
    found = facts(READER.read(grid(rows, merges), name="基本情况"))
    assert [(f[2], f[3]) for f in found] == [
        ("hukou_population", 1000.0),
        ("households", 300.0),
        ("collective_income", 12500.0),
        ("collective_debt", 7.0),
    ]
    assert facts(READER.read(grid(rows), name="基本情况")) == found  # as CSV: no merges


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


def test_totals_are_compared_and_left_out() -> None:
    data = [
        [1, "上云村", A, 1000, 300, "1.5"],
        [2, "柳湾村", B, 900, 280, "2.25"],
        ["", "合 计", "", "1,900", 581, "3.8"],
        ["填表人：", "", "", "审核人：", "", ""],
    ]
    reading = READER.read(wide(*data), name="基本情况")
    assert len(facts(reading)) == 6
    (warning,) = [i for i in reading.issues if i.severity is IssueLevel.WARNING]
    assert (warning.row, warning.column, warning.label) == (6, "households", "总户数")
    assert (warning.found, warning.allowed) == ("合计 581", "与各行之和相等（580）")
    assert reading.batches[0].dropped == {"合计行": 3, "签字或说明行": 3}


def test_subtotals_cover_the_rows_since_the_last() -> None:
    data = [
        [1, "上云村", A, 10, 1, 1],
        ["", "小计", "", 10, 1, 1],
        [2, "柳湾村", B, 20, 2, 2],
        ["", "小计", "", 21, 2, 2],
        ["", "总计", "", 30, 3, 3],
    ]
    reading = READER.read(wide(*data), name="基本情况")
    assert texts(reading.issues, IssueLevel.WARNING) == ["小计 21"]


def test_a_total_over_unreadable_cells_is_not_compared() -> None:
    data = [[1, "上云村", A, "约一千", 1, 1], ["", "合计", "", 1000, 1, 1]]
    assert texts(READER.read(wide(*data), name="基本情况").issues, IssueLevel.WARNING) == []


# ---------------------------------------------------------------- filing date


@pytest.mark.parametrize(
    "filing",
    [
        ["填报单位：石桥镇", "填报日期：2026年10月31日"],
        ["填报日期", "2026-10-31"],
        ["填报日期：", dt.date(2026, 10, 31)],
        ["填报时间：2026.10.31 填报人：某某某"],
        ["截至日期: ２０２６年１０月３１日"],
    ],
)
def test_where_the_filing_date_may_stand(filing: list[Any]) -> None:
    sheet = grid([TITLE, filing, ["统计用区划代码", "总户数"], [A, 300]])
    assert facts(READER.read(sheet, name="基本情况"))[0][1] == dt.date(2026, 10, 31)


def test_a_date_column_beats_the_filing_date() -> None:
    sheet = grid([FILING, ["统计用区划代码", "统计日期", "总户数"], [A, "2026-09-30", 300]])
    assert facts(READER.read(sheet, name="基本情况"))[0][1] == dt.date(2026, 9, 30)


def test_no_filing_date_and_none_declared() -> None:
    sheet = grid([TITLE, ["统计用区划代码", "总户数"], [A, 300]])
    reading = READER.read(sheet, name="基本情况")
    (why,) = reading.batches[0].refused
    assert "缺少列“截至日期”" in why.found
    assert "填报日期：2026年10月31日" in why.remedy
    assert load(reading)["facts"].quarantine["value"].to_list() == ["300"]
    declared = SheetReader(load_parameters().framework, as_of=dt.date(2026, 10, 31)).read(
        sheet, name="基本情况"
    )
    assert facts(declared)[0][1] == dt.date(2026, 10, 31)
    assert any("sources.yaml" in t for t in texts(declared.issues, IssueLevel.NOTE))


def test_an_unreadable_filing_date_names_no_one() -> None:
    sheet = grid([["填报日期：月底前 填报人：某某某"], ["统计用区划代码", "总户数"], [A, 300]])
    (why,) = READER.read(sheet, name="基本情况").batches[0].refused
    assert why.found == "“填报日期”后没有认得的日期"
    ledger = grid([["填报日期：月底前"], SCREENING, row(1)])
    assert READER.read(ledger, name="矛盾摸排").batches[0].refused == ()  # a ledger carries its own dates


# ---------------------------------------------------------------- ledgers


def test_rows_that_are_no_data() -> None:
    data = [
        row(1),
        [],
        SCREENING,
        row(2),
        [3, "柳湾村"],
        ["", "合计", "", "", "", "", 6],
        ["注：以上数据由各村填报"],
        ["填表人：", "", "审核人："],
        [],
    ]
    reading = READER.read(screenings(*data), name="矛盾摸排")
    assert reading.batches[0].rows.to_list() == [4, 7]
    assert reading.batches[0].dropped == {
        "空白行": 1,
        "重复的表头": 1,
        "只有序号或名称的行": 1,
        "合计行": 1,
        "签字或说明行": 2,
    }
    assert load(reading)["screenings"].rows["households_visited"].to_list() == [3, 3]


def test_projects_and_their_items() -> None:
    heads = [
        "序号",
        "项目编号",
        "统计用区划代码",
        "村(社区)名称",
        "审计类型",
        "审计事项",
        "审计结论",
        "涉及金额(元)",
    ]
    data = [
        [1, "P1", A, "上云村", "任中审计", "财务收支", "清楚", 10],
        ["", "", "", "", "", "资产处置", "清楚", 20],
        [2, "P2", B, "柳湾村", "离任", "财务收支", "不清楚", ""],
        ["", "", "", "", "", "债权债务", "未完成", ""],
    ]
    merged = grid([["石桥镇审计台账"], heads, *data], [(r, c, r + 1, c) for r in (2, 4) for c in range(5)])
    repeated = grid(
        [
            heads,
            *(
                [*(a if a[1] else b)[:5], *a[5:]]
                for a, b in zip(data, [data[0], data[0], data[2], data[2]], strict=True)
            ),
        ]
    )
    for sheet in (merged, grid([["石桥镇审计台账"], heads, *data]), repeated):
        reading = READER.read(sheet, name="审计台账")
        loaded = load(reading)
        assert loaded["audit_projects"].rows.select("project_id", "unit_code", "audit_type").rows() == [
            ("P1", A, "term"),
            ("P2", B, "leaving"),
        ]
        assert loaded["audit_items"].rows.select("project_id", "unit_code", "item").rows() == [
            ("P1", A, "finances"),
            ("P1", A, "assets"),
            ("P2", B, "finances"),
            ("P2", B, "debts"),
        ]
        assert reading.batches[0].dropped == {"同一项目的续行": 2}


def test_codes_in_number_cells_are_counted_and_damaged_ones_refused() -> None:
    reading = READER.read(
        screenings(row(1, 990101101201.0), row(2, 1.23e11), row(3, "1.23E+11"), row(4, 9.9e17)),
        name="矛盾摸排",
    )
    checked = load(reading)["screenings"]
    assert checked.rows["unit_code"].to_list() == [A]
    assert "3 个单元格：数字格式的代码按文本读取" in texts(reading.issues, IssueLevel.NOTE)
    # 1.23e11 is a whole number of twelve digits: no such unit; the others no longer are codes
    assert checked.quarantine["source_row"].to_list() == [5, 6, 7]
    remedies = pl.concat(checked.issues).filter(pl.col("severity") == "error")["remedy"].to_list()
    assert sum("科学计数法" in r for r in remedies) == 2


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


# ---------------------------------------------------------------- which table


@pytest.mark.parametrize("name", ["矛盾摸排", "附件3 矛盾摸排台账", "石桥镇矛盾摸排", "Sheet1"])
def test_a_sheet_is_known_by_name_or_headings(name: str) -> None:
    reading = READER.read(screenings(row(1)), name=name)
    assert [b.table.name for b in reading.batches] == ["screenings"]


def test_every_returned_table_is_known_by_its_headings() -> None:
    for name, table in TABLES.items():
        if name in {"identities", "cases", "case_events", "runs", "access_log"}:
            continue
        heads = [c.label for c in table.columns if c.kind != "geometry"]
        reading = READER.read(grid([heads, ["x"] * len(heads)]), name="Sheet1")
        assert [b.table.name for b in reading.batches] == [name]


def test_a_sheet_no_one_knows_is_a_warning() -> None:
    reading = READER.read(grid([["食堂菜单"], ["周一", "周二"]]), name="Sheet2")
    assert reading.batches == ()
    assert texts(reading.issues, IssueLevel.WARNING) == ["认不出的表（2 行）"]


def test_a_known_sheet_without_headings_is_an_error_and_accounted_for() -> None:
    reading = READER.read(grid([["石桥镇"], ["一", "二"], ["三", "四"]]), name="矛盾摸排")
    checked = load(reading)["screenings"]
    assert checked.counts[0]["quarantined"] == 3
    errors = pl.concat(checked.issues).filter(pl.col("severity") == "error")
    assert errors["found"].to_list() == ["前几行里没有认得的列标题"]


def test_empty_sheets() -> None:
    known = READER.read(grid([["", None]]), name="矛盾摸排")
    assert texts(known.issues, IssueLevel.ERROR) == ["空工作表"]
    unknown = READER.read(Grid("a.xlsx", "Sheet3", []), name="Sheet3")
    assert texts(unknown.issues, IssueLevel.NOTE) == ["空工作表"]
    assert texts(READER.read(Grid("a.csv", "", []), name="a").issues, IssueLevel.ERROR) == ["空文件"]


def test_headings_without_rows() -> None:
    assert texts(READER.read(screenings(), name="矛盾摸排").issues, IssueLevel.WARNING) == [
        "只有标题，没有数据行"
    ]
    assert texts(READER.read(wide(), name="基本情况").issues, IssueLevel.ERROR) == ["只有标题，没有数据行"]


def test_hidden_rows_and_sheets_are_read_and_said_so() -> None:
    sheet = grid([SCREENING, row(1)], hidden=True, hidden_rows=2)
    reading = READER.read(sheet, name="矛盾摸排")
    assert texts(reading.issues, IssueLevel.WARNING) == ["工作表被隐藏，仍已读取", "有 2 行被隐藏，仍已读取"]
    assert load(reading)["screenings"].rows.height == 1


# ---------------------------------------------------------------- nothing is lost

JUNK = st.sampled_from(
    [
        "",
        "",
        "—",
        "无",
        "x",
        "#REF!",
        5,
        2.5,
        "１２",
        "1.23E+11",
        A,
        B,
        "走访",
        "2026-10-01",
        "合计",
        "填表人：",
    ]
)
ROWS = st.lists(
    st.one_of(st.lists(JUNK, min_size=8, max_size=8), st.builds(row, st.integers(1, 4))), max_size=12
)


def last_filled(rows: list[list[Any]]) -> int:
    filled = [n for n, cells in enumerate(rows, start=1) if any(str(c).strip() for c in cells)]
    return max(filled, default=0)


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_every_row_of_a_ledger_is_accounted_for(rows: list[list[Any]]) -> None:
    checked = load(READER.read(screenings(*rows), name="矛盾摸排"))["screenings"]
    (count,) = checked.counts
    assert count["read"] == last_filled(rows)
    assert count["loaded"] == checked.rows.height
    assert count["quarantined"] == checked.quarantine.height
    told = set(pl.concat(checked.issues).filter(pl.col("severity") == "error")["row"].drop_nulls())
    assert told == set(checked.quarantine["source_row"])


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_every_cell_of_the_wide_sheet_is_accounted_for(rows: list[list[Any]]) -> None:
    rows = [cells[:6] for cells in rows]
    checked = load(READER.read(wide(*rows), name="基本情况"))["facts"]
    assert sum(int(c["read"]) for c in checked.counts) == 3 * last_filled(rows)


def test_default_reader_knows_every_metric(parameters: ParameterSet) -> None:
    metrics = parameters.framework.metrics
    sheet = grid(
        [FILING, ["统计用区划代码", *(m.label for m in metrics.values())], [A, *([3] * len(metrics))]]
    )
    assert [f[2] for f in facts(READER.read(sheet, name="基本情况"))] == list(metrics)


def test_a_wide_sheet_of_long_texts_is_no_burden() -> None:
    """Found by fuzzing: each text was looked at for each table, and for a filing date above each row."""
    whole = grid([["人" * 30_000 + f"{r}-{c}" for c in range(200)] for r in range(20)])
    began = time.process_time()
    reading = READER.read(whole, name="草稿")
    assert time.process_time() - began < 20  # one second; it took minutes
    assert reading.passed_by == {"认不出的表": 20}
