"""The sheets of a township's return workbook."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["RETURN_GROUPS", "RETURN_SHEETS"]

RETURN_SHEETS: Mapping[str, tuple[str, ...]] = {
    "基本情况": ("facts",),
    "审计台账": ("audit_projects", "audit_items"),
    "审计对象": ("audit_subjects",),
    "审计公示": ("audit_notices",),
    "审计问题": ("audit_problems",),
    "矛盾纠纷": ("disputes",),
    "矛盾摸排": ("screenings",),
    "资格联审": ("reviews",),
    "谈心谈话": ("talks",),
    "选民登记核对": ("roll_checks",),
}
"""Sheets of a township's return workbook, and the tables each becomes; ``facts`` with one column a metric."""

RETURN_GROUPS: Mapping[str, str] = {
    "人口结构": "人口情况",
    "党员分布": "党员情况",
    "经济状况": "经济情况",
    "信访数据": "信访情况",
    "班子建设": "班子情况",
    "人选储备": "人选储备",
}
"""Heading above the metrics of a family in the sheet 基本情况; other families stand under their own name."""
