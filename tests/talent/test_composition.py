"""Committees keep the rules on their structure, which are never conditions on a person."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import TeamTarget, load_parameters
from huanjie_lib.talent.composition import Compositions, compose
from huanjie_lib.vocabulary import PostKind, UnitKind

AS_OF = dt.date(2026, 10, 31)
WOMEN = TeamTarget(
    id="women", label="至少一名妇女成员", measure="women", at_least=1, hard=True, source="示例"
)
YOUNG = TeamTarget(
    id="young", label="至少一名35岁以下成员", measure="young", age=35, at_least=1, penalty=5, source="示例"
)
EDUCATED = TeamTarget(
    id="educated", label="至少两名大专以上学历成员", measure="educated", at_least=2, penalty=3, source="示例"
)
A, B = "990101001201", "990101001202"


def people(**changes: dict[str, object]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return persons P1 to P6, men born in 1980 with senior high school, and what is changed in them."""
    refs = [f"P{i}" for i in range(1, 7)]
    table = pd.DataFrame({"person_ref": refs, "birth_year": 1980, "education": "61", "sex": "1"}).set_index(
        "person_ref"
    )
    table["is_minority"] = False
    for ref, values in changes.items():
        for column, value in values.items():
            table.loc[ref, column] = value
    table = table.reset_index()
    return table[["person_ref", "birth_year", "education"]], table[["person_ref", "sex", "is_minority"]]


def listed(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["unit_code", "post", "person_ref", "fit"])


def seats(*rows: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["unit_code", "post", "seats"])


ONE = seats((A, "director", 1), (A, "member", 2))
LISTED = listed(
    (A, "director", "P1", 80.0),
    (A, "director", "P2", 70.0),
    (A, "member", "P1", 79.0),
    (A, "member", "P3", 66.0),
    (A, "member", "P4", 61.0),
    (A, "member", "P5", 50.0),
)


def members(found: Compositions) -> list[tuple[str, str]]:
    return list(zip(found.teams["post"], found.teams["person_ref"], strict=True))


def test_without_rules_each_seat_has_who_fits_best_and_nobody_sits_twice() -> None:
    found = compose(LISTED, ONE, *people(), None, [], as_of=AS_OF)
    assert members(found) == [("director", "P2"), ("member", "P1"), ("member", "P3")]
    assert found.objective == pytest.approx(215.0)
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    assert found.costs.empty
    assert found.relaxed.empty


@pytest.mark.parametrize(
    ("target", "change", "seated", "cost"),
    [
        (WOMEN, {"P4": {"sex": "2"}}, "P4", 5.0),
        (YOUNG, {"P4": {"birth_year": 1991}}, "P4", 5.0),
        (EDUCATED, {"P4": {"education": "31"}, "P5": {"education": "11"}}, "P4", 5.0),
    ],
)
def test_a_target_changes_the_committee_and_tells_its_cost(
    target: TeamTarget, change: dict[str, dict[str, object]], seated: str, cost: float
) -> None:
    target = target.model_copy(update={"penalty": 6.0})
    found = compose(LISTED, ONE, *people(**change), None, [target], as_of=AS_OF)
    assert seated in found.teams["person_ref"].to_list()
    assert found.costs["cost"].sum() == pytest.approx(cost, abs=1e-5)
    assert f"适配分少得：“{target.label}”{cost:.1f}分" in found.explain(A)


def test_only_the_posts_of_a_target_count_for_it() -> None:
    """村民委员会组织法 art. 6: a woman as secretary or in supervision is none on the committee."""
    women = WOMEN.model_copy(update={"posts": (PostKind.DIRECTOR, PostKind.MEMBER)})
    given = pd.concat([LISTED, listed((A, "supervision", "P6", 90.0))])
    posts = pd.concat([ONE, seats((A, "supervision", 1))])
    own = people(P6={"sex": "2"}, P4={"sex": "2"})
    assert "P4" not in compose(given, posts, *own, None, [WOMEN], as_of=AS_OF).teams["person_ref"].to_list()
    found = compose(given, posts, *own, None, [women], as_of=AS_OF)
    assert {"P4", "P6"} <= set(found.teams["person_ref"])
    alone = compose(given, posts, *people(P6={"sex": "2"}), None, [women], as_of=AS_OF)
    assert alone.relaxed[["target", "found", "able"]].values.tolist() == [["women", 0, 0]]
    shipped = load_parameters().talent
    assert shipped is not None
    assert [t.posts for t in shipped.targets if t.measure == "women"] == [
        (PostKind.DIRECTOR, PostKind.DEPUTY, PostKind.MEMBER)
    ]


def test_a_soft_target_is_missed_where_it_would_cost_more_than_its_penalty() -> None:
    found = compose(LISTED, ONE, *people(P5={"birth_year": 1995}), None, [YOUNG], as_of=AS_OF)
    assert "P5" not in found.teams["person_ref"].to_list()  # 16 points of fit for a penalty of 5
    check = found.checks.set_index("target").loc["young"]
    assert (check["wanted"], check["found"], check["able"], check["met"]) == (1, 0, 1, False)
    assert found.objective == pytest.approx(215.0 - 5.0)
    assert found.relaxed.empty
    assert "还差1名（合适的人在别的班子或岗位更需要，尽量补足）" in found.explain(A)


def test_a_hard_target_goes_before_any_fit_and_is_relaxed_only_where_it_must_be() -> None:
    found = compose(LISTED, ONE, *people(P5={"sex": "2"}), None, [WOMEN], as_of=AS_OF)
    assert "P5" in found.teams["person_ref"].to_list()
    none = compose(LISTED, ONE, *people(), None, [WOMEN], as_of=AS_OF)
    assert none.relaxed[["target", "wanted", "found", "able"]].values.tolist() == [["women", 1, 0, 0]]
    assert none.costs.empty
    assert none.objective == pytest.approx(215.0)
    assert "还差1名（候选人中人数不够，须放宽或补充人选）" in none.explain(A)


def test_the_only_woman_sits_where_she_is_needed_and_the_smallest_relaxation_is_told() -> None:
    both = seats((A, "member", 1), (B, "member", 2))
    edges = listed(
        (A, "member", "P1", 90.0),
        (A, "member", "P2", 40.0),
        (B, "member", "P1", 80.0),
        (B, "member", "P3", 70.0),
    )
    found = compose(edges, both, *people(P1={"sex": "2"}), None, [WOMEN], as_of=AS_OF)
    assert found.relaxed["target"].to_list() == ["women"]  # one unit lacks a woman, no seat is empty
    assert len(found.teams) == 3
    assert found.relaxed["unit_code"].to_list() == [A]


def test_kin_never_share_a_committee_and_its_cost_is_told() -> None:
    kin = pd.DataFrame({"person_ref": ["P3", "P9"], "other_ref": ["P1", "P1"], "relation": "sibling"})
    found = compose(LISTED, ONE, *people(), kin, [], as_of=AS_OF)
    assert members(found) == [("director", "P2"), ("member", "P1"), ("member", "P4")]
    assert found.costs[["rule", "label"]].values.tolist() == [["kin", "近亲属回避"]]
    assert found.costs["cost"].item() == pytest.approx(215.0 - found.objective, abs=1e-5)
    apart = listed((A, "member", "P1", 60.0), (B, "member", "P3", 60.0))
    two = compose(apart, seats((A, "member", 1), (B, "member", 1)), *people(), kin, [], as_of=AS_OF)
    assert len(two.teams) == 2


def test_an_empty_seat_is_told_and_costs_more_than_a_misfit() -> None:
    found = compose(LISTED, seats((A, "director", 1), (A, "member", 5)), *people(), None, [], as_of=AS_OF)
    assert found.relaxed[["target", "wanted", "found"]].values.tolist() == [["seats", 6, 5]]
    assert "空缺1个（可用的候选人不够，请补充后备人选）" in found.explain(A)
    assert repr(found) == "Compositions(units=1, meeting=1, seats=6, members=5, gap=0.00%, as_of=2026-10-31)"


def test_what_is_not_known_never_makes_a_committee_look_right() -> None:
    hidden, protected = people()
    protected["sex"] = ["0", "9", None, "1", "1", "1"]
    hidden = hidden.astype({"birth_year": "Int64"})
    hidden["birth_year"] = pd.array([None] * 6, dtype="Int64")
    hidden["education"] = None
    protected["is_minority"] = pd.array([None] * 6, dtype="boolean")
    minority = WOMEN.model_copy(update={"id": "minority", "measure": "minority"})
    for tables in ((hidden, protected), (hidden.iloc[:0], protected.iloc[:0])):
        found = compose(LISTED, ONE, *tables, None, [WOMEN, YOUNG, EDUCATED, minority], as_of=AS_OF)
        assert (found.checks.loc[found.checks["target"] != "seats", ["found", "able"]] == 0).all(axis=None)


def test_age_is_the_age_reached_in_the_year() -> None:
    for born, counted in ((1990, 0), (1991, 1)):
        found = compose(LISTED, ONE, *people(P1={"birth_year": born}), None, [YOUNG], as_of=AS_OF)
        assert found.checks.set_index("target").loc["young", "able"] == counted


def test_a_target_of_one_kind_of_unit_holds_there_only() -> None:
    target = WOMEN.model_copy(update={"unit_kind": UnitKind.COMMUNITY})
    kinds = pd.Series({A: UnitKind.VILLAGE.value, B: UnitKind.COMMUNITY.value})
    both = seats((A, "member", 1), (B, "member", 1))
    found = compose(LISTED.iloc[:0], both, *people(), None, [target], as_of=AS_OF, unit_kinds=kinds)
    assert found.checks.loc[found.checks["target"] == "women", "unit_code"].to_list() == [B]
    with pytest.raises(ValueError, match="kinds of units"):
        compose(LISTED, ONE, *people(), None, [target], as_of=AS_OF)


def test_protected_attributes_never_change_a_fit_and_nothing_else_reads_them() -> None:
    edges = LISTED.sample(frac=1, random_state=1)
    flipped = people()[1].assign(sex=lambda t: t["sex"].map({"1": "2", "2": "1"}), is_minority=True)
    plain = compose(LISTED, ONE, *people(), None, [YOUNG], as_of=AS_OF)
    other = compose(edges, ONE.iloc[::-1], people()[0], flipped, None, [YOUNG], as_of=AS_OF)
    pd.testing.assert_frame_equal(plain.teams, other.teams)
    fits = {(row.post, row.person_ref): row.fit for row in LISTED.itertuples()}
    assert all(fits[row.post, row.person_ref] == row.fit for row in plain.teams.itertuples())


def test_equal_arguments_give_equal_tables() -> None:
    rng = np.random.default_rng(3)
    units = [f"9901010012{i:02d}" for i in range(6)]
    rows = []
    for unit in units:
        for post in ("director", "member"):
            rows += [
                (unit, post, f"P{i}", round(rng.normal(60, 9), 2)) for i in rng.choice(24, 6, replace=False)
            ]
    edges = listed(*rows)
    wanted = seats(*((u, post, n) for u in units for post, n in (("director", 1), ("member", 2))))
    refs = [f"P{i}" for i in range(24)]
    register = pd.DataFrame(
        {"person_ref": refs, "birth_year": 1970 + np.arange(24), "education": ["31", "61"] * 12}
    )
    protected = pd.DataFrame({"person_ref": refs, "sex": ["1", "1", "2"] * 8, "is_minority": False})
    kin = pd.DataFrame({"person_ref": refs[:8], "other_ref": refs[8:16]})
    targets = load_parameters().talent.targets
    first, second = (
        compose(*tables, register, protected, kin, targets, as_of=AS_OF, version="v")
        for tables in ((edges, wanted), (edges.iloc[::-1], wanted.iloc[::-1]))
    )
    for name in ("teams", "checks", "relaxed", "costs"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    assert (first.objective, first.bound) == (second.objective, second.bound)
    assert first.objective <= first.bound <= first.objective * 1.006
    assert "parameters='v'" in repr(first)
    with pytest.raises(KeyError):
        first.explain("990101001299")
    copy = first.to_frame()
    copy["fit"] = 0.0
    assert (first.teams["fit"] > 0).all()


def test_no_posts_at_all() -> None:
    found = compose(LISTED.iloc[:0], ONE.iloc[:0], *people(), None, [WOMEN], as_of=AS_OF)
    assert (len(found.teams), len(found.checks), found.objective, found.gap) == (0, 0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("edges", "wanted", "message"),
    [
        (pd.concat([LISTED, LISTED.iloc[:1]]), ONE, "twice in a post's list"),
        (LISTED.assign(post="deputy"), ONE, "twice|without seats"),
        (LISTED.iloc[:1].assign(post="deputy"), ONE, "without seats"),
        (LISTED.assign(fit=np.nan), ONE, "finite"),
        (LISTED, pd.concat([ONE, ONE]), "twice in seats"),
        (LISTED, ONE.assign(seats=-1), "negative"),
    ],
)
def test_tables_that_cannot_be_are_refused(edges: pd.DataFrame, wanted: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compose(edges, wanted, *people(), None, [], as_of=AS_OF)
