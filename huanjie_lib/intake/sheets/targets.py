"""What a sheet can be: a table, projects with their items, or the wide sheet of metrics.

:class:`Target` is one of these, :class:`Header` the heading rows in which one was recognised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from xlsxwriter.utility import xl_col_to_name

from huanjie_lib.access.register_form import FORM_WORDS, REGISTER_FORM
from huanjie_lib.contracts import TABLES, Column, Table, table
from huanjie_lib.intake.headings import Heading, Names, bracketed, normalise
from huanjie_lib.intake.mapping import Mapped
from huanjie_lib.intake.report import ColumnPlace
from huanjie_lib.intake.workbook import Grid
from huanjie_lib.parameters import Framework

__all__ = ["METRIC", "TELLING", "Header", "Target", "heading_of", "is_form", "places_of", "targets_of"]

METRIC: Final = "metric:"
"""Before the name of a column that is a metric of the wide sheet."""
TELLING: Final = 3
"""Headings, or characters of a name, that are enough to tell what a sheet is."""
_NOT_RETURNED: Final = frozenset({"identities", "cases", "case_events", "runs", "access_log"})


@dataclass(frozen=True)
class Target:
    """Something a sheet can be: one table, projects with their items, or the wide sheet of metrics."""

    tables: tuple[Table, ...]
    words: tuple[str, ...]
    names: Names
    columns: Mapping[str, Column]
    wide: bool = False

    @property
    def main(self) -> Table:
        """Table that lines of the report about the whole sheet belong to."""
        return self.tables[-1]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which a row is refused."""
        return tuple(n for n, c in self.columns.items() if c.required)

    def is_named(self, sheet: str) -> int:
        """Return how many characters of a sheet's name say that it is this one, 0 when none do."""
        words = [normalise(w) for w in self.words]
        if sheet in words:
            return len(sheet)
        if self.main.purpose == "reference":
            return 0  # 镇街 or 村(社区) in a name says little
        return max((len(w) for w in words if len(w) >= TELLING and w in sheet), default=0)


@dataclass(frozen=True)
class Header:
    """Heading rows that were found: column number → heading, and what else stands there.

    ``filed`` is the date behind 填报日期 above the headings, empty where it can't be read and ``None`` where
    nothing of the kind is written. ``mapped`` are the headings that a confirmed mapping speaks of.
    """

    target: Target
    top: int
    bottom: int
    found: Mapping[int, Heading]
    texts: Mapping[int, str]
    name_column: int | None
    filed: str | None
    mapped: Mapping[int, Mapped]

    @property
    def names(self) -> set[str]:
        """Names of the columns that were found."""
        return {h.name for h in self.found.values()}

    def title(self, column: int) -> str:
        """Return what the report calls a column; of a register form no text of the sheet is repeated."""
        if not is_form(self.target.main):
            return self.texts[column]
        known = self.found.get(column)
        return f"第 {column + 1} 列" if known is None else self.target.columns[known.name].label

    def column_of(self, name: str) -> int | None:
        """Return the number of a column that was found; ``None`` where it was not."""
        return next((c for c, h in self.found.items() if h.name == name), None)


def is_form(contract: Table) -> bool:
    """Whether a table is the register form; a copy of it, from another process, is it too."""
    return contract.name == REGISTER_FORM.name


def _target(
    tables: tuple[Table, ...],
    words: tuple[str, ...],
    columns: Mapping[str, Column],
    units: frozenset[str],
    *,
    wide: bool = False,
) -> Target:
    spellings = {n: (c.unit, (c.name, c.label, *c.aliases)) for n, c in columns.items()}
    return Target(tables, words, Names(spellings, units), columns, wide)


def heading_of(target: Target, parts: Sequence[str]) -> Heading | None:
    """Return what a heading means, given with the group above it where there is one."""
    leaf = parts[-1]
    if len(parts) == 1:
        return target.names.match(leaf)
    groups = parts[:-1]
    unit = next((u for group in reversed(groups) if (u := bracketed(group))), "")
    whole = next((h for group in groups if (h := target.names.match(group + leaf)) is not None), None)
    if whole is None and unit and not bracketed(leaf):
        scaled = target.names.match(f"{leaf}({unit})")
        if scaled is not None and not scaled.clash:
            return scaled
    return whole or target.names.match(leaf)


def places_of(grid: Grid, header: Header) -> Iterator[ColumnPlace]:
    """Yield where the columns of the tables stand in a sheet."""
    for column, heading in header.found.items():
        name = heading.name.removeprefix(METRIC)
        for contract in header.target.tables:
            if name != heading.name or name in contract.names:
                letter, title = xl_col_to_name(column), header.title(column)
                yield ColumnPlace(
                    contract.name, name, grid.file, grid.sheet, header.bottom + 1, letter, title
                )


def targets_of(framework: Framework, units: frozenset[str]) -> tuple[Target, ...]:
    """Return what a sheet of a return may be; ``units`` are the units of measure that headings may name."""
    facts, projects, items = table("facts"), table("audit_projects"), table("audit_items")
    metrics = {
        f"{METRIC}{name}": Column(name, "number", m.label, m.unit, aliases=(name, *m.aliases))
        for name, m in framework.metrics.items()
    }
    identity = {n: facts.column(n) for n in ("unit_code", "as_of")}
    both = {c.name: c for t in (projects, items) for c in t.columns}
    special = (
        _target((facts,), ("基本情况", "基础数据"), {**identity, **metrics}, units, wide=True),
        _target((projects, items), ("审计台账",), both, units),
        _target((REGISTER_FORM,), FORM_WORDS, {c.name: c for c in REGISTER_FORM.columns}, units),
    )
    single = tuple(
        _target((t,), (t.label,), {c.name: c for c in t.columns if c.kind != "geometry"}, units)
        for t in TABLES.values()
        if t.name not in _NOT_RETURNED
    )
    return (*special, *single)
