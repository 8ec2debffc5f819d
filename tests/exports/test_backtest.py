"""The folder of a backtest: whole or not at all, equal to the byte, never over another's work."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from huanjie_lib.errors import UsageError
from huanjie_lib.exports.backtest import BACKTEST_FILES, export_backtest
from huanjie_lib.risk.backtest import Scorecard, backtest


@pytest.fixture(scope="module")
def card() -> Scorecard:
    rng = np.random.default_rng(2)
    names = [f"{c}县{t}镇{n:02d}村" for c in "甲乙丙丁戊己" for t in "东西" for n in range(30)]
    names[0] = "=" + names[0]
    before = pd.DataFrame({"u": names, "t": 2018, "x": rng.random(360)})
    after = pd.DataFrame({"u": names, "t": 2021, "y": rng.random(360) < 0.6 * before["x"]})
    after.loc[0, "y"] = True
    return backtest(
        before, after, unit="u", term="t", outcome="y", test_term=2021, models=["equal_weights", "logistic"],
        draws=20,
    )  # fmt: skip


@pytest.fixture
def folder(card: Scorecard, tmp_path: Path) -> Path:
    export_backtest(card, tmp_path / "out", inputs=[{"path": "h.csv", "sha256": "0" * 64, "bytes": 1}])
    return tmp_path / "out"


def test_it_holds_what_it_promises(card: Scorecard, folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted(BACKTEST_FILES)
    scorecard = json.loads((folder / "scorecard.json").read_text(encoding="utf-8"))
    assert scorecard == json.loads(json.dumps(card.to_json()))
    predictions = pd.read_parquet(folder / "predictions.parquet")
    pd.testing.assert_frame_equal(predictions, card.predictions)
    wanted = {"unit", "region", "term", "fold", "outcome", "model", "probability", "rank"}
    assert wanted <= set(predictions.columns)
    for name in ("reliability", "precision_recall", "decision_curve"):
        with Image.open(io.BytesIO((folder / f"{name}.png").read_bytes())) as picture:
            assert min(picture.size) > 600
    assert (folder / "model_card.md").read_text(encoding="utf-8").startswith("# 模型说明卡")


def test_the_manifest_knows_every_file(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["outputs"]) == set(BACKTEST_FILES[:-1])
    for name, entry in manifest["outputs"].items():
        data = (folder / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    assert manifest["inputs"][0]["path"] == "h.csv"


def test_equal_backtests_give_equal_bytes_and_replace_each_other(card: Scorecard, folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    export_backtest(card, folder, inputs=[{"path": "h.csv", "sha256": "0" * 64, "bytes": 1}])
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_changed_file_or_foreign_folder_is_spared(card: Scorecard, folder: Path, tmp_path: Path) -> None:
    (folder / "model_card.md").write_text("我的批注", encoding="utf-8")
    with pytest.raises(UsageError, match="不覆盖"):
        export_backtest(card, folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="别的文件"):
        export_backtest(card, tmp_path / "mine")


def test_no_cell_of_the_misses_runs_as_a_formula(folder: Path) -> None:
    text = (folder / "largest_misses.csv").read_text(encoding="utf-8-sig")
    assert "=甲县东镇00村" in text
    assert "\n=" not in text
    assert "'=甲县东镇00村" in text
