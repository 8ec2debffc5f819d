"""The roster read back: who stands on it, under which name for whom, with what was decided."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing, SealError
from huanjie_lib.errors import UsageError
from huanjie_lib.exports.roster import SHEETS, roster_workbook, write_roster
from huanjie_lib.store.decisions import Decision
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.talent_folder import TALENT_TABLES, TalentRun
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import Role
from tests.offices import CITY
from tests.talent_runs import (
    BRIDGE,
    CLOUD,
    HOSTILE_NAME,
    KEYS,
    LI,
    NAMES,
    NUMBERS,
    OUYANG,
    ZHANG,
    ZHAO,
    talent_folder,
    talent_run,
)

Rows = list[dict[str, Any]]
SPOKEN = "=HYPERLINK(1) 群众更认可张大三"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TalentRun:
    return talent_folder(tmp_path_factory.mktemp("talent"))


@pytest.fixture(scope="module")
def decisions(run: TalentRun, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    assert run.path is not None
    digest = hashlib.sha256((run.path / "manifest.json").read_bytes()).hexdigest()
    first = {"decision_id": "d1", "talent_run": "ab" * 32, "choice": "accept", "departs": False}
    then = {"decision_id": "d2", "talent_run": digest, "choice": "change", "departs": True}
    where = {"unit_code": CLOUD, "post": "director", "person_ref": ZHANG}
    with open_ledger(tmp_path_factory.mktemp("store"), create=True) as ledger:
        ledger.decide(Decision.from_json(json.dumps(where | first | {"expected": 0})), CITY)
        told = {"instead_ref": ZHAO, "reason": SPOKEN, "expected": 1}
        ledger.decide(Decision.from_json(json.dumps(where | then | told)), CITY)
        return ledger.decisions()


def book(content: bytes) -> dict[str, Rows]:
    """Rows of the table sheets by heading."""
    found: dict[str, Rows] = {}
    for sheet in openpyxl.load_workbook(io.BytesIO(content)):
        heads = [str(cell.value) for cell in sheet[2]]
        found[sheet.title] = [
            dict(zip(heads, (cell.value for cell in row), strict=True)) for row in sheet.iter_rows(min_row=3)
        ]
    return found


def words(content: bytes) -> list[str]:
    whole = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for sheet in whole for row in sheet.rows for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    return [str(cell.value) for cell in cells]


def at(rows: Rows, unit: str, post: str) -> Rows:
    return [row for row in rows if (row["村（社区）"], row["岗位"]) == (unit, post)]


def test_every_post_tells_whom_the_lists_have_and_how_well_they_fit(run: TalentRun) -> None:
    found = book(roster_workbook(run, role=Role.TALENT, keys=KEYS))
    assert list(found) == [name for name, _ in SHEETS]
    first, second = at(found["建议名册"], "上云村", "主任")
    assert (first["姓名（掩码）"], first["代号末4位"], first["本岗位排名"]) == ("张*三", ZHANG[-4:], "第1名")
    assert [first[name] for name in ("最低", "适配分", "最高")] == pytest.approx([50.0, 64.0, 78.0])
    assert (first["职数"], first["应列人选"], first["进入应列人选的可能性"]) == (1, 2, 0.9)
    assert first["推荐理由"].startswith("财务管理80.0分，低于61.2分将退出前2名")
    assert (first["出处"], second["出处"]) == ("全市名单、班子方案", "全市名单")
    assert second["需注意之处"].startswith("产业发展达到75.0分")
    assert [row["推荐理由"] for row in at(found["建议名册"], "石桥村", "党组织书记")] == ["（暂无人选）"]


def test_the_fit_of_everybody_equals_that_of_the_shortlists(run: TalentRun) -> None:
    rows = book(roster_workbook(run, role=Role.TALENT, keys=KEYS))["建议名册"]
    ranked = run.table("shortlists", unit_code=CLOUD, post="supervision").set_index("rank")
    for row in at(rows, "上云村", "监委会成员"):
        told = ranked.loc[int(row["本岗位排名"][1]), ["fit", "fit_low", "fit_high"]]
        assert [row["适配分"], row["最低"], row["最高"]] == pytest.approx(list(told))


def test_whoever_stands_behind_the_shortlist_is_said_to(run: TalentRun) -> None:
    frames = {name: run.table(name) for name in talent_run().frames}
    frames["shortlists"] = frames["shortlists"].query("person_ref != @OUYANG")
    other = TalentRun(run.as_of, run.parameters, frames, {})
    row = at(book(roster_workbook(other, role=Role.TALENT))["建议名册"], "上云村", "主任")[1]
    assert (row["代号末4位"], row["本岗位排名"]) == (OUYANG[-4:], "本岗位短名单以外")
    assert (row["适配分"], row["进入应列人选的可能性"]) == (pytest.approx(60.0), None)
    assert row["推荐理由"] == (
        "排在前面的人选列入了其他岗位的名单或班子。本岗位看重的要素中较强的：产业发展70.0分"
    )
    assert row["需注意之处"] == "不是本村（社区）人选，须先依法取得当地选民资格"


def test_whoever_the_screen_has_no_name_for_stands_under_the_end_of_the_pseudonym(run: TalentRun) -> None:
    content = roster_workbook(
        run, role=Role.TALENT, called=lambda refs: {ref: ref for ref in refs} | {LI: "李*"}
    )
    whole = set(words(content))
    assert "李*" in whole
    assert not whole & set(NAMES)


def test_posts_that_lack_people_say_why(run: TalentRun) -> None:
    rows = book(roster_workbook(run, role=Role.TALENT, keys=KEYS))["缺人岗位"]
    assert [(row["村（社区）"], row["还缺"]) for row in rows] == [("石桥村", 2), (HOSTILE_NAME, 1)]
    assert "没有符合条件的人" in rows[0]["缺在哪里"]


def test_committees_tell_what_they_lack_but_never_how_many_women_sit(run: TalentRun) -> None:
    rows = book(roster_workbook(run, role=Role.TALENT, keys=KEYS))["班子结构核查"]
    assert "现有" not in rows[0]
    told = {row["要求"]: row for row in rows if row["村（社区）"] == "上云村"}
    women, young = told["至少一名妇女成员"], told["至少一名35岁以下成员"]
    assert (women["性质"], women["结果"], women["还缺"], women["为此适配分少得"]) == (
        "必须达到",
        "符合",
        0,
        3.5,
    )
    assert (young["性质"], young["结果"], young["还缺"]) == ("尽量达到", "不符合", 1)


def test_a_decision_says_who_when_and_why_on_both_people(run: TalentRun, decisions: pd.DataFrame) -> None:
    rows = at(
        book(roster_workbook(run, role=Role.CITY, keys=KEYS, decisions=decisions))["建议名册"],
        "上云村",
        "主任",
    )
    told = {row["代号末4位"]: row for row in rows}
    last, earlier = told[ZHANG[-4:]]["已有的决定（最近的在前）"].split("\n")
    assert last.startswith(f"改选他人（{CITY.office} {CITY.account}，")
    assert last.endswith(f"）：{SPOKEN}")
    assert earlier.startswith("采纳（")
    assert earlier.endswith("（针对另一次匹配的结果）")
    taken = told[ZHAO[-4:]]
    assert taken["出处"] == "已有决定"
    assert taken["已有的决定（最近的在前）"].startswith("改选为本人（")
    assert rows[-1] is taken


def test_whoever_was_accepted_twice_is_told_at_both_posts(run: TalentRun, decisions: pd.DataFrame) -> None:
    last = decisions.iloc[-1].to_dict()
    second = {"number": 3, "post": "supervision", "person_ref": ZHAO, "choice": "accept", "instead_ref": ""}
    made = pd.concat([decisions, pd.DataFrame([last | second])], ignore_index=True)
    content = roster_workbook(run, role=Role.CITY, keys=KEYS, decisions=made)
    for post, other in (("主任", "监委会成员"), ("监委会成员", "主任")):
        told = {row["代号末4位"]: row for row in at(book(content)["建议名册"], "上云村", post)}
        line = told[ZHAO[-4:]]["已有的决定（最近的在前）"].split("\n")[-1]
        assert line == f"注意：同一人还被采纳到上云村{other}"
    assert "3项；1人被采纳到不止一个岗位，请核对" in words(content)
    assert "同一人" not in "".join(
        words(roster_workbook(run, role=Role.CITY, keys=KEYS, decisions=decisions))
    )


def test_a_decision_under_keys_that_were_replaced_stands_at_the_same_person(
    run: TalentRun, decisions: pd.DataFrame
) -> None:
    new = KEYS.rotated()
    earlier = KEYS.pseudonym("person", NUMBERS[0])
    now = new.pseudonym("person", NUMBERS[0])
    frames = {name: run.table(name).replace(ZHANG, now) for name in TALENT_TABLES}
    later = TalentRun(run.as_of, run.parameters, frames, run.manifest)
    decided = decisions.replace(ZHANG, earlier)
    content = roster_workbook(later, role=Role.CITY, keys=new, decisions=decided)
    told = {row["代号末4位"]: row for row in at(book(content)["建议名册"], "上云村", "主任")}
    assert told[now[-4:]]["已有的决定（最近的在前）"].count("\n") == 1
    assert earlier[-4:] not in told


OTHERS = [role for role in Role if role not in (Role.TALENT, Role.CITY, Role.SYSTEM)]


@pytest.mark.parametrize("role", OTHERS)
def test_other_roles_get_no_roster(
    run: TalentRun, decisions: pd.DataFrame, tmp_path: Path, role: Role
) -> None:
    with pytest.raises(UsageError, match="没有查阅的权限") as caught:
        write_roster(run, tmp_path, role=role, keys=KEYS, decisions=decisions)
    assert "应为：市换届办、人才" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("role", "keys"), [(Role.TALENT, None), (Role.TALENT, KEYS), (Role.CITY, KEYS), (Role.SYSTEM, KEYS)]
)
def test_no_role_sees_a_whole_name_pseudonym_or_number(
    run: TalentRun, decisions: pd.DataFrame, role: Role, keys: KeyRing | None
) -> None:
    plain = decisions.assign(reason="已集体研究")
    said = words(roster_workbook(run, role=role, keys=keys, decisions=plain))
    whole = [text for text in said for secret in (*NAMES, *NAMES.values(), *NUMBERS) if secret in text]
    assert whole == []
    assert ("张*三" in said) is (keys is not None and role in (Role.TALENT, Role.CITY))


def test_every_sheet_says_who_exported_it(run: TalentRun) -> None:
    stamp = Stamp("li", "市委组织部", Role.TALENT, "人才工作", dt.date(2026, 11, 2))
    content = roster_workbook(run, role=Role.TALENT, keys=KEYS, stamp=stamp)
    for sheet in openpyxl.load_workbook(io.BytesIO(content)):
        assert sheet["A1"].value.endswith(f"　{stamp.text}")
        assert stamp.text in sheet.oddHeader.right.text
    assert content == roster_workbook(run, role=Role.TALENT, keys=KEYS, stamp=stamp)


def test_equal_runs_give_equal_bytes_and_keys_change_names_alone(
    run: TalentRun, decisions: pd.DataFrame, tmp_path: Path
) -> None:
    path = write_roster(run, tmp_path, role=Role.TALENT, keys=KEYS, decisions=decisions)
    assert path.name == "建议名册_2026-10-31.xlsx"
    assert path.read_bytes() == roster_workbook(run, role=Role.TALENT, keys=KEYS, decisions=decisions)
    with pytest.raises(SealError):
        write_roster(run, tmp_path, role=Role.TALENT, keys=KeyRing.from_seed(2))


def test_the_notes_tell_date_versions_digests_and_that_it_is_advice(run: TalentRun) -> None:
    assert run.path is not None
    said = words(roster_workbook(run, role=Role.TALENT, keys=KEYS))
    digest = hashlib.sha256((run.path / "manifest.json").read_bytes()).hexdigest()
    assert {"2026年10月31日", run.parameters.version, run.parameters.digest, digest} <= set(said)
    advised = [text for text in said if "仅供决策参考，由组织决定" in text]
    assert len(advised) > len(SHEETS)


def test_the_proof_tells_what_calls_for_a_closer_look(run: TalentRun) -> None:
    said = words(roster_workbook(run, role=Role.TALENT))
    assert {"通过：4项检验，0项没有通过", "没有一组能猜出", "1组低于五分之四，须查明原因"} <= set(said)
    guessed = run.table("proxies").assign(status="fail")
    frames = {name: run.table(name) for name in talent_run().frames} | {"proxies": guessed}
    other = TalentRun(run.as_of, run.parameters, frames, {})
    assert "2组能猜出，须留意材料本身的偏差" in words(roster_workbook(other, role=Role.TALENT))


def test_a_run_without_identities_has_codes_and_no_names(run: TalentRun) -> None:
    bare = TalentRun(run.as_of, run.parameters, talent_run().frames, {})
    rows = book(roster_workbook(bare, role=Role.TALENT, keys=KEYS))["建议名册"]
    assert {row["姓名（掩码）"] for row in rows} == {None}
    assert ZHANG[-4:] in {row["代号末4位"] for row in rows}


def test_people_of_the_roster_alone_are_to_verify_and_cultivate(run: TalentRun) -> None:
    found = book(roster_workbook(run, role=Role.TALENT, keys=KEYS))
    assert {row["代号末4位"] for row in found["核实任务"]} == {ZHANG[-4:], LI[-4:]}
    step = found["培养建议"][0]
    assert (step["代号末4位"], step["进度"]) == (LI[-4:], "逾期")
    assert step["完成后的变化"] == "上云村主任：完成村级事务（180天）预计由第2名升至第1名"
    assert BRIDGE not in str(found)
