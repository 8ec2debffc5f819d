"""Offices, and the events they bring about, for tests of cases and ledgers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from huanjie_lib.casework.cases import Case, advance
from huanjie_lib.casework.events import (
    EVENT_COLUMNS,
    GENESIS,
    Action,
    Actor,
    canonical,
    chain_hash,
    event_body,
)
from huanjie_lib.vocabulary import CaseEvent, Role

__all__ = [
    "AUDIT",
    "CITY",
    "COUNTY",
    "DAY",
    "FILE",
    "OTHER_COUNTY",
    "OTHER_TOWN",
    "PUBLISHER",
    "TOWN",
    "UNIT",
    "act",
    "events_frame",
    "history",
    "life",
    "opening",
]

DAY = dt.date(2026, 11, 2)
UNIT = "990101101201"
CITY = Actor("chen", "市换届办", Role.CITY)
COUNTY = Actor("dongling", "东岭县换届办", Role.COUNTY, ("990101",))
OTHER_COUNTY = Actor("xiping", "西屏区换届办", Role.COUNTY, ("990102",))
TOWN = Actor("li", "云溪镇", Role.TOWNSHIP, ("990101101",))
OTHER_TOWN = Actor("zhou", "石桥镇", Role.TOWNSHIP, ("990101102",))
AUDIT = Actor("shen", "市审计局", Role.AUDIT)
PUBLISHER = Actor("huanjie", "系统", Role.SYSTEM)
FILE = {"digest": "ab" * 32, "name": "公示照片.jpg", "bytes": 3, "media_type": "image/jpeg"}


def opening(cause: str = "plan/1", **other: Any) -> dict[str, Any]:
    """Return what the event that opens a case carries."""
    told = {
        "unit_code": UNIT,
        "unit_name": "上云村",
        "township_code": "990101101",
        "township_name": "云溪镇",
        "kind": "plan",
        "cause": cause,
        "title": "缺化解方案",
        "reason": "红色村没有化解方案",
        "subject": "",
        "restricted": False,
        "run": "",
    }
    return told | other


def act(
    event: CaseEvent,
    actor: Actor,
    version: int,
    *,
    case_id: str = "C1",
    event_id: str = "",
    on: dt.date = DAY,
    **payload: Any,
) -> Action:
    """Return an event; its payload is made whole with plain values, its id from case and version."""
    plain: dict[CaseEvent, dict[str, Any]] = {
        CaseEvent.OPEN: opening(f"plan/{case_id}"),
        CaseEvent.DISPATCH: {"owner": TOWN.office, "due_on": "2026-11-30", "note": ""},
        CaseEvent.RECTIFY: {"note": "已整改", "evidence": [FILE], "amendments": []},
        CaseEvent.REOPEN: {"note": "又发生", "due_on": "2026-12-31"},
    }
    told = {**plain.get(event, {"note": "已核"}), **payload}
    return Action(event_id or f"{case_id}-{version + 1}", case_id, event, actor, on, version, told)


def life(case_id: str = "C1", **other: Any) -> Iterator[Action]:
    """Yield a whole life: opened, dispatched, rectified, returned, closed, reopened, cancelled."""
    steps: Sequence[tuple[CaseEvent, Actor]] = (
        (CaseEvent.OPEN, CITY),
        (CaseEvent.DISPATCH, CITY),
        (CaseEvent.RECTIFY, TOWN),
        (CaseEvent.SUBMIT, TOWN),
        (CaseEvent.RETURN, COUNTY),
        (CaseEvent.RECTIFY, TOWN),
        (CaseEvent.SUBMIT, TOWN),
        (CaseEvent.CLOSE, CITY),
        (CaseEvent.REOPEN, CITY),
        (CaseEvent.CANCEL, CITY),
    )
    for version, (event, actor) in enumerate(steps):
        told = other if event is CaseEvent.OPEN else {}
        yield act(event, actor, version, case_id=case_id, **told)


def history(actions: Sequence[Action]) -> Case:
    """Return the case that events leave."""
    case: Case | None = None
    for action in actions:
        case = advance(case, action)
    assert case is not None
    return case


def events_frame(actions: Sequence[Action], recorded_at: Sequence[str] | None = None) -> pd.DataFrame:
    """Return events as a ledger holds them, chained, with ISO dates; made without the ledger."""
    rows, previous = [], GENESIS
    times = recorded_at or ["2026-11-02T01:00:00.000+00:00"] * len(actions)
    for sequence, (action, time) in enumerate(zip(actions, times, strict=True), start=1):
        told = {
            "event_id": action.event_id,
            "case_id": action.case_id,
            "version": action.expected_version + 1,
            "event": action.event.value,
            "actor": action.actor.account,
            "office": action.actor.office,
            "role": action.actor.role.value,
            "happened_on": action.happened_on.isoformat(),
            "recorded_at": time,
            "payload": canonical(dict(action.payload)),
        }
        link = chain_hash(previous, event_body(**told))  # type: ignore[arg-type]
        rows.append({**told, "sequence": sequence, "previous_hash": previous, "hash": link})
        previous = link
    return pd.DataFrame(rows, columns=list(EVENT_COLUMNS), dtype=object)
