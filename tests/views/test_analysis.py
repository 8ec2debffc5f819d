import matplotlib as mpl
import pandas as pd
import pytest

from huanjie_lib.risk.weighting import compare_weights, equal_weights, propose, propose_equal
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
    petitions = [0.05, 0.05, 0.05, 0.05, 0.7, 0.05, 0.05]
    shares = {d.id: w for d, w in zip(parameters.framework.dimensions, petitions, strict=True)}
    proposal = propose(parameters.framework, shares, how="重信访").framework
    effect = compare_weights(values, kinds, parameters, proposal)
    assert analysis.moves_table(effect).to_numpy().sum() == len(small_run.units)
    changed = effect.changes_colour.sum()
    movers = analysis.movers(effect, small_run, most=1000)
    assert len(movers) == changed > 0
    assert movers["指数变化"].abs().is_monotonic_decreasing
    assert movers["说明"].str.startswith("按方案，").all()
    table = analysis.weight_changes(effect, small_run)
    assert len(table) == len(small_run.units)
    assert table["说明"].ne("").tolist() == table["变色"].eq("是").tolist()
    assert table["变色"].eq("是").head(changed).all()
    comparison = analysis.weight_comparison(parameters.framework, proposal)
    assert comparison.sum().tolist() == pytest.approx([1, 1])
    assert comparison.index.tolist() == [d.label for d in parameters.framework.dimensions]


def test_methods_stand_side_by_side_and_their_effects_are_counted(small_run: Run) -> None:
    values, kinds = analysis.indicator_matrix(small_run)
    parameters = small_run.parameters
    proposals = [propose_equal(parameters.framework), propose(parameters.framework, how="不变")]
    weights = analysis.method_comparison(proposals)
    assert weights.columns.tolist() == ["采用", "等权", "人工调整"]
    assert weights.sum().tolist() == pytest.approx([1, 1, 1])
    assert weights["采用"].tolist() == weights["人工调整"].tolist()
    effects = {p.label: compare_weights(values, kinds, parameters, p) for p in proposals}
    table = analysis.method_effects(effects)
    assert table["变色"].to_dict() == {"等权": effects["等权"].changes_colour.sum(), "人工调整": 0}
    assert (table["变好"] + table["变差"]).tolist() == table["变色"].tolist()
    assert table.loc["人工调整", ["名次变化中位数", "名次相关"]].tolist() == pytest.approx([0, 1])


def test_the_adopted_weights_multiply_out_to_one(small_run: Run) -> None:
    table = analysis.adopted_weights(small_run.parameters.framework)
    assert table["占指数"].sum() == pytest.approx(1)
    assert table["维度内权重"].groupby(level="维度").sum().tolist() == pytest.approx([1] * 7)


def test_figures_are_drawn_in_a_font_that_has_every_character(small_run: Run) -> None:
    values, kinds = analysis.indicator_matrix(small_run)
    proposal = equal_weights(small_run.parameters.framework)
    effect = compare_weights(values, kinds, small_run.parameters, proposal)
    with mpl.rc_context():
        analysis.set_notebook_style()
        for figure in (
            analysis.completeness_figure(small_run),
            analysis.weight_figure(analysis.weight_comparison(small_run.parameters.framework, proposal)),
            analysis.method_figure(
                analysis.method_comparison([propose_equal(small_run.parameters.framework)])
            ),
            analysis.weight_effect_figure(effect, small_run),
        ):
            figure.canvas.draw()  # a missing glyph is a warning, and warnings are errors
