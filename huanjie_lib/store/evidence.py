"""Evidence files, kept under their SHA-256: the same content is kept once, and no content can change unseen.

A file is written beside its place, flushed to the disk and only then given its name, so that whatever stands
under a digest is whole; what a broken-off upload leaves behind ends in ``.part``, is never read, and goes
when a writer starts a day later.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO

from huanjie_lib.casework.events import ChainFault
from huanjie_lib.errors import Fault, LedgerError, LedgerFullError

__all__ = ["Evidence", "EvidenceFolder", "flush_folder", "made_private"]

_BLOCK = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Evidence:
    """One kept file.

    Parameters
    ----------
    digest
        SHA-256 of the content, hex.
    bytes
        Size.
    name
        Name the office gave it, without folders; never used as a path.
    media_type
        Type the office stated.
    """

    digest: str
    bytes: int
    name: str
    media_type: str

    def to_json(self) -> dict[str, str | int]:
        """Return the item that the payload of a rectification carries."""
        return {
            "digest": self.digest,
            "name": self.name,
            "bytes": self.bytes,
            "media_type": self.media_type,
        }


class EvidenceFolder:
    """Files by digest, in folders of their first two characters.

    Parameters
    ----------
    path
        Folder; made with the first file.

    Examples
    --------
    >>> import io, tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = EvidenceFolder(Path(place) / "evidence")
    ...     kept = folder.put(io.BytesIO(b"photo"), name="notice.jpg", media_type="image/jpeg")
    ...     with folder.open(kept.digest) as stream:
    ...         stream.read(), kept.bytes, folder.verify()
    (b'photo', 5, [])
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        """Return the path."""
        return f"EvidenceFolder({str(self.path)!r})"

    def put(self, stream: IO[bytes], *, name: str, media_type: str) -> Evidence:
        """Keep what a stream holds; it stands on the disk when this returns.

        Raises
        ------
        LedgerError
            If the stream is empty or the file cannot be written; nothing is kept then.
        LedgerFullError
            If the disk is full.
        """
        shown = _UNPRINTABLE.sub("", name.replace("\\", "/").rpartition("/")[2]).strip()[-_LONGEST_NAME:]
        try:
            return self._put(stream, shown or "未命名", media_type)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def _put(self, stream: IO[bytes], name: str, media_type: str) -> Evidence:
        made_private(self.path)
        handle, draft = tempfile.mkstemp(suffix=".part", dir=self.path)  # readable by its owner alone
        try:
            digest, size = hashlib.sha256(), 0
            with os.fdopen(handle, "wb") as file:
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            if size == 0:
                fault = Fault(f"佐证材料 {name}", "空文件", "有内容的文件", "检查文件后重新上传")
                raise LedgerError("没有收下佐证材料", [fault])
            place = self._place(digest.hexdigest())
            made_private(place.parent)
            Path(draft).replace(place)  # over a damaged copy too
            flush_folder(place.parent)
        finally:
            Path(draft).unlink(missing_ok=True)
        return Evidence(digest.hexdigest(), size, name, media_type)

    def _place(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise KeyError(digest)
        return self.path / digest[:2] / digest

    def open(self, digest: str) -> BufferedReader:
        """Open a file for reading.

        Raises
        ------
        KeyError
            If no file has that digest.
        """
        try:
            return self._place(digest).open("rb")
        except FileNotFoundError:
            raise KeyError(digest) from None

    def holds(self, digest: str, size: int) -> bool:
        """Tell whether a file of that digest and size is kept; its content is not read."""
        place = self._place(digest)
        return place.is_file() and place.stat().st_size == size

    def digests(self) -> Iterator[str]:
        """Yield the digest of every file kept, in order."""
        yield from sorted(p.name for p in self.path.glob("??/*") if _DIGEST.fullmatch(p.name))

    def sweep(self, before: float) -> int:
        """Remove what broken-off uploads left behind, and return how many files that were.

        Parameters
        ----------
        before
            Seconds since 1970: only files not written to since then go, for others may still be coming in.

        Raises
        ------
        OSError
            If a file cannot be removed.
        """
        swept = 0
        for path in self.path.glob("*.part"):
            with suppress(FileNotFoundError):  # another writer may sweep too
                if path.stat().st_mtime < before:
                    path.unlink()
                    swept += 1
        return swept

    def verify(self, wanted: Iterable[tuple[str, int]] = ()) -> list[ChainFault]:
        """Read every file again and find those that are damaged, and those wanted that are missing.

        Parameters
        ----------
        wanted
            Digests that must be there, each with the sequence of the event that tells of it.
        """
        told = dict(wanted)
        kept = set(self.digests())
        faults = [
            ChainFault(told[digest], "evidence", f"佐证材料 {digest[:12]}", "缺失", "登记过的文件")
            for digest in told
            if digest not in kept
        ]
        for digest in sorted(kept):
            with self.open(digest) as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                    where = f"佐证材料 {digest[:12]}"
                    faults.append(
                        ChainFault(told.get(digest, 0), "evidence", where, "内容被改动", "登记时的内容")
                    )
        return faults


def made_private(folder: Path) -> None:
    """Make a folder that its owner alone may enter, where there is none; its name then stands on the disk.

    The name of a folder that is there is flushed too: whoever made it may have been killed before he could.
    """
    missing = [part for part in (folder, *folder.parents) if not part.is_dir()]
    for part in reversed(missing):
        part.mkdir(mode=0o700 if part == folder else 0o777, exist_ok=True)
        flush_folder(part.parent)
    # Where this account may not write, none of its processes has made the folder.
    if not missing and os.access(folder.parent, os.R_OK | os.W_OK):
        flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Let the names in a folder stand on the disk; Windows keeps them by itself and cannot be asked."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(path: Path, error: OSError) -> LedgerError:
    import errno

    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        fault = Fault(str(path), "磁盘已满", "有足够空间的磁盘", "清理磁盘后重新上传")
        return LedgerFullError("没有收下佐证材料", [fault])
    fault = Fault(str(path), error.strerror or str(error), "可以写入的文件夹", "检查文件夹权限和磁盘")
    return LedgerError("没有收下佐证材料", [fault])
