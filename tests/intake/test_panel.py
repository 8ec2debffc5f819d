"""Panels as they come: encodings, separators, codes that keep their digits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.intake.panel import read_panel

ROWS = "村,届 ,投票率\n012345678901,2018,0.7\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("mark", [",", "\t"])
def test_codes_keep_their_digits_in_any_encoding(tmp_path: Path, encoding: str, mark: str) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(ROWS.replace(",", mark).encode(encoding))
    table = read_panel(path, text=("村",))
    assert table.columns.tolist() == ["村", "届", "投票率"]
    assert table["村"].tolist() == ["012345678901"]
    assert table["投票率"].tolist() == [0.7]


def test_parquet_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "h.parquet"
    pd.DataFrame({"村": [12], "届": [2018]}).to_parquet(path)
    assert read_panel(path, text=("村", "无")).to_dict("list") == {"村": ["12"], "届": [2018]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("h.csv", b"", "损坏或不合规"),
        ("h.csv", "村,届\n".encode(), "没有数据行"),
        ("h.csv", b'a,b\n"1,2\n1,2,3,4\n', "损坏或不合规"),
        ("h.parquet", b"no", "损坏或不合规"),
        ("h.csv", b"\xff\xff\x00\x00", "不是文本"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_panel(tmp_path / name)
