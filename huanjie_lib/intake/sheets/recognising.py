"""Which table a sheet is, and where its headings stand: by mapping, by name, or by the headings alone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from huanjie_lib.contracts import TABLES
from huanjie_lib.intake.guard import personal_heading
from huanjie_lib.intake.headings import IGNORED, Heading, known_units, normalise, table_names, under_units
from huanjie_lib.intake.mapping import Mapped, Mappings, SheetMapping, candidates
from huanjie_lib.intake.sheets.targets import METRIC, TELLING, Header, Target, heading_of, targets_of
from huanjie_lib.intake.values import parse, spelt_out
from huanjie_lib.intake.workbook import Cell, Grid, cell_text
from huanjie_lib.parameters import Framework

__all__ = ["Recogniser"]

_HEADER_ROWS: Final = 15
_LONGEST: Final = 200  # characters of a heading
_REMEMBERED: Final = 100_000
_FILING = re.compile(r"(?:填报|填表|截至|截止|统计|数据|报送)(?:日期|时间):?(?P<date>.*)")
_UNIT_ALONE: Final = frozenset({"单位", "计量单位", "金额单位"})
_LEADING_DATE = re.compile(r"[0-9]{4}[年./-][0-9]{1,2}[月./-][0-9]{1,2}日?|[0-9]{8}(?![0-9])")


class Recogniser:
    """Finds the heading rows of sheets, and what they are headings of.

    Parameters
    ----------
    framework
        Declares the metrics that may head the columns of the wide sheet.
    as_of
        Date of returns that don't state one; ``None`` when every return must.
    mappings
        What persons have said headings mean that mean nothing by themselves.
    """

    def __init__(self, framework: Framework, *, as_of: dt.date | None, mappings: Mappings) -> None:
        self._as_of = as_of
        self._mappings = mappings
        units = known_units(framework.metrics)
        self._unit_names = table_names(TABLES["units"], units)
        self.targets = targets_of(framework, units)
        self._known: dict[str, bool] = {}
        self._read_above: tuple[Grid | None, dict[int, tuple[str | None, list[str]]]] = None, {}

    def is_heading(self, text: str) -> bool:
        """Whether a text is a heading of some table."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            known = normalise(text) in IGNORED or self._is_unit_name(text)
            known = known or any(t.names.match(text) is not None for t in self.targets)
            self._known[text] = known
        return known

    def is_key(self, text: str) -> bool:
        """Whether a text heads the codes of units."""
        heading = self._unit_names.match(text)
        return heading is not None and heading.name == "unit_code"

    def said(self, grid: Grid, name: str) -> tuple[tuple[Target, ...], SheetMapping | None]:
        """Return what a sheet is by its mapping, else by its name, and the mapping."""
        mapping = self._mappings.of(grid.file, name)
        if mapping is None:
            return self.named(name), None
        return tuple(t for t in self.targets if t.words[0] == mapping.table), mapping

    def named(self, name: str) -> tuple[Target, ...]:
        """Return what a sheet is by its name: the targets with the longest matching word."""
        lengths = {n: t.is_named(normalise(name)) for n, t in enumerate(self.targets)}
        longest = max(lengths.values())
        return tuple(self.targets[n] for n, length in lengths.items() if 0 < length == longest)

    def header(self, grid: Grid, named: tuple[Target, ...], mapping: SheetMapping | None) -> Header | None:
        """Return the heading rows in which most headings are understood.

        A sheet known by its name may lack required columns; any other must have them all, or be so much like
        a table that naming the missing columns helps more than not knowing it.
        """
        found = [
            header
            for target in named or self.targets
            for top in range(grid.top, min(grid.top + _HEADER_ROWS, len(grid.rows)))
            for depth in (1, 2, 3)
            if top + depth <= len(grid.rows)
            and (header := self._match(grid, target, top, depth, mapping)) is not None
        ]
        found.sort(key=lambda h: (-len(h.found), h.bottom - h.top, h.top))
        if named:
            return next(iter(found), None)
        whole = [h for h in found if len(h.found) >= TELLING - 1 and not self.missing(h)]
        return next(iter([*whole, *(h for h in found if len(h.found) >= TELLING)]), None)

    def likeliest(self, grid: Grid, among: Sequence[Target]) -> Header | None:
        """Return the row of most words among the first, as headings of the target that they are most like."""
        rows = [[cell_text(c).strip() for c in row] for row in grid.rows[:_HEADER_ROWS]]
        words = [sum(bool(t) and not t[0].isdigit() for t in set(row)) for row in rows]
        top = words.index(max(words))
        texts = {c: t for c, t in enumerate(rows[top]) if t}
        like = [sum(bool(candidates(t, (), target)) for t in texts.values()) for target in among]
        if 2 * max(like) < len(texts):
            return None
        target = among[like.index(max(like))]
        known = self._match(grid, target, top, 1, None)
        return known or Header(target, top, top, {}, texts, None, _filing_text(grid.rows[:top]), {})

    def missing(self, header: Header) -> list[str]:
        """Return the required columns that a sheet lacks; a filing date stands in for ``as_of``."""
        dated = header.filed is not None or self._as_of is not None
        columns = header.target.columns
        required = [n for n, c in columns.items() if c.required and not (dated and n == "as_of")]
        missing = [n for n in required if n not in header.names]
        if header.target.wide and not any(n.startswith(METRIC) for n in header.names):
            missing.append("metric")
        return missing

    def is_unknown(self, header: Header, column: int) -> bool:
        """Whether a heading means nothing by itself, by a mapping, or as one to be passed by."""
        leaf = header.texts[column].rpartition("/")[2]
        told = column in header.found or column in header.mapped
        return not told and normalise(leaf) not in IGNORED and not self._is_unit_name(leaf)

    def date_of(self, header: Header) -> dt.date | None:
        """Return the filing date stated above the headings, else the date that the folder declares."""
        if header.filed is None:
            return self._as_of
        contract = header.target.columns["as_of"]
        stamp = parse(pl.Series([header.filed], dtype=pl.String), contract).values.item()
        return stamp.date() if stamp is not None else None

    def _match(
        self, grid: Grid, target: Target, top: int, depth: int, mapping: SheetMapping | None
    ) -> Header | None:
        found: dict[int, Heading] = {}
        mapped: dict[int, Mapped] = {}
        texts: dict[int, str] = {}
        name_column = None
        levels = range(top, top + depth)
        groups = [""] * depth
        for column in range(len(grid.rows[top])):
            own = [cell_text(grid.rows[row][column]).strip()[:_LONGEST] for row in levels]
            leaf = max((n for n, text in enumerate(own) if text), default=-1)
            for n in range(leaf):  # an empty cell beside a group belongs to it
                group = cell_text(grid.at(top + n, column)).strip()[:_LONGEST]
                if group and group != groups[n]:
                    groups[n:] = [group, *[""] * (depth - n - 1)]
            parts = [*groups[:leaf], own[leaf]] if leaf > 0 else own[:1]
            parts = [p for p in parts if p]
            if not parts:
                continue
            texts[column] = "/".join(parts)
            heading = heading_of(target, parts)
            if heading is not None:
                found[column] = heading
            elif self._is_unit_name(parts[-1]):
                name_column = column if name_column is None else name_column
            elif mapping is not None and personal_heading(normalise(texts[column])) is None:
                said = mapping.find(texts[column])
                if said is not None:
                    mapped[column] = said
                if said is not None and said.meaning is not None:
                    found[column] = said.meaning
        if not found:
            return None
        filed, units = self._above(grid, top)
        found = {c: target.names.under(heading, units) for c, heading in found.items()}
        return Header(target, top, top + depth - 1, found, texts, name_column, filed, mapped)

    def _above(self, grid: Grid, top: int) -> tuple[str | None, list[str]]:
        """Return what is said over a row for the whole table: date of filing and units of measure.

        Each sheet is searched once for each row.
        """
        if self._read_above[0] is not grid:
            self._read_above = grid, {}
        known = self._read_above[1]
        if top not in known:
            rows = grid.rows[grid.top : top]
            known[top] = _filing_text(rows), _said_units(rows)
        return known[top]

    def _is_unit_name(self, text: str) -> bool:
        heading = self._unit_names.match(text)
        return heading is not None and heading.name == "unit_name"


def _filing_text(rows: Sequence[Sequence[Cell]]) -> str | None:
    """Return the date behind 填报日期 above the headings: empty when unreadable, ``None`` when not there."""
    for row in rows:
        texts = [t for c in row if (t := cell_text(c).strip())]
        for position, text in enumerate(texts):
            match = _FILING.search(normalise(text))
            if match is not None:
                after = match["date"] or normalise("".join(texts[position + 1 : position + 2]))
                date = _LEADING_DATE.match(spelt_out(after))
                return date[0] if date is not None else ""
    return None


def _said_units(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Return the units of measure that are stated over the headings for the whole table."""
    found: list[str] = []
    for row in rows:
        texts = [t for c in row if (t := cell_text(c).strip())]
        for place, text in enumerate(texts):
            if normalise(text) in _UNIT_ALONE:  # and the unit stands in the next cell
                text = f"单位：{''.join(texts[place + 1 : place + 2])}"
            found += under_units(text)
    return found
