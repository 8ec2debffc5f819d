"""The form on which people are registered, with names and ID numbers: what its columns are.

It is a form and no table: nothing is stored under these columns. What a filled-in form becomes is said in
:mod:`huanjie_lib.intake.register`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from huanjie_lib.contracts import Column, Order, Table, table

__all__ = ["FORM_COLUMNS_OF_PEOPLE", "FORM_WORDS", "REGISTER_FORM"]

FORM_WORDS: Final = ("人才库", "后备人才登记表", "人才登记表")
"""Words in the name of a sheet or file that say that it is a register."""

FORM_COLUMNS_OF_PEOPLE: Final = (
    "unit_code",
    "channel",
    "source",
    "education",
    "affiliation",
    "status",
    "registered_on",
    "updated_on",
)
"""Columns that go into ``people`` as they are."""

REGISTER_FORM: Final = Table(
    name="register",
    label="人才登记表",
    note="One row per person registered; the only place where names and ID numbers come in.",
    purpose="identity",
    columns=(
        Column("name", "string", "姓名", note="Name.", required=True, aliases=("人员姓名",)),
        Column(
            "id_number",
            "string",
            "身份证号",
            note="Citizen identity number, in a text cell.",
            required=True,
            aliases=("身份证号码", "公民身份号码", "居民身份证号", "证件号码", "证件号"),
        ),
        replace(table("people_protected").column("sex"), required=False),
        Column(
            "is_minority",
            "boolean",
            "少数民族",
            note="Whether a member of an ethnic minority; which one is not asked.",
            aliases=("是否少数民族",),
        ),
        *(table("people").column(name) for name in FORM_COLUMNS_OF_PEOPLE),
    ),
    key=("id_number",),
    orders=(Order("registered_on", "updated_on"),),
    personal=True,
)
"""Columns of the form, in the order of the template; the sex may be left empty, the ID number says it."""
