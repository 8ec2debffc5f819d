import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import run_risk
from huanjie_lib.risk.indicators import indicator_values
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.scoring import score
from huanjie_lib.risk.trends import MONTH_DAYS, Direction, find_flips, find_trends, points_moved, sen_slopes
from huanjie_lib.sample import make_city

PACK = load_parameters()
FRAMEWORK = PACK.framework
IDS = [d.id for d in FRAMEWORK.dimensions]
MONTHS = pd.date_range("2026-01-31", periods=8, freq="ME")


@pytest.fixture(scope="module")
def city() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    made = make_city(units=60, snapshots=12)
    return dict(made.tables), run_risk(made.tables, PACK, as_of=made.as_of).history


def history(
    series: dict[str, list[float | None]], levels: dict[str, list[str]] | None = None
) -> pd.DataFrame:
    """A history in which all points are lost in the first dimension; None is a snapshot without data."""
    rows = []
    for code, values in series.items():
        for n, value in enumerate(values):
            index = 0.0 if value is None else value
            level = "unknown" if value is None else (levels or {}).get(code, ["yellow"] * len(values))[n]
            points = dict.fromkeys(IDS, 0.0) | {IDS[0]: 100.0 - index}
            rows.append({"unit_code": code, "as_of": MONTHS[n], "index": index, "level": level, **points})
    return pd.DataFrame(rows)


numbers = st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-100, 100).map(lambda x: round(x, 6)))


@given(st.lists(numbers, min_size=3, max_size=12), st.sampled_from([0.8, 0.9, 0.95]), st.integers(0, 1000))
def test_slopes_and_intervals_are_scipys(values: list[float | None], confidence: float, seed: int) -> None:
    times = np.cumsum(np.random.default_rng(seed).uniform(0.5, 2, len(values)))
    row = np.array([np.nan if v is None else v for v in values])
    slope, low, high = (part[0] for part in sen_slopes(times, row[None, :], confidence=confidence))
    known = ~np.isnan(row)
    if known.sum() < 2:
        assert np.isnan([slope, low, high]).all()
        return
    peer = theilslopes(row[known], times[known], alpha=confidence)
    np.testing.assert_allclose(
        [slope, low, high], [peer.slope, peer.low_slope, peer.high_slope], rtol=1e-12, atol=1e-12
    )


def test_a_unit_heading_down_is_told_from_a_steady_and_from_an_unknown_one() -> None:
    down = [90.0 - 2 * n for n in range(8)]
    trends = find_trends(
        history(
            {
                "down": down,
                "up": down[::-1],
                "wild": [*down[:3], 20.0, *down[4:]],
                "flat": [70.0] * 8,
                "gaps": [90.0, None, 80.0, None, None, 70.0, None, 60.0],
                "never": [None] * 8,
            }
        ),
        FRAMEWORK,
        version="v1",
    )
    found = trends.units["direction"].to_dict()
    assert found == {
        "down": "worsening", "up": "improving", "wild": "worsening", "flat": "steady", "gaps": "unknown",
        "never": "unknown",
    }  # fmt: skip
    assert trends.units.loc["down", "slope"] == pytest.approx(-2.0, abs=0.05)
    assert trends.units.loc["wild", "slope"] == pytest.approx(-2.0, abs=0.1)
    assert trends.units.loc["flat", ["slope", "slope_low", "slope_high"]].tolist() == [0.0, 0.0, 0.0]
    assert trends.units.loc["gaps", "snapshots"] == 4
    assert np.isnan(trends.units.loc["gaps", "slope"])
    assert trends.units.loc["gaps", "last"] == MONTHS[7]
    assert pd.isna(trends.units.loc["never", "last"])
    assert np.isnan(trends.units.loc["never", "index"])
    own = trends.dimensions.set_index(["unit_code", "dimension"])["slope"]
    assert own["down", IDS[0]] == pytest.approx(-trends.units.loc["down", "slope"])
    assert own["gaps"].isna().all()
    assert repr(trends) == "Trends(units=6, worsening=2, as_of=2026-08-31, parameters='v1')"
    assert trends.explain("gaps") == "gaps只有4期选情指数，不足6期，不能判断走势。"
    label = FRAMEWORK.dimensions[0].label
    assert trends.explain("down").startswith(
        "down：2026年1月31日至2026年8月31日共8期，选情指数持续走低，每月−2.0分"
    )
    assert trends.explain("down").endswith(f"，{label}扣分增加最快，每月2.0分。")
    assert trends.explain("up").endswith(f"，{label}扣分减少最快，每月2.0分。")
    assert "没有明显升降，每月0.0分" in trends.explain("flat")
    with pytest.raises(KeyError):
        trends.explain("nowhere")


def test_fewer_snapshots_may_be_declared_enough_and_unequal_spacing_counts() -> None:
    frame = history({"a": [90.0, 88.0, 86.0, 84.0]})
    frame["as_of"] = pd.to_datetime(["2026-01-01", "2026-01-31", "2026-03-02", "2026-07-30"])
    trends = find_trends(frame, FRAMEWORK, least=3)
    days = np.array([0, 30, 60, 210.0])
    peer = theilslopes([90, 88, 86, 84], days / MONTH_DAYS, alpha=0.95)
    assert trends.units.loc["a", "slope"] == pytest.approx(peer.slope)
    assert find_trends(frame, FRAMEWORK).units.loc["a", "direction"] == Direction.UNKNOWN.value


def test_a_slope_too_small_to_matter_is_no_direction() -> None:
    frame = history({"a": [80.0 - 0.1 * n for n in range(8)]})
    assert find_trends(frame, FRAMEWORK).units.loc["a", "direction"] == Direction.STEADY.value
    strict = find_trends(frame, FRAMEWORK, least_slope=0.0)
    assert strict.units.loc["a", "direction"] == Direction.WORSENING.value


def test_rows_in_any_order_give_the_same_trends_and_flips(
    city: tuple[dict[str, pd.DataFrame], pd.DataFrame],
) -> None:
    _, frame = city
    shuffled = frame.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(find_trends(frame, FRAMEWORK).units, find_trends(shuffled, FRAMEWORK).units)
    one, other = find_flips(frame, FRAMEWORK), find_flips(shuffled, FRAMEWORK)
    pd.testing.assert_frame_equal(one.flips, other.flips)
    pd.testing.assert_frame_equal(one.causes, other.causes)


def test_flips_of_a_city_are_all_there_and_their_causes_add_up(
    city: tuple[dict[str, pd.DataFrame], pd.DataFrame],
) -> None:
    tables, frame = city
    dates = sorted(frame["as_of"].unique())
    prepared = prepare(tables)
    points = {}
    for date in dates[-2:]:
        values = indicator_values(prepared, PACK, pd.Timestamp(date).date())
        kinds = values.units["unit_kind"].astype("str")
        points[pd.Timestamp(date).date()] = score(values.value, kinds, FRAMEWORK).points
    flips = find_flips(frame, FRAMEWORK, points=points, version="v1")
    ordered = frame.sort_values(["unit_code", "as_of"])
    changed = ordered.groupby("unit_code")["level"].transform(lambda s: s != s.shift()) & (
        ordered.groupby("unit_code").cumcount() > 0
    )
    assert len(flips.flips) == changed.sum() > 20
    told = flips.flips[flips.flips["change"].notna()].set_index(["unit_code", "as_of"])
    total = flips.causes.groupby(["unit_code", "as_of"])["points"].sum().reindex(told.index)
    np.testing.assert_allclose(total, -told["change"], atol=1e-9)
    grains = flips.causes.groupby("as_of")["grain"].unique()
    assert grains[dates[-1]].tolist() == ["indicator"]
    assert grains[dates[-2]].tolist() == ["dimension"]
    for _, own in flips.causes.groupby(["unit_code", "as_of"]):
        sign = 1 if told.loc[(own["unit_code"].iloc[0], own["as_of"].iloc[0]), "worse"] else -1
        assert (own["points"] * sign).is_monotonic_decreasing
    unit = told.index[-1][0]
    assert flips.explain(unit).startswith(f"{unit}在")
    assert "主要因为" in flips.explain(unit)
    assert repr(flips).startswith("Flips(units=60, flips=")


def test_losing_all_data_is_told_and_is_no_improvement() -> None:
    frame = history(
        {"lost": [55.0, None, 55.0], "same": [70.0] * 3},
        {"lost": ["red", "red", "red"], "same": ["yellow"] * 3},
    )
    flips = find_flips(frame, FRAMEWORK)
    assert flips.flips[["from_level", "to_level", "worse"]].to_numpy().tolist() == [
        ["red", "unknown", True],
        ["unknown", "red", False],
    ]
    assert flips.causes.empty
    text = flips.explain("lost")
    assert "由红色转为无数据：没有可用的数据，不能说明变好。" in text
    assert text.index("首次评出颜色") < text.index("不能说明变好")
    assert flips.explain("same") == "same在3期快照中没有变色。"
    with pytest.raises(KeyError):
        flips.explain("nowhere")


def test_a_unit_that_one_snapshot_lacks_has_no_flip_there_and_one_snapshot_has_none() -> None:
    frame = history({"a": [85.0, 85.0, 50.0]}, {"a": ["green", "green", "red"]}).iloc[[0, 2]]
    frame = pd.concat([frame, history({"b": [70.0] * 3})], ignore_index=True)
    assert find_flips(frame, FRAMEWORK).flips.empty
    once = find_flips(frame[frame["as_of"] == MONTHS[0]], FRAMEWORK)
    assert once.flips.empty
    assert once.causes.empty
    assert (once.flips.dtypes == find_flips(frame, FRAMEWORK).flips.dtypes).all()
    assert once.explain("a") == "a在1期快照中没有变色。"


def test_points_that_one_side_lacks_count_as_none_lost() -> None:
    before = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, 4.0]}, index=["x", "y"])
    after = pd.DataFrame({"b": [3.0], "c": [0.5]}, index=["x"])
    assert points_moved(before, after).to_dict("index") == {"x": {"a": -1.0, "b": 3.0, "c": 0.5}}


def test_what_cannot_work_is_refused() -> None:
    frame = history({"a": [70.0] * 3})
    with pytest.raises(ValueError, match="least"):
        find_trends(frame, FRAMEWORK, least=2)
    with pytest.raises(ValueError, match="rows"):
        find_trends(frame.iloc[:0], FRAMEWORK)
    with pytest.raises(ValueError, match="rows"):
        find_flips(frame.iloc[:0], FRAMEWORK)
    with pytest.raises(ValueError, match="duplicate"):
        find_flips(pd.concat([frame, frame]), FRAMEWORK)
    with pytest.raises(KeyError):
        find_trends(frame.drop(columns=IDS[0]), FRAMEWORK)


def test_points_by_indicator_are_used_only_where_both_snapshots_have_them() -> None:
    frame = history({"a": [85.0, 70.0]}, {"a": ["green", "yellow"]})
    flips = find_flips(frame, FRAMEWORK, points={dt.date(2026, 2, 28): pd.DataFrame()})
    assert flips.causes["grain"].tolist() == ["dimension"]
    assert flips.explain("a").endswith("主要因为财务审计多扣15.0分。")


def test_one_snapshot_has_no_slope() -> None:
    assert all(np.isnan(part).all() for part in sen_slopes(np.array([0.0]), np.array([[1.0], [np.nan]])))
