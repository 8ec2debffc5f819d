"""A data folder written anew under other keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.outputs import require_new_folder, require_outside
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.pipeline import Progress
from huanjie_lib.workbench.reading import open_data

if TYPE_CHECKING:
    from huanjie_lib.access.rotation import Rotation
    from huanjie_lib.intake import Intake

__all__ = ["NewKeys", "rotate_keys"]

_SEALED = ["name_sealed", "id_sealed"]
"""Columns whose text is another under other keys; the rotation itself opens and compares them."""


@dataclass(frozen=True)
class NewKeys:
    """What :func:`rotate_keys` did.

    Parameters
    ----------
    fingerprint
        Of the new keys.
    pseudonyms, sealed, files
        How many pseudonyms were replaced, people sealed anew, and files changed.
    """

    fingerprint: str
    pseudonyms: int
    sealed: int
    files: int

    def summary(self) -> str:
        """Return one Chinese sentence."""
        return (
            f"新密钥编号 {self.fingerprint}：更换代号 {self.pseudonyms} 个，重新封存 {self.sealed} 人的姓名和"
            f"证件号，改写文件 {self.files} 个；新旧数据逐表核对一致"
        )


def rotate_keys(
    data: str | Path,
    out: str | Path,
    *,
    key: Path,
    new_key: Path,
    parameters: ParameterSet | None = None,
    progress: Progress | None = None,
) -> NewKeys:
    """Draw new keys and write a data folder anew under them; the old folder and key file stay as they are.

    The new folder is read as the old one is, each with its keys, before it stands: every file must give the
    same rows, the same report, and the same people under new pseudonyms.

    Parameters
    ----------
    data, out
        Data folder, and a new folder outside it.
    key, new_key
        Key file in use, and the new one to write, outside both folders.
    parameters
        The default pack when omitted.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    UsageError
        If a place is taken or lies where it must not, or the key file cannot be used.
    DataError
        If the folder holds something that cannot be carried over; nothing is written then.
    """
    import tempfile

    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.access.rotation import Rotation, rotate_tree

    folder, place = Path(data).resolve(), Path(out).resolve()
    require_outside(folder, place, what="--out")
    require_new_folder(place, refused="没有更换密钥")
    for inside in (folder, place):
        if inside in new_key.resolve().parents:
            fault = Fault("--new-key", str(new_key), "数据文件夹以外的新文件", "密钥与数据分开存放")
            raise UsageError("没有更换密钥：密钥不能放在数据里", [fault])
    old = KeyRing.read(key)
    rotation = Rotation(old, old.rotated())
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".huanjie-", dir=place.parent) as work:
        made = Path(work) / "data"
        files = rotate_tree(folder, made, rotation)
        pack = parameters or load_parameters()
        before = open_data(folder, pack, keys=old, progress=progress)
        after = open_data(made, pack, keys=rotation.new, progress=progress)
        replaced = len(rotation.refs)
        _check_rotated(before, after, rotation)
        rotation.new.write(new_key)
        try:
            if place.exists():
                place.rmdir()
            made.rename(place)
        except OSError:
            new_key.unlink()
            raise
    return NewKeys(rotation.new.fingerprint, replaced, rotation.sealed, files)


def _check_rotated(before: Intake, after: Intake, rotation: Rotation) -> None:
    """Refuse a folder that does not give the same rows, report and people as the one it was made from."""
    faults = []
    if not before.counts.equals(after.counts):
        differing = before.counts.merge(after.counts, how="outer", indicator=True)
        for file in sorted(set(differing.loc[differing["_merge"] != "both", "file"])):
            faults.append(Fault(str(file), "读出的行数与原来不同", "相同", "核对该文件中的人员代号"))
    elif not before.issues.equals(after.issues):
        faults.append(Fault("检查报告", "与原来不同", "相同", "先用 huanjie check 核对原数据"))
    else:
        for name in sorted(before.tables.keys() | after.tables.keys()):
            old, new = (
                found.tables[name].drop(columns=_SEALED, errors="ignore") for found in (before, after)
            )
            refs = [column for column in old.columns if column.endswith("_ref")]
            wanted = old.assign(
                **{
                    column: old[column].map(rotation.cell, na_action="ignore").astype("str")
                    for column in refs
                }
            )
            if not wanted.equals(new):
                faults.append(Fault(f"表 {name}", "更换代号后与原来不同", "其余内容相同", "核对该表的文件"))
    if faults:
        raise DataError("没有更换密钥：新旧数据不一致", faults)
