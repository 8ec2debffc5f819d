"""Writing the files that are handed out, each with its digest in a manifest."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from huanjie_lib import __version__
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.exports.workbook import workbook
from huanjie_lib.store.run_folder import Run, file_digest
from huanjie_lib.views.stamp import Stamp

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

__all__ = [
    "EXPORT_FORMAT",
    "FORMATS",
    "Noted",
    "checked_formats",
    "earlier_export",
    "export_run",
    "is_as_left",
    "made_in_turn",
    "outputs_entry",
    "put_files",
    "stale_files",
]

EXPORT_FORMAT: Final = "huanjie-export/1"

Progress = Callable[[str, int, int], None]
Noted = Callable[[Mapping[str, bytes]], None]

_NAMES: Final[dict[str, str]] = {
    "xlsx": "选情工作清单_{as_of}.xlsx",
    "html": "选情地图_{as_of}.html",
    "pdf": "选情地图A3_{as_of}.pdf",
    "png": "选情地图A3_{as_of}.png",
}
_MAPS: Final = ("html", "pdf", "png")
_MANIFEST: Final = "manifest.json"

FORMATS: Final[tuple[str, ...]] = tuple(_NAMES)
"""Formats that can be asked for, in the order they are written."""


def export_run(
    run: Run,
    out: Path,
    *,
    formats: Collection[str] | None = None,
    stamp: Stamp | None = None,
    noted: Noted | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the files of a run into a folder.

    Files are made first and put in their places only when all are there, the manifest last: an export that
    fails leaves the folder as it was. Equal runs and stamps give equal bytes.

    Parameters
    ----------
    run
        A run read from its folder.
    out
        A new or empty folder, or one that holds an earlier export. A file of an earlier export that someone
        has changed since is never overwritten.
    formats
        Some of :data:`FORMATS`. When omitted, all of them; but where no unit has a boundary or a place there
        is no map to draw, and the manifest says so under ``omitted``.
    stamp
        Who exports, in which role, for what and when: it stands on every page, and in the manifest.
    noted
        Called with the files, by name, before any is put in its place: the access log has them first.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Returns
    -------
    list of Path
        The files written, the manifest last.

    Raises
    ------
    UsageError
        If a format is unknown, the folder holds anything else than an earlier export, or a file in it was
        changed or is open in another program.
    DataError
        If a map is asked for by name and no unit has a boundary or a place.

    Examples
    --------
    >>> export_run(None, Path("x"), formats=["doc"])
    Traceback (most recent call last):
    ...
    huanjie_lib.errors.UsageError: 没有这种导出格式（共 1 处问题）
      1. formats：发现“doc”；应为：xlsx、html、pdf、png；处理办法：改为其中的一种或几种。
    """
    wanted = checked_formats(formats, FORMATS, "没有这种导出格式")
    omitted: dict[str, str] = {}
    if formats is None and not _has_places(run):
        wanted = tuple(kind for kind in wanted if kind not in _MAPS)
        omitted = dict.fromkeys(_MAPS, "村（社区）没有边界和坐标，不能制图")
    names = {kind: _NAMES[kind].format(as_of=run.as_of.isoformat()) for kind in wanted}
    earlier = earlier_export(out, names.values())
    makers = _makers(run, stamp)
    made = made_in_turn({name: makers[kind] for kind, name in names.items()}, "导出文件", progress)
    manifest = {
        "format": EXPORT_FORMAT,
        "as_of": run.as_of.isoformat(),
        "code_version": __version__,
        "parameter_version": run.parameters.version,
        "run_manifest_sha256": None if run.path is None else file_digest(run.path / _MANIFEST),
        "outputs": outputs_entry(made),
        "omitted": omitted,
        "exported": None if stamp is None else stamp.entry,
        "inputs": [
            {name: one[name] for name in ("sha256", "bytes")} for one in run.manifest.get("inputs", ())
        ],
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    stale = stale_files(out, earlier, manifest)
    if noted is not None:
        noted(made)
    put_files(out, {**made, _MANIFEST: text.encode()}, stale)
    return [out / name for name in (*made, _MANIFEST)]


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
    makers: Mapping[str, Callable[[], bytes]], label: str, progress: Progress | None
) -> dict[str, bytes]:
    """Return the files that makers make, by name, telling before each and at the end how far it has come."""
    made: dict[str, bytes] = {}
    for step, (name, make) in enumerate(makers.items()):
        if progress is not None:
            progress(label, step, len(makers))
        made[name] = make()
    if progress is not None:
        progress(label, len(makers), len(makers))
    return made


def outputs_entry(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of files: digest and size by name."""
    return {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
    }


def _makers(run: Run, stamp: Stamp | None) -> dict[str, Callable[[], bytes]]:
    """Return what makes each format; a map is imported and drawn only when it is asked for, and once."""

    @cache
    def sheet() -> Figure:
        from huanjie_lib.views.fonts import register_matplotlib
        from huanjie_lib.views.print_map import print_map

        figure = print_map(run, _boundaries(run))
        if stamp is not None:
            look: dict[str, Any] = {"fontsize": 7, "color": "#5a6472", "fontfamily": register_matplotlib()}
            figure.text(0.99, 0.004, stamp.text, ha="right", va="bottom", parse_math=False, **look)
        return figure

    def page() -> bytes:
        from huanjie_lib.views.folium_map import folium_map, standalone_html

        return standalone_html(folium_map(run, _boundaries(run), stamp=stamp)).encode()

    def printed(kind: Literal["pdf", "png"]) -> bytes:
        from huanjie_lib.views.print_map import render

        return render(sheet(), kind)

    return {
        "xlsx": lambda: workbook(run, stamp=stamp),
        "html": page,
        "pdf": lambda: printed("pdf"),
        "png": lambda: printed("png"),
    }


def _has_boundaries(run: Run) -> bool:
    return run.path is not None and (run.path / "boundaries.parquet").exists()


def _has_places(run: Run) -> bool:
    points = run.units[["longitude", "latitude"]].notna().all(axis=1).any()
    return bool(points) or (_has_boundaries(run) and bool(run.boundaries().geometry.notna().any()))


def _boundaries(run: Run) -> gpd.GeoDataFrame:
    """Return the boundaries; none where units have places only."""
    if not _has_boundaries(run) and _has_places(run):
        import geopandas as gpd

        return gpd.GeoDataFrame({"unit_code": []}, geometry=[], crs=4490)
    return run.boundaries()


def earlier_export(out: Path, names: Iterable[str], *, kind: str = EXPORT_FORMAT) -> dict[str, Any]:
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
        if (out / name).exists() and not is_as_left(out / name, manifest)
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


def is_as_left(path: Path, manifest: Mapping[str, Any]) -> bool:
    """Tell whether a file is as the export of a manifest left it."""
    entry = manifest.get("outputs", {}).get(path.name)
    return entry is not None and path.is_file() and file_digest(path) == entry["sha256"]


def stale_files(out: Path, earlier: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[Path]:
    """Return the files of the earlier export of the same date that this one does not write again."""
    if earlier.get("as_of") != manifest["as_of"]:
        return []
    rest = [out / name for name in earlier["outputs"] if name not in manifest["outputs"]]
    return [path for path in rest if is_as_left(path, earlier)]


def put_files(out: Path, files: Mapping[str, bytes], stale: Sequence[Path]) -> None:
    """Write files beside their places, then move them there in order."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        try:
            for path in stale:
                path.unlink()
            for name in files:
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
