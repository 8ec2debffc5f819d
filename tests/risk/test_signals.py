"""Signals recover what is planted into the synthetic city, and stay quiet where nothing is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.signal_checks import TESTS
from huanjie_lib.risk.signals import COLUMNS, Signals, find_signals
from huanjie_lib.sample import City, make_city
from huanjie_lib.vocabulary import SignalStatus

SEEDS = range(1, 11)
UNITS = 1000
PARAMETERS = load_parameters()
PLANTED = ("roll_gap", "roll_duplicates", "registration_surge", "proxy_share", "leads_burst")

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Trial:
    """A city and what was found in it."""

    city: City
    signals: Signals

    def flagged(self, signal: str) -> set[str]:
        return set(self.signals.flagged(signal)["unit_code"])

    def planted(self, fault: str) -> set[str]:
        return set(self.city.truth.loc[self.city.truth["fault"] == fault, "unit_code"])

    def unknown(self, signal: str) -> set[str]:
        table = self.signals.table
        mine = (table["signal"] == signal) & (table["status"] == SignalStatus.UNKNOWN.value)
        return set(table.loc[mine, "unit_code"])


def trial(seed: int, *, plant_faults: bool) -> Trial:
    city = make_city(seed=seed, units=UNITS, snapshots=1, people=100, plant_faults=plant_faults)
    return Trial(city, find_signals(prepare(city.tables), PARAMETERS, city.as_of))


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    return [trial(seed, plant_faults=True) for seed in SEEDS]


@pytest.fixture(scope="module")
def clean() -> list[Trial]:
    return [trial(seed, plant_faults=False) for seed in SEEDS]


def proportion(flagged: set[str], planted: set[str]) -> float:
    """Return the false-discovery proportion, 0 where nothing is flagged."""
    return len(flagged - planted) / max(len(flagged), 1)


@pytest.mark.parametrize("signal", PLANTED)
def test_planted_faults_are_recovered_and_few_others(trials: list[Trial], signal: str) -> None:
    found = sum(len(t.flagged(signal) & t.planted(signal)) for t in trials)
    reported = sum(len(t.planted(signal) - t.unknown(signal)) for t in trials)
    assert reported >= 40
    assert found >= 0.9 * reported
    assert np.mean([proportion(t.flagged(signal), t.planted(signal)) for t in trials]) <= 0.1


def test_all_that_is_flagged_is_planted_but_for_a_tenth(trials: list[Trial]) -> None:
    false, total = 0.0, 0.0
    for one in trials:
        pairs = {(s, u) for s in TESTS for u in one.flagged(s)}
        false += len(pairs - {(s, u) for s in TESTS for u in one.planted(s)}) / len(pairs)
        total += len(pairs)
    assert total > 200
    assert false / len(trials) <= 0.1


@pytest.mark.parametrize("signal", [*TESTS])
def test_a_clean_city_raises_alarms_as_rarely_as_promised(clean: list[Trial], signal: str) -> None:
    alarms = sum(bool(t.flagged(signal)) for t in clean)
    assert alarms <= stats.binom.isf(0.001, len(clean), clean[0].signals.fdr)


def test_nobody_planted_means_nobody_in_the_truth(clean: list[Trial]) -> None:
    assert sum(len(t.city.truth) for t in clean) == 0
    assert all(not t.unknown("roll_gap") for t in clean)


def test_a_late_return_leaves_a_planted_fault_unknown_and_never_clear(trials: list[Trial]) -> None:
    lost = 0
    for one in trials:
        reported = set(one.city.tables["roll_checks"]["unit_code"])
        gone = one.planted("roll_gap") - reported
        assert gone <= one.unknown("roll_gap")
        lost += len(gone)
    assert lost > 0


@pytest.mark.parametrize("fault", ["review_expired", "review_missing"])
def test_facts_of_the_review_ledger_are_all_found_and_all_true(trials: list[Trial], fault: str) -> None:
    departments = PARAMETERS.rule("review_departments", trials[0].city.as_of).value
    assert isinstance(departments, tuple)
    for one in trials:
        reviews = one.city.tables["reviews"]
        given = reviews[reviews["given_on"].notna()]
        expired = set(given.loc[given["expires_on"] < pd.Timestamp(one.city.as_of), "unit_code"])
        due = reviews.groupby("unit_code")["candidate_ref"].nunique() * len(departments)
        lacking = due - given.groupby("unit_code").size().reindex(due.index, fill_value=0)
        true = expired if fault == "review_expired" else set(lacking[lacking > 0].index)
        assert one.flagged(fault) == true
        assert len(one.planted(fault) & true) >= 0.9 * len(one.planted(fault))


def test_table_is_whole_sorted_and_byte_equal_whatever_the_order_of_rows(trials: list[Trial]) -> None:
    one = trials[0]
    table = one.signals.table
    assert tuple(table.columns) == COLUMNS
    assert len(table) == UNITS * len(one.signals.labels)
    assert table["unit_code"].is_monotonic_increasing
    assert table["signal"].head(len(one.signals.labels)).tolist() == list(one.signals.labels)
    assert table["reason"].str.len().gt(0).all()
    assert table["q_value"].dropna().between(0, 1).all()
    names = ("units", "roll_checks", "leads", "reviews", "election_history", "facts")
    shuffled = {n: one.city.tables[n].sample(frac=1, random_state=7).reset_index(drop=True) for n in names}
    pd.testing.assert_frame_equal(
        find_signals(prepare(shuffled), PARAMETERS, one.city.as_of).table, table, check_exact=True
    )


def test_a_result_explains_itself(trials: list[Trial]) -> None:
    one = trials[0]
    signals = one.signals
    assert repr(signals).startswith(f"Signals(units={UNITS}, flagged=")
    assert "as_of=2026-10-31, fdr=0.05, parameters='default@" in repr(signals)
    code = signals.flagged("roll_gap")["unit_code"].iloc[0]
    text = signals.explain(code)
    assert text.startswith(f"{code}有")
    assert "选民登记缺口：" in text
    assert text.endswith("线索不是结论，请核查后再作判断。")
    missing = sorted(one.unknown("roll_gap") - set(signals.flagged()["unit_code"]))[0]
    assert "选民登记缺口、跨村重复登记、选民登记激增因数据不全待核实，不能当作没有问题" in signals.explain(
        missing
    )
    quiet = signals.table.groupby("unit_code")["status"].agg(set) == {SignalStatus.CLEAR.value}
    assert signals.explain(quiet[quiet].index[0]).endswith("没有发现线索。没有线索不等于没有问题。")
    with pytest.raises(KeyError):
        signals.explain("000000000000")
    with pytest.raises(KeyError):
        signals.flagged("bribe")
    copied = signals.to_frame()
    copied.loc[:, "reason"] = ""
    assert signals.table["reason"].str.len().gt(0).all()
    rows = signals.flagged()
    facts = rows["q_value"].isna()
    assert facts.is_monotonic_decreasing
    assert rows.loc[~facts, "q_value"].is_monotonic_increasing


def test_a_unit_without_any_data_cannot_be_judged() -> None:
    units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    signals = find_signals(prepare({"units": units}), PARAMETERS, dt.date(2026, 10, 31))
    said = "990101001201缺少数据，无法判断有没有异常线索。没有线索不等于没有问题。"
    assert signals.explain("990101001201") == said


def test_a_pack_without_signals_finds_none() -> None:
    units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    bare = PARAMETERS.model_copy(update={"signals": None})
    signals = find_signals(prepare({"units": units}), bare, dt.date(2026, 10, 31))
    assert tuple(signals.table.columns) == COLUMNS
    assert len(signals.flagged()) == 0
    assert (
        repr(replace(signals, version="v"))
        == "Signals(units=0, flagged=0, as_of=2026-10-31, fdr=nan, parameters='v')"
    )
