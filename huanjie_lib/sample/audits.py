"""Audits: a mid-term round, and the round before the election that advances toward completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.frames import NO_DAY, conform, text_of
from huanjie_lib.sample.latent import Factors
from huanjie_lib.sample.streams import Array, Integers, Mask, Texts, steady
from huanjie_lib.vocabulary import AuditItem, AuditOutcome, AuditType, PostKind, Severity, UnitKind

__all__ = ["Refs", "make_audits"]

_DEPARTMENTS = ("纪委监委、财政、农经", "纪委监委、财政、农经、审计", "财政、农经", "纪委监委、财政")
_PLACES = ("村务公开栏", "党群服务中心", "村民小组公示点", "公开栏及微信群", "小区公告栏")
_OWNERS = ("村（居）委会", "镇街农经站", "镇街财政所", "镇街纪（工）委")
_CLEAR, _UNCLEAR, _PENDING = (
    o.value for o in (AuditOutcome.CLEAR, AuditOutcome.UNCLEAR, AuditOutcome.PENDING)
)


Columns: TypeAlias = dict[str, npt.NDArray[Any]]


class Refs:
    """Maker of opaque references, none given twice."""

    def __init__(self, rng: np.random.Generator, prefix: str) -> None:
        self._rng = rng
        self._prefix = prefix
        self._given: set[int] = set()

    def take(self, count: int) -> list[str]:
        """Return ``count`` new references."""
        made: list[str] = []
        while len(made) < count:
            for number in self._rng.integers(0, 1 << 40, count - len(made)).tolist():
                if number not in self._given:
                    self._given.add(number)
                    made.append(f"{self._prefix}{number:010x}")
        return made


@dataclass(frozen=True)
class _Round:
    """One round of audits: units audited and when, in day numbers."""

    name: str
    units: Integers
    planned: Array
    started: Array
    ended: Array
    second_notice: float
    trouble: Array


def make_audits(
    calendar: Calendar,
    unit_codes: Sequence[str],
    community: Mask,
    committee: Integers,
    factors: Factors,
    refs: Refs,
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """Draw the five audit ledgers and the leavers.

    Parameters
    ----------
    calendar
        Dates.
    unit_codes, community
        Codes and kinds of the units.
    committee
        Members who held a post during the term, by unit.
    factors
        Hidden factors: troubled units are audited later and leave more open.
    refs
        Maker of the members' pseudonyms.
    rng
        Random stream.
    """
    today = calendar.today
    size = len(unit_codes)
    trouble = factors.base["audit"]
    every = np.arange(size)
    earlier = np.flatnonzero(rng.random(size) < 0.93 - 0.05 * np.clip(trouble, -1, 2))
    middle = _schedule("M", earlier, today - 960.0 + rng.uniform(0, 170, size), (30, 60), 0.30, trouble, rng)
    late = 24.0 * np.clip(factors.township, 0, 3) + 18.0 * np.clip(trouble, 0.0, 3.2)
    begin = today - 315.0 + 190.0 * rng.beta(2.0, 1.6, size) + late * rng.uniform(0.2, 1.1, size)
    final = _schedule(
        "H", every[begin < today], begin, (32, 66), 0.985, trouble + 0.45 * factors.township, rng
    )
    people = _People(refs, committee, calendar, rng)
    parts = [_ledgers(r, calendar, unit_codes, community, people, rng) for r in (middle, final)]
    tables = {
        name: conform(name, {c: np.concatenate([p[name][c] for p in parts]) for c in parts[0][name]})
        for name in parts[0]
    }
    tables["leavers"] = people.leavers(unit_codes, calendar, rng)
    return tables


def _schedule(
    name: str,
    units: Integers,
    begin: Array,
    duration: tuple[float, float],
    second_notice: float,
    trouble: Array,
    rng: np.random.Generator,
) -> _Round:
    size = len(begin)
    started = np.floor(steady(begin))
    length = rng.uniform(*duration, size) * np.exp(0.16 * np.clip(trouble, -2, 3))
    planned = started - np.floor(rng.uniform(7, 30, size))
    ended = np.floor(steady(started + length))
    return _Round(name, units, planned, started, ended, second_notice, trouble)


class _People:
    """Committee members of the term; the same people stand under both rounds of audit."""

    def __init__(self, refs: Refs, committee: Integers, calendar: Calendar, rng: np.random.Generator) -> None:
        self.unit = np.repeat(np.arange(len(committee)), committee)
        first = np.concatenate([[0], np.cumsum(committee)[:-1]])
        self.rank = np.arange(len(self.unit)) - first[self.unit]
        self.ref = np.array(refs.take(len(self.unit)))
        size = committee[self.unit]
        deputy = (self.rank == 2) & (size >= 5)
        overseer = self.rank == size - 1
        posts = np.select(
            [self.rank == 0, self.rank == 1, deputy, overseer],
            [PostKind.SECRETARY, PostKind.DIRECTOR, PostKind.DEPUTY, PostKind.SUPERVISION],
            default=PostKind.MEMBER,
        )
        self.post = posts.astype(str)
        self.term_from = np.int64(calendar.today) - 2030 + rng.integers(0, 60, len(committee))[self.unit]
        leaving = rng.random(len(self.unit)) < 0.075
        left = calendar.today - rng.integers(20, 420, len(self.unit))
        self.term_to = np.where(leaving & (self.rank > 0), left, NO_DAY)

    def leavers(
        self, unit_codes: Sequence[str], calendar: Calendar, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Return the ``leavers`` table: members whose term ended before ``as_of``."""
        gone = np.flatnonzero(self.term_to != NO_DAY)
        placed = rng.random(len(gone)) < 0.78
        words = ("荣誉职务", "创业扶持", "关怀补助", "公益岗位")
        arranged = calendar.past(self.term_to[gone] + rng.integers(5, 90, len(gone)))
        arranged = np.where(placed, arranged, NO_DAY)
        kind = np.where(arranged == NO_DAY, -1, rng.integers(0, len(words), len(gone)))
        return conform(
            "leavers",
            {
                "person_ref": self.ref[gone],
                "unit_code": text_of(unit_codes, self.unit[gone]),
                "left_on": self.term_to[gone],
                "arrangement": text_of(words, kind),
                "arranged_on": arranged,
            },
        )


def _ledgers(
    audit: _Round,
    calendar: Calendar,
    unit_codes: Sequence[str],
    community: Mask,
    people: _People,
    rng: np.random.Generator,
) -> dict[str, Columns]:
    codes = np.array(unit_codes)
    year = str(calendar.as_of.year - 2) if audit.name == "M" else str(calendar.as_of.year)
    ids = np.char.add(codes, f"-A{year}")
    units = audit.units
    leaving = np.isin(units, people.unit[(people.term_to != NO_DAY) & (people.rank <= 1)])
    quality = audit.trouble[units]
    projects = {
        "project_id": ids[units],
        "unit_code": codes[units],
        "audit_type": np.where(leaving & (audit.name == "H"), AuditType.LEAVING.value, AuditType.TERM.value),
        "plan_on": calendar.past(audit.planned[units]),
        "started_on": calendar.past(audit.started[units]),
        "ended_on": calendar.past(audit.ended[units]),
        "departments": np.array(_DEPARTMENTS)[
            np.searchsorted(np.array([0.62, 0.85, 0.95]), rng.random(len(units)) + 0.03 * quality).clip(0, 3)
        ],
        "supervision_present": rng.random(len(units)) < 0.96 - 0.04 * np.clip(quality, 0, 3),
        "representatives": 2 + rng.poisson(1.6, len(units)),
    }
    items = _items(audit, calendar, codes, ids, community, rng)
    return {
        "audit_projects": projects,
        "audit_items": items,
        "audit_subjects": _subjects(audit, calendar, codes, ids, people, rng),
        "audit_notices": _notices(audit, calendar, codes, ids, rng),
        "audit_problems": _problems(audit, calendar, codes, ids, community, rng),
    }


def _items(
    audit: _Round,
    calendar: Calendar,
    codes: Texts,
    ids: Texts,
    community: Mask,
    rng: np.random.Generator,
) -> Columns:
    unit_parts, item_parts = [], []
    for kind, here in ((UnitKind.VILLAGE, ~community), (UnitKind.COMMUNITY, community)):
        mine = audit.units[here[audit.units]]
        required = AuditItem.required(kind)
        unit_parts.append(np.repeat(mine, len(required)))
        item_parts.append(np.tile(np.array([i.value for i in required]), len(mine)))
    unit, item = np.concatenate(unit_parts), np.concatenate(item_parts)
    length = audit.ended[unit] - audit.started[unit]
    done = calendar.past(audit.started[unit] + np.floor(length * rng.uniform(0.45, 1.0, len(unit))))
    stuck = rng.random(len(unit)) < steady(np.clip(0.0034 * np.exp(0.95 * audit.trouble[unit]), 0, 0.25))
    done = np.where(stuck & (audit.name == "H"), NO_DAY, done)
    doubt = rng.random(len(unit)) < steady(np.clip(0.0022 * np.exp(0.85 * audit.trouble[unit]), 0, 0.12))
    outcome = np.where(done == NO_DAY, _PENDING, np.where(doubt, _UNCLEAR, _CLEAR))
    amount = np.round(steady(np.exp(rng.normal(11.6, 1.1, len(unit)))), -2)
    return {
        "project_id": ids[unit],
        "unit_code": codes[unit],
        "item": item,
        "outcome": outcome,
        "concluded_on": done,
        "amount": np.where(done == NO_DAY, np.nan, amount),
    }


def _subjects(
    audit: _Round,
    calendar: Calendar,
    codes: Texts,
    ids: Texts,
    people: _People,
    rng: np.random.Generator,
) -> Columns:
    listed = np.isin(people.unit, audit.units)
    unit = people.unit[listed]
    length = audit.ended[unit] - audit.started[unit]
    done = calendar.past(audit.started[unit] + np.floor(length * rng.uniform(0.6, 1.0, len(unit))))
    stuck = rng.random(len(unit)) < steady(np.clip(0.0026 * np.exp(0.95 * audit.trouble[unit]), 0, 0.25))
    done = np.where(stuck & (audit.name == "H"), NO_DAY, done)
    doubt = rng.random(len(unit)) < steady(np.clip(0.001 * np.exp(0.8 * audit.trouble[unit]), 0, 0.05))
    return {
        "project_id": ids[unit],
        "unit_code": codes[unit],
        "person_ref": people.ref[listed],
        "post": people.post[listed],
        "term_from": people.term_from[listed],
        "term_to": people.term_to[listed],
        "outcome": np.where(done == NO_DAY, _PENDING, np.where(doubt, _UNCLEAR, _CLEAR)),
        "concluded_on": done,
    }


def _notices(
    audit: _Round, calendar: Calendar, codes: Texts, ids: Texts, rng: np.random.Generator
) -> Columns:
    units = audit.units
    size = len(units)
    lag = np.exp(0.35 * np.clip(audit.trouble[units], -1.5, 2.5))
    start = np.floor(steady(audit.ended[units] + 2.0 + rng.uniform(1, 9, size) * lag))
    end = start + 4 + rng.choice(np.array([0, 1, 2, 4, 6]), size, p=[0.42, 0.16, 0.18, 0.14, 0.10])
    again = np.floor(steady(end + 1 + rng.uniform(1, 16, size) * lag))
    again_end = again + 4 + rng.choice(np.array([0, 1, 2, 4, 6]), size, p=[0.42, 0.16, 0.18, 0.14, 0.10])
    twice = rng.random(size) < audit.second_notice - 0.03 * np.clip(audit.trouble[units], 0, 3)
    unit = np.concatenate([units, units[twice]])
    first_day = np.concatenate([start, again[twice]])
    last_day = np.concatenate([end, again_end[twice]])
    number = np.concatenate([np.full(size, "-G1"), np.full(int(twice.sum()), "-G2")])
    objections = rng.poisson(steady(np.clip(0.28 * np.exp(0.7 * audit.trouble[unit]), 0, 4)))
    answered = rng.binomial(objections, steady(np.clip(0.86 - 0.10 * audit.trouble[unit], 0.3, 0.98)))
    posted = first_day <= calendar.today
    return {
        "notice_id": np.char.add(ids[unit], number)[posted],
        "project_id": ids[unit][posted],
        "unit_code": codes[unit][posted],
        "start_on": first_day[posted].astype(np.int64),
        "end_on": calendar.past(last_day[posted]),
        "place": np.array(_PLACES)[rng.integers(0, len(_PLACES), len(unit))][posted],
        "objections": objections[posted],
        "answered": answered[posted],
    }


def _problems(
    audit: _Round,
    calendar: Calendar,
    codes: Texts,
    ids: Texts,
    community: Mask,
    rng: np.random.Generator,
) -> Columns:
    count = rng.poisson(steady(np.clip(0.7 * np.exp(0.52 * audit.trouble[audit.units]), 0.0, 6.0)))
    unit = np.repeat(audit.units, count)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    number = np.arange(len(unit)) - np.repeat(first, count) + 1
    trouble = audit.trouble[unit]
    length = audit.ended[unit] - audit.started[unit]
    found = audit.started[unit] + np.floor(length * rng.uniform(0.4, 1.0, len(unit)))
    due = found + rng.choice(np.array([45, 60, 90, 120]), len(unit), p=[0.15, 0.35, 0.35, 0.15])
    took = np.floor(steady(rng.gamma(2.0, 23.0, len(unit)) * np.exp(0.40 * np.clip(trouble, -1.5, 2.8))))
    closed = calendar.past(np.minimum(found + took, found + (340 if audit.name == "M" else 10_000)))
    village = [i.value for i in AuditItem.required(UnitKind.VILLAGE)]
    urban = [i.value for i in AuditItem.required(UnitKind.COMMUNITY)]
    item = np.where(
        community[unit],
        np.array(urban)[rng.integers(0, len(urban), len(unit))],
        np.array(village)[rng.integers(0, len(village), len(unit))],
    )
    severity = np.where(rng.random(len(unit)) < 0.17, Severity.MAJOR.value, Severity.MINOR.value)
    seen = found <= calendar.today
    labels = np.array([f"-P{n}" for n in range(int(number.max(initial=0)) + 1)])
    evidence = np.char.add(np.char.add("ZG-", ids[unit]), labels[number]).astype(object)
    evidence[closed == NO_DAY] = None
    columns: Columns = {
        "problem_id": np.char.add(ids[unit], labels[number]),
        "project_id": ids[unit],
        "unit_code": codes[unit],
        "item": item,
        "severity": severity,
        "found_on": found.astype(np.int64),
        "due_on": due.astype(np.int64),
        "closed_on": closed,
        "owner": np.array(_OWNERS)[rng.integers(0, len(_OWNERS), len(unit))],
        "evidence": evidence,
    }
    return {name: values[seen] for name, values in columns.items()}
