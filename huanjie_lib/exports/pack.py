"""Writing the files that are handed out, each with its digest in a manifest."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.store.manifest import file_digest

__all__ = [
    "Noted",
    "Progress",
    "checked_formats",
    "earlier_export",
    "is_as_left",
    "made_in_turn",
    "outputs_entry",
    "put_export",
    "put_files",
    "stale_files",
]

Progress = Callable[[str, int, int], None]
Noted = Callable[[Mapping[str, bytes]], None]

_MANIFEST: Final = "manifest.json"


def checked_formats(formats: Collection[str] | None, known: Sequence[str], summary: str) -> tuple[str, ...]:
    """Return the formats asked for in the order of those known, all when omitted.

    Raises
    ------
    UsageError
        With the summary, if one is not known.
    """
    unknown = sorted(set(formats or ()) - set(known))
    if unknown:
        faults = [Fault("formats", kind, "、".join(known), "改为其中的一种或几种") for kind in unknown]
        raise UsageError(summary, faults)
    return tuple(kind for kind in known if formats is None or kind in formats)


def made_in_turn(
    makers: Mapping[str, Callable[[], bytes]],
    label: str,
    progress: Progress | None,
    *,
    processes: int = 1,
) -> dict[str, bytes]:
    """Return the files that makers make, by name, telling before each and at the end how far it has come.

    With more than one process, makers must be picklable; equal makers give equal bytes in each.
    """
    told = progress or _silent
    made: dict[str, bytes] = {}
    with ExitStack() as stack:
        if processes > 1 and len(makers) > 1:
            pool = ProcessPoolExecutor(min(processes, len(makers)), mp_context=get_context("spawn"))
            stack.enter_context(pool)
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)  # one that fails ends the rest
            makers = {name: pool.submit(make).result for name, make in makers.items()}
        for step, (name, make) in enumerate(makers.items()):
            told(label, step, len(makers))
            made[name] = make()
    told(label, len(makers), len(makers))
    return made


def _silent(label: str, step: int, total: int) -> None:
    del label, step, total


def outputs_entry(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of files: digest and size by name."""
    return {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
    }


def earlier_export(out: Path, names: Iterable[str], *, kind: str) -> dict[str, Any]:
    """Return the manifest of the earlier export in a folder, if any.

    Parameters
    ----------
    out
        The folder.
    names
        Files that are about to be written there.
    kind
        The ``format`` that the manifest of an earlier export of this kind names.

    Raises
    ------
    UsageError
        If the folder is not new, empty or of an earlier export, or a file to be written stands there and is
        not as the earlier export left it.
    """
    if out.exists() and not out.is_dir():
        raise UsageError("不能导出", [Fault("--out", f"{out} 是文件", "文件夹", "换一个文件夹")])
    if not out.exists() or not any(out.iterdir()):
        return {}
    manifest = _read_manifest(out / _MANIFEST)
    if manifest.get("format") != kind:
        raise UsageError(
            "导出文件夹里有别的文件",
            [Fault("--out", str(out), "空文件夹、新文件夹或上次导出的文件夹", "换一个文件夹")],
        )
    faults = [
        Fault(
            str(out / name), "文件已被改动或不是导出的", "上次导出的原样文件", "先移走该文件，或换一个文件夹"
        )
        for name in names
        if (out / name).exists() and not is_as_left(out, name, manifest)
    ]
    if faults:
        raise UsageError("不覆盖被改动过的文件", faults)
    return manifest


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def is_as_left(out: Path, name: str, manifest: Mapping[str, Any]) -> bool:
    """Tell whether a file of a folder is as the export of its manifest left it."""
    entry = manifest.get("outputs", {}).get(name)
    return entry is not None and (out / name).is_file() and file_digest(out / name) == entry["sha256"]


def stale_files(out: Path, earlier: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[Path]:
    """Return the files of the earlier export of the same date that this one does not write again."""
    if earlier.get("as_of") != manifest["as_of"]:
        return []
    rest = [name for name in earlier["outputs"] if name not in manifest["outputs"]]
    return [out / name for name in rest if is_as_left(out, name, earlier)]


def put_export(
    out: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any], stale: Sequence[Path]
) -> list[Path]:
    """Put the files of an export in their places, as :func:`put_files` does, its manifest last.

    Returns
    -------
    list of Path
        The files written, the manifest last.
    """
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    put_files(out, {**files, _MANIFEST: text.encode()}, stale)
    return [out / name for name in (*files, _MANIFEST)]


def put_files(out: Path, files: Mapping[str, bytes], stale: Sequence[Path]) -> None:
    """Write files beside their places, then move them there in order; a name may be in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as folder:
        for name, data in files.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(data)
        try:
            for path in stale:
                path.unlink()
            for name in files:
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).replace(out / name)
        except PermissionError as error:
            raise UsageError(
                "导出文件写不进去",
                [
                    Fault(
                        str(error.filename),
                        "没有写入权限，或正被其他程序打开",
                        "可以写入的文件",
                        "关闭打开它的程序后重试",
                    )
                ],
            ) from error
