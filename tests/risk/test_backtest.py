"""The backtest cannot look ahead, holds regions out whole, and adopts nothing by itself."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.backtest import Scorecard, backtest

UNITS = [f"{c}县{t}镇{n:02d}村" for c in "甲乙丙丁戊己庚辛" for t in "东西" for n in range(30)]
KEYS = {"unit": "unit", "term": "term", "outcome": "incident"}


def panel(*terms: int, seed: int = 11, strength: float = 4.0) -> pd.DataFrame:
    """A panel in which low turnout in one term brings incidents in the next, and nothing else matters."""
    rng = np.random.default_rng(seed)
    frames = []
    before = rng.random(len(UNITS))
    for term in terms:
        chance = 1 / (1 + np.exp(0.4 + strength * (before - 0.3)))
        before = rng.random(len(UNITS))
        frames.append(
            pd.DataFrame(
                {
                    "unit": UNITS,
                    "term": term,
                    "turnout": before,
                    "noise": rng.random(len(UNITS)),
                    "incident": (rng.random(len(UNITS)) < chance).astype(int),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def run(history: pd.DataFrame, outcomes: pd.DataFrame | None = None, **options: Any) -> Scorecard:
    options = {"test_term": 2021, "draws": 50, "models": ["equal_weights", "logistic"], **options}
    return backtest(history, history if outcomes is None else outcomes, **KEYS, **options)


@pytest.fixture(scope="module")
def card() -> Scorecard:
    three = panel(2015, 2018, 2021)
    index = three[["unit", "term"]].assign(index=100 * np.random.default_rng(3).random(len(three)))
    return backtest(
        three,
        three,
        **KEYS,
        test_term=2021,
        index=index,
        classification=load_parameters().classification,
        draws=200,
        version="村选/1",
    )


def test_with_three_terms_it_learns_from_the_past_of_other_regions(card: Scorecard) -> None:
    assert card.facts["design"] == "forward+regions"
    assert card.facts["train_terms"] == [2018]
    assert card.facts["feature_term"] == 2018
    assert list(card.scores.index) == ["index", "last_value", "equal_weights", "logistic", "boosting"]


def test_nothing_of_the_tested_term_reaches_the_forecast() -> None:
    three = panel(2015, 2018, 2021)
    now = three["term"] == 2021
    other = three.assign(
        turnout=three["turnout"].mask(now, 0.9), incident=three["incident"].mask(now, 1 - three["incident"])
    )
    plain, turned = run(three), run(other)
    for model in ("equal_weights", "logistic"):
        assert plain.of(model)["probability"].tolist() == turned.of(model)["probability"].tolist()
    assert plain.scores.loc["logistic", "roc_auc"] == pytest.approx(
        1 - turned.scores.loc["logistic", "roc_auc"]
    )


def test_with_two_terms_a_region_never_teaches_itself() -> None:
    two = panel(2018, 2021)
    first = run(two)
    assert first.facts["design"] == "regions"
    own = two["unit"].str.startswith("甲") & (two["term"] == 2021)
    second = run(two.assign(incident=two["incident"].mask(own, 1 - two["incident"])))
    chances = [c.of("logistic").set_index("unit")["probability"] for c in (first, second)]
    same = chances[0] == chances[1]
    assert same[[u.startswith("甲") for u in same.index]].all()
    assert not same.all()


def test_whole_regions_are_held_out_once(card: Scorecard) -> None:
    rows = card.of("logistic")
    assert sorted(rows["unit"]) == sorted(UNITS)
    assert (rows.groupby("region")["fold"].nunique() == 1).all()
    assert rows["fold"].nunique() == card.facts["folds"] == 8


def test_neighbours_of_a_held_out_region_are_not_learned_from() -> None:
    two = panel(2018, 2021)
    pairs = pd.DataFrame({"region": ["甲县"], "neighbour": ["乙县"]})
    first = run(two, neighbours=pairs)
    near = two["unit"].str.startswith("乙") & (two["term"] == 2021)
    second = run(two.assign(incident=two["incident"].mask(near, 1 - two["incident"])), neighbours=pairs)
    chances = [c.of("logistic").set_index("unit")["probability"] for c in (first, second)]
    same = chances[0] == chances[1]
    assert same[[u[0] in "甲乙" for u in same.index]].all()
    assert not same[[u.startswith("丙") for u in same.index]].any()
    with pytest.raises(DataError, match="不认识的片区"):
        run(two, neighbours=pairs.assign(neighbour="癸县"))


def test_a_model_that_beats_the_index_in_time_and_space_may_be_adopted(card: Scorecard) -> None:
    row = card.adoption.loc["logistic"]
    assert row["reference"] == "index"
    assert row["adopted"]
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert "95%区间" in row["reason"]
    assert "不代替指数" in row["reason"]
    assert card.scores.loc["logistic", "ece"] < 0.06


def test_without_time_blocking_or_without_an_index_nothing_is_adopted() -> None:
    two = panel(2018, 2021)
    index = two[["unit", "term"]].assign(index=100 * np.random.default_rng(3).random(len(two)))
    beaten = run(two, index=index, models=["index", "logistic"])
    assert beaten.adoption.loc["logistic", "low"] > 0
    assert not beaten.adoption["adopted"].any()
    assert "没有在时间上向前检验" in beaten.adoption.loc["logistic", "reason"]
    alone = run(two)
    assert alone.adoption["reference"].tolist() == ["equal_weights"]
    assert not alone.adoption["adopted"].any()
    assert any("没有选情指数" in line for line in alone.limits["does_not_prove"])


def test_a_model_no_better_than_the_index_is_not_adopted() -> None:
    three = panel(2015, 2018, 2021)
    index = three[["unit", "term"]].assign(index=100 * three["turnout"])  # the truth itself
    found = run(three, index=index, models=["index", "logistic"])
    assert not found.adoption["adopted"].any()
    assert "不能确定好于选情指数" in found.adoption.loc["logistic", "reason"]


def test_the_index_keeps_its_own_order_and_a_missing_one_counts_as_worst() -> None:
    two = panel(2018, 2021)
    index = two[["unit", "term"]].assign(index=100 * two["turnout"])
    rows = run(two, index=index.iloc[1:], models=["index"]).of("index").set_index("unit")["rank"]
    asked = index[index["term"] == 2018].set_index("unit")["index"].iloc[1:]
    assert rows.drop(UNITS[0]).rank().tolist() == asked.rank().reindex(rows.drop(UNITS[0]).index).tolist()
    assert rows[UNITS[0]] == 1


def test_yellow_must_lie_between(card: Scorecard) -> None:
    assert card.levels["units"].sum() == len(UNITS)
    three = panel(2015, 2018, 2021)
    index = three[["unit", "term"]].assign(index=100 * three["turnout"])
    cuts = load_parameters().classification
    good = run(three, index=index, classification=cuts, models=["index"])
    assert good.facts["yellow_between"] is True
    bad = run(three, index=index.assign(index=100 - index["index"]), classification=cuts, models=["index"])
    assert bad.facts["yellow_between"] is False
    blind = run(three, index=index.assign(index=90.0), classification=cuts, models=["index"])
    assert blind.facts["yellow_between"] is None


def test_rows_that_cannot_be_scored_are_counted() -> None:
    two = panel(2018, 2021)
    now = two["term"] == 2021
    gaps = two.assign(incident=two["incident"].astype("Float64").mask(now & (two.index % 10 == 0)))
    found = run(gaps.drop(index=[3, 4, 5]))
    assert found.facts["excluded"] == {"outcome_missing": 48, "no_history": 3}
    assert found.facts["units"] == len(UNITS) - 51
    assert {"48 个单位没有结果，未计入", "3 个单位选举前没有数据，不能预测，未计入"} <= set(found.notes)


def test_columns_named_like_our_own_do_no_harm() -> None:
    two = panel(2018, 2021)
    odd = two.rename(columns={"turnout": "outcome", "noise": "region"}).assign(fold=two["noise"])
    found = run(odd, models=["logistic"])
    assert found.columns["used"].all()
    assert found.scores.loc["logistic", "lift"] > 1.3


def test_terms_may_be_text_and_tables_may_differ_in_type() -> None:
    two = panel(2018, 2021)
    words = two.assign(term=two["term"].map({2018: "2018-11", 2021: "2021-03"}))
    found = run(words, test_term="2021-03", models=["logistic"])
    assert found.facts["feature_term"] == "2018-11"
    assert found.facts["lead_time"] == {"terms": 1, "years": None}
    mixed = run(two.assign(term=two["term"].astype(float)), two.assign(term=two["term"].astype(str)))
    assert mixed.facts["lead_time"]["years"] == 3


def test_equal_input_and_seed_give_equal_results_in_any_row_order() -> None:
    two = panel(2018, 2021)
    first, second = run(two), run(two.sample(frac=1, random_state=5))
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())
    assert run(two, seed=1).scores.loc["logistic", "pr_auc_low"] != first.scores.loc["logistic", "pr_auc_low"]


def test_the_scorecard_has_the_promised_form(card: Scorecard) -> None:
    found = json.loads(json.dumps(card.to_json(), allow_nan=False))
    assert found["base_rate"] == pytest.approx(card.of("index")["outcome"].mean())
    for scores in found["models"].values():
        numbers = {"pr_auc", "pr_auc_low", "pr_auc_high", "roc_auc", "brier", "ece"}
        assert all(isinstance(scores[key], float) for key in numbers)
        assert scores["pr_auc_low"] <= scores["pr_auc"] <= scores["pr_auc_high"]
        assert list(scores["recall_at"]) == [str(k) for k in card.facts["capacities"]]
    assert found["recommended"] in found["models"]
    assert found["proves"]
    assert found["does_not_prove"]


def test_it_explains_itself(card: Scorecard) -> None:
    assert repr(card).startswith("Scorecard(units=480, events=")
    assert "as_of_term=2018" in repr(card)
    assert "parameters='村选/1'" in repr(card)
    assert card.to_frame().equals(card.scores)
    assert card.explain("logistic").startswith("逻辑回归：平均查准率")
    row = card.misses(most=1).iloc[0]
    assert card.explain(row["unit"]).endswith("实际确实发生了。")
    assert row["rank"] == card.misses()["rank"].max()
    for call in (card.explain, card.of):
        with pytest.raises(KeyError):
            call("没有这个")


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {"test_term": 2030}, "没有要检验的届次"),
        ({"incident": 0}, {}, "结果都一样"),
        ({"incident": 3}, {}, "结果列不是是否"),
        ({"turnout": "x", "noise": 1}, {"features": ["turnout", "noise"]}, "没有可用的特征列"),
        ({}, {"features": ["nothing"]}, "指定的特征列不能用"),
        ({}, {"features": ["term"]}, "指定的特征列不能用"),
        ({}, {"directions": {"turnout": 2}}, "方向写得不对"),
        ({}, {"capacities": [0]}, "检查能力不对"),
        ({}, {"capacities": []}, "检查能力不对"),
        ({}, {"neighbours": pd.DataFrame({"a": []})}, "相邻片区表不对"),
        ({}, {"region": "nothing"}, "没有片区列"),
    ],
)
def test_what_cannot_be_tested_is_told_with_its_remedy(
    change: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said) as error:
        run(panel(2018, 2021).assign(**change), **options)
    assert all(fault.remedy for fault in error.value.faults)


def test_units_that_are_written_otherwise_in_the_history_are_told_as_such() -> None:
    outcomes = panel(2018, 2021)[["unit", "term", "incident"]]
    later = outcomes[outcomes["term"] == 2021]
    with pytest.raises(DataError, match="没有可以检验的单位") as error:
        run(panel(2018), later.assign(unit=later["unit"] + "委会"))
    assert f"{len(later)} 个单位选举前没有数据，0 个没有结果" in str(error.value)
    with pytest.raises(DataError, match=f"0 个单位选举前没有数据，{len(later)} 个没有结果"):
        run(panel(2018), later.assign(incident=np.nan))


def test_regions_that_leave_nothing_to_learn_from_are_told() -> None:
    two = panel(2018, 2021).assign(片=lambda t: np.where(t["unit"].str[0] == "甲", "一", "二"))
    quiet = two.assign(incident=two["incident"].where(two["片"] == "二", 0))
    with pytest.raises(DataError, match="剩下的单位不够建立模型"):
        run(quiet, region="片")


def test_no_such_model_is_a_programmers_mistake() -> None:
    with pytest.raises(ValueError, match="none of the models"):
        run(panel(2018, 2021), models=["index"])
