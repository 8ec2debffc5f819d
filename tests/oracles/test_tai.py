"""The Technology Achievement Index, recomputed from its published inputs.

OECD/JRC (2008), Handbook on Constructing Composite Indicators, ISBN 978-92-64-04345-9, tables 22 and 23;
goalposts: Saisana, Saltelli & Tarantola (2005), JRSS-A 168(2), table 1.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import Framework
from huanjie_lib.risk.scoring import score

TAI = json.loads((Path(__file__).parent / "data" / "tai_oecd_jrc_2008.json").read_text(encoding="utf-8"))
INPUTS, EXPECTED = TAI["inputs"], TAI["expected"]


def framework(weights: list[float]) -> Framework:
    """One dimension, eight indicators, goalposts as reference points (a high value is safe)."""
    total = sum(weights)
    return Framework.model_validate(
        {
            "kind": "framework",
            "id": "tai",
            "version": "2008",
            "title": "TAI",
            "effective_from": "2008-01-01",
            "author": "OECD/JRC",
            "source": TAI["source"],
            "metrics": {n: {"label": n, "unit": "", "family": "tai"} for n in INPUTS["indicators"]},
            "dimensions": [
                {
                    "id": "achievement",
                    "label": "TAI",
                    "short": "TAI",
                    "weight": 1.0,
                    "indicators": [
                        {
                            "id": name,
                            "label": name,
                            "unit": "",
                            "definition": name,
                            "reason": "{value}",
                            "weight": weight / total,
                            "measure": {"kind": "metric", "metric": name},
                            "reference_points": [[low, 1], [high, 0]],
                            "missing": {"policy": "worst"},
                            "source": TAI["source"],
                        }
                        for name, weight, low, high in zip(
                            INPUTS["indicators"],
                            weights,
                            INPUTS["goalposts_min"],
                            INPUTS["goalposts_max"],
                            strict=True,
                        )
                    ],
                }
            ],
        }
    )


def scores(weights: list[float]) -> pd.Series:
    frame = pd.DataFrame(INPUTS["matrix"], index=INPUTS["countries"], columns=INPUTS["indicators"])
    kinds = pd.Series("village", index=frame.index)
    return score(frame, kinds, framework(weights)).index


def shift(method: str) -> pd.Series:
    """Absolute difference between published and computed ranks."""
    published = pd.Series(EXPECTED["ranks_table23"][method], index=EXPECTED["ranks_table23"]["countries"])
    computed = scores(EXPECTED["weights_table22"][method]).rank(ascending=False, method="min")
    return (computed - published).abs()


@pytest.mark.parametrize("method", ["EW", "BAP"])
def test_published_ranks_come_out_exactly(method: str) -> None:
    assert shift(method).eq(0).all()


@pytest.mark.parametrize(("method", "exact"), [("FA", 19), ("AHP", 20)])
def test_ranks_from_weights_published_to_two_decimals_move_two_places_at_most(
    method: str, exact: int
) -> None:
    moved = shift(method)
    assert moved.max() <= TAI["tolerance"][f"{method}_ranks"]
    assert moved.eq(0).sum() == exact


def test_composite_value_of_finland() -> None:
    published = EXPECTED["index_equal_weights_goalposts"]["Finland"]
    assert scores([1.0] * 8)["Finland"] / 100 == pytest.approx(published, abs=0.001)


def test_min_max_of_the_rows_on_view_would_not_reproduce_the_ranks() -> None:
    """Control: the oracle tells declared goalposts from min-max normalisation."""
    matrix = np.array(INPUTS["matrix"])
    on_view = (matrix - matrix.min(axis=0)) / np.ptp(matrix, axis=0)
    computed = pd.Series(on_view.mean(axis=1), index=INPUTS["countries"]).rank(ascending=False)
    published = pd.Series(EXPECTED["ranks_table23"]["EW"], index=EXPECTED["ranks_table23"]["countries"])
    assert (computed - published).abs().ne(0).sum() == 12
