from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.frames import NO_DAY, day_of

CALENDAR = Calendar(dt.date(2026, 10, 31), 24)


def test_months_reach_back_far_enough_for_the_windows_of_the_first_snapshot() -> None:
    ends = CALENDAR.month_ends
    assert ends[-1] == dt.date(2026, 10, 31)
    first_snapshot = ends.index(dt.date(2024, 11, 30))
    assert len(ends) - first_snapshot == 24
    assert first_snapshot + 1 == 24  # a 24-month window ends with the first snapshot's month


@pytest.mark.parametrize("positions", ["quarters", "years"])
def test_reporting_days_end_with_the_last_month(positions: str) -> None:
    chosen = getattr(CALENDAR, positions)
    months = [CALENDAR.month_ends[n].month for n in chosen]
    assert chosen[-1] == len(CALENDAR.month_ends) - 1
    assert set(months[:-1]) <= ({12} if positions == "years" else {3, 6, 9, 12})
    assert CALENDAR.month_ends[chosen[0]] < dt.date(2024, 11, 30)


def test_the_future_is_not_known() -> None:
    today = day_of(CALENDAR.as_of)
    assert CALENDAR.past(np.array([today, today + 1, NO_DAY])).tolist() == [today, NO_DAY, NO_DAY]


def test_every_wrong_argument_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        Calendar(dt.date(2026, 10, 30), 0)
    assert [fault.where for fault in caught.value.faults] == ["as_of", "snapshots"]
