"""Properties of fits and lists that hold for any values: monotone, exact, alone by who may be listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from huanjie_lib.parameters import TalentPack, load_parameters
from huanjie_lib.talent.chances import chances
from huanjie_lib.talent.fit import ASPECTS, post_profiles
from huanjie_lib.talent.reasons import Rivals, least_values
from huanjie_lib.talent.top_k import scores, top_k
from huanjie_lib.vocabulary import PostKind

PARAMETERS = load_parameters()
assert PARAMETERS.talent is not None
PACK: TalentPack = PARAMETERS.talent
K = 5

points = st.floats(0, 100)
coarse = st.integers(0, 4).map(lambda step: 25.0 * step)
people = st.integers(1, 30).flatmap(lambda n: arrays(np.float64, (n, K), elements=st.one_of(coarse, points)))
raw_weights = arrays(np.float64, (7, K), elements=st.floats(0.001, 1))
weights = raw_weights.map(lambda w: w / w.sum(axis=1, keepdims=True))


@given(people, weights, st.integers(0, K - 1), st.floats(0, 1))
def test_a_better_value_never_lowers_a_fit(values: Any, w: Any, aspect: int, step: float) -> None:
    better = values.copy()
    better[:, aspect] += step * (100 - better[:, aspect])
    for each in w:
        assert (scores(better, each) >= scores(values, each)).all()


@given(people, weights, arrays(np.float64, (2, K), elements=st.floats(0, 1)))
def test_a_narrower_interval_gives_a_narrower_fit(values: Any, w: Any, shares: Any) -> None:
    low, high = values * (1 - shares[0]), values + (100 - values) * shares[1]
    nearer_low, nearer_high = low + (values - low) / 2, high - (high - values) / 2
    for each in w:
        outer = [scores(ends, each) for ends in (low, high)]
        inner = [scores(ends, each) for ends in (nearer_low, nearer_high)]
        fit = scores(values, each)
        assert (outer[0] <= inner[0]).all()
        assert (inner[0] <= fit).all()
        assert (fit <= inner[1]).all()
        assert (inner[1] <= outer[1]).all()


@given(people, weights, st.integers(1, 6), st.data())
def test_lists_are_those_of_sorting_everybody(values: Any, w: Any, k: int, data: Any) -> None:
    n = len(values)
    masks = data.draw(st.lists(arrays(np.bool_, n), min_size=1, max_size=3))
    group = data.draw(arrays(np.int64, len(w), elements=st.integers(0, len(masks) - 1)))
    pair = st.tuples(st.integers(0, len(w) - 1), st.integers(0, n - 1))
    excluded = data.draw(st.lists(pair, max_size=8))
    block = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    pairs = np.array(excluded, dtype=np.int64).reshape(-1, 2)
    found = top_k(values, w, k, eligible=masks, group=group, excluded=pairs, block=block)
    for post, each in enumerate(w):
        fit = scores(values, each)
        may = [i for i in range(n) if masks[group[post]][i] and (post, i) not in excluded]
        best = sorted(may, key=lambda i: (-fit[i], i))[:k]
        assert found.rows[post].tolist() == best + [-1] * (k - len(best))
        np.testing.assert_array_equal(found.score[post, : len(best)], fit[best])


@given(people, weights, st.integers(0, 29))
def test_who_is_not_eligible_changes_nothing(values: Any, w: Any, row: int) -> None:
    gone = row % len(values)
    mask = np.ones(len(values), dtype=bool)
    mask[gone] = False
    group = np.zeros(len(w), dtype=np.int64)
    without = top_k(np.delete(values, gone, axis=0), w, 4).rows
    without = np.where(without >= gone, without + 1, without)
    np.testing.assert_array_equal(top_k(values, w, 4, eligible=[mask], group=group).rows, without)


@given(people, weights, arrays(np.float64, 30, elements=points), arrays(np.bool_, 30))
def test_a_threshold_does_and_the_next_lower_does_not(values: Any, w: Any, other: Any, first: Any) -> None:
    each = np.broadcast_to(w[0], values.shape)
    others = Rivals(other[: len(values)], first[: len(values)])
    least = least_values(values, each, others)
    for aspect in range(K):
        for step, does in ((0.0, True), (-0.1, False)):
            changed = values.copy()
            changed[:, aspect] = np.where(np.isinf(least[:, aspect]), 100.0, least[:, aspect])
            changed[:, aspect] = np.round(changed[:, aspect] + step, 1)
            at = others.passed_by(scores(changed, each))
            there = np.isfinite(least[:, aspect])
            if does:
                assert (at == there).all()
            else:
                assert not at[there & (least[:, aspect] > 0)].any()


@given(arrays(np.float64, len(PACK.needs), elements=st.floats(0, 1)), st.sampled_from(PostKind))
def test_weights_sum_to_one_and_more_loss_never_asks_for_less(share: Any, post: PostKind) -> None:
    dimensions = list(dict.fromkeys(need.dimension for need in PACK.needs))
    units = pd.DataFrame({"unit_code": ["u"], "unit_kind": ["village"]})
    posts = pd.DataFrame({"unit_code": ["u"], "post": [post.value], "seats": [1], "profile": [None]})

    def weights_at(shares: Any) -> Any:
        losses = pd.DataFrame({"unit_code": "u", "dimension": dimensions, "share": shares})
        return post_profiles(posts, units, losses, PACK).weights[0]

    before = weights_at(share[: len(dimensions)])
    assert abs(before.sum() - 1) < 1e-12
    assert (before >= 0).all()
    for number, dimension in enumerate(dimensions):
        more = share[: len(dimensions)].copy()
        more[number] = 1.0
        wanted = {need.aspect.value for need in PACK.needs if need.dimension == dimension}
        after = weights_at(more)
        for aspect in wanted:
            at = ASPECTS.index(aspect)
            assert after[at] >= before[at] - 1e-12


@given(people, weights, arrays(np.float64, K, elements=st.floats(0, 1)), st.integers(1, 5))
def test_chances_are_of_places_that_add_up(values: Any, w: Any, share: Any, wanted: int) -> None:
    low, high = values * (1 - share), values + (100 - values) * share
    pool = top_k(values, w, 6).rows
    there = pool >= 0
    found = chances((low, values, high), w, pool, np.full(len(w), wanted), pool.shape[1], draws=20, seed=1)
    assert (np.isnan(found) == ~there).all()
    np.testing.assert_allclose(
        np.nansum(found, axis=1), np.minimum(there.sum(axis=1), wanted), rtol=0, atol=1e-12
    )
