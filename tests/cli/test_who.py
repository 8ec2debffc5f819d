import getpass
import hashlib
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.cli.who import actor_of, keys_of, noting, stamp_of, unmasked
from huanjie_lib.errors import UsageError
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.vocabulary import Role
from tests.cli.calls import SEED


def test_an_export_bears_the_account_of_the_machine_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "pc-07")
    assert stamp_of(None, "市换届办", "city", "换届工作会议").account == "pc-07"
    stamp = stamp_of("chen", "市换届办", "city", "换届工作会议")
    assert (stamp.account, stamp.office, stamp.role) == ("chen", "市换届办", Role.CITY)


def test_what_is_handed_out_is_noted_in_the_ledger_with_its_digest(store: Path) -> None:
    stamp = stamp_of("chen", "市换届办", "city", "换届工作会议")
    assert noting(None, stamp, "risk") is None
    note = noting(str(store), stamp, "risk")
    assert note is not None
    note({"汇报.docx": b"one", "地图.pdf": b"two"})
    with open_ledger(store, read_only=True) as ledger:
        log = ledger.access_log()
    assert log["subject"].tolist() == ["汇报.docx", "地图.pdf"]
    assert log["digest"].tolist() == [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]
    assert set(zip(log["account"], log["action"], strict=True)) == {("chen", "export")}


def test_keys_are_read_where_a_file_is_given(key: Path) -> None:
    assert keys_of(None) is None
    read = keys_of(key)
    assert read is not None
    assert read.fingerprint == KeyRing.from_seed(SEED).fingerprint


def test_a_name_is_opened_only_once_the_log_has_it(
    small_city: Path, store: Path, key: Path, person: str
) -> None:
    actor = actor_of("li", "市委组织部", "talent")
    with open_ledger(store) as ledger:
        with pytest.raises(UsageError, match="没有查看原文"):
            unmasked(ledger, small_city, key, "P1", actor, "通知谈话", "姓名")
        assert ledger.access_log().empty
        seen = unmasked(ledger, small_city, key, person, actor, "通知谈话", "姓名")
        (entry,) = ledger.access_log().to_dict("records")
    held = pd.read_parquet(small_city / "tables" / "identities.parquet").set_index("person_ref")
    assert seen.name == KeyRing.from_seed(SEED).unseal(held.loc[person, "name_sealed"], "name", person)
    assert (entry["subject"], entry["action"], entry["number"]) == (person, "unmask", seen.logged.number)
