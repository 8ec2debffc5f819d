"""The rows of a sheet below its headings, told apart by kind: data, totals, and rows of no table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from huanjie_lib.intake.headings import normalise
from huanjie_lib.intake.sheets.targets import TELLING, Header
from huanjie_lib.intake.workbook import Grid, cell_text

__all__ = ["BLANK_ROW", "OF_PARTS", "Rows"]

_TOTALS = re.compile(
    r"(?:[全本][村社镇乡街区县市页]?|[镇乡街道县区市]{1,2})?(?P<word>合计|总计|小计|共计|总和|累计)数?(?:\(.{0,12}\))?:?"
)
_NAMED_TOTALS = re.compile(r"[^合总小共]{1,12}?(?P<word>合计|总计|小计|共计)(?:\(.{0,12}\))?:?")
OF_PARTS: Final = "小计"
"""Word of a total that is never the total of all."""
_SIGNING = (
    *("填表人", "填报人", "制表人", "审核人", "复核人", "经办人", "统计人", "录入人", "报送人", "联系人"),
    *("负责人", "单位负责人", "主要负责人", "分管负责人", "分管领导", "主管领导", "党委书记", "镇长"),
    *("联系电话", "电话", "签字", "签名", "单位盖章", "单位(盖章)", "(盖章)", "盖章", "填报时间", "制表时间"),
)
_REMARK = re.compile(
    r"[*※★☆●■]|\(?[0-9]{1,2}[.、)](?![0-9])|以上|本表|注[0-9]?[.:]|[0-9〇零○一二三四五六七八九]{4}年.{1,3}月.{1,3}日$"
)
"""How a row that holds one text and nothing else begins where it is no data: under the table, as a rule."""
_PAGE = re.compile(r"第?[0-9]+页?[,，/]?共[0-9]+页|第[0-9]+页|-[0-9]+-|[0-9]+/[0-9]+页?")
_SECTION = re.compile(r"\(?[一二三四五六七八九十]{1,3}[)、.]|第[一二三四五六七八九十]{1,3}[片组区类部]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
_REMARKS = ("注:", "备注:", "说明:", "填表说明", "填报说明")

BLANK_ROW: Final = "空白行"
TOTALS_ROW: Final = "合计行"
SIGNING_ROW: Final = "签字或说明行"
REPEATED_HEADING: Final = "重复的表头"
SECTION_ROW: Final = "分组标题行"
NUMBERING_ROW: Final = "栏次行"
PAGE_ROW: Final = "页码行"
UNFILLED_ROW: Final = "只有序号或名称的行"


class Rows:
    """The rows of a sheet below its headings, told apart by kind.

    Attributes
    ----------
    grid, header, target
        The sheet, its heading rows, and what it is.
    data
        Numbers of the rows that are data.
    totals
        Number, word and whether it is the total of a part, of each totals row.
    dropped
        How many rows are no data, by reason.
    texts
        Texts of all cells, by row and column.
    numeric
        Columns of numbers.
    """

    def __init__(self, grid: Grid, header: Header) -> None:
        self.grid, self.header, self.target = grid, header, header.target
        self.data: list[int] = []
        self.totals: list[tuple[int, str, bool]] = []
        self.dropped: Counter[str] = Counter()
        top, width = grid.top, len(grid.rows[header.top])
        self.texts = [[""] * width] * top + [[cell_text(c) for c in row] for row in grid.rows[top:]]
        self._code = header.column_of("unit_code")
        self._heads = {c: normalise(t.rpartition("/")[2]) for c, t in header.texts.items()}
        self._under_remarks = False
        self._sort_rows()
        kinds = {c: self.target.columns[h.name].kind for c, h in header.found.items() if h.name}
        self.numeric = [c for c, kind in kinds.items() if kind in {"integer", "number"}]

    def _sort_rows(self) -> None:
        filled = [n for n, row in enumerate(self.texts) if any(t.strip() for t in row)]
        for row in range(self.header.bottom + 1, filled[-1] + 1):
            reason = self._reason(row)
            if reason is None:
                self.data.append(row)
                continue
            self.dropped[reason] += 1
            self._under_remarks |= reason == SIGNING_ROW
            if reason == TOTALS_ROW:
                match = next(m for t in self.texts[row] if (m := _total_word(normalise(t))) is not None)
                is_part = match.re is _NAMED_TOTALS or match["word"] == OF_PARTS
                self.totals.append((row, match["word"], is_part))

    def text(self, row: int, column: int) -> str:
        """Return a data cell; a cell merged downwards has the text of its first cell."""
        first_row, first_column = self.grid.anchors.get((row, column), (row, column))
        if first_column != column or first_row <= self.header.bottom:
            return self.texts[row][column]
        return self.texts[first_row][column]

    def _reason(self, row: int) -> str | None:
        """Return why a row is no data, or ``None`` when it is."""
        cells = [(c, t) for c, t in enumerate(self.texts[row]) if t.strip()]
        if not cells:
            return BLANK_ROW
        leading = [normalise(t) for _, t in cells[:3]]
        code = "" if self._code is None else self.texts[row][self._code]
        if not any(c.isdigit() for c in code):
            if any(_total_word(t) is not None for t in leading):
                return TOTALS_ROW
            if leading[0].startswith((*_SIGNING, *_REMARKS)):
                return SIGNING_ROW
            if len(cells) == 1 and (reason := self._lone_text(leading[0])) is not None:
                return reason
        if row == self.header.bottom + 1 and self._is_numbering(cells):
            return NUMBERING_ROW
        if len(cells) > 1 and all(self._heads.get(c) == normalise(t) for c, t in cells):
            return REPEATED_HEADING
        if not any(self.text(row, c).strip() for c in self.header.found):
            return UNFILLED_ROW
        return None

    def _lone_text(self, text: str) -> str | None:
        """Return why a row that holds one text, and no code, is no data."""
        if _PAGE.fullmatch(text):
            return PAGE_ROW
        if _SECTION.match(text):
            return SECTION_ROW
        if _REMARK.match(text) or (self._under_remarks and _HAN.search(text)):
            return SIGNING_ROW
        return None

    def _is_numbering(self, cells: Sequence[tuple[int, str]]) -> bool:
        """Whether a row numbers the columns, as statistical tables do: 甲 乙 1 2, or (1) (2) (3)."""
        texts = [normalise(t).strip("()（）栏") for _, t in cells]
        stems = [t for t in texts if t in _STEMS]
        numbers = texts[len(stems) :]
        if stems != list(_STEMS[: len(stems)]) or len(texts) < min(TELLING, len(self.header.texts)):
            return False
        whole = len(stems) > 0 or len(texts) == len(self.header.texts)
        return whole and numbers == [str(n) for n in range(1, len(numbers) + 1)]

    def alone(self, row: int, column: int) -> str:
        """Return a cell, empty where it is covered by a merged range, so that a number counts once."""
        return (
            ""
            if self.grid.anchors.get((row, column), (row, column)) != (row, column)
            else self.texts[row][column]
        )


def _total_word(text: str) -> re.Match[str] | None:
    """Return what makes a text the name of a totals row."""
    return _TOTALS.fullmatch(text) or _NAMED_TOTALS.fullmatch(text)
