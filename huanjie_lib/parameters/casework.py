"""Parameters of the closed loop: what each kind of case is owed, and the calendar of working days."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from huanjie_lib.errors import Fault
from huanjie_lib.parameters.fields import Date, Header, Model, as_tuple
from huanjie_lib.vocabulary import CaseKind

__all__ = ["NEW_YEAR_WINDOW", "UNIT_OFFICE", "CaseRule", "CaseworkPack", "WorkCalendar", "casework_faults"]


UNIT_OFFICE = "镇街"
"""Owner that stands for the unit's own township or street office."""

NEW_YEAR_WINDOW = 25
"""From this day of December on, the arrangement of the next year may have days off and make-up days."""


class CaseRule(Model):
    """How a kind of case is dealt with: working days allowed, and who answers for it unless told otherwise.

    ``owner`` may be :data:`UNIT_OFFICE`, which stands for the unit's own township or street office.
    ``ledger_owner`` says whether an office named by a ledger goes before it: such an office, often the
    committee itself, must then have an account of its own to put its cases right.
    """

    kind: Annotated[CaseKind, Field(strict=False)]
    due_workdays: Annotated[int, Field(ge=1, le=250)]
    owner: Annotated[str, Field(pattern=r"\S")]
    ledger_owner: bool = False
    note: str = ""


class WorkCalendar(Model):
    """Holiday arrangements of whole years, from their notices; they go before those of the calendar library.

    ``days_off`` are Mondays to Fridays off, ``workdays`` Saturdays and Sundays worked; of ``years`` and of
    the last week of December before.
    """

    days_off: Annotated[tuple[Date, ...], BeforeValidator(as_tuple)] = ()
    workdays: Annotated[tuple[Date, ...], BeforeValidator(as_tuple)] = ()
    years: Annotated[tuple[Annotated[int, Field(ge=2004, le=2100)], ...], BeforeValidator(as_tuple)] = ()
    source: str = ""


class CaseworkPack(Header):
    """How alerts become cases and how ledgers are judged.

    ``due_soon_workdays`` is how many working days before its deadline a case is about to be overdue. What
    cannot be judged for want of data opens a case only where it can be judged in at least ``known_share`` of
    the units: below that the ledger as a whole is not there yet, which is no unit's own fault.
    ``audit_departments`` are the offices that must take part in an audit, ``audit_department_aliases`` the
    other names under which each may be filed; a talk, notice or plan is never judged here but by the gates
    and rules.
    """

    kind: Literal["casework"]
    rules: Annotated[tuple[CaseRule, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    due_soon_workdays: Annotated[int, Field(ge=0, le=60)]
    known_share: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.5
    audit_departments: Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
    audit_department_aliases: dict[str, Annotated[tuple[str, ...], BeforeValidator(as_tuple)]] = Field(
        default_factory=dict
    )
    min_representatives: Annotated[int, Field(ge=0)]
    calendar: WorkCalendar = WorkCalendar()

    def rule(self, kind: CaseKind) -> CaseRule:
        """Return how a kind of case is dealt with.

        Raises
        ------
        KeyError
            If the pack opens no case of that kind.
        """
        for candidate in self.rules:
            if candidate.kind is kind:
                return candidate
        raise KeyError(kind.value)


def casework_faults(pack: CaseworkPack) -> list[Fault]:
    """Return each kind of case that has two rules, and each day that is both off and worked."""
    kinds = [rule.kind for rule in pack.rules]
    twice = sorted({kind.value for kind in kinds if kinds.count(kind) > 1})
    faults = [
        Fault(f"casework.yaml：rules[{kind}]", "写了两次", "每类案件一条规定", "删去多余的一条")
        for kind in twice
    ]
    return faults + _alias_faults(pack) + _calendar_faults(pack.calendar)


def _calendar_faults(calendar: WorkCalendar) -> list[Fault]:
    """Return each day of the pack's calendar that cannot be as it is said to be."""
    where, remedy = "casework.yaml：calendar", "按放假通知改正"
    faults = []
    if calendar.years and not calendar.source.strip():
        faults.append(Fault(f"{where}.source", "没有填写", "放假通知的文号", "写明出处"))
    worked = dict.fromkeys(calendar.days_off, False) | dict.fromkeys(calendar.workdays, True)
    for day, is_worked in sorted(worked.items()):
        late = day.month == 12 and day.day >= NEW_YEAR_WINDOW
        if day.year not in calendar.years and not (late and day.year + 1 in calendar.years):
            faults.append(Fault(f"{where}[{day}]", f"{day.year} 年", "years 所列年份的日期", remedy))
        elif day in calendar.days_off and is_worked:
            faults.append(Fault(f"{where}[{day}]", "既是休息日又是上班日", "二者之一", remedy))
        elif (day.weekday() >= 5) is not is_worked:
            allowed = "星期六或星期日" if is_worked else "星期一至星期五"
            faults.append(Fault(f"{where}[{day}]", f"星期{'一二三四五六日'[day.weekday()]}", allowed, remedy))
    return faults


def _alias_faults(pack: CaseworkPack) -> list[Fault]:
    """Return each alias of an office that is not asked for, and each name that stands for two offices."""
    where = "casework.yaml：audit_department_aliases"
    faults = [
        Fault(f"{where}[{name}]", name, "、".join(pack.audit_departments), "改为 audit_departments 中的单位")
        for name in pack.audit_department_aliases
        if name not in pack.audit_departments
    ]
    names = [
        name
        for office in pack.audit_departments
        for name in {office, *pack.audit_department_aliases.get(office, ())}
    ]
    return faults + [
        Fault(where, name, "一个名称只指一个单位", "删去其中一处")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
