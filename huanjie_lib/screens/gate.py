"""What a browser can reach of a screen, and who may: the page, its files, its kernel's channel, nothing else.

A viewer can say anything over the channel of widgets, so that only three kinds of messages pass inwards, to
widgets that the kernel has made, and only what widgets need passes outwards. What goes wrong is told by a
number, whose text stands in the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, authenticated
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from huanjie_lib.errors import HuanjieError
from huanjie_lib.screens.kernels import (
    FullError,
    Place,
    PlaceKernels,
    ScreenKernels,
    Viewer,
    error_number,
    working_for,
)
from huanjie_lib.screens.sign_on import OWN_HEADERS, NotSignedOnError, SignOn

__all__ = [
    "KERNEL_ID",
    "MOST_MESSAGE_BYTES",
    "ChannelDoor",
    "HealthDoor",
    "KernelDoor",
    "NothingDoor",
    "PageDoor",
    "ShutdownDoor",
    "SignedOn",
    "StaticDoor",
    "TokenOnly",
    "checked_message",
    "same_origin",
    "told_of",
    "viewer_of",
]

KERNEL_ID: Final = r"(?P<kernel_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
MOST_MESSAGE_BYTES: Final = 1024 * 1024
"""A message of a page at most; what one presses, picks and types is far smaller."""

_PROTOCOL: Final = "v1.kernel.websocket.jupyter.org"
_MOST_PARTS: Final = 64
_CONTENT: Final = 3
"""Header, parent header, metadata and content come first in a message, then buffers."""
_INWARDS: Final = frozenset(
    {"comm_open", "comm_msg", "comm_close", "comm_info_request", "kernel_info_request"}
)
_OPENED: Final = frozenset({"jupyter.widget.control"})
"""The one comm that a page opens: it asks for the state of the widgets that are there."""
_OUTWARDS: Final = frozenset(
    {
        "comm_open",
        "comm_msg",
        "comm_close",
        "comm_info_reply",
        "kernel_info_reply",
        "status",
    }
)
_TOLD_BY_NUMBER: Final = frozenset({"stream", "error"})
_LOOKED_EVERY_S: Final = 2.0
_LOGGED: Final = 4000
"""Characters of what a kernel says amiss that the log keeps."""

logger = logging.getLogger(__name__)


# ---------------------------------------------------------------- who looks


class RefusedError(HTTPError):
    """A refusal with words of its own.

    Parameters
    ----------
    status
        HTTP status.
    title, line
        What the page says.
    log
        What the log says.
    """

    def __init__(self, status: int, title: str, line: str, *, log: str) -> None:
        super().__init__(status, log)
        self.title, self.line = title, line


class TokenOnly(IdentityProvider):
    """The token opens the door; there is no login form and nothing to log out of."""

    def get_handlers(self) -> list[tuple[str, object]]:
        """Return the one address unauthenticated requests are sent to."""
        return [(r"/login", NoLoginDoor)]

    async def get_user(self, handler: RequestHandler) -> User | None:
        """Return the viewer of the token or its cookie; what only a proxy may say is refused.

        A server that was not started behind a proxy would otherwise take everybody for its own account.
        """
        if any(name.lower().startswith(OWN_HEADERS) for name in handler.request.headers):
            raise RefusedError(
                403,
                "没有访问权限",
                "本服务没有启用统一登录，不接受代理传来的账号；请管理员检查启动参数和反向代理的设置。",
                log="headers of a proxy came to a server without sign-on",
            )
        return await self._get_user(handler)

    def viewer(self, user: User) -> Viewer:
        """Return the viewer behind a login."""
        return Viewer(user.username)


class SignedOn(IdentityProvider):
    """The reverse proxy says who looks; there is no token, no cookie and no form."""

    door: SignOn

    def get_handlers(self) -> list[tuple[str, object]]:
        """Return nothing: whoever is not signed on is refused where he is."""
        return []

    def get_user(self, handler: RequestHandler) -> User | None:
        """Return the account that the proxy has signed on."""
        try:
            return User(self.door.admit(handler.request.headers).account)
        except NotSignedOnError as error:
            logger.warning("refused: %s", error)
            raise RefusedError(403, error.title, error.line, log=str(error)) from error

    def viewer(self, user: User) -> Viewer:
        """Return the viewer behind an account."""
        return Viewer(user.username, self.door.accounts[user.username])


def viewer_of(handler: JupyterHandler) -> Viewer:
    """Return who looks.

    Raises
    ------
    tornado.web.HTTPError
        403 if nobody is logged in.
    """
    if handler.current_user is None:
        raise HTTPError(403)
    viewer: Viewer = handler.identity_provider.viewer(handler.current_user)  # type: ignore[attr-defined]
    return viewer


def same_origin(handler: RequestHandler) -> bool:
    """Tell whether a request comes from a page of this very server; one without an origin does not."""
    origin = handler.request.headers.get("Origin", "").lower()
    public: str | None = handler.settings.get("public_origin")
    if public is not None:
        return origin == public
    return urlsplit(origin).netloc == handler.request.headers.get("Host", "").lower() != ""


# ---------------------------------------------------------------- errors


class Told(RequestHandler):
    """Tells what went wrong in plain words and, where it is a defect, by a number that the log explains."""

    _number = ""

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log a defect under a number; what was refused is no defect."""
        if isinstance(value, RefusedError) or (isinstance(value, HTTPError) and value.status_code < 500):
            logger.info("%s %s: %s", self.request.method, self.request.path, value)
            return
        self._number = secrets.token_hex(4)
        logger.error("错误编号 %s", self._number, exc_info=(typ, value, tb) if typ and value else True)

    def write_error(self, status_code: int, **options: Any) -> None:
        """Answer with the page for errors."""
        error = options.get("exc_info", (None, None))[1]
        words = (error.title, error.line) if isinstance(error, RefusedError) else None
        page = self.settings["jinja2_env"].get_template("error.html")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if status_code in {429, 503}:
            self.set_header("Retry-After", "60")
        proxy = self.settings.get("public_origin") is not None
        self.finish(page.render(status_code=status_code, words=words, number=self._number, proxy=proxy))


class NoLoginDoor(Told, JupyterHandler):
    """Where requests without the token end up."""

    @allow_unauthenticated
    def get(self) -> None:
        """Refuse, with the page that says which address to use."""
        raise HTTPError(403)


class NothingDoor(Told):
    """Any other address: there is nothing, whoever asks."""

    def prepare(self) -> None:
        """Say so."""
        raise HTTPError(404)


class HealthDoor(Told):
    """``GET /healthz``: whether the server answers, for whoever keeps watch on this machine; nothing else.

    It needs no login and tells no more than that: the proxy does not pass it on.
    """

    def get(self) -> None:
        """Say that the server is there, or with 503 that it is about to end."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        ending = self.settings["kernel_manager"].ending
        self.set_status(503 if ending else 200)
        self.finish("ending\n" if ending else "ok\n")

    head = get


class StaticDoor(Told, StaticFileHandler):
    """Scripts and styles that the page needs, by names that the address pattern closes in."""

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Return where a file lies under the first of several roots that holds it."""
        roots = root.split("\0")
        found = (Path(one) / path for one in roots)
        return str(next((file for file in found if file.is_file()), Path(roots[0]) / path))

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Refuse what does not lie under a root."""
        file = Path(absolute_path).resolve()
        for one in root.split("\0"):
            if file.is_relative_to(Path(one).resolve()):
                return super().validate_absolute_path(one, absolute_path)
        raise HTTPError(404)


# ---------------------------------------------------------------- the page and its kernel


class PageDoor(Told, TornadoVoilaHandler):  # type: ignore[misc]
    """The page, with the cookie it needs to end its kernel when it closes."""

    _kernels: PlaceKernels | None = None

    @property
    def kernel_manager(self) -> Any:
        """The kernels as this page sees them."""
        return self._kernels or super().kernel_manager

    @authenticated
    async def get(self, path: str | None = None) -> None:  # noqa: ARG002
        """Answer with the page, once there is room and its turn has come."""
        if self.request.headers.get("Sec-Fetch-Dest", "document") != "document":
            raise HTTPError(403, "a page of another site embeds this one")
        self.xsrf_token  # noqa: B018 - reading it sets the cookie
        viewer = viewer_of(self)
        kernels: ScreenKernels = self.settings["kernel_manager"]
        try:
            async with kernels.place(viewer) as place:
                environment = await self._told(viewer)
                self._kernels = PlaceKernels(kernels, place, environment)
                if self._kernels.get_pool_size(self.notebook_path):
                    await self._draw(kernels, place)
                else:
                    async with kernels.turn():
                        if not self._gone():
                            await self._draw(kernels, place)
                self._kernels.forget_request()
        except FullError as error:
            logger.warning("no room: %s", error)
            if error.own:
                title, line = (
                    "打开的页面太多",
                    f"您已经打开了 {error.most} 个页面。请关闭不用的页面，稍等几秒后刷新。",
                )
            else:
                title, line = (
                    "访问的人太多",
                    f"现在已打开 {error.most} 个页面，不能再多。请几分钟后刷新；一直如此时请联系管理员。",
                )
            raise RefusedError(429 if error.own else 503, title, line, log=str(error)) from error

    async def _told(self, viewer: Viewer) -> Mapping[str, str]:
        """Return what the kernel of a viewer is told; where there is nothing for the account, say so."""
        try:
            told: Mapping[str, str] = await self.settings["viewer_environment"](viewer)
        except HuanjieError as error:
            line = "；".join(f"{fault.found}：{fault.remedy}" for fault in error.faults)
            raise RefusedError(503, error.summary, line, log=str(error)) from error
        return told

    async def _draw(self, kernels: ScreenKernels, place: Place) -> None:
        """Send the page as it comes; where its kernel dies on the way, it ends with a number in its place."""
        pieces = self.get_generator()
        try:
            while (piece := await _next(pieces, kernels, place)) is not None:
                self.write(piece)
                self.flush()
        except Exception:
            if not self._headers_written:
                raise
            self._number = error_number(place.kernel_id)
            logger.exception("错误编号 %s", self._number)
            amiss = self.settings["jinja2_env"].get_template("amiss.html")
            self.write(f"{amiss.render(number=self._number)}</main></body></html>\n")

    def _gone(self) -> bool:
        """Tell whether whoever asked has left while the page waited in line."""
        stream = getattr(self.request.connection, "stream", None)
        return stream is not None and stream.closed()


async def _next(pieces: AsyncGenerator[str, None], kernels: ScreenKernels, place: Place) -> str | None:
    """Return the next piece of a page, ``None`` at its end.

    Raises
    ------
    RuntimeError
        If the kernel that should make it has died: Voilà would wait for ever.
    """
    working_for(place.kernel_id)
    coming = asyncio.ensure_future(anext(pieces, None))
    while not (await asyncio.wait({coming}, timeout=_LOOKED_EVERY_S))[0]:
        place.since = time.monotonic()  # a page cannot connect, nor give way to another, before it is drawn
        if place.kernel_id and not await kernels.lives(place.kernel_id):
            await asyncio.wait({coming}, timeout=_LOOKED_EVERY_S)  # what it had said may still be on its way
            if not coming.done():
                coming.cancel()
                raise RuntimeError("the kernel died while its page was drawn")
    return coming.result()


class KernelDoor(Told, JupyterHandler):
    """``GET /api/kernels/<id>``: whether a page's kernel is still there, which the page keeps asking."""

    @authenticated
    async def get(self, kernel_id: str) -> None:
        """Answer with what the page needs to know of its kernel."""
        kernels = self.settings["kernel_manager"]
        if not (kernels.belongs(kernel_id, viewer_of(self)) and await kernels.lives(kernel_id)):
            raise HTTPError(404)
        self.set_header("Cache-Control", "no-store")
        kernel = kernels.get_kernel(kernel_id)
        self.finish(
            {
                "id": kernel_id,
                "name": kernel.kernel_name,
                "execution_state": getattr(kernel, "execution_state", "idle"),
                "connections": kernels._kernel_connections.get(kernel_id, 0),
                "last_activity": kernel.last_activity.isoformat(),
                "viewer": told_of(viewer_of(self)),
            }
        )

    def get_login_url(self) -> str:
        """Refuse instead of sending elsewhere."""
        raise HTTPError(403)


def told_of(viewer: Viewer) -> dict[str, str]:
    """Return whom the server takes a viewer for, as the head of a page tells it."""
    actor = viewer.actor
    if actor is None:
        return {"office": "本机", "account": "凭启动时的网址打开"}
    told = "" if actor.role.label == actor.office else f"{actor.role.label} · "
    return {
        "office": actor.office,
        "account": f"{told}账号 {actor.account}{' · 只看本辖区' if actor.scope else ''}",
    }


class ShutdownDoor(Told, JupyterHandler):
    """``POST /voila/api/shutdown/<id>``: the page closes and lets its kernel go."""

    @authenticated
    async def post(self, kernel_id: str) -> None:
        """End the kernel; one that has gone already, or is another's, is not there."""
        RequestHandler.check_xsrf_cookie(self)
        if not same_origin(self):
            raise HTTPError(403, "another origin")
        kernels = self.settings["kernel_manager"]
        if not kernels.belongs(kernel_id, viewer_of(self)):
            raise HTTPError(404)
        await kernels.shutdown_kernel(kernel_id, now=True)
        self.set_status(204)


class ChannelDoor(Told, VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """``/api/kernels/<id>/channels``: the widgets' channel, for the viewer whose kernel it is."""

    async def get(self, kernel_id: str) -> None:
        """Open the channel."""
        if self.current_user is None or not same_origin(self):
            raise HTTPError(403)
        kernels = self.settings["kernel_manager"]
        if not (kernels.belongs(kernel_id, viewer_of(self)) and await kernels.lives(kernel_id)):
            raise HTTPError(404)
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
        if _PROTOCOL not in offered:
            raise HTTPError(400)
        channel: Any = super()
        await channel.get(kernel_id)

    def get_websocket_protocol(self) -> Any:
        """Return the protocol, without pings of its own: Jupyter's handler sends them.

        Tornado would take Jupyter's milliseconds for seconds, and warn of a time to answer that is longer
        than the time between two pings, as Jupyter's must be.
        """
        protocol = super().get_websocket_protocol()
        if protocol is not None:
            protocol.params.ping_interval = None
        return protocol

    def on_message(self, ws_message: str | bytes) -> None:
        """Hand a message on to the kernel; anything but the doings of widgets is dropped."""
        refused = checked_message(ws_message)
        if refused:
            logger.warning("kernel %s: a message of its page was dropped: %s", self.kernel_id, refused)
            return
        super().on_message(ws_message)

    def write_message(self, message: Any, binary: bool = False) -> Any:
        """Hand a message on to the page; what the kernel says amiss goes to the log, under a number."""
        kind, parts = _kind(message) if isinstance(message, bytes) else (None, [])
        if kind in _OUTWARDS:
            return super().write_message(message, binary)
        if kind in _TOLD_BY_NUMBER:
            level = logging.ERROR if kind == "error" else logging.WARNING
            logger.log(level, "错误编号 %s：%s", error_number(self.kernel_id), _amiss(parts)[:_LOGGED])
        return None


def checked_message(message: str | bytes) -> str:
    """Return why a message of a page is refused, empty where it may pass.

    Examples
    --------
    >>> checked_message("{}")
    'not of the protocol'
    >>> checked_message((2**60).to_bytes(8, "little") + bytes(64))
    'malformed'
    """
    if not isinstance(message, bytes):
        return "not of the protocol"
    try:
        kind, parts = _kind(message)
        if kind not in _INWARDS:
            return f"type {str(kind)[:40]!r}"
        if _channel(message) != "shell":
            return "not on the shell channel"
        content = json.loads(parts[_CONTENT])
        if kind == "comm_open" and content["target_name"] not in _OPENED:
            return f"opens {str(content['target_name'])[:40]!r}"
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        return "malformed"
    return ""


def _offsets(message: bytes) -> list[int]:
    """Return where the parts of a message begin and end (Jupyter's websocket protocol, version 1)."""
    number = int.from_bytes(message[:8], "little")
    if not _CONTENT + 2 < number <= _MOST_PARTS:
        raise ValueError("number of parts")
    offsets = [int.from_bytes(message[8 * i : 8 * i + 8], "little") for i in range(1, number + 1)]
    if offsets != sorted(offsets) or offsets[0] != 8 * (number + 1) or offsets[-1] != len(message):
        raise ValueError("places of parts")
    return offsets


def _channel(message: bytes) -> str:
    offsets = _offsets(message)
    return message[offsets[0] : offsets[1]].decode("ascii")


def _kind(message: bytes) -> tuple[str | None, list[bytes]]:
    """Return type and parts of a message."""
    offsets = _offsets(message)
    parts = [message[start:end] for start, end in pairwise(offsets[1:])]
    header = json.loads(parts[0])
    return header["msg_type"], parts


def _amiss(parts: list[bytes]) -> str:
    """Return the text of a stream or of an error."""
    content = json.loads(parts[_CONTENT])
    lines = content.get("traceback") or [content.get("text", "")]
    return "\n".join(map(str, lines)).strip()
