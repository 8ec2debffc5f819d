"""Copying a whole ledger from one database into another, row by row as it was recorded.

Numbers, texts and hashes are carried over as they stand, so the chains of the copy are those of the original,
byte for byte, whatever kind of database either lies in. The triggers of the copy stand from the beginning and
let rows of a chain in only in their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa

from huanjie_lib.casework.events import ChainFault, Head, canonical
from huanjie_lib.errors import Fault, LedgerBusyError, LedgerError
from huanjie_lib.store import schema
from huanjie_lib.store.engine import SqliteStore, Store, connect
from huanjie_lib.store.evidence import EvidenceFolder
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.store.verification import verify

__all__ = [
    "CHAINS",
    "TableDigest",
    "check_equal",
    "copy_ledger",
    "copy_tables",
    "evidence_beside",
    "head_of",
    "is_empty",
    "refuse",
    "table_digests",
]

CHAINS: Final[Mapping[str, sa.Table]] = {
    "sequence": schema.case_events,
    "runs": schema.runs,
    "decisions": schema.decisions,
    "access": schema.access_log,
    "requests": schema.request_events,
}
"""Every hash chain, by the field of :class:`~huanjie_lib.casework.events.Head` that counts it."""

_BATCH: Final = 2000
_BOOKKEEPING: Final = "alembic_version"
"""Alembic's own table, written by the revisions."""


def copy_tables(source: sa.Connection, target: sa.Connection) -> None:
    """Copy every row of a ledger, of this or an older revision, into a database that holds none.

    Parameters
    ----------
    source
        One consistent moment.
    target
        Connection within a transaction that may write; it gets the tables of the source's revision.

    Raises
    ------
    LedgerError
        If the target holds anything already.
    """
    schema.check_known(source)
    revision = schema.standing(source)
    if not is_empty(target, revision):
        where, remedy = "新的台账", "指定空的数据库，或还不存在的文件夹"
        raise LedgerError("没有复制台账", [Fault(where, "已有内容", "空的位置", remedy)])
    if not schema.standing(target):
        schema.upgrade(target, revision)
    stored = _tables(source)  # a server's database may hold tables of others too
    for name, into in _tables(target).items():
        table = stored[name]
        query = sa.select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_BATCH)
        rows = source.execute(query)
        for part in rows.mappings().partitions(_BATCH):
            target.execute(sa.insert(into), [dict(row) for row in part])


def is_empty(connection: sa.Connection, revision: str) -> bool:
    """Return whether a database holds no tables, or those of a revision without a row."""
    if not sa.inspect(connection).get_table_names():
        return True
    if schema.standing(connection) != revision:
        return False
    return not any(
        connection.scalar(sa.select(sa.exists(sa.select(t)))) for t in _tables(connection).values()
    )


class TableDigest(NamedTuple):
    """Number of rows of a table, and a SHA-256 that equal rows share in any kind of database."""

    rows: int
    sha256: str


def table_digests(connection: sa.Connection) -> dict[str, TableDigest]:
    """Return how many rows each table of a ledger has, and their digest.

    Examples
    --------
    >>> import tempfile
    >>> from huanjie_lib.store.ledger import open_ledger
    >>> with tempfile.TemporaryDirectory() as place:
    ...     open_ledger(place, create=True).close()
    ...     with closing(connect(place)) as store, store.reading() as connection:
    ...         table_digests(connection)["runs"].rows
    0
    """
    found = {}
    for name, table in _tables(connection).items():
        rows = connection.execute(sa.select(table)).mappings()
        lines = sorted(hashlib.sha256(canonical(dict(row)).encode()).digest() for row in rows)
        found[name] = TableDigest(len(lines), hashlib.sha256(b"".join(lines)).hexdigest())
    return found


def _tables(connection: sa.Connection) -> dict[str, sa.Table]:
    """Return the ledger's tables as they stand, those that others point to first."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return {table.name: table for table in metadata.sorted_tables if table.name != _BOOKKEEPING}


def copy_ledger(
    source: str | Path, target: str | Path, *, evidence: Path | None = None, timeout: float = 10.0
) -> Head:
    """Copy a ledger into an empty place and check the copy before it stands; return where its chains end.

    The source is only read. The evidence files stay where they are.

    Parameters
    ----------
    source, target
        Path or address of the ledgers.
    evidence
        Folder of the evidence files; beside the source by default.
    timeout
        Seconds to wait for another writer of the target.

    Raises
    ------
    LedgerError
        If the target is not empty, or the source or the copy is not as it was recorded; the target then stays
        as it was.
    LedgerBusyError
        If something was recorded in the source meanwhile.

    Examples
    --------
    >>> import tempfile
    >>> from huanjie_lib.store.ledger import open_ledger
    >>> with tempfile.TemporaryDirectory() as place:
    ...     open_ledger(Path(place) / "old", create=True).close()
    ...     copy_ledger(Path(place) / "old", Path(place) / "new").sequence
    0
    """
    place = connect(source, read_only=True)
    files = evidence or evidence_beside(place)
    folder = None if files is None else EvidenceFolder(files)
    with closing(place), closing(connect(target, timeout=timeout)) as into, place.reading() as read:
        schema.check_revision(read)
        head = head_of(place, read)
        refuse("没有复制台账：原台账没有通过核对", verify(read, folder, head))
        into.create()
        with into.writing() as written:
            copy_tables(read, written)
            refuse("没有复制台账：复制的内容没有通过核对", verify(written, folder, head))
            check_equal(read, written)
            with place.reading() as later:
                if head_of(place, later) != head:
                    remedy = "关闭所有界面和登记服务后重新复制"
                    fault = Fault(place.where, "复制期间又有登记", "没有程序在登记的台账", remedy)
                    raise LedgerBusyError("没有复制台账", [fault])
    return head


def check_equal(source: sa.Connection, target: sa.Connection) -> None:
    """Refuse a copy of which any row differs.

    Raises
    ------
    LedgerError
        With each table that differs.
    """
    wanted, found = table_digests(source), table_digests(target)
    faults = [
        Fault(f"表 {name}", f"{found[name].rows} 行，内容不同", f"{wanted[name].rows} 行", "重新复制")
        for name in found
        if found[name] != wanted[name]
    ]
    if faults:
        raise LedgerError("没有复制台账：复制的内容与原台账不同", faults)


def head_of(store: Store, connection: sa.Connection) -> Head:
    """Return the end of each chain that a connection sees."""
    return Ledger(store, evidence=None, moment=connection).head()


def evidence_beside(store: Store) -> Path | None:
    """Return the folder of the evidence files beside a SQLite ledger; ``None`` for a server's."""
    return store.file.parent / "evidence" if isinstance(store, SqliteStore) else None


def refuse(summary: str, faults: list[ChainFault]) -> None:
    """Raise what was found, if anything was."""
    if faults:
        raise LedgerError(summary, [fault.fault for fault in faults])
