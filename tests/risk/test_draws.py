"""The kernel agrees with the scoring of the index, draw by draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import Framework, load_parameters
from huanjie_lib.risk.draws import Draws, LossModel
from huanjie_lib.risk.scoring import score

FRAMEWORK = load_parameters().framework
K, M = len(FRAMEWORK.indicators), len(FRAMEWORK.dimensions)


def table(n: int = 12) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(1)
    ids = [i.id for i in FRAMEWORK.indicators]
    low = np.array([i.reference_points[0][0] for i in FRAMEWORK.indicators])
    high = np.array([i.reference_points[-1][0] for i in FRAMEWORK.indicators])
    values = low + rng.uniform(-0.2, 1.2, (n, K)) * (high - low)
    frame = pd.DataFrame(values, columns=ids)
    return frame, pd.Series(np.where(np.arange(n) % 3 == 0, "community", "village"))


def reweighted(across: np.ndarray, within: np.ndarray, points: list[np.ndarray], power: float) -> Framework:
    """The framework with other weights and reference points, through the ordinary contract."""
    indicators = iter(range(K))
    dimensions = []
    for d, dimension in enumerate(FRAMEWORK.dimensions):
        own = []
        for i in dimension.indicators:
            c = next(indicators)
            pairs = tuple((float(x), float(s)) for x, s in points[c])
            own.append(i.model_copy(update={"weight": float(within[c]), "reference_points": pairs}))
        update = {"weight": float(across[d]), "indicators": tuple(own), "power": power if d % 2 else 1.0}
        dimensions.append(dimension.model_copy(update=update))
    return FRAMEWORK.model_copy(update={"dimensions": tuple(dimensions)})


@pytest.mark.parametrize("power", [1.0, 2.5])
@pytest.mark.parametrize("moved", [False, True])
def test_every_draw_equals_scoring_with_its_weights_and_reference_points(power: float, moved: bool) -> None:
    rng = np.random.default_rng(4)
    draws = 6
    across = rng.dirichlet(np.ones(M), draws)
    within = np.concatenate(
        [rng.dirichlet(np.full(len(d.indicators), 3.0), draws) for d in FRAMEWORK.dimensions], axis=1
    )
    stretch, shift = rng.uniform(0.7, 1.4, (draws, K)), rng.uniform(-0.1, 0.1, (draws, K))
    values, kinds = table()
    original = [np.array(i.reference_points) for i in FRAMEWORK.indicators]
    framework = reweighted(across[0], within[0], original, power)
    uncertain = Draws(draws, across, within, stretch if moved else None, shift if moved else None)
    model = LossModel(values, kinds, framework, uncertain)
    found = np.full((draws, len(values)), np.nan)
    for tile in model.tiles():
        found[:, tile.units] = model.lost(tile, 0, draws, np.random.default_rng(0))
    for draw in range(draws):
        points = []
        for c, pairs in enumerate(original):
            safe, worst = pairs[np.argmin(pairs[:, 1]), 0], pairs[np.argmax(pairs[:, 1]), 0]
            x = (pairs[:, 0] - safe) / (worst - safe)
            x = x * stretch[draw, c] + shift[draw, c] if moved else x
            points.append(np.column_stack([safe + x * (worst - safe), pairs[:, 1]]))
        wanted = score(values, kinds, reweighted(across[draw], within[draw], points, power)).index
        np.testing.assert_allclose(100 - found[draw], wanted, atol=2e-4)


def test_an_assumed_severity_stands_for_every_missing_value() -> None:
    values, kinds = table()
    values = values.mask(np.random.default_rng(2).random(values.shape) < 0.3)
    across = np.array([[d.weight for d in FRAMEWORK.dimensions]])
    within = np.array([[i.weight for i in FRAMEWORK.indicators]])
    model = LossModel(values, kinds, FRAMEWORK, Draws(2, across, within, assumed=np.array([0.0, 1.0])))
    scores = score(values, kinds, FRAMEWORK)
    for tile in model.tiles():
        lost = model.lost(tile, 0, 2, np.random.default_rng(0))
        np.testing.assert_allclose(100 - lost[0], scores.index_high.iloc[tile.units], atol=1e-9)
        np.testing.assert_allclose(100 - lost[1], scores.index_low.iloc[tile.units], atol=1e-9)


def test_every_unit_is_in_one_tile() -> None:
    values, kinds = table(2000)
    values.iloc[::7, 3] = np.nan
    across, within = np.full((1, M), 1 / M), np.array([[i.weight for i in FRAMEWORK.indicators]])
    tiles = list(LossModel(values, kinds, FRAMEWORK, Draws(1, across, within)).tiles())
    assert sorted(np.concatenate([t.units for t in tiles]).tolist()) == list(range(2000))
    assert [t.number for t in tiles] == list(range(len(tiles)))
