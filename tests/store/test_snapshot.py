"""What a snapshot holds of a run, and what it does not."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.access.roles import may_read
from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.screens.overview import OverviewModel, OverviewView
from huanjie_lib.store.manifest import file_digest
from huanjie_lib.store.run_folder import (
    RUN_TABLES,
    SOURCE_COLUMNS,
    SOURCES,
    Run,
    read_ledgers,
    read_run,
)
from huanjie_lib.store.snapshot import _suppressed, snapshot_role, write_desk, write_snapshot
from huanjie_lib.vocabulary import Role

HELD = {"manifest.json", "parameters.json", "boundaries.parquet", *(f"{name}.parquet" for name in RUN_TABLES)}
TOWN = "990101102"
FEW = re.compile(r"(?<!\d)[1-4](名|人次|人)")


@pytest.fixture(scope="module")
def leaders(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A snapshot for leaders of the small run, with small numbers and more files than it may hold."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("leaders") / "snapshot"
    assert small_run.path is not None
    for file in small_run.path.glob("*.*"):
        (source / file.name).write_bytes(file.read_bytes())
    for folder in ("restricted", "ledgers", "intake"):
        (source / folder).mkdir()
        (source / folder / "audit_members.parquet").write_bytes(b"persons")
    gates = small_run.gates.assign(reason="6名人选联审：1名人选被提出不同意意见")
    gates.to_parquet(source / "gates.parquet")
    indicators = small_run.indicators.copy()
    counted = indicators["indicator"] == "disciplinary_cases"
    indicators.loc[counted, "value"] = 2.0
    indicators.loc[counted, "reason"] = "近24个月班子成员受处分2人次"
    indicators.to_parquet(source / "indicators.parquet")
    write_snapshot(source, out, role=Role.READER)
    return read_run(out)


def test_it_holds_what_the_overview_reads_and_no_more(leaders: Run, small_run: Run) -> None:
    assert leaders.path is not None
    assert {file.relative_to(leaders.path).as_posix() for file in leaders.path.rglob("*")} == HELD
    pd.testing.assert_frame_equal(leaders.index, small_run.index)
    pd.testing.assert_frame_equal(leaders.points_lost, small_run.points_lost)
    with pytest.raises(DataError, match="没有台账数据"):
        read_ledgers(leaders.path)
    assert "总体态势" in OverviewView(OverviewModel(leaders))._side.html


def test_its_manifest_says_whose_it_is_and_from_which_run(leaders: Run, small_run: Run) -> None:
    assert leaders.path is not None
    assert snapshot_role(leaders.path) is Role.READER
    assert small_run.path is not None
    assert snapshot_role(small_run.path) is None
    told = leaders.manifest
    assert told["snapshot"]["role"] == "reader"
    assert re.fullmatch("[0-9a-f]{64}", told["snapshot"]["run_sha256"])
    assert (told["inputs"], told["intake"]) == ([], {})
    for name, output in told["outputs"].items():
        assert file_digest(leaders.path / name) == output["sha256"]


def test_leaders_see_no_source_cell_and_no_small_number_of_persons(leaders: Run) -> None:
    assert leaders.indicators[["source_file", "source_sheet", "source_row"]].isna().all(axis=None)
    counted = leaders.indicators["indicator"] == "disciplinary_cases"
    assert leaders.indicators.loc[counted, "value"].isna().all()
    texts = pd.concat([leaders.gates["reason"], leaders.indicators["reason"], leaders.readings["text"]])
    assert not [text for text in texts if FEW.search(text)]
    assert leaders.gates["reason"].unique().tolist() == ["6名人选联审：不足5名人选被提出不同意意见"]


def _with_counts(run: Run, counts: dict[str, float]) -> Run:
    """Return a run in which committees of one township were disciplined so many times, of others never."""
    indicators = run.indicators.copy()
    counted = indicators["indicator"] == "disciplinary_cases"
    values = indicators.loc[counted, "unit_code"].map(counts).fillna(0.0)
    indicators.loc[counted, "value"] = values
    indicators.loc[counted, "reason"] = [f"近24个月班子成员受处分{value:.0f}人次" for value in values]
    texts = [
        f"挡在前面的是：近24个月班子成员受处分{counts.get(u, 0):.0f}人次。" for u in run.readings["unit_code"]
    ]
    return replace(run, indicators=indicators, readings=run.readings.assign(text=texts))


def test_sums_over_a_township_give_no_small_number_of_persons_away(small_run: Run) -> None:
    town = small_run.units.loc[small_run.units["township_code"] == TOWN, "unit_code"].tolist()
    counts = dict(zip(town, [2.0, 7.0, 9.0, *[0.0] * len(town)], strict=False))
    run = _with_counts(small_run, counts)
    frames = {name: getattr(run, name) for name in RUN_TABLES}
    shown = _suppressed(frames, run.parameters.framework)
    rows = shown["indicators"][shown["indicators"]["indicator"] == "disciplinary_cases"]
    hidden = rows.loc[rows["value"].isna(), "unit_code"].tolist()
    # with the sum of 18 known, the 2 alone would be 18 - 16: the next smallest is hidden with it
    assert hidden == sorted(town[:2])
    assert rows.loc[rows["unit_code"] == town[2], "value"].tolist() == [9.0]
    # and both bear the same words, wherever they stand
    assert set(rows.loc[rows["unit_code"].isin(hidden), "reason"]) == {"近24个月班子成员受处分（人次不显示）"}
    told = shown["readings"].set_index("unit_code")["text"]
    for unit in set(hidden) & set(told.index):
        assert set(told.loc[[unit]]) == {"挡在前面的是：近24个月班子成员受处分（人次不显示）。"}


def test_a_share_beside_its_whole_is_not_shown(small_run: Run) -> None:
    indicators = small_run.indicators.copy()
    shares = indicators["indicator"] == "review_adverse"
    indicators.loc[shares, "value"] = 0.25
    indicators.loc[shares, "reason"] = "25%的人选被联审部门提出不同意意见"
    frames = {name: getattr(small_run, name) for name in RUN_TABLES} | {"indicators": indicators}
    shown = _suppressed(frames, small_run.parameters.framework)["indicators"][shares]
    assert shown["value"].isna().all()
    assert set(shown["reason"]) == {"有人选被联审部门提出不同意意见"}


def test_a_part_of_a_snapshot_for_leaders_hides_what_that_hides(leaders: Run, tmp_path: Path) -> None:
    assert leaders.path is not None
    write_snapshot(leaders.path, tmp_path / "town", role=Role.READER, scope=[TOWN])
    part, whole = read_run(tmp_path / "town").indicators, leaders.indicators
    whole = whole[whole["unit_code"].str.startswith(TOWN)].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, whole)


def test_a_scope_holds_its_units_alone(small_run: Run, tmp_path: Path) -> None:
    assert small_run.path is not None
    write_snapshot(small_run.path, tmp_path / "town", role=Role.TOWNSHIP, scope=[TOWN])
    run = read_run(tmp_path / "town")
    assert set(run.units["township_code"]) == {TOWN}
    for name in RUN_TABLES:
        frame = getattr(run, name)
        if "unit_code" in frame:
            assert frame["unit_code"].str.startswith(TOWN).all(), name
    others = set(small_run.units["unit_code"]) - set(run.units["unit_code"])
    content = b"".join(file.read_bytes() for file in (tmp_path / "town").glob("*.*"))
    assert not any(code.encode() in content for code in others)
    named = {code for text in run.readings["text"] for code in re.findall(r"\d{12}", text)}
    assert not named & others
    assert run.indicators["source_file"].notna().any()  # a township checks its own cells
    assert run.manifest["counts"]["units"] == len(run.units)


def test_equal_runs_give_equal_snapshots(small_run: Run, tmp_path: Path) -> None:
    assert small_run.path is not None
    for name in ("a", "b"):
        write_snapshot(small_run.path, tmp_path / name, role=Role.READER)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_what_cannot_be_cut_is_refused(small_run: Run, tmp_path: Path) -> None:
    assert small_run.path is not None
    with pytest.raises(DataError, match="管辖范围内没有村"):
        write_snapshot(small_run.path, tmp_path / "none", role=Role.TOWNSHIP, scope=["12"])
    write_snapshot(small_run.path, tmp_path / "leaders", role=Role.READER)
    with pytest.raises(DataError, match="不能从快照再制作别的快照"):
        write_snapshot(tmp_path / "leaders", tmp_path / "city", role=Role.CITY)
    with pytest.raises(UsageError, match="已有内容"):
        write_snapshot(small_run.path, tmp_path / "leaders", role=Role.READER)
    before = json.loads((tmp_path / "leaders" / "manifest.json").read_text(encoding="utf-8"))["snapshot"]
    again = write_snapshot(tmp_path / "leaders", tmp_path / "again", role=Role.READER, scope=[TOWN])
    assert again["snapshot"]["run_sha256"] == before["run_sha256"]


def test_source_cells_go_to_those_whose_cells_they_are(small_run: Run, tmp_path: Path) -> None:
    assert small_run.path is not None
    run = Path(shutil.copytree(small_run.path, tmp_path / "run"))
    rows = {name: ["x"] * len(small_run.units) for name in SOURCE_COLUMNS}
    sources = pd.DataFrame({**rows, "unit_code": small_run.units["unit_code"]})
    sources.to_parquet(run / SOURCES, index=False)
    write_snapshot(run, tmp_path / "leaders", role=Role.READER)
    assert not (tmp_path / "leaders" / SOURCES).exists()
    write_snapshot(run, tmp_path / "town", role=Role.TOWNSHIP, scope=[TOWN])
    assert set(pd.read_parquet(tmp_path / "town" / SOURCES)["unit_code"].str[:9]) == {TOWN}


def test_a_role_that_may_not_read_a_run_gets_no_snapshot(small_run: Run, tmp_path: Path) -> None:
    assert small_run.path is not None
    barred = [role for role in Role if not may_read(role, "run/index", "risk")]
    assert Role.READER not in barred
    for role in barred:
        with pytest.raises(UsageError, match="没有查阅的权限"):
            write_snapshot(small_run.path, tmp_path / role.value, role=role)
        assert not (tmp_path / role.value).exists()


@pytest.fixture(scope="module")
def run(small_city_run: Path) -> Run:
    """A whole run, with ledgers."""
    return read_run(small_city_run)


class TestDesk:
    """What the screen of cases is given of a run."""

    def desk(self, run: Run, out: Path, actor: Actor) -> Run:
        assert run.path is not None
        write_desk(run.path, out, actor)
        return read_run(out)

    def test_an_area_holds_its_units_and_ledgers_and_nothing_of_others(
        self, run: Run, tmp_path: Path
    ) -> None:
        town = str(run.units["township_code"].mode()[0])
        held = self.desk(run, tmp_path / "desk", Actor("a", "o", Role.TOWNSHIP, (town,)))
        mine = run.units[run.units["township_code"] == town]
        pd.testing.assert_frame_equal(held.units, mine.reset_index(drop=True))
        assert set(held.index["unit_code"]) == set(held.history["unit_code"]) == set(mine["unit_code"])
        assert run.path is not None
        whole, ledgers = read_ledgers(run.path), read_ledgers(tmp_path / "desk")
        assert set(ledgers) == set(whole)
        for name in ("alerts", "audit_units", "conflict_units", "disputes", "rectifiable"):
            rows = whole[name][whole[name]["unit_code"].isin(mine["unit_code"])]
            assert 0 < len(rows) < len(whole[name])
            pd.testing.assert_frame_equal(ledgers[name], rows[ledgers[name].columns].reset_index(drop=True))
        strangers = [code for code in run.units["unit_code"] if code not in set(mine["unit_code"])]
        told = "".join(pd.read_parquet(file).to_csv() for file in (tmp_path / "desk").rglob("*.parquet"))
        told += (tmp_path / "desk" / "manifest.json").read_text(encoding="utf-8")
        assert not [code for code in strangers if code in told]
        assert not (tmp_path / "desk" / "restricted").exists()
        assert (run.path / "restricted").exists()
        for table in ("indicators", "readings", "gates", "remedies", "points_lost"):
            assert getattr(held, table).empty

    def test_a_role_holds_what_it_may_read(self, run: Run, tmp_path: Path) -> None:
        assert run.path is not None
        whole = read_ledgers(run.path, restricted=True)
        for role, restricted, conflict in (
            (Role.CITY, True, True),
            (Role.COUNTY, True, True),
            (Role.TOWNSHIP, False, True),
            (Role.AUDIT, False, False),
            (Role.REVIEW, False, False),
        ):
            out = tmp_path / role.value
            self.desk(run, out, Actor("a", "o", role))
            assert (out / "restricted").exists() is restricted
            ledgers = read_ledgers(out, restricted=restricted)
            assert bool(len(ledgers["disputes"])) is conflict
            if restricted:
                for name, frame in whole.items():
                    pd.testing.assert_frame_equal(ledgers[name], frame)
                assert not (out / "restricted" / "signals.parquet").exists()
            else:
                assert not ledgers["alerts"]["restricted"].any()

    def test_leaders_and_the_organisation_office_have_no_desk(self, run: Run, tmp_path: Path) -> None:
        for role in (Role.READER, Role.TALENT):
            with pytest.raises(UsageError, match="没有查阅的权限"):
                self.desk(run, tmp_path / "desk", Actor("a", "o", role))
        assert not (tmp_path / "desk").exists()
