"""Small charts as SVG text, to be set into a page as they are.

Pure functions. Every text is escaped. Colour never stands alone: levels also differ in lightness, in a
letter or in the shape of their mark. Hovering a mark shows its figures. The fonts are the reader's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from huanjie_lib.views import svg
from huanjie_lib.views.summary import Dimension, Snapshot, UnitProfile
from huanjie_lib.views.svg import GRID, INK, LINE, SOFT, Spot
from huanjie_lib.views.words import LEVELS, count_text, date_text, number_text
from huanjie_lib.vocabulary import Level

__all__ = ["history_svg", "radar_svg", "trend_svg"]

_LABEL_GAP: Final = 15.0


def radar_svg(profile: UnitProfile) -> str:
    """Draw the share of points kept in each dimension; the rim is 100 %, which is safe.

    With fewer than three dimensions a radar has no area: then each becomes a bar.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> parts = [Dimension("a", "审计", "审计", 5.0, 20.0), Dimension("b", "联审", "联审", 0.0, 80.0)]
    >>> svg = radar_svg(SimpleNamespace(unit_name="石桥村", dimensions=parts))
    >>> "审计" in svg and "75%" in svg
    True
    """
    dimensions = profile.dimensions
    title = f"{profile.unit_name}各维度得分率：" + "，".join(f"{d.label}{_percent(d)}" for d in dimensions)
    if len(dimensions) < 3:
        return svg.drawing(320, 40 * len(dimensions) + 8, title, _bars(dimensions))
    middle, radius = (160.0, 134.0), 88.0
    angles = [2 * math.pi * n / len(dimensions) for n in range(len(dimensions))]

    def at(angle: float, share: float) -> Spot:
        return middle[0] + radius * share * math.sin(angle), middle[1] - radius * share * math.cos(angle)

    parts = []
    for ring in (0.25, 0.5, 0.75, 1.0):
        width = 1.4 if ring == 1.0 else 0.8
        parts.append(
            f'<polygon points="{svg.points(at(a, ring) for a in angles)}" fill="none" '
            f'stroke="{GRID}" stroke-width="{width}"/>'
        )
    parts += [svg.line(middle, at(a, 1.0), GRID) for a in angles]
    kept = [at(a, max(0.0, d.share_kept)) for a, d in zip(angles, dimensions, strict=True)]
    parts.append(
        f'<polygon points="{svg.points(kept)}" fill="{LINE}" fill-opacity="0.22" '
        f'stroke="{LINE}" stroke-width="2" stroke-linejoin="round"/>'
    )
    for angle, spot, dimension in zip(angles, kept, dimensions, strict=True):
        lost = f"{dimension.label}：扣{number_text(dimension.points_lost)}分，满分{dimension.points_most:g}分"
        parts.append(
            f'<circle cx="{spot[0]:.1f}" cy="{spot[1]:.1f}" r="3.2" fill="{LINE}">{svg.title(lost)}</circle>'
        )
        x, y = at(angle, 1.0 + 14 / radius)
        side = math.sin(angle)
        anchor = "middle" if abs(side) < 0.2 else "start" if side > 0 else "end"
        rise = -12.0 if math.cos(angle) > 0.2 else 8.0 if math.cos(angle) < -0.2 else 0.0
        parts.append(svg.text(x, y + rise, dimension.label, size=12.5, anchor=anchor))
        parts.append(
            svg.text(x, y + rise + 14, _percent(dimension), size=12.5, anchor=anchor, colour=SOFT, bold=True)
        )
    return svg.drawing(320, 264, title, parts)


def history_svg(profile: UnitProfile, *, height: float = 232.0) -> str:
    """Draw the index at every snapshot: triangle red, square yellow, disc green, ring without data.

    Parameters
    ----------
    profile
        The unit.
    height
        Height of the drawing, whose width is 320.

    Examples
    --------
    >>> import datetime as dt
    >>> from types import SimpleNamespace
    >>> once = [Snapshot(dt.date(2026, 10, 31), 72.3, Level.YELLOW, False)]
    >>> "72.3" in history_svg(SimpleNamespace(unit_name="石桥村", history=once))
    True
    """
    history = profile.history
    left, right, top, bottom = 30.0, 274.0, 14.0, height - 28.0
    title = f"{profile.unit_name}历次选情指数"
    parts = []
    for value in (0, 20, 40, 60, 80, 100):
        y = bottom - (bottom - top) * value / 100
        parts.append(svg.line((left, y), (right, y), GRID))
        parts.append(svg.text(left - 5, y + 4, str(value), anchor="end", colour=SOFT))
    spots: list[tuple[Snapshot, Spot]] = []
    for number, snapshot in enumerate(history):
        if snapshot.index is not None:
            x = left + (right - left) * (number + 0.5) / len(history)
            spots.append((snapshot, (x, bottom - (bottom - top) * snapshot.index / 100)))
    if len(spots) > 1:
        parts.append(
            f'<polyline points="{svg.points(spot for _, spot in spots)}" fill="none" '
            f'stroke="{SOFT}" stroke-width="1.4"/>'
        )
    parts += [_mark(snapshot, spot) for snapshot, spot in spots]
    if spots:
        last, (x, y) = spots[-1]
        parts.append(svg.text(right + 4, y + 4, number_text(last.index), size=13, bold=True))
    parts += _months([s.as_of.strftime("%Y.%m") for s in history], left, right, bottom + 18)
    return svg.drawing(320, height, title, parts)


def trend_svg(trend: pd.DataFrame) -> str:
    """Draw the number of units of each level at every snapshot, red at the bottom.

    Parameters
    ----------
    trend
        Result of :func:`huanjie_lib.views.tables.trend`, at least one row.

    Examples
    --------
    >>> counts = {"red": 3, "yellow": 5, "green": 9, "unknown": 0, "to_verify": 2, "units": 17}
    >>> svg = trend_svg(pd.DataFrame([{"as_of": pd.Timestamp(2026, 10, 31), **counts}]))
    >>> [f"{mark} {n}" in svg for mark, n in (("红", 3), ("黄", 5), ("绿", 9), ("待核实", 2), ("无", 0))]
    [True, True, True, True, False]
    """
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in trend.to_dict("records")]
    left, right, top, bottom = 44.0, 396.0, 12.0, 196.0
    most = max(1, *(row["units"] for row in rows))
    parts = []
    for value in _ticks(most):
        y = bottom - (bottom - top) * value / most
        parts.append(svg.line((left, y), (right, y), GRID))
        parts.append(svg.text(left - 6, y + 4, count_text(value), anchor="end", colour=SOFT))
    slot = (right - left) / len(rows)
    for number, row in enumerate(rows):
        y = bottom
        date = date_text(row["as_of"].date())
        for level in LEVELS:
            height = (bottom - top) * row[level.value] / most
            y -= height
            if height:
                x, width = left + slot * (number + 0.08), 0.84 * slot
                said = svg.title(f"{date}：{level.label}{count_text(row[level.value])}个")
                parts.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                    f'fill="{level.colour}" stroke="#fff" stroke-width="0.8">{said}</rect>'
                )
    open_spots = [
        (left + slot * (number + 0.5), bottom - (bottom - top) * row["to_verify"] / most)
        for number, row in enumerate(rows)
    ]
    route = f'<polyline points="{svg.points(open_spots)}" fill="none" '
    parts.append(f'{route}stroke="#fff" stroke-width="4" stroke-opacity="0.8"/>')
    parts.append(f'{route}stroke="{INK}" stroke-width="1.6" stroke-dasharray="4 3"/>')
    parts += _end_labels(rows[-1], most, right, top, bottom)
    parts += _months([row["as_of"].strftime("%Y.%m") for row in rows], left, right, bottom + 18)
    title = "各等级村（社区）数量走势；虚线为待核实数"
    return svg.drawing(496, 224, title, parts)


def _end_labels(row: dict[str, Any], most: int, right: float, top: float, bottom: float) -> list[str]:
    """Return the labels beside the last column, moved apart where they would overlap."""
    scale = (bottom - top) / most
    wanted = [(bottom - scale * row["to_verify"], f"待核实 {count_text(row['to_verify'])}", "")]
    y = bottom
    for level in LEVELS:
        height = scale * row[level.value]
        if height:
            wanted.append((y - height / 2, f"{level.mark} {count_text(row[level.value])}", level.colour))
        y -= height
    wanted.sort(key=lambda label: -label[0])
    places = _spread([place for place, _, _ in wanted], top, bottom)
    parts = []
    for place, (_, text, colour) in zip(places, wanted, strict=True):
        if colour:
            parts.append(
                f'<rect x="{right + 8:.1f}" y="{place - 5:.1f}" width="10" height="10" fill="{colour}" '
                f'stroke="{SOFT}" stroke-width="0.5"/>'
            )
        else:
            parts.append(
                f'<path d="M{right + 5:.1f} {place:.1f}h15" stroke="{INK}" stroke-width="1.6" '
                'stroke-dasharray="4 3"/>'
            )
        parts.append(svg.text(right + 23, place + 4, text, bold=True))
    return parts


def _spread(places: Sequence[float], top: float, bottom: float) -> list[float]:
    """Move places (given from the bottom up, so falling) apart to the label gap, within top and bottom."""
    moved: list[float] = []
    for place in places:
        moved.append(min(place, moved[-1] - _LABEL_GAP if moved else bottom))
    floor = top
    for number in reversed(range(len(moved))):
        moved[number] = max(moved[number], floor)
        floor = moved[number] + _LABEL_GAP
    return moved


def _ticks(most: int) -> list[int]:
    """Return round counts from 0 for an axis, about four steps."""
    raw = most / 4
    power = 10 ** math.floor(math.log10(raw)) if raw >= 1 else 1
    step = next(int(power * f) for f in (1, 2, 5, 10) if power * f >= raw)
    return list(range(0, most + 1, step))


def _months(labels: Sequence[str], left: float, right: float, y: float) -> list[str]:
    """Return the month labels of an axis: the last, and as many before it as fit."""
    slot = (right - left) / len(labels)
    every = math.ceil(56 / slot)
    return [
        svg.text(left + slot * (n + 0.5), y, label, anchor="middle", colour=SOFT)
        for n, label in enumerate(labels)
        if (len(labels) - 1 - n) % every == 0
    ]


def _mark(snapshot: Snapshot, spot: Spot) -> str:
    x, y = spot
    text = f"{date_text(snapshot.as_of)}：{number_text(snapshot.index)}，{snapshot.level.label}"
    if snapshot.to_verify:
        text += "，待核实"
    paint = f'fill="{snapshot.level.colour}" stroke="{INK}" stroke-width="1"'
    if snapshot.level is Level.RED:
        shape = f'<path d="M{x:.1f} {y - 5.5:.1f}l5 9h-10z" {paint}>'
    elif snapshot.level is Level.YELLOW:
        shape = f'<path d="M{x - 4:.1f} {y - 4:.1f}h8v8h-8z" {paint}>'
    elif snapshot.level is Level.GREEN:
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.4" {paint}>'
    else:
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.4" fill="#fff" stroke="{INK}" stroke-width="1">'
    return f"{shape}{svg.title(text)}</{'circle' if shape.startswith('<circle') else 'path'}>"


def _bars(dimensions: Sequence[Dimension]) -> list[str]:
    parts = []
    for number, dimension in enumerate(dimensions):
        y = 40.0 * number + 20
        width = 300 * max(0.0, dimension.share_kept)
        parts.append(svg.text(10, y, dimension.label, size=12.5))
        parts.append(svg.text(310, y, _percent(dimension), size=12.5, anchor="end", bold=True))
        parts.append(f'<rect x="10" y="{y + 6:.1f}" width="300" height="10" fill="{GRID}"/>')
        parts.append(f'<rect x="10" y="{y + 6:.1f}" width="{width:.1f}" height="10" fill="{LINE}"/>')
    return parts


def _percent(dimension: Dimension) -> str:
    return f"{100 * dimension.share_kept:.0f}%"
