"""The writer as a process: the token alone tells who acts, files are what they say, and it ends in order."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.errors import LedgerBusyError, LedgerFullError, StaleVersionError
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.media import MOST_BYTES
from huanjie_lib.store.tokens import TokenSigner
from huanjie_lib.store.writer import Settings, told
from huanjie_lib.vocabulary import CaseEvent, Role
from tests.offices import AUDIT, CITY, TOWN, act
from tests.writing import FILES, WriterProcess, alive, request_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets and signals")


Start = Callable[[Path], WriterProcess]


def empty_ledger(folder: Path, template: Path) -> Path:
    """Return an empty ledger in a folder."""
    file = folder / "store" / "ledger.sqlite3"
    file.parent.mkdir(mode=0o700)
    return Path(shutil.copy(template, file))


def starting() -> Iterator[Start]:
    """Yield a function that starts a writer; all are ended."""
    started: list[WriterProcess] = []
    with tempfile.TemporaryDirectory(prefix="hj-") as folder:

        def begin(store: Path) -> WriterProcess:
            place = Path(folder) / str(len(started))
            place.mkdir()
            started.append(WriterProcess(str(store), place))
            return started[-1]

        yield begin
        for writer in started:
            writer.process.kill()
            writer.stop()


start = pytest.fixture(starting)
start_shared = pytest.fixture(scope="module", name="start_shared")(starting)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """The ledger of the writer that most tests share."""
    return empty_ledger(tmp_path_factory.mktemp("shared"), sqlite_template)


@pytest.fixture(scope="module")
def writer(start_shared: Start, store: Path) -> WriterProcess:
    """A running writer."""
    return start_shared(store)


@pytest.fixture
def own_store(tmp_path: Path, sqlite_template: Path) -> Path:
    """An empty ledger of one test."""
    return empty_ledger(tmp_path, sqlite_template)


@pytest.fixture
def ledger(store: Path) -> Iterator[Ledger]:
    """The shared ledger, opened for reading."""
    with open_ledger(store, read_only=True) as opened:
        yield opened


@pytest.fixture
def case(request: pytest.FixtureRequest) -> str:
    """The number of a case of one test's own."""
    return f"C{zlib.crc32(request.node.nodeid.encode())}"


def events(ledger: Ledger, case: str) -> list[str]:
    """Return the events that stand in a ledger about a case."""
    return ledger.events(case)["event"].tolist()


NewFiles = Callable[[], set[str]]


@pytest.fixture
def new_files(store: Path) -> NewFiles:
    """Return a function that names what has come into the evidence folder since, drafts too."""

    def names() -> set[str]:
        return {path.name for path in (store.parent / "evidence").rglob("*") if path.is_file()}

    before = names()
    return lambda: names() - before


GONE = "(?i)broken|reset|gone|closed|aborted"
"""What a client is told when the other side hangs up."""


class TestWhoActs:
    def test_an_event_stands_in_the_name_of_the_token(
        self, writer: WriterProcess, ledger: Ledger, case: str
    ) -> None:
        status, answer = writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=case))
        assert (status, answer["ok"]) == (200, True)
        assert answer["event"]["version"] == 1
        row = ledger.events(case).iloc[0]
        assert row["sequence"] == answer["event"]["sequence"]
        assert (row["actor"], row["office"], row["role"]) == ("chen", "市换届办", "city")
        assert answer["event"]["hash"] == ledger.head().hash

    def test_whoever_names_himself_in_the_body_is_refused(
        self, writer: WriterProcess, ledger: Ledger, case: str
    ) -> None:
        forged = act(CaseEvent.OPEN, CITY, 0, case_id=case).to_json().encode()
        status, answer = writer.ask("/append", forged, token=writer.sign(TOWN))
        assert (status, answer["code"]) == (422, "refused")
        assert "多出 actor" in answer["lines"][0]
        status, answer = writer.ask(
            "/append", request_of(act(CaseEvent.OPEN, CITY, 0, case_id=case)), token=writer.sign(TOWN)
        )
        assert (status, answer["code"]) == (422, "refused")
        assert "镇街" in answer["lines"][0]
        assert events(ledger, case) == []

    def test_scope_is_the_tokens(self, writer: WriterProcess, case: str) -> None:
        far = replace(CITY, scope=("990102",))
        status, answer = writer.append(act(CaseEvent.OPEN, far, 0, case_id=case))
        assert (status, answer["ok"]) == (422, False)
        assert "由负责该地区的单位操作" in answer["lines"][0]

    @pytest.mark.parametrize("path", ["/append", "/evidence", "/head"])
    def test_nothing_is_done_without_a_valid_token(
        self, writer: WriterProcess, ledger: Ledger, path: str, case: str
    ) -> None:
        body = None if path == "/head" else request_of(act(CaseEvent.OPEN, CITY, 0, case_id=case))
        purpose: Any = path[1:]
        other_key = TokenSigner(os.urandom(32)).sign(CITY, purpose)
        key = bytes.fromhex(writer.key)
        old = TokenSigner(key, clock=lambda: time.time() - 61).sign(CITY, purpose)
        early = TokenSigner(key, clock=lambda: time.time() + 60).sign(CITY, purpose)
        elsewhere = writer.sign(CITY, "head" if path != "/head" else "append")
        valid = writer.sign(CITY, purpose)
        for token in (None, "", "x", other_key, old, early, elsewhere, valid[:-1], valid.swapcase()):
            status, answer = writer.ask(path, body, token=token)
            assert (status, answer["code"]) == (403, "token"), token
        assert events(ledger, case) == []

    def test_no_other_address_answers(self, writer: WriterProcess) -> None:
        assert writer.ask("/", token=writer.sign(CITY))[0] == 404
        assert writer.ask("/append", method="DELETE", token=writer.sign(CITY))[0] == 405

    def test_the_key_is_told_to_nobody(self, writer: WriterProcess, store: Path) -> None:
        proc = Path("/proc") / str(writer.process.pid)
        if not proc.exists():
            pytest.skip("no /proc here")
        for place in ("cmdline", "environ"):
            seen = (proc / place).read_bytes()
            assert writer.key.encode() not in seen
            assert bytes(store) not in seen
        assert writer.socket.stat().st_mode & 0o777 == 0o600


class TestAnswers:
    def test_a_lost_race_is_told_as_such(self, writer: WriterProcess, case: str) -> None:
        writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=case))
        writer.append(act(CaseEvent.DISPATCH, CITY, 1, case_id=case))
        status, answer = writer.append(act(CaseEvent.CANCEL, CITY, 1, case_id=case, event_id="late"))
        assert (status, answer["code"]) == (409, "stale")
        assert "已被他人更新" in answer["title"]

    def test_a_repeated_event_is_not_doubled(self, writer: WriterProcess, ledger: Ledger, case: str) -> None:
        first, again = (writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=case)) for _ in range(2))
        assert first == again
        assert events(ledger, case) == ["open"]
        status, answer = writer.append(
            act(CaseEvent.OPEN, CITY, 0, case_id=case, event_id=f"{case}-1", reason="另一件事")
        )
        assert (status, answer["code"]) == (409, "clash")

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"event_id": 1}', b'{"a": NaN}'])
    def test_what_is_no_action_is_refused_in_words(self, writer: WriterProcess, body: bytes) -> None:
        status, answer = writer.ask("/append", body, method="POST", token=writer.sign(CITY))
        assert (status, answer["title"]) == (422, "操作请求不能识别")

    def test_errors_of_the_ledger_have_codes_and_defects_a_number(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        codes = {
            StaleVersionError("C1", expected=1, found=2): (409, "stale"),
            LedgerBusyError("忙"): (503, "busy"),
            LedgerFullError("满"): (507, "full"),
        }
        for error, (status, code) in codes.items():
            found, answer = told(error)
            assert (found, answer["code"]) == (status, code)
        status, answer = told(ZeroDivisionError("secret"))
        assert (status, answer["code"]) == (500, "defect")
        assert "secret" not in json.dumps(answer, ensure_ascii=False)
        number = answer["lines"][0].split("错误编号 ")[1][:8]
        assert number in caplog.text
        assert "secret" in caplog.text

    def test_the_head_is_told(self, writer: WriterProcess, ledger: Ledger, case: str) -> None:
        writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=case))
        status, answer = writer.ask("/head", token=writer.sign(CITY, "head"))
        assert (status, answer["head"]["hash"]) == (200, ledger.head().hash)

    def test_settings_go_as_one_line(self) -> None:
        settings = Settings("s\n", "ab", None)
        assert Settings.from_json(settings.to_json()) == settings
        assert "\n" not in settings.to_json()


class TestDispatchingMany:
    def test_each_is_an_event_of_its_own_and_what_became_of_each_is_told(
        self, writer: WriterProcess, ledger: Ledger, case: str
    ) -> None:
        cases = [f"{case}-{n}" for n in range(4)]
        for name in cases:
            assert writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=name))[0] == 200
        assert writer.append(act(CaseEvent.CANCEL, CITY, 1, case_id=cases[1]))[0] == 200
        assert writer.append(act(CaseEvent.DISPATCH, CITY, 1, case_id=cases[2], event_id="other"))[0] == 200
        orders = [act(CaseEvent.DISPATCH, CITY, 1, case_id=name, event_id=f"order-{name}") for name in cases]
        status, answer = ask_many(writer, orders)
        assert status == 200
        assert [(one["ok"], one.get("code")) for one in answer["results"]] == [
            (True, None),
            (False, "stale"),
            (False, "stale"),
            (True, None),
        ]
        assert cases[2] in answer["results"][2]["title"]
        before = ledger.head()
        assert ask_many(writer, orders)[1] == answer
        assert ledger.head() == before
        assert events(ledger, cases[3]) == ["open", "dispatch"]

    def test_an_audit_office_is_refused_case_by_case(
        self, writer: WriterProcess, ledger: Ledger, case: str
    ) -> None:
        assert writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=case))[0] == 200
        _, answer = ask_many(writer, [act(CaseEvent.DISPATCH, AUDIT, 1, case_id=case)])
        (result,) = answer["results"]
        assert (result["ok"], result["code"]) == (False, "refused")
        assert "审计" in result["lines"][0]
        assert events(ledger, case) == ["open"]

    @pytest.mark.parametrize(
        ("orders", "told"),
        [
            ([], "0 件"),
            ([act(CaseEvent.DISPATCH, CITY, 1, case_id=f"C{n}") for n in range(201)], "201 件"),
            ([act(CaseEvent.DISPATCH, CITY, 1, event_id=n) for n in "ab"], "出现两次"),
            ([act(CaseEvent.CANCEL, CITY, 1)], "派单以外"),
        ],
    )
    def test_another_batch_is_refused_as_a_whole(
        self, writer: WriterProcess, ledger: Ledger, orders: list[Action], told: str
    ) -> None:
        before = ledger.head()
        status, answer = ask_many(writer, orders)
        assert (status, answer["ok"]) == (422, False)
        assert told in "".join(answer["lines"])
        assert ledger.head() == before


def ask_many(writer: WriterProcess, orders: list[Action]) -> tuple[int, dict[str, Any]]:
    """Ask for many events on behalf of the first one's actor."""
    body = json.dumps({"actions": [json.loads(request_of(order)) for order in orders]}).encode()
    actor = orders[0].actor if orders else CITY
    return writer.ask("/dispatch", body, token=writer.sign(actor))


class TestEvidence:
    @pytest.mark.parametrize("name", list(FILES)[:5])
    def test_a_file_is_kept_under_its_digest(self, writer: WriterProcess, ledger: Ledger, name: str) -> None:
        status, answer = writer.upload(TOWN, quote(name), FILES[name])
        assert status == 200
        told = answer["evidence"]
        assert (told["name"], told["bytes"]) == (name, len(FILES[name]))
        with ledger.evidence.open(told["digest"]) as stream:
            assert stream.read() == FILES[name]

    @pytest.mark.parametrize(
        ("name", "content", "stated"),
        [
            ("照片.jpg", FILES["通知.pdf"], "image/jpeg"),
            ("照片.jpg", FILES["照片.jpg"], "text/html"),
            ("页面.html", b"<script>", "text/html"),
            ("说明.docx", FILES["台账.xlsx"], ""),
            ("说明.docx", b"PK\x03\x04 no archive", ""),
            ("宏.xlsx", FILES["宏.xlsx"], ""),
            ("无扩展名", FILES["通知.pdf"], "application/pdf"),
            ("包.zip", FILES["说明.docx"], "application/zip"),
        ],
    )
    def test_a_file_that_is_not_what_it_says_is_refused(
        self, writer: WriterProcess, new_files: NewFiles, name: str, content: bytes, stated: str
    ) -> None:
        status, answer = writer.upload(TOWN, quote(name), content, stated)
        assert (status, answer["code"]) == (422, "refused")
        assert "转换格式后重新上传" in answer["lines"][0]
        assert new_files() == set()

    @pytest.mark.parametrize(
        "name", ["../../etc/照片.jpg", "..\\照片.jpg", "/etc/照片.jpg", "a\x00\n照片.jpg"]
    )
    def test_a_name_is_words_and_never_a_path(
        self, writer: WriterProcess, new_files: NewFiles, name: str
    ) -> None:
        status, answer = writer.upload(TOWN, quote(name), FILES["照片.jpg"])
        assert status == 200
        assert answer["evidence"]["name"] in {"照片.jpg", "a照片.jpg"}
        assert new_files() <= {answer["evidence"]["digest"]}

    @pytest.mark.parametrize("role", [Role.READER, Role.TALENT, Role.REVIEW, Role.SYSTEM])
    def test_who_answers_for_no_case_may_not_fill_the_disk(
        self, writer: WriterProcess, new_files: NewFiles, role: Role
    ) -> None:
        status, answer = writer.upload(Actor("a", "某单位", role), "a.pdf", FILES["通知.pdf"] * 50_000)
        assert (status, answer["title"]) == (422, "不能上传佐证材料")
        assert new_files() == set()

    def test_too_much_is_refused_beforehand_and_while_it_comes(
        self, writer: WriterProcess, new_files: NewFiles
    ) -> None:
        token = writer.sign(TOWN, "evidence")
        headers = {"X-File-Name": "a.pdf", "Content-Length": str(MOST_BYTES + 1)}
        status, answer = writer.ask("/evidence", method="POST", token=token, headers=headers)
        assert (status, answer["lines"][0].count("不超过 50 MB")) == (422, 1)

        def endless() -> Iterator[bytes]:
            while True:
                yield b"%PDF-" * 200_000

        with pytest.raises(OSError, match=GONE):  # cut off: nobody who means well sends that much
            writer.upload(TOWN, "a.pdf", endless())
        assert new_files() == set()
        assert writer.upload(TOWN, "a.pdf", FILES["通知.pdf"])[0] == 200

    def test_an_upload_that_breaks_off_leaves_nothing_and_frees_its_place(
        self, writer: WriterProcess, new_files: NewFiles
    ) -> None:
        for _ in range(6):
            with pytest.raises(OSError, match=GONE):
                writer.upload(TOWN, "a.pdf", broken_off())
        until = time.monotonic() + 30
        while writer.upload(TOWN, "a.pdf", FILES["通知.pdf"])[0] != 200:
            assert time.monotonic() < until, "the places of what broke off are not free again"
        assert len(new_files()) <= 1

    def test_an_event_does_not_wait_for_uploads(self, writer: WriterProcess, case: str) -> None:
        big = b"%PDF-" + bytes(MOST_BYTES - 5)
        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(writer.upload, TOWN, f"{n}.pdf", big) for n in range(3)]
            waits = []
            for number in range(20):
                begin = time.monotonic()
                assert writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=f"{case}-{number}"))[0] == 200
                waits.append(time.monotonic() - begin)
            assert [one.result()[0] for one in sent] == [200] * 3
        assert sorted(waits)[10] < 2.0


def broken_off() -> Iterator[bytes]:
    """Yield part of a file, then fail."""
    yield b"%PDF-" * 1000
    raise BrokenPipeError("gone")


class TestProcess:
    def test_a_ledger_that_is_not_there_is_told_with_its_remedy(self, start: Start, tmp_path: Path) -> None:
        writer = start(tmp_path / "nothing.sqlite3")
        assert not writer.told["ok"]
        assert "huanjie store init" in writer.told["faults"][0][3]
        assert writer.process.wait(30) == 6

    @pytest.mark.parametrize("how", ["parent", "SIGTERM"])
    def test_it_ends_after_the_event_in_hand(self, start: Start, own_store: Path, how: str) -> None:
        """Every acknowledged event stands; one that was not is there as a whole or not at all."""
        writer = start(own_store)
        done: list[str] = []

        def hammer() -> None:
            for number in range(10_000):
                try:
                    status, answer = writer.append(act(CaseEvent.OPEN, CITY, 0, case_id=f"C{number}"))
                except (OSError, ValueError):
                    return
                if status != 200:
                    assert answer["code"] == "busy"
                    return
                done.append(answer["event"]["case_id"])

        with ThreadPoolExecutor(1) as pool:
            hammering = pool.submit(hammer)
            while len(done) < 5:
                time.sleep(0.01)
            for name in ("SIGINT", "SIGHUP"):  # those of a terminal go to the parent, who decides
                writer.process.send_signal(getattr(signal, name))
            if how == "SIGTERM":
                writer.process.send_signal(signal.SIGTERM)
            log = writer.stop()
            hammering.result()
        assert writer.process.returncode == 0
        assert log == ""
        with open_ledger(own_store, read_only=True) as ledger:
            standing = ledger.events()["case_id"].tolist()
            assert standing[: len(done)] == done
            assert len(standing) <= len(done) + 1
            assert ledger.verify() == []

    def test_it_ends_when_its_parent_is_killed(self, own_store: Path) -> None:
        code = (
            "import sys, time, pathlib; from tests.writing import WriterProcess\n"
            "writer = WriterProcess(sys.argv[1], pathlib.Path(sys.argv[2]))\n"
            "print(writer.process.pid, flush=True); time.sleep(600)"
        )
        root = Path(__file__).resolve().parents[2]
        with tempfile.TemporaryDirectory(prefix="hj-") as folder:
            parent = subprocess.Popen(
                [sys.executable, "-c", code, str(own_store), folder], stdout=subprocess.PIPE, cwd=root
            )
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            parent.kill()
            parent.wait()
            parent.stdout.close()
            until = time.monotonic() + 60
            while alive(pid) and time.monotonic() < until:
                time.sleep(0.05)
            assert not alive(pid)

    def test_the_head_of_the_day_is_kept(self, start: Start, own_store: Path) -> None:
        writer = start(own_store)
        writer.append(act(CaseEvent.OPEN, CITY, 0))
        (head,) = (own_store.parent / "heads").glob("*.json")
        assert json.loads(head.read_text())["sequence"] == 1
        writer.append(act(CaseEvent.DISPATCH, CITY, 1))
        assert json.loads(head.read_text())["sequence"] == 1, "once a day"
        writer.stop()
        assert json.loads(head.read_text())["sequence"] == 2, "and at the end"
        assert dt.date.fromisoformat(head.stem) <= dt.date.today()

    def test_what_broken_off_uploads_left_goes_a_day_later(self, start: Start, own_store: Path) -> None:
        files = own_store.parent / "evidence"
        files.mkdir()
        for name, hours in {"left.part": 25, "coming.part": 23}.items():
            (files / name).write_bytes(b"half")
            then = time.time() - hours * 3600
            os.utime(files / name, (then, then))
        writer = start(own_store)
        assert [path.name for path in files.iterdir()] == ["coming.part"]
        assert "清除了 1 个中断的上传" in writer.stop()


class TestDecisions:
    """Decisions on advice about people go the way of events: by token, once, with the writer's own words."""

    def test_a_decision_stands_in_the_name_of_the_token(self, writer: WriterProcess, ledger: Ledger) -> None:
        told = {"talent_run": "ab" * 32, "unit_code": "990101101201", "post": "director", "person_ref": "P1"}
        body = json.dumps({**told, "decision_id": "d1", "choice": "accept", "departs": False, "expected": 0})
        token = writer.sign(CITY, "decide")
        status, answer = writer.ask("/decide", body, token=token)
        assert (status, answer["decision"]["number"]) == (200, 1)
        row = ledger.decisions().iloc[0]
        assert (row["account"], row["hash"]) == (CITY.account, answer["decision"]["hash"])
        assert writer.ask("/decide", body, token=token) == (status, answer)
        status, answer = writer.ask("/decide", body.replace("d1", "d2"), token=token)
        assert (status, answer["code"]) == (409, "stale")

    def test_a_look_at_a_name_stands_in_the_name_of_the_token(
        self, writer: WriterProcess, ledger: Ledger
    ) -> None:
        told = {"entry_id": "a1", "action": "unmask", "purpose": "identity", "subject": "P1"}
        body = json.dumps({**told, "reason": "考察谈话通知本人"})
        assert writer.ask("/access", body, token=writer.sign(CITY, "decide"))[0] == 403
        status, answer = writer.ask("/access", body, token=writer.sign(CITY, "access"))
        assert (status, answer["entry"]["entry_id"]) == (200, "a1")
        row = ledger.access_log().iloc[0]
        assert (row["account"], row["subject"], row["hash"]) == (CITY.account, "P1", answer["entry"]["hash"])
        status, answer = writer.ask("/access", body.replace("a1", "a2"), token=writer.sign(TOWN, "access"))
        assert (status, answer["title"]) == (422, "没有查看原文")
        assert len(ledger.access_log()) == 1

    @pytest.mark.parametrize("purpose", ["append", "head"])
    def test_a_token_for_something_else_decides_nothing(self, writer: WriterProcess, purpose: Any) -> None:
        status, answer = writer.ask("/decide", "{}", token=writer.sign(CITY, purpose))
        assert (status, answer["ok"]) == (403, False)

    def test_an_office_that_may_not_is_refused(self, writer: WriterProcess) -> None:
        told = {"talent_run": "ab" * 32, "unit_code": "990101101201", "post": "member", "person_ref": "P1"}
        body = json.dumps({**told, "decision_id": "d3", "choice": "accept", "departs": False, "expected": 0})
        status, answer = writer.ask("/decide", body, token=writer.sign(TOWN, "decide"))
        assert (status, answer["lines"][0][:4]) == (422, "操作角色")
