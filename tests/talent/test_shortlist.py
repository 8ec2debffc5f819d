"""Shortlists: who is on them and why, proved by ranking everybody again with one value changed."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import TalentPack, load_parameters
from huanjie_lib.talent.eligibility import Eligibility
from huanjie_lib.talent.fit import ASPECTS, PostProfiles, post_profiles
from huanjie_lib.talent.portrait import Portraits, portraits
from huanjie_lib.talent.shortlist import COLUMNS, THRESHOLD_COLUMNS, Shortlists, shortlists
from huanjie_lib.talent.top_k import scores
from huanjie_lib.vocabulary import EvidenceKind, PortraitAspect, PostKind

AS_OF = dt.date(2026, 10, 31)
PARAMETERS = load_parameters()
assert PARAMETERS.talent is not None
PACK: TalentPack = PARAMETERS.talent.model_copy(update={"draws": 400, "pool": 20, "shortlist_length": 8})
PEOPLE = 90


def portrayed(seed: int = 1, people: int = PEOPLE) -> Portraits:
    """Return portraits from random evidence; the last ten people have none and are level."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"P{person:03d}", rule.aspect.value, rule.kind.value, year, rating, f"{year}-{6 + person % 3}-01")
        for person in range(people - 10)
        for ability in [rng.normal(65, 12)]
        for rule in PACK.evidence
        for year in (2025, 2026)
        if rng.random() < 0.4 and not (year == 2026 and rule.kind is EvidenceKind.APPRAISAL)
        for rating in [float(np.clip(rng.normal(ability, 10), 0, 100).round(1))]
    ]
    evidence = pd.DataFrame(rows, columns=["person_ref", "aspect", "kind", "year", "rating", "dated_on"])
    evidence["dated_on"] = pd.to_datetime(evidence["dated_on"])
    refs = pd.DataFrame({"person_ref": [f"P{person:03d}" for person in range(people)]})
    return portraits(refs, evidence, None, PACK, as_of=AS_OF)


def eligible(people: Portraits, share: float = 0.8, seed: int = 2) -> Eligibility:
    """Return verdicts on all people; one passes for the secretary's post."""
    rng, refs = np.random.default_rng(seed), pd.Index(people.person_ref, name="person_ref")
    passes = {
        post.value: np.arange(len(refs)) == 5 if post is PostKind.SECRETARY else rng.random(len(refs)) < share
        for post in PostKind
    }
    return Eligibility(
        rules=pd.DataFrame(),
        status=pd.DataFrame(
            {post: np.where(may, "pass", "fail") for post, may in passes.items()}, index=refs
        ),
        valid_until=pd.Series(pd.NaT, index=refs),
        as_of=AS_OF,
        version="test",
    )


def asked() -> PostProfiles:
    units = pd.DataFrame({"unit_code": ["u1", "u2", "u3"], "unit_kind": ["village", "community", "village"]})
    posts = pd.DataFrame(
        [
            (unit, post.value, seats, None)
            for unit in units["unit_code"]
            for seats, post in enumerate(PostKind, 1)
        ],
        columns=["unit_code", "post", "seats", "profile"],
    )
    losses = pd.DataFrame(
        [("u1", "finance_audit", 0.8), ("u2", "conflict_petition", 0.4)],
        columns=["unit_code", "dimension", "share"],
    )
    return post_profiles(posts, units, losses, PACK)


EXCLUDED = pd.DataFrame(
    {
        "unit_code": ["u1", "u1", "u2", "elsewhere", "u1"],
        "post": ["deputy", "deputy", "member", "member", "member"],
        "person_ref": ["P001", "P002", "P003", "P003", "nobody"],
    }
)


def build(people: Portraits | None = None, **change: Any) -> Shortlists:
    people = portrayed() if people is None else people
    arguments: dict[str, Any] = {"excluded": EXCLUDED, "seed": 5} | change
    return shortlists(people, asked(), eligible(people), PACK, **arguments)


@pytest.fixture(scope="module")
def lists() -> Shortlists:
    return build()


def ranking(lists: Shortlists, post: int, changed: Any = None) -> list[str]:
    """Rank all who may be proposed for a post, by hand; ``changed`` is a person, an aspect and a value."""
    people, about = lists.portraits, lists.posts.iloc[post]
    mean = people.mean.copy()
    if changed is not None:
        person, aspect, value = changed
        mean[people.row(person), ASPECTS.index(aspect)] = value
    fit = scores(mean, lists.profiles.weights[post])
    may = eligible(people).eligible(PostKind.lookup()[about["post"]])
    gone = EXCLUDED[(EXCLUDED["unit_code"] == about["unit_code"]) & (EXCLUDED["post"] == about["post"])]
    may = may & ~np.isin(people.person_ref, gone["person_ref"].to_numpy(dtype=object))
    order = sorted(np.flatnonzero(may).tolist(), key=lambda row: (-fit[row], people.person_ref[row]))
    return [str(people.person_ref[row]) for row in order]


def test_lists_hold_the_best_who_may_be_proposed(lists: Shortlists) -> None:
    assert tuple(lists.frame) == COLUMNS
    for post, about in enumerate(lists.posts.to_dict("records")):
        listed = lists.frame[
            (lists.frame["unit_code"] == about["unit_code"]) & (lists.frame["post"] == about["post"])
        ]
        everybody = ranking(lists, post)
        assert listed["person_ref"].tolist() == everybody[:8]
        assert listed["rank"].tolist() == list(range(1, len(listed) + 1))
        assert (about["eligible"], about["listed"]) == (len(everybody), min(len(everybody), 8))
        assert about["wanted"] == max(2, about["seats"] + 1)
        assert about["lacking"] == max(0, about["wanted"] - len(everybody))
        rows = [lists.portraits.row(ref) for ref in listed["person_ref"]]
        for column, values in (("fit_low", "low"), ("fit", "mean"), ("fit_high", "high")):
            wanted = getattr(lists.portraits, values)[rows] @ lists.profiles.weights[post]
            np.testing.assert_allclose(listed[column], wanted, rtol=0, atol=1e-9)
        assert listed["p_top"].between(0, 1).all()
    assert lists.posts.loc[lists.posts["post"] == "secretary", "lacking"].tolist() == [1, 1, 1]


def test_thresholds_hold_when_everybody_is_ranked_again(lists: Shortlists) -> None:
    """Whoever has the least value of the grid stays, or gets there; whoever has the next lower does not."""
    assert tuple(lists.thresholds) == THRESHOLD_COLUMNS
    posts = {(p["unit_code"], p["post"]): row for row, p in enumerate(lists.posts.to_dict("records"))}
    seen = set()
    for told in lists.thresholds.to_dict("records"):
        post = posts[told["unit_code"], told["post"]]
        person, aspect, place = told["person_ref"], told["aspect"], told["place"]

        def among(value: float, post: int = post, at: Any = (person, aspect), place: int = place) -> bool:
            return at[0] in ranking(lists, post, (*at, value))[:place]

        if told["kind"] == "verify":
            low = lists.portraits.low[lists.portraits.row(person), ASPECTS.index(aspect)]
            assert told["value"] == low < told["threshold"]
            assert not among(low)
        assert among(told["threshold"])
        assert not among(np.round(told["threshold"] - 0.1, 1))
        present = ranking(lists, post).index(person) < place
        assert present is (told["kind"] != "reach")
        seen.add((told["kind"], place))
    assert {kind for kind, _ in seen} == {"stay", "reach", "verify"}
    assert {("stay", 8), ("reach", 1), ("reach", 4)} <= seen


def test_sentences_say_the_thresholds(lists: Shortlists) -> None:
    labels = PortraitAspect.labels()
    said = {(row["unit_code"], row["post"], row["person_ref"]): row for row in lists.frame.to_dict("records")}
    for told in lists.thresholds.to_dict("records"):
        text = said[told["unit_code"], told["post"], told["person_ref"]]
        column = "reasons" if told["kind"] == "stay" else "counter_reasons"
        assert labels[told["aspect"]] in text[column]
        if told["kind"] == "reach":
            assert f"{labels[told['aspect']]}达到{told['threshold']:.1f}分" in text[column]
    assert (lists.frame["reasons"] != "").all()
    first = lists.frame[lists.frame["rank"] == 1]
    assert not first["counter_reasons"].str.contains("达到").any()


def test_chances_follow_the_seed_and_certain_people_are_certain(lists: Shortlists) -> None:
    pd.testing.assert_frame_equal(build().frame, lists.frame)
    other = build(seed=6)
    assert (other.frame["p_top"] != lists.frame["p_top"]).any()
    pd.testing.assert_frame_equal(other.frame.drop(columns="p_top"), lists.frame.drop(columns="p_top"))
    people = portrayed()
    sure = dataclasses.replace(people, low=people.mean, high=people.mean)
    frame = build(sure).frame.merge(lists.posts[["unit_code", "post", "wanted"]])
    assert (frame["p_top"] == (frame["rank"] <= frame["wanted"])).all()
    assert not frame["counter_reasons"].str.contains("把握不足").any()


def test_lists_say_who_how_sure_and_why(lists: Shortlists) -> None:
    text = lists.explain("u1", "deputy", name="上云村")
    best = lists.frame[(lists.frame["unit_code"] == "u1") & (lists.frame["post"] == "deputy")].iloc[0]
    assert text.startswith("上云村副主任需要4名人选，符合条件的有")
    assert "；可能性在适配分最高的20人中测算。第1名" in text
    assert f"第1名{best['person_ref']}：适配{best['fit']:.1f}分" in text
    assert best["reasons"] in text
    assert lists.explain("u1").count("需要") == 5
    assert "还缺" in lists.explain("u1", "secretary")
    assert repr(lists).startswith("Shortlists(posts=15, people=")
    for wrong in (("u9", None), ("u1", "mayor")):
        with pytest.raises(KeyError):
            lists.explain(*wrong)
    copy = lists.to_frame()
    copy["fit"] = 0.0
    assert (lists.frame["fit"] > 0).all()


def test_level_people_are_said_to_be_level() -> None:
    """Nobody has evidence: all are level, in the order of pseudonyms, which is told."""
    people = portrayed(people=10)
    found = build(people)
    text = found.explain("u3", "member")
    assert "同分的按代号排列，不分先后" in text
    listed = found.frame[(found.frame["unit_code"] == "u3") & (found.frame["post"] == "member")]
    assert listed["fit"].nunique() == 1
    assert listed["person_ref"].is_monotonic_increasing


def test_two_people_are_compared_aspect_by_aspect(lists: Shortlists) -> None:
    listed = lists.frame[(lists.frame["unit_code"] == "u2") & (lists.frame["post"] == "director")]
    a, b = listed.iloc[0], listed.iloc[3]
    side = lists.compare(a["person_ref"], b["person_ref"], "u2", "director")
    assert side["difference"].sum() == pytest.approx(a["fit"] - b["fit"], abs=1e-9)
    assert side["difference"].abs().is_monotonic_decreasing
    assert set(side["aspect"]) == set(ASPECTS)
    turned = lists.compare(b["person_ref"], a["person_ref"], "u2", "director")
    assert turned["difference"].tolist() == (-side["difference"]).tolist()
    with pytest.raises(KeyError):
        lists.compare(a["person_ref"], "nobody", "u2", "director")
    with pytest.raises(KeyError):
        lists.compare(a["person_ref"], b["person_ref"], "u9", "director")


def test_whoever_was_not_judged_is_not_listed() -> None:
    people = portrayed()
    judged = eligible(people)
    half = dataclasses.replace(judged, status=judged.status[::2])
    found = shortlists(people, asked(), half, PACK, seed=1)
    assert set(found.frame["person_ref"]) <= set(half.status.index)
    lacking = dataclasses.replace(judged, status=judged.status.drop(columns="deputy"))
    with pytest.raises(KeyError):
        shortlists(people, asked(), lacking, PACK, seed=1)


def test_nobody_and_no_posts_give_empty_lists() -> None:
    people = portrayed()
    nobody = shortlists(people, asked(), eligible(people, share=0.0), PACK, seed=1)
    assert set(nobody.frame["post"]) == {"secretary"}
    assert nobody.explain("u1", "deputy").startswith("u1副主任需要4名人选，符合条件的有0人，还缺4人。")
    none = dataclasses.replace(asked(), posts=asked().posts[:0], weights=asked().weights[:0])
    assert shortlists(people, none, eligible(people), PACK, seed=1).frame.empty


def test_what_could_not_be_checked_of_anybody_is_told_with_everybody_on_the_list() -> None:
    doubts = pd.DataFrame({"unit_code": ["u1"], "post": ["deputy"], "reason": ["没有核对"]})
    plain, doubted = build().frame, build(doubts=doubts).frame
    there = (doubted["unit_code"] == "u1") & (doubted["post"] == "deputy")
    assert doubted.loc[there, "counter_reasons"].str.startswith("没有核对").all()
    assert doubted[~there].equals(plain[~there])
    assert doubted.drop(columns="counter_reasons").equals(plain.drop(columns="counter_reasons"))


def test_a_post_gets_the_same_list_whatever_other_posts_want() -> None:
    people, profiles = portrayed(), asked()
    judged = eligible(people)
    alone = dataclasses.replace(profiles, posts=profiles.posts[:1], weights=profiles.weights[:1])
    many = profiles.posts.assign(
        seats=[int(profiles.posts["seats"].iloc[0]), *[40] * (len(profiles.posts) - 1)]
    )
    found = shortlists(people, alone, judged, PACK, seed=1)
    among = shortlists(people, dataclasses.replace(profiles, posts=many), judged, PACK, seed=1)
    assert among.competing.shape[1] > found.competing.shape[1], "others want more than the pool"
    first = among.frame[: len(found.frame)]
    pd.testing.assert_frame_equal(first, found.frame, check_exact=True)
    assert among.explain(*profiles.posts.loc[0, ["unit_code", "post"]]) == found.explain(
        *profiles.posts.loc[0, ["unit_code", "post"]]
    )


def test_where_nobody_lives_every_post_lacks_whom_it_wants() -> None:
    found = shortlists(portrayed(people=0), asked(), eligible(portrayed(people=0)), PACK, seed=1)
    assert found.frame.empty
    assert (found.posts["lacking"] == found.posts["wanted"]).all()
