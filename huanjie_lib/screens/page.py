"""What all screens share: state over a run, the map, the frame around their widgets, alerts, and the door."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets
from markupsafe import Markup

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import Fault, HuanjieError, UsageError
from huanjie_lib.screens.cuts import RUN_VARIABLE
from huanjie_lib.screens.live_map import LiveMap
from huanjie_lib.screens.panel import Panel, Style, render, stylesheet
from huanjie_lib.screens.site import Site
from huanjie_lib.store.run_folder import Run, read_run
from huanjie_lib.views.geometry import encode_geometry
from huanjie_lib.views.shapes import group_unions
from huanjie_lib.views.words import date_text
from huanjie_lib.vocabulary import Role

__all__ = [
    "RunModel",
    "Screen",
    "StateModel",
    "actor_of",
    "alert",
    "city_map",
    "from_environment",
    "guarded",
    "head",
    "open_screen",
    "shown",
]

logger = logging.getLogger(__name__)


class StateModel(traitlets.HasTraits):
    """What a viewer has chosen, as plain values."""

    def get_state(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {name: getattr(self, name) for name in self.trait_names()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take a state from :meth:`get_state`; all of it or, when one value is refused, nothing.

        Raises
        ------
        traitlets.TraitError
            A value that does not fit what is on view or another value.
        """
        with self.hold_trait_notifications():
            for name, value in state.items():
                self.set_trait(name, value)

    def accepts(self, name: str, value: Any) -> bool:
        """Tell whether a value by itself fits what is on view; nothing is set."""
        try:
            self.traits()[name]._validate(self, value)
        except traitlets.TraitError:
            return False
        return True


class RunModel(StateModel):
    """What a viewer has chosen, checked against a run.

    Parameters
    ----------
    run
        The run on view.
    state
        State to begin with.

    Attributes
    ----------
    unit : str
        Code of the unit picked; empty for none.
    """

    unit = traitlets.Unicode("")

    def __init__(self, run: Run, **state: Any) -> None:
        self.run = run
        self._codes = tuple(run.units["unit_code"])
        self._position = {code: i for i, code in enumerate(self._codes)}
        super().__init__(**state)

    @property
    def position(self) -> int:
        """Position of the picked unit in ``run.units``; -1 for none."""
        return self._position.get(self.unit, -1)

    def code_at(self, position: int) -> str:
        """Return the code of the unit at a position of ``run.units``; empty for -1."""
        return self._codes[position] if position >= 0 else ""

    @traitlets.validate("unit")
    def _check_unit(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in self._position:
            raise traitlets.TraitError("no such unit")
        return str(proposal["value"])


def city_map(
    run: Run, *, title: str, levels: bytes, names: Sequence[str], hovers: Sequence[Sequence[str]]
) -> LiveMap:
    """Return the live map of a run's units, townships outlined; see :class:`LiveMap`."""
    shapes = run.shapes()
    townships = group_unions(shapes, run.units["township_code"].to_numpy())
    live = LiveMap(
        encode_geometry(shapes),
        names=names,
        hovers=hovers,
        levels=levels,
        legend_title=title,
        outlines=encode_geometry(townships.to_numpy()),
    )
    live.add_class("hj-area-map")
    return live


@contextmanager
def guarded(panel: Panel) -> Iterator[None]:
    """Show what goes wrong in a panel, and go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the last line before a traceback in a leader's page
        panel.html = str(alert(error))


class Screen(ipywidgets.Box):  # type: ignore[misc]
    """The widgets of a screen, with a still picture of them for the page to show until they have loaded.

    Parameters
    ----------
    children
        The widgets.
    preview
        HTML of the picture, from :func:`~huanjie_lib.screens.panel.render`.
    css
        Stylesheet of the screen, from :func:`~huanjie_lib.screens.panel.stylesheet`.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget], *, preview: Markup, css: str) -> None:
        super().__init__([Style(css), *children])
        self.preview = Markup("<style>{}</style>\n{}").format(Markup(css), preview)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**kwargs), "text/html": str(self.preview)}


class Failure(Panel):
    """What stands in place of a screen that cannot be shown: what is wrong, and what to do."""

    def __init__(self, error: Exception) -> None:
        self._css = stylesheet()
        super().__init__("failure", html=alert(error))
        self.add_class("hj-screen")


def open_screen(
    build: Callable[[Run], ipywidgets.DOMWidget], run: Path | None = None
) -> ipywidgets.DOMWidget:
    """Return a screen over a run folder, ready to be displayed.

    Parameters
    ----------
    build
        Makes the screen of a run.
    run
        The run folder; by default the one named by the environment variable ``HUANJIE_RUN``.

    Returns
    -------
    ipywidgets.DOMWidget
        The screen, or an alert with the remedy where the run cannot be shown. Nothing is raised, because the
        place where it is called shows leaders a page and not a traceback.
    """
    return shown(lambda: build(read_run(run or _run_from_environment())))


def shown(build: Callable[[], ipywidgets.DOMWidget]) -> ipywidgets.DOMWidget:
    """Return a screen, or an alert with the remedy where it cannot be shown; nothing is raised."""
    _log_to_server()
    try:
        return build()
    except Exception as error:  # noqa: BLE001 - the last line before a traceback in a leader's page
        return Failure(error)


def head(
    screen: str,
    *,
    title: str,
    as_of: dt.date,
    site: Site,
    notes: Sequence[str] = (),
    actor: Actor | None = None,
    advice: str = "",
    badge: Mapping[str, Any] | None = None,
) -> Markup:
    """Return the head that all screens have: title, date, the way to the others, and who looks.

    Parameters
    ----------
    screen
        A key of :data:`~huanjie_lib.screens.site.SCREENS`.
    title, as_of
        Title of the screen and date of its figures.
    site
        Where the viewer finds the other screens.
    notes
        What is said beside the date; empty ones are left out.
    actor
        Who looks, where the kernel knows; else the page asks the server.
    advice
        What stands beside the title for everybody to see.
    badge
        ``lowest``: the lowest share of data reported.
    """
    return render(
        "head.html.j2",
        title=title,
        as_of=as_of,
        notes=notes,
        links=site.links(screen),
        actor=actor,
        advice=advice,
        badge=badge,
        date=date_text,
    )


def alert(error: Exception) -> Markup:
    """Return an error as a page shows it: its own words if a user can act on them, else a number."""
    if isinstance(error, HuanjieError):
        logger.warning("%s", error)
        return render("alert.html.j2", title=error.summary, lines=[str(f) for f in error.faults], number="")
    number = secrets.token_hex(4)
    logger.error("错误编号 %s", number, exc_info=error)
    return render(
        "alert.html.j2",
        title="这一页暂时显示不了",
        lines=["请刷新页面；仍不能显示时，请把错误编号告诉管理员，详情见服务日志。"],
        number=number,
    )


def _run_from_environment() -> Path:
    remedy = "用 huanjie serve --run 文件夹 打开本界面"
    return Path(from_environment(RUN_VARIABLE, "评估文件夹", remedy))


def from_environment(name: str, what: str, remedy: str) -> str:
    """Return what the server has put into the environment of its kernels.

    Raises
    ------
    UsageError
        If it has not, with the remedy.
    """
    value = os.environ.get(name, "")
    if not value:
        raise UsageError(f"没有指定{what}", [Fault(f"环境变量 {name}", "未设置", what, remedy)])
    return value


def actor_of(text: str) -> Actor:
    """Return the account that the server was started for.

    Examples
    --------
    >>> actor_of('{"account": "zhao", "office": "石桥镇", "role": "township", "scope": ["9901"]}').scope
    ('9901',)
    """
    told = json.loads(text)
    return Actor(told["account"], told["office"], Role.lookup()[told["role"]], tuple(told["scope"]))


def _log_to_server() -> None:
    """Send this package's log to the server's own stderr; the kernel's goes to the page."""
    package = logging.getLogger("huanjie_lib")
    if not package.handlers and sys.__stderr__ is not None:
        handler = logging.StreamHandler(sys.__stderr__)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        package.addHandler(handler)
