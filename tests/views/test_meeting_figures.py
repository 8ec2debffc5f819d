"""The pictures of the briefing: their numbers are the run's, their colours those of the legend."""

from __future__ import annotations

import dataclasses
import io
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from huanjie_lib.store.run_folder import Run
from huanjie_lib.store.snapshot import part_of
from huanjie_lib.views.meeting_figures import a3_map, colours_figure, has_places, map_figure
from huanjie_lib.views.print_map import render
from huanjie_lib.views.tables import trend
from huanjie_lib.vocabulary import Level

SIZE = (156.0, 172.0)


@pytest.fixture(scope="module")
def drawn(small_run: Run) -> Figure:
    figure = map_figure(small_run, size_mm=SIZE)
    assert figure is not None
    return figure


def test_the_map_counts_what_the_run_holds(drawn: Figure, small_run: Run) -> None:
    said = [text.get_text() for text in drawn.texts]
    counts = small_run.index["level"].value_counts()
    for level in (Level.RED, Level.YELLOW, Level.GREEN):
        share = 100 * counts[level.value] / len(small_run.index)
        assert f"{level.label}{counts[level.value]}个（{share:.1f}%）" in said
    assert f"待核实{small_run.index['to_verify'].sum()}个" in said
    assert f"颜色有争议{small_run.uncertainty['contested'].sum()}个" in said
    assert {"石桥镇", "云溪镇"} <= {text.get_text() for text in drawn.axes[0].texts}


def test_the_map_of_one_township_names_its_units(small_run: Run) -> None:
    figure = map_figure(part_of(small_run, ["990101102"]), size_mm=SIZE)
    assert figure is not None
    assert {"石桥村", "下桥村", "柳湾村"} == {text.get_text() for text in figure.axes[0].texts}


def test_the_map_is_as_large_as_asked_and_equal_each_time(drawn: Figure, small_run: Run) -> None:
    data = render(drawn, "png", dpi=100)
    assert Image.open(io.BytesIO(data)).size == pytest.approx([side / 25.4 * 100 for side in SIZE], abs=1)
    again = map_figure(small_run, size_mm=SIZE)
    assert again is not None
    assert render(again, "png", dpi=100) == data


def test_the_a3_map_bears_who_hands_it_out_and_is_equal_each_time(small_run: Run) -> None:
    made = {mark: [a3_map(small_run, "svg", mark=mark) for _ in range(2)] for mark in ("甲", "乙")}
    assert all(first == second for first, second in made.values())
    assert made["甲"] != made["乙"]
    root = ElementTree.fromstring(made["甲"][0])
    assert (root.get("width"), root.get("height")) == ("1190.551181pt", "841.889764pt")
    assert a3_map(small_run, "pdf", mark="甲").startswith(b"%PDF")


def test_units_without_boundaries_are_drawn_at_their_places_or_not_at_all(small_run: Run) -> None:
    points = dataclasses.replace(small_run, path=None)
    assert has_places(small_run)
    assert has_places(points)
    assert map_figure(points, size_mm=SIZE) is not None
    nowhere = points.units.assign(longitude=np.nan, latitude=np.nan)
    assert not has_places(dataclasses.replace(points, units=nowhere))
    assert map_figure(dataclasses.replace(points, units=nowhere), size_mm=SIZE) is None


def test_colours_stay_apart_in_greyscale(drawn: Figure) -> None:
    grey = np.asarray(Image.open(io.BytesIO(render(drawn, "png", dpi=100))).convert("L"))
    shown = {
        int(value) for value, count in zip(*np.unique(grey, return_counts=True), strict=True) if count > 1500
    }
    wanted = sorted(
        Image.new("RGB", (1, 1), level.colour).convert("L").getpixel((0, 0))
        for level in (Level.RED, Level.YELLOW, Level.GREEN)
    )
    assert set(wanted) <= shown
    assert min(np.diff(wanted)) > 40


def test_the_scale_is_as_long_as_it_says(drawn: Figure) -> None:
    told = next(text.get_text() for text in drawn.texts if re.fullmatch(r"[\d.]+公里", text.get_text()))
    patches = [patch for patch in drawn.artists if isinstance(patch, Rectangle)]
    halves = [patch.get_bbox() for patch in patches if 0 < patch.get_height() * SIZE[1] < 2]
    halves.sort(key=lambda box: box.x0)
    length = (halves[-1].x1 - halves[0].x0) * SIZE[0]
    west, east = drawn.axes[0].get_xlim()
    metres = (east - west) / (drawn.axes[0].get_position().width * SIZE[0])
    assert length * metres == pytest.approx(1000 * float(told.removesuffix("公里")))


def test_without_places_there_is_no_map(small_run: Run) -> None:
    nowhere = small_run.units.assign(longitude=np.nan, latitude=np.nan)
    assert map_figure(dataclasses.replace(small_run, units=nowhere, path=None), size_mm=SIZE) is None
    spots = map_figure(dataclasses.replace(small_run, path=None), size_mm=SIZE)
    assert spots is not None


def test_bars_add_up_to_the_units_of_each_snapshot(small_run: Run) -> None:
    counts = trend(small_run)
    axes = colours_figure(counts, size_mm=(156.0, 70.0)).axes[0]
    heights = np.array([[bar.get_height() for bar in group] for group in axes.containers])
    assert heights.sum(axis=0).tolist() == counts["units"].tolist()
    assert axes.lines[0].get_ydata().tolist() == counts["to_verify"].tolist()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2026.8", "2026.9", "2026.10"]


def test_many_snapshots_are_labelled_at_their_end_alone() -> None:
    days = pd.date_range("2024-11-30", periods=24, freq="ME")
    rows = {"units": 300, "red": 90, "yellow": 110, "green": 100, "unknown": 0, "to_verify": 5}
    figure = colours_figure(pd.DataFrame({"as_of": days, **rows}), size_mm=(156.0, 70.0))
    assert [text.get_text() for text in figure.axes[0].texts] == ["红 90", "黄 110", "绿 100"]
    assert len(figure.axes[0].get_xticks()) <= 9
    assert figure.axes[0].get_xticklabels()[-1].get_text() == "2026.10"
