"""How long data of people are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import Fault
from huanjie_lib.parameters.fields import Header, Identifier, Model, as_tuple
from huanjie_lib.vocabulary import PersonStatus

__all__ = ["PrivacyPack", "RetentionTerm", "term_faults"]


class RetentionTerm(Model):
    """How long rows of one table are kept.

    ``since`` is the column whose date a term runs from, ``otherwise`` the one that counts where it is empty;
    rows without either date never fall due. Only rows in the ``status`` count where one is named.
    ``whole_person`` says that a person falls due and not a row.
    """

    id: Identifier
    label: str
    table: str
    since: str
    otherwise: str = ""
    months: Annotated[int, Field(ge=1, le=1200)]
    status: str = ""
    whole_person: bool = False
    basis: str


class PrivacyPack(Header):
    """How long data of people are kept, and by when what they ask for is answered.

    It enters no figure and so is no part of a :class:`ParameterSet`. Logs are kept ``log_months`` and impact
    assessments ``assessment_months`` at least; whole talent folders go after ``talent_folder_months``.
    """

    kind: Literal["privacy"]
    request_workdays: Annotated[int, Field(ge=1, le=60)]
    request_basis: str
    terms: Annotated[tuple[RetentionTerm, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    talent_folder_months: Annotated[int, Field(ge=1, le=1200)]
    talent_folder_basis: str
    log_months: Annotated[int, Field(ge=6, le=1200)]
    log_basis: str
    assessment_months: Annotated[int, Field(ge=36, le=1200)]
    assessment_basis: str


def term_faults(pack: PrivacyPack) -> list[Fault]:
    """Return each term that names a table, date or state that is none, and each written twice."""
    faults = []
    for term in pack.terms:
        where = f"privacy.yaml：terms，{term.id}"
        held = TABLES.get(term.table)
        if held is None or not held.personal:
            tables = "、".join(table.name for table in TABLES.values() if table.personal)
            faults.append(Fault(f"{where}：table", term.table, tables, "改为有个人信息的表"))
            continue
        dates = [column.name for column in held.columns if column.kind == "date"]
        for key, column in (("since", term.since), ("otherwise", term.otherwise or term.since)):
            if column not in dates:
                faults.append(Fault(f"{where}：{key}", column, "、".join(dates), "改为这张表的日期列"))
        states = [] if "status" not in held.names else list(PersonStatus.labels())
        if term.status and term.status not in states:
            allowed = "、".join(states) or "不填"
            faults.append(Fault(f"{where}：status", term.status, allowed, "改为这张表的状态，或去掉"))
        if term.whole_person and "person_ref" not in held.names:
            faults.append(Fault(f"{where}：whole_person", "true", "false", "这张表没有人员代号"))
    ids = [term.id for term in pack.terms]
    faults += [
        Fault("privacy.yaml：terms", f"{one} 写了两次", "不重复的编号", "改正编号")
        for one in sorted({one for one in ids if ids.count(one) > 1})
    ]
    return faults
