"""A city's streams into its data folder: equal to the facts that they were made from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from huanjie_lib.cli import cli
from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.events.folder import load_events, read_register
from huanjie_lib.events.monthly import METRICS
from huanjie_lib.intake import read_folder
from huanjie_lib.parameters import load_parameters
from huanjie_lib.partitions.layout import write_partitions
from huanjie_lib.sample import City, make_city, write_city
from huanjie_lib.sample.events import write_events

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60, people=100, snapshots=12)


@pytest.fixture(scope="module")
def streams(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    write_events(city, folder)
    return folder


@pytest.fixture(scope="module")
def loaded(city: City, streams: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a data folder into which the command has put the streams, and what it told."""
    data = tmp_path_factory.mktemp("city") / "data"
    write_city(city, data, returns_county=None)
    told = CliRunner().invoke(cli, ["events", "--events", str(streams), "--data", str(data)])
    assert told.exit_code == 0, told.output
    return data, told.output


def assert_equal_facts(city: City, found: pd.DataFrame) -> None:
    """Hold every fact of the city's against what the streams tell."""
    facts = city.tables["facts"]
    wanted = facts[facts["metric"].isin(METRICS)]
    both = wanted.merge(found, on=["unit_code", "as_of", "metric"], how="left", suffixes=("", "_found"))
    assert len(wanted) > 4000
    assert both["value_found"].equals(both["value"].rename("value_found"))


def test_the_command_tells_what_became_of_the_rows(loaded: tuple[Path, str]) -> None:
    data, told = loaded
    assert "信访事项：读取" in told
    assert "写入基础数据" in told
    account = pd.read_csv(data / "events" / "account.csv")
    assert (account["read"] == account.drop(columns=["stream", "read"]).sum(axis=1)).all()
    assert account["repeated"].gt(0).all()
    assert not list(data.glob(".events-*"))


def test_the_streams_say_what_the_city_says(city: City, loaded: tuple[Path, str]) -> None:
    data, _ = loaded
    assert_equal_facts(city, pd.read_parquet(data / "tables" / "facts.events.parquet"))
    leads = pd.read_parquet(data / "tables" / "leads.events.parquet")
    pd.testing.assert_frame_equal(leads, city.tables["leads"])


def test_figures_by_month_are_whole_numbers_or_nothing(loaded: tuple[Path, str]) -> None:
    data, _ = loaded
    found = pq.read_schema(data / "events" / "months.parquet")
    kinds = {field.name: str(field.type) for field in found}
    assert kinds.pop("unit_code").endswith("string")
    assert kinds.pop("petition_days") == "double"
    assert set(kinds.values()) == {"int64"}


def test_a_run_reads_them_beside_the_other_tables(city: City, loaded: tuple[Path, str]) -> None:
    data, _ = loaded
    intake = read_folder(data, load_parameters())
    assert not len(intake.quarantine)
    assert len(intake.tables["leads"]) == len(city.tables["leads"])
    assert len(intake.tables["facts"]) >= len(city.tables["facts"])


def test_counties_get_their_own(city: City, streams: Path, tmp_path: Path) -> None:
    folders = write_partitions(city.tables, tmp_path)
    done = load_events(streams, tmp_path)
    parts = [pd.read_parquet(f / "tables" / "facts.events.parquet") for f in folders]
    assert done.facts == sum(map(len, parts))
    assert_equal_facts(city, pd.concat(parts))
    for folder, part in zip(folders, parts, strict=True):
        assert set(part["unit_code"].str.slice(0, 6)) == {folder.name.removeprefix("county=")}


def test_what_cannot_be_used_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="没有村（社区）名录"):
        read_register(tmp_path)
    (tmp_path / "units.csv").write_text("unit_code,unit_name\n12,甲村\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"units\.csv 不能使用"):
        read_register(tmp_path)
    told = CliRunner().invoke(cli, ["events", "--events", str(tmp_path / "none"), "--data", str(tmp_path)])
    assert isinstance(told.exception, UsageError)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["units.csv"]
