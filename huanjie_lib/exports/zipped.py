"""ZIP containers of office files with nothing of the clock in them: equal content gives equal bytes."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from typing import Final

__all__ = ["repacked"]

_FIRST: Final = "[Content_Types].xml"
_PROPERTIES: Final = "docProps/core.xml"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MOMENT: Final = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


def repacked(data: bytes, *, as_of: dt.date | None = None) -> bytes:
    """Return an office file with its parts in order of their names, without times of the day it was made.

    Parameters
    ----------
    data
        A DOCX, PPTX or XLSX.
    as_of
        Date to write as that of creation and change; as they stand when omitted.

    Examples
    --------
    >>> box = io.BytesIO()
    >>> with zipfile.ZipFile(box, "w") as parts:
    ...     for name in ("b.xml", "[Content_Types].xml", "a.xml"):
    ...         parts.writestr(name, "<x/>")
    >>> with zipfile.ZipFile(io.BytesIO(repacked(box.getvalue()))) as parts:
    ...     [(entry.filename, entry.date_time[0]) for entry in parts.infolist()]
    [('[Content_Types].xml', 1980), ('a.xml', 1980), ('b.xml', 1980)]
    """
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in sorted(source.namelist(), key=lambda name: (name != _FIRST, name)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            part = source.read(name)
            if as_of is not None and name == _PROPERTIES:
                part = _MOMENT.sub(rb"\g<1>" + f"{as_of.isoformat()}T00:00:00Z".encode(), part)
            target.writestr(entry, part)
    return out.getvalue()
