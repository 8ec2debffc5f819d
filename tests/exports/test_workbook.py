"""The workbook read back with openpyxl: what it holds equals the run, and no text is anything but text."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl
import pandas as pd
import pytest
from openpyxl.cell import Cell
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from huanjie_lib.errors import UsageError
from huanjie_lib.exports import book as book_module
from huanjie_lib.exports.workbook import SHEETS, workbook
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.views.meeting import meeting_of
from huanjie_lib.views.summary import overview
from huanjie_lib.views.words import ADMISSION, LABELS
from huanjie_lib.vocabulary import Level, Topic

HOSTILE = ("=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "{=1}", "http://x.y", "mailto:a@b", "\t=1")


@pytest.fixture(scope="module")
def data(small_run: Run) -> bytes:
    return workbook(meeting_of(small_run))


@pytest.fixture(scope="module")
def book(data: bytes) -> Iterator[Workbook]:
    opened = openpyxl.load_workbook(io.BytesIO(data))
    yield opened
    opened.close()


def read(sheet: Worksheet) -> pd.DataFrame:
    """Return a table sheet as a frame: headings in the second row."""
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    return pd.DataFrame(rows[1:], columns=pd.Index(rows[0]))


def cells(book: Workbook) -> Iterator[tuple[str, Cell]]:
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value is not None:
                    yield sheet.title, cell


def plain(series: pd.Series[Any]) -> list[Any]:
    return [None if pd.isna(value) else value for value in series]


def test_sheets_stand_in_order_with_title_date_and_filters(book: Workbook, small_run: Run) -> None:
    assert tuple(book.sheetnames) == SHEETS
    for name in SHEETS[1:-1]:
        sheet = book[name]
        assert str(sheet["A1"].value).startswith(f"{name}（截至2026年10月31日，")
        assert sheet.freeze_panes == "C3"
        assert sheet.print_title_rows == "$1:$2"
        if sheet.max_row > 3:
            assert sheet.auto_filter.ref == f"A2:{sheet.cell(sheet.max_row, sheet.max_column).coordinate}"
        assert sheet.page_setup.fitToHeight == 0
        assert "内部资料" in str(sheet.oddFooter.left.text)
    said = [value for row in book["总览"].iter_rows(values_only=True) for value in row]
    assert f"数据截至2026年10月31日　参数版本 {small_run.parameters.version}　内部资料，注意保管" in said


def test_working_list_equals_the_run(book: Workbook, small_run: Run) -> None:
    frame = read(book["工作清单"])
    index = small_run.index.set_index("unit_code")
    units = small_run.units.set_index("unit_code")
    codes = frame[LABELS["unit_code"]]
    assert sorted(codes) == sorted(index.index)
    for row in frame.to_dict("records"):
        code = row["统计用区划代码"]
        assert row["村（社区）"] == units.at[code, "unit_name"]
        assert row["镇街"] == units.at[code, "township_name"]
        for column, heading in (("index", "选情指数"), ("index_low", "指数下限"), ("index_high", "指数上限")):
            assert row[heading] == pytest.approx(index.at[code, column], abs=1e-9)
        assert row["等级"] == Level.lookup()[index.at[code, "level"]].label
        assert (row["待核实"] == "待核实") == index.at[code, "to_verify"]
    ours = tables.working_list(small_run)
    assert frame["准入结论"].tolist() == ours["admission"].map(ADMISSION).tolist()
    assert plain(frame["主要扣分原因一"]) == [text or None for text in ours["reason_1"]]


def test_colours_stand_beside_their_words(book: Workbook) -> None:
    sheet = book["工作清单"]
    column = [cell.value for cell in sheet[2]].index("等级")
    seen = set()
    for row in sheet.iter_rows(min_row=3):
        cell = row[column]
        level = Level.lookup()[str(cell.value)]
        assert cell.fill.start_color.rgb == f"FF{level.colour[1:].upper()}"
        seen.add(level)
    assert {Level.RED, Level.YELLOW, Level.GREEN} <= seen


@pytest.mark.parametrize(
    ("sheet", "make"),
    [
        ("准入清单", tables.admission_list),
        ("未准入清单", tables.blocked_list),
        ("转色路径", tables.remedy_table),
        ("变色说明", tables.flip_table),
        ("扣分明细", tables.losses_table),
        ("镇街排名", tables.township_league),
        ("准入条件", tables.gate_progress),
        ("数据体检", tables.freshness_table),
    ],
)
def test_every_figure_of_a_sheet_is_the_tables(sheet: str, make: Any, book: Workbook, small_run: Run) -> None:
    frame = read(book[sheet])
    expected = make(small_run)
    assert len(frame) == len(expected) > 0
    shown = {LABELS[c]: c for c in expected.columns if LABELS[c] in frame.columns}
    assert len(shown) >= 4
    for heading, column in shown.items():
        values = expected[column]
        if values.dtype == bool:
            words = {
                "to_verify": ("待核实", None),
                "contested": ("有争议", None),
                "reachable": ("能", "不能"),
            }
            yes, no = words[column]
            assert plain(frame[heading]) == [yes if flag else no for flag in values]
        elif pd.api.types.is_numeric_dtype(values):
            got = pd.to_numeric(frame[heading]).to_numpy(dtype=float)
            assert got == pytest.approx(
                values.to_numpy(dtype=float, na_value=float("nan")), abs=1e-9, nan_ok=True
            )
        elif column in ("level", "from_level", "target"):
            assert frame[heading].tolist() == values.map(Level.labels()).tolist()
        elif column == "value":
            filed = expected["status"] == "已填报"
            assert frame[heading].tolist() == values.where(filed, expected["status"]).tolist()
        elif column not in ("unit_kind", "admission"):
            assert plain(frame[heading]) == plain(
                values.replace("", pd.NA) if values.dtype == "str" else values
            )


def test_points_lost_of_a_unit_add_up_to_what_its_index_lacks(book: Workbook, small_run: Run) -> None:
    frame = read(book["扣分明细"])
    lost = frame.groupby("统计用区划代码")["扣分"].sum()
    for code, index in zip(small_run.index["unit_code"], small_run.index["index"], strict=True):
        assert lost.get(code, 0.0) == pytest.approx(100 - index, abs=1e-9)


def test_overview_says_what_the_overview_says(book: Workbook, small_run: Run) -> None:
    view = overview(small_run)
    rows = list(book["总览"].iter_rows(values_only=True))
    said = {row[0]: row[1:4] for row in rows if isinstance(row[0], str)}
    for count in view.levels:
        assert said[count.level.label] == (count.count, pytest.approx(count.count / 12), count.change)
    assert said["待核实"] == (view.to_verify, pytest.approx(view.to_verify / 12), view.to_verify_change)
    assert view.admission is not None
    assert said["可以启动换届"][0] == view.admission.passed
    assert said["不得启动换届"][0] == view.admission.failed
    assert said["准入待核实"][0] == view.admission.unknown
    assert set(view.picture) <= set(said)
    dated = [row for row in rows if isinstance(row[0], dt.datetime)]
    trend = tables.trend(small_run)
    assert [row[0] for row in dated] == trend["as_of"].dt.to_pydatetime().tolist()
    assert [list(row[1:6]) for row in dated] == trend[
        ["red", "yellow", "green", "unknown", "to_verify"]
    ].to_numpy().tolist()


def test_about_names_versions_and_inputs(book: Workbook, small_run: Run) -> None:
    said = {cell.value for row in book["说明"].iter_rows() for cell in row}
    assert {
        small_run.parameters.version,
        small_run.parameters.digest,
        "2026-10-31",
        "facts.csv",
        "0" * 64,
    } <= said
    for indicator in small_run.parameters.framework.indicators:
        assert {indicator.label, indicator.definition, indicator.source} <= said


def test_largest_possible_losses_in_about_add_up(book: Workbook) -> None:
    rows = [row for row in book["说明"].iter_rows(values_only=True) if row[4] is not None]
    most = [float(str(row[2])) for row in rows if row[2] != "最多可扣分"]
    assert sum(most) == pytest.approx(100, abs=0.01 * len(most))


def test_no_cell_is_a_formula_or_a_link(data: bytes, book: Workbook) -> None:
    assert {cell.data_type for _, cell in cells(book)} <= {"s", "n", "d", "inlineStr"}
    assert all(cell.hyperlink is None for _, cell in cells(book))
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        for name in package.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in package.read(name)
            assert "externalLink" not in name


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_the_text_it_is(name: str, small_run: Run) -> None:
    units = small_run.units.assign(unit_name=name, township_name=name, county_name=name)
    opened = openpyxl.load_workbook(
        io.BytesIO(workbook(meeting_of(dataclasses.replace(small_run, units=units))))
    )
    found = [cell for _, cell in cells(opened) if cell.value == name]
    assert len(found) > 3 * len(units)
    assert {cell.data_type for cell in found} == {"s"}
    assert all(cell.hyperlink is None for cell in found)
    opened.close()


def test_codes_are_text_with_all_their_digits(book: Workbook) -> None:
    for name in ("工作清单", "准入清单", "未准入清单", "扣分明细"):
        for cell in book[name]["A"][2:]:
            assert cell.data_type == "s"
            assert re.fullmatch(r"\d{12}", str(cell.value))


def test_equal_runs_give_equal_bytes_dated_by_the_run(data: bytes, small_run: Run, book: Workbook) -> None:
    assert workbook(meeting_of(small_run)) == data
    assert book.properties.created == dt.datetime(2026, 10, 31)
    assert book.properties.modified == dt.datetime(2026, 10, 31)


def test_a_pack_without_gates_says_so(small_run: Run) -> None:
    parameters = small_run.parameters.model_copy(update={"gates": None})
    run = dataclasses.replace(small_run, parameters=parameters, gates=small_run.gates.iloc[:0])
    opened = openpyxl.load_workbook(io.BytesIO(workbook(meeting_of(run))))
    for name in ("准入清单", "未准入清单", "准入条件"):
        assert opened[name]["A3"].value == "所用参数包没有设置准入条件"
    assert opened["工作清单"].max_row == 14
    opened.close()


def test_ways_that_were_not_searched_are_not_taken_for_none_needed(small_run: Run) -> None:
    def told(**changed: Any) -> str:
        run = dataclasses.replace(small_run, remedies=small_run.remedies.iloc[:0], **changed)
        opened = openpyxl.load_workbook(io.BytesIO(workbook(meeting_of(run))))
        text = str(opened["转色路径"]["A3"].value)
        opened.close()
        return text

    assert told() == "没有测算，原因见界面上各村（社区）的研判"
    silent = small_run.readings[small_run.readings["topic"] != Topic.REMEDY.value]
    assert told(readings=silent) == "没有需要转色的村（社区）"


def test_nobody_admitted_is_said(small_run: Run) -> None:
    run = dataclasses.replace(small_run, gates=small_run.gates.assign(status="fail"))
    opened = openpyxl.load_workbook(io.BytesIO(workbook(meeting_of(run))))
    assert opened["准入清单"]["A3"].value == "没有村（社区）通过全部准入条件"
    opened.close()


def test_more_rows_than_a_sheet_holds_are_refused(small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "_ROWS", 100)
    with pytest.raises(UsageError, match="扣分明细") as caught:
        workbook(meeting_of(small_run))
    assert "按县区分别" in caught.value.faults[0].remedy


def test_a_text_too_long_for_a_cell_is_cut_and_not_lost(small_run: Run) -> None:
    gates = small_run.gates.assign(reason="长" * 20_000)
    opened = openpyxl.load_workbook(
        io.BytesIO(workbook(meeting_of(dataclasses.replace(small_run, gates=gates))))
    )
    longest = max(len(str(cell.value)) for cell in opened["未准入清单"]["M"])
    assert longest == 32_767
    opened.close()
