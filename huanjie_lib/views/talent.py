"""What a talent run says, as rows and sentences for screens, files and notebooks.

Functions of a :class:`~huanjie_lib.store.talent_folder.TalentRun` that read the rows of one post, one unit or
one person and no more. People go by their pseudonyms here; whoever shows them puts a name in its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.access.suppression import HIDDEN, SMALLEST, CountTable, suppress
from huanjie_lib.contracts import TABLES
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.assessment import Trials
from huanjie_lib.talent.composition import SEATS, TELLING
from huanjie_lib.talent.cultivation import StepState
from huanjie_lib.talent.fairness import CHANGES
from huanjie_lib.talent.fit import ASPECTS
from huanjie_lib.talent.parity import LEAST, Impact, label_of
from huanjie_lib.talent.reach import ELECTED, FROM_ELSEWHERE
from huanjie_lib.talent.shortlist import compare
from huanjie_lib.views.words import count_text, date_text, present
from huanjie_lib.vocabulary import (
    Education,
    EvidenceKind,
    GateStatus,
    PersonChannel,
    PersonSource,
    PersonStatus,
    PoliticalAffiliation,
    PortraitAspect,
    PostKind,
    share_text,
)

__all__ = [
    "ADVICE",
    "Candidate",
    "Verdict",
    "all_tasks",
    "asked",
    "candidates",
    "certainty",
    "checks",
    "committees",
    "comparison",
    "comparison_sentence",
    "cultivated",
    "gap_sentence",
    "grounds",
    "listed",
    "members",
    "person_facts",
    "plans",
    "points_text",
    "portrait",
    "post_list",
    "proof",
    "quota",
    "race",
    "races",
    "rule_costs",
    "short_ref",
    "structure_sentence",
    "summary",
    "tasks",
    "trial_sentence",
    "verdicts",
]

ADVICE: Final = "仅供决策参考，由组织决定"
"""Stands on every page and file about people."""

_ATTRIBUTES: Final = {"age": "年龄"}
"""What attributes are called that are columns of no table."""
_YES_NO: Final = {"True": True, "False": False}
"""Values of yes-or-no attributes, which lie as text beside those of others."""
_TOLD: Final = 4
_TOLD_FROM: Final = 0.05
"""Aspects that a comparison names, and the points of fit from which a difference is one."""
_STRENGTHS: Final = 2
"""Strengths that are told of whoever stands behind a post's own list."""
_WELL_KNOWN: Final = 0.5
"""Share of what a post asks for that evidence has to speak for, or it is told that it does not."""
_POST_ORDER: Final = {post.value: place for place, post in enumerate(PostKind)}
_STATE_ORDER: Final = {
    state.value: place
    for place, state in enumerate(
        (
            StepState.OVERDUE,
            StepState.UNDATED,
            StepState.RUNNING,
            StepState.PLANNED,
            StepState.WAITING,
            StepState.PROPOSED,
            StepState.DONE,
        )
    )
}


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a person may be proposed for a kind of post, and which rules say no or cannot be judged."""

    post: PostKind
    status: GateStatus
    rules: tuple[dict[str, str], ...]


def points_text(value: float) -> str:
    """Return points with one decimal.

    Examples
    --------
    >>> points_text(61.25), points_text(float("nan"))
    ('61.2', '—')
    """
    return f"{value:.1f}" if present(value) else "—"


def short_ref(person_ref: str) -> str:
    """Return the end of a pseudonym, enough to tell two people of one masked name apart on a page.

    Examples
    --------
    >>> short_ref("PKYG7TXRSW3CMBRJB")
    'BRJB'
    """
    return person_ref[-4:]


def summary(run: TalentRun, scope: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the figures of the head: posts, people, reserve, and what needs attention.

    Parameters
    ----------
    run
        The run.
    scope
        Beginnings of the codes of the units that count, with those at home there; all when empty.
    """
    posts, people, quota = (_within(run.table(name), scope) for name in ("posts", "people", "quota"))
    eligible, trials = run.table("eligible", status=GateStatus.PASS.value), run.table("trials")
    if scope:
        eligible, trials = (
            frame[frame["person_ref"].isin(people["person_ref"])] for frame in (eligible, trials)
        )
    return {
        "posts": len(posts),
        "lacking_posts": int((posts["lacking"] > 0).sum()),
        "lacking_people": int(posts["lacking"].sum()),
        "people": len(people),
        "eligible": int(eligible["person_ref"].nunique()),
        "stale": int(people["stale"].sum()),
        "units": len(quota),
        "short_units": int((quota["gap"] > 0).sum()),
        "short_people": int(quota["gap"].sum()),
        "tried": len(trials),
        "diverging": int(trials["divergence"].sum()),
    }


def _within(frame: pd.DataFrame, scope: tuple[str, ...]) -> pd.DataFrame:
    return frame[frame["unit_code"].fillna("").str.startswith(scope)] if scope else frame


def post_list(run: TalentRun) -> pd.DataFrame:
    """Return all posts with their places, those that lack most people first.

    Returns
    -------
    pandas.DataFrame
        ``posts`` of the run with unit_name, unit_kind, township_code, township_name and ``key``
        (``unit_code/post``). Within equal needs: fewest eligible people, then unit and post.
    """
    frame = run.table("posts").merge(run.table("units"), on="unit_code", how="left", validate="many_to_one")
    frame = frame.assign(
        key=frame["unit_code"] + "/" + frame["post"], order=frame["post"].map(_POST_ORDER).astype("int64")
    )
    frame = frame.sort_values(
        ["lacking", "eligible", "unit_code", "order"], ascending=[False, True, True, True], kind="stable"
    )
    return frame.drop(columns="order").reset_index(drop=True)


def gap_sentence(row: dict[Any, Any]) -> str:
    """Return why a post lacks people, and what would help.

    Parameters
    ----------
    row
        wanted, listed, lacking and eligible of a post.

    Examples
    --------
    >>> gap_sentence({"wanted": 2, "listed": 1, "lacking": 1, "eligible": 1})
    '要2名人选，已列1名，还缺1名：符合条件的只有1人，须补充后备人选。'
    >>> gap_sentence({"wanted": 2, "listed": 1, "lacking": 1, "eligible": 30})
    '要2名人选，已列1名，还缺1名：符合条件的有30人，但都已排满其他岗位的名单。'
    >>> gap_sentence({"wanted": 2, "listed": 2, "lacking": 0, "eligible": 30})
    '要2名人选，已列2名；符合条件的有30人。'
    """
    wanted, listed, lacking, able = (int(row[n]) for n in ("wanted", "listed", "lacking", "eligible"))
    text = f"要{wanted}名人选，已列{listed}名"
    if not lacking:
        return f"{text}；符合条件的有{count_text(able)}人。"
    text += f"，还缺{lacking}名："
    if able <= listed:
        people = f"符合条件的只有{able}人" if able else "没有符合条件的人"
        return f"{text}{people}，须补充后备人选。"
    return f"{text}符合条件的有{count_text(able)}人，但都已排满其他岗位的名单。"


def asked(run: TalentRun, unit_code: str, post: str) -> list[dict[str, Any]]:
    """Return what a post asks for, heaviest aspect first.

    Returns
    -------
    list of dict
        aspect, label, weight, plain (weight before the unit's situation changed it) and raised (whether that
        raised it). Aspects that are not asked for are left out.
    """
    frame = run.table("weights", unit_code=unit_code, post=post)
    plain = frame["weight"] / frame["tilt"]
    frame = frame.assign(plain=plain / plain.sum())
    frame = frame[frame["weight"] > 0].sort_values("weight", ascending=False, kind="stable")
    labels = PortraitAspect.labels()
    return [
        {
            "aspect": row["aspect"],
            "label": labels[row["aspect"]],
            "weight": row["weight"],
            "plain": row["plain"],
            "raised": row["tilt"] > 1 and row["weight"] > row["plain"],
        }
        for row in frame.to_dict("records")
    ]


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
        for row in _records(frame[["person_ref", "fit"]])
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


def portrait(run: TalentRun, person_ref: str) -> pd.DataFrame:
    """Return a person's aspects in the order of the vocabulary.

    Returns
    -------
    pandas.DataFrame
        aspect, label, dimension, low, mean, high (points) and known (share that evidence speaks for).

    Raises
    ------
    KeyError
        If there is no such person.
    """
    frame = run.table("portraits", person_ref=person_ref).set_index("aspect").loc[list(ASPECTS)]
    words = PortraitAspect.lookup()
    return frame.assign(
        label=[words[aspect].label for aspect in ASPECTS],
        dimension=[words[aspect].dimension.label for aspect in ASPECTS],
    ).reset_index()[["aspect", "label", "dimension", "low", "mean", "high", "known"]]


def comparison(run: TalentRun, person_a: str, person_b: str, unit_code: str, post: str) -> pd.DataFrame:
    """Return two people side by side for a post; see :func:`huanjie_lib.talent.shortlist.compare`.

    Returns
    -------
    pandas.DataFrame
        That frame with ``a_known`` and ``b_known``.

    Raises
    ------
    KeyError
        If there is no such person or post.
    """
    weights = run.table("weights", unit_code=unit_code, post=post).set_index("aspect")["weight"]
    a, b = (portrait(run, person).set_index("aspect") for person in (person_a, person_b))
    found = compare(a, b, weights.loc[list(ASPECTS)].to_numpy(dtype=np.float64))
    known = {"a_known": a["known"], "b_known": b["known"]}
    return found.assign(**{name: values.loc[found["aspect"]].to_numpy() for name, values in known.items()})


def verdicts(run: TalentRun, person_ref: str, unit_code: str = "") -> tuple[Verdict, ...]:
    """Return for every kind of post whether a person may be proposed, and what refuses or is open.

    Each rule tells its label, reason, source, the day its wording is in force from (version), the day it
    rests on (checked) and its last day (until), in words, empty where it has none.

    Parameters
    ----------
    run, person_ref
        The person of a run.
    unit_code
        The unit whose posts are asked for: what refuses the person there alone (close kin in office)
        refuses, and what does so elsewhere is not told. Without it that is told with the name of the unit,
        and refuses nothing else.
    """
    status = run.table("eligible", person_ref=person_ref)
    rules = run.table("eligibility", person_ref=person_ref)
    place = rules["unit_code"].astype("object").where(rules["unit_code"].notna(), "")
    if unit_code:
        here = place.isin(["", unit_code])
        rules, place = rules[here], place[here]
    names = run.table("units").set_index("unit_code")["unit_name"]
    where = [f"{names[code]}：" if code and not unit_code else "" for code in place]
    rules = rules.assign(
        reason=[f"{at}{reason}" for at, reason in zip(where, rules["reason"], strict=True)],
        refuses=(place != "") & bool(unit_code),
    )
    found, words, states = [], PostKind.lookup(), GateStatus.lookup()
    for row in sorted(status.to_dict("records"), key=lambda row: _POST_ORDER[row["post"]]):
        mine = rules[rules["post"].isin(["", row["post"]])]
        refused = bool(mine["refuses"].any())
        found.append(
            Verdict(
                words[row["post"]],
                GateStatus.FAIL if refused else states[row["status"]],
                tuple(_rule_words(rule) for rule in mine.to_dict("records")),
            )
        )
    return tuple(found)


def _rule_words(rule: dict[Any, Any]) -> dict[str, str]:
    dates = {
        name: date_text(rule[column]) if present(rule[column]) else ""
        for name, column in (("checked", "checked_on"), ("until", "expires_on"))
    }
    return {
        "label": str(rule["label"]),
        "reason": str(rule["reason"]),
        "source": str(rule["source"]),
        "version": str(rule["version"]),
        "status": GateStatus.lookup()[rule["status"]].label,
        **dates,
    }


def evidence(run: TalentRun, person_ref: str) -> list[dict[str, str]]:
    """Return what is held of a person in words, the latest first.

    Each item tells its aspect, kind, year, rating, the day it was dated, and the document.
    """
    aspects, kinds = PortraitAspect.labels(), EvidenceKind.labels()
    return [
        {
            "aspect": aspects[row["aspect"]],
            "kind": kinds[row["kind"]],
            "year": f"{row['year']}年",
            "rating": points_text(row["rating"]),
            "dated": date_text(row["dated_on"]),
            "document": row["document"] if pd.notna(row["document"]) else "",
        }
        for row in run.table("evidence", person_ref=person_ref).to_dict("records")
    ]


def tasks(run: TalentRun, person_ref: str, weights: dict[str, float] | None = None) -> list[dict[str, Any]]:
    """Return what to verify about a person first: text and by how many points it narrows.

    Parameters
    ----------
    run, person_ref
        The person of a run.
    weights
        Weights by aspect of a post: tasks are then ordered by what they narrow the fit for it, and those that
        do not matter to it are left out.
    """
    frame = run.table("tasks", person_ref=person_ref)
    weight = frame["aspect"].map(weights).astype("float64").fillna(0.0) if weights is not None else 1.0
    frame = frame.assign(narrows=frame["gain"] * weight).sort_values(
        "narrows", ascending=False, kind="stable"
    )
    frame = frame[frame["narrows"] > 0]
    return [
        {
            "text": row["text"],
            "gain": row["gain"],
            "narrows": row["narrows"],
            "aspect": PortraitAspect.labels()[row["aspect"]],
            "kind": EvidenceKind.labels()[row["kind"]],
        }
        for row in frame.to_dict("records")
    ]


def person_facts(run: TalentRun, person_ref: str) -> dict[str, str]:
    """Return what the register says of a person, heading to words.

    Age and education are told apart, since they enter no score: under ``学历年龄``.

    Raises
    ------
    KeyError
        If there is no such person.
    """
    people = run.table("people", person_ref=person_ref)
    if people.empty:
        raise KeyError(person_ref)
    row = people.to_dict("records")[0]
    words = {
        name: word.labels().get(row[name], "未填") if present(row[name]) else "未填"
        for name, word in (
            ("channel", PersonChannel),
            ("source", PersonSource),
            ("status", PersonStatus),
            ("affiliation", PoliticalAffiliation),
            ("education", Education),
        )
    }
    home = "其他地方"
    if present(row["unit_code"]):
        unit = run.table("units", unit_code=str(row["unit_code"]))
        if len(unit):
            home = f"{unit['township_name'].iloc[0]}{unit['unit_name'].iloc[0]}"
    updated = row["updated_on"] if present(row["updated_on"]) else row["registered_on"]
    record = f"{date_text(updated)}更新"
    if row["stale"]:
        record += f"，已{int(row['stale_days'])}天未更新，请先核实"
    age = f"{run.as_of.year - int(row['birth_year'])}岁左右" if present(row["birth_year"]) else "出生年份未填"
    return {
        "所在村（社区）": home,
        "培养状态": words["status"],
        "政治面貌": words["affiliation"],
        "来源": words["source"],
        "推荐渠道": words["channel"],
        "登记": record,
        "学历年龄": f"{words['education']}，{age}（只用于班子结构，不计入评分）",
    }


def _sentences(text: Any) -> tuple[str, ...]:
    """Return the sentences of a list's reasons."""
    return tuple(part for part in str(text).split("；") if part) if present(text) else ()


def committees(run: TalentRun) -> pd.DataFrame:
    """Return units with a proposed committee, those that miss most targets first.

    Returns
    -------
    pandas.DataFrame
        ``units`` of the run with seats, members (people proposed), empty (seats), targets and missed (numbers
        of targets), and broken (targets missed that must be met).
    """
    checks = run.table("team_checks")
    seats = checks[checks["target"] == SEATS].set_index("unit_code")
    rules = checks[checks["target"] != SEATS]
    rules = rules.assign(missed=~rules["met"].astype("bool"))
    rules = rules.assign(broken=rules["missed"] & rules["hard"].astype("bool"), targets=1)
    counted = rules.groupby("unit_code")[["targets", "missed", "broken"]].sum()
    frame = run.table("units").set_index("unit_code")
    frame = frame.loc[frame.index.isin(seats.index)]
    frame = frame.assign(
        seats=seats["wanted"].reindex(frame.index),
        members=seats["found"].reindex(frame.index),
        empty=(seats["wanted"] - seats["found"]).reindex(frame.index),
        **{str(name): counted[name].reindex(frame.index, fill_value=0) for name in counted},
    ).reset_index()
    return frame.sort_values(
        ["broken", "missed", "empty", "unit_code"], ascending=[False, False, False, True], ignore_index=True
    )


def members(run: TalentRun, unit_code: str) -> pd.DataFrame:
    """Return the proposed committee of a unit by post: post, label, person_ref and fit."""
    frame = run.table("teams", unit_code=unit_code)
    frame = frame.assign(
        label=frame["post"].map(PostKind.labels()), order=frame["post"].map(_POST_ORDER).astype("int64")
    )
    frame = frame.sort_values(["order", "fit", "person_ref"], ascending=[True, False, True])
    return frame.drop(columns="order").reset_index(drop=True)


def races(run: TalentRun) -> pd.DataFrame:
    """Return all 考察组 with what their people have in common.

    Returns
    -------
    pandas.DataFrame
        group_ref, people, diverging (people whose two channels disagree), parts (sets of people linked by
        raters; only within one are people compared) and townships (where most of them are at home), by
        reference.
    """
    frame = run.table("races").merge(
        run.table("trials")[["person_ref", "divergence"]], on="person_ref", how="left"
    )
    homes = _homes(run).set_index("person_ref")["township_name"]
    frame = frame.assign(township=frame["person_ref"].map(homes).fillna(""))
    groups = frame.groupby("group_ref")
    return pd.DataFrame(
        {
            "people": groups.size(),
            "diverging": groups["divergence"].sum(),
            "parts": groups["group"].nunique(),
            "township": groups["township"].agg(lambda names: names.mode().iloc[0]),
        }
    ).reset_index()


def race(run: TalentRun, group_ref: str) -> pd.DataFrame:
    """Return the people of a 考察组, by part, band and result.

    Returns
    -------
    pandas.DataFrame
        ``races`` and ``trials`` of these people.
    """
    frame = run.table("races", group_ref=group_ref)
    results = run.table("trials").drop(columns=["fused", "group"])
    frame = frame.merge(results, on="person_ref", how="left", validate="one_to_one")
    return frame.sort_values(
        ["group", "band", "fused", "person_ref"], ascending=[True, True, False, True], ignore_index=True
    )


def trial_sentence(run: TalentRun, person_ref: str, *, name: str) -> str:
    """Return how a person's quasi-post result came about; empty for whoever was not assessed."""
    people = run.table("trials", person_ref=person_ref)
    pack = run.parameters.talent
    if people.empty or pack is None:
        return ""
    nothing = pd.DataFrame({"person_ref": []})
    found = Trials(people, nothing, run.table("races", person_ref=person_ref), nothing, pack.trial, run.as_of)
    return found.explain(person_ref, name=name)


def quota(run: TalentRun) -> pd.DataFrame:
    """Return units by how many people their reserve lacks, with their names, most first."""
    frame = run.table("quota").merge(run.table("units"), on="unit_code", how="left")
    return frame.sort_values(
        ["gap", "gap_if_stale_left", "unit_code"], ascending=[False, False, True], ignore_index=True
    )


def plans(run: TalentRun) -> pd.DataFrame:
    """Return cultivation steps with the home of each person, what is late first and what is done last.

    Returns
    -------
    pandas.DataFrame
        ``cultivation`` of the run with unit_code, unit_name, township_code and township_name of the person's
        home, missing for whoever lives elsewhere.
    """
    frame = run.table("cultivation").merge(_homes(run), on="person_ref", how="left")
    frame = frame.assign(order=frame["state"].map(_STATE_ORDER))
    frame = frame.sort_values(
        ["order", "days_late", "gain", "due_on", "person_ref"],
        ascending=[True, False, False, True, True],
        kind="stable",
    )
    return frame.drop(columns="order").reset_index(drop=True)


def all_tasks(run: TalentRun) -> pd.DataFrame:
    """Return what to verify about everybody, with the home of each person, what narrows most first.

    Returns
    -------
    pandas.DataFrame
        ``tasks`` of the run with unit_code, unit_name, township_code and township_name.
    """
    frame = run.table("tasks").merge(_homes(run), on="person_ref", how="left")
    return frame.sort_values(
        ["gain", "person_ref", "aspect"], ascending=[False, True, True], kind="stable", ignore_index=True
    )


def _homes(run: TalentRun) -> pd.DataFrame:
    """Return person_ref and the unit where each person is at home."""
    units = run.table("units").drop(columns="unit_kind")
    return run.table("people")[["person_ref", "unit_code"]].merge(units, on="unit_code", how="left")


def cultivated(run: TalentRun, person_ref: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the sentences on a person's steps, and which step would change their standing for which post.

    Each change tells post (label), unit_name, rank, rank_after and text, the best rank first.
    """
    steps = run.table("cultivation", person_ref=person_ref)
    changes = run.table("standing", person_ref=person_ref).merge(
        run.table("units")[["unit_code", "unit_name"]], on="unit_code", how="left"
    )
    changes = changes.assign(label=changes["post"].map(PostKind.labels()))
    changes = changes.sort_values(["rank_after", "rank", "unit_code"], kind="stable")
    told = changes[["unit_name", "label", "rank", "rank_after", "text"]]
    return steps["text"].tolist(), _records(told)


def comparison_sentence(frame: pd.DataFrame, name_a: str, name_b: str) -> str:
    """Return who of two fits better and what makes most of the difference, in points of fit.

    Parameters
    ----------
    frame
        Result of :func:`comparison`.
    name_a, name_b
        What to call the two.

    Examples
    --------
    >>> rows = pd.DataFrame({"label": ["财务管理", "法治思维"], "difference": [3.25, -1.0]})
    >>> comparison_sentence(rows, "张*三", "李*")
    '张*三的适配分比李*高2.2分，按岗位权重折算：财务管理高3.2分；法治思维低1.0分。'
    >>> comparison_sentence(rows.assign(difference=0.0), "张*三", "李*")
    '张*三与李*的适配分相同。'
    """
    total = float(frame["difference"].sum())
    parts = frame[frame["difference"].abs() >= _TOLD_FROM].head(_TOLD)
    first, second, sign = (name_a, name_b, 1.0) if total >= 0 else (name_b, name_a, -1.0)
    if abs(total) < _TOLD_FROM:
        text = f"{name_a}与{name_b}的适配分相同"
    else:
        text = f"{first}的适配分比{second}高{abs(total):.1f}分"
    told = [
        f"{label}{'高' if sign * value > 0 else '低'}{abs(value):.1f}分"
        for label, value in zip(parts["label"], parts["difference"], strict=True)
    ]
    if told and abs(total) < _TOLD_FROM:
        text += f"，按岗位权重折算，{name_a}"
    elif told:
        text += "，按岗位权重折算："
    return f"{text}{'；'.join(told)}。"


def checks(run: TalentRun, unit_code: str) -> list[dict[str, Any]]:
    """Return what the targets of structure ask of a unit's committee, and what it has.

    Each tells label, hard, wanted, found, able (candidates of the unit for whom it holds), met, and why not.
    """
    rows = run.table("team_checks", unit_code=unit_code)
    return [{**row, "why": _why_missed(row)} for row in _records(rows[rows["target"] != SEATS])]


def _why_missed(row: dict[str, Any]) -> str:
    """Return why a committee misses a target; empty where it does not."""
    if row["met"]:
        return ""
    why = "候选人中人数不够" if row["able"] < row["wanted"] else "合适的人在别的班子或岗位更需要"
    return f"{why}，{'须放宽要求或补充人选' if row['hard'] else '尽量补足'}"


def certainty(run: TalentRun) -> str:
    """Return in Chinese how good lists and committees are for certain; empty for a run that does not say.

    Examples
    --------
    >>> import datetime as dt
    >>> from huanjie_lib.parameters import load_parameters
    >>> proven = {"lists_optimal": True, "teams_fit": 1000.0, "teams_bound": 1002.0, "teams_gap": 0.002}
    >>> certainty(TalentRun(dt.date(2026, 10, 31), load_parameters(), {}, {"proven": proven}))
    '全市名单已证明为最优；缺额相同的班子方案中，适配分合计离上限不超过0.20%。'

    Where the bound keeps more rules or fills more seats than the committees do, their difference is no
    measure of fit and is not told; :func:`structure_sentence` tells what is lacking.

    >>> proven |= {"teams_gap": 0.32}
    >>> certainty(TalentRun(dt.date(2026, 10, 31), load_parameters(), {}, {"proven": proven}))
    '全市名单已证明为最优。'
    """
    proven = run.manifest.get("proven")
    if not proven:
        return ""
    lists = "全市名单已证明为最优" if proven["lists_optimal"] else "全市名单未证明为最优"
    gap = float(proven["teams_gap"])
    told = f"；缺额相同的班子方案中，适配分合计离上限不超过{gap:.2%}" if gap <= TELLING else ""
    return f"{lists}{told}。"


def structure_sentence(run: TalentRun) -> str:
    """Return in Chinese how many committees meet all targets, and which targets and seats lack how many.

    They are those of the city, or of the area that a part holds. It says how much of that is lacking whoever
    is chosen from the candidates, where the run tells. Empty where no committee was proposed.
    """
    checks = run.table("team_checks")
    if checks.empty:
        return ""
    least = (run.manifest.get("proven") or {}).get("teams_least", {})
    checks = checks.assign(
        met=checks["met"].astype("bool"), lacking=(checks["wanted"] - checks["found"]).clip(lower=0)
    )
    rules, seats = checks[checks["target"] != SEATS], checks[checks["target"] == SEATS]
    units, missed = checks["unit_code"].nunique(), rules.loc[~rules["met"], "unit_code"].nunique()
    where = "所辖" if run.is_part else "全市"
    parts = [f"{where}{count_text(units)}个班子，{count_text(units - missed)}个结构要求全部达到"]
    for (target, label), rows in rules.groupby(["target", "label"], sort=False):
        if short := int((~rows["met"]).sum()):
            why = _unavoidable(int(rows["lacking"].sum()), least.get(target))
            parts.append(f"“{label}”{count_text(short)}个未达到{why}")
    if empty := int(seats["lacking"].sum()):
        why = _unavoidable(empty, least.get(SEATS))
        parts.append(f"{count_text(int(seats['wanted'].sum()))}个职位空缺{count_text(empty)}个{why}")
    return "；".join(parts) + "。"


def _unavoidable(lacking: int, least: int | None) -> str:
    """Return how many of those lacking are lacking whoever is chosen.

    Examples
    --------
    >>> _unavoidable(9, 0), _unavoidable(9, 4), _unavoidable(9, 9), _unavoidable(9, None)
    ('（单看这一条，换人可以达到）', '（至少4名怎样搭配都补不上）', '（怎样搭配都补不上）', '')
    """
    if least is None:
        return ""
    if not least:
        return "（单看这一条，换人可以达到）"
    return "（怎样搭配都补不上）" if least >= lacking else f"（至少{count_text(least)}名怎样搭配都补不上）"


def rule_costs(run: TalentRun, unit_code: str) -> list[dict[str, Any]]:
    """Return what each rule of structure costs in points of fit, the dearest in the city first.

    Each tells label, here (cost in the unit), city (in all units) and units (how many it costs anything).
    """
    frame = run.table("team_costs")
    here = frame[frame["unit_code"] == unit_code].set_index("rule")["cost"]
    city = frame.groupby("rule", as_index=False).agg(
        label=("label", "first"), city=("cost", "sum"), units=("unit_code", "nunique")
    )
    city = city.assign(here=city["rule"].map(here).astype("float64").fillna(0.0))
    return _records(city.sort_values(["city", "rule"], ascending=[False, True], kind="stable"))


def proof(run: TalentRun) -> dict[str, Any]:
    """Return the proof that protected attributes change nothing, in plain words.

    Returns
    -------
    dict
        ``status``: fail if any check failed, else unknown if any or all could not be made, else pass.
        ``changed``:
        what was changed (label), and by change its status and what was found. ``whole``: checks of the
        whole result. ``proxies``: how well each attribute can be guessed from what scores rest on.
        ``impact``: rows by group with ``label`` and, as they may be shown, ``people``, ``taken``, ``share``
        and ``against``: sex and ethnicity are nobody's to know of a single person, so that small counts are
        hidden; and ``sentences``, one an attribute.
    """
    certificate, impact = run.table("certificate"), run.table("impact")
    found = set(certificate["status"])
    states = (GateStatus.FAIL, GateStatus.UNKNOWN, GateStatus.PASS)
    told = certificate[certificate["column"] != ""]
    guessed = run.table("proxies")
    impact, guessed = (
        t.assign(
            attribute=t["attribute"].replace(_ATTRIBUTES),
            value=[_YES_NO.get(value, value) for value in t["value"]],
        )
        for t in (impact, guessed)
    )
    told_impact = Impact(impact, dict.fromkeys(impact["attribute"], 0), confidence=0.95, least=LEAST)
    shown = _shown_impact(impact)
    return {
        "status": next((state for state in states if state.value in found), GateStatus.UNKNOWN),
        "checks": len(certificate),
        "failed": int((certificate["status"] == GateStatus.FAIL.value).sum()),
        "changed": [
            {
                "label": _column_label(str(column)),
                "found": {row["change"]: _check(row) for row in rows.to_dict("records")},
            }
            for column, rows in told.groupby("column", sort=False)
        ],
        "whole": [
            {"label": CHANGES[row["change"]], **_check(row)}
            for row in certificate[certificate["column"] == ""].to_dict("records")
        ],
        "changes": {name: CHANGES[name] for name in ("flip", "permute", "delete")},
        "proxies": _labelled(guessed),
        "impact": _labelled(shown),
        "sentences": [
            told_impact.explain(attribute)
            if (shown.loc[shown["attribute"] == attribute, "taken"] != HIDDEN).all()
            else _few_sentence(shown[shown["attribute"] == attribute])
            for attribute in impact["attribute"].unique()
        ],
    }


def _shown_impact(impact: pd.DataFrame) -> pd.DataFrame:
    """Return rates by group as they may be shown: ``people``, ``taken``, ``share``, ``against`` as text.

    A group with few people, few chosen or few left out shows no counts, nor do others that would give it
    away; the ratios of an attribute go with any of its groups, since together they tell the best one's rate.
    """
    parts = []
    for _, rows in impact.groupby("attribute", sort=False):
        pairs = zip(rows["value"].astype("str"), rows["total"], rows["chosen"], strict=True)
        cells = [
            (v, w, n) for v, total, taken in pairs for w, n in (("taken", taken), ("left", total - taken))
        ]
        frame = pd.DataFrame(cells, columns=["value", "what", "people"])
        found = suppress(CountTable.of(frame, [["value"], ["what"]], "people"))
        values = rows["value"].astype("str").tolist()
        few = [HIDDEN in (found.shown(value, "taken"), found.shown(value, "left")) for value in values]
        people = [found.shown(value, "") for value in values]
        rates = [present(rate) and not hidden for rate, hidden in zip(rows["rate"], few, strict=True)]
        parts.append(
            rows.assign(
                people=[text if text == HIDDEN else count_text(int(text)) for text in people],
                taken=[
                    HIDDEN if hidden else count_text(int(taken))
                    for taken, hidden in zip(rows["chosen"], few, strict=True)
                ],
                share=[
                    share_text(rate) if known else "—"
                    for rate, known in zip(rows["rate"], rates, strict=True)
                ],
                against=[
                    share_text(math.floor(100 * ratio) / 100) if present(ratio) and not any(few) else "—"
                    for ratio in rows["ratio"]  # never rounded up to four fifths
                ],
            ).drop(columns=["total", "chosen", "rate", "ratio", "low", "high"])
        )
    if not parts:
        return impact.assign(people="", taken="", share="", against="")
    return pd.concat(parts, ignore_index=True)


def _few_sentence(rows: pd.DataFrame) -> str:
    """Return what may be said of an attribute that has a group too small to be shown."""
    attribute = rows["attribute"].iloc[0]
    behind = [label_of(attribute, value) for value in rows.loc[rows["flagged"], "value"]]
    text = f"{label_of(attribute)}：有的组人数或入选、未入选的人数不足{SMALLEST}人，不列数字；"
    if behind:
        return f"{text}{'、'.join(behind)}的入选率不足最高一组的五分之四，请查明原因。"
    return f"{text}能比较的各组，入选率都不低于最高一组的五分之四。"


def _column_label(place: str) -> str:
    """Return what a column is called, given as ``table.column``.

    Examples
    --------
    >>> _column_label("people.birth_year"), _column_label("identities.name_sealed")
    ('出生年份', '姓名密文')
    """
    table, _, column = place.partition(".")
    return TABLES[table].column(column).label


def _check(row: dict[Any, Any]) -> dict[str, Any]:
    return {"status": GateStatus.lookup()[row["status"]], "found": str(row["found"])}


def _labelled(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows of groups with what attribute and value are called."""
    return [
        {
            **row,
            "label": _group(row["attribute"], row["value"]),
        }
        for row in _records(frame)
    ]


def _group(attribute: str, value: Any) -> str:
    """Return what a group is called.

    Examples
    --------
    >>> _group("sex", "2"), _group("is_minority", True)
    ('性别：女', '少数民族')
    """
    called = label_of(attribute, value)
    return called if label_of(attribute) in called else f"{label_of(attribute)}：{called}"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
