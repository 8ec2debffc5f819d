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

__all__ = ["classify", "levels", "ranks", "to_verify"]

_BY_RANK = np.array(
    [Level.UNKNOWN.value, Level.RED.value, Level.YELLOW.value, Level.GREEN.value], dtype=object
)
_RANK = {level: rank for rank, level in enumerate(_BY_RANK)}


def _rank(index: npt.NDArray[Any], classification: Classification) -> npt.NDArray[np.int8]:
    cuts = (classification.yellow_from, classification.green_from)
    rank = sum((index >= cut).astype(np.int8) for cut in cuts) + np.int8(1)
    return np.where(np.isnan(index), np.int8(0), rank)


def ranks(
    index: npt.NDArray[Any],
    classification: Classification,
    *,
    previous: npt.NDArray[np.integer[Any]] | None = None,
) -> npt.NDArray[np.int8]:
    """Return the rank of each unit's level: 0 unknown, 1 red, 2 yellow, 3 green.

    Parameters
    ----------
    index
        Index 0-100, any shape; NaN gives 0.
    classification
        Cut-offs and margins.
    previous
        Ranks at the last snapshot, same shape; 0 has no hysteresis.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> cuts = load_parameters().classification
    >>> ranks(np.array([80.5, 80.5, np.nan]), cuts, previous=np.array([2, 3, 3])).tolist()
    [2, 3, 0]
    """
    rank = _rank(index, classification)
    if previous is None:
        return rank
    held = np.clip(
        previous,
        _rank(index - classification.improve_margin, classification),
        _rank(index + classification.worsen_margin, classification),
    )
    return np.where((previous > 0) & (rank > 0), held, rank).astype(np.int8)


def levels(rank: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.object_]:
    """Return the levels (values of :class:`~huanjie_lib.vocabulary.Level`) of :func:`ranks`.

    Examples
    --------
    >>> levels(np.array([3, 0])).tolist()
    ['green', 'unknown']
    """
    return np.asarray(_BY_RANK[rank], dtype=object)


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
    before = None
    if previous is not None:
        before = previous.reindex(index.index).map(_RANK).fillna(0).to_numpy(dtype=np.int8)
    rank = ranks(index.to_numpy(dtype=np.float64), classification, previous=before)
    return pd.Series(levels(rank).astype(str), index=index.index, name="level", dtype="str")


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
