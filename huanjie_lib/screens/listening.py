"""Where a server of a screen listens, what ends it, and what lets its viewer in."""

from __future__ import annotations

import errno
import secrets
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huanjie_lib.errors import Fault, UsageError

__all__ = [
    "DEFAULT_PORT",
    "ENDING",
    "LONGEST_SOCKET_PATH",
    "LOOPBACK",
    "Login",
    "listen_on_path",
    "listen_on_port",
    "signals_noted",
]

DEFAULT_PORT: Final = 8866
"""Port of a screen served alone."""
ENDING: Final = tuple(getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n))
"""Signals that end a server; Windows has no SIGHUP."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that only this machine reaches."""
LONGEST_SOCKET_PATH: Final = 103
"""Bytes of a Unix socket's path on the strictest system (macOS)."""
_HIGHEST_PORT: Final = 65535


@dataclass(frozen=True)
class Login:
    """What the servers of one analyst on one machine have in common: token, cookie and the key that signs it.

    The cookie of one lets its viewer into the others, so that no link needs a token.
    """

    token: str
    cookie_name: str
    cookie_secret: str

    @classmethod
    def new(cls) -> Login:
        """Return one with new secrets."""
        return cls(secrets.token_urlsafe(24), f"huanjie-{secrets.token_hex(8)}", secrets.token_hex(32))


def listen_on_port(host: str, port: int) -> socket.socket:
    """Bind the port, or say why it cannot be had."""
    if not 0 <= port <= _HIGHEST_PORT:
        raise UsageError(
            "端口号不对",
            [Fault("--port", str(port), f"1 到 {_HIGHEST_PORT} 之间的整数", "改用 --port 8866")],
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except PermissionError as error:
        raise UsageError(
            "端口不能使用",
            [Fault("--port", str(port), "1024 以上、系统允许监听的端口", "改用 --port 8866")],
        ) from error
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}:
            other = port + 1 if port < _HIGHEST_PORT else DEFAULT_PORT
            raise UsageError(
                f"端口 {port} 已被占用",
                [Fault("--port", str(port), "空闲端口", f"改用 --port {other}，或关闭占用该端口的程序")],
            ) from error
        raise UsageError(
            "监听地址不能使用",
            [Fault("--host", host, "本机的地址，如 127.0.0.1", "去掉 --host，或改为本机网卡的地址")],
        ) from error
    listener.setblocking(False)
    return listener


def listen_on_path(path: Path) -> socket.socket:
    """Listen on a Unix socket that only this account and the group of its folder reach."""
    remedy = "新建一个只有本服务账号和反向代理能进入的文件夹，如 /run/huanjie（权限 2750）"
    if sys.platform == "win32":
        raise UsageError("不能监听", [Fault("--socket", "Windows", "Linux 或 macOS", "改用 --proxy-secret")])
    faults = []
    if not path.parent.is_dir():
        faults.append(Fault(f"--socket {path}", "文件夹不存在", "已有的文件夹", remedy))
    elif (mode := stat.S_IMODE(path.parent.stat().st_mode)) & 0o027:
        allowed = "其他人不能进入，同组不能写入"
        faults.append(Fault(f"--socket {path}", f"文件夹权限 {mode:o}", allowed, remedy))
    elif len(bytes(path)) > LONGEST_SOCKET_PATH:
        allowed = f"不超过 {LONGEST_SOCKET_PATH} 字节的路径"
        faults.append(Fault(f"--socket {path}", f"{len(bytes(path))} 字节", allowed, "换一个短的路径"))
    elif path.exists() and not path.is_socket():
        faults.append(Fault(f"--socket {path}", "已有同名文件", "新的路径", "换一个路径"))
    if faults:
        raise UsageError("不能监听", faults)
    from tornado.netutil import bind_unix_socket  # not there on Windows

    return bind_unix_socket(str(path), mode=0o660)


@contextmanager
def signals_noted() -> Iterator[list[int]]:
    """Note signals that would end the process; after an error they do so again, else the server has them."""
    noted: list[int] = []
    before = {one: signal.signal(one, lambda number, _: noted.append(number)) for one in ENDING}
    try:
        yield noted
    except BaseException:
        for one, handler in before.items():
            signal.signal(one, handler or signal.SIG_DFL)
        raise
