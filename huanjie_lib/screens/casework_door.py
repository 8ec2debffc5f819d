"""The door from a casework page to the writer: ``/casework/append``, ``/dispatch`` and ``/evidence``.

A request is let through when it brings the login cookie (or token), comes from a page of this very server and
carries that page's cross-site token. It is then asked of the writer on behalf of the account that a proxy has
signed on, else of the one the server was started for, whatever it says itself. What a page sends is handed on
as it comes; nothing is kept here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import quote

import pandas as pd
from jupyter_server.base.handlers import JupyterHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, authenticated, stream_request_body

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import Fault, LedgerError
from huanjie_lib.screens.board import may_see
from huanjie_lib.screens.gate import same_origin, viewer_of
from huanjie_lib.screens.writer_link import Answer, WriterLink
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.media import MEDIA_TYPES, MOST_BYTES
from huanjie_lib.store.tokens import Purpose
from huanjie_lib.store.writer import MOST_ACTION_BYTES, NAME_HEADER, check_length, told, too_big
from huanjie_lib.vocabulary import CaseEvent

__all__ = ["door_handlers"]

_BLOCK: Final = 256 * 1024
_AHEAD: Final = 4
"""Blocks taken from the page before the writer has had them."""
_FORBIDDEN: Final = {
    "ok": False,
    "code": "forbidden",
    "title": "请求没有通过校验，没有登记。",
    "lines": ["请使用启动服务时终端里显示的完整网址重新打开本页，再操作一次。"],
}
_REFUSED: Final = frozenset({403, 404})
"""How Jupyter's own checks refuse; another origin gets the latter."""
_NOT_THERE: Final = {"ok": False, "code": "missing", "title": "没有这份材料，或本账号无权查看。", "lines": []}
_SAFE: Final = frozenset(MEDIA_TYPES.values())


def door_handlers(link: WriterLink) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the addresses of the door, each with its handler and what that needs."""
    options = {"link": link}
    return [
        (r"/casework/append", AppendDoor, options),
        (r"/casework/dispatch", DispatchDoor, options),
        (r"/casework/evidence", EvidenceDoor, options),
        (r"/casework/evidence/([\w-]{1,64})/([0-9a-f]{64})", FileDoor, options),
    ]


class Door(JupyterHandler):
    """Lets through what comes from a page of this server, with its login."""

    def initialize(self, link: WriterLink) -> None:
        """Take the line to the writer."""
        self.link = link

    async def prepare(self) -> None:  # type: ignore[override]
        """Check login, origin and cross-site token; Jupyter asks the last two of cookies alone."""
        await super().prepare()
        if self._finished:
            return
        named = "Origin" in self.request.headers
        if (named or self.request.method == "POST") and not same_origin(self):
            raise HTTPError(403, "another origin, or none")
        if self.request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise HTTPError(403, "another site")
        if self.request.method == "POST":
            RequestHandler.check_xsrf_cookie(self)

    @property
    def actor(self) -> Actor:
        """On whose behalf the page acts: the account signed on, else the one the server was started for."""
        actor = viewer_of(self).actor or self.link.actor
        assert actor is not None
        return actor

    def set_cors_headers(self) -> None:
        """Give no other origin leave to read an answer."""

    def set_default_headers(self) -> None:
        """Let nothing be kept by the browser."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def write_error(self, status_code: int, **options: Any) -> None:
        """Answer in JSON, with an error number in place of a defect's text."""
        error = options.get("exc_info", (None, HTTPError(status_code)))[1]
        if isinstance(error, HTTPError) and error.status_code in _REFUSED:
            self.set_status(403)
            self.finish(dict(_FORBIDDEN))
            return
        status, answer = told(error)
        self.set_status(status)
        self.finish(answer)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Leave it to :func:`~huanjie_lib.store.writer.told`."""


@stream_request_body
class PostDoor(Door):
    """Hands the body of a request on to the writer while it comes in."""

    path: ClassVar[str]
    purpose: ClassVar[Purpose]
    most: ClassVar[int]
    passed: ClassVar[tuple[str, ...]] = ("Content-Type", "Content-Length")
    _size = 0
    _asking: asyncio.Task[Answer] | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        """Begin to ask."""
        await super().prepare()
        if self._finished or self.request.method != "POST":
            return
        check_length(self.request.headers.get("Content-Length"), self.most)
        headers = {name: self.request.headers[name] for name in self.passed if name in self.request.headers}
        self._blocks: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asked = self.link.ask(
            "POST", self.path, self.purpose, actor=self.actor, headers=headers, body=self._body()
        )
        self._asking = asyncio.create_task(asked)

    async def _body(self) -> AsyncIterator[bytes]:
        while (block := await self._next()) is not None:
            yield block

    async def _next(self) -> bytes | None:
        """Return the next block, ``None`` at the end; raise when the page has gone."""
        waiting = asyncio.ensure_future(self._blocks.get())
        either: set[asyncio.Future[Any]] = {waiting, self._broken}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._broken.done():
            waiting.cancel()
            raise StreamBrokenError
        return waiting.result()

    async def data_received(self, chunk: bytes) -> None:
        """Hand a block on, or let it go where the writer has answered already."""
        self._size += len(chunk)
        if self._size > self.most:
            self._break()
            raise too_big(self.most)
        await self._hand(chunk)

    async def _hand(self, block: bytes | None) -> None:
        if self._asking is None or self._asking.done():
            return
        putting = asyncio.ensure_future(self._blocks.put(block))
        either: set[asyncio.Future[Any]] = {putting, self._asking}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        putting.cancel()

    @authenticated
    async def post(self) -> None:
        """Answer as the writer does."""
        assert self._asking is not None
        await self._hand(None)
        answer = await self._asking
        self.set_status(answer.status)
        self.finish(answer.body)

    def on_connection_close(self) -> None:
        """Let the writer drop what has come in part."""
        super().on_connection_close()
        self._break()

    def _break(self) -> None:
        if self._asking is not None and not self._asking.done() and not self._broken.done():
            self._broken.set_result(None)
            self._asking.add_done_callback(_seen)


class StreamBrokenError(Exception):
    """The page went away before it had sent all."""


def _seen(task: asyncio.Task[Answer]) -> None:
    """Take note of the outcome of what nobody waits for any more."""
    if not task.cancelled():
        task.exception()


class AppendDoor(PostDoor):
    """``POST /casework/append``."""

    path, purpose, most = "/append", "append", MOST_ACTION_BYTES


class DispatchDoor(PostDoor):
    """``POST /casework/dispatch``."""

    path, purpose, most = "/dispatch", "append", MOST_ACTION_BYTES


class EvidenceDoor(PostDoor):
    """``POST /casework/evidence``."""

    path, purpose, most = "/evidence", "evidence", MOST_BYTES
    passed = (*PostDoor.passed, NAME_HEADER)


class FileDoor(Door):
    """``GET /casework/evidence/<case>/<digest>``: a file of a case that the account may see, to be saved."""

    @authenticated
    async def get(self, case_id: str, digest: str) -> None:
        """Give out a file after checking that it is what was recorded."""
        loop = asyncio.get_running_loop()
        try:
            name, media_type, size, stream = await loop.run_in_executor(
                None, self._find, self.actor, case_id, digest
            )
        except KeyError:
            self.set_status(404)
            self.finish(dict(_NOT_THERE))
            return
        with stream:
            self.set_header("Content-Type", media_type if media_type in _SAFE else "application/octet-stream")
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}")
            self.set_header("Content-Length", str(size))
            self.set_header("X-Content-Type-Options", "nosniff")
            try:
                while block := await loop.run_in_executor(None, stream.read, _BLOCK):
                    self.write(block)
                    await self.flush()
            except StreamClosedError:  # whoever saves it has changed his mind
                return

    def _find(self, actor: Actor, case_id: str, digest: str) -> tuple[str, str, int, BinaryIO]:
        """Return name, type, size and stream of a file.

        Raises
        ------
        KeyError
            If there is no such case or file, or the account may not see it.
        LedgerError
            If the file is not what was recorded.
        """
        place = self.link.place
        evidence = None if place.evidence is None else Path(place.evidence)
        with open_ledger(_address(place.reader), read_only=True, evidence=evidence) as ledger:
            return _file_of(ledger, actor, case_id, digest)


def _address(text: str) -> str | Path:
    return text if "://" in text else Path(text)


def _file_of(ledger: Ledger, actor: Actor, case_id: str, digest: str) -> tuple[str, str, int, BinaryIO]:
    with ledger.snapshot() as moment:
        case, events = moment.case(case_id), moment.events(case_id)
    row = {"unit_code": case.unit_code, "restricted": case.restricted, "owner": case.owner}
    if not may_see(pd.DataFrame([row]), actor).iloc[0]:
        raise KeyError(case_id)
    payloads = events.loc[events["event"] == CaseEvent.RECTIFY.value, "payload"]
    items = {item["digest"]: item for text in payloads for item in json.loads(text)["evidence"]}
    item = items[digest]
    stream = ledger.evidence.open(digest)
    if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
        stream.close()
        remedy = "用 huanjie check --ledger 核验台账"
        fault = Fault(item["name"], "与登记的摘要不同", "登记时的文件", remedy)
        raise LedgerError("佐证材料被改动或损坏", [fault])
    stream.seek(0)
    return item["name"], item["media_type"], item["bytes"], stream
