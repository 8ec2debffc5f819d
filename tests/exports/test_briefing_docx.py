"""The DOCX says what the blocks say, on pages of an official document, and opens for editing."""

from __future__ import annotations

import io
import zipfile
from functools import cache

import docx
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from docx.shared import Mm
from docx.text.paragraph import Paragraph

from huanjie_lib.exports.briefing import Heading, Page, Picture, Table, Text, briefing_of
from huanjie_lib.exports.briefing_docx import briefing_docx
from tests.meetings import bare_meeting, whole_briefing


@cache
def made() -> bytes:
    return briefing_docx(whole_briefing())


def read() -> Document:
    return docx.Document(io.BytesIO(made()))


def test_every_word_and_figure_is_there_in_order() -> None:
    blocks = iter(whole_briefing().blocks)
    told: list[str | tuple[tuple[str, ...], ...]] = []
    for block in blocks:
        match block:
            case Text():
                told.append(block.lead + block.text)
            case Heading():
                told.append(block.text)
            case Picture():
                told.append(block.title)
            case Table():
                told += [block.title] if block.title else []
                told.append((*((block.headings,) if block.headings else ()), *block.rows))
    found: list[str | tuple[tuple[str, ...], ...]] = []
    for item in read().iter_inner_content():
        if isinstance(item, Paragraph):
            found += [item.text] if item.text else []
        else:
            found.append(tuple(tuple(cell.text for cell in row.cells) for row in item.rows))
    start = found.index(told[0], 3)
    while found[start + 1] != told[1]:  # the contents name the headings first
        start = found.index(told[0], start + 1)
    assert found[start:] == told
    assert any("选情汇报" in text for text in found[:2] if isinstance(text, str))


def test_long_tables_repeat_their_headings_and_keep_rows_whole() -> None:
    headed = 0
    for table in read().tables:
        first, *rows = table._tbl.tr_lst
        headed += first.find(f"{qn('w:trPr')}/{qn('w:tblHeader')}") is not None
        assert not [row for row in rows if row.find(f"{qn('w:trPr')}/{qn('w:tblHeader')}") is not None]
        assert all(row.find(f"{qn('w:trPr')}/{qn('w:cantSplit')}") is not None for row in (first, *rows))
    assert headed == sum(isinstance(b, Table) and bool(b.headings) for b in whole_briefing().blocks)


def test_headings_stay_with_what_follows_and_lead_from_the_contents() -> None:
    document = read()
    wanted = [block for block in whole_briefing().blocks if isinstance(block, Heading)]
    marks, links = {}, []
    for paragraph in document.paragraphs:
        for mark in paragraph._p.iter(qn("w:bookmarkStart")):
            marks[mark.get(qn("w:name"))] = paragraph
        links += [(link.get(qn("w:anchor")), paragraph.text) for link in paragraph._p.iter(qn("w:hyperlink"))]
    assert [paragraph.text for paragraph in marks.values()] == [block.text for block in wanted]
    for paragraph, block in zip(marks.values(), wanted, strict=True):
        assert paragraph.paragraph_format.keep_with_next
        outline = paragraph._p.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        assert outline is not None
        assert int(outline.get(qn("w:val"), "")) == max(block.level, 1) - 1
    assert [text for _, text in links] == [block.text for block in wanted if block.level < 2]
    assert all(marks[name].text == text for name, text in links)


def test_pages_follow_the_standard_and_carry_the_mark() -> None:
    briefing, document = whole_briefing(), read()
    sections = document.sections
    turns = [False, False, *(block.landscape for block in briefing.blocks if isinstance(block, Page))]
    assert [section.orientation == WD_ORIENT.LANDSCAPE for section in sections] == turns
    for section, landscape in zip(sections, turns, strict=True):
        margins = (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)
        for found, wanted in zip(margins, (28, 26, 37, 35) if landscape else (37, 35, 28, 26), strict=True):
            assert found is not None
            assert abs(found - Mm(wanted)) < 1000
    for head in (sections[0].header, sections[0].even_page_header):
        assert head.paragraphs[0].text.split("\n") == list(briefing.head)
    assert sections[0].different_first_page_header_footer
    assert not sections[1].different_first_page_header_footer
    assert "内部资料，注意保管" in sections[0].first_page_header.paragraphs[0].text


def test_pictures_are_as_wide_as_said_and_described() -> None:
    shapes = list(read().inline_shapes)
    pictures = [block for block in whole_briefing().blocks if isinstance(block, Picture)]
    for shape, picture in zip(shapes, pictures, strict=True):
        assert abs(shape.width - Mm(picture.width)) < 1000
        assert abs(shape.height - Mm(picture.height)) < 1000
        assert shape._inline.docPr.get("descr") == picture.told
    assert pictures


def test_equal_briefings_give_equal_bytes_and_a_date_of_their_own() -> None:
    assert briefing_docx(whole_briefing()) == made()
    about = read().core_properties
    assert about.title == whole_briefing().title
    assert (about.created.year, about.created.month, about.created.day) == (2026, 10, 31)
    with zipfile.ZipFile(io.BytesIO(made())) as package:
        assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_hostile_names_are_text() -> None:
    briefing = briefing_of(bare_meeting(), office="<w:p/>&\x0b村=1+1")
    document = docx.Document(io.BytesIO(briefing_docx(briefing)))
    assert any(paragraph.text == "<w:p/>&村=1+1" for paragraph in document.paragraphs)
