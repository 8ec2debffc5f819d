from __future__ import annotations

import numpy as np

from huanjie_lib.sample.latent import TOPICS, make_factors
from huanjie_lib.sample.streams import Streams


def moran(values: np.ndarray, pairs: np.ndarray) -> float:
    """Return Moran's I with equal weights on all pairs of neighbours."""
    centred = values - values.mean()
    return float((centred[pairs[:, 0]] * centred[pairs[:, 1]]).mean() / centred.var())


def factors(chain: np.ndarray) -> object:
    return make_factors(300, chain, np.arange(300) // 20, 47, np.full(300, 0.1), Streams(5)["latent"])


def test_neighbours_and_topics_go_together(chain: np.ndarray) -> None:
    made = make_factors(300, chain, np.arange(300) // 20, 47, np.full(300, 0.1), Streams(5)["latent"])
    scores = np.column_stack([made.base[t] for t in TOPICS])
    assert min(moran(made.base[t], chain) for t in TOPICS) > 0.2
    together = np.corrcoef(scores.T)
    assert together.min() > 0.5
    shuffled = Streams(1)["latent"].permutation(made.base["conflict"])
    assert abs(moran(shuffled, chain)) < 0.2  # the measure can come out small


def test_drift_is_a_slow_autoregression(chain: np.ndarray) -> None:
    made = make_factors(300, chain, np.arange(300) // 20, 47, np.full(300, 0.1), Streams(5)["latent"])
    step = np.corrcoef(made.drift[:, :-1].ravel(), made.drift[:, 1:].ravel())[0, 1]
    year = np.corrcoef(made.drift[:, :-12].ravel(), made.drift[:, 12:].ravel())[0, 1]
    assert 0.85 < step < 0.99
    assert year < step - 0.2
    assert (made.at("conflict", 3) == made.over_time("conflict")[:, 3]).all()
