"""Office files hold nothing of the clock."""

from __future__ import annotations

import datetime as dt
import io
import time
import zipfile

from huanjie_lib.exports.zipped import repacked

CORE = (
    '<cp:coreProperties><dcterms:created xsi:type="dcterms:W3CDTF">{0}</dcterms:created>'
    '<dcterms:modified xsi:type="dcterms:W3CDTF">{0}</dcterms:modified></cp:coreProperties>'
)


def packed(moment: str, order: list[str]) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as parts:
        for name in order:
            stamp = zipfile.ZipInfo(name, time.gmtime(len(moment) * 1e8)[:6])
            parts.writestr(stamp, CORE.format(moment) if name.endswith("core.xml") else name)
    return box.getvalue()


def test_order_and_times_of_parts_leave_no_trace() -> None:
    names = ["docProps/core.xml", "ppt/a.xml", "[Content_Types].xml"]
    day = dt.date(2026, 10, 31)
    one = repacked(packed("2026-11-26T01:02:03Z", names), as_of=day)
    other = repacked(packed("2027-01-01T00:00:00.5Z", names[::-1]), as_of=day)
    assert one == other
    with zipfile.ZipFile(io.BytesIO(one)) as parts:
        assert parts.namelist() == ["[Content_Types].xml", "docProps/core.xml", "ppt/a.xml"]
        assert parts.read("docProps/core.xml").decode() == CORE.format("2026-10-31T00:00:00Z")
        assert parts.read("ppt/a.xml") == b"ppt/a.xml"


def test_properties_stay_where_no_date_is_given() -> None:
    with zipfile.ZipFile(io.BytesIO(repacked(packed("2026", ["docProps/core.xml"])))) as parts:
        assert parts.read("docProps/core.xml").decode() == CORE.format("2026")
