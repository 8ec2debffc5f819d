"""Portraits: the formula worked by hand, cells by date, gaps, refusals, tasks and sentences.

The laws that hold for any evidence are in ``tests/properties/test_portrait_properties.py``, what is left
after years in ``tests/oracles/test_half_life.py``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import EvidenceRule, TalentPack, load_parameters
from huanjie_lib.talent.portrait import ASPECTS, WHOLE, Portraits, _cells, portraits
from huanjie_lib.vocabulary import EvidenceKind, PortraitAspect

AS_OF = dt.date(2026, 10, 31)
SHIPPED = load_parameters().talent
assert SHIPPED is not None
FINANCE = ASPECTS.index(PortraitAspect.FINANCE)
LAW = ASPECTS.index(PortraitAspect.LAW)
TRIAL = ASPECTS.index(PortraitAspect.TRIAL)


def pack(*rules: dict[str, Any]) -> TalentPack:
    """A pack that expects of finance what the rules say and of all else a record of the current year."""
    assert SHIPPED is not None
    finance = [
        EvidenceRule.model_validate({"aspect": "finance", "half_life_years": 2.0, "horizon_years": 3} | rule)
        for rule in rules
    ]
    rest = [
        EvidenceRule(aspect=aspect, kind=EvidenceKind.RECORD, share=1.0, half_life_years=2.0, horizon_years=1)
        for aspect in ASPECTS
        if aspect not in (PortraitAspect.FINANCE, PortraitAspect.TRIAL)
    ]
    return SHIPPED.model_copy(update={"evidence": (*finance, *rest)})


APPRAISED = pack({"kind": "appraisal", "share": 1.0, "due": "after"})
MIXED = pack(
    {"kind": "appraisal", "share": 0.6, "due": "after"},
    {"kind": "training", "share": 0.4, "half_life_years": 3.0, "horizon_years": 2},
)


def items(*rows: tuple[Any, ...], ref: str = "P1", aspect: str = "finance") -> pd.DataFrame:
    """Evidence from (kind, year, rating, day)."""
    frame = pd.DataFrame(rows, columns=["kind", "year", "rating", "dated_on"])
    frame.insert(0, "person_ref", ref)
    frame.insert(1, "aspect", aspect)
    words = dict.fromkeys(("person_ref", "aspect", "kind"), "str")
    return frame.astype(words | {"year": "int64", "rating": "float64", "dated_on": "datetime64[us]"})


def portrayed(
    evidence: pd.DataFrame, by: TalentPack, *refs: str, trials: pd.DataFrame | None = None, **more: Any
) -> Portraits:
    people = pd.DataFrame({"person_ref": list(refs or ("P1",))}, dtype="str")
    return portraits(people, evidence, trials, by, **({"as_of": AS_OF} | more))


def test_the_formula_worked_by_hand() -> None:
    found = portrayed(
        items(("appraisal", 2025, 80, "2026-01-15"), ("appraisal", 2023, 50, "2023-12-01")), APPRAISED
    )
    left = [2 ** (-days / 365.25 / 2) for days in (304, 304 + 365, 304 + 365 + 366)]
    newest, _, oldest = (part / sum(left) for part in left)
    oldest *= 2 ** (-30 / 365.25 / 2)  # dated thirty days before its year ended
    unknown = 1 - newest - oldest
    low = 80 * newest + 50 * oldest
    expected = [low, low + 50 * unknown, low + 100 * unknown, 1 - unknown]
    assert [
        values[0, FINANCE] for values in (found.low, found.mean, found.high, found.known)
    ] == pytest.approx(expected, abs=1e-9)


def test_without_evidence_an_aspect_is_anything() -> None:
    found = portrayed(items(), MIXED)
    assert (found.low == 0).all()
    assert (found.high == 100).all()
    assert (found.mean == 50).all()
    assert (found.known == 0).all()
    seventy = portrayed(items(), MIXED.model_copy(update={"missing": 70.0}))
    assert (seventy.mean == 70).all()


def test_with_all_evidence_of_today_nothing_is_open() -> None:
    whole = pack({"kind": "record", "share": 1.0, "horizon_years": 1})
    found = portrayed(items(("record", 2026, 73.25, "2026-10-31")), whole)
    assert found.low[0, FINANCE] == found.mean[0, FINANCE] == found.high[0, FINANCE] == 73.25
    assert found.known[0, FINANCE] == 1.0


@pytest.mark.parametrize(
    ("kind", "year", "counts"),
    [
        ("appraisal", 2026, False),  # due after its year
        ("appraisal", 2025, True),
        ("appraisal", 2023, True),
        ("appraisal", 2022, False),
        ("training", 2027, False),
        ("training", 2026, True),
        ("training", 2025, True),
        ("training", 2024, False),
        ("review", 2025, False),  # not expected of this aspect
    ],
)
def test_years_that_count(kind: str, year: int, counts: bool) -> None:
    found = portrayed(items((kind, year, 90, "2026-10-01")), MIXED)
    assert bool(found.known[0, FINANCE] > 0) is counts
    reasons = found.unused["reason"].tolist()
    assert reasons == ([] if counts else ["不看这类证据" if kind == "review" else "年度不在计入范围"])


def test_each_kind_keeps_its_share_whatever_its_half_life() -> None:
    evidence = items(*(("training", year, 100, f"{year}-12-31") for year in (2025, 2026)))
    evidence.loc[1, "dated_on"] = pd.Timestamp(AS_OF)
    assert portrayed(evidence, MIXED).known[0, FINANCE] == pytest.approx(0.4, abs=1e-11)


def test_evidence_of_later_days_does_not_exist_yet() -> None:
    evidence = items(("training", 2026, 90, "2026-11-01"), ("training", 2025, 60, "2025-05-05"))
    known = evidence[1:]
    early, only = portrayed(evidence, MIXED), portrayed(known, MIXED)
    assert early.to_frame().equals(only.to_frame())
    assert early.tasks.equals(only.tasks)
    assert early.unused.equals(only.unused)
    late = portrayed(evidence, MIXED, as_of=dt.date(2026, 11, 1))
    assert late.known[0, FINANCE] > early.known[0, FINANCE]


def test_items_that_say_too_little_are_told_and_not_used() -> None:
    evidence = pd.concat(
        [
            items(("training", 2026, np.nan, "2026-05-01"), ("training", 2025, 80, None)),
            items(("review", 2025, 80, "2025-05-01"), aspect="trial"),
            items(("training", 2025, 80, "2025-05-01"), ref="P9"),
        ]
    )
    found = portrayed(evidence, MIXED)
    assert not found.known.any()
    assert found.unused[["aspect", "year", "reason"]].to_numpy().tolist() == [
        ["finance", 2025, "没有证据日期"],
        ["finance", 2026, "没有评分"],
        ["trial", 2025, "不看这类证据"],
    ]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (
            lambda: portrayed(items(("training", 2025, 101, "2025-05-01")), MIXED),
            "a rating lies outside 0 to 100",
        ),
        (
            lambda: portrayed(items(("training", 2025, -1, "2025-05-01")), MIXED),
            "a rating lies outside 0 to 100",
        ),
        (
            lambda: portrayed(
                items(*[("training", 2025, 80, day) for day in ("2025-05-01", "2025-06-01")]), MIXED
            ),
            "more than one item of a person, aspect, kind and year",
        ),
        (lambda: portrayed(items(), MIXED, "P1", "P1"), "a person has more than one row"),
        (
            lambda: portrayed(items(), MIXED, trials=trials(P1=(60, 50, 70))),
            "an interval does not hold its result",
        ),
        (
            lambda: portrayed(items(), MIXED, trials=pd.concat([trials(P1=(40, 50, 70))] * 2)),
            "a person has more than one result",
        ),
    ],
)
def test_what_cannot_be_is_refused(broken: Callable[[], Portraits], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        broken()


def trials(**results: tuple[float, float, float]) -> pd.DataFrame:
    """Quasi-post results: low, fused, high by person."""
    frame = pd.DataFrame.from_dict(results, orient="index", columns=["low", "fused", "high"], dtype="float64")
    return frame.rename_axis("person_ref").reset_index()


def test_quasi_post_results_come_with_their_interval() -> None:
    results = trials(P1=(62, 70, 78), P2=(90, 97, 104), P3=(np.nan, np.nan, np.nan), P9=(1, 2, 3))
    found = portrayed(items(), MIXED, "P4", "P3", "P2", "P1", trials=results)
    assert found.person_ref.tolist() == ["P1", "P2", "P3", "P4"]
    assert found.low[:, TRIAL].tolist() == [62, 90, 0, 0]
    assert found.mean[:, TRIAL].tolist() == [70, 97, 50, 50]
    assert found.high[:, TRIAL].tolist() == [78, 100, 100, 100]
    assert found.known[:, TRIAL] == pytest.approx([0.84, 0.9, 0, 0])
    assert not found.known[:, :TRIAL].any()


def test_capacities_of_an_aspect_are_the_whole_of_it() -> None:
    assert SHIPPED is not None
    for as_of in (dt.date(2026, 1, 1), AS_OF, dt.date(2028, 2, 29), dt.date(2026, 12, 31)):
        cells = _cells(SHIPPED.evidence, as_of)
        sums = np.bincount(cells.aspect, cells.capacity)
        assert sums.tolist() == [WHOLE] * (len(ASPECTS) - 1)
        assert (cells.capacity > 0).all()


def test_the_task_is_the_empty_cell_that_narrows_most() -> None:
    evidence = items(("appraisal", 2025, 80, "2026-01-15"))
    before = portrayed(evidence, MIXED)
    tasks = before.tasks[before.tasks["aspect"] == "finance"]
    assert tasks[["kind", "year", "text"]].to_numpy().tolist() == [
        ["training", 2026, "补充2026年财务管理的培训考核"]
    ]
    done = portrayed(pd.concat([evidence, items(("training", 2026, 60, "2026-10-31"))]), MIXED)
    narrower = (before.high - before.low - (done.high - done.low))[0, FINANCE]
    assert tasks["gain"].item() == pytest.approx(narrower, abs=1e-9)
    left = done.tasks[done.tasks["aspect"] == "finance"]
    assert left["year"].tolist() == [2024]
    assert left["kind"].tolist() == ["appraisal"]
    assert "finance" not in portrayed(evidence, MIXED, least_gain=25.0).tasks["aspect"].tolist()
    assert portrayed(evidence, MIXED, least_gain=None).tasks.empty


def test_tasks_of_a_person_come_largest_first() -> None:
    assert SHIPPED is not None
    found = portraits(pd.DataFrame({"person_ref": ["P2", "P1"]}), items(), None, SHIPPED, as_of=AS_OF)
    assert found.tasks["person_ref"].is_monotonic_increasing
    for _, mine in found.tasks.groupby("person_ref"):
        assert mine["gain"].is_monotonic_decreasing
        assert mine["aspect"].tolist()[0] == "reputation"
        assert mine["aspect"].is_unique


def test_a_portrait_explains_itself() -> None:
    evidence = pd.concat(
        [
            items(("appraisal", 2025, 80, "2026-01-15")),
            items(("record", 2026, 90, "2026-10-31"), aspect="law"),
        ]
    )
    found = portrayed(evidence, MIXED)
    text = found.explain("P1")
    assert text.startswith("法治思维90.0分（90.0至90.0分，有依据的占100%）；财务管理")
    assert "；数字化手段、" in text
    assert "准岗表现没有依据，按0至100分看。先补充2026年数字化手段的实绩材料，区间可收窄100分。" in text
    assert repr(found) == "Portraits(people=1, known=11%, as_of=2026-10-31, parameters='default@2026.1')"
    for unknown in ("P0", "P2"):
        with pytest.raises(KeyError):
            found.explain(unknown)
    frame = found.to_frame()
    assert frame.columns.tolist() == ["person_ref", "aspect", "low", "mean", "high", "known"]
    assert frame.loc[LAW, "mean"] == 90.0
    with pytest.raises(ValueError, match="read-only"):
        found.low[0, 0] = 1.0


def test_nobody_is_portrayed_from_no_people() -> None:
    assert SHIPPED is not None
    nobody = pd.DataFrame({"person_ref": pd.Series(dtype="str")})
    found = portraits(nobody, items(("training", 2025, 80, "2025-05-01")), None, SHIPPED, as_of=AS_OF)
    assert found.low.shape == (0, len(ASPECTS))
    assert found.to_frame().empty
    assert repr(found).startswith("Portraits(people=0, known=0%")
