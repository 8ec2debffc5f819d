"""Heads that were kept show that a ledger was cut off or rewritten; no lesser one takes their place."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from huanjie_lib.casework.events import Head
from huanjie_lib.errors import LedgerError, UsageError
from huanjie_lib.store.heads import newest_head, read_head, write_head
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.vocabulary import CaseEvent
from tests.offices import CITY, act

DAY = dt.date(2026, 11, 2)


@pytest.fixture
def grown(ledger: Ledger) -> Ledger:
    """A ledger of one event."""
    ledger.append(act(CaseEvent.OPEN, CITY, 0))
    return ledger


def test_a_day_has_its_last_head(grown: Ledger, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    first = write_head(grown, heads, DAY)
    assert read_head(first) == grown.head()
    grown.append(act(CaseEvent.DISPATCH, CITY, 1))
    assert write_head(grown, heads, DAY) == first
    assert read_head(first).sequence == 2
    second = write_head(grown, heads, DAY + dt.timedelta(days=1))
    (heads / "notes.json").write_text("{}")
    assert newest_head(heads) == second
    assert heads.stat().st_mode & 0o777 == 0o700
    assert grown.verify(read_head(second)) == []


def test_a_ledger_that_lost_events_does_not_replace_a_head(grown: Ledger, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    kept = write_head(grown, heads, DAY)
    content = kept.read_bytes()
    with open_ledger(tmp_path / "other", create=True) as shorter:
        with pytest.raises(LedgerError, match="台账止于事件 0"):
            write_head(shorter, heads, DAY)
        shorter.append(act(CaseEvent.OPEN, CITY, 0, case_id="C9"))
        with pytest.raises(LedgerError, match="与留存的链头不符"):
            write_head(shorter, heads, DAY + dt.timedelta(days=1))
    assert kept.read_bytes() == content
    assert [path.name for path in heads.glob("*.json")] == [kept.name]


def test_a_clock_that_steps_back_makes_no_false_alarm(grown: Ledger, tmp_path: Path) -> None:
    write_head(grown, tmp_path / "heads", DAY)
    grown.append(act(CaseEvent.DISPATCH, CITY, 1))
    earlier = write_head(grown, tmp_path / "heads", DAY - dt.timedelta(days=2))
    assert read_head(earlier).sequence == 2


def test_several_processes_keep_heads_of_a_growing_ledger(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "store", create=True) as ledger, ThreadPoolExecutor(4) as pool:
        kept = []
        for number in range(12):
            ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id=f"C{number}"))
            kept.append(pool.submit(write_head, ledger, tmp_path / "heads", DAY))
        for one in kept:
            one.result()
        assert read_head(kept[-1].result()).sequence == 12


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"sequence": -1}', b"\xff"])
def test_what_is_no_head_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "head.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="不能读取链头"):
        read_head(path)


def test_no_folder_has_no_head(tmp_path: Path) -> None:
    assert newest_head(tmp_path / "heads") is None
    assert Head().sequence == 0
