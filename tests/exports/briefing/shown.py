"""The briefings that tests read, and their words."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from huanjie_lib.exports.briefing import Block, Briefing, Heading, Table, Text, briefing_of
from huanjie_lib.views.meeting import Meeting
from tests.meetings import whole_meeting


@cache
def briefed(make: Callable[[], Meeting] = whole_meeting) -> Briefing:
    """Return the briefing of a meeting, made once."""
    return briefing_of(make())


def table(briefing: Briefing, title: str) -> Table:
    """Return the first table whose title contains a text."""
    return next(b for b in briefing.blocks if isinstance(b, Table) and title in b.title)


def words(blocks: tuple[Block, ...]) -> str:
    """Return headings and paragraphs, a line each."""
    return "\n".join(
        f"{block.lead}{block.text}" if isinstance(block, Text) else block.text
        for block in blocks
        if isinstance(block, Heading | Text)
    )
