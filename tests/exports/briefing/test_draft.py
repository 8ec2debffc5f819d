"""Headings, tables and pictures are numbered as they come."""

from __future__ import annotations

from huanjie_lib.exports.briefing import Heading, Page, Table
from huanjie_lib.exports.briefing.draft import Draft
from tests.meetings import bare_meeting


def test_headings_below_an_annex_count_anew_and_stand_a_level_lower() -> None:
    draft = Draft(bare_meeting())
    for text, level in (("甲", 1), ("乙", 2), ("丙", 3), ("丁", 1), ("戊", 2)):
        draft.heading(text, level)
    draft.annex("己", landscape=True)
    draft.heading("庚")
    assert draft.blocks == [
        Heading(1, "一、甲"),
        Heading(2, "（一）乙"),
        Heading(3, "1．丙"),
        Heading(1, "二、丁"),
        Heading(2, "（一）戊"),
        Page(landscape=True),
        Heading(0, "附件1　己"),
        Heading(2, "一、庚"),
    ]


def test_a_table_of_many_rows_may_break_and_a_short_one_may_not() -> None:
    draft = Draft(bare_meeting())
    for rows in (9, 10):
        draft.table("村", (("名", 30.0),), [["甲"]] * rows)
    assert [(b.title, b.together) for b in draft.blocks if isinstance(b, Table)] == [
        ("表1　村", True),
        ("表2　村", False),
    ]
