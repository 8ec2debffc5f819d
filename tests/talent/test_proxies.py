"""The proxy audit: a planted proxy is flagged and named, chance is not, areas are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from huanjie_lib.talent.proxies import proxy_audit
from huanjie_lib.vocabulary import GateStatus

NAMES = ["finance", "law", "reputation"]


def people(
    seed: int, n: int = 600, *, shift: float = 0.0, gaps: float = 0.1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ratings, those of one aspect shifted for women, and protected attributes."""
    rng = np.random.default_rng(seed)
    sex = np.where(rng.random(n) < 0.35, "2", "1")
    talent = rng.normal(0.0, 8.0, n)  # what a person is good at shows in every aspect
    ratings = pd.DataFrame(60.0 + talent[:, None] + rng.normal(0.0, 8.0, (n, 3)), columns=NAMES)
    ratings["law"] -= shift * (sex == "2")
    ratings = ratings.mask(rng.random(ratings.shape) < gaps)
    index = pd.Index([f"P{k}" for k in range(n)], name="person_ref")
    protected = pd.DataFrame({"sex": sex, "is_minority": rng.random(n) < 0.1}, index=index)
    return ratings.set_axis(index), protected


def test_ratings_shifted_by_sex_are_flagged_and_named() -> None:
    ratings, protected = people(1, shift=8.0)
    audit = proxy_audit(ratings, protected, seed=1, permutations=199)
    found = audit.attributes.set_index("attribute")
    assert found["status"].to_dict() == {"sex": GateStatus.FAIL.value, "is_minority": GateStatus.PASS.value}
    assert found.loc["sex", "p"] == pytest.approx(1 / 200)
    assert found.loc["sex", "low"] > 0.6
    first = audit.inputs[audit.inputs["attribute"] == "sex"].iloc[0]
    assert (first["input"], first["value"], first["higher"]) == ("law", "2", False)
    text = audit.explain("sex", names={"law": "法治思维"})
    assert "评分依据可能替代了该信息，最像的是“法治思维”" in text
    assert "请查明" not in audit.explain("is_minority")


def test_a_value_that_is_missing_for_one_group_only_is_a_proxy_too() -> None:
    ratings, protected = people(2, gaps=0.0)
    ratings.loc[(protected["sex"] == "2") & (np.arange(600) % 2 == 0), "law"] = np.nan
    audit = proxy_audit(ratings, protected[["sex"]], seed=1, permutations=99)
    assert audit.attributes.loc[0, "status"] == GateStatus.FAIL.value


def test_chance_is_rarely_flagged_and_p_is_level() -> None:
    """In 20 cities without a proxy few flags by chance (5 % of small ones), and p as often low as said."""
    p_values, flags = [], 0
    for seed in range(20):
        ratings, protected = people(seed, 150)
        audit = proxy_audit(ratings, protected[["sex"]], seed=seed, permutations=49)
        flags += audit.attributes.loc[0, "status"] == GateStatus.FAIL.value
        p_values.append(audit.attributes.loc[0, "p"])
    assert flags <= 3
    assert (np.array(p_values) <= 0.1).sum() <= 6  # beyond the 99 % point of Binomial(20, 0.1)


def test_an_input_alone_has_the_area_of_scikit_learn() -> None:
    ratings, protected = people(3, shift=5.0)
    audit = proxy_audit(ratings.round(-1), protected[["sex"]], seed=1, permutations=9)
    for row in audit.inputs.to_dict("records"):
        values = ratings[row["input"]].round(-1).dropna()
        area = roc_auc_score(protected.loc[values.index, "sex"] == "2", values)
        assert row["auc"] == pytest.approx(max(area, 1 - area))
        assert row["higher"] == (area > 0.5)


def test_an_attribute_of_several_values_is_guessed_value_by_value() -> None:
    ratings, _ = people(4)
    band = pd.cut(ratings["finance"].fillna(0), [-1, 55, 65, 200], labels=["低", "中", "高"]).astype("str")
    audit = proxy_audit(ratings, band.to_frame("band"), seed=1, permutations=99)
    assert audit.attributes["value"].tolist() == sorted(["低", "中", "高"])
    assert (audit.attributes["status"] == GateStatus.FAIL.value).all()


def test_too_few_people_are_unknown_and_a_constant_tells_nothing() -> None:
    ratings, _ = people(5)
    rare = pd.DataFrame({"is_minority": np.arange(600) < 29, "sex": "1"}, index=ratings.index)
    audit = proxy_audit(ratings, rare, seed=1, permutations=9)
    assert audit.attributes["status"].tolist() == [GateStatus.UNKNOWN.value] * 2
    assert "人数太少（29人），不能判断" in audit.explain("is_minority")


def test_equal_seeds_give_equal_bytes_and_samples_are_bounded() -> None:
    ratings, protected = people(6)
    runs = [proxy_audit(ratings, protected, seed=3, permutations=9, most=300) for _ in range(2)]
    pd.testing.assert_frame_equal(runs[0].attributes, runs[1].attributes, check_exact=True)
    assert runs[0].attributes["people"].tolist() == [300, 300]
    assert runs[0].to_frame() is not runs[0].attributes


def test_what_cannot_be_guessed_is_refused() -> None:
    ratings, protected = people(7)
    with pytest.raises(ValueError, match="at most ten"):
        proxy_audit(ratings, pd.DataFrame({"birth_year": np.arange(600)}, index=ratings.index), seed=1)
    with pytest.raises(ValueError, match="must be numbers"):
        proxy_audit(ratings.assign(law="高"), protected, seed=1)
    with pytest.raises(ValueError, match="once"):
        proxy_audit(pd.concat([ratings, ratings]), protected, seed=1)
    with pytest.raises(KeyError):
        proxy_audit(ratings, protected[["sex"]], seed=1, permutations=9).explain("education")


def test_an_input_that_hardly_anyone_has_is_left_aside() -> None:
    sex = pd.DataFrame({"sex": ["1", "2"] * 60})
    inputs = pd.DataFrame({"law": np.nan, "finance": [50.0, *[np.nan] * 119]})
    audit = proxy_audit(inputs, sex, seed=1)
    assert audit.attributes["status"].tolist() == ["unknown"]
    inputs["trial"] = np.random.default_rng(1).normal(60, 5, 120)
    assert proxy_audit(inputs, sex, seed=1).inputs["input"].tolist() == ["trial"]
