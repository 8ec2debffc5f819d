"""Faults planted on purpose, with their truth, so that checks and signals can be tested against it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.facts import FactBook
from huanjie_lib.sample.frames import DATE_DTYPE, conform
from huanjie_lib.sample.geography import FULL_SIZE
from huanjie_lib.sample.population import RollCheck
from huanjie_lib.sample.streams import Array, Integers, Mask
from huanjie_lib.vocabulary import (
    AuditItem,
    AuditOutcome,
    DisputeCategory,
    LeadKind,
    RollCohort,
    Severity,
    UnitKind,
)

__all__ = ["TRUTH_COLUMNS", "Planter"]

TRUTH_COLUMNS = ("fault", "unit_code", "table", "detail")
"""Columns of the truth table; ``detail`` is JSON with sorted keys."""

_LATE_GROUPS = (
    ("petitions_total", "petitions_group", "petitions_backlog"),
    ("meetings_held", "disclosures_on_time"),
    ("disciplinary_cases",),
    ("reserve_people", "prospective_candidates"),
    ("collective_debt", "collective_income"),
    ("members_under_35", "members_total"),
)
_COHORTS = tuple(c.value for c in RollCohort)


class Planter:
    """Plants faults into the tables and writes down the truth.

    Parameters
    ----------
    calendar
        Dates.
    unit_codes
        Codes of all units.
    community
        Which units are communities.
    rng
        Random stream.
    idle
        Whether to plant nothing at all.
    """

    def __init__(
        self,
        calendar: Calendar,
        unit_codes: Sequence[str],
        community: Mask,
        rng: np.random.Generator,
        *,
        idle: bool = False,
    ) -> None:
        self._idle = idle
        self._calendar = calendar
        self._codes = np.array(unit_codes)
        self._community = community
        self._rng = rng
        self._rows: list[tuple[str, str, str, str]] = []

    def truth(self) -> pd.DataFrame:
        """Return what was planted, sorted."""
        frame = pd.DataFrame(self._rows, columns=list(TRUTH_COLUMNS), dtype="str")
        return frame.sort_values(list(TRUTH_COLUMNS), kind="stable", ignore_index=True)

    def _note(self, fault: str, unit: int | str, table: str, **detail: Any) -> None:
        code = unit if isinstance(unit, str) else str(self._codes[unit])
        plain = {k: v.isoformat() if isinstance(v, dt.date) else v for k, v in detail.items()}
        self._rows.append((fault, code, table, json.dumps(plain, ensure_ascii=False, sort_keys=True)))

    def _pick(self, full: int, among: Array | Integers) -> list[int]:
        """Return about ``full`` units of a full city, fewer in a smaller one, at least two; idle, none."""
        if self._idle:
            return []
        wanted = min(max(2, round(full * len(self._codes) / FULL_SIZE)), len(among))
        return sorted(int(u) for u in self._rng.choice(np.asarray(among), wanted, replace=False))

    def _units_of(self, frame: pd.DataFrame) -> Integers:
        return np.searchsorted(self._codes, frame["unit_code"].to_numpy(dtype=self._codes.dtype)).astype(
            np.int64
        )

    def roll_checks(self, check: RollCheck) -> None:
        """Plant gaps, duplicates and surges into the last check of the roll."""
        rng, every = self._rng, np.arange(len(self._codes))
        as_of = self._calendar.as_of
        for unit in self._pick(26, every):
            cohort = int(rng.choice([0, 1, 5]))
            expected = int(check.expected[unit, cohort])
            check.registered[unit, cohort] = round(expected * rng.uniform(0.25, 0.55))
            check.duplicates[unit, cohort] = 0
            self._note(
                "roll_gap", unit, "roll_checks", as_of=as_of, cohort=_COHORTS[cohort], expected=expected
            )
        for unit in self._pick(20, every):
            extra = np.round(check.expected[unit] * rng.uniform(0.05, 0.10)).astype(np.int64) + 2
            check.duplicates[unit] += extra
            check.registered[unit] += extra
            self._note("roll_duplicates", unit, "roll_checks", as_of=as_of, people=int(extra.sum()))
        for unit in self._pick(15, every):
            extra = np.round(check.expected[unit] * rng.uniform(0.14, 0.30)).astype(np.int64) + 3
            check.registered[unit] += extra
            self._note("registration_surge", unit, "roll_checks", as_of=as_of, people=int(extra.sum()))

    def proxy_share(self, history: pd.DataFrame) -> None:
        """Plant an excess of proxy ballots into the last election, beyond the 34 % of ordinary ones."""
        last = np.flatnonzero((history["term"] == history["term"].max()).to_numpy(dtype=np.bool_))
        ballots = history["ballots"].to_numpy(dtype=np.int64)
        for row in self._pick(20, last):
            proxies = round(int(ballots[row]) * self._rng.uniform(0.45, 0.70))
            history.loc[row, "proxy_ballots"] = proxies
            term = int(history["term"].iloc[row])
            self._note(
                "proxy_share", _text(history, row), "election_history", proxy_ballots=proxies, term=term
            )

    def leads_burst(self, leads: pd.DataFrame) -> pd.DataFrame:
        """Plant bursts of leads about vote buying within the last three weeks."""
        codes: list[str] = []
        days: list[int] = []
        counts: list[int] = []
        for unit in self._pick(18, np.arange(len(self._codes))):
            days += (self._calendar.today - np.sort(self._rng.choice(21, 5, replace=False))).tolist()
            counts += self._rng.integers(1, 4, 5).tolist()
            codes += [str(self._codes[unit])] * 5
            self._note("leads_burst", unit, "leads", count=sum(counts[-5:]), days=21)
        made = conform(
            "leads",
            {
                "unit_code": codes,
                "received_on": np.array(days),
                "kind": [LeadKind.VOTE_BUYING.value] * len(codes),
                "count": counts,
            },
        )
        both = pd.concat([leads, made], ignore_index=True)
        summed = both.groupby(["unit_code", "received_on", "kind"], sort=True)["count"].sum().reset_index()
        return conform(
            "leads",
            {
                "unit_code": summed["unit_code"],
                "received_on": _days(summed["received_on"]),
                "kind": summed["kind"],
                "count": summed["count"],
            },
        )

    def reviews(self, reviews: pd.DataFrame) -> pd.DataFrame:
        """Plant expired and missing opinions."""
        owner = self._units_of(reviews)
        given = reviews["given_on"].notna().to_numpy()
        for unit in self._pick(36, np.unique(owner[given])):
            row = int(self._rng.choice(np.flatnonzero((owner == unit) & given)))
            expired = self._calendar.today - int(self._rng.integers(3, 40))
            _set_day(reviews, row, "given_on", expired - 180)
            _set_day(reviews, row, "expires_on", expired)
            self._note("review_expired", unit, "reviews", **_key(reviews, row, "candidate_ref", "department"))
        dropped = []
        for unit in self._pick(24, np.unique(owner)):
            row = int(self._rng.choice(np.flatnonzero(owner == unit)))
            dropped.append(row)
            self._note("review_missing", unit, "reviews", **_key(reviews, row, "candidate_ref", "department"))
        return reviews.drop(index=dropped).reset_index(drop=True)

    def audit_notices(self, projects: pd.DataFrame, notices: pd.DataFrame) -> None:
        """Plant pairs of notices that look like two but overlap, and notices cut short."""
        current = projects.sort_values("started_on", kind="stable").groupby("unit_code")["project_id"].last()
        mine = notices["project_id"].isin(current) & notices["end_on"].notna()
        rows = np.flatnonzero(mine.to_numpy(dtype=np.bool_))
        project = notices["project_id"].to_numpy(dtype=np.str_)[rows]
        seconds = rows[1:][project[1:] == project[:-1]]
        start, end = _days(notices["start_on"]), _days(notices["end_on"])
        for nth, row in enumerate(self._pick(50, seconds)):
            unit = _text(notices, row)
            if nth % 2:
                begin = int(end[row - 1]) - int(self._rng.integers(0, 3))
                _set_day(notices, row, "start_on", begin)
                _set_day(notices, row, "end_on", begin + int(end[row] - start[row]))
                self._note("notice_overlap", unit, "audit_notices", **_key(notices, row, "notice_id"))
            else:
                days = int(self._rng.integers(2, 5))
                _set_day(notices, row, "end_on", int(start[row]) + days - 1)
                self._note(
                    "notice_short", unit, "audit_notices", days=days, **_key(notices, row, "notice_id")
                )

    def audit_members(self, projects: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
        """Plant members without a conclusion, and members left off the list, where the audit has ended."""
        last = projects.sort_values("started_on", kind="stable").groupby("unit_code").tail(1)
        done = last.loc[last["ended_on"].notna(), "project_id"].sort_values()
        serving = np.flatnonzero((subjects["project_id"].isin(done) & subjects["term_to"].isna()).to_numpy())
        project = subjects["project_id"].to_numpy(dtype=np.str_)
        dropped = []
        for nth, position in enumerate(self._pick(36, np.arange(len(done)))):
            row = int(self._rng.choice(serving[project[serving] == done.iloc[position]]))
            unit = _text(subjects, row)
            if nth % 2:
                dropped.append(row)
                self._note("member_unlisted", unit, "audit_subjects", **_key(subjects, row, "person_ref"))
            else:
                subjects.loc[row, "outcome"] = AuditOutcome.PENDING.value
                subjects.loc[row, "concluded_on"] = pd.NaT
                self._note("member_skipped", unit, "audit_subjects", **_key(subjects, row, "person_ref"))
        return subjects.drop(index=dropped).reset_index(drop=True)

    def audit_problems(self, projects: pd.DataFrame, problems: pd.DataFrame) -> pd.DataFrame:
        """Plant problems that are open past their date."""
        last = projects.sort_values("started_on", kind="stable").groupby("unit_code").tail(1)
        last = last[last["ended_on"].notna()].sort_values("unit_code")
        ended = _days(last["ended_on"])
        chosen = self._pick(44, np.flatnonzero(self._calendar.today - ended > 75))
        project = last["project_id"].iloc[chosen].tolist()
        codes = last["unit_code"].iloc[chosen].tolist()
        community = self._community[np.searchsorted(self._codes, np.array(codes))]
        kinds = [UnitKind.COMMUNITY if urban else UnitKind.VILLAGE for urban in community.tolist()]
        due = self._calendar.today - self._rng.integers(5, 60, len(chosen))
        ids = [f"{p}-P90" for p in project]
        for problem_id, code in zip(ids, codes, strict=True):
            self._note("problem_overdue", code, "audit_problems", problem_id=problem_id)
        made = conform(
            "audit_problems",
            {
                "problem_id": ids,
                "project_id": project,
                "unit_code": codes,
                "item": [AuditItem.required(kind)[0].value for kind in kinds],
                "severity": [Severity.MINOR.value] * len(ids),
                "found_on": ended[chosen] - 3,
                "due_on": due,
                "owner": ["镇街农经站"] * len(ids),
            },
        )
        both = pd.concat([problems, made], ignore_index=True)
        return both.sort_values("problem_id", kind="stable", ignore_index=True)

    def disputes(self, disputes: pd.DataFrame) -> pd.DataFrame:
        """Plant open disputes that nobody answers for."""
        codes = [str(self._codes[unit]) for unit in self._pick(40, np.arange(len(self._codes)))]
        ids = [f"{code}-D900" for code in codes]
        for dispute_id, code in zip(ids, codes, strict=True):
            self._note("dispute_without_plan", code, "disputes", dispute_id=dispute_id)
        made = conform(
            "disputes",
            {
                "dispute_id": ids,
                "unit_code": codes,
                "category": [DisputeCategory.LAND.value] * len(ids),
                "opened_on": self._calendar.today - self._rng.integers(35, 120, len(ids)),
                "is_group": [False] * len(ids),
                "people_involved": [4] * len(ids),
                "has_leader": [False] * len(ids),
            },
        )
        both = pd.concat([disputes, made], ignore_index=True)
        return both.sort_values("dispute_id", kind="stable", ignore_index=True)

    def hot_spots(self, book: FactBook, pairs: Integers) -> None:
        """Plant bursts of petitions in the last three months in a few clusters of neighbours."""
        total, grouped = book.values["petitions_total"], book.values["petitions_group"]
        for nth, centre in enumerate(self._pick(3, np.arange(len(self._codes)))):
            for unit in _around(centre, pairs, wanted=10):
                burst = self._rng.poisson(6.0, 3) + 3
                total[unit, -3:] += burst
                grouped[unit, -3:] += self._rng.binomial(burst, 0.08)
                self._note("petition_burst", unit, "facts", cluster=nth, extra=int(burst.sum()))

    def revised(self, book: FactBook) -> None:
        """Note figures of the last yearly report that were first reported otherwise and since revised.

        The table holds the revised figure; the truth holds the first, from which the earlier edition of the
        table can be rebuilt.
        """
        year = book.calendar.years[-2] if len(book.calendar.years) > 1 else book.calendar.years[-1]
        for unit in self._pick(30, np.arange(len(self._codes))):
            metric = str(self._rng.choice(["resident_population", "collective_income", "collective_debt"]))
            value = float(book.values[metric][unit, year])
            if np.isnan(value):
                continue
            first = float(np.round(value * self._rng.choice([0.1, 0.85, 1.2, 10.0]), 0))
            self._note(
                "fact_revised",
                unit,
                "facts",
                as_of=book.calendar.month_ends[year],
                first_reported=first,
                metric=metric,
            )

    def late_returns(
        self, book: FactBook, townships: Integers, office: Array, paper: Mask
    ) -> dict[str, list[int]]:
        """Leave out the latest figures of units that have not reported yet.

        Most lie in the few most careless townships. Townships that file on paper are left alone: their
        gaps lie in the workbooks.

        Returns
        -------
        dict of list of int
            Units that sent neither roll checks (``roll_checks``) nor talks (``talks``).
        """
        size = int(townships.max()) + 1
        careless = np.zeros(size)
        careless[townships] = office
        allowed = np.ones(size, dtype=np.bool_)
        allowed[townships[paper]] = False
        worst = [t for t in np.argsort(-careless, kind="stable").tolist() if allowed[t]]
        worst = worst[: max(1, round(10 * len(self._codes) / FULL_SIZE))]
        here = np.isin(townships, worst)
        chance = np.where(here, 0.68, np.where(paper, 0.0, 0.040)) * (not self._idle)
        late = np.flatnonzero(self._rng.random(len(self._codes)) < chance)
        gone: dict[str, list[int]] = {"roll_checks": [], "talks": []}
        for unit in late.tolist():
            keep = 0.14 if here[unit] else 0.72
            groups = [g for g in _LATE_GROUPS if self._rng.random() > keep] or [_LATE_GROUPS[0]]
            for metric in (m for g in groups for m in g):
                stock = metric not in (
                    "petitions_total",
                    "petitions_group",
                    "meetings_held",
                    "disclosures_on_time",
                )
                recent = book.calendar.days > book.calendar.today - (430 if stock else 62)
                book.values[metric][unit, recent] = np.nan
                self._note("late_return", unit, "facts", metric=metric)
            for table, units in gone.items():
                if here[unit] and self._rng.random() < 0.6:
                    units.append(unit)
                    self._note("late_return", unit, table)
        return gone


def _days(stamps: pd.Series[Any]) -> Integers:
    return stamps.to_numpy().astype("datetime64[D]").astype(np.int64)


def _set_day(frame: pd.DataFrame, row: int, column: str, day: int) -> None:
    frame.loc[row, column] = pd.Timestamp(np.int64(day).astype("datetime64[D]").astype(DATE_DTYPE))


def _text(frame: pd.DataFrame, row: int, column: str = "unit_code") -> str:
    return str(frame[column].iloc[row])


def _key(frame: pd.DataFrame, row: int, *columns: str) -> dict[str, str]:
    return {column: _text(frame, row, column) for column in columns}


def _around(centre: int, pairs: Integers, wanted: int) -> list[int]:
    """Return a unit and its nearest neighbours on the graph, breadth first."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    found, queue = [centre], [centre]
    while queue and len(found) < wanted:
        here = queue.pop(0)
        for other in np.sort(both[both[:, 0] == here, 1]).tolist():
            if other not in found and len(found) < wanted:
                found.append(other)
                queue.append(other)
    return found
