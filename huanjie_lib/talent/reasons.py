"""What would move a person on a list: exact thresholds of single aspects, and the sentences that say so.

A threshold is the least value of one aspect, all else being equal, at which the person still comes before
another, on a grid of 0.1 points from 0 to 100. A fit never falls when a value rises, so that halving the
grid finds it; each step puts the value in and compares fits as lists are compared, ties included. In real
numbers it would be ``x_a + (fit of the other − own fit) / w_a``.

Three kinds are told:

* ``stay``: below the threshold the person leaves the first N, N being the people wanted or, for whoever is
  not among them, the length of the list. Named first: what the person is most ahead in of whoever would move
  up;
* ``reach``: from the threshold on the person is the first, or, for whoever is not among the people wanted,
  among them. Named first: the least rise;
* ``verify``: with the lower end of an aspect in place of its middle, the person would not be among the people
  wanted, so that what is missing is to be verified first. Named: what may lower the fit most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.talent.fit import ASPECTS
from huanjie_lib.talent.top_k import scores
from huanjie_lib.vocabulary import PortraitAspect

__all__ = ["KINDS", "Candidates", "Rivals", "Thresholds", "find_thresholds", "least_values"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

KINDS = ("stay", "reach", "verify")

NAMED = 2
"""Thresholds named for each person and kind; of the third kind one."""

GRID = 10
"""Steps of the grid in a point."""


@dataclass(frozen=True)
class Rivals:
    """Whom each of N people would have to give way to or pass.

    Parameters
    ----------
    fit
        Fit of the other, shape (N,); NaN where there is nobody.
    first
        Whether the person comes before the other where their fits are equal, shape (N,).
    """

    fit: Floats
    first: Mask

    def passed_by(self, fit: Floats) -> Mask:
        """Return whether each person comes before the other with a fit."""
        passed: Mask = (fit > self.fit) | ((fit == self.fit) & self.first)
        return passed


@dataclass(frozen=True)
class Candidates:
    """People on lists, one row a person and post.

    Parameters
    ----------
    low, mean
        Lower ends and middles of their aspects, shape (N, K).
    weights
        Weights of their posts, shape (N, K).
    rank, wanted, length
        Their rank, from 1, the people that the post wants and the length of lists, shape (N,).
    behind
        Who would move up if a person left the first :attr:`keep`.
    behind_mean
        The middles of these, shape (N, K); NaN where there is nobody.
    ahead
        Whose place a person would take to be among the first :attr:`goal`; nobody for the first.
    """

    low: Floats
    mean: Floats
    weights: Floats
    rank: Rows
    wanted: Rows
    length: Rows
    behind: Rivals
    behind_mean: Floats
    ahead: Rivals

    @property
    def keep(self) -> Rows:
        """How many they are among: the people wanted, or else the list."""
        return np.where(self.rank <= self.wanted, self.wanted, self.length)

    @property
    def goal(self) -> Rows:
        """How many they would be among: the first alone, or else the people wanted."""
        return np.where(self.rank <= self.wanted, 1, self.wanted)


@dataclass(frozen=True)
class Thresholds:
    """The thresholds that are named, and their sentences.

    Parameters
    ----------
    frame
        candidate (row), kind, aspect, value (middle; of ``verify`` the lower end), threshold, place (N of the
        first N), by candidate, kind and order of naming.
    reasons, against
        Sentences of each candidate.
    """

    frame: pd.DataFrame
    reasons: list[str]
    against: list[str]


def least_values(mean: Floats, weights: Floats, others: Rivals) -> Floats:
    """Return the least value of each aspect at which each person comes before another, all else being equal.

    Parameters
    ----------
    mean, weights
        Values and weights, shape (N, K).
    others
        Whom to come before.

    Returns
    -------
    numpy.ndarray
        Shape (N, K), on the grid; infinite where 100 would not do, or where there is nobody.

    Examples
    --------
    >>> mean, weights = np.array([[60.0, 80.0]]), np.array([[0.25, 0.75]])
    >>> least_values(mean, weights, Rivals(np.array([74.0]), np.array([False])))
    array([[56.1, 78.7]])
    >>> least_values(mean, weights, Rivals(np.array([74.0]), np.array([True])))
    array([[56. , 78.7]])
    """
    below = np.full(mean.shape, -1, dtype=np.int64)
    above = np.full(mean.shape, 100 * GRID, dtype=np.int64)
    possible = _before(mean, weights, above / GRID, others)
    while (above - below > 1).any():
        middle = (below + above + 1) // 2
        does = _before(mean, weights, middle / GRID, others)
        above, below = np.where(does, middle, above), np.where(does, below, middle)
    return np.where(possible, above / GRID, np.inf)


def _before(mean: Floats, weights: Floats, values: Floats, others: Rivals) -> Mask:
    """Return whether each person comes before the other with one aspect, by column, at a value."""
    out, changed = np.empty(mean.shape, dtype=np.bool_), mean.copy()
    for aspect in range(mean.shape[1]):
        changed[:, aspect] = values[:, aspect]
        out[:, aspect] = others.passed_by(scores(changed, weights))
        changed[:, aspect] = mean[:, aspect]
    return out


def find_thresholds(people: Candidates) -> Thresholds:
    """Return what keeps each person on a list where they are, and what would move them.

    Parameters
    ----------
    people
        People on lists.

    Returns
    -------
    Thresholds

    Examples
    --------
    >>> values = np.full((1, len(ASPECTS)), 60.0)
    >>> one, nobody = np.ones(1, dtype=np.int64), Rivals(np.array([np.nan]), np.array([False]))
    >>> found = find_thresholds(Candidates(
    ...     low=values - 20, mean=values, weights=np.full(values.shape, 1 / 12), rank=one, wanted=one,
    ...     length=10 * one, behind=Rivals(np.array([59.0]), np.array([True])), behind_mean=values - 1,
    ...     ahead=nobody))
    >>> found.reasons
    ['财务管理60.0分，低于48.0分将退出前1名；法治思维60.0分，低于48.0分将退出前1名']
    >>> found.against
    ['财务管理把握不足，按最低40.0分计将退出前1名，须先核实']
    """
    mean, weights = people.mean, people.weights
    among = (people.rank <= people.wanted)[:, None]
    pressed = ~np.isnan(people.behind.fit)[:, None]
    stay = least_values(mean, weights, people.behind)
    reach = least_values(mean, weights, people.ahead)
    doubtful = pressed & among & ~_before(mean, weights, people.low, people.behind)
    advantage = weights * (mean - people.behind_mean)
    named = {
        "stay": _first(pressed & (stay > 0.0), -advantage, NAMED),
        "reach": _first(np.isfinite(reach), reach - mean, NAMED),
        "verify": _first(doubtful, -weights * (mean - people.low), 1),
    }
    said = {
        "stay": (mean, stay, people.keep),
        "reach": (mean, reach, people.goal),
        "verify": (people.low, stay, people.keep),
    }
    parts = []
    for number, kind in enumerate(KINDS):
        candidate, slot = np.nonzero(named[kind] >= 0)
        at = candidate, named[kind][candidate, slot]
        value, threshold, place = said[kind]
        part = {"candidate": candidate, "number": number, "slot": slot, "aspect": at[1], "value": value[at]}
        parts.append(pd.DataFrame({**part, "threshold": threshold[at], "place": place[candidate]}))
    frame = pd.concat(parts).sort_values(["candidate", "number", "slot"], ignore_index=True)
    sentences = {kind: [list[str]() for _ in range(len(mean))] for kind in KINDS}
    for candidate, number, aspect, value, threshold, place in zip(
        *(frame[c].tolist() for c in ("candidate", "number", "aspect", "value", "threshold", "place")),
        strict=True,
    ):
        sentences[KINDS[number]][candidate].append(
            _sentence(KINDS[number], LABELS[aspect], value, threshold, place)
        )
    return Thresholds(
        frame=pd.DataFrame(
            {
                "candidate": frame["candidate"],
                "kind": pd.array(np.array(KINDS)[frame["number"]], dtype="str"),
                "aspect": pd.array(np.array(ASPECTS)[frame["aspect"]], dtype="str"),
                "value": frame["value"],
                "threshold": frame["threshold"],
                "place": frame["place"],
            }
        ),
        reasons=[
            "；".join(found)
            or (
                f"任何一项单独降到0分都仍在前{keep}名"
                if hard
                else f"符合条件的不足{keep + 1}人，不会退出前{keep}名"
            )
            for found, hard, keep in zip(
                sentences["stay"], pressed[:, 0].tolist(), people.keep.tolist(), strict=True
            )
        ],
        against=[
            "；".join([*(found or _out_of_reach(rank, goal)), *unsure])
            for found, unsure, rank, goal in zip(
                sentences["reach"],
                sentences["verify"],
                people.rank.tolist(),
                people.goal.tolist(),
                strict=True,
            )
        ],
    )


LABELS = tuple(aspect.label for aspect in PortraitAspect)


def _first(may: Mask, key: Floats, most: int) -> Rows:
    """Return up to so many columns by key, those of equal key in their order; −1 for none."""
    order = np.argsort(np.where(may, key, np.inf), axis=1, kind="stable")[:, :most]
    return np.where(np.take_along_axis(may, order, axis=1), order, -1)


def _sentence(kind: str, label: str, value: float, threshold: float, place: int) -> str:
    if kind == "reach":
        goal = "升至第1名" if place == 1 else f"进入前{place}名"
        return f"{label}达到{threshold:.1f}分可{goal}"
    if kind == "verify":
        return f"{label}把握不足，按最低{value:.1f}分计将退出前{place}名，须先核实"
    # a present value between two of the grid may be all that keeps a person
    below = "再低0.1分" if threshold > value else f"低于{threshold:.1f}分"
    return f"{label}{value:.1f}分，{below}将退出前{place}名"


def _out_of_reach(rank: int, goal: int) -> list[str]:
    if rank == 1:
        return []
    return [f"任何一项单独提高到100分都不能{'升至第1名' if goal == 1 else f'进入前{goal}名'}"]
