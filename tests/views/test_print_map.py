"""The printable map: projection, scale, colours, names that don't overlap, the same bytes each time."""

from __future__ import annotations

import dataclasses
import io
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from pyproj import Geod, Transformer

from huanjie_lib.errors import DataError
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.print_map import A3_MM, levels_figure, local_projection, print_map, render
from huanjie_lib.vocabulary import Level

DPI = 200


@pytest.fixture(scope="module")
def figure(small_run: Run) -> Figure:
    return print_map(small_run, small_run.boundaries())


@pytest.fixture(scope="module")
def pdf(figure: Figure) -> bytes:
    return render(figure, "pdf")


@pytest.fixture(scope="module")
def png(figure: Figure) -> Image.Image:
    return Image.open(io.BytesIO(render(figure, "png")))


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def pixel(figure: Figure, longitude: float, latitude: float) -> tuple[float, float]:
    """Return where a place lies on the PNG, by an independent projection: CGCS2000, 3° zone of 120°E."""
    x, y = Transformer.from_crs(4490, 4549, always_xy=True).transform(longitude, latitude)
    at = figure.axes[0].transData.transform((x, y)) * DPI / figure.dpi
    return float(at[0]), A3_MM[1] / 25.4 * DPI - float(at[1])


def colours(image: Image.Image, at: tuple[float, float], reach: int = 6) -> set[tuple[int, ...]]:
    x, y = round(at[0]), round(at[1])
    cut = np.asarray(image.convert("RGB").crop((x - reach, y - reach, x + reach, y + reach)))
    return {tuple(int(part) for part in spot) for spot in cut.reshape(-1, 3)}


@pytest.mark.parametrize(("longitude", "meridian", "code"), [(119.2, 120, 4549), (116.0, 117, 4548)])
def test_projection_is_the_national_one_of_the_zone(longitude: float, meridian: int, code: int) -> None:
    place = gpd.GeoSeries.from_xy([longitude], [29.0], crs=4490)
    projection, middle = local_projection(place)
    assert middle == meridian
    ours, national = place.to_crs(projection)[0], place.to_crs(code)[0]
    assert ours.distance(national) < 0.001


def test_scale_bar_is_as_long_as_it_says(figure: Figure, small_run: Run) -> None:
    numbers = [text for text in figure.texts if re.fullmatch(r"[\d.]+", text.get_text())]
    first, last = numbers[0], numbers[-1]
    assert first.get_text() == "0"
    width = figure.get_figwidth() * DPI
    bar = (last.get_position()[0] - first.get_position()[0]) * width
    box = small_run.boundaries().total_bounds
    west, east = pixel(figure, box[0], box[1]), pixel(figure, box[2], box[1])
    metres = Geod(ellps="GRS80").inv(box[0], box[1], box[2], box[1])[2]
    assert bar / (east[0] - west[0]) * metres == pytest.approx(1000 * float(last.get_text()), rel=1e-3)
    assert 20 < bar / DPI * 25.4 <= 50  # a handy length on paper


def test_units_have_their_colours_and_open_ones_are_hatched(
    figure: Figure, png: Image.Image, small_run: Run
) -> None:
    index = small_run.index.set_index("unit_code")
    hatched = 0
    for code, x, y in zip(*(small_run.units[c] for c in ("unit_code", "longitude", "latitude")), strict=True):
        level = Level.lookup()[index.at[code, "level"]]
        wanted = tuple(int(level.colour[n : n + 2], 16) for n in (1, 3, 5))
        off = 0.0 if code == "990102001202" else 0.006  # off the middle, where a name may stand
        seen = colours(png, pixel(figure, x - off, y - off))
        assert wanted in seen
        if index.at[code, "to_verify"]:
            hatched += 1
            assert len(seen) > 1
        else:
            assert seen == {wanted}
    assert hatched


def test_sheet_is_a3_at_two_hundred_dots_an_inch(png: Image.Image, pdf: bytes) -> None:
    assert png.size == (3307, 2338)
    assert png.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
    assert box
    assert [float(side) * 25.4 / 72 for side in box.groups()] == pytest.approx(A3_MM, abs=0.1)


def test_pdf_carries_its_fonts(pdf: bytes) -> None:
    faces = {name.decode() for name in re.findall(rb"/BaseFont /(?:[A-Z]+\+)?([\w-]+)", pdf)}
    assert faces == {"HuanjieSans-Regular", "HuanjieSans-Bold"}
    assert pdf.count(b"/FontDescriptor ") >= len(faces)
    assert b"/FontFile2" in pdf
    assert b"/ToUnicode" in pdf
    assert len(pdf) < 1_000_000


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler) is not installed")
def test_pdf_text_can_be_searched(pdf: bytes, tmp_path: Path, small_run: Run) -> None:
    (tmp_path / "map.pdf").write_bytes(pdf)
    done = subprocess.run(
        ["pdftotext", "-raw", str(tmp_path / "map.pdf"), "-"], check=True, capture_output=True, text=True
    )
    for wanted in (
        "村（社区）换届选情三色图",
        "数据截至2026年10月31日",
        "图例",
        "待核实",
        "石桥镇",
        "制图说明",
        "内部资料，注意保管",
        small_run.parameters.version,
    ):
        assert wanted in done.stdout


def test_legend_counts_equal_the_run(figure: Figure, small_run: Run) -> None:
    said = words(figure)
    for level in Level:
        count = int((small_run.index["level"] == level.value).sum())
        at = said.index(level.label)
        assert said[at - 1 : at + 3] == [level.mark, level.label, f"{count}个", f"{100 * count / 12:.1f}%"]
    at = said.index("待核实")
    assert said[at + 1] == f"{small_run.index['to_verify'].sum()}个"
    assert "共12个村（社区）" in said


def test_same_map_gives_same_bytes(small_run: Run, pdf: bytes, png: Image.Image) -> None:
    again = print_map(small_run, small_run.boundaries())
    assert render(again, "pdf") == pdf
    assert b"CreationDate" not in pdf
    picture = render(again, "png")
    assert Image.open(io.BytesIO(picture)).tobytes() == png.tobytes()
    assert picture == render(again, "png")


def test_names_of_groups_stay_apart_and_hostile_names_are_plain(small_run: Run) -> None:
    hostile = small_run.units["township_name"].replace("石桥镇", "$\\frac{1}{2}$")
    run = dataclasses.replace(small_run, units=small_run.units.assign(township_name=hostile))
    figure = print_map(run, run.boundaries())
    render(figure, "png", dpi=50)
    names = [text for text in figure.axes[0].texts if not text.get_path_effects()]
    assert {text.get_text() for text in names} == {"云溪镇", "$\\frac{1}{2}$", "河东街道"}
    boxes = [text.get_window_extent() for text in names]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def grid(count: int, names: list[str]) -> tuple[pd.DataFrame, gpd.GeoDataFrame]:
    """Return a row of count squares, each a group of its own."""
    units = pd.DataFrame(
        {
            "unit_code": [str(n) for n in range(count)],
            "level": "green",
            "to_verify": False,
            "group": [f"{n:03d}" for n in range(count)],
            "group_name": names,
        }
    )
    boxes = [shapely.box(120 + 0.01 * n, 29, 120.01 + 0.01 * n, 29.4) for n in range(count)]
    return units, gpd.GeoDataFrame({"unit_code": units["unit_code"]}, geometry=boxes, crs=4490)


def test_a_name_that_does_not_fit_is_left_out() -> None:
    units, boundaries = grid(60, ["名称很长很长的镇"] * 60)
    crowded = levels_figure(units, boundaries, title="题", subtitle="日")
    assert not crowded.axes[0].texts
    units, boundaries = grid(4, ["甲镇"] * 4)
    roomy = levels_figure(units, boundaries, title="题", subtitle="日")
    assert len([text for text in roomy.axes[0].texts if not text.get_path_effects()]) == 4


def test_characters_the_font_lacks_are_marked_and_rare_ones_drawn_regular() -> None:
    units, boundaries = grid(2, ["龍鄉", "\U0010fffd镇"])
    figure = levels_figure(units, boundaries, title="题", subtitle="日")
    render(figure, "pdf")  # a missing glyph would warn, and warnings are errors
    shown = {t.get_text(): t.get_weight() for t in figure.axes[0].texts if not t.get_path_effects()}
    assert shown == {"龍鄉": "normal", "〓镇": "bold"}


def test_holes_stay_open() -> None:
    units = pd.DataFrame({"unit_code": ["a"], "level": ["red"], "to_verify": [False]})
    ring = shapely.box(120, 29, 120.4, 29.4).difference(shapely.box(120.1, 29.1, 120.3, 29.3))
    boundaries = gpd.GeoDataFrame({"unit_code": ["a"]}, geometry=[ring], crs=4490)
    figure = levels_figure(units, boundaries, title="题", subtitle="日")
    image = Image.open(io.BytesIO(render(figure, "png")))
    assert colours(image, pixel(figure, 120.2, 29.2)) == {(255, 255, 255)}
    assert colours(image, pixel(figure, 120.05, 29.2)) == {(0xB2, 0x18, 0x2B)}


def test_contested_colours_are_ringed_and_in_the_legend(small_run: Run) -> None:
    calm = dataclasses.replace(small_run, uncertainty=small_run.uncertainty.assign(contested=False))
    figures = [print_map(run, run.boundaries()) for run in (small_run, calm)]
    assert ["颜色有争议" in words(figure) for figure in figures] == [True, False]
    ringed, plain = (Image.open(io.BytesIO(render(figure, "png"))) for figure in figures)
    code = small_run.uncertainty.loc[small_run.uncertainty["contested"], "unit_code"].iloc[0]
    spot = small_run.units.set_index("unit_code").loc[code, ["longitude", "latitude"]]
    at = pixel(figures[0], float(spot["longitude"]), float(spot["latitude"]))
    box = (at[0] - 12, at[1] - 12, at[0] + 12, at[1] + 12)
    assert len(ringed.crop(box).getcolors(9999) or []) > len(plain.crop(box).getcolors(9999) or [])


def test_units_without_a_place_are_said(small_run: Run) -> None:
    units = small_run.units.assign(longitude=np.nan, latitude=np.nan)
    run = dataclasses.replace(small_run, units=units)
    assert "其中1个没有位置，未上图" in words(print_map(run, run.boundaries()))


def test_a_map_of_nothing_is_refused(small_run: Run) -> None:
    units = small_run.units.assign(longitude=np.nan, latitude=np.nan)
    run = dataclasses.replace(small_run, units=units)
    with pytest.raises(DataError, match="没有可以上图的边界"):
        print_map(run, run.boundaries().iloc[:0])


def test_boundaries_in_another_crs_give_the_same_map(small_run: Run, png: Image.Image) -> None:
    other = print_map(small_run, small_run.boundaries().to_crs(4549))
    difference = np.abs(
        np.asarray(Image.open(io.BytesIO(render(other, "png"))).convert("L"), dtype=int)
        - np.asarray(png.convert("L"), dtype=int)
    )
    assert (difference > 40).mean() < 1e-4
