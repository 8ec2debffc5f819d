from __future__ import annotations

import polars as pl
import pytest

from huanjie_lib.contracts import TABLES, table
from huanjie_lib.intake.guard import masked, personal_heading
from huanjie_lib.intake.headings import normalise


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
