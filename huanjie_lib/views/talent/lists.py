"""Who stands on the list of a post, and what speaks for and against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.reach import ELECTED, FROM_ELSEWHERE
from huanjie_lib.views.talent.rows import points_text, records
from huanjie_lib.views.words import present
from huanjie_lib.vocabulary import GateStatus, PortraitAspect, share_text

__all__ = ["Candidate", "candidates", "grounds", "listed"]

_STRENGTHS: Final = 2
"""Strengths that are told of whoever stands behind a post's own list."""
_WELL_KNOWN: Final = 0.5
"""Share of what a post asks for that evidence has to speak for, or it is told that it does not."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person on a post's shortlist.

    Parameters
    ----------
    person_ref, rank
        Who, and the place on the list from 1.
    fit, low, high
        Points of fit from 0 to 100, with the ends of their interval.
    p_top
        Chance of being among the people wanted.
    reasons, against
        Sentences for and against, each an exact threshold.
    listed, seated
        Whether the city-wide lists and the proposed committee have the person for this post.
    elsewhere
        Posts of other units or kinds that the city-wide lists have the person for.
    """

    person_ref: str
    rank: int
    fit: float
    low: float
    high: float
    p_top: float
    reasons: tuple[str, ...]
    against: tuple[str, ...]
    listed: bool
    seated: bool
    elsewhere: int


def candidates(run: TalentRun, unit_code: str, post: str) -> tuple[Candidate, ...]:
    """Return a post's shortlist, best first; empty where nobody is eligible."""
    frame = run.table("shortlists", unit_code=unit_code, post=post).sort_values("rank")
    lists = run.table("lists")
    lists = lists[lists["person_ref"].isin(frame["person_ref"])]
    here = (lists["unit_code"] == unit_code) & (lists["post"] == post)
    listed, others = set(lists.loc[here, "person_ref"]), lists.loc[~here, "person_ref"].value_counts()
    seated = set(run.table("teams", unit_code=unit_code, post=post)["person_ref"])
    return tuple(
        Candidate(
            person_ref=row["person_ref"],
            rank=int(row["rank"]),
            fit=row["fit"],
            low=row["fit_low"],
            high=row["fit_high"],
            p_top=row["p_top"],
            reasons=_sentences(row["reasons"]),
            against=_sentences(row["counter_reasons"]),
            listed=row["person_ref"] in listed,
            seated=row["person_ref"] in seated,
            elsewhere=int(others.get(row["person_ref"], 0)),
        )
        for row in frame.to_dict("records")
    )


def listed(run: TalentRun, unit_code: str, post: str) -> list[dict[str, Any]]:
    """Return whom the city-wide lists have for a post, best fit first.

    Each tells person_ref, fit and rank: the place on the post's own shortlist, ``None`` for whoever stands
    behind its end, because those before are wanted more elsewhere.
    """
    where = {"unit_code": unit_code, "post": post}
    rank = run.table("shortlists", **where).set_index("person_ref")["rank"]
    frame = run.table("lists", **where).sort_values(["fit", "person_ref"], ascending=[False, True])
    return [
        {**row, "rank": int(rank[row["person_ref"]]) if row["person_ref"] in rank.index else None}
        for row in records(frame[["person_ref", "fit"]])
    ]


def grounds(run: TalentRun, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return what speaks for and against people whom a post's own list, cut to its length, does not tell of.

    Thresholds are found for that list alone. Of whoever stands behind it, strengths are told: what the post
    asks for and evidence puts above the middle of the unknown, by what it adds to the fit. Against them, that
    they do not pass (whom somebody took all the same), that they have no vote in the unit, and that little or
    no evidence speaks for what the post asks for.

    Parameters
    ----------
    run
        The run.
    pairs
        unit_code, post, person_ref.

    Returns
    -------
    pandas.DataFrame
        ``reasons`` and ``against``, in the order and under the index of the pairs; empty where nothing is.
    """
    pack = run.parameters.talent
    missing = 50.0 if pack is None else pack.missing
    at = pairs[["unit_code", "post", "person_ref"]].reset_index(drop=True).reset_index(names="pair")
    asked_for = run.table("weights")
    held = at.merge(asked_for[asked_for["weight"] > 0], on=["unit_code", "post"])
    held = held.merge(run.table("portraits"), on=["person_ref", "aspect"])
    known = (held["weight"] * held["known"]).groupby(held["pair"]).sum().reindex(at["pair"]).fillna(0.0)
    held = held.assign(above=held["weight"] * (held["mean"] - missing))
    strong = held[(held["known"] > 0) & (held["above"] > 0)]
    strong = strong.sort_values("above", ascending=False, kind="stable").groupby("pair").head(_STRENGTHS)
    labels = PortraitAspect.labels()
    told = pd.Series(
        [
            f"{labels[a]}{points_text(mean)}分"
            for a, mean in zip(strong["aspect"], strong["mean"], strict=True)
        ],
        index=strong.index,
        dtype="str",
    )
    named = told.groupby(strong["pair"]).agg("、".join).reindex(at["pair"]).fillna("")
    homes = at["person_ref"].map(run.table("people").set_index("person_ref")["unit_code"])
    votes = ~at["post"].isin([kind.value for kind in ELECTED]) | (homes == at["unit_code"]).fillna(
        value=False
    )
    against = [
        "；".join(filter(None, [refusal, "" if vote else FROM_ELSEWHERE, _doubt(share)]))
        for refusal, vote, share in zip(_refusals(run, at), votes.tolist(), known.tolist(), strict=True)
    ]
    reasons = [f"本岗位看重的要素中较强的：{text}" if text else "" for text in named.tolist()]
    return pd.DataFrame({"reasons": reasons, "against": against}, index=pairs.index, dtype="str")


def _refusals(run: TalentRun, at: pd.DataFrame) -> list[str]:
    """Return of people and posts whether the conditions are open or refuse; empty where all pass."""
    rules = run.table("eligibility")
    here = rules.loc[rules["unit_code"].notna(), list(at.columns[1:])].drop_duplicates().assign(kin=True)
    status = at.merge(run.table("eligible").astype("str"), on=["person_ref", "post"], how="left")["status"]
    kin = at.merge(here, on=list(at.columns[1:]), how="left")["kin"].notna()
    labels = GateStatus.labels()
    found = status.fillna(GateStatus.UNKNOWN.value).where(~kin, GateStatus.FAIL.value)
    return ["" if one == GateStatus.PASS.value else f"资格{labels[one]}" for one in found]


def _doubt(known: float) -> str:
    """Return that little speaks for what a post asks for; empty where enough does."""
    if known <= 0:
        return "本岗位看重的要素都没有材料，适配分只是中间值，须先核实"
    if known < _WELL_KNOWN:
        return f"本岗位看重的要素只有{share_text(known)}有材料，须先核实"
    return ""


def _sentences(text: Any) -> tuple[str, ...]:
    """Return the sentences of a list's reasons."""
    return tuple(part for part in str(text).split("；") if part) if present(text) else ()
