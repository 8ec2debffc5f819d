"""The screen of casework and that of talent have one build: what is chosen, and a drawer of what is open."""

from __future__ import annotations

import datetime as dt
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import traitlets
from markupsafe import Markup

from huanjie_lib.screens.links import Linked, wrong_date
from huanjie_lib.screens.page import Screen, StateModel
from huanjie_lib.screens.panel import Panel, render, stylesheet

__all__ = ["DrawerView"]

logger = logging.getLogger(__name__)


class DrawerView(ABC):
    """Figures, tabs and filters, what the tab shows, and a drawer beside it.

    Parameters
    ----------
    model
        State of the screen.
    as_of
        Date of what is on view; a link to another date is told so.
    links
        Traits of the model by key of a link, see :class:`~huanjie_lib.screens.links.Linked`.
    work
        Accessible name of what the tab shows.
    drawer
        Panels of the drawer.
    preview
        Template of the still picture.
    css
        Stylesheets of the screen; each gives it a class of its name.

    Attributes
    ----------
    widget
        What a notebook displays.
    linked
        Joins the model to the address bar.
    """

    def __init__(
        self,
        model: StateModel,
        *,
        as_of: dt.date,
        links: Mapping[str, tuple[str, str]],
        work: str,
        drawer: Sequence[Panel],
        preview: str,
        css: Sequence[str],
    ) -> None:
        self._head = Panel("head", html=self._head_html())
        self._tiles = Panel("tiles", label="总数", html=self._tiles_html())
        self._filters = Panel("filters", html=self._filters_html())
        self._work = Panel("work", label=work, html=self._work_html())
        self._drawer = ipywidgets.Box(drawer)
        self._drawer.add_class("hj-drawer")
        panels = {"head": self._head, "tiles": self._tiles, "filters": self._filters, "work": self._work}
        for panel in (*panels.values(), *drawer):
            panel.on_action(self._act)
        self.linked = Linked(model, links, check=wrong_date(as_of))
        self.widget = Screen(
            [*panels.values(), self._drawer, self.linked.notice, self.linked.address],
            preview=render(preview, **{name: Markup(panel.html) for name, panel in panels.items()}),
            css=stylesheet(*css),
        )
        for name in ("screen", *(sheet.removesuffix(".css") for sheet in css)):
            self.widget.add_class(f"hj-{name}")

    @abstractmethod
    def _act(self, action: str, value: str) -> None:
        """Do what a control asks."""

    @abstractmethod
    def _head_html(self) -> Markup: ...

    @abstractmethod
    def _tiles_html(self) -> Markup: ...

    @abstractmethod
    def _filters_html(self) -> Markup: ...

    @abstractmethod
    def _work_html(self) -> Markup: ...

    def _attempt(self, actions: Mapping[str, Callable[[str], object]], action: str, value: str) -> None:
        """Do one of the actions; one that there is not, or that the model refuses, has no effect."""
        try:
            if action not in actions:
                raise traitlets.TraitError("no such action")
            actions[action](value)
        except traitlets.TraitError:
            logger.warning("a message of the page was refused: %s", action)

    def _draw_tiles(self, _: object) -> None:
        self._tiles.html = str(self._tiles_html())

    def _draw_filters(self, _: object) -> None:
        self._filters.html = str(self._filters_html())

    def _draw_work(self, _: object) -> None:
        self._work.html = str(self._work_html())
