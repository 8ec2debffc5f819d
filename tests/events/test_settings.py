"""What a folder of streams declares, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.events.settings import EventSettings, month_number, read_settings

AREAS = "{first: '2026-01', last: '2026-10'}, {area: '9901', first: '2026-02', last: '2026-03'}"
GOOD = f"coverage: {{lead_events: [{AREAS}]}}\n"


def test_the_longest_area_counts(tmp_path: Path) -> None:
    (tmp_path / "events.yaml").write_text(GOOD, encoding="utf-8")
    settings = read_settings(tmp_path)
    assert (settings.engine, settings.utc_offset) == ("duckdb://", 8)
    assert settings.months == (month_number("2026-01"), month_number("2026-10"))
    first, last = settings.covered("lead_events", np.array(["990101001201", "110101001001"]))
    assert first.tolist() == [month_number("2026-02"), month_number("2026-01")]
    assert last.tolist() == [month_number("2026-03"), month_number("2026-10")]
    first, last = settings.covered("roll_events", np.array(["990101001201"]))
    assert (first.tolist(), last.tolist()) == ([0], [-1])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "coverage"),
        ("coverage: {}", "至少声明一类"),
        ("coverage: [1", "改正该处的书写"),
        ("coverage: {gossip: []}", "没有事件流 gossip"),
        ("coverage: {lead_events: [{first: '2026-13', last: '2026-12'}]}", "月份应写作 2026-10"),
        ("coverage: {lead_events: [{first: '2026-03', last: '2026-02'}]}", "last 不得早于 first"),
        ("coverage: {lead_events: [{area: 云溪, first: '2026-01', last: '2026-02'}]}", "area"),
        ("coverage: {hotline_events: [{first: '2026-01', last: '2026-02'}]}", "须用 hotline_counted"),
        (GOOD + "hotline_counted: [rumour]", "没有工单类别 rumour"),
        (GOOD + "utc_offset: 99", "utc_offset"),
        (GOOD + "colour: red", "colour"),
    ],
)
def test_a_declaration_that_cannot_hold_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "events.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_settings(tmp_path)
    assert told in str(error.value)


def test_a_folder_without_declaration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="事件文件夹没有声明"):
        read_settings(tmp_path)


def test_month_numbers() -> None:
    with pytest.raises(ValueError, match="2026-10"):
        month_number("2026-1")
    assert EventSettings(coverage={"lead_events": []}).coverage == {"lead_events": []}
