"""Pairwise judgments of invented experts over the dimensions, for the analytic hierarchy process.

Each expert has opinions near the shipped weights and answers on Saaty's scale. One of them contradicts
himself in three judgments, so that the check of consistency has something to find.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from huanjie_lib.parameters import Framework
from huanjie_lib.sample.streams import steady

__all__ = ["CONTRADICTORY", "EXPERTS", "make_judgments"]

EXPERTS = 5
CONTRADICTORY = 4
"""Number of the expert who contradicts himself."""

_SCALE = np.array([1 / n for n in range(9, 1, -1)] + [float(n) for n in range(1, 10)])
_TEXTS = [f"1/{n}" for n in range(9, 1, -1)] + [str(n) for n in range(1, 10)]


def make_judgments(framework: Framework, rng: np.random.Generator) -> pd.DataFrame:
    """Return the judgments: expert, dimension, dimension compared with, times as important.

    Parameters
    ----------
    framework
        Framework whose dimensions are compared.
    rng
        Source of the experts' opinions.

    Returns
    -------
    pandas.DataFrame
        One row per expert and pair, all text, with Chinese headings.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> make_judgments(load_parameters().framework, np.random.default_rng(1)).shape
    (105, 4)
    """
    labels = [d.label for d in framework.dimensions]
    pairs = list(itertools.combinations(range(len(labels)), 2))
    adopted = np.log([max(d.weight, 0.01) for d in framework.dimensions])
    rows = []
    for expert in range(1, EXPERTS + 1):
        opinion = adopted + rng.normal(0.0, 0.35, len(labels))
        slips = rng.normal(0.0, 0.12, len(pairs))
        for (i, j), slip in zip(pairs, slips, strict=True):
            answer = steady(np.abs(np.log(_SCALE) - (opinion[i] - opinion[j] + slip))).argmin()
            text = _TEXTS[answer]
            if expert == CONTRADICTORY:
                text = {(0, 1): "7", (1, 2): "7", (0, 2): "1/5"}.get((i, j), text)
            rows.append((f"专家{expert}", labels[i], labels[j], text))
    return pd.DataFrame(rows, columns=["专家", "维度", "对比维度", "倍数"])
