"""Value functions: from an indicator's value to its severity, piecewise linear through reference points.

The work is done array by array in the cache, a few additions, products and comparisons for each value, which
is ten times faster than :func:`numpy.interp`. Unlike the textbook formula the results are exact at every
reference point and never decrease where the line rises, down to the last bit.

Two neighbouring pieces that meet at a knot (k, m) are, with y = x − k where the line rises and y = k − x
where it falls, a slope a ≥ 0 for y < 0 and a slope b ≥ 0 for y > 0,

    clip(m + min(a y, b y), lowest, highest)    for a ≥ b, and with max for a ≤ b

since the smaller (larger) of the two lines is the piece that x lies on. A slope is enlarged by the few last
bits that rounding may take from it, so that the line reaches the severity of its outer end there, and the
clip makes it exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["AT_ONCE", "ValueFunction", "lines_may_overflow", "value_function"]

Floats: TypeAlias = npt.NDArray[np.float64]
Point: TypeAlias = tuple[float, float]

AT_ONCE = 24_576
"""Values computed together; four such arrays fit the second-level cache of a core."""


def lines_may_overflow() -> np.errstate:
    """Return the context in which a line far beyond its end may exceed the largest number: it is clipped."""
    return np.errstate(over="ignore")


@dataclass(frozen=True, slots=True)
class _Bend:
    """Up to two pieces that meet at a knot, constant beyond their outer ends."""

    start: float
    knot: float
    level: float
    falls: bool
    left: float  # slope for y < 0
    right: float  # slope for y > 0
    lowest: float
    highest: float

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Bend:
        """Return the bend through two or three points."""
        first, last = points[0], points[-1]
        knot = points[1] if len(points) == 3 else min(first, last, key=lambda p: p[1])
        falls = last[1] < first[1]
        left, right = (_slope(knot, end) for end in ((last, first) if falls else (first, last)))
        # Beyond a flat piece the clip holds the level, so that any slope will do there.
        left, right = left or right or 1.0, right or left or 1.0
        return cls(first[0], *knot, falls, left, right, min(first[1], last[1]), max(first[1], last[1]))

    def write(self, x: Floats, out: Floats, spare: Floats) -> None:
        if self.falls:
            np.subtract(self.knot, x, out=out)
        else:
            np.subtract(x, self.knot, out=out)
        if self.left == self.right:
            out *= self.left
        else:
            np.multiply(out, self.right, out=spare)
            out *= self.left
            meet = np.minimum if self.left > self.right else np.maximum
            meet(out, spare, out=out)
        out += self.level  # even if 0: a product may be −0
        out.clip(self.lowest, self.highest, out=out)


def _slope(knot: Point, end: Point) -> float:
    """Return the absolute slope from a knot to an end, large enough to reach the end's severity."""
    run, rise = abs(end[0] - knot[0]), end[1] - knot[1]
    if rise == 0.0:
        return 0.0
    slope = abs(rise) / run
    if math.isinf(slope):
        raise ValueError(f"reference points {knot} and {end} are too close for a slope")
    while (knot[1] + slope * run < end[1]) if rise > 0.0 else (knot[1] - slope * run > end[1]):
        slope = math.nextafter(slope, math.inf)
    return slope


@dataclass(frozen=True, slots=True)
class ValueFunction:
    """A monotone piecewise-linear function, constant beyond its end points.

    Parameters
    ----------
    bends
        The pieces, two by two from the least value on.
    """

    bends: tuple[_Bend, ...]

    @classmethod
    def of(cls, points: Sequence[Point], *, scale: float = 1.0) -> ValueFunction:
        """Return the function through (value, severity) pairs, its severities times ``scale``.

        Parameters
        ----------
        points
            At least two, with strictly increasing values and severities that all rise or all fall.
        scale
            At least 0.

        Raises
        ------
        ValueError
            If the points are not of that form, or so close that their slope is no number.
        """
        x, s = np.array(points, dtype=np.float64).reshape(len(points), 2).T
        rises = np.diff(s)
        ordered = bool((np.diff(x) > 0.0).all() and ((rises >= 0.0).all() or (rises <= 0.0).all()))
        if len(points) < 2 or not ordered:
            raise ValueError(f"reference points must increase in value and be monotone, found {points}")
        pairs = list(zip(x.tolist(), (s * scale).tolist(), strict=True))
        return cls(tuple(_Bend.of(pairs[at : at + 3]) for at in range(0, len(pairs) - 1, 2)))

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """Return the function of values of any shape, in the same shape; NaN stays NaN."""
        x = np.asarray(values, dtype=np.float64)
        out = np.empty(x.shape)
        flat, written = x.reshape(-1), out.reshape(-1)
        spare = np.empty(min(flat.size, AT_ONCE))
        with lines_may_overflow():
            for start in range(0, flat.size, AT_ONCE):
                part = flat[start : start + AT_ONCE]
                self.write(part, written[start : start + AT_ONCE], spare[: part.size])
        return out

    def write(self, x: Floats, out: Floats, spare: Floats) -> None:
        """Write the function of ``x`` into ``out``.

        Parameters
        ----------
        x
            Shape (n,); NaN where missing. Infinite values take the severity of their end.
        out, spare
            Shape (n,) each, apart from ``x`` and from each other; ``spare`` is overwritten.

        Notes
        -----
        To be called within :func:`lines_may_overflow`.
        """
        first, *later = self.bends
        first.write(x, out, spare)
        for bend in later:  # rare: four points and more
            part = np.empty_like(out)
            bend.write(x, part, spare)
            np.copyto(out, part, where=x > bend.start)


def value_function(values: npt.ArrayLike, points: Sequence[Point]) -> Floats:
    """Map values to severities through reference points.

    Parameters
    ----------
    values
        Any shape; NaN where missing.
    points
        (value, severity) pairs with strictly increasing values and monotone severities.

    Returns
    -------
    numpy.ndarray
        Same shape; NaN stays NaN.

    Raises
    ------
    ValueError
        If the points are not of that form.

    Examples
    --------
    >>> value_function([0.0, 1.0, 2.5, 9.0, np.nan], [(1, 0), (2, 0.5), (3, 1)])
    array([0.  , 0.  , 0.75, 1.  ,  nan])
    >>> value_function([0.0], [(1, 0), (1, 1)])
    Traceback (most recent call last):
    ...
    ValueError: reference points must increase in value and be monotone, found [(1, 0), (1, 1)]
    """
    return ValueFunction.of(points)(values)
