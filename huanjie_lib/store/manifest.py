"""Folders of tables with a manifest: what each was made from and the digest of every file in it.

Runs of the risk and of the talent side lie in such folders. The manifest is written last and goes first, so
that a folder without one is unfinished; nothing in it is a clock time, so that equal inputs give equal bytes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import ParameterSet

__all__ = [
    "MANIFEST",
    "PARAMETERS",
    "about_run",
    "file_digest",
    "read_whole",
    "write_manifest",
    "write_parameters",
    "write_tables",
]

MANIFEST: Final = "manifest.json"
PARAMETERS: Final = "parameters.json"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def about_run(parameters: ParameterSet, *, as_of: dt.date, code_version: str) -> dict[str, Any]:
    """Return what every manifest tells of the run that it belongs to."""
    return {
        "as_of": as_of.isoformat(),
        "code_version": code_version,
        "parameter_version": parameters.version,
        "parameter_digest": parameters.digest,
        "region": parameters.region,
    }


def write_tables(out: Path, frames: Mapping[Path, pd.DataFrame]) -> dict[str, dict[str, Any]]:
    """Write tables as Parquet, by their places in a folder; return number of rows and digest of each."""
    outputs = {}
    for place, frame in frames.items():
        path = out / place
        path.parent.mkdir(exist_ok=True)
        frame.to_parquet(path, index=False, compression="zstd")
        outputs[place.as_posix()] = {"rows": len(frame), "sha256": file_digest(path)}
    return outputs


def write_parameters(out: Path, parameters: ParameterSet) -> dict[str, dict[str, Any]]:
    """Write the resolved parameters into a folder; return their line of the manifest."""
    path = out / PARAMETERS
    path.write_text(parameters.canonical_json() + "\n", encoding="utf-8")
    return {path.name: {"rows": None, "sha256": file_digest(path)}}


def write_manifest(out: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a folder; equal manifests give equal bytes."""
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True)
    (out / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_whole(
    path: Path, tables: Iterable[str], *, kind: str, form: str, command: str, remedy: str
) -> dict[str, Any]:
    """Read the manifest of a folder, after checking that the folder is complete; no table is read.

    Parameters
    ----------
    path
        The folder.
    tables
        Tables that it holds.
    kind
        What such a folder is called, such as ``评估文件夹``.
    form
        The ``format`` that its manifest names.
    command
        What writes it.
    remedy
        What to do where it is none.

    Raises
    ------
    DataError
        If a file is lacking, or the manifest is of another format or cannot be read.
    """
    faults = [
        Fault(str(path), f"缺少 {name}", f"由 {command} 写出的{kind}", remedy)
        for name in (MANIFEST, PARAMETERS, *(f"{table}.parquet" for table in tables))
        if not (path / name).exists()
    ]
    if faults:
        raise DataError(f"不是一个{kind}", faults)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except ValueError:
        manifest = None
    found = manifest.get("format") if isinstance(manifest, dict) else "不能解析的内容"
    if found != form:
        fault = Fault(MANIFEST, str(found), form, f"用当前版本重新运行 {command}")
        raise DataError(f"{kind}的格式不对", [fault])
    return dict(manifest)
