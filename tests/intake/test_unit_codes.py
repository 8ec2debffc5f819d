"""Real codes of villages and communities are taken, altered ones refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REAL = pd.read_csv(Path(__file__).resolve().parents[1] / "data" / "unit_codes_2020.csv", dtype="str")
CODES = REAL["unit_code"].tolist()
TARGET = CODES[1]
SCREENINGS = ["摸排编号", "统计用区划代码", "摸排日期", "摸排方式"]


@pytest.fixture
def country(folder: Any) -> Any:
    """Return a folder whose units are the real ones."""
    townships = REAL.drop_duplicates(["county_name", "township_name"])
    folder.csv(
        "tables/townships.csv",
        [
            ["township_code", "township_name", "county_code", "county_name"],
            *zip(
                townships["unit_code"].str[:9],
                townships["township_name"],
                townships["unit_code"].str[:6],
                townships["county_name"],
                strict=True,
            ),
        ],
        encoding="gb18030",
    )
    columns = ["unit_code", "unit_name", "unit_kind", "township_code"]
    units = REAL.assign(township_code=REAL["unit_code"].str[:9])[columns]
    folder.csv("tables/units.csv", [columns, *units.to_numpy().tolist()], encoding="gb18030")
    folder.csv(
        "tables/facts.csv",
        [["unit_code", "as_of", "metric", "value"], [TARGET, "2026-09-30", "households", 3]],
    )
    (folder.path / "tables" / "crosswalk.csv").unlink()
    return folder


def test_real_codes_are_taken_with_their_names(country: Any) -> None:
    intake = country.read()
    assert intake.tables["units"]["unit_code"].tolist() == CODES
    assert intake.tables["units"]["unit_name"].tolist() == REAL["unit_name"].tolist()
    assert not (intake.issues["severity"] == "error").any()
    told = intake.issues[(intake.issues["table"] == "units") & (intake.issues["severity"] == "warning")]
    assert told["column"].tolist() == []


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (TARGET[:11], "12 位数字"),
        (TARGET + "0", "12 位数字"),
        (TARGET[:9], "12 位数字"),  # the township's
        (TARGET.replace("0", "O", 1), "12 位数字"),
        (TARGET[:6] + " " + TARGET[6:], "12 位数字"),
        ("1.20115E+11", "科学计数法"),
        (TARGET[:9] + "000", "先在区划代码对照中补充"),  # the township's, filled up
        (TARGET[:10] + TARGET[11] + TARGET[10], "核对代码"),  # two digits changed places
        ("110101001002", "核对代码"),  # real, of another city
        ("120115106201\u200b1", "12 位数字"),
    ],
)
def test_altered_codes_are_refused_with_the_reason(country: Any, written: str, reason: str) -> None:
    assert written not in CODES
    country.csv("tables/screenings.csv", [SCREENINGS, ["S1", written, "2026-10-01", "走访"]])
    intake = country.read()
    assert not len(intake.tables["screenings"])
    assert intake.quarantine["screenings"]["unit_code"].tolist() == [written]
    assert reason in intake.quarantine["screenings"]["reasons"].item()


@pytest.mark.parametrize(
    "written", [f" {TARGET}　", "１２０１１５１０６２０１", f"'{TARGET}", f"{TARGET}\u200b"]
)
def test_the_same_code_written_otherwise_is_taken(country: Any, written: str) -> None:
    country.csv("tables/screenings.csv", [SCREENINGS, ["S1", written, "2026-10-01", "走访"]])
    assert country.read().tables["screenings"]["unit_code"].tolist() == [TARGET]


def test_a_township_in_the_list_of_units_is_told(country: Any) -> None:
    path = country.path / "tables" / "units.csv"
    text = path.read_text(encoding="gb18030")
    path.write_text(f"{text}{TARGET[:9]}000,八门城镇,village,{TARGET[:9]}\n", encoding="gb18030")
    told = country.read().issues
    assert told["allowed"].str.contains("末三位为 000 的是乡镇街道本身的代码").sum() == 1
