"""Charts of people say what they draw, keep within their frame and tell two people apart without colour."""

from __future__ import annotations

from xml.etree import ElementTree

import pandas as pd
import pytest

from huanjie_lib.views.talent_charts import interval_svg, radar_svg
from huanjie_lib.vocabulary import PortraitAspect

HOSTILE = '<b>&"'


def portrait(low: float, mean: float, high: float) -> pd.DataFrame:
    labels = [aspect.label for aspect in PortraitAspect]
    return pd.DataFrame({"label": labels, "low": low, "mean": mean, "high": high})


def parts(drawing: str, tag: str) -> list[ElementTree.Element]:
    return [part for part in ElementTree.fromstring(drawing).iter() if part.tag.endswith(f"}}{tag}")]


def test_two_people_differ_in_mark_and_dash_as_well_as_colour() -> None:
    drawn = radar_svg([portrait(40, 60, 80), portrait(30, 50, 70)], ["甲", HOSTILE])
    outlines = [part for part in parts(drawn, "polygon") if part.get("fill-opacity")]
    assert len(outlines) == 2
    assert [part.get("stroke-dasharray") for part in outlines] == [None, "6 4"]
    assert len(parts(drawn, "circle")) == len(parts(drawn, "rect")) == len(PortraitAspect)
    assert parts(drawn, "rect")[0][0].text == f"{HOSTILE}：财务管理50.0分，30.0至70.0分"


def test_a_better_person_lies_further_out() -> None:
    def reach(mean: float) -> float:
        first = parts(radar_svg([portrait(0, mean, 100)], ["甲"]), "circle")[0]
        return 178.0 - float(first.get("cy", "nan"))

    assert reach(0.0) == pytest.approx(0.0)
    assert reach(40.0) == pytest.approx(2 * reach(20.0), abs=0.1)
    assert reach(100.0) == pytest.approx(132.0)


@pytest.mark.parametrize(
    "row", [(0.0, 0.0, 0.0), (0.0, 50.0, 100.0), (100.0, 100.0, 100.0), (12.5, 40.0, 41.0)]
)
def test_an_interval_spans_what_it_says(row: tuple[float, float, float]) -> None:
    drawn = interval_svg([row, row], width=208.0, said=HOSTILE)
    bars = [part for part in parts(drawn, "rect") if part.get("fill-opacity")]
    assert len(bars) == 2
    for bar in bars:
        left, width = float(bar.get("x", "nan")), float(bar.get("width", "nan"))
        assert left == pytest.approx(4 + 2 * row[0], abs=0.06)
        assert width == pytest.approx(2 * (row[2] - row[0]), abs=0.06)
    assert float(parts(drawn, "circle")[0].get("cx", "nan")) == pytest.approx(4 + 2 * row[1], abs=0.06)
    assert ElementTree.fromstring(drawn).get("aria-label") == HOSTILE
