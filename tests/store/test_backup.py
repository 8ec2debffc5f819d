"""A backup holds the whole ledger and restores to one that checks; what does not is refused, told why."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from huanjie_lib.casework.events import Head
from huanjie_lib.errors import HuanjieError, LedgerError, LedgerVersionError, UsageError
from huanjie_lib.store import backup, schema
from huanjie_lib.store.backup import check_backup, restore, upgrade, write_backup
from huanjie_lib.store.copying import copy_tables
from huanjie_lib.store.engine import SqliteStore, connect
from huanjie_lib.store.heads import read_head
from huanjie_lib.store.ledger import Ledger, open_ledger, upgrade_ledger
from huanjie_lib.vocabulary import CaseEvent
from tests.full_ledger import DAYS, PHOTO, fill, filled, rows_of
from tests.offices import CITY, act

MADE_AT = dt.datetime(2026, 11, 3, 4, 5, 6, tzinfo=dt.UTC)


def back_up(url: str | Path, out: Path, **options: Any) -> backup.Backup:
    return write_backup(url, out, code_version="0", clock=lambda: MADE_AT, **options)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a SQLite ledger with rows in all tables; not to be changed."""
    return filled(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def made(office: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it; not to be changed."""
    return back_up(office, tmp_path_factory.mktemp("made") / "a.zip").path


# ---------------------------------------------------------------- round trips


def test_a_restored_ledger_is_the_ledger_with_its_evidence_and_heads(
    office: Path, made: Path, tmp_path: Path
) -> None:
    done = restore(made, tmp_path / "new")
    assert rows_of(tmp_path / "new") == rows_of(office)
    with open_ledger(tmp_path / "new") as ledger:
        assert ledger.head() == done.head
        assert ledger.verify(read_head(tmp_path / "new" / "heads" / f"{DAYS[1]}.json")) == []
        (digest,) = ledger.evidence.digests()
        with ledger.evidence.open(digest) as stream:
            assert stream.read() == PHOTO
        assert ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C9")).sequence == done.head.sequence + 1
    names = {path.relative_to(tmp_path / "new").parts[0] for path in (tmp_path / "new").rglob("*")}
    assert names >= {"ledger.sqlite3", "evidence", "heads"}
    assert (done.evidence, done.heads, done.made_at) == (1, 2, MADE_AT)
    assert str(done.head.sequence) in str(done)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_backup_and_restored_ledger_are_their_owners_alone(made: Path, tmp_path: Path) -> None:
    restore(made, tmp_path / "new")
    assert made.stat().st_mode & 0o077 == 0
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_a_ledger_on_postgresql_is_backed_up_and_restores_to_either(
    postgres_server: Any, postgres_url: str, tmp_path: Path
) -> None:
    accounts = postgres_server.new_ledger()
    evidence = tmp_path / "server" / "evidence"
    with open_ledger(accounts.writer, evidence=evidence) as ledger:
        head = fill(ledger, tmp_path / "server" / "heads")
    with pytest.raises(LedgerError, match="access_log"):  # whoever serves screens may not read all
        back_up(accounts.reader, tmp_path / "a.zip", evidence=evidence)
    done = back_up(accounts.writer, tmp_path / "a.zip", evidence=evidence)
    assert (done.head, done.evidence, done.heads) == (head, 1, 2)

    restore(done.path, tmp_path / "folder")
    restore(done.path, postgres_url, evidence=tmp_path / "other" / "evidence")
    assert rows_of(tmp_path / "folder") == rows_of(postgres_url) == rows_of(accounts.writer)
    with open_ledger(postgres_url, evidence=tmp_path / "other" / "evidence") as ledger:
        assert ledger.verify(head) == []
    assert len(list((tmp_path / "other" / "heads").iterdir())) == 2


def test_the_folder_of_an_older_revision_comes_back_as_it_was_and_can_be_brought_up(
    office: Path, tmp_path: Path
) -> None:
    for revision in [f"{number:04}" for number in range(1, int(schema.REVISION))]:
        old, new = tmp_path / f"old-{revision}", tmp_path / f"new-{revision}"
        older(office, old, revision)
        done = back_up(old, tmp_path / f"{revision}.zip")
        assert done.revision == revision
        restore(done.path, new)
        with pytest.raises(LedgerVersionError, match="huanjie store upgrade"):
            open_ledger(new)
        with pytest.raises(UsageError, match="补充 --backup"):
            upgrade(new, None, code_version="0")
        made = upgrade(new, tmp_path / f"again-{revision}.zip", code_version="0")
        assert made is not None
        assert made.revision == revision
        assert upgrade(new, None, code_version="0") is None  # there is nothing to do
        upgrade_ledger(old)
        for folder in (old, new):
            with open_ledger(folder) as ledger:
                assert ledger.verify(done.head) == []
        assert rows_of(new) == rows_of(old)
        assert rows_of(new)["case_events"] == rows_of(office)["case_events"]


def older(office: Path, folder: Path, revision: str) -> None:
    """Make a ledger of an older revision that holds what a ledger had then."""
    store = SqliteStore(folder / "ledger.sqlite3")
    store.create()
    with closing(store), closing(connect(office)) as new, new.reading() as read, store.writing() as written:
        schema.upgrade(written, revision)
        there = sa.inspect(written).get_table_names()
        for table in schema.METADATA.sorted_tables:
            if table.name in there:
                rows = [dict(row) for row in read.execute(sa.select(table)).mappings()]
                if rows:
                    written.execute(sa.insert(table), rows)
    shutil.copytree(office / "evidence", folder / "evidence")


def test_an_older_revision_on_postgresql_is_backed_up_and_restored_too(
    office: Path, postgres_server: Any, tmp_path: Path
) -> None:
    older(office, tmp_path / "old", "0001")
    one, two = postgres_server.new_database(), postgres_server.new_database()
    with (
        closing(connect(tmp_path / "old")) as source,
        closing(connect(one)) as store,
        source.reading() as read,
        store.writing() as written,
    ):
        copy_tables(read, written)
    done = back_up(one, tmp_path / "a.zip", evidence=tmp_path / "old" / "evidence")
    restore(done.path, two, evidence=tmp_path / "two" / "evidence")
    upgrade_ledger(two)
    assert rows_of(two)["runs"] == rows_of(office)["runs"]


# ---------------------------------------------------------------- refused


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A backup that may be spoiled."""
    return Path(shutil.copy(made, tmp_path / "b.zip"))


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None], *, manifest: bool = True) -> None:
    """Write a backup anew after a change of its members, the manifest's digests made to fit if so asked."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if manifest:
        told = json.loads(members.pop("manifest.json"))
        told["members"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in members.items()
        }
        members["manifest.json"] = json.dumps(told).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def evidence_name(members: dict[str, bytes]) -> str:
    (name,) = (name for name in members if name.startswith("evidence/"))
    return name


def refused(file: Path, tmp_path: Path, told: str, head: Head | None = None) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(HuanjieError, match=told):
        restore(file, tmp_path / "new", head=head)
    assert set(tmp_path.iterdir()) == before  # nothing stands, and nothing lies about


def test_a_torn_backup_is_refused_wherever_it_is_torn(copy: Path, tmp_path: Path) -> None:
    whole = copy.read_bytes()
    for part in (0.0, 0.01, 0.5, 0.999):
        copy.write_bytes(whole[: int(len(whole) * part)])
        refused(copy, tmp_path, "不完整，或不是备份文件")


def test_every_damaged_member_is_told(copy: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(copy) as archive:
        places = {entry.filename: entry for entry in archive.infolist()}
    whole = copy.read_bytes()
    for name, entry in places.items():
        at = entry.header_offset + 30 + len(name) + 20 + entry.compress_size // 2  # 20: ZIP64's extra field
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        told = "不完整，或不是备份文件" if name == "manifest.json" else re.escape(f"备份中的 {name}")
        refused(copy, tmp_path, told)


def test_a_member_that_is_changed_missing_added_doubled_or_leads_out_is_told(
    copy: Path, made: Path, tmp_path: Path
) -> None:
    def changed(members: dict[str, bytes]) -> None:
        members[evidence_name(members)] = b"other"

    def missing(members: dict[str, bytes]) -> None:
        del members[evidence_name(members)]

    def added(members: dict[str, bytes]) -> None:
        members["../../escaped"] = b"x"

    rewritten(copy, changed, manifest=False)
    refused(copy, tmp_path, "内容被改动")
    for change in (missing, added):
        shutil.copy(made, copy)
        rewritten(copy, change, manifest=False)
        refused(copy, tmp_path, "内容与清单不符")
    shutil.copy(made, copy)
    rewritten(copy, added)
    refused(copy, tmp_path, "不完整，或不是备份文件")
    shutil.copy(made, copy)
    with zipfile.ZipFile(copy, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("ledger.sqlite3", b"x")
    refused(copy, tmp_path, "内容与清单不符")


def test_what_was_tampered_with_and_signed_anew_is_found_by_chain_head_and_evidence(
    copy: Path, made: Path, tmp_path: Path
) -> None:
    def no_evidence(members: dict[str, bytes]) -> None:
        del members[evidence_name(members)]

    def other_head(members: dict[str, bytes]) -> None:
        name = f"heads/{DAYS[0]}.json"
        members[name] = json.dumps(json.loads(members[name]) | {"hash": "ab" * 32}).encode()

    def altered(members: dict[str, bytes]) -> None:
        members["ledger.sqlite3"] = members["ledger.sqlite3"].replace("上云村".encode(), "下云村".encode())

    for change, told in (
        (no_evidence, "佐证材料.*缺失"),
        (other_head, f"{DAYS[0]} 的链头"),
        (altered, "内容与哈希不符|被改动|事件"),
    ):
        shutil.copy(made, copy)
        rewritten(copy, change)
        refused(copy, tmp_path, told)


def test_a_whole_other_ledger_is_found_only_by_a_head_kept_elsewhere(
    office: Path, made: Path, tmp_path: Path
) -> None:
    kept = read_head(office / "heads" / f"{DAYS[1]}.json")
    assert check_backup(made, tmp_path / "fine", head=kept).head == kept
    with open_ledger(tmp_path / "other", create=True) as ledger:
        ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C1"))
    forged = back_up(tmp_path / "other", tmp_path / "b.zip").path
    assert check_backup(forged, tmp_path / "fine too").head.sequence == 1
    refused(forged, tmp_path, "链头记录的", kept)


def test_a_backup_of_a_newer_program_is_left_alone(office: Path, tmp_path: Path) -> None:
    shutil.copytree(office, tmp_path / "newer")
    with closing(connect(tmp_path / "newer")) as store, store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for attempt in (back_up, partial(upgrade, code_version="0")):
        with pytest.raises(LedgerVersionError, match="请升级本程序"):
            attempt(tmp_path / "newer", tmp_path / "a.zip")
    file = Path(shutil.copy(back_up(office, tmp_path / "b.zip").path, tmp_path / "c.zip"))

    def newer(members: dict[str, bytes]) -> None:
        with closing(connect(tmp_path / "newer")) as store, store.writing():
            pass  # folds the log into the file
        members["ledger.sqlite3"] = (tmp_path / "newer" / "ledger.sqlite3").read_bytes()
        members["manifest.json"] = members["manifest.json"].replace(schema.REVISION.encode(), b"9999")

    rewritten(file, newer)
    refused(file, tmp_path, "请升级本程序")


def test_a_ledger_that_does_not_check_is_not_upgraded(office: Path, tmp_path: Path) -> None:
    older(office, tmp_path / "old", "0001")
    shutil.rmtree(tmp_path / "old" / "evidence")
    with pytest.raises(LedgerError, match="佐证材料"):
        upgrade(tmp_path / "old", tmp_path / "a.zip", code_version="0")
    with pytest.raises(LedgerVersionError):
        open_ledger(tmp_path / "old")


def test_nothing_is_overwritten(made: Path, office: Path, postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="已有的文件"):
        back_up(office, made)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(UsageError, match="已有内容"):
        restore(made, tmp_path / "full")
    with pytest.raises(UsageError, match="已有内容"):
        restore(made, postgres_url, evidence=tmp_path / "full")
    (tmp_path / "server" / "heads").mkdir(parents=True)
    (tmp_path / "server" / "heads" / "a").touch()
    with pytest.raises(UsageError, match="已有内容"):
        restore(made, postgres_url, evidence=tmp_path / "server" / "evidence")
    shutil.rmtree(tmp_path / "server")
    open_ledger(postgres_url, create=True).close()
    with open_ledger(postgres_url) as ledger:
        ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C1"))
    with pytest.raises(LedgerError, match="已有内容"):
        restore(made, postgres_url, evidence=tmp_path / "server" / "evidence")
    assert not (tmp_path / "server" / "evidence").exists()
    (tmp_path / "empty").mkdir()
    assert restore(made, tmp_path / "empty").head.sequence > 0


def test_where_the_evidence_goes_is_asked_of_servers_alone(
    made: Path, postgres_url: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="补充 --evidence"):
        restore(made, postgres_url)
    with pytest.raises(UsageError, match="去掉 --evidence"):
        restore(made, tmp_path / "new", evidence=tmp_path / "evidence")
    with pytest.raises(UsageError, match="没有这个文件"):
        restore(tmp_path / "none.zip", tmp_path / "new")


@pytest.fixture
def spoiled(office: Path, tmp_path: Path) -> Iterator[Ledger]:
    shutil.copytree(office, tmp_path / "store")
    with open_ledger(tmp_path / "store") as ledger:
        yield ledger


def test_a_ledger_that_does_not_check_gives_no_backup(spoiled: Ledger, tmp_path: Path) -> None:
    (digest,) = spoiled.evidence.digests()
    (tmp_path / "store" / "evidence" / digest[:2] / digest).write_bytes(b"other")
    with pytest.raises(LedgerError, match="没有写出备份：台账没有通过核对"):
        back_up(tmp_path / "store", tmp_path / "a.zip")
    assert {path.name for path in tmp_path.iterdir()} == {"store"}


def test_a_full_disk_leaves_no_backup_and_is_told(
    office: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_pack", full)
    with pytest.raises(LedgerError, match="磁盘已满"):
        back_up(office, tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []
