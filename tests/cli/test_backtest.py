import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.calls import Capture, run, told


@pytest.fixture
def elections(tmp_path: Path) -> Path:
    """Two terms of 240 villages: low turnout in 2018 brings trouble in 2021."""
    rng = np.random.default_rng(4)
    names = [f"{c}县{t}镇{n:02d}村" for c in "甲乙丙丁戊己" for t in "东西" for n in range(20)]
    turnout = rng.random(240)
    before = pd.DataFrame(
        {"村": names, "届": 2018, "投票率": turnout, "出险": (rng.random(240) < 0.2).astype(int)}
    )
    after = before.assign(
        届=2021, 投票率=rng.random(240), 出险=(rng.random(240) < 0.6 - 0.5 * turnout).astype(int)
    )
    path = tmp_path / "往届.csv"
    pd.concat([before, after]).to_csv(path, index=False, encoding="gb18030")
    return path


def run_backtest(history: Path, outcomes: Path, out: Path, *more: str | Path) -> int:
    keys = ["--unit", "村", "--term", "届", "--outcome", "出险", "--test-term", "2021"]
    return run("backtest", "--history", history, "--outcomes", outcomes, *keys, "--out", out, *more)


def test_backtest_writes_the_scorecard_and_tells_how_each_model_did(
    elections: Path, tmp_path: Path, capsys: Capture
) -> None:
    more = ["--direction", "投票率=-1", "--capacity", "12", "--features", "投票率,出险"]
    assert run_backtest(elections, elections, tmp_path / "out", *more) == 0
    out = capsys.readouterr().out
    card = json.loads((tmp_path / "out" / "scorecard.json").read_text(encoding="utf-8"))
    assert list(card["models"]) == ["last_value", "equal_weights", "logistic", "boosting"]
    assert list(card["models"]["logistic"]["recall_at"]) == ["12"]
    assert all(f"{m['label']}：平均查准率{m['pr_auc']:.3f}" in out for m in card["models"].values())
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert [entry["path"] for entry in manifest["inputs"]] == ["往届.csv"]


def test_backtest_refuses_a_leak_and_writes_nothing(elections: Path, tmp_path: Path, capsys: Capture) -> None:
    panel = pd.read_csv(elections, encoding="gb18030")
    later = panel[panel["届"] == 2021].set_index("村")["出险"]
    leaking = tmp_path / "leak.csv"
    panel.assign(风险=panel["村"].map(later))[panel["届"] == 2018].to_csv(leaking, index=False)
    assert run_backtest(leaking, elections, tmp_path / "out") == 3
    message = told(capsys)
    assert "列 风险：发现“与 2021 届的结果一致”" in message
    assert "处理办法" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--direction", "投票率=高"], "列名=+1 或 列名=-1"),
        (["--region", "没有"], "没有片区列"),
        (["--features", "没有"], "指定的特征列不能用"),
        (["--capacity", "0"], "应为：1 到 1000000 之间的整数"),
        (["--pack", "没有"], "没有"),
    ],
)
def test_backtest_tells_what_is_wrong_with_its_options(
    elections: Path, tmp_path: Path, capsys: Capture, more: list[str], said: str
) -> None:
    assert run_backtest(elections, elections, tmp_path / "out", *more) in {2, 3, 4}
    assert said in told(capsys)


def test_backtest_tests_the_index_of_a_pack(tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    panel = pd.read_csv(tests / "data" / "village_elections_2014_2018.csv")
    path = tmp_path / "panel.csv"
    panel[panel["area"].str[:3].isin(["新竹縣", "新竹市", "苗栗縣", "基隆市", "宜蘭縣"])].to_csv(
        path, index=False
    )
    keys = ["--unit", "area", "--term", "year", "--outcome", "incumbent_lost", "--test-term", "2018"]
    pack = tests / "packs" / "village_elections"
    out = tmp_path / "out"
    assert run("backtest", "--history", path, "--outcomes", path, *keys, "--pack", pack, "--out", out) == 0
    card = json.loads((out / "scorecard.json").read_text(encoding="utf-8"))
    assert card["models"]["index"]["pr_auc"] > card["base_rate"]
    assert card["adoption"]["logistic"]["reference"] == "index"
    assert sum(level["units"] for level in card["levels"].values()) == card["units"]
    assert card["parameters"].startswith("village_elections")
