"""The whole sample city exported: every unit is in every file, within the time of a meeting's break."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from PIL import Image

from huanjie_lib.exports import export_run
from huanjie_lib.store.run_folder import read_run

pytestmark = pytest.mark.slow

#: Processor time, which other work on the machine does not lengthen much; the design's budget is 30 s idle.
SECONDS = 60.0


def test_every_unit_is_in_every_file(sample_run: Path, tmp_path: Path) -> None:
    run = read_run(sample_run)
    started = time.process_time()
    xlsx, html, pdf, png, _ = export_run(run, tmp_path)
    assert time.process_time() - started < SECONDS
    codes = pd.read_parquet(sample_run / "index.parquet")["unit_code"]
    assert len(codes) == 3215

    book = openpyxl.load_workbook(xlsx, read_only=True)
    working = [row[0] for row in book["工作清单"].iter_rows(min_row=3, max_col=1, values_only=True)]
    assert sorted(map(str, working)) == sorted(codes)
    admitted = sum(1 for _ in book["准入清单"].iter_rows(min_row=3, max_col=1))
    blocked = sum(1 for _ in book["未准入清单"].iter_rows(min_row=3, max_col=1))
    assert admitted + blocked == len(codes)
    book.close()

    text = html.read_text(encoding="utf-8")
    found = re.search(r"huanjieMap\(map_levels, (\{.*\})\);", text)
    assert found
    data = json.loads(found.group(1))
    assert [unit["more"][-1][-12:] for unit in data["units"]] == run.units["unit_code"].tolist()
    assert len(data["groups"]) == run.units["township_code"].nunique()
    assert len(text) < 5_000_000

    assert pdf.stat().st_size < 5_000_000
    with Image.open(png) as image:
        assert image.size == (3307, 2338)
