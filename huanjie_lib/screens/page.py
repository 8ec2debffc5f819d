"""What all screens share: the frame around their widgets, their alerts, and their door."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
from markupsafe import Markup

from huanjie_lib.errors import Fault, HuanjieError, UsageError
from huanjie_lib.screens.panel import Panel, render
from huanjie_lib.screens.serve import RUN_VARIABLE
from huanjie_lib.store.run_folder import Run, read_run

__all__ = ["Screen", "alert", "open_screen"]

logger = logging.getLogger(__name__)


class Screen(ipywidgets.Box):  # type: ignore[misc]
    """The widgets of a screen, with a still picture of them for the page to show until they have loaded.

    Parameters
    ----------
    children
        The widgets.
    preview
        HTML of the picture, from :func:`~huanjie_lib.screens.panel.render`.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget], *, preview: Markup) -> None:
        super().__init__(children)
        self.preview = preview

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**kwargs), "text/html": str(self.preview)}


def open_screen(
    build: Callable[[Run], ipywidgets.DOMWidget], run: Path | None = None
) -> ipywidgets.DOMWidget:
    """Return a screen over a run folder, ready to be displayed.

    Parameters
    ----------
    build
        Makes the screen of a run.
    run
        The run folder; by default the one named by the environment variable ``HUANJIE_RUN``.

    Returns
    -------
    ipywidgets.DOMWidget
        The screen, or an alert with the remedy where the run cannot be shown. Nothing is raised, because the
        place where it is called shows leaders a page and not a traceback.
    """
    _log_to_server()
    try:
        return build(read_run(run or _run_from_environment()))
    except Exception as error:  # noqa: BLE001 - the last line before a traceback in a leader's page
        failure = Panel("failure", html=alert(error))
        failure.add_class("hj-screen")
        return failure


def alert(error: Exception) -> Markup:
    """Return an error as a page shows it: its own words if a user can act on them, else a number."""
    if isinstance(error, HuanjieError):
        logger.warning("%s", error)
        return render("alert.html.j2", title=error.summary, lines=[str(f) for f in error.faults], number="")
    number = secrets.token_hex(4)
    logger.error("错误编号 %s", number, exc_info=error)
    return render(
        "alert.html.j2",
        title="这一页暂时显示不了",
        lines=["请刷新页面；仍不能显示时，请把错误编号告诉管理员，详情见服务日志。"],
        number=number,
    )


def _run_from_environment() -> Path:
    folder = os.environ.get(RUN_VARIABLE, "")
    if not folder:
        raise UsageError(
            "没有指定评估文件夹",
            [
                Fault(
                    f"环境变量 {RUN_VARIABLE}",
                    "未设置",
                    "由 huanjie run 写出的评估文件夹",
                    "用 huanjie serve --run 文件夹 打开本界面",
                )
            ],
        )
    return Path(folder)


def _log_to_server() -> None:
    """Send this package's log to the server's own stderr; the kernel's goes to the page."""
    package = logging.getLogger("huanjie_lib")
    if not package.handlers and sys.__stderr__ is not None:
        handler = logging.StreamHandler(sys.__stderr__)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        package.addHandler(handler)
