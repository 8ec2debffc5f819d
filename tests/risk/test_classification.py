import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.classification import classify, to_verify

CUTS = load_parameters().classification
FREE = CUTS.model_copy(update={"improve_margin": 0.0, "worsen_margin": 0.0})
BOTH = CUTS.model_copy(update={"improve_margin": 2.0, "worsen_margin": 3.0})
RANK = {"red": 0, "yellow": 1, "green": 2}


def test_cut_offs_have_no_gaps() -> None:
    index = pd.Series([100.0, 80.0, np.nextafter(80, 0), 60.0, np.nextafter(60, 0), 0.0])
    assert classify(index, CUTS).tolist() == ["green", "green", "yellow", "yellow", "red", "red"]


def test_missing_index_is_unknown_and_not_the_lowest_or_highest_class() -> None:
    assert classify(pd.Series([np.nan, 10.0, 90.0]), CUTS).tolist() == ["unknown", "red", "green"]
    before = pd.Series(["green", "unknown", "unknown"])
    assert classify(pd.Series([np.nan, 10.0, 90.0]), CUTS, previous=before).tolist() == [
        "unknown",
        "red",
        "green",
    ]


def test_improving_needs_the_margin_and_worsening_does_not() -> None:
    index = pd.Series([80.5, 81.0, 79.9, 59.9, 60.9, 61.0])
    before = pd.Series(["yellow", "yellow", "green", "yellow", "red", "red"])
    found = classify(index, CUTS, previous=before)
    assert found.tolist() == ["yellow", "green", "yellow", "red", "red", "yellow"]


def test_a_leap_over_two_cut_offs_stops_where_the_margin_ends() -> None:
    assert classify(pd.Series([80.5]), CUTS, previous=pd.Series(["red"])).tolist() == ["yellow"]


def test_units_without_a_last_colour_are_classified_plainly() -> None:
    index = pd.Series([80.5, 80.5], index=["old", "new"])
    before = pd.Series(["yellow"], index=["old"])
    assert classify(index, CUTS, previous=before).to_dict() == {"old": "yellow", "new": "green"}


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(list(RANK))), min_size=1, max_size=20))
def test_hysteresis_lies_between_last_and_plain_colour(rows: list[tuple[float, str]]) -> None:
    index = pd.Series([r[0] for r in rows])
    before = pd.Series([r[1] for r in rows])
    plain = classify(index, BOTH).map(RANK)
    held = classify(index, BOTH, previous=before).map(RANK)
    last = before.map(RANK)
    assert ((np.minimum(plain, last) <= held) & (held <= np.maximum(plain, last))).all()
    assert classify(index, FREE, previous=before).tolist() == classify(index, FREE).tolist()


def test_to_verify_only_where_the_colour_is_open() -> None:
    low, high = pd.Series([60.0, 59.0, 10.0]), pd.Series([79.9, 61.0, 90.0])
    assert to_verify(low, high, CUTS).tolist() == [False, True, True]
