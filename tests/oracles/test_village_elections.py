"""7,500 real villages scored with a pack of their own: nothing hangs on the sample's columns."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk

TESTS = Path(__file__).parent.parent
DATES = {2014: "2014-11-29", 2018: "2018-11-24"}


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return pd.read_csv(TESTS / "data" / "village_elections_2014_2018.csv")


@pytest.fixture(scope="module")
def parameters() -> ParameterSet:
    return load_parameters(TESTS / "packs" / "village_elections")


@pytest.fixture(scope="module")
def result(panel: pd.DataFrame, parameters: ParameterSet) -> RiskResult:
    facts = panel.melt(
        id_vars=["area", "year"], value_vars=list(parameters.framework.metrics), var_name="metric"
    )
    tables = {
        "units": pd.DataFrame(
            {
                "unit_code": panel["area"].unique(),
                "unit_name": panel["area"].unique(),
                "unit_kind": "village",
                "township_code": "-",
            }
        ),
        "facts": pd.DataFrame(
            {
                "unit_code": facts["area"],
                "as_of": pd.to_datetime(facts["year"].map(DATES)),
                "metric": facts["metric"],
                "value": facts["value"],
            }
        ).dropna(),
    }
    return run_risk(tables, parameters, as_of=dt.date(2018, 12, 31))


def test_every_village_is_scored_from_its_last_election(result: RiskResult, panel: pd.DataFrame) -> None:
    last = panel[panel["year"] == 2018].set_index("area")
    turnout = result.indicators[result.indicators["indicator"] == "turnout"].set_index("unit_code")["value"]
    assert len(result.index) == 7500
    pd.testing.assert_series_equal(
        turnout.sort_index(), last["turnout"].sort_index(), check_names=False, check_index_type=False
    )


def test_index_equals_the_formula_written_out(result: RiskResult, panel: pd.DataFrame) -> None:
    last = panel[panel["year"] == 2018].set_index("area").sort_index()
    turnout = np.interp(last["turnout"], [0.4, 0.8], [1, 0])
    invalid = np.interp(1000 * last["invalid"] / last["electors"], [5, 60], [0, 1])
    margin = np.interp(last["margin"], [0, 0.1, 0.5], [1, 0.6, 0])
    margin = np.where(last["margin"].isna(), 0.5, margin)
    candidates = np.interp(last["n_candidates"], [1, 4], [0, 1])
    contest = np.sqrt(0.6 * margin**2 + 0.4 * candidates**2)
    expected = 100 - 40 * (0.7 * turnout + 0.3 * invalid) - 60 * contest
    found = result.index.set_index("unit_code")["index"].sort_index()
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_points_add_up_and_missing_margins_are_kept_open(result: RiskResult) -> None:
    index = result.index.set_index("unit_code")
    lost = result.points_lost.groupby("unit_code")["points"].sum()
    np.testing.assert_allclose(lost.loc[index.index] + index["index"], 100, atol=1e-9)
    margin = result.indicators[result.indicators["indicator"] == "margin"].set_index("unit_code")
    missing = margin.index[margin["status"] == "stale"]
    assert len(missing) > 0
    assert (index.loc[missing, "index_low"] < index.loc[missing, "index_high"]).all()
    known = index.drop(missing)
    assert (known["index_low"] == known["index_high"]).all()


def test_no_gates_where_the_pack_declares_none(result: RiskResult) -> None:
    assert result.gates.empty
