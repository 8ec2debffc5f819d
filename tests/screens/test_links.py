"""Where a screen stands in the address bar, and following a link from there."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import traitlets

from huanjie_lib.screens.links import LONGEST_LINK, Address, Linked, wrong_date
from huanjie_lib.screens.page import StateModel


class Choice(StateModel):
    """A model with one checked and one free choice."""

    unit = traitlets.Enum(("", "990101102201"), "")
    tab = traitlets.Enum(("board", "due"), "board")
    seen: list[Any]


@pytest.fixture
def linked() -> Linked:
    keys = {"unit": ("unit", "村（社区）"), "tab": ("tab", "栏目")}
    return Linked(Choice(), keys, check=wrong_date(dt.date(2026, 10, 31)))


def told(address: Address, content: object) -> None:
    """Let the page say something."""
    address._handle_custom_msg(content, [])


def test_the_address_follows_the_model_and_leaves_out_what_is_as_at_first(linked: Linked) -> None:
    assert linked.fragment == ""
    linked._model.set_state({"unit": "990101102201", "tab": "due"})
    assert linked.address.fragment == "unit=990101102201&tab=due"
    linked._model.set_state({"unit": "", "tab": "board"})
    assert linked.address.fragment == ""


def test_going_back_to_less_takes_the_rest_back_to_the_start(linked: Linked) -> None:
    told(linked.address, {"link": "unit=990101102201&tab=due"})
    assert linked._model.get_state() == {"unit": "990101102201", "tab": "due"}
    told(linked.address, {"link": "tab=due"})
    assert linked._model.get_state() == {"unit": "", "tab": "due"}
    told(linked.address, {"link": ""})
    assert linked._model.get_state() == {"unit": "", "tab": "board"}


def test_what_is_wrong_is_told_and_the_rest_is_followed(linked: Linked) -> None:
    told(linked.address, {"link": "unit=1&tab=due&as_of=2026-09-30&who=%3Cb%3E"})
    assert linked._model.get_state() == {"unit": "", "tab": "due"}
    html = linked.notice.html
    for part in ("村（社区）“1”", "2026年9月30日", "“who”不能识别"):
        assert part in html
    told(linked.address, {"link": "who<b>=1"})
    assert "<b>" not in linked.notice.html
    assert "&lt;b&gt;" in linked.notice.html
    linked._close("close-notice", "")
    assert linked.notice.html == ""
    told(linked.address, {"link": "unit=990101102201&as_of=2026-10-31"})
    assert linked.notice.html == ""


@pytest.mark.parametrize("content", [None, "unit=1", {"link": 1}, {"link": "x" * (LONGEST_LINK + 1)}, {}])
def test_messages_of_another_form_are_dropped(linked: Linked, content: object) -> None:
    linked._model.set_state({"tab": "due"})
    told(linked.address, content)
    assert (linked._model.tab, linked.notice.html) == ("due", "")


def test_the_page_cannot_set_where_the_screen_stands(linked: Linked) -> None:
    linked.address.set_state({"fragment": "unit=1"})
    assert linked.address.fragment == ""
