"""Quasi-post assessment: kin, households, channels, divergence, races; properties of the whole."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib import contracts
from huanjie_lib.parameters import TalentPack, load_parameters
from huanjie_lib.talent.assessment import Trials, assess_trials, race

AS_OF = dt.date(2026, 10, 31)
PACK = load_parameters().talent
assert PACK is not None


def table(rows: Sequence[tuple[str, str, float]], **common: Any) -> pd.DataFrame:
    """Return a contract table from person, rater and rating; other columns are single values or lists."""
    frame = pd.DataFrame(list(rows), columns=["person_ref", "rater_ref", "rating"])
    frame["assessment_id"] = [f"A{k}" for k in range(len(frame))]
    defaults: dict[str, Any] = {
        "group_ref": "G1",
        "household_ref": None,
        "is_kin": False,
        "online": False,
        "rated_on": pd.Timestamp(2026, 9, 1),
    }
    for name, value in {**defaults, **common}.items():
        frame[name] = value
    columns = {c.name: contracts.DTYPES[c.kind] for c in contracts.table("assessments").columns}
    return frame[list(columns)].astype(columns)


def assess(frame: pd.DataFrame, pack: TalentPack = PACK, **trial: float) -> Trials:
    changed = pack.model_copy(update={"trial": pack.trial.model_copy(update=trial)})
    return assess_trials(frame, changed, as_of=AS_OF)


def person(trials: Trials, ref: str) -> pd.Series:
    return trials.people.set_index("person_ref").loc[ref]


def same(one: Trials, other: Trials) -> None:
    for name in ("raters", "races"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    pd.testing.assert_frame_equal(
        one.people.drop(columns="dropped_kin"), other.people.drop(columns="dropped_kin"), check_exact=True
    )


def city(
    seed: int, people: int = 60, *, gap: float = 0.0, severity_sd: float = 6.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return ratings of people in panels of ten, online and offline, and their true levels."""
    rng = np.random.default_rng(seed)
    level = rng.normal(65.0, 12.0, people)
    frames = []
    for online, raters, each in ((False, 5, 5), (True, 30, 8)):
        who = np.repeat(np.arange(people), each)
        rater = (who // 10) * raters + rng.integers(0, raters, len(who))
        severity = rng.normal(0.0, severity_sd, rater.max() + 1)
        rating = level[who] - severity[rater] + rng.normal(0.0, 10.0, len(who)) + gap * (online & (who == 0))
        rows = [(f"P{p:03d}", f"R{online:d}{r:04d}", y) for p, r, y in zip(who, rater, rating, strict=True)]
        frames.append(table(rows, online=online, group_ref=[f"G{p // 10}" for p in who]))
    return pd.concat(frames, ignore_index=True), level


def test_a_strict_panel_costs_nobody_their_place() -> None:
    """Four raters saw P3 to P5; P1 was rated by the two strict ones, P2 by the two mild ones."""
    off = {"R0": 12, "R1": 12, "R2": -8, "R3": -8}
    rows = [(f"P{p}", r, 76.0 - 2 * p - less) for p in (3, 4, 5) for r, less in off.items()]
    rows += [("P1", "R0", 62), ("P1", "R1", 62), ("P2", "R2", 75), ("P2", "R3", 75)]
    trials = assess(table(rows), severity_sd=20.0)
    assert person(trials, "P1")["fused"] > person(trials, "P2")["fused"]
    strict = trials.raters.set_index("rater_ref")["severity"]
    assert strict["R0"] > 4.0 > -4.0 > strict["R2"]
    assert trials.raters["ratings"].tolist() == [4, 4, 4, 4]


def test_results_recover_the_truth_better_than_means_and_intervals_cover_it() -> None:
    errors, mean_errors, covered = [], [], []
    for seed in range(20):
        frame, level = city(seed, severity_sd=12.0)
        trials = assess(frame, severity_sd=12.0)
        means = frame.groupby(["person_ref", "online"])["rating"].mean().unstack()
        errors.append(((trials.people["fused"] - level) ** 2).mean())
        mean_errors.append((((means[True] * 0.4 + means[False] * 0.6) - level) ** 2).mean())
        covered.append(((trials.people["low"] <= level) & (level <= trials.people["high"])).mean())
    assert np.mean(errors) < 0.8 * np.mean(mean_errors)
    assert 0.87 < np.mean(covered) < 0.93  # 90 % as declared, for 1,200 people


def test_kin_are_left_out_as_if_they_had_not_rated() -> None:
    frame, _ = city(1)
    kin = frame.assign(is_kin=frame.index.isin([0, 7, 9, 200]), rating=100.0).loc[[0, 7, 9, 200]]
    kin["rater_ref"] = [f"K{k}" for k in range(4)]
    with_kin, without = assess(pd.concat([kin, frame])), assess(frame)
    same(with_kin, without)
    assert with_kin.people["dropped_kin"].sum() == 4
    assert without.people["dropped_kin"].sum() == 0
    assert with_kin.left_out["reason"].unique().tolist() == ["近亲属评分"]
    assert with_kin.left_out["ratings"].sum() == 4


def test_a_person_rated_by_kin_alone_has_no_result_and_is_told() -> None:
    frame = table([("P1", "R1", 90), ("P2", "R1", 50)], is_kin=[True, False])
    trials = assess(frame)
    assert trials.people["person_ref"].tolist() == ["P2"]
    assert trials.left_out.to_numpy().tolist() == [["P1", "近亲属评分", 1]]
    with pytest.raises(KeyError):
        trials.explain("P1")


def test_ratings_after_the_day_do_not_count() -> None:
    days = [pd.Timestamp(2026, 10, 31), pd.Timestamp(2026, 11, 1)]
    trials = assess(table([("P1", "R1", 90), ("P1", "R2", 10)], rated_on=days))
    assert person(trials, "P1")["ratings"] == 1
    assert trials.left_out.to_numpy().tolist() == [["P1", "评分日期在本次日期之后", 1]]


def test_nobody_rated_gives_empty_tables() -> None:
    trials = assess(table([("P1", "R1", 90)], is_kin=True))
    assert (len(trials.people), len(trials.raters), len(trials.races), len(trials.left_out)) == (0, 0, 0, 1)
    assert (
        trials.people.dtypes.astype(str).to_dict() == assess(city(1)[0]).people.dtypes.astype(str).to_dict()
    )
    assert repr(trials) == "Trials(people=0, groups=0, diverging=0, as_of=2026-10-31, parameters='2026.1')"


def test_a_household_counts_as_one() -> None:
    """Six of one household online weigh as one with their mean; raters without a household weigh one each."""
    six = [("P1", f"R{k}", y) for k, y in enumerate((100, 100, 100, 100, 100, 40))]
    one_house = person(assess(table(six, household_ref="H1")), "P1")
    free = person(assess(table(six)), "P1")
    assert one_house["raters"] == 6
    prior, rating, severity = PACK.trial.prior_sd**2, PACK.trial.rating_sd**2, PACK.trial.severity_sd**2
    each = rating * 6 + severity  # variance of one of six ratings around the person
    shrink = prior / (prior + each / 6)
    assert one_house["fused"] == pytest.approx(65 + shrink * (90 - 65))
    assert free["fused"] > one_house["fused"]
    assert one_house["sd"] > free["sd"]


def test_a_household_counts_as_one_over_both_channels_and_for_each_person() -> None:
    rows = [("P1", "R1", 90), ("P1", "R2", 90), ("P2", "R1", 90)]
    split = assess(table(rows, household_ref="H1", online=[True, False, False]))
    alone = assess(table(rows, online=[True, False, False]))
    assert person(split, "P1")["sd"] > person(alone, "P1")["sd"]
    assert person(split, "P2")["offline"] > person(split, "P1")["offline"]


def test_the_same_rater_again_is_one_household() -> None:
    many = assess(table([("P1", "R1", 90)] * 5))
    once = assess(table([("P1", "R1", 90)]))
    assert person(many, "P1")["fused"] == pytest.approx(person(once, "P1")["fused"])


def test_channels_are_put_together_by_the_declared_share() -> None:
    trials = assess(city(2)[0])
    row = trials.people
    np.testing.assert_allclose(row["fused"], 0.4 * row["online"] + 0.6 * row["offline"])
    assert not row["divergence"].any() or row["divergence_z"].abs().max() > PACK.trial.divergence_z


def test_a_channel_that_a_group_does_not_have_counts_nothing() -> None:
    only = assess(table([("P1", "R1", 90), ("P2", "R1", 50)]))
    assert person(only, "P1")["fused"] == person(only, "P1")["offline"]
    assert only.people["online"].isna().all()
    assert only.people["divergence_z"].isna().all()
    assert not only.people["divergence"].any()


def test_who_lacks_the_channel_that_others_had_stands_at_the_prior_in_doubt() -> None:
    rows = [("P1", "R1", 90), ("P2", "R1", 90), ("P2", "R2", 90)]
    trials = assess(table(rows, online=[False, False, True]))
    one, both = person(trials, "P1"), person(trials, "P2")
    assert np.isnan(one["online"])
    assert one["fused"] == pytest.approx(0.4 * 65 + 0.6 * one["offline"])
    assert one["sd"] > both["sd"]
    assert one["fused"] < both["fused"]


def test_a_planted_divergence_is_flagged_and_both_results_stay() -> None:
    frame, _ = city(3, gap=45.0)
    trials = assess(frame)
    assert trials.people.loc[trials.people["divergence"], "person_ref"].tolist() == ["P000"]
    row = person(trials, "P000")
    assert row["online"] - row["offline"] > 15.0
    assert "线上明显高于线下，请先查明原因" in trials.explain("P000")
    assert "请先查明" not in trials.explain("P001")


def test_chance_alone_is_rarely_flagged() -> None:
    flags = np.concatenate([assess(city(seed)[0]).people["divergence"] for seed in range(10)])
    assert flags.mean() < 0.012  # two-sided tail of the declared 2.5


def test_groups_without_a_common_rater_are_not_compared() -> None:
    rows = [("P1", "R1", 90), ("P2", "R1", 30), ("P3", "R2", 90), ("P4", "R2", 30), ("P5", "R3", 60)]
    trials = assess(table(rows))
    assert trials.people["group"].tolist() == [1, 1, 2, 2, 3]
    assert trials.races.groupby("group")["size"].max().tolist() == [2, 2, 1]
    assert trials.races["rank_high"].max() == 2
    joined = assess(table([*rows, ("P2", "R2", 30)]))
    assert joined.people["group"].tolist() == [1, 1, 1, 1, 2]
    assert joined.races["size"].tolist() == [4, 4, 4, 4, 1]


def test_a_rater_online_and_offline_links_nobody() -> None:
    trials = assess(table([("P1", "R1", 90), ("P2", "R1", 30)], online=[True, False]))
    assert trials.people["group"].tolist() == [1, 2]


def test_each_assessed_set_races_by_itself() -> None:
    rows = [("P1", "R1", 90), ("P2", "R1", 30), ("P3", "R1", 60), ("P1", "R1", 88)]
    trials = assess(table(rows, group_ref=["G1", "G1", "G2", "G2"]))
    assert trials.people["group"].tolist() == [1, 1, 1]
    assert trials.races[["group_ref", "person_ref", "size"]].to_numpy().tolist() == [
        ["G1", "P1", 2],
        ["G1", "P2", 2],
        ["G2", "P1", 2],
        ["G2", "P3", 2],
    ]


def test_equal_results_tie_and_stand_in_the_order_of_references() -> None:
    rows = [(p, r, 70) for p in ("P3", "P1", "P2") for r in ("R1", "R2")]
    races = assess(table(rows), rating_sd=1e-3, severity_sd=1e-3).races
    assert races["person_ref"].tolist() == ["P1", "P2", "P3"]
    assert races[["band", "rank_low", "rank_high"]].to_numpy().tolist() == [[1, 1, 3]] * 3


def test_bands_close_before_the_first_who_is_clearly_behind_the_leader() -> None:
    """Neighbours tie all the way down; the first and the third do not, nor do the third and the fifth."""
    band, low, high = race(np.array([80.0, 78, 76, 74, 72]), np.eye(5), z=1.645)
    assert band.tolist() == [1, 1, 2, 2, 3]
    assert low.tolist() == [1, 1, 2, 3, 4]
    assert high.tolist() == [2, 3, 4, 5, 5]


@pytest.mark.parametrize("spreads", [(1.0, 100.0, 1.0, 4.0), (1.0, 1.0, 100.0, 4.0)])
def test_equal_results_share_a_band_whichever_of_them_comes_first(spreads: tuple[float, ...]) -> None:
    band, *_ = race(np.array([90.0, 80.0, 80.0, 79.0]), np.diag(spreads), z=1.645)
    assert band.tolist() == [1, 2, 2, 2]


def test_a_second_rating_of_one_household_shares_its_weight_and_may_widen() -> None:
    """One who is known to be neither strict nor mild gives way by half to one of whom that is not known."""
    panel = [(f"P{p:02d}", f"R{r:02d}", 60.0) for p in range(60) for r in range(12)]
    own = [("PX", "R00", 60.0)]
    again = [*own, ("PX", "RX", 60.0)]
    alone, shared, apart = (
        person(assess(table([*panel, *rows], household_ref=[None] * len(panel) + homes)), "PX")
        for rows, homes in ((own, ["H1"]), (again, ["H1", "H1"]), (again, ["H1", "H2"]))
    )
    assert apart["sd"] < alone["sd"] < shared["sd"]


def test_one_little_known_is_not_banded_above_better_known_ones_ahead() -> None:
    """The third ties with the leader for want of ratings, and still stands below the second."""
    band, low, high = race(np.array([90.0, 80.0, 70.0]), np.diag([1.0, 1.0, 200.0]), z=1.645)
    assert band.tolist() == [1, 2, 2]
    assert (low.tolist(), high.tolist()) == ([1, 2, 1], [2, 3, 3])


def test_results_must_fall() -> None:
    with pytest.raises(ValueError, match="highest first"):
        race(np.array([1.0, 2.0]), np.eye(2), z=1.0)


def test_ranks_hold_the_true_order_as_often_as_declared() -> None:
    """Of pairs said to be clearly apart, at most about 5 % are in truth the other way round."""
    wrong = clear = 0
    for seed in range(30):
        frame, level = city(seed)
        for _, rows in assess(frame).races.groupby("group_ref"):
            true = level[rows["person_ref"].str[1:].astype(int)]
            low, high = rows["rank_low"].to_numpy(), rows["rank_high"].to_numpy()
            ahead = high[:, None] < low  # worst rank of one before the best of the other
            clear += ahead.sum()
            wrong += (ahead & (true[:, None] < true)).sum()
    assert clear > 1000
    assert wrong / clear < 0.05


def test_a_rising_line_is_told_and_one_day_tells_none() -> None:
    days = [pd.Timestamp(2026, 1, 1) + pd.Timedelta(days=30 * k) for k in range(9)]
    rows = [("P1", f"R{k}", 50 + 5 * k) for k in range(9)]
    rising = assess(table(rows, rated_on=days), severity_sd=1e-6)
    slope = np.polyfit([(d - days[0]).days / 365.25 for d in days], [row[2] for row in rows], 1)[0]
    assert person(rising, "P1")["trend"] == pytest.approx(slope, rel=1e-6)
    assert f"评分上升，每年约{slope:.1f}分" in rising.explain("P1")
    flat = assess(table(rows))
    assert np.isnan(person(flat, "P1")["trend"])
    assert "上升" not in flat.explain("P1")


def test_a_jump_between_channels_is_no_trend() -> None:
    rows = [("P1", f"R{k}", 50 if k < 4 else 90) for k in range(8)]
    days = [pd.Timestamp(2026, 1 + k, 1) for k in range(8)]
    trials = assess(table(rows, online=[k >= 4 for k in range(8)], rated_on=days), severity_sd=1e-6)
    assert person(trials, "P1")["trend"] == pytest.approx(0.0, abs=1e-4)


def test_the_sentence_says_where_a_result_comes_from() -> None:
    frame = table(
        [("P1", "R1", 80), ("P1", "R2", 70), ("P2", "R1", 20), ("P1", "R3", 99)],
        online=[False, True, False, True],
        is_kin=[False, False, False, True],
    )
    trials = assess(frame)
    row = person(trials, "P1")
    assert trials.explain("P1", name="张某") == (
        f"张某线上评分折合{row['online']:.1f}分、线下考核折合{row['offline']:.1f}分（已校正评价人宽严），"
        f"按线上40%、线下60%合成{row['fused']:.1f}分，可信范围{row['low']:.1f}至{row['high']:.1f}分；"
        "共2人评价，另有1份近亲属评分未计入；在考察组G1可比的2人中列第1位，属第1档。"
    )


def test_twenty_thousand_people_with_ten_ratings_take_seconds() -> None:
    """A guard against a cost that grows with the square of the city; the reference figure is below 2 s."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(20_000), 10)
    rater = (who // 8) * 3 + np.tile(np.arange(10) % 5, 20_000)  # panels overlap: one part of all
    frame = pd.DataFrame(
        {
            "person_ref": np.char.add("P", who.astype(str)).astype(object),
            "group_ref": np.char.add("G", (who // 8).astype(str)).astype(object),
            "rater_ref": np.char.add("R", rater.astype(str)).astype(object),
            "household_ref": None,
            "is_kin": False,
            "online": np.tile(np.arange(10) >= 5, 20_000),
            "rating": rng.uniform(40, 100, len(who)),
            "rated_on": pd.Timestamp(2026, 9, 1),
        }
    )
    start = time.process_time()
    trials = assess(frame)
    assert time.process_time() - start < 10.0
    assert len(trials.people) == 20_000
    assert trials.people["group"].nunique() == 1


RATINGS = st.lists(
    st.tuples(
        st.sampled_from(["P1", "P2", "P3", "P4"]),
        st.sampled_from(["R1", "R2", "R3"]),
        st.integers(0, 100),
        st.booleans(),
        st.sampled_from([None, "H1", "H2"]),
    ),
    min_size=1,
    max_size=20,
)


def built(rows: Any) -> pd.DataFrame:
    return table(
        [row[:3] for row in rows], online=[row[3] for row in rows], household_ref=[row[4] for row in rows]
    )


@given(RATINGS, st.randoms())
@settings(max_examples=25)
def test_the_order_of_rows_changes_no_bit(rows: Any, random: Any) -> None:
    frame = built(rows)
    order = random.sample(range(len(frame)), len(frame))
    same(assess(frame), assess(frame.iloc[order]))


@given(RATINGS, st.data(), st.integers(1, 50))
@settings(max_examples=25)
def test_a_better_rating_never_lowers_result_bounds_or_rank(
    rows: Any, data: st.DataObject, more: int
) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    frame = built(rows)
    raised = frame.copy()
    raised.loc[at, "rating"] += more
    before, after = assess(frame), assess(raised)
    ref = rows[at][0]
    for column in ("fused", "low", "high"):
        assert person(after, ref)[column] >= person(before, ref)[column] - 1e-9
    ranks = [t.races.set_index("person_ref").loc[ref] for t in (before, after)]
    assert ranks[1]["rank_low"] <= ranks[0]["rank_low"]
    assert ranks[1]["rank_high"] <= ranks[0]["rank_high"]


@given(RATINGS, RATINGS)
@settings(max_examples=25)
def test_one_more_rating_narrows_where_the_group_and_its_channels_stay(rows: Any, more: Any) -> None:
    """Kept: same groups, same channels and no household of another rating: that one is weighed anew."""
    before = assess(built([(*row[:4], None) for row in rows]))
    used = {(row[0], row[1]) for row in rows}
    fresh = [(*row[:4], None) for row in more[:1] if (row[0], row[1]) not in used]
    after = assess(built([*[(*row[:4], None) for row in rows], *fresh]))
    known = before.people.merge(after.people, on="person_ref", suffixes=("", "_after"))
    group = known["group_after"]
    both = [
        t.people.groupby("group")[["online", "offline"]].count().gt(0).reindex(g).to_numpy()
        for t, g in ((before, known["group"]), (after, group))
    ]
    alike = (both[0] == both[1]).all(axis=1)
    assert (known["sd_after"] <= known["sd"] + 1e-9)[alike].all()
