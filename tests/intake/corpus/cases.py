"""The corpus. Units: A and B are villages, C a community, old is a code that was renumbered to A."""

from __future__ import annotations

import datetime as dt
import io
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from tests.intake.corpus.builder import Case, Sheet, csv, parts, patched, workbook

__all__ = ["CASES", "COLUMNS", "UNITS"]

UNITS: Final = {"A": "990101101201", "B": "990101101202", "C": "990101101001", "old": "990101101291"}
A, B, C, OLD = UNITS.values()
COLUMNS: Final = {
    "screenings": ("screening_id", "unit_code", "screened_on", "households_visited"),
    "facts": ("unit_code", "metric", "value"),
    "disputes": ("dispute_id", "unit_code", "is_group", "people_involved"),
    "leads": ("unit_code", "count"),
    "audit_projects": ("project_id", "unit_code"),
    "audit_items": ("project_id", "item", "amount"),
    "reviews": ("candidate_ref", "unit_code", "expires_on"),
    "leavers": ("person_ref", "unit_code", "arrangement"),
}
"""Columns by which the cases tell rows."""

KEPT = Path(__file__).resolve().parents[2] / "data" / "workbooks"
XLSX, CSV = "returns/石桥镇/石桥镇报送表.xlsx", "returns/石桥镇/石桥镇_矛盾摸排.csv"
HEADS = ["摸排编号", "统计用区划代码", "摸排日期", "摸排方式", "走访户数"]
S1, S2 = ["S1", A, "2026-10-01", "走访", 3], ["S2", B, "2026-10-02", "走访", 4]
GOOD = {"screenings": ["S1 A 2026-10-01 3", "S2 B 2026-10-02 4"]}
TITLE, FILING = ["石桥镇换届基础数据报送表"], ["填报单位：石桥镇人民政府", "", "填报日期：2026年10月31日"]
WIDE = ["序号", "村(社区)名称", "统计用区划代码", "户籍人口(人)", "总户数"]
FACTS = ["A hukou_population 1200", "A households 300", "B hukou_population 1300", "B households 400"]
W1, W2 = [1, "上云村", A, 1200, 300], [2, "柳湾村", B, 1300, 400]


def screening(*rows: Sequence[Any], **options: Any) -> Callable[[], bytes]:
    return partial(workbook, 矛盾摸排=Sheet([HEADS, *rows], **options))


def basic(*rows: Sequence[Any], **options: Any) -> Callable[[], bytes]:
    return partial(workbook, 基本情况=Sheet([TITLE, FILING, WIDE, *rows], **options))


def lines(*rows: Sequence[Any], **options: Any) -> Callable[[], bytes]:
    return partial(csv, HEADS, *rows, **options)


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: patched(screening(S1, S2)(), {name: change})


def added(**entries: bytes) -> Callable[[], bytes]:
    return lambda: patched(screening(S1, S2)(), {n.replace("__", "."): c for n, c in entries.items()})


def with_parts(entries: dict[str, bytes]) -> Callable[[], bytes]:
    return lambda: patched(screening(S1, S2)(), entries)


SHEET1, BOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"


# ---------------------------------------------------------------- forms of files


def _et() -> bytes:
    """Return a workbook with the traits of one that WPS wrote: own namespaces, absolute targets, pictures."""
    book = patched(
        screening(S1, S2)(),
        {
            SHEET1: lambda x: x.replace(
                b"<worksheet ",
                b'<worksheet xmlns:etc="http://www.wps.cn/officeDocument/2017/etCustomData" '
                b'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" ',
            ).replace(
                b"</worksheet>",
                b'<extLst><ext uri="{5ffaf6d6}"><etc:cells/></ext></extLst></worksheet>',
            ),
            "xl/_rels/workbook.xml.rels": lambda x: x.replace(
                b'Target="worksheets', b'Target="/xl/worksheets'
            ),
            "docProps/app.xml": b"<Properties xmlns="
            b'"http://schemas.openxmlformats.org/officeDocument/2006/extended-properties">'
            b"<Application>WPS Office</Application></Properties>",
            "xl/cellimages.xml": b'<etc:cellImages xmlns:etc="http://www.wps.cn/officeDocument/2017/etCustomData"/>',
        },
    )
    return book


def _inline() -> bytes:
    """Return a workbook with inline texts and without cell references, as report programs write them."""

    def cell(value: object) -> str:
        if isinstance(value, int):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in (HEADS, S1, S2))
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    return patched(
        screening()(), {SHEET1: f"<worksheet {space}><sheetData>{rows}</sheetData></worksheet>".encode()}
    )


def _prefixed() -> bytes:
    """Return a workbook whose parts name their namespace by a prefix."""

    def prefix(content: bytes) -> bytes:
        text = content.decode().replace("</", "</\0").replace("<", "<x:").replace("<x:/\0", "</x:")
        return text.replace("xmlns=", "xmlns:x=").replace("<x:?xml", "<?xml").encode()

    return patched(screening(S1, S2)(), {SHEET1: prefix})


# ---------------------------------------------------------------- hostile files


def _bomb() -> bytes:
    return patched(screening(S1)(), {SHEET1: lambda x: x + b" " * 60_000_000})


def _many_entries() -> bytes:
    return patched(screening(S1)(), {f"xl/media/{n}.png": b"" for n in range(2_100)})


def _twice() -> bytes:
    """Return a workbook with two entries of one name, of which readers may each take another."""
    held = parts(screening(S1)())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
        archive.writestr(SHEET1.upper(), held[SHEET1])
    return stream.getvalue()


def _climbing() -> bytes:
    return patched(screening(S1)(), {"../../../../tmp/huanjie-climbed.txt": b"out"})


def _nested(depth: int) -> bytes:
    return patched(
        screening(S1)(),
        {SHEET1: lambda x: x.replace(b"</worksheet>", b"<a>" * depth + b"</a>" * depth + b"</worksheet>")},
    )


def _locked() -> bytes:
    """Return what an encrypted workbook begins like: a compound file with an entry EncryptedPackage."""

    def entry(name: str, kind: int, start: int) -> bytes:
        raw = (name + "\0").encode("utf-16-le")
        return (
            raw.ljust(64, b"\0")
            + struct.pack("<HB", len(raw), kind).ljust(52, b"\0")
            + struct.pack("<IQ", start, 0)
        )

    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6)
    head = head.ljust(44, b"\0") + struct.pack("<IIIIIIIII", 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
    head = head.ljust(512, b"\xff")
    fat = struct.pack("<II", 0xFFFFFFFD, 0xFFFFFFFE).ljust(512, b"\xff")
    folder = entry("Root Entry", 5, 0xFFFFFFFE) + entry("EncryptedPackage", 2, 0xFFFFFFFE)
    return head + fat + folder.ljust(512, b"\0")


def _circle() -> bytes:
    """Return an .xls whose chain of sectors goes in a circle."""
    raw = bytearray((KEPT / "township.xls").read_bytes())
    (fat,) = struct.unpack_from("<I", raw, 76)
    at = 512 + fat * 512
    for number in range(12):
        struct.pack_into("<I", raw, at + 4 * number, number)
    return bytes(raw)


def _formulas() -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("矛盾摸排")
        sheet.write_row(0, 0, HEADS)
        sheet.write_row(1, 0, S1[:4])
        sheet.write_formula(1, 4, "=1+2", value=3)
        sheet.write_row(2, 0, S2[:4])
        sheet.write_formula(2, 4, "=[1]x!A1", value="#REF!")
        sheet.write_string(3, 0, "=cmd|'/c calc'!A0")
        sheet.write_row(3, 1, S2[1:])
    return stream.getvalue()


def _shared_text() -> bytes:
    """Return a workbook a few cells of which are one enormous text."""
    return patched(screening(["S1", A, "2026-10-01", "走访" + "很" * 40_000, 3])(), {})


def _texts_in_runs() -> bytes:
    """Return a workbook whose shared texts are in runs, with readings beside them and breaks written out."""

    def change(content: bytes) -> bytes:
        text = content.decode().replace(
            "<si><t>走访</t></si>",
            '<si><r><t>走</t></r><r><rPr><b/></rPr><t xml:space="preserve">访</t></r>'
            '<rPh sb="0" eb="1"><t>zou</t></rPh><phoneticPr fontId="1"/></si>',
        )
        return text.replace(A, f"{A}_x000D_\n").encode()

    return patched(_written(S1, S2), {"xl/sharedStrings.xml": change})


def _written(*rows: Sequence[Any], struck: int | None = None, note: str = "") -> bytes:
    """Return a workbook with shared texts, a row struck out, a comment, a chart on its own sheet."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("矛盾摸排")
        line = book.add_format({"font_strikeout": True})
        for number, row in enumerate((HEADS, *rows)):
            sheet.write_row(number, 0, row, line if number == struck else None)
        if note:
            sheet.write_comment("A2", note)
            chart = book.add_chart({"type": "column"})
            chart.add_series({"values": "=矛盾摸排!$E$2:$E$3"})
            book.add_chartsheet("图").set_chart(chart)
    return stream.getvalue()


def _strict() -> bytes:
    """Return a workbook in the strict form of the standard, with a date in words of ISO."""

    def change(content: bytes) -> bytes:
        text = content.decode()
        for kind in ("spreadsheetml/2006/main", "officeDocument/2006/relationships"):
            name = kind.replace("/2006", "")
            text = text.replace(
                f"http://schemas.openxmlformats.org/{kind}", f"http://purl.oclc.org/ooxml/{name}"
            )
        return re.sub(
            '<c r="C2"[^>]*>.*?</c>', '<c r="C2" t="d"><v>2026-10-01T00:00:00</v></c>', text
        ).encode()

    book = screening(S1, S2)()
    return patched(book, {name: change for name in parts(book) if name.endswith((".xml", ".rels"))})


def _painted() -> bytes:
    """Return a workbook with a whole row, and columns down to the last row but a few, only painted."""
    across = "".join(f'<c r="{xl_col_to_name(n)}1" s="0"/>' for n in range(5, 16_384))
    down = "".join(f'<row r="{n}" s="1" customFormat="1"/>' for n in range(4, 1_048_577, 7))
    cells = "".join(f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in (1_048_575, 1_048_576))

    def change(content: bytes) -> bytes:
        text = content.decode().replace("</row>", f"{across}</row>", 1)
        return text.replace("</sheetData>", f"{down}{cells}</sheetData>").encode()

    return patched(screening(S1, S2)(), {SHEET1: change})


def _other(**entries: bytes) -> bytes:
    """Return a ZIP that is no workbook."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return stream.getvalue()


FRESH, DAMAGED = "error:用 Excel", "error:文件损坏或不是 .xlsx 工作簿"

CASES: tuple[Case, ...] = (
    # ------------------------------------------------------------ workbooks of every kind
    Case("xlsx", XLSX, screening(S1, S2), 2, GOOD),
    Case("xlsx written by WPS", XLSX, _et, 2, GOOD),
    Case("xlsx with inline texts and no references", XLSX, _inline, 2, GOOD),
    Case("xlsx with prefixed namespaces", XLSX, _prefixed, 2, GOOD),
    Case(
        "xls with two heading rows, a hidden row, an error and a percentage",
        XLSX.replace(".xlsx", ".xls"),
        (KEPT / "township.xls").read_bytes,
        8,
        {
            "facts": ["A hukou_population 1200", "A households 300", "B hukou_population 1300"],
            "screenings": ["S1 A 2026-10-01 3"],
        },
        {"facts": ["B 总户数 #DIV/0!"], "screenings": ["S2 B 2026-10-02 50%"]},
        "合计行 2",
        [
            "warning:有 1 行被隐藏",
            "note:2 个单元格是公式",
            "error:#DIV/0!",
            "error:50%",
            "note:1 个单元格：数字格式的代码",
        ],
    ),
    Case(
        "xls named xlsx",
        XLSX,
        (KEPT / "township.xls").read_bytes,
        8,
        {
            "facts": ["A hukou_population 1200", "A households 300", "B hukou_population 1300"],
            "screenings": ["S1 A 2026-10-01 3"],
        },
        {"facts": ["B 总户数 #DIV/0!"], "screenings": ["S2 B 2026-10-02 50%"]},
        "合计行 2",
    ),
    Case("xlsx named xls", XLSX.replace(".xlsx", ".xls"), screening(S1, S2), 2, GOOD),
    Case(
        "xls with dates from 1904",
        "returns/a.xls",
        (KEPT / "dates_from_1904.xls").read_bytes,
        None,
        says=["error:使用 1904 日期系统"],
    ),
    Case(
        "xls with a stray cell at the end",
        "returns/a.xls",
        (KEPT / "stray_cell.xls").read_bytes,
        None,
        says=["error:65536 行 × 256 列"],
    ),
    Case(
        "xls that is a web page",
        "returns/a.xls",
        lambda: b"<html><table><tr><td>1</td></tr></table></html>",
        None,
        says=["error:网页或 XML，不是工作簿"],
    ),
    Case("csv that is a workbook", CSV, screening(S1), None, says=["error:工作簿，扩展名却是 .csv"]),
    Case("csv in UTF-8", CSV, lines(S1, S2), 2, GOOD),
    Case("csv in UTF-8 with a mark", CSV, lines(S1, S2, encoding="utf-8-sig"), 2, GOOD),
    Case("csv in GBK", CSV, lines(S1, S2, encoding="gbk"), 2, GOOD),
    Case(
        "csv in GB18030",
        CSV,
        partial(csv, [*HEADS, "备注"], [*S1, "㙦头𠮷村"], [*S2, ""], encoding="gb18030"),
        2,
        GOOD,
    ),
    Case("csv in UTF-16 with tabs", CSV, lines(S1, S2, encoding="utf-16", mark="\t"), 2, GOOD),
    Case(
        "csv with rows of unequal length",
        CSV,
        partial(csv, ["石桥镇台账"], HEADS, S1[:4], [*S2, "", ""]),
        2,
        {"screenings": ["S1 A 2026-10-01 ", "S2 B 2026-10-02 4"]},
    ),
    Case(
        "csv with codes as formulas that are texts",
        CSV,
        lines([*S1[:1], f'"=""{A}"""', *S1[2:]], ["S2", f"'{B}", *S2[2:]]),
        2,
        GOOD,
        says=["note:2 个单元格：去掉表示文本的单引号或等号"],
    ),
    Case("strict Office Open XML", XLSX, _strict, 2, GOOD),
    Case("shared texts in runs", XLSX, _texts_in_runs, 2, GOOD),
    Case(
        "shared texts that are not there",
        XLSX,
        lambda: patched(_written(S1), {"xl/sharedStrings.xml": None}),
        None,
        says=["error:工作簿不能读取"],
    ),
    Case("rows and columns that are only painted", XLSX, _painted, 2, GOOD),
    Case(
        "semicolons, with the line that says so",
        CSV,
        lambda: csv(["sep=;"]) + csv(HEADS, S1, S2, mark=";"),
        2,
        GOOD,
    ),
    Case(
        "bars, and a title with commas", CSV, lambda: csv(["台账,2026,10"], HEADS, S1, S2, mark="|"), 2, GOOD
    ),
    Case(
        "tabs in GBK, and a figure with a comma",
        CSV,
        lambda: csv(["台账，石桥镇"], HEADS, S1, [*S2[:4], "1,200"], encoding="gbk", mark="\t"),
        2,
        {"screenings": [GOOD["screenings"][0], "S2 B 2026-10-02 1200"]},
        says=["note:1 个单元格：去掉千分位"],
    ),
    Case("Unicode text of Excel", CSV, lambda: csv(HEADS, S1, S2, encoding="utf-16", mark="\t"), 2, GOOD),
    Case(
        "a figure with a comma in a CSV of commas",
        CSV,
        lines([*S1[:4], "1,200"], S2, ["S3", A]),
        3,
        {"screenings": GOOD["screenings"][1:]},
        {"screenings": ["S1 A 2026-10-01 1", "S3 A  "]},
        says=["error:这一行有 6 格，标题只有 5 格"],
    ),
    Case(
        "a web page with a byte-order mark named xls",
        "returns/a.xls",
        lambda: "<!-- 导出 --><style></style><table></table>".encode("utf-16"),
        None,
        says=["error:网页或 XML"],
    ),
    Case(
        "a web archive named xls",
        "returns/a.xls",
        lambda: b"MIME-Version: 1.0\r\nX-Document-Type: Workbook\r\n",
        None,
        says=["error:网页存档（MHT）"],
    ),
    Case(
        "a sheet of XML of 2003 named xls",
        "returns/a.xls",
        lambda: b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>',
        None,
        says=["error:网页或 XML"],
    ),
    Case(
        "text with tabs named xls",
        "returns/a.xls",
        lambda: csv(HEADS, S1, encoding="gbk", mark="\t"),
        None,
        says=["error:文本，不是工作簿"],
    ),
    Case("a binary workbook", XLSX, lambda: _other(xl__workbook_bin=b"x"), None, says=["error:Excel 二进制"]),
    Case("a text document", XLSX, lambda: _other(word__document_xml=b"x"), None, says=["error:Word 或"]),
    Case("an OpenDocument table", XLSX, lambda: _other(content_xml=b"x"), None, says=["error:OpenDocument"]),
    Case("workbooks in an archive", XLSX, lambda: _other(a_xlsx=b"x"), None, says=["error:压缩包"]),
    Case("another archive", XLSX, lambda: b"Rar!\x1a\x07\x00", None, says=["error:压缩包"]),
    Case("a printed page", XLSX, lambda: b"%PDF-1.7", None, says=["error:PDF"]),
    Case(
        "an xls inside an xlsx name",
        XLSX,
        lambda: (KEPT / "township.xls").read_bytes(),
        8,
        {
            "facts": ["A hukou_population 1200", "A households 300", "B hukou_population 1300"],
            "screenings": ["S1 A 2026-10-01 3"],
        },
        {"facts": ["B 总户数 #DIV/0!"], "screenings": ["S2 B 2026-10-02 50%"]},
        "合计行 2",
    ),
    # ------------------------------------------------------------ headings, titles, totals
    Case(
        "money in ten thousands by the filing row",
        XLSX,
        partial(
            workbook,
            基本情况=[
                ["填报单位：石桥镇", "单位：万元、户", "填报日期：2026年10月31日"],
                ["统计用区划代码", "集体经济年收入", "集体债务余额(元)", "总户数"],
                [A, 12.3456, 5, 300],
            ],
        ),
        3,
        {"facts": ["A collective_income 123456", "A collective_debt 5", "A households 300"]},
        says=["note:单位为万元"],
    ),
    Case(
        "money in ten thousands by the title, date in numerals",
        XLSX,
        partial(
            workbook,
            基本情况=[
                ["石桥镇集体经济情况表（金额单位：万元）", "填报日期：二〇二六年十月三十一日"],
                ["统计用区划代码", "集体经济年收入"],
                [A, 2],
            ],
        ),
        1,
        {"facts": ["A collective_income 20000"]},
        says=["note:截至日期取自表头上方的填报日期：2026-10-31"],
    ),
    Case(
        "two units of money over the table",
        XLSX,
        partial(
            workbook,
            基本情况=[
                ["单位：元", "单位：", "万元", *FILING[2:]],
                ["统计用区划代码", "集体经济年收入", "总户数"],
                [A, 2, 300],
            ],
        ),
        2,
        {"facts": ["A households 300"]},
        {"facts": ["A collective_income 2"]},
        says=["error:集体经济年收入（单位：元、万元）"],
    ),
    Case(
        "three rows of headings",
        XLSX,
        partial(
            workbook,
            基本情况=Sheet(
                [
                    TITLE,
                    FILING,
                    ["序号", "村(社区)名称", "统计用区划代码", "人口情况", "", ""],
                    ["", "", "", "人口", "", "户数"],
                    ["", "", "", "户籍人口(人)", "常住人口(人)", "总户数"],
                    [1, "上云村", A, 1200, 1100, 300],
                ],
                merges=["A3:A5", "B3:B5", "C3:C5", "D3:F3", "D4:E4"],
            ),
        ),
        3,
        {"facts": ["A hukou_population 1200", "A resident_population 1100", "A households 300"]},
    ),
    Case(
        "a row that numbers the columns",
        XLSX,
        basic(["甲", "乙", "丙", 1, 2], W1, W2),
        6,
        {"facts": FACTS},
        dropped="栏次行 2",
    ),
    Case(
        "numbers of columns in brackets",
        XLSX,
        screening(["(1)", "(2)", "(3)", "(4)", "(5)"], S1, S2),
        3,
        GOOD,
        dropped="栏次行 1",
    ),
    Case(
        "parts of the township, each with a heading and a number of its page",
        XLSX,
        screening(["一、东片"], S1, ["第1页 共2页"], ["（二）西片"], S2, ["- 2 -"]),
        6,
        GOOD,
        dropped="分组标题行 2；页码行 2",
    ),
    Case(
        "totals of named parts under their rows",
        XLSX,
        basic(
            W1,
            ["", "东片区小计", "", 1200, 300],
            W2,
            ["", "西片 合计", "", 1300, 401],
            ["石桥镇合计", "", "", 2500, 700],
        ),
        10,
        {"facts": FACTS},
        dropped="合计行 6",
        says=["warning:合计 401"],
    ),
    Case(
        "totals of parts over their rows",
        XLSX,
        basic(
            ["", "合计", "", 2500, 701],
            ["一", "东片小计", "", 1200, 300],
            W1,
            ["二", "西片小计", "", 1300, 402],
            W2,
        ),
        10,
        {"facts": FACTS},
        dropped="合计行 6",
        says=["warning:合计 701", "warning:小计 402"],
    ),
    Case(
        "notes of several lines under the table",
        XLSX,
        screening(
            S1,
            S2,
            ["备注：1.本表一式两份"],
            ["2.走访户数填实际数"],
            ["※ 截至九月底"],
            ["其余见附件"],
            ["单位负责人：", "", "填表人：", "", "联系电话：13912345678"],
            ["2026年10月31日"],
            ["S3", "", "2026-10-03", "走访", 5],
        ),
        9,
        GOOD,
        {"screenings": ["S3  2026-10-03 5"]},
        "签字或说明行 6",
    ),
    Case(
        "a telephone number where a figure is due",
        XLSX,
        screening(S1, [*S2[:4], "电话 13912345678"]),
        2,
        {"screenings": GOOD["screenings"][:1]},
        {"screenings": ["S2 B 2026-10-02 （已隐藏，14 个字符）"]},
        says=["error:（已隐藏，14 个字符）"],
    ),
    Case(
        "numbers of persons written with gaps or in full width",
        XLSX,
        partial(
            workbook,
            离任安置=[
                ["统计用区划代码", "人员代号", "安置方式", "安置日期"],
                [A, "P-1", "电话 139 1234 5678", "2026-10-01"],
                [A, "P-2", "990101 19900101 1234", "2026-10-01"],
                [A, "P-3", "１３９１２３４５６７８", "2026-10-01"],
                [A, "P-4", "荣誉职务", "2026-10-01"],
            ],
        ),
        4,
        {"leavers": ["P-4 A 荣誉职务"]},
        {
            "leavers": [
                "P-1 A （已隐藏，16 个字符）",
                "P-2 A （已隐藏，20 个字符）",
                "P-3 A （已隐藏，11 个字符）",
            ]
        },
        says=["error:（已隐藏，16 个字符）"],
    ),
    Case(
        "one amount for two items of an audit",
        XLSX,
        partial(
            workbook,
            审计台账=Sheet(
                [
                    [
                        "审计项目编号",
                        "统计用区划代码",
                        "审计类型",
                        "群众代表人数",
                        "审计事项",
                        "审计结论",
                        "涉及金额",
                    ],
                    ["P1", A, "任中审计", 3, "财务收支", "无问题", 5],
                    ["", "", "", "", "债权债务", "无问题", ""],
                    ["", "", "", "", "工程项目", "无问题", 6],
                ],
                merges=["A2:A4", "B2:B4", "C2:C4", "D2:D4", "G2:G3"],
            ),
        ),
        6,
        {"audit_projects": ["P1 A"], "audit_items": ["P1 projects 6"]},
        {"audit_items": ["P1 财务收支 5", "P1 债权债务 5"]},
        "同一项目的续行 2",
        ["error:合并的单元格 G2:G3 里只有一个数"],
    ),
    Case(
        "one number for two villages",
        XLSX,
        basic(
            [1, "上云村", A, 1200, 300],
            [2, "柳湾村", B, "", 400],
            ["", "合计", "", 1200, 700],
            merges=["D4:D5"],
        ),
        6,
        {"facts": ["A households 300", "B households 400"]},
        {"facts": ["A 户籍人口 1200", "B 户籍人口 1200"]},
        "合计行 2",
        ["error:合并的单元格 D4:D5 里只有一个数"],
    ),
    Case(
        "one number for two rows of a ledger, one date for both",
        XLSX,
        screening(
            S1, ["S2", B, "", "走访", ""], ["S3", A, "2026-10-03", "走访", 1], merges=["C2:C3", "E2:E3"]
        ),
        3,
        {"screenings": ["S3 A 2026-10-03 1"]},
        {"screenings": ["S1 A 2026-10-01 3", "S2 B 2026-10-01 3"]},
        says=["error:合并的单元格 E2:E3 里只有一个数"],
    ),
    Case(
        "cells without a heading",
        XLSX,
        partial(workbook, 矛盾摸排=[HEADS, [*S1, "", "补录"], S2]),
        2,
        GOOD,
        says=["warning:G 列没有标题，其中 1 个单元格没有载入"],
    ),
    Case(
        "title, filing row and totals",
        XLSX,
        basic(W1, W2, ["", "合计", "", 2500, 700]),
        6,
        {"facts": FACTS},
        dropped="合计行 2",
    ),
    Case(
        "totals that are not the sum",
        XLSX,
        basic(W1, W2, ["", "合计", "", 2501, 700]),
        6,
        {"facts": FACTS},
        dropped="合计行 2",
        says=["warning:合计 2501"],
    ),
    Case(
        "totals above the rows",
        XLSX,
        basic(["", "全镇合计", "", 2500, 701], W1, W2),
        6,
        {"facts": FACTS},
        dropped="合计行 2",
        says=["warning:合计 701"],
    ),
    Case(
        "subtotals and a total in brackets",
        XLSX,
        basic(
            W1,
            ["", "小计", "", 1200, 300],
            W2,
            ["", "小 计", "", 1300, 401],
            ["", "总计（2个村）", "", 2500, 700],
        ),
        10,
        {"facts": FACTS},
        dropped="合计行 6",
        says=["warning:小计 401"],
    ),
    Case(
        "two heading rows, merged both ways",
        XLSX,
        partial(
            workbook,
            基本情况=Sheet(
                [
                    TITLE,
                    FILING,
                    ["序号", "村(社区)名称", "统计用区划代码", "人口情况", ""],
                    ["", "", "", "户籍人口(人)", "总户数"],
                    W1,
                    W2,
                ],
                merges=["A1:E1", "A3:A4", "B3:B4", "C3:C4", "D3:E3"],
            ),
        ),
        4,
        {"facts": FACTS},
    ),
    Case(
        "headings with line breaks, stars and full-width brackets",
        XLSX,
        partial(
            workbook,
            基本情况=[
                FILING,
                ["统计用\n区划代码＊", "户籍人口\n（人）", " 总 户 数 "],
                [A, 1200, 300],
                [B, 1300, 400],
            ],
        ),
        4,
        {"facts": FACTS},
    ),
    Case(
        "money in ten thousands",
        XLSX,
        partial(workbook, 基本情况=[FILING, ["统计用区划代码", "集体经济年收入(万元)"], [A, 12.3456]]),
        1,
        {"facts": ["A collective_income 123456"]},
        says=["note:单位为万元"],
    ),
    Case(
        "a unit that is none of the column",
        XLSX,
        partial(workbook, 基本情况=[FILING, ["统计用区划代码", "总户数", "户籍人口(亩)"], [A, 300, 5]]),
        2,
        {"facts": ["A households 300"]},
        {"facts": ["A 户籍人口 5"]},
        says=["error:户籍人口(亩)（单位：亩）"],
    ),
    Case(
        "a required column is missing",
        XLSX,
        partial(workbook, 矛盾摸排=[HEADS[:3], S1[:3], S2[:3]]),
        2,
        {},
        {"screenings": ["S1 A 2026-10-01 ", "S2 B 2026-10-02 "]},
        says=["error:缺少列“摸排方式”"],
    ),
    Case(
        "a heading twice",
        XLSX,
        partial(workbook, 矛盾摸排=[[*HEADS, "走访户数"], [*S1, 9]]),
        1,
        {},
        {"screenings": ["S1 A 2026-10-01 9"]},
        says=["error:列标题重复"],
    ),
    Case(
        "headings printed on every page",
        XLSX,
        partial(workbook, 矛盾摸排=[HEADS, S1, [], HEADS, S2]),
        4,
        GOOD,
        dropped="空白行 1；重复的表头 1",
    ),
    Case(
        "signing row and remarks",
        XLSX,
        screening(S1, S2, ["填表人：", "", "审核人："], ["注：以上数据由各村填报"]),
        4,
        GOOD,
        dropped="签字或说明行 2",
    ),
    Case(
        "a sheet nobody knows and one that explains",
        XLSX,
        partial(workbook, 矛盾摸排=[HEADS, S1, S2], 草稿=[["x", "y"], [1, 2]], 填表说明=[["一、"], ["二、"]]),
        6,
        GOOD,
        dropped="认不出的表 2|填表说明 2",
        says=["warning:认不出的表"],
    ),
    Case("only headings", XLSX, screening(), 0, says=["warning:只有标题"]),
    Case("an empty csv", CSV, lambda: b"", None, says=["error:空文件"]),
    # ------------------------------------------------------------ several tables on a sheet
    Case(
        "two tables under one another",
        XLSX,
        partial(
            workbook,
            报送=[
                ["矛盾摸排台账"],
                HEADS,
                S1,
                S2,
                [],
                ["线索举报台账"],
                ["统计用区划代码", "受理日期", "线索类别", "件数"],
                [A, "2026-10-03", "拉票贿选", 2],
            ],
        ),
        3,
        {**GOOD, "leads": ["A 2"]},
        says=["note:一个工作表里有 2 个表"],
    ),
    Case(
        "two tables side by side",
        XLSX,
        partial(
            workbook,
            报送=[
                [*HEADS, None, "统计用区划代码", "受理日期", "线索类别", "件数"],
                [*S1, None, A, "2026-10-03", "拉票贿选", 2],
                S2,
            ],
        ),
        3,
        {**GOOD, "leads": ["A 2"]},
        says=["note:一个工作表里有 2 个表"],
    ),
    Case(
        "a table printed in two halves",
        XLSX,
        partial(workbook, 矛盾摸排=[["石桥镇矛盾摸排台账"], [*HEADS, *HEADS], [*S1, *S2]]),
        2,
        GOOD,
        says=["note:一个工作表里有 2 个表"],
    ),
    Case(
        "the wide sheet once more for another month",
        XLSX,
        partial(
            workbook,
            基本情况=[
                TITLE,
                FILING,
                WIDE,
                W1,
                [],
                TITLE,
                ["填报日期：2026年9月30日"],
                WIDE,
                [1, "石桥社区", C, 10, 20],
            ],
        ),
        4,
        {"facts": [*FACTS[:2], "C hukou_population 10", "C households 20"]},
    ),
    # ------------------------------------------------------------ cells
    Case(
        "full-width digits and thousands",
        XLSX,
        basic([1, "上云村", A, "１，２００", "３００"], [2, "柳湾村", B, "1,300", "400"]),
        4,
        {"facts": FACTS},
        says=["note:2 个单元格：全角", "note:2 个单元格：去掉千分位"],
    ),
    Case(
        "a separator in the wrong place",
        XLSX,
        basic([1, "上云村", A, "12,00", 300]),
        2,
        {"facts": ["A households 300"]},
        {"facts": ["A 户籍人口 12,00"]},
        says=["error:12,00"],
    ),
    Case(
        "nothing, written in four ways",
        XLSX,
        basic([1, "上云村", A, "/", "—"], [2, "柳湾村", B, "", "－"], [3, "石桥社区", C, "无", 7]),
        6,
        {"facts": ["C households 7"]},
        {"facts": ["C 户籍人口 无"]},
        "空白单元格 4",
        ["error:无"],
    ),
    Case(
        "ticks and crosses",
        XLSX,
        partial(
            workbook,
            矛盾纠纷=[
                ["矛盾编号", "统计用区划代码", "矛盾类别", "发生日期", "群体性", "涉及人数"],
                ["D1", A, "宗族派系", "2026-10-01", "√", 3],
                ["D2", A, "宗族派系", "2026-10-01", "×", ""],
                ["D3", A, "宗族派系", "2026-10-01", "/", "—"],
                ["D4", A, "宗族派系", "2026-10-01", "也许", 1],
            ],
        ),
        4,
        {"disputes": ["D1 A True 3", "D2 A False ", "D3 A  "]},
        {"disputes": ["D4 A 也许 1"]},
        says=["note:2 个单元格：“√”", "error:也许"],
    ),
    Case(
        "dates in eight ways",
        XLSX,
        screening(
            *(
                ["S" + str(n), A, d, "走访", 1]
                for n, d in enumerate(
                    [
                        "2026年10月3日",
                        "2026.10.3",
                        "2026/10/03",
                        "2026-10-03",
                        "20261003",
                        dt.date(2026, 10, 3),
                        46298,
                        "２０２６.１０.３",
                    ]
                )
            )
        ),
        8,
        {"screenings": [f"S{n} A 2026-10-03 1" for n in range(8)]},
        says=["note:1 个单元格：Excel 日期序号"],
    ),
    Case(
        "dates without a day, or of no calendar",
        XLSX,
        screening(
            *(
                ["S" + str(n), A, d, "走访", 1]
                for n, d in enumerate(["1985.06", 1985.06, "2026年10月", "2026-13-40", "去年"])
            )
        ),
        5,
        {},
        {
            "screenings": [
                "S0 A 1985.06 1",
                "S1 A 1985.06 1",
                "S2 A 2026年10月 1",
                "S3 A 2026-13-40 1",
                "S4 A 去年 1",
            ]
        },
        says=["error:1985.06", "error:2026年10月", "error:2026-13-40", "error:去年"],
    ),
    Case(
        "dates in Chinese numerals, and others that leave a doubt",
        XLSX,
        screening(
            *(
                ["S" + str(n), A, d, "走访", 1]
                for n, d in enumerate(
                    [
                        "二〇二六年十月三日",
                        "二零二六年十月三日",
                        "二〇二六年十月",
                        "26.10.3",
                        "2026/9/31",
                        "10/3/2026",
                    ]
                )
            )
        ),
        6,
        {"screenings": ["S0 A 2026-10-03 1", "S1 A 2026-10-03 1"]},
        {
            "screenings": [
                "S2 A 二〇二六年十月 1",
                "S3 A 26.10.3 1",
                "S4 A 2026/9/31 1",
                "S5 A 10/3/2026 1",
            ]
        },
        says=["note:2 个单元格：文字写法", "error:二〇二六年十月", "error:26.10.3", "error:2026/9/31"],
    ),
    Case(
        "figures with words, brackets and full-width percents",
        XLSX,
        basic([1, "上云村", A, "1200人", "85％"], [2, "柳湾村", B, "(1,200)", "约400"]),
        4,
        {},
        {"facts": ["A 户籍人口 1200人", "A 总户数 85％", "B 户籍人口 (1,200)", "B 总户数 约400"]},
        says=["error:1200人", "error:85％", "error:(1,200)", "error:约400"],
    ),
    Case(
        "numbers that the format shows smaller",
        XLSX,
        partial(
            workbook,
            基本情况=Sheet(
                [FILING, ["统计用区划代码", "集体经济年收入(万元)", "集体债务余额"], [A, 30000, 4]],
                formats={"B3": '0!.0000"万"', "C3": "#,##0.00"},
            ),
        ),
        2,
        {"facts": ["A collective_debt 4"]},
        {"facts": ["A collective_income 30000（格式显示为缩小的数）"]},
        says=["error:30000（格式显示为缩小的数）"],
    ),
    Case(
        "codes with blanks inside, and with a decimal point",
        CSV,
        lines(["S1", "990101 101 201", *S1[2:]], ["S2", f"{B}.0", *S2[2:]], ["S3", "990101-101201", *S1[2:]]),
        3,
        {"screenings": GOOD["screenings"][1:]},
        {"screenings": ["S1 990101 101 201 2026-10-01 3", "S3 990101-101201 2026-10-01 3"]},
        says=["note:1 个单元格：数字格式的代码", "error:990101 101 201", "error:990101-101201"],
    ),
    Case(
        "a code that became 9.90101E+11",
        CSV,
        lines(["S1", "9.90101E+11", *S1[2:]], S2),
        2,
        {"screenings": GOOD["screenings"][1:]},
        {"screenings": ["S1 9.90101E+11 2026-10-01 3"]},
        says=["error:9.90101E+11"],
    ),
    Case(
        "codes in number cells",
        XLSX,
        screening(["S1", int(A), *S1[2:]], ["S2", float(B), *S2[2:]]),
        2,
        GOOD,
        says=["note:2 个单元格：数字格式的代码"],
    ),
    Case(
        "codes cut short, too long and of nobody",
        XLSX,
        screening(["S1", A[:11], *S1[2:]], ["S2", "9901011012010", *S1[2:]], ["S3", "990101101299", *S1[2:]]),
        3,
        {},
        {
            "screenings": [
                f"S1 {A[:11]} 2026-10-01 3",
                "S2 9901011012010 2026-10-01 3",
                "S3 990101101299 2026-10-01 3",
            ]
        },
        says=[f"error:{A[:11]}", "error:A0", "error:990101101299"],
    ),
    Case(
        "a number of eighteen digits that lost its tail",
        XLSX,
        partial(
            workbook,
            资格联审=[
                ["人选代号", "统计用区划代码", "联审部门", "联审意见"],
                [990101199001011234, A, "公安", "同意"],
                ["P-1", A, "公安", "同意"],
            ],
        ),
        2,
        {"reviews": ["P-1 A "]},
        {"reviews": ["（已隐藏，11 个字符） A "]},
        says=["error:9.90101E+17"],
    ),
    Case(
        "a hidden row and a hidden sheet",
        XLSX,
        partial(workbook, 矛盾摸排=Sheet([HEADS, S1, S2], hidden_rows=[3], state="hidden"), 其他=[["x"]]),
        3,
        GOOD,
        dropped="认不出的表 1",
        says=["warning:有 1 行被隐藏", "warning:工作表被隐藏"],
    ),
    Case(
        "hidden columns and rows without height",
        XLSX,
        lambda: patched(
            workbook(矛盾摸排=Sheet([HEADS, S1, S2], hidden_columns=["B", "E"])),
            {SHEET1: lambda x: x.replace(b'<row r="3"', b'<row ht="0" customHeight="1" r="3"')},
        ),
        2,
        GOOD,
        says=["warning:B、E 列被隐藏，仍已读取", "warning:有 1 行被隐藏"],
    ),
    Case(
        "a row that is struck out",
        XLSX,
        lambda: _written(S1, S2, struck=2),
        2,
        GOOD,
        says=["warning:5 个单元格画了删除线"],
    ),
    Case(
        "a comment, and a chart on a sheet of its own",
        XLSX,
        lambda: _written(S1, S2, note="实为 4 户"),
        2,
        GOOD,
        says=["warning:工作簿里有批注"],
    ),
    Case(
        "a very hidden sheet and three empty ones",
        XLSX,
        partial(
            workbook, 矛盾摸排=Sheet([HEADS, S1, S2], state="veryHidden"), Sheet2=[], Sheet3=[], Sheet4=[]
        ),
        2,
        GOOD,
        says=["warning:工作表被隐藏", "note:空工作表"],
    ),
    Case(
        "a percentage in a column of counts",
        XLSX,
        screening(S1, ["S2", B, "2026-10-02", "走访", 0.5], formats={"E3": "0.0%"}),
        2,
        {"screenings": GOOD["screenings"][:1]},
        {"screenings": ["S2 B 2026-10-02 50%"]},
        says=["error:50%"],
    ),
    Case(
        "negative, broken and worded counts",
        XLSX,
        screening(
            ["S1", A, "2026-10-01", "走访", -1],
            ["S2", A, "2026-10-01", "走访", 1.5],
            ["S3", A, "2026-10-01", "走访", "约三百"],
        ),
        3,
        {},
        {"screenings": ["S1 A 2026-10-01 -1", "S2 A 2026-10-01 1.5", "S3 A 2026-10-01 约三百"]},
        says=["error:-1", "error:1.5", "error:约三百"],
    ),
    # ------------------------------------------------------------ rows
    Case(
        "the same row twice",
        XLSX,
        screening(S1, S1, S2),
        3,
        GOOD,
        dropped="与前面的行完全相同 1",
        says=["warning:与本表第 2 行完全相同"],
    ),
    Case(
        "one key with two contents",
        XLSX,
        screening(S1, ["S1", B, *S1[2:]], S2),
        3,
        {"screenings": GOOD["screenings"][1:]},
        {"screenings": ["S1 A 2026-10-01 3", "S1 B 2026-10-01 3"]},
        says=["error:S1"],
    ),
    Case(
        "a unit under its old code",
        XLSX,
        screening(["S1", OLD, *S1[2:]], S2),
        2,
        GOOD,
        says=["note:1 行：旧代码"],
    ),
    Case(
        "a unit in the wide sheet twice",
        XLSX,
        basic(W1, [2, "上云村", A, 1201, 300]),
        4,
        {"facts": ["A households 300"]},
        {"facts": ["A 户籍人口 1200", "A 户籍人口 1201"]},
        "与前面的行完全相同 1",
        ["error:A"],
    ),
    Case(
        "a code beside the name of another unit",
        XLSX,
        basic([1, "柳湾村", A, 1200, 300]),
        2,
        {"facts": FACTS[:2]},
        says=["warning:A（柳湾村）"],
    ),
    Case(
        "a column of names",
        XLSX,
        partial(workbook, 矛盾摸排=[[*HEADS, "联系人姓名"], [*S1, "某某某"], [*S2, "某某"]]),
        2,
        GOOD,
        says=["error:含个人信息的列（姓名类）"],
    ),
    Case(
        "projects merged down over their items",
        XLSX,
        partial(
            workbook,
            审计台账=Sheet(
                [
                    ["审计项目编号", "统计用区划代码", "审计类型", "审计事项", "审计结论", "涉及金额(元)"],
                    ["P1", A, "任中审计", "财务收支", "无问题", 5],
                    ["", "", "", "债权债务", "无问题", 6],
                ],
                merges=["A2:A3", "B2:B3", "C2:C3"],
            ),
        ),
        4,
        {"audit_projects": ["P1 A"], "audit_items": ["P1 finances 5", "P1 debts 6"]},
        dropped="同一项目的续行 1",
    ),
    # ------------------------------------------------------------ hostile workbooks
    Case("zip bomb", XLSX, _bomb, None, says=["error:压缩比异常"]),
    Case("thousands of entries", XLSX, _many_entries, None, says=["error:部件，压缩比异常"]),
    Case(
        "hundreds of sheets",
        XLSX,
        lambda: workbook(**{f"矛盾摸排{n}": [HEADS] for n in range(201)}),
        None,
        says=["error:201 个工作表"],
    ),
    Case("two entries of one name", XLSX, _twice, None, says=[DAMAGED]),
    Case("entries that climb out of the folder", XLSX, _climbing, None, says=[DAMAGED]),
    Case(
        "a sheet that lies elsewhere",
        XLSX,
        changed(
            "xl/_rels/workbook.xml.rels",
            lambda x: x.replace(b"worksheets/sheet1.xml", b"../../../etc/passwd"),
        ),
        None,
        says=[DAMAGED],
    ),
    Case(
        "parts in an encoding that nobody knows",
        XLSX,
        changed(BOOK, lambda x: b'<?xml version="1.0" encoding="UTF.-8"?>' + x[x.find(b"<workbook") :]),
        None,
        says=[DAMAGED],
    ),
    Case(
        "a document type with an outer entity",
        XLSX,
        changed(
            SHEET1,
            lambda x: (
                b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
                + x[x.find(b"<worksheet") :].replace(b"</worksheet>", b"<a>&a;</a></worksheet>")
            ),
        ),
        None,
        says=[DAMAGED],
    ),
    Case(
        "an entity bomb among the texts",
        XLSX,
        lambda: patched(
            _formulas(),
            {
                "xl/sharedStrings.xml": lambda x: (
                    b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>' + x[x.find(b"<sst") :]
                )
            },
        ),
        None,
        says=[DAMAGED],
    ),
    Case(
        "a cell in the last row and column",
        XLSX,
        changed(
            SHEET1,
            lambda x: x.replace(
                b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
            ),
        ),
        None,
        says=["error:1048576 行 × 16384 列"],
    ),
    Case(
        "a reference before the first row",
        XLSX,
        changed(SHEET1, lambda x: x.replace(b'r="A2"', b'r="A0"')),
        None,
        says=[DAMAGED],
    ),
    Case(
        "a sheet that says it is huge",
        XLSX,
        changed(SHEET1, lambda x: x.replace(b'ref="A1:E3"', b'ref="A1:XFD1048576"')),
        2,
        GOOD,
    ),
    Case(
        "a merged range over everything",
        XLSX,
        changed(
            SHEET1,
            lambda x: x.replace(
                b"</sheetData>",
                b'</sheetData><mergeCells count="1"><mergeCell ref="G1:XFD1048576"/></mergeCells>',
            ),
        ),
        2,
        GOOD,
    ),
    Case(
        "elements nested a hundred thousand deep",
        XLSX,
        partial(_nested, 100_000),
        1,
        {"screenings": GOOD["screenings"][:1]},
    ),
    Case(
        "formulas, a dead link and DDE as text",
        XLSX,
        _formulas,
        3,
        {"screenings": ["S1 A 2026-10-01 3"]},
        {"screenings": ["S2 B 2026-10-02 #REF!", "=cmd|'/c calc'!A0 B 2026-10-02 4"]},
        says=["note:2 个单元格是公式", "error:#REF!", "error:=cmd|"],
    ),
    Case(
        "numbers that are none",
        XLSX,
        changed(SHEET1, lambda x: x.replace(b"<v>3</v>", b"<v>nan</v>").replace(b"<v>4</v>", b"<v>inf</v>")),
        2,
        {},
        {"screenings": ["S1 A 2026-10-01 #NUM!", "S2 B 2026-10-02 #NUM!"]},
        says=["error:#NUM!"],
    ),
    Case(
        "a formula never calculated",
        XLSX,
        screening(["S1", A, "2026-10-01", "走访", "=1+2"]),
        1,
        {},
        {"screenings": ["S1 A 2026-10-01 #公式未计算"]},
        says=["error:#公式未计算"],
    ),
    Case(
        "macros",
        "returns/石桥镇/石桥镇.xlsm",
        with_parts({"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0macro"}),
        2,
        GOOD,
        says=["warning:工作簿里有宏（VBA）"],
    ),
    Case(
        "links, connections and embedded objects",
        XLSX,
        with_parts(
            {
                "xl/externalLinks/externalLink1.xml": b"<externalLink><ddeLink/></externalLink>",
                "xl/connections.xml": b"<connections/>",
                "xl/embeddings/oleObject1.bin": b"x",
            }
        ),
        2,
        GOOD,
        says=["warning:工作簿里有外部链接、外部数据连接、嵌入的对象或控件"],
    ),
    Case(
        "dates from 1904",
        XLSX,
        changed(BOOK, lambda x: x.replace(b"<workbookPr", b'<workbookPr date1904="1"')),
        None,
        says=["error:使用 1904 日期系统"],
    ),
    Case("a workbook cut off", XLSX, lambda: screening(S1, S2)()[:-300], None, says=[DAMAGED]),
    Case(
        "a workbook without a list of sheets",
        XLSX,
        lambda: patched(screening(S1)(), {BOOK: None}),
        None,
        says=[DAMAGED],
    ),
    Case("garbage named xlsx", XLSX, lambda: b"not a workbook", None, says=["error:文件损坏或不是工作簿"]),
    Case("an empty file named xlsx", XLSX, lambda: b"", None, says=["error:文件损坏或不是工作簿"]),
    Case("a locked workbook", XLSX, _locked, None, says=["error:加密的工作簿"]),
    Case(
        "garbage behind the first bytes of an xls",
        "returns/a.xls",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 40,
        None,
        says=["error:文件损坏或不是 .xls 工作簿"],
    ),
    Case(
        "an xls that goes in a circle",
        "returns/a.xls",
        _circle,
        None,
        says=["error:文件损坏或不是 .xls 工作簿"],
    ),
    Case(
        "an xls cut off",
        "returns/a.xls",
        lambda: (KEPT / "township.xls").read_bytes()[:3000],
        None,
        says=["error:文件损坏或不是 .xls 工作簿"],
    ),
    Case(
        "a text of eighty thousand letters",
        XLSX,
        _shared_text,
        1,
        {},
        {"screenings": ["S1 A 2026-10-01 3"]},
        says=["error:走访很很"],
    ),
    # ------------------------------------------------------------ hostile CSV
    Case(
        "a line of a million cells",
        CSV,
        lambda: csv(HEADS, S1) + b"," * 1_000_000,
        None,
        says=["error:3 行 × 1000001 列"],
    ),
    Case(
        "a field of two million letters",
        CSV,
        lambda: csv(HEADS) + b"x" * 2_000_000,
        None,
        says=["error:不合规的 CSV"],
    ),
    Case("zero bytes", CSV, lambda: csv(HEADS, S1).replace(b"S1", b"S\0"), None, says=["error:不是文本"]),
    Case(
        "bytes of no encoding", CSV, lambda: csv(HEADS) + b"\xff\xfe\xff\x81", None, says=["error:不是文本"]
    ),
    Case(
        "a quote that never ends",
        CSV,
        lambda: csv(HEADS) + b'"S1,' + A.encode(),
        None,
        says=["error:不合规的 CSV"],
    ),
)
