"""Gates and cases are told with the meeting's figures."""

from __future__ import annotations

import dataclasses

from huanjie_lib.exports.briefing import briefing_of
from tests.exports.briefing.shown import briefed, table, words
from tests.meetings import whole_meeting


def test_gates_are_the_meetings() -> None:
    meeting, briefing = whole_meeting(), briefed()
    for shown, row in zip(
        table(briefing, "各项准入条件").rows, meeting.gates.to_dict("records"), strict=True
    ):
        assert shown[0] == row["gate"]
        assert [int(cell) for cell in shown[1:4]] == [row[n] for n in ("passed", "failed", "unknown")]


def test_closed_cases_are_told_with_their_shares() -> None:
    meeting = whole_meeting()
    assert meeting.loop is not None
    assert "还没有销号的案件。" in words(briefed().blocks)
    figures = meeting.loop.figures
    shares = {"on_time_share": 0.75, "reopen_rate": 0.125, "return_rate": float("nan")}
    first = figures.table.index == 0
    table = figures.table.assign(
        **{
            name: figures.table[name].mask(first, value)
            for name, value in {"closed": 8, "cycle_median": 9.0, **shares}.items()
        }
    )
    loop = dataclasses.replace(meeting.loop, figures=dataclasses.replace(figures, table=table))
    told = words(briefing_of(dataclasses.replace(meeting, loop=loop)).blocks)
    assert "已销号8件，从预警到销号的中位数为9.0个工作日，按期率75.0%，重开率12.5%，退回率—" in told
    assert "（销号的案件少，仅供参考）" in told
