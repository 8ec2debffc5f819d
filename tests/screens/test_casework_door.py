"""The door of a casework page over real servers: who gets through, on whose behalf, and what kernels hold."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.access.grants import GRANTS
from huanjie_lib.casework.alerts import COLUMNS
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.ledgers import LEDGER_TABLES, RESTRICTED_LEDGERS
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.media import MOST_BYTES
from huanjie_lib.store.run_folder import Run
from huanjie_lib.vocabulary import CaseEvent, Role
from tests.browser.conftest import free_port
from tests.browser.serving import servers
from tests.offices import CITY, OTHER_TOWN, TOWN, act
from tests.writing import FILES, alive, request_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and /proc are POSIX"),
]

PHOTO = FILES["照片.jpg"]
SERVE = """
import json, pathlib, sys
from huanjie_lib.casework.events import Actor
from huanjie_lib.screens.serve import Desk, serve
from huanjie_lib.vocabulary import Role
run, store, who = sys.argv[1:]
told = json.loads(who)
actor = Actor(told["account"], told["office"], Role(told["role"]), tuple(told["scope"]))
serve(
    pathlib.Path(run), port=0, screen="casework", desk=Desk(store, actor), pool_size=int(told["pool"]),
    announce=lambda url: print(url, flush=True),
)
"""


@dataclass
class Front:
    """A server of the screen for one account, as a browser that has opened its page sees it."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""
    cookies: str = ""
    xsrf: str = ""

    def open(self) -> None:
        """Wait for the address and take the login cookie; the page gives it too, but needs a kernel."""
        until = time.monotonic() + 180
        while not (found := re.search(r"http://\S+", self.log.read_text(encoding="utf-8"))):
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < until
            time.sleep(0.05)
        self.url = found[0]
        path = f"/casework/evidence/C0/{'0' * 64}?{urlsplit(self.url).query}"
        status, headers, _ = self.ask("GET", path)
        assert status == 404
        jar = [cookie.partition(";")[0] for cookie in headers.get_all("Set-Cookie") or []]
        self.xsrf = "x" * 32
        self.cookies = "; ".join([*jar, f"_xsrf={self.xsrf}"])

    @property
    def origin(self) -> str:
        """Origin of its page."""
        return f"http://{urlsplit(self.url).netloc}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Return status, headers and text of a plain request."""
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("latin-1")
        finally:
            connection.close()

    def post(self, path: str, body: Any, **changed: str | None) -> tuple[int, dict[str, Any]]:
        """Post as the page does; ``None`` leaves a header out."""
        usual: dict[str, str | None] = {
            "Cookie": self.cookies,
            "Origin": self.origin,
            "X-XSRFToken": self.xsrf,
            "Content-Type": "application/json",
        }
        given = {name.replace("_", "-"): value for name, value in changed.items()}
        headers = {name: value for name, value in {**usual, **given}.items() if value is not None}
        status, _, text = self.ask("POST", path, body, headers)
        return status, json.loads(text.encode("latin-1"))

    def append(self, action: Action, **changed: str | None) -> tuple[int, dict[str, Any]]:
        """Post an action as the page does."""
        return self.post("/casework/append", request_of(action), **changed)

    def insist(self, action: Action) -> tuple[int, dict[str, Any]]:
        """Post an action again, as the page lets one do, while a dying writer still holds its socket."""
        until = time.monotonic() + 60
        while (answer := self.append(action))[0] == 502:
            assert time.monotonic() < until
            time.sleep(0.05)
        return answer

    def upload(self, name: str, content: Any, **changed: str | None) -> tuple[int, dict[str, Any]]:
        """Post a file as the page does."""
        headers = {"X_File_Name": quote(name), "Content_Type": "application/octet-stream", **changed}
        return self.post("/casework/evidence", content, **headers)

    def save(self, case_id: str, digest: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Save a file of a case."""
        path = f"/casework/evidence/{case_id}/{digest}"
        status, told, text = self.ask("GET", path, headers={"Cookie": self.cookies, **headers})
        return status, told, text.encode("latin-1")

    def children(self) -> dict[int, str]:
        """Return the processes that the server has started, with their command lines."""
        listed = subprocess.run(
            ["ps", "-eww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
        )
        rows = (line.split(None, 2) for line in listed.stdout.splitlines())
        return {int(pid): args for pid, parent, args in rows if int(parent) == self.process.pid}

    def writer(self) -> int:
        """Return the process of its writer."""
        (pid,) = (pid for pid, args in self.children().items() if "huanjie_lib.store.writer" in args)
        return pid

    def kill_writer(self) -> int:
        """Kill its writer, wait until it is no more, and return its number."""
        pid = self.writer()
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while alive(pid):
            assert time.monotonic() < until
            time.sleep(0.02)
        return pid

    def stop(self) -> int:
        """End it as a service manager does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)


Serve = Callable[..., Front]


@pytest.fixture(scope="module")
def run_with_ledgers(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run with empty ledgers, so that its screen comes up."""
    assert small_run.path is not None
    folder = Path(shutil.copytree(small_run.path, tmp_path_factory.mktemp("run") / "run"))
    alerts = pd.DataFrame(columns=list(COLUMNS))
    rows = {"alerts": alerts, "restricted_alerts": alerts}
    for names, place in ((LEDGER_TABLES, "ledgers"), (RESTRICTED_LEDGERS, "restricted")):
        (folder / place).mkdir(exist_ok=True)
        for name in names:
            frame = rows.get(name, pd.DataFrame(columns=list(GRANTS[f"{place}/{name}"].columns)))
            frame.to_parquet(folder / place / f"{name}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def serve(run_with_ledgers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return a function that serves the screen of the small run to an account; all end with the module."""
    fronts: list[Front] = []

    def start(store: Path, actor: Actor, *, pool: int = 0) -> Front:
        who = {"account": actor.account, "office": actor.office, "role": actor.role.value, "pool": pool}
        log = tmp_path_factory.mktemp("serve") / "log"
        arguments = [str(run_with_ledgers), str(store), json.dumps({**who, "scope": list(actor.scope)})]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, *arguments], stdout=sink, stderr=subprocess.STDOUT
            )
        fronts.append(Front(process, log))
        return fronts[-1]

    yield start
    for front in fronts:
        assert front.stop() == 0, front.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that city and township share."""
    folder = tmp_path_factory.mktemp("ledger") / "store"
    open_ledger(folder, create=True).close()
    return folder


@pytest.fixture(scope="module")
def fronts(serve: Serve, store: Path) -> tuple[Front, Front]:
    """Two servers on the ledger: the city's, with a kernel, and a township's."""
    both = serve(store, CITY, pool=1), serve(store, TOWN)
    for front in both:
        front.open()
    return both


@pytest.fixture(scope="module")
def city(fronts: tuple[Front, Front]) -> Front:
    """The city's server."""
    return fronts[0]


@pytest.fixture(scope="module")
def town(fronts: tuple[Front, Front]) -> Front:
    """The township's server."""
    return fronts[1]


@pytest.fixture
def ledger(store: Path) -> Iterator[Ledger]:
    """The ledger, opened for reading."""
    with open_ledger(store, read_only=True) as opened:
        yield opened


@pytest.fixture
def case(request: pytest.FixtureRequest) -> str:
    """The number of a case of one test's own."""
    return "C" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]


class TestWhoGetsThrough:
    def test_a_page_of_this_server_records_in_the_name_of_its_account(
        self, city: Front, ledger: Ledger, case: str
    ) -> None:
        status, answer = city.append(act(CaseEvent.OPEN, TOWN, 0, case_id=case))
        assert (status, answer["ok"]) == (200, True)
        row = ledger.events(case).iloc[0]
        assert (row["actor"], row["office"], row["role"]) == ("chen", "市换届办", "city")

    @pytest.mark.parametrize(
        "changed",
        [
            {"Cookie": None},
            {"Cookie": "_xsrf=" + "x" * 32},
            {"X_XSRFToken": None},
            {"X_XSRFToken": "y" * 32},
            {"Origin": None},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Host": "evil.example"},
            {"Sec_Fetch_Site": "cross-site"},
        ],
        ids=str,
    )
    def test_all_others_are_refused(
        self, city: Front, ledger: Ledger, case: str, changed: dict[str, str | None]
    ) -> None:
        for status, answer in (
            city.append(act(CaseEvent.OPEN, CITY, 0, case_id=case), **changed),
            city.upload("a.pdf", b"%PDF-", **changed),
        ):
            assert (status, answer["code"]) == (403, "forbidden")
            assert "没有登记" in answer["title"]
        assert len(ledger.events(case)) == 0

    def test_the_login_token_alone_is_not_enough(self, city: Front, ledger: Ledger, case: str) -> None:
        """Jupyter lets who brings the token off origin and cross-site token; this door does not."""
        token = urlsplit(city.url).query.partition("=")[2]
        for origin in (city.origin, "http://evil.example"):
            status, _ = city.append(
                act(CaseEvent.OPEN, CITY, 0, case_id=case),
                Cookie=None,
                X_XSRFToken=None,
                Authorization=f"token {token}",
                Origin=origin,
            )
            assert status == 403
        assert len(ledger.events(case)) == 0

    def test_many_are_dispatched_in_the_name_of_the_account(
        self, city: Front, town: Front, ledger: Ledger, case: str
    ) -> None:
        cases = [f"{case}-{n}" for n in range(3)]
        for name in cases:
            assert city.append(act(CaseEvent.OPEN, CITY, 0, case_id=name))[0] == 200
        orders = [json.loads(request_of(act(CaseEvent.DISPATCH, CITY, 1, case_id=name))) for name in cases]
        body = json.dumps({"actions": orders}).encode()
        status, answer = town.post("/casework/dispatch", body)
        assert (status, [one["ok"] for one in answer["results"]]) == (200, [False] * 3)
        assert city.post("/casework/dispatch", body, Origin="http://evil.example")[0] == 403
        status, answer = city.post("/casework/dispatch", body)
        assert (status, answer["results"]) == (200, [{"case_id": name, "ok": True} for name in cases])
        assert {ledger.case(name).owner for name in cases} == {TOWN.office}

    def test_who_acts_cannot_be_said_in_the_body(self, town: Front, ledger: Ledger, case: str) -> None:
        forged = act(CaseEvent.OPEN, CITY, 0, case_id=case).to_json().encode()
        status, answer = town.post("/casework/append", forged)
        assert (status, answer["ok"]) == (422, False)
        status, answer = town.append(act(CaseEvent.OPEN, CITY, 0, case_id=case))
        assert (status, answer["ok"]) == (422, False)
        assert "镇街" in answer["lines"][0]
        assert len(ledger.events(case)) == 0

    @pytest.mark.parametrize("path", ["/casework/append", "/casework/dispatch", "/casework/evidence"])
    def test_only_posts(self, city: Front, path: str) -> None:
        assert city.ask("GET", path, headers={"Cookie": city.cookies})[0] == 405

    def test_a_file_is_handed_out_with_the_account_on_it_once_the_log_has_it(
        self, city: Front, town: Front, ledger: Ledger, small_run: Run
    ) -> None:
        asked = {"what": "ledgers", "unit_code": "", "entry_id": "made-1"}
        for front in (city, town):
            told = {**asked, "entry_id": f"made-{front is city}"}
            headers = {"Cookie": front.cookies, "Origin": front.origin, "X-XSRFToken": front.xsrf}
            status, kind, text = front.ask("POST", "/casework/file", json.dumps(told), headers)
            content = text.encode("latin-1")
            assert (status, kind["Content-Disposition"]) == (200, "attachment")
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
            words = {str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row}
            book.close()
            who = CITY if front is city else TOWN
            role = "，" if who.office == who.role.label else f"（{who.role.label}）"
            assert any(f"{who.office} {who.account}{role}" in word for word in words)
            row = ledger.access_log(account=who.account).iloc[-1]
            assert (row["action"], row["purpose"]) == ("export", "casework")
            assert row["digest"] == hashlib.sha256(content).hexdigest()
        levels = small_run.index.set_index("unit_code")["level"]
        red = next(code for code in levels[levels == "red"].index if not TOWN.covers(code))
        known = len(ledger.access_log())
        for told in (
            {**asked, "what": "plan", "unit_code": red},
            {**asked, "what": "../../etc/passwd"},
            {"what": "ledgers"},
            {**asked, "role": "city"},
        ):
            status, answer = town.post("/casework/file", json.dumps(told))
            assert (status, answer["ok"]) == (422, False), told
        assert town.post("/casework/file", json.dumps(asked), X_XSRFToken=None)[0] == 403
        assert len(ledger.access_log()) == known
        told = {**asked, "what": "plan", "unit_code": red, "entry_id": "made-plan"}
        headers = {"Cookie": city.cookies, "Origin": city.origin, "X-XSRFToken": city.xsrf}
        status, _, text = city.ask("POST", "/casework/file", json.dumps(told), headers)
        assert (status, text[:2]) == (200, "PK")
        assert ledger.access_log().iloc[-1]["subject"].startswith(red)

    def test_no_screen_without_a_ledger_has_a_door(
        self, small_run: Run, serve_screen: Callable[[Path], Any]
    ) -> None:
        assert small_run.path is not None
        served = serve_screen(small_run.path)
        front = Front(served.process, served.log, served.url, xsrf="x" * 32)
        token = urlsplit(front.url).query.partition("=")[2]
        given = {
            "Cookie": f"_xsrf={front.xsrf}",
            "X-XSRFToken": front.xsrf,
            "Authorization": f"token {token}",
        }
        assert front.ask("POST", "/casework/append", b"{}", given)[0] == 404  # as for any unknown address


class TestFiles:
    def test_a_case_is_rectified_with_a_file_that_only_those_who_see_the_case_can_save(
        self, city: Front, town: Front, ledger: Ledger, case: str
    ) -> None:
        for status, answer in (
            city.append(act(CaseEvent.OPEN, CITY, 0, case_id=case)),
            city.append(act(CaseEvent.DISPATCH, CITY, 1, case_id=case)),
            town.upload("../公示 照片.jpg", PHOTO),
        ):
            assert (status, answer["ok"]) == (200, True)
        kept = answer["evidence"]
        assert kept["name"] == "公示 照片.jpg"
        status, answer = town.append(act(CaseEvent.RECTIFY, TOWN, 2, case_id=case, evidence=[kept]))
        assert answer["ok"], answer
        status, headers, content = city.save(case, kept["digest"])
        assert (status, content) == (200, PHOTO)
        assert headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{quote('公示 照片.jpg')}"
        assert headers["Content-Type"] == "image/jpeg"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        for case_id, digest in ((case, "0" * 64), ("C0", kept["digest"])):
            assert city.save(case_id, digest)[0] == 404
        assert city.save(case, kept["digest"], Cookie="")[0] in {302, 403}
        assert city.save(case, kept["digest"], **{"Sec-Fetch-Site": "cross-site"})[0] == 403
        with ledger.evidence.open(kept["digest"]) as stream:
            place = Path(stream.name)
        place.chmod(0o600)
        place.write_bytes(PHOTO + b"!")
        status, _, content = city.save(case, kept["digest"])
        assert status == 503
        assert "佐证材料被改动或损坏" in json.loads(content)["title"]
        place.write_bytes(PHOTO)

    def test_another_townships_case_and_a_restricted_one_are_not_there(
        self, serve: Serve, city: Front, town: Front, store: Path, case: str
    ) -> None:
        city.append(act(CaseEvent.OPEN, CITY, 0, case_id=case, kind="signal", restricted=True))
        order: dict[str, Any] = {"owner": CITY.office, "due_on": "2026-12-01", "note": ""}
        city.append(act(CaseEvent.DISPATCH, CITY, 1, case_id=case, **order))
        kept = city.upload("名单.pdf", FILES["通知.pdf"])[1]["evidence"]
        answer = city.append(act(CaseEvent.RECTIFY, CITY, 2, case_id=case, evidence=[kept]))[1]
        assert answer["ok"], answer
        assert city.save(case, kept["digest"])[0] == 200
        assert town.save(case, kept["digest"])[0] == 404
        other = serve(store, replace(OTHER_TOWN, role=Role.COUNTY))
        other.open()
        assert other.save(case, kept["digest"])[0] == 404

    @pytest.mark.parametrize(
        ("name", "content"),
        [("a.html", b"<script>"), ("照片.jpg", FILES["通知.pdf"]), ("宏.xlsx", FILES["宏.xlsx"])],
    )
    def test_what_is_no_evidence_is_refused_in_words(self, town: Front, name: str, content: bytes) -> None:
        status, answer = town.upload(name, content * 1000 if name == "a.html" else content)
        assert (status, answer["title"]) == (422, "没有收下佐证材料")

    def test_too_much_is_refused(self, town: Front, store: Path) -> None:
        status, answer = town.post(
            "/casework/evidence", None, X_File_Name="a.pdf", Content_Length=str(MOST_BYTES + 1)
        )
        assert (status, answer["ok"]) == (422, False)
        status, answer = town.post("/casework/append", None, Content_Length=str(MOST_BYTES))
        assert (status, answer["ok"]) == (422, False)

        def endless() -> Iterator[bytes]:
            while True:
                yield b"%PDF-" * 200_000

        with pytest.raises((OSError, http.client.HTTPException)):
            town.upload("a.pdf", endless())
        assert town.upload("a.pdf", FILES["通知.pdf"])[0] == 200
        assert not list((store / "evidence").rglob("*.part"))


class TestTwoServers:
    def test_both_write_at_once_and_nothing_is_lost(
        self, city: Front, town: Front, ledger: Ledger, case: str
    ) -> None:
        """Each dispatch and each rectification races against those of the other server."""
        cases = [f"{case}-{number}" for number in range(12)]
        for one in cases:
            assert city.append(act(CaseEvent.OPEN, CITY, 0, case_id=one))[1]["ok"]
            assert city.append(act(CaseEvent.DISPATCH, CITY, 1, case_id=one))[1]["ok"]

        def all_by(front: Front, event: CaseEvent, name: str) -> list[str]:
            payload: dict[str, Any] = {"evidence": []} if event is CaseEvent.RECTIFY else {"note": "误报"}
            actions = [act(event, CITY, 2, case_id=one, event_id=f"{one}-{name}", **payload) for one in cases]
            return [front.append(action)[1].get("code", "ok") for action in actions]

        with ThreadPoolExecutor(2) as pool:
            by_city = pool.submit(all_by, city, CaseEvent.CANCEL, "c")
            by_town = pool.submit(all_by, town, CaseEvent.RECTIFY, "t")
            outcomes = list(zip(by_city.result(), by_town.result(), strict=True))
        assert all(sorted(pair) == ["ok", "stale"] for pair in outcomes), outcomes
        assert [len(ledger.events(one)) for one in cases] == [3] * len(cases)
        assert ledger.verify() == []


def test_a_kernel_holds_nothing_that_could_write(city: Front, store: Path) -> None:
    """No key and token in its environment, command line and files; no way to the ledger, but to its part."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc here")
    kernels = [pid for pid, args in city.children().items() if "ipykernel_launcher" in args]
    assert kernels
    until = time.monotonic() + 60
    while not any(opened(pid, part_of(pid)) for pid in kernels):  # the page is rendered ahead
        assert time.monotonic() < until, "no kernel has opened its part, so there is nothing to see"
        time.sleep(0.1)
    writer = city.writer()
    assert any("write" in how for how in opened(writer, store).values()), (
        "the writer does: the check can see it"
    )
    for pid in kernels:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        named = dict(entry.decode().split("=", 1) for entry in environment if b"=" in entry)
        assert str(store) not in "".join(named.values())
        assert opened(pid, store) == {}
        assert json.loads(named["HUANJIE_ACTOR"])["account"] == "chen"
        token = urlsplit(city.url).query.partition("=")[2]
        everything = b"\0".join(environment) + Path(f"/proc/{pid}/cmdline").read_bytes()
        assert token.encode() not in everything
        assert not re.search(rb"[0-9a-f]{64}", everything), "no key of 32 bytes"
        assert "writer.sock" not in "".join(opened(pid, Path("/")))
        # SQLite itself opens its log and index of pages so; a connection for reading writes no event there
        own = ("-wal", "-shm")
        files = {name: how for name, how in opened(pid, part_of(pid)).items() if not name.endswith(own)}
        assert set(files.values()) <= {"read"}, files
    secret = re.compile(rb"[0-9a-f]{64}")
    runtime = Path(named["IPYTHONDIR"]).parent
    assert runtime.stat().st_mode & 0o077 == 0
    for file in runtime.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert token.encode() not in content or file.name == "open.html", file
            assert not secret.search(content) or file.suffix == ".json", file


def part_of(pid: int) -> Path:
    """Return the folder that a kernel was told to read its part of the ledger from."""
    environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return Path(next(e for e in environment if e.startswith("HUANJIE_STORE=")).partition("=")[2]).parent


def opened(pid: int, place: Path) -> dict[str, str]:
    """Return the files below a folder that a process holds open, and how."""
    files = {}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(link.readlink())
            if target.startswith(str(place)):
                flags = int(
                    re.findall(r"flags:\s*(\d+)", Path(f"/proc/{pid}/fdinfo/{link.name}").read_text())[0], 8
                )
                files[target] = "read" if flags & os.O_ACCMODE == os.O_RDONLY else "write"
    return files


def asks_in_hand(front: Front) -> int:
    """Return how many connections there are to the writer of a server, taken or not."""
    held = [link.readlink().name for link in Path(f"/proc/{front.writer()}/fd").iterdir()]
    sockets = [line.split() for line in Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()]
    (place,) = {
        row[-1] for row in sockets if f"socket:[{row[6]}]" in held and row[-1].endswith("writer.sock")
    }
    return sum(row[-1] == place for row in sockets) - 1  # one of them listens


class TestWriterDies:
    @pytest.fixture
    def own(self, serve: Serve, tmp_path: Path) -> tuple[Front, Path]:
        """A server over a ledger of its own."""
        open_ledger(tmp_path / "store", create=True).close()
        front = serve(tmp_path / "store", CITY)
        front.open()
        return front, tmp_path / "store"

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_it_is_told_in_words_and_the_same_event_succeeds_afterwards(
        self, own: tuple[Front, Path]
    ) -> None:
        front, store = own
        wanted = act(CaseEvent.OPEN, CITY, 0)
        os.kill(front.writer(), signal.SIGSTOP)  # it has the request and does not answer
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(front.append, wanted)
            until = time.monotonic() + 60
            while not asks_in_hand(front):
                assert time.monotonic() < until
                time.sleep(0.02)
            assert not asked.done()
            os.kill(front.writer(), signal.SIGKILL)
            status, answer = asked.result()
        assert (status, answer["code"]) == (502, "network")
        assert "登记服务中断" in answer["title"]
        status, answer = front.insist(wanted)
        assert (status, answer["event"]["sequence"]) == (200, 1)
        with open_ledger(store, read_only=True) as ledger:
            assert len(ledger.events()) == 1
        old = front.kill_writer()
        status, again = front.insist(wanted)
        assert (status, again) == (200, answer)
        assert front.writer() != old

    def test_one_that_keeps_dying_is_not_started_for_ever(self, own: tuple[Front, Path]) -> None:
        front, _ = own
        for _ in range(5):
            assert front.insist(act(CaseEvent.OPEN, CITY, 0))[0] == 200
            front.kill_writer()
        status, answer = front.insist(act(CaseEvent.OPEN, CITY, 0))
        assert (status, answer["code"]) == (503, "ledger")
        assert "反复中断" in answer["title"]
        assert "huanjie serve" in answer["lines"][0]

    def test_it_ends_with_the_server(self, own: tuple[Front, Path]) -> None:
        front, store = own
        assert front.append(act(CaseEvent.OPEN, CITY, 0))[0] == 200
        assert front.stop() == 0
        assert front.children() == {}
        assert json.loads(next((store / "heads").glob("*.json")).read_text())["sequence"] == 1
        log = front.log.read_text(encoding="utf-8")
        assert "Traceback" not in log
        assert "登记服务" not in log


SECRET = "7d" * 20


@pytest.fixture(scope="module")
def signed_on_front(
    run_with_ledgers: Path, store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """A server of the screen for townships."""
    folder = tmp_path_factory.mktemp("signed-on")
    rows = [
        {"account": one.account, "office": one.office, "role": one.role.value, "scope": list(one.scope)}
        for one in (TOWN, OTHER_TOWN)
    ]
    told = {"format": "huanjie-accounts/1", "accounts": rows}
    for name, text in (("accounts", json.dumps(told)), ("secret", SECRET)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)
    port, log = free_port(), folder / "serve.log"
    with servers() as started:
        url = started.start(
            log,
            *("--app", "casework", "--run", run_with_ledgers, "--store", store, "--port", port),
            *("--role", "township", "--accounts", folder / "accounts"),
            *("--proxy-secret", folder / "secret", "--public", f"http://127.0.0.1:{port}"),
        )
        yield Front(started.processes[0], log, url, "_xsrf=" + "x" * 32, "x" * 32)


class TestSignedOn:
    """Two offices on one server behind a proxy: each acts and sees as itself."""

    def signed_on(self, actor: Actor) -> dict[str, str]:
        return {"X_Huanjie_Account": actor.account, "X_Huanjie_Proxy": SECRET}

    def test_the_writer_is_asked_in_the_name_of_the_account(
        self, signed_on_front: Front, city: Front, ledger: Ledger, case: str
    ) -> None:
        for version, event in enumerate((CaseEvent.OPEN, CaseEvent.DISPATCH)):
            assert city.append(act(event, CITY, version, case_id=case))[0] == 200
        kept = signed_on_front.upload("照片.jpg", PHOTO, **self.signed_on(TOWN))[1]["evidence"]
        rectified = act(CaseEvent.RECTIFY, TOWN, 2, case_id=case, evidence=[kept])
        status, answer = signed_on_front.append(
            rectified, **self.signed_on(OTHER_TOWN)
        )  # whatever the body says
        assert (status, answer["code"]) == (422, "refused")
        assert (
            signed_on_front.append(rectified, X_Huanjie_Account=TOWN.account)[0] == 403
        )  # nobody's word for it
        status, answer = signed_on_front.append(rectified, **self.signed_on(TOWN))
        assert (status, answer["ok"]) == (200, True)
        row = ledger.events(case).iloc[-1]
        assert (row["actor"], row["office"], row["role"]) == (TOWN.account, TOWN.office, "township")
        for actor, found in ((TOWN, 200), (OTHER_TOWN, 404)):
            headers = {name.replace("_", "-"): value for name, value in self.signed_on(actor).items()}
            assert signed_on_front.save(case, kept["digest"], **headers)[0] == found

    def test_its_kernel_is_told_of_the_account(self, signed_on_front: Front) -> None:
        for actor in (TOWN, OTHER_TOWN):
            headers = {name.replace("_", "-"): value for name, value in self.signed_on(actor).items()}
            status, _, text = signed_on_front.ask("GET", "/", headers=headers)
            assert status == 200
            assert actor.office in text.encode("latin-1").decode("utf-8")
        told = [
            Path(f"/proc/{pid}/environ").read_bytes()
            for pid, arguments in signed_on_front.children().items()
            if "ipykernel" in arguments
        ]
        for actor in (TOWN, OTHER_TOWN):
            assert any(f'"account":"{actor.account}"'.encode() in environment for environment in told)
        assert not any(SECRET.encode() in environment for environment in told)
