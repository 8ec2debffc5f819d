"""Tables of audits: what was audited, whom, what was found, and how it was made public."""

from __future__ import annotations

from huanjie_lib.contracts.columns import (
    PERSON,
    PROJECT,
    TO_PROJECT,
    TO_UNIT,
    count,
    date,
    ref,
    text,
    unit_code,
    word,
)
from huanjie_lib.contracts.model import Column, Order, Table
from huanjie_lib.vocabulary import AuditItem, AuditOutcome, AuditType, PostKind, Severity

__all__ = ["AUDITS"]

AUDITS: tuple[Table, ...] = (
    Table(
        "audit_projects",
        "审计项目",
        "One row per audit of a unit.",
        "casework",
        (
            PROJECT,
            unit_code(),
            word("audit_type", AuditType, "审计类型", "Term or leaving audit."),
            date("plan_on", "方案日期", "Date of the audit plan; must precede fieldwork."),
            date("started_on", "进点日期", "First day of fieldwork."),
            date("ended_on", "结束日期", "Last day of fieldwork."),
            text("departments", "组成单位", "Departments taking part, separated by 、."),
            Column(
                "supervision_present",
                "boolean",
                "监委会参与",
                note="Whether the supervision committee took part.",
            ),
            count(
                "representatives", "群众代表人数", "人", "Villager or resident representatives taking part."
            ),
        ),
        ("project_id",),
        orders=(Order("started_on", "ended_on"),),
        references=(TO_UNIT,),
    ),
    Table(
        "audit_subjects",
        "审计对象",
        "One row per committee member under an audit.",
        "casework",
        (
            PROJECT,
            unit_code(),
            PERSON,
            word("post", PostKind, "职务", "Post held in the term."),
            date("term_from", "任职起", "First day in office."),
            date("term_to", "任职止", "Last day in office; empty while in office."),
            word("outcome", AuditOutcome, "审计结论", "Conclusion on the member."),
            date("concluded_on", "结论日期", "Date of the conclusion."),
        ),
        ("project_id", "person_ref"),
        orders=(Order("term_from", "term_to"),),
        references=(TO_UNIT, TO_PROJECT),
        personal=True,
    ),
    Table(
        "audit_items",
        "审计事项",
        "One row per item of the unit's audit checklist.",
        "casework",
        (
            PROJECT,
            unit_code(),
            word("item", AuditItem, "审计事项", "Item of the checklist."),
            word("outcome", AuditOutcome, "审计结论", "Conclusion on the item."),
            date("concluded_on", "结论日期", "Date of the conclusion."),
            Column("amount", "number", "涉及金额", "元", "Amount examined."),
        ),
        ("project_id", "item"),
        references=(TO_UNIT, TO_PROJECT),
    ),
    Table(
        "audit_notices",
        "审计公示",
        "One row per spell of public notice of an audit result.",
        "casework",
        (
            ref("notice_id", "公示编号", "Notice spell."),
            PROJECT,
            unit_code(),
            date(
                "start_on",
                "公示开始",
                "First day on the notice board.",
                required=True,
                aliases=("公示起", "公示开始日期"),
            ),
            date(
                "end_on",
                "公示结束",
                "Last day on the notice board; empty while posted.",
                aliases=("公示止", "公示结束日期"),
            ),
            text("place", "公示地点", "Where it was posted."),
            count("objections", "收到异议", "件", "Objections received."),
            count("answered", "答复异议", "件", "Objections answered."),
        ),
        ("notice_id",),
        orders=(Order("start_on", "end_on"), Order("answered", "objections")),
        references=(TO_UNIT, TO_PROJECT),
    ),
    Table(
        "audit_problems",
        "审计问题",
        "One row per problem found by an audit.",
        "casework",
        (
            ref("problem_id", "问题编号", "Audit problem."),
            PROJECT,
            unit_code(),
            word("item", AuditItem, "审计事项", "Checklist item it belongs to."),
            word("severity", Severity, "问题等级", "Minor or major."),
            date("found_on", "发现日期", "Date found.", required=True),
            date("due_on", "整改期限", "Date by which it must be put right."),
            date(
                "closed_on", "整改完成", "Date closed; needs evidence.", aliases=("整改完成日期", "销号日期")
            ),
            text("owner", "责任单位", "Office answerable for rectification."),
            text("evidence", "整改证据", "Reference of the evidence file."),
        ),
        ("problem_id",),
        orders=(Order("found_on", "due_on"), Order("found_on", "closed_on")),
        references=(TO_UNIT, TO_PROJECT),
    ),
)
