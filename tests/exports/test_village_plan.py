from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
from pathlib import Path

import docx
import pytest

from huanjie_lib.casework.conflict_ledger import Held
from huanjie_lib.casework.village_plan import Duty, Matter, VillagePlan, VillagePlans, village_plans
from huanjie_lib.errors import UsageError
from huanjie_lib.exports.docx import file_name
from huanjie_lib.exports.village_plan import FOLDER, export_village_plans, village_plan_document
from huanjie_lib.store.run_folder import Run

RED = "990101102201"


@pytest.fixture(scope="module")
def plans(small_run: Run) -> VillagePlans:
    return village_plans(small_run, {})


@pytest.fixture(scope="module")
def plan(plans: VillagePlans) -> VillagePlan:
    """A plan with matters of every kind."""
    day = dt.date(2026, 10, 31)
    problem = Matter("资产处置（重大）", dt.date(2026, 6, 1), "已152天", "石桥镇农经站", day, overdue=True)
    dispute = Matter(
        "征地拆迁（群体性）", dt.date(2026, 7, 1), "已122天，缺化解方案", "", None, overdue=False
    )
    duties = (
        Duty("包干领导", Held.THERE, "镇长", dt.date(2026, 6, 1)),
        Duty("稳控预案", Held.UNDATED, "", None),
        Duty("化解方案", Held.LACKING, "", None),
    )
    return dataclasses.replace(
        plans.plans[RED],
        problems=(problem,),
        disputes=(dispute,),
        cases=(),
        standing=("未化解矛盾1件",),
        duties=duties,
    )


def words(data: bytes) -> str:
    """Return all text of a document, tables cell by cell, in the order of the page."""
    lines = []
    for block in docx.Document(io.BytesIO(data)).iter_inner_content():
        if isinstance(block, docx.table.Table):
            lines += ["|".join(cell.text for cell in row.cells) for row in block.rows]
        elif block.text:
            lines.append(block.text)
    return "\n".join(lines)


def test_a_plan_reads_from_state_to_signature(plan: VillagePlan) -> None:
    text = words(village_plan_document(plan))
    order = [
        "石桥镇石桥村换届“一村一策”工作方案",
        "一、基本情况",
        "类别为村，选举方式为村民直接选举",
        "扣分最多的是：一是",
        "二、未通过的准入条件",
        "准入条件|结论|情况|办理要求",
        "三、突出问题和矛盾",
        "（一）审计问题",
        "1|资产处置（重大）|2026.6.1|已152天|石桥镇农经站|2026.10.31\n已逾期",
        "（二）矛盾纠纷",
        "未化解矛盾1件。",
        "1|征地拆迁（群体性）|2026.7.1|已122天，缺化解方案|（待定）|（待定）",
        "四、整改化解措施",
        plan.outlook,
        "五、责任落实",
        "还缺稳控预案、化解方案，由镇街补齐并填写：",
        "包干领导|已有|镇长\n姓名：",
        "稳控预案|未注明日期|文号或附件：",
        "六、时间安排",
        "镇党委书记（签字）：",
        "村党组织书记（签字）：",
        "签订日期：",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    for step in plan.steps:
        assert step.label in text
        assert step.limits in text
    document = docx.Document(io.BytesIO(village_plan_document(plan)))
    header = document.sections[0].header.paragraphs[0].text
    assert header.startswith("截至2026年10月31日　参数版本default@")
    assert header.endswith("内部资料，注意保管")


def test_what_is_unknown_is_said_and_left_to_fill_in(plans: VillagePlans) -> None:
    text = words(village_plan_document(plans.plans[RED]))
    assert "没有审计问题台账，情况不明，须核实。" in text
    assert "没有摸排或没有矛盾台账，情况不明，须核实。" in text
    assert "没有一村一策台账，下列各项由镇街填写：" in text
    assert "没有未整改的审计问题" not in text
    bare = dataclasses.replace(
        plans.plans[RED],
        index=None,
        reasons=(),
        conditions=None,
        problems=(),
        disputes=(),
        steps=(),
        outlook="",
        timetable=(),
    )
    text = words(village_plan_document(bare))
    for said in (
        "没有填报数据，不能评定等级",
        "所用参数包没有设置准入条件。",
        "没有未整改的审计问题。",
        "台账上没有未化解的矛盾。",
        "没有测算转色措施",
        "由镇街确定：",
    ):
        assert said in text


def test_every_table_keeps_within_the_page(plan: VillagePlan) -> None:
    for table in docx.Document(io.BytesIO(village_plan_document(plan))).tables:
        assert sum(column.width for column in table.columns) / 36_000 <= 156.1  # EMU to mm
        assert table.rows[0]._tr.trPr is not None


def test_a_folder_of_one_document_a_unit(plans: VillagePlans, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    written = export_village_plans(plans, tmp_path, progress=lambda *step: told.append(step))
    assert told[0] == ("生成一村一策", 0, len(plans))
    assert told[-1] == ("生成一村一策", len(plans), len(plans))
    folder = tmp_path / FOLDER
    assert written[-1] == folder / "manifest.json"
    assert {path.name for path in written[:-1]} == {file_name(p.unit_code, p.unit_name) for p in plans}
    before = {path.name: path.read_bytes() for path in written}
    assert {p.name: p.read_bytes() for p in export_village_plans(plans, tmp_path)} == before
    manifest = json.loads(before["manifest.json"])
    assert manifest["as_of"] == "2026-10-31"
    assert set(manifest["outputs"]) == set(before) - {"manifest.json"}


def test_hostile_names_stay_within_the_folder(plans: VillagePlans, tmp_path: Path) -> None:
    named = dataclasses.replace(plans.plans[RED], unit_name="../<img src=x>|村")
    export_village_plans(dataclasses.replace(plans, plans={RED: named}), tmp_path)
    names = [path.name for path in (tmp_path / FOLDER).iterdir()]
    assert sorted(names) == ["990101102201_.._img src=x_村.docx", "manifest.json"]
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]


def test_a_plan_filled_in_is_never_overwritten(plans: VillagePlans, tmp_path: Path) -> None:
    *documents, _ = export_village_plans(plans, tmp_path)
    documents[0].write_bytes(b"signed")
    with pytest.raises(UsageError) as caught:
        export_village_plans(plans, tmp_path)
    assert documents[0].name in caught.value.faults[0].where
    assert documents[0].read_bytes() == b"signed"


def test_a_unit_no_longer_red_loses_its_untouched_plan(plans: VillagePlans, tmp_path: Path) -> None:
    export_village_plans(plans, tmp_path)
    fewer = {code: one for code, one in plans.plans.items() if code != RED}
    assert len(fewer) < len(plans)
    written = export_village_plans(dataclasses.replace(plans, plans=fewer), tmp_path)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == sorted(p.name for p in written)
