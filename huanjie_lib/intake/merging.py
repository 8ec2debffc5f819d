"""What may be added up when units have merged, and what has to be filed anew.

People, money and incidents of the old units are those of the new one together. A committee is not: the merged
unit has one, with its own seats, meetings and duties, and what is one answer for a unit (a date, a word, a
winner's votes) has no sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from huanjie_lib.contracts import Table
from huanjie_lib.parameters import Metric

__all__ = ["SUMS", "merged_advice"]

ONE_COMMITTEE: Final = "班子建设"
"""Family of metrics that describe the committee."""

SUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "roll_checks": (
        *("hukou_adults", "away_declined", "nonlocal_approved", "disqualified", "registered", "duplicates"),
    ),
    "talks": ("due", "done"),
    "leads": ("count",),
    "election_history": ("electors", "ballots", "invalid_ballots", "proxy_ballots"),
}
"""Columns that add up over merged units, of tables with one row a unit and key; ``facts`` go by metric."""


def merged_advice(table: Table, metric: Metric | None = None) -> str:
    """Return in Chinese what to do with rows of old units that have become one.

    Parameters
    ----------
    table
        Table in which the rows have the same key under the new code.
    metric
        Metric of rows of ``facts``.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> merged_advice(table("talks"))
    '应谈人数、已谈人数可以相加；按合并后的单位填报一行'
    >>> merged_advice(table("posts"))
    '各列都不能相加；按合并后的单位填报一行'
    """
    if metric is not None:
        if metric.family == ONE_COMMITTEE:
            return f"“{metric.label}”不能相加；按合并后的单位填报一行"
        return f"“{metric.label}”可以相加；按各行之和（{metric.unit}）填报一行"
    labels = [table.column(name).label for name in SUMS.get(table.name, ())]
    rest = [c for c in table.columns if c.name not in (*SUMS.get(table.name, ()), *table.key)]
    if not labels:
        return "各列都不能相加；按合并后的单位填报一行"
    tail = "，其余各列不能相加" if rest else ""
    return f"{'、'.join(labels)}可以相加{tail}；按合并后的单位填报一行"
