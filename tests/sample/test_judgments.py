from __future__ import annotations

import numpy as np
import pandas as pd

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.judgments import group_judgments, judgment_matrices
from huanjie_lib.sample.judgments import CONTRADICTORY, EXPERTS, make_judgments

FRAMEWORK = load_parameters().framework


def judgments(seed: int = 1) -> pd.DataFrame:
    return make_judgments(FRAMEWORK, np.random.default_rng(seed))


def test_every_expert_compares_every_pair_once() -> None:
    frame = judgments()
    n = len(FRAMEWORK.dimensions)
    assert len(frame) == EXPERTS * n * (n - 1) // 2
    assert not frame.duplicated(["专家", "维度", "对比维度"]).any()


def test_equal_seeds_give_equal_judgments() -> None:
    pd.testing.assert_frame_equal(judgments(), judgments())
    assert not judgments(2).equals(judgments())


def test_one_expert_contradicts_himself_and_the_others_and_the_group_do_not() -> None:
    for seed in range(5):
        table = judgments(seed).set_axis(["person", "item", "against", "times"], axis=1)
        group = group_judgments(judgment_matrices(table, [d.label for d in FRAMEWORK.dimensions]))
        assert [name for name, r in group.people.items() if not r.consistent] == [f"专家{CONTRADICTORY}"]
        assert group.merged.consistent
        worst = group.people[f"专家{CONTRADICTORY}"].worst_triad
        assert worst is not None
        assert {worst.first, worst.second, worst.third} == {d.label for d in FRAMEWORK.dimensions[:3]}
