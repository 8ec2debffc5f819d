import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from huanjie_lib.errors import ParameterError
from huanjie_lib.risk.data_weights import (
    combine_weights,
    critic_weights,
    entropy_weights,
    standard_deviation_weights,
)

METHODS = [entropy_weights, critic_weights, standard_deviation_weights]
tables = arrays(np.float64, (8, 3), elements=st.floats(0, 1, width=32))


@given(tables, st.sampled_from(METHODS), st.permutations(range(8)))
def test_weights_are_whole_and_do_not_hang_on_row_order(table: np.ndarray, method, order: list[int]) -> None:  # type: ignore[no-untyped-def]
    frame = pd.DataFrame(table, columns=list("abc"))
    if (np.ptp(table, axis=0) == 0).all():
        with pytest.raises(ParameterError, match="所有列都不变化"):
            method(frame)
        return
    weights = method(frame).weights
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    np.testing.assert_allclose(method(frame.iloc[order]).weights, weights, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_too_few_rows_infinite_values_and_no_variation_are_refused(method) -> None:  # type: ignore[no-untyped-def]
    frame = pd.DataFrame({"a": [1.0, 2, np.nan], "b": [1.0, 2, 3]})
    with pytest.raises(ParameterError, match="2 行完整"):
        method(frame)
    with pytest.raises(ParameterError, match="所有列都不变化"):
        method(pd.DataFrame({"a": [1.0] * 5}))
    with pytest.raises(ParameterError, match="列 a：发现“无穷大”"):
        method(pd.DataFrame({"a": [1.0, np.inf, 2, 3]}))


def test_critic_shares_by_spread_where_all_columns_say_the_same() -> None:
    frame = pd.DataFrame({"a": [0.0, 1, 2, 3], "b": [0.0, 2, 4, 6]})
    assert critic_weights(frame).weights.tolist() == pytest.approx([0.5, 0.5])


def test_critic_gives_one_varying_column_everything() -> None:
    frame = pd.DataFrame({"a": [0.0, 1, 2, 3], "b": [1.0] * 4})
    assert critic_weights(frame).weights.tolist() == [1.0, 0.0]


def test_spread_does_not_hang_on_units() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.random((20, 2)), columns=["a", "b"])
    scaled = frame.assign(b=1000 * frame["b"] + 7)
    for method in (critic_weights, standard_deviation_weights):
        np.testing.assert_allclose(method(frame).weights, method(scaled).weights)


def test_combining_refuses_what_is_not_a_set_of_weights() -> None:
    good = pd.Series({"a": 0.5, "b": 0.5})
    for bad in (
        pd.Series({"a": 0.5, "b": 0.6}),
        pd.Series({"a": 1.5, "b": -0.5}),
        pd.Series({"b": 0.5, "a": 0.5}),
    ):
        with pytest.raises(ParameterError, match="第 2 份权重方案"):
            combine_weights([good, bad])
    with pytest.raises(ParameterError, match="处处为 0"):
        combine_weights([pd.Series({"a": 1.0, "b": 0.0}), pd.Series({"a": 0.0, "b": 1.0})])
    with pytest.raises(ParameterError, match="0 份"):
        combine_weights([])


def test_left_out_rows_are_counted_and_told() -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3, np.nan], "b": [1.0, 4, 2, 3]})
    proposal = standard_deviation_weights(frame)
    assert (proposal.rows_used, proposal.rows_left_out) == (3, 1)
    assert "有缺失的1行未用" in proposal.explain()


def test_the_table_says_which_columns_vary() -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, 1, 1]})
    table = standard_deviation_weights(frame).to_frame()
    assert table["varies"].to_dict() == {"a": True, "b": False}
    assert table["weight"].tolist() == [1.0, 0.0]
