"""Words and figures as every screen and file writes them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.vocabulary import GateStatus, Level, date_text

__all__ = [
    "ADMISSION",
    "CONTESTED",
    "INTERNAL",
    "LABELS",
    "LEVELS",
    "NAMELESS",
    "count_text",
    "date_text",
    "ems",
    "level_notes",
    "local_time",
    "number_text",
    "percent_text",
    "present",
    "source_text",
    "with_names",
]

LEVELS: tuple[Level, ...] = (Level.RED, Level.YELLOW, Level.GREEN, Level.UNKNOWN)
"""Levels from the one that needs most attention to the one without data."""

ADMISSION: Mapping[str, str] = MappingProxyType(
    {
        GateStatus.PASS.value: "可以启动换届",
        GateStatus.FAIL.value: "不得启动换届",
        GateStatus.UNKNOWN.value: "准入待核实",
    }
)
"""What the verdict of all gates together means for a unit."""

CONTESTED = "颜色有争议"
"""Said of a unit whose colour depends on judgments within their declared doubt."""

INTERNAL = "内部资料，注意保管"
"""Printed on everything that is handed out."""

NAMELESS = "（名称缺失）"
"""Shown where a unit was filed without a name."""

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "admission": "准入结论",
        "admitted": "准入数",
        "admitted_share": "准入率",
        "age_days": "距今天数",
        "as_of": "截至日期",
        "change": "较上期",
        "contested": "颜色有争议",
        "cost": "工作组日",
        "county_name": "县区",
        "covered_share": "覆盖率",
        "data_date": "数据日期",
        "days": "工作日",
        "dimension": "维度",
        "failed": "不通过",
        "failed_gates": "不通过条件",
        "flip_reason": "变色原因",
        "from_level": "原等级",
        "gate": "准入条件",
        "green": "绿色",
        "index": "选情指数",
        "index_after": "办后指数",
        "index_before": "原指数",
        "index_high": "指数上限",
        "index_low": "指数下限",
        "indicator": "指标",
        "label": "数据来源",
        "latest_on": "最近数据日期",
        "level": "等级",
        "mark": "标记",
        "mean_index": "平均指数",
        "open_gates": "未过准入条件",
        "passed": "通过",
        "points": "扣分",
        "rank": "风险位次",
        "reachable": "能否转色",
        "reason": "原因",
        "reason_1": "主要扣分原因一",
        "reason_2": "主要扣分原因二",
        "reason_3": "主要扣分原因三",
        "reasons": "未准入原因",
        "red": "红色",
        "regained": "恢复分数",
        "remedies": "办理要求",
        "remedy": "办理要求",
        "rule": "依据",
        "share": "通过率",
        "source": "数据出处",
        "status": "状态",
        "steps": "措施（按先后）",
        "target": "目标等级",
        "to_verify": "待核实",
        "township_code": "镇街代码",
        "township_name": "镇街",
        "unit_code": "统计用区划代码",
        "unit_kind": "类别",
        "unit_name": "村（社区）",
        "units": "单位数",
        "units_covered": "已报单位数",
        "units_total": "应报单位数",
        "unknown": "无数据",
        "unknown_gates": "待核实条件",
        "value": "指标值",
        "yellow": "黄色",
    }
)
"""Chinese heading of every column of :mod:`huanjie_lib.views.tables`."""


def number_text(value: float | None, *, signed: bool = False, decimals: int = 1) -> str:
    """Return a figure as it is shown everywhere; a dash where there is none.

    Examples
    --------
    >>> number_text(72.345), number_text(float("nan")), number_text(None)
    ('72.3', '—', '—')
    >>> number_text(1.26, signed=True), number_text(-0.5, signed=True), number_text(0.01, signed=True)
    ('+1.3', '−0.5', '0.0')
    """
    if value is None or np.isnan(value):
        return "—"
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0.0:
        return text
    if value < 0:
        return f"−{text}"
    return f"+{text}" if signed else text


def level_notes(parameters: ParameterSet) -> tuple[str, ...]:
    """Return the sentences that explain the colours, for legends and notes.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> level_notes(load_parameters())[0]
    '选情指数满分100分，越高越稳：80分及以上为绿色，60分及以上、不足80分为黄色，不足60分为红色。'
    """
    cuts = parameters.classification
    green, yellow = f"{cuts.green_from:g}分", f"{cuts.yellow_from:g}分"
    notes = [
        f"选情指数满分100分，越高越稳：{green}及以上为绿色，{yellow}及以上、不足{green}为黄色，不足{yellow}为红色。"
    ]
    if cuts.improve_margin:
        notes.append(f"等级转好须超过分界线{cuts.improve_margin:g}分，以免来回跳动。")
    if cuts.worsen_margin:
        notes.append(f"等级转差须低于分界线{cuts.worsen_margin:g}分。")
    notes.append("待核实：有数据缺失，补齐后等级可能改变。")
    doubt = parameters.assumptions.contested_below
    notes.append(
        f"{CONTESTED}：权重、标准或数据在合理范围内变动时，没有一种颜色的把握达到{doubt:.0%}，应会商后定色。"
    )
    return tuple(notes)


def count_text(count: int) -> str:
    """Return a count with its thousands apart.

    Examples
    --------
    >>> count_text(3215)
    '3,215'
    """
    return f"{count:,}"


def percent_text(part: int, whole: int) -> str:
    """Return a share in percent; a dash where there is no whole.

    Examples
    --------
    >>> percent_text(1, 3), percent_text(0, 0)
    ('33.3%', '—')
    """
    return f"{100 * part / whole:.1f}%" if whole else "—"


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return a sentence with the codes of units replaced by their names, where they have one.

    Examples
    --------
    >>> with_names("990101101201与990101101202相邻", {"990101101201": "上云村"})
    '上云村与990101101202相邻'
    """
    return _CODE.sub(lambda found: names.get(found.group(), found.group()), text)


_CODE = re.compile(r"\d{12}")


def ems(text: str) -> float:
    """Return the width of a text in ems: a Chinese character is one, a Latin one about half.

    Examples
    --------
    >>> ems("共3个")
    2.56
    """
    latin = len(text.encode("ascii", "ignore"))
    return 0.56 * latin + len(text) - latin


def present(value: Any) -> bool:
    """Return whether a cell holds something: neither missing nor empty text.

    Examples
    --------
    >>> present("村"), present(0), present(""), present(None), present(float("nan"))
    (True, True, False, False, False)
    """
    return value is not None and value is not pd.NA and value == value and value != ""


def source_text(file: Any, sheet: Any, row: Any) -> str:
    """Return the cell a figure came from, in words a clerk can follow; empty where nothing was reported.

    Examples
    --------
    >>> source_text("returns/990101.xlsx", "基础数据", 12)
    'returns/990101.xlsx，工作表“基础数据”，第12行'
    >>> source_text("facts.csv", "", 7)
    'facts.csv，第7行'
    >>> source_text(None, None, None)
    ''
    """
    if not present(file):
        return ""
    parts = [str(file)]
    if present(sheet):
        parts.append(f"工作表“{sheet}”")
    if present(row):
        parts.append(f"第{int(row)}行")
    return "，".join(parts)


def local_time(recorded_at: str) -> str:
    """Return a UTC moment of the ledger in Chinese time, to the minute.

    Examples
    --------
    >>> local_time("2026-11-09T17:05:31.250000Z")
    '2026年11月10日 01:05'
    """
    moment = dt.datetime.fromisoformat(recorded_at).astimezone(dt.timezone(dt.timedelta(hours=8)))
    return f"{date_text(moment.date())} {moment:%H:%M}"
