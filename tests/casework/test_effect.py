from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.casework.effect import (
    LEAST_TOWNSHIPS,
    Match,
    RectificationEffect,
    Verdict,
    rectification_effect,
)

TOWNSHIPS, EACH = 60, 16


def city(
    seed: int, effect: float, *, townships: int = TOWNSHIPS
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Two runs of a city in which closing a case adds ``effect`` points, unevenly.

    Units vary about their own level, so that low ones rise by themselves; townships move together; and units
    that stand low, in townships that work harder, get their cases closed.
    """
    rng = np.random.default_rng(seed)
    township = np.repeat(np.arange(townships), EACH)
    size = len(township)
    level = 62 + 9 * rng.normal(size=size) + 4 * rng.normal(size=townships)[township]
    before = level + 4 * rng.normal(size=size)
    zeal = rng.normal(size=townships)[township]
    closed = rng.random(size) < 1 / (1 + np.exp((before - 52) / 5 - 0.7 * zeal))
    after = level + 1.5 + 1.2 * rng.normal(size=townships)[township] + 3 * rng.normal(size=size)
    after = after + closed * effect * (1 + 0.4 * rng.normal(size=size))
    codes = [f"{n:012d}" for n in range(size)]
    first = pd.DataFrame(
        {
            "unit_code": codes,
            "unit_kind": np.where(rng.random(size) < 0.2, "community", "village"),
            "township_code": [f"{t:09d}" for t in township],
            "index": before,
            "level": np.select([before >= 80, before >= 60], ["green", "yellow"], "red"),
        }
    )
    second = pd.DataFrame({"unit_code": codes, "index": after})
    return first, second, [code for code, done in zip(codes, closed, strict=True) if done]


@pytest.mark.parametrize("planted", [0.0, 3.0])
def test_a_planted_effect_is_recovered_within_its_interval(planted: float) -> None:
    """Over 500 other cities the interval holds the planted effect in 93 to 95 of 100."""
    seeds = range(80) if planted else range(200, 280)
    results = [rectification_effect(*city(seed, planted), seed=seed, draws=300) for seed in seeds]
    effects = np.array([r.effect for r in results])
    assert abs(effects.mean() - planted) < 0.12
    covered = np.mean([r.low <= planted <= r.high for r in results])
    assert 0.88 <= covered < 1.0
    # comparing without matching takes the rise of low indices for success
    assert np.mean([r.plain for r in results]) - planted > 1.0
    verdicts = {r.verdict for r in results}
    if planted:
        assert verdicts == {Verdict.MORE}
    else:
        assert np.mean([r.verdict is Verdict.UNSURE for r in results]) >= 0.88
    assert max(abs(r.gap) for r in results) < 0.5


def plain_estimate(
    first: pd.DataFrame, second: pd.DataFrame, treated: list[str], caliper: float, neighbours: int
) -> dict[str, tuple[int, float]]:
    """Number of controls and difference by unit, in a plain loop; least squares by numpy."""
    frame = first.set_index("unit_code").assign(after=second.set_index("unit_code")["index"])
    frame = frame[frame["index"].notna() & frame["after"].notna()]
    change = frame["after"] - frame["index"]
    group = frame["unit_kind"] + frame["level"]
    control = ~frame.index.isin(treated)
    dummies = pd.get_dummies(group).astype(float)
    design = np.column_stack([frame["index"], dummies])[control]
    slope = np.linalg.lstsq(design, change[control], rcond=None)[0][0] if control.any() else 0.0
    out = {}
    for code in sorted(set(treated) & set(frame.index)):
        offered = frame[control & (group == group[code]).to_numpy()]
        distance = (offered["index"] - frame.loc[code, "index"]).abs().round(9)
        near = distance[distance <= caliper].nsmallest(neighbours, keep="first").index
        if len(near):
            moved = change[near] + slope * (frame.loc[code, "index"] - frame.loc[near, "index"])
            out[code] = (len(near), float(change[code] - moved.mean()))
    return out


def test_it_agrees_with_a_plain_loop() -> None:
    first, second, treated = city(3, 2.0, townships=12)
    second.loc[::17, "index"] = np.nan
    found = rectification_effect(first, second, treated, seed=1, caliper=0.8, neighbours=4)
    wanted = plain_estimate(first, second, treated, 0.8, 4)
    matched = found.units[found.units["status"] == Match.MATCHED.value]
    assert list(matched.index) == sorted(wanted)
    assert matched["controls"].tolist() == [wanted[code][0] for code in matched.index]
    np.testing.assert_allclose(matched["difference"], [wanted[code][1] for code in matched.index], atol=1e-9)
    assert found.effect == pytest.approx(np.mean([d for _, d in wanted.values()]))
    assert set(found.units["status"]) == {m.value for m in Match}


def test_after_values_choose_no_pair() -> None:
    first, second, treated = city(5, 1.0, townships=12)
    shuffled = second.assign(index=np.random.default_rng(1).permutation(second["index"].to_numpy()))
    one = rectification_effect(first, second, treated, seed=1)
    two = rectification_effect(first, shuffled, treated, seed=1)
    assert one.units["controls"].equals(two.units["controls"])
    assert one.gap == two.gap


def test_row_order_seed_and_repeats() -> None:
    first, second, treated = city(7, 1.0, townships=12)
    one = rectification_effect(first, second, treated, seed=1)
    two = rectification_effect(
        first.sample(frac=1, random_state=2), second.sample(frac=1, random_state=3), treated[::-1], seed=1
    )
    pd.testing.assert_frame_equal(one.units, two.units, check_exact=True)
    assert (one.effect, one.low, one.high) == (two.effect, two.low, two.high)
    other = rectification_effect(first, second, treated, seed=2)
    assert other.effect == one.effect
    assert other.low != one.low


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(-30, 30), st.floats(0.2, 6.0), st.integers(1, 5))
def test_what_happens_to_all_alike_is_no_effect(
    seed: int, everywhere: float, caliper: float, neighbours: int
) -> None:
    first, second, treated = city(seed, 0.0, townships=4)
    one = rectification_effect(
        first, second, treated, seed=1, draws=50, caliper=caliper, neighbours=neighbours
    )
    moved = second.assign(index=second["index"] + everywhere)
    two = rectification_effect(
        first, moved, treated, seed=1, draws=50, caliper=caliper, neighbours=neighbours
    )
    np.testing.assert_allclose([one.effect, one.low, one.high], [two.effect, two.low, two.high], atol=1e-8)
    lifted = second.assign(index=second["index"] + 2.0 * second["unit_code"].isin(treated))
    three = rectification_effect(first, lifted, treated, seed=1, caliper=caliper, neighbours=neighbours)
    np.testing.assert_allclose(three.effect, one.effect + 2.0, atol=1e-8)


def tiny(**cells: list[object]) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = pd.DataFrame({"unit_kind": "village", "level": "red", "township_code": "t", **cells})
    after = frame[["unit_code", "after"]].rename(columns={"after": "index"})
    return frame.drop(columns="after"), after


def test_few_units_or_townships_say_nothing() -> None:
    first, second, treated = city(9, 6.0)
    few = rectification_effect(first, second, treated[:10], seed=1)
    assert few.verdict is Verdict.TOO_FEW
    assert "数量太少，还不能判断整改的村是否升得更多" in few.summary()
    close = first.assign(township_code=[f"t{n % (LEAST_TOWNSHIPS - 1)}" for n in range(len(first))])
    narrow = rectification_effect(close, second, treated, seed=1)
    assert narrow.low > 0
    assert narrow.verdict is Verdict.TOO_FEW
    nobody = rectification_effect(first, second, [], seed=1)
    assert nobody.verdict is Verdict.TOO_FEW
    assert np.isnan(nobody.effect)
    assert nobody.summary() == "没有村（社区）的案件销号，无法比较。"
    everyone = rectification_effect(first, second, first["unit_code"].tolist(), seed=1)
    assert everyone.matched == 0
    assert everyone.units["difference"].isna().all()


def test_units_that_cannot_be_compared_are_told() -> None:
    first, second = tiny(
        unit_code=["a", "b", "c", "d", "e"],
        index=[50.0, 52.0, 70.0, np.nan, 50.0],
        after=[55.0, 53.0, 72.0, 60.0, np.nan],
    )
    found = rectification_effect(first, second, ["a", "c", "d", "e", "gone"], seed=1)
    assert found.units["status"].to_dict() == {
        "a": "matched",
        "c": "alone",
        "d": "no_data",
        "e": "no_data",
        "gone": "no_data",
    }
    assert found.units["controls"].tolist() == [1, 0, 0, 0, 0]
    assert found.effect == 4.0
    assert np.isnan(found.low)  # one township has no spread
    assert "缺少前后指数，无法比较" in found.explain("gone")
    assert (
        found.explain("c")
        == "c有案件销号，选情指数由70.0分到72.0分，升2.0分；没有相近的村（社区），无法比较。"
    )
    assert "另有1个没有相近的村（社区）、3个缺少前后指数，没有计入" in found.summary()
    with pytest.raises(KeyError):
        found.explain("b")


def test_kind_colour_and_caliper_keep_units_apart() -> None:
    for column, value in (("unit_kind", "community"), ("level", "yellow")):
        first, second = tiny(unit_code=["a", "b"], index=[50.0, 50.0], after=[55.0, 50.0])
        first[column] = first[column].where(first["unit_code"] == "a", value)
        assert rectification_effect(first, second, ["a"], seed=1).matched == 0
    first, second = tiny(unit_code=["a", "b"], index=[42.3, 40.3], after=[55.0, 50.0])
    assert rectification_effect(first, second, ["a"], seed=1, caliper=2.0).matched == 1  # 1.9999…96 apart
    assert rectification_effect(first, second, ["a"], seed=1, caliper=1.9).matched == 0


def test_wording_never_claims_a_cause() -> None:
    first, second, treated = city(11, 3.0)
    more = rectification_effect(
        first,
        second,
        treated,
        seed=1,
        before_as_of=dt.date(2026, 9, 30),
        after_as_of=dt.date(2026, 10, 31),
        version="v",
    )
    down = second.assign(index=second["index"] - 8.0 * second["unit_code"].isin(treated))
    less = rectification_effect(first, down, treated, seed=1)
    same = rectification_effect(*city(12, 0.0), seed=1)
    assert (more.verdict, less.verdict, same.verdict) == (Verdict.MORE, Verdict.LESS, Verdict.UNSURE)
    assert more.summary().startswith("2026年9月30日至2026年10月31日，有案件销号的村（社区）")
    assert f"平均比同期相近村多升{more.effect:.1f}分" in more.summary()
    assert "少升" in less.summary()
    assert "区间包含零，还不能判断" in same.summary()
    for found in (more, less, same):
        assert "不能排除其他原因" in found.summary()
        for word in ("导致", "使得", "因为整改", "由于", "效果是", "见效"):
            assert word not in found.summary()
        assert "也不能说明原因" in found.explain(found.units.query("status == 'matched'").index[0])
    assert repr(more).endswith("verdict='more', as_of=2026-10-31, parameters='v')")
    frame = more.to_frame()
    frame["status"] = "?"
    assert "?" not in set(more.units["status"])
    assert isinstance(more, RectificationEffect)


def test_what_cannot_be_is_refused() -> None:
    first, second = tiny(unit_code=["a", "b"], index=[50.0, 50.0], after=[55.0, 50.0])
    for options in ({"draws": 0}, {"neighbours": 0}, {"caliper": -1.0}, {"caliper": float("nan")}):
        with pytest.raises(ValueError, match="out of range"):
            rectification_effect(first, second, ["a"], **{"seed": 1, **options})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="twice in before"):
        rectification_effect(pd.concat([first, first]), second, ["a"], seed=1)
    with pytest.raises(ValueError, match="twice in after"):
        rectification_effect(first, pd.concat([second, second]), ["a"], seed=1)
    with pytest.raises(KeyError):
        rectification_effect(first.drop(columns="level"), second, ["a"], seed=1)
