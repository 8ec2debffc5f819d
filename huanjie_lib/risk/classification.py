"""Colours of the election index, with hysteresis over snapshots.

Green ≥ ``green_from``, yellow ≥ ``yellow_from``, red below: no gaps. With hysteresis a unit keeps its last
colour unless the index clears a cut-off by the pack's margin. With ranks red 0 < yellow 1 < green 2,

``new = clip(previous, rank(index − improve_margin), rank(index + worsen_margin))``,

which equals the plain classification when both margins are zero or no previous colour is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import Classification
from huanjie_lib.vocabulary import Level

__all__ = ["classify", "to_verify"]

_BY_RANK = np.array(
    [Level.UNKNOWN.value, Level.RED.value, Level.YELLOW.value, Level.GREEN.value], dtype=object
)
_RANK = {level: rank for rank, level in enumerate(_BY_RANK)}


def _rank(index: npt.NDArray[Any], classification: Classification) -> npt.NDArray[np.intp]:
    cuts = [classification.yellow_from, classification.green_from]
    rank = np.searchsorted(cuts, index, side="right") + 1
    return np.where(np.isnan(index), 0, rank)


def classify(
    index: pd.Series[float], classification: Classification, *, previous: pd.Series[Any] | None = None
) -> pd.Series[str]:
    """Return the level of each unit.

    Parameters
    ----------
    index
        Index 0-100 by unit; NaN gives ``unknown``.
    classification
        Cut-offs and margins.
    previous
        Level of each unit at the last snapshot; units it lacks or that were unknown have no hysteresis.

    Returns
    -------
    pandas.Series
        Values of :class:`~huanjie_lib.vocabulary.Level`, same index.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> cuts = load_parameters().classification
    >>> classify(pd.Series([80.0, 79.9, 60.0, 59.99, np.nan]), cuts).tolist()
    ['green', 'yellow', 'yellow', 'red', 'unknown']
    >>> before = pd.Series(["yellow", "yellow", "green"])
    >>> classify(pd.Series([80.5, 81.0, 79.9]), cuts, previous=before).tolist()
    ['yellow', 'green', 'yellow']
    """
    values = index.to_numpy(dtype=np.float64)
    rank = _rank(values, classification)
    if previous is not None:
        before = previous.reindex(index.index).map(_RANK).fillna(0).to_numpy(dtype=np.intp)
        held = np.clip(
            before,
            _rank(values - classification.improve_margin, classification),
            _rank(values + classification.worsen_margin, classification),
        )
        rank = np.where((before > 0) & (rank > 0), held, rank)
    return pd.Series(_BY_RANK[rank].astype(str), index=index.index, name="level", dtype="str")


def to_verify(
    index_low: pd.Series[float],
    index_high: pd.Series[float],
    classification: Classification,
    *,
    previous: pd.Series[Any] | None = None,
) -> pd.Series[bool]:
    """Return whether missing data leave a unit's colour open (待核实).

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> cuts = load_parameters().classification
    >>> to_verify(pd.Series([75.0, 82.0]), pd.Series([85.0, 90.0]), cuts).tolist()
    [True, False]
    """
    low = classify(index_low, classification, previous=previous)
    high = classify(index_high, classification, previous=previous)
    return (low != high).rename("to_verify")
