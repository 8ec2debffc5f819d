"""The live map: units drawn once by the browser and recoloured from one byte per unit.

Boundaries travel once, encoded by :mod:`huanjie_lib.views.geometry`. A what-if move then sends a single
synced value of one byte per unit (:attr:`LiveMap.levels`), and the browser repaints only the units whose byte
changed. The browser part is bundled from ``screens/js`` into ``screens/static`` and shipped with the package;
it requests nothing from anywhere.

The widget channel is open to whoever views the page, so the browser may set only what it has to tell:
the unit clicked and its own paint figures. Anything else it sends is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.views.geometry import EncodedGeometry
from huanjie_lib.views.tables import CONTESTED_CODE, VERIFY_CODE
from huanjie_lib.views.words import CONTESTED
from huanjie_lib.vocabulary import GateStatus, Level

__all__ = ["LiveMap", "LiveMapError"]

NAMELESS: Final = "（名称缺失）"
LEGEND_ORDER: Final = (Level.RED, Level.YELLOW, Level.GREEN, Level.UNKNOWN)

_STATIC: Final = Path(__file__).parent / "static"
_HIGHEST_BYTE: Final = max(level.code for level in Level) | VERIFY_CODE | CONTESTED_CODE


class LiveMapError(DataError):
    """What was handed to the map does not fit its boundaries; nothing on the map has changed."""


class LiveMap(anywidget.AnyWidget):
    """Three-colour map of all units, with hover, selection and a legend.

    Parameters
    ----------
    geometry
        Boundaries of ``n`` units; their order is the order of everything else.
    names
        Name of each unit, length ``n``; an empty name or ``None`` is shown as （名称缺失）.
    hovers
        Lines of text under the name on hover, one sequence per unit, length ``n``; colour and 待核实 are
        shown by the map itself and need no line.
    levels
        One byte per unit: :attr:`~huanjie_lib.vocabulary.Level.code` in the two low bits and
        :data:`~huanjie_lib.views.tables.VERIFY_CODE` where the colour is marked 待核实 and
        :data:`~huanjie_lib.views.tables.CONTESTED_CODE` where it is contested.
    legend_title, as_of
        Caption of the map and its as-of date as text; empty to leave out.
    outlines
        Boundaries drawn as heavier lines over the units, such as townships.
    height
        Height in CSS pixels; the width is that of the container.

    Attributes
    ----------
    selected : int
        Position of the unit clicked last, -1 for none. Setting it pans to the unit and outlines it.
    painted : int
        Units painted at first paint, told by the browser; -1 until then.
    repaint_ms : float
        Time from the arrival of the last levels to their paint, told by the browser; -1 until then.

    Raises
    ------
    LiveMapError
        ``names``, ``hovers`` or ``levels`` differ in length from the boundaries, a byte of ``levels`` is out
        of range, or ``selected`` is no unit.

    Examples
    --------
    >>> import shapely
    >>> from huanjie_lib.views.geometry import encode_geometry
    >>> units = encode_geometry([shapely.box(120.0, 30.0, 120.1, 30.1), shapely.Point(120.2, 30.0)])
    >>> live = LiveMap(units, names=["甲村", "乙村"], hovers=[["选情指数 72.3"], []], levels=bytes([2, 1]))
    >>> live.set_levels(bytes([Level.RED.code, Level.GREEN.code | VERIFY_CODE]))
    >>> list(live.levels)
    [3, 5]
    >>> live.set_levels(bytes(3))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    huanjie_lib.screens.live_map.LiveMapError: 地图数据与边界不一致（共 1 处问题）
      1. 地图的颜色字节：发现“3 个”；应为：与边界单元数相同，即 2 个；...
    """

    _esm = _STATIC / "live_map.js"
    _css = _STATIC / "live_map.css"

    geometry_buffer = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    outline_buffer = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    levels = traitlets.Bytes(b"").tag(sync=True)
    hover_text = traitlets.Unicode("[]", read_only=True).tag(sync=True)
    palette = traitlets.List(traitlets.Dict(), read_only=True).tag(sync=True)
    to_verify_label = traitlets.Unicode(GateStatus.UNKNOWN.label, read_only=True).tag(sync=True)
    contested_label = traitlets.Unicode(CONTESTED, read_only=True).tag(sync=True)
    legend_title = traitlets.Unicode("").tag(sync=True)
    as_of = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(640, min=120).tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    painted = traitlets.Int(-1).tag(sync=True, echo_update=False)
    repaint_ms = traitlets.Float(-1.0).tag(sync=True, echo_update=False)

    def __init__(
        self,
        geometry: EncodedGeometry,
        *,
        names: Sequence[str | None],
        hovers: Sequence[Sequence[str]],
        levels: bytes,
        legend_title: str = "",
        as_of: str = "",
        outlines: EncodedGeometry | None = None,
        height: int = 640,
    ) -> None:
        self._unit_count = geometry.unit_count
        self._in_view: list[int] = []
        self._require_length("名称", len(names))
        self._names = [name or NAMELESS for name in names]
        hover_text = self._hover_text(hovers)
        self._require_levels(levels)
        self.set_trait("geometry_buffer", geometry.buffer)
        self.set_trait("outline_buffer", outlines.buffer if outlines else b"")
        self.set_trait("hover_text", hover_text)
        self.set_trait(
            "palette",
            [
                {
                    "code": level.code,
                    "label": level.label,
                    "mark": level.mark,
                    "colour": level.colour,
                    "dotted": level is Level.UNKNOWN,
                }
                for level in LEGEND_ORDER
            ],
        )
        super().__init__(levels=levels, legend_title=legend_title, as_of=as_of, height=height)

    def set_levels(self, levels: bytes) -> None:
        """Recolour the units.

        Parameters
        ----------
        levels
            One byte per unit, as at the start.

        Raises
        ------
        LiveMapError
            Wrong length or a byte out of range; the map keeps its colours.
        """
        self.levels = levels

    def set_hovers(self, hovers: Sequence[Sequence[str]]) -> None:
        """Replace the hover lines of all units, as after a what-if move has come to rest.

        Parameters
        ----------
        hovers
            Lines per unit, length ``n``.

        Raises
        ------
        LiveMapError
            Wrong length; the map keeps its lines.
        """
        self.set_trait("hover_text", self._hover_text(hovers))

    def show(self, positions: Sequence[int]) -> None:
        """Bring units into view together; the whole city when there are none.

        Parameters
        ----------
        positions
            Positions of units.

        Raises
        ------
        LiveMapError
            A position is no unit.
        """
        for position in positions:
            self._require_unit(position, lowest=0)
        self._in_view = [int(position) for position in positions]
        self.send({"show": self._in_view})

    @traitlets.observe("painted")
    def _show_again(self, _: object) -> None:
        """Say once more what to bring into view: a map that had not started then has not heard it."""
        if self._in_view:
            self.send({"show": self._in_view})

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take from the browser what it may tell, in range; drop everything else."""
        told = {name: sync_data[name] for name in _FROM_BROWSER if name in sync_data}
        super().set_state({name: value for name, value in told.items() if _FROM_BROWSER[name](self, value)})

    def _hover_text(self, hovers: Sequence[Sequence[str]]) -> str:
        self._require_length("提示文字", len(hovers))
        return json.dumps(
            [[name, *lines] for name, lines in zip(self._names, hovers, strict=True)],
            ensure_ascii=False,
            separators=(",", ":"),
        )

    def _require_length(self, what: str, found: int) -> None:
        if found != self._unit_count:
            raise LiveMapError(
                "地图数据与边界不一致",
                [
                    Fault(
                        f"地图的{what}",
                        f"{found} 个",
                        f"与边界单元数相同，即 {self._unit_count} 个",
                        "按边界的单元顺序逐个给出，缺数据的单元给出空值",
                    )
                ],
            )

    def _require_levels(self, levels: bytes) -> None:
        self._require_length("颜色字节", len(levels))
        highest = max(levels, default=0)
        if highest > _HIGHEST_BYTE:
            raise LiveMapError(
                "地图的颜色字节超出范围",
                [
                    Fault(
                        f"第 {levels.index(highest) + 1} 个单元的颜色字节",
                        str(highest),
                        f"0 到 {_HIGHEST_BYTE}（低两位为颜色，第三位为待核实，第四位为颜色有争议）",
                        "由颜色代码和待核实标记生成颜色字节",
                    )
                ],
            )

    def _require_unit(self, position: int, *, lowest: int) -> None:
        if not (self._is_unit(position) and position >= lowest):
            raise LiveMapError(
                "地图上没有这个单元",
                [
                    Fault(
                        "地图的选中单元",
                        str(position),
                        f"{'-1（不选）' if lowest < 0 else '0 '}到 {self._unit_count - 1}",
                        "按边界的单元顺序给出序号，从 0 起",
                    )
                ],
            )

    @traitlets.validate("levels")
    def _check_levels(self, proposal: dict[str, Any]) -> bytes:
        levels: bytes = proposal["value"]
        self._require_levels(levels)
        return levels

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> int:
        selected: int = proposal["value"]
        self._require_unit(selected, lowest=-1)
        return selected

    def _is_unit(self, value: object) -> bool:
        return type(value) is int and -1 <= value < self._unit_count

    def _is_count(self, value: object) -> bool:
        return type(value) is int and 0 <= value <= self._unit_count

    def _is_time(self, value: object) -> bool:
        return isinstance(value, int | float) and 0 <= value < float("inf")


_FROM_BROWSER: Final[dict[str, Callable[[LiveMap, object], bool]]] = {
    "selected": LiveMap._is_unit,
    "painted": LiveMap._is_count,
    "repaint_ms": LiveMap._is_time,
}
