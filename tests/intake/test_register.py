"""Register forms become people under pseudonyms, and no message ever repeats a name or number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huanjie_lib.access.id_numbers import check_character
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.register_form import REGISTER_FORM
from huanjie_lib.intake import Intake, write_report

Lines = Callable[..., list[str]]
Row = list[Any]

KEYS = KeyRing(bytes(range(32)), bytes(range(64)))
A, B = "990101101201", "990101101202"
HEADINGS = [column.label for column in REGISTER_FORM.columns]


def number(serial: int, birth: str = "19900307", place: str = "110105") -> str:
    stem = f"{place}{birth}{serial:03d}"
    return stem + check_character(stem)


MAN, WOMAN, OTHER = number(1), number(2), number(3)


def row(name: str = "赵云溪", id_number: Any = MAN, **change: Any) -> Row:
    """Return a good row of the form, but for what is changed."""
    cells: dict[str, Any] = {
        "name": name,
        "id_number": id_number,
        "sex": None,
        "is_minority": None,
        "unit_code": A,
        "channel": "个人自荐",
        "source": "返乡人员",
        "education": "大专",
        "affiliation": "群众",
        "status": "已入库",
        "registered_on": "2026-05-01",
        "updated_on": "2026-09-01",
        **change,
    }
    return [cells[column.name] for column in REGISTER_FORM.columns]


def ref(id_number: str) -> str:
    return KEYS.pseudonym("person", id_number)


def file(
    folder: Any, *rows: Row, name: str = "returns/石桥镇/石桥镇人才库登记表.xlsx", **sheets: Any
) -> None:
    folder.workbook(name, {"人才库": [HEADINGS, *rows], **sheets})


def shown(intake: Intake) -> str:
    """Return everything that intake would print or write."""
    parts = [intake.issues.to_csv(), intake.counts.to_csv(), str(intake.summary())]
    parts += [frame.to_csv() for frame in intake.quarantine.values()]
    parts += [frame.to_csv() for frame in intake.tables.values()]
    return "\n".join(parts)


def errors(intake: Intake) -> list[tuple[int, str, str]]:
    rows = intake.issues[(intake.issues["severity"] == "error") & (intake.issues["table"] == "register")]
    return [(int(r.row), r.label, r.found) for r in rows.itertuples()]


# ---------------------------------------------------------------- good forms


def test_a_row_becomes_a_person_a_sealed_identity_and_protected_attributes(folder: Any, lines: Lines) -> None:
    file(
        folder,
        row(),
        row("欧阳　云", WOMAN.lower(), unit_code=None, sex="女", is_minority="是", education=None),
    )
    intake = folder.read(KEYS)
    assert lines(intake, "error") == []
    people = intake.tables["people"].set_index("person_ref")
    assert set(people.index) == {ref(MAN), ref(WOMAN)}
    first = people.loc[ref(MAN)]
    assert (first["unit_code"], first["channel"], first["education"], first["birth_year"]) == (
        A,
        "self",
        "31",
        1990,
    )
    assert (first["source_sheet"], first["source_row"]) == ("人才库", 2)
    assert first["registered_on"] == pd.Timestamp("2026-05-01")
    assert people["unit_code"].isna().tolist() == [ref(WOMAN) == r for r in people.index]
    protected = intake.tables["people_protected"].set_index("person_ref")
    assert protected["sex"].to_dict() == {ref(MAN): "1", ref(WOMAN): "2"}  # filled in from the number
    assert protected.loc[ref(WOMAN), "is_minority"]
    assert protected["is_minority"].isna().sum() == 1
    identities = intake.tables["identities"].set_index("person_ref")
    sealed = identities.loc[ref(WOMAN)]
    assert KEYS.unseal(sealed["name_sealed"], "name", ref(WOMAN)) == "欧阳云"
    assert KEYS.unseal(sealed["id_sealed"], "id_number", ref(WOMAN)) == WOMAN
    for secret in ("赵云溪", "欧阳", MAN, WOMAN):
        assert secret not in shown(intake)


def test_a_form_with_title_totals_and_signature_is_read(folder: Any, lines: Lines) -> None:
    title = ["石桥镇后备人才登记表"]
    filed = ["填报单位：石桥镇人民政府", None, "填报日期：2026年10月31日"]
    numbered = [
        ["序号", *HEADINGS],
        [1, *row()],
        [],
        [2, *row("李霁", WOMAN)],
        ["填表人：", None, "审核人："],
    ]
    folder.workbook(
        "returns/石桥镇/石桥镇报送.xlsx",
        {"人才库": [title, filed, *numbered], "填表说明": [["说明", "赵云溪"]]},
    )
    intake = folder.read(KEYS)
    assert lines(intake, "error") == lines(intake, "warning") == []
    assert len(intake.tables["people"]) == 2
    account = intake.counts[intake.counts["table"] == "register"].iloc[0]
    assert (account["read"], account["loaded"], account["dropped"]) == (4, 2, 2)


def test_old_codes_are_replaced_and_told(folder: Any, lines: Lines) -> None:
    file(folder, row(unit_code="990101101291"))
    intake = folder.read(KEYS)
    assert intake.tables["people"]["unit_code"].tolist() == [A]
    assert any("旧代码" in text for text in lines(intake, "note", table="register"))


# ---------------------------------------------------------------- what is wrong in a row


@pytest.mark.parametrize(
    ("change", "label", "found"),
    [
        ({"id_number": None}, "身份证号", "（空）"),
        ({"id_number": int(number(12))}, "身份证号", "数字格式的单元格，末几位已经丢失"),
        ({"id_number": "1.10105E+17"}, "身份证号", "数字格式的单元格，末几位已经丢失"),
        ({"id_number": MAN[:-1] + ("0" if MAN[-1] != "0" else "1")}, "身份证号", "校验位不符"),
        ({"id_number": MAN[:15] + "000"}, "身份证号", "末三位为000且校验位不符，可能被Excel舍去了末几位"),
        ({"id_number": MAN[:17]}, "身份证号", "不是18位的号码"),
        ({"id_number": "13900000000"}, "身份证号", "不是18位的号码"),
        ({"id_number": number(1, "19900230")}, "身份证号", "第7至14位不是真实存在的出生日期"),
        ({"id_number": number(1, "19050101")}, "身份证号", "出生年份超出范围"),
        ({"name": None}, "姓名", "（空）"),
        ({"name": MAN}, "姓名", "含数字的内容，18 个字符"),
        ({"channel": "赵云溪"}, "入库渠道", "（已隐藏，3 个字符）"),
        ({"status": None}, "培养状态", "（空）"),
        ({"education": "13900000000"}, "学历", "（已隐藏，11 个字符）"),
        ({"registered_on": "2026-02-30"}, "入库日期", "（已隐藏，10 个字符）"),
        ({"updated_on": "2026-04-30"}, "更新日期", "较早的日期"),
        ({"unit_code": "057100000000"}, "统计用区划代码", "（已隐藏，12 个字符）"),
        ({"unit_code": "赵云溪"}, "统计用区划代码", "（已隐藏，3 个字符）"),
        ({"sex": "赵云溪"}, "性别", "（已隐藏，3 个字符）"),
        ({"is_minority": "赵云溪"}, "少数民族", "（已隐藏，3 个字符）"),
    ],
)
def test_a_bad_cell_sets_the_row_aside_and_is_never_repeated(
    folder: Any, change: dict[str, Any], label: str, found: str
) -> None:
    file(folder, row("李霁", WOMAN), row(**change))
    intake = folder.read(KEYS)
    assert (3, label, found) in errors(intake)
    assert {place for place, _, _ in errors(intake)} == {3}
    assert intake.tables["people"]["person_ref"].tolist() == [ref(WOMAN)]
    aside = intake.quarantine["register"]
    assert aside["source_row"].tolist() == [3]
    assert list(aside.columns) == ["source_file", "source_sheet", "source_row", "reasons"]
    for secret in ("赵云溪", MAN[:15], "13900000000", "1.10105", "057100000000"):
        assert secret not in shown(intake)


def test_every_fault_of_a_row_is_told(folder: Any) -> None:
    file(folder, row(id_number=None, name=None, channel="无此渠道", registered_on=None))
    assert {label for _, label, _ in errors(folder.read(KEYS))} == {
        "身份证号",
        "姓名",
        "入库渠道",
        "入库日期",
    }


def test_a_sex_that_does_not_fit_the_number_is_told_and_kept(folder: Any, lines: Lines) -> None:
    file(folder, row(sex="女"))
    intake = folder.read(KEYS)
    assert [w.split("|")[:2] for w in lines(intake, "warning")] == [["性别", "与身份证号第17位不一致"]]
    assert intake.tables["people_protected"]["sex"].tolist() == ["2"]


@pytest.mark.parametrize(
    ("birth", "day", "held"),
    [
        ("20080502", "2026-05-01", False),
        ("20080501", "2026-05-01", True),
        ("20080229", "2026-02-28", False),
        ("20080229", "2026-03-01", True),
        ("20140307", "2026-05-01", False),
    ],
)
def test_nobody_is_registered_before_coming_of_age(folder: Any, birth: str, day: str, held: bool) -> None:
    file(folder, row(id_number=number(7, birth), registered_on=day))
    intake = folder.read(KEYS)
    found = "登记时未满18周岁，没有被选举权"
    assert errors(intake) == ([] if held else [(2, "身份证号", found)])
    assert len(intake.tables.get("people", ())) == held


def test_columns_that_are_not_held_are_left_out_unread(folder: Any, lines: Lines) -> None:
    heads = [*HEADINGS, "联系电话", "民族", "宗教信仰", "家庭住址", "特长"]
    cells = [*row(), "13900000000", "某族", "某教", "某路1号", "会修水电"]
    folder.workbook("returns/石桥镇/人才库.xlsx", {"人才库": [heads, cells]})
    intake = folder.read(KEYS)
    told = lines(intake, "error", table="register")
    assert [t.split("|")[1] for t in told] == [
        f"含个人信息的列（{kind}类）" for kind in ("电话", "民族", "宗教信仰", "住址")
    ]
    assert "姓名、身份证号" in told[0]
    assert [w.split("|")[1] for w in lines(intake, "warning", table="register")] == [
        "不认得的列，未载入：第 17 列"
    ]
    assert len(intake.tables["people"]) == 1
    for secret in ("13900000000", "某族", "某教", "某路", "会修水电"):
        assert secret not in shown(intake)


# ---------------------------------------------------------------- the same person


def test_of_several_rows_the_newest_stands_and_the_others_are_told(folder: Any, lines: Lines) -> None:
    file(
        folder,
        row(updated_on="2026-08-01", status="培养中"),
        row(updated_on=None, status="已出库"),
        row(id_number=MAN, updated_on="2026-09-15", status="准岗"),
    )
    file(folder, row(updated_on="2026-09-15", status="已使用"), name="returns/云冲镇/云冲镇人才库.xlsx")
    intake = folder.read(KEYS)
    assert intake.tables["people"]["status"].tolist() == ["trial"]  # 石桥镇 is read after 云冲镇
    assert lines(intake, "error") == []
    told = intake.issues[intake.issues["severity"] == "warning"]
    assert [(r.file.split("/")[1], int(r.row)) for r in told.itertuples()] == [
        ("云冲镇", 2),
        ("石桥镇", 2),
        ("石桥镇", 3),
    ]
    assert "石桥镇人才库登记表.xlsx 工作表“人才库”第 4 行是同一人" in told["found"].iloc[0]
    assert told["found"].iloc[1] == "与本表第 4 行是同一人"
    account = intake.counts[intake.counts["table"] == "register"]
    assert account["dropped"].tolist() == [1, 2]
    assert "同一人另有更新的登记 2" in account["reason"].iloc[1]


def test_one_number_under_two_names_is_taken_for_neither(folder: Any) -> None:
    file(folder, row("赵云溪"), row("李霁", WOMAN), row("赵雲溪", updated_on="2026-10-01"))
    intake = folder.read(KEYS)
    assert errors(intake) == [
        (2, "姓名", "与本表第 4 行身份证号相同而姓名不同"),
        (4, "姓名", "与本表第 2 行身份证号相同而姓名不同"),
    ]
    assert intake.tables["people"]["person_ref"].tolist() == [ref(WOMAN)]


def hold(folder: Any, id_number: str, name: str, updated_on: str, keys: KeyRing = KEYS) -> str:
    """Put one person into the tables of the folder."""
    person = keys.pseudonym("person", id_number)
    heads = ["person_ref", "unit_code", "channel", "source", "status", "registered_on", "updated_on"]
    folder.csv(
        "tables/people.csv", [heads, [person, B, "masses", "veteran", "selected", "2024-01-01", updated_on]]
    )
    folder.csv("tables/people_protected.csv", [["person_ref", "sex"], [person, "1"]])
    sealed = [person, keys.seal(name, "name", person), keys.seal(id_number, "id_number", person)]
    folder.csv("tables/identities.csv", [["person_ref", "name_sealed", "id_sealed"], sealed])
    return person


@pytest.mark.parametrize(
    ("updated_on", "unit"), [("2026-08-31", A), ("2026-09-01", B), ("2026-09-02", B), ("", A)]
)
def test_a_newer_form_replaces_what_is_held_and_an_older_does_not(
    folder: Any, lines: Lines, updated_on: str, unit: str
) -> None:
    person = hold(folder, MAN, "赵云溪", updated_on)
    file(folder, row(), row("李霁", WOMAN))
    intake = folder.read(KEYS)
    assert lines(intake, "error") == lines(intake, "warning") == []
    for name in ("people", "people_protected", "identities"):
        assert sorted(intake.tables[name]["person_ref"]) == sorted([person, ref(WOMAN)])
    assert intake.tables["people"].set_index("person_ref").loc[person, "unit_code"] == unit
    assert [note.split("|")[1] for note in lines(intake, "note", table="register") if "已有" in note] == [
        "人才库中已有此人"
    ]


def test_another_name_than_the_one_held_is_refused(folder: Any) -> None:
    hold(folder, MAN, "钱云溪", "2024-01-01")
    file(folder, row())
    intake = folder.read(KEYS)
    assert errors(intake) == [(2, "姓名", "与人才库中同一身份证号的姓名不同")]
    assert intake.tables["people"]["unit_code"].tolist() == [B]
    assert "云溪" not in shown(intake)


def test_keys_that_do_not_belong_to_the_register_load_nothing(folder: Any, lines: Lines) -> None:
    hold(folder, MAN, "赵云溪", "2024-01-01", keys=KeyRing.from_seed(1))
    file(folder, row("李霁", WOMAN))
    intake = folder.read(KEYS)
    assert [e.split("|")[1] for e in lines(intake, "error")] == ["密钥打不开已有的身份信息，登记表没有载入"]
    assert len(intake.tables["people"]) == 1


def test_real_people_are_never_registered_under_the_keys_of_a_sample(folder: Any) -> None:
    file(folder, row(), row("李霁", number(4, place="990101")))
    intake = folder.read(KeyRing.from_seed(1))
    assert errors(intake) == [(2, "身份证号", "示例数据的密钥不保护任何人")]
    assert len(intake.tables["people"]) == 1


def test_without_keys_forms_are_checked_and_not_loaded(folder: Any, lines: Lines) -> None:
    file(folder, row(), row(updated_on="2026-08-01"), row("李霁", WOMAN[:-1] + "?"))
    intake = folder.read()
    assert not {"people", "people_protected", "identities"} & set(intake.tables)
    assert [place for place, _, _ in errors(intake)] == [4]
    assert [w.split("|")[1] for w in lines(intake, "warning")] == [
        "没有给出密钥，登记表只作检查，没有载入",
        "与本表第 2 行是同一人",
    ]
    account = intake.counts[intake.counts["table"] == "register"].iloc[0]
    assert (account["read"], account["loaded"], account["quarantined"], account["dropped"]) == (3, 0, 1, 2)
    again = folder.read()
    pd.testing.assert_frame_equal(intake.issues, again.issues)  # though the keys were others


def test_a_form_without_its_headings_is_refused_without_a_word_of_it(folder: Any) -> None:
    file(folder)
    folder.workbook("returns/石桥镇/石桥镇人才库登记表.xlsx", {"人才库": [row(), row("李霁", WOMAN)]})
    intake = folder.read(KEYS)
    assert intake.quarantine["register"]["source_row"].tolist() == [1, 2]
    for secret in ("赵云溪", "李霁", MAN, WOMAN):
        assert secret not in shown(intake)


# ---------------------------------------------------------------- nothing leaks

SURNAME = st.sampled_from("赵钱孙李周吴郑王")
GIVEN = st.text(st.sampled_from("霁淙岫婵翀珩"), min_size=2, max_size=3)  # in no word of the program
NAMES = st.builds(str.__add__, SURNAME, GIVEN)
NUMBERS = st.builds(
    number, st.integers(0, 999), st.dates(dt.date(1921, 1, 1), dt.date(2014, 1, 1)).map("{:%Y%m%d}".format)
)
BROKEN = st.builds(lambda text, cut: text[:cut], NUMBERS, st.integers(13, 17))
GOOD = ("个人自荐", "退役军人", "本科", "群众", "培养中", "2026-05-01", A, "男", "是")
CELLS = st.one_of(
    st.none(), st.sampled_from(GOOD), NAMES, NUMBERS, BROKEN, NUMBERS.map(lambda text: int(text[:17] + "0"))
)
SHEETS = st.lists(
    st.lists(CELLS, min_size=len(HEADINGS) + 1, max_size=len(HEADINGS) + 1), min_size=1, max_size=5
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=SHEETS,
    name=st.sampled_from(["人才库", "Sheet1"]),
    headings=st.sampled_from(
        [HEADINGS, HEADINGS[1:], HEADINGS[2:], [], ["姓名", "姓名"], ["姓名", "身份证号", "学历", "性别"]]
    ),
    keys=st.sampled_from([KEYS, None, KeyRing.from_seed(1)]),
)
def test_whatever_stands_in_a_form_no_name_or_number_comes_out(
    folder: Any, tmp_path: Path, rows: Sequence[Row], name: str, headings: list[str], keys: KeyRing | None
) -> None:
    path = folder.path / "returns" / "石桥镇" / "a.xlsx"
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.active.title = name
    for cells in [headings, *rows] if headings else rows:
        book.active.append(cells)
    book.save(path)
    intake = folder.read(keys)
    write_report(intake, tmp_path / "report")
    written = [
        p.read_text(encoding="utf-8-sig") for p in sorted((tmp_path / "report").rglob("*")) if p.is_file()
    ]
    out = shown(intake) + "".join(written)
    cells = [str(cell) for line in rows for cell in line if cell is not None and cell not in GOOD]
    leaked = [cell for cell in cells if (cell[1:3] if not cell[0].isdigit() else cell[:12]) in out]
    assert leaked == []
