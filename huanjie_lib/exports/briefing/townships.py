"""Section 镇街情况 and the annex that ranks all; every unit where the meeting is about one township."""

from __future__ import annotations

from typing import Final

import pandas as pd

from huanjie_lib.exports.briefing.draft import Draft
from huanjie_lib.exports.briefing.words import flags_text, known_text, level_text, rate_text
from huanjie_lib.views.words import count_text, number_text
from huanjie_lib.vocabulary import GateStatus

__all__ = ["league_annex", "townships_section"]

_LEAGUE: Final = 20

_LEAGUE_COLUMNS: Final = (
    ("位次", 12.0),
    ("镇街", 24.0),
    ("县区", 20.0),
    ("单位数", 15.0),
    ("红", 11.0),
    ("黄", 11.0),
    ("绿", 11.0),
    ("平均指数", 19.0),
    ("变化", 16.0),
    ("准入率", 17.0),
)


def _league_rows(league: pd.DataFrame) -> list[list[str]]:
    return [
        [
            known_text(row["rank"]),
            row["township_name"],
            row["county_name"],
            count_text(row["units"]),
            count_text(row["red"]),
            count_text(row["yellow"]),
            count_text(row["green"]),
            number_text(row["mean_index"]),
            number_text(row["change"], signed=True),
            rate_text(row["admitted_share"]),
        ]
        for row in league.to_dict("records")
    ]


def townships_section(draft: Draft) -> None:
    """Tell of the townships, those that need most attention first."""
    meeting = draft.meeting
    if len(meeting.league) == 1:
        _units(draft)
        return
    draft.heading("镇街情况")
    draft.text(meeting.overview.picture[4])
    clear = meeting.league[meeting.league["red"] == 0]
    most = meeting.league.sort_values(["red", "rank"], ascending=[False, True], kind="stable").head(3)
    held = "、".join(
        f"{r['township_name']}{count_text(r['red'])}个" for r in most.to_dict("records") if r["red"]
    )
    if held:
        draft.text(f"红色村（社区）最多的是{held}；没有红色的镇街{count_text(len(clear))}个。")
    whole = len(meeting.league) <= _LEAGUE
    title = "镇街排名" if whole else f"平均指数最低的{_LEAGUE}个镇街"
    draft.table(title, _LEAGUE_COLUMNS, _league_rows(meeting.league.head(_LEAGUE)))
    draft.note(
        f"注：位次1为平均指数最低、最需要关注；变化是与{meeting.since_text}相比的平均变化"
        + ("。" if whole else "；全部镇街见附件。")
    )


def _units(draft: Draft) -> None:
    """Tell every unit of a meeting that is about one township."""
    draft.heading("村（社区）情况")
    draft.table(
        "全部村（社区）",
        (
            ("序号", 11),
            ("村（社区）", 26),
            ("等级", 21),
            ("指数", 14),
            ("变化", 15),
            ("准入条件", 18),
            ("最大扣分原因", 51),
        ),
        [
            [
                str(number),
                row["unit_name"],
                level_text(row["level"])
                + (f"\n{flags}" if (flags := flags_text(row["to_verify"], row["contested"])) else ""),
                number_text(row["index"]),
                number_text(row["change"], signed=True),
                GateStatus.labels().get(row["admission"], "—"),
                row["reason_1"] or "—",
            ]
            for number, row in enumerate(draft.meeting.units.to_dict("records"), start=1)
        ],
        left=(6,),
    )


def league_annex(draft: Draft) -> None:
    """Rank all townships where the text ranks some."""
    if len(draft.meeting.league) > _LEAGUE:
        draft.annex("镇街排名")
        draft.table("全部镇街，平均指数最低的在前", _LEAGUE_COLUMNS, _league_rows(draft.meeting.league))
