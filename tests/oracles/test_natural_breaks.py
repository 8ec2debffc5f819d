"""Natural breaks of the densities of 58 Californian counties (mapclassify's documented example)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from libpysal.examples import get_path

from huanjie_lib.risk.breaks import natural_breaks

ORACLE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "spatial_and_breaks.json").read_text(encoding="utf-8")
)
CASES = {case["name"]: case for case in ORACLE["cases"]}


def test_californian_counties_break_where_the_documentation_says() -> None:
    expected = CASES["fisher_jenks_calemp"]["expected"]
    values = pd.read_csv(get_path("calempdensity.csv")).iloc[:, -1].to_numpy(dtype=np.float64)
    breaks = natural_breaks(values, expected["k"])
    assert [lower for lower, _ in breaks] == pytest.approx(expected["bins"][:-1])
    counts = np.diff([0, *(int((values <= lower).sum()) for lower, _ in breaks), len(values)])
    assert counts.tolist() == expected["counts"]


@pytest.mark.parametrize("shift", [0.0, 1e4, 1e7])
def test_a_shift_of_all_values_shifts_the_breaks(shift: float) -> None:
    """The sums of mapclassify 2.10 are in single precision: adding 10,000 moves its breaks."""
    values = np.random.default_rng(1).gamma(4, 6, 5000).round(3)
    moved = natural_breaks(values + shift, 3)
    np.testing.assert_allclose(np.array(moved) - shift, natural_breaks(values, 3), atol=1e-6)
