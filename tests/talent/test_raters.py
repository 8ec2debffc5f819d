"""The rater model: equal to the dense posterior of all unknowns, monotone, narrowing, blind to severity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.talent import raters
from huanjie_lib.talent.raters import RaterModel, connected_parts, fit_raters

PRIOR = {"prior_mean": 65.0, "prior_sd": 12.0, "rating_sd": 10.0, "severity_sd": 6.0}


def panel(seed: int, persons: int, judges: int, ratings: int) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    person, judge = rng.integers(0, persons, ratings), rng.integers(0, judges, ratings)
    person[:persons], judge[:judges] = np.arange(persons), np.arange(judges)
    return person, judge, rng.normal(70.0, 12.0, ratings), rng.uniform(0.2, 1.0, ratings)


def chain(persons: int) -> tuple[Any, Any, Any, Any]:
    """Panels of five, each shared in part with the panel before: one long thin connected part."""
    person = np.repeat(np.arange(persons), 5)
    _, judge = np.unique((person // 4) * 2 + np.tile(np.arange(5), persons), return_inverse=True)
    rng = np.random.default_rng(5)
    return person, judge, rng.normal(70.0, 12.0, len(person)), rng.uniform(0.2, 1.0, len(person))


def dense(person: Any, judge: Any, rating: Any, weight: Any) -> tuple[Any, Any]:
    """Return mean and covariance of all persons and severities from one dense precision matrix."""
    n, r, m = person.max() + 1, judge.max() + 1, len(rating)
    design = np.zeros((m, n + r))
    design[np.arange(m), person], design[np.arange(m), n + judge] = 1.0, -1.0
    spreads = np.repeat([PRIOR["prior_sd"], PRIOR["severity_sd"]], [n, r])
    precision = design.T @ (design * (weight / PRIOR["rating_sd"] ** 2)[:, None]) + np.diag(spreads**-2)
    covariance = np.linalg.inv(precision)
    centred = weight / PRIOR["rating_sd"] ** 2 * (rating - PRIOR["prior_mean"])
    return covariance @ (design.T @ centred), covariance


@pytest.mark.parametrize("small", [raters.SMALL, 4], ids=["small whole", "all as chains"])
@pytest.mark.parametrize(
    "ratings",
    [panel(1, 20, 12, 90), panel(2, 30, 40, 60), panel(3, 300, 7, 900), panel(4, 300, 250, 900), chain(320)],
    ids=["one part", "many parts", "few raters", "many raters", "overlapping panels"],
)
def test_the_posterior_is_that_of_one_dense_system(
    ratings: tuple[Any, Any, Any, Any], small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raters, "SMALL", small)
    person, judge, rating, weight = ratings
    mean, covariance = dense(*ratings)
    fitted = fit_raters(person, judge, rating, weight=weight, **PRIOR)
    n = len(fitted.mean)
    np.testing.assert_allclose(fitted.mean - PRIOR["prior_mean"], mean[:n], atol=1e-10)
    np.testing.assert_allclose(fitted.severity, mean[n:], atol=1e-10)
    np.testing.assert_allclose(fitted.sd**2, np.diag(covariance)[:n], atol=1e-10)
    np.testing.assert_allclose(fitted.severity_sd**2, np.diag(covariance)[n:], atol=1e-10)
    some = np.random.default_rng(0).permutation(n)[: n // 2]
    np.testing.assert_allclose(fitted.covariance(some), covariance[np.ix_(some, some)], atol=1e-10)


def test_a_large_matrix_is_not_laid_out_where_the_other_side_is_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(raters, "_FILLED", 10_000)
    ratings = panel(3, 300, 7, 900)
    mean, _ = dense(*ratings)
    fitted = fit_raters(*ratings[:3], weight=ratings[3], **PRIOR)
    np.testing.assert_allclose(fitted.mean - PRIOR["prior_mean"], mean[:300], atol=1e-10)


RATINGS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.floats(0, 100)), min_size=1, max_size=25
)


def fit(rows: list[tuple[int, int, float]], *, severity_sd: float = PRIOR["severity_sd"]) -> RaterModel:
    _, person = np.unique([row[0] for row in rows], return_inverse=True)
    _, judge = np.unique([row[1] for row in rows], return_inverse=True)
    return fit_raters(person, judge, [row[2] for row in rows], **{**PRIOR, "severity_sd": severity_sd})


@given(RATINGS, st.data(), st.floats(0.1, 100))
def test_a_higher_rating_never_lowers_its_person(rows: Any, data: st.DataObject, more: float) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    raised = [(p, r, y + more if k == at else y) for k, (p, r, y) in enumerate(rows)]
    place = sorted({row[0] for row in rows}).index(rows[at][0])
    before, after = fit(rows), fit(raised)
    assert after.mean[place] > before.mean[place]
    # each other person's gain is at most that one's
    assert (after.mean - before.mean).max() <= after.mean[place] - before.mean[place] + 1e-9


@given(RATINGS, st.integers(0, 4), st.integers(0, 3))
def test_one_more_rating_narrows(rows: Any, person: int, judge: int) -> None:
    before, after = fit(rows), fit([*rows, (person, judge, 50.0)])
    known = sorted({row[0] for row in rows})
    kept = [sorted({*known, person}).index(p) for p in known]
    assert (after.sd[kept] <= before.sd + 1e-9).all()


@given(RATINGS, st.floats(-40, 40))
def test_a_constant_on_one_raters_ratings_goes_to_the_rater(rows: Any, shift: float) -> None:
    """All of it where severity is free; else it is as if the prior on that rater had moved."""
    shifted = [(p, r, y + shift if r == rows[0][1] else y) for p, r, y in rows]
    judge = sorted({row[1] for row in rows}).index(rows[0][1])
    before, after = fit(rows), fit(shifted)
    moved = after.mean - before.mean
    _, person = np.unique([row[0] for row in rows], return_inverse=True)
    _, rater = np.unique([row[1] for row in rows], return_inverse=True)
    _, covariance = dense(person, rater, np.array([row[2] for row in rows]), np.ones(len(rows)))
    n = len(moved)
    expected = shift * covariance[:n, n + judge] / PRIOR["severity_sd"] ** 2
    np.testing.assert_allclose(moved, expected, atol=1e-8)
    assert (np.sign(shift) * moved >= -1e-9).all()
    free_before, free_after = fit(rows, severity_sd=1e4), fit(shifted, severity_sd=1e4)
    np.testing.assert_allclose(free_after.mean, free_before.mean, atol=1e-4 * abs(shift) + 1e-7)
    change = free_after.severity[judge] - free_before.severity[judge]
    assert change == pytest.approx(-shift, abs=1e-4 * abs(shift) + 1e-7)


@given(RATINGS, st.randoms())
def test_the_order_of_rows_and_numbers_of_raters_do_not_matter(rows: Any, random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    renamed = [(p, 3 - r, y) for p, r, y in shuffled]
    np.testing.assert_allclose(fit(renamed).mean, fit(rows).mean, atol=1e-9)


def test_parts_are_numbered_by_their_first_person() -> None:
    persons, judges = connected_parts(np.array([2, 0, 1, 3]), np.array([0, 1, 0, 2]), 4, 3)
    assert persons.tolist() == [0, 1, 1, 2]
    assert judges.tolist() == [1, 0, 2]


def test_persons_of_two_parts_are_unrelated() -> None:
    fitted = fit_raters([0, 1, 2], [0, 0, 1], [60, 70, 80], **PRIOR)
    assert fitted.part.tolist() == [0, 0, 1]
    assert fitted.covariance([0, 2])[0, 1] == 0.0
    assert fitted.covariance([0, 1])[0, 1] > 0.0
    assert repr(fitted) == "RaterModel(persons=3, raters=2, parts=2)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rating": [np.nan, 1.0]}, "found 1 missing"),
        ({"weight": [1.0, 0.0]}, "greater than 0"),
        ({"severity_sd": 0.0}, "greater than 0"),
        ({"person": [0, 2]}, "persons must be numbered"),
        ({"rater": [-1, 0]}, "raters must be numbered"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    arguments = {"person": [0, 1], "rater": [0, 0], "rating": [50.0, 60.0], **PRIOR, **changes}
    with pytest.raises(ValueError, match=message):
        fit_raters(**arguments)
