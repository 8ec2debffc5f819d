"""The ledgers read back from the workbook: what it holds, for whom, and that texts are nothing else."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import openpyxl
import pandas as pd
import pytest
from openpyxl.workbook import Workbook

from huanjie_lib.casework.audit_ledger import audit_ledger
from huanjie_lib.casework.cases import cases_frame
from huanjie_lib.casework.conflict_ledger import conflict_ledger
from huanjie_lib.casework.events import Head
from huanjie_lib.casework.figures import deadlines, loop_figures
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.exports.ledgers import RESTRICTED_SHEETS, SHEETS, ledger_workbook
from huanjie_lib.parameters import WorkCalendar, load_parameters
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.sample import City, make_city
from huanjie_lib.vocabulary import CaseEvent
from tests.casework.courses import OTHER, Log

PARAMETERS = load_parameters()
TODAY = dt.date(2026, 11, 26)
WORKDAYS = Workdays(WorkCalendar())
HEAD = Head(7, "ab" * 32)
HOSTILE = ("=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "{=1}", "http://x.y", "\t=1")


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60)


@pytest.fixture(scope="module")
def ledgers(city: City) -> dict[str, pd.DataFrame]:
    prepared = prepare(city.tables)
    audit = audit_ledger(prepared, PARAMETERS, city.as_of)
    conflict = conflict_ledger(prepared, PARAMETERS, city.as_of)
    return {
        "audit_units": audit.units,
        "audit_coverage": audit.coverage,
        "audit_items": audit.items,
        "audit_notices": audit.notices,
        "audit_problems": audit.problems,
        "handover": audit.handover,
        "audit_members": audit.members,
        "conflict_units": conflict.units,
        "conflict_coverage": conflict.coverage,
        "disputes": conflict.disputes,
        "talks": conflict.talks,
        "leavers": conflict.leavers,
    }


def log() -> Log:
    """Three cases: one closed, one overdue by 13 working days, one about a signal, which not all may see."""
    day = dt.date(2026, 11, 2)
    told = Log()
    told.put("closed", CaseEvent.OPEN, day, cause="a")
    told.put("closed", CaseEvent.DISPATCH, day, owner="云溪镇", due_on="2026-11-20")
    told.put("closed", CaseEvent.RECTIFY, day).put("closed", CaseEvent.SUBMIT, day)
    told.put("closed", CaseEvent.CLOSE, dt.date(2026, 11, 9))
    told.put("late", CaseEvent.OPEN, day, cause="b", unit=OTHER)
    told.put("late", CaseEvent.DISPATCH, day, owner="竹桥街道", due_on="2026-11-09")
    told.put("lead", CaseEvent.OPEN, day, cause="c", kind="signal", restricted=True)
    return told


def built(told: Log, ledgers: dict[str, pd.DataFrame], city: City, **changes: Any) -> dict[str, Any]:
    """What a workbook is made of, for those who may see everything unless said otherwise."""
    restricted = changes.setdefault("restricted", True)
    cases = cases_frame(told.cases)
    seen = cases if restricted else cases[~cases["restricted"]]
    townships = city.tables["townships"]
    units = city.tables["units"].drop(
        columns=["township_name", "county_code", "county_name"], errors="ignore"
    )
    return {
        "cases": cases,
        "events": told.events,
        "due": deadlines(seen, TODAY, WORKDAYS, 3),
        "loop": loop_figures(seen, told.events, TODAY, WORKDAYS, due_soon=3),
        "ledgers": ledgers,
        "units": units.merge(townships, on="township_code"),
        "as_of": city.as_of,
        "version": PARAMETERS.version,
        "head": HEAD,
        **changes,
    }


def opened(data: bytes) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(data))


def read(book: Workbook, sheet: str) -> pd.DataFrame:
    rows = list(book[sheet].iter_rows(min_row=2, values_only=True))
    return pd.DataFrame(rows[1:], columns=pd.Index(rows[0]))


@pytest.fixture(scope="module")
def whole(ledgers: dict[str, pd.DataFrame], city: City) -> bytes:
    return ledger_workbook(**built(log(), ledgers, city))


@pytest.fixture(scope="module")
def book(whole: bytes) -> Workbook:
    return opened(whole)


def test_sheets_stand_in_order_ready_for_print(book: Workbook) -> None:
    assert book.sheetnames == [*SHEETS, *RESTRICTED_SHEETS, "说明"]
    for sheet in book.worksheets[:-1]:
        assert sheet.freeze_panes == "C3"
        assert sheet.print_title_rows == "$1:$2"
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.page_setup.paperSize in {8, 9}
        assert sheet.auto_filter.ref is not None
        assert sheet.oddFooter.center.text.endswith(PARAMETERS.version)
    assert book["案件台账"]["A1"].value == "案件台账（截至2026年11月26日，共3件，账本至第7条）"
    assert book["审计台账"]["A1"].value == "审计台账（截至2026年10月31日，共60个单位）"


def test_cases_events_and_deadlines_are_the_ledgers(book: Workbook) -> None:
    cases = read(book, "案件台账").set_index("案件编号")
    assert cases.index.tolist() == ["late", "lead", "closed"]  # open first, by deadline
    assert cases["状态"].tolist() == ["已派单", "预警", "已销号"]
    assert cases["期限情况"].fillna("").tolist() == ["逾期", "没有期限", ""]
    assert cases.loc["late", "剩余工作日"] == -13
    assert cases.loc["closed", "销号日期"] == dt.datetime(2026, 11, 9)
    assert read(book, "逾期与将到期")["案件编号"].tolist() == ["late"]
    events = read(book, "案件经过")
    assert events["序号"].tolist() == list(range(1, 9))
    assert events["内容"].tolist()[1:3] == [
        "责任单位云溪镇；期限2026年11月20日；理由",
        "佐证材料：整改报告.pdf；已补做",
    ]
    assert events["登记时间（北京时间）"].iloc[0] == "2026-11-02 09:02:03"  # the log keeps UTC


def test_figures_are_those_of_the_loop(book: Workbook) -> None:
    table = read(book, "闭环统计").set_index("名称")
    assert table.loc["全部", ["立案", "未销号", "逾期", "已销号"]].tolist() == [3, 2, 1, 1]
    assert table.loc["全部", "按期率"] == 0.5
    assert table.loc["全部", "样本少"] == "样本少"
    assert table.loc["矛盾纠纷", "立案"] == 0


def test_every_row_of_audits_and_conflicts_is_there(book: Workbook, ledgers: dict[str, pd.DataFrame]) -> None:
    sheets = {
        "审计台账": "audit_units",
        "审计覆盖": "audit_coverage",
        "审计事项": "audit_items",
        "审计公示": "audit_notices",
        "审计问题台账": "audit_problems",
        "移交清单": "handover",
        "矛盾摸排": "conflict_units",
        "摸排覆盖": "conflict_coverage",
        "矛盾台账": "disputes",
        "审计对象": "audit_members",
        "谈话台账": "talks",
        "离任安置": "leavers",
    }
    assert {*SHEETS, *RESTRICTED_SHEETS} - set(sheets) == {"案件台账", "案件经过", "逾期与将到期", "闭环统计"}
    for sheet, name in sheets.items():
        assert len(read(book, sheet)) == len(ledgers[name]), sheet
    problems = read(book, "审计问题台账")
    mine = ledgers["audit_problems"]
    assert set(problems["问题编号"]) == set(mine["problem_id"])
    still = int(mine["is_open"].sum())
    assert (problems["状态"].head(still) != "已整改").all()
    assert (problems["状态"].iloc[still:] == "已整改").all()
    amounts = read(book, "审计事项").set_index(["统计用区划代码", "审计事项"])["金额（元）"].astype("float64")
    expected = ledgers["audit_items"].set_index(["unit_code", "item"])["amount"]
    pd.testing.assert_series_equal(
        amounts.sort_index(), expected.sort_index(), check_names=False, check_index_type=False
    )


def test_no_stored_word_is_shown_where_people_read(book: Workbook) -> None:
    """Codes of words (``cleared``, ``in_time``) never reach a cell; only numbers of things are Latin text."""
    latin = {"案件编号", "操作账号", "登记时间（北京时间）", "哈希（前12位）", "内容"}
    for sheet in book.worksheets[:-1]:
        table = read(book, sheet.title)
        for heading in table.columns:
            if heading in latin or heading.endswith(("编号", "代号", "代码")):
                continue
            texts = [value for value in table[heading] if isinstance(value, str)]
            assert not [text for text in texts if text.isascii() and text.isalpha()], (sheet.title, heading)


def test_names_stand_beside_codes_that_keep_all_their_digits(book: Workbook, city: City) -> None:
    table = read(book, "审计台账")
    names = city.tables["units"].set_index("unit_code")["unit_name"]
    assert table["村（社区）"].tolist() == names.reindex(table["统计用区划代码"]).tolist()
    assert table["统计用区划代码"].str.fullmatch(r"\d{12}").all()
    areas = read(book, "审计覆盖")
    assert areas["地区"].iloc[0] == "全市"
    assert areas["地区"].notna().all()
    assert not areas["地区"].str.fullmatch(r"\d+").any()


def test_dates_are_dates(book: Workbook) -> None:
    for sheet in book.worksheets[:-1]:
        table = read(book, sheet.title)
        for heading in ("发现日期", "整改期限", "公示开始", "发生日期", "最近摸排日期", "离任日期"):
            if heading in table:
                assert all(isinstance(v, dt.datetime) for v in table[heading].dropna()), (
                    sheet.title,
                    heading,
                )


def test_without_the_role_restricted_cases_and_sheets_are_not_in_the_file(
    ledgers: dict[str, pd.DataFrame], city: City
) -> None:
    data = ledger_workbook(**built(log(), ledgers, city, restricted=False))
    book = opened(data)
    assert book.sheetnames == [*SHEETS, "说明"]
    assert set(read(book, "案件台账")["案件编号"]) == {"late", "closed"}
    assert "lead" not in set(read(book, "案件经过")["案件编号"])
    about = {row[0].value: row[1].value for row in book["说明"].iter_rows() if len(row) > 1}
    assert about["限制知悉内容"].startswith("不含")
    refs = set(ledgers["audit_members"]["person_ref"]) | set(ledgers["leavers"]["person_ref"])
    cells = {c.value for sheet in book for row in sheet.iter_rows() for c in row if isinstance(c.value, str)}
    assert not refs & cells


def test_what_is_not_shown_is_not_counted(ledgers: dict[str, pd.DataFrame], city: City) -> None:
    parts = built(log(), ledgers, city)  # figures of all cases
    table = read(opened(ledger_workbook(**{**parts, "restricted": False})), "闭环统计").set_index("名称")
    assert table.loc["全部", "立案"] == 2
    assert table.loc["异常信号", "立案"] == 0


def test_the_last_sheet_says_what_the_file_rests_on(book: Workbook) -> None:
    about = {row[0].value: row[1].value for row in book["说明"].iter_rows()}
    assert about["评估截至日期"] == "2026-10-31"
    assert about["案件截至日期"] == "2026-11-26"
    assert about["参数版本"] == PARAMETERS.version
    assert about["账本链头"] == HEAD.hash
    assert about["账本事件数"] == "7"
    assert set(SHEETS) | set(RESTRICTED_SHEETS) <= set(about)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_stays_the_text_it_is(name: str, city: City) -> None:
    parts = built(log(), {}, city)
    parts["cases"] = parts["cases"].assign(title=name, reason=name, owner=name, unit_name=name)
    book = opened(ledger_workbook(**parts))
    sheet = book["案件台账"]
    found = [cell for row in sheet.iter_rows(min_row=3) for cell in row if cell.value == name]
    assert len(found) == 4 * len(parts["cases"])
    assert all(cell.data_type == "s" and cell.hyperlink is None for cell in found)


def test_a_ledger_that_is_not_there_is_told(city: City) -> None:
    book = opened(ledger_workbook(**built(Log(), {}, city)))
    assert book["案件台账"]["A3"].value == "没有案件"
    assert book["审计台账"]["A3"].value == "没有审计台账"
    assert book["矛盾摸排"]["A3"].value == "没有矛盾台账"


def test_equal_ledgers_give_equal_bytes(whole: bytes, ledgers: dict[str, pd.DataFrame], city: City) -> None:
    assert ledger_workbook(**built(log(), ledgers, city)) == whole


def test_without_a_ledger_of_cases_the_sheets_say_so(city: City) -> None:
    book = openpyxl.load_workbook(io.BytesIO(ledger_workbook(**built(Log(), {}, city, head=None))))
    for name in ("案件台账", "案件经过", "逾期与将到期", "闭环统计"):
        assert book[name]["A3"].value == "没有案件台账，情况不明"
        assert "账本" not in book[name]["A1"].value
