import datetime as dt
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import MeasureLibrary, ParameterSet, Remedy, load_parameters
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.remedies import Remedies, find_remedies
from huanjie_lib.risk.remedies_options import options_of
from huanjie_lib.risk.scoring import score
from huanjie_lib.vocabulary import UnitKind

PACK = load_parameters()
FRAMEWORK = PACK.framework
LIBRARY = PACK.measures
assert LIBRARY is not None
ACTING = [m for m in LIBRARY.measures if m.effects]
IDS = [i.id for i in FRAMEWORK.indicators]
SAFE = {i.id: min(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators}
WORST = {i.id: max(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators}


def with_measures(*measures: Remedy) -> ParameterSet:
    return PACK.model_copy(update={"measures": LIBRARY.model_copy(update={"measures": measures})})


def strict(parameters: ParameterSet, dimension: str, power: float) -> ParameterSet:
    dimensions = tuple(
        d.model_copy(update={"power": power}) if d.id == dimension else d
        for d in parameters.framework.dimensions
    )
    framework = parameters.framework.model_copy(update={"dimensions": dimensions})
    return parameters.model_copy(update={"framework": framework})


def solve(
    rows: list[dict[str, float]],
    levels: list[str],
    parameters: ParameterSet = PACK,
    kind: str = "village",
    **options: Any,
) -> Remedies:
    codes = [f"u{n}" for n in range(len(rows))]
    values = pd.DataFrame([SAFE | row for row in rows], index=codes, columns=IDS)
    return find_remedies(
        values, pd.Series(kind, index=codes), pd.Series(levels, index=codes), parameters, **options
    )


# --- an independent solver: every set of a small library, scored by the published index ------------------


def moved(value: float, effect: Any, times: int) -> float:
    """A value after one effect, written out for a single number."""
    rising = effect.indicator in {i for i in IDS if SAFE[i] > WORST[i]}
    pick = max if rising else min
    if np.isnan(value):
        return effect.value if effect.kind == "set" and effect.establishes else value
    if effect.kind == "set":
        return pick(value, effect.value)
    if effect.kind == "share":
        return pick(value, value + effect.share * (effect.toward - value))
    for _ in range(times):
        value = pick(value, (min if rising else max)(value + effect.step, effect.until))
    return value


def severity(indicator: str, value: float) -> float:
    return float(np.interp(value, *zip(*FRAMEWORK.indicator(indicator).reference_points, strict=True)))


def price(measure: Remedy, times: int, row: dict[str, float]) -> int | None:
    cost, quantity = measure.cost, float(times)
    if cost.per is not None:
        effect = next(e for e in measure.effects if e.indicator == cost.per)
        quantity = abs(row[cost.per] - moved(row[cost.per], effect, 1)) / cost.size
        if np.isnan(row[cost.per]):
            return None
    return int(np.ceil(round(10 * (cost.fixed + cost.each * quantity), 6)))


def bound(measure: Remedy, row: dict[str, float]) -> int:
    most = measure.times
    for effect in (e for e in measure.effects if e.indicator in measure.bounded_by):
        times, value = 0, row[effect.indicator]
        while times < measure.times and moved(value, effect, 1) != value and not np.isnan(value):
            value, times = moved(value, effect, 1), times + 1
        most = min(most, times)
    return most


def finish(measure: Remedy, chosen: dict[str, tuple[Remedy, int]]) -> int:
    before = [finish(m, chosen) for m, _ in chosen.values() if waits(measure, m)]
    return measure.duration_days * (chosen[measure.id][1] if measure.sequential else 1) + max(
        before, default=0
    )


def waits(measure: Remedy, other: Remedy) -> bool:
    return any(r == other.id or r in other.replaces for r in measure.requires)


def brute(
    row: dict[str, float], level: str, parameters: ParameterSet, kind: str, within: int | None
) -> tuple[bool, float, dict[str, int]]:
    """The best set, whether it reaches the next colour, and its cost in tenths."""
    assert parameters.measures is not None
    measures = parameters.measures.measures
    sets, after = [], []
    for counts in itertools.product(*(range(m.times + 1) for m in measures)):
        chosen = {m.id: (m, t) for m, t in zip(measures, counts, strict=True) if t}
        barred = any(o in chosen for m, _ in chosen.values() for o in (*m.excludes, *m.replaces))
        costs = [price(m, t, row) for m, t in chosen.values()]
        unmet = False
        for m, _ in chosen.values():
            for required in m.requires:
                needed = next((o for o in measures if o.id == required), None)
                if needed is None or any(waits(m, o) for o, _ in chosen.values()):
                    continue
                for e in needed.effects:
                    now, then = (
                        severity(e.indicator, row[e.indicator]),
                        severity(e.indicator, moved(row[e.indicator], e, needed.times)),
                    )
                    unmet |= now != then
        late = within is not None and any(finish(m, chosen) > within for m, _ in chosen.values())
        often = any(t > bound(m, row) for m, t in chosen.values())
        if barred or unmet or late or often or None in costs:
            continue
        if within is not None and sum(c for c in costs if c is not None) > 10 * within:
            continue
        values = dict(row)
        for m, t in chosen.values():
            for e in m.effects:
                values[e.indicator] = moved(values[e.indicator], e, t)
        sets.append((sum(c for c in costs if c is not None), counts))
        after.append(values)
    frame = pd.DataFrame(after, columns=IDS)
    index = score(frame, pd.Series(kind, index=frame.index), parameters.framework).index
    better = {"red": ["yellow", "green"], "yellow": ["green"]}[level]
    now = pd.Series(level, index=frame.index)
    lifted = classify(index, parameters.classification, previous=now).isin(better).to_numpy()
    pool = np.flatnonzero(lifted) if lifted.any() else np.flatnonzero(index.round(8) == index.round(8).max())
    best = min(
        pool,
        key=lambda n: (sets[n][0], -round(index[n], 8), sum(sets[n][1]), tuple(-t for t in sets[n][1])),
    )
    taken = {m.id: t for m, t in zip(measures, sets[best][1], strict=True) if t}
    return bool(lifted.any()), sets[best][0], taken


@dataclass(frozen=True)
class Case:
    row: dict[str, float]
    parameters: ParameterSet
    within: int | None

    def __repr__(self) -> str:
        assert self.parameters.measures is not None
        bad = {i: v for i, v in self.row.items() if v != SAFE[i]}
        told = [
            (m.id, m.times, m.cost.fixed, m.cost.each, m.excludes) for m in self.parameters.measures.measures
        ]
        powers = {d.id: d.power for d in self.parameters.framework.dimensions if d.power != 1}
        return f"Case({bad}, {told}, {powers}, {self.within})"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    picked = sorted(draw(st.sets(st.integers(0, len(ACTING) - 1), min_size=2, max_size=6)))
    measures = []
    for position in picked:
        one = ACTING[position]
        costs = {"fixed": draw(st.sampled_from([0.0, 1.0, 2.0])), "each": draw(st.sampled_from([0.5, 1.0]))}
        changes: dict[str, Any] = {
            "cost": one.cost.model_copy(update=costs),
            "times": min(one.times, draw(st.sampled_from([1, 2]))),
            "requires": tuple(r for r in one.requires if any(ACTING[p].id == r for p in picked)),
        }
        if draw(st.integers(0, 4)) == 0 and measures and measures[0].id not in changes["requires"]:
            changes["excludes"] = (measures[0].id,)
        measures.append(one.model_copy(update=changes))
    parameters = with_measures(*measures)
    power = draw(st.sampled_from([1.0, 1.0, 2.0]))
    parameters = strict(parameters, draw(st.sampled_from([d.id for d in FRAMEWORK.dimensions])), power)
    touched = sorted({e.indicator for m in measures for e in m.effects})
    row = dict(SAFE)
    for i in IDS:
        part = draw(
            st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0] if i in touched else [0.0, 0.0, 0.0, 0.6, 1.0])
        )
        row[i] = SAFE[i] + part * (WORST[i] - SAFE[i])
    for i in draw(st.sets(st.sampled_from(touched), max_size=2)):
        row[i] = np.nan
    return Case(row, parameters, draw(st.sampled_from([None, None, 10, 30])))


@settings(max_examples=60)
@given(
    cases(),
    st.sampled_from(["village", "community"]),
    st.sampled_from(["red", "yellow"]),
    st.sampled_from([0.4, 1.0, 2.5, 5.0, 9.0]),
)
def test_the_path_is_the_best_of_all_sets(case: Case, kind: str, level: str, need: float) -> None:
    row, parameters, within = case.row, case.parameters, case.within
    frame = pd.DataFrame([row], columns=IDS)
    index = score(frame, pd.Series(kind, index=frame.index), parameters.framework).index[0]
    # cut-offs right above the index make the next colour near enough to be won by some sets and not by others
    cut = {"yellow_from": index + need, "green_from": 100.0} if level == "red" else {
        "yellow_from": 1.0, "green_from": index + need}  # fmt: skip
    cuts = parameters.classification.model_copy(update=cut)
    parameters = parameters.model_copy(update={"classification": cuts})
    reach, tenths, taken = brute(row, level, parameters, kind, within)
    found = solve([row], [level], parameters, kind, within_days=within)
    unit = found.units.loc["u0"]
    assert bool(unit["reachable"]) == reach
    assert round(10 * unit["cost"]) == tenths
    assert dict(zip(found.steps["measure"], found.steps["times"], strict=True)) == taken
    assert found.steps["points"].sum() == pytest.approx(unit["regained"], abs=1e-9)


def test_paths_agree_with_a_milp_over_the_whole_library() -> None:
    rng = np.random.default_rng(7)
    past = {u.indicator for u in LIBRARY.unremediable}  # mostly bad, so that some units can't be lifted
    rows = []
    for _ in range(25):
        share = np.where([i in past for i in IDS], rng.beta(2.0, 0.5, len(IDS)), rng.beta(0.7, 1.1, len(IDS)))
        row = {i: SAFE[i] + s * (WORST[i] - SAFE[i]) for i, s in zip(IDS, share, strict=True)}
        rows.append(row | {i: np.nan for i in IDS if rng.random() < 0.05})
    values = pd.DataFrame(rows, columns=IDS)
    index = score(values, pd.Series("village", index=values.index), FRAMEWORK).index
    levels = classify(index, PACK.classification).where(lambda s: s != "green", "yellow").tolist()
    found = solve(rows, levels)
    options = options_of(FRAMEWORK, LIBRARY, UnitKind.VILLAGE)
    answers = [options.answer(g, values.to_numpy()) for g in options.groups]
    reached = 0
    for n in range(len(rows)):
        cost = np.concatenate([a.cost[n] for a in answers])
        gain = np.concatenate([a.gain[n] for a in answers])
        allowed = np.concatenate([a.allowed[n] for a in answers])
        group = np.repeat(np.arange(len(answers)), [a.gain.shape[1] for a in answers])
        one_each = LinearConstraint((group == np.arange(len(answers))[:, None]).astype(float), 1, 1)
        short = found.units["needed"].iloc[n] - index[n]
        best = milp(
            cost.astype(float),
            constraints=[one_each, LinearConstraint(gain[None, :], short, np.inf)],
            integrality=np.ones(len(cost)),
            bounds=Bounds(0, allowed.astype(float)),
            options={"mip_rel_gap": 0},
        )
        assert found.units["reachable"].iloc[n] == (best.status == 0)
        if best.status == 0:
            reached += 1
            assert found.units["cost"].iloc[n] == pytest.approx(best.fun / 10, abs=1e-6)
    assert 8 < reached < 25


# --- what the result says --------------------------------------------------------------------------------


def test_hysteresis_counts_from_the_units_present_colour() -> None:
    lost = {"audit_members_unaudited": 1.0, "roll_gap": 0.15, "election_turnout": 0.5,
            "election_margin": 0.02, "petition_rate": 15, "petitions_group": 4, "debt_ratio": 3}  # fmt: skip
    row = lost | {"talks_incomplete": 0.5, "disclosures_on_time": 12}
    found = solve([row, row], ["yellow", "green"])
    unit = found.units.loc["u0"]
    assert unit["index"] < unit["needed"] == 81
    assert unit["index_after"] >= 81
    assert pd.isna(found.units.loc["u1", "target"])
    assert found.explain("u1") == "u1已是绿色，不需要转色措施。"
    loose = PACK.model_copy(
        update={"classification": PACK.classification.model_copy(update={"improve_margin": 0.0})}
    )
    assert solve([row], ["yellow"], loose).units["needed"].tolist() == [80]
    held = solve([{"roll_gap": 0.03}], ["yellow"])
    assert held.units.loc["u0", ["reachable", "cost"]].tolist() == [True, 0]
    assert held.explain("u0").endswith("分已达到由黄转绿的要求，保持到下次评估即可。")


def test_of_equally_good_sets_the_earlier_of_the_library_is_taken() -> None:
    def act(name: str, **fields: Any) -> Remedy:
        return ACTING[0].model_copy(update={"id": name, "label": name, "replaces": (), "gates": (), **fields})

    effects = tuple(e for m in ACTING for e in m.effects if e.indicator == "roll_gap")
    cost = ACTING[0].cost.model_copy(update={"fixed": 2.0, "each": 0.0, "per": None})
    rivals = [act(n, effects=effects, cost=cost) for n in ("first", "second")]
    row = {"roll_gap": 0.15, "election_turnout": 0.5, "petition_rate": 15, "leads_rate": 4, "debt_ratio": 3,
           "petitions_group": 4, "election_reruns": 1}  # fmt: skip
    for order in (rivals, rivals[::-1]):
        found = solve([row], ["yellow"], with_measures(*order))
        assert found.units["reachable"].tolist() == [True]
        assert found.steps["measure"].tolist() == [order[0].id]


def test_points_of_overlapping_measures_are_shared_by_shapley() -> None:
    measures = {m.id: m for m in ACTING}
    both = [measures["close_overdue_problem"], measures["close_problem"]]
    row = {"audit_problems_overdue": 1.0, "audit_problems_open": 3.0}
    everything = {"election_turnout": 0.5, "election_margin": 0.02, "election_reruns": 2, "leads_rate": 4,
                  "petition_rate": 15, "petitions_group": 4}  # fmt: skip
    cuts = PACK.classification.model_copy(update={"green_from": 99.0})
    parameters = with_measures(*both).model_copy(update={"classification": cuts})
    found = solve([row | everything], ["yellow"], parameters)  # out of reach: takes all there is
    steps = found.steps.set_index("measure")
    assert steps["times"].to_dict() == {"close_overdue_problem": 1, "close_problem": 2}
    # 20 · 0.2 · (severity before − after): overdue 0.6 → 0 is its own; open 0.5 → 0 is linear, 1/6 a problem
    assert steps["points"].to_dict() == pytest.approx(
        {"close_overdue_problem": 4 * (0.6 + 1 / 6), "close_problem": 4 * 2 / 6}
    )
    # on a bent stretch the order matters: open problems fall from 6 to 0, their severity from 0.8 by way of
    # 0.7 (5 left) or 1/6 (1 left); the mean of both orders is taken
    bent = solve([row | everything | {"audit_problems_open": 6, "audit_problems_overdue": 5}], ["yellow"],
                 parameters)  # fmt: skip
    last = 4 * (0.1 + 1 / 6) / 2
    assert bent.steps.set_index("measure")["points"].to_dict() == pytest.approx(
        {"close_overdue_problem": 4 * (1 + 0.8) - last, "close_problem": last}
    )


def test_missing_data_are_never_counted_on() -> None:
    row = {"reserve_people": np.nan, "candidates_per_seat": np.nan, "roll_gap": 0.15, "talks_incomplete": 1,
           "election_turnout": 0.5, "petition_rate": 15, "leads_rate": 4, "debt_ratio": 3,
           "petitions_group": 4, "disputes_group": 2}  # fmt: skip
    found = solve([row], ["yellow"])
    unit = found.units.loc["u0"]
    assert not set(found.steps["measure"]) & {"recruit_reserve", "encourage_candidates", "recruitment_drive"}
    assert "report_data" not in set(found.steps["measure"])
    assert (unit["missing"], unit["report_cost"]) == (2, 0.4)
    assert unit["index_high_after"] - unit["index_after"] == pytest.approx(8 * 0.75 * 0.5)
    assert unit["index_after"] - unit["index_low_after"] == pytest.approx(8 * 0.75 * 0.5)
    assert (
        "另有2项数据缺失，按规定暂扣分，没有计入补报能加的分；补报后可能恢复至多3.0分，也可能再扣至多3.0分，"
        "补报约需0.4个工作组日。" in found.explain("u0")
    )
    worst = solve([{"audit_members_unaudited": np.nan, "election_turnout": 0.5}], ["yellow"])
    assert "也可能再扣" not in worst.explain("u0")  # the worst is assumed already


def test_what_stands_in_the_way_is_named_when_no_set_reaches() -> None:
    past = {"election_turnout": 0.5, "election_margin": 0.02, "leads_rate": 6, "petition_rate": 20,
            "petitions_group": 9, "disputes_group": 4, "disciplinary_cases": 5, "disclosures_on_time": 2,
            "election_reruns": 2, "election_invalid_share": 0.3}  # fmt: skip
    found = solve([past | {"roll_gap": 0.15}], ["yellow"])
    unit = found.units.loc["u0"]
    assert not unit["reachable"]
    assert found.steps["measure"].tolist() == ["recheck_roll"]  # how far it gets, at least cost
    assert unit["index_after"] < 81
    standing = found.standing.set_index("indicator")
    assert set(standing["status"]) == {"unremediable"}
    assert standing["points"].sum() == pytest.approx(100 - unit["index_after"])
    text = found.explain("u0")
    assert "u0用尽措施库中的办法也不能由黄转绿。做完以下一件事，选情指数只能由" in text
    assert "上届参选率只有50.0%（上届选举已经结束）" in standing.loc["election_turnout", "reason"]
    assert (
        "挡在前面的主要是：近12个月每千名选民举报线索6.0件（已收到的线索不能减少，只能核查），扣3.8分" in text
    )
    assert "这些不能恢复分数，但可以应对：逐条核查换届线索并反馈" in text


def test_a_deadline_leaves_out_what_takes_longer() -> None:
    row = {"audit_items_incomplete": 1.0, "audit_members_unaudited": 1.0, "audit_notice_deficit": 2.0,
           "roll_gap": 0.15, "election_turnout": 0.5, "petition_rate": 15, "petitions_group": 4}  # fmt: skip
    free, soon, never = (solve([row], ["yellow"], within_days=d) for d in (None, 12, 4))
    assert free.units["cost"].iloc[0] <= soon.units["cost"].iloc[0]
    assert soon.units["days"].iloc[0] <= 12
    assert never.steps.empty
    assert "在12个工作日内做完以下" in soon.explain("u0")
    # one group can't put in more team-days than there are, whatever goes on at once
    dear = row | {"audit_problems_open": 8, "audit_problems_overdue": 3, "review_adverse": 0.4,
                  "committee_filled": 0.6, "leads_rate": 4, "debt_ratio": 3}  # fmt: skip
    unlimited, limited = (solve([dear], ["yellow"], within_days=d).units.iloc[0] for d in (40, 15))
    assert unlimited["cost"] > 15 >= limited["cost"]
    assert limited["days"] <= 15
    assert "没有可用的措施" in never.explain("u0")


def test_gates_are_listed_beside_the_path_and_never_bought_off() -> None:
    gates = pd.DataFrame(
        [("u0", "screening", "fail", "没有矛盾摸排记录", "r"), ("u0", "reviews", "unknown", "尚未报送", "r"),
         ("u0", "audit_items", "pass", "已完成", "r"), ("elsewhere", "reviews", "fail", "x", "r")],
        columns=["unit_code", "gate", "status", "reason", "rule"],
    )  # fmt: skip
    row = {"roll_gap": 0.15, "election_turnout": 0.5, "petition_rate": 15, "debt_ratio": 3, "leads_rate": 4,
           "petitions_group": 4, "disputes_group": 2}  # fmt: skip
    bare, gated = solve([row], ["yellow"]), solve([row], ["yellow"], gates=gates)
    pd.testing.assert_frame_equal(bare.steps, gated.steps)
    assert gated.gates["gate"].tolist() == ["screening", "reviews"]
    assert gated.units["open_gates"].tolist() == [2]
    assert gated.gates["measures"].iloc[0] == "书记带队重新摸排矛盾、一次进村：摸排、谈心谈话、补齐预案"
    assert gated.explain("u0").endswith(
        "颜色好转不能代替准入条件，还须办好：矛盾摸排完成（没有矛盾摸排记录）；资格联审齐全有效（尚未报送）。"
    )


def test_an_irrelevant_measure_changes_nothing() -> None:
    row = {"roll_gap": 0.15, "election_turnout": 0.5, "petition_rate": 15, "debt_ratio": 3, "leads_rate": 4,
           "talks_incomplete": 1.0, "petitions_group": 4}  # fmt: skip
    some = [m for m in ACTING if m.id in {"recheck_roll", "reduce_debt", "finish_talks"}]
    idle = [m for m in ACTING if m.id in {"resolve_backlog", "answer_objections"}]  # nothing to do here
    foreign = next(m for m in ACTING if m.id == "combined_visit").model_copy(
        update={"applies_to": (UnitKind.COMMUNITY,), "replaces": (), "cost": some[0].cost}
    )
    plain = solve([row], ["yellow"], with_measures(*some))
    more = solve([row], ["yellow"], with_measures(idle[0], *some, foreign, idle[1]))
    pd.testing.assert_frame_equal(plain.steps, more.steps)
    pd.testing.assert_frame_equal(plain.units, more.units.assign(report_cost=plain.units["report_cost"]))


def test_paths_hang_neither_on_other_units_nor_on_row_order(small_run: Any) -> None:
    wide = small_run.indicators.pivot(index="unit_code", columns="indicator", values="value")[IDS]
    kinds = small_run.units.set_index("unit_code")["unit_kind"]
    level = small_run.index.set_index("unit_code")["level"]
    all_units = find_remedies(wide, kinds, level, PACK, gates=small_run.gates, as_of=small_run.as_of)
    back = find_remedies(wide.iloc[::-1], kinds, level, PACK, gates=small_run.gates)
    pd.testing.assert_frame_equal(all_units.units, back.units.iloc[::-1])
    for code in wide.index[:4]:
        alone = find_remedies(wide.loc[[code]], kinds, level, PACK)
        pd.testing.assert_frame_equal(alone.path(code), all_units.path(code))
    later = classify(all_units.units["index_after"], PACK.classification, previous=all_units.units["level"])
    lifted = all_units.units["reachable"]
    assert lifted.any()
    assert (later[lifted] != level[lifted]).all()
    assert repr(all_units).startswith("Remedies(units=12, to_lift=")
    assert f"as_of=2026-10-31, parameters='{PACK.version}'" in repr(all_units)
    assert all_units.to_frame() is not all_units.units


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"在参数包中放入 measures\.yaml"):
        solve([{}], ["red"], PACK.model_copy(update={"measures": None}))
    with pytest.raises(ValueError, match="unknown levels: \\['purple'\\]"):
        solve([{}], ["purple"])
    with pytest.raises(ValueError, match="within_days must be at least 1"):
        solve([{}], ["red"], within_days=0)
    found = solve([dict.fromkeys(IDS, np.nan)], ["unknown"])
    assert found.explain("u0") == "u0没有填报任何数据，不能测算措施，请先报数。"
    for ask in (found.explain, found.path):
        with pytest.raises(KeyError):
            ask("nowhere")


def test_the_shipped_library_covers_every_dimension_and_owns_up_to_its_limits() -> None:
    assert isinstance(LIBRARY, MeasureLibrary)
    assert LIBRARY.effective_from <= dt.date(2026, 10, 31)
    met = {e.indicator for m in LIBRARY.measures for e in m.effects} | {
        a for m in LIBRARY.measures for a in m.answers
    }
    assert {FRAMEWORK.dimension_of(i).id for i in met} == {d.id for d in FRAMEWORK.dimensions}
    assert all(m.limits and m.who and m.source for m in LIBRARY.measures)
    past = {u.indicator for u in LIBRARY.unremediable}
    assert {"election_turnout", "leads_rate", "petition_rate", "disciplinary_cases"} <= past
    assert not past & {e.indicator for m in LIBRARY.measures for e in m.effects}
