from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import make_city
from huanjie_lib.talent.register import RESERVE, register
from huanjie_lib.vocabulary import PersonStatus

PARAMETERS = load_parameters()
AS_OF = dt.date(2026, 10, 31)
A, B, C = "990101001201", "990101001202", "990101001203"


def people(rows: list[tuple[str, str | None, str, str, str | None]]) -> pd.DataFrame:
    """Return people from (person_ref, unit_code, status, registered_on, updated_on)."""
    frame = pd.DataFrame(rows, columns=["person_ref", "unit_code", "status", "registered_on", "updated_on"])
    dates = {c: pd.to_datetime(frame[c]) for c in ("registered_on", "updated_on")}
    blank = dict.fromkeys(("education", "affiliation"), pd.Series([None] * len(rows), dtype="str"))
    return frame.assign(
        **dates,
        **blank,
        channel="self",
        source="other",
        birth_year=pd.array([None] * len(rows), dtype="Int64"),
    )


def test_a_record_ages_from_its_last_update_known_by_the_date() -> None:
    held = register(
        people(
            [
                ("P4", A, "selected", "2026-11-01", None),  # not registered yet
                ("P1", A, "selected", "2025-10-31", None),  # 365 days: not stale
                ("P2", A, "selected", "2025-10-30", None),  # 366 days: stale
                ("P3", A, "selected", "2020-01-01", "2026-11-01"),  # the update is not known yet
                ("P5", A, "selected", "2020-01-01", "2026-10-31"),
            ]
        ),
        [A],
        PARAMETERS,
        as_of=AS_OF,
    )
    assert held.people["person_ref"].tolist() == ["P1", "P2", "P3", "P5"]
    assert held.people["stale_days"].tolist() == [365, 366, 2495, 0]
    assert held.people["stale"].tolist() == [False, True, True, False]
    assert held.people["updated_on"].notna().tolist() == [False, False, False, True]
    assert held.quota[["reserve", "stale", "wanted", "gap", "gap_if_stale_left"]].iloc[0].tolist() == [
        4,
        2,
        2,
        0,
        0,
    ]


def test_only_people_in_reserve_fill_a_quota() -> None:
    rows = [(f"P{n}", A, status.value, "2026-01-01", None) for n, status in enumerate(PersonStatus)] + [
        ("PX", None, "selected", "2026-01-01", None),
        ("PY", C, "selected", "2026-01-01", None),
    ]
    held = register(people(rows), [B, A], PARAMETERS, as_of=AS_OF)
    assert held.quota["unit_code"].tolist() == [B, A]
    assert held.quota["reserve"].tolist() == [0, len(RESERVE)]
    assert held.quota["gap"].tolist() == [2, 0]
    locality = held.structure[held.structure["kind"] == "locality"].set_index("value")["people"]
    assert locality.to_dict() == {"home": 3, "elsewhere": 2}


def test_a_unit_that_has_enough_only_with_stale_records_is_told_so() -> None:
    rows = [("P1", A, "trial", "2020-01-01", None), ("P2", A, "trial", "2026-10-01", None)]
    held = register(people(rows), [A, B], PARAMETERS, as_of=AS_OF)
    told = held.explain(A, name="上云村")
    assert told.startswith("上云村后备人选2人，应有2人，人数达到；其中1人的记录超过365天没有更新，请先核实")
    assert told.endswith("如都已不在，缺1人。")
    assert held.explain(B) == f"{B}后备人选0人，应有2人，缺2人。"
    with pytest.raises(KeyError):
        held.explain(C)
    assert (
        repr(held)
        == f"Register(people=2, units=2, lacking=1, as_of=2026-10-31, parameters={PARAMETERS.version!r})"
    )


def test_an_empty_register_is_all_gap() -> None:
    held = register(people([]), [A, B], PARAMETERS, as_of=AS_OF)
    assert held.quota["gap"].tolist() == [2, 2]
    assert held.structure["people"].sum() == 0
    assert len(held.people) == 0


def test_what_cannot_be_counted_is_refused() -> None:
    twice = people([("P1", A, "trial", "2020-01-01", None)] * 2)
    with pytest.raises(ValueError, match="person"):
        register(twice, [A], PARAMETERS, as_of=AS_OF)
    with pytest.raises(ValueError, match="unit"):
        register(twice.head(1), [A, A], PARAMETERS, as_of=AS_OF)
    with pytest.raises(ValueError, match="talent pack"):
        register(twice.head(1), [A], PARAMETERS.model_copy(update={"talent": None}), as_of=AS_OF)
    with pytest.raises(ParameterError, match="reserve_minimum"):
        register(twice.head(1), [A], PARAMETERS, as_of=dt.date(2010, 1, 1))


STATES = st.sampled_from([s.value for s in PersonStatus])
DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2027, 1, 1))
ROWS = st.lists(
    st.tuples(st.sampled_from([A, B, C, None]), STATES, DAYS, st.none() | DAYS), min_size=0, max_size=30
)


@given(ROWS, st.randoms(use_true_random=False))
def test_counts_hold_together_in_any_order(
    rows: list[tuple[str | None, str, dt.date, dt.date | None]], random
) -> None:  # type: ignore[no-untyped-def]
    named = [
        (f"P{n:02d}", unit, status, str(on), None if update is None else str(update))
        for n, (unit, status, on, update) in enumerate(rows)
    ]
    held = register(people(named), [A, B], PARAMETERS, as_of=AS_OF)
    shuffled = named.copy()
    random.shuffle(shuffled)
    again = register(people(shuffled), [A, B], PARAMETERS, as_of=AS_OF)
    pd.testing.assert_frame_equal(held.people, again.people)
    pd.testing.assert_frame_equal(held.quota, again.quota)
    pd.testing.assert_frame_equal(held.structure, again.structure)
    in_reserve = sum(s in {r.value for r in RESERVE} and on <= AS_OF for _, s, on, _ in rows)
    assert (held.structure.groupby("kind")["people"].sum() == in_reserve).all()
    assert held.quota["reserve"].sum() <= in_reserve
    assert (held.quota["gap"] <= held.quota["gap_if_stale_left"]).all()
    assert (held.quota["stale"] <= held.quota["reserve"]).all()


def test_the_sample_city_has_gaps_and_stale_records() -> None:
    city = make_city(units=60)
    tables = city.tables
    held = register(tables["people"], tables["units"]["unit_code"], PARAMETERS, as_of=city.as_of)
    assert 0.05 < (held.quota["gap"] > 0).mean() < 0.5
    assert 0.03 < held.people["stale"].mean() < 0.4
    ages = held.structure[held.structure["kind"] == "age"].set_index("value")["people"]
    birth = tables["people"].set_index("person_ref")["birth_year"]
    counted = held.people[held.people["status"].isin([s.value for s in RESERVE])]["person_ref"]
    assert ages["35岁及以下"] == int(np.sum(city.as_of.year - birth[counted] <= 35))
    assert ages[""] == 0
