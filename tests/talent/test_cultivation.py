"""Cultivation: gaps that add up, states of plans by date, who is proposed what, and by which mentor."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from huanjie_lib.parameters import StepRule, load_parameters
from huanjie_lib.talent.cultivation import AGAIN_AFTER_DAYS, best_aims, cultivation, raised
from huanjie_lib.talent.eligibility import Eligibility
from huanjie_lib.talent.portrait import ASPECTS, Portraits
from huanjie_lib.talent.top_k import scores
from huanjie_lib.vocabulary import CultivationStep, PortraitAspect, PostKind

AS_OF = dt.date(2026, 10, 31)
SHIPPED = load_parameters().talent
assert SHIPPED is not None
AFFAIRS, SHADOWING, URGENT = SHIPPED.steps
K = len(ASPECTS)


def portrayed(mean: Any, low: Any = None, high: Any = None) -> Portraits:
    """Portraits of P0, P1, … with the given ends; the mean where there are none."""
    values = np.atleast_2d(np.asarray(mean, dtype=np.float64))
    lower, upper = (values if ends is None else np.atleast_2d(ends) for ends in (low, high))
    refs = np.array([f"P{number}" for number in range(len(values))], dtype=object)
    known = 1 - (upper - lower) / 100
    none = pd.DataFrame()
    return Portraits(refs, ASPECTS, lower, values, upper, known, none, none, AS_OF, "test")


def row(plan: str, ref: str = "P0", **changes: Any) -> dict[str, Any]:
    plain = {"plan_id": plan, "person_ref": ref, "step": "affairs", "aspect": "finance", "mentor_ref": "M1"}
    dates = {"start_on": dt.date(2026, 6, 1), "due_on": dt.date(2026, 12, 1), "done_on": None}
    return plain | dates | {"result": None} | changes


def plans(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(row("")))
    words = dict.fromkeys(("plan_id", "person_ref", "step", "aspect", "mentor_ref"), "str")
    dates = dict.fromkeys(("start_on", "due_on", "done_on"), "datetime64[us]")
    return frame.astype(words | dates | {"result": "float64"})


def aimed(**profiles: str) -> pd.DataFrame:
    frame = pd.DataFrame({"person_ref": list(profiles), "profile": list(profiles.values())})
    return frame.astype("str")


def weights_of(profile: str) -> np.ndarray:
    assert SHIPPED is not None
    found = next(p for p in SHIPPED.profiles if p.id == profile)
    return np.array([found.weights.get(aspect, 0.0) for aspect in ASPECTS])


@given(arrays(np.float64, (3, K), elements=st.floats(0, 100)), st.sampled_from(["member", "supervision"]))
@settings(max_examples=30)
def test_a_gap_is_exactly_what_the_fit_lacks(drawn: np.ndarray, profile: str) -> None:
    assert SHIPPED is not None
    low, mean, high = np.sort(drawn, axis=0)
    found = cultivation(portrayed(mean, low, high), plans(), aimed(P0=profile), SHIPPED, as_of=AS_OF).gaps
    fits = {name: scores(values, weights_of(profile)) for name, values in (("mean", mean), ("high", high))}
    assert found["lost"].sum() == pytest.approx(100 - fits["mean"], abs=1e-8)
    assert found["shown"].sum() == pytest.approx(100 - fits["high"], abs=1e-8)
    np.testing.assert_allclose(found["lost"], found["shown"] + found["unknown"], atol=1e-9)
    assert (found[["lost", "shown", "unknown"]] >= 0).all(axis=None)
    assert (found["weight"] > 0).all()


@pytest.mark.parametrize(
    ("changes", "state", "late", "text"),
    [
        ({"start_on": dt.date(2026, 11, 1)}, "planned", None, "村级事务未开始"),
        ({}, "running", 0, "村级事务进行中，2026年12月1日到期"),
        ({"due_on": AS_OF}, "running", 0, "村级事务进行中，2026年10月31日到期"),
        ({"due_on": dt.date(2026, 10, 30)}, "overdue", 1, "村级事务逾期1天（2026年10月30日到期）"),
        ({"due_on": None}, "undated", None, "村级事务进行中（未填期限）"),
        ({"done_on": dt.date(2026, 10, 1), "result": 80}, "done", 0, "村级事务已完成"),
        (
            {"done_on": AS_OF, "due_on": dt.date(2026, 10, 1), "result": 80},
            "done",
            30,
            "村级事务已完成，晚30天",
        ),
        ({"done_on": AS_OF, "due_on": None, "result": 80}, "done", None, "村级事务已完成"),
        ({"done_on": dt.date(2026, 11, 1), "result": 80}, "running", 0, "村级事务进行中，2026年12月1日到期"),
    ],
)
def test_states_of_a_plan(changes: dict[str, Any], state: str, late: int | None, text: str) -> None:
    assert SHIPPED is not None
    found = cultivation(
        portrayed(np.zeros(K)), plans(row("T1", **changes)), aimed(), SHIPPED, as_of=AS_OF
    ).steps
    assert found["state"].tolist() == [state]
    assert found["text"].tolist() == [text]
    assert (None if pd.isna(found["days_late"][0]) else found["days_late"][0]) == late
    assert found["result"].notna().tolist() == [state == "done"]
    assert found["done_on"].notna().tolist() == [state == "done"]


def test_progress_counts_every_state_and_what_was_due() -> None:
    assert SHIPPED is not None
    found = cultivation(
        portrayed(np.zeros(K)),
        plans(
            row("T1", done_on=dt.date(2026, 9, 1)),
            row("T2", due_on=dt.date(2026, 9, 1), done_on=dt.date(2026, 10, 1)),
            row("T3", due_on=dt.date(2026, 9, 1)),
            row("T4"),
            row("T5", due_on=None, done_on=dt.date(2026, 10, 1)),
            row("T6", step="urgent"),
        ),
        aimed(),
        SHIPPED,
        as_of=AS_OF,
    )
    progress = found.progress.set_index("step")
    assert progress.loc["affairs", ["running", "overdue", "done", "done_late"]].tolist() == [1, 1, 3, 1]
    assert progress.loc["affairs", "share_in_time"] == pytest.approx(1 / 3)
    assert np.isnan(progress.loc["urgent", "share_in_time"])
    assert progress.loc["", "done"] == progress["done"].iloc[:-1].sum()
    assert repr(found).startswith("Cultivation(running=2, overdue=1, done=3, as_of=2026-10-31")


@given(arrays(np.float64, K, elements=st.floats(0, 100)), st.sampled_from(["member", "deputy"]))
@settings(max_examples=30)
def test_the_proposal_is_the_step_that_gains_most(mean: np.ndarray, profile: str) -> None:
    assert SHIPPED is not None
    found = cultivation(portrayed(mean), plans(), aimed(P0=profile), SHIPPED, as_of=AS_OF).steps
    before = scores(mean, weights_of(profile))
    gains = [float(scores(raised(mean, rule), weights_of(profile)) - before) for rule in SHIPPED.steps]
    if max(gains) <= 0:
        assert found.empty
        return
    best = SHIPPED.steps[gains.index(max(gains))]
    assert found["step"].tolist() == [best.step.value]
    assert found["gain"].item() == max(gains)
    assert found["state"].tolist() == ["waiting"]  # nobody has mentored anyone yet
    assert found["start_on"].isna().all()
    assert f"{best.step.label}{best.days}天" in found["text"].item()
    assert "暂无空闲导师" in found["text"].item()


def test_nobody_is_raised_beyond_the_scale() -> None:
    assert SHIPPED is not None
    assert raised(np.full(K, 100.0), AFFAIRS).tolist() == [100.0] * K
    assert cultivation(
        portrayed(np.full(K, 100.0)), plans(), aimed(P0="member"), SHIPPED, as_of=AS_OF
    ).steps.empty


def test_who_is_busy_gets_nothing_new_and_no_step_comes_twice_a_year() -> None:
    assert SHIPPED is not None
    edge = AS_OF - dt.timedelta(AGAIN_AFTER_DAYS)
    found = cultivation(
        portrayed(np.full((4, K), 50.0)),
        plans(
            row("T1", "P0", due_on=dt.date(2026, 8, 1)),  # overdue: still busy
            row("T2", "P1", step="urgent", start_on=edge, done_on=edge + dt.timedelta(1)),
            row("T3", "P2", step="urgent", start_on=edge, done_on=edge),
        ),
        aimed(P0="member", P1="member", P2="member", P3="member"),
        SHIPPED,
        as_of=AS_OF,
    )
    proposed = found.steps[found.steps["plan_id"] == ""].set_index("person_ref")["step"].to_dict()
    assert proposed.keys() == {"P1", "P2", "P3"}
    assert proposed["P2"] == proposed["P3"] == "urgent"
    assert proposed["P1"] != "urgent"


def test_mentors_lead_no_more_than_the_pack_lets_them() -> None:
    assert SHIPPED is not None
    urgent = URGENT.model_copy(update={"per_mentor": 2})
    pack = SHIPPED.model_copy(update={"steps": (urgent,)})
    mean = np.full((5, K), 50.0)
    mean[2] = 60.0  # the same rise is worth the same below the end of the scale
    mean[3, ASPECTS.index(PortraitAspect.EMERGENCY)] = 95.0  # worth less here
    found = cultivation(
        portrayed(mean),
        plans(
            row("T1", "P8", mentor_ref="M1"),
            row("T2", "P9", mentor_ref="M2", done_on=dt.date(2026, 9, 1)),
            row("T3", "P7", mentor_ref=None),
        ),
        aimed(P4="member", P3="member", P2="member", P1="member", P0="member"),
        pack,
        as_of=AS_OF,
    )
    proposed = found.steps[found.steps["plan_id"] == ""].set_index("person_ref")
    # M2 has nobody, M1 one: the first goes to M2, then both have one, then all are full
    assert proposed["mentor_ref"].fillna("").to_dict() == {
        "P0": "M2",
        "P1": "M1",
        "P2": "M2",
        "P3": "",
        "P4": "",
    }
    assert proposed["state"].to_dict()["P2"] == "proposed"
    assert proposed["state"].to_dict()["P4"] == "waiting"
    assert proposed["gain"]["P3"] < proposed["gain"]["P4"]
    begun = proposed[proposed["state"] == "proposed"]
    assert (begun["start_on"] == pd.Timestamp(2026, 11, 1)).all()
    assert ((begun["due_on"] - begun["start_on"]).dt.days == urgent.days).all()


def test_a_person_explains_gap_plans_and_proposal() -> None:
    assert SHIPPED is not None
    mean = np.full((2, K), 50.0)
    high = np.full((2, K), 100.0)
    mean[0, 0] = high[0, 0] = 40.0
    found = cultivation(
        portrayed(mean, mean * 0, high),
        plans(row("T1", "P1"), row("T2", "P9")),
        aimed(P0="supervision", P1="member"),
        SHIPPED,
        as_of=AS_OF,
    )
    assert found.explain("P0").startswith(
        "距监委会成员的要求差53.0分，其中18.0分有依据，35.0分尚无依据、先核实；"
        "有依据的差距最大的是财务管理（18.0分）。建议跟班学习90天，预计提高法治思维、财务管理，"
    )
    assert found.explain("P1") == (
        "距委员的要求差50.0分，其中0.0分有依据，50.0分尚无依据、先核实。村级事务进行中，2026年12月1日到期。"
    )
    assert found.explain("P9") == "村级事务进行中，2026年12月1日到期。"
    assert found.to_frame().equals(found.steps)
    with pytest.raises(KeyError):
        found.explain("P2")


def test_rows_in_any_order_give_the_same_bytes() -> None:
    assert SHIPPED is not None
    rows = [row(f"T{n}", f"P{n % 3}", mentor_ref=f"M{n % 2}", done_on=dt.date(2025, 1, 1)) for n in range(6)]
    who = aimed(P0="member", P1="deputy", P2="supervision")
    portraits = portrayed(np.arange(3 * K).reshape(3, K) % 60)
    found = cultivation(portraits, plans(*rows), who, SHIPPED, as_of=AS_OF)
    again = cultivation(portraits, plans(*rows[::-1]), who[::-1], SHIPPED, as_of=AS_OF)
    for name in ("gaps", "steps", "progress"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name))


def test_aims_that_cannot_be_are_refused() -> None:
    assert SHIPPED is not None
    twice = pd.concat([aimed(P0="member"), aimed(P0="deputy")])
    with pytest.raises(ValueError, match="more than one"):
        cultivation(portrayed(np.zeros(K)), plans(), twice, SHIPPED, as_of=AS_OF)
    for wrong in (aimed(P7="member"), aimed(P0="mayor")):
        with pytest.raises(KeyError):
            cultivation(portrayed(np.zeros(K)), plans(), wrong, SHIPPED, as_of=AS_OF)


def verdicts(**status: str) -> Eligibility:
    """The same verdict on a person for every post, but for the secretary, which nobody may be."""
    frame = pd.DataFrame({post.value: status for post in PostKind}).assign(secretary="fail")
    empty = pd.Series(pd.NaT, index=frame.index)
    return Eligibility(pd.DataFrame(), frame.rename_axis("person_ref"), empty, AS_OF, "test")


def test_an_aim_is_the_best_profile_that_nothing_refuses() -> None:
    assert SHIPPED is not None
    mean = np.full((5, K), 50.0)
    mean[:, ASPECTS.index(PortraitAspect.DIGITAL)] = 90.0  # a director of a community needs it most
    kinds = pd.Series({"P0": "community", "P1": "village", "P2": np.nan, "P3": "community"}, dtype="str")
    found = best_aims(
        portrayed(mean), kinds, verdicts(P0="pass", P1="unknown", P2="pass", P3="fail"), SHIPPED
    )
    assert found["person_ref"].tolist() == ["P0", "P1", "P2"]  # P4 was not judged
    weights = {
        profile.id: weights_of(profile.id)[ASPECTS.index(PortraitAspect.DIGITAL)]
        for profile in SHIPPED.profiles
    }
    assert weights["director_community"] == weights["member"] == 0.15
    assert found["profile"].tolist() == ["director_community", "member", "director_community"]
    assert found["fit"].tolist() == pytest.approx([56.0] * 3)


def test_a_pack_without_steps_proposes_nothing() -> None:
    assert SHIPPED is not None
    bare = SHIPPED.model_copy(update={"steps": ()})
    found = cultivation(portrayed(np.zeros(K)), plans(), aimed(P0="member"), bare, as_of=AS_OF)
    assert found.steps.empty
    assert len(found.gaps) > 0


def test_equal_gains_go_to_the_first_step_of_the_pack() -> None:
    assert SHIPPED is not None
    same = {PortraitAspect.LAW: 5.0}
    rules = tuple(StepRule(step=step, days=30, rise=same, per_mentor=1) for step in reversed(CultivationStep))
    pack = SHIPPED.model_copy(update={"steps": rules})
    found = cultivation(portrayed(np.zeros(K)), plans(), aimed(P0="supervision"), pack, as_of=AS_OF)
    assert found.steps["step"].tolist() == ["urgent"]
