"""What headings of a township mean is said once by a person, kept, and used; nothing else is believed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.intake.folder import survey_returns
from huanjie_lib.intake.mapping import (
    LEFT_OUT,
    Mappings,
    candidates,
    confirm_mapping,
    read_mappings,
    value_kinds,
    write_proposals,
)
from huanjie_lib.intake.sheets import SheetReader
from huanjie_lib.parameters import ParameterSet

Lines = Callable[..., list[str]]
A, B = "990101101201", "990101101202"
SCREENING = ["编号", "区划代码", "走访日", "摸排方法", "书记带队否", "联系人手机", "随手记"]
ROWS = [
    ["S1", A, "2026-10-01", "走访", "是", "", "甲"],
    ["S2", B, "2026-10-02", "座谈", "否", "", "乙"],
    ["S3", B, "2026-10-03", "谈话", "是", "", "丙"],
]


@pytest.fixture(scope="module")
def targets(parameters: ParameterSet) -> dict[str, Any]:
    return {t.words[0]: t for t in SheetReader(parameters.framework).targets}


def mapping(**changes: Any) -> dict[str, Any]:
    said = {"编号": "摸排编号", "走访日": "摸排日期", "摸排方法": "摸排方式", "随手记": LEFT_OUT}
    said |= changes.pop("said", {})
    columns = [{"heading": heading, "means": means} for heading, means in said.items()]
    sheet = {"sheet": "摸排表", "table": "矛盾摸排", "columns": columns}
    whole = {
        "office": "石桥镇",
        "confirmed_by": "wang",
        "confirmed_on": dt.date(2026, 11, 5),
        "sheets": [sheet],
    }
    return whole | changes


def put(folder: Any, content: Any, name: str = "石桥镇.yaml") -> None:
    path = folder.path / "mappings" / name
    path.parent.mkdir(exist_ok=True)
    text = (
        content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    )
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def filed(folder: Any) -> Any:
    folder.workbook("returns/石桥镇/石桥镇十月.xlsx", {"摸排表": [SCREENING, *ROWS]})
    return folder


# ---------------------------------------------------------------- use


def test_a_confirmed_mapping_is_used_and_told(filed: Any, lines: Lines) -> None:
    before = filed.read()
    assert "screenings" not in before.tables
    put(filed, mapping())
    after = filed.read()
    rows = after.tables["screenings"]
    assert rows["screening_id"].tolist() == ["S1", "S2", "S3"]
    assert rows["screened_on"].tolist() == [pd.Timestamp(2026, 10, d) for d in (1, 2, 3)]
    notes = lines(after, "note", table="screenings")
    assert any(n.startswith("摸排日期|按栏目对照，把“走访日”读作“摸排日期”|") for n in notes)
    assert any("按栏目对照，“随手记”没有载入" in n for n in notes)
    assert all("wang 于 2026-11-05 确认，见 mappings/石桥镇.yaml" in n for n in notes if "栏目对照" in n)
    (unknown,) = [w for w in lines(after, "warning") if "不认得的列" in w]
    assert "书记带队否" in unknown
    assert "随手记" not in unknown
    assert any("含个人信息的列（电话类）" in e for e in lines(after, "error"))
    assert "mappings/石桥镇.yaml" in [i.path for i in after.inputs]


def test_next_month_is_read_by_the_same_mapping_and_other_offices_are_not(filed: Any) -> None:
    put(filed, mapping())
    rows = [["S9", A, "2026-11-01", *ROWS[0][3:]]]
    filed.workbook("returns/石桥镇/石桥镇十一月.xlsx", {"摸排表": [SCREENING, *rows]})
    filed.workbook("returns/柳林镇/柳林镇十月.xlsx", {"摸排表": [SCREENING, ["S8", *rows[0][1:]]]})
    assert sorted(filed.read().tables["screenings"]["screening_id"]) == ["S1", "S2", "S3", "S9"]


def test_units_of_measure_come_from_the_heading_or_from_the_person(filed: Any) -> None:
    heads = ["村(社区)名称", "统计用区划代码", "村集体进账(万元)", "村里欠账"]
    filed.workbook(
        "returns/石桥镇/石桥镇基本.xlsx",
        {"基本情况": [["填报日期：2026年10月31日"], heads, ["上云村", A, 1.5, 2]]},
    )
    columns = [
        {"heading": "村集体进账(万元)", "means": "集体经济年收入"},
        {"heading": "村里欠账", "means": "集体债务余额", "unit": "万元"},
    ]
    put(filed, mapping(sheets=[{"sheet": "基本情况", "table": "基本情况", "columns": columns}]))
    facts = filed.read().tables["facts"]
    own = facts[facts["source_sheet"] == "基本情况"]
    values = dict(zip(own["metric"], own["value"], strict=True))
    assert values == {"collective_income": 15000.0, "collective_debt": 20000.0}


@pytest.mark.parametrize("lacking", ["confirmed_by", "confirmed_on"])
def test_what_nobody_has_confirmed_is_not_applied(filed: Any, lines: Lines, lacking: str) -> None:
    put(filed, mapping(**{lacking: "" if lacking == "confirmed_by" else None}))
    intake = filed.read()
    assert "screenings" not in intake.tables
    assert any("没有经人确认" in w and lacking in w for w in lines(intake, "warning"))


def test_a_mapping_that_no_return_needs_is_told(filed: Any, lines: Lines) -> None:
    put(filed, mapping(office="石桥乡"))
    assert any("没有“石桥乡”的报送文件" in w for w in lines(filed.read(), "warning"))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "line", "told"),
    [
        ({"said": {"走访日": "走访日期"}}, "means: 走访日期", "走访日期|“矛盾摸排”中的列：摸排编号"),
        (
            {"said": {"统计用区划代码": "摸排编号"}},
            "means: 摸排编号",
            "把“统计用区划代码”当作“摸排编号”|“统计用区划代码”：报送表规定",
        ),
        (
            {"said": {"摸排方法": "摸排日期"}},
            "means: 摸排日期",
            "“走访日”和“摸排方法”都当作“摸排日期”|一列只对应一个标题",
        ),
        ({"said": {"联系人手机": "摸排编号"}}, "- heading: 联系人手机", "个人信息的列（电话类）|不含"),
        ({"said": {"备注": "摸排方式"}}, "- heading: 备注", "“备注”只供填表人核对"),
        (
            {"said": {"村(社区)名称": "摸排方式"}},
            "- heading: 村(社区)名称",
            "“村(社区)名称”只供填表人核对",
        ),
        ({"said": {"Ｒ": "R"}}, "means: R", "R|“矛盾摸排”中的列"),
        ({"office": ""}, "office: ''", "office："),
        ({"confirmed_on": "昨天"}, "confirmed_on: 昨天", "confirmed_on："),
        ({"colour": "red"}, "colour: red", "colour：red|参数包定义的键"),
        (
            {"sheets": [{"sheet": "摸排表", "table": "人才库", "columns": []}]},
            "table: 人才库",
            "人才库|基本情况、审计台账",
        ),
    ],
)
def test_a_mapping_with_a_fault_is_refused_with_its_line(
    filed: Any, change: dict[str, Any], line: str, told: str
) -> None:
    put(filed, mapping(**change))
    intake = filed.read()
    faults = intake.issues[intake.issues["file"] == "mappings/石桥镇.yaml"]
    found = [f"{f}|{a}" for f, a in zip(faults["found"], faults["allowed"], strict=True)]
    assert len(found) == 1
    assert found[0].startswith(told), found
    text = (filed.path / "mappings" / "石桥镇.yaml").read_text(encoding="utf-8").splitlines()
    assert text[faults["row"].item() - 1].strip() == line
    assert "screenings" not in intake.tables


def test_units_that_cannot_be_converted_are_refused(filed: Any) -> None:
    columns = [{"heading": "村里欠账(户)", "means": "集体债务余额"}]
    put(filed, mapping(sheets=[{"sheet": "基本情况", "table": "基本情况", "columns": columns}]))
    issues = filed.read().issues
    assert (issues["allowed"] == "能换算为“元”的单位").sum() == 1


def test_a_mapping_never_adds_a_second_column_beside_the_heading_of_the_contract(
    filed: Any, lines: Lines
) -> None:
    heads = ["摸排编号", "统计用区划代码", "摸排日期", "摸排方式", "走访日"]
    filed.workbook(
        "returns/石桥镇/二.xlsx", {"摸排表": [heads, ["S1", A, "2026-10-01", "走访", "2026-10-02"]]}
    )
    put(filed, mapping())
    intake = filed.read()
    assert any("列标题重复：摸排日期（C 列）、走访日（E 列）" in e for e in lines(intake, "error"))
    assert len(intake.quarantine["screenings"]) == 1


def test_files_that_are_no_mappings(filed: Any) -> None:
    put(filed, "office: [石桥镇\n")
    put(filed, "无", name="说明.docx")
    put(filed, mapping(), name="一.yaml")
    put(filed, mapping(), name="二.yaml")
    intake = filed.read()
    told = intake.issues[
        intake.issues["file"].str.startswith("mappings/") & (intake.issues["severity"] == "error")
    ]
    assert dict(zip(told["file"], told["row"].fillna(0), strict=True)) == {
        "mappings/石桥镇.yaml": 2,
        "mappings/说明.docx": 0,
        "mappings/二.yaml": 1,
    }
    assert len(intake.tables["screenings"]) == 3  # the first of two that say the same


# ---------------------------------------------------------------- proposals


def test_the_way_from_a_proposal_to_a_reading(
    filed: Any, parameters: ParameterSet, targets: dict[str, Any]
) -> None:
    surveys, known, root = survey_returns(filed.path, parameters)
    (path,) = write_proposals(surveys, filed.path / "mappings", known=known, root=root)
    assert path.name == "石桥镇.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    (sheet,) = content["sheets"]
    assert (sheet["sheet"], sheet["table"]) == ("摸排表", "矛盾摸排")
    told = {c["heading"]: c for c in sheet["columns"]}
    assert told["摸排方法"]["means"] == "摸排方式"
    assert told["走访日"]["values"] == "3 格：日期 3"
    assert "联系人手机" not in told  # what a person's number stands under is never mapped in
    assert "摸排日期" in [c["means"] for c in told["走访日"]["candidates"]]
    assert "联系人手机" not in told  # a person's number is never mapped in
    assert not any(text in path.read_text(encoding="utf-8") for text in ("甲", "乙", "丙", "S1"))
    with pytest.raises(DataError) as caught:
        confirm_mapping(path, list(targets.values()), account="wang", on=dt.date(2026, 11, 5))
    assert [f.found for f in caught.value.faults if "随手记" in f.found] == ["“随手记”还没有写明意思"]
    answers = {"编号": "摸排编号", "走访日": "摸排日期", "书记带队否": "书记带队", "随手记": LEFT_OUT}
    for column in sheet["columns"]:
        column["means"] = answers.get(column["heading"], column["means"])
    path.write_text(
        "# 核对过\n" + yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8"
    )
    assert confirm_mapping(path, list(targets.values()), account="wang", on=dt.date(2026, 11, 5)) == len(
        sheet["columns"]
    )
    assert path.read_text(encoding="utf-8").startswith(
        "# 核对过\noffice: 石桥镇\nconfirmed_by: wang\nconfirmed_on: 2026-11-05\n"
    )
    rows = filed.read().tables["screenings"]
    assert rows["led_by_secretary"].tolist() == [True, False, True]
    surveys, known, _ = survey_returns(filed.path, parameters)
    assert surveys == []


def test_proposals_never_overwrite_and_keep_offices_apart(filed: Any, parameters: ParameterSet) -> None:
    filed.workbook("returns/柳林镇/柳林镇十月.xlsx", {"摸排表": [SCREENING, *ROWS]})
    surveys, known, root = survey_returns(filed.path, parameters)
    with pytest.raises(UsageError, match="每个单位一个文件"):
        write_proposals(surveys, filed.path / "all.yaml", known=known, root=root)
    (one,) = write_proposals(surveys, filed.path / "one.yaml", known=known, root=root, office="柳林镇")
    assert one.is_file()
    with pytest.raises(UsageError, match="不覆盖"):
        write_proposals(surveys, one, known=known, root=root, office="柳林镇")


def test_what_another_office_has_confirmed_comes_first(filed: Any, targets: dict[str, Any]) -> None:
    put(filed, mapping(said={"编号": LEFT_OUT, "随手记": "摸排方式", "摸排方法": LEFT_OUT}))
    known, issues, _ = read_mappings(filed.path, list(targets.values()))
    assert issues == []
    assert repr(known) == "Mappings(offices=1, sheets=1, headings=4)"
    first = candidates("随手记", ["走访"], targets["矛盾摸排"], known=known)[0]
    assert (first.name, first.why) == ("method", "“石桥镇”已确认的对照")


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("户籍人口总数", "hukou_population"),
        ("户籍人囗", "hukou_population"),
        ("常住人口数", "resident_population"),
        ("1、总户数", "households"),
        ("其中:党员人数", "members_total"),
        ("在册党员总数", "members_total"),
        ("60岁及以上党员", "members_over_60"),
        ("登记在册选民", "voters_registered"),
        ("信访积案数", "petitions_backlog"),
        ("班子应有职数", "committee_seats"),
        ("后备人选数", "reserve_people"),
        ("村集体经济年收入", "collective_income"),
        ("集体经济收入", "collective_income"),
        ("集体负债余额", "collective_debt"),
    ],
)
def test_headings_as_townships_write_them(targets: dict[str, Any], heading: str, name: str) -> None:
    found = candidates(heading, ["12", "30", ""], targets["基本情况"])
    assert found[0].name == f"metric:{name}"


def test_values_decide_where_the_spelling_does_not(targets: dict[str, Any]) -> None:
    screenings = targets["矛盾摸排"]
    assert [c.name for c in candidates("怎么做的", ["走访", "座谈", "谈话"], screenings)] == ["method"]
    assert candidates("怎么做的", ["走访", "座谈", "开大会"], screenings) == []
    assert candidates("摸排日", ["走访", "座谈"], screenings)[0].name == "method"  # no dates
    assert candidates("备用号", ["13900000000", "", "1"], screenings) == []  # a telephone number
    assert [
        c.name for c in candidates("候选人代码", ["P-1"], targets["资格联审"]) if c.name.endswith("_ref")
    ] == []


def test_kinds_of_values_repeat_no_value() -> None:
    told = value_kinds(["赵云溪", "13900000000", "11010519900307001X", "/", "990101101201"])
    assert told == "5 格：空 1、区划代码 1、文字 1、疑似证件号或手机号 2"
    assert value_kinds([]) == "0 格："


def test_no_folder_of_mappings(tmp_path: Path) -> None:
    assert read_mappings(tmp_path, ()) == (Mappings(), [], [])
