"""The only writer of deliverables."""

from huanjie_lib.exports.pack import EXPORT_FORMAT, FORMATS, export_run

__all__ = ["EXPORT_FORMAT", "FORMATS", "export_run"]
