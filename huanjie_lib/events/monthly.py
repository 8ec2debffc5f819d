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

from huanjie_lib.vocabulary import PetitionKind, RollChange

__all__ = ["METRICS", "leads_by_day", "month_of", "months"]

METRICS: Final = ("petitions_total", "petitions_group", "petitions_backlog", "voters_registered")
"""Metrics of ``facts`` that come out of the streams."""

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


def months(
    streams: Mapping[str, ir.Table],
    units: ir.Table,
    every_month: ir.Table,
    *,
    first: int,
    hotline_counted: Sequence[str],
    backlog: bool = True,
) -> ir.Table:
    """Return one row per unit and month from ``first`` on: the figures of all streams.

    Parameters
    ----------
    streams
        Settled events by stream; one that is absent leaves its figures null.
    units
        ``unit``, ``county``, ``begins`` and ``ends`` (first and last month the code is in force) and, by
        stream, ``<stream>_first`` and ``<stream>_last``: the months covered, none where last is below first.
    every_month
        ``month``: the month before ``first``, which takes in whatever is earlier, up to the last one.
    first
        First month.
    hotline_counted
        Kinds of work orders that count as petitions unless handed over as one.
    backlog
        Whether the petitions tell which are long pending; without, the backlog is null.

    Returns
    -------
    ibis.expr.types.Table
        county, unit_code, month, the four metrics, ``hotline_orders`` (all work orders), ``petition_days``
        (mean days from receipt to closing of those closed in the month) and, for the account, events of each
        stream. What a stream does not cover is null.
    """
    grid = units.cross_join(every_month)
    names = ["unit", "county", "month"]
    parts = [grid.select(*units.columns, "month")]
    t = parts[0]
    if "petition_events" in streams:
        t = _joined(t, _petitions(streams["petition_events"], first))
    if "hotline_events" in streams:
        t = _joined(t, _hotline(streams["hotline_events"], first, hotline_counted))
    if "lead_events" in streams:
        t = _joined(t, _plain(streams["lead_events"], first, "lead_events"))
    if "roll_events" in streams:
        t = _joined(t, _plain(streams["roll_events"], first, "roll_events"))
        t = _carried(_joined(t, _rolls(streams["roll_events"], first), zero=False))
    t = _with_backlog(t) if "petition_events" in streams else t
    inside = t.filter((t.month >= first) & (t.month >= t.begins) & (t.month <= t.ends))
    return inside.select(
        *names[1:2],
        **{"unit_code": inside.unit, "month": inside.month},
        **_figures(inside, set(streams), backlog=backlog),
    )


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
        total, whole = t.petitions, here
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
        column = "petitions" if stream == "petition_events" else stream
        made[stream] = where(covered(stream), t[column])
    return {name: value.name(name) for name, value in made.items()}


def _joined(grid: ir.Table, tally: ir.Table, *, zero: bool = True) -> ir.Table:
    """Join a tally by unit and month; nothing counts as zero where so said."""
    added = [name for name in tally.columns if name not in ("unit", "month")]
    wide = grid.left_join(tally, ["unit", "month"]).select(*grid.columns, *added)
    return wide.mutate(**{name: wide[name].fill_null(0) for name in added}) if zero else wide


def _petitions(events: ir.Table, first: int) -> ir.Table:
    """Return what was received, listed and closed in each month; no row of a month without any of them."""
    figures = ("petitions", "petitions_group", "closed", "close_seconds", "listed", "unlisted")

    def tally(rows: ir.Table, when: ir.Value, **given: ir.Value) -> ir.Table:
        one = {name: given.get(name, ibis.literal(0, "int64")) for name in figures}
        return _summed(rows.select("unit", month=_into(month_of(when), first), **one))

    group = _flag(events.kind == PetitionKind.GROUP.value)
    one = ibis.literal(1, "int64")
    received = tally(events, events.happened_at, petitions=one, petitions_group=group)
    done = events.filter(events.closed_at.notnull())
    took = _seconds(done.closed_at) - _seconds(done.happened_at)
    left = _flag(done.backlog_at.notnull())
    closed = tally(done, done.closed_at, closed=one, close_seconds=took, unlisted=left)
    pending = events.filter(events.backlog_at.notnull())
    return _summed(ibis.union(received, closed, tally(pending, pending.backlog_at, listed=one)))


def _summed(t: ir.Table) -> ir.Table:
    figures = [name for name in t.columns if name not in ("unit", "month")]
    return t.group_by("unit", "month").aggregate(**{name: t[name].sum().cast("int64") for name in figures})


def _with_backlog(t: ir.Table) -> ir.Table:
    """Add the backlog at the end of each month: cases listed so far less those of them closed so far."""
    so_far = ibis.cumulative_window(group_by=t.unit, order_by=t.month)
    return t.mutate(petitions_backlog=(t.listed - t.unlisted).sum().over(so_far).cast("int64"))


def _hotline(events: ir.Table, first: int, counted: Sequence[str]) -> ir.Table:
    wanted = events.kind.isin(list(counted)) if counted else ibis.literal(False)
    taken = events.petition_id.isnull() & wanted
    rows = events.select(
        "unit",
        month=_into(month_of(events.happened_at), first),
        hotline_events=ibis.literal(1, "int64"),
        hotline_counted=_flag(taken),
    )
    return _summed(rows)


def _plain(events: ir.Table, first: int, name: str) -> ir.Table:
    month = _into(month_of(events.happened_at), first)
    return _summed(events.select("unit", month=month, **{name: ibis.literal(1, "int64")}))


def _rolls(events: ir.Table, first: int) -> ir.Table:
    """Return the electors on the roll at the end of each month that has a change, from the first opening on.

    An opening states the whole roll and holds from the beginning of its day; openings of one day, by parts of
    the unit, add up. Changes of the same day come on top.
    """
    opening = events.kind == RollChange.OPENING.value
    sign = ibis.cases((events.kind == RollChange.REMOVED.value, -1), (opening, 0), else_=1).cast("int64")
    rows = events.select(
        "unit",
        day=events.happened_at.date(),
        month=_into(month_of(events.happened_at), first),
        openings=_flag(opening),
        change=ibis.ifelse(opening, events.electors, events.electors * sign),
    )
    daily = rows.group_by("unit", "month", "day").aggregate(
        openings=rows.openings.sum().cast("int64"), change=rows.change.sum().cast("int64")
    )
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


def leads_by_day(events: ir.Table, units: ir.Table) -> ir.Table:
    """Return the ``leads`` table of the months covered: county, unit_code, received_on, kind and count."""
    t = events.inner_join(units, "unit")
    month = month_of(t.happened_at)
    t = t.filter((month >= t.lead_events_first) & (month <= t.lead_events_last))
    days = t.select("county", unit_code=t.unit, received_on=t.happened_at.date(), kind=t.kind)
    return days.group_by("county", "unit_code", "received_on", "kind").aggregate(
        count=days.count().cast("int64")
    )
