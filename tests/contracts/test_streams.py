"""Every edition of an event has an id, a unit, a moment and when it was recorded; nobody is in it."""

from __future__ import annotations

from huanjie_lib.contracts import EVENT_STREAMS, TABLES


def test_every_stream_has_what_an_event_needs() -> None:
    for name, stream in EVENT_STREAMS.items():
        assert stream.name == name
        assert stream.key == ("event_id", "recorded_at")
        assert stream.names[:4] == ("event_id", "unit_code", "happened_at", "kind")
        moments = [c.name for c in stream.columns if c.kind == "moment"]
        assert {(rule.earlier, rule.later) for rule in stream.orders} == {
            ("happened_at", later) for later in moments if later != "happened_at"
        }
        assert not stream.personal


def test_no_data_folder_holds_a_stream() -> None:
    assert set(EVENT_STREAMS).isdisjoint(TABLES)
