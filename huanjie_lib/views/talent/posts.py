"""The head of a talent run, its posts, and what each asks for."""

from __future__ import annotations

from typing import Any

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views.talent.rows import POST_ORDER
from huanjie_lib.views.words import count_text
from huanjie_lib.vocabulary import GateStatus, PortraitAspect

__all__ = ["asked", "gap_sentence", "post_list", "summary"]


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
        key=frame["unit_code"] + "/" + frame["post"], order=frame["post"].map(POST_ORDER).astype("int64")
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
