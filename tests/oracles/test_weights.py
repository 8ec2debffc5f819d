"""Weighting methods against published tables; each oracle file names its source."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import ParameterError
from huanjie_lib.risk.data_weights import critic_weights, entropy_weights, standard_deviation_weights
from huanjie_lib.risk.judgments import RANDOM_INDEX, ahp_weights

DATA = Path(__file__).parent / "data"


def oracle(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return found


AHP, CRITIC, ENTROPY = oracle("ahp_saaty"), oracle("critic"), oracle("entropy")


def judgments(case: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(case["matrix"], index=case["labels"], columns=case["labels"])


@pytest.mark.parametrize("case", AHP["cases"], ids=lambda c: c["name"])
def test_ahp(case: dict[str, Any]) -> None:
    expected = {**case.get("computed_here", {}), **case["expected"]}
    result = ahp_weights(judgments(case), random_index=expected.get("RI_table", "saaty_1980"))
    np.testing.assert_allclose(result.weights, expected["weights"], atol=case["tolerance"]["weights"])
    if "lambda_max" in expected:
        assert result.lambda_max == pytest.approx(expected["lambda_max"], abs=6e-4)
    if "CI" in expected:
        assert result.consistency_index == pytest.approx(expected["CI"], abs=case["tolerance"]["CI"])
    ratio = expected.get("CR", expected.get("CR_saaty_1980"))
    if ratio is not None:
        assert result.consistency_ratio == pytest.approx(ratio, abs=6e-4)


def test_the_house_matrix_is_reported_as_inconsistent_with_the_triad_to_review() -> None:
    result = ahp_weights(judgments(AHP["cases"][0]), random_index="saaty_1980")
    assert not result.consistent
    assert result.worst_triad is not None
    assert {result.worst_triad.first, result.worst_triad.second, result.worst_triad.third} == {
        "size", "neighbourhood", "condition",
    }  # fmt: skip
    assert "请先复核" in result.explain()


def test_hierarchy_of_cities() -> None:
    """Saaty 2005: five criteria, four cities, weights combined over the hierarchy."""
    case = AHP["hierarchy_case"]

    def matrix(names: list[str], upper: list[float]) -> pd.DataFrame:
        frame = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
        for (i, j), value in zip(itertools.combinations(names, 2), upper, strict=True):
            frame.loc[i, j], frame.loc[j, i] = value, 1 / value
        return frame

    criteria = ahp_weights(matrix(case["criteria"], list(case["criteria_upper"].values()))).weights
    cities = pd.DataFrame(
        {
            criterion: ahp_weights(matrix(case["alternatives"], upper)).weights
            for criterion, upper in case["alternatives_upper"].items()
        }
    )
    total = cities[criteria.index] @ criteria
    np.testing.assert_allclose(
        total.loc[list(case["expected_target_weights"])],
        list(case["expected_target_weights"].values()),
        atol=case["tolerance"],
    )


def test_random_index_tables_are_the_published_ones() -> None:
    for name, table in AHP["random_index"].items():
        assert {int(k): v for k, v in table.items()} == dict(RANDOM_INDEX[name])


@pytest.mark.parametrize("case", CRITIC["cases"], ids=lambda c: c["name"])
def test_critic(case: dict[str, Any]) -> None:
    frame = pd.DataFrame(case["matrix"], columns=case["labels"])
    np.testing.assert_allclose(
        critic_weights(frame).weights, case["expected"]["weights"], atol=case["tolerance"]
    )
    if "weights_spearman" in case["expected"]:
        found = critic_weights(frame, correlation="spearman").weights
        np.testing.assert_allclose(found, case["expected"]["weights_spearman"], atol=case["tolerance"])


def test_entropy() -> None:
    case = ENTROPY["cases"][0]
    frame = pd.DataFrame(case["matrix"])
    np.testing.assert_allclose(
        entropy_weights(frame).weights, case["expected"]["weights"], atol=case["tolerance"]
    )


@pytest.mark.parametrize("method", [entropy_weights, critic_weights, standard_deviation_weights])
@pytest.mark.parametrize("fault", ["constant", "zeros", "missing", "negative", "ties"])
def test_awkward_columns_give_finite_weights_or_one_named_error(method: Any, fault: str) -> None:
    """Where today's libraries return NaN or negative weights (``edge_cases.json``)."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.random((50, 4)), columns=list("abcd"))
    if fault == "constant":
        frame["b"] = 0.7
    elif fault == "zeros":
        frame["b"] = 0.0
    elif fault == "missing":
        frame.loc[3, "b"] = np.nan
    elif fault == "negative":
        frame.loc[3, "b"] = -0.5
    else:
        frame["b"] = (frame["b"] > 0.5).astype(float)
    if fault == "negative" and method is entropy_weights:
        with pytest.raises(ParameterError, match="列 b"):
            method(frame)
        return
    proposal = method(frame)
    assert proposal.weights.sum() == pytest.approx(1, abs=1e-12)
    assert (proposal.weights >= 0).all()
    if fault in {"constant", "zeros"}:
        assert proposal.weights["b"] == 0
        assert proposal.constant == ("b",)
        without = method(frame.drop(columns="b")).weights
        np.testing.assert_allclose(proposal.weights.drop("b"), without)
    assert proposal.rows_left_out == (1 if fault == "missing" else 0)
