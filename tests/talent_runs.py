"""A talent run small enough to check by hand: six people, three units, four posts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.talent_folder import TalentRun, read_talent, write_talent
from huanjie_lib.vocabulary import PortraitAspect

AS_OF = dt.date(2026, 10, 31)
KEYS = KeyRing.from_seed(1)
CLOUD, HOSTILE, BRIDGE = "990101101201", "990101101202", "990101102201"
HOSTILE_NAME = "<img src=x onerror=alert(1)>"
NAMES = {
    "PAAAAAAAAAAAAAAZ1": "张小三",
    "PBBBBBBBBBBBBBBZ2": "李四",
    "PCCCCCCCCCCCCCCZ3": "欧阳明珠",
    "PDDDDDDDDDDDDDDZ4": "张大三",
    "PEEEEEEEEEEEEEEZ5": "赵钱孙",
    "PFFFFFFFFFFFFFFZ6": "周吴郑",
}
ZHANG, LI, OUYANG, ZHANG_TOO, ZHAO, ZHOU = NAMES
NUMBERS = [f"99010119900307{n:03d}X" for n in range(1, 7)]
POSTS = [
    # unit, post, seats, eligible, wanted, listed
    (CLOUD, "director", 1, 4, 2, 2),
    (CLOUD, "supervision", 1, 4, 2, 2),
    (HOSTILE, "director", 1, 4, 2, 1),
    (BRIDGE, "secretary", 1, 0, 2, 0),
]
WEIGHTS = {
    "director": {"industry": 0.5, "finance": 0.3, "reputation": 0.2},
    "supervision": {"finance": 0.6, "law": 0.4},
    "secretary": {"organising": 1.0},
}
MEANS = {ZHANG: (60.0, 80.0), LI: (55.0, 70.0), OUYANG: (70.0, 50.0), ZHANG_TOO: (40.0, 45.0)}
"""Industry and finance of the people who are on lists; everything else of everybody is 50."""


REASONS = "财务管理80.0分，低于61.2分将退出前2名；产业发展60.0分，低于42.0分将退出前2名"


def talent_run() -> TalentRun:
    """Return the run, its tables in memory."""
    portraits = _portraits()
    shortlists = _shortlists(portraits)
    first = shortlists[shortlists["rank"] <= 2]
    lists = first[~((first["unit_code"] == HOSTILE) & (first["rank"] == 2))]
    frames = {
        "units": pd.DataFrame(
            [
                (CLOUD, "上云村", "village", "990101101", "云溪镇"),
                (HOSTILE, HOSTILE_NAME, "village", "990101101", "云溪镇"),
                (BRIDGE, "石桥村", "village", "990101102", "石桥镇"),
            ],
            columns=["unit_code", "unit_name", "unit_kind", "township_code", "township_name"],
        ),
        "people": _people(),
        "quota": pd.DataFrame(
            [(CLOUD, 3, 1, 2, 0, 0), (HOSTILE, 2, 1, 2, 0, 1), (BRIDGE, 1, 0, 2, 1, 1)],
            columns=["unit_code", "reserve", "stale", "wanted", "gap", "gap_if_stale_left"],
        ),
        "structure": pd.DataFrame(
            [
                ("source", "graduate", "大学毕业生", 4),
                ("source", "veteran", "退役军人", 2),
                ("source", "other", "其他", 0),
            ],
            columns=["kind", "value", "label", "people"],
        ),
        "eligibility": pd.DataFrame(
            [
                (
                    ZHAO,
                    "",
                    "bar_criminal",
                    "受过刑事处罚",
                    "fail",
                    "联审意见不同意：受过刑事处罚",
                    dt.date(2026, 5, 8),
                    None,
                ),
                (ZHOU, "", "review_departments", "部门联审", "unknown", "审计没有出具意见", None, None),
                (
                    ZHANG,
                    "secretary",
                    "post_full_member",
                    "须为正式党员的岗位",
                    "fail",
                    "政治面貌为群众",
                    None,
                    None,
                ),
                (
                    LI,
                    "",
                    "bar_discipline",
                    "党纪政务处分",
                    "unknown",
                    "处分期未满",
                    dt.date(2026, 5, 8),
                    dt.date(2027, 3, 1),
                ),
            ],
            columns=["person_ref", "post", "rule", "label", "status", "reason", "checked_on", "expires_on"],
        ).assign(
            version="2026-01-01",
            source="村民委员会组织法",
            checked_on=lambda t: pd.to_datetime(t["checked_on"]),
            expires_on=lambda t: pd.to_datetime(t["expires_on"]),
            unit_code=None,
        ),
        "eligible": _eligible(),
        "portraits": portraits,
        "evidence": pd.DataFrame(
            [
                (ZHANG, "finance", "appraisal", 2025, 82.0, pd.Timestamp("2025-12-20"), "年度考核〔2025〕"),
                (ZHANG, "industry", "record", 2024, 60.0, pd.Timestamp("2024-06-01"), None),
                (LI, "industry", "record", 2025, 55.0, pd.Timestamp("2025-03-01"), "实绩材料〔2025〕"),
            ],
            columns=["person_ref", "aspect", "kind", "year", "rating", "dated_on", "document"],
        ),
        "tasks": pd.DataFrame(
            [
                (ZHANG, "finance", "appraisal", 2025, 30.0, "补充2025年财务管理的年度考核"),
                (ZHANG, "law", "training", 2026, 40.0, "补充2026年法治思维的培训考核"),
                (LI, "industry", "record", 2026, 12.0, "补充2026年产业发展的实绩材料"),
            ],
            columns=["person_ref", "aspect", "kind", "year", "gain", "text"],
        ),
        **_trials(),
        "cultivation": _cultivation(),
        "standing": pd.DataFrame(
            [
                (
                    CLOUD,
                    "director",
                    LI,
                    "affairs",
                    2,
                    1,
                    58.5,
                    64.0,
                    "完成村级事务（180天）预计由第2名升至第1名",
                )
            ],
            columns=[
                *("unit_code", "post", "person_ref", "step", "rank", "rank_after", "fit", "fit_after", "text")
            ],
        ),
        "posts": pd.DataFrame(
            POSTS, columns=["unit_code", "post", "seats", "eligible", "wanted", "listed"]
        ).assign(profile="x", lacking=lambda t: t["wanted"] - t["listed"]),
        "weights": _weights(),
        "shortlists": shortlists,
        "lists": lists[["unit_code", "post", "person_ref", "fit"]].reset_index(drop=True),
        **_teams(),
        **_proof(),
    }
    return TalentRun(AS_OF, load_parameters(), frames, {})


def replaced(run: TalentRun, **frames: pd.DataFrame) -> TalentRun:
    """Return a run with other tables and an empty manifest."""
    return TalentRun(run.as_of, run.parameters, {**run.frames, **frames}, {})


def talent_folder(out: Path) -> TalentRun:
    """Write the run, its names sealed under :data:`KEYS`, and return it as read back."""
    identities = pd.DataFrame(
        {
            "person_ref": list(NAMES),
            "name_sealed": [KEYS.seal(name, "name", ref) for ref, name in NAMES.items()],
            "id_sealed": [KEYS.seal(n, "id_number", r) for r, n in zip(NAMES, NUMBERS, strict=True)],
        }
    )
    write_talent(talent_run(), out, identities=identities, inputs=[], code_version="0", risk_run=None)
    return read_talent(out)


def _people() -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            (ZHANG, CLOUD, "selected", "13", 1990, False, 30),
            (LI, CLOUD, "cultivating", "01", 1985, True, 400),
            (OUYANG, HOSTILE, "trial", "01", 1999, False, 60),
            (ZHANG_TOO, None, "selected", "03", 2000, False, 10),
            (ZHAO, BRIDGE, "selected", "13", 1970, False, 5),
            (ZHOU, HOSTILE, "left", None, None, True, 900),
        ],
        columns=["person_ref", "unit_code", "status", "affiliation", "birth_year", "stale", "stale_days"],
    )
    dates = pd.Timestamp(AS_OF) - pd.to_timedelta(frame["stale_days"], unit="D")
    return frame.assign(
        channel="masses", source="graduate", education="21", registered_on=dates, updated_on=dates
    ).astype({"birth_year": "Int64"})


def _eligible() -> pd.DataFrame:
    verdicts = {ZHAO: "fail", ZHOU: "unknown"}
    rows = [
        (ref, post, "fail" if (ref, post) == (ZHANG, "secretary") else verdicts.get(ref, "pass"))
        for ref in NAMES
        for post in ("secretary", "director", "supervision")
    ]
    return pd.DataFrame(rows, columns=["person_ref", "post", "status"])


def _portraits() -> pd.DataFrame:
    rows = []
    for ref in NAMES:
        industry, finance = MEANS.get(ref, (50.0, 50.0))
        for aspect in PortraitAspect:
            mean = {"industry": industry, "finance": finance}.get(aspect.value, 50.0)
            half = 5.0 if aspect.value in ("industry", "finance") and ref in MEANS else 50.0
            rows.append(
                (ref, aspect.value, max(mean - half, 0.0), mean, min(mean + half, 100.0), 1 - half / 50)
            )
    return pd.DataFrame(rows, columns=["person_ref", "aspect", "low", "mean", "high", "known"])


def _weights() -> pd.DataFrame:
    rows = [
        (
            unit,
            post,
            aspect.value,
            WEIGHTS[post].get(aspect.value, 0.0),
            2.0 if aspect.value == "finance" else 1.0,
        )
        for unit, post, *_ in POSTS
        for aspect in PortraitAspect
    ]
    return pd.DataFrame(rows, columns=["unit_code", "post", "aspect", "weight", "tilt"])


def _shortlists(portraits: pd.DataFrame) -> pd.DataFrame:
    ends = portraits.pivot(index="person_ref", columns="aspect", values=["low", "mean", "high"])
    rows = []
    for unit, post, _, eligible, *_ in POSTS:
        if not eligible:
            continue
        fits = {
            end: sum(weight * ends[end][aspect] for aspect, weight in WEIGHTS[post].items())
            for end in ("low", "mean", "high")
        }
        order = fits["mean"].loc[list(MEANS)].sort_values(ascending=False, kind="stable")
        for rank, ref in enumerate(order.index, start=1):
            against = "产业发展达到75.0分可升至第1名；财务管理把握不足，须先核实" if rank > 1 else ""
            found = (fits[end][ref] for end in ("mean", "low", "high"))
            rows.append((unit, post, rank, ref, *found, 0.9 / rank, REASONS, against))
    columns = ["unit_code", "post", "rank", "person_ref", "fit", "fit_low", "fit_high", "p_top"]
    return pd.DataFrame(rows, columns=[*columns, "reasons", "counter_reasons"])


def _trials() -> dict[str, pd.DataFrame]:
    people = pd.DataFrame(
        [
            (OUYANG, 1, 80.0, 70.0, 74.0, 3.0, False, 0.8, 1),
            (ZHANG, 1, 60.0, 62.0, 61.0, 3.0, False, -0.3, 0),
            (LI, 2, 95.0, 60.0, 74.0, 3.0, True, 4.0, 0),
        ],
        columns=[
            *("person_ref", "group", "online", "offline", "fused", "sd", "divergence", "divergence_z"),
            "dropped_kin",
        ],
    )
    people = people.assign(
        low=people["fused"] - 5,
        high=people["fused"] + 5,
        ratings=9,
        raters=8,
        trend=float("nan"),
        trend_sd=0.0,
    )
    races = pd.DataFrame(
        [
            (1, "G1", OUYANG, 74.0, 1, 1, 1, 2),
            (1, "G1", ZHANG, 61.0, 2, 2, 2, 2),
            (2, "G2", LI, 74.0, 1, 1, 1, 1),
        ],
        columns=["group", "group_ref", "person_ref", "fused", "band", "rank_low", "rank_high", "size"],
    )
    raters = pd.DataFrame(
        [("R1", "online", 3.0, 1.0, 4)], columns=["rater_ref", "channel", "severity", "sd", "ratings"]
    )
    return {"trials": people, "raters": raters, "races": races}


def _cultivation() -> pd.DataFrame:
    rows = [
        (
            "T1",
            LI,
            "overdue",
            "affairs",
            "finance",
            "M1",
            "2026-01-01",
            "2026-06-30",
            None,
            123,
            "村级事务逾期123天",
        ),
        (
            "T2",
            ZHANG,
            "done",
            "shadowing",
            "law",
            None,
            "2026-02-01",
            "2026-05-01",
            "2026-04-30",
            0,
            "跟班学习已完成",
        ),
        (
            "",
            ZHANG_TOO,
            "proposed",
            "urgent",
            "emergency",
            "M2",
            "2026-11-01",
            "2026-12-31",
            None,
            None,
            "建议急难险重60天",
        ),
    ]
    columns = [
        "plan_id",
        "person_ref",
        "state",
        "step",
        "aspect",
        "mentor_ref",
        "start_on",
        "due_on",
        "done_on",
    ]
    frame = pd.DataFrame(rows, columns=[*columns, "days_late", "text"])
    dates = {name: pd.to_datetime(frame[name]) for name in ("start_on", "due_on", "done_on")}
    return frame.assign(
        **dates,
        result=[float("nan"), 80.0, float("nan")],
        gain=[float("nan"), float("nan"), 4.3],
        profile=None,
        days_late=frame["days_late"].astype("Int64"),
    )


def _teams() -> dict[str, pd.DataFrame]:
    return {
        "teams": pd.DataFrame(
            [(CLOUD, "director", ZHANG, 64.0), (CLOUD, "supervision", LI, 62.0)],
            columns=["unit_code", "post", "person_ref", "fit"],
        ),
        "team_checks": pd.DataFrame(
            [
                (CLOUD, "women", "至少一名妇女成员", True, 1, 1, 2, True),
                (CLOUD, "young", "至少一名35岁以下成员", False, 1, 0, 1, False),
                (CLOUD, "seats", "职位配齐", False, 2, 2, 4, True),
                (HOSTILE, "women", "至少一名妇女成员", True, 1, 0, 0, False),
                (HOSTILE, "young", "至少一名35岁以下成员", False, 1, 0, 0, False),
                (HOSTILE, "seats", "职位配齐", False, 1, 0, 4, False),
                (BRIDGE, "women", "至少一名妇女成员", True, 1, 0, 0, False),
                (BRIDGE, "young", "至少一名35岁以下成员", False, 1, 1, 1, True),
                (BRIDGE, "seats", "职位配齐", False, 1, 0, 0, False),
            ],
            columns=["unit_code", "target", "label", "hard", "wanted", "found", "able", "met"],
        ),
        "team_costs": pd.DataFrame(
            [
                (CLOUD, "women", "至少一名妇女成员", 3.5),
                (CLOUD, "young", "至少一名35岁以下成员", 2.0),
                (HOSTILE, "young", "至少一名35岁以下成员", 10.0),
            ],
            columns=["unit_code", "rule", "label", "cost"],
        ),
    }


def _proof() -> dict[str, pd.DataFrame]:
    checks = [
        ("", "repeat", 0, "pass", ""),
        ("people_protected.sex", "flip", 6, "pass", ""),
        ("people_protected.sex", "permute", 4, "pass", ""),
        ("people_protected.sex", "delete", 6, "pass", ""),
    ]
    return {
        "certificate": pd.DataFrame(checks, columns=["column", "change", "rows", "status", "found"]),
        "proxies": pd.DataFrame(
            [
                ("sex", "2", 6, 3, "logistic", 0.52, 0.41, 0.6, 0.4, "pass"),
                ("is_minority", "True", 6, 1, "", None, None, None, None, "unknown"),
            ],
            columns=[
                *("attribute", "value", "people", "having", "model", "auc", "low", "high", "p", "status"),
            ],
        ).astype({"auc": "float64", "low": "float64", "high": "float64"}),
        "impact": pd.DataFrame(
            [
                ("sex", "1", 30, 10, 1 / 3, 1.0, None, None, False),
                ("sex", "2", 30, 6, 0.2, 0.6, 0.3, 1.2, True),
            ],
            columns=["attribute", "value", "total", "chosen", "rate", "ratio", "low", "high", "flagged"],
        ).astype({"low": "float64", "high": "float64"}),
    }
