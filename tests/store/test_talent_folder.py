"""A talent folder is read as it was written, whole or by rows, and refused if it is not complete."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.talent_folder import TALENT_TABLES, TalentRun, read_talent, write_talent

SEALED = pd.DataFrame({"person_ref": ["P1"], "name_sealed": ["x"], "id_sealed": ["y"]})


def talent_run() -> TalentRun:
    frames = {name: pd.DataFrame({"unit_code": ["a", "b"], "value": [1.5, 2.5]}) for name in TALENT_TABLES}
    return TalentRun(dt.date(2026, 10, 31), load_parameters(), frames, {})


def write(out: Path, identities: pd.DataFrame | None = None) -> dict[str, Any]:
    return write_talent(talent_run(), out, identities=identities, inputs=[], code_version="0", risk_run=None)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    manifest = write(tmp_path / "t", SEALED)
    run = read_talent(tmp_path / "t")
    assert run.as_of == dt.date(2026, 10, 31)
    assert run.parameters == load_parameters()
    assert run.manifest == manifest
    for name in TALENT_TABLES:
        pd.testing.assert_frame_equal(run.table(name), talent_run().table(name))
        pd.testing.assert_frame_equal(run.table(name, unit_code="b"), talent_run().table(name, unit_code="b"))
    assert run.identities().equals(SEALED)


def test_equal_runs_are_equal_to_the_byte_and_nothing_of_an_earlier_one_stays(tmp_path: Path) -> None:
    write(tmp_path / "a", SEALED)
    assert write(tmp_path / "a") == write(tmp_path / "b")
    assert read_talent(tmp_path / "a").identities().empty


def test_no_table_goes_by_another_name(tmp_path: Path) -> None:
    write(tmp_path)
    for run in (talent_run(), read_talent(tmp_path)):
        with pytest.raises(KeyError):
            run.table("identities")


def test_a_folder_that_is_not_whole_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "lists.parquet").unlink()
    with pytest.raises(DataError, match=r"缺少 lists.parquet"):
        read_talent(tmp_path)
    write(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "huanjie-run/3"}')
    with pytest.raises(DataError, match="huanjie-talent/2"):
        read_talent(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="不能解析的内容"):
        read_talent(tmp_path)
