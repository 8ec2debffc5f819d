"""How cases and published runs stand in the ledger's tables, and back; and what the hash of a run covers."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import sqlalchemy as sa

from huanjie_lib.casework.cases import CASE_COLUMNS, Case
from huanjie_lib.casework.events import canonical
from huanjie_lib.vocabulary import CaseKind, CaseState

__all__ = ["case_of", "case_row", "frame_of", "run_body", "run_content"]

_STATES: Final = {state.value: state for state in CaseState}
_KINDS: Final = {kind.value: kind for kind in CaseKind}
_DAYS: Final = ("opened_on", "due_on", "closed_on")
_LISTS: Final = ("evidence", "rectifiers")
_RUN: Final = (
    "run_id",
    "as_of",
    "parameter_version",
    "published_by",
    "recorded_at",
    "content",
    "after_sequence",
    "after_hash",
    "events",
)


def frame_of(result: sa.Result[Any], names: Sequence[str]) -> pd.DataFrame:
    """Return a query's rows as a frame of plain objects, its columns named in order."""
    values = np.array([tuple(row) for row in result], dtype=object).reshape(-1, len(names))
    return pd.DataFrame(values, columns=list(names), dtype=object)


def case_row(case: Case) -> dict[str, Any]:
    """Return the derived row of a case as it is stored: dates and lists as text, a flag as 0 or 1."""
    row = {name: getattr(case, name) for name in CASE_COLUMNS}
    row |= {name: row[name] and row[name].isoformat() for name in _DAYS}
    row |= {name: canonical(list(row[name])) for name in _LISTS}
    return row | {"kind": case.kind.value, "state": case.state.value, "restricted": int(case.restricted)}


def case_of(row: Mapping[str, Any]) -> Case:
    """Return the case of a stored row."""
    days = {name: row[name] and dt.date.fromisoformat(row[name]) for name in _DAYS}
    lists = {name: tuple(json.loads(row[name])) for name in _LISTS}
    words = {
        "kind": _KINDS[row["kind"]],
        "state": _STATES[row["state"]],
        "restricted": bool(row["restricted"]),
    }
    return Case(**{**row, **days, **lists, **words})


def run_content(
    as_of: str, parameter_version: str, units: Sequence[Sequence[Any]], causes: Sequence[str]
) -> str:
    """Return the SHA-256 of what was published: date, parameters, every unit's index and level, all causes.

    Parameters
    ----------
    as_of, parameter_version
        As stored.
    units
        Unit code, index (``None`` where missing) and level, by unit code.
    causes
        In order, none twice.
    """
    told = {
        "as_of": as_of,
        "parameter_version": parameter_version,
        "units": [list(unit) for unit in units],
        "causes": list(causes),
    }
    return hashlib.sha256(canonical(told).encode()).hexdigest()


def run_body(row: Mapping[str, Any]) -> str:
    """Return the text of a published run that its hash covers."""
    return canonical({name: row[name] for name in _RUN})
