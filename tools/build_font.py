"""Build the Chinese fonts that the package ships, from the Noto Sans CJK SC that Debian packages.

Why ship fonts at all: an office machine may have no Chinese font that matplotlib can embed, and nothing may
be fetched at run time. Why convert: Noto Sans CJK has PostScript (CFF) outlines in a 20 MB collection;
matplotlib's PDF backend and browsers embed TrueType (glyf) subsets more reliably.

Coverage
--------
Regular
    Every character of GBK (which holds GB 2312) that the source has, and the whole Table of General Standard
    Chinese Characters (通用规范汉字表, 8,105 characters, with the rare ones in place and personal names).
Bold
    GB 2312 and the first two levels of that table (6,500 characters), enough for headings.

Both also take ASCII, Latin-1, general and CJK punctuation, full-width forms, arrows, box drawing, geometric
marks, circled and Roman numerals, and squared units.

The same inputs give the same bytes: the font's dates come from ``SOURCE_DATE_EPOCH`` or, without it, from
the source font. Needs fonttools and, from Debian, ``fonts-noto-cjk`` and ``unicode-data``::

    apt-get install fonts-noto-cjk unicode-data
    .venv/bin/python tools/build_font.py
"""

from __future__ import annotations

import argparse
import bz2
import os
from collections.abc import Iterator
from pathlib import Path

from fontTools import subset
from fontTools.misc.timeTools import epoch_diff
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, newTable
from fontTools.ttLib.tables._g_l_y_f import Glyph

FAMILY = "Huanjie Sans"
SOURCE_FAMILY = "Noto Sans CJK SC"
NOTO = Path("/usr/share/fonts/opentype/noto")
UNIHAN = Path("/usr/share/unicode/Unihan_OtherMappings.txt.bz2")
OUT = Path(__file__).resolve().parents[1] / "huanjie_lib" / "fonts"

#: Largest distance, in font units of 1/1000 em, between a cubic outline and its quadratic replacement.
MAX_ERROR = 1.0

COPYRIGHT = (
    "Copyright 2014-2021 Adobe (http://www.adobe.com/), with Reserved Font Name 'Source'. "
    "Modified by the huanjie maintainers: subset, renamed, converted to TrueType outlines."
)
LICENCE = (
    "This Font Software is licensed under the SIL Open Font License, Version 1.1. "
    "This license is available with a FAQ at: https://openfontlicense.org"
)

#: Blocks taken whole, as far as the source font has them.
BLOCKS = (
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x00FF),  # Latin-1
    (0x2010, 0x205E),  # general punctuation
    (0x20A0, 0x20BF),  # currency
    (0x2070, 0x209C),  # superscripts and subscripts
    (0x2100, 0x218B),  # letter-like symbols, fractions, Roman numerals
    (0x2190, 0x21FF),  # arrows
    (0x2200, 0x22FF),  # mathematics
    (0x2460, 0x24FF),  # circled and parenthesised numbers and letters
    (0x2500, 0x25FF),  # box drawing, blocks, geometric shapes
    (0x2600, 0x27BF),  # marks: stars, warning sign, tick
    (0x3000, 0x303F),  # CJK punctuation
    (0x3200, 0x33FF),  # enclosed CJK, squared units
    (0xFF00, 0xFFEF),  # full-width forms
)


def double_byte(codec: str) -> Iterator[int]:
    """Yield every code point that ``codec`` writes in two bytes."""
    for lead in range(0x81, 0xFF):
        for trail in range(0x40, 0xFF):
            try:
                text = bytes([lead, trail]).decode(codec)
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                yield ord(text)


def general_standard(unihan: Path, *, upto: int) -> Iterator[int]:
    """Yield the characters of 通用规范汉字表 numbered 1 to ``upto`` (Unihan field kTGH)."""
    with bz2.open(unihan, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 3 and fields[1] == "kTGH" and int(fields[2].removeprefix("2013:")) <= upto:
                yield int(fields[0].removeprefix("U+"), 16)


def wanted(unihan: Path, *, bold: bool) -> set[int]:
    """Return the code points that a weight should cover."""
    points = {point for first, last in BLOCKS for point in range(first, last + 1)}
    points.update(double_byte("gb2312"))
    if not bold:
        points.update(double_byte("gbk"))  # not quite a superset: the codecs map the middle dot differently
    points.update(general_standard(unihan, upto=6500 if bold else 8105))
    return points


def open_source(path: Path) -> TTFont:
    """Return the Simplified Chinese face of a Noto Sans CJK collection."""
    for face in TTCollection(str(path), lazy=True).fonts:
        if face["name"].getDebugName(1) == SOURCE_FAMILY:
            return face
    raise SystemExit(f"{path}: no face named {SOURCE_FAMILY}")


def cut(font: TTFont, points: set[int]) -> None:
    """Drop every glyph, feature and table that the shipped font does not need."""
    options = subset.Options()
    options.layout_features = ["kern"]
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "GSUB", "DSIG"]
    options.hinting = False
    options.notdef_outline = True
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=points)
    cutter.subset(font)


def to_truetype(font: TTFont) -> None:
    """Replace the font's cubic (CFF) outlines by quadratic (glyf) ones, within MAX_ERROR."""
    outlines = font.getGlyphSet()
    names = font.getGlyphOrder()
    glyphs: dict[str, Glyph] = {}
    for name in names:
        pen = TTGlyphPen(outlines)
        outlines[name].draw(Cu2QuPen(pen, MAX_ERROR, reverse_direction=True))
        glyphs[name] = pen.glyph()
    font["loca"] = newTable("loca")
    font["glyf"] = newTable("glyf")
    font["glyf"].glyphOrder = names
    font["glyf"].glyphs = glyphs
    for name in names:
        glyphs[name].recalcBounds(font["glyf"])
        advance, _ = font["hmtx"][name]
        font["hmtx"][name] = (advance, getattr(glyphs[name], "xMin", 0))
    del font["CFF "]
    maxp = font["maxp"] = newTable("maxp")
    maxp.tableVersion = 0x00010000
    maxp.numGlyphs = len(names)
    maxp.maxZones = 1
    unused = ("TwilightPoints", "Storage", "FunctionDefs", "InstructionDefs", "StackElements")
    for field in (*unused, "SizeOfInstructions", "ComponentElements"):
        setattr(maxp, f"max{field}", 0)
    font["post"].formatType = 3.0  # no glyph names
    font["post"].extraNames = []
    font["post"].mapping = {}
    font["head"].glyphDataFormat = 0
    gasp = font["gasp"] = newTable("gasp")
    gasp.gaspRange = {0xFFFF: 0x000A}  # smooth at every size: there are no hints to grid-fit
    font.sfntVersion = "\x00\x01\x00\x00"


def rename(font: TTFont, *, bold: bool) -> None:
    """Give the font its own name (the licence reserves the original's) and its licence."""
    style = "Bold" if bold else "Regular"
    records = {
        0: COPYRIGHT,
        1: FAMILY,
        2: style,
        3: f"{FAMILY} {style}",
        4: f"{FAMILY} {style}",
        5: f"Version {font['head'].fontRevision:.3f};huanjie",
        6: f"{FAMILY.replace(' ', '')}-{style}",
        13: LICENCE,
        14: "https://openfontlicense.org",
    }
    font["name"] = newTable("name")
    font["name"].names = []
    for number, text in records.items():
        font["name"].setName(text, number, 3, 1, 0x409)


def build(source: Path, unihan: Path, out: Path, *, bold: bool) -> int:
    """Write one weight to ``out`` and return how many characters it covers."""
    font = open_source(source)
    cut(font, wanted(unihan, bold=bold))
    to_truetype(font)
    rename(font, bold=bold)
    font.recalcTimestamp = False
    if "SOURCE_DATE_EPOCH" in os.environ:
        font["head"].modified = int(os.environ["SOURCE_DATE_EPOCH"]) - epoch_diff
    out.parent.mkdir(parents=True, exist_ok=True)
    font.save(str(out), reorderTables=True)
    return len(font.getBestCmap())


def main() -> None:
    """Build both weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noto", type=Path, default=NOTO, help="folder of NotoSansCJK-{Regular,Bold}.ttc")
    parser.add_argument("--unihan", type=Path, default=UNIHAN, help="Unihan_OtherMappings.txt.bz2")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    for bold in (False, True):
        style = "Bold" if bold else "Regular"
        target = arguments.out / f"HuanjieSans-{style}.ttf"
        count = build(arguments.noto / f"NotoSansCJK-{style}.ttc", arguments.unihan, target, bold=bold)
        print(f"{target}: {count:,} characters, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
