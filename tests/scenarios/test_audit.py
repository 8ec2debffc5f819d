"""不审计不换届 against examples written out as a policy reader would read them.

Each file in ``audit/`` tells one case: what the ledgers hold where it differs from ``_底本.yaml``, the day,
the verdict, its reason and its source. A table written as a list takes the place of the whole table; one
written as a mapping changes single rows by their number (nothing after the number: the row is gone). The
ledgers take the whole way: written as files, read by intake, laid out, and asked.
"""

from __future__ import annotations

import copy
import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from huanjie_lib.casework.audit_ledger import LABELS, AuditLedger, AuditStage, audit_ledger
from huanjie_lib.casework.audit_rows import HandoverKind, ProblemStanding
from huanjie_lib.contracts import TABLES
from huanjie_lib.intake import Intake, read_folder
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.risk.audits import NoticeStanding
from huanjie_lib.risk.gates import AUDIT_CHECKS, evaluate_gates
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.vocabulary import GateStatus

PARAMETERS = load_parameters()
FOLDER = Path(__file__).parent / "audit"
BASE = yaml.safe_load((FOLDER / "_底本.yaml").read_text(encoding="utf-8"))
SCENARIOS = sorted(path for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_"))
CODES = {
    "甲村": "990101101201",
    "乙村": "990101101202",
    "丙社区": "990101101001",
    "旧村": "990101101291",
    "旧二村": "990101101292",
}
TABLE_OF = {contract.label: name for name, contract in TABLES.items()}
NUMBER_OF = {
    "审计项目": "审计项目编号",
    "审计事项": "审计事项",
    "审计对象": "人员代号",
    "审计公示": "公示编号",
    "审计问题": "问题编号",
}
RULES = {"两次公示间隔天数": "audit_notice_min_gap_days", "审计公示最少次数": "audit_notice_min_count"}
REQUIRED = ("情形", "资料", "截至日期", "应得结论", "理由", "依据", "说明")


def filed(scenario: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table of a case: those of the base with the changes of the case."""
    tables = {name: copy.deepcopy(rows) for name, rows in BASE.items() if name != "单位"}
    for name, change in scenario["资料"].items():
        if name == "单位":
            continue
        if change is None:
            del tables[name]
        elif isinstance(change, list):
            tables[name] = change
        else:
            tables[name] = patched(tables[name], change, NUMBER_OF[name])
    return tables


def patched(
    rows: list[dict[str, Any]], change: dict[str, dict[str, Any] | None], number: str
) -> list[dict[str, Any]]:
    """Return rows with some of them changed, added or gone."""
    known = {row[number]: row for row in rows}
    for key, cells in change.items():
        if cells is None:
            del known[key]
        else:
            known[key] = {**known.get(key, {number: key}), **cells}
    return list(known.values())


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a CSV file as a township files it; a cell that a row does not name is empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def read(scenario: dict[str, Any], folder: Path) -> Intake:
    """File the ledgers of a case and read them."""
    tables = folder / "tables"
    write(
        tables / "townships.csv",
        [{"镇街代码": "990101101", "镇街名称": "石桥镇", "县区代码": "990101", "县区名称": "东岭县"}],
    )
    units = scenario["资料"].get("单位", BASE["单位"])
    write(
        tables / "units.csv",
        [
            {"统计用区划代码": CODES[name], "村(社区)名称": name, "镇街代码": "990101101", **more}
            for name, more in units.items()
        ],
    )
    for label, rows in filed(scenario).items():
        contract = TABLES[TABLE_OF[label]]
        defaults = {"审计项目编号": "JIA-2026"} if "project_id" in contract.names else {}
        if "unit_code" in contract.names:
            defaults["统计用区划代码"] = CODES["甲村"]
        done = []
        for row in rows:
            cells = {**defaults, **row}
            if "村(社区)" in cells:
                cells["统计用区划代码"] = CODES[cells.pop("村(社区)")]
            for column in ("旧代码", "新代码"):
                if column in cells:
                    cells[column] = CODES[cells[column]]
            done.append(cells)
        write(tables / f"{contract.name}.csv", done)
    return read_folder(folder, PARAMETERS)


def parameters_of(scenario: dict[str, Any]) -> ParameterSet:
    """Return the default parameters with the rules that the case's region words otherwise."""
    changed = {RULES[label]: value for label, value in scenario.get("本地规定", {}).items()}
    rules = tuple(
        rule.model_copy(update={"value": changed[rule.id]}) if rule.id in changed else rule
        for rule in PARAMETERS.rules
    )
    return PARAMETERS.model_copy(update={"rules": rules})


def judged(scenario: dict[str, Any], folder: Path) -> AuditLedger:
    """Return the ledger of a case, after holding its verdict against the gates of the whole pack."""
    intake, parameters, as_of = read(scenario, folder), parameters_of(scenario), scenario["截至日期"]
    assert isinstance(as_of, dt.date)
    refused = {TABLES[name].label: len(rows) for name, rows in intake.quarantine.items()}
    assert refused == scenario.get("退回", {})
    prepared = prepare(intake.tables)
    ledger = audit_ledger(prepared, parameters, as_of)
    gates = evaluate_gates(prepared, parameters, as_of)
    assert parameters.gates is not None
    ids = [gate.id for gate in parameters.gates.gates if gate.check in AUDIT_CHECKS]
    audit = gates[gates["gate"].isin(ids)].groupby("unit_code")["status"].agg(set)
    for code, verdict in zip(ledger.units["unit_code"], ledger.units["verdict"], strict=True):
        worst = next(status for status in ("fail", "unknown", "pass") if status in audit[code])
        assert verdict == worst
    return ledger


def check(scenario: dict[str, Any], ledger: AuditLedger) -> None:
    """Hold what a case expects against the ledger."""
    code = CODES[scenario.get("看", "甲村")]
    row = ledger.unit(code)
    assert GateStatus.lookup()[row["verdict"]].label == scenario["应得结论"]
    assert row["reason"] == scenario["理由"]
    assert scenario["依据"] in row["rule"]
    assert f"不审计不换届：{scenario['应得结论']}——{scenario['理由']}。" in ledger.explain(code)
    if "进度" in scenario:
        assert AuditStage.lookup()[row["stage"]].label == scenario["进度"]
    assert row["to_check"] == scenario.get("需要核对", "")
    headings = {LABELS[name]: name for name in ledger.units.columns}
    for heading, expected in scenario.get("台账", {}).items():
        assert shown(row[headings[heading]]) == expected, heading
    standings = (
        ("各次公示", ledger.notices, "notice_id", NoticeStanding),
        ("各个问题", ledger.problems, "problem_id", ProblemStanding),
    )
    for place, frame, key, words in standings:
        found = dict(zip(frame[key], frame["standing"].map(words.labels()), strict=True))
        assert found.items() >= scenario.get(place, {}).items()
    if "移交清单" in scenario:
        mine = ledger.handover[ledger.handover["unit_code"] == code]
        kinds = mine["kind"].map(HandoverKind.labels())
        assert [f"{k}：{d}" for k, d in zip(kinds, mine["detail"], strict=True)] == scenario["移交清单"]


def shown(value: Any) -> Any:
    """Return a cell as a case writes it."""
    if value is None or pd.isna(value):
        return "不明"
    if isinstance(value, bool | np.bool_):
        return "是" if value else "否"
    return value if isinstance(value, str) else int(value)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_verdict_is_the_one_the_case_gives(path: Path, tmp_path: Path) -> None:
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    check(scenario, judged(scenario, tmp_path))


def test_there_are_cases_and_each_can_be_read() -> None:
    assert len(SCENARIOS) >= 18
    cases = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in SCENARIOS]
    for case in cases:
        assert [key for key in REQUIRED if key not in case] == []
        assert all(str(case[key]).strip() for key in REQUIRED if key != "资料")
    assert {case["应得结论"] for case in cases} == {"通过", "不通过", "待核实"}
    assert len({case["情形"] for case in cases}) == len(cases)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda case: case.update(应得结论="通过"),
        lambda case: case.update(理由=case["理由"].replace("1次天数不足", "1次早于审计结论")),
        lambda case: case.update(依据="村民委员会组织法第十五条"),
        lambda case: case.update(进度="审计清楚"),
        lambda case: case.update(需要核对="审计缺少财政参加"),
        lambda case: case.update(台账={"有效公示次数": 2}),
        lambda case: case.update(各次公示={"G2": "有效"}),
        lambda case: case.update(移交清单=["未清债务：集体债务余额"]),
        lambda case: case.update(截至日期=dt.date(2026, 4, 1)),
        lambda case: case["资料"].pop("审计公示"),
    ],
)
def test_a_wrong_expectation_fails(wrong: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    (path,) = [path for path in SCENARIOS if "提前撤下" in path.stem]
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    right = copy.deepcopy(case)
    wrong(case)
    assert case != right
    with pytest.raises(AssertionError):
        check(case, judged(case, tmp_path))
