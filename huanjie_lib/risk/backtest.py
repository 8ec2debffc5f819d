"""Would we have seen it coming: a backtest on past elections that cannot look ahead.

For the term that is put to the test (T), every forecast uses features of the last term **before** T and
models that have never seen an outcome of the unit's own region:

* **forward in time**, where outcomes of earlier terms and features before those exist: models learn from the
  outcomes of terms before T alone;
* **across regions only**, where there is a single pair of terms: models learn from the outcomes of T in the
  other regions. That shows whether a pattern holds from place to place, not from election to election;
* **whole regions are held out** in either case, with their neighbours where a table of neighbours is given;
* intervals come from a bootstrap of whole regions.

Features that give the outcome away are refused, see :class:`LeakageError`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import Classification
from huanjie_lib.risk.calibration import (
    LEARNED,
    MODELS,
    forecast,
    model_pipelines,
    within_period_ranks,
)
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.leakage import LeakageError, refuse_leaks
from huanjie_lib.risk.panel import (
    Features,
    before,
    candidate_columns,
    keyed,
    labels,
    place_units,
    rank_features,
    terms_of,
    with_past_outcomes,
)
from huanjie_lib.risk.verification import (
    at_capacity,
    average_precision,
    brier_parts,
    calibration_error,
    draw_blocks,
    group_recall,
    interval,
    largest_misses,
    level_rates,
    net_benefit,
    reliability_table,
    resampled_precision,
    roc_auc,
)
from huanjie_lib.vocabulary import Level, share_text

__all__ = ["LeakageError", "Scorecard", "backtest"]

Floats: TypeAlias = npt.NDArray[np.float64]

MOST_FOLDS: Final = 10
SHARES: Final = (0.05, 0.1, 0.2)
"""Shares of all units that inspection may reach, where no capacity is given."""
THRESHOLDS: Final = tuple(round(0.01 * k, 2) for k in range(1, 61))
_INDEX = "\0index"


@dataclass(frozen=True)
class Scorecard:
    """What a backtest found. Every figure comes from forecasts of regions that the model had not seen.

    Parameters
    ----------
    scores
        By model: pr_auc with pr_auc_low and pr_auc_high (95 %, bootstrap of regions), lift (pr_auc over base
        rate), roc_auc, brier with reliability, resolution, uncertainty, within and skill, ece.
    capacity
        model, capacity, recall, precision.
    adoption
        By learned model: reference, difference of pr_auc to it with low and high, adopted, reason (Chinese).
    predictions
        unit, region, term, fold, outcome, model, probability, rank (1 = highest risk, ties share their
        average); by model and unit.
    curves
        By model: the reliability table.
    benefit
        By threshold: net benefit of each model and ``treat_all``.
    levels
        By colour of the index: units, events, rate; empty without an index and cut-offs.
    groups
        Recall by region for the recommended model at the middle capacity.
    columns
        By column of the history: used, note (Chinese) where it was left out.
    facts
        What was tested: test_term, feature_term, train_terms, design, units, events, base_rate, regions,
        folds, draws, seed, excluded rows, recommended, yellow_between (None where it cannot be told), ….
    notes
        What a reader must know, in Chinese.
    """

    scores: pd.DataFrame
    capacity: pd.DataFrame
    adoption: pd.DataFrame
    predictions: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    benefit: pd.DataFrame
    levels: pd.DataFrame
    groups: pd.DataFrame
    columns: pd.DataFrame
    facts: Mapping[str, Any]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """Return units, events, terms, the recommended model and the parameter version."""
        f = self.facts
        version = f", parameters={f['parameters']!r}" if f["parameters"] else ""
        return (
            f"Scorecard(units={f['units']}, events={f['events']}, test_term={f['test_term']}, "
            f"as_of_term={f['feature_term']}, recommended={f['recommended']!r}{version})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the scores by model."""
        return self.scores.copy()

    def of(self, model: str) -> pd.DataFrame:
        """Return the predictions of one model.

        Raises
        ------
        KeyError
            If there is no such model.
        """
        if model not in self.scores.index:
            raise KeyError(model)
        rows = self.predictions[self.predictions["model"] == model]
        return rows.reset_index(drop=True)

    @property
    def limits(self) -> dict[str, tuple[str, ...]]:
        """What this backtest proves and what it does not, in Chinese."""
        return _limits(self)

    def misses(self, model: str | None = None, *, most: int = 20) -> pd.DataFrame:
        """Return the events ranked safest by a model, the recommended one when omitted."""
        return largest_misses(self.of(model or self.facts["recommended"]), most=most)

    def explain(self, name: str) -> str:
        """Return in Chinese how a model did, or what was forecast for a unit and what happened.

        Raises
        ------
        KeyError
            If there is neither a model nor a unit of this name.
        """
        if name in self.scores.index:
            return self._explain_model(name)
        rows = self.of(self.facts["recommended"])
        found = rows[rows["unit"] == name]
        if found.empty:
            raise KeyError(name)
        row: dict[str, Any] = dict(found.iloc[0])
        happened = "确实发生了" if row["outcome"] == 1 else "没有发生"
        return (
            f"{name}：只用{self.facts['feature_term']}届及以前的数据，"
            f"{MODELS[self.facts['recommended']]}估计{self.facts['test_term']}届出险的可能性为"
            f"{share_text(float(row['probability']))}，在{self.facts['units']}个单位中按风险从高到低排第"
            f"{float(row['rank']):.0f}位；实际{happened}。"
        )

    def _explain_model(self, name: str) -> str:
        row: dict[str, Any] = dict(self.scores.loc[name])
        capacities = self.capacity[self.capacity["model"] == name]
        place: dict[str, Any] = dict(capacities.iloc[len(capacities) // 2])
        text = (
            f"{MODELS[name]}：平均查准率{row['pr_auc']:.3f}（95%区间{row['pr_auc_low']:.3f}至"
            f"{row['pr_auc_high']:.3f}），是随机抽查（{self.facts['base_rate']:.3f}）的{row['lift']:.2f}倍；"
            f"概率平均偏差{100 * row['ece']:.1f}个百分点；只查风险最高的{place['capacity']}个，"
            f"能查到{share_text(float(place['recall']))}的出险单位"
        )
        verdicts: dict[Any, str] = self.adoption["reason"].to_dict()
        return f"{text}；{verdicts[name]}。" if name in verdicts else f"{text}。"

    def to_json(self) -> dict[str, Any]:
        """Return the scorecard as plain numbers and text; a figure without a meaning is ``None``."""
        models: dict[str, Any] = {}
        for name, row in self.scores.iterrows():
            places = self.capacity[self.capacity["model"] == name]
            models[str(name)] = {
                "label": MODELS[str(name)],
                **{str(key): _plain(value) for key, value in row.items()},
                "recall_at": {str(r.capacity): _plain(r.recall) for r in places.itertuples()},
                "precision_at": {str(r.capacity): _plain(r.precision) for r in places.itertuples()},
                "explained": self.explain(str(name)),
            }
        return {
            **{key: _plain(value) for key, value in self.facts.items()},
            "models": models,
            "adoption": {
                str(name): {str(key): _plain(value) for key, value in row.items()}
                for name, row in self.adoption.iterrows()
            },
            "levels": {
                str(name): {str(key): _plain(value) for key, value in row.items()}
                for name, row in self.levels.iterrows()
            },
            "columns_left_out": {
                str(name): row["note"] for name, row in self.columns[~self.columns["used"]].iterrows()
            },
            **{key: list(said) for key, said in self.limits.items()},
            "notes": list(self.notes),
        }


def _limits(card: Scorecard) -> dict[str, tuple[str, ...]]:
    f, best = card.facts, card.scores.loc[card.facts["recommended"]]
    label, forward = MODELS[f["recommended"]], f["design"] != "regions"
    better = best["pr_auc_low"] > f["base_rate"]
    shown = (
        f"在这份数据里，只凭 {f['feature_term']} 届及以前的情况，"
        f"{label}{'能' if better else '不能确定'}比随机抽查更早找到 {f['test_term']} 届会出险的单位"
        f"（平均查准率 {best['pr_auc']:.3f}，基数 {f['base_rate']:.3f}）",
        f"概率与实际出险率平均相差 {100 * best['ece']:.1f} 个百分点",
        "被预测的片区从未参与建立模型" + ("，也没有用到被检验届次的任何结果" if forward else ""),
    )
    unknown = [
        "如果数据不是本市的，只说明方法在当地有效，不说明对本市有效：须用本市往届数据重新回测",
        f"“{f['outcome']}”只是数据里能查到的结果，不等于换届中的所有风险，也不说明原因",
        "过去的规律下一届不一定成立，政策和人员变了要重新检验",
    ]
    if not forward:
        unknown.insert(1, "没有检验从上一届预测下一届：只有一对届次，模型用的是同一届其他片区的结果")
    if "index" not in card.scores.index:
        unknown.append("没有选情指数参加比较，不能说明哪个模型比选情指数更好")
    return {"proves": shown, "does_not_prove": tuple(unknown)}


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it; numbers to ten decimals, so that equal runs give equal bytes."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 10) if math.isfinite(value) else None
    return value


# ---------------------------------------------------------------- the backtest


def backtest(
    history: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    unit: str,
    term: str,
    outcome: str,
    test_term: int | str,
    region: str | None = None,
    features: Sequence[str] | None = None,
    directions: Mapping[str, int] | None = None,
    index: pd.DataFrame | None = None,
    classification: Classification | None = None,
    neighbours: pd.DataFrame | None = None,
    capacities: Sequence[int] | None = None,
    models: Collection[str] = tuple(MODELS),
    draws: int = 1000,
    seed: int = 20261031,
    version: str = "",
) -> Scorecard:
    """Forecast a past election from what was known before it, and score the forecasts.

    Parameters
    ----------
    history
        One row a unit and term: what was on record of that term. Rows of the tested term and later are never
        features. Columns that are not numbers, hold nothing or do not vary are left out and told.
    outcomes
        One row a unit and term: the outcome, 0 or 1. A missing one is left out and counted. Outcomes of
        earlier terms are features too (last value), and what models learn from where features precede them.
    unit, term, outcome
        Names of the columns; unit and term are the same in both tables.
    test_term
        The term put to the test.
    region
        Column of either table that names the region to hold out whole; :func:`derive_regions` when omitted.
    features
        Columns to use; all when omitted.
    directions
        +1 or −1 by feature, see :func:`~huanjie_lib.risk.calibration.model_pipelines`.
    index
        unit, term, index (0-100, high is safe): the expert index as it stood at each term. Used is that of
        the term that features come from.
    classification
        Cut-offs of the index's colours.
    neighbours
        region, neighbour: regions next to a held-out one are not learned from either.
    capacities
        Numbers of units that inspection can reach; 5, 10 and 20 % of the units when omitted.
    models
        Names of the models to try, see :data:`~huanjie_lib.risk.calibration.MODELS`; one that the data do not
        allow (no index, no earlier outcome) is left out and told.
    draws
        Bootstrap draws.
    seed
        Seed of bootstrap and boosting.
    version
        Version of the parameters behind the index.

    Raises
    ------
    LeakageError
        If no term lies before the tested one, or a feature gives its outcome away.
    DataError
        If a column is missing, keys are double, outcomes are not 0 or 1, there is no event, or there are too
        few regions.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> names = [f"{c}县{t}镇{n}村" for c in "甲乙丙丁戊己" for t in "东西" for n in range(40)]
    >>> before = pd.DataFrame({"村": names, "届": 2018, "投票率": rng.random(480)})
    >>> happened = rng.random(480) < 0.6 - 0.6 * before["投票率"]
    >>> after = pd.DataFrame({"村": names, "届": 2021, "出险": happened})
    >>> card = backtest(before, after, unit="村", term="届", outcome="出险", test_term=2021)
    >>> card.facts["design"], card.facts["regions"], bool(card.scores.loc["logistic", "lift"] > 1.2)
    ('regions', 6, True)
    >>> backtest(after, after, unit="村", term="届", outcome="出险", test_term=2021)
    Traceback (most recent call last):
        ...
    huanjie_lib.risk.leakage.LeakageError: 没有选举前的数据，不能回测（共 1 处问题）
    ...
    """
    problem = _Problem.of(
        history, outcomes, (unit, term, outcome), test_term, region, features, directions, index, neighbours
    )
    chosen = {name: model for name, model in problem.models(seed).items() if name in models}
    if not chosen:
        raise ValueError(f"none of the models {sorted(models)} can be tried; known are {list(MODELS)}")
    names = list(chosen)
    predictions, notes = problem.forecasts(chosen)
    sizes = _capacities(capacities, len(problem.test))
    y = problem.test["outcome"].to_numpy(dtype=np.float64)
    chances = {name: predictions[name].to_numpy(dtype=np.float64) for name in names}
    # Scores that learn nothing keep their own order; chances fitted apart in each fold would shuffle it.
    fixed = {"index": _INDEX, "last_value": problem.last_value}
    ordering = {
        name: problem.test_ranks[fixed[name]].fillna(1.0).to_numpy() if name in fixed else chance
        for name, chance in chances.items()
    }
    drawn = draw_blocks(problem.test["region"], draws=draws, seed=seed)
    resampled = {name: resampled_precision(y, ordering[name], drawn) for name in names}
    scores = pd.DataFrame(
        {name: _scores(y, chances[name], ordering[name], resampled[name]) for name in names}
    ).T.rename_axis("model")
    recommended = str(scores["pr_auc"].idxmax())
    levels, between = _levels(problem, y, classification)
    adoption = _adoption(scores, resampled, forward=problem.forward)
    facts = {
        **problem.facts,
        "base_rate": float(y.mean()),
        "recommended": recommended,
        "adopted": [str(n) for n in adoption.index[adoption["adopted"].astype(bool)]],
        "yellow_between": between,
        "capacities": sizes,
        "draws": draws,
        "seed": seed,
        "parameters": version,
    }
    return Scorecard(
        scores=scores,
        capacity=pd.concat(
            [at_capacity(y, ordering[name], sizes).reset_index().assign(model=name) for name in names],
            ignore_index=True,
        )[["model", "capacity", "recall", "precision"]],
        adoption=adoption,
        predictions=_prediction_frame(problem, predictions, ordering, names),
        curves={name: reliability_table(y, chances[name]) for name in names},
        benefit=_benefit(y, chances),
        levels=levels,
        groups=group_recall(
            y, ordering[recommended], problem.test["region"], capacity=sizes[len(sizes) // 2]
        ).rename_axis("region"),
        columns=problem.features.columns,
        facts=facts,
        notes=(*problem.notes, *notes),
    )


def _scores(y: Floats, chance: Floats, ordering: Floats, resampled: Floats) -> dict[str, float]:
    precision = average_precision(y, ordering)
    low, high = interval(resampled)
    parts = brier_parts(y, chance)
    return {
        "pr_auc": precision,
        "pr_auc_low": low,
        "pr_auc_high": high,
        "lift": precision / float(y.mean()),
        "roc_auc": roc_auc(y, ordering),
        "brier": parts.brier,
        "reliability": parts.reliability,
        "resolution": parts.resolution,
        "uncertainty": parts.uncertainty,
        "within": parts.within,
        "skill": parts.skill,
        "ece": calibration_error(y, chance),
    }


def _benefit(y: Floats, chances: Mapping[str, Floats]) -> pd.DataFrame:
    tables = {name: net_benefit(y, chance, THRESHOLDS) for name, chance in chances.items()}
    table = pd.DataFrame({name: t["model"] for name, t in tables.items()})
    return table.assign(treat_all=next(iter(tables.values()))["treat_all"])


def _capacities(asked: Sequence[int] | None, units: int) -> list[int]:
    if asked is None:
        return sorted({max(1, round(share * units)) for share in SHARES})
    sizes = sorted(set(asked))
    wrong = [k for k in sizes if not 1 <= k <= units]
    if wrong or not sizes:
        raise DataError(
            "检查能力不对",
            [
                Fault(
                    "--capacity", str(k), f"1 到 {units} 之间的整数（被检验的单位数）", "改为能检查的单位数"
                )
                for k in (wrong if sizes else ["没有"])
            ],
        )
    return sizes


def _adoption(scores: pd.DataFrame, resampled: Mapping[str, Floats], *, forward: bool) -> pd.DataFrame:
    """Apply the adoption rule: better than the index in time and space, interval and all."""
    reference = "index" if "index" in scores.index else "equal_weights"
    rows: dict[str, dict[str, Any]] = {}
    for name in [m for m in LEARNED if {m, reference} <= set(scores.index)]:
        difference = float(scores["pr_auc"][name]) - float(scores["pr_auc"][reference])
        low, high = interval(resampled[name] - resampled[reference])
        beats = low > 0
        told = (
            f"平均查准率比{MODELS[reference]}{'高' if difference >= 0 else '低'}{abs(difference):.3f}"
            f"（95%区间{low:+.3f}至{high:+.3f}）"
        )
        if reference != "index":
            verdict = "没有选情指数可比，不采用"
        elif not beats:
            verdict = "不能确定好于选情指数，不采用"
        elif not forward:
            verdict = "只在片区之间检验过，没有在时间上向前检验，不采用"
        else:
            verdict = "在时间和片区两方面都好于选情指数，可以作为参考采用，但不代替指数"
        rows[name] = {
            "reference": reference,
            "difference": difference,
            "low": low,
            "high": high,
            "adopted": bool(reference == "index" and beats and forward),
            "reason": f"{told}，{verdict}",
        }
    columns = ["reference", "difference", "low", "high", "adopted", "reason"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("model")


def _levels(
    problem: _Problem, y: Floats, classification: Classification | None
) -> tuple[pd.DataFrame, bool | None]:
    """Return event rates by colour, and whether that of yellow lies strictly between the other two."""
    if classification is None or "index_value" not in problem.test:
        return pd.DataFrame(columns=["units", "events", "rate"]).rename_axis("level"), None
    table = level_rates(y, classify(problem.test["index_value"], classification))
    rate = table["rate"]
    if rate.isna().any():
        return table, None
    return table, bool(rate[Level.RED.value] > rate[Level.YELLOW.value] > rate[Level.GREEN.value])


def _prediction_frame(
    problem: _Problem, predictions: pd.DataFrame, ordering: Mapping[str, Floats], names: Sequence[str]
) -> pd.DataFrame:
    base = problem.test[["unit", "region", "locality"]].assign(
        term=problem.facts["test_term"],
        fold=predictions["fold"].to_numpy(),
        outcome=problem.test["outcome"].astype("int64"),
    )
    frames = [
        base.assign(
            model=name,
            probability=predictions[name].to_numpy(),
            rank=pd.Series(-ordering[name]).rank(method="average").to_numpy(),
        )
        for name in names
    ]
    return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class _Problem:
    """What is learned from, what is forecast, and how regions are held out."""

    train: pd.DataFrame
    train_ranks: pd.DataFrame
    test: pd.DataFrame
    test_ranks: pd.DataFrame
    features: Features
    last_value: str | None
    directions: Mapping[str, int]
    near: Mapping[str, frozenset[str]]
    forward: bool
    facts: Mapping[str, Any]
    notes: tuple[str, ...]

    def models(self, seed: int) -> dict[str, Pipeline]:
        return model_pipelines(
            self.features.names,
            last_value=self.last_value,
            index=_INDEX if _INDEX in self.test_ranks else None,
            directions=self.directions,
            seed=seed,
        )

    def forecasts(self, models: Mapping[str, Pipeline]) -> tuple[pd.DataFrame, list[str]]:
        """Return by row of ``test`` the fold and each model's chance."""
        blocks = self.test["region"].to_numpy(dtype=object)
        found = pd.DataFrame({"fold": np.zeros(len(self.test), dtype=np.int64)})
        chances = {name: np.full(len(self.test), np.nan) for name in models}
        folds = GroupKFold(self.facts["folds"]).split(self.test, groups=blocks)
        rests = []
        for number, (_, held) in enumerate(folds, start=1):
            away = set(blocks[held])
            away |= {n for region in away for n in self.near.get(region, ())}
            kept = ~self.train["region"].isin(away)
            rest = self.train[kept]
            if rest["outcome"].nunique() < 2:
                raise DataError(
                    "留出片区后，剩下的单位不够建立模型",
                    [
                        Fault(
                            f"第 {number} 次留出",
                            f"剩下 {len(rest)} 个单位、{int(rest['outcome'].sum())} 个出险",
                            "出险和没有出险的单位都有",
                            "用 --region 换更小的片区，或补充数据",
                        )
                    ],
                )
            rests.append(len(rest))
            found.loc[held, "fold"] = number
            for name, model in models.items():
                # One thread: sums come out equal on any machine, and small fits lose time to waiting threads.
                with threadpool_limits(limits=1):
                    chances[name][held] = forecast(
                        name,
                        model,
                        self.train_ranks[kept],
                        rest["outcome"],
                        rest["region"],
                        self.test_ranks.iloc[held],
                    )
        notes = [f"共留出 {len(rests)} 次，每次用其余片区的 {min(rests)} 至 {max(rests)} 行建立模型"]
        return found.assign(**chances), notes

    @classmethod
    def of(
        cls,
        history: pd.DataFrame,
        outcomes: pd.DataFrame,
        names: tuple[str, str, str],
        test_term: int | str,
        region: str | None,
        wanted: Sequence[str] | None,
        directions: Mapping[str, int] | None,
        index: pd.DataFrame | None,
        neighbours: pd.DataFrame | None,
    ) -> _Problem:
        unit, term, outcome = names
        history = keyed(history, [unit, term], unit, term, "--history")
        outcomes = keyed(outcomes, [unit, term, outcome], unit, term, "--outcomes")
        outcomes[outcome] = labels(outcomes, outcome)
        terms = terms_of(pd.Series([*history[term], *outcomes[term], test_term], dtype=object)).tolist()
        history[term], outcomes[term] = terms[: len(history)], terms[len(history) : -1]
        tested = terms[-1]
        if tested not in set(outcomes[term]):
            raise DataError(
                "没有要检验的届次",
                [
                    Fault(
                        "--test-term",
                        str(test_term),
                        "、".join(map(str, sorted(set(outcomes[term]), key=str))),
                        "改为结果文件里有的届次",
                    )
                ],
            )
        history = with_past_outcomes(history, outcomes, names, tested)
        every = set(history[term])
        earlier = sorted(t for t in every if before(t, tested))
        if not earlier:
            raise LeakageError(
                "没有选举前的数据，不能回测",
                [
                    Fault(
                        "--history",
                        "届次只有 " + "、".join(map(str, sorted(every, key=str))),
                        f"至少一个早于 {tested} 的届次",
                        "补充以前届次的数据，或换一个 --test-term",
                    )
                ],
            )
        candidates = candidate_columns(history, wanted, (unit, term, region))
        directions = _directions(directions or {}, candidates)
        places = place_units(history, outcomes, unit, region)
        features = rank_features(history, candidates, (unit, term), earlier, places["locality"])
        samples, ranks, excluded = _samples(outcomes, features, names, earlier, tested, places, index)
        refuse_leaks(history, features, samples, names=names, terms=earlier, test_term=tested)
        if not features.names:
            raise DataError(
                "没有可用的特征列",
                [Fault("--history", "列都不是数字或没有变化", "至少一列会变化的数字", "补充数据列")],
            )
        now = samples["term"] == tested
        test, past = samples[now].reset_index(drop=True), samples[~now]
        forward = past["outcome"].nunique() == 2
        _check_test(test, outcome, tested, excluded)
        regions = test["region"].nunique()
        facts = {
            "test_term": tested,
            "feature_term": earlier[-1],
            "train_terms": sorted(set(past["term"])) if forward else [tested],
            "design": "forward+regions" if forward else "regions",
            "units": len(test),
            "events": int(test["outcome"].sum()),
            "regions": regions,
            "folds": min(MOST_FOLDS, regions),
            "outcome": outcome,
            "features": len(features.names),
            "excluded": excluded,
            "lead_time": {
                "terms": 1,
                "years": tested - earlier[-1] if isinstance(tested, int) else None,
            },
        }
        return cls(
            train=past if forward else samples[now],
            train_ranks=ranks[~now] if forward else ranks[now],
            test=test,
            test_ranks=ranks[now].reset_index(drop=True),
            features=features,
            last_value=outcome if outcome in features.names else None,
            directions=directions,
            near=_near(neighbours, set(places["region"])),
            forward=forward,
            facts=facts,
            notes=_notes(
                facts, features, last_value=outcome in features.names, buffer=neighbours is not None
            ),
        )


def _directions(directions: Mapping[str, int], candidates: Sequence[str]) -> dict[str, int]:
    faults = [
        Fault("--direction", f"{name}={sign}", "特征列=+1 或 特征列=-1", "核对列名和方向")
        for name, sign in directions.items()
        if name not in candidates or sign not in (-1, 1)
    ]
    if faults:
        raise DataError("方向写得不对", faults)
    return dict(directions)


def _samples(
    outcomes: pd.DataFrame,
    features: Features,
    names: tuple[str, str, str],
    earlier: Sequence[Any],
    tested: Any,
    places: pd.DataFrame,
    index: pd.DataFrame | None,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Return one row per unit and outcome term, beside it the ranks of the last term before, and the rest."""
    unit, term, outcome = names
    frames, tables = [], []
    excluded = {"outcome_missing": 0, "no_history": 0}
    for when in [*earlier[1:], tested]:
        rows = outcomes.loc[outcomes[term] == when, [unit, term, outcome]].set_axis(
            ["unit", "term", "outcome"], axis=1
        )
        rows = rows.assign(feature_term=[t for t in earlier if before(t, when)][-1])
        key = pd.MultiIndex.from_frame(rows[["unit", "feature_term"]])
        known, recorded = rows["outcome"].notna().to_numpy(), key.isin(features.table.index)
        if when == tested:
            excluded = {
                "outcome_missing": int((~known).sum()),
                "no_history": int((known & ~recorded).sum()),
            }
        frames.append(rows[known & recorded])
        tables.append(features.table.reindex(key)[known & recorded])
    samples = pd.concat(frames, ignore_index=True)
    ranks = pd.concat(tables, ignore_index=True)
    samples = samples.assign(
        region=samples["unit"].map(places["region"]), locality=samples["unit"].map(places["locality"])
    )
    if index is not None:
        asked = terms_of(index["term"])
        stood = index.assign(
            unit=index["unit"].astype("str"), term=asked.map(str) if isinstance(tested, str) else asked
        )
        safe = stood.set_index(["unit", "term"])["index"]
        risk = 1.0 - within_period_ranks(safe.to_frame(), safe.index.get_level_values("term"))["index"]
        key = pd.MultiIndex.from_frame(samples[["unit", "feature_term"]])
        samples = samples.assign(index_value=safe.reindex(key).to_numpy())
        ranks = ranks.assign(**{_INDEX: risk.reindex(key).to_numpy()})
        if samples.loc[samples["term"] == tested, "index_value"].isna().all():
            raise DataError(
                "没有选举前的选情指数",
                [
                    Fault(
                        "选情指数",
                        f"没有 {earlier[-1]} 届的",
                        f"{earlier[-1]} 届的指数",
                        "补充指数，或不用指数",
                    )
                ],
            )
    return samples, ranks, excluded


def _check_test(test: pd.DataFrame, outcome: str, tested: Any, excluded: Mapping[str, int]) -> None:
    if test.empty:
        raise DataError(
            "没有可以检验的单位",
            [
                Fault(
                    f"{tested} 届的 {outcome}",
                    f"{excluded['no_history']} 个单位选举前没有数据，"
                    f"{excluded['outcome_missing']} 个没有结果",
                    "同一单位在两个文件里写法相同，既有以前届次的数据，又有结果",
                    "核对单位列的写法和结果列",
                )
            ],
        )
    events = int(test["outcome"].sum())
    if not 0 < events < len(test):
        raise DataError(
            "结果都一样，无从检验",
            [
                Fault(
                    f"{tested} 届的 {outcome}",
                    f"{len(test)} 个单位中 {events} 个出险",
                    "出险和没有出险的单位都有",
                    "核对结果列和届次",
                )
            ],
        )
    if test["region"].nunique() < 2:
        raise DataError(
            "只有一个片区，不能留出检验",
            [Fault("片区", test["region"].iloc[0], "至少两个片区", "用 --region 换一列更小的片区")],
        )


def _near(neighbours: pd.DataFrame | None, regions: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the neighbours of each region, whichever way round a pair is written."""
    if neighbours is None:
        return {}
    missing = [c for c in ("region", "neighbour") if c not in neighbours.columns]
    if missing:
        raise DataError(
            "相邻片区表不对",
            [Fault("--neighbours", f"没有列 {c}", "列 region 和 neighbour", "改正列名") for c in missing],
        )
    pairs = neighbours[["region", "neighbour"]].astype("str")
    unknown = sorted(set(pairs.to_numpy().ravel()) - set(regions))
    if unknown:
        raise DataError(
            "相邻片区表里有不认识的片区",
            [
                Fault("--neighbours", u, "、".join(sorted(regions)[:10]), "改为数据里的片区")
                for u in unknown[:20]
            ],
        )
    both = pd.concat([pairs, pairs.set_axis(["neighbour", "region"], axis=1)])
    return {str(r): frozenset(rows["neighbour"]) for r, rows in both.groupby("region")}


def _notes(
    facts: Mapping[str, Any], features: Features, *, last_value: bool, buffer: bool
) -> tuple[str, ...]:
    tested, before = facts["test_term"], facts["feature_term"]
    notes = [f"特征全部来自 {before} 届，早于被检验的 {tested} 届"]
    if facts["design"] == "regions":
        notes.append(
            f"只有一对届次，模型用其他片区 {tested} 届的结果建立：检验的是规律能否从一地用到另一地，"
            "没有检验能否从一届用到下一届"
        )
    else:
        terms = "、".join(map(str, facts["train_terms"]))
        notes.append(f"模型只用 {terms} 届的结果建立，再向前预测 {tested} 届，同时整片留出片区")
    notes.append("留出片区的相邻片区也不参与建模" if buffer else "没有相邻片区表，相邻片区未剔除")
    excluded = facts["excluded"]
    if excluded["outcome_missing"]:
        notes.append(f"{excluded['outcome_missing']} 个单位没有结果，未计入")
    if excluded["no_history"]:
        notes.append(f"{excluded['no_history']} 个单位选举前没有数据，不能预测，未计入")
    notes.append(f"其余 {facts['units']} 个单位全部计入基数，结果为 0 的（包括事件不可能发生的）都算没有出险")
    if not last_value:
        notes.append("没有以前届次的结果，不能与“上届结果”比较")
    left = [f"{name}（{row['note']}）" for name, row in features.columns.iterrows() if not row["used"]]
    if left:
        notes.append(f"未用的列：{'、'.join(left)}")
    if facts["events"] < 30:
        notes.append(f"出险单位只有 {facts['events']} 个，各项数字很不稳定")
    return tuple(notes)
