"""Tables of plans and of the reserve: what is late and what is short stands first and is counted."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.screens.sheets import MOST_ROWS
from huanjie_lib.screens.talent_sheets import quota_sheet, steps_sheet, structure_sheet
from huanjie_lib.views import talent
from tests.talent_runs import LI, talent_run


def test_steps_open_the_person_and_say_how_late_they_are() -> None:
    sheet = steps_sheet(talent.plans(talent_run()), lambda refs: dict.fromkeys(refs, "李*"))
    first = sheet.rows[0]
    assert (first[0].text, first[0].action, first[0].value) == ("李*", "person", LI)
    texts = [[cell.text for cell in row] for row in sheet.rows]
    assert texts[0][-3:] == ["逾期", "123", "—"]
    assert texts[1][-3:] == ["建议", "—", "4.3"]
    assert first[-3].tone == "late"
    assert sheet.note == "逾期 1 项，共 3 行"


def test_short_units_are_counted() -> None:
    sheet = quota_sheet(talent.quota(talent_run()))
    assert sheet.note == "不足的 1 个，共 3 行"
    assert [cell.text for cell in sheet.rows[0]] == ["石桥村", "石桥镇", "1", "2", "1", "0", "1"]


def test_long_tables_name_the_file_that_holds_the_rest() -> None:
    quota = pd.concat([talent.quota(talent_run())] * MOST_ROWS, ignore_index=True)
    steps = pd.concat([talent.plans(talent_run())] * MOST_ROWS, ignore_index=True)
    assert quota_sheet(quota).note.endswith("，不足的全部见导出的培养计划")
    assert steps_sheet(steps, lambda refs: dict.fromkeys(refs, "李*")).note.endswith("，全部见导出的培养计划")


def test_the_structure_leaves_out_what_nobody_is() -> None:
    sheet = structure_sheet(talent_run().table("structure"))
    assert [[cell.text for cell in row] for row in sheet.rows] == [
        ["来源", "大学毕业生", "4", "66.7%"],
        ["来源", "退役军人", "2", "33.3%"],
    ]
