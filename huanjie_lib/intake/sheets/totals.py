"""Totals rows compared with the sums of the rows that they cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from huanjie_lib.contracts import Column
from huanjie_lib.intake.report import Issue, IssueLevel
from huanjie_lib.intake.sheets.lines import sheet_line
from huanjie_lib.intake.sheets.rows import OF_PARTS, Rows
from huanjie_lib.intake.values import parse
from huanjie_lib.intake.workbook import cell_text

__all__ = ["totals_issues"]

_NOT_SUMMED: Final = frozenset({"%", "‰", "比例", "分", "岁"})


def totals_issues(sheet: Rows) -> list[Issue]:
    """Return the lines for totals rows that differ from the sums of the rows they cover."""
    numeric = [
        c for c in sheet.numeric if sheet.target.columns[sheet.header.found[c].name].unit not in _NOT_SUMMED
    ]
    if not sheet.totals or not numeric:
        return []
    rows = [*sheet.data, *(row for row, _, _ in sheet.totals)]
    cells = pl.Series([sheet.alone(r, c) for c in numeric for r in rows], dtype=pl.String)
    read = parse(cells, Column("value", "number", "数值"))
    values = read.values.to_numpy().reshape(len(numeric), len(rows))
    flawed = (read.flaws > 0).to_numpy().reshape(len(numeric), len(rows))
    issues = []
    for number, (row, word, spans) in enumerate(_covered(sheet)):
        for position, column in enumerate(numeric):
            stated = float(values[position, len(sheet.data) + number])
            if np.isnan(stated) or any(flawed[position, span].any() for span in spans):
                continue  # nothing stated, or cells that are reported already
            sums = [float(np.nansum(values[position, span])) for span in spans]
            total = min(sums, key=lambda s: abs(stated - s))
            if abs(stated - total) <= _tolerance(sheet.texts[row][column], total):
                continue
            issues.append(
                sheet_line(
                    sheet.grid,
                    sheet.target,
                    IssueLevel.WARNING,
                    found=f"{word} {cell_text(round(stated, 6))}",
                    allowed=f"与各行之和相等（{cell_text(round(sums[0], 6))}）",
                    remedy="核对各行和合计，改正后重报；合计行不作为数据",
                    row=row + 1,
                    column=sheet.target.columns[sheet.header.found[column].name],
                )
            )
    return issues


def _covered(sheet: Rows) -> Iterator[tuple[int, str, list[slice]]]:
    """Yield each totals row, its word, and which data rows it may be the sum of.

    The total of a part covers the rows since the last totals row or, where the first of them stands over
    its rows, those down to the next. That of a part with a name (石桥镇合计) may be the total of all.
    """
    at = [sum(r < row for r in sheet.data) for row, _, _ in sheet.totals]
    parts = [number for number, (_, _, is_part) in enumerate(sheet.totals) if is_part]
    above = bool(parts) and at[parts[0]] == 0 and bool(sheet.data)
    for number, (row, word, is_part) in enumerate(sheet.totals):
        whole = slice(0, at[number] or len(sheet.data))  # a total over the rows covers them all
        if not is_part:
            yield row, word, [whole]
            continue
        start, stop = (at[number - 1] if number else 0), at[number]
        if above:
            start, stop = at[number], (at[number + 1] if number + 1 < len(at) else len(sheet.data))
        yield row, word, [slice(start, stop), *([whole] if word != OF_PARTS else [])]


def _tolerance(written: str, total: float) -> float:
    """Return how far a total may lie from the sum: half of its last decimal place."""
    decimals = len(written.strip().rpartition(".")[2]) if "." in written else 0
    return (0.5 * 10.0**-decimals if decimals else 1e-6) + 1e-9 * abs(total)
