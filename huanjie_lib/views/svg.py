"""Pieces of SVG text that charts are put together from; every text is escaped, fonts are the reader's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

__all__ = ["GRID", "INK", "LINE", "SOFT", "Spot", "drawing", "line", "points", "text", "title"]

INK: Final = "#1f2933"
SOFT: Final = "#5f6b7a"
GRID: Final = "#d5dae1"
LINE: Final = "#1f4e79"
_FONTS: Final = "'Huanjie Sans','Microsoft YaHei','PingFang SC','Noto Sans CJK SC',sans-serif"

Spot = tuple[float, float]


def drawing(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """Return a drawing with the label that is read out in its place.

    Examples
    --------
    >>> 'aria-label="&lt;b&gt;"' in drawing(10, 10, "<b>", [])
    True
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}" font-family="{_FONTS}">{"".join(parts)}</svg>'
    )


def title(said: str) -> str:
    """Return what is shown while the pointer rests on the part that holds it.

    Examples
    --------
    >>> title("3 < 4")
    '<title>3 &lt; 4</title>'
    """
    return f"<title>{escape(said)}</title>"


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 12,
    anchor: str = "start",
    colour: str = INK,
    bold: bool = False,
) -> str:
    """Return words at a place.

    Examples
    --------
    >>> text(1, 2, "村")
    '<text x="1.0" y="2.0" font-size="12" text-anchor="start" fill="#1f2933">村</text>'
    """
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" '
        f'fill="{colour}"{weight}>{escape(words)}</text>'
    )


def line(start: Spot, end: Spot, colour: str, *, width: float = 0.8) -> str:
    """Return a straight line.

    Examples
    --------
    >>> line((0, 0), (1, 2), GRID)
    '<line x1="0.0" y1="0.0" x2="1.0" y2="2.0" stroke="#d5dae1" stroke-width="0.8"/>'
    """
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"/>'
    )


def points(spots: Iterable[Spot]) -> str:
    """Return places as polygons and polylines take them.

    Examples
    --------
    >>> points([(0, 0), (1.25, 2)])
    '0.0,0.0 1.2,2.0'
    """
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
