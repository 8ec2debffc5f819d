"""Several tables on one sheet, one under the other or side by side, as sheets of their own.

Only rows of headings part tables: a row most of whose cells are headings that are known, so that a row of
data is never taken for one. Each part keeps its rows and columns at their places in the sheet, and is blank
elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from huanjie_lib.intake.headings import normalise
from huanjie_lib.intake.workbook import Cell, Grid, cell_text

__all__ = ["parts_of"]

_TELLING: Final = 3
_LONGEST: Final = 40
_MOST: Final = 200
_NO_TITLE: Final = ("填表人", "制表人", "审核人", "负责人", "签字", "签名", "盖章", "注:", "备注:", "说明:")
Test = Callable[[str], bool]


def parts_of(grid: Grid, is_heading: Test, is_key: Test) -> list[Grid]:
    """Return the tables of a sheet, from top to bottom and from left to right.

    Parameters
    ----------
    grid
        The sheet.
    is_heading
        Whether a text is a heading of some table.
    is_key
        Whether a heading names the unit that a row is about. Tables stand side by side only where each has
        such a column; else a blank column is part of one table.

    Returns
    -------
    list of Grid
        The sheet itself where it holds one table.

    Notes
    -----
    The headings of the table above that are repeated with no title over them, as on printed pages, begin no
    table, nor do lower rows of headings that a merged cell ties to those above. The rows right above headings
    that are blank or hold one text are the title of their table. Of more tables than a clerk would ever put
    on a sheet (200) none is parted from the others: their headings are rows of the first.
    """
    rows = {n for n in range(len(grid.rows)) if _is_heading_row(grid.rows[n], is_heading)}
    tops = [n for n in sorted(rows) if n - 1 not in rows]
    tied: dict[int, int] = {}  # row → first row of a merged cell that reaches down to it
    for (row, _), (first_row, _) in grid.anchors.items():
        tied[row] = min(first_row, tied.get(row, row))
    starts: list[tuple[int, int]] = []  # first row of a part, its row of headings
    for top in tops:
        if starts and tied.get(top, top) <= starts[-1][1]:
            continue
        first = _title(grid, top, starts[-1][1] + 1) if starts else 0
        titled = any(_texts(row) for row in grid.rows[first:top])
        if starts and not titled and _texts(grid.rows[top]) == _texts(grid.rows[starts[-1][1]]):
            continue
        starts.append((first, top))
    if len(starts) > _MOST:
        return [grid]
    parts = []
    for number, (first, top) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else len(grid.rows)
        spans = _side_by_side(grid, top, end, is_heading, is_key)
        parts += [_part(grid, first, top, end, span) for span in spans]
    if len(parts) < 2:
        return [grid]
    rest = [replace(p, hidden_rows=0, formulas=0, struck=0, hidden_columns=()) for p in parts[1:]]
    return [parts[0], *rest]  # what is told of a sheet is told once


def _texts(row: Sequence[Cell]) -> list[str]:
    return [t for cell in row if (t := normalise(cell_text(cell)))]


def _is_heading_row(row: Sequence[Cell], is_heading: Test) -> bool:
    texts = [c.strip() for c in row if isinstance(c, str) and c.strip()]
    filled = sum(c is not None and c != "" for c in row)
    if len(texts) < _TELLING or 5 * len(texts) < 4 * filled:
        return False
    if not any(is_heading(t) for t in texts[:_TELLING]):
        return False
    known = sum(len(t) <= _LONGEST and is_heading(t) for t in texts)
    return known >= _TELLING and 5 * known >= 3 * filled


def _title(grid: Grid, top: int, above: int) -> int:
    """Return the first row of the title over the headings in row ``top``."""
    first = top
    for row in range(top - 1, above - 1, -1):
        texts = _texts(grid.rows[row])
        filing = any(t.startswith(("填报单位", "填报日期")) for t in texts)
        if texts and not filing and not _is_title(texts):
            break
        first = row if texts else first
    return first


def _is_title(texts: Sequence[str]) -> bool:
    return len(texts) == 1 and not texts[0].startswith(_NO_TITLE) and any(map(str.isalpha, texts[0]))


def _side_by_side(grid: Grid, top: int, end: int, is_heading: Test, is_key: Test) -> list[tuple[int, int]]:
    """Return first and last column + 1 of each table of a part."""
    heads = [cell_text(c).strip() for c in grid.rows[top]]
    width = len(heads)
    blank = [all(cell_text(row[c]).strip() == "" for row in grid.rows[top:end]) for c in range(width)]
    spans = list(_runs(blank))
    if len(spans) == 1:
        (left, right) = spans[0]
        names = [normalise(h) for h in heads[left:right]]
        for times in (2, 3, 4):
            size, over = divmod(len(names), times)
            if not over and size >= _TELLING and names == names[:size] * times:
                spans = [(left + n * size, left + (n + 1) * size) for n in range(times)]
                break
    whole = [
        sum(is_heading(h) for h in heads[a:b] if h) >= _TELLING and any(is_key(h) for h in heads[a:b] if h)
        for a, b in spans
    ]
    return spans if len(spans) > 1 and all(whole) else [(0, width)]


def _runs(blank: Sequence[bool]) -> Iterator[tuple[int, int]]:
    start = None
    for column, is_blank in enumerate([*blank, True]):
        if is_blank and start is not None:
            yield start, column
            start = None
        elif not is_blank and start is None:
            start = column


def _part(grid: Grid, first: int, top: int, end: int, span: tuple[int, int]) -> Grid:
    """Return the sheet with everything blank but one part; its title is kept whole."""
    left, right = span
    width = len(grid.rows[top])
    empty: list[Cell] = [None] * width
    rows: list[Sequence[Cell]] = [empty] * end
    for row in range(first, end):
        cells = grid.rows[row]
        whole = row < top or (left, right) == (0, width)
        rows[row] = cells if whole else [*empty[:left], *cells[left:right], *empty[right:]]
    return replace(grid, rows=rows, top=first)
