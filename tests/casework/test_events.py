from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json

import pandas as pd
import pytest

from huanjie_lib.casework.events import (
    EVENT_COLUMNS,
    GENESIS,
    Action,
    Actor,
    Head,
    canonical,
    chain_hash,
    check_chain,
    check_payload,
    event_body,
)
from huanjie_lib.contracts import table
from huanjie_lib.errors import TransitionError
from huanjie_lib.vocabulary import CaseEvent, Role
from tests.offices import CITY, COUNTY, FILE, act, events_frame, life, opening

EVENTS = events_frame([*life("C1"), *life("C2")])
HEAD = Head(len(EVENTS), EVENTS["hash"].iloc[-1])
TEXTS = [name for name in EVENT_COLUMNS if name not in {"sequence", "version"}]


def kinds(events: pd.DataFrame, head: Head | None = None) -> list[tuple[int, str]]:
    return [(fault.sequence, fault.kind) for fault in check_chain(events, head)]


def test_columns_are_those_of_the_contract() -> None:
    assert sorted(EVENT_COLUMNS) == sorted(c.name for c in table("case_events").columns)


def test_the_hash_is_the_one_written_down_here() -> None:
    # The bytes by hand, so that a ledger can be checked by anyone without this program.
    body = (
        '{"actor":"chen","case_id":"C1","event":"close","event_id":"e1","happened_on":"2026-11-02",'
        '"office":"市换届办","payload":"{\\"note\\":\\"好\\"}","recorded_at":"2026-11-02T01:00:00.000+00:00",'
        '"role":"city","version":5}'
    )
    told = {
        "event_id": "e1",
        "case_id": "C1",
        "version": 5,
        "event": "close",
        "actor": "chen",
        "office": "市换届办",
        "role": "city",
        "happened_on": "2026-11-02",
        "recorded_at": "2026-11-02T01:00:00.000+00:00",
        "payload": '{"note":"好"}',
    }
    assert event_body(**told) == body  # type: ignore[arg-type]
    wanted = hashlib.sha256(b"0" * 64 + b"\n" + body.encode()).hexdigest()
    assert chain_hash(GENESIS, body) == wanted


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"a": {"b": "x\udfff"}}])
def test_what_has_no_one_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        canonical(value)


# ---------------------------------------------------------------- actions and payloads


def test_an_action_survives_its_json_for_every_event() -> None:
    for action in life():
        assert Action.from_json(action.to_json()) == action


def test_the_actor_of_a_request_comes_from_its_token_alone() -> None:
    told = json.loads(act(CaseEvent.CLOSE, CITY, 3).to_json())
    with pytest.raises(TransitionError, match="多出 actor"):
        Action.from_json(json.dumps(told), actor=COUNTY)
    del told["actor"]
    assert Action.from_json(json.dumps(told), actor=COUNTY).actor == COUNTY
    with pytest.raises(TransitionError, match="缺少 actor"):
        Action.from_json(json.dumps(told))


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'"x"', b'{"event_id": 1}'],
)
def test_what_is_no_action_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(TransitionError, match="操作请求不能识别"):
        Action.from_json(text, actor=CITY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", "a b"),
        ("event_id", "x" * 65),
        ("case_id", ""),
        ("event", "explode"),
        ("happened_on", "20261102"),
        ("happened_on", "2026-02-30"),
        ("expected_version", -1),
        ("expected_version", True),
        ("expected_version", 1.0),
        ("payload", []),
    ],
)
def test_each_unfit_field_is_named(field: str, value: object) -> None:
    told = json.loads(act(CaseEvent.CLOSE, CITY, 3).to_json()) | {field: value}
    with pytest.raises(TransitionError) as caught:
        Action.from_json(json.dumps(told))
    assert [fault.where for fault in caught.value.faults] == [f"操作请求 {field}"]


@pytest.mark.parametrize(
    ("event", "change", "place"),
    [
        (CaseEvent.OPEN, {"unit_code": "99010110120"}, "预警 unit_code"),
        (CaseEvent.OPEN, {"kind": "weather"}, "预警 kind"),
        (CaseEvent.OPEN, {"restricted": 0}, "预警 restricted"),
        (CaseEvent.OPEN, {"title": " "}, "预警 title"),
        (CaseEvent.OPEN, {"reason": "a\x00b"}, "预警 reason"),
        (CaseEvent.DISPATCH, {"owner": ""}, "派单 owner"),
        (CaseEvent.DISPATCH, {"due_on": None}, "派单 due_on"),
        (CaseEvent.RECTIFY, {"evidence": {}}, "整改 evidence"),
        (CaseEvent.RECTIFY, {"evidence": [FILE | {"digest": "AB" * 32}]}, "整改 佐证材料第1项 digest"),
        (CaseEvent.RECTIFY, {"evidence": [FILE | {"bytes": 0}]}, "整改 佐证材料第1项 bytes"),
        (CaseEvent.RECTIFY, {"evidence": [FILE | {"media_type": "照片"}]}, "整改 佐证材料第1项 media_type"),
        (CaseEvent.RECTIFY, {"amendments": [1]}, "整改 amendments"),
        (CaseEvent.RECTIFY, {"amendments": [{"set": float("nan")}]}, "整改 amendments"),
        (CaseEvent.REOPEN, {"due_on": "明天"}, "重新打开 due_on"),
        (CaseEvent.CLOSE, {"note": 3}, "销号 note"),
    ],
)
def test_each_unfit_value_of_a_payload_is_named(
    event: CaseEvent, change: dict[str, object], place: str
) -> None:
    good = dict(act(event, CITY, 0).payload)
    assert check_payload(event, good) == []
    assert [fault.where for fault in check_payload(event, good | change)] == [place]


@pytest.mark.parametrize("event", list(CaseEvent))
def test_unknown_and_missing_keys_are_refused(event: CaseEvent) -> None:
    good = dict(act(event, CITY, 0).payload)
    (unknown,) = check_payload(event, good | {"owner_id": 1})
    assert unknown.found == "多出 owner_id"
    for name in good:
        (missing,) = check_payload(event, {k: v for k, v in good.items() if k != name})
        assert missing.found == f"缺少 {name}"


def test_scope_is_by_the_beginning_of_the_unit_code() -> None:
    assert Actor("a", "b", Role.CITY).covers("990102001001")
    assert COUNTY.covers("990101102201")
    assert not COUNTY.covers("990102001001")


# ---------------------------------------------------------------- the chain


def test_a_whole_chain_has_no_fault_with_or_without_dates_as_dates() -> None:
    assert check_chain(EVENTS, HEAD) == []
    dated = EVENTS.assign(happened_on=pd.to_datetime(EVENTS["happened_on"]))
    assert check_chain(dated.sample(frac=1, random_state=1), HEAD) == []


@pytest.mark.parametrize("name", [*TEXTS, "version"])
@pytest.mark.parametrize("row", [0, 7, len(EVENTS) - 1])
@pytest.mark.parametrize("place", ["first", "last"])
def test_one_altered_byte_is_found_at_its_event(name: str, row: int, place: str) -> None:
    altered = EVENTS.copy()
    value = altered.at[row, name]
    if name == "version":
        altered.at[row, name] = value ^ (1 if place == "first" else 1 << 20)
    else:
        raw = bytearray(value.encode())
        raw[0 if place == "first" else -1] ^= 0x11
        altered.at[row, name] = raw.decode("utf-8", "surrogateescape")
    assert kinds(altered) == [(row + 1, "altered")]


@pytest.mark.parametrize("value", [None, b"x", 3.5, ""])
def test_another_type_in_a_column_is_an_altered_event(value: object) -> None:
    altered = EVENTS.copy()
    altered.at[4, "payload"] = value
    assert kinds(altered) == [(5, "altered")]


@pytest.mark.parametrize("gone", [0, 5, 12])
def test_a_missing_event_is_a_gap_where_it_was(gone: int) -> None:
    assert kinds(EVENTS.drop(index=gone)) == [(gone + 1, "gap")]


def test_two_missing_events_are_two_gaps() -> None:
    assert kinds(EVENTS.drop(index=[3, 4])) == [(4, "gap"), (5, "gap")]


def test_exchanged_places_are_found_at_both() -> None:
    swapped = EVENTS.copy()
    swapped.loc[[4, 9], "sequence"] = [10, 5]
    assert kinds(swapped) == [(5, "reordered"), (10, "reordered")]


def test_an_event_moved_to_the_end_is_found_there() -> None:
    moved = EVENTS.copy()
    moved.at[4, "sequence"] = len(EVENTS) + 1
    assert kinds(moved) == [(len(EVENTS) + 1, "reordered")]


@pytest.mark.parametrize("row", [0, 6])
def test_an_event_replaced_with_its_hash_is_found_by_the_next(row: int) -> None:
    replaced = EVENTS.copy()
    forged = replaced.loc[row].to_dict() | {"office": "别的单位"}
    body = {name: forged[name] for name in EVENT_COLUMNS[1:11]}
    replaced.at[row, "office"] = forged["office"]
    replaced.at[row, "hash"] = chain_hash(forged["previous_hash"], event_body(**body))
    assert kinds(replaced) == [(row + 1, "replaced")]


def test_a_chain_written_anew_is_found_by_a_kept_head_alone() -> None:
    actions = [*life("C1"), *life("C2")]
    forged = events_frame([dataclasses.replace(actions[0], happened_on=dt.date(2026, 11, 1)), *actions[1:]])
    assert kinds(forged) == []
    assert kinds(forged, HEAD) == [(20, "truncated")]


def test_a_cut_end_is_found_by_a_kept_head_read_from_its_file() -> None:
    cut = EVENTS.iloc[:-3]
    assert kinds(cut) == []
    assert kinds(cut, Head.from_json(HEAD.to_json())) == [(20, "truncated")]
    assert kinds(EVENTS, Head(15, EVENTS["hash"].iloc[14])) == []  # the ledger may have grown


def test_several_faults_are_all_found() -> None:
    broken = EVENTS.drop(index=15).reset_index(drop=True)
    broken.at[2, "office"] = "x"
    broken.at[9, "payload"] = "{}"
    assert kinds(broken, HEAD) == [(3, "altered"), (10, "altered"), (16, "gap")]


def test_faults_say_in_chinese_what_to_do() -> None:
    (fault,) = check_chain(EVENTS.drop(index=3))
    assert str(fault) == (
        "事件 4：发现“缺失”；应为：序号从 1 起连续；"
        "处理办法：停止登记，保留现场，用最近的备份和另存的链头核对。"
    )


@pytest.mark.parametrize("text", ["{}", "[]", '{"sequence": 1, "hash": "x", "runs": 0, "runs_hash": "y"}'])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="head"):
        Head.from_json(text)


def test_openings_differ_by_cause() -> None:
    assert opening("a")["cause"] != opening("b")["cause"]
