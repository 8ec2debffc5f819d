"""All tables by name."""

from __future__ import annotations

from collections.abc import Mapping

from huanjie_lib.contracts.audits import AUDITS
from huanjie_lib.contracts.cases import CASES
from huanjie_lib.contracts.conflicts import CONFLICTS
from huanjie_lib.contracts.elections import ELECTIONS
from huanjie_lib.contracts.model import Table
from huanjie_lib.contracts.talent import TALENT
from huanjie_lib.contracts.units import UNITS

__all__ = ["TABLES", "table"]

TABLES: Mapping[str, Table] = {t.name: t for t in (*UNITS, *AUDITS, *CONFLICTS, *ELECTIONS, *TALENT, *CASES)}
"""Every table of a data folder and of a ledger, by name."""


def table(name: str) -> Table:
    """Return the contract of a table.

    Raises
    ------
    KeyError
        If there is no such table.

    Examples
    --------
    >>> table("facts").key
    ('unit_code', 'as_of', 'metric')
    >>> table("units").column("unit_code").required
    True
    """
    return TABLES[name]
