"""Changes of fact that a rectified case brings about, and how they reach the tables of the next run.

Whoever puts a case right proposes amendments with the evidence: a problem's closing date, a notice spell,
a plan. They count from the day the case is closed by a reviewer, as long as it stays closed. A run lays those
in force over the tables that came in; every amended row names the case as its source. An amendment that finds
no row to amend is reported, never dropped in silence.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import pandas as pd

from huanjie_lib.contracts import DTYPES, TABLES, Column, Table
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.vocabulary import CaseEvent, date_text

__all__ = [
    "AMENDABLE",
    "IN_FORCE_COLUMNS",
    "LEDGER_SOURCE",
    "Amendable",
    "Amended",
    "Amendment",
    "amendments_in_force",
    "apply_amendments",
    "check_amendments",
    "value_text",
]

Value: TypeAlias = str | int | float | bool | dt.date | None

LEDGER_SOURCE: Final = "案件台账"
"""``source_file`` of rows that a case has amended; sheet and row name the case and the event."""

MOST_AMENDMENTS: Final = 200
"""Amendments that one event may carry."""
LONGEST_TEXT: Final = 200
"""Characters of a text that an amendment may set."""

_ID_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])\d{17}[\dXx](?![0-9A-Za-z])")

IN_FORCE_COLUMNS: Final = (
    "sequence",
    "position",
    "case_id",
    "unit_code",
    "closed_on",
    "table",
    "insert",
    "key",
    "values",
)
_APPLIED_COLUMNS: Final = ("sequence", "case_id", "unit_code", "table", "key", "column", "before", "after")
_UNPLACED_COLUMNS: Final = (*IN_FORCE_COLUMNS, "reason")


@dataclass(frozen=True)
class Amendable:
    """What a case may change in one table.

    Parameters
    ----------
    columns
        Columns that may be set on a row that is there.
    insertable
        Columns of a row that a case may add; empty where it may add none.
    made
        Key column whose value is made for an added row, empty where the key is given.
    same
        Columns that tell whether an added row is there already, besides the unit.
    upsert
        Whether setting columns of a row that is not there adds it.
    """

    columns: tuple[str, ...]
    insertable: tuple[str, ...] = ()
    made: str = ""
    same: tuple[str, ...] = ()
    upsert: bool = False


AMENDABLE: Final[Mapping[str, Amendable]] = MappingProxyType(
    {
        "audit_projects": Amendable(
            (
                "plan_on",
                "started_on",
                "ended_on",
                "departments",
                "supervision_present",
                "representatives",
            ),
            (
                "audit_type",
                "plan_on",
                "started_on",
                "ended_on",
                "departments",
                "supervision_present",
                "representatives",
            ),
            made="project_id",
            same=("audit_type", "started_on"),
        ),
        "audit_items": Amendable(("outcome", "concluded_on", "amount"), upsert=True),
        "audit_subjects": Amendable(
            ("outcome", "concluded_on"),
            ("project_id", "person_ref", "post", "term_from", "term_to", "outcome", "concluded_on"),
        ),
        "audit_notices": Amendable(
            ("end_on", "objections", "answered"),
            ("project_id", "start_on", "end_on", "place", "objections", "answered"),
            made="notice_id",
            same=("project_id", "start_on"),
        ),
        "audit_problems": Amendable(("due_on", "closed_on", "owner")),
        "disputes": Amendable(
            ("resolved_on", "has_leader", "stabilisation_plan_on", "resolution_plan_on", "is_group")
        ),
        "unit_plans": Amendable(
            ("leader", "leader_on", "stabilisation_plan_on", "resolution_plan_on"), upsert=True
        ),
        "screenings": Amendable(
            (),
            ("screened_on", "method", "led_by_secretary", "households_visited"),
            made="screening_id",
            same=("screened_on", "method"),
        ),
        "talks": Amendable(("done",), ("as_of", "target", "due", "done")),
        "leavers": Amendable(("arrangement", "arranged_on")),
        "reviews": Amendable(("opinion", "given_on", "expires_on"), upsert=True),
        "roll_checks": Amendable(
            (
                "hukou_adults",
                "away_declined",
                "nonlocal_approved",
                "disqualified",
                "registered",
                "duplicates",
            ),
            (
                "as_of",
                "cohort",
                "hukou_adults",
                "away_declined",
                "nonlocal_approved",
                "disqualified",
                "registered",
                "duplicates",
            ),
        ),
    }
)
"""Facts that a case may change, by table. Reported figures (``facts``) change with the returns alone."""


@dataclass(frozen=True)
class Amendment:
    """One checked change: columns of a row that is there, or a row to add.

    Parameters
    ----------
    table
        Contract table.
    key
        Key columns of the row, without ``unit_code`` where the key holds it; empty for a row to add.
    values
        New values by column, dates as ``datetime.date``.
    insert
        Whether the row is to be added.
    """

    table: str
    key: Mapping[str, Value]
    values: Mapping[str, Value]
    insert: bool

    def to_json(self) -> dict[str, Any]:
        """Return the form that :func:`check_amendments` reads.

        Examples
        --------
        >>> item = {"table": "disputes", "key": {"dispute_id": "D1"}, "set": {"resolved_on": "2026-11-20"}}
        >>> check_amendments([item], unit_code="990101001201")[0].to_json() == item
        True
        """
        values = {name: _json(value) for name, value in self.values.items()}
        if self.insert:
            return {"table": self.table, "insert": values}
        return {
            "table": self.table,
            "key": {name: _json(value) for name, value in self.key.items()},
            "set": values,
        }


def value_text(value: object) -> str:
    """Return a value as a clerk writes it: dates in Chinese, yes and no, 空 for missing.

    Examples
    --------
    >>> value_text(dt.date(2026, 11, 20)), value_text(True), value_text(None), value_text(3.0)
    ('2026年11月20日', '是', '空', '3')
    """
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "空"
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dt.date):
        return date_text(value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _json(value: Value) -> str | int | float | bool | None:
    return value.isoformat() if isinstance(value, dt.date) else value


def check_amendments(items: Sequence[Mapping[str, Any]], *, unit_code: str) -> tuple[Amendment, ...]:
    """Check proposed changes against the contracts.

    Parameters
    ----------
    items
        ``{"table", "key", "set"}`` or ``{"table", "insert"}`` each; dates as ISO text, missing as null.
    unit_code
        Unit of the case. A case changes facts of its own unit alone: a ``unit_code`` in a key or a row must
        be this one, and may be left out.

    Returns
    -------
    tuple of Amendment

    Raises
    ------
    DataError
        With every fault found: a table or column that a case may not change, a value that its contract does
        not allow, dates in the wrong order, a row named by half its key.

    Examples
    --------
    >>> check_amendments([{"table": "facts", "key": {}, "set": {"value": 1}}], unit_code="990101001201")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.DataError: 整改内容不符合要求（共 1 处问题）
      1. 整改内容第1项：发现“facts”；应为：审计项目、审计事项、...
    """
    faults: list[Fault] = []
    if len(items) > MOST_AMENDMENTS:
        faults.append(
            Fault("整改内容", f"{len(items)}项", f"一次不超过{MOST_AMENDMENTS}项", "分几次登记整改")
        )
    amendments = [
        amendment
        for number, item in enumerate(items[:MOST_AMENDMENTS], start=1)
        if (amendment := _amendment(item, unit_code, f"整改内容第{number}项", faults)) is not None
    ]
    named = [(a.table, json.dumps(_plain(a.key), sort_keys=True)) for a in amendments if not a.insert]
    for table, key in sorted({name for name in named if named.count(name) > 1}):
        faults.append(
            Fault(f"整改内容：{TABLES[table].label}", f"{key} 写了两次", "每行一项", "把两项合并为一项")
        )
    if faults:
        raise DataError("整改内容不符合要求", faults)
    return tuple(amendments)


def _amendment(item: Mapping[str, Any], unit_code: str, where: str, faults: list[Fault]) -> Amendment | None:
    before = len(faults)
    if not isinstance(item, Mapping) or set(item) not in ({"table", "key", "set"}, {"table", "insert"}):
        found = "、".join(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
        faults.append(Fault(where, found, "table、key、set 三项，或 table、insert 两项", "改用界面登记整改"))
        return None
    table = item["table"]
    if table not in AMENDABLE:
        allowed = "、".join(TABLES[name].label for name in AMENDABLE)
        faults.append(Fault(where, str(table), allowed, "其他数据请通过镇街报表更正"))
        return None
    contract, rule = TABLES[table], AMENDABLE[table]
    where = f"{where}（{contract.label}）"
    insert = "insert" in item
    parts = {"key": {}, "values": item["insert"]} if insert else {"key": item["key"], "values": item["set"]}
    if not all(isinstance(part, Mapping) for part in parts.values()):
        faults.append(Fault(where, "不是列和值的对应", "列名对应值", "改用界面登记整改"))
        return None
    key, values = (
        {name: value for name, value in parts[part].items() if name != "unit_code"} for part in parts
    )
    faults += [
        Fault(
            f"{where}：{contract.column('unit_code').label}",
            str(part["unit_code"]),
            unit_code,
            "只改本村的数据",
        )
        for part in parts.values()
        if part.get("unit_code", unit_code) != unit_code
    ]
    wanted = [] if insert else [name for name in contract.key if name != "unit_code"]
    if not insert and sorted(key) != sorted(wanted):
        labels = "、".join(contract.column(name).label for name in wanted)
        faults.append(Fault(where, "、".join(key) or "没有写", labels or "不写", "写全要修改的行"))
    open_columns = rule.insertable if insert else rule.columns
    for name in values:
        if name not in open_columns:
            allowed = "、".join(contract.column(c).label for c in open_columns) or "不能修改或新增"
            faults.append(Fault(where, str(name), allowed, "其他数据请通过镇街报表更正"))
    if not values:
        faults.append(Fault(where, "没有写任何值", "至少一项", "填写要修改的内容"))
    typed_key = {n: _typed(contract.column(n), v, where, faults) for n, v in key.items() if n in wanted}
    typed = {n: _typed(contract.column(n), v, where, faults) for n, v in values.items() if n in open_columns}
    if insert:
        for name in rule.insertable:
            if contract.column(name).required and typed.get(name) is None:
                faults.append(Fault(f"{where}：{contract.column(name).label}", "没有填写", "必填", "补填"))
    faults += _order_faults(contract, typed, where)
    return Amendment(table, typed_key, typed, insert) if len(faults) == before else None


def _order_faults(contract: Table, values: Mapping[str, Value], where: str) -> Iterator[Fault]:
    for rule in contract.orders:
        earlier, later = values.get(rule.earlier), values.get(rule.later)
        if earlier is not None and later is not None and later < earlier:  # type: ignore[operator]
            first, second = contract.column(rule.earlier).label, contract.column(rule.later).label
            yield Fault(
                f"{where}：{second}",
                f"{value_text(later)}，{first}是{value_text(earlier)}",
                f"不{'早' if contract.column(rule.later).kind == 'date' else '小'}于{first}",
                "核对两项后改正",
            )


def _typed(column: Column, value: Any, where: str, faults: list[Fault]) -> Value:
    """Return a JSON value in the column's type; where it has none, a fault is added and None returned."""
    if value is None:
        if column.required:
            faults.append(Fault(f"{where}：{column.label}", "空", column.allowed(), "填写这一项"))
        return None
    good: Value = None
    if column.kind == "date" and isinstance(value, str):
        good = _date(value)
    elif isinstance(value, bool):
        good = value if column.kind == "boolean" else None
    elif column.kind == "integer" and isinstance(value, int):
        good = value
    elif column.kind == "number" and isinstance(value, int | float):
        good = float(value) if math.isfinite(value) else None
    elif column.kind == "word" and column.words is not None and isinstance(value, str):
        good = value if value in column.words.labels() else None
    elif column.kind == "string" and isinstance(value, str) and value.strip():
        if _ID_NUMBER.search(value):  # the ledger forgets nothing, so it is not even told back
            remedy = "改填人员代号或单位名称，不要写身份证号码"
            faults.append(Fault(f"{where}：{column.label}", "像是身份证号码", "不含身份证号码", remedy))
            return None
        clean = len(value) <= LONGEST_TEXT and value.isprintable()
        good = value if clean and re.fullmatch(column.pattern or ".*", value) else None
    if isinstance(good, int | float) and not isinstance(good, bool):
        low, high = column.minimum, column.maximum
        if (low is not None and good < low) or (high is not None and good > high):
            good = None
    if good is None:
        faults.append(
            Fault(f"{where}：{column.label}", str(value)[:40], column.allowed(), "按要求改正这一项")
        )
    return good


def _date(text: str) -> dt.date | None:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _plain(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _json(value) for name, value in values.items()}


def amendments_in_force(events: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Return the amendments of the cases that stand closed on a date.

    Parameters
    ----------
    events
        Events as in the contract ``case_events``, in any order.
    as_of
        The date; events stated to have happened later are left out. What counts is what was submitted for
        the review that closed the case: rectifications before the case was last reopened or returned count
        no more.

    Returns
    -------
    pandas.DataFrame
        sequence, position, case_id, unit_code, closed_on, table, insert, key, values (the last two JSON), by
        sequence and position.

    Examples
    --------
    >>> import json
    >>> change = {"table": "unit_plans", "key": {}, "set": {"leader": "镇党委副书记"}}
    >>> payloads = [{"unit_code": "990101001201"}, {"amendments": [change]}, {}]
    >>> events = pd.DataFrame({"sequence": [1, 2, 3], "case_id": "C1", "event": ["open", "rectify", "close"],
    ...     "happened_on": pd.to_datetime(["2026-11-02", "2026-11-05", "2026-11-09"]),
    ...     "payload": [json.dumps(p) for p in payloads]})
    >>> len(amendments_in_force(events, dt.date(2026, 11, 9)))
    1
    >>> len(amendments_in_force(events, dt.date(2026, 11, 8)))
    0
    """
    told = {e.value for e in (CaseEvent.OPEN, CaseEvent.RECTIFY, CaseEvent.RETURN, CaseEvent.REOPEN)}
    told |= {CaseEvent.CLOSE.value, CaseEvent.CANCEL.value}
    seen = events[(events["happened_on"] <= pd.Timestamp(as_of)) & events["event"].isin(told)]
    unit: dict[str, str] = {}
    offered: dict[str, list[tuple[int, list[Mapping[str, Any]]]]] = {}
    closed: dict[str, pd.Timestamp] = {}
    columns = ("sequence", "case_id", "event", "happened_on", "payload")
    in_order = seen.sort_values("sequence")
    for sequence, case, event, happened_on, payload in zip(*(in_order[c] for c in columns), strict=True):
        if event == CaseEvent.RECTIFY.value:
            offered.setdefault(case, []).append((sequence, json.loads(payload).get("amendments", [])))
        elif event == CaseEvent.CLOSE.value:
            closed[case] = happened_on
        else:
            closed.pop(case, None)
            offered.pop(case, None)
            if event == CaseEvent.OPEN.value:
                unit[case] = json.loads(payload)["unit_code"]
    rows = [
        {
            "sequence": sequence,
            "position": position,
            "case_id": case,
            "unit_code": unit[case],
            "closed_on": closed[case],
            "table": amendment.table,
            "insert": amendment.insert,
            "key": json.dumps(_plain(amendment.key), ensure_ascii=False, sort_keys=True),
            "values": json.dumps(_plain(amendment.values), ensure_ascii=False, sort_keys=True),
        }
        for case in closed
        for sequence, made in offered.get(case, [])
        for position, amendment in enumerate(check_amendments(made, unit_code=unit[case]), start=1)
    ]
    frame = pd.DataFrame(rows, columns=list(IN_FORCE_COLUMNS))
    typed = {"sequence": "int64", "position": "int64", "insert": "bool", "closed_on": "datetime64[us]"}
    texts = dict.fromkeys(("case_id", "unit_code", "table", "key", "values"), "str")
    return frame.astype(typed | texts).sort_values(["sequence", "position"], ignore_index=True)


@dataclass(frozen=True)
class Amended:
    """Tables with the amendments laid over them, and what came of each amendment.

    Parameters
    ----------
    tables
        The tables; those without an amendment are the ones handed in.
    applied
        sequence, case_id, unit_code, table, key, column, before, after: one row per value changed, as text; a
        value that stood there already is not listed.
    unplaced
        The amendments that found no row of the case's unit, with the ``reason`` in Chinese.
    """

    tables: Mapping[str, pd.DataFrame]
    applied: pd.DataFrame
    unplaced: pd.DataFrame


def apply_amendments(
    tables: Mapping[str, pd.DataFrame],
    amendments: pd.DataFrame,
    heirs: Mapping[str, str] = MappingProxyType({}),
) -> Amended:
    """Lay amendments over tables; where several set one value, the last in sequence holds.

    Parameters
    ----------
    tables
        Contract tables by name.
    amendments
        Result of :func:`amendments_in_force`.
    heirs
        Code of the unit that answers for a unit merged or renumbered by the date, by the old code: a case of
        the one amends rows of the other.

    Returns
    -------
    Amended
        An amended or added row has :data:`LEDGER_SOURCE`, the case and the event as its source. A closed
        audit problem without evidence of its own gets the case's number as its evidence.

    Examples
    --------
    >>> change = pd.DataFrame({"sequence": [7], "position": [1], "case_id": ["C1"], "table": ["unit_plans"],
    ...     "unit_code": ["990101001201"], "closed_on": pd.to_datetime(["2026-11-09"]), "insert": [False],
    ...     "key": ["{}"], "values": ['{"leader": "镇党委副书记"}']})
    >>> amended = apply_amendments({}, change)
    >>> amended.tables["unit_plans"][["unit_code", "leader", "source_sheet"]].values.tolist()
    [['990101001201', '镇党委副书记', 'C1']]
    """
    done = dict(tables)
    applied: list[dict[str, Any]] = []
    unplaced: list[dict[str, Any]] = []
    for name, group in amendments.groupby("table", sort=True):
        table = _Overlay(TABLES[str(name)], done.get(str(name)), heirs)
        for record in group.sort_values(["sequence", "position"]).to_dict("records"):
            row: dict[str, Any] = {str(column): value for column, value in record.items()}
            reason = table.lay(row, applied)
            if reason:
                unplaced.append({**row, "reason": reason})
        done[str(name)] = table.frame()
    changed = pd.DataFrame(applied, columns=list(_APPLIED_COLUMNS))
    left = pd.DataFrame(unplaced, columns=list(_UNPLACED_COLUMNS))
    texts = [c for c in _APPLIED_COLUMNS if c != "sequence"]
    return Amended(
        tables=done,
        applied=changed.astype({"sequence": "int64", **dict.fromkeys(texts, "str")}).sort_values(
            ["sequence", "table", "key", "column"], kind="stable", ignore_index=True
        ),
        unplaced=left.astype({"sequence": "int64", "position": "int64", "reason": "str"}),
    )


class _Overlay:
    """One table on which amendments are laid row by row."""

    def __init__(self, contract: Table, frame: pd.DataFrame | None, heirs: Mapping[str, str]) -> None:
        columns = [c for c in contract.all_columns if c.kind != "geometry"]
        dtypes = {c.name: DTYPES[c.kind] for c in columns}
        if frame is None:
            frame = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in dtypes.items()})
        self._contract = contract
        self._heirs = heirs
        self._rule = AMENDABLE[contract.name]
        self._old = frame
        self._dtypes = dtypes
        self._key = contract.key
        self._columns = tuple(c.name for c in columns if c in contract.columns)
        parts = [_key_texts(frame, name) for name in self._key]
        self._place = dict(zip(zip(*parts, strict=True), range(len(frame)), strict=True))
        self._changes: dict[int, dict[str, Any]] = {}
        self._added: list[dict[str, Any]] = []

    def lay(self, row: Mapping[str, Any], applied: list[dict[str, Any]]) -> str:
        """Lay one amendment; return why it has no place, or nothing."""
        values = self._read(json.loads(row["values"]))
        if row["insert"]:
            return self._insert(row, values, applied)
        key = self._read(json.loads(row["key"])) | {"unit_code": row["unit_code"]}
        place = self._place.get(tuple(_text(key[name]) for name in self._key))
        if place is None and not self._rule.upsert:
            return f"{self._contract.label}中没有这一行，可能已被报表更正或并入其他单位"
        before = key if place is None else {c: self._value(place, c) for c in self._columns}
        if self._heir(before["unit_code"]) != self._heir(row["unit_code"]):
            return f"{self._contract.label}中这一行已属于{before['unit_code']}"
        if values.get("closed_on") is not None and _is_missing(before.get("evidence", "无此列")):
            values["evidence"] = row["case_id"]
        wrong = next(_order_faults(self._contract, _missing_as_none(before | values), ""), None)
        if wrong is not None:
            return f"{wrong.where.lstrip('：')}为{wrong.found}，应{wrong.allowed}"
        lacking = [c.label for c in self._contract.columns if c.required and c.name not in before | values]
        if lacking:
            return f"新增{self._contract.label}缺少{'、'.join(lacking)}"
        if place is None:
            place = self._add(key, row)
        for name, value in values.items():
            old = before.get(name)
            if value_text(old) != value_text(value):
                self._tell(row, name, old, value, applied)
                self._set(place, name, value, row)
        return ""

    def _insert(self, row: Mapping[str, Any], values: dict[str, Any], applied: list[dict[str, Any]]) -> str:
        made = (
            {self._rule.made: f"{row['case_id']}-{row['sequence']}-{row['position']}"}
            if self._rule.made
            else {}
        )
        whole = {"unit_code": row["unit_code"], **made, **values}
        if self._is_there(whole):
            return f"{self._contract.label}中已有这一行，不重复计入"
        self._add(whole, row)
        for name, value in values.items():
            self._tell(row, name, None, value, applied)
        return ""

    def _heir(self, unit_code: str) -> str:
        return self._heirs.get(unit_code, unit_code)

    def _is_there(self, whole: Mapping[str, Any]) -> bool:
        """Tell whether a row to add stands in the table already, under its key or under another number."""
        if tuple(_text(whole.get(name)) for name in self._key) in self._place:
            return True
        columns = ("unit_code", *self._rule.same)
        if not self._rule.same or any(whole.get(name) is None for name in columns):
            return False
        wanted = [_text(whole[name]) for name in columns]
        if any([_text(row.get(name)) for name in columns] == wanted for row in self._added):
            return True
        rows = self._old[self._old["unit_code"] == whole["unit_code"]]
        return wanted in (list(found) for found in zip(*(_key_texts(rows, c) for c in columns), strict=True))

    def _add(self, values: Mapping[str, Any], row: Mapping[str, Any]) -> int:
        place = len(self._old) + len(self._added)
        self._place[tuple(_text(values.get(name)) for name in self._key)] = place
        self._added.append({**values, **_source(row)})
        return place

    def _tell(
        self,
        row: Mapping[str, Any],
        column: str,
        before: object,
        after: object,
        applied: list[dict[str, Any]],
    ) -> None:
        told = {name: row[name] for name in ("sequence", "case_id", "unit_code", "table", "key")}
        shown = (_shown(self._contract, column, value) for value in (before, after))
        texts = dict(zip(("before", "after"), map(value_text, shown), strict=True))
        applied.append({**told, "column": column, **texts})

    def _value(self, place: int, name: str) -> Any:
        if place >= len(self._old):
            return self._added[place - len(self._old)].get(name)
        if name in self._changes.get(place, {}):
            return self._changes[place][name]
        value = self._old[name].iloc[place] if name in self._old else None
        return value.date() if isinstance(value, pd.Timestamp) else value

    def _set(self, place: int, name: str, value: object, row: Mapping[str, Any]) -> None:
        if place >= len(self._old):
            self._added[place - len(self._old)].update({name: value, **_source(row)})
        else:
            self._changes.setdefault(place, {}).update({name: value, **_source(row)})

    def _read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return JSON values with dates as dates; they were checked when the event was taken."""
        return {
            name: dt.date.fromisoformat(value)
            if value is not None and self._contract.column(name).kind == "date"
            else value
            for name, value in values.items()
        }

    def frame(self) -> pd.DataFrame:
        """Return the table with everything laid on it; rows that were there keep their order."""
        frame = self._old.copy()
        for name in dict.fromkeys(c for change in self._changes.values() for c in change):
            column = frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index)
            column = column.astype(self._dtypes[name])
            places = [place for place, change in self._changes.items() if name in change]
            new = pd.Series([self._changes[place][name] for place in places], dtype=object)
            column.iloc[places] = _column(new, self._dtypes[name]).array
            frame[name] = column
        if not self._added:
            return frame
        added = pd.DataFrame(
            {
                name: _column(pd.Series([row.get(name) for row in self._added], dtype=object), kind)
                for name, kind in self._dtypes.items()
            }
        )
        old = frame.astype({name: kind for name, kind in self._dtypes.items() if name in frame})
        return added if old.empty else pd.concat([old, added], ignore_index=True)


def _column(values: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    typed: pd.Series[Any] = (pd.to_datetime(values) if dtype == DTYPES["date"] else values).astype(dtype)
    return typed


def _is_missing(value: Any) -> bool:
    return bool(pd.isna(value)) or value == ""


def _source(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source_file": LEDGER_SOURCE,
        "source_sheet": row["case_id"],
        "source_row": row["sequence"],
    }


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _key_texts(frame: pd.DataFrame, name: str) -> list[str]:
    column = frame[name]
    texts = column.dt.strftime("%Y-%m-%d") if column.dtype.kind == "M" else column.astype("str")
    return list(texts.fillna(""))


def _shown(contract: Table, column: str, value: Any) -> Any:
    """Return a value with a word of a vocabulary as its label, and a numpy flag as a plain one."""
    words = contract.column(column).words
    if words is not None and isinstance(value, str):
        return words.labels().get(value, value)
    return bool(value) if contract.column(column).kind == "boolean" and not pd.isna(value) else value


def _missing_as_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if _is_missing(value) else value for name, value in values.items()}
