"""Published scores: Finley's tornado warnings of 1884, and net benefit as dcurves gives it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huanjie_lib.risk.verification import net_benefit, warning_scores

DATA = Path(__file__).parent / "data"
FINLEY = json.loads((DATA / "finley_1884.json").read_text(encoding="utf-8"))
CURVE = json.loads((DATA / "decision_curve.json").read_text(encoding="utf-8"))


def test_finley_1884() -> None:
    # Finley (1884), Murphy (1996) Weather and Forecasting 11:3-20
    found, expected = warning_scores(**FINLEY["inputs"]), FINLEY["expected"]
    pairs = {
        "recall": "POD_recall",
        "false_alarm_ratio": "FAR_1_minus_precision",
        "critical_success": "CSI",
        "gilbert": "ETS_Gilbert",
        "peirce": "PSS_Peirce",
        "heidke": "HSS_Heidke",
    }
    for ours, theirs in pairs.items():
        assert found[ours] == pytest.approx(expected[theirs], abs=FINLEY["tolerance"])
    assert found["odds_ratio"] == pytest.approx(expected["odds_ratio"], abs=FINLEY["tolerance_odds_ratio"])


def test_accuracy_is_not_reported() -> None:
    # never warning has the better accuracy, 98.2 % against 96.6 %
    assert FINLEY["expected"]["accuracy_never_warn"] > FINLEY["expected"]["accuracy"]
    assert "accuracy" not in warning_scores(**FINLEY["inputs"])


@pytest.mark.parametrize("case", CURVE["cases"], ids=lambda c: f"{c['model']}-{c['threshold']}")
def test_net_benefit_of_dcurves(case: dict[str, Any]) -> None:
    # Vickers & Elkin (2006) Med. Decis. Making 26:565-574; 750 patients, 105 events
    n, events = CURVE["inputs"]["n"], CURVE["inputs"]["events"]
    hits, false_alarms, threshold = case["TP"], case["FP"], case["threshold"]
    outcome = np.repeat([1, 0], [events, n - events])
    acted = np.concatenate([np.arange(events) < hits, np.arange(n - events) < false_alarms])
    # whoever is acted on lies exactly on the threshold, which counts as reaching it
    table = net_benefit(outcome, np.where(acted, threshold, threshold / 2), [threshold])
    assert table["model"].iloc[0] == pytest.approx(case["expected_net_benefit"], abs=CURVE["tolerance"])
    everyone = CURVE["treat_all"][str(threshold)]
    assert table["treat_all"].iloc[0] == pytest.approx(everyone, abs=CURVE["tolerance"])
