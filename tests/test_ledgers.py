"""The ledgers of a run, and the loop: a closed case moves facts, index, gates and alerts of the next run."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.ledgers import LEDGER_TABLES, RESTRICTED_LEDGERS, Casework
from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.sample import City, make_city

PARAMETERS = load_parameters()


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60, snapshots=2)


@pytest.fixture(scope="module")
def before(city: City) -> RiskResult:
    return run_risk(city.tables, PARAMETERS, as_of=city.as_of)


def casework(city: City, unit: str, amendments: list[dict[str, Any]], *, last: str = "close") -> Casework:
    """Return a ledger with one case of a unit, rectified by amendments and closed on the as-of date."""
    steps = [("open", {"unit_code": unit}), ("rectify", {"amendments": amendments}), ("close", {})]
    steps += [] if last == "close" else [(last, {})]
    events = pd.DataFrame(
        {
            "sequence": range(1, len(steps) + 1),
            "case_id": "C1",
            "event": [event for event, _ in steps],
            "happened_on": pd.Timestamp(city.as_of),
            "payload": [json.dumps(payload) for _, payload in steps],
        }
    )
    return Casework(events, len(steps), "f" * 64)


@pytest.fixture(scope="module")
def overdue(before: RiskResult) -> tuple[str, list[dict[str, Any]]]:
    """The unit with most open audit problems, and amendments that close them all."""
    items = before.ledgers.frames["rectifiable"]
    problems = items[items["table"] == "audit_problems"]
    unit = str(problems["unit_code"].value_counts().index[0])
    day = before.as_of.isoformat()
    keys = problems[problems["unit_code"] == unit]["key"].map(json.loads)
    return unit, [{"table": "audit_problems", "key": key, "set": {"closed_on": day}} for key in keys]


@pytest.fixture(scope="module")
def after(city: City, overdue: tuple[str, list[dict[str, Any]]]) -> RiskResult:
    return run_risk(city.tables, PARAMETERS, as_of=city.as_of, casework=casework(city, *overdue))


def test_every_ledger_is_there_and_covers_the_units(before: RiskResult) -> None:
    frames = before.ledgers.frames
    assert set(frames) == {*LEDGER_TABLES, *RESTRICTED_LEDGERS}
    for name in ("audit_units", "conflict_units"):
        assert set(frames[name]["unit_code"]) == set(before.index["unit_code"])
    for name in ("amendments", "unplaced", "regained", "regained_units"):
        assert frames[name].empty
    assert set(frames["alerts"]["unit_code"]) <= set(before.index["unit_code"])
    assert "AuditLedger" in repr(before.ledgers)


def test_alerts_from_leads_lie_apart_and_what_opens_no_case_is_told(before: RiskResult) -> None:
    frames, whole = before.ledgers.frames, before.ledgers.alerts.frame
    assert not frames["alerts"]["restricted"].any()
    assert frames["restricted_alerts"]["restricted"].all()
    assert len(frames["alerts"]) + len(frames["restricted_alerts"]) == len(whole)
    assert whole["restricted"].any()
    pd.testing.assert_frame_equal(frames["alerts_left_out"], before.ledgers.alerts.left_out)


def test_closing_problems_raises_the_index_and_ends_their_alerts(
    before: RiskResult, after: RiskResult, overdue: tuple[str, list[dict[str, Any]]]
) -> None:
    unit, amendments = overdue
    gain = after.index.set_index("unit_code")["index"] - before.index.set_index("unit_code")["index"]
    assert gain[unit] > 1
    assert (gain.drop(unit).abs() < 1e-12).all()
    frames = after.ledgers.frames
    (row,) = frames["regained_units"].to_dict("records")
    assert row["unit_code"] == unit
    assert row["index_after"] - row["index_before"] == pytest.approx(gain[unit])
    lost = frames["regained"]
    assert set(lost["unit_code"]) == {unit}
    assert (lost["points_before"] - lost["points_after"]).sum() == pytest.approx(gain[unit])
    named = {change["key"]["problem_id"] for change in amendments}
    alerts = [run.ledgers.frames["alerts"]["subject"] for run in (before, after)]
    assert {f"audit_problems/{p}" for p in named} <= set(alerts[0])
    assert not {f"audit_problems/{p}" for p in named} & set(alerts[1])


def test_what_was_regained_is_told_in_a_sentence(
    after: RiskResult, overdue: tuple[str, list[dict[str, Any]]]
) -> None:
    unit, amendments = overdue
    text = after.ledgers.explain(unit)
    assert f"{unit}已销号的1件案件更正了{2 * len(amendments)}处数据，选情指数由" in text
    assert "升至" in text
    with pytest.raises(KeyError):
        after.ledgers.explain(next(u for u in after.index["unit_code"] if u != unit))


def test_the_evidence_of_a_row_is_its_case(after: RiskResult) -> None:
    changes = after.ledgers.frames["amendments"]
    assert set(changes["column"]) == {"closed_on", "evidence"}
    assert set(changes.loc[changes["column"] == "evidence", "after"]) == {"C1"}


@pytest.mark.parametrize("last", ["reopen", "cancel"])
def test_reopening_puts_the_run_back_where_it_was(
    city: City, before: RiskResult, overdue: tuple[str, list[dict[str, Any]]], last: str
) -> None:
    again = run_risk(city.tables, PARAMETERS, as_of=city.as_of, casework=casework(city, *overdue, last=last))
    for name in ("index", "indicators", "gates", "history"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(before, name))
    for name, frame in before.ledgers.frames.items():
        pd.testing.assert_frame_equal(again.ledgers.frames[name], frame)


def test_equal_inputs_give_equal_ledgers(
    city: City, after: RiskResult, overdue: tuple[str, list[dict[str, Any]]]
) -> None:
    again = run_risk(city.tables, PARAMETERS, as_of=city.as_of, casework=casework(city, *overdue))
    for name, frame in after.ledgers.frames.items():
        pd.testing.assert_frame_equal(again.ledgers.frames[name], frame)
