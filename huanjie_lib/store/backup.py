"""Backing up a ledger while others write to it, and restoring it into a new place.

A backup is one ZIP file: the ledger as a SQLite file, every evidence file, the heads kept day by day, and
``manifest.json`` with the digest of each. A ledger on PostgreSQL is read in one moment, row by row, into a
SQLite file too: a backup so needs no program of the server's, fits every version of it, and can be restored
to either kind of database.

What is copied first is what is told of last: heads, then the database in one moment, then the evidence. So
no head and no event tells of something that the backup lacks, whatever is recorded meanwhile.

Both ways check everything before anything stands: the digests, each chain, the state that the events give,
each day's head and each evidence file. The backup is as secret as the ledger; keys are not in it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from huanjie_lib.casework.events import ChainFault, Head
from huanjie_lib.errors import Fault, LedgerError, UsageError
from huanjie_lib.outputs import require_new_files, require_new_folder
from huanjie_lib.store import schema
from huanjie_lib.store.copying import (
    CHAINS,
    TableDigest,
    check_equal,
    copy_tables,
    evidence_beside,
    head_of,
    refuse,
    table_digests,
)
from huanjie_lib.store.engine import SqliteStore, Store, connect, os_error
from huanjie_lib.store.evidence import EvidenceFolder, flush_folder, made_private
from huanjie_lib.store.heads import newest_head, read_head
from huanjie_lib.store.ledger import upgrade_ledger, utc_now
from huanjie_lib.store.verification import verify

__all__ = ["BACKUP_FORMAT", "Backup", "check_backup", "restore", "upgrade", "write_backup"]

BACKUP_FORMAT: Final = "huanjie-backup/1"
"""Format of a backup."""

_LEDGER: Final = "ledger.sqlite3"
_MANIFEST: Final = "manifest.json"
_HEADS: Final = "heads"
_EVIDENCE: Final = "evidence"
_MEMBER: Final = (
    rf"^({re.escape(_LEDGER)}|{_HEADS}/\d{{4}}-\d\d-\d\d\.json|{_EVIDENCE}/[0-9a-f]{{2}}/[0-9a-f]{{64}})$"
)
_UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What a damaged archive raises; the last stands for a member that claims to be encrypted or packed oddly."""
_BLOCK: Final = 1 << 20
_NOT_MADE: Final = "没有写出备份"
_NOT_WHOLE: Final = "备份没有通过核对"
_NOT_RESTORED: Final = "没有恢复"


class _Member(BaseModel):
    """One file in a backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class _Manifest(BaseModel):
    """What a backup says of itself; ``tables`` are those of its own revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["huanjie-backup/1"]
    code_version: str
    database: str
    made_at: dt.datetime
    revision: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    head: Head
    tables: dict[str, TableDigest]
    members: dict[Annotated[str, Field(pattern=_MEMBER)], _Member]


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Parameters
    ----------
    path
        The file.
    made_at
        When it was begun, UTC.
    head
        End of each chain.
    revision
        Revision of the tables.
    evidence, heads
        Number of evidence files and of daily heads.
    bytes
        Size of the file.
    """

    path: Path
    made_at: dt.datetime
    head: Head
    revision: str
    evidence: int
    heads: int
    bytes: int

    def __str__(self) -> str:
        """Return one Chinese sentence."""
        ends = self.head
        return (
            f"{self.path}：{ends.sequence} 个事件、{ends.runs} 次发布、{ends.decisions} 项决定，"
            f"佐证材料 {self.evidence} 份，每日链头 {self.heads} 份，共 {self.bytes / 1e6:.1f} MB；"
            f"链头 {ends.hash}"
        )


# ---------------------------------------------------------------- making


def write_backup(
    url: str | Path,
    out: Path,
    *,
    evidence: Path | None = None,
    code_version: str,
    clock: Callable[[], dt.datetime] = utc_now,
) -> Backup:
    """Back up a ledger, of this or an older revision, while others may write to it.

    Parameters
    ----------
    url
        Path or address of the ledger, with an account that may read all of it.
    out
        File to write, which must not be there.
    evidence
        Folder of the evidence files; beside a SQLite ledger by default. The daily heads are taken from
        ``heads`` beside it.
    code_version
        Version of the package, kept in the manifest.
    clock
        Clock of the manifest.

    Raises
    ------
    UsageError
        If the file is there already.
    LedgerError
        If the ledger cannot be read or is not as it was recorded, or the file cannot be written; there is no
        file then.

    Examples
    --------
    >>> from huanjie_lib.store.ledger import open_ledger
    >>> with tempfile.TemporaryDirectory() as place:
    ...     open_ledger(Path(place) / "store", create=True).close()
    ...     made = write_backup(Path(place) / "store", Path(place) / "a.zip", code_version="1")
    ...     restore(made.path, Path(place) / "new").head == made.head
    True
    """
    require_new_files([out], refused=_NOT_MADE)
    store = connect(url, read_only=True)
    files = evidence or evidence_beside(store)
    begun = clock()
    with closing(store), _told(out), ExitStack() as stack:
        made_private(out.absolute().parent)
        work = stack.enter_context(_beside(out.absolute()))
        (work / _HEADS).mkdir()
        for path in _heads_kept(store, files):
            shutil.copy(path, work / _HEADS)
        revision = _take(store, work / _LEDGER)
        kept = None if files is None else EvidenceFolder(files)
        with _newest(work / _LEDGER, revision) as (snapshot, connection):
            refuse(f"{_NOT_MADE}：台账没有通过核对", _faults(connection, kept, work / _HEADS, None))
            head = head_of(snapshot, connection)
        told = _Manifest(
            format=BACKUP_FORMAT,
            code_version=code_version,
            database=store.dialect,
            made_at=begun.astimezone(dt.UTC).replace(microsecond=0),
            revision=revision,
            head=head,
            tables=_digests(work / _LEDGER),
            members={},
        )
        draft = work / "draft.zip"
        _pack(draft, work, kept, told)
        check_backup(draft, work / "read")
        draft.replace(out)
        flush_folder(out.absolute().parent)
    return _read(out)


def upgrade(
    url: str | Path, backup: Path | None, *, evidence: Path | None = None, code_version: str
) -> Backup | None:
    """Back up a ledger of an older revision and bring it to the newest; return the backup.

    A ledger of the newest revision is left as it is, and ``None`` returned. None is ever brought back to an
    older revision: restore the backup for that.

    Parameters
    ----------
    url
        Path or address of the ledger, with an account that may change the tables.
    backup
        File to write first, which must not be there.
    evidence, code_version
        As :func:`write_backup`.

    Raises
    ------
    UsageError
        If the ledger needs an upgrade and no file for the backup is named.
    LedgerError
        If there is no ledger, a newer program has changed it, or it cannot be backed up; it stays as it is.
    """
    with closing(connect(url, read_only=True)) as store, store.reading() as connection:
        schema.check_known(connection)
        if schema.standing(connection) == schema.REVISION:
            return None
    if backup is None:
        remedy = "补充 --backup，如 --backup 升级前.zip"
        raise UsageError("没有升级台账", [Fault("--backup", "没有给出", "升级前写出备份的新文件", remedy)])
    made = write_backup(url, backup, evidence=evidence, code_version=code_version)
    upgrade_ledger(url)
    return made


def _heads_kept(store: Store, evidence: Path | None) -> list[Path]:
    """Return the daily heads that the writer keeps: beside a SQLite ledger, or beside a server's evidence."""
    home = store.file if isinstance(store, SqliteStore) else evidence
    paths = [] if home is None else sorted((home.parent / _HEADS).glob("*.json"))
    return [path for path in paths if re.match(_MEMBER, f"{_HEADS}/{path.name}")]


def _take(store: Store, file: Path) -> str:
    """Write one moment of a ledger into a new SQLite file and return its revision."""
    with store.reading() as connection:
        schema.check_known(connection)
        with closing(SqliteStore(file)) as copy:
            copy.create()
            if isinstance(store, SqliteStore):
                store.copy_pages(connection, file)
            else:
                with copy.writing() as written:
                    copy_tables(connection, written)
        return schema.standing(connection)


@contextmanager
def _newest(file: Path, revision: str) -> Iterator[tuple[SqliteStore, sa.Connection]]:
    """Give a SQLite file at the newest revision, or a copy that was brought to it, for reading."""
    with ExitStack() as stack:
        if revision != schema.REVISION:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=file.parent))
            file = Path(shutil.copy(file, folder))
        store = stack.enter_context(closing(SqliteStore(file)))
        if revision != schema.REVISION:
            with store.writing() as connection:
                schema.upgrade(connection)
        yield store, stack.enter_context(store.reading())


def _digests(file: Path) -> dict[str, TableDigest]:
    with closing(SqliteStore(file)) as store, store.reading() as connection:
        return table_digests(connection)


def _pack(draft: Path, work: Path, evidence: EvidenceFolder | None, told: _Manifest) -> None:
    """Write the ZIP file, the manifest last, and let it stand on the disk."""
    members: dict[str, _Member] = {}
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:

            def add(name: str, stream: IO[bytes], how: int = zipfile.ZIP_DEFLATED) -> None:
                entry = zipfile.ZipInfo(name)
                entry.compress_type, entry.external_attr = how, 0o600 << 16
                digest, size = hashlib.sha256(), 0
                with archive.open(entry, "w", force_zip64=True) as member:
                    while block := stream.read(_BLOCK):
                        digest.update(block)
                        size += len(block)
                        member.write(block)
                members[name] = _Member(sha256=digest.hexdigest(), bytes=size)

            paths = [work / _LEDGER, *sorted((work / _HEADS).glob("*.json"))]
            for path in paths:
                with path.open("rb") as stream:
                    add(path.relative_to(work).as_posix(), stream)
            if evidence is not None:
                for digest in evidence.digests():
                    with evidence.open(digest) as stream:
                        add(f"{_EVIDENCE}/{digest[:2]}/{digest}", stream, zipfile.ZIP_STORED)
            whole = told.model_copy(update={"members": members})
            archive.writestr(_MANIFEST, whole.model_dump_json(indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())


# ---------------------------------------------------------------- checking


def check_backup(file: Path, folder: Path, *, head: Head | None = None, lasting: bool = False) -> Backup:
    """Unpack a backup into a new folder and check all of it.

    Parameters
    ----------
    file
        The backup.
    folder
        Folder to unpack into, not there yet: the ledger, ``evidence`` and ``heads``. It stays only if all is
        well.
    head
        A head that was kept elsewhere: it shows a backup that somebody has made anew, digests and all.
    lasting
        Whether what was unpacked is to stand on the disk when this returns.

    Raises
    ------
    UsageError
        If there is no such file.
    LedgerError
        If the file is torn, altered or no backup, or the ledger in it is not as it was recorded.
    """
    with ExitStack() as stack:
        made_private(folder)
        undo = stack.enter_context(ExitStack())
        undo.callback(shutil.rmtree, folder)
        with _opened(file) as (archive, told):
            for parent in sorted({(folder / name).parent for name in told.members}):
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = [
                _unpack(archive, name, wanted, folder, lasting=lasting)
                for name, wanted in told.members.items()
            ]
            for made in [path for path in (folder, *folder.rglob("*")) if lasting and path.is_dir()]:
                flush_folder(made)
        faults = [fault for fault in found if fault is not None]
        if faults:
            raise LedgerError(_NOT_WHOLE, faults)
        evidence = EvidenceFolder(folder / _EVIDENCE)
        with _newest(folder / _LEDGER, told.revision) as (store, connection):
            refuse(_NOT_WHOLE, _faults(connection, evidence, folder / _HEADS, head))
            if head_of(store, connection) != told.head or _digests(folder / _LEDGER) != told.tables:
                fault = Fault(str(file), "台账与清单不符", "备份时的台账", "换用另一份备份")
                raise LedgerError(_NOT_WHOLE, [fault])
        for left in folder.glob(f"{_LEDGER}-*"):  # what a reader leaves behind: an empty log and its index
            left.unlink()
        undo.pop_all()
    return _read(file)


def _faults(
    connection: sa.Connection, evidence: EvidenceFolder | None, heads: Path, head: Head | None
) -> list[ChainFault]:
    """Return every fault of a ledger, against a head kept elsewhere and those kept day by day."""
    newest = newest_head(heads)
    against = head or (None if newest is None else read_head(newest))
    faults = verify(connection, evidence, against)
    for path in sorted(heads.glob("*.json")):
        if head is not None or path != newest:
            faults += _not_reached(connection, path.stem, read_head(path))
    return faults


def _not_reached(connection: sa.Connection, day: str, kept: Head) -> list[ChainFault]:
    """Return the chains that do not hold, or hold other than, what a day's head says."""
    faults = []
    for name, table in CHAINS.items():
        number, link = getattr(kept, name), getattr(kept, "hash" if name == "sequence" else f"{name}_hash")
        place = table.columns[0]
        if number and connection.scalar(sa.select(table.c.hash).where(place == number)) != link:
            where, found = f"{day} 的链头", f"表 {table.name} 第 {number} 行没有，或是另一行"
            faults.append(ChainFault(kept.sequence, "truncated", where, found, f"{link[:12]}…"))
    return faults


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, _Manifest]]:
    """Give a backup's archive and manifest; refuse what is no whole backup."""
    if not file.is_file():
        fault = Fault(str(file), "没有这个文件", "huanjie backup 写出的文件", "核对路径")
        raise UsageError("不能读取备份", [fault])
    allowed, remedy = "huanjie backup 写出的完整文件", "换用另一份备份；传送中断的，重新传送"
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            told = _Manifest.model_validate_json(archive.read(_MANIFEST))
        except (*_UNREADABLE, ValidationError, KeyError) as error:
            fault = Fault(str(file), "不完整，或不是备份文件", allowed, remedy)
            raise LedgerError(_NOT_WHOLE, [fault]) from error
        names = sorted(entry.filename for entry in archive.infolist())
        if names != sorted([*told.members, _MANIFEST]) or _LEDGER not in names:
            found = "内容与清单不符：有缺少、多出或重复的文件"
            raise LedgerError(_NOT_WHOLE, [Fault(str(file), found, allowed, remedy)])
        yield archive, told


def _unpack(
    archive: zipfile.ZipFile, name: str, wanted: _Member, folder: Path, *, lasting: bool
) -> Fault | None:
    """Write one member into a folder; return what is wrong with it."""
    place = folder / name
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(name) as member, place.open("xb") as out:
            while size <= wanted.bytes and (block := member.read(_BLOCK)):  # never more than was told
                digest.update(block)
                size += len(block)
                out.write(block)
            if lasting:
                out.flush()
                os.fsync(out.fileno())
    except _UNREADABLE:
        return Fault(f"备份中的 {name}", "读不出来", "备份时的内容", "换用另一份备份")
    if (digest.hexdigest(), size) != (wanted.sha256, wanted.bytes):
        return Fault(f"备份中的 {name}", "内容被改动", "备份时的内容", "换用另一份备份")
    return None


def _read(file: Path) -> Backup:
    with _opened(file) as (_, told):
        parts = [name.partition("/")[0] for name in told.members]
    return Backup(
        file,
        told.made_at,
        told.head,
        told.revision,
        parts.count(_EVIDENCE),
        parts.count(_HEADS),
        file.stat().st_size,
    )


# ---------------------------------------------------------------- restoring


def restore(file: Path, url: str | Path, *, evidence: Path | None = None, head: Head | None = None) -> Backup:
    """Restore a backup into a new place; nothing stands there before everything is checked.

    Parameters
    ----------
    file
        The backup.
    url
        Folder or file of a new SQLite ledger, or address of an empty PostgreSQL database, whose owner then
        grants what the accounts may do.
    evidence
        New folder for the evidence files of a ledger on PostgreSQL, with ``heads`` beside it; a SQLite ledger
        has both beside its file.
    head
        A head that was kept elsewhere.

    Returns
    -------
    Backup
        What was restored. Its tables have the revision they had.

    Raises
    ------
    UsageError
        If something stands in the new place already, or no place for the evidence is named.
    LedgerError
        If the backup is refused (:func:`check_backup`), or the new place cannot be written.
    """
    store = connect(url)
    with closing(store), _told(Path(store.where)):
        if not isinstance(store, SqliteStore):
            return _restore_server(file, store, evidence, head)
        if evidence is not None:
            fault = Fault("--evidence", str(evidence), "与台账放在一起", "去掉 --evidence")
            raise UsageError(_NOT_RESTORED, [fault])
        home = store.file.parent
        require_new_folder(home, refused=_NOT_RESTORED)
        made_private(home.parent)
        with _beside(home) as work:
            made = check_backup(file, work / "new", head=head, lasting=True)
            (work / "new" / _LEDGER).rename(work / "new" / store.file.name)
            if home.exists():
                home.rmdir()  # empty; where it is not, this fails and nothing is lost
            (work / "new").rename(home)
            flush_folder(home.parent)
    return made


def _restore_server(file: Path, store: Store, evidence: Path | None, head: Head | None) -> Backup:
    if evidence is None:
        fault = Fault("--evidence", "没有给出", "存放佐证材料的新文件夹", "补充 --evidence")
        raise UsageError(_NOT_RESTORED, [fault])
    places = {_EVIDENCE: evidence.absolute(), _HEADS: evidence.absolute().parent / _HEADS}
    for place in places.values():
        require_new_folder(place, refused=_NOT_RESTORED)
    made_private(evidence.absolute().parent)
    with _beside(evidence.absolute()) as work, ExitStack() as undo:
        made = check_backup(file, work / "new", head=head, lasting=True)
        source = undo.enter_context(closing(SqliteStore(work / "new" / _LEDGER)))
        with source.reading() as read, store.writing() as written:
            copy_tables(read, written)
            check_equal(read, written)
            if made.revision == schema.REVISION:
                refuse(_NOT_RESTORED, verify(written, EvidenceFolder(work / "new" / _EVIDENCE), made.head))
            for name, place in places.items():
                if (work / "new" / name).is_dir():
                    if place.exists():
                        place.rmdir()
                    (work / "new" / name).rename(place)
                    undo.callback(shutil.rmtree, place)
            flush_folder(evidence.absolute().parent)
        undo.pop_all()
        source.close()
    return made


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """Give a private folder on the disk of a place, which goes at the end."""
    with tempfile.TemporaryDirectory(prefix=".huanjie-", dir=place.parent) as work:
        yield Path(work)


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """Tell a full disk or a missing right as our errors are told."""
    try:
        yield
    except OSError as error:
        raise os_error("没有完成", str(error.filename or place), error) from error
