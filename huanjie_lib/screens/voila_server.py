"""The Voilà server behind a screen: one notebook, one token, nothing else.

A viewer may talk to the widgets of a kernel and to nothing more. The server listens on a socket it was given,
hands out no file, takes no template or theme from the address, checks origin, host and cross-site requests,
and answers a request without the token with a page that says what to do.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import signal
import sys
import textwrap
import threading
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import jinja2
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler
from traitlets.config import Config
from voila.app import Voila
from voila.tornado.handler import TornadoVoilaHandler

from huanjie_lib.screens.gate import (
    KERNEL_ID,
    MOST_MESSAGE_BYTES,
    ChannelDoor,
    HealthDoor,
    KernelDoor,
    NothingDoor,
    PageDoor,
    ShutdownDoor,
    SignedOn,
    StaticDoor,
    TokenOnly,
)
from huanjie_lib.screens.kernels import MOST_EACH, MOST_PAGES, KernelNumber, OwnKernel, ScreenKernels
from huanjie_lib.screens.listening import ENDING, LONGEST_SOCKET_PATH, LOOPBACK, Login
from huanjie_lib.screens.sign_on import SignOn

if TYPE_CHECKING:
    from huanjie_lib.screens.cuts import Cuts
    from huanjie_lib.screens.writer_link import WriterLink

__all__ = [
    "TEMPLATE",
    "TEMPLATE_ROOT",
    "ScreenServer",
    "cut_off_in_one_line",
    "server_config",
    "url_host",
]

TEMPLATE_ROOT: Final = Path(__file__).parent / "jupyter"
TEMPLATE: Final = "huanjie"

WIDGET_EXTENSIONS: Final = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
)
_CONTENT_POLICY: Final = "; ".join(
    [
        "default-src 'self'",
        # Jupyter's bundle compiles schemas and anywidget loads its modules from memory; no script may stand
        # in the page itself, so that a name that slipped through unescaped still could not act.
        "script-src 'self' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline' blob:",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' {websocket}",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_PING_MS: Final = 30_000
_PONG_WITHIN_MS: Final = 4 * _PING_MS
"""Judged when the next ping is due: with one interval, a ping sent late would cut off a page that lives."""
_REFILL_AFTER_S: Final = 4.0
"""Wait before the next kernel is started, so that it does not compete with the page now opening."""
_ASK_EVERY_S: Final = 0.1
_ASK_TIMES: Final = 300
_QUIET_FOR_S: Final = 120
"""Voilà writes a script into a page it has kept waiting longer than this; ours allows none and needs none."""
_CULL_AFTER_S: Final = 600
_CULL_EVERY_S: Final = 60
_CANCELLED_AGAIN_AFTER_S: Final = 0.1
_SAID_OF_AN_ERROR: Final = 100
"""Characters in the one line that a stop leaves of an error."""
_KERNEL_SOCKET_NAME: Final = len("/voila_xxxxxxxx/kernel-01234567-0123-0123-0123-0123456789ab-ipc-5")


class ScreenServer(Voila):  # type: ignore[misc]
    """Voilà on a given socket with every way in but the page closed.

    Attributes
    ----------
    listener
        Listening socket, bound before the server is built, so that a port in use is found first.
    announce
        Called once with the address when the server is ready for a viewer.
    signalled
        Set when a signal has come, upon which the server ends.
    writer
        Line to the writer, for a screen whose page records events.
    run
        Run folder, for a screen whose page is handed files of it.
    talent
        Talent folder, for a screen whose page records decisions on people.
    key
        Key file of the names in it; no kernel is told of it.
    sign_on
        How a proxy tells who looks; ``None`` where a token lets people in.
    cuts
        What kernels are given; called with a viewer, it returns what the kernel of this one is told that
        those in the pool are not.
    """

    listener: socket
    writer: WriterLink | None = None
    run: Path | None = None
    talent: Path | None = None
    key: Path | None = None
    sign_on: SignOn | None = None
    cuts: Cuts
    signalled: asyncio.Event
    announce: Callable[[str], None] | None = None

    def init_settings(self) -> dict[str, Any]:
        """Return Voilà's settings with our own error pages."""
        settings: dict[str, Any] = super().init_settings()
        settings["jinja2_env"] = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATE_ROOT / "voila" / "templates" / TEMPLATE), autoescape=True
        )
        settings["viewer_environment"] = self.cuts
        settings["log_function"] = _log_request
        if self.sign_on is not None:
            self.identity_provider.door = self.sign_on
            settings["public_origin"] = self.sign_on.public
        return settings

    def init_handlers(self) -> list[Any]:
        """Return the closed list of addresses: the page, its scripts, its kernel's channel, and the door.

        Of Voilà's own, the page alone is kept: its settings are taken from there.
        """
        door: list[Any] = []
        page_door: Any = PageDoor
        if self.writer is not None and self.talent is not None:
            from huanjie_lib.screens import talent_door  # other screens need no ledger

            door = talent_door.door_handlers(self.writer, self.talent, self.key)
            page_door = talent_door.logged_page(PageDoor, self.writer, self.talent)
        elif self.writer is not None and self.run is not None:
            from huanjie_lib.screens import casework_door

            door = casework_door.door_handlers(self.writer, self.run)
        page = next(rest for _, handler, *rest in super().init_handlers() if handler is TornadoVoilaHandler)
        template = TEMPLATE_ROOT / "voila" / "templates" / TEMPLATE / "static"
        extensions = "|".join(map(re.escape, WIDGET_EXTENSIONS))
        return [
            *door,
            *self.identity_provider.get_handlers(),
            (r"/()", page_door, *page),
            (r"/healthz", HealthDoor),
            (rf"/api/kernels/{KERNEL_ID}", KernelDoor),
            (rf"/api/kernels/{KERNEL_ID}/channels", ChannelDoor),
            (rf"/voila/api/shutdown/{KERNEL_ID}", ShutdownDoor),
            (r"/voila/static/([\w-]+(?:\.[\w-]+)*\.js)", StaticDoor, {"path": "\0".join(self.static_paths)}),
            (rf"/voila/templates/{TEMPLATE}/static/(page\.(?:css|js))", StaticDoor, {"path": str(template)}),
            (
                rf"/voila/labextensions/((?:{extensions})/static/[\w-]+(?:\.[\w-]+)*\.js)",
                StaticDoor,
                {"path": "\0".join(self.labextensions_path)},
            ),
            (r".*", NothingDoor),
        ]

    @property
    def token_url(self) -> str:
        """Address that opens the screen."""
        if self.sign_on is not None:
            return f"{self.sign_on.public}/"
        return f"http://{url_host(self.ip)}:{self.port}/?token={self.identity_provider.token}"

    def initialize(self, argv: list[str] | None = None) -> None:
        """Build the server; from here on a signal ends it in order, and any further one changes nothing."""
        self.ioloop = IOLoop.current()
        self.signalled = asyncio.Event()
        super().initialize(argv)
        self.log.addFilter(KernelNumber())
        for number in ENDING:
            signal.signal(number, self._handle_signal_stop)

    def _handle_signal_stop(self, sig: int, frame: object) -> None:  # noqa: ARG002
        self.ioloop.add_callback_from_signal(self.signalled.set)

    def listen(self) -> None:
        """Serve on the given socket until a signal comes; all signals are ignored afterwards."""
        self.ioloop.run_sync(self._serve)
        for number in ENDING:  # what is left takes a moment, and nothing in it could be ended in order
            signal.signal(number, signal.SIG_IGN)

    async def _serve(self) -> None:
        server = HTTPServer(self.app)
        server.add_socket(self.listener)
        self.ioloop.add_callback(self._tell)
        watch = asyncio.create_task(self.kernel_manager.watch(), name="watch")
        seen = asyncio.create_task(self.cuts.watch(), name="cuts")
        await self.signalled.wait()
        watch.cancel()
        seen.cancel()
        server.stop()
        with cut_off_in_one_line():
            await self.kernel_manager.settle()
            await _cancel_the_rest()
            await self.kernel_manager.end()
            shutil.rmtree(self.connection_dir, ignore_errors=True)

    async def _tell(self) -> None:
        """Tell the address, and open it, once the first kernel is on its way: a viewer then gets that one."""
        if self.voila_configuration.preheat_kernel:
            for _ in range(_ASK_TIMES):
                if self.kernel_manager.notebook_data:
                    break
                await asyncio.sleep(_ASK_EVERY_S)
        if self.announce is not None:
            self.announce(self.token_url)
        if self.open_browser:
            self.launch_browser()

    def launch_browser(self) -> None:
        """Open the default browser by a private page, so that no list of processes shows the token."""
        page = Path(self.connection_dir_root) / "open.html"
        page.write_text(f'<meta http-equiv="refresh" content="0;url={self.token_url}">', encoding="utf-8")
        threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()


async def _cancel_the_rest() -> None:
    """Cancel every other task until it has ended: one that runs a cell takes the first for a dead kernel."""
    while rest := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in rest:
            task.cancel()
        for task in (await asyncio.wait(rest, timeout=_CANCELLED_AGAIN_AFTER_S))[0]:
            if not task.cancelled() and (error := task.exception()) is not None:
                logging.getLogger(__name__).error("%s", task.get_name(), exc_info=error)


@contextmanager
def cut_off_in_one_line() -> Iterator[None]:
    """Tell each error in one line without traceback: what is being cut off fails, and that is no defect."""
    whole = logging.getLogRecordFactory()

    def in_one_line(*args: Any, **named: Any) -> logging.LogRecord:
        record = whole(*args, **named)
        if record.levelno >= logging.ERROR:
            error = record.exc_info[1] if record.exc_info else None
            text = record.getMessage() if error is None else f"{type(error).__name__}: {error}"
            said = textwrap.shorten(text, _SAID_OF_AN_ERROR, placeholder="…")
            record.msg, record.args, record.exc_info = f"停止服务时中断：{said}", (), None
        return record

    logging.setLogRecordFactory(in_one_line)
    try:
        with warnings.catch_warnings():
            # Voilà makes the coroutine that fills its pool before the wait after which it would run
            warnings.filterwarnings("ignore", r"coroutine .*_initialize' was never awaited", RuntimeWarning)
            yield
    finally:
        logging.setLogRecordFactory(whole)


def url_host(host: str) -> str:
    """Return a host as it stands in an address.

    Examples
    --------
    >>> url_host("127.0.0.1"), url_host("::1")
    ('127.0.0.1', '[::1]')
    """
    return f"[{host}]" if ":" in host else host


def _log_request(handler: RequestHandler) -> None:
    """Log a request that ended badly, by path alone: a query may hold the token."""
    status = handler.get_status()
    if status >= 500:
        logging.getLogger(__name__).error("%d %s %s", status, handler.request.method, handler.request.path)


def server_config(
    notebook: Path,
    *,
    host: str,
    port: int,
    token: str,
    pool_size: int,
    open_browser: bool,
    runtime: Path,
    sign_on: SignOn | None = None,
    login: Login | None = None,
    most: int = MOST_PAGES,
    most_each: int = MOST_EACH,
) -> Config:
    """Return the configuration of a :class:`ScreenServer`.

    Parameters
    ----------
    notebook
        The notebook, alone in its folder.
    host, port
        Address the socket is bound to.
    token
        What a viewer must bring.
    pool_size
        Kernels kept started for the next viewer.
    open_browser
        Whether to open the default browser.
    runtime
        Folder for connection files; on POSIX kernels are reached by sockets in it, never by a port, unless
        its path is too long for a socket.
    sign_on
        How a proxy tells who looks; the token is not used then.
    login
        What the server has in common with others, token included.
    most, most_each
        Pages open at the same time: of all viewers, of one.
    """
    config = Config()
    public = urlsplit(f"http://{url_host(host)}:{port}" if sign_on is None else sign_on.public)
    cookie: dict[str, Any] = {"samesite": "Strict"}
    if public.scheme == "https":
        cookie["secure"] = True
    websocket = f"{'wss' if public.scheme == 'https' else 'ws'}://{public.netloc}"
    config.Voila = Config(
        notebook_path=str(notebook),
        root_dir=str(notebook.parent),
        ip=host,
        port=port,
        open_browser=open_browser,
        token=token if login is None else login.token,
        identity_provider_class=TokenOnly if sign_on is None else SignedOn,
        connection_dir_root=str(runtime),
        config_file_paths=[],
        log_level="ERROR",
        tornado_settings={
            "xsrf_cookies": True,
            "xsrf_cookie_kwargs": cookie,
            "allow_remote_access": sign_on is None and host not in LOOPBACK,
            "local_hostnames": ["localhost", *([] if sign_on is None else [public.hostname])],
            "websocket_max_message_size": MOST_MESSAGE_BYTES,
            "ws_ping_interval": _PING_MS,
            "ws_ping_timeout": _PONG_WITHIN_MS,
            "headers": {
                "Content-Security-Policy": _CONTENT_POLICY.format(websocket=websocket),
                "Referrer-Policy": "same-origin",
                "X-Frame-Options": "DENY",
            },
        },
    )
    config.VoilaConfiguration = Config(
        template=TEMPLATE,
        allow_template_override="NO",
        allow_theme_override="NO",
        theme="light",
        strip_sources=True,
        show_tracebacks=False,
        file_allowlist=[],
        file_denylist=[".*"],
        extension_allowlist=list(WIDGET_EXTENSIONS),
        extension_denylist=[],
        attempt_fix_notebook=False,
        http_keep_alive_timeout=_QUIET_FOR_S,
        preheat_kernel=pool_size > 0,
        default_pool_size=pool_size,
        kernel_spec_manager_class=OwnKernel,
        multi_kernel_manager_class=ScreenKernels,
    )
    config.IdentityProvider.cookie_options = cookie
    if login is not None:
        config.IdentityProvider.cookie_name = login.cookie_name
        config.Voila.cookie_secret = bytes.fromhex(login.cookie_secret)
    config.MappingKernelManager = Config(
        cull_idle_timeout=_CULL_AFTER_S, cull_interval=_CULL_EVERY_S, cull_connected=False
    )
    config.ScreenKernels = Config(most=most, most_each=most_each)
    # one that came up anew would know nothing of the widgets on its page
    config.KernelManager.autorestart = False
    config.VoilaKernelManager.fill_delay = _REFILL_AFTER_S
    if sys.platform != "win32" and len(str(runtime)) + _KERNEL_SOCKET_NAME <= LONGEST_SOCKET_PATH:
        config.KernelManager.transport = "ipc"
    return config
