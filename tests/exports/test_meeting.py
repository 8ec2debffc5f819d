"""The pack comes together, says who exported it, and is in the log before it is handed out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import LedgerError, UsageError
from huanjie_lib.exports.casework import casework_seen
from huanjie_lib.exports.meeting import MEETING_FORMATS, export_meeting, pack_table
from huanjie_lib.store.manifest import file_digest
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.meeting import meeting_of
from huanjie_lib.vocabulary import Role
from tests.meetings import STAMP, casework_shown, result, whole_meeting, whole_pack, whole_run


def manifest(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def test_the_manifest_tells_all_files_and_what_they_rest_on() -> None:
    pack, run, meeting = whole_pack(), whole_run(), whole_meeting()
    told, folder = manifest(pack["manifest"]), pack["manifest"].parent
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del files["manifest.json"]
    assert told["outputs"] == {
        name: {"sha256": file_digest(path), "bytes": path.stat().st_size} for name, path in files.items()
    }
    plans = [name for name in files if name.startswith("一村一策/")]
    assert len(plans) == len(meeting.reds) > 0
    assert len(files) == len(plans) + len(MEETING_FORMATS)
    assert (told["exported"], told["logged"]) == (STAMP.entry, False)
    assert (told["as_of"], told["since"], told["area"]) == ("2026-10-31", "2026-09-30", "全市")
    assert told["parameter_version"] == run.parameters.version
    assert told["omitted"] == {}
    assert told["gaps"] == list(meeting.gaps)
    assert told["returns"] == [{"sha256": "0" * 64, "bytes": 1}]
    assert run.path is not None
    assert file_digest(run.path / "manifest.json") in told["inputs"].values()
    for table in ("index.parquet", "ledgers/audit_coverage.parquet", "parameters.json"):
        assert told["inputs"][table] == file_digest(run.path / table)


def test_the_log_has_the_files_first_and_a_second_export_replaces_them(tmp_path: Path) -> None:
    logged: dict[str, str] = {}

    def noted(files: Mapping[str, bytes]) -> None:
        assert not (tmp_path / "a").exists()
        logged.update({name: hashlib.sha256(data).hexdigest() for name, data in files.items()})

    meeting, run = whole_meeting(), whole_run()
    steps: list[tuple[str, int, int]] = []
    paths = export_meeting(
        meeting,
        run,
        tmp_path / "a",
        formats=["pptx", "docx"],
        stamp=STAMP,
        noted=noted,
        progress=lambda *step: steps.append(step),
    )
    assert [path.suffix for path in paths] == [".docx", ".pptx", ".json"]
    assert logged == {path.name: file_digest(path) for path in paths[:-1]}
    assert manifest(paths[-1])["logged"] is True
    assert steps[-1] == ("制作会议材料", 2, 2)
    for path in paths[:-1]:  # equal arguments, equal bytes
        assert path.read_bytes() == whole_pack()[path.suffix[1:]].read_bytes()
    export_meeting(meeting, run, tmp_path / "a", formats=["pptx"], stamp=STAMP)
    left = sorted(path.suffix for path in (tmp_path / "a").iterdir())
    assert left == [".json", ".pptx"]  # files of the earlier export of this date go
    paths[1].write_bytes(b"changed")
    with pytest.raises(UsageError, match="不覆盖"):
        export_meeting(meeting, run, tmp_path / "a", formats=["pptx"])


def test_a_folder_tells_its_files_and_which_were_changed_since(small_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "pack"
    paths = export_meeting(meeting_of(small_run), small_run, str(out), formats=["xlsx", "svg"])
    table = pack_table(str(out))
    assert sorted(table["文件"]) == sorted(path.name for path in paths[:-1])
    assert table["校验码"].tolist() == [file_digest(out / name)[:12] for name in table["文件"]]
    assert table["与写出时相同"].all()
    (out / table["文件"][0]).write_bytes(b"changed")
    (out / table["文件"][1]).unlink()
    assert not pack_table(out)["与写出时相同"].any()
    with pytest.raises(UsageError, match="不是会议材料"):
        pack_table(tmp_path / "nothing")


def test_what_the_log_refuses_is_not_handed_out(tmp_path: Path) -> None:
    def refuse(_: Mapping[str, bytes]) -> None:
        raise LedgerError("不能登记", [])

    with pytest.raises(LedgerError):
        export_meeting(whole_meeting(), whole_run(), tmp_path / "o", formats=["docx"], noted=refuse)
    assert not (tmp_path / "o").exists()


def test_another_process_gives_the_same_bytes(small_run: Run, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from huanjie_lib.exports import export_meeting\n"
        "from huanjie_lib.store.run_folder import read_run\n"
        "from huanjie_lib.views.meeting import meeting_of\n"
        "if __name__ == '__main__':\n"
        "    run = read_run(pathlib.Path(sys.argv[1]))\n"
        "    export_meeting(meeting_of(run), run, pathlib.Path(sys.argv[2]), processes=2)\n"
    )
    (tmp_path / "again.py").write_text(script, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "again.py"), str(small_run.path), str(tmp_path / "b")]
    subprocess.run(command, check=True)
    paths = export_meeting(meeting_of(small_run), small_run, tmp_path / "a")
    assert [path.name for path in paths] == [
        "选情工作清单_全市_2026-10-31.xlsx",
        "选情一览_全市_2026-10-31.html",
        "选情汇报_全市_2026-10-31.docx",
        "选情汇报_全市_2026-10-31.pdf",
        "选情汇报_全市_2026-10-31.pptx",
        "选情地图A3_全市_2026-10-31.pdf",
        "选情地图A3_全市_2026-10-31.svg",
        "manifest.json",
    ]
    assert [file_digest(tmp_path / "b" / path.name) for path in paths] == list(map(file_digest, paths))
    assert manifest(paths[-1])["omitted"] == {"ledgers": "没有可以查阅的台账"}


def test_a_township_gets_its_own_units_and_nothing_that_reports_say(tmp_path: Path) -> None:
    run = whole_run()
    township = str(run.units["township_code"].iloc[0])
    meeting = whole_meeting(township)
    clerk = Actor("zhao", meeting.area, Role.TOWNSHIP, (township,))
    own = casework_seen(run, result().ledgers.frames, actor=clerk)
    paths = export_meeting(meeting, run, tmp_path / "t", casework=own)
    told = manifest(paths[-1])
    assert set(told["omitted"]) == {"html"}
    assert all(meeting.area in path.name for path in paths[:-1])
    book = openpyxl.load_workbook(paths[0])
    assert "扣分明细" not in book.sheetnames
    leads = {i.label for i in run.parameters.framework.indicators if i.id == "leads_rate"}
    said = [cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
    assert not [cell for cell in said[: said.index("三色等级")] if any(label in str(cell) for label in leads)]
    rows = [row[0] for row in book["工作清单"].iter_rows(min_row=3, max_col=1, values_only=True)]
    assert sorted(rows) == sorted(c for c in run.units["unit_code"] if c.startswith(township))
    listed = openpyxl.load_workbook(paths[1], read_only=True)
    cells = [cell for sheet in listed for row in sheet.iter_rows(values_only=True) for cell in row]
    codes = {cell for cell in cells if isinstance(cell, str) and cell in set(run.units["unit_code"])}
    assert codes
    assert all(code.startswith(township) for code in codes)
    with pytest.raises(ValueError, match="outside"):
        export_meeting(meeting, run, tmp_path / "w", casework=casework_shown())
    with pytest.raises(UsageError, match="镇街材料不含离线网页"):
        export_meeting(meeting, run, tmp_path / "u", formats=["html"])


def test_without_any_place_the_maps_are_said_to_be_omitted(small_run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text("{}", encoding="utf-8")
    units = small_run.units.assign(longitude=np.nan, latitude=np.nan)
    run = dataclasses.replace(small_run, path=tmp_path / "run", units=units)
    paths = export_meeting(meeting_of(run), run, tmp_path / "out")
    assert {path.suffix for path in paths} == {".xlsx", ".html", ".docx", ".pdf", ".pptx", ".json"}
    assert set(manifest(paths[-1])["omitted"]) == {"map", "svg", "ledgers"}
    with pytest.raises(UsageError, match="不能制图"):
        export_meeting(meeting_of(run), run, tmp_path / "map", formats=["svg"])
