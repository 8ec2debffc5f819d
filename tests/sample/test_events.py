"""Streams of the synthetic city: the same every time, with no name in them, and as dirty as real ones."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.contracts import EVENT_STREAMS
from huanjie_lib.events.settings import EventSettings
from huanjie_lib.sample import make_city
from huanjie_lib.sample.events import make_events


def test_streams_are_equal_and_keep_their_contracts() -> None:
    city = make_city(units=60, people=100, snapshots=3)
    streams, declared = make_events(city)
    again, _ = make_events(make_city(units=60, people=100, snapshots=3))
    EventSettings.model_validate(declared)
    for name, frame in streams.items():
        pd.testing.assert_frame_equal(frame, again[name])
        assert list(frame.columns) == [c.name for c in EVENT_STREAMS[name].columns]
        assert frame["event_id"].duplicated().any()
        assert frame["kind"].isin([str(k) for k in EVENT_STREAMS[name].column("kind").words or ()]).all()
        assert (frame["recorded_at"] >= frame["happened_at"]).all()
    old = set(city.tables["crosswalk"].query("kind == 'renumber'")["old_code"])
    assert old & set(streams["petition_events"]["unit_code"])
