"""How cost grows with size: one panel for each row of the plan, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.record import Row
from huanjie_lib.views.fonts import register_matplotlib

__all__ = ["draw", "draw_streams"]

COLUMNS, PANEL_INCHES = 3, (4.4, 3.2)
COLOURS = ("#0b5fa5", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#334155")
SECONDS_IN = {"s": 1.0, "ms": 1e-3}


def draw(rows: Iterable[Row], path: Path) -> None:
    """Write the picture: solid lines are the project's own, dashed ones peers, a bar is a limit.

    The same rows give the same bytes.

    Parameters
    ----------
    rows
        Rows of a record, those of one row of the plan together.
    path
        An ``.svg`` or ``.png`` file.
    """
    panels = [(budget, list(of_budget)) for budget, of_budget in groupby(rows, lambda row: row.budget)]
    lines = -(-len(panels) // COLUMNS)
    with mpl.rc_context({"font.family": register_matplotlib(), "font.size": 8, "svg.hashsalt": "benchmarks"}):
        figure = Figure(figsize=(COLUMNS * PANEL_INCHES[0], lines * PANEL_INCHES[1]), layout="constrained")
        axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
        for axis, (budget, of_budget) in zip(axes, panels, strict=False):
            _panel(axis, budget, of_budget)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def draw_streams(rows: Iterable[Row], path: Path, *, limit_mb: float) -> None:
    """Write the picture of event streams: processor time and memory against events, a line a contender.

    The same rows give the same bytes.

    Parameters
    ----------
    rows
        Rows of one row of the plan.
    path
        An ``.svg`` or ``.png`` file.
    limit_mb
        What the plan allows of memory.
    """
    cases = [list(of_case) for _, of_case in groupby(rows, lambda row: row.case)]
    with mpl.rc_context({"font.family": register_matplotlib(), "font.size": 8, "svg.hashsalt": "streams"}):
        figure = Figure(figsize=(2 * PANEL_INCHES[0], PANEL_INCHES[1]), layout="constrained")
        time, memory = figure.subplots(1, 2)
        for colour, of_case in zip(COLOURS, cases, strict=False):
            sizes, label = [row.size for row in of_case], of_case[0].what
            time.plot(sizes, [row.seconds for row in of_case], "o-", color=colour, ms=3.5, label=label)
            memory.plot(sizes, [row.peak_mb for row in of_case], "o-", color=colour, ms=3.5, label=label)
        memory.axhline(limit_mb, color="#334155", lw=0.8, ls=":")
        memory.annotate("limit", (1, limit_mb), xycoords=("axes fraction", "data"), ha="right", va="bottom")
        for axis, what in ((time, "processor seconds"), (memory, "largest resident memory, MB")):
            axis.set(xscale="log", yscale="log", xlabel="events", ylabel=what)
            axis.grid(which="major", lw=0.4, color="#d4d4d4")
        for axis in (memory.yaxis, time.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        memory.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        memory.yaxis.set_minor_formatter(NullFormatter())
        memory.margins(y=0.1)
        time.legend(fontsize=6.5, frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def _panel(axis: Any, budget: str, rows: list[Row]) -> None:
    told: set[str] = set()
    for colour, (_, of_case) in zip(COLOURS * 2, groupby(rows, lambda row: row.case), strict=False):
        points = list(of_case)
        sizes = [row.size for row in points]
        axis.plot(sizes, [_seconds(row) for row in points], "o-", color=colour, ms=3.5, label=points[0].what)
        if all(row.peer_seconds for row in points):
            peers = [row.peer_seconds for row in points]
            label = None if points[0].peer in told else points[0].peer
            told.add(points[0].peer)
            axis.plot(sizes, peers, "s--", color=colour, ms=2.5, lw=0.8, label=label)
        for row in points:
            limit = _limit_seconds(row)
            if limit:
                axis.plot([row.size], [limit], "_", color=colour, ms=16, mew=2.5)
    axis.set(xscale="log", yscale="log", title=budget, xlabel=rows[0].of, ylabel="seconds")
    axis.title.set_fontsize(8.5)
    axis.grid(which="major", lw=0.4, color="#d4d4d4")
    axis.legend(fontsize=5.5, frameon=False)


def _seconds(row: Row) -> float:
    return row.wall_seconds if row.seconds is None else row.seconds


def _limit_seconds(row: Row) -> float | None:
    """Return where the limit lies on the axis of seconds, if it is one of time."""
    if not row.limit:
        return None
    if row.unit == "×":
        return row.limit * row.peer_seconds if row.peer_seconds else None
    return row.limit * SECONDS_IN[row.unit] if row.unit in SECONDS_IN else None
