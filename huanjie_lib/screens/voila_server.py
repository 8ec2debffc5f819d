"""The Voilà server behind a screen: one notebook, one token, nothing else.

A viewer may talk to the widgets of a kernel and to nothing more. The server listens on a socket it was given,
hands out no file, takes no template or theme from the address, checks origin, host and cross-site requests,
and answers a request without the token with a page that says what to do.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Any, Final

import jinja2
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import HTTPError
from traitlets.config import Config
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.handler import TornadoVoilaHandler

from huanjie_lib.screens.serve import LOOPBACK

__all__ = ["TEMPLATE", "TEMPLATE_ROOT", "ScreenServer", "server_config", "url_host"]

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


class ScreenServer(Voila):  # type: ignore[misc]
    """Voilà on a given socket with every way in but the page closed.

    Attributes
    ----------
    listener
        Listening socket, bound before the server is built, so that a port in use is found first.
    announce
        Called once with the address when the server is ready for a viewer.
    """

    listener: socket
    announce: Callable[[str], None] | None = None

    def init_settings(self) -> dict[str, Any]:
        """Return Voilà's settings with our own error pages."""
        settings: dict[str, Any] = super().init_settings()
        settings["jinja2_env"] = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATE_ROOT / "voila" / "templates" / TEMPLATE), autoescape=True
        )
        return settings

    def init_handlers(self) -> list[Any]:
        """Return Voilà's handlers without the request-info socket, which asks for no token."""
        return [
            (pattern, PageHandler if handler is TornadoVoilaHandler else handler, *rest)
            for pattern, handler, *rest in super().init_handlers()
            if handler is not RequestInfoSocketHandler
        ]

    @property
    def token_url(self) -> str:
        """Address that opens the screen."""
        return f"http://{url_host(self.ip)}:{self.port}/?token={self.identity_provider.token}"

    def initialize(self, argv: list[str] | None = None) -> None:
        """Build the server; from here on a signal ends it in order."""
        self.ioloop = IOLoop.current()
        super().initialize(argv)
        for name in ("SIGINT", "SIGHUP"):  # SIGTERM is Voilà's already; Windows has no SIGHUP
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._handle_signal_stop)

    def listen(self) -> None:
        """Serve on the given socket until a signal comes."""
        server = HTTPServer(self.app)
        server.add_socket(self.listener)
        self.ioloop.add_callback(self._tell)
        try:
            self.ioloop.start()
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C need not wait
            server.stop()
            self.stop()

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

    def stop(self) -> None:
        """End every kernel, pooled ones included, then remove their connection files."""
        self.ioloop.run_sync(self.kernel_manager.shutdown_all)
        shutil.rmtree(self.connection_dir, ignore_errors=True)


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
        multi_kernel_manager_class="jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager",
    )
    config.IdentityProvider.cookie_options = cookie
    config.MappingKernelManager = Config(
        cull_idle_timeout=_CULL_AFTER_S, cull_interval=_CULL_EVERY_S, cull_connected=False
    )
    config.VoilaKernelManager.fill_delay = _REFILL_AFTER_S
    if sys.platform != "win32" and len(str(runtime)) + _KERNEL_SOCKET_NAME <= _LONGEST_SOCKET_PATH:
        config.KernelManager.transport = "ipc"
    return config
