import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.errors import ParameterError
from huanjie_lib.risk.judgments import ahp_weights, merge_judgments

NAMES = list("abcd")


def matrix(upper: list[float]) -> pd.DataFrame:
    values = np.ones((4, 4))
    values[np.triu_indices(4, 1)] = upper
    values.T[np.triu_indices(4, 1)] = 1 / np.array(upper)
    return pd.DataFrame(values, index=NAMES, columns=NAMES)


judged = st.lists(st.sampled_from([1 / 9, 1 / 5, 1 / 3, 1, 2, 3, 5, 9]), min_size=6, max_size=6)


@given(st.lists(st.floats(0.1, 10), min_size=4, max_size=4))
def test_consistent_judgments_give_back_their_weights(weights: list[float]) -> None:
    truth = np.array(weights) / sum(weights)
    frame = pd.DataFrame(np.divide.outer(truth, truth), index=NAMES, columns=NAMES)
    result = ahp_weights(frame)
    np.testing.assert_allclose(result.weights, truth, rtol=1e-8)
    assert abs(result.consistency_ratio) < 1e-6
    assert result.consistent


@given(judged, st.permutations(range(4)))
def test_the_order_of_items_does_not_matter(upper: list[float], order: list[int]) -> None:
    frame = matrix(upper)
    names = [NAMES[i] for i in order]
    first, second = ahp_weights(frame), ahp_weights(frame.loc[names, names])
    np.testing.assert_allclose(second.weights[NAMES], first.weights, rtol=1e-6)
    assert second.consistency_ratio == pytest.approx(first.consistency_ratio, abs=1e-9)


@given(judged, judged)
def test_a_merged_matrix_stays_reciprocal_and_a_lone_voice_is_kept(
    one: list[float], two: list[float]
) -> None:
    merged = merge_judgments([matrix(one), matrix(two)])
    np.testing.assert_allclose(merged * merged.T, 1)
    np.testing.assert_allclose(merge_judgments([matrix(one), matrix(two)], voices=[1, 0]), matrix(one))


def test_every_faulty_cell_is_listed() -> None:
    frame = matrix([1, 2, 3, 4, 5, 6])
    frame.loc["a", "c"] = 9
    frame.loc["b", "d"] = np.nan
    frame.loc["d", "d"] = 2
    with pytest.raises(ParameterError) as caught:
        ahp_weights(frame)
    assert [f.where for f in caught.value.faults] == [
        "判断矩阵：a 对 c",
        "判断矩阵：b 对 d",
        "判断矩阵：d 对 d",
    ]


def test_names_must_agree_and_the_table_must_reach() -> None:
    frame = matrix([1, 2, 3, 4, 5, 6])
    with pytest.raises(ParameterError, match="行列同名的方阵"):
        ahp_weights(frame.rename(index={"a": "x"}))
    eleven = pd.DataFrame(np.ones((11, 11)), index=range(11), columns=range(11))
    with pytest.raises(ParameterError, match="saaty_1980 没有 11 阶"):
        ahp_weights(eleven, random_index="saaty_1980")
    with pytest.raises(ParameterError, match="按同样的名称和次序填写"):
        merge_judgments([frame, frame.loc[NAMES[::-1], NAMES[::-1]]])
    with pytest.raises(ParameterError, match="0 份"):
        merge_judgments([])
    with pytest.raises(ParameterError, match="份量"):
        merge_judgments([frame], voices=[-1])


def test_two_items_are_always_consistent() -> None:
    frame = pd.DataFrame([[1, 4], [0.25, 1]], index=["a", "b"], columns=["a", "b"])
    result = ahp_weights(frame)
    assert result.weights.tolist() == pytest.approx([0.8, 0.2])
    assert (result.consistency_ratio, result.worst_triad) == (0.0, None)
    assert repr(result) == "AhpResult(items=2, CR=0.000, RI='saaty_2005')"
