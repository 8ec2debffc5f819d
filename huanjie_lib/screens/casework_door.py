"""The door from a casework page: ``/casework/append``, ``/dispatch``, ``/evidence`` and ``/file``.

A request is let through when it brings the login cookie (or token), comes from a page of this very server and
carries that page's cross-site token. It is then asked of the writer on behalf of the account that a proxy has
signed on, else of the one the server was started for, whatever it says itself. What a page sends is handed on
as it comes; nothing is kept here. Files are made here, from what the account may see, with its name on every
page, and handed out once the access log has them.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import quote

import pandas as pd
from jupyter_server.base.handlers import JupyterHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, authenticated, stream_request_body

from huanjie_lib.access.grants import RESTRICTED
from huanjie_lib.access.scope import may_see
from huanjie_lib.casework.events import Actor
from huanjie_lib.contracts import Purpose as DataPurpose
from huanjie_lib.errors import Fault, LedgerError, TransitionError
from huanjie_lib.screens.gate import same_origin, viewer_of
from huanjie_lib.screens.writer_link import Answer, WriterLink
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.media import MEDIA_TYPES, MOST_BYTES
from huanjie_lib.store.run_folder import read_ledgers, read_run
from huanjie_lib.store.tokens import Purpose
from huanjie_lib.store.writer import MOST_ACTION_BYTES, NAME_HEADER, check_length, told, too_big
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import AccessAction, CaseEvent

__all__ = ["HandingDoor", "door_handlers", "made_file", "members", "note", "tell"]

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

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
_AGAIN: Final = "刷新页面后重试"
_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))


def door_handlers(link: WriterLink, run: Path) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the addresses of the door, each with its handler and what that needs.

    Parameters
    ----------
    link
        The line to the writer.
    run
        Folder of the run on view, from which files are made.
    """
    options = {"link": link}
    return [
        (r"/casework/file", SavedDoor, {**options, "run": run}),
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


# ---------------------------------------------------------------- files that the server makes


def members(body: bytes, *names: str) -> list[str]:
    """Return the texts that a page has sent under names, and refuse anything else.

    Raises
    ------
    TransitionError

    Examples
    --------
    >>> members(b'{"what": "plan"}', "what")
    ['plan']
    """
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict) or set(told) != set(names):
        raise TransitionError("请求不能识别", [Fault("请求", "内容不对", "界面填写的内容", _AGAIN)])
    if not all(isinstance(told[name], str) for name in names):
        raise TransitionError("请求不能识别", [Fault("请求", "内容不对", "文字", _AGAIN)])
    return [told[name] for name in names]


async def note(link: WriterLink, entry: AccessEntry, actor: Actor) -> Answer:
    """Have the writer record an entry of the access log."""
    return await tell(link, "/access", "access", entry.model_dump_json(), actor)


async def tell(link: WriterLink, path: str, purpose: Purpose, text: str, actor: Actor) -> Answer:
    """Send the writer a JSON text on behalf of an account."""
    body = text.encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return await link.ask("POST", path, purpose, actor=actor, headers=headers, body=_once(body))


async def _once(text: bytes) -> AsyncIterator[bytes]:
    yield text


class HandingDoor(Door):
    """Hands out what it makes of a request once the access log has it."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse what is too long."""
        await super().prepare()
        if not self._finished:
            check_length(self.request.headers.get("Content-Length"), MOST_ACTION_BYTES)

    async def asked(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function makes of the body of the request, in a thread of its own."""
        body = self.request.body
        if len(body) > MOST_ACTION_BYTES:
            raise too_big(MOST_ACTION_BYTES)
        return await asyncio.get_running_loop().run_in_executor(None, work, body, *arguments)

    def answer(self, answer: Answer) -> None:
        """Answer as the writer did."""
        self.set_status(answer.status)
        self.finish(answer.body)

    async def hand_out(
        self, name: str, content: bytes, media_type: str, *, purpose: DataPurpose, entry_id: str
    ) -> None:
        """Record a file and answer with it; where it cannot be recorded, with why not."""
        entry = AccessEntry(
            entry_id=entry_id,
            action=AccessAction.EXPORT,
            purpose=purpose,
            subject=name,
            digest=hashlib.sha256(content).hexdigest(),
            items=1,
        )
        answer = await note(self.link, entry, self.actor)
        if answer.status != 200:
            self.answer(answer)
            return
        self.set_header("Content-Type", media_type)
        self.set_header("Content-Disposition", "attachment")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(content)


class SavedDoor(HandingDoor):
    """``POST /casework/file``: the ledgers, or the plan of a red unit, as far as the account may see them."""

    def initialize(self, link: WriterLink, run: Path) -> None:  # type: ignore[override]
        """Take the line to the writer and the folder of the run."""
        super().initialize(link)
        self.run = run

    @authenticated
    async def post(self) -> None:
        """Make a file, record it, and hand it out."""
        entry_id, name, content, media_type = await self.asked(self._make)
        await self.hand_out(name, content, media_type, purpose="casework", entry_id=entry_id)

    def _make(self, body: bytes) -> tuple[str, str, bytes, str]:
        what, unit_code, entry_id = members(body, "what", "unit_code", "entry_id")
        place = self.link.place
        with open_ledger(_address(place.reader), read_only=True, evidence=None) as ledger:
            return entry_id, *made_file(what, unit_code, self.run, ledger, self.actor)


def made_file(what: str, unit_code: str, run: Path, ledger: Ledger, actor: Actor) -> tuple[str, bytes, str]:
    """Return name, content and media type of a file that a page asks for, with its account on every page.

    Raises
    ------
    TransitionError
        If there is no such file.
    UsageError
        If it is not for this account.
    """
    if what not in {"ledgers", "plan"}:
        raise TransitionError("没有导出", [Fault("文件", "没有这种文件", "台账、一村一策", _AGAIN)])
    from huanjie_lib.exports.casework import account_plan, account_workbook  # wanted now and then

    stamp = Stamp(actor.account, actor.office, actor.role, "整改督办", dt.datetime.now(_BEIJING).date())
    assessed = read_run(run)
    ledgers = read_ledgers(run, restricted=what == "ledgers" and actor.role in RESTRICTED)
    if what == "plan":
        name, content = account_plan(assessed, ledgers, ledger, actor, unit_code, stamp=stamp)
        return name, content, DOCX
    name = f"整改台账-{assessed.as_of:%Y%m%d}.xlsx"
    return name, account_workbook(assessed, ledgers, ledger, actor, stamp=stamp), XLSX
