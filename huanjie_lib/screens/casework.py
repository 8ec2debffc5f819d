"""The closed loop (整改闭环) on a screen: what it knows, what it shows, and its door.

:class:`CaseworkModel` is the state: plain values over a run and the ledger, which it opens for reading only.
:class:`CaseworkView` draws it. What an office does goes from the page to the server, which knows who is
logged in; the page then tells the kernel to look again. A message of the page is never taken for more than
a wish to see something: what it may see follows from the account that the server was started for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import ipywidgets
import pandas as pd
import traitlets
from markupsafe import Markup

from huanjie_lib.access.roles import may_read
from huanjie_lib.access.scope import SEES_RESTRICTED, ledgers_for
from huanjie_lib.casework.cases import Case
from huanjie_lib.casework.effect import rectification_effect
from huanjie_lib.casework.events import Actor, Head
from huanjie_lib.casework.figures import LoopFigures, loop_figures
from huanjie_lib.casework.workdays import PROVISIONAL, Workdays
from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.parameters import UNIT_OFFICE, CaseworkPack
from huanjie_lib.screens import sheets
from huanjie_lib.screens.board import (
    KIND_MARKS,
    OPEN_STATES,
    OWN,
    PAGE,
    CaseBook,
    CaseFile,
    Choice,
    dispatch_form,
    forms,
    rows_of,
    timeline,
    value_label,
)
from huanjie_lib.screens.cuts import ACTOR_VARIABLE, STORE_VARIABLE
from huanjie_lib.screens.drawer import DrawerView
from huanjie_lib.screens.page import RunModel, actor_of, from_environment, guarded, head, open_screen
from huanjie_lib.screens.panel import STATIC, Panel, TaskPanel, render
from huanjie_lib.screens.site import Site
from huanjie_lib.store.batch import MOST_AT_ONCE
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.store.ledger_cut import open_cut
from huanjie_lib.store.media import MEDIA_TYPES, MOST_BYTES
from huanjie_lib.store.run_folder import Run, read_ledgers
from huanjie_lib.store.snapshot import part_of
from huanjie_lib.views import tables
from huanjie_lib.views.words import count_text, date_text, number_text, percent_text, present
from huanjie_lib.vocabulary import CaseKind, CaseState, Level

__all__ = ["CaseworkModel", "CaseworkView", "Desk", "Moved", "held", "open_casework"]

TITLE: Final = "整改闭环"
REMEDY: Final = "用 huanjie serve --app casework 打开，写明 --run、--store、--account、--office、--role"
TABS: Final = {
    "board": "看板",
    "due": "逾期与将到期",
    "audit": "审计台账",
    "conflict": "矛盾台账",
    "effect": "成效",
}
WITH_CASES: Final = frozenset({"board", "due"})
"""Tabs that the filters by kind and owner work on."""
FILTERS: Final = ("township", "kind", "owner", "overdue", "unit")
MOST_LISTED: Final = 2000
LONGEST_QUERY: Final = 60
LINKS: Final = {
    "unit": ("unit", "村（社区）"),
    "township": ("township", "镇街"),
    "case": ("case", "案件"),
    "tab": ("tab", "栏目"),
}
"""What a link may lead to: trait and name by key."""
EFFECT_SEED: Final = 20261031
OF_THIS_CASE: Final = "见本案佐证材料"
NEXT_RUN: Final = "更正的事实将在下一次评估中计入指数。"
WORDS: Final = {
    "number": number_text,
    "count": count_text,
    "date": date_text,
    "Level": Level,
    "CaseKind": CaseKind,
    "CaseState": CaseState,
    "kind_marks": KIND_MARKS,
}

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_OF_TAB: Final = {"audit": "ledgers/audit_units", "conflict": "ledgers/conflict_units"}
"""Tables that a role must be allowed to read for it to have a tab."""

_NOTES: Final = ("median_note", "reopen_note")
_LEVELS: Final = Level.lookup()

_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Moved:
    """What a closed case has moved: sentences, facts old and new, and the index of its unit over the runs."""

    sentences: tuple[str, ...]
    facts: tuple[dict[str, str], ...]
    history: tuple[dict[str, Any], ...]


class CaseworkModel(RunModel):
    """What the viewer has chosen, and what of the ledger the account may see.

    Parameters
    ----------
    run
        The run on view.
    ledger
        The ledger, open for reading.
    actor
        Account that the server was started for.
    today
        Date from which deadlines are reckoned.
    ledgers
        The ledgers of the run by name.
    clock
        Tells the date each time the ledger is looked at, so that a screen left open overnight goes on to the
        next day; it stays ``today`` without one.

    Attributes
    ----------
    tab : str
        A key of ``TABLES``.
    unit, township, kind, owner, query : str
        Filters; empty for all. ``owner`` may be :data:`~huanjie_lib.screens.board.OWN`.
    overdue : bool
        Only what is overdue.
    unfolded : bool
        Whether cancelled cases are listed.
    listed : dict
        How many cases a column lists, by state, where it is more than the first page.
    case : str
        Number of the case that is open; empty for none.
    together : bool
        Whether what waits on the board is being dispatched together; no case is open then.

    Raises
    ------
    UsageError
        If the parameters of the run say nothing about cases.
    """

    tab = traitlets.Enum(tuple(TABS), "board")
    township = traitlets.Unicode("")
    kind = traitlets.Enum(("", *CaseKind.labels()), "")
    owner = traitlets.Unicode("")
    overdue = traitlets.Bool(False)
    query = traitlets.Unicode("")
    unfolded = traitlets.Bool(False)
    listed = traitlets.Dict()
    case = traitlets.Unicode("")
    together = traitlets.Bool(False)

    def __init__(
        self,
        run: Run,
        ledger: Ledger,
        *,
        actor: Actor,
        today: dt.date,
        ledgers: Mapping[str, pd.DataFrame],
        clock: Callable[[], dt.date] | None = None,
    ) -> None:
        pack = run.parameters.casework
        if pack is None:
            raise UsageError(
                "所用参数包没有案件规则，不能打开整改闭环",
                [
                    Fault(
                        "参数包",
                        "缺少 casework.yaml",
                        "立案规则和期限",
                        "加入 casework.yaml 后重新运行 huanjie run",
                    )
                ],
            )
        self.pack: CaseworkPack = pack
        self.actor, self.today, self.ledgers = actor, today, ledgers
        self._clock = clock or (lambda: today)
        self._ledger = ledger
        self._mark: tuple[Head, str] | None = None
        self._course: pd.DataFrame | None = None
        self._measured = -1
        self._index = dict(zip(run.index["unit_code"], run.index["index"], strict=True))
        units = run.units[[actor.covers(code) for code in run.units["unit_code"]]]
        self.townships = dict(zip(units["township_code"], units["township_name"], strict=True))
        self.unit_names = dict(zip(units["unit_code"], units["unit_name"], strict=True))
        self._opened = False
        self.look()
        super().__init__(run)
        self._opened = True

    def look(self) -> bool:
        """Read the ledger again if it has grown or another day has begun since; return whether it was read.

        One snapshot is read, so that what is shown belongs together.
        """
        with self._ledger.snapshot() as moment:
            mark, today = moment.mark(), self._clock()
            if mark == self._mark and today == self.today:
                return False
            self.today = today
            runs = moment.runs()
            alerted = moment.alerted(str(runs["run_id"].iloc[-1])) if len(runs) else None
            self.book = CaseBook(
                moment.cases(),
                actor=self.actor,
                pack=self.pack,
                today=self.today,
                alerted=alerted,
                index=self._index,
            )
        self._mark = mark
        if self._opened and self.case not in self.book.ids:
            self.case = ""  # no longer for this account
        return True

    @property
    def choice(self) -> Choice:
        """The filters."""
        with_cases = self.tab in WITH_CASES
        return Choice(
            self.township,
            self.kind if with_cases else "",
            self.owner if with_cases else "",
            self.overdue and with_cases,
            self.query,
            self.unit,
        )

    def reset(self) -> None:
        """Go back to how the screen opens."""
        self.set_state({name: trait.default() for name, trait in self.traits().items()})

    def more(self, state: str) -> None:
        """List another page of a column.

        Raises
        ------
        traitlets.TraitError
            If there is no such column.
        """
        if state not in CaseState.labels():
            raise traitlets.TraitError("no such column")
        self.listed = {**self.listed, state: min(self.listed.get(state, PAGE) + PAGE, MOST_LISTED)}

    def file(self) -> CaseFile | None:
        """Return the case that is open, with its history; ``None`` for none."""
        if self.case not in self.book.ids:
            return None
        with self._ledger.snapshot() as moment:
            case = moment.case(self.case)
            return CaseFile(case, moment.events(self.case), moment.unit_history(case.unit_code))

    def task(self, file: CaseFile) -> dict[str, Any]:
        """Return what may be done with a case, as the page draws it."""
        case = file.case
        owner, due_on, hint = self._suggested(case)
        return {
            "case": case.case_id,
            "version": case.version,
            "today": self.today.isoformat(),
            "opened_on": case.opened_on.isoformat(),
            "most_bytes": MOST_BYTES,
            "endings": list(MEDIA_TYPES),
            "nothing": "本账号只能查看，不能办理。",
            "forms": forms(
                case,
                self.actor,
                owner=owner,
                due_on=due_on,
                due_hint=hint,
                offices=self._offices(case.township_name),
                rows=rows_of(case, self.ledgers["rectifiable"]),
            ),
        }

    def tasks(self) -> dict[str, Any]:
        """Return the cases that may be dispatched together as they are filtered, as the page draws it."""
        waiting = self.book.to_dispatch(self.choice)
        cases = waiting.head(MOST_AT_ONCE).to_dict("records")
        rules = {case["kind"]: self.pack.rule(CaseKind.lookup()[case["kind"]]) for case in cases}
        offices = [rules[case["kind"]].owner for case in cases]
        own = zip(offices, (case["township_name"] for case in cases), strict=True)
        owners = {township if office == UNIT_OFFICE else office for office, township in own}
        days = {rule.due_workdays for rule in rules.values()} or {0}
        deadline = self.workdays.add(self.today, min(days))
        hint = f"从今天起{min(days)}个工作日" + ("，按其中最短的期限" if len(days) > 1 else "")
        opened_on = max((case["opened_on"].date() for case in cases), default=self.today)
        return {
            "together": {
                "total": len(waiting),
                "about": "/".join(str(getattr(self, name)) for name in (*FILTERS, "query")),
                "cases": [
                    {
                        "case_id": case["case_id"],
                        "version": int(case["version"]),
                        "mark": KIND_MARKS[case["kind"]],
                        "title": case["title"],
                        "unit": case["unit_name"],
                        "township": case["township_name"],
                    }
                    for case in cases
                ],
            },
            "today": self.today.isoformat(),
            "opened_on": opened_on.isoformat(),
            "form": dispatch_form(
                owner=owners.pop() if len(owners) == 1 else "",
                due_on=deadline.date,
                due_hint="，".join(filter(None, (hint, deadline.note))),
                offices=self._offices(*sorted(owners)),
                opened_on=opened_on,
            ),
        }

    def _offices(self, *first: str) -> list[str]:
        offices = [*first, *(rule.owner for rule in self.pack.rules), *self.book.owners]
        return [office for office in dict.fromkeys(offices) if office != UNIT_OFFICE]

    def _suggested(self, case: Case) -> tuple[str, dt.date, str]:
        """Return the office and the deadline that run or pack suggest, and where the deadline is from."""
        rule = self.pack.rule(case.kind)
        owner = case.township_name if rule.owner == UNIT_OFFICE else rule.owner
        alerts = self.ledgers.get("restricted_alerts") if case.restricted else self.ledgers["alerts"]
        told = pd.DataFrame() if alerts is None else alerts[alerts["cause"] == case.cause]
        if len(told):
            row = told.iloc[0]
            owner = str(row["owner"]) if present(row["owner"]) else owner
            if present(row["due_on"]) and row["due_on"].date() >= self.today:
                return owner, row["due_on"].date(), "评估时建议的期限"
        deadline = self.workdays.add(self.today, rule.due_workdays)
        hint = f"从今天起{rule.due_workdays}个工作日"
        return owner, deadline.date, "，".join(filter(None, (hint, deadline.note)))

    def _effect_sheets(self) -> list[sheets.Sheet]:
        return sheets.flow_sheets(self._flow(self.book.chosen(self.choice), self._ledger.events()))

    def compared(self) -> str:
        """Return whether units with a case closed since the snapshot before improved more than similar ones.

        Only for an account that sees the whole city; empty for others.
        """
        before = tables.previous_snapshot(self.run)
        if self.actor.scope or before.empty:
            return ""
        since = before["as_of"].iloc[0]
        closed = self.book.cases[self.book.cases["state"] == CaseState.CLOSED.value]
        spell = (closed["closed_on"] > since) & (closed["closed_on"] <= pd.Timestamp(self.run.as_of))
        units = self.run.units[["unit_code", "unit_kind", "township_code"]]
        return rectification_effect(
            before.merge(units, on="unit_code"),
            self.run.index,
            set(closed.loc[spell, "unit_code"]),
            seed=EFFECT_SEED,
            before_as_of=since.date(),
            after_as_of=self.run.as_of,
            version=self.run.parameters.version,
        ).summary()

    def moved(self, file: CaseFile) -> Moved | None:
        """Return what a closed case has moved; ``None`` while it is not closed."""
        case = file.case
        if case.state is not CaseState.CLOSED:
            return None
        applied = self.ledgers["amendments"]
        applied = applied[applied["case_id"] == case.case_id]
        facts = [
            {
                "label": f"{TABLES[row['table']].label}：{TABLES[row['table']].column(row['column']).label}",
                "before": value_label(row["table"], row["column"], row["before"]),
                "after": OF_THIS_CASE
                if row["after"] == case.case_id
                else value_label(row["table"], row["column"], row["after"]),
            }
            for row in applied.to_dict("records")
        ]
        return Moved(tuple(self._moved_sentences(file, bool(facts))), tuple(facts), self._indexes(file))

    def _moved_sentences(self, file: CaseFile, counted: bool) -> list[str]:
        if not file.amendments:
            return ["本案没有登记更正的事实；指数按下一次评估时各单位报送的数据计算。"]
        closed_on = file.case.closed_on
        if not counted:
            if closed_on is not None and closed_on > self.run.as_of:
                return [f"已于{date_text(closed_on)}销号，{NEXT_RUN}"]
            return [f"本次评估还没有计入本案更正的事实。{NEXT_RUN}"]
        unit = file.case.unit_code
        regained = self.ledgers["regained"]
        regained = regained[regained["unit_code"] == unit]
        labels = {i.id: i.label for i in self.run.parameters.framework.indicators}
        parts = [
            f"“{labels[row['indicator']]}”由扣{row['points_before']:.1f}分变为扣{row['points_after']:.1f}分"
            for row in regained.to_dict("records")
        ]
        sentences = ["更正的事实已计入本次评估。"]
        if parts:
            sentences.append(f"与不计入相比：{'，'.join(parts)}。")
        units = self.ledgers["regained_units"]
        for row in units[units["unit_code"] == unit].to_dict("records"):
            sentences.append(_unit_moved(row))
        return sentences

    def _indexes(self, file: CaseFile) -> tuple[dict[str, Any], ...]:
        """Return the index of the unit at each published run, and at the one on view."""
        rows = [
            {
                "as_of": row["as_of"].date(),
                "index": row["index"],
                "level": _LEVELS[row["level"]],
                "shown": False,
            }
            for row in file.history.to_dict("records")
        ]
        here = self.standing(file.case.unit_code)
        if here is not None:
            shown = {"as_of": self.run.as_of, "index": here[0], "level": here[1], "shown": True}
            same = [row for row in rows if row["as_of"] == self.run.as_of and row["index"] == here[0]]
            if same:
                same[-1]["shown"] = True
            else:
                rows.append(shown)
        return tuple(sorted(rows, key=lambda row: row["as_of"]))

    @cached_property
    def _levels(self) -> pd.Series[str]:
        return self.run.index.set_index("unit_code")["level"]

    def standing(self, unit_code: str) -> tuple[float, Level] | None:
        """Return index and level of a unit in the run on view; ``None`` where it has none."""
        rows = self.run.index[self.run.index["unit_code"] == unit_code]
        if rows.empty:
            return None
        return float(rows["index"].iloc[0]), _LEVELS[rows["level"].iloc[0]]

    def has_plan(self, unit_code: str) -> bool:
        """Tell whether a unit has a plan (一村一策): it is red, and within the area of the account."""
        standing = self.standing(unit_code)
        return standing is not None and standing[1] is Level.RED and self.actor.covers(unit_code)

    def facts(self, file: CaseFile) -> dict[str, str]:
        """Return what is known of a case, heading to words."""
        case = file.case
        found = {
            "类型": case.kind.label,
            "立案日期": date_text(case.opened_on),
            "责任单位": case.owner or "尚未派单",
            "整改期限": date_text(case.due_on) if case.due_on else "派单时确定",
            "佐证材料": f"{len(case.evidence)} 份" if case.evidence else "还没有",
        }
        if case.subject:
            table, _, key = case.subject.partition("/")
            found["台账"] = f"{TABLES[table].label} {key}" if table in TABLES else case.subject
        return found

    def figures(self) -> dict[str, Any]:
        """Return what the tiles tell; how long cases took is told once it has been measured."""
        counts = self.book.counts
        told = {
            **counts,
            "longest": self.book.longest,
            "closed_share": percent_text(counts["closed"], counts["total"]),
        }
        if self._course is None:
            return told | dict.fromkeys(("median", "reopen_rate"), "…") | dict.fromkeys(_NOTES, "正在统计")
        closed = self._course[self._course["state"] == CaseState.CLOSED.value]
        ever = self._course["closures"] > 0
        again = int((self._course["reopened"] > 0).sum())
        return told | {
            "median": f"{closed['cycle_days'].median():g}" if len(closed) else "—",
            "median_note": "个工作日，中位数" if len(closed) else "还没有销号",
            "reopen_rate": percent_text(again, int(ever.sum())),
            "reopen_note": f"{again} 件重开" if ever.any() else "还没有销号",
        }

    def measure(self) -> bool:
        """Read from the log how long cases took, as far as it has grown since; return whether it had.

        The whole log is read once; after that only the cases to which something has happened.
        """
        with self._ledger.snapshot() as moment:
            head = moment.head().sequence
            if head == self._measured:
                return False
            grown = moment.events(after=self._measured) if self._course is not None else moment.events()
            cases = self.book.cases
            if self._course is not None:
                moved = cases[cases["case_id"].isin(grown["case_id"])]
                grown = pd.concat([moment.events(case) for case in moved["case_id"]]) if len(moved) else grown
                course = self._flow(moved, grown).cases
                left = self._course[self._course["case_id"].isin(self.book.ids - set(moved["case_id"]))]
                self._course = pd.concat([left, course], ignore_index=True)
            else:
                self._course = self._flow(cases, grown).cases
        self._measured = head
        return True

    def _flow(self, cases: pd.DataFrame, events: pd.DataFrame) -> LoopFigures:
        soon, version = self.pack.due_soon_workdays, self.run.parameters.version
        return loop_figures(cases, events, self.today, self.workdays, due_soon=soon, version=version)

    @property
    def provisional(self) -> bool:
        """Whether a deadline still running lies where the holiday arrangement is not known yet."""
        cases = self.book.cases
        running = cases.loc[cases["state"].isin([state.value for state in OPEN_STATES]), "due_on"].dropna()
        return any(not self.workdays.is_settled(day.date()) for day in running.unique())

    @cached_property
    def workdays(self) -> Workdays:
        """Working days by the calendar of the pack."""
        return Workdays(self.pack.calendar)

    @cached_property
    def scoped(self) -> Mapping[str, pd.DataFrame]:
        """Ledgers of the run, those rows only whose unit the account may see, with the names of places."""
        return sheets.scoped(self.ledgers, self.run.units, self.actor)

    def sheets(self) -> list[sheets.Sheet]:
        """Return the tables of the tab.

        Raises
        ------
        KeyError
            On the board, which is no table.
        """
        make = {
            "due": lambda: [sheets.urgent_sheet(self.book, self.choice)],
            "audit": lambda: sheets.audit_sheets(self.scoped, self.choice),
            "conflict": lambda: sheets.conflict_sheets(self.scoped, self.choice, self._levels),
            "effect": lambda: sheets.flow_sheets(
                self._flow(self.book.chosen(self.choice), self._ledger.events())
            ),
        }
        return make[self.tab]()

    @traitlets.observe("case")
    def _one_at_a_time(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self.together = False

    @property
    def tabs(self) -> dict[str, str]:
        """The tabs that the account has, with their labels."""
        places = {tab: _OF_TAB.get(tab) for tab in TABS}
        return {
            tab: TABS[tab]
            for tab, place in places.items()
            if place is None or may_read(self.actor.role, place, "casework")
        }

    @traitlets.validate("tab")
    def _check_tab(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.tabs:
            raise traitlets.TraitError("no such tab for this account")
        return str(proposal["value"])

    @traitlets.validate("township")
    def _check_township(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in self.townships:
            raise traitlets.TraitError("no such township")
        return str(proposal["value"])

    @traitlets.validate("unit")
    def _check_unit(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in self.unit_names:
            raise traitlets.TraitError("no such unit, or not for this account")
        return str(proposal["value"])

    @traitlets.validate("owner")
    def _check_owner(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in ("", OWN, *self.book.owners):
            raise traitlets.TraitError("no such owner")
        return str(proposal["value"])

    @traitlets.validate("case")
    def _check_case(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in self.book.ids:
            raise traitlets.TraitError("no such case, or not for this account")
        return str(proposal["value"])

    @traitlets.validate("query")
    def _check_query(self, proposal: dict[str, Any]) -> str:
        if len(proposal["value"]) > LONGEST_QUERY:
            raise traitlets.TraitError("query too long")
        return str(proposal["value"])


class Desk(TaskPanel):
    """Forms of what may be done with the open case, its version beside them; see ``js/src/board.js``."""

    _esm = STATIC / "board.js"

    def __init__(self) -> None:
        super().__init__("desk")


class CaseworkView(DrawerView):
    """The screen: figures, tabs and filters, the board or a table, and the case that is open.

    Attributes
    ----------
    widget
        What a notebook displays.
    """

    def __init__(self, model: CaseworkModel, site: Site | None = None) -> None:
        self.model, self.site = model, site or Site()
        self._amiss = False
        self._case = Panel("case", label="案件")
        self._desk = Desk()
        self._history = Panel("history")
        super().__init__(
            model,
            as_of=model.run.as_of,
            links=LINKS,
            work="案件和台账",
            drawer=[self._case, self._desk, self._history],
            preview="casework_preview.html.j2",
            css=["casework.css"],
        )
        model.observe(self._draw_work, ["tab", *FILTERS, "query", "unfolded", "listed", "case"])
        model.observe(self._draw_tiles, ["overdue"])
        model.observe(self._draw_filters, ["tab", *FILTERS])
        model.observe(self._draw_case, ["case", "together"])
        model.observe(self._draw_together, [*FILTERS, "query"])

    def _act(self, action: str, value: str) -> None:
        """Do what a control asks; what the model refuses has no effect."""
        model = self.model
        actions: dict[str, Callable[[str], object]] = {
            "tab": lambda v: model.set_state({"tab": v, "listed": {}}),
            "township": lambda v: model.set_state({"township": v, "listed": {}}),
            "kind": lambda v: model.set_state({"kind": v, "listed": {}}),
            "owner": lambda v: model.set_state({"owner": v, "listed": {}}),
            "search": lambda v: model.set_state({"query": v, "listed": {}}),
            "unit": lambda v: model.set_state({"unit": v, "listed": {}}),
            "overdue": lambda _: model.set_state({"overdue": not model.overdue, "listed": {}}),
            "cancelled": lambda _: model.set_state({"unfolded": not model.unfolded}),
            "more": model.more,
            "case": lambda v: model.set_state({"case": v}),
            "together": lambda _: model.set_state({"case": "", "together": True}),
            "close": lambda _: model.set_state({"case": "", "together": False}),
            "look": lambda _: self.refresh(),
            "written": lambda _: self.refresh(),
            "export": lambda _: self._export(),
            "plan": self._plan,
        }
        amiss, self._amiss = self._amiss, True
        in_case = bool(model.case)
        with guarded(self._case if in_case else self._work):
            self._attempt(actions, action, value)
            if amiss:  # what told of an error gives way to what is right again
                self._draw()
            self._amiss = False
        if self._amiss and in_case:
            self._case.html = str(render("casework_amiss.html.j2", told=Markup(self._case.html)))

    def refresh(self) -> None:
        """Look whether the ledger has grown, and draw anew what follows from it."""
        if self.model.look():
            self._draw()
        if self.model.measure():
            self._draw_tiles(None)

    def _draw(self) -> None:
        self._head.html = str(self._head_html())
        for draw in (self._draw_tiles, self._draw_filters, self._draw_work, self._draw_case):
            draw(None)

    def _draw_together(self, _: object) -> None:
        if self.model.together:
            self._draw_case(None)

    def _draw_case(self, _: object) -> None:
        if self.model.together:
            self._case.html = str(render("casework_together.html.j2"))
            self._history.html = ""
            self._desk.show(self.model.tasks())
            self._drawer.add_class("hj-open")
            return
        file = self.model.file()
        (self._drawer.add_class if file else self._drawer.remove_class)("hj-open")
        self._case.html = "" if file is None else str(self._case_html(file))
        self._history.html = "" if file is None else str(self._history_html(file))
        self._desk.show({} if file is None else self.model.task(file))

    def _export(self) -> None:
        """Have the page ask the server for the ledgers: it makes the file, and logs that it did."""
        name = f"整改台账-{self.model.run.as_of:%Y%m%d}.xlsx"
        self._desk.fetch(name, XLSX, {"what": "ledgers", "unit_code": ""})

    def _plan(self, unit_code: str) -> None:
        if not self.model.has_plan(unit_code):
            raise traitlets.TraitError("no plan of this unit for this account")
        self._desk.fetch(f"一村一策-{unit_code}.docx", DOCX, {"what": "plan", "unit_code": unit_code})

    def _head_html(self) -> Markup:
        model = self.model
        return head(
            "casework",
            title=TITLE,
            as_of=model.run.as_of,
            site=self.site,
            notes=(
                f"期限按 {date_text(model.today)} 计算",
                f"部分期限所在年份{PROVISIONAL}" if model.provisional else "",
            ),
            actor=model.actor,
        )

    def _tiles_html(self) -> Markup:
        model = self.model
        return render(
            "casework_tiles.html.j2",
            figures=model.figures(),
            overdue=model.overdue,
            due_soon=model.pack.due_soon_workdays,
            count=count_text,
        )

    def _filters_html(self) -> Markup:
        model = self.model
        return render(
            "casework_filters.html.j2",
            model=model,
            tabs=model.tabs,
            cases_shown=model.tab in WITH_CASES,
            unit_name=model.unit_names.get(model.unit, ""),
            plan=model.unit
            if model.unit and (model.standing(model.unit) or (0, None))[1] is Level.RED
            else "",
            townships={"": "全部", **model.townships},
            kinds={"": "全部", **CaseKind.labels()},
            owners={"": "全部", OWN: "本单位", **{owner: owner for owner in model.book.owners}},
        )

    def _work_html(self) -> Markup:
        model = self.model
        if model.tab == "board":
            return render(
                "casework_board.html.j2",
                columns=model.book.columns(model.choice, model.listed, unfolded=model.unfolded),
                chosen=model.case,
                waiting=len(model.book.to_dispatch(model.choice)),
                **WORDS,
            )
        lead = model.compared() if model.tab == "effect" else ""
        return render("casework_sheets.html.j2", lead=lead, sheets=model.sheets(), **WORDS)

    def _case_html(self, file: CaseFile) -> Markup:
        model, case = self.model, file.case
        index, level = model.standing(case.unit_code) or (None, None)
        return render(
            "casework_case.html.j2",
            case=model.book.card(case.case_id),
            facts=model.facts(file),
            moved=model.moved(file),
            overview=self.site.to("overview", unit=case.unit_code, as_of=model.run.as_of.isoformat()),
            index=index,
            level=level,
            plan=case.unit_code if level is Level.RED else "",
            **WORDS,
        )

    def _history_html(self, file: CaseFile) -> Markup:
        return render(
            "casework_history.html.j2", case_id=file.case.case_id, timeline=timeline(file.events), **WORDS
        )


def open_casework(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the case screen of a run folder and a ledger, or an alert.

    The ledger and the account are named by the environment of the server; see
    :func:`~huanjie_lib.screens.page.open_screen`.
    """
    return open_screen(_build, run)


def _build(run: Run) -> ipywidgets.DOMWidget:
    if run.path is None:
        raise ValueError("a run that was not read from a folder has no ledgers")

    def today() -> dt.date:  # a clock set back does not undo the run
        return max(dt.datetime.now(_BEIJING).date(), run.as_of)

    actor = actor_of(from_environment(ACTOR_VARIABLE, "登录账号", REMEDY))
    mine, ledgers = held(run, read_ledgers(run.path, restricted=actor.role in SEES_RESTRICTED), actor)
    model = CaseworkModel(
        mine,
        open_cut(from_environment(STORE_VARIABLE, "案件台账", REMEDY)),
        actor=actor,
        today=today(),
        ledgers=ledgers,
        clock=today,
    )
    return CaseworkView(model, Site.from_environment()).widget


def held(run: Run, ledgers: Mapping[str, pd.DataFrame], actor: Actor) -> tuple[Run, dict[str, pd.DataFrame]]:
    """Return what a kernel keeps of a run and its ledgers: the area, and what the role may read.

    A ledger that the role may not read is there without rows.

    Raises
    ------
    DataError
        If no unit lies in the area.
    UsageError
        If the role may read no ledger.
    """
    mine = ledgers_for(ledgers, actor, restricted=actor.role in SEES_RESTRICTED)
    frames = {name: mine.get(name, frame.iloc[:0]) for name, frame in ledgers.items()}
    return part_of(run, actor.scope), frames


def _unit_moved(row: Mapping[Any, Any]) -> str:
    """Return in a sentence where a unit stands with the amendments and where it would without.

    Examples
    --------
    >>> _unit_moved({"index_before": 55.25, "index_after": 61.0, "level_before": "red",
    ...              "level_after": "yellow", "blocked_before": 3, "blocked_after": 2})
    '选情指数由55.2分升到61.0分，由红色变为黄色，未过的准入条件由3项减到2项。'
    """
    before, after = row["index_before"], row["index_after"]
    old, new = number_text(before), number_text(after)
    parts = [
        f"选情指数由{old}分{'升到' if after > before else '降到'}{new}分"
        if old != new
        else f"选情指数仍为{new}分"
    ]
    if row["level_before"] != row["level_after"]:
        parts.append(f"由{_LEVELS[row['level_before']].label}变为{_LEVELS[row['level_after']].label}")
    blocked = int(row["blocked_before"]), int(row["blocked_after"])
    if blocked[0] != blocked[1]:
        parts.append(
            f"未过的准入条件由{blocked[0]}项{'减' if blocked[1] < blocked[0] else '增'}到{blocked[1]}项"
        )
    return f"{'，'.join(parts)}。"
