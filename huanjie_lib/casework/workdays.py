"""Working days by the State Council's yearly holiday arrangements, make-up weekends among them.

Where a year's arrangement comes from, first that applies:

1. the pack's calendar, for the years that it names;
2. the calendar library (``chinesecalendar``), for the years that it knows;
3. Monday to Friday without the days off that the law itself dates (1 January, 1 and 2 May, 1 to 3 October;
   全国年节及纪念日放假办法 art. 2, as amended in 2024). The other holidays follow the lunar calendar and the
   make-up days are not known before the notice, so every day reckoned with here is provisional, and so is the
   last week of December before such a year: notices have moved the New Year's days off into it.

A period is reckoned from the day after its first day, and one that would end on a day off ends on the next
working day (民法典 art. 201 and 203).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from chinese_calendar import constants

from huanjie_lib.parameters import NEW_YEAR_WINDOW, WorkCalendar

__all__ = ["PROVISIONAL", "Deadline", "Workdays"]

PROVISIONAL: Final = "放假安排尚未公布，暂按周一至周五推算"
"""Said of a date that was reckoned without a year's holiday arrangement."""

_Days = npt.NDArray[np.datetime64]
_SATURDAY: Final = 5
_ORIGIN: Final = np.datetime64("1970-01-01", "D")
_BY_LAW: Final = ((1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3))
_BY_LAW_UNTIL: Final = 2100
_LIBRARY_YEARS: Final = frozenset(day.year for day in constants.holidays)
_LIBRARY_OFF: Final = frozenset(constants.holidays)
_LIBRARY_WORKED: Final = frozenset(constants.workdays)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A date reckoned in working days.

    Parameters
    ----------
    date
        The last day.
    provisional
        Whether the arrangement of some day up to it is not known yet.
    """

    date: dt.date
    provisional: bool

    @property
    def note(self) -> str:
        """Return what is to be said with the date; empty where it is certain."""
        return PROVISIONAL if self.provisional else ""


class Workdays:
    """Working days of a calendar.

    Parameters
    ----------
    calendar
        Years that the pack lays down itself.

    Examples
    --------
    National Day 2026 is off from 1 to 7 October; Saturday the 10th is worked:

    >>> workdays = Workdays(WorkCalendar())
    >>> workdays.add(dt.date(2026, 9, 30), 3)
    Deadline(date=datetime.date(2026, 10, 10), provisional=False)
    >>> workdays.between(dt.date(2026, 9, 30), dt.date(2026, 10, 12))
    4
    """

    def __init__(self, calendar: WorkCalendar) -> None:
        own = frozenset(calendar.years)
        self.years = own | _LIBRARY_YEARS
        off = {day for day in _LIBRARY_OFF if day.year not in own} | set(calendar.days_off)
        worked = {day for day in _LIBRARY_WORKED if day.year not in own} | set(calendar.workdays)
        for year in range(max(_LIBRARY_YEARS), _BY_LAW_UNTIL):
            if year not in self.years:
                off |= {dt.date(year, month, day) for month, day in _BY_LAW}
        self._off = np.array(
            sorted(d for d in off - worked if d.weekday() < _SATURDAY), dtype="datetime64[D]"
        )
        self._worked = np.array(sorted(d for d in worked if d.weekday() >= _SATURDAY), dtype="datetime64[D]")

    def __repr__(self) -> str:
        """Return the first and the last year whose arrangement is known."""
        return f"Workdays(known={min(self.years)}–{max(self.years)})"

    def is_workday(self, date: dt.date) -> bool:
        """Tell whether a day is worked.

        Examples
        --------
        >>> [Workdays(WorkCalendar()).is_workday(dt.date(2026, 10, day)) for day in (9, 10, 11)]
        [True, True, False]
        """
        return self.between(date - dt.timedelta(days=1), date) == 1

    def is_settled(self, date: dt.date) -> bool:
        """Tell whether the arrangement of a day is known.

        Examples
        --------
        >>> known = Workdays(WorkCalendar(years=(2030,), source="国办通知"))
        >>> [known.is_settled(dt.date(*day)) for day in ((2030, 12, 24), (2030, 12, 25), (2031, 1, 4))]
        [True, False, False]
        """
        late = date.month == 12 and date.day >= NEW_YEAR_WINDOW
        return date.year in self.years and not (late and date.year + 1 not in self.years)

    def add(self, date: dt.date, n: int) -> Deadline:
        """Return the ``n``-th working day after a date; the date itself for 0.

        Raises
        ------
        ValueError
            If ``n`` is negative.

        Examples
        --------
        >>> workdays = Workdays(WorkCalendar(years=(2030,), source="国办通知"))
        >>> workdays.add(dt.date(2030, 12, 27), 5)
        Deadline(date=datetime.date(2031, 1, 6), provisional=True)
        >>> workdays.add(dt.date(2030, 12, 27), -1)
        Traceback (most recent call last):
            ...
        ValueError: -1 working days: deadlines are reckoned forward
        """
        if n < 0:
            raise ValueError(f"{n} working days: deadlines are reckoned forward")
        day, left = date, n
        while left:  # a step of as many days as there are working days left can't pass the day looked for
            day += dt.timedelta(days=left)
            left = n - self.between(date, day)
        return Deadline(day, self._provisional(date, day))

    def due(self, date: dt.date) -> Deadline:
        """Return when a period that is said to end on a date ends: on the next working day if that is off.

        Examples
        --------
        >>> Workdays(WorkCalendar()).due(dt.date(2026, 10, 3)).date.isoformat()
        '2026-10-08'
        """
        ends = self.add(date - dt.timedelta(days=1), 1)
        return Deadline(ends.date, self._provisional(date - dt.timedelta(days=1), ends.date))

    def between(self, start: dt.date, end: dt.date) -> int:
        """Return the working days after ``start`` up to and including ``end``; negative where it lies before.

        Examples
        --------
        >>> workdays = Workdays(WorkCalendar())
        >>> friday, monday = dt.date(2026, 11, 6), dt.date(2026, 11, 9)
        >>> workdays.between(friday, monday), workdays.between(monday, friday)
        (1, -1)
        """
        first, last = self._count(np.array([start, end], dtype="datetime64[D]"))
        return int(last - first)

    def spans(self, start: pd.Series[Any], end: pd.Series[Any]) -> pd.Series[Any]:
        """Return :meth:`between` of two columns of dates, as ``Int64``; missing where either is.

        Examples
        --------
        >>> start = pd.to_datetime(pd.Series(["2026-11-06", None]))
        >>> end = pd.to_datetime(pd.Series(["2026-11-09", "2026-11-09"]))
        >>> Workdays(WorkCalendar()).spans(start, end).tolist()
        [1, <NA>]
        """
        known = (start.notna() & end.notna()).to_numpy()
        counts = [self._count(_days(column, known)) for column in (start, end)]
        return pd.Series(counts[1] - counts[0], index=start.index, dtype="Int64").mask(~known)

    def dues(self, dates: pd.Series[Any]) -> pd.Series[Any]:
        """Return :meth:`due` of a column of dates; missing where a date is."""
        ends = {day: pd.Timestamp(self.due(day.date()).date) for day in dates.dropna().unique()}
        return dates.map(ends).astype("datetime64[us]")

    def _count(self, days: _Days) -> npt.NDArray[np.int64]:
        """Return the working days after the origin up to and including each day."""
        weekdays = np.busday_count(_ORIGIN, days + 1)
        off = np.searchsorted(self._off, days, side="right")
        return np.asarray(weekdays - off + np.searchsorted(self._worked, days, side="right"), dtype=np.int64)

    def unsettled_from(self, date: dt.date) -> dt.date:
        """Return the first day from a date on whose arrangement is not known.

        Examples
        --------
        >>> known = Workdays(WorkCalendar(years=(2030, 2031), source="国办通知"))
        >>> known.unsettled_from(dt.date(2030, 3, 1)).isoformat()
        '2031-12-25'
        """
        while self.is_settled(date):
            date += dt.timedelta(days=1)
        return date

    def _provisional(self, after: dt.date, until: dt.date) -> bool:
        return until > after and until >= self.unsettled_from(after + dt.timedelta(days=1))


def _days(dates: pd.Series[Any], known: npt.NDArray[np.bool_]) -> _Days:
    stamps = pd.to_datetime(dates).to_numpy().astype("datetime64[D]")
    return np.where(known, stamps, _ORIGIN)
