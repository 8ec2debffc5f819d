"""Attacks on an analyst's server, which a token opens: hidden and disabled controls, and another browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPClientError

from huanjie_lib.store.run_folder import Run
from tests.attacks.attacker import Attacker, Channel, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(small_run: Run, serve_screen: Callable[..., Any]) -> str:
    """Address of a what-if screen that may write nothing."""
    return str(serve_screen(small_run.path, screen="what_if").url)


@pytest.fixture(scope="module")
def opened(url: str) -> Iterator[tuple[Attacker, Page, Channel]]:
    """A browser with the token, its page and its channel."""
    base, query = url.partition("?")[0], urlsplit(url).query
    page = Attacker(base).page(f"/?{query}")
    viewer = Attacker(base, {"Cookie": "; ".join(f"{n}={v}" for n, v in page.cookies.items())})
    with viewer.channel(page.kernel) as channel:
        yield viewer, page, channel
    assert viewer.leave(page) == 204


def test_a_disabled_button_that_is_pressed_all_the_same_writes_nothing(
    opened: tuple[Attacker, Page, Channel], small_run: Run
) -> None:
    channel = opened[2]
    states = channel.states()
    (button,) = (number for number, state in states.items() if state.get("description") == "写出方案")
    assert states[button]["disabled"] is True
    for number, state in states.items():  # fields that this page does not even show
        if state.get("description") in {"提出人", "调整理由"}:
            told = {"method": "update", "state": {"value": "攻击者"}}
            channel.ask("comm_msg", {"comm_id": number, "data": told})
    heard: list[Any] = []
    for data in (
        {"method": "update", "state": {"disabled": False}},
        {"method": "custom", "content": {"event": "click"}},
    ):
        heard += channel.ask("comm_msg", {"comm_id": button, "data": data})
    said = json.dumps([heard, channel.states()], ensure_ascii=False)
    assert "本界面没有写入权限" in said
    assert "方案已写出" not in said
    assert small_run.path is not None
    assert not list(Path.cwd().glob("proposal-*"))
    assert not list(small_run.path.parent.rglob("proposal-*"))


def test_another_browser_with_the_same_token_has_no_part_in_it(
    opened: tuple[Attacker, Page, Channel], url: str
) -> None:
    viewer, page, _ = opened
    base, query = url.partition("?")[0], urlsplit(url).query
    assert viewer.ask(f"/api/kernels/{page.kernel}").status == 200
    other = Attacker(base)
    assert other.ask(f"/api/kernels/{page.kernel}?{query}").status == 404
    token = query.partition("=")[2]
    with (
        pytest.raises(HTTPClientError) as caught,
        other.channel(page.kernel, Authorization=f"token {token}"),
    ):
        pass
    assert caught.value.code == 404
    shut = other.ask(
        f"/voila/api/shutdown/{page.kernel}?{query}",
        "POST",
        "",
        Origin=other.origin,
        Cookie="_xsrf=" + "x" * 32,
        X_XSRFToken="x" * 32,
    )
    assert shut.status == 404
    assert viewer.ask(f"/api/kernels/{page.kernel}").status == 200
