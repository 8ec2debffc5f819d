"""7,500 real villages: who would lose office in 2018, told from 2014, with whole counties held out.

Central Election Commission open data as collected in kiang/db.cec.gov.tw (MIT). An event is an incumbent who
stood and lost. The 985 villages whose incumbent did not stand stay in the base as non-events: in 2014 nobody
knew who would stand, so a forecast made then has to face them too.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.cli import main
from huanjie_lib.risk.verification import average_precision, calibration_error

PANEL = Path(__file__).parent.parent / "data" / "village_elections_2014_2018.csv"
KEYS = ["--unit", "area", "--term", "year", "--outcome", "incumbent_lost", "--test-term", "2018"]


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return pd.read_csv(PANEL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("backtest") / "out"
    files = ["--history", str(PANEL), "--outcomes", str(PANEL)]
    assert main(["backtest", *files, *KEYS, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def predictions(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "predictions.parquet")


def test_the_recommended_model_is_sharp_and_honest(folder: Path, predictions: pd.DataFrame) -> None:
    card = json.loads((folder / "scorecard.json").read_text(encoding="utf-8"))
    best = card["models"][card["recommended"]]
    rows = predictions[predictions["model"] == card["recommended"]]
    assert card["base_rate"] == pytest.approx(1226 / 7500)
    # recomputed from the predictions, whatever the scorecard says
    area = average_precision(rows["outcome"], rows["probability"])
    assert area == pytest.approx(best["pr_auc"], abs=1e-9)
    assert area >= 1.6 * card["base_rate"]
    assert best["pr_auc_low"] > 1.4 * card["base_rate"]
    assert best["ece"] <= 0.03
    # not by the choice of bins either: twenty of them, and ten with equally many villages
    assert calibration_error(rows["outcome"], rows["probability"], bins=20) <= 0.03
    tenths = pd.qcut(rows["probability"].rank(method="first"), 10, labels=False)
    means = rows.groupby(tenths)[["probability", "outcome"]].mean()
    assert (means["probability"] - means["outcome"]).abs().mean() <= 0.03


def test_no_village_was_forecast_from_its_own_county(predictions: pd.DataFrame, panel: pd.DataFrame) -> None:
    rows = predictions[predictions["model"] == "logistic"]
    assert len(rows) == 7500
    assert rows["region"].nunique() == 22
    assert (rows.groupby("region")["fold"].nunique() == 1).all()
    actual = panel[panel["year"] == 2018].set_index("area")["incumbent_lost"]
    assert rows.set_index("unit")["outcome"].equals(
        actual.reindex(rows["unit"]).rename_axis("unit").rename("outcome")
    )


def test_it_still_tells_apart_those_who_stood(predictions: pd.DataFrame, panel: pd.DataFrame) -> None:
    stood = panel[(panel["year"] == 2018) & (panel["incumbent_stood"] == 1)]["area"]
    rows = predictions[(predictions["model"] == "logistic") & predictions["unit"].isin(stood)]
    assert len(rows) == 6515
    assert average_precision(rows["outcome"], rows["probability"]) > 1.5 * rows["outcome"].mean()


def test_nothing_is_adopted_on_one_pair_of_elections(folder: Path) -> None:
    card = json.loads((folder / "scorecard.json").read_text(encoding="utf-8"))
    assert card["design"] == "regions"
    assert card["adopted"] == []
    assert any("本市" in line for line in card["does_not_prove"])
    assert any("没有检验从上一届预测下一届" in line for line in card["does_not_prove"])
