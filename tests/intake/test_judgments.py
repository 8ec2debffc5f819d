from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from huanjie_lib.errors import DataError, ParameterError
from huanjie_lib.intake.judgments import JUDGMENTS_FILE, read_judgments
from huanjie_lib.parameters import load_parameters

FRAMEWORK = load_parameters().framework
LABELS = [d.label for d in FRAMEWORK.dimensions]
LINES = [f"专家1,{a},{b},1" for a, b in itertools.combinations(LABELS, 2)]


def file(
    folder: Path, lines: list[str], *, heading: str = "专家,维度,对比维度,倍数", encoding: str = "utf-8"
) -> Path:
    path = folder / JUDGMENTS_FILE
    path.write_bytes("\r\n".join([heading, *lines, ""]).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_equal_judgments_give_equal_weights_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    group = read_judgments(file(tmp_path, LINES, encoding=encoding), FRAMEWORK)
    assert group.merged.weights.tolist() == pytest.approx([1 / 7] * 7)
    assert group.merged.weights.index.tolist() == LABELS


def test_blank_rows_and_further_columns_are_passed_by(tmp_path: Path) -> None:
    lines = [",,,,", *(f"理由,{line}" for line in LINES), ",,,,"]
    group = read_judgments(file(tmp_path, lines, heading="备注,专家,维度,对比维度,倍数"), FRAMEWORK)
    assert list(group.people) == ["专家1"]


def test_a_fault_is_told_by_its_row_in_the_file(tmp_path: Path) -> None:
    path = file(tmp_path, ["", LINES[0].replace(",1", ",很多"), *LINES[1:]])
    with pytest.raises(ParameterError, match=r"judgments\.csv：第 3 行，倍数：发现“很多”"):
        read_judgments(path, FRAMEWORK)


def test_a_missing_file_and_a_missing_column_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="没有这个文件"):
        read_judgments(tmp_path / "nothing.csv", FRAMEWORK)
    with pytest.raises(DataError, match="应为：专家、维度、对比维度、倍数"):
        read_judgments(file(tmp_path, LINES, heading="专家,甲,乙,倍数"), FRAMEWORK)
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    with pytest.raises(DataError, match="判断表缺少列"):
        read_judgments(empty, FRAMEWORK)
