from __future__ import annotations

import polars as pl
import pytest

from huanjie_lib.contracts import TABLES, table
from huanjie_lib.intake.guard import masked, personal_heading
from huanjie_lib.intake.headings import normalise
from huanjie_lib.parameters import load_parameters
from huanjie_lib.vocabulary import DisputeCategory


@pytest.mark.parametrize(
    "heading",
    [
        "姓名",
        "候选人姓名",
        "身份证号",
        "公民身份号码",
        "手 机",
        "联系电话",
        "宗教信仰",
        "民族",
        "家庭住址",
        "健康状况",
    ],
)
def test_headings_that_announce_persons(heading: str) -> None:
    assert personal_heading(normalise(heading)) is not None


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("所属宗族", "宗族姓氏"),
        ("是否信教", "宗教信仰"),
        ("族别", "民族"),
        ("残疾等级", "健康状况"),
        ("既往病史", "健康状况"),
        ("婚否", "婚育状况"),
        ("子女情况", "婚育状况"),
        ("上访次数", "信访情况"),
        ("是否信访人员", "信访情况"),
        ("举报人", "信访情况"),
        ("亲属违法犯罪情况", "亲属情况"),
        ("主要家庭成员", "亲属情况"),
        ("谈话内容", "谈话内容"),
        ("政治态度评价", "政治态度"),
        ("思想动态", "政治态度"),
        ("家庭房产", "财产状况"),
        ("家庭年收入（元）", "财产状况"),
        ("电子邮箱", "电话"),
        ("人脸照片", "生物识别"),
        ("近期行踪", "行踪"),
    ],
)
def test_what_must_never_bear_on_a_person_is_left_out(heading: str, kind: str) -> None:
    assert personal_heading(normalise(heading)) == kind


def test_what_villages_report_of_themselves_is_let_through() -> None:
    framework = load_parameters().framework
    labels = [one.label for one in (*framework.metrics.values(), *framework.indicators)]
    labels += [word.label for word in DisputeCategory] + [
        "信访总量",
        "集体收入",
        "债权债务",
        "村集体负债",
        "集体财产",
        "集体房产",
        "疾病防控经费",
        "功能定位",
        "谈话日期",
        "应谈人数",
    ]
    held = [label for label in labels if personal_heading(normalise(label)) is not None]
    assert set(held) <= {"宗族派系", "宗教势力"}  # words of a vocabulary, which no column is headed by


def test_no_contract_column_is_taken_for_personal_but_those_held_apart() -> None:
    flagged = {
        (t.name, c.name)
        for t in TABLES.values()
        for c in t.columns
        if personal_heading(normalise(c.label)) is not None
    }
    sealed = {("identities", "name_sealed"), ("identities", "id_sealed")}
    assert flagged == {("people_protected", "is_minority"), *sealed}


def test_masking_hides_numbers_and_names_and_nothing_else() -> None:
    leavers = table("leavers")
    rows = pl.DataFrame(
        {
            "person_ref": ["P-001", "张某某", "990101199001011234", None, "", "1.1010119900101123e17"],
            "unit_code": ["990101101201", "13010100120", "990101199001011234", None, "9901", "1.23E+11"],
            "arrangement": [
                "荣誉职务",
                "电话13900000000",
                "身份证 99010119900101123X。",
                None,
                "2026年补助 12000 元",
                "无",
            ],
        }
    )
    hidden = masked(rows, leavers)
    assert hidden["person_ref"].to_list() == [
        "P-001",
        "（已隐藏，3 个字符）",
        "（已隐藏，18 个字符）",
        None,
        "",
        "（已隐藏，21 个字符）",
    ]
    # an 11-digit code of a province 13 to 19 looks like a mobile number, yet the clerk must see it
    assert hidden["unit_code"].to_list() == [
        "990101101201",
        "13010100120",
        "（已隐藏，18 个字符）",
        None,
        "9901",
        "1.23E+11",
    ]
    assert hidden["arrangement"][0] == "荣誉职务"
    assert hidden["arrangement"][4] == "2026年补助 12000 元"
    text = " ".join(v for v in hidden["arrangement"] if v)
    assert "13900000000" not in text
    assert "9901011990" not in text


def test_names_where_people_have_a_word_a_figure_or_a_date_are_hidden() -> None:
    rows = pl.DataFrame(
        {
            "person_ref": ["P-001", "P-002", "P-003"],
            "channel": ["个人自荐", "某某某", "艾·某"],
            "birth_year": ["1990", "某某", None],
            "registered_on": ["2026年5月1日", "某某某", "2026-05-01"],
        }
    )
    seen = masked(rows, table("people"))
    assert seen["channel"].to_list() == ["个人自荐", "（已隐藏，3 个字符）", "（已隐藏，3 个字符）"]
    assert seen["birth_year"].to_list() == ["1990", "（已隐藏，2 个字符）", None]
    assert seen["registered_on"].to_list() == ["2026年5月1日", "（已隐藏，3 个字符）", "2026-05-01"]
    units = pl.DataFrame({"unit_kind": ["某某"]})
    assert masked(units, table("units"))["unit_kind"].to_list() == ["某某"]
