"""What posts ask for: profiles, and how a unit's lost points tilt them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import TalentPack, load_parameters
from huanjie_lib.talent.fit import ASPECTS, PostProfiles, post_profiles
from huanjie_lib.vocabulary import PortraitAspect, PostKind, UnitKind

PARAMETERS = load_parameters()
assert PARAMETERS.talent is not None
PACK: TalentPack = PARAMETERS.talent
UNITS = pd.DataFrame({"unit_code": ["u1", "u2", "u3"], "unit_kind": ["village", "community", "village"]})
POSTS = pd.DataFrame(
    [(unit, post.value, 2, None) for unit in ("u3", "u1", "u2") for post in PostKind],
    columns=["unit_code", "post", "seats", "profile"],
)
LOSSES = pd.DataFrame(
    [
        ("u1", "finance_audit", 0.5),
        ("u1", "qualification_review", 0.25),
        ("u1", "procedure", 1.0),
        ("u1", "elsewhere", 1.0),
        ("u2", "finance_audit", None),
        ("u2", "conflict_petition", 0.2),
    ],
    columns=["unit_code", "dimension", "share"],
)


def profiles(
    losses: pd.DataFrame | None = LOSSES, posts: pd.DataFrame = POSTS, **change: Any
) -> PostProfiles:
    return post_profiles(posts, UNITS, losses, PACK.model_copy(update=change))


def weights_of(found: PostProfiles, unit: str, post: PostKind) -> dict[str, float]:
    return dict(zip(ASPECTS, found.weights[found.row(unit, post.value)].tolist(), strict=True))


def plain(post: PostKind, kind: UnitKind) -> dict[str, float]:
    weights = PACK.profile(post, kind).weights
    return {aspect.value: weights.get(aspect, 0.0) for aspect in PortraitAspect}


def test_without_losses_a_post_asks_for_its_profile() -> None:
    found = profiles(None)
    for unit, kind in (("u1", UnitKind.VILLAGE), ("u2", UnitKind.COMMUNITY)):
        for post in PostKind:
            assert weights_of(found, unit, post) == pytest.approx(plain(post, kind), abs=1e-15)
    assert found.posts["profile"].tolist()[:2] == ["deputy", "director_village"]
    assert found.posts["unit_code"].tolist() == ["u1"] * 5 + ["u2"] * 5 + ["u3"] * 5
    assert not found.known.any()
    assert repr(found) == "PostProfiles(posts=15, units=3, tilted=0, parameters='default@2026.1')"


def test_lost_points_tilt_what_their_dimension_calls_for_and_nothing_else() -> None:
    found = profiles()
    asked = plain(PostKind.SUPERVISION, UnitKind.VILLAGE)
    # by hand: finance gains 3 a whole dimension, law 2 by review and 2 by procedure
    asked["finance"] *= 1 + 3 * 0.5
    asked["law"] *= 1 + 2 * 0.25 + 2 * 1.0
    total = sum(asked.values())
    wanted = {aspect: weight / total for aspect, weight in asked.items()}
    assert weights_of(found, "u1", PostKind.SUPERVISION) == pytest.approx(wanted, abs=1e-15)
    assert found.tilt[found.row("u1", "supervision")].tolist()[:3] == [2.5, 3.5, 1.0]
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, rtol=0, atol=1e-15)
    # what a post does not ask for it never asks for
    assert weights_of(found, "u1", PostKind.MEMBER)["finance"] == 0.0


def test_what_is_not_known_tilts_nothing_and_is_said() -> None:
    found = profiles()
    asked = plain(PostKind.SUPERVISION, UnitKind.COMMUNITY)
    asked["mediation"] *= 1.6
    total = sum(asked.values())
    wanted = {aspect: weight / total for aspect, weight in asked.items()}
    assert weights_of(found, "u2", PostKind.SUPERVISION) == pytest.approx(wanted, abs=1e-15)
    assert not found.known.any()  # no unit here has every dimension
    assert found.explain("u2", "supervision", name="云溪社区") == (
        "云溪社区：监委会成员看重财务管理28.3%、法治思维23.6%、群众口碑18.9%、矛盾调解15.1%、"
        "工作实绩9.4%、准岗表现4.7%；因本单位在相应的选情维度上扣分，矛盾调解由10.0%调为15.1%；"
        "本单位有选情数据缺失，缺失的部分按岗位画像原权重。"
    )
    whole = pd.DataFrame(
        [("u1", need.dimension, 0.0) for need in PACK.needs], columns=LOSSES.columns
    ).drop_duplicates()
    sound = profiles(whole)
    assert sound.known.tolist() == [True] * 5 + [False] * 10
    assert "调为" not in sound.explain("u1")
    assert sound.explain("u1").count("看重") == 5


def test_a_post_may_name_its_profile() -> None:
    named = POSTS.assign(profile=["supervision"] + [""] * 14)
    found = profiles(None, named)
    assert found.posts.loc[found.row("u3", "secretary"), "label"] == "监委会成员"
    with pytest.raises(DataError, match="mayor") as refused:
        profiles(None, POSTS.assign(profile="mayor"))
    assert len(refused.value.faults) == 1


def test_the_order_of_rows_changes_nothing() -> None:
    one, other = profiles(), profiles(LOSSES[::-1], POSTS.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame())
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.to_frame().columns.tolist()[5:] == list(ASPECTS)


def test_a_pack_without_needs_leaves_profiles_alone() -> None:
    found = profiles(needs=())
    assert (found.tilt == 1.0).all()
    assert found.known.all()


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        profiles(LOSSES.assign(share=share))


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="duplicate"):
        profiles(pd.concat([LOSSES, LOSSES]))
    with pytest.raises(KeyError):
        profiles(posts=POSTS.assign(unit_code="u9"))
    with pytest.raises(KeyError):
        profiles().explain("u9")
    with pytest.raises(KeyError):
        profiles().explain("u1", "mayor")


def test_no_posts_is_no_trouble() -> None:
    assert profiles(posts=POSTS[:0]).weights.shape == (0, 12)
