"""Serving several screens at once; the servers are small programs in place of ``huanjie serve``."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner

from huanjie_lib.cli import cli
from huanjie_lib.errors import UsageError
from huanjie_lib.screens.together import read_login, serve_together
from huanjie_lib.store.run_folder import Run
from tests.browser.conftest import free_port

SERVER = """
import json, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
name, port, site = (sys.argv[sys.argv.index(o) + 1] for o in ("--app", "--port", "--site"))
login = json.loads(sys.stdin.readline())
told = {"argv": sys.argv, "login": login, "site": pathlib.Path(site).read_text()}
signal.signal(signal.SIGTERM, lambda *_: (folder.joinpath(name + ".ended").touch(), sys.exit(0)))
(folder / name).write_text(json.dumps(told))
if "--fails" in sys.argv:
    while not (folder / "overview").exists():  # else it would be ended before it can say so
        time.sleep(0.01)
    sys.exit(3)
print(f"http://127.0.0.1:{port}/?token={login['token']}", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def free() -> int:
    return free_port()


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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_who_has_got_into_one_screen_gets_into_the_others_without_a_token(small_run: Run, free: int) -> None:
    """The real servers, without a kernel; a kernel that is not there is 404 to a viewer and 403 to others."""
    assert small_run.path is not None
    arguments = ("--app", "all", "--run", str(small_run.path), "--port", str(free), "--warm", "0")
    command = [sys.executable, "-m", "huanjie_lib", "serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
        assert server.stdout is not None
        first, second = (server.stdout.readline().split()[-1] for _ in range(2))
        token = urlsplit(first).query
        assert token.startswith("token=")
        assert "token" not in second
        status, cookies = asked(urlsplit(first).netloc, query=token)
        assert status == 404
        other = urlsplit(second).netloc
        assert asked(other, cookie=cookies)[0] == 404
        assert asked(other)[0] == 403
        assert asked(other, cookie=cookies.replace("=", "=x", 1))[0] == 403
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) == 0


def asked(place: str, *, query: str = "", cookie: str = "") -> tuple[int, str]:
    """Return status and cookies of the answer to who asks for a kernel that is not there."""
    connection = http.client.HTTPConnection(place, timeout=60)
    path = f"/api/kernels/{'0' * 8}-0000-0000-0000-{'0' * 12}"
    connection.request("GET", f"{path}?{query}", headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, "; ".join(one.split(";")[0] for one in answer.headers.get_all("Set-Cookie", []))


def test_one_that_fails_ends_the_others_and_gives_its_code(tmp_path: Path, free: int) -> None:
    screens = {"overview": ["--run", "r"], "what_if": ["--fails"]}
    told: list[str] = []
    assert serve_together(screens, port=free, announce=told.append, command=command(tmp_path)) == 3
    assert told == []  # no address that is gone before it can be opened
    if sys.platform != "win32":
        assert (tmp_path / "overview.ended").exists()


@pytest.mark.parametrize(
    ("given", "told"), [((), "缺少 --run"), (("--run", ".", "--site", __file__), "与反向代理的参数同时给出")]
)
def test_what_cannot_be_served_together_is_told(given: tuple[str, ...], told: str) -> None:
    done = CliRunner().invoke(cli, ["serve", "--app", "all", *given])
    assert isinstance(done.exception, UsageError)
    assert told in str(done.exception)


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="已被占用"):
        serve_together(
            {"overview": []}, port=taken.getsockname()[1], announce=print, command=command(tmp_path)
        )
    assert list(tmp_path.iterdir()) == []
