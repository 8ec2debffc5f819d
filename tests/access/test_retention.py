from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from huanjie_lib.access.retention import DUE_COLUMNS, WHOLE, asked_for, due, of_person, without
from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import load_privacy

PACK = load_privacy()
DAY = dt.date(2026, 10, 31)


def days(*texts: str | None) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts)), dtype="datetime64[us]")


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    people = pd.DataFrame(
        {
            "person_ref": ["P1", "P2", "P3", "P4", "P5"],
            "status": ["left", "left", "selected", "selected", "left"],
            "registered_on": days("2020-01-01", "2020-01-01", "2020-01-01", "2021-10-31", None),
            "updated_on": days("2024-10-31", "2024-11-01", None, None, None),
        }
    )
    vettings = pd.DataFrame(
        {
            "person_ref": ["P4", "P4", "P2", "P1"],
            "expires_on": days("2025-10-31", "2025-11-01", None, "2027-01-01"),
        }
    )
    kinships = pd.DataFrame({"person_ref": ["P2", "P4"], "other_ref": ["P1", "P2"]})
    subjects = pd.DataFrame({"person_ref": ["P1"], "outcome": ["clear"]})
    return {"people": people, "vettings": vettings, "kinships": kinships, "audit_subjects": subjects}


def test_a_term_ends_on_its_day_and_not_the_day_before(tables: dict[str, pd.DataFrame]) -> None:
    found = due(tables, PACK, as_of=DAY)
    assert list(found.frame.columns) == list(DUE_COLUMNS)
    got = found.frame.groupby("term")["person_ref"].agg(list).to_dict()
    # P1 left two years ago to the day, P2 a day short; P3 and P4 were never updated
    assert got == {"people_left": ["P1"], "people_stale": ["P3", "P4"], "vettings": ["P4"]}
    assert found.frame.query("term == 'vettings'")["row"].tolist() == [0]
    assert due(tables, PACK, as_of=dt.date(2026, 10, 30)).frame["term"].tolist() == ["people_stale"]


def test_a_month_without_the_day_ends_on_its_last() -> None:
    table = pd.DataFrame({"person_ref": ["P1"], "expires_on": days("2024-02-29")})
    (row,) = due({"vettings": table}, PACK, as_of=DAY).frame.to_dict("records")
    assert row["due_on"] == pd.Timestamp("2025-02-28")


def test_rows_without_a_date_never_fall_due_and_are_told(tables: dict[str, pd.DataFrame]) -> None:
    found = due(tables, PACK, as_of=dt.date(2199, 1, 1))
    assert found.undated == {"people_left": 1, "people_stale": 1, "vettings": 1}
    assert "P5" not in set(found.frame["person_ref"])
    assert found.explain("vettings").endswith("另有1条没有日期，不能判断。")
    assert found.explain("plans").endswith("没有到期的。")
    with pytest.raises(KeyError):
        found.explain("other")
    assert repr(found).startswith("Due(as_of=2199-01-01, due=")


def test_a_person_goes_from_every_table_of_the_reserve_and_from_no_other(
    tables: dict[str, pd.DataFrame],
) -> None:
    before = {name: frame.copy() for name, frame in tables.items()}
    kept = without(tables, due(tables, PACK, as_of=DAY))
    assert kept["people"]["person_ref"].tolist() == ["P2", "P5"]
    assert kept["vettings"]["person_ref"].tolist() == ["P2"]
    assert kept["kinships"].empty  # each is about somebody who is gone
    assert kept["audit_subjects"]["person_ref"].tolist() == ["P1"]
    for name, frame in before.items():
        pd.testing.assert_frame_equal(tables[name], frame)


def test_single_rows_go_alone(tables: dict[str, pd.DataFrame]) -> None:
    del tables["people"]
    kept = without(tables, due(tables, PACK, as_of=DAY))
    assert kept["vettings"]["expires_on"].tolist() == [
        pd.Timestamp("2025-11-01"),
        pd.NaT,
        pd.Timestamp("2027-01-01"),
    ]
    assert len(kept["kinships"]) == 2


def test_where_nothing_is_due_everything_stays(tables: dict[str, pd.DataFrame]) -> None:
    found = due(tables, PACK, as_of=dt.date(2020, 1, 2))
    assert found.frame.empty
    for name, frame in without(tables, found).items():
        pd.testing.assert_frame_equal(frame, tables[name])
    assert due({}, PACK, as_of=DAY).frame.empty


def test_who_asks_for_deletion_goes_alone_and_at_once(tables: dict[str, pd.DataFrame]) -> None:
    found = asked_for(tables, PACK, person_ref="P2", as_of=DAY)
    assert found.frame["person_ref"].tolist() == ["P2"]
    kept = without(tables, found)
    assert kept["people"]["person_ref"].tolist() == ["P1", "P3", "P4", "P5"]
    assert kept["kinships"].empty
    assert len(kept["vettings"]) == 3
    with pytest.raises(KeyError):
        asked_for(tables, PACK, person_ref="P9", as_of=DAY)


def test_rows_about_a_person_are_found_in_each_table(tables: dict[str, pd.DataFrame]) -> None:
    found = {name: rows.tolist() for name, rows in of_person(tables, "P2").items()}
    assert found == {
        "people": [False, True, False, False, False],
        "vettings": [False, False, True, False],
        "kinships": [True, True],
    }
    assert set(WHOLE) == {
        t.name for t in TABLES.values() if t.personal and t.purpose in {"talent", "identity"}
    }
