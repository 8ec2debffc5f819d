"""One talent run over a synthetic city: whole, repeatable, and blind to what must not count."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from huanjie_lib import matching
from huanjie_lib.errors import DataError
from huanjie_lib.matching import STEPS, TalentResult, run_talent
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample.city import City, make_city
from huanjie_lib.store.talent_folder import TALENT_TABLES
from huanjie_lib.vocabulary import GateStatus, PostKind

pytestmark = pytest.mark.slow
AS_OF = dt.date(2026, 10, 31)


@pytest.fixture(scope="module", autouse=True)
def few_are_proved() -> Iterator[None]:
    """Let the certificate score a few people again and again; tests/talent/test_fairness.py is about it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "PROVED_PEOPLE", 60)
        patch.setattr(matching, "PROVED_UNITS", 6)
        yield


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60, snapshots=1)


@pytest.fixture(scope="module")
def losses(city: City) -> pd.DataFrame:
    codes = city.tables["units"]["unit_code"].to_numpy()
    dimensions = [d.id for d in load_parameters().framework.dimensions]
    share = np.random.default_rng(3).random((len(codes), len(dimensions)))
    return pd.DataFrame(
        {
            "unit_code": np.repeat(codes, len(dimensions)),
            "dimension": np.tile(dimensions, len(codes)),
            "share": share.ravel(),
        }
    )


def run(tables: dict[str, pd.DataFrame], losses: pd.DataFrame | None) -> TalentResult:
    return run_talent(tables, load_parameters(), as_of=AS_OF, losses=losses, seed=7)


@pytest.fixture(scope="module")
def result(city: City, losses: pd.DataFrame) -> TalentResult:
    return run(dict(city.tables), losses)


@pytest.fixture(scope="module")
def plain(city: City) -> tuple[TalentResult, list[str]]:
    """A run without losses, and what it told of its way; nothing to prove, for nothing is protected."""
    told: list[str] = []
    found = run_talent(
        {name: frame for name, frame in city.tables.items() if name != "people_protected"},
        load_parameters(),
        as_of=AS_OF,
        seed=1,
        progress=lambda label, *_: told.append(label),
    )
    return found, told


def digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(frame.to_csv().encode()).hexdigest()


def test_every_table_of_the_folder_is_made_and_names_known_people_only(result: TalentResult) -> None:
    frames = result.frames()
    assert set(frames) == set(TALENT_TABLES)
    refs = set(result.people["person_ref"])
    for name, frame in frames.items():
        if "person_ref" in frame and name != "cultivation":
            assert set(frame["person_ref"]) <= refs, name
        assert not {"sex", "is_minority", "name_sealed", "id_sealed"} & set(frame.columns), name


def test_only_who_passes_is_listed_and_each_on_a_few_lists_once(result: TalentResult) -> None:
    pack = load_parameters().talent
    assert pack is not None
    frames = result.frames()
    passing = {
        (ref, post)
        for ref, post, status in frames["eligible"].astype("str").itertuples(index=False)
        if status == "pass"
    }
    refused = set(frames["eligibility"].dropna(subset=["unit_code"])[["unit_code", "post", "person_ref"]]
                  .itertuples(index=False, name=None))  # fmt: skip
    for name in ("shortlists", "lists"):
        rows = frames[name]
        assert set(rows[["person_ref", "post"]].itertuples(index=False, name=None)) <= passing
        assert not rows.duplicated(["unit_code", "post", "person_ref"]).any()
        assert not refused & set(rows[["unit_code", "post", "person_ref"]].itertuples(index=False, name=None))
    assert frames["lists"]["person_ref"].value_counts().max() <= pack.lists_per_person
    assert result.assignment.optimal
    posts = frames["posts"]
    assert (posts["lacking"] == posts["wanted"] - posts["listed"]).all()
    assert (posts["wanted"] == np.maximum(posts["seats"] + 1, pack.list_length)).all()


def test_equal_inputs_give_equal_tables_whatever_the_order_of_rows(
    city: City, losses: pd.DataFrame, result: TalentResult
) -> None:
    shuffled = {
        name: frame.sample(frac=1.0, random_state=5).reset_index(drop=True)
        for name, frame in city.tables.items()
        if name != "townships"
    }
    again = run({**shuffled, "townships": city.tables["townships"]}, losses.sample(frac=1.0, random_state=5))
    for name, frame in result.frames().items():
        assert digest(frame) == digest(again.frames()[name]), name


def test_a_unit_that_loses_points_on_finance_asks_for_more_of_it(
    plain: tuple[TalentResult, list[str]], result: TalentResult
) -> None:
    at = (result.profiles.posts["post"] == PostKind.SUPERVISION.value).to_numpy()
    finance = [aspect.value for aspect in result.portraits.aspects].index("finance")
    assert (result.profiles.tilt[at, finance] > 1).all()
    assert (plain[0].profiles.tilt == 1).all()


def test_what_lies_after_the_date_is_not_known(city: City) -> None:
    tables = dict(city.tables)
    tables["people"] = tables["people"].assign(registered_on=pd.Timestamp("2026-11-01"))
    with pytest.raises(DataError, match="没有可以匹配的人员或岗位"):
        run(tables, None)


def test_a_city_without_trials_plans_or_opinions_still_gets_an_answer(city: City) -> None:
    names = ("units", "people", "posts")
    found = run({name: city.tables[name] for name in names}, None)
    assert found.shortlists.frame.empty  # nobody passes where no department was asked
    assert found.certificate.status is not GateStatus.PASS  # of an empty list nothing is proved
    assert "名单中没有人" in found.certificate.checks["found"].iloc[0]
    assert (found.frames()["posts"]["eligible"] == 0).all()
    assert set(found.frames()["eligible"].astype("str")["status"]) <= {"unknown", "fail"}


def test_the_pack_is_needed(city: City) -> None:
    parameters = load_parameters().model_copy(update={"talent": None})
    with pytest.raises(DataError, match=r"talent.yaml"):
        run_talent(dict(city.tables), parameters, as_of=AS_OF, seed=1)


def test_what_a_unit_asks_for_is_told(result: TalentResult) -> None:
    code = str(result.profiles.posts["unit_code"].iloc[0])
    assert "看重" in result.explain(code)
    assert result.explain(code).endswith("仅供决策参考，由组织决定。")
    with pytest.raises(KeyError):
        result.explain("990199999999")
    assert f"posts={len(result.profiles.posts)}" in repr(result)


def test_the_certificate_finds_leaks_behind_the_shortlists(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No woman stands on a city-wide list and none is to be cultivated: both are found, by her sex alone."""
    women: list[str] = []
    score, lists, aims = matching._score, matching._lists, matching.best_aims

    def noted(tables: Mapping[str, pd.DataFrame], *rest: Any) -> Any:
        own = tables["people_protected"]
        women[:] = own.loc[own["sex"] == "2", "person_ref"] if "sex" in own else []
        return score(tables, *rest)

    def biased(found: Any, pack: Any) -> Any:
        plain = lists(found, pack)
        kept = ~np.isin(found.portraits.person_ref[plain.pairs["person"]].astype(str), women)
        return dataclasses.replace(plain, pairs=plain.pairs[kept].reset_index(drop=True))

    def narrowed(*arguments: Any) -> pd.DataFrame:
        found = aims(*arguments)
        return found[~found["person_ref"].isin(women)].reset_index(drop=True)

    for name, leak in {"_score": noted, "_lists": biased, "best_aims": narrowed}.items():
        monkeypatch.setattr(matching, name, leak)
    monkeypatch.setattr(matching, "_teams", lambda *_: None)  # these may read it
    certificate = run_talent(dict(city.tables), load_parameters(), as_of=AS_OF, seed=7).certificate
    failed = certificate.checks.query("status == 'fail'")
    assert set(failed["column"]) == {"people_protected.sex"}
    assert failed["found"].str.contains("全市名单").any()
    assert failed["found"].str.contains("培养").any()


def test_the_way_is_told(plain: tuple[TalentResult, list[str]]) -> None:
    assert plain[1] == list(STEPS)


def test_a_hard_rule_is_kept_wherever_people_allow(result: TalentResult, city: City) -> None:
    """Whoever fits best need not be whom a rule asks for, and nobody is refused for it."""
    checks = result.compositions.checks.query("target == 'women'")
    women = city.tables["people_protected"].query("sex == '2'")["person_ref"]
    able = [post.value for post in (PostKind.DIRECTOR, PostKind.DEPUTY, PostKind.MEMBER)]
    shown = result.portraits.person_ref
    opened, posts = result.shortlists.openings, result.profiles.posts
    wants = np.zeros((len(posts), len(shown)), dtype=bool)
    for row in np.flatnonzero(posts["post"].isin(able)):
        wants[row] = opened.masks[opened.group[row]] & np.isin(shown.astype(str), women)
    wants[opened.barred[:, 0], opened.barred[:, 1]] = False
    units = pd.DataFrame(wants).groupby(posts["unit_code"].to_numpy()).any().to_numpy()
    most = int((maximum_bipartite_matching(csr_array(units), perm_type="column") >= 0).sum())
    assert most > 0.9 * len(units)
    assert int(checks["met"].sum()) == most
    assert result.compositions.least["women"] == len(units) - most


def test_what_is_proven_of_lists_and_committees_is_told(result: TalentResult) -> None:
    proven = result.proven()
    assert proven["lists_optimal"] is True
    assert proven["teams_bound"] >= proven["teams_fit"] > 0
    assert proven["teams_gap"] == pytest.approx(proven["teams_bound"] / proven["teams_fit"] - 1, abs=1e-5)
