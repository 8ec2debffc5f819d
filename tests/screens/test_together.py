"""Serving several screens at once; the servers are small programs in place of ``huanjie serve``."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from huanjie_lib.errors import UsageError
from huanjie_lib.screens.together import read_login, serve_together

SERVER = """
import json, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
name, port, site = (sys.argv[sys.argv.index(o) + 1] for o in ("--app", "--port", "--site"))
login = json.loads(sys.stdin.readline())
told = {"argv": sys.argv, "login": login, "site": pathlib.Path(site).read_text()}
(folder / name).write_text(json.dumps(told))
signal.signal(signal.SIGTERM, lambda *_: (folder.joinpath(name + ".ended").touch(), sys.exit(0)))
if "--fails" in sys.argv:
    sys.exit(3)
print(f"http://127.0.0.1:{port}/?token={login['token']}", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(folder: Path) -> list[str]:
    return [sys.executable, "-c", SERVER, str(folder)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_they_share_a_login_and_know_each_other_and_end_together(tmp_path: Path, free: int) -> None:
    lines: list[str] = []

    def announce(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            threading.Thread(target=lambda: (time.sleep(0.1), os.kill(os.getpid(), signal.SIGTERM))).start()

    screens = {"overview": ["--run", "r"], "what_if": ["--run", "r"]}
    assert serve_together(screens, port=free, announce=announce, command=command(tmp_path)) == 0
    told = {name: json.loads((tmp_path / name).read_text()) for name in screens}
    login = read_login(json.dumps(told["overview"]["login"]))
    assert told["what_if"]["login"] == told["overview"]["login"]
    assert len(login.token) >= 24
    first, second = lines
    assert first == f"选情总览 http://127.0.0.1:{free}/?token={login.token}"
    assert second.startswith("权重试算 http://127.0.0.1:")
    for name in screens:
        assert (tmp_path / f"{name}.ended").exists()
        assert login.token not in " ".join(told[name]["argv"]) + told[name]["site"]
        assert login.cookie_secret not in " ".join(told[name]["argv"]) + told[name]["site"]
    site = yaml.safe_load(told["what_if"]["site"])["screens"]
    assert [one["address"] for one in site] == [line.split()[1].split("/?")[0].rstrip("/") for line in lines]


def test_one_that_fails_ends_the_others_and_gives_its_code(tmp_path: Path, free: int) -> None:
    screens = {"overview": ["--run", "r"], "what_if": ["--fails"]}
    assert serve_together(screens, port=free, announce=print, command=command(tmp_path)) == 3
    if sys.platform != "win32":
        assert (tmp_path / "overview.ended").exists()


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="已被占用"):
        serve_together(
            {"overview": []}, port=taken.getsockname()[1], announce=print, command=command(tmp_path)
        )
    assert list(tmp_path.iterdir()) == []
