"""Plausible next actions for a case, so that many processes can write for as long as a test wants."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from random import Random
from typing import Any

from huanjie_lib.casework.cases import Case
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.store.evidence import EvidenceFolder
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Role

__all__ = ["DUE_ON", "OFFICE", "OPENED_ON", "OWNER", "dispatch", "next_action", "opening"]

OPENED_ON = dt.date(2026, 9, 1)
DUE_ON = dt.date(2026, 9, 30)
OFFICE = Actor("bureau", "市换届办", Role.CITY)
OWNER = Actor("yunxi", "云溪镇", Role.TOWNSHIP)
MOST_EVIDENCE = 40_000

#: What may come next in each state; the first is what ends the state, so that every history moves on.
NEXT = {
    CaseState.ALERT: (CaseEvent.DISPATCH,),
    CaseState.DISPATCHED: (CaseEvent.RECTIFY, CaseEvent.DISPATCH),
    CaseState.RECTIFYING: (CaseEvent.SUBMIT, CaseEvent.RECTIFY, CaseEvent.DISPATCH),
    CaseState.REVIEWING: (CaseEvent.CLOSE, CaseEvent.RETURN),
    CaseState.CLOSED: (CaseEvent.REOPEN,),
}


def opening(event_id: str, case_id: str, *, happened_on: dt.date = OPENED_ON) -> Action:
    """Return the action that opens a case."""
    payload = {
        "unit_code": "990101101201",
        "unit_name": "上云村",
        "township_code": "990101101",
        "township_name": "云溪镇",
        "kind": CaseKind.LEVEL.value,
        "cause": f"level/{case_id}",
        "title": "选情等级为红色",
        "reason": "指数 52.1，低于 60",
        "subject": "",
        "restricted": False,
        "run": "",
    }
    return _action(event_id, case_id, CaseEvent.OPEN, OFFICE, 0, payload, happened_on)


def dispatch(event_id: str, case_id: str, version: int, note: str = "") -> Action:
    """Return the action that hands a case of that version to its owner."""
    payload = {"note": note, "owner": OWNER.office, "due_on": DUE_ON.isoformat()}
    return _action(event_id, case_id, CaseEvent.DISPATCH, OFFICE, version, payload, OPENED_ON)


def next_action(
    case: Case | None,
    *,
    event_id: str,
    case_id: str,
    evidence: EvidenceFolder,
    happened_on: dt.date = OPENED_ON,
) -> Action:
    """Return an action that the case allows now; the same for the same case and event.

    The note of all but openings is the event's id up to a ``_``.
    """
    if case is None:
        return opening(event_id, case_id, happened_on=happened_on)
    rng = Random(f"{event_id} {case.version}")
    event = rng.choice(NEXT[case.state])
    payload: dict[str, Any] = {"note": event_id.partition("_")[0]}
    if event is CaseEvent.DISPATCH:
        payload |= {"owner": OWNER.office, "due_on": DUE_ON.isoformat()}
    elif event is CaseEvent.REOPEN:
        payload |= {"due_on": DUE_ON.isoformat()}
    elif event is CaseEvent.RECTIFY:
        content = rng.randbytes(rng.randrange(1, MOST_EVIDENCE))
        kept = evidence.put(io.BytesIO(content), name="照片.jpg", media_type="image/jpeg")
        payload |= {"evidence": [kept.to_json()], "amendments": []}
    actor = OWNER if event in (CaseEvent.RECTIFY, CaseEvent.SUBMIT) else OFFICE
    return _action(event_id, case_id, event, actor, case.version, payload, happened_on)


def _action(
    event_id: str,
    case_id: str,
    event: CaseEvent,
    actor: Actor,
    version: int,
    payload: Mapping[str, Any],
    happened_on: dt.date,
) -> Action:
    return Action(
        event_id=event_id,
        case_id=case_id,
        event=event,
        actor=actor,
        happened_on=happened_on,
        expected_version=version,
        payload=payload,
    )
