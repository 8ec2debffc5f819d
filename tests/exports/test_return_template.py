"""A township can fill the workbook in with any spreadsheet program, and what was filled in is read."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.contracts import RETURN_SHEETS, TABLES, table
from huanjie_lib.errors import UsageError
from huanjie_lib.exports.forms import heading
from huanjie_lib.exports.return_template import return_template, write_return_templates
from huanjie_lib.intake import Intake, read_folder
from huanjie_lib.intake.headings import normalise
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import make_city
from huanjie_lib.sample.city import City

AS_OF = dt.date(2026, 10, 31)
METRICS = load_parameters().framework.metrics
LEDGERS = [name for tables in list(RETURN_SHEETS.values())[1:] for name in tables]


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60)


@pytest.fixture(scope="module")
def town(city: City) -> tuple[str, str]:
    townships = city.tables["townships"]
    mine = townships[townships["county_code"] == "990121"].iloc[0]
    return str(mine["township_code"]), str(mine["township_name"])


@pytest.fixture(scope="module")
def blank(city: City, town: tuple[str, str]) -> bytes:
    units = city.tables["units"]
    return return_template(town[1], units[units["township_code"] == town[0]], METRICS, as_of=AS_OF)


def head_row(sheet: Any) -> int:
    return 4 if sheet.title == "基本情况" else 3


def columns_of(sheet: Any) -> dict[str, int]:
    """Return heading, without unit and asterisk, to column number; upper ones where none is below."""
    row = head_row(sheet)
    found = {}
    for number in range(1, sheet.max_column + 1):
        text = sheet.cell(row, number).value or sheet.cell(row - 1, number).value
        if text:
            found[normalise(str(text)).partition("(")[0] or normalise(str(text))] = number
    return found


# ---------------------------------------------------------------- what is in it


def test_equal_input_gives_equal_bytes(city: City, town: tuple[str, str], blank: bytes) -> None:
    units = city.tables["units"].sample(frac=1, random_state=3)
    again = return_template(town[1], units[units["township_code"] == town[0]], METRICS, as_of=AS_OF)
    assert again == blank


def test_every_sheet_has_every_heading_of_its_tables(blank: bytes) -> None:
    book = openpyxl.load_workbook(io.BytesIO(blank))
    assert book.sheetnames == ["填报说明", *RETURN_SHEETS]
    for name, tables in RETURN_SHEETS.items():
        sheet = book[name]
        texts = [str(c.value) for c in sheet[head_row(sheet)] if c.value]
        if name == "基本情况":
            assert [t.partition("(")[0].strip("*") for t in texts] == [m.label for m in METRICS.values()]
            continue
        for column in (c for t in tables for c in TABLES[t].columns):
            assert texts.count(heading(column)) == 1


def test_codes_are_text_words_are_listed_and_headings_are_protected(
    city: City, town: tuple[str, str], blank: bytes
) -> None:
    book = openpyxl.load_workbook(io.BytesIO(blank))
    units = city.tables["units"]
    codes = sorted(units.loc[units["township_code"] == town[0], "unit_code"])
    guide = book["填报说明"]
    for name, tables in list(RETURN_SHEETS.items())[1:]:
        sheet = book[name]
        assert sheet.protection.sheet
        assert sheet.protection.password is None
        assert sheet.cell(3, 2).protection.locked
        rules = {}
        for rule in sheet.data_validations.dataValidation:
            rules[next(iter(rule.sqref.ranges)).min_col] = rule
        for column in (c for t in tables for c in TABLES[t].columns):
            place = next(c.column for c in sheet[3] if c.value == heading(column))
            cell, rule = sheet.cell(4, place), rules[place]
            assert not cell.protection.locked
            if column.kind == "string" or column.words is not None:
                assert cell.number_format == "@"
            words = list(column.words.labels().values()) if column.words is not None else []
            words = codes if column.name == "unit_code" else words
            if words:
                assert rule.type == "list"
                source = str(rule.formula1)
                if source.startswith('"'):
                    assert source.strip('"').split(",") == words
                else:
                    span = source.partition("!")[2].replace("$", "")
                    assert [row[0].value for row in guide[span]] == words
            elif column.kind == "date":
                assert (rule.type, cell.number_format) == ("date", "yyyy-mm-dd")
            elif column.kind == "integer":
                assert (rule.type, rule.formula1) == ("whole", "0")
    assert [c.value for c in book["基本情况"]["C"][4:-1]] == codes
    bounds = {next(iter(r.sqref.ranges)).min_col: (r.formula1, r.formula2) for r in
              book["基本情况"].data_validations.dataValidation}  # fmt: skip
    households = columns_of(book["基本情况"])["总户数"]
    assert bounds[households] == ("0", "30000")


# ---------------------------------------------------------------- round trip


def filled(city: City, township: str, content: bytes) -> bytes:
    """Return the workbook filled in with what the city knows of a township."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    inside = {
        n: f[f["unit_code"].str.startswith(township)] for n, f in city.tables.items() if "unit_code" in f
    }
    facts = inside["facts"]
    facts = facts[facts["as_of"] == pd.Timestamp(AS_OF)]
    sheet = book["基本情况"]
    at = columns_of(sheet)
    row_of = {sheet.cell(r, 3).value: r for r in range(5, sheet.max_row + 1)}
    for code, metric, value in facts[["unit_code", "metric", "value"]].itertuples(index=False):
        sheet.cell(row_of[code], at[normalise(METRICS[metric].label)]).value = value
    items = inside["audit_items"].merge(inside["audit_projects"].drop(columns="unit_code"), on="project_id")
    frames = {"审计台账": items} | {s: inside[t[0]] for s, t in list(RETURN_SHEETS.items())[2:]}
    for name, frame in frames.items():
        sheet = book[name]
        at = columns_of(sheet)
        contracts = {c.name: c for t in RETURN_SHEETS[name] for c in TABLES[t].columns}
        prefilled = {}
        keys = [n for n in ("unit_code", "as_of", "target", "cohort") if n in contracts]
        for row in range(4, sheet.max_row + 1):
            prefilled[tuple(sheet.cell(row, at[normalise(contracts[n].label)]).value for n in keys)] = row
        fresh = 4
        for record in frame.to_dict("records"):
            cells = {n: cell_of(record[n], c) for n, c in contracts.items() if not pd.isna(record[n])}
            dated = {
                n: dt.datetime.combine(v, dt.time()) if isinstance(v, dt.date) else v
                for n, v in cells.items()
            }
            row = prefilled.get(tuple(dated.get(n) for n in keys), 0) if len(keys) > 1 else fresh
            fresh += 1
            if not row:
                continue  # an earlier date, which this return does not ask for
            for n, value in cells.items():
                sheet.cell(row, at[normalise(contracts[n].label)]).value = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def cell_of(value: Any, column: Any) -> Any:
    if column.words is not None:
        return column.words.labels()[value]
    if column.kind == "date":
        return pd.Timestamp(value).date()
    return ("是" if value else "否") if column.kind == "boolean" else value


@pytest.fixture(scope="module")
def reread(
    city: City, town: tuple[str, str], blank: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Intake:
    data = tmp_path_factory.mktemp("data")
    (data / "tables").mkdir()
    for name in ("units", "townships"):
        frame = pd.DataFrame(city.tables[name]).drop(columns="geometry", errors="ignore")
        frame.to_parquet(data / "tables" / f"{name}.parquet", index=False)
    path = data / "returns" / town[1] / f"{town[1]}换届数据报送表(2026年10月).xlsx"
    path.parent.mkdir(parents=True)
    path.write_bytes(filled(city, town[0], blank))
    return read_folder(data, load_parameters())


def test_a_filled_in_workbook_is_read_without_any_issue(reread: Intake) -> None:
    told = reread.issues[reread.issues["file"].str.startswith("returns/")]
    told = told[~told["found"].str.startswith("截至日期取自表头上方的填报日期")]
    assert told.to_dict("records") == []
    assert not set(reread.quarantine)


@pytest.mark.parametrize("name", ["facts", *LEDGERS])
def test_what_was_filled_in_is_what_comes_out(
    city: City, town: tuple[str, str], reread: Intake, name: str
) -> None:
    contract = table(name)
    columns = [c.name for c in contract.columns]
    meant = city.tables[name]
    meant = meant[meant["unit_code"].str.startswith(town[0])]
    if "as_of" in columns:
        meant = meant[meant["as_of"] == pd.Timestamp(AS_OF)]
    text = {c: "str" for c in ("unit_code", "metric") if c in columns}
    found = reread.tables[name].astype(text)
    key = list(contract.key)
    assert len(meant) > 0
    for frame in (meant, found):
        assert not frame.duplicated(key).any()
    left = meant[columns].set_index(key).sort_index().astype(object)
    right = found[columns].set_index(key).sort_index().astype(object)
    pd.testing.assert_frame_equal(
        left.where(left.notna(), None), right.where(right.notna(), None), check_index_type=False
    )


def test_an_empty_workbook_asks_for_what_is_missing_and_loads_nothing(
    city: City, town: tuple[str, str], blank: bytes, tmp_path: Path
) -> None:
    for name in ("units", "townships"):
        frame = pd.DataFrame(city.tables[name]).drop(columns="geometry", errors="ignore")
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
    path = tmp_path / "returns" / town[1] / "空表.xlsx"
    path.parent.mkdir(parents=True)
    path.write_bytes(blank)
    intake = read_folder(tmp_path, load_parameters())
    assert not any(len(f) for n, f in intake.tables.items() if n not in ("units", "townships"))
    missing = intake.issues[(intake.issues["severity"] == "error") & (intake.issues["file"] != "")]
    assert set(missing["found"]) == {"（空）"}
    assert set(missing["sheet"]) == {"谈心谈话", "选民登记核对"}


# ---------------------------------------------------------------- for all townships


def test_townships_are_chosen_by_name_or_code(city: City, tmp_path: Path, town: tuple[str, str]) -> None:
    units, townships = city.tables["units"], city.tables["townships"]
    (one,) = write_return_templates(units, townships, METRICS, tmp_path, as_of=AS_OF, chosen=[town[1]])
    assert one == tmp_path / town[1] / f"{town[1]}换届数据报送表(2026年10月).xlsx"
    with pytest.raises(UsageError, match="不覆盖"):
        write_return_templates(units, townships, METRICS, tmp_path, as_of=AS_OF, chosen=[town[0]])
    with pytest.raises(UsageError, match="没有这个镇街"):
        write_return_templates(units, townships, METRICS, tmp_path, as_of=AS_OF, chosen=["远方镇"])
    with pytest.raises(UsageError, match="没有村（社区）"):
        return_template("远方镇", units.iloc[:0], METRICS, as_of=AS_OF)


def test_townships_of_one_name_get_folders_of_their_own(tmp_path: Path) -> None:
    townships = pd.DataFrame({"township_code": ["990101101", "990102101"], "township_name": ["石桥镇"] * 2})
    units = pd.DataFrame(
        {
            "unit_code": ["990101101201", "990102101201"],
            "unit_name": ["上云村", "柳湾村"],
            "unit_kind": ["village"] * 2,
            "township_code": townships["township_code"],
        }
    )
    paths = write_return_templates(units, townships, METRICS, tmp_path, as_of=AS_OF)
    assert [p.parent.name for p in paths] == ["石桥镇_990101101", "石桥镇_990102101"]
    with pytest.raises(UsageError, match="990101101、990102101"):
        write_return_templates(units, townships, METRICS, tmp_path / "x", as_of=AS_OF, chosen=["石桥镇"])
