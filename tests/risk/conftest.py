"""Ledgers written out by hand, as a policy reader would write an example."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.contracts import table
from huanjie_lib.risk.prepared import Prepared, prepare

VILLAGE, COMMUNITY, OTHER = "990101101201", "990101101001", "990101101202"


def frame(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A contract table from rows that name only the columns that matter."""
    contract = table(name)
    columns = {}
    for column in contract.columns:
        if column.kind == "geometry":
            continue
        values = [row.get(column.name) for row in rows]
        dtype = {"date": "datetime64[us]", "integer": "Int64", "number": "float64", "boolean": "boolean"}.get(
            column.kind, "str"
        )
        columns[column.name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns)


@pytest.fixture
def ledgers() -> Callable[..., Prepared]:
    """Prepared tables of one village, one community and whatever rows are named."""

    def build(**tables: list[dict[str, Any]]) -> Prepared:
        units = [
            {"unit_code": VILLAGE, "unit_name": "甲村", "unit_kind": "village", "township_code": VILLAGE[:9]},
            {
                "unit_code": COMMUNITY,
                "unit_name": "乙社区",
                "unit_kind": "community",
                "township_code": VILLAGE[:9],
            },
        ]
        frames = {"units": frame("units", tables.pop("units", units))}
        for name, rows in tables.items():
            given = [{"unit_code": VILLAGE, "project_id": "p1", **row} for row in rows]
            frames[name] = frame(name, given)
        return prepare(frames)

    return build


@pytest.fixture
def as_of() -> dt.date:
    return dt.date(2026, 10, 31)
