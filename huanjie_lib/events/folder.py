"""Event streams into a data folder: where its units come from, and where facts and leads go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from huanjie_lib.contracts import DTYPES, table
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.events.aggregate import (
    LEADS,
    MONTHS,
    QUARANTINE,
    EventAccount,
    Register,
    aggregate_events,
    counties,
    discard,
    facts_of,
    leads_of,
    read_part,
    scratch_beside,
)
from huanjie_lib.events.engines import open_engine
from huanjie_lib.events.settings import EventSettings, read_settings
from huanjie_lib.intake.checks import Context, check, to_pandas
from huanjie_lib.intake.crosswalk import recoding
from huanjie_lib.intake.files import TABLE_SUFFIXES, check_kind, read_table
from huanjie_lib.intake.headings import table_names
from huanjie_lib.intake.report import Issue, IssueLevel, write_csv
from huanjie_lib.intake.sandbox import Job, read_apart

__all__ = ["EventFiles", "load_events", "read_register"]

FACTS_FILE: Final = "facts.events.parquet"
LEADS_FILE: Final = "leads.events.parquet"
MONTHS_FILE: Final = "months.parquet"
ACCOUNT_FILE: Final = "account.csv"
_FAULTS_LISTED: Final = 20


@dataclass(frozen=True)
class EventFiles:
    """What was written, and the account of the rows."""

    account: EventAccount
    files: tuple[Path, ...]
    facts: int
    leads: int

    def __repr__(self) -> str:
        """Return rows of facts and leads, and the account."""
        return f"EventFiles(facts={self.facts}, leads={self.leads}, {self.account!r})"


def read_register(data: Path) -> Register:
    """Read the list of units and the confirmed changes of code of a data folder.

    Raises
    ------
    UsageError
        If the folder has no list of units.
    DataError
        If a file cannot be read or a row of the list is faulty.
    """
    folders = [path for _, path in counties(data)] or [data]
    parts = [part for folder in folders for part in _tables(folder, "units")]
    units = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if units.empty:
        fault = Fault(
            str(data), "没有村（社区）名录", "tables/units.parquet 或 units.csv", "放入村（社区）名录"
        )
        raise UsageError("没有村（社区）名录，事件无从归属", [fault])
    twice = units["unit_code"][units["unit_code"].duplicated()].unique()[:_FAULTS_LISTED]
    if len(twice):
        faults = [Fault("units", str(code), "每个代码只出现一次", "删除重复的行") for code in twice]
        raise DataError("村（社区）名录中代码重复", faults)
    names = dict(zip(units["unit_code"], units["unit_name"], strict=True))
    changes = [c for folder in {data, *folders} for c in _tables(folder, "crosswalk")]
    if not changes:
        return Register(units, {}, frozenset())
    found = recoding(pl.from_pandas(pd.concat(changes, ignore_index=True)), names)
    return Register(units, found.codes, frozenset(found.doubtful))


def _tables(folder: Path, name: str) -> Iterator[pd.DataFrame]:
    inner = folder / "tables"
    root = inner if inner.is_dir() else folder
    for path in sorted(p for p in root.glob(f"{name}.*") if p.suffix.lower() in TABLE_SUFFIXES):
        yield read_apart(Job(path.name, partial(_load, path, name)))


def _load(path: Path, name: str) -> pd.DataFrame:
    """Read a table whose rows must all be good; runs in the worker."""
    check_kind(path, path.name)
    contract = table(name)
    batch, _ = read_table(path, path.name, contract, table_names(contract, frozenset()))
    found = check(contract, [batch], Context({}))
    refused = [line for part in found.issues for line in part.iter_rows(named=True)]
    refused = [line for line in refused if line["severity"] == IssueLevel.ERROR.value]
    if refused:
        faults = [
            Issue(**{**line, "severity": IssueLevel.ERROR}).fault() for line in refused[:_FAULTS_LISTED]
        ]
        raise DataError(f"{path.name} 不能使用", faults)
    return to_pandas(found.rows, contract)


def load_events(events: Path, data: Path, *, engine: str | None = None) -> EventFiles:
    """Aggregate a folder of event streams into the tables of a data folder.

    Parameters
    ----------
    events
        Folder with ``events.yaml`` and one folder of Parquet files a stream.
    data
        Data folder that holds the units. ``tables/facts.events.parquet`` and ``tables/leads.events.parquet``
        are written anew, which ``huanjie run`` reads beside the others; figures by month, the account and
        what was set aside go into ``events/``. Where the folder consists of counties (``county=990101/…``),
        tables and figures by month are written into each of them.
    engine
        Address of the engine; that of ``events.yaml`` when omitted.

    Returns
    -------
    EventFiles

    Raises
    ------
    UsageError, DataError
        If the folders, the engine or the streams cannot be used; the data folder is then as before.
    """
    settings = read_settings(events)
    register = read_register(data)
    scratch = scratch_beside(data)
    try:
        with open_engine(engine or settings.engine) as opened:
            account = aggregate_events(opened, events, settings, register, scratch / "raw")
        return _put(scratch, data, settings, account)
    finally:
        discard(scratch)


class _Appender:
    """Writes county after county into one Parquet file, each its own row group."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.rows = path, 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        """Append rows; a table without any makes the file all the same."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, rows.schema, compression="zstd")
        self._writer.write_table(rows)
        self.rows += len(rows)

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()


def _put(scratch: Path, data: Path, settings: EventSettings, account: EventAccount) -> EventFiles:
    """Write the tables county by county, then move all of them into place."""
    raw, new = scratch / "raw", scratch / "new"
    by_county = any(counties(data))
    counted = {"facts": 0, "leads": 0}
    writers: dict[Path, _Appender] = {}

    def writer(path: Path) -> _Appender:
        return writers.setdefault(path, _Appender(new / path))

    def finish() -> None:
        for done in writers.values():
            done.close()
        writers.clear()

    for county, part in counties(raw / MONTHS):
        tables = Path(f"county={county}") / "tables" if by_county else Path("tables")
        wide = read_part(part).sort_by([("unit_code", "ascending"), ("month", "ascending")])
        facts = _arrow(facts_of(wide.to_pandas()))
        writer(tables / FACTS_FILE).add(facts)
        counted["facts"] += len(facts)
        writer((Path(f"county={county}") if by_county else Path()) / "events" / MONTHS_FILE).add(wide)
        if "lead_events" in settings.coverage:
            found = raw / LEADS / f"county={county}"
            leads = _arrow(leads_of(read_part(found).to_pandas() if found.is_dir() else _NO_LEADS))
            writer(tables / LEADS_FILE).add(leads)
            counted["leads"] += len(leads)
        if by_county:
            finish()
    finish()
    (new / "events").mkdir(parents=True, exist_ok=True)
    write_csv(account.to_frame(), new / "events" / ACCOUNT_FILE)
    if (raw / QUARANTINE).is_dir():
        (raw / QUARANTINE).replace(new / "events" / QUARANTINE)
    discard(data / "events" / QUARANTINE)
    placed = []
    for path in sorted(p for p in new.rglob("*") if p.is_file()):
        target = data / path.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        placed.append(target)
    return EventFiles(account, tuple(placed), counted["facts"], counted["leads"])


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


_NO_LEADS: Final = pd.DataFrame(
    {column.name: pd.Series(dtype=DTYPES[column.kind]) for column in table("leads").columns}
)
