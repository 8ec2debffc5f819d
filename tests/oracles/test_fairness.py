"""Published fairness measures.

Four-fifths rule: US EEOC, *Questions and Answers to Clarify and Provide a Common Interpretation of the
Uniform Guidelines on Employee Selection Procedures* (1979). Minimums of FA*IR: Zehlike et al. 2017 (CIKM
1569-1578) and the tests of fairsearchcore (Apache-2.0); its README prints another fail probability for one
table of unadjusted minimums, which exact computation and simulation refute. Skew, NDKL and infeasible index:
definitions of Geyik, Ambler & Kenthapadi 2019 (KDD 2221-2231). Parity: fairlearn 0.15.0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.talent.parity import (
    adjusted_minimums,
    fail_probability,
    fair_minimums,
    impact_ratios,
    infeasible_index,
    ndkl,
    parity_gaps,
    skew,
)

DATA = Path(__file__).parent / "data"
ORACLE: dict[str, Any] = json.loads((DATA / "fairness.json").read_text(encoding="utf-8"))


def impact(chosen: dict[str, int], total: dict[str, int]) -> pd.DataFrame:
    people = [(name, k < chosen[name]) for name, n in total.items() for k in range(n)]
    frame = pd.DataFrame(people, columns=["group", "chosen"])
    return impact_ratios(frame["chosen"], frame[["group"]]).groups.set_index("value")


def test_four_fifths_of_the_guidelines() -> None:
    case = ORACLE["four_fifths_ugesp_qa"]
    counts = {name: round(100 * rate) for name, rate in case["selection_rate"].items()}
    found = impact(counts, dict.fromkeys(counts, 100))
    assert found["ratio"].to_dict() == pytest.approx(case["impact_ratio"])
    assert found.index[found["flagged"]].tolist() == case["flagged"]


def test_four_fifths_of_counts() -> None:
    case = ORACLE["four_fifths_counts"]
    found = impact(case["selected"], case["total"])
    assert found["rate"].to_dict() == pytest.approx(case["rate"])
    assert found.loc["b", "ratio"] == pytest.approx(case["impact_ratio_b"])
    assert found.index[found["flagged"]].tolist() == case["flagged"]


@pytest.mark.parametrize("case", ORACLE["fa_ir_unadjusted_mtable"]["cases"], ids=lambda c: str(c["k"]))
def test_minimums(case: dict[str, Any]) -> None:
    assert fair_minimums(case["k"], case["p"], case["alpha"]).tolist() == case["mtable"]


@pytest.mark.parametrize("case", ORACLE["fa_ir_adjusted_mtable"]["cases"], ids=lambda c: str(c["k"]))
def test_adjusted_minimums(case: dict[str, Any]) -> None:
    found = adjusted_minimums(case["k"], case["p"], case["alpha"])
    assert found.tolist() == case["mtable"]
    assert fail_probability(found, case["p"]) == pytest.approx(case["fail_probability"], abs=1e-12)


def test_the_chance_to_fail_of_unadjusted_minimums_is_the_exact_one() -> None:
    expected = ORACLE["fa_ir_adjusted_mtable"]["unadjusted_20_025_01"]
    found = fail_probability(fair_minimums(20, 0.25, 0.1), 0.25)
    assert found == pytest.approx(expected["exact"], abs=1e-12)
    assert found != pytest.approx(expected["readme_prints"], abs=0.01)


def test_measures_of_a_ranking() -> None:
    case = ORACLE["geyik2019_measures"]
    ranking, target = case["ranking"], case["target"]
    assert skew(ranking, target, k=10) == pytest.approx(case["skew_at_10"])
    assert skew(ranking, target, k=5) == pytest.approx(case["skew_at_5"], abs=1e-11)
    assert min(skew(ranking, target, k=5).values()) == pytest.approx(case["min_skew_at_5"], abs=1e-11)
    assert ndkl(ranking, target) == pytest.approx(case["ndkl"], abs=1e-11)
    assert infeasible_index(ranking, target) == case["infeasible_index"]


def test_parity_as_fairlearn_has_it() -> None:
    case = ORACLE["fairlearn_run"]
    found = parity_gaps(case["y_pred"], case["group"], case["y_true"])
    assert found == pytest.approx({name: case[name] for name in found})
    people = pd.DataFrame({"chosen": case["y_pred"], "group": case["group"]})
    rates = impact_ratios(people["chosen"] == 1, people[["group"]], least=1).groups.set_index("value")["rate"]
    assert rates.to_dict() == pytest.approx(case["selection_rate"])
