"""The briefing is whole, its gaps told, its headings numbered and its tables on their pages."""

from __future__ import annotations

from itertools import pairwise

import pytest

from huanjie_lib.exports.briefing import LANDSCAPE_MM, PORTRAIT_MM, Heading, Page, Table, Text, section
from tests.exports.briefing.shown import briefed, table, words
from tests.meetings import bare_meeting, whole_briefing, whole_meeting


def test_a_run_alone_makes_a_whole_briefing_with_its_gaps_told() -> None:
    briefing = briefed(bare_meeting)
    told = words(briefing.blocks)
    for gap in (
        "没有更早一期的评估，变色情况不明",
        "没有审计、矛盾台账，审计覆盖、摸排覆盖情况不明",
        "没有案件台账，预警、派单、整改、复核、销号情况不明",
        "没有用往届数据回测，模型在哪里判断错误不明",
    ):
        assert gap in told
    whole = [b.text for b in briefed().blocks if isinstance(b, Heading) and b.level == 1]
    assert [b.text for b in briefing.blocks if isinstance(b, Heading) and b.level == 1] == whole
    counts = table(briefing, "各等级村（社区）数量")
    assert {row[3:] for row in counts.rows} == {("—", "—")}
    assert (
        "没有一村一策台账"
        in next(b for b in briefing.blocks if isinstance(b, Table) and not b.headings).rows[-1][1]
    )


def test_headings_are_numbered_without_gaps_and_never_end_a_part() -> None:
    blocks = briefed().blocks
    first = [b.text for b in blocks if isinstance(b, Heading) and b.level == 1]
    assert [text.split("、")[0] for text in first] == list("一二三四五六七")
    annexes = [b.text for b in blocks if isinstance(b, Heading) and b.level == 0]
    assert [text[:3] for text in annexes] == [f"附件{n}" for n in range(1, len(annexes) + 1)]
    for before, after in pairwise(blocks):
        if isinstance(before, Heading):
            assert not isinstance(after, Page)
            assert not isinstance(after, Heading) or after.level > before.level
    assert not isinstance(blocks[-1], Heading)


def test_tables_fit_their_pages_and_their_rows_their_columns() -> None:
    for briefing in (briefed(), briefed(bare_meeting), whole_briefing()):
        width = PORTRAIT_MM
        for block in briefing.blocks:
            if isinstance(block, Page):
                width = LANDSCAPE_MM if block.landscape else PORTRAIT_MM
            if isinstance(block, Table):
                assert sum(block.widths) <= width
                assert {len(row) for row in block.rows} <= {len(block.widths)}
                assert len(block.headings) in (0, len(block.widths))


def test_a_section_says_what_the_briefing_says_there() -> None:
    meeting, blocks = whole_meeting(), briefed().blocks
    for part, title in (("loop", "整改闭环"), ("wrong", "模型哪里可能看错"), ("asked", "提请会议研究的事项")):
        said = [block.text for block in section(meeting, part) if isinstance(block, Text)]
        first = next(i for i, b in enumerate(blocks) if isinstance(b, Heading) and b.text.endswith(title))
        whole = [block.text for block in blocks[first:] if isinstance(block, Text)]
        assert said
        assert whole[: len(said)] == said
    with pytest.raises(KeyError):
        section(meeting, "none")
