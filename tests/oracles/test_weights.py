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


@pytest.mark.parametrize(
    "case", [c for c in ENTROPY["cases"] if c["expected"]], ids=lambda case: case["name"]
)
def test_entropy(case: dict[str, Any]) -> None:
    frame = pd.DataFrame(case["matrix"])
    np.testing.assert_allclose(
        entropy_weights(frame).weights, case["expected"]["weights"], atol=case["tolerance"]
    )


def test_every_published_case_is_tested_or_has_nothing_printed() -> None:
    assert [c["name"] for c in ENTROPY["cases"] if not c["expected"]] == ["cn_graduate_schools"]
    assert all(c["expected"].get("weights") for c in CRITIC["cases"])
    assert [c["name"] for c in AHP["cases"] if not c["expected"]] == ["tai_table20"]


def test_judged_weights_of_drinks_are_near_what_is_drunk() -> None:
    """Saaty 2008 validates the method by actual consumption in the United States."""
    case = next(c for c in AHP["cases"] if c["name"] == "drinks")
    found = ahp_weights(judgments(case)).weights
    np.testing.assert_allclose(found, case["expected"]["actual_consumption"], atol=0.012)


def test_critic_agrees_with_the_published_correlations_of_the_technology_index() -> None:
    """OECD/JRC 2008, table 6: weights from the printed correlations are those from the printed data."""
    tai = oracle("tai_oecd_jrc_2008")
    frame = pd.DataFrame(tai["inputs"]["matrix"], columns=tai["inputs"]["indicators"])
    upper = tai["expected"]["correlation_table6_2dp"]["upper"]
    printed = np.zeros((8, 8))
    for row, values in enumerate(upper):
        printed[row, row:] = printed[row:, row] = values
    scaled = (frame - frame.min()) / (frame.max() - frame.min())
    raw = scaled.std().to_numpy() * (1 - printed).sum(axis=0)
    np.testing.assert_allclose(critic_weights(frame).weights, raw / raw.sum(), atol=0.002)


@pytest.mark.parametrize("seed", range(20))
def test_a_library_of_the_field_agrees_where_it_is_right(seed: int) -> None:
    """pymcdm on complete, positive data; its spread is of unscaled columns, so these span 0 to 1."""
    from pymcdm import weights as peer

    x = np.random.default_rng(seed).random((40, 6)) + 0.01
    frame = pd.DataFrame(x)
    scaled = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    np.testing.assert_allclose(entropy_weights(frame).weights, peer.entropy_weights(x), atol=1e-12)
    np.testing.assert_allclose(critic_weights(frame).weights, peer.critic_weights(x), atol=1e-12)
    np.testing.assert_allclose(
        standard_deviation_weights(frame).weights, peer.standard_deviation_weights(scaled), atol=1e-12
    )


def test_a_library_of_the_field_agrees_on_the_textbook_data_without_printed_weights() -> None:
    from pymcdm import weights as peer

    x = np.array(ENTROPY["cases"][1]["matrix"], dtype=np.float64)
    np.testing.assert_allclose(entropy_weights(pd.DataFrame(x)).weights, peer.entropy_weights(x))


@pytest.mark.parametrize("zero", [0.0, np.nan])
def test_one_empty_cell_is_where_that_library_is_wrong(zero: float) -> None:
    """Control for the rules below: one zero is refused or one gap spoils all weights there, none here."""
    from pymcdm import weights as peer

    x = np.random.default_rng(3).random((40, 4)) + 0.01
    x[0, 0] = zero
    assert entropy_weights(pd.DataFrame(x)).weights.between(0.1, 0.9).all()
    if zero == 0.0:
        with pytest.raises(ValueError, match="positive"):
            peer.entropy_weights(x)
    else:
        assert np.isnan(peer.entropy_weights(x)).all()


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
