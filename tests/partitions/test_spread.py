"""A task that fails says no more than it may, on a cluster whose logs others read."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.partitions.spread import Counts, answer, open_cluster, put, spread

NAME = "王小明 990101199001011234"


def test_what_tasks_count_comes_together() -> None:
    found = spread(lambda name: {area: {"units": len(area)} for area in name.split("+")}, ["a+bb", "ccc"])
    assert found == {"a": {"units": 1}, "bb": {"units": 2}, "ccc": {"units": 3}}
    assert spread(lambda _: {}, []) == {}


def test_what_a_person_can_put_right_comes_back_with_its_county() -> None:
    def refuse(_: str) -> Counts:
        raise DataError("不能使用", [Fault("people：status", "没有这一列", "培养状态", "重新写出")])

    told = json.loads(answer(refuse, "/data/county=990101"))["refused"]
    assert told["summary"] == "不能使用"
    assert Fault(*told["faults"][0]).where == "county=990101：people：status"

    def bare(_: str) -> Counts:
        raise UsageError("没有村（社区）")

    assert json.loads(answer(bare, "/data/county=990101"))["refused"]["faults"][0][1] == "没有村（社区）"


def test_the_message_of_a_defect_stays_with_the_task() -> None:
    def defect(_: str) -> Counts:
        try:
            raise KeyError(NAME)
        except KeyError as error:
            raise ValueError(f"cannot place {NAME}") from error

    with pytest.raises(RuntimeError) as caught:
        answer(defect, "county=990101")
    assert str(caught.value).startswith("ValueError of a task:")
    assert "in defect" in str(caught.value), "the line of code is told"
    shown = "".join(
        [str(caught.value), *map(str, (caught.value.__cause__, caught.value.__suppress_context__))]
    )
    assert "王小明" not in shown
    assert "1990" not in shown
    assert caught.value.__suppress_context__


def test_a_file_that_fails_is_the_clusters_to_try_again() -> None:
    def broken(_: str) -> Counts:
        raise FileNotFoundError(2, "No such file", "/data/county=990101")

    with pytest.raises(FileNotFoundError):
        answer(broken, "county=990101")


def test_equal_tables_are_written_as_equal_bytes_and_nothing_is_left_over(tmp_path: Path) -> None:
    source = tmp_path / "county=990101" / "tables" / "units.parquet"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"units")
    for name in ("a", "b"):
        put({"index": pd.DataFrame({"x": [1.5]})}, tmp_path / name, [source], {"as_of": "2026-10-31"})
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["index.parquet", "manifest.json"]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text(encoding="utf-8"))
    assert list(manifest["inputs"]) == ["county=990101/tables/units.parquet"]
    assert manifest["outputs"]["index"]["rows"] == 1


@pytest.mark.parametrize("engine", [None, "duckdb://"])
def test_without_a_cluster_counties_are_this_processs_own(engine: str | None) -> None:
    with open_cluster(engine) as spark:
        assert spark is None


def test_an_engine_that_holds_no_files_is_refused_without_its_password() -> None:
    with (
        pytest.raises(UsageError, match="不能用这种计算引擎") as caught,
        open_cluster("postgresql://a:secret@b/c"),
    ):
        pass
    assert "secret" not in str(caught.value)
