"""Requests that people make about the data held on them: an append-only log with a hash chain of its own.

A person may ask for a copy, for correction and for deletion (个人信息保护法 arts. 45-47). A request is
received on a day, is due on a working day from the parameter pack, and is answered once, with a reason where
it is not done in full. Whose request it is stands there as a pseudonym; what is to be corrected stands in the
letter of whoever asks, not here.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

import pandas as pd
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from huanjie_lib.access.hiding import holds_number
from huanjie_lib.access.masking import MASKED_ROLES, SHORTEST_REASON
from huanjie_lib.casework.events import Actor, ChainFault, Head
from huanjie_lib.errors import Fault, TransitionError
from huanjie_lib.store import schema
from huanjie_lib.store.chains import add_row, chain_frame, known_row, verify_rows
from huanjie_lib.vocabulary import RequestKind, RequestResult, RequestStep, date_text

__all__ = [
    "REQUEST_COLUMNS",
    "REQUEST_EVENT_COLUMNS",
    "RequestEvent",
    "record_request",
    "request_events",
    "requests_frame",
    "verify_requests",
]

REQUEST_EVENT_COLUMNS: Final = tuple(column.name for column in schema.request_events.columns)
"""Columns of the log."""
REQUEST_COLUMNS: Final = (
    "request_id",
    "kind",
    "person_ref",
    "received_on",
    "due_on",
    "answered_on",
    "result",
    "reason",
    "account",
)
"""Columns of :func:`requests_frame`: one row a request, dates as ISO text, empty while it is open."""

_REF: Final = r"^[A-Za-z0-9_-]{1,64}$"


class RequestEvent(BaseModel):
    """One step of a request.

    Parameters
    ----------
    event_id
        Unique id made by whoever records; asking again with the same id changes nothing.
    request_id
        The request.
    step
        Whether it is received or answered.
    kind, person_ref
        What is asked, and by whom, as pseudonym.
    happened_on
        Day it was received or answered.
    due_on
        Last day for the answer.
    result
        How it was answered; ``None`` when it is received.
    reason
        Why it was not done in full, or a note; no name and no number.

    Examples
    --------
    >>> day = dt.date(2026, 11, 2)
    >>> step = RequestEvent(event_id="e1", request_id="r1", step="answer", kind="delete", person_ref="P1",
    ...                     happened_on=day, due_on=day, result="refused")
    >>> [str(fault) for fault in step.faults()]
    ['理由：发现“0 个字”；应为：不予办理时不少于 4 个字；处理办法：写明理由。']
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    event_id: Annotated[str, Field(pattern=_REF)]
    request_id: Annotated[str, Field(pattern=_REF)]
    step: RequestStep
    kind: RequestKind
    person_ref: Annotated[str, Field(pattern=_REF)]
    happened_on: dt.date
    due_on: dt.date
    result: RequestResult | None = None
    reason: Annotated[str, Field(max_length=500)] = ""

    def faults(self) -> list[Fault]:
        """Return what is wrong with the step in itself."""
        faults = []
        if (self.result is None) is (self.step is RequestStep.ANSWER):
            allowed = "、".join(RequestResult.labels().values()) if self.result is None else "不填"
            found = "没有填写" if self.result is None else self.result.label
            faults.append(Fault("办理结果", found, allowed, "改正后再登记"))
        length = len(self.reason.strip())
        if self.result not in {None, RequestResult.DONE} and length < SHORTEST_REASON:
            assert self.result is not None
            allowed = f"{self.result.label}时不少于 {SHORTEST_REASON} 个字"
            faults.append(Fault("理由", f"{length} 个字", allowed, "写明理由"))
        if holds_number(self.reason):
            faults.append(Fault("理由", "写有身份证号或手机号", "不写号码", "去掉号码后再登记"))
        if self.step is RequestStep.RECEIVE and self.due_on < self.happened_on:
            allowed = f"不早于{date_text(self.happened_on)}"
            faults.append(Fault("答复期限", date_text(self.due_on), allowed, "改正日期"))
        return faults


def record_request(
    connection: sa.Connection, event: RequestEvent, actor: Actor, recorded_at: str
) -> dict[str, Any]:
    """Record a step of a request within a transaction that holds the ledger; return its row.

    Raises
    ------
    TransitionError
        If the account may not do so, the step is not whole, or does not follow from those before.
    EventClashError
        If another step has this id.
    """
    stated = {
        **event.model_dump(mode="json"),
        "result": "" if event.result is None else event.result.value,
        "reason": event.reason.strip(),
        "account": actor.account,
        "office": actor.office,
        "role": actor.role.value,
    }
    faults = event.faults()
    if actor.role not in MASKED_ROLES or not actor.account.strip():
        allowed = "、".join(role.label for role in MASKED_ROLES) + "的账号"
        faults.append(Fault("操作角色", actor.role.label, allowed, "由有权的账号登记"))
    if faults:
        raise TransitionError("申请没有登记", faults)
    known = known_row(connection, schema.request_events, stated, "申请记录")
    if known is not None:
        return known
    c = schema.request_events.c
    query = sa.select(schema.request_events).where(c.request_id == event.request_id).order_by(c.number)
    before = [dict(row) for row in connection.execute(query).mappings()]
    faults = _order_faults(event, before)
    if faults:
        raise TransitionError("申请没有登记", faults)
    return add_row(connection, schema.request_events, stated, recorded_at)


def _order_faults(event: RequestEvent, before: list[dict[str, Any]]) -> list[Fault]:
    """Return why a step cannot follow those before."""
    where = f"申请 {event.request_id}"
    if event.step is RequestStep.RECEIVE:
        if not before:
            return []
        return [Fault(where, "编号已用于另一件申请", "没有用过的编号", "换一个编号")]
    if not before:
        return [Fault(where, "没有收到过", "已登记的申请", "先用 huanjie request open 登记")]
    if before[-1]["step"] == RequestStep.ANSWER.value:
        return [Fault(where, "已经答复", "没有答复过的申请", "本人再次提出的，另行登记")]
    received, faults = before[0], []
    same = {name: received[name] for name in ("kind", "person_ref", "due_on")}
    if same != {name: event.model_dump(mode="json")[name] for name in same}:
        faults.append(Fault(where, "事项、人员或期限与收到时不同", "收到时登记的内容", "改正后再登记"))
    if event.happened_on < dt.date.fromisoformat(received["happened_on"]):
        allowed = f"不早于收到之日{date_text(dt.date.fromisoformat(received['happened_on']))}"
        faults.append(Fault("答复日期", date_text(event.happened_on), allowed, "改正日期"))
    return faults


def request_events(connection: sa.Connection) -> pd.DataFrame:
    """Return every step in the order they were recorded, columns :data:`REQUEST_EVENT_COLUMNS`."""
    return chain_frame(connection, sa.select(schema.request_events), schema.request_events)


def requests_frame(events: pd.DataFrame) -> pd.DataFrame:
    """Return the requests that steps tell of, those due first on top.

    Parameters
    ----------
    events
        From :func:`request_events`.

    Returns
    -------
    pandas.DataFrame
        :data:`REQUEST_COLUMNS`; ``account`` is whoever acted last.
    """
    by_step = {step: events[events["step"] == step.value] for step in RequestStep}
    received = by_step[RequestStep.RECEIVE].rename(columns={"happened_on": "received_on"})
    answered = by_step[RequestStep.ANSWER].rename(columns={"happened_on": "answered_on"})
    frame = received[["request_id", "kind", "person_ref", "received_on", "due_on", "account"]].merge(
        answered[["request_id", "answered_on", "result", "reason", "account"]],
        on="request_id",
        how="left",
        suffixes=("_first", ""),
    )
    frame["account"] = frame["account"].where(frame["account"].notna(), frame["account_first"])
    frame = frame.fillna({"answered_on": "", "result": "", "reason": ""})
    frame = frame.sort_values(["due_on", "received_on", "request_id"], kind="stable", ignore_index=True)
    return frame[list(REQUEST_COLUMNS)].astype("str")


def verify_requests(rows: pd.DataFrame, head: Head | None) -> list[ChainFault]:
    """Return every step that is not as it was recorded.

    Parameters
    ----------
    rows
        :data:`REQUEST_EVENT_COLUMNS` as stored, by number.
    head
        A head kept elsewhere: without one, what was cut off at the end leaves no trace.
    """
    kept = Head() if head is None else head
    return verify_rows(
        rows,
        schema.request_events,
        kind="request",
        noun="申请记录",
        kept=(kept.sequence, kept.requests, kept.requests_hash),
    )
