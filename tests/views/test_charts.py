"""Charts are well-formed, say what the figures say, and take any name as text."""

from __future__ import annotations

import dataclasses
import datetime as dt
from itertools import pairwise
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.charts import history_svg, radar_svg, trend_svg
from huanjie_lib.views.summary import Dimension, Snapshot, unit_profile
from huanjie_lib.views.tables import trend
from huanjie_lib.vocabulary import Level

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</svg><script>alert(1)</script>&\"'"


def parse(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def counts(**numbers: int) -> pd.DataFrame:
    row = {"red": 0, "yellow": 0, "green": 0, "unknown": 0, "to_verify": 0} | numbers
    row["units"] = sum(row[level.value] for level in Level)
    return pd.DataFrame([{"as_of": pd.Timestamp(2026, 10, 31), **row}])


def test_radar_names_every_dimension_with_its_share(small_run: Run) -> None:
    profile = unit_profile(small_run, "990101102201")
    written = texts(parse(radar_svg(profile)))
    for dimension in profile.dimensions:
        assert written[written.index(dimension.label) + 1] == f"{100 * dimension.share_kept:.0f}%"


def test_radar_reaches_the_rim_where_all_points_are_kept(small_run: Run) -> None:
    whole = unit_profile(small_run, "990102001001")
    polygons = [p.get("points") for p in parse(radar_svg(whole)).iter(f"{SVG}polygon")]
    assert polygons[-1] == polygons[-2]  # the shape lies on the outermost ring
    nothing = tuple(dataclasses.replace(d, points_lost=d.points_most) for d in whole.dimensions)
    empty = parse(radar_svg(dataclasses.replace(whole, dimensions=nothing)))
    assert len(set([p.get("points") for p in empty.iter(f"{SVG}polygon")][-1].split())) == 1  # type: ignore[union-attr]


def test_two_dimensions_become_bars(small_run: Run) -> None:
    parts = (Dimension("a", "甲", "甲", 5.0, 20.0), Dimension("b", "乙", "乙", 80.0, 80.0))
    root = parse(radar_svg(dataclasses.replace(unit_profile(small_run, "990101102201"), dimensions=parts)))
    assert texts(root) == ["甲", "75%", "乙", "0%"]
    widths = [float(r.get("width", "")) for r in root.iter(f"{SVG}rect")]
    assert widths == [300, 225, 300, 0]


def test_names_are_text_in_every_chart(small_run: Run) -> None:
    hostile = tuple(
        dataclasses.replace(d, label=HOSTILE) for d in unit_profile(small_run, "990101102201").dimensions
    )
    profile = dataclasses.replace(
        unit_profile(small_run, "990101102201"), unit_name=HOSTILE, dimensions=hostile
    )
    for svg in (radar_svg(profile), history_svg(profile)):
        root = parse(svg)
        assert HOSTILE in str(root.get("aria-label"))
        assert not list(root.iter(f"{SVG}script"))
    assert texts(parse(radar_svg(profile))).count(HOSTILE) == len(hostile)


def test_history_draws_one_mark_a_snapshot_by_shape(small_run: Run) -> None:
    profile = unit_profile(small_run, "990101102201")
    shown = [
        Snapshot(dt.date(2026, 5, 31), 40.0, Level.RED, False),
        Snapshot(dt.date(2026, 6, 30), 70.0, Level.YELLOW, True),
        Snapshot(dt.date(2026, 7, 31), 90.0, Level.GREEN, False),
        Snapshot(dt.date(2026, 8, 31), 50.0, Level.UNKNOWN, True),
        Snapshot(dt.date(2026, 9, 30), None, Level.UNKNOWN, True),
    ]
    root = parse(history_svg(dataclasses.replace(profile, history=tuple(shown))))
    titles = [t.text for t in root.iter(f"{SVG}title")]
    assert titles == [
        "2026年5月31日：40.0，红色",
        "2026年6月30日：70.0，黄色，待核实",
        "2026年7月31日：90.0，绿色",
        "2026年8月31日：50.0，无数据，待核实",
    ]
    marks = [m.tag.removeprefix(SVG) for m in root if m.find(f"{SVG}title") is not None]
    assert marks == ["path", "path", "circle", "circle"]
    assert len({m.get("d") or m.get("fill") for m in root if m.find(f"{SVG}title") is not None}) == 4


def test_history_without_any_index_is_an_empty_grid(small_run: Run) -> None:
    profile = unit_profile(small_run, "990101102201")
    nothing = (Snapshot(dt.date(2026, 9, 30), None, Level.UNKNOWN, True),)
    assert not list(parse(history_svg(dataclasses.replace(profile, history=nothing))).iter(f"{SVG}title"))


def test_trend_columns_are_as_high_as_their_counts(small_run: Run) -> None:
    frame = trend(small_run)
    root = parse(trend_svg(frame))
    columns = [r for r in root.iter(f"{SVG}rect") if r.find(f"{SVG}title") is not None]
    heights: dict[str, float] = {}
    for column in columns:
        x = str(column.get("x"))
        heights[x] = heights.get(x, 0.0) + float(column.get("height", ""))
    assert len(heights) == len(frame)
    assert max(heights.values()) - min(heights.values()) < 0.4  # every snapshot has the same units
    last = {c.get("fill"): float(c.get("height", "")) for c in columns if c.get("x") == list(heights)[-1]}
    assert last[Level.RED.colour] / last[Level.YELLOW.colour] == pytest.approx(
        frame.iloc[-1]["red"] / frame.iloc[-1]["yellow"], abs=0.01
    )


@given(
    *[st.integers(0, 5000)] * 5,
)
def test_trend_labels_never_overlap(red: int, yellow: int, green: int, unknown: int, verify: int) -> None:
    frame = counts(
        red=red,
        yellow=yellow,
        green=green,
        unknown=unknown,
        to_verify=min(verify, red + yellow + green + unknown),
    )
    root = parse(trend_svg(frame))
    labels = [t for t in root.iter(f"{SVG}text") if t.get("font-weight") == "700"]
    heights = sorted(float(t.get("y", "")) for t in labels)
    assert all(b - a >= 14.9 for a, b in pairwise(heights))
    assert heights[0] > 8
    words = [t.text for t in labels]
    for level in Level:
        number = frame.iloc[0][level.value]
        assert (f"{level.mark} {number:,}" in words) == (number > 0)


def test_trend_shows_months_that_do_not_run_into_each_other() -> None:
    frame = pd.concat([counts(red=1)] * 24, ignore_index=True)
    frame["as_of"] = pd.date_range("2024-11-30", periods=24, freq="ME")
    root = parse(trend_svg(frame))
    months = [t for t in root.iter(f"{SVG}text") if "." in str(t.text)]
    places = [float(t.get("x", "")) for t in months]
    assert all(b - a >= 55 for a, b in pairwise(places))
    assert months[-1].text == "2026.10"
