"""The meeting pack: all files of one :class:`~huanjie_lib.views.meeting.Meeting`, and a manifest.

Briefing (DOCX, PDF), deck (PPTX), page (HTML), working lists and ledgers (XLSX), A3 map (PDF, SVG) and, where
wanted, the plan of each red unit (DOCX). Every one bears who hands it out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from huanjie_lib import __version__
from huanjie_lib.casework.village_plan import village_plans
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.exports.briefing import briefing_of
from huanjie_lib.exports.briefing_docx import briefing_docx
from huanjie_lib.exports.briefing_pdf import briefing_pdf
from huanjie_lib.exports.casework import CaseworkSeen
from huanjie_lib.exports.deck import deck
from huanjie_lib.exports.docx import file_name
from huanjie_lib.exports.ledgers import ledger_workbook
from huanjie_lib.exports.pack import (
    Noted,
    Progress,
    checked_formats,
    earlier_export,
    is_as_left,
    made_in_turn,
    outputs_entry,
    put_export,
    stale_files,
)
from huanjie_lib.exports.standalone import standalone_page
from huanjie_lib.exports.village_plan import FOLDER, village_plan_document
from huanjie_lib.exports.workbook import workbook
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.meeting import Meeting
from huanjie_lib.views.meeting_figures import a3_map, has_places
from huanjie_lib.views.stamp import Stamp, stamp_text

__all__ = ["MEETING_FORMATS", "export_meeting", "pack_table"]

_FORMAT: Final = "huanjie-meeting/2"
_NAMES: Final[dict[str, str]] = {
    "xlsx": "选情工作清单_{area}_{as_of}.xlsx",
    "ledgers": "台账_{area}_{as_of}.xlsx",
    "html": "选情一览_{area}_{as_of}.html",
    "docx": "选情汇报_{area}_{as_of}.docx",
    "pdf": "选情汇报_{area}_{as_of}.pdf",
    "pptx": "选情汇报_{area}_{as_of}.pptx",
    "map": "选情地图A3_{area}_{as_of}.pdf",
    "svg": "选情地图A3_{area}_{as_of}.svg",
}
_MAPS: Final = ("map", "svg")
_CITY_ONLY: Final = "html"
_PLANS: Final = "plans"
MEETING_FORMATS: Final[tuple[str, ...]] = tuple(_NAMES)
"""Formats that can be asked for, in the order they are written."""

Maker = Callable[[], bytes]


def export_meeting(
    meeting: Meeting,
    run: Run,
    out: str | Path,
    *,
    casework: CaseworkSeen | None = None,
    formats: Collection[str] | None = None,
    plans: bool = False,
    stamp: Stamp | None = None,
    noted: Noted | None = None,
    progress: Progress | None = None,
    processes: int = 1,
) -> list[Path]:
    """Write the pack of a meeting into a folder, the manifest last; equal arguments give equal bytes.

    Files are made first and put in their places only when all are there: an export that fails leaves the
    folder as it was.

    Parameters
    ----------
    meeting
        What lies on the table.
    run
        The run that it was made from, with its whole history.
    out
        A new or empty folder, or one that holds an earlier export. A file of an earlier export that someone
        has changed since is never overwritten.
    casework
        Ledgers and cases as the account sees them (:func:`~huanjie_lib.exports.casework.casework_seen`).
    formats
        Some of :data:`MEETING_FORMATS`. When omitted, all of them; what cannot be made is left out and told
        in the manifest under ``omitted``: maps where no unit has a boundary or a place, ledgers where none
        were handed in, and a township's ``html``, since what its what-if rescores holds figures drawn from
        reports, which townships are not told.
    plans
        Whether to write the plan (一村一策) of each red unit too.
    stamp
        Who exports, in which role, for what and when: it stands on every page, and in the manifest.
    noted
        Called with the files, by name, before any is put in its place: the access log has them first.
    progress
        Called with a Chinese label, the step reached and the number of steps.
    processes
        Number of processes that make files side by side.

    Returns
    -------
    list of Path

    Raises
    ------
    UsageError
        If a format is unknown or asked for and cannot be made, the folder holds anything else than an earlier
        export, or a file in it was changed or is open in another program.
    ValueError
        If ``casework`` holds units outside the meeting's area: ask for it as an account of that area sees it.

    Examples
    --------
    >>> export_meeting(None, None, Path("x"), formats=["doc"])
    Traceback (most recent call last):
    ...
    huanjie_lib.errors.UsageError: 没有这种导出格式（共 1 处问题）
      1. formats：发现“doc”；应为：xlsx、ledgers、html、docx、pdf、pptx、map、svg；处理办法：...
    """
    out = Path(out)
    wanted = checked_formats(formats, MEETING_FORMATS, "没有这种导出格式")
    wanted = (*wanted, _PLANS) if plans else wanted
    _check_area(meeting, casework)
    omitted = {kind: reason for kind, reason in _lacking(meeting, casework).items() if kind in wanted}
    if formats is not None and omitted:
        faults = [Fault(kind, reason, "可以制作的格式", f"去掉 {kind}") for kind, reason in omitted.items()]
        raise UsageError("有的格式不能制作", faults)
    makers = _makers(meeting, run, casework, stamp, [kind for kind in wanted if kind not in omitted])
    earlier = earlier_export(out, makers, kind=_FORMAT)
    made = made_in_turn(makers, "制作会议材料", progress, processes=processes)
    manifest = {
        "format": _FORMAT,
        "as_of": meeting.as_of.isoformat(),
        "since": None if meeting.since is None else meeting.since.isoformat(),
        "area": meeting.area,
        "code_version": __version__,
        "parameter_version": meeting.version,
        "inputs": dict(meeting.digests),
        "returns": [
            {name: one[name] for name in ("sha256", "bytes")} for one in run.manifest.get("inputs", ())
        ],
        "outputs": outputs_entry(made),
        "omitted": omitted,
        "gaps": list(meeting.gaps),
        "exported": None if stamp is None else stamp.entry,
        "logged": noted is not None,
    }
    stale = stale_files(out, earlier, manifest)
    if noted is not None:
        noted(made)
    return put_export(out, made, manifest, stale)


def pack_table(out: str | Path) -> pd.DataFrame:
    """Return what an export left in its folder, in the order of the manifest's names.

    Parameters
    ----------
    out
        Folder that :func:`export_meeting` wrote.

    Returns
    -------
    DataFrame
        文件, 大小（KB）, 校验码 (the first 12 digits of the SHA-256), and 与写出时相同: whether the file is
        still there and unchanged.

    Raises
    ------
    UsageError
        If the folder holds no export of a meeting.
    """
    out = Path(out)
    manifest = earlier_export(out, (), kind=_FORMAT)
    if not manifest:
        fault = Fault(str(out), "没有会议材料", "由 huanjie export 写出的文件夹", "先写出会议材料")
        raise UsageError("不是会议材料", [fault])
    rows = [
        (name, round(told["bytes"] / 1024), told["sha256"][:12], is_as_left(out, name, manifest))
        for name, told in manifest["outputs"].items()
    ]
    return pd.DataFrame(rows, columns=["文件", "大小（KB）", "校验码", "与写出时相同"])


def _check_area(meeting: Meeting, casework: CaseworkSeen | None) -> None:
    """Refuse ledgers of other units: a township's files tell nothing of its neighbours."""
    if casework is None or not meeting.scope:
        return
    for name, frame in casework.ledgers.items():
        if "unit_code" in frame and not frame["unit_code"].str.startswith(meeting.scope, na=True).all():
            raise ValueError(f"ledger {name} holds units outside {meeting.scope}")


def _lacking(meeting: Meeting, casework: CaseworkSeen | None) -> dict[str, str]:
    """Return the formats that cannot be made, and why."""
    lacking = {}
    if meeting.scope:
        lacking[_CITY_ONLY] = "镇街材料不含离线网页：其中的试算数据含有不下发镇街的线索"
    if not has_places(meeting.run):
        lacking |= dict.fromkeys(_MAPS, "村（社区）没有边界和坐标，不能制图")
    if casework is None:
        lacking |= dict.fromkeys(("ledgers", _PLANS), "没有可以查阅的台账")
    return lacking


def _makers(
    meeting: Meeting,
    run: Run,
    casework: CaseworkSeen | None,
    stamp: Stamp | None,
    wanted: Collection[str],
) -> dict[str, Maker]:
    """Return by name what makes each file; all of it can be sent to another process."""
    mark = stamp_text(stamp)
    makers: dict[str, Callable[..., Any]] = {
        "xlsx": partial(workbook, meeting, stamp=stamp),
        "html": partial(_page, meeting, run, mark),
        "pptx": partial(deck, meeting, mark=mark),
        "map": partial(a3_map, meeting.run, "pdf", mark=mark),
        "svg": partial(a3_map, meeting.run, "svg", mark=mark),
    }
    if {"docx", "pdf"} & set(wanted):
        briefing = briefing_of(meeting, mark=mark, office="" if stamp is None else stamp.office)
        makers |= {"docx": partial(briefing_docx, briefing), "pdf": partial(briefing_pdf, briefing)}
    if casework is not None:
        makers["ledgers"] = partial(ledger_workbook, **casework.book, stamp=stamp)
    named = {
        template.format(area=meeting.area, as_of=meeting.as_of.isoformat()): makers[kind]
        for kind, template in _NAMES.items()
        if kind in wanted
    }
    if _PLANS in wanted and casework is not None:
        for plan in village_plans(meeting.run, casework.known):
            name = f"{FOLDER}/{file_name(plan.unit_code, plan.unit_name)}"
            named[name] = partial(village_plan_document, plan, stamp=stamp)
    return named


def _page(meeting: Meeting, run: Run, mark: str) -> bytes:
    return standalone_page(meeting, run, mark=mark).encode()
