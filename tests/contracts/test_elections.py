"""Talks and leads are counted, never told; outcomes are for validation alone."""

from __future__ import annotations

from huanjie_lib.contracts.elections import ELECTIONS

HELD = {contract.name: contract for contract in ELECTIONS}


def test_talks_and_leads_are_numbers() -> None:
    for name, counted in (("talks", {"due", "done"}), ("leads", {"count"})):
        contract = HELD[name]
        assert {c.name for c in contract.columns} == {*contract.key, *counted}
        assert {contract.column(c).kind for c in counted} == {"integer"}


def test_only_outcomes_are_held_for_validation() -> None:
    assert [name for name, contract in HELD.items() if contract.purpose == "validation"] == ["outcomes"]


def test_no_more_ballots_than_electors_and_no_more_that_are_void() -> None:
    orders = {(rule.earlier, rule.later) for rule in HELD["election_history"].orders}
    assert {("ballots", "electors"), ("invalid_ballots", "ballots"), ("proxy_ballots", "ballots")} <= orders
