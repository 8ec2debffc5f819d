"""A city is tested on its own past election."""

from __future__ import annotations

from pathlib import Path

import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import make_city, write_city
from huanjie_lib.workbench import backtest_city, open_data


def test_a_city_backtests_its_own_past_election_against_its_index(tmp_path: Path) -> None:
    write_city(make_city(units=240), tmp_path / "city")
    intake = open_data(tmp_path / "city")
    card = backtest_city(intake, test_term=2021, draws=20)
    assert card.facts["feature_term"] == 2018
    assert {"index", "last_value", "logistic"} <= set(card.scores.index)
    assert 0.9 * card.facts["units"] < card.levels["units"].sum() <= card.facts["units"]  # some had no record
    assert not card.adoption["adopted"].any()
    assert card.facts["parameters"] == load_parameters().version
    del intake.tables["outcomes"]
    with pytest.raises(DataError, match="选情结果"):
        backtest_city(intake, test_term=2021)
