import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.scoring import score
from huanjie_lib.risk.weighting import compare_weights, equal_weights, weight_table

PARAMETERS = load_parameters()
FRAMEWORK = PARAMETERS.framework
IDS = [i.id for i in FRAMEWORK.indicators]


def test_equal_weights_sum_to_one_everywhere_and_leave_the_rest_alone() -> None:
    proposal = equal_weights(FRAMEWORK)
    assert sum(d.weight for d in proposal.dimensions) == pytest.approx(1)
    for d in proposal.dimensions:
        assert sum(i.weight for i in d.indicators) == pytest.approx(1)
        assert len({i.weight for i in d.indicators}) == 1
    assert [i.reference_points for i in proposal.indicators] == [
        i.reference_points for i in FRAMEWORK.indicators
    ]


def test_weight_table_multiplies_out_to_one() -> None:
    table = weight_table(FRAMEWORK)
    assert table["indicator"].tolist() == IDS
    assert table["total"].sum() == pytest.approx(1)


def test_compare_reports_who_moves() -> None:
    rng = np.random.default_rng(1)
    low = np.array([i.reference_points[0][0] for i in FRAMEWORK.indicators])
    high = np.array([i.reference_points[-1][0] for i in FRAMEWORK.indicators])
    codes = [f"u{n}" for n in range(300)]
    values = pd.DataFrame(low + rng.random((300, len(IDS))) ** 2 * (high - low), index=codes, columns=IDS)
    kinds = pd.Series("village", index=codes)
    proposal = equal_weights(FRAMEWORK)
    effect = compare_weights(values, kinds, PARAMETERS, proposal)
    pd.testing.assert_series_equal(
        effect.units["proposed_index"], score(values, kinds, proposal).index, check_names=False
    )
    changed = (effect.units["level"] != effect.units["proposed_level"]).sum()
    assert effect.moves.to_numpy().sum() == 300
    assert effect.moves.to_numpy().sum() - np.trace(effect.moves.to_numpy()) == changed > 0
    assert effect.units["rank_change"].sum() == pytest.approx(0)
    assert repr(effect) == f"WeightEffect(units=300, change_colour={changed})"
    same = compare_weights(values, kinds, PARAMETERS, FRAMEWORK)
    assert (same.units["change"] == 0).all()
