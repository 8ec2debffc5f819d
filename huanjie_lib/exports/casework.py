"""The files of casework from one run and its ledger: the ledgers, plans of red units, notice-board sheets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from huanjie_lib.access.grants import RESTRICTED
from huanjie_lib.access.scope import ledgers_for, within
from huanjie_lib.casework.audit_ledger import AuditLedger
from huanjie_lib.casework.cases import cases_frame
from huanjie_lib.casework.events import EVENT_COLUMNS, Actor, Head
from huanjie_lib.casework.figures import deadlines, loop_figures
from huanjie_lib.casework.village_plan import village_plans
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.exports.audit_sheet import audit_sheet
from huanjie_lib.exports.docx import file_name
from huanjie_lib.exports.ledgers import ledger_workbook
from huanjie_lib.exports.pack import Noted, Progress, put_files
from huanjie_lib.exports.village_plan import export_village_plans, village_plan_document
from huanjie_lib.parameters import WorkCalendar
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import Level, Role

if TYPE_CHECKING:
    from huanjie_lib.store.ledger import Ledger

__all__ = [
    "SHEETS",
    "WORKBOOK",
    "CaseworkSeen",
    "account_plan",
    "account_workbook",
    "casework_seen",
    "export_casework",
    "export_plans",
]

WORKBOOK: Final = "台账_{as_of}.xlsx"
"""Name of the workbook."""
SHEETS: Final = "审计明白账"
"""Folder of the notice-board sheets."""


def export_casework(
    run: Run,
    ledgers: Mapping[str, pd.DataFrame],
    out: Path,
    *,
    ledger: Ledger | None = None,
    restricted: bool = False,
    plans: bool = True,
    sheets: Collection[str] = (),
    today: dt.date | None = None,
    actor: Actor | None = None,
    stamp: Stamp | None = None,
    noted: Noted | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the ledgers of a run and its cases, and the documents made from them.

    An account gets the rows of its area, the ledgers that its role may read, and cases from leads only where
    it sees leads.

    Parameters
    ----------
    run
        The run.
    ledgers
        Its ledgers, from :func:`~huanjie_lib.store.run_folder.read_ledgers`.
    out
        Folder to write into.
    ledger
        The ledger of cases; the sheets of cases are empty without one.
    restricted
        Whether the sheets by person and of talks, and cases from leads, are wanted.
    plans
        Whether to write a plan (一村一策) for each red unit.
    sheets
        Units whose audit is to be put on the notice board (明白账).
    today
        Date from which deadlines of cases are reckoned, as the case screen does; that of the run where it is
        omitted or earlier.
    actor
        Whose files these are; everything of the run for ``None``.
    stamp
        Who exports: stands in the workbook and the plans. What goes on the notice board bears none.
    noted
        Called with files, by name, before they are put in their place: the access log has them first.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Returns
    -------
    list of Path
        The files written: workbook, plans with their manifest, sheets.

    Raises
    ------
    UsageError
        If a unit is not in the run or not in the area, the role may read no ledger, or a file cannot be put
        in its place.
    DataError
        If a unit that is to be put on the board has no audit.
    """
    who = actor or Actor("", "", Role.SYSTEM)
    seen = casework_seen(run, ledgers, ledger=ledger, restricted=restricted, today=today, actor=actor)
    names = run.units.set_index("unit_code")[["unit_name", "township_name"]]
    _refuse(sorted({code for code in sheets if code not in names.index or not who.covers(code)}), "明白账")
    name = WORKBOOK.format(as_of=run.as_of.isoformat())
    content = ledger_workbook(**seen.book, stamp=stamp)
    if noted is not None:
        noted({name: content})
    put_files(out, {name: content}, [])
    written = [out / name]
    if plans:
        made = village_plans(run, seen.known)
        mine = {code: plan for code, plan in made.plans.items() if who.covers(code)}
        written += export_village_plans(
            replace(made, plans=mine), out, stamp=stamp, noted=noted, progress=progress
        )
    if sheets:
        audit = _audit(run, seen.ledgers)
        for step, code in enumerate(sorted(sheets)):
            if progress is not None:
                progress("生成审计明白账", step, len(sheets))
            name, township = (str(words) for words in names.loc[code])
            path = out / SHEETS / file_name(code, name)
            sheet = audit_sheet(audit, code, name, township_name=township)
            if noted is not None:
                noted({f"{SHEETS}/{path.name}": sheet})
            path.parent.mkdir(parents=True, exist_ok=True)
            put_files(path.parent, {path.name: sheet}, [])
            written.append(path)
    return written


def account_workbook(
    run: Run, ledgers: Mapping[str, pd.DataFrame], ledger: Ledger, actor: Actor, *, stamp: Stamp
) -> bytes:
    """Return the workbook of what an account may see, with cases from leads where its role sees leads.

    Parameters
    ----------
    run, ledgers
        The run, and its ledgers by name.
    ledger
        The ledger of cases.
    actor
        Whose file it is.
    stamp
        Who exports; deadlines are reckoned from its day.

    Raises
    ------
    UsageError
        If the role may read no ledger.
    """
    restricted = actor.role in RESTRICTED
    seen = casework_seen(run, ledgers, ledger=ledger, restricted=restricted, today=stamp.day, actor=actor)
    return ledger_workbook(**seen.book, stamp=stamp)


def account_plan(
    run: Run,
    ledgers: Mapping[str, pd.DataFrame],
    ledger: Ledger,
    actor: Actor,
    unit_code: str,
    *,
    stamp: Stamp,
) -> tuple[str, bytes]:
    """Return name and content of the plan (一村一策) of a red unit, from what an account may see.

    Raises
    ------
    UsageError
        If there is no such unit, it is not red or not in the area, or the role may read no ledger.
    """
    index = run.index.set_index("unit_code")["level"]
    if index.get(unit_code) != Level.RED.value or not actor.covers(unit_code):
        remedy = "刷新页面后重试"
        fault = Fault("村（社区）", unit_code[:12], "本账号辖区内的红色村（社区）", remedy)
        raise UsageError("没有一村一策", [fault])
    seen = casework_seen(run, ledgers, ledger=ledger, actor=actor)
    plan = village_plans(run, seen.known, [unit_code]).plans[unit_code]
    return file_name(unit_code, plan.unit_name), village_plan_document(plan, stamp=stamp)


def export_plans(
    run: Run,
    casework: CaseworkSeen | None,
    out: Path,
    units: Collection[str],
    *,
    actor: Actor,
    stamp: Stamp | None = None,
    noted: Noted | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the plans (一村一策) of units of any colour.

    Parameters
    ----------
    run
        The run.
    casework
        What the account may see; a plan tells what is not known.
    out, stamp, noted, progress
        See :func:`export_casework`.
    units
        Their codes.
    actor
        Whose files these are.

    Returns
    -------
    list of Path
        The plans, and their manifest.

    Raises
    ------
    UsageError
        If a unit is not in the run or not in the area, or a file cannot be put in its place.
    """
    known = set(run.units["unit_code"])
    _refuse(sorted({code for code in units if code not in known or not actor.covers(code)}), "一村一策")
    plans = village_plans(run, {} if casework is None else casework.known, units)
    return export_village_plans(plans, out, stamp=stamp, noted=noted, progress=progress)


def _refuse(units: Sequence[str], what: str) -> None:
    if units:
        faults = [Fault("统计用区划代码", code, "本次评估中的单位", "核对代码") for code in units]
        raise UsageError(f"不能写出{what}", faults)


@dataclass(frozen=True)
class CaseworkSeen:
    """What an account may see of the casework of a run.

    Parameters
    ----------
    ledgers
        Ledgers of the run that its role may read, cut to its area.
    cases, events
        Cases of its area and their events; ``None`` without a ledger of cases.
    book
        Arguments of :func:`~huanjie_lib.exports.ledgers.ledger_workbook`, but the stamp.
    """

    ledgers: Mapping[str, pd.DataFrame]
    cases: pd.DataFrame | None
    events: pd.DataFrame | None
    book: Mapping[str, Any]

    @property
    def known(self) -> dict[str, pd.DataFrame]:
        """Ledgers and, where there are, cases: what a unit's plan is made from."""
        return {**self.ledgers, **({} if self.cases is None else {"cases": self.cases})}

    @property
    def head(self) -> tuple[int, str] | None:
        """Number and hash of the last event; ``None`` without a ledger of cases."""
        end: Head | None = self.book["head"]
        return None if end is None else (end.sequence, end.hash)


def casework_seen(
    run: Run,
    ledgers: Mapping[str, pd.DataFrame],
    *,
    ledger: Ledger | None = None,
    restricted: bool = False,
    today: dt.date | None = None,
    actor: Actor | None = None,
) -> CaseworkSeen:
    """Return what an account may see of ledgers and cases; see :func:`export_casework` for the arguments.

    Raises
    ------
    UsageError
        If the role may read no ledger.
    """
    who = actor or Actor("", "", Role.SYSTEM)
    ledgers = ledgers_for(ledgers, who, restricted=restricted)
    cases, events, head = _cases(ledger, who, restricted=restricted)
    pack = run.parameters.casework
    day = max(run.as_of, today or run.as_of)
    workdays = Workdays(WorkCalendar() if pack is None else pack.calendar)
    soon = 0 if pack is None else pack.due_soon_workdays
    return CaseworkSeen(
        ledgers=ledgers,
        cases=None if ledger is None else cases,
        events=None if ledger is None else events,
        book={
            "cases": cases,
            "events": events,
            "due": deadlines(cases, day, workdays, soon),
            "loop": loop_figures(cases, events, day, workdays, due_soon=soon, version=run.parameters.version),
            "ledgers": ledgers,
            "units": run.units,
            "as_of": run.as_of,
            "version": run.parameters.version,
            "head": head,
            "restricted": restricted,
        },
    )


def _cases(
    ledger: Ledger | None, actor: Actor, *, restricted: bool
) -> tuple[pd.DataFrame, pd.DataFrame, Head | None]:
    """Return cases and events that an account may see, and the head, of one moment; none without a ledger.

    Cases from leads are there where they are wanted and the role sees leads.
    """
    if ledger is None:
        return cases_frame([]), pd.DataFrame(columns=list(EVENT_COLUMNS)), None
    with ledger.snapshot() as moment:
        cases, events, head = moment.cases(), moment.events(), moment.head()
    leads = restricted and actor.role in RESTRICTED | {Role.SYSTEM}
    cases = cases[within(cases["unit_code"], actor) & (leads | ~cases["restricted"].astype("bool"))]
    return cases, events[events["case_id"].isin(cases["case_id"])], head


def _audit(run: Run, ledgers: Mapping[str, pd.DataFrame]) -> AuditLedger:
    """Return the audit ledger as the run keeps it; a sheet names nobody, so no member is needed."""
    return AuditLedger(
        units=ledgers["audit_units"],
        coverage=ledgers["audit_coverage"],
        items=ledgers["audit_items"],
        members=pd.DataFrame(),
        notices=ledgers["audit_notices"],
        problems=ledgers["audit_problems"],
        handover=ledgers["handover"],
        as_of=run.as_of,
        version=run.parameters.version,
    )
