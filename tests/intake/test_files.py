from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import geopandas as gpd
import polars as pl
import pytest
import shapely

from huanjie_lib.contracts import table
from huanjie_lib.errors import DataError
from huanjie_lib.intake.checks import Batch
from huanjie_lib.intake.files import digest, has_geometry, read_table
from huanjie_lib.intake.headings import known_units, table_names
from huanjie_lib.intake.report import Issue

A = "990101101201"


def read(path: Path, name: str = "screenings") -> tuple[Batch, list[Issue]]:
    return read_table(path, f"tables/{path.name}", table(name), table_names(table(name), known_units({})))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


HEAD = "摸排编号,统计用区划代码,摸排日期,摸排方式"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_table_in_any_encoding_and_heading(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "screenings.csv", f'{HEAD},走访户数\nS1,{A},2026-10-01,走访,"1,234"\n', encoding)
    batch, issues = read(path)
    assert batch.raw.columns == ["screening_id", "unit_code", "screened_on", "method", "households_visited"]
    assert batch.raw.row(0) == ("S1", A, "2026-10-01", "走访", "1,234")
    assert batch.rows.to_list() == [2]
    assert issues == []


def test_rows_are_numbered_as_the_clerk_sees_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"{HEAD}\nS1,{A},2026-10-01,走访\n\n,,,\nS2,{A},2026-10-02,走访\n")
    batch, _ = read(path)
    assert batch.rows.to_list() == [2, 5]
    assert batch.dropped == {"空白行": 2}


def test_a_parquet_table_keeps_its_types(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "screening_id": ["S1"],
            "unit_code": [A],
            "screened_on": [dt.date(2026, 10, 1)],
            "method": ["visit"],
            "households_visited": [3],
        }
    )
    frame.write_parquet(tmp_path / "screenings.parquet")
    batch, _ = read(tmp_path / "screenings.parquet")
    assert batch.raw.equals(frame)
    assert batch.rows.to_list() == [1]
    assert not has_geometry(tmp_path / "screenings.parquet")


def test_a_geopackage_table(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"unit_code": [A], "unit_name": ["上云村"], "unit_kind": ["村"], "township_code": ["990101101"]},
        geometry=[shapely.box(115, 30, 116, 31)],
        crs=4490,
    )
    frame.to_file(tmp_path / "units.gpkg")
    batch, issues = read(tmp_path / "units.gpkg", "units")
    assert batch.raw["unit_name"].to_list() == ["上云村"]
    assert issues == []
    assert has_geometry(tmp_path / "units.gpkg")
    frame.to_parquet(tmp_path / "units.parquet", write_covering_bbox=True)
    batch, issues = read(tmp_path / "units.parquet", "units")
    assert batch.raw.columns == ["unit_code", "unit_name", "unit_kind", "township_code"]
    assert issues == []
    assert has_geometry(tmp_path / "units.parquet")


def test_a_missing_column_refuses_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"摸排编号,代码,摸排日期,摸排方式\nS1,{A},2026-10-01,走访\n")
    batch, issues = read(path)
    (why,) = batch.refused
    assert why.found == "缺少列“统计用区划代码”；现有标题：摸排编号、代码、摸排日期、摸排方式"
    assert "“unit_code”或“统计用区划代码”或“区划代码”" in why.allowed
    assert batch.raw.height == 1
    assert [i.found for i in issues] == ["不认得的列，未载入：代码"]


@pytest.mark.parametrize(
    ("heads", "cells", "found"),
    [
        (f"{HEAD},摸排方式", "S1,x,2026-10-01,走访,座谈", "列标题重复：摸排方式、摸排方式"),
        (f"{HEAD},走访户数(人)", "S1,x,2026-10-01,走访,3", "走访户数(人)（单位：人）"),
    ],
)
def test_other_headings_that_refuse_the_file(tmp_path: Path, heads: str, cells: str, found: str) -> None:
    batch, _ = read(write(tmp_path / "a.csv", f"{heads}\n{cells}\n"))
    assert [i.found for i in batch.refused] == [found]


def test_a_column_of_lists_refuses_the_file(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"screening_id": ["S1"], "unit_code": [[A]], "screened_on": ["2026-10-01"], "method": ["visit"]}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    batch, _ = read(tmp_path / "a.parquet")
    assert [i.found for i in batch.refused] == ["列类型 List(String)"]


def test_personal_columns_are_not_read(tmp_path: Path) -> None:
    batch, issues = read(write(tmp_path / "a.csv", f"{HEAD},姓名\nS1,{A},2026-10-01,走访,张某某\n"))
    assert [i.found for i in issues] == ["含个人信息的列（姓名类）"]
    assert "张某某" not in str(batch) + str(batch.raw.rows())


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.parquet", b"PAR1 no", "损坏或不合规的文件"),
        ("a.gpkg", b"no", "损坏或不合规的文件"),
        ("a.csv", b"a,b\n1,2,3\n", "有的行列数多于标题"),
        ("a.csv", b"\x81", "不是文本"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, found: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=found):
        read(tmp_path / name)


@pytest.mark.parametrize("content", ["", HEAD, f"{HEAD}\n,,,\n"])
def test_files_without_rows(tmp_path: Path, content: str) -> None:
    batch, issues = read(write(tmp_path / "a.csv", content))
    assert batch.raw.height == 0
    assert [i.found for i in issues] == ["只有标题，没有数据行"]


def test_digest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "abc")
    made = digest(path, "tables/a.csv")
    assert (made.path, made.bytes, made.sha256) == ("tables/a.csv", 3, hashlib.sha256(b"abc").hexdigest())
