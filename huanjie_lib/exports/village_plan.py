"""The plan of each red unit (一村一策) as a DOCX that a township secretary completes and signs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from huanjie_lib import __version__
from huanjie_lib.casework.conflict_ledger import Held
from huanjie_lib.casework.village_plan import Duty, Matter, VillagePlan, VillagePlans
from huanjie_lib.casework.workdays import PROVISIONAL
from huanjie_lib.exports.docx import OfficialDocument, file_name, numeral
from huanjie_lib.exports.pack import (
    Noted,
    Progress,
    earlier_export,
    is_as_left,
    made_in_turn,
    outputs_entry,
    put_export,
)
from huanjie_lib.views.stamp import Stamp, stamp_text
from huanjie_lib.views.words import number_text
from huanjie_lib.vocabulary import date_text

__all__ = ["FOLDER", "VILLAGE_PLAN_FORMAT", "export_village_plans", "village_plan_document"]

VILLAGE_PLAN_FORMAT: Final = "huanjie-village-plans/1"
FOLDER: Final = "一村一策"

_BLANK: Final = "＿＿＿＿＿＿＿＿"
_DAY_BLANK: Final = "　　年　　月　　日"
_TO_FILL: Final = "（待定）"


def village_plan_document(plan: VillagePlan, *, stamp: Stamp | None = None) -> bytes:
    """Return a unit's plan as a DOCX; equal plans and stamps give equal bytes."""
    paper = OfficialDocument(
        plan.title,
        header=f"截至{date_text(plan.as_of)}　参数版本{plan.version}\n{stamp_text(stamp)}",
        as_of=plan.as_of,
    )
    _state(paper, plan)
    _conditions(paper, plan)
    _matters(paper, plan)
    _measures(paper, plan)
    _duties(paper, plan)
    _timetable(paper, plan)
    paper.text(
        "本方案根据台账汇总，经镇街党（工）委审定签字后执行。选情指数反映工作进展，不是对任何人的评价。"
    )
    paper.signatures(
        [
            f"包干领导（签字）：{_BLANK}",
            f"{_secretary(plan.township_name)}（签字）：{_BLANK}",
            f"{plan.unit_kind.label}党组织书记（签字）：{_BLANK}",
            f"签订日期：{_DAY_BLANK}",
        ]
    )
    return paper.to_bytes()


def export_village_plans(
    plans: VillagePlans,
    out: Path,
    *,
    stamp: Stamp | None = None,
    noted: Noted | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write one document a plan into ``out/一村一策``, and a manifest with their digests.

    Parameters
    ----------
    plans
        The plans.
    out
        Folder in which the folder 一村一策 is made. One that an earlier export left there is replaced, unless
        someone has changed a file in it since: a plan that has been filled in is never overwritten.
    stamp
        Who exports: stands on every page, and in the manifest.
    noted
        Called with the documents, by name, before any is put in its place: the access log has them first.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Returns
    -------
    list of Path
        The files written, the manifest last.

    Raises
    ------
    UsageError
        If the folder holds anything else than an earlier export, or a file in it was changed or is open in
        another program.
    """
    folder = out / FOLDER
    names = {file_name(plan.unit_code, plan.unit_name): plan for plan in plans}
    earlier = earlier_export(folder, names, kind=VILLAGE_PLAN_FORMAT)
    makers = {name: partial(village_plan_document, plan, stamp=stamp) for name, plan in names.items()}
    made = made_in_turn(makers, "生成一村一策", progress)
    manifest = {
        "format": VILLAGE_PLAN_FORMAT,
        "as_of": plans.as_of.isoformat(),
        "code_version": __version__,
        "parameter_version": plans.version,
        "exported": None if stamp is None else stamp.entry,
        "logged": noted is not None,
        "outputs": outputs_entry(made),
    }
    rest = [name for name in earlier.get("outputs", {}) if name not in made]
    stale = [folder / name for name in rest if is_as_left(folder, name, earlier)]
    if noted is not None:
        noted({f"{FOLDER}/{name}": data for name, data in made.items()})
    return put_export(folder, made, manifest, stale)


# --- parts ------------------------------------------------------------------------------------------------


def _state(paper: OfficialDocument, plan: VillagePlan) -> None:
    paper.heading("基本情况")
    kind = plan.unit_kind.label + (f"，选举方式为{plan.voter_mode}" if plan.voter_mode else "")
    text = f"{plan.unit_name}属{plan.county_name}{plan.township_name}，类别为{kind}。"
    if plan.index is None:
        text += f"截至{date_text(plan.as_of)}没有填报数据，不能评定等级，请先报数。"
    else:
        text += (
            f"截至{date_text(plan.as_of)}，选情指数{number_text(plan.index)}分"
            f"（满分100分，越高越稳），等级为{plan.level.label}"
            + ("；有数据缺失，补齐后等级可能改变。" if plan.to_verify else "。")
        )
    paper.text(text)
    if plan.reasons:
        told = [
            f"{numeral(n)}是{reason.text or reason.label}，扣{number_text(reason.points)}分"
            for n, reason in enumerate(plan.reasons, start=1)
        ]
        paper.text(f"扣分最多的是：{'；'.join(told)}。")


def _conditions(paper: OfficialDocument, plan: VillagePlan) -> None:
    paper.heading("未通过的准入条件")
    if plan.conditions is None:
        paper.text("所用参数包没有设置准入条件。")
    elif not plan.conditions:
        paper.text("各项准入条件均已通过。")
    else:
        paper.text("下列条件有一项未通过，不得启动换届：")
        paper.table(
            ["准入条件", "结论", "情况", "办理要求"],
            [[c.label, c.status.label, c.reason, c.remedy] for c in plan.conditions],
            widths=[30, 18, 54, 54],
            centred=(1,),
        )


def _matters(paper: OfficialDocument, plan: VillagePlan) -> None:
    paper.heading("突出问题和矛盾")
    paper.subheading("审计问题")
    _table(paper, plan.problems, "没有审计问题台账，情况不明，须核实。", "没有未整改的审计问题。", "发现日期")
    paper.subheading("矛盾纠纷")
    if plan.standing:
        paper.text("；".join(plan.standing) + "。")
    none = "台账上没有未化解的矛盾。" if not plan.standing else ""
    _table(paper, plan.disputes, "没有摸排或没有矛盾台账，情况不明，须核实。", none, "发生日期")
    if plan.cases:
        paper.subheading("其他已立案事项")
        _table(paper, plan.cases, "", "", "预警日期")


def _table(
    paper: OfficialDocument, matters: Sequence[Matter] | None, unknown: str, none: str, since: str
) -> None:
    if not matters:
        text = unknown if matters is None else none
        if text:
            paper.text(text)
        return
    paper.table(
        ["序号", "事项", since, "情况", "责任单位", "办结期限"],
        [
            [
                str(number),
                matter.what,
                _day(matter.since),
                matter.note,
                matter.owner or _TO_FILL,
                (_day(matter.due_on) or _TO_FILL) + ("\n已逾期" if matter.overdue else ""),
            ]
            for number, matter in enumerate(matters, start=1)
        ],
        widths=[11, 28, 27, 40, 23, 27],
        centred=(0, 2, 4, 5),
    )


def _measures(paper: OfficialDocument, plan: VillagePlan) -> None:
    paper.heading("整改化解措施")
    if plan.outlook:
        paper.text(plan.outlook)
    if not plan.steps:
        paper.text("没有测算转色措施，由镇街会同有关部门研究填写：")
        paper.items([_BLANK * 2] * 3)
        return
    paper.table(
        ["序号", "措施", "恢复分数", "完成期限", "由谁办", "须注意"],
        [
            [str(n), s.label, number_text(s.points), _day(s.due.date), s.who, s.limits]
            for n, s in enumerate(plan.steps, start=1)
        ],
        widths=[11, 36, 16, 27, 30, 36],
        centred=(0, 2, 3),
    )


def _duties(paper: OfficialDocument, plan: VillagePlan) -> None:
    paper.heading("责任落实")
    if any(duty.state is Held.UNKNOWN for duty in plan.duties):
        paper.text("没有一村一策台账，下列各项由镇街填写：")
    elif plan.lacking:
        paper.text(f"还缺{'、'.join(plan.lacking)}，由镇街补齐并填写：")
    paper.table(
        ["事项", "情况", "内容", "日期"],
        [[duty.label, duty.state.label, _content(duty), _day(duty.on) or _DAY_BLANK] for duty in plan.duties],
        widths=[24, 26, 64, 42],
        centred=(0, 1, 3),
    )


def _content(duty: Duty) -> str:
    """Return who answers for the unit, or what is to be written in by hand."""
    if duty.label == "包干领导":
        return f"{duty.who or f'职务：{_BLANK}'}\n姓名：{_BLANK}"
    return "见所附文本" if duty.state is Held.THERE else f"文号或附件：{_BLANK}"


def _timetable(paper: OfficialDocument, plan: VillagePlan) -> None:
    paper.heading("时间安排")
    if not plan.timetable:
        paper.text(f"由镇街确定：{_BLANK * 2}")
        return
    by_day: dict[dt.date, list[str]] = {}
    for milestone in plan.timetable:
        by_day.setdefault(milestone.due.date, []).append(milestone.what)
    paper.table(
        ["序号", "完成期限", "工作"],
        [[str(n), date_text(day), "；".join(what)] for n, (day, what) in enumerate(by_day.items(), start=1)],
        widths=[14, 42, 100],
        centred=(0, 1),
    )
    if any(milestone.due.provisional for milestone in plan.timetable):
        paper.text(f"以上日期按工作日推算；{PROVISIONAL}。")


def _secretary(township: str) -> str:
    """Return the post of the secretary who signs for a township or sub-district."""
    posts = {"街道": "街道党工委书记", "镇": "镇党委书记", "乡": "乡党委书记"}
    return next((post for ending, post in posts.items() if township.endswith(ending)), "镇街党（工）委书记")


def _day(date: dt.date | None) -> str:
    return "" if date is None else f"{date.year}.{date.month}.{date.day}"
