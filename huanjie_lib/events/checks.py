"""Which rows of an event stream count, as Ibis expressions: one reason for each row that does not.

The same expressions run on DuckDB, Spark and PostgreSQL, so they keep to what the three compute alike: no
pattern with an end of line (Java's ``$`` also matches before a last line break), no decimals, no average, no
order that nulls have a place in, and every moment cut to whole seconds before it is counted with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.types as ir

from huanjie_lib.contracts import Column, Table
from huanjie_lib.errors import DataError, Fault

__all__ = ["REASONS", "Keep", "Sorted", "checked", "conform", "repeated", "sort_out"]

Keep = Callable[[ir.Table], ir.Table]
"""Computes a table once and returns it as one that is there, for whatever builds on it."""

REASONS: Final[Mapping[str, str]] = {
    "event_id": "事件编号为空或写法不对；应为1至64位的字母、数字、下划线或短横",
    "unit_missing": "没有填写统计用区划代码",
    "unit_unknown": "代码不在村（社区）名录中；如为旧代码，先在区划代码对照中补充并确认",
    "unit_doubtful": "旧代码不能换为一个新代码：已拆分、先后指过几个单位，或对照尚未经人确认",
    "happened_at": "没有发生时间",
    "recorded_at": "没有登记时间",
    "kind": "类别为空或不在允许范围",
    "recorded_early": "登记时间早于发生时间",
    "closed_early": "办结时间或列为积案的时间早于受理时间",
    "closed_first": "办结时间早于列为积案的时间",
    "electors": "选民人数为空、为负或过大",
    "conflict": "同一事件编号在同一登记时间有不同的内容，不能判断哪个为准",
}
"""Why a row is set aside, by code; the first that applies is told, conflicts last."""

_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "string": ("string", "文字"),
    "word": ("string", "文字"),
    "integer": ("int64", "整数"),
    "moment": ("timestamp(6)", "时间"),
}


@dataclass(frozen=True)
class Sorted:
    """A stream, sorted out: every row read is in exactly one of ``settled``, ``refused`` or repeated.

    Parameters
    ----------
    settled
        One row per event: the columns of the contract, and ``unit``, the unit in force that it belongs to.
    refused
        Rows set aside: the columns of the contract, and ``reason``, a code of :data:`REASONS`.
    editions
        One row: ``rows``, good rows of events with several; ``events``, how many events they settle.
    """

    settled: ir.Table
    refused: ir.Table
    editions: ir.Table


def conform(
    raw: ir.Table,
    contract: Table,
    *,
    where: str,
    utc_offset: int,
    instants: Collection[str],
    utc: Callable[[ir.Value], ir.Value],
) -> ir.Table:
    """Return the columns of the contract, and no others, in its types; moments as wall clock of the place.

    A moment with a time zone is an instant (``instants`` names their columns; ``utc`` gives the clock of UTC)
    and is moved to the wall clock; one without is taken as the wall clock already.

    Raises
    ------
    DataError
        If a required column is not there, or a column has another type.
    """
    faults, made = [], {}
    for column in contract.columns:
        if column.name not in raw.columns:
            if column.required:
                faults.append(_fault(where, column, "没有这一列"))
            made[column.name] = ibis.null(_TYPES[column.kind][0])
            continue
        value = raw[column.name]
        if not _fits(value, column):
            faults.append(_fault(where, column, str(value.type())))
            continue
        if column.name in instants:
            made[column.name] = utc(value) + ibis.interval(hours=utc_offset)
        else:
            made[column.name] = value.cast(_TYPES[column.kind][0])
    if faults:
        raise DataError(f"事件流“{contract.label}”不能使用", faults)
    return raw.select(**made)


def _fault(where: str, column: Column, found: str) -> Fault:
    return Fault(
        f"{where}：{column.name}", found, f"类型为{_TYPES[column.kind][1]}的“{column.label}”列", "改正导出"
    )


def _fits(value: ir.Value, column: Column) -> bool:
    kind = value.type()
    if column.kind == "moment":
        return bool(kind.is_timestamp())
    return bool(kind.is_integer() if column.kind == "integer" else kind.is_string())


def checked(events: ir.Table, contract: Table, codes: ir.Table) -> ir.Table:
    """Return the rows with ``unit``, the unit in force they belong to, and ``reason``, null where they count.

    Parameters
    ----------
    events
        Conforming rows.
    contract
        Contract of the stream.
    codes
        ``code``, each known code once, and ``unit``: the unit it stands for, null where that is in doubt.
    """
    t = events.left_join(codes, events.unit_code == codes.code)
    kinds = [str(word) for word in contract.column("kind").words or ()]
    strange = t.event_id.re_search("[^A-Za-z0-9_-]") | ~t.event_id.length().between(1, 64)
    rules = [
        (t.event_id.isnull() | strange, "event_id"),
        (t.unit_code.isnull(), "unit_missing"),
        (t.code.isnull(), "unit_unknown"),
        (t.unit.isnull(), "unit_doubtful"),
        (t.happened_at.isnull(), "happened_at"),
        (t.recorded_at.isnull(), "recorded_at"),
        (t.kind.isnull() | t.kind.notin(kinds), "kind"),
        (t.recorded_at < t.happened_at, "recorded_early"),
    ]
    if "closed_at" in t.columns:
        rules += [
            ((t.closed_at < t.happened_at) | (t.backlog_at < t.happened_at), "closed_early"),
            (t.closed_at < t.backlog_at, "closed_first"),
        ]
    if "electors" in t.columns:
        most = int(contract.column("electors").maximum or 0)
        rules.append((t.electors.isnull() | ~t.electors.between(0, most), "electors"))
    names = [column.name for column in contract.columns]
    return t.select(*names, "unit", reason=ibis.cases(*rules, else_=ibis.null("string")))


def repeated(events: ir.Table, passes: int = 1) -> list[ir.Table]:
    """Return the event ids that more than one row bears, in so many parts by a hash of the id.

    To find them is to hold every id there is, once; a part holds so much less at a time.
    """
    named = events.filter(events.event_id.notnull()).select("event_id")
    part_of = (named.event_id.hash() % passes).abs()  # a hash may be negative
    parts = [named] if passes == 1 else [named.filter(part_of == n) for n in range(passes)]
    return [
        part.group_by("event_id").aggregate(n=part.count()).filter(lambda t: t.n > 1).select("event_id")
        for part in parts
    ]


def sort_out(rows: ir.Table, contract: Table, several: ir.Table, keep: Keep) -> Sorted:
    """Settle which edition of each event counts.

    Rows with a fault take no part. Of the others that bear one event id, those with the latest
    ``recorded_at`` count, as one event if they agree in every column; else all rows of the event are set
    aside. When an edition arrives plays no part, so a late one corrects what was counted before, on the next
    run.

    Parameters
    ----------
    rows
        Rows as :func:`checked` returns them.
    contract
        Contract of the stream.
    several
        ``event_id`` of :func:`repeated`. All other good rows are settled as they are read.
    keep
        Computes a table and holds what comes out, here those rows that have a fault or one of these ids.
    """
    names = [column.name for column in contract.columns]
    content = [name for name in names if name not in ("event_id", "recorded_at")]
    beside = _beside(rows, several)
    alone = beside.filter(beside.other.isnull() & beside.reason.isnull()).select(*names, "unit")
    odd = keep(beside.filter(beside.other.notnull() | beside.reason.notnull()).drop("other"))
    editions = odd.filter(odd.reason.isnull()).drop("reason")
    last = editions.group_by("event_id").aggregate(last=editions.recorded_at.max())
    latest = editions.inner_join(last, "event_id").filter(lambda t: t.recorded_at == t.last)
    held = {name: latest[name].min() for name in (*content, "unit", "recorded_at")}
    differs = ibis.or_(*(_differs(latest, name) for name in content))
    verdict = latest.group_by("event_id").aggregate(**held, differs=differs)
    settled = verdict.filter(~verdict.differs)
    torn = verdict.filter(verdict.differs).select("event_id")
    conflicts = editions.inner_join(torn, "event_id").select(*names).mutate(reason=ibis.literal("conflict"))
    agreed = _beside(editions, torn)
    agreed = agreed.filter(agreed.other.isnull())
    return Sorted(
        settled=ibis.union(alone, settled.select(*names, "unit")),
        refused=ibis.union(odd.filter(odd.reason.notnull()).select(*names, "reason"), conflicts),
        editions=agreed.aggregate(rows=agreed.count(), events=agreed.event_id.nunique()),
    )


def _beside(rows: ir.Table, events: ir.Table) -> ir.Table:
    """Return the rows with ``other``: their event id where it is one of these, else null."""
    other = events.select(other=events.event_id)
    return rows.left_join(other, rows.event_id == other.other)


def _differs(rows: ir.Table, name: str) -> ir.BooleanValue:
    """Return whether a column has two values, or one beside none, within a group."""
    column = rows[name]
    some = column.count()
    return (column.min() != column.max()).fill_null(False) | ((some > 0) & (some < rows.count()))
