"""The Voilà server behind a screen: one notebook, one token, nothing else.

A viewer may talk to the widgets of a kernel and to nothing more. The server listens on a socket it was given,
hands out no file, takes no template or theme from the address, checks origin, host and cross-site requests,
and answers a request without the token with a page that says what to do.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
import textwrap
import threading
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Final

import jinja2
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import HTTPError
from traitlets.config import Config
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.handler import TornadoVoilaHandler

from huanjie_lib.screens.serve import ENDING, LOOPBACK

if TYPE_CHECKING:
    from huanjie_lib.screens.writer_link import WriterLink

__all__ = [
    "TEMPLATE",
    "TEMPLATE_ROOT",
    "ScreenKernels",
    "ScreenServer",
    "cut_off_in_one_line",
    "server_config",
    "url_host",
]

TEMPLATE_ROOT: Final = Path(__file__).parent / "jupyter"
TEMPLATE: Final = "huanjie"

_WIDGET_EXTENSIONS: Final = (
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
_REFILL_AFTER_S: Final = 4.0
"""Wait before the next kernel is started, so that it does not compete with the page now opening."""
_ASK_EVERY_S: Final = 0.1
_ASK_TIMES: Final = 300
_QUIET_FOR_S: Final = 120
"""Voilà writes a script into a page it has kept waiting longer than this; ours allows none and needs none."""
_CULL_AFTER_S: Final = 600
_CULL_EVERY_S: Final = 60
_SETTLED_AFTER_S: Final = 15.0
"""No kernel takes longer to come up as a process or to go; after that the stop goes on all the same."""
_CANCELLED_AGAIN_AFTER_S: Final = 0.1
_SAID_OF_AN_ERROR: Final = 100
"""Characters in the one line that a stop leaves of an error."""
_LONGEST_SOCKET_PATH: Final = 103
"""Bytes of a Unix socket's path on the strictest system (macOS)."""
_KERNEL_SOCKET_NAME: Final = len("/voila_xxxxxxxx/kernel-01234567-0123-0123-0123-0123456789ab-ipc-5")


class NoLoginHandler(JupyterHandler):
    """Where requests without the token end up."""

    @allow_unauthenticated
    def get(self) -> None:
        """Refuse, with the page that says which address to use."""
        raise HTTPError(403)


class TokenOnly(IdentityProvider):
    """The token opens the door; there is no login form and nothing to log out of."""

    def get_handlers(self) -> list[tuple[str, object]]:
        """Return the one address unauthenticated requests are sent to."""
        return [(r"/login", NoLoginHandler)]


class PageHandler(TornadoVoilaHandler):  # type: ignore[misc]
    """The page, with the cookie it needs to end its kernel when it closes."""

    async def get(self, path: str | None = None) -> None:
        """Answer with the page; anything else under the root is refused by Voilà's file handler."""
        self.xsrf_token  # noqa: B018 - reading it sets the cookie
        await super().get(path)


class OwnKernel(KernelSpecManager):
    """Only the interpreter this server runs in, whatever kernels the machine has registered."""

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the one kernel there is."""
        return {NATIVE_KERNEL_NAME: RESOURCES}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002
        """Return this interpreter as a kernel without history; its log goes to the server's stderr."""
        extra = ["--HistoryManager.enabled=False", "--IPKernelApp.capture_fd_output=False"]
        return KernelSpec(
            resource_dir=RESOURCES,
            interrupt_mode="message",  # a signal would print a traceback when the server stops early
            **get_kernel_dict(extra_arguments=extra),
        )


class ScreenKernels(AsyncMappingKernelManager):
    """Kernels that can all be ended, whatever they are at."""

    ending = False

    async def start_kernel(self, **options: Any) -> str:  # type: ignore[override]
        """Start a kernel; whoever still wants one when all are being ended is cancelled."""
        if self.ending:
            raise asyncio.CancelledError
        return str(await super().start_kernel(**options))

    async def settle(self) -> None:
        """Start no more kernels, and wait until each has come up or gone: none can be lost sight of then."""
        self.ending = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_AFTER_S):
                while changing := self._changing():
                    await asyncio.wait(changing)

    def _changing(self) -> list[asyncio.Future[Any]]:
        kernels = [self.get_kernel(kernel_id) for kernel_id in self.list_kernel_ids()]
        for kernel in kernels:
            kernel.stop_restarter()
        changes = [*self._pending_kernels.values(), *(kernel.ready for kernel in kernels)]
        return [change for change in changes if not change.done()]

    async def end(self) -> None:
        """Kill every kernel; one that cannot be ended keeps no other.

        A kernel that is asked while it runs a cell is interrupted in it all the same, and says so with
        tracebacks of its own. What a cell writes for good, a proposal, is there as a whole or not at all.
        """
        ends = (self._kill(kernel_id) for kernel_id in self.list_kernel_ids())
        for outcome in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _kill(self, kernel_id: str) -> None:
        process = self.get_kernel(kernel_id).provisioner
        if process is not None and process.has_process:
            await process.kill()
            await process.wait()
        await super().shutdown_kernel(kernel_id, now=True)  # type: ignore[no-untyped-call]


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
    talent
        Talent folder, for a screen whose page records decisions on people.
    """

    listener: socket
    writer: WriterLink | None = None
    talent: Path | None = None
    signalled: asyncio.Event
    announce: Callable[[str], None] | None = None

    def init_settings(self) -> dict[str, Any]:
        """Return Voilà's settings with our own error pages."""
        settings: dict[str, Any] = super().init_settings()
        settings["jinja2_env"] = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATE_ROOT / "voila" / "templates" / TEMPLATE), autoescape=True
        )
        return settings

    def init_handlers(self) -> list[Any]:
        """Return the door and Voilà's handlers, without the request-info socket, which asks for no token."""
        door: list[Any] = []
        if self.writer is not None and self.talent is not None:
            from huanjie_lib.screens import talent_door  # other screens need no ledger

            door = talent_door.door_handlers(self.writer, self.talent)
        elif self.writer is not None:
            from huanjie_lib.screens import casework_door

            door = casework_door.door_handlers(self.writer)
        return door + [
            (pattern, PageHandler if handler is TornadoVoilaHandler else handler, *rest)
            for pattern, handler, *rest in super().init_handlers()
            if handler is not RequestInfoSocketHandler
        ]

    @property
    def token_url(self) -> str:
        """Address that opens the screen."""
        return f"http://{url_host(self.ip)}:{self.port}/?token={self.identity_provider.token}"

    def initialize(self, argv: list[str] | None = None) -> None:
        """Build the server; from here on a signal ends it in order, and any further one changes nothing."""
        self.ioloop = IOLoop.current()
        self.signalled = asyncio.Event()
        super().initialize(argv)
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
        await self.signalled.wait()
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


def server_config(
    notebook: Path, *, host: str, port: int, token: str, pool_size: int, open_browser: bool, runtime: Path
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
    """
    config = Config()
    cookie = {"samesite": "Strict"}
    config.Voila = Config(
        notebook_path=str(notebook),
        root_dir=str(notebook.parent),
        ip=host,
        port=port,
        open_browser=open_browser,
        token=token,
        identity_provider_class=TokenOnly,
        connection_dir_root=str(runtime),
        config_file_paths=[],
        log_level="ERROR",
        tornado_settings={
            "xsrf_cookies": True,
            "xsrf_cookie_kwargs": cookie,
            "allow_remote_access": host not in LOOPBACK,
            "ws_ping_interval": _PING_MS,
            "ws_ping_timeout": _PING_MS,
            "headers": {
                "Content-Security-Policy": _CONTENT_POLICY.format(websocket=f"ws://{url_host(host)}:{port}"),
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
        extension_allowlist=list(_WIDGET_EXTENSIONS),
        extension_denylist=[],
        attempt_fix_notebook=False,
        http_keep_alive_timeout=_QUIET_FOR_S,
        preheat_kernel=pool_size > 0,
        default_pool_size=pool_size,
        kernel_spec_manager_class=OwnKernel,
        multi_kernel_manager_class=ScreenKernels,
    )
    config.IdentityProvider.cookie_options = cookie
    config.MappingKernelManager = Config(
        cull_idle_timeout=_CULL_AFTER_S, cull_interval=_CULL_EVERY_S, cull_connected=False
    )
    config.VoilaKernelManager.fill_delay = _REFILL_AFTER_S
    if sys.platform != "win32" and len(str(runtime)) + _KERNEL_SOCKET_NAME <= _LONGEST_SOCKET_PATH:
        config.KernelManager.transport = "ipc"
    return config
