"""Working days against the State Council's own notices, and what is said where there is no notice yet."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.casework.workdays import PROVISIONAL, Deadline, Workdays
from huanjie_lib.parameters import WorkCalendar

#: Days off and make-up days (first and last day, both included) as the notices of the State Council's general
#: office write them.
NOTICES = {
    # 国务院办公厅关于2025年部分节假日安排的通知，国办发明电〔2024〕12号，2024年11月12日
    2025: (
        [
            *(((1, 1), (1, 1)), ((1, 28), (2, 4)), ((4, 4), (4, 6)), ((5, 1), (5, 5))),
            *(((5, 31), (6, 2)), ((10, 1), (10, 8))),
        ],
        [(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)],
    ),
    # 国务院办公厅关于2026年部分节假日安排的通知，国办发明电〔2025〕7号，2025年11月4日
    2026: (
        [
            *(((1, 1), (1, 3)), ((2, 15), (2, 23)), ((4, 4), (4, 6)), ((5, 1), (5, 5))),
            *(((6, 19), (6, 21)), ((9, 25), (9, 27)), ((10, 1), (10, 7))),
        ],
        [(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)],
    ),
}
WORKDAYS = Workdays(WorkCalendar())
LAST = max(WORKDAYS.years)
DATES = st.dates(dt.date(2004, 1, 1), dt.date(2060, 12, 31))


def days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


@pytest.mark.parametrize("year", NOTICES)
def test_a_year_is_as_its_notice_says(year: int) -> None:
    spells, made_up = NOTICES[year]
    off = {d for first, last in spells for d in days(dt.date(year, *first), dt.date(year, *last))}
    worked = {dt.date(year, *day) for day in made_up}
    for day in days(dt.date(year, 1, 1), dt.date(year, 12, 31)):
        expected = day in worked or (day.weekday() < 5 and day not in off)
        assert WORKDAYS.is_workday(day) is expected, day


def test_working_days_of_a_year_in_all() -> None:
    """2025 has 248 working days (人力资源社会保障部, 人社部发〔2025〕2号: 365 − 104 − 13)."""
    assert WORKDAYS.between(dt.date(2024, 12, 31), dt.date(2025, 12, 31)) == 248


def test_a_period_begins_on_the_day_after_and_skips_the_national_day() -> None:
    assert WORKDAYS.add(dt.date(2026, 9, 18), 1).date == dt.date(2026, 9, 20)  # a Sunday worked
    assert WORKDAYS.add(dt.date(2026, 9, 24), 5) == Deadline(dt.date(2026, 10, 9), provisional=False)
    assert WORKDAYS.add(dt.date(2026, 9, 24), 6).date == dt.date(2026, 10, 10)  # a Saturday worked


def test_a_deadline_on_a_day_off_ends_on_the_next_working_day() -> None:
    assert WORKDAYS.due(dt.date(2026, 10, 1)).date == dt.date(2026, 10, 8)
    assert WORKDAYS.due(dt.date(2026, 10, 8)).date == dt.date(2026, 10, 8)
    dates = pd.Series(pd.to_datetime(["2026-10-01", None, "2026-10-11"]))
    assert WORKDAYS.dues(dates).astype("str").tolist()[::2] == ["2026-10-08", "2026-10-12"]
    assert pd.isna(WORKDAYS.dues(dates)[1])


def test_without_a_notice_a_deadline_is_provisional_and_says_so() -> None:
    end = dt.date(LAST, 12, 1)
    sure, unsure = WORKDAYS.add(end, 5), WORKDAYS.add(end, 40)
    assert not sure.provisional
    assert sure.note == ""
    assert unsure.provisional
    assert unsure.note == PROVISIONAL
    assert not WORKDAYS.is_workday(dt.date(LAST + 1, 1, 1))  # a day off by law, whatever the notice


def test_the_last_week_of_december_waits_for_the_next_years_notice() -> None:
    """The notice for 2019 moved days off to 30 and 31 December 2018 and made the 29th a working day."""
    assert [WORKDAYS.is_workday(dt.date(2018, 12, day)) for day in (29, 30, 31)] == [True, False, False]
    assert WORKDAYS.is_settled(dt.date(2018, 12, 31))
    assert WORKDAYS.is_settled(dt.date(LAST, 12, 24))
    assert not WORKDAYS.is_settled(dt.date(LAST, 12, 25))


def test_the_packs_calendar_settles_the_years_that_it_names() -> None:
    off = (dt.date(2031, 1, 1), dt.date(2031, 1, 2))
    known = Workdays(
        WorkCalendar(years=(2031,), days_off=off, workdays=(dt.date(2031, 1, 4),), source="国办发明电")
    )
    assert not known.is_workday(dt.date(2031, 1, 2))
    assert known.is_workday(dt.date(2031, 1, 4))  # a Saturday
    assert known.add(dt.date(2031, 1, 1), 1) == Deadline(dt.date(2031, 1, 3), provisional=False)
    assert not known.is_workday(dt.date(2026, 10, 1))  # other years stay the library's


def test_the_packs_calendar_goes_before_the_library() -> None:
    """So that equal parameters give equal deadlines whatever the library learns later."""
    own = Workdays(WorkCalendar(years=(2026,), days_off=(dt.date(2026, 10, 9),), source="本地通知"))
    assert own.is_workday(dt.date(2026, 10, 1))
    assert not own.is_workday(dt.date(2026, 10, 9))
    assert not own.is_workday(dt.date(2026, 10, 10))
    assert not own.is_workday(dt.date(2025, 10, 1))


@given(DATES, st.integers(0, 260))
def test_counting_back_what_was_counted_forward(start: dt.date, n: int) -> None:
    end = WORKDAYS.add(start, n).date
    assert WORKDAYS.between(start, end) == n
    assert n == 0 or WORKDAYS.is_workday(end)


@given(DATES, DATES, st.integers(0, 60))
def test_a_later_start_never_ends_earlier(a: dt.date, b: dt.date, n: int) -> None:
    first, last = sorted((a, b))
    assert WORKDAYS.add(first, n).date <= WORKDAYS.add(last, n).date
    assert WORKDAYS.add(first, n).date <= WORKDAYS.add(first, n + 1).date


@given(DATES, DATES, DATES)
def test_spans_add_up(a: dt.date, b: dt.date, c: dt.date) -> None:
    assert WORKDAYS.between(a, b) + WORKDAYS.between(b, c) == WORKDAYS.between(a, c)
    assert WORKDAYS.between(a, b) == -WORKDAYS.between(b, a)


@given(st.lists(st.tuples(DATES, DATES), max_size=5))
def test_columns_are_counted_as_single_dates_are(pairs: list[tuple[dt.date, dt.date]]) -> None:
    start, end = (pd.Series([p[n] for p in pairs], dtype="datetime64[us]") for n in (0, 1))
    assert WORKDAYS.spans(start, end).tolist() == [WORKDAYS.between(*pair) for pair in pairs]


def test_a_far_date_is_reckoned_too() -> None:
    assert WORKDAYS.between(dt.date(2026, 1, 1), dt.date(3026, 1, 1)) > 250_000
    assert WORKDAYS.between(dt.date(1949, 10, 1), dt.date(1949, 10, 8)) == int(
        np.busday_count("1949-10-02", "1949-10-09")
    )


def test_repr_names_the_years_known() -> None:
    assert (
        repr(Workdays(WorkCalendar(years=(2031,), source="x")))
        == f"Workdays(known={min(WORKDAYS.years)}–2031)"
    )
