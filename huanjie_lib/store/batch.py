"""Many actions at once: each is an event of its own, and what became of each is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from huanjie_lib.casework.events import Action, Actor, Recorded
from huanjie_lib.errors import (
    EventClashError,
    Fault,
    HuanjieError,
    LedgerError,
    StaleVersionError,
    TransitionError,
)
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.vocabulary import CaseEvent

__all__ = ["MOST_AT_ONCE", "Outcome", "append_each", "read_dispatches"]

MOST_AT_ONCE: Final = 200
"""Cases that are dispatched at once, at most."""


@dataclass(frozen=True)
class Outcome:
    """What became of an action: the recorded event, or why there is none."""

    action: Action
    recorded: Recorded | None = None
    error: HuanjieError | None = None


def append_each(ledger: Ledger, actions: Iterable[Action]) -> tuple[Outcome, ...]:
    """Record each action as an event of its own; one that fails keeps none of the others from being recorded.

    Where the ledger itself cannot be written, the rest is not tried: it gets the same error. Asking again
    with the same event ids is safe: what stands already is given back and not doubled.

    Parameters
    ----------
    ledger
        Open for writing.
    actions
        Actions in the order in which they are recorded.

    Returns
    -------
    tuple of Outcome
        One for each action, in their order.
    """
    outcomes: list[Outcome] = []
    broken: LedgerError | None = None
    for action in actions:
        if broken is not None:
            outcomes.append(Outcome(action, error=broken))
            continue
        try:
            outcomes.append(Outcome(action, recorded=ledger.append(action)))
        except (TransitionError, StaleVersionError, EventClashError) as error:
            outcomes.append(Outcome(action, error=error))
        except LedgerError as error:
            outcomes.append(Outcome(action, error=error))
            broken = error
    return tuple(outcomes)


def read_dispatches(text: str | bytes, *, actor: Actor) -> tuple[Action, ...]:
    """Read what a page asks for: ``{"actions": [...]}``, each as :meth:`Action.from_json` reads it.

    Raises
    ------
    TransitionError
        If it is of another form, holds none or more than :data:`MOST_AT_ONCE`, the same case twice, or
        anything but dispatches.

    Examples
    --------
    >>> from huanjie_lib.vocabulary import Role
    >>> read_dispatches('{"actions": []}', actor=Actor("a", "市换届办", Role.CITY))
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.TransitionError: 批量派单没有登记（共 1 处问题）
      1. 案件数：发现“0 件”；应为：1 到 200 件；处理办法：勾选案件后再派单，更多的分几次办理。
    """
    try:
        told = json.loads(text)
        rows = told["actions"] if set(told) == {"actions"} else None
    except (ValueError, TypeError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        raise _refused(Fault("操作请求", "不能识别", "一组派单", "刷新页面后重试"))
    if not 1 <= len(rows) <= MOST_AT_ONCE:
        allowed, remedy = f"1 到 {MOST_AT_ONCE} 件", "勾选案件后再派单，更多的分几次办理"
        raise _refused(Fault("案件数", f"{len(rows)} 件", allowed, remedy))
    actions = tuple(Action.from_json(json.dumps(row), actor=actor) for row in rows)
    if len({action.case_id for action in actions}) < len(actions):
        raise _refused(Fault("案件", "同一件案件出现两次", "每件案件一次", "刷新页面后重试"))
    if any(action.event is not CaseEvent.DISPATCH for action in actions):
        raise _refused(Fault("操作", "派单以外的操作", CaseEvent.DISPATCH.label, "其他操作逐件办理"))
    return actions


def _refused(fault: Fault) -> TransitionError:
    return TransitionError("批量派单没有登记", [fault])
