"""A post looks for people as far as its profile says, and no further."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import PostProfile, TalentPack, load_parameters
from huanjie_lib.talent.eligibility import Eligibility
from huanjie_lib.talent.reach import openings
from huanjie_lib.vocabulary import PostKind

UNIT = "990101101201"
HOMES = {
    "here": UNIT,
    "township": "990101101202",
    "county": "990101102201",
    "city": "990102101201",
    "none": None,
    "refused": UNIT,
}


def pack(reach: str) -> TalentPack:
    shipped = load_parameters().talent
    assert shipped is not None
    profiles = tuple(
        PostProfile.model_validate({**profile.model_dump(), "reach": reach}) for profile in shipped.profiles
    )
    return shipped.model_copy(update={"profiles": profiles})


def verdicts() -> Eligibility:
    status = pd.DataFrame({PostKind.MEMBER.value: "pass"}, index=pd.Index(list(HOMES), name="person_ref"))
    status.loc["refused"] = "unknown"
    return Eligibility(pd.DataFrame(), status, pd.Series(dtype=object), dt.date(2026, 10, 31), "")


def open_to(reach: str, *, homes: bool = True, unit: str = UNIT) -> list[str]:
    posts = pd.DataFrame({"unit_code": [unit], "post": ["member"], "profile": ["member"]})
    refs = np.array(list(HOMES), dtype=object)
    found = openings(posts, refs, verdicts(), pd.Series(HOMES) if homes else None, pack(reach))
    return refs[found.masks[found.group[0]]].tolist()


@pytest.mark.parametrize(
    ("reach", "wanted"),
    [
        ("unit", ["here"]),
        ("township", ["here", "township", "none"]),
        ("county", ["here", "township", "county", "none"]),
        ("city", ["here", "township", "county", "city", "none"]),
    ],
)
def test_people_are_looked_for_as_far_as_the_profile_says(reach: str, wanted: list[str]) -> None:
    assert open_to(reach) == wanted


def test_without_homes_everybody_who_passes_may_be_looked_at() -> None:
    assert open_to("unit", homes=False) == ["here", "township", "county", "city", "none"]


def test_posts_open_to_the_same_people_share_a_mask() -> None:
    posts = pd.DataFrame(
        {"unit_code": [UNIT, "990101101202", "990102101201"], "post": "member", "profile": "member"}
    )
    found = openings(posts, np.array(list(HOMES)), verdicts(), pd.Series(HOMES), pack("township"))
    assert found.group.tolist() == [0, 0, 1]
    assert repr(found) == "Openings(people=6, posts=3, groups=2)"


def test_somebody_who_was_not_judged_does_not_pass_and_an_unjudged_post_is_an_error() -> None:
    posts = pd.DataFrame({"unit_code": [UNIT], "post": ["member"], "profile": ["member"]})
    found = openings(posts, np.array(["stranger"]), verdicts(), None, pack("city"))
    assert not found.masks[0].any()
    with pytest.raises(KeyError):
        openings(posts.assign(post="director"), np.array(["here"]), verdicts(), None, pack("city"))


def test_pairs_that_are_not_to_be_are_told_once_and_those_of_others_ignored() -> None:
    posts = pd.DataFrame({"unit_code": [UNIT, UNIT], "post": ["member", "deputy"], "profile": "member"})
    excluded = pd.DataFrame(
        [
            (UNIT, "deputy", "county"),
            (UNIT, "member", "here"),
            (UNIT, "deputy", "county"),
            (UNIT, "director", "here"),
            (UNIT, "member", "stranger"),
            ("990101101999", "member", "here"),
        ],
        columns=["unit_code", "post", "person_ref"],
    )
    judged = verdicts()
    judged.status[PostKind.DEPUTY.value] = "pass"
    found = openings(posts, np.array(list(HOMES)), judged, pd.Series(HOMES), pack("county"), excluded)
    assert found.barred.tolist() == [[0, 0], [1, 2]]
