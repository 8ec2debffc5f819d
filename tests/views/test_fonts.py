"""The shipped fonts really draw Chinese: coverage, distinct glyphs, embedding in pictures, PDF and HTML."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from fontTools.ttLib import TTFont
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from huanjie_lib.views import fonts
from huanjie_lib.views.fonts import (
    FAMILY,
    font_data_uri,
    font_face_css,
    font_path,
    missing_glyphs,
    register_matplotlib,
)

WORDS = "换届选情指数红黄绿扣分待核实准入清单不审计不换届村社区镇街"
MARKS = "■●▲△○◆✓★→℃㎡①Ⅻ，。：；（）《》“”‘’！？、…—·％０９"
#: Level-three characters of 通用规范汉字表 outside GBK, two of them beyond the basic plane.
RARE = "㑇㤘鿍\U00020164\U00020cd0"
#: No font has it: drawn as the empty box that readers call tofu.
NOWHERE = "\U0010fffd"


def gb2312() -> Iterator[str]:
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                yield bytes([row, cell]).decode("gb2312")
            except UnicodeDecodeError:
                continue


def picture(character: str, *, bold: bool) -> bytes:
    font = ImageFont.truetype(str(font_path(bold=bold)), 48)
    canvas = Image.new("L", (64, 72), 255)
    ImageDraw.Draw(canvas).text((4, 0), character, font=font, fill=0)
    return canvas.tobytes()


def woff(uri: str) -> TTFont:
    head, _, body = uri.partition(",")
    assert head == "data:font/woff;base64"
    return TTFont(io.BytesIO(base64.b64decode(body, validate=True)))


@pytest.mark.parametrize("bold", [False, True])
def test_covers_gb2312_and_the_marks_screens_use(bold: bool) -> None:
    characters = "".join(gb2312())
    assert len(characters) == 7445  # 6,763 hanzi and 682 symbols, by the standard
    assert missing_glyphs(characters, bold=bold) == set()
    assert missing_glyphs(MARKS + WORDS, bold=bold) == set()


def test_regular_covers_rare_characters_of_names() -> None:
    assert missing_glyphs(RARE) == set()


def test_missing_glyphs_names_exactly_what_is_missing() -> None:
    assert missing_glyphs(f"换届{NOWHERE}\n\t🙂") == {NOWHERE, "🙂"}
    assert missing_glyphs("") == set()
    assert missing_glyphs(RARE, bold=True) != set()


@pytest.mark.parametrize("bold", [False, True])
def test_every_character_has_its_own_picture(bold: bool) -> None:
    characters = [c for c in WORDS + "".join(gb2312())[682:1682] if not c.isspace()]
    tofu = picture(NOWHERE, bold=bold)
    drawn = {character: picture(character, bold=bold) for character in characters}
    assert tofu not in drawn.values()
    assert len(set(drawn.values())) == len(set(characters))


def test_bold_is_darker_than_regular() -> None:
    def ink(bold: bool) -> int:
        return sum(255 - value for word in WORDS for value in picture(word, bold=bold))

    assert ink(bold=True) > 1.2 * ink(bold=False)


@pytest.mark.parametrize("bold", [False, True])
def test_file_is_truetype_named_and_licensed(bold: bool) -> None:
    with TTFont(font_path(bold=bold)) as font:
        names = {record.nameID: str(record) for record in font["name"].names}
        assert "glyf" in font
        assert "CFF " not in font
        assert font["OS/2"].fsType == 0  # embedding is not restricted
        assert font["OS/2"].usWeightClass == (700 if bold else 400)
        for number in (1, 4, 6):  # the names presented to users: the licence reserves the original's
            assert not re.search("source|noto", names[number], re.IGNORECASE)
        assert names[1] == FAMILY
        assert "SIL Open Font License" in names[13]
    licence = (font_path(bold=bold).parent / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert "Copyright 2014-2021 Adobe" in licence


def test_files_stay_small() -> None:
    assert font_path().stat().st_size <= 9_000_000
    assert font_path(bold=True).stat().st_size <= 4_000_000


def figure(weight: str) -> Figure:
    family = register_matplotlib()
    with matplotlib.rc_context({"font.family": family, "pdf.fonttype": 42}):
        result = Figure(figsize=(4, 1), dpi=100)
        result.text(0.05, 0.3, "换届选情指数 82.5", fontsize=24, fontweight=weight)
    return result


@pytest.mark.parametrize(
    ("weight", "face"), [("normal", "HuanjieSans-Regular"), ("bold", "HuanjieSans-Bold")]
)
def test_matplotlib_embeds_our_font_in_pdf(weight: str, face: str) -> None:
    out = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        FigureCanvasPdf(figure(weight)).print_pdf(out)
    data = out.getvalue()
    fonts = {name.decode() for name in re.findall(rb"/BaseFont /(?:[A-Z]+\+)?([\w-]+)", data)}
    assert fonts == {face}


def test_matplotlib_draws_without_a_missing_glyph(tmp_path: Path) -> None:
    # A missing glyph makes matplotlib warn, and warnings are errors here.
    figure("normal").savefig(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.convert("L").getextrema()[0] < 64
    with matplotlib.rc_context({"font.family": FAMILY}):
        tofu = Figure()
        tofu.text(0.5, 0.5, NOWHERE)
        with pytest.warns(UserWarning, match="missing from font"):
            tofu.savefig(tmp_path / "b.png")


def test_web_font_holds_just_the_text() -> None:
    with woff(font_data_uri("选情指数选")) as font:
        assert {chr(point) for point in font.getBestCmap()} == set("选情指数")
        assert font.flavor == "woff"
    whole = "".join(gb2312())
    assert len(font_data_uri("选情指数")) < 20_000 < len(font_data_uri(whole, bold=True))


def test_web_font_leaves_missing_characters_out() -> None:
    with woff(font_data_uri("村" + NOWHERE)) as font:
        assert {chr(point) for point in font.getBestCmap()} == {"村"}


def test_web_font_is_the_same_bytes_when_cut_again_in_another_order() -> None:
    first = font_data_uri("三色预警图")
    fonts._cut.cache_clear()
    again = font_data_uri("图警预色三三")
    assert again is not first
    assert again == first


def test_font_face_css_has_one_rule_a_weight() -> None:
    only = font_face_css("村")
    both = font_face_css("村", bold_text="镇")
    assert only.count("@font-face") == 1
    assert both.count("@font-face") == 2
    assert only in both
    assert "</" not in both
    assert not re.search(r"https?:", both)
