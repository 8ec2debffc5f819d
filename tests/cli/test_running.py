import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import yaml

import huanjie_lib
from tests.cli.calls import Capture, run, run_city, told


def test_run_tells_one_line_and_writes_its_tables_equal_to_the_byte_to_those_of_another_run(
    small_city: Path, small_city_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    capsys.readouterr()  # what making the other run has told
    assert run_city(small_city, tmp_path / "out") == 0
    line = capsys.readouterr().out.strip()
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["counts"]
    assert line.count("\n") == 0
    assert f"{counts['units']} 个村（社区）" in line
    assert f"红色 {counts.get('red', 0)}" in line
    index = pd.read_parquet(tmp_path / "out" / "index.parquet")
    assert list(index.columns) == [
        "unit_code",
        "as_of",
        "index",
        "index_low",
        "index_high",
        "level",
        "to_verify",
    ]
    gates = pd.read_parquet(tmp_path / "out" / "gates.parquet")
    assert list(gates.columns) == ["unit_code", "gate", "status", "reason", "rule"]
    points = pd.read_parquet(tmp_path / "out" / "points_lost.parquet")
    assert list(points.columns) == ["unit_code", "dimension", "indicator", "points"]
    files = sorted(p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(small_city_run) for p in small_city_run.rglob("*") if p.is_file())
    for name in files:
        assert (tmp_path / "out" / name).read_bytes() == (small_city_run / name).read_bytes(), name


def test_a_missing_column_of_an_indispensable_table_stops_the_run(
    city: Path, tmp_path: Path, flat: Callable[[str], tuple[pd.DataFrame, Path]], capsys: Capture
) -> None:
    frame, path = flat("units")
    frame.drop(columns=["unit_code", "geometry"]).to_csv(path, index=False)
    assert run_city(city, tmp_path / "out") == 3
    text = told(capsys)
    assert "统计用区划代码" in text
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_wrong_code_and_a_wrong_date_are_quarantined_and_the_rest_is_loaded(
    city: Path, tmp_path: Path, flat: Callable[[str], tuple[pd.DataFrame, Path]], capsys: Capture
) -> None:
    frame, path = flat("leads")
    frame = frame.astype("str")
    frame.loc[0, "unit_code"] = "99012"
    frame.loc[1, "received_on"] = "2026-13-01"
    frame.to_csv(path, index=False)
    assert run_city(city, tmp_path / "out") == 0, "good rows load"
    assert "已隔离" in told(capsys)
    report = pd.read_csv(tmp_path / "out" / "intake" / "report.csv", dtype=str)
    text = report.to_csv()
    assert "99012" in text
    assert "2026-13-01" in text
    assert len(pd.read_csv(tmp_path / "out" / "intake" / "quarantine" / "leads.csv")) == 2


def test_boundaries_without_or_with_a_wrong_crs_are_refused(
    city: Path, tmp_path: Path, capsys: Capture
) -> None:
    import geopandas as gpd

    path = city / "tables" / "units.parquet"
    units = gpd.read_parquet(path)
    units.set_crs(None, allow_override=True).to_parquet(path)
    declared = city / "sources.yaml"
    declared.write_text("{}\n", encoding="utf-8")
    assert run_city(city, tmp_path / "out") == 3
    assert "坐标" in told(capsys)
    units.set_crs("EPSG:4490", allow_override=True).to_crs(4527).set_crs(
        4490, allow_override=True
    ).to_parquet(path)
    assert run_city(city, tmp_path / "out") == 3
    assert "坐标" in told(capsys)


def test_a_pack_whose_weights_do_not_sum_to_one_is_refused(
    small_city: Path, tmp_path: Path, capsys: Capture
) -> None:
    pack = shutil.copytree(Path(huanjie_lib.__file__).parent / "packs" / "default", tmp_path / "pack")
    framework = yaml.safe_load((pack / "framework.yaml").read_text(encoding="utf-8"))
    framework["dimensions"][0]["weight"] = 0.5
    (pack / "framework.yaml").write_text(yaml.safe_dump(framework, allow_unicode=True), encoding="utf-8")
    assert run_city(small_city, tmp_path / "out", "--pack", pack) == 4
    assert "各维度权重合计：发现“1.3”；应为：合计为 1" in told(capsys)


def propose(data: Path, out: Path, *more: str | Path, author: str = "换届办") -> int:
    given = ("--author", author, "--reason", "第三次会议决定", "--effective-from", "2027-01-01")
    return run("weights", "--data", data, "--as-of", "2026-10-31", "--out", out, *given, *more)


def test_weights_are_proposed_as_a_pack_and_adopted_by_running_with_it(
    small_city: Path, tmp_path: Path, capsys: Capture
) -> None:
    pack = tmp_path / "proposal"
    assert propose(small_city, pack, "--method", "ahp", "--judgments", small_city / "judgments.csv") == 0
    out = capsys.readouterr().out
    assert out.startswith("专家判断（层次分析法）：5人判断按几何平均合并：一致性比率")
    assert f"采用时运行 huanjie run --pack {pack}" in out
    table = pd.read_csv(tmp_path / "proposal_comparison.csv", dtype={"统计用区划代码": str})
    changed = (table["变色"] == "是").sum()
    assert f"60 个村（社区）中有 {changed} 个变色" in out
    assert (table["采用权重下"] != table["方案权重下"]).sum() == changed == table["说明"].notna().sum()
    assert run_city(small_city, tmp_path / "after", "--pack", pack) == 0
    assert "2027-01-01 起有效" in told(capsys), "the new pack is not in force yet"
    after = pd.read_parquet(tmp_path / "after" / "index.parquet").set_index("unit_code")
    assert table.set_index("统计用区划代码")["方案指数"].to_dict() == after["index"].round(1).to_dict()
    manifest = json.loads((tmp_path / "after" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameter_version"].startswith("default@2027-01-01-")


def test_a_proposal_that_cannot_be_written_is_refused_in_chinese(
    small_city: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "taken").mkdir()
    assert propose(small_city, tmp_path / "taken", "--method", "equal") == 2
    assert "应为：还没有的文件夹" in told(capsys)
    assert propose(small_city, tmp_path / "new", "--method", "equal", author=" ") == 2
    assert "作者：发现“空”" in told(capsys)
    assert propose(small_city, tmp_path / "new", "--method", "magic") == 2
    assert "参数 --method 的值不对；应为：equal、ahp、entropy、critic、sd、combined" in told(capsys)
    assert propose(small_city, tmp_path / "new", "--method", "ahp", "--judgments", tmp_path) == 2
    assert "参数 --judgments 的值不对；应为：文件，不能是文件夹" in told(capsys)
    assert propose(small_city, tmp_path / "new", "--method", "ahp") == 2
    assert "用 --judgments 指定判断表" in told(capsys)
    judgments = ("--judgments", tmp_path / "nothing.csv")
    assert propose(small_city, tmp_path / "new", "--method", "ahp", *judgments) == 3
    assert "没有这个文件" in told(capsys)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["taken"]
