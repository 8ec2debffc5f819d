"""Every red unit is told."""

from __future__ import annotations

from huanjie_lib.exports.briefing import Heading, Table
from huanjie_lib.views.words import number_text
from tests.exports.briefing.shown import briefed, table
from tests.meetings import whole_briefing, whole_meeting


def test_every_red_unit_is_told_with_reasons_gates_and_measures() -> None:
    meeting, briefing = whole_meeting(), briefed()
    cards = [b for b in briefing.blocks if isinstance(b, Table) and not b.headings]
    titles = [b.text for b in briefing.blocks if isinstance(b, Heading) and "选情指数" in b.text]
    assert len(cards) == len(titles) == min(len(meeting.reds), 12) > 0
    for unit, title, card in zip(meeting.reds, titles, cards, strict=False):
        said = dict(card.rows)
        assert unit.unit_name in title
        assert number_text(unit.index) in title
        assert all(reason in said["扣分原因"] for reason in unit.reasons)
        assert all(gate.label in said["未过准入条件"] for gate in unit.gates or ())
        assert all(step in said["转色措施"] for step in unit.steps[:6])
    many = whole_briefing()
    annex = table(many, f"全部红色村（社区）{len(many.meeting.reds)}个")
    assert [row[0] for row in annex.rows] == [str(unit.order) for unit in many.meeting.reds]
