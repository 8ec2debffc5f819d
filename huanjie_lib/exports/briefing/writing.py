"""A meeting's briefing, whole or one section of it."""

from __future__ import annotations

from huanjie_lib.exports.briefing.blocks import Block, Briefing
from huanjie_lib.exports.briefing.draft import Draft
from huanjie_lib.exports.briefing.overall import overall_section
from huanjie_lib.exports.briefing.reds import red_annex, red_section
from huanjie_lib.exports.briefing.reliability import method_annex, sources_annex, wrong_section
from huanjie_lib.exports.briefing.townships import league_annex, townships_section
from huanjie_lib.exports.briefing.work import asked_section, loop_section, progress_section
from huanjie_lib.views.meeting import Meeting
from huanjie_lib.views.words import INTERNAL, date_text

__all__ = ["briefing_of", "section"]


def briefing_of(meeting: Meeting, *, mark: str = INTERNAL, office: str = "") -> Briefing:
    """Return the briefing of a meeting; equal meetings give equal briefings.

    Parameters
    ----------
    meeting
        What lies on the table.
    mark
        Who hands it out, for what and when (:attr:`huanjie_lib.views.stamp.Stamp.text`); at the head of
        every page.
    office
        Whose briefing it is, on the title page.
    """
    draft = Draft(meeting)
    for part in (
        overall_section,
        townships_section,
        red_section,
        progress_section,
        loop_section,
        wrong_section,
        asked_section,
    ):
        part(draft)
    for annex in (league_annex, red_annex, method_annex, sources_annex):
        annex(draft)
    return Briefing(
        title=meeting.title,
        subtitle=f"（数据截至{date_text(meeting.as_of)}）",
        office=office,
        head=(f"数据截至{date_text(meeting.as_of)}　参数版本 {meeting.version}", mark),
        meeting=meeting,
        blocks=tuple(draft.blocks),
    )


def section(meeting: Meeting, part: str) -> tuple[Block, ...]:
    """Return what the briefing says in one of its sections, without its first heading.

    Parameters
    ----------
    meeting
        What lies on the table.
    part
        ``loop`` (整改闭环), ``wrong`` (模型哪里可能看错) or ``asked`` (提请会议研究的事项).

    Raises
    ------
    KeyError
        If there is no such section.
    """
    draft = Draft(meeting)
    {"loop": loop_section, "wrong": wrong_section, "asked": asked_section}[part](draft)
    return tuple(draft.blocks[1:])
