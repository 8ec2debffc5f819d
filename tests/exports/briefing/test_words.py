"""What is not known is a dash, and no figure is printed as a program has it."""

from __future__ import annotations

from huanjie_lib.exports.briefing import Heading, Table, Text
from huanjie_lib.exports.briefing.words import (
    days_text,
    flags_text,
    known_text,
    level_text,
    names_text,
    rate_text,
    ratio_text,
    signed_text,
)
from tests.exports.briefing.shown import briefed
from tests.meetings import bare_meeting, whole_briefing


def test_what_is_not_known_is_a_dash() -> None:
    for text in (known_text, signed_text, rate_text, ratio_text, days_text, level_text):
        assert {text(nothing) for nothing in (None, float("nan"))} == {"—"}
    assert (known_text(1234, "天"), signed_text(-3), rate_text(0.2), ratio_text(0.5)) == (
        "1,234天",
        "−3",
        "20.0%",
        "0.500",
    )
    assert (days_text(9), level_text("red")) == ("9.0个工作日", "红色")


def test_names_beyond_the_first_are_counted() -> None:
    assert names_text(["甲", "乙"], 2) == "甲、乙"
    assert names_text(["甲", "乙", "丙"], 2) == "甲、乙等3个"
    assert (flags_text(True, True), flags_text(False, False)) == ("待核实、颜色有争议", "")


def test_no_missing_figure_is_printed_as_such_or_as_zero() -> None:
    for briefing in (briefed(), briefed(bare_meeting), whole_briefing()):
        for block in briefing.blocks:
            cells = [cell for row in block.rows for cell in row] if isinstance(block, Table) else []
            texts = [*cells, block.text] if isinstance(block, Heading | Text) else cells
            assert not [text for text in texts if text in ("nan", "None", "<NA>", "")]
            assert not [text for text in texts for word in ("nan", "None", "NaT", "<NA>") if word in text]
