"""What the notebook shows of the chances agrees with the run, and every figure is drawn."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import UncertaintyAssumptions
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import analysis, uncertainty


def test_the_chances_of_a_run_explain_themselves(small_run: Run) -> None:
    sure = uncertainty.uncertainty_of(small_run)
    assert len(sure.units) == len(small_run.units)
    assert repr(sure).endswith(f"as_of={small_run.as_of}, parameters={small_run.parameters.version!r})")
    for code in small_run.units["unit_code"]:
        assert sure.explain(code).endswith("。")
    with pytest.raises(KeyError):
        sure.explain("nobody")


def test_a_run_without_chances_says_what_to_do(small_run: Run) -> None:
    silent = replace(small_run, uncertainty=small_run.uncertainty.iloc[:0])
    with pytest.raises(DataError, match=r"在参数包中补充 uncertainty\.yaml"):
        uncertainty.uncertainty_of(silent)


def test_contested_units_are_those_of_the_run_least_sure_first(small_run: Run) -> None:
    contested = small_run.uncertainty["contested"]
    table = uncertainty.contested_units(small_run, most=100)
    assert len(table) == contested.sum() > 0
    units = small_run.units.set_index("unit_name")["unit_code"]
    chances = small_run.uncertainty.set_index("unit_code")
    top = chances.loc[units[table["村（社区）"]], ["p_red", "p_yellow", "p_green"]].max(axis=1)
    assert top.is_monotonic_increasing
    for name, told in zip(table["村（社区）"], table["说明"], strict=True):
        assert "颜色有争议" in told
        assert name in told
        assert units[name] not in told


def test_contested_units_are_counted_by_published_colour(small_run: Run) -> None:
    table = uncertainty.contested_by_level(small_run)
    assert table["村（社区）"].sum() == len(small_run.units)
    assert table["颜色有争议"].sum() == small_run.uncertainty["contested"].sum()
    assert (table["其中数据齐全"] <= table["颜色有争议"]).all()
    assert set(table.index) <= {"绿色", "黄色", "红色", "无数据"}


def test_the_assumptions_are_told_in_words(small_run: Run) -> None:
    told = uncertainty.assumption_table(small_run)["约定"]
    assert told["测算次数"] == "1000次"
    assert "集中度100" in told["权重"]
    pack = small_run.parameters.uncertainty
    assert pack is not None
    doubts = UncertaintyAssumptions(weight_concentration=None, reference_shift=0.0, data_error=0.0)
    certain = pack.model_copy(update=doubts.model_dump())
    parameters = small_run.parameters.model_copy(update={"uncertainty": certain})
    told = uncertainty.assumption_table(replace(small_run, parameters=parameters))["约定"]
    assert told[["权重", "评分标准", "填报数"]].tolist() == ["视为确定", "视为确定", "视为准确"]


def test_every_figure_is_drawn_in_a_font_that_has_every_character(small_run: Run) -> None:
    found = uncertainty.sensitivity_of(small_run, seed=1, samples=16)
    assert found.version == small_run.parameters.version
    with mpl.rc_context():
        analysis.set_notebook_style()
        for figure in (
            uncertainty.chance_figure(small_run),
            uncertainty.rank_figure(small_run),
            uncertainty.sensitivity_figure(found),
            uncertainty.contested_map(small_run, small_run.boundaries().dropna(subset="geometry")),
        ):
            figure.canvas.draw()  # a missing glyph is a warning, and warnings are errors


def test_the_map_marks_as_many_units_as_are_contested(small_run: Run) -> None:
    from matplotlib.colors import to_hex

    boundaries = small_run.boundaries().dropna(subset="geometry")
    axes = uncertainty.contested_map(small_run, boundaries).axes[0]
    edges = [to_hex(e) for c in axes.collections for e in c.get_edgecolor()]
    drawn = sum(
        len(c.get_paths()) if len(c.get_edgecolor()) and to_hex(c.get_edgecolor()[0]) == "#1b2430" else 0
        for c in axes.collections
    )
    assert "#1b2430" in edges
    shaped = small_run.uncertainty["unit_code"].isin(boundaries["unit_code"])
    assert drawn == (small_run.uncertainty["contested"] & shaped).sum()
    assert f"{small_run.uncertainty['contested'].sum()} 个" in axes.get_title()


def test_the_ranks_drawn_are_those_of_the_units_that_need_most_attention(small_run: Run) -> None:
    axes = uncertainty.rank_figure(small_run, most=5).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    worst = small_run.index.sort_values("index").merge(small_run.units, on="unit_code").head(5)
    assert labels == (worst["township_name"] + " " + worst["unit_name"]).tolist()[::-1]
