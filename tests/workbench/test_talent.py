"""Matching refuses to write into its data, and losses of another date."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.store.run_folder import Run
from huanjie_lib.workbench import match

AS_OF = dt.date(2026, 10, 31)


def test_a_place_in_the_data_and_a_run_of_another_date_are_refused(
    small_city: Path, small_run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="不能写在数据文件夹里"):
        match(small_city, small_city / "talent", as_of=AS_OF)
    assert small_run.path is not None
    with pytest.raises(UsageError, match="日期不同") as refused:
        match(small_city, tmp_path / "talent", as_of="2026-09-30", risk_run=small_run.path)
    assert refused.value.faults[0].found == f"截至{AS_OF}"
    assert not (tmp_path / "talent").exists()
