from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import polars as pl

from huanjie_lib.intake.report import (
    COUNT_COLUMNS,
    ISSUE_COLUMNS,
    InputFile,
    Intake,
    Issue,
    IssueLevel,
    issue_frame,
    report_frame,
    write_report,
)

NOTE = Issue(IssueLevel.NOTE, "3 个单元格", "数", "无需处理", table="facts", file="a.xlsx", sheet="基本情况")
BAD = Issue(
    IssueLevel.ERROR,
    '=HYPERLINK("http://x")',
    "整数",
    "改为整数",
    table="facts",
    file="b.csv",
    row=12,
    label="总户数",
)


def intake() -> Intake:
    quarantine = pd.DataFrame(
        {
            "unit_code": ["990101101201"],
            "as_of": ["2026-09-30"],
            "metric": ["households"],
            "value": ["-5"],
            "source_file": ["b.csv"],
            "source_sheet": [""],
            "source_row": pd.array([12], dtype="Int64"),
            "reasons": ["总户数：发现“-5”"],
        }
    )
    counts = pd.DataFrame(
        [["b.csv", "", "facts", "行", 5, 3, 1, 1, "空白行 1"], ["c.csv", "", "facts", "行", 2, 2, 0, 0, ""]],
        columns=list(COUNT_COLUMNS),
    )
    return Intake(
        tables={},
        boundaries=None,
        issues=report_frame([issue_frame([NOTE, BAD, NOTE])]),
        quarantine={"facts": quarantine},
        counts=counts,
        inputs=(InputFile("b.csv", "0" * 64, 10),),
    )


def test_report_has_each_line_once_and_errors_first() -> None:
    frame = intake().issues
    assert list(frame.columns) == list(ISSUE_COLUMNS)
    assert frame["severity"].tolist() == ["error", "note"]
    assert frame["row"].dtype == "Int64"
    assert frame["row"].isna().tolist() == [False, True]
    assert len(report_frame([])) == 0


def test_report_is_sorted_by_place() -> None:
    rows = [
        Issue(IssueLevel.ERROR, "x", "y", "z", file=f, row=r)
        for f, r in [("b", 2), ("a", 10), ("a", 9), ("b", None)]
    ]
    frame = report_frame([issue_frame(rows)])
    assert list(zip(frame["file"], frame["row"].fillna(-1), strict=True)) == [
        ("a", 9),
        ("a", 10),
        ("b", -1),
        ("b", 2),
    ]


def test_written_report(tmp_path: Path) -> None:
    stale = tmp_path / "quarantine" / "talks.csv"
    stale.parent.mkdir()
    stale.write_text("old")
    write_report(intake(), tmp_path)
    assert not stale.exists()
    assert (tmp_path / "report.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["级别"] == "错误"
    assert rows[0]["表"] == "基础数据"
    assert rows[0]["行号"] == "12"
    assert rows[0]["发现"] == '\'=HYPERLINK("http://x")'  # shown, not run
    assert rows[1]["行号"] == ""
    with (tmp_path / "quarantine" / "facts.csv").open(encoding="utf-8-sig", newline="") as stream:
        kept = list(csv.DictReader(stream))
    assert kept == [
        {
            "统计用区划代码": "990101101201",
            "截至日期": "2026-09-30",
            "指标项": "households",
            "数值": "'-5",
            "来源文件": "b.csv",
            "来源工作表": "",
            "来源行号": "12",
            "隔离原因": "总户数：发现“-5”",
        }
    ]
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["issues"] == {"error": 1, "warning": 0, "note": 1}
    assert summary["tables"] == {"facts": {"read": 7, "loaded": 5, "quarantined": 1, "dropped": 1}}
    assert summary["inputs"] == [{"path": "b.csv", "sha256": "0" * 64, "bytes": 10}]


def test_equal_intakes_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(intake(), tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert [str(f) for f in files] == ["counts.csv", "quarantine/facts.csv", "report.csv", "summary.json"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_line_as_a_fault() -> None:
    assert BAD.fault().where == "b.csv 第 12 行“总户数”"
    assert NOTE.fault().where == "a.xlsx 工作表“基本情况”"
    assert issue_frame([BAD]).schema["row"] == pl.Int64
