"""Weights from pairwise judgments: the analytic hierarchy process (AHP).

Sources: Saaty (1980), *The Analytic Hierarchy Process*; Saaty (1990), EJOR 48:9-26 (eigenvector, ratio);
Aczél & Saaty (1983), J. Math. Psychology 27:93-102 (the geometric mean is the only reciprocal way to merge
judgments of a group). Three tables of the random index are in use, so the one used is part of every result.

Rules for awkward input: a missing judgment is refused, never filled in; a judgment is a positive number on
Saaty's scale from 1/9 to 9; the same pair may be judged in both directions only as reciprocals; items that
tie get equal weights. A merged matrix may look consistent where its people are not, so each person's
consistency ratio is kept beside that of the group.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.errors import Fault, ParameterError

__all__ = [
    "RANDOM_INDEX",
    "AhpResult",
    "GroupJudgments",
    "RandomIndexTable",
    "Triad",
    "ahp_weights",
    "group_judgments",
    "judgment_matrices",
    "merge_judgments",
]

RandomIndexTable: TypeAlias = Literal["saaty_1980", "saaty_2005", "donegan_dodd_1991"]

_SAATY_2005 = (0.52, 0.89, 1.11, 1.25, 1.35, 1.4, 1.45, 1.49, 1.52, 1.54, 1.56, 1.58, 1.59)
_SAATY_1980 = (0.58, 0.9, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49)
_DONEGAN = (
    0.4914,
    0.8286,
    1.0591,
    1.1797,
    1.2519,
    1.3171,
    1.3733,
    1.4055,
    1.4213,
    1.4497,
    1.4643,
    1.4822,
    1.4969,
)

RANDOM_INDEX: Mapping[RandomIndexTable, Mapping[int, float]] = {
    "saaty_1980": dict(enumerate(_SAATY_1980, start=3)),
    "saaty_2005": dict(enumerate(_SAATY_2005, start=3)),
    "donegan_dodd_1991": dict(enumerate(_DONEGAN, start=3)) | {20: 1.5371, 30: 1.5772},
}
"""Mean consistency index of random reciprocal matrices by order, in the three published tables in use."""

_TABLE_NAMES: Mapping[RandomIndexTable, str] = {
    "saaty_1980": "Saaty 1980 年",
    "saaty_2005": "Saaty 2005 年",
    "donegan_dodd_1991": "Donegan 与 Dodd 1991 年",
}

CONSISTENT_BELOW = 0.1
"""Saaty's rule of thumb: judgments with a larger consistency ratio should be reviewed."""

LARGEST_JUDGMENT = 9.0
"""End of Saaty's scale; its other end is the reciprocal."""

_RECIPROCAL_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Triad:
    """Three judgments that contradict one another most.

    Parameters
    ----------
    first, second, third
        Labels of the items compared.
    product
        ``a(first, second) · a(second, third) · a(third, first)``; 1 when consistent.
    implied
        Value of ``a(first, third)`` that the other two judgments imply.
    stated
        Value of ``a(first, third)`` as judged.
    """

    first: str
    second: str
    third: str
    product: float
    implied: float
    stated: float

    def explain(self) -> str:
        """Return guidance as one Chinese sentence."""
        return (
            f"“{self.first}”对“{self.second}”、“{self.second}”对“{self.third}”两个判断推出"
            f"“{self.first}”对“{self.third}”应为{_told(self.implied)}，实际填{_told(self.stated)}，请先复核这三个判断"
        )


@dataclass(frozen=True)
class AhpResult:
    """Weights and consistency of one matrix of judgments.

    Parameters
    ----------
    weights
        Weight by item; sums to 1.
    lambda_max
        Principal eigenvalue.
    consistency_index
        ``(λ_max − n) / (n − 1)``.
    consistency_ratio
        Consistency index over the random index; 0 for two items or fewer.
    random_index
        Name of the random-index table used.
    worst_triad
        The most contradictory three judgments; ``None`` for two items or fewer.
    """

    weights: pd.Series[float]
    lambda_max: float
    consistency_index: float
    consistency_ratio: float
    random_index: RandomIndexTable
    worst_triad: Triad | None

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the weights by item."""
        return self.weights.to_frame()

    def __repr__(self) -> str:
        """Return size, consistency ratio and random-index table."""
        return (
            f"AhpResult(items={len(self.weights)}, CR={self.consistency_ratio:.3f}, RI={self.random_index!r})"
        )

    @property
    def consistent(self) -> bool:
        """Whether the consistency ratio is below 0.1."""
        return self.consistency_ratio < CONSISTENT_BELOW

    def explain(self) -> str:
        """Return the verdict on consistency in Chinese, with guidance where it fails."""
        verdict = f"一致性比率{self.consistency_ratio:.3f}（按{_TABLE_NAMES[self.random_index]}随机指标）"
        if self.consistent or self.worst_triad is None:
            return f"{verdict}，低于0.1，判断基本一致"
        return f"{verdict}，不低于0.1，判断不够一致；{self.worst_triad.explain()}"


@dataclass(frozen=True)
class GroupJudgments:
    """Judgments of a group: each person's, and their geometric mean.

    Parameters
    ----------
    merged
        Weights and consistency of the merged matrix.
    people
        Weights and consistency of each person's matrix, by the person's code.
    """

    merged: AhpResult
    people: Mapping[str, AhpResult]

    def __repr__(self) -> str:
        """Return number of people and items, and the consistency ratio of the group."""
        return (
            f"GroupJudgments(people={len(self.people)}, items={len(self.merged.weights)}, "
            f"CR={self.merged.consistency_ratio:.3f}, RI={self.merged.random_index!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row per person and one for the group: weights, consistency ratio, what to review."""
        rows = {**self.people, "合并": self.merged}
        frame = pd.DataFrame({name: r.weights for name, r in rows.items()}).T.rename_axis("专家")
        inconsistent = [not r.consistent and r.worst_triad is not None for r in rows.values()]
        return frame.assign(
            一致性比率=[r.consistency_ratio for r in rows.values()],
            判断一致=[r.consistent for r in rows.values()],
            最矛盾的三个判断=[
                r.worst_triad.explain() if bad and r.worst_triad else ""
                for r, bad in zip(rows.values(), inconsistent, strict=True)
            ],
        )

    def explain(self) -> str:
        """Return in Chinese whether the group and its people judge consistently, and what to review."""
        told = f"{len(self.people)}人判断按几何平均合并：{self.merged.explain()}"
        doubtful = [
            f"{name}（{r.consistency_ratio:.3f}）：{r.worst_triad.explain()}"
            for name, r in self.people.items()
            if not r.consistent and r.worst_triad is not None
        ]
        return f"{told}。{'。'.join(f'个人判断不够一致：{d}' for d in doubtful)}{'。' if doubtful else ''}"


def ahp_weights(matrix: pd.DataFrame, *, random_index: RandomIndexTable = "saaty_2005") -> AhpResult:
    """Return weights from one reciprocal matrix of pairwise judgments.

    Parameters
    ----------
    matrix
        Square, rows and columns named alike; ``a[i, j]`` says how many times as important ``i`` is as ``j``.
    random_index
        Random-index table for the consistency ratio.

    Returns
    -------
    AhpResult
        Weights are the principal right eigenvector, normalised to 1.

    Raises
    ------
    ParameterError
        If a judgment is missing, not positive or not the reciprocal of its mirror, the matrix is not square
        and alike-named, or the table has no entry for its order; every faulty cell is listed.

    Examples
    --------
    >>> names = ["a", "b", "c"]
    >>> judgments = pd.DataFrame([[1, 2, 4], [1 / 2, 1, 2], [1 / 4, 1 / 2, 1]], index=names, columns=names)
    >>> result = ahp_weights(judgments)
    >>> result.weights.round(4).tolist(), abs(round(result.consistency_ratio, 6))
    ([0.5714, 0.2857, 0.1429], 0.0)
    >>> ahp_weights(judgments.replace(4, 5))
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.ParameterError: 判断矩阵不能用（共 1 处问题）
      1. 判断矩阵：a 对 c：发现“5 与 0.25”；应为：互为倒数；...
    """
    labels = [str(c) for c in matrix.columns]
    if [str(i) for i in matrix.index] != labels or not labels:
        raise ParameterError(
            "判断矩阵不能用",
            [Fault("判断矩阵", f"{matrix.shape[0]} 行 {matrix.shape[1]} 列", "行列同名的方阵", "补齐行列")],
        )
    values = matrix.to_numpy(dtype=np.float64)
    faults = _reciprocal_faults(values, labels)
    n = len(labels)
    table = RANDOM_INDEX[random_index]
    if n > 2 and n not in table:
        faults.append(
            Fault(
                "随机指标表",
                f"{random_index} 没有 {n} 阶",
                "、".join(map(str, table)),
                "减少比较项或更换随机指标表",
            )
        )
    if faults:
        raise ParameterError("判断矩阵不能用", faults)
    eigenvalues, vectors = np.linalg.eig(values)
    principal = int(np.argmax(eigenvalues.real))
    lambda_max = float(eigenvalues[principal].real)
    vector = np.abs(vectors[:, principal].real)
    index = (lambda_max - n) / (n - 1) if n > 1 else 0.0
    return AhpResult(
        weights=pd.Series(vector / vector.sum(), index=labels, name="weight"),
        lambda_max=lambda_max,
        consistency_index=index,
        consistency_ratio=index / table[n] if n > 2 else 0.0,
        random_index=random_index,
        worst_triad=_worst_triad(values, labels),
    )


def merge_judgments(
    matrices: Sequence[pd.DataFrame], *, voices: Sequence[float] | None = None
) -> pd.DataFrame:
    """Merge the judgments of a group by the weighted geometric mean of each cell.

    Parameters
    ----------
    matrices
        One matrix per person, all with the same names in the same order.
    voices
        Weight of each person's voice; equal when omitted.

    Raises
    ------
    ParameterError
        If there is no matrix, names differ, a voice is negative or all are zero.

    Examples
    --------
    >>> names = ["a", "b"]
    >>> first = pd.DataFrame([[1, 8], [1 / 8, 1]], index=names, columns=names)
    >>> second = pd.DataFrame([[1, 2], [1 / 2, 1]], index=names, columns=names)
    >>> float(merge_judgments([first, second]).loc["a", "b"])
    4.0
    """
    if not matrices:
        raise ParameterError("没有判断矩阵", [Fault("判断矩阵", "0 份", "至少一份", "收集至少一人的判断")])
    share = np.ones(len(matrices)) if voices is None else np.asarray(voices, dtype=np.float64)
    if share.shape != (len(matrices),) or (share < 0).any() or not share.sum() > 0:
        raise ParameterError(
            "各人的份量不对",
            [Fault("份量", str(list(share)), f"{len(matrices)} 个不小于 0、不全为 0 的数", "改正份量")],
        )
    first = matrices[0]
    faults = [
        Fault(
            f"第 {n} 份判断矩阵",
            "、".join(map(str, m.columns)),
            "、".join(map(str, first.columns)),
            "按同样的名称和次序填写",
        )
        for n, m in enumerate(matrices, start=1)
        if list(m.columns) != list(first.columns) or list(m.index) != list(first.index)
    ]
    for number, m in enumerate(matrices, start=1):
        if m.shape == first.shape:
            found = _reciprocal_faults(m.to_numpy(dtype=np.float64), [str(c) for c in m.columns])
            faults += [Fault(f"第 {number} 份{f.where}", f.found, f.allowed, f.remedy) for f in found]
    if faults:
        raise ParameterError("判断矩阵不能合并", faults)
    logs = np.tensordot(share / share.sum(), np.log([m.to_numpy(dtype=np.float64) for m in matrices]), axes=1)
    return pd.DataFrame(np.exp(logs), index=first.index, columns=first.columns)


def group_judgments(
    matrices: Mapping[str, pd.DataFrame],
    *,
    voices: Sequence[float] | None = None,
    random_index: RandomIndexTable = "saaty_2005",
) -> GroupJudgments:
    """Return the weights of a group from the matrix of each of its people.

    Parameters
    ----------
    matrices
        Reciprocal matrix by person, all with the same names in the same order.
    voices
        Weight of each person's voice; equal when omitted.
    random_index
        Random-index table for the consistency ratios.

    Raises
    ------
    ParameterError
        As :func:`merge_judgments` and :func:`ahp_weights`.

    Examples
    --------
    >>> names = ["a", "b"]
    >>> first = pd.DataFrame([[1, 8], [1 / 8, 1]], index=names, columns=names)
    >>> group = group_judgments({"甲": first, "乙": first.T})
    >>> group.merged.weights.tolist(), group
    ([0.5, 0.5], GroupJudgments(people=2, items=2, CR=0.000, RI='saaty_2005'))
    """
    merged = merge_judgments(list(matrices.values()), voices=voices)
    return GroupJudgments(
        merged=ahp_weights(merged, random_index=random_index),
        people={name: ahp_weights(m, random_index=random_index) for name, m in matrices.items()},
    )


def judgment_matrices(
    judgments: pd.DataFrame, items: Sequence[str], *, place: str = "判断表"
) -> dict[str, pd.DataFrame]:
    """Return each person's matrix from a list of judgments.

    Parameters
    ----------
    judgments
        One row per judgment, all text: ``person``, ``item``, ``against``, ``times`` (how many times as
        important ``item`` is as ``against``: a number or a fraction such as ``1/3``); the index is the row
        in the file.
    items
        Items to be compared, in the order wanted.
    place
        Name of the file, for messages.

    Returns
    -------
    dict
        Matrix by person, in order of appearance.

    Raises
    ------
    ParameterError
        If an item is unknown, a judgment is no number from 1/9 to 9, a pair is missing or judged twice
        differently; every fault is listed by its row, and no person is named.

    Examples
    --------
    >>> rows = pd.DataFrame({"person": ["甲"], "item": ["审计"], "against": ["信访"], "times": ["1/3"]})
    >>> judgment_matrices(rows, ["审计", "信访"])["甲"].round(3).to_numpy().tolist()
    [[1.0, 0.333], [3.0, 1.0]]
    >>> judgment_matrices(rows, ["审计", "信访", "联审"])
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.ParameterError: 判断表不能用（共 1 处问题）
      1. 判断表：第 1 位专家：发现“缺少 2 个判断：审计对联审、信访对联审”；应为：每两项比较一次；...
    """
    known = list(items)
    faults: list[Fault] = []
    matrices: dict[str, npt.NDArray[np.float64]] = {}
    if judgments.empty:
        faults.append(Fault(place, "没有数据行", "每位专家每两项一行", "填写专家判断"))
    for row, person, item, against, text in judgments[["person", "item", "against", "times"]].itertuples():
        where = f"{place}：第 {row} 行"
        allowed = "、".join(known)
        named = {"专家": person.strip(), "比较项": item.strip(), "对比项": against.strip()}
        if not named["专家"]:
            faults.append(Fault(f"{where}，专家", person, "专家代号", "补填代号"))
            continue
        strange = [(k, v) for k, v in named.items() if k != "专家" and v not in known]
        faults += [Fault(f"{where}，{k}", v, allowed, "改为其中一项的名称") for k, v in strange]
        times = _times(text)
        if times is None:
            faults.append(Fault(f"{where}，倍数", text, "1/9 到 9 之间的数或分数，如 3、1/3", "改正该判断"))
        if strange or times is None:
            continue
        i, j = known.index(named["比较项"]), known.index(named["对比项"])
        blank = np.where(np.eye(len(known)), 1.0, np.nan)
        matrix = matrices.setdefault(named["专家"], blank)
        earlier = matrix[i, j]
        if not math.isnan(earlier) and abs(earlier / times - 1.0) > _RECIPROCAL_TOLERANCE:
            other = "自己与自己相比为 1" if i == j else f"与前面对同两项的判断一致（{earlier:.3g}）"
            faults.append(Fault(f"{where}，倍数", text, other, "改正或删去一处"))
            continue
        matrix[i, j], matrix[j, i] = times, 1.0 / times
    if not faults:
        for number, matrix in enumerate(matrices.values(), start=1):
            unjudged = np.argwhere(np.triu(np.isnan(matrix)))
            lacking = [f"{known[a]}对{known[b]}" for a, b in unjudged]
            if lacking:
                found = f"缺少 {len(lacking)} 个判断：{'、'.join(lacking[:5])}{'等' if lacking[5:] else ''}"
                faults.append(Fault(f"{place}：第 {number} 位专家", found, "每两项比较一次", "补填这些判断"))
    if faults:
        raise ParameterError("判断表不能用", faults)
    return {person: pd.DataFrame(matrix, index=known, columns=known) for person, matrix in matrices.items()}


def _told(times: float) -> str:
    """Return how many times as important, as one would write it: a small number as a fraction."""
    return f"{times:.2g}" if times >= 1.0 else f"1/{1.0 / times:.2g}"


def _times(text: str) -> float | None:
    """Return a judgment written as a number or a fraction; ``None`` where it is neither or off the scale."""
    above, slash, below = text.replace("／", "/").partition("/")
    try:
        value = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        return None
    inside = 1.0 / LARGEST_JUDGMENT - 0.002 <= value <= LARGEST_JUDGMENT
    return value if inside else None


def _reciprocal_faults(values: npt.NDArray[np.float64], labels: Sequence[str]) -> list[Fault]:
    faults = []
    for i, j in itertools.combinations_with_replacement(range(len(labels)), 2):
        here, mirror = values[i, j], values[j, i]
        where = f"判断矩阵：{labels[i]} 对 {labels[j]}"
        if not (here > 0 and mirror > 0 and math.isfinite(here) and math.isfinite(mirror)):
            faults.append(Fault(where, f"{here:g} 与 {mirror:g}", "大于 0 的数", "补填或改正该判断"))
        elif abs(here * mirror - 1.0) > _RECIPROCAL_TOLERANCE:
            faults.append(Fault(where, f"{here:g} 与 {mirror:g}", "互为倒数", "改正其中一格"))
    return faults


def _worst_triad(values: npt.NDArray[np.float64], labels: Sequence[str]) -> Triad | None:
    logs = np.log(values)
    worst: tuple[float, tuple[int, int, int]] | None = None
    for i, j, k in itertools.combinations(range(len(labels)), 3):
        error = abs(logs[i, j] + logs[j, k] + logs[k, i])
        if worst is None or error > worst[0]:
            worst = (error, (i, j, k))
    if worst is None:
        return None
    i, j, k = worst[1]
    return Triad(
        first=labels[i],
        second=labels[j],
        third=labels[k],
        product=float(values[i, j] * values[j, k] * values[k, i]),
        implied=float(values[i, j] * values[j, k]),
        stated=float(values[i, k]),
    )
