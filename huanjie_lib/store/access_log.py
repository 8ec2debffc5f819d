"""The access log: who did what with the data of people, why and when; append-only, in a chain of hashes.

An entry stands on the disk before what it tells of is shown or handed out. It names people by pseudonym and
holds neither a name nor a number; what a reason says is checked for numbers here, and freed of known names by
whoever knows them (:func:`huanjie_lib.access.hiding.without_names`).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final, Self

import pandas as pd
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from huanjie_lib.access.hiding import holds_number
from huanjie_lib.access.masking import MASKED_ROLES, SHORTEST_REASON
from huanjie_lib.casework.events import Actor, ChainFault, Head
from huanjie_lib.contracts import Purpose
from huanjie_lib.errors import Fault, TransitionError
from huanjie_lib.store import schema
from huanjie_lib.store.chains import add_row, chain_frame, from_page, known_row, verify_rows
from huanjie_lib.vocabulary import AccessAction, Role

__all__ = ["ACCESS_COLUMNS", "AccessEntry", "access_frame", "record_access", "verify_access"]

ACCESS_COLUMNS: Final = tuple(column.name for column in schema.access_log.columns)
"""Columns of the log."""

_REASONED: Final = frozenset({AccessAction.UNMASK, AccessAction.DELETE, AccessAction.REQUEST})
"""What is done to the data of single people, each time for a stated reason."""
_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))


class AccessEntry(BaseModel):
    """One thing done with the data of people.

    Parameters
    ----------
    entry_id
        Unique id made by whoever asks; asking again with the same id changes nothing.
    action
        What is done.
    purpose
        Purpose of the data (:data:`huanjie_lib.contracts.Purpose`).
    subject
        Pseudonym of the person, or name of the table, screen or file.
    detail
        What of it, in words of the program.
    digest
        SHA-256 of the file handed out or of the manifest opened; empty where there is none.
    items
        Number of rows or files; 0 where it says nothing.
    reason
        Why, in the words of whoever asks; needed for what is done to the data of single people.

    Examples
    --------
    >>> entry = AccessEntry(entry_id="e1", action="unmask", purpose="identity", subject="P1", reason="谈话")
    >>> [str(fault) for fault in entry.faults()]
    ['事由：发现“2 个字”；应为：不少于 4 个字；处理办法：写明工作事由。']
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    entry_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    action: Annotated[AccessAction, Field(strict=False)]
    purpose: Purpose
    subject: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,200}$")]
    detail: Annotated[str, Field(max_length=200)] = ""
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    items: Annotated[int, Field(ge=0)] = 0
    reason: Annotated[str, Field(max_length=500)] = ""

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read an entry; unknown and missing keys are refused, and no value is repeated in the error.

        Raises
        ------
        TransitionError
            With every fault found.
        """
        return from_page(cls, text, "查阅记录不能识别")

    def faults(self) -> list[Fault]:
        """Return what is wrong with the entry in itself."""
        faults = []
        length = len(self.reason.strip())
        if self.action in _REASONED and length < SHORTEST_REASON:
            allowed = f"不少于 {SHORTEST_REASON} 个字"
            faults.append(Fault("事由", f"{length} 个字", allowed, "写明工作事由"))
        for name, text in (("事由", self.reason), ("对象", self.subject), ("内容", self.detail)):
            if holds_number(text):
                found, allowed = "写有身份证号或手机号", "不写号码"
                faults.append(Fault(name, found, allowed, "去掉号码后再操作，人员用代号"))
        return faults


def record_access(
    connection: sa.Connection, entry: AccessEntry, actor: Actor, recorded_at: str
) -> dict[str, Any]:
    """Record an entry within a transaction that holds the ledger; return its row.

    Raises
    ------
    TransitionError
        If the account may not do it, or the entry is not whole.
    EventClashError
        If another entry has this id.
    """
    stated = {
        **entry.model_dump(),
        "action": entry.action.value,
        "reason": entry.reason.strip(),
        "account": actor.account,
        "office": actor.office,
        "role": actor.role.value,
    }
    faults = entry.faults() + _refusals(entry, actor)
    if faults:
        raise TransitionError(f"没有{entry.action.label}", faults)
    known = known_row(connection, schema.access_log, stated, "查阅记录")
    return known or add_row(connection, schema.access_log, stated, recorded_at)


def _refusals(entry: AccessEntry, actor: Actor) -> list[Fault]:
    faults = []
    if not actor.account.strip():
        faults.append(Fault("账号", "（空）", "登录账号", "登录后再操作"))
    if entry.action is AccessAction.UNMASK and actor.role not in MASKED_ROLES:
        allowed = "、".join(role.label for role in MASKED_ROLES)
        faults.append(Fault("操作角色", actor.role.label, allowed, "由有权的账号操作"))
    if actor.role is Role.SYSTEM:
        faults.append(Fault("操作角色", actor.role.label, "某个单位的账号", "由有权的账号操作"))
    return faults


def access_frame(
    connection: sa.Connection, *, since: dt.date | None = None, account: str | None = None
) -> pd.DataFrame:
    """Return entries in the order they were recorded.

    Parameters
    ----------
    since
        First day, Chinese time.
    account
        Only those of this account.

    Returns
    -------
    pandas.DataFrame
        :data:`ACCESS_COLUMNS`.
    """
    c = schema.access_log.c
    query = sa.select(schema.access_log)
    if account is not None:
        query = query.where(c.account == account)
    if since is not None:
        begin = dt.datetime.combine(since, dt.time(), _BEIJING).astimezone(dt.UTC)
        query = query.where(c.recorded_at >= begin.isoformat(timespec="milliseconds"))
    return chain_frame(connection, query, schema.access_log)


def verify_access(rows: pd.DataFrame, head: Head | None) -> list[ChainFault]:
    """Return every entry that is not as it was recorded.

    Parameters
    ----------
    rows
        :data:`ACCESS_COLUMNS` as stored, by number.
    head
        A head kept elsewhere: without one, what was cut off at the end leaves no trace.
    """
    kept = Head() if head is None else head
    return verify_rows(
        rows,
        schema.access_log,
        kind="access",
        noun="查阅记录",
        kept=(kept.sequence, kept.access, kept.access_hash),
    )
