"""Keys, regions and ranks of a panel; the index of a pack on its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk import panel as p

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # twelve-digit codes: county and township; fewer than five counties: the township is the region
        ([f"33010{c}00{t}201" for c in range(1, 7) for t in (1, 2)], ("330101", "330101001")),
        ([f"3301010{t:02d}201" for t in range(1, 7)], ("330101001", "330101001")),
        # names, in either script
        ([f"{c}縣東鄉{n}村" for c in "南北東西中" for n in range(3)], ("中縣", "中縣東鄉")),
        ([f"云溪市{c}县石镇{n}村" for c in "甲乙丙" for n in range(3)], ("云溪市丙县石镇",) * 2),
        # neither: the shortest beginning that makes groups
        ([f"{c}{n:02d}" for c in "ABCDE" for n in range(9)], ("A", "A")),
    ],
)
def test_regions_are_read_from_codes_and_names(names: list[str], expected: tuple[str, str]) -> None:
    found = p.derive_regions(names)
    assert tuple(found.iloc[0]) == expected
    assert sorted(found.index) == sorted(names)


def test_regions_that_cannot_be_read_are_asked_for() -> None:
    with pytest.raises(DataError, match="--region"):
        p.derive_regions([f"{n:04d}x" for n in range(8)])


def test_a_named_region_keeps_the_township_as_locality_where_it_nests() -> None:
    units = [f"{c}县{t}镇{n}村" for c in "甲乙" for t in "东西" for n in range(2)]
    history = pd.DataFrame({"u": units, "片": [u[0] for u in units], "横片": [u[-2] for u in units]})
    outcomes = pd.DataFrame({"u": units})
    nested = p.place_units(history, outcomes, "u", "片").loc["甲县东镇0村"]
    assert tuple(nested) == ("甲", "甲县东镇")
    across = p.place_units(history, outcomes, "u", "横片").loc["甲县东镇0村"]
    assert tuple(across) == ("0", "0")


@pytest.mark.parametrize(
    ("region", "said"),
    [(["a", "b"], "属于多个片区"), (["a", None], "没有片区"), (["a", "a"], "只有一个片区")],
)
def test_unclear_regions_are_refused(region: list[str | None], said: str) -> None:
    unit = ["u1", "u1"] if said == "属于多个片区" else ["u1", "u2"]
    history = pd.DataFrame({"u": unit, "r": region})
    with pytest.raises(DataError, match=said):
        p.place_units(history, history[["u"]], "u", "r")
    with pytest.raises(DataError, match="没有片区列"):
        p.place_units(history, history, "u", "q")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"u": ["a", "a"], "t": [1, 1]}, "同一单位同一届次有多行"),
        ({"u": ["a", None], "t": [1, 1]}, "没有单位或届次"),
        ({"u": ["a", "b"]}, "没有列 t"),
    ],
)
def test_keys_are_checked(rows: dict[str, list[object]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        p.keyed(pd.DataFrame(rows), ["u", "t"], "u", "t", "--history")


def test_numbers_are_never_repaired() -> None:
    assert p.numbers_of(pd.Series(["1.5", " ", None, "是", "False"]))[0].tolist() == pytest.approx(
        [1.5, np.nan, np.nan, 1.0, 0.0], nan_ok=True
    )
    assert p.numbers_of(pd.Series(["1.5", "约2"]))[1] == "约2"
    assert p.numbers_of(pd.Series([1.0, np.inf]))[1] == "无穷大"
    assert p.numbers_of(pd.Series([True, None], dtype="boolean"))[0].tolist() == pytest.approx(
        [1.0, np.nan], nan_ok=True
    )
    with pytest.raises(DataError, match="发现“2”"):
        p.labels(pd.DataFrame({"y": [0, 2]}), "y")


def test_columns_that_tell_nothing_are_left_out_and_told() -> None:
    history = pd.DataFrame(
        {"u": list("abab"), "t": [1, 1, 2, 2], "x": [1, 2, 3, 4], "名": "甲", "same": 5, "空": np.nan}
    )
    found = p.rank_features(
        history, ["x", "名", "same", "空"], ("u", "t"), [1], pd.Series({"a": "L", "b": "L"})
    )
    assert found.names == ["x"]
    assert found.raw["x"].tolist() == [1, 2]
    assert found.columns["note"].tolist() == [
        "",
        "不是数字（如“甲”），未用",
        "各单位都相同，未用",
        "选举前没有数据，未用",
    ]


def test_index_of_a_pack_equals_its_formula_on_each_term() -> None:
    parameters = load_parameters(TESTS / "packs" / "village_elections")
    panel = pd.read_csv(TESTS / "data" / "village_elections_2014_2018.csv").head(60)
    found = p.panel_index(panel, parameters, unit="area", term="year")
    rows = panel.merge(found, left_on=["area", "year"], right_on=["unit", "term"])
    assert len(rows) == 60
    turnout = np.interp(rows["turnout"], [0.4, 0.8], [1, 0])
    invalid = np.interp(1000 * rows["invalid"] / rows["electors"], [5, 60], [0, 1])
    margin = np.where(rows["margin"].isna(), 0.5, np.interp(rows["margin"], [0, 0.1, 0.5], [1, 0.6, 0]))
    contest = np.sqrt(0.6 * margin**2 + 0.4 * np.interp(rows["n_candidates"], [1, 4], [0, 1]) ** 2)
    np.testing.assert_allclose(
        rows["index"], 100 - 40 * (0.7 * turnout + 0.3 * invalid) - 60 * contest, atol=1e-9
    )
    with pytest.raises(DataError, match="没有参数包里的指标列"):
        p.panel_index(panel[["area", "year"]], parameters, unit="area", term="year")
    with pytest.raises(DataError, match="届次不是年份"):
        p.panel_index(panel.assign(year="第9届"), parameters, unit="area", term="year")


def test_directions_follow_the_reference_points() -> None:
    parameters = load_parameters(TESTS / "packs" / "village_elections")
    found = p.panel_directions(parameters.framework)
    assert found == {"turnout": -1, "margin": -1, "n_candidates": 1}  # invalid counts per elector only


def test_the_known_part_of_a_framework_keeps_relative_weights() -> None:
    framework = load_parameters().framework
    kept = [i.id for d in framework.dimensions for i in d.indicators[:1]]
    part = p.known_part(framework, kept)
    assert sum(d.weight for d in part.dimensions) == pytest.approx(1)
    whole = {d.id: d.weight * d.indicators[0].weight for d in framework.dimensions}
    for dimension in part.dimensions:
        assert [i.weight for i in dimension.indicators] == [1.0]
        assert dimension.weight == pytest.approx(whole[dimension.id] / sum(whole.values()))
    with pytest.raises(ValueError, match="none"):
        p.known_part(framework, ["nothing"])


def city() -> dict[str, pd.DataFrame]:
    """Two villages and two elections; the figures of 2020 lie between them, those of 2022 after."""
    units = pd.DataFrame(
        {"unit_code": ["990101001201", "990101001202"], "unit_kind": "village", "township_code": "990101001"}
    )
    elections = pd.DataFrame(
        {
            "unit_code": np.tile(units["unit_code"], 2),
            "term": np.repeat([2018, 2021], 2),
            "election_on": pd.to_datetime(["2018-11-10", "2018-11-20", "2021-03-05", "2021-04-01"]),
            "electors": [1000, 500, 1000, 500],
            "ballots": [800, 300, 100, 100],
            "invalid_ballots": [80, 3, 100, 100],
            "proxy_ballots": [8, 30, 0, 0],
            "candidates": [1, 2, 2, 2],
            "winner_votes": [700, 200, 60, 60],
            "runner_up_votes": [None, 100, 50, 50],
            "rerun": [False, True, False, False],
            "incident": [False, True, False, False],
        }
    ).astype({"runner_up_votes": "Int64"})
    facts = pd.DataFrame(
        {
            "unit_code": units["unit_code"].iloc[0],
            "as_of": pd.to_datetime(["2020-01-31", "2020-12-31", "2022-01-31"]),
            "metric": "reserve_people",
            "value": [1.0, 2.0, 9.0],
        }
    )
    return {"units": units, "election_history": elections, "facts": facts}


def test_a_city_is_seen_as_it_stood_before_the_next_election() -> None:
    panel, index = p.city_panel(city(), load_parameters())
    first = panel[panel["term"] == 2018].set_index("unit_code")
    assert first["turnout"].tolist() == [0.8, 0.6]
    assert first["invalid_share"].tolist() == [0.1, 0.01]
    assert first["margin"].tolist() == pytest.approx([1.0, 1 / 3])  # one candidate has no runner-up
    # the last report before 5 March 2021, never the one after; none for the second village
    assert first["reserve_people"].tolist() == pytest.approx([2.0, np.nan], nan_ok=True)
    assert index["term"].unique().tolist() == [2018]


def test_the_index_before_an_election_does_not_know_its_result() -> None:
    tables = city()
    _, before = p.city_panel(tables, load_parameters())
    elections = tables["election_history"]
    later = elections["term"] == 2021
    turned = elections.assign(
        ballots=elections["ballots"].mask(later, 1), winner_votes=elections["winner_votes"].mask(later, 1)
    )
    _, after = p.city_panel({**tables, "election_history": turned}, load_parameters())
    pd.testing.assert_frame_equal(before, after)
    # it uses the elections on record and nothing that was the same for all
    safe = before.set_index("unit")["index"]
    assert safe["990101001201"] > safe["990101001202"]


def test_past_outcomes_become_a_feature_and_those_of_the_tested_term_do_not() -> None:
    history = pd.DataFrame({"u": ["a", "a"], "t": [1, 2], "x": [1, 2]})
    outcomes = pd.DataFrame({"u": ["a", "a"], "t": [1, 2], "y": [1.0, 0.0]})
    found = p.with_past_outcomes(history, outcomes, ("u", "t", "y"), 2)
    assert found["y"].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)
