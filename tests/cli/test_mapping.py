from pathlib import Path

import openpyxl
import pandas as pd
import yaml

from tests.cli.calls import Capture, run, told


def test_headings_of_a_township_from_proposal_to_use(city: Path, capsys: Capture) -> None:
    path = min((city / "returns").rglob("*换届数据报送表*.xlsx"))
    for other in (*(city / "returns").rglob("*.*"), *(city / "tables").iterdir()):
        if other != path and other.stem not in ("units", "townships"):
            other.unlink()  # what is left is enough here
    book = openpyxl.load_workbook(path)
    sheet = book["矛盾摸排"]
    (cell,) = [c for c in sheet[3] if str(c.value).startswith("走访户数")]
    cell.value = "进了多少户"
    book.save(path)
    out = city / "mappings"
    assert run("mapping", "propose", "--data", city, "--out", out) == 0
    (made,) = out.glob("*.yaml")
    content = yaml.safe_load(made.read_text(encoding="utf-8"))
    assert [c["heading"] for s in content["sheets"] for c in s["columns"]] == ["进了多少户"]
    assert "1 个不认得的列标题" in capsys.readouterr().out
    assert run("mapping", "confirm", "--file", made, "--by", "wang") == 3
    assert "“进了多少户”还没有写明意思" in told(capsys)
    content["sheets"][0]["columns"][0]["means"] = "households_visited"
    made.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    assert run("mapping", "confirm", "--file", made, "--by", "wang", "--on", "2026-11-05") == 0
    run("check", "--data", city, "--out", city.parent / "report")
    report = pd.read_csv(city.parent / "report" / "report.csv", encoding="utf-8-sig")
    notes = report.loc[report["发现"].str.startswith("按栏目对照"), "处理办法"]
    assert notes.str.contains("wang 于 2026-11-05 确认").tolist() == [True]
