"""What a briefing is made of: headings, paragraphs, tables, pictures and turns of the page."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

import pandas as pd

from huanjie_lib.views.meeting import Meeting

__all__ = [
    "LANDSCAPE_MM",
    "MIDDLE_PT",
    "PORTRAIT_MM",
    "Block",
    "Briefing",
    "Heading",
    "Page",
    "Picture",
    "Table",
    "Text",
    "picture_digest",
]

PORTRAIT_MM: Final = 156.0
"""Width between the margins of an upright page (A4, 28 and 26 mm)."""
LANDSCAPE_MM: Final = 225.0
"""Width between the margins of a page on its side (37 and 35 mm)."""

MIDDLE_PT: Final = 10.5
"""Size of the letters of a table that says nothing else."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 (一、), 2 (（一）) or 3 (1.), its number in the text; 0 is an annex.

    Headings within an annex are a level lower than their numbers say.
    """

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; ``lead`` stands in bold before it, a ``note`` is set small and without indent."""

    text: str
    lead: str = ""
    note: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    r"""A table: headings repeat on every page and rows stay whole.

    Parameters
    ----------
    title
        Said above the table; may be empty.
    headings, rows
        One text a column; ``\n`` in a cell begins a line. Headings may be absent.
    widths
        Millimetres of each column.
    left
        Columns set to the left; others stand in the middle.
    size
        Size of the letters in points.
    together
        Whether all rows stand on one page. Otherwise the table breaks between rows; one without headings
        neither after its first row nor before its last.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    left: tuple[int, ...] = ()
    size: float = MIDDLE_PT
    together: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture (PNG) with its width and height in mm, a title below and words for those who can't see it."""

    title: str
    told: str
    data: bytes
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Page:
    """A new page, upright or on its side."""

    landscape: bool = False


Block: TypeAlias = Heading | Text | Table | Picture | Page


@dataclass(frozen=True)
class Briefing:
    """A briefing ready to be set.

    Parameters
    ----------
    title, subtitle, office
        On the title page: what it is, of which date, and whose (may be empty).
    head
        Lines at the head of every page: what the file is, and who hands it out.
    meeting
        What it is about.
    blocks
        The content.
    """

    title: str
    subtitle: str
    office: str
    head: tuple[str, str]
    meeting: Meeting
    blocks: tuple[Block, ...]

    def __repr__(self) -> str:
        """Return title, date, number of blocks and parameter version."""
        return (
            f"Briefing({self.title!r}, as_of={self.meeting.as_of}, blocks={len(self.blocks)}, "
            f"parameters={self.meeting.version!r})"
        )

    def outline(self) -> pd.DataFrame:
        """Return what stands under which heading.

        Returns
        -------
        DataFrame
            标题, with the numbers that the text has, set in by level; 段落, 表 and 图, how many of them stand
            under it before the next heading. What comes before the first heading is left out.
        """
        rows: list[dict[str, Any]] = []
        for block in self.blocks:
            if isinstance(block, Heading):
                indent = "\u3000" * max(block.level - 1, 0)
                rows.append({"标题": indent + block.text, "段落": 0, "表": 0, "图": 0})
            elif rows and (kind := _KINDS.get(type(block))) is not None:
                rows[-1][kind] += 1
        return pd.DataFrame(rows, columns=["标题", *_KINDS.values()])

    def table(self, title: str) -> pd.DataFrame:
        """Return the first table whose title contains ``title``, in the words it is set in.

        Raises
        ------
        KeyError
            If there is no such table, or it has no headings.
        """
        for block in self.blocks:
            if isinstance(block, Table) and block.headings and title in block.title:
                return pd.DataFrame(list(block.rows), columns=list(block.headings))
        raise KeyError(title)


_KINDS: Final[dict[type, str]] = {Text: "段落", Table: "表", Picture: "图"}


@cache
def picture_digest(data: bytes) -> str:
    """Return the name of a picture: equal pictures share it."""
    return hashlib.sha256(data).hexdigest()[:16]
