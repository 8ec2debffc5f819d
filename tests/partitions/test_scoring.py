"""What a city tells its counties."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from huanjie_lib.parameters import load_parameters
from huanjie_lib.partitions.layout import write_partitions
from huanjie_lib.partitions.scoring import Survey, score_county, signals_of_city, survey

UNITS = pd.DataFrame(
    {
        "unit_code": ["990101001201", "990102001201"],
        "unit_name": ["甲村", "乙村"],
        "unit_kind": ["village", "village"],
        "township_code": ["990101001", "990102001"],
    }
)
FACTS = pd.DataFrame(
    {
        "unit_code": ["990101001201", "990102001201"],
        "as_of": pd.to_datetime(["2026-08-31", "2026-09-30"]),
        "metric": "reserve_people",
        "value": [1.0, 2.0],
    }
)
AS_OF = dt.date(2026, 10, 31)


def test_survey_reads_first_facts_and_kept_ledgers(tmp_path: Path) -> None:
    leads = pd.DataFrame(
        {"unit_code": ["990102001201"], "received_on": AS_OF, "kind": "other", "count": [1]}
    ).astype({"received_on": "datetime64[us]"})
    folders = write_partitions({"units": UNITS, "facts": FACTS, "leads": leads}, tmp_path)
    found = survey(folders)
    assert found == Survey(dt.date(2026, 8, 31), frozenset({"leads"}))
    assert [str(day) for day in found.dates(AS_OF)] == ["2026-08-31", "2026-09-30", "2026-10-31"]
    assert survey([]) == Survey(None, frozenset())
    assert Survey(None, frozenset()).dates(AS_OF) == [AS_OF]


def test_a_county_has_the_history_of_its_city() -> None:
    tables = {"units": UNITS.tail(1), "facts": FACTS.tail(1)}
    scores = score_county(tables, Survey(dt.date(2026, 8, 31), frozenset()), load_parameters(), as_of=AS_OF)
    assert repr(scores) == "CountyScores(units=1, snapshots=3)"
    assert scores.to_frame()["unit_code"].tolist() == ["990102001201"]


def test_signals_of_a_city_read_few_tables(tmp_path: Path) -> None:
    folders = write_partitions({"units": UNITS, "facts": FACTS}, tmp_path)
    signals = signals_of_city(folders, load_parameters(), as_of=AS_OF)
    assert set(signals.table["status"]) == {"unknown"}
    assert signals.table["unit_code"].nunique() == 2
