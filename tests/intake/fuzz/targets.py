"""What is fuzzed: bytes of a file in, rows of tables out, nothing but refusals of the file on the way.

The first byte of an input tells what the others are: a CSV file, an .xls file, cells of a sheet by their
number in a list of awkward ones, or one part of an .xlsx workbook (a ZIP whose checksums would stop nearly
every change of a whole file). What is read goes on through headings and checks, where no row may be lost.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.intake.checks import Batch, Context, check
from huanjie_lib.intake.report import REGISTER
from huanjie_lib.intake.sheets import SheetReader
from huanjie_lib.intake.workbook import Book, Cell, Grid, read_csv_grid, read_workbook
from huanjie_lib.parameters import load_parameters
from tests.intake.corpus.builder import parts, patched
from tests.intake.corpus.cases import CASES, UNITS

__all__ = ["KINDS", "run", "seeds"]

PARTS: Final = (
    "xl/worksheets/sheet1.xml",
    "xl/workbook.xml",
    "xl/styles.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/sharedStrings.xml",
)
KINDS: Final = ("csv", "xls", *PARTS, "cells")
"""What an input is, by its first byte."""

LONGEST: Final = 2**12

WORDS: Final[tuple[Cell, ...]] = (
    *(
        "序号",
        "村(社区)名称",
        "统计用区划代码",
        "摸排编号",
        "摸排日期",
        "摸排方式",
        "走访户数",
        "书记带队",
        "备注",
    ),
    *(
        "户籍人口(人)",
        "总户数",
        "集体经济年收入(万元)",
        "截至日期",
        "联系人姓名",
        "审计项目编号",
        "审计类型",
        "审计事项",
    ),
    *(
        "审计结论",
        "涉及金额(元)",
        "受理日期",
        "线索类别",
        "件数",
        "填报日期：2026年10月31日",
        "石桥镇矛盾摸排台账",
    ),
    *(
        "合计",
        "小 计",
        "总计（2个村）",
        "填表人：",
        "注：无",
        "走访",
        "拉票贿选",
        "任中审计",
        "财务收支",
        "清楚",
        "是",
        "√",
    ),
    *("×", "无", "/", "—", "", None, "上云村", "S1", "P-1", *UNITS.values(), 990101101201.0, "9.9E+11", "'5"),
    *(
        '="6"',
        "１，２００",
        "1,2",
        "85%",
        0.85,
        300,
        -1,
        1e300,
        float("nan"),
        float("inf"),
        True,
        "2026年10月3日",
    ),
    *(
        "1985.06",
        46298,
        46298.5,
        dt.date(2026, 10, 3),
        dt.datetime(1800, 1, 1, 5),
        "2026-13-40",
        "#REF!",
        "\ufeff",
    ),
    *("=cmd|'/c calc'!A0", "\x00", "𠮷", "人" * 300, "1" * 400),
)
"""Cells for sheets made of bytes; a byte beyond the list ends the row."""
_PARAMETERS = load_parameters()
_READER = SheetReader(_PARAMETERS.framework)
_UNITS = {("units", "unit_code"): pl.Series(list(UNITS.values())[:3])}
_CONTEXT = Context(
    _PARAMETERS.framework.metrics,
    _UNITS,
    {UNITS["old"]: UNITS["A"]},
    {},
    {UNITS["A"]: "上云村", UNITS["B"]: "柳湾村"},
)
_BOOK = next(c for c in CASES if c.name.startswith("formulas,")).content()
_FOLDER = Path(tempfile.mkdtemp(prefix="huanjie-fuzz-"))


def run(data: bytes) -> None:
    """Read one input; whatever is raised is a find."""
    if not data:
        return
    kind, content = KINDS[data[0] % len(KINDS)], data[1:]
    if kind == "cells":
        consume(Book((sheet(content),)), checked=True)
        return
    name = {"csv": "石桥镇_矛盾摸排.csv", "xls": "a.xls"}.get(kind, "a.xlsx")
    path = _FOLDER / name
    path.write_bytes(content if kind in {"csv", "xls"} else patched(_BOOK, {kind: content}))
    try:
        book = Book((read_csv_grid(path, name),)) if kind == "csv" else read_workbook(path, name)
    except (DataError, UsageError) as refused:
        faults = refused.faults
    else:
        consume(book, checked=kind == "csv")
        return
    assert faults
    assert all(f.where and f.found and f.allowed and f.remedy for f in faults)


def sheet(content: bytes) -> Grid:
    """Return a sheet of :data:`WORDS`; its first byte gives the name and the merged cells."""
    names = ("基本情况", "矛盾摸排", "审计台账", "草稿", "线索举报")
    first, rows = content[0] if content else 0, [[]]
    for byte in content[1:200]:
        if byte < len(WORDS):
            rows[-1].append(WORDS[byte])
        else:
            rows.append([])
    width = max(map(len, rows))
    cells = [[*row, *[None] * (width - len(row))] for row in rows]
    anchors = {}
    if first >= 128 and len(cells) > 3 and width > 1:
        anchors = {(1, 1): (1, 0), (2, 0): (1, 0), (2, 1): (1, 0)}
    return Grid("returns/a.xlsx", names[first % len(names)], cells, anchors)


def consume(book: Book, *, checked: bool) -> None:
    """Take sheets through headings and, where ``checked``, through checks, and account for their rows."""
    batches: dict[str, list[Batch]] = {}
    for grid in book.grids:
        reading = _READER.read(grid, name=grid.sheet or "矛盾摸排")
        for batch in reading.batches:
            batches.setdefault(batch.table.name, []).append(batch)
            assert batch.rows.is_between(1, len(grid.rows)).all()
    for name, mine in batches.items():
        if name == REGISTER or not checked:
            continue
        done = check(mine[0].table, mine, _CONTEXT)
        read = sum(b.raw.height + sum(b.dropped.values()) for b in mine)
        counts = done.counts
        assert sum(int(c["read"]) for c in counts) == read
        for count in counts:
            assert count["read"] == sum(int(count[k]) for k in ("loaded", "quarantined", "dropped"))
            assert min(int(count[k]) for k in ("read", "loaded", "quarantined", "dropped")) >= 0
        assert done.rows.height == sum(int(c["loaded"]) for c in counts)
        assert done.quarantine.height == sum(int(c["quarantined"]) for c in counts)


def seeds() -> Iterator[bytes]:
    """Return the corpus as inputs: its files, the parts of its workbooks, and sheets of words."""
    end = len(WORDS)
    for head in ([2, 3, 4, 5, 6], [2, 9, 10], [14, 2, 15, 16, 17, 18], [2, 19, 20, 21]):
        for number in range(5):
            yield bytes(
                [len(KINDS) - 1, number, *head, end, 43, 44, 45, 46, 47, end, *range(24, 60), end, *head, end]
            )
    for case in CASES:
        content = case.content()
        if case.file.lower().endswith(".csv"):
            yield bytes([0]) + content[:LONGEST]
        elif content.startswith(b"\xd0\xcf\x11\xe0"):
            yield bytes([1]) + content[:LONGEST]
        elif content.startswith(b"PK") and not case.name.startswith(
            ("a workbook cut", "zip bomb", "thousands")
        ):
            held = parts(content)
            for number, name in enumerate(PARTS, start=2):
                if name in held:
                    yield bytes([number]) + held[name][:LONGEST]
