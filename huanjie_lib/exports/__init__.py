"""The only writer of deliverables."""

from huanjie_lib.exports.meeting import MEETING_FORMATS, export_meeting

__all__ = ["MEETING_FORMATS", "export_meeting"]
