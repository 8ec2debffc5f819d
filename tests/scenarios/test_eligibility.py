"""Who may be proposed, against examples written out as a policy reader would read them.

Each file in ``eligibility/`` tells one case: what differs from ``_底本.yaml``, the region whose rules apply,
the day, the verdict by post and every row that must be recorded, with its rule and dates. The tables take the
whole way: written as files, read by intake, judged.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from huanjie_lib.contracts import TABLES
from huanjie_lib.intake import Intake, read_folder
from huanjie_lib.parameters import load_parameters
from huanjie_lib.talent.eligibility import Eligibility, eligibility, kin_conflicts
from huanjie_lib.vocabulary import GateStatus, PostKind, VettingGround
from tests.scenarios.test_audit import CODES, write

FOLDER = Path(__file__).parent / "eligibility"
BASE = yaml.safe_load((FOLDER / "_底本.yaml").read_text(encoding="utf-8"))
SCENARIOS = sorted(path for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_"))
REQUIRED = ("情形", "说明", "截至日期", "应得结论", "应记")
UNITS = ("甲村", "乙村")
PARAMETERS = {region: load_parameters(region=region) for region in ("national", "zhejiang")}


def placed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the code of its unit in place of the name."""
    return {"统计用区划代码": CODES[row["村(社区)"]], **{k: v for k, v in row.items() if k != "村(社区)"}}


def read(scenario: dict[str, Any], folder: Path) -> Intake:
    """File the tables of a case and read them."""
    parameters = PARAMETERS[scenario.get("地区", "national")]
    tables = folder / "tables"
    town = {"镇街代码": "990101101", "镇街名称": "石桥镇", "县区代码": "990101", "县区名称": "东岭县"}
    write(tables / "townships.csv", [town])
    units = [{"村(社区)名称": name, "类别": "村", "镇街代码": town["镇街代码"]} for name in UNITS]
    write(tables / "units.csv", [{"统计用区划代码": CODES[unit["村(社区)名称"]], **unit} for unit in units])
    person = placed({**BASE["人选"], **scenario.get("人选", {})})
    others = [{**person, "人员代号": ref} for ref in scenario.get("另有人选", [])]
    write(tables / "people.csv", [person, *others])
    everywhere = {**BASE["各部门意见"], **scenario.get("各部门意见", {})}
    changed = scenario.get("部门意见", {})
    departments = parameters.rule("review_departments", dt.date(2026, 10, 31)).value
    assert isinstance(departments, tuple)
    opinions = [
        {"审核部门": name, **everywhere, **changed.get(name, {})}
        for name in departments
        if changed.get(name, {}) is not None
    ]
    opinions += scenario.get("另有意见", [])
    write(
        tables / "vettings.csv",
        [{"人员代号": "P1", "依据材料": "", **row} for row in opinions] or [{"人员代号": ""}],
    )
    if "近亲属" in scenario:
        write(tables / "kinships.csv", [{"人员代号": "P1", **row} for row in scenario["近亲属"]])
    if "班子成员" in scenario:
        projects = [
            {
                "审计项目编号": f"SJ-{CODES[name]}",
                "统计用区划代码": CODES[name],
                "审计类型": "任期",
                "方案日期": "2026-03-01",
            }
            for name in UNITS
        ]
        write(tables / "audit_projects.csv", projects)
        members = [
            {"审计项目编号": f"SJ-{CODES[row['村(社区)']]}", "审计结论": "未完成", **placed(row)}
            for row in scenario["班子成员"]
        ]
        write(tables / "audit_subjects.csv", members)
    return read_folder(folder, parameters)


@dataclass(frozen=True)
class Judged:
    """What came of a case."""

    verdicts: Eligibility
    conflicts: pd.DataFrame


def judged(scenario: dict[str, Any], folder: Path) -> Judged:
    """Return the verdicts on a case."""
    intake = read(scenario, folder)
    refused = {TABLES[name].label: len(rows) for name, rows in intake.quarantine.items()}
    assert refused == scenario.get("退回", {})
    parameters = PARAMETERS[scenario.get("地区", "national")]
    people, as_of = intake.tables["people"], scenario["截至日期"]
    posts = [(CODES[unit], post.value) for unit in UNITS for post in PostKind]
    conflicts = pd.DataFrame()
    if "班子成员" in scenario:
        conflicts = kin_conflicts(
            people,
            intake.tables["kinships"],
            intake.tables["audit_subjects"],
            pd.DataFrame(posts, columns=["unit_code", "post"]),
            parameters,
            as_of=as_of,
        )
    found = eligibility(people, intake.tables.get("vettings"), list(PostKind), parameters, as_of=as_of)
    return Judged(found, conflicts)


def shown(row: Any) -> dict[str, Any]:
    """Return a recorded row under the headings that a case uses; what is missing is left out."""
    cells = {
        "岗位": PostKind.labels().get(row.post),
        "结论": GateStatus.labels()[row.status],
        "理由": row.reason,
        "规则": row.rule,
        "依据": f"{row.label}，{row.source}",
        "规则起用": dt.date.fromisoformat(row.version),
        "出具": None if pd.isna(row.checked_on) else row.checked_on.date(),
        "期满": None if pd.isna(row.expires_on) else row.expires_on.date(),
    }
    return {heading: value for heading, value in cells.items() if value is not None}


def check(scenario: dict[str, Any], found: Judged) -> None:
    """Hold what a case expects against the verdicts."""
    verdicts, wanted = found.verdicts, scenario["应得结论"]
    by_post = {"其余": wanted} if isinstance(wanted, str) else wanted
    for post in PostKind:
        status = GateStatus(verdicts.status.at["P1", post.value])
        assert status.label == by_post.get(post.label, by_post["其余"])
        row = verdicts.status.index.get_loc("P1")
        assert verdicts.eligible(post)[row] == (status is GateStatus.PASS)
    rows = [shown(row) for row in verdicts.rules.query("person_ref == 'P1'").itertuples()]
    assert len(rows) == len(scenario["应记"])
    told = verdicts.explain("P1")
    for row, expected in zip(rows, scenario["应记"], strict=True):
        assert row.items() >= expected.items()
        assert ("岗位" in row) == ("岗位" in expected)
        assert ("期满" in row) == ("期满" in expected)
        assert f"{row['理由']}（{row['依据']}）" in told
    until = verdicts.valid_until["P1"]
    assert (None if pd.isna(until) else until.date()) == scenario.get("有效期至")
    names = {code: name for name, code in CODES.items()}
    avoided = [{"村(社区)": names[row.unit_code], **shown(row)} for row in found.conflicts.itertuples()]
    assert len(avoided) == len(scenario.get("回避", []))
    for row, expected in zip(avoided, scenario.get("回避", []), strict=True):
        assert row.items() >= expected.items()
        assert row["结论"] == "不通过"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_verdict_is_the_one_the_case_gives(path: Path, tmp_path: Path) -> None:
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    check(scenario, judged(scenario, tmp_path))


def test_there_are_cases_and_each_can_be_read() -> None:
    cases = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in SCENARIOS]
    assert len(cases) >= 30
    for case in cases:
        assert [key for key in REQUIRED if key not in case] == []
    assert len({case["情形"] for case in cases}) == len(cases)
    rules = {row["规则"] for case in cases for row in case["应记"]}
    shipped = {rule.id for rule in PARAMETERS["zhejiang"].rules}
    grounds = {f"bar_{ground}" for ground in VettingGround.labels()} & shipped
    assert grounds | {"review_departments", "post_full_member", "reserve_excluded"} == rules


@pytest.mark.parametrize(
    "wrong",
    [
        lambda case: case.update(应得结论="待核实"),
        lambda case: case.update(应得结论={"党组织书记": "不通过", "其余": "通过"}),
        lambda case: case["应记"][0].update(理由=case["应记"][0]["理由"].replace("3年", "5年")),
        lambda case: case["应记"][0].update(期满=dt.date(2026, 10, 30)),
        lambda case: case["应记"][0].pop("期满"),
        lambda case: case["应记"][0].update(依据="村民委员会组织法"),
        lambda case: case["应记"][0].update(规则="bar_gang"),
        lambda case: case.update(应记=[]),
        lambda case: case.update(截至日期=dt.date(2026, 11, 1)),
        lambda case: case.update(地区="national"),
        lambda case: case.update(有效期至=dt.date(2027, 1, 31)),
        lambda case: case.pop("部门意见"),
    ],
)
def test_a_wrong_expectation_fails(wrong: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    (path,) = [path for path in SCENARIOS if path.stem == "04_影响期最后一天"]
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    right = copy.deepcopy(case)
    wrong(case)
    assert case != right
    with pytest.raises(AssertionError):
        check(case, judged(case, tmp_path))
