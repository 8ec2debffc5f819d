"""Weight proposals; a proposal becomes a parameter only when a person adopts it in a pack.

This first version proposes equal weights and shows what adopting them would change. Group judgments and
data-driven weights are planned.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from huanjie_lib.parameters import Framework, ParameterSet
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.scoring import score
from huanjie_lib.vocabulary import Level

__all__ = ["WeightEffect", "compare_weights", "equal_weights", "weight_table"]


def equal_weights(framework: Framework) -> Framework:
    """Return a framework in which all dimensions weigh the same, and all indicators within each.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> proposal = equal_weights(load_parameters().framework)
    >>> round(proposal.dimensions[0].weight, 6), proposal.dimensions[0].indicators[0].weight
    (0.142857, 0.2)
    """
    share = 1.0 / len(framework.dimensions)
    dimensions = tuple(
        d.model_copy(
            update={
                "weight": share,
                "indicators": tuple(
                    i.model_copy(update={"weight": 1.0 / len(d.indicators)}) for i in d.indicators
                ),
            }
        )
        for d in framework.dimensions
    )
    return framework.model_copy(update={"dimensions": dimensions, "version": f"{framework.version}+equal"})


def weight_table(framework: Framework) -> pd.DataFrame:
    """Return the weight of every indicator: within its dimension and in the index.

    Returns
    -------
    pandas.DataFrame
        One row per indicator: dimension and indicator with labels, ``within``, ``total`` (share of 1).
    """
    return pd.DataFrame(
        [
            {
                "dimension": d.id,
                "dimension_label": d.label,
                "indicator": i.id,
                "indicator_label": i.label,
                "within": i.weight,
                "total": d.weight * i.weight,
            }
            for d in framework.dimensions
            for i in d.indicators
        ]
    )


@dataclass(frozen=True)
class WeightEffect:
    """What a weight proposal would change.

    Parameters
    ----------
    units
        By unit: index and level under adopted and proposed weights, index change, rank change.
    moves
        Adopted level × proposed level → number of units.
    """

    units: pd.DataFrame
    moves: pd.DataFrame

    def __repr__(self) -> str:
        """Return how many units change colour."""
        changed = int((self.units["level"] != self.units["proposed_level"]).sum())
        return f"WeightEffect(units={len(self.units)}, change_colour={changed})"


def compare_weights(
    values: pd.DataFrame, kinds: pd.Series[str], parameters: ParameterSet, proposal: Framework
) -> WeightEffect:
    """Compare adopted weights with a proposal on the same values.

    Parameters
    ----------
    values
        Indicator values, units × indicators, NaN where missing.
    kinds
        Kind of each unit, same index.
    parameters
        Adopted parameters.
    proposal
        Framework with the same indicators and other weights.

    Returns
    -------
    WeightEffect
        Ranks are 1 for the lowest index; ties share the average rank.
    """
    adopted = score(values, kinds, parameters.framework).index
    proposed = score(values, kinds, proposal).index
    units = pd.DataFrame(
        {
            "index": adopted,
            "level": classify(adopted, parameters.classification),
            "proposed_index": proposed,
            "proposed_level": classify(proposed, parameters.classification),
            "change": proposed - adopted,
            "rank_change": proposed.rank(method="average") - adopted.rank(method="average"),
        }
    )
    levels = [level.value for level in Level]
    moves = pd.crosstab(units["level"], units["proposed_level"]).reindex(
        index=levels, columns=levels, fill_value=0
    )
    return WeightEffect(units=units, moves=moves)
