"""A briefing while it is written: what numbers its headings, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from huanjie_lib.exports.briefing.blocks import (
    MIDDLE_PT,
    PORTRAIT_MM,
    Block,
    Heading,
    Page,
    Picture,
    Table,
    Text,
)
from huanjie_lib.exports.docx import numeral
from huanjie_lib.views.meeting import Meeting

__all__ = ["Draft"]

_TOGETHER: Final = 9
"""Rows that are kept on one page: more would leave a third of the page before them empty."""
_LABEL_MM: Final = 27.0
_CARD: Final = 10.5


class Draft:
    """A briefing under construction: it numbers headings, tables and pictures."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self.blocks: list[Block] = []
        self._numbers = [0, 0, 0]
        self._annexes = self._tables = self._pictures = 0

    def heading(self, text: str, level: int = 1) -> None:
        """Add a heading with its number (一、, （一） or 1．)."""
        self._numbers[level - 1] += 1
        self._numbers[level:] = [0] * (3 - level)
        number = self._numbers[level - 1]
        lead = {1: f"{numeral(number)}、", 2: f"（{numeral(number)}）", 3: f"{number}．"}[level]
        self.blocks.append(Heading(min(level + (self._annexes > 0), 3), lead + text))

    def annex(self, text: str, *, landscape: bool = False) -> None:
        """Begin an annex on a page of its own; headings below it count anew."""
        self._annexes += 1
        self._numbers = [0, 0, 0]
        self.blocks += [Page(landscape), Heading(0, f"附件{self._annexes}　{text}")]

    def text(self, text: str, lead: str = "") -> None:
        """Add a paragraph."""
        self.blocks.append(Text(text, lead))

    def items(self, texts: Iterable[str]) -> None:
        """Add paragraphs numbered 1．, 2． and so on."""
        for number, text in enumerate(texts, start=1):
            self.text(f"{number}．{text}")

    def note(self, text: str) -> None:
        """Add a note, set small."""
        self.blocks.append(Text(text, note=True))

    def table(
        self,
        title: str,
        columns: Sequence[tuple[str, float]],
        rows: Iterable[Sequence[str]],
        *,
        left: tuple[int, ...] = (),
        size: float = MIDDLE_PT,
    ) -> None:
        """Add a table with its number; columns are names and widths in mm. A short one stands on one page."""
        self._tables += 1
        found = tuple(tuple(row) for row in rows)
        self.blocks.append(
            Table(
                title=f"表{self._tables}　{title}",
                headings=tuple(name for name, _ in columns),
                rows=found,
                widths=tuple(width for _, width in columns),
                left=left,
                size=size,
                together=len(found) <= _TOGETHER,
            )
        )

    def card(self, rows: Iterable[tuple[str, str]]) -> None:
        """Add labels and what is said to each, without headings."""
        widths = (_LABEL_MM, PORTRAIT_MM - _LABEL_MM)
        self.blocks.append(Table("", (), tuple(rows), widths, left=(1,), size=_CARD))

    def picture(self, title: str, told: str, data: bytes, size: tuple[float, float]) -> None:
        """Add a picture (PNG) with its number; size is width and height in mm."""
        self._pictures += 1
        self.blocks.append(Picture(f"图{self._pictures}　{title}", told, data, *size))
