"""Where a person still stands, by pseudonym, and what is to be done about each place.

A request for deletion reaches further than the tables of a data folder: what was computed, the ledger, its
backups and the files that were handed out hold the pseudonym too. A Parquet table, a text, a workbook or a
document is searched as a whole; a ledger through its own tables, a backup through the ledger in it. Names are
not looked for: they lie sealed, or on register forms, which ``huanjie retention --key`` strikes out.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from huanjie_lib.access.keys import PSEUDONYM
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.store.backup import restore
from huanjie_lib.store.ledger import Ledger, open_ledger, upgrade_ledger
from huanjie_lib.vocabulary import AccessAction

__all__ = ["REMEDIES", "Trace", "in_backup", "in_folder", "in_ledger"]

REMEDIES: Final = {
    "data": "用 huanjie retention --person --apply 写出去掉本人的新数据文件夹，核对后删除旧的",
    "talent": "用新的数据文件夹重新匹配，再删除整个人才文件夹",
    "run": "用新的数据文件夹重新评估，再删除整个评估文件夹",
    "folder": "核对后删除或销毁这个文件",
    "ledger": "只增不改的记录，按规定留存，只有代号；身份信息删除后不能由它认出本人",
    "handed_out": "找到领取人，收回并销毁这份文件；可能没有本人，按摘要核对",
    "backup": "从新的台账和数据另做备份，核对后销毁这份备份；其中的记录与台账相同，只有代号",
}
"""What is to be done, by kind of place."""

Recognise = Callable[[Iterable[str]], Collection[str]]
"""Returns those of many pseudonyms by which one person went earlier."""

_ANY: Final = re.compile(PSEUDONYM)
_ZIPPED: Final = frozenset({".xlsx", ".xlsm", ".docx", ".pptx", ".zip"})


@dataclass(frozen=True)
class Trace:
    """One place in which a person stands.

    Parameters
    ----------
    kind
        A key of :data:`REMEDIES`.
    place
        File or table, in words of the program.
    times
        Number of rows; of a file that is no table, how often the pseudonym stands in it.
    """

    kind: str
    place: str
    times: int

    @property
    def remedy(self) -> str:
        """What is to be done about it."""
        return REMEDIES[self.kind]


def in_folder(folder: Path, ref: str, *, kind: str) -> list[Trace]:
    """Return the files of a folder in which a pseudonym stands.

    Parameters
    ----------
    folder
        Folder of data, of a run, of a talent run, or any other.
    ref
        Pseudonym.
    kind
        A key of :data:`REMEDIES`.

    Raises
    ------
    DataError
        If the folder is not there, or a file cannot be read: what was not searched is not said to be clean.
    """
    if not folder.is_dir():
        fault = Fault(str(folder), "不是文件夹", "已有的文件夹", "检查路径")
        raise DataError("不能查找", [fault])
    found, faults = [], []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        place = f"{folder.name}/{file.relative_to(folder).as_posix()}"
        try:
            times = _rows(file, ref) if file.suffix == ".parquet" else _times(file, ref)
        except (OSError, pa.ArrowInvalid, zipfile.BadZipFile, RuntimeError) as error:
            faults.append(
                Fault(place, f"读不了：{type(error).__name__}", "可以读取的文件", "修复或移走后重试")
            )
            continue
        if times:
            found.append(Trace(kind, place, times))
    if faults:
        raise DataError("有文件没有查找到", faults)
    return found


def _rows(file: Path, ref: str) -> int:
    """Return in how many rows of a table a pseudonym stands, in a cell or within its text."""
    table = pq.ParquetFile(file)
    texts = [f.name for f in table.schema_arrow if pa.types.is_string(_plain(f.type))]
    total = 0
    for batch in table.iter_batches(columns=texts):
        told = pa.array([False] * batch.num_rows)
        for column in batch.columns:
            text = column.cast(pa.string())
            told = pc.or_(told, pc.fill_null(pc.match_substring(text, ref), False))
        total += pc.sum(told).as_py() or 0
    return total


def _plain(kind: pa.DataType) -> pa.DataType:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if pa.types.is_large_string(inner) else inner


def _times(file: Path, ref: str) -> int:
    """Return how often a pseudonym stands in a file, UTF-8 or UTF-16, unpacked where it is packed."""
    if file.suffix.lower() in _ZIPPED:
        with zipfile.ZipFile(file) as archive:
            return sum(archive.read(entry).count(ref.encode()) for entry in archive.infolist())
    content = file.read_bytes()
    return content.count(ref.encode()) + content.count(ref.encode("utf-16-le"))


def in_ledger(
    ledger: Ledger, ref: str, *, kind: str = "ledger", recognise: Recognise | None = None
) -> list[Trace]:
    """Return what a ledger holds of a person, and which files with people in them were handed out.

    Parameters
    ----------
    ledger
        The ledger.
    ref
        Pseudonym.
    kind
        A key of :data:`REMEDIES`.
    recognise
        Returns those of many pseudonyms by which the person went earlier
        (:meth:`huanjie_lib.access.keys.KeyRing.recognised`); none by default.
    """
    with ledger.snapshot() as moment:
        log = moment.access_log()
        frames = {
            "组织决定": moment.decisions(),
            "查阅日志": log,
            "个人申请": moment.requests(),
            "案件事件": moment.events(),
        }
    met = {one for frame in frames.values() for text in _texts(frame) for one in _ANY.findall(text)}
    wanted = [ref, *sorted(recognise(met) if recognise else ())]
    pattern = "|".join(map(re.escape, wanted))
    found = []
    for name, frame in frames.items():
        told = pd.Series(data=False, index=frame.index)
        for column in frame.select_dtypes(["object", "str"]):
            told |= frame[column].astype("str").str.contains(pattern)
        if told.any():
            found.append(Trace(kind, name, int(told.sum())))
    handed = (log["action"] == AccessAction.EXPORT.value) & log["purpose"].isin(["talent", "casework"])
    files = log[handed & log["subject"].str.endswith(".xlsx")]
    for row in files.to_dict("records") if kind == "ledger" else ():
        who = f"{row['office']} {row['account']}".strip()
        place = f"{row['subject']}，{row['recorded_at'][:10]} 由 {who} 导出，摘要 {row['digest'][:12]}"
        found.append(Trace("handed_out", place, 1))
    return found


def _texts(frame: pd.DataFrame) -> Iterator[str]:
    for column in frame.select_dtypes(["object", "str"]):
        yield from frame[column].dropna().astype("str").unique()


def in_backup(file: Path, ref: str, *, recognise: Recognise | None = None) -> list[Trace]:
    """Return what the ledger in a backup holds of a person; for that it is restored, and thrown away.

    Raises
    ------
    LedgerError
        If it is no backup, or damaged.
    """
    with tempfile.TemporaryDirectory(prefix="huanjie-backup-") as folder:
        store = Path(folder) / "store"
        restore(file, store)
        upgrade_ledger(store)
        with open_ledger(store, read_only=True) as ledger:
            found = in_ledger(ledger, ref, kind="backup", recognise=recognise)
    return [Trace(one.kind, f"备份 {file.name} 的{one.place}", one.times) for one in found]
