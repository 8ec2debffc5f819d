import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.errors import ParameterError
from huanjie_lib.risk.judgments import (
    ahp_weights,
    group_judgments,
    judgment_matrices,
    merge_judgments,
)

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


def rows(*judgments: tuple[str, str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(judgments, columns=["person", "item", "against", "times"])
    return frame.set_axis(range(2, 2 + len(frame)))


WHOLE = (("甲", "a", "b", "3"), ("甲", "c", "a", "1/5"), ("甲", "b", "c", "０.５"))


def test_judgments_are_read_in_either_direction_as_numbers_or_fractions() -> None:
    found = judgment_matrices(rows(*WHOLE, ("甲", "b", "a", "1/3"), ("甲", "a", "a", "1")), list("abc"))
    wanted = np.array([[1, 3, 5], [1 / 3, 1, 0.5], [0.2, 2, 1]])
    np.testing.assert_allclose(found["甲"], wanted)
    assert found["甲"].index.tolist() == found["甲"].columns.tolist() == list("abc")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("甲", "a", "x", "3"), "第 5 行，对比项：发现“x”；应为：a、b、c"),
        (("甲", "a", "b", "三"), "第 5 行，倍数：发现“三”；应为：1/9 到 9 之间的数或分数"),
        (("甲", "a", "b", "12"), "第 5 行，倍数：发现“12”"),
        (("甲", "a", "b", "-3"), "第 5 行，倍数：发现“-3”"),
        (("甲", "a", "b", "1/0"), "第 5 行，倍数：发现“1/0”"),
        (("甲", "a", "b", ""), "第 5 行，倍数：发现“”"),
        (("甲", "a", "b", "nan"), "第 5 行，倍数：发现“nan”"),
        (("甲", "b", "a", "1/4"), "与前面对同两项的判断一致"),
        (("甲", "a", "a", "2"), "自己与自己相比为 1"),
        ((" ", "a", "b", "2"), "第 5 行，专家：发现“ ”"),
    ],
)
def test_a_judgment_that_is_none_is_refused_by_its_row(row: tuple[str, str, str, str], said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        judgment_matrices(rows(*WHOLE, row), list("abc"), place="j.csv")
    assert said in str(caught.value)
    assert len(caught.value.faults) == 1
    assert "甲" not in str(caught.value)


def test_a_missing_judgment_is_refused_and_never_filled_in() -> None:
    table = rows(*WHOLE, ("乙", "a", "b", "1"))
    with pytest.raises(ParameterError, match="第 2 位专家：发现“缺少 2 个判断：a对c、b对c”"):
        judgment_matrices(table, list("abc"))
    with pytest.raises(ParameterError, match="没有数据行"):
        judgment_matrices(rows(), list("abc"))


def test_a_group_tells_who_contradicts_himself_even_where_the_merged_matrix_does_not() -> None:
    steady = matrix([1, 1, 1, 1, 1, 1])
    wild = matrix([9, 1 / 9, 1, 9, 1, 1])
    group = group_judgments({"专家1": steady, "专家2": wild, "专家3": wild.T})
    assert group.merged.consistent
    assert not group.people["专家2"].consistent
    table = group.to_frame()
    assert table.index.tolist() == ["专家1", "专家2", "专家3", "合并"]
    assert table["判断一致"].tolist() == [True, False, False, True]
    assert table["最矛盾的三个判断"].ne("").tolist() == [False, True, True, False]
    assert table[NAMES].sum(axis=1).tolist() == pytest.approx([1] * 4)
    told = group.explain()
    assert told.startswith("3人判断按几何平均合并：一致性比率")
    assert told.count("个人判断不够一致") == 2
    assert repr(group) == "GroupJudgments(people=3, items=4, CR=0.000, RI='saaty_2005')"


def test_a_voice_of_nothing_changes_no_weight() -> None:
    one, two = matrix([3, 2, 1, 1, 1, 1]), matrix([1 / 9] * 6)
    lone = group_judgments({"专家1": one, "专家2": two}, voices=[1, 0])
    np.testing.assert_allclose(lone.merged.weights, ahp_weights(one).weights)


def test_the_triad_to_review_is_told_as_judgments_are_written() -> None:
    told = ahp_weights(matrix([9, 1 / 5, 1, 9, 1, 1])).explain()
    assert "（按Saaty 2005 年随机指标），不低于0.1，判断不够一致；" in told
    assert "“a”对“b”、“b”对“c”两个判断推出“a”对“c”应为81，实际填1/5，请先复核这三个判断" in told


def test_the_weights_of_a_result_are_handed_out_as_a_copy() -> None:
    result = ahp_weights(matrix([1, 1, 1, 1, 1, 1]))
    handed = result.to_frame()
    handed["weight"] = 0.0
    assert result.to_frame()["weight"].sum() == pytest.approx(1)
