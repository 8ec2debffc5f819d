"""Connections to the ledger: SQLite embedded, PostgreSQL by URL, with the same two ways in.

``reading()`` gives one consistent moment that cannot write; ``writing()`` gives the one transaction that may
write at a time. What goes wrong below is told as a named :class:`~huanjie_lib.errors.LedgerError`.

SQLite: a library of at least 3.51.3 (those before can corrupt a file when connections write and checkpoint at
once), write-ahead log, ``synchronous=FULL`` (less loses acknowledged commits at a power cut), a file lock
before ``BEGIN IMMEDIATE`` (SQLite's own waiting is unfair and slow), readers with ``mode=ro`` and
``query_only``. A forked child opens connections of its own and leaves its parent's alone.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import filelock
import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from huanjie_lib.errors import (
    Fault,
    LedgerBusyError,
    LedgerError,
    LedgerFullError,
    LedgerVersionError,
    UsageError,
)
from huanjie_lib.store.evidence import flush_folder, made_private

__all__ = [
    "LEAST_SQLITE",
    "POSTGRES_LOCK",
    "PostgresStore",
    "SqliteStore",
    "Store",
    "check_sqlite",
    "connect",
]

LEAST_SQLITE: Final = (3, 51, 3)
"""Oldest SQLite that may write a ledger."""
POSTGRES_LOCK: Final = 0x6875616E6A6965
"""Key of the advisory lock that writers of a PostgreSQL ledger take: ``huanjie`` in ASCII."""
FILE_NAME: Final = "ledger.sqlite3"
_POLL: Final = 0.004
"""Seconds between two tries for the file lock."""

Purpose = Literal["read", "write"]

logger = logging.getLogger(__name__)

#: Connections of a parent process: kept so that a child never closes what its parent still uses.
_INHERITED: list[dict[Purpose, sa.Engine]] = []

#: Held while this process writes to a SQLite ledger, and by whoever forks: no child starts within a write.
_WRITING = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_WRITING.acquire,
        after_in_parent=_WRITING.release,
        after_in_child=_WRITING.release,
    )


class Store(ABC):
    """A database that holds a ledger.

    Parameters
    ----------
    read_only
        Whether :meth:`writing` is refused.
    timeout
        Seconds to wait for another writer.
    """

    dialect: str
    where: str
    """Place in words, without any password."""

    def __init__(self, *, read_only: bool, timeout: float) -> None:
        self.read_only = read_only
        self.timeout = timeout
        self._pid = os.getpid()
        self._engines: dict[Purpose, sa.Engine] = {}
        self._making = threading.Lock()

    def __repr__(self) -> str:
        """Return the place."""
        return f"{type(self).__name__}({self.where!r})"

    def engine(self, purpose: Purpose) -> sa.Engine:
        """Return the engine of this process, made when first asked for."""
        if self._pid != os.getpid():
            _INHERITED.append(self._engines)
            self._engines, self._pid, self._making = {}, os.getpid(), threading.Lock()
        with self._making:
            if purpose not in self._engines:
                self._engines[purpose] = self._make(purpose)
            return self._engines[purpose]

    @abstractmethod
    def _make(self, purpose: Purpose) -> sa.Engine: ...

    @abstractmethod
    def create(self) -> None:
        """Make the database where this program can; nothing happens where it exists."""

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one moment of the ledger and cannot write.

        Raises
        ------
        LedgerError
            If the ledger cannot be read.
        """
        with self._told("read"), self.engine("read").connect() as connection:
            transaction = connection.begin()
            try:
                connection.exec_driver_sql(self._first_read)
                yield connection
            finally:
                transaction.rollback()  # there is nothing to commit, and a damaged file refuses to

    _first_read: str
    """A statement that fixes what a transaction sees from then on."""

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give the connection that alone may write; it commits at the end, or changes nothing.

        Raises
        ------
        LedgerBusyError
            If another writer does not end in time.
        LedgerError
            If the ledger cannot be written, or was opened for reading only.
        """
        if self.read_only:
            fault = Fault(self.where, "只读打开", "登记服务打开的台账", "通过登记服务操作")
            raise LedgerError("不能登记", [fault])
        with self._told("write"), self._alone():
            yield from self._begun()

    def _begun(self) -> Iterator[sa.Connection]:
        with self.engine("write").connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _alone(self) -> Iterator[None]:
        yield

    def hold(self, connection: sa.Connection) -> None:
        """Keep every other writer out until the transaction ends; SQLite does so from its beginning."""
        del connection

    @contextmanager
    def _told(self, purpose: Purpose) -> Iterator[None]:
        """Tell the database's errors as ours; anything else is a defect and goes on as it is."""
        try:
            yield
        except DBAPIError as error:
            told = self._tell(error)
            if told is None:
                raise
            raise told from error
        except OSError as error:
            summary = "不能登记" if purpose == "write" else "不能读取案件台账"
            raise os_error(summary, self.where, error) from error

    @abstractmethod
    def _tell(self, error: DBAPIError) -> LedgerError | None: ...

    def close(self) -> None:
        """Close the connections of this process; the writer's last, since a reader cannot fold the log."""
        if self._pid == os.getpid():
            for purpose in sorted(self._engines):
                self._engines.pop(purpose).dispose()


def os_error(summary: str, where: str, error: OSError) -> LedgerError:
    """Return an error of the file system with its remedy."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        fault = Fault(where, "磁盘已满", "有足够空间的磁盘", "清理磁盘后重试；已登记的内容不受影响")
        return LedgerFullError(summary, [fault])
    found = error.strerror or str(error)
    return LedgerError(summary, [Fault(where, found, "可以读写的文件夹", "检查文件夹权限和磁盘")])


# ---------------------------------------------------------------- SQLite


def check_sqlite(version: tuple[int, ...] = sqlite.sqlite_version_info) -> None:
    """Refuse a SQLite library that is too old.

    Raises
    ------
    LedgerVersionError

    Examples
    --------
    >>> check_sqlite((3, 46, 1))
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.LedgerVersionError: SQLite 版本过低，不能打开案件台账（共 1 处问题）
      1. SQLite：发现“3.46.1”；应为：3.51.3 或更高；处理办法：运行 make setup 重新安装锁定的 pysqlite3。
    """
    if tuple(version) < LEAST_SQLITE:
        found, least = (".".join(map(str, v)) for v in (version, LEAST_SQLITE))
        remedy = "运行 make setup 重新安装锁定的 pysqlite3"
        fault = Fault("SQLite", found, f"{least} 或更高", remedy)
        raise LedgerVersionError("SQLite 版本过低，不能打开案件台账", [fault])


class SqliteStore(Store):
    """A ledger in one file, with its lock beside it.

    Parameters
    ----------
    file
        Database file.
    """

    dialect = "sqlite"
    _first_read = "SELECT count(*) FROM sqlite_master"

    def __init__(self, file: Path, *, read_only: bool = False, timeout: float = 10.0) -> None:
        check_sqlite()
        super().__init__(read_only=read_only, timeout=timeout)
        self.file = file.absolute()
        self.where = str(self.file)
        self.lock = self.file.with_name(f"{self.file.name}.lock")

    def create(self) -> None:
        """Make folder and file for the owner alone, and let their names stand on the disk."""
        try:
            made_private(self.file.parent)
            if not self.file.exists():
                os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
                flush_folder(self.file.parent)
        except OSError as error:
            raise os_error("不能建立案件台账", self.where, error) from error

    def _make(self, purpose: Purpose) -> sa.Engine:
        # One writer at a time, whose connection stays open: the last to close would fold the log each time.
        pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if purpose == "write" else {}
        engine = sa.create_engine(
            "sqlite+pysqlite://",
            module=sqlite,
            creator=lambda: self._connect(purpose),
            poolclass=sa.QueuePool,
            pool_reset_on_return="rollback",
            **pool,
        )
        begin = "BEGIN IMMEDIATE" if purpose == "write" else "BEGIN"

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def _connect(self, purpose: Purpose) -> Any:
        """Open the file as it must be opened; the settings hold for the life of the connection."""
        mode = "rw" if purpose == "write" else "ro"
        connection = sqlite.connect(
            f"{self.file.as_uri()}?mode={mode}",
            uri=True,
            timeout=self.timeout,
            isolation_level=None,  # transactions begin and end where this module says
            check_same_thread=False,  # the pool hands a connection to one thread at a time
        )
        if purpose == "read":
            connection.execute("PRAGMA query_only=ON")
        else:
            (journal,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if journal != "wal":
                raise LedgerError("不能打开案件台账", [_no_wal(self.where, journal)])
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone does not reach the disk there
            connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection

    def copy_pages(self, connection: sa.Connection, file: Path) -> None:
        """Copy the moment that a connection of this store sees into another file, page by page.

        Nobody who writes meanwhile is kept waiting, and nothing of what is written then gets into the copy.
        """
        driver = connection.connection.dbapi_connection
        assert driver is not None
        try:
            with closing(sqlite.connect(str(file))) as copy:
                driver.backup(copy)
        except sqlite.Error as error:
            told = self._tell(DBAPIError("backup", None, error))
            if told is None:
                raise
            raise told from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not _WRITING.acquire(timeout=self.timeout):
            raise self._busy()
        try:
            lock = filelock.FileLock(self.lock, timeout=self.timeout, mode=0o600, poll_interval=_POLL)
            try:
                lock.acquire()
            except filelock.Timeout as error:
                raise self._busy() from error
            try:
                yield
            finally:
                lock.release()
        finally:
            _WRITING.release()

    def _busy(self) -> LedgerBusyError:
        remedy = (
            "等另一个操作（huanjie publish、run --store、登记服务或备份软件）结束后重试；"
            f"一直如此时，用任务管理器或 lsof 查出占用 {self.lock.name} 的程序并结束它"
        )
        fault = Fault(self.where, f"{self.timeout:g} 秒内一直被其他程序占用", "空闲的台账", remedy)
        return LedgerBusyError("不能登记：案件台账正忙", [fault])

    def _tell(self, error: DBAPIError) -> LedgerError | None:
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        match code & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return self._busy()
            case sqlite3.SQLITE_FULL:
                return os_error("不能登记", self.where, OSError(errno.ENOSPC, ""))
            case sqlite3.SQLITE_IOERR:
                remedy = "检查磁盘和空间；本次操作请重试，同一操作不会登记两次"
                found, allowed = f"磁盘读写失败（{error.orig}）", "正常的磁盘"
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
                found, allowed, remedy = "不能写入", "可以写入的文件", "检查文件和文件夹的权限"
            case sqlite3.SQLITE_CANTOPEN:
                found, allowed = "不能打开", "已建好的台账"
                remedy = "检查 --store 的位置和权限；新建台账请运行 huanjie store init --store …"
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                found, allowed = "文件已损坏或不是台账", "完好的台账"
                remedy = "停止登记，保留现场，从最近的备份恢复后用 huanjie check --ledger 核对"
            case sqlite3.SQLITE_CONSTRAINT:
                found, allowed = f"登记被台账的规则拒绝（{error.orig}）", "符合规则的登记"
                remedy = "运行 huanjie check --ledger 核对台账"
            case _:
                return None
        return LedgerError("不能读写案件台账", [Fault(self.where, found, allowed, remedy)])


def _no_wal(where: str, journal: object) -> Fault:
    remedy = "把台账放在本机磁盘上，不要放在网络盘或同步盘里"
    return Fault(where, f"日志方式 {journal}", "预写日志（WAL）", remedy)


# ---------------------------------------------------------------- PostgreSQL


class PostgresStore(Store):
    """A ledger in a PostgreSQL database; the database itself is made by its administrator.

    Parameters
    ----------
    url
        ``postgresql+psycopg://…``.
    """

    dialect = "postgresql"
    _first_read = "SELECT 1"

    def __init__(self, url: sa.URL, *, read_only: bool = False, timeout: float = 10.0) -> None:
        super().__init__(read_only=read_only, timeout=timeout)
        self.url = url
        self.where = url.render_as_string(hide_password=True)
        self.place = f"数据库 {url.database or ''}"

    def create(self) -> None:
        """Do nothing: a server's databases are its administrator's."""

    def _make(self, purpose: Purpose) -> sa.Engine:
        if purpose == "write":
            return sa.create_engine(self.url, pool_size=1, max_overflow=4, pool_pre_ping=True)
        engine = sa.create_engine(self.url, isolation_level="REPEATABLE READ", pool_pre_ping=True)

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

        return engine

    def _begun(self) -> Iterator[sa.Connection]:
        with self.engine("write").connect() as connection, connection.begin():
            wait = f"{max(1, round(self.timeout * 1000))}ms"
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{wait}'")
            connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            yield connection

    def hold(self, connection: sa.Connection) -> None:
        """Take the lock that ``huanjie_append`` takes."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({POSTGRES_LOCK})")

    def _tell(self, error: DBAPIError) -> LedgerError | None:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state in {"55P03", "57014", "40001", "40P01"}:
            remedy = "稍后重试；一直如此时，请数据库管理员查看 pg_locks"
            fault = Fault(self.where, f"{self.timeout:g} 秒内一直被占用", "空闲的台账", remedy)
            return LedgerBusyError("不能登记：案件台账正忙", [fault])
        if state == "53100":
            remedy = "请数据库管理员清理磁盘后重试；已登记的内容不受影响"
            return LedgerFullError("不能登记", [Fault(self.where, "磁盘已满", "有足够空间的磁盘", remedy)])
        found = str(error.orig).strip().partition("\n")[0]
        if error.connection_invalidated or state[:2] in {"08", "28", "3D", "53", "57"} or not state:
            logger.warning("%s：%s", self.where, found)  # for the administrator, whom the remedy names
            remedy = "稍后重试，同一操作不会登记两次；一直如此时，请管理员检查数据库、地址、账号口令和网络"
            found = "没有应答，或拒绝了连接"
            return LedgerError("连不上案件台账", [Fault(self.place, found, "可以连接的数据库", remedy)])
        if state in {"25006", "42501"}:
            remedy = "请数据库管理员授权"
            return LedgerError("不能读写案件台账", [Fault(self.where, found, "有权限的账号", remedy)])
        if state[:2] in {"23", "P0"}:
            remedy = "运行 huanjie check --ledger 核对台账"
            fault = Fault(self.where, f"登记被台账的规则拒绝（{found}）", "符合规则的登记", remedy)
            return LedgerError("不能读写案件台账", [fault])
        return None


# ---------------------------------------------------------------- by URL


def connect(url: str | Path, *, read_only: bool = False, timeout: float = 10.0) -> Store:
    """Return the store that a path or URL names; nothing is opened yet.

    Parameters
    ----------
    url
        A folder (the ledger is ``ledger.sqlite3`` in it), a file ending in ``.sqlite3``, ``.sqlite`` or
        ``.db``, ``sqlite:///`` with either, or ``postgresql+psycopg://…``.

    Raises
    ------
    UsageError
        If the URL names another kind of database.

    Examples
    --------
    >>> connect("store").where.endswith("store/ledger.sqlite3"), connect("sqlite:////srv/a.db").where
    (True, '/srv/a.db')
    >>> connect("postgresql+psycopg://office:secret@db/huanjie").where
    'postgresql+psycopg://office:***@db/huanjie'
    """
    text = str(url)
    if isinstance(url, Path) or "://" not in text:
        return SqliteStore(_file(Path(url)), read_only=read_only, timeout=timeout)
    try:
        parsed = sa.make_url(text)
    except SQLAlchemyError:
        parsed = sa.URL.create(text.partition(":")[0])
    if parsed.drivername == "sqlite" and parsed.database:
        return SqliteStore(_file(Path(parsed.database)), read_only=read_only, timeout=timeout)
    if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
        return PostgresStore(parsed, read_only=read_only, timeout=timeout)
    allowed = "文件夹路径、sqlite:///路径 或 postgresql+psycopg://…"
    raise UsageError(
        "不能识别台账位置",
        [Fault("--store", parsed.render_as_string(hide_password=True), allowed, "改正 --store")],
    )


def _file(path: Path) -> Path:
    return path if path.suffix in {".db", ".sqlite", ".sqlite3"} and not path.is_dir() else path / FILE_NAME
