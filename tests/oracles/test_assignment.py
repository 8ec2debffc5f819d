"""Assignment problems with published optima: SciPy's and OR-Tools' guides.

Sources are named in the data: the examples of ``scipy.optimize.linear_sum_assignment`` and of OR-Tools'
guides on assignment, linear sum assignment, teams of workers and allowed groups. All minimise a cost.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huanjie_lib.talent.assignment import assign
from huanjie_lib.talent.teams import EMPTY_SEAT, Rule, TeamProblem, best_teams

ORACLE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "assignment_small.json").read_text(encoding="utf-8")
)
INSTANCES = {instance["name"]: instance for instance in ORACLE["instances"]}
PLAIN = [name for name, instance in INSTANCES.items() if "constraint" not in instance]


@pytest.mark.parametrize("name", PLAIN)
def test_published_optima(name: str) -> None:
    """Workers are people, tasks are posts; the rating of a worker for a task is its cost, negated."""
    cost = np.array(INSTANCES[name]["cost"], dtype=np.float64)
    workers, tasks = cost.shape
    found = assign(-cost, np.eye(tasks), np.ones(tasks), np.ones(workers))
    assert found.optimal
    assert len(found.pairs) == tasks
    assert -found.objective == INSTANCES[name]["optimum"]


def one_team(cost: np.ndarray, rules: tuple[Rule, ...], kin: list[tuple[int, int]]) -> float:
    """Return the least cost of giving each task to a worker, all in one unit."""
    workers, tasks = cost.shape
    problem = TeamProblem(
        post=np.repeat(np.arange(tasks), workers),
        person=np.tile(np.arange(workers), tasks),
        fit=-cost.T.ravel(),
        seats=np.ones(tasks, dtype=np.int64),
        unit=np.zeros(tasks, dtype=np.int64),
        people=workers,
        units=1,
        rules=rules,
        kin=np.array(kin, dtype=np.int64).reshape(-1, 2),
    )
    found = best_teams(problem, gap=0.0)
    assert found.taken.sum() == tasks
    assert not found.lacking.any()
    assert found.bound == pytest.approx(found.value)
    return -found.value


def at_least(count: int, workers: list[int], total: int) -> Rule:
    holds = np.isin(np.arange(total), workers)
    return Rule(holds, np.array([count]), 10 * EMPTY_SEAT)


def test_at_most_two_of_each_team() -> None:
    """Of four who work at most two are of one team if and only if at least two are of the other."""
    instance = INSTANCES["ortools_docs_teams_6x4"]
    cost = np.array(instance["cost"], dtype=np.float64)
    least = cost.shape[1] - instance["constraint"]["team_max"]
    rules = tuple(at_least(least, team, len(cost)) for team in instance["constraint"]["teams"])
    assert one_team(cost, rules, []) == pytest.approx(instance["optimum"])
    assert one_team(cost, (), []) < instance["optimum"]


def test_one_allowed_pair_of_each_group() -> None:
    """Two of each group work, and a pair that is not allowed may not sit together, like kin."""
    instance = INSTANCES["ortools_docs_allowed_groups_12x6"]
    cost = np.array(instance["cost"], dtype=np.float64)
    rules, apart = [], []
    for pairs in instance["constraint"]["allowed_groups"]:
        group = sorted({worker for pair in pairs for worker in pair})
        rules.append(at_least(2, group, len(cost)))
        apart += [(i, k) for i in group for k in group if i < k and [i, k] not in pairs]
    assert len(apart) == 3
    assert one_team(cost, tuple(rules), apart) == pytest.approx(instance["optimum"])
