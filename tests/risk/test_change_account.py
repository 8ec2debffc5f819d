import datetime as dt
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.parameters import (
    Classification,
    Framework,
    Indicator,
    MissingPolicy,
    ParameterSet,
    load_parameters,
)
from huanjie_lib.risk.change_account import (
    PARTS,
    Cause,
    ChangeAccount,
    change_account,
    restated_index,
    revised_tables,
)
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.indicators import indicator_values
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.scoring import Scores, score
from huanjie_lib.sample import City, make_city

PACK = load_parameters()
BEFORE, AFTER = dt.date(2026, 9, 30), dt.date(2026, 10, 31)
NAMES = [c.value for c in PARTS]


@dataclass(frozen=True)
class Editions:
    earlier: dict[str, pd.DataFrame]
    latest: dict[str, pd.DataFrame]
    revised_units: set[str]


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60, snapshots=14)


@pytest.fixture(scope="module")
def editions(city: City) -> Editions:
    """Today's tables, and the facts as they read before revisions: those of the truth and a dozen more."""
    facts = city.tables["facts"].astype({"metric": "str"})
    rows = city.truth[city.truth["fault"] == "fact_revised"]
    first = pd.DataFrame(map(json.loads, rows["detail"])).assign(unit_code=rows["unit_code"].to_numpy())
    first["as_of"] = pd.to_datetime(first["as_of"])
    stocks = facts[facts["metric"].isin(["resident_population", "households"])]
    stocks = stocks[stocks["as_of"] <= pd.Timestamp(BEFORE)].groupby(["unit_code", "metric"]).tail(1)
    more = stocks.iloc[::10].assign(first_reported=stocks["value"] * 0.8)
    columns = ["unit_code", "as_of", "metric", "first_reported"]
    reported = pd.concat([first[columns], more[columns]]).drop_duplicates(columns[:3])
    old = facts.merge(reported, on=columns[:3], how="left", validate="one_to_one")
    changed = old["first_reported"].notna()
    assert changed.sum() > 10
    old["value"] = old["first_reported"].fillna(old["value"])
    earlier = {**city.tables, "facts": old.drop(columns="first_reported")}
    return Editions(earlier, {**city.tables, "facts": facts}, set(old.loc[changed, "unit_code"]))


def scores(tables: dict[str, pd.DataFrame], parameters: ParameterSet, date: dt.date) -> Scores:
    values = indicator_values(prepare(tables), parameters, date)
    return score(values.value, values.units["unit_kind"].astype("str"), parameters.framework)


def with_framework(framework: Framework, **changes: object) -> ParameterSet:
    return PACK.model_copy(update={"framework": framework, **changes})


def edited(change: Callable[[Indicator], Indicator], framework: Framework = PACK.framework) -> Framework:
    dimensions = tuple(
        d.model_copy(update={"indicators": tuple(change(i) for i in d.indicators)})
        for d in framework.dimensions
    )
    return framework.model_copy(update={"dimensions": dimensions})


def reweighted(seed: int, framework: Framework = PACK.framework) -> Framework:
    rng = np.random.default_rng(seed)
    across = rng.dirichlet(np.full(len(framework.dimensions), 5.0))
    dimensions = []
    for d, weight in zip(framework.dimensions, across.tolist(), strict=True):
        within = rng.dirichlet(np.full(len(d.indicators), 5.0)).tolist()
        own = tuple(i.model_copy(update={"weight": w}) for i, w in zip(d.indicators, within, strict=True))
        dimensions.append(d.model_copy(update={"weight": weight, "indicators": own}))
    return framework.model_copy(update={"dimensions": tuple(dimensions)})


def stretched(share: float, framework: Framework = PACK.framework) -> Framework:
    def change(i: Indicator) -> Indicator:
        return i.model_copy(update={"reference_points": tuple((x * share, s) for x, s in i.reference_points)})

    return edited(change, framework)


def without(indicator: str, framework: Framework = PACK.framework) -> Framework:
    """Drop an indicator; the others of its dimension keep their proportions."""
    dimensions = []
    for d in framework.dimensions:
        kept = [i for i in d.indicators if i.id != indicator]
        total = sum(i.weight for i in kept)
        own = tuple(i.model_copy(update={"weight": i.weight / total}) for i in kept)
        dimensions.append(d if len(own) == len(d.indicators) else d.model_copy(update={"indicators": own}))
    return framework.model_copy(update={"dimensions": tuple(dimensions)})


def powered(power: float, framework: Framework = PACK.framework) -> Framework:
    dimensions = tuple(d.model_copy(update={"power": power}) for d in framework.dimensions)
    return framework.model_copy(update={"dimensions": dimensions})


def lenient(framework: Framework = PACK.framework) -> Framework:
    policy = MissingPolicy(policy="severity", severity=0.5)
    return edited(lambda i: i.model_copy(update={"missing": policy}), framework)


def check_sums(account: ChangeAccount) -> None:
    units = account.units
    np.testing.assert_allclose(units[NAMES].sum(axis=1), units["change"], rtol=0, atol=1e-9)
    by_unit = account.indicators.pivot_table(
        index="unit_code", columns="cause", values="points", aggfunc="sum", fill_value=0.0
    ).reindex(index=units.index, columns=NAMES, fill_value=0.0)
    np.testing.assert_allclose(by_unit, units[NAMES], rtol=0, atol=1e-9)


def account_of(editions: Editions, new: ParameterSet, **options: object) -> ChangeAccount:
    given_options = {"before": BEFORE, "after": AFTER, "earlier": editions.earlier, "old": PACK, **options}
    return change_account(editions.latest, new, **given_options)  # type: ignore[arg-type]


@settings(max_examples=8)
@given(
    st.integers(0, 99),
    st.sampled_from([1.0, 0.7, 1.4]),
    st.sampled_from(["", "petition_rate", "roll_gap", "audit_items_incomplete"]),
    st.sampled_from([1.0, 2.0]),
    st.booleans(),
    st.booleans(),
)
def test_the_parts_add_up_exactly_whatever_changed(
    editions: Editions, seed: int, share: float, dropped: str, power: float, soft: bool, turned: bool
) -> None:
    framework = powered(power, stretched(share, reweighted(seed)))
    framework = without(dropped, framework) if dropped else framework
    new = with_framework(lenient(framework) if soft else framework)
    old, new = (new, PACK) if turned else (PACK, new)
    account = account_of(editions, new, old=old)
    check_sums(account)
    before, after = scores(editions.earlier, old, BEFORE), scores(editions.latest, new, AFTER)
    pd.testing.assert_series_equal(
        account.units["index_before"], before.index.loc[account.units.index], check_names=False
    )
    pd.testing.assert_series_equal(
        account.units["index_after"], after.index.loc[account.units.index], check_names=False
    )
    moved = after.points.fillna(0).sub(before.points.fillna(0), fill_value=0)
    total = account.indicators.groupby(["unit_code", "indicator"])["points"].sum().unstack(fill_value=0.0)
    total = total.reindex(index=moved.index, columns=moved.columns, fill_value=0.0)
    np.testing.assert_allclose(total, -moved, rtol=0, atol=1e-9)


def test_revisions_count_for_those_units_whose_revision_matters(editions: Editions) -> None:
    account = account_of(editions, PACK)
    check_sums(account)
    then, now = (scores(t, PACK, BEFORE).index for t in (editions.earlier, editions.latest))
    matters = set(then.index[(then - now).abs() > 1e-9])
    assert matters
    assert matters < editions.revised_units
    found = account.units["revised"]
    assert set(found.index[found.abs() > 1e-9]) == matters
    pd.testing.assert_series_equal(found, (now - then).loc[found.index], check_names=False, rtol=0, atol=1e-9)
    assert (account.units[["reference", "weights", "method"]] == 0.0).all(axis=None)
    assert set(account.indicators["cause"]) == {"revised", "new"}


def test_without_the_earlier_edition_revisions_are_part_of_newer_data_and_it_is_said(
    editions: Editions,
) -> None:
    account = account_of(editions, PACK, earlier=None, old=None)
    assert (account.units["revised"] == 0.0).all()
    assert "没有留存上期数据" in account.explain(account.units.index[0])
    assert not account.edition_kept
    assert "没有留存" not in account_of(editions, PACK).explain(account.units.index[0])


@pytest.mark.parametrize(
    ("framework", "cause"),
    [
        (reweighted(1), Cause.WEIGHTS),
        (stretched(0.8), Cause.REFERENCE),
        (powered(2.0), Cause.METHOD),
        (lenient(), Cause.METHOD),
        (without("petition_rate"), Cause.METHOD),
    ],
)
def test_one_change_alone_is_put_down_to_its_cause(
    editions: Editions, framework: Framework, cause: Cause
) -> None:
    """With equal data on both dates nothing else moves: the part is the whole."""
    frozen = {k: v for k, v in editions.latest.items() if k in {"units", "facts", "election_history"}}
    frozen["facts"] = frozen["facts"][frozen["facts"]["as_of"] <= pd.Timestamp(BEFORE)]
    new = with_framework(framework)
    account = change_account(frozen, new, before=BEFORE, after=BEFORE + dt.timedelta(days=1), old=PACK)
    check_sums(account)
    others = [c.value for c in PARTS if c not in (cause, Cause.NEW)]
    assert account.units[others].abs().to_numpy().max() < 1e-12
    direct = scores(frozen, new, BEFORE).index - scores(frozen, PACK, BEFORE).index
    still = account.units.index[account.units["new"].abs() < 1e-12]
    assert len(still) > 40
    np.testing.assert_allclose(account.units.loc[still, cause.value], direct[still], rtol=0, atol=1e-9)
    assert account.units[cause.value].abs().max() > 0.1


def test_causes_share_alike_what_they_only_do_together(editions: Editions) -> None:
    """Two changes on the same data: each gets the mean of its step before and after the other's."""
    both, weights, points = stretched(0.7, reweighted(3)), reweighted(3), stretched(0.7)
    tables = editions.latest
    account = change_account(
        tables, with_framework(both), before=BEFORE, after=AFTER, old=with_framework(PACK.framework)
    )

    def index(framework: Framework, date: dt.date) -> pd.Series:
        return scores(tables, with_framework(framework), date).index.loc[account.units.index]

    data = dict.fromkeys(("new", "reference", "weights"), 0.0)
    states = {
        (d, r, w): index({(0, 0): PACK.framework, (0, 1): weights, (1, 0): points, (1, 1): both}[r, w], date)
        for (d, date), r, w in itertools.product(enumerate((BEFORE, AFTER)), (0, 1), (0, 1))
    }
    for order in itertools.permutations(data):
        state = (0, 0, 0)
        for name in order:
            place = list(data).index(name)
            following = tuple(1 if n == place else s for n, s in enumerate(state))
            data[name] = data[name] + (states[following] - states[state]) / 6  # type: ignore[index]
            state = following  # type: ignore[assignment]
    for name, expected in data.items():
        np.testing.assert_allclose(account.units[name], expected, rtol=0, atol=1e-9)


def test_an_added_indicator_is_a_change_of_method_and_not_of_weights(editions: Editions) -> None:
    old = with_framework(without("roll_gap", without("leads_rate")))
    account = account_of(editions, PACK, old=old)
    check_sums(account)
    assert account.units["weights"].abs().max() < 1e-12
    assert account.units["method"].abs().max() > 0.5
    added = account.indicators[account.indicators["indicator"] == "roll_gap"]
    assert set(added["cause"]) <= {"method", "new", "revised"}


def test_a_measure_in_other_units_takes_its_reference_points_with_it(editions: Editions) -> None:
    def per_hundred(i: Indicator) -> Indicator:
        if i.id != "petition_rate":
            return i
        measure = i.measure.model_copy(update={"scale": i.measure.scale / 10})  # type: ignore[union-attr]
        points = tuple((x / 10, s) for x, s in i.reference_points)
        return i.model_copy(update={"measure": measure, "reference_points": points})

    account = account_of(editions, with_framework(edited(per_hundred)))
    assert account.units[["reference", "weights", "method"]].abs().to_numpy().max() < 1e-9


def test_a_rule_that_changed_between_the_dates_is_a_change_of_method(editions: Editions) -> None:
    plain = PACK.rule("audit_notice_min_days", BEFORE)
    rules = [r for r in PACK.rules if r.id != plain.id]
    until = plain.model_copy(update={"effective_to": BEFORE})
    since = plain.model_copy(update={"value": 7, "effective_from": BEFORE + dt.timedelta(days=1)})
    dated = PACK.model_copy(update={"rules": (*rules, until, since)})
    account = account_of(editions, dated, old=dated)
    check_sums(account)
    moved = account.units["method"]
    assert (moved < -1e-9).any()
    assert not (moved > 1e-9).any()
    assert set(account.indicators.loc[account.indicators["cause"] == "method", "indicator"]) == {
        "audit_notice_deficit"
    }
    restated = restated_index(editions.latest, dated, as_of=BEFORE, rules_on=AFTER)["index"]
    own_rules = restated_index(editions.latest, dated, as_of=BEFORE)["index"]
    assert (restated - own_rules).min() < -1e-9


def test_the_earlier_index_is_recomputed_under_the_method_of_today(editions: Editions) -> None:
    new = with_framework(powered(2.0, reweighted(5)))
    account = account_of(editions, new, earlier=None)
    restated = restated_index(editions.latest, new, as_of=BEFORE)
    known = restated["index"].notna()
    np.testing.assert_allclose(account.units["restated"][known], restated["index"][known], rtol=0, atol=1e-9)
    assert (restated["index_low"] <= restated["index_high"]).all()
    fresh = account_of(editions, new)
    gap = fresh.units["index_after"] - fresh.units["restated"]
    assert (gap - fresh.units["change"]).abs().max() > 0.5


def test_late_reports_of_an_earlier_month_are_new_and_withdrawn_ones_revised() -> None:
    code = "990101001201"
    units = pd.DataFrame({"unit_code": [code], "unit_kind": ["village"]})

    def tables(*rows: tuple[str, str, float]) -> dict[str, pd.DataFrame]:
        frame = pd.DataFrame(rows, columns=["metric", "as_of", "value"]).assign(unit_code=code)
        return {"units": units, "facts": frame.assign(as_of=pd.to_datetime(frame["as_of"]))}

    first, late = ("reserve_people", "2026-08-31", 0.0), ("committee_members", "2026-08-31", 5.0)
    seats = ("committee_seats", "2026-08-31", 5.0)
    filed = change_account(
        tables(first, seats, late), PACK, before=BEFORE, after=AFTER, earlier=tables(first, seats)
    )
    assert filed.units["revised"].tolist() == [0.0]
    assert filed.units["new"].iloc[0] > 1
    withdrawn = change_account(
        tables(first, seats), PACK, before=BEFORE, after=AFTER, earlier=tables(first, seats, late)
    )
    assert withdrawn.units["revised"].iloc[0] == pytest.approx(-filed.units["new"].iloc[0])
    kept = revised_tables(tables(first), {**tables(first, late), "unheard_of": units})
    assert set(kept) == {"units", "facts"}
    assert len(kept["facts"]) == 1


def test_colours_changed_by_data_by_method_and_by_cut_offs_name_their_cause(editions: Editions) -> None:
    plain = account_of(editions, PACK)
    changes = plain.colour_changes()
    assert len(changes) == (plain.units["level_before"] != plain.units["level_after"]).sum() > 2
    assert changes["change"].abs().is_monotonic_decreasing
    assert set(changes["cause"]) <= {"new", "revised"}
    first = changes.iloc[0]
    assert first["sentence"] == plain.explain(first["unit_code"])
    assert f"主要因为{Cause.lookup()[first['cause']].label}（" in first["sentence"]
    named = plain.indicators[
        (plain.indicators["unit_code"] == first["unit_code"]) & (plain.indicators["cause"] == first["cause"])
    ]
    top = named.loc[named["points"].idxmin() if first["change"] < 0 else named["points"].idxmax()]
    assert f"{plain.labels[top['indicator']]}{'多' if first['change'] < 0 else '少'}扣" in first["sentence"]

    cuts: Classification = PACK.classification.model_copy(update={"green_from": 95.0})
    stricter = account_of(editions, PACK.model_copy(update={"classification": cuts}))
    by_cuts = stricter.units[stricter.units["cause"] == Cause.CUTOFFS.value]
    assert len(by_cuts) > 3
    assert by_cuts["level_before"].eq("green").all()
    assert stricter.explain(by_cuts.index[0]).endswith("由绿色转为黄色，主要因为分界线调整。")
    pd.testing.assert_frame_equal(stricter.units[NAMES], plain.units[NAMES])


def test_the_published_level_and_hysteresis_decide_the_colours(editions: Editions) -> None:
    published = pd.Series("green", index=scores(editions.latest, PACK, BEFORE).index.index)
    account = account_of(editions, PACK, level_before=published)
    assert account.units["level_before"].eq("green").all()
    expected = classify(account.units["index_after"], PACK.classification, previous=published)
    assert account.units["level_after"].tolist() == expected.tolist()


def test_units_of_one_date_only_are_told_apart(editions: Editions) -> None:
    units = editions.latest["units"].copy()
    late, gone = units["unit_code"].iloc[[0, 1]]
    units["valid_from"] = pd.to_datetime(units["valid_from"])
    units.loc[units["unit_code"] == late, "valid_from"] = pd.Timestamp(AFTER)
    units["valid_to"] = pd.to_datetime(units["valid_to"])
    units.loc[units["unit_code"] == gone, "valid_to"] = pd.Timestamp(BEFORE)
    account = change_account({**editions.latest, "units": units}, PACK, before=BEFORE, after=AFTER)
    assert account.only_after == (late,)
    assert account.only_before == (gone,)
    assert len(account.units) == 58
    assert account.explain(late) == f"{late}在2026年9月30日还没有启用，没有可比的上期指数。"
    assert account.explain(gone) == f"{gone}在2026年10月31日已经停用，没有本期指数。"
    with pytest.raises(KeyError):
        account.explain("nowhere")


def test_sentences_and_the_city_give_the_figures_of_the_account(editions: Editions) -> None:
    account = account_of(editions, PACK)
    unit = account.units["change"].abs().idxmax()
    row = account.units.loc[unit]
    text = account.explain(unit)
    assert text.startswith(
        f"{unit}选情指数2026年9月30日为{row['index_before']:.1f}分，2026年10月31日为{row['index_after']:.1f}分"
    )
    assert f"变化{'−' if row['change'] < 0 else '+'}{abs(row['change']):.1f}分：" in text
    mean = account.city()
    assert mean["index_before"] + mean[NAMES].sum() == pytest.approx(mean["index_after"], abs=1e-9)
    assert repr(account) == (
        f"ChangeAccount(units=60, change_colour={len(account.colour_changes())}, from=2026-09-30, "
        f"as_of=2026-10-31, parameters={PACK.version!r})"
    )
    frame = account.to_frame()
    frame["change"] = 0.0
    assert account.units["change"].abs().max() > 0
    quiet = account.units["change"].abs() < 0.05
    if quiet.any():
        assert "没有变化" in account.explain(quiet.idxmax())


def test_dates_the_wrong_way_round_are_refused(editions: Editions) -> None:
    with pytest.raises(ValueError, match="must come first"):
        change_account(editions.latest, PACK, before=AFTER, after=BEFORE)


def test_an_earlier_edition_without_revisions_changes_no_share(editions: Editions) -> None:
    new = with_framework(stretched(0.8, reweighted(4)))
    kept = account_of(editions, new, earlier=editions.latest)
    none = account_of(editions, new, earlier=None)
    assert (kept.units["revised"] == 0.0).all()
    pd.testing.assert_frame_equal(kept.units, none.units)
    pd.testing.assert_frame_equal(kept.indicators, none.indicators)


def test_published_values_stand_in_for_tables_that_were_not_kept(editions: Editions) -> None:
    """The values of a published run tell revised from new wherever a value was known then."""
    values = indicator_values(prepare(editions.earlier), PACK, BEFORE).value
    new = with_framework(without("roll_gap", powered(2.0, reweighted(6))))
    by_tables = account_of(editions, new)
    by_values = account_of(editions, new, earlier=None, published=values)
    check_sums(by_values)
    assert by_values.edition_kept
    names = ["index_before", "index_after", "change", *NAMES]
    pd.testing.assert_frame_equal(by_tables.units[names], by_values.units[names], rtol=0, atol=1e-9)
    gaps = values.copy()
    late = next(c for c in gaps.index[gaps["petition_rate"].notna()] if c not in editions.revised_units)
    gaps.loc[late, "petition_rate"] = np.nan
    filed = account_of(editions, PACK, earlier=None, published=gaps).units.loc[late]
    plain = account_of(editions, PACK, earlier=None, published=values).units.loc[late]
    assert filed["revised"] == pytest.approx(plain["revised"])
    assert filed["new"] > plain["new"] + 0.1
    fewer = account_of(editions, PACK, earlier=None, published=values.iloc[1:])
    assert len(fewer.units) == 59


def test_published_values_of_a_measure_that_changed_are_read_from_the_tables(editions: Editions) -> None:
    values = indicator_values(prepare(editions.latest), PACK, BEFORE).value

    def yearly(i: Indicator) -> Indicator:
        measure = i.measure.model_copy(update={"months": 6})
        return i.model_copy(update={"measure": measure}) if i.id == "petition_rate" else i

    new = with_framework(edited(yearly))
    account = account_of(editions, new, earlier=None, published=values)
    check_sums(account)
    assert set(account.indicators.loc[account.indicators["cause"] == "method", "indicator"]) == {
        "petition_rate"
    }
    assert (account.units["revised"] == 0.0).all()
    with pytest.raises(ValueError, match="not both"):
        account_of(editions, new, published=values)
    with pytest.raises(KeyError):
        account_of(editions, new, earlier=None, published=values.drop(columns="petition_rate"))
