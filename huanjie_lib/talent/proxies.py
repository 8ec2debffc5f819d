"""What stands in for a protected attribute: how well it can be guessed from what scores read.

A score that reads no protected column may still follow one, where its inputs do (ratings given by sex, say).
For each protected attribute and value two models of different kind, logistic regression and gradient
boosting, guess it from the score inputs; each person by models that never saw them (cross-fitting). The area
under the ROC curve (0.5: no better than chance, 1: always right) is that of the model that tells more, with

* its interval over 1,000 bootstrap draws of people, the guesses held (2.5 % and 97.5 %);
* p: of 1 + R runs, the real one and R with the attribute dealt out anew within folds, the share in which the
  better model does at least as well as it really does, the guesses held (Good 2005, *Permutation, Parametric,
  and Bootstrap Tests of Hypotheses*, ch. 3).

An attribute is **flagged** where the area reaches ``limit`` and p ≤ 0.05: guessable, and not by chance.
Beside it stands each input's own area, which names the proxy. With too few people of a value it is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from huanjie_lib.talent.parity import label_of
from huanjie_lib.vocabulary import GateStatus

__all__ = ["LIMIT", "ProxyAudit", "proxy_audit"]

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

LIMIT: Final = 0.6
"""From this area on an attribute counts as guessable: an input is then about a third of a spread apart."""

LEAST: Final = 30
"""People with a value, and without it, from whom one can learn."""

FOLDS: Final = 5
BOOTSTRAPS: Final = 1_000
MODELS: Final = {"logistic": "逻辑回归", "boosting": "梯度提升树"}


@dataclass(frozen=True)
class ProxyAudit:
    """How well protected attributes can be guessed from score inputs.

    Parameters
    ----------
    attributes
        A row an attribute and value: ``people``, ``having`` (people of that value), ``model`` that tells
        more, ``auc`` with ``low`` and ``high``, ``p``, and ``status``: fail if flagged, unknown if too few.
    inputs
        A row an attribute, value and input: ``auc`` of the input alone, from 0.5 on, and ``higher``, whether
        people of that value have more of it; strongest first.
    limit
        Area from which an attribute counts as guessable.
    seed
        Of folds, draws and models.
    """

    attributes: pd.DataFrame
    inputs: pd.DataFrame
    limit: float
    seed: int

    def __repr__(self) -> str:
        """Return numbers of attributes looked at and flagged."""
        flagged = int((self.attributes["status"] == GateStatus.FAIL.value).sum())
        return f"ProxyAudit(attributes={len(self.attributes)}, flagged={flagged}, limit={self.limit})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the attributes."""
        return self.attributes.copy()

    def explain(self, attribute: str, *, names: Mapping[str, str] | None = None) -> str:
        """Return in Chinese whether an attribute can be guessed, and from what.

        Parameters
        ----------
        attribute
            The attribute.
        names
            What inputs are called; their own names when omitted.

        Raises
        ------
        KeyError
            If the attribute was not looked at.
        """
        rows = self.attributes[self.attributes["attribute"] == attribute]
        if rows.empty:
            raise KeyError(attribute)
        parts = []
        for row in rows.to_dict("records"):
            called = label_of(attribute, row["value"])
            if row["status"] == GateStatus.UNKNOWN.value:
                parts.append(f"“{called}”人数太少（{row['having']}人），不能判断")
                continue
            part = (
                f"用评分依据猜“{called}”，把握{row['auc']:.2f}（0.5相当于随机猜，1为全部猜对；"
                f"可信范围{row['low']:.2f}至{row['high']:.2f}）"
            )
            if row["status"] == GateStatus.FAIL.value:
                own = self.inputs[
                    (self.inputs["attribute"] == attribute) & (self.inputs["value"] == row["value"])
                ]
                first = own.iloc[0]
                name = (names or {}).get(str(first["input"]), str(first["input"]))
                part += f"，评分依据可能替代了该信息，最像的是“{name}”（{first['auc']:.2f}），请查明原因"
            parts.append(part)
        return f"{label_of(attribute)}：{'；'.join(parts)}。"


def proxy_audit(
    inputs: pd.DataFrame,
    protected: pd.DataFrame,
    *,
    seed: int,
    limit: float = LIMIT,
    permutations: int = 999,
    most: int = 5_000,
) -> ProxyAudit:
    """Return how well each protected attribute can be guessed from what scores read.

    Parameters
    ----------
    inputs
        Score inputs by ``person_ref``, numbers, missing where unknown (that one is missing may tell, too).
    protected
        Protected attributes by ``person_ref``, each of at most ten values: bands, not years of birth. An
        attribute of two values is guessed once, the rarer value; others value by value.
    seed
        Of folds, draws and models.
    limit
        Area from which an attribute counts as guessable.
    permutations
        Number of random deals behind p.
    most
        More people than this are sampled.

    Returns
    -------
    ProxyAudit
        People without the attribute are left out of its row.

    Raises
    ------
    ValueError
        If a person stands twice, an input is no number, or an attribute has more than ten values.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> sex = pd.DataFrame({"sex": np.where(rng.random(400) < 0.4, "2", "1")})
    >>> ratings = pd.DataFrame(rng.normal(60, 10, (400, 2)), columns=["finance", "law"])
    >>> proxy_audit(ratings, sex, seed=1)
    ProxyAudit(attributes=1, flagged=0, limit=0.6)
    >>> ratings["law"] += 10.0 * (sex["sex"] == "2")
    >>> audit = proxy_audit(ratings, sex, seed=1)
    >>> audit
    ProxyAudit(attributes=1, flagged=1, limit=0.6)
    >>> audit.inputs["input"].tolist()
    ['law', 'finance']
    """
    if inputs.index.has_duplicates or protected.index.has_duplicates:
        raise ValueError("each person must stand once in inputs and in protected")
    odd = [str(c) for c in inputs.columns if not pd.api.types.is_numeric_dtype(inputs[c].dtype)]
    if odd:
        raise ValueError(f"inputs must be numbers: {odd}")
    rows: list[dict[str, Any]] = []
    singles: list[dict[str, Any]] = []
    for place, attribute in enumerate(map(str, protected.columns)):
        known = protected[attribute].reindex(inputs.index).dropna()
        if known.nunique() > 10:
            raise ValueError(f"{attribute} has {known.nunique()} values; guess bands of at most ten")
        if len(known) > most:
            drawn = np.random.default_rng([seed, place]).choice(len(known), size=most, replace=False)
            known = known.iloc[np.sort(drawn)]
        table = inputs.loc[known.index].astype("float64")
        table = table.loc[:, table.notna().sum() >= LEAST]  # a model cannot learn from what hardly anyone has
        counts = known.value_counts().sort_index()
        values = [*counts.index] if len(counts) != 2 else [counts.idxmin()]
        for number, value in enumerate(values):
            having = (known == value).to_numpy(dtype=bool)
            row = {"attribute": attribute, "value": value, "people": len(known), "having": int(having.sum())}
            rng = np.random.default_rng([seed, place, number])
            with threadpool_limits(1):  # fits of a few hundred rows only wait for one another's threads
                rows.append(row | _guess(table.to_numpy(), having, rng, limit, permutations))
            singles += [{"attribute": attribute, "value": value, **one} for one in _alone(table, having)]
    columns = ["attribute", "value", "people", "having", "model", "auc", "low", "high", "p", "status"]
    single_columns = ["attribute", "value", "input", "auc", "higher"]
    return ProxyAudit(
        pd.DataFrame(rows, columns=columns), pd.DataFrame(singles, columns=single_columns), limit, seed
    )


def _models(seed: int) -> dict[str, ClassifierMixin]:
    return {
        "logistic": make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=0.1, max_iter=500),
        ),
        "boosting": HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=40,
            max_leaf_nodes=6,
            min_samples_leaf=20,
            early_stopping=False,
            random_state=seed,
        ),
    }


def _guess(
    table: Floats, having: Bools, rng: np.random.Generator, limit: float, permutations: int
) -> dict[str, Any]:
    """Return the better model's area with its interval, its p and what follows."""
    if min(having.sum(), (~having).sum()) < LEAST or not table.shape[1]:
        gaps = dict.fromkeys(("auc", "low", "high", "p"), np.nan)
        return {"model": "", **gaps, "status": GateStatus.UNKNOWN.value}
    seed = int(rng.integers(2**31))
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(table, having))
    fold = np.empty(len(having), dtype=np.int64)
    for number, (_, held) in enumerate(folds):
        fold[held] = number
    # guesses of different folds come from different models: compare them as ranks within the fold
    ranks = {
        name: pd.Series(cross_val_predict(model, table, having, cv=folds, method="predict_proba")[:, 1])
        .groupby(fold)
        .rank(pct=True)
        .to_numpy()
        for name, model in _models(seed).items()
    }
    areas = {name: _area(rank, having) for name, rank in ranks.items()}
    model = max(areas, key=lambda name: areas[name])
    p = _chance(np.stack([*ranks.values()]), having, fold, rng, permutations)
    low, high = _interval(ranks[model], having, rng)
    flagged = areas[model] >= limit and p <= 0.05
    status = GateStatus.FAIL if flagged else GateStatus.PASS
    return {"model": model, "auc": areas[model], "low": low, "high": high, "p": p, "status": status.value}


def _chance(
    ranks: Floats, having: Bools, fold: npt.NDArray[np.int64], rng: np.random.Generator, deals: int
) -> float:
    """Return how often the best of some rankings does as well with labels dealt anew within folds.

    Areas are compared as sums of ranks: halves, which add up without rounding.
    """
    places = stats.rankdata(ranks, axis=1)
    real = places[:, having].sum(axis=1).max()
    order = np.argsort(fold, kind="stable")
    reached = 0
    for _ in range(deals):
        dealt = np.empty_like(having)
        dealt[order] = having[np.lexsort((rng.random(len(fold)), fold))]
        reached += bool(places[:, dealt].sum(axis=1).max() >= real)
    return (1 + reached) / (1 + deals)


def _interval(ranks: Floats, having: Bools, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % interval of an area over draws of people, those who have it and those who have not."""
    _, level = np.unique(ranks, return_inverse=True)
    ones, others = level[having], level[~having]
    draws = np.empty(BOOTSTRAPS)
    for k in range(BOOTSTRAPS):
        above = np.bincount(rng.choice(ones, size=len(ones)), minlength=int(level.max()) + 1)
        below = np.bincount(rng.choice(others, size=len(others)), minlength=int(level.max()) + 1)
        draws[k] = above @ (np.cumsum(below) - below / 2.0) / (len(ones) * len(others))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _alone(table: pd.DataFrame, having: Bools) -> list[dict[str, Any]]:
    """Return the area of each input by itself, among those where it is known; strongest first."""
    found = []
    for name in table.columns:
        values = table[name].to_numpy()
        known = ~np.isnan(values)
        if having[known].any() and not having[known].all():
            area = _area(values[known], having[known])
            found.append({"input": str(name), "auc": max(area, 1.0 - area), "higher": area > 0.5})
    return sorted(found, key=lambda one: (-one["auc"], one["input"]))


def _area(values: Floats, having: Bools) -> float:
    """Return the area under the ROC curve: the chance that one who has it lies above one who has not."""
    ones = int(having.sum())
    ranks = stats.rankdata(values)
    return float((ranks[having].sum() - ones * (ones + 1) / 2) / (ones * (len(having) - ones)))
