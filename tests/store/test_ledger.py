from __future__ import annotations

import datetime as dt
import io
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from huanjie_lib.casework.cases import CASE_COLUMNS, Case, cases_frame, replay
from huanjie_lib.casework.events import EVENT_COLUMNS, Action, Head, Recorded
from huanjie_lib.contracts import table
from huanjie_lib.errors import (
    EventClashError,
    LedgerError,
    LedgerFullError,
    StaleVersionError,
    TransitionError,
)
from huanjie_lib.store import ledger as module
from huanjie_lib.store.ledger import RUN_COLUMNS, Ledger, PublishedRun, open_ledger
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState
from tests.offices import CITY, COUNTY, DAY, OTHER_TOWN, PUBLISHER, TOWN, act, events_frame, life

RUN = "cd" * 32


def keep(ledger: Ledger, content: bytes = b"photo") -> list[dict[str, Any]]:
    return [ledger.evidence.put(io.BytesIO(content), name="公示.jpg", media_type="image/jpeg").to_json()]


def lived(ledger: Ledger, case_id: str = "C1", steps: int = 99, **other: Any) -> list[Action]:
    """Record the life of a case, with a file that is really kept, and return its events."""
    actions = []
    for action in list(life(case_id, **other))[:steps]:
        if action.event is CaseEvent.RECTIFY:
            told = {**action.payload, "evidence": keep(ledger)}
            action = Action(**{**vars(action), "payload": told})
        ledger.append(action)
        actions.append(action)
    return actions


def run(number: int = 1, causes: tuple[str, ...] = ("plan/C1", "level/2"), **other: Any) -> PublishedRun:
    index = pd.DataFrame(
        {
            "unit_code": ["990101101202", "990101101201"],
            "index": [float("nan"), 55.1],
            "level": ["unknown", "red"],
        }
    )
    told = {"as_of": dt.date(2026, 10, 31), "parameter_version": "p1", "published_by": "chen", "index": index}
    return PublishedRun(f"{number:064x}", causes=causes, **(told | other))


# ---------------------------------------------------------------- one event


def test_events_come_back_as_they_were_recorded(ledger: Ledger) -> None:
    actions = [*lived(ledger, "C1"), *lived(ledger, "C2")]
    events = ledger.events()
    assert list(events.columns) == list(EVENT_COLUMNS)
    assert events["sequence"].tolist() == list(range(1, 21))
    assert events["happened_on"].dtype == "datetime64[us]"
    # The same hashes as those of a chain made apart from the ledger: on both databases, byte by byte.
    by_hand = events_frame(actions, events["recorded_at"].tolist())
    assert events["hash"].tolist() == by_hand["hash"].tolist()
    assert ledger.events("C2")["sequence"].tolist() == list(range(11, 21))
    assert ledger.events(after=18)["sequence"].tolist() == [19, 20]
    assert ledger.verify(ledger.head()) == []


def test_the_answer_says_where_the_event_stands(ledger: Ledger) -> None:
    first = ledger.append(act(CaseEvent.OPEN, CITY, 0))
    second = ledger.append(act(CaseEvent.DISPATCH, CITY, 1))
    assert (first.sequence, first.version, first.previous_hash) == (1, 1, "0" * 64)
    assert (second.sequence, second.version, second.previous_hash) == (2, 2, first.hash)
    assert ledger.head() == Head(2, second.hash)


def test_derived_cases_are_the_replay_of_the_events(ledger: Ledger) -> None:
    for number, steps in enumerate((1, 2, 3, 4, 8, 9, 10), start=1):
        lived(ledger, f"C{number}", steps)
    replayed = replay(ledger.events())
    assert {case_id: ledger.case(case_id) for case_id in replayed} == replayed
    order = ledger.cases()["case_id"].tolist()
    pd.testing.assert_frame_equal(ledger.cases(), cases_frame([replayed[c] for c in order]))
    assert {c.name for c in table("cases").columns} <= set(CASE_COLUMNS)


def test_the_clock_is_an_argument_and_orders_nothing(opened: Callable[..., Ledger]) -> None:
    times = iter([dt.datetime(2026, 11, 9, 8, tzinfo=dt.UTC), dt.datetime(2026, 11, 7, 8, tzinfo=dt.UTC)])
    ledger = opened(clock=lambda: next(times))
    ledger.append(act(CaseEvent.OPEN, CITY, 0))
    ledger.append(act(CaseEvent.DISPATCH, CITY, 1))  # the clock stepped back two days
    assert ledger.events()["recorded_at"].tolist() == [
        "2026-11-09T08:00:00.000+00:00",
        "2026-11-07T08:00:00.000+00:00",
    ]
    assert ledger.case("C1").state is CaseState.DISPATCHED
    assert ledger.verify() == []


def test_nothing_has_happened_on_a_day_still_to_come(opened: Callable[..., Ledger]) -> None:
    """16:30 in UTC is the next day in Beijing, and the clock may be a day behind."""
    ledger = opened(clock=lambda: dt.datetime(2026, 11, 9, 16, 30, tzinfo=dt.UTC))
    ledger.append(act(CaseEvent.OPEN, CITY, 0))
    late = act(CaseEvent.DISPATCH, CITY, 1, on=dt.date(2026, 11, 12))
    with pytest.raises(
        TransitionError, match=r"办理日期：发现“2026年11月12日”；应为：不晚于2026年11月11日；.*核对"
    ):
        ledger.append(late)
    assert ledger.case("C1").version == 1
    recorded = ledger.append(act(CaseEvent.DISPATCH, CITY, 1, on=dt.date(2026, 11, 11)))
    assert ledger.append(recorded.action) == recorded, "asked again, it is not judged again"


def test_a_clock_set_back_does_not_undo_a_run_or_a_case(opened: Callable[..., Ledger]) -> None:
    ledger = opened(clock=lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(TransitionError, match="不晚于2026年1月2日"):
        ledger.append(act(CaseEvent.OPEN, CITY, 0))
    ledger.publish(run(as_of=DAY), [act(CaseEvent.OPEN, PUBLISHER, 0)])
    ledger.append(act(CaseEvent.DISPATCH, CITY, 1))
    assert ledger.case("C1").state is CaseState.DISPATCHED


def test_an_unknown_case(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.case("C9")
    assert ledger.events("C9").empty
    assert ledger.cases().empty


# ---------------------------------------------------------------- asking again, losing a race


def test_asking_again_gives_the_recorded_event_and_changes_nothing(ledger: Ledger) -> None:
    actions = lived(ledger)
    head = ledger.head()
    for number, action in enumerate(actions, start=1):
        assert ledger.append(action).sequence == number
    # An answer was lost, the client read the case anew: the version it now saw is no part of the content.
    assert ledger.append(Action(**{**vars(actions[1]), "expected_version": 10})).sequence == 2
    assert ledger.head() == head


@pytest.mark.parametrize(
    "change",
    [
        {"case_id": "C2"},
        {"event": CaseEvent.CANCEL, "payload": {"note": "x"}},
        {"actor": COUNTY},
        {"happened_on": DAY + dt.timedelta(days=1)},
        {"payload": {"owner": "别处", "due_on": "2026-11-30", "note": ""}},
    ],
)
def test_the_same_id_with_other_content_is_refused_by_name(ledger: Ledger, change: dict[str, Any]) -> None:
    ledger.append(act(CaseEvent.OPEN, CITY, 0))
    action = act(CaseEvent.DISPATCH, CITY, 1)
    ledger.append(action)
    with pytest.raises(EventClashError, match="已用于第 2 个事件"):
        ledger.append(Action(**{**vars(action), **change}))
    assert ledger.head().sequence == 2


def test_a_lost_race_is_told_and_the_ledger_unchanged(ledger: Ledger) -> None:
    lived(ledger, steps=2)
    with pytest.raises(StaleVersionError) as caught:
        ledger.append(act(CaseEvent.CANCEL, CITY, 1, event_id="late"))
    assert (caught.value.case_id, caught.value.expected, caught.value.found) == ("C1", 1, 2)
    with pytest.raises(StaleVersionError):
        ledger.append(act(CaseEvent.CANCEL, CITY, 3, event_id="early"))
    with pytest.raises(StaleVersionError):
        ledger.append(act(CaseEvent.OPEN, CITY, 0, event_id="again"))
    assert ledger.head().sequence == 2


def test_retrying_makes_the_event_anew_from_the_case_as_it_stands(ledger: Ledger) -> None:
    lived(ledger, steps=1)
    seen: list[int] = []

    def make(case: Case | None) -> Action:
        assert case is not None
        seen.append(case.version)
        if len(seen) == 1:  # someone is faster
            ledger.append(act(CaseEvent.DISPATCH, CITY, 1, event_id="faster"))
        return act(CaseEvent.CANCEL, CITY, case.version, event_id="mine")

    assert ledger.append_retrying(make, "C1").version == 3
    assert seen == [1, 2]
    assert ledger.append_retrying(lambda _: act(CaseEvent.OPEN, CITY, 0, case_id="C2"), "C2").version == 1


def test_a_race_lost_every_time_is_told(ledger: Ledger) -> None:
    lived(ledger, steps=1)
    with pytest.raises(StaleVersionError):
        ledger.append_retrying(lambda _: act(CaseEvent.CANCEL, CITY, 7), "C1", attempts=3)


def test_an_illegal_event_leaves_nothing(ledger: Ledger) -> None:
    lived(ledger, steps=3)
    head = ledger.head()
    wrong = [
        act(CaseEvent.CLOSE, CITY, 3, event_id="x"),
        act(CaseEvent.SUBMIT, OTHER_TOWN, 3, event_id="x"),
        act(CaseEvent.SUBMIT, TOWN, 3, event_id="x", note=None),
        act(CaseEvent.SUBMIT, TOWN, 3, event_id="no id"),
        act(CaseEvent.CLOSE, CITY, 0, case_id="C9"),
    ]
    for action in wrong:
        with pytest.raises(TransitionError):
            ledger.append(action)
    assert ledger.head() == head
    assert ledger.verify(head) == []


def test_one_open_case_for_a_cause(ledger: Ledger) -> None:
    lived(ledger, "C1", steps=8)  # closed
    other = act(CaseEvent.OPEN, CITY, 0, case_id="C2", cause="plan/C1")
    ledger.append(other)
    with pytest.raises(TransitionError, match="案件 C2 尚未销号"):
        ledger.append(act(CaseEvent.REOPEN, CITY, 8))
    with pytest.raises(TransitionError, match="案件 C2 尚未销号"):
        ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C3", cause="plan/C1"))
    ledger.append(act(CaseEvent.CANCEL, CITY, 1, case_id="C2"))
    ledger.append(act(CaseEvent.REOPEN, CITY, 8))
    assert ledger.verify() == []


def test_evidence_that_was_never_received_is_refused(ledger: Ledger) -> None:
    lived(ledger, steps=2)
    with pytest.raises(TransitionError, match="没有收到文件"):
        ledger.append(act(CaseEvent.RECTIFY, TOWN, 2))
    (file,) = keep(ledger)
    with pytest.raises(TransitionError, match="没有收到文件"):
        ledger.append(act(CaseEvent.RECTIFY, TOWN, 2, evidence=[file | {"bytes": 4}]))
    ledger.append(act(CaseEvent.RECTIFY, TOWN, 2, evidence=[file, file]))
    assert ledger.case("C1").evidence == (file["digest"],)
    assert ledger.verify() == []


# ---------------------------------------------------------------- several at once


def test_threads_lose_nothing_and_double_nothing(opened: Callable[..., Ledger]) -> None:
    ledger = opened(timeout=60)
    lived(ledger, steps=2)
    barrier = threading.Barrier(6)

    def work(number: int) -> list[int]:
        barrier.wait()
        found = []
        for turn in range(5):
            note = {"note": f"{number}-{turn}", "due_on": f"2026-12-{turn + 1:02}"}
            event_id = f"t{number // 2}-{turn}"  # two threads each ask for the same event
            note["note"] = event_id

            def make(case: Case | None, event_id: str = event_id, note: dict[str, Any] = note) -> Action:
                assert case is not None
                return act(CaseEvent.DISPATCH, CITY, case.version, event_id=event_id, **note)

            found.append(ledger.append_retrying(make, "C1", attempts=200).sequence)
        return found

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(work, range(6)))
    assert [found[0], found[2], found[4]] == [found[1], found[3], found[5]]
    assert sorted(n for one in found[::2] for n in one) == list(range(3, 18))
    assert ledger.case("C1").version == 17
    assert ledger.verify() == []


def _write(address: str, evidence: Path, number: int, turns: int) -> None:
    with open_ledger(address, evidence=evidence, timeout=120) as ledger:
        for turn in range(turns):
            ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id=f"C{turn}"))  # as the others do
            ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id=f"P{number}-{turn}"))


def test_processes_asking_for_the_same_events_record_each_once(new_address: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=_write, args=(new_address, tmp_path / "evidence", number, 6))
        for number in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with open_ledger(new_address, evidence=tmp_path / "evidence") as ledger:
        events = ledger.events()
        assert len(events) == events["event_id"].nunique() == 6 + 3 * 6
        assert ledger.verify() == []


def test_a_retry_that_meets_its_first_attempt_gets_what_that_recorded(
    opened: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ask before either has recorded; the second waits and never meets its own event as a lost race."""
    ledger, other = opened(), opened()
    action = act(CaseEvent.OPEN, CITY, 0)
    look, looked, go = module._recorded, threading.Event(), threading.Event()

    def slowly(*asked: Any) -> list[Recorded]:
        found = look(*asked)
        if threading.current_thread() is first:
            looked.set()
            go.wait(8)  # the other asks meanwhile; it gets no further than the lock
        return found

    monkeypatch.setattr(module, "_recorded", slowly)
    answers: dict[str, Recorded] = {}
    first = threading.Thread(target=lambda: answers.update(first=ledger.append(action)))
    second = threading.Thread(target=lambda: answers.update(second=other.append(action)))
    first.start()
    assert looked.wait(30)
    second.start()
    second.join(0.5)
    assert second.is_alive()
    go.set()
    first.join(30)
    second.join(30)
    assert answers["first"].sequence == answers["second"].sequence == 1
    assert len(ledger.events()) == 1


def test_a_snapshot_is_one_moment_for_every_question(ledger: Ledger) -> None:
    lived(ledger, "C1", steps=2)
    with ledger.snapshot() as moment:
        before = moment.head()
        lived(ledger, "C2", steps=3)
        ledger.publish(run(), [])
        assert moment.head() == before
        assert moment.cases()["case_id"].tolist() == ["C1"]
        assert moment.counts()["cases"].tolist() == [1]
        assert len(moment.events()) == 2
        assert moment.runs().empty
        assert moment.verify(before) == []
        with pytest.raises(LedgerError, match="快照"):
            moment.append(act(CaseEvent.CANCEL, CITY, 2))
        with moment.snapshot() as inner:
            assert inner.head() == before
    assert ledger.head().sequence == 5


def test_a_ledger_for_reading_refuses_every_write(opened: Callable[..., Ledger]) -> None:
    lived(opened(), steps=2)
    reader = opened(read_only=True)
    assert reader.case("C1").version == 2
    for write in (
        lambda: reader.append(act(CaseEvent.CANCEL, CITY, 2)),
        lambda: reader.publish(run(), []),
    ):
        with pytest.raises(LedgerError, match="只读打开"):
            write()


# ---------------------------------------------------------------- lists and counts


def test_lists_by_each_filter_with_what_is_due_first_on_top(ledger: Ledger) -> None:
    ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="A"))
    lived(ledger, "B", steps=9)  # due 12-31, owned by Yunxi
    far = {
        "unit_code": "990101102201",
        "township_code": "990101102",
        "township_name": "石桥镇",
        "kind": "gate",
    }
    ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C", **far, restricted=True))
    ledger.append(act(CaseEvent.DISPATCH, CITY, 1, case_id="C", owner="石桥镇", due_on="2026-11-05"))
    lived(ledger, "D", steps=8)  # closed

    def ids(**query: Any) -> list[str]:
        return ledger.cases(**query)["case_id"].tolist()

    assert ids() == ["C", "D", "B", "A"]
    assert ids(open_only=True) == ["C", "B", "A"]
    assert ids(states=[CaseState.CLOSED, CaseState.ALERT]) == ["D", "A"]
    assert ids(states=[]) == []
    assert ids(kinds=[CaseKind.GATE]) == ids(kinds=["gate"]) == ["C"]
    assert ids(township="990101102") == ids(unit="990101102201") == ids(owner="石桥镇") == ["C"]
    assert ids(limit=2) == ["C", "D"]
    assert ids(limit=2, offset=3) == ["A"]
    assert ids(offset=2) == ["B", "A"]
    counts = ledger.counts().set_index(["state", "township_code"])["cases"]
    assert counts.to_dict() == {
        ("alert", "990101101"): 1,
        ("closed", "990101101"): 1,
        ("dispatched", "990101101"): 1,
        ("dispatched", "990101102"): 1,
    }
    assert ledger.counts()["restricted"].tolist().count(True) == 1


# ---------------------------------------------------------------- published runs


def test_a_run_and_its_cases_are_published_together(ledger: Ledger) -> None:
    ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C0"))
    recorded = ledger.publish(run(1), [act(CaseEvent.OPEN, CITY, 0, run=f"{1:064x}")])
    assert [event.sequence for event in recorded] == [2]
    (row,) = ledger.runs().to_dict("records")
    assert (row["number"], row["as_of"], row["published_by"]) == (1, pd.Timestamp(2026, 10, 31), "chen")
    assert row["run_id"] == row["manifest_digest"] == f"{1:064x}"
    assert list(ledger.runs().columns) == list(RUN_COLUMNS)
    assert {c.name for c in table("runs").columns} <= set(RUN_COLUMNS)
    assert ledger.alerted(f"{1:064x}") == {"plan/C1", "level/2"}
    with pytest.raises(KeyError):
        ledger.alerted("nowhere")
    assert ledger.head().runs == 1
    assert ledger.verify(ledger.head()) == []


def test_publishing_again_changes_nothing_and_gives_the_first_answer(ledger: Ledger) -> None:
    opening_event = act(CaseEvent.OPEN, CITY, 0, run=f"{1:064x}")
    first = ledger.publish(run(1), [opening_event])
    head = ledger.head()
    again = run(1, published_by="someone else")
    shuffled = run(1, index=again.index.iloc[::-1], causes=tuple(reversed(again.causes)))
    for other in (run(1), again, shuffled):
        repeated = ledger.publish(other, [act(CaseEvent.OPEN, CITY, 0, case_id="C7")])
        assert [e.hash for e in repeated] == [e.hash for e in first]
    assert ledger.publish(run(2), []) == []
    assert ledger.publish(run(2), [opening_event]) == []
    assert (ledger.head().sequence, ledger.head().runs) == (head.sequence, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"causes": ("plan/C1",)},
        {"as_of": dt.date(2026, 11, 30)},
        {"parameter_version": "p2"},
        {"index": run().index.assign(index=55.2)},
        {"index": run().index.assign(level="red")},
    ],
)
def test_another_run_under_the_same_id_is_refused_by_name(ledger: Ledger, change: dict[str, Any]) -> None:
    ledger.publish(run(1), [])
    with pytest.raises(EventClashError, match="不能发布评估"):
        ledger.publish(run(1, **change), [])


def test_a_run_of_which_one_event_fails_is_not_published_at_all(ledger: Ledger) -> None:
    lived(ledger, "C2", steps=1)
    good = act(CaseEvent.OPEN, CITY, 0, run=RUN)
    for bad in (
        act(CaseEvent.CLOSE, CITY, 1, case_id="C2", event_id="x"),
        act(CaseEvent.CANCEL, CITY, 5, case_id="C2", event_id="x"),
        act(CaseEvent.OPEN, CITY, 0, case_id="C3", cause="plan/C1"),
    ):
        with pytest.raises((TransitionError, StaleVersionError)):
            ledger.publish(run(1), [good, bad])
    assert (ledger.head().sequence, ledger.head().runs) == (1, 0)
    assert ledger.runs().empty
    assert ledger.verify() == []


def test_a_units_history_is_in_order_of_publication(ledger: Ledger) -> None:
    later = run(2).index.assign(index=[61.5, 58.0], level=["yellow", "red"])
    ledger.publish(run(1), [])
    ledger.publish(run(2, as_of=dt.date(2026, 11, 30), index=later), [])
    history = ledger.unit_history("990101101202")
    assert history["run_id"].tolist() == [f"{1:064x}", f"{2:064x}"]
    assert history["as_of"].tolist() == [pd.Timestamp(2026, 10, 31), pd.Timestamp(2026, 11, 30)]
    assert history["index"].isna().tolist() == [True, False]
    assert history["level"].tolist() == ["unknown", "yellow"]
    assert ledger.unit_history("990101101299").empty


# ---------------------------------------------------------------- what goes wrong below


def test_a_full_disk_in_the_middle_of_an_append_leaves_nothing(sqlite_template: Path, tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    file.write_bytes(sqlite_template.read_bytes())
    with open_ledger(file) as ledger:
        lived(ledger, steps=1)
        with ledger._store.writing() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        with pytest.raises(LedgerFullError, match="已登记的内容不受影响"):
            ledger.append(act(CaseEvent.DISPATCH, CITY, 1, note="长" * 30_000))
        assert ledger.head().sequence == 1
        with ledger._store.writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=100000")
        assert ledger.append(act(CaseEvent.DISPATCH, CITY, 1, note="长" * 30_000)).sequence == 2
        assert ledger.verify() == []


def test_a_ledger_on_a_server_without_a_folder_says_so(postgres_url: str) -> None:
    with open_ledger(postgres_url, create=True) as ledger:
        with pytest.raises(LedgerError, match="没有指定佐证材料文件夹"):
            _ = ledger.evidence
        for action in list(life())[:3]:
            ledger.append(action)  # the server cannot know whether the file was received
        assert [fault.found for fault in ledger.verify()] == ["没有指定文件夹，文件未核对"]


def test_the_functions_of_the_server_lose_races_by_themselves(postgres_url: str) -> None:
    # What the program checked before may have changed by the time the function has the lock.
    with open_ledger(postgres_url, create=True) as ledger:
        ledger.append(act(CaseEvent.OPEN, CITY, 0))

        def call(action: Action, version: int) -> sa.Row[Any]:
            told = {
                "event_id": action.event_id,
                "case_id": action.case_id,
                "version": version,
                "event": action.event.value,
                "actor": "chen",
                "office": "市换届办",
                "role": "city",
                "happened_on": "2026-11-02",
                "recorded_at": "x",
                "payload": module.canonical(dict(action.payload)),
            }
            case = module.advance(None, act(CaseEvent.OPEN, CITY, 0, case_id=action.case_id, cause="plan/C1"))
            values = {
                "body": module.event_body(**told),
                "derived": module.canonical(module.case_row(case)),
                "expected": version - 1,
            }
            text = "SELECT * FROM huanjie_append(:body, cast(:derived AS json), :expected)"
            with ledger._store.writing() as connection:
                return connection.execute(sa.text(text), values).one()

        assert call(act(CaseEvent.OPEN, CITY, 0), 1).outcome == "known"
        stale = call(act(CaseEvent.CANCEL, CITY, 5), 6)
        assert (stale.outcome, stale.standing) == ("stale", "1")
        taken = call(act(CaseEvent.OPEN, CITY, 0, case_id="C2"), 1)
        assert (taken.outcome, taken.standing) == ("taken", "C1")
        assert ledger.head().sequence == 1
        assert ledger.verify() == []
