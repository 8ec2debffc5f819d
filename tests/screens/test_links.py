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


def follow(linked: Linked, link: str) -> None:
    """Let the page tell a link."""
    told(linked.address, {"link": link, "number": 1})


def test_the_address_follows_the_model_and_leaves_out_what_is_as_at_first(linked: Linked) -> None:
    assert linked.fragment == ""
    linked._model.set_state({"unit": "990101102201", "tab": "due"})
    assert linked.address.fragment == "unit=990101102201&tab=due"
    linked._model.set_state({"unit": "", "tab": "board"})
    assert linked.address.fragment == ""


def test_going_back_to_less_takes_the_rest_back_to_the_start(linked: Linked) -> None:
    follow(linked, "unit=990101102201&tab=due")
    assert linked._model.get_state() == {"unit": "990101102201", "tab": "due"}
    follow(linked, "tab=due")
    assert linked._model.get_state() == {"unit": "", "tab": "due"}
    follow(linked, "")
    assert linked._model.get_state() == {"unit": "", "tab": "board"}


def test_what_is_wrong_is_told_and_the_rest_is_followed(linked: Linked) -> None:
    follow(linked, "unit=1&tab=due&as_of=2026-09-30&who=%3Cb%3E")
    assert linked._model.get_state() == {"unit": "", "tab": "due"}
    html = linked.notice.html
    for part in ("村（社区）“1”", "2026年9月30日", "“who”不能识别"):
        assert part in html
    follow(linked, "who<b>=1")
    assert "<b>" not in linked.notice.html
    assert "&lt;b&gt;" in linked.notice.html
    linked._close("close-notice", "")
    assert linked.notice.html == ""
    follow(linked, "unit=990101102201&as_of=2026-10-31")
    assert linked.notice.html == ""


@pytest.mark.parametrize("content", [None, "unit=1", {"link": 1, "number": 1}, {"link": "unit=1"}, {}])
def test_messages_of_another_form_are_dropped(linked: Linked, content: object) -> None:
    linked._model.set_state({"tab": "due"})
    told(linked.address, content)
    assert (linked._model.tab, linked.notice.html) == ("due", "")


def test_a_link_that_is_too_long_is_told_and_moves_nothing(linked: Linked) -> None:
    linked._model.set_state({"tab": "due"})
    follow(linked, "x" * (LONGEST_LINK + 1))
    assert linked._model.tab == "due"
    assert "链接太长" in linked.notice.html


def test_a_link_that_the_screen_fails_at_is_told_with_a_number(caplog: pytest.LogCaptureFixture) -> None:
    def follow_up(_: object) -> None:
        raise RuntimeError("within")

    keys = {"unit": ("unit", "村（社区）")}
    linked = Linked(Choice(), keys, check=wrong_date(dt.date(2026, 10, 31)), follow=follow_up)
    follow(linked, "unit=990101102201")
    assert "错误编号" in linked.notice.html
    assert "within" not in linked.notice.html
    assert "within" in caplog.text
    linked._close("close-notice", "")
    assert linked.notice.html == ""


def test_every_link_is_answered_under_its_number_even_where_the_screen_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, answers = Address(), []
    monkeypatch.setattr(address, "send", answers.append)

    def handler(link: str) -> None:
        address.show(link)
        if link == "b":
            raise RuntimeError(link)

    address.on_link(handler)
    told(address, {"link": "a", "number": 1})
    told(address, {"link": "b", "number": 2})
    assert answers == [{"taken": "a", "number": 1}, {"taken": "b", "number": 2}]


def test_the_page_cannot_set_where_the_screen_stands(linked: Linked) -> None:
    linked.address.set_state({"fragment": "unit=1"})
    assert linked.address.fragment == ""
