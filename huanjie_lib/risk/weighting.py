"""Weight proposals; a proposal becomes a parameter only when a person adopts it in a pack.

Whatever the method (equal weights, judgments, the data, a combination), its proposal is of one kind: a
framework with other weights, how they were made, and what to keep in mind. Rules for awkward data are those
of :mod:`huanjie_lib.risk.data_weights` and :mod:`huanjie_lib.risk.judgments`, and one more: a dimension of
which a unit has not a single observed indicator is missing for that unit, and a gap in it is left out rather
than taken at its declared severity, because gaps shall not make a dimension weigh more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.parameters import Framework, ParameterSet
from huanjie_lib.parameters.fields import sum_fault
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.data_weights import (
    DataWeights,
    combine_weights,
    critic_weights,
    entropy_weights,
    standard_deviation_weights,
)
from huanjie_lib.risk.judgments import GroupJudgments
from huanjie_lib.risk.scoring import score, weights
from huanjie_lib.vocabulary import Level, UnitKind

__all__ = [
    "METHODS",
    "Method",
    "WeightEffect",
    "WeightProposal",
    "compare_weights",
    "deprivations",
    "dimension_weights",
    "equal_weights",
    "propose",
    "propose_combination",
    "propose_equal",
    "propose_from_data",
    "propose_from_judgments",
    "weight_table",
]

Method: TypeAlias = Literal["equal", "ahp", "entropy", "critic", "sd", "combined", "manual"]
DataMethod: TypeAlias = Literal["entropy", "critic", "sd"]

METHODS: Mapping[Method, str] = {
    "equal": "等权",
    "ahp": "专家判断（层次分析法）",
    "entropy": "熵权法",
    "critic": "CRITIC 法",
    "sd": "标准差法",
    "combined": "组合赋权",
    "manual": "人工调整",
}
"""Chinese name of each method."""

_BY_DATA: Mapping[DataMethod, Callable[[pd.DataFrame], DataWeights]] = {
    "entropy": entropy_weights,
    "critic": critic_weights,
    "sd": standard_deviation_weights,
}


@dataclass(frozen=True)
class WeightProposal:
    """A framework with proposed weights, beside the adopted one.

    Parameters
    ----------
    framework
        Framework with the proposed weights; its version ends in ``+`` and the method.
    adopted
        Framework with the weights now in use.
    method
        Key of :data:`METHODS`.
    how
        How the weights were made, in Chinese.
    judgments
        Consistency of the judgments behind the weights, where there are any.
    notes
        What to keep in mind, in Chinese, such as a dimension that got no weight.
    """

    framework: Framework
    adopted: Framework
    method: Method
    how: str
    judgments: GroupJudgments | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return method, number of dimensions and version."""
        version = f"{self.framework.id}@{self.framework.version}"
        return (
            f"WeightProposal({self.method!r}, dimensions={len(self.framework.dimensions)}, "
            f"parameters={version!r})"
        )

    @property
    def label(self) -> str:
        """Chinese name of the method."""
        return METHODS[self.method]

    def to_frame(self) -> pd.DataFrame:
        """Return adopted and proposed weight of each dimension, and the change in percentage points."""
        before, after = dimension_weights(self.adopted), dimension_weights(self.framework)
        return pd.DataFrame(
            {
                "维度": [d.label for d in self.framework.dimensions],
                "采用权重": before,
                "方案权重": after,
                "变化（百分点）": 100.0 * (after - before),
            }
        )

    def explain(self) -> str:
        """Return in Chinese how the weights came about, what changes most, and what to keep in mind.

        Examples
        --------
        >>> from huanjie_lib.parameters import load_parameters
        >>> propose_equal(load_parameters().framework).explain()
        '等权：7个维度同等重要，维度内各指标也同等重要；变化最大的是人选储备（8.0%→14.3%）。'
        """
        table = self.to_frame()
        change = table["变化（百分点）"].abs().to_numpy()
        if change.max() >= 0.05:
            most = table.iloc[int(change.argmax())]
            moved = f"变化最大的是{most['维度']}（{most['采用权重']:.1%}→{most['方案权重']:.1%}）"
        else:
            moved = "各维度权重与采用的相同"
        return "；".join([f"{self.label}：{self.how}", moved, *self.notes]) + "。"


def dimension_weights(framework: Framework) -> pd.Series[float]:
    """Return the weight of each dimension by its id."""
    return pd.Series({d.id: d.weight for d in framework.dimensions}, name="weight", dtype="float64")


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


def propose(
    framework: Framework,
    dimensions: pd.Series[float] | Mapping[str, float] | None = None,
    indicators: pd.Series[float] | Mapping[str, float] | None = None,
    *,
    method: Method = "manual",
    how: str,
    judgments: GroupJudgments | None = None,
    notes: Sequence[str] = (),
) -> WeightProposal:
    """Return a proposal with other weights.

    Parameters
    ----------
    framework
        Adopted framework.
    dimensions
        Weight by dimension id, all of them, none negative, sum 1; the adopted ones when omitted.
    indicators
        Weight within its dimension by indicator id, all of them, none negative, sum 1 in each dimension; the
        adopted ones when omitted.
    method, how, judgments, notes
        See :class:`WeightProposal`.

    Raises
    ------
    ParameterError
        If a weight is missing, unknown, negative or not finite, a sum is not 1, or no indicator with a weight
        is left for a kind of unit; every fault is listed.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> framework = load_parameters().framework
    >>> half = {d.id: 0.5 if n < 2 else 0.0 for n, d in enumerate(framework.dimensions)}
    >>> propose(framework, half, how="只看审计和联审")
    WeightProposal('manual', dimensions=7, parameters='default@2026.1+manual')
    >>> propose(framework, {**half, "petition": 0.1}, how="")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.ParameterError: 权重方案不能用（共 1 处问题）
      1. 维度权重：发现“petition”；应为：已有的维度编号；...
    """
    faults: list[Fault] = []
    across = {d.id: d.weight for d in framework.dimensions}
    if dimensions is not None:
        across = _weights_given("维度权重", dimensions, across, faults)
        faults += _sum_faults("维度权重合计", across)
    within = {i.id: i.weight for i in framework.indicators}
    if indicators is not None:
        within = _weights_given("指标权重", indicators, within, faults)
        for d in framework.dimensions:
            own = {i.id: within.get(i.id, 0.0) for i in d.indicators}
            faults += _sum_faults(f"{d.label}的指标权重合计", own)
            faults += [
                Fault(f"{d.label}中适用于{kind.label}的指标权重", "0", "大于 0", "至少给其中一项权重")
                for kind in UnitKind
                if not any(kind in i.applies_to and own[i.id] > 0 for i in d.indicators)
            ]
    if faults:
        raise ParameterError("权重方案不能用", faults)
    changed = tuple(
        d.model_copy(
            update={
                "weight": across[d.id],
                "indicators": tuple(i.model_copy(update={"weight": within[i.id]}) for i in d.indicators),
            }
        )
        for d in framework.dimensions
    )
    version = f"{framework.version}+{method}"
    return WeightProposal(
        framework=framework.model_copy(update={"dimensions": changed, "version": version}),
        adopted=framework,
        method=method,
        how=how,
        judgments=judgments,
        notes=tuple(notes),
    )


def _weights_given(
    what: str,
    given: pd.Series[float] | Mapping[str, float],
    known: Mapping[str, float],
    faults: list[Fault],
) -> dict[str, float]:
    """Return the weights as numbers, in the framework's order, and add every fault found."""
    found = {str(k): float(v) for k, v in given.items()}
    faults += [Fault(what, k, f"已有的{what[:2]}编号", "改正编号") for k in found if k not in known]
    faults += [Fault(f"{what}：{k}", "缺少此项", "权重", "补充该项权重") for k in known if k not in found]
    faults += [
        Fault(f"{what}：{k}", f"{w:g}", "0 到 1 之间的数", "改正该项权重")
        for k, w in found.items()
        if not 0.0 <= w <= 1.0
    ]
    return {k: found.get(k, 0.0) for k in known}


def _sum_faults(where: str, given: Mapping[str, float]) -> list[Fault]:
    weights = list(given.values())
    # a weight that is not finite has been told by itself
    return sum_fault(where, weights) if np.isfinite(sum(weights)) else []


def propose_equal(framework: Framework) -> WeightProposal:
    """Return the proposal in which all dimensions weigh the same, and all indicators within each."""
    count = len(framework.dimensions)
    return propose(
        framework,
        {d.id: 1.0 / count for d in framework.dimensions},
        {i.id: 1.0 / len(d.indicators) for d in framework.dimensions for i in d.indicators},
        method="equal",
        how=f"{count}个维度同等重要，维度内各指标也同等重要",
    )


def equal_weights(framework: Framework) -> Framework:
    """Return the framework of :func:`propose_equal`.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> proposal = equal_weights(load_parameters().framework)
    >>> round(proposal.dimensions[0].weight, 6), proposal.dimensions[0].indicators[0].weight
    (0.142857, 0.2)
    """
    return propose_equal(framework).framework


def propose_from_judgments(framework: Framework, judgments: GroupJudgments) -> WeightProposal:
    """Return the proposal of a group that compared the dimensions, named by their labels, in pairs (AHP).

    An inconsistent group still gets its proposal, with a note that says what to review.

    Raises
    ------
    ParameterError
        If the group did not compare exactly the framework's dimensions.
    """
    ids = {d.label: d.id for d in framework.dimensions}
    told = judgments.explain()
    return propose(
        framework,
        judgments.merged.weights.rename(ids),
        method="ahp",
        how=told.split("。")[0],
        judgments=judgments,
        notes=[part for part in told.split("。")[1:] if part],
    )


def deprivations(severity: pd.DataFrame, kinds: pd.Series[str], framework: Framework) -> pd.DataFrame:
    """Return how badly each unit does in each dimension, by what was observed.

    Parameters
    ----------
    severity
        Severities 0-1, units × indicators, NaN where missing or not applicable, as in
        :class:`~huanjie_lib.risk.scoring.Scores`.
    kinds
        Kind of each unit, same index.
    framework
        Adopted weights within dimensions, and powers.

    Returns
    -------
    pandas.DataFrame
        Units × dimensions, 0-1: the weighted power mean of the observed severities, weights renormalised over
        them. NaN where a unit has no observed indicator with a weight in the dimension.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> framework = load_parameters().framework
    >>> first = framework.dimensions[0]
    >>> severity = pd.DataFrame(np.nan, index=["a"], columns=[i.id for i in framework.indicators])
    >>> severity[first.indicators[0].id] = 0.25
    >>> found = deprivations(severity, pd.Series({"a": "village"}), framework).loc["a"]
    >>> float(found[first.id]), int(found.isna().sum())
    (0.25, 6)
    """
    ids = [i.id for i in framework.indicators]
    observed = severity[ids].to_numpy(dtype=np.float64)
    kind_of = kinds.reindex(severity.index).to_numpy()
    out = np.full((len(severity), len(framework.dimensions)), np.nan)
    for kind in UnitKind:
        rows = np.flatnonzero(kind_of == kind.value)
        w = weights(framework, kind)
        for d, power in enumerate(w.power):
            columns = np.flatnonzero((w.dimension == d) & (w.within > 0.0))
            s = observed[np.ix_(rows, columns)]
            present = np.where(np.isnan(s), 0.0, w.within[columns])
            total = present.sum(axis=1)
            mass = (present * np.nan_to_num(s) ** power).sum(axis=1)
            mean = np.divide(mass, total, out=np.full(len(rows), np.nan), where=total > 0.0)
            out[rows, d] = mean ** (1.0 / power)
    return pd.DataFrame(out, index=severity.index, columns=[d.id for d in framework.dimensions])


def propose_from_data(framework: Framework, deprivation: pd.DataFrame, method: DataMethod) -> WeightProposal:
    """Return the proposal that the spread of the data makes for the dimensions.

    Parameters
    ----------
    framework
        Adopted framework; weights within dimensions stay.
    deprivation
        Result of :func:`deprivations`.
    method
        ``entropy``, ``critic`` or ``sd``.

    Raises
    ------
    ParameterError
        As the method in :mod:`huanjie_lib.risk.data_weights`, or if the columns are not the dimensions.
    """
    labels = {d.id: d.label for d in framework.dimensions}
    found = _BY_DATA[method](deprivation.rename(columns=labels))
    weightless = [f"{label}在各村（社区）之间没有差异，权重为0" for label in found.constant]
    left_out = f"，有缺失的{found.rows_left_out}个未用" if found.rows_left_out else ""
    return propose(
        framework,
        found.weights.rename({label: id_ for id_, label in labels.items()}),
        method=method,
        how=f"按{found.rows_used}个村（社区）在各维度上的差异大小定权{left_out}",
        notes=[*weightless, "差异大不等于更重要，只作参考"],
    )


def propose_combination(judged: WeightProposal, by_data: Sequence[WeightProposal]) -> WeightProposal:
    """Return the mean of a judged proposal and of the mean of proposals made by the data.

    Parameters
    ----------
    judged
        Proposal that a person stands behind; :func:`propose` without weights stands for the adopted ones.
    by_data
        Proposals of :func:`propose_from_data`.

    Raises
    ------
    ParameterError
        If there is no proposal made by the data, or the dimensions differ.
    """
    if not by_data:
        raise ParameterError(
            "不能组合", [Fault("数据法方案", "0 份", "至少一份", "先用熵权法等算出一份方案")]
        )
    data = combine_weights([dimension_weights(p.framework) for p in by_data], method="mean")
    both = combine_weights([dimension_weights(judged.framework), data], method="mean")
    base = "采用的权重" if judged.method == "manual" else judged.label
    names = "、".join(p.label for p in by_data)
    mean = f"{names}的平均值" if len(by_data) > 1 else names
    notes = dict.fromkeys(note for p in (judged, *by_data) for note in p.notes)
    return propose(
        judged.adopted,
        both,
        {i.id: i.weight for i in judged.framework.indicators},
        method="combined",
        how=f"{base}与{mean}各占一半",
        judgments=judged.judgments,
        notes=list(notes),
    )


@dataclass(frozen=True)
class WeightEffect:
    """What a weight proposal would change.

    Parameters
    ----------
    units
        By unit code: ``index``, ``level``, ``proposed_index``, ``proposed_level``, ``change`` (of the index)
        and ``rank_change`` (a positive one leaves the worst places).
    moves
        Adopted level × proposed level → number of units.
    points
        Units × dimensions: change of the points lost; a row sums to minus the change of the index.
    adopted, proposal
        The two frameworks.
    hysteresis
        Whether colours are those after the last snapshot's (防跳动), or of this date alone.
    as_of
        Date the data describe, where it was given.
    version
        Version of the adopted parameters.
    """

    units: pd.DataFrame
    moves: pd.DataFrame
    points: pd.DataFrame
    adopted: Framework
    proposal: Framework
    hysteresis: bool
    as_of: dt.date | None
    version: str

    def __repr__(self) -> str:
        """Return number of units and changed colours, date, version and proposal."""
        when = f", as_of={self.as_of}" if self.as_of else ""
        return (
            f"WeightEffect(units={len(self.units)}, change_colour={int(self.changes_colour.sum())}{when}, "
            f"parameters={self.version!r}, proposal={self.proposal.version!r})"
        )

    @property
    def changes_colour(self) -> pd.Series[bool]:
        """Whether each unit changes colour."""
        return (self.units["level"] != self.units["proposed_level"]).rename("changes_colour")

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit code."""
        return self.units.copy()

    def explain(self, unit_code: str, *, name: str | None = None) -> str:
        """Return in Chinese what changes for a unit, and which dimensions' weights are behind it.

        Parameters
        ----------
        unit_code
            The unit.
        name
            What to call it; its code when omitted.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row: dict[str, Any] = dict(self.units.loc[unit_code])
        before, after = row["level"], row["proposed_level"]
        labels, called = Level.labels(), name or unit_code
        if before == Level.UNKNOWN.value:
            return f"{called}没有填报任何数据，换权重也不能判断颜色，请先报数。"
        text = (
            f"按方案，{called}由{labels[before]}变为{labels[after]}"
            if before != after
            else f"按方案，{called}仍为{labels[after]}"
        )
        text += f"，选情指数{row['index']:.1f}→{row['proposed_index']:.1f}"
        moved = pd.Series(self.points.loc[unit_code])
        largest = moved.abs().sort_values(ascending=False, kind="stable").head(3).index
        reasons = [self._reason(d, float(moved[d])) for d in largest if abs(moved[d]) >= 0.05]
        return f"{text}；{'；'.join(reasons)}。" if reasons else f"{text}，扣分基本不变。"

    def _reason(self, dimension: str, points: float) -> str:
        before, after = (
            next(d for d in f.dimensions if d.id == dimension) for f in (self.adopted, self.proposal)
        )
        effect = f"{'多' if points > 0 else '少'}扣{abs(points):.1f}分"
        if abs(after.weight - before.weight) < 0.0005:
            return f"{after.label}内部的指标权重有调整，{effect}"
        verb = "升" if after.weight > before.weight else "降"
        return f"{after.label}的权重由{before.weight:.1%}{verb}到{after.weight:.1%}，{effect}"


def compare_weights(
    values: pd.DataFrame,
    kinds: pd.Series[str],
    parameters: ParameterSet,
    proposal: Framework | WeightProposal,
    *,
    previous: pd.Series[str] | None = None,
    as_of: dt.date | None = None,
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
        Proposal, or a framework with the same dimensions and indicators and other weights.
    previous
        Level of each unit at the last snapshot: both colours are then found with hysteresis from it, as the
        published ones are. Without it both are found from the index alone, so that a unit held back by a
        margin may show another adopted colour here than on the map.
    as_of
        Date the data describe, to be shown with the result.

    Returns
    -------
    WeightEffect
        Ranks are 1 for the lowest index; ties share the average rank. A unit without a single observed value
        is ``unknown`` under both and has no rank.

    Raises
    ------
    ValueError
        If the proposal has other dimensions or indicators.
    """
    proposed = proposal.framework if isinstance(proposal, WeightProposal) else proposal
    adopted = parameters.framework
    if _structure(proposed) != _structure(adopted):
        raise ValueError("the proposal must have the same dimensions and indicators as the adopted framework")
    before, after = (score(values, kinds, f) for f in (adopted, proposed))
    nothing = before.severity.isna().all(axis=1)
    old, new = before.index.mask(nothing), after.index.mask(nothing)
    cuts = parameters.classification
    units = pd.DataFrame(
        {
            "index": old,
            "level": classify(old, cuts, previous=previous),
            "proposed_index": new,
            "proposed_level": classify(new, cuts, previous=previous),
            "change": new - old,
            "rank_change": new.rank(method="average") - old.rank(method="average"),
        }
    )
    levels = [level.value for level in Level]
    moves = pd.crosstab(units["level"], units["proposed_level"]).reindex(
        index=levels, columns=levels, fill_value=0
    )
    return WeightEffect(
        units=units,
        moves=moves,
        points=after.dimensions(proposed) - before.dimensions(adopted),
        adopted=adopted,
        proposal=proposed,
        hysteresis=previous is not None,
        as_of=as_of,
        version=parameters.version,
    )


def _structure(framework: Framework) -> list[tuple[str, list[str]]]:
    return [(d.id, [i.id for i in d.indicators]) for d in framework.dimensions]
