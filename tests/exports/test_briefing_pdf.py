"""The PDF says what the blocks say: read back, figure by figure, with its fonts inside."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from huanjie_lib.exports.briefing import Heading, Page, Picture, Table, Text
from huanjie_lib.exports.briefing_pdf import briefing_pdf
from tests.meetings import whole_briefing

poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler) is not installed")


@cache
def made() -> bytes:
    return briefing_pdf(whole_briefing())


def poppled(tool: str, folder: Path, *options: str, data: bytes | None = None) -> str:
    (folder / "b.pdf").write_bytes(made() if data is None else data)
    target = ["-"] if tool == "pdftotext" else []
    done = subprocess.run([tool, *options, str(folder / "b.pdf"), *target], check=True, capture_output=True)
    return done.stdout.decode()


def compact(text: str) -> str:
    return re.sub(r"\s", "", text)


def pages(folder: Path) -> list[str]:
    """Return the text of each page in the order it was set, without blanks, head and number."""
    head = compact("".join(whole_briefing().head))
    found = [compact(page) for page in poppled("pdftotext", folder, "-raw").split("\f")[:-1]]
    for number, page in enumerate(found[1:], start=2):
        assert head in page
        assert f"—{number}—" in page
        found[number - 1] = page.replace(head, "").replace(f"—{number}—", "")
    return found


@poppler
def test_every_word_and_figure_is_there_and_no_row_is_torn(tmp_path: Path) -> None:
    parts = pages(tmp_path)
    whole, rest = "".join(parts), parts
    assert compact(whole_briefing().title) in parts[0]
    for block in whole_briefing().blocks:
        match block:
            case Text():
                assert compact(block.lead + block.text) in whole
            case Heading() | Picture():
                assert any(compact(getattr(block, "title", "") or block.text) in page for page in rest)
            case Table():
                for row in block.rows:
                    assert any(compact("".join(row)) in page for page in rest), row


@poppler
def test_the_head_of_a_long_table_stands_on_each_of_its_pages(tmp_path: Path) -> None:
    parts = pages(tmp_path)
    annex = next(b for b in whole_briefing().blocks if isinstance(b, Table) and "全部红色" in b.title)
    heads = [page.count(compact("".join(annex.headings))) for page in parts]
    on = [n for n, page in enumerate(parts) if any(compact("".join(row)) in page for row in annex.rows)]
    assert len(on) > 3
    assert on == list(range(on[0], on[-1] + 1))
    assert [heads[n] for n in on] == [1] * len(on)
    assert sum(heads) == len(on)


@poppler
def test_no_heading_ends_a_page(tmp_path: Path) -> None:
    headings = [compact(b.text) for b in whole_briefing().blocks if isinstance(b, Heading)]
    titles = [compact(b.title) for b in whole_briefing().blocks if isinstance(b, Table) and b.title]
    for page in pages(tmp_path)[1:]:
        assert not [text for text in (*headings, *titles) if page.endswith(text)]


@poppler
def test_fonts_are_inside_and_nothing_of_the_machine(tmp_path: Path) -> None:
    rows = poppled("pdffonts", tmp_path).splitlines()[2:]
    names = {row.split()[0].split("+")[1] for row in rows}
    assert names == {"HuanjieSans-Regular", "HuanjieSans-Bold"}
    for row in rows:
        assert re.search(r"Identity-H\s+yes yes yes", row)


@poppler
def test_pages_are_a4_and_turn_where_the_blocks_turn(tmp_path: Path) -> None:
    told = poppled("pdfinfo", tmp_path, "-f", "1", "-l", "999")
    sizes = re.findall(r"Page +\d+ size: +([\d.]+) x ([\d.]+)", told)
    shapes = {(round(float(w) * 25.4 / 72), round(float(h) * 25.4 / 72)) for w, h in sizes}
    turned = any(isinstance(block, Page) and block.landscape for block in whole_briefing().blocks)
    assert shapes == ({(210, 297), (297, 210)} if turned else {(210, 297)})
    assert "Tagged:          yes" in told
    assert whole_briefing().title in told


def test_equal_briefings_give_equal_bytes() -> None:
    assert briefing_pdf(whole_briefing()) == made()


@poppler
def test_words_are_never_markup_and_what_the_font_lacks_is_marked(tmp_path: Path) -> None:
    odd = (Heading(1, "一、#set page(width: 1cm)"), Text("*_$x$ \\ <b>村</b> 🙂 @see `x` // 完", lead="[#]"))
    told = poppled(
        "pdftotext", tmp_path, "-raw", data=briefing_pdf(dataclasses.replace(whole_briefing(), blocks=odd))
    )
    assert compact("[#]*_$x$ \\ <b>村</b> 〓 @see `x` // 完") in compact(told)
    assert compact("一、#set page(width: 1cm)") in compact(told)
