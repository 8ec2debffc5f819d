"""The conflict ledger against examples written out as a policy reader would read them.

Each file in ``conflict/`` tells a story: the ledgers as a township files them, the day, and what must come of
it. The ledgers take the whole way: written as files, read by intake, laid out, and asked.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from huanjie_lib.casework.conflict_ledger import (
    LABELS,
    ConflictLedger,
    Held,
    Placement,
    Screened,
    conflict_ledger,
)
from huanjie_lib.contracts import TABLES
from huanjie_lib.intake import Intake, read_folder
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.prepared import prepare

SCENARIOS = sorted((Path(__file__).parent / "conflict").glob("*.yaml"))
CODES = {
    "甲村": "990101101201",
    "乙村": "990101101202",
    "丙社区": "990101101001",
    "丁村": "990101101203",
    "戊村": "990101101291",
    "己村": "990101101204",
    "庚村": "990101101205",
}
TABLE_OF = {contract.label: name for name, contract in TABLES.items()}
WORDS = {**Screened.labels(), **Held.labels(), **Placement.labels()}
UNKNOWN = "不明"


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a CSV file; a cell that a row does not name is empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def read(scenario: dict[str, Any], folder: Path) -> Intake:
    """Write the ledgers of a scenario as a township would file them, and read them."""
    write(
        folder / "tables" / "townships.csv",
        [{"镇街代码": "990101101", "镇街名称": "石桥镇", "县区代码": "990101", "县区名称": "东岭县"}],
    )
    units = scenario.get("单位", {"甲村": {}, "乙村": {}, "丙社区": {}})
    write(
        folder / "tables" / "units.csv",
        [
            {
                "统计用区划代码": CODES[name],
                "村(社区)名称": name,
                "类别": "社区" if name.endswith("社区") else "村",
                "镇街代码": "990101101",
                **more,
            }
            for name, more in units.items()
        ],
    )
    changed = [
        {
            "旧代码": CODES[old],
            "新代码": CODES[new],
            "变更类型": kind,
            "生效日期": "2026-08-01",
            "确认人": "市换届办",
            "确认日期": "2026-08-15",
        }
        for kind in ("合并", "变更代码")
        for old, new in scenario.get(kind, {}).items()
    ]
    if changed:
        write(folder / "tables" / "crosswalk.csv", changed)
    for label, rows in scenario["台账"].items():
        filed = [
            {"统计用区划代码": CODES[row["村(社区)"]], **{k: v for k, v in row.items() if k != "村(社区)"}}
            for row in rows
        ]
        write(folder / "tables" / f"{TABLE_OF[label]}.csv", filed)
    return read_folder(folder, load_parameters())


def shown(value: Any) -> Any:
    """Return a cell as a scenario writes it."""
    if value is None or pd.isna(value):
        return UNKNOWN
    if isinstance(value, pd.Timestamp):
        return value.date()
    if isinstance(value, str):
        return WORDS.get(value, value)
    if value is True or value is False or str(value) in {"True", "False"}:
        return "是" if value else "否"
    return float(value)


def said(row: pd.Series, expected: dict[str, Any]) -> dict[str, Any]:
    """Return the cells of a row that a scenario speaks of, under the headings it uses."""
    columns = {LABELS[name]: name for name in row.index}
    return {heading: shown(row[columns[heading]]) for heading in expected}


def plain(expected: dict[str, Any]) -> dict[str, Any]:
    """Return what a scenario expects, numbers as floats."""
    return {k: float(v) if isinstance(v, int | float) else v for k, v in expected.items()}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_ledger_says_what_the_scenario_says(path: Path, tmp_path: Path) -> None:
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    as_of = scenario["截至日期"]
    assert isinstance(as_of, dt.date)
    intake = read(scenario, tmp_path)
    refused = {TABLES[name].label: len(rows) for name, rows in intake.quarantine.items()}
    assert refused == scenario.get("退回", {})
    ledger = conflict_ledger(prepare(intake.tables), load_parameters(), as_of)
    for place, expected in scenario["应为"].items():
        check(ledger, place, expected, scenario)


def check(ledger: ConflictLedger, place: str, expected: Any, scenario: dict[str, Any]) -> None:
    """Hold one entry of a scenario's expectations against the ledger."""
    names = {code: name for name, code in CODES.items()}
    if place == "全市":
        red = pd.Series("red", index=[CODES[name] for name in scenario.get("红色", [])])
        whole = ledger.coverage.merge(ledger.plan_coverage(red), on=["level", "code"])
        assert said(whole.iloc[0], expected) == plain(expected)
        townships = whole[whole["level"] == "township"]
        assert said(townships.iloc[0], expected) == plain(expected)  # there is one township
    elif place in {"矛盾", "谈话", "离任"}:
        frame, keys = {
            "矛盾": (ledger.disputes, ledger.disputes["dispute_id"]),
            "谈话": (ledger.talks, ledger.talks["unit_code"].map(names) + "/" + ledger.talks["target"]),
            "离任": (ledger.leavers, ledger.leavers["person_ref"]),
        }[place]
        assert set(expected) <= set(keys)
        assert place == "矛盾" or set(expected) == set(keys)
        for key, cells in expected.items():
            row = frame[keys == key].iloc[0]
            if "单位" in cells:
                assert names[row["unit_code"]] == cells["单位"]
            cells = {k: v for k, v in cells.items() if k != "单位"}
            assert said(row, cells) == plain(cells), key
    elif expected == "不在台账":
        assert CODES[place] not in set(ledger.units["unit_code"])
        with pytest.raises(KeyError):
            ledger.explain(CODES[place])
    else:
        cells = {k: v for k, v in expected.items() if k != "原文"}
        row = ledger.units[ledger.units["unit_code"] == CODES[place]].iloc[0]
        assert said(row, cells) == plain(cells), place
        assert expected.get("原文", "") in ledger.explain(CODES[place])


def test_there_are_scenarios_and_each_tells_its_story() -> None:
    assert len(SCENARIOS) >= 9
    for path in SCENARIOS:
        scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert scenario["名称"]
        assert scenario["说明"]
        assert scenario["应为"]
