"""The pack of the whole sample city: every unit is in its lists, within the time of a meeting's break."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from pptx import Presentation
from python_calamine import CalamineWorkbook

from huanjie_lib.exports import MEETING_FORMATS, export_meeting
from huanjie_lib.exports.casework import casework_seen
from huanjie_lib.exports.standalone import unpack
from huanjie_lib.store.run_folder import read_ledgers, read_run
from huanjie_lib.views.meeting import meeting_of

pytestmark = pytest.mark.slow

#: Processor time, which other work on the machine does not lengthen much. The design's budget is 30 s on an
#: idle machine of two processors, which ``benchmarks/bench_pack.py`` measures.
SECONDS = 60.0


def first_column(book: Path, sheet: str) -> list[object]:
    """Return what stands below the heading of a list: the codes of its units."""
    rows = CalamineWorkbook.from_path(book).get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    return [row[0] for row in rows[2:]]


def test_every_unit_is_in_the_lists_of_the_pack(sample_run: Path, tmp_path: Path) -> None:
    run = read_run(sample_run)
    started = time.process_time()
    casework = casework_seen(run, read_ledgers(sample_run))
    meeting = meeting_of(run, ledgers=casework.ledgers)
    paths = export_meeting(meeting, run, tmp_path, casework=casework)
    assert time.process_time() - started < SECONDS
    pack = dict(zip(MEETING_FORMATS, paths, strict=False))
    index = pd.read_parquet(sample_run / "index.parquet")
    codes = sorted(index["unit_code"])
    assert len(codes) == 3215

    assert sorted(first_column(pack["xlsx"], "工作清单")) == codes
    admitted, blocked = (first_column(pack["xlsx"], name) for name in ("准入清单", "未准入清单"))
    assert len(admitted) + len(blocked) == len(codes)
    assert sorted(first_column(pack["ledgers"], "审计台账")) == codes
    assert sorted(unpack(pack["html"].read_text(encoding="utf-8"))["data"]["units"]["code"]) == codes

    with zipfile.ZipFile(pack["docx"]) as package:
        said = package.read("word/document.xml").decode()
    reds = run.units.loc[
        run.units["unit_code"].isin(index.loc[index["level"] == "red", "unit_code"]), "unit_name"
    ]
    assert len(reds) > 300
    assert [name for name in reds if f">{name}<" not in said] == []
    assert len(Presentation(str(pack["pptx"])).slides) < 30
    assert {kind: path.stat().st_size < 8_000_000 for kind, path in pack.items()} == dict.fromkeys(pack, True)
