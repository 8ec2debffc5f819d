"""The leader's overview (一屏掌控): what the screen knows, what it shows, and its door.

:class:`OverviewModel` is the state: plain values, without a widget. :class:`OverviewView` draws it with
ipywidgets and feeds presses back. :func:`open_overview` joins both over the run folder named by
``HUANJIE_RUN`` and never raises: what goes wrong is shown with its remedy, or with an error number whose
details are in the log.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import ipywidgets
import pandas as pd
import traitlets
from markupsafe import Markup

from huanjie_lib.screens.links import AS_OF, Linked
from huanjie_lib.screens.page import RunModel, Screen, city_map, guarded, head, open_screen
from huanjie_lib.screens.panel import Panel, render, stylesheet
from huanjie_lib.screens.site import Site
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
MATCHES_SHOWN: Final = 8
LISTED: Final = 300
SNAPSHOTS_LISTED: Final = 12
LINKS: Final = {
    "unit": ("unit", "村（社区）"),
    "township": ("township", "镇街"),
    "list": ("group", "名单"),
    "tab": ("tab", "栏目"),
    AS_OF: ("as_of", "日期"),
}
"""What a link may lead to: trait and name by key."""
HISTORY_HEIGHT: Final = 164.0
WORDS: Final = {"number": number_text, "count": count_text, "date": date_text, "Level": Level, "Topic": Topic}

_BY_URGENCY: Final = (Level.RED, Level.YELLOW, Level.GREEN, Level.UNKNOWN)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """Units under a heading (of one township or not): the rows shown, worst first, of ``total``.

    ``then`` is the date of an earlier snapshot that the rows are of; ``None`` for the figures of the run.
    """

    title: str
    township: bool
    rows: tuple[dict[str, Any], ...]
    total: int
    then: dt.date | None = None


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
    as_of : str
        Date (ISO) of an earlier snapshot whose colours and counts are shown; empty for those of the run.

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
    as_of = traitlets.Unicode("")

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

    @property
    def then(self) -> dt.date | None:
        """Date of the earlier snapshot that is shown; ``None`` for the figures of the run."""
        return dt.date.fromisoformat(self.as_of) if self.as_of else None

    @cached_property
    def _earlier(self) -> dict[str, pd.DataFrame]:
        """Earlier snapshots by ISO date."""
        found = tables.snapshots(self.run)
        found = found[found["as_of"] < pd.Timestamp(self.run.as_of)]
        return {f"{day:%Y-%m-%d}": part.set_index("unit_code") for day, part in found.groupby("as_of")}

    def snapshot(self) -> pd.DataFrame:
        """Return index, level and to_verify of the snapshot that is shown, in the order of ``run.units``.

        A unit that the snapshot does not have is without data.
        """
        frame = self._earlier[self.as_of] if self.as_of else self.run.index.set_index("unit_code")
        frame = frame.reindex(self.run.units["unit_code"])[["index", "level", "to_verify"]]
        frame["level"] = frame["level"].fillna(Level.UNKNOWN.value)
        frame["to_verify"] = frame["to_verify"].fillna(value=False).astype("bool")
        return frame

    def levels(self) -> bytes:
        """Return one byte a unit for the map, of the snapshot that is shown."""
        if not self.as_of:
            return tables.level_bytes(self.run)
        frame = self.snapshot()
        codes = frame["level"].map({level.value: level.code for level in Level})
        return (codes + frame["to_verify"] * tables.VERIFY_CODE).to_numpy(dtype="uint8").tobytes()

    def hovers(self) -> list[tuple[str, ...]]:
        """Return what the map says of each unit, below its name."""
        lines = [unit[1:] for unit in tables.hover_lines(self.run)]
        if self.then is None:
            return lines
        when = date_text(self.then)
        return [(f"{when}选情指数 {number_text(index)}",) for index in self.snapshot()["index"]]

    @cached_property
    def _newest(self) -> pd.DataFrame:
        return tables.working_list(self.run)

    @property
    def units(self) -> pd.DataFrame:
        """The working list: every unit, the most urgent first; of an earlier snapshot without reasons."""
        if not self.as_of:
            return self._newest
        then = self.snapshot()
        codes = self._newest["unit_code"]
        frame = self._newest.assign(
            index=then["index"].reindex(codes).to_numpy(),
            level=then["level"].reindex(codes).to_numpy(),
            to_verify=then["to_verify"].reindex(codes).to_numpy(),
            change=float("nan"),
            contested=False,
            reason_1=None,
        )
        order = {level.value: place for place, level in enumerate(_BY_URGENCY)}
        keys = frame["level"].map(order)
        return frame.assign(urgency=keys).sort_values(["urgency", "index", "unit_code"], kind="stable")

    def counted(self) -> summary.Overview:
        """Return the figures of the head, of the snapshot that is shown."""
        view = self.overview
        if self.then is None:
            return view
        dates = list(self.trend["as_of"])
        at = dates.index(pd.Timestamp(self.then))
        row, before = self.trend.iloc[at], self.trend.iloc[at - 1] if at else None
        levels = tuple(
            replace(
                item,
                count=int(row[item.level.value]),
                change=None if before is None else int(row[item.level.value] - before[item.level.value]),
            )
            for item in view.levels
        )
        return replace(
            view,
            levels=levels,
            to_verify=int(row["to_verify"]),
            to_verify_change=None if before is None else int(row["to_verify"] - before["to_verify"]),
            contested=0,
            admission=None,
            mean_index=float(row["mean_index"]),
        )

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
        rows = tuple(_records(frame.head(LISTED)))
        return Listing(title, bool(self.township), rows, len(frame), self.then)

    def matches(self) -> Listing | None:
        """Return the units whose name contains or whose code starts with the query; ``None`` without one."""
        query = self.query.strip()
        if not query:
            return None
        frame = self._newest
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

    @traitlets.validate("as_of")
    def _check_as_of(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"])
        if value == self.run.as_of.isoformat():
            return ""
        if value and value not in self._earlier:
            raise traitlets.TraitError("no such snapshot")
        return value

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """Dates of all snapshots, oldest first, the run's own last."""
        return (*map(dt.date.fromisoformat, sorted(self._earlier)), self.run.as_of)


class OverviewView:
    """The screen: map, figures and side panel, drawn from a model.

    Attributes
    ----------
    widget
        What a notebook displays.
    map
        The live map.
    """

    def __init__(self, model: OverviewModel, site: Site | None = None) -> None:
        self.model, self.site = model, site or Site()
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
        self._matches = Panel("matches", html=self._matches_html())
        self._tiles = Panel("tiles", label="总数", html=self._tiles_html())
        self._side = Panel("side", label="详情", html=self._side_html())
        panels = [self._head, self._search, self._matches, self._tiles, self._side]
        for panel in panels:
            panel.on_action(self._act)
        self.linked = Linked(model, LINKS, check=self._wrong_date, follow=self._followed)
        self.widget = Screen(
            [*panels[:4], self.map, self._side, self.linked.notice, self.linked.address],
            preview=self._preview_html(),
            css=stylesheet("overview.css"),
        )
        self.widget.add_class("hj-screen")
        self.widget.add_class("hj-overview")
        model.observe(self._draw_side, ["tab", "order", "group", "township", "unit", "section", "as_of"])
        model.observe(self._draw_tiles, ["group", "as_of"])
        model.observe(self._draw_map, ["as_of"])
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
            "as_of": lambda v: {"as_of": v, "unit": ""},
        }
        with guarded(self._side):
            try:
                self.model.set_state(actions[action](value))
            except (KeyError, traitlets.TraitError):
                logger.warning("a message of the page was refused: %s", action)
                return
            if action in {"tab", "group", "township", "back", "home"}:
                self.map.show(self.model.positions())

    def _followed(self, state: Mapping[str, Any]) -> None:
        """Bring into view what a link has led to."""
        if state["unit"]:
            self.model.section = "losses"
        else:
            self.map.show(self.model.positions())

    def _wrong_date(self, text: str) -> str:
        dates = self.model.dates
        return (
            f"没有“{text[:10]}”这一天的快照；本界面有{date_text(dates[0])}到{date_text(dates[-1])}的 "
            f"{len(dates)} 期，在“走势”中选择。"
        )

    def _draw_map(self, _: object) -> None:
        then = self.model.then
        self.map.set_levels(self.model.levels())
        self.map.set_hovers(self.model.hovers())
        self.map.as_of = "" if then is None else date_text(then)

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
        self._matches.html = str(self._matches_html())

    def _matches_html(self) -> Markup:
        return render("matches.html.j2", found=self.model.matches(), **WORDS)

    def _head_html(self) -> Markup:
        view = self.model.overview
        due = [source.covered_share for source in view.freshness if source.due]
        before = view.previous_as_of
        return head(
            "overview",
            title=TITLE,
            as_of=view.as_of,
            site=self.site,
            notes=(f"上期 {date_text(before)}" if before else "",),
            badge={"lowest": min(due)} if due else None,
        )

    def _tiles_html(self) -> Markup:
        return render("tiles.html.j2", view=self.model.counted(), chosen=self.model.group, **WORDS)

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
                ways=self._ways(profile),
                **WORDS,
            )
        if listing is not None:
            return render("listing.html.j2", listing=listing, **WORDS)
        return render(
            "side.html.j2",
            tabs=TABS,
            tab=model.tab,
            then=model.then,
            content=self._tab_html(model.tab),
            **WORDS,
        )

    def _ways(self, unit: summary.UnitProfile) -> list[dict[str, str]]:
        """Return the links from a unit's profile to what the other screens have of it."""
        place = {"unit": unit.unit_code, AS_OF: self.model.run.as_of.isoformat()}
        plan = "、一村一策" if unit.level is Level.RED else ""
        ways = {
            f"整改案件{plan}": self.site.to("casework", **place),
            "岗位人选": self.site.to("talent", **place),
            "权重试算": self.site.to("what_if", **place),
        }
        return [{"label": label, "address": address} for label, address in ways.items() if address]

    def _preview_html(self) -> Markup:
        return render(
            "preview.html.j2",
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
            values["then"] = self.model.then
        elif tab == "league":
            values = {"rows": self.model.league(), "orders": ORDERS, "order": self.model.order}
        elif tab == "gates":
            values["rows"] = _records(tables.gate_progress(self.model.run))
        elif tab == "freshness":
            values = {"manifest": self.model.run.manifest}
        return render(f"{tab}.html.j2", view=view, **values, **WORDS)


def open_overview(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the overview of a run folder, or an alert; see :func:`~huanjie_lib.screens.page.open_screen`."""
    return open_screen(lambda found: OverviewView(OverviewModel(found), Site.from_environment()).widget, run)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dictionaries of plain values, ``None`` where missing."""
    return [
        {str(name): None if value is pd.NA or value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
