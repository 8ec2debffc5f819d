"""Whoever asks for deletion is found wherever the pseudonym stands, and nowhere else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import DataError
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.backup import write_backup
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.traces import REMEDIES, Trace, in_backup, in_folder, in_ledger
from huanjie_lib.vocabulary import Role

KEYS = KeyRing.from_seed(1)
REF, OTHER = (KEYS.pseudonym("person", number) for number in ("1", "2"))
LI = Actor("li", "市委组织部", Role.TALENT)


def test_files_of_every_kind_are_searched(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "restricted").mkdir(parents=True)
    rows = pd.DataFrame({"person_ref": [REF, OTHER, REF], "note": ["a", f"见{REF}", None], "n": [1, 2, 3]})
    rows.astype({"person_ref": "category"}).to_parquet(folder / "restricted" / "leavers.parquet")
    rows[["n"]].to_parquet(folder / "index.parquet")
    pd.DataFrame({"person_ref": [OTHER]}).to_parquet(folder / "others.parquet")
    (folder / "list.csv").write_text(f"代号\n{REF}\n{OTHER}\n", encoding="gb18030")
    (folder / "wide.csv").write_text(f"代号\n{REF}\n", encoding="utf-16")
    with zipfile.ZipFile(folder / "book.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/sharedStrings.xml", f"<t>{REF}</t><t>{OTHER}</t>")
    assert in_folder(folder, REF, kind="run") == [
        Trace("run", "run/book.xlsx", 1),
        Trace("run", "run/list.csv", 1),
        Trace("run", "run/restricted/leavers.parquet", 3),
        Trace("run", "run/wide.csv", 1),
    ]
    assert in_folder(folder, KEYS.pseudonym("person", "3"), kind="run") == []


def test_what_cannot_be_searched_is_not_said_to_be_clean(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="不是文件夹"):
        in_folder(tmp_path / "none", REF, kind="data")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    (tmp_path / "b.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"a\.parquet") as caught:
        in_folder(tmp_path, REF, kind="data")
    assert "b.xlsx" in str(caught.value)


def entry(number: int, action: str, subject: str, **told: str) -> AccessEntry:
    return AccessEntry(entry_id=f"e{number}", action=action, purpose="talent", subject=subject, **told)  # type: ignore[arg-type]


def test_the_ledger_and_its_backups_are_searched_under_earlier_pseudonyms_too(tmp_path: Path) -> None:
    new = KEYS.rotated()
    later = new.successor(REF)
    with open_ledger(tmp_path / "store", create=True) as ledger:
        ledger.log_access(entry(1, "unmask", REF, reason="通知谈话"), LI)
        ledger.log_access(entry(2, "unmask", OTHER, reason="通知谈话"), LI)
        ledger.log_access(entry(3, "export", "建议名册_2026-10-31.xlsx", digest="ab" * 32), LI)
        assert [(one.kind, one.place) for one in in_ledger(ledger, later)] == [
            ("handed_out", one.place) for one in in_ledger(ledger, later)
        ]
        found = in_ledger(ledger, later, recognise=lambda refs: new.recognised(refs, {later}))
    assert [(one.kind, one.times) for one in found] == [("ledger", 1), ("handed_out", 1)]
    assert found[0].place == "查阅日志"
    assert "建议名册_2026-10-31.xlsx" in found[1].place
    assert "市委组织部 li 导出，摘要 abababababab" in found[1].place
    assert found[1].remedy == REMEDIES["handed_out"]
    made = write_backup(tmp_path / "store", tmp_path / "backup.zip", code_version="1")
    assert in_backup(made.path, REF) == [Trace("backup", "备份 backup.zip 的查阅日志", 1)]
    assert in_backup(made.path, later) == []
