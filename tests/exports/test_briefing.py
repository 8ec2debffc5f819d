"""The briefing tells the run's figures, whole or with its gaps told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest

from huanjie_lib.exports.briefing import (
    LANDSCAPE_MM,
    PORTRAIT_MM,
    Block,
    Briefing,
    Heading,
    Page,
    Picture,
    Table,
    Text,
    briefing_of,
)
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.meeting import Meeting, meeting_of
from huanjie_lib.views.words import number_text
from huanjie_lib.vocabulary import Level
from tests.meetings import bare_meeting, whole_briefing, whole_meeting


@cache
def briefed(make: Callable[[], Meeting] = whole_meeting) -> Briefing:
    return briefing_of(make())


def table(briefing: Briefing, title: str) -> Table:
    return next(b for b in briefing.blocks if isinstance(b, Table) and title in b.title)


def words(blocks: tuple[Block, ...]) -> str:
    return "\n".join(
        f"{block.lead}{block.text}" if isinstance(block, Text) else block.text
        for block in blocks
        if isinstance(block, Heading | Text)
    )


def test_tables_are_the_meetings() -> None:
    meeting, briefing = whole_meeting(), briefed()
    counts = {row[0][-2:]: row[1:] for row in table(briefing, "各等级村（社区）数量").rows}
    for row in meeting.counts.to_dict("records"):
        shown = counts[row["label"]]
        assert (shown[0], shown[2]) == (f"{row['count']:,}", f"{row['before']:,}")
        assert int(shown[3].replace("−", "-")) == row["change"]
        assert shown[1] == f"{100 * row['share']:.1f}%"
    league = table(briefing, "镇街排名").rows
    for shown, row in zip(league, meeting.league.to_dict("records"), strict=True):
        assert shown[1] == row["township_name"]
        assert [int(cell) for cell in shown[3:7]] == [row[n] for n in ("units", "red", "yellow", "green")]
        assert shown[7] == number_text(row["mean_index"])
    for shown, row in zip(
        table(briefing, "各项准入条件").rows, meeting.gates.to_dict("records"), strict=True
    ):
        assert shown[0] == row["gate"]
        assert [int(cell) for cell in shown[1:4]] == [row[n] for n in ("passed", "failed", "unknown")]


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


def test_no_missing_figure_is_printed_as_such_or_as_zero() -> None:
    for briefing in (briefed(), briefed(bare_meeting), whole_briefing()):
        for block in briefing.blocks:
            cells = [cell for row in block.rows for cell in row] if isinstance(block, Table) else []
            texts = [*cells, block.text] if isinstance(block, Heading | Text) else cells
            assert not [text for text in texts if text in ("nan", "None", "<NA>", "")]
            assert not [text for text in texts for word in ("nan", "None", "NaT", "<NA>") if word in text]


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


def test_colours_that_all_turn_red_are_told(small_run: Run) -> None:
    red = small_run.index.assign(level=Level.RED.value)
    briefing = briefing_of(meeting_of(dataclasses.replace(small_run, index=red)))
    into = table(briefing, "新转为红色的村（社区）")
    before = small_run.history[small_run.history["as_of"] == "2026-09-30"]
    assert len(into.rows) == (before["level"] != "red").sum()
    assert "=1+1村" in {row[0] for row in into.rows}


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
