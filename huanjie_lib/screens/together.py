"""All screens of one analyst at once: a server each, as everywhere, with links from one to the other.

Every screen stays a process of its own with a folder and kernels of its own. They have a login in common,
which the starter hands them over their standard input: it stands in no list of processes, file or link.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.screens.listening import ENDING, Login
from huanjie_lib.screens.site import SCREENS, site_text

__all__ = ["read_login", "serve_together"]

_HOST: Final = "127.0.0.1"
_HIGHEST_PORT: Final = 65535
_ENDS_WITHIN_S: Final = 60.0
_WAIT_S: Final = 0.5  # a wait without end would keep signals from being handled


def read_login(line: str) -> Login:
    """Return the login that :func:`serve_together` hands to a server.

    Examples
    --------
    >>> read_login('{"token": "t", "cookie_name": "c", "cookie_secret": "00"}').token
    't'
    """
    return Login(**json.loads(line))


def serve_together(
    screens: Mapping[str, Sequence[str]],
    *,
    port: int,
    announce: Callable[[str], None],
    open_browser: bool = False,
    command: Sequence[str] = (sys.executable, "-m", "huanjie_lib", "serve"),
) -> int:
    """Serve several screens until Ctrl-C or another signal; return the exit code.

    Parameters
    ----------
    screens
        What ``huanjie serve`` is told for each screen, besides screen and port; the first is opened.
    port
        Port of the first; the others get the next ones that are free.
    announce
        Called with a line for each screen once all are up: what it is called and its address. The first has
        the token; the others are entered by links, or by the cookie that it has left.
    open_browser
        Whether to open the default browser.
    command
        How a server is started.

    Raises
    ------
    UsageError
        If there are not enough free ports.
    """
    ports = dict(zip(screens, _free_ports(port, len(screens)), strict=True))
    login = Login.new()
    with tempfile.TemporaryDirectory(prefix="hj-site-") as folder:
        site = Path(folder) / "site.yaml"
        site.write_text(
            site_text({name: f"http://{_HOST}:{port}" for name, port in ports.items()}), encoding="utf-8"
        )
        servers: list[subprocess.Popen[str]] = []

        def end(*_: int | FrameType | None) -> None:
            for server in servers:
                if server.poll() is None:
                    server.terminate()

        before = {number: signal.signal(number, end) for number in ENDING}
        try:
            for name, arguments in screens.items():
                own = ["--app", name, "--port", str(ports[name]), "--site", str(site), "--login-on-stdin"]
                if open_browser and not servers:
                    own.append("--open")
                server = subprocess.Popen(
                    [*command, *arguments, *own],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    encoding="utf-8",
                )
                servers.append(server)
                assert server.stdin is not None
                server.stdin.write(json.dumps(asdict(login)) + "\n")
                server.stdin.close()
            for place, (name, address) in enumerate(zip(screens, _addresses(servers) or (), strict=False)):
                announce(f"{SCREENS[name]} {address if not place else address.partition('?')[0]}")
            code = _first_to_end(servers)
        finally:
            end()
            for server in servers:
                server.wait(_ENDS_WITHIN_S)
                _drain(server)
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)
    return code


def _addresses(servers: Sequence[subprocess.Popen[str]]) -> list[str] | None:
    """Return the address that each server tells, once all are up, or ``None`` once one has ended instead."""
    heard: SimpleQueue[tuple[int, str]] = SimpleQueue()

    def listen(place: int, server: subprocess.Popen[str]) -> None:
        assert server.stdout is not None
        heard.put((place, server.stdout.readline().strip()))
        _drain(server)  # lest the pipe fill

    for place, server in enumerate(servers):
        threading.Thread(target=listen, args=(place, server), daemon=True).start()
    found: dict[int, str] = {}
    while len(found) < len(servers):
        try:
            place, address = heard.get(timeout=_WAIT_S)
        except Empty:
            continue
        if not address:
            return None
        found[place] = address
    return [found[place] for place in sorted(found)]


def _drain(server: subprocess.Popen[str]) -> None:
    """Read what a server still says, to its end."""
    assert server.stdout is not None
    with suppress(ValueError), server.stdout:  # another thread may have come to the end first, and closed it
        server.stdout.read()


def _first_to_end(servers: Sequence[subprocess.Popen[str]]) -> int:
    """Wait until a server ends, and return its exit code: they are served together or not at all."""
    ended: list[int] = []
    one_has = threading.Event()

    def watch(server: subprocess.Popen[str]) -> None:
        ended.append(server.wait())
        one_has.set()

    for server in servers:
        threading.Thread(target=watch, args=(server,), daemon=True).start()
    while not one_has.wait(_WAIT_S):
        pass
    return max(0, ended[0])


def _free_ports(first: int, number: int) -> list[int]:
    """Return the first free ports from one on; the first must be free itself."""
    found: list[int] = []
    for port in range(first, min(first + 50 * number, _HIGHEST_PORT) + 1):
        if len(found) == number:
            break
        with socket.socket() as probe:
            try:
                probe.bind((_HOST, port))
            except OSError as error:
                if port == first:
                    fault = Fault("--port", str(port), "空闲端口", f"改用 --port {port + 10}")
                    raise UsageError(f"端口 {port} 已被占用", [fault]) from error
                continue
        found.append(port)
    if len(found) < number:
        raise UsageError(
            "空闲端口不够", [Fault("--port", str(first), f"其后有 {number} 个空闲端口", "换一个端口")]
        )
    return found
