from pathlib import Path

import pandas as pd

from tests.cli.calls import Capture, run, run_city, told


def test_export_writes_the_files_and_names_them(
    small_city_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    capsys.readouterr()
    assert (
        run("export", "--run", small_city_run.parent, "--as-of", "2026-10-31", "--out", tmp_path / "files")
        == 0
    )
    names = [p.suffix for p in (tmp_path / "files").iterdir()]
    assert sorted(names) == sorted(
        [".xlsx", ".xlsx", ".html", ".docx", ".pdf", ".pdf", ".pptx", ".svg", ".json"]
    )
    shown = capsys.readouterr()
    assert "已写出 9 个文件" in shown.out
    assert "没有的内容：没有案件台账" in shown.err


def test_export_of_units_writes_their_plans(small_city_run: Path, tmp_path: Path, capsys: Capture) -> None:
    codes = pd.read_parquet(small_city_run / "index.parquet")["unit_code"].sort_values().tolist()
    out = tmp_path / "plans"
    town = ["--role", "township", "--township", codes[0][:9]]
    assert run("export", "--run", small_city_run, "--out", out, "--unit", codes[0], *town) == 0
    (path,) = (out / "一村一策").glob("*.docx")
    assert path.name.startswith(codes[0])
    assert run("export", "--run", small_city_run, "--out", out, "--unit", codes[-1], *town) == 2
    assert codes[-1] in told(capsys)
    assert run("export", "--run", small_city_run, "--out", out, "--role", "township") == 2
    assert "补充 --township" in told(capsys)
    assert run("export", "--run", small_city_run, "--as-of", "2026-11-30", "--out", out) == 2
    assert "--as-of：发现“2026-11-30”；应为：run（2026-10-31）" in told(capsys)


def test_export_says_why_there_is_no_map(city: Path, tmp_path: Path, capsys: Capture) -> None:
    units = pd.read_parquet(city / "tables" / "units.parquet")
    units.drop(columns=["geometry", "longitude", "latitude"]).to_csv(
        city / "tables" / "units.csv", index=False
    )
    (city / "tables" / "units.parquet").unlink()
    (city / "sources.yaml").write_text("{}\n", encoding="utf-8")
    assert run_city(city, tmp_path / "run") == 0
    capsys.readouterr()
    town = ["--township", str(units["unit_code"].min())[:9]]
    assert run("export", "--run", tmp_path / "run", "--out", tmp_path / "files", *town) == 0
    assert "没有的内容：村（社区）没有边界和坐标" in told(capsys)
    assert {p.suffix for p in (tmp_path / "files").iterdir()} == {".xlsx", ".docx", ".pdf", ".pptx", ".json"}
