"""The writer: the one process that holds the ledger open for writing on behalf of a screen.

``huanjie serve --app casework`` starts it as a child and hands it, over its standard input, the ledger, the
place to listen at and the key of :mod:`huanjie_lib.store.tokens`: none of them stands in a list of processes,
in the environment or in a file. It listens on a Unix socket in a private folder (on Windows on 127.0.0.1) and
does what a request with a valid token asks:

``POST /append``
    An :class:`~huanjie_lib.casework.events.Action` as JSON, without actor: who acts is told by the token.
``POST /dispatch``
    Many dispatches, ``{"actions": [...]}``; the answer tells of each what became of it.
``POST /evidence``
    The content of one file; its name, percent-encoded, in ``X-File-Name``, its type in ``Content-Type``.
``POST /decide``
    A :class:`~huanjie_lib.store.decisions.Decision` on advice about people.
``POST /access``
    An :class:`~huanjie_lib.store.access_log.AccessEntry`: what somebody is about to see of people.
``GET /head``
    The end of the ledger.

Answers are JSON: ``{"ok": true, …}`` or ``{"ok": false, "code": …, "title": …, "lines": […]}``. One thread
writes, so that whoever uploads or asks does not wait for the disk. The writer ends with the standard input of
its parent or at SIGTERM, after the event in hand. With the first event of a day, and when it ends, it keeps
the head of the ledger beside it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Self, cast
from urllib.parse import unquote

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.errors import (
    DataError,
    EventClashError,
    Fault,
    HuanjieError,
    LedgerBusyError,
    LedgerError,
    LedgerFullError,
    StaleVersionError,
    TokenError,
    TransitionError,
)
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.batch import append_each, read_dispatches
from huanjie_lib.store.decisions import Decision
from huanjie_lib.store.engine import os_error
from huanjie_lib.store.evidence import Evidence, made_private
from huanjie_lib.store.heads import write_head
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.media import MOST_BYTES, check_media, media_type_of
from huanjie_lib.store.tokens import Purpose, TokenSigner
from huanjie_lib.vocabulary import Role

__all__ = [
    "MOST_ACTION_BYTES",
    "NAME_HEADER",
    "Settings",
    "Writer",
    "check_length",
    "main",
    "told",
    "too_big",
]

NAME_HEADER: Final = "X-File-Name"
MOST_ACTION_BYTES: Final = 1024 * 1024
"""Size of an action at most."""
_MOST_UPLOADS: Final = 4
"""Files taken in at the same time; each waits on the disk alone."""
_UPLOADERS: Final = frozenset({Role.CITY, Role.COUNTY, Role.TOWNSHIP, Role.AUDIT})
_UPLOAD_S: Final = 600.0
_LEFT_FOR_S: Final = 24 * 3600.0
"""No upload takes that long: what is left of one goes."""
_SETTLED_AFTER_S: Final = 20.0
"""No request in hand takes longer; then the writer ends all the same."""

#: How an error is told: the first kind that fits gives code and HTTP status.
_CODES: Final[tuple[tuple[type[HuanjieError], str, int], ...]] = (
    (StaleVersionError, "stale", 409),
    (EventClashError, "clash", 409),
    (TransitionError, "refused", 422),
    (DataError, "refused", 422),
    (TokenError, "token", 403),
    (LedgerBusyError, "busy", 503),
    (LedgerFullError, "full", 507),
    (LedgerError, "ledger", 503),
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What the parent tells the writer.

    Parameters
    ----------
    store
        Path or address of the ledger.
    key
        Key of the tokens, hex.
    socket
        Path of the Unix socket; ``None`` for a free port of 127.0.0.1.
    evidence, heads
        Folders of the files and of the daily heads; ``None`` for those beside a SQLite ledger.
    """

    store: str
    key: str
    socket: str | None
    evidence: str | None = None
    heads: str | None = None

    def to_json(self) -> str:
        """Return the settings as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read settings written by :meth:`to_json`."""
        return cls(**json.loads(text))


class Writer:
    """What the handlers share: the ledger, the thread that writes, and what is in hand.

    Parameters
    ----------
    ledger
        Open for writing.
    signer
        Reads the tokens.
    heads
        Folder of the daily heads; ``None`` to keep none.
    today
        Gives the day.
    """

    def __init__(
        self,
        ledger: Ledger,
        signer: TokenSigner,
        *,
        heads: Path | None,
        today: Callable[[], dt.date] = dt.date.today,
    ) -> None:
        self.ledger, self.signer = ledger, signer
        self._heads, self._today = heads, today
        self._kept_on: dt.date | None = None
        self._alone = ThreadPoolExecutor(1, "append")
        self._files = ThreadPoolExecutor(_MOST_UPLOADS, "evidence")
        self.uploads = 0
        self._in_hand: set[asyncio.Future[Any]] = set()
        self._ending = False

    async def append(self, action: Action) -> dict[str, Any]:
        """Record an event and tell where it stands."""
        event = await self._run(self._alone, self._append, action)
        links = {name: getattr(event, name) for name in ("sequence", "version", "recorded_at", "hash")}
        return {**links, "event_id": action.event_id, "case_id": action.case_id}

    def _append(self, action: Action) -> Any:
        event = self.ledger.append(action)
        self._keep_head_of_today()
        return event

    async def dispatch(self, actions: Sequence[Action]) -> list[dict[str, Any]]:
        """Record dispatches one after the other and tell of each case what became of it."""
        outcomes = await self._run(self._alone, self._dispatch, actions)
        return [
            {
                "case_id": one.action.case_id,
                **({"ok": True} if one.error is None else told(one.error)[1]),
            }
            for one in outcomes
        ]

    def _dispatch(self, actions: Sequence[Action]) -> Any:
        outcomes = append_each(self.ledger, actions)
        self._keep_head_of_today()
        return outcomes

    async def decide(self, decision: Decision, actor: Actor) -> dict[str, Any]:
        """Record a decision on advice about people and tell where it stands."""
        row = await self._run(self._alone, self._decide, decision, actor)
        return {name: row[name] for name in ("number", "decision_id", "recorded_at", "hash")}

    def _decide(self, decision: Decision, actor: Actor) -> Any:
        row = self.ledger.decide(decision, actor)
        self._keep_head_of_today()
        return row

    async def log_access(self, entry: AccessEntry, actor: Actor) -> dict[str, Any]:
        """Record what is done with the data of people and tell where it stands."""
        row = await self._run(self._alone, self._log_access, entry, actor)
        return {name: row[name] for name in ("number", "entry_id", "recorded_at", "hash")}

    def _log_access(self, entry: AccessEntry, actor: Actor) -> Any:
        row = self.ledger.log_access(entry, actor)
        self._keep_head_of_today()
        return row

    def _keep_head_of_today(self) -> None:
        if self._kept_on != self._today():
            self.keep_head()

    def keep_head(self) -> None:
        """Keep the head of today; what goes wrong is logged, for no event depends on it."""
        self._kept_on = self._today()
        if self._heads is not None:
            try:
                write_head(self.ledger, self._heads, self._kept_on)
            except (HuanjieError, OSError) as error:
                logger.error("链头没有留存：%s", error)

    async def put(self, file: BinaryIO, *, name: str, media_type: str) -> Evidence:
        """Check and keep a file."""

        def keep() -> Evidence:
            check_media(file, media_type)
            return self.ledger.evidence.put(file, name=name, media_type=media_type)

        kept: Evidence = await self._run(self._files, keep)
        return kept

    async def on_file(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do something that waits for the disk."""
        return await self._run(self._files, work, *arguments)

    async def head(self) -> dict[str, Any]:
        """Return the end of the ledger."""
        found = await self._run(self._files, self.ledger.head)
        return dict(json.loads(found.to_json()))

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run in a pool; whoever asked may go away, the work is finished all the same."""
        if self._ending:
            fault = Fault("登记服务", "正在停止", "运行中的服务", "服务重新启动后再操作一次")
            raise LedgerBusyError("没有登记", [fault])
        doing = asyncio.get_running_loop().run_in_executor(pool, work, *arguments)
        self._in_hand.add(doing)
        doing.add_done_callback(self._in_hand.discard)
        return await asyncio.shield(doing)

    async def settle(self) -> None:
        """Take nothing more, wait for what is in hand, keep the head and close the ledger."""
        self._ending = True
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=_SETTLED_AFTER_S)
        await asyncio.get_running_loop().run_in_executor(self._alone, self.keep_head)
        self._alone.shutdown()
        self._files.shutdown()
        self.ledger.close()

    def application(self) -> Application:
        """Return the requests that are answered."""
        options = {"writer": self}
        return Application(
            [
                (r"/append", AppendHandler, options),
                (r"/dispatch", DispatchHandler, options),
                (r"/evidence", EvidenceHandler, options),
                (r"/decide", DecideHandler, options),
                (r"/access", AccessHandler, options),
                (r"/head", HeadHandler, options),
            ],
            default_handler_class=NothingHandler,
            default_handler_args=options,
            log_function=lambda _: None,  # what goes wrong is logged where it does
        )


def told(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return HTTP status and answer of an error: its own words if a user can act on them, else a number.

    Examples
    --------
    >>> status, answer = told(StaleVersionError("C1", expected=3, found=4))
    >>> status, answer["code"], answer["title"]
    (409, 'stale', '案件 C1 已被他人更新，本次操作没有登记')
    """
    if isinstance(error, HuanjieError):
        code, status = next(((c, s) for kind, c, s in _CODES if isinstance(error, kind)), ("refused", 422))
        lines = [str(fault) for fault in error.faults]
        return status, {"ok": False, "code": code, "title": error.summary, "lines": lines}
    if isinstance(error, HTTPError):
        title = {404: "没有这个地址。", 405: "不支持这种请求。", 413: "内容太大，没有收下。"}.get(
            error.status_code, "请求不能识别。"
        )
        lines = ["请刷新页面后再操作一次。"]
        return error.status_code, {"ok": False, "code": "refused", "title": title, "lines": lines}
    number = secrets.token_hex(4)
    logger.error("错误编号 %s", number, exc_info=error)
    lines = [f"请把错误编号 {number} 告诉管理员，详情见服务日志。"]
    return 500, {"ok": False, "code": "defect", "title": "登记服务出现程序错误。", "lines": lines}


class WriterHandler(RequestHandler):
    """A request: its token says on whose behalf, before anything else is looked at."""

    purpose: ClassVar[Purpose | None] = None
    actor: Actor

    def initialize(self, writer: Writer) -> None:
        """Take what all requests share."""
        self.writer = writer

    def prepare(self) -> None:
        """Read the token."""
        if self.purpose is None:
            raise HTTPError(404)
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        self.actor = self.writer.signer.read(token if scheme == "Bearer" else "", self.purpose)

    def set_default_headers(self) -> None:
        """Say no more than is needed."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Leave it to :func:`told`."""

    def write_error(self, status_code: int, **options: Any) -> None:
        """Answer with an error."""
        status, answer = told(options.get("exc_info", (None, HTTPError(status_code)))[1])
        self.set_status(status)
        self.finish(answer)


class NothingHandler(WriterHandler):
    """Any other address."""


class HeadHandler(WriterHandler):
    """``GET /head``."""

    purpose = "head"

    async def get(self) -> None:
        """Tell the end of the ledger."""
        self.finish({"ok": True, "head": await self.writer.head()})


class AppendHandler(WriterHandler):
    """``POST /append``."""

    purpose = "append"

    async def post(self) -> None:
        """Record an event."""
        action = Action.from_json(self.request.body, actor=self.actor)
        self.finish({"ok": True, "event": await self.writer.append(action)})


class DispatchHandler(WriterHandler):
    """``POST /dispatch``."""

    purpose = "append"

    async def post(self) -> None:
        """Record dispatches, each as an event of its own."""
        actions = read_dispatches(self.request.body, actor=self.actor)
        self.finish({"ok": True, "results": await self.writer.dispatch(actions)})


class DecideHandler(WriterHandler):
    """``POST /decide``."""

    purpose = "decide"

    async def post(self) -> None:
        """Record a decision."""
        decision = Decision.from_json(self.request.body)
        self.finish({"ok": True, "decision": await self.writer.decide(decision, self.actor)})


class AccessHandler(WriterHandler):
    """``POST /access``."""

    purpose = "access"

    async def post(self) -> None:
        """Record an entry of the access log."""
        entry = AccessEntry.from_json(self.request.body)
        self.finish({"ok": True, "entry": await self.writer.log_access(entry, self.actor)})


@stream_request_body
class EvidenceHandler(WriterHandler):
    """``POST /evidence``: the file goes to the disk as it comes in, and no further than the limit.

    A file that is refused is read to its end all the same: whoever is cut off while sending gets no answer.
    """

    purpose = "evidence"
    _refusal: HuanjieError | None = None
    _file: BinaryIO | None = None
    _size = 0
    _counted = _at_work = _gone = False

    async def prepare(self) -> None:  # type: ignore[override]
        """Find out what need not be kept."""
        check_length(self.request.headers.get("Content-Length"), MOST_BYTES)
        self.request.connection.set_max_body_size(MOST_BYTES + 1)  # type: ignore[union-attr]
        self.request.connection.set_body_timeout(_UPLOAD_S)  # type: ignore[union-attr]
        try:
            super().prepare()
            self._check()
            self.writer.uploads += 1
            self._counted = True
            self._file = await self.writer.on_file(self._temporary)
        except HuanjieError as error:
            self._refusal = error

    def _check(self) -> None:
        if self.actor.role not in _UPLOADERS:
            allowed = "、".join(role.label for role in Role if role in _UPLOADERS)
            fault = Fault("操作角色", self.actor.role.label, allowed, "由有权限的单位上传")
            raise TransitionError("不能上传佐证材料", [fault])
        self._name = unquote(self.request.headers.get(NAME_HEADER, ""))
        self._media_type = media_type_of(self._name, self.request.headers.get("Content-Type", ""))
        if self.writer.uploads >= _MOST_UPLOADS:
            fault = Fault("登记服务", "正在收其他文件", "稍后再传", "稍等片刻后重新上传")
            raise LedgerBusyError("没有收下佐证材料", [fault])

    def _temporary(self) -> BinaryIO:
        folder = self.writer.ledger.evidence.path
        try:
            made_private(folder)
            return cast("BinaryIO", tempfile.TemporaryFile(dir=folder, suffix=".part"))
        except OSError as error:
            raise os_error("没有收下佐证材料", str(folder), error) from error

    async def data_received(self, chunk: bytes) -> None:
        """Write what has come."""
        self._size += len(chunk)
        if self._size > MOST_BYTES:
            raise too_big(MOST_BYTES)
        if self._refusal is None and self._file is not None:
            self._at_work = True
            try:
                await self.writer.on_file(self._file.write, chunk)
            except OSError as error:
                self._refusal = os_error("没有收下佐证材料", str(self.writer.ledger.evidence.path), error)
            finally:
                self._at_work = False
                if self._gone:
                    self._release()

    async def post(self) -> None:
        """Keep the file, now that it is here as a whole."""
        if self._refusal is not None or self._file is None:
            raise self._refusal or HTTPError(400)
        self._at_work = True
        kept = await self.writer.put(self._file, name=self._name, media_type=self._media_type)
        self.finish({"ok": True, "evidence": kept.to_json()})

    def on_finish(self) -> None:
        """Let the temporary file go."""
        self._release()

    def on_connection_close(self) -> None:
        """Let the temporary file go when the other side has gone and no thread is at it."""
        super().on_connection_close()
        self._gone = True
        if not self._at_work:
            self._release()

    def _release(self) -> None:
        if self._counted:
            self.writer.uploads -= 1
            self._counted = False
        if self._file is not None:
            self._file.close()
            self._file = None


def check_length(stated: str | None, most: int) -> None:
    """Refuse a request that says beforehand that it is too big.

    Raises
    ------
    DataError
    """
    if stated is not None and (not stated.isdecimal() or int(stated) > most):
        raise too_big(most)


def too_big(most: int) -> DataError:
    """Return the error of what is bigger than a number of bytes."""
    allowed = f"不超过 {most // 1024 // 1024} MB"
    fault = Fault("上传的内容", "太大", allowed, "压缩或分成几个文件后重新上传")
    return DataError("没有收下上传的内容", [fault])


# ---------------------------------------------------------------- the process


def main() -> int:
    """Read the settings from standard input, say on standard output that all is ready, and serve."""
    for name in ("SIGINT", "SIGHUP"):  # a terminal sends them to parent and child; the parent ends the child
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings.from_json(sys.stdin.buffer.readline())
    try:
        ledger = open_ledger(
            settings.store, evidence=None if settings.evidence is None else Path(settings.evidence)
        )
    except HuanjieError as error:
        faults = [[f.where, f.found, f.allowed, f.remedy] for f in error.faults]
        _say({"ok": False, "title": error.summary, "faults": faults})
        return error.exit_code
    with closing(ledger):
        _sweep(ledger)
        heads = None if settings.heads is None else Path(settings.heads)
        signer = TokenSigner(bytes.fromhex(settings.key))
        asyncio.run(_serve(Writer(ledger, signer, heads=heads), settings.socket))
    return 0


def _sweep(ledger: Ledger) -> None:
    """Remove what uploads broken off long ago have left; failing is logged, for nothing depends on it."""
    try:
        swept = ledger.evidence.sweep(time.time() - _LEFT_FOR_S)
    except (LedgerError, OSError) as error:
        logger.error("没有清除中断的上传：%s", error)
        return
    if swept:
        logger.warning("清除了 %d 个中断的上传", swept)


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, ensure_ascii=True) + "\n")
    sys.stdout.flush()


async def _serve(writer: Writer, socket: str | None) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    server = HTTPServer(writer.application(), max_body_size=MOST_ACTION_BYTES)
    address: dict[str, Any] = {"ok": True}
    if socket is None:
        (listener,) = bind_sockets(0, "127.0.0.1")
        address["port"] = listener.getsockname()[1]
    else:
        from tornado.netutil import bind_unix_socket  # not there on Windows

        listener = bind_unix_socket(socket, mode=0o600)
    server.add_socket(listener)
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    parent = threading.Thread(target=_wait_for_parent, args=(loop, stop), daemon=True)
    parent.start()
    _say(address)
    await stop.wait()
    server.stop()
    await writer.settle()
    await server.close_all_connections()


def _wait_for_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when the standard input ends: the parent has closed it, or is no more.

    Read past the buffer: a thread that waits there holds its lock, and Python aborts over that at its end.
    """
    while os.read(sys.stdin.fileno(), 1024):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    raise SystemExit(main())
