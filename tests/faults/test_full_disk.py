"""A full or broken disk: a named error, nothing acknowledged lost, and with room again the action succeeds.

The failing disk is tried at every single write of an action (``tests.faults.failing``). A small file system
that is really full shows that real ones do the same, under SQLite and under PostgreSQL.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from huanjie_lib.errors import LedgerFullError
from huanjie_lib.store.ledger import Ledger, open_ledger
from tests.faults.disk import watched
from tests.faults.failing import CASE, rectify
from tests.faults.histories import dispatch, opening
from tests.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("code", "named"), [("ENOSPC", {"LedgerFullError"}), ("EIO", {"LedgerError"})])
def test_a_disk_that_fails_at_any_write_loses_nothing(
    shim: Path, tmp_path: Path, code: str, named: set[str]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.failing", str(root), code],
        cwd=ROOT,
        env=watched(shim, root),
        stdout=subprocess.PIPE,
        check=True,
    )
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert [turn for turn in rounds if turn["wrong"]] == []
    assert [turn["error"] for turn in rounds[:-1] if turn["error"] not in named] == []
    assert rounds[-1]["error"] == ""  # in the end there was room for everything
    assert len(rounds) > 15  # evidence file, its folders, and the pages of the ledger


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """Return a function that mounts a file system of so many bytes."""
    places: list[Path] = []

    def make(size: int) -> Path:
        place = Path(tempfile.mkdtemp(prefix="huanjie-disk-"))  # where a server's account may go too
        places.append(place)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "huanjie-test", str(place)]
        if not sys.platform.startswith("linux") or os.geteuid() != 0 or subprocess.run(mount).returncode:
            pytest.skip("a file system cannot be mounted here; the failing disk covers the same")
        return place

    yield make
    for place in places:
        if place.is_mount():
            subprocess.run(["umount", "--lazy", str(place)], check=True)
        place.rmdir()


@contextmanager
def filled(place: Path, left: int) -> Iterator[None]:
    """Fill a file system up to some bytes, and free it again."""
    ballast = place / "ballast"
    free = shutil.disk_usage(place).free
    ballast.write_bytes(bytes(free - left))
    try:
        yield
    finally:
        ballast.unlink()


def until_full(ledger: Ledger, write: Callable[[str, int], None]) -> tuple[str, int, list[str]]:
    """Write until the disk is full; return the action that failed and those acknowledged."""
    acknowledged = ledger.events()["event_id"].tolist()
    for number in range(2000):
        event_id, version = f"f{number}", ledger.case(CASE).version
        try:
            write(event_id, version)
        except LedgerFullError:
            return event_id, version, acknowledged
        acknowledged.append(event_id)
    pytest.fail("the disk was never full")


def assert_whole(ledger: Ledger, acknowledged: list[str]) -> None:
    assert ledger.events()["event_id"].tolist() == acknowledged
    assert ledger.verify() == []


@pytest.mark.parametrize("left", [9_000, 400_000])
def test_sqlite_on_a_full_disk(small_disk: Callable[[int], Path], left: int) -> None:
    place = small_disk(4 << 20)
    ledger = open_ledger(place / "ledger.db", create=True)
    ledger.append(opening("e0", CASE))
    ledger.append(dispatch("e1", CASE, 1))

    def write(event_id: str, version: int) -> None:
        rectify(ledger, event_id, version, event_id.encode() * 2000)

    with filled(place, left):
        event_id, version, acknowledged = until_full(ledger, write)
        assert_whole(ledger, acknowledged)
        with pytest.raises(LedgerFullError):
            write(event_id, version)
        assert_whole(open_ledger(place / "ledger.db", read_only=True), acknowledged)
    write(event_id, version)
    assert_whole(ledger, [*acknowledged, event_id])
    ledger.close()


@pytest.mark.usefixtures("postgres_server")  # without PostgreSQL, skipped as others are
def test_postgresql_on_a_full_disk(small_disk: Callable[[int], Path], tmp_path: Path) -> None:
    server = PostgresServer()  # its own: no server outlives the loss of a file system
    try:
        server.start()
        place = small_disk(24 << 20)
        ledger = open_ledger(server.new_database(on=place), create=True, evidence=tmp_path / "evidence")
        ledger.append(opening("e0", CASE))

        def write(event_id: str, version: int) -> None:
            ledger.append(dispatch(event_id, CASE, version, note=f"{event_id} " * 2000))

        with filled(place, 60_000):
            event_id, version, acknowledged = until_full(ledger, write)
            assert_whole(ledger, acknowledged)
        write(event_id, version)
        assert_whole(ledger, [*acknowledged, event_id])
        ledger.close()
    finally:
        server.stop()
