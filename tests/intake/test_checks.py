from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import dataframely as dy
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings

from huanjie_lib.contracts import SOURCE_COLUMNS, TABLES, table
from huanjie_lib.intake.checks import Batch, Checked, Context, check, to_pandas
from huanjie_lib.intake.report import Issue, IssueLevel, report_frame
from huanjie_lib.parameters import Metric, ParameterSet

UNITS = pl.Series(["990101101001", "990101101201", "990101101202"])
NAMES = {"990101101001": "石桥社区", "990101101201": "上云村", "990101101202": "柳湾村"}
A, B = "990101101201", "990101101202"


def batch(name: str, rows: list[dict[str, Any]], file: str = "a.csv", **options: Any) -> Batch:
    columns = list(dict.fromkeys(k for row in rows for k in row))
    raw = pl.DataFrame(
        [[r.get(c) for c in columns] for r in rows], schema=dict.fromkeys(columns, pl.String), orient="row"
    )
    return Batch(table(name), file, "", raw, pl.Series(range(2, len(rows) + 2), dtype=pl.Int64), **options)


def run(name: str, *batches: Batch, **context: Any) -> Checked:
    known = {("units", "unit_code"): UNITS, **context.pop("known", {})}
    checked = check(table(name), batches, Context(context.pop("metrics", {}), known=known, **context))
    for count, one in zip(checked.counts, batches, strict=True):
        assert count["read"] == one.raw.height + sum(one.dropped.values())
        assert count["read"] == count["loaded"] + count["quarantined"] + count["dropped"]
    assert sum(c["loaded"] for c in checked.counts) == checked.rows.height
    assert sum(c["quarantined"] for c in checked.counts) == checked.quarantine.height
    return checked


def issues(checked: Checked, level: IssueLevel = IssueLevel.ERROR) -> list[tuple[Any, ...]]:
    whole = pl.concat(checked.issues).filter(pl.col("severity") == level.value)
    return whole.select("row", "column", "found", "allowed", "remedy").rows()


def screening(**cells: str | None) -> dict[str, str | None]:
    return {"screening_id": "S1", "unit_code": A, "screened_on": "2026-10-01", "method": "走访", **cells}


def fact(metric: str, value: str, unit: str = A, as_of: str = "2026-10-31") -> dict[str, str]:
    return {"unit_code": unit, "as_of": as_of, "metric": metric, "value": value}


def test_a_good_row_is_loaded_with_its_place() -> None:
    checked = run(
        "screenings", batch("screenings", [screening(households_visited="1,234", led_by_secretary="√")])
    )
    assert checked.quarantine.height == 0
    assert issues(checked) == []
    row = checked.rows.row(0, named=True)
    assert row == {
        "screening_id": "S1",
        "unit_code": A,
        "screened_on": dt.datetime(2026, 10, 1),
        "method": "visit",
        "led_by_secretary": True,
        "households_visited": 1234,
        "source_file": "a.csv",
        "source_sheet": "",
        "source_row": 2,
    }


@pytest.mark.parametrize(
    ("column", "cell", "found", "allowed"),
    [
        ("unit_code", "9901", "9901", "12 位数字的统计用区划代码"),
        ("unit_code", "990101101999", "990101101999", "“村(社区)”表中已有的统计用区划代码"),
        ("screened_on", "2026-13-40", "2026-13-40", "日期，如 2026-10-31"),
        ("screened_on", "", "（空）", "日期，如 2026-10-31"),
        ("screened_on", None, "（空）", "日期，如 2026-10-31"),
        ("method", "打电话", "打电话", "走访、座谈、谈话"),
        ("households_visited", "12.5", "12.5", "不小于 0 的整数"),
        ("households_visited", "-1", "-1", "不小于 0 的整数"),
        ("led_by_secretary", "大概", "大概", "是、否"),
    ],
)
def test_a_bad_cell_sets_its_row_aside_and_only_that(
    column: str, cell: str, found: str, allowed: str
) -> None:
    rows = [screening(), screening(screening_id="S2", **{column: cell})]
    checked = run("screenings", batch("screenings", rows))
    assert checked.rows["screening_id"].to_list() == ["S1"]
    assert checked.quarantine["screening_id"].to_list() == ["S2"]
    assert checked.quarantine[column].to_list() == [cell]  # as it stood
    assert checked.quarantine["source_row"].to_list() == [3]
    ((row, at, what, want, advice),) = issues(checked)
    assert (row, at, what, want) == (3, column, found, allowed)
    assert advice
    reason = checked.quarantine["reasons"].item()
    assert reason == f"{table('screenings').column(column).label}：发现“{found}”，应为：{allowed}，{advice}"


def test_every_fault_of_a_row_is_told() -> None:
    checked = run(
        "screenings", batch("screenings", [screening(unit_code="1.23E+11", method="?", screened_on="x")])
    )
    assert [i[1] for i in issues(checked)] == ["unit_code", "screened_on", "method"]
    assert "科学计数法" in issues(checked)[0][4]
    assert checked.quarantine["reasons"].item().count("应为") == 3


def test_a_missing_optional_column_is_missing_values() -> None:
    checked = run("screenings", batch("screenings", [screening()]))
    assert checked.rows["households_visited"].to_list() == [None]
    assert checked.rows.schema["households_visited"] == pl.Int64


def test_order_of_columns() -> None:
    rows = [
        {"unit_code": A, "as_of": "2026-10-31", "target": "能人", "due": "3", "done": "5"},
        {"unit_code": B, "as_of": "2026-10-31", "target": "能人", "due": "5", "done": "5"},
    ]
    checked = run("talks", batch("talks", rows))
    assert checked.rows["unit_code"].to_list() == [B]
    ((row, column, found, allowed, advice),) = issues(checked)
    assert (row, column, found, allowed) == (2, "due", "3", "不小于“已谈人数”（5）")
    assert advice == "核对“已谈人数”和“应谈人数”，改正其中一项"
    spell = {
        "notice_id": "N",
        "project_id": "P",
        "unit_code": A,
        "start_on": "2026-10-09",
        "end_on": "2026-10-02",
    }
    late = run(
        "audit_notices",
        batch("audit_notices", [spell]),
        known={("audit_projects", "project_id"): pl.Series(["P"])},
    )
    assert issues(late)[0][1:4] == ("end_on", "2026-10-02", "不早于“公示开始”（2026-10-09）")


def test_reference_to_a_row_that_is_not_there() -> None:
    item = {"project_id": "P9", "unit_code": A, "item": "资产处置", "outcome": "清楚"}
    checked = run(
        "audit_items",
        batch("audit_items", [item]),
        known={("audit_projects", "project_id"): pl.Series(["P1"])},
    )
    assert issues(checked)[0][1:4] == ("project_id", "P9", "“审计项目”表中已有的审计项目编号")


def test_reference_to_a_table_that_is_not_there_is_a_warning() -> None:
    item = {"project_id": "P9", "unit_code": A, "item": "资产处置", "outcome": "清楚"}
    checked = run("audit_items", batch("audit_items", [item]))
    assert checked.rows.height == 1
    assert [i[2] for i in issues(checked, IssueLevel.WARNING)] == ["没有“审计项目”表，未核对“审计项目编号”"]


# ---------------------------------------------------------------- equal keys


def test_identical_rows_are_kept_once() -> None:
    checked = run("screenings", batch("screenings", [screening(), screening(method="visit"), screening()]))
    assert checked.rows.height == 1
    assert checked.counts[0]["dropped"] == 2
    assert checked.counts[0]["reason"] == "与前面的行完全相同 2"
    told = issues(checked, IssueLevel.WARNING)
    assert [i[0] for i in told] == [3, 4]
    assert told[0][2] == "与本表第 2 行完全相同"


def test_rows_that_contradict_in_one_file_are_all_set_aside() -> None:
    rows = [screening(), screening(method="座谈"), screening(), screening(screening_id="S2")]
    checked = run("screenings", batch("screenings", rows))
    assert checked.rows["screening_id"].to_list() == ["S2"]
    assert checked.quarantine["source_row"].to_list() == [2, 3, 4]
    told = {i[0]: i[4] for i in issues(checked)}
    assert "与本表第 3 行重复而内容不同" in told[2]
    assert "与本表第 2 行重复而内容不同" in told[3]
    assert "与本表第 3 行重复而内容不同" in told[4]


def test_a_later_file_never_overrules_an_earlier_one() -> None:
    checked = run(
        "screenings",
        batch("screenings", [screening()], "a.csv"),
        batch("screenings", [screening(method="座谈")], "b.csv"),
        batch("screenings", [screening()], "c.csv"),
    )
    assert checked.rows["source_file"].to_list() == ["a.csv"]
    assert checked.quarantine["source_file"].to_list() == ["b.csv"]
    assert "与 a.csv 第 2 行重复而内容不同" in issues(checked)[0][4]
    assert [c["dropped"] for c in checked.counts] == [0, 0, 1]


def test_a_row_refused_for_another_reason_does_not_block_its_key() -> None:
    checked = run("screenings", batch("screenings", [screening(method="?"), screening()]))
    assert checked.rows["source_row"].to_list() == [3]
    assert len(issues(checked)) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("kl"), st.sampled_from("xy")), max_size=12))
def test_equal_keys_against_a_plain_reading_of_the_rule(rows: list[tuple[str, str, str]]) -> None:
    rows = sorted(rows, key=lambda r: r[0])
    words = {"x": "走访", "y": "座谈"}
    cells = [(f"{f}.csv", screening(screening_id=k, method=words[v])) for f, k, v in rows]
    files = sorted({f for f, _ in cells})
    checked = run(
        "screenings", *(batch("screenings", [c for f, c in cells if f == file], file) for file in files)
    )
    loaded = []
    for key in sorted({k for _, k, _ in rows}):
        first = next(f for f, k, _ in rows if k == key)
        values = {v for f, k, v in rows if k == key and f == first}
        if len(values) == 1:
            loaded.append((key, f"{first}.csv", {"x": "visit", "y": "meeting"}[values.pop()]))
    assert sorted(checked.rows.select("screening_id", "source_file", "method").rows()) == loaded
    dropped = sum(int(c["dropped"]) for c in checked.counts)
    back = {"visit": "x", "meeting": "y"}
    copies = [sum((k, v) == (key, back[method]) for _, k, v in rows) - 1 for key, _, method in loaded]
    assert dropped == sum(copies)


# ---------------------------------------------------------------- facts


def test_metrics_have_bounds_of_their_own(parameters: ParameterSet) -> None:
    rows = [
        fact("households", "300"),
        fact("总户数", "310", unit=B),
        fact("households", "-5", as_of="2026-09-30"),
        fact("households", "12.5", as_of="2026-08-31"),
        fact("households", "三百", as_of="2026-07-31"),
        fact("collective_income", "12.5"),
        fact("happiness", "9"),
    ]
    checked = run("facts", batch("facts", rows), metrics=parameters.framework.metrics)
    assert checked.rows.select("unit_code", "metric", "value").rows() == [
        (A, "households", 300.0),
        (B, "households", 310.0),
        (A, "collective_income", 12.5),
    ]
    told = {row: (column, found, allowed) for row, column, found, allowed, _ in issues(checked)}
    bounds = "0 到 30,000 之间的整数"
    assert told == {
        4: ("households", "-5", bounds),
        5: ("households", "12.5", bounds),
        6: ("households", "三百", bounds),
        8: ("metric", "happiness", "参数包中登记的指标项"),
    }
    labels = pl.concat(checked.issues).filter(pl.col("severity") == "error").select("row", "label").rows()
    assert dict(labels)[4] == "总户数"


def test_facts_without_metrics_are_refused() -> None:
    checked = run("facts", batch("facts", [fact("households", "300")]))
    assert checked.rows.height == 0
    assert issues(checked)[0][1] == "metric"


# ---------------------------------------------------------------- codes


def test_confirmed_old_codes_are_replaced_and_others_refused() -> None:
    rows = [
        screening(screening_id=f"S{n}", unit_code=c)
        for n, c in enumerate(["990101101291", "990101101292", A])
    ]
    checked = run(
        "screenings",
        batch("screenings", rows),
        recode={"990101101291": A, B: A},  # B is in force: left alone
        doubtful={"990101101292": "尚未经人确认"},
    )
    assert checked.rows["unit_code"].to_list() == [A, A]
    assert checked.quarantine["unit_code"].to_list() == ["990101101292"]
    assert issues(checked)[0][4] == "尚未经人确认"
    notes = [i[2] for i in issues(checked, IssueLevel.NOTE)]
    assert notes == ["1 行：旧代码按已确认的区划代码对照换为新代码"]


def test_units_whose_code_does_not_fit_are_warned_of_and_loaded() -> None:
    rows = [
        {
            "unit_code": "990101101001",
            "unit_name": "石桥社区",
            "unit_kind": "社区",
            "township_code": "990101101",
        },
        {
            "unit_code": "990101101203",
            "unit_name": "新村社区",
            "unit_kind": "社区",
            "township_code": "990101101",
        },
        {
            "unit_code": "990101101204",
            "unit_name": "下云村",
            "unit_kind": "社区",
            "township_code": "990101101",
        },
        {"unit_code": "990101101205", "unit_name": "上河村", "unit_kind": "村", "township_code": "990101102"},
    ]
    towns = {("townships", "township_code"): pl.Series(["990101101", "990101102"])}
    checked = run("units", batch("units", rows), known=towns)
    assert checked.rows.height == 4
    assert [(i[0], i[1]) for i in issues(checked, IssueLevel.WARNING)] == [
        (3, "unit_code"),
        (4, "unit_kind"),
        (5, "township_code"),
    ]


def test_a_name_that_is_not_the_name_of_its_code_is_warned_of() -> None:
    rows = [screening(screening_id=f"S{n}") for n in range(4)]
    names = pl.Series(["上云村", "上云村村民委员会", "柳湾村", ""])
    checked = run("screenings", batch("screenings", rows, names=names), unit_names=NAMES)
    assert checked.rows.height == 4
    ((row, column, found, allowed, _),) = issues(checked, IssueLevel.WARNING)
    assert (row, column, found) == (4, "unit_code", f"{A}（柳湾村）")
    assert allowed == "代码与名称相符；该代码是“上云村”"


# ---------------------------------------------------------------- places and persons


def test_a_row_keeps_the_source_it_carries() -> None:
    rows = [
        screening(source_file="returns/x.xlsx", source_sheet="矛盾摸排", source_row="9"),
        screening(screening_id="S2"),
    ]
    checked = run("screenings", batch("screenings", rows))
    assert checked.rows.select("source_file", "source_sheet", "source_row").rows() == [
        ("returns/x.xlsx", "矛盾摸排", 9),
        ("a.csv", "", 3),
    ]


def test_refused_batches_are_set_aside_whole() -> None:
    why = Issue(
        IssueLevel.ERROR, "缺少列“x”", "列标题“x”", "补上", table="screenings", file="a.csv", label="x"
    )
    checked = run(
        "screenings",
        batch("screenings", [screening(), screening()], refused=(why,)),
        batch("screenings", [screening()], "b.csv"),
    )
    assert checked.rows["source_file"].to_list() == ["b.csv"]
    assert checked.quarantine["source_file"].to_list() == ["a.csv", "a.csv"]
    assert checked.quarantine["reasons"].to_list() == ["x：缺少列“x”，应为：列标题“x”，补上"] * 2


def test_no_name_or_number_of_a_person_leaves_the_file() -> None:
    rows = [
        {"person_ref": "张某某", "unit_code": A, "arrangement": "荣誉职务"},
        {"person_ref": "990101199001011234", "unit_code": A, "arrangement": "电话 13900000000"},
    ]
    checked = run("leavers", batch("leavers", rows))
    assert checked.rows.height == 0
    text = str(pl.concat(checked.issues).rows()) + str(checked.quarantine.rows())
    for secret in ("张某某", "990101199001011234", "13900000000"):
        assert secret not in text
    refused = batch("leavers", rows, refused=(Issue(IssueLevel.ERROR, "a", "b", "c"),))
    assert "张某某" not in str(run("leavers", refused).quarantine.rows())


# ---------------------------------------------------------------- against another validator

CELLS = st.fixed_dictionaries(
    {
        "unit_code": st.sampled_from([A, B, "9901", "99010110120A", None]),
        "term": st.one_of(st.none(), st.integers(1940, 2110)),
        "electors": st.one_of(st.none(), st.integers(-5, 50)),
        "ballots": st.one_of(st.none(), st.integers(-5, 50)),
        "invalid_ballots": st.one_of(st.none(), st.integers(-5, 50)),
    }
)


class History(dy.Schema):
    """The same rules, written for dataframely."""

    unit_code = dy.String(nullable=False, regex=r"^\d{12}$")
    term = dy.Int64(nullable=False, min=1949, max=2100)
    electors = dy.Int64(nullable=False, min=0)
    ballots = dy.Int64(nullable=True, min=0)
    invalid_ballots = dy.Int64(nullable=True, min=0)

    @dy.rule()
    def ballots_order(cls) -> pl.Expr:  # noqa: N805
        return cls.ballots.col <= cls.electors.col

    @dy.rule()
    def invalid_order(cls) -> pl.Expr:  # noqa: N805
        return cls.invalid_ballots.col <= cls.ballots.col


@settings(deadline=None, max_examples=60)
@given(st.lists(CELLS, min_size=1, max_size=25))
def test_good_rows_are_those_of_dataframely(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema={n: pl.String if n == "unit_code" else pl.Int64 for n in rows[0]})
    good, _ = History.filter(frame)
    # a polling day of its own for each row, and that as the key, so that keys play no part here
    history = dataclasses.replace(table("election_history"), key=("election_on",))
    days = pl.Series([dt.date(2021, 3, 1) + dt.timedelta(n) for n in range(len(rows))])
    raw = frame.with_columns(election_on=days)
    known = {("units", "unit_code"): UNITS}
    checked = check(
        history, [Batch(history, "a.csv", "", raw, pl.Series(range(len(rows))))], Context({}, known=known)
    )
    assert checked.rows.select(frame.columns).rows() == good.select(frame.columns).rows()


# ---------------------------------------------------------------- to pandas


def test_types_in_memory(parameters: ParameterSet) -> None:
    facts = run(
        "facts",
        batch("facts", [fact("households", "300", B), fact("households", "310", A)]),
        metrics=parameters.framework.metrics,
    )
    frame = to_pandas(facts.rows, table("facts"))
    assert frame["unit_code"].cat.categories.tolist() == [A, B]
    assert frame["unit_code"].tolist() == [B, A]
    assert frame["unit_code"].cat.categories.dtype == "str"
    assert frame["as_of"].dtype == "datetime64[us]"
    assert frame["value"].dtype == np.float64
    assert frame["source_row"].dtype == "Int64"
    plain = to_pandas(run("screenings", batch("screenings", [screening()])).rows, table("screenings"))
    assert plain["method"].dtype == "str"
    assert plain["led_by_secretary"].dtype == "boolean"
    assert plain["led_by_secretary"].isna().all()
    assert plain["households_visited"].isna().all()
    assert pd.isna(
        to_pandas(
            run("leavers", batch("leavers", [{"person_ref": "P", "unit_code": A}])).rows, table("leavers")
        )["left_on"].item()
    )


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_contract_has_an_empty_frame(name: str) -> None:
    frame = to_pandas(check(TABLES[name], [], Context({})).rows, TABLES[name])
    assert list(frame.columns) == [
        c.name for c in (*TABLES[name].columns, *SOURCE_COLUMNS) if c.kind != "geometry"
    ]
    assert len(frame) == 0


# ---------------------------------------------------------------- shares among metrics


def test_metrics_that_are_shares_are_read_on_their_own_scale() -> None:
    metrics = {
        "turnout": Metric(label="参选率", unit="%", family="election", minimum=0, maximum=100),
        "debt_ratio": Metric(label="债务率", unit="比例", family="economy", minimum=0),
        "households": Metric(label="总户数", unit="户", family="people", integer=True),
    }
    rows = [
        fact("参选率", "85%"),
        fact("turnout", "0.85", B),
        fact("debt_ratio", "120%"),
        fact("debt_ratio", "120", B),
        fact("households", "85%"),
        fact("households", "1", B),
    ]
    checked = run("facts", batch("facts", rows), metrics=metrics)
    assert checked.rows["value"].to_list() == [85.0, 1.2, 1.0]
    assert [(row, column, found) for row, column, found, _, _ in issues(checked)] == [
        (3, "turnout", "0.85"),
        (5, "debt_ratio", "120"),
        (6, "households", "85%"),
    ]
    assert "写明百分号" in issues(checked)[0][4]


def test_names_of_several_sheets_of_unequal_size_are_compared() -> None:
    batches = [
        batch(
            "screenings", [screening(screening_id=f"S{n}-{m}") for m in range(size)], f"{n}.csv", names=names
        )
        for n, (size, names) in enumerate(
            [(3, pl.Series(["上云村", "柳湾村", ""])), (1, None), (2, pl.Series(["柳湾村", "上云"]))]
        )
    ]
    found = [f for _, _, f, _, _ in issues(run("screenings", *batches, unit_names=NAMES), IssueLevel.WARNING)]
    assert found == [f"{A}（柳湾村）", f"{A}（柳湾村）"]


def test_of_a_column_that_is_wrong_all_over_the_first_lines_are_listed_and_the_rest_counted() -> None:
    contract = table("leads")
    rows = 1_500
    raw = pl.DataFrame(
        {
            "unit_code": ["990101101201"] * rows,
            "received_on": ["某日"] * rows,
            "kind": ["拉票贿选"] * rows,
            "count": ["约三"] * 10 + ["3"] * (rows - 10),
        }
    )
    numbers = pl.Series(range(2, rows + 2))
    done = check(contract, [Batch(contract, "a.xlsx", "线索", raw, numbers)], Context({}))
    lines = report_frame(done.issues)
    dates = lines[lines["column"] == contract.columns[1].name]
    assert len(dates) == 1_001
    (rest,) = dates[dates["row"].isna()].itertuples()
    assert (rest.found, rest.file, rest.sheet) == ("另有 500 处，没有逐行列出", "a.xlsx", "线索")
    assert (lines["column"] == "count").sum() == 10
    assert done.quarantine.height == rows
    assert done.quarantine["reasons"].str.contains("某日").all()
