"""What a page says is not believed: the server looks into the run that it was started with.

No name and no file is given before the access log has it, and none where the log cannot be written.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pandas as pd
import pytest
from tornado.web import HTTPError, RequestHandler

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import TransitionError, UsageError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.screens import talent_door
from huanjie_lib.screens.kernels import Viewer
from huanjie_lib.screens.talent_door import (
    DecideDoor,
    NameDoor,
    Subject,
    asked_name,
    judged,
    logged_page,
    made_file,
)
from huanjie_lib.screens.writer_link import Answer
from huanjie_lib.store.decisions import DECISION_COLUMNS
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.talent_folder import TALENT_TABLES, TalentRun
from huanjie_lib.vocabulary import Role
from tests.loops import run_apart
from tests.talent_runs import CLOUD, KEYS, NAMES, NUMBERS, OUYANG, ZHANG, ZHOU, talent_folder

UNIT, DIGEST = "990101101201", "ab" * 32


def talent_run() -> TalentRun:
    post = {"unit_code": [UNIT], "post": ["director"]}
    frames = {
        "posts": pd.DataFrame(post),
        "people": pd.DataFrame({"person_ref": ["P1", "P2", "P3", "P4"]}),
        "units": pd.DataFrame({"unit_code": [UNIT], "unit_name": ["上云村"]}),
        "eligible": pd.DataFrame(
            {
                "person_ref": ["P1", "P2", "P3", "P4"],
                "post": "director",
                "status": ["pass", "pass", "unknown", "fail"],
            }
        ),
        "eligibility": pd.DataFrame(
            {
                "person_ref": ["P4"],
                "post": [""],
                "rule": ["bar_criminal"],
                "label": ["受过刑事处罚"],
                "version": ["2026-01-01"],
                "source": ["村民委员会组织法"],
                "status": ["fail"],
                "reason": ["联审意见不同意"],
                "checked_on": [pd.NaT],
                "expires_on": [pd.NaT],
                "unit_code": [None],
            }
        ),
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
        ({"choice": "reject", "person_ref": "P4"}, True),
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
        (body(person_ref="P4"), "资格：发现“联审意见不同意”"),
        (body(choice="change", instead_ref="P4", reason="本人能力强"), "资格条件不能由决定放宽"),
    ],
)
def test_what_the_run_does_not_know_is_refused(sent: bytes, told: str) -> None:
    with pytest.raises(TransitionError, match=told) as caught:
        judged(sent, talent_run(), DIGEST)
    assert "P9" not in str(caught.value)


def test_whoever_was_accepted_under_an_earlier_pseudonym_is_known_again(
    subject: Subject, tmp_path: Path
) -> None:
    keys, store = KEYS.rotated(), tmp_path / "store"
    earlier, now = (ring.pseudonym("person", NUMBERS[0]) for ring in (KEYS, keys))
    frames = {name: subject.run.table(name).replace(ZHANG, now) for name in TALENT_TABLES}
    run = TalentRun(subject.run.as_of, subject.run.parameters, frames, {})
    later = Subject(run, subject.digest, keys)
    vars(later)["identities"] = subject.identities.replace(ZHANG, now)
    told = {"talent_run": subject.digest, "unit_code": CLOUD}
    with open_ledger(store, create=True) as ledger:
        before = judged(body(**told, person_ref=ZHANG), subject.run, subject.digest)
        ledger.decide(before.model_copy(update={"person_ref": earlier}), OFFICE)
    link = SimpleNamespace(place=SimpleNamespace(reader=str(store)))
    door = made(DecideDoor, link=link, subject=later)
    second = {**told, "post": "supervision", "person_ref": now}
    with pytest.raises(TransitionError, match=f"已被采纳到{CLOUD}主任"):
        door._judged(body(**second))
    assert door._judged(body(**second, held=1, reason="人手不足")).taken == now


# ---------------------------------------------------------------- names and files

OFFICE = Actor("li", "市委组织部", Role.TALENT)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("door")
    KEYS.write(folder / "key.json")
    talent_folder(folder / "t")
    return Subject.read(folder / "t", folder / "key.json")


def asked(**other: Any) -> bytes:
    return json.dumps({"entry_id": "e1", "person_ref": ZHANG, "reason": "通知本人参加考察"} | other).encode()


def test_what_goes_into_the_log_is_who_and_why_and_no_name(subject: Subject) -> None:
    reason = f" 通知{NAMES[ZHANG]}和{NAMES[OUYANG]}谈话 "
    entry = asked_name(asked(reason=reason), subject, OFFICE)
    assert (entry.action.value, entry.purpose, entry.subject) == ("unmask", "identity", ZHANG)
    assert entry.reason == "通知（姓名已隐藏）和（姓名已隐藏）谈话"
    assert entry.digest == subject.digest
    assert entry.faults() == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[]",
        b"\xff",
        b"{}",
        asked(more="x"),
        asked(reason=1),
        asked(person_ref=None),
        asked(entry_id="张三 1"),
    ],
)
def test_what_is_no_request_for_a_name_is_refused(subject: Subject, sent: bytes) -> None:
    with pytest.raises(TransitionError, match="不能识别") as caught:
        asked_name(sent, subject, OFFICE)
    assert "张三" not in str(caught.value)


def test_nobody_is_named_without_a_key_or_outside_the_area(subject: Subject) -> None:
    with pytest.raises(TransitionError, match="没有给出密钥"):
        asked_name(asked(), Subject(subject.run, subject.digest, None), OFFICE)
    with pytest.raises(TransitionError, match="不归本账号管辖"):
        asked_name(asked(person_ref="PX"), subject, OFFICE)
    homes = subject.run.table("people").set_index("person_ref")["unit_code"]
    elsewhere = Actor("w", "组织部", Role.TALENT, ("999999",))
    with pytest.raises(TransitionError, match="不归本账号管辖"):
        asked_name(asked(), subject, elsewhere)
    at_home = Actor("w", "组织部", Role.TALENT, (str(homes[ZHOU]),))
    assert asked_name(asked(person_ref=ZHOU), subject, at_home).subject == ZHOU


def nothing_decided() -> pd.DataFrame:
    return pd.DataFrame(columns=list(DECISION_COLUMNS))


def test_files_are_stamped_with_the_account_and_name_people_masked(subject: Subject) -> None:
    for what in ("roster", "plan"):
        content = made_file(what, subject, OFFICE, nothing_decided)
        book = openpyxl.load_workbook(io.BytesIO(content))
        told = "\n".join(str(c.value) for sheet in book for row in sheet.rows for c in row)
        assert "市委组织部 li（人才）" in told
        assert "李*" in told
        assert not [name for name in NAMES.values() if name in told]


def test_files_are_for_those_who_may_see_people_and_the_roster_for_the_whole_city(subject: Subject) -> None:
    with pytest.raises(UsageError, match="没有查阅的权限"):
        made_file("plan", subject, Actor("d", "东岭县换届办", Role.COUNTY), nothing_decided)
    some = Actor("w", "组织部", Role.TALENT, (CLOUD,))
    with pytest.raises(TransitionError, match="只管部分地区"):
        made_file("roster", subject, some, nothing_decided)
    with pytest.raises(TransitionError, match="没有这种文件"):
        made_file("people", subject, OFFICE, nothing_decided)


# ---------------------------------------------------------------- the log comes first


class Line:
    """A line to the writer that answers as told, and keeps what it was asked."""

    def __init__(self, status: int) -> None:
        self.actor, self.status = OFFICE, status
        self.asked: list[dict[str, Any]] = []

    async def ask(
        self, method: str, path: str, purpose: str, *, actor: Actor, headers: Any, body: Any
    ) -> Answer:
        content = b"".join([block async for block in body])
        assert (method, path, purpose, actor) == ("POST", "/access", "access", OFFICE)
        assert headers["Content-Length"] == str(len(content))
        self.asked.append(json.loads(content))
        refused = {"ok": False, "code": "ledger", "title": "连不上案件台账", "lines": []}
        entry = {"number": 1, "hash": "ab" * 32}
        return Answer(self.status, {"ok": True, "entry": entry} if self.status == 200 else refused)


def made(kind: Any, **told: Any) -> Any:
    """Return a handler without a server around it."""
    handler = kind.__new__(kind)
    handler.__dict__.update({"_current_user": "li", **told})
    return handler


@pytest.mark.parametrize("status", [200, 503])
def test_the_page_is_drawn_only_once_its_opening_is_logged(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    drawn: list[str] = []

    class Page(RequestHandler):
        async def get(self, *_: str) -> None:  # type: ignore[override]
            drawn.append("page")

    monkeypatch.setattr(talent_door, "viewer_of", lambda _: Viewer("li"))
    line = Line(status)
    assert subject.run.path is not None
    page = made(logged_page(Page, line, subject.run.path))  # type: ignore[arg-type]
    if status == 200:
        run_apart(page.get(""))
    else:
        with pytest.raises(HTTPError, match="连不上案件台账"):
            run_apart(page.get(""))
    assert drawn == (["page"] if status == 200 else [])
    assert [(one["action"], one["digest"]) for one in line.asked] == [("open", subject.digest)]


@pytest.mark.parametrize("status", [200, 503])
def test_a_name_is_answered_only_once_it_is_logged(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(NameDoor, "actor", OFFICE)
    answers: list[Any] = []
    line = Line(status)
    request = SimpleNamespace(body=asked())
    door = made(NameDoor, link=line, subject=subject, request=request)
    door.finish = answers.append
    door.set_status = lambda code: answers.append(code)
    run_apart(NameDoor.post(door))
    told = {"ok": True, "name": NAMES[ZHANG]} if status == 200 else None
    assert [one["subject"] for one in line.asked] == [ZHANG]
    assert answers[-1] == told if status == 200 else NAMES[ZHANG] not in str(answers)
    assert len(answers) == (1 if status == 200 else 2)
