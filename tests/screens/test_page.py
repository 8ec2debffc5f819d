"""What all screens share: errors become alerts, and the door lets none through."""

from __future__ import annotations

import re

import ipywidgets
import pytest
import traitlets
from markupsafe import Markup

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.screens.page import RunModel, Screen, alert, guarded, open_screen
from huanjie_lib.screens.panel import Panel
from huanjie_lib.store.run_folder import Run

HOSTILE = "<img src=x onerror=alert(1)>"


def test_an_error_of_the_user_is_told_in_its_own_words_as_text() -> None:
    shown = alert(DataError("表不能用", [Fault(HOSTILE, "甲", "乙", "改为乙")]))
    assert "表不能用" in shown
    assert "改为乙" in shown
    assert "<img" not in shown


def test_a_defect_is_told_by_number_and_kept_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    shown = alert(RuntimeError("内部细节"))
    number = re.search(r"错误编号：([0-9a-f]{8})", shown)
    assert number
    assert number[1] in caplog.text
    assert "内部细节" in caplog.text
    assert "内部细节" not in shown


def test_what_fails_in_a_guarded_part_is_shown_in_its_panel() -> None:
    panel = Panel("side", html=Markup("<p>甲</p>"))
    with guarded(panel):
        pass
    assert panel.html == "<p>甲</p>"
    with guarded(panel):
        raise RuntimeError("内部细节")
    assert "错误编号" in panel.html


def test_only_units_of_the_run_can_be_picked(small_run: Run) -> None:
    model = RunModel(small_run, unit="990101101202")
    assert (model.position, model.code_at(2), model.code_at(-1)) == (2, "990101101202", "")
    with pytest.raises(traitlets.TraitError, match="no such unit"):
        model.set_state({"unit": "000000000000"})
    assert model.get_state() == {"unit": "990101101202"}


def test_the_door_gives_what_was_built_over_the_run(small_run: Run) -> None:
    built = open_screen(lambda run: ipywidgets.Label(repr(run)), small_run.path)
    assert built.value == repr(small_run)


def test_what_fails_while_building_becomes_an_alert(small_run: Run) -> None:
    def broken(_: Run) -> ipywidgets.DOMWidget:
        raise RuntimeError("内部细节")

    shown = open_screen(broken, small_run.path)
    assert isinstance(shown, Panel)
    assert "错误编号" in shown.html
    assert {"hj-failure", "hj-screen"} <= set(shown._dom_classes)


def test_a_screen_brings_its_picture_along() -> None:
    bundle = Screen([ipywidgets.Label("甲")], preview=Markup("<p>乙</p>"), css="p {}")._repr_mimebundle_()
    assert bundle["text/html"] == "<style>p {}</style>\n<p>乙</p>"
    assert "application/vnd.jupyter.widget-view+json" in bundle
