"""The briefing says by which digests its figures can be checked, and where the model failed."""

from __future__ import annotations

from tests.exports.briefing.shown import briefed, table, words
from tests.meetings import bare_meeting, whole_meeting


def test_every_digest_that_is_told_is_the_runs() -> None:
    meeting = whole_meeting()
    assert meeting.loop is not None
    *files, ledger = table(briefed(), "校验码").rows
    assert files
    assert set(files) <= set(meeting.digests)
    assert ledger[1] == meeting.loop.head


def test_where_the_backtest_failed_is_told() -> None:
    backtest = whole_meeting().backtest
    assert backtest is not None
    shown = table(briefed(), "看得最安全却出险的").rows
    assert [row[0] for row in shown] == backtest.misses["unit_name"].head(10).tolist()
    assert "没有用往届数据回测" in words(briefed(bare_meeting).blocks)
