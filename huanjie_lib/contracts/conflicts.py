"""Tables of conflicts: incidents, who answers for a unit, and screenings."""

from __future__ import annotations

from huanjie_lib.contracts.columns import TO_UNIT, count, date, ref, text, unit_code, word
from huanjie_lib.contracts.model import Column, Order, Table
from huanjie_lib.vocabulary import DisputeCategory, ScreeningMethod

__all__ = ["CONFLICTS"]

CONFLICTS: tuple[Table, ...] = (
    Table(
        "disputes",
        "矛盾纠纷",
        "One row per incident; it describes an incident, never a person.",
        "casework",
        (
            ref("dispute_id", "矛盾编号", "Dispute.", aliases=("编号", "纠纷编号")),
            unit_code(),
            word("category", DisputeCategory, "矛盾类别", "Incident category of the work plan."),
            date("opened_on", "发生日期", "Date recorded.", required=True, aliases=("受理日期",)),
            date("resolved_on", "化解日期", "Date resolved; empty while open."),
            Column("is_group", "boolean", "群体性", note="Whether it grew into a group incident."),
            count("people_involved", "涉及人数", "人", "Rough number of people involved."),
            Column(
                "has_leader",
                "boolean",
                "包干领导",
                note="Whether an official has been named to answer for it.",
            ),
            date("stabilisation_plan_on", "稳控预案日期", "Date of the stabilisation plan."),
            date("resolution_plan_on", "化解方案日期", "Date of the resolution plan."),
        ),
        ("dispute_id",),
        orders=(Order("opened_on", "resolved_on"),),
        references=(TO_UNIT,),
    ),
    Table(
        "unit_plans",
        "一村一策",
        "One row per unit: the official who answers for it and its two plans.",
        "casework",
        (
            unit_code(),
            text("leader", "包干领导", "Post of the official who answers for the unit; never a name."),
            date("leader_on", "包干日期", "Date from which the official answers for it."),
            date("stabilisation_plan_on", "稳控预案日期", "Date of the stabilisation plan."),
            date("resolution_plan_on", "化解方案日期", "Date of the resolution plan."),
        ),
        ("unit_code",),
        references=(TO_UNIT,),
    ),
    Table(
        "screenings",
        "矛盾摸排",
        "One row per conflict screening of a unit.",
        "casework",
        (
            ref("screening_id", "摸排编号", "Screening."),
            unit_code(),
            date("screened_on", "摸排日期", "Date of the screening.", required=True),
            word("method", ScreeningMethod, "摸排方式", "How it was made."),
            Column("led_by_secretary", "boolean", "书记带队", note="Whether the Party secretary led it."),
            count("households_visited", "走访户数", "户", "Households visited."),
        ),
        ("screening_id",),
        references=(TO_UNIT,),
    ),
)
