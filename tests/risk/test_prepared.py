import datetime as dt

import numpy as np
import pandas as pd
import pytest

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
