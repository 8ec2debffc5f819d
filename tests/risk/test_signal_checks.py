"""Each check on a small city written out: what it counts, what it says, and when it does not know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import SIGNAL_CHECKS, SignalPack, load_parameters
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.signal_checks import FACTS, NOT_A_VERDICT, TESTS
from huanjie_lib.risk.signals import find_signals
from huanjie_lib.vocabulary import RollCohort

AS_OF = dt.date(2026, 10, 31)
BEFORE = dt.date(2026, 6, 30)
PARAMETERS = load_parameters()
Tables = dict[str, pd.DataFrame]
Change = Callable[[Tables], None]


def code(unit: int) -> str:
    return f"9901011{unit // 10:02d}2{unit % 10:02d}"


def roll(day: dt.date, rng: np.random.Generator) -> pd.DataFrame:
    """Forty villages with a hundred electors expected in each age band, of whom about three are missing."""
    rows = [(code(u), c.value) for u in range(40) for c in RollCohort]
    listed = 100 - rng.binomial(100, 0.03, len(rows))
    twice = rng.binomial(listed, 0.002)
    return pd.DataFrame(rows, columns=["unit_code", "cohort"]).assign(
        as_of=pd.Timestamp(day), hukou_adults=112, away_declined=14, nonlocal_approved=3, disqualified=1,
        registered=(listed + twice).astype(float), duplicates=twice.astype(float),
    )  # fmt: skip


@pytest.fixture
def tables() -> Tables:
    rng = np.random.default_rng(1)
    codes = [code(u) for u in range(40)]
    ballots = rng.integers(300, 900, 40)
    departments = PARAMETERS.rule("review_departments", AS_OF).value
    assert isinstance(departments, tuple)
    leads = [
        (code(u), AS_OF - dt.timedelta(days=int(d)), 1) for u in range(40) for d in rng.integers(30, 360, 3)
    ]
    return {
        "units": pd.DataFrame({"unit_code": codes, "unit_kind": "village"}),
        "roll_checks": pd.concat([roll(BEFORE, rng), roll(AS_OF, rng)], ignore_index=True),
        "election_history": pd.DataFrame(
            {
                "unit_code": codes,
                "term": 2021,
                "election_on": pd.Timestamp(2021, 3, 10),
                "electors": ballots + 100,
                "ballots": ballots.astype(float),
                "proxy_ballots": rng.binomial(ballots, 0.08).astype(float),
            }
        ),
        "leads": pd.DataFrame(leads, columns=["unit_code", "received_on", "count"]).assign(
            received_on=lambda f: pd.to_datetime(f["received_on"]),
            kind="vote_buying",
            count=lambda f: f["count"].astype(float),
        ),
        "facts": pd.DataFrame(
            {
                "unit_code": codes,
                "as_of": pd.Timestamp(2026, 9, 30),
                "metric": "voters_registered",
                "value": 590.0,
            }
        ),
        "reviews": pd.DataFrame(
            [
                (f"c{u}", code(u), d, "favourable", pd.Timestamp(2026, 9, 1), pd.Timestamp(2027, 2, 28))
                for u in range(40)
                for d in departments
            ],
            columns=["candidate_ref", "unit_code", "department", "opinion", "given_on", "expires_on"],
        ),
    }


def cells(frame: pd.DataFrame, unit: int, cohort: str = "", day: dt.date = AS_OF) -> pd.Series:
    mine = (frame["unit_code"] == code(unit)) & (frame["as_of"] == pd.Timestamp(day))
    return mine & (frame["cohort"] == cohort) if cohort else mine


def row(tables: Tables, signal: str, unit: int) -> dict[str, Any]:
    table = find_signals(prepare(tables), PARAMETERS, AS_OF).table
    mine = table[(table["signal"] == signal) & (table["unit_code"] == code(unit))]
    assert len(mine) == 1
    return dict(mine.iloc[0])


def few_old_people(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame.loc[cells(frame, 7, "75+"), ["registered", "duplicates"]] = [40, 0]


def few_of_all_ages(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame.loc[cells(frame, 7), ["registered", "duplicates"]] = [45, 0]


def many_twice(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame.loc[cells(frame, 7), "registered"] += 8
    frame.loc[cells(frame, 7), "duplicates"] += 8


def many_new(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame.loc[cells(frame, 7), ["registered", "duplicates"]] = [120, 0]


def many_proxies(tables: Tables) -> None:
    tables["election_history"].loc[7, ["ballots", "proxy_ballots"]] = [500, 270]


def many_leads(tables: Tables) -> None:
    burst = pd.DataFrame(
        {
            "unit_code": code(7),
            "received_on": [pd.Timestamp(2026, 10, 20), pd.Timestamp(2026, 10, 25)],
            "count": [4.0, 5.0],
            "kind": "vote_buying",
        }
    )
    tables["leads"] = pd.concat([tables["leads"], burst], ignore_index=True)


def opinion_gone(tables: Tables) -> None:
    tables["reviews"] = tables["reviews"].drop(index=tables["reviews"].index[63])


def opinion_expired(tables: Tables) -> None:
    tables["reviews"].loc[63, "expires_on"] = pd.Timestamp(2026, 10, 30)


def opinion_adverse(tables: Tables) -> None:
    tables["reviews"].loc[63, "opinion"] = "adverse"


@pytest.mark.parametrize(
    ("signal", "change", "observed", "base", "said"),
    [
        ("roll_gap", few_old_people, 60, 100, "登记选民40人，只有按户籍和居住情况推算的100人的四成，少"),
        ("roll_gap", few_of_all_ages, 330, 600, "登记选民270人，只有按户籍和居住情况推算的600人的四成半"),
        ("roll_duplicates", many_twice, 50, None, "选民册上有50人同时登记在别处"),
        ("registration_surge", many_new, 120, 600, "登记选民比按户籍和居住情况推算的人数多出120人，占20.0%"),
        ("proxy_share", many_proxies, 270, 500, "上届（2021年）委托投票270张，占收回选票的54%；全市一般占8%"),
        ("leads_burst", many_leads, 9, 590, "近28天收到拉票贿选线索9件，此前336天共"),
        ("review_missing", opinion_gone, 1, 9, "1名人选的联审还缺1份部门意见"),
        ("review_expired", opinion_expired, 1, 9, "1名人选的联审意见中有1份已过有效期"),
        ("review_adverse", opinion_adverse, 1, 1, "1名人选中有1名被联审部门提出不同意意见"),
    ],
)  # fmt: skip
def test_a_fault_is_flagged_with_its_figures_and_a_sentence(
    tables: Tables, signal: str, change: Change, observed: float, base: float | None, said: str
) -> None:
    assert row(tables, signal, 7)["status"] == "clear"
    change(tables)
    mine = row(tables, signal, 7)
    assert mine["status"] == "flagged"
    assert mine["observed"] == observed
    assert base is None or mine["base"] == base
    assert said in mine["reason"]
    assert mine["restricted"] == PARAMETERS.signals.signal(signal).restricted
    if signal in TESTS:
        assert mine["reason"].endswith(NOT_A_VERDICT)
        assert mine["q_value"] <= 0.05
        assert mine["expected"] < observed / 3
    else:
        assert np.isnan(mine["p_value"])
        assert np.isnan(mine["q_value"])
    others = find_signals(prepare(tables), PARAMETERS, AS_OF).flagged(signal)["unit_code"]
    assert others.tolist() == [code(7)]


def blank(table: str, column: str) -> Change:
    def change(tables: Tables) -> None:
        frame = tables[table]
        mine = frame["unit_code"] == code(7)
        frame[column] = frame[column].mask(mine & ~mine.shift(fill_value=False))

    return change


def without_unit(table: str) -> Change:
    def change(tables: Tables) -> None:
        tables[table] = tables[table][tables[table]["unit_code"] != code(7)]

    return change


def without_check_before(tables: Tables) -> None:
    frame = tables["roll_checks"]
    tables["roll_checks"] = frame[~cells(frame, 7, day=BEFORE)]


def only_an_old_check(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame.loc[cells(frame, 7), "as_of"] = pd.Timestamp(2025, 1, 31)
    frame.loc[cells(frame, 7, day=BEFORE), "as_of"] = pd.Timestamp(2024, 1, 31)


def a_gap_in_the_last_check(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame["away_declined"] = frame["away_declined"].astype(float)
    frame.loc[cells(frame, 7, "60-74"), "away_declined"] = np.nan


def more_proxies_than_ballots(tables: Tables) -> None:
    tables["election_history"].loc[7, "proxy_ballots"] = 5000


@pytest.mark.parametrize(
    ("signal", "change", "why"),
    [
        ("roll_gap", a_gap_in_the_last_check, "选民登记核对数据不全，无法判断"),
        ("registration_surge", a_gap_in_the_last_check, "选民登记核对数据不全，无法判断"),
        ("roll_gap", without_unit("roll_checks"), "没有选民登记核对数据，无法判断"),
        ("roll_gap", only_an_old_check, "最近一次选民登记核对在2025年1月31日，超过400天"),
        ("roll_duplicates", without_unit("roll_checks"), "没有选民登记核对数据，无法判断"),
        ("registration_surge", without_check_before, "之前400天内没有完整的选民登记核对可比"),
        ("proxy_share", without_unit("election_history"), "没有上届选举数据"),
        ("proxy_share", blank("election_history", "proxy_ballots"), "没有填报选票数或委托投票数"),
        ("proxy_share", more_proxies_than_ballots, "委托投票数大于收回选票数，数据有误"),
        ("leads_burst", without_unit("facts"), "没有登记选民数"),
        ("leads_burst", blank("leads", "count"), "有线索没有填写件数"),
        ("review_missing", without_unit("reviews"), "尚未报送联审人选"),
        ("review_expired", blank("reviews", "expires_on"), "有意见未注明有效期"),
    ],
)
def test_a_unit_without_its_figures_is_unknown_and_says_why(
    tables: Tables, signal: str, change: Change, why: str
) -> None:
    change(tables)
    mine = row(tables, signal, 7)
    assert mine["status"] == "unknown"
    assert why in mine["reason"]
    assert np.isnan(mine["observed"])
    assert np.isnan(mine["q_value"])


@pytest.mark.parametrize(
    ("table", "signals"),
    [
        ("roll_checks", ["roll_gap", "roll_duplicates", "registration_surge"]),
        ("election_history", ["proxy_share"]),
        ("leads", ["leads_burst"]),
        ("reviews", ["review_missing", "review_expired", "review_adverse"]),
    ],
)
def test_a_table_that_was_not_supplied_leaves_its_checks_unknown(
    tables: Tables, table: str, signals: list[str]
) -> None:
    del tables[table]
    found = find_signals(prepare(tables), PARAMETERS, AS_OF).table
    unknown = found[found["status"] == "unknown"]
    assert sorted(unknown["signal"].unique()) == sorted(signals)
    assert unknown.groupby("signal").size().tolist() == [40] * len(signals)


def test_too_few_units_tell_nothing_about_what_is_ordinary(tables: Tables) -> None:
    tables["units"] = tables["units"].head(29)
    found = find_signals(prepare(tables), PARAMETERS, AS_OF).table
    tested = found[found["signal"].isin(TESTS)]
    assert set(tested["status"]) == {"unknown"}
    assert tested["reason"].unique().tolist() == [
        "只有29个村（社区）有数据，不足30个，看不出一般情况，无法判断"
    ]


def test_without_earlier_leads_a_burst_cannot_be_told(tables: Tables) -> None:
    tables["leads"] = tables["leads"][tables["leads"]["received_on"] > pd.Timestamp(2026, 10, 20)]
    many_leads(tables)
    assert row(tables, "leads_burst", 7)["reason"] == "此前336天没有线索记录可比，无法判断"


def test_catching_up_and_an_old_surplus_are_no_surge(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame.loc[cells(frame, 3, day=BEFORE), ["registered", "duplicates"]] = [60, 0]
    frame.loc[cells(frame, 4, day=BEFORE), ["registered", "duplicates"]] = [125, 0]
    frame.loc[cells(frame, 4), ["registered", "duplicates"]] = [125, 0]
    assert row(tables, "registration_surge", 3)["observed"] <= 10
    assert row(tables, "registration_surge", 4)["observed"] == 0


def test_leads_of_other_kinds_and_after_the_date_do_not_count(tables: Tables) -> None:
    before = row(tables, "leads_burst", 7)["observed"]
    many_leads(tables)
    tables["leads"].loc[tables["leads"].index[-2:], "kind"] = ["roll", "vote_buying"]
    tables["leads"].loc[tables["leads"].index[-1], "received_on"] = pd.Timestamp(2026, 11, 1)
    assert row(tables, "leads_burst", 7)["observed"] == before


def test_a_unit_with_many_leads_of_old_needs_more_to_stand_out(tables: Tables) -> None:
    many_leads(tables)
    quiet = row(tables, "leads_burst", 7)["p_value"]
    early = tables["leads"].iloc[[-1]].assign(received_on=pd.Timestamp(2026, 3, 1), count=60.0)
    tables["leads"] = pd.concat([tables["leads"], early], ignore_index=True)
    assert row(tables, "leads_burst", 7)["p_value"] > 5 * quiet


def test_below_the_least_effect_p_is_one(tables: Tables) -> None:
    frame = tables["roll_checks"]
    frame.loc[cells(frame, 7, "75+"), ["registered", "duplicates"]] = [61, 0]
    assert row(tables, "roll_gap", 7)["p_value"] == 1.0
    frame.loc[cells(frame, 7, "75+"), "registered"] = 60
    assert row(tables, "roll_gap", 7)["p_value"] < 1e-4


@pytest.mark.parametrize(
    ("signal", "table", "column", "steps"),
    [
        ("roll_duplicates", "roll_checks", "duplicates", (12, 15, 20, 30)),
        ("proxy_share", "election_history", "proxy_ballots", (150, 200, 250, 300)),
        ("roll_gap", "roll_checks", "registered", (58, 50, 40, 20)),
    ],
)
def test_more_of_it_only_lowers_the_p_value(
    tables: Tables, signal: str, table: str, column: str, steps: tuple[int, ...]
) -> None:
    tables["election_history"].loc[7, "ballots"] = 600
    frame, p_values = tables[table], []
    mine = cells(frame, 7, "75+") if table == "roll_checks" else frame["unit_code"] == code(7)
    for step in steps:
        frame.loc[mine, column] = step
        p_values.append(row(tables, signal, 7)["p_value"])
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[-1] < p_values[0] < 1


def test_every_check_that_a_pack_may_name_is_there() -> None:
    assert {*TESTS, *FACTS} == set(SIGNAL_CHECKS)
    assert isinstance(PARAMETERS.signals, SignalPack)
    assert [s.check for s in PARAMETERS.signals.signals] == [*TESTS, *FACTS]
