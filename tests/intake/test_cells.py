"""A row that was read and the place of its columns make a cell that can be opened and looked at."""

from __future__ import annotations

from typing import Any

import openpyxl
import pandas as pd

from huanjie_lib.intake.cells import in_cells
from huanjie_lib.intake.report import PLACE_COLUMNS

A, B = "990101101201", "990101101202"


def rows(*entries: tuple[Any, ...]) -> pd.DataFrame:
    names = ["source_table", "columns", "source_file", "source_sheet", "source_row"]
    return pd.DataFrame(entries, columns=names)


def test_the_headings_next_above_count() -> None:
    places = pd.DataFrame(
        [
            ["talks", "due", "a.xlsx", "谈话", 3, "D", "应谈人数(人)"],
            ["talks", "due", "a.xlsx", "谈话", 20, "F", "谈话情况/应谈\n人数"],
            ["talks", "done", "a.xlsx", "谈话", 3, "E", "已谈人数"],
            ["talks", "done", "a.xlsx", "谈话", 20, "G", "已谈人数"],
        ],
        columns=list(PLACE_COLUMNS),
    )
    found = in_cells(
        rows(
            *(("talks", "due,done", "a.xlsx", "谈话", row) for row in (4, 19, 21)),
            ("talks", "due", "b.xlsx", "谈话", 4),
        ),
        places,
    )
    assert found["letters"].tolist() == ["D,E", "D,E", "F,G", ""]
    assert found["headings"].tolist() == [
        "应谈人数(人),已谈人数",
        "应谈人数(人),已谈人数",
        "应谈人数,已谈人数",
        "",
    ]


def test_every_cell_of_a_return_holds_what_was_read(folder: Any) -> None:
    """Cells named by intake are opened with another reader and compared."""
    heads = ["序号", "村(社区)名称", "统计用区划代码", "总户数", "集体经济\n年收入(万元)"]
    path = folder.workbook(
        "returns/石桥镇/报送表.xlsx",
        {
            "基本情况": [
                ["石桥镇"],
                ["填报日期：2026年10月31日"],
                heads,
                [1, "上云村", A, 301, 1.5],
                [2, "柳湾村", B, 280, 2],
            ],
            "矛盾摸排": [
                ["摸排编号", "统计用区划代码", "摸排日期", "摸排方式"],
                ["S1", A, "2026-10-01", "走访"],
            ],
        },
    )
    folder.csv(
        "returns/石桥镇/石桥镇_线索举报.csv",
        [["序号", "统计用区划代码", "受理日期", "线索类别", "件数"], [1, A, "2026-10-03", "拉票贿选", 2]],
    )
    intake = folder.read()
    book = openpyxl.load_workbook(path)
    facts = intake.tables["facts"].astype({"metric": "str", "source_file": "str", "source_sheet": "str"})
    facts = facts.assign(source_table="facts", columns=facts["metric"])
    traced = in_cells(facts, intake.columns)
    own = traced[traced["source_sheet"] == "基本情况"]
    scale = {"households": 1.0, "collective_income": 10_000.0}
    assert len(own) == 4
    for row in own.itertuples():
        cell = book["基本情况"][f"{row.letters}{row.source_row}"].value
        assert cell * scale[row.metric] == row.value
    flat = traced[traced["source_file"] == "tables/facts.csv"]
    assert set(zip(flat["letters"], flat["headings"], strict=True)) == {("D", "value")}
    kept = intake.tables["screenings"].assign(source_table="screenings", columns="screened_on,method")
    (cells,) = in_cells(kept, intake.columns)[["letters", "source_row"]].itertuples(index=False)
    assert [book["矛盾摸排"][f"{x}{cells.source_row}"].value for x in cells.letters.split(",")] == [
        "2026-10-01",
        "走访",
    ]
    leads = intake.columns[intake.columns["table"] == "leads"].set_index("column")["letter"]
    assert leads.to_dict() == {"unit_code": "B", "received_on": "C", "kind": "D", "count": "E"}
