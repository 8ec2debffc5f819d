"""The standalone page: it names no address, takes names as text, and holds what the run says.

What a browser makes of it is tested in ``tests/browser/test_standalone_map.py``.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import folium_map as module
from huanjie_lib.views.folium_map import folium_map, levels_map, standalone_html
from huanjie_lib.views.tables import hover_lines
from huanjie_lib.vocabulary import Level


@pytest.fixture(scope="module")
def page_text(small_run: Run) -> str:
    return standalone_html(folium_map(small_run, small_run.boundaries()))


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r"huanjieMap\(map_levels, (\{.*\})\);", text)
    assert found
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def corners(rings: list[list[int]], origin: list[float]) -> np.ndarray:
    """Return the vertices of the outer ring in degrees, read as the page reads them."""
    west, south, step = origin
    steps = np.cumsum(np.reshape(rings[0], (-1, 2)), axis=0)
    return steps * step + [west, south]


def test_page_names_no_address(page_text: str) -> None:
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", page_text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:|#)(?:\w+:)?//", page_text)
    assert "sourceMappingURL" not in page_text
    assert set(re.findall(r"url\(\s*[\"']?(\w+:)", page_text)) == {"data:"}


def test_page_forbids_requests_by_its_own_policy(page_text: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page_text)
    assert policy
    assert "default-src 'none'" in policy.group(1)
    assert "http" not in policy.group(1)


def test_leaflet_comes_with_its_licence(page_text: str) -> None:
    assert "BSD 2-Clause License" in page_text
    assert "Copyright (c) 2010-2023, Volodymyr Agafonkin" in page_text


def test_data_equal_the_run(page_text: str, small_run: Run) -> None:
    data = data_of(page_text)
    index = small_run.index.set_index("unit_code")
    levels = [Level.RED.colour, Level.YELLOW.colour, Level.GREEN.colour, Level.UNKNOWN.colour]
    assert [level["colour"] for level in data["levels"]] == levels
    for code, unit, lines in zip(
        small_run.units["unit_code"], data["units"], hover_lines(small_run), strict=True
    ):
        assert data["levels"][unit["level"]]["colour"] == Level.lookup()[index.at[code, "level"]].colour
        assert unit["verify"] == int(index.at[code, "to_verify"])
        assert tuple(unit["lines"]) == lines
        assert unit["more"][-1].endswith(code)


def test_shapes_come_back_within_half_a_step(page_text: str, small_run: Run) -> None:
    data = data_of(page_text)
    for unit, shape in zip(data["units"], small_run.boundaries().geometry, strict=True):
        if shape is None:  # drawn as a point, where units says
            assert len(unit["polygons"]) == len(unit["polygons"][0]) == 1
            assert len(unit["polygons"][0][0]) == 2
            continue
        read = corners(unit["polygons"][0], data["origin"])
        wanted = np.array(shape.exterior.coords)[:-1]
        assert len(read) == len(wanted)
        for corner in read:
            assert np.abs(wanted - corner).max(axis=1).min() <= module.STEP / 2 + 1e-12


def test_legend_counts_and_head(page_text: str, small_run: Run) -> None:
    for level in (Level.RED, Level.YELLOW, Level.GREEN, Level.UNKNOWN):
        count = (small_run.index["level"] == level.value).sum()
        assert re.search(rf">{level.mark}</span>\s*{level.label}<b>{count}</b>", page_text)
    assert f"待核实（加斜线）<b>{small_run.index['to_verify'].sum()}</b>" in page_text
    assert "数据截至2026年10月31日" in page_text
    assert small_run.parameters.version in page_text
    assert "内部资料" in page_text


def test_contested_colours_are_marked_counted_and_explained(page_text: str, small_run: Run) -> None:
    contested = small_run.uncertainty.set_index("unit_code")["contested"]
    assert 0 < contested.sum() < len(contested)
    marked = [unit["contested"] for unit in data_of(page_text)["units"]]
    assert marked == contested.loc[small_run.units["unit_code"]].astype(int).tolist()
    assert f"颜色有争议（加圆圈）<b>{contested.sum()}</b>" in page_text
    assert "应会商后定色" in page_text
    calm = dataclasses.replace(small_run, uncertainty=small_run.uncertainty.assign(contested=False))
    assert "加圆圈" not in standalone_html(folium_map(calm, calm.boundaries()))


def test_names_are_never_markup(page_text: str, small_run: Run) -> None:
    assert "<img" not in page_text
    hostile = "</script><script>alert(1)</script>"
    run = dataclasses.replace(
        small_run, units=small_run.units.assign(unit_name=hostile, township_name=hostile)
    )
    text = standalone_html(folium_map(run, run.boundaries()))
    assert hostile not in text
    assert data_of(text)["units"][0]["lines"][0] == f"{hostile}（{hostile}）"
    titled = standalone_html(
        levels_map(
            pd.DataFrame(
                {"unit_code": ["a"], "level": ["red"], "to_verify": [False], "lines": [("x",)], "more": [()]}
            ),
            small_run.boundaries().assign(unit_code="a").iloc[:1],
            title=hostile,
            subtitle=hostile,
            notes=(hostile,),
        )
    )
    assert hostile not in titled
    assert titled.count(escape(hostile)) == 4  # title element, head, subtitle, note


def test_equal_runs_give_equal_pages_in_other_processes(
    page_text: str, small_run: Run, tmp_path: Path
) -> None:
    script = (
        "import sys, pathlib\n"
        "from huanjie_lib.store.run_folder import read_run\n"
        "from huanjie_lib.views.folium_map import folium_map, standalone_html\n"
        "run = read_run(pathlib.Path(sys.argv[1]))\n"
        "page = standalone_html(folium_map(run, run.boundaries()))\n"
        "pathlib.Path(sys.argv[2]).write_text(page, encoding='utf-8')\n"
    )
    out = tmp_path / "again.html"
    subprocess.run([sys.executable, "-c", script, str(small_run.path), str(out)], check=True)
    assert out.read_text(encoding="utf-8") == page_text


def test_units_without_a_place_are_counted_and_said(small_run: Run) -> None:
    units = small_run.units.assign(longitude=np.nan, latitude=np.nan)
    text = standalone_html(folium_map(dataclasses.replace(small_run, units=units), small_run.boundaries()))
    assert data_of(text)["units"][-1]["polygons"] == []
    assert "没有位置，未上图<b>1</b>" in text


def test_projected_boundaries_are_refused(small_run: Run) -> None:
    with pytest.raises(DataError, match="不是经纬度"):
        folium_map(small_run, small_run.boundaries().to_crs(4549))
