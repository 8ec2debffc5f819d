"""A panel of a screen: HTML from a template, and the presses of its buttons.

The kernel renders the HTML from templates that escape everything; the browser shows it and tells which
button was pressed (``data-action`` and ``data-value``) or what was typed. The widget channel is open to
whoever views the page: a panel takes nothing from it but such messages, and their handler checks the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import jinja2
import traitlets
from markupsafe import Markup

from huanjie_lib.vocabulary import Level

__all__ = ["STATIC", "Panel", "Style", "TaskPanel", "render", "stylesheet"]

LONGEST_VALUE: Final = 64

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
_SHARED: Final = ("tokens.css", "screen.css")

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> Markup:
    """Return a template of ``screens/templates`` filled in; every value is escaped.

    Examples
    --------
    >>> "<b>" in render("alert.html.j2", title="<b>", lines=[], number="")
    False
    """
    return Markup(_TEMPLATES.get_template(template).render(**values))


def stylesheet(*own: str) -> str:
    """Return the stylesheet of a screen: colours of the levels, tokens, what all share, and its own.

    Parameters
    ----------
    own
        Files of ``screens/static``, such as ``overview.css``.
    """
    levels = "".join(f"--hj-{level.value}: {level.colour}; " for level in Level)
    sheets = [(STATIC / name).read_text(encoding="utf-8") for name in (*_SHARED, *own)]
    return "\n".join([f":root {{ {levels}}}", *sheets])


class Style(anywidget.AnyWidget):
    """A stylesheet, sent once for all panels of a screen; it shows nothing itself."""

    _esm = "export default { render({ el }) { el.hidden = true; } };"

    def __init__(self, css: str) -> None:
        self._css = css
        super().__init__()
        self.add_class("hj-style")

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Drop what the browser would set."""


class Panel(anywidget.AnyWidget):
    """HTML with buttons.

    Parameters
    ----------
    name
        What the panel is called in the page: its class is ``hj-<name>``.
    label
        Accessible name in Chinese; empty for a panel that is no landmark.

    Attributes
    ----------
    html : str
        What is shown. It must come from :func:`render`.
    """

    _esm = STATIC / "panel.js"

    label = traitlets.Unicode("", read_only=True).tag(sync=True)
    html = traitlets.Unicode("").tag(sync=True)

    def __init__(self, name: str, *, label: str = "", html: Markup | None = None) -> None:
        self.set_trait("label", label)
        super().__init__(html=str(html or ""))
        self.add_class(f"hj-{name}")

    def on_action(self, handler: Callable[[str, str], None]) -> None:
        """Call ``handler(action, value)`` at every press; messages of another form are dropped."""

        def take(_: Panel, content: object, __: object) -> None:
            if not isinstance(content, dict):
                return
            action, value = content.get("action"), content.get("value")
            if isinstance(action, str) and isinstance(value, str) and len(value) <= LONGEST_VALUE:
                handler(action, value)

        self.on_msg(take)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Drop what the browser would set: a panel is written by its kernel only."""


class TaskPanel(Panel):
    """A panel that draws what may be done by itself, from a task that the kernel tells.

    Attributes
    ----------
    task : dict
        What may be done; empty where nothing may.
    """

    task = traitlets.Dict(read_only=True).tag(sync=True)

    def show(self, task: Mapping[str, Any]) -> None:
        """Show what may be done."""
        self.set_trait("task", dict(task))

    def fetch(self, name: str, media_type: str, asked: Mapping[str, str]) -> None:
        """Have the browser ask the server for a file, which it saves under a name.

        Parameters
        ----------
        name, media_type
            What the file is called, and its type.
        asked
            What the page asks the server for; what it may have is for the server to judge.
        """
        self.send({"fetch": dict(asked), "name": name, "media_type": media_type})
