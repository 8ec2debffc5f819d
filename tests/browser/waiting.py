"""Waiting for what a page does, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page, WebSocket

from tests.kernel_messages import read

__all__ = ["LOOKED_AT_NO_MORE", "Talk", "at_rest", "drawn", "settled", "wait_until"]

LOOKED_AT_NO_MORE = "Object.defineProperty(document, 'visibilityState', { value: 'hidden' })"
"""Has a page stop looking at the ledger by itself: what others do is then news to whoever acts on it."""
PATIENCE_S = 60.0
_LOOK_MS = 100
_LONGEST_STATUS = 4096
_DRAWN = """async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise((done) => requestAnimationFrame(done));
}"""
_MOVING = ".leaflet-pan-anim, .leaflet-zoom-anim"
"""A map whose view is on its way has one of these; it notes the view when it has arrived."""


class Talk:
    """What a page asks of its kernels, and whether they have dealt with it.

    A test that acts on what the last press has brought about, and not merely on what it sees, waits for the
    end of the talk: a panel may be painted while others are still to come.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asked: set[str] = set()
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        self._asked.clear()  # a page that is loaded anew hears no more of what it asked before
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._asked.add(read(frame).number)

    def _received(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes) and len(frame) < _LONGEST_STATUS and (told := read(frame)).dealt_with:
            self._asked.discard(told.answers)

    def end(self) -> None:
        """Wait until the kernels have dealt with all that was asked of them, and it is on the page."""
        drawn(self._page)  # what was pressed last has been sent
        while self._asked:
            wait_until(self._page, "the kernel's answer", lambda: not self._asked)
            drawn(self._page)


def drawn(page: Page) -> None:
    """Wait until what has come to a page is painted, and what follows from it has begun."""
    page.evaluate(_DRAWN)


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
    surface, moving = page.locator(".hj-map-surface"), page.locator(_MOVING)

    def look() -> str:
        drawn(page)  # what has been set in motion moves by then
        wait_until(page, "a map at rest", lambda: moving.count() == 0)
        return str(surface.get_attribute("data-view"))

    return [float(part) for part in at_rest(page, look).split()]
