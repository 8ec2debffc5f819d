"""Figures and names as sentences and cells of a briefing have them; a dash is what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from huanjie_lib.views.words import CONTESTED, count_text, number_text
from huanjie_lib.vocabulary import Level

__all__ = [
    "NAMED",
    "days_text",
    "flags_text",
    "known_text",
    "level_text",
    "names_text",
    "rate_text",
    "ratio_text",
    "signed_text",
]

NAMED: Final = 10
"""Names told in a sentence before it says how many there are."""


def known_text(count: Any, unit: str = "") -> str:
    """Return a count, or a dash where it is not known."""
    return "—" if count is None or pd.isna(count) else f"{count_text(int(count))}{unit}"


def signed_text(count: Any) -> str:
    """Return a change of a count with its sign.

    Examples
    --------
    >>> signed_text(3), signed_text(-2.0), signed_text(None)
    ('+3', '−2', '—')
    """
    if count is None or pd.isna(count):
        return "—"
    return number_text(float(count), signed=True, decimals=0)


def rate_text(share: Any) -> str:
    """Return a share (0 to 1) in percent.

    Examples
    --------
    >>> rate_text(0.125), rate_text(float("nan"))
    ('12.5%', '—')
    """
    return "—" if share is None or pd.isna(share) else f"{100 * share:.1f}%"


def ratio_text(value: float | None) -> str:
    """Return a measure of a model (0 to 1) with three decimals."""
    return "—" if value is None or pd.isna(value) else f"{value:.3f}"


def days_text(value: Any) -> str:
    """Return a number of working days."""
    return "—" if value is None or pd.isna(value) else f"{number_text(float(value))}个工作日"


def level_text(value: Any) -> str:
    """Return what a level is called."""
    return Level.labels().get(str(value), "—")


def names_text(names: Sequence[str], most: int) -> str:
    """Return names joined, the first few where there are many, and how many there are.

    Examples
    --------
    >>> names_text(["甲村", "乙村", "丙村"], 2)
    '甲村、乙村等3个'
    """
    text = "、".join(names[:most])
    return text if len(names) <= most else f"{text}等{count_text(len(names))}个"


def flags_text(to_verify: bool, contested: bool) -> str:
    """Return what qualifies a unit's colour; empty where nothing does."""
    return "、".join(word for word, said in (("待核实", to_verify), (CONTESTED, contested)) if said)
