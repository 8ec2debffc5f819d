"""The live map without a browser: what goes over the wire, what is refused, what the browser may set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import comm
import pytest
import shapely
from comm.base_comm import BaseComm

from huanjie_lib.errors import HuanjieError
from huanjie_lib.screens.live_map import LiveMap, LiveMapError
from huanjie_lib.views.geometry import EncodedGeometry, encode_geometry
from huanjie_lib.views.tables import VERIFY_CODE
from huanjie_lib.vocabulary import GateStatus, Level

COUNT = 3215
HOSTILE = "<img src=x onerror=alert(1)>"


class Wire(BaseComm):
    """A comm that keeps what is sent to the browser."""

    sent: list[tuple[dict[str, Any], list[bytes]]]

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self.sent = []
        super().__init__(*args, **keywords)

    def publish_msg(
        self,
        msg_type: str,
        data: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: list[bytes] | None = None,
        **keys: Any,
    ) -> None:
        assert msg_type.startswith("comm_")
        assert metadata is None or metadata.keys() <= {"version"}
        assert keys.keys() <= {"target_name", "target_module"}
        self.sent.append((data or {}, [bytes(each) for each in buffers or []]))

    def bytes_sent(self) -> int:
        return sum(len(json.dumps(data)) + sum(map(len, buffers)) for data, buffers in self.sent)


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Wire]]:
    """Keep every comm that widgets open."""
    opened: list[Wire] = []

    def open_wire(*args: Any, **keywords: Any) -> Wire:
        opened.append(Wire(*args, **keywords))
        return opened[-1]

    monkeypatch.setattr(comm, "create_comm", open_wire)
    yield opened
    for wire in opened:
        wire.close()


@pytest.fixture(scope="module")
def geometry() -> EncodedGeometry:
    """Return as many squares as the city has units."""
    return encode_geometry(
        [
            shapely.box(120 + x / 100, 29 + y / 100, 120.01 + x / 100, 29.01 + y / 100)
            for x, y in (divmod(i, 60) for i in range(COUNT))
        ]
    )


def build(geometry: EncodedGeometry, **changes: Any) -> LiveMap:
    arguments: dict[str, Any] = {
        "names": [f"第{i}村" for i in range(COUNT)],
        "hovers": [["选情指数 72.3"]] * COUNT,
        "levels": bytes([1]) * COUNT,
    }
    return LiveMap(geometry, **(arguments | changes))


def wire_of(live: LiveMap, wires: list[Wire]) -> Wire:
    """Return a map's own wire, emptied (its layout has one too)."""
    (wire,) = [wire for wire in wires if wire.comm_id == live.model_id]
    return wire


def test_boundaries_are_sent_once_and_a_recolouring_is_one_byte_a_unit(
    geometry: EncodedGeometry, wires: list[Wire]
) -> None:
    live = build(geometry)
    wire = wire_of(live, wires)
    assert sum(buffers.count(geometry.buffer) for _, buffers in wire.sent) == 1

    wire.sent.clear()
    levels = bytes([3, 2 | VERIFY_CODE, 0]) + bytes([1]) * (COUNT - 3)
    live.set_levels(levels)

    ((data, buffers),) = wire.sent
    assert buffers == [levels]
    assert data["buffer_paths"] == [["levels"]]
    assert wire.bytes_sent() < COUNT + 200


def test_unchanged_levels_send_nothing(geometry: EncodedGeometry, wires: list[Wire]) -> None:
    live = build(geometry)
    wire = wire_of(live, wires)
    wire.sent.clear()
    live.set_levels(bytes(live.levels))
    assert wire.sent == []


def test_new_hover_lines_send_text_only(geometry: EncodedGeometry, wires: list[Wire]) -> None:
    live = build(geometry)
    wire = wire_of(live, wires)
    wire.sent.clear()
    live.set_hovers([["选情指数 61.0", "主要扣分：财务审计 9.1"]] * COUNT)

    ((data, buffers),) = wire.sent
    assert buffers == []
    assert list(data["state"]) == ["hover_text"]
    assert json.loads(live.hover_text)[7] == ["第7村", "选情指数 61.0", "主要扣分：财务审计 9.1"]


def test_nameless_and_hostile_units_keep_their_place(geometry: EncodedGeometry) -> None:
    names = [None, "", HOSTILE, *(f"第{i}村" for i in range(3, COUNT))]
    live = build(geometry, names=names)
    told = json.loads(live.hover_text)
    assert [unit[0] for unit in told[:4]] == ["（名称缺失）", "（名称缺失）", HOSTILE, "第3村"]


def test_colours_marks_and_words_come_from_the_vocabulary(geometry: EncodedGeometry) -> None:
    live = build(geometry)
    assert [entry["code"] for entry in live.palette] == [3, 2, 1, 0]
    for entry, level in zip(live.palette, [Level.RED, Level.YELLOW, Level.GREEN, Level.UNKNOWN], strict=True):
        assert (entry["code"], entry["colour"], entry["mark"], entry["label"]) == (
            level.code,
            level.colour,
            level.mark,
            level.label,
        )
    assert live.to_verify_label == GateStatus.UNKNOWN.label == "待核实"


def test_outlines_are_optional(geometry: EncodedGeometry) -> None:
    township = encode_geometry([shapely.box(120, 29, 121, 30)])
    assert build(geometry).outline_buffer == b""
    assert build(geometry, outlines=township).outline_buffer == township.buffer


@pytest.mark.parametrize(
    ("changes", "where", "found"),
    [
        ({"names": ["甲村"]}, "地图的名称", "1 个"),
        ({"hovers": []}, "地图的提示文字", "0 个"),
        ({"levels": bytes(COUNT + 1)}, "地图的颜色字节", f"{COUNT + 1} 个"),
        ({"levels": bytes(COUNT - 1) + bytes([16])}, f"第 {COUNT} 个单元的颜色字节", "16"),
    ],
)
def test_input_that_does_not_fit_the_boundaries_is_refused(
    geometry: EncodedGeometry, changes: dict[str, Any], where: str, found: str
) -> None:
    with pytest.raises(LiveMapError) as caught:
        build(geometry, **changes)
    (fault,) = caught.value.faults
    assert (fault.where, fault.found) == (where, found)
    assert isinstance(caught.value, HuanjieError)


def test_a_refused_recolouring_leaves_the_map_as_it_was(geometry: EncodedGeometry, wires: list[Wire]) -> None:
    live = build(geometry)
    wire = wire_of(live, wires)
    wire.sent.clear()
    for wrong in (b"", bytes(COUNT + 1), bytes([255]) * COUNT):
        with pytest.raises(LiveMapError):
            live.set_levels(wrong)
    with pytest.raises(LiveMapError):
        live.set_hovers([])
    assert live.levels == bytes([1]) * COUNT
    assert wire.sent == []


@pytest.mark.parametrize("unit", [-2, COUNT])
def test_selecting_a_unit_there_is_not_is_refused(geometry: EncodedGeometry, unit: int) -> None:
    live = build(geometry)
    live.selected = COUNT - 1
    with pytest.raises(LiveMapError, match="没有这个单元"):
        live.selected = unit
    assert live.selected == COUNT - 1


def test_showing_units_tells_the_browser_which(
    geometry: EncodedGeometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = build(geometry)
    sent: list[object] = []
    monkeypatch.setattr(live, "send", sent.append)
    live.show([3, COUNT - 1])
    live.show([])
    for wrong in (-1, COUNT):
        with pytest.raises(LiveMapError, match="0 到"):
            live.show([0, wrong])
    assert sent == [{"show": [3, COUNT - 1]}, {"show": []}]


def test_what_was_to_be_shown_before_the_map_had_started_is_told_again(
    geometry: EncodedGeometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = build(geometry)
    sent: list[object] = []
    live.show([3, 7])  # as a link says while the page is still loading
    monkeypatch.setattr(live, "send", sent.append)
    live.set_state({"painted": COUNT})
    assert sent == [{"show": [3, 7]}]
    whole = build(geometry)
    monkeypatch.setattr(whole, "send", sent.append)
    whole.set_state({"painted": COUNT})  # it shows the whole city by itself
    assert len(sent) == 1


def test_the_browser_may_tell_selection_and_paint_figures(geometry: EncodedGeometry) -> None:
    live = build(geometry)
    seen: list[int] = []
    live.observe(lambda change: seen.append(change["new"]), "selected")
    live.set_state({"selected": 12})
    live.set_state({"painted": COUNT, "repaint_ms": 17})
    assert (live.selected, live.painted, live.repaint_ms) == (12, COUNT, 17.0)
    assert seen == [12]


@pytest.mark.parametrize(
    "told",
    [
        {"levels": bytes(COUNT)},
        {"geometry_buffer": b""},
        {"outline_buffer": b"x"},
        {"hover_text": "[]"},
        {"palette": []},
        {"to_verify_label": "x"},
        {"legend_title": "x"},
        {"as_of": "x"},
        {"height": 9},
        {"_esm": "export default {}"},
        {"selected": COUNT},
        {"selected": -2},
        {"selected": 1.5},
        {"selected": True},
        {"selected": None},
        {"painted": COUNT + 1},
        {"painted": "3215"},
        {"repaint_ms": -1},
        {"repaint_ms": "fast"},
    ],
)
def test_everything_else_the_browser_sends_is_dropped(
    geometry: EncodedGeometry, told: dict[str, Any]
) -> None:
    live = build(geometry, legend_title="三色预警图", as_of="2026年10月31日")
    before = live.get_state()
    live.set_state(told)
    assert live.get_state() == before
