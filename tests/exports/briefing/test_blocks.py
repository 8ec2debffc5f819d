"""A briefing explains itself and finds its tables."""

from __future__ import annotations

import pytest

from huanjie_lib.exports.briefing import Heading, Picture, Table, Text
from tests.exports.briefing.shown import briefed, table


def test_it_explains_itself() -> None:
    assert repr(briefed()).startswith("Briefing('全市村（社区）“两委”换届选情汇报', as_of=2026-10-31")


def test_its_outline_counts_every_block_and_tables_are_found_by_title() -> None:
    briefing = briefed()
    outline, blocks = briefing.outline(), briefing.blocks
    assert [text.strip() for text in outline["标题"]] == [b.text for b in blocks if isinstance(b, Heading)]
    first = next(i for i, block in enumerate(blocks) if isinstance(block, Heading))
    for name, kind in (("段落", Text), ("表", Table), ("图", Picture)):
        assert outline[name].sum() == sum(isinstance(block, kind) for block in blocks[first:])
    found, shown = table(briefing, "各等级村（社区）数量"), briefing.table("各等级村（社区）数量")
    assert list(shown.columns) == list(found.headings)
    assert [tuple(row) for row in shown.to_numpy()] == list(found.rows)
    with pytest.raises(KeyError, match="没有这张表"):
        briefing.table("没有这张表")
