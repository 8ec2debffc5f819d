"""Dates of the synthetic city: month ends, reporting days and the days of the ledgers, all from ``as_of``."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

import numpy as np

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.sample.frames import NO_DAY, day_of
from huanjie_lib.sample.streams import Array, Integers

__all__ = ["FLOW_HISTORY", "LONG_FLOW_HISTORY", "Calendar"]

FLOW_HISTORY = 11
"""Months before the first snapshot for which flows of a 12-month window are reported."""

LONG_FLOW_HISTORY = 23
"""The same for the 24-month window."""


@dataclass(frozen=True)
class Calendar:
    """Month ends from the first month reported to ``as_of``.

    Parameters
    ----------
    as_of
        Last snapshot, the last day of a month.
    snapshots
        Number of monthly snapshots, the last one on ``as_of``.

    Examples
    --------
    >>> calendar = Calendar(dt.date(2026, 10, 31), 24)
    >>> str(calendar.month_ends[0]), str(calendar.month_ends[-24]), len(calendar.month_ends)
    ('2022-12-31', '2024-11-30', 47)
    """

    as_of: dt.date
    snapshots: int

    def __post_init__(self) -> None:
        """Refuse dates that are no month end and empty histories."""
        faults = []
        if (self.as_of + dt.timedelta(days=1)).day != 1:
            faults.append(Fault("as_of", str(self.as_of), "某月最后一天", "改为月末日期"))
        if not 1 <= self.snapshots <= 120:
            faults.append(Fault("snapshots", str(self.snapshots), "1 到 120 之间的整数", "改为允许的月数"))
        if faults:
            raise UsageError("无法生成示例城市", faults)

    @property
    def month_ends(self) -> list[dt.date]:
        """All month ends reported, oldest first."""
        last = self.as_of.year * 12 + self.as_of.month - 1
        months = range(last - (self.snapshots + LONG_FLOW_HISTORY) + 1, last + 1)
        return [dt.date(m // 12, m % 12 + 1, calendar.monthrange(m // 12, m % 12 + 1)[1]) for m in months]

    @property
    def days(self) -> Integers:
        """Day numbers of :attr:`month_ends`."""
        return np.array([day_of(d) for d in self.month_ends], dtype=np.int64)

    @property
    def today(self) -> int:
        """Day number of ``as_of``."""
        return day_of(self.as_of)

    @property
    def quarters(self) -> list[int]:
        """Positions in :attr:`month_ends` of quarter ends and of the last month.

        Figures that age fast are reported on these days, from half a year before the first snapshot.
        """
        ends = self.month_ends
        first = max(len(ends) - self.snapshots - 6, 0)
        chosen = [n for n in range(first, len(ends)) if ends[n].month % 3 == 0]
        return sorted({*chosen, len(ends) - 1})

    @property
    def years(self) -> list[int]:
        """Positions in :attr:`month_ends` of year ends and of the last month."""
        ends = self.month_ends
        first = max(len(ends) - self.snapshots - 12, 0)
        chosen = [n for n in range(first, len(ends)) if ends[n].month == 12]
        return sorted({*chosen, len(ends) - 1})

    def past(self, days: Array | Integers) -> Integers:
        """Return day numbers with everything after ``as_of`` made missing."""
        whole = np.asarray(np.round(days), dtype=np.int64)
        return np.where((whole > self.today) | (whole == NO_DAY), NO_DAY, whole)
