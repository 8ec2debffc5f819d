"""The cultivation plan as a workbook: steps of people, what to verify first, and where the reserve is short.

People stand in it under the names that whoever exports may see, and under the end of their pseudonym, which
tells two of one masked name apart.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import pandas as pd

from huanjie_lib.exports.book import A3, A4, Column, new_book
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.cultivation import StepState
from huanjie_lib.views import talent
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.views.words import count_text, date_text
from huanjie_lib.vocabulary import CultivationStep, EvidenceKind, PortraitAspect

__all__ = ["plan_workbook"]

TASKS_EACH: Final = 2
"""Things to verify that are told of each person."""
_NAME: Final = Column("name", 12, "text", "姓名（掩码）")
_WHO: Final = (
    _NAME,
    Column("code", 10, "text", "代号末4位"),
    Column("township_name", 14, "text", "镇街"),
    Column("unit_name", 18, "text", "村（社区）"),
)
_STEPS: Final = (
    *_WHO,
    Column("state", 14, "text", "进度", StepState.labels()),
    Column("step", 12, "text", "培养方式", CultivationStep.labels()),
    Column("aspect", 12, "text", "重点提高", PortraitAspect.labels()),
    Column("start_on", 12, "date", "开始"),
    Column("due_on", 12, "date", "期限"),
    Column("done_on", 12, "date", "完成"),
    Column("days_late", 10, "count", "逾期天数"),
    Column("result", 10, "index", "考核结果"),
    Column("mentor", 10, "text", "导师代号末4位"),
    Column("text", 60, "wrap", "说明"),
)
_TASKS: Final = (
    *_WHO,
    Column("aspect", 14, "text", "要素", PortraitAspect.labels()),
    Column("kind", 14, "text", "材料", EvidenceKind.labels()),
    Column("year", 8, "text", "年度"),
    Column("gain", 14, "index", "区间可收窄（分）"),
    Column("text", 40, "wrap", "要做的事"),
)
_QUOTA: Final = (
    Column("township_name", 14, "text", "镇街"),
    Column("unit_name", 18, "text", "村（社区）"),
    Column("reserve", 12, "count", "后备人选"),
    Column("wanted", 10, "count", "应有"),
    Column("gap", 10, "count", "缺"),
    Column("stale", 12, "count", "记录过期"),
    Column("gap_if_stale_left", 18, "count", "过期的都不在时缺"),
)


def plan_workbook(
    run: TalentRun,
    called: Callable[[Iterable[str]], Mapping[str, str]],
    *,
    covers: Callable[[str], bool],
    stamp: Stamp | None = None,
) -> bytes:
    """Return the plan as an XLSX file; equal runs and names give equal bytes.

    Parameters
    ----------
    run
        The talent run.
    called
        Returns what to call people, by pseudonym. Whom it calls by the pseudonym itself has no name here;
        where nobody has one, there is no column for it.
    covers
        Whether whoever exports may see a unit, by its code; people are seen with their home.
    stamp
        Who exports.
    """
    steps = talent.plans(run)
    tasks = talent.all_tasks(run).groupby("person_ref").head(TASKS_EACH)
    quota = talent.quota(run)
    steps, tasks, quota = (_seen(frame, covers) for frame in (steps, tasks, quota))
    people = {*steps["person_ref"], *tasks["person_ref"]}
    names = {ref: name for ref, name in called(people).items() if name != ref}
    steps, tasks = (
        frame.assign(name=frame["person_ref"].map(names), code=frame["person_ref"].map(talent.short_ref))
        for frame in (steps, tasks)
    )
    steps = steps.assign(
        mentor=steps["mentor_ref"].map(talent.short_ref, na_action="ignore"),
        days_late=steps["days_late"].where(steps["days_late"] > 0),
    )
    sheets = (
        ("培养计划", steps, _STEPS),
        ("须先核实", tasks, _TASKS),
        ("后备不足", quota[quota["gap"] > 0], _QUOTA),
    )
    out = io.BytesIO()
    title = f"培养计划（截至{date_text(run.as_of)}）"
    with new_book(out, title=title, as_of=run.as_of, version=run.parameters.version, stamp=stamp) as book:
        for name, frame, columns in sheets:
            each = f"，每人列前{TASKS_EACH}项" if columns is _TASKS else ""
            note = f"共{count_text(len(frame))}行{each}，{talent.ADVICE}"
            shown = [column for column in columns if names or column is not _NAME]
            book.table(name, frame.reset_index(drop=True), shown, note, paper=A3 if columns is _STEPS else A4)
    return out.getvalue()


def _seen(frame: pd.DataFrame, covers: Callable[[str], bool]) -> pd.DataFrame:
    return frame[[covers(code) for code in frame["unit_code"].fillna("")]]
