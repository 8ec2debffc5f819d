"""Decisions of named people on what the matcher proposes: an append-only log with a hash chain of its own.

A proposal is advice. Whoever decides accepts it, takes somebody else, or rejects it; a decision that departs
from the advice says why. Of decisions on one person for one post the last one stands, and none is ever
changed. Whoever stands accepted for one post is not accepted for another unnoticed: whoever decides has seen
the other post and says why, or first changes what was decided there. Decisions name people by pseudonym
alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

import pandas as pd
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from huanjie_lib.casework.events import Actor, ChainFault, Head
from huanjie_lib.errors import Fault, StaleVersionError, TransitionError
from huanjie_lib.store import schema
from huanjie_lib.store.chains import add_row, chain_frame, from_page, known_row, verify_rows
from huanjie_lib.vocabulary import DecisionChoice, PostKind, Role

__all__ = [
    "DECIDERS",
    "DECISION_COLUMNS",
    "Decision",
    "accepted",
    "check_held",
    "decisions_frame",
    "named_in",
    "record",
    "renewed",
    "verify_decisions",
]

DECIDERS: Final = (Role.CITY, Role.TALENT)
"""Roles whose accounts decide on proposals."""

DECISION_COLUMNS: Final = tuple(column.name for column in schema.decisions.columns)
"""Columns of the log; ``departs`` is 0 or 1."""

_REF: Final = r"^[A-Za-z0-9_-]{1,64}$"
_SEEN: Final = frozenset({"expected", "held"})
"""Fields of a decision that say what was seen, and are not kept."""


class Decision(BaseModel):
    """One decision on one proposed person.

    Parameters
    ----------
    decision_id
        Unique id made by whoever asks; asking again with the same id changes nothing.
    talent_run
        SHA-256 of the manifest of the talent run that made the proposal.
    unit_code, post
        The post.
    person_ref
        The person proposed.
    choice
        Accepted, somebody else taken, or rejected.
    instead_ref
        Who is taken instead; empty unless somebody else is.
    reason
        Why; needed wherever the decision departs from the advice.
    departs
        Whether it departs from the advice: anything but accepting somebody whom the run proposed. The server
        that knows the run says so, never the page.
    expected
        Number of decisions on this post that whoever decides has seen.
    held
        Number of other posts for which whoever decides has seen that the person taken stands accepted.

    Examples
    --------
    >>> decision = Decision(decision_id="d1", talent_run="ab" * 32, unit_code="990101001201",
    ...     post="director", person_ref="P1", choice="reject", departs=True, expected=0)
    >>> [str(fault) for fault in decision.faults()]
    ['理由：发现“没有填写”；应为：不采纳建议时须写明理由；处理办法：填写理由后再登记。']
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    decision_id: Annotated[str, Field(pattern=_REF)]
    talent_run: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    unit_code: Annotated[str, Field(pattern=r"^[0-9]{12}$")]
    post: Annotated[PostKind, Field(strict=False)]
    person_ref: Annotated[str, Field(pattern=_REF)]
    choice: Annotated[DecisionChoice, Field(strict=False)]
    instead_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    reason: Annotated[str, Field(max_length=2000)] = ""
    departs: bool
    expected: Annotated[int, Field(ge=0)]
    held: Annotated[int, Field(ge=0)] = 0

    @property
    def taken(self) -> str:
        """Who is taken for the post; empty where nobody is."""
        return self.person_ref if self.choice is DecisionChoice.ACCEPT else self.instead_ref

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a decision; unknown and missing keys are refused, and no value is repeated in the error.

        Raises
        ------
        TransitionError
            With every fault found.
        """
        return from_page(cls, text, "决定不能识别")

    def faults(self) -> list[Fault]:
        """Return what is wrong with the decision in itself."""
        changed = self.choice is DecisionChoice.CHANGE
        faults = []
        if (self.departs or self.held) and not self.reason.strip():
            if self.choice is not DecisionChoice.ACCEPT:
                allowed = f"{self.choice.label}建议时须写明理由"
            elif self.departs:
                allowed = "所选人员不在建议名单内时须写明理由"
            else:
                allowed = "所选人员已被采纳到其他岗位时须写明理由"
            faults.append(Fault("理由", "没有填写", allowed, "填写理由后再登记"))
        if changed is not bool(self.instead_ref):
            found, allowed = ("没有填写", "改选的人员") if changed else ("已填写", "不填")
            faults.append(Fault("改选人员", found, allowed, "改正后再登记"))
        if changed and self.instead_ref == self.person_ref:
            faults.append(Fault("改选人员", "与建议人选相同", "另一名人员", "改为采纳，或另选人员"))
        if self.choice is not DecisionChoice.ACCEPT and not self.departs:
            faults.append(Fault("决定", self.choice.label, "与建议不同的决定", "刷新页面后重试"))
        return faults


def record(connection: sa.Connection, decision: Decision, actor: Actor, recorded_at: str) -> dict[str, Any]:
    """Record a decision within a transaction that holds the ledger; return its row.

    Raises
    ------
    TransitionError
        If the account may not decide on this post, the decision is not whole, or the person taken stands
        accepted for more posts than were seen.
    StaleVersionError
        If somebody else has decided on the post since.
    EventClashError
        If another decision has this id.
    """
    d = schema.decisions.c
    stated = {
        **{name: getattr(decision, name) for name in Decision.model_fields if name not in _SEEN},
        "departs": int(decision.departs),
        "post": decision.post.value,
        "choice": decision.choice.value,
        "account": actor.account,
        "office": actor.office,
        "role": actor.role.value,
    }
    faults = decision.faults() + _refusals(decision, actor)
    if faults:
        raise TransitionError("决定没有登记", faults)
    known = known_row(connection, schema.decisions, stated, "决定")
    if known is not None:
        return known
    here = sa.and_(d.unit_code == decision.unit_code, d.post == decision.post.value)
    found = connection.scalar(sa.select(sa.func.count()).select_from(schema.decisions).where(here)) or 0
    if found != decision.expected:
        name = f"{decision.unit_code} {decision.post.label}"
        raise StaleVersionError(name, expected=decision.expected, found=found)
    if decision.taken:
        about = sa.or_(d.person_ref == decision.taken, d.instead_ref == decision.taken)
        check_held(
            decision, chain_frame(connection, sa.select(schema.decisions).where(about), schema.decisions)
        )
    return add_row(connection, schema.decisions, stated, recorded_at)


def _refusals(decision: Decision, actor: Actor) -> list[Fault]:
    faults = []
    if actor.role not in DECIDERS:
        allowed = "、".join(role.label for role in DECIDERS)
        faults.append(Fault("操作角色", actor.role.label, allowed, "由有权限的账号登记"))
    if not actor.covers(decision.unit_code):
        faults.append(Fault("管辖范围", "不在账号管辖的地区", "管辖地区的岗位", "由该地区的账号登记"))
    return faults


def accepted(decisions: pd.DataFrame) -> pd.DataFrame:
    """Return who stands accepted for which post, by the last decision that names the person for it.

    Parameters
    ----------
    decisions
        :data:`DECISION_COLUMNS`, in any order.

    Returns
    -------
    pandas.DataFrame
        person_ref, unit_code, post and number (of the decision), by number. Several may stand
        accepted for one post: it has several seats, or more candidates than seats.

    Examples
    --------
    >>> made = pd.DataFrame({"number": [1, 2, 3], "unit_code": "u", "post": "director",
    ...     "person_ref": ["PA", "PB", "PB"], "choice": ["accept", "accept", "change"],
    ...     "instead_ref": ["", "", "PC"]})
    >>> accepted(made)[["person_ref", "number"]].to_numpy().tolist()
    [['PA', 1], ['PC', 3]]
    """
    named = decisions[["person_ref", "unit_code", "post", "number"]]
    first = named.assign(stands=decisions["choice"] == DecisionChoice.ACCEPT.value)
    instead = named.assign(person_ref=decisions["instead_ref"], stands=True)
    both = pd.concat([first, instead[instead["person_ref"] != ""]]).sort_values("number", kind="stable")
    last = both.drop_duplicates(["person_ref", "unit_code", "post"], keep="last")
    return last[last["stands"]].drop(columns="stands").reset_index(drop=True)


def check_held(decision: Decision, decisions: pd.DataFrame) -> None:
    """Refuse to take somebody who stands accepted for more other posts than whoever decides has seen.

    Parameters
    ----------
    decision
        What is to be recorded.
    decisions
        :data:`DECISION_COLUMNS` of all decisions that name the person, under the present pseudonym.

    Raises
    ------
    TransitionError
        Naming the posts.
    """
    stands = accepted(decisions)
    here = (stands["unit_code"] == decision.unit_code) & (stands["post"] == decision.post.value)
    others = stands[(stands["person_ref"] == decision.taken) & ~here]
    if len(others) > decision.held:
        posts = "、".join(others["unit_code"] + others["post"].map(PostKind.labels()))
        remedy = "先在那个岗位改选或不采纳；确需一人兼任的，核对后写明理由再登记"
        fault = Fault("人选", f"已被采纳到{posts}", "没有被采纳到其他岗位的人员", remedy)
        raise TransitionError("决定没有登记", [fault])


def decisions_frame(
    connection: sa.Connection, unit_code: str | None = None, post: str | None = None
) -> pd.DataFrame:
    """Return decisions in the order they were recorded, of one unit and post or all.

    Returns
    -------
    pandas.DataFrame
        :data:`DECISION_COLUMNS`.
    """
    d = schema.decisions.c
    query = sa.select(schema.decisions)
    for column, value in ((d.unit_code, unit_code), (d.post, post)):
        if value is not None:
            query = query.where(column == value)
    return chain_frame(connection, query, schema.decisions)


def renewed(decisions: pd.DataFrame, current: Mapping[str, str]) -> pd.DataFrame:
    """Return decisions that name people by the pseudonyms they have now.

    Parameters
    ----------
    decisions
        :data:`DECISION_COLUMNS`.
    current
        Present pseudonym by a former one (:meth:`huanjie_lib.access.keys.KeyRing.recognised`).

    Examples
    --------
    >>> made = pd.DataFrame({"person_ref": ["PA", "PB"], "instead_ref": ["", "PA"]})
    >>> renewed(made, {"PA": "PZ"}).to_numpy().tolist()
    [['PZ', ''], ['PB', 'PZ']]
    """
    names = ("person_ref", "instead_ref")
    return decisions.assign(**{name: decisions[name].replace(dict(current)) for name in names})


def named_in(decisions: pd.DataFrame) -> set[str]:
    """Return the pseudonyms that decisions name."""
    return {*decisions["person_ref"], *decisions["instead_ref"]} - {""}


def verify_decisions(rows: pd.DataFrame, head: Head | None) -> list[ChainFault]:
    """Return every decision that is not as it was recorded.

    Parameters
    ----------
    rows
        :data:`DECISION_COLUMNS` as stored, by number.
    head
        A head kept elsewhere: without one, what was cut off at the end leaves no trace.
    """
    kept = Head() if head is None else head
    return verify_rows(
        rows,
        schema.decisions,
        kind="decision",
        noun="人选决定",
        kept=(kept.sequence, kept.decisions, kept.decisions_hash),
    )
