"""The conflict ledger (矛盾化解台账) of a day: screening, incidents, plans, talks, arrangements for leavers.

Everything is computed from the contract tables as they stood on the day, by the rules of evidence of
:mod:`huanjie_lib.risk.indicators`: what nobody recorded is unknown and is told, never counted as done. An
incident is described by its category, dates and plans, never by persons; of talks only their number is held.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.contracts import SOURCE_COLUMNS
from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.indicators import counted_screenings, disputes_lacking, latest_report, open_disputes
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Bools, Floats, Ints, Prepared, Rows
from huanjie_lib.vocabulary import DisputeCategory, Level, ScreeningMethod, TalkTarget, Word, date_text

__all__ = [
    "AGE_LADDER",
    "LABELS",
    "ConflictLedger",
    "Held",
    "Placement",
    "Screened",
    "conflict_ledger",
    "disputes_text",
    "leavers_text",
    "talks_text",
    "unit_plan_state",
]

AGE_LADDER: Final[Mapping[str, int]] = MappingProxyType(
    {"30天以内": 30, "31至90天": 90, "91至180天": 180, "181至365天": 365}
)
"""Rungs of an open incident's age with their last day; older is :data:`OLDEST`."""
OLDEST: Final = "一年以上"

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "adrift": "停用单位名下未化解",
        "age_band": "时长分级",
        "arranged_on": "安置日期",
        "arrangement": "安置方式",
        "as_of": "截至日期",
        "category": "矛盾类别",
        "code": "代码",
        "county_code": "县区代码",
        "days": "历时天数",
        "dispute_id": "矛盾编号",
        "disputes_open": "未化解矛盾",
        "disputes_unknown": "矛盾情况不明的单位",
        "done": "已谈人数",
        "due": "应谈人数",
        "earlier": "同类矛盾此前化解次数",
        "groups_open": "其中群体性",
        "groups_unstated": "未注明是否群体性",
        "has_leader": "包干领导",
        "households_visited": "走访户数",
        "in_force": "单位代码在用",
        "is_group": "群体性",
        "lacking": "缺少",
        "leader": "包干领导",
        "leader_on": "包干日期",
        "leader_state": "包干领导情况",
        "leavers": "离任人员",
        "led": "书记带队",
        "led_by_secretary": "书记带队",
        "led_share": "书记带队率",
        "left_on": "离任日期",
        "level": "范围",
        "longest_wait": "最长等待安置天数",
        "method": "摸排方式",
        "never": "未摸排",
        "oldest_days": "最久未化解天数",
        "open": "未化解",
        "opened_on": "发生日期",
        "outstanding": "未谈人数",
        "people_involved": "涉及人数",
        "person_ref": "人员代号",
        "plan_complete": "一村一策齐全",
        "plan_lacking": "一村一策缺少",
        "planned": "一村一策齐全",
        "red": "红色",
        "red_planned": "红色中一村一策齐全",
        "red_share": "红色一村一策齐全率",
        "red_unknown": "红色中情况不明",
        "resolution_plan_on": "化解方案日期",
        "resolution_state": "化解方案情况",
        "resolved_on": "化解日期",
        "screened": "摸排有效",
        "screened_on": "最近摸排日期",
        "screened_share": "摸排覆盖率",
        "screening": "摸排情况",
        "screening_days": "距最近摸排天数",
        "screening_lapsed": "摸排已超期",
        "screening_unknown": "摸排情况不明",
        "stabilisation_plan_on": "稳控预案日期",
        "stabilisation_state": "稳控预案情况",
        "status": "安置情况",
        "subject": "台账行",
        "talks_done": "已谈人数",
        "talks_due": "应谈人数",
        "talks_on": "谈话统计日期",
        "talks_unknown": "谈话情况不明的单位",
        "target": "谈话对象",
        "township_code": "镇街代码",
        "twice": "疑似重复登记",
        "unit_code": "统计用区划代码",
        "units": "单位数",
        "unplaced": "尚未安置",
        "waiting_days": "等待安置天数",
        "without_leader": "缺包干领导",
        "without_plan": "缺任一项",
        "without_resolution": "缺化解方案",
        "without_stabilisation": "缺稳控预案",
        **{c.name: c.label for c in SOURCE_COLUMNS},
    }
)
"""Chinese heading of every column of the ledger's tables."""

_SCREENING_RULE: Final = "screening_max_age_days"
_THREE: Final = ("包干领导", "稳控预案", "化解方案")
_UNSTATED: Final = "未注明"


class Screened(Word):
    """Whether a unit's last conflict screening still counts."""

    IN_TIME = "in_time", "有效"
    LAPSED = "lapsed", "已超期"
    NEVER = "never", "未摸排"
    UNKNOWN = "unknown", "情况不明"


class Held(Word):
    """Whether an official or a plan is there on the day. Only :attr:`THERE` counts as having it."""

    THERE = "there", "已有"
    UNDATED = "undated", "未注明日期"
    LACKING = "lacking", "缺少"
    UNKNOWN = "unknown", "情况不明"


class Placement(Word):
    """Whether somebody who left the committee has an arrangement, with its kind and date."""

    PLACED = "placed", "已安置"
    UNSTATED = "unstated", "安置方式或日期未注明"
    WAITING = "waiting", "尚未安置"


@dataclass(frozen=True)
class ConflictLedger:
    """The conflict ledger of a city on one day; headings in :data:`LABELS`.

    Parameters
    ----------
    units
        One row per unit in force, by unit code: screening (:class:`Screened`), screened_on, screening_days,
        method (label), led_by_secretary, households_visited of the last screening; disputes_open,
        groups_open, groups_unstated, oldest_days, without_leader, without_stabilisation, without_resolution,
        without_plan (any of the three), missing where nobody has looked; leader, leader_on, the dates of the
        two plans and the state of each (:class:`Held`), plan_complete, plan_lacking; talks_on, talks_due,
        talks_done; leavers, unplaced, longest_wait (days).
    coverage
        One row for the city, each county and each township (level, code): counts of units and of the columns
        above; screened_share among all units, led_share among units screened in time. Missing where there is
        no such ledger at all. ``adrift`` counts open incidents of units out of force without a successor.
    disputes
        One row per incident recorded by the day, under the unit that answers for it; those of units out of
        force without a successor are told all the same (in_force): category (label), days
        (so far where open, else taken), age_band of open ones, lacking, twice (unit, category and date stand
        under several numbers), earlier (incidents of the unit and category resolved by the day it began),
        subject. A resolution or plan dated after the day is not there yet.
    talks
        Restricted. One row per unit and kind of person of the unit's last report: due, done, outstanding.
    leavers
        Restricted. One row per member who has left by the day, or left without a date: status
        (:class:`Placement`), waiting_days.
    as_of
        The day.
    limit
        Days for which a screening counts, or ``None`` where the parameters have no such rule.
    version
        Version of the parameters.
    """

    units: pd.DataFrame
    coverage: pd.DataFrame
    disputes: pd.DataFrame
    talks: pd.DataFrame
    leavers: pd.DataFrame
    as_of: dt.date
    limit: int | None
    version: str

    def __repr__(self) -> str:
        """Return numbers of units, of those screened in time and of open incidents; date and version."""
        screened = int((self.units["screening"] == Screened.IN_TIME.value).sum())
        return (
            f"ConflictLedger(units={len(self.units)}, screened={screened}, "
            f"disputes_open={int(self.disputes['open'].sum())}, as_of={self.as_of}, "
            f"parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit."""
        return self.units.copy()

    def plan_coverage(self, level: pd.Series[str]) -> pd.DataFrame:
        """Return how many red units have an official and both plans, by city, county and township.

        Parameters
        ----------
        level
            Level by unit code. Units without one are not counted.

        Returns
        -------
        pandas.DataFrame
            level, code, red, red_planned, red_unknown (no ledger of plans), red_share; in the order of
            ``coverage``. The share is missing where there is no red unit or no ledger.
        """
        red = self.units["unit_code"].map(level) == Level.RED.value
        complete = self.units["plan_complete"]
        mine = self.units.assign(
            city=_CITY,
            red=red,
            red_planned=red & complete.fillna(False).astype("bool"),
            red_unknown=red & complete.isna(),
        )
        names = ["red", "red_planned", "red_unknown"]
        counts = [
            mine.groupby(column)[names].sum().rename_axis("code").reset_index().assign(level=area)
            for area, column in _AREAS.items()
        ]
        table = pd.concat(counts, ignore_index=True)[["level", "code", *names]]
        known = table["red"] > table["red_unknown"]
        return table.assign(red_share=_share(table["red_planned"].where(known), table["red"]))

    def explain(self, unit_code: str) -> str:
        """Return in Chinese how a unit stands: screening, incidents, plans, talks, leavers.

        Raises
        ------
        KeyError
            If no such unit is in force.
        """
        row: dict[str, Any] = dict(self.units.iloc[self._place[unit_code]])
        parts = (_screening_text(row, self.limit), disputes_text(row), _plan_text(row), talks_text(row))
        text = f"截至{date_text(self.as_of)}，{unit_code}{'；'.join(parts)}；{leavers_text(row)}。"
        twice = self.disputes[
            (self.disputes["unit_code"] == unit_code) & self.disputes["twice"] & self.disputes["open"]
        ]
        if len(twice):
            text += f"编号{'、'.join(twice['dispute_id'])}疑似同一矛盾重复登记，请核对。"
        return text

    @cached_property
    def _place(self) -> dict[str, int]:
        return {code: place for place, code in enumerate(self.units["unit_code"])}


def conflict_ledger(prepared: Prepared, parameters: ParameterSet, as_of: dt.date) -> ConflictLedger:
    """Compute the conflict ledger of a day; nothing dated later is used.

    Parameters
    ----------
    prepared
        Tables laid out by :func:`huanjie_lib.risk.prepared.prepare`. A table that was not supplied leaves its
        figures missing.
    parameters
        For how many days a screening counts: the option of the pack's screening gate, else the rule
        ``screening_max_age_days``.
    as_of
        The day.

    Raises
    ------
    ParameterError
        If the rule that the screening gate refers to is not in force on the day.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> screenings = pd.DataFrame({"unit_code": ["990101001201"], "screening_id": ["s1"],
    ...                            "screened_on": pd.to_datetime(["2026-09-01"]), "method": ["visit"],
    ...                            "led_by_secretary": [True], "households_visited": [120]})
    >>> ledger = conflict_ledger(prepare({"units": units, "screenings": screenings}), load_parameters(),
    ...                          dt.date(2026, 10, 31))
    >>> ledger.units["screening"].tolist(), ledger.units["disputes_open"].isna().tolist()
    (['in_time'], [True])
    >>> ledger.explain("990101001201").split("；")[0]
    '截至2026年10月31日，990101001201最近一次矛盾摸排在2026年9月1日（走访，书记带队，走访120户），在180天有效期内'
    """
    at = Moment(prepared, parameters, as_of)
    limit = _screening_limit(parameters, as_of)
    in_force = prepared.in_force(at.day)
    codes = prepared.units["unit_code"].astype("str")
    areas = pd.DataFrame(
        {"unit_code": codes, "township_code": _townships(prepared), "county_code": codes.str[:6]}
    )
    disputes = _dispute_rows(at, areas, in_force)
    units = pd.concat(
        [
            areas,
            pd.DataFrame(_screening_columns(at, limit)),
            pd.DataFrame(_dispute_columns(at)),
            unit_plan_state(at),
            pd.DataFrame(_talk_columns(at)),
            pd.DataFrame(_leaver_columns(at)),
        ],
        axis=1,
    )[in_force].reset_index(drop=True)
    return ConflictLedger(
        units=units,
        coverage=_coverage(units, disputes),
        disputes=disputes,
        talks=_talk_rows(at, areas, in_force),
        leavers=_leaver_rows(at, areas),
        as_of=as_of,
        limit=limit,
        version=parameters.version,
    )


def unit_plan_state(at: Moment) -> pd.DataFrame:
    """Return who answers for each unit and which of its two plans are there, on a day.

    An official counts from the date on which he or she takes the unit over; one named without that date does
    not count, and neither does a plan dated later or not at all. A unit without a row has none of the three.

    Returns
    -------
    pandas.DataFrame
        By position of the unit: leader, leader_on, stabilisation_plan_on, resolution_plan_on; leader_state,
        stabilisation_state, resolution_state (:class:`Held`); plan_complete (missing where there is no ledger
        of plans); plan_lacking (Chinese).
    """
    rows = at.rows("unit_plans")
    names = ("leader_on", "stabilisation_plan_on", "resolution_plan_on")
    dates = {name: np.full(at.size, NEVER) for name in names}
    leader = pd.Series([None] * at.size, dtype="str")
    if rows is None:
        states = {name: np.full(at.size, Held.UNKNOWN.value, dtype=object) for name in dates}
    else:
        for name in dates:
            dates[name][rows.unit] = rows.day(name)
        named = rows.frame["leader"].astype("str").str.strip().replace("", None)
        leader.iloc[rows.unit] = named.to_numpy()
        states = {
            name: np.where(days <= at.day, Held.THERE.value, Held.LACKING.value).astype(object)
            for name, days in dates.items()
        }
        states["leader_on"][(dates["leader_on"] == NEVER) & leader.notna()] = Held.UNDATED.value
        states["leader_on"][leader.isna()] = Held.LACKING.value
    told = {Held.LACKING.value: "", Held.UNDATED.value: f"（{Held.UNDATED.label}）"}
    lacking = [
        "、".join(label + told[state] for label, state in zip(_THREE, row, strict=True) if state in told)
        for row in zip(*states.values(), strict=True)
    ]
    complete = pd.Series([None if rows is None else not text for text in lacking], dtype="boolean")
    return pd.DataFrame(
        {
            "leader": leader,
            "leader_on": _dates(dates["leader_on"]),
            "leader_state": states["leader_on"],
            "stabilisation_plan_on": _dates(dates["stabilisation_plan_on"]),
            "stabilisation_state": states["stabilisation_plan_on"],
            "resolution_plan_on": _dates(dates["resolution_plan_on"]),
            "resolution_state": states["resolution_plan_on"],
            "plan_complete": complete,
            "plan_lacking": pd.Series(lacking, dtype="str"),
        }
    ).astype({"leader_state": "str", "stabilisation_state": "str", "resolution_state": "str"})


# --- columns by unit --------------------------------------------------------------------------------------


def _screening_limit(parameters: ParameterSet, as_of: dt.date) -> int | None:
    for gate in parameters.gates.gates if parameters.gates is not None else ():
        if gate.check == "screening_done":
            return int(parameters.options(gate.options, as_of)["max_age_days"])
    if any(rule.id == _SCREENING_RULE for rule in parameters.rules):
        value = parameters.rule(_SCREENING_RULE, as_of).value
        return int(value) if isinstance(value, int | float) else None
    return None


def _townships(prepared: Prepared) -> pd.Series[str]:
    units = prepared.units
    own = units["unit_code"].astype("str").str[:9]
    return units["township_code"].astype("str").fillna(own) if "township_code" in units else own


def _screening_columns(at: Moment, limit: int | None) -> dict[str, Any]:
    state = np.full(at.size, Screened.UNKNOWN.value, dtype=object)
    last, methods = np.full(at.size, NEVER), np.full(at.size, None, dtype=object)
    led, visited = np.full(at.size, np.nan), np.full(at.size, np.nan)
    found = counted_screenings(at)
    if found is not None:
        rows, counts = found
        day = rows.day("screened_on")
        number = rows.frame["screening_id"].astype("str").rank(method="first").to_numpy()
        order = np.lexsort((number, day))  # of one date the last number
        order = order[counts[order]]
        unit = rows.unit[order]
        last[unit], methods[unit] = day[order], rows.frame["method"].to_numpy(dtype=object)[order]
        led[unit], visited[unit] = (
            rows.number("led_by_secretary")[order],
            rows.number("households_visited")[order],
        )
        state[:] = Screened.NEVER.value
        if limit is None:
            state[last < NEVER] = Screened.UNKNOWN.value
        else:
            state[last < NEVER] = Screened.LAPSED.value
            state[(last < NEVER) & (at.day - last <= limit)] = Screened.IN_TIME.value
    return {
        "screening": pd.Series(state, dtype="str"),
        "screened_on": _dates(last),
        "screening_days": _counts(np.where(last < NEVER, at.day - last, np.nan)),
        "method": pd.Series(methods, dtype="str").map(ScreeningMethod.labels()).astype("str"),
        "led_by_secretary": pd.Series(led).astype("boolean"),
        "households_visited": _counts(visited),
    }


def _dispute_columns(at: Moment) -> dict[str, Any]:
    names = (
        *("disputes_open", "groups_open", "groups_unstated", "oldest_days", "without_leader"),
        *("without_stabilisation", "without_resolution", "without_plan"),
    )
    state = open_disputes(at)
    if state is None:
        return {name: _counts(np.full(at.size, np.nan)) for name in names}
    rows, is_open, known = state
    group, opened = rows.number("is_group"), rows.day("opened_on")
    lacks = disputes_lacking(at, rows)
    first = np.full(at.size, NEVER)
    np.minimum.at(first, rows.unit[is_open], opened[is_open])
    masks = (
        is_open,
        is_open & (group > 0),
        is_open & np.isnan(group),
        None,
        *(is_open & lack for lack in lacks),
        is_open & np.logical_or.reduce(lacks),
    )
    oldest = np.where(first < NEVER, at.day - first, np.nan)
    return {
        name: _counts(np.where(known, oldest if mask is None else at.count(rows, mask), np.nan))
        for name, mask in zip(names, masks, strict=True)
    }


def _talk_columns(at: Moment) -> dict[str, Any]:
    rows = at.rows("talks")
    if rows is None:
        nothing = np.full(at.size, np.nan)
        return {
            "talks_on": _dates(np.full(at.size, NEVER)),
            "talks_due": _counts(nothing),
            "talks_done": _counts(nothing),
        }
    last = latest_report(at, rows)
    reported = np.full(at.size, NEVER)
    reported[rows.unit[last]] = rows.day("as_of")[last]
    known = reported < NEVER
    due, done = (at.count(rows, last, rows.number(name)) for name in ("due", "done"))
    return {
        "talks_on": _dates(reported),
        "talks_due": _counts(np.where(known, due, np.nan)),
        "talks_done": _counts(np.where(known, done, np.nan)),
    }


def _leaver_state(at: Moment, rows: Rows) -> tuple[Bools, Bools, Bools, Floats]:
    """Return who has left by the day, is placed, has any arrangement named; and days the others wait."""
    left = rows.day("left_on")
    gone = (left <= at.day) | (left == NEVER)
    stated = rows.frame["arrangement"].astype("str").str.strip().fillna("").ne("").to_numpy()
    placed = gone & stated & (rows.day("arranged_on") <= at.day)
    waiting = np.where(gone & ~placed & (left < NEVER), at.day - left, np.nan)
    return gone, placed, stated, waiting


def _leaver_columns(at: Moment) -> dict[str, Any]:
    rows = at.inherited("leavers")
    if rows is None:
        return {name: _counts(np.full(at.size, np.nan)) for name in ("leavers", "unplaced", "longest_wait")}
    gone, placed, _stated, waiting = _leaver_state(at, rows)
    longest = np.full(at.size, -1.0)
    dated = ~np.isnan(waiting)
    np.maximum.at(longest, rows.unit[dated], waiting[dated])
    return {
        "leavers": _counts(at.count(rows, gone)),
        "unplaced": _counts(at.count(rows, gone & ~placed)),
        "longest_wait": _counts(np.where(longest >= 0, longest, np.nan)),
    }


# --- rows -------------------------------------------------------------------------------------------------

_DATE: Final = "datetime64[us]"
_DISPUTE_TYPES: Final[Mapping[str, str]] = {
    "dispute_id": "str",
    "unit_code": "str",
    "township_code": "str",
    "category": "str",
    "opened_on": _DATE,
    "resolved_on": _DATE,
    "open": "bool",
    "days": "Int64",
    "age_band": "str",
    "is_group": "boolean",
    "people_involved": "Int64",
    "has_leader": "boolean",
    "stabilisation_plan_on": _DATE,
    "resolution_plan_on": _DATE,
    "lacking": "str",
    "twice": "bool",
    "earlier": "Int64",
    "in_force": "bool",
    "subject": "str",
    "source_file": "str",
    "source_sheet": "str",
    "source_row": "Int64",
}
_TALK_TYPES: Final[Mapping[str, str]] = {
    "unit_code": "str",
    "township_code": "str",
    "as_of": _DATE,
    "target": "str",
    "due": "Int64",
    "done": "Int64",
    "outstanding": "Int64",
}
_LEAVER_TYPES: Final[Mapping[str, str]] = {
    "person_ref": "str",
    "unit_code": "str",
    "township_code": "str",
    "left_on": _DATE,
    "arrangement": "str",
    "arranged_on": _DATE,
    "status": "str",
    "waiting_days": "Int64",
}


def _typed(columns: Mapping[str, Any], types: Mapping[str, str]) -> pd.DataFrame:
    """Return columns as a table of the given columns and types; without columns it is empty."""
    given = {name: columns.get(name) if columns else () for name in types}
    return pd.DataFrame(given).astype(dict(types))


def _dispute_rows(at: Moment, areas: pd.DataFrame, in_force: Bools) -> pd.DataFrame:
    rows = at.inherited("disputes")
    if rows is None:
        return _typed({}, _DISPUTE_TYPES)
    opened, resolved = rows.day("opened_on"), rows.day("resolved_on")
    kept = np.flatnonzero(opened <= at.day)
    opened, resolved, unit = opened[kept], resolved[kept], rows.unit[kept]
    frame = rows.frame.iloc[kept].reset_index(drop=True)
    is_open = resolved > at.day
    days = np.where(is_open, at.day, resolved) - opened
    rungs = np.array([*AGE_LADDER, OLDEST], dtype=object)
    band = rungs[np.digitize(days, list(AGE_LADDER.values()), right=True)]
    lacks = np.column_stack(disputes_lacking(at, rows))[kept] & is_open[:, None]
    category = frame["category"].astype("str").map(DisputeCategory.labels())
    table = _typed(
        {
            "dispute_id": frame["dispute_id"],
            "unit_code": areas["unit_code"].to_numpy()[unit],
            "township_code": areas["township_code"].to_numpy()[unit],
            "category": category.fillna(_UNSTATED),
            "opened_on": _dates(opened),
            "resolved_on": _dates(_by(at, resolved)),
            "open": is_open,
            "days": days,
            "age_band": np.where(is_open, band, ""),
            "is_group": rows.number("is_group")[kept],
            "people_involved": rows.number("people_involved")[kept],
            "has_leader": rows.number("has_leader")[kept],
            "stabilisation_plan_on": _dates(_by(at, rows.day("stabilisation_plan_on")[kept])),
            "resolution_plan_on": _dates(_by(at, rows.day("resolution_plan_on")[kept])),
            "lacking": ["、".join(np.array(_THREE)[row]) for row in lacks],
            "twice": _twice(unit, rows.code("category")[kept], opened),
            "earlier": _earlier(unit, rows.code("category")[kept], opened, resolved),
            "in_force": in_force[unit],
            "subject": "disputes/" + frame["dispute_id"].astype("str"),
            **{c.name: frame.get(c.name) for c in SOURCE_COLUMNS},
        },
        _DISPUTE_TYPES,
    )
    return table.sort_values(["unit_code", "opened_on", "dispute_id"], kind="stable", ignore_index=True)


def _twice(unit: Ints, category: Ints, opened: Ints) -> Bools:
    """Return which incidents share unit, category and date with another; one without category does not."""
    same = pd.DataFrame({"unit": unit, "category": category, "opened": opened}).duplicated(keep=False)
    return np.asarray(same.to_numpy() & (category >= 0))


def _earlier(unit: Ints, category: Ints, opened: Ints, resolved: Ints) -> Ints:
    """Return for each incident how many others of its unit and category were resolved by the day it began."""
    if not len(unit):
        return np.zeros(0, dtype=np.int64)
    kind = unit * (category.max() + 2) + category + 1
    ranks = np.unique(np.concatenate((opened, resolved)), return_inverse=True)[1]
    began, ended = ranks.reshape(2, -1)
    stride = ranks.max() + 1
    keys = np.sort(kind * stride + ended)
    before = np.searchsorted(keys, kind * stride + began, side="right")
    before -= np.searchsorted(keys, kind * stride, side="left")
    return np.asarray(np.where(category >= 0, before - (resolved == opened), 0), dtype=np.int64)


def _talk_rows(at: Moment, areas: pd.DataFrame, in_force: Bools) -> pd.DataFrame:
    rows = at.rows("talks")
    if rows is None:
        return _typed({}, _TALK_TYPES)
    kept = np.flatnonzero(latest_report(at, rows) & in_force[rows.unit])
    due, done = rows.number("due")[kept], rows.number("done")[kept]
    targets = TalkTarget.labels()
    place = rows.frame["target"].iloc[kept].astype("str").map({t: n for n, t in enumerate(targets)})
    order = np.lexsort((place.to_numpy(), rows.unit[kept]))
    table = _typed(
        {
            "unit_code": areas["unit_code"].to_numpy()[rows.unit[kept]],
            "township_code": areas["township_code"].to_numpy()[rows.unit[kept]],
            "as_of": _dates(rows.day("as_of")[kept]),
            "target": rows.frame["target"].iloc[kept].astype("str").map(targets).to_numpy(),
            "due": due,
            "done": done,
            "outstanding": due - done,
        },
        _TALK_TYPES,
    )
    return table.iloc[order].reset_index(drop=True)


def _leaver_rows(at: Moment, areas: pd.DataFrame) -> pd.DataFrame:
    rows = at.inherited("leavers")
    if rows is None:
        return _typed({}, _LEAVER_TYPES)
    gone, placed, stated, waiting = _leaver_state(at, rows)
    kept = np.flatnonzero(gone)
    arranged = rows.day("arranged_on")
    later = (arranged > at.day) & (arranged < NEVER)
    half = np.where(stated, arranged == NEVER, arranged <= at.day)
    status = np.select(
        [placed, half], [Placement.PLACED.value, Placement.UNSTATED.value], Placement.WAITING.value
    )
    table = _typed(
        {
            "person_ref": rows.frame["person_ref"].iloc[kept].to_numpy(),
            "unit_code": areas["unit_code"].to_numpy()[rows.unit[kept]],
            "township_code": areas["township_code"].to_numpy()[rows.unit[kept]],
            "left_on": _dates(rows.day("left_on")[kept]),
            "arrangement": rows.frame["arrangement"].astype("str").mask(later).iloc[kept].to_numpy(),
            "arranged_on": _dates(_by(at, arranged[kept])),
            "status": status[kept],
            "waiting_days": waiting[kept],
        },
        _LEAVER_TYPES,
    )
    return table.sort_values(["unit_code", "left_on", "person_ref"], kind="stable", ignore_index=True)


# --- areas ------------------------------------------------------------------------------------------------


def _coverage(units: pd.DataFrame, disputes: pd.DataFrame) -> pd.DataFrame:
    state = units["screening"]
    unknown = state == Screened.UNKNOWN.value
    in_time = state == Screened.IN_TIME.value
    led = in_time & units["led_by_secretary"].fillna(False).astype("bool")
    counted = units.assign(
        city=_CITY,
        units=1,
        screened=in_time.astype("Int64").mask(unknown),
        screening_lapsed=(state == Screened.LAPSED.value).astype("Int64").mask(unknown),
        never=(state == Screened.NEVER.value).astype("Int64").mask(unknown),
        screening_unknown=unknown.astype("Int64"),
        led=led.astype("Int64").mask(unknown),
        households_visited=units["households_visited"].where(in_time),
        disputes_unknown=units["disputes_open"].isna().astype("Int64"),
        planned=units["plan_complete"].astype("Int64"),
        talks_unknown=units["talks_due"].isna().astype("Int64"),
    )
    adrift = disputes[disputes["open"] & ~disputes["in_force"]]
    adrift = adrift.assign(city=_CITY, county_code=adrift["unit_code"].str[:6])
    tables = []
    for level, column in _AREAS.items():
        group = counted.groupby(column)
        table = group[list(_ADDED)].sum(min_count=1)
        table["oldest_days"] = group["oldest_days"].max()
        table["adrift"] = adrift.groupby(column).size().reindex(table.index, fill_value=0)
        tables.append(table.rename_axis("code").reset_index().assign(level=level))
    whole = pd.concat(tables, ignore_index=True)
    whole["screened_share"] = _share(whole["screened"], whole["units"])
    whole["led_share"] = _share(whole["led"], whole["screened"])
    counts = {name: "Int64" for name in _COVERAGE if not name.endswith("_share")}
    return whole[list(_COVERAGE)].astype({**counts, "level": "str", "code": "str"})


_AREAS: Final[Mapping[str, str]] = {"city": "city", "county": "county_code", "township": "township_code"}
_CITY: Final = "city"
_ADDED: Final = (
    *("units", "screened", "screening_lapsed", "never", "screening_unknown", "led", "households_visited"),
    *("disputes_open", "groups_open", "groups_unstated", "without_plan", "disputes_unknown", "planned"),
    *("talks_due", "talks_done", "talks_unknown", "leavers", "unplaced"),
)
_COVERAGE: Final = (
    *("level", "code", "units", "screened", "screened_share", "screening_lapsed", "never"),
    *("screening_unknown", "led", "led_share", "households_visited", "disputes_open", "groups_open"),
    *("groups_unstated", "oldest_days", "without_plan", "disputes_unknown", "adrift", "planned"),
    *("talks_due", "talks_done", "talks_unknown", "leavers", "unplaced"),
)


def _share(part: pd.Series[Any], whole: pd.Series[Any]) -> pd.Series[float]:
    """Return shares as float64; NaN where either is missing or there is no whole."""
    return part.astype("Float64").div(whole.where(whole > 0).astype("Float64")).astype("float64")


# --- words ------------------------------------------------------------------------------------------------


def _screening_text(row: Mapping[str, Any], limit: int | None) -> str:
    state = Screened.lookup()[row["screening"]]
    if state is Screened.NEVER:
        return "没有矛盾摸排记录"
    if pd.isna(row["screened_on"]):
        return "没有矛盾摸排台账，摸排情况不明"
    how = [row["method"]] if pd.notna(row["method"]) else []
    led = row["led_by_secretary"]
    how.append("是否书记带队未注明" if pd.isna(led) else "书记带队" if led else "书记未带队")
    if pd.notna(row["households_visited"]):
        how.append(f"走访{row['households_visited']}户")
    standing = {
        Screened.IN_TIME: f"在{limit}天有效期内",
        Screened.LAPSED: f"已过{row['screening_days']}天，超过{limit}天有效期，应重新摸排",
        Screened.UNKNOWN: "参数包没有规定有效天数，不能判断是否有效",
    }[state]
    return f"最近一次矛盾摸排在{date_text(row['screened_on'])}（{'，'.join(how)}），{standing}"


def disputes_text(row: Mapping[Any, Any]) -> str:
    """Return in Chinese a unit's open incidents, from its row of :attr:`ConflictLedger.units`."""
    count = row["disputes_open"]
    if pd.isna(count):
        return "没有摸排或没有矛盾台账，矛盾情况不明"
    if count == 0:
        lapsed = row["screening"] != Screened.IN_TIME.value
        return "台账上没有未化解矛盾" + ("，但摸排不在有效期内，不能据此认为没有矛盾" if lapsed else "")
    groups = [f"群体性{row['groups_open']}件"]
    if row["groups_unstated"]:
        groups.append(f"{row['groups_unstated']}件未注明是否群体性")
    text = f"未化解矛盾{count}件（{'，'.join(groups)}），最久的已{row['oldest_days']}天，"
    names = ("without_leader", "without_stabilisation", "without_resolution")
    lacking = [f"缺{word}{row[name]}件" for word, name in zip(_THREE, names, strict=True) if row[name]]
    return text + ("、".join(lacking) if lacking else f"{_THREE[0]}、{_THREE[1]}、{_THREE[2]}齐全")


def _plan_text(row: Mapping[str, Any]) -> str:
    if pd.isna(row["plan_complete"]):
        return "没有一村一策台账"
    if row["plan_complete"]:
        return f"一村一策齐全（包干领导：{row['leader']}）"
    return f"一村一策缺{row['plan_lacking']}"


def talks_text(row: Mapping[Any, Any]) -> str:
    """Return in Chinese how many talks a unit has held, from its row of :attr:`ConflictLedger.units`."""
    if pd.isna(row["talks_due"]):
        return "没有谈心谈话统计"
    return f"谈心谈话应谈{row['talks_due']}人、已谈{row['talks_done']}人（{date_text(row['talks_on'])}统计）"


def leavers_text(row: Mapping[Any, Any]) -> str:
    """Return in Chinese whether leavers are placed, from the unit's row of :attr:`ConflictLedger.units`."""
    if pd.isna(row["leavers"]):
        return "没有离任人员台账"
    if not row["leavers"]:
        return "没有离任人员"
    if not row["unplaced"]:
        return f"离任{row['leavers']}人，均已安置"
    wait = f"，最久的已等{row['longest_wait']}天" if pd.notna(row["longest_wait"]) else ""
    return f"离任{row['leavers']}人，{row['unplaced']}人尚未安置{wait}"


# --- arrays -----------------------------------------------------------------------------------------------


def _dates(days: Ints) -> pd.Series[Any]:
    """Return day numbers as dates, NaT where missing."""
    stamps = np.where(days == NEVER, 0, days).astype("datetime64[D]").astype(_DATE)
    return pd.Series(np.where(days == NEVER, np.datetime64("NaT"), stamps).astype(_DATE))


def _by(at: Moment, days: Ints) -> Ints:
    """Return day numbers with those after the day made missing."""
    return np.where(days <= at.day, days, NEVER)


def _counts(values: Floats) -> pd.Series[Any]:
    """Return whole numbers with missing ones, from floats with NaN."""
    return pd.Series(values, dtype="float64").astype("Int64")
