import zipfile
from pathlib import Path

import pandas as pd

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.contracts import TABLES
from huanjie_lib.intake import read_folder
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.ledger import open_ledger
from tests.cli.calls import SEED, Capture, run, told


def test_what_is_due_goes_from_tables_ledgers_and_register_forms_when_asked(
    small_city: Path, store: Path, key: Path, tmp_path: Path, capsys: Capture
) -> None:
    keys, out = KeyRing.from_seed(SEED), tmp_path / "kept"
    asked = ("retention", "--as-of", "2031-01-01", "--key", key, "--data")
    assert run(*asked, small_city, "--apply") == 2
    assert "--reason" in told(capsys)
    applying = ("--apply", "--out", out, "--store", store, "--account", "li")
    assert run(*asked, small_city, *applying, "--reason", "保存期限已到，办公室批准") == 0
    said = capsys.readouterr().out
    assert "查阅日志记了" in said
    assert run(*asked, out) == 0
    assert "共0项到期；加 --apply 处理" in capsys.readouterr().out
    before, after = (read_folder(d, load_parameters(), keys=keys) for d in (small_city, out))
    counts = after.counts
    assert (counts["read"] == counts["loaded"] + counts["quarantined"] + counts["dropped"]).all()
    for name in ("people", "reviews"):  # the one lies in register forms, the other in ledgers
        filed = before.tables[name][before.tables[name]["source_sheet"] != ""]
        struck = [
            f"已从 {row.source_file} 工作表“{row.source_sheet}”第{row.source_row}行删去内容" in said
            for row in filed.itertuples()
        ]
        assert any(struck)
        assert struck.count(False) == (after.tables[name]["source_sheet"] != "").sum()
    for name, frame in before.tables.items():
        if not TABLES[name].personal:
            assert len(frame) == len(after.tables[name])
    personal = [name for name, table in TABLES.items() if table.personal]
    alone = read_folder(small_city, load_parameters(), keys=keys, only=personal)  # all that telling needs
    for name in set(personal) & set(before.tables):
        pd.testing.assert_frame_equal(alone.tables[name], before.tables[name])
    unread = {file.path for file in before.inputs} - {file.path for file in alone.inputs}
    assert "tables/facts.parquet" in unread
    gone = set(before.tables["people"]["person_ref"]) - set(after.tables["people"]["person_ref"])
    assert gone
    parts = [
        archive.read(name).decode("utf-8", "ignore")
        for archive in map(zipfile.ZipFile, out.rglob("*登记表*.xlsx"))
        for name in archive.namelist()
    ]
    numbers = before.tables["identities"].set_index("person_ref")["id_sealed"]
    assert not [ref for ref in gone if keys.unseal(numbers[ref], "id_number", ref) in "".join(parts)]


def test_who_asks_for_deletion_is_in_no_table_of_the_reserve_afterwards(
    small_city: Path, store: Path, person: str, tmp_path: Path, capsys: Capture
) -> None:
    asked = ("retention", "--data", small_city, "--as-of", "2026-11-02", "--person")
    applying = ("--apply", "--out", tmp_path / "kept", "--store", store, "--account", "li")
    assert run(*asked, "P1", *applying, "--reason", "本人申请删除") == 2
    assert run(*asked, person, *applying, "--reason", "本人申请删除") == 0
    said = capsys.readouterr()
    assert "后备人才1条" in said.out
    assert "没有给出密钥（--key），没有改动" in said.err
    for name in ("people", "identities", "vettings", "evidence"):
        frame = pd.read_parquet(tmp_path / "kept" / "tables" / f"{name}.parquet")
        assert person not in set(frame["person_ref"])
    with open_ledger(store, read_only=True) as ledger:
        (entry,) = ledger.access_log().to_dict("records")
    assert (entry["action"], entry["subject"], entry["reason"]) == ("delete", person, "本人申请删除")
