"""Section 红色村（社区）情况: red units one by one, and the annex that lists all where they are many."""

from __future__ import annotations

from typing import Final

from huanjie_lib.exports.briefing.draft import Draft
from huanjie_lib.exports.briefing.words import flags_text, known_text
from huanjie_lib.views.meeting import RedUnit
from huanjie_lib.views.words import count_text, number_text
from huanjie_lib.vocabulary import GateStatus

__all__ = ["red_annex", "red_section"]

_FULL: Final = 12
"""Red units told in full in the text; where there are more, an annex lists all."""

_STEPS: Final = 6
_STEPS_LISTED: Final = 4

_SMALL: Final = 8.5


def red_section(draft: Draft) -> None:
    """Tell of the red units, the lowest in full."""
    meeting = draft.meeting
    draft.heading("红色村（社区）情况")
    if not meeting.reds:
        draft.text("没有红色村（社区）。")
        return
    text = f"共{count_text(len(meeting.reds))}个红色村（社区）"
    fresh = sum(bool(unit.newly_red) for unit in meeting.reds)
    if meeting.since is not None:
        text += f"，其中新转为红色{count_text(fresh)}个"
    lasting = sum(unit.snapshots_red >= 12 for unit in meeting.reds)
    text += f"，连续12期及以上为红色的{count_text(lasting)}个" if lasting else ""
    if meeting.coverage is not None:
        text += f"；{count_text(meeting.coverage.red_lacking)}个缺包干领导、稳控预案或化解方案"
    reach = sum(bool(unit.reachable) for unit in meeting.reds)
    text += f"；按措施库测算，{count_text(reach)}个可以转为黄色" if meeting.run.parameters.measures else ""
    shown = meeting.reds[:_FULL]
    if len(meeting.reds) > len(shown):
        text += f"。以下逐一说明指数最低的{len(shown)}个，全部{count_text(len(meeting.reds))}个见附件"
    draft.text(f"{text}。")
    for unit in shown:
        _red_unit(draft, unit)


def _red_unit(draft: Draft, unit: RedUnit) -> None:
    index = "无数据" if unit.index is None else f"选情指数{number_text(unit.index)}"
    draft.heading(f"{unit.township_name}{unit.unit_name}（{index}）", 2)
    kind = f"类型为{unit.unit_kind.label}"
    standing = [f"属{unit.county_name}，{kind}" if unit.county_name else kind]
    if unit.change is not None:
        standing.append(f"指数较{draft.meeting.since_text}{number_text(unit.change, signed=True)}分")
    if unit.newly_red:
        standing.append("新转为红色")
    elif unit.snapshots_red >= len(draft.meeting.trend) > 1:
        standing.append(f"有记录的{unit.snapshots_red}期一直为红色")
    elif unit.snapshots_red > 1:
        standing.append(f"连续{unit.snapshots_red}期为红色")
    standing.append(flags_text(unit.to_verify, unit.contested))
    rows = [
        ("基本情况", "，".join(part for part in standing if part) + "。"),
        ("扣分原因", "；".join(unit.reasons or ("没有填报",)) + "。"),
    ]
    if unit.gates is not None:
        said = [f"{gate.label}（{gate.status.label}：{gate.reason}）" for gate in unit.gates]
        rows.append(("未过准入条件", "；".join(said or ["全部通过"]) + "。"))
    draft.card([*rows, ("转色措施", _way(unit)), ("责任落实", _duty(unit))])


def _way(unit: RedUnit) -> str:
    if not unit.steps:
        return "没有测算出能恢复分数的措施，由镇街会同有关部门研究。"
    steps = "；".join(f"（{n}）{step}" for n, step in enumerate(unit.steps[:_STEPS], start=1))
    more = f"；另有{len(unit.steps) - _STEPS}项，见一村一策" if len(unit.steps) > _STEPS else ""
    target = "" if unit.target is None else unit.target.label
    end = f"可转为{target}" if unit.reachable else f"仍不能转为{target}，其余扣分属既成事实或缺少数据"
    return (
        f"{steps}{more}。全部做完预计升到{number_text(unit.index_after)}分，{end}；"
        f"约需{known_text(unit.days)}个工作日、{number_text(unit.cost)}个工作组日。"
    )


def _duty(unit: RedUnit) -> str:
    parts = []
    if unit.lacking is None:
        parts.append("没有一村一策台账，包干和预案情况不明")
    else:
        parts.append(f"包干领导为{unit.leader}" if unit.leader else "没有包干领导")
        plans = [one for one in unit.lacking if one != "包干领导"]
        parts.append(f"缺{'、'.join(plans)}" if plans else "预案、方案齐全")
    parts.append(
        "审计问题情况不明"
        if unit.problems_open is None
        else f"未整改审计问题{unit.problems_open}项（逾期{known_text(unit.problems_overdue)}项）"
    )
    parts.append(
        "矛盾情况不明"
        if unit.disputes_open is None
        else f"未化解矛盾{unit.disputes_open}件（群体性{known_text(unit.groups_open)}件）"
    )
    if unit.cases_open is not None:
        parts.append(f"未销号案件{unit.cases_open}件")
    return "；".join(parts) + "。"


def red_annex(draft: Draft) -> None:
    """List all red units where the text tells of some."""
    meeting = draft.meeting
    if len(meeting.reds) <= _FULL:
        return
    draft.annex("红色村（社区）逐一情况", landscape=True)
    draft.table(
        f"全部红色村（社区）{count_text(len(meeting.reds))}个，指数最低的在前",
        (
            ("序号", 10),
            ("村（社区）", 26),
            ("指数\n变化", 15),
            ("扣分原因", 50),
            ("未过准入条件", 38),
            ("转色措施", 52),
            ("责任落实", 34),
        ),
        [_red_row(unit) for unit in meeting.reds],
        left=(1, 3, 4, 5, 6),
        size=_SMALL,
    )


def _red_row(unit: RedUnit) -> list[str]:
    flags = flags_text(unit.to_verify, unit.contested)
    gates = (
        "—"
        if unit.gates is None
        else "；".join(
            gate.label + ("（待核实）" if gate.status is GateStatus.UNKNOWN else "") for gate in unit.gates
        )
        or "全部通过"
    )
    steps = "；".join(unit.steps[:_STEPS_LISTED]) + (
        f"；等{len(unit.steps)}项" if len(unit.steps) > _STEPS_LISTED else ""
    )
    end = ""
    if unit.steps and unit.target is not None:
        able = "可" if unit.reachable else "仍不能"
        end = f"\n→{number_text(unit.index_after)}分，{able}转{unit.target.mark}"
    held = "情况不明" if unit.lacking is None else (unit.leader or "无包干领导")
    plans = [one for one in unit.lacking or () if one != "包干领导"]
    return [
        str(unit.order),
        f"{unit.unit_name}\n{unit.township_name}" + (f"\n{flags}" if flags else ""),
        f"{number_text(unit.index)}\n{number_text(unit.change, signed=True)}",
        "；".join(unit.reasons) or "—",
        gates,
        (steps or "—") + end,
        held + (f"\n缺{'、'.join(plans)}" if plans else ""),
    ]
