"""Heads of the ledger, one file a day: kept elsewhere, they show that nothing was cut off or rewritten."""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
from pathlib import Path
from typing import Final

import filelock

from huanjie_lib.casework.events import Head
from huanjie_lib.errors import Fault, LedgerError, UsageError
from huanjie_lib.store.engine import SqliteStore, connect
from huanjie_lib.store.evidence import flush_folder, made_private
from huanjie_lib.store.ledger import Ledger

__all__ = ["heads_beside", "newest_head", "read_head", "write_head"]

_NAME: Final = re.compile(r"\d{4}-\d\d-\d\d\.json")


def write_head(ledger: Ledger, folder: Path, day: dt.date) -> Path:
    """Keep the end of a ledger as that of a day; the file is there as a whole or not at all.

    Parameters
    ----------
    ledger
        The ledger.
    folder
        Folder of the heads, made where there is none.
    day
        The day; a head kept for it is replaced by one that is further on.

    Raises
    ------
    LedgerError
        If the ledger ends before the newest head kept, or holds another event there; that head stays.

    Examples
    --------
    >>> import tempfile
    >>> from huanjie_lib.store.ledger import open_ledger
    >>> with tempfile.TemporaryDirectory() as place, open_ledger(place, create=True) as ledger:
    ...     path = write_head(ledger, Path(place) / "heads", dt.date(2026, 11, 2))
    ...     print(path.name, read_head(path).sequence)
    2026-11-02.json 0
    """
    made_private(folder)
    with filelock.FileLock(folder / ".lock", mode=0o600):
        newest = newest_head(folder)
        kept = Head() if newest is None else read_head(newest)
        head = ledger.head()  # read after the kept one, so that it cannot lawfully be behind
        _check_not_behind(head, kept, folder)
        place = folder / f"{day.isoformat()}.json"
        handle, draft = tempfile.mkstemp(suffix=".part", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(head.to_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(place)
            flush_folder(folder)
        finally:
            Path(draft).unlink(missing_ok=True)
    return place


def _check_not_behind(head: Head, kept: Head, folder: Path) -> None:
    events = ("事件", head.sequence, head.hash, kept.sequence, kept.hash)
    runs = ("评估", head.runs, head.runs_hash, kept.runs, kept.runs_hash)
    decisions = ("决定", head.decisions, head.decisions_hash, kept.decisions, kept.decisions_hash)
    access = ("查阅记录", head.access, head.access_hash, kept.access, kept.access_hash)
    requests = ("申请记录", head.requests, head.requests_hash, kept.requests, kept.requests_hash)
    remedy = "停止登记，保留现场，用 huanjie check --ledger 核对"
    faults = [
        Fault(
            str(folder),
            f"台账止于{what} {number}（{link[:12]}…）",
            f"{what} {least}（{known[:12]}…）或更后",
            remedy,
        )
        for what, number, link, least, known in (events, runs, decisions, access, requests)
        if number < least or (number == least and link != known)
    ]
    if faults:
        raise LedgerError("台账与留存的链头不符", faults)


def heads_beside(store: str | Path) -> Path | None:
    """Return the folder of the heads that the writer keeps beside a SQLite ledger; none beside a server's.

    Examples
    --------
    >>> heads_beside("/srv/store").as_posix(), heads_beside("postgresql://db/huanjie")
    ('/srv/store/heads', None)
    """
    place = connect(store)
    return place.file.parent / "heads" if isinstance(place, SqliteStore) else None


def newest_head(folder: Path) -> Path | None:
    """Return the file of the last day for which a head was kept, or ``None``."""
    return max((path for path in folder.glob("*.json") if _NAME.fullmatch(path.name)), default=None)


def read_head(path: Path) -> Head:
    """Read a kept head.

    Raises
    ------
    UsageError
        If there is no such file, or it is no head.
    """
    try:
        return Head.from_json(path.read_bytes())
    except FileNotFoundError:
        found = "没有这个文件"
    except ValueError:
        found = "不能识别的内容"
    fault = Fault(str(path), found, "huanjie store head 写出的链头文件", "改正 --head 后面的路径")
    raise UsageError("不能读取链头", [fault])
