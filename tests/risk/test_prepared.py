import datetime as dt

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.risk.prepared import NEVER, day_number, prepare


def facts(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_code": [r[0] for r in rows],
            "as_of": pd.to_datetime([r[1] for r in rows]),
            "metric": "m",
            "value": [r[2] for r in rows],
        }
    )


UNITS = pd.DataFrame({"unit_code": ["b", "a", "c"], "unit_kind": "village"})
DAY = day_number(dt.date(2026, 3, 31))


def test_units_are_sorted_and_rows_of_strangers_left_out() -> None:
    leads = pd.DataFrame({"unit_code": ["c", "zz", "a"], "count": [1, 2, 3]})
    prepared = prepare({"units": UNITS, "leads": leads, "talks": leads.iloc[:0]})
    assert prepared.units["unit_code"].tolist() == ["a", "b", "c"]
    assert prepared.events["leads"].unit.tolist() == [2, 0]
    assert "talks" not in prepared.events


def test_units_are_required() -> None:
    with pytest.raises(KeyError, match="units"):
        prepare({"facts": facts([("a", "2026-01-31", 1)])})


def test_latest_takes_the_last_report_of_each_unit_and_its_row() -> None:
    table = facts(
        [("b", "2026-03-31", 5), ("a", "2026-01-31", 1), ("a", "2026-02-28", 2), ("a", "2026-04-30", 9)]
    )
    value, when, row = prepare({"units": UNITS, "facts": table}).metrics["m"].latest(3, DAY)
    np.testing.assert_array_equal(value, [2, 5, np.nan])
    assert row.tolist() == [2, 0, -1]
    assert when[2] == NEVER
    assert when[0] == day_number(dt.date(2026, 2, 28))


def test_window_wants_every_month_and_counts_two_reports_of_a_month_once_as_reported() -> None:
    rows = [("a", "2026-01-31", 1), ("a", "2026-02-10", 2), ("a", "2026-02-28", 3), ("b", "2026-01-31", 7)]
    history = prepare({"units": UNITS, "facts": facts(rows)}).metrics["m"]
    first, last = day_number(dt.date(2026, 1, 1)), day_number(dt.date(2026, 2, 28))
    total, _when, _row = history.window(3, first, last, 2)
    np.testing.assert_array_equal(total, [6, np.nan, np.nan])


def test_category_and_text_codes_give_the_same() -> None:
    table = facts([("b", "2026-03-31", 5), ("a", "2026-01-31", 1)])
    text = prepare({"units": UNITS, "facts": table}).metrics["m"]
    coded = prepare({"units": UNITS, "facts": table.astype({"unit_code": "category", "metric": "category"})})
    np.testing.assert_array_equal(text.key, coded.metrics["m"].key)
    np.testing.assert_array_equal(text.row, coded.metrics["m"].row)


def test_columns_are_read_by_their_contract_and_not_by_their_storage() -> None:
    disputes = pd.DataFrame(
        {
            "unit_code": ["a", "b"],
            "opened_on": ["2026-03-31", None],
            "is_group": [True, None],
            "mood": ["x", 1],
        },
        dtype=object,
    )
    rows = prepare({"units": UNITS, "disputes": disputes}).events["disputes"]
    assert rows.day("opened_on").tolist() == [DAY, NEVER]
    assert rows.day("resolved_on").tolist() == [NEVER, NEVER], "a column that is not there is all missing"
    np.testing.assert_array_equal(rows.number("is_group"), [1, np.nan])
    assert "mood" not in rows.texts


def test_a_code_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(DataError, match="统计用区划代码重复"):
        prepare({"units": pd.concat([UNITS, UNITS.iloc[:1]])})


def test_a_window_is_not_touched_by_the_figures_of_another_unit() -> None:
    own = [("b", "2026-01-31", 0.1), ("b", "2026-02-28", 0.2)]
    first, last = day_number(dt.date(2026, 1, 1)), day_number(dt.date(2026, 2, 28))
    found = [
        prepare({"units": UNITS, "facts": facts(rows)}).metrics["m"].window(3, first, last, 2)[0][1]
        for rows in (own, [("a", "2026-01-31", 1e15), ("a", "2026-02-28", 1e15), *own])
    ]
    assert found[0] == found[1] == 0.1 + 0.2


def test_old_dates_and_rows_without_code_or_date_stay_with_their_unit() -> None:
    table = facts([("b", "1931-03-31", 5), ("c", "2026-01-31", 1), ("c", "2026-02-28", 2)])
    table["unit_code"] = table["unit_code"].mask(table.index == 1)
    table["as_of"] = table["as_of"].mask(table.index == 2)
    value, when, _row = prepare({"units": UNITS, "facts": table}).metrics["m"].latest(3, DAY)
    np.testing.assert_array_equal(value, [np.nan, 5, np.nan])
    assert when[1] == day_number(dt.date(1931, 3, 31))
