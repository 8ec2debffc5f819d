"""Widgets and dashboards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["open_casework", "open_overview", "open_talent", "open_what_if"]


def open_casework(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the screen of the closed loop; see :func:`huanjie_lib.screens.casework.open_casework`."""
    from huanjie_lib.screens.casework import open_casework as build  # the command line needs no widgets

    return build(run)


def open_overview(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the leader's overview; see :func:`huanjie_lib.screens.overview.open_overview`."""
    from huanjie_lib.screens.overview import open_overview as build  # the command line needs no widgets

    return build(run)


def open_talent(folder: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the talent screen of a talent folder; see :func:`huanjie_lib.screens.talent.open_talent`."""
    from huanjie_lib.screens.talent import open_talent as build  # the command line needs no widgets

    return build(folder)


def open_what_if(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the what-if screen; see :func:`huanjie_lib.screens.what_if.open_what_if`."""
    from huanjie_lib.screens.what_if import open_what_if as build  # the command line needs no widgets

    return build(run)
