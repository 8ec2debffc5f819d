"""The leader's overview, driven in Chromium over the server that ``huanjie serve`` starts.

What the screen says is compared with the run's own Parquet files; the place of a unit on the page is worked
out here from its boundary and the view the map notes.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import pandas as pd
import pytest
from playwright.sync_api import Dialog, Locator, Page, WebSocket, expect

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.words import date_text, number_text
from huanjie_lib.vocabulary import Level
from tests.browser.axe import grave_findings
from tests.browser.large_type import EXTENT, cuts_nothing
from tests.browser.waiting import Talk, settled, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)>"
UNITS = 3215
MOST_MB = 250
EARTH = 6378137.0
KERNEL = "ipykernel"
Watch = Callable[[], AbstractContextManager[Any]]


@dataclass
class Screen:
    """An open overview: its page, what it was opened over, and what it told its kernel."""

    page: Page
    talk: Talk
    run: Path
    sent: list[str] = field(default_factory=list)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the run."""
        return pd.read_parquet(self.run / f"{name}.parquet")

    @property
    def side(self) -> Locator:
        return self.page.locator(".hj-side")

    def tab(self, label: str) -> None:
        self.page.get_by_role("tab", name=label, exact=True).click()

    def home(self) -> None:
        self.talk.end()
        back = self.page.get_by_role("button", name="返回总览")
        if back.count():
            back.click()
            self.talk.end()
        expect(self.page.get_by_role("tab", name="总体态势")).to_be_visible()

    def figure(self, name: str, within: str = ".hj-tiles") -> str:
        return self.page.locator(f'{within} [data-figure="{name}"]').inner_text()

    def pixel(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Return where on the page a place is drawn (web Mercator)."""
        surface = self.page.locator(".hj-map-surface")
        box = surface.bounding_box()
        assert box is not None
        middle_x, middle_y, zoom = map(float, str(surface.get_attribute("data-view")).split())
        scale = 256 * 2**zoom / (2 * math.pi)

        def north(degrees: float) -> float:
            return math.log(math.tan(math.pi / 4 + math.radians(degrees) / 2))

        return (
            box["x"] + box["width"] / 2 + scale * math.radians(longitude - middle_x),
            box["y"] + box["height"] / 2 - scale * (north(latitude) - north(middle_y)),
        )

    def largest(self, level: str) -> tuple[str, float, float]:
        """Return the largest unit of a level that lies clear of the map's panels, and a point inside it."""
        settled(self.page)
        index = self.table("index").set_index("unit_code")["level"]
        shapes = gpd.read_parquet(self.run / "boundaries.parquet")
        shapes = shapes[shapes["unit_code"].map(index) == level].to_crs(3857)
        shapes = shapes.assign(area=shapes.area).sort_values("area", ascending=False)
        panels = [panel.bounding_box() for panel in self.page.locator(".leaflet-control").all()]
        for code, shape in zip(shapes["unit_code"], shapes.geometry, strict=True):
            spot = shape.representative_point()
            longitude = math.degrees(spot.x / EARTH)
            latitude = math.degrees(2 * math.atan(math.exp(spot.y / EARTH)) - math.pi / 2)
            x, y = self.pixel(longitude, latitude)
            if not any(
                panel
                and panel["x"] - 5 < x < panel["x"] + panel["width"] + 5
                and panel["y"] - 5 < y < panel["y"] + panel["height"] + 5
                for panel in panels
            ):
                return str(code), longitude, latitude
        raise AssertionError(f"no {level} unit is clear of the panels")


def opened(watched: Any, url: str, run: Path, units: int = UNITS) -> Screen:
    """Open a served screen and wait until its map is painted."""
    screen = Screen(watched.page, watched.talk, run)

    def on_socket(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: screen.sent.append(str(frame)))

    watched.page.on("websocket", on_socket)
    watched.page.goto(url)
    until = time.monotonic() + 120
    while not any(f'"painted":{units}' in frame for frame in screen.sent):
        assert time.monotonic() < until, "the map was not painted"
        watched.page.wait_for_timeout(50)
    return screen


@pytest.fixture(scope="module")
def overview(watch: Watch, serve_screen: Callable[[Path], Any], sample_run: Path) -> Iterator[Screen]:
    """The overview of the whole sample city."""
    with watch() as watched:
        yield opened(watched, serve_screen(sample_run).url, sample_run)
        assert watched.page_errors == []
        assert watched.console_errors == []


@pytest.fixture
def screen(overview: Screen) -> Screen:
    """The overview as it opens."""
    overview.page.set_viewport_size({"width": 1366, "height": 768})
    overview.home()
    overview.tab("总体态势")
    overview.talk.end()
    return overview


@pytest.fixture(scope="module")
def hostile_run(sample_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample city with its reddest unit and two townships under hostile names."""
    run = tmp_path_factory.mktemp("hostile") / "run"
    shutil.copytree(sample_run, run)
    units = pd.read_parquet(run / "units.parquet")
    index = pd.read_parquet(run / "index.parquet").set_index("unit_code")
    code = index.loc[index["level"] == "red", "index"].idxmin()
    township_of = units.set_index("unit_code")["township_code"]
    worst = index["index"].groupby(township_of).mean().idxmin()
    units.loc[units["unit_code"] == code, "unit_name"] = HOSTILE
    renamed = units["township_code"].isin([township_of[code], worst])
    units.loc[renamed, ["township_name", "county_name"]] = f"乡{HOSTILE}"
    units.to_parquet(run / "units.parquet", index=False)
    return run


def test_all_units_are_painted_and_counts_equal_the_index(screen: Screen) -> None:
    index = screen.table("index")
    assert len(index) == UNITS
    counts = index["level"].value_counts()
    for level in (Level.RED, Level.YELLOW, Level.GREEN):
        assert screen.figure(level.value) == f"{counts[level.value]:,}"
        expect(screen.page.locator(".hj-map-legend")).to_contain_text(f"{level.label}{counts[level.value]:,}")
    assert screen.figure("to_verify") == f"{index['to_verify'].sum():,}"
    assert screen.figure("mean") == number_text(index["index"].mean())
    gates = screen.table("gates")
    failing = set(gates.loc[gates["status"] != "pass", "unit_code"])
    assert screen.figure("admitted") == f"{UNITS - len(failing):,}"
    expect(screen.page.locator(".hj-head")).to_contain_text(date_text(index["as_of"].iloc[0].date()))


@pytest.mark.parametrize("level", ["red", "yellow", "green"])
def test_a_click_on_the_map_opens_the_profile_of_that_unit(screen: Screen, level: str) -> None:
    code, longitude, latitude = screen.largest(level)
    screen.page.mouse.click(*screen.pixel(longitude, latitude))
    profile = screen.page.locator(f'.hj-profile[data-unit="{code}"]')
    expect(profile).to_be_visible()

    unit = screen.table("units").set_index("unit_code").loc[code]
    expect(profile).to_contain_text(unit["unit_name"])
    expect(profile).to_contain_text(unit["township_name"])
    row = screen.table("index").set_index("unit_code").loc[code]
    assert screen.figure("index", ".hj-profile") == number_text(row["index"])
    low, high = number_text(row["index_low"]), number_text(row["index_high"])
    if low != high:
        assert screen.figure("range", ".hj-profile") == f"{low}～{high}"
    expect(profile.locator(".hj-verdicts")).to_contain_text(Level(level).label)

    lost = screen.table("points_lost")
    lost = lost[(lost["unit_code"] == code) & (lost["points"] >= 0.05)]
    shown = {
        cell.get_attribute("data-loss"): cell.inner_text() for cell in profile.locator("[data-loss]").all()
    }
    assert shown == {loss.indicator: number_text(loss.points) for loss in lost.itertuples()}

    screen.page.get_by_role("tab", name=re.compile("准入条件")).click()
    gates = screen.table("gates")
    gates = gates[gates["unit_code"] == code]
    expect(profile.locator(".hj-verdict-list > li")).to_have_count(len(gates))
    for reason in gates["reason"]:
        expect(profile).to_contain_text(reason)

    screen.home()
    expect(screen.page.locator(".hj-profile")).to_have_count(0)


def test_the_league_leads_to_a_township_and_on_to_a_unit(screen: Screen) -> None:
    frame = screen.table("index").merge(screen.table("units"), on="unit_code")
    means = frame.groupby("township_code")["index"].mean().sort_values()
    worst = means.index[0]
    screen.tab("镇街排名")
    rows = screen.page.locator(".hj-league tbody tr")
    expect(rows).to_have_count(len(means))
    first = rows.first
    expect(first).to_contain_text(number_text(means.iloc[0]))
    whole = settled(screen.page)
    first.get_by_role("button").click()
    units = frame[frame["township_code"] == worst].sort_values("index")
    listed = screen.page.locator(".hj-listing li")
    expect(listed).to_have_count(len(units))
    screen.talk.end()
    assert settled(screen.page)[2] > whole[2] + 1  # the map has gone there
    red = units[units["level"] == "red"]
    expect(listed.first).to_contain_text((red if len(red) else units)["unit_name"].iloc[0])
    listed.first.get_by_role("button").click()
    expect(screen.page.locator(".hj-profile")).to_contain_text(units["township_name"].iloc[0])
    screen.page.locator('[data-action="back"]').click()
    expect(listed).to_have_count(len(units))
    screen.home()
    assert settled(screen.page) == pytest.approx(whole, abs=0.01)


def test_tiles_list_their_units(screen: Screen) -> None:
    to_verify = int(screen.table("index")["to_verify"].sum())
    screen.page.locator('.hj-tile[data-value="to_verify"]').click()
    expect(screen.side).to_contain_text(f"共 {to_verify:,} 个")
    expect(screen.page.locator(".hj-listing li .hj-verify:not(.hj-contested)")).to_have_count(to_verify)


def test_contested_colours_are_listed_and_explained(screen: Screen) -> None:
    contested = screen.table("uncertainty").query("contested")
    screen.page.locator('.hj-tile[data-value="contested"]').click()
    expect(screen.side).to_contain_text(f"共 {len(contested):,} 个")
    screen.page.locator(".hj-listing button").first.click()
    screen.page.locator("#hj-section-readings").click()
    certainty = screen.page.locator('[data-reading="certainty"]')
    expect(certainty).to_contain_text("颜色有争议")
    expect(certainty).not_to_contain_text(re.compile(r"\d{12}"))
    expect(screen.page.locator('[data-reading="remedy"]')).to_contain_text("恢复")


def test_every_gate_and_every_source_is_told(screen: Screen) -> None:
    gates = screen.table("gates")
    screen.tab("准入进度")
    passed = (gates["status"] == "pass").groupby(gates["gate"]).sum()
    expect(screen.page.locator(".hj-gates > li")).to_have_count(len(passed))
    for count in passed:
        expect(screen.side).to_contain_text(f"通过 {count:,}")
    screen.tab("数据体检")
    for label in screen.table("freshness")["label"]:
        expect(screen.side).to_contain_text(label)
    screen.tab("走势")
    history = screen.table("history")
    last = history[history["as_of"] == history["as_of"].max()]
    expect(screen.side.locator("tbody tr").first).to_contain_text(f"{(last['level'] == 'red').sum():,}")


def test_a_unit_is_found_by_keyboard_alone(screen: Screen) -> None:
    unit = screen.table("units").iloc[1234]
    page = screen.page
    page.locator(".hj-search-field").focus()
    page.keyboard.type(unit["unit_code"][:-1])
    expect(page.locator("#hj-matches button").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#hj-matches")).to_be_hidden()
    page.keyboard.type(unit["unit_code"])
    expect(page.locator("#hj-matches button")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(f'.hj-profile[data-unit="{unit["unit_code"]}"]')).to_be_visible()
    expect(page.locator("#hj-matches")).to_be_hidden()
    expect(page.locator(".hj-search-field")).to_have_value("")
    page.get_by_role("tab", name="扣分明细").focus()
    page.keyboard.press("ArrowRight")
    for section in ("研判", "准入条件"):
        tab = page.get_by_role("tab", name=re.compile(section))
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(tab).to_be_focused()
        page.keyboard.press("ArrowRight")


def test_a_link_leads_to_a_unit_back_leads_out_again_and_a_bad_link_is_told(screen: Screen) -> None:
    page = screen.page
    unit = screen.table("units").iloc[1234]
    place = f"#unit={unit['unit_code']}&township={unit['township_code']}"
    page.evaluate("place => { location.hash = place; }", place)
    expect(page.locator(".hj-profile h2")).to_have_text(unit["unit_name"])
    page.keyboard.press("Escape")
    expect(screen.side.locator("h2")).to_have_text(re.compile(f"^{unit['township_name']}"))
    expect(page).to_have_url(re.compile(f"/#township={unit['township_code']}$"))
    page.go_back()
    expect(page.locator(".hj-profile h2")).to_have_text(unit["unit_name"])
    page.go_back()
    expect(page.get_by_role("tab", name="总体态势")).to_be_visible()

    history = screen.table("history")
    then = sorted(history["as_of"].unique())[-2]
    red = ((history["as_of"] == then) & (history["level"] == "red")).sum()
    page.evaluate("place => { location.hash = place; }", f"#as_of={then:%Y-%m-%d}")
    expect(screen.side).to_contain_text(f"正在看 {date_text(then.date())} 的快照")
    expect(page.locator(".hj-map-legend")).to_contain_text(f"红色{red:,}")
    assert screen.figure("red") == f"{red:,}"
    page.get_by_role("button", name="回到最新").click()
    expect(page.locator(".hj-then")).to_have_count(0)

    page.evaluate("location.hash = '#unit=000000000000&as_of=2020-01-01'")
    notice = page.locator(".hj-notice").get_by_role("alert")
    expect(notice).to_contain_text("村（社区）“000000000000”不在本界面")
    expect(notice).to_contain_text("没有“2020-01-01”这一天的快照")
    expect(page).to_have_url(re.compile(r"/$"))
    page.keyboard.press("Escape")
    expect(notice).to_have_count(0)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler) is not installed")
def test_a_printed_screen_is_one_page_with_its_map_and_the_list_at_full_length(
    screen: Screen, tmp_path: Path
) -> None:
    page = screen.page
    paper = tmp_path / "screen.pdf"
    page.pdf(path=paper, format="A4", landscape=True)
    (words,) = pages_of(paper)
    for part in ("村（社区）换届选情总览", "2026年10月31日", "三色预警图", f"{UNITS:,}"):
        assert part in words
    assert "镇街排名" not in words  # a tab that is not on view, and nothing to press
    screen.tab("镇街排名")
    expect(page.locator(".hj-league")).to_be_visible()
    page.pdf(path=paper, format="A4", landscape=True)
    told = "".join(pages_of(paper))
    assert [name for name in screen.table("units")["township_name"].unique() if name not in told] == []


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler) is not installed")
def test_paper_that_stands_upright_cuts_nothing_off_at_its_right_edge(screen: Screen, tmp_path: Path) -> None:
    page = screen.page
    page.locator('.hj-tile[data-value="red"]').click()
    rows = page.locator(".hj-listing li")
    expect(rows.first).to_be_visible()
    edges = ".hj-tile-count, .hj-tile-change, .hj-listing-index, .hj-listing-change"
    said = ["".join(text.split()) for text in page.locator(edges).all_text_contents()]
    assert len(said) > rows.count()
    paper = tmp_path / "screen.pdf"
    page.pdf(path=paper, format="A4")
    told = "".join(pages_of(paper))
    assert [text for text in said if text not in told] == []


def pages_of(paper: Path) -> list[str]:
    """Return the words of each page of a PDF, without the breaks between them."""
    told = subprocess.run(["pdftotext", "-raw", str(paper), "-"], check=True, capture_output=True, text=True)
    return ["".join(text.split()) for text in told.stdout.split("\f")[:-1]]


def test_a_search_without_a_match_says_so(screen: Screen) -> None:
    screen.page.locator(".hj-search-field").fill("没有这个村")
    expect(screen.page.locator("#hj-matches")).to_contain_text("没有找到")
    screen.page.locator(".hj-search-field").fill("")
    expect(screen.page.locator("#hj-matches")).to_be_hidden()


CUT = """() => [...document.querySelectorAll('.hj-screen *')]
    .filter((part) => part.clientWidth && part.scrollWidth > part.clientWidth + 1
        && !part.closest('svg, .hj-map') && getComputedStyle(part).overflowX !== 'visible')
    .map((part) => `${part.className}: ${part.textContent.trim().slice(0, 40)}`)"""


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_nothing_is_cut_at_the_sizes_of_projectors(
    screen: Screen, width: int, height: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = screen.page
    page.set_viewport_size({"width": width, "height": height})
    pictures = tmp_path_factory.mktemp(f"overview-{width}x{height}")
    code, _, _ = screen.largest("red")
    steps: dict[str, Callable[[], object]] = {
        "picture": lambda: None,
        "league": lambda: screen.tab("镇街排名"),
        "gates": lambda: screen.tab("准入进度"),
        "trend": lambda: screen.tab("走势"),
        "freshness": lambda: screen.tab("数据体检"),
        "listing": lambda: page.locator('.hj-tile[data-value="red"]').click(),
        "profile": lambda: (
            page.locator(".hj-search-field").fill(code),
            page.locator(f'#hj-matches [data-value="{code}"]').click(),
        ),
        "readings": lambda: page.locator("#hj-section-readings").click(),
    }
    for name, step in steps.items():
        step()
        screen.talk.end()
        settled(page)
        page.screenshot(path=pictures / f"{name}.png")
        assert page.evaluate(CUT) == [], name
        assert page.evaluate(EXTENT) == [width, height], name
        assert width > 1366 or grave_findings(page) == [], name
    assert len(list(pictures.glob("*.png"))) == len(steps)


def test_large_type_on_a_small_projector_cuts_nothing(screen: Screen) -> None:
    cuts_nothing(screen.page, CUT, above="hj-head", below="hj-search")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_viewer_costs_little_memory_and_nothing_after_leaving(
    watch: Watch, serve_screen: Callable[[Path], Any], sample_run: Path
) -> None:
    server = serve_screen(sample_run)

    def kernels() -> set[int]:
        listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], check=True, capture_output=True, text=True)
        rows = (line.split(None, 2) for line in listed.stdout.splitlines())
        return {
            int(pid) for pid, parent, args in rows if int(parent) == server.process.pid and KERNEL in args
        }

    def resident(pid: int) -> float:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            return 0.0  # one of another page, which has gone since
        return sum(int(kilobytes) for kilobytes in re.findall(r"VmRSS:\s+(\d+)", status)) / 1024

    with watch() as watched:
        unit = pd.read_parquet(sample_run / "units.parquet").iloc[77]
        opened(watched, f"{server.url}&unit={unit['unit_code']}", sample_run)
        expect(watched.page.locator(".hj-profile h2")).to_have_text(unit["unit_name"])
        assert urlsplit(watched.page.url)[2:] == ("/", "", f"unit={unit['unit_code']}")  # no token, no query
        before = kernels()
        assert before
        assert 0 < max(map(resident, before)) <= MOST_MB
        watched.page.goto("about:blank")
        wait_until(watched.page, "the kernel has ended", lambda: not before <= kernels())


def test_a_page_whose_server_has_gone_says_so(
    watch: Watch, new_screen: Callable[[Path, Path], Any], small_run: Run, tmp_path: Path
) -> None:
    assert small_run.path is not None
    server = new_screen(small_run.path, tmp_path)
    with watch() as watched:
        opened(watched, server.url, small_run.path, units=len(small_run.units))
        notice = watched.page.locator("#hj-offline")
        expect(notice).to_be_hidden()
        server.process.terminate()
        assert server.process.wait(120) == 0
        expect(notice).to_be_visible(timeout=60_000)
        expect(notice).to_contain_text("请刷新页面")
        watched.page.screenshot(path=tmp_path / "gone.png")


def test_a_hostile_name_is_text_everywhere(
    watch: Watch, serve_screen: Callable[[Path], Any], hostile_run: Path
) -> None:
    dialogs: list[str] = []

    def on_dialog(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    with watch() as watched:
        watched.page.on("dialog", on_dialog)
        screen = opened(watched, serve_screen(hostile_run).url, hostile_run)
        page = screen.page
        units = screen.table("units")
        code = units.loc[units["unit_name"] == HOSTILE, "unit_code"].item()

        expect(screen.side).to_contain_text(f"乡{HOSTILE}")  # the picture names the worst township
        screen.tab("镇街排名")
        expect(screen.side).to_contain_text(f"乡{HOSTILE}")
        page.locator(".hj-search-field").fill("<img")
        expect(page.locator("#hj-matches")).to_contain_text(HOSTILE)
        page.locator(f'#hj-matches [data-value="{code}"]').click()
        expect(page.locator(".hj-profile h2")).to_have_text(HOSTILE)
        page.locator(".hj-search-field").fill(f"{HOSTILE}没有")
        expect(page.locator("#hj-matches")).to_contain_text(HOSTILE)
        page.locator(".hj-search-field").fill("")
        page.locator('.hj-tile[data-value="red"]').click()
        expect(page.locator(".hj-listing li").first).to_contain_text(HOSTILE)

        page.locator(f'.hj-listing [data-value="{code}"]').click()
        expect(page.locator(".hj-profile h2")).to_have_text(HOSTILE)
        screen.talk.end()
        settled(page)  # the map moves to the unit
        spot = gpd.read_parquet(hostile_run / "boundaries.parquet").set_index("unit_code").geometry[code]
        page.mouse.move(*screen.pixel(*spot.representative_point().coords[0]))
        expect(page.locator(".hj-map-tooltip")).to_contain_text(HOSTILE)

        assert page.locator(".hj-screen img, .hj-screen [onerror]").count() == 0
        assert dialogs == []
        assert watched.page_errors == []
        assert watched.console_errors == []
