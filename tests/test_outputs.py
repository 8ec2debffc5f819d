"""What is written never goes over what stands, and every refusal says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.outputs import require_new_files, require_new_folder, require_outside


def test_a_new_folder_and_an_empty_one_are_let_through(tmp_path: Path) -> None:
    require_new_folder(tmp_path / "a" / "b", refused="没有写出")
    require_new_folder(tmp_path, refused="没有写出")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", [".hidden", "folder/"])
def test_a_folder_that_holds_anything_is_refused(tmp_path: Path, inside: str) -> None:
    if inside.endswith("/"):
        (tmp_path / inside).mkdir()
    else:
        (tmp_path / inside).touch()
    with pytest.raises(UsageError) as refused:
        require_new_folder(tmp_path, refused="没有写出")
    assert refused.value.summary == "没有写出：文件夹不是空的"
    allowed = "还不存在的或空的文件夹"
    assert refused.value.faults == (Fault(str(tmp_path), "已有内容", allowed, "换一个文件夹"),)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(UsageError, match="没有写出：不是文件夹") as refused:
        require_new_folder(tmp_path / "a", refused="没有写出")
    assert refused.value.faults[0].found == "同名的文件"


def test_files_that_stand_are_refused_and_the_first_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:02d}" for number in range(30)]
    require_new_files(paths, refused="没有写出")
    for path in paths[5:]:
        path.touch()
    with pytest.raises(UsageError, match="没有写出：不覆盖已有的文件") as refused:
        require_new_files(paths, refused="没有写出")
    assert [fault.where for fault in refused.value.faults] == [str(path) for path in paths[5:25]]


def test_results_lie_outside_the_data_they_are_made_from(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "file").touch()
    require_outside(data, tmp_path / "data2", what="评估文件夹")
    require_outside(data, tmp_path, what="评估文件夹")
    for inside in (data, data / "runs" / "new", data / ".." / "data"):
        with pytest.raises(UsageError, match="不能写在数据文件夹里"):
            require_outside(data, inside, what="评估文件夹")
    with pytest.raises(UsageError, match="结果不能写成文件"):
        require_outside(data, tmp_path / "file", what="评估文件夹")
