"""Streams of single events to facts by unit and month, on whichever engine holds them."""

from huanjie_lib.events.aggregate import EventAccount, aggregate_events
from huanjie_lib.events.engines import open_engine
from huanjie_lib.events.folder import EventFiles, load_events
from huanjie_lib.events.settings import EventSettings, read_settings

__all__ = [
    "EventAccount",
    "EventFiles",
    "EventSettings",
    "aggregate_events",
    "load_events",
    "open_engine",
    "read_settings",
]
