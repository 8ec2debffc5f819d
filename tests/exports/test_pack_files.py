"""Every file of the pack, opened as a reader opens it: its figures, its form, and how it looks on paper.

Figures are read back out of each file and compared with the tables of the run folder, not with the meeting
that the files were made from. Office files are held against the schemas of ECMA-376, and printed by
LibreOffice.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Final

import docx
import numpy as np
import openpyxl
import pandas as pd
import pytest
from PIL import Image
from pptx import Presentation

from huanjie_lib.exports.briefing import PORTRAIT_MM, Table, Text
from huanjie_lib.exports.briefing_pdf import briefing_pdf
from huanjie_lib.exports.standalone import unpack
from huanjie_lib.views.fonts import missing_glyphs
from tests.meetings import STAMP, casework, last_run, whole_briefing, whole_pack, whole_run
from tests.ooxml import schema_faults

printed = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("soffice", "pdftotext", "pdftoppm", "pdffonts")),
    reason="LibreOffice or poppler is not installed",
)

OFFICE = ("xlsx", "ledgers", "docx", "pptx", "plan")
LEVELS = {"red": "红色", "yellow": "黄色", "green": "绿色"}


# --- the run's own tables ---------------------------------------------------------------------------------

Figures = dict[str, Any]


def table(name: str) -> pd.DataFrame:
    """Return a table of the run folder."""
    folder = whole_run().path
    assert folder is not None
    return pd.read_parquet(folder / f"{name}.parquet")


@cache
def wanted() -> Figures:
    """Return what the files should say, from the tables of the run folder and the cases alone."""
    index, units = table("index"), table("units")
    rows = index.merge(units, on="unit_code")
    now, before = index["level"].value_counts(), last_run().index["level"].value_counts()
    passes = table("gates").assign(ok=lambda f: f["status"] == "pass").groupby("unit_code")["ok"].all()
    gates = table("gates").groupby(["gate", "status"]).size().unstack(fill_value=0)
    pack = whole_run().parameters.gates
    assert pack is not None
    grouped = rows.groupby("township_name")
    league = pd.DataFrame({"units": grouped.size(), "mean": grouped["index"].mean()})
    for level in LEVELS:
        league[level] = grouped["level"].agg(lambda column, one=level: (column == one).sum())
    reds = rows[rows["level"] == "red"].sort_values(["index", "unit_code"])
    audit = table("ledgers/audit_coverage")
    city = audit[audit["level"] == "city"].iloc[0]
    screened = table("ledgers/conflict_coverage").query("level == 'city'").iloc[0]
    cases = casework()[0]
    cases = cases[~cases["restricted"].astype("bool")]
    return {
        "counts": {label: (int(now.get(one, 0)), int(before.get(one, 0))) for one, label in LEVELS.items()},
        "to_verify": int(index["to_verify"].sum()),
        "contested": int(table("uncertainty")["contested"].sum()),
        "admitted": int(passes.sum()),
        "mean": f"{index['index'].mean():.1f}",
        "league": [
            (str(name), *(int(row[one]) for one in ("units", *LEVELS)), f"{row['mean']:.1f}")
            for name, row in league.sort_values("mean").iterrows()
        ],
        "gates": {
            gate.label: tuple(int(gates.at[gate.id, one]) for one in ("pass", "fail", "unknown"))
            for gate in pack.gates
        },
        "reds": [
            (str(name), f"{value:.1f}") for name, value in zip(reds["unit_name"], reds["index"], strict=True)
        ],
        "audit": (f"{100 * city['units_share']:.1f}%", f"{100 * city['persons_share']:.1f}%"),
        "screened": f"{100 * screened['screened_share']:.1f}%",
        "disputes": int(screened["disputes_open"]),
        "cases": (len(cases), int((~cases["state"].isin(["closed", "cancelled"])).sum())),
    }


# --- reading the files back -------------------------------------------------------------------------------

Rows = list[list[str]]


def number(text: str) -> int:
    return int(text.replace(",", ""))


def from_tables(tables: Iterator[Rows], words: str, headings: dict[str, Callable[[Rows], Any]]) -> Figures:
    """Return figures from tables known by their headings, and from sentences."""
    found: Figures = {}
    for rows in tables:
        for start, read in headings.items():
            if "".join(rows[0]).startswith(start):
                got = read(rows[1:])
                key, value = got
                found[key] = (
                    {**found[key], **value}
                    if key in found and isinstance(value, dict)
                    else (found[key] + value if key in found and isinstance(value, list) else value)
                )
    for key, pattern in {
        "admitted": r"准入清单：([\d,]+)个",
        "mean": r"平均选情指数由[\d.]+变为([\d.]+)",
        "to_verify": r"因数据缺失，([\d,]+)个等级待核实",
        "contested": r"；([\d,]+)个颜色有争议",
    }.items():
        (text,) = set(re.findall(pattern, words))
        found[key] = text if key == "mean" else number(text)
    if told := re.search(r"共立案([\d,]+)件，未销号([\d,]+)件", words):
        found["cases"] = (number(told[1]), number(told[2]))
    return found


def counts_of(rows: Rows) -> tuple[str, Any]:
    named = {row[0].split("　")[-1]: (number(row[1]), number(row[3])) for row in rows if row[3] != "—"}
    return "counts", {label: named[label] for label in LEVELS.values()}


def league_of(rows: Rows) -> tuple[str, Any]:
    return "league", [(row[1], *(number(cell) for cell in row[3:7]), row[7]) for row in rows]


def gates_of(rows: Rows) -> tuple[str, Any]:
    return "gates", {row[0]: tuple(number(cell) for cell in row[1:4]) for row in rows}


def read_docx() -> Figures:
    document = docx.Document(str(whole_pack()["docx"]))
    words = "".join(paragraph.text for paragraph in document.paragraphs)
    tables = ([[cell.text for cell in row.cells] for row in one.rows] for one in document.tables)
    found = from_tables(
        tables,
        words,
        {
            "等级": counts_of,
            "位次": league_of,
            "准入条件通过（个）": gates_of,
            "地区应审": lambda rows: ("audit", (rows[0][3], rows[0][6])),
            "地区应摸排": lambda rows: ("disputes", number(rows[0][5])),
            "序号村（社区）指数": lambda rows: (
                "reds",
                [(row[1].split("\n")[0], row[2].split("\n")[0]) for row in rows],
            ),
        },
    )
    (screened,) = (
        one.rows[1].cells[3].text for one in document.tables if one.rows[0].cells[1].text == "应摸排"
    )
    return {**found, "screened": screened}


def read_pdf() -> Figures:
    """Return the figures of the PDF's text: cells of a row stand in its order, one after the other."""
    text = run_tool("pdftotext", "-layout", str(whole_pack()["pdf"]), "-")
    lines = [re.split(r"\s+", line.strip()) for line in text.splitlines() if line.strip()]
    words = "".join("".join(line) for line in lines)
    league = re.compile(r"^\d+ \S+ \S+ \d+ \d+ \d+ \d+ [\d.]+ [+−]?[\d.]+ [\d.]+%$")
    gate = re.compile(r"^\S+ [\d,]+ [\d,]+ [\d,]+ [\d.]+%$")
    labels = list(wanted()["gates"])
    joined = [" ".join(line) for line in lines]
    cover = [line for line in lines if line[0] == "全市" and len(line) == 7]
    found = from_tables(iter(()), words, {})
    found |= dict(
        [
            counts_of([[*line[1:]] for line in lines if line[0] in "红黄绿" and len(line) == 6]),
            league_of([line for line, text in zip(lines, joined, strict=True) if league.match(text)]),
            gates_of(
                [
                    line
                    for line, text in zip(lines, joined, strict=True)
                    if gate.match(text) and line[0] in labels
                ]
            ),
        ]
    )
    audit, conflict = cover
    towns = "|".join(table("units")["township_name"].unique())
    reds = re.findall(rf"（[一二三四五六七八九十]+）(?:{towns})(\S+?)（选情指数([\d.]+)）", words)
    found["reds"] = reds
    return {
        **found,
        "audit": (audit[3], audit[6]),
        "screened": conflict[3],
        "disputes": number(conflict[5]),
    }


def read_pptx() -> Figures:
    slides = list(Presentation(str(whole_pack()["pptx"])).slides)
    words = "".join(
        shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame
    )
    tables = (
        [[cell.text for cell in row.cells] for row in shape.table.rows]
        for slide in slides
        for shape in slide.shapes
        if shape.has_table
    )
    found = from_tables(
        tables,
        words,
        {
            "等级": counts_of,
            "位次": league_of,
            "村（社区）指数": lambda rows: ("reds", [(row[0].split("\n")[0], row[1]) for row in rows]),
            "地区审计单位": lambda rows: ("city", [row for row in rows if row[0] == "全市"]),
        },
    )
    (city,) = found.pop("city")
    charts = {
        slide.shapes.title.text_frame.text: shape.chart
        for slide in slides
        for shape in slide.shapes
        if shape.has_chart
    }
    gates = charts["准入条件进度"].plots[0]
    names = [name.partition("（")[0] for name in gates.categories]
    series = [[int(value) for value in one.values] for one in gates.series]
    trend = charts["各等级数量和变化"].plots[0]
    assert {one.name: int(one.values[-1]) for one in trend.series} == {
        label: count for label, (count, _) in found["counts"].items()
    }
    return {
        **found,
        "gates": dict(zip(names, zip(*series, strict=True), strict=True)),
        "audit": (city[1], city[2]),
        "screened": city[3],
        "disputes": number(city[5]),
    }


def sheet_rows(kind: str, sheet: str) -> list[dict[str, Any]]:
    book = openpyxl.load_workbook(whole_pack()[kind], read_only=True)
    head, *rows = book[sheet].iter_rows(min_row=2, values_only=True)
    book.close()
    return [dict(zip(map(str, head), row, strict=False)) for row in rows]


def read_xlsx() -> Figures:
    book = openpyxl.load_workbook(whole_pack()["xlsx"])
    told = {row[0]: row for row in book["总览"].iter_rows(values_only=True) if row[0] is not None}
    last = told[dt.datetime.combine(last_run().as_of, dt.time())]
    reds = [row for row in sheet_rows("xlsx", "工作清单") if row["等级"] == "红色"]
    cover = next(row for row in sheet_rows("ledgers", "审计覆盖") if row["地区"] == "全市")
    conflict = next(row for row in sheet_rows("ledgers", "摸排覆盖") if row["地区"] == "全市")
    loop = next(row for row in sheet_rows("ledgers", "闭环统计") if row["范围"] == "全部")
    shares = [value for key, value in cover.items() if "覆盖率" in key]
    return {
        "counts": {
            label: (told[label][1], int(last[1 + place])) for place, label in enumerate(LEVELS.values())
        },
        "to_verify": told["待核实"][1],
        "admitted": len(sheet_rows("xlsx", "准入清单")),
        "league": [
            (
                row["镇街"],
                *(int(row[name]) for name in ("单位数", "红色", "黄色", "绿色")),
                f"{row['平均指数']:.1f}",
            )
            for row in sheet_rows("xlsx", "镇街排名")
        ],
        "gates": {
            row["准入条件"]: (int(row["通过"]), int(row["不通过"]), int(row["待核实"]))
            for row in sheet_rows("xlsx", "准入条件")
        },
        "reds": [(row["村（社区）"], f"{row['选情指数']:.1f}") for row in reds],
        "audit": tuple(f"{100 * share:.1f}%" for share in shares),
        "screened": f"{100 * next(value for key, value in conflict.items() if '覆盖率' in key):.1f}%",
        "disputes": int(next(value for key, value in conflict.items() if "未化解" in key)),
        "cases": (int(loop["立案"]), int(loop["未销号"])),
    }


def read_html() -> Figures:
    page = whole_pack()["html"].read_text(encoding="utf-8")
    bare = re.sub(r"<(script|style|svg).*?</\1>", "", page, flags=re.DOTALL)
    figure = dict(re.findall(r'data-figure="(\w+)">([\d,.]+)<', bare))
    change = dict(re.findall(r'data-change="(\w+)">较上次会议 ([^<]*)<', bare))
    moved = {key: 0 if text == "持平" else int(text.replace("−", "-")) for key, text in change.items()}
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", bare))
    rows = [
        [
            re.sub(r"<[^>]*>", "", cell).strip()
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", bare, re.DOTALL)
    ]
    towns = {name for name, *_ in wanted()["league"]}
    league = []
    for row in rows:
        name = next((town for town in towns if len(row) == 8 and row[1].startswith(town)), None)
        if name is not None:
            red, yellow, green = (number(cell) for cell in row[4:7])
            league.append((name, number(row[7].split("/")[1]), red, yellow, green, row[2]))
    city = next(row for row in rows if row[0] == "全市")
    units = unpack(page)["data"]["units"]
    codes = {level["value"]: level["code"] for level in unpack(page)["data"]["levels"]}
    reds = sorted(
        (index, code, name)
        for code, name, index, level in zip(
            units["code"], units["name"], units["index"], np.array(units["level"]) & 3, strict=True
        )
        if level == codes["red"]
    )
    loop = re.search(r"立案 ([\d,]+) 件，未销号 ([\d,]+) 件", text)
    assert loop
    return {
        "counts": {
            label: (number(figure[one]), number(figure[one]) - moved[one]) for one, label in LEVELS.items()
        },
        "to_verify": number(figure["to_verify"]),
        "admitted": number(figure["admitted"]),
        "mean": figure["mean"],
        "league": league,
        "gates": {
            gate: (number(passed), number(failed), number(unknown))
            for gate, passed, failed, unknown in re.findall(
                r"(\S+) [\d.]+% 通过 ([\d,]+) 不通过 ([\d,]+) 待核实 ([\d,]+)", text
            )
        },
        "reds": [(name, f"{index:.1f}") for index, _, name in reds],
        "audit": (city[1], city[2]),
        "screened": city[3],
        "cases": (number(loop[1]), number(loop[2])),
    }


READERS: Final = {
    "docx": (read_docx, set()),
    "pdf": (read_pdf, set()),
    "pptx": (read_pptx, set()),
    "xlsx": (read_xlsx, {"contested", "mean"}),
    "html": (read_html, {"contested", "disputes"}),
}
"""How each file is read, and which figures it does not tell as such."""


@pytest.mark.parametrize("kind", READERS)
def test_every_figure_read_back_is_that_of_the_runs_tables(kind: str) -> None:
    read, silent = READERS[kind]
    found, truth = read(), dict(wanted())
    assert found.keys() == truth.keys() - silent
    told = len(found["reds"])
    assert told >= 12
    assert {**found, "reds": None} == {
        key: None if key == "reds" else value for key, value in truth.items() if key in found
    }
    assert found["reds"] == truth["reds"][:told]


# --- form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OFFICE)
def test_every_part_of_an_office_file_keeps_its_schema(kind: str) -> None:
    assert schema_faults(whole_pack()[kind]) == []


@pytest.mark.parametrize(
    ("kind", "part", "good", "bad"),
    [
        ("pptx", "ppt/charts/chart", b'<c:axId val="', b'<c:axId val="-'),
        ("docx", "word/document.xml", b"<w:cantSplit/>", b"<w:dontSplit/>"),
        ("xlsx", "xl/worksheets/sheet2.xml", b"<sheetData>", b"<sheetData>1"),
        ("xlsx", "xl/styles.xml", b"<fonts", b"<font"),
    ],
)
def test_a_part_that_breaks_it_is_found(
    kind: str, part: str, good: bytes, bad: bytes, tmp_path: Path
) -> None:
    broken = tmp_path / f"broken.{kind}"
    with zipfile.ZipFile(whole_pack()[kind]) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data.replace(good, bad) if name.startswith(part) else data)
    assert all(fault.startswith(f".{kind}/{part}") for fault in schema_faults(broken))
    assert schema_faults(broken)


def test_no_shape_of_a_slide_lies_on_another() -> None:
    for number, slide in enumerate(Presentation(str(whole_pack()["pptx"])).slides, start=1):
        boxes = [
            (one.left, one.top, one.left + one.width, one.top + one.height, one.name) for one in slide.shapes
        ]
        for (a, b, c, d, one), (e, f, g, h, other) in combinations(boxes, 2):
            assert c <= e or g <= a or d <= f or h <= b, (number, one, other)


# --- on paper ---------------------------------------------------------------------------------------------


def run_tool(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, timeout=300)
    return done.stdout.decode("utf-8")


@dataclass(frozen=True)
class Word:
    """A word on a page: its text and its edges in points from the upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Sheet:
    """A printed page: width and height in points, and its words from the top down."""

    width: float
    height: float
    words: tuple[Word, ...]

    @property
    def margins(self) -> tuple[float, float]:
        """Upper and lower margin of a page of the briefing, upright or on its side, in points."""
        upper, lower = (28, 26) if self.width > self.height else (37, 35)
        return upper * 72 / 25.4, lower * 72 / 25.4

    @property
    def lines(self) -> list[str]:
        """The words of each line, joined."""
        rows: dict[int, str] = {}
        for word in self.words:
            rows[round(word.bottom / 3)] = rows.get(round(word.bottom / 3), "") + word.text
        return list(rows.values())


@cache
def paper() -> dict[str, Path]:
    """Return the pack on paper: its own PDFs, and office files as LibreOffice prints them."""
    pack = whole_pack()
    folder = Path(tempfile.mkdtemp(prefix="huanjie-", dir=pack["manifest"].parent))
    for kind in OFFICE:
        shutil.copyfile(pack[kind], folder / f"{kind}{pack[kind].suffix}")
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    files = [str(folder / f"{kind}{pack[kind].suffix}") for kind in OFFICE]
    run_tool("soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), *files)
    return {"pdf": pack["pdf"], "map": pack["map"], **{f"{k}.pdf": folder / f"{k}.pdf" for k in OFFICE}}


@cache
def sheets(kind: str) -> tuple[Sheet, ...]:
    return sheets_of(paper()[kind])


def sheets_of(file: Path) -> tuple[Sheet, ...]:
    text = run_tool("pdftotext", "-bbox", str(file), "-")
    found = []
    for width, height, body in re.findall(
        r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', text, re.DOTALL
    ):
        edges = r'xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>'
        words = [Word(said, *map(float, place)) for *place, said in re.findall(edges, body)]
        words.sort(key=lambda word: (round(word.bottom / 3), word.left))
        found.append(Sheet(float(width), float(height), tuple(words)))
    return tuple(found)


PAPER = ("pdf", "map", *(f"{kind}.pdf" for kind in OFFICE))


@printed
@pytest.mark.parametrize("kind", PAPER)
def test_fonts_are_inside_and_hold_every_character(kind: str) -> None:
    rows = run_tool("pdffonts", str(paper()[kind])).splitlines()[2:]
    assert rows
    assert all(re.search(r" yes (yes|no) +(yes|no) +\d+ +\d+$", row) for row in rows), rows
    said = "".join(word.text for sheet in sheets(kind) for word in sheet.words)
    assert len(said) > 300
    assert "�" not in said
    assert missing_glyphs(re.sub(r"&\w+;", "", said)) == set()


@printed
@pytest.mark.parametrize("kind", PAPER)
def test_nothing_stands_outside_its_page_and_no_page_is_blank(kind: str, tmp_path: Path) -> None:
    for number, sheet in enumerate(sheets(kind), start=1):
        assert sheet.words, number
        for word in sheet.words:
            within = word.left >= 0, word.top >= -0.5
            within += word.right <= sheet.width + 0.5, word.bottom <= sheet.height + 0.5
            assert all(within), (number, word)
    run_tool("pdftoppm", "-gray", "-r", "24", str(paper()[kind]), str(tmp_path / "p"))
    pictures = sorted(tmp_path.iterdir())
    assert len(pictures) == len(sheets(kind))
    for picture in pictures:
        with Image.open(picture) as image:
            tones = np.asarray(image)
        inked = (tones < 160).mean()
        assert 0.0005 < inked < 0.6, picture.name


@printed
@pytest.mark.parametrize("kind", ["pdf", "docx.pdf", "plan.pdf"])
def test_no_heading_ends_a_page(kind: str) -> None:
    opening = re.compile(r"^([一二三四五六七八九十]+、|（[一二三四五六七八九十]+）|表\d+　?|附件\d+)")
    for number, sheet in enumerate(sheets(kind)[1:], start=2):
        body = [line for line in sheet.lines if not re.fullmatch(r"—\d+—", line)]
        assert len(body) > 2, number
        assert not (opening.match(body[-1]) and len(body[-1]) < 30), (number, body[-1])


EMPTIEST: Final = 0.3


def half_empty(pages: Sequence[Sheet]) -> dict[int, float]:
    """Return the pages whose lower end stands empty, and how much of the space between the margins.

    The title page is left out, and so is a page that ends by itself: the last one, one before an annex, one
    before the map, which fills a page.
    """
    found = {}
    for number, (sheet, following) in enumerate(pairwise(pages[1:]), start=2):
        upper, lower = sheet.margins
        last = max(word.bottom for word in sheet.words if word.bottom < sheet.height - lower + 2)
        empty = (sheet.height - lower - last) / (sheet.height - lower - upper)
        opening = "".join(word.text for word in following.words if word.top > following.margins[0] - 2)
        if empty > EMPTIEST and not re.match(r"附件\d|（二）三色分布图", opening):
            found[number] = round(empty, 2)
    return found


@printed
@pytest.mark.parametrize("kind", ["pdf", "docx.pdf"])
def test_no_page_of_the_briefing_stands_half_empty(kind: str) -> None:
    assert len(sheets(kind)) > 8
    assert half_empty(sheets(kind)) == {}


@printed
def test_a_page_left_half_empty_is_found(tmp_path: Path) -> None:
    file = tmp_path / "briefing.pdf"
    rows = tuple((str(number), "不能拆开") for number in range(30))
    whole = Table("", (), rows, (PORTRAIT_MM / 2, PORTRAIT_MM / 2), together=True)
    draft = replace(whole_briefing(), blocks=(*[Text("一行字。")] * 12, whole, Text("完。")))
    for together, found in ((True, [2]), (False, [])):
        draft = replace(draft, blocks=(*draft.blocks[:12], replace(whole, together=together), Text("完。")))
        file.write_bytes(briefing_pdf(draft))
        assert list(half_empty(sheets_of(file))) == found


@printed
def test_a_slide_keeps_its_words_above_its_foot_and_apart() -> None:
    for number, sheet in enumerate(sheets("pptx.pdf")[1:], start=2):
        foot = min(word.top for word in sheet.words if word.text.startswith(STAMP.notice[:4]))
        body = [word for word in sheet.words if word.top < foot - 1]
        assert body, number
        assert max(word.bottom for word in body) <= foot + 1, number
        for one, other in combinations(body, 2):
            wide = min(one.right, other.right) - max(one.left, other.left)
            high = min(one.bottom, other.bottom) - max(one.top, other.top)
            lower = min(one.bottom - one.top, other.bottom - other.top)
            assert wide < 1 or high < 0.45 * lower, (number, one, other)


@printed
@pytest.mark.parametrize("kind", PAPER)
def test_the_mark_stands_on_every_page(kind: str) -> None:
    for number, sheet in enumerate(sheets(kind), start=1):
        said = re.sub(r"\s", "", "".join(word.text for word in sheet.words))
        assert re.sub(r"\s", "", STAMP.text) in said, number


@printed
@pytest.mark.parametrize("kind", ["pdf", "docx.pdf"])
def test_pages_of_the_briefing_follow_one_another(kind: str) -> None:
    numbers = [
        int(found[1])
        for sheet in sheets(kind)
        for line in sheet.lines
        if (found := re.fullmatch(r"—(\d+)—", line))
    ]
    assert numbers == list(range(2, len(sheets(kind)) + 1))


@pytest.mark.parametrize("kind", OFFICE)
def test_no_office_file_holds_a_time_of_day(kind: str) -> None:
    with zipfile.ZipFile(whole_pack()[kind]) as package:
        core = package.read("docProps/core.xml").decode()
    assert set(re.findall(r"T(\d\d:\d\d:\d\d)Z", core)) == {"00:00:00"}
