"""Sliders take moves of one form, and every message has its answer."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from huanjie_lib.screens.dials import Dials, parse_move


@pytest.fixture
def dials() -> Dials:
    return Dials(html=Markup("<p>滑块</p>"), figures={"dials": [200]})


@pytest.mark.parametrize(
    "wrong",
    ["", "a", "a 1.5", "a -1", "a 12345", "a NaN", "a １２", "A 1", "a  1", "a 1\n", "__class__ 1", "a 1 2"],
)
def test_a_move_of_another_form_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no move"):
        parse_move(wrong)


def test_equal_figures_are_answered_too(dials: Dials) -> None:
    """The page waits for an answer before it tells the next move."""
    seen = []
    dials.observe(lambda change: seen.append(change["new"]), "figures")
    for _ in range(2):
        dials.answer({"dials": [200]})
    assert [answer["dials"] for answer in seen] == [[200], [200]]
    assert seen[0] != seen[1]


def test_the_browser_sets_nothing(dials: Dials) -> None:
    before = dials.get_state()
    dials.set_state({"figures": {"dials": [float("nan")]}, "html": "<img src=x>", "label": "x"})
    assert dials.get_state() == before
