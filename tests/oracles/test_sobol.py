"""Total-order Sobol indices with closed form (Ishigami & Homma 1990; Saltelli et al. 2008)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huanjie_lib.risk.sensitivity import saltelli_sample, total_order

ORACLE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "ishigami_sobol.json").read_text(encoding="utf-8")
)
CASES = {case["name"]: case for case in ORACLE["cases"]}


def ishigami(x: np.ndarray) -> np.ndarray:
    x1, x2, x3 = (np.pi * (2 * x - 1)).T
    return np.asarray(np.sin(x1) + 7 * np.sin(x2) ** 2 + 0.1 * x3**4 * np.sin(x1))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ishigami(seed: int) -> None:
    case = CASES["ishigami"]
    y = ishigami(saltelli_sample(["x1", "x2", "x3"], samples=4096, seed=seed))
    found = total_order(y[:, None], inputs=3).ravel()
    np.testing.assert_allclose(found, case["expected"]["ST"], atol=case["tolerance_mc"])


def test_weighted_sum_and_many_outputs_at_once() -> None:
    case = CASES["weighted_sum"]
    w, v = (np.array(case["inputs"][name]) for name in "wv")
    x = saltelli_sample(["a", "b", "c"], samples=4096, seed=5)
    weighted = (x * np.sqrt(12 * v)) @ w  # a uniform variable on [0, 1] has variance 1/12
    found = total_order(np.column_stack([weighted, 7 - 3 * weighted, ishigami(x)]), inputs=3)
    assert sum(case["expected"]["S"]) == pytest.approx(1)
    np.testing.assert_allclose(found[:, 0], case["expected"]["S"], atol=CASES["ishigami"]["tolerance_mc"])
    np.testing.assert_allclose(found[:, 1], found[:, 0], atol=1e-9)
    np.testing.assert_allclose(found[:, 2], CASES["ishigami"]["expected"]["ST"], atol=0.02)


def test_salib_own_estimator_agrees() -> None:
    """SALib's analysis of the same sample and outputs; its estimator is the same of Jansen."""
    from SALib.analyze import sobol

    names = ["x1", "x2", "x3"]
    y = ishigami(saltelli_sample(names, samples=1024, seed=4))
    problem = {"num_vars": 3, "names": names, "bounds": [[0.0, 1.0]] * 3}
    peer = sobol.analyze(problem, y, calc_second_order=False, num_resamples=2, seed=1)
    np.testing.assert_allclose(total_order(y[:, None], inputs=3).ravel(), peer["ST"], rtol=1e-9)
