"""Widgets and dashboards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["open_overview"]


def open_overview(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the leader's overview; see :func:`huanjie_lib.screens.overview.open_overview`."""
    from huanjie_lib.screens.overview import open_overview as build  # the command line needs no widgets

    return build(run)
