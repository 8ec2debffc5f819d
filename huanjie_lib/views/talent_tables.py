"""Tables and figures of a talent run for analysts; people go by the end of their pseudonym."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from huanjie_lib.views.analysis import new_axes, whole_figure
from huanjie_lib.views.talent_charts import COLOURS
from huanjie_lib.vocabulary import GateStatus, PortraitAspect, PostKind, share_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "comparison_table",
    "crowding_table",
    "known_figure",
    "needs_table",
    "proof_table",
    "race_table",
    "refusal_table",
    "shortlist_figure",
    "shortlist_table",
    "structure_table",
    "tasks_table",
]


def needs_table(run: TalentRun, *, most: int = 12) -> pd.DataFrame:
    """Return the posts that lack most people, and why."""
    posts = talent.post_list(run).head(most)
    return pd.DataFrame(
        {
            "镇街": posts["township_name"],
            "村（社区）": posts["unit_name"],
            "岗位": posts["post"].map(PostKind.labels()),
            "缺": posts["lacking"],
            "情况": [talent.gap_sentence(row) for row in posts.to_dict("records")],
        }
    )


def refusal_table(run: TalentRun) -> pd.DataFrame:
    """Return by rule how many people it refuses and for how many it cannot be judged, with its source."""
    rules = run.table("eligibility")
    states = [GateStatus.FAIL, GateStatus.UNKNOWN]
    people = {
        state.label: rules[rules["status"] == state.value]
        .groupby(["label", "source"])["person_ref"]
        .nunique()
        for state in states
    }
    table = pd.DataFrame(people).fillna(0).astype("int64")
    table = table.rename_axis(index={"label": "条件", "source": "依据"}).reset_index()
    return table.sort_values([state.label for state in states], ascending=False, ignore_index=True)


def known_figure(run: TalentRun) -> Figure:
    """Return how much of each aspect evidence speaks for, on average over all people."""
    known = run.table("portraits").groupby("aspect")["known"].mean()
    known = known.reindex([aspect.value for aspect in PortraitAspect])[::-1]
    axes = new_axes(height=0.36 * len(known) + 1.2)
    bars = axes.barh(
        [PortraitAspect.labels()[a] for a in known.index], 100 * known.to_numpy(), color=COLOURS[0]
    )
    axes.bar_label(bars, fmt="{:.0f}%", padding=3)
    axes.set(xlim=(0, 100), xlabel="有资料支撑的份额（%）", title="画像各项有多少依据")
    return whole_figure(axes)


def shortlist_table(run: TalentRun, unit_code: str, post: str) -> pd.DataFrame:
    """Return a post's shortlist with intervals, chances, reasons and what speaks against."""
    found = talent.candidates(run, unit_code, post)
    return pd.DataFrame(
        {
            "位次": [one.rank for one in found],
            "代号": [talent.short_ref(one.person_ref) for one in found],
            "适配分": [round(one.fit, 1) for one in found],
            "区间": [f"{one.low:.1f}～{one.high:.1f}" for one in found],
            "进入前列的可能性": [share_text(one.p_top) for one in found],
            "统筹列入": ["是" if one.listed else "" for one in found],
            "理由": ["；".join(one.reasons) for one in found],
            "不足": ["；".join(one.against) for one in found],
        }
    )


def shortlist_figure(run: TalentRun, unit_code: str, post: str) -> Figure:
    """Return the intervals of a post's shortlist: what is sure, and what is only unknown."""
    found = talent.candidates(run, unit_code, post)[::-1]
    axes = new_axes(height=0.42 * len(found) + 1.4)
    place = np.arange(len(found))
    low, fit, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "fit", "high"))
    axes.hlines(place, low, high, color=COLOURS[0], alpha=0.35, linewidth=7)
    axes.plot(fit, place, "o", color=COLOURS[0])
    axes.set_yticks(place, [f"第{one.rank}名 {talent.short_ref(one.person_ref)}" for one in found])
    axes.set(xlim=(0, 100), xlabel="适配分（横条为资料补齐前后的区间）", title="名单上的人分得开吗")
    return whole_figure(axes)


def comparison_table(run: TalentRun, person_a: str, person_b: str, unit_code: str, post: str) -> pd.DataFrame:
    """Return two people side by side for a post, the largest difference first."""
    frame = talent.comparison(run, person_a, person_b, unit_code, post)
    a, b = (talent.short_ref(ref) for ref in (person_a, person_b))
    asked = frame[frame["weight"] > 0]
    return pd.DataFrame(
        {
            "要素": asked["label"],
            "权重": asked["weight"].map("{:.0%}".format),
            **{
                f"{name}（区间）": [
                    f"{row[f'{who}_mean']:.1f}（{row[f'{who}_low']:.0f}～{row[f'{who}_high']:.0f}）"
                    for row in asked.to_dict("records")
                ]
                for name, who in ((a, "a"), (b, "b"))
            },
            "适配分差": asked["difference"].round(2),
        }
    ).reset_index(drop=True)


def tasks_table(run: TalentRun, person_ref: str, unit_code: str, post: str) -> pd.DataFrame:
    """Return what to verify about a person first for a post, and how much narrower that makes the fit."""
    weights = {row["aspect"]: row["weight"] for row in talent.asked(run, unit_code, post)}
    found = talent.tasks(run, person_ref, weights)
    return pd.DataFrame(
        {
            "要做的事": [task["text"] for task in found],
            "适配分区间可收窄": [round(task["narrows"], 1) for task in found],
        }
    )


def crowding_table(run: TalentRun) -> pd.DataFrame:
    """Return what lists look like when every post takes its own best people, and when the city shares them.

    Places are the people wanted by all posts; a person may stand on as many lists as the pack allows.
    """
    pack = run.parameters.talent
    assert pack is not None
    posts = run.table("posts")[["unit_code", "post", "wanted"]]
    own = run.table("shortlists").merge(posts, on=["unit_code", "post"])
    own = own[own["rank"] <= own["wanted"]]
    rows = {}
    for name, frame in (("各岗位各取自己的前列", own), ("全市统筹", run.table("lists"))):
        lists = frame["person_ref"].value_counts()
        rows[name] = {
            "要列的人次": int(posts["wanted"].sum()),
            "列入的人次": len(frame),
            "涉及人数": len(lists),
            "一人最多列": int(lists.max()) if len(lists) else 0,
            "超出每人上限的人次": int((lists - pack.lists_per_person).clip(lower=0).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def structure_table(run: TalentRun) -> pd.DataFrame:
    """Return by rule of structure how many committees keep it, what is lacking, and what it costs the city.

    How much of that no choice of candidates mends is missing for a run that does not tell.
    """
    checks, costs = run.table("team_checks"), run.table("team_costs")
    lacking = (checks["wanted"] - checks["found"]).clip(lower=0)
    table = checks.assign(met=checks["met"].astype("bool"), lacking=lacking)
    table = table.groupby(["target", "label"], sort=False, as_index=False).agg(
        units=("met", "size"), met=("met", "sum"), lacking=("lacking", "sum")
    )
    least = (run.manifest.get("proven") or {}).get("teams_least", {})
    spent = costs.groupby("rule")["cost"].sum()
    return pd.DataFrame(
        {
            "要求": table["label"],
            "班子": table["units"],
            "达标": table["met"],
            "未达标": table["units"] - table["met"],
            "还缺（名）": table["lacking"],
            "怎样搭配都补不上（名）": pd.array(
                [least.get(target) for target in table["target"]], dtype="Int64"
            ),
            "全市少得的适配分": table["target"].map(spent).astype("float64").fillna(0.0).round(1),
        }
    )


def race_table(run: TalentRun, group_ref: str) -> pd.DataFrame:
    """Return the people of a 考察组 with bands and ranges of ranks."""
    frame = talent.race(run, group_ref)
    return pd.DataFrame(
        {
            "代号": frame["person_ref"].map(talent.short_ref),
            "成绩": frame["fused"].round(1),
            "可信范围": [f"{a:.1f}～{b:.1f}" for a, b in zip(frame["low"], frame["high"], strict=True)],
            "档": frame["band"],
            "位次范围": [f"{a}～{b}" for a, b in zip(frame["rank_low"], frame["rank_high"], strict=True)],
            "线上线下不一致": frame["divergence"].map({True: "是，先查明", False: ""}),
        }
    )


def proof_table(run: TalentRun) -> pd.DataFrame:
    """Return what became of the result when each protected column was changed."""
    found = talent.proof(run)
    states = {"pass": "结果不变", "fail": "结果改变", "unknown": "无从检验"}
    rows = {
        row["label"]: {
            label: states[row["found"][name]["status"].value] if name in row["found"] else "—"
            for name, label in found["changes"].items()
        }
        for row in found["changed"]
    }
    return pd.DataFrame.from_dict(rows, orient="index")
