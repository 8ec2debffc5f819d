"""Somebody who speaks to a screen's server without the page: plain requests and the widgets' channel."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

__all__ = ["BUFFER", "Answer", "Attacker", "Channel", "Page", "message"]

PROTOCOL = "v1.kernel.websocket.jupyter.org"
BUFFER = "(bytes)"
"""What stands in a state for what has come as bytes."""
_ANSWERS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Answer:
    """Status, headers and text of an answer."""

    status: int
    headers: http.client.HTTPMessage
    text: str


def message(kind: str, content: Any, *, channel: str = "shell", header: bytes | None = None) -> bytes:
    """Return a message of Jupyter's websocket protocol, version 1."""
    told = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s", "username": "", "version": "5.3"}
    parts = [
        channel.encode(),
        header or json.dumps(told).encode(),
        b"{}",
        b'{"version": "1.0.0"}',  # of the widgets' own protocol
        json.dumps(content).encode(),
    ]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


class Channel:
    """An open channel of a kernel."""

    def __init__(self, url: str, headers: dict[str, str], *, protocol: str | None = PROTOCOL) -> None:
        self._runner = asyncio.Runner()
        try:
            self._socket = self._runner.run(self._opened(url, headers, protocol))
        except BaseException:
            self._runner.close()
            raise

    @staticmethod
    async def _opened(url: str, headers: dict[str, str], protocol: str | None) -> Any:
        request = HTTPRequest(url, headers=headers, request_timeout=_ANSWERS_WITHIN_S)
        return await websocket_connect(request, subprotocols=[protocol] if protocol else None)

    def send(self, content: bytes | str) -> None:
        """Send a message as it is."""
        self._runner.run(self._sent(content))

    async def _sent(self, content: bytes | str) -> None:
        await self._socket.write_message(content, binary=isinstance(content, bytes))

    def say(self, kind: str, content: Any, **options: Any) -> None:
        """Send a message of a kind."""
        self.send(message(kind, content, **options))

    def hear(self, *, within: float = 0.8) -> list[tuple[str, Any]]:
        """Return kind and content of every message that comes until none has come for a while."""
        heard = []
        while (raw := self._runner.run(self._next(within))) is not None:
            number = int.from_bytes(raw[:8], "little")
            offsets = [int.from_bytes(raw[8 * i : 8 * i + 8], "little") for i in range(1, number + 1)]
            header, content = (json.loads(raw[offsets[i] : offsets[i + 1]]) for i in (1, 4))
            heard.append((header["msg_type"], content))
        return heard

    async def _next(self, within: float) -> bytes | None:
        try:
            raw = await asyncio.wait_for(self._socket.read_message(), within)
        except TimeoutError:
            return None
        return raw

    def states(self) -> dict[str, dict[str, Any]]:
        """Ask for the state of all widgets, displayed or not, and return it by number."""
        comm = uuid.uuid4().hex
        self.say("comm_open", {"comm_id": comm, "target_name": "jupyter.widget.control", "data": {}})
        self.say("comm_msg", {"comm_id": comm, "data": {"method": "request_states"}})
        until = time.monotonic() + _ANSWERS_WITHIN_S
        while time.monotonic() < until:
            for kind, content in self.hear(within=1.0):
                if kind == "comm_msg" and content["data"].get("method") == "update_states":
                    states: dict[str, dict[str, Any]] = {
                        number: told["state"] for number, told in content["data"]["states"].items()
                    }
                    for number, *_, name in content["data"].get("buffer_paths", []):
                        states[number][name] = BUFFER
                    return states
        raise AssertionError("the kernel told no states")

    def press(self, widget: str, action: str, value: str) -> list[tuple[str, Any]]:
        """Press a button of a panel, there or not, and return what follows."""
        content = {"action": action, "value": value}
        self.say("comm_msg", {"comm_id": widget, "data": {"method": "custom", "content": content}})
        return self.hear()

    def close(self) -> None:
        """Hang up."""
        self._runner.run(self._closed())
        self._runner.close()

    async def _closed(self) -> None:
        self._socket.close()
        while await self._socket.read_message() is not None:
            pass


@dataclass
class Page:
    """A page that was loaded, without a browser: its kernel and the cookies that it left."""

    kernel: str
    text: str
    cookies: dict[str, str]


@dataclass
class Attacker:
    """Somebody with an address, and headers that go with all he asks."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Origin of the server's own page."""
        return f"http://{urlsplit(self.url).netloc}"

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        """Ask for a path exactly as it stands."""
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=120)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {**self.headers, **named})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def page(self, path: str = "/") -> Page:
        """Load the page."""
        answer = self.ask(path)
        assert answer.status == 200, (answer.status, answer.text[-600:])
        found = re.search(r'"kernelId": ?"([0-9a-f-]{36})"', answer.text)
        assert found, answer.text[-600:]
        jar = [cookie.partition(";")[0] for cookie in answer.headers.get_all("Set-Cookie") or []]
        return Page(found[1], answer.text, dict(cookie.split("=", 1) for cookie in jar))

    @contextmanager
    def channel(self, kernel: str, **headers: str) -> Iterator[Channel]:
        """Open the channel of a kernel."""
        protocol: str | None = headers.pop("protocol", PROTOCOL)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"ws{self.url.removeprefix('http').rstrip('/')}/api/kernels/{kernel}/channels?session_id=s"
        channel = Channel(url, {"Origin": self.origin, **self.headers, **named}, protocol=protocol or None)
        try:
            yield channel
        finally:
            channel.close()

    def leave(self, page: Page) -> int:
        """Close a page as its script does, and return the status of the answer."""
        jar = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
        return self.ask(
            f"/voila/api/shutdown/{page.kernel}",
            "POST",
            "",
            Cookie=f"{self.headers.get('Cookie', jar)}; _xsrf={page.cookies['_xsrf']}",
            X_XSRFToken=page.cookies["_xsrf"],
            Origin=self.origin,
        ).status
