"""Somebody who speaks to a screen's server without the page: plain requests and the widgets' channel."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.kernel_messages import PROTOCOL, read

T = TypeVar("T")

__all__ = ["BUFFER", "Answer", "Attacker", "Channel", "Page", "message"]

BUFFER = "(bytes)"
"""What stands in a state for what has come as bytes."""
_ANSWERS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Answer:
    """Status, headers and text of an answer."""

    status: int
    headers: http.client.HTTPMessage
    text: str


def message(
    kind: str, content: Any, *, channel: str = "shell", header: bytes | None = None, number: str = "n"
) -> bytes:
    """Return a message of Jupyter's websocket protocol, version 1."""
    told = {"msg_id": number, "msg_type": kind, "session": "s", "username": "", "version": "5.3"}
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
        # in a thread, since a browser test may have left a loop running in this one; pings are answered there
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._socket = self._run(self._opened(url, headers, protocol))
        except BaseException:
            self._end()
            raise

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @staticmethod
    async def _opened(url: str, headers: dict[str, str], protocol: str | None) -> Any:
        request = HTTPRequest(url, headers=headers, request_timeout=_ANSWERS_WITHIN_S)
        return await websocket_connect(request, subprotocols=[protocol] if protocol else None)

    def send(self, content: bytes | str) -> None:
        """Send a message as it is."""
        self._run(self._sent(content))

    async def _sent(self, content: bytes | str) -> None:
        await self._socket.write_message(content, binary=isinstance(content, bytes))

    def say(self, kind: str, content: Any, **options: Any) -> str:
        """Send a message of a kind, and return its number."""
        number = uuid.uuid4().hex
        self.send(message(kind, content, number=number, **options))
        return number

    def ask(self, kind: str, content: Any) -> list[tuple[str, Any]]:
        """Send what is let through, and return kind and content of all that comes until it is dealt with.

        A kernel deals with one message after the other: what others brought about before it is there too.
        """
        number = self.say(kind, content)
        owed = {"idle", *([kind.replace("request", "reply")] if kind.endswith("_request") else [])}
        heard = []
        while owed:
            told = read(self._run(self._next()))
            heard.append((told.kind, told.content))
            if told.answers == number:
                owed -= {"idle" if told.dealt_with else told.kind}
        return heard

    async def _next(self) -> bytes:
        raw = await asyncio.wait_for(self._socket.read_message(), _ANSWERS_WITHIN_S)
        assert isinstance(raw, bytes), "the server has hung up"
        return raw

    def states(self) -> dict[str, dict[str, Any]]:
        """Ask for the state of all widgets, displayed or not, and return it by number."""
        comm = uuid.uuid4().hex
        self.say("comm_open", {"comm_id": comm, "target_name": "jupyter.widget.control", "data": {}})
        heard = self.ask("comm_msg", {"comm_id": comm, "data": {"method": "request_states"}})
        told = [content["data"] for kind, content in heard if kind == "comm_msg"]
        (found,) = (data for data in told if data.get("method") == "update_states")
        states: dict[str, dict[str, Any]] = {n: each["state"] for n, each in found["states"].items()}
        for number, *_, name in found.get("buffer_paths", []):
            states[number][name] = BUFFER
        return states

    def press(self, widget: str, action: str, value: str) -> list[tuple[str, Any]]:
        """Press a button of a panel, there or not, and return what follows."""
        content = {"action": action, "value": value}
        return self.ask("comm_msg", {"comm_id": widget, "data": {"method": "custom", "content": content}})

    def close(self) -> None:
        """Hang up."""
        self._run(self._closed())
        self._end()

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
