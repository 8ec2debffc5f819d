"""The briefing of a meeting (选情汇报) as blocks, and its files: DOCX and PDF set the same blocks.

A block is a heading, a paragraph, a table, a picture or a turn of the page; numbers of headings and every
figure stand in it as text. So both files say the same, and a test can compare them with the run.
"""

from __future__ import annotations

from huanjie_lib.exports.briefing.blocks import (
    LANDSCAPE_MM,
    PORTRAIT_MM,
    Block,
    Briefing,
    Heading,
    Page,
    Picture,
    Table,
    Text,
    picture_digest,
)
from huanjie_lib.exports.briefing.writing import briefing_of, section

__all__ = [
    "LANDSCAPE_MM",
    "PORTRAIT_MM",
    "Block",
    "Briefing",
    "Heading",
    "Page",
    "Picture",
    "Table",
    "Text",
    "briefing_of",
    "picture_digest",
    "section",
]
