"""Charts of people as SVG text: portraits as radars, intervals as bars.

No colour here says good or bad: the first person is dark blue with discs, the second violet with squares and
dashes, so that they stay apart in grey. What is not known is drawn, as the width of an interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import pandas as pd

from huanjie_lib.views import svg
from huanjie_lib.views.svg import GRID, SOFT, Spot

__all__ = ["COLOURS", "interval_svg", "radar_svg"]

COLOURS: Final = ("#1f4e79", "#7a3b8f")
_DASHES: Final = ("", ' stroke-dasharray="6 4"')
_APART: Final = 0.045
"""Radians by which the intervals of two people on one axis stand apart."""


def radar_svg(portraits: Sequence[pd.DataFrame], names: Sequence[str]) -> str:
    """Draw the portraits of one or two people; the rim is 100 points.

    Parameters
    ----------
    portraits
        label, low, mean and high of every aspect, in one order, for each person.
    names
        What the people are called.

    Examples
    --------
    >>> aspects = pd.DataFrame({"label": ["财务管理", "法治思维", "矛盾调解"], "low": 40.0, "mean": 60.0,
    ...                         "high": 80.0})
    >>> drawn = radar_svg([aspects, aspects.assign(mean=70.0)], ["张*三", "李*"])
    >>> [text in drawn for text in ("财务管理", "张*三：财务管理60.0分，40.0至80.0分", "李*")]
    [True, True, True]
    """
    middle, radius = (230.0, 178.0), 132.0
    labels = list(portraits[0]["label"])
    angles = [2 * math.pi * place / len(labels) for place in range(len(labels))]

    def at(angle: float, value: float) -> Spot:
        reach = radius * value / 100
        return middle[0] + reach * math.sin(angle), middle[1] - reach * math.cos(angle)

    parts = []
    for ring in (25, 50, 75, 100):
        around = svg.points(at(angle, ring) for angle in angles)
        width = 1.4 if ring == 100 else 0.8
        parts.append(f'<polygon points="{around}" fill="none" stroke="{GRID}" stroke-width="{width}"/>')
        parts.append(
            svg.text(middle[0] + 3, middle[1] - radius * ring / 100 + 4, str(ring), colour=SOFT, size=11)
        )
    parts += [svg.line(middle, at(angle, 100), GRID) for angle in angles]
    for number, (frame, name) in enumerate(zip(portraits, names, strict=True)):
        colour, dash = COLOURS[number], _DASHES[number]
        side = (2 * number - 1) * _APART if len(portraits) > 1 else 0.0
        ends = list(zip(frame["low"], frame["mean"], frame["high"], strict=True))
        parts += [
            svg.line(at(angle + side, low), at(angle + side, high), colour, width=2.2).replace(
                "/>", ' stroke-opacity="0.45"/>'
            )
            for angle, (low, _, high) in zip(angles, ends, strict=True)
        ]
        around = svg.points(at(angle, mean) for angle, (_, mean, _) in zip(angles, ends, strict=True))
        parts.append(
            f'<polygon points="{around}" fill="{colour}" fill-opacity="0.10" stroke="{colour}" '
            f'stroke-width="2" stroke-linejoin="round"{dash}/>'
        )
        for angle, label, (low, mean, high) in zip(angles, labels, ends, strict=True):
            x, y = at(angle, mean)
            said = svg.title(f"{name}：{label}{mean:.1f}分，{low:.1f}至{high:.1f}分")
            parts.append(_dot(number, (x, y), said))
    for angle, label in zip(angles, labels, strict=True):
        x, y = at(angle, 100 * (1 + 14 / radius))
        across = math.sin(angle)
        anchor = "middle" if abs(across) < 0.2 else "start" if across > 0 else "end"
        rise = -2.0 if math.cos(angle) > 0.9 else 10.0 if math.cos(angle) < -0.9 else 4.0
        parts.append(svg.text(x, y + rise, label, size=15, anchor=anchor))
    said = "，".join(f"{label}{mean:.0f}" for label, mean in zip(labels, portraits[0]["mean"], strict=True))
    return svg.drawing(460, 356, f"{'、'.join(names)}的画像。{names[0]}：{said}", parts)


def interval_svg(rows: Sequence[tuple[float, float, float]], *, width: float = 180.0, said: str = "") -> str:
    """Draw one or two intervals with their middles on a scale from 0 to 100.

    Parameters
    ----------
    rows
        Lower end, middle and upper end of each.
    width
        Width of the drawing.
    said
        What is read out in its place.

    Examples
    --------
    >>> drawn = interval_svg([(40.0, 60.0, 80.0)], said="适配60.0分，40.0至80.0分")
    >>> drawn.count("<circle"), "适配60.0分" in drawn
    (1, True)
    """
    left, right, step = 4.0, width - 4.0, 11.0
    height = step * len(rows) + 7.0
    scale = (right - left) / 100
    parts = [
        svg.line((left + scale * tick, 2), (left + scale * tick, height - 2), GRID)
        for tick in (0, 25, 50, 75, 100)
    ]
    for number, (low, mean, high) in enumerate(rows):
        y, colour = 9.0 + step * number, COLOURS[number]
        parts.append(
            f'<rect x="{left + scale * low:.1f}" y="{y - 3:.1f}" width="{scale * (high - low):.1f}" '
            f'height="6" rx="3" fill="{colour}" fill-opacity="0.32"/>'
        )
        parts.append(_dot(number, (left + scale * mean, y), ""))
    return svg.drawing(width, height, said, [*parts, svg.title(said)])


def _dot(number: int, spot: Spot, said: str) -> str:
    """Return the mark of the first (disc) or second person (square)."""
    (x, y), paint = spot, f'fill="{COLOURS[number]}"'
    if number == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.8" {paint}>{said}</circle>'
    return f'<rect x="{x - 3.4:.1f}" y="{y - 3.4:.1f}" width="6.8" height="6.8" {paint}>{said}</rect>'
