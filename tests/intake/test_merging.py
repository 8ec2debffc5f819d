"""What adds up over merged units: people, money and incidents, never a committee or a single answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from huanjie_lib.contracts import TABLES, table
from huanjie_lib.intake.merging import ONE_COMMITTEE, SUMS, merged_advice
from huanjie_lib.parameters import ParameterSet

A = "990101101201"


def test_columns_that_add_up_are_counts_of_the_contract() -> None:
    for name, columns in SUMS.items():
        for column in columns:
            assert table(name).column(column).kind == "integer"
            assert column not in TABLES[name].key
            assert table(name).column(column).unit in {"人", "件", "张"}


@pytest.mark.parametrize(("name", "adds"), [("hukou_population", True), ("collective_debt", True),
                                            ("petitions_total", True), ("committee_seats", False),
                                            ("meetings_held", False)])  # fmt: skip
def test_metrics(parameters: ParameterSet, name: str, adds: bool) -> None:
    metric = parameters.framework.metrics[name]
    assert ("可以相加" in merged_advice(table("facts"), metric)) is adds
    assert ("不能相加" in merged_advice(table("facts"), metric)) is not adds
    assert (metric.family == ONE_COMMITTEE) is not adds


def test_rows_of_merged_units_are_refused_with_what_adds_up(
    folder: Any, lines: Callable[..., list[str]]
) -> None:
    old = "990101101291"
    rows = [
        ["unit_code", "as_of", "metric", "value"],
        *([code, "2026-09-30", metric, value] for metric in ("households", "committee_seats")
          for code, value in ((A, 5), (old, 7))),
    ]  # fmt: skip
    folder.csv("tables/facts.csv", rows)
    intake = folder.read()
    told = [
        line for line in lines(intake, "error") if "同属一个单位（旧代码 990101101291 已换为新代码）" in line
    ]
    assert len(told) == 4
    assert sum("“总户数”可以相加；按各行之和（户）填报一行" in line for line in told) == 2
    assert sum("“班子职数”不能相加" in line for line in told) == 2
    assert len(intake.quarantine["facts"]) == 4


def test_votes_of_winners_do_not_add_up() -> None:
    told = merged_advice(table("election_history"))
    assert told.startswith("登记选民、收回选票、无效票、委托投票可以相加，其余各列不能相加")
    assert "得票" not in told
