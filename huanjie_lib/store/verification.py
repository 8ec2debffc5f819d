"""Finding everything in a ledger that is not as it was recorded.

Checked are the file itself, each chain, the legality of every event, each derived row against the
replay of the events, the content of published runs, the list of evidence and its files, and the triggers.
Texts are read byte by byte, so that no damage hides behind an unreadable character.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from huanjie_lib.casework.cases import Case, action_of, advance
from huanjie_lib.casework.events import (
    EVENT_COLUMNS,
    GENESIS,
    ChainFault,
    Head,
    chain_hash,
    check_chain,
)
from huanjie_lib.errors import HuanjieError
from huanjie_lib.store import schema
from huanjie_lib.store.access_log import verify_access
from huanjie_lib.store.decisions import verify_decisions
from huanjie_lib.store.evidence import EvidenceFolder
from huanjie_lib.store.requests import verify_requests
from huanjie_lib.store.rows import case_row, frame_of, run_body, run_content
from huanjie_lib.vocabulary import CaseEvent

__all__ = ["verify"]


def verify(connection: sa.Connection, evidence: EvidenceFolder | None, head: Head | None) -> list[ChainFault]:
    """Return every fault of the ledger that a connection sees, by sequence.

    Parameters
    ----------
    connection
        One consistent moment.
    evidence
        Folder of the evidence files; where it is not known, evidence that was recorded is a fault.
    head
        A head kept elsewhere.
    """
    faults: list[ChainFault] = []
    try:
        if connection.dialect.name == "sqlite":
            faults += _file_faults(connection)
        with _bytes_kept(connection):
            events = _all(connection, schema.case_events, EVENT_COLUMNS)
            tables = {
                table.name: _all(connection, table, table.columns.keys())
                for table in (
                    schema.cases,
                    schema.evidence,
                    schema.runs,
                    schema.run_units,
                    schema.run_causes,
                    schema.decisions,
                    schema.access_log,
                    schema.request_events,
                )
            }
        faults += _guard_faults(connection)
    except DatabaseError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return [*faults, _damage(str(error.orig))]  # nothing more can be read
    chain = check_chain(events, head)
    faults += chain
    broken = {fault.sequence for fault in chain}
    faults += _state_faults(events, tables["cases"], broken)
    faults += _evidence_faults(events, tables["evidence"], evidence)
    faults += _run_faults(events, tables, head)
    faults += verify_decisions(tables["decisions"], head)
    faults += verify_access(tables["access_log"], head)
    faults += verify_requests(tables["request_events"], head)
    return sorted(faults, key=lambda fault: fault.sequence)


@contextmanager
def _bytes_kept(connection: sa.Connection) -> Iterator[None]:
    """Let SQLite give texts that are no UTF-8 too; PostgreSQL cannot hold such."""
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str


def _all(connection: sa.Connection, table: sa.Table, names: Any) -> pd.DataFrame:
    order = table.primary_key.columns
    query = sa.select(*(table.c[name] for name in names)).order_by(*order)
    return frame_of(connection.execute(query), tuple(names))


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = list(frame.columns)
    for values in zip(*(frame[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))


def _file_faults(connection: sa.Connection) -> list[ChainFault]:
    try:
        found = [str(text) for (text,) in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    except DatabaseError as error:
        return [_damage(str(error.orig))]
    return [] if found == ["ok"] else [_damage(text) for text in found]


def _damage(found: str) -> ChainFault:
    return ChainFault(0, "file", "台账文件", f"文件损坏（{found}）", "完好的数据库文件")


def _state_faults(events: pd.DataFrame, cases: pd.DataFrame, broken: set[int]) -> list[ChainFault]:
    """Return events that could not have happened, and derived rows that the events do not give."""
    faults: list[ChainFault] = []
    derived: dict[str, Case] = {}
    last: dict[str, int] = {}
    lost: set[str] = set()  # cases of which an event cannot be replayed: what follows cannot be known
    for row in _rows(events):
        sequence, case_id = row["sequence"], row["case_id"]
        last[case_id] = sequence
        if case_id in lost:
            continue
        try:
            case = advance(derived.get(case_id), action_of(row))
            legal = case.version == row["version"]
        except (HuanjieError, LookupError, TypeError, ValueError):
            legal = False
        if legal:
            derived[case_id] = case
            continue
        lost.add(case_id)
        derived.pop(case_id, None)
        if sequence not in broken:
            where = f"事件 {sequence}"
            faults.append(ChainFault(sequence, "illegal", where, "不可能发生的事件", "符合案件流程的事件"))
    standing = {row["case_id"]: row for row in _rows(cases)}
    for case_id in [*derived, *(name for name in standing if name not in derived)]:
        if case_id in lost:
            continue
        wanted = case_row(derived[case_id]) if case_id in derived else None
        found_row = standing.get(case_id)
        if found_row != wanted:
            wrong = [n for n in wanted if found_row[n] != wanted[n]] if found_row and wanted else []
            found = "、".join(wrong) + " 与事件不符" if wrong else "缺失" if wanted else "没有对应的事件"
            faults.append(
                ChainFault(
                    last.get(case_id, 0), "derived", f"案件 {_shown(case_id)}", found, "事件推出的状态"
                )
            )
    return faults


def _shown(text: object) -> str:
    return str(text).encode("utf-8", "replace").decode()


def _evidence_faults(
    events: pd.DataFrame, listed: pd.DataFrame, folder: EvidenceFolder | None
) -> list[ChainFault]:
    """Return evidence whose list is not what the events tell, and files that are missing or changed."""
    wanted: dict[tuple[int, int], dict[str, Any]] = {}
    for row in _rows(events[events["event"] == CaseEvent.RECTIFY.value]):
        try:
            items = json.loads(row["payload"])["evidence"]
            for position, item in enumerate(items, start=1):
                key = {"sequence": row["sequence"], "position": position}
                wanted[row["sequence"], position] = {**key, **item}
        except (LookupError, TypeError, ValueError):
            continue  # an altered event, which the chain tells
    found = {(row["sequence"], row["position"]): row for row in _rows(listed)}
    faults = [
        ChainFault(
            key[0], "evidence", f"事件 {key[0]} 佐证材料第{key[1]}项", "清单与事件不符", "事件中的清单"
        )
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key) != found.get(key)
    ]
    if folder is not None:
        return faults + folder.verify((str(item["digest"]), key[0]) for key, item in wanted.items())
    if wanted:
        allowed = "能逐份核对的文件夹"
        faults.append(ChainFault(0, "evidence", "佐证材料", "没有指定文件夹，文件未核对", allowed))
    return faults


def _run_faults(
    events: pd.DataFrame, tables: Mapping[str, pd.DataFrame], head: Head | None
) -> list[ChainFault]:
    """Return published runs that are missing, altered, or not what was published."""
    units, causes = defaultdict(list), defaultdict(list)
    for row in _rows(tables["run_units"]):
        units[row["run_id"]].append((row["unit_code"], row["index"], row["level"]))
    for row in _rows(tables["run_causes"]):
        causes[row["run_id"]].append(row["cause"])
    hashes = dict(zip(events["sequence"].tolist(), events["hash"].tolist(), strict=True))
    faults: list[ChainFault] = []
    previous, number, after = GENESIS, 0, 0
    known = set()
    for row in _rows(tables["runs"]):
        where = f"评估 {_shown(row['run_id'])[:12]}"
        known.add(row["run_id"])
        wrong = []
        if row["number"] != number + 1 or row["previous_hash"] != previous:
            wrong.append("与前一次评估不相连")
        if row["hash"] != _hash(row):
            wrong.append("内容与哈希不符")
        mine = (sorted(units[row["run_id"]]), sorted(causes[row["run_id"]]))
        if row["content"] != _content_of(row, *mine):
            wrong.append("各单位指数或预警与发布时不符")
        if hashes.get(row["after_sequence"], GENESIS) != row["after_hash"] or row["after_sequence"] < after:
            wrong.append("发布前的最后一个事件不符")
        after = row["after_sequence"] + row["events"]
        faults += [ChainFault(row["after_sequence"], "run", where, found, "发布时的内容") for found in wrong]
        previous, number = row["hash"], row["number"]
    for run_id in sorted((units.keys() | causes.keys()) - known, key=str):
        where = f"评估 {_shown(run_id)[:12]}"
        faults.append(ChainFault(0, "run", where, "没有发布记录", "发布时的内容"))
    for row in _rows(events[events["event"] == CaseEvent.OPEN.value]):
        try:
            run_id = json.loads(row["payload"])["run"]
        except (LookupError, TypeError, ValueError):
            continue  # an altered event, which the chain tells
        if run_id and run_id not in known:
            where = f"评估 {_shown(run_id)[:12]}"
            faults.append(ChainFault(row["sequence"], "run", where, "没有发布记录", "已发布的评估"))
    if head is not None and head.runs:
        numbered = dict(zip(tables["runs"]["number"].tolist(), tables["runs"]["hash"].tolist(), strict=True))
        if numbered.get(head.runs) != head.runs_hash:
            where, allowed = f"第 {head.runs} 次发布", f"链头记录的 {head.runs_hash[:12]}…"
            faults.append(ChainFault(head.sequence, "truncated", where, "没有，或是另一次", allowed))
    return faults


def _hash(row: Mapping[str, Any]) -> str:
    try:
        return chain_hash(row["previous_hash"], run_body(row))
    except (TypeError, ValueError):  # bytes that are no text
        return ""


def _content_of(row: Mapping[str, Any], units: list[Any], causes: list[Any]) -> str:
    try:
        return run_content(row["as_of"], row["parameter_version"], units, causes)
    except (TypeError, ValueError):
        return ""


def _guard_faults(connection: sa.Connection) -> list[ChainFault]:
    """Return functions and triggers that are missing or other than this program made them."""
    wanted = dict(_named(statement) for statement in schema.guards(connection.dialect.name))
    found = dict(_named(statement) for statement in schema.standing_guards(connection))
    return [
        ChainFault(
            0, "guard", f"触发器 {name}", "缺失" if name not in found else "被改动", "建台账时的触发器"
        )
        for name, text in sorted(wanted.items())
        if found.get(name) != text
    ]


def _named(statement: str) -> tuple[str, str]:
    """Return the name of a function or trigger and what it does, spaces aside."""
    _, what, name, *rest = statement.split()
    if what == "FUNCTION":
        return name.partition("(")[0], " ".join(statement.split("$$")[1].split())
    return name, " ".join(rest)
