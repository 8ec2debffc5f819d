"""A ledger with something in each of its tables, for tests that carry whole ledgers about."""

from __future__ import annotations

import datetime as dt
import io
from contextlib import closing
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from huanjie_lib.casework.events import Actor, Head
from huanjie_lib.store import schema
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.decisions import Decision
from huanjie_lib.store.engine import connect
from huanjie_lib.store.heads import write_head
from huanjie_lib.store.ledger import Ledger, PublishedRun, open_ledger
from huanjie_lib.store.requests import RequestEvent
from huanjie_lib.vocabulary import CaseEvent, Role
from tests.offices import CITY, act, life

__all__ = ["DAYS", "PHOTO", "fill", "filled", "rows_of"]

DAYS = (dt.date(2026, 11, 2), dt.date(2026, 11, 3))
PHOTO = b"photo"
TALENT = Actor("zzb-01", "组织部", Role.TALENT)
UNIT = "990101101201"


def fill(ledger: Ledger, heads: Path) -> Head:
    """Record runs, cases, evidence, a decision, an access, a request and two daily heads; return the end."""
    file = ledger.evidence.put(io.BytesIO(PHOTO), name="公示.jpg", media_type="image/jpeg").to_json()
    index = pd.DataFrame({"unit_code": [UNIT, "990101101202"], "index": [0.1 + 0.2, None], "level": "red"})
    for number, day in enumerate(DAYS, start=1):
        run_id = f"{number:064x}"
        run = PublishedRun(run_id, day, "p", "chen", index, [f"plan/C{number}"])
        ledger.publish(run, [act(CaseEvent.OPEN, CITY, 0, case_id=f"C{number}", run=run_id)])
        write_head(ledger, heads, day)
    for action in list(life("C3"))[:8]:
        change = {"evidence": [file]} if action.event is CaseEvent.RECTIFY else {}
        ledger.append(type(action)(**{**vars(action), "payload": {**action.payload, **change}}))
    about = {"unit_code": UNIT, "post": "director", "person_ref": "P1", "choice": "accept"}
    ledger.decide(
        Decision.model_validate(
            {"decision_id": "d1", "talent_run": "ab" * 32, "departs": False, "expected": 0} | about
        ),
        CITY,
    )
    entry = {"entry_id": "e1", "action": "unmask", "purpose": "identity", "subject": "P1", "detail": "姓名"}
    ledger.log_access(AccessEntry.model_validate(entry | {"reason": "考察谈话通知本人"}), TALENT)
    step = {"event_id": "q1", "request_id": "r1", "step": "receive", "kind": "copy", "person_ref": "P1"}
    ledger.request(RequestEvent.model_validate(step | {"happened_on": DAYS[0], "due_on": DAYS[1]}), TALENT)
    write_head(ledger, heads, DAYS[1])
    head = ledger.head()
    assert min(head.sequence, head.runs, head.decisions, head.access, head.requests) > 0
    assert ledger.verify(head) == []
    return head


def filled(folder: Path) -> Path:
    """Make a SQLite ledger with rows in all tables; return its folder."""
    with open_ledger(folder, create=True) as ledger:
        fill(ledger, folder / "heads")
    return folder


def rows_of(url: str | Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table at the newest revision, in an order that no database decides."""
    with closing(connect(url)) as store, store.reading() as connection:
        return {
            name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for name, table in schema.METADATA.tables.items()
        }
