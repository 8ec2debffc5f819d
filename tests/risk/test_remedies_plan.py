import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from huanjie_lib.errors import ParameterError
from huanjie_lib.risk.remedies import Remedies
from huanjie_lib.risk.remedies_plan import RemedyPlan, plan_remedies


def remedies(cost: list[float], index: list[float] | None = None, days: list[int] | None = None) -> Remedies:
    """Paths of red units that all can be lifted."""
    n = len(cost)
    units = pd.DataFrame(
        {
            "level": "red",
            "target": "yellow",
            "index": [30.0 + i for i in range(n)] if index is None else index,
            "reachable": True,
            "cost": cost,
            "days": [max(1, int(np.ceil(c))) for c in cost] if days is None else days,
        },
        index=[f"u{i:03d}" for i in range(n)],
    )
    none = pd.DataFrame()
    return Remedies(units, none, none, none, within_days=None, as_of=None, version="v")


def chosen(plan: RemedyPlan) -> list[str]:
    return plan.units.index[plan.units["status"] == "chosen"].tolist()


COSTS = st.integers(1, 60).map(lambda tenths: tenths / 10)
CHANCES = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.5, 1.0])


@given(st.lists(st.tuples(COSTS, CHANCES), min_size=1, max_size=7), st.integers(1, 4), st.booleans())
def test_the_plan_is_the_best_of_all_choices_and_ties_go_to_the_lowest_index(
    pairs: list[tuple[float, float]], groups: int, by_hits: bool
) -> None:
    cost, odds = [c for c, _ in pairs], [p for _, p in pairs]
    found = remedies(cost, days=[1] * len(cost))
    chance = pd.Series(odds, index=found.units.index)
    objective = "expected_hits" if by_hits else "lifted"
    plan = plan_remedies(found, groups=groups, days=3, chance=chance, objective=objective)
    worth = [round(p * 1e6) if by_hits else 1 for p in odds]
    tenths = [round(10 * c) for c in cost]
    best = max(
        (pick for pick in itertools.product((1, 0), repeat=len(cost))
         if sum(t * x for t, x in zip(tenths, pick, strict=True)) <= groups * 30),
        key=lambda pick: (
            sum(w * x for w, x in zip(worth, pick, strict=True)),
            -sum(t * x for t, x in zip(tenths, pick, strict=True)),
            pick,
        ),
    )  # fmt: skip
    assert chosen(plan) == [code for code, x in zip(found.units.index, best, strict=True) if x]
    assert plan.gap == 0
    assert plan.comparison.loc["optimum", "team_days"] <= groups * 3 + 1e-9


@settings(max_examples=40)
@given(
    st.lists(st.tuples(COSTS, CHANCES), min_size=1, max_size=30), st.integers(1, 10), st.integers(2, 9),
    st.sampled_from(["lifted", "expected_hits"]),
)  # fmt: skip
def test_more_capacity_never_reaches_less_and_no_habit_beats_the_plan(
    pairs: list[tuple[float, float]], groups: int, days: int, objective: str
) -> None:
    found = remedies([c for c, _ in pairs])
    chance = pd.Series([p for _, p in pairs], index=found.units.index)
    plans = [
        plan_remedies(found, groups=g, days=d, chance=chance, objective=objective)
        for g, d in ((groups, days), (groups + 1, days), (groups, days + 1))
    ]
    assert plans[0].worth <= plans[1].worth
    assert plans[0].worth <= plans[2].worth
    reached = plans[0].comparison[objective]
    assert reached["optimum"] >= reached.max() - 1e-9
    curve = plans[0].curve.pivot(index="team_days", columns="strategy", values="worth")
    assert curve["optimum"].is_monotonic_increasing
    assert (curve["optimum"] >= curve.max(axis=1) - 1e-9).all()
    assert curve["optimum"].iloc[-1] == pytest.approx(plans[0].worth)


def test_a_city_agrees_with_a_milp() -> None:
    rng = np.random.default_rng(11)
    cost = np.ceil(10 * rng.gamma(1.5, 6.0, 400)) / 10
    odds = (rng.beta(0.5, 4.0, 400) * np.minimum(1, cost / 12)).round(6)  # dear units are worth more
    found = remedies(cost.tolist(), index=rng.uniform(10, 60, 400).round(1).tolist(), days=[1] * 400)
    chance = pd.Series(odds, index=found.units.index)
    plan = plan_remedies(found, groups=20, days=22, chance=chance, objective="expected_hits")
    best = milp(
        -odds, constraints=LinearConstraint(10 * cost[None, :], -np.inf, 4400), integrality=np.ones(400),
        bounds=Bounds(0, 1), options={"mip_rel_gap": 0},
    )  # fmt: skip
    assert plan.worth == pytest.approx(-best.fun, abs=1e-6)
    hits = plan.comparison["hits_per_team_day"]
    assert hits["optimum"] > 1.2 * hits["worst_first"]
    assert plan.comparison.loc["greedy", "expected_hits"] <= plan.worth + 1e-9


def test_a_greedy_choice_can_miss_the_optimum() -> None:
    found = remedies([6.0, 5.0, 5.0])
    chance = pd.Series([0.9, 0.7, 0.7], index=found.units.index)
    plan = plan_remedies(found, groups=1, days=10, chance=chance, objective="expected_hits")
    assert chosen(plan) == ["u001", "u002"]
    assert plan.comparison["expected_hits"].to_dict() == pytest.approx(
        {"optimum": 1.4, "greedy": 0.9, "worst_first": 0.9}
    )


@settings(max_examples=50)
@given(st.lists(COSTS, min_size=1, max_size=25), st.integers(1, 5), st.integers(2, 9))
def test_no_group_gets_more_than_its_days(cost: list[float], groups: int, days: int) -> None:
    found = remedies(cost)
    plan = plan_remedies(found, groups=groups, days=days, assign=True)
    loads = plan.units.groupby("group")["cost"].sum()
    assert (loads <= days + 1e-9).all()
    assert plan.units["group"].notna().equals(plan.units["status"] == "chosen")
    assert plan.worth <= plan.bound <= plan_remedies(found, groups=groups, days=days).worth
    assert 0 <= plan.gap < 1
    assert plan.comparison["lifted"].max() == plan.comparison.loc["optimum", "lifted"]


def test_an_unpackable_optimum_is_reported_with_its_gap() -> None:
    found = remedies([3.0, 3.0, 4.0])  # 10 team-days in all, but no group of 5 days has room for two
    plan = plan_remedies(found, groups=2, days=5, assign=True)
    assert (plan.worth, plan.bound) == (2, 3)
    assert repr(plan) == (
        "RemedyPlan(units=3, groups=2, days=5, lifted=2, gap=33.33%, as_of=None, parameters='v')"
    )
    assert plan.describe().endswith("与最优的差距不超过33.3%。")
    assert plan.explain("u000") == "u000排在第1位：投入3.0个工作组日、约3个工作日，可由红转黄，由第1组承担。"


def test_packing_comes_close_to_the_best_assignment_there_is() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(25):
        cost = (rng.integers(5, 40, 7) / 10).tolist()
        odds = rng.random(7).round(2)
        found = remedies(cost)
        chance = pd.Series(odds, index=found.units.index)
        plan = plan_remedies(found, groups=2, days=5, chance=chance, objective="expected_hits", assign=True)
        where = np.array(list(itertools.product((0, 1, 2), repeat=7)))
        loads = [((where == g) * cost).sum(axis=1) for g in (1, 2)]
        fits = (loads[0] <= 5 + 1e-9) & (loads[1] <= 5 + 1e-9)
        most = ((where > 0) * odds).sum(axis=1)[fits].max()
        assert plan.worth <= most + 1e-9 <= plan.bound + 2e-9
        shares.append(plan.worth / most)
    assert min(shares) > 0.9
    assert np.mean(shares) > 0.99


def test_order_and_choice_hang_on_no_row_order() -> None:
    rng = np.random.default_rng(5)
    found = remedies(
        (rng.integers(5, 60, 50) / 10).tolist(), index=rng.integers(30, 40, 50).astype(float).tolist()
    )
    plan = plan_remedies(found, groups=3, days=8)
    mixed = Remedies(
        found.units.iloc[rng.permutation(50)], found.steps, found.standing, found.gates,
        within_days=None, as_of=None, version="v",
    )  # fmt: skip
    again = plan_remedies(mixed, groups=3, days=8)
    pd.testing.assert_frame_equal(plan.units, again.units.loc[plan.units.index])
    pd.testing.assert_frame_equal(plan.curve, again.curve)
    ranks = plan.units["order"].dropna().sort_values()
    assert ranks.tolist() == list(range(1, len(ranks) + 1))
    assert plan.units.loc[ranks.index, "cost"].is_monotonic_increasing  # of equal worth, the cheapest first


def test_units_left_out_are_told_why() -> None:
    found = remedies([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    units = found.units.assign(
        level=["green", "unknown", "red", "red", "red", "yellow"],
        target=[None, None, "yellow", "yellow", "yellow", "green"],
        reachable=[False, False, False, True, True, True],
        days=[0, 0, 3, 40, 5, 6],
    )
    plan = plan_remedies(
        Remedies(units, found.steps, found.standing, found.gates, within_days=None, as_of=None, version="v"),
        groups=1,
        days=6,
    )
    assert plan.units["status"].tolist() == [
        "green", "unknown", "unreachable", "too_long", "chosen", "capacity",
    ]  # fmt: skip
    said = [plan.explain(code) for code in plan.units.index]
    assert said == [
        "u000已是绿色，不占用工作组。",
        "u001没有填报任何数据，请先报数，暂不安排。",
        "u002用尽措施库中的办法也不能由红转黄，不列入转色安排；请按一村一策另行研究。",
        "u003由红转黄约需40个工作日，6个工作日内做不完，本轮不安排。",
        "u004排在第1位：投入5.0个工作组日、约5个工作日，可由红转黄。",
        "u005投入6.0个工作组日可由黄转绿，但工作组日已用于投入更少、成效更大的村（社区），本轮未排入。",
    ]
    assert plan.describe() == (
        "1个工作组干6个工作日，共6个工作组日：按本安排可使1个村（社区）转好一级，用5.0个工作组日；"
        "从指数最低的做起只能使1个转好。已是最优。"
    )
    with pytest.raises(KeyError):
        plan.explain("nowhere")


def test_nothing_to_lift_is_an_empty_plan() -> None:
    found = remedies([1.0])
    units = found.units.assign(level="green", target=None, reachable=False)
    green = Remedies(
        units, found.steps, found.standing, found.gates, within_days=None, as_of=None, version="v"
    )
    plan = plan_remedies(green, groups=2, days=5)
    assert (plan.worth, plan.bound, plan.gap) == (0, 0, 0)
    assert plan.curve["worth"].eq(0).all()
    assert plan_remedies(green, groups=2, days=5, assign=True).units["group"].isna().all()


def test_what_cannot_be_asked_is_refused() -> None:
    found = remedies([1.0, 2.0])
    with pytest.raises(ValueError, match="at least 1"):
        plan_remedies(found, groups=0, days=5)
    with pytest.raises(ValueError, match="unknown objective"):
        plan_remedies(found, groups=1, days=5, objective="votes")
    with pytest.raises(ValueError, match="needs chances"):
        plan_remedies(found, groups=1, days=5, objective="expected_hits")
    for odds in ([0.5, np.nan], [0.5, 1.5]):
        with pytest.raises(ValueError, match=r"within 0-1 .* \['u001'\]"):
            plan_remedies(found, groups=1, days=5, chance=pd.Series(odds, index=found.units.index))
    huge = remedies([1e7] * 200, days=[1] * 200)
    with pytest.raises(ParameterError, match="减少工作组或天数"):
        plan_remedies(huge, groups=10_000_000, days=100)
