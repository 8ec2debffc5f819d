"""Waiting for what a page does, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page

__all__ = ["at_rest", "settled", "wait_until"]

PATIENCE_S = 60.0
_LOOK_MS = 100


def wait_until(page: Page, what: str, happened: Callable[[], bool]) -> None:
    """Wait until something is so; fail after :data:`PATIENCE_S`."""
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until, f"did not come about: {what}"
        page.wait_for_timeout(_LOOK_MS)


def at_rest(page: Page, look: Callable[[], str], *, times: int = 3, every_ms: int = _LOOK_MS) -> str:
    """Return what looks at something find, once some in a row have found the same."""
    found = [look()]
    while len(found) < times or len(set(found[-times:])) > 1:
        page.wait_for_timeout(every_ms)
        found.append(look())
    return found[-1]


def settled(page: Page) -> list[float]:
    """Return longitude, latitude and zoom of the live map once it has come to rest."""
    surface = page.locator(".hj-map-surface")
    view = at_rest(page, lambda: str(surface.get_attribute("data-view")), times=6)
    return [float(part) for part in view.split()]
