"""Which files are taken as evidence: by name, by the type stated, and by what they hold.

Taken are PDF, PNG, JPEG, DOCX and XLSX. A file must be what its name says; a document with macros or a bare
archive is none of these.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import BinaryIO, Final

from huanjie_lib.errors import DataError, Fault

__all__ = ["MEDIA_TYPES", "MOST_BYTES", "check_media", "media_type_of"]

MOST_BYTES: Final = 50 * 1024 * 1024
"""Size of one file at most."""

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pdf": "application/pdf",
        "png": "image/png",
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "docx": f"{_OFFICE}.wordprocessingml.document",
        "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    }
)
"""Media type by the ending of the name."""

_BEGINS: Final = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
_PARTS: Final = {MEDIA_TYPES["docx"]: "word/document.xml", MEDIA_TYPES["xlsx"]: "xl/workbook.xml"}
_UNSTATED: Final = frozenset({"", "application/octet-stream"})
_ALLOWED: Final = "PDF、PNG、JPG、DOCX 或 XLSX 文件"


def media_type_of(name: str, stated: str) -> str:
    """Return the media type of a file by the ending of its name.

    Parameters
    ----------
    name
        File name.
    stated
        Type the browser states; many know none for office documents, and then leave it empty.

    Raises
    ------
    DataError
        If the ending is not taken, or the type stated is another one.

    Examples
    --------
    >>> media_type_of("公示照片.JPG", "image/jpeg")
    'image/jpeg'
    >>> media_type_of("页面.html", "text/html")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.DataError: 没有收下佐证材料（共 1 处问题）
      1. 佐证材料：发现“text/html”；应为：PDF、PNG、JPG、DOCX 或 XLSX 文件；处理办法：转换格式后重新上传。
    """
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    told = stated.partition(";")[0].strip().lower()
    known = MEDIA_TYPES.get(ending)
    if known is None or told not in {known, *_UNSTATED}:
        raise _refused(told or ending or "没有扩展名")
    return known


def check_media(stream: BinaryIO, media_type: str) -> None:
    """Check that a file holds what its media type says; the stream stands at its beginning afterwards.

    Raises
    ------
    DataError
        If it holds something else, or an office document holds macros.
    """
    stream.seek(0)
    if media_type in _BEGINS:
        begin = _BEGINS[media_type]
        right = stream.read(len(begin)) == begin
    else:
        right = _is_office(stream, _PARTS[media_type])
    stream.seek(0)
    if not right:
        raise _refused("内容与文件类型不符")


def _is_office(stream: BinaryIO, part: str) -> bool:
    """Tell whether a file is an office document without macros; only its list of parts is read."""
    try:
        with zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    macros = any(name.lower().endswith("vbaproject.bin") for name in names)
    return {"[Content_Types].xml", part} <= names and not macros


def _refused(found: str) -> DataError:
    return DataError("没有收下佐证材料", [Fault("佐证材料", found, _ALLOWED, "转换格式后重新上传")])
