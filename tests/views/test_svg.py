"""Pieces of SVG hold their words as words, whatever these are."""

from __future__ import annotations

from xml.etree import ElementTree

from huanjie_lib.views import svg

HOSTILE = '<img src=x onerror="alert(1)">&'


def test_a_drawing_of_hostile_words_is_well_formed_and_says_them() -> None:
    parts = [
        svg.title(HOSTILE),
        svg.text(1, 2, HOSTILE, bold=True),
        svg.line((0, 0), (3, 4), svg.GRID),
        f'<polyline points="{svg.points([(0, 0), (1, 1)])}"/>',
    ]
    tree = ElementTree.fromstring(svg.drawing(10, 20, HOSTILE, parts))
    assert [part.tag.rpartition("}")[2] for part in tree] == ["title", "text", "line", "polyline"]
    assert tree.get("aria-label") == tree[0].text == tree[1].text == HOSTILE
    assert tree.get("viewBox") == "0 0 10 20"
