"""Settled events to figures by unit and month, as Ibis expressions.

Every unit has a row for every month of the declared stretch, events or not: within it silence is zero,
outside it nothing is said. Figures are counts and sums of whole numbers; the only quotient is taken once, at
the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from huanjie_lib.vocabulary import PetitionKind, RollChange

__all__ = ["METRICS", "NUMBER", "leads_by_day", "month_of", "months", "tally"]

METRICS: Final = ("petitions_total", "petitions_group", "petitions_backlog", "voters_registered")
"""Metrics of ``facts`` that come out of the streams."""

NUMBER: Final = "events"
"""Column of a tally: how many events it counts."""

_DAY: Final = 86_400


def month_of(moment: ir.Value) -> ir.Value:
    """Return months since year 0 of a wall clock."""
    return moment.year().cast("int64") * 12 + moment.month().cast("int64") - 1


def _seconds(moment: ir.Value) -> ir.Value:
    """Return whole seconds since 1970 of a wall clock."""
    return moment.truncate("s").epoch_seconds().cast("int64")


def _into(month: ir.Value, first: int) -> ir.Value:
    """Return the month, or the one before ``first`` for whatever is earlier."""
    return ibis.greatest(month, ibis.literal(first - 1, "int64"))


def _flag(condition: ir.Value) -> ir.Value:
    """Return 1 where a condition holds, else 0; PostgreSQL turns no truth into a number by itself."""
    return ibis.ifelse(condition, 1, 0).cast("int64")


def tally(name: str, events: ir.Table, *, first: int, hotline_counted: Sequence[str] = ()) -> ir.Table:
    """Return the settled events of a stream as counts and sums that all figures come from, in one pass.

    Parameters
    ----------
    name
        The stream.
    events
        Its settled events, each once.
    first
        First month; whatever is earlier is counted in the one before.
    hotline_counted
        Kinds of work orders that count as petitions unless handed over as one.

    Returns
    -------
    ibis.expr.types.Table
        By ``unit`` and ``month``, for leads and rolls by ``day`` too: :data:`NUMBER` and what the stream's
        figures need. Petitions have a row where any was received, listed as long pending or closed.
    """
    if name == "petition_events":
        return _petitions(events, first)
    month = _into(month_of(events.happened_at), first)
    number = {NUMBER: lambda t: t.count().cast("int64")}
    if name == "hotline_events":
        wanted = events.kind.isin(list(hotline_counted)) if hotline_counted else ibis.literal(False)
        rows = events.select("unit", month=month, taken=events.petition_id.isnull() & wanted)
        taken = rows.count(where=rows.taken).cast("int64")
        return rows.group_by("unit", "month").aggregate(**number, hotline_counted=taken)
    day = events.happened_at.date()
    if name == "lead_events":
        return (
            events.select("unit", "kind", day=day, month=month)
            .group_by("unit", "month", "day", "kind")
            .aggregate(**number)
        )
    opening = events.kind == RollChange.OPENING.value
    sign = ibis.cases((events.kind == RollChange.REMOVED.value, -1), else_=1).cast("int64")
    rows = events.select("unit", day=day, month=month, opening=opening, change=events.electors * sign)
    return rows.group_by("unit", "month", "day").aggregate(
        **number,
        openings=rows.count(where=rows.opening).cast("int64"),
        change=rows.change.sum().cast("int64"),
    )


def months(
    tallies: Mapping[str, ir.Table],
    units: ir.Table,
    every_month: ir.Table,
    *,
    first: int,
    backlog: bool = True,
) -> ir.Table:
    """Return one row per unit and month from ``first`` on: the figures of all streams.

    Parameters
    ----------
    tallies
        By stream, as :func:`tally` returns them; one that is absent leaves its figures null.
    units
        ``unit``, ``county``, ``begins`` and ``ends`` (first and last month the code is in force) and, by
        stream, ``<stream>_first`` and ``<stream>_last``: the months covered, none where last is below first.
    every_month
        ``month``: the month before ``first``, which takes in whatever is earlier, up to the last one.
    first
        First month.
    backlog
        Whether the petitions tell which are long pending; without, the backlog is null.

    Returns
    -------
    ibis.expr.types.Table
        county, unit_code, month, the four metrics, ``hotline_orders`` (all work orders), ``petition_days``
        (mean days from receipt to closing of those closed in the month) and, for the account, events of each
        stream. What a stream does not cover is null.
    """
    t = units.cross_join(every_month).select(*units.columns, "month")
    for name, found in tallies.items():
        by_month = found
        if "day" in found.columns:
            by_month = found.group_by("unit", "month").aggregate(
                **{NUMBER: found[NUMBER].sum().cast("int64")}
            )
        t = _joined(t, by_month.rename({name: NUMBER}))
    if "roll_events" in tallies:
        t = _carried(_joined(t, _rolls(tallies["roll_events"]), zero=False))
    if "petition_events" in tallies:
        t = _with_backlog(t)
    inside = t.filter((t.month >= first) & (t.month >= t.begins) & (t.month <= t.ends))
    figures = _figures(inside, set(tallies), backlog=backlog)
    return inside.select("county", unit_code=inside.unit, month=inside.month, **figures)


def _figures(t: ir.Table, streams: set[str], *, backlog: bool) -> dict[str, ir.Value]:
    nothing = ibis.null("int64")

    def where(condition: ir.Value, value: ir.Value) -> ir.Value:
        return ibis.ifelse(condition, value, ibis.null(value.type()))

    def covered(stream: str) -> ir.Value:
        return (t.month >= t[f"{stream}_first"]) & (t.month <= t[f"{stream}_last"])

    made: dict[str, ir.Value] = dict.fromkeys((*METRICS, "hotline_orders"), nothing)
    made["petition_days"] = ibis.null("float64")
    if "petition_events" in streams:
        here = covered("petition_events")
        total, whole = t.petition_events, here
        if "hotline_events" in streams:
            total, whole = total + t.hotline_counted, here & covered("hotline_events")
        days = t.close_seconds.cast("float64") / t.closed.nullif(0).cast("float64") / float(_DAY)
        made |= {
            "petitions_total": where(whole, total),
            "petitions_group": where(here, t.petitions_group),
            "petitions_backlog": where(here, t.petitions_backlog) if backlog else nothing,
            "petition_days": where(here, days),
        }
    if "hotline_events" in streams:
        made["hotline_orders"] = where(covered("hotline_events"), t.hotline_events)
    if "roll_events" in streams:
        made["voters_registered"] = where(covered("roll_events") & (t.roll >= 0), t.roll)
    for stream in sorted(streams):
        made[stream] = where(covered(stream), t[stream])
    return {name: value.name(name) for name, value in made.items()}


def _joined(grid: ir.Table, figures: ir.Table, *, zero: bool = True) -> ir.Table:
    """Join figures by unit and month; nothing counts as zero where so said."""
    added = [name for name in figures.columns if name not in ("unit", "month")]
    wide = grid.left_join(figures, ["unit", "month"]).select(*grid.columns, *added)
    return wide.mutate(**{name: wide[name].fill_null(0) for name in added}) if zero else wide


def _petitions(events: ir.Table, first: int) -> ir.Table:
    """Return what was received, closed and listed in each month; an event has a row for each of the three."""
    received, closed, listed = range(3)
    sides = ibis.memtable(pa.table({"side": [received, closed, listed]}))
    t = events.cross_join(sides)
    moment = ibis.cases(
        (t.side == received, t.happened_at), (t.side == closed, t.closed_at), else_=t.backlog_at
    )
    rows = t.select(
        "unit",
        "side",
        month=_into(month_of(moment), first),
        happens=moment.notnull(),
        group=t.kind == PetitionKind.GROUP.value,
        took=_seconds(t.closed_at) - _seconds(t.happened_at),
        long=t.backlog_at.notnull(),
    )
    rows = rows.filter(rows.happens)

    def number(condition: ir.Value) -> ir.Value:
        return rows.count(where=condition).cast("int64")

    return rows.group_by("unit", "month").aggregate(
        **{NUMBER: number(rows.side == received)},
        petitions_group=number((rows.side == received) & rows.group),
        closed=number(rows.side == closed),
        close_seconds=rows.took.sum(where=rows.side == closed).fill_null(0).cast("int64"),
        listed=number(rows.side == listed),
        unlisted=number((rows.side == closed) & rows.long),
    )


def _with_backlog(t: ir.Table) -> ir.Table:
    """Add the backlog at the end of each month: cases listed so far less those of them closed so far."""
    so_far = ibis.cumulative_window(group_by=t.unit, order_by=t.month)
    return t.mutate(petitions_backlog=(t.listed - t.unlisted).sum().over(so_far).cast("int64"))


def _rolls(daily: ir.Table) -> ir.Table:
    """Return the electors on the roll at the end of each month that has a change, from the first opening on.

    An opening states the whole roll and holds from the beginning of its day; openings of one day, by parts of
    the unit, add up. Changes of the same day come on top.
    """
    so_far = ibis.cumulative_window(group_by=daily.unit, order_by=daily.day)
    rolls = daily.mutate(number=_flag(daily.openings > 0).sum().over(so_far).cast("int64"))
    rolls = rolls.filter(rolls.number > 0)
    within = ibis.cumulative_window(group_by=[rolls.unit, rolls.number], order_by=rolls.day)
    rolls = rolls.mutate(roll=rolls.change.sum().over(within).cast("int64"))
    rolls = rolls.mutate(last=rolls.day.max().over(ibis.window(group_by=[rolls.unit, rolls.month])))
    return rolls.filter(rolls.day == rolls.last).select("unit", "month", "roll")


def _carried(t: ir.Table) -> ir.Table:
    """Carry the roll on from the last month that has one."""
    so_far = ibis.cumulative_window(group_by=t.unit, order_by=t.month)
    t = t.mutate(_since=_flag(t.roll.notnull()).sum().over(so_far).cast("int64"))
    return t.mutate(roll=t.roll.max().over(ibis.window(group_by=[t.unit, t._since]))).drop("_since")


def leads_by_day(daily: ir.Table, units: ir.Table) -> ir.Table:
    """Return the ``leads`` table of the months covered: county, unit_code, received_on, kind and count."""
    t = daily.inner_join(units, "unit")
    month = month_of(t.day)
    t = t.filter((month >= t.lead_events_first) & (month <= t.lead_events_last))
    return t.select("county", unit_code=t.unit, received_on=t.day, kind=t.kind, count=t[NUMBER])
