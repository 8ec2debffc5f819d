"""Moments that a slow machine brings about, planted one by one: what comes between two others loses nothing.

The scripts of the screens run in a page as shipped. What a kernel and a server do is played here message by
message, since the order in which they come is what is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from huanjie_lib import screens

pytestmark = pytest.mark.browser

STATIC = Path(screens.__file__).parent / "static"
ORIGIN = "http://127.0.0.1:1/"
"""Nobody listens there: all that is asked of it is answered here."""
LOAD = """async ([name, script, state]) => {
    // A model as anywidget hands it to a module: what the kernel sets arrives, what the page tells is kept.
    const handlers = {};
    const model = {
        get: (trait) => state[trait],
        on: (event, handler) => (handlers[event] ??= new Set()).add(handler),
        off: (event, handler) => handlers[event]?.delete(handler),
        send: (content) => window.told.push([content.action, content.value]),
    };
    window.told ??= [];
    window.arrives ??= {};
    window.arrives[name] = (trait, value) => {
        state[trait] = value;
        for (const handler of handlers[`change:${trait}`] ?? []) handler();
    };
    const module = await import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
    const el = document.querySelector('.hj-screen').appendChild(document.createElement('div'));
    el.id = name;
    module.default.render({ model, el });
}"""


class Played:
    """A page in which widgets of a screen are driven by hand."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def load(self, name: str, script: str, **state: Any) -> None:
        """Put a widget into the page."""
        text = (STATIC / script).read_text(encoding="utf-8")
        self.page.evaluate(LOAD, [name, text, {"label": "", **state}])

    def arrives(self, name: str, trait: str, value: Any) -> None:
        """Let something that the kernel sets arrive."""
        self.page.evaluate("([name, ...set]) => window.arrives[name](...set)", [name, trait, value])

    def told(self) -> list[list[str]]:
        """Return what the page has told its kernel, and forget it."""
        found: list[list[str]] = self.page.evaluate("window.told.splice(0)")
        return found


@pytest.fixture
def played(page: Page) -> Played:
    page.route(
        ORIGIN, lambda route: route.fulfill(body='<div class="hj-screen"></div>', content_type="text/html")
    )
    page.goto(ORIGIN)
    return Played(page)


BUTTON = '<button data-action="group" data-value="{}">{}</button>'


def test_a_redraw_between_press_and_release_takes_no_press_away(played: Played) -> None:
    played.load("tiles", "panel.js", html=BUTTON.format("red", "红色"))
    button = played.page.get_by_role("button")
    button.hover()
    played.page.mouse.down()
    played.arrives("tiles", "html", BUTTON.format("red", "红色 3"))
    expect(button).to_have_text("红色")
    played.page.mouse.up()
    expect(button).to_have_text("红色 3")
    assert played.told() == [["group", "red"]]
    played.arrives("tiles", "html", BUTTON.format("red", "红色 4"))  # nothing is pressed any more
    expect(button).to_have_text("红色 4")


def test_a_redraw_between_the_strokes_of_the_space_bar_takes_no_press_away(played: Played) -> None:
    button = BUTTON.replace("<button", '<button data-key="red"')
    played.load("tiles", "panel.js", html=button.format("red", "红色"))
    played.page.get_by_role("button").focus()
    played.page.keyboard.down("Space")
    played.arrives("tiles", "html", button.format("red", "红色 3"))
    played.page.keyboard.up("Space")
    expect(played.page.get_by_role("button")).to_have_text("红色 3")
    assert played.told() == [["group", "red"]]


def test_what_was_typed_before_a_press_is_told_before_it(played: Played) -> None:
    """Told after it, a filter would undo what was chosen from the list that it filters."""
    played.page.clock.install()
    played.page.clock.pause_at("2030-01-01")
    played.load("filters", "panel.js", html='<input data-action="search" aria-label="查找">')
    played.load("work", "panel.js", html=BUTTON.format("7", "一村"))
    played.page.get_by_label("查找").fill("一")
    played.page.get_by_role("button").click()
    played.page.clock.run_for(1000)
    assert played.told() == [["search", "一"], ["group", "7"]]


def test_sliders_outlive_an_answer_that_is_lost(played: Played) -> None:
    page = played.page
    page.clock.install()
    page.clock.pause_at("2030-01-01")
    figures = {"dials": [100], "fixed": [0], "locked": [], "counts": [], "rested": True}
    dial = '<input type="range" max="1000" id="d" data-dial="audit" data-unit="%"><output for="d"></output>'
    played.load("dials", "dials.js", html=dial, figures=figures)
    page.locator("#d").fill("200")
    page.clock.run_for(9_000)
    assert played.told() == [["move", "audit 200"]]
    page.clock.run_for(2_000)  # the answer does not come
    assert played.told() == [["rest", ""]]
    played.arrives("dials", "figures", {**figures, "dials": [200]})
    page.clock.run_for(20_000)
    assert played.told() == []
    expect(page.locator("output")).to_have_text("20.0%")
    expect(page.locator(".hj-moving")).to_have_count(0)


FIELD = {"name": "note", "kind": "string", "label": "要求", "required": False}


def task(case: str, version: int) -> dict[str, Any]:
    """Return what may be done with a case, as the kernel tells it."""
    form = {
        "event": "dispatch",
        "label": "派单",
        "blockers": [],
        "fields": [FIELD],
        "rows": [],
        "evidence": False,
    }
    dates = {"today": "2026-10-31", "opened_on": "2026-10-01"}
    return {"case": case, "version": version, "forms": [form], "endings": [], "most_bytes": 1, **dates}


@pytest.fixture
def sent(played: Played) -> Callable[[dict[str, Any]], None]:
    """Send the form of a case, its answer on the way; return what lets the answer arrive."""
    held: list[Route] = []
    played.page.route("**/casework/append", lambda route: held.append(route))
    played.load("desk", "board.js", task=task("C1", 1))
    form = played.page.locator("form")
    form.get_by_label("要求").fill("十日内办结")
    form.get_by_role("button", name="确认派单").click()
    expect(form.get_by_role("button")).to_have_text("正在登记……")
    while not held:
        played.page.wait_for_timeout(10)
    played.told()
    return lambda answer: held.pop().fulfill(json=answer)


STALE = "别人刚刚更新了本案，请核对后再提交。"


def test_the_kernel_that_sees_an_event_before_its_answer_comes_calls_it_nobody_elses(
    played: Played, sent: Callable[[dict[str, Any]], None]
) -> None:
    page = played.page
    played.arrives("desk", "task", task("C1", 2))
    expect(page.get_by_role("alert")).to_have_count(0)
    sent({"ok": True})
    expect(page.get_by_role("status")).to_have_text("派单已登记。")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert played.told() == [["written", "C1"]]
    page.get_by_label("要求").fill("再催办")
    played.arrives("desk", "task", task("C1", 3))  # this one is somebody else's
    expect(page.get_by_role("alert")).to_contain_text(STALE)


@pytest.mark.parametrize(
    "answer", [{"ok": True}, {"ok": False, "code": "stale", "title": "别人先登记了", "lines": []}]
)
def test_an_answer_that_comes_when_another_case_is_open_says_nothing_of_that_one(
    played: Played, sent: Callable[[dict[str, Any]], None], answer: dict[str, Any]
) -> None:
    page = played.page
    played.arrives("desk", "task", task("C2", 5))
    sent(answer)
    page.wait_for_function("window.told.length")
    assert played.told() == [["written", "C1"]]
    expect(page.get_by_role("status")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("要求").fill("另案")
    played.arrives("desk", "task", task("C2", 6))
    expect(page.get_by_role("alert")).to_contain_text(STALE)


def test_an_answer_between_press_and_release_takes_no_press_away(
    played: Played, sent: Callable[[dict[str, Any]], None]
) -> None:
    page = played.page
    page.get_by_role("group").get_by_role("button", name="派单").hover()
    page.mouse.down()
    with page.expect_response("**/casework/append"):
        sent({"ok": False, "code": "refused", "title": "没有登记", "lines": []})
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    expect(page.locator("form button")).to_have_text("正在登记……")
    page.mouse.up()
    expect(page.get_by_role("alert")).to_contain_text("没有登记")
