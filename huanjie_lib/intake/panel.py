"""Panels of past elections as they come: one CSV or Parquet file, a row a unit and term."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.intake.sandbox import Job, read_apart
from huanjie_lib.intake.workbook import decode, separator

__all__ = ["read_panel"]


def read_panel(path: Path, *, text: Sequence[str] = ()) -> pd.DataFrame:
    """Read a panel.

    Parameters
    ----------
    path
        CSV (UTF-8 or GB18030, commas or tabs) or Parquet.
    text
        Columns kept as text, so that a code keeps its zeros and digits.

    Raises
    ------
    DataError
        If there is no such file, or it is not a table with rows.

    Examples
    --------
    >>> read_panel(Path("nowhere.csv"))
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.DataError: 文件不能读取（共 1 处问题）
      1. nowhere.csv：发现“没有这个文件”；应为：CSV 或 Parquet 文件；处理办法：核对文件名和路径。
    """
    if not path.is_file():
        raise DataError(
            "文件不能读取",
            [Fault(str(path), "没有这个文件", "CSV 或 Parquet 文件", "核对文件名和路径")],
        )
    table: pd.DataFrame = read_apart(Job(path.name, partial(_table, path, tuple(text))))
    if table.empty:
        raise DataError("文件里没有数据", [Fault(path.name, "没有数据行", "标题行和数据行", "核对文件内容")])
    return table.rename(columns=lambda name: str(name).strip())


def _table(path: Path, text: tuple[str, ...]) -> pd.DataFrame:
    """Read the file; runs in the worker."""
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
            return table.astype({name: "str" for name in text if name in table.columns})
        content = decode(path.read_bytes(), path.name)
        return pd.read_csv(
            io.StringIO(content),
            sep=separator(content),
            dtype=dict.fromkeys(text, "str"),
            low_memory=False,
        )
    except (ValueError, OSError) as error:
        raise DataError(
            "文件不能读取",
            [Fault(path.name, "损坏或不合规的表格", "有标题行的 CSV 或 Parquet", "用 Excel 打开检查后另存")],
        ) from error
