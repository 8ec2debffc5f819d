"""How the closed loop goes: deadlines, time by stage, on-time share, reopenings, returns, postponements.

Definitions, all in working days (:mod:`~huanjie_lib.casework.workdays`) and as of a date ``D``:

* An event counts from the latest date stated by it or by any event before it in its case, so that a clock set
  back never makes a stage negative or an event overtake the one before. Events after ``D`` are left out.
* Stages: *dispatch* from the alert to the first dispatch, *rectify* while the owner has the case, *review*
  while the reviewer has it. Time closed or cancelled is in no stage. Spells add up, so the three sum to the
  cycle time of a case; medians are of cases that stand closed on ``D``.
* A deadline is kept when the case is closed on it or before; one on a day off ends on the next working day.
  The on-time share is over cases of which it is decided: closed, or open past their deadline. A case closed
  without a deadline is not on time.
* Reopen rate: cases reopened after a closure, among those ever closed. Return rate: returns among reviews
  decided (returns and closures).
* Medians are means of the two middle values where there are two; the 90th percentile is the smallest value
  that at least nine tenths do not exceed (inverse of the distribution function, an observed value).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from huanjie_lib.casework.cases import OPEN_STATES
from huanjie_lib.casework.workdays import PROVISIONAL, Workdays
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Word, date_text

__all__ = ["FEW", "FIGURES", "STAGES", "LoopFigures", "Standing", "deadlines", "loop_figures"]

FEW: Final = 10
"""Below this many closed cases, medians and shares say little and are marked."""

STAGES: Final = ("dispatch", "rectify", "review")
"""Stages of a case."""

FIGURES: Final = (
    "scope",
    "code",
    "label",
    "cases",
    *(state.value for state in CaseState),
    "open",
    "overdue",
    "soon",
    "undated",
    "oldest_open",
    "cycle_median",
    "cycle_p90",
    *(f"{stage}_median" for stage in STAGES),
    "decided",
    "on_time",
    "on_time_share",
    "on_time_first_share",
    "ever_closed",
    "reopened",
    "reopen_rate",
    "reviews",
    "returned",
    "return_rate",
    "postponed",
    "few",
)
"""Columns of :attr:`LoopFigures.table`."""

_OPEN: Final = frozenset(state.value for state in OPEN_STATES)
_COUNTS: Final = ("closures", "reopened", "reviews", "returned", "postponed")
_STAGE_OF: Final[Mapping[CaseState, str]] = {
    CaseState.ALERT: "dispatch",
    CaseState.DISPATCHED: "rectify",
    CaseState.RECTIFYING: "rectify",
    CaseState.REVIEWING: "review",
}


class Standing(Word):
    """How an open case stands to its deadline."""

    OVERDUE = "overdue", "逾期"
    SOON = "soon", "将到期"
    OK = "ok", "未到期"
    NONE = "none", "没有期限"


def deadlines(cases: pd.DataFrame, as_of: dt.date, workdays: Workdays, due_soon: int) -> pd.DataFrame:
    """Return how open cases stand to their deadlines on a date.

    Parameters
    ----------
    cases
        case_id, state, due_on; one row per case.
    as_of
        The date.
    workdays
        Working days. A deadline on a day off ends on the next working day.
    due_soon
        Working days before its deadline from which a case is about to be overdue.

    Returns
    -------
    pandas.DataFrame
        By row of ``cases``: case_id; workdays_left (0 on the last day; −1 from the day after it to the end of
        the next working day; missing without a deadline or when the case has ended); standing
        (:class:`Standing`); provisional, whether the arrangement of a day up to the deadline is unknown.

    Examples
    --------
    >>> from huanjie_lib.parameters import WorkCalendar
    >>> cases = pd.DataFrame({"case_id": ["a", "b", "c"], "state": ["dispatched", "reviewing", "closed"],
    ...                       "due_on": pd.to_datetime(["2026-10-03", "2026-10-09", "2026-09-01"])})
    >>> deadlines(cases, dt.date(2026, 10, 9), Workdays(WorkCalendar()), 3)[["workdays_left", "standing"]]
       workdays_left standing
    0             -1  overdue
    1              0     soon
    2           <NA>     none
    """
    is_open = cases["state"].isin(_OPEN)
    due = workdays.dues(cases["due_on"].where(is_open))
    today = pd.Series(pd.Timestamp(as_of), index=cases.index)
    left = workdays.spans(today, due)
    late = due < today
    left = left.mask(late, left.clip(upper=-1))
    standing = np.select(
        [late, left.le(due_soon).fillna(False), due.notna()],
        [Standing.OVERDUE.value, Standing.SOON.value, Standing.OK.value],
        Standing.NONE.value,
    )
    return pd.DataFrame(
        {
            "case_id": cases["case_id"],
            "workdays_left": left,
            "standing": pd.Series(standing, index=cases.index, dtype="str"),
            "provisional": due.ge(pd.Timestamp(workdays.unsettled_from(as_of))),
        }
    )


@dataclass(frozen=True)
class LoopFigures:
    """How the closed loop goes on a date.

    Parameters
    ----------
    table
        One row for all cases, one per kind and one per township: columns :data:`FIGURES`. ``scope`` is
        ``all``, ``kind`` or ``township``; medians in working days, NaN where no case is closed; shares NaN
        where there is nothing to share; ``few`` where fewer than :data:`FEW` cases are closed.
    cases
        One row per case opened by the date: case_id, unit_code, unit_name, kind, township_code,
        township_name, state, due_on, standing, workdays_left; dispatch_days, rectify_days, review_days,
        cycle_days (so far where open); on_time and on_time_first (against the first deadline of the round),
        missing while undecided; closures, reopened, reviews, returned, postponed.
    as_of
        The date.
    version
        Version of the parameters.
    provisional
        Whether the holiday arrangement of the date is not known yet.
    """

    table: pd.DataFrame
    cases: pd.DataFrame
    as_of: dt.date
    version: str
    provisional: bool

    def __repr__(self) -> str:
        """Return cases, open and overdue ones, date and parameter version."""
        row = self.table.iloc[0]
        return (
            f"LoopFigures(cases={row['cases']}, open={row['open']}, overdue={row['overdue']}, "
            f"as_of={self.as_of}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures."""
        return self.table.copy()

    def only(self, case_ids: Collection[str]) -> Self:
        """Return the figures of some of the cases."""
        mine = self.cases[self.cases["case_id"].isin(list(case_ids))].reset_index(drop=True)
        return replace(self, table=_table(mine), cases=mine)

    def explain(self, unit_code: str) -> str:
        """Return in Chinese how the cases of a unit go.

        Raises
        ------
        KeyError
            If no case of the unit was opened by the date.
        """
        mine = self.cases[self.cases["unit_code"] == unit_code]
        if mine.empty:
            raise KeyError(unit_code)
        states = [
            f"{state.label}{count}件"
            for state in CaseState
            if (count := int((mine["state"] == state.value).sum()))
        ]
        text = f"截至{date_text(self.as_of)}，{mine['unit_name'].iloc[-1]}共立案{len(mine)}件："
        text += "、".join(states)
        late = mine[mine["standing"] == Standing.OVERDUE.value]
        if len(late):
            text += f"；逾期{len(late)}件，最久的逾期{-late['workdays_left'].min()}个工作日"
        soon = int((mine["standing"] == Standing.SOON.value).sum())
        text += f"；将到期{soon}件" if soon else ""
        closed = mine[mine["state"] == CaseState.CLOSED.value]
        if len(closed):
            kept = int(closed["on_time"].sum())
            text += f"；销号的从预警到销号{_middle(closed['cycle_days'])}，其中{kept}件按期"
        for name, word in (("reopened", "重新打开"), ("returned", "退回"), ("postponed", "延期")):
            count = int(mine[name].sum())
            text += f"；{word}{count}次" if count else ""
        return f"{text}。{PROVISIONAL}。" if self.provisional else f"{text}。"


def _middle(days: pd.Series[Any]) -> str:
    if len(days) == 1:
        return f"用了{int(days.iloc[0])}个工作日"
    return f"一般用{days.median():.1f}个工作日（{len(days)}件的中位数）".replace(".0个", "个")


def loop_figures(
    cases: pd.DataFrame,
    events: pd.DataFrame,
    as_of: dt.date,
    workdays: Workdays,
    *,
    due_soon: int,
    version: str = "",
) -> LoopFigures:
    """Compute the figures of the closed loop from the event log.

    Parameters
    ----------
    cases
        case_id, unit_code, unit_name, township_code, township_name, kind: what the cases are. Events of cases
        that are not listed are left out, so that a part of the cases gives the figures of that part.
    events
        Contract ``case_events``: case_id, sequence, event, happened_on, payload (JSON); any order of rows.
    as_of
        The date.
    workdays
        Working days.
    due_soon
        Working days before its deadline from which a case is about to be overdue.
    version
        Version of the parameters.
    """
    courses = _courses(cases, events, as_of)
    frame = _case_frame(cases, courses, as_of, workdays, due_soon)
    return LoopFigures(_table(frame), frame, as_of, version, provisional=not workdays.is_settled(as_of))


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of all cases, of each kind and of each township among them."""
    named = frame.drop_duplicates("township_code", keep="last").sort_values("township_code")
    townships = dict(zip(named["township_code"], named["township_name"], strict=True))
    scopes = [
        ("all", pd.Series("", index=frame.index), {"": "全部"}),
        ("kind", frame["kind"], CaseKind.labels()),
        ("township", frame["township_code"], townships),
    ]
    rows = [
        {"scope": scope, "code": code, "label": label, **_figures(frame[codes == code])}
        for scope, codes, labels in scopes
        for code, label in labels.items()
    ]
    return pd.DataFrame(rows, columns=list(FIGURES)).astype({"scope": "str", "code": "str", "label": "str"})


@dataclass
class _Course:
    """One case as its events by the date leave it."""

    since: dt.date
    state: CaseState = CaseState.ALERT
    owner: str = ""
    due_on: dt.date | None = None
    first_due: dt.date | None = None
    closed_on: dt.date | None = None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    spells: list[tuple[str, dt.date, dt.date]] = field(default_factory=list)

    def move(self, state: CaseState, day: dt.date) -> None:
        """Enter a state; the spell in the one before ends."""
        if self.state in _STAGE_OF:
            self.spells.append((_STAGE_OF[self.state], self.since, day))
        self.state, self.since = state, day

    def dispatch(self, owner: str, due_on: dt.date) -> CaseState:
        same = owner == self.owner
        if same and self.due_on is not None and due_on > self.due_on:
            self.counts["postponed"] += 1
        self.owner, self.due_on = owner, due_on
        self.first_due = self.first_due or due_on
        return self.state if same and self.state is not CaseState.ALERT else CaseState.DISPATCHED

    def reopen(self, due_on: dt.date) -> CaseState:
        if self.state is CaseState.CLOSED:
            self.counts["reopened"] += 1
        self.due_on = self.first_due = due_on
        self.closed_on = None
        return CaseState.DISPATCHED if self.owner else CaseState.ALERT


_TO: Final[Mapping[str, CaseState]] = {
    CaseEvent.RECTIFY.value: CaseState.RECTIFYING,
    CaseEvent.SUBMIT.value: CaseState.REVIEWING,
    CaseEvent.RETURN.value: CaseState.RECTIFYING,
    CaseEvent.CLOSE.value: CaseState.CLOSED,
    CaseEvent.CANCEL.value: CaseState.CANCELLED,
}


def _courses(cases: pd.DataFrame, events: pd.DataFrame, as_of: dt.date) -> dict[str, _Course]:
    """Return the course of every case opened by the date, from its events in order of sequence."""
    seen = events[events["case_id"].isin(cases["case_id"])].sort_values("sequence", kind="stable")
    stated = pd.to_datetime(seen["happened_on"])
    reached = stated.groupby(seen["case_id"]).cummax()
    seen = seen.assign(day=reached)[reached <= pd.Timestamp(as_of)]
    columns = (seen["case_id"], seen["event"], seen["day"].dt.date, seen["payload"])
    courses: dict[str, _Course] = {}
    for case, event, day, payload in zip(*columns, strict=True):
        if event == CaseEvent.OPEN.value:
            courses[case] = _Course(since=day)
            continue
        course = courses[case]
        if event in (CaseEvent.DISPATCH.value, CaseEvent.REOPEN.value):
            told = json.loads(payload)
            due_on = dt.date.fromisoformat(told["due_on"])
            again = event == CaseEvent.REOPEN.value
            state = course.reopen(due_on) if again else course.dispatch(told["owner"], due_on)
        else:
            state = _TO[event]
        if event in (CaseEvent.RETURN.value, CaseEvent.CLOSE.value):
            course.counts["reviews"] += 1
            course.counts["closures" if state is CaseState.CLOSED else "returned"] += 1
            course.closed_on = day if state is CaseState.CLOSED else None
        course.move(state, day)
    return courses


def _case_frame(
    cases: pd.DataFrame, courses: Mapping[str, _Course], as_of: dt.date, workdays: Workdays, due_soon: int
) -> pd.DataFrame:
    names = ["case_id", "unit_code", "unit_name", "kind", "township_code", "township_name"]
    frame = cases.loc[cases["case_id"].isin(list(courses)), names].sort_values("case_id", ignore_index=True)
    mine = [courses[case] for case in frame["case_id"]]
    for course in mine:
        course.move(course.state, as_of)  # what is open has lasted until the date
    frame["state"] = pd.Series([course.state.value for course in mine], dtype="str")
    for name in ("due_on", "first_due", "closed_on"):
        frame[name] = _dates([getattr(course, name) for course in mine])
    frame = frame.merge(deadlines(frame, as_of, workdays, due_soon), on="case_id", validate="one_to_one")
    spells = pd.DataFrame(
        [(place, *spell) for place, course in enumerate(mine) for spell in course.spells],
        columns=["place", "stage", "start", "end"],
    )
    spells["days"] = workdays.spans(pd.to_datetime(spells["start"]), pd.to_datetime(spells["end"])).astype(
        "int64"
    )
    days = spells.pivot_table(index="place", columns="stage", values="days", aggfunc="sum", fill_value=0)
    days = days.reindex(index=range(len(mine)), columns=list(STAGES), fill_value=0).astype("int64")
    for stage in STAGES:
        frame[f"{stage}_days"] = days[stage].to_numpy()
    frame["cycle_days"] = days.sum(axis=1).to_numpy()
    is_open, closed = frame["state"].isin(_OPEN), frame["state"] == CaseState.CLOSED.value
    for name, deadline in (("on_time", "due_on"), ("on_time_first", "first_due")):
        due = workdays.dues(frame[deadline])
        decided = closed | (is_open & (due < pd.Timestamp(as_of)))
        frame[name] = (closed & (frame["closed_on"] <= due)).astype("boolean").where(decided)
    for name in _COUNTS:
        frame[name] = pd.Series([course.counts[name] for course in mine], dtype="int64")
    return frame


def _dates(days: list[dt.date | None]) -> pd.Series[Any]:
    return pd.to_datetime(pd.Series(days, dtype=object)).astype("datetime64[us]")


def _figures(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of some cases."""
    is_open = frame["state"].isin(_OPEN)
    closed = frame[frame["state"] == CaseState.CLOSED.value]
    cycle = closed["cycle_days"].to_numpy()
    ever = frame["closures"] > 0
    decided = int(frame["on_time"].notna().sum())
    on_time = int(frame["on_time"].sum())
    reviews, returned = int(frame["reviews"].sum()), int(frame["returned"].sum())
    reopened = int((frame["reopened"] > 0).sum())
    return {
        "cases": len(frame),
        **{state.value: int((frame["state"] == state.value).sum()) for state in CaseState},
        "open": int(is_open.sum()),
        "overdue": int((frame["standing"] == Standing.OVERDUE.value).sum()),
        "soon": int((frame["standing"] == Standing.SOON.value).sum()),
        "undated": int((is_open & frame["due_on"].isna()).sum()),
        "oldest_open": frame.loc[is_open, "cycle_days"].max() if is_open.any() else np.nan,
        "cycle_median": _quantile(cycle, None),
        "cycle_p90": _quantile(cycle, 0.9),
        **{f"{stage}_median": _quantile(closed[f"{stage}_days"].to_numpy(), None) for stage in STAGES},
        "decided": decided,
        "on_time": on_time,
        "on_time_share": _share(on_time, decided),
        "on_time_first_share": _share(
            int(frame["on_time_first"].sum()), int(frame["on_time_first"].notna().sum())
        ),
        "ever_closed": int(ever.sum()),
        "reopened": reopened,
        "reopen_rate": _share(reopened, int(ever.sum())),
        "reviews": reviews,
        "returned": returned,
        "return_rate": _share(returned, reviews),
        "postponed": int((frame["postponed"] > 0).sum()),
        "few": len(closed) < FEW,
    }


def _quantile(values: np.ndarray, level: float | None) -> float:
    """Return a quantile as an observed value, or the median where no level is named; NaN of nothing."""
    if not len(values):
        return np.nan
    return float(np.median(values) if level is None else np.quantile(values, level, method="inverted_cdf"))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else np.nan
