"""Where a screen stands, in the address bar, and where a link leads.

What stands behind the ``#`` of a page's address names the unit, township or tab that is open, so that the
browser's back button works and an address can be passed on. It is a message of the page like any other: each
value is checked by the model, and a link that leads nowhere is told, not ignored.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import anywidget
import traitlets

from huanjie_lib.screens.page import StateModel, alert
from huanjie_lib.screens.panel import Panel, render
from huanjie_lib.views.words import date_text

__all__ = ["AS_OF", "Address", "Linked", "wrong_date"]

AS_OF: Final = "as_of"
"""Key of a link that says from when the figures are that it leads to."""
LONGEST_LINK: Final = 300
_SHOWN: Final = 30
"""Characters of a value that the page repeats."""
_HERE: Final = Path(__file__).parent

logger = logging.getLogger(__name__)


class Address(anywidget.AnyWidget):
    """What stands behind the ``#`` in the address bar.

    Attributes
    ----------
    fragment : str
        Where the screen stands.
    """

    _esm = _HERE / "static" / "address.js"

    fragment = traitlets.Unicode("", read_only=True).tag(sync=True)

    def show(self, fragment: str) -> None:
        """Put where the screen stands into the address bar."""
        self.set_trait("fragment", fragment)

    def on_link(self, handler: Callable[[str], None]) -> None:
        """Call ``handler(fragment)`` when the page was opened by a link, or its viewer goes back or on."""

        def take(_: Address, content: object, __: object) -> None:
            told = content if isinstance(content, dict) else {}
            link, number = told.get("link"), told.get("number")
            if not (isinstance(link, str) and isinstance(number, int)):
                return
            try:
                handler(link)
            finally:  # the page follows the screen again only once its link is answered
                self.send({"taken": self.fragment, "number": number})

        self.on_msg(take)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Drop what the browser would set."""


class Linked:
    """Joins a model to the address bar, and tells what is wrong with a link.

    Parameters
    ----------
    model
        State of the screen.
    keys
        Trait of the model and what it is called in Chinese, by key of a link. What is missing from a link
        goes back to how the screen opens.
    check
        Returns what is wrong with the date of a link, empty for nothing.
    follow
        Called with what was set once a link was followed.
    """

    def __init__(
        self,
        model: StateModel,
        keys: Mapping[str, tuple[str, str]],
        *,
        check: Callable[[str], str],
        follow: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._model, self._keys, self._check = model, keys, check
        self._follow = follow
        self.address = Address()
        self.notice = Panel("notice")
        self.address.on_link(self._go)
        self.notice.on_action(self._close)
        model.observe(self._show, [trait for trait, _ in keys.values()])

    @property
    def fragment(self) -> str:
        """Where the screen stands."""
        told = {key: getattr(self._model, trait) for key, (trait, _) in self._keys.items()}
        return urlencode({key: value for key, value in told.items() if value != self._at_first(key)})

    def _at_first(self, key: str) -> Any:
        return self._model.traits()[self._keys[key][0]].default()

    def follow(self, link: str) -> None:
        """Go where a link leads, as far as it leads anywhere; say what is wrong with the rest."""
        if len(link) > LONGEST_LINK:
            self._tell([f"链接太长（{len(link):,}个字符），不能识别，本界面没有变动。"])
            return
        given = dict(parse_qsl(link, keep_blank_values=True))
        amiss = [f"链接中的“{key[:_SHOWN]}”不能识别。" for key in given if key not in {*self._keys, AS_OF}]
        if AS_OF in given and AS_OF not in self._keys:
            amiss.append(self._check(given[AS_OF]))
        state = {trait: self._at_first(key) for key, (trait, _) in self._keys.items()}
        for key, (trait, label) in self._keys.items():
            if key not in given:
                continue
            if self._model.accepts(trait, given[key]):
                state[trait] = given[key]
            elif key != AS_OF:
                amiss.append(
                    f"链接要打开的{label}“{given[key][:_SHOWN]}”不在本界面：可能写错，或不归本账号查看。"
                )
            else:
                amiss.append(self._check(given[key]))
        self._model.set_state(state)
        if self._follow is not None:
            self._follow(state)
        self._tell([line for line in amiss if line])

    def _go(self, link: str) -> None:
        try:
            self.follow(link)
        except Exception as error:  # noqa: BLE001 - nobody else would tell the viewer
            self.notice.html = str(render("notice.html.j2", lines=[], told=alert(error)))

    def _show(self, _: object) -> None:
        self.address.show(self.fragment)

    def _tell(self, lines: Sequence[str]) -> None:
        if lines:
            logger.warning("a link of the page leads nowhere, in part or as a whole")
        self.notice.html = str(render("notice.html.j2", lines=lines, told="")) if lines else ""

    def _close(self, action: str, _: str) -> None:
        if action == "close-notice":
            self._tell([])


def wrong_date(as_of: dt.date) -> Callable[[str], str]:
    """Return what tells whether a link is to figures of another date than a screen shows.

    Examples
    --------
    >>> check = wrong_date(dt.date(2026, 10, 31))
    >>> check("2026-10-31")
    ''
    >>> check("2026-09-30")
    '链接要看2026年9月30日的数据，本界面是2026年10月31日的数据。请以本界面的日期为准，或打开那一期的界面。'
    >>> check("昨天")
    '链接中的日期“昨天”不能识别，本界面是2026年10月31日的数据。'
    """

    def check(text: str) -> str:
        here = f"本界面是{date_text(as_of)}的数据"
        try:
            wanted = dt.date.fromisoformat(text)
        except ValueError:
            return f"链接中的日期“{text[:_SHOWN]}”不能识别，{here}。"
        if wanted == as_of:
            return ""
        return f"链接要看{date_text(wanted)}的数据，{here}。请以本界面的日期为准，或打开那一期的界面。"

    return check
