from __future__ import annotations

import numpy as np
import pytest

from huanjie_lib.sample.frames import NO_DAY, conform, dates, text_of


def test_conform_orders_types_and_sorts() -> None:
    frame = conform(
        "screenings",
        {
            "screened_on": np.array([20_000, 19_000]),
            "unit_code": ["990102001002", "990102001001"],
            "screening_id": ["b", "a"],
            "method": ["visit", "talk"],
            "households_visited": np.array([np.nan, 3.0]),
        },
    )
    assert frame["screening_id"].tolist() == ["a", "b"]
    assert list(frame.columns)[:3] == ["screening_id", "unit_code", "screened_on"]
    assert {str(t) for t in frame.dtypes} == {"str", "datetime64[us]", "boolean", "Int64"}
    assert frame["households_visited"].isna().tolist() == [False, True]
    assert frame["led_by_secretary"].isna().all()


def test_conform_refuses_a_column_the_contract_does_not_have() -> None:
    with pytest.raises(KeyError):
        conform("leads", {"unit_code": ["990102001001"], "reporter": ["x"]})


def test_missing_days_and_texts_stay_missing() -> None:
    assert dates([NO_DAY, 0]).isna().tolist() == [True, False]
    assert text_of(["甲", "乙"], np.array([1, -1, 0])).fillna("").tolist() == ["乙", "", "甲"]
