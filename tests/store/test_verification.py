from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
import pytest
import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite

from huanjie_lib.casework.events import Head, canonical, chain_hash, event_body
from huanjie_lib.store import schema
from huanjie_lib.store.engine import PostgresStore, SqliteStore
from huanjie_lib.store.ledger import Ledger, PublishedRun
from huanjie_lib.vocabulary import CaseEvent
from tests.offices import CITY, act, life

RUNS = [f"{number:064x}" for number in (1, 2)]


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """Two published runs, three cases, evidence, on both kinds of database."""
    file = ledger.evidence.put(io.BytesIO(b"photo"), name="公示.jpg", media_type="image/jpeg").to_json()
    index = pd.DataFrame(
        {"unit_code": ["990101101201", "990101101202"], "index": [55.5, None], "level": "red"}
    )
    for number, run_id in enumerate(RUNS, start=1):
        run = PublishedRun(run_id, dt.date(2026, 10, number), "p", "chen", index, [f"plan/C{number}"])
        ledger.publish(run, [act(CaseEvent.OPEN, CITY, 0, case_id=f"C{number}", run=run_id)])
    for action in list(life("C3"))[:8]:
        change = {"evidence": [file]} if action.event is CaseEvent.RECTIFY else {}
        ledger.append(type(action)(**{**vars(action), "payload": {**action.payload, **change}}))
    assert ledger.verify(ledger.head()) == []
    return ledger


@contextmanager
def raw(ledger: Ledger, *, guarded: bool = False) -> Iterator[Callable[..., None]]:
    """Give what an intruder with the rights of the database's owner has: statements, triggers set aside."""
    store = ledger._store
    if isinstance(store, SqliteStore):
        connection = sqlite.connect(str(store.file), isolation_level=None)
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        if not guarded:
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
        yield lambda statement, **values: connection.execute(statement, values)
        if not guarded:
            for _, statement in triggers:
                connection.execute(statement)
        connection.close()
        return
    assert isinstance(store, PostgresStore)
    engine = sa.create_engine(store.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if not guarded:
            connection.exec_driver_sql(
                "SET session_replication_role = replica"
            )  # no triggers in this session
        yield lambda statement, **values: connection.execute(sa.text(statement), values)
    engine.dispose()


def found(ledger: Ledger, head: Head | None = None) -> list[tuple[int, str]]:
    return [(fault.sequence, fault.kind) for fault in ledger.verify(head)]


def test_setting_triggers_aside_and_back_leaves_no_fault(full: Ledger) -> None:
    with raw(full):
        pass
    assert found(full, full.head()) == []


TEXTS = [
    "event_id",
    "actor",
    "office",
    "role",
    "happened_on",
    "recorded_at",
    "payload",
    "previous_hash",
    "hash",
]


@pytest.mark.parametrize("column", TEXTS)
def test_an_altered_event_is_found_and_located(full: Ledger, column: str) -> None:
    with raw(full) as do:
        do(f"UPDATE case_events SET {column} = {column} || 'x' WHERE sequence = 5")
    assert (5, "altered") in found(full)
    assert {sequence for sequence, kind in found(full) if kind == "altered"} == {5}


def test_bytes_that_are_no_text_are_found_and_located(full: Ledger) -> None:
    if full._store.dialect == "postgresql":
        with raw(full) as do, pytest.raises(sa.exc.DBAPIError, match="UTF8"):
            do("UPDATE case_events SET office = convert_from('\\xff'::bytea, 'UTF8') WHERE sequence = 4")
        return
    with raw(full) as do:
        do("UPDATE case_events SET office = CAST(x'E8FFFE' AS TEXT) WHERE sequence = 4")
        do("UPDATE cases SET title = CAST(x'FF' AS TEXT) WHERE case_id = 'C2'")
    assert found(full) == [(2, "derived"), (4, "altered")]
    assert full.head().sequence == 10  # everything else still reads


def test_a_deleted_event_is_a_gap(full: Ledger) -> None:
    with raw(full) as do:
        do("DELETE FROM case_events WHERE sequence = 3")
    assert (3, "gap") in found(full)


def test_a_cut_end_is_found_by_the_derived_case_and_by_a_kept_head(full: Ledger) -> None:
    head = full.head()
    with raw(full) as do:
        do("DELETE FROM case_events WHERE sequence = 10")
    assert found(full) == [(9, "derived")]
    assert found(full, head) == [(9, "derived"), (10, "truncated")]


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("UPDATE cases SET state = 'closed' WHERE case_id = 'C1'", 1),
        ("UPDATE cases SET due_on = NULL WHERE case_id = 'C3'", 10),
        ("UPDATE cases SET owner = '别处' WHERE case_id = 'C3'", 10),
        ("DELETE FROM cases WHERE case_id = 'C2'", 2),
        ("UPDATE cases SET case_id = 'C9' WHERE case_id = 'C2'", 2),
    ],
)
def test_a_derived_case_that_the_events_do_not_give_is_found(
    full: Ledger, statement: str, sequence: int
) -> None:
    with raw(full) as do:
        do(statement)
    faults = found(full)
    assert (sequence, "derived") in faults
    assert {kind for _, kind in faults} == {"derived"}


def test_a_well_chained_event_that_could_not_happen_is_found(full: Ledger) -> None:
    told = {
        "event_id": "forged",
        "case_id": "C1",
        "version": 2,
        "event": "close",
        "actor": "chen",
        "office": "市换届办",
        "role": "city",
        "happened_on": "2026-11-02",
        "recorded_at": "x",
        "payload": canonical({"note": ""}),
    }
    previous = full.head().hash
    values = {**told, "sequence": 11, "previous_hash": previous}
    values["hash"] = chain_hash(previous, event_body(**told))  # type: ignore[arg-type]
    with raw(full) as do:
        names = ", ".join(values)
        do(f"INSERT INTO case_events ({names}) VALUES ({', '.join(f':{n}' for n in values)})", **values)
    assert found(full) == [(11, "illegal")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET published_by = 'x' WHERE number = 1",
        "UPDATE runs SET as_of = '2026-01-01' WHERE number = 2",
        "UPDATE runs SET recorded_at = 'x' WHERE number = 2",
        "UPDATE runs SET events = 5 WHERE number = 1",
        "UPDATE runs SET after_sequence = 0 WHERE number = 2",
        "UPDATE runs SET hash = previous_hash WHERE number = 2",
        "UPDATE run_units SET \"index\" = 55.6 WHERE unit_code = '990101101201'",
        'UPDATE run_units SET "index" = 0 WHERE "index" IS NULL',
        "UPDATE run_units SET level = 'green'",
        "UPDATE run_units SET unit_code = '990101101299' WHERE unit_code = '990101101202'",
        "UPDATE run_causes SET cause = 'x'",
        "DELETE FROM run_units WHERE unit_code = '990101101202'",
        "DELETE FROM run_causes",
        "DELETE FROM runs WHERE number = 1",
        f"INSERT INTO run_causes VALUES ('{RUNS[0]}', 'another')",
    ],
)
def test_an_altered_run_is_found(full: Ledger, statement: str) -> None:
    with raw(full) as do:
        if full._store.dialect == "sqlite":
            do("PRAGMA foreign_keys=OFF")
        do(statement)
    kinds = {kind for _, kind in found(full)}
    assert kinds == {"run"}


def test_a_cut_run_is_found_by_its_events_and_by_a_kept_head(full: Ledger) -> None:
    head = full.head()
    with raw(full) as do:
        for table in ("run_units", "run_causes", "runs"):
            do(f"DELETE FROM {table} WHERE run_id = '{RUNS[1]}'")
    assert found(full) == [(2, "run")]
    assert (10, "truncated") in found(full, head)


def test_lists_of_evidence_and_files_are_checked(full: Ledger) -> None:
    with raw(full) as do:
        do("UPDATE evidence SET name = 'x' WHERE sequence = 5")
        do("DELETE FROM evidence WHERE sequence = 8")
    assert found(full) == [(5, "evidence"), (8, "evidence")]
    (digest,) = full.evidence.digests()
    (full.evidence.path / digest[:2] / digest).write_bytes(b"other")
    assert [kind for _, kind in found(full)] == ["evidence"] * 3
    (full.evidence.path / digest[:2] / digest).unlink()
    assert any(fault.found == "缺失" for fault in full.verify())


def test_each_guard_that_is_missing_off_or_changed_is_named(full: Ledger) -> None:
    dialect = full._store.dialect
    if dialect == "sqlite":
        off = ["DROP TRIGGER runs_no_update", "DROP TRIGGER case_events_no_delete"]
        off += ["CREATE TRIGGER case_events_no_delete BEFORE DELETE ON case_events BEGIN SELECT 1; END"]
    else:
        off = ["ALTER TABLE runs DISABLE TRIGGER runs_no_change"]
        off += [
            "CREATE OR REPLACE FUNCTION huanjie_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN NEW; END $$"
        ]
    with raw(full, guarded=True) as do:
        for statement in off:
            do(statement)
    told = {(fault.where, fault.found) for fault in full.verify()}
    if dialect == "sqlite":
        assert told == {("触发器 runs_no_update", "缺失"), ("触发器 case_events_no_delete", "被改动")}
    else:
        assert told == {("触发器 runs_no_change", "缺失"), ("触发器 huanjie_append_only", "被改动")}


def test_a_damaged_file_is_told_and_does_not_stop_the_check(full: Ledger) -> None:
    store = full._store
    if not isinstance(store, SqliteStore):
        pytest.skip("files of a server are its own")
    full.close()
    content = bytearray(store.file.read_bytes())
    with sqlite.connect(str(store.file)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'cases_by_unit'"
        ).fetchone()
    connection.close()
    place = (page - 1) * 4096 + 4096 - 40  # the last entry of an index
    content[place : place + 12] = b"000000000000"
    store.file.write_bytes(content)
    assert {fault.kind for fault in full.verify()} == {"file"}


def test_evidence_of_an_altered_event_is_not_followed(full: Ledger) -> None:
    with raw(full) as do:
        do("UPDATE case_events SET payload = '[' WHERE sequence = 5")
    assert {(5, "altered"), (5, "evidence")} <= set(found(full))


def test_tables_of_the_check_are_all_tables_but_the_settings() -> None:
    checked = {"case_events", "cases", "evidence", "runs", "run_units", "run_causes", "decisions"}
    checked |= {"access_log", "request_events"}
    assert set(schema.METADATA.tables) - checked == {"meta"}
