"""Tables of the talent screen, as rows of words: plans and the reserve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from huanjie_lib.screens.sheets import MOST_ROWS, Form, Sheet, sheet_of
from huanjie_lib.talent.cultivation import StepState
from huanjie_lib.views.words import count_text
from huanjie_lib.vocabulary import CultivationStep, PortraitAspect

__all__ = ["quota_sheet", "steps_sheet", "structure_sheet"]

_PLACE: Final = {"unit_name": "村（社区）", "township_name": "镇街"}
_OPENS_PERSON: Final = {"name": ("person", "person_ref")}
_STRUCTURE: Final = {
    "channel": "推荐渠道",
    "source": "来源",
    "status": "培养状态",
    "affiliation": "政治面貌",
    "education": "学历",
    "age": "年龄",
    "locality": "所在地",
}


def quota_sheet(quota: pd.DataFrame) -> Sheet:
    """Return how many people each unit holds in reserve.

    Parameters
    ----------
    quota
        Result of :func:`huanjie_lib.views.talent.quota`, or rows of it.
    """
    labels = {
        **_PLACE,
        "reserve": "后备人选",
        "wanted": "应有",
        "gap": "缺",
        "stale": "记录过期",
        "gap_if_stale_left": "过期的都不在时缺",
    }
    short = count_text(int((quota["gap"] > 0).sum()))
    nothing = "没有符合筛选条件的村（社区）。"
    return sheet_of(
        "quota",
        "各村（社区）后备人选",
        quota,
        Form(labels),
        nothing=nothing,
        note=f"不足的 {short} 个",
        whole="不足的全部见导出的培养计划",
    )


def structure_sheet(structure: pd.DataFrame) -> Sheet:
    """Return whom the reserve of the city is made up of, by kind, without values that nobody has.

    Parameters
    ----------
    structure
        ``structure`` of a talent run.
    """
    there = structure[structure["people"] > 0]
    total = structure.groupby("kind")["people"].sum()
    frame = there.assign(
        kind=there["kind"].map(_STRUCTURE), share=there["people"] / there["kind"].map(total).clip(lower=1)
    )
    labels = {"kind": "项目", "label": "类别", "people": "人数", "share": "占比"}
    nothing = "后备人才库还没有人。"
    return sheet_of(
        "structure", "全市后备人才构成", frame, Form(labels), nothing=nothing, note="只供了解，不计入评分"
    )


def steps_sheet(plans: pd.DataFrame, called: Callable[[list[str]], Mapping[str, str]]) -> Sheet:
    """Return steps of cultivation, what is late first.

    Parameters
    ----------
    plans
        Result of :func:`huanjie_lib.views.talent.plans`, or rows of it.
    called
        Returns what to call people.
    """
    first = plans.head(MOST_ROWS)
    names = called(first["person_ref"].tolist())
    late = count_text(int((plans["state"] == StepState.OVERDUE.value).sum()))
    labels = {
        "name": "人员",
        **_PLACE,
        "step": "培养方式",
        "aspect": "重点提高",
        "start_on": "开始",
        "due_on": "期限",
        "state": "进度",
        "days_late": "逾期天数",
        "gain": "预计提高适配分",
    }
    form = Form(
        labels,
        words={
            "step": CultivationStep.labels(),
            "aspect": PortraitAspect.labels(),
            "state": StepState.labels(),
        },
        tones={"state": {StepState.OVERDUE.label: "late"}},
        opens=_OPENS_PERSON,
    )
    return sheet_of(
        "steps",
        "培养计划",
        first.assign(
            name=first["person_ref"].map(names), days_late=first["days_late"].where(first["days_late"] > 0)
        ),
        form,
        nothing="没有培养计划。",
        note=f"逾期 {late} 项",
        total=len(plans),
        whole="全部见导出的培养计划",
    )
