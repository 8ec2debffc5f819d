"""The folder of an export: names, digests, what may be overwritten, and the same bytes in another process."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from huanjie_lib.errors import DataError, LedgerError, UsageError
from huanjie_lib.exports import EXPORT_FORMAT, FORMATS, export_run
from huanjie_lib.exports import pack as module
from huanjie_lib.store.run_folder import Run, file_digest
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import Role

NAMES = (
    "选情工作清单_2026-10-31.xlsx",
    "选情地图_2026-10-31.html",
    "选情地图A3_2026-10-31.pdf",
    "选情地图A3_2026-10-31.png",
)


@pytest.fixture(scope="module")
def exported(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "new" / "folder"
    paths = export_run(small_run, out)
    assert [path.name for path in paths] == [*NAMES, "manifest.json"]
    return out


def manifest(out: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return read


def contents(out: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in out.iterdir()}


def test_everything_is_written_and_nothing_else(exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == sorted([*NAMES, "manifest.json"])
    heads = {name: (exported / name).read_bytes()[:8] for name in NAMES}
    assert [heads[name][:4] for name in NAMES] == [b"PK\x03\x04", b"<!DO", b"%PDF", b"\x89PNG"]


def test_manifest_holds_digests_and_where_the_figures_come_from(exported: Path, small_run: Run) -> None:
    read = manifest(exported)
    assert read["format"] == EXPORT_FORMAT
    assert read["as_of"] == "2026-10-31"
    assert read["parameter_version"] == small_run.parameters.version
    assert small_run.path is not None
    run_manifest = (small_run.path / "manifest.json").read_bytes()
    assert read["run_manifest_sha256"] == hashlib.sha256(run_manifest).hexdigest()
    assert read["outputs"] == {
        name: {"sha256": file_digest(exported / name), "bytes": (exported / name).stat().st_size}
        for name in NAMES
    }
    assert read["omitted"] == {}


def test_another_process_gives_the_same_bytes(exported: Path, small_run: Run, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from huanjie_lib.exports import export_run\n"
        "from huanjie_lib.store.run_folder import read_run\n"
        "export_run(read_run(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(small_run.path), str(tmp_path / "again")], check=True)
    assert contents(tmp_path / "again") == contents(exported)


def test_progress_is_told(small_run: Run, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    export_run(small_run, tmp_path, formats=["xlsx"], progress=lambda *step: told.append(step))
    assert told == [("导出文件", 0, 1), ("导出文件", 1, 1)]


def test_formats_can_be_chosen(small_run: Run, tmp_path: Path) -> None:
    paths = export_run(small_run, tmp_path, formats={"html", "xlsx"})
    assert [path.name for path in paths] == [NAMES[0], NAMES[1], "manifest.json"]
    assert FORMATS == ("xlsx", "html", "pdf", "png")


def test_a_workbook_loads_no_map_library(small_run: Run, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from huanjie_lib.exports import export_run\n"
        "from huanjie_lib.store.run_folder import read_run\n"
        "export_run(read_run(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), formats=['xlsx'])\n"
        "print(*sorted({'folium', 'geopandas', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(small_run.path), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == ""


def test_an_earlier_export_is_replaced(small_run: Run, tmp_path: Path) -> None:
    export_run(small_run, tmp_path, formats=["xlsx", "html"])
    before = contents(tmp_path)
    units = small_run.units.assign(unit_name="新名")
    export_run(dataclasses.replace(small_run, units=units), tmp_path, formats=["xlsx"])
    after = contents(tmp_path)
    assert after.keys() == {NAMES[0], "manifest.json"}  # the old map would contradict the new list
    assert after[NAMES[0]] != before[NAMES[0]]


def test_files_of_another_date_stay(small_run: Run, tmp_path: Path) -> None:
    export_run(small_run, tmp_path, formats=["xlsx"])
    export_run(dataclasses.replace(small_run, as_of=dt.date(2026, 11, 30)), tmp_path, formats=["xlsx"])
    assert {path.name for path in tmp_path.iterdir()} == {
        NAMES[0],
        "选情工作清单_2026-11-30.xlsx",
        "manifest.json",
    }


@pytest.mark.parametrize("name", ["报告.docx", "manifest.json"])
def test_a_folder_with_other_files_is_left_alone(name: str, small_run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="导出文件夹里有别的文件"):
        export_run(small_run, tmp_path, formats=["xlsx"])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_run_folder_itself_is_left_alone(small_run: Run) -> None:
    assert small_run.path is not None
    before = contents(small_run.path)
    with pytest.raises(UsageError, match="导出文件夹里有别的文件"):
        export_run(small_run, small_run.path, formats=["xlsx"])
    assert contents(small_run.path) == before


def test_a_file_someone_changed_is_never_overwritten(small_run: Run, tmp_path: Path) -> None:
    export_run(small_run, tmp_path, formats=["xlsx"])
    (tmp_path / NAMES[0]).write_bytes(b"edited by hand")
    with pytest.raises(UsageError, match="不覆盖被改动过的文件") as caught:
        export_run(small_run, tmp_path, formats=["xlsx"])
    assert NAMES[0] in caught.value.faults[0].where
    assert (tmp_path / NAMES[0]).read_bytes() == b"edited by hand"


def test_a_file_of_the_name_that_is_not_ours_is_never_overwritten(small_run: Run, tmp_path: Path) -> None:
    export_run(small_run, tmp_path, formats=["xlsx"])
    (tmp_path / NAMES[1]).write_text("别人的文件", encoding="utf-8")
    with pytest.raises(UsageError, match="不覆盖"):
        export_run(small_run, tmp_path, formats=["html"])


def test_a_path_that_is_a_file_is_refused(small_run: Run, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="不能导出"):
        export_run(small_run, tmp_path / "x", formats=["xlsx"])


def test_a_failed_export_leaves_the_folder_as_it_was(
    small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_run(small_run, tmp_path, formats=["xlsx"])
    before = contents(tmp_path)

    def fail(run: Run, **_: object) -> bytes:
        raise UsageError(f"{len(run.units)} 个")

    monkeypatch.setattr(module, "workbook", fail)
    with pytest.raises(UsageError, match="12 个"):
        export_run(small_run, tmp_path, formats=["xlsx"])
    assert contents(tmp_path) == before


def test_a_file_that_is_open_elsewhere_is_told(
    small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(Path, "replace", locked)
    with pytest.raises(UsageError, match="导出文件写不进去") as caught:
        export_run(small_run, tmp_path, formats=["xlsx"])
    assert NAMES[0] in caught.value.faults[0].where
    assert list(tmp_path.iterdir()) == []


def without_boundaries(run: Run, folder: Path, *, points: bool) -> Run:
    places = {} if points else {"longitude": np.nan, "latitude": np.nan}
    return dataclasses.replace(run, path=folder, units=run.units.assign(**places))


def test_units_with_places_only_are_drawn_as_points(small_run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text("{}", encoding="utf-8")
    run = without_boundaries(small_run, tmp_path / "run", points=True)
    export_run(run, tmp_path / "out", formats=["html"])
    assert "没有位置，未上图" not in (tmp_path / "out" / NAMES[1]).read_text(encoding="utf-8")


def test_without_any_place_the_list_is_written_and_the_maps_are_said_to_be_omitted(
    small_run: Run, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text("{}", encoding="utf-8")
    run = without_boundaries(small_run, tmp_path / "run", points=False)
    paths = export_run(run, tmp_path / "out")
    assert [path.name for path in paths] == [NAMES[0], "manifest.json"]
    assert set(manifest(tmp_path / "out")["omitted"]) == {"html", "pdf", "png"}  # type: ignore[call-overload]
    with pytest.raises(DataError, match="没有边界数据"):
        export_run(run, tmp_path / "map", formats=["png"])


def test_who_exports_stands_in_every_file_and_the_log_has_them_first(small_run: Run, tmp_path: Path) -> None:
    stamp = Stamp("chen", "市换届办", Role.CITY, "换届工作", dt.date(2026, 11, 2))
    seen: dict[str, str] = {}

    def note(files: Mapping[str, bytes]) -> None:
        assert not (tmp_path / "out").exists()
        seen.update({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})

    formats = ("xlsx", "html", "pdf")
    paths = export_run(small_run, tmp_path / "out", formats=formats, stamp=stamp, noted=note)
    assert seen == {path.name: file_digest(path) for path in paths[:-1]}
    book, page, printed, _ = paths
    for sheet in openpyxl.load_workbook(book):
        assert stamp.text in sheet.oddHeader.right.text
    assert stamp.text in page.read_text(encoding="utf-8")
    (plain, _) = export_run(small_run, tmp_path / "plain", formats=["pdf"])
    assert len(printed.read_bytes()) > len(plain.read_bytes())  # one line more is drawn
    read = manifest(tmp_path / "out")
    assert read["exported"] == stamp.entry
    assert {frozenset(one) for one in read["inputs"]} <= {frozenset({"sha256", "bytes"})}  # type: ignore[attr-defined]
    again = export_run(small_run, tmp_path / "again", formats=formats, stamp=stamp)
    assert [file_digest(path) for path in again] == [file_digest(path) for path in paths]


def test_what_the_log_refuses_is_not_handed_out(small_run: Run, tmp_path: Path) -> None:
    def refuse(_: Mapping[str, bytes]) -> None:
        raise LedgerError("不能登记", [])

    with pytest.raises(LedgerError):
        export_run(small_run, tmp_path / "out", formats=["xlsx"], noted=refuse)
    assert not (tmp_path / "out").exists()
