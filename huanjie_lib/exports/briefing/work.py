"""What is done and to be done: gates and audits, the closed loop, and what the meeting is asked to settle."""

from __future__ import annotations

from huanjie_lib.exports.briefing.draft import Draft
from huanjie_lib.exports.briefing.words import days_text, known_text, names_text, rate_text
from huanjie_lib.views.words import CONTESTED, count_text, date_text, number_text

__all__ = ["asked_section", "loop_section", "progress_section"]


def progress_section(draft: Draft) -> None:
    """Tell how far gates, audits and screening for conflicts have come."""
    draft.heading("准入和审计进度")
    _gates(draft)
    _coverage(draft)


def _gates(draft: Draft) -> None:
    meeting = draft.meeting
    draft.heading("准入条件", 2)
    if meeting.gates.empty:
        draft.text("所用参数包没有设置准入条件，不产生准入清单。")
    else:
        draft.text(meeting.overview.picture[2])
        draft.table(
            "各项准入条件通过情况",
            (
                ("准入条件", 50),
                ("通过（个）", 25),
                ("不通过（个）", 31),
                ("待核实（个）", 31),
                ("通过率", 19),
            ),
            [
                [
                    row["gate"],
                    count_text(row["passed"]),
                    count_text(row["failed"]),
                    count_text(row["unknown"]),
                    rate_text(row["share"]),
                ]
                for row in meeting.gates.to_dict("records")
            ],
            left=(0,),
            size=12.0,
        )


def _coverage(draft: Draft) -> None:
    draft.heading("审计和摸排", 2)
    coverage = draft.meeting.coverage
    if coverage is None:
        draft.text("没有审计、矛盾台账，审计覆盖、摸排覆盖情况不明，须核实。")
        return
    text = (
        f"未整改审计问题{count_text(coverage.problems_open)}项，"
        f"其中逾期{count_text(coverage.problems_overdue)}项"
    )
    if coverage.problems_unproven:
        text += f"；报完成但没有证据的{count_text(coverage.problems_unproven)}项，仍按未整改计"
    draft.text(f"{text}。")
    draft.table(
        "审计覆盖",
        (
            ("地区", 28),
            ("应审单位", 21),
            ("已审单位", 21),
            ("单位覆盖率", 22),
            ("应审人员", 21),
            ("已审人员", 21),
            ("人员覆盖率", 22),
        ),
        [
            [
                row["area"],
                known_text(row["units"]),
                known_text(row["units_audited"]),
                rate_text(row["units_share"]),
                known_text(row["persons"]),
                known_text(row["persons_audited"]),
                rate_text(row["persons_share"]),
            ]
            for row in coverage.audit.to_dict("records")
        ],
    )
    draft.table(
        "矛盾摸排和化解",
        (
            ("地区", 28),
            ("应摸排", 18),
            ("已摸排", 18),
            ("覆盖率", 20),
            ("书记带队率", 24),
            ("未化解矛盾", 24),
            ("其中群体性", 24),
        ),
        [
            [
                row["area"],
                known_text(row["units"]),
                known_text(row["screened"]),
                rate_text(row["screened_share"]),
                rate_text(row["led_share"]),
                known_text(row["disputes_open"]),
                known_text(row["groups_open"]),
            ]
            for row in coverage.conflict.to_dict("records")
        ],
    )


def loop_section(draft: Draft) -> None:
    """Tell of the cases, and what closed ones regained."""
    meeting = draft.meeting
    draft.heading("整改闭环")
    if meeting.loop is None:
        draft.text("没有案件台账，预警、派单、整改、复核、销号情况不明。")
        return
    figures, total = meeting.loop.figures, meeting.loop.total
    text = (
        f"截至{date_text(figures.as_of)}，不计限制知悉的案件，共立案{count_text(total['cases'])}件，"
        f"未销号{count_text(total['open'])}件，其中逾期{count_text(total['overdue'])}件、"
        f"将到期{count_text(total['soon'])}件"
    )
    if total["closed"]:
        text += (
            f"；已销号{count_text(total['closed'])}件，从预警到销号的中位数为{days_text(total['cycle_median'])}，"
            f"按期率{rate_text(total['on_time_share'])}，重开率{rate_text(total['reopen_rate'])}，"
            f"退回率{rate_text(total['return_rate'])}"
        )
        text += "（销号的案件少，仅供参考）" if total["few"] else ""
    else:
        text += "；还没有销号的案件"
    draft.text(f"{text}。")
    kinds = figures.table[(figures.table["scope"] == "kind") & (figures.table["cases"] > 0)]
    if len(kinds):
        draft.table(
            "各类案件办理情况",
            (
                ("类别", 36),
                ("立案", 18),
                ("未销号", 18),
                ("逾期", 18),
                ("将到期", 18),
                ("已销号", 18),
                ("按期率", 30),
            ),
            [
                [
                    row["label"],
                    *(count_text(row[name]) for name in ("cases", "open", "overdue", "soon", "closed")),
                    rate_text(row["on_time_share"]),
                ]
                for row in kinds.to_dict("records")
            ],
        )
    back = meeting.regained
    if back is None:
        draft.text("还没有销号案件更正过数据，整改成效尚未反映到指数。")
    else:
        draft.text(
            f"销号案件更正数据后，{count_text(back.units)}个村（社区）的选情指数"
            f"共变动{number_text(back.points, signed=True)}分，"
            f"其中颜色转好{count_text(back.better)}个、转差{count_text(back.worse)}个。"
        )


def asked_section(draft: Draft) -> None:
    """Ask the meeting to settle what follows from the figures."""
    meeting = draft.meeting
    view, coverage, loop = meeting.overview, meeting.coverage, meeting.loop
    asked = []
    if view.contested:
        asked.append(f"会商{count_text(view.contested)}个{CONTESTED}的村（社区），逐一定色。")
    if coverage is not None and coverage.red_lacking:
        names = [f"{unit.township_name}{unit.unit_name}" for unit in meeting.reds if unit.lacking]
        asked.append(f"落实{names_text(names, 5)}红色村（社区）所缺的包干领导、稳控预案、化解方案。")
    if len(meeting.gates) and meeting.gates["share"].min() < 1:
        worst = meeting.gates.iloc[int(meeting.gates["share"].argmin())]
        open_units = count_text(worst["failed"] + worst["unknown"])
        asked.append(f"督办“{worst['gate']}”，{open_units}个村（社区）未通过，是卡得最多的准入条件。")
    late = 0 if loop is None else int(loop.total["overdue"])
    if late:
        asked.append(f"督办{count_text(late)}件逾期案件。")
    if coverage is not None and coverage.problems_overdue:
        asked.append(f"限期整改{count_text(coverage.problems_overdue)}项逾期审计问题。")
    if view.to_verify:
        asked.append(f"催报{count_text(view.to_verify)}个待核实村（社区）所缺的数据。")
    draft.heading("提请会议研究的事项")
    if asked:
        draft.items(asked)
    else:
        draft.text("没有由数据提出的事项。")
