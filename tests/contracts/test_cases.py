"""The ledger's two logs are chained: each row bears its hash and that of the row before."""

from __future__ import annotations

from huanjie_lib.contracts.cases import CASES


def test_both_logs_are_chained_and_say_who_acted() -> None:
    logs = {t.name: t for t in CASES if "hash" in t.names}
    assert list(logs) == ["case_events", "access_log"]
    for log in logs.values():
        for name in ("previous_hash", "hash", "office", "role", "recorded_at"):
            assert log.column(name).required
        assert log.column("actor" if log.name == "case_events" else "account").required


def test_no_person_is_in_the_ledger_but_under_a_pseudonym() -> None:
    assert not any(t.personal for t in CASES)
