"""Weights proposed by the data themselves: entropy, CRITIC, standard deviation, and combinations.

All are proposals for an analyst; none is adopted by itself. The rules for awkward data are the same for all:

* a row with a missing value in any column is left out and counted;
* a constant column (and an all-zero one) carries no information and gets weight 0;
* fewer than three usable rows, no column that varies, an infinite value, or, for entropy, a negative one is
  refused with one named error;
* weights are finite, never negative and sum to 1. Ties need no rule: nothing here ranks rows, save CRITIC
  with Spearman correlation, where tied values share their average rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.errors import Fault, ParameterError

__all__ = [
    "DataWeights",
    "combine_weights",
    "critic_weights",
    "entropy_weights",
    "standard_deviation_weights",
]

Floats: TypeAlias = npt.NDArray[np.float64]

MINIMUM_ROWS = 3
_CONSTANT = 1e-12


@dataclass(frozen=True)
class DataWeights:
    """Weights proposed by one method.

    Parameters
    ----------
    method
        Name of the method in Chinese.
    weights
        Weight by column; sums to 1.
    rows_used, rows_left_out
        Rows with all values, and rows left out for a missing value.
    constant
        Columns that do not vary and so weigh nothing.
    """

    method: str
    weights: pd.Series[float]
    rows_used: int
    rows_left_out: int
    constant: tuple[str, ...]

    def __repr__(self) -> str:
        """Return method, size and rows used."""
        return f"DataWeights({self.method!r}, columns={len(self.weights)}, rows={self.rows_used})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the weights by column, and whether the column varies."""
        return self.weights.to_frame().assign(
            varies=[str(c) not in self.constant for c in self.weights.index]
        )

    def explain(self) -> str:
        """Return in Chinese how the weights came about.

        Examples
        --------
        >>> frame = pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, 1, 1]})
        >>> standard_deviation_weights(frame).explain()
        '标准差法：用3行数据；不变化的列不计权重：b'
        """
        parts = [f"{self.method}：用{self.rows_used}行数据"]
        if self.rows_left_out:
            parts.append(f"有缺失的{self.rows_left_out}行未用")
        if self.constant:
            parts.append(f"不变化的列不计权重：{'、'.join(self.constant)}")
        return "；".join(parts)


def entropy_weights(values: pd.DataFrame) -> DataWeights:
    """Return entropy weights: columns whose values are spread unevenly over the rows weigh more.

    ``p_ij = x_ij / Σ_i x_ij``, ``E_j = −Σ_i p ln p / ln n`` with ``0 ln 0 = 0``, ``w_j ∝ 1 − E_j``
    (Shannon 1948; the form of Elsayed et al. 2017, IJETT 46(2):60-66).

    Parameters
    ----------
    values
        Rows × columns, not negative, for example severities.

    Raises
    ------
    ParameterError
        If a value is negative or infinite, fewer than three rows are complete, or no column varies.

    Examples
    --------
    >>> frame = pd.DataFrame({"even": [2.0, 2, 2], "uneven": [0.0, 0, 6], "mild": [1.0, 2, 3]})
    >>> entropy_weights(frame).weights.round(3).tolist()
    [0.0, 0.926, 0.074]
    >>> entropy_weights(frame - 1)
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.ParameterError: 不能用熵权法（共 1 处问题）
      1. 列 uneven：发现“-1”；应为：不小于 0 的数；处理办法：先换算成严重度再定权。
    """
    complete, varies, left_out = _usable(values, "熵权法")
    negative = [str(c) for c in complete.columns if (complete[c] < 0).any()]
    if negative:
        raise ParameterError(
            "不能用熵权法",
            [
                Fault(f"列 {c}", f"{complete[c].min():g}", "不小于 0 的数", "先换算成严重度再定权")
                for c in negative
            ],
        )
    x = complete.to_numpy(dtype=np.float64)
    share = x / np.where(varies, x.sum(axis=0), 1.0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy = -(share * logs).sum(axis=0) / np.log(len(x))
    return _proposal("熵权法", values, np.where(varies, 1.0 - entropy, 0.0), varies, len(x), left_out)


def critic_weights(
    values: pd.DataFrame, *, correlation: Literal["pearson", "spearman"] = "pearson"
) -> DataWeights:
    """Return CRITIC weights: columns that vary and say something the others do not weigh more.

    After min-max scaling of each column, ``w_j ∝ σ_j Σ_k (1 − r_jk)`` over the columns that vary
    (Diakoulaki, Mavrotas & Papayannakis 1995, Computers & OR 22(7):763-770). Min-max here only serves the
    weights; it never touches a score. A single varying column gets weight 1, and columns that all say exactly
    the same share the weight by their spread.

    Raises
    ------
    ParameterError
        If a value is infinite, fewer than three rows are complete, or no column varies.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [0.0, 1, 2, 3], "b": [3.0, 2, 1, 0], "c": [5.0, 5, 5, 5]})
    >>> critic_weights(frame).weights.tolist()
    [0.5, 0.5, 0.0]
    """
    complete, varies, left_out = _usable(values, "CRITIC 法")
    x = complete.to_numpy(dtype=np.float64)[:, varies]
    scaled = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    spread = scaled.std(axis=0, ddof=1)
    ranked = pd.DataFrame(x).rank().to_numpy(dtype=np.float64) if correlation == "spearman" else x
    conflict = (1.0 - np.corrcoef(ranked, rowvar=False).reshape(x.shape[1], x.shape[1])).sum(axis=0)
    content = spread * np.maximum(conflict, 0.0)
    raw = np.zeros(len(varies))
    raw[varies] = content if content.sum() > _CONSTANT else spread
    return _proposal("CRITIC 法", values, raw, varies, len(x), left_out)


def standard_deviation_weights(values: pd.DataFrame) -> DataWeights:
    """Return weights in proportion to the standard deviation of each column after min-max scaling.

    ``w_j = σ_j / Σ_k σ_k`` (Deng, Yeh & Willis 2000, Computers & OR 27(10):963-973).

    Raises
    ------
    ParameterError
        If a value is infinite, fewer than three rows are complete, or no column varies.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [0.0, 0, 1, 1], "b": [0.0, 1, 2, 3]})
    >>> standard_deviation_weights(frame).weights.round(3).tolist()
    [0.573, 0.427]
    """
    complete, varies, left_out = _usable(values, "标准差法")
    x = complete.to_numpy(dtype=np.float64)
    scaled = (x - x.min(axis=0)) / np.where(varies, np.ptp(x, axis=0), 1.0)
    raw = np.where(varies, scaled.std(axis=0, ddof=1), 0.0)
    return _proposal("标准差法", values, raw, varies, len(x), left_out)


def combine_weights(
    proposals: Sequence[pd.Series[float]], *, method: Literal["product", "mean"] = "product"
) -> pd.Series[float]:
    """Combine several sets of weights into one.

    Parameters
    ----------
    proposals
        Weights on the same index, each not negative and summing to 1.
    method
        ``product`` multiplies and normalises (an item that one set gives nothing gets nothing); ``mean``
        averages.

    Raises
    ------
    ParameterError
        If there is no set, indexes differ, a weight is negative or missing, a sum is not 1, or the product is
        zero everywhere.

    Examples
    --------
    >>> first, second = pd.Series({"a": 0.5, "b": 0.5}), pd.Series({"a": 0.2, "b": 0.8})
    >>> combine_weights([first, second]).to_dict()
    {'a': 0.2, 'b': 0.8}
    >>> combine_weights([first, second], method="mean").round(3).to_dict()
    {'a': 0.35, 'b': 0.65}
    """
    faults = [] if proposals else [Fault("权重方案", "0 份", "至少一份", "先算出至少一份权重")]
    for number, weights in enumerate(proposals, start=1):
        where = f"第 {number} 份权重方案"
        if list(weights.index) != list(proposals[0].index):
            faults.append(Fault(where, "列名不同", "同样的列", "用同样的指标定权"))
        if weights.isna().any() or (weights < 0).any() or abs(weights.sum() - 1.0) > 1e-9:
            faults.append(Fault(where, f"合计 {weights.sum():.6g}", "不小于 0、合计为 1", "改正该方案"))
    if faults:
        raise ParameterError("权重方案不能合并", faults)
    stacked = np.vstack([w.to_numpy(dtype=np.float64) for w in proposals])
    raw = stacked.prod(axis=0) if method == "product" else stacked.mean(axis=0)
    if not raw.sum() > 0:
        raise ParameterError(
            "权重方案不能合并", [Fault("乘积", "处处为 0", "至少一项大于 0", "改用平均法，或换一组方案")]
        )
    return pd.Series(raw / raw.sum(), index=proposals[0].index, name="weight")


def _usable(values: pd.DataFrame, method: str) -> tuple[pd.DataFrame, npt.NDArray[np.bool_], int]:
    """Return complete rows, which columns vary in them, and how many rows were left out."""
    infinite = [str(c) for c in values.columns if np.isinf(values[c].to_numpy(dtype=np.float64)).any()]
    complete = values.dropna()
    faults = [Fault(f"列 {c}", "无穷大", "有限的数", "检查该列的计算") for c in infinite]
    if len(complete) < MINIMUM_ROWS:
        faults.append(Fault("数据", f"{len(complete)} 行完整", f"至少 {MINIMUM_ROWS} 行", "补齐缺失的数据"))
    if faults:
        raise ParameterError(f"不能用{method}", faults)
    x = complete.to_numpy(dtype=np.float64)
    varies = np.ptp(x, axis=0) > _CONSTANT * np.maximum(np.abs(x).max(axis=0), 1e-300)
    if not varies.any():
        raise ParameterError(
            f"不能用{method}", [Fault("数据", "所有列都不变化", "至少一列有差异", "换用等权或专家判断")]
        )
    return complete, varies, len(values) - len(complete)


def _proposal(
    method: str, values: pd.DataFrame, raw: Floats, varies: npt.NDArray[np.bool_], used: int, left_out: int
) -> DataWeights:
    positive = np.maximum(raw, 0.0)
    return DataWeights(
        method=method,
        weights=pd.Series(positive / positive.sum(), index=values.columns, name="weight"),
        rows_used=used,
        rows_left_out=left_out,
        constant=tuple(str(c) for c, v in zip(values.columns, varies, strict=True) if not v),
    )
