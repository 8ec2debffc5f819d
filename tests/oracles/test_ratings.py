"""Raters and shrinkage against closed forms and least squares.

The product holds ratings and no results of single contests, so that it has neither TrueSkill (Herbrich, Minka
& Graepel 2007, NIPS 19:569-576) nor Bradley-Terry (citations of journals: Stigler 1994, Statistical Science
9:94-108; Agresti 2002, *Categorical Data Analysis*, p. 448; Turner & Firth 2012, J. Stat. Softw. 48(9)). Of
these cases SciPy's and scikit-learn's answers are held, on which a feature that needs them would build. Decay
by half-life stands in test_half_life.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from huanjie_lib.talent.raters import fit_raters

DATA = Path(__file__).parent / "data"
ORACLE: dict[str, Any] = json.loads((DATA / "ratings.json").read_text(encoding="utf-8"))

#: Priors so wide, the persons' much the wider, that the posterior is least squares with severities around 0.
FLAT: dict[str, float] = {"prior_sd": 1e5, "severity_sd": 1e2, "rating_sd": 0.01}


def test_a_balanced_panel_gives_the_closed_form() -> None:
    case = ORACLE["rater_severity_balanced"]
    scores = np.array(case["scores_person_by_rater"])
    person, rater = np.indices(scores.shape)
    fitted = fit_raters(person.ravel(), rater.ravel(), scores.ravel(), prior_mean=0.0, **FLAT)
    assert fitted.mean - case["grand_mean"] == pytest.approx(case["person_effect"], abs=1e-5)
    # severity is what a rater gives less: the rater effect with its sign turned
    assert -fitted.severity == pytest.approx(case["rater_effect"], abs=1e-5)
    residual = scores - fitted.mean[:, None] + fitted.severity
    assert np.abs(residual).max() == pytest.approx(case["residual_max"], abs=1e-5)


def test_an_unbalanced_panel_gives_least_squares() -> None:
    case = ORACLE["rater_severity_unbalanced"]
    persons, person = np.unique([row[0] for row in case["ratings"]], return_inverse=True)
    raters, rater = np.unique([row[1] for row in case["ratings"]], return_inverse=True)
    fitted = fit_raters(person, rater, [row[2] for row in case["ratings"]], prior_mean=0.0, **FLAT)
    severity = dict(zip(raters, fitted.severity, strict=True))
    assert -(severity["harsh"] - severity["mild"]) == pytest.approx(case["harsh_minus_mild"], abs=1e-5)
    on_mild_scale = dict(zip(persons, fitted.mean - severity["mild"], strict=True))
    assert on_mild_scale == pytest.approx(case["person"], abs=1e-5)
    assert on_mild_scale["p1"] > case["raw_mean"]["p1"] + 0.9


@pytest.mark.parametrize(
    "case", [c for c in ORACLE["normal_shrinkage"]["cases"] if c["n"]], ids=lambda c: str(c["n"])
)
def test_means_of_raters_of_no_severity_shrink(case: dict[str, Any]) -> None:
    oracle = ORACLE["normal_shrinkage"]
    n = case["n"]
    fitted = fit_raters(
        [0] * n,
        np.arange(n),
        [case["mean"]] * n,
        prior_mean=oracle["prior_mean"],
        prior_sd=np.sqrt(oracle["prior_var"]),
        rating_sd=np.sqrt(oracle["obs_var"]),
        severity_sd=1e-6,
    )
    assert fitted.mean[0] == pytest.approx(case["posterior_mean"])
    assert fitted.sd[0] == pytest.approx(case["posterior_sd"])


def test_a_person_nobody_rated_is_the_prior() -> None:
    """The case of no rating: what assessment takes for a person whom a channel did not hear."""
    oracle = ORACLE["normal_shrinkage"]
    (none,) = [c for c in oracle["cases"] if not c["n"]]
    assert (none["posterior_mean"], none["posterior_sd"]) == (
        oracle["prior_mean"],
        oracle["prior_var"] ** 0.5,
    )
    fitted = fit_raters(
        [0],
        [0],
        [none["mean"]],
        weight=[1e-12],
        prior_mean=oracle["prior_mean"],
        prior_sd=oracle["prior_var"] ** 0.5,
        rating_sd=10.0,
        severity_sd=1.0,
    )
    assert (fitted.mean[0], fitted.sd[0]) == pytest.approx((none["posterior_mean"], none["posterior_sd"]))


@pytest.mark.parametrize("case", ORACLE["trueskill"]["cases"])
def test_trueskill_is_the_moments_of_a_truncated_normal(case: dict[str, Any]) -> None:
    beta, tau, draw = 25 / 6, 25 / 300, 0.10
    (mean_a, sd_a), (mean_b, sd_b) = case["a"], case["b"]
    variance = {"a": sd_a**2 + tau**2, "b": sd_b**2 + tau**2}
    spread = np.sqrt(2 * beta**2 + sum(variance.values()))
    margin = stats.norm.ppf((1 + draw) / 2) * np.sqrt(2) * beta
    ends = (margin, np.inf) if case["result"] == "a_wins" else (-margin, margin)
    ahead = stats.truncnorm(*(np.array(ends) - (mean_a - mean_b)) / spread)  # standardised
    for name, mean, sign in (("a", mean_a, 1), ("b", mean_b, -1)):
        share = variance[name] / spread
        found = (
            mean + sign * share * ahead.mean(),
            np.sqrt(variance[name] - share**2 * (1 - ahead.var())),
        )
        assert found == pytest.approx(case[f"{name}_post"], abs=1e-3)
    if "draw_quality" in case:
        total = 2 * beta**2 + sd_a**2 + sd_b**2
        quality = np.sqrt(2 * beta**2 / total) * np.exp(-((mean_a - mean_b) ** 2) / (2 * total))
        assert quality == pytest.approx(case["draw_quality"], abs=1e-3)


def test_bradley_terry_is_a_logistic_regression_without_intercept() -> None:
    case = ORACLE["bradley_terry_citations"]
    items, wins = case["items"], np.array(case["wins_row_over_col"])
    winner, loser = np.nonzero(~np.eye(len(items), dtype=bool))
    design = np.eye(len(items))[winner] - np.eye(len(items))[loser]
    kept = [k for k, name in enumerate(items) if name != case["reference"]]
    design, counts = design[:, kept], wins[winner, loser]
    both = np.concatenate([design, -design])  # a win of one is a loss of the other
    fitted = LogisticRegression(
        C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000, solver="newton-cholesky"
    )
    fitted.fit(both, np.repeat([1, 0], len(design)), sample_weight=np.tile(counts, 2))
    chance = 1 / (1 + np.exp(-design @ fitted.coef_[0]))
    information = design.T @ (design * (counts * chance * (1 - chance))[:, None])
    # each contest stands once in `counts`: wins of i over j and of j over i are two rows
    names = [items[k] for k in kept]
    assert dict(zip(names, fitted.coef_[0], strict=True)) == pytest.approx(case["ability"], abs=1e-4)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    assert dict(zip(names, errors, strict=True)) == pytest.approx(case["std_error"], abs=1e-4)
