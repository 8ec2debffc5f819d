"""The certificate: planted leaks of every kind are caught, a fair scoring passes, nothing passes untested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.talent.fairness import (
    PROTECTED,
    digest,
    fairness_certificate,
    flipped,
    mentions,
    permuted,
    sample_of,
)
from huanjie_lib.vocabulary import GateStatus


def tables(n: int = 60) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(7)
    refs = [f"P{k:03d}" for k in range(n)]
    people = {
        "person_ref": refs,
        "birth_year": rng.integers(1965, 2003, n),
        "education": rng.choice(["21", "61"], n),
    }
    protected = {"person_ref": refs, "sex": rng.choice(["1", "2"], n), "is_minority": rng.random(n) < 0.2}
    evidence = {"person_ref": np.repeat(refs, 3), "rating": rng.integers(30, 100, 3 * n).astype(float)}
    return {
        "people": pd.DataFrame(people).astype({"birth_year": "Int64"}),
        "people_protected": pd.DataFrame(protected).astype({"is_minority": "boolean"}),
        "identities": pd.DataFrame(
            {"person_ref": refs, "name_sealed": [f"密{k}" for k in range(n)], "id_sealed": "x"}
        ),
        "evidence": pd.DataFrame(evidence),
        "posts": pd.DataFrame({"unit_code": ["990101101201"], "post": ["director"], "seats": [1]}),
    }


def fair(t: Any, bonus: Any = 0.0) -> dict[str, pd.DataFrame]:
    """Return mean ratings, their order, and a sentence on each."""
    scores = t["evidence"].groupby("person_ref")["rating"].mean() + bonus
    ranks = scores.sort_values(ascending=False, kind="stable").index.to_frame(index=False)
    reasons = pd.DataFrame({"person_ref": scores.index, "reason": [f"财务管理{x:.1f}分" for x in scores]})
    return {"scores": scores.to_frame(), "ranks": ranks, "reasons": reasons}


def protected_of(t: Any, table: str, column: str) -> pd.Series:
    return t[table].set_index("person_ref")[column]


def test_a_scoring_that_reads_nothing_protected_passes() -> None:
    certificate = fairness_certificate(fair, tables(), seed=1, version="2026.1")
    assert certificate.status is GateStatus.PASS
    # six columns; all ID numbers are alike here, so that they cannot be dealt out anew
    assert len(certificate.checks) == 2 + 6 * 3 - 1
    assert set(certificate.digests) == {"scores", "ranks", "reasons"}
    assert certificate.explain() == (
        "抽取60人（人才库共60人）复算，做了19项检查：受保护信息无论怎样改动，得分、名次和理由都一字不变。"
    )
    assert "取值对调：结果不变；随机打乱：结果不变；整列删除：结果不变" in certificate.explain(
        "people_protected.sex"
    )
    assert repr(certificate) == "Certificate(people=60, checks=19, status='pass', parameters='2026.1')"


@pytest.mark.parametrize("column", [f"{t}.{c}" for t, columns in PROTECTED.items() for c in columns])
def test_a_score_that_reads_a_protected_column_is_caught(column: str) -> None:
    """Even by the least: one person in sixty, a billionth of a point, and surviving the column's absence."""
    table, _, name = column.partition(".")
    data = tables()
    data["identities"]["id_sealed"] = [f"号{k}" for k in range(60)]
    favoured = data[table][name].iloc[0]

    def leaking(t: Any) -> dict[str, pd.DataFrame]:
        if name not in t[table]:
            return fair(t)
        values = protected_of(t, table, name)
        return fair(t, 1e-9 * (values == favoured) * (values.index == "P000"))

    certificate = fairness_certificate(leaking, data, seed=1)
    assert certificate.status is GateStatus.FAIL
    failed = certificate.checks[certificate.checks["status"] == GateStatus.FAIL.value]
    assert set(failed["column"]) == {column}
    assert {"flip", "delete"} <= set(failed["change"])
    assert "scores发生变化" in certificate.explain(column)
    assert "没有通过" in certificate.explain()


def test_a_tie_broken_by_sex_changes_ranks_alone_and_is_caught() -> None:
    def leaking(t: Any) -> dict[str, pd.DataFrame]:
        output = fair(t)
        scores = output["scores"].round(-1).assign(sex=protected_of(t, "people_protected", "sex"))
        order = scores.sort_values(["rating", "sex"], ascending=False, kind="stable").index
        return {**output, "ranks": order.to_frame(index=False)}

    certificate = fairness_certificate(leaking, tables(), seed=1)
    failed = certificate.checks[certificate.checks["status"] == GateStatus.FAIL.value]
    assert failed["found"].tolist() == [
        "ranks发生变化",
        "ranks发生变化",
        "评分中断（KeyError），说明评分读取了这一列",
    ]


def test_a_filter_on_age_is_caught() -> None:
    def leaking(t: Any) -> dict[str, pd.DataFrame]:
        young = t["people"].loc[t["people"]["birth_year"] > 1980, "person_ref"]
        return fair({**t, "evidence": t["evidence"][t["evidence"]["person_ref"].isin(young)]})

    assert "没有通过" in fairness_certificate(leaking, tables(), seed=1).explain()


def test_a_reason_that_speaks_of_an_attribute_is_caught() -> None:
    def telling(t: Any) -> dict[str, pd.DataFrame]:
        output = fair(t)
        reasons = output["reasons"].copy()
        reasons.loc[3, "reason"] = "同等条件下优先女同志"
        return {**output, "reasons": reasons}

    certificate = fairness_certificate(telling, tables(), seed=1)
    row = certificate.checks.set_index("change").loc["mention"]
    assert (row["status"], row["found"]) == (GateStatus.FAIL.value, "reasons提到性别（女）")
    assert fairness_certificate(telling, tables(), seed=1, words={}).status is GateStatus.PASS


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("系少数民族", "民族"),
        ("未婚", "婚育"),
        ("曾多次上访", "信访"),
        ("本家人多", "宗族"),
        ("现年52岁", "年龄"),
        ("大专毕业", "学历"),
        ("信教", "宗教"),
        ("身体残疾", "健康"),
        ("近亲属任村干部", "亲属"),
        ("名下有房产", "财产"),
        ("谈话时表态", "谈话"),
    ],
)
def test_words_of_every_attribute_are_known(text: str, what: str) -> None:
    assert [found[1] for found in mentions({"reasons": text.encode()})] == [what]


@pytest.mark.parametrize(
    "text",
    [
        "财务管理低于61.2分将退出前3名",
        "群众口碑达到78.0分可升至第1名",
        "矛盾调解得分高，该村矛盾信访扣分多",
        "发展潜能未知",
    ],
)
def test_ordinary_reasons_speak_of_none(text: str) -> None:
    assert mentions({"reasons": pd.DataFrame({"reason": [text], "category": pd.Categorical([text])})}) == []


def test_a_scoring_that_differs_from_itself_proves_nothing() -> None:
    calls = iter(range(1000))
    certificate = fairness_certificate(lambda t: fair(t, float(next(calls))), tables(), seed=1)
    assert certificate.checks.set_index("change").loc["repeat", "status"] == GateStatus.FAIL.value


def test_a_column_without_values_is_unknown_and_a_missing_one_cannot_be_read() -> None:
    data = tables()
    data["people_protected"]["sex"] = pd.Series([None] * 60, dtype="str")
    del data["identities"]
    certificate = fairness_certificate(fair, data, seed=1)
    assert certificate.status is GateStatus.UNKNOWN
    assert "1项不能判断" in certificate.explain()
    assert "没有填报，无从检验" in certificate.explain("people_protected.sex")
    assert "表中没有这一列" in certificate.explain("identities.name_sealed")
    with pytest.raises(KeyError):
        certificate.explain("people.status")


def test_a_column_of_one_value_is_still_tested() -> None:
    data = tables()
    data["people_protected"]["sex"] = "2"

    def leaking(t: Any) -> dict[str, pd.DataFrame]:
        return fair(t, 1.0 * (protected_of(t, "people_protected", "sex") == "2"))

    assert fairness_certificate(fair, data, seed=1).status is GateStatus.PASS
    assert fairness_certificate(leaking, data, seed=1).status is GateStatus.FAIL


def test_the_tables_themselves_stay_as_they_were() -> None:
    data = tables()
    before = {name: digest(frame) for name, frame in data.items()}
    fairness_certificate(fair, data, seed=1, sample=20)
    assert {name: digest(frame) for name, frame in data.items()} == before


def test_a_sample_holds_whole_people_and_equal_seeds_draw_the_same() -> None:
    data = tables()
    drawn = sample_of(data, 20, seed=4)
    refs = set(drawn["people"]["person_ref"])
    assert len(refs) == 20
    assert len(drawn["evidence"]) == 60
    assert {*drawn["evidence"]["person_ref"]} == refs == {*drawn["people_protected"]["person_ref"]}
    assert len(drawn["posts"]) == 1
    certificates = [fairness_certificate(fair, data, seed=4, sample=20) for _ in range(2)]
    assert certificates[0].digests == certificates[1].digests
    assert (certificates[0].people, certificates[0].total) == (20, 60)
    assert fairness_certificate(fair, data, seed=5, sample=20).digests != certificates[0].digests


def test_changes_change_and_keep_gaps_and_types() -> None:
    values = pd.Series([1970, None, 1980, 1970], dtype="Int64")
    assert flipped(values).tolist() == [1980, pd.NA, 1970, 1980]
    assert flipped(values).dtype == values.dtype
    dealt = permuted(values, np.random.default_rng(1))
    assert dealt.isna().tolist() == values.isna().tolist()
    assert sorted(dealt.dropna()) == sorted(values.dropna())
    assert not dealt.equals(values)
    assert flipped(pd.Series([5, 5])).tolist() == [6, 6]


@pytest.mark.parametrize(
    "other",
    [
        pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]}).iloc[::-1],
        pd.DataFrame({"b": ["x", "y"], "a": [1.0, None]}),
        pd.DataFrame({"a": [1.0, 0.0], "b": ["x", "y"]}),
        pd.DataFrame({"a": [1.0, None], "b": ["x", None]}),
        pd.DataFrame({"a": [1.0, None], "c": ["x", "y"]}),
        pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": ["x", "y"]}),
        pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]}, index=[1, 2]),
        pd.DataFrame({"a": [1.0, None], "b": ["xy", ""]}),
    ],
)
def test_digests_tell_order_names_types_labels_and_values_apart(other: pd.DataFrame) -> None:
    one = pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]})
    assert digest(one) == digest(one.copy())
    assert digest(one) != digest(other)


def test_digests_of_dates_and_bytes() -> None:
    day = pd.DataFrame({"d": pd.to_datetime(["2026-01-01", None])})
    later = pd.DataFrame({"d": pd.to_datetime(["2026-01-02", None])})
    assert digest(day) == digest(day.copy())
    assert digest(day) != digest(later)
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
