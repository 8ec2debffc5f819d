"""Verdicts on people: against a plain loop over the rules, in any order of rows, from what may be read alone.

What each rule says on which day is told by the cases in ``tests/scenarios/eligibility``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import PERMANENT, load_parameters
from huanjie_lib.talent.eligibility import eligibility, kin_conflicts, kin_unchecked
from huanjie_lib.vocabulary import PostKind

AS_OF = dt.date(2026, 10, 31)
PARAMETERS = load_parameters(region="zhejiang")
DEPARTMENTS = ("纪委监委", "法院", "公安局")
SHORT = PARAMETERS.model_copy(
    update={
        "rules": tuple(
            rule.model_copy(update={"value": DEPARTMENTS}) if rule.id == "review_departments" else rule
            for rule in PARAMETERS.rules
        )
    }
)
POSTS = [PostKind.MEMBER, PostKind.SECRETARY]
GROUNDS = [None, "criminal", "discipline", "dishonest", "other"]
DAYS = [AS_OF + dt.timedelta(days) for days in (-1000, -400, -1, 0, 1, 90)]


def people_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["person_ref", "affiliation", "status", "registered_on", "updated_on"])
    dates = dict.fromkeys(("registered_on", "updated_on"), "datetime64[us]")
    return frame.astype({"person_ref": "str", "affiliation": "str", "status": "str"} | dates)


def vettings_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    words = ["person_ref", "department", "opinion", "ground", "document"]
    dates = ["ended_on", "given_on", "expires_on"]
    frame = pd.DataFrame(rows, columns=[*words, *dates])
    return frame.astype(dict.fromkeys(words, "str") | dict.fromkeys(dates, "datetime64[us]"))


def person(ref: str, **changes: Any) -> dict[str, Any]:
    row = {"person_ref": ref, "affiliation": "01", "status": "selected", "updated_on": None}
    return row | {"registered_on": dt.date(2025, 1, 1)} | changes


def opinion(ref: str, department: str, **changes: Any) -> dict[str, Any]:
    row = {"person_ref": ref, "department": department, "opinion": "favourable", "document": "D"}
    dates = {"given_on": dt.date(2026, 8, 1), "expires_on": dt.date(2027, 1, 31), "ended_on": None}
    return row | dates | {"ground": None} | changes


def later(day: dt.date, years: int) -> dt.date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def plain(who: dict[str, Any], opinions: list[dict[str, Any]], post: PostKind) -> str:
    """Return the verdict on one person for one post, rule by rule, as the module's text says."""
    found = {"pass"}
    if who["registered_on"] > AS_OF or who["status"] == "left":
        found.add("fail")
    if post is PostKind.SECRETARY:
        found.add({"01": "pass", None: "unknown"}.get(who["affiliation"], "fail"))
    for department in {*DEPARTMENTS, *(row["department"] for row in opinions)}:
        mine = [row for row in opinions if row["department"] == department]
        dated = sorted(
            (r for r in mine if r["given_on"] and r["given_on"] <= AS_OF), key=lambda r: r["given_on"]
        )
        last = dated[-1] if dated else {"opinion": "pending"}
        asked, favourable = department in DEPARTMENTS, last["opinion"] == "favourable"
        usable = favourable and last["document"] and last["expires_on"] and last["expires_on"] >= AS_OF
        if any(row["given_on"] is None for row in mine) or (asked and last["opinion"] == "pending"):
            found.add("unknown")
        if asked and favourable and not usable:
            found.add("unknown")
        decided = [row for row in dated if row["opinion"] != "pending"]
        if decided and decided[-1]["opinion"] == "adverse":
            found.add(adverse(decided[-1]))
    return next(status for status in ("fail", "unknown", "pass") if status in found)


def adverse(row: dict[str, Any]) -> str:
    rule = SHORT.rule_in_force(f"bar_{row['ground']}", AS_OF) if row["ground"] else None
    if rule is None or not row["document"]:
        return "unknown"
    if rule.value == PERMANENT or row["ended_on"] is None:
        return "fail"
    assert isinstance(rule.value, int)
    return "fail" if later(row["ended_on"], rule.value) >= AS_OF else "unknown"


maybe_days = st.sampled_from([None, *DAYS])
opinions = st.fixed_dictionaries(
    {
        "department": st.sampled_from([*DEPARTMENTS, "农业农村局"]),
        "opinion": st.sampled_from(["favourable", "favourable", "adverse", "pending"]),
        "ground": st.sampled_from(GROUNDS),
        "document": st.sampled_from(["D", "D", None]),
        "ended_on": st.sampled_from([None, dt.date(2023, 10, 31), dt.date(2023, 10, 30), *DAYS]),
        "given_on": maybe_days,
        "expires_on": maybe_days,
    }
)
persons = st.tuples(
    st.fixed_dictionaries(
        {
            "affiliation": st.sampled_from(["01", "02", "13", None]),
            "status": st.sampled_from(["selected", "left"]),
            "registered_on": st.sampled_from([dt.date(2025, 1, 1), DAYS[4]]),
        }
    ),
    st.lists(opinions, max_size=6, unique_by=lambda row: (row["department"], row["given_on"])),
    st.booleans(),
)


@settings(max_examples=60)
@given(st.lists(persons, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_verdicts_are_those_of_a_plain_loop_in_any_order_of_rows(
    drawn: list[tuple[dict[str, Any], list[dict[str, Any]], bool]], shuffle: Any
) -> None:
    who, rows = [], []
    for number, (attributes, given_opinions, complete) in enumerate(drawn):
        ref = f"P{number}"
        who.append(person(ref, **attributes))
        rows += [row | {"person_ref": ref} for row in given_opinions]
        if complete:  # every department had agreed long before
            rows += [opinion(ref, name, given_on=dt.date(2020, 1, 1)) for name in DEPARTMENTS]
    expected = [
        plain(one, [row for row in rows if row["person_ref"] == one["person_ref"]], post)
        for one in who
        for post in POSTS
    ]
    found = eligibility(people_table(who), vettings_table(rows), POSTS, SHORT, as_of=AS_OF)
    assert found.verdicts()["status"].tolist() == expected
    told = found.rules.groupby("person_ref", observed=True)["status"].agg(set).to_dict()
    for ref, status in found.status["member"].items():
        worst = found.status.loc[ref].tolist()
        assert (ref in told) == any(one != "pass" for one in worst)
        assert status == "pass" or status in told[ref]
    refusals = found.rules[found.rules["status"] == "fail"]
    for column in ("rule", "label", "version", "source", "reason"):
        assert (refusals[column].astype("str") != "").all()
    shuffle.shuffle(who)
    shuffle.shuffle(rows)
    again = eligibility(people_table(who), vettings_table(rows), POSTS, SHORT, as_of=AS_OF)
    pd.testing.assert_frame_equal(again.rules, found.rules)
    pd.testing.assert_frame_equal(again.status, found.status)
    pd.testing.assert_series_equal(again.valid_until, found.valid_until)


def whole_review(ref: str) -> list[dict[str, Any]]:
    return [opinion(ref, name) for name in DEPARTMENTS]


def test_attributes_of_a_person_that_may_not_count_change_no_byte() -> None:
    people = people_table([person("P1"), person("P2", affiliation="13")])
    vettings = vettings_table(whole_review("P1") + whole_review("P2"))
    found = eligibility(people, vettings, POSTS, SHORT, as_of=AS_OF)
    more = people.assign(
        birth_year=[1940, 2001], education=["81", "11"], sex=["1", "2"], is_minority=[True, False],
        religion=["a", "b"], petitions=[9, 0], unit_code=["u", None], source="other", channel="self",
    )  # fmt: skip
    again = eligibility(more, vettings.assign(kin="x"), POSTS, SHORT, as_of=AS_OF)
    assert again.rules.equals(found.rules)
    assert again.status.equals(found.status)
    assert again.explain("P2") == found.explain("P2")


def test_without_any_opinion_nobody_passes_and_nobody_is_refused() -> None:
    for none in (None, vettings_table([])):
        found = eligibility(people_table([person("P1")]), none, POSTS, SHORT, as_of=AS_OF)
        assert found.verdicts()["status"].tolist() == ["unknown", "unknown"]
        assert found.rules["reason"].tolist() == ["3个部门都没有出具意见"]
    empty = eligibility(people_table([]), None, POSTS, SHORT, as_of=AS_OF)
    assert empty.eligible(PostKind.MEMBER).tolist() == []
    assert len(empty.rules) == 0


@pytest.mark.parametrize("department", ["法院", "农业农村局"])
def test_an_opinion_without_a_day_leaves_open_which_is_the_last(department: str) -> None:
    undated = opinion("P1", department, given_on=None)
    found = eligibility(
        people_table([person("P1")]),
        vettings_table([*whole_review("P1"), undated]),
        POSTS,
        SHORT,
        as_of=AS_OF,
    )
    assert found.verdicts()["status"].tolist() == ["unknown", "unknown"]
    assert found.rules["reason"].tolist() == [f"{department}的意见没有出具日期"]
    assert found.valid_until.isna().all()


def test_opinions_on_others_are_left_aside() -> None:
    people, mine = people_table([person("P1")]), whole_review("P1")
    found = eligibility(people, vettings_table(mine), POSTS, SHORT, as_of=AS_OF)
    foreign = opinion("P9", "法院", opinion="adverse", ground="gang")
    again = eligibility(people, vettings_table([foreign, *mine]), POSTS, SHORT, as_of=AS_OF)
    assert found.eligible(PostKind.SECRETARY).all()
    assert again.rules.equals(found.rules)


def test_masks_follow_the_sorted_people_and_a_result_names_itself() -> None:
    people = people_table([person("P2", affiliation="13"), person("P1")])
    found = eligibility(
        people, vettings_table(whole_review("P1") + whole_review("P2")), POSTS, SHORT, as_of=AS_OF
    )
    assert found.status.index.tolist() == ["P1", "P2"]
    assert found.eligible(PostKind.SECRETARY).tolist() == [True, False]
    assert found.eligible(PostKind.MEMBER).tolist() == [True, True]
    assert repr(found).startswith("Eligibility(people=2, eligible=2, as_of=2026-10-31, parameters='default@")
    assert found.explain("P1") == "各岗位通过；审核意见有效期至2027年1月31日。"
    assert found.to_frame() is not found.rules
    with pytest.raises(KeyError):
        found.explain("P3")
    with pytest.raises(KeyError):
        found.eligible(PostKind.DEPUTY)


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="a person has more than one row"):
        eligibility(people_table([person("P1"), person("P1")]), None, POSTS, SHORT, as_of=AS_OF)
    twice = vettings_table([opinion("P1", "法院"), opinion("P1", "法院", opinion="adverse")])
    with pytest.raises(ValueError, match="more than one opinion of a department"):
        eligibility(people_table([person("P1")]), twice, POSTS, SHORT, as_of=AS_OF)
    with pytest.raises(ParameterError, match="review_departments"):
        eligibility(people_table([person("P1")]), None, POSTS, SHORT, as_of=dt.date(2010, 1, 1))


def test_records_with_gaps_are_unknown() -> None:
    people = people_table([person("P1", registered_on=None), person("P2", status=None)])
    found = eligibility(
        people, vettings_table(whole_review("P1") + whole_review("P2")), POSTS, SHORT, as_of=AS_OF
    )
    assert found.rules["reason"].tolist() == ["没有入库日期", "没有填报培养状态"]
    assert not found.eligible(PostKind.MEMBER).any()


def test_kin_conflicts_are_none_before_their_rule_and_one_row_a_pair() -> None:
    people = pd.DataFrame({"person_ref": ["P1"]})
    kinships = pd.DataFrame(
        {
            "person_ref": ["P1", "P1", "P1"],
            "other_ref": ["M1", "M2", "M3"],
            "relation": ["sibling", "spouse", "in-law"],
        }
    )
    members = pd.DataFrame(
        {
            "unit_code": ["u1", "u1", "u2"],
            "person_ref": ["M1", "M2", "M3"],
            "post": "member",
            "term_from": pd.NaT,
            "term_to": pd.NaT,
        }
    ).astype({"term_from": "datetime64[us]", "term_to": "datetime64[us]"})
    posts = pd.DataFrame({"unit_code": ["u1", "u2"], "post": "supervision"})
    found = kin_conflicts(people, kinships, members, posts, PARAMETERS, as_of=AS_OF)
    assert found[["unit_code", "person_ref", "status"]].to_numpy().tolist() == [["u1", "P1", "fail"]]
    assert "配偶" in found["reason"].item()
    assert found["version"].item() == "2018-12-29"
    early = kin_conflicts(people, kinships, members, posts, PARAMETERS, as_of=dt.date(2018, 1, 1))
    assert early.columns.tolist() == found.columns.tolist()
    assert early.dtypes.equals(found.dtypes)
    assert early.empty
    with pytest.raises(ParameterError, match="kin_relations"):
        kin_conflicts(people, kinships, members, posts, PARAMETERS, as_of=dt.date(2020, 6, 1))
    some = members[members["unit_code"] == "u1"]
    assert kin_unchecked(members, posts, PARAMETERS, as_of=AS_OF, declared=True).empty
    unknown = kin_unchecked(some, posts, PARAMETERS, as_of=AS_OF, declared=True)
    assert unknown[["unit_code", "post"]].to_numpy().tolist() == [["u2", "supervision"]]
    assert "没有报送" in unknown["reason"].item()
    undeclared = kin_unchecked(members, posts, PARAMETERS, as_of=AS_OF, declared=False)
    assert undeclared["reason"].str.contains("没有申报").all()
    assert len(undeclared) == 2
    assert kin_unchecked(some, posts, PARAMETERS, as_of=dt.date(2018, 1, 1), declared=False).empty
