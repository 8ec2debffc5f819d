"""The Chinese fonts that ship with the package: for pictures, printable maps and standalone HTML.

Huanjie Sans is a subset of Noto Sans CJK SC (SIL Open Font License 1.1, see ``fonts/OFL.txt``): the regular
weight covers GBK and the whole Table of General Standard Chinese Characters, the bold weight GB 2312 and the
6,500 common characters of that table. ``tools/build_font.py`` makes both.

Nothing here reads the machine's own fonts, so a file looks the same on every machine, and a page that embeds
its font (:func:`font_face_css`) needs no other address.
"""

from __future__ import annotations

import base64
import io
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

__all__ = [
    "FAMILY",
    "font_data_uri",
    "font_face_css",
    "font_path",
    "missing_glyphs",
    "register_matplotlib",
]

#: Family name under which matplotlib, browsers and offices know the font.
FAMILY = "Huanjie Sans"


def font_path(*, bold: bool = False) -> Path:
    """Return the font file of one weight.

    Parameters
    ----------
    bold
        The bold weight instead of the regular one.

    Returns
    -------
    Path
        A TrueType file inside the installed package.

    Examples
    --------
    >>> font_path().name, font_path(bold=True).name
    ('HuanjieSans-Regular.ttf', 'HuanjieSans-Bold.ttf')
    """
    weight = "Bold" if bold else "Regular"
    return Path(str(files("huanjie_lib") / "fonts" / f"HuanjieSans-{weight}.ttf"))


@cache
def _covered(bold: bool) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(font_path(bold=bold), lazy=True) as font:
        return frozenset(font.getBestCmap())


def missing_glyphs(text: str, *, bold: bool = False) -> set[str]:
    """Return the characters of ``text`` that the font cannot draw.

    Line breaks and tabs are layout, not glyphs, and are never reported.

    Parameters
    ----------
    text
        Any text, for example all unit names of a map joined together.
    bold
        Ask the bold weight, which covers fewer characters.

    Returns
    -------
    set of str
        Single characters; empty when everything can be drawn.

    Examples
    --------
    >>> missing_glyphs("换届选情指数 ▲●■ 82.5%")
    set()
    >>> missing_glyphs("村🙂")
    {'🙂'}
    """
    covered = _covered(bold)
    return {character for character in set(text) - set("\n\r\t") if ord(character) not in covered}


@cache
def register_matplotlib() -> str:
    """Make both weights known to matplotlib and return the family name to use.

    Nothing else of matplotlib's settings changes: the caller names the family, for example in
    ``matplotlib.rc_context({"font.family": register_matplotlib()})``. Registering twice is harmless.

    Returns
    -------
    str
        The family name, :data:`FAMILY`.

    Examples
    --------
    >>> register_matplotlib()
    'Huanjie Sans'
    """
    from matplotlib.font_manager import fontManager

    for bold in (False, True):
        fontManager.addfont(font_path(bold=bold))
    return FAMILY


def font_data_uri(text: str, *, bold: bool = False) -> str:
    """Return a web font that holds just the characters of ``text``, as a ``data:`` address.

    The same set of characters gives the same bytes, whatever their order, and is cut only once a process
    for the last few sets. Characters that the font does not have are left to the reader's own fonts; ask
    :func:`missing_glyphs` to know them.

    Parameters
    ----------
    text
        All text that the page will show in this weight.
    bold
        The bold weight instead of the regular one.

    Returns
    -------
    str
        A WOFF file, base64-encoded: about 0.25 KB a Chinese character.

    Examples
    --------
    >>> font_data_uri("选情指数") == font_data_uri("数指情选选")
    True
    >>> font_data_uri("选情指数")[:27]
    'data:font/woff;base64,d09GR'
    """
    return _cut("".join(sorted(set(text))), bold)


@lru_cache(maxsize=8)
def _cut(characters: str, bold: bool) -> str:
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options()
    options.notdef_outline = True
    subsetter = Subsetter(options)
    subsetter.populate(text=characters)
    with TTFont(font_path(bold=bold), lazy=True, recalcTimestamp=False) as font:
        subsetter.subset(font)
        font.flavor = "woff"
        out = io.BytesIO()
        font.save(out)
    return "data:font/woff;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def font_face_css(text: str, *, bold_text: str = "") -> str:
    """Return the style rules that embed the font for a standalone page.

    Parameters
    ----------
    text
        All text that the page will show in the regular weight.
    bold_text
        All text that it will show in bold; without any, no bold weight is embedded.

    Returns
    -------
    str
        One or two ``@font-face`` rules for the family :data:`FAMILY`, safe inside a ``<style>`` element:
        base64 holds no character that could close it.

    Examples
    --------
    >>> css = font_face_css("选情指数", bold_text="红色")
    >>> css.count("@font-face"), "font-weight:700" in css
    (2, True)
    """
    weights = [(400, font_data_uri(text))]
    if bold_text:
        weights.append((700, font_data_uri(bold_text, bold=True)))
    return "\n".join(
        f'@font-face{{font-family:"{FAMILY}";font-style:normal;font-weight:{weight};'
        f'src:url({uri}) format("woff");}}'
        for weight, uri in weights
    )
