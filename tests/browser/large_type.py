"""What large type may do to a screen: make it longer, and never lay one thing over another."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.waiting import settled

__all__ = ["EXTENT", "cuts_nothing"]

EXTENT = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
_SIZES = ((1280, 720), (911, 512))
"""Width and height; 911 is what 1366 leaves at 150 %."""


def cuts_nothing(page: Page, cut: str, *, above: str, below: str) -> None:
    """Check that nothing is cut or lies beside the window, and that one part ends above another.

    ``cut`` is the script that returns what is cut; ``above`` and ``below`` are classes of parts of a screen,
    which lie one under the other at the smallest size.
    """
    for width, height in _SIZES:
        page.set_viewport_size({"width": width, "height": height})
        settled(page)
        assert page.evaluate(cut) == []
        assert page.evaluate(EXTENT)[0] == width
    upper, lower = (
        page.locator(f".hj-screen:not(.hj-preview) > .{name}").bounding_box() for name in (above, below)
    )
    assert upper is not None
    assert lower is not None
    assert upper["y"] + upper["height"] <= lower["y"]
