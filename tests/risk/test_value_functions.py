"""Value functions agree with linear interpolation, are exact at every reference point and never turn back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.value_functions import AT_ONCE, ValueFunction, lines_may_overflow, value_function

Points = list[tuple[float, float]]


@st.composite
def reference_points(draw: st.DrawFn) -> Points:
    """From two to six points, rising or falling, with flat pieces now and then."""
    x = draw(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6, unique=True).map(sorted))
    assume((np.diff(x) > 1e-250).all())
    s = draw(st.lists(st.floats(0, 1), min_size=len(x), max_size=len(x)))
    return list(zip(x, sorted(s, reverse=draw(st.booleans())), strict=True))


def around(points: Points) -> np.ndarray:
    """Values at, next to, between and beyond the reference points, in order."""
    x = np.array([p[0] for p in points])
    inside = [np.linspace(a, b, 9) for a, b in itertools.pairwise(x)]
    beside = [np.nextafter(x, -np.inf), np.nextafter(x, np.inf)]
    return np.unique(
        np.concatenate([*inside, *beside, [-np.inf, -1e308, x[0] - 1, x[-1] + 1, 1e308, np.inf]])
    )


@given(reference_points())
def test_every_reference_point_has_its_severity_to_the_last_bit(points: Points) -> None:
    x, s = np.array(points).T
    found = value_function(x, points)
    np.testing.assert_array_equal(found, s)
    assert not np.signbit(found).any()  # −0 would be shown with its sign


@given(reference_points())
def test_it_never_turns_back_and_is_constant_beyond_the_ends(points: Points) -> None:
    found = value_function(around(points), points)
    steps = np.diff(found)
    assert (steps >= 0).all() if points[-1][1] >= points[0][1] else (steps <= 0).all()
    assert (found[0], found[-1]) == (points[0][1], points[-1][1])


@given(reference_points(), st.floats(0, 100))
def test_it_is_linear_interpolation(points: Points, scale: float) -> None:
    values = around(points)[1:-1]
    x, s = np.array(points).T
    gap = np.diff(x).min() / np.abs(x).max()
    found, spare = np.empty_like(values), np.empty_like(values)
    with lines_may_overflow():
        ValueFunction.of(points, scale=scale).write(values, found, spare)
    tolerance = 1e-300 + scale * (
        1e-15 + 1e-15 / gap
    )  # two ends that nearly coincide have a badly known slope
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = np.interp(values, x, s)
    np.testing.assert_allclose(found, scale * wanted, rtol=0, atol=tolerance)


def test_the_shipped_value_functions_are_linear_interpolation_to_the_last_digits() -> None:
    rng = np.random.default_rng(5)
    for indicator in load_parameters().framework.indicators:
        x, s = np.array(indicator.reference_points).T
        values = rng.uniform(x[0] - 0.1 * np.ptp(x), x[-1] + 0.1 * np.ptp(x), AT_ONCE + 7)
        found = value_function(values, indicator.reference_points)
        np.testing.assert_allclose(found, np.interp(values, x, s), rtol=0, atol=1e-15)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_the_shape_is_kept(shape: tuple[int, ...]) -> None:
    found = value_function(np.full(shape, 1.5), [(1, 0), (2, 1)])
    assert found.shape == shape
    np.testing.assert_array_equal(found, np.full(shape, 0.5))


def test_constant_and_longer_functions_keep_gaps() -> None:
    found = value_function([-np.inf, 0, 2, np.nan], [(0, 0.3), (1, 0.3), (2, 0.3)])
    np.testing.assert_array_equal(found, [0.3, 0.3, 0.3, np.nan])
    longer = [(0, 0), (1, 0.2), (2, 0.7), (3, 1)]
    np.testing.assert_allclose(value_function([1.5, np.nan, 2.5], longer), [0.45, np.nan, 0.85])


@pytest.mark.parametrize("points", [[(1, 0)], [(2, 0), (1, 1)], [(1, 0), (1, 1)], [(0, 0), (1, 1), (2, 0.5)]])
def test_points_out_of_order_are_refused(points: Points) -> None:
    with pytest.raises(ValueError, match="must increase in value and be monotone"):
        value_function([0.0], points)


def test_points_too_close_for_a_slope_are_refused() -> None:
    with pytest.raises(ValueError, match="too close for a slope"):
        value_function([0.0], [(0.0, 0.0), (1e-309, 1.0)])
    assert value_function(0.5e-300, [(0.0, 0.0), (1e-300, 1.0)]) == 0.5
