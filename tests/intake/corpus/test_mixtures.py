"""Awkward forms shuffled and mixed: every row ends somewhere, and nothing but a refusal is raised."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from huanjie_lib.errors import DataError
from huanjie_lib.intake.checks import Batch, Context, check
from huanjie_lib.intake.sheets import SheetReader
from huanjie_lib.intake.workbook import Book, Grid, read_csv_grid, read_workbook
from huanjie_lib.parameters import load_parameters
from tests.intake.corpus.builder import Sheet, csv, workbook
from tests.intake.corpus.cases import FILING, HEADS
from tests.intake.fuzz.targets import WORDS

PARAMETERS = load_parameters()
READER = SheetReader(PARAMETERS.framework)
CONTEXT = Context(PARAMETERS.framework.metrics)
NAMES = itertools.count()
IN_FILES = [w for w in WORDS if not isinstance(w, str) or ("\0" not in w and "," not in w and '"' not in w)]
HEADINGS = [w for w in WORDS[:22] if isinstance(w, str)]
CELLS = st.sampled_from([w for w in IN_FILES if w not in HEADINGS and w == w])  # nan is no cell of openpyxl
ROWS = st.lists(st.lists(CELLS, min_size=len(HEADS), max_size=len(HEADS)), max_size=12)


def filled(row: list[Any]) -> bool:
    return any(cell is not None and str(cell).strip(" \ufeff") for cell in row)


def accounted(book: Book, sheet: str) -> int:
    """Return how many rows were read, each of which ended in one place."""
    read = 0
    for grid in book.grids:
        batches: dict[str, list[Batch]] = {}
        for batch in READER.read(grid, name=sheet).batches:
            batches.setdefault(batch.table.name, []).append(batch)
        for mine in batches.values():
            done = check(mine[0].table, mine, CONTEXT)
            for count in done.counts:
                assert count["read"] == sum(int(count[k]) for k in ("loaded", "quarantined", "dropped"))
                read += int(count["read"])
            assert done.rows.height == sum(int(c["loaded"]) for c in done.counts)
            assert done.quarantine.height == sum(int(c["quarantined"]) for c in done.counts)
    return read


@settings(max_examples=40, deadline=None)
@given(
    rows=ROWS,
    order=st.permutations(range(len(HEADS))),
    title=st.sampled_from([[], [["石桥镇矛盾摸排台账"]], [["石桥镇矛盾摸排台账"], FILING], [[], []]]),
    form=st.sampled_from(["xlsx", "utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    data=st.data(),
)
def test_rows_read_are_the_rows_written(
    rows: list[list[Any]],
    order: list[int],
    title: list[list[str]],
    form: str,
    data: st.DataObject,
    tmp_path_factory: Any,
) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    written = [*title, [HEADS[n] for n in order], *([row[n] for n in order] for row in rows)]
    path = folder / f"{next(NAMES)}.{'xlsx' if form == 'xlsx' else 'csv'}"
    if form == "xlsx":
        hidden = data.draw(st.sets(st.integers(1, len(written))))
        path.write_bytes(workbook(矛盾摸排=Sheet(written, hidden_rows=sorted(hidden))))
        book = read_workbook(path, path.name)
        assert book.grids[0].hidden_rows == len(hidden)
    else:
        cells = [["" if c is None else c for c in row] for row in written]
        path.write_bytes(csv(*cells, encoding=form))
        book = Book((read_csv_grid(path, path.name),))
    while rows and not filled(rows[-1]):
        rows.pop()
    assert accounted(book, "矛盾摸排") == len(rows)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.lists(st.sampled_from(WORDS), max_size=9), min_size=1, max_size=16),
    sheet=st.sampled_from(["基本情况", "矛盾摸排", "审计台账", "草稿"]),
    merges=st.dictionaries(
        st.tuples(st.integers(0, 15), st.integers(0, 8)),
        st.tuples(st.integers(0, 15), st.integers(0, 8)),
        max_size=4,
    ),
)
def test_sheets_of_anything(
    rows: list[list[Any]], sheet: str, merges: dict[tuple[int, int], tuple[int, int]]
) -> None:
    width = max(map(len, rows))
    cells = [[*row, *[None] * (width - len(row))] for row in rows]
    inside = {
        a: b
        for a, b in merges.items()
        if max(a[0], b[0]) < len(rows) and max(a[1], b[1]) < width and b not in merges
    }
    accounted(Book((Grid("returns/a.xlsx", sheet, cells, inside),)), sheet)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=600))
def test_bytes_of_anything(content: bytes, tmp_path_factory: Any) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "石桥镇_矛盾摸排.csv"
    for first in (b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        path.write_bytes(first + content)
        for read in (read_workbook, read_csv_grid):
            try:
                read(path, path.name)
            except DataError as error:
                faults = error.faults
            else:
                continue
            assert faults
