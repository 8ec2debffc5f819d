"""A panel shows what its kernel rendered and takes nothing from the page but presses."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

import huanjie_lib.screens
from huanjie_lib.screens.panel import LONGEST_VALUE, Panel, render

SCREENS = Path(huanjie_lib.screens.__file__).parent
HOSTILE = '<img src=x onerror="alert(1)">'


def test_values_are_escaped_and_templates_are_not() -> None:
    shown = render("alert.html.j2", title=HOSTILE, lines=[HOSTILE], number=HOSTILE)
    assert "<img" not in shown
    assert shown.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;") == 3
    assert shown.startswith('<div class="hj-alert" role="alert">')


def test_a_value_forgotten_is_an_error_and_no_blank() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("alert.html.j2", title="")


def test_no_template_switches_escaping_off() -> None:
    templates = sorted((SCREENS / "templates").glob("*.j2"))
    assert len(templates) > 5
    for path in templates:
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text(encoding="utf-8")), path.name


def test_nothing_a_screen_ships_names_another_host() -> None:
    shipped = [
        path
        for folder in ("templates", "jupyter")
        for path in sorted((SCREENS / folder).rglob("*"))
        if path.is_file()
    ]
    shipped += [
        SCREENS / "static" / name
        for name in ("panel.js", "address.js", "tokens.css", "screen.css", "overview.css")
    ]
    for path in shipped:
        assert not re.search(
            r"https?:|//\w|@import|url\(", re.sub(r"(?m)^\s*//.*$|\s// .*$", "", text(path))
        ), path


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_page_cannot_write_a_panel() -> None:
    panel = Panel("side", label="详情", html=render("alert.html.j2", title="好", lines=[], number=""))
    before = panel.html
    panel.set_state({"html": "<script>alert(1)</script>", "label": "x", "_esm": "x"})
    assert (panel.html, panel.label) == (before, "详情")
    assert "hj-side" in panel._dom_classes


def test_presses_arrive_and_anything_else_is_dropped() -> None:
    panel = Panel("side")
    heard: list[tuple[str, str]] = []
    panel.on_action(lambda action, value: heard.append((action, value)))

    def send(content: object) -> None:
        panel._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    send({"action": "tab", "value": "league"})
    for wrong in (
        None,
        "tab",
        [],
        {},
        {"action": "tab"},
        {"action": "tab", "value": 3},
        {"action": ["tab"], "value": "x"},
        {"action": "search", "value": "青" * (LONGEST_VALUE + 1)},
    ):
        send(wrong)
    send({"action": "search", "value": "青" * LONGEST_VALUE})
    assert heard == [("tab", "league"), ("search", "青" * LONGEST_VALUE)]
