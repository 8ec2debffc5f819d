"""Whatever could not have been known before the election is refused; what could is let through."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.risk.backtest import backtest
from huanjie_lib.risk.leakage import LeakageError

UNITS = [f"{c}县{t}镇{n:02d}村" for c in "甲乙丙丁戊己" for t in "东西" for n in range(20)]


@pytest.fixture
def panel() -> pd.DataFrame:
    """Two terms of 240 units, honest: turnout before tells something of trouble after."""
    rng = np.random.default_rng(4)
    frames = []
    for term in (2018, 2021):
        turnout = rng.random(len(UNITS))
        frames.append(
            pd.DataFrame(
                {
                    "unit": UNITS,
                    "term": term,
                    "turnout": turnout,
                    "margin": rng.random(len(UNITS)),
                    "lost": (rng.random(len(UNITS)) < 0.5 - 0.4 * turnout).astype(int),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def run(history: pd.DataFrame, outcomes: pd.DataFrame, features: list[str] | None = None) -> None:
    backtest(
        history,
        outcomes,
        unit="unit",
        term="term",
        outcome="lost",
        test_term=2021,
        features=features,
        models=["equal_weights"],
        draws=5,
    )


def later(panel: pd.DataFrame, column: str) -> pd.Series[float]:
    """The tested term's figure, put on every row of its unit."""
    values = panel[panel["term"] == 2021].set_index("unit")[column]
    return panel["unit"].map(values)


def noisy(panel: pd.DataFrame) -> pd.Series[float]:
    return later(panel, "lost") + 0.3 * np.random.default_rng(1).normal(size=len(panel))


PLANTED: dict[str, tuple[str, Callable[[pd.DataFrame], object]]] = {
    "the outcome itself": ("leak", lambda p: later(p, "lost")),
    "the outcome turned round": ("leak", lambda p: 1 - later(p, "lost")),
    "the outcome as text": ("leak", lambda p: later(p, "lost").map({1: "是", 0: "否"})),
    "the outcome with noise": ("leak", noisy),
    "filled only where it happened": ("leak", lambda p: noisy(p).where(later(p, "lost") == 1)),
    "another figure of the tested term": ("leak", lambda p: later(p, "margin")),
    "the outcome by another name": ("leak", lambda p: p["lost"]),
    "known in the tested term alone": ("leak", lambda p: p["margin"].where(p["term"] == 2021)),
    "a year in the name": ("得票2021年", lambda p: np.random.default_rng(2).random(len(p))),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_leak_is_named_with_its_remedy(panel: pd.DataFrame, case: str) -> None:
    name, make = PLANTED[case]
    with pytest.raises(LeakageError) as error:
        run(panel.assign(**{name: make(panel)}), panel)
    assert [f.where for f in error.value.faults] == [f"列 {name}"]
    assert "--features" in error.value.faults[0].remedy
    run(panel.assign(**{name: make(panel)}), panel, features=["turnout", "margin"])


@pytest.mark.parametrize(
    "case", ["the outcome itself", "the outcome turned round", "the outcome with noise", "a year in the name"]
)
def test_it_is_found_where_the_history_ends_before_the_tested_term(panel: pd.DataFrame, case: str) -> None:
    name, make = PLANTED[case]
    planted = panel.assign(**{name: make(panel)})
    with pytest.raises(LeakageError, match=name):
        run(planted[planted["term"] == 2018], panel.loc[panel["term"] == 2021, ["unit", "term", "lost"]])


def test_every_leak_is_told_at_once(panel: pd.DataFrame) -> None:
    with pytest.raises(LeakageError) as error:
        run(panel.assign(a=later(panel, "lost"), b=later(panel, "margin")), panel)
    assert {f.where for f in error.value.faults} == {"列 a", "列 b"}


def test_a_term_that_is_not_before_the_outcome_is_no_source_of_features(panel: pd.DataFrame) -> None:
    with pytest.raises(LeakageError, match="至少一个早于 2021 的届次"):
        run(panel[panel["term"] == 2021], panel)


def test_what_is_honest_is_let_through(panel: pd.DataFrame) -> None:
    size = panel[panel["term"] == 2018].set_index("unit")["margin"]
    last = panel.groupby("unit")["turnout"].shift()
    rare = (np.arange(len(panel)) % 97 == 3).astype(int)
    run(
        panel.assign(
            area_km2=panel["unit"].map(size),  # does not change from term to term
            area_mu=panel["unit"].map(size),
            last_turnout=last,  # carries the last term forward, so equals its turnout
            flag=rare,
            other_flag=np.roll(rare, 1),
            turnout_2018=panel["turnout"],
        ),
        panel,
    )
