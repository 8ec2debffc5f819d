"""Units and townships of a data folder alone, for what needs nothing else of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import polars as pl

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.intake.checks import Batch, Context, check, to_pandas
from huanjie_lib.intake.files import TABLE_SUFFIXES, check_kind, read_table
from huanjie_lib.intake.headings import table_names
from huanjie_lib.intake.sandbox import Job, read_apart

__all__ = ["read_areas"]


def _load(path: Path, name: str) -> Batch:
    """Read a table file; runs in the worker."""
    check_kind(path, path.name)
    return read_table(path, path.name, TABLES[name], table_names(TABLES[name], frozenset()))[0]


def read_areas(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read ``units`` and ``townships`` of a data folder; rows with a fault are left out, as by ``check``.

    Parameters
    ----------
    data
        Folder with ``tables/``, or with the tables lying in it.

    Returns
    -------
    tuple
        Units and townships, by code. Both have the columns of their contracts.

    Raises
    ------
    UsageError
        If there is no such folder.
    DataError
        If one of the two is missing or has no good row.
    """
    if not data.is_dir():
        raise UsageError("没有这个数据文件夹", [Fault("--data", str(data), "已有的文件夹", "检查路径")])
    inner = data / "tables"
    root = inner if inner.is_dir() else data
    frames: dict[str, pl.DataFrame] = {}
    for name in ("townships", "units"):
        contract = TABLES[name]
        files = sorted(
            p for p in root.glob(f"{name}.*") if p.is_file() and p.suffix.lower() in TABLE_SUFFIXES
        )
        batches: list[Batch] = [
            replace(read_apart(Job(p.name, partial(_load, p, name))), table=contract) for p in files
        ]
        townships = frames.get("townships")
        known = {} if townships is None else {("townships", "township_code"): townships["township_code"]}
        good = check(contract, batches, Context({}, known)).rows
        if not good.height:
            remedy = "补上数据表；用 huanjie check 查看其中的问题"
            fault = Fault(f"{root}", f"没有可用的“{contract.label}”数据", f"{name} 数据表", remedy)
            raise DataError(f"没有可用的{contract.label}名录", [fault])
        frames[name] = good.sort(contract.key[0])
    return to_pandas(frames["units"], TABLES["units"]), to_pandas(frames["townships"], TABLES["townships"])
