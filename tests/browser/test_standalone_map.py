"""The standalone map in Chromium, opened from a file: what is painted, what a pointer and a search find."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.folium_map import folium_map, levels_map, standalone_html
from huanjie_lib.views.tables import hover_lines
from huanjie_lib.vocabulary import Level
from tests.browser.waiting import at_rest, drawn, wait_until

pytestmark = pytest.mark.browser

REAL = Path(__file__).parents[1] / "data" / "villages_real.topo.json"
HOSTILE = "<img src=x onerror=alert(1)>"


def open_file(watched: object, text: str, folder: Path) -> Page:
    """Open a page from a file; it must ask for nothing else, and complain of nothing."""
    path = folder / "map.html"
    path.write_text(text, encoding="utf-8")
    page: Page = watched.page  # type: ignore[attr-defined]
    page.on("dialog", lambda dialog: pytest.fail(f"the page ran code of a name: {dialog.message}"))
    page.goto(path.as_uri())
    page.wait_for_function("window.map_levels && document.fonts.status === 'loaded'")
    drawn(page)
    requests = [address for address in watched.requests if not address.startswith("data:")]  # type: ignore[attr-defined]
    assert requests == [path.as_uri()]
    watched.requests.clear()  # type: ignore[attr-defined] - the file itself was the one request
    return page


def spot(page: Page, latitude: float, longitude: float) -> tuple[float, float]:
    """Return where a place lies in the window, once the map has come to rest."""

    def look() -> str:
        at = page.evaluate(
            "([y, x]) => { const p = map_levels.latLngToContainerPoint([y, x]);"
            " const b = map_levels.getContainer().getBoundingClientRect(); return [p.x + b.x, p.y + b.y]; }",
            [latitude, longitude],
        )
        return f"{at[0]} {at[1]}"

    x, y = at_rest(page, look).split()
    return float(x), float(y)


def picture(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def colour(level: Level) -> tuple[int, int, int]:
    return int(level.colour[1:3], 16), int(level.colour[3:5], 16), int(level.colour[5:7], 16)


def patch(image: Image.Image, at: tuple[float, float], reach: int = 8) -> set[tuple[int, ...]]:
    x, y = round(at[0]), round(at[1])
    cut = np.asarray(image.crop((x - reach, y - reach, x + reach, y + reach)))
    return {tuple(int(part) for part in pixel) for pixel in cut.reshape(-1, 3)}


@pytest.fixture
def opened(watched: object, small_run: Run, tmp_path: Path) -> Page:
    return open_file(watched, standalone_html(folium_map(small_run, small_run.boundaries())), tmp_path)


def places(run: Run) -> list[tuple[str, float, float]]:
    columns = (run.units["unit_code"], run.units["latitude"], run.units["longitude"])
    # Off the middle, so that a township's name does not stand on the spot.
    return [(code, y - 0.006, x - 0.006) for code, y, x in zip(*columns, strict=True)]


def test_every_unit_is_painted_in_its_colour(opened: Page, small_run: Run) -> None:
    image = picture(opened)
    index = small_run.index.set_index("unit_code")
    polygons = set(small_run.boundaries().dropna()["unit_code"])
    hatched = 0
    for code, latitude, longitude in places(small_run):
        if code not in polygons:
            continue
        seen = patch(image, spot(opened, latitude, longitude))
        level = Level.lookup()[index.at[code, "level"]]
        wanted = colour(level)
        assert wanted in seen
        if index.at[code, "to_verify"]:
            hatched += 1
            light = level is Level.RED
            assert any((sum(p) > sum(wanted) + 60) if light else (sum(p) < sum(wanted) - 60) for p in seen)
        else:
            assert seen == {wanted}
    assert hatched
    bare = small_run.units.set_index("unit_code").drop(index=list(polygons)).iloc[0]
    at = spot(opened, bare["latitude"], bare["longitude"])
    assert image.getpixel((round(at[0]), round(at[1]))) == colour(
        Level.lookup()[index.at[bare.name, "level"]]
    )


def tells(places: Locator, lines: list[str]) -> bool:
    return places.all_inner_texts() == lines


def test_hover_and_click_say_what_the_run_says(opened: Page, small_run: Run) -> None:
    for (code, latitude, longitude), lines in zip(places(small_run), hover_lines(small_run), strict=True):
        if code == "990102001202":  # without a polygon: its mark is smaller than the shift
            latitude, longitude = latitude + 0.006, longitude + 0.006
        opened.mouse.move(*spot(opened, latitude, longitude))
        wait_until(opened, code, partial(tells, opened.locator(".leaflet-tooltip p"), list(lines)))
        opened.mouse.click(*spot(opened, latitude, longitude))
        said = opened.locator(".leaflet-popup-content p").last
        expect(said).to_have_text(f"统计用区划代码 {code}")
        opened.keyboard.press("Escape")
    assert opened.locator("img").count() == 0


def test_search_finds_a_name_and_opens_it(opened: Page) -> None:
    field = opened.get_by_placeholder("查找村（社区）名称")
    field.fill("<img")
    assert opened.locator(".hj-found button").all_inner_texts() == [f"{HOSTILE}（云溪镇）"]
    field.press("Enter")
    assert opened.locator(".leaflet-popup-content .hj-name").inner_text() == f"{HOSTILE}（云溪镇）"
    field.fill("没有这个村")
    assert opened.locator(".hj-found").inner_text() == "没有找到"


def test_legend_hides_and_shows_a_colour(opened: Page, small_run: Run) -> None:
    red = small_run.index.set_index("unit_code")["level"] == "red"
    code, latitude, longitude = next(place for place in places(small_run) if red[place[0]])
    at = spot(opened, latitude, longitude)
    box = opened.locator(".hj-legend label", has_text="红色").locator("input")
    box.uncheck()
    wait_until(opened, "no red", lambda: colour(Level.RED) not in patch(picture(opened), at))
    box.check()
    wait_until(opened, "red again", lambda: colour(Level.RED) in patch(picture(opened), at))
    assert code


def test_real_villages_are_all_drawn(watched: object, tmp_path: Path) -> None:
    real = gpd.read_file(REAL).set_crs(4326)
    count = len(real)
    names = real["VILLAGENAM"].fillna("（名称缺失）")
    levels = np.array(["red", "yellow", "green"])[np.arange(count) % 3]
    units = pd.DataFrame(
        {
            "unit_code": [f"{n:012d}" for n in range(count)],
            "level": levels,
            "to_verify": False,
            "lines": [(str(name),) for name in names],
            "more": [()] * count,
            "group": real["COUNTYNAME"].fillna("") + real["TOWNNAME"].fillna(""),
            "group_name": real["TOWNNAME"].fillna(""),
        }
    )
    boundaries = real[["geometry"]].assign(unit_code=units["unit_code"])
    page = open_file(
        watched,
        standalone_html(levels_map(units, boundaries, title="村级边界", subtitle="真实数据")),
        tmp_path,
    )
    drawn = page.evaluate(
        "() => { let n = 0;"
        " map_levels.eachLayer(({ options }) => (n += options.patterns?.length === 0 ? 1 : 0));"
        " return n; }"
    )
    assert drawn == count == 7599
    image = picture(page)
    largest = real.to_crs(3857).make_valid().area.nlargest(12).index
    for number in largest:
        inside = real.geometry[number].representative_point()
        seen = patch(image, spot(page, inside.y, inside.x), reach=5)
        assert colour(Level.lookup()[levels[number]]) in seen
