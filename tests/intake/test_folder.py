from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, HuanjieError, UsageError
from huanjie_lib.intake import Intake, read_folder
from huanjie_lib.intake.folder import survey_returns
from huanjie_lib.intake.sheets import SheetReader
from huanjie_lib.parameters import ParameterSet

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
FAULTS = ROOT / "tests" / "data" / "returns_faults.csv"
A, B, C = "990101101201", "990101101202", "990101101001"
SCREENINGS = ["摸排编号", "统计用区划代码", "摸排日期", "摸排方式"]
Lines = Callable[..., list[str]]


def squares(*codes: str | None, crs: Any = 4490) -> gpd.GeoDataFrame:
    shapes = [shapely.box(115 + n / 100, 30, 115.01 + n / 100, 30.01) for n in range(len(codes))]
    return gpd.GeoDataFrame({"unit_code": list(codes)}, geometry=shapes, crs=crs)


def refusal(folder: Any) -> HuanjieError:
    with pytest.raises(HuanjieError) as caught:
        folder.read()
    assert caught.value.faults
    assert all(f.remedy for f in caught.value.faults)
    return caught.value


# ---------------------------------------------------------------- good folders


def test_a_good_folder_has_no_errors(folder: Any, lines: Lines) -> None:
    intake = folder.read()
    assert lines(intake, "error") == []
    assert {name: len(rows) for name, rows in intake.tables.items()} == {
        "townships": 1,
        "units": 3,
        "crosswalk": 4,
        "facts": 2,
    }
    assert intake.boundaries is None
    assert intake.quarantine == {}
    assert [i.path for i in intake.inputs] == [
        "tables/crosswalk.csv",
        "tables/facts.csv",
        "tables/townships.csv",
        "tables/units.csv",
    ]
    assert "geometry" not in intake.tables["units"].columns
    assert intake.tables["facts"]["source_row"].tolist() == [2, 3]


def test_a_flat_folder(folder: Any) -> None:
    before = folder.read()
    for path in (folder.path / "tables").iterdir():
        path.rename(folder.path / path.name)
    (folder.path / "tables").rmdir()
    after = folder.read()
    assert after.tables.keys() == before.tables.keys()
    assert after.tables["facts"]["source_file"].tolist() == ["facts.csv", "facts.csv"]


def test_extensions_in_capitals(folder: Any) -> None:
    path = folder.path / "tables" / "facts.csv"
    path.rename(path.with_name("facts.CSV"))
    folder.csv("returns/石桥镇_矛盾摸排.CSV", [SCREENINGS, ["S1", A, "2026-10-01", "走访"]])
    intake = folder.read()
    assert len(intake.tables["facts"]) == 2
    assert len(intake.tables["screenings"]) == 1


def test_returns_fill_tables(folder: Any, lines: Lines) -> None:
    folder.workbook(
        "returns/石桥镇/石桥镇报送表.xlsx",
        {
            "基本情况": [
                ["石桥镇换届基础数据报送表"],
                ["填报单位：石桥镇", "", "填报日期：2026年10月31日"],
                ["序号", "村(社区)名称", "统计用区划代码", "总户数", "集体经济年收入(万元)"],
                [1, "上云村", A, 301, 1.5],
                [2, "柳湾村", B, "二百", 2],
                ["", "合计", "", 581, 3.5],
            ],
            "矛盾摸排": [SCREENINGS, ["S1", A, dt.date(2026, 10, 1), "走访"]],
        },
        merges={"基本情况": ["A1:E1"]},
    )
    folder.csv(
        "returns/石桥镇/石桥镇_线索举报.csv",
        [["统计用区划代码", "受理日期", "线索类别", "件数"], [A, "2026.10.3", "拉票贿选", "２"]],
        encoding="gb18030",
    )
    intake = folder.read()
    facts = intake.tables["facts"]
    october = facts[facts["as_of"] == pd.Timestamp(2026, 10, 31)]
    assert list(zip(october["metric"], october["value"], strict=True)) == [
        ("households", 301.0),
        ("collective_income", 15000.0),
        ("collective_income", 20000.0),
    ]
    assert october["source_sheet"].unique().tolist() == ["基本情况"]
    assert october["source_row"].tolist() == [4, 4, 5]
    assert intake.tables["screenings"]["source_file"].tolist() == ["returns/石桥镇/石桥镇报送表.xlsx"]
    assert intake.tables["leads"]["count"].tolist() == [2]
    (error,) = lines(intake, "error")
    assert error.startswith("总户数|二百|0 到 30,000 之间的整数|")
    assert intake.quarantine["facts"]["value"].tolist() == ["二百"]


def test_progress_reaches_its_end(folder: Any, parameters: ParameterSet) -> None:
    steps: list[tuple[str, int, int]] = []
    read_folder(
        folder.path, parameters, progress=lambda label, step, total: steps.append((label, step, total))
    )
    assert len({total for _, _, total in steps}) == 1
    assert [step for _, step, _ in steps] == sorted(step for _, step, _ in steps)
    assert steps[-1][1] == steps[-1][2]
    assert steps[0][0] == "读取 tables/crosswalk.csv"


def test_order_of_files_does_not_hang_on_the_file_system(folder: Any) -> None:
    one, two = folder.read(), folder.read()
    pd.testing.assert_frame_equal(one.issues, two.issues)
    pd.testing.assert_frame_equal(one.counts, two.counts)
    for name in one.tables:
        pd.testing.assert_frame_equal(one.tables[name], two.tables[name])
    assert one.inputs == two.inputs


# ---------------------------------------------------------------- codes


def test_old_codes_by_the_crosswalk(folder: Any, lines: Lines) -> None:
    codes = ["990101101291", "990101101292", "990101101293", "990101101299"]
    folder.csv("tables/screenings.csv", [SCREENINGS, *([f"S{c}", c, "2026-10-01", "走访"] for c in codes)])
    intake = folder.read()
    assert intake.tables["screenings"]["unit_code"].tolist() == [A]
    remedies = {e.split("|")[1]: e.split("|")[3] for e in lines(intake, "error")}
    assert "尚未经人确认" in remedies["990101101292"]
    assert "已拆分为几个新代码" in remedies["990101101293"]
    assert "如为旧代码" in remedies["990101101299"]
    assert any("换为新代码" in n for n in lines(intake, "note", table="screenings"))


def test_codes_that_changed_twice(folder: Any) -> None:
    changes = [
        ["old_code", "new_code", "kind", "effective_on", "confirmed_by", "confirmed_on"],
        ["990101101281", "990101101282", "renumber", "2025-01-01", "office", "2025-02-01"],
        ["990101101282", A, "renumber", "2026-01-01", "office", "2026-02-01"],
        ["990101101283", "990101101284", "renumber", "2026-01-01", "office", "2026-02-01"],
        ["990101101285", "990101101286", "renumber", "2026-01-01", "office", "2026-02-01"],
        ["990101101286", "990101101285", "renumber", "2026-01-01", "office", "2026-02-01"],
    ]
    folder.csv("tables/crosswalk.csv", changes)
    rows = [[f"S{n}", f"9901011012{n}", "2026-10-01", "走访"] for n in (81, 82, 83, 85)]
    folder.csv("tables/screenings.csv", [SCREENINGS, *rows])
    intake = folder.read()
    assert intake.tables["screenings"]["unit_code"].tolist() == [A, A]
    assert intake.quarantine["screenings"]["reasons"].str.contains("新代码不在村").all()


def test_references_point_to_tables_that_are_checked_before() -> None:
    order = list(TABLES)
    for table in TABLES.values():
        for reference in table.references:
            assert order.index(reference.table) < order.index(table.name)


# ---------------------------------------------------------------- what a folder may lack


def test_no_folder(tmp_path: Path, parameters: ParameterSet) -> None:
    with pytest.raises(UsageError, match="huanjie init"):
        read_folder(tmp_path / "nowhere", parameters)


def test_an_empty_folder(tmp_path: Path, parameters: ParameterSet) -> None:
    with pytest.raises(DataError, match="没有数据文件") as caught:
        read_folder(tmp_path, parameters)
    assert caught.value.exit_code == 3


def test_no_units(folder: Any) -> None:
    (folder.path / "tables" / "units.csv").unlink()
    assert "没有村(社区)名录" in str(refusal(folder))
    folder.csv("tables/units.csv", [["unit_code", "unit_name", "unit_kind", "township_code"]])
    assert "没有数据行" in str(refusal(folder))
    folder.csv("tables/units.csv", [["unit_code", "unit_name", "township_code"], [A, "上云村", "990101101"]])
    assert "缺少列“类别”" in str(refusal(folder))
    folder.csv(
        "tables/units.csv",
        [["unit_code", "unit_name", "unit_kind", "township_code"], ["1", "上云村", "村", "990101101"]],
    )
    text = str(refusal(folder))
    assert "没有一行可用" in text
    assert "tables/units.csv 第 2 行“统计用区划代码”：发现“1”" in text


def test_no_facts_is_an_error_but_no_end(folder: Any, lines: Lines) -> None:
    (folder.path / "tables" / "facts.csv").unlink()
    intake = folder.read()
    assert "facts" not in intake.tables
    (error,) = lines(intake, "error")
    assert "没有“基础数据”表" in error


def test_a_table_that_cannot_be_read_is_an_error_but_no_end(folder: Any, lines: Lines) -> None:
    (folder.path / "tables" / "leads.parquet").write_bytes(b"no")
    (folder.path / "tables" / "talks.parquet").write_bytes(b"PAR1" + b"x" * 40 + b"PAR1")
    intake = folder.read()
    (error,) = lines(intake, "error", file="tables/leads.parquet")
    assert "内容不是 .parquet 文件" in error
    (error,) = lines(intake, "error", file="tables/talks.parquet")
    assert "损坏或不合规的文件" in error


def test_a_table_without_a_column_is_set_aside(folder: Any, lines: Lines) -> None:
    folder.csv("tables/screenings.csv", [SCREENINGS[:3], ["S1", A, "2026-10-01"]])
    intake = folder.read()
    assert len(intake.tables["screenings"]) == 0
    assert intake.quarantine["screenings"]["screening_id"].tolist() == ["S1"]
    (error,) = lines(intake, "error")
    assert "缺少列“摸排方式”；现有标题：摸排编号、统计用区划代码、摸排日期" in error


def test_files_that_belong_nowhere_are_named(folder: Any) -> None:
    folder.csv("tables/fact.csv", [["a"], ["1"]])
    folder.csv("facts.csv", [["a"], ["1"]])
    (folder.path / "README.md").write_text("x")
    (folder.path / "tables" / ".hidden.csv").write_text("x")
    (folder.path / "returns").mkdir()
    (folder.path / "returns" / "~$open.xlsx").write_bytes(b"lock")
    (folder.path / "returns" / "old.et").write_bytes(b"x")
    intake = folder.read()
    told = intake.issues[intake.issues["severity"] == "warning"].set_index("file")
    assert sorted(told.index) == ["facts.csv", "returns/old.et", "tables/fact.csv"]
    assert "facts" in told.loc["tables/fact.csv", "allowed"]
    assert ".xlsx" in told.loc["returns/old.et", "remedy"]


def test_a_return_that_gives_nothing_is_an_error(folder: Any, lines: Lines) -> None:
    folder.workbook("returns/a.xlsx", {"Sheet1": [["食堂菜单"]], "Sheet2": []})
    (folder.path / "returns" / "b.xlsx").write_bytes(b"no")
    intake = folder.read()
    assert [e.split("|")[1] for e in lines(intake, "error", file="returns/a.xlsx")] == ["没有可用的报送数据"]
    assert "文件损坏" in lines(intake, "error", file="returns/b.xlsx")[0]
    assert [i.path for i in intake.inputs if "returns" in i.path] == ["returns/a.xlsx", "returns/b.xlsx"]


# ---------------------------------------------------------------- sources.yaml


def test_the_date_declared_for_returns(folder: Any) -> None:
    folder.csv("returns/石桥镇_基本情况.csv", [["统计用区划代码", "总户数"], [A, "301"]])
    (folder.path / "sources.yaml").write_text("title: x\nreturns: {as_of: 2026-10-31}\n", encoding="utf-8")
    intake = folder.read()
    assert intake.tables["facts"]["as_of"].max() == pd.Timestamp(2026, 10, 31)
    assert "sources.yaml" in [i.path for i in intake.inputs]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: [", "sources.yaml"),
        ("- a", "list"),
        ("boundaries: {csr: EPSG:4490}", "csr"),
        ("boundaries: {crs: 4490}", "4490"),
        ("boundaries: EPSG:4490", "EPSG:4490"),
        ("returns: {as_of: soon}", "soon"),
        ("returns: {folder: ../elsewhere}", "../elsewhere"),
        ("boundaries: {file: /etc/passwd}", "/etc/passwd"),
        ("boundaries: {file: tables/none.gpkg}", "tables/none.gpkg"),
    ],
)
def test_a_declaration_that_cannot_be_used(folder: Any, text: str, found: str) -> None:
    (folder.path / "sources.yaml").write_text(text, encoding="utf-8")
    assert found in str(refusal(folder))


def test_an_unknown_key_is_a_warning(folder: Any, lines: Lines) -> None:
    (folder.path / "sources.yaml").write_text("boundary: {crs: EPSG:4490}", encoding="utf-8")
    assert [w.split("|")[1] for w in lines(folder.read(), "warning", file="sources.yaml")] == [
        "不认得的键 boundary"
    ]


# ---------------------------------------------------------------- boundaries


def test_boundaries_in_the_units_file(folder: Any, lines: Lines) -> None:
    path = folder.path / "tables" / "units.csv"
    units = pd.read_csv(path, dtype="str")
    path.unlink()
    shapes = squares(*units["unit_code"]).geometry.tolist()
    shapes[0] = None
    gpd.GeoDataFrame(units, geometry=shapes, crs=4490).to_parquet(folder.path / "tables" / "units.parquet")
    intake = folder.read()
    assert intake.boundaries is not None
    assert intake.boundaries.crs == "EPSG:4490"
    assert intake.boundaries["unit_code"].tolist() == [A, B]
    assert list(intake.boundaries.columns) == ["unit_code", "geometry"]
    assert [w.split("|")[1] for w in lines(intake, "warning")] == ["石桥社区（990101101001）没有面状边界"]
    assert set(intake.counts["table"]) == {"townships", "units", "crosswalk", "facts"}


def test_boundaries_in_a_file_of_their_own(folder: Any, lines: Lines) -> None:
    frame = squares(A, "990101101292", B, B, None, "990101101291")
    frame.to_parquet(folder.path / "tables" / "boundaries.parquet")
    intake = folder.read()
    assert intake.boundaries is not None
    assert intake.boundaries["unit_code"].tolist() == []  # A twice, once under its old code, and B twice
    refused = intake.quarantine["boundaries"]
    assert refused["source_row"].tolist() == [1, 2, 3, 4, 5, 6]
    errors = lines(intake, "error", table="boundaries")
    assert len(errors) == 6
    assert sum("几个边界" in e for e in errors) == 4
    assert [w.split("|")[1] for w in lines(intake, "warning")] == ["1 个村（社区）没有边界"]
    squares(A, "990101101291").iloc[1:].to_parquet(folder.path / "tables" / "boundaries.parquet")
    again = folder.read()
    assert again.boundaries is not None
    assert again.boundaries["unit_code"].tolist() == [A]


def test_boundaries_without_reference_system(folder: Any) -> None:
    squares(A, crs=None).to_parquet(folder.path / "tables" / "boundaries.parquet")
    error = refusal(folder)
    assert isinstance(error, DataError)
    assert "没有声明坐标系" in str(error)
    (folder.path / "sources.yaml").write_text("boundaries: {crs: EPSG:4490}", encoding="utf-8")
    assert len(folder.read().boundaries) == 1
    (folder.path / "sources.yaml").write_text("boundaries: {crs: EPSG:4547}", encoding="utf-8")
    assert "以米为单位" in str(refusal(folder))


def test_boundaries_named_in_the_declaration(folder: Any) -> None:
    (folder.path / "maps").mkdir()
    squares(A, B).rename(columns={"unit_code": "XZQDM"}).to_file(folder.path / "maps" / "v.gpkg")
    declared = "boundaries: {file: maps/v.gpkg, code_column: XZQDM}"
    (folder.path / "sources.yaml").write_text(declared, encoding="utf-8")
    intake = folder.read()
    assert intake.boundaries["unit_code"].tolist() == [A, B]
    assert "maps/v.gpkg" in [i.path for i in intake.inputs]


# ---------------------------------------------------------------- the sample


@pytest.fixture(scope="module")
def sample(parameters: ParameterSet) -> Intake:
    """Return the shipped sample, read."""
    return read_folder(SAMPLE, parameters)


def test_every_fault_planted_in_the_sample_is_found(sample: Intake) -> None:
    with FAULTS.open(encoding="utf-8-sig", newline="") as stream:
        planted = list(csv.DictReader(stream))
    assert planted
    told = sample.issues.assign(row=sample.issues["row"].fillna(0).astype("int64"))
    for fault in planted:
        here = told[(told["file"] == fault["file"]) & (told["sheet"] == fault["sheet"])]
        here = here[here["row"] == int(fault["row"])]
        if fault["kind"] in {"total_mismatch", "duplicate_row", "person_twice", "sex_mismatch"}:
            assert "warning" in set(here["severity"]), fault
        elif fault["kind"] == "code_renumbered":
            rows = sample.tables["screenings"]
            rows = rows[(rows["source_file"] == fault["file"]) & (rows["source_row"] == int(fault["row"]))]
            assert rows["unit_code"].isin(sample.tables["units"]["unit_code"]).tolist() == [True]
            continue
        else:
            assert "error" in set(here["severity"]), fault
        if not fault["kind"].startswith("duplicate"):
            assert fault["column"] in set(here["column"]), fault


def test_nothing_else_in_the_sample_is_refused(sample: Intake) -> None:
    with FAULTS.open(encoding="utf-8-sig", newline="") as stream:
        planted = {(f["file"], f["sheet"], int(f["row"])) for f in csv.DictReader(stream)}
    errors = sample.issues[sample.issues["severity"] == "error"]
    places = set(zip(errors["file"], errors["sheet"], errors["row"].astype("int64"), strict=True))
    # the earlier of two rows that contradict one another is refused with the later, planted one
    twins = errors[errors["remedy"].str.contains("重复而内容不同")]
    places -= set(zip(twins["file"], twins["sheet"], twins["row"].astype("int64"), strict=True)) - planted
    assert places - planted == set()
    counts = sample.counts
    assert (counts["read"] == counts["loaded"] + counts["quarantined"] + counts["dropped"]).all()
    assert len(sample.tables["units"]) == 3215
    assert sample.boundaries is not None


def test_headings_are_read_in_the_worker(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise AssertionError("a sheet was read in the program itself")

    for name in ("read", "survey"):
        monkeypatch.setattr(SheetReader, name, nowhere)
    folder.csv("returns/石桥镇_线索举报.csv", [["统计用区划代码", "受理日期", "线索类别", "件数"],
                                              ["990101101201", "2026-10-03", "拉票贿选", 2]])  # fmt: skip
    assert len(folder.read().tables["leads"]) == 1
    assert survey_returns(folder.path, folder.parameters)[0] == []
