"""Tables, pictures and card of a backtest tell the figures of its scorecard."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.backtest import Scorecard, backtest
from huanjie_lib.risk.verification import colour_churn
from huanjie_lib.views import backtest as views
from huanjie_lib.views.fonts import missing_glyphs


@pytest.fixture(scope="module")
def card() -> Scorecard:
    rng = np.random.default_rng(2)
    names = [f"{c}县{t}镇{n:02d}村" for c in "甲乙丙丁戊己" for t in "东西" for n in range(40)]
    before = pd.DataFrame({"u": names, "t": 2018, "投票|率": rng.random(480), "备注": "好"})
    before["出险"] = (rng.random(480) < 0.3).astype(int)
    chance = 0.7 - 0.65 * before["投票|率"]
    after = pd.DataFrame({"u": names, "t": 2021, "出险": (rng.random(480) < chance).astype(int)})
    index = pd.DataFrame({"unit": names, "term": 2018, "index": 40 + 60 * before["投票|率"]})
    return backtest(
        before,
        pd.concat([before[["u", "t", "出险"]], after]),
        unit="u",
        term="t",
        outcome="出险",
        test_term=2021,
        index=index,
        classification=load_parameters().classification,
        models=["index", "last_value", "logistic"],
        draws=100,
        version="某包@1",
    )


def test_tables_hold_the_figures_of_the_scorecard(card: Scorecard) -> None:
    scores = views.score_table(card)
    assert scores["平均查准率"].is_monotonic_decreasing
    assert scores.loc["逻辑回归", "概率平均偏差"] == round(card.scores.loc["logistic", "ece"], 4)
    assert views.adoption_table(card).loc["逻辑回归", "可否采用"] == "不采用"
    levels = views.level_table(card)
    assert levels.index.tolist() == ["红色", "黄色", "绿色"]
    assert levels["出险率"].is_monotonic_decreasing
    misses = views.miss_table(card, most=7)
    assert misses["单位"].tolist() == card.misses(most=7)["unit"].tolist()
    assert set(misses["实际"]) == {"出险"}
    units = pd.DataFrame({"unit_code": misses["单位"], "unit_name": misses["单位"].str[-3:]})
    assert views.miss_table(card, units=units, most=7)["名称"].tolist() == units["unit_name"].tolist()
    groups = views.group_table(card)
    assert groups["出险"].sum() == card.facts["events"]
    assert groups["查到的比例"].dropna().is_monotonic_increasing


def test_churn_is_dated_and_headed_in_chinese() -> None:
    dates = pd.to_datetime(["2026-01-31", "2026-02-28"])
    churn = colour_churn(pd.DataFrame({"unit_code": "a", "as_of": dates, "level": ["red", "green"]}))
    table = views.churn_table(churn)
    assert table.loc["2026-02-28", "变色占比"] == 1.0


def test_pictures_show_every_model_and_the_base_rate(card: Scorecard) -> None:
    curve = views.precision_recall_figure(card).axes[0]
    labels = [line.get_label() for line in curve.get_lines()]
    assert [label.partition("（")[0] for label in labels] == ["选情指数", "上届结果", "逻辑回归", "随机抽查"]
    assert curve.get_lines()[-1].get_ydata()[0] == pytest.approx(card.facts["base_rate"])
    assert curve.get_lines()[2].get_ydata()[0] == pytest.approx(card.facts["base_rate"])  # recall 1
    reliability = views.reliability_figure(card).axes[0]
    shown = reliability.get_lines()[2]
    table = card.curves["logistic"]
    assert shown.get_ydata().tolist() == table.loc[table["units"] >= 20, "observed"].tolist()
    decision = views.decision_curve_figure(card).axes[0]
    assert [line.get_label() for line in decision.get_lines()][-2:] == ["全部都查", "都不查"]
    for axes in (curve, reliability, decision):
        words = [axes.get_title(), axes.get_xlabel(), axes.get_ylabel(), *labels]
        assert missing_glyphs("".join(words)) == set()


def test_the_card_says_what_is_proved_and_what_is_not(card: Scorecard) -> None:
    text = views.model_card(card, inputs=["甲.csv"])
    for line in (*card.limits["proves"], *card.limits["does_not_prove"], *card.notes):
        assert f"- {line}。" in text
    assert "须用本市往届数据重新回测" in text
    assert "没有在时间上向前检验" in text
    assert "三色次序成立" in text
    assert "某包@1" in text
    assert "备注（不是数字（如“好”），未用）" in text
    assert text == views.model_card(card, inputs=["甲.csv"])
    assert not any(word in text for word in ("nan", "None", "forward", "PR curve"))
