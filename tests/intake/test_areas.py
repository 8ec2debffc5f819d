"""Units and townships are read alone, by the same checks as with everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.intake.areas import read_areas


def test_the_areas_are_those_of_the_whole(folder: Any) -> None:
    units, townships = read_areas(folder.path)
    whole = folder.read().tables
    assert units["unit_code"].tolist() == sorted(whole["units"]["unit_code"])
    assert townships["township_name"].tolist() == whole["townships"]["township_name"].tolist()


def test_what_is_missing_is_told(folder: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="没有这个数据文件夹"):
        read_areas(tmp_path / "nowhere")
    folder.csv("tables/units.csv", [["unit_code", "unit_name"], ["990101101201", "上云村"]])
    with pytest.raises(DataError, match="没有可用的村\\(社区\\)名录"):
        read_areas(folder.path)
    (folder.path / "tables" / "townships.csv").unlink()
    with pytest.raises(DataError, match="没有可用的镇街名录"):
        read_areas(folder.path)
