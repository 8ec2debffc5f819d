"""What a viewer can reach, what is refused, and how a server starts and ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from huanjie_lib.access.keys import KeyRing, SealError
from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.screens.serve import (
    _SECRETS,
    DEFAULT_PORT,
    Desk,
    TalentDesk,
    _environment,
    notebook_path,
    serve,
)
from huanjie_lib.screens.sign_on import SignOn
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.run_folder import Run
from huanjie_lib.store.snapshot import write_snapshot
from huanjie_lib.vocabulary import Role
from tests.talent_runs import KEYS, NAMES, talent_folder

OFFICE = Actor("li", "市委组织部", Role.TALENT)
KERNEL = "01234567-0123-0123-0123-0123456789ab"


def never(url: str) -> None:
    """Stand where a server would announce itself."""
    pytest.fail(f"a server came up at {url}")


class Viewer:
    """Speaks HTTP to a server without following where it is sent."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.host, self.port = parts.hostname, parts.port
        self.query = f"?{parts.query}"

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Return status, headers and text of the answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8")
        finally:
            connection.close()


@pytest.fixture(scope="module")
def viewer(small_run: Run, serve_screen: Callable[[Path], Any]) -> Viewer:
    """A viewer of a server over the small run."""
    assert small_run.path is not None
    return Viewer(serve_screen(small_run.path).url)


@pytest.fixture(scope="module")
def page(viewer: Viewer) -> tuple[http.client.HTTPMessage, str]:
    """The page, as someone with the token gets it."""
    status, headers, text = viewer.ask(f"/{viewer.query}")
    assert status == 200
    return headers, text


class TestRefusals:
    """Each gives one message with its remedy, before anything is started."""

    def test_port_in_use(self, small_run: Run) -> None:
        assert small_run.path is not None
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(UsageError, match=f"端口 {port} 已被占用") as caught:
                serve(small_run.path, port=port, announce=never)
        other = port + 1 if port < 65535 else DEFAULT_PORT
        assert caught.value.faults[0].remedy == f"改用 --port {other}，或关闭占用该端口的程序"
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("port", [-1, 65536])
    def test_port_out_of_range(self, small_run: Run, port: int) -> None:
        assert small_run.path is not None
        with pytest.raises(UsageError, match="1 到 65535 之间的整数"):
            serve(small_run.path, port=port, announce=never)

    def test_folder_without_a_run(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="先运行 huanjie run"):
            serve(tmp_path, port=0, announce=never)

    def test_host_of_another_machine(self, small_run: Run, tmp_path: Path) -> None:
        assert small_run.path is not None
        write_snapshot(small_run.path, tmp_path / "snapshot", role=Role.READER)
        with pytest.raises(UsageError, match="本机的地址"):
            serve(tmp_path / "snapshot", host="192.0.2.1", port=0, announce=never)

    def test_a_whole_run_is_for_this_machine_alone(self, small_run: Run, tmp_path: Path) -> None:
        assert small_run.path is not None
        write_snapshot(small_run.path, tmp_path / "town", role=Role.TOWNSHIP)
        for run, found in ((small_run.path, "完整的评估文件夹"), (tmp_path / "town", "给“镇街”的快照")):
            with pytest.raises(UsageError, match=f"发现“{found}”.*huanjie snapshot --role reader"):
                serve(run, host="0.0.0.0", port=0, announce=never)

    def test_empty_token(self, small_run: Run) -> None:
        assert small_run.path is not None
        with pytest.raises(UsageError, match="口令不能为空"):
            serve(small_run.path, port=0, token="", announce=never)

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            ({"screen": "overview"}, "界面 overview"),
            ({"screen": "what_if", "host": "0.0.0.0"}, "监听地址 0.0.0.0"),
        ],
    )
    def test_proposals_only_on_this_machine_and_on_their_screen(
        self, small_run: Run, tmp_path: Path, options: dict[str, str], found: str
    ) -> None:
        assert small_run.path is not None
        folder = tmp_path / "proposals"
        with pytest.raises(UsageError, match=found):
            serve(small_run.path, port=0, proposals=folder, announce=never, **options)
        assert not folder.exists()

    def test_proposals_neither_in_the_run_nor_a_file(self, small_run: Run, tmp_path: Path) -> None:
        assert small_run.path is not None
        taken = tmp_path / "file"
        taken.touch()
        for folder in (small_run.path, small_run.path / "intake" / "x", taken):
            with pytest.raises(UsageError, match="不能写方案"):
                serve(small_run.path, port=0, screen="what_if", proposals=folder, announce=never)
        assert not (small_run.path / "intake" / "x").exists()

    def test_environment_is_left_as_it_was(self, tmp_path: Path) -> None:
        before = dict(os.environ)
        with pytest.raises(DataError):
            serve(tmp_path, announce=never)
        assert dict(os.environ) == before

    def test_kernels_get_no_password_and_libpq_no_empty_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty PGSERVICEFILE would be taken for the name of a file that is not there."""
        monkeypatch.setenv("PGPASSFILE", "secret")
        monkeypatch.delenv("PGSERVICEFILE", raising=False)
        before = dict(os.environ)
        with _environment(dict.fromkeys(_SECRETS)):
            assert not set(_SECRETS) & set(os.environ)
        assert dict(os.environ) == before


class TestTalent:
    """Who may open the screen about people, and what its kernels are told."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        talent_folder(tmp_path / "t")
        KEYS.write(tmp_path / "key.json")
        return tmp_path

    def test_only_the_roles_that_decide(self, folder: Path) -> None:
        for role in (Role.READER, Role.TOWNSHIP, Role.AUDIT, Role.REVIEW, Role.COUNTY):
            desk = Desk(None, Actor("wang", "石桥镇", role))
            with pytest.raises(UsageError, match="应为：city、talent"):
                serve(
                    None, port=0, screen="talent", desk=desk, talent=TalentDesk(folder / "t"), announce=never
                )

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"talent": None}, "--talent"),
            ({"desk": None}, "--account、--office、--role"),
            ({"desk": Desk(None, Actor(" ", "市委组织部", Role.TALENT))}, "--account"),
            ({"screen": "overview"}, "只用于 talent 界面"),
            ({"screen": "overview", "talent": None, "desk": None}, "补充 --run"),
        ],
    )
    def test_what_does_not_fit_is_told(self, folder: Path, changed: dict[str, Any], told: str) -> None:
        given: dict[str, Any] = {
            "screen": "talent",
            "talent": TalentDesk(folder / "t"),
            "desk": Desk(None, OFFICE),
        }
        with pytest.raises(UsageError, match=told):
            serve(None, port=0, announce=never, **{**given, **changed})

    def test_a_run_must_be_the_one_that_the_matching_rests_on(self, folder: Path, small_run: Run) -> None:
        talent = TalentDesk(folder / "t")
        with pytest.raises(UsageError, match="评估与人才匹配不是同一次"):
            serve(
                small_run.path,
                port=0,
                screen="talent",
                desk=Desk(None, OFFICE),
                talent=talent,
                announce=never,
            )

    def test_nobody_is_shown_without_a_log(self, folder: Path) -> None:
        talent = TalentDesk(folder / "t", folder / "key.json")
        li = Actor("li", "市委组织部", Role.TALENT)
        door = SignOn({"li": li}, Role.TALENT, "https://huanjie.example", b"s" * 32)
        for desk, sign_on in ((Desk(None, OFFICE), None), (Desk(None, None), door)):
            with pytest.raises(UsageError, match="先记入其中的查阅日志"):
                serve(
                    None,
                    port=0,
                    screen="talent",
                    desk=desk,
                    talent=talent,
                    sign_on=sign_on,
                    announce=never,
                )

    def test_another_key_stops_the_start_and_names_nobody(self, folder: Path) -> None:
        open_ledger(folder / "store", create=True).close()
        desk = Desk(str(folder / "store"), OFFICE)
        KeyRing.from_seed(2).write(folder / "other.json")
        talent = TalentDesk(folder / "t", folder / "other.json")
        with pytest.raises(SealError) as caught:
            serve(None, port=0, screen="talent", desk=desk, talent=talent, announce=never)
        assert not any(name in str(caught.value) for name in NAMES.values())


class TestToken:
    @pytest.mark.parametrize("query", ["", "?token=", "?token=wrong"])
    def test_without_the_token_there_is_only_a_refusal(self, viewer: Viewer, query: str) -> None:
        status, headers, _ = viewer.ask(f"/{query}")
        assert status == 302
        status, _, text = viewer.ask(headers["Location"])
        assert status == 403
        assert "请使用启动服务时终端里显示的完整网址" in text
        assert "hj-" not in text

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", f"/api/kernels/{KERNEL}"),
            ("DELETE", f"/api/kernels/{KERNEL}"),
            ("POST", f"/voila/api/shutdown/{KERNEL}"),
            ("GET", "/api/kernels"),
            ("POST", "/api/kernels"),
            ("GET", "/api/contents"),
            ("GET", "/voila/tree"),
            ("POST", "/login"),
        ],
    )
    def test_no_door_is_open_without_it(self, viewer: Viewer, method: str, path: str) -> None:
        status, headers, text = viewer.ask(path, method)
        assert status in {403, 404, 405} or (status == 302 and "/login" in headers["Location"])
        assert "Traceback" not in text

    def test_kernels_are_not_reached_without_it(self, viewer: Viewer) -> None:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        for path in (f"/api/kernels/{KERNEL}/channels", f"/voila/query/{KERNEL}"):
            assert viewer.ask(path, **upgrade)[0] in {403, 404}

    def test_the_cookie_opens_what_the_token_opened(
        self, viewer: Viewer, page: tuple[http.client.HTTPMessage, str]
    ) -> None:
        cookies = page[0].get_all("Set-Cookie") or []
        login = next(c for c in cookies if c.startswith("username-"))
        assert "HttpOnly" in login
        assert "SameSite=Strict" in login
        jar = "; ".join(c.partition(";")[0] for c in cookies)
        assert viewer.ask("/voila/static/voila.js", Cookie=jar)[0] == 200
        # without the page's own cross-site token a form elsewhere cannot end a kernel
        assert viewer.ask(f"/voila/api/shutdown/{KERNEL}", "POST", "", Cookie=jar)[0] == 403


class TestPage:
    def test_no_cell_source_no_traceback_no_other_host(
        self, page: tuple[http.client.HTTPMessage, str]
    ) -> None:
        text = page[1]
        assert '<html lang="zh-CN">' in text
        assert "<title>村（社区）换届选情总览</title>" in text
        assert "正在载入……" in text
        assert "open_overview" not in text
        assert "Traceback" not in text
        settings = re.sub(r'(?s)<script id="jupyter-config-data".*?</script>', "", text)
        named = set(re.findall(r"https?://[^\\\"' ]+", settings))
        assert named <= {"http://www.w3.org/2000/svg"}  # the name of a vocabulary, never asked for

    def test_figures_stand_in_the_page_before_any_script_runs(
        self, page: tuple[http.client.HTTPMessage, str], small_run: Run
    ) -> None:
        text = page[1]
        reds = (small_run.index["level"] == "red").sum()
        assert f'data-figure="red">{reds}<' in text
        assert "总体态势" in text
        assert "<img" not in text
        scripts = re.findall(r"<script(?![^>]*type=\"application/)[^>]*>([^<]*)", text)
        assert scripts
        assert [script for script in scripts if script.strip()] == []  # each comes from a file

    def test_headers_keep_the_page_to_itself(self, page: tuple[http.client.HTTPMessage, str]) -> None:
        policy = page[0]["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"https?:|\*", policy)
        assert page[0]["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize(
        "path", ["overview.ipynb", "picture.png", "../../../etc/hostname", "%2e%2e/serve.log", ".hidden.png"]
    )
    def test_no_file_is_given_out(self, viewer: Viewer, path: str) -> None:
        for start in ("/voila/files/", "/"):
            status, headers, _ = viewer.ask(f"{start}{path}{viewer.query}")
            if status == 302:
                where = urlsplit(headers["Location"]).path
                status, _, _ = viewer.ask(f"{where}{viewer.query}")
            assert status in {403, 404}

    def test_the_address_cannot_change_the_template(self, viewer: Viewer) -> None:
        status, _, text = viewer.ask(f"/{viewer.query}&template=lab&theme=dark")
        assert status == 200
        assert "cdn" not in text.lower()
        assert "theme-dark" not in text

    def test_another_host_name_is_refused(self, viewer: Viewer) -> None:
        """A page elsewhere whose name was rebound to this machine gets nothing, token or not."""
        status, _, text = viewer.ask(f"/{viewer.query}", Host="evil.example")
        assert status == 403
        assert "没有访问权限" in text


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for a browser is a shell script")
def test_the_browser_is_opened_on_a_page_that_leads_in(small_run: Run, tmp_path: Path) -> None:
    assert small_run.path is not None
    browser = tmp_path / "browser"
    script = f'echo "$1" > {tmp_path}/asked\ncp "${{1#file://}}" {tmp_path}/page\ntouch {tmp_path}/done\n'
    browser.write_text(f"#!/bin/sh\n{script}")
    browser.chmod(0o700)
    code = (
        "import sys, pathlib; from huanjie_lib.screens.serve import serve\n"
        "serve(pathlib.Path(sys.argv[1]), port=0, token='sesame-1', open_browser=True, pool_size=0)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(small_run.path)], env={**os.environ, "BROWSER": str(browser)}
    )
    try:
        until = time.monotonic() + 120
        while not (tmp_path / "done").exists() and time.monotonic() < until:
            time.sleep(0.1)
        assert "sesame-1" not in (tmp_path / "asked").read_text()
        assert re.search(r"url=http://127\.0\.0\.1:\d+/\?token=sesame-1\"", (tmp_path / "page").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


@pytest.mark.parametrize("name", ["overview", "what_if", "casework", "talent"])
def test_the_notebook_is_four_short_cells(name: str) -> None:
    import nbformat

    book = nbformat.read(notebook_path(name), as_version=4)
    assert [cell.cell_type for cell in book.cells] == ["markdown", "code", "code", "code"]
    assert all(len(cell.source.splitlines()) <= 3 for cell in book.cells)
    assert all(not cell.get("outputs") for cell in book.cells)
