from pathlib import Path

import geopandas as gpd
import pandas as pd

from huanjie_lib.store.run_folder import read_run
from tests.cli.calls import Capture, run, told

AS_OF = ("--as-of", "2026-10-31")


def test_counties_from_the_data_folder_to_the_lists(
    small_city: Path, small_city_run: Path, key: Path, tmp_path: Path, capsys: Capture
) -> None:
    data, scores, lists = tmp_path / "data", tmp_path / "scores", tmp_path / "lists"
    assert run("partition", "split", "--data", small_city, "--out", data, "--key", key) == 0
    counties = sorted(path.name for path in data.iterdir())
    assert f"{len(counties)} 个县区、60 个村（社区）" in capsys.readouterr().out
    shapes = pd.concat([gpd.read_parquet(data / name / "tables" / "units.parquet") for name in counties])
    assert shapes["geometry"].notna().mean() > 0.9, "one boundary of the sample cannot be used"
    assert run("partition", "run", "--data", data, *AS_OF, "--out", scores) == 0
    assert f"{len(counties)}个县区、60个村（社区）：绿色" in capsys.readouterr().out
    parts = [pd.read_parquet(scores / county / "index.parquet") for county in counties]
    together = pd.concat(parts).sort_values("unit_code", ignore_index=True)
    whole = read_run(small_city_run).index.sort_values("unit_code", ignore_index=True)
    pd.testing.assert_frame_equal(together, whole, check_exact=True)
    assert run("partition", "match", "--data", data, *AS_OF, "--out", lists, "--run", scores) == 0
    assert "仅供决策参考，由组织决定。名单在" in capsys.readouterr().out
    listed = [pd.read_parquet(lists / county / "shortlists.parquet") for county in counties]
    assert all(len(frame) for frame in listed)


def test_what_cannot_be_done_is_told_with_its_remedy(
    small_city: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "data"
    assert run("partition", "split", "--data", small_city, "--out", out) == 0
    assert run("partition", "split", "--data", small_city, "--out", out) == 2
    assert "已有这个县区" in told(capsys)
    assert run("partition", "run", "--data", small_city, *AS_OF, "--out", tmp_path / "a") == 3
    assert "没有按县区存放" in told(capsys)
    assert run("partition", "run", "--data", out, *AS_OF, "--out", out) == 2
    assert "不是空的" in told(capsys)
    engine = "postgresql://office:secret@host/db"
    assert run("partition", "run", "--data", out, *AS_OF, "--out", tmp_path / "b", "--engine", engine) == 2
    text = told(capsys)
    assert "不能用这种计算引擎" in text
    assert "secret" not in text
    folder = ("--run", tmp_path / "none")
    assert run("partition", "match", "--data", out, *AS_OF, "--out", tmp_path / "c", *folder) == 3
    assert "没有评估结果" in told(capsys)
