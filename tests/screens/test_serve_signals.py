"""A signal ends a server in order at any moment: it leaves no kernel and no folder, and logs no traceback."""

from __future__ import annotations

import http.client
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from huanjie_lib.store.run_folder import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and ps are POSIX"),
]

HOLD = """
import os, sys, time
from pathlib import Path

def hold():
    mark = Path(os.environ["HELD_MARK"])
    mark.write_text(os.environ.get("IPYTHONDIR", ""))
    parent = os.getppid()
    while os.getppid() == parent and not mark.with_suffix(".go").exists():
        time.sleep(0.02)

class AtImport:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == os.environ["HELD_AT"]:
            hold()

sys.meta_path.insert(0, AtImport)
if "ipykernel_launcher" in sys.orig_argv and os.environ["HELD_AT"] == "the start":
    hold()
"""
"""A ``sitecustomize`` that holds a process: a kernel before it can answer, or whatever imports a module."""

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")
ENDS = [("SIGTERM", False), ("SIGINT", True), ("SIGHUP", False)]
"""Signals, and whether more of them follow until the process has ended."""


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that holds servers or kernels at a moment and gives the mark that they then leave.

    The mark names the server's private folder; a file of the same name with the ending ``.go`` lets them go.
    """

    def plant(at: str) -> Path:
        (tmp_path / "sitecustomize.py").write_text(HOLD, encoding="utf-8")
        mark = tmp_path / "held"
        others = filter(None, [os.environ.get("PYTHONPATH")])
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *others]))
        monkeypatch.setenv("HELD_AT", at)
        monkeypatch.setenv("HELD_MARK", str(mark))
        return mark

    return plant


def wait_for(what: str, happened: Callable[[], Any]) -> Any:
    """Return the first true answer; fail when there is none in the time that a stalled machine may need."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if answer := happened():
            return answer
        time.sleep(0.02)
    pytest.fail(f"{what} did not come about")


def processes() -> list[tuple[int, int, str]]:
    """Return every process with its parent and its command line."""
    listed = subprocess.run(
        ["ps", "-eww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    )
    rows = (line.split(None, 2) for line in listed.stdout.splitlines())
    return [(int(pid), int(parent), args) for pid, parent, args in rows]


def private_folder(screen: Any) -> Path:
    """Return the folder of a server, which the command line of each of its kernels names."""
    mine = " ".join(args for _, parent, args in processes() if parent == screen.process.pid)
    (folder,) = set(re.findall(r"(\S+)/voila_\w+/\S+\.json", mine))
    return Path(folder)


@contextmanager
def asked(screen: Any, path: str = "/", **headers: str) -> Iterator[http.client.HTTPResponse]:
    """Ask for a page and give the answer as soon as it begins; the connection stays open meanwhile."""
    where = urlsplit(screen.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}{where.query}", headers=named)
        yield connection.getresponse()
    finally:
        connection.close()


def end(screen: Any, name: str = "SIGTERM", *, insist: bool = False) -> None:
    """Send a signal and check how the server ends; where it is insisted, go on sending until it has."""
    folder = private_folder(screen)
    assert folder.stat().st_mode & 0o077 == 0
    screen.process.send_signal(getattr(signal, name))
    for one in itertools.cycle(SIGNALS):
        if not insist or screen.process.poll() is not None:
            break
        screen.process.send_signal(getattr(signal, one))
        time.sleep(0.01)
    assert screen.process.wait(120) == 0
    told = screen.log.read_text(encoding="utf-8").splitlines()
    assert told[0] == screen.url
    assert [line for line in told[1:] if "停止服务时中断：" not in line] == []
    assert [args for _, _, args in processes() if str(folder) in args] == []
    assert not folder.exists()


@pytest.fixture
def screen(small_run: Run, tmp_path: Path, new_screen: Callable[[Path, Path], Any]) -> Callable[[], Any]:
    """Return a function that serves the small run."""
    assert small_run.path is not None
    run = small_run.path
    return lambda: new_screen(run, tmp_path)


@pytest.mark.parametrize(("name", "insist"), ENDS)
def test_while_a_kernel_is_starting(
    hold: Callable[[str], Path], screen: Callable[[], Any], name: str, insist: bool
) -> None:
    mark = hold("the start")
    served = screen()
    wait_for("a kernel", mark.exists)
    end(served, name, insist=insist)


def test_while_the_page_is_rendered_ahead(hold: Callable[[str], Path], screen: Callable[[], Any]) -> None:
    mark = hold("huanjie_lib.screens.overview")
    served = screen()
    wait_for("a cell", mark.exists)
    end(served)


@pytest.mark.parametrize("insist", [False, True])
def test_while_viewers_wait_for_the_page(
    hold: Callable[[str], Path], screen: Callable[[], Any], insist: bool
) -> None:
    mark = hold("huanjie_lib.screens.overview")
    served = screen()
    wait_for("a cell", mark.exists)
    with asked(served) as pooled, asked(served) as fresh:  # the second has a kernel started for it
        assert pooled.status == fresh.status == 200
        end(served, insist=insist)


def test_while_a_viewer_has_the_page_open(screen: Callable[[], Any]) -> None:
    served = screen()
    with asked(served) as page:
        (kernel,) = re.findall(r'"kernelId": "([\w-]+)"', page.read().decode("utf-8"))
        cookies = "; ".join(text.partition(";")[0] for text in page.headers.get_all("Set-Cookie") or [])
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec_WebSocket_Protocol": "v1.kernel.websocket.jupyter.org",
        "Cookie": cookies,
        "Origin": served.url.partition("/?")[0],
    }
    with asked(served, f"/api/kernels/{kernel}/channels?session_id=s", **upgrade) as channel:
        assert channel.status == 101
        end(served)


@pytest.mark.parametrize("insist", [False, True])
def test_as_soon_as_the_address_is_told(screen: Callable[[], Any], insist: bool) -> None:
    end(screen(), insist=insist)


@pytest.mark.parametrize(("name", "insist"), ENDS)
def test_before_the_server_is_up(
    hold: Callable[[str], Path], small_run: Run, tmp_path: Path, name: str, insist: bool
) -> None:
    mark = hold("voila.app")
    code = (
        "import sys, pathlib; from huanjie_lib.screens.serve import serve\n"
        "serve(pathlib.Path(sys.argv[1]), port=0)"
    )
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(small_run.path)], stdout=sink, stderr=subprocess.STDOUT
        )
    wait_for("the import of Voilà", lambda: mark.exists() and mark.read_text())
    folder = Path(mark.read_text()).parent
    assert folder.stat().st_mode & 0o077 == 0
    process.send_signal(getattr(signal, name))
    if insist:
        process.send_signal(signal.SIGTERM)
    mark.with_suffix(".go").touch()
    assert process.wait(120) == 0
    assert log.read_text(encoding="utf-8") == ""
    assert not folder.exists()


def test_a_kernel_that_dies_while_serving_is_told_with_its_traceback(
    hold: Callable[[str], Path], screen: Callable[[], Any]
) -> None:
    """What is quiet when a server ends is not quiet before."""
    mark = hold("huanjie_lib.screens.overview")
    served = screen()
    wait_for("a cell", mark.exists)
    (kernel,) = (pid for pid, parent, _ in processes() if parent == served.process.pid)
    os.kill(kernel, signal.SIGKILL)
    wait_for("the error", lambda: "Traceback" in served.log.read_text(encoding="utf-8"))
    assert "停止服务时中断：" not in served.log.read_text(encoding="utf-8")
