"""Streams of single events, which become facts and leads."""

from __future__ import annotations

from collections.abc import Mapping

from huanjie_lib.contracts.columns import TO_UNIT, ref, unit_code, word
from huanjie_lib.contracts.model import Column, Order, Table
from huanjie_lib.vocabulary import HotlineKind, LeadKind, PetitionKind, RollChange, Word

__all__ = ["EVENT_STREAMS"]


def _stream(name: str, label: str, note: str, happened: str, kinds: type[Word], *more: Column) -> Table:
    """Return the contract of an event stream: an id, a unit, a moment, a kind, and when it was recorded."""
    return Table(
        name,
        label,
        note,
        "risk",
        (
            ref(
                "event_id", "事件编号", "Id that the source system gave; every edition of an event bears it."
            ),
            unit_code(),
            Column(
                "happened_at",
                "moment",
                happened,
                note="When it happened; decides day and month.",
                required=True,
            ),
            word("kind", kinds, "类别", "What happened."),
            *more,
            Column(
                "recorded_at",
                "moment",
                "登记时间",
                note="When the source system wrote this edition; the latest edition of an event counts.",
                required=True,
            ),
        ),
        ("event_id", "recorded_at"),
        orders=(
            Order("happened_at", "recorded_at"),
            *(Order("happened_at", c.name) for c in more if c.kind == "moment"),
        ),
        references=(TO_UNIT,),
    )


EVENT_STREAMS: Mapping[str, Table] = {
    stream.name: stream
    for stream in (
        _stream(
            "petition_events",
            "信访事项",
            "One row per petition and edition; never who brought it.",
            "受理时间",
            PetitionKind,
            Column(
                "backlog_at",
                "moment",
                "列为积案时间",
                note="When it was listed as a case long pending; empty where it never was.",
            ),
            Column("closed_at", "moment", "办结时间", note="When it was closed; empty while pending."),
        ),
        _stream(
            "hotline_events",
            "12345热线工单",
            "One row per work order of the hotline and edition; never who called.",
            "来电时间",
            HotlineKind,
            ref("petition_id", "转办信访编号", "Petition that it was handed over as.", required=False),
        ),
        _stream(
            "lead_events",
            "线索举报",
            "One row per lead and edition; never the reporter.",
            "受理时间",
            LeadKind,
        ),
        _stream(
            "roll_events",
            "选民登记变动",
            "One row per change of a unit's voter roll and edition: how many electors, never which.",
            "变动时间",
            RollChange,
            Column(
                "electors", "integer", "选民人数", "人", "Electors.", required=True, minimum=0, maximum=60_000
            ),
        ),
    )
}
"""Streams of single events, which become ``facts`` and ``leads``; no data folder holds them."""
