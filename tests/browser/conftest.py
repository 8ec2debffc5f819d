"""Fixtures for tests that drive headless Chromium over real Voilà servers.

``browser`` is one Chromium for the session, ``page`` a fresh page that fails its test on any request to
another host, and ``voila_server`` starts servers for a notebook.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, expect, sync_playwright

from huanjie_lib import screens
from tests.browser.waiting import Talk

LOCAL_HOST = "127.0.0.1"
TEMPLATES = Path(screens.__file__).parent / "jupyter"
VOILA_ARGUMENTS = [
    "--no-browser",
    f"--Voila.ip={LOCAL_HOST}",
    "--Voila.port_retries=0",
    "--template=huanjie",
    "--theme=light",
    # Other extensions of JupyterLab that happen to be installed are no part of a screen.
    "--VoilaConfiguration.extension_allowlist=@jupyter-widgets/jupyterlab-manager",
    "--VoilaConfiguration.extension_allowlist=@voila-dashboards/widgets-manager8",
    "--VoilaConfiguration.extension_allowlist=anywidget",
]
CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
_OURS = (20_000, 30_000)
START_SECONDS = 120.0
STOP_SECONDS = 120.0
PATIENCE_MS = 60_000
"""How long a page may take for what is expected of it; Playwright's five seconds are few for a busy one."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class WatchedPage:
    """A page with what it asked for and what it complained of."""

    page: Page
    talk: Talk
    requests: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)
    received_frames: list[int] = field(default_factory=list)
    """Bytes of every WebSocket message from the server."""

    def external_requests(self) -> list[str]:
        """Return every address asked for that is not on this machine."""
        inside = {"data", "blob", "about"}
        return [
            address
            for address in self.requests
            if urlsplit(address).scheme not in inside and urlsplit(address).hostname != LOCAL_HOST
        ]


@dataclass(frozen=True)
class VoilaServer:
    """A running server: where it listens, its log, and how to end it."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for the session: the system's, or the one Playwright has installed."""
    with sync_playwright() as playwright:
        executable = (
            os.environ.get("HUANJIE_CHROMIUM")
            or shutil.which("chromium")
            or playwright.chromium.executable_path
        )
        if not Path(executable).exists():
            pytest.fail(
                "Browser tests need Chromium: install the system package 'chromium' (Debian: apt install "
                "chromium fonts-noto-cjk) or run 'playwright install chromium'. "
                f"Looked on PATH and at {executable}."
            )
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@contextmanager
def watching(browser: Browser) -> Iterator[WatchedPage]:
    """Open a fresh page and record it; fail at the end if it asked anything of another host."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    watched = WatchedPage(page, Talk(page))

    def on_request(request: Request) -> None:
        watched.requests.append(request.url)

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            watched.console_errors.append(f"{message.text} ({message.location.get('url')})")

    def on_socket(socket: WebSocket) -> None:
        watched.requests.append(socket.url)
        socket.on("framereceived", lambda payload: watched.received_frames.append(size(payload)))

    context.on("request", on_request)
    watched.page.on("console", on_console)
    watched.page.on("websocket", on_socket)
    watched.page.on("pageerror", lambda error: watched.page_errors.append(str(error)))
    try:
        yield watched
    finally:
        context.close()
    assert watched.external_requests() == [], "the page asked for addresses outside this machine"


@pytest.fixture(scope="session")
def watch(browser: Browser) -> Callable[[], AbstractContextManager[WatchedPage]]:
    """Return a context manager that opens a watched page, for fixtures of a wider scope than a test."""
    return lambda: watching(browser)


@pytest.fixture
def watched(browser: Browser) -> Iterator[WatchedPage]:
    """A fresh page and its record; the test fails at its end if the page asked anything of another host."""
    with watching(browser) as watched:
        yield watched


@pytest.fixture
def page(watched: WatchedPage) -> Page:
    """A fresh page that fails its test on any request to another host; see ``watched`` for its record."""
    return watched.page


@pytest.fixture(scope="session")
def voila_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., VoilaServer]]:
    """Return a function that serves a notebook with Voilà and waits until it answers.

    ``voila_server(notebook, env={...}, arguments=[...])``: extra environment variables and command line
    arguments are optional. Each server has configuration, data and runtime folders of its own and is ended,
    with its kernels, when the session is over.
    """
    servers: list[VoilaServer] = []

    def start(
        notebook: Path, *, env: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
    ) -> VoilaServer:
        port = free_port()
        home = tmp_path_factory.mktemp("voila")
        folders = {
            name: str(home / name.lower())
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        }
        log = home / "voila.log"
        command = [
            sys.executable,
            "-m",
            "voila",
            str(notebook),
            f"--port={port}",
            *VOILA_ARGUMENTS,
            *arguments,
        ]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command,
                env={**os.environ, **folders, "JUPYTER_PATH": str(TEMPLATES), **(env or {})},
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = VoilaServer(f"http://{LOCAL_HOST}:{port}/", log, process)
        servers.append(server)
        wait_until_listening(server, port)
        return server

    yield start
    for server in servers:
        stop(server)


def size(payload: str | bytes) -> int:
    """Return the bytes of a WebSocket message."""
    return len(payload.encode() if isinstance(payload, str) else payload)


def free_port() -> int:
    """Return a port nobody listens on just now.

    It is none of those that the system gives to whoever asks for any (on Linux 32768 and above): one of these
    could be taken in the seconds before a server listens.
    """
    ports = list(range(*_OURS))
    random.SystemRandom().shuffle(ports)
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind((LOCAL_HOST, port))
            except OSError:
                continue
        return port
    pytest.fail("no port is free")


def wait_until_listening(server: VoilaServer, port: int) -> None:
    """Return when the server accepts connections; fail with its log when it ends or stays silent."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.process.poll() is not None:
            pytest.fail(f"Voilà ended with {server.process.returncode}:\n{server.log.read_text()}")
        try:
            with socket.create_connection((LOCAL_HOST, port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"Voilà did not listen within {START_SECONDS:g} s:\n{server.log.read_text()}")


def stop(server: VoilaServer) -> None:
    """End a server politely, so that it ends its kernels; one that does not end is killed and reported."""
    if server.process.poll() is not None:
        return
    server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(STOP_SECONDS)
        pytest.fail(f"Voilà did not end within {STOP_SECONDS:g} s:\n{server.log.read_text()}")
