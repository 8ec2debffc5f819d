"""Figures and words: rounding, signs, missing values, and a heading for every column."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.views.words import ADMISSION, LABELS, LEVELS, number_text, source_text
from huanjie_lib.vocabulary import GateStatus, Level


def test_levels_are_all_there_worst_first() -> None:
    assert LEVELS[0] is Level.RED
    assert set(LEVELS) == set(Level)


def test_every_verdict_has_words() -> None:
    assert set(ADMISSION) == {status.value for status in GateStatus}


@pytest.mark.parametrize(
    "make",
    [
        tables.unit_table,
        tables.working_list,
        tables.admission_list,
        tables.blocked_list,
        tables.gate_progress,
        tables.township_league,
        tables.losses_table,
        tables.freshness_table,
        tables.trend,
    ],
)
def test_every_column_shown_has_a_chinese_heading(make: object, small_run: Run) -> None:
    frame = make(small_run)  # type: ignore[operator]
    assert isinstance(frame, pd.DataFrame)
    assert [column for column in frame.columns if column not in LABELS] == []


@given(st.floats(min_value=-100, max_value=100))
def test_number_reads_back_within_its_rounding(value: float) -> None:
    text = number_text(value, signed=True)
    assert math.isclose(float(text.replace("−", "-")), value, abs_tol=0.05 + 1e-9)
    assert text[0] in "+−" or float(text) == 0.0


def test_a_change_that_rounds_to_nothing_has_no_sign() -> None:
    assert number_text(-0.04, signed=True) == "0.0"
    assert number_text(-0.04) == "0.0"


def test_source_without_sheet_or_row() -> None:
    assert source_text("a.parquet", None, pd.NA) == "a.parquet"
    assert source_text("", "表", 3) == ""
