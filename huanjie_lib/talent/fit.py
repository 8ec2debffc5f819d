"""What each post asks for, and how well people fit: an additive score that says where it comes from.

A post's weights come from its profile and from the unit. Where the unit loses points on a dimension of risk,
the abilities that the dimension calls for weigh more:

``tilt_a = 1 + Σ_d gain_da · share_d``, ``w_a = profile_a · tilt_a / Σ_b profile_b · tilt_b``

with ``share_d`` the part of the dimension's points that the unit loses. An aspect that the profile does not
ask for stays at 0. A share that is not known tilts nothing: there is no ground to ask for more.

The fit of a person is ``Σ_a w_a x_a`` (:func:`huanjie_lib.talent.top_k.scores`), x being the middle of the
portrait; with its lower and upper ends it is the interval of the fit. It is 0 to 100, and never falls when a
value rises. Age, education, sex and whatever else is no aspect cannot enter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import TalentPack
from huanjie_lib.talent import portrait
from huanjie_lib.vocabulary import PortraitAspect, PostKind, UnitKind

__all__ = ["ASPECTS", "PostProfiles", "post_profiles"]

Floats: TypeAlias = npt.NDArray[np.float64]

ASPECTS = tuple(aspect.value for aspect in portrait.ASPECTS)
"""Names of the columns of all weights, which are those of portraits."""


@dataclass(frozen=True)
class PostProfiles:
    """What each post of each unit asks for.

    Parameters
    ----------
    posts
        unit_code, post, seats, profile (id) and label of the profile, by unit code and post.
    weights
        Weight of each aspect, shape (m, 12); each row sums to 1.
    tilt
        What the unit's lost points multiplied the profile's weight by, shape (m, 12); 1 where nothing did.
    known
        Whether the unit's lost points were known for every dimension that calls for an ability, shape (m,).
    version
        Version of the talent pack.
    """

    posts: pd.DataFrame
    weights: Floats
    tilt: Floats
    known: npt.NDArray[np.bool_]
    version: str

    def __repr__(self) -> str:
        """Return numbers of posts, of units and of posts that a unit's need has changed, and the version."""
        tilted = int((self.tilt != 1.0).any(axis=1).sum())
        return (
            f"PostProfiles(posts={len(self.posts)}, units={self.posts['unit_code'].nunique()}, "
            f"tilted={tilted}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return posts with the weight of each aspect, one column an aspect."""
        return self.posts.join(pd.DataFrame(self.weights, index=self.posts.index, columns=list(ASPECTS)))

    def by_aspect(self) -> pd.DataFrame:
        """Return unit_code, post, aspect, weight and tilt, one row a post and aspect."""
        at = self.posts[["unit_code", "post"]]
        rows = at.loc[at.index.repeat(len(ASPECTS))].reset_index(drop=True)
        return rows.assign(
            aspect=pd.array(np.tile(ASPECTS, len(at)), dtype="str"),
            weight=self.weights.ravel(),
            tilt=self.tilt.ravel(),
        )

    def row(self, unit_code: str, post: str) -> int:
        """Return the row of a post.

        Raises
        ------
        KeyError
            If there is no such post.
        """
        found = np.flatnonzero((self.posts["unit_code"] == unit_code) & (self.posts["post"] == post))
        if not len(found):
            raise KeyError((unit_code, post))
        return int(found[0])

    def explain(self, unit_code: str, post: str | None = None, *, name: str | None = None) -> str:
        """Return in Chinese what a unit's posts ask for, and what the unit's situation has changed.

        Parameters
        ----------
        unit_code
            The unit.
        post
            One post of it; all when omitted.
        name
            What to call the unit; its code when omitted.

        Raises
        ------
        KeyError
            If there is no such unit or post.
        """
        named = self.posts.loc[self.posts["unit_code"] == unit_code, "post"].tolist()
        wanted = named if post is None else [post]
        if not wanted:
            raise KeyError(unit_code)
        sentences = (self._sentence(self.row(unit_code, each)) for each in wanted)
        return f"{name or unit_code}：" + "".join(sentences)

    def _sentence(self, row: int) -> str:
        labels, weights, tilt = PortraitAspect.labels(), self.weights[row], self.tilt[row]
        order = np.argsort(-weights, kind="stable")
        asked = "、".join(f"{labels[ASPECTS[a]]}{weights[a]:.1%}" for a in order.tolist() if weights[a] > 0)
        plain = weights / tilt
        plain = plain / plain.sum()
        raised = [
            f"{labels[ASPECTS[a]]}由{plain[a]:.1%}调为{weights[a]:.1%}"
            for a in np.flatnonzero((tilt > 1.0) & (weights > 0)).tolist()
        ]
        text = f"{self.posts['label'].iloc[row]}看重{asked}"
        if raised:
            text += f"；因本单位在相应的选情维度上扣分，{'、'.join(raised)}"
        if not self.known[row]:
            text += "；本单位有选情数据缺失，缺失的部分按岗位画像原权重"
        return text + "。"


def post_profiles(
    posts: pd.DataFrame, units: pd.DataFrame, losses: pd.DataFrame | None, pack: TalentPack
) -> PostProfiles:
    """Return what each post asks for, given how its unit stands.

    Parameters
    ----------
    posts
        unit_code, post, seats, profile (id in the pack; missing or empty: the profile of the post and the
        kind of unit).
    units
        unit_code, unit_kind.
    losses
        unit_code, dimension, share: part of the dimension's points that the unit loses, 0 to 1, missing where
        it is not known. None where risk was not assessed.
    pack
        Profiles and needs.

    Returns
    -------
    PostProfiles
        By unit code and post.

    Raises
    ------
    DataError
        If a post names a profile that the pack does not have.
    KeyError
        If a post's unit is not among the units.
    ValueError
        If a share is not between 0 and 1, or a unit has two of one dimension.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> pack = load_parameters().talent
    >>> posts = pd.DataFrame({"unit_code": ["u1"], "post": ["supervision"], "seats": [3], "profile": [None]})
    >>> units = pd.DataFrame({"unit_code": ["u1"], "unit_kind": ["village"]})
    >>> losses = pd.DataFrame({"unit_code": ["u1"], "dimension": ["finance_audit"], "share": [0.5]})
    >>> profiles = post_profiles(posts, units, losses, pack)
    >>> profiles
    PostProfiles(posts=1, units=1, tilted=1, parameters='default@2026.1')
    >>> profiles.explain("u1", "supervision").split("；")[1]
    '因本单位在相应的选情维度上扣分，财务管理由30.0%调为51.7%'
    >>> post_profiles(posts.assign(profile="mayor"), units, None, pack)
    Traceback (most recent call last):
    huanjie_lib.errors.DataError: 岗位画像对不上（共 1 处问题）
      1. posts：profile：发现“mayor”；应为：规则包中的岗位画像；处理办法：改为其 id 或留空。
    """
    posts = posts.sort_values(["unit_code", "post"], ignore_index=True)
    kinds = units.set_index("unit_code")["unit_kind"].loc[posts["unit_code"]]
    named = posts["profile"].fillna("").astype("str")
    by_id = {profile.id: profile for profile in pack.profiles}
    unknown = sorted(set(named) - {"", *by_id})
    if unknown:
        remedy = "改为其 id 或留空"
        raise DataError(
            "岗位画像对不上",
            [Fault("posts：profile", name, "规则包中的岗位画像", remedy) for name in unknown],
        )
    chosen = [
        by_id[name] if name else pack.profile(PostKind.lookup()[post], UnitKind.lookup()[kind])
        for name, post, kind in zip(named, posts["post"], kinds, strict=True)
    ]
    plain_of = {p.id: [p.weights.get(aspect, 0.0) for aspect in PortraitAspect] for p in pack.profiles}
    plain = np.array([plain_of[profile.id] for profile in chosen]).reshape(-1, len(ASPECTS))
    tilt, known = _tilt(posts["unit_code"], losses, pack)
    weights = plain * tilt
    return PostProfiles(
        posts=posts[["unit_code", "post", "seats"]].assign(
            profile=pd.array([p.id for p in chosen], dtype="str"),
            label=pd.array([p.label for p in chosen], dtype="str"),
        ),
        weights=weights / weights.sum(axis=1, keepdims=True),
        tilt=tilt,
        known=known,
        version=f"{pack.id}@{pack.version}",
    )


def _tilt(
    units: pd.Series[Any], losses: pd.DataFrame | None, pack: TalentPack
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return by unit what multiplies the weight of each aspect, and whether all it rests on is known."""
    tilt, known = np.ones((len(units), len(ASPECTS))), np.ones(len(units), dtype=bool)
    if losses is None:
        return tilt, np.full(len(units), not pack.needs)
    if not losses["share"].dropna().between(0.0, 1.0).all():
        raise ValueError("share of points lost must be between 0 and 1")
    shares = losses.pivot(index="unit_code", columns="dimension", values="share")  # refuses two of one
    shares = shares.reindex(index=units, columns=[need.dimension for need in pack.needs])
    for need, share in zip(pack.needs, shares.to_numpy(dtype=np.float64).T, strict=True):
        missing = np.isnan(share)
        tilt[:, ASPECTS.index(need.aspect)] += need.gain * np.where(missing, 0.0, share)
        known &= ~missing
    return tilt, known
