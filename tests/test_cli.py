"""Each command as a new user would try it, with right and with wrong input."""

import datetime as dt
import json
import shutil
import socket
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml

from huanjie_lib import __version__, cli
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.cli import main
from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import HuanjieError
from huanjie_lib.intake import read_folder
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.run_folder import read_ledgers
from huanjie_lib.vocabulary import CaseEvent
from tests.full_ledger import DAYS, fill
from tests.offices import life

Capture = pytest.CaptureFixture[str]
SEED = 20261031


def run(*arguments: str | Path) -> int:
    return main([str(a) for a in arguments])


def run_city(data: Path, out: Path, *more: str | Path) -> int:
    return run("run", "--data", data, "--as-of", "2026-10-31", "--out", out, *more)


def told(capture: Capture) -> str:
    """What was told on standard error: one message, no traceback."""
    text = capture.readouterr().err
    assert "Traceback" not in text
    return text


@pytest.fixture
def city(small_city: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(small_city, tmp_path / "city"))


@pytest.fixture
def flat(city: Path) -> Callable[[str], tuple[pd.DataFrame, Path]]:
    """A table of the city as CSV, so that it can be spoilt cell by cell."""

    def open_table(name: str) -> tuple[pd.DataFrame, Path]:
        path = city / "tables" / f"{name}.parquet"
        frame = pd.read_parquet(path)
        path.unlink()
        return frame, path.with_suffix(".csv")

    return open_table


def test_run_writes_its_tables_and_tells_one_line(small_city: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run_city(small_city, tmp_path / "out") == 0
    line = capsys.readouterr().out.strip()
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["counts"]
    assert line.count("\n") == 0
    assert f"{counts['units']} 个村（社区）" in line
    assert f"红 {counts.get('red', 0)}" in line
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


def test_two_runs_on_the_same_input_are_equal_to_the_byte(
    small_city: Path, small_city_run: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    assert run_city(small_city, again) == 0
    files = sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(small_city_run) for p in small_city_run.rglob("*") if p.is_file())
    for name in files:
        assert (again / name).read_bytes() == (small_city_run / name).read_bytes(), name


def test_init_writes_the_same_city_twice_and_spares_a_folder_in_use(tmp_path: Path, capsys: Capture) -> None:
    for name in ("a", "b"):
        assert run("init", "--out", tmp_path / name, "--units", "60", "--seed", "5") == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    capsys.readouterr()
    key = tmp_path / "sample.key"
    assert run("init", "--out", tmp_path / "c", "--units", "60", "--key", key) == 0
    assert key.stat().st_mode & 0o077 == 0
    assert f"示例密钥已写入 {key}" in capsys.readouterr().out
    assert run("init", "--out", tmp_path / "a") == 2
    assert "文件夹不是空的" in told(capsys)


def test_check_tells_every_error_and_writes_the_quarantine(
    city: Path, tmp_path: Path, capsys: Capture
) -> None:
    workbook = next((city / "returns").rglob("*.xlsx"))
    book = openpyxl.load_workbook(workbook)
    sheet = book["矛盾摸排"]
    column = next(c.column for row in sheet.iter_rows(max_row=4) for c in row if c.value == "摸排日期")
    sheet.cell(row=sheet.max_row, column=column, value="2026-02-31")
    last = sheet.max_row
    book.save(workbook)
    assert run("check", "--data", city, "--out", tmp_path / "report") == 3
    out = capsys.readouterr().out
    assert f"矛盾摸排，第{last}行，摸排日期：发现“2026-02-31”" in out
    assert (tmp_path / "report" / "quarantine" / "screenings.csv").exists()


def test_a_missing_column_is_named_with_the_heading_expected(
    city: Path, flat: Callable[[str], tuple[pd.DataFrame, Path]], capsys: Capture
) -> None:
    frame, path = flat("screenings")
    frame.drop(columns="screened_on").to_csv(path, index=False)
    assert run("check", "--data", city) == 3
    out = capsys.readouterr().out
    assert "screenings.csv" in out
    assert "摸排日期" in out


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


def test_an_empty_sheet_is_told(city: Path, capsys: Capture) -> None:
    workbook = next((city / "returns").rglob("*.xlsx"))
    book = openpyxl.load_workbook(workbook)
    position = book.sheetnames.index("矛盾摸排")
    book.remove(book["矛盾摸排"])
    book.create_sheet("矛盾摸排", position)
    book.save(workbook)
    run("check", "--data", city)
    out = capsys.readouterr().out
    assert "矛盾摸排" in out
    assert "空" in out


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
    pack = shutil.copytree(Path(cli.__file__).parent / "packs" / "default", tmp_path / "pack")
    framework = yaml.safe_load((pack / "framework.yaml").read_text(encoding="utf-8"))
    framework["dimensions"][0]["weight"] = 0.5
    (pack / "framework.yaml").write_text(yaml.safe_dump(framework, allow_unicode=True), encoding="utf-8")
    assert run_city(small_city, tmp_path / "out", "--pack", pack) == 4
    assert "各维度权重合计：发现“1.3”；应为：合计为 1" in told(capsys)


def test_a_port_in_use_is_told_with_another_to_try(small_city_run: Path, capsys: Capture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run("serve", "--run", small_city_run, "--port", str(port)) == 2
    text = told(capsys)
    assert str(port) in text
    assert "--port" in text


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


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--data", "x", "--out", "y"], 2, "缺少参数 --as-of"),
        (["run", "--data", "x", "--as-of", "31.10.2026", "--out", "y"], 2, "日期写法不对"),
        (["run", "--data", "nowhere", "--as-of", "2026-10-31", "--out", "y"], 2, "nowhere"),
        (["check", "--data", "nowhere"], 2, "nowhere"),
        (["serve", "--run", "nowhere"], 3, "先运行 huanjie run"),
        (["serve", "--run", "x", "--app", "board"], 2, "应为：overview、what_if、casework、talent"),
        (["serve"], 2, "补充 --run"),
        (["serve", "--app", "talent"], 2, "--talent：发现“没有给出”"),
        (["ledgers", "--run", "x", "--out", "y", "--restricted"], 2, "--store：发现“没有给出”"),
        (["serve", "--app", "talent", "--talent", "t", "--account", "li"], 2, "补充 --role"),
        (["serve", "--run", "x", "--key", "k"], 2, "--key：发现“没有 --talent”"),
        (["serve", "--run", "x", "--account", "chen"], 2, "没有指定案件台账"),
        (["serve", "--run", "x", "--app", "casework", "--store", "s"], 2, "补充 --role"),
        (["serve", "--run", "x", "--role", "system"], 2, "应为：city、county、township"),
        (["check"], 2, "检查数据用 --data，检查台账用 --ledger，检查备份用 --backup"),
        (["check", "--data", "x", "--ledger", "y", "--backup", "z"], 2, "三个都给出"),
        (["check", "--backup", "nowhere"], 2, "没有这个文件"),
        (["backup", "--store", "nowhere", "--out", "a.zip"], 6, "huanjie store init"),
        (["restore", "--from", "nowhere", "--store", "new"], 2, "没有这个文件"),
        (["restore", "--from", "nowhere", "--store", "postgresql://db/x"], 2, "补充 --evidence"),
        (["store", "copy", "--from", "nowhere", "--to", "new"], 6, "huanjie store init"),
        (
            ["register", "rotate", "--data", "x", "--key", "k", "--new-key", "n", "--out", "x/y"],
            2,
            "结果不能写在数据文件夹里",
        ),
        (
            ["register", "rotate", "--data", "x", "--key", "k", "--new-key", "x/n", "--out", "y"],
            2,
            "密钥不能放在数据里",
        ),
        (["check", "--data", "x", "--ledger", "y"], 2, "两个都给出"),
        (["check", "--ledger", "nowhere"], 6, "huanjie store init"),
        (
            ["run", "--data", "x", "--as-of", "2026-10-31", "--out", "y", "--store", "s"],
            6,
            "huanjie store init",
        ),
        (["publish", "--run", "nowhere", "--store", "s", "--account", "chen"], 3, "先运行 huanjie run"),
        (["publish", "--run", "x", "--store", "s", "--account", " "], 2, "补充 --account"),
        (["store", "upgrade", "--store", "nowhere"], 6, "huanjie store init"),
        (["store", "head", "--store", "nowhere", "--out", "y"], 6, "huanjie store init"),
        (["store", "init", "--store", "mysql://db/x"], 2, "改正 --store"),
        (["export", "--run", "nowhere", "--out", "y"], 3, "先运行 huanjie run"),
        (["run", "--data", "x", "--as-of", "2026-10-31", "--out", "x/y"], 2, "结果不能写在数据文件夹里"),
        (["run", "--colour", "red"], 2, "没有参数 --colour"),
        (["dance"], 2, "dance"),
        (["init", "--out", "z", "--units", "many"], 2, "--units"),
        (["init", "--out", "z", "--units", "5"], 2, "应为：60 到 20000 之间的整数"),
        (["run", "--out"], 2, "参数 --out 后面缺少值"),
    ],
)
def test_wrong_calls(
    arguments: list[str],
    code: int,
    message: str,
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    assert message in told(capsys)
    assert list(tmp_path.iterdir()) == []


def test_help_and_version(capsys: Capture) -> None:
    assert main([]) == 0
    assert "serve" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_a_defect_is_shown_by_number_and_kept_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("hidden")

    monkeypatch.setattr(cli.cli, "main", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["run"]) == 70
    text = told(capsys)
    assert "编号" in text
    assert "hidden" not in text
    assert "ZeroDivisionError: hidden" in next(tmp_path.glob("huanjie-error-*.log")).read_text(
        encoding="utf-8"
    )


def test_every_kind_of_error_has_a_non_zero_exit_code() -> None:
    assert all(kind.exit_code > 0 for kind in HuanjieError.__subclasses__())


def test_dates_are_taken_as_dates() -> None:
    assert cli._Date().convert(dt.date(2026, 1, 2), None, None) == dt.date(2026, 1, 2)


def test_a_place_that_cannot_be_written_is_no_defect(
    small_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "index.parquet")

    monkeypatch.setattr("huanjie_lib.workbench.write_run", refused)
    assert run_city(small_city, tmp_path / "out") == 2
    text = told(capsys)
    assert "index.parquet" in text
    assert "检查权限" in text


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
    tests = Path(__file__).parent
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


@pytest.fixture
def store(tmp_path: Path) -> Path:
    assert run("store", "init", "--store", tmp_path / "store") == 0
    return tmp_path / "store"


def publish(folder: Path, store: Path) -> int:
    return run("publish", "--run", folder, "--store", store, "--account", "chen")


def test_a_run_is_published_once_and_the_ledger_checked(
    small_city: Path, store: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run_city(small_city, tmp_path / "run", "--store", store) == 0
    assert "计入案件台账第 0 个事件为止的整改：更正 0 处事实" in capsys.readouterr().out
    alerts = read_ledgers(tmp_path / "run", restricted=True)["alerts"]
    assert publish(tmp_path / "run", store) == 0
    assert capsys.readouterr().out == f"新立案 {len(alerts)} 件，重新打开 0 件，原已立案未销号 0 件\n"
    assert publish(tmp_path / "run", store) == 0
    assert "这次评估已发布过，台账没有变化" in capsys.readouterr().out
    assert run_city(small_city, tmp_path / "again", "--store", store) == 0
    assert publish(tmp_path / "again", store) == 0, "the same alerts in another run"
    assert f"新立案 0 件，重新打开 0 件，原已立案未销号 {len(alerts)} 件" in capsys.readouterr().out
    assert run("check", "--ledger", store) == 0
    assert f"{len(alerts)} 个事件、2 次发布" in capsys.readouterr().out


def test_a_head_kept_elsewhere_tells_that_events_were_cut_off(
    store: Path, tmp_path: Path, capsys: Capture
) -> None:
    with open_ledger(store) as ledger:
        for action in list(life())[:3]:
            if action.event is not CaseEvent.RECTIFY:
                ledger.append(action)
    assert run("store", "head", "--store", store, "--out", tmp_path / "heads") == 0
    (head,) = (tmp_path / "heads").glob("*.json")
    assert str(head) in capsys.readouterr().out
    assert run("check", "--ledger", store, "--head", head) == 0
    assert "与第 2 个事件的链头核对；问题 0 处" in capsys.readouterr().out
    file = sqlite3.connect(store / "ledger.sqlite3")
    triggers = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        file.execute(f"DROP TRIGGER {name}")
    file.execute("DELETE FROM case_events WHERE sequence = 2")
    file.execute("UPDATE cases SET state = 'alert', version = 1, owner = '', due_on = NULL")
    for _, sql in triggers:
        file.execute(sql)
    file.commit()
    file.close()
    assert run("check", "--ledger", store) == 0, "without the head nothing is seen"
    capsys.readouterr()
    assert run("check", "--ledger", store, "--head", head) == 6
    out = capsys.readouterr().out
    assert "[事件 2] 事件 2：发现“没有这个事件”" in out
    assert "问题 1 处" in out
    assert run("check", "--ledger", store, "--head", store / "ledger.sqlite3") == 2
    assert "不能读取链头" in told(capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--app", "casework"), "补充 --store、--account、--office、--role"),
        (("--app", "overview", "--store", "s", "--role", "city"), "加上 --app casework"),
        (("--app", "casework", "--store", "s", "--role", "city"), "--account：发现“空”"),
        (("--app", "casework", "--store", "s", "--role", "city", "--scope", "99x"), "--scope：发现“99x”"),
        (
            (
                "--app",
                "casework",
                "--store",
                "postgresql://db/x",
                "--role",
                "city",
                "--account",
                "a",
                "--office",
                "b",
            ),
            "请数据库管理员建一个只读账号",
        ),
    ],
)
def test_a_desk_that_does_not_fit_is_refused(
    small_city_run: Path, capsys: Capture, options: tuple[str, ...], message: str
) -> None:
    capsys.readouterr()
    assert run("serve", "--run", small_city_run, *options) == 2
    assert message in told(capsys)


def test_a_screen_over_a_ledger_that_is_not_there_says_how_to_make_one(
    small_city_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    who = ("--account", "chen", "--office", "市换届办", "--role", "city", "--port", "18866")
    assert run("serve", "--run", small_city_run, "--app", "casework", "--store", tmp_path / "none", *who) == 6
    assert "huanjie store init" in told(capsys)


def test_an_office_makes_its_keys_once_and_gets_an_empty_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, form = tmp_path / "office.key", tmp_path / "人才登记表.xlsx"
    assert main(["register", "keys", "--out", str(keys)]) == 0
    first = keys.read_bytes()
    assert main(["register", "keys", "--out", str(keys)]) != 0
    assert keys.read_bytes() == first
    assert main(["register", "template", "--as-of", "2026-10-31", "--out", str(form)]) == 0
    assert openpyxl.load_workbook(form).sheetnames
    assert first.decode("utf-8", "replace") not in capsys.readouterr().out


def test_headings_of_a_township_from_proposal_to_use(city: Path, capsys: Capture) -> None:
    path = min((city / "returns").rglob("*换届数据报送表*.xlsx"))
    for other in (*(city / "returns").rglob("*.*"), *(city / "tables").iterdir()):
        if other != path and other.stem not in ("units", "townships"):
            other.unlink()  # what is left is enough here
    book = openpyxl.load_workbook(path)
    sheet = book["矛盾摸排"]
    (cell,) = [c for c in sheet[3] if str(c.value).startswith("走访户数")]
    cell.value = "进了多少户"
    book.save(path)
    out = city / "mappings"
    assert run("mapping", "propose", "--data", city, "--out", out) == 0
    (made,) = out.glob("*.yaml")
    content = yaml.safe_load(made.read_text(encoding="utf-8"))
    assert [c["heading"] for s in content["sheets"] for c in s["columns"]] == ["进了多少户"]
    assert "1 个不认得的列标题" in capsys.readouterr().out
    assert run("mapping", "confirm", "--file", made, "--by", "wang") == 3
    assert "“进了多少户”还没有写明意思" in told(capsys)
    content["sheets"][0]["columns"][0]["means"] = "households_visited"
    made.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    assert run("mapping", "confirm", "--file", made, "--by", "wang", "--on", "2026-11-05") == 0
    run("check", "--data", city, "--out", city.parent / "report")
    report = pd.read_csv(city.parent / "report" / "report.csv", encoding="utf-8-sig")
    notes = report.loc[report["发现"].str.startswith("按栏目对照"), "处理办法"]
    assert notes.str.contains("wang 于 2026-11-05 确认").tolist() == [True]


def test_changes_of_code_from_two_lists(tmp_path: Path, capsys: Capture) -> None:
    head, old, new = "区划代码,名称\n", tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(f"{head}990101101201,上云村\n990101101202,柳湾村\n", encoding="utf-8")
    new.write_text(f"{head}990101101231,上云村\n990101101232,柳湾社区\n", encoding="utf-8")
    out = tmp_path / "crosswalk.csv"
    given = ("--old", old, "--new", new, "--effective-on", "2027-01-01", "--out", out)
    assert run("crosswalk", "propose", *given) == 0
    assert "变更代码 2 行" in capsys.readouterr().out
    assert run("crosswalk", "propose", *given) == 2
    assert run("crosswalk", "confirm", "--file", out, "--by", "wang") == 2
    assert "二者之一" in told(capsys)
    assert run("crosswalk", "confirm", "--file", out, "--by", "wang", "--rows", "2;3") == 2
    assert "2-5,8" in told(capsys)
    confirm = ("crosswalk", "confirm", "--file", out, "--by", "wang", "--on", "2027-02-01")
    assert run(*confirm, "--rows", "3") == 0
    rows = pd.read_csv(out, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    assert rows["确认人"].tolist() == ["", "wang"]
    assert run(*confirm, "--all") == 0
    assert "已确认 1 行" in capsys.readouterr().out


def test_blank_return_workbooks(small_city: Path, tmp_path: Path, capsys: Capture) -> None:
    townships = pd.read_parquet(small_city / "tables" / "townships.parquet")
    given = ("template", "--data", small_city, "--as-of", "2026-10-31", "--out", tmp_path)
    assert run(*given, "--township", townships["township_code"].iloc[0]) == 0
    assert "已写出 1 份报送表" in capsys.readouterr().out
    assert len(list(tmp_path.rglob("*.xlsx"))) == 1
    assert run(*given, "--township", "远方镇") == 2
    assert "没有这个镇街" in told(capsys)


class TestPeople:
    """Names for a reason, requests of people, and what has been kept long enough."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        open_ledger(tmp_path / "store", create=True).close()
        return tmp_path / "store"

    @pytest.fixture
    def key(self, tmp_path: Path) -> Path:
        KeyRing.from_seed(SEED).write(tmp_path / "key.json")
        return tmp_path / "key.json"

    @pytest.fixture
    def person(self, small_city: Path) -> str:
        return str(pd.read_parquet(small_city / "tables" / "people.parquet")["person_ref"].iloc[3])

    def acting(self, store: Path, role: str = "talent") -> tuple[str | Path, ...]:
        return ("--store", store, "--account", "li", "--office", "市委组织部", "--role", role)

    def test_a_name_is_shown_once_the_log_has_who_asks_and_why(
        self, small_city: Path, store: Path, key: Path, person: str, capsys: Capture
    ) -> None:
        held = pd.read_parquet(small_city / "tables" / "identities.parquet").set_index("person_ref")
        name = KeyRing.from_seed(SEED).unseal(held.loc[person, "name_sealed"], "name", person)
        where = ("access", "show", "--person", person, "--data", small_city, "--key", key)
        assert run(*where, "--reason", f"通知{name}谈话", *self.acting(store)) == 0
        assert name in capsys.readouterr().out
        assert run(*where, "--reason", "看", *self.acting(store)) != 0
        assert run(*where, "--reason", "考察谈话通知本人", *self.acting(store, "county")) != 0
        assert name not in told(capsys)
        assert (
            run("access", "show", "--person", "P1", *where[4:], "--reason", "通知", *self.acting(store)) == 2
        )
        capsys.readouterr()
        assert run("access", "log", "--store", store) == 0
        log = capsys.readouterr().out
        assert "查看原文" in log
        assert "通知（姓名已隐藏）谈话" in log
        assert "共1条" in log
        assert name not in log
        assert run("access", "log", "--store", store, "--of", "wang", "--since", "2026-01-01") == 0
        assert capsys.readouterr().out == "共0条\n"

    def test_a_request_from_receipt_to_answer_and_copy(
        self, small_city: Path, store: Path, key: Path, person: str, tmp_path: Path, capsys: Capture
    ) -> None:
        opening = ("request", "open", "--person", person, "--kind", "copy", "--on", "2026-09-29")
        assert run(*opening, "--request", "SQ1", *self.acting(store)) == 0
        assert "2026年10月26日前答复" in capsys.readouterr().out  # National Day lies between
        assert run("request", "list", "--store", store, "--as-of", "2026-10-26") == 0
        assert run("request", "list", "--store", store, "--as-of", "2026-10-27") == 3
        assert "逾期未答复" in capsys.readouterr().out
        out = tmp_path / "副本.xlsx"
        copying = ("request", "copy", "--person", person, "--data", small_city, "--key", key, "--out", out)
        assert run(*copying, "--reason", "本人申请查阅", *self.acting(store)) == 0
        assert "姓名" in {c.value for row in openpyxl.load_workbook(out)["说明"].rows for c in row}
        assert run(*copying, "--reason", "本人申请查阅", *self.acting(store)) == 2  # never over another file
        answer = ("request", "answer", "--request", "SQ1", "--on", "2026-10-20", *self.acting(store))
        assert run(*answer, "--result", "refused") != 0
        assert run(*answer, "--result", "done") == 0
        assert run(*answer[:3], "SQ9", *answer[4:], "--result", "done") == 2
        with open_ledger(store, read_only=True) as ledger:
            assert ledger.access_log()["action"].tolist() == ["unmask", "request"]
            assert ledger.verify() == []
        assert run(*opening, "--request", "张 三", *self.acting(store)) == 2
        assert "张" not in told(capsys).replace("--request", "")

    def test_a_pseudonym_is_found_by_the_number_that_is_typed_in(
        self, key: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        number = "990101199003072336"
        monkeypatch.setattr(cli.click, "prompt", lambda *_, **__: number)
        assert run("request", "person", "--key", key) == 0
        assert capsys.readouterr().out.strip() == KeyRing.from_seed(SEED).pseudonym("person", number)
        monkeypatch.setattr(cli.click, "prompt", lambda *_, **__: number[:-1] + "1")
        assert run("request", "person", "--key", key) == 2
        assert number[:-1] not in told(capsys)

    def test_what_is_due_goes_from_tables_ledgers_and_register_forms_when_asked(
        self, small_city: Path, store: Path, key: Path, tmp_path: Path, capsys: Capture
    ) -> None:
        keys, out = KeyRing.from_seed(SEED), tmp_path / "kept"
        asked = ("retention", "--as-of", "2031-01-01", "--key", key, "--data")
        assert run(*asked, small_city, "--apply") == 2
        assert "--reason" in told(capsys)
        applying = ("--apply", "--out", out, "--store", store, "--account", "li")
        assert run(*asked, small_city, *applying, "--reason", "保存期限已到，办公室批准") == 0
        said = capsys.readouterr().out
        assert "查阅日志记了" in said
        assert run(*asked, out) == 0
        assert "共0项到期；加 --apply 处理" in capsys.readouterr().out
        before, after = (read_folder(d, load_parameters(), keys=keys) for d in (small_city, out))
        counts = after.counts
        assert (counts["read"] == counts["loaded"] + counts["quarantined"] + counts["dropped"]).all()
        for name in ("people", "reviews"):  # the one lies in register forms, the other in ledgers
            filed = before.tables[name][before.tables[name]["source_sheet"] != ""]
            struck = [
                f"已从 {row.source_file} 工作表“{row.source_sheet}”第{row.source_row}行删去内容" in said
                for row in filed.itertuples()
            ]
            assert any(struck)
            assert struck.count(False) == (after.tables[name]["source_sheet"] != "").sum()
        for name, frame in before.tables.items():
            if not TABLES[name].personal:
                assert len(frame) == len(after.tables[name])
        gone = set(before.tables["people"]["person_ref"]) - set(after.tables["people"]["person_ref"])
        assert gone
        parts = [
            archive.read(name).decode("utf-8", "ignore")
            for archive in map(zipfile.ZipFile, out.rglob("*登记表*.xlsx"))
            for name in archive.namelist()
        ]
        numbers = before.tables["identities"].set_index("person_ref")["id_sealed"]
        assert not [ref for ref in gone if keys.unseal(numbers[ref], "id_number", ref) in "".join(parts)]

    def test_who_asks_for_deletion_is_in_no_table_of_the_reserve_afterwards(
        self, small_city: Path, store: Path, person: str, tmp_path: Path, capsys: Capture
    ) -> None:
        asked = ("retention", "--data", small_city, "--as-of", "2026-11-02", "--person")
        applying = ("--apply", "--out", tmp_path / "kept", "--store", store, "--account", "li")
        assert run(*asked, "P1", *applying, "--reason", "本人申请删除") == 2
        assert run(*asked, person, *applying, "--reason", "本人申请删除") == 0
        said = capsys.readouterr()
        assert "后备人才1条" in said.out
        assert "没有给出密钥（--key），没有改动" in said.err
        for name in ("people", "identities", "vettings", "evidence"):
            frame = pd.read_parquet(tmp_path / "kept" / "tables" / f"{name}.parquet")
            assert person not in set(frame["person_ref"])
        with open_ledger(store, read_only=True) as ledger:
            (entry,) = ledger.access_log().to_dict("records")
        assert (entry["action"], entry["subject"], entry["reason"]) == ("delete", person, "本人申请删除")


def test_a_ledger_is_backed_up_checked_restored_and_moved(tmp_path: Path, capsys: Capture) -> None:
    store, file, new = tmp_path / "store", tmp_path / "a.zip", tmp_path / "new"
    with open_ledger(store, create=True) as ledger:
        head = fill(ledger, store / "heads")
    newest = store / "heads" / f"{DAYS[1]}.json"
    assert run("store", "upgrade", "--store", store) == 0  # nothing to do asks for no backup
    assert run("backup", "--store", store, "--out", file) == 0
    assert run("check", "--backup", file, "--head", newest) == 0
    assert run("restore", "--from", file, "--store", new, "--head", newest) == 0
    assert run("check", "--ledger", new) == 0
    told_so_far = capsys.readouterr().out
    assert told_so_far.count(head.hash) == 4
    assert "佐证材料 1 份，每日链头 2 份" in told_so_far
    assert run("store", "copy", "--from", new, "--to", tmp_path / "moved") == 0
    assert run("backup", "--store", store, "--out", file) == 2
    file.write_bytes(file.read_bytes()[:-9])
    assert run("check", "--backup", file) == 6
    assert "不完整，或不是备份文件" in told(capsys)
