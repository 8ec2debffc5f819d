"""The sheet for the notice board: plain words, one page, no names, equal bytes."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pandas as pd
import pytest
from docx.oxml.ns import qn

from huanjie_lib.casework.audit_ledger import AuditLedger, audit_ledger
from huanjie_lib.errors import DataError
from huanjie_lib.exports.audit_sheet import _Sheet, audit_sheet, money_text, write_audit_sheet
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.sample import make_city

NAME = "上溪岗村"


@pytest.fixture(scope="module")
def ledger() -> AuditLedger:
    city = make_city(units=150, snapshots=2)
    return audit_ledger(prepare(city.tables), load_parameters(), city.as_of)


@pytest.fixture(scope="module")
def cleared(ledger: AuditLedger) -> str:
    """A village whose audit is clear."""
    units = ledger.units
    return str(units[(units["verdict"] == "pass") & (units["unit_kind"] == "村")]["unit_code"].iloc[0])


def changed(ledger: AuditLedger, code: str, **cells: Any) -> AuditLedger:
    """The ledger with some cells of one unit changed."""
    units = ledger.to_frame()
    for name, value in cells.items():
        units.loc[units["unit_code"] == code, name] = value
    return replace(ledger, units=units)


def problem(ledger: AuditLedger, code: str, standing: str, **more: Any) -> dict[str, Any]:
    return {
        "unit_code": code,
        "in_force": True,
        "problem_id": f"q{standing}{len(more)}",
        "project_id": ledger.unit(code)["project_id"],
        "item": "债权债务",
        "severity": "一般",
        "found_on": pd.Timestamp("2026-05-01"),
        "due_on": pd.Timestamp("2026-12-15"),
        "closed_on": pd.NaT,
        "owner": "镇街农经站",
        "evidence": False,
        "standing": standing,
        "is_open": standing != "closed",
        "is_overdue": standing == "overdue",
        **more,
    }


def with_problems(ledger: AuditLedger, code: str, rows: list[dict[str, Any]]) -> AuditLedger:
    problems = pd.DataFrame(rows, columns=list(ledger.problems.columns)).astype(ledger.problems.dtypes)
    open_ones = sum(row["is_open"] for row in rows)
    return replace(changed(ledger, code, problems_open=open_ones), problems=problems)


def read(data: bytes) -> list[str]:
    """Return what stands on the page, top to bottom, a table row as its cells."""
    lines = []
    for block in docx.Document(io.BytesIO(data)).iter_inner_content():
        if hasattr(block, "rows"):
            lines += ["|".join(cell.text for cell in row.cells) for row in block.rows]
        else:
            lines.append(block.text)
    return lines


def test_it_says_in_plain_words_what_the_ledger_holds(ledger: AuditLedger, cleared: str) -> None:
    row = ledger.unit(cleared)
    lines = read(audit_sheet(ledger, cleared, NAME, township_name="石桥镇"))
    items = ledger.items[ledger.items["unit_code"] == cleared]
    notices = ledger.notices[(ledger.notices["unit_code"] == cleared) & ledger.notices["counts"]]
    assert lines[0] == "上溪岗村审计明白账"
    assert lines[1].startswith("审完了，账目清楚")
    assert [line for line in lines if re.match("[一二三四五六]、", line)] == [
        "一、审了什么",
        "二、谁来审",
        "三、审出什么问题",
        "四、整改到哪一步",
        "五、公示时间",
        "六、有不同意见找谁",
    ]
    assert [line for line in lines if "|" in line] == [
        "审的事项|金额|审的结果",
        *(f"{i['item']}|{money_text(i['amount'])}|清楚" for i in items.to_dict("records")),
    ]
    members = f"班子成员应审{row['members_due']}人"
    assert sum(line.startswith(members) for line in lines) == 1
    assert sum(line.startswith("石桥镇牵头，") for line in lines) == 1
    first = notices["start_on"].iloc[0]
    told = f"第一次：{first.year}年{first.month}月{first.day}日至"
    assert sum(line.startswith(told) for line in lines) == 1
    assert sum(line.startswith("第") and "次：" in line for line in lines) == len(notices) >= 2
    assert [line for line in lines if line.startswith("单位：")] == [
        "单位：＿＿＿＿＿＿＿＿＿　电话：＿＿＿＿＿＿＿＿"
    ]


def test_it_names_nobody_and_shows_no_code(ledger: AuditLedger) -> None:
    persons = set(ledger.members["person_ref"])
    for code in ledger.units.loc[ledger.units["project_id"].notna(), "unit_code"].iloc[:40]:
        text = "\n".join(read(audit_sheet(ledger, code, NAME)))
        assert not persons & set(re.findall("[A-Za-z0-9_-]+", text))
        assert not re.search("[A-Za-z]", text), "no English word, no number of a ledger's row"
        assert code not in text


def test_problems_are_counted_by_how_far_they_have_come(ledger: AuditLedger, cleared: str) -> None:
    rows = [
        problem(ledger, cleared, "closed", is_open=False),
        problem(ledger, cleared, "open", item="工程项目", severity="重大"),
        problem(ledger, cleared, "open", due_on=pd.Timestamp("2026-11-20")),
        problem(ledger, cleared, "overdue"),
        problem(ledger, cleared, "unproven", is_overdue=True),
        problem(ledger, cleared, "overdue", project_id="earlier"),
        problem(ledger, cleared, "closed", project_id="earlier", is_open=False),
    ]
    lines = read(audit_sheet(with_problems(ledger, cleared, rows), cleared, NAME))
    assert lines[1] == "审完了，账目清楚，整改还在进行"
    at = lines.index("三、审出什么问题")
    assert lines[at + 1] == "一共5个：债权债务4个，工程项目1个。其中重大问题1个。"
    assert lines[at + 3] == "已经改好1个，正在改2个（最迟2026年12月15日改完），过了期限还没有改好2个。"
    assert lines[at + 4] == "以前审计留下的问题，还有1个没有改好。"
    undated = [problem(ledger, cleared, "undated", due_on=pd.NaT)]
    lines = read(audit_sheet(with_problems(ledger, cleared, undated), cleared, NAME))
    assert "正在改1个。" in lines
    assert "没有审出问题。" in read(audit_sheet(with_problems(ledger, cleared, []), cleared, NAME))


def test_what_is_not_known_is_a_blank_and_never_a_no(ledger: AuditLedger, cleared: str) -> None:
    blank = changed(
        ledger,
        cleared,
        offices_present=None,
        offices_missing=None,
        supervision_present=pd.NA,
        representatives=pd.NA,
        members_due=pd.NA,
        problems_open=pd.NA,
        objections=pd.NA,
    )
    lines = read(audit_sheet(blank, cleared, NAME))
    text = "\n".join(lines)
    assert "镇街牵头，＿＿＿＿＿＿参加。" in text
    assert "村务监督委员会参加情况＿＿＿＿＿＿，群众代表＿＿＿＿＿＿人参加。" in text
    assert "班子成员应审＿＿＿＿＿＿人" in text
    assert "没有审出问题" not in text
    assert "没有收到意见" not in text
    absent = changed(
        ledger, cleared, offices_present="财政", offices_missing="纪委、农经", supervision_present=False
    )
    text = "\n".join(read(audit_sheet(absent, cleared, NAME)))
    assert "镇街牵头，财政参加，应当参加的纪委、农经没有参加。" in text
    assert "村务监督委员会没有参加" in text


def test_an_unfinished_audit_says_that_posting_it_does_not_count(ledger: AuditLedger, cleared: str) -> None:
    unfinished = ledger.units[ledger.units["stage"] == "fieldwork"]["unit_code"].iloc[0]
    lines = read(audit_sheet(ledger, unfinished, NAME))
    assert lines[1:3] == ["还没有审完", "核对稿：审计还没有全部作出结论，现在张贴不算公示"]
    nothing_yet = read(audit_sheet(with_problems(ledger, unfinished, []), unfinished, NAME))
    assert "到现在没有审出问题，还没有审完。" in nothing_yet, "an unfinished audit has not found all"
    assert any(re.fullmatch("第二次：＿＿月＿＿日至＿＿月＿＿日，地点＿+。", line) for line in lines)
    assert "核对稿" not in "".join(read(audit_sheet(ledger, cleared, NAME)))
    doubtful = changed(ledger, cleared, stage="noticed", items_unclear=1, members_unclear=1)
    assert read(audit_sheet(doubtful, cleared, NAME))[1] == "还有2处没有审清楚"


def test_a_unit_without_an_audit_has_nothing_to_post(ledger: AuditLedger, cleared: str) -> None:
    bare = changed(ledger, cleared, project_id=None, stage="not_started")
    with pytest.raises(DataError, match="没有可以公示的审计结果") as caught:
        audit_sheet(bare, cleared, NAME)
    assert caught.value.faults[0].found == "尚未审计"
    with pytest.raises(KeyError):
        audit_sheet(ledger, "990101999999", NAME)


def test_equal_ledgers_give_equal_bytes_dated_as_of(
    ledger: AuditLedger, cleared: str, tmp_path: Path
) -> None:
    path = write_audit_sheet(tmp_path / "明白账.docx", ledger, cleared, NAME)
    assert path.read_bytes() == audit_sheet(ledger, cleared, NAME)
    about = docx.Document(str(path)).core_properties
    assert (
        about.created
        == about.modified
        == dt.datetime(2026, 10, 31, tzinfo=dt.UTC).replace(tzinfo=about.created.tzinfo)
    )
    with zipfile.ZipFile(path) as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    later = replace(ledger, as_of=dt.date(2026, 11, 1))
    assert audit_sheet(later, cleared, NAME) != path.read_bytes()
    write_audit_sheet(path, later, cleared, NAME)
    assert path.read_bytes() == audit_sheet(later, cleared, NAME)
    assert [p.name for p in tmp_path.iterdir()] == ["明白账.docx"]


def test_every_run_names_a_chinese_font(ledger: AuditLedger, cleared: str) -> None:
    document = docx.Document(io.BytesIO(audit_sheet(ledger, cleared, NAME)))
    section = document.sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    runs = [*document.element.body.iter(qn("w:r")), *section.header._element.iter(qn("w:r"))]
    fonts = {run.rPr.rFonts.get(qn("w:eastAsia")) for run in runs}
    assert len(runs) > 20
    assert fonts == {"方正小标宋简体", "黑体", "仿宋_GB2312"}


def test_type_is_as_large_as_one_page_allows() -> None:
    page = 263 * 72 / 25.4
    sheet = _Sheet("上溪岗村审计明白账", "审完了，账目清楚", "")
    sheet.heading("审了什么")
    sheet.text("没有。")
    assert sheet.size() == 20.0
    sizes = []
    for _ in range(40):
        sheet.text("第一次：2026年5月6日至5月12日，村务公开栏、党群服务中心、各村民小组公示点。")
        sizes.append(sheet.size())
        if sizes[-1] > 12.0:
            assert sheet.height(sizes[-1]) <= 0.95 * page
            assert sizes[-1] == 20.0 or sheet.height(sizes[-1] + 1) > 0.95 * page
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) > 5
