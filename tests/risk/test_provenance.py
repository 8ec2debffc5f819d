"""Every indicator names the cells it rests on: what it names decides it, and nothing else does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import DerivedMeasure, load_parameters
from huanjie_lib.risk.indicators import CELLS, MEASURES, indicator_values
from huanjie_lib.risk.prepared import Prepared, prepare
from huanjie_lib.risk.provenance import COLUMNS, Provenance, provenance
from huanjie_lib.sample import make_city

AS_OF = dt.date(2026, 10, 31)
PARAMETERS = load_parameters()
DERIVED = {
    i.id: i.measure.function for i in PARAMETERS.framework.indicators if isinstance(i.measure, DerivedMeasure)
}
Tables = Mapping[str, pd.DataFrame]


@pytest.fixture(scope="module")
def tables() -> Tables:
    city = make_city(units=60)
    used = {t for cells in CELLS.values() for t in cells} | {"units", "facts"}
    found = {
        name: pd.DataFrame(frame).reset_index(drop=True)
        for name, frame in city.tables.items()
        if name in used
    }
    for name, frame in found.items():
        frame["source_file"], frame["source_sheet"] = f"tables/{name}.parquet", ""
        frame["source_row"] = pd.array(np.arange(1, len(frame) + 1), dtype="Int64")
    return found


@pytest.fixture(scope="module")
def prepared(tables: Tables) -> Prepared:
    return prepare(tables)


@pytest.fixture(scope="module")
def found(prepared: Prepared) -> Provenance:
    return provenance(prepared, PARAMETERS, AS_OF)


def values(tables: Tables) -> pd.DataFrame:
    return indicator_values(prepare(tables), PARAMETERS, AS_OF).value


def test_columns_of_measures_stand_in_the_contracts() -> None:
    assert set(CELLS) == set(MEASURES)
    for cells in CELLS.values():
        for table, columns in cells.items():
            assert len(set(columns)) == len(columns)
            assert set(columns) <= set(TABLES[table].names)


def test_what_a_measure_does_not_name_does_not_decide_it(tables: Tables) -> None:
    """Columns of ledgers are shuffled, those that nothing names together: only what names one may change."""
    before = values(tables)
    rng = np.random.default_rng(7)
    named: dict[tuple[str, str], set[str]] = {}
    for function, cells in CELLS.items():
        for table, columns in cells.items():
            for column in columns:
                named.setdefault((table, column), set()).add(function)
    moved: set[tuple[str, str, str]] = set()
    for name in sorted({table for table, _ in named}):
        free = {"unit_code", *TABLES[name].key}
        alone = [c.name for c in TABLES[name].columns if (name, c.name) in named]
        rest = [c.name for c in TABLES[name].columns if c.name not in free and (name, c.name) not in named]
        for together in ([column] for column in alone) if not rest else (rest, *([c] for c in alone)):
            order = rng.permutation(len(tables[name]))
            changed = {column: tables[name][column].take(order).array for column in together}
            after = values({**tables, name: tables[name].assign(**changed)})
            for indicator, function in DERIVED.items():
                if before[indicator].equals(after[indicator]):
                    continue
                assert function in named.get((name, together[0]), ()), (indicator, name, together)
                moved.add((function, name, together[0]))
    assert {function for function, _, _ in moved} == set(DERIVED.values())
    assert len(moved) > 40


def test_rows_that_are_not_named_do_not_decide(tables: Tables, prepared: Prepared, found: Provenance) -> None:
    """Without all rows that nothing names, every indicator of every unit comes out the same."""
    kept = {}
    for name, frame in tables.items():
        mine = found.rows.loc[found.rows["source_table"] == name, "source_row"].unique()
        kept[name] = (
            frame if name == "units" else frame[frame["source_row"].isin(mine)].reset_index(drop=True)
        )
        assert len(mine) > 0 or name in ("units", "leavers")  # nobody left unlisted here
    assert sum(map(len, kept.values())) < sum(map(len, tables.values()))
    pd.testing.assert_frame_equal(values(kept), indicator_values(prepared, PARAMETERS, AS_OF).value)


def test_every_known_value_has_a_row_of_its_own_unit(
    tables: Tables, prepared: Prepared, found: Provenance
) -> None:
    known = indicator_values(prepared, PARAMETERS, AS_OF).value.stack().dropna()
    traced = set(zip(found.rows["unit_code"], found.rows["indicator"], strict=True))
    assert [pair for pair in known.index if pair not in traced] == []
    code_of = {name: frame.set_index("source_row")["unit_code"] for name, frame in tables.items()}
    for name, rows in found.rows.groupby("source_table", observed=True):
        own = code_of[str(name)].loc[rows["source_row"]].to_numpy()
        assert (own == rows["unit_code"].to_numpy()).mean() > 0.99  # but for units that were merged


def test_a_sum_over_months_names_each_month(found: Provenance) -> None:
    flows = {
        i.id: i.measure.months for i in PARAMETERS.framework.indicators if getattr(i.measure, "months", None)
    }
    rows = (
        found.rows[found.rows["indicator"] == "petitions_rate"]
        if "petitions_rate" in flows
        else found.rows[found.rows["indicator"].isin(flows) & (found.rows["source_table"] == "facts")]
    )
    months = rows.groupby(["unit_code", "indicator", "columns"], observed=True).size()
    assert months.max() >= 2
    assert months.max() <= max(v for v in flows.values() if v) + 1


def test_the_form_of_the_result(found: Provenance) -> None:
    assert list(found.to_frame().columns) == list(COLUMNS)
    assert not found.rows.duplicated().any()
    code = found.rows["unit_code"].iloc[0]
    assert found.explain(code).startswith(f"截至2026年10月31日，{code}的")
    with pytest.raises(KeyError):
        found.explain("none")
    assert (
        repr(found)
        == f"Provenance(rows={len(found.rows)}, as_of=2026-10-31, parameters={PARAMETERS.version!r})"
    )


def test_tables_without_sources_give_no_rows() -> None:
    units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    assert provenance(prepare({"units": units}), PARAMETERS, AS_OF).rows.empty
    facts = pd.DataFrame({"unit_code": ["990101001201"], "as_of": pd.to_datetime(["2026-09-30"]),
                          "metric": ["reserve_people"], "value": [1.0]})  # fmt: skip
    assert provenance(prepare({"units": units, "facts": facts}), PARAMETERS, AS_OF).rows.empty
