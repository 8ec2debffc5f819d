"""The forms hold the county's figures, written as clerks write, and spoiled only where it is said."""

from __future__ import annotations

import csv
import io
import re
import unicodedata

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import City
from huanjie_lib.sample.names import RETURNS_COUNTY
from huanjie_lib.sample.returns import FAULT_COLUMNS, ReturnFile, make_returns
from huanjie_lib.sample.streams import Streams

Rows = list[list[object]]
SHEETS = {
    "基本情况",
    "审计台账",
    "审计对象",
    "审计公示",
    "审计问题",
    "矛盾纠纷",
    "矛盾摸排",
    "资格联审",
    "谈心谈话",
    "选民登记核对",
}


@pytest.fixture(scope="module")
def filed(city: City) -> tuple[list[ReturnFile], pd.DataFrame]:
    """Let ten townships file, one for each habit."""
    towns = city.tables["townships"].assign(county_code="990199")
    towns.loc[:9, "county_code"] = RETURNS_COUNTY
    rng = Streams(city.seed)["returns"]
    return make_returns({**city.tables, "townships": towns}, RETURNS_COUNTY, city.as_of, rng)


def read(file: ReturnFile) -> dict[str, Rows]:
    if file.path.endswith(".csv"):
        text = file.content.decode("gb18030")
        name = file.path.rpartition("_")[2].removesuffix(".csv")
        return {name: [list(row) for row in csv.reader(io.StringIO(text))]}
    book = openpyxl.load_workbook(io.BytesIO(file.content))
    return {s.title: [[c.value for c in row] for row in s.iter_rows()] for s in book.worksheets}


@pytest.fixture(scope="module")
def forms(filed: tuple[list[ReturnFile], pd.DataFrame]) -> dict[str, dict[str, Rows]]:
    """Return the cells of every sheet of every file, read by a library that did not write them."""
    return {file.path: read(file) for file in filed[0]}


def plain(text: object) -> str:
    return unicodedata.normalize("NFKC", str(text)).replace(",", "").replace("\n", "")


def test_every_township_sends_every_form_once(forms: dict[str, dict[str, Rows]]) -> None:
    by_town: dict[str, list[str]] = {}
    for path, sheets in forms.items():
        by_town.setdefault(path.split("/")[1], []).extend(sheets)
    assert len(by_town) == 10
    for sent in by_town.values():
        assert sorted(sent) == sorted(SHEETS)
    assert any(path.endswith(".csv") for path in forms)


def test_headings_are_known_and_framed_by_title_and_totals(forms: dict[str, dict[str, Rows]]) -> None:
    known = {"序号", "备注", "村(社区)名称"}
    for contract in TABLES.values():
        for column in contract.columns:
            known |= {plain(column.label), *map(plain, column.aliases)}
    for metric in load_parameters().framework.metrics.values():
        known |= {plain(metric.label), *map(plain, metric.aliases)}
    for path, sheets in forms.items():
        for sheet, rows in sheets.items():
            bare = str(rows[0][0]) == "序号"
            top = 0 if bare else 2
            leaf = rows[top + 1] if sheet == "基本情况" else rows[top]
            heads = [rows[top][n] if cell is None else cell for n, cell in enumerate(leaf)]
            names = [
                re.sub(r"\([^()]*\)$", "", plain(h)) if plain(h) not in known else plain(h) for h in heads
            ]
            assert set(names) <= known, (path, sheet)
            assert len(set(names)) == len(names), (path, sheet)
            if not bare:
                assert "填报单位" in str(rows[1][0])
                assert any("填报日期：2026年10月31日" in str(c) for c in rows[1])
            if sheet == "基本情况":
                assert rows[-2][0] == "合计"
                assert str(rows[-1][0]).startswith("填表人")


def test_figures_can_be_read_back(
    city: City, filed: tuple[list[ReturnFile], pd.DataFrame], forms: dict[str, dict[str, Rows]]
) -> None:
    """Independent of intake: the sums of a column, read as plain text, are those of the table."""
    facts = city.tables["facts"]
    last = facts[(facts["as_of"] == pd.Timestamp(city.as_of))].set_index(["unit_code", "metric"])["value"]
    labels = {
        plain(spelling): name
        for name, metric in load_parameters().framework.metrics.items()
        for spelling in (metric.label, *metric.aliases)
    }
    spoiled = {(f, s, r) for f, s, r in filed[1][["file", "sheet", "row"]].itertuples(index=False)}
    compared, in_ten_thousands = 0, 0
    for path, sheets in forms.items():
        rows = sheets.get("基本情况", [])
        if not rows:
            continue
        heads = [plain(c) for c in rows[3]]
        for number, row in enumerate(rows[4:-2], start=5):
            if row[2] is None or (path, "基本情况", number) in spoiled:
                continue
            for head, cell in zip(heads, row, strict=True):
                name = labels.get(re.sub(r"\([^()]*\)$", "", head))
                if name is None:
                    continue
                if cell is None:
                    assert (row[2], name) not in last.index
                    continue
                scale = 10_000 if "万元" in head else 1
                in_ten_thousands += scale > 1
                assert float(plain(cell)) * scale == pytest.approx(last[row[2], name], abs=1e-6)
                compared += 1
    assert compared > 2000
    assert in_ten_thousands > 20


def test_project_cells_are_merged_down_over_their_items(
    city: City, forms: dict[str, dict[str, Rows]]
) -> None:
    rows = next(sheets for path, sheets in forms.items() if path.endswith(".xlsx"))["审计台账"][3:]
    projects = [r for r in rows if r[1] is not None]
    towns = {str(r[2])[:9] for r in projects}
    items = city.tables["audit_items"]
    mine = items[items["unit_code"].str[:9].isin(towns)]
    assert len(rows) == len(mine)
    assert len(projects) == mine["project_id"].nunique() < len(rows)


def test_spoiled_cells_stand_where_the_list_says(
    filed: tuple[list[ReturnFile], pd.DataFrame], forms: dict[str, dict[str, Rows]]
) -> None:
    _, faults = filed
    assert tuple(faults.columns) == FAULT_COLUMNS
    assert len(faults) >= 18
    looks = {
        "code_length": lambda row: any(re.fullmatch(r"\d{11}", str(c)) for c in row),
        "code_scientific": lambda row: "1.23E+11" in row,
        "code_unknown": lambda row: "990121999999" in row,
        "date_invalid": lambda row: "2026-13-40" in row or "2026.2.30" in row,
        "not_a_number": lambda row: "约三十万" in row or "一百多" in row,
        "negative": lambda row: any(str(c).startswith("-") for c in row),
        "fraction": lambda row: "12.5" in row,
        "word_unknown": lambda row: bool({"基本同意", "基本清楚", "临时负责人"} & set(map(str, row))),
        "reference_unknown": lambda row: "990121999201-A2026" in row,
        "total_mismatch": lambda row: row[0] == "合计",
    }
    for fault in faults.itertuples(index=False):
        sheets = forms[fault.file]
        rows = sheets[fault.sheet] if fault.sheet else next(iter(sheets.values()))
        assert looks.get(fault.kind, lambda row: any(row))(rows[fault.row - 1]), fault
    assert {"duplicate_row", "order", "required_missing"} <= set(faults["kind"])


def test_clerks_write_in_many_ways(forms: dict[str, dict[str, Rows]]) -> None:
    sheets = [rows for sent in forms.values() for rows in sent.values()]
    cells = [str(cell) for rows in sheets for row in rows for cell in row if cell is not None]
    text = "\n".join(cells)
    for pattern in (
        r"^2026年10月\d{1,2}日$",
        r"^2026\.10\.\d{1,2}$",
        r"^2026/10/\d{2}$",
        r"^202610\d{2}$",
        r"^[０-９]+$",
        r"^\d,\d{3}$",
        r"^√$",
        r"^无$",
        r"^/$",
        r"^—$",
        r"^2026-10-\d{2} 00:00:00$",
    ):
        assert re.search(pattern, text, re.MULTILINE), pattern
