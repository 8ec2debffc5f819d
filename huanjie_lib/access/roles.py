"""What a role may read: asked of the one list (:data:`huanjie_lib.access.grants.GRANTS`)."""

from __future__ import annotations

from huanjie_lib.access.grants import GRANTS, Grant
from huanjie_lib.contracts import Purpose
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.vocabulary import Role

__all__ = ["columns_for", "grant_of", "may_read", "require"]

_WORDS: dict[Purpose, str] = {
    "reference": "基础对照",
    "risk": "选情研判",
    "casework": "整改督办",
    "talent": "人才工作",
    "identity": "身份核对",
    "validation": "模型检验",
    "operations": "运行管理",
}


def grant_of(table: str) -> Grant:
    """Return what may be read of a table.

    Raises
    ------
    KeyError
        If the table is not in the list: nobody reads what has not been thought about.
    """
    return GRANTS[table]


def may_read(role: Role, table: str, purpose: Purpose | None = None) -> bool:
    """Tell whether a role may read a table, for any purpose or this one.

    Tables of reference serve every purpose; the program itself (:attr:`Role.SYSTEM`) reads all.

    Examples
    --------
    >>> may_read(Role.COUNTY, "restricted/talks"), may_read(Role.READER, "restricted/talks")
    (True, False)
    >>> may_read(Role.TALENT, "talent/people", "talent"), may_read(Role.TALENT, "talent/people", "risk")
    (True, False)
    """
    grant = grant_of(table)
    for_it = purpose is None or grant.purpose in {purpose, "reference"}
    return for_it and (role is Role.SYSTEM or role in grant.readers)


def columns_for(role: Role, table: str) -> list[str]:
    """Return the columns of a table that a role may read, in order; none where it may not read the table.

    Examples
    --------
    >>> "published_by" in columns_for(Role.READER, "store/runs")
    False
    """
    grant = grant_of(table)
    return [name for name, roles in grant.columns.items() if role is Role.SYSTEM or role in roles]


def require(role: Role, table: str, purpose: Purpose | None = None) -> Grant:
    """Return what may be read of a table, or refuse.

    Raises
    ------
    UsageError
        If the role may not read it, or not for this purpose.

    Examples
    --------
    >>> require(Role.READER, "restricted/talks")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.UsageError: 没有查阅的权限（共 1 处问题）
      1. restricted/talks：发现“只读”；应为：市换届办、县换届办；处理办法：由有权的账号操作。
    """
    grant = grant_of(table)
    if may_read(role, table, purpose):
        return grant
    if role in grant.readers and purpose is not None:
        fault = Fault(table, f"用于{_WORDS[purpose]}", f"只用于{_WORDS[grant.purpose]}", "按规定的用途查阅")
    else:
        allowed = "、".join(r.label for r in Role if r in grant.readers) or "任何角色都不能整表查阅"
        fault = Fault(table, role.label, allowed, "由有权的账号操作")
    raise UsageError("没有查阅的权限", [fault])
