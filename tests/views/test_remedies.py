import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from huanjie_lib.risk.remedies import Remedies, find_remedies
from huanjie_lib.risk.remedies_plan import RemedyPlan, plan_remedies
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import remedies as views
from huanjie_lib.views.analysis import indicator_matrix, set_notebook_style


@pytest.fixture(scope="module")
def found(small_run: Run) -> Remedies:
    values, kinds = indicator_matrix(small_run)
    level = small_run.index.set_index("unit_code")["level"]
    return find_remedies(values, kinds, level, small_run.parameters, gates=small_run.gates)


@pytest.fixture(scope="module")
def plan(found: Remedies) -> RemedyPlan:
    chance = pd.Series(np.linspace(0.1, 0.6, len(found.units)), index=found.units.index)
    return plan_remedies(found, groups=2, days=30, chance=chance, objective="expected_hits", assign=True)


def lifted(found: Remedies) -> str:
    rows = found.units[found.units["reachable"] & (found.units["measures"] > 1)]
    return str(rows.index[0])


def test_the_path_table_adds_up_to_the_path(found: Remedies) -> None:
    code = lifted(found)
    table = views.path_table(found, code)
    unit = found.units.loc[code]
    assert table["次序"].tolist() == list(range(1, len(table) + 1))
    assert table["恢复分数"].sum() == pytest.approx(unit["regained"], abs=0.005 * len(table) + 1e-9)
    assert table["工作组日"].sum() == pytest.approx(unit["cost"])
    assert set(table["把握"]) <= {"高", "中", "低"}
    assert table["做不到什么"].str.len().gt(0).all()


def test_what_stands_adds_up_to_what_is_lost(found: Remedies) -> None:
    code = lifted(found)
    table = views.standing_table(found, code)
    assert table["仍扣分"].is_monotonic_decreasing
    lost = 100 - found.units.loc[code, "index_after"]
    assert table["仍扣分"].sum() == pytest.approx(lost, abs=0.005 * len(table) + 1e-9)
    assert table["状态"].notna().all()
    for ask in (views.standing_table, views.path_table):
        with pytest.raises(KeyError):
            ask(found, "nowhere")


def test_the_plan_table_goes_in_order_and_names_units(plan: RemedyPlan, small_run: Run) -> None:
    table = views.plan_table(plan, small_run)
    assert table["次序"].tolist() == list(range(1, int(plan.units["order"].notna().sum()) + 1))
    assert table[["镇街", "村（社区）"]].notna().all(axis=None)
    assert set(table["转色"]) <= {"红→黄", "黄→绿"}
    assert table["工作组"].isin([1, 2]).all()
    assert table["出事可能"].str.endswith("%").all()
    assert len(views.plan_table(plan, small_run, most=1)) == 1


def test_the_comparison_leaves_out_hits_without_chances(plan: RemedyPlan, found: Remedies) -> None:
    with_chances = views.comparison_table(plan)
    assert with_chances.index.tolist() == ["最优安排", "单位投入产出高的优先", "指数低的优先"]
    assert with_chances["命中"].max() == with_chances.loc["最优安排", "命中"]
    bare = views.comparison_table(plan_remedies(found, groups=2, days=30))
    assert not [c for c in bare.columns if "命中" in c]
    assert "出事可能" not in views.plan_table(plan_remedies(found, groups=2, days=30), _named(found))


def _named(found: Remedies) -> Run:
    """A run of which a plan table needs the names alone."""
    units = pd.DataFrame({"unit_code": found.units.index, "township_name": "镇", "unit_name": "村"})
    return Run(**dict.fromkeys(Run.__dataclass_fields__) | {"units": units})


def test_figures_show_the_figures_in_a_font_that_has_every_character(
    found: Remedies, plan: RemedyPlan
) -> None:
    code, safe = lifted(found), found.units.index[found.units["level"] == "green"][0]
    with mpl.rc_context():
        set_notebook_style()
        climb = views.path_figure(found, code, name="上云村")
        green = views.path_figure(found, str(safe), name="绿村")
        curve = views.plan_figure(plan)
        for figure in (climb, green, curve):
            figure.canvas.draw()  # a missing glyph is a warning, and warnings are errors
    bars = climb.axes[0].patches
    tops = [bar.get_x() + bar.get_width() for bar in bars]
    assert len(bars) == len(found.path(code)) + 2
    assert tops[:-1] == sorted(tops[:-1])
    assert tops[-2:] == pytest.approx([found.units.loc[code, "index_after"]] * 2, abs=1e-9)
    assert "可由" in climb.axes[0].get_title()
    assert green.axes[0].get_title() == "绿村：绿色，没有转色措施"
    assert len(green.axes[0].patches) == 1
    assert next(line.get_ydata()[-1] for line in curve.axes[0].lines) >= plan.bound - 1e-9
