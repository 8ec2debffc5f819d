from __future__ import annotations

import datetime as dt
import itertools

import pandas as pd
import pytest

from huanjie_lib.casework.cases import (
    CASE_COLUMNS,
    OPEN_STATES,
    Case,
    advance,
    allowed_events,
    cases_frame,
    cause_key,
    replay,
)
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.contracts import table
from huanjie_lib.errors import TransitionError
from huanjie_lib.vocabulary import CaseEvent, CaseState, Role
from tests.offices import (
    AUDIT,
    CITY,
    COUNTY,
    DAY,
    FILE,
    OTHER_COUNTY,
    OTHER_TOWN,
    PUBLISHER,
    TOWN,
    act,
    events_frame,
    history,
    life,
)

LIFE = list(life())
ALERT, DISPATCHED, RECTIFYING, REVIEWING = (history(LIFE[:n]) for n in (1, 2, 3, 4))
CLOSED, REOPENED, CANCELLED = (history(LIFE[:n]) for n in (8, 9, 10))
CASES = {case.state: case for case in (ALERT, DISPATCHED, RECTIFYING, REVIEWING, CLOSED, CANCELLED)}


def after(case: Case, event: CaseEvent, actor: Actor, **payload: object) -> Case:
    return advance(case, act(event, actor, case.version, **payload))  # type: ignore[arg-type]


def refused(case: Case | None, action: Action) -> list[str]:
    with pytest.raises(TransitionError) as caught:
        advance(case, action)
    return [fault.where.removeprefix(f"案件 {action.case_id}").strip() for fault in caught.value.faults]


def test_a_whole_life() -> None:
    states = [history(LIFE[: n + 1]).state.value for n in range(len(LIFE))]
    assert states == [
        *("alert", "dispatched", "rectifying", "reviewing", "rectifying"),
        *("rectifying", "reviewing", "closed", "dispatched", "cancelled"),
    ]
    assert (CLOSED.version, CLOSED.returned, CLOSED.closed_on) == (8, 1, DAY)
    assert CLOSED.evidence == (FILE["digest"],)
    assert CLOSED.rectifiers == (TOWN.account,)
    assert (REOPENED.reopened, REOPENED.evidence, REOPENED.rectifiers) == (1, (), ())
    assert (REOPENED.closed_on, REOPENED.due_on) == (None, dt.date(2026, 12, 31))
    assert CANCELLED.closed_on is None


#: Which events each state allows, whoever asks: written out, not taken from the code.
ALLOWED = {
    "alert": "dispatch cancel",
    "dispatched": "dispatch rectify cancel",
    "rectifying": "dispatch rectify submit cancel",
    "reviewing": "return close cancel",
    "closed": "reopen",
    "cancelled": "reopen",
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(CaseState, CaseEvent)))
def test_each_state_takes_its_events_alone(state: CaseState, event: CaseEvent) -> None:
    case = CASES[state]
    actor = TOWN if event in {CaseEvent.RECTIFY, CaseEvent.SUBMIT} else CITY
    action = act(event, actor, case.version)
    if event is CaseEvent.DISPATCH:
        action = act(event, actor, case.version, note="改期")
    if event.value in ALLOWED[state.value].split():
        assert advance(case, action).version == case.version + 1
    elif event is CaseEvent.OPEN:
        assert "" in refused(case, action)
    else:
        assert "状态" in refused(case, action)


def test_nothing_happens_to_a_case_that_is_not_there_but_opening() -> None:
    for event in CaseEvent:
        if event is not CaseEvent.OPEN:
            assert refused(None, act(event, CITY, 0)) == [""]


#: Who may do what to a case of Yunxi, owned by Yunxi, in a state that allows it: written out.
MAY = {
    "open": "city system",
    "dispatch": "city county",
    "rectify": "town",
    "submit": "town",
    "return": "city county",
    "close": "city county",
    "reopen": "city county system",
    "cancel": "city county",
}
ACTORS = {
    "city": CITY,
    "county": COUNTY,
    "far county": OTHER_COUNTY,
    "town": TOWN,
    "other town": OTHER_TOWN,
    "audit": AUDIT,
    "system": PUBLISHER,
    "reader": Actor("r", "市换届办", Role.READER),
    "talent": Actor("t", "云溪镇", Role.TALENT),
    "review": Actor("v", "市换届办", Role.REVIEW),
}
WHEN = {
    "open": None,
    "dispatch": ALERT,
    "rectify": DISPATCHED,
    "submit": RECTIFYING,
    "return": REVIEWING,
    "close": REVIEWING,
    "reopen": CLOSED,
    "cancel": ALERT,
}


@pytest.mark.parametrize(("event", "who"), list(itertools.product(MAY, ACTORS)))
def test_each_role_may_do_its_part_alone(event: str, who: str) -> None:
    case, word = WHEN[event], CaseEvent(event)  # type: ignore[call-arg]
    version = 0 if case is None else case.version
    action = act(word, ACTORS[who], version)
    allowed = who in MAY[event].split(" ")
    if allowed:
        advance(case, action)
    else:
        assert refused(case, action)
    if case is not None:
        assert (word in allowed_events(case, ACTORS[who])) == allowed


def test_the_audit_office_handles_audit_problems() -> None:
    problem = advance(None, act(CaseEvent.OPEN, CITY, 0, kind="problem"))
    dispatched = after(problem, CaseEvent.DISPATCH, AUDIT)
    reviewing = after(after(dispatched, CaseEvent.RECTIFY, TOWN), CaseEvent.SUBMIT, TOWN)
    assert after(reviewing, CaseEvent.CLOSE, AUDIT).state is CaseState.CLOSED


@pytest.mark.parametrize("event", [CaseEvent.CLOSE, CaseEvent.RETURN])
def test_nobody_reviews_his_own_work(event: CaseEvent) -> None:
    own = after(ALERT, CaseEvent.DISPATCH, CITY, owner=CITY.office)
    own = after(after(own, CaseEvent.RECTIFY, CITY), CaseEvent.SUBMIT, CITY)
    assert refused(own, act(event, CITY, own.version)) == ["复核单位", "复核账号"]
    colleague = Actor("sun", CITY.office, Role.CITY)
    assert refused(own, act(event, colleague, own.version)) == ["复核单位"]
    # The same account does not review either after it has moved to another office.
    moved = Actor(CITY.account, COUNTY.office, Role.COUNTY)
    assert refused(own, act(event, moved, own.version)) == ["复核账号"]
    assert after(own, event, COUNTY)


def test_an_account_that_rectified_in_an_earlier_round_may_review_the_next() -> None:
    once = Actor("ma", TOWN.office, Role.TOWNSHIP)
    case = after(after(DISPATCHED, CaseEvent.RECTIFY, once), CaseEvent.SUBMIT, once)
    promoted = Actor("ma", "市换届办", Role.CITY)
    assert refused(case, act(CaseEvent.CLOSE, promoted, case.version)) == ["复核账号"]
    case = after(after(case, CaseEvent.CLOSE, CITY), CaseEvent.REOPEN, CITY)
    case = after(after(case, CaseEvent.RECTIFY, TOWN), CaseEvent.SUBMIT, TOWN)
    assert after(case, CaseEvent.CLOSE, promoted).state is CaseState.CLOSED


def test_submitting_needs_evidence_of_this_round() -> None:
    bare = after(DISPATCHED, CaseEvent.RECTIFY, TOWN, evidence=[])
    assert refused(bare, act(CaseEvent.SUBMIT, TOWN, bare.version)) == ["佐证材料"]
    assert CaseEvent.SUBMIT not in allowed_events(bare, TOWN)
    again = after(REOPENED, CaseEvent.RECTIFY, TOWN, evidence=[])
    assert refused(again, act(CaseEvent.SUBMIT, TOWN, again.version)) == ["佐证材料"]


@pytest.mark.parametrize(
    ("case", "event"),
    [
        (REVIEWING, CaseEvent.RETURN),
        (CLOSED, CaseEvent.REOPEN),
        (ALERT, CaseEvent.CANCEL),
        (DISPATCHED, CaseEvent.DISPATCH),
        (RECTIFYING, CaseEvent.DISPATCH),
    ],
)
def test_a_reason_is_required(case: Case, event: CaseEvent) -> None:
    assert refused(case, act(event, CITY, case.version, note=" ")) == ["说明"]


def test_another_owner_starts_again_the_same_one_gets_time() -> None:
    later = after(RECTIFYING, CaseEvent.DISPATCH, CITY, note="延期", due_on="2026-12-15")
    assert (later.state, later.postponed) == (CaseState.RECTIFYING, 1)
    sooner = after(later, CaseEvent.DISPATCH, CITY, note="提前", due_on="2026-12-01")
    assert (sooner.due_on, sooner.postponed) == (dt.date(2026, 12, 1), 1)
    moved = after(later, CaseEvent.DISPATCH, CITY, note="改派", owner=OTHER_TOWN.office)
    assert (moved.state, moved.owner, moved.postponed) == (CaseState.DISPATCHED, "石桥镇", 1)
    assert moved.evidence == later.evidence


def test_a_case_that_never_had_an_owner_reopens_as_an_alert() -> None:
    case = after(after(ALERT, CaseEvent.CANCEL, CITY), CaseEvent.REOPEN, CITY)
    assert (case.state, case.owner, case.reopened) == (CaseState.ALERT, "", 1)


def test_nothing_happens_before_the_case_was_opened() -> None:
    early = act(CaseEvent.DISPATCH, CITY, 1, on=DAY - dt.timedelta(days=1))
    assert refused(ALERT, early) == ["发生日期"]
    # An earlier day than the event before is told as it is: order is by sequence.
    late = advance(ALERT, act(CaseEvent.DISPATCH, CITY, 1, on=DAY + dt.timedelta(days=9)))
    assert advance(late, act(CaseEvent.RECTIFY, TOWN, 2, on=DAY)).state is CaseState.RECTIFYING


def test_amendments_are_checked_for_the_unit_of_the_case() -> None:
    own = {"table": "unit_plans", "key": {"unit_code": "990101101201"}, "set": {"leader": "镇党委副书记"}}
    assert after(DISPATCHED, CaseEvent.RECTIFY, TOWN, amendments=[own])
    foreign = own | {"key": {"unit_code": "990102001001"}}
    wrong = act(CaseEvent.RECTIFY, TOWN, 2, amendments=[foreign])
    with pytest.raises(TransitionError, match="只改本村的数据"):
        advance(DISPATCHED, wrong)


def test_all_faults_are_told_at_once() -> None:
    action = act(CaseEvent.CLOSE, OTHER_TOWN, 1, on=dt.date(2026, 1, 1))
    assert refused(ALERT, action) == ["状态", "单位", "操作角色", "发生日期"]


def test_an_unfit_payload_is_refused_whatever_the_case() -> None:
    assert refused(ALERT, act(CaseEvent.DISPATCH, CITY, 1, owner="")) == ["派单 owner"]
    assert "操作请求 account" in refused(None, act(CaseEvent.OPEN, Actor("", "x", Role.CITY), 0))


# ---------------------------------------------------------------- replay and frames


def test_replay_gives_what_the_steps_give_in_any_order_of_rows() -> None:
    frame = events_frame([*LIFE[:8], *life("C2")])
    shuffled = frame.sample(frac=1, random_state=3)
    assert replay(shuffled) == {"C1": CLOSED, "C2": history(list(life("C2")))}
    dated = frame.assign(happened_on=pd.to_datetime(frame["happened_on"]))
    assert replay(dated) == replay(frame)


def test_replay_refuses_what_could_not_have_happened() -> None:
    with pytest.raises(TransitionError):
        replay(events_frame([LIFE[0], LIFE[7]]))


def test_a_frame_of_cases_has_types_even_when_empty() -> None:
    full, empty = cases_frame([CLOSED, ALERT]), cases_frame({})
    assert list(full.columns) == list(empty.columns) == list(CASE_COLUMNS)
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()
    assert full["due_on"].tolist() == [pd.Timestamp(2026, 11, 30), pd.NaT]
    assert full[["evidence", "rectifiers", "state"]].values.tolist() == [
        [1, "li", "closed"],
        [0, "", "alert"],
    ]
    assert {c.name for c in table("cases").columns} <= set(CASE_COLUMNS)


def test_open_states() -> None:
    assert [state.value for state in CaseState if state in OPEN_STATES] == [
        *("alert", "dispatched", "rectifying", "reviewing")
    ]
    assert [case.is_open for case in (ALERT, REVIEWING, CLOSED, CANCELLED)] == [True, True, False, False]


def test_a_cause_is_told_by_what_it_is_about() -> None:
    assert [cause_key(c) for c in ("plan@990101101201", "gate:screening@990101101201", "dispute:D-1")] == [
        "plan",
        "gate:screening",
        "dispute:D-1",
    ]
