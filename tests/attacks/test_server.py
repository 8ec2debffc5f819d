"""Attacks on a running server: on its files, on its kernels, on who one is, on what others see."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from huanjie_lib.store.run_folder import RUN_TABLES
from tests.attacks.attacker import Attacker, Channel, Page, message
from tests.attacks.conftest import OTHER_TOWN, SECRET, TOWN, Target

pytestmark = pytest.mark.slow

CODE = "import pathlib; pathlib.Path({!r}).touch()"
COMM = {"comm_id": "1", "data": {}}
NOBODYS = "01234567-0123-4123-8123-0123456789ab"


class TestFiles:
    """Nothing but the page's own scripts and styles is given out."""

    @pytest.mark.parametrize(
        "path",
        [
            "/../../../etc/passwd",
            "/voila/files/../../../../etc/passwd",
            "/voila/static/../../../../../../etc/passwd",
            "/voila/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
            "/voila/static/%252e%252e%252f%252e%252e%252fetc%252fpasswd",
            "/voila/static//etc/passwd",
            "/voila/static/voila.js%00.png",
            "/voila/templates/huanjie/static/../index.html.j2",
            "/voila/templates/lab/static/voila.js",
            "/voila/templates/huanjie/static/%2e%2e/error.html",
            "/voila/labextensions/anywidget/static/..%2f..%2fpackage.json",
            "/voila/labextensions/anywidget/package.json",
            "/voila/api/themes/@jupyterlab/theme-light-extension/index.css",
            "/overview.ipynb",
            "/voila/files/overview.ipynb",
            "/voila/files/overview.ipynb?download=1",
            "/voila/render/overview.ipynb",
            "/voila/tree",
            "/api/contents/overview.ipynb",
            "/files/overview.ipynb",
            "/voila/files/.hidden/picture.png",
            "/voila/files/picture.png",
            "/index.parquet",
            "/manifest.json",
            "/voila/files/names.parquet",
            "/ledger.sqlite",
            "/api/kernels",
            "/api/kernelspecs",
            "/api/sessions",
            "/api/terminals",
            "/voila/query/" + NOBODYS,
            "/login",
        ],
    )
    def test_no_path_leads_out_of_the_closed_list(self, target: Target, path: str) -> None:
        answer = target.account("wang").ask(path)
        assert answer.status == 404
        assert "没有这个页面" in answer.text
        assert "/" not in answer.text.partition("<main")[2].replace("</", "").replace("<br/>", "")

    def test_what_the_page_needs_is_given_out(self, target: Target) -> None:
        for path in ("/voila/static/voila.js", "/voila/templates/huanjie/static/page.js"):
            assert target.account("wang").ask(path).status == 200

    def test_whether_it_lives_is_told_to_anybody_and_nothing_else(self, target: Target) -> None:
        for path, method, told in (("/healthz", "GET", "ok\n"), ("/healthz?kernels=1", "HEAD", "")):
            answer = target.stranger().ask(path, method)
            assert (answer.status, answer.text) == (200, told)
            assert answer.headers.get_all("Set-Cookie") is None
        for path in ("/healthz/", "/healthz/..", "/healthz/kernels"):
            assert target.account("wang").ask(path).status == 404
        assert target.stranger().ask("/healthz", "POST", "").status in {403, 405}

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_no_other_method(self, target: Target, method: str) -> None:
        for path in ("/", f"/api/kernels/{NOBODYS}", "/api/kernels", "/voila/static/voila.js"):
            assert target.account("wang").ask(path, method, "").status in {403, 404, 405}


class TestWhoOneIs:
    """The proxy's word counts, and only the proxy's."""

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-Huanjie-Account": "wang"},
            {"X-Huanjie-Account": "chen", "X-Huanjie-Role": "township"},
            {"X-Huanjie-Account": "wang", "X-Huanjie-Proxy": "5f0d6c1e"},
            {"X-Remote-User": "wang", "X-Forwarded-User": "wang", "Remote-User": "wang"},
            {"Authorization": f"token {SECRET}"},
            {"Cookie": "username-127-0-0-1=wang"},
        ],
    )
    def test_a_forged_header_opens_nothing(self, target: Target, headers: dict[str, str]) -> None:
        stranger = Attacker(target.url, headers)
        for path in ("/", f"/api/kernels/{NOBODYS}", f"/api/kernels/{NOBODYS}/channels", "/?token="):
            answer = stranger.ask(path)
            assert answer.status == 403
            assert "没有登录" in answer.text

    def test_an_account_of_another_role_is_told_so(self, target: Target) -> None:
        answer = target.account("chen").ask("/")
        assert answer.status == 403
        assert "本界面供“镇街”的账号使用，您的账号属于“市换届办”" in answer.text
        claimed = Attacker(target.url, {**target.account("chen").headers, "X-Huanjie-Role": "township"})
        assert claimed.ask("/").status == 403

    @pytest.mark.parametrize("name", ["nobody", "wang,zhao", "WANG", "wang ' or 1=1"])
    def test_an_account_that_is_not_listed_is_told_so(self, target: Target, name: str) -> None:
        answer = target.account(name).ask("/")
        assert answer.status == 403
        assert "账号没有开通" in answer.text

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", ""])
    def test_a_rebound_host_gets_nothing(self, target: Target, host: str) -> None:
        answer = target.account("wang").ask("/", Host=host)
        assert answer.status in {400, 403}

    def test_a_page_elsewhere_cannot_embed_the_screen(self, target: Target) -> None:
        for place in ("iframe", "image", "empty", "script"):
            assert target.account("wang").ask("/", Sec_Fetch_Dest=place).status == 403

    def test_a_server_without_sign_on_takes_no_word_of_a_proxy(
        self, target: Target, serve_screen: Callable[[Path], Any]
    ) -> None:
        assert target.run.path is not None
        url = serve_screen(target.run.path).url
        query = url.partition("/?")[2]
        for header in ("X_Huanjie_Account", "X_Huanjie_Role", "X_HUANJIE_PROXY"):
            answer = Attacker(url.partition("?")[0]).ask(f"/?{query}", **{header: "chen"})
            assert answer.status == 403
            assert "没有启用统一登录" in answer.text


def heard_after(channel: Channel) -> list[str]:
    """Ask what a kernel always answers, and return what kinds of messages come besides its states of mind."""
    return [kind for kind, _ in channel.ask("kernel_info_request", {}) if kind != "status"]


class TestChannel:
    """A viewer speaks to widgets and to nothing else."""

    @pytest.mark.parametrize(
        "kind",
        [
            "execute_request",
            "complete_request",
            "inspect_request",
            "history_request",
            "is_complete_request",
            "debug_request",
            "interrupt_request",
            "shutdown_request",
            "input_reply",
            "create_subshell_request",
            "execute_reply",
        ],
    )
    @pytest.mark.parametrize("channel", ["shell", "control"])
    def test_no_message_runs_code(self, target: Target, wang: Any, kind: str, channel: str) -> None:
        proof = target.other / "executed"
        wang.say(kind, {"code": CODE.format(str(proof)), "silent": False}, channel=channel)
        assert heard_after(wang) == ["kernel_info_reply"]
        assert not proof.exists()

    def test_it_would_run_if_it_passed(self, target: Target, wang: Any) -> None:
        """The guard above can fail: the same channel still answers what may pass."""
        assert heard_after(wang) == ["kernel_info_reply"]
        assert "type 'execute_request'" in target.logged

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("text", '{"header": {"msg_type": "execute_request"}, "channel": "shell"}'),
            ("a false number of parts", (2**62).to_bytes(8, "little") + bytes(64)),
            ("no parts", bytes(8)),
            ("cut short", message("comm_msg", {})[:-4]),
            ("two types", message("", {}, header=b'{"msg_type": "comm_msg", "msg_type": "execute_request"}')),
            ("no type", message("", {}, header=b"{}")),
            ("not JSON", message("", {}, header=b"\xff{")),
            ("deep", message("", {}, header=b"[" * 100_000)),
            ("a list", message("comm_open", ["target_name"])),
            (
                "another comm",
                message("comm_open", {"comm_id": "1", "target_name": "jupyter.widget", "data": {}}),
            ),
            ("a debugger", message("comm_open", {"comm_id": "1", "target_name": "debug", "data": {}})),
            ("another channel", message("comm_msg", COMM, channel="stdin")),
            ("the results' channel", message("comm_msg", COMM, channel="iopub")),
        ],
    )
    def test_what_is_no_message_of_widgets_is_dropped(
        self, wang: Any, name: str, content: bytes | str
    ) -> None:
        wang.send(content)
        assert heard_after(wang) == ["kernel_info_reply"], name

    def test_what_a_kernel_says_amiss_stays_in_the_log(self, target: Target, wang: Any) -> None:
        states = wang.states()
        widget = next(number for number, state in states.items() if "selected" in state)
        wang.say(
            "comm_msg", {"comm_id": widget, "data": {"method": "update", "state": {"selected": "x" * 9}}}
        )
        heard = wang.ask("comm_msg", {"comm_id": "no-such-widget", "data": {"method": "update", "state": {}}})
        assert {kind for kind, _ in heard} <= {"status", "comm_msg"}
        assert "Traceback" not in json.dumps(heard)
        until = time.monotonic() + 60
        while "no-such-widget" not in target.logged and time.monotonic() < until:
            time.sleep(0.1)
        assert "no-such-widget" in target.logged

    def test_another_origin_is_refused(self, target: Target) -> None:
        with target.open("li") as (viewer, page):
            for origin in (
                "http://evil.example",
                "null",
                target.url.replace("http:", "https:").rstrip("/"),
                "",
            ):
                with pytest.raises(HTTPClientError) as caught, viewer.channel(page.kernel, Origin=origin):
                    pass
                assert caught.value.code == 403
            with pytest.raises(HTTPClientError) as caught, viewer.channel(page.kernel, protocol=""):
                pass
            assert caught.value.code == 400


@pytest.fixture(scope="module")
def wang(target: Target) -> Any:
    """The channel of a page that is open for the whole module."""
    with target.open("wang") as (viewer, page), viewer.channel(page.kernel) as channel:
        yield channel


@pytest.fixture(scope="module")
def zhao(target: Target) -> Iterator[tuple[Attacker, Page]]:
    """An account of one township, and a page that is open for the whole module."""
    with target.open("zhao") as opened:
        yield opened


class TestOthers:
    """What belongs to others is out of reach."""

    def test_a_kernel_answers_its_own_viewer_alone(self, target: Target, zhao: tuple[Attacker, Page]) -> None:
        viewer, page = zhao
        li = target.account("li")
        assert viewer.ask(f"/api/kernels/{page.kernel}").status == 200
        assert li.ask(f"/api/kernels/{page.kernel}").status == 404
        with pytest.raises(HTTPClientError) as caught, li.channel(page.kernel):
            pass
        assert caught.value.code == 404
        assert li.leave(page) == 404
        form_elsewhere = viewer.ask(f"/voila/api/shutdown/{page.kernel}", "POST", "")
        assert form_elsewhere.status == 403
        assert viewer.ask(f"/api/kernels/{page.kernel}", "DELETE").status in {403, 405}
        with viewer.channel(page.kernel) as channel:  # it still lives, and answers its own
            assert channel.states()

    def test_a_kernel_that_waits_belongs_to_nobody(self, target: Target) -> None:
        """Its number cannot be guessed; it is read here from the process list, as another user could."""
        until = time.monotonic() + 60
        while not (waiting := set(target.kernels())):
            assert time.monotonic() < until
            time.sleep(0.2)
        for kernel in waiting:
            assert target.account("li").ask(f"/api/kernels/{kernel}").status == 404

    def test_no_message_brings_rows_of_another_township(
        self, target: Target, zhao: tuple[Attacker, Page]
    ) -> None:
        viewer, page = zhao
        units = target.run.units
        mine = units["township_code"] == TOWN
        with viewer.channel(page.kernel) as channel:
            states = channel.states()
            everything = page.text + json.dumps(states, ensure_ascii=False)
            assert units.loc[mine, "unit_name"].map(lambda name: name in everything).all()
            side = next(number for number, state in states.items() if state.get("label") == "详情")
            search = next(n for n, state in states.items() if "hj-search-field" in str(state.get("html")))
            area = next(number for number, state in states.items() if "selected" in state)
            other = units[~mine].iloc[0]
            told = channel.press(side, "unit", other["unit_code"])
            told += channel.press(side, "township", OTHER_TOWN)
            told += channel.press(search, "search", other["unit_name"][:2])
            for place in (len(units) - 1, -2, 10**6):
                update = {"method": "update", "state": {"selected": place}}
                told += channel.ask("comm_msg", {"comm_id": area, "data": update})
            everything += json.dumps(told, ensure_ascii=False) + json.dumps(
                channel.states(), ensure_ascii=False
            )
        for _, unit in units[~mine].iterrows():
            assert unit["unit_code"] not in everything
            assert f">{unit['unit_name']}<" not in everything
        assert "云溪镇" not in everything

    def test_a_control_that_is_not_on_the_page_does_what_the_model_allows(
        self, target: Target, zhao: tuple[Attacker, Page]
    ) -> None:
        viewer, page = zhao
        with viewer.channel(page.kernel) as channel:
            states = channel.states()
            side = next(number for number, state in states.items() if state.get("label") == "详情")
            for action, value in (
                ("eval", "1"),
                ("unit", "../../x"),
                ("__class__", ""),
                ("tab", "restricted"),
            ):
                assert not [
                    k for k, c in channel.press(side, action, value) if k == "comm_msg" and "state" in str(c)
                ]
            update = {"method": "update", "state": {"html": "<script>alert(1)</script>", "_esm": "alert(1)"}}
            channel.ask("comm_msg", {"comm_id": side, "data": update})
            again = channel.states()[side]
            assert "alert(1)" not in again["html"] + str(again.get("_esm"))
            mine = target.run.units.query("township_code == @TOWN")["unit_code"].iloc[0]
            told = json.dumps(channel.press(side, "unit", mine), ensure_ascii=False)
            assert f'data-unit=\\"{mine}\\"' in told  # the same press, of what may be seen, does something

    def test_a_kernel_is_told_neither_the_run_nor_the_address(
        self, target: Target, zhao: tuple[Attacker, Page]
    ) -> None:
        _, page = zhao
        environment = Path(f"/proc/{target.kernels()[page.kernel]}/environ").read_bytes().split(b"\0")
        told = dict(entry.decode().split("=", 1) for entry in environment if b"=" in entry)
        assert "hj-" in told["HUANJIE_RUN"]
        assert told["HUANJIE_RUN"] != str(target.run.path)
        assert not any(SECRET in value for value in told.values())
        assert (told["QUERY_STRING"], told["VOILA_REQUEST_URL"]) == ("", "")


class TestPage:
    """What stands in the page's address or in the data changes nothing of the page."""

    def test_the_address_overrides_no_template(self, target: Target) -> None:
        viewer = target.account("wang")
        page = viewer.page("/?template=lab&theme=dark&voila-template=lab&voila-theme=dark")
        assert "theme-light" in page.text
        assert "cdn" not in page.text.lower()
        assert "theme-dark" not in page.text
        assert viewer.leave(page) == 204

    def test_a_script_in_a_name_is_text(self, target: Target) -> None:
        with target.open("li") as (viewer, page), viewer.channel(page.kernel) as channel:
            told = json.dumps(channel.states(), ensure_ascii=False)
            assert "<img src=x" in "".join(target.run.units["unit_name"])
            assert "&lt;img src=x" in page.text + told
            assert "<img" not in page.text
            html = [s["html"] for s in channel.states().values() if isinstance(s.get("html"), str)]
            assert not [text for text in html if "<img" in text]


def test_nothing_that_was_tried_left_a_trace_on_the_screen_or_a_defect(target: Target) -> None:
    """Every defect has a number in the log; attacks that are refused are none."""
    assert "Traceback" not in target.logged
    assert {name for name in RUN_TABLES if name in target.account("wang").ask("/x").text} <= {"index"}
