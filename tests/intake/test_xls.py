from __future__ import annotations

import struct
from pathlib import Path

import pytest

from huanjie_lib.intake.workbook import cell_text, read_workbook
from huanjie_lib.intake.xls import SIGNATURE, XlsError, scan_xls

BOOKS = Path(__file__).resolve().parents[1] / "data" / "workbooks"
TOWNSHIP = (BOOKS / "township.xls").read_bytes()


def test_what_values_dont_tell() -> None:
    facts = scan_xls(TOWNSHIP)
    assert [(s.rows, s.columns, s.hidden_rows, s.formulas) for s in facts.sheets[:2]] == [
        (7, 6, 1, 2),
        (3, 5, 0, 0),
    ]
    assert facts.sheets[0].errors == {(5, 4): "#DIV/0!"}
    assert facts.sheets[1].percents == {(2, 4)}
    assert (facts.encrypted, facts.from_1904, facts.macros, facts.links) == (False, False, False, False)
    assert scan_xls((BOOKS / "dates_from_1904.xls").read_bytes()).from_1904
    stray = scan_xls((BOOKS / "stray_cell.xls").read_bytes()).sheets[0]
    assert (stray.rows, stray.columns) == (65536, 256)


def test_values_and_what_they_dont_tell_come_together() -> None:
    book = read_workbook(BOOKS / "township.xls", "township.xls")
    wide, ledger, empty = book.grids
    assert [cell_text(c) for c in wide.rows[5]] == ["2", "柳湾村", "990101101202", "1300", "#DIV/0!", ""]
    assert wide.at(0, 5) == wide.rows[0][0] == "石桥镇换届基础数据报送表"
    assert (wide.hidden_rows, wide.formulas, empty.hidden) == (1, 2, True)
    assert [cell_text(c) for c in ledger.rows[2]] == ["S2", "990101101202", "2026-10-02", "走访", "50%"]


@pytest.mark.parametrize("length", [0, 7, 100, 511, 512, 600, 2000, 4000, len(TOWNSHIP) - 513])
def test_a_file_that_breaks_off_is_refused(length: int) -> None:
    with pytest.raises(XlsError):
        scan_xls(TOWNSHIP[:length])


def test_a_chain_of_sectors_in_a_circle_ends() -> None:
    raw = bytearray(TOWNSHIP)
    (fat,) = struct.unpack_from("<I", raw, 76)
    for number in range(14):
        struct.pack_into("<I", raw, 512 + fat * 512 + 4 * number, number)
    with pytest.raises(XlsError):
        scan_xls(bytes(raw))


def test_a_compound_file_without_a_workbook() -> None:
    with pytest.raises(XlsError, match="no workbook"):
        scan_xls(TOWNSHIP.replace("Workbook".encode("utf-16-le"), "Worddocu".encode("utf-16-le")))
    with pytest.raises(XlsError):
        scan_xls(SIGNATURE + b"\xff" * 2000)


@pytest.mark.parametrize("at", range(512, len(TOWNSHIP) - 2, 97))
def test_any_changed_byte_is_read_or_refused(at: int) -> None:
    changed = TOWNSHIP[:at] + bytes([TOWNSHIP[at] ^ 0xFF]) + TOWNSHIP[at + 1 :]
    try:
        facts = scan_xls(changed)
    except XlsError:
        return
    assert all(s.rows <= 65536 and s.columns <= 65536 for s in facts.sheets)
