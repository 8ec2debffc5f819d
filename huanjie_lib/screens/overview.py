"""The leader's overview (一屏掌控): what the screen knows, what it shows, and its door.

:class:`OverviewModel` is the state: plain values, without a widget. :class:`OverviewView` draws it with
ipywidgets and feeds presses back. :func:`open_overview` joins both over the run folder named by
``HUANJIE_RUN`` and never raises: what goes wrong is shown with its remedy, or with an error number whose
details are in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import ipywidgets
import pandas as pd
import traitlets
from markupsafe import Markup

from huanjie_lib.screens.page import RunModel, Screen, city_map, guarded, open_screen
from huanjie_lib.screens.panel import STYLE, Panel, render
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import charts, summary, tables
from huanjie_lib.views.words import ADMISSION, count_text, date_text, number_text
from huanjie_lib.vocabulary import GateStatus, Level, Topic

__all__ = ["OverviewModel", "OverviewView", "open_overview"]

TITLE: Final = "村（社区）换届选情总览"
TABS: Final = {
    "picture": "总体态势",
    "league": "镇街排名",
    "gates": "准入进度",
    "trend": "走势",
    "freshness": "数据体检",
}
SECTIONS: Final = {"losses": "扣分明细", "readings": "研判", "gates": "准入条件"}
ORDERS: Final = {"risk": "平均指数", "red": "红色最多", "admitted": "准入最少"}
TO_VERIFY: Final = "to_verify"
DISPUTED: Final = "contested"
ADMITTED: Final = "admitted"
GROUPS: Final = {
    **{level.value: f"{level.label}村（社区）" for level in Level},
    TO_VERIFY: "待核实的村（社区）",
    DISPUTED: "颜色有争议的村（社区）",
    ADMITTED: "准入清单（可启动换届）",
}
INCIDENTS: Final = frozenset({"audit_problems", "disputes", "leads"})
"""Sources that record what has happened: a unit without a row has had nothing to report."""
MATCHES_SHOWN: Final = 8
LISTED: Final = 300
SNAPSHOTS_LISTED: Final = 12
HISTORY_HEIGHT: Final = 164.0
WORDS: Final = {"number": number_text, "count": count_text, "date": date_text, "Level": Level, "Topic": Topic}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """Units under a heading (of one township or not): the rows shown, worst first, of ``total``."""

    title: str
    township: bool
    rows: tuple[dict[str, Any], ...]
    total: int


class OverviewModel(RunModel):
    """What the viewer has chosen, checked against the run.

    Parameters
    ----------
    run
        The run on view.

    Attributes
    ----------
    tab : str
        Tab of the side panel, a key of ``TABS``.
    order : str
        Order of the township league, a key of ``ORDERS``.
    group : str
        Group of units listed, a key of ``GROUPS``; empty for none.
    township : str
        Code of the township listed; empty for none. A group and a township exclude each other.
    unit : str
        Code of the unit whose profile is open; empty for none.
    section : str
        Section of the profile, a key of ``SECTIONS``.
    query : str
        What stands in the search field.

    Examples
    --------
    Setting what the run does not have is refused::

        model.unit = "000000000000"  # traitlets.TraitError
    """

    tab = traitlets.Enum(tuple(TABS), "picture")
    order = traitlets.Enum(tuple(ORDERS), "risk")
    group = traitlets.Enum(("", *GROUPS), "")
    township = traitlets.Unicode("")
    section = traitlets.Enum(tuple(SECTIONS), "losses")
    query = traitlets.Unicode("")

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._townships = dict(zip(run.units["township_code"], run.units["township_name"], strict=True))

    def reset(self) -> None:
        """Go back to how the screen opens."""
        self.set_state({name: str(trait.default()) for name, trait in self.traits().items()})

    def positions(self) -> list[int]:
        """Positions of the chosen township's units in ``run.units``; none when none is chosen."""
        if not self.township:
            return []
        return [int(i) for i in (self.run.units["township_code"] == self.township).to_numpy().nonzero()[0]]

    @cached_property
    def units(self) -> pd.DataFrame:
        """The working list: every unit, the most urgent first."""
        return tables.working_list(self.run)

    @cached_property
    def overview(self) -> summary.Overview:
        """Figures of the head."""
        return summary.overview(self.run)

    @cached_property
    def trend(self) -> pd.DataFrame:
        """Counts by colour at every snapshot, oldest first."""
        return tables.trend(self.run)

    @cached_property
    def _league(self) -> pd.DataFrame:
        return tables.township_league(self.run)

    def league(self) -> list[dict[str, Any]]:
        """Return the townships in the chosen order."""
        frame = self._league
        if self.order == "red":
            frame = frame.sort_values(["red", "mean_index"], ascending=[False, True], kind="stable")
        elif self.order == "admitted":
            frame = frame.sort_values(["admitted_share", "mean_index"], kind="stable")
        return _records(frame)

    def listing(self) -> Listing | None:
        """Return the units of the chosen township or group, worst first; ``None`` when none is chosen."""
        frame = self.units
        if self.township:
            title = self._townships[self.township]
            frame = frame[frame["township_code"] == self.township]
        elif self.group:
            title = GROUPS[self.group]
            if self.group in {TO_VERIFY, DISPUTED}:
                frame = frame[frame[self.group]]
            elif self.group == ADMITTED:
                frame = frame[frame["admission"] == GateStatus.PASS.value]
            else:
                frame = frame[frame["level"] == self.group]
        else:
            return None
        return Listing(title, bool(self.township), tuple(_records(frame.head(LISTED))), len(frame))

    def matches(self) -> Listing | None:
        """Return the units whose name contains or whose code starts with the query; ``None`` without one."""
        query = self.query.strip()
        if not query:
            return None
        frame = self.units
        named = frame["unit_name"].str.contains(query, regex=False)
        frame = frame[named | frame["unit_code"].str.startswith(query)]
        return Listing(query, False, tuple(_records(frame.head(MATCHES_SHOWN))), len(frame))

    def profile(self) -> summary.UnitProfile | None:
        """Return the profile of the open unit; ``None`` for none."""
        return summary.unit_profile(self.run, self.unit) if self.unit else None

    @traitlets.validate("township")
    def _check_township(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in self._townships:
            raise traitlets.TraitError("no such township")
        return str(proposal["value"])


class OverviewView:
    """The screen: map, figures and side panel, drawn from a model.

    Attributes
    ----------
    widget
        What a notebook displays.
    map
        The live map.
    """

    def __init__(self, model: OverviewModel) -> None:
        self.model = model
        lines = tables.hover_lines(model.run)
        self.map = city_map(
            model.run,
            title="三色预警图",
            levels=tables.level_bytes(model.run),
            names=[unit[0] for unit in lines],
            hovers=[unit[1:] for unit in lines],
        )
        self._head = Panel("head", html=self._head_html())
        self._search = Panel("search", html=render("search.html.j2"))
        self._matches = Panel("matches")
        self._tiles = Panel("tiles", label="总数", html=self._tiles_html())
        self._side = Panel("side", label="详情", html=self._side_html())
        panels = [self._head, self._search, self._matches, self._tiles, self._side]
        for panel in panels:
            panel.on_action(self._act)
        self.widget = Screen([*panels[:4], self.map, self._side], preview=self._preview_html())
        self.widget.add_class("hj-screen")
        self.widget.add_class("hj-overview")
        model.observe(self._draw_side, ["tab", "order", "group", "township", "unit", "section"])
        model.observe(self._draw_tiles, ["group"])
        model.observe(self._draw_matches, ["query"])
        model.observe(self._show_on_map, ["unit"])
        self.map.observe(self._take_from_map, ["selected"])

    def _act(self, action: str, value: str) -> None:
        """Do what a button asks; what the model refuses has no effect."""
        actions: dict[str, Callable[[str], dict[str, str]]] = {
            "tab": lambda v: {"tab": v, "group": "", "township": "", "unit": ""},
            "order": lambda v: {"order": v},
            "group": lambda v: {"group": v, "township": "", "unit": ""},
            "township": lambda v: {"township": v, "group": "", "unit": ""},
            "unit": lambda v: {"unit": v, "section": "losses", "query": ""},
            "section": lambda v: {"section": v},
            "search": lambda v: {"query": v},
            "back": lambda _: {"unit": ""},
            "home": lambda _: {"unit": "", "group": "", "township": ""},
        }
        with guarded(self._side):
            try:
                self.model.set_state(actions[action](value))
            except (KeyError, traitlets.TraitError):
                logger.warning("a message of the page was refused: %s", action)
                return
            if action in {"tab", "group", "township", "back", "home"}:
                self.map.show(self.model.positions())

    def _take_from_map(self, change: dict[str, Any]) -> None:
        with guarded(self._side):
            code = self.model.code_at(change["new"])
            if code != self.model.unit:
                self.model.set_state({"unit": code, "section": "losses"})

    def _show_on_map(self, _: object) -> None:
        self.map.selected = self.model.position

    def _draw_side(self, _: object) -> None:
        self._side.html = str(self._side_html())
        (self.widget.add_class if self.model.unit else self.widget.remove_class)("hj-wide")

    def _draw_tiles(self, _: object) -> None:
        self._tiles.html = str(self._tiles_html())

    def _draw_matches(self, _: object) -> None:
        self._matches.html = str(render("matches.html.j2", found=self.model.matches(), **WORDS))

    def _head_html(self) -> Markup:
        view = self.model.overview
        return render(
            "head.html.j2",
            title=TITLE,
            view=view,
            levels=tuple(Level),
            due=[source for source in view.freshness if source.source not in INCIDENTS],
            **WORDS,
        )

    def _tiles_html(self) -> Markup:
        return render("tiles.html.j2", view=self.model.overview, chosen=self.model.group, **WORDS)

    def _side_html(self) -> Markup:
        model = self.model
        profile, listing = model.profile(), model.listing()
        if profile is not None:
            return render(
                "profile.html.j2",
                unit=profile,
                verdict=ADMISSION.get(profile.admission or "", ""),
                listing=listing,
                radar=Markup(charts.radar_svg(profile)),
                history=Markup(charts.history_svg(profile, height=HISTORY_HEIGHT)),
                sections=SECTIONS,
                section=model.section,
                **WORDS,
            )
        if listing is not None:
            return render("listing.html.j2", listing=listing, **WORDS)
        return render("side.html.j2", tabs=TABS, tab=model.tab, content=self._tab_html(model.tab))

    def _preview_html(self) -> Markup:
        return render(
            "preview.html.j2",
            css=Markup(STYLE.read_text(encoding="utf-8")),
            head=Markup(self._head.html),
            search=Markup(self._search.html),
            tiles=Markup(self._tiles.html),
            side=Markup(self._side.html),
        )

    def _tab_html(self, tab: str) -> Markup:
        view = self.model.overview
        values: dict[str, Any] = {}
        if tab in {"picture", "trend"}:
            trend = self.model.trend
            values["chart"] = Markup(charts.trend_svg(trend))
            values["rows"] = _records(trend.tail(SNAPSHOTS_LISTED).iloc[::-1])
        elif tab == "league":
            values = {"rows": self.model.league(), "orders": ORDERS, "order": self.model.order}
        elif tab == "gates":
            values["rows"] = _records(tables.gate_progress(self.model.run))
        elif tab == "freshness":
            values = {"manifest": self.model.run.manifest, "incidents": INCIDENTS}
        return render(f"{tab}.html.j2", view=view, **values, **WORDS)


def open_overview(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the overview of a run folder, or an alert; see :func:`~huanjie_lib.screens.page.open_screen`."""
    return open_screen(lambda found: OverviewView(OverviewModel(found)).widget, run)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dictionaries of plain values, ``None`` where missing."""
    return [
        {str(name): None if value is pd.NA or value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
