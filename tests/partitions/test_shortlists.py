"""Lists of counties apart equal those of the city whole, to the last bit, and hold pseudonyms alone."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.listing import judge_people, list_people, losses_of, posts_of, talent_pack, units_of
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.partitions.layout import NEVER_LAID_OUT, partitions, write_partitions
from huanjie_lib.partitions.run import run_partitions, run_shortlists
from huanjie_lib.partitions.scoring import survey
from huanjie_lib.partitions.shortlists import CountyLists, list_county, read_posts, trials_of_city
from huanjie_lib.pipeline import assess, snapshot_dates
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.sample import City, make_city
from huanjie_lib.store.manifest import file_digest
from huanjie_lib.talent.assessment import assess_trials
from huanjie_lib.talent.fit import post_profiles
from huanjie_lib.talent.portrait import portraits

AS_OF, SEED = dt.date(2026, 10, 31), 11
PARAMETERS = load_parameters()
KEYS = {
    "shortlists": ["unit_code", "post", "rank"],
    "thresholds": ["unit_code", "post", "person_ref", "kind", "aspect"],
    "posts": ["unit_code", "post"],
    "weights": ["unit_code", "post", "aspect"],
}
OF_PEOPLE = {
    "eligible": ["person_ref", "post"],
    "portraits": ["person_ref", "aspect"],
    "tasks": ["person_ref", "aspect"],
}


@pytest.fixture(scope="module")
def city() -> City:
    made = make_city(units=60, people=400, snapshots=1)
    facts = made.tables["facts"]
    recent = facts[facts["as_of"] >= "2026-09-01"].reset_index(drop=True)
    return replace(made, tables={**made.tables, "facts": recent})


@pytest.fixture(scope="module")
def listed(city: City) -> dict[str, pd.DataFrame]:
    """What one memory makes of the city."""
    return whole(city.tables)


@pytest.fixture(scope="module")
def folder(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The city laid out by county, and its lists by county; not to be changed."""
    folder = tmp_path_factory.mktemp("apart")
    apart(city.tables, folder)
    return folder


def whole(
    tables: Mapping[str, pd.DataFrame],
    parameters: ParameterSet = PARAMETERS,
    losses: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Return what one memory makes of all counties together."""
    pack, units = talent_pack(parameters), units_of(tables, AS_OF)
    posts = posts_of(tables, units)
    judged = judge_people(tables, posts, parameters, as_of=AS_OF)
    trials = assess_trials(tables["assessments"], pack, as_of=AS_OF).people
    shown = portraits(judged.people, tables["evidence"], trials, pack, as_of=AS_OF)
    lists = list_people(judged, shown, post_profiles(posts, units, losses, pack), pack, seed=SEED)
    return CountyLists(units, judged, lists).frames()


def apart(
    tables: Mapping[str, pd.DataFrame], folder: Path, parameters: ParameterSet = PARAMETERS
) -> dict[str, pd.DataFrame]:
    """Return what the counties make of it, put together."""
    write_partitions(tables, folder / "data")
    run_shortlists(folder / "data", folder / "out", parameters, as_of=AS_OF, seed=SEED)
    return outcome(folder)


def outcome(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: read(folder / "out", name) for name in (*KEYS, *OF_PEOPLE)}


def read(out: Path, name: str) -> pd.DataFrame:
    parts = sorted(out.glob(f"county=*/{name}.parquet"))
    return pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)


def assert_equal(found: Mapping[str, pd.DataFrame], wanted: Mapping[str, pd.DataFrame]) -> None:
    for name, key in {**KEYS, **OF_PEOPLE}.items():
        a, b = (
            frame.sort_values(key, kind="stable", ignore_index=True) for frame in (found[name], wanted[name])
        )
        if name in OF_PEOPLE:  # whoever is at home nowhere is judged in every county, and alike
            a = a.drop_duplicates(ignore_index=True)
        pd.testing.assert_frame_equal(a, b, check_exact=True, obj=name)


def test_counties_apart_list_whom_the_city_whole_lists(
    city: City, listed: Mapping[str, pd.DataFrame], folder: Path
) -> None:
    found = outcome(folder)
    assert len(partitions(folder / "data")) > 1
    assert_equal(found, listed)
    nowhere = set(city.tables["people"].loc[city.tables["people"]["unit_code"].isna(), "person_ref"])
    counties = found["shortlists"].assign(county=found["shortlists"]["unit_code"].str[:6])
    by_person = counties[counties["person_ref"].isin(nowhere)].groupby("person_ref")["county"].nunique()
    assert by_person.max() > 1, "somebody at home nowhere stands on lists of several counties"
    assert found["shortlists"]["counter_reasons"].str.contains("不是本村").any()


def test_what_crosses_county_lines_is_as_in_the_city(city: City, tmp_path: Path) -> None:
    """Kin, raters and units taken over: a county that knew itself alone would list others."""
    tables = dict(city.tables)
    people, ratings, subjects = tables["people"], tables["assessments"], tables["audit_subjects"]
    units = tables["units"]["unit_code"]
    counties = sorted(units.str[:6].unique())
    directors = subjects[subjects["post"] == "director"]
    last = directors[directors["unit_code"].str[:6] == counties[-1]].iloc[0]
    nowhere = people.loc[people["unit_code"].isna(), "person_ref"].iloc[0]
    tables["kinships"] = pd.DataFrame(
        {"person_ref": [last["person_ref"]], "other_ref": [nowhere], "relation": ["spouse"]}, dtype="str"
    )
    judge = ratings["rater_ref"].where(np.arange(len(ratings)) % 3 > 0, ratings["rater_ref"].iloc[0])
    once = ["person_ref", "rater_ref", "online"]
    tables["assessments"] = ratings.assign(rater_ref=judge).drop_duplicates(once, ignore_index=True)
    tables["crosswalk"] = pd.DataFrame(
        {
            "old_code": [units[units.str[:6] == counties[0]].iloc[0]],
            "new_code": [units[units.str[:6] == counties[-1]].iloc[0]],
            "kind": ["merge"],
            "effective_on": pd.to_datetime(["2027-01-01"]),  # after the date: both still have their posts
            "confirmed_by": ["office"],
            "confirmed_on": pd.to_datetime(["2026-10-01"]),
        }
    )
    found = apart(tables, tmp_path)
    assert_equal(found, whole(tables))
    folders = partitions(tmp_path / "data")
    closed = pd.read_parquet(tmp_path / "out" / folders[-1].name / "eligibility.parquet")
    assert closed.loc[closed["unit_code"].notna(), "person_ref"].tolist() == [nowhere]
    assert not found["shortlists"]["counter_reasons"].str.contains("没有申报").any(), "another county has"
    alone = trials_of_city(folders[:1], PARAMETERS, as_of=AS_OF).people.set_index("person_ref")["fused"]
    every = trials_of_city(folders, PARAMETERS, as_of=AS_OF).people.set_index("person_ref")["fused"]
    assert not every.loc[alone.index].equals(alone), "raters tie counties together"


def test_a_post_that_looks_in_the_whole_city_reads_all_its_counties(
    city: City, listed: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    pack = talent_pack(PARAMETERS)
    profiles = tuple(
        p.model_copy(update={"reach": "city"}) if p.reach == "county" else p for p in pack.profiles
    )
    everywhere = pack.model_copy(update={"profiles": profiles})
    parameters = PARAMETERS.model_copy(update={"talent": everywhere})
    wanted = whole(city.tables, parameters)
    assert not wanted["shortlists"].equals(listed["shortlists"])
    assert_equal(apart(city.tables, tmp_path, parameters), wanted)


def test_a_county_without_people_lacks_them_and_one_without_posts_has_none(
    city: City, tmp_path: Path
) -> None:
    county = city.tables["units"]["unit_code"].str[:6].min()
    people, posts = city.tables["people"], city.tables["posts"]
    tables = {
        **city.tables,
        "people": people[people["unit_code"].notna() & (people["unit_code"].str[:6] != county)],
        "posts": posts[posts["unit_code"].str.startswith(county)],
    }
    for name in tables:
        if name in ("kinships", "vettings", "evidence", "assessments", "plans"):
            rows = tables[name]
            tables[name] = rows[rows["person_ref"].isin(tables["people"]["person_ref"])]
    assert_equal(apart(tables, tmp_path), whole(tables))
    for name in (*KEYS, *OF_PEOPLE, "eligibility"):
        parts = sorted((tmp_path / "out").glob(f"county=*/{name}.parquet"))
        kinds = {str(pq.read_schema(path).remove_metadata()) for path in parts}
        assert len(parts) > 1
        assert len(kinds) == 1, f"a county without rows of {name} has other columns than the rest: {kinds}"
    found = pd.read_parquet(tmp_path / "out" / f"county={county}" / "posts.parquet")
    assert (found["lacking"] == found["wanted"]).all()


def test_losses_of_the_counties_tilt_what_posts_ask_for(city: City, folder: Path, tmp_path: Path) -> None:
    asked = {"parameters": PARAMETERS, "as_of": AS_OF}
    run_partitions(folder / "data", tmp_path / "scores", **asked)
    scored = assess(prepare(city.tables), PARAMETERS, snapshot_dates(city.tables, AS_OF))
    known = pd.DataFrame({"status": scored.values.status.stack(), "points": scored.scores.points.stack()})
    losses = losses_of(known.rename_axis(["unit_code", "indicator"]).reset_index(), PARAMETERS)
    parts = sorted((tmp_path / "scores").glob("county=*/losses.parquet"))
    written = pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)
    pd.testing.assert_frame_equal(written, losses, check_exact=True)
    run = run_shortlists(folder / "data", tmp_path / "out", **asked, scores=tmp_path / "scores", seed=SEED)
    wanted = whole(city.tables, losses=losses)
    assert wanted["weights"]["tilt"].max() > 1.0
    for name in KEYS:
        assert_equal({**wanted, name: read(tmp_path / "out", name)}, wanted)
    counties = run.to_frame()[lambda f: f["area"].str.len() == 6]
    assert repr(run).startswith(
        f"ShortlistRun(counties={len(counties)}, posts={len(wanted['posts'])}, lacking="
    )
    assert run.explain("9901").startswith("截至2026年10月31日，9901准岗考察评过")
    assert "个岗位缺人选。仅供决策参考" in run.explain(counties["area"].iloc[0])
    assert "个县区、" in run.summary()
    with pytest.raises(UsageError, match="日期不同"):
        run_shortlists(
            folder / "data",
            tmp_path / "later",
            PARAMETERS,
            as_of=dt.date(2026, 11, 30),
            scores=tmp_path / "scores",
            seed=SEED,
        )
    (parts[0].parent / "manifest.json").unlink()
    with pytest.raises(DataError, match="没有评估结果"):
        run_shortlists(folder / "data", tmp_path / "none", **asked, scores=tmp_path / "scores", seed=SEED)


def test_only_pseudonyms_are_laid_out_and_written(city: City, folder: Path) -> None:
    assert set(NEVER_LAID_OUT) <= set(city.tables)
    files = list(folder.rglob("*.parquet"))
    columns = {column for path in files for column in pd.read_parquet(path).columns}
    assert not {"name_sealed", "id_sealed", "sex", "is_minority"} & columns
    assert not {path.stem for path in files} & set(NEVER_LAID_OUT)
    for county in (folder / "out").glob("county=*"):
        manifest = json.loads((county / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["as_of"] == "2026-10-31"
        assert f"{county.name}/tables/people.parquet" in manifest["inputs"]
        for name, told in manifest["outputs"].items():
            assert told["sha256"] == file_digest(county / f"{name}.parquet")


def test_a_county_says_who_is_on_its_lists(folder: Path) -> None:
    folders = partitions(folder / "data")
    trials = trials_of_city(folders, PARAMETERS, as_of=AS_OF).people
    found = list_county(
        read_posts(folders[0], folders[:1]),
        survey(folders),
        PARAMETERS,
        as_of=AS_OF,
        losses=None,
        trials=trials,
        seed=SEED,
    )
    unit = found.units.iloc[0]
    assert found.explain(unit["unit_code"]).startswith(unit["unit_name"])
    assert found.explain(unit["unit_code"]).endswith("仅供决策参考，由组织决定。")
    assert repr(found).startswith("CountyLists(people=")
    assert found.to_frame().equals(found.frames()["shortlists"])
    with pytest.raises(KeyError):
        found.explain("990199999999")
