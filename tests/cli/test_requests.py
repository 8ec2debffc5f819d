from pathlib import Path

import openpyxl
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.store.ledger import open_ledger
from tests.cli.calls import SEED, Capture, acting, run, told


def test_a_request_from_receipt_to_answer_and_copy(
    small_city: Path, store: Path, key: Path, person: str, tmp_path: Path, capsys: Capture
) -> None:
    opening = ("request", "open", "--person", person, "--kind", "copy", "--on", "2026-09-29")
    assert run(*opening, "--request", "SQ1", *acting(store)) == 0
    assert "2026年10月26日前答复" in capsys.readouterr().out  # National Day lies between
    assert run("request", "list", "--store", store, "--as-of", "2026-10-26") == 0
    assert run("request", "list", "--store", store, "--as-of", "2026-10-27") == 3
    assert "逾期未答复" in capsys.readouterr().out
    out = tmp_path / "副本.xlsx"
    copying = ("request", "copy", "--person", person, "--data", small_city, "--key", key, "--out", out)
    assert run(*copying, "--reason", "本人申请查阅", *acting(store)) == 0
    assert "姓名" in {c.value for row in openpyxl.load_workbook(out)["说明"].rows for c in row}
    assert run(*copying, "--reason", "本人申请查阅", *acting(store)) == 2  # never over another file
    answer = ("request", "answer", "--request", "SQ1", "--on", "2026-10-20", *acting(store))
    assert run(*answer, "--result", "refused") != 0
    assert run(*answer, "--result", "done") == 0
    assert run(*answer[:3], "SQ9", *answer[4:], "--result", "done") == 2
    with open_ledger(store, read_only=True) as ledger:
        assert ledger.access_log()["action"].tolist() == ["unmask", "request"]
        assert ledger.verify() == []
    assert run(*opening, "--request", "张 三", *acting(store)) == 2
    assert "张" not in told(capsys).replace("--request", "")


def test_a_pseudonym_is_found_by_the_number_that_is_typed_in(
    key: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = "990101199003072336"
    monkeypatch.setattr("click.prompt", lambda *_, **__: number)
    assert run("request", "person", "--key", key) == 0
    assert capsys.readouterr().out.strip() == KeyRing.from_seed(SEED).pseudonym("person", number)
    monkeypatch.setattr("click.prompt", lambda *_, **__: number[:-1] + "1")
    assert run("request", "person", "--key", key) == 2
    assert number[:-1] not in told(capsys)
