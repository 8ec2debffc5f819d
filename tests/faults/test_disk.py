"""The watched disk: its recording is whole, and its power cuts lose what was not synced and nothing else."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from tests.faults.disk import MODES, Disk, read_log, watched


def run(shim: Path, root: Path, code: str, log: Path | None = None) -> str:
    """Run code that knows the folder as ``root`` on the watched disk and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", f"import os, ctypes\nroot = {str(root.resolve())!r}\n{code}"],
        env=watched(shim, root, log),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def record(shim: Path, folder: Path, code: str) -> Disk:
    """Run code in an empty folder and return the disk at its end."""
    root, log = folder / "root", folder / "log"
    root.mkdir()
    run(shim, root, code, log)
    disk = Disk(root)
    for operation in read_log(log):
        disk.follow(operation)
    return disk


def outcomes(disk: Disk, mode: str, tries: int = 60) -> list[dict[str, bytes]]:
    """Return the different states that power cuts may leave."""
    found: list[dict[str, bytes]] = []
    for seed in range(tries):
        state = {name: bytes(content) for name, content in disk.after_a_cut(mode, Random(seed)).items()}
        if state not in found:
            found.append(state)
    return found


def names(states: Iterable[dict[str, bytes]]) -> set[frozenset[str]]:
    return {frozenset(state) for state in states}


WRITE = "f = os.open(f'{root}/a', os.O_RDWR | os.O_CREAT)\nos.pwrite(f, b'1' * 1024, 0)\n"
SYNC = "os.fsync(f)\n"
SYNC_FOLDER = "d = os.open(root, os.O_RDONLY)\nos.fsync(d)\n"


def test_the_recording_followed_to_its_end_is_the_folder(shim: Path, tmp_path: Path) -> None:
    code = (
        "import shutil, tempfile, pathlib\n"
        "r = pathlib.Path(root)\n(r / 'x').mkdir()\n(r / 'x/a').write_bytes(b'a' * 9999)\n"
        "with (r / 'x/a').open('ab') as f: f.write(b'b' * 100)\n"
        "with (r / 'x/a').open('r+b') as f: f.seek(50); f.write(b'c'); f.truncate(5000)\n"
        "with tempfile.NamedTemporaryFile(dir=r, delete=False) as f: f.write(b'd' * 70000)\n"
        "os.replace(f.name, r / 'x/d')\nos.link(r / 'x/d', r / 'e')\n(r / 'g').write_bytes(b'')\n"
        "(r / 'gone').write_bytes(b'1')\n(r / 'gone').unlink()\n(r / 'x/a').write_bytes(b'anew')\n"
    )
    disk = record(shim, tmp_path, code)
    (kept,) = outcomes(disk, "kept", tries=2)
    root = tmp_path / "root"
    there = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert kept == there
    assert set(there) == {"x/a", "x/d", "e", "g"}
    assert outcomes(disk, "lost") == [{}]


def test_what_is_synced_with_its_folder_survives_in_every_mode(shim: Path, tmp_path: Path) -> None:
    disk = record(shim, tmp_path, WRITE + SYNC + SYNC_FOLDER)
    assert [outcomes(disk, mode) for mode in MODES] == [[{"a": b"1" * 1024}]] * len(MODES)


def test_a_file_whose_folder_was_not_synced_may_be_gone(shim: Path, tmp_path: Path) -> None:
    disk = record(shim, tmp_path, WRITE + SYNC)
    assert outcomes(disk, "lost") == [{}]
    assert names(outcomes(disk, "writes")) == {frozenset(), frozenset({"a"})}


def test_unsynced_writes_may_be_lost_torn_or_out_of_order(shim: Path, tmp_path: Path) -> None:
    later = "os.pwrite(f, b'2' * 1024, 0)\nos.pwrite(f, b'3' * 512, 0)\n"
    disk = record(shim, tmp_path, WRITE + SYNC + SYNC_FOLDER + later)
    assert outcomes(disk, "lost") == [{"a": b"1" * 1024}]
    assert outcomes(disk, "kept") == [{"a": b"3" * 512 + b"2" * 512}]
    whole = {state["a"][::512] for state in outcomes(disk, "writes")}
    assert whole == {b"11", b"22", b"32", b"31"}
    torn = {state["a"][::512] for state in outcomes(disk, "sectors", tries=300)}
    assert torn == {b"11", b"12", b"21", b"22", b"31", b"32"}


def test_a_length_may_come_without_its_data(shim: Path, tmp_path: Path) -> None:
    disk = record(shim, tmp_path, WRITE + SYNC + SYNC_FOLDER + "os.pwrite(f, b'2' * 1024, 1024)\n")
    gaps = {s["a"][1024:1536] for s in outcomes(disk, "sectors", tries=200) if len(s["a"]) == 2048}
    assert {b"2" * 512, bytes(512)} < gaps  # the data, zeros, and rubbish


@pytest.mark.parametrize("synced", [True, False])
def test_a_file_put_in_place_by_rename_is_whole_if_it_was_synced_before(
    shim: Path, tmp_path: Path, synced: bool
) -> None:
    put = WRITE + (SYNC if synced else "") + "os.replace(f'{root}/a', f'{root}/b')\n" + SYNC_FOLDER
    contents = {state["b"] for state in outcomes(record(shim, tmp_path, put), "sectors")}
    assert (contents == {b"1" * 1024}) is synced


def test_a_folder_that_was_not_synced_takes_its_files_with_it(shim: Path, tmp_path: Path) -> None:
    code = (
        "os.mkdir(f'{root}/x')\nf = os.open(f'{root}/x/a', os.O_WRONLY | os.O_CREAT)\nos.fsync(f)\n"
        "d = os.open(f'{root}/x', os.O_RDONLY)\nos.fsync(d)\n"
    )
    assert names(outcomes(record(shim, tmp_path, code), "writes")) == {frozenset(), frozenset({"x/a"})}


def test_a_synced_move_settles_what_it_builds_on(shim: Path, tmp_path: Path) -> None:
    code = (
        "os.mkdir(f'{root}/x')\n" + SYNC_FOLDER + WRITE + SYNC + "os.replace(f'{root}/a', f'{root}/x/b')\n"
        "d = os.open(f'{root}/x', os.O_RDONLY)\nos.fsync(d)\n"
    )
    disk = record(shim, tmp_path, code)
    assert [names(outcomes(disk, mode)) for mode in ("lost", "kept")] == [{frozenset({"x/b"})}] * 2


def test_a_full_disk_writes_half_then_nothing_until_there_is_room(shim: Path, tmp_path: Path) -> None:
    code = (
        "shim = ctypes.CDLL(None)\n"
        "f = os.open(f'{root}/a', os.O_RDWR | os.O_CREAT)\nprint(shim.disk_calls())\n"
        f"shim.disk_fail(1, {errno.ENOSPC})\n"
        "print(os.write(f, b'1' * 10), os.write(f, b'2' * 10))\n"
        "for attempt in (lambda: os.write(f, b'3'), lambda: os.mkdir(f'{root}/x'), lambda: os.fsync(f)):\n"
        "    try:\n        print(attempt())\n    except OSError as error:\n        print(error.errno)\n"
        "shim.disk_fail(-1, 0)\nprint(os.write(f, b'4' * 10))\n"
    )
    root = tmp_path / "root"
    root.mkdir()
    assert run(shim, root, code).split() == ["1", "10", "5", "28", "28", "None", "10"]
    assert (root / "a").read_bytes() == b"1" * 10 + b"2" * 5 + b"4" * 10
