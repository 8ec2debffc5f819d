import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.breaks import natural_breaks, propose_cutoffs
from huanjie_lib.vocabulary import Level

CUTS = load_parameters().classification


def spread(values: np.ndarray, lowers: list[float]) -> float:
    groups = np.searchsorted(lowers, values, side="left")
    return float(sum(((values[groups == g] - values[groups == g].mean()) ** 2).sum() for g in set(groups)))


@given(st.lists(st.integers(0, 12), min_size=4, max_size=14), st.integers(2, 4))
def test_breaks_are_optimal_among_all_and_keep_ties_together(numbers: list[int], classes: int) -> None:
    values = np.array(numbers, dtype=np.float64)
    different = sorted(set(values.tolist()))
    if len(different) < classes:
        with pytest.raises(ValueError, match="different values"):
            natural_breaks(values, classes)
        return
    breaks = natural_breaks(values, classes)
    lowers = [lower for lower, _ in breaks]
    assert len(set(lowers)) == classes - 1
    for lower, above in breaks:
        assert above == min(v for v in different if v > lower)
    best = min(spread(values, list(c)) for c in itertools.combinations(different[:-1], classes - 1))
    assert spread(values, lowers) == pytest.approx(best, abs=1e-9)


def test_missing_values_have_no_say_and_order_does_not_matter() -> None:
    values = np.random.default_rng(3).uniform(20, 100, 300)
    shuffled = np.random.default_rng(4).permutation(np.concatenate([values, [np.nan] * 50]))
    assert natural_breaks(shuffled, 3) == natural_breaks(values, 3)


@pytest.mark.parametrize("bad", [np.array([1.0, np.inf, 2.0, 3.0]), np.array([]), np.array([np.nan])])
def test_what_has_no_breaks_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"finite|cannot form"):
        natural_breaks(bad, 3)


def test_a_proposal_moves_just_those_between_old_and_new_cut_offs() -> None:
    index = pd.Series(
        [91.0, 92, 93, 71, 72, 73, 65, 64, 66, np.nan], index=[f"v{n}" for n in range(10)], name="index"
    )
    proposal = propose_cutoffs(index, CUTS, as_of=dt.date(2026, 10, 31), version="v1")
    assert proposal.gaps == ((66.0, 71.0), (73.0, 91.0))
    assert (proposal.proposed.yellow_from, proposal.proposed.green_from) == (70.0, 80.0)
    assert proposal.units.index[proposal.changed].tolist() == ["v6", "v7", "v8"]
    assert proposal.units.loc["v9", ["level", "proposed_level"]].tolist() == [Level.UNKNOWN.value] * 2
    assert proposal.excluded == 1
    assert proposal.goodness[0] > proposal.goodness[1] > 0
    assert repr(proposal) == (
        "CutoffProposal(units=10, yellow_from=70, green_from=80, change_colour=3, as_of=2026-10-31, "
        "parameters='v1')"
    )
    assert proposal.explain("v6") == (
        "v6选情指数65.0分，如改用自然间断的分界线（绿色80分、黄色70分），由黄色变为红色。"
    )
    assert proposal.explain("v9") == "v9没有选情指数，未参与分界线测算。"
    assert "3个村（社区）会变色" in proposal.summary()
    assert "1个没有指数，未参与计算" in proposal.summary()
    with pytest.raises(KeyError):
        proposal.explain("v10")
    changed = proposal.to_frame()
    changed["index"] = 0.0
    assert proposal.units["index"].iloc[0] == 91.0


@given(st.lists(st.floats(0, 100).map(lambda x: round(x, 10)), min_size=3, max_size=40, unique=True))
def test_every_proposed_cut_off_lies_in_its_gap(numbers: list[float]) -> None:
    proposal = propose_cutoffs(pd.Series(numbers), CUTS)
    cuts = (proposal.proposed.yellow_from, proposal.proposed.green_from)
    for cut, (below, above) in zip(cuts, proposal.gaps, strict=True):
        assert below < cut <= above
