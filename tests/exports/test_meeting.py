"""A meeting's files come together, say who exported them, and are in the log before they are handed out."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.exports.meeting import export_meeting
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import Role
from huanjie_lib.workbench import as_run
from tests.meetings import result, whole_meeting

STAMP = Stamp("chen", "市换届办", Role.CITY, "换届工作会议", dt.date(2026, 11, 2))


def test_all_files_of_a_meeting_are_written_at_once_and_told_in_the_manifest(tmp_path: Path) -> None:
    logged: list[str] = []

    def noted(files: Mapping[str, bytes]) -> None:
        assert not (tmp_path / "a").exists()
        logged.extend(files)

    meeting, run = whole_meeting(), as_run(result())
    paths = export_meeting(meeting, run, tmp_path / "a", stamp=STAMP, noted=noted)
    assert [path.suffix for path in paths] == [".docx", ".pdf", ".pptx", ".html", ".json"]
    assert logged == [path.name for path in paths[:-1]]
    manifest = json.loads(paths[-1].read_text(encoding="utf-8"))
    assert manifest["exported"] == STAMP.entry
    assert manifest["parameter_version"] == run.parameters.version
    for path in paths[:-1]:
        data = path.read_bytes()
        told = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        assert manifest["outputs"][path.name] == told
    assert STAMP.text in paths[3].read_text(encoding="utf-8")

    export_meeting(meeting, run, tmp_path / "a", formats=["pptx"], stamp=STAMP)
    left = sorted(path.suffix for path in (tmp_path / "a").iterdir())
    assert left == [".json", ".pptx"]  # files of the earlier export of this date go
    again = export_meeting(meeting, run, tmp_path / "b", formats=["pptx"], stamp=STAMP)
    assert again[0].read_bytes() == (tmp_path / "a" / again[0].name).read_bytes()


def test_a_township_gets_no_page_that_holds_what_reports_say(tmp_path: Path) -> None:
    run = as_run(result())
    township = str(run.units["township_code"].iloc[0])
    meeting = whole_meeting(township)
    paths = export_meeting(meeting, run, tmp_path / "t", formats=["docx"])
    assert meeting.area in paths[0].name
    with pytest.raises(UsageError, match="镇街"):
        export_meeting(meeting, run, tmp_path / "u", formats=["html"])


def test_a_file_that_somebody_changed_is_not_overwritten(tmp_path: Path) -> None:
    meeting, run = whole_meeting(), as_run(result())
    paths = export_meeting(meeting, run, tmp_path, formats=["docx"])
    paths[0].write_bytes(b"changed")
    with pytest.raises(UsageError, match="不覆盖"):
        export_meeting(meeting, run, tmp_path, formats=["docx"])
