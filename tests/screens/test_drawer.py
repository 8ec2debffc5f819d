"""A screen with a drawer: its panels reach the model, and its still picture is what they show."""

from __future__ import annotations

import datetime as dt

import pytest
import traitlets
from markupsafe import Markup

from huanjie_lib.screens.drawer import DrawerView
from huanjie_lib.screens.page import StateModel
from huanjie_lib.screens.panel import Panel


class Model(StateModel):
    """A tab of two."""

    tab = traitlets.Enum(["a", "b"], default_value="a")


class View(DrawerView):
    """A screen that shows its tab in every panel."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.opened = Panel("case")
        super().__init__(
            model,
            as_of=dt.date(2026, 10, 31),
            links={"tab": ("tab", "页签")},
            work="内容",
            drawer=[self.opened],
            preview="casework_preview.html.j2",
            css=["casework.css", "talent.css"],
        )

    def _act(self, action: str, value: str) -> None:
        self._attempt({"tab": lambda v: self.model.set_state({"tab": v})}, action, value)
        for draw in (self._draw_tiles, self._draw_filters, self._draw_work):
            draw(None)

    def _shown(self) -> Markup:
        return Markup("<p>{}</p>").format(self.model.tab)

    _head_html = _tiles_html = _filters_html = _work_html = _shown


def press(panel: Panel, action: str, value: str) -> None:
    panel._handle_custom_msg({"action": action, "value": value}, [])


def test_every_panel_may_act_and_all_are_drawn_anew() -> None:
    view = View(Model())
    for panel, tab in ((view.opened, "b"), (view._head, "a"), (view._work, "b")):
        press(panel, "tab", tab)
        assert view.model.tab == tab
        assert {p.html for p in (view._tiles, view._filters, view._work)} == {f"<p>{tab}</p>"}


def test_what_the_model_refuses_has_no_effect_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    view = View(Model())
    for action, value in (("tab", "c"), ("none", "b")):
        press(view._tiles, action, value)
        assert view.model.tab == "a"
    assert [record.args for record in caplog.records] == [("tab",), ("none",)]


def test_the_screen_has_its_panels_its_classes_and_a_still_picture() -> None:
    view = View(Model())
    _, *panels, drawer, notice, address = view.widget.children
    assert panels == [view._head, view._tiles, view._filters, view._work]
    assert drawer.children == (view.opened,)
    assert (notice, address) == (view.linked.notice, view.linked.address)
    assert {"hj-screen", "hj-casework", "hj-talent"} <= set(view.widget._dom_classes)
    assert view.widget.preview.count("<p>a</p>") == 4
