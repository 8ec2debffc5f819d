"""Single events that add up to the facts and leads of a synthetic city, as source systems would send them.

They are drawn backwards from the tables: as many petitions a month as the facts say, long pending ones as the
backlog says, leads day by day, changes of the roll from one reported figure to the next. Some petitions come
by the hotline, some events are sent twice or in an earlier edition, and some offices keep using
the old codes of units that were renumbered; none of that changes a sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from huanjie_lib.contracts import DTYPES, EVENT_STREAMS
from huanjie_lib.sample.city import City
from huanjie_lib.sample.streams import Array, Integers, Streams
from huanjie_lib.vocabulary import CrosswalkKind, HotlineKind, LeadKind, PetitionKind, RollChange

__all__ = ["make_events", "write_events"]

_DAY: Final = 86_400
_BEIJING: Final = 8 * 3600
_HOTLINE_SHARE: Final = 0.2
_SENT_AGAIN: Final = 0.02
_OLD_CODE: Final = 0.3
_COUNTED: Final = (HotlineKind.COMPLAINT.value, HotlineKind.REPORT.value, HotlineKind.REQUEST.value)
_SINGLE: Final = (PetitionKind.INDIVIDUAL.value, PetitionKind.LETTER.value, PetitionKind.ONLINE.value)
_NONE: Final = np.int64(-1)

Columns = dict[str, Any]


def make_events(city: City) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the event streams of a city and what ``events.yaml`` says of them.

    Equal cities give equal streams. Units whose last months are missing from the facts are declared as
    complete up to the month before.

    Examples
    --------
    >>> from huanjie_lib.sample import make_city
    >>> streams, declared = make_events(make_city(units=60, people=100))
    >>> sorted(streams) == sorted(declared["coverage"])
    True
    """
    rng = Streams(city.seed)["events"]
    facts = city.tables["facts"]
    total, group, backlog, roll = (
        _Grid.of(facts, name)
        for name in ("petitions_total", "petitions_group", "petitions_backlog", "voters_registered")
    )
    leads = city.tables["leads"]
    hotline = rng.binomial(total.counts - group.counts, _HOTLINE_SHARE)
    made = {
        "petition_events": _petitions(total, total.counts - hotline, group.counts, backlog, rng),
        "hotline_events": _hotline(total, hotline, rng),
        "lead_events": _leads(leads, rng),
        "roll_events": _rolls(roll, rng),
    }
    first_lead = _month(leads["received_on"].min())
    every_lead = [{"first": first_lead, "last": _month(city.as_of)}]
    covered = {"petition_events": total.areas(), "hotline_events": total.areas(), "lead_events": every_lead}
    renumbered = _renumbered(city.tables["crosswalk"])
    streams = {name: _sent(name, made[name], renumbered, rng) for name in EVENT_STREAMS}
    coverage = {name: covered.get(name, roll.areas()) for name in EVENT_STREAMS}
    return streams, {"utc_offset": 8, "coverage": coverage, "hotline_counted": list(_COUNTED)}


def write_events(city: City, out: Path) -> list[Path]:
    """Write the streams of a city as a folder that ``huanjie events`` reads; return the files.

    Petitions, work orders and the rest lie as ``<stream>/county=…/part-0.parquet``.
    """
    streams, declared = make_events(city)
    out.mkdir(parents=True, exist_ok=True)
    settings = out / "events.yaml"
    settings.write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False), encoding="utf-8")
    written = [settings]
    for name, frame in streams.items():
        for county, rows in frame.groupby(frame["unit_code"].str.slice(0, 6), sort=True):
            path = out / name / f"county={county}" / "part-0.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows.to_parquet(path, index=False, compression="zstd")
            written.append(path)
    return written


# ---------------------------------------------------------------- figures


class _Grid:
    """A metric by unit and month end."""

    def __init__(self, codes: npt.NDArray[Any], days: Integers, values: Array) -> None:
        self.codes, self.days, self.values = codes, days, values

    @classmethod
    def of(cls, facts: pd.DataFrame, metric: str) -> _Grid:
        """Return the figures of ``facts``; NaN where a unit reported nothing."""
        wide = facts[facts["metric"] == metric].pivot(index="unit_code", columns="as_of", values="value")
        days = wide.columns.to_numpy().astype("datetime64[D]").astype(np.int64)
        return cls(wide.index.to_numpy(dtype=object), days, wide.to_numpy(dtype=np.float64))

    @property
    def counts(self) -> Integers:
        """The figures, 0 where there is none."""
        return np.nan_to_num(self.values).astype(np.int64)

    def areas(self) -> list[dict[str, str]]:
        """Return for which months the figures are complete, unit by unit where one lacks the last."""
        months = [_month(day) for day in self.days.astype("datetime64[D]")]
        last = len(months) - np.isnan(self.values).sum(axis=1) - 1
        late = np.flatnonzero(last < len(months) - 1)
        areas = [{"first": months[0], "last": months[-1]}]
        return areas + [
            {"area": str(self.codes[unit]), "first": months[0], "last": months[last[unit]]} for unit in late
        ]


def _month(day: Any) -> str:
    return f"{pd.Timestamp(day):%Y-%m}"


def _repeated(counts: Integers) -> tuple[Integers, Integers]:
    """Return unit and month of each single event of a grid of counts."""
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    return cell // counts.shape[1], cell % counts.shape[1]


def _in_month(days: Integers, month: Integers, rng: np.random.Generator) -> Integers:
    """Return seconds since 1970, Beijing wall clock, at random in the month that ends on a day."""
    ends = days[month]
    starts = ends.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return starts * _DAY + rng.integers(0, (ends - starts + 1) * _DAY)


# ---------------------------------------------------------------- streams


def _petitions(
    total: _Grid, counts: Integers, grouped: Integers, backlog: _Grid, rng: np.random.Generator
) -> Columns:
    unit, month = _repeated(counts)
    nth = np.arange(len(unit)) - np.searchsorted(
        unit * counts.shape[1] + month, unit * counts.shape[1] + month
    )
    group = nth < grouped[unit, month]
    happened = _in_month(total.days, month, rng)
    took = rng.integers(_DAY, 60 * _DAY, len(unit))
    closed = np.where(rng.random(len(unit)) < 0.9, happened + took, _NONE)
    old_unit, listed, settled = _pending(backlog, rng)
    before = total.days[0] * _DAY - rng.integers(40 * _DAY, 700 * _DAY, len(old_unit))
    kinds = np.array(_SINGLE)[rng.integers(0, len(_SINGLE), len(unit) + len(old_unit))]
    return {
        "unit_code": np.concatenate([total.codes[unit], backlog.codes[old_unit]]),
        "happened_at": np.concatenate([happened, before]),
        "kind": np.where(np.append(group, np.zeros(len(old_unit), bool)), PetitionKind.GROUP.value, kinds),
        "backlog_at": np.concatenate([np.full(len(unit), _NONE), listed]),
        "closed_at": np.concatenate([closed, settled]),
    }


def _pending(backlog: _Grid, rng: np.random.Generator) -> tuple[Integers, Integers, Integers]:
    """Return unit, listing and closing of old cases, first in first out, that make up the backlog."""
    last = pd.DataFrame(backlog.values).ffill(axis=1).to_numpy(dtype=np.int64)  # what is not reported stays
    change = np.diff(last, axis=1, prepend=0)
    unit, month = _repeated(np.maximum(change, 0))
    left_unit, left_month = _repeated(np.maximum(-change, 0))
    listed = _in_month(backlog.days, month, rng)
    closed = np.full(len(unit), _NONE)
    order = np.arange(len(unit)) - np.searchsorted(unit, unit)
    leaving = np.arange(len(left_unit)) - np.searchsorted(left_unit, left_unit)
    row = np.searchsorted(unit, left_unit) + leaving  # the nth to leave is the nth that was listed
    assert (order[row] == leaving).all()
    closed[row] = _in_month(backlog.days, left_month, rng)
    return unit, listed, closed


def _hotline(total: _Grid, counts: Integers, rng: np.random.Generator) -> Columns:
    unit, month = _repeated(counts)
    asked_unit, asked_month = _repeated(rng.binomial(total.counts, _HOTLINE_SHARE))
    handed = rng.random(len(asked_unit)) < 0.3
    other = np.where(handed, HotlineKind.COMPLAINT.value, HotlineKind.ENQUIRY.value)
    numbers = np.array([f"P{n:08d}" for n in range(len(asked_unit))], dtype=object)
    return {
        "unit_code": np.concatenate([total.codes[unit], total.codes[asked_unit]]),
        "happened_at": _in_month(total.days, np.concatenate([month, asked_month]), rng),
        "kind": np.concatenate([np.array(_COUNTED)[rng.integers(0, 3, len(unit))], other]),
        "petition_id": np.concatenate([np.full(len(unit), None), pd.Series(numbers).where(handed, None)]),
    }


def _leads(leads: pd.DataFrame, rng: np.random.Generator) -> Columns:
    row = np.repeat(np.arange(len(leads)), leads["count"].to_numpy(dtype=np.int64))
    day = leads["received_on"].to_numpy().astype("datetime64[D]").astype(np.int64)[row]
    return {
        "unit_code": leads["unit_code"].to_numpy(dtype=object)[row],
        "happened_at": day * _DAY + rng.integers(0, _DAY, len(row)),
        "kind": leads["kind"].to_numpy(dtype=object)[row],
    }


def _rolls(roll: _Grid, rng: np.random.Generator) -> Columns:
    known = ~np.isnan(roll.values)
    change = np.diff(np.nan_to_num(roll.values), axis=1, prepend=0.0).astype(np.int64)
    unit, month = np.nonzero(known & (change != 0))
    change = change[unit, month]
    words = np.where(change > 0, RollChange.ADDED.value, RollChange.REMOVED.value)
    return {
        "unit_code": roll.codes[unit],
        "happened_at": _in_month(roll.days, month, rng),
        "kind": np.where(month == 0, RollChange.OPENING.value, words),
        "electors": np.abs(change),
    }


# ---------------------------------------------------------------- as sent


def _renumbered(crosswalk: pd.DataFrame) -> Mapping[str, tuple[str, int]]:
    """Return old code and first second of the new one, by new code."""
    rows = crosswalk[crosswalk["kind"] == CrosswalkKind.RENUMBER.value]
    days = rows["effective_on"].to_numpy().astype("datetime64[D]").astype(np.int64)
    pairs = zip(rows["new_code"], rows["old_code"], days.tolist(), strict=True)
    return {str(new): (str(old), day * _DAY) for new, old, day in pairs}


def _sent(
    name: str, columns: Columns, renumbered: Mapping[str, tuple[str, int]], rng: np.random.Generator
) -> pd.DataFrame:
    """Return a stream as the source system exports it: ids, editions, old codes, moments in UTC."""
    size = len(columns["unit_code"])
    happened = np.asarray(columns["happened_at"], dtype=np.int64)
    stamps = {key: np.asarray(columns[key]) for key in ("backlog_at", "closed_at") if key in columns}
    known = np.max([happened, *stamps.values()], axis=0)
    recorded = known + rng.integers(60, 5 * _DAY, size)
    former = [renumbered.get(str(code)) for code in columns["unit_code"]]
    unaware = rng.random(size) < _OLD_CODE
    codes = [
        past[0] if past is not None and (by_habit or when < past[1]) else code
        for code, past, when, by_habit in zip(
            columns["unit_code"], former, happened.tolist(), unaware, strict=True
        )
    ]
    ids = [f"{name[:1].upper()}{number:09d}" for number in range(size)]
    whole = {**columns, "event_id": ids, "unit_code": codes, "recorded_at": recorded}
    frame = pd.DataFrame(whole)
    again = frame[rng.random(size) < _SENT_AGAIN]
    early = frame[rng.random(size) < _SENT_AGAIN].copy()
    kinds = {
        "lead_events": LeadKind.OTHER,
        "roll_events": RollChange.ADDED,
        "petition_events": PetitionKind.LETTER,
    }
    early["kind"] = kinds.get(name, HotlineKind.ENQUIRY).value
    early["recorded_at"] = early["happened_at"] + (early["recorded_at"] - early["happened_at"]) // 2
    frame = pd.concat([frame, again, early], ignore_index=True)
    made = {}
    for column in EVENT_STREAMS[name].columns:
        values = frame[column.name]
        if column.kind == "moment":
            moments = pd.to_datetime(values - _BEIJING, unit="s", utc=True).dt.as_unit("us")
            values = moments.mask(values == _NONE)
        made[column.name] = values.astype(DTYPES[column.kind])
    return pd.DataFrame(made)
