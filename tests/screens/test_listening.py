"""Where a server may listen; what ends it is noted until it has taken over."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.screens.listening import ENDING, Login, listen_on_path, listen_on_port, signals_noted

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such sockets on Windows")


def test_a_port_is_listened_on_once() -> None:
    with listen_on_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(UsageError, match=f"端口 {port} 已被占用"):
            listen_on_port("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "told"),
    [
        ("127.0.0.1", -1, "端口号不对"),
        ("127.0.0.1", 65536, "端口号不对"),
        ("192.0.2.1", 0, "监听地址不能使用"),
    ],
)
def test_a_port_or_host_that_cannot_be_had_is_refused(host: str, port: int, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        listen_on_port(host, port)


@posix
def test_a_path_is_reached_by_account_and_group_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    path = Path(os.path.relpath(tmp_path / "screen"))
    with listen_on_path(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


@posix
def test_a_path_that_others_reach_or_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="文件夹不存在"):
        listen_on_path(tmp_path / "none" / "screen")
    tmp_path.chmod(0o755)
    with pytest.raises(UsageError, match="文件夹权限 755"):
        listen_on_path(tmp_path / "screen")
    tmp_path.chmod(0o700)
    with pytest.raises(UsageError, match="不超过 103 字节的路径"):
        listen_on_path(tmp_path / ("a" * 100))
    (tmp_path / "a").touch()
    with pytest.raises(UsageError, match="已有同名文件"):
        listen_on_path(Path(os.path.relpath(tmp_path / "a")))


@posix
def test_a_signal_is_noted_and_ends_the_process_again_after_an_error() -> None:
    before = {one: signal.getsignal(one) for one in ENDING}

    def fail() -> None:
        with signals_noted() as noted:
            signal.raise_signal(signal.SIGTERM)
            assert noted == [signal.SIGTERM]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert {one: signal.getsignal(one) for one in ENDING} == before


def test_no_two_logins_share_a_secret() -> None:
    one, other = Login.new(), Login.new()
    assert not {one.token, one.cookie_name, one.cookie_secret} & {
        other.token,
        other.cookie_name,
        other.cookie_secret,
    }
