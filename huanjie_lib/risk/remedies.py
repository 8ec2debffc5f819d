"""From red to yellow, from yellow to green (红转绿路径): the cheapest set of measures for each unit.

For one unit let ``c(S)`` be the team-days of a set ``S`` of measures from the library and ``g(S)`` the points
it regains. The path is

    min c(S)   subject to   index + g(S) − improve_margin ≥ cut-off of the next colour,

with the requirements, exclusions and replacements of the library and, where given, a limit of working days.
The search is exact: within a group of measures that meet every combination is written out
(:mod:`huanjie_lib.risk.remedies_options`), and over groups, whose points and costs add up, only sets that no
other set beats in both cost and points are carried on (dynamic programming over Pareto sets: Nemhauser &
Ullmann 1969, Management Science 15(9):494-505). Costs are whole tenths of a team-day and points whole 1e-12.

**Ties.** Of sets of equal cost the one that regains most points is taken, of these the one with fewest
measures (each time counts), of these the one that takes an earlier measure of the library more often.

**Attribution.** Points regained by each measure of the path are its Shapley value within the path (Shapley
1953): its mean contribution over all orders in which the measures can be taken. They add up exactly to the
points the path regains, whatever the measures have in common.

**Missing data.** What reporting a missing value would do is an interval, from the loss if it turned out worst
to the gain if it turned out best; no path counts on it. **Gates** are listed beside the path, never bought
off by points.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.parameters import Classification, MeasureLibrary, ParameterSet
from huanjie_lib.risk.remedies_options import (
    COST_SCALE,
    Answer,
    Group,
    Options,
    chain_length,
    options_of,
    working_days,
)
from huanjie_lib.risk.scoring import INDEX_DECIMALS, Scores, score
from huanjie_lib.risk.trends import Records, rows_by
from huanjie_lib.vocabulary import GateStatus, Level, UnitKind

__all__ = ["Remedies", "find_remedies"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

POINT_SCALE = 1e12
INDEX_ROUNDING = 0.5 * 10.0**-INDEX_DECIMALS
"""Half of the last place to which the published index is rounded."""

_CELLS = 2_000_000
_NEXT = {Level.RED.value: Level.YELLOW, Level.YELLOW.value: Level.GREEN}
_LEVELS = {one.value: one for one in Level}
_NUMERALS = "零一两三四五六七八九十"


@dataclass(frozen=True)
class Remedies:
    """The cheapest way of every red and yellow unit to its next colour.

    Parameters
    ----------
    units
        By unit code: ``level``, ``target`` (next level; missing for green and unknown units), ``index``,
        ``needed`` (index at which the target is reached, margin included), ``reachable`` (whether the path
        reaches it), ``regained`` (points), ``index_after`` with ``index_low_after`` and
        ``index_high_after`` (missing values at their worst and best), ``cost`` (team-days), ``days``
        (working days for one group, at least), ``measures`` (each time counts), ``missing`` (number of
        missing values), ``report_cost`` (team-days to report them) and ``open_gates``. Where the target is
        out of reach the path is the cheapest of those that regain most.
    steps
        One row per unit and measure of its path, in the order in which to take them: unit_code, order,
        measure, label, times, cost (team-days), days, points (regained, Shapley value), who, limits,
        confidence.
    standing
        What still costs points after the path: unit_code, indicator, points, status (``unremediable``,
        ``missing`` or ``remaining``), reason, answer (measures that meet it without regaining points).
    gates
        Gates that do not pass: unit_code, gate, label, status, reason, remedy, measures (labels of the
        library's measures for it).
    within_days
        Limit of working days for each path, or ``None``.
    as_of
        Date of the values, or ``None``.
    version
        Version of the parameters.
    """

    units: pd.DataFrame
    steps: pd.DataFrame
    standing: pd.DataFrame
    gates: pd.DataFrame
    within_days: int | None
    as_of: dt.date | None
    version: str

    def __repr__(self) -> str:
        """Return numbers of units, of those to lift and of those a path lifts; date and version."""
        lift = int(self.units["target"].notna().sum())
        return (
            f"Remedies(units={len(self.units)}, to_lift={lift}, "
            f"reachable={int(self.units['reachable'].sum())}, as_of={self.as_of}, "
            f"parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit code."""
        return self.units.copy()

    def path(self, unit_code: str) -> pd.DataFrame:
        """Return the measures of one unit's path in order.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        if unit_code not in self.units.index:
            raise KeyError(unit_code)
        return self.steps[self.steps["unit_code"] == unit_code].reset_index(drop=True)

    @cached_property
    def _facts(self) -> Records:
        return Records.of(self.units)

    @cached_property
    def _places(self) -> dict[str, tuple[Records, dict[Any, list[int]]]]:
        """Each table with the places of each unit's rows, found once for all explanations."""
        frames = {"steps": self.steps, "standing": self.standing, "gates": self.gates}
        return {name: (Records.of(frame), rows_by(frame, "unit_code")) for name, frame in frames.items()}

    def _rows(self, table: Literal["steps", "standing", "gates"], unit_code: str) -> list[dict[str, Any]]:
        records, places = self._places[table]
        return [records[place] for place in places.get(unit_code, [])]

    def explain(self, unit_code: str) -> str:
        """Return in Chinese what to do in a unit, what it gains, and what no measure can change.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row = self._facts.of_label(unit_code)
        if row["level"] == Level.UNKNOWN.value:
            return f"{unit_code}没有填报任何数据，不能测算措施，请先报数。"
        text = self._path_text(unit_code, row) + self._missing_text(row)
        return text + self._gates_text(unit_code)

    def _path_text(self, unit_code: str, row: Mapping[str, Any]) -> str:
        level = _LEVELS[row["level"]]
        if level is Level.GREEN:
            return f"{unit_code}已是绿色，不需要转色措施。"
        turn = f"由{level.mark}转{_LEVELS[row['target']].mark}"
        limit = "" if self.within_days is None else f"在{self.within_days}个工作日内"
        path = self._rows("steps", unit_code)
        count = _NUMERALS[len(path)] if len(path) < len(_NUMERALS) else str(len(path))
        deeds = "；".join(
            f"（{step['order']}）{step['label']}，恢复{_points(step['points'])}分" for step in path
        )
        effort = f"约需{row['days']}个工作日、投入{row['cost']:.1f}个工作组日"
        before, after = _points(row["index"]), _points(row["index_after"])
        if row["reachable"] and not path:
            return f"{unit_code}的选情指数{before}分已达到{turn}的要求，保持到下次评估即可。"
        if row["reachable"]:
            return (
                f"{unit_code}{limit}做完以下{count}件事，可{turn}：{deeds}；共恢复{_points(row['regained'])}分，"
                f"选情指数由{before}分升到{after}分（须达到{row['needed']:g}分），{effort}。"
            )
        short = f"还差{_points(row['needed'] - row['index_after'])}分"
        lead = f"{unit_code}{limit}用尽措施库中的办法也不能{turn}。"
        if not path:
            lead += f"选情指数{before}分，{short}，没有可用的措施。"
        else:
            lead += (
                f"做完以下{count}件事，选情指数只能由{before}分升到{after}分，{short}：{deeds}；{effort}。"
            )
        return lead + self._obstacles(unit_code)

    def _obstacles(self, unit_code: str) -> str:
        rows = sorted(self._rows("standing", unit_code), key=lambda row: row["points"], reverse=True)[:3]
        if not rows:
            return ""
        facts = "；".join(f"{row['reason']}，扣{_points(row['points'])}分" for row in rows)
        answers = list(dict.fromkeys(row["answer"] for row in rows if row["answer"]))
        text = f"挡在前面的主要是：{facts}。"
        return text + (f"这些不能恢复分数，但可以应对：{'；'.join(answers)}。" if answers else "")

    def _missing_text(self, row: Mapping[str, Any]) -> str:
        if not row["missing"]:
            return ""
        more = row["index_high_after"] - row["index_after"]
        less = row["index_after"] - row["index_low_after"]
        text = f"另有{row['missing']}项数据缺失，按规定暂扣分，没有计入补报能加的分；"
        text += f"补报后可能恢复至多{_points(more)}分"
        text += f"，也可能再扣至多{_points(less)}分" if less > 0 else ""
        return text + (f"，补报约需{row['report_cost']:.1f}个工作组日。" if row["report_cost"] > 0 else "。")

    def _gates_text(self, unit_code: str) -> str:
        mine = self._rows("gates", unit_code)
        if not mine:
            return ""
        todo = "；".join(f"{gate['label']}（{gate['reason']}）" for gate in mine)
        return f"颜色好转不能代替准入条件，还须办好：{todo}。"


def _points(value: float) -> str:
    """Return points with one decimal; more than none never reads as none."""
    return "不到0.1" if 0 < value < 0.05 else f"{value:.1f}"


def find_remedies(
    values: pd.DataFrame,
    kinds: pd.Series[str],
    level: pd.Series[str],
    parameters: ParameterSet,
    *,
    gates: pd.DataFrame | None = None,
    within_days: int | None = None,
    as_of: dt.date | None = None,
) -> Remedies:
    """Find the cheapest set of measures that lifts each unit to its next colour.

    Parameters
    ----------
    values
        Indicator values, units × indicators, NaN where missing.
    kinds
        Kind of each unit, same index.
    level
        Published level of each unit, same index; hysteresis counts from it. Green units need no path, and
        units of unknown level have none.
    parameters
        Framework, cut-offs and measures library.
    gates
        Result of :func:`~huanjie_lib.risk.gates.evaluate_gates`, to list what else is needed.
    within_days
        Working days in which one group has to have done everything; no limit where ``None``.
    as_of
        Date of the values, to be shown with the result.

    Returns
    -------
    Remedies
        ``days`` is the larger of the longest chain of measures that wait for one another and the path's
        team-days, since one group is on one task at a time.

    Raises
    ------
    ParameterError
        If the parameters hold no measures library.
    TooManyCombinationsError
        If one group of measures has too many combinations to be searched exactly.
    KeyError
        If an indicator of the framework has no column.
    ValueError
        If a kind or level is unknown or missing, or ``within_days`` is below 1.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> pack = load_parameters()
    >>> safe = {i.id: min(i.reference_points, key=lambda p: p[1])[0] for i in pack.framework.indicators}
    >>> bad = {"audit_items_incomplete": 1.0, "audit_members_unaudited": 1.0, "roll_gap": 0.15,
    ...        "election_turnout": 0.5, "petitions_backlog": 4.0, "reserve_people": 0.0, "disputes_open": 6.0}
    >>> values = pd.DataFrame([safe | bad], index=["990101001201"])
    >>> remedies = find_remedies(values, pd.Series("village", index=values.index),
    ...                          pd.Series("yellow", index=values.index), pack)
    >>> remedies.steps[["measure", "times"]].values.tolist()
    [['audit_taskforce', 1]]
    >>> remedies.explain("990101001201")
    '990101001201做完以下一件事，可由黄转绿：（1）派审计专班一次审完事项和成员，恢复9.0分；共恢复9.0分，选情指数由74.4分升到83.4分（须达到81分），约需12个工作日、投入6.0个工作组日。'
    """
    library = _library(parameters)
    if within_days is not None and within_days < 1:
        raise ValueError(f"within_days must be at least 1, found {within_days}")
    framework, cuts = parameters.framework, parameters.classification
    ids = [i.id for i in framework.indicators]
    scores = score(values, kinds, framework)
    levels = level.reindex(values.index)
    unknown = set(levels) - {one.value for one in Level}
    if unknown:
        raise ValueError(f"unknown levels: {sorted(map(str, unknown))}")
    raw = values[ids].to_numpy(dtype=np.float64)
    needed = levels.map(lambda one: _needed(one, cuts)).to_numpy(dtype=np.float64)
    short = np.ceil((needed - scores.index.to_numpy() - INDEX_ROUNDING) * POINT_SCALE)
    after = raw.copy()
    n = len(values)
    cost, days, taken = np.zeros(n), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    reachable = np.zeros(n, dtype=bool)
    steps: dict[int, list[tuple[Any, ...]]] = {}
    most = math.inf if within_days is None else within_days * COST_SCALE  # one group is on one task at a time
    kind_of = kinds.reindex(values.index).to_numpy()
    for kind in UnitKind:
        options = options_of(framework, library, kind)
        rows = np.flatnonzero((kind_of == kind.value) & np.isfinite(needed))
        size = max(1, _CELLS // max(1, sum(len(g.times) for g in options.groups)))
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            answers = [options.answer(g, raw[block], within_days=within_days) for g in options.groups]
            for place, unit in enumerate(block):
                key, regained = _cheapest(options, answers, place, short[unit], most=most)
                times = options.decode(key)
                steps[unit] = _steps(options, answers, place, times, raw[unit])
                after[unit] = options.after(raw[unit], times)
                reachable[unit] = regained >= short[unit]
                cost[unit] = round(sum(step[4] for step in steps[unit]), 1)
                taken[unit] = sum(times.values())
                days[unit] = max(working_days(library.measures, times), math.ceil(cost[unit]))
    codes = values.index
    later = score(pd.DataFrame(after, index=codes, columns=ids), kinds, framework)
    applicable = scores.points.notna().to_numpy()
    missing = (np.isnan(after) & applicable).sum(axis=1)
    told = [(str(codes[unit]), *step) for unit in sorted(steps) for step in steps[unit]]
    lacking = _open_gates(gates, parameters, library, codes)
    targets = [_NEXT[one].value if one in _NEXT else None for one in levels]
    units = pd.DataFrame(
        {
            "level": levels.astype("str"),
            "target": pd.Series(targets, index=codes, dtype="str"),
            "index": scores.index,
            "needed": needed,
            "reachable": reachable,
            "regained": later.index - scores.index,
            "index_after": later.index,
            "index_low_after": later.index_low,
            "index_high_after": later.index_high,
            "cost": cost,
            "days": days,
            "measures": taken,
            "missing": missing,
            "report_cost": _report_cost(library, missing),
            "open_gates": lacking["unit_code"].value_counts().reindex(codes, fill_value=0).to_numpy(),
        },
        index=codes,
    )
    return Remedies(
        units=units,
        steps=_frame(told, _STEP_COLUMNS),
        standing=_standing(units, later, after, parameters, library),
        gates=lacking,
        within_days=within_days,
        as_of=as_of,
        version=parameters.version,
    )


def _library(parameters: ParameterSet) -> MeasureLibrary:
    if parameters.measures is None:
        fault = Fault("参数包", "没有 measures.yaml", "措施库", "在参数包中放入 measures.yaml")
        raise ParameterError("没有措施库，不能测算转色措施", [fault])
    return parameters.measures


def _needed(level: str, cuts: Classification) -> float:
    """Return the index at which a unit leaves its level upwards; NaN where it cannot."""
    cut = {Level.RED.value: cuts.yellow_from, Level.YELLOW.value: cuts.green_from}.get(level)
    return math.nan if cut is None else cut + cuts.improve_margin


def _cheapest(
    options: Options, answers: Sequence[Answer], place: int, short: float, *, most: float
) -> tuple[int, int]:
    """Return the key of the cheapest set that regains what a unit is short of, and the points it regains.

    Where none does, the cheapest of those that regain most. No set costs more than ``most`` tenths of a
    team-day. Points are whole 1e-12.
    """
    sets = np.zeros((4, 1), dtype=np.int64)  # cost, points, measures taken, key
    for group, answer in zip(options.groups, answers, strict=True):
        more = _own_sets(group, answer, place)
        if more.shape[1] > 1:  # else nothing of the group helps
            sets = _added(sets, more)
            sets = _undominated(sets[:, sets[0] <= most], short)
    last = sets[:, -1]
    return int(last[3]), int(last[1])


def _own_sets(group: Group, answer: Answer, place: int) -> Ints:
    """Return "nothing" and the allowed sets of one group that regain points; the others it beats."""
    gain = np.rint(answer.gain[place] * POINT_SCALE).astype(np.int64)
    helps = answer.allowed[place] & (gain > 0)
    helps[0] = True
    taken = np.flatnonzero(helps)
    return np.stack(
        [answer.cost[place, taken], gain[taken], group.times[taken].sum(axis=1), group.key[taken]]
    )


def _added(sets: Ints, more: Ints) -> Ints:
    more = _undominated(more, math.inf)
    return (sets[:, :, None] + more[:, None, :]).reshape(4, -1)


def _undominated(sets: Ints, short: float) -> Ints:
    """Return the sets that no other beats, dearer ones last, up to the first that regains enough."""
    cost, gain, count, key = sets
    best = np.full(int(cost.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(best, cost, gain)
    kept = np.flatnonzero(gain == np.maximum.accumulate(best)[cost])
    order = kept[np.lexsort((-key[kept], count[kept], -gain[kept], cost[kept]))]
    most = np.maximum.accumulate(gain[order])
    order = order[np.append(True, gain[order][1:] > most[:-1])]
    enough = np.flatnonzero(gain[order] >= short)
    return sets[:, order[: enough[0] + 1] if enough.size else order]


_STEP_COLUMNS = {
    "unit_code": "str", "order": "int64", "measure": "str", "label": "str", "times": "int64",
    "cost": "float64", "days": "int64", "points": "float64", "who": "str", "limits": "str",
    "confidence": "str",
}  # fmt: skip


def _steps(
    options: Options, answers: Sequence[Answer], place: int, times: Mapping[int, int], values: Floats
) -> list[tuple[Any, ...]]:
    """Return the measures of one unit's path, each after those it waits for, without the unit's code."""
    measures = options.library.measures
    points: dict[int, float] = {}
    for group, answer in zip(options.groups, answers, strict=True):
        points |= _shapley(group, answer.gain[place], {p: times[p] for p in group.measures if p in times})
    rows: list[tuple[Any, ...]] = []
    for order, p in enumerate(sorted(times, key=lambda p: (chain_length(measures, p, times), p)), start=1):
        measure = measures[p]
        label = measure.label + (f"（{times[p]}{measure.counter}）" if measure.times > 1 else "")
        tenths = float(options.cost(p, times[p], options.quantity(p, values[None, :]))[0])
        days = measure.duration_days * (times[p] if measure.sequential else 1)
        rows.append((order, measure.id, label, times[p], tenths / COST_SCALE, days, points[p],
                     measure.who, measure.limits, measure.confidence))  # fmt: skip
    return rows


def _shapley(group: Group, gain: Floats, times: Mapping[int, int]) -> dict[int, float]:
    """Return each measure's mean contribution over all orders in which the taken ones can be taken."""
    players = list(times)
    m = len(players)
    if not m:
        return {}
    masks = np.arange(1 << m)
    member = (masks[:, None] >> np.arange(m)) & 1
    keys = member @ np.array([times[p] * group.radix[group.measures.index(p)] for p in players])
    worth = gain[np.searchsorted(group.key, keys)]
    size = member.sum(axis=1)
    share = np.array([math.factorial(s) * math.factorial(m - s - 1) / math.factorial(m) for s in range(m)])
    values = {}
    for place, player in enumerate(players):
        without = masks[member[:, place] == 0]
        values[player] = float(
            (share[size[without]] * (worth[without | (1 << place)] - worth[without])).sum()
        )
    return values


def _frame(rows: Sequence[tuple[Any, ...]], columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))


def _report_cost(library: MeasureLibrary, missing: Ints) -> Floats:
    """Return the team-days to report the missing values of each unit; 0 where no measure reports."""
    report = next((m for m in library.measures if m.reports), None)
    if report is None:
        return np.zeros(len(missing))
    tenths = COST_SCALE * (report.cost.fixed + report.cost.each * missing)
    return np.where(missing > 0, np.ceil(np.round(tenths, 6)), 0.0) / COST_SCALE


_GATE_COLUMNS = {
    "unit_code": "str", "gate": "str", "label": "str", "status": "str", "reason": "str", "remedy": "str",
    "measures": "str",
}  # fmt: skip


def _open_gates(
    gates: pd.DataFrame | None, parameters: ParameterSet, library: MeasureLibrary, codes: pd.Index
) -> pd.DataFrame:
    if gates is None or parameters.gates is None:
        return _frame([], _GATE_COLUMNS)
    packed = {g.id: g for g in parameters.gates.gates}
    serving = {g: "、".join(m.label for m in library.measures if g in m.gates) for g in packed}
    rows = gates[(gates["status"] != GateStatus.PASS.value) & gates["unit_code"].isin(codes)]
    named = rows.assign(
        label=rows["gate"].map({g: p.label for g, p in packed.items()}),
        remedy=rows["gate"].map({g: p.remedy for g, p in packed.items()}),
        measures=rows["gate"].map(serving),
    )
    return named[list(_GATE_COLUMNS)].reset_index(drop=True).astype(_GATE_COLUMNS)


_STANDING_COLUMNS = {
    "unit_code": "str", "indicator": "str", "points": "float64", "status": "str", "reason": "str",
    "answer": "str",
}  # fmt: skip


def _standing(
    units: pd.DataFrame, later: Scores, after: Floats, parameters: ParameterSet, library: MeasureLibrary
) -> pd.DataFrame:
    """Return what still costs points after the paths of red and yellow units, and why."""
    fixed = {u.indicator: u.reason for u in library.unremediable}
    points = later.points.to_numpy()
    severities = later.severity.to_numpy()
    codes = list(units.index)
    rows = []
    for unit in np.flatnonzero(units["target"].notna()):
        for column, indicator in enumerate(parameters.framework.indicators):
            lost = points[unit, column]
            if not lost > 0:  # nothing lost, or not applicable
                continue
            value = after[unit, column]
            text = indicator.describe(value, severity=severities[unit, column])
            answer = ""
            if np.isnan(value):
                status = "missing"
            elif indicator.id in fixed:
                status = "unremediable"
                text += f"（{fixed[indicator.id]}）"
                answer = "；".join(m.label for m in library.measures if indicator.id in m.answers)
            else:
                status = "remaining"
            rows.append((str(codes[unit]), indicator.id, lost, status, text, answer))
    return _frame(rows, _STANDING_COLUMNS)
