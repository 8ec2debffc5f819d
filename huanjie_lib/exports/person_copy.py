"""A copy of all that is held about one person, for that person (个人信息保护法 art. 45), as a workbook.

Each table about people gives a sheet with its rows on the person, under the headings and words of the
returns; beside them stand what was computed and decided on the person, who has looked at the name, and what
was asked for. Who else is concerned, raters and kin, is not told: that is theirs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from huanjie_lib.access.grants import GRANTS
from huanjie_lib.access.masking import Unmasked
from huanjie_lib.contracts import TABLES, Purpose, Table
from huanjie_lib.contracts import Column as Held
from huanjie_lib.exports.book import Book, Column, Form, new_book
from huanjie_lib.parameters import PrivacyPack
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.views.words import local_time
from huanjie_lib.vocabulary import (
    AccessAction,
    DecisionChoice,
    GateStatus,
    PortraitAspect,
    PostKind,
    RequestKind,
    RequestResult,
    Role,
    Word,
)

__all__ = ["OTHERS", "PURPOSES", "person_workbook"]

OTHERS: Final = "（他人信息，不提供）"
"""What stands in place of whoever else is concerned."""
PURPOSES: Final[Mapping[Purpose, str]] = {
    "talent": "后备人才的资格审核、考察培养和岗位建议",
    "identity": "核对身份、避免重复登记",
    "casework": "审计、联审、离任安置等换届程序",
}
"""Purposes of tables about people, in words."""
_OWN: Final = ("person_ref", "candidate_ref")
_THIRD: Final = frozenset({"other_ref", "rater_ref", "household_ref", "mentor_ref", "group_ref"})
_SEALED: Final = frozenset({"name_sealed", "id_sealed"})
_FORMS: Final[Mapping[str, Form]] = {"date": "date", "integer": "text", "number": "text"}
_YES_NO: Final = {True: "是", False: "否"}
_WIDTHS: Final = (20, 80)
_LISTED: Final = 20
"""Most posts that are told one by one: somebody who fits everywhere stands on hundreds of lists."""
_COMPUTED: Final = (
    Column("what", 16, "text", "内容"),
    Column("where", 24, "wrap", "岗位或方面"),
    Column("result", 26, "wrap", "结果"),
    Column("why", 70, "wrap", "说明"),
)
_LOOKED: Final = (
    Column("when", 20, "text", "时间"),
    Column("who", 30, "wrap", "谁"),
    Column("action", 12, "text", "做了什么"),
    Column("detail", 30, "wrap", "内容"),
    Column("reason", 50, "wrap", "事由"),
)
_ASKED: Final = (
    Column("request_id", 20, "text", "编号"),
    Column("kind", 12, "text", "事项", RequestKind.labels()),
    Column("received_on", 14, "text", "收到日期"),
    Column("due_on", 14, "text", "答复期限"),
    Column("answered_on", 14, "text", "答复日期"),
    Column("result", 14, "text", "结果", {"": "办理中", **RequestResult.labels()}),
    Column("reason", 50, "wrap", "说明"),
)


def person_workbook(
    person_ref: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    stamp: Stamp,
    terms: PrivacyPack,
    identity: Unmasked | None = None,
    run: TalentRun | None = None,
    decisions: pd.DataFrame | None = None,
    log: pd.DataFrame | None = None,
    requests: pd.DataFrame | None = None,
) -> bytes:
    """Return the copy as an XLSX file; equal arguments give equal bytes.

    Parameters
    ----------
    person_ref
        Pseudonym.
    tables
        Contract tables about people by name; rows on others are left out.
    stamp
        Who makes the copy, and when.
    terms
        How long what is kept.
    identity
        Name and number; without them neither stands in the copy.
    run
        A talent run.
    decisions, log, requests
        Frames of the ledger, whole: what concerns the person is picked out.

    Raises
    ------
    KeyError
        If nothing is held about the person.
    """
    held = {name: _rows(TABLES[name], tables[name], person_ref) for name in TABLES if name in tables}
    held = {name: rows for name, rows in held.items() if len(rows)}
    computed = _computed(run, decisions, person_ref)
    if not held and computed.empty:
        raise KeyError(person_ref)
    out = io.BytesIO()
    with new_book(out, title="个人信息副本", as_of=stamp.day, version="个人信息副本", stamp=stamp) as book:
        _about(book, person_ref, held, terms=terms, identity=identity, run=run)
        for name, rows in held.items():
            _sheet(book, TABLES[name], rows)
        if len(computed):
            as_of = stamp.day if run is None else run.as_of
            book.table("计算和决定", computed, _COMPUTED, "供组织参考，由组织决定", as_of=as_of)
        looked = _looked(log, person_ref)
        book.table("查阅记录", looked, _LOOKED, f"共{len(looked)}次", empty="没有人查阅过您的姓名")
        asked = _asked(requests, person_ref)
        book.table("申请记录", asked, _ASKED, f"共{len(asked)}件", empty="没有提出过申请")
    return out.getvalue()


def _rows(table: Table, frame: pd.DataFrame, person_ref: str) -> pd.DataFrame:
    """Return the rows of a table that are about a person, as people read them."""
    columns = [name for name in (*_OWN, "other_ref") if name in frame]
    mine = frame[(frame[columns] == person_ref).any(axis=1)]
    shown = {}
    for column in table.all_columns:
        if column.name in mine and column.name not in (*_OWN, *_SEALED):
            shown[column.name] = _values(column, mine[column.name], person_ref)
    return pd.DataFrame(shown, index=mine.index).reset_index(drop=True)


def _values(column: Held, values: pd.Series[Any], person_ref: str) -> pd.Series[Any]:
    if column.name in _THIRD:
        return values.map(lambda ref: None if pd.isna(ref) else "本人" if ref == person_ref else OTHERS)
    if column.kind == "date":
        return pd.to_datetime(values)
    return values.astype("object").map(lambda value: _text(column, value))


def _text(column: Held, value: Any) -> str | None:
    if pd.isna(value) or value == "":
        return None
    if column.words is not None:
        return _label(column.words, str(value))
    if column.kind == "boolean":
        return _YES_NO[bool(value)]
    return f"{value:.15g}{column.unit}" if column.kind in {"integer", "number"} else str(value)


def _label(words: type[Word], value: str) -> str:
    return words.labels().get(value, value)


def _sheet(book: Book, table: Table, rows: pd.DataFrame) -> None:
    columns = [
        Column(c.name, 16, _FORMS.get(c.kind, "wrap"), c.label) for c in table.all_columns if c.name in rows
    ]
    if columns:
        book.table(table.label, rows, columns, f"共{len(rows)}条，用于{PURPOSES[table.purpose]}")


def _computed(run: TalentRun | None, decisions: pd.DataFrame | None, person_ref: str) -> pd.DataFrame:
    """Return what was computed and decided on a person, a row each."""
    found: list[tuple[str, str, str, str]] = []
    posts = PostKind.labels()
    names: dict[str, str] = {}
    if run is not None:
        units = run.table("units")
        names = dict(zip(units["unit_code"], units["unit_name"], strict=True))
        states = GateStatus.labels()
        for row in run.table("eligibility", person_ref=person_ref).to_dict("records"):
            where = posts.get(row["post"], "各类岗位")
            found.append((f"资格审核：{row['label']}", where, states[row["status"]], row["reason"]))
        aspects = PortraitAspect.labels()
        for row in run.table("portraits", person_ref=person_ref).to_dict("records"):
            told = f"{row['mean']:.1f}分（{row['low']:.1f}至{row['high']:.1f}分）"
            found.append(
                ("人才画像", aspects.get(row["aspect"], row["aspect"]), told, "由考核、测评等材料计算")
            )
        ranked = run.table("shortlists", person_ref=person_ref).sort_values(["rank", "unit_code", "post"])
        if len(ranked):
            told = f"列入{len(ranked)}个岗位的短名单"
            found.append(("建议名单", "全部", told, f"以下列出名次最前的{min(len(ranked), _LISTED)}个"))
        for row in ranked.head(_LISTED).to_dict("records"):
            where = f"{names.get(row['unit_code'], row['unit_code'])}{posts[row['post']]}"
            told = f"第{row['rank']}名，适配{row['fit']:.1f}分"
            against = f"；需注意：{row['counter_reasons']}" if row["counter_reasons"] else ""
            found.append(("建议名单", where, told, f"{row['reasons']}{against}"))
    if decisions is not None:
        for row in decisions.to_dict("records"):
            if person_ref not in (row["person_ref"], row["instead_ref"]):
                continue
            where = f"{names.get(row['unit_code'], row['unit_code'])}{posts[row['post']]}"
            choice = _label(DecisionChoice, row["choice"])
            told = "改选为本人" if person_ref == row["instead_ref"] else choice
            found.append(("组织决定", where, told, f"{row['office']}，{local_time(row['recorded_at'])}"))
    return pd.DataFrame(found, columns=[column.name for column in _COMPUTED])


def _looked(log: pd.DataFrame | None, person_ref: str) -> pd.DataFrame:
    """Return who did what with the data of a person, without accounts: offices and roles answer for them."""
    if log is None:
        log = pd.DataFrame(columns=["subject", "recorded_at", "office", "role", "action", "detail", "reason"])
    mine = log[log["subject"] == person_ref]
    return pd.DataFrame(
        {
            "when": mine["recorded_at"].map(local_time),
            "who": mine["office"] + "（" + mine["role"].map(Role.labels()) + "）",
            "action": mine["action"].map(AccessAction.labels()),
            "detail": mine["detail"],
            "reason": mine["reason"],
        }
    ).reset_index(drop=True)


def _asked(requests: pd.DataFrame | None, person_ref: str) -> pd.DataFrame:
    if requests is None:
        return pd.DataFrame(columns=[column.name for column in _ASKED])
    return requests[requests["person_ref"] == person_ref].reset_index(drop=True)


def _about(
    book: Book,
    person_ref: str,
    held: Mapping[str, pd.DataFrame],
    *,
    terms: PrivacyPack,
    identity: Unmasked | None,
    run: TalentRun | None,
) -> None:
    sheet = book.sheet("说明")
    book.title(sheet, "个人信息副本", "交给本人")
    for number, width in enumerate(_WIDTHS):
        sheet.set_column(number, number, width)
    who = [("代号", person_ref)]
    if identity is not None:
        who = [("姓名", identity.name), ("身份证号", identity.id_number), *who]
    row = book.block(sheet, 2, ("本人", "内容"), who, _WIDTHS)
    what = [(TABLES[name].label, _purpose_of(name, rows)) for name, rows in held.items()]
    if run is not None:
        what.append(
            ("计算和决定", "由上述材料按公开的规则计算，只供组织参考，由组织决定；不由程序单独决定。")
        )
    row = book.block(sheet, row, ("持有什么", "为什么持有、谁可以查看"), what, _WIDTHS)
    kept = [
        (term.label, f"自{_since(term.table, term.since)}起{term.months}个月（{term.basis}）")
        for term in terms.terms
        if term.table in held
    ]
    row = book.block(sheet, row, ("保存多久", "期限"), kept or [("其他", "按办公室的规定")], _WIDTHS)
    rights = [
        ("更正", "材料有误的，请告知办公室；更正后重新计算。"),
        ("删除", "目的已经实现、期限届满或者您撤回同意的，可以申请删除；依法必须保存的除外。"),
        ("说明", "可以要求说明计算的规则和理由，可以拒绝仅由程序作出的决定。"),
        ("期限", f"申请自收到次日起{terms.request_workdays}个工作日内答复；不予办理的说明理由。"),
        ("没有持有的", "不登记电话、住址、宗教、健康、婚育、财产、信访和谈话内容，也不给个人评风险等级。"),
    ]
    book.block(sheet, row, ("您的权利", "怎样行使"), rights, _WIDTHS)


def _purpose_of(name: str, rows: pd.DataFrame) -> str:
    readers = GRANTS[f"tables/{name}"].readers
    seen = "、".join(role.label for role in Role if role in readers) or "不供人查看，只由程序使用"
    return f"{len(rows)}条。用于{PURPOSES[TABLES[name].purpose]}。可以查看的：{seen}。"


def _since(table: str, column: str) -> str:
    return TABLES[table].column(column).label
