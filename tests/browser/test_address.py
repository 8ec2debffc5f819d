"""The address bar keeps up with viewers who go on before the kernel has answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from huanjie_lib.screens import links

pytestmark = pytest.mark.browser

MODULE = Path(links.__file__).parent / "static" / "address.js"

#: The widget's own module over a kernel that answers when the test says so.
BENCH = """
window.begin = async (source) => {
  const module = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const { default: address } = await import(module);
  const heard = {};
  window.sent = [];
  window.model = {
    fragment: '',
    get() { return this.fragment; },
    on(event, handler) { heard[event] = handler; },
    off() {},
    send(message) { window.sent.push(message); },
  };
  window.stand = (fragment) => { model.fragment = fragment; heard['change:fragment'](); };
  window.answer = (number, fragment) => {
    if (fragment !== model.fragment) window.stand(fragment);
    heard['msg:custom']({ taken: fragment, number });
  };
  window.here = () => location.hash.slice(1);
  window.heardOfHash = () => new Promise((done) => addEventListener('hashchange', done, { once: true }));
  address.render({ model, el: document.createElement('div') });
};
"""


@pytest.fixture
def bar(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page with the address bar of a screen that stands at its beginning."""
    (tmp_path / "page.html").write_text("<!doctype html><title>t</title>", encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.add_script_tag(content=BENCH)
    page.evaluate("source => begin(source)", MODULE.read_text(encoding="utf-8"))
    yield page
    page.close()


def said(page: Page, script: str) -> Any:
    """Run a script in the page; what it returns beside the links told and the address at its end."""
    return page.evaluate(f"async () => {{ {script}; return [sent.map(({{ link }}) => link), here()]; }}")


def test_a_link_taken_between_its_change_and_its_event_is_not_overwritten_by_an_older_answer(
    bar: Page,
) -> None:
    first = "location.hash = 'a'; await heardOfHash()"
    between = "const event = heardOfHash(); location.hash = 'b'; answer(1, 'a'); await event"
    assert said(bar, f"{first}; {between}; answer(2, 'b')") == [["a", "b"], "b"]


def test_back_before_the_answer_is_told_though_the_screen_has_not_left_yet(bar: Page) -> None:
    there = "location.hash = 'a'; await heardOfHash()"
    back = "const event = heardOfHash(); history.back(); await event"
    assert said(bar, f"{there}; {back}; answer(1, 'a'); answer(2, '')") == [["a", ""], ""]


def test_there_and_back_and_there_again_ends_there_without_steps_of_its_own(bar: Page) -> None:
    step = "const event = heardOfHash(); location.hash = link; await event"
    go = f"for (const link of ['a', 'b', 'a']) {{ {step} }}"
    answers = "const steps = history.length; answer(1, 'a'); answer(2, 'b'); answer(3, 'a')"
    assert said(bar, f"{go}; {answers}; if (history.length !== steps) throw Error('a step')") == [
        ["a", "b", "a"],
        "a",
    ]


def test_what_the_viewer_does_after_the_answer_is_a_step_and_a_bad_link_is_none(bar: Page) -> None:
    bad = "location.hash = 'bad'; await heardOfHash(); const before = history.length; answer(1, '')"
    assert said(bar, f"{bad}; if (history.length !== before) throw Error('a step')") == [["bad"], ""]
    assert said(bar, "stand('c')") == [["bad"], "c"]
    assert said(bar, "const event = heardOfHash(); history.back(); await event") == [["bad", ""], ""]
