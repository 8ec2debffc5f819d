from pathlib import Path

import openpyxl
import pytest

from huanjie_lib.cli import main


def test_an_office_makes_its_keys_once_and_gets_an_empty_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, form = tmp_path / "office.key", tmp_path / "人才登记表.xlsx"
    assert main(["register", "keys", "--out", str(keys)]) == 0
    first = keys.read_bytes()
    assert main(["register", "keys", "--out", str(keys)]) != 0
    assert keys.read_bytes() == first
    assert main(["register", "template", "--as-of", "2026-10-31", "--out", str(form)]) == 0
    assert openpyxl.load_workbook(form).sheetnames
    assert first.decode("utf-8", "replace") not in capsys.readouterr().out
