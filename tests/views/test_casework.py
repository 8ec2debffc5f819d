"""Tables of alerts and of what closed cases regained."""

from __future__ import annotations

import pandas as pd
import pytest

from huanjie_lib.views.casework import (
    alert_counts,
    alert_figure,
    alert_list,
    coverage_table,
    regained_table,
)


@pytest.fixture
def alerts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": ["signal", "gate", "gate", "plan"],
            "unit_code": ["a", "a", "b", "b"],
            "title": ["线索", "公示", "联审", "缺预案"],
            "reason": ["1", "2", "3", "4"],
            "owner": "镇街",
            "due_on": pd.to_datetime(["2026-11-10", "2026-11-20", "2026-11-21", "2026-11-06"]),
            "restricted": [True, False, False, False],
        }
    )


def test_counts_follow_the_order_of_kinds(alerts: pd.DataFrame) -> None:
    table = alert_counts(alerts)
    assert table.index.tolist() == ["准入不通过", "异常信号", "红色村缺预案"]
    assert table["件数"].tolist() == [2, 1, 1]
    assert table.loc["准入不通过"].tolist() == [2, 2, "2026-11-20", "2026-11-21"]


def test_the_figure_shows_each_count(alerts: pd.DataFrame) -> None:
    (axes,) = alert_figure(alerts).axes
    assert sorted(bar.get_width() for bar in axes.patches) == [1, 1, 2]


def test_a_units_list_leaves_restricted_alerts_out_and_begins_with_the_first_deadline(
    alerts: pd.DataFrame,
) -> None:
    assert alert_list(alerts, "a")["事由"].tolist() == ["公示"]
    assert alert_list(alerts, "b")["建议期限"].tolist() == ["2026-11-06", "2026-11-21"]


def test_coverage_is_that_of_the_city() -> None:
    audit = pd.DataFrame(
        {
            "level": ["city", "county"],
            "units_audited": [3, 1],
            "units": [4, 1],
            "units_share": [0.75, 1.0],
            "persons_audited": [9, 1],
            "persons": [10, 1],
            "persons_share": [0.9, 1.0],
        }
    )
    conflict = pd.DataFrame(
        {
            "level": ["city"],
            "screened": [2],
            "units": [4],
            "screened_share": [0.5],
            "led": [1],
            "led_share": [0.5],
        }
    )
    table = coverage_table(audit, conflict)
    assert table["覆盖率"].tolist() == ["75.0%", "90.0%", "50.0%", "50.0%"]
    assert table.loc["摸排由书记带队", "应完成"] == 2


def test_the_most_regained_comes_first() -> None:
    regained = pd.DataFrame(
        {
            "unit_code": ["a", "b"],
            "index_before": [50.0, 50.0],
            "index_after": [51.26, 61.0],
            "level_before": ["red", "red"],
            "level_after": ["red", "yellow"],
            "blocked_before": [3, 2],
            "blocked_after": [2, 2],
        }
    )
    units = pd.DataFrame({"unit_code": ["a", "b"], "unit_name": ["甲村", "乙村"], "township_name": "云溪镇"})
    table = regained_table(regained, units)
    assert table["村（社区）"].tolist() == ["乙村", "甲村"]
    assert table["增加"].tolist() == [11.0, 1.3]
    assert table["未通过准入条件"].tolist() == ["2→2", "3→2"]
