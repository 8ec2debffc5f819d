"""Courses of cases written step by step, each step a legal one, as an event log."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pandas as pd

from huanjie_lib.casework.cases import Case, advance
from huanjie_lib.casework.events import EVENT_COLUMNS, Action, Actor
from huanjie_lib.vocabulary import CaseEvent, Role

UNIT, OTHER = "990101101201", "990102001001"
CITY = Actor("chen", "市换届办", Role.CITY)
TOWN = Actor("yunxi", "云溪镇", Role.TOWNSHIP)
FILE = {"digest": "ab" * 32, "name": "整改报告.pdf", "bytes": 10, "media_type": "application/pdf"}


def opening(
    kind: str = "gate", unit: str = UNIT, cause: str = "c", *, restricted: bool = False
) -> dict[str, Any]:
    return {
        "unit_code": unit,
        "unit_name": {UNIT: "上云村", OTHER: "河东社区"}[unit],
        "township_code": unit[:9],
        "township_name": {UNIT: "云溪镇", OTHER: "竹桥街道"}[unit],
        "kind": kind,
        "cause": cause,
        "title": "准入条件不通过",
        "reason": "",
        "subject": "",
        "restricted": restricted,
        "run": "",
    }


PAYLOAD: dict[CaseEvent, dict[str, Any]] = {
    CaseEvent.RECTIFY: {"note": "已补做", "evidence": [FILE], "amendments": []},
    CaseEvent.SUBMIT: {"note": ""},
    CaseEvent.RETURN: {"note": "材料不全"},
    CaseEvent.CLOSE: {"note": ""},
    CaseEvent.CANCEL: {"note": "误报"},
}


class Log:
    """An event log written step by step; every step is a legal one."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.cases: dict[str, Case] = {}

    def put(self, case: str, event: CaseEvent, day: dt.date, **payload: Any) -> Log:
        before = self.cases.get(case)
        if event is CaseEvent.OPEN:
            told = opening(**payload)
        elif event in (CaseEvent.DISPATCH, CaseEvent.REOPEN):
            told = {"note": "理由", **payload}
        else:
            told = PAYLOAD[event]
        actor = TOWN if event in (CaseEvent.RECTIFY, CaseEvent.SUBMIT) else CITY
        number = len(self.rows) + 1
        version = 0 if before is None else before.version
        action = Action(f"e{number}", case, event, actor, day, version, told)
        self.cases[case] = advance(before, action)
        row = dict.fromkeys(EVENT_COLUMNS, "") | {"recorded_at": "2026-11-02T01:02:03.000+00:00"}
        row |= {"sequence": number, "event_id": f"e{number}"}
        row |= {"case_id": case, "version": version + 1, "event": event.value, "actor": actor.account}
        row |= {"office": actor.office, "role": actor.role.value, "happened_on": day}
        self.rows.append(row | {"payload": json.dumps(told)})
        return self

    @property
    def events(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.rows, columns=list(EVENT_COLUMNS))
        return frame.assign(happened_on=pd.to_datetime(frame["happened_on"]))
