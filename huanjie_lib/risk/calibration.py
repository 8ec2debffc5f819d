"""From what was known before an election to the chance that trouble comes: features, models, calibration.

Features are **within-period ranks**: a turnout of 70 % may be low in one election and high in the next, and
a model of raw figures then forecasts the next election badly. The rank of value x among the n known values of
its period is ``(r − 0.5)/n`` with r the average rank, so it lies between 0 and 1:

* equal values share their average rank; a constant column is 0.5 everywhere and tells nothing;
* a missing value has no rank. Models see the gap as a gap: the logistic model as a column of its own beside
  the middle rank, boosting as a branch of its own; plain scores take it at its worst, so it never looks safe.

Beside a unit's own rank stands the mean rank of its locality (its township) in the same period.

Models are scikit-learn pipelines. The learned two are calibrated by Platt scaling (Platt 1999, *Advances in
Large Margin Classifiers*, 61-74) that is cross-fitted over whole regions: a model is never calibrated on
units that it learned from, nor on their neighbours of the same region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = [
    "LEARNED",
    "LOCAL",
    "MODELS",
    "EqualWeights",
    "forecast",
    "locality_means",
    "model_pipelines",
    "within_period_ranks",
]

Floats: TypeAlias = npt.NDArray[np.float64]

MODELS: Final[Mapping[str, str]] = {
    "index": "选情指数",
    "last_value": "上届结果",
    "equal_weights": "等权排名",
    "logistic": "逻辑回归",
    "boosting": "梯度提升树",
}
"""Names of the models and what they are called; transparent scores first."""

LEARNED: Final = ("logistic", "boosting")
"""Models that learn how much each feature counts, and so need adopting."""

LOCAL: Final = "·所在镇街"
"""What is added to a feature's name for the mean rank of the unit's locality."""

_INNER_FOLDS = 3


def within_period_ranks(values: pd.DataFrame, periods: npt.ArrayLike) -> pd.DataFrame:
    """Return each value's rank among the known values of its column and period, between 0 and 1.

    Parameters
    ----------
    values
        Rows × features; NaN where missing.
    periods
        Period of each row.

    Returns
    -------
    pandas.DataFrame
        ``(average rank − 0.5)/n``, NaN where missing; same shape and index.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [10.0, 30.0, 30.0, np.nan, 5.0]})
    >>> within_period_ranks(table, [1, 1, 1, 1, 2])["x"].round(3).tolist()
    [0.167, 0.667, 0.667, nan, 0.5]
    """
    grouped = values.groupby(np.asarray(periods, dtype=object))
    return (grouped.rank(method="average") - 0.5) / grouped.transform("count")


def locality_means(ranks: pd.DataFrame, periods: npt.ArrayLike, localities: npt.ArrayLike) -> pd.DataFrame:
    """Return the mean rank of each row's locality in the same period, the row itself included.

    Missing ranks are left out of the mean; where a locality has none, its mean is missing.

    Examples
    --------
    >>> ranks = pd.DataFrame({"x": [0.1, 0.5, np.nan, 0.9]})
    >>> locality_means(ranks, [1, 1, 1, 1], ["a", "a", "a", "b"])["x·所在镇街"].tolist()
    [0.3, 0.3, 0.3, 0.9]
    """
    keys = [np.asarray(periods, dtype=object), np.asarray(localities, dtype=object)]
    return ranks.groupby(keys).transform("mean").add_suffix(LOCAL)


class EqualWeights(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Mean of ranks, each turned so that high means risk; a missing rank counts as 1, the worst.

    Parameters
    ----------
    directions
        +1 where a high value means more risk, −1 where it means less; the other columns are left out. When
        omitted, every column takes the sign of its correlation with the outcome **in the rows it is fitted
        on**; a column without one (constant, or no correlation) is left out.

    Attributes
    ----------
    signs_
        +1, −1 or 0 (left out) by column.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [0.1, 0.5, np.nan], "y": [0.9, 0.5, 0.1]})
    >>> EqualWeights({"x": 1, "y": -1}).fit(table, [0, 1, 1]).transform(table).round(2).ravel().tolist()
    [0.1, 0.5, 0.95]
    """

    def __init__(self, directions: Mapping[str, int] | None = None) -> None:
        self.directions = directions

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike) -> EqualWeights:  # noqa: N803 — scikit-learn's name
        """Take the declared signs, or learn them."""
        if self.directions:
            self.signs_ = np.array([self.directions.get(str(c), 0) for c in X.columns])
        else:
            outcome = pd.Series(np.asarray(y, dtype=np.float64), index=X.index)
            varies = X.loc[:, X.nunique() > 1]
            found = varies.corrwith(outcome).reindex(X.columns).fillna(0.0)
            self.signs_ = np.sign(found.to_numpy(dtype=np.float64)).astype(int)
        self.fitted_ = True
        return self

    def transform(self, X: pd.DataFrame) -> Floats:  # noqa: N803 — scikit-learn's name
        """Return the mean rank as one column; 0.5 for all where no column tells anything."""
        used = self.signs_ != 0
        if not used.any():
            return np.full((len(X), 1), 0.5)
        values = X.to_numpy(dtype=np.float64)[:, used]
        turned = np.where(self.signs_[used] > 0, values, 1.0 - values)
        return np.asarray(np.where(np.isnan(turned), 1.0, turned).mean(axis=1, keepdims=True))


def model_pipelines(
    features: Sequence[str],
    *,
    last_value: str | None = None,
    index: str | None = None,
    directions: Mapping[str, int] | None = None,
    seed: int,
) -> dict[str, Pipeline]:
    """Return the models by name, unfitted, in the order of :data:`MODELS`.

    Parameters
    ----------
    features
        Columns of ranks, without those of localities, which stand beside them as ``name + LOCAL``.
    last_value
        The feature that is the outcome of the term before; without it there is no such model.
    index
        Column with the risk rank of the expert index; without it there is no such model.
    directions
        +1 where a high value means more risk, −1 where it means less: boosting is then monotone in that
        feature and in its locality's mean, and equal weights take those features only.
    seed
        Seed of boosting.

    Examples
    --------
    >>> list(model_pipelines(["turnout"], directions={"turnout": -1}, seed=1))
    ['equal_weights', 'logistic', 'boosting']
    """
    directions = dict(directions or {})
    wide = [*features, *(f"{f}{LOCAL}" for f in features)]
    models: dict[str, Pipeline] = {}
    for name, column in (("index", index), ("last_value", last_value)):
        if column is not None:
            worst = SimpleImputer(strategy="constant", fill_value=1.0)
            models[name] = make_pipeline(_pick([column], worst), LogisticRegression(C=10.0))
    models["equal_weights"] = make_pipeline(
        _pick(features, EqualWeights(directions or None)), LogisticRegression(C=10.0)
    )
    models["logistic"] = make_pipeline(
        _pick(wide, SimpleImputer(strategy="constant", fill_value=0.5, add_indicator=True)),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=2000),
    )
    models["boosting"] = make_pipeline(
        _pick(wide, "passthrough"),
        HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=80,
            max_leaf_nodes=6,
            min_samples_leaf=40,
            l2_regularization=5.0,
            early_stopping=False,  # it would set rows aside at random, not by region
            monotonic_cst=[directions.get(f.removesuffix(LOCAL), 0) for f in wide],
            random_state=seed,
        ),
    )
    return models


def _pick(columns: Sequence[str], transformer: Any) -> ColumnTransformer:
    return ColumnTransformer([("ranks", transformer, list(columns))])


def forecast(
    name: str,
    model: Pipeline,
    train: pd.DataFrame,
    outcome: npt.ArrayLike,
    blocks: npt.ArrayLike,
    test: pd.DataFrame,
) -> Floats:
    """Fit a model of :func:`model_pipelines` and return the chance of the event for each row of ``test``.

    The plain scores become chances by a logistic curve of one variable. The learned models are fitted on two
    thirds of the regions and calibrated on the third, three times over, and the three are averaged; where
    that leaves a part without both outcomes (few regions or events), they are fitted once, uncalibrated.

    Parameters
    ----------
    name, model
        Name and pipeline.
    train
        Rows × columns of features.
    outcome
        0 or 1 by row of ``train``, both present.
    blocks
        Region by row of ``train``.
    test
        Rows × columns of features.

    Raises
    ------
    ValueError
        If the outcomes of ``train`` are all equal.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rows = pd.DataFrame({"x": rng.random(600)}).assign(**{"x·所在镇街": 0.5})
    >>> happened = rng.random(600) < 0.1 + 0.5 * rows["x"]
    >>> chance = forecast("logistic", model_pipelines(["x"], seed=1)["logistic"], rows, happened,
    ...                   np.arange(600) % 9, pd.DataFrame({"x": [0.1, 0.9], "x·所在镇街": 0.5}))
    >>> bool(0.05 < chance[0] < 0.25 < 0.45 < chance[1] < 0.65)
    True
    """
    y = np.asarray(outcome, dtype=np.int64)
    if len(np.unique(y)) < 2:
        raise ValueError("the outcomes to learn from are all equal")
    splits = _inner_splits(y, np.asarray(blocks, dtype=object)) if name in LEARNED else []
    fitted = CalibratedClassifierCV(model, method="sigmoid", cv=splits) if splits else model
    chance: Floats = fitted.fit(train, y).predict_proba(test)[:, 1]
    return chance


def _inner_splits(y: npt.NDArray[np.int64], blocks: npt.NDArray[Any]) -> list[tuple[Any, Any]]:
    if len(set(blocks)) < _INNER_FOLDS:
        return []
    splits = list(GroupKFold(_INNER_FOLDS).split(y, y, blocks))
    both = all(len(np.unique(y[part])) == 2 for split in splits for part in split)
    return splits if both else []
