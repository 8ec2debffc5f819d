"""Random event streams with everything that goes wrong in them, and a plain count of what they say.

The count goes row by row through Python's own types and shares nothing with the expressions under test.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.contracts import DTYPES, EVENT_STREAMS
from huanjie_lib.events.aggregate import Register
from huanjie_lib.events.settings import EventSettings, month_number, month_text

BEIJING = dt.timezone(dt.timedelta(hours=8))
UNITS = ("990101001201", "990101001202", "990101002001", "990102001201", "990102001202")
OLD, SPLIT = "990101009201", "990101009202"
FIRST, LAST = month_number("2025-11"), month_number("2026-03")
IDS = ("", "带字", "a b", "x\n", "y" * 65, None)
COUNTED = ("complaint", "request")


@dataclass(frozen=True)
class World:
    """Streams, what is declared of them, and the units."""

    streams: dict[str, pd.DataFrame]
    settings: EventSettings
    register: Register

    def write(self, folder: Path, *, files: int = 2) -> Path:
        """Lay the streams out as a folder, each in a few files."""
        for name, frame in self.streams.items():
            for number in range(files):
                path = folder / name / f"month={number}" / "part.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                frame.iloc[number::files].to_parquet(path, index=False)
        return folder


def make_world(seed: int, rows: int) -> World:
    """Return random streams of so many rows each."""
    rng = np.random.default_rng(seed)
    streams = {name: _stream(name, rows, rng) for name in EVENT_STREAMS}
    areas = [
        {"first": month_text(FIRST), "last": month_text(LAST)},
        {"area": "990102", "first": month_text(FIRST), "last": month_text(LAST - 1)},
        {"area": UNITS[0], "first": month_text(FIRST + 1), "last": month_text(LAST)},
    ]
    settings = EventSettings.model_validate(
        {"coverage": dict.fromkeys(EVENT_STREAMS, areas), "hotline_counted": list(COUNTED)}
    )
    units = pd.DataFrame(
        {
            "unit_code": list(UNITS),
            "valid_from": pd.to_datetime([None, "2026-01-15", None, None, "2026-01-01"]),
            "valid_to": pd.to_datetime([None, None, "2026-02-28", None, None]),
        }
    )
    return World(streams, settings, Register(units, {OLD: UNITS[1]}, frozenset({SPLIT})))


def _moments(rng: np.random.Generator, size: int) -> list[dt.datetime | None]:
    """Return moments, many of them within a second of a month's end in Beijing."""
    made: list[dt.datetime | None] = []
    for month, where, second in zip(
        rng.integers(FIRST - 2, LAST + 2, size),
        rng.integers(0, 4, size),
        rng.integers(0, 28 * 86_400, size),
        strict=True,
    ):
        start = dt.datetime(int(month) // 12, int(month) % 12 + 1, 1, tzinfo=BEIJING)
        shift = dt.timedelta(microseconds=int(rng.integers(-1, 2))) if where == 0 else dt.timedelta(0)
        made.append(start + (shift if where == 0 else dt.timedelta(seconds=int(second))))
    return [None if rng.random() < 0.03 else moment for moment in made]


def _later(
    moments: Iterable[dt.datetime | None], rng: np.random.Generator, *, empty: float
) -> list[dt.datetime | None]:
    def step() -> dt.timedelta:
        return dt.timedelta(days=int(rng.integers(-2, 40)), microseconds=500_001)

    return [None if m is None or rng.random() < empty else m + step() for m in moments]


def _stream(name: str, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    codes = (*UNITS, *UNITS, OLD, SPLIT, "990199001201", "", None)
    kinds = [*map(str, EVENT_STREAMS[name].column("kind").words or ()), None, "unheard"]
    bad = rng.random(rows) < 0.05
    ids = [
        IDS[pick % len(IDS)] if is_bad else f"e{pick % rows}"
        for is_bad, pick in zip(bad, rng.integers(0, 1 << 20, rows).tolist(), strict=True)
    ]
    happened = _moments(rng, rows)
    columns: dict[str, Any] = {
        "event_id": ids,
        "unit_code": [codes[n] for n in rng.integers(0, len(codes), rows)],
        "happened_at": happened,
        "kind": [kinds[n] for n in rng.integers(0, len(kinds), rows)],
        "backlog_at": _later(happened, rng, empty=0.6),
        "closed_at": _later(_later(happened, rng, empty=0.3), rng, empty=0.1),
        "petition_id": [None if rng.random() < 0.6 else "p1" for _ in range(rows)],
        "electors": [None if rng.random() < 0.03 else int(n) for n in rng.integers(-2, 90, rows)],
        "recorded_at": [m and m + dt.timedelta(days=int(rng.integers(0, 3))) for m in happened],
        "name": ["张三"] * rows,  # a column that no contract has is not read
    }
    frame = pd.DataFrame({c: columns[c] for c in [*(c.name for c in EVENT_STREAMS[name].columns), "name"]})
    again = frame.iloc[rng.integers(0, rows, rows // 8)]
    other = frame.iloc[rng.integers(0, rows, rows // 8)].assign(kind=kinds[0])
    frame = pd.concat([frame, again, other], ignore_index=True)
    return frame.astype({c.name: DTYPES[c.kind] for c in EVENT_STREAMS[name].columns})


# ---------------------------------------------------------------- what they say


@dataclass(frozen=True)
class Expected:
    """What the plain count found."""

    months: dict[tuple[str, int], dict[str, Any]]
    leads: Counter[tuple[str, dt.date, str]]
    account: dict[str, dict[str, int]]
    reasons: dict[str, Counter[str]]


def expect(world: World) -> Expected:
    """Count row by row."""
    settled: dict[str, list[dict[str, Any]]] = {}
    account: dict[str, dict[str, int]] = {}
    reasons: dict[str, Counter[str]] = {}
    for name, frame in world.streams.items():
        rows = [{k: _plain(v) for k, v in row.items() if k != "name"} for row in frame.to_dict("records")]
        refused = Counter()
        good = defaultdict(list)
        for row in rows:
            why, unit = _fault(row, name, world.register)
            if why:
                refused[why] += 1
            else:
                good[row["event_id"]].append({**row, "unit": unit})
        settled[name], repeated = [], 0
        for editions in good.values():
            last = max(e["recorded_at"] for e in editions)
            latest = [e for e in editions if e["recorded_at"] == last]
            if all(e == latest[0] for e in latest):
                settled[name].append(latest[0])
                repeated += len(editions) - 1
            else:
                refused["conflict"] += len(editions)
        inside = sum(_covered(world, name, e["unit"], _month(e["happened_at"])) for e in settled[name])
        account[name] = {
            "read": len(rows),
            "counted": inside,
            "outside": len(settled[name]) - inside,
            "repeated": repeated,
            "refused": refused.total(),
        }
        reasons[name] = refused
    months = {
        (unit, month): _figures(world, settled, unit, month)
        for unit in UNITS
        for month in range(FIRST, LAST + 1)
        if _in_force(world, unit, month)
    }
    leads = Counter(
        (e["unit"], e["happened_at"].date(), e["kind"])
        for e in settled["lead_events"]
        if _declared(world, "lead_events", e["unit"], _month(e["happened_at"]))
    )
    return Expected(months, leads, account, reasons)


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime().astimezone(BEIJING)
    return int(value) if isinstance(value, np.integer) else value


def _fault(row: dict[str, Any], name: str, register: Register) -> tuple[str, str]:
    event, code = row["event_id"], row["unit_code"]
    plain = event is not None and event.isascii() and event.replace("-", "a").replace("_", "a").isalnum()
    if not plain or len(event) > 64:
        return "event_id", ""
    if code is None:
        return "unit_missing", ""
    unit = code if code in UNITS else register.recode.get(code)
    if unit is None:
        return ("unit_doubtful" if code in register.doubtful else "unit_unknown"), ""
    if row["happened_at"] is None:
        return "happened_at", ""
    if row["recorded_at"] is None:
        return "recorded_at", ""
    if row["kind"] not in [str(k) for k in EVENT_STREAMS[name].column("kind").words or ()]:
        return "kind", ""
    if row["recorded_at"] < row["happened_at"]:
        return "recorded_early", ""
    closed, listed = row.get("closed_at"), row.get("backlog_at")
    if any(m is not None and m < row["happened_at"] for m in (closed, listed)):
        return "closed_early", ""
    if closed is not None and listed is not None and closed < listed:
        return "closed_first", ""
    if name == "roll_events" and (row["electors"] is None or not 0 <= row["electors"] <= 60_000):
        return "electors", ""
    return "", unit


def _month(moment: dt.datetime) -> int:
    return moment.year * 12 + moment.month - 1


def _declared(world: World, stream: str, unit: str, month: int) -> bool:
    first, last = world.settings.covered(stream, np.array([unit]))
    return bool(first[0] <= month <= last[0])


def _in_force(world: World, unit: str, month: int) -> bool:
    row = world.register.units.set_index("unit_code").loc[unit]
    heir = unit in world.register.recode.values()
    begun = heir or pd.isna(row["valid_from"]) or _month(row["valid_from"]) <= month
    return bool(begun and (pd.isna(row["valid_to"]) or month <= _month(row["valid_to"])))


def _covered(world: World, stream: str, unit: str, month: int) -> bool:
    return _declared(world, stream, unit, month) and _in_force(world, unit, month)


def _figures(world: World, settled: dict[str, list[dict[str, Any]]], unit: str, month: int) -> dict[str, Any]:
    mine = {name: [e for e in events if e["unit"] == unit] for name, events in settled.items()}
    now = {n: [e for e in events if _month(e["happened_at"]) == month] for n, events in mine.items()}
    known = {name: _declared(world, name, unit, month) for name in EVENT_STREAMS}
    hotline = now["hotline_events"]
    counted = [e for e in hotline if e["kind"] in COUNTED and e["petition_id"] is None]
    petitions = mine["petition_events"]
    closed = [e for e in petitions if e["closed_at"] is not None and _month(e["closed_at"]) == month]
    listed = [e for e in petitions if e["backlog_at"] is not None and _month(e["backlog_at"]) <= month]
    left = [e for e in listed if e["closed_at"] is not None and _month(e["closed_at"]) <= month]
    seconds = [int(e["closed_at"].timestamp() // 1) - int(e["happened_at"].timestamp() // 1) for e in closed]
    found: dict[str, Any] = {
        "petitions_total": len(now["petition_events"]) + len(counted),
        "petitions_group": sum(e["kind"] == "group" for e in now["petition_events"]),
        "petitions_backlog": len(listed) - len(left),
        "petition_days": sum(seconds) / len(seconds) / 86_400 if seconds else None,
        "hotline_orders": len(hotline),
        "voters_registered": _roll(mine["roll_events"], month),
    }
    needs = {
        "petitions_total": ("petition_events", "hotline_events"),
        "hotline_orders": ("hotline_events",),
        "voters_registered": ("roll_events",),
    }
    return {
        name: value if all(known[s] for s in needs.get(name, ("petition_events",))) else None
        for name, value in found.items()
    }


def _roll(events: list[dict[str, Any]], month: int) -> int | None:
    roll: int | None = None
    days: dict[dt.date, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if _month(event["happened_at"]) <= month:
            days[event["happened_at"].date()].append(event)
    for day in sorted(days):
        opened = [e["electors"] for e in days[day] if e["kind"] == "opening"]
        if opened:
            roll = sum(opened)
        if roll is not None:
            signs = {"added": 1, "removed": -1, "opening": 0}
            roll += sum(signs[e["kind"]] * e["electors"] for e in days[day])
    return roll if roll is None or roll >= 0 else None
