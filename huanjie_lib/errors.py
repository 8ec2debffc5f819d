"""Errors that say where, what was found, what is allowed and how to put it right.

Everything a user can cause is a :class:`HuanjieError`; the command line prints its Chinese text and exits
with a non-zero code, without a traceback. Anything else is a defect of the program. No message ever holds
a person's name or number: rows are named by table, file, sheet and row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["DataError", "Fault", "HuanjieError", "ParameterError", "UsageError"]


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
