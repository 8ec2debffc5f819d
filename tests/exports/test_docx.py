from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from xml.etree import ElementTree

import docx
import pytest
from docx.shared import Mm
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.exports.docx import TEXT_WIDTH_MM, OfficialDocument, file_name, numeral

DAY = dt.date(2026, 10, 31)
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def paper(text: str = "上云村“两委”班子。") -> OfficialDocument:
    made = OfficialDocument("上云村一村一策", header="截至2026年10月31日", as_of=DAY)
    made.heading("基本情况")
    made.text(text, lead="要求：")
    made.heading("突出问题")
    made.subheading("审计问题")
    made.items(["整改", "复核"])
    made.subheading("矛盾纠纷")
    made.table(["序号", "事项"], [["1", "征地\n拆迁"], ["2", text]], widths=[16, 140], centred=(0,))
    made.signatures(["镇党委书记（签字）：", "年　月　日"])
    return made


def parts(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert package.namelist()[0] == "[Content_Types].xml"
        names = [name for name in package.namelist() if name.endswith(".xml")]
        return {name: package.read(name).decode() for name in names}


def test_the_page_is_that_of_an_official_document() -> None:
    section = docx.Document(io.BytesIO(paper().to_bytes())).sections[0]
    assert section.page_width is not None
    assert section.page_height is not None
    assert abs(section.page_width - Mm(210)) < 1000
    assert abs(section.page_height - Mm(297)) < 1000
    margins = (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)
    for found, wanted in zip(margins, (37, 35, 28, 26), strict=True):
        assert found is not None
        assert abs(found - Mm(wanted)) < 1000  # twentieths of a point
    assert (
        section.header.paragraphs[0].text
        == section.even_page_header.paragraphs[0].text
        == "截至2026年10月31日"
    )


def test_every_run_names_its_chinese_font() -> None:
    for name, text in parts(paper().to_bytes()).items():
        if not re.fullmatch(r"word/(document|header\d*|footer\d*)\.xml", name):
            continue
        runs = list(ElementTree.fromstring(text).iter(f"{W}r"))
        assert runs
        for run in runs:
            fonts = run.find(f"{W}rPr/{W}rFonts")
            assert fonts is not None, ElementTree.tostring(run)
            assert fonts.get(f"{W}eastAsia")
            assert fonts.get(f"{W}hint") == "eastAsia"
    table = parts(paper().to_bytes())["word/fontTable.xml"]
    stand_ins = re.findall(r'w:name="([^"]+)"><w:altName w:val="([^"]+)"', table)
    assert dict(stand_ins) == {"方正小标宋简体": "宋体", "仿宋_GB2312": "仿宋", "楷体_GB2312": "楷体"}


def test_headings_are_numbered_and_stay_with_their_text() -> None:
    document = docx.Document(io.BytesIO(paper().to_bytes()))
    lines = [p for p in document.paragraphs if p.text]
    assert [p.text for p in lines] == [
        "上云村一村一策",
        "一、基本情况",
        "要求：上云村“两委”班子。",
        "二、突出问题",
        "（一）审计问题",
        "1．整改",
        "2．复核",
        "（二）矛盾纠纷",
        "镇党委书记（签字）：",
        "年　月　日",
    ]
    kept = [bool(p.paragraph_format.keep_with_next) for p in lines]
    assert kept == [True, True, False, True, True, False, False, True, True, False]


def test_tables_repeat_their_headings_and_keep_rows_whole() -> None:
    document = docx.Document(io.BytesIO(paper().to_bytes()))
    (table,) = document.tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["序号", "事项"],
        ["1", "征地\n拆迁"],
        ["2", "上云村“两委”班子。"],
    ]
    rows = list(ElementTree.fromstring(table._tbl.xml).iter(f"{W}tr"))
    assert [row.find(f"{W}trPr/{W}tblHeader") is not None for row in rows] == [True, False, False]
    assert all(row.find(f"{W}trPr/{W}cantSplit") is not None for row in rows)


def test_a_table_that_does_not_fit_is_refused() -> None:
    made = paper()
    with pytest.raises(ValueError, match="does not fit"):
        made.table(["甲", "乙"], [["一"]], widths=[50, 50])
    with pytest.raises(ValueError, match="does not fit"):
        made.table(["甲"], [["一"]], widths=[TEXT_WIDTH_MM + 1])


def test_equal_content_gives_equal_bytes_without_traces() -> None:
    data = paper().to_bytes()
    assert data == paper().to_bytes()
    core = parts(data)["docProps/core.xml"]
    assert core.count("2026-10-31T00:00:00Z") == 2
    assert "python" not in core
    assert "thumbnail" not in str(zipfile.ZipFile(io.BytesIO(data)).namelist())


@settings(max_examples=15)
@given(st.text(min_size=1, max_size=40))
def test_any_text_makes_a_document_that_opens(text: str) -> None:
    opened = docx.Document(io.BytesIO(paper(text).to_bytes()))
    assert opened.tables[0].rows[1].cells[0].text == "1"


@given(st.text(max_size=200), st.text(max_size=200))
def test_file_names_are_safe_everywhere(code: str, name: str) -> None:
    made = file_name(code, name)
    assert made.endswith(".docx")
    assert not set(made) & set('<>:"/\\|?*\n\r\t\x00')
    assert not made.startswith((" ", "."))
    assert len(made.encode()) <= 245


def test_numerals_of_headings() -> None:
    assert [numeral(n) for n in (9, 11, 30, 99)] == ["九", "十一", "三十", "九十九"]
    assert len({numeral(n) for n in range(1, 100)}) == 99
    for number in (0, 100):
        with pytest.raises(ValueError, match=str(number)):
            numeral(number)
