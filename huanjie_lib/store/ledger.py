"""The ledger of cases: an append-only log with a hash chain, the state derived from it, and published runs.

One event is one transaction: the event, the derived row of its case and its evidence stand together or not
at all. An event has an id made by whoever asks, so that asking again after a lost answer changes nothing, and
the version of the case it was made for, so that nobody overwrites what he has not seen.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pandas as pd
import sqlalchemy as sa

from huanjie_lib.casework.cases import (
    CASE_COLUMNS,
    OPEN_STATES,
    Case,
    action_of,
    advance,
    type_cases,
)
from huanjie_lib.casework.events import (
    EVENT_COLUMNS,
    GENESIS,
    Action,
    Actor,
    ChainFault,
    Head,
    Recorded,
    canonical,
    chain_hash,
    event_body,
)
from huanjie_lib.errors import (
    EventClashError,
    Fault,
    LedgerError,
    StaleVersionError,
    TransitionError,
)
from huanjie_lib.store import schema
from huanjie_lib.store.access_log import AccessEntry, access_frame, record_access
from huanjie_lib.store.chains import chain_end
from huanjie_lib.store.decisions import Decision, decisions_frame, record
from huanjie_lib.store.engine import SqliteStore, Store, connect
from huanjie_lib.store.evidence import EvidenceFolder
from huanjie_lib.store.requests import RequestEvent, record_request, request_events, requests_frame
from huanjie_lib.store.rows import case_of, case_row, frame_of, run_body, run_content
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Role, date_text

__all__ = ["RUN_COLUMNS", "Ledger", "PublishedRun", "open_ledger", "upgrade_ledger", "utc_now"]

RUN_COLUMNS: Final = (
    "number",
    "run_id",
    "as_of",
    "parameter_version",
    "manifest_digest",
    "published_by",
    "recorded_at",
    "after_sequence",
    "events",
)
"""Columns of :meth:`Ledger.runs`."""

_OPEN: Final = sorted(state.value for state in OPEN_STATES)
_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))


def utc_now() -> dt.datetime:
    """Return the clock of this machine, in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class PublishedRun:
    """What of a run the ledger keeps.

    Parameters
    ----------
    run_id
        SHA-256 of the run's manifest.
    as_of
        Date the run describes.
    parameter_version
        Version of the parameters.
    published_by
        Account that publishes.
    index
        unit_code, index (0–100 or missing), level; one row per unit.
    causes
        Cause of every alert of the run, whether or not it opens a case.
    """

    run_id: str
    as_of: dt.date
    parameter_version: str
    published_by: str
    index: pd.DataFrame
    causes: Sequence[str]

    def units(self) -> list[tuple[str, float | None, str]]:
        """Return unit code, index and level of every unit, by unit code; a missing index is ``None``."""
        values = [None if pd.isna(value) else float(value) for value in self.index["index"]]
        return sorted(
            zip(self.index["unit_code"].astype(str), values, self.index["level"].astype(str), strict=True)
        )

    @property
    def content(self) -> str:
        """SHA-256 of date, parameter version, units and causes: what makes it this run."""
        return run_content(
            self.as_of.isoformat(), self.parameter_version, self.units(), sorted(set(self.causes))
        )


class Ledger:
    """A ledger that was opened by :func:`open_ledger`.

    Reading gives frames with the columns of the contracts; dates are ``datetime64[us]``. Each call reads a
    moment of its own; :meth:`snapshot` holds one moment for several calls.
    """

    def __init__(
        self,
        store: Store,
        *,
        evidence: Path | None,
        clock: Callable[[], dt.datetime] = utc_now,
        moment: sa.Connection | None = None,
    ) -> None:
        self._store = store
        self._evidence = None if evidence is None else EvidenceFolder(evidence)
        self._clock = clock
        self._moment = moment

    def __repr__(self) -> str:
        """Return place and last event."""
        head = self.head()
        return f"Ledger({self._store.where!r}, events={head.sequence}, runs={head.runs})"

    @property
    def where(self) -> str:
        """Place of the ledger, without any password."""
        return self._store.where

    @property
    def evidence(self) -> EvidenceFolder:
        """The evidence files.

        Raises
        ------
        LedgerError
            If the ledger lies on a server and no folder was named.
        """
        if self._evidence is None:
            fault = Fault(self.where, "没有指定佐证材料文件夹", "一个文件夹", "打开台账时指定佐证材料文件夹")
            raise LedgerError("不能存取佐证材料", [fault])
        return self._evidence

    def close(self) -> None:
        """Close the connections of this process."""
        self._store.close()

    def __enter__(self) -> Self:
        """Return the ledger, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.close()

    # ------------------------------------------------------------ reading

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        if self._moment is not None:
            yield self._moment
            return
        with self._store.reading() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """Give the ledger as it stands at one moment, for reading alone, whatever others write meanwhile."""
        if self._moment is not None:
            yield self
            return
        with self._store.reading() as connection:
            path = None if self._evidence is None else self._evidence.path
            yield type(self)(self._store, evidence=path, clock=self._clock, moment=connection)

    def case(self, case_id: str) -> Case:
        """Return one case.

        Raises
        ------
        KeyError
            If there is no such case.
        """
        with self._reading() as connection:
            case = _case(connection, case_id)
        if case is None:
            raise KeyError(case_id)
        return case

    def cases(
        self,
        *,
        states: Collection[CaseState | str] | None = None,
        kinds: Collection[CaseKind | str] | None = None,
        township: str | None = None,
        unit: str | None = None,
        owner: str | None = None,
        open_only: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> pd.DataFrame:
        """Return cases, those due first on top, those without a deadline last.

        Parameters
        ----------
        states, kinds
            Only these; all when omitted.
        township, unit
            Only those of this township or unit code.
        owner
            Only those of this office.
        open_only
            Leave out closed and cancelled ones.
        limit, offset
            A page of the list.

        Returns
        -------
        pandas.DataFrame
            Columns of :func:`huanjie_lib.casework.cases.cases_frame`.
        """
        c = schema.cases.c
        query = sa.select(*(c[name] for name in CASE_COLUMNS))
        if states is not None:
            query = query.where(c.state.in_([str(state) for state in states]))
        if kinds is not None:
            query = query.where(c.kind.in_([str(kind) for kind in kinds]))
        if open_only:
            query = query.where(c.state.in_(_OPEN))
        for column, value in ((c.township_code, township), (c.unit_code, unit), (c.owner, owner)):
            if value is not None:
                query = query.where(column == value)
        query = query.order_by(c.due_on.is_(None), c.due_on, c.case_id)
        if limit is not None or offset:
            query = query.limit(-1 if limit is None and self._store.dialect == "sqlite" else limit).offset(
                offset
            )
        with self._reading() as connection:
            frame = frame_of(connection.execute(query), CASE_COLUMNS)
        frame["evidence"] = [len(json.loads(text)) for text in frame["evidence"]]
        frame["rectifiers"] = ["、".join(json.loads(text)) for text in frame["rectifiers"]]
        frame["restricted"] = frame["restricted"].astype(bool)
        return type_cases(frame)

    def counts(self) -> pd.DataFrame:
        """Return how many cases there are by state, kind, township and owner.

        Returns
        -------
        pandas.DataFrame
            state, kind, township_code, township_name, owner, restricted, cases.
        """
        c = schema.cases.c
        by = (c.state, c.kind, c.township_code, c.township_name, c.owner, c.restricted)
        query = sa.select(*by, sa.func.count().label("cases")).group_by(*by).order_by(*by)
        names = (*(column.name for column in by), "cases")
        with self._reading() as connection:
            frame = frame_of(connection.execute(query), names)
        whole: dict[str, str] = dict.fromkeys(names[:-2], "str")
        return frame.astype({**whole, "restricted": "bool", "cases": "int64"})

    def events(self, case_id: str | None = None, *, after: int = 0) -> pd.DataFrame:
        """Return events in order of sequence, of one case or all, those after a sequence.

        Returns
        -------
        pandas.DataFrame
            Columns :data:`huanjie_lib.casework.events.EVENT_COLUMNS`; ``payload`` is canonical JSON.
        """
        with self._reading() as connection:
            frame = _events(connection, case_id, after)
        days = pd.to_datetime(frame["happened_on"], format="%Y-%m-%d").astype("datetime64[us]")
        frame["happened_on"] = days
        whole = dict.fromkeys(("sequence", "version"), "int64")
        texts = {name: "str" for name in EVENT_COLUMNS if name not in {*whole, "happened_on"}}
        return frame.astype({**texts, **whole})

    def head(self) -> Head:
        """Return the end of each chain: events, runs, decisions, the access log and requests."""
        with self._reading() as connection:
            return _head(connection)

    def mark(self) -> tuple[Head, str]:
        """Return what differs when anything that can be read may have changed: head, and nothing more."""
        return self.head(), ""

    def runs(self) -> pd.DataFrame:
        """Return the published runs in order of publication, columns :data:`RUN_COLUMNS`."""
        r = schema.runs.c
        names = [name for name in RUN_COLUMNS if name != "manifest_digest"]
        with self._reading() as connection:
            frame = frame_of(connection.execute(sa.select(*(r[n] for n in names)).order_by(r.number)), names)
        frame["manifest_digest"] = frame["run_id"]  # a run is named by its manifest
        frame["as_of"] = pd.to_datetime(frame["as_of"], format="%Y-%m-%d").astype("datetime64[us]")
        whole = dict.fromkeys(("number", "after_sequence", "events"), "int64")
        texts = {name: "str" for name in RUN_COLUMNS if name not in {*whole, "as_of"}}
        return frame[list(RUN_COLUMNS)].astype({**texts, **whole})

    def alerted(self, run_id: str) -> frozenset[str]:
        """Return the causes of the alerts of a published run.

        Raises
        ------
        KeyError
            If no such run was published.
        """
        causes = schema.run_causes.c
        with self._reading() as connection:
            if (
                connection.scalar(sa.select(schema.runs.c.number).where(schema.runs.c.run_id == run_id))
                is None
            ):
                raise KeyError(run_id)
            return frozenset(connection.scalars(sa.select(causes.cause).where(causes.run_id == run_id)))

    def unit_history(self, unit_code: str) -> pd.DataFrame:
        """Return run_id, as_of, index and level of a unit in each published run, in order of publication."""
        r, u = schema.runs.c, schema.run_units.c
        query = (
            sa.select(r.run_id, r.as_of, u.index, u.level)
            .join_from(schema.run_units, schema.runs, u.run_id == r.run_id)
            .where(u.unit_code == unit_code)
            .order_by(r.number)
        )
        with self._reading() as connection:
            frame = frame_of(connection.execute(query), ("run_id", "as_of", "index", "level"))
        frame["as_of"] = pd.to_datetime(frame["as_of"], format="%Y-%m-%d").astype("datetime64[us]")
        return frame.astype({"run_id": "str", "index": "float64", "level": "str"})

    # ------------------------------------------------------------ writing

    def append(self, action: Action) -> Recorded:
        """Record an event; when this returns, the event stands on the disk.

        An event id that is there already gives the recorded event back and changes nothing.

        Raises
        ------
        TransitionError
            If the event may not happen to this case, now, by this actor, or on a day still to come.
        StaleVersionError
            If the case has moved on since the actor saw it.
        EventClashError
            If another event has this id.
        LedgerBusyError, LedgerFullError, LedgerError
            If the ledger cannot be written; asking again with the same id is safe.
        """
        with self._writing() as connection:
            self._store.hold(connection)  # nothing comes in between looking for the event and recording it
            return self._append(connection, action)

    def append_retrying(
        self, make: Callable[[Case | None], Action], case_id: str, *, attempts: int = 8
    ) -> Recorded:
        """Record an event made anew from the case as it stands, each time a race is lost.

        Parameters
        ----------
        make
            Gets the case, or ``None`` where there is none, and returns the event.
        case_id
            Case it is about.
        attempts
            How often to try; the last lost race is raised.
        """
        for attempt in range(1, attempts + 1):
            with self._reading() as connection:
                case = _case(connection, case_id)
            try:
                return self.append(make(case))
            except StaleVersionError:
                if attempt == attempts:
                    raise
                time.sleep(random.uniform(0, 0.002 * 2**attempt))  # losers do not come back at once
        raise ValueError("attempts must be at least 1")

    def publish(self, run: PublishedRun, actions: Sequence[Action]) -> list[Recorded]:
        """Record a run and the events it opens and reopens, all or nothing.

        Returns
        -------
        list of Recorded
            The events of the run. A run that was published already gives those of the first time and changes
            nothing, whatever ``actions`` hold.

        Raises
        ------
        EventClashError
            If a run of this id with other content was published.
        TransitionError, StaleVersionError, LedgerError
            As :meth:`append`; nothing is published then.
        """
        content = run.content
        with self._writing() as connection:
            self._store.hold(connection)
            known = connection.execute(
                sa.select(schema.runs).where(schema.runs.c.run_id == run.run_id)
            ).mappings()
            row = known.one_or_none()
            if row is not None:
                if row["content"] != content:
                    found, remedy = "同一编号、内容不同的评估", "重新运行 huanjie run 后再发布"
                    fault = Fault(f"评估 {run.run_id[:12]}", found, "已发布的内容", remedy)
                    raise EventClashError("不能发布评估", [fault])
                return _published(connection, row["after_sequence"], row["events"])
            head = _head(connection)
            recorded = [self._append(connection, action) for action in actions]
            new = [event for event in recorded if event.sequence > head.sequence]
            values: dict[str, Any] = {
                "run_id": run.run_id,
                "as_of": run.as_of.isoformat(),
                "parameter_version": run.parameter_version,
                "published_by": run.published_by,
                "recorded_at": self._now(),
                "content": content,
                "after_sequence": head.sequence,
                "after_hash": head.hash,
                "events": len(new),
            }
            chained = {
                "number": head.runs + 1,
                "previous_hash": head.runs_hash,
                "hash": chain_hash(head.runs_hash, run_body(values)),
            }
            connection.execute(sa.insert(schema.runs), {**values, **chained})
            units = [
                {"run_id": run.run_id, "unit_code": unit, "index": index, "level": level}
                for unit, index, level in run.units()
            ]
            causes = [{"run_id": run.run_id, "cause": cause} for cause in sorted(set(run.causes))]
            for table, rows in ((schema.run_units, units), (schema.run_causes, causes)):
                if rows:
                    connection.execute(sa.insert(table), rows)
            return new

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        if self._moment is not None:
            fault = Fault(self.where, "台账的一个时刻，只供读取", "可以登记的台账", "不在快照内登记")
            raise LedgerError("不能登记", [fault])
        with self._store.writing() as connection:
            yield connection

    def decide(self, decision: Decision, actor: Actor) -> dict[str, Any]:
        """Record a decision on advice about people; when this returns, it stands on the disk.

        An id that is there already gives the recorded decision back and changes nothing.

        Raises
        ------
        TransitionError, StaleVersionError, EventClashError
            As :func:`huanjie_lib.store.decisions.record`.
        LedgerError
            If the ledger cannot be written; asking again with the same id is safe.
        """
        with self._writing() as connection:
            self._store.hold(connection)
            return record(connection, decision, actor, self._now())

    def decisions(self, unit_code: str | None = None, post: str | None = None) -> pd.DataFrame:
        """Return decisions on advice about people, of one unit and post or all, in order.

        Returns
        -------
        pandas.DataFrame
            Columns :data:`huanjie_lib.store.decisions.DECISION_COLUMNS`.
        """
        with self._reading() as connection:
            return decisions_frame(connection, unit_code, post)

    def log_access(self, entry: AccessEntry, actor: Actor) -> dict[str, Any]:
        """Record what is done with the data of people; when this returns, it stands on the disk.

        An id that is there already gives the recorded entry back and changes nothing. What the entry tells of
        is shown or handed out only after this has returned.

        Raises
        ------
        TransitionError, EventClashError
            As :func:`huanjie_lib.store.access_log.record_access`.
        LedgerError
            If the ledger cannot be written; asking again with the same id is safe.
        """
        with self._writing() as connection:
            self._store.hold(connection)
            return record_access(connection, entry, actor, self._now())

    def access_log(self, *, since: dt.date | None = None, account: str | None = None) -> pd.DataFrame:
        """Return entries of the access log since a day, of one account or all, in order.

        Returns
        -------
        pandas.DataFrame
            Columns :data:`huanjie_lib.store.access_log.ACCESS_COLUMNS`.
        """
        with self._reading() as connection:
            return access_frame(connection, since=since, account=account)

    def request(self, event: RequestEvent, actor: Actor) -> dict[str, Any]:
        """Record a step of a request that a person made; when this returns, it stands on the disk.

        Raises
        ------
        TransitionError, EventClashError
            As :func:`huanjie_lib.store.requests.record_request`.
        LedgerError
            If the ledger cannot be written; asking again with the same id is safe.
        """
        with self._writing() as connection:
            self._store.hold(connection)
            return record_request(connection, event, actor, self._now())

    def requests(self) -> pd.DataFrame:
        """Return the requests that people made, those due first on top.

        Returns
        -------
        pandas.DataFrame
            Columns :data:`huanjie_lib.store.requests.REQUEST_COLUMNS`.
        """
        with self._reading() as connection:
            return requests_frame(request_events(connection))

    def _now(self) -> str:
        return self._clock().astimezone(dt.UTC).isoformat(timespec="milliseconds")

    def _append(self, connection: sa.Connection, action: Action) -> Recorded:
        faults = action.faults()
        if faults:
            raise TransitionError(f"案件 {action.case_id} 不能{action.event.label}", faults)
        known = _recorded(connection, schema.case_events.c.event_id == action.event_id)
        if known:
            return _same(known[0], action)
        case = _case(connection, action.case_id)
        found = 0 if case is None else case.version
        if found != action.expected_version:
            raise StaleVersionError(action.case_id, expected=action.expected_version, found=found)
        after = advance(case, action)
        now = self._now()
        self._check_day(connection, action, case, now)
        self._check_evidence(action)
        told: dict[str, Any] = {
            "event_id": action.event_id,
            "case_id": action.case_id,
            "version": after.version,
            "event": action.event.value,
            "actor": action.actor.account,
            "office": action.actor.office,
            "role": action.actor.role.value,
            "happened_on": action.happened_on.isoformat(),
            "recorded_at": now,
            "payload": canonical(dict(action.payload)),
        }
        if self._store.dialect == "postgresql":
            links = _call(connection, told, after, action)
            if links is None:  # recorded by somebody who did not hold the ledger
                return self._append(connection, action)
        else:
            links = _insert(connection, told, after, action)
        return Recorded(links[0], after.version, told["recorded_at"], *links[1:], action)

    def _check_day(self, connection: sa.Connection, action: Action, case: Case | None, now: str) -> None:
        """Refuse what is stated to have happened on a day still to come.

        The last day allowed is tomorrow in Beijing, since the clock may be a day behind, or the day that the
        case or the last run is dated, where that is later: a clock set back does not undo them. What the
        system does bears the date of its run.
        """
        if action.actor.role is Role.SYSTEM:
            return
        last = dt.datetime.fromisoformat(now).astimezone(_BEIJING).date() + dt.timedelta(days=1)
        if action.happened_on <= last:
            return
        described = connection.scalar(sa.select(sa.func.max(schema.runs.c.as_of)))
        known = [] if case is None else [case.opened_on]
        known += [] if described is None else [dt.date.fromisoformat(described)]
        last = max([last, *known])
        if action.happened_on > last:
            found, allowed = date_text(action.happened_on), f"不晚于{date_text(last)}"
            remedy = "按实际办理的日期改正；日期无误的，请管理员核对服务器的日期和时间"
            fault = Fault(f"案件 {action.case_id} 办理日期", found, allowed, remedy)
            raise TransitionError(f"案件 {action.case_id} 不能{action.event.label}", [fault])

    def _check_evidence(self, action: Action) -> None:
        """Refuse evidence of which no file is kept; a server's ledger without a folder cannot tell."""
        if action.event is not CaseEvent.RECTIFY or self._evidence is None:
            return
        faults = [
            Fault(f"佐证材料 {item['name']}", "没有收到文件", "已上传的文件", "重新上传后再登记")
            for item in action.payload["evidence"]
            if not self._evidence.holds(item["digest"], item["bytes"])
        ]
        if faults:
            raise TransitionError(f"案件 {action.case_id} 不能{action.event.label}", faults)

    # ------------------------------------------------------------ verifying

    def verify(self, head: Head | None = None) -> list[ChainFault]:
        """Find everything that is not as it was recorded: events, derived cases, runs, evidence, triggers.

        Parameters
        ----------
        head
            A head kept elsewhere; without one, what was cut off at the end leaves no trace in the chain.

        Returns
        -------
        list of ChainFault
            By sequence; empty when all is well.
        """
        from huanjie_lib.store.verification import verify  # reads everything: not needed for daily work

        with self.snapshot() as moment:
            assert moment._moment is not None
            return verify(moment._moment, self._evidence, head)


# ---------------------------------------------------------------- rows


def _events(connection: sa.Connection, case_id: str | None = None, after: int = 0) -> pd.DataFrame:
    """Return events as they are stored, as objects."""
    c = schema.case_events.c
    query = sa.select(*(c[name] for name in EVENT_COLUMNS)).where(c.sequence > after).order_by(c.sequence)
    if case_id is not None:
        query = query.where(c.case_id == case_id)
    return frame_of(connection.execute(query), EVENT_COLUMNS)


def _insert(
    connection: sa.Connection, told: dict[str, Any], after: Case, action: Action
) -> tuple[int, str, str]:
    """Write an event, its derived row and its evidence into SQLite, under the lock; return its links."""
    c = schema.cases.c
    other = connection.scalar(
        sa.select(c.case_id).where(c.cause == after.cause, schema.IS_OPEN, c.case_id != after.case_id)
    )
    if other is not None and after.is_open:
        raise _taken(action, other)
    head = _head(connection)
    sequence, link = head.sequence + 1, chain_hash(head.hash, event_body(**told))
    values = {**told, "sequence": sequence, "previous_hash": head.hash, "hash": link}
    connection.execute(sa.insert(schema.case_events), values)
    row = case_row(after)
    if after.version == 1:
        connection.execute(sa.insert(schema.cases), row)
    else:
        connection.execute(sa.update(schema.cases).where(c.case_id == after.case_id), row)
    files = [
        {**item, "sequence": sequence, "position": position}
        for position, item in enumerate(action.payload.get("evidence", ()), start=1)
    ]
    if files:
        connection.execute(sa.insert(schema.evidence), files)
    return sequence, head.hash, link


def _call(
    connection: sa.Connection, told: dict[str, Any], after: Case, action: Action
) -> tuple[int, str, str] | None:
    """Hand an event to PostgreSQL's own function; return its links, or nothing for an id it knows."""
    row = connection.execute(
        sa.text("SELECT * FROM huanjie_append(:body, cast(:derived AS json), :expected)"),
        {
            "body": event_body(**told),
            "derived": canonical(case_row(after)),
            "expected": action.expected_version,
        },
    ).one()
    match row.outcome:
        case "known":
            return None
        case "stale":
            raise StaleVersionError(action.case_id, expected=action.expected_version, found=int(row.standing))
        case "taken":
            raise _taken(action, row.standing)
    return row.number, row.previous, row.link


def _taken(action: Action, other: str) -> TransitionError:
    where, allowed = f"案件 {action.case_id} 事由", "同一事由只有一个未销号的案件"
    fault = Fault(where, f"案件 {other} 尚未销号", allowed, f"在案件 {other} 中继续处理")
    return TransitionError(f"案件 {action.case_id} 不能{action.event.label}", [fault])


def _head(connection: sa.Connection) -> Head:
    e = schema.case_events.c
    event = connection.execute(
        sa.select(e.sequence, e.hash).order_by(e.sequence.desc()).limit(1)
    ).one_or_none()
    chains = (schema.runs, schema.decisions, schema.access_log, schema.request_events)
    ends = [part for table in chains for part in chain_end(connection, table)]
    return Head(*(event or (0, GENESIS)), *ends)


def _recorded(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Recorded]:
    c = schema.case_events.c
    query = sa.select(*(c[name] for name in EVENT_COLUMNS)).where(which).order_by(c.sequence)
    return [
        Recorded(
            row["sequence"],
            row["version"],
            row["recorded_at"],
            row["previous_hash"],
            row["hash"],
            action_of(dict(row)),
        )
        for row in connection.execute(query).mappings()
    ]


def _published(connection: sa.Connection, after: int, count: int) -> list[Recorded]:
    return _recorded(connection, schema.case_events.c.sequence.between(after + 1, after + count))


def _same(known: Recorded, action: Action) -> Recorded:
    """Return the recorded event when it is the one asked for; the version it was made for is no content."""

    def content(of: Action) -> tuple[Any, ...]:
        actor = of.actor
        who = (actor.account, actor.office, actor.role)
        return of.case_id, of.event, who, of.happened_on, canonical(dict(of.payload))

    if content(known.action) == content(action):
        return known
    remedy = "每次操作使用新的事件编号；同一操作重试时内容保持不变"
    fault = Fault(
        f"事件编号 {action.event_id}", f"已用于第 {known.sequence} 个事件", "没有用过的编号", remedy
    )
    raise EventClashError("不能登记：事件编号重复", [fault])


def _case(connection: sa.Connection, case_id: str) -> Case | None:
    query = sa.select(schema.cases).where(schema.cases.c.case_id == case_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else case_of(dict(row))


# ---------------------------------------------------------------- opening


def open_ledger(
    url: str | Path,
    *,
    create: bool = False,
    read_only: bool = False,
    evidence: Path | None = None,
    clock: Callable[[], dt.datetime] = utc_now,
    timeout: float = 10.0,
) -> Ledger:
    """Open a ledger.

    Parameters
    ----------
    url
        Folder or file of a SQLite ledger, ``sqlite:///…`` or ``postgresql+psycopg://…``; see
        :func:`huanjie_lib.store.engine.connect`.
    create
        Make the ledger where there is none, and bring an older one to the newest revision.
    read_only
        Refuse every write, whatever the file system would allow.
    evidence
        Folder of the evidence files; beside the file by default, none for a server.
    clock
        Clock of ``recorded_at``; it orders nothing.
    timeout
        Seconds to wait for another writer.

    Raises
    ------
    LedgerVersionError
        If the ledger, or the SQLite library, is of another version, or there is no ledger there.
    LedgerError
        If the ledger cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with open_ledger(Path(place) / "store", create=True) as ledger:
    ...         print(ledger.head().sequence, ledger.verify())
    0 []
    """
    store = connect(url, read_only=read_only, timeout=timeout)
    with _closed_on_failure(store):
        if create:
            store.create()
            with store.writing() as connection:
                store.hold(connection)
                schema.upgrade(connection)
        with store.reading() as connection:
            schema.check_revision(connection)
    if evidence is None and isinstance(store, SqliteStore):
        evidence = store.file.parent / "evidence"
    return Ledger(store, evidence=evidence, clock=clock)


def upgrade_ledger(url: str | Path, *, timeout: float = 10.0) -> None:
    """Bring an existing ledger to the newest revision.

    Raises
    ------
    LedgerVersionError
        If there is no ledger, or a newer program has changed it.
    """
    store = connect(url, timeout=timeout)
    with closing(store):
        with store.reading() as connection:  # before the lock, which would make a folder where there is none
            if not schema.standing(connection):
                schema.check_revision(connection)
        with store.writing() as connection:
            store.hold(connection)
            schema.upgrade(connection)


@contextmanager
def _closed_on_failure(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise
