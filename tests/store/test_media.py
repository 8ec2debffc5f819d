"""Evidence is what its name says; how each kind is told apart."""

from __future__ import annotations

import io
import zipfile

import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.store.media import MEDIA_TYPES, check_media, media_type_of
from tests.writing import FILES

GOOD = list(FILES)[:5]


@pytest.mark.parametrize("name", GOOD)
def test_each_kind_is_known_by_name_and_content(name: str) -> None:
    media_type = media_type_of(name, "")
    assert media_type_of(name.upper(), media_type) == media_type
    assert media_type_of(name, f"{media_type}; charset=binary") == media_type
    stream = io.BytesIO(FILES[name])
    stream.seek(0, io.SEEK_END)
    check_media(stream, media_type)
    assert stream.tell() == 0


@pytest.mark.parametrize("held", GOOD)
@pytest.mark.parametrize("named", GOOD)
def test_no_kind_passes_for_another(held: str, named: str) -> None:
    if held == named:
        return
    with pytest.raises(DataError, match="内容与文件类型不符"):
        check_media(io.BytesIO(FILES[held]), media_type_of(named, ""))


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("a.svg", "image/svg+xml"),
        ("a.html", ""),
        ("a.zip", "application/zip"),
        ("a.docm", ""),
        ("a.exe", "application/octet-stream"),
        ("pdf", ""),
        ("", ""),
        ("a.pdf", "text/html"),
        ("a.pdf.html", "application/pdf"),
    ],
)
def test_other_kinds_are_refused(name: str, stated: str) -> None:
    with pytest.raises(DataError, match="PDF、PNG、JPG、DOCX 或 XLSX"):
        media_type_of(name, stated)


def test_documents_with_macros_are_refused() -> None:
    with pytest.raises(DataError):
        check_media(io.BytesIO(FILES["宏.xlsx"]), MEDIA_TYPES["xlsx"])


def test_a_bomb_is_not_unpacked() -> None:
    """Only the list of parts is read; what a part would unpack to does not matter."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("[Content_Types].xml", "word/document.xml"):
            archive.writestr(part, b"0" * 50_000_000)
    assert len(content.getvalue()) < 200_000
    check_media(content, MEDIA_TYPES["docx"])


def test_content_cut_short_is_refused() -> None:
    for name in GOOD:
        with pytest.raises(DataError):
            check_media(io.BytesIO(FILES[name][:2]), media_type_of(name, ""))
