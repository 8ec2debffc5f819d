"""The line to the writer by itself: its process, its words, and what it keeps to itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.errors import LedgerError
from huanjie_lib.screens.writer_link import Answer, Place, WriterLink
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.tokens import KEY_BYTES
from huanjie_lib.vocabulary import CaseEvent
from tests.offices import CITY, act
from tests.writing import FILES, request_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a new ledger."""
    open_ledger(tmp_path / "store", create=True).close()
    store = tmp_path / "store" / "ledger.sqlite3"
    return Place(str(store), str(store.parent / "evidence"), str(store.parent / "heads"), str(store))


@pytest.fixture
def link(place: Place, tmp_path: Path) -> Iterator[WriterLink]:
    """A line to a running writer."""
    link = WriterLink(place, CITY, tmp_path)
    link.start()
    yield link
    link.stop()


def answered(asked: Coroutine[Any, Any, Answer]) -> Answer:
    """Return the answer; asked in its own thread, as a browser test may have left a loop running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asked).result()


async def body(content: bytes) -> AsyncIterator[bytes]:
    """Yield a content in pieces."""
    for start in range(0, len(content), 7):
        yield content[start : start + 7]


def test_it_asks_on_behalf_of_its_account(link: WriterLink, place: Place) -> None:
    wanted = request_of(act(CaseEvent.OPEN, CITY, 0))
    answer = answered(link.ask("POST", "/append", "append", body=body(wanted)))
    assert (answer.status, answer.body["event"]["sequence"]) == (200, 1)
    head = answered(link.ask("GET", "/head", "head"))
    assert head.body["head"]["hash"] == answer.body["event"]["hash"]
    with open_ledger(place.store, read_only=True) as ledger:
        assert ledger.events()["actor"].tolist() == ["chen"]


def test_a_long_path_of_the_folder_gives_a_port_in_place_of_a_socket(place: Place, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 110)
    deep.mkdir()
    link = WriterLink(place, CITY, deep)
    try:
        link.start()
        assert list(deep.iterdir()) == []
        headers = {"X-File-Name": "a.pdf", "Content-Type": "application/pdf"}
        sent = link.ask("POST", "/evidence", "evidence", headers=headers, body=body(FILES["通知.pdf"]))
        assert answered(sent).status == 200
    finally:
        link.stop()


def test_what_the_writer_says_of_the_ledger_is_said_again(tmp_path: Path) -> None:
    link = WriterLink(Place(str(tmp_path / "no.sqlite3"), None, None, ""), CITY, tmp_path)
    with pytest.raises(LedgerError, match="huanjie store init"):
        link.start()
    link.stop()


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "import sys; sys.stdin.readline()"])
def test_a_writer_that_does_not_come_up_is_told(place: Place, tmp_path: Path, code: str) -> None:
    link = WriterLink(place, CITY, tmp_path, command=(sys.executable, "-c", code))
    with pytest.raises(LedgerError, match="登记服务不能启动"):
        link.start()
    link.stop()


def test_once_stopped_it_stays_so(link: WriterLink) -> None:
    link.stop()
    link.stop()
    link.start()
    with pytest.raises(LedgerError, match="正在停止"):
        answered(link.ask("GET", "/head", "head"))


def test_each_writer_has_a_key_of_its_own(link: WriterLink, place: Place, tmp_path: Path) -> None:
    other = WriterLink(place, CITY, tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.start()
    try:
        link._signer = other._signer
        assert answered(link.ask("GET", "/head", "head")).status == 403
    finally:
        other.stop()
    assert KEY_BYTES >= 32


def test_a_writer_that_replaces_another_has_the_same_password(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    code = (
        "import os, runpy, sys; from pathlib import Path\n"
        f"with Path({str(told)!r}).open('a') as file: print(os.environ.get('PGPASSFILE'), file=file)\n"
        "runpy.run_module('huanjie_lib.store.writer', run_name='__main__')"
    )
    monkeypatch.setenv("PGPASSFILE", "secret")
    link = WriterLink(place, CITY, tmp_path, command=(sys.executable, "-c", code))
    try:
        link.start()
        monkeypatch.setenv("PGPASSFILE", "")  # as the server does before it starts kernels
        os.kill(link.pid, signal.SIGKILL)
        assert link._process is not None
        link._process.wait()
        assert answered(link.ask("GET", "/head", "head")).status == 200
    finally:
        link.stop()
    assert told.read_text().split() == ["secret", "secret"]
