"""Event streams in; facts, leads, what was set aside and an account of every row out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from huanjie_lib.contracts import DTYPES, EVENT_STREAMS, table
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.events.checks import REASONS, Sorted, checked, conform, repeated, sort_out
from huanjie_lib.events.engines import Engine
from huanjie_lib.events.monthly import METRICS, NUMBER, leads_by_day, months, tally
from huanjie_lib.events.settings import EventSettings

__all__ = ["ACCOUNT_COLUMNS", "EventAccount", "Register", "aggregate_events", "facts_of", "month_ends"]

ACCOUNT_COLUMNS: Final = ("stream", "read", "counted", "outside", "repeated", "refused")
QUARANTINE: Final = "quarantine"
MONTHS: Final = "months"
LEADS: Final = "leads"


@dataclass(frozen=True)
class Register:
    """Which units there are, and what other codes stand for.

    Parameters
    ----------
    units
        ``unit_code``, ``valid_from`` and ``valid_to`` (NaT where open), each code once.
    recode
        Confirmed changes of code, old → unit in force.
    doubtful
        Old codes that lead to no single unit.
    """

    units: pd.DataFrame
    recode: Mapping[str, str]
    doubtful: frozenset[str]

    def codes(self) -> pd.DataFrame:
        """Return ``code`` and the ``unit`` it stands for, missing where that is in doubt."""
        own = {str(code): str(code) for code in self.units["unit_code"]}
        units: dict[str, str | None] = {
            **dict.fromkeys(self.doubtful),
            **{old: new for old, new in self.recode.items() if new in own},
            **own,
        }
        names = sorted(units)
        unit = pd.Series([units[name] for name in names], dtype=DTYPES["string"])
        return pd.DataFrame({"code": pd.Series(names, dtype=DTYPES["string"]), "unit": unit})

    def spans(self, settings: EventSettings) -> pd.DataFrame:
        """Return by unit: county, months in which its code is in force, months that each stream covers.

        A unit that took over another code answers for what that one counted, before its own came into force.
        """
        codes = self.units["unit_code"].to_numpy(dtype=object)
        heirs = set(self.recode.values())
        begins = _months(self.units["valid_from"], empty=0)
        begins[[code in heirs for code in codes]] = 0
        made: dict[str, Any] = {
            "unit": codes,
            "county": [code[:6] for code in codes],
            "begins": begins,
            "ends": _months(self.units["valid_to"], empty=1 << 20),
        }
        for stream in EVENT_STREAMS:
            made[f"{stream}_first"], made[f"{stream}_last"] = settings.covered(stream, codes)
        return pd.DataFrame(made).astype({"unit": DTYPES["string"], "county": DTYPES["string"]})


def _months(dates: pd.Series[Any], *, empty: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    stamps = pd.to_datetime(dates)
    number = stamps.dt.year * 12 + stamps.dt.month - 1
    return np.asarray(number.fillna(empty), dtype=np.int64)


@dataclass(frozen=True)
class EventAccount:
    """What became of every row of every stream.

    Parameters
    ----------
    rows
        One row per stream: :data:`ACCOUNT_COLUMNS`. ``counted`` events are in a covered month; ``outside``
        ones are not (petitions of before still make the backlog); ``repeated`` rows are earlier or equal
        editions of an event; ``refused`` rows are set aside. The four add up to ``read``.
    reasons
        ``stream``, ``reason`` (Chinese) and ``rows`` of what was set aside.
    engine
        Name of the engine.
    first, last
        First and last month, as month numbers.
    """

    rows: pd.DataFrame
    reasons: pd.DataFrame
    engine: str
    first: int
    last: int

    def __repr__(self) -> str:
        """Return rows read, counted and set aside, and the engine."""
        total = self.rows[list(ACCOUNT_COLUMNS[1:])].sum()
        return (
            f"EventAccount(read={total['read']}, counted={total['counted']}, refused={total['refused']}, "
            f"engine={self.engine!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the account."""
        return self.rows.copy()

    def explain(self, stream: str) -> str:
        """Return in Chinese what became of the rows of a stream.

        Raises
        ------
        KeyError
            If there is no such stream.
        """
        row = self.rows.set_index("stream").loc[stream]
        text = (
            f"{EVENT_STREAMS[stream].label}：读取{row['read']}行，计入{row['counted']}件，"
            f"申报期限以外{row['outside']}件，同一事件的旧版或重复{row['repeated']}行，隔离{row['refused']}行"
        )
        mine = self.reasons[self.reasons["stream"] == stream]
        told = [f"{reason}（{rows}行）" for reason, rows in zip(mine["reason"], mine["rows"], strict=True)]
        return text + (f"。隔离原因：{'；'.join(told)}。" if told else "。")


def aggregate_events(
    engine: Engine, events: Path, settings: EventSettings, register: Register, out: Path
) -> EventAccount:
    """Aggregate the streams of a folder and write what comes out as Parquet by county.

    Parameters
    ----------
    engine
        Where to compute.
    events
        Folder with one folder of Parquet files for each stream; PostgreSQL has tables of these names.
    settings, register
        What is declared of the streams, and the units.
    out
        New folder, which gets ``months/county=…/`` (:func:`huanjie_lib.events.monthly.months`),
        ``leads/county=…/`` and ``quarantine/<stream>/``.

    Returns
    -------
    EventAccount

    Raises
    ------
    DataError
        If a declared stream is not there, one is there undeclared, or one has other columns.
    """
    codes, units = _small(register.codes()), _small(register.spans(settings))
    first, last = settings.months
    found: dict[str, _Counted] = {}
    backlog = False
    for name, contract in EVENT_STREAMS.items():
        raw = engine.stream(events, name)
        if (raw is None) is (name in settings.coverage):
            raise _undeclared(name, there=raw is not None)
        if raw is None:
            continue
        backlog |= "backlog_at" in raw.columns
        aware = engine.instants(raw, name)
        rows = conform(
            raw, contract, where=name, utc_offset=settings.utc_offset, instants=aware, utc=engine.utc
        )
        found[name] = _counted(engine, name, rows, codes, first, settings.hotline_counted or ())
    out.mkdir(parents=True, exist_ok=True)
    calendar = _small(pd.DataFrame({"month": np.arange(first - 1, last + 1)}))
    tallies = {name: counted.tally for name, counted in found.items()}
    engine.write(months(tallies, units, calendar, first=first, backlog=backlog), out / MONTHS, by="county")
    if "lead_events" in found:
        engine.write(leads_by_day(found["lead_events"].tally, units), out / LEADS, by="county")
    rows, reasons = [], []
    within = _within(out / MONTHS, tuple(found))
    for name, counted in found.items():
        if counted.refused:
            engine.write(counted.sorted_out.refused, out / QUARANTINE / name)
        account = {
            "read": counted.read,
            "counted": within[name],
            "outside": counted.settled - within[name],
            "repeated": counted.repeated,
            "refused": sum(counted.refused.values()),
        }
        if account["read"] != sum(account.values()) - account["read"]:
            raise RuntimeError(f"{name}: rows read and rows accounted for differ: {account}")
        rows.append({"stream": name, **account})
        reasons += [{"stream": name, "reason": REASONS[c], "rows": n} for c, n in counted.refused.items()]
    return EventAccount(
        rows=pd.DataFrame(rows, columns=list(ACCOUNT_COLUMNS)),
        reasons=pd.DataFrame(reasons, columns=["stream", "reason", "rows"]),
        engine=engine.name,
        first=first,
        last=last,
    )


@dataclass(frozen=True)
class _Counted:
    """A stream, counted: its tally, and numbers of rows that were each found by a count of their own."""

    tally: ir.Table
    sorted_out: Sorted
    read: int
    settled: int
    repeated: int
    refused: Mapping[str, int]


def _counted(
    engine: Engine, name: str, rows: ir.Table, codes: ir.Table, first: int, hotline_counted: Sequence[str]
) -> _Counted:
    """Count a stream: find the ids that come again, what does not count as it is, and a tally of the rest."""
    contract = EVENT_STREAMS[name]
    parts = [engine.keep(part) for part in repeated(rows, engine.passes(rows))]
    several = ibis.union(*parts) if len(parts) > 1 else parts[0]
    found = sort_out(checked(rows, contract, codes), contract, several, engine.keep)
    counts = engine.keep(tally(name, found.settled, first=first, hotline_counted=hotline_counted))
    lines = [
        _line("_read", rows.count().as_table()),
        _line("_settled", counts[NUMBER].sum().as_table()),
        _line("_editions", found.editions.select("rows")),
        _line("_events", found.editions.select("events")),
        found.refused.group_by("reason").aggregate(rows=found.refused.count().cast("int64")),
    ]
    told = engine.fetch(ibis.union(*lines)).set_index("reason")["rows"].fillna(0).astype("int64").to_dict()
    return _Counted(
        tally=counts,
        sorted_out=found,
        read=told["_read"],
        settled=told["_settled"],
        repeated=told["_editions"] - told["_events"],
        refused={code: told[code] for code in REASONS if code in told},
    )


def _line(label: str, number: ir.Table) -> ir.Table:
    """Return a label and the one number of a table."""
    return number.select(reason=ibis.literal(label), rows=number[number.columns[0]].cast("int64"))


def _small(frame: pd.DataFrame) -> ir.Table:
    """Return a table that comes along with the expressions."""
    return ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))


def _undeclared(name: str, *, there: bool) -> DataError:
    label = EVENT_STREAMS[name].label
    if there:
        found, allowed, remedy = (
            "没有声明完整期限",
            "coverage 中的期限",
            "在 events.yaml 中声明，或移走这些文件",
        )
    else:
        found, allowed, remedy = "没有数据", "Parquet 文件", "放入数据，或在 events.yaml 中删去它的期限"
    return DataError("事件文件夹与声明不符", [Fault(f"{name}（{label}）", found, allowed, remedy)])


# ---------------------------------------------------------------- what was written


def counties(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each county of a partitioned folder, in the order of codes."""
    for path in sorted(folder.glob("county=*")):
        yield path.name.partition("=")[2], path


def _within(folder: Path, streams: tuple[str, ...]) -> dict[str, int]:
    """Return by stream the events in covered months, county by county."""
    total = dict.fromkeys(streams, 0)
    for _, path in counties(folder):
        part = read_part(path, list(streams))
        for name in streams:
            total[name] += pc.sum(part[name]).as_py() or 0
    return total


def read_part(folder: Path, columns: list[str] | None = None) -> pa.Table:
    """Return the rows of one county, in no order that means anything."""
    files = sorted(folder.glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(path).read(columns=columns) for path in files])


def month_ends(numbers: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, Any]:
    """Return the last day of each month number.

    Examples
    --------
    >>> month_ends(np.array([24321, 24289])).astype("datetime64[D]").astype(str).tolist()
    ['2026-10-31', '2024-02-29']
    """
    after = (np.asarray(numbers, dtype=np.int64) - 1970 * 12 + 1).astype("datetime64[M]")
    return (after.astype("datetime64[D]") - 1).astype(DTYPES["date"])


def facts_of(wide: pd.DataFrame) -> pd.DataFrame:
    """Return the ``facts`` rows of figures by unit and month, in the order of the key; no nulls."""
    long = wide.melt(["unit_code", "month"], list(METRICS), "metric", "value").dropna(subset=["value"])
    facts = pd.DataFrame(
        {
            "unit_code": long["unit_code"],
            "as_of": month_ends(long["month"].to_numpy(dtype=np.int64)),
            "metric": long["metric"],
            "value": long["value"],
        }
    ).astype({c.name: DTYPES[c.kind] for c in table("facts").columns})
    return facts.sort_values(list(table("facts").key), ignore_index=True)


def leads_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of ``leads`` in the contract's types and the order of its key."""
    contract = table("leads")
    frame = rows[[c.name for c in contract.columns]].copy()
    frame["received_on"] = pd.to_datetime(frame["received_on"])
    frame = frame.astype({c.name: DTYPES[c.kind] for c in contract.columns})
    return frame.sort_values(list(contract.key), ignore_index=True)


def scratch_beside(folder: Path) -> Path:
    """Return a new folder on the same disk, so that what is in it can be moved into place at once."""
    return Path(tempfile.mkdtemp(prefix=".events-", dir=folder))


def discard(folder: Path) -> None:
    """Remove a scratch folder."""
    shutil.rmtree(folder, ignore_errors=True)
