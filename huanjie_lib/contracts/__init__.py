"""Contracts of all tables: columns, types, units, ranges, keys, references and purposes.

A contract is plain data. ``intake`` compiles it into vectorised checks, ``tools/data_dictionary.py`` writes
``docs/data_dictionary.md`` from it, and the return workbooks take their column headings from it.

Conventions for every table held in memory as a :class:`pandas.DataFrame`:

* ``string`` and ``word`` columns are text; codes are text and keep leading zeros;
* ``integer`` columns may be missing (nullable), ``number`` columns are float64 with NaN for missing;
* ``date`` columns are ``datetime64`` at midnight without time zone, NaT for missing;
* ``moment`` columns, which only event streams have, are ``datetime64`` in UTC, NaT for missing;
* ``boolean`` columns are nullable;
* every table ends with the source columns of :data:`SOURCE_COLUMNS`, so that a figure on a screen can be
  traced to the cell it came from.
"""

from __future__ import annotations

from huanjie_lib.contracts.columns import (
    COUNTY_CODE_PATTERN,
    REF_PATTERN,
    TOWNSHIP_CODE_PATTERN,
    UNIT_CODE_PATTERN,
)
from huanjie_lib.contracts.ledgers import LEDGER_TABLES, RESTRICTED_LEDGERS
from huanjie_lib.contracts.model import (
    DTYPES,
    SOURCE_COLUMNS,
    Column,
    ColumnType,
    Order,
    Purpose,
    Reference,
    Table,
)
from huanjie_lib.contracts.registry import TABLES, table
from huanjie_lib.contracts.returns import RETURN_GROUPS, RETURN_SHEETS
from huanjie_lib.contracts.streams import EVENT_STREAMS

__all__ = [
    "COUNTY_CODE_PATTERN",
    "DTYPES",
    "EVENT_STREAMS",
    "LEDGER_TABLES",
    "REF_PATTERN",
    "RESTRICTED_LEDGERS",
    "RETURN_GROUPS",
    "RETURN_SHEETS",
    "SOURCE_COLUMNS",
    "TABLES",
    "TOWNSHIP_CODE_PATTERN",
    "UNIT_CODE_PATTERN",
    "Column",
    "ColumnType",
    "Order",
    "Purpose",
    "Reference",
    "Table",
    "table",
]
