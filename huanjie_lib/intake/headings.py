"""Which contract column or metric a heading means, and in which unit it counts.

Headings are compared without blanks, full-width forms and case. A heading may carry its unit in brackets
behind the name: ``集体经济年收入（万元）`` is 集体经济年收入, ten thousand times the unit of the metric.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from huanjie_lib.contracts import TABLES, Column, Table
from huanjie_lib.parameters import Metric

__all__ = [
    "IGNORED",
    "Heading",
    "Names",
    "bracketed",
    "known_units",
    "metric_lookup",
    "metric_names",
    "normalise",
    "table_names",
    "under_units",
]

IGNORED = frozenset(
    {"序号", "备注", "说明", "镇街", "镇街名称", "乡镇", "乡镇街道", "填报单位", "县区", "县区名称"}
)
"""Headings that stand in returns for the clerk's eye and belong to no table."""

_FAMILIES: tuple[Mapping[str, float], ...] = (
    {"元": 1, "千元": 1e3, "万元": 1e4, "百万元": 1e6, "亿元": 1e8},
    {"人": 1, "千人": 1e3, "万人": 1e4},
    {"户": 1, "万户": 1e4},
    {"比例": 1, "%": 0.01, "‰": 0.001},
)
_OTHER_UNITS = ("%", "‰", "亩", "公顷", "平方米", "岁", "天", "年", "月", "个月")
_LONGEST = 200
_INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_LAST_BRACKETS = re.compile(r"\((?:单位[::]?)?([^()]+)\)$")
_FOR_ALL = re.compile(r"(?<![报表制送])单位:(?P<units>[^():填制日]*)")
_UNIT = re.compile(r"^(?P<name>.+)\((?:单位[::]?)?(?P<unit>[^()]+)\)$")


@lru_cache(maxsize=2**16)
def normalise(text: str) -> str:
    r"""Return a heading without blanks, full-width forms, marks of obligation and case.

    Of a text longer than any heading only the beginning is looked at.

    Examples
    --------
    >>> normalise(" 村（社区）\n 名称＊："), normalise("常住人口（人）")
    ('村(社区)名称', '常住人口(人)')
    """
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text[:_LONGEST]))
    return plain.strip("*:").casefold()


def bracketed(text: str) -> str:
    """Return what stands in brackets at the end of a heading, empty where nothing does.

    Examples
    --------
    >>> bracketed("集体经济年收入（万元）"), bracketed("总户数")
    ('万元', '')
    """
    match = _LAST_BRACKETS.search(normalise(text))
    return match[1] if match else ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading that was understood.

    Parameters
    ----------
    name
        Contract column or metric.
    scale
        Factor from the unit in the heading to the unit of the column.
    unit
        Unit in the heading, empty where there is none.
    clash
        Whether the heading names a unit that cannot be converted to the unit of the column.
    """

    name: str
    scale: float = 1.0
    unit: str = ""
    clash: bool = False


class Names:
    """The headings of one table or of all metrics.

    Parameters
    ----------
    spellings
        Name → (unit of measure, accepted spellings).
    units
        Texts in brackets that are units of measure.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> names = table_names(table("audit_items"), known_units({}))
    >>> names.match("涉及金额(万元)")
    Heading(name='amount', scale=10000.0, unit='万元', clash=False)
    >>> names.match("涉及金额（户）").clash, names.match("经办人") is None
    (True, True)
    """

    def __init__(self, spellings: Mapping[str, tuple[str, Iterable[str]]], units: frozenset[str]) -> None:
        self._units = units
        self._unit_of = {name: normalise(unit) for name, (unit, _) in spellings.items()}
        self._names: dict[str, str] = {}
        for name, (_, texts) in spellings.items():
            for text in texts:
                self._names.setdefault(normalise(text), name)

    def match(self, text: str) -> Heading | None:
        """Return what a heading means, or ``None`` when it means nothing here."""
        heading = normalise(text)
        if heading in self._names:
            return Heading(self._names[heading])
        bracketed = _UNIT.match(heading)
        if bracketed is None or bracketed["name"] not in self._names:
            return None
        name, unit = self._names[bracketed["name"]], bracketed["unit"]
        if unit not in self._units:
            return Heading(name)
        if unit == self._unit_of[name]:
            return Heading(name, unit=unit)
        for family in _FAMILIES:
            if unit in family and self._unit_of[name] in family:
                return Heading(name, family[unit] / family[self._unit_of[name]], unit)
        return Heading(name, unit=unit, clash=True)

    def under(self, heading: Heading, units: Sequence[str]) -> Heading:
        """Return a heading that states no unit in the unit stated for the whole sheet, where one is its own.

        Several units of its kind (元、万元) leave open which is meant.

        Examples
        --------
        >>> from huanjie_lib.contracts import table
        >>> names = table_names(table("audit_items"), known_units({}))
        >>> names.under(Heading("amount"), ["人", "万元"])
        Heading(name='amount', scale=10000.0, unit='万元', clash=False)
        >>> names.under(Heading("amount"), ["元", "万元"]).clash, names.under(Heading("amount"), ["户"]).unit
        (True, '')
        """
        if heading.unit:
            return heading
        own = self._unit_of[heading.name]
        family: Mapping[str, float] = next((f for f in _FAMILIES if own in f), {})
        said = [unit for unit in dict.fromkeys(units) if unit in family]
        if len(said) > 1:
            return Heading(heading.name, unit="、".join(said), clash=True)
        return Heading(heading.name, family[said[0]] / family[own], said[0]) if said else heading


def under_units(text: str) -> list[str]:
    """Return the units of measure that a text over a table states: 单位：万元、人.

    Examples
    --------
    >>> under_units("石桥镇集体经济情况表（单位：万元）"), under_units("填报单位：石桥镇　计量单位：户、 人")
    (['万元'], ['户', '人'])
    >>> under_units("填报单位：人民政府"), under_units("金额单位:")
    ([], [])
    """
    found: list[str] = []
    for start in _FOR_ALL.finditer(normalise(text)):
        words = re.split(r"[、,，/;和及]", start["units"])
        found += [w for w in words if any(w in family for family in _FAMILIES)]
    return found


def _column_spellings(column: Column) -> tuple[str, tuple[str, ...]]:
    return column.unit, (column.name, column.label, *column.aliases)


def known_units(metrics: Mapping[str, Metric]) -> frozenset[str]:
    """Return every text that, in brackets behind a heading, is a unit of measure."""
    units = {c.unit for t in TABLES.values() for c in t.columns} | {m.unit for m in metrics.values()}
    units |= {unit for family in _FAMILIES for unit in family} | set(_OTHER_UNITS)
    return frozenset(normalise(unit) for unit in units if unit)


def table_names(table: Table, units: frozenset[str]) -> Names:
    """Return the headings of a table, source columns included."""
    return Names({c.name: _column_spellings(c) for c in table.all_columns if c.kind != "geometry"}, units)


def metric_names(metrics: Mapping[str, Metric], units: frozenset[str]) -> Names:
    """Return the headings of all metrics of a framework."""
    return Names({name: (m.unit, (name, m.label, *m.aliases)) for name, m in metrics.items()}, units)


def metric_lookup(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return the spellings under which rows of ``facts`` may name a metric."""
    found: dict[str, str] = {}
    for name, metric in metrics.items():
        for spelling in (name, metric.label, *metric.aliases):
            found.setdefault(spelling, name)
    return found
