"""Which rows of which files each indicator of each unit was computed from, and which of their columns."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.indicators import indicator_values
from huanjie_lib.risk.moment import Evidence
from huanjie_lib.risk.prepared import Bools, Ints, Prepared
from huanjie_lib.vocabulary import date_text

__all__ = ["COLUMNS", "Provenance", "provenance"]

COLUMNS = (
    *("unit_code", "indicator", "source_table", "columns"),
    *("source_file", "source_sheet", "source_row"),
)
"""Columns of :attr:`Provenance.rows`."""


@dataclass(frozen=True)
class Provenance:
    """Rows that the indicators of one date were computed from.

    Parameters
    ----------
    as_of
        The date.
    rows
        Columns of :data:`COLUMNS`, one row per unit, indicator and source row, in the order of units and of
        the framework. ``columns`` are the contract columns read, or the metric, joined by a comma; a row
        without a source (made by the program, not read from a file) is left out. All but ``unit_code`` and
        ``source_row`` are categoricals.
    parameters
        The parameters.
    """

    as_of: dt.date
    rows: pd.DataFrame
    parameters: ParameterSet

    def __repr__(self) -> str:
        """Return the number of rows, the date and the parameter version."""
        return (
            f"Provenance(rows={len(self.rows)}, as_of={self.as_of}, parameters={self.parameters.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the rows."""
        return self.rows.copy()

    def explain(self, unit_code: str) -> str:
        """Return in Chinese how many rows of how many files a unit's indicators rest on.

        Raises
        ------
        KeyError
            If no row of such a unit was used.
        """
        mine = self.rows[self.rows["unit_code"] == unit_code]
        if mine.empty:
            raise KeyError(unit_code)
        rows = mine[["source_file", "source_sheet", "source_row"]].drop_duplicates()
        return (
            f"截至{date_text(self.as_of)}，{unit_code}的{mine['indicator'].nunique()}项指标"
            f"取自{rows['source_file'].nunique()}个文件的{len(rows)}行"
        )


def provenance(prepared: Prepared, parameters: ParameterSet, as_of: dt.date) -> Provenance:
    """Trace the indicators of the units in force on a date to the rows they were computed from.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> facts = pd.DataFrame({"unit_code": ["990101001201"], "as_of": pd.to_datetime(["2026-09-30"]),
    ...                       "metric": ["reserve_people"], "value": [1.0], "source_file": ["a.xlsx"],
    ...                       "source_sheet": ["基本情况"], "source_row": [5]})
    >>> prepared = prepare({"units": units, "facts": facts})
    >>> found = provenance(prepared, load_parameters(), dt.date(2026, 10, 31))
    >>> found.rows[["indicator", "columns", "source_sheet", "source_row"]].values.tolist()
    [['reserve_people', 'reserve_people', '基本情况', 5]]
    """
    values = indicator_values(prepared, parameters, as_of, trace=True)
    in_force = np.zeros(prepared.size, dtype=bool)
    in_force[values.positions] = True
    parts = []
    for order, indicator in enumerate(parameters.framework.indicators):
        applies = np.zeros(prepared.size, dtype=bool)
        applies[values.positions] = values.applies[indicator.id].to_numpy()
        for evidence in values.observed[indicator.id].evidence:
            part = _located(prepared, evidence, in_force & applies)
            parts.append(part.assign(indicator=indicator.id, _order=order))
    if not parts:
        return Provenance(as_of, pd.DataFrame(columns=list(COLUMNS)), parameters)
    whole = pd.concat(parts, ignore_index=True)
    whole = whole.sort_values(["_unit", "_order"], kind="stable", ignore_index=True)
    whole = whole.drop_duplicates(["_unit", *COLUMNS[1:]], ignore_index=True)
    codes = prepared.units["unit_code"].astype("str").to_numpy(dtype=object)
    rows = whole.assign(unit_code=codes[whole["_unit"].to_numpy(dtype=np.int64)])[list(COLUMNS)]
    words = [c for c in COLUMNS if c not in ("unit_code", "source_row")]
    rows[words] = rows[words].astype("str").astype("category")
    return Provenance(as_of, rows.astype({"unit_code": "str", "source_row": "Int64"}), parameters)


def _located(prepared: Prepared, evidence: Evidence, kept: Bools) -> pd.DataFrame:
    """Return the places of the rows of some units that evidence names."""
    mine = kept[evidence.unit]
    unit, row = evidence.unit[mine], evidence.row[mine]
    source = prepared.facts if evidence.table == "facts" else prepared.events[evidence.table].frame
    places = {name: _column(source, name, row) for name in ("source_file", "source_sheet", "source_row")}
    frame = pd.DataFrame(
        {"_unit": unit, "source_table": evidence.table, "columns": ",".join(evidence.columns), **places}
    )
    return frame[frame["source_file"].notna() & (frame["source_file"] != "")]


def _column(source: pd.DataFrame, name: str, row: Ints) -> pd.Series[Any]:
    if name not in source:
        return pd.Series(None, index=range(len(row)), dtype="object")
    return source[name].take(row).astype("object").reset_index(drop=True)
