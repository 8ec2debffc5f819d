"""What a page says of a decision is not believed: the server looks into the run that it was started with."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.errors import TransitionError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.screens.talent_door import judged
from huanjie_lib.store.talent_folder import TalentRun

UNIT, DIGEST = "990101101201", "ab" * 32


def talent_run() -> TalentRun:
    post = {"unit_code": [UNIT], "post": ["director"]}
    frames = {
        "posts": pd.DataFrame(post),
        "people": pd.DataFrame({"person_ref": ["P1", "P2", "P3"]}),
        "shortlists": pd.DataFrame({**post, "person_ref": ["P1"]}),
        "lists": pd.DataFrame({**post, "person_ref": ["P2"]}),
    }
    return TalentRun(dt.date(2026, 10, 31), load_parameters(), frames, {})


def body(**other: Any) -> bytes:
    told = {"decision_id": "d1", "talent_run": DIGEST, "unit_code": UNIT, "post": "director"}
    return json.dumps({**told, "person_ref": "P1", "choice": "accept", "expected": 0, **other}).encode()


@pytest.mark.parametrize(
    ("other", "departs"),
    [
        ({}, False),
        ({"person_ref": "P2"}, False),
        ({"person_ref": "P3"}, True),
        ({"choice": "reject"}, True),
        ({"choice": "change", "instead_ref": "P2"}, True),
    ],
)
def test_the_server_tells_whether_a_decision_departs_from_the_advice(
    other: dict[str, Any], departs: bool
) -> None:
    assert judged(body(**other), talent_run(), DIGEST).departs is departs


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (body(departs=False), "请求"),
        (b"[]", "请求"),
        (b"\xff", "请求"),
        (body(talent_run="cd" * 32), "匹配结果：发现“另一次匹配的结果”"),
        (body(post="member"), "岗位"),
        (body(unit_code="990101101202"), "岗位"),
        (body(person_ref="P9"), "建议人选"),
        (body(choice="change", instead_ref="P9"), "改选人员"),
    ],
)
def test_what_the_run_does_not_know_is_refused(sent: bytes, told: str) -> None:
    with pytest.raises(TransitionError, match=told) as caught:
        judged(sent, talent_run(), DIGEST)
    assert "P9" not in str(caught.value)
