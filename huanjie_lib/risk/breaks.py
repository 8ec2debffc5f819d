"""Natural breaks: where the index itself has gaps. A proposal of cut-offs for an analyst, never a rule.

Adopted cut-offs are declared (:class:`~huanjie_lib.parameters.Classification`): with breaks of the values on
view a village would change colour because its neighbours did. The breaks here show where declared cut-offs
part units that are hardly different.

Classes minimise the sum of squared deviations from the class means (Fisher 1958, JASA 53:789-798; known as
Jenks' natural breaks). The optimum is exact (kmeans1d: Grønlund et al. 2017, arXiv:1701.07204), also for
600,000 values.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

import kmeans1d
import numpy as np
import pandas as pd

from huanjie_lib.parameters import Classification
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.prepared import Floats
from huanjie_lib.vocabulary import Level

__all__ = ["CutoffProposal", "natural_breaks", "propose_cutoffs"]


def natural_breaks(values: Floats, classes: int) -> list[tuple[float, float]]:
    """Return between which two values each natural break lies, ascending.

    Parameters
    ----------
    values
        Any shape; NaN is left out.
    classes
        Number of classes k, at least 2.

    Returns
    -------
    list
        k − 1 pairs (largest value below the break, smallest value above it). Equal values are never parted.

    Raises
    ------
    ValueError
        If there are fewer different values than classes, a value is infinite, or ``classes`` is below 2.

    Examples
    --------
    >>> natural_breaks(np.array([1.0, 2.0, 2.0, 10.0, 11.0, np.nan, 30.0]), 3)
    [(2.0, 10.0), (11.0, 30.0)]
    >>> natural_breaks(np.array([1.0, 1.0, 2.0]), 3)
    Traceback (most recent call last):
    ...
    ValueError: 2 different values cannot form 3 classes
    """
    known = np.sort(values[~np.isnan(values)], axis=None)
    if np.isinf(known).any():
        raise ValueError("values must be finite or NaN")
    different = int(np.count_nonzero(np.diff(known))) + min(1, known.size)
    if classes < 2 or different < classes:
        raise ValueError(f"{different} different values cannot form {classes} classes")
    # centred, so that sums of squares keep their digits wherever the values lie
    labels = np.array(kmeans1d.cluster(known - known[known.size // 2], classes).clusters)
    ends = np.flatnonzero(np.diff(labels))
    lower = known[ends]
    above = np.searchsorted(known, lower, side="right")
    return [(float(a), float(known[b])) for a, b in zip(lower, above, strict=True)]


@dataclass(frozen=True)
class CutoffProposal:
    """Cut-offs at the natural breaks of the index, and who would change colour.

    Parameters
    ----------
    units
        By unit code: ``index``, ``level`` under the adopted cut-offs and ``proposed_level``, both without
        hysteresis; ``unknown`` where there is no index.
    adopted, proposed
        Cut-offs; the proposal keeps the adopted margins and is not dated: adopting it means writing a pack.
    gaps
        Between which two indices the cut-offs of yellow and of green may lie without moving a unit.
    excluded
        Number of units without an index, which had no say.
    goodness
        Share of the variance that the three classes account for, 0-1, under the proposal and as adopted.
    as_of, version
        Date of the index and version of the parameters, where known.
    """

    units: pd.DataFrame
    adopted: Classification
    proposed: Classification
    gaps: tuple[tuple[float, float], tuple[float, float]]
    excluded: int
    goodness: tuple[float, float]
    as_of: dt.date | None = None
    version: str = ""

    def __repr__(self) -> str:
        """Return units, proposed cut-offs, number of changed colours, date and version."""
        cuts = f"yellow_from={self.proposed.yellow_from:g}, green_from={self.proposed.green_from:g}"
        text = f"CutoffProposal(units={len(self.units)}, {cuts}, change_colour={int(self.changed.sum())}"
        text += f", as_of={self.as_of}" if self.as_of else ""
        return text + (f", parameters={self.version!r})" if self.version else ")")

    @property
    def changed(self) -> pd.Series[bool]:
        """Whether each unit would change colour."""
        return self.units["level"] != self.units["proposed_level"]

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit code."""
        return self.units.copy()

    def summary(self) -> str:
        """Return in Chinese what is proposed and what it would change."""
        new, old = self.proposed, self.adopted
        left_out = f"{self.excluded}个没有指数，未参与计算；" if self.excluded else ""
        return (
            f"按指数的自然间断，绿色可从{new.green_from:g}分起（现行{old.green_from:g}分），"
            f"黄色可从{new.yellow_from:g}分起（现行{old.yellow_from:g}分）；{left_out}"
            f"{int(self.changed.sum())}个村（社区）会变色。仅供研究分界线时参考，不自动采用。"
        )

    def explain(self, unit_code: str) -> str:
        """Return in Chinese whether a unit would change colour.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row: dict[str, Any] = dict(self.units.loc[unit_code])
        level, proposed = (Level.lookup()[str(row[c])] for c in ("level", "proposed_level"))
        if level is Level.UNKNOWN:
            return f"{unit_code}没有选情指数，未参与分界线测算。"
        cuts = f"绿色{self.proposed.green_from:g}分、黄色{self.proposed.yellow_from:g}分"
        change = f"由{level.label}变为{proposed.label}" if level is not proposed else f"仍为{level.label}"
        return f"{unit_code}选情指数{row['index']:.1f}分，如改用自然间断的分界线（{cuts}），{change}。"


def propose_cutoffs(
    index: pd.Series[float],
    classification: Classification,
    *,
    as_of: dt.date | None = None,
    version: str = "",
) -> CutoffProposal:
    """Propose cut-offs at the natural breaks of the index in three classes.

    Parameters
    ----------
    index
        Index 0-100 by unit code, NaN where unknown.
    classification
        Adopted cut-offs.
    as_of, version
        Date and parameter version, to be shown with the result.

    Returns
    -------
    CutoffProposal
        A cut-off is the number with the fewest decimals between the two values of its gap, the nearest to
        their middle; no unit's class depends on that choice.

    Raises
    ------
    ValueError
        If there are fewer than three different indices.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> index = pd.Series([95.0, 93, 91, 72, 70.5, 44, 41, np.nan], index=list("abcdefgh"))
    >>> proposal = propose_cutoffs(index, load_parameters().classification)
    >>> proposal
    CutoffProposal(units=8, yellow_from=60, green_from=80, change_colour=0)
    >>> proposal.excluded, proposal.gaps
    (1, ((44.0, 70.5), (72.0, 91.0)))
    """
    values: Floats = np.asarray(index, dtype=np.float64)
    yellow, green = natural_breaks(values, 3)
    proposed = classification.model_copy(
        update={
            "yellow_from": _roundest(*yellow),
            "green_from": _roundest(*green),
            "version": f"{classification.version}+breaks",
        }
    )
    units = pd.DataFrame(
        {
            "index": index,
            "level": classify(index, classification),
            "proposed_level": classify(index, proposed),
        }
    )
    return CutoffProposal(
        units=units,
        adopted=classification,
        proposed=proposed,
        gaps=(yellow, green),
        excluded=int(np.isnan(values).sum()),
        goodness=(_goodness(units, "proposed_level"), _goodness(units, "level")),
        as_of=as_of,
        version=version,
    )


def _roundest(below: float, above: float) -> float:
    """Return the number in (below, above] with the fewest decimals, tens first, nearest to the middle."""
    middle = (below + above) / 2
    for decimals in range(-1, 16):
        step = 10.0**-decimals
        first, last = math.floor(below / step) + 1, math.floor(above / step)
        if first <= last:
            chosen = round(min(max(round(middle / step), first), last) * step, max(decimals, 0))
            if below < chosen <= above:
                return chosen
    return above


def _goodness(units: pd.DataFrame, column: str) -> float:
    index = units["index"]
    within = index - index.groupby(units[column]).transform("mean")
    return 1.0 - float((within**2).sum()) / float(((index - index.mean()) ** 2).sum())
