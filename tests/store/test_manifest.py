"""A folder of tables is read back whole or refused with every file that it lacks."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.store.manifest import (
    MANIFEST,
    about_run,
    file_digest,
    read_whole,
    write_manifest,
    write_parameters,
    write_tables,
)

FRAMES = {
    Path("a.parquet"): pd.DataFrame({"x": [1, 2]}),
    Path("apart/b.parquet"): pd.DataFrame({"y": ["村"]}),
}


def written(out: Path) -> dict[str, Any]:
    parameters = load_parameters()
    outputs = write_tables(out, FRAMES) | write_parameters(out, parameters)
    about = about_run(parameters, as_of=dt.date(2026, 10, 31), code_version="1")
    manifest = {"format": "form/1", **about, "outputs": outputs}
    write_manifest(out, manifest)
    return manifest


def whole(path: Path, *tables: str) -> dict[str, Any]:
    words = {"kind": "某文件夹", "form": "form/1", "command": "huanjie some", "remedy": "先运行"}
    return read_whole(path, tables, **words)


def test_what_is_written_is_read_back_and_its_digests_hold(tmp_path: Path) -> None:
    manifest = written(tmp_path)
    assert whole(tmp_path, "a") == manifest
    assert (manifest["as_of"], manifest["parameter_version"]) == ("2026-10-31", load_parameters().version)
    assert {name: told["rows"] for name, told in manifest["outputs"].items()} == {
        "a.parquet": 2,
        "apart/b.parquet": 1,
        "parameters.json": None,
    }
    for name, told in manifest["outputs"].items():
        assert told["sha256"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    text = (tmp_path / "parameters.json").read_text(encoding="utf-8")
    assert ParameterSet.from_json(text).digest == manifest["parameter_digest"]


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        written(tmp_path / name)
    assert file_digest(tmp_path / "one" / MANIFEST) == file_digest(tmp_path / "other" / MANIFEST)


def test_every_file_that_is_lacking_is_told(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(DataError, match="不是一个某文件夹") as refused:
        whole(tmp_path, "a", "c", "d")
    assert [fault.found for fault in refused.value.faults] == ["缺少 c.parquet", "缺少 d.parquet"]
    assert {fault.allowed for fault in refused.value.faults} == {"由 huanjie some 写出的某文件夹"}
    with pytest.raises(DataError, match=f"缺少 {MANIFEST}"):
        whole(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "不能解析的内容"),
        ("[]", "不能解析的内容"),
        ("{}", "None"),
        (json.dumps({"format": "form/0"}), "form/0"),
    ],
)
def test_a_manifest_of_another_form_is_refused(tmp_path: Path, text: str, found: str) -> None:
    written(tmp_path)
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="某文件夹的格式不对") as refused:
        whole(tmp_path)
    assert (refused.value.faults[0].found, refused.value.faults[0].allowed) == (found, "form/1")
