"""Reads the sheets of returns: recognises each, accounts for its rows, and tells what was found."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from huanjie_lib.contracts import Table
from huanjie_lib.intake.blocks import parts_of
from huanjie_lib.intake.checks import Batch
from huanjie_lib.intake.guard import personal_heading
from huanjie_lib.intake.headings import Heading, normalise
from huanjie_lib.intake.mapping import Mappings, Survey
from huanjie_lib.intake.report import ColumnPlace, Issue, IssueLevel
from huanjie_lib.intake.sheets.doubts import numeric_codes, unheaded
from huanjie_lib.intake.sheets.lines import (
    converted_units,
    date_of_rows,
    empty_sheet,
    hidden_parts,
    mapped_columns,
    missing_columns,
    no_rows,
    personal_column,
    repeated_columns,
    several_tables,
    sheet_line,
    unknown_columns,
    unreadable_date,
)
from huanjie_lib.intake.sheets.recognising import Recogniser
from huanjie_lib.intake.sheets.records import Records
from huanjie_lib.intake.sheets.rows import Rows
from huanjie_lib.intake.sheets.targets import Header, Target, is_form, places_of
from huanjie_lib.intake.sheets.totals import totals_issues
from huanjie_lib.intake.workbook import Grid, cell_text
from huanjie_lib.parameters import Framework

__all__ = ["Reading", "SheetReader"]

_NO_DATA: Final = frozenset({"填表说明", "填报说明"})
_UNKNOWN_TABLE: Final = "认不出的表"
_INSTRUCTIONS: Final = "填表说明"


@dataclass(frozen=True)
class Reading:
    """What one sheet gave: rows of tables, what was found on the way, and rows of no table by reason.

    ``places`` tell where the columns of the tables stand.
    """

    batches: tuple[Batch, ...] = ()
    issues: tuple[Issue, ...] = ()
    passed_by: Mapping[str, int] = field(default_factory=dict)
    places: tuple[ColumnPlace, ...] = ()


class SheetReader:
    """Reads the sheets of returns.

    Parameters
    ----------
    framework
        Declares the metrics that may head the columns of the wide sheet.
    as_of
        Date of returns that don't state one; ``None`` when every return must.
    mappings
        What persons have said headings mean that mean nothing by themselves.
    """

    def __init__(
        self, framework: Framework, *, as_of: dt.date | None = None, mappings: Mappings | None = None
    ) -> None:
        self._recogniser = Recogniser(framework, as_of=as_of, mappings=mappings or Mappings())

    @property
    def targets(self) -> tuple[Target, ...]:
        """What a sheet may be by a mapping: anything but a register form, whose headings are fixed."""
        return tuple(t for t in self._recogniser.targets if not is_form(t.main))

    def survey(self, grid: Grid, *, name: str) -> Survey | None:
        """Return the headings of a sheet that mean nothing by themselves or by a mapping, with their cells.

        A sheet that is not recognised is taken for what most of its headings are spelt like. ``None`` where
        no heading is unknown, and for register forms and sheets that are like nothing.
        """
        named, mapping = self._recogniser.said(grid, name)
        if normalise(name) in _NO_DATA or not any(cell_text(c).strip() for row in grid.rows for c in row):
            return None
        header = self._recogniser.header(grid, named, mapping) or self._recogniser.likeliest(
            grid, named or self.targets
        )
        if header is None or is_form(header.target.main):
            return None
        unknown_to_all = (c for c in header.texts if self._recogniser.is_unknown(header, c))
        columns = [c for c in unknown_to_all if personal_heading(normalise(header.texts[c])) is None]
        every = replace(header, found={**header.found, **dict.fromkeys(columns, Heading(""))})
        sheet = Rows(grid, every)
        unknown = tuple((header.texts[c], tuple(sheet.text(r, c) for r in sheet.data)) for c in columns)
        if not unknown:
            return None
        return Survey(grid.file, name, header.target, frozenset(header.names), unknown)

    def read(self, grid: Grid, *, name: str) -> Reading:
        """Read one sheet.

        Parameters
        ----------
        grid
            The sheet.
        name
            Sheet name, or the file name of a CSV file, by which the sheet may be recognised.
        """
        if normalise(name) in _NO_DATA:
            return Reading(passed_by=_filled(grid, _INSTRUCTIONS))
        parts = parts_of(grid, self._recogniser.is_heading, self._recogniser.is_key)
        readings = [self._read(part, name, number) for number, part in enumerate(parts)]
        if len(parts) == 1:
            return readings[0]
        issues = [i for reading in readings for i in reading.issues]
        issues.append(several_tables(grid, len(parts)))
        passed_by: Counter[str] = Counter()
        for reading in readings:
            passed_by.update(reading.passed_by)
        batches = tuple(b for r in readings for b in r.batches)
        return Reading(batches, tuple(issues), passed_by, tuple(p for r in readings for p in r.places))

    def _read(self, grid: Grid, name: str, number: int) -> Reading:
        """Read one table; ``number`` counts those of the sheet from 0."""
        title = next((t for row in grid.rows[grid.top :] for c in row if (t := cell_text(c).strip())), "")
        named, mapping = self._recogniser.said(grid, name) if number == 0 else ((), None)
        if number:
            named = self._recogniser.named(title)
        if not title:
            return Reading(issues=(empty_sheet(grid, named),))
        header = self._recogniser.header(grid, named, mapping)
        if header is None:
            return self._unrecognised(grid, named)
        target = header.target
        issues = hidden_parts(grid, target)
        issues += self._other_columns(grid, header) + mapped_columns(grid, header)
        issues += converted_units(grid, header)
        refused = missing_columns(grid, header, self._recogniser.missing(header))
        refused += repeated_columns(grid, header)
        as_of = None
        if "as_of" in target.columns and "as_of" not in header.names:
            as_of = self._recogniser.date_of(header)
            if as_of is not None:
                issues.append(date_of_rows(grid, header, as_of))
            elif header.filed is not None:
                refused.append(unreadable_date(grid, header))
        sheet = Rows(grid, header)
        if not sheet.data:
            issues.append(no_rows(grid, header))
        issues += totals_issues(sheet)
        issues += numeric_codes(sheet)
        issues += unheaded(sheet)
        batches = tuple(Records(sheet, as_of, tuple(refused)).batches())
        return Reading(batches, tuple(issues), places=tuple(places_of(grid, header)))

    def _unrecognised(self, grid: Grid, named: tuple[Target, ...]) -> Reading:
        if named:
            line = sheet_line(
                grid,
                named[0],
                IssueLevel.ERROR,
                found="前几行里没有认得的列标题",
                allowed="、".join(named[0].columns[n].label for n in named[0].required),
                remedy="按报送模板补上列标题行后重报",
            )
            return Reading(batches=(_whole_sheet(grid, named[0].main, line),))
        words = "、".join(dict.fromkeys(t.words[0] for t in self._recogniser.targets))
        line = Issue(
            IssueLevel.WARNING,
            found=f"认不出的表（{len(grid.rows)} 行）",
            allowed=f"名称含以下之一的工作表或文件：{words}",
            remedy="改正工作表名称和列标题；不需要报送的可以删除",
            file=grid.file,
            sheet=grid.sheet,
        )
        return Reading(issues=(line,), passed_by=_filled(grid, _UNKNOWN_TABLE))

    def _other_columns(self, grid: Grid, header: Header) -> list[Issue]:
        issues, unknown = [], []
        for column, text in header.texts.items():
            if not self._recogniser.is_unknown(header, column):
                continue
            kind = personal_heading(normalise(text))
            if kind is not None:
                issues.append(personal_column(kind, grid.file, grid.sheet, header.target.main))
            else:
                unknown.append(header.title(column))
        if unknown:
            issues.append(unknown_columns(unknown, grid.file, grid.sheet, header.target.main))
        return issues


def _filled(grid: Grid, reason: str) -> dict[str, int]:
    """Return how many rows of a sheet hold anything."""
    count = sum(any(cell_text(c).strip() for c in row) for row in grid.rows)
    return {reason: count} if count else {}


def _whole_sheet(grid: Grid, contract: Table, issue: Issue) -> Batch:
    """Account for the rows of a sheet none of whose headings was understood."""
    rows = [n + 1 for n, row in enumerate(grid.rows) if any(cell_text(c).strip() for c in row)]
    raw = pl.DataFrame({"_": [""] * len(rows)}, schema={"_": pl.String})
    return Batch(contract, grid.file, grid.sheet, raw, pl.Series(rows, dtype=pl.Int64), refused=(issue,))
