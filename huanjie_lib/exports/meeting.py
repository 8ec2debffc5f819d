"""The files of a leaders' meeting, all of one :class:`~huanjie_lib.views.meeting.Meeting`, and a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from huanjie_lib import __version__
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.exports.briefing import briefing_of
from huanjie_lib.exports.briefing_docx import briefing_docx
from huanjie_lib.exports.briefing_pdf import briefing_pdf
from huanjie_lib.exports.deck import deck
from huanjie_lib.exports.pack import (
    Noted,
    checked_formats,
    earlier_export,
    made_in_turn,
    outputs_entry,
    put_files,
    stale_files,
)
from huanjie_lib.exports.standalone import standalone_page
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.meeting import Meeting
from huanjie_lib.views.stamp import Stamp, stamp_text

__all__ = ["MEETING_FORMATS", "export_meeting"]

_FORMAT: Final = "huanjie-meeting/1"
_NAMES: Final[dict[str, str]] = {
    "docx": "选情汇报_{area}_{as_of}.docx",
    "pdf": "选情汇报_{area}_{as_of}.pdf",
    "pptx": "选情汇报_{area}_{as_of}.pptx",
    "html": "选情一览_{area}_{as_of}.html",
}
_CITY_ONLY: Final = "html"
_MANIFEST: Final = "manifest.json"
MEETING_FORMATS: Final[tuple[str, ...]] = tuple(_NAMES)
"""Formats that can be asked for, in the order they are written."""


def export_meeting(
    meeting: Meeting,
    run: Run,
    out: Path,
    *,
    formats: Collection[str] | None = None,
    stamp: Stamp | None = None,
    noted: Noted | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Write the files of a meeting into a folder, the manifest last; equal arguments give equal bytes.

    Parameters
    ----------
    meeting
        What lies on the table.
    run
        The run that it was made from, with its whole history.
    out
        A new or empty folder, or one that holds an earlier export. A file of an earlier export that someone
        has changed since is never overwritten.
    formats
        Some of :data:`MEETING_FORMATS`; all when omitted. A township's meeting has no ``html``: what its
        what-if rescores holds figures drawn from reports, which townships are not told.
    stamp
        Who exports, in which role, for what and when: it stands on every page, and in the manifest.
    noted
        Called with the files, by name, before any is put in its place: the access log has them first.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Returns
    -------
    list of Path

    Raises
    ------
    UsageError
        If a format is unknown or not for a township, the folder holds anything else than an earlier export,
        or a file in it was changed or is open in another program.

    Examples
    --------
    >>> export_meeting(None, None, Path("x"), formats=["doc"])
    Traceback (most recent call last):
    ...
    huanjie_lib.errors.UsageError: 没有这种汇报格式（共 1 处问题）
      1. formats：发现“doc”；应为：docx、pdf、pptx、html；处理办法：改为其中的一种或几种。
    """
    wanted = checked_formats(formats, MEETING_FORMATS, "没有这种汇报格式")
    if meeting.scope and formats is not None and _CITY_ONLY in formats:
        fault = Fault("formats", _CITY_ONLY, "docx、pdf、pptx", "去掉 html；它含有不下发镇街的线索数据")
        raise UsageError("镇街汇报没有这种格式", [fault])
    names = {
        kind: _NAMES[kind].format(area=meeting.area, as_of=meeting.as_of.isoformat())
        for kind in wanted
        if not (meeting.scope and kind == _CITY_ONLY)
    }
    earlier = earlier_export(out, names.values(), kind=_FORMAT)
    mark = stamp_text(stamp)
    briefing = briefing_of(meeting, mark=mark, office="" if stamp is None else stamp.office)
    makers: dict[str, Callable[[], bytes]] = {
        "docx": lambda: briefing_docx(briefing),
        "pdf": lambda: briefing_pdf(briefing),
        "pptx": lambda: deck(meeting, mark=mark),
        "html": lambda: standalone_page(meeting, run, mark=mark).encode(),
    }
    made = made_in_turn({name: makers[kind] for kind, name in names.items()}, "生成汇报", progress)
    manifest = {
        "format": _FORMAT,
        "as_of": meeting.as_of.isoformat(),
        "area": meeting.area,
        "code_version": __version__,
        "parameter_version": meeting.version,
        "inputs": dict(meeting.digests),
        "outputs": outputs_entry(made),
        "gaps": list(meeting.gaps),
        "exported": None if stamp is None else stamp.entry,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    stale = stale_files(out, earlier, manifest)
    if noted is not None:
        noted(made)
    put_files(out, {**made, _MANIFEST: text.encode()}, stale)
    return [out / name for name in (*made, _MANIFEST)]
