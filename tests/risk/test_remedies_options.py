import datetime as dt
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import Framework, MeasureLibrary, Remedy, load_parameters
from huanjie_lib.risk.remedies_options import Options, options_of, working_days
from huanjie_lib.risk.scoring import score
from huanjie_lib.vocabulary import UnitKind

PACK = load_parameters()
FRAMEWORK = PACK.framework
LIBRARY = PACK.measures
assert LIBRARY is not None
IDS = [i.id for i in FRAMEWORK.indicators]
SAFE = np.array([min(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators])
WORST = np.array([max(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators])


def measure(name: str, **fields: Any) -> Remedy:
    plain = {"label": name, "cost": {"fixed": 1}, "duration_days": 5, "who": "镇街", "limits": "无",
             "confidence": "L", "source": "测试"}  # fmt: skip
    return Remedy.model_validate({"id": name, **plain, **fields})


def library(*measures: Remedy) -> MeasureLibrary:
    return MeasureLibrary(
        kind="measures", id="test", version="1", title="测试", effective_from=dt.date(2026, 1, 1),
        author="测试", source="测试", cost_unit="一个工作组日", measures=measures,
    )  # fmt: skip


def laid_out(*measures: Remedy, framework: Framework = FRAMEWORK) -> Options:
    return options_of(framework, library(*measures), UnitKind.VILLAGE)


def with_power(framework: Framework, dimension: str, power: float) -> Framework:
    dimensions = tuple(
        d.model_copy(update={"power": power}) if d.id == dimension else d for d in framework.dimensions
    )
    return framework.model_copy(update={"dimensions": dimensions})


def village(**values: float) -> np.ndarray:
    """One village that is safe everywhere but where told."""
    return np.array([values.get(i, safe) for i, safe in zip(IDS, SAFE, strict=True)])[None, :]


def index(values: np.ndarray, framework: Framework = FRAMEWORK) -> float:
    frame = pd.DataFrame(values, columns=IDS)
    return float(score(frame, pd.Series("village", index=frame.index), framework).index.iloc[0])


def effect(kind: str, indicator: str, **fields: float) -> dict[str, Any]:
    return {"kind": kind, "indicator": indicator, **fields}


@pytest.mark.parametrize(
    ("told", "before", "times", "after"),
    [
        (effect("set", "roll_gap", value=0.02), 0.10, 1, 0.02),
        (effect("set", "roll_gap", value=0.02), 0.01, 1, 0.01),  # better already
        (effect("set", "committee_filled", value=1.0), 0.6, 1, 1.0),
        (effect("set", "committee_filled", value=1.0), 1.2, 1, 1.2),
        (effect("share", "debt_ratio", share=0.2, toward=0.2), 1.2, 1, 1.0),
        (effect("share", "debt_ratio", share=0.2, toward=0.2), 0.1, 1, 0.1),
        (effect("share", "committee_filled", share=0.5, toward=1.0), 0.6, 1, 0.8),
        (effect("add", "petitions_backlog", step=-1, until=0), 4.0, 3, 1.0),
        (effect("add", "petitions_backlog", step=-1, until=0), 2.0, 3, 0.0),  # never past the end
        (effect("add", "reserve_people", step=1, until=2), 1.0, 3, 2.0),
        (effect("add", "reserve_people", step=1, until=2), 5.0, 3, 5.0),
    ],
)
def test_effects_move_towards_safety_and_never_back(
    told: dict[str, Any], before: float, times: int, after: float
) -> None:
    options = laid_out(measure("m", effects=[told], times=3 if told["kind"] == "add" else 1))
    values = village(**{told["indicator"]: before})[0]
    assert options.after(values, {0: times})[IDS.index(told["indicator"])] == pytest.approx(after)
    assert options.after(values, {}).tolist() == values.tolist()


def test_a_missing_value_stays_missing_unless_the_act_establishes_it() -> None:
    at = IDS.index("screening_age_days")
    unknown = village(screening_age_days=np.nan)
    told = effect("set", "screening_age_days", value=0)
    plain = laid_out(measure("m", effects=[told]))
    act = laid_out(measure("m", effects=[told | {"establishes": True}]))
    assert np.isnan(plain.after(unknown[0], {0: 1})[at])
    assert act.after(unknown[0], {0: 1})[at] == 0
    assert plain.answer(plain.groups[0], unknown).gain.tolist() == [[0, 0]]
    assert act.answer(act.groups[0], unknown).gain[0, 1] == pytest.approx(100 * 0.12 * 0.15)


def test_costs_are_tenths_rounded_up_and_unknown_where_their_quantity_is() -> None:
    told = effect("set", "audit_items_incomplete", value=0)
    per = {"fixed": 1, "each": 1.5, "per": "audit_items_incomplete", "size": 0.2}
    options = laid_out(measure("m", effects=[told], cost=per))
    for value, tenths in ((0.6, 55), (1 / 3, 35), (0.0, 10)):  # 1 + 1.5·3; 1 + 1.5·5/3 = 3.5; nothing to do
        answer = options.answer(options.groups[0], village(audit_items_incomplete=value))
        assert answer.cost.tolist() == [[0, tenths]]
    assert options.answer(options.groups[0], village(audit_items_incomplete=np.nan)).allowed.tolist() == [
        [True, False]
    ]
    uneven = laid_out(measure("m", effects=[effect("add", "petitions_backlog", step=-1, until=0)], times=3,
                              cost={"fixed": 0.01, "each": 0.7}))  # fmt: skip
    assert uneven.answer(uneven.groups[0], village()).cost.tolist() == [[0, 8, 15, 22]]


def test_measures_wait_for_what_they_require_unless_it_has_nothing_to_do() -> None:
    audit = measure("audit", effects=[effect("set", "audit_items_incomplete", value=0)], duration_days=15)
    team = measure("team", effects=[effect("set", "audit_items_incomplete", value=0)], replaces=["audit"],
                   duration_days=9)  # fmt: skip
    notice = measure("notice", effects=[effect("add", "audit_notice_deficit", step=-1, until=0)], times=2,
                     sequential=True, duration_days=6, requires=["audit"])  # fmt: skip
    options = laid_out(audit, team, notice)
    (group,) = options.groups
    taken = [tuple(row) for row in group.times.tolist()]
    assert not any(a and t for a, t, _ in taken)  # a substitute is never taken beside what it replaces

    def allowed(values: np.ndarray, **limit: int) -> set[tuple[int, ...]]:
        answer = options.answer(group, values, **limit)
        return {row for row, ok in zip(taken, answer.allowed[0], strict=True) if ok}

    unaudited = village(audit_items_incomplete=0.4, audit_notice_deficit=2)
    assert allowed(unaudited) == {row for row in taken if not row[2] or row[0] or row[1]}
    assert allowed(village(audit_notice_deficit=2)) == set(taken)
    unknown = village(audit_items_incomplete=np.nan, audit_notice_deficit=2)
    assert all(row[0] or row[1] for row in allowed(unknown) if row[2])  # not known to be done is not done
    assert allowed(unaudited, within_days=15) == {(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 1)}
    assert working_days(options.library.measures, {0: 1, 2: 2}) == 27
    assert working_days(options.library.measures, {1: 1, 2: 2}) == 21


def test_a_measure_is_taken_no_more_often_than_there_is_to_do() -> None:
    both = [effect("add", "audit_problems_overdue", step=-1, until=0),
            effect("add", "audit_problems_open", step=-1, until=0)]  # fmt: skip
    options = laid_out(measure("m", effects=both, times=5, bounded_by=["audit_problems_overdue"]))

    def most(overdue: float) -> int:
        values = village(audit_problems_overdue=overdue, audit_problems_open=7)
        return int(options.answer(options.groups[0], values).allowed.sum()) - 1

    assert [most(n) for n in (0, 2, 9, np.nan)] == [0, 2, 5, 0]
    assert options.idle(0, village(audit_problems_overdue=0, audit_problems_open=7)).tolist() == [True]


def test_groups_are_bound_by_indicators_conditions_and_power_means() -> None:
    first = measure("first", effects=[effect("set", "roll_gap", value=0)])
    second = measure("second", effects=[effect("set", "talks_incomplete", value=0)])
    third = measure("third", effects=[effect("set", "debt_ratio", value=0.2)], excludes=["first"])
    assert [g.measures for g in laid_out(first, second).groups] == [(0,), (1,)]
    assert [g.measures for g in laid_out(first, second, third).groups] == [(0, 2), (1,)]
    strict = with_power(FRAMEWORK, "procedure", 2.0)
    assert [g.measures for g in laid_out(first, second, framework=strict).groups] == [(0, 1)]
    assert [g.times.tolist() for g in laid_out(first, third).groups] == [[[0, 0], [0, 1], [1, 0]]]


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_gains_are_the_difference_of_the_published_index(power: float) -> None:
    framework = with_power(with_power(FRAMEWORK, "finance_audit", power), "candidate_reserve", power)
    options = options_of(framework, LIBRARY, UnitKind.VILLAGE)
    rng = np.random.default_rng(3)
    values = (SAFE + rng.random(len(IDS)) * (WORST - SAFE))[None, :]
    values[0, rng.random(len(IDS)) < 0.1] = np.nan
    for group in options.groups:
        answer = options.answer(group, values)
        for row in rng.integers(0, len(group.times), size=12):
            times = {p: t for p, t in zip(group.measures, group.times[row].tolist(), strict=True) if t}
            after = options.after(values[0], times)[None, :]
            gained = index(after, framework) - index(values, framework)
            assert answer.gain[0, row] == pytest.approx(gained, abs=2e-10)
            assert options.decode(int(group.key[row])) == times


@given(st.data())
def test_no_measure_ever_lowers_an_index(data: st.DataObject) -> None:
    framework = with_power(FRAMEWORK, "finance_audit", data.draw(st.sampled_from([1.0, 2.0])))
    kind = data.draw(st.sampled_from(list(UnitKind)))
    options = options_of(framework, LIBRARY, kind)
    share = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0, 1.4]), min_size=len(IDS),
                                        max_size=len(IDS))))  # fmt: skip
    values = SAFE + share * (WORST - SAFE)
    values[data.draw(st.lists(st.integers(0, len(IDS) - 1), max_size=6))] = np.nan
    group = data.draw(st.sampled_from(options.groups))
    gain = options.answer(group, values[None, :]).gain[0]
    rows = data.draw(st.lists(st.integers(0, len(group.times) - 1), min_size=2, max_size=30))
    for one, other in itertools.permutations(rows, 2):
        if (group.times[one] >= group.times[other]).all():
            assert gain[one] >= gain[other] - 1e-12
    assert gain[0] == 0


def test_a_library_too_entangled_to_be_searched_is_refused_by_name() -> None:
    many = [
        measure(f"m{n}", effects=[effect("add", i, step=-1 if worst > safe else 1, until=safe)], times=9)
        for n, (i, safe, worst) in enumerate(
            [(i, s, w) for i, s, w in zip(IDS, SAFE, WORST, strict=True)
             if FRAMEWORK.dimension_of(i).id == "conflict_petition"]
        )
    ]  # fmt: skip
    assert len(laid_out(*many).groups) == len(many)
    with pytest.raises(ParameterError, match="相互牵连的措施至少有 1000000 种组合"):
        laid_out(*many, framework=with_power(FRAMEWORK, "conflict_petition", 2.0))
