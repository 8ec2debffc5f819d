"""The league is the meeting's; a township's own meeting tells of its units alone."""

from __future__ import annotations

from huanjie_lib.exports.briefing import Table, briefing_of
from huanjie_lib.views.words import number_text
from tests.exports.briefing.shown import briefed, table, words
from tests.meetings import whole_meeting


def test_the_league_is_the_meetings() -> None:
    meeting, briefing = whole_meeting(), briefed()
    league = table(briefing, "镇街排名").rows
    for shown, row in zip(league, meeting.league.to_dict("records"), strict=True):
        assert shown[1] == row["township_name"]
        assert [int(cell) for cell in shown[3:7]] == [row[n] for n in ("units", "red", "yellow", "green")]
        assert shown[7] == number_text(row["mean_index"])


def test_a_township_pack_lists_all_its_units() -> None:
    code = str(whole_meeting().league["township_code"].iloc[0])
    meeting = whole_meeting(code)
    briefing = briefing_of(meeting)
    assert briefing.title == f"{meeting.area}村（社区）“两委”换届选情汇报"
    rows = table(briefing, "全部村（社区）").rows
    assert [row[1] for row in rows] == meeting.units["unit_name"].tolist()
    others = set(whole_meeting().league["township_name"]) - {meeting.area}
    said = [
        cell for block in briefing.blocks if isinstance(block, Table) for row in block.rows for cell in row
    ]
    for name in others:
        assert name not in words(briefing.blocks)
        assert not [cell for cell in said if name in cell]
