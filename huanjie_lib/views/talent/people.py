"""What is known of one person: facts, portrait, evidence, verdicts, tasks and steps; and two compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.fit import ASPECTS
from huanjie_lib.talent.shortlist import compare
from huanjie_lib.views.talent.rows import POST_ORDER, points_text, records
from huanjie_lib.views.words import date_text, present
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
)

__all__ = [
    "Verdict",
    "comparison",
    "comparison_sentence",
    "cultivated",
    "evidence",
    "person_facts",
    "portrait",
    "tasks",
    "verdicts",
]

_TOLD: Final = 4
_TOLD_FROM: Final = 0.05
"""Aspects that a comparison names, and the points of fit from which a difference is one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a person may be proposed for a kind of post, and which rules say no or cannot be judged."""

    post: PostKind
    status: GateStatus
    rules: tuple[dict[str, str], ...]


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
    for row in sorted(status.to_dict("records"), key=lambda row: POST_ORDER[row["post"]]):
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
    return steps["text"].tolist(), records(told)


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
