"""From the data rows of a sheet to rows of its tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from huanjie_lib.contracts import Table
from huanjie_lib.intake.checks import Batch
from huanjie_lib.intake.report import Issue
from huanjie_lib.intake.sheets.doubts import merged_numbers, overlong
from huanjie_lib.intake.sheets.lines import clashing_unit
from huanjie_lib.intake.sheets.rows import Rows
from huanjie_lib.intake.sheets.targets import METRIC
from huanjie_lib.intake.values import is_void

__all__ = ["Records"]

_CONTINUED: Final = "同一项目的续行"
_BLANK_CELL: Final = "空白单元格"


class Records:
    """The rows of a sheet as rows of its tables.

    Parameters
    ----------
    sheet
        The rows.
    as_of
        Date of all rows where no column tells it; ``None`` where there is none.
    refused
        What is wrong with the whole sheet.
    """

    def __init__(self, sheet: Rows, as_of: dt.date | None, refused: tuple[Issue, ...]) -> None:
        self._sheet, self._as_of, self._refused = sheet, as_of, refused
        self._doubts = {**merged_numbers(sheet), **overlong(sheet)}

    def batches(self) -> list[Batch]:
        """Return the rows of the sheet for each of its tables."""
        sheet = self._sheet
        if sheet.target.wide:
            return self._wide()
        columns = self._columns()
        if len(sheet.target.tables) == 1:
            return [self._batch(sheet.target.tables[0], columns, sheet.data, dict(sheet.dropped))]
        return self._projects(columns)

    def _columns(self) -> dict[str, list[str]]:
        """Return the texts of the data rows by contract column, project cells filled down."""
        sheet = self._sheet
        columns = {
            h.name: [sheet.text(r, c) for r in sheet.data]
            for c, h in sheet.header.found.items()
            if not h.clash
        }
        if len(sheet.target.tables) == 2 and "project_id" in columns:
            own = [n for n in columns if n in {c.name for c in sheet.target.tables[0].columns}]
            for position in range(1, len(sheet.data)):
                if not columns["project_id"][position].strip():
                    for name in own:
                        columns[name][position] = columns[name][position - 1]
        if "as_of" in sheet.target.columns and "as_of" not in columns and self._as_of is not None:
            columns["as_of"] = [self._as_of.isoformat()] * len(sheet.data)
        return columns

    def _names(self, rows: Sequence[int]) -> pl.Series | None:
        sheet = self._sheet
        column = sheet.header.name_column
        if column is None:
            return None
        return pl.Series([sheet.text(r, column).strip() for r in rows], dtype=pl.String)

    def _batch(
        self,
        contract: Table,
        columns: Mapping[str, Sequence[str]],
        rows: Sequence[int],
        dropped: Mapping[str, int],
    ) -> Batch:
        sheet = self._sheet
        names = [c.name for c in contract.all_columns if c.name in columns]
        raw = pl.DataFrame({n: columns[n] for n in names}, schema=dict.fromkeys(names, pl.String))
        if not names:
            raw = pl.DataFrame({"_": [""] * len(rows)}, schema={"_": pl.String})
        scales = {h.name: h.scale for h in sheet.header.found.values() if h.scale != 1.0}
        return Batch(
            contract,
            sheet.grid.file,
            sheet.grid.sheet,
            raw,
            pl.Series([r + 1 for r in rows], dtype=pl.Int64),
            scales=scales,
            dropped=dropped,
            names=self._names(rows),
            refused=self._refused,
            faults=self._faults(rows, contract),
        )

    def _projects(self, columns: dict[str, list[str]]) -> list[Batch]:
        """Split a ledger into projects and their items; the rows of one project repeat its cells."""
        sheet = self._sheet
        projects, items = sheet.target.tables
        own = [n for n in columns if n in {c.name for c in projects.columns}]
        cells = list(zip(*(columns[n] for n in own), strict=True)) if own else [()] * len(sheet.data)
        fresh = [n for n in range(len(sheet.data)) if n == 0 or cells[n] != cells[n - 1]]
        dropped = dict(sheet.dropped)
        if len(sheet.data) > len(fresh):
            dropped[_CONTINUED] = len(sheet.data) - len(fresh)
        first = {n: [texts[i] for i in fresh] for n, texts in columns.items()}
        return [
            self._batch(projects, first, [sheet.data[i] for i in fresh], dropped),
            self._batch(items, columns, sheet.data, dict(sheet.dropped)),
        ]

    def _wide(self) -> list[Batch]:
        """Turn the wide sheet into one record a filled-in cell."""
        sheet = self._sheet
        columns = self._columns()
        metrics = {c: h for c, h in sheet.header.found.items() if h.name.startswith(METRIC)}
        facts = sheet.target.main
        if not metrics:
            return [self._batch(facts, columns, sheet.data, dict(sheet.dropped))]
        texts = {c: [sheet.text(r, c) for r in sheet.data] for c in metrics}
        void = {c: [is_void(t) for t in cells] for c, cells in texts.items()}
        dropped = {reason: n * len(metrics) for reason, n in sheet.dropped.items()}
        blank = sum(sum(cells) for cells in void.values())
        if blank:
            dropped[_BLANK_CELL] = blank
        batches = []
        good = [c for c, h in metrics.items() if not h.clash]
        for chosen in (good, *([c] for c, h in metrics.items() if h.clash)):
            cells = [(p, c) for p in range(len(sheet.data)) for c in chosen if not void[c][p]]
            lists: dict[str, list[str]] = {
                name: [columns[name][p] for p, _ in cells]
                for name in ("unit_code", "as_of")
                if name in columns
            }
            lists["metric"] = [metrics[c].name.removeprefix(METRIC) for _, c in cells]
            lists["value"] = [texts[c][p] for p, c in cells]
            rows = [sheet.data[p] for p, _ in cells]
            clash = () if chosen is good else (clashing_unit(sheet.grid, sheet.header, chosen[0]),)
            batches.append(
                Batch(
                    facts,
                    sheet.grid.file,
                    sheet.grid.sheet,
                    pl.DataFrame(lists, schema=dict.fromkeys(lists, pl.String)),
                    pl.Series([r + 1 for r in rows], dtype=pl.Int64),
                    scales={"value": pl.Series([metrics[c].scale for _, c in cells], dtype=pl.Float64)},
                    dropped=dropped if chosen is good else {},
                    unit="单元格",
                    names=self._names(rows),
                    refused=(*self._refused, *clash),
                    faults=self._faults_of_cells(cells),
                )
            )
        return batches

    def _faults(self, rows: Sequence[int], contract: Table) -> dict[int, Issue]:
        """Return what is doubtful in rows of a table, by their place."""
        if not self._doubts:
            return {}
        of_row: dict[int, Issue] = {}
        for (row, column), issue in self._doubts.items():
            if column is None or self._sheet.header.found[column].name in contract.names:
                of_row.setdefault(row, issue)
        return {place: of_row[row] for place, row in enumerate(rows) if row in of_row}

    def _faults_of_cells(self, cells: Sequence[tuple[int, int]]) -> dict[int, Issue]:
        """Return what is doubtful in cells, given by place of their row and column, by their place."""
        if not self._doubts:
            return {}
        found = {}
        for place, (position, column) in enumerate(cells):
            row = self._sheet.data[position]
            issue = self._doubts.get((row, column)) or self._doubts.get((row, None))
            if issue is not None:
                found[place] = issue
        return found
