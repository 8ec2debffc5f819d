"""Append-only tables of which each row carries the hash of the row before it.

Such a table begins with ``number`` and the unique id of its rows, and ends with ``recorded_at``,
``previous_hash`` and ``hash``; its triggers let nothing in but the next row. The hash covers every column but
the number and the two links.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pandas as pd
import sqlalchemy as sa
from pydantic import BaseModel, ValidationError

from huanjie_lib.casework.events import GENESIS, ChainFault, FaultKind, canonical, chain_hash
from huanjie_lib.errors import EventClashError, Fault, TransitionError
from huanjie_lib.store.rows import frame_of

__all__ = ["add_row", "chain_end", "chain_frame", "from_page", "known_row", "verify_rows"]

M = TypeVar("M", bound=BaseModel)


def from_page(model: type[M], text: str | bytes, summary: str) -> M:
    """Return what a page has sent as a model; unknown and missing keys are refused, and no value is repeated.

    Raises
    ------
    TransitionError
        With the summary and every fault found.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        names = sorted({".".join(map(str, detail["loc"])) or "请求" for detail in error.errors()})
        faults = [Fault(name, "不能识别", "界面填写的内容", "刷新页面后重试") for name in names]
        raise TransitionError(summary, faults) from None


def chain_end(connection: sa.Connection, table: sa.Table) -> tuple[int, str]:
    """Return number and hash of the last row; 0 and :data:`GENESIS` where there is none."""
    c = table.c
    last = connection.execute(sa.select(c.number, c.hash).order_by(c.number.desc()).limit(1)).one_or_none()
    return (0, GENESIS) if last is None else (last.number, last.hash)


def known_row(
    connection: sa.Connection, table: sa.Table, stated: Mapping[str, Any], noun: str
) -> dict[str, Any] | None:
    """Return the row that was recorded under an id, or ``None``.

    Parameters
    ----------
    stated
        What is to be recorded, the id included.
    noun
        What a row is, in Chinese.

    Raises
    ------
    EventClashError
        If something else was recorded under the id.
    """
    key = table.columns[1]
    row = connection.execute(sa.select(table).where(key == stated[key.name])).mappings().one_or_none()
    if row is None:
        return None
    if {name: row[name] for name in stated} == dict(stated):
        return dict(row)
    fault = Fault(f"{noun}编号", f"已用于另一项{noun}", "没有用过的编号", "刷新页面后重试")
    raise EventClashError(f"不能登记：{noun}编号重复", [fault])


def add_row(
    connection: sa.Connection, table: sa.Table, stated: Mapping[str, Any], recorded_at: str
) -> dict[str, Any]:
    """Add a row to the end of a chain, within a transaction that holds the ledger; return it as stored."""
    number, previous = chain_end(connection, table)
    values = {**stated, "number": number + 1, "recorded_at": recorded_at, "previous_hash": previous}
    values["hash"] = chain_hash(previous, _body(table, values))
    connection.execute(sa.insert(table), values)
    return values


def chain_frame(connection: sa.Connection, query: sa.Select[Any], table: sa.Table) -> pd.DataFrame:
    """Return rows of a chain in the order they were recorded; texts are ``str``, figures ``int64``."""
    frame = frame_of(connection.execute(query.order_by(table.c.number)), table.columns.keys())
    return frame.astype({c.name: "str" if isinstance(c.type, sa.Text) else "int64" for c in table.columns})


def verify_rows(
    rows: pd.DataFrame, table: sa.Table, *, kind: FaultKind, noun: str, kept: tuple[int, int, str]
) -> list[ChainFault]:
    """Return every row of a chain that is not as it was recorded.

    Parameters
    ----------
    rows
        All columns as stored, by number.
    kind, noun
        Kind of the faults, and what a row is, in Chinese.
    kept
        Last event, number and hash of the chain's end as kept elsewhere, zeros where none was: without them
        what was cut off at the end leaves no trace.
    """
    names = table.columns.keys()
    faults: list[ChainFault] = []
    previous, expected = GENESIS, 1
    for values in zip(*(rows[name].tolist() for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        found = []
        if row["number"] != expected or row["previous_hash"] != previous:
            found.append(f"与前一项{noun}不相连")
        if row["hash"] != _hash(table, row):
            found.append("内容与哈希不符")
        where = f"{noun}第 {row['number']} 项"
        faults += [ChainFault(0, kind, where, text, "登记时的内容") for text in found]
        previous, expected = row["hash"], row["number"] + 1
    sequence, number, link = kept
    if number and dict(zip(rows["number"].tolist(), rows["hash"].tolist(), strict=True)).get(number) != link:
        where, allowed = f"{noun}第 {number} 项", f"链头记录的 {link[:12]}…"
        faults.append(ChainFault(sequence, "truncated", where, "没有，或是另一项", allowed))
    return faults


def _body(table: sa.Table, row: Mapping[str, Any]) -> str:
    return canonical({name: row[name] for name in table.columns.keys()[1:-2]})


def _hash(table: sa.Table, row: Mapping[str, Any]) -> str:
    try:
        return chain_hash(row["previous_hash"], _body(table, row))
    except (TypeError, ValueError):  # bytes that are no text
        return ""
