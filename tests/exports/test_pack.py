"""The folder of an export: what may be overwritten, what goes, and the same files from several processes."""

from __future__ import annotations

import hashlib
import json
import time
from functools import partial
from pathlib import Path

import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.exports.pack import (
    checked_formats,
    earlier_export,
    is_as_left,
    made_in_turn,
    outputs_entry,
    put_files,
    stale_files,
)

KIND = "made/1"


def export(out: Path, files: dict[str, bytes], *, as_of: str = "2026-10-31") -> None:
    """Write files as an export does."""
    earlier = earlier_export(out, files, kind=KIND)
    manifest = {"format": KIND, "as_of": as_of, "outputs": outputs_entry(files)}
    stale = stale_files(out, earlier, manifest)
    put_files(out, {**files, "manifest.json": json.dumps(manifest).encode()}, stale)


def contents(out: Path) -> dict[str, bytes]:
    """Return the files of a folder, but the manifest, by their path in it."""
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "manifest.json"}


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def refuse(text: str) -> bytes:
    raise UsageError(text, [])


def test_files_are_written_in_folders_too_and_the_manifest_last(tmp_path: Path) -> None:
    export(tmp_path / "new" / "pack", {"a.txt": b"1", "plans/b.txt": b"2"})
    assert contents(tmp_path / "new" / "pack") == {"a.txt": b"1", "plans/b.txt": b"2"}
    manifest = json.loads((tmp_path / "new" / "pack" / "manifest.json").read_text())
    assert manifest["outputs"]["plans/b.txt"] == {"sha256": hashlib.sha256(b"2").hexdigest(), "bytes": 1}
    assert is_as_left(tmp_path / "new" / "pack", "plans/b.txt", manifest)
    assert not is_as_left(tmp_path / "new" / "pack", "plans/c.txt", manifest)


def test_an_earlier_export_of_the_date_is_replaced_and_what_it_had_more_goes(tmp_path: Path) -> None:
    export(tmp_path, {"a.txt": b"1", "plans/b.txt": b"2", "plans/c.txt": b"3"})
    (tmp_path / "plans" / "c.txt").write_bytes(b"filled in")
    export(tmp_path, {"a.txt": b"4"})
    assert contents(tmp_path) == {"a.txt": b"4", "plans/c.txt": b"filled in"}


def test_files_of_another_date_stay(tmp_path: Path) -> None:
    export(tmp_path, {"a.txt": b"1"})
    export(tmp_path, {"b.txt": b"2"}, as_of="2026-11-30")
    assert contents(tmp_path) == {"a.txt": b"1", "b.txt": b"2"}


@pytest.mark.parametrize("name", ["报告.docx", "manifest.json"])
def test_a_folder_with_other_files_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="导出文件夹里有别的文件"):
        export(tmp_path, {"a.txt": b"1"})
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="不能导出"):
        export(tmp_path / "x", {"a.txt": b"1"})


@pytest.mark.parametrize("name", ["a.txt", "plans/b.txt"])
def test_a_file_someone_changed_is_never_overwritten(name: str, tmp_path: Path) -> None:
    export(tmp_path, {"a.txt": b"1", "plans/b.txt": b"2"})
    (tmp_path / name).write_bytes(b"edited by hand")
    with pytest.raises(UsageError, match="不覆盖被改动过的文件") as caught:
        export(tmp_path, {"a.txt": b"3", "plans/b.txt": b"4"})
    assert [Path(fault.where).name for fault in caught.value.faults] == [Path(name).name]
    assert (tmp_path / name).read_bytes() == b"edited by hand"


def test_a_file_of_the_name_that_is_not_ours_is_never_overwritten(tmp_path: Path) -> None:
    export(tmp_path, {"a.txt": b"1"})
    (tmp_path / "b.txt").write_text("别人的文件", encoding="utf-8")
    with pytest.raises(UsageError, match="不覆盖"):
        export(tmp_path, {"b.txt": b"2"})


def test_a_file_that_is_open_elsewhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(Path, "replace", locked)
    with pytest.raises(UsageError, match="导出文件写不进去") as caught:
        export(tmp_path, {"a.txt": b"1"})
    assert "a.txt" in caught.value.faults[0].where
    assert list(tmp_path.iterdir()) == []


def test_formats_keep_their_order_and_unknown_ones_are_refused() -> None:
    assert checked_formats(None, ("a", "b"), "没有") == ("a", "b")
    assert checked_formats({"b", "a"}, ("a", "b"), "没有") == ("a", "b")
    with pytest.raises(UsageError, match="没有这种"):
        checked_formats(["c"], ("a", "b"), "没有这种格式")


def test_several_processes_make_the_same_files_and_tell_the_same_steps() -> None:
    makers = {name: partial(digest, name) for name in ("a", "b", "c")}
    alone: list[tuple[str, int, int]] = []
    together: list[tuple[str, int, int]] = []
    made = made_in_turn(makers, "制作", lambda *step: alone.append(step))
    assert made == {name: digest(name) for name in "abc"}
    again = made_in_turn(makers, "制作", lambda *step: together.append(step), processes=2)
    assert again == made
    assert list(again) == ["a", "b", "c"]
    assert together == alone == [("制作", step, 3) for step in range(4)]


def test_what_fails_in_another_process_is_told_and_ends_the_rest() -> None:
    slow = {f"slow{n}": partial(time.sleep, 0.2) for n in range(200)}
    began = time.monotonic()
    with pytest.raises(UsageError, match="写不出"):
        made_in_turn({"bad": partial(refuse, "写不出"), **slow}, "制作", None, processes=2)
    assert time.monotonic() - began < 20
