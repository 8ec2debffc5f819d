"""Columns and rules that many tables share, and short forms of the kinds of columns."""

from __future__ import annotations

from huanjie_lib.contracts.model import Column, Reference
from huanjie_lib.vocabulary import Word

__all__ = [
    "AS_OF",
    "COUNTY_CODE_PATTERN",
    "PERSON",
    "PROJECT",
    "REF_PATTERN",
    "TOWNSHIP_CODE_PATTERN",
    "TO_PERSON",
    "TO_PROJECT",
    "TO_UNIT",
    "UNIT_CODE_PATTERN",
    "count",
    "date",
    "ref",
    "text",
    "unit_code",
    "word",
]

UNIT_CODE_PATTERN = r"^\d{12}$"
TOWNSHIP_CODE_PATTERN = r"^\d{9}$"
COUNTY_CODE_PATTERN = r"^\d{6}$"
REF_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"


def unit_code(required: bool = True) -> Column:
    """Return the code of the unit that a row is about."""
    return Column(
        "unit_code",
        "string",
        "统计用区划代码",
        note="12-digit statistical division code of the village or community.",
        required=required,
        pattern=UNIT_CODE_PATTERN,
        pattern_label="12 位数字的统计用区划代码",
        aliases=("区划代码", "村社区代码", "行政区划代码", "单位代码", "村(社区)代码"),
    )


def ref(name: str, label: str, note: str, *, required: bool = True, aliases: tuple[str, ...] = ()) -> Column:
    """Return a number or pseudonym that stands for a thing or person."""
    return Column(
        name,
        "string",
        label,
        note=note,
        required=required,
        pattern=REF_PATTERN,
        pattern_label="1 至 64 位的字母、数字、下划线或短横",
        aliases=aliases,
    )


def date(
    name: str, label: str, note: str, *, required: bool = False, aliases: tuple[str, ...] = ()
) -> Column:
    """Return a date."""
    return Column(name, "date", label, note=note, required=required, aliases=aliases)


def count(name: str, label: str, unit: str, note: str, *, required: bool = False) -> Column:
    """Return a whole number that is not negative."""
    return Column(name, "integer", label, unit=unit, note=note, required=required, minimum=0)


def word(name: str, words: type[Word], label: str, note: str, *, required: bool = True) -> Column:
    """Return a word of a vocabulary."""
    return Column(name, "word", label, note=note, required=required, words=words)


def text(name: str, label: str, note: str, *, required: bool = False) -> Column:
    """Return free text."""
    return Column(name, "string", label, note=note, required=required)


AS_OF = date(
    "as_of", "截至日期", "Date the figure describes.", required=True, aliases=("统计日期", "数据日期")
)
TO_UNIT = Reference("unit_code", "units", "unit_code")
TO_PROJECT = Reference("project_id", "audit_projects", "project_id")
TO_PERSON = Reference("person_ref", "people", "person_ref")
PROJECT = ref("project_id", "审计项目编号", "Audit project.", aliases=("项目编号",))
PERSON = ref("person_ref", "人员代号", "Keyed pseudonym of the person; never a name or an ID number.")
