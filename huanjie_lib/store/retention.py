"""Carrying out what is due for deletion: a new data folder without it, after the access log has it.

The old folder stays as it is, for whoever answers to check and then to delete. What lies in returns is never
changed: rows of people on register forms have to be struck out of the forms, and the files are named.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from huanjie_lib.access.register_form import FORM_WORDS
from huanjie_lib.access.retention import Due, of_person, without
from huanjie_lib.casework.events import Actor
from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.vocabulary import AccessAction

__all__ = ["Kept", "forms_in", "held_tables", "write_kept"]

_PLACE = Path("tables")


@dataclass(frozen=True)
class Kept:
    """What was written.

    Parameters
    ----------
    folder
        The new data folder.
    removed
        Number of rows removed, by table.
    entries
        Number of entries of the access log.
    """

    folder: Path
    removed: Mapping[str, int]
    entries: int


def held_tables(data: Path) -> dict[str, pd.DataFrame]:
    """Read the tables about people of a data folder, by name; those that are not there are left out.

    Raises
    ------
    DataError
        If the folder has no tables, or one of them cannot be read or lacks columns.
    """
    if not (data / _PLACE).is_dir():
        fault = Fault(str(data), "没有 tables 文件夹", "数据文件夹", "检查 --data 后面的路径")
        raise DataError("不能读取数据文件夹", [fault])
    found = {}
    for table in TABLES.values():
        file = data / _PLACE / f"{table.name}.parquet"
        if not table.personal or not file.exists():
            continue
        try:
            frame = pd.read_parquet(file)
        except (OSError, pa.ArrowInvalid) as error:
            fault = Fault(f"tables/{file.name}", "不能读取", "Parquet 文件", "从备份恢复该文件")
            raise DataError("不能读取数据文件夹", [fault]) from error
        missing = [column.name for column in table.columns if column.name not in frame]
        if missing:
            fault = Fault(f"tables/{file.name}", "缺少列", "、".join(missing), "用 huanjie check --data 检查")
            raise DataError("不能读取数据文件夹", [fault])
        found[table.name] = frame
    return found


def forms_in(data: Path) -> list[str]:
    """Return the files among the returns that are register forms by their names, relative to the folder."""
    files = sorted(path for path in (data / "returns").rglob("*") if path.is_file())
    return [path.relative_to(data).as_posix() for path in files if any(w in path.name for w in FORM_WORDS)]


def write_kept(data: Path, out: Path, found: Due, *, ledger: Ledger, actor: Actor, reason: str) -> Kept:
    """Write a data folder without what is due; the access log has each person and table before it stands.

    Parameters
    ----------
    data
        The data folder that ``found`` was drawn from; not changed.
    out
        New folder; must not be there yet.
    found
        What is due.
    ledger, actor, reason
        Where it is logged, in whose name and why.

    Raises
    ------
    UsageError
        If ``out`` is there already or lies within the data, or nothing is due.
    TransitionError
        If the reason does not do; nothing is written then.
    """
    faults = []
    if out.exists():
        faults.append(Fault("--out", str(out), "还没有的文件夹", "换一个文件夹"))
    if out.resolve().is_relative_to(data.resolve()):
        faults.append(Fault("--out", str(out), "数据文件夹以外的文件夹", "换一个文件夹"))
    if found.frame.empty:
        faults.append(Fault("到期的数据", "没有", "至少一条", "不用处理"))
    if faults:
        raise UsageError("没有写出新的数据文件夹", faults)
    tables = held_tables(data)
    kept = without(tables, found)
    removed = {name: len(tables[name]) - len(kept[name]) for name in tables}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".retention-", dir=out.parent) as folder:
        draft = Path(folder) / "data"
        shutil.copytree(data, draft)
        for name, count in removed.items():
            if count:
                _drop(draft / _PLACE / f"{name}.parquet", tables[name], kept[name])
        entries = _entries(tables, found, reason, _digest(data))
        for entry in entries:
            ledger.log_access(entry, actor)
        draft.rename(out)
    return Kept(out, {name: count for name, count in removed.items() if count}, len(entries))


def _drop(file: Path, before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Write a table again without the rows that are gone, its schema as it was."""
    schema = pq.read_schema(file)
    table = pa.Table.from_pandas(after, schema=schema, preserve_index=False)
    assert len(before) > table.num_rows
    pq.write_table(table, file, compression="zstd")


def _digest(data: Path) -> str:
    """Return a digest of the tables about people, so that the same deletion has the same entries."""
    total = hashlib.sha256()
    for file in sorted((data / _PLACE).glob("*.parquet")):
        total.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _entries(tables: Mapping[str, pd.DataFrame], found: Due, reason: str, digest: str) -> list[AccessEntry]:
    """Return an entry for each person and term, saying how many rows go."""
    told = []
    for (term, label, table, ref), rows in found.frame.groupby(
        ["term", "label", "table", "person_ref"], sort=True
    ):
        count = len(rows)
        if term in found.whole:
            count = sum(int(mine.sum()) for mine in of_person(tables, str(ref)).values())
        key = hashlib.sha256(f"{digest}\x1f{term}\x1f{ref}\x1f{found.as_of}".encode()).hexdigest()[:32]
        told.append(
            AccessEntry(
                entry_id=key,
                action=AccessAction.DELETE,
                purpose=TABLES[str(table)].purpose,
                subject=str(ref),
                detail=f"{label}，截至{found.as_of.isoformat()}",
                digest=digest,
                items=count,
                reason=reason,
            )
        )
    return told
