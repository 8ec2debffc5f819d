"""The part of a ledger that one account may see, kept as a ledger of its own for the kernels of a screen.

Whoever views a page can reach all that its kernel holds, so a kernel is not given the ledger. The server
reads that and writes what the account may see of it into a file in its own private folder, anew whenever the
ledger has grown; the kernel opens this one, with the methods of a ledger. Rows stand in it as they were
recorded, so their hashes are the ledger's; rows that are not for the account are left out, so that they form
no chain. Nothing is ever recorded in it.

A ledger that can no longer be read is told in the file too: a kernel then says so in place of showing what
may have been overtaken.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa

from huanjie_lib.access.roles import require
from huanjie_lib.access.scope import may_see
from huanjie_lib.casework.events import Actor, Head
from huanjie_lib.errors import Fault, LedgerError
from huanjie_lib.store import schema
from huanjie_lib.store.engine import SqliteStore, connect
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.store.rows import frame_of

__all__ = ["CasesPart", "CutLedger", "DecisionsPart", "LedgerCut", "Part", "open_cut"]

_BATCH: Final = 500
"""Cases that one query names."""
_AMISS: Final = "amiss"
_EDITION: Final = "edition"
_OF_A_CASE: Final = ("case_id", "version", "unit_code", "restricted", "owner")
_WITHHELD: Final = (
    *("talent_run", "reason", "account", "office", "role", "recorded_at", "previous_hash", "hash"),
)
"""What is not told of a decision elsewhere."""

logger = logging.getLogger(__name__)


class Part(Protocol):
    """Which rows of a ledger a cut holds."""

    def grown(self, head: Head) -> object:
        """Return of a head what differs when there may be other rows."""

    def copy(self, source: sa.Connection, into: sa.Connection) -> bool:
        """Bring the rows of the part up to date; return whether any differed."""


class CasesPart:
    """The cases that an account may see, their events and evidence, and how their units stood in each run.

    Parameters
    ----------
    actor
        The account.

    Raises
    ------
    UsageError
        If the role may read no cases.
    """

    def __init__(self, actor: Actor) -> None:
        for table in ("cases", "case_events", "evidence", "run_units", "run_causes"):
            require(actor.role, f"store/{table}", "casework")
        self._actor = actor

    def grown(self, head: Head) -> object:
        """Return the ends of the chains of events and of runs."""
        return head.sequence, head.hash, head.runs, head.runs_hash

    def copy(self, source: sa.Connection, into: sa.Connection) -> bool:
        """Bring the rows of the part up to date; return whether any differed."""
        c = schema.cases.c
        frame = frame_of(source.execute(sa.select(*(c[name] for name in _OF_A_CASE))), _OF_A_CASE)
        seen = frame[may_see(frame, self._actor)]
        wanted = dict(zip(seen["case_id"], seen["version"], strict=True))
        held = {row.case_id: row.version for row in into.execute(sa.select(c.case_id, c.version))}
        left = sorted(held.keys() - wanted.keys())
        moved = sorted(case for case, version in wanted.items() if held.get(case) != version)
        _drop(into, left)
        for some in _batches(moved):
            into.execute(sa.delete(schema.cases).where(c.case_id.in_(some)))
        for some in _batches(moved):
            _copy_cases(source, into, some, held)
        runs = self._copy_runs(source, into)
        return self._copy_causes(source, into) or runs or bool(left or moved)

    def _copy_runs(self, source: sa.Connection, into: sa.Connection) -> bool:
        """Add the runs published since, each with the units of the area."""
        r, u = schema.runs.c, schema.run_units.c
        last = into.scalar(sa.select(sa.func.max(r.number))) or 0
        new = [dict(row) for row in source.execute(sa.select(schema.runs).where(r.number > last)).mappings()]
        units = sa.select(schema.run_units).where(u.run_id.in_([row["run_id"] for row in new]))
        if self._actor.scope:
            starts = (u.unit_code.startswith(code, autoescape=True) for code in self._actor.scope)
            units = units.where(sa.or_(*starts))
        _insert(into, schema.runs, new)
        _insert(into, schema.run_units, [dict(row) for row in source.execute(units).mappings()])
        return bool(new)

    @staticmethod
    def _copy_causes(source: sa.Connection, into: sa.Connection) -> bool:
        """Tell which of the causes seen the last run has alerted."""
        k, r = schema.run_causes.c, schema.runs.c
        run = into.scalar(sa.select(r.run_id).order_by(r.number.desc()).limit(1))
        seen = set(into.scalars(sa.select(schema.cases.c.cause)))
        alerted = seen & set(source.scalars(sa.select(k.cause).where(k.run_id == run)))
        wanted = {(str(run), cause) for cause in alerted}
        if wanted == {(row.run_id, row.cause) for row in into.execute(sa.select(k.run_id, k.cause))}:
            return False
        into.execute(sa.delete(schema.run_causes))
        _insert(
            into, schema.run_causes, [{"run_id": run_id, "cause": cause} for run_id, cause in sorted(wanted)]
        )
        return True


class DecisionsPart:
    """Decisions on the posts of an area; of others, for which kind of post its people stand accepted.

    Parameters
    ----------
    actor
        The account.
    people
        Pseudonyms of those whom the area concerns, earlier ones too; everybody counts for an account without
        an area.

    Raises
    ------
    UsageError
        If the role may read no decisions.
    """

    def __init__(self, actor: Actor, people: Collection[str] = ()) -> None:
        require(actor.role, "store/decisions", "talent")
        self._scope, self._people = actor.scope, frozenset(people)
        self._elsewhere: dict[str, str] = {}

    def grown(self, head: Head) -> object:
        """Return the end of the chain of decisions."""
        return head.decisions, head.decisions_hash

    def copy(self, source: sa.Connection, into: sa.Connection) -> bool:
        """Add the decisions made since; return whether there were any."""
        d = schema.decisions.c
        last = into.scalar(sa.select(sa.func.max(d.number))) or 0
        made = source.execute(
            sa.select(schema.decisions).where(d.number > last).order_by(d.number)
        ).mappings()
        new = [shown for row in made if (shown := self._shown(row)) is not None]
        _insert(into, schema.decisions, new)
        return bool(new)

    def _shown(self, row: Mapping[Any, Any]) -> dict[str, Any] | None:
        """Return a decision as the account may see it; ``None`` where it is about nobody of the area."""
        told = {str(name): value for name, value in row.items()}
        if not self._scope or told["unit_code"].startswith(self._scope):
            return told
        named = {n: told[n] if told[n] in self._people else "" for n in ("person_ref", "instead_ref")}
        if not any(named.values()):
            return None
        place = self._elsewhere.setdefault(told["unit_code"], f"elsewhere-{len(self._elsewhere) + 1}")
        number = {"decision_id": f"elsewhere-{told['number']}", "unit_code": place}
        return {**told, **dict.fromkeys(_WITHHELD, ""), **named, **number}


class LedgerCut:
    """The file that holds a part of a ledger, and how it is kept up to date.

    Parameters
    ----------
    source
        Path or address of the ledger; it is only read.
    file
        New file, in a folder that this process alone enters.
    part
        What of the ledger it holds.

    Raises
    ------
    LedgerError
        If the ledger cannot be read, or the file not be written.
    """

    def __init__(self, source: str | Path, file: Path, part: Part) -> None:
        self._source = connect(source, read_only=True)
        self._into = SqliteStore(file)
        self._part = part
        self._standing: object = None
        self._amiss = self._closed = False
        self._refreshing = threading.Lock()
        self._into.create()
        with self._source.reading() as read, self._into.writing() as written:
            schema.check_revision(read)
            schema.lay_out(written)
            standing = self._part.grown(self._head(read))
            self._bring(read, written)
        self._standing = standing

    @property
    def file(self) -> Path:
        """The file."""
        return self._into.file

    def behind(self, head: Head | None) -> bool:
        """Tell whether a ledger with this head may hold what the file lacks; ``None``: not known."""
        return head is None or self._amiss or self._part.grown(head) != self._standing

    def refresh(self) -> None:
        """Bring the file up to date with the ledger; where that cannot be read, let the file say so."""
        with self._refreshing:
            if self._closed:
                return
            try:
                with self._source.reading() as read:
                    head = self._head(read)
                    if self.behind(head):
                        with self._into.writing() as written:
                            self._bring(read, written)
                        self._standing, self._amiss = self._part.grown(head), False
            except LedgerError as error:
                self._tell(error)

    def _head(self, read: sa.Connection) -> Head:
        return Ledger(self._source, evidence=None, moment=read).head()

    def _bring(self, read: sa.Connection, written: sa.Connection) -> None:
        """Copy what is new; it counts once it is committed."""
        if self._part.copy(read, written):
            edition = int(_told(written).get(_EDITION, "0")) + 1
            _set(written, _EDITION, str(edition))
        _set(written, _AMISS, "")

    def _tell(self, error: LedgerError) -> None:
        if self._amiss:
            return
        logger.warning("%s", error)
        told = {"summary": error.summary, "faults": [astuple(fault) for fault in error.faults]}
        with self._into.writing() as written:
            _set(written, _AMISS, json.dumps(told, ensure_ascii=False))
        self._amiss = True

    def close(self) -> None:
        """Close the connections of both; nothing is brought up to date any more."""
        with self._refreshing:
            self._closed = True
            self._source.close()
            self._into.close()


class CutLedger(Ledger):
    """A cut as a kernel reads it."""

    def mark(self) -> tuple[Head, str]:
        """Return what differs when anything may have changed.

        Raises
        ------
        LedgerError
            If the ledger that it is cut from cannot be read at present.
        """
        with self._reading() as connection:
            told = _told(connection)
            if amiss := told.get(_AMISS):
                said = json.loads(amiss)
                raise LedgerError(said["summary"], [Fault(*fault) for fault in said["faults"]])
            return self.head(), told.get(_EDITION, "")


def open_cut(file: str | Path) -> CutLedger:
    """Open a cut for reading.

    Raises
    ------
    LedgerError
        If there is none, or it cannot be opened.
    """
    store = connect(Path(file), read_only=True)
    try:
        with store.reading() as connection:
            schema.check_revision(connection)
    except BaseException:
        store.close()
        raise
    return CutLedger(store, evidence=None)


# ---------------------------------------------------------------- rows


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _BATCH):
        yield names[start : start + _BATCH]


def _insert(into: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        into.execute(sa.insert(table), rows)


def _copy_cases(
    source: sa.Connection, into: sa.Connection, names: Sequence[str], held: Mapping[str, int]
) -> None:
    """Add cases, and what has happened to them since the versions that are held."""
    e, f = schema.case_events.c, schema.evidence.c
    events = [
        dict(row)
        for row in source.execute(sa.select(schema.case_events).where(e.case_id.in_(names))).mappings()
        if row["version"] > held.get(row["case_id"], 0)
    ]
    new = {row["sequence"] for row in events}
    files = (
        sa.select(schema.evidence)
        .join(schema.case_events, f.sequence == e.sequence)
        .where(e.case_id.in_(names))
    )
    cases = source.execute(sa.select(schema.cases).where(schema.cases.c.case_id.in_(names))).mappings()
    _insert(into, schema.cases, [dict(row) for row in cases])
    _insert(into, schema.case_events, events)
    found = source.execute(files).mappings()
    _insert(into, schema.evidence, [dict(row) for row in found if row["sequence"] in new])


def _drop(into: sa.Connection, names: Sequence[str]) -> None:
    """Take cases out, with all that has happened to them."""
    e = schema.case_events.c
    for some in _batches(names):
        theirs = sa.select(e.sequence).where(e.case_id.in_(some))
        into.execute(sa.delete(schema.evidence).where(schema.evidence.c.sequence.in_(theirs)))
        into.execute(sa.delete(schema.case_events).where(e.case_id.in_(some)))
        into.execute(sa.delete(schema.cases).where(schema.cases.c.case_id.in_(some)))


def _told(connection: sa.Connection) -> dict[str, str]:
    return {row.key: row.value for row in connection.execute(sa.select(schema.meta))}


def _set(connection: sa.Connection, key: str, value: str) -> None:
    connection.execute(sa.delete(schema.meta).where(schema.meta.c.key == key))
    connection.execute(sa.insert(schema.meta), {"key": key, "value": value})
