"""Tables and figures of signals show what the result holds, in Chinese."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.signal_checks import FACTS, TESTS
from huanjie_lib.risk.signal_nulls import GammaPoisson, gamma_poisson_tail
from huanjie_lib.risk.signals import Signals, find_signals
from huanjie_lib.sample import City, make_city
from huanjie_lib.views import analysis
from huanjie_lib.views import signals as shown

UNITS = 400


@pytest.fixture(scope="module")
def city() -> City:
    analysis.set_notebook_style()
    return make_city(seed=1, units=UNITS, snapshots=1)


@pytest.fixture(scope="module")
def units(city: City) -> pd.DataFrame:
    return city.tables["units"].merge(city.tables["townships"], on="township_code")


@pytest.fixture(scope="module")
def signals(city: City) -> Signals:
    return find_signals(prepare(city.tables), load_parameters(), city.as_of)


def test_flagged_table_names_every_flag_once_facts_first(signals: Signals, units: pd.DataFrame) -> None:
    table = shown.flagged_table(signals, units)
    flagged = signals.flagged()
    assert len(table) == len(flagged)
    assert table["村（社区）"].notna().all()
    assert table["原因"].tolist() == flagged["reason"].tolist()
    facts = table["q值"] == "事实"
    assert facts.sum() == flagged["signal"].isin(FACTS).sum() > 0
    assert facts.is_monotonic_decreasing
    tested = shown.flagged_table(signals, units, facts=False, most=5)
    assert len(tested) == 5
    assert "事实" not in set(tested["q值"])
    assert set(table["限定范围"]) == {"是", "否"}
    assert (table.loc[table["线索"] == "委托投票偏多", "限定范围"] == "是").all()


def test_counts_add_up_to_the_units(signals: Signals) -> None:
    counts = shown.counts_by_kind(signals)
    assert counts.index.tolist() == list(signals.labels.values())
    assert counts.columns.tolist() == ["有线索", "未见异常", "待核实"]
    assert (counts.sum(axis=1) == UNITS).all()
    assert counts["有线索"].sum() == len(signals.flagged())


def test_township_table_counts_units_not_flags(signals: Signals, units: pd.DataFrame) -> None:
    table = shown.township_table(signals, units)
    assert table["单位数"].sum() == UNITS
    tested = signals.flagged()[signals.flagged()["signal"].isin(TESTS)]
    assert table["有异常线索的单位"].sum() == tested["unit_code"].nunique()
    assert table["有异常线索的单位"].is_monotonic_decreasing
    facts = signals.flagged()[signals.flagged()["signal"].isin(FACTS)]
    assert table["联审待办的单位"].sum() == facts["unit_code"].nunique()


def test_correction_flags_fewer_than_the_plain_cut(signals: Signals) -> None:
    table = shown.correction_table(signals)
    assert table.index.tolist() == [signals.labels[s] for s in TESTS]
    assert (table["误报控制后提示"] <= table["单看5%会提示"]).all()
    assert table["误报控制后提示"].sum() == signals.flagged()["signal"].isin(TESTS).sum()
    assert table.loc["委托投票偏多", "单看5%会提示"] > 10 * max(
        1, table.loc["委托投票偏多", "误报控制后提示"]
    )


def test_reasons_of_one_unit_are_those_of_the_result(signals: Signals) -> None:
    unit = signals.flagged("roll_gap")["unit_code"].iloc[0]
    table = shown.reasons_table(signals, unit)
    assert table["线索"].tolist() == list(signals.labels.values())
    assert table.loc[0, "状态"] == "有线索"
    assert "这是线索，不是结论" in table.loc[0, "说明"]
    with pytest.raises(KeyError):
        shown.reasons_table(signals, "000000000000")


def test_bars_stand_beside_their_own_labels(signals: Signals) -> None:
    axes = shown.counts_figure(signals).axes[0]
    counts = shown.counts_by_kind(signals)["有线索"]
    labels = {
        round(place): text.get_text()
        for place, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    drawn = {labels[round(bar.get_y() + bar.get_height() / 2)]: bar.get_width() for bar in axes.patches}
    assert drawn == counts.to_dict()


@pytest.mark.parametrize("signal", list(TESTS))
def test_funnel_shows_every_unit_with_data_and_two_limits(signals: Signals, signal: str) -> None:
    axes = shown.funnel_figure(signals, signal).axes[0]
    known = signals.table[(signals.table["signal"] == signal) & signals.table["p_value"].notna()]
    assert sum(len(c.get_offsets()) for c in axes.collections) == len(known)
    flagged = (known["status"] == "flagged").sum()
    texts = [t.get_text() for t in axes.get_legend().get_texts()]
    assert texts == [
        f"未见异常（{len(known) - flagged}）",
        f"有线索（{flagged}）",
        "单看5%的界线",
        "误报控制后的界线",
    ]
    plain, strict = (np.asarray(line.get_ydata(), dtype=float) for line in axes.lines[:2])
    assert (strict >= plain).all()


def test_funnel_limit_is_the_least_count_that_p_values_allow(signals: Signals) -> None:
    null = next(iter(signals.nulls["roll_duplicates"].values()))
    assert isinstance(null, GammaPoisson)
    line = shown.funnel_figure(signals, "roll_duplicates").axes[0].lines[0]
    expected = np.asarray(line.get_xdata(), dtype=float)
    limit = np.round(np.asarray(line.get_ydata(), dtype=float) * expected)
    assert (gamma_poisson_tail(limit, expected, null.shape) <= shown.PLAIN_CUT).all()
    assert (gamma_poisson_tail(limit - 1, expected, null.shape) > shown.PLAIN_CUT).all()


def test_correction_figure_draws_the_flags_below_the_line(signals: Signals) -> None:
    axes = shown.correction_figure(signals, "roll_gap").axes[0]
    flagged = len(signals.flagged("roll_gap"))
    assert len(axes.collections[1].get_offsets()) == flagged > 0
    texts = [t.get_text() for t in axes.get_legend().get_texts()]
    assert f"误报控制线（{flagged}个提示）" in texts


@pytest.mark.parametrize("signal", ["review_missing", "bribe"])
def test_facts_have_no_funnel_and_no_p_values(signals: Signals, signal: str) -> None:
    with pytest.raises(KeyError):
        shown.funnel_figure(signals, signal)
    with pytest.raises(KeyError):
        shown.correction_figure(signals, signal)


def test_figures_can_be_drawn_without_a_missing_character(
    signals: Signals, recwarn: pytest.WarningsRecorder
) -> None:
    shown.counts_figure(signals).canvas.draw()
    shown.funnel_figure(signals, "leads_burst").canvas.draw()
    shown.correction_figure(signals, "proxy_share").canvas.draw()
    assert [w for w in recwarn if "Glyph" in str(w.message)] == []
