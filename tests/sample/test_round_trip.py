"""What intake reads from a written city is the city, but for the cells spoiled on purpose."""

from __future__ import annotations

import pandas as pd
import pytest

from huanjie_lib.contracts import TABLES
from huanjie_lib.intake import Intake, read_folder
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import City, write_city

KEPT = {"total_mismatch", "code_renumbered", "duplicate_row"}


@pytest.fixture(scope="module")
def written(city: City, tmp_path_factory: pytest.TempPathFactory) -> tuple[Intake, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("round_trip")
    write_city(city, folder / "data", truth=folder / "truth.parquet")
    faults = pd.read_csv(folder / "returns_faults.csv", keep_default_na=False)
    return read_folder(folder / "data", load_parameters()), faults


@pytest.mark.parametrize("name", ["audit_items", "facts", "reviews", "roll_checks", "screenings", "talks"])
def test_good_rows_come_back_equal(city: City, written: tuple[Intake, pd.DataFrame], name: str) -> None:
    intake, faults = written
    key = list(TABLES[name].key)
    sent = city.tables[name].set_index(key).sort_index()
    columns = city.tables[name].dtypes
    read = pd.DataFrame(intake.tables[name])[list(columns.index)].astype(columns.to_dict())
    read = read.set_index(key).sort_index()
    assert read.index.isin(sent.index).all()
    refused = sent.index.difference(read.index)
    cells = len(load_parameters().framework.metrics) if name == "facts" else 1
    assert len(refused) <= cells * len(faults[~faults["kind"].isin(KEPT)])
    pd.testing.assert_frame_equal(read, sent.loc[read.index])


def test_the_judgments_are_no_stray_file(written: tuple[Intake, pd.DataFrame]) -> None:
    assert "judgments.csv" not in set(written[0].issues["file"])


def test_every_spoiled_cell_is_reported_where_it_stands(written: tuple[Intake, pd.DataFrame]) -> None:
    intake, faults = written
    assert len(faults) >= 5
    issues = intake.issues.assign(sheet=intake.issues["sheet"].fillna(""))
    lines = faults[faults["kind"] != "code_renumbered"]  # noted by sheet, not by row
    found = lines.merge(issues, on=["file", "sheet", "row"], how="left", indicator=True)
    missed = found.loc[found["_merge"] == "left_only", ["file", "sheet", "row", "kind"]]
    assert missed.to_dict("records") == []
