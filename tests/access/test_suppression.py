"""No count that is hidden can be computed, by whole numbers or by linear programming, in any table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

from huanjie_lib.access.suppression import HIDDEN, CountTable, Suppressed, suppress

TOWNS = [("东岭县", "云溪镇"), ("东岭县", "石桥镇"), ("西屏区", "白塔街道"), ("西屏区", "清河街道")]


def flat(counts: list[list[int]]) -> CountTable:
    """Return a table of rows and columns with all its sums."""
    rows = [(f"r{i}", f"c{j}", n) for i, row in enumerate(counts) for j, n in enumerate(row)]
    return CountTable.of(pd.DataFrame(rows, columns=["row", "column", "n"]), [["row"], ["column"]], "n")


def nested(counts: list[list[int]]) -> CountTable:
    """Return a table of townships in counties by education."""
    rows = [(*TOWNS[i], f"e{j}", n) for i, row in enumerate(counts) for j, n in enumerate(row)]
    frame = pd.DataFrame(rows, columns=["county", "township", "education", "n"])
    return CountTable.of(frame, [["county", "township"], ["education"]], "n")


def attack(found: Suppressed, place: int, sign: float, floor: float) -> float:
    """Return how far a hidden count can go, as somebody finds who has the shown table and SciPy alone.

    The whole table goes in as it is shown; nothing of the method's own bookkeeping is used.
    """
    table, shown = found.table, found.to_frame()["count"]
    bounds = [(floor, None) if pd.isna(count) else (count, count) for count in shown]
    equations = np.zeros((len(table.sums), len(bounds)))
    for row, (whole, parts) in enumerate(table.sums):
        equations[row, whole] = -1.0
        equations[row, list(parts)] += 1.0
    target = np.zeros(len(bounds))
    target[place] = -sign
    solved = linprog(target, A_eq=equations, b_eq=np.zeros(len(equations)), bounds=bounds, method="highs")
    if solved.status == 3:
        return sign * np.inf
    assert solved.status == 0, solved.message
    return float(-sign * solved.fun)


def check(found: Suppressed) -> None:
    counts = found.table.counts
    small = (counts > 0) & (counts < found.smallest)
    assert (found.hidden >= small).all()
    zero_hidden = bool((counts[found.hidden] == 0).any())
    for place in np.flatnonzero(found.hidden):
        floor = 0.0 if zero_hidden else 1.0
        low, high = (attack(found, place, sign, floor) for sign in (-1.0, 1.0))
        assert high - low >= 1 - 1e-6, "narrowed to a single value"
        assert low <= found.low[place] + 1e-6
        assert high >= found.high[place] - 1e-6
        if small[place]:
            assert high >= counts[place] + found.smallest - 1 - 1e-6


def whole_tables(found: Suppressed) -> NDArray[np.int64]:
    """Return the hidden counts, 1 to 29, of each table of whole numbers that looks the same, shape (k, n)."""
    hidden = np.flatnonzero(found.hidden)
    guesses = np.stack(np.meshgrid(*[np.arange(1, 30)] * len(hidden))).reshape(len(hidden), -1)
    equations = found.table.equations.toarray()
    shown = np.where(found.hidden, 0, found.table.counts)
    adds_up = (equations[:, hidden] @ guesses + (equations @ shown)[:, None] == 0).all(axis=0)
    return guesses[:, adds_up]


small_counts = st.sampled_from([0, 0, 1, 2, 3, 4, 5, 6, 9, 17, 60])


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_no_hidden_count_of_rows_and_columns_can_be_computed(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    row = st.lists(small_counts, min_size=columns, max_size=columns)
    check(suppress(flat(data.draw(st.lists(row, min_size=rows, max_size=rows)))))


@settings(max_examples=30, deadline=None)
@given(st.lists(small_counts, min_size=1, max_size=6))
def test_no_hidden_count_of_one_sum_can_be_computed(counts: list[int]) -> None:
    frame = pd.DataFrame({"unit": [f"u{i}" for i in range(len(counts))], "n": counts})
    check(suppress(CountTable.of(frame, [["unit"]], "n")))


@settings(max_examples=6, deadline=None)
@given(st.lists(st.lists(small_counts, min_size=3, max_size=3), min_size=4, max_size=4))
def test_no_hidden_count_of_townships_in_counties_can_be_computed(counts: list[list[int]]) -> None:
    check(suppress(nested(counts)))


@settings(max_examples=5, deadline=None)
@given(st.lists(st.lists(st.integers(1, 8), min_size=3, max_size=3), min_size=2, max_size=2))
def test_whole_numbers_tell_no_more(counts: list[list[int]]) -> None:
    found = suppress(flat(counts))
    assume(0 < found.hidden.sum() <= 4)
    tables = whole_tables(found)
    for row, place in enumerate(np.flatnonzero(found.hidden)):
        seen = set(tables[row].tolist())
        assert len(seen) > 1
        if found.primary[place]:
            assert max(seen) >= found.smallest


def test_a_row_of_ones_cannot_be_told_from_its_sum() -> None:
    """Five hidden counts that add up to five are one each: whoever knows that zeros are shown would know."""
    found = suppress(flat([[1, 1, 1, 1, 1, 40], [30, 30, 30, 30, 30, 30], [20, 20, 20, 20, 20, 20]]))
    check(found)
    assert found.high[found.primary].min() >= 5


def test_one_small_count_needs_three_more_and_the_cheapest_are_taken() -> None:
    found = suppress(flat([[7, 2, 90], [9, 6, 80], [8, 70, 60]]))
    shown = found.to_frame().pivot(index="row", columns="column", values="shown")
    assert shown.loc["r0"].tolist() == ["99", HIDDEN, HIDDEN, "90"]
    assert shown.loc["r1"].tolist() == ["95", HIDDEN, HIDDEN, "80"]
    assert (found.to_frame()["shown"] == HIDDEN).sum() == 4
    check(found)


def test_a_pattern_of_the_literature_is_matched() -> None:
    """A square of four is the least that hides one count of a two-way table (Willenborg, de Waal 2001)."""
    rng = np.random.default_rng(7)
    for _ in range(3):
        counts = rng.integers(10, 60, (4, 4))
        counts[1, 2] = 3
        assert suppress(flat(counts.tolist())).hidden.sum() == 4


def test_without_small_counts_everything_is_shown() -> None:
    found = suppress(flat([[0, 5], [9, 0]]))
    assert not found.hidden.any()
    assert found.shown("r0", "c0") == "0"
    assert found.explain("r1", "c0") == "r1、c0：9人。"
    assert found.explain("", "") == "合计：14人。"


def test_a_hidden_count_is_told_without_giving_it_away() -> None:
    found = suppress(flat([[7, 2, 90], [9, 6, 80], [8, 70, 60]]))
    assert found.shown("r0", "c1") == HIDDEN
    assert found.explain("r0", "c1") == found.explain("r0", "c0").replace("c0", "c1")
    assert "不足5人" in found.explain("r0", "c1")
    with pytest.raises(KeyError):
        found.shown("r9", "c0")
    assert repr(found) == "Suppressed(counts=16, smallest=5, primary=1, complementary=3)"


def test_where_a_sum_has_one_part_that_is_not_none_it_is_hidden_too() -> None:
    found = suppress(flat([[3, 0], [40, 50]]))
    assert found.shown("r0", "") == HIDDEN
    check(found)


def test_the_grand_total_stays_where_that_is_possible() -> None:
    assert suppress(flat([[2, 30], [30, 30]])).shown("", "") == "92"
    lonely = suppress(flat([[2]]))
    assert lonely.hidden.all()
    assert np.isinf(lonely.high).all()


def test_order_of_rows_makes_no_difference_and_equal_tables_give_equal_results() -> None:
    rows = [
        (*TOWNS[i], f"e{j}", n) for (i, j), n in np.ndenumerate(np.array([[2, 9], [8, 7], [1, 6], [20, 30]]))
    ]
    frame = pd.DataFrame(rows, columns=["county", "township", "education", "n"])
    given_, turned = (
        suppress(CountTable.of(one, [["county", "township"], ["education"]], "n"))
        for one in (frame, frame.iloc[::-1])
    )
    pd.testing.assert_frame_equal(given_.to_frame(), turned.to_frame())


def test_tables_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        flat([[-1]])
    with pytest.raises(ValueError, match="do not add up"):
        CountTable((("a",), ("",)), np.array([1, 2]), ((1, (0,)),), ("x",))
    with pytest.raises(ValueError, match="one key"):
        CountTable((("a",), ("a",)), np.array([1, 2]), (), ("x",))
    with pytest.raises(ValueError, match="missing"):
        CountTable.of(pd.DataFrame({"a": [None], "n": [1]}), [["a"]], "n")
    with pytest.raises(ValueError, match="below 2"):
        suppress(flat([[1]]), smallest=1)
