"""Reads a table of pairwise judgments, filled in by hand or in Excel."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.intake.sandbox import Job, read_apart
from huanjie_lib.intake.workbook import cell_text, read_csv_grid
from huanjie_lib.parameters import Framework
from huanjie_lib.risk.judgments import GroupJudgments, group_judgments, judgment_matrices

__all__ = ["JUDGMENTS_FILE", "read_judgments"]

JUDGMENTS_FILE: Final = "judgments.csv"
"""Name of the file in a data folder; intake of returns passes it by."""

_COLUMNS: Final = {"专家": "person", "维度": "item", "对比维度": "against", "倍数": "times"}


def read_judgments(path: Path, framework: Framework) -> GroupJudgments:
    """Read judgments over a framework's dimensions and merge them.

    Parameters
    ----------
    path
        CSV with the columns 专家 (a code), 维度, 对比维度 (labels of dimensions) and 倍数 (how many times as
        important the first is: a number from 1/9 to 9 or a fraction); other columns and blank rows are
        passed by.
    framework
        Framework whose dimensions are compared.

    Raises
    ------
    DataError
        If there is no such file, it is no CSV, or a column is missing.
    ParameterError
        If a judgment is missing, contradicts its mirror or is none; every fault is listed by its row.
    """
    if not path.is_file():
        remedy = f"检查 --judgments 后面的路径；格式见示例数据中的 {JUDGMENTS_FILE}"
        raise DataError("没有判断表", [Fault(str(path), "没有这个文件", "专家判断的 CSV 文件", remedy)])
    grid = read_apart(Job(path.name, partial(read_csv_grid, path, path.name))).rows
    headings = [cell_text(cell).strip() for cell in grid[0]] if grid else []
    lacking = [name for name in _COLUMNS if name not in headings]
    if lacking:
        raise DataError(
            "判断表缺少列",
            [Fault(f"{path.name}：第 1 行", "、".join(headings), "、".join(_COLUMNS), "补齐列名")],
        )
    filled = {
        number: [cell_text(row[headings.index(name)]) for name in _COLUMNS]
        for number, row in enumerate(grid[1:], start=2)
        if any(cell_text(cell).strip() for cell in row)
    }
    table = pd.DataFrame.from_dict(filled, orient="index", columns=list(_COLUMNS.values()))
    labels = [d.label for d in framework.dimensions]
    return group_judgments(judgment_matrices(table, labels, place=path.name))
