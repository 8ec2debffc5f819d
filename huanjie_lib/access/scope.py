"""A role's view of a table: rows of its area, columns that it may read, for the purpose the table serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from huanjie_lib.access.grants import LINE, RESTRICTED
from huanjie_lib.access.roles import columns_for, may_read, require
from huanjie_lib.casework.events import Actor
from huanjie_lib.contracts import RESTRICTED_LEDGERS, Purpose
from huanjie_lib.vocabulary import Role

__all__ = ["SEES_RESTRICTED", "ledgers_for", "may_see", "view", "within"]

SEES_RESTRICTED: Final = RESTRICTED | {Role.SYSTEM}
"""Roles that see cases about signals, and ledgers by person, within their scope."""


def view(
    table: str,
    frame: pd.DataFrame,
    actor: Actor,
    purpose: Purpose,
    *,
    homes: pd.Series[str] | None = None,
) -> pd.DataFrame:
    """Return what of a table an account may see for a purpose.

    Parameters
    ----------
    table
        Where it lies and its name (:mod:`huanjie_lib.access.grants`).
    frame
        The table; it is not changed.
    actor
        Who looks.
    purpose
        What for.
    homes
        Unit code of people by ``person_ref``, for tables whose rows fall into an area by the person. Without
        it an account with an area sees none of their rows.

    Returns
    -------
    pandas.DataFrame
        Rows of the area and columns of the role, both in the order they had. Rows without a code are seen by
        accounts of the whole city alone.

    Raises
    ------
    UsageError
        If the role may not read the table, or not for this purpose.
    KeyError
        If the table is not in the list.
    ValueError
        If the frame has a column that is not in the list.

    Examples
    --------
    >>> from huanjie_lib.vocabulary import Role
    >>> leads = pd.DataFrame({"unit_code": ["990101001201", "990102001201"], "count": [1, 2]})
    >>> county = Actor("dongling", "东岭县换届办", Role.COUNTY, ("990101",))
    >>> view("tables/leads", leads, county, "risk")["count"].tolist()
    [1]
    >>> view("tables/leads", leads, Actor("a", "云溪镇", Role.TOWNSHIP, ("990101001",)), "risk")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.UsageError: 没有查阅的权限（共 1 处问题）
      1. tables/leads：发现“镇街”；应为：市换届办、县换届办；处理办法：由有权的账号操作。
    """
    grant = require(actor.role, table, purpose)
    unknown = [name for name in frame.columns if name not in grant.columns]
    if unknown:
        raise ValueError(f"columns of {table} without a grant: {unknown}")
    readable = set(columns_for(actor.role, table))
    kept = [name for name in frame.columns if name in readable]
    rows = frame if grant.area is None else frame[within(frame[grant.area], actor, homes=homes)]
    return rows[kept].reset_index(drop=True)


def ledgers_for(
    ledgers: Mapping[str, pd.DataFrame], actor: Actor, *, restricted: bool
) -> dict[str, pd.DataFrame]:
    """Return those ledgers of a run that an account may read, each cut to its area and columns.

    What can be put right, and what was, is told of the tables alone that the role may read.

    Parameters
    ----------
    ledgers
        Ledgers by name; they are not changed.
    actor
        Who looks.
    restricted
        Whether those by person and of talks are wanted.

    Raises
    ------
    UsageError
        If the role may read none of those that are wanted.

    Examples
    --------
    >>> from huanjie_lib.vocabulary import Role
    >>> left_out = pd.DataFrame({"kind": ["plan"], "item": ["x"]})
    >>> ledgers = {"alerts_left_out": left_out, "disputes": pd.DataFrame({"unit_code": ["990101001201"]})}
    >>> sorted(ledgers_for(ledgers, Actor("sun", "审计局", Role.AUDIT), restricted=False))
    ['alerts_left_out']
    """
    places = {name: f"restricted/{name}" for name in RESTRICTED_LEDGERS}
    if restricted and not any(may_read(actor.role, place) for place in places.values()):
        require(actor.role, "restricted/talks", "casework")
    require(actor.role, "ledgers/alerts", "casework")
    placed = {name: places.get(name, f"ledgers/{name}") for name in ledgers}
    return {
        name: _of_tables(view(place, ledgers[name], actor, "casework"), actor.role)
        for name, place in placed.items()
        if may_read(actor.role, place, "casework")
    }


def _of_tables(frame: pd.DataFrame, role: Role) -> pd.DataFrame:
    """Return a ledger without rows about tables that a role may not read.

    Offices of the line put right what they filed themselves, whatever it is about.
    """
    if "table" not in frame or role in LINE or role is Role.SYSTEM:
        return frame
    readable = {name for name in frame["table"].unique() if may_read(role, f"tables/{name}")}
    return frame[frame["table"].isin(readable)].reset_index(drop=True)


def may_see(cases: pd.DataFrame, actor: Actor) -> pd.Series[bool]:
    """Return which cases an account may see: those of its scope, and restricted ones only by role or office.

    Examples
    --------
    >>> cases = pd.DataFrame({"unit_code": ["990101001201", "990102001201"], "restricted": [True, False],
    ...     "owner": ["", ""]})
    >>> may_see(cases, Actor("a", "云溪镇", Role.TOWNSHIP, ("9901",))).tolist()
    [False, True]
    >>> may_see(cases, Actor("b", "县换届办", Role.COUNTY, ("990101",))).tolist()
    [True, False]
    """
    seen = pd.Series(data=True, index=cases.index)
    if actor.scope:
        seen &= cases["unit_code"].str.startswith(actor.scope)
    if actor.role not in SEES_RESTRICTED:
        seen &= ~cases["restricted"].astype(bool) | (cases["owner"] == actor.office)
    return seen


def within(codes: pd.Series[str], actor: Actor, *, homes: pd.Series[str] | None = None) -> pd.Series[bool]:
    """Return which division codes, or people by their home, lie in an account's area.

    Parameters
    ----------
    codes
        Codes, or pseudonyms where the series is named ``person_ref``; missing where unknown.
    actor
        Who looks; everything lies in the area of an account without one.
    homes
        Unit code by pseudonym.

    Returns
    -------
    pandas.Series of bool
        On the index of ``codes``. A code shorter than the area's lies in it only if it is the whole of it or
        more: a county's row is not a township's.
    """
    if not actor.scope:
        return pd.Series(data=True, index=codes.index)
    places = codes
    if codes.name == "person_ref":
        places = codes.map({} if homes is None else homes.to_dict())
    return (
        places.astype("object")
        .map(lambda code: isinstance(code, str) and code.startswith(actor.scope))
        .astype(bool)
    )
