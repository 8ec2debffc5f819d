"""Tables of the ledger: cases and their events, published runs, and who looked at what."""

from __future__ import annotations

from huanjie_lib.contracts.columns import AS_OF, TO_UNIT, count, date, ref, text, unit_code, word
from huanjie_lib.contracts.model import Order, Reference, Table
from huanjie_lib.vocabulary import AccessAction, CaseEvent, CaseKind, CaseState, Role

__all__ = ["CASES"]

CASES: tuple[Table, ...] = (
    Table(
        "cases",
        "预警案件",
        "One row per case; derived from its events.",
        "casework",
        (
            ref("case_id", "案件编号", "Case."),
            unit_code(),
            word("kind", CaseKind, "预警类型", "What opened it."),
            text("title", "案件名称", "What is wrong, in a few words.", required=True),
            text("cause", "预警事由", "Cause; no two open cases share one.", required=True),
            word("state", CaseState, "状态", "State in the loop."),
            text("owner", "责任单位", "Office answerable."),
            date("opened_on", "预警日期", "Date opened.", required=True),
            date("due_on", "整改期限", "Date due."),
            date("closed_on", "销号日期", "Date closed."),
        ),
        ("case_id",),
        orders=(Order("opened_on", "closed_on"),),
        references=(TO_UNIT,),
    ),
    Table(
        "case_events",
        "案件事件",
        "Append-only log; each event carries the hash of the one before.",
        "casework",
        (
            ref("event_id", "事件编号", "Client-made unique id; a retry is ignored."),
            ref("case_id", "案件编号", "Case."),
            count("sequence", "序号", "", "Order of events; never the time.", required=True),
            count("version", "版本", "", "Number of the event within its case, from 1.", required=True),
            word("event", CaseEvent, "事件", "What happened."),
            text("actor", "操作账号", "Office account.", required=True),
            text("office", "操作单位", "Office the account acts for.", required=True),
            word("role", Role, "角色", "Role of the account."),
            date("happened_on", "发生日期", "Date as stated by the actor.", required=True),
            text("recorded_at", "登记时间", "UTC clock of the writer; orders nothing.", required=True),
            text("payload", "内容", "Canonical JSON of the event."),
            text("previous_hash", "前一事件哈希", "SHA-256 of the event before.", required=True),
            text("hash", "哈希", "SHA-256 of this event.", required=True),
        ),
        ("event_id",),
        references=(Reference("case_id", "cases", "case_id"),),
    ),
    Table(
        "runs",
        "已发布评估",
        "One row per published run.",
        "operations",
        (
            ref("run_id", "评估编号", "Run."),
            AS_OF,
            text("parameter_version", "参数版本", "Version of the parameters.", required=True),
            text("manifest_digest", "清单摘要", "SHA-256 of the manifest.", required=True),
            text("published_by", "发布账号", "Office account."),
        ),
        ("run_id",),
    ),
    Table(
        "access_log",
        "查阅日志",
        "Append-only log of what was done with the data of people; holds no name and no number.",
        "operations",
        (
            ref("entry_id", "日志编号", "Entry."),
            count("number", "序号", "", "Order of entries; never the time.", required=True),
            word("action", AccessAction, "操作", "What was done."),
            text("purpose", "用途", "Purpose of the data.", required=True),
            text("subject", "对象", "Pseudonym of the person, or table, screen or file.", required=True),
            text("detail", "内容", "What of it, in words of the program."),
            text("digest", "摘要", "SHA-256 of the file handed out or of the manifest opened."),
            count("items", "数量", "", "Number of rows or files.", required=True),
            text("reason", "事由", "Why; required for what is done to the data of single people."),
            text("account", "操作账号", "Office account.", required=True),
            text("office", "操作单位", "Office the account acts for.", required=True),
            word("role", Role, "角色", "Role of the account."),
            text("recorded_at", "登记时间", "UTC clock of the writer; orders nothing.", required=True),
            text("previous_hash", "前一条哈希", "SHA-256 of the entry before.", required=True),
            text("hash", "哈希", "SHA-256 of this entry.", required=True),
        ),
        ("entry_id",),
    ),
)
