from pathlib import Path

import pandas as pd

from tests.cli.calls import Capture, run, told


def test_changes_of_code_from_two_lists(tmp_path: Path, capsys: Capture) -> None:
    head, old, new = "区划代码,名称\n", tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(f"{head}990101101201,上云村\n990101101202,柳湾村\n", encoding="utf-8")
    new.write_text(f"{head}990101101231,上云村\n990101101232,柳湾社区\n", encoding="utf-8")
    out = tmp_path / "crosswalk.csv"
    given = ("--old", old, "--new", new, "--effective-on", "2027-01-01", "--out", out)
    assert run("crosswalk", "propose", *given) == 0
    assert "变更代码 2 行" in capsys.readouterr().out
    assert run("crosswalk", "propose", *given) == 2
    assert run("crosswalk", "confirm", "--file", out, "--by", "wang") == 2
    assert "二者之一" in told(capsys)
    assert run("crosswalk", "confirm", "--file", out, "--by", "wang", "--rows", "2;3") == 2
    assert "2-5,8" in told(capsys)
    confirm = ("crosswalk", "confirm", "--file", out, "--by", "wang", "--on", "2027-02-01")
    assert run(*confirm, "--rows", "3") == 0
    rows = pd.read_csv(out, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    assert rows["确认人"].tolist() == ["", "wang"]
    assert run(*confirm, "--all") == 0
    assert "已确认 1 行" in capsys.readouterr().out
