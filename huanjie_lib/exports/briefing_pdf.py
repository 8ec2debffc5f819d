"""The briefing as PDF, set with typst: fonts inside, searchable, tagged, equal bytes for equal content."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from huanjie_lib.exports.briefing import (
    Block,
    Briefing,
    Heading,
    Page,
    Picture,
    Table,
    Text,
    picture_digest,
)
from huanjie_lib.views.fonts import FAMILY, font_path, missing_glyphs
from huanjie_lib.views.words import date_text

__all__ = ["briefing_pdf"]

_LACKING: Final = "〓"
"""Stands for a character that the shipped font lacks, as official papers print it."""


def briefing_pdf(briefing: Briefing) -> bytes:
    """Return a briefing as PDF; equal briefings give equal bytes.

    No font of the machine is used and no other file is read. A character that the shipped font lacks is
    printed as 〓.
    """
    import typst

    content = _content(briefing)
    text = json.dumps(content, ensure_ascii=False)
    lacking = missing_glyphs("".join(sorted(set(text))))
    text = text.translate(dict.fromkeys(map(ord, lacking), _LACKING))
    template = files("huanjie_lib.exports").joinpath("templates/briefing.typ").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "briefing.typ").write_bytes(template)
        (root / "briefing.json").write_text(text, encoding="utf-8")
        for block in briefing.blocks:
            if isinstance(block, Picture):
                (root / _file(block)).write_bytes(block.data)
        compiled = typst.compile(
            str(root / "briefing.typ"),
            root=folder,
            font_paths=[str(font_path().parent)],
            ignore_system_fonts=True,
            format="pdf",
        )
    if not isinstance(compiled, bytes):
        raise TypeError(f"typst gave {type(compiled).__name__}, not the bytes of one PDF")
    return compiled


def _content(briefing: Briefing) -> dict[str, Any]:
    day = briefing.meeting.as_of
    sections: list[dict[str, Any]] = [{"landscape": False, "blocks": []}]
    for block in briefing.blocks:
        if isinstance(block, Page):
            sections.append({"landscape": block.landscape, "blocks": []})
        else:
            sections[-1]["blocks"].append(_block(block))
    return {
        "title": briefing.title,
        "subtitle": briefing.subtitle,
        "office": briefing.office,
        "date": date_text(day),
        "day": [day.year, day.month, day.day],
        "head": briefing.head,
        "font": FAMILY,
        "sections": sections,
    }


def _block(block: Block) -> Mapping[str, Any]:
    match block:
        case Heading(level=0, text=text):
            return {"kind": "annex", "text": text}
        case Heading(level=level, text=text):
            return {"kind": "heading", "level": level, "text": text}
        case Text(text=text, note=True):
            return {"kind": "note", "text": text}
        case Text(text=text, lead=lead):
            return {"kind": "text", "text": text, "lead": lead}
        case Table():
            return {"kind": "table", **_table(block)}
        case Picture():
            size = {"width": block.width, "height": block.height}
            return {"kind": "picture", "title": block.title, "told": block.told, "file": _file(block), **size}
    raise TypeError(f"no such block: {type(block).__name__}")


def _table(table: Table) -> dict[str, Sequence[Any] | str | float | bool]:
    return {
        "title": table.title,
        "headings": table.headings,
        "rows": table.rows,
        "widths": table.widths,
        "left": table.left,
        "size": table.size,
        "together": table.together,
    }


def _file(picture: Picture) -> str:
    return f"{picture_digest(picture.data)}.png"
