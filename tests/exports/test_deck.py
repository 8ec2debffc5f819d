"""The deck of a meeting: its tables, charts and sentences are the meeting's, and all can be edited."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl
import pandas as pd
import pytest
from pptx import Presentation
from pptx.oxml.ns import qn
from pptx.util import Inches

from huanjie_lib.exports.briefing import Table, Text, section
from huanjie_lib.exports.deck import FONT, deck, dimension_table
from huanjie_lib.views.meeting import Meeting
from huanjie_lib.views.words import count_text, level_notes, number_text
from tests.meetings import bare_meeting, whole_meeting

MARK = "内部资料，注意保管　市换届办 chen（市换届办）2026年11月2日导出，用于会议"


@pytest.fixture(scope="module")
def meeting() -> Meeting:
    return whole_meeting()


@pytest.fixture(scope="module")
def file(meeting: Meeting) -> bytes:
    return deck(meeting, mark=MARK)


@pytest.fixture(scope="module")
def slides(file: bytes) -> dict[str, Any]:
    return {slide.shapes.title.text_frame.text: slide for slide in Presentation(io.BytesIO(file)).slides}


def table_of(slide: Any) -> list[list[str]]:
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    return [[cell.text_frame.text for cell in row.cells] for row in table.rows]


def rows_of(slides: dict[str, Any], title: str) -> list[list[str]]:
    """Return the rows of a table that may go over several slides."""
    return [row for name, slide in slides.items() if name.startswith(title) for row in table_of(slide)[1:]]


def chart_of(slide: Any) -> dict[str, list[float]]:
    (chart,) = [shape.chart for shape in slide.shapes if shape.has_chart]
    return {series.name: list(series.values) for series in chart.plots[0].series}


def words_of(slide: Any) -> str:
    return "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)


def test_slides_come_in_the_order_of_the_meeting(slides: dict[str, Any]) -> None:
    heads = [title.partition("（1/")[0] for title in slides if "（2/" not in title and "（3/" not in title]
    assert heads == [
        "全市村（社区）“两委”换届选情汇报",
        "总体情况",
        "三色分布",
        "各等级数量和变化",
        "镇街排名",
        "扣分在哪些方面",
        "红色村（社区）14个：指数最低的12个",
        "准入条件进度",
        "审计和摸排进度",
        "整改闭环",
        "模型哪里可能看错",
        "看得最安全却出险的10个单位",
        "下一步：提请会议研究的事项",
        "说明",
    ]


def test_counts_and_their_chart_are_the_meetings(slides: dict[str, Any], meeting: Meeting) -> None:
    rows = table_of(slides["各等级数量和变化"])[1:]
    counts = meeting.counts
    assert [row[0] for row in rows] == counts["label"].tolist()
    assert [int(row[1].replace(",", "")) for row in rows] == counts["count"].tolist()
    assert [float(row[2][:-1]) for row in rows] == pytest.approx((100 * counts["share"]).tolist(), abs=0.05)
    assert [int(row[3]) for row in rows] == counts["before"].tolist()
    assert [int(row[4].replace("−", "-")) for row in rows] == counts["change"].tolist()
    chart = chart_of(slides["各等级数量和变化"])
    last = meeting.trend.tail(8)
    assert chart == {
        label: last[name].tolist() for name, label in (("red", "红色"), ("yellow", "黄色"), ("green", "绿色"))
    }
    beside = {row[0]: row[1] for row in table_of(slides["三色分布"])[1:]}
    view = meeting.overview
    assert beside["待核实"] == count_text(view.to_verify)
    assert beside["颜色有争议"] == count_text(view.contested)
    assert view.admission is not None
    assert beside["可启动"] == count_text(view.admission.passed)


def test_the_league_and_the_gates_are_the_meetings(slides: dict[str, Any], meeting: Meeting) -> None:
    rows = rows_of(slides, "镇街排名")
    assert [row[1] for row in rows] == meeting.league["township_name"].tolist()
    for place, name in ((0, "rank"), (3, "units"), (4, "red"), (5, "yellow"), (6, "green")):
        assert [int(row[place]) for row in rows] == meeting.league[name].tolist()
    assert [row[7] for row in rows] == [number_text(value) for value in meeting.league["mean_index"]]
    chart = chart_of(slides["准入条件进度"])
    assert chart == {
        label: meeting.gates[name].tolist()[::-1]
        for label, name in (("通过", "passed"), ("不通过", "failed"), ("待核实", "unknown"))
    }


def test_points_lost_by_dimension_add_up_to_the_mean_index(slides: dict[str, Any], meeting: Meeting) -> None:
    table = dimension_table(meeting)
    assert 100 - table["all"].sum() == pytest.approx(meeting.run.index["index"].mean())
    reds = [unit.index for unit in meeting.reds]
    assert 100 - table["red"].sum() == pytest.approx(sum(reds) / len(reds))
    assert table["most"].sum() == pytest.approx(100)
    chart = chart_of(slides["扣分在哪些方面"])
    assert chart == {"全部村（社区）": table["all"].tolist(), "红色村（社区）": table["red"].tolist()}


def test_red_units_coverage_and_loop_are_the_meetings(slides: dict[str, Any], meeting: Meeting) -> None:
    rows = rows_of(slides, "红色村（社区）14个")
    assert len(rows) == 12
    for row, unit in zip(rows, meeting.reds[:12], strict=True):
        assert row[0] == f"{unit.unit_name}\n{unit.township_name}"
        assert row[1:4] == [number_text(unit.index), number_text(unit.change, signed=True), unit.reasons[0]]
        assert row[5] == unit.steps[0]
        assert unit.gates is not None
        assert row[4].startswith(unit.gates[0].label)
    assert meeting.coverage is not None
    rows = table_of(slides["审计和摸排进度"])[1:]
    assert [row[0] for row in rows] == meeting.coverage.audit["area"].tolist()
    shares = (100 * meeting.coverage.audit["units_share"]).tolist()
    assert [float(row[1][:-1]) for row in rows] == pytest.approx(shares, abs=0.05)
    assert f"未整改审计问题{meeting.coverage.problems_open}项" in words_of(slides["审计和摸排进度"])
    assert meeting.loop is not None
    kinds = meeting.loop.figures.table.query("scope == 'kind' and cases > 0")
    assert [int(row[1]) for row in table_of(slides["整改闭环"])[1:]] == kinds["cases"].tolist()


@pytest.mark.parametrize(
    ("title", "part"),
    [("整改闭环", "loop"), ("模型哪里可能看错", "wrong"), ("下一步：提请会议研究的事项", "asked")],
)
def test_what_the_briefing_says_the_deck_says(
    slides: dict[str, Any], meeting: Meeting, title: str, part: str
) -> None:
    said = words_of(slides[title])
    blocks = section(meeting, part)
    for block in blocks:
        if isinstance(block, Text):
            assert block.lead + block.text in said
    tables = [block for block in blocks if isinstance(block, Table)]
    shown = [table_of(slide) for slide in slides.values() if any(shape.has_table for shape in slide.shapes)]
    for block in tables:
        assert [list(block.headings), *map(list, block.rows)] in shown


def test_sentences_and_the_mark_stand_on_the_slides(
    file: bytes, slides: dict[str, Any], meeting: Meeting
) -> None:
    assert words_of(slides["总体情况"]).endswith("\n".join(meeting.overview.picture))
    for note in level_notes(meeting.run.parameters):
        assert note in words_of(slides["说明"])
    for layout in Presentation(io.BytesIO(file)).slide_layouts:
        assert any(MARK in shape.text_frame.text for shape in layout.shapes if shape.has_text_frame)


def runs_of(slides: dict[str, Any]) -> Iterator[Any]:
    for slide in slides.values():
        yield from slide._element.iter(qn("a:r"))


def test_every_run_is_large_chinese_and_in_the_font(slides: dict[str, Any]) -> None:
    found = list(runs_of(slides))
    assert len(found) > 200
    for run in found:
        properties = run.find(qn("a:rPr"))
        assert int(properties.get("sz")) >= 1800
        assert properties.get("lang") == "zh-CN"
        assert properties.find(qn("a:ea")).get("typeface") == FONT
        assert properties.find(qn("a:latin")).get("typeface") == FONT


def test_nothing_reaches_over_the_foot_of_a_slide(slides: dict[str, Any]) -> None:
    for title, slide in slides.items():
        for shape in slide.shapes:
            assert shape.left >= 0, title
            assert shape.top + shape.height <= Inches(7.0), title
            assert shape.left + shape.width <= Inches(13.333), title
            if shape.has_table:
                assert sum(column.width for column in shape.table.columns) <= Inches(12.14), title


def test_charts_hold_their_numbers_and_only_the_map_is_a_picture(
    file: bytes, slides: dict[str, Any], meeting: Meeting
) -> None:
    pictures = [title for title, slide in slides.items() for shape in slide.shapes if shape.shape_type == 13]
    assert pictures == ["三色分布"]
    with zipfile.ZipFile(io.BytesIO(file)) as parts:
        books = [parts.read(name) for name in parts.namelist() if name.endswith(".xlsx")]
        assert {entry.date_time for entry in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert len(books) == 3
    for book in books:
        with zipfile.ZipFile(io.BytesIO(book)) as parts:
            assert b">2026-10-31T00:00:00Z<" in parts.read("docProps/core.xml")
    wanted = pytest.approx(dimension_table(meeting)["all"].tolist())  # written with 16 digits
    rows = [list(openpyxl.load_workbook(io.BytesIO(book)).active.values) for book in books]
    assert any([row[1] for row in table[1:]] == wanted for table in rows)


def test_equal_meetings_give_equal_bytes(file: bytes, meeting: Meeting) -> None:
    assert deck(meeting, mark=MARK) == file
    assert deck(meeting, mark="别的") != file


def test_a_meeting_that_lacks_much_says_so_and_has_no_empty_slide() -> None:
    meeting = bare_meeting()
    slides = {s.shapes.title.text_frame.text: s for s in Presentation(io.BytesIO(deck(meeting))).slides}
    assert "整改闭环" not in slides
    assert "审计和摸排进度" not in slides
    assert "没有更早一期的评估，变化不明。" in words_of(slides["各等级数量和变化"])
    assert {row[3] for row in table_of(slides["各等级数量和变化"])[1:]} == {"—"}
    said = "".join(words_of(slide) for title, slide in slides.items() if title.startswith("说明"))
    for gap in meeting.gaps:
        assert gap in said


def test_a_township_has_no_league_and_names_are_text(meeting: Meeting) -> None:
    code = meeting.league["township_code"].iloc[0]
    town = whole_meeting(str(code))
    hostile = "<b>&=1+1\x0b村"
    reds = tuple(dataclasses.replace(unit, unit_name=hostile) for unit in town.reds)
    file = deck(dataclasses.replace(town, reds=reds))
    slides = {s.shapes.title.text_frame.text: s for s in Presentation(io.BytesIO(file)).slides}
    assert not [title for title in slides if "镇街" in title]
    rows = rows_of(slides, "红色村（社区）")
    assert {row[0].split("\n")[0] for row in rows} == {"<b>&=1+1村"}


def test_a_city_without_red_units_says_so(meeting: Meeting) -> None:
    file = deck(dataclasses.replace(meeting, reds=()))
    slides = {s.shapes.title.text_frame.text: s for s in Presentation(io.BytesIO(file)).slides}
    assert "没有红色村（社区）。" in words_of(slides["红色村（社区）"])
    assert list(chart_of(slides["扣分在哪些方面"])) == ["全部村（社区）"]
    assert pd.isna(dimension_table(dataclasses.replace(meeting, reds=()))["red"]).all()
