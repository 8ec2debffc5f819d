"""A part of a talent folder tells its area what the whole would, and holds nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.store.manifest import file_digest
from huanjie_lib.store.talent_cut import write_talent_cut
from huanjie_lib.store.talent_folder import TALENT_TABLES, TalentRun, read_talent
from huanjie_lib.views import talent
from huanjie_lib.vocabulary import Role
from tests.talent_runs import BRIDGE, CLOUD, HOSTILE, LI, OUYANG, ZHANG, ZHAO, ZHOU, talent_folder

POSTS = ((CLOUD, "director"), (CLOUD, "supervision"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TalentRun:
    """A talent folder, with kin of a person in office in a unit of each township; not to be changed."""
    folder = tmp_path_factory.mktemp("talent") / "t"
    run = talent_folder(folder)
    rules = run.table("eligibility")
    kin = rules.iloc[:2].assign(
        person_ref=LI, post="", rule="kin", label="任职回避", status="fail", unit_code=[CLOUD, BRIDGE]
    )
    both = pd.concat([rules.astype({"unit_code": "object"}), kin], ignore_index=True)
    both.to_parquet(folder / "eligibility.parquet")
    return read_talent(folder)


@pytest.fixture(scope="module")
def part(whole: TalentRun, tmp_path_factory: pytest.TempPathFactory) -> TalentRun:
    """The part of one village."""
    out = tmp_path_factory.mktemp("part") / "t"
    assert whole.path is not None
    write_talent_cut(whole.path, out, role=Role.TALENT, scope=(CLOUD,))
    return read_talent(out)


def test_the_whole_is_all_but_the_sealed_names_and_input_files(whole: TalentRun, tmp_path: Path) -> None:
    assert whole.path is not None
    manifest = write_talent_cut(whole.path, tmp_path / "t", role=Role.CITY)
    copy = read_talent(tmp_path / "t")
    for name in TALENT_TABLES:
        pd.testing.assert_frame_equal(copy.table(name), whole.table(name))
    assert copy.identities().empty
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == sorted(
        ["manifest.json", "parameters.json", *(f"{name}.parquet" for name in TALENT_TABLES)]
    )
    assert (manifest["inputs"], list(manifest["outputs"])) == ([], [*manifest["outputs"]])
    assert not [name for name in manifest["outputs"] if "sealed" in name]
    assert copy.digest == whole.digest == file_digest(whole.path / "manifest.json")
    assert not copy.is_part


def test_a_part_holds_nobody_and_no_unit_that_is_not_of_its_area(whole: TalentRun, part: TalentRun) -> None:
    mine = whole.people_of((CLOUD,))
    assert {ZHANG, ZHAO} & mine == {ZHANG}
    assert part.people() == mine
    homes = set(part.table("people")["unit_code"].dropna())
    assert part.path is not None
    for name in TALENT_TABLES:
        frame = pd.read_parquet(part.path / f"{name}.parquet")
        told = frame.to_csv()
        assert not [ref for ref in whole.people() - mine if ref in told], name
        strangers = {BRIDGE, HOSTILE} - (homes if name in {"people", "units"} else set())
        assert not [unit for unit in strangers if unit in told], name
    assert BRIDGE not in homes
    for text in ((part.path / name).read_text() for name in ("manifest.json", "parameters.json")):
        assert not [ref for ref in whole.people() | {BRIDGE, HOSTILE} if ref in text]


def test_what_it_tells_of_its_posts_and_people_is_what_the_whole_tells(
    whole: TalentRun, part: TalentRun
) -> None:
    assert part.is_part
    assert part.digest == whole.digest
    for unit, post in POSTS:
        assert talent.candidates(part, unit, post) == talent.candidates(whole, unit, post)
        assert talent.listed(part, unit, post) == talent.listed(whole, unit, post)
        assert talent.asked(part, unit, post) == talent.asked(whole, unit, post)
        assert any(one.elsewhere for one in talent.candidates(part, unit, post))
    for person in sorted(part.people()):
        assert talent.verdicts(part, person, CLOUD) == talent.verdicts(whole, person, CLOUD)
        assert talent.evidence(part, person) == talent.evidence(whole, person)
        assert talent.tasks(part, person) == talent.tasks(whole, person)
        assert talent.person_facts(part, person) == talent.person_facts(whole, person)
        pd.testing.assert_frame_equal(talent.portrait(part, person), talent.portrait(whole, person))
    assert repr(talent.proof(part)) == repr(talent.proof(whole))  # some rates are missing
    assert talent.summary(part, (CLOUD,)) == talent.summary(whole, (CLOUD,))


def test_kin_in_office_elsewhere_are_not_told(whole: TalentRun, part: TalentRun) -> None:
    told = [
        {rule["reason"] for verdict in talent.verdicts(run, LI) for rule in verdict.rules}
        for run in (whole, part)
    ]
    assert any(reason.startswith("石桥村：") for reason in told[0])
    assert {reason for reason in told[0] if not reason.startswith("石桥村：")} == told[1]


def test_sums_over_committees_are_told_as_those_of_the_area(whole: TalentRun, part: TalentRun) -> None:
    for run, where in ((whole, "全市"), (part, "所辖")):
        units = run.table("team_checks")["unit_code"].nunique()
        assert talent.structure_sentence(run).startswith(f"{where}{units}个班子")
    manifest = json.loads((part.path / "manifest.json").read_text()) if part.path else {}
    assert "teams_least" not in manifest["proven"]


def test_only_those_who_work_with_the_reserve_get_any(whole: TalentRun, tmp_path: Path) -> None:
    assert whole.path is not None
    for role in (Role.READER, Role.TOWNSHIP, Role.COUNTY):
        with pytest.raises(UsageError, match="没有查阅的权限"):
            write_talent_cut(whole.path, tmp_path / "t", role=role)
    with pytest.raises(DataError, match="huanjie match"):
        write_talent_cut(tmp_path, tmp_path / "t", role=Role.CITY)
    assert not (tmp_path / "t").exists()


def test_people_elsewhere_who_are_on_no_list_here_are_left_out(part: TalentRun) -> None:
    assert {ZHOU, ZHAO} & part.people() == set()
    assert OUYANG in part.people()
