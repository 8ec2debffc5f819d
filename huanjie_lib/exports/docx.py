"""Official documents as DOCX: page, fonts, numbering, tables and equal bytes for equal content.

The page follows GB/T 9704-2012 as far as a working paper needs it: A4, margins of 37, 35, 28 and 26 mm,
title 二号小标宋, text 三号仿宋 on lines of 28 points, headings 黑体 and 楷体, page numbers 四号 at the outer
edge. Where a machine lacks these fonts, the document's font table names what stands in for them (宋体, 仿宋,
楷体). Every run names its East Asian font and is marked as Chinese, so that quotation marks are set as
Chinese ones.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.oxml import serialize_part_xml
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from huanjie_lib.exports.zipped import repacked
from huanjie_lib.views.words import ems

if TYPE_CHECKING:
    from docx.document import Document
    from docx.section import _Footer
    from docx.text.paragraph import Paragraph
    from docx.text.run import Run

__all__ = [
    "HEADING_FONT",
    "LATIN_FONT",
    "SUBHEADING_FONT",
    "TEXT_FONT",
    "TEXT_WIDTH_MM",
    "OfficialDocument",
    "file_name",
    "numeral",
    "printable",
]

TEXT_WIDTH_MM: Final = 156
"""Width between the margins."""
_MATTER: Final = "换届"

TITLE_FONT, TEXT_FONT = "方正小标宋简体", "仿宋_GB2312"
HEADING_FONT, SUBHEADING_FONT, NUMBER_FONT = "黑体", "楷体_GB2312", "宋体"
LATIN_FONT: Final = "Times New Roman"
_STAND_INS: Final = {TITLE_FONT: "宋体", TEXT_FONT: "仿宋", SUBHEADING_FONT: "楷体"}
_ERHAO, _SANHAO, _SIHAO, _XIAOSI, _XIAOWU = 22.0, 16.0, 14.0, 12.0, 9.0
_LINE, _TABLE_LINE = 28.0, 18.0
_OLD_STYLES: Final = "http://schemas.microsoft.com/office/2007/relationships/stylesWithEffects"
"""A copy of the template's styles, which would contradict those that are changed here."""
_MATH: Final = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_DIGITS: Final = "零一二三四五六七八九"
_UNSAFE: Final = re.compile('[<>:"/\\\\|?*\x00-\x1f\x7f\ud800-\udfff]+')
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def numeral(number: int) -> str:
    """Return a number from 1 to 99 in Chinese, for headings.

    Raises
    ------
    ValueError
        If the number is out of range.

    Examples
    --------
    >>> [numeral(n) for n in (1, 10, 12, 20, 35)]
    ['一', '十', '十二', '二十', '三十五']
    """
    if not 1 <= number <= 99:
        raise ValueError(f"a heading's number must be from 1 to 99, found {number}")
    tens, ones = divmod(number, 10)
    lead = "" if tens == 0 else ("" if tens == 1 else _DIGITS[tens]) + "十"
    return lead + (_DIGITS[ones] if ones else "")


def file_name(*parts: str, suffix: str = ".docx", longest: int = 240) -> str:
    """Return a file name of parts that no system refuses: codes and names as filed may hold anything.

    ``longest`` is the number of bytes in UTF-8 before the suffix.

    Examples
    --------
    >>> file_name("990101101201", "上云村")
    '990101101201_上云村.docx'
    >>> file_name("990101101202", "<img src=x>/..")
    '990101101202__img src=x_.docx'
    """
    name = "_".join(_UNSAFE.sub("_", part) for part in parts)
    return name.encode()[:longest].decode(errors="ignore").strip(" .") + suffix


class OfficialDocument:
    """A document under construction.

    Parameters
    ----------
    title
        Title on the first page and in the file's properties.
    header
        Line at the head of every page.
    as_of
        Date written into the file's properties, so that equal content gives equal bytes.

    Examples
    --------
    >>> day = dt.date(2026, 10, 31)
    >>> paper = OfficialDocument("石桥镇上云村一村一策", header="截至2026年10月31日", as_of=day)
    >>> paper.heading("基本情况")
    >>> paper.text("上云村属石桥镇。")
    >>> paper.table(["事项", "期限"], [["化解矛盾", "2026年11月30日"]], widths=[100, 56])
    >>> paper.to_bytes() == paper.to_bytes()
    True
    """

    def __init__(self, title: str, *, header: str, as_of: dt.date) -> None:
        self._document: Document = docx.Document()
        self._headings = [0, 0]
        self._describe(title, as_of)
        self._page(header)
        line = self._paragraph(_broken(title), font=TITLE_FONT, size=_ERHAO, line=36.0)
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
        line.paragraph_format.space_after = Pt(_LINE / 2)
        line.paragraph_format.keep_with_next = True

    def heading(self, text: str) -> None:
        """Add a heading of the first level (一、)."""
        self._headings = [self._headings[0] + 1, 0]
        self._heading(f"{numeral(self._headings[0])}、{text}", HEADING_FONT)

    def subheading(self, text: str) -> None:
        """Add a heading of the second level (（一）)."""
        self._headings[1] += 1
        self._heading(f"（{numeral(self._headings[1])}）{text}", SUBHEADING_FONT)

    def text(self, text: str, *, lead: str = "", indent: bool = True) -> None:
        """Add a paragraph, its first words in bold where a ``lead`` is given.

        One that ends with a colon stays with what follows.
        """
        paragraph = self._paragraph("", indent=indent)
        paragraph.paragraph_format.keep_with_next = text.endswith("：")
        if lead:
            self._run(paragraph, lead, TEXT_FONT, _SANHAO).bold = True
        self._run(paragraph, text, TEXT_FONT, _SANHAO)

    def items(self, texts: Sequence[str]) -> None:
        """Add paragraphs numbered 1., 2. and so on, with a wide stop that reads as none of a decimal."""
        for number, text in enumerate(texts, start=1):
            self.text(f"{number}．{text}")

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        widths: Sequence[float],
        centred: Sequence[int] = (),
    ) -> None:
        """Add a table whose headings are repeated on every page and whose rows don't break across pages.

        Parameters
        ----------
        headings
            One text a column.
        rows
            One text a cell.
        widths
            Widths of the columns in mm; at most :data:`TEXT_WIDTH_MM` together.
        centred
            Columns, from 0, whose cells are centred.

        Raises
        ------
        ValueError
            If a row or the widths do not fit the headings, or the table is wider than the page.
        """
        sizes = {len(headings), len(widths), *(len(row) for row in rows)}
        if len(sizes) != 1 or sum(widths) > TEXT_WIDTH_MM:
            raise ValueError(f"the table does not fit: columns {sorted(sizes)}, width {sum(widths)} mm")
        before = self._document.paragraphs[-1].paragraph_format
        before.space_after = Pt(_TABLE_LINE / 3)
        body = self._document.element.body
        table = OxmlElement("w:tbl")
        table.append(_table_properties(sum(widths)))
        grid = OxmlElement("w:tblGrid")
        grid.extend(_element("w:gridCol", {"w:w": _twips(width)}) for width in widths)
        table.append(grid)
        table.append(_row(headings, widths, HEADING_FONT, range(len(headings)), repeated=True))
        table.extend(_row(row, widths, TEXT_FONT, centred, repeated=False) for row in rows)
        body.insert_element_before(table, "w:sectPr")
        gap = self._paragraph("", line=10.0)
        gap.paragraph_format.first_line_indent = None

    def signatures(self, lines: Sequence[str]) -> None:
        """Add lines to be signed, kept together on one page."""
        for number, text in enumerate(lines):
            paragraph = self._paragraph(text, indent=True, line=36.0)
            paragraph.paragraph_format.keep_with_next = number < len(lines) - 1

    def to_bytes(self) -> bytes:
        """Return the file; equal content gives equal bytes on one machine."""
        packed = io.BytesIO()
        self._document.save(packed)
        return repacked(packed.getvalue())

    # --- parts ---

    def _describe(self, title: str, as_of: dt.date) -> None:
        about = self._document.core_properties
        about.title, about.language = printable(title), "zh-CN"
        about.author = about.last_modified_by = about.comments = about.keywords = ""
        about.created = about.modified = dt.datetime(as_of.year, as_of.month, as_of.day)
        about.revision = 1
        package = self._document.part.package
        pictures = [key for key, rel in package.rels.items() if rel.reltype == RELATIONSHIP_TYPE.THUMBNAIL]
        for key in pictures:
            del package.rels[key]
        parts = self._document.part.rels
        for key, rel in list(parts.items()):
            if rel.reltype == RELATIONSHIP_TYPE.FONT_TABLE:
                rel.target_part._blob = _font_table()
            if rel.reltype == _OLD_STYLES:
                del parts[key]

    def _page(self, header: str) -> None:
        section = self._document.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.top_margin, section.bottom_margin = Mm(37), Mm(35)
        section.left_margin, section.right_margin = Mm(28), Mm(26)
        section.header_distance, section.footer_distance = Mm(20), Mm(24)
        self._document.settings.odd_and_even_pages_header_footer = True
        settings = self._document.settings.element
        settings.find(qn("w:zoom")).set(qn("w:percent"), "100")  # the schema wants it
        settings.remove(settings.find(f"{{{_MATH}}}mathPr"))  # and other words for on and off
        for head in (section.header, section.even_page_header):
            line = head.paragraphs[0]
            line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            self._run(line, header, TEXT_FONT, _XIAOWU)
        self._page_number(section.footer, right=True)
        self._page_number(section.even_page_footer, right=False)

    def _page_number(self, footer: _Footer, *, right: bool) -> None:
        line = footer.paragraphs[0]
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT if right else WD_ALIGN_PARAGRAPH.LEFT
        side = "right_indent" if right else "left_indent"
        setattr(line.paragraph_format, side, Pt(_SIHAO))
        self._run(line, "— ", NUMBER_FONT, _SIHAO)
        for kind, code in (("begin", ""), ("", "PAGE"), ("separate", ""), ("", "1"), ("end", "")):
            run = self._run(line, "1" if code == "1" else "", NUMBER_FONT, _SIHAO)
            if kind:
                run._r.append(_element("w:fldChar", {"w:fldCharType": kind}))
            elif code == "PAGE":
                instruction = OxmlElement("w:instrText")
                instruction.text = "PAGE"
                run._r.append(instruction)
        self._run(line, " —", NUMBER_FONT, _SIHAO)

    def _heading(self, text: str, font: str) -> None:
        self._paragraph(text, font=font, indent=True).paragraph_format.keep_with_next = True

    def _paragraph(
        self,
        text: str,
        *,
        font: str = TEXT_FONT,
        size: float = _SANHAO,
        indent: bool = False,
        line: float = _LINE,
    ) -> Paragraph:
        paragraph = self._document.add_paragraph()
        layout = paragraph.paragraph_format
        layout.line_spacing_rule, layout.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(line)
        layout.space_before = layout.space_after = Pt(0)
        if indent:
            properties = paragraph._p.get_or_add_pPr()
            layout.first_line_indent = Pt(2 * size)
            properties.find(qn("w:ind")).set(qn("w:firstLineChars"), "200")
        if text:
            self._run(paragraph, text, font, size)
        return paragraph

    def _run(self, paragraph: Paragraph, text: str, font: str, size: float) -> Run:
        run = paragraph.add_run(printable(text))
        run._r.insert(0, _run_properties(font, size))
        return run


def _broken(title: str) -> str:
    r"""Return a title, broken before its matter (换届…) where it is too long for one line.

    Examples
    --------
    >>> _broken("石桥镇石桥村换届“一村一策”工作方案")
    '石桥镇石桥村换届“一村一策”工作方案'
    >>> _broken("双溪街道小泉洼社区换届“一村一策”工作方案")
    '双溪街道小泉洼社区\n换届“一村一策”工作方案'
    """
    place, matter, rest = title.partition(_MATTER)
    long = ems(title) * _ERHAO * 25.4 / 72 > TEXT_WIDTH_MM
    return f"{place}\n{matter}{rest}" if long and place and matter else title


def printable(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return _NOT_XML.sub("", text)


def _element(tag: str, attributes: dict[str, str] | None = None) -> Any:
    element = OxmlElement(tag)
    for name, value in (attributes or {}).items():
        element.set(qn(name), value)
    return element


def _twips(millimetres: float) -> str:
    return str(round(millimetres * 1440 / 25.4))


def _run_properties(font: str, size: float) -> Any:
    """Return the properties of a run: its fonts, marked as Chinese, and its size."""
    properties = OxmlElement("w:rPr")
    fonts = {"w:ascii": LATIN_FONT, "w:hAnsi": LATIN_FONT, "w:eastAsia": font, "w:hint": "eastAsia"}
    properties.append(_element("w:rFonts", fonts))
    for tag in ("w:sz", "w:szCs"):
        properties.append(_element(tag, {"w:val": str(round(2 * size))}))
    properties.append(_element("w:lang", {"w:val": "en-US", "w:eastAsia": "zh-CN"}))
    return properties


def _table_properties(width: float) -> Any:
    properties = OxmlElement("w:tblPr")
    properties.append(_element("w:tblW", {"w:w": _twips(width), "w:type": "dxa"}))
    properties.append(_element("w:jc", {"w:val": "center"}))
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        line = {"w:val": "single", "w:sz": "4", "w:space": "0", "w:color": "000000"}
        borders.append(_element(f"w:{side}", line))
    properties.append(borders)
    properties.append(_element("w:tblLayout", {"w:type": "fixed"}))
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margins.append(_element(f"w:{side}", {"w:w": _twips(1.2), "w:type": "dxa"}))
    properties.append(margins)
    return properties


def _row(
    texts: Sequence[str], widths: Sequence[float], font: str, centred: Sequence[int], *, repeated: bool
) -> Any:
    row = OxmlElement("w:tr")
    properties = OxmlElement("w:trPr")
    properties.append(OxmlElement("w:cantSplit"))
    if repeated:
        properties.append(OxmlElement("w:tblHeader"))
    row.append(properties)
    for column, (text, width) in enumerate(zip(texts, widths, strict=True)):
        cell = OxmlElement("w:tc")
        about = OxmlElement("w:tcPr")
        about.append(_element("w:tcW", {"w:w": _twips(width), "w:type": "dxa"}))
        about.append(_element("w:vAlign", {"w:val": "center"}))
        cell.append(about)
        for line in text.split("\n"):
            cell.append(_cell_line(line, font, "center" if column in centred else "left", keep=repeated))
        row.append(cell)
    return row


def _cell_line(text: str, font: str, align: str, *, keep: bool) -> Any:
    line = OxmlElement("w:p")
    layout = OxmlElement("w:pPr")
    if keep:
        layout.append(OxmlElement("w:keepNext"))
    spacing = {
        "w:before": "20",
        "w:after": "20",
        "w:line": str(round(20 * _TABLE_LINE)),
        "w:lineRule": "exact",
    }
    layout.append(_element("w:spacing", spacing))
    layout.append(_element("w:jc", {"w:val": align}))
    line.append(layout)
    run = OxmlElement("w:r")
    run.append(_run_properties(font, _XIAOSI))
    words = OxmlElement("w:t")
    words.text = printable(text)
    words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    run.append(words)
    line.append(run)
    return line


def _font_table() -> bytes:
    """Return the font table: the document's fonts and what stands in for those a machine may lack."""
    fonts = OxmlElement("w:fonts")
    for name in (LATIN_FONT, TITLE_FONT, TEXT_FONT, HEADING_FONT, SUBHEADING_FONT, NUMBER_FONT):
        font = _element("w:font", {"w:name": name})
        if name in _STAND_INS:
            font.append(_element("w:altName", {"w:val": _STAND_INS[name]}))
        font.append(_element("w:charset", {"w:val": "00" if name == LATIN_FONT else "86"}))
        fonts.append(font)
    return serialize_part_xml(fonts)
