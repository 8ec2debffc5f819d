"""Errors that say where, what was found, what is allowed and how to put it right.

Everything a user can cause is a :class:`HuanjieError`; the command line prints its Chinese text and exits
with a non-zero code, without a traceback. Anything else is a defect of the program. No message ever holds
a person's name or number: rows are named by table, file, sheet and row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "DataError",
    "EarlyTokenError",
    "EventClashError",
    "ExpiredTokenError",
    "Fault",
    "ForgedTokenError",
    "HuanjieError",
    "LedgerBusyError",
    "LedgerError",
    "LedgerFullError",
    "LedgerVersionError",
    "ParameterError",
    "StaleVersionError",
    "TokenError",
    "TransitionError",
    "UsageError",
    "WrongPurposeError",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one place.

    Parameters
    ----------
    where
        Place in words a clerk can find: file, sheet, row and column, or the path of a key in a pack.
    found
        What stands there.
    allowed
        What may stand there.
    remedy
        What to do about it.

    Examples
    --------
    >>> print(Fault("权重.yaml：dimensions[2].weight", "1.4", "0 到 1 之间的数", "改为 0 到 1 之间的权重"))
    权重.yaml：dimensions[2].weight：发现“1.4”；应为：0 到 1 之间的数；处理办法：改为 0 到 1 之间的权重。
    """

    where: str
    found: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        """Return the fault as one Chinese sentence."""
        return f"{self.where}：发现“{self.found}”；应为：{self.allowed}；处理办法：{self.remedy}。"


class HuanjieError(Exception):
    """An error a user can put right.

    Parameters
    ----------
    summary
        One Chinese sentence: what could not be done.
    faults
        Every fault found, not only the first.

    Examples
    --------
    >>> error = HuanjieError("参数包被拒绝", [Fault("a", "b", "c", "d")])
    >>> len(error.faults)
    1
    >>> print(error)
    参数包被拒绝（共 1 处问题）
      1. a：发现“b”；应为：c；处理办法：d。
    """

    exit_code = 2

    def __init__(self, summary: str, faults: Sequence[Fault] = ()) -> None:
        self.summary = summary
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__(summary)

    def __str__(self) -> str:
        """Return the summary and, below it, every fault on a line of its own."""
        if not self.faults:
            return self.summary
        lines = [f"{self.summary}（共 {len(self.faults)} 处问题）"]
        lines += [f"  {number}. {fault}" for number, fault in enumerate(self.faults, start=1)]
        return "\n".join(lines)


class UsageError(HuanjieError):
    """A command was called in a way that cannot work (missing folder, port in use, unknown option value)."""

    exit_code = 2


class DataError(HuanjieError):
    """A table or file cannot be used at all (no such column, empty sheet, wrong CRS)."""

    exit_code = 3


class ParameterError(HuanjieError):
    """A parameter pack is refused; every fault in it is listed."""

    exit_code = 4


class TransitionError(HuanjieError):
    """An event may not happen to this case, now, by this account; the ledger is unchanged."""

    exit_code = 5


class StaleVersionError(HuanjieError):
    """A lost race: the case has moved on since it was read; the ledger is unchanged.

    Parameters
    ----------
    case_id
        Case that was to be changed.
    expected, found
        Version the event was made for, and the one that stands in the ledger (0: no such case yet).

    Examples
    --------
    >>> print(StaleVersionError("C1", expected=3, found=4))
    案件 C1 已被他人更新，本次操作没有登记（共 1 处问题）
      1. 案件 C1：发现“第 4 版”；应为：第 3 版；处理办法：刷新后核对最新情况，再操作一次。
    """

    exit_code = 5

    def __init__(self, case_id: str, *, expected: int, found: int) -> None:
        self.case_id = case_id
        self.expected = expected
        self.found = found
        remedy = "刷新后核对最新情况，再操作一次"
        fault = Fault(f"案件 {case_id}", f"第 {found} 版", f"第 {expected} 版", remedy)
        super().__init__(f"案件 {case_id} 已被他人更新，本次操作没有登记", [fault])


class LedgerError(HuanjieError):
    """The ledger cannot be opened, read or written; nothing is half done."""

    exit_code = 6


class LedgerBusyError(LedgerError):
    """Someone else held the ledger for longer than one waits; the event is not recorded."""


class LedgerFullError(LedgerError):
    """The disk is full; the event is not recorded."""


class LedgerVersionError(LedgerError):
    """The ledger, or the SQLite or PostgreSQL under it, is older or newer than this program needs."""


class EventClashError(LedgerError):
    """An event or run with this id stands in the ledger with another content."""


class TokenError(HuanjieError):
    """A request to the writer whose token does not say who asks; nothing was done."""

    exit_code = 7


class ForgedTokenError(TokenError):
    """No token, or one that was not signed with this key."""


class ExpiredTokenError(TokenError):
    """A token older than its life."""


class EarlyTokenError(TokenError):
    """A token from the future: a clock has been put back since."""


class WrongPurposeError(TokenError):
    """A token that was signed for something else."""
