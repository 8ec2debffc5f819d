"""The ledgers of the closed loop as one workbook (台账.xlsx): cases, figures, audits, conflicts.

Restricted ledgers, and cases about signals, are in it only for roles that may see them; a workbook without
them says so. Equal ledgers give equal bytes.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from huanjie_lib import __version__
from huanjie_lib.casework import audit_ledger, conflict_ledger, figures
from huanjie_lib.casework.audit_ledger import AuditStage
from huanjie_lib.casework.audit_rows import HandoverKind, ProblemStanding
from huanjie_lib.casework.conflict_ledger import Held, Placement, Screened
from huanjie_lib.casework.events import Head
from huanjie_lib.casework.figures import LoopFigures, Standing
from huanjie_lib.casework.workdays import PROVISIONAL
from huanjie_lib.contracts import TABLES
from huanjie_lib.exports.book import A3, A4, Book, Column, Form, new_book
from huanjie_lib.risk.audits import NoticeStanding
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.views.words import count_text, date_text
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, GateStatus, Role

__all__ = ["RESTRICTED_SHEETS", "SHEETS", "ledger_workbook"]

YES_NO: Final[Mapping[Any, str]] = {True: "是", False: "否"}
_AREAS: Final = {"city": "全市", "county": "县区", "township": "镇街"}

_LABELS: Final[Mapping[str, str]] = {
    **{c.name: c.label for name in ("case_events", "cases") for c in TABLES[name].columns},
    "unit_name": "村（社区）",
    "township_name": "镇街",
    "area": "地区",
    "reason": "事由",
    "subject": "台账行",
    "restricted": "限制知悉",
    "evidence": "本轮佐证材料",
    "reopened": "重新打开次数",
    "returned": "退回次数",
    "postponed": "延期次数",
    "standing": "期限情况",
    "workdays_left": "剩余工作日",
    "provisional": "放假安排待公布",
    "told": "内容",
    "recorded": "登记时间（北京时间）",
    "case_title": "案件名称",
    "short_hash": "哈希（前12位）",
}
_FIGURE_LABELS: Final[Mapping[str, str]] = {
    "scope": "范围",
    "label": "名称",
    "cases": "立案",
    **CaseState.labels(),
    "open": "未销号",
    "overdue": "逾期",
    "soon": "将到期",
    "undated": "未定期限",
    "oldest_open": "未销号最久（工作日）",
    "cycle_median": "销号用时中位数（工作日）",
    "cycle_p90": "九成销号不超过（工作日）",
    "dispatch_median": "派单用时中位数",
    "rectify_median": "整改用时中位数",
    "review_median": "复核用时中位数",
    "decided": "期限已见分晓",
    "on_time": "按期销号",
    "on_time_share": "按期率",
    "on_time_first_share": "按首次期限的按期率",
    "ever_closed": "曾销号",
    "reopened": "销号后重新打开",
    "reopen_rate": "重开率",
    "reviews": "已复核次数",
    "returned": "退回次数",
    "return_rate": "退回率",
    "postponed": "延过期的案件",
    "few": "样本少",
}


_Spec = tuple[str, float, Form] | tuple[str, float, Form, Mapping[Any, str]]


def _columns(labels: Mapping[str, str], *specs: _Spec) -> tuple[Column, ...]:
    """Return columns from name, width, form and, where stored values have words, the words."""
    return tuple(Column(name, width, form, labels[name], *words) for name, width, form, *words in specs)


_PLACE: Final[tuple[_Spec, ...]] = (
    ("unit_code", 15, "text"),
    ("unit_name", 14, "text"),
    ("township_name", 11, "text"),
)
_AUDIT: Final = {**audit_ledger.LABELS, "unit_name": "村（社区）", "township_name": "镇街", "area": "地区"}
_CONFLICT: Final = {
    **conflict_ledger.LABELS,
    "unit_name": "村（社区）",
    "township_name": "镇街",
    "area": "地区",
}


@dataclass(frozen=True)
class _Sheet:
    """One table sheet.

    Parameters
    ----------
    name
        Name of the sheet.
    table
        Which table it shows.
    columns
        Its columns.
    unit
        Counter of its rows.
    says
        What the sheet is for.
    empty
        What stands there without rows.
    paper
        Paper size.
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    unit: str
    says: str
    empty: str
    paper: int = A3


_CASE: Final[tuple[_Spec, ...]] = (
    ("case_id", 18, "text"),
    *_PLACE,
    ("kind", 11, "text", CaseKind.labels()),
    ("title", 26, "wrap"),
    ("reason", 44, "wrap"),
    ("state", 9, "text", CaseState.labels()),
    ("owner", 15, "wrap"),
    ("opened_on", 12, "date"),
    ("due_on", 12, "date"),
    ("standing", 10, "text", Standing.labels()),
    ("workdays_left", 8, "count"),
)
_SHEETS: Final = (
    _Sheet(
        "案件台账",
        "cases",
        _columns(
            _LABELS,
            *_CASE,
            ("closed_on", 12, "date"),
            ("evidence", 8, "count"),
            ("returned", 8, "count"),
            ("postponed", 8, "count"),
            ("reopened", 9, "count"),
        ),
        "件",
        "每件案件一行，从预警到销号；未销号的在前，同类按期限先后。",
        "没有案件",
    ),
    _Sheet(
        "案件经过",
        "events",
        _columns(
            _LABELS,
            ("sequence", 8, "count"),
            ("case_id", 18, "text"),
            ("unit_name", 14, "text"),
            ("case_title", 26, "wrap"),
            ("event", 11, "text", CaseEvent.labels()),
            ("happened_on", 12, "date"),
            ("office", 14, "text"),
            ("role", 11, "text", Role.labels()),
            ("actor", 13, "text"),
            ("told", 52, "wrap"),
            ("recorded", 21, "text"),
            ("short_hash", 16, "text"),
        ),
        "条",
        "案件的每一步，按登记次序；只增不改，哈希前后相连。",
        "没有经过",
    ),
    _Sheet(
        "逾期与将到期",
        "due",
        _columns(_LABELS, *_CASE, ("provisional", 10, "flag", {True: "待公布"})),
        "件",
        "未销号且已过期限或即将到期的案件，逾期最久的在前；按工作日计算。",
        "没有逾期或将到期的案件",
    ),
    _Sheet(
        "闭环统计",
        "figures",
        _columns(
            _FIGURE_LABELS,
            ("scope", 9, "text", {"all": "全部", "kind": "预警类型", "township": "镇街"}),
            ("label", 13, "text"),
            *((name, 8.0, "count") for name in ("cases", *CaseState.labels(), "open")),
            *((name, 8.0, "count") for name in ("overdue", "soon", "undated")),
            *((name, 11.0, "index") for name in ("oldest_open", "cycle_median", "cycle_p90")),
            *((f"{stage}_median", 10.0, "index") for stage in figures.STAGES),
            ("decided", 9, "count"),
            ("on_time", 8, "count"),
            ("on_time_share", 9, "share"),
            ("on_time_first_share", 10, "share"),
            ("ever_closed", 8, "count"),
            ("reopened", 9, "count"),
            ("reopen_rate", 9, "share"),
            ("reviews", 9, "count"),
            ("returned", 8, "count"),
            ("return_rate", 9, "share"),
            ("postponed", 9, "count"),
            ("few", 8, "flag", {True: "样本少"}),
        ),
        "行",
        "全部、分类型、分镇街的办理情况；用时按工作日计算，只算已销号的案件。",
        "没有案件",
    ),
    _Sheet(
        "审计台账",
        "audit_units",
        _columns(
            _AUDIT,
            *_PLACE,
            ("unit_kind", 8, "text"),
            ("stage", 10, "text", AuditStage.labels()),
            ("verdict", 10, "text", GateStatus.labels()),
            ("reason", 42, "wrap"),
            ("plan_on", 12, "date"),
            ("started_on", 12, "date"),
            ("ended_on", 12, "date"),
            ("concluded_on", 12, "date"),
            ("plan_first", 9, "text", YES_NO),
            ("offices_missing", 12, "wrap"),
            ("supervision_present", 9, "text", YES_NO),
            ("representatives", 9, "count"),
            *((name, 8.0, "count") for name in ("items_required", "items_concluded", "items_unclear")),
            *((name, 8.0, "count") for name in ("members_due", "members_concluded", "members_unclear")),
            *((name, 8.0, "count") for name in ("notices_required", "notices_valid", "objections_open")),
            *((name, 8.0, "count") for name in ("problems_open", "problems_overdue")),
            ("to_check", 26, "wrap"),
        ),
        "个单位",
        "每个村（社区）的审计进度、结论、公示和问题；“不审计不换届”由这些事实算出。",
        "没有审计台账",
    ),
    _Sheet(
        "审计覆盖",
        "audit_coverage",
        _columns(
            _AUDIT,
            ("level", 9, "text", _AREAS),
            ("area", 15, "text"),
            ("units", 10, "count"),
            ("units_audited", 10, "count"),
            ("units_share", 13, "share"),
            ("persons", 10, "count"),
            ("persons_audited", 10, "count"),
            ("persons_share", 13, "share"),
            ("cleared", 10, "count"),
            ("failed", 9, "count"),
            ("unknown", 9, "count"),
            ("without_list", 13, "count"),
        ),
        "行",
        "审计对单位和人员的覆盖率。",
        "没有审计台账",
        A4,
    ),
    _Sheet(
        "审计事项",
        "audit_items",
        _columns(
            _AUDIT,
            *_PLACE,
            ("project_id", 22, "text"),
            ("item", 18, "text"),
            ("outcome", 10, "text"),
            ("concluded_on", 13, "date"),
            ("amount", 14, "count"),
            ("concluded", 10, "text", YES_NO),
        ),
        "项",
        "审计清单的每一项，村五项、社区三项。",
        "没有审计事项",
        A4,
    ),
    _Sheet(
        "审计公示",
        "audit_notices",
        _columns(
            _AUDIT,
            *_PLACE,
            ("notice_id", 24, "text"),
            ("start_on", 12, "date"),
            ("end_on", 12, "date"),
            ("days", 8, "count"),
            ("place", 20, "wrap"),
            ("standing", 26, "wrap", NoticeStanding.labels()),
            ("objections", 9, "count"),
            ("answered", 9, "count"),
            ("objections_open", 9, "count"),
        ),
        "次",
        "每次公示及其是否有效、为什么无效，收到和答复的异议。",
        "没有公示记录",
    ),
    _Sheet(
        "审计问题台账",
        "audit_problems",
        _columns(
            _AUDIT,
            *_PLACE,
            ("problem_id", 24, "text"),
            ("item", 16, "text"),
            ("severity", 9, "text"),
            ("found_on", 12, "date"),
            ("due_on", 12, "date"),
            ("owner", 15, "wrap"),
            ("standing", 14, "text", ProblemStanding.labels()),
            ("closed_on", 12, "date"),
            ("evidence", 10, "text", YES_NO),
        ),
        "项",
        "审计发现的问题、责任单位、期限和整改证据；没有证据的不算整改完成。未整改的在前。",
        "没有审计问题",
    ),
    _Sheet(
        "移交清单",
        "handover",
        _columns(
            _AUDIT,
            *_PLACE,
            ("kind", 12, "text", HandoverKind.labels()),
            ("key", 24, "text"),
            ("detail", 40, "wrap"),
            ("since", 12, "date"),
            ("due_on", 12, "date"),
            ("owner", 15, "wrap"),
            ("amount", 14, "count"),
        ),
        "项",
        "移交新一届班子的未了事项，防止“新官不理旧账”。",
        "没有需要移交的事项",
    ),
    _Sheet(
        "矛盾摸排",
        "conflict_units",
        _columns(
            _CONFLICT,
            *_PLACE,
            ("screening", 10, "text", Screened.labels()),
            ("screened_on", 12, "date"),
            ("screening_days", 9, "count"),
            ("method", 9, "text"),
            ("led_by_secretary", 9, "text", YES_NO),
            ("households_visited", 9, "count"),
            *((name, 8.0, "count") for name in ("disputes_open", "groups_open", "oldest_days")),
            *((name, 8.0, "count") for name in ("without_leader", "without_stabilisation")),
            ("without_resolution", 8, "count"),
            ("leader", 18, "wrap"),
            ("leader_state", 10, "text", Held.labels()),
            ("stabilisation_plan_on", 12, "date"),
            ("resolution_plan_on", 12, "date"),
            ("plan_lacking", 22, "wrap"),
            *((name, 8.0, "count") for name in ("talks_due", "talks_done", "leavers", "unplaced")),
        ),
        "个单位",
        "每个村（社区）的摸排、未化解矛盾、一村一策和谈话、安置完成情况。",
        "没有矛盾台账",
    ),
    _Sheet(
        "摸排覆盖",
        "conflict_coverage",
        _columns(
            _CONFLICT,
            ("level", 9, "text", _AREAS),
            ("area", 15, "text"),
            ("units", 9, "count"),
            ("screened", 9, "count"),
            ("screened_share", 11, "share"),
            ("screening_lapsed", 10, "count"),
            ("never", 9, "count"),
            ("led_share", 11, "share"),
            ("disputes_open", 10, "count"),
            ("groups_open", 9, "count"),
            ("oldest_days", 10, "count"),
            ("without_plan", 9, "count"),
            ("planned", 10, "count"),
            ("unplaced", 9, "count"),
        ),
        "行",
        "摸排覆盖率、书记带队率和未化解矛盾。",
        "没有矛盾台账",
        A4,
    ),
    _Sheet(
        "矛盾台账",
        "disputes",
        _columns(
            _CONFLICT,
            ("dispute_id", 22, "text"),
            *_PLACE,
            ("category", 11, "text"),
            ("opened_on", 12, "date"),
            ("resolved_on", 12, "date"),
            ("days", 9, "count"),
            ("age_band", 12, "text"),
            ("is_group", 9, "text", YES_NO),
            ("people_involved", 9, "count"),
            ("lacking", 24, "wrap"),
            ("earlier", 11, "count"),
            ("twice", 10, "flag", {True: "疑似重复"}),
        ),
        "件",
        "每件矛盾纠纷，只记事不记人；未化解的在前，历时最久的在前。",
        "没有矛盾纠纷",
    ),
)
_RESTRICTED: Final = (
    _Sheet(
        "审计对象",
        "audit_members",
        _columns(
            _AUDIT,
            *_PLACE,
            ("project_id", 22, "text"),
            ("person_ref", 18, "text"),
            ("post", 12, "text"),
            ("term_from", 12, "date"),
            ("term_to", 12, "date"),
            ("left", 9, "text", YES_NO),
            ("listed", 9, "text", YES_NO),
            ("outcome", 10, "text"),
            ("concluded_on", 12, "date"),
        ),
        "人",
        "每名审计对象（代号）的审计结论。",
        "没有审计对象名单",
    ),
    _Sheet(
        "谈话台账",
        "talks",
        _columns(
            _CONFLICT,
            *_PLACE,
            ("as_of", 13, "date"),
            ("target", 16, "text"),
            ("due", 10, "count"),
            ("done", 10, "count"),
            ("outstanding", 10, "count"),
        ),
        "行",
        "谈心谈话只记应谈、已谈人数，不记内容。",
        "没有谈话统计",
        A4,
    ),
    _Sheet(
        "离任安置",
        "leavers",
        _columns(
            _CONFLICT,
            *_PLACE,
            ("person_ref", 18, "text"),
            ("left_on", 13, "date"),
            ("status", 20, "text", Placement.labels()),
            ("arrangement", 20, "wrap"),
            ("arranged_on", 13, "date"),
            ("waiting_days", 12, "count"),
        ),
        "人",
        "离任人员（代号）的安置情况，尚未安置的在前。",
        "没有离任人员",
    ),
)
_CASE_TABLES: Final = frozenset({"cases", "events", "due", "figures"})
_NO_LEDGER: Final = "没有案件台账，情况不明"
_ABOUT: Final = "说明"
_WIDTHS: Final = (22, 100)

SHEETS: Final = tuple(sheet.name for sheet in _SHEETS)
"""Sheets that every role gets, in order; a sheet on versions and definitions follows."""
RESTRICTED_SHEETS: Final = tuple(sheet.name for sheet in _RESTRICTED)
"""Sheets for roles that may see people's pseudonyms and talks."""


def ledger_workbook(
    *,
    cases: pd.DataFrame,
    events: pd.DataFrame,
    due: pd.DataFrame,
    loop: LoopFigures,
    ledgers: Mapping[str, pd.DataFrame],
    units: pd.DataFrame,
    as_of: dt.date,
    version: str,
    head: Head | None,
    restricted: bool = False,
    stamp: Stamp | None = None,
) -> bytes:
    """Return the ledgers as the bytes of an XLSX file; equal ledgers give equal bytes.

    Parameters
    ----------
    cases
        Cases, :data:`~huanjie_lib.casework.cases.CASE_COLUMNS`.
    events
        Their events, :data:`~huanjie_lib.casework.events.EVENT_COLUMNS`; those of other cases are left out.
    due
        Result of :func:`~huanjie_lib.casework.figures.deadlines`, by case_id.
    loop
        Figures of the loop; its date is the date of the case sheets. Cases that are not shown are not
        counted.
    ledgers
        Ledgers of the run by name: audit_units, audit_coverage, audit_items, audit_notices, audit_problems,
        handover, conflict_units, conflict_coverage, disputes; audit_members, talks, leavers. One that is
        absent leaves its sheet empty and says so.
    units
        unit_code, unit_name, township_code, township_name and, where known, county_code, county_name.
    as_of, version
        Date of the run and version of its parameters.
    head
        End of the chain of events that ``cases`` and ``events`` come from; ``None`` where there is no ledger
        of cases, which the sheets then say.
    restricted
        Whether restricted cases and sheets are wanted.
    stamp
        Who exports.

    Raises
    ------
    UsageError
        If a sheet would be longer than a spreadsheet can hold.
    """
    seen = cases if restricted else cases[~cases["restricted"].astype("bool")]
    loop = loop.only(seen["case_id"])
    sheets = (*_SHEETS, *(_RESTRICTED if restricted else ()))
    wanted = {sheet.table for sheet in sheets}
    told = {} if head is None else dict(_case_frames(seen, events, due, loop))
    frames = told | {name: _placed(frame, units) for name, frame in ledgers.items() if name in wanted}
    chain = "" if head is None else f"，账本至第{count_text(head.sequence)}条"
    out = io.BytesIO()
    title = f"台账（截至{date_text(as_of)}）"
    with new_book(out, title=title, as_of=as_of, version=version, stamp=stamp) as book:
        for sheet in sheets:
            frame = frames.get(sheet.table, pd.DataFrame(columns=[c.name for c in sheet.columns]))
            of_cases = sheet.table in _CASE_TABLES
            note = f"共{count_text(len(frame))}{sheet.unit}"
            book.table(
                sheet.name,
                _arranged(sheet.table, frame),
                sheet.columns,
                f"{note}{chain}" if of_cases else note,
                empty=_NO_LEDGER if of_cases and head is None else sheet.empty,
                paper=sheet.paper,
                as_of=loop.as_of if of_cases else as_of,
            )
        _about(book, sheets, loop, as_of, version, head, restricted=restricted)
    return out.getvalue()


def _case_frames(
    cases: pd.DataFrame, events: pd.DataFrame, due: pd.DataFrame, loop: LoopFigures
) -> Iterator[tuple[str, pd.DataFrame]]:
    listed = cases.merge(due, on="case_id", how="left", validate="one_to_one")
    yield "due", listed[listed["standing"].isin([Standing.OVERDUE.value, Standing.SOON.value])]
    ended = listed["state"].isin([CaseState.CLOSED.value, CaseState.CANCELLED.value])
    yield "cases", listed.assign(standing=listed["standing"].mask(ended), _ended=ended)
    names = cases[["case_id", "unit_name", "title"]].rename(columns={"title": "case_title"})
    mine = events.merge(names, on="case_id", how="inner", validate="many_to_one")
    told = [_told(event, payload) for event, payload in zip(mine["event"], mine["payload"], strict=True)]
    clock = pd.to_datetime(mine["recorded_at"], utc=True, format="ISO8601").dt.tz_convert("Asia/Shanghai")
    yield (
        "events",
        mine.assign(
            told=told,
            happened_on=pd.to_datetime(mine["happened_on"]),
            recorded=clock.dt.strftime("%Y-%m-%d %H:%M:%S"),
            short_hash=mine["hash"].str[:12],
        ),
    )
    yield "figures", loop.table


def _told(event: str, payload: str) -> str:
    """Return what an event carries, in words."""
    told = json.loads(payload)
    if event == CaseEvent.OPEN.value:
        return str(told["reason"])
    parts = []
    if "owner" in told:
        parts.append(f"责任单位{told['owner']}")
    if "due_on" in told:
        parts.append(f"期限{date_text(dt.date.fromisoformat(told['due_on']))}")
    if told.get("evidence"):
        parts.append(f"佐证材料：{'、'.join(item['name'] for item in told['evidence'])}")
    if told.get("amendments"):
        parts.append(f"更正数据{len(told['amendments'])}处")
    if told.get("note", "").strip():
        parts.append(told["note"].strip())
    return "；".join(parts)


def _placed(frame: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Return a ledger with the names of its units, or of its areas, beside the codes."""
    if "unit_code" in frame:
        names = units[["unit_code", "unit_name", "township_name"]].drop_duplicates("unit_code")
        rest = frame.drop(columns=["unit_name", "township_name"], errors="ignore")
        return rest.merge(names, on="unit_code", how="left", validate="many_to_one")
    areas: dict[str, str] = {}
    for area in ("county", "township"):
        if {f"{area}_code", f"{area}_name"} <= set(units):
            pairs = units[[f"{area}_code", f"{area}_name"]].dropna().astype("str")
            areas |= dict(pairs.itertuples(index=False, name=None))
    city = frame["level"] == "city"
    return frame.assign(area=frame["code"].map(areas).fillna(frame["code"]).mask(city, "全市"))


_ARRANGED: Final[Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "cases": lambda f: _by(f, "_ended", "due_on"),
    "due": lambda f: _by(f, "workdays_left", "due_on"),
    "events": lambda f: _by(f, "sequence"),
    "audit_problems": lambda f: _by(f.assign(_o=~f["is_open"].astype("bool")), "_o", "due_on"),
    "disputes": lambda f: _by(f.assign(_o=~f["open"].astype("bool"), _d=-f["days"]), "_o", "_d"),
    "handover": lambda f: f.assign(key=f["key"].mask(f["kind"] == HandoverKind.DEBT.value)),
    "leavers": lambda f: _by(f.assign(_o=f["status"] == Placement.PLACED.value), "_o", "left_on"),
}


def _by(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return rows in the order of columns; ties stay as they came, missing values last."""
    return frame.sort_values(list(columns), kind="stable", na_position="last")


def _arranged(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table as they are shown: what needs attention first, and no codes of metrics."""
    arrange = _ARRANGED.get(table)
    return frame if arrange is None or frame.empty else arrange(frame)


def _about(
    book: Book,
    sheets: tuple[_Sheet, ...],
    loop: LoopFigures,
    as_of: dt.date,
    version: str,
    head: Head | None,
    *,
    restricted: bool,
) -> None:
    """Write what the sheets are, how figures are defined, and which state of which ledger they come from."""
    sheet = book.sheet(_ABOUT)
    book.title(sheet, _ABOUT, "各表的内容和口径")
    for number, width in enumerate(_WIDTHS):
        sheet.set_column(number, number, width)
    left_out = "包含" if restricted else "不含限制知悉的案件和审计对象、谈话、离任安置三张表"
    facts = [
        ("评估截至日期", as_of.isoformat()),
        ("案件截至日期", loop.as_of.isoformat()),
        ("参数版本", version),
        ("程序版本", __version__),
        ("账本事件数", _NO_LEDGER if head is None else count_text(head.sequence)),
        ("账本链头", _NO_LEDGER if head is None else head.hash),
        ("限制知悉内容", left_out),
    ]
    row = book.block(sheet, 2, ("项目", "取值"), facts, _WIDTHS)
    row = book.block(sheet, row, ("工作表", "内容"), [(s.name, s.says) for s in sheets], _WIDTHS)
    notes = list(_DEFINITIONS)
    if loop.provisional or loop.cases.get("provisional", pd.Series(dtype="bool")).any():
        notes.append(("放假安排", f"部分期限所在年份{PROVISIONAL}，公布后可能变动。"))
    book.block(sheet, row, ("口径", "说明"), notes, _WIDTHS)


_DEFINITIONS: Final = (
    ("工作日", "按国务院办公厅放假安排计算，含调休上班的周末；期限落在休息日的，顺延到下一个工作日。"),
    ("剩余工作日", "到期当天为0；过了期限当天即为逾期，按工作日计，不足一个工作日按一个计（显示为负数）。"),
    ("用时", "派单、整改、复核三段相加为销号用时；退回后的整改计入整改，销号以后到重新打开之前不计。"),
    ("按期率", "期限前销号的，占已销号和未销号但已过期限的案件；没有期限的不算按期。"),
    ("按首次期限的按期率", "不承认延期，按每轮第一次派单的期限计算。"),
    ("重开率", "销号后又重新打开的案件，占曾经销号的案件。"),
    ("退回率", "复核退回的次数，占复核作出结论（退回或销号）的次数。"),
    ("样本少", f"已销号的不足{figures.FEW}件，中位数和比率仅供参考。"),
)
