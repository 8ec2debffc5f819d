import matplotlib as mpl
import pandas as pd
import pytest

from huanjie_lib.risk.weighting import compare_weights, equal_weights
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import analysis
from huanjie_lib.vocabulary import ValueStatus


def test_intake_tables_keep_every_row_and_put_errors_first() -> None:
    counts = pd.DataFrame(
        {
            "table": ["facts", "facts", "units"],
            "read": [5, 6, 1],
            "loaded": [4, 6, 1],
            "quarantined": [1, 0, 0],
            "dropped": [0, 0, 0],
        }
    )
    assert analysis.intake_counts(counts).loc["facts"].tolist() == [11, 10, 1, 0]
    columns = ["file", "sheet", "row", "label", "found", "allowed", "remedy"]
    issues = pd.DataFrame({"severity": ["note", "warning", "error"], **dict.fromkeys(columns, "x")})
    assert analysis.intake_issues(issues)["级别"].tolist() == ["错误", "提醒"]
    assert analysis.intake_issues(issues, "note")["级别"].tolist() == ["说明"]


def test_completeness_shares_add_up_to_one_and_agree_with_the_run(small_run: Run) -> None:
    table = analysis.indicator_completeness(small_run)
    labels = [s.label for s in ValueStatus if s is not ValueStatus.NOT_APPLICABLE]
    assert table[labels].sum(axis=1).tolist() == pytest.approx([1] * len(table))
    assert table[ValueStatus.OBSERVED.label].is_monotonic_increasing
    assert len(table) == len(small_run.parameters.framework.indicators)
    lacking = small_run.indicators["status"].isin(["missing", "stale"])
    townships = analysis.township_completeness(small_run)
    assert townships["缺失或过期占比"].is_monotonic_decreasing
    assert townships["村（社区）数"].sum() == len(small_run.units)
    assert (townships["缺失或过期占比"] > 0).any() == lacking.any()


def test_unverified_units_are_those_marked_in_the_index(small_run: Run) -> None:
    table = analysis.unverified_units(small_run)
    assert len(table) == small_run.index["to_verify"].sum() > 0
    assert (table["最低"] <= table["选情指数"]).all()
    assert table["缺失或过期的指标"].notna().all()


def test_weight_effect_tables_agree(small_run: Run) -> None:
    values, kinds = analysis.indicator_matrix(small_run)
    parameters = small_run.parameters
    proposal = equal_weights(parameters.framework)
    effect = compare_weights(values, kinds, parameters, proposal)
    assert analysis.moves_table(effect).to_numpy().sum() == len(small_run.units)
    changed = (effect.units["level"] != effect.units["proposed_level"]).sum()
    assert len(analysis.movers(effect, small_run, most=1000)) == changed
    comparison = analysis.weight_comparison(parameters.framework, proposal)
    assert comparison.sum().tolist() == pytest.approx([1, 1])
    assert comparison.index.tolist() == [d.label for d in parameters.framework.dimensions]


def test_figures_are_drawn_in_a_font_that_has_every_character(small_run: Run) -> None:
    values, kinds = analysis.indicator_matrix(small_run)
    proposal = equal_weights(small_run.parameters.framework)
    effect = compare_weights(values, kinds, small_run.parameters, proposal)
    with mpl.rc_context():
        analysis.set_notebook_style()
        for figure in (
            analysis.completeness_figure(small_run),
            analysis.weight_figure(analysis.weight_comparison(small_run.parameters.framework, proposal)),
            analysis.weight_effect_figure(effect, small_run),
        ):
            figure.canvas.draw()  # a missing glyph is a warning, and warnings are errors
