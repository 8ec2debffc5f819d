"""The benchmark of the ledger runs on both databases, and refuses a ledger that is quick and wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from pysqlite3 import dbapi2 as sqlite

from benchmarks import bench_ledger as bench
from huanjie_lib.store.ledger import Ledger, open_ledger


@pytest.mark.usefixtures("postgres_server")  # without PostgreSQL, skipped as others are
def test_the_quick_run_checks_both_databases_and_prints_every_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "QUICK_CASES", 60)
    monkeypatch.setattr(bench, "UNITS", 60)
    assert bench.main(["--quick", "--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    record = json.loads(printed.splitlines()[-1])
    assert (record["cases"], record["writers"]) == (60, 2)
    assert {row["backend"] for row in record["rows"]} == {"SQLite", "PostgreSQL", "the disk"}
    limits = [row["limit"] for row in record["rows"] if row["limit"] is not None]
    assert sorted(limits) == [0.02] * 4 + [1.0] * 2
    for row in record["rows"]:
        assert row["median"] > 0
        assert f"| {row['what']} |" in printed


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(bench, "UNITS", 5)
    made = open_ledger(tmp_path / "ledger.db", create=True)
    bench.fill(made, 20)
    return made


def test_a_ledger_that_lost_or_altered_something_is_refused(ledger: Ledger) -> None:
    bench.check(ledger, 20, 0)
    with pytest.raises(AssertionError):
        bench.check(ledger, 20, 1)
    last = max(path for path in ledger.evidence.path.rglob("*") if path.is_file())
    last.write_bytes(b"other")
    with pytest.raises(AssertionError):
        bench.check(ledger, 20, 0)


def test_a_missed_limit_is_told() -> None:
    kept = bench.Measurement("SQLite", "append", 0.004, 0.01, 0.002, 400, 0.02)
    assert kept.kept
    assert kept.row(judged=True) == "| SQLite | append | 4.0 ms | 10.0 ms | 2.0 ms | 400 | < 20.0 ms | kept |"
    missed = dataclasses.replace(kept, median=0.021)
    assert not missed.kept
    assert "**missed**" in missed.row(judged=True)
    assert "missed" not in missed.row(judged=False)


def test_no_append_takes_longer_the_more_cases_there_are(ledger: Ledger, tmp_path: Path) -> None:
    kept = ledger.evidence.put(io.BytesIO(b"photo"), name="照片.jpg", media_type="image/jpeg").to_json()
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        for step in range(bench.STEPS):
            ledger.append(bench.action(1000, step, kept))
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    plans = {}
    with contextlib.closing(sqlite.connect(tmp_path / "ledger.db")) as connection:
        for statement, parameters in asked:
            if statement.startswith(("SELECT", "INSERT", "UPDATE")):
                rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                plans[statement] = [step for *_, step in rows]
    assert len(plans) > 6
    ends = (
        "case_events.sequence",
        "runs.number",
        "decisions.number",
        "access_log.number",
        "request_events.number",
    )
    last = tuple(f"ORDER BY {end} DESC" for end in ends)
    scans = {s for s, plan in plans.items() if any(p.startswith("SCAN") for p in plan)}
    assert [s for s in scans if not any(order in s for order in last)] == []
    (by_cause,) = (plan for statement, plan in plans.items() if "cases.cause =" in statement)
    assert "cases_one_open_per_cause" in by_cause[0]  # not the index by state, which holds all open cases
