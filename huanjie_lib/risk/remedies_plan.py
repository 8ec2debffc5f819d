"""Where to send the working groups first: the city-wide plan over the paths of all units.

``N`` groups work ``T`` days, which is a capacity of ``N · T`` team-days. A unit is one group's job, done
within the ``T`` days or not at all. With the cost ``c_u`` of each unit's path and its worth ``v_u`` (1, or
the chance of an incident there) the plan is the 0-1 knapsack

    max Σ v_u x_u   subject to   Σ c_u x_u ≤ N · T,   x_u ∈ {0, 1},

solved exactly by dynamic programming over whole tenths of a team-day (Kellerer, Pferschy & Pisinger 2004,
*Knapsack Problems*, §2.3), which also gives the optimum at every smaller capacity. Chances are taken to a
millionth.

**Ties.** Of plans of equal worth the one with fewest team-days is taken; of these the one that takes the unit
with the lowest index (then the lowest code) wherever some such plan does.

**Expected hits** (预计命中) are the sum of the chances of an incident over the units chosen: how many of the
places where something would go wrong the groups reach. They bound the incidents avoided from above; that
measures avert an incident is not assumed.

Two habits are compared with the optimum on the same capacity: *worst first* (lowest index) and *greedy* (most
worth per team-day). Both pass over a unit whose path no longer fits, and both choose among the optimum's
units, those that a path lifts in time, which favours them. Where every unit is worth the same, greedy is
optimal too.
"""

from __future__ import annotations

import bisect
import datetime as dt
import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.risk.remedies import Remedies
from huanjie_lib.risk.remedies_options import COST_SCALE
from huanjie_lib.vocabulary import Level

__all__ = ["STRATEGIES", "Objective", "RemedyPlan", "plan_remedies"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Objective: TypeAlias = Literal["lifted", "expected_hits"]

STRATEGIES = {"optimum": "最优安排", "greedy": "单位投入产出高的优先", "worst_first": "指数低的优先"}
"""Ways to choose units, with their Chinese labels."""

CHANCE_SCALE = 1e6
CURVE_POINTS = 61
MOST_PACKINGS = 1000
"""Capacities, each a tenth of a team-day lower, whose optima are tried when units are assigned to groups."""
MOST_CELLS = 1 << 33
"""Units × tenths of a team-day beyond which a plan is refused: one bit each, so 1 GiB."""


@dataclass(frozen=True)
class RemedyPlan:
    """Which units N working groups lift to the next colour.

    Parameters
    ----------
    units
        By unit code: ``level``, ``target``, ``index``, ``cost`` (team-days), ``days``, ``chance`` (missing
        where none was given), ``status``, ``order`` (from 1, most worth per team-day first; missing where
        not chosen) and ``group`` (from 1; missing unless units were assigned). Status is ``chosen``,
        ``capacity`` (no team-days left), ``too_long`` (not within the days), ``unreachable`` (no set of
        measures lifts it), ``green`` or ``unknown``.
    comparison
        By strategy: ``label``, ``lifted`` (units), ``expected_hits`` (missing without chances),
        ``team_days`` used, ``lifted_per_team_day`` and ``hits_per_team_day``. Row ``optimum`` is the plan.
    curve
        ``team_days``, ``strategy`` and ``worth`` (of the objective) at capacities from none to all.
    groups, days
        Capacity: number of groups, working days of each.
    within_days
        Limit of working days under which the paths were found, or ``None``.
    objective
        What was maximised.
    worth
        Objective reached by the plan.
    bound
        No plan can reach more; equal to ``worth`` where the plan is optimal.
    as_of
        Date of the values, or ``None``.
    version
        Version of the parameters.
    """

    units: pd.DataFrame
    comparison: pd.DataFrame
    curve: pd.DataFrame
    groups: int
    days: int
    within_days: int | None
    objective: Objective
    worth: float
    bound: float
    as_of: dt.date | None
    version: str

    @property
    def gap(self) -> float:
        """Share of the bound that the plan may fall short of the optimum by; 0 where it is optimal."""
        return 0.0 if self.bound == 0 else (self.bound - self.worth) / self.bound

    def __repr__(self) -> str:
        """Return units, capacity, units lifted and optimality gap; date and version."""
        lifted = int((self.units["status"] == "chosen").sum())
        return (
            f"RemedyPlan(units={len(self.units)}, groups={self.groups}, days={self.days}, lifted={lifted}, "
            f"gap={self.gap:.2%}, as_of={self.as_of}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit code."""
        return self.units.copy()

    def describe(self) -> str:
        """Return in Chinese what the plan reaches, and what going to the worst first would reach."""
        best, worst = self.comparison.loc["optimum"], self.comparison.loc["worst_first"]
        capacity = self.groups * self.days
        text = (
            f"{self.groups}个工作组干{self.days}个工作日，共{capacity}个工作组日："
            f"按本安排可使{best['lifted']}个村（社区）转好一级，用{best['team_days']:.1f}个工作组日；"
            f"从指数最低的做起只能使{worst['lifted']}个转好。"
        )
        if not np.isnan(best["expected_hits"]):
            text += (
                f"所到村（社区）中，不处置预计有{best['expected_hits']:.1f}个会出事，每百个工作组日命中"
                f"{100 * best['hits_per_team_day']:.1f}个；从指数最低的做起为{worst['expected_hits']:.1f}个。"
            )
        return text + ("已是最优。" if self.gap == 0 else f"与最优的差距不超过{self.gap:.1%}。")

    def explain(self, unit_code: str) -> str:
        """Return in Chinese whether and why a unit is in the plan.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row: dict[str, Any] = dict(self.units.loc[unit_code])
        status = row["status"]
        if status == "green":
            return f"{unit_code}已是绿色，不占用工作组。"
        if status == "unknown":
            return f"{unit_code}没有填报任何数据，请先报数，暂不安排。"
        marks = {one.value: one.mark for one in Level}
        turn = f"由{marks[row['level']]}转{marks[row['target']]}"
        effort = f"投入{row['cost']:.1f}个工作组日"
        if status == "unreachable":
            limit = "" if self.within_days is None else f"在{self.within_days}个工作日内"
            return f"{unit_code}{limit}用尽措施库中的办法也不能{turn}，不列入转色安排；请按一村一策另行研究。"
        if status == "too_long":
            return f"{unit_code}{turn}约需{row['days']}个工作日，{self.days}个工作日内做不完，本轮不安排。"
        if status == "capacity":
            return (
                f"{unit_code}{effort}可{turn}，但工作组日已用于投入更少、成效更大的村（社区），本轮未排入。"
            )
        group = "" if pd.isna(row["group"]) else f"，由第{row['group']}组承担"
        return f"{unit_code}排在第{row['order']}位：{effort}、约{row['days']}个工作日，可{turn}{group}。"


def plan_remedies(
    remedies: Remedies,
    *,
    groups: int,
    days: int,
    chance: pd.Series[float] | None = None,
    objective: Objective = "lifted",
    assign: bool = False,
) -> RemedyPlan:
    """Choose the units that N working groups lift to the next colour.

    Parameters
    ----------
    remedies
        Paths of all units. Found with ``within_days=days`` they are the cheapest that the time allows;
        otherwise a unit whose cheapest path takes longer is left out.
    groups, days
        Number of working groups, and working days of each.
    chance
        Chance of an incident by unit, 0-1, of every unit that a path lifts.
    objective
        ``"lifted"`` for most units lifted, ``"expected_hits"`` for most incidents reached.
    assign
        Whether to give each unit to one group so that no group exceeds its days. The optima at the whole
        capacity and at up to 1,000 tenths below it are packed in turn, dearest unit first, each into the
        group with least time left that has enough (best-fit decreasing), and gaps are filled with whatever
        else fits; the best of these and of both habits is taken. Its bound is the optimum without
        assignment, which is loose where a group has room for few units. Without assignment only the
        capacity of all groups together counts, and the plan is optimal.

    Returns
    -------
    RemedyPlan

    Raises
    ------
    ValueError
        If groups or days are below 1, chances are needed and missing or not within 0-1, or the objective is
        unknown.
    ParameterError
        If the capacity is too large to be searched exactly in 1 GiB.

    Examples
    --------
    >>> units = pd.DataFrame({
    ...     "level": "red", "target": "yellow", "index": [40.0, 50.0, 55.0], "reachable": True,
    ...     "cost": [9.0, 5.0, 5.0], "days": [9, 5, 5]}, index=["a", "b", "c"])
    >>> none = pd.DataFrame()
    >>> remedies = Remedies(units, none, none, none, within_days=None, as_of=None, version="v")
    >>> plan = plan_remedies(remedies, groups=1, days=10)
    >>> plan
    RemedyPlan(units=3, groups=1, days=10, lifted=2, gap=0.00%, as_of=None, parameters='v')
    >>> plan.comparison["lifted"].to_dict()
    {'optimum': 2, 'greedy': 2, 'worst_first': 1}
    >>> plan.explain("a")
    'a投入9.0个工作组日可由红转黄，但工作组日已用于投入更少、成效更大的村（社区），本轮未排入。'
    """
    if groups < 1 or days < 1:
        raise ValueError(f"groups and days must be at least 1, found {groups} and {days}")
    if objective not in ("lifted", "expected_hits"):
        raise ValueError(f"unknown objective: {objective}")
    frame = remedies.units
    status = _status(frame, days)
    able = frame[status == "capacity"]
    able = able.iloc[np.lexsort((able.index.to_numpy(dtype=object).astype(str), able["index"].to_numpy()))]
    odds = _chances(able.index, chance, objective)
    cost = np.rint(able["cost"].to_numpy() * COST_SCALE).astype(np.int64)
    ones = np.ones(len(able), dtype=np.int64)
    worth = ones if objective == "lifted" else np.rint(odds * CHANCE_SCALE).astype(np.int64)
    capacity = groups * days * COST_SCALE
    take, best = _knapsack(cost, worth, capacity)
    orders = {"greedy": _by_ratio(cost, worth), "worst_first": np.arange(len(able))}
    bins = [days * COST_SCALE] * groups if assign else [capacity]
    if assign:
        team = _assigned(cost, worth, take, best, bins)
    else:
        team = _traced(take, cost, len(best) - 1).astype(np.int64)
    chosen = team > 0
    taken = {"optimum": chosen} | {s: _packed(cost, order, bins) > 0 for s, order in orders.items()}
    place = np.empty(len(able), dtype=np.int64)
    place[orders["greedy"]] = np.arange(len(able))
    rank = pd.Series(pd.NA, index=able.index, dtype="Int64")
    rank[chosen] = pd.Series(place[chosen]).rank().astype("int64").to_numpy()
    status[able.index[chosen]] = "chosen"
    units = frame[["level", "target", "index", "cost", "days"]].assign(
        chance=np.nan if chance is None else chance.reindex(frame.index),
        status=status,
        order=rank.reindex(frame.index),
        group=pd.Series(team, index=able.index, dtype="Int64").where(chosen & assign).reindex(frame.index),
    )
    scale = 1.0 if objective == "lifted" else CHANCE_SCALE
    return RemedyPlan(
        units=units,
        comparison=_comparison(taken, cost, odds),
        curve=_curve(best, orders, cost, worth, capacity, scale),
        groups=groups,
        days=days,
        within_days=remedies.within_days,
        objective=objective,
        worth=int(worth[chosen].sum()) / scale,
        bound=int(best[-1]) / scale,
        as_of=remedies.as_of,
        version=remedies.version,
    )


def _status(units: pd.DataFrame, days: int) -> pd.Series[str]:
    """Return why each unit is left out, or ``capacity`` where a path lifts it in time."""
    conditions = [
        units["level"] == Level.GREEN.value,
        units["level"] == Level.UNKNOWN.value,
        ~units["reachable"].astype(bool),
        units["days"] > days,
    ]
    words = np.select(conditions, ["green", "unknown", "unreachable", "too_long"], "capacity")
    return pd.Series(words, index=units.index, dtype="str")


def _chances(able: pd.Index, chance: pd.Series[float] | None, objective: Objective) -> Floats:
    if chance is None:
        if objective == "expected_hits":
            raise ValueError("objective 'expected_hits' needs chances")
        return np.full(len(able), math.nan, dtype=np.float64)
    odds = np.asarray(chance.reindex(able), dtype=np.float64)
    if not ((odds >= 0) & (odds <= 1)).all():  # NaN fails too
        wrong = able[~((odds >= 0) & (odds <= 1))]
        raise ValueError(f"chance must be within 0-1 for every unit a path lifts: {list(wrong[:5])}")
    return odds


def _knapsack(cost: Ints, worth: Ints, capacity: int) -> tuple[npt.NDArray[np.uint8], Ints]:
    """Return whether to take each unit, and the optimal worth, at every capacity up to the total cost.

    Units stand in their order of priority: the tables run from the last to the first, so that tracing them
    forward takes the earliest unit of any tie. Decisions are bits, packed along the capacities.
    """
    n, room = len(cost), min(capacity, int(cost.sum()))
    if n * (room + 1) > MOST_CELLS:
        raise ParameterError(
            "不能精确安排工作组",
            [
                Fault("工作组", f"{n} 个单位、{room / COST_SCALE:g} 个工作组日",
                      f"两数之积不超过 {MOST_CELLS // COST_SCALE}", "减少工作组或天数，或按县区分别安排")
            ],
        )  # fmt: skip
    unit = int(cost.sum()) + 1  # worth counts before team-days saved
    value = np.zeros(room + 1, dtype=np.int64)
    take = np.zeros((n, (room + 8) // 8), dtype=np.uint8)
    for i in range(n - 1, -1, -1):
        c = int(cost[i])
        if c > room:
            continue
        gained = value[: room + 1 - c] + (int(worth[i]) * unit - c)
        better = gained >= value[c:]
        take[i] = np.packbits(np.concatenate([np.zeros(c, dtype=bool), better]))
        value[c:] = np.maximum(gained, value[c:])
    return take, -(-value // unit)


def _traced(take: npt.NDArray[np.uint8], cost: Ints, left: int) -> npt.NDArray[np.bool_]:
    """Return the optimal choice at a capacity."""
    chosen = np.zeros(len(cost), dtype=bool)
    for i in range(len(cost)):
        if take[i, left >> 3] & (0x80 >> (left & 7)):
            chosen[i] = True
            left -= int(cost[i])
    return chosen


def _by_ratio(cost: Ints, worth: Ints) -> Ints:
    """Return positions by worth per team-day, most first; ties in order of priority; free ones first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(cost > 0, worth / cost, np.inf)
    return np.argsort(-ratio, kind="stable").astype(np.int64)


def _packed(cost: Ints, order: Ints, bins: list[int]) -> Ints:
    """Return the bin of each unit from 1, or 0, taking units in an order and passing over what fits nowhere.

    A unit goes where least is left that is enough; of equals into the first.
    """
    team = np.zeros(len(cost), dtype=np.int64)
    left = sorted((room, number) for number, room in enumerate(bins, start=1))
    for i in order.tolist():
        at = bisect.bisect_left(left, (int(cost[i]), 0))
        if at < len(left):
            room, number = left.pop(at)
            team[i] = number
            bisect.insort(left, (room - int(cost[i]), number))
    return team


def _assigned(cost: Ints, worth: Ints, take: npt.NDArray[np.uint8], best: Ints, bins: list[int]) -> Ints:
    """Return the group of each unit from 1, or 0: the best packing of the optima at falling capacities."""
    others = _by_ratio(cost, worth)
    team = max(
        (_packed(cost, order, bins) for order in (others, np.arange(len(cost)))),
        key=lambda packed: int(worth[packed > 0].sum()),
    )
    for room in range(len(best) - 1, max(-1, len(best) - 1 - MOST_PACKINGS), -1):
        if worth[team > 0].sum() >= best[room]:
            break  # what remains starts from no more than is reached already
        chosen = _traced(take, cost, room)
        dearest = np.flatnonzero(chosen)[np.argsort(-cost[chosen], kind="stable")]
        packed = _packed(cost, np.concatenate([dearest, others[~chosen[others]]]), bins)
        if worth[packed > 0].sum() > worth[team > 0].sum():
            team = packed
    return team


def _comparison(taken: dict[str, npt.NDArray[np.bool_]], cost: Ints, odds: Floats) -> pd.DataFrame:
    rows = []
    for strategy, mask in taken.items():
        spent = float(cost[mask].sum()) / COST_SCALE
        lifted, hits = int(mask.sum()), float(odds[mask].sum())
        rows.append((STRATEGIES[strategy], lifted, hits, spent, _per(lifted, spent), _per(hits, spent)))
    columns = ["label", "lifted", "expected_hits", "team_days", "lifted_per_team_day", "hits_per_team_day"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(taken), name="strategy"))


def _per(amount: float, spent: float) -> float:
    return amount / spent if spent > 0 else np.nan


def _curve(
    best: Ints, orders: dict[str, Ints], cost: Ints, worth: Ints, capacity: int, scale: float
) -> pd.DataFrame:
    """Return the worth reached at capacities from none to all, for the optimum and for both habits."""
    rooms = np.unique(np.linspace(0, capacity, CURVE_POINTS).astype(np.int64)).tolist()
    rows = [(room / COST_SCALE, "optimum", best[min(room, len(best) - 1)] / scale) for room in rooms]
    for strategy, order in orders.items():
        rows += [
            (room / COST_SCALE, strategy, worth[_packed(cost, order, [room]) > 0].sum() / scale)
            for room in rooms
        ]
    return pd.DataFrame(rows, columns=["team_days", "strategy", "worth"])
