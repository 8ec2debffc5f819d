"""New keys for a data folder: a new folder whose pseudonyms and sealed fields are all of the new keys.

The old folder and the old key file are only read. Whatever cell holds, as a whole, a pseudonym of the old
keys gets its successor (:meth:`huanjie_lib.access.keys.KeyRing.successor`); names and ID numbers are opened
and sealed anew. Everything else is carried over as it is: in a CSV file or a workbook not even the spelling
of another cell changes. A file of another kind that holds such a pseudonym is refused: it would be lost.

Ledgers keep the pseudonyms they recorded; who holds the new keys recognises them
(:meth:`~huanjie_lib.access.keys.KeyRing.recognised`).
"""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from huanjie_lib.access.keys import PSEUDONYM, KeyRing, SealError
from huanjie_lib.contracts import table
from huanjie_lib.errors import DataError, Fault

__all__ = ["Rotation", "rotate_tree"]

_IN_CSV: Final = re.compile(rb"(?:(?<=[\s,;\"'\xbf])|\A)(" + PSEUDONYM.encode() + rb")(?=[\s,;\"']|\Z)")
_IN_XML: Final = re.compile(rb"(?<=>)(" + PSEUDONYM.encode() + rb")(?=<)")
_ANYWHERE: Final = re.compile(rb"(?<![A-Z0-9])" + PSEUDONYM.encode() + rb"(?![A-Z0-9])")
_ANYWHERE_WIDE: Final = re.compile(rb"[PRHM]\x00(?:[A-Z2-7]\x00){16}")
_CELLS: Final = re.compile(r"xl/(?:sharedStrings|worksheets/[^/]+)\.xml")
_NOT_DONE: Final = "没有更换密钥"


@dataclass
class Rotation:
    """From one generation of keys to the next, and what was changed so far.

    Parameters
    ----------
    old, new
        Keys; the new ones made by ``old.rotated()``.

    Attributes
    ----------
    refs
        Old pseudonyms met so far, with their successors.
    sealed
        How many people's names and numbers were sealed anew.
    """

    old: KeyRing = field(repr=False)
    new: KeyRing = field(repr=False)
    refs: dict[str, str] = field(default_factory=dict, repr=False)
    sealed: int = 0

    def cell(self, text: str | None) -> str | None:
        """Return a cell as it is under the new keys.

        Examples
        --------
        >>> old = KeyRing(bytes(range(32)), bytes(range(64)))
        >>> rotation = Rotation(old, old.rotated())
        >>> rotation.cell("p160c93e1f0"), rotation.cell(None)
        ('p160c93e1f0', None)
        >>> ref = old.pseudonym("person", "1")
        >>> rotation.cell(ref) == rotation.new.pseudonym("person", "1")
        True
        """
        if text is None or not re.fullmatch(PSEUDONYM, text):
            return text
        if text not in self.refs:
            self.refs[text] = self.new.successor(text)
        return self.refs[text]

    def frame(self, rows: pl.DataFrame, where: str) -> pl.DataFrame:
        """Return a table with successors in place of pseudonyms; identities are sealed anew.

        Raises
        ------
        DataError
            If a name or number does not open, or a number gives another pseudonym than it stands under.
        """
        columns = _sealed_columns(rows)
        moved = [] if columns is None else self._resealed(rows, columns, where)
        for name, kind in rows.schema.items():
            if kind in (pl.String, pl.Categorical):
                texts = rows[name].cast(pl.String)
                met = texts.filter(texts.str.contains(f"^{PSEUDONYM}$")).unique().to_list()
                if met:
                    moved.append(texts.replace({ref: self.cell(ref) for ref in met}))
        return rows.with_columns(moved)

    def _resealed(self, rows: pl.DataFrame, columns: tuple[str, str, str], where: str) -> list[pl.Series]:
        names: list[str] = []
        numbers: list[str] = []
        faults = []
        for row, (ref, name, number) in enumerate(rows.select(columns).iter_rows(), start=1):
            place = f"{where} 第 {row} 行"
            try:
                opened = self.old.unseal(str(name), "name", str(ref))
                plain = self.old.unseal(str(number), "id_number", str(ref))
            except SealError:
                faults.append(Fault(place, "打不开的密文", "用旧密钥封存的内容", "核对旧密钥文件和该行"))
                continue
            later = self.new.pseudonym("person", plain)
            if self.cell(str(ref)) != later:
                remedy = "核对该行是否被改动或错行"
                faults.append(Fault(place, "代号与证件号不符", "由证件号得出的代号", remedy))
                continue
            names.append(self.new.seal(opened, "name", later))
            numbers.append(self.new.seal(plain, "id_number", later))
        if faults:
            raise DataError(_NOT_DONE, faults)
        self.sealed += len(names)
        return [pl.Series(columns[1], names, pl.String), pl.Series(columns[2], numbers, pl.String)]

    def text(self, pattern: re.Pattern[bytes], raw: bytes) -> bytes:
        """Return the bytes of a text with successors in place of the pseudonyms that a pattern finds."""
        return pattern.sub(lambda found: str(self.cell(found[1].decode())).encode(), raw)


def _sealed_columns(rows: pl.DataFrame) -> tuple[str, str, str] | None:
    """Return how a table calls pseudonym, sealed name and sealed number, if it holds identities."""
    contract = table("identities")
    found = [
        next((name for name in (column.name, column.label) if name in rows.columns), None)
        for column in map(contract.column, ("person_ref", "name_sealed", "id_sealed"))
    ]
    return None if None in found else (str(found[0]), str(found[1]), str(found[2]))


def rotate_tree(data: Path, out: Path, rotation: Rotation) -> int:
    """Write every file of a folder under the new keys into a new folder; return how many files changed.

    Parameters
    ----------
    data
        The data folder.
    out
        Folder to write, not there yet; it is to be thrown away when this raises.
    rotation
        Keys; it counts what is changed.

    Raises
    ------
    DataError
        If a file of people cannot be carried over.
    """
    changed = 0
    for path in sorted(data.rglob("*")):
        place = out / path.relative_to(data)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        write = _WRITERS.get(path.suffix.lower(), _refuse_people)
        shutil.copyfile(path, place)
        changed += write(place, path.relative_to(data).as_posix(), rotation)
    return changed


def _parquet(path: Path, where: str, rotation: Rotation) -> bool:
    rows = pl.read_parquet(path)
    made = rotation.frame(rows, where)
    if made.equals(rows):
        return False  # and its bytes stay as they are
    made.write_parquet(path, compression="zstd")
    return True


def _csv(path: Path, where: str, rotation: Rotation) -> bool:
    raw = path.read_bytes()
    if _ANYWHERE_WIDE.search(raw):
        raise DataError(_NOT_DONE, [_unreadable(where, "UTF-16 编码的 CSV", "另存为 UTF-8 的 CSV 后重试")])
    made = rotation.text(_IN_CSV, raw)
    if b"_sealed" in raw or "密文".encode() in raw or "密文".encode("gb18030") in raw:
        text = _decoded(raw)
        rows = pl.read_csv(io.StringIO(text), infer_schema=False)
        if _sealed_columns(rows) is not None:
            made = rotation.frame(rows, where).write_csv().encode("utf-8")
    path.write_bytes(made)
    return made != raw


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030")


def _workbook(path: Path, where: str, rotation: Rotation) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [(entry, archive.read(entry)) for entry in archive.infolist()]
    except zipfile.BadZipFile:
        return _refuse_people(path, where, rotation)  # intake tells what is the matter with it
    made = [(e, rotation.text(_IN_XML, raw) if _CELLS.fullmatch(e.filename) else raw) for e, raw in members]
    if made == members:
        return False
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, raw in made:
            archive.writestr(entry, raw)
    return True


def _refuse_people(path: Path, where: str, rotation: Rotation) -> bool:
    """Refuse a file in which pseudonyms stand but cannot be changed."""
    del rotation
    raw = path.read_bytes()
    if _ANYWHERE.search(raw) or _ANYWHERE_WIDE.search(raw):
        raise DataError(
            _NOT_DONE,
            [_unreadable(where, f"{path.suffix or '这种'} 文件中的人员代号", "另存为 .xlsx 后重试")],
        )
    return False


def _unreadable(where: str, found: str, remedy: str) -> Fault:
    return Fault(where, found, "Parquet、CSV（UTF-8 或 GB18030）或 .xlsx", remedy)


_WRITERS: Final[dict[str, Callable[[Path, str, Rotation], bool]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".xlsx": _workbook,
}
