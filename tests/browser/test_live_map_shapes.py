"""Shapes that real layers hold and a painter can get wrong: enclaves, markers, units without boundary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Page, expect

from huanjie_lib.vocabulary import Level
from tests.browser.waiting import wait_until

pytestmark = pytest.mark.browser

CODE = """
import ipywidgets, shapely
from huanjie_lib.screens.live_map import LiveMap
from huanjie_lib.views.geometry import encode_geometry
from huanjie_lib.views.tables import VERIFY_CODE
from huanjie_lib.vocabulary import Level

RED, GREEN = Level.RED.code, Level.GREEN.code
enclave = shapely.box(120.42, 30.42, 120.58, 30.58)
around = shapely.box(120, 30, 121, 31)  # without a hole for the enclave, as sloppy layers have it
units = [enclave, around, shapely.Point(120.2, 30.2), None]
live = LiveMap(
    encode_geometry(units), names=["飞地村", "外围村", "点位村", "无界村"], hovers=[[]] * 4,
    levels=bytes([RED, GREEN, RED, RED]), outlines=encode_geometry([around]), height=500,
)
nothing = encode_geometry([None, None])
empty = LiveMap(nothing, names=["甲", "乙"], hovers=[[], []], levels=bytes(2), height=200)
selected = ipywidgets.Label()
selected.add_class("told-selected")
live.observe(lambda change: setattr(selected, "value", str(change["new"])), "selected")
painted = ipywidgets.Label()
painted.add_class("told-painted")
show = lambda _: setattr(painted, "value", f"{live.painted} {empty.painted}")
live.observe(show, "painted")
empty.observe(show, "painted")
recolour = ipywidgets.Button(description="recolour")
recolour.on_click(lambda _: live.set_levels(bytes([RED, GREEN | VERIFY_CODE, RED, RED])))
recolour.add_class("press-recolour")
screen = ipywidgets.VBox([ipywidgets.HBox([selected, painted, recolour]), live, empty])
screen.add_class("hj-screen")
screen
"""
PIXEL = """([name, x, y]) => {
    const canvas = document.querySelector('.hj-map-units-' + name);
    const box = canvas.getBoundingClientRect();
    const [r, g, b, a] = canvas.getContext('2d').getImageData(x - box.left, y - box.top, 1, 1).data;
    return a ? '#' + [r, g, b].map((part) => part.toString(16).padStart(2, '0')).join('') : '';
}"""


@pytest.fixture(scope="module")
def shapes_page(
    voila_server: Callable[..., Any], watch: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A page with a map of odd shapes and, below it, one of nothing."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path: Path = tmp_path_factory.mktemp("shapes") / "shapes.ipynb"
    nbformat.write(book, path)
    with watch() as watched:
        watched.page.goto(voila_server(path).url)
        expect(watched.page.locator(".told-painted")).to_have_text("3 0", timeout=60_000)
        yield watched.page
        assert watched.page_errors == []
        assert watched.console_errors == []


def spot(page: Page, east: float, north: float) -> tuple[float, float]:
    """Return the pixel of a place, given as shares of the outer square in the middle of the map."""
    frame = page.locator(".hj-map").first.bounding_box()
    assert frame is not None
    side_ns = frame["height"] - 24 - 2  # gaps of 12 pixels and the border
    side_we = side_ns * 0.8635  # the square's width over its height in Mercator at 30.5°N: about cos 30.5°
    return (
        frame["x"] + frame["width"] / 2 + (east - 0.5) * side_we,
        frame["y"] + frame["height"] / 2 - (north - 0.5) * side_ns,
    )


@pytest.mark.parametrize(
    ("east", "north", "unit"),
    [(0.45, 0.45, 0), (0.8, 0.8, 1), (0.2, 0.2, 2)],
    ids=["enclave", "around", "marker"],
)
def test_a_click_takes_what_lies_on_top(shapes_page: Page, east: float, north: float, unit: int) -> None:
    shapes_page.mouse.click(*spot(shapes_page, east, north))
    expect(shapes_page.locator(".told-selected")).to_have_text(str(unit))


def test_recolouring_what_surrounds_an_enclave_leaves_it_on_top(shapes_page: Page) -> None:
    def pixel(canvas: str, east: float, north: float) -> str:
        return str(shapes_page.evaluate(PIXEL, [canvas, *spot(shapes_page, east, north)]))

    assert pixel("fills", 0.45, 0.45) == Level.RED.colour
    assert pixel("fills", 0.8, 0.8) == Level.GREEN.colour
    shapes_page.locator(".press-recolour").click()
    expect(shapes_page.locator(".hj-map-legend").first).to_contain_text("其中待核实1")

    def hatched() -> bool:
        strip = {pixel("fills", 0.8 + step / 1000, 0.8) for step in range(0, 40, 2)}
        return Level.GREEN.colour in strip and len(strip) >= 3  # the hatch crosses the colour

    wait_until(shapes_page, "the hatch", hatched)
    assert pixel("fills", 0.45, 0.45) == Level.RED.colour
    assert pixel("markers", 0.2, 0.2) == Level.RED.colour
    assert pixel("markers", 0.8, 0.8) == ""


def test_units_without_any_boundary_are_counted_and_a_map_of_nothing_says_so(shapes_page: Page) -> None:
    expect(shapes_page.locator(".hj-map-legend").first).to_contain_text("红色3")
    expect(shapes_page.locator(".hj-map-nothing")).to_have_text("没有可显示的边界")
