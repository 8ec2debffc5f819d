"""The briefing as DOCX, a page set after GB/T 9704: it opens for editing and says what the PDF says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor

from huanjie_lib.exports.briefing import Block, Briefing, Heading, Page, Picture, Table, Text
from huanjie_lib.exports.docx import (
    HEADING_FONT,
    LATIN_FONT,
    SUBHEADING_FONT,
    TEXT_FONT,
    OfficialDocument,
    printable,
)
from huanjie_lib.views.words import date_text

if TYPE_CHECKING:
    from docx.text.paragraph import Paragraph

__all__ = ["briefing_docx"]

_SANHAO, _SIHAO, _XIAOSI, _WUHAO = 16.0, 14.0, 12.0, 10.5
_SOFT: Final = RGBColor(0x5F, 0x6B, 0x7A)
_SHADE: Final = "E9EDF2"
_TITLE_DROP: Final = 120.0
_LINE: Final = 1.3
"""Lines of a table, in its letters' size."""


def briefing_docx(briefing: Briefing) -> bytes:
    """Return a briefing as DOCX; equal briefings give equal bytes."""
    paper = _Paper(briefing)
    for block in briefing.blocks:
        paper.add(block)
    return paper.to_bytes()


class _Paper(OfficialDocument):
    """The document under construction: a title page, then the blocks."""

    def __init__(self, briefing: Briefing) -> None:
        super().__init__(briefing.title, header="\n".join(briefing.head), as_of=briefing.meeting.as_of)
        self._document.core_properties.author = printable(briefing.office)
        self._marks = 0
        self._title_page(briefing)

    def add(self, block: Block) -> None:
        """Add a block."""
        match block:
            case Heading():
                self._headed(block)
            case Text(note=True):
                note = self._paragraph("", line=16.0)
                self._run(note, block.text, TEXT_FONT, _WUHAO).font.color.rgb = _SOFT
            case Text():
                self.text(block.text, lead=block.lead)
            case Table():
                self._ruled(block)
            case Picture():
                self._pictured(block)
            case Page():
                self._turned(landscape=block.landscape)

    # --- parts ---

    def _title_page(self, briefing: Briefing) -> None:
        section = self._document.sections[0]
        section.different_first_page_header_footer = True
        warning = section.first_page_header.paragraphs[0]
        self._run(warning, briefing.head[1].split("　")[0], HEADING_FONT, _SANHAO)
        title = self._document.paragraphs[0].paragraph_format
        title.space_before = Pt(_TITLE_DROP)
        self._centred(briefing.subtitle, _SANHAO)
        self._centred("", _SANHAO)
        headings = [block for block in briefing.blocks if isinstance(block, Heading)]
        for number, heading in enumerate(headings, start=1):
            if heading.level < 2:
                self._linked(heading.text, f"h{number}")
        self._centred("", _SANHAO)
        for line in (briefing.office, date_text(briefing.meeting.as_of)):
            if line:
                self._centred(line, _SANHAO)
        for line in briefing.head:
            text = self._paragraph("", line=13.0)
            text.alignment = WD_ALIGN_PARAGRAPH.CENTER
            self._run(text, line, TEXT_FONT, 9.0).font.color.rgb = _SOFT
        self._turned(landscape=False)

    def _centred(self, text: str, size: float, font: str = TEXT_FONT) -> Paragraph:
        paragraph = self._paragraph(text, font=font, size=size)
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        return paragraph

    def _linked(self, text: str, mark: str) -> None:
        """Add a line of the contents that leads to its heading."""
        paragraph = self._paragraph("", line=24.0)
        link = OxmlElement("w:hyperlink")
        link.set(qn("w:anchor"), mark)
        self._run(paragraph, text, TEXT_FONT, _SIHAO)
        link.append(paragraph._p.r_lst[0])
        paragraph._p.append(link)

    def _headed(self, block: Heading) -> None:
        self._marks += 1
        font = SUBHEADING_FONT if block.level == 2 else HEADING_FONT
        paragraph = self._paragraph(block.text, font=font, indent=block.level > 0)
        paragraph.paragraph_format.keep_with_next = True
        if block.level == 2:
            paragraph.runs[0].bold = True
        outline = OxmlElement("w:outlineLvl")
        outline.set(qn("w:val"), str(max(block.level, 1) - 1))
        paragraph._p.get_or_add_pPr().append(outline)
        for tag in ("w:bookmarkStart", "w:bookmarkEnd"):
            mark = OxmlElement(tag)
            mark.set(qn("w:id"), str(self._marks))
            if tag == "w:bookmarkStart":
                mark.set(qn("w:name"), f"h{self._marks}")
            paragraph._p.append(mark)

    def _ruled(self, table: Table) -> None:
        if table.title:
            title = self._centred(table.title, _XIAOSI, HEADING_FONT)
            title.paragraph_format.keep_with_next = True
            title.paragraph_format.space_before = Pt(4)
        body = self._document.element.body
        body.insert_element_before(parse_xml("".join(_table_xml(table))), "w:sectPr")
        self._paragraph("", line=8.0)

    def _pictured(self, picture: Picture) -> None:
        paragraph = self._centred("", _SANHAO)
        layout = paragraph.paragraph_format
        layout.line_spacing_rule, layout.keep_with_next = WD_LINE_SPACING.SINGLE, True
        shape = paragraph.add_run().add_picture(
            io.BytesIO(picture.data), width=Mm(picture.width), height=Mm(picture.height)
        )
        shape._inline.docPr.set("descr", printable(picture.told))
        self._centred(picture.title, _XIAOSI, HEADING_FONT)

    def _turned(self, *, landscape: bool) -> None:
        """Begin a section on a new page, upright or on its side; the margins turn with it."""
        section = self._document.add_section()
        section.different_first_page_header_footer = False
        sides = (Mm(297), Mm(210)) if landscape else (Mm(210), Mm(297))
        section.page_width, section.page_height = sides
        section.orientation = WD_ORIENT.LANDSCAPE if landscape else WD_ORIENT.PORTRAIT
        margins = (28, 26, 37, 35) if landscape else (37, 35, 28, 26)
        section.top_margin, section.bottom_margin, section.left_margin, section.right_margin = map(
            Mm, margins
        )
        section.header_distance = Mm(14 if landscape else 20)
        section.footer_distance = Mm(16 if landscape else 24)
        # The paragraph that ends the section before must not run over onto a page of its own.
        last = self._document.paragraphs[-1].paragraph_format
        last.line_spacing_rule, last.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(1)
        last.space_before = last.space_after = Pt(0)


# --- tables, written as text: a city has tens of thousands of cells ---------------------------------------


def _table_xml(table: Table) -> Iterator[str]:
    widths = [round(width * 1440 / 25.4) for width in table.widths]
    sides = ("top", "left", "bottom", "right", "insideH", "insideV")
    borders = "".join(f'<w:{s} w:val="single" w:sz="4" w:space="0" w:color="1B2430"/>' for s in sides)
    yield (
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblW w:w="{sum(widths)}" w:type="dxa"/><w:jc w:val="center"/>'
        f'<w:tblBorders>{borders}</w:tblBorders><w:tblLayout w:type="fixed"/><w:tblCellMar>'
        '<w:left w:w="68" w:type="dxa"/><w:right w:w="68" w:type="dxa"/></w:tblCellMar></w:tblPr><w:tblGrid>'
    )
    yield from (f'<w:gridCol w:w="{width}"/>' for width in widths)
    yield "</w:tblGrid>"
    bold, plain = _run_xml(HEADING_FONT, table.size), _run_xml(TEXT_FONT, table.size)
    line = round(20 * _LINE * table.size)
    if table.headings:
        yield "<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>"
        for text, width in zip(table.headings, widths, strict=True):
            yield _cell_xml(text, width, bold, line, align="center", keep=True, shade=True)
        yield "</w:tr>"
    last = len(table.rows) - 1
    # A row with keepNext stays on the page of the row below it.
    kept = set(range(last)) if table.together else set() if table.headings else {0, last - 1} - {last}
    for number, row in enumerate(table.rows):
        keep = number in kept
        yield "<w:tr><w:trPr><w:cantSplit/></w:trPr>"
        for column, (text, width) in enumerate(zip(row, widths, strict=True)):
            label = not table.headings and column == 0
            align = "left" if column in table.left else "center"
            yield _cell_xml(text, width, bold if label else plain, line, align=align, keep=keep, shade=label)
        yield "</w:tr>"
    yield "</w:tbl>"


def _run_xml(font: str, size: float) -> str:
    """Return the properties of a run, as :class:`OfficialDocument` sets them."""
    half = round(2 * size)
    return (
        f'<w:rPr><w:rFonts w:ascii="{LATIN_FONT}" w:hAnsi="{LATIN_FONT}" w:eastAsia="{font}" '
        f'w:hint="eastAsia"/><w:sz w:val="{half}"/><w:szCs w:val="{half}"/>'
        '<w:lang w:val="en-US" w:eastAsia="zh-CN"/></w:rPr>'
    )


def _cell_xml(text: str, width: int, run: str, line: int, *, align: str, keep: bool, shade: bool) -> str:
    colour = f'<w:shd w:val="clear" w:color="auto" w:fill="{_SHADE}"/>' if shade else ""
    layout = (
        f'<w:pPr>{"<w:keepNext/>" if keep else ""}<w:spacing w:before="20" w:after="20" w:line="{line}" '
        f'w:lineRule="exact"/><w:jc w:val="{align}"/></w:pPr>'
    )
    lines = "".join(
        f'<w:p>{layout}<w:r>{run}<w:t xml:space="preserve">{escape(printable(part))}</w:t></w:r></w:p>'
        for part in text.split("\n")
    )
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{colour}<w:vAlign w:val="center"/></w:tcPr>'
        f"{lines}</w:tc>"
    )
