"""Where a command may write: in a new or empty folder, a file not there yet, and never within the data.

Whoever writes asks here first, before anything is computed, so that all refusals say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from huanjie_lib.errors import Fault, UsageError

__all__ = ["require_new_files", "require_new_folder", "require_outside"]

_LISTED: Final = 20
"""Files named in a refusal; a city has hundreds of returns."""


def require_new_folder(folder: Path, *, refused: str) -> None:
    """Refuse to write a folder where one with anything in it stands, or a file.

    Parameters
    ----------
    folder
        The folder to be written.
    refused
        What was not done, in a few words, such as ``没有写出快照``.

    Raises
    ------
    UsageError
        If it is a file, or holds anything already.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     require_new_folder(Path(place), refused="没有恢复")
    ...     require_new_folder(Path(place) / "new", refused="没有恢复")
    ...     _ = (Path(place) / "a").write_bytes(b"")
    ...     try:
    ...         require_new_folder(Path(place), refused="没有恢复")
    ...     except UsageError as error:
    ...         print(str(error).replace(place, "D:/台账"))
    没有恢复：文件夹不是空的（共 1 处问题）
      1. D:/台账：发现“已有内容”；应为：还不存在的或空的文件夹；处理办法：换一个文件夹。
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        why, found = "不是文件夹", "同名的文件"
    elif any(folder.iterdir()):
        why, found = "文件夹不是空的", "已有内容"
    else:
        return
    fault = Fault(str(folder), found, "还不存在的或空的文件夹", "换一个文件夹")
    raise UsageError(f"{refused}：{why}", [fault])


def require_new_files(paths: Iterable[Path], *, refused: str) -> None:
    """Refuse to write files where anything stands already.

    Parameters
    ----------
    paths
        The files to be written.
    refused
        What was not done, in a few words.

    Raises
    ------
    UsageError
        If one of them is there already; the first twenty are named.
    """
    taken = [path for path in paths if path.exists()]
    if taken:
        remedy = "换一个位置，或先移走它"
        faults = [Fault(str(path), "已有的文件", "还没有的文件", remedy) for path in taken[:_LISTED]]
        raise UsageError(f"{refused}：不覆盖已有的文件", faults)


def require_outside(data: Path, out: Path, *, what: str) -> None:
    """Refuse to write a folder within the data folder that it is made from, or over a file.

    Parameters
    ----------
    data
        The data folder.
    out
        The folder to be written; it may stand already.
    what
        What the folder is called, such as ``评估文件夹``.

    Raises
    ------
    UsageError
        If ``out`` is the data folder, lies in it, or is a file.
    """
    if out.resolve().is_relative_to(data.resolve()):
        fault = Fault(what, str(out), "数据文件夹以外的文件夹", "换一个文件夹")
        raise UsageError("结果不能写在数据文件夹里", [fault])
    if out.is_file():
        raise UsageError("结果不能写成文件", [Fault(what, str(out), "一个文件夹", "换一个文件夹")])
