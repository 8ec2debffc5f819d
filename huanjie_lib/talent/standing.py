"""Which cultivation step would change a person's standing for which post.

A person of the pool takes a step and everybody else stays: the aspects rise as the pack expects of the step,
fit is added up again (:func:`~huanjie_lib.talent.top_k.scores`), and the new rank is counted, ties in the
order of the lists. Whoever is outside the pool stands behind its last, so that ranks within it are ranks
among all. Told is only what brings somebody onto the list, or to its head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import StepRule, TalentPack
from huanjie_lib.talent.cultivation import raised
from huanjie_lib.talent.portrait import Portraits
from huanjie_lib.talent.top_k import scores
from huanjie_lib.vocabulary import PostKind

__all__ = ["Standing", "standing_changes"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]

POSTS_AT_ONCE = 512


@dataclass(frozen=True)
class Standing:
    """Which step would bring whom onto a list, or to its head.

    Parameters
    ----------
    changes
        unit_code, post, person_ref, step, rank, rank_after, fit, fit_after, text; by post and rank. For each
        person and post the step that leads furthest; of equal ones the shortest, then the first of the pack.
    posts
        unit_code, post of the posts looked at.
    length
        Length of the lists.
    version
        Version of the talent pack.
    """

    changes: pd.DataFrame
    posts: pd.DataFrame
    length: int
    version: str

    def __repr__(self) -> str:
        """Return number of posts and changes, and the pack's version."""
        return f"Standing(posts={len(self.posts)}, changes={len(self.changes)}, parameters={self.version!r})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the changes."""
        return self.changes.copy()

    def explain(self, unit_code: str, *, name: str | None = None) -> str:
        """Return in Chinese how many people of a unit's posts could get onto their list by one step.

        Raises
        ------
        KeyError
            If no post of such a unit was looked at.
        """
        posts = self.posts[self.posts["unit_code"] == unit_code]
        if posts.empty:
            raise KeyError(unit_code)
        mine = self.changes[self.changes["unit_code"] == unit_code]
        if mine.empty:
            return f"{name or unit_code}：没有人因完成一项培养而进入名单或升至第1名。"
        parts = []
        for post in posts["post"]:
            here = mine[mine["post"] == post]
            enter = int((here["rank"] > self.length).sum())
            first = int((here["rank_after"] == 1).sum())
            counts = [f"{enter}人可进入前{self.length}名"] * (enter > 0) + [f"{first}人可升至第1名"] * (
                first > 0
            )
            if counts:
                parts.append(f"{PostKind.labels()[post]}{'、'.join(counts)}")
        return f"{name or unit_code}：完成一项培养后，{'；'.join(parts)}。"


def standing_changes(
    portraits: Portraits, posts: pd.DataFrame, weights: Floats, pool: Rows, pack: TalentPack, *, length: int
) -> Standing:
    """Return which step would bring people of a post's pool onto its list or to its head.

    Parameters
    ----------
    portraits
        Portraits.
    posts
        unit_code, post, m rows.
    weights
        Weight of each aspect for each post, shape (m, 12).
    pool
        Rows of the best people of each post, best first, shape (m, k); −1 where there are no more. Whoever is
        not in it stays behind everyone in it, so that ranks counted within it are ranks among all.
    pack
        Steps.
    length
        Length of the lists.

    Examples
    --------
    >>> import datetime as dt
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.talent.portrait import portraits
    >>> pack, people = load_parameters().talent, ["P1", "P2"]
    >>> evidence = pd.DataFrame({
    ...     "person_ref": people, "aspect": "law", "kind": "training", "year": 2026, "rating": [70.0, 60.0],
    ...     "dated_on": pd.to_datetime(["2026-10-31"] * 2)})
    >>> portrayed = portraits(
    ...     pd.DataFrame({"person_ref": people}), evidence, None, pack, as_of=dt.date(2026, 10, 31))
    >>> found = standing_changes(
    ...     portrayed, pd.DataFrame({"unit_code": ["u"], "post": ["member"]}),
    ...     np.eye(12)[[1]], np.array([[0, 1]]), pack, length=1)
    >>> found.changes[["person_ref", "step", "rank", "rank_after", "text"]].values.tolist()
    [['P2', 'shadowing', 2, 1, '完成跟班学习（90天）预计由第2名升至第1名']]
    """
    rules = sorted(pack.steps, key=lambda rule: rule.days)
    parts = [
        _moves(portraits.mean, weights[at : at + POSTS_AT_ONCE], pool[at : at + POSTS_AT_ONCE], rules, length)
        for at in range(0, len(posts), POSTS_AT_ONCE)
        if rules
    ]
    empty = np.zeros(0, dtype=np.int64)
    post = np.concatenate([empty, *(part.post + n * POSTS_AT_ONCE for n, part in enumerate(parts))])
    place, step, after = (
        np.concatenate([empty, *(getattr(part, name) for part in parts)])
        for name in ("place", "step", "after")
    )
    fit, fit_after = (
        np.concatenate([np.zeros(0), *(getattr(part, name) for part in parts)])
        for name in ("fit", "fit_after")
    )
    texts = [
        f"完成{rules[s].step.label}（{rules[s].days}天）预计由第{r + 1}名升至第{a}名"
        + (f"，进入前{length}名" if r >= length > 1 else "")
        for s, r, a in zip(step.tolist(), place.tolist(), after.tolist(), strict=True)
    ]
    words = {
        "unit_code": posts["unit_code"].to_numpy()[post],
        "post": posts["post"].to_numpy()[post],
        "person_ref": portraits.person_ref[pool[post, place]],
        "step": np.array([rule.step.value for rule in rules], dtype=object)[step],
        "text": np.array(texts, dtype=object),
    }
    columns = {**words, "rank": place + 1, "rank_after": after, "fit": fit, "fit_after": fit_after}
    order = ["unit_code", "post", "person_ref", "step", "rank", "rank_after", "fit", "fit_after", "text"]
    return Standing(
        changes=pd.DataFrame(columns)[order].astype(dict.fromkeys(words, "str")),
        posts=posts[["unit_code", "post"]].reset_index(drop=True),
        length=length,
        version=f"{pack.id}@{pack.version}",
    )


@dataclass(frozen=True)
class _Moves:
    """Changes of standing of some posts: post, place in the pool, step, new rank, fit before and after."""

    post: Rows
    place: Rows
    step: Rows
    after: Rows
    fit: Floats
    fit_after: Floats


def _moves(mean: Floats, weights: Floats, pool: Rows, rules: list[StepRule], length: int) -> _Moves:
    """Return the changes of standing of some posts, each person's best step only."""
    there = pool >= 0
    values, wide = mean[pool], weights[:, None]
    now = np.where(there, scores(values, wide), -np.inf)
    ranks = np.empty((len(rules), *pool.shape), dtype=np.int64)
    fits = np.empty(ranks.shape)
    for number, rule in enumerate(rules):
        fits[number] = then = scores(raised(values, rule), wide)
        ahead = now[:, None, :] > then[:, :, None]  # never one's own place: no step lowers a fit
        ahead |= (now[:, None, :] == then[:, :, None]) & (pool[:, None, :] < pool[:, :, None])
        ranks[number] = 1 + ahead.sum(axis=2)
    step = ranks.argmin(axis=0)  # rules come by length, then in the order of the pack
    after = np.take_along_axis(ranks, step[None], axis=0)[0]
    place = np.arange(pool.shape[1])[None, :]
    matters = there & (((place >= length) & (after <= length)) | ((place > 0) & (after == 1)))
    post, at = np.nonzero(matters)
    chosen = step[post, at]
    return _Moves(post, at, chosen, after[post, at], now[post, at], fits[chosen, post, at])
