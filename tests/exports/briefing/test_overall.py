"""The counts of colours are the meeting's, and who turned red is told."""

from __future__ import annotations

import dataclasses

from huanjie_lib.exports.briefing import briefing_of
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.meeting import meeting_of
from huanjie_lib.vocabulary import Level
from tests.exports.briefing.shown import briefed, table
from tests.meetings import whole_meeting


def test_counts_are_the_meetings() -> None:
    meeting, briefing = whole_meeting(), briefed()
    counts = {row[0][-2:]: row[1:] for row in table(briefing, "各等级村（社区）数量").rows}
    for row in meeting.counts.to_dict("records"):
        shown = counts[row["label"]]
        assert (shown[0], shown[2]) == (f"{row['count']:,}", f"{row['before']:,}")
        assert int(shown[3].replace("−", "-")) == row["change"]
        assert shown[1] == f"{100 * row['share']:.1f}%"


def test_colours_that_all_turn_red_are_told(small_run: Run) -> None:
    red = small_run.index.assign(level=Level.RED.value)
    briefing = briefing_of(meeting_of(dataclasses.replace(small_run, index=red)))
    into = table(briefing, "新转为红色的村（社区）")
    before = small_run.history[small_run.history["as_of"] == "2026-09-30"]
    assert len(into.rows) == (before["level"] != "red").sum()
    assert "=1+1村" in {row[0] for row in into.rows}
