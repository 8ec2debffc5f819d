"""Which messages of a page pass, whose origin is the server's own, and how errors are told.

What the doors do in a running server is attacked in ``tests/attacks``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.base.websocket import WebSocketMixin
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

from huanjie_lib.casework.events import Actor
from huanjie_lib.screens import gate
from huanjie_lib.screens.gate import ChannelDoor, checked_message, same_origin, told_of
from huanjie_lib.screens.kernels import Place, Viewer
from huanjie_lib.screens.voila_server import server_config
from huanjie_lib.vocabulary import Role
from tests.attacks.attacker import message
from tests.loops import run_apart

CONTROL = {"comm_id": "1", "target_name": "jupyter.widget.control", "data": {}}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("comm_open", CONTROL),
        ("comm_msg", {"comm_id": "1", "data": {"method": "request_states"}}),
        ("comm_close", {"comm_id": "1"}),
        ("comm_info_request", {}),
        ("kernel_info_request", {}),
    ],
)
def test_what_widgets_say_passes(kind: str, content: dict[str, Any]) -> None:
    assert checked_message(message(kind, content)) == ""


@pytest.mark.parametrize(
    "kind", ["execute_request", "shutdown_request", "input_reply", "comm_msgs", "", "COMM_MSG"]
)
def test_no_other_type_passes(kind: str) -> None:
    assert checked_message(message(kind, {"code": "1"})) == f"type {kind!r}"


@given(st.binary(max_size=400))
def test_any_bytes_are_judged_and_none_passes_by_chance(content: bytes) -> None:
    assert checked_message(content) != ""


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_message_with_a_changed_byte_is_judged(place: int, byte: int) -> None:
    whole = bytearray(message("comm_open", CONTROL))
    whole[place % len(whole)] = byte
    if not checked_message(bytes(whole)):  # what still passes still says the same
        offsets = [int.from_bytes(whole[8 * i : 8 * i + 8], "little") for i in range(1, 7)]
        assert json.loads(whole[offsets[1] : offsets[2]])["msg_type"] == "comm_open"
        assert json.loads(whole[offsets[4] : offsets[5]])["target_name"] == "jupyter.widget.control"


@pytest.mark.parametrize(
    ("origin", "public", "own"),
    [
        ("http://h.example:8866", None, True),
        ("HTTP://H.example:8866", None, True),
        ("http://h.example", None, False),
        ("http://evil.example:8866", None, False),
        ("null", None, False),
        ("", None, False),
        ("https://huanjie.example", "https://huanjie.example", True),
        ("http://huanjie.example", "https://huanjie.example", False),
        ("http://h.example:8866", "https://huanjie.example", False),
    ],
)
def test_the_origin_is_the_servers_own(origin: str, public: str | None, own: bool) -> None:
    request = SimpleNamespace(headers=HTTPHeaders({"Host": "h.example:8866", "Origin": origin}))
    handler: Any = SimpleNamespace(request=request, settings={"public_origin": public})
    assert same_origin(handler) is own


def test_a_page_is_told_whom_the_server_takes_its_viewer_for() -> None:
    town = Actor("zhao", "石桥镇", Role.TOWNSHIP, ("990101102",))
    assert told_of(Viewer("zhao", town)) == {
        "office": "石桥镇",
        "account": f"{Role.TOWNSHIP.label} · 账号 zhao · 只看本辖区",
    }
    assert told_of(Viewer("6f0c")) == {"office": "本机", "account": "凭启动时的网址打开"}


def test_a_page_that_is_long_in_drawing_is_not_taken_for_one_that_nobody_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "_LOOKED_EVERY_S", 0.01)
    place = Place(Viewer("zhao"), since=0.0)

    async def drawn() -> AsyncGenerator[str, None]:
        while not place.since:
            await asyncio.sleep(0.01)
        yield "<main>"

    kernels: Any = SimpleNamespace()
    pieces = drawn()

    async def asked() -> list[str | None]:
        return [await gate._next(pieces, kernels, place) for _ in range(2)]

    assert run_apart(asyncio.wait_for(asked(), 60)) == ["<main>", None]
    assert place.since > 0


@pytest.mark.parametrize(("answer_within", "open_after"), [(None, True), (1, False)])
def test_a_page_that_answers_pings_stays_connected(
    caplog: pytest.LogCaptureFixture, answer_within: int | None, open_after: bool
) -> None:
    """Ten pings go to and fro; with one interval to answer in, the first cuts a page that answers."""
    usual = server_config(
        Path("a"), host="127.0.0.1", port=1, token="t", pool_size=0, open_browser=False, runtime=Path("a")
    ).Voila.tornado_settings
    within = answer_within or usual["ws_ping_timeout"] / usual["ws_ping_interval"]

    class Door(ChannelDoor):
        """The channel without a kernel behind it."""

        def prepare(self) -> None: ...

        async def get(self) -> None:
            await WebSocketHandler.get(self)

        def open(self) -> None:
            WebSocketMixin.open(self)

        def on_close(self) -> None: ...

        def select_subprotocol(self, subprotocols: list[str]) -> None:
            del subprotocols

    async def is_open() -> bool:
        settings = {"ws_ping_interval": 50, "ws_ping_timeout": 50 * within}
        server = HTTPServer(Application([("/", Door)], **settings))
        (listener,) = bind_sockets(0, "127.0.0.1")
        server.add_socket(listener)
        page = await websocket_connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        closed = asyncio.ensure_future(page.read_message())
        await asyncio.wait([closed], timeout=0.5 if open_after else 30)
        told = not closed.done()
        page.close()
        await closed
        server.stop()
        await server.close_all_connections()
        return told

    assert run_apart(is_open()) is open_after
    assert "ping_timeout" not in caplog.text
