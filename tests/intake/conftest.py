"""A small city of three units, and writers for the files that describe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.intake import Intake, read_folder
from huanjie_lib.parameters import ParameterSet, load_parameters

TOWNSHIPS = [
    ["township_code", "township_name", "county_code", "county_name"],
    ["990101101", "石桥镇", "990101", "东岭县"],
]
UNITS = [
    ["unit_code", "unit_name", "unit_kind", "township_code"],
    ["990101101001", "石桥社区", "community", "990101101"],
    ["990101101201", "上云村", "village", "990101101"],
    ["990101101202", "柳湾村", "village", "990101101"],
]
CROSSWALK = [
    ["old_code", "new_code", "kind", "effective_on", "confirmed_by", "confirmed_on"],
    ["990101101291", "990101101201", "renumber", "2026-01-01", "office", "2026-02-01"],
    ["990101101292", "990101101202", "renumber", "2026-01-01", "", ""],
    ["990101101293", "990101101201", "split", "2026-01-01", "office", "2026-02-01"],
    ["990101101293", "990101101202", "split", "2026-01-01", "office", "2026-02-01"],
]
FACTS = [
    ["unit_code", "as_of", "metric", "value"],
    ["990101101201", "2026-09-30", "households", "300"],
    ["990101101202", "2026-09-30", "households", "280"],
]


@dataclass
class Folder:
    """A data folder under construction."""

    path: Path
    parameters: ParameterSet

    def csv(self, name: str, rows: Sequence[Sequence[Any]], *, encoding: str = "utf-8") -> Path:
        """Write a CSV file; cells with commas or quotes are not expected."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding=encoding)
        return path

    def workbook(
        self,
        name: str,
        sheets: Mapping[str, Sequence[Sequence[Any]]],
        *,
        merges: Mapping[str, Sequence[str]] | None = None,
    ) -> Path:
        """Write a workbook of sheets, with merged ranges."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(list(row))
            for span in (merges or {}).get(title, ()):
                sheet.merge_cells(span)
        book.save(path)
        return path

    def read(self, keys: KeyRing | None = None) -> Intake:
        """Read the folder with the default parameters."""
        intake = read_folder(self.path, self.parameters, keys=keys)
        counts = intake.counts
        assert (counts["read"] == counts["loaded"] + counts["quarantined"] + counts["dropped"]).all()
        for name, rows in intake.tables.items():
            assert len(rows) == counts.loc[counts["table"] == name, "loaded"].sum()
        for name, rows in intake.quarantine.items():
            assert len(rows) == counts.loc[counts["table"] == name, "quarantined"].sum()
        return intake


@pytest.fixture(scope="session")
def parameters() -> ParameterSet:
    """Return the default parameters."""
    return load_parameters()


@pytest.fixture
def folder(tmp_path: Path, parameters: ParameterSet) -> Folder:
    """Return a folder with a township, three units, a crosswalk and two facts, all good."""
    made = Folder(tmp_path / "data", parameters)
    made.csv("tables/townships.csv", TOWNSHIPS)
    made.csv("tables/units.csv", UNITS)
    made.csv("tables/crosswalk.csv", CROSSWALK)
    made.csv("tables/facts.csv", FACTS)
    return made


@pytest.fixture
def lines() -> Callable[..., list[str]]:
    """Return a function that gives the lines of a report of one level as texts."""

    def texts(intake: Intake, level: str, **where: Any) -> list[str]:
        rows = intake.issues[intake.issues["severity"] == level]
        for column, value in where.items():
            rows = rows[rows[column] == value]
        return [f"{r.label}|{r.found}|{r.allowed}|{r.remedy}" for r in rows.itertuples()]

    return texts
