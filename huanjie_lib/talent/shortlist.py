"""The best people of each post, how sure that is, and what exactly would change it.

Lists are cut from the fits of :mod:`huanjie_lib.talent.fit` by :mod:`huanjie_lib.talent.top_k`; who is not
eligible, or lives beyond the reach of the post (:mod:`huanjie_lib.talent.reach`), never enters. Equal fits
are ordered by pseudonym, which is arbitrary, and told. A post wants one more person than it has seats, and
``list_length`` at least; :mod:`huanjie_lib.talent.chances` says how likely each is to be among them,
:mod:`huanjie_lib.talent.reasons` what keeps each where they are and what would move them. It advises; people
decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import TalentPack
from huanjie_lib.talent.chances import chances
from huanjie_lib.talent.eligibility import Eligibility
from huanjie_lib.talent.fit import ASPECTS, PostProfiles
from huanjie_lib.talent.portrait import Portraits
from huanjie_lib.talent.reach import ELECTED, FROM_ELSEWHERE, Openings, openings
from huanjie_lib.talent.reasons import Candidates, Rivals, find_thresholds
from huanjie_lib.talent.top_k import TopK, scores, top_k
from huanjie_lib.vocabulary import PortraitAspect, share_text

__all__ = ["COLUMNS", "THRESHOLD_COLUMNS", "Shortlists", "compare", "shortlists"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

COLUMNS = (
    "unit_code",
    "post",
    "rank",
    "person_ref",
    "fit",
    "fit_low",
    "fit_high",
    "p_top",
    "reasons",
    "counter_reasons",
)
ENDS = ("low", "mean", "high")
THRESHOLD_COLUMNS = ("unit_code", "post", "person_ref", "kind", "aspect", "value", "threshold", "place")


@dataclass(frozen=True)
class Shortlists:
    """Shortlists of all posts.

    Parameters
    ----------
    frame
        unit_code, post, rank (1 is best), person_ref, fit, fit_low, fit_high (points), p_top (chance of being
        among the people wanted), reasons and counter_reasons (Chinese, each an exact threshold).
    thresholds
        What the reasons rest on: unit_code, post, person_ref, kind, aspect, value (middle of the aspect),
        threshold, place. ``stay``: the least value at which the person stays among the first ``place``, NaN
        where anything less than the present value does not do. ``reach``: the least at which the person comes
        among them. ``verify``: the lower end of what is known, at which the person does not stay among them.
    posts
        unit_code, post, seats, profile, label, wanted (people), eligible, listed and lacking (people wanted
        less eligible, at least 0).
    portraits, profiles
        What people are rated, and what posts ask for.
    openings
        Who may be looked at for which post.
    competing
        Rows of the people who compete for each post, best first, −1 where there are no more, shape (m, pool).
    draws, seed
        Number of draws behind ``p_top``, in which those people compete, and their seed.
    version
        Version of the talent pack.
    """

    frame: pd.DataFrame
    thresholds: pd.DataFrame
    posts: pd.DataFrame
    portraits: Portraits
    profiles: PostProfiles
    openings: Openings
    competing: Rows
    draws: int
    seed: int
    version: str

    def __repr__(self) -> str:
        """Return numbers of posts, of people listed and of posts that lack people, and the version."""
        return (
            f"Shortlists(posts={len(self.posts)}, people={self.frame['person_ref'].nunique()}, "
            f"lacking={int((self.posts['lacking'] > 0).sum())}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the lists."""
        return self.frame.copy()

    def explain(self, unit_code: str, post: str | None = None, *, name: str | None = None) -> str:
        """Return in Chinese who is on the lists of a unit, how sure that is and what would change it.

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
        asked = self.posts["unit_code"] == unit_code
        if post is not None:
            asked &= self.posts["post"] == post
        if not asked.any():
            raise KeyError(unit_code if post is None else (unit_code, post))
        return "".join(self._sentence(row, name or unit_code) for row in np.flatnonzero(asked).tolist())

    def _sentence(self, row: int, called: str) -> str:
        about: dict[Any, Any] = self.posts.iloc[row].to_dict()
        listed = self._list(about["unit_code"], about["post"])
        wanted = about["wanted"]
        text = f"{called}{about['label']}需要{wanted}名人选，符合条件的有{about['eligible']}人"
        text += f"，还缺{about['lacking']}人" if about["lacking"] else ""
        pool = int((self.competing[row] >= 0).sum())
        if about["eligible"] > pool:
            text += f"；可能性在适配分最高的{pool}人中测算"
        lines = [text]
        for person in listed.to_dict("records"):
            line = (
                f"第{person['rank']}名{person['person_ref']}：适配{person['fit']:.1f}分"
                f"（{person['fit_low']:.1f}至{person['fit_high']:.1f}分），"
                f"进入前{wanted}名的可能性{share_text(person['p_top'])}"
            )
            told = [part for part in (person["reasons"], person["counter_reasons"]) if part]
            lines.append("；".join([line, *told]))
        if listed["fit"].duplicated().any():
            lines.append("同分的按代号排列，不分先后")
        return "。".join(lines) + "。"

    def _list(self, unit_code: str, post: str) -> pd.DataFrame:
        return self.frame[(self.frame["unit_code"] == unit_code) & (self.frame["post"] == post)]

    def compare(self, person_a: str, person_b: str, unit_code: str, post: str) -> pd.DataFrame:
        """Return two people side by side for a post, listed or not; see :func:`compare`.

        Raises
        ------
        KeyError
            If there is no such person or post.
        """
        weights = self.profiles.weights[self.profiles.row(unit_code, post)]
        rows = [self.portraits.row(ref) for ref in (person_a, person_b)]
        a, b = (
            pd.DataFrame({end: getattr(self.portraits, end)[row] for end in ENDS}, index=list(ASPECTS))
            for row in rows
        )
        return compare(a, b, weights)


def compare(a: pd.DataFrame, b: pd.DataFrame, weights: Floats) -> pd.DataFrame:
    """Return two people's aspects side by side.

    Parameters
    ----------
    a, b
        low, mean and high by aspect.
    weights
        Weight of each aspect, shape (12,).

    Returns
    -------
    pandas.DataFrame
        aspect, label, weight, a_low, a_mean, a_high, b_low, b_mean, b_high and difference (points of fit that
        a has more than b), the largest difference first; differences add up to that of the fits.

    Raises
    ------
    KeyError
        If an aspect is not there.

    Examples
    --------
    >>> a = pd.DataFrame(60.0, index=list(ASPECTS), columns=["low", "mean", "high"])
    >>> b = a.copy()
    >>> b.loc["finance"] = 80.0
    >>> side_by_side = compare(a, b, np.full(12, 1 / 12))
    >>> side_by_side.loc[:1, ["label", "a_mean", "b_mean", "difference"]].round(2).values.tolist()
    [['财务管理', 60.0, 80.0, -1.67], ['法治思维', 60.0, 60.0, 0.0]]
    """
    aspects = list(ASPECTS)
    frame = pd.DataFrame({"aspect": aspects, "label": list(PortraitAspect.labels().values())}).assign(
        weight=weights,
        **{
            f"{who}_{end}": person.loc[aspects, end].to_numpy(dtype=np.float64)
            for who, person in (("a", a), ("b", b))
            for end in ENDS
        },
    )
    frame["difference"] = frame["weight"] * (frame["a_mean"] - frame["b_mean"])
    order = np.argsort(-frame["difference"].abs().to_numpy(), kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def shortlists(
    portraits: Portraits,
    profiles: PostProfiles,
    eligibility: Eligibility,
    pack: TalentPack,
    *,
    homes: pd.Series[Any] | None = None,
    excluded: pd.DataFrame | None = None,
    doubts: pd.DataFrame | None = None,
    seed: int,
) -> Shortlists:
    """Return the best eligible people of each post within its reach.

    Parameters
    ----------
    portraits
        Interval of each aspect of each person.
    profiles
        What the posts ask for.
    eligibility
        Verdicts; only who passes is listed. Somebody who was not judged does not pass.
    pack
        Length of lists, people wanted a seat, pool and draws.
    homes
        Code of the home unit by pseudonym, missing where there is none; see
        :func:`huanjie_lib.talent.reach.openings`. Without it everybody may be listed everywhere.
    excluded
        unit_code, post, person_ref of pairs that are not to be (kin whom the post supervises, people who
        declined); pairs of others are ignored.
    doubts
        unit_code, post, reason: what could not be checked of anybody for a post, one row a post at most; it
        is told with everybody on its list.
    seed
        Of the draws. Equal arguments and seed give equal tables.

    Returns
    -------
    Shortlists

    Raises
    ------
    KeyError
        If a post was not judged.
    """
    refs, low, mean, high = portraits.person_ref, portraits.low, portraits.mean, portraits.high
    opened = openings(profiles.posts, refs, eligibility, homes, pack, excluded)
    masks, group, pairs = opened.masks, opened.group, opened.barred
    able = np.array([mask.sum() for mask in masks], dtype=np.int64)[group]
    barred = pairs[np.stack(masks)[group[pairs[:, 0]], pairs[:, 1]], 0] if len(pairs) else pairs[:, 0]
    able -= np.bincount(barred, minlength=len(group))
    wanted = np.array([pack.wanted(int(seats)) for seats in profiles.posts["seats"]], dtype=np.int64)
    length = pack.shortlist_length
    # how many compete for a post is a matter of that post, whatever others want
    pool = np.maximum(max(pack.pool, length + 1), wanted + 1)
    most = int(pool.max(initial=length + 1))
    found = top_k(mean, profiles.weights, most, eligible=masks, group=group, excluded=pairs)
    competing = np.where(np.arange(most) < pool[:, None], found.rows, -1)
    post, place = np.nonzero(found.rows[:, :length] >= 0)
    row = found.rows[post, place]
    drawn = {"draws": pack.draws, "seed": seed}
    chance = chances((low, mean, high), profiles.weights, competing, wanted, length, **drawn)
    candidates = _candidates(found, post, place, wanted, length, (low, mean), profiles.weights)
    told = find_thresholds(candidates)
    frame = profiles.posts.loc[post, ["unit_code", "post"]].reset_index(drop=True)
    elected = frame["post"].isin([kind.value for kind in ELECTED]).to_numpy()
    strangers = (
        elected & (opened.homes[row] != frame["unit_code"].to_numpy(dtype=object)) & (homes is not None)
    )
    doubted = _doubted(profiles.posts, doubts)[post]
    against = [
        "；".join(filter(None, [FROM_ELSEWHERE if stranger else "", doubt, told_against]))
        for stranger, doubt, told_against in zip(strangers.tolist(), doubted, told.against, strict=True)
    ]
    frame = frame.assign(
        rank=place + 1,
        person_ref=pd.array(refs[row], dtype="str"),
        fit=found.score[post, place],
        fit_low=scores(low[row], profiles.weights[post]),
        fit_high=scores(high[row], profiles.weights[post]),
        p_top=chance[post, place],
        reasons=pd.array(told.reasons, dtype="str"),
        counter_reasons=pd.array(against, dtype="str"),
    )
    return Shortlists(
        frame=frame[list(COLUMNS)],
        thresholds=frame.loc[told.frame["candidate"], ["unit_code", "post", "person_ref"]]
        .reset_index(drop=True)
        .join(told.frame.drop(columns="candidate"))[list(THRESHOLD_COLUMNS)],
        posts=profiles.posts.assign(
            wanted=wanted,
            eligible=able,
            listed=np.bincount(post, minlength=len(group)),
            lacking=np.maximum(wanted - able, 0),
        ),
        portraits=portraits,
        profiles=profiles,
        openings=opened,
        competing=competing,
        draws=pack.draws,
        seed=seed,
        version=f"{pack.id}@{pack.version}",
    )


def _doubted(posts: pd.DataFrame, doubts: pd.DataFrame | None) -> npt.NDArray[Any]:
    """Return by post what could not be checked, empty where there is nothing."""
    if doubts is None:
        return np.full(len(posts), "", dtype=object)
    keys = ["unit_code", "post"]
    found = posts[keys].merge(doubts, on=keys, how="left", validate="one_to_one")["reason"]
    return found.fillna("").to_numpy(dtype=object)


def _candidates(
    found: TopK,
    post: Rows,
    place: Rows,
    wanted: Rows,
    length: int,
    people: tuple[Floats, Floats],
    weights: Floats,
) -> Candidates:
    """Return who is on the lists, who would move up if they fell, and whose place they would take."""
    low, mean = people
    row, wants = found.rows[post, place], wanted[post]
    inside = place < wants
    behind, ahead = np.where(inside, wants, length), np.where(inside, 0, wants - 1)

    def rivals(other: Rows, there: Mask) -> Rivals:
        return Rivals(np.where(there, found.score[post, other], np.nan), row < found.rows[post, other])

    other = found.rows[post, behind]
    return Candidates(
        low=low[row],
        mean=mean[row],
        weights=weights[post],
        rank=place + 1,
        wanted=wants,
        length=np.full(len(row), length),
        behind=rivals(behind, other >= 0),
        behind_mean=np.where((other >= 0)[:, None], mean[other], np.nan),
        ahead=rivals(ahead, place > 0),
    )
