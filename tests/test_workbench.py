import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.run_folder import RUN_TABLES, read_run
from huanjie_lib.workbench import assess, open_data, write_assessment

AS_OF = dt.date(2026, 10, 31)


def test_writing_and_assessing_in_memory_give_the_same_tables(small_city: Path, tmp_path: Path) -> None:
    written = write_assessment(small_city, tmp_path, as_of=AS_OF, parameters=load_parameters())
    again = read_run(tmp_path)
    held = assess(open_data(str(small_city)), as_of="2026-10-31")
    for name in RUN_TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(held, name), check_dtype=False)
    assert written.manifest == again.manifest


def test_rows_are_conserved_and_the_manifest_says_what_was_read(small_city: Path, tmp_path: Path) -> None:
    counts = write_assessment(small_city, tmp_path, as_of=AS_OF, parameters=load_parameters()).manifest[
        "intake"
    ]
    assert counts["read"] == counts["loaded"] + counts["quarantined"] + counts["dropped"] > 0
    assert (tmp_path / "intake" / "report.csv").exists()


def test_figures_trace_to_the_cell_of_a_return(small_city: Path) -> None:
    run = assess(open_data(small_city), as_of=AS_OF)
    rows = run.indicators[run.indicators["source_file"].str.startswith("returns/", na=False)]
    assert rows["source_sheet"].isin({"基本情况", "矛盾摸排", "资格联审"}).any()
    assert np.isfinite(rows["source_row"].astype(float)).all()


def test_boundaries_hold_the_units_of_the_run(small_city: Path, tmp_path: Path) -> None:
    write_assessment(small_city, tmp_path, as_of=AS_OF, parameters=load_parameters())
    run = read_run(tmp_path)
    boundaries = run.boundaries()
    assert boundaries["unit_code"].tolist() == run.units["unit_code"].tolist()
    assert boundaries.crs.to_epsg() == 4490


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        open_data(tmp_path)
