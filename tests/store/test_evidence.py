from __future__ import annotations

import errno
import hashlib
import io
import os
from pathlib import Path

import pytest

from huanjie_lib.errors import LedgerError, LedgerFullError
from huanjie_lib.store.evidence import EvidenceFolder


def put(folder: EvidenceFolder, content: bytes, name: str = "a.jpg") -> str:
    return folder.put(io.BytesIO(content), name=name, media_type="image/jpeg").digest


@pytest.fixture
def folder(tmp_path: Path) -> EvidenceFolder:
    return EvidenceFolder(tmp_path / "evidence")


def test_a_file_is_kept_under_its_digest_once(folder: EvidenceFolder) -> None:
    content = os.urandom(3_000_000)
    digest = put(folder, content)
    assert digest == hashlib.sha256(content).hexdigest() == put(folder, content)
    with folder.open(digest) as stream:
        assert stream.read() == content
    assert list(folder.digests()) == [digest]
    assert folder.holds(digest, len(content))
    assert not folder.holds(digest, 5)
    assert folder.verify() == []


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX")
def test_files_and_folders_are_for_their_owner_alone(folder: EvidenceFolder) -> None:
    digest = put(folder, b"x")
    modes = [p.stat().st_mode & 0o777 for p in (folder.path, folder.path / digest[:2])]
    assert modes == [0o700, 0o700]
    assert (folder.path / digest[:2] / digest).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\照片\\公示.jpg", "公示.jpg"),
        ("a\x00b\n.pdf", "ab.pdf"),
        ("", "未命名"),
        ("x" * 300 + ".jpg", "x" * 116 + ".jpg"),
    ],
)
def test_a_name_is_never_a_path(folder: EvidenceFolder, name: str, kept: str) -> None:
    found = folder.put(io.BytesIO(b"x"), name=name, media_type="image/jpeg")
    assert found.name == kept
    assert [p.name for p in folder.path.rglob("*") if p.is_file()] == [found.digest]


@pytest.mark.parametrize("digest", ["../x", "", "ab", "AB" * 32, "ab" * 32])
def test_what_is_not_kept_is_not_found(folder: EvidenceFolder, digest: str) -> None:
    with pytest.raises(KeyError):
        folder.open(digest)


def test_an_empty_file_is_refused_and_leaves_nothing(folder: EvidenceFolder) -> None:
    with pytest.raises(LedgerError, match="空文件"):
        put(folder, b"")
    assert [p for p in folder.path.rglob("*") if p.is_file()] == []


class Broken(io.RawIOBase):
    """A stream that ends in an error after its first block."""

    def __init__(self, error: OSError) -> None:
        self.blocks = [b"begun"]
        self.error = error

    def read(self, size: int = -1) -> bytes:
        del size
        if self.blocks:
            return self.blocks.pop()
        raise self.error


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, LedgerFullError), (errno.EDQUOT, LedgerFullError), (errno.EIO, LedgerError)],
)
def test_an_upload_that_breaks_off_leaves_nothing(
    folder: EvidenceFolder, number: int, kind: type[LedgerError]
) -> None:
    with pytest.raises(kind) as caught:
        folder.put(Broken(OSError(number, "broken")), name="a.jpg", media_type="image/jpeg")  # type: ignore[arg-type]
    assert type(caught.value) is kind
    assert [p for p in folder.path.rglob("*") if p.is_file()] == []


def test_nothing_has_its_name_before_it_stands_on_the_disk(
    folder: EvidenceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("fsync"), fsync(handle)))
    monkeypatch.setattr(Path, "replace", lambda a, b: (steps.append("name"), replace(a, b))[1])
    put(folder, b"x")
    # two new folders, then: content to the disk, name, name to the disk
    assert steps[-3:] == ["fsync", "name", "fsync"]
    assert steps.count("name") == 1


def test_damage_and_loss_are_found_and_a_new_upload_heals(folder: EvidenceFolder) -> None:
    first, second = put(folder, b"first"), put(folder, b"second")
    place = folder.path / first[:2] / first
    place.write_bytes(b"fir")  # torn by a power cut, say
    faults = folder.verify([(first, 3), (second, 4), ("cd" * 32, 9)])
    assert [(f.sequence, f.kind, f.found) for f in faults] == [
        (9, "evidence", "缺失"),
        (3, "evidence", "内容被改动"),
    ]
    assert put(folder, b"first") == first
    assert folder.verify([(first, 3)]) == []


def test_half_written_files_are_never_read(folder: EvidenceFolder) -> None:
    digest = put(folder, b"x")
    (folder.path / "rest.part").write_bytes(b"half")
    assert list(folder.digests()) == [digest]
    assert folder.verify() == []


def test_only_what_was_left_long_ago_is_swept(folder: EvidenceFolder) -> None:
    assert folder.sweep(1000) == 0, "there is no folder yet"
    digest = put(folder, b"x")
    ages = {"left.part": 999, "coming.part": 1001, "no-draft": 1}
    for name, age in ages.items():
        (folder.path / name).write_bytes(b"half")
        os.utime(folder.path / name, (age, age))
    assert folder.sweep(1000) == 1
    assert {path.name for path in folder.path.iterdir()} == {"coming.part", "no-draft", digest[:2]}
    assert folder.verify([(digest, 1)]) == []
