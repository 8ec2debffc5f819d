"""What a run finds beyond index and gates, and the sentences it tells."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pandas as pd
import pytest

from huanjie_lib.findings import COLUMNS, Findings, Published, RemediesLeftOut, readings, tables
from huanjie_lib.intake.neighbours import neighbour_pairs
from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.risk.change_account import PARTS
from huanjie_lib.sample import City, make_city
from huanjie_lib.vocabulary import Topic

AS_OF = dt.date(2026, 10, 31)
BEFORE = dt.date(2026, 9, 30)


def published(run: RiskResult) -> Published:
    return Published(
        as_of=run.as_of,
        parameters=run.parameters,
        values=run.indicators.pivot(index="unit_code", columns="indicator", values="value"),
        level=run.index.set_index("unit_code")["level"],
    )


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=200)


@pytest.fixture(scope="module")
def before(city: City) -> RiskResult:
    return run_risk(city.tables, load_parameters(), as_of=BEFORE)


@pytest.fixture(scope="module")
def result(city: City, before: RiskResult) -> RiskResult:
    pairs = neighbour_pairs(city.tables["units"], city.geometry)
    return run_risk(
        city.tables, load_parameters(), as_of=AS_OF, neighbours=pairs, published=published(before)
    )


@pytest.fixture(scope="module")
def found(result: RiskResult) -> Findings:
    return result.findings


def test_every_finding_describes_the_same_units_date_and_parameters(result: RiskResult) -> None:
    found = result.findings
    codes = set(result.index["unit_code"])
    assert found.clusters is not None
    assert found.remedies is not None
    for one in (found.uncertainty, found.clusters, found.remedies):
        assert set(one.to_frame().index) == codes
    assert set(found.signals.to_frame()["unit_code"]) == codes
    for line in repr(found).splitlines():
        assert result.parameters.version in line
        assert str(AS_OF) in line


def test_tables_hold_their_columns_by_unit_code(found: Findings) -> None:
    for name, frame in tables(found).items():
        assert frame["unit_code"].is_monotonic_increasing, name
        if name != "readings":
            assert tuple(frame.columns) == ("unit_code", *COLUMNS[name])
            assert len(frame)


def test_equal_runs_tell_the_same(before: RiskResult, result: RiskResult) -> None:
    city = make_city(units=200)
    pairs = neighbour_pairs(city.tables["units"], city.geometry).sample(frac=1, random_state=1)
    again = run_risk(
        city.tables, load_parameters(), as_of=AS_OF, neighbours=pairs, published=published(before)
    )
    for name, frame in tables(again.findings).items():
        pd.testing.assert_frame_equal(frame, tables(result.findings)[name], check_exact=True)


def test_a_finding_that_was_not_made_gives_an_empty_table(found: Findings) -> None:
    less = dataclasses.replace(found, changes=None, clusters=None, remedies=None)
    frames = tables(less)
    for name in ("changes", "clusters", "remedies", "remedy_steps"):
        assert frames[name].empty
        assert tuple(frames[name].columns) == ("unit_code", *COLUMNS[name])
    assert set(frames["readings"]["topic"]) <= {"certainty", "flip", "trend"}
    assert len(repr(less).splitlines()) == 4


def test_a_colour_that_changed_is_put_down_to_indicators(found: Findings) -> None:
    flips = found.flips
    assert len(flips.to_frame())
    assert set(flips.causes["grain"]) == {"indicator"}
    moved = flips.causes.groupby("unit_code")["points"].sum()
    change = flips.to_frame().set_index("unit_code")["change"]
    assert (moved + change.loc[moved.index]).abs().max() < 1e-9


def test_the_change_account_agrees_with_both_runs(result: RiskResult) -> None:
    changes = result.findings.changes
    assert changes is not None
    account = changes.to_frame()
    now = result.index.set_index("unit_code")
    before = result.history[result.history["as_of"] == pd.Timestamp(BEFORE)].set_index("unit_code")
    assert (account["index_after"] - now["index"]).abs().max() < 1e-9
    assert (account["index_before"] - before["index"]).abs().max() < 1e-9
    assert (account["level_after"] == now["level"]).all()
    parts = account[[cause.value for cause in PARTS]].sum(axis=1)
    assert (parts - account["change"]).abs().max() < 1e-9
    assert "变色" in changes.summary()


def test_readings_say_what_there_is_to_say_and_nothing_of_leads(found: Findings) -> None:
    frame = readings(found)
    assert not frame.duplicated(["unit_code", "topic"]).any()
    assert set(frame["topic"]) == {topic.value for topic in Topic} - {Topic.REGAINED.value}
    assert frame["text"].str.endswith("。").all()
    assert not frame["text"].str.contains("线索不是结论").any()
    assert found.remedies is not None
    assert (frame["topic"] == "remedy").sum() == found.remedies.to_frame()["target"].notna().sum()


ODD: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # name: tables kept, packs taken away
    "units alone": (("units",), ()),
    "units and facts": (("units", "facts"), ()),
    "bare packs": ((), ("measures", "signals", "uncertainty", "gates")),
}


@pytest.mark.parametrize("name", ODD)
def test_little_data_and_bare_packs_are_told_and_never_called_safe(name: str) -> None:
    kept, without = ODD[name]
    city = make_city(units=60, snapshots=2)
    given = {table: frame for table, frame in city.tables.items() if not kept or table in kept}
    parameters = load_parameters().model_copy(update=dict.fromkeys(without))
    found = run_risk(given, parameters, as_of=AS_OF)
    levels = set(found.index["level"])
    assert levels == {"unknown"} if name == "units alone" else levels <= {"red", "yellow", "green"}
    if kept:
        assert "green" not in levels
        assert found.index["to_verify"].all()
    told = tables(found.findings)["readings"]["text"]
    assert not told.str.contains("nan|None|inf").any()
    assert told.str.endswith("。").all()


def test_remedies_that_cannot_be_searched_are_left_out_and_the_reason_told() -> None:
    parameters = load_parameters()
    framework = parameters.framework
    dimensions = tuple(d.model_copy(update={"power": 2.0}) for d in framework.dimensions)
    strict = framework.model_copy(update={"dimensions": dimensions})
    city = make_city(units=60, snapshots=2)
    run = run_risk(city.tables, parameters.model_copy(update={"framework": strict}), as_of=AS_OF)
    left_out = run.findings.remedies
    assert isinstance(left_out, RemediesLeftOut)
    levels = run.index.set_index("unit_code")["level"]
    below = levels[levels.isin(["red", "yellow"])]
    pd.testing.assert_frame_equal(left_out.to_frame(), below.to_frame(), check_index_type=False)
    frames = tables(run.findings)
    assert frames["remedies"].empty
    assert frames["remedy_steps"].empty
    told = frames["readings"].query("topic == 'remedy'")
    assert set(told["unit_code"]) == set(below.index)
    assert told["text"].str.contains("没有测算转色路径：相互牵连的措施至少有 280800 种组合").all()
    assert {"certainty", "flip"} <= set(frames["readings"]["topic"])  # everything else is told as ever
    with pytest.raises(KeyError):
        left_out.explain(levels.index[levels == "green"][0])


def test_one_unit_and_two_neighbours_are_no_ground_for_a_verdict() -> None:
    codes = ["990101001001", "990101001201"]
    units = pd.DataFrame({"unit_code": codes, "unit_kind": ["community", "village"]})
    pair = pd.DataFrame({"unit_code": codes[:1], "neighbour_code": codes[1:]})
    for few, pairs in ((units.iloc[:1], pair.iloc[:0]), (units, pair)):
        found = run_risk({"units": few}, load_parameters(), as_of=AS_OF, neighbours=pairs).findings
        assert found.clusters is not None
        assert set(found.clusters.to_frame()["kind"]) == {"unknown"}
        assert set(found.trends.to_frame()["direction"]) == {"unknown"}
        assert set(found.signals.to_frame()["status"]) == {"unknown"}
