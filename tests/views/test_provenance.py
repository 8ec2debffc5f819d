"""The cells of a figure in words that a clerk can follow."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.run_folder import SOURCE_COLUMNS
from huanjie_lib.views.provenance import source_lines

METRICS = load_parameters().framework.metrics


def lines(*entries: tuple[str, str, str, str, int | None, str, str]) -> tuple[str, ...]:
    frame = pd.DataFrame([("990101101201", "x", *e) for e in entries], columns=list(SOURCE_COLUMNS))
    return source_lines(frame.astype({"source_row": "Int64"}), METRICS)


def test_one_cell() -> None:
    assert lines(("facts", "households", "returns/a.xlsx", "基本情况", 7, "D", "总户数(户)")) == (
        "returns/a.xlsx，工作表“基本情况”，D7“总户数(户)”",
    )


def test_several_rows_and_columns() -> None:
    rows = [("talks", "due,done", "a.xlsx", "谈话", n, "F,G", "应谈人数,已谈人数") for n in (6, 5, 7)]
    assert lines(*rows) == ("a.xlsx，工作表“谈话”，第5–7行（共3行），F5:F7“应谈人数”、G5:G7“已谈人数”",)
    apart = [("talks", "due", "a.xlsx", "谈话", n, "F", "应谈人数") for n in range(1, 40, 2)]
    assert lines(*apart) == (
        "a.xlsx，工作表“谈话”，第1、3、5、7、9、11等行（共20行），F列“应谈人数”".replace("11行等", "11等行"),
    )


def test_files_without_letters_name_what_stands_there() -> None:
    assert lines(("facts", "households", "tables/facts.parquet", "", 12, "", "value")) == (
        "tables/facts.parquet，第12行，“总户数”",
    )
    assert lines(("leads", "received_on,count", "tables/leads.parquet", "", 3, ",", ",")) == (
        "tables/leads.parquet，第3行，“受理日期”、“件数”",
    )
    assert lines(("unknown", "thing", "案件台账", "C1", None, "", "")) == ("案件台账，工作表“C1”，“thing”",)


def test_one_line_for_each_file_sheet_and_table() -> None:
    found = lines(
        ("facts", "petitions_total", "tables/facts.parquet", "", 1, "", "value"),
        ("facts", "petitions_total", "returns/a.xlsx", "基本情况", 7, "T", "信访件次"),
        ("facts", "petitions_total", "tables/facts.parquet", "", 2, "", "value"),
    )
    assert found == (
        "tables/facts.parquet，第1–2行（共2行），“信访件次”",
        "returns/a.xlsx，工作表“基本情况”，T7“信访件次”",
    )
