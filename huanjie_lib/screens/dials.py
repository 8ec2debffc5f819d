"""Sliders with locks and the figures beside them, as one widget.

A slider widget for each weight would send a message for every slider that gives way, three times the bytes of
a move. This one takes a move in one message and answers with all positions and figures in one other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import traitlets
from markupsafe import Markup

from huanjie_lib.screens.panel import STATIC, Panel

__all__ = ["Dials", "parse_move"]

_MOVE: Final = re.compile(r"([a-z][a-z0-9_]{0,40}) (\d{1,4})", re.ASCII)


class Dials(Panel):
    """Sliders of whole numbers, told by name.

    Parameters
    ----------
    html
        Sliders (``data-dial``), locks (``data-action="lock"``) and figures (``data-figure``), in the order of
        the lists of ``figures``.
    figures
        What they show; see :meth:`answer`.

    Attributes
    ----------
    figures : dict
        ``dials`` (positions), ``fixed`` (whether each may not move), ``locked`` (whether each lock is on),
        ``counts`` (figure and change of each) and ``rested`` (whether everything else on the screen is as
        new as these).
    """

    _esm = STATIC / "dials.js"

    figures = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, *, html: Markup, figures: Mapping[str, Any]) -> None:
        self._answers = 0
        self.set_trait("figures", dict(figures))
        super().__init__("dials", html=html)

    def answer(self, figures: Mapping[str, Any]) -> None:
        """Answer a message: the page waits for it before it tells the next, so there is always one."""
        self._answers += 1
        self.set_trait("figures", {**figures, "answer": self._answers})


def parse_move(value: str) -> tuple[str, int]:
    """Return the slider and the position that a ``move`` message tells.

    Raises
    ------
    ValueError
        If the message is of another form.

    Examples
    --------
    >>> parse_move("green_from 815")
    ('green_from', 815)
    >>> parse_move("green_from NaN")
    Traceback (most recent call last):
    ...
    ValueError: no move: 'green_from NaN'
    """
    found = _MOVE.fullmatch(value)
    if not found:
        raise ValueError(f"no move: {value!r}")
    return found[1], int(found[2])
