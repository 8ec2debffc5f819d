"""What all benchmarks measure with: cases, times taken in turns, and peaks of memory.

A module ``bench_x`` lists its cases as ``CASES``; ``python -m benchmarks`` runs each at each of its sizes in
a process of its own. A ratio is taken of processor time, since machines are shared: contender and peer take
turns on one thread in the same process, and the shortest time of each stands.

Well-kept tools were looked at first. pyperf measures wall time or bytes of one call at a time and compares
seconds between files; asv compares commits on one quiet machine, in environments that it builds itself. Both
time calls well, and neither takes two contenders in turns, judges a ratio against a limit, or holds a result
against one from another machine, which is all that is needed here.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

__all__ = [
    "SIZES",
    "SORT",
    "Case",
    "Found",
    "Limit",
    "Unavailable",
    "best",
    "forget_peak",
    "in_turns",
    "peak_mb",
    "sort_a_million",
    "timed",
]

T = TypeVar("T")

SIZES = (3_215, 20_000, 100_000, 600_000)
"""Units: a city, a province's counties, a province, the nation."""

ENOUGH = 0.3  # seconds of processor that the turns of a call take together, however short it is
SORT = "sorting a million numbers"
"""The yardstick of what has no peer: it tells how quick the machine is."""


class Unavailable(Exception):  # noqa: N818 - a reason, not an error
    """A case cannot be run on this machine; the text says why."""


@dataclass(frozen=True)
class Limit:
    """What the plan allows at one size; ``None`` where it says nothing."""

    figure: float | None = None
    space: float | None = None


@dataclass(frozen=True)
class Found:
    """What one measurement found.

    Parameters
    ----------
    figure
        What the plan limits, in the unit of its case.
    seconds, wall_seconds
        Processor and wall time of the contender, the shortest of ``rounds``; no processor time where the
        work is spread over processes, or is waiting.
    peer_seconds
        Processor time of the peer; ``None`` where the figure has no ratio that means the same elsewhere.
    space
        Memory or bytes that the plan limits, in the unit of its case.
    peak_mb
        Peak of resident memory while the contender ran: interpreter, libraries and data included.
    rounds
        How often each was timed.
    """

    figure: float
    seconds: float | None
    wall_seconds: float
    peer_seconds: float | None = None
    space: float | None = None
    peak_mb: float | None = None
    rounds: int = 1

    @property
    def ratio(self) -> float | None:
        """Times the peer."""
        return self.seconds / self.peer_seconds if self.seconds and self.peer_seconds else None


@dataclass(frozen=True)
class Case:
    """One row of the plan's budgets, or one beside it.

    Parameters
    ----------
    name
        ``module.case``, without ``bench_``.
    budget
        The row of the plan that it belongs to.
    what
        The contender.
    of
        What sizes count.
    sizes
        Growing sizes; the largest is that of the plan unless ``limits`` says otherwise.
    quick
        A size for a check of results, ``None`` where a test of its own does that.
    measure
        Returns what it found at a size, after checking results; raises :class:`Unavailable`.
    limits
        By size; at others nothing is judged.
    unit, peer, space_unit
        Of :attr:`Found.figure`, :attr:`Found.peer_seconds` and :attr:`Found.space`.
    """

    name: str
    budget: str
    what: str
    of: str
    sizes: tuple[int, ...]
    quick: int | None
    measure: Callable[[int], Found]
    limits: Mapping[int, Limit] = field(default_factory=dict)
    unit: str = "×"
    peer: str = ""
    space_unit: str = ""


def timed(call: Callable[[], T]) -> tuple[T, float, float]:
    """Return a result, processor seconds and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = call()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def best(rounds: int, *calls: Callable[[], object], enough: float = 0.0) -> list[tuple[float, float]]:
    """Return the shortest processor and wall time of each call; the calls take turns.

    Short calls get more turns, until all together took ``enough`` seconds.
    """
    times = [(float("inf"), float("inf"))] * len(calls)
    total, turn = 0.0, 0
    while turn < rounds or total < enough:
        for position, call in enumerate(calls):
            _, cpu, wall = timed(call)
            times[position] = min(times[position][0], cpu), min(times[position][1], wall)
            total += wall
        turn += 1
    return times


def in_turns(
    call: Callable[[], object],
    peer: Callable[[], object],
    *,
    rounds: int,
    figure: Callable[[float], float] | None = None,
) -> Found:
    """Measure a call beside its peer.

    Parameters
    ----------
    call, peer
        Contender and peer, without arguments.
    rounds
        Turns at least; short calls get more.
    figure
        What the plan limits, from the contender's processor seconds; the ratio if not given.
    """
    forget_peak()
    call()
    peak = peak_mb()
    (seconds, wall), (peer_seconds, _) = best(rounds, call, peer, enough=ENOUGH)
    limited = seconds / peer_seconds if figure is None else figure(seconds)
    return Found(limited, seconds, wall, peer_seconds, peak_mb=peak, rounds=rounds)


@cache
def _million() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(1).random(1_000_000)


def sort_a_million() -> None:
    """Do the work of the yardstick :data:`SORT`; the same on every machine, one thread."""
    np.sort(_million(), kind="stable")  # by merging, which no kind of processor has special code for


def forget_peak() -> None:
    """Let the peak of this process's memory start anew from what it holds now, where the system can."""
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        marks.write_text("5", encoding="ascii")


def peak_mb() -> float:
    """Return the peak of this process's resident memory in MB (2²⁰ bytes).

    Linux keeps the peak of the process that started this one in ``ru_maxrss``, so the program's own is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return float(lines["VmHWM"].split()[0]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1024)
