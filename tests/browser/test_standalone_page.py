"""The page from a memory stick in Chromium, off the network: what it shows, and what its sliders find."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from huanjie_lib.exports.standalone import standalone_page
from huanjie_lib.parameters import Classification, load_parameters
from huanjie_lib.risk.rescoring import Losses, rescore
from huanjie_lib.screens.what_if import WhatIfModel
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.meeting import meeting_of
from huanjie_lib.views.tables import level_bytes, unit_table
from huanjie_lib.views.words import number_text
from huanjie_lib.vocabulary import Level
from tests.browser.conftest import PATIENCE_MS
from tests.browser.waiting import settled, wait_until

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"
SETTINGS = [
    [("finance_audit", 400)],
    [("green_from", 700), ("yellow_from", 690)],
    [("conflict_petition", 1000), ("procedure", 0), ("election_outlook", 333), ("yellow_from", 455)],
    [("candidate_reserve", 617), ("green_from", 881), ("finance_audit", 17)],
]


@pytest.fixture(scope="module")
def file(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("standalone") / "会议.html"
    path.write_text(standalone_page(meeting_of(small_run), small_run, mark="内部资料"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Page]:
    """Return the page, opened from a file without a network; any request or complaint fails the test."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN", offline=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    asked: list[str] = []
    amiss: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: amiss.append(message.text))
    page.on("pageerror", lambda error: amiss.append(str(error)))
    page.on("dialog", lambda dialog: amiss.append(f"ran code of a name: {dialog.message}"))
    page.goto(file.as_uri())
    expect(page.locator("#hj-amiss")).to_have_count(0)
    yield page
    assert [address for address in asked if not address.startswith("data:")] == [file.as_uri()]
    assert amiss == []
    context.close()


def turn(page: Page, dial: str, value: int) -> None:
    page.evaluate(
        "([dial, value]) => { const part = document.querySelector(`[data-dial=${dial}]`);"
        " part.value = value; part.dispatchEvent(new Event('input')); }",
        [dial, value],
    )


def spots(page: Page, run: Run) -> list[tuple[int, int]]:
    """Return where in the window each unit of the run lies, a little off its middle."""
    longitude, latitude, zoom = settled(page)
    box = page.locator(".hj-map-surface").bounding_box()
    assert box is not None
    size = 256 * 2**zoom

    def north(degrees: float) -> float:
        return 0.5 - math.log(math.tan(math.pi / 4 + math.radians(degrees) / 2)) / (2 * math.pi)

    return [
        (
            round(box["x"] + box["width"] / 2 + (x - longitude) / 360 * size),
            round(box["y"] + box["height"] / 2 + (north(y - 0.007) - north(latitude)) * size),
        )
        for x, y in zip(run.units["longitude"], run.units["latitude"], strict=True)
    ]


def painted(page: Page, run: Run) -> list[Level | None]:
    """Return the level whose colour is seen in each unit; where a unit has no area, in its point."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    by_colour = {tuple(bytes.fromhex(level.colour[1:])): level for level in Level}
    drawn = set(run.boundaries().dropna()["unit_code"])
    found = []
    for code, (x, y) in zip(run.units["unit_code"], spots(page, run), strict=True):
        cut = np.asarray(image.crop((x - 6, y - 6, x + 6, y + 6))).reshape(-1, 3)
        seen = {by_colour[colour] for colour in map(tuple, cut.tolist()) if colour in by_colour}
        found.append(seen.pop() if len(seen) == 1 and code in drawn else None)
    return found


@pytest.mark.parametrize("moves", SETTINGS, ids=["audit", "cuts", "three", "crowded"])
def test_a_slider_paints_what_the_library_finds(
    opened: Page, small_run: Run, moves: list[tuple[str, int]]
) -> None:
    model = WhatIfModel(small_run)
    opened.get_by_role("tab", name="试算").click()
    for dial, value in moves:
        model.move(dial, value)
        turn(opened, dial, value)
    wait_until(opened, "the slider has come to rest", lambda: not opened.locator(".hj-moving").count())
    outputs = [float(text[:-1]) for text in opened.locator(".hj-dial output").all_inner_texts()]
    assert outputs == [*(tenth / 10 for tenth in model.tenths), model.yellow_from, model.green_from]
    found = opened.evaluate("Array.from(huanjie.shared.get('levels'))")
    assert bytes(found) == model.level_bytes()

    ranks = [Level.UNKNOWN, Level.RED, Level.YELLOW, Level.GREEN]
    wanted = [ranks[rank] for rank in model.changes.proposed.rank]
    wait_until(opened, "the colours of the trial", lambda: painted(opened, small_run)[:-1] == wanted[:-1])

    for name, (count, _) in model.counts().items():
        figure = opened.locator(f'[data-figure="{"mean" if name == "changed" else name}"]')
        assert figure.inner_text() == str(count)
    model.listed = 100
    rows = model.rows()
    listed = opened.locator("#hj-trial .hj-listing li")
    assert [part.get_attribute("data-unit") for part in listed.all()] == [row["unit_code"] for row in rows]
    assert listed.locator(".hj-listing-reason").all_inner_texts() == [row["reason"] for row in rows]
    indices = [f"{row['before']}→{row['after']}" for row in rows]
    assert listed.locator(".hj-listing-index").all_inner_texts() == indices
    for place, code in enumerate(small_run.units["unit_code"]):
        said = opened.evaluate("place => huanjie.trial.explain(place, huanjie.tried)", place)
        assert said == model.changes.explain(code)

    opened.get_by_role("button", name="恢复现行").click()
    adopted = [Level.lookup()[level] for level in unit_table(small_run)["level"]]
    wait_until(opened, "the adopted colours", lambda: painted(opened, small_run)[:-1] == adopted[:-1])
    assert bytes(opened.evaluate("Array.from(huanjie.shared.get('levels'))")) == level_bytes(small_run)


def test_locks_and_keys_move_the_sliders_as_the_screen_does(opened: Page, small_run: Run) -> None:
    model = WhatIfModel(small_run)
    opened.get_by_role("tab", name="试算").click()
    opened.get_by_role("button", name="锁定财务审计权重").click()
    model.lock("finance_audit")
    dial = opened.locator("[data-dial=procedure]")
    dial.focus()
    for key, step in (("ArrowRight", 10), ("Shift+ArrowRight", 1), ("ArrowDown", -10), ("ArrowRight", 10)):
        model.move("procedure", model.tenths[6] + step)
        opened.keyboard.press(key)
    assert opened.evaluate("huanjie.trial.tenths") == list(model.tenths)
    expect(opened.locator("[data-dial=finance_audit]")).to_be_disabled()


@pytest.mark.parametrize("cuts", [(80, 60, 1, 0), (75, 55, 0, 0), (65, 40, 3, 2.5)])
def test_a_thousand_units_on_and_off_the_cut_offs_get_the_librarys_colours(
    opened: Page, cuts: tuple[float, float, float, float]
) -> None:
    rng = np.random.default_rng(7)
    framework = load_parameters().framework
    units, steps, size = 1000, 5, len(framework.dimensions)
    tables = rng.integers(0, 21, (steps + 2, units, size)) * 5.0  # many indices lie on a cut-off exactly
    tables[:, ::2] += rng.uniform(-0.4, 0.4, (steps + 2, (units + 1) // 2, size))
    tables = np.clip(tables, 0, 100)
    scored = rng.random((steps, units)) > 0.1
    losses = Losses(
        units=[f"{n:012d}" for n in range(units)],  # type: ignore[arg-type]
        framework=framework,
        as_of=None,  # type: ignore[arg-type]
        past=tables[: steps - 1],
        current=tables[-3],
        worst=tables[-2],
        best=tables[-1],
        past_scored=scored[:-1],
        scored=scored[-1],
    )
    green, yellow, improve, worsen = cuts
    asked = {
        "losses": tables.transpose(2, 1, 0).ravel().tolist(),
        "scored": scored.T.ravel().astype(int).tolist(),
        "dimensions": [{"label": d.label, "weight": d.weight} for d in framework.dimensions],
        "cuts": {
            "green_from": green,
            "yellow_from": yellow,
            "improve_margin": improve,
            "worsen_margin": worsen,
        },
        "moves": [[0, 400], [3, 0], [6, 555]],
        "units": units,
    }
    found = json.loads(
        opened.evaluate(
            "({losses, scored, moves, ...rest}) => { const trial = new huanjie.trial.constructor({ losses:"
            " Float64Array.from(losses), scored: Uint8Array.from(scored), ...rest });"
            " const told = [trial.adopted]; for (const [at, value] of moves) { trial.weigh(at, value);"
            " told.push(trial.scores()); } return JSON.stringify(told.map("
            "({weights, index, rank, toVerify}) =>"
            " ({weights, index: [...index], rank: [...rank], open: [...toVerify]}))); }",
            asked,
        )
    )
    parameters = load_parameters().classification
    classification: Classification = parameters.model_copy(update=asked["cuts"])
    assert len(found) == 4
    for told in found:
        wanted = rescore(losses, told["weights"], classification)
        assert told["index"] == wanted.index.tolist()
        assert told["rank"] == wanted.rank.tolist()
        assert told["open"] == wanted.to_verify.astype(int).tolist()
    assert len({tuple(told["rank"]) for told in found}) > 1
    assert any(value in (green, yellow) for told in found for value in told["index"])


def test_figures_are_written_as_python_writes_them(opened: Page) -> None:
    rng = np.random.default_rng(3)
    values = [
        0.25,
        0.75,
        0.35,
        12.45,
        0.05,
        99.95,
        62.5,
        *(rng.integers(0, 800, 200) / 8),
        *rng.uniform(0, 100, 200),
    ]
    found = opened.evaluate(
        "values => values.map((value) => huanjie.figure(value))", [float(v) for v in values]
    )
    assert found == [number_text(value) for value in values]


def test_hover_and_click_tell_of_the_unit(opened: Page, small_run: Run) -> None:
    table = unit_table(small_run).set_index("unit_code")
    for code, (x, y) in list(zip(small_run.units["unit_code"], spots(opened, small_run), strict=True))[:11]:
        row = table.loc[code]
        opened.mouse.move(x, y)
        told = opened.locator(".hj-map-tooltip")
        expect(told).to_contain_text(f"{row['unit_name']}（{row['township_name']}）")
        expect(told).to_contain_text(number_text(row["index"]))
        if row["reason_1"]:
            expect(told).to_contain_text(row["reason_1"])
    opened.mouse.click(x, y)
    panel = opened.locator("#hj-unit")
    expect(panel.locator("h2")).to_have_text(row["unit_name"])
    expect(panel.locator(".hj-index strong")).to_have_text(number_text(row["index"]))
    opened.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_a_units_panel_says_what_the_run_says(opened: Page, small_run: Run) -> None:
    opened.get_by_role("tab", name="村（社区）").click()
    opened.get_by_role("button", name=HOSTILE, exact=True).click()
    panel = opened.locator("#hj-unit")
    expect(panel.locator("h2")).to_have_text(HOSTILE)
    assert opened.locator("img").count() == 0
    code = "990101101202"
    assert opened.url.endswith(f"#{code}")
    lost = small_run.points_lost.query("unit_code == @code").groupby("dimension")["points"].sum()
    labels = {d.id: (d.label, 100 * d.weight) for d in small_run.parameters.framework.dimensions}
    bars = panel.locator(".hj-loss-bar").all_inner_texts()
    assert [bar.split("\n") for bar in bars] == [
        [label, f"扣 {number_text(lost[name])} / {number_text(most)}"]
        for name, (label, most) in labels.items()
    ]
    points = small_run.indicators.query("unit_code == @code and points >= 0.05").sort_values(
        "points", ascending=False
    )
    assert panel.locator(".hj-losses .hj-strong").all_inner_texts() == [
        number_text(p) for p in points["points"]
    ]
    gates = small_run.gates.query("unit_code == @code")
    statuses = {"pass": "通过", "fail": "不通过", "unknown": "待核实"}
    assert panel.locator(".hj-verdict-list .hj-admission").all_inner_texts() == [
        statuses[s] for s in gates["status"]
    ]
    panel.get_by_role("button", name="返回").click()
    expect(panel).to_be_hidden()


def test_lists_filter_and_sort(opened: Page, small_run: Run) -> None:
    table = unit_table(small_run)
    opened.get_by_role("tab", name="村（社区）").click()
    rows = opened.locator("#hj-units tbody tr")
    codes = lambda: [row.get_attribute("data-unit") for row in rows.all()]  # noqa: E731
    assert rows.count() == 12
    opened.get_by_role("button", name="指数").click()
    assert codes() == table.sort_values(["index", "unit_code"])["unit_code"].tolist()
    opened.get_by_role("button", name="指数").click()
    assert codes() == table.sort_values("index", ascending=False)["unit_code"].tolist()
    reds = table[table["level"] == "red"]
    opened.get_by_role("button", name=f"红色 {len(reds)}").click()
    assert set(codes()) == set(reds["unit_code"])
    opened.get_by_role("button", name="全部 12").click()
    opened.get_by_label("查找村（社区）、镇街或代码").press_sequentially("石桥")
    assert opened.locator(".hj-found").inner_text() == "共 3 个"
    assert opened.evaluate("document.activeElement.value") == "石桥"

    opened.get_by_role("tab", name="镇街").click()
    names = opened.locator("#hj-league tbody .hj-link")
    first = names.all_inner_texts()
    opened.get_by_role("button", name="平均指数").click()
    assert names.all_inner_texts() == first
    opened.get_by_role("button", name="平均指数").click()
    assert names.all_inner_texts() == first[::-1]
    names.first.click()
    assert len(codes()) == len(table[table["township_name"] == first[-1]])


def test_tabs_go_by_keys_and_paper_shows_the_mark(opened: Page) -> None:
    opened.get_by_role("tab", name="总体情况").focus()
    for key, name in (("ArrowRight", "村（社区）"), ("End", "说明"), ("ArrowRight", "总体情况")):
        opened.keyboard.press(key)
        expect(opened.get_by_role("tab", name=name)).to_be_focused()
        expect(opened.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    expect(opened.locator(".hj-foot")).to_be_hidden()
    opened.emulate_media(media="print")
    expect(opened.locator(".hj-foot")).to_be_visible()
    expect(opened.locator(".hj-tabs")).to_be_hidden()


@pytest.mark.parametrize("tab", ["总体情况", "试算"])
def test_the_city_fills_its_map_beside_a_wide_legend(opened: Page, small_run: Run, tab: str) -> None:
    opened.get_by_role("tab", name=tab).click()
    box = opened.locator(".hj-map-surface").bounding_box()
    assert box is not None
    across, down = zip(*spots(opened, small_run), strict=True)
    assert max(max(across) - min(across), max(down) - min(down)) > 0.3 * min(box["width"], box["height"])
    assert all(box["x"] < x < box["x"] + box["width"] for x in across)
    assert all(box["y"] < y < box["y"] + box["height"] for y in down)
