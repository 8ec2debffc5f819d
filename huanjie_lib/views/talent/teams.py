"""The proposed committees: who sits on them, which targets they miss and why, and what rules cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.composition import SEATS, TELLING
from huanjie_lib.views.talent.rows import POST_ORDER, records
from huanjie_lib.views.words import count_text
from huanjie_lib.vocabulary import PostKind

__all__ = ["certainty", "checks", "committees", "members", "rule_costs", "structure_sentence"]


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
        label=frame["post"].map(PostKind.labels()), order=frame["post"].map(POST_ORDER).astype("int64")
    )
    frame = frame.sort_values(["order", "fit", "person_ref"], ascending=[True, False, True])
    return frame.drop(columns="order").reset_index(drop=True)


def checks(run: TalentRun, unit_code: str) -> list[dict[str, Any]]:
    """Return what the targets of structure ask of a unit's committee, and what it has.

    Each tells label, hard, wanted, found, able (candidates of the unit for whom it holds), met, and why not.
    """
    rows = run.table("team_checks", unit_code=unit_code)
    return [{**row, "why": _why_missed(row)} for row in records(rows[rows["target"] != SEATS])]


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
    return records(city.sort_values(["city", "rule"], ascending=[False, True], kind="stable"))
