"""A ledger of cases over the small run, for the screen of the closed loop."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.casework.audit_ledger import audit_ledger
from huanjie_lib.casework.conflict_ledger import conflict_ledger
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.store.ledger import Ledger, PublishedRun, open_ledger
from huanjie_lib.store.run_folder import Run
from huanjie_lib.vocabulary import CaseEvent, CaseKind, Role

OPENED = dt.date(2026, 10, 31)
CITY = Actor("chen", "市换届办", Role.CITY)
TOWN = Actor("zhao", "石桥镇", Role.TOWNSHIP, ("990101102",))
RED = "990101102201"
HOSTILE_CODE = "990101101202"


@dataclass
class Loop:
    """A ledger with its writer: every call is one event."""

    ledger: Ledger
    run: Run
    events: int = field(default=0)

    def act(
        self, case_id: str, event: CaseEvent, actor: Actor, payload: Mapping[str, Any], *, day: int = 0
    ) -> None:
        """Let something happen to a case, a number of days after it was opened."""
        self.events += 1
        version = 0 if event is CaseEvent.OPEN else self.ledger.case(case_id).version
        happened_on = OPENED + dt.timedelta(days=day)
        self.ledger.append(
            Action(f"e{self.events}", case_id, event, actor, happened_on, version, dict(payload))
        )

    def open(
        self,
        case_id: str,
        unit_code: str,
        kind: CaseKind = CaseKind.PLAN,
        *,
        cause: str = "",
        title: str = "红色村缺化解方案",
        subject: str = "",
    ) -> str:
        """Open a case about a unit of the run."""
        unit = self.run.units.set_index("unit_code").loc[unit_code]
        told = {
            "unit_code": unit_code,
            "unit_name": unit["unit_name"],
            "township_code": unit["township_code"],
            "township_name": unit["township_name"],
            "kind": kind.value,
            "cause": cause or f"{kind.value}/{unit_code}/{case_id}",
            "title": title,
            "reason": f"{title}，依据报送数据。",
            "subject": subject,
            "restricted": kind is CaseKind.SIGNAL,
            "run": "r1",
        }
        self.act(case_id, CaseEvent.OPEN, CITY, told)
        return case_id

    def dispatch(self, case_id: str, owner: str = "石桥镇", *, due: int = 14) -> str:
        """Dispatch a case; ``due`` is in days after it was opened."""
        due_on = (OPENED + dt.timedelta(days=due)).isoformat()
        self.act(case_id, CaseEvent.DISPATCH, CITY, {"owner": owner, "due_on": due_on, "note": ""}, day=1)
        return case_id

    def rectify(
        self, case_id: str, actor: Actor = TOWN, *, amendments: list[dict[str, Any]] | None = None
    ) -> str:
        """Rectify a case with one evidence file."""
        kept = self.ledger.evidence.put(io.BytesIO(b"photo"), name="公示照片.jpg", media_type="image/jpeg")
        told = {"note": "已补办", "evidence": [kept.to_json()], "amendments": amendments or []}
        self.act(case_id, CaseEvent.RECTIFY, actor, told, day=3)
        return case_id

    def close(self, case_id: str, actor: Actor = TOWN) -> str:
        """Submit a case and close it."""
        self.act(case_id, CaseEvent.SUBMIT, actor, {"note": ""}, day=4)
        self.act(case_id, CaseEvent.CLOSE, CITY, {"note": "属实"}, day=6)
        return case_id

    def publish(self, run_id: str, causes: list[str], *, as_of: dt.date = OPENED) -> None:
        """Publish a run that has alerted some causes."""
        index = self.run.index[["unit_code", "index", "level"]]
        self.ledger.publish(PublishedRun(run_id, as_of, "1", "chen", index, causes), [])


@pytest.fixture
def loop(tmp_path: Path, small_run: Run) -> Loop:
    """Return an empty ledger over the small run."""
    return Loop(open_ledger(tmp_path / "store", create=True), small_run)


@pytest.fixture
def ledgers(small_run: Run) -> dict[str, pd.DataFrame]:
    """Return ledgers of the small run as its folder would hold them, small enough to read here."""
    fields = [
        {"column": "leader", "label": "包干领导", "kind": "string", "required": False, "options": None},
        {"column": "leader_on", "label": "包干日期", "kind": "date", "required": False, "options": None},
    ]
    rows = [
        {
            "unit_code": code,
            "item_id": "unit_plans/-",
            "causes": "plan",
            "table": "unit_plans",
            "insert": False,
            "key": "{}",
            "fixed": "{}",
            "label": "包干领导、稳控预案、化解方案",
            "fields": json.dumps(fields, ensure_ascii=False),
        }
        for code in small_run.units["unit_code"]
    ]
    prepared = prepare({"units": small_run.units})
    audit = audit_ledger(prepared, small_run.parameters, OPENED)
    conflict = conflict_ledger(prepared, small_run.parameters, OPENED)
    none: Callable[..., pd.DataFrame] = lambda *columns: pd.DataFrame(columns=list(columns))  # noqa: E731
    return {
        "audit_units": audit.units,
        "audit_problems": audit.problems,
        "handover": audit.handover,
        "conflict_units": conflict.units,
        "disputes": conflict.disputes,
        "alerts": none("unit_code", "cause", "owner", "due_on"),
        "rectifiable": pd.DataFrame(rows),
        "amendments": none("sequence", "case_id", "unit_code", "table", "key", "column", "before", "after"),
        "regained": none("unit_code", "indicator", "points_before", "points_after"),
        "regained_units": none(
            *("unit_code", "index_before", "index_after", "level_before", "level_after"),
            *("blocked_before", "blocked_after"),
        ),
    }
