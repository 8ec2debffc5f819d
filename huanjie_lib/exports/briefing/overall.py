"""Section 总体情况: the city in five sentences, its map, counts of colours, and which units turned."""

from __future__ import annotations

from typing import Final

from huanjie_lib.exports.briefing.blocks import PORTRAIT_MM
from huanjie_lib.exports.briefing.draft import Draft
from huanjie_lib.exports.briefing.words import (
    NAMED,
    known_text,
    level_text,
    names_text,
    rate_text,
    signed_text,
)
from huanjie_lib.views.meeting_figures import colours_figure, map_figure
from huanjie_lib.views.print_map import render
from huanjie_lib.views.words import CONTESTED, count_text, date_text, number_text, percent_text
from huanjie_lib.vocabulary import Level

__all__ = ["overall_section"]

_MAP_MM: Final = (PORTRAIT_MM, 172.0)
_TREND_MM: Final = (PORTRAIT_MM, 70.0)
_DPI: Final = 220


def overall_section(draft: Draft) -> None:
    """Tell how the area stands: five sentences, the map, counts of colours, and which units turned."""
    draft.heading("总体情况")
    draft.heading("五句话看全局", 2)
    draft.items(draft.meeting.overview.picture)
    _map(draft)
    _counts(draft)
    _trend(draft)
    _turned(draft)


def _counts(draft: Draft) -> None:
    meeting, view = draft.meeting, draft.meeting.overview
    draft.heading("三色数量和变化", 2)
    rows = [
        [
            f"{Level.lookup()[row['level']].mark}　{row['label']}",
            count_text(row["count"]),
            rate_text(row["share"]),
            known_text(row["before"]),
            signed_text(row["change"]),
        ]
        for row in meeting.counts.to_dict("records")
    ]
    before = meeting.counts["before"]
    whole = int(before.sum()) if before.notna().all() else None
    rows.append(
        [
            "合计",
            count_text(view.units),
            "100.0%",
            known_text(whole),
            signed_text(None if whole is None else view.units - whole),
        ]
    )
    then = None if view.to_verify_change is None else view.to_verify - view.to_verify_change
    rows.append(
        [
            "其中：待核实",
            count_text(view.to_verify),
            percent_text(view.to_verify, view.units),
            known_text(then),
            signed_text(view.to_verify_change),
        ]
    )
    rows.append(
        [
            f"其中：{CONTESTED}",
            count_text(view.contested),
            percent_text(view.contested, view.units),
            "—",
            "—",
        ]
    )
    last = "上次会议" if meeting.since_meeting else "上期"
    draft.table(
        "各等级村（社区）数量",
        (("等级", 46), ("本次（个）", 28), ("占比", 26), (f"{last}（个）", 28), ("变化（个）", 28)),
        rows,
        size=12.0,
    )
    if meeting.since is not None:
        unnamed = "" if meeting.since_meeting else "；没有指定上次会议的评估"
        draft.note(f"注：变化是与{meeting.since_text}相比{unnamed}。")


def _trend(draft: Draft) -> None:
    trend = draft.meeting.trend
    if len(trend) < 2:
        return
    first, final = trend.iloc[0], trend.iloc[-1]
    draft.heading("走势", 2)
    draft.picture(
        "历次评估各等级村（社区）数量",
        f"{date_text(first['as_of'].date())}红色{first['red']}个，"
        f"{date_text(final['as_of'].date())}红色{final['red']}个",
        render(colours_figure(trend, size_mm=_TREND_MM), "png", dpi=_DPI),
        _TREND_MM,
    )


def _turned(draft: Draft) -> None:
    meeting = draft.meeting
    draft.heading("变色情况", 2)
    if meeting.since is None:
        draft.text("没有更早一期的评估，变色情况不明。")
        return
    turned = meeting.turned
    if turned.empty:
        draft.text(f"与{meeting.since_text}相比，没有村（社区）变色。")
        return
    into, out = turned[turned["level"] == Level.RED.value], turned[turned["from_level"] == Level.RED.value]
    draft.text(
        f"与{meeting.since_text}相比，共{count_text(len(turned))}个村（社区）变色，"
        f"其中新转为红色{count_text(len(into))}个，脱离红色{count_text(len(out))}个。"
    )
    if len(into):
        draft.table(
            "新转为红色的村（社区）",
            (
                ("村（社区）", 30),
                ("镇街", 24),
                ("原等级", 16),
                ("原指数", 17),
                ("现指数", 17),
                ("最大扣分原因", 52),
            ),
            [
                [
                    row["unit_name"],
                    row["township_name"],
                    level_text(row["from_level"]),
                    number_text(row["index_before"]),
                    number_text(row["index"]),
                    row["reason_1"] or "—",
                ]
                for row in into.to_dict("records")
            ],
            left=(5,),
        )
    if len(out):
        names = [
            f"{row['township_name']}{row['unit_name']}"
            f"（{number_text(row['index_before'])}→{number_text(row['index'])}，{level_text(row['level'])}）"
            for row in out.to_dict("records")
        ]
        draft.text(f"{names_text(names, NAMED)}。", "脱离红色的：")


def _map(draft: Draft) -> None:
    draft.heading("三色分布图", 2)
    figure = map_figure(draft.meeting.run, size_mm=_MAP_MM)
    if figure is None:
        draft.text("村（社区）没有边界和坐标，不能制图；导入边界或填写经度、纬度后可得。")
        return
    counts = "、".join(
        f"{row['label']}{count_text(row['count'])}个" for row in draft.meeting.counts.to_dict("records")
    )
    told = f"{draft.meeting.area}村（社区）三色图：{counts}"
    title = "村（社区）换届选情三色图（示意图，不作划界依据）"
    draft.picture(title, told, render(figure, "png", dpi=_DPI), _MAP_MM)
