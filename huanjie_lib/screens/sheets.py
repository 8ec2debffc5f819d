"""Tables of the case screen: the ledgers of a run and the lists of cases, as rows of words.

Every sheet lists what needs attention first and says how many rows it leaves out; the whole is in the file
that the screen exports.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from huanjie_lib.casework.audit_ledger import LABELS as AUDIT_LABELS
from huanjie_lib.casework.audit_ledger import AuditStage
from huanjie_lib.casework.audit_rows import HandoverKind, ProblemStanding
from huanjie_lib.casework.conflict_ledger import LABELS as CONFLICT_LABELS
from huanjie_lib.casework.conflict_ledger import Screened
from huanjie_lib.casework.events import Actor
from huanjie_lib.casework.figures import FEW, LoopFigures
from huanjie_lib.screens.board import CaseBook, Choice
from huanjie_lib.views.words import count_text, date_text, number_text, percent_text, present
from huanjie_lib.vocabulary import CaseKind, CaseState, GateStatus, Level

__all__ = ["MOST_ROWS", "Cell", "Heading", "Sheet", "sheet_of"]

MOST_ROWS: Final = 200
"""Rows that a sheet shows."""
_PLACE: Final = {"unit_name": "村（社区）", "township_name": "镇街"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its words, whether they are a figure, how urgent, and what a press on it does to what."""

    text: str
    numeric: bool = False
    tone: str = ""
    action: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column."""

    label: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: heading, columns, rows, and what it says when there is no row."""

    name: str
    title: str
    note: str
    columns: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    nothing: str


@dataclass(frozen=True, slots=True)
class Form:
    """How the columns of a frame are shown.

    Parameters
    ----------
    labels
        Heading of each column shown, in order.
    words
        Chinese label of stored words, by column.
    tones
        How urgent a value is, by column: the value as shown.
    opens
        Columns whose cells can be pressed: to (action, column that names what it is done to).
    """

    labels: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tones: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    opens: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def sheet_of(
    name: str,
    title: str,
    frame: pd.DataFrame,
    form: Form,
    *,
    nothing: str,
    note: str = "",
    total: int | None = None,
    whole: str = "全部见导出的台账",
) -> Sheet:
    """Return the first rows of a frame as words; a missing value is a dash.

    Parameters
    ----------
    name, title
        What the sheet is called in the page, and its heading.
    frame
        Rows in order.
    form
        Which columns, and how.
    nothing
        What is said when there is no row.
    note
        What is said beside the heading, before the number of rows.
    total
        Number of rows where ``frame`` is only the first of them.
    whole
        Where all rows are found.

    Examples
    --------
    >>> frame = pd.DataFrame({"unit_name": ["上云村"], "share": [0.5], "due_on": pd.to_datetime([None])})
    >>> form = Form({"unit_name": "村（社区）", "share": "完成率", "due_on": "期限"})
    >>> [cell.text for cell in sheet_of("s", "进度", frame, form, nothing="没有").rows[0]]
    ['上云村', '50.0%', '—']
    """
    shown = frame.head(MOST_ROWS)
    rows_in_all = len(frame) if total is None else total
    told = f"共 {count_text(rows_in_all)} 行"
    if rows_in_all > len(shown):
        told += f"，先列需要办理的 {len(shown)} 行，{whole}"
    figures = {
        column
        for column in form.labels
        if pd.api.types.is_numeric_dtype(frame[column]) and not pd.api.types.is_bool_dtype(frame[column])
    }
    columns = tuple(Heading(label, column in figures) for column, label in form.labels.items())
    rows = tuple(
        tuple(_cell(column, record, form, column in figures) for column in form.labels)
        for record in shown.to_dict("records")
    )
    return Sheet(
        name, title, "，".join(filter(None, (note, told if len(frame) else ""))), columns, rows, nothing
    )


def _cell(column: str, record: Mapping[Any, Any], form: Form, numeric: bool) -> Cell:
    value = record[column]
    text = form.words.get(column, {}).get(value, "") if isinstance(value, str) else ""
    text = text or _text(column, value)
    whole = "name" if column in _PLACE or column in form.words else ""
    tone = form.tones.get(column, {}).get(text, whole)
    action, other = form.opens.get(column, ("", column))
    if not action or not present(record[other]):
        return Cell(text, numeric, tone)
    return Cell(text, numeric, tone, action, str(record[other]))


def _text(column: str, value: Any) -> str:
    if not present(value):
        return "—"
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dt.date):  # a pandas.Timestamp too
        return date_text(value)
    if isinstance(value, int):
        return count_text(value)
    if isinstance(value, float):
        if column.endswith(("share", "rate")):
            return f"{100 * value:.1f}%"
        return count_text(int(value)) if value.is_integer() else number_text(value)
    return str(value)


_CASES: Final = Form(
    {
        **_PLACE,
        "title": "案件",
        "kind": "类型",
        "owner": "责任单位",
        "state": "状态",
        "due_on": "期限",
        "standing_text": "办理情况",
    },
    words={"kind": CaseKind.labels(), "state": CaseState.labels()},
    opens={"title": ("case", "case_id")},
)


def urgent_sheet(book: CaseBook, choice: Choice) -> Sheet:
    """Return what is overdue or soon will be, the most overdue first."""
    cases = book.urgent(choice)
    frame = pd.DataFrame(
        book.cards(cases.head(MOST_ROWS)), columns=[*cases.columns, "standing_text", "flags"]
    )
    texts = dict(zip(frame["standing_text"], frame["standing"], strict=True))
    form = Form(_CASES.labels, _CASES.words, {"standing_text": texts}, _CASES.opens)
    nothing = "没有逾期或将到期的案件。"
    return sheet_of("due", "逾期与将到期", frame, form, nothing=nothing, total=len(cases), note="最久的在前")


def scoped(ledgers: Mapping[str, pd.DataFrame], units: pd.DataFrame, actor: Actor) -> dict[str, pd.DataFrame]:
    """Return ledgers without what lies outside the scope of an account, with names beside the codes of units.

    Parameters
    ----------
    ledgers
        Ledgers of a run by name: by unit (``unit_code``), by area (``code``), or of the run as a whole.
    units
        Units of the run.
    actor
        Who looks.
    """
    names = units[["unit_code", "unit_name", "township_code", "township_name"]]
    found = {}
    for name, frame in ledgers.items():
        by = next((column for column in ("unit_code", "code") if column in frame), "")
        mine = frame[frame[by].str.startswith(actor.scope)] if actor.scope and by else frame
        if by == "unit_code":
            own = mine.drop(columns=[c for c in names.columns[1:] if c in mine])
            mine = own.merge(names, on="unit_code", how="left", validate="many_to_one")
        found[name] = mine
    return found


def _chosen(frame: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    if choice.township:
        frame = frame[frame["township_code"] == choice.township]
    if choice.unit:
        frame = frame[frame["unit_code"] == choice.unit]
    if choice.query.strip():
        frame = frame[frame["unit_name"].fillna("").str.contains(choice.query.strip(), regex=False)]
    return frame


def audit_sheets(ledgers: Mapping[str, pd.DataFrame], choice: Choice) -> list[Sheet]:
    """Return how far the audits have come, the refused units first, open problems, and what is handed over.

    Parameters
    ----------
    ledgers
        Result of :func:`scoped`.
    choice
        The filters.
    """
    units = _chosen(ledgers["audit_units"], choice)
    urgency = {status.value: place for place, status in enumerate((GateStatus.FAIL, GateStatus.UNKNOWN))}
    units = units.assign(urgency=units["verdict"].map(urgency).fillna(len(urgency)))
    units = units.sort_values(["urgency", "problems_overdue", "unit_code"], ascending=[True, False, True])
    clear = int((units["verdict"] == GateStatus.PASS.value).sum())
    shown = (
        *("stage", "verdict", "items_concluded", "items_required", "members_concluded", "members_due"),
        *("notices_valid", "objections_open", "problems_open", "problems_overdue", "to_check"),
    )
    refused = GateStatus.FAIL.label
    problems = _chosen(ledgers["audit_problems"], choice)
    problems = problems[problems["is_open"]].sort_values(
        ["is_overdue", "due_on", "problem_id"], ascending=[False, True, True], na_position="last"
    )
    told = ("problem_id", "item", "severity", "found_on", "due_on", "owner", "standing")
    handed = _chosen(ledgers["handover"], choice).sort_values(["township_name", "unit_code", "kind"])
    items = ("kind", "key", "detail", "amount", "since", "due_on", "owner")
    return [
        sheet_of(
            "audit_units",
            "审计进度",
            units,
            Form(
                _PLACE | {name: AUDIT_LABELS[name] for name in shown},
                words={"stage": AuditStage.labels(), "verdict": GateStatus.labels()},
                tones={"verdict": {refused: "bad"}},
            ),
            nothing="没有单位。",
            note=f"审计清楚 {count_text(clear)} 个（{percent_text(clear, len(units))}）",
        ),
        sheet_of(
            "audit_problems",
            "未整改的审计问题",
            problems,
            Form(
                _PLACE | {name: AUDIT_LABELS[name] for name in told},
                words={"standing": ProblemStanding.labels()},
                tones={"standing": {ProblemStanding.OVERDUE.label: "overdue"}},
            ),
            nothing="没有未整改的审计问题。",
        ),
        sheet_of(
            "handover",
            "移交新一届的事项",
            handed,
            Form(
                _PLACE | {name: AUDIT_LABELS[name] for name in items},
                words={"kind": HandoverKind.labels()},
            ),
            nothing="没有需要移交的事项。",
        ),
    ]


def conflict_sheets(
    ledgers: Mapping[str, pd.DataFrame], choice: Choice, level: pd.Series[str]
) -> list[Sheet]:
    """Return where the units stand with conflicts, the red ones without plans first, and open incidents.

    Parameters
    ----------
    ledgers
        Result of :func:`scoped`.
    choice
        The filters.
    level
        Level by unit code.
    """
    units = _chosen(ledgers["conflict_units"], choice)
    units = units.assign(level=units["unit_code"].map(level))
    red = units["level"] == Level.RED.value
    units = units.assign(
        red_code=units["unit_code"].where(red, ""),
        urgent=red & ~units["plan_complete"].fillna(False).astype("bool"),
    )
    units = units.sort_values(
        ["urgent", "disputes_open", "unit_code"], ascending=[False, False, True], na_position="last"
    )
    words = {"level": Level.labels(), "screening": Screened.labels()}
    labels = {
        **_PLACE,
        "level": "等级",
        **{
            name: CONFLICT_LABELS[name]
            for name in (
                "screening",
                "screened_on",
                "led_by_secretary",
                "disputes_open",
                "oldest_days",
                "plan_lacking",
                "leader",
                "talks_done",
                "talks_due",
                "unplaced",
            )
        },
    }
    tones = {
        "level": {Level.RED.label: "bad"},
        "screening": {Screened.LAPSED.label: "bad", Screened.NEVER.label: "bad"},
    }
    form = Form(labels, words, tones, opens={"unit_name": ("plan", "red_code")})
    incidents = _chosen(ledgers["disputes"], choice)
    incidents = incidents[incidents["open"]].sort_values(["days", "unit_code"], ascending=[False, True])
    shown = ("category", "opened_on", "days", "is_group", "people_involved", "lacking")
    return [
        sheet_of(
            "conflict_units",
            "摸排、化解和一村一策",
            units,
            form,
            nothing="没有单位。",
            note="红色村点名称可下载一村一策",
        ),
        sheet_of(
            "disputes",
            "未化解的矛盾",
            incidents,
            Form({**_PLACE, **{name: CONFLICT_LABELS[name] for name in shown}}),
            nothing="没有未化解的矛盾。",
        ),
    ]


_FLOW: Final = {
    "cases": "立案",
    "closed": "已销号",
    "open": "未销号",
    "overdue": "已逾期",
    "cycle_median": "办结用时中位数",
    "cycle_p90": "九成案件不超过",
    "on_time_share": "按期率",
    "reopen_rate": "重开率",
    "return_rate": "退回率",
    "few_note": "说明",
}


def flow_sheets(figures: LoopFigures) -> list[Sheet]:
    """Return how the cases went, by kind and by township, those with the most overdue first."""
    table = figures.table
    table = table.assign(few_note=table["few"].map({True: f"销号不足{FEW}件，仅供参考", False: ""}))
    table = table.sort_values(["overdue", "cases"], ascending=False, kind="stable")
    note = "用时按工作日计算"
    return [
        sheet_of(
            name,
            title,
            table[(table["scope"] == scope) & (table["cases"] > 0)],
            Form({"label": heading, **_FLOW}),
            nothing="没有案件。",
            note=note,
        )
        for name, title, scope, heading in (
            ("by_kind", "各类案件办理情况", "kind", "类型"),
            ("by_township", "各镇街办理情况", "township", "镇街"),
        )
    ]
