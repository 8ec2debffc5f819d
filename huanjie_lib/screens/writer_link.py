"""The server's end of the line to the writer: starts it, signs for the account, restarts it when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.netutil import Resolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import Fault, LedgerError
from huanjie_lib.screens.listening import LONGEST_SOCKET_PATH
from huanjie_lib.store.tokens import KEY_BYTES, Purpose, TokenSigner
from huanjie_lib.store.writer import Settings

__all__ = ["Answer", "Place", "WriterLink"]

_READY_WITHIN_S: Final = 120.0
_ENDS_WITHIN_S: Final = 30.0
_ANSWER_WITHIN_S: Final = 60.0
_UPLOAD_WITHIN_S: Final = 660.0
_MOST_STARTS: Final = 5
_STARTS_WITHIN_S: Final = 600.0
"""A writer that dies more often than that in this time is not started again."""

_RECORDING: Final = frozenset({"append", "decide"})
"""Purposes of what a screen shows once it is recorded."""

GONE: Final = {
    "ok": False,
    "code": "network",
    "title": "登记服务中断，还不知道是否已经登记。请按“重试”：同一次操作不会重复登记。",
    "lines": ["登记服务会自动重新启动；一直如此时，请管理员查看服务日志。"],
}
"""The answer when the writer died with a request in hand; the page repeats it under the same event id."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where the ledger of a screen lies.

    Parameters
    ----------
    store
        Path or address of the ledger, with the right to write; for the writer alone.
    evidence, heads
        Folders of the files and of the daily heads; ``None`` for none.
    reader
        Path or address for those who only read.
    """

    store: str
    evidence: str | None
    heads: str | None
    reader: str


@dataclass(frozen=True)
class Answer:
    """HTTP status and JSON of an answer."""

    status: int
    body: dict[str, Any]


class WriterLink:
    """A writer of one's own, as a child process, on behalf of one account or of those that a proxy signs on.

    Parameters
    ----------
    place
        The ledger.
    actor
        On whose behalf everything is asked; ``None`` where each request tells.
    runtime
        Private folder for the socket.
    command
        How the writer is started.

    Attributes
    ----------
    recorded
        Called with the account, in a thread, when something may have been recorded in its name, before the
        answer is given: whoever then looks sees it.
    """

    recorded: Callable[[Actor], None] | None = None

    def __init__(
        self,
        place: Place,
        actor: Actor | None,
        runtime: Path,
        *,
        command: tuple[str, ...] = (sys.executable, "-m", "huanjie_lib.store.writer"),
    ) -> None:
        self.place, self.actor = place, actor
        self._command = command
        self._environment = dict(os.environ)  # a writer started anew finds no password in the server's
        socket = runtime / "writer.sock"
        on_socket = sys.platform != "win32" and len(bytes(socket)) <= LONGEST_SOCKET_PATH
        self._socket = str(socket) if on_socket else None
        self._process: subprocess.Popen[bytes] | None = None
        self._signer: TokenSigner | None = None
        self._client: SimpleAsyncHTTPClient | None = None
        self._port = 0
        self._starting = threading.Lock()
        self._starts: deque[float] = deque(maxlen=_MOST_STARTS)
        self._ended = False

    # ------------------------------------------------------------ the process

    @property
    def pid(self) -> int:
        """Number of the writer's process; 0 before it was started."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the writer and wait until it listens; nothing happens while one is running.

        Raises
        ------
        LedgerError
            If it cannot open the ledger, in its own words, or has died too often.
        """
        with self._starting:
            if self._ended or (self._process is not None and self._process.poll() is None):
                return
            now = time.monotonic()
            if len(self._starts) == _MOST_STARTS and now - self._starts[0] < _STARTS_WITHIN_S:
                found = f"{_STARTS_WITHIN_S / 60:.0f} 分钟内中断 {_MOST_STARTS} 次"
                fault = Fault("登记服务", found, "正常运行", "查看服务日志后重新运行 huanjie serve")
                raise LedgerError("登记服务反复中断，不再自动启动", [fault])
            self._starts.append(now)
            self._reap()
            key = secrets.token_bytes(KEY_BYTES)
            place = self.place
            settings = Settings(place.store, key.hex(), self._socket, place.evidence, place.heads)
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                close_fds=True,
                env=self._environment,
            )
            told = self._hear(self._process, settings)
            if not told["ok"]:
                self._reap()
                raise LedgerError(told["title"], [Fault(*fault) for fault in told["faults"]])
            self._signer, self._port, self._client = TokenSigner(key), told.get("port", 0), None

    @staticmethod
    def _hear(process: subprocess.Popen[bytes], settings: Settings) -> dict[str, Any]:
        """Hand over the settings and return the first line of the answer."""
        assert process.stdin is not None
        assert process.stdout is not None
        listener = ThreadPoolExecutor(1)
        try:
            process.stdin.write(settings.to_json().encode() + b"\n")
            process.stdin.flush()
            line = listener.submit(process.stdout.readline).result(_READY_WITHIN_S)
        except (OSError, TimeoutError):
            line = b""
            process.kill()
        finally:
            listener.shutdown(wait=False)
        if line:
            return dict(json.loads(line))
        fault = ["登记服务", "没有启动", "正常启动", "查看服务日志后重新运行 huanjie serve"]
        return {"ok": False, "title": "登记服务不能启动", "faults": [fault]}

    def stop(self) -> None:
        """End the writer after the event in hand; it is not started again."""
        self._ended = True
        with self._starting:
            self._reap()

    def _reap(self) -> None:
        """End the process by closing its standard input; kill it when it does not end."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
        except BrokenPipeError:  # it died with words on the way
            logger.warning("登记服务已先行结束")
        try:
            process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            logger.error("登记服务没有按时结束，已强行结束")
            process.kill()
            process.wait()
        process.stdout.close()

    # ------------------------------------------------------------ asking

    async def ask(
        self,
        method: str,
        path: str,
        purpose: Purpose,
        *,
        actor: Actor | None = None,
        headers: dict[str, str] | None = None,
        body: AsyncIterator[bytes] | None = None,
    ) -> Answer:
        """Ask the writer on behalf of an account.

        Parameters
        ----------
        method, path
            Request.
        purpose
            What the token is for.
        actor
            On whose behalf; by default the account that the writer was started for.
        headers
            Headers beside the token.
        body
            The content as it comes; an error of its own breaks off the request and is raised.

        Returns
        -------
        Answer
            The writer's, or :data:`GONE` when it died with the request in hand.

        Raises
        ------
        LedgerError
            If there is no writer and none can be started; nothing was asked then.
        ValueError
            If nobody is named to ask for.
        """
        actor = actor or self.actor
        if actor is None:
            raise ValueError("nobody to ask for")
        await asyncio.get_running_loop().run_in_executor(None, self.start)
        if self._signer is None or self._ended:
            raise LedgerError("服务正在停止，没有登记", [])

        async def produce(write: Callable[[bytes], Awaitable[None]]) -> None:
            assert body is not None
            async for chunk in body:
                await write(chunk)

        request = HTTPRequest(
            f"http://127.0.0.1:{self._port or 80}{path}",
            method=method,
            headers={**(headers or {}), "Authorization": f"Bearer {self._signer.sign(actor, purpose)}"},
            body_producer=None if body is None else produce,  # type: ignore[arg-type]
            connect_timeout=_ANSWER_WITHIN_S,
            request_timeout=_ANSWER_WITHIN_S if body is None else _UPLOAD_WITHIN_S,
            follow_redirects=False,
        )
        try:
            response = await self._speaking().fetch(request, raise_error=False)
            answer = Answer(response.code, dict(json.loads(response.body)))
        except (HTTPClientError, OSError, StreamClosedError, ValueError) as error:
            logger.warning("登记服务没有答复：%s", error)
            answer = Answer(502, dict(GONE))
        if purpose in _RECORDING and self.recorded is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.recorded, actor)
        return answer

    def _speaking(self) -> SimpleAsyncHTTPClient:
        if self._client is None:
            options: dict[str, Any] = {"force_instance": True, "max_clients": 100}
            if self._socket is not None:
                options["resolver"] = _SocketResolver(path=self._socket)
            self._client = SimpleAsyncHTTPClient(**options)
        return self._client


class _SocketResolver(Resolver):
    """Finds one Unix socket whatever the host."""

    def initialize(self, path: str) -> None:
        self._path = path

    async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:  # noqa: ARG002
        import socket

        return [(socket.AF_UNIX, self._path)]
