"""Carrying out what is due for deletion: a new data folder without it, after the access log has it.

The old folder stays as it is, for whoever answers to check and then to delete. Rows of people lie in tables
and in returns: ledgers that townships filed, and register forms, which only the keys can read. Whoever reads
returns is handed in (:class:`Returns`). A row that is gone may uncover another, such as an older one of the
same person; so the new folder is read again and again until nothing that is due comes out of it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from huanjie_lib.access.register_form import FORM_WORDS
from huanjie_lib.access.retention import ASKED, Due, due, of_person, without
from huanjie_lib.casework.events import Actor
from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.vocabulary import AccessAction

__all__ = ["Filed", "Kept", "Returns", "forms_in", "held_tables", "together", "write_kept"]

_PLACE = Path("tables")
_PASSES: Final = 20
_SOURCES: Final = ["source_file", "source_sheet", "source_row"]


@dataclass(frozen=True)
class Filed:
    """What the returns of a data folder give.

    Parameters
    ----------
    tables
        Rows about people that came from returns, by table, with the source columns.
    unjudged
        Number of rows of register forms that are refused, so that nobody can tell whose they are.
    others
        Number of rows of each table that is not about people.
    """

    tables: Mapping[str, pd.DataFrame]
    unjudged: int = 0
    others: Mapping[str, int] = field(default_factory=dict)


class Returns(Protocol):
    """Reads the returns of a data folder, and strikes rows out of them."""

    def rows(self, data: Path) -> Filed:
        """Return what the returns give."""

    def strike(self, data: Path, places: pd.DataFrame) -> None:
        """Empty rows, given by the source columns, in the folder itself."""


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
    struck
        Rows of returns that were emptied: the source columns, in their order.
    unjudged
        As :class:`Filed`, of the new folder.
    """

    folder: Path
    removed: Mapping[str, int]
    entries: int
    struck: pd.DataFrame
    unjudged: int = 0


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


def together(held: Mapping[str, pd.DataFrame], filed: Filed) -> dict[str, pd.DataFrame]:
    """Return the rows of tables, and behind them those of returns, as :func:`write_kept` counts them."""
    names = dict.fromkeys([*held, *filed.tables])
    parts = {n: [t[n] for t in (held, filed.tables) if n in t and len(t[n])] or [held[n]] for n in names}
    return {n: pd.concat(frames, ignore_index=True) for n, frames in parts.items()}


def write_kept(
    data: Path,
    out: Path,
    found: Due,
    *,
    ledger: Ledger,
    actor: Actor,
    reason: str,
    returns: Returns | None = None,
) -> Kept:
    """Write a data folder without what is due; the access log has each person and table before it stands.

    Parameters
    ----------
    data
        The data folder that ``found`` was drawn from; not changed.
    out
        New folder; must not be there yet.
    found
        What is due, of the tables or, where ``returns`` are given, of both :func:`together`.
    ledger, actor, reason
        Where it is logged, in whose name and why.
    returns
        Reads returns; without it what lies in them stays.

    Raises
    ------
    UsageError
        If ``out`` is there already or lies within the data, or nothing is due.
    DataError
        If a return cannot be written anew, or another row would be lost by it; nothing is written then.
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
    held = held_tables(data)
    filed = Filed({}) if returns is None else returns.rows(data)
    tables = together(held, filed)
    kept = without(held, found)
    removed = {name: len(held[name]) - len(kept[name]) for name in held}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".retention-", dir=out.parent) as folder:
        draft = Path(folder) / "data"
        shutil.copytree(data, draft)
        for name, count in removed.items():
            if count:
                _drop(draft / _PLACE / f"{name}.parquet", held[name], kept[name])
        struck = pd.DataFrame(columns=["table", *_SOURCES])
        if returns is not None:
            struck, filed = _strike(draft, found, filed, returns)
        entries = _entries(tables, found, reason, _digest(data))
        for entry in entries:
            ledger.log_access(entry, actor)
        draft.rename(out)
    counts = Counter(removed)
    counts.update(struck["table"])
    rows = struck[_SOURCES].drop_duplicates().sort_values(_SOURCES, ignore_index=True)
    return Kept(out, {n: c for n, c in counts.items() if c}, len(entries), rows, filed.unjudged)


def _strike(draft: Path, found: Due, filed: Filed, returns: Returns) -> tuple[pd.DataFrame, Filed]:
    """Strike what is due out of the returns of a folder until nothing of it is left; tell what was struck.

    Raises
    ------
    DataError
        If a row that is not due would go with it, or no end is reached.
    """
    whole = found.frame[found.frame["term"].isin(found.whole)]
    gone = set(whole["person_ref"])
    parts: list[pd.DataFrame] = []
    before = filed
    for _ in range(_PASSES):
        now = returns.rows(draft)
        _check_kept(before, now, pd.concat(parts) if parts else None)
        places = _places(now, found, gone)
        if places.empty:
            return pd.concat([pd.DataFrame(columns=["table", *_SOURCES]), *parts], ignore_index=True), now
        parts.append(places)
        returns.strike(draft, places[_SOURCES])
        before = now
    left = f"删了 {_PASSES} 次仍有到期的行"
    fault = Fault("报送表", left, "删去后不再出现", "核对报送表中是否有大量重复的行")
    raise DataError("没有写出新的数据文件夹", [fault])


def _places(filed: Filed, found: Due, gone: set[str]) -> pd.DataFrame:
    """Return where rows that are due stand in returns; ``gone`` are the people due as a whole, so far."""
    parts = []
    if set(found.frame["term"]) != {ASKED}:
        more = due(filed.tables, found.pack, as_of=found.as_of)
        whole = more.frame["term"].isin(more.whole)
        gone |= set(more.frame.loc[whole, "person_ref"])
        for name, rows in more.frame[~whole].groupby("table"):
            parts.append(filed.tables[str(name)].iloc[rows["row"]].assign(table=name))
    for ref in sorted(gone):
        for name, mine in of_person(filed.tables, ref).items():
            parts.append(filed.tables[name][mine.to_numpy()].assign(table=name))
    columns = ["table", *_SOURCES]
    kept = [p[columns].astype({"source_file": "str", "source_sheet": "str"}) for p in parts if len(p)]
    return pd.concat(kept, ignore_index=True).drop_duplicates() if kept else pd.DataFrame(columns=columns)


def _check_kept(before: Filed, now: Filed, struck: pd.DataFrame | None) -> None:
    """Refuse when writing a return anew has lost or changed anything but the struck rows."""
    faults = [
        Fault(f"“{TABLES[name].label}”", f"{now.others.get(name, 0)} 行", f"{count} 行", "报告给维护人员")
        for name, count in before.others.items()
        if now.others.get(name, 0) != count
    ]
    gone = set() if struck is None else set(struck[_SOURCES].itertuples(index=False, name=None))
    for name, frame in before.tables.items():
        left = {tuple(row) for row in _sources(now.tables.get(name))} | gone
        lost = [row for row in _sources(frame) if tuple(row) not in left]
        if lost:
            where = f"{lost[0][0]} 第 {lost[0][2]} 行等 {len(lost)} 行"
            faults.append(Fault(where, "改写后不见了", "只少去到期的行", "报告给维护人员"))
    if faults:
        raise DataError("没有写出新的数据文件夹：报送表改写后与原来不符", faults)


def _sources(frame: pd.DataFrame | None) -> list[tuple[str, str, int]]:
    if frame is None or frame.empty:
        return []
    return [(str(f), str(s), int(r)) for f, s, r in frame[_SOURCES].itertuples(index=False)]


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
