"""For which posts each person may be looked at: eligible for the kind of post, and within the post's reach.

How far from a unit its people are looked for is declared with the profile of the post. Being at home in the
unit is no merit and enters no score; but members of village and residents' committees are elected by and from
those with a vote there (村民委员会组织法 art. 11, 13 in the text of 2018), so that a proposal from elsewhere
says what has to come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import TalentPack
from huanjie_lib.talent.eligibility import Eligibility
from huanjie_lib.vocabulary import PostKind

__all__ = ["ELECTED", "FROM_ELSEWHERE", "Openings", "openings"]

Rows: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

ELECTED = (PostKind.DIRECTOR, PostKind.DEPUTY, PostKind.MEMBER, PostKind.SUPERVISION)
"""Posts that take somebody with a vote in the unit."""
FROM_ELSEWHERE = "不是本村（社区）人选，须先依法取得当地选民资格"

_DIGITS = {"unit": 12, "township": 9, "county": 6, "city": 0}


@dataclass(frozen=True)
class Openings:
    """Who may be looked at for which post.

    Parameters
    ----------
    masks
        By group of posts, whether each person may be looked at, each of shape (n,).
    group
        Group of each post, shape (m,).
    homes
        Code of each person's home unit, empty where there is none, shape (n,).
    barred
        Pairs that are not to be all the same, as rows of posts and people, each once, shape (p, 2).
    """

    masks: tuple[Mask, ...]
    group: Rows
    homes: npt.NDArray[Any]
    barred: Rows

    def __repr__(self) -> str:
        """Return numbers of people, posts and groups of posts that are open to the same people."""
        return f"Openings(people={len(self.homes)}, posts={len(self.group)}, groups={len(self.masks)})"


def openings(
    posts: pd.DataFrame,
    person_ref: npt.NDArray[Any],
    eligibility: Eligibility,
    homes: pd.Series[Any] | None,
    pack: TalentPack,
    excluded: pd.DataFrame | None = None,
) -> Openings:
    """Return who may be looked at for each post.

    Parameters
    ----------
    posts
        unit_code, post, profile (id in the pack), shape (m, …).
    person_ref
        Pseudonyms, shape (n,).
    eligibility
        Verdicts; somebody who was not judged does not pass.
    homes
        Code of the home unit by pseudonym, missing where there is none. ``None``: everybody may be looked at
        everywhere.
    pack
        Reach of each profile.
    excluded
        unit_code, post, person_ref of pairs that are not to be (kin whom the post supervises, people who
        declined); pairs of others are ignored.

    Raises
    ------
    KeyError
        If a kind of post was not judged, or the pack has no such profile.
    """
    index = pd.Index(person_ref)
    home = np.full(len(index), "", dtype=object)
    if homes is not None:
        home = homes.reindex(index).fillna("").to_numpy(dtype=object)
    digits = {p.id: 0 if homes is None else _DIGITS[p.reach] for p in pack.profiles}
    areas = [
        (post, code[: digits[profile]])
        for post, code, profile in zip(posts["post"], posts["unit_code"], posts["profile"], strict=True)
    ]
    group, found = pd.factorize(pd.Series(areas, dtype=object))
    passing = {post: _passing(eligibility, post, index) for post in sorted(set(posts["post"]))}
    lives = {length: np.array([code[:length] for code in home], dtype=object) for length in (6, 9, 12)}
    masks = []
    for post, area in found:
        mask = passing[post]
        if area:
            here = lives[len(area)] == area
            mask = mask & (here if len(area) == _DIGITS["unit"] else here | (home == ""))
        masks.append(mask)
    return Openings(tuple(masks), group.astype(np.int64), home, _pairs(posts, index, excluded))


def _pairs(posts: pd.DataFrame, people: pd.Index[Any], excluded: pd.DataFrame | None) -> Rows:
    if excluded is None:
        return np.empty((0, 2), dtype=np.int64)
    keys = ["unit_code", "post"]
    post = pd.MultiIndex.from_frame(posts[keys]).get_indexer(pd.MultiIndex.from_frame(excluded[keys]))
    person = people.astype("str").get_indexer(pd.Index(excluded["person_ref"], dtype="str"))
    both = np.column_stack([post, person]).astype(np.int64)
    return np.unique(both[(both >= 0).all(axis=1)], axis=0)


def _passing(eligibility: Eligibility, post: str, index: pd.Index[Any]) -> Mask:
    passing = pd.Series(eligibility.eligible(PostKind.lookup()[post]), index=eligibility.status.index)
    return passing.reindex(index, fill_value=False).to_numpy(dtype=np.bool_)
