"""A person gets everything that is held about him, in words, and nothing about anybody else."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.access.masking import Logged, Unmasked
from huanjie_lib.contracts import TABLES
from huanjie_lib.exports.person_copy import OTHERS, PURPOSES, person_workbook
from huanjie_lib.parameters import load_privacy
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.requests import RequestEvent
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import Role
from tests.offices import CITY
from tests.talent_runs import LI, NAMES, ZHANG, ZHAO, talent_run

STAMP = Stamp("li", "市委组织部", Role.TALENT, "答复个人申请", dt.date(2026, 11, 2), "个人信息，交本人")
TERMS = load_privacy()
DAY = pd.Timestamp("2026-05-08")


@pytest.fixture
def run() -> TalentRun:
    return talent_run()


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    return {
        "people_protected": pd.DataFrame(
            {"person_ref": [ZHANG, LI], "sex": ["2", "1"], "is_minority": pd.array([True, False], "boolean")}
        ),
        "kinships": pd.DataFrame({"person_ref": [LI], "other_ref": [ZHANG], "relation": ["sibling"]}),
        "assessments": pd.DataFrame(
            {
                "assessment_id": ["A1", "A2"],
                "person_ref": [ZHANG, LI],
                "rater_ref": ["R0000000000000001", "R0000000000000002"],
                "is_kin": pd.array([False, None], "boolean"),
                "rating": [4.0, 2.0],
                "rated_on": [DAY, DAY],
            }
        ),
        "audit_subjects": pd.DataFrame({"person_ref": [LI], "project_id": ["J9"], "outcome": ["clear"]}),
        "identities": pd.DataFrame(
            {"person_ref": [ZHANG], "name_sealed": ["sealed"], "id_sealed": ["sealed"]}
        ),
    }


@pytest.fixture
def own(tmp_path: Path) -> Ledger:
    ledger = open_ledger(tmp_path / "store", create=True)
    told = {"action": "unmask", "purpose": "identity", "reason": "考察谈话通知本人"}
    for number, ref in enumerate((ZHANG, LI)):
        ledger.log_access(AccessEntry(entry_id=f"e{number}", subject=ref, detail="姓名", **told), CITY)
        event = {"event_id": f"r{number}", "request_id": f"Q{number}", "step": "receive", "kind": "copy"}
        days = {"happened_on": dt.date(2026, 11, 2), "due_on": dt.date(2026, 11, 23)}
        ledger.request(RequestEvent(person_ref=ref, **event, **days), CITY)
    return ledger


def sheets(content: bytes) -> dict[str, str]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {
        sheet.title: "\n".join(str(c.value) for row in sheet.rows for c in row if c.value is not None)
        for sheet in book
    }


def test_everything_about_the_person_stands_in_words(
    run: TalentRun, tables: dict[str, pd.DataFrame], own: Ledger
) -> None:
    content = person_workbook(
        ZHANG,
        tables,
        stamp=STAMP,
        terms=TERMS,
        identity=Unmasked(NAMES[ZHANG], "990101199003072336", Logged(ZHANG, 1, "ab" * 32)),
        run=run,
        decisions=own.decisions(),
        log=own.access_log(),
        requests=own.requests(),
    )
    told = sheets(content)
    assert list(told) == [
        "说明",
        "受保护属性",
        "身份信息",
        "近亲属申报",
        "准岗考察",
        "计算和决定",
        "查阅记录",
        "申请记录",
    ] or set(told) >= {"说明", "受保护属性", "近亲属申报", "准岗考察", "计算和决定", "查阅记录", "申请记录"}
    assert NAMES[ZHANG] in told["说明"]
    assert "990101199003072336" in told["说明"]
    assert "15个工作日内答复" in told["说明"]
    assert "可以拒绝仅由程序作出的决定" in told["说明"]
    assert {"女", "是"} <= set(told["受保护属性"].split("\n"))
    assert "兄弟姐妹" in told["近亲属申报"]
    assert "本人" in told["近亲属申报"]
    assert "须为正式党员的岗位" in told["计算和决定"]
    assert "市换届办（市换届办）" in told["查阅记录"]
    assert "Q0" in told["申请记录"]
    assert all(STAMP.text in text for text in told.values())
    assert "内部资料" not in "".join(told.values())


def test_nobody_else_stands_in_it(run: TalentRun, tables: dict[str, pd.DataFrame], own: Ledger) -> None:
    content = person_workbook(
        ZHANG, tables, stamp=STAMP, terms=TERMS, run=run, log=own.access_log(), requests=own.requests()
    )
    told = "\n".join(sheets(content).values())
    assert OTHERS in sheets(content)["准岗考察"]
    others = [ref for ref in NAMES if ref != ZHANG]
    assert not [text for text in (*others, "R0000000000000001", "A2", "Q1", "sealed") if text in told]
    assert not [name for name in NAMES.values() if name in told]
    assert CITY.account not in told.replace("chensheng", "")


def test_equal_arguments_give_equal_bytes(run: TalentRun, tables: dict[str, pd.DataFrame]) -> None:
    first, second = (person_workbook(LI, tables, stamp=STAMP, terms=TERMS, run=run) for _ in range(2))
    assert first == second
    assert "清楚" in sheets(first)["审计对象"]


def test_of_whom_nothing_is_held_there_is_no_copy(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(KeyError):
        person_workbook(ZHAO, tables, stamp=STAMP, terms=TERMS)


def test_every_table_about_people_has_a_purpose_in_words() -> None:
    assert {table.purpose for table in TABLES.values() if table.personal} == set(PURPOSES)
