"""Minimum-cost flow between posts and people over given pairs, with prices that prove it.

Post ``j`` has ``wanted_j`` places, person ``i`` may take ``most_i`` of them, at most ``room_e`` through pair
``e``, each of gain ``s_e``; a place that stays empty counts ``floor_j``:

    max Σ_e s_e x_e + Σ_j floor_j y_j   s.t.   Σ_{e∈j} x_e + y_j = wanted_j,   Σ_{e∈i} x_e ≤ most_i,
                                               0 ≤ x_e ≤ room_e,   y_j ≥ 0

Everything is whole numbers. OR-Tools' cost-scaling push–relabel finds the flow (Goldberg & Tarjan 1990, Math.
Oper. Res. 15(3):430-466) but tells no prices, so these are found here and prove the flow: prices ``u_j ≥
floor_j`` of a place and ``v_i ≥ 0`` of a person with

    s_e ≤ u_j + v_i where x_e < room_e,   s_e ≥ u_j + v_i where x_e > 0,
    v_i = 0 where the person has room left,   u_j = floor_j where a place stays empty

exist if and only if the flow is optimal (complementary slackness; Ahuja, Magnanti & Orlin 1993, *Network
Flows*, §9.4). The two ends of their range are shortest paths in the residual network; they are relaxed for
all nodes at once (Bellman–Ford). Returned is the middle, which lies inside the range: prices at an end let
most pairs that were left out look better than they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from ortools.graph.python import min_cost_flow

__all__ = ["Flow", "best_flow"]

Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Flow:
    """An optimal flow and prices that prove it.

    Parameters
    ----------
    units
        Places taken through each pair, shape (e,).
    place_price, person_price
        Twice the price of a place of each post, shape (m,), and of each person, shape (n,): the sum of the
        lowest and the highest price that fit the flow.
    empty
        Places of each post that stay empty, shape (m,).
    """

    units: Ints
    place_price: Ints
    person_price: Ints
    empty: Ints


def best_flow(
    post: Ints, person: Ints, gain: Ints, *, room: Ints, wanted: Ints, most: Ints, floor: Ints
) -> Flow:
    """Return the flow of most gain.

    Parameters
    ----------
    post, person, gain, room
        Pairs, shape (e,): row of the post, row of the person, gain of a place, most places through the pair.
    wanted, floor
        Places of each post, at least 1, and gain of one that stays empty, shape (m,).
    most
        Most places of each person, at least 1, shape (n,).

    Returns
    -------
    Flow
        Which of several optima it is depends on the order of the pairs and on nothing else.

    Raises
    ------
    RuntimeError
        If the solver gives up (numbers too large), or no prices prove what it found.

    Examples
    --------
    >>> ints = lambda *x: np.array(x, dtype=np.int64)
    >>> flow = best_flow(ints(0, 0, 1), ints(0, 1, 0), ints(90, 60, 80), room=ints(1, 1, 1),
    ...                  wanted=ints(1, 1), most=ints(1, 1), floor=ints(-999, -999))
    >>> flow.units.tolist(), flow.empty.tolist()
    ([0, 1, 1], [0, 0])
    >>> (flow.person_price / 2).tolist()
    [554.5, 524.5]
    """
    m, used = len(wanted), np.unique(person)
    sink, seats = m + len(used), np.arange(m)
    network = min_cost_flow.SimpleMinCostFlow()
    arcs = network.add_arcs_with_capacity_and_unit_cost(
        post, m + np.searchsorted(used, person), np.minimum(room, wanted[post]), -gain
    )
    ends = np.full(len(used), sink), np.full(m, sink)
    network.add_arcs_with_capacity_and_unit_cost(
        m + np.arange(len(used)), ends[0], most[used], np.zeros(len(used), dtype=np.int64)
    )
    left = network.add_arcs_with_capacity_and_unit_cost(seats, ends[1], wanted, -floor)
    network.set_nodes_supplies(seats, wanted)
    network.set_node_supply(sink, -int(wanted.sum()))
    status = network.solve()
    if status != network.OPTIMAL:
        raise RuntimeError(f"min-cost flow ended with status {status}")
    units = np.asarray(network.flows(arcs), dtype=np.int64)
    empty = np.asarray(network.flows(left), dtype=np.int64)
    spare = _summed(person, units, len(most)) < most
    tight = units == room  # a pair that gives a post all it wants is not full for that
    ends_of = _Ends(post, person, gain, units > 0, ~tight, spare, empty > 0, floor)
    low, high = ends_of.dearest_places(), ends_of.dearest_people()
    return Flow(units, low[0] + high[0], low[1] + high[1], empty)


def _summed(group: Ints, amount: Ints, size: int) -> Ints:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, group, amount)
    return total


@dataclass(frozen=True)
class _Ends:
    """Both ends of the range of prices that fit a flow."""

    post: Ints
    person: Ints
    gain: Ints
    taken: npt.NDArray[np.bool_]
    free: npt.NDArray[np.bool_]
    spare: npt.NDArray[np.bool_]
    short: npt.NDArray[np.bool_]
    floor: Ints

    def dearest_places(self) -> tuple[Ints, Ints]:
        """Return prices of places and of people where people are cheapest."""
        places = _Extreme(self.post[self.taken], np.minimum, len(self.floor))
        people = _Extreme(self.person[self.free], np.maximum, len(self.spare))
        of, s, back, t = (
            self.person[self.taken],
            self.gain[self.taken],
            self.post[self.free],
            self.gain[self.free],
        )
        price = np.zeros(len(self.spare), dtype=np.int64)
        for _ in range(len(price) + len(self.floor) + 1):
            place = places.of(s - price[of], self.floor)
            place[self.short] = self.floor[self.short]
            raised = np.maximum(price, people.of(t - place[back], price))
            if np.array_equal(raised, price):
                return self._checked(place, price)
            price = raised
        raise RuntimeError("no prices prove the flow")

    def dearest_people(self) -> tuple[Ints, Ints]:
        """Return prices of places and of people where places are cheapest."""
        people = _Extreme(self.person[self.taken], np.minimum, len(self.spare))
        places = _Extreme(self.post[self.free], np.maximum, len(self.floor))
        of, s, back, t = (
            self.post[self.taken],
            self.gain[self.taken],
            self.person[self.free],
            self.gain[self.free],
        )
        none, place = np.zeros(len(self.spare), dtype=np.int64), self.floor.copy()
        for _ in range(len(place) + len(none) + 1):
            price = people.of(s - place[of], none)
            price[self.spare] = 0
            raised = np.maximum(place, places.of(t - price[back], place))
            if np.array_equal(raised, place):
                return self._checked(place, price)
            place = raised
        raise RuntimeError("no prices prove the flow")

    def _checked(self, place: Ints, price: Ints) -> tuple[Ints, Ints]:
        over = self.gain - place[self.post] - price[self.person]
        right = (
            (over[self.free] <= 0).all()
            and (over[self.taken] >= 0).all()
            and (price >= 0).all()
            and (price[self.spare] == 0).all()
            and (place >= self.floor).all()
            and (place[self.short] == self.floor[self.short]).all()
        )
        if not right:
            raise RuntimeError("no prices prove the flow")
        return place, price


class _Extreme:
    """Least or greatest value of each group, found again and again for the same groups."""

    def __init__(self, group: Ints, extreme: np.ufunc, size: int) -> None:
        self.order = np.argsort(group, kind="stable")
        ordered = group[self.order]
        self.start = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(group) else group
        self.group, self.extreme, self.size = ordered[self.start], extreme, size

    def of(self, values: Ints, otherwise: Ints) -> Ints:
        """Return the extreme of each group; of an empty one what is given instead."""
        out = otherwise.copy()
        if len(self.group):
            out[self.group] = self.extreme.reduceat(values[self.order], self.start)
        return out
