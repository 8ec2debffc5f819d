"""From the sheets that clerks fill in to rows of contract tables.

A sheet is recognised by its name and its headings; title and filing rows above, totals and signing rows below
are told apart from data and accounted for. A wide sheet, with one column a metric, becomes one record a cell;
a ledger with merged project cells becomes a table of projects and a table of their items.
"""

from __future__ import annotations

from huanjie_lib.intake.sheets.lines import personal_column, unknown_columns
from huanjie_lib.intake.sheets.reader import Reading, SheetReader
from huanjie_lib.intake.sheets.rows import BLANK_ROW

__all__ = ["BLANK_ROW", "Reading", "SheetReader", "personal_column", "unknown_columns"]
