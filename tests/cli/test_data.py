from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from tests.cli.calls import Capture, run, told


def test_init_writes_the_same_city_twice_and_spares_a_folder_in_use(tmp_path: Path, capsys: Capture) -> None:
    for name in ("a", "b"):
        assert run("init", "--out", tmp_path / name, "--units", "60", "--seed", "5") == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    capsys.readouterr()
    key = tmp_path / "sample.key"
    assert run("init", "--out", tmp_path / "c", "--units", "60", "--key", key) == 0
    assert key.stat().st_mode & 0o077 == 0
    assert f"示例密钥已写入 {key}" in capsys.readouterr().out
    assert run("init", "--out", tmp_path / "a") == 2
    assert "文件夹不是空的" in told(capsys)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_a_sample_with_events_has_something_to_try_them_on(tmp_path: Path, capsys: Capture) -> None:
    data, streams = tmp_path / "city", tmp_path / "streams"
    asked = ("init", "--out", data, "--units", "60", "--events", streams)
    assert run(*asked) == 0
    assert f"汇总：huanjie events --events {streams} --data {data}" in capsys.readouterr().out
    assert run("events", "--events", streams, "--data", data) == 0
    assert "写入基础数据" in capsys.readouterr().out
    written, reported = (
        pd.read_parquet(data / "tables" / f"{name}.parquet")[["unit_code", "as_of", "metric", "value"]]
        for name in ("facts.events", "facts")
    )
    both = reported.merge(written, on=["unit_code", "as_of", "metric"])
    assert len(both) > 1000
    assert both["value_x"].equals(both["value_y"].rename("value_x")), (
        "the events add up to the sample's facts"
    )
    assert run("init", "--out", tmp_path / "other", "--units", "60", "--events", streams) == 2
    assert f"{streams}：发现“已有内容”" in told(capsys)
    assert not (tmp_path / "other").exists()


def test_check_tells_every_error_and_writes_the_quarantine(
    city: Path, tmp_path: Path, capsys: Capture
) -> None:
    workbook = next((city / "returns").rglob("*.xlsx"))
    book = openpyxl.load_workbook(workbook)
    sheet = book["矛盾摸排"]
    column = next(c.column for row in sheet.iter_rows(max_row=4) for c in row if c.value == "摸排日期")
    sheet.cell(row=sheet.max_row, column=column, value="2026-02-31")
    last = sheet.max_row
    book.save(workbook)
    assert run("check", "--data", city, "--out", tmp_path / "report") == 3
    out = capsys.readouterr().out
    assert f"矛盾摸排，第{last}行，摸排日期：发现“2026-02-31”" in out
    assert (tmp_path / "report" / "quarantine" / "screenings.csv").exists()


def test_a_missing_column_is_named_with_the_heading_expected(
    city: Path, flat: Callable[[str], tuple[pd.DataFrame, Path]], capsys: Capture
) -> None:
    frame, path = flat("screenings")
    frame.drop(columns="screened_on").to_csv(path, index=False)
    assert run("check", "--data", city) == 3
    out = capsys.readouterr().out
    assert "screenings.csv" in out
    assert "摸排日期" in out


def test_an_empty_sheet_is_told(city: Path, capsys: Capture) -> None:
    workbook = next((city / "returns").rglob("*.xlsx"))
    book = openpyxl.load_workbook(workbook)
    position = book.sheetnames.index("矛盾摸排")
    book.remove(book["矛盾摸排"])
    book.create_sheet("矛盾摸排", position)
    book.save(workbook)
    run("check", "--data", city)
    out = capsys.readouterr().out
    assert "矛盾摸排" in out
    assert "空" in out


def test_blank_return_workbooks(small_city: Path, tmp_path: Path, capsys: Capture) -> None:
    townships = pd.read_parquet(small_city / "tables" / "townships.parquet")
    given = ("template", "--data", small_city, "--as-of", "2026-10-31", "--out", tmp_path)
    assert run(*given, "--township", townships["township_code"].iloc[0]) == 0
    assert "已写出 1 份报送表" in capsys.readouterr().out
    assert len(list(tmp_path.rglob("*.xlsx"))) == 1
    assert run(*given, "--township", "远方镇") == 2
    assert "没有这个镇街" in told(capsys)
