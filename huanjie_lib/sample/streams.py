"""Independent random streams, one a topic, so that a change in one topic leaves the others as they were."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["TOPICS", "Array", "Integers", "Mask", "Streams", "Texts", "steady"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]

TOPICS = (
    "outline",
    "seeds",
    "borders",
    "names",
    "latent",
    "population",
    "stocks",
    "flows",
    "audits",
    "disputes",
    "screenings",
    "talks",
    "leavers",
    "reviews",
    "rolls",
    "leads",
    "elections",
    "late",
    "faults",
    "returns",
    "judgments",
    "unit_plans",
    "people",
    "register",
    "events",
)
"""Topics in the order in which their streams are spawned; append only, so that old streams stay put."""


class Streams:
    """One generator a topic, all from one seed.

    Examples
    --------
    >>> Streams(1)["names"].integers(1000) == Streams(1)["names"].integers(1000)
    np.True_
    """

    def __init__(self, seed: int) -> None:
        children = np.random.SeedSequence(seed).spawn(len(TOPICS))
        self._generators = {
            topic: np.random.Generator(np.random.PCG64(child))
            for topic, child in zip(TOPICS, children, strict=True)
        }

    def __getitem__(self, topic: str) -> np.random.Generator:
        """Return the generator of a topic; asking twice returns the same, advanced generator."""
        return self._generators[topic]


def steady(values: Array) -> Array:
    """Round to nine decimals, so that the last bits, which differ between processors, decide nothing."""
    return np.round(values, 9)
