"""Each awkward file of the corpus ends as it must, and no row of it is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.contracts import TABLES
from huanjie_lib.intake import Intake
from tests.intake.corpus.builder import Case
from tests.intake.corpus.cases import CASES, COLUMNS, UNITS

LETTERS = {code: letter for letter, code in UNITS.items()}


def cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return LETTERS.get(str(value), f"{value:g}" if isinstance(value, float) else str(value))


def rows(frame: pd.DataFrame, table: str, file: str) -> list[str]:
    """Return the rows of one file as the cases write them."""
    mine = frame[frame["source_file"].astype("str") == file].sort_values("source_row", kind="stable")
    return [" ".join(map(cell, row)) for row in mine[list(COLUMNS[table])].itertuples(index=False)]


def told(intake: Intake, file: str) -> list[str]:
    """Return the lines of the report about a file: level, what was found."""
    mine = intake.issues[intake.issues["file"].fillna("").str.startswith(file)]
    lines = [f"{line.severity}:{line.found}" for line in mine.itertuples()]
    for code, letter in LETTERS.items():
        lines = [line.replace(code, letter) if letter in "AB" else line for line in lines]
    assert mine["remedy"].str.len().gt(0).all()
    return lines


def quarantined(intake: Intake, table: str, file: str) -> list[str]:
    frame = intake.quarantine[table]
    if table == "facts":
        labels = {"hukou_population": "户籍人口", "households": "总户数"}
        frame = frame.assign(metric=frame["metric"].replace(labels))
    assert frame["reasons"].str.len().gt(0).all()
    assert set(TABLES[table].names) - {"geometry"} <= set(frame.columns)
    return rows(frame, table, file)


def test_there_are_enough() -> None:
    assert len(CASES) >= 130
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_awkward_file(case: Case, folder: Any) -> None:
    path: Path = folder.path / case.file
    path.parent.mkdir(parents=True)
    path.write_bytes(case.content())
    intake: Intake = folder.read()  # which checks that read = loaded + quarantined + dropped
    counts = intake.counts[intake.counts["file"] == case.file]
    lines = told(intake, case.file)
    for says in case.says:
        level, _, text = says.partition(":")
        assert any(line.startswith(f"{level}:") and text in line for line in lines), (says, lines)
    if case.read is None:
        assert counts.empty
        assert any(line.startswith("error:") for line in lines)
        return
    assert int(counts["read"].sum()) == case.read
    assert sorted("；".join(r for r in counts["reason"] if r).split("；")) == sorted(
        case.dropped.replace("|", "；").split("；")
    )
    loaded = {t: rows(f, t, case.file) for t, f in intake.tables.items() if t in COLUMNS}
    assert {t: sorted(r) for t, r in loaded.items() if r} == {t: sorted(r) for t, r in case.loaded.items()}
    aside = {t: quarantined(intake, t, case.file) for t in intake.quarantine}
    assert {t: sorted(r) for t, r in aside.items() if r} == {t: sorted(r) for t, r in case.aside.items()}
    before = {"townships": 1, "units": 3, "crosswalk": 4}
    assert {t: len(intake.tables[t]) for t in before} == before  # nothing else has suffered
