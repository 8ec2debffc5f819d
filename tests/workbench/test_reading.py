"""Data are read beside the run that they gave, and no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.workbench import open_data, open_data_of, open_run


def test_data_are_read_beside_the_run_they_gave_and_no_other(
    small_city: Path, small_city_run: Path, tmp_path: Path
) -> None:
    run = open_run(str(small_city_run))
    assert run.path == small_city_run
    intake = open_data_of(run, small_city)
    assert intake.digests() == run.manifest["inputs"]
    other = Path(shutil.copytree(small_city, tmp_path / "city"))
    pd.read_parquet(other / "tables" / "leads.parquet").iloc[1:].to_parquet(
        other / "tables" / "leads.parquet"
    )
    with pytest.raises(DataError, match=r"1 个文件不同，如 tables/leads\.parquet"):
        open_data_of(run, other)
    with pytest.raises(DataError, match="先运行 huanjie run"):
        open_run(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        open_data(tmp_path)
