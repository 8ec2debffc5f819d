"""What a disk may hold after a power cut, rebuilt from a recording of every write and sync of a process.

:func:`watched` gives the environment in which ``disk.c`` records a process. A :class:`Disk` follows the
recording operation by operation and tells what may be there if the power fails now:

- what a file held when it was last synced is there;
- each sector of 512 bytes written since may be there, or not, or in any earlier version, whatever the order;
- a new length may be there without the data: then zeros or rubbish stand in the gap;
- names made, moved or removed since their folder was last synced may be there or not, each by itself.

The last two are stricter than common file systems, which keep some order of their own accord.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

__all__ = ["MODES", "Disk", "Operation", "build_shim", "read_log", "watched"]

SOURCE = Path(__file__).with_suffix(".c")
SECTOR = 512
HEAD = struct.Struct("=c5Q")

#: What becomes of what was not synced: all lost, all kept, whole writes lost, sectors lost.
MODES = ("lost", "kept", "writes", "sectors")


def build_shim(folder: Path) -> Path:
    """Compile ``disk.c`` into ``folder``; without a compiler CI fails, other machines skip."""
    if sys.platform != "linux":
        pytest.skip("LD_PRELOAD and glibc are needed")
    compiler = shutil.which("gcc")
    if compiler is None:
        if os.environ.get("CI"):
            raise FileNotFoundError("gcc is missing")
        pytest.skip("gcc is missing; on Debian or Ubuntu: apt-get install gcc libc6-dev")
    shim = folder / "disk.so"
    flags = ("-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC")
    subprocess.run([compiler, *flags, SOURCE, "-o", shim, "-ldl", "-lpthread"], check=True)
    return shim


def watched(shim: Path, root: Path, log: Path | None = None) -> dict[str, str]:
    """Return the environment of a process whose changes below ``root`` are counted, and logged if asked."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    paths = {"LD_PRELOAD": str(shim), "DISK_ROOT": str(root.resolve()), "DISK_LOG": str(log or "")}
    return {**os.environ, **threads, **paths}


@dataclass(frozen=True)
class Operation:
    """One change: c(reate), w(rite), t(runcate), s(ync), r(ename), l(ink), u(nlink), d (new folder)."""

    kind: str
    inode: int
    offset: int
    path: str
    other: str
    data: bytes


def read_log(log: Path) -> Iterator[Operation]:
    """Yield the operations of a recording."""
    content = log.read_bytes()
    place = 0
    while place < len(content):
        kind, inode, offset, path, other, data = HEAD.unpack_from(content, place)
        place += HEAD.size
        parts = []
        for length in (path, other, data):
            parts.append(content[place : place + length])
            place += length
        yield Operation(kind.decode(), inode, offset, parts[0].decode(), parts[1].decode(), parts[2])


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.pending:
            _apply(self.synced, operation)
        self.pending.clear()

    def after_a_cut(self, mode: str, rng: Random) -> bytearray:
        content = bytearray(self.synced)
        pending = list(self.pending)
        if mode == "lost":
            return content
        if mode != "kept":
            if mode == "sectors":
                pending = [part for whole in pending for part in _sectors(whole)]
            share = rng.choice((0.1, 0.5, 0.9))
            pending = [operation for operation in pending if rng.random() < share]
            rng.shuffle(pending)
        rubbish = rng if mode != "kept" and rng.random() < 0.5 else None
        for operation in pending:
            _apply(content, operation, rubbish)
        return content


def _sectors(operation: Operation) -> Iterator[Operation]:
    """Split a write where sectors of the disk end."""
    start, data = operation.offset, operation.data
    if operation.kind != "w":
        yield operation
        return
    while data:
        length = SECTOR - start % SECTOR
        yield Operation("w", operation.inode, start, "", "", data[:length])
        start, data = start + length, data[length:]


def _apply(content: bytearray, operation: Operation, rubbish: Random | None = None) -> None:
    end = operation.offset + len(operation.data)
    if operation.kind == "t":
        del content[operation.offset :]
    gap = operation.offset - len(content)
    if gap > 0:
        content += rubbish.randbytes(gap) if rubbish else bytes(gap)
    content[operation.offset : end] = operation.data


class Disk:
    """The files below one folder, as far as they are synced, and what is on its way to the disk.

    Parameters
    ----------
    root
        The folder; it is there, and empty, at the start.
    """

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve())
        self._files: dict[int, _File] = {}  # by inode, as long as a descriptor may write to it
        self._folders: dict[int, str] = {}
        self._inodes: dict[str, int] = {}  # by the name the process sees
        self._names: dict[str, _File | None] = {}  # synced; None is a folder
        self._moves: list[tuple[Operation, _File | None]] = []  # names not synced yet

    def follow(self, operation: Operation) -> None:
        """Take note of the process's next operation."""
        kind, inode = operation.kind, operation.inode
        if kind == "w" or (kind == "t" and inode in self._files):
            self._files[inode].pending.append(operation)
        elif kind == "s" and inode in self._files:
            self._files[inode].sync()
        elif kind == "s":
            self._sync_folder(self._folders.get(inode, self.root))
        else:
            self._rename(operation)

    def _rename(self, operation: Operation) -> None:
        subject: _File | None = None
        if operation.kind == "c":
            subject = self._files[operation.inode] = _File()
            self._folders.pop(operation.inode, None)
            self._inodes[operation.path] = operation.inode
        elif operation.kind == "d":
            self._folders[operation.inode] = operation.path
            self._files.pop(operation.inode, None)
        elif operation.kind in "rl":
            inode = self._inodes[operation.path]
            subject = self._files[inode]
            self._inodes[operation.other] = inode
        self._moves.append((operation, subject))

    def _sync_folder(self, folder: str) -> None:
        settled, left = [], []
        needed: set[str] = set()  # names whose earlier changes a settled one builds on
        for move in reversed(self._moves):
            paths = {path for path in (move[0].path, move[0].other) if path}
            if folder in map(_parent, paths) or paths & needed:
                settled.append(move)
                needed |= paths
            else:
                left.append(move)
        for move in reversed(settled):
            _move(self._names, *move)
        self._moves = left[::-1]

    def after_a_cut(self, mode: str, rng: Random) -> dict[str, bytearray]:
        """Return files by name relative to the folder, as one power cut may leave them."""
        names = dict(self._names)
        for move in self._moves:
            if mode == "kept" or (mode != "lost" and rng.random() < 0.5):
                _move(names, *move)
        return {
            os.path.relpath(path, self.root): file.after_a_cut(mode, rng)
            for path, file in names.items()
            if file is not None and self._reachable(path, names)
        }

    def _reachable(self, path: str, names: dict[str, _File | None]) -> bool:
        folder = _parent(path)
        return folder == self.root or (folder in names and self._reachable(folder, names))


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _move(names: dict[str, _File | None], operation: Operation, subject: _File | None) -> None:
    if operation.kind in "cd":
        names[operation.path] = subject
    elif operation.kind == "u":
        names.pop(operation.path, None)
    else:
        names[operation.other] = subject
        if operation.kind == "r":
            names.pop(operation.path, None)
