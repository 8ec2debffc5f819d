"""The files of casework from one run and its ledger: the ledgers, plans of red units, notice-board sheets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from huanjie_lib.access.grants import RESTRICTED
from huanjie_lib.access.roles import may_read, require
from huanjie_lib.access.scope import view, within
from huanjie_lib.casework.audit_ledger import AuditLedger
from huanjie_lib.casework.cases import cases_frame
from huanjie_lib.casework.events import EVENT_COLUMNS, GENESIS, Actor, Head
from huanjie_lib.casework.figures import deadlines, loop_figures
from huanjie_lib.casework.village_plan import village_plans
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.contracts import RESTRICTED_LEDGERS
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.exports.audit_sheet import write_audit_sheet
from huanjie_lib.exports.docx import file_name
from huanjie_lib.exports.ledgers import ledger_workbook
from huanjie_lib.exports.pack import Noted, put_files
from huanjie_lib.exports.village_plan import export_village_plans
from huanjie_lib.parameters import WorkCalendar
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import Role

if TYPE_CHECKING:
    from huanjie_lib.store.ledger import Ledger

__all__ = ["SHEETS", "WORKBOOK", "export_casework"]

WORKBOOK: Final = "台账_{as_of}.xlsx"
"""Name of the workbook."""
SHEETS: Final = "审计明白账"
"""Folder of the notice-board sheets."""

Progress = Callable[[str, int, int], None]


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
        Called with the workbook, by name, before it is put in its place: the access log has it first.
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
    names = run.units.set_index("unit_code")[["unit_name", "township_name"]]
    who = actor or Actor("", "", Role.SYSTEM)
    ledgers = _readable(ledgers, who, restricted=restricted)
    unknown = sorted({code for code in sheets if code not in names.index or not who.covers(code)})
    if unknown:
        faults = [Fault("统计用区划代码", code, "本次评估中的单位", "核对代码") for code in unknown]
        raise UsageError("不能写出明白账", faults)
    cases, events, head = _cases(ledger)
    leads = restricted and who.role in RESTRICTED | {Role.SYSTEM}
    cases = cases[within(cases["unit_code"], who) & (leads | ~cases["restricted"].astype("bool"))]
    events = events[events["case_id"].isin(cases["case_id"])]
    pack = run.parameters.casework
    day = max(run.as_of, today or run.as_of)
    workdays = Workdays(WorkCalendar() if pack is None else pack.calendar)
    soon = 0 if pack is None else pack.due_soon_workdays
    name = WORKBOOK.format(as_of=run.as_of.isoformat())
    content = ledger_workbook(
        cases=cases,
        events=events,
        due=deadlines(cases, day, workdays, soon),
        loop=loop_figures(cases, events, day, workdays, due_soon=soon, version=run.parameters.version),
        ledgers=ledgers,
        units=run.units,
        as_of=run.as_of,
        version=run.parameters.version,
        head=head,
        restricted=restricted,
        stamp=stamp,
    )
    if noted is not None:
        noted({name: content})
    put_files(out, {name: content}, [])
    written = [out / name]
    if plans:
        known = {**ledgers, **({} if ledger is None else {"cases": cases})}
        made = village_plans(run, known)
        mine = {code: plan for code, plan in made.plans.items() if who.covers(code)}
        written += export_village_plans(replace(made, plans=mine), out, stamp=stamp, progress=progress)
    if sheets:
        audit = _audit(run, ledgers)
        for step, code in enumerate(sorted(sheets)):
            if progress is not None:
                progress("生成审计明白账", step, len(sheets))
            name, township = (str(words) for words in names.loc[code])
            path = out / SHEETS / file_name(code, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audit_sheet(path, audit, code, name, township_name=township)
            written.append(path)
    return written


def _readable(
    ledgers: Mapping[str, pd.DataFrame], actor: Actor, *, restricted: bool
) -> dict[str, pd.DataFrame]:
    """Return the ledgers that an account may read, cut to its area.

    Raises
    ------
    UsageError
        If the role may read none of those that are wanted.
    """
    places = {name: f"restricted/{name}" for name in RESTRICTED_LEDGERS}
    if restricted and not any(may_read(actor.role, place) for place in places.values()):
        require(actor.role, "restricted/talks", "casework")
    require(actor.role, "ledgers/alerts", "casework")
    placed = {name: places.get(name, f"ledgers/{name}") for name in ledgers}
    return {
        name: view(place, ledgers[name], actor, "casework")
        for name, place in placed.items()
        if may_read(actor.role, place, "casework")
    }


def _cases(ledger: Ledger | None) -> tuple[pd.DataFrame, pd.DataFrame, Head]:
    """Return cases, events and head of one moment; none without a ledger."""
    if ledger is None:
        return cases_frame([]), pd.DataFrame(columns=list(EVENT_COLUMNS)), Head(0, GENESIS)
    with ledger.snapshot() as moment:
        return moment.cases(), moment.events(), moment.head()


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
